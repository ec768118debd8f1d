"""`EventStream`: what users iterate over. Bounded, with a named overflow policy, closed synchronously."""

from __future__ import annotations

import contextlib
import typing
import warnings
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar

import attrs
import trio

from mentra_trio.errors import SlowConsumerError

from .buffer import Buffer, Ending, Gap, Overflow, StreamStatistics
from .hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import TracebackType

T_co = TypeVar("T_co", covariant=True)

ITEMS_PER_YIELD: Final = 32
"""Most items that a stream hands out between two visits of the scheduler (D13)."""


class Guard(Protocol):
    """Decides whether a stream may open."""

    async def wait(self) -> None:
        """Find out, and return when it may. Raises what whoever opens the stream gets."""
        ...

    def check(self) -> None:
        """Decide by what is known, for a bare `async for`, which cannot wait. Raises as `wait`."""
        ...


@attrs.define(eq=False, init=False, repr=False)
class EventStream(Generic[T_co]):
    """Events of one source, in order::

        async with source.stream() as events:
            async for event in events:
                ...

    Entering the block subscribes, leaving it unsubscribes. A bare ``async for event in source.stream()``
    subscribes when the loop starts and is fine for a loop that lives as long as its source: nothing closes
    the stream when the loop is left early.

    The source never waits for a consumer. A stream holds a limited number of unread events; what happens beyond that is
    its overflow policy, and every loss is counted in `statistics`.

    The loop ends when the source ends, after the events already received. Several tasks may iterate over one stream;
    each event goes to one of them. Cancelling a task that waits for an event loses none. Each item is a point where a
    cancellation takes effect, but the scheduler is visited only when there is nothing to read and at least once every
    32 items (D13), because a visit costs more than most events.

    Streams come from their sources; the constructor is not public and has no effect on the source.

    Raises:
        SlowConsumerError: from the iteration, once, after all events that the stream held when it overflowed;
            then the iteration stops.
        trio.ClosedResourceError: from the iteration, after `close`.
    """

    _hub: Hub
    _buffer: Buffer[T_co]
    _guard: Guard | None
    _run: trio.lowlevel.TrioToken | None
    """The Trio run in which the stream was opened; None before that."""
    _items_since_yield: int

    def __init__(
        self,
        hub: Hub,
        keys: tuple[Hashable, ...],
        *,
        name: str,
        capacity: int,
        overflow: Overflow,
        coalesce_key: Callable[[T_co], Hashable | None] | None = None,
        where: Callable[[T_co], bool] | None = None,
        tag: object = None,
        gaps: bool = False,
        guard: Guard | None = None,
    ) -> None:
        self._run = None
        self._guard = guard
        self._items_since_yield = 0
        self._hub = hub
        self._buffer = Buffer(
            name=name,
            capacity=capacity,
            overflow=overflow,
            coalesce_key=coalesce_key,
            where=where,
            keys=keys,
            tag=tag,
            wants_gaps=gaps,
        )

    async def __aenter__(self) -> Self:
        if self._run is not None or self._buffer.ending is not None:
            raise RuntimeError(f"stream {self._buffer.name!r} was used before; ask its source for another one")
        await trio.lowlevel.checkpoint()
        if self._guard is not None:
            await self._guard.wait()
            if self._run is not None:  # another task was faster
                raise RuntimeError(f"stream {self._buffer.name!r} was used before; ask its source for another one")
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __enter__(self) -> typing.NoReturn:
        raise TypeError(f"stream {self._buffer.name!r} is opened by 'async with', not by 'with'")

    def __exit__(self, *_: object) -> None:
        """Only there because Python looks for it before it calls `__enter__`."""

    def __aiter__(self) -> Self:
        if self._run is None and self._buffer.ending is None:
            if self._guard is not None:
                self._guard.check()
            self._open()
        return self

    async def __anext__(self) -> T_co:
        buffer = self._buffer
        if self._run is None and buffer.ending is None:
            raise RuntimeError(f"stream {self._buffer.name!r} is not open; use 'async with' or 'async for'")
        while True:
            if not buffer.slots:
                if buffer.ending is not None:
                    await trio.lowlevel.checkpoint()
                    raise self._end()
                self._items_since_yield = 0
                await buffer.waiting.park()
            elif self._items_since_yield < ITEMS_PER_YIELD:
                await trio.lowlevel.checkpoint_if_cancelled()
            else:
                self._items_since_yield = 0
                await trio.lowlevel.checkpoint()
            # No checkpoint between here and the return: an item that was taken must reach the caller, and a woken task
            # must take what it was woken for. Another task may have been faster, or closed the stream.
            if buffer.slots:
                self._items_since_yield += 1
                return buffer.take()

    def __repr__(self) -> str:
        # The name alone: unread events are somebody's speech, and would end up in logs.
        return f"<EventStream {self._buffer.name!r}>"

    def close(self) -> None:
        """Unsubscribe and discard unread events. Idempotent.

        A task that waits for an event gets `trio.ClosedResourceError`.
        """
        self._buffer.close()
        self._hub.remove(self._registration())

    def statistics(self) -> StreamStatistics:
        """Return the counts of this stream."""
        return self._buffer.statistics()

    def with_gaps(self) -> EventStream[T_co | Gap]:
        """Return another, unopened stream that also yields a `Gap` where events may be missing.

        Gaps are never dropped and take no room from events; gaps without an event between them are added up.
        """
        source = self._buffer
        return EventStream(
            self._hub,
            source.keys,
            name=source.name,
            capacity=source.capacity,
            overflow=source.overflow,
            coalesce_key=source.coalesce_key,
            where=source.where,
            tag=source.tag,
            gaps=True,
            guard=self._guard,
        )

    def __del__(self) -> None:
        if self._run is None or self._buffer.ending is Ending.CLOSED:
            return
        was_open = self._buffer.ending is not Ending.FINISHED
        # Collection may happen in another thread, after the run, or in the middle of the hub's own work, so the hub is
        # told by the one call that is safe in all these places.
        with contextlib.suppress(trio.RunFinishedError):
            self._run.run_sync_soon(_abandon, self._hub, self._registration())
        if was_open:
            warnings.warn(
                f"stream {self._buffer.name!r} was dropped while open; use 'async with'",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    def _open(self) -> None:
        self._run = trio.lowlevel.current_trio_token()
        self._hub.add(self._registration())

    def _end(self) -> Exception:
        if self._buffer.ending is Ending.CLOSED:
            return trio.ClosedResourceError(f"stream {self._buffer.name!r} was closed")
        overflowed = self._buffer.report_overflow()
        self._hub.remove(self._registration())
        if overflowed:
            return SlowConsumerError(self._buffer.name, self._buffer.capacity)
        return StopAsyncIteration()

    def _registration(self) -> Buffer[object]:
        # The hub cannot know the item type of a key. Whoever publishes under these keys promises items of type T.
        return typing.cast("Buffer[object]", self._buffer)


def _abandon(hub: Hub, buffer: Buffer[object]) -> None:
    buffer.close()
    hub.remove(buffer)
