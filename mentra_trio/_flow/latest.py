"""`Latest`: a current value that can be read, waited for, and followed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Generic, Self, TypeVar

import attrs
import trio

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
V = TypeVar("V")


@attrs.define(eq=False)
class _Cell(Generic[T]):
    value: T
    version: int = 0
    """How often the value has changed."""
    error: Callable[[], Exception] | None = None
    """Set when closed: makes what `wait_for` raises."""
    waiting: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    parts: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])
    """Bring what was selected of the value up to date."""

    def tell(self) -> None:
        """Wake whoever waits, for a change or for the end."""
        for update in self.parts:
            update()
        self.waiting.unpark_all()


@attrs.define(eq=False, repr=False)
class Latest(Generic[T_co]):
    """A read-only view of a value that changes. Any number of tasks may use it."""

    _cell: _Cell[T_co]

    def __repr__(self) -> str:
        # The type alone: values are a wearer's, and would end up in logs.
        return f"<Latest {type(self._cell.value).__name__}>"

    @property
    def value(self) -> T_co:
        """The current value. It stays readable when nothing can change it any more."""
        return self._cell.value

    async def wait_for(self, predicate: Callable[[T_co], bool]) -> T_co:
        """Wait until `predicate` holds; return the value it held for. One checkpoint if it holds already.

        The predicate runs in the calling task, each time the task sees a change. A value that is replaced before the
        task runs is not seen. Cancelling loses nothing.

        Raises:
            SessionError: nothing can change the value any more and the predicate does not hold.
        """
        cell = self._cell
        value = cell.value
        if predicate(value):
            await trio.lowlevel.checkpoint()
            return value
        while cell.error is None:
            await cell.waiting.park()
            value = cell.value
            if predicate(value):
                return value
        await trio.lowlevel.checkpoint()
        raise cell.error()

    def changes(self) -> LatestChanges[T_co]:
        """Iterate over changes made after this call, newest only.

        Values that are replaced before the iterating task reads them are skipped, so a value may come again when it
        changed and changed back in between. The iteration ends when nothing can change the value any more. Nothing
        needs to be closed.
        """
        return LatestChanges(self._cell)

    def select(self, read: Callable[[T_co], V]) -> Latest[V]:
        """Give a view of a part of the value, which changes only when that part does.

        Make it once and keep it: it is kept up to date for as long as the value lives. `read` must not block or raise.
        """
        cell = self._cell
        source = LatestSource(read(cell.value))

        def update() -> None:
            source.set(read(cell.value))
            if cell.error is not None:
                source.close(cell.error)

        cell.parts.append(update)
        update()
        return source.latest


@attrs.define(eq=False)
class LatestChanges(AsyncIterator[T_co]):
    """Changes of one `Latest`; made by `Latest.changes`. Cancelling a waiting task loses no change."""

    _cell: _Cell[T_co]
    _seen: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._seen = self._cell.version

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        cell = self._cell
        await trio.lowlevel.checkpoint()
        while self._seen == cell.version:
            if cell.error is not None:
                raise StopAsyncIteration
            await cell.waiting.park()
        self._seen = cell.version
        return cell.value


def _is_equal(one: object, other: object) -> bool:
    """Compare values. To Python 1, 1.0 and `True` are equal, but whoever follows the value would notice."""
    return one is other or (type(one) is type(other) and one == other)


@attrs.define(eq=False)
class LatestSource(Generic[T]):
    """The owner's side of a `Latest`: whoever holds it may change the value. No method blocks."""

    _initial: T
    _is_same: Callable[[T, T], bool] = _is_equal
    """Whether a value would replace another without a change."""
    latest: Latest[T] = attrs.field(init=False)
    """The read-only view to hand out."""
    _cell: _Cell[T] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._cell = _Cell(self._initial)
        self.latest = Latest(self._cell)

    def set(self, value: T) -> None:
        """Replace the value and wake whoever waits. The same value, or one set after `close`, is ignored."""
        cell = self._cell
        if cell.error is not None or self._is_same(cell.value, value):
            return
        cell.value = value
        cell.version += 1
        cell.tell()

    def close(self, error: Callable[[], Exception]) -> None:
        """Keep the value for good: waiting tasks raise ``error()``, iterations end.

        Idempotent: the first error stays.
        """
        if self._cell.error is None:
            self._cell.error = error
            self._cell.tell()
