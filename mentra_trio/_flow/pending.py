"""`PendingCalls`: matches replies to the requests that wait for them.

Matching is a pure function of the request (`Expectation.accept`), so the same code serves replies with an id, replies
without one ("the oldest that waits"), and replies that arrive by another way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator, Hashable
from typing import Generic, Protocol, TypeVar

import attrs
import trio

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Expectation(Protocol[M_contra, R_co]):
    """What a request knows about its reply."""

    @property
    def family(self) -> Hashable:
        """Requests of one family fail together."""
        ...

    def accept(self, message: M_contra, /) -> R_co | None:
        """Return the result if `message` is the reply, else None. Pure."""
        ...


@attrs.define(eq=False)
class Waiter(Generic[R]):
    """One request that waits for its reply; made by `PendingCalls.expect`.

    Two moments can be waited for: the request was written, and it was answered. A failure ends both waits.
    """

    _results: list[R] = attrs.field(init=False, factory=list[R])
    """Empty, or the one result: a result may be any value."""
    _error: Callable[[], Exception] | None = attrs.field(init=False, default=None)
    _is_written: bool = attrs.field(init=False, default=False)
    _waiting: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)

    @property
    def is_settled(self) -> bool:
        """Whether the request was answered or has failed."""
        return bool(self._results) or self._error is not None

    def mark_written(self) -> None:
        """Note that the request left the outbox. Idempotent, never blocks."""
        self._is_written = True
        self._waiting.unpark_all()

    async def wait_written(self) -> None:
        """Wait until the request was written or answered; raise what `result` raises if it has failed."""
        while not (self._is_written or self.is_settled):
            await self._waiting.park()
        await trio.lowlevel.checkpoint()
        if self._error is not None:
            raise self._error()

    async def result(self) -> R:
        """Wait for the reply. Cancelling leaves the request waiting until its `expect` block is left."""
        while not self.is_settled:
            await self._waiting.park()
        await trio.lowlevel.checkpoint()
        if self._error is not None:
            raise self._error()
        return self._results[0]

    def resolve(self, result: R) -> None:
        """Answer the request; the first answer or failure counts. For `PendingCalls`."""
        if not self.is_settled:
            self._results.append(result)
            self._waiting.unpark_all()

    def reject(self, error: Callable[[], Exception]) -> None:
        """Fail the request; the first answer or failure counts. For `PendingCalls`."""
        if not self.is_settled:
            self._error = error
            self._waiting.unpark_all()


@attrs.define(eq=False)
class _Call(Generic[M]):
    family: Hashable
    offer: Callable[[M], bool]
    reject: Callable[[Callable[[], Exception]], None]


@attrs.define(eq=False, kw_only=True)
class PendingCalls(Generic[M]):
    """The requests that wait for a reply, oldest first. Everything but `Waiter`'s two waits is sync."""

    capacity: int
    """Most requests that may wait at a time: asking each one costs the reader time."""
    full: Callable[[], Exception]
    """Makes the error of a request beyond `capacity`."""
    _calls: dict[_Call[M], None] = attrs.field(init=False, factory=dict[_Call[M], None])
    _error: Callable[[], Exception] | None = attrs.field(init=False, default=None)

    def __len__(self) -> int:
        return len(self._calls)

    @contextlib.contextmanager
    def expect(self, expectation: Expectation[M, R]) -> Generator[Waiter[R], None, None]:
        """Wait for a reply inside the block. Enter it before sending: a reply can only reach a request that waits.

        Raises:
            Exception: what `full` makes when too many requests wait, or what `close` was given.
        """
        if self._error is not None:
            raise self._error()
        if len(self._calls) >= self.capacity:
            raise self.full()
        waiter = Waiter[R]()

        def offer(message: M) -> bool:
            result = expectation.accept(message)
            if result is None:
                return False
            waiter.resolve(result)
            return True

        call = _Call(expectation.family, offer, waiter.reject)
        self._calls[call] = None
        try:
            yield waiter
        finally:
            self._calls.pop(call, None)

    def has(self, family: Hashable) -> bool:
        """Whether a request of a family waits."""
        return any(call.family == family for call in self._calls)

    def offer(self, message: M) -> bool:
        """Give `message` to the first waiting request that accepts it; return whether one did."""
        for call in self._calls:
            if call.offer(message):
                del self._calls[call]
                return True
        return False

    def fail(self, families: Collection[Hashable], error: Callable[[], Exception]) -> int:
        """Fail the waiting requests of `families`, each with an error of its own; return how many."""
        failing = [call for call in self._calls if call.family in families]
        for call in failing:
            del self._calls[call]
            call.reject(error)
        return len(failing)

    def close(self, error: Callable[[], Exception]) -> None:
        """Fail every waiting request and every later one. Idempotent: the first error stays."""
        if self._error is not None:
            return
        self._error = error
        for call in self._calls:
            call.reject(error)
        self._calls.clear()
