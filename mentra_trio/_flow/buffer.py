"""The bounded buffer behind one `EventStream`, and its overflow policies.

The hub references buffers, users hold streams. Because a buffer knows nothing of its stream, a stream that is dropped
while open is collected at once and can say so.

Every change is made in sync code of one Trio run, so each method is atomic. Items are kept in slots: a slot's item may
be replaced until a consumer takes it, also when that consumer has been woken but has not run yet.
"""

from __future__ import annotations

import collections
import enum
import typing
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import attrs
import trio

T = TypeVar("T")


class Overflow(enum.Enum):
    """What a full stream does with the next event. Losses are always counted, and the source never waits."""

    LATEST = "latest"
    """Keep only the newest event, whatever the capacity; replaced ones count as coalesced."""

    DROP_OLDEST = "drop_oldest"
    """Remove the oldest event and count it as dropped."""

    COALESCE = "coalesce"
    """Replace an unread event in place by a newer one with the same key.

    Events without a key are never dropped, nor are `Last` ones, after which the key begins anew. A full stream removes
    its oldest keyed event, counted as dropped; when it holds none, it yields all that it holds and then raises
    `SlowConsumerError`.
    """

    FAIL = "fail"
    """Yield what the stream holds, then raise `SlowConsumerError`."""


@attrs.frozen
class Last:
    """Key of an event that is kept, and behind which events of the same key are about something new."""

    key: Hashable


@attrs.frozen
class Gap:
    """A place in a stream where events may be missing."""

    seconds: float
    """How long the source could not be heard; neighbouring gaps are added up."""

    reason: str
    """Why; of neighbouring gaps, the newest reason."""


@attrs.frozen(kw_only=True)
class StreamStatistics:
    """Counts of one stream, without gaps.

    At any time, ``received == delivered + coalesced + dropped + buffered``.
    """

    name: str
    capacity: int
    buffered: int
    """Unread events; once the stream is closed: events that were discarded unread."""
    received: int
    """Events offered by the source and wanted by the stream."""
    delivered: int
    coalesced: int
    """Events replaced by a newer one of the same kind."""
    dropped: int
    """Events lost because the consumer was too slow."""


class Ending(enum.Enum):
    """Why a buffer takes no more events."""

    OVERFLOWED = "overflowed"
    """The policy gave up; `SlowConsumerError` is still to be raised."""
    FINISHED = "finished"
    """The source ended, or the error was raised."""
    CLOSED = "closed"
    """Its user closed it."""


@attrs.define(eq=False)
class _Slot(Generic[T]):
    item: T
    key: Hashable | None
    """None where the item is never dropped."""


@attrs.define(eq=False, kw_only=True, repr=False)
class Buffer(Generic[T]):
    """Unread items of one stream, oldest first, and the tasks that wait for one.

    Wake-ups: each stored item wakes one waiting task, and a woken task takes an item without another checkpoint. So
    while a task waits, every stored item has a woken task of its own, and cancelling one task cannot strand another.
    """

    name: str
    capacity: int
    """Most items kept; gaps are stored beyond it, at most one more than items."""
    overflow: Overflow
    coalesce_key: Callable[[T], Hashable | None] | None = None
    where: Callable[[T], bool] | None = None
    keys: tuple[Hashable, ...] = ()
    tag: object = None
    wants_gaps: bool = False

    on_drop: Callable[[str], None] | None = attrs.field(init=False, default=None)
    """Called with the stream's name at the first loss of a burst, which ends when the consumer has caught up."""
    ending: Ending | None = attrs.field(init=False, default=None)
    """None while open."""
    waiting: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)
    slots: collections.deque[_Slot[T]] = attrs.field(init=False, factory=collections.deque[_Slot[T]])
    _keyed: dict[Hashable, _Slot[T]] = attrs.field(init=False, factory=dict[Hashable, "_Slot[T]"])
    """Unread slots whose item the next one of its key replaces: a key keeps its place."""
    _gaps: int = attrs.field(init=False, default=0)
    _discarded: int = attrs.field(init=False, default=0)
    _received: int = attrs.field(init=False, default=0)
    _delivered: int = attrs.field(init=False, default=0)
    _coalesced: int = attrs.field(init=False, default=0)
    _dropped: int = attrs.field(init=False, default=0)
    _is_dropping: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"capacity of stream {self.name!r} must be at least 1, not {self.capacity}")
        if (self.overflow is Overflow.COALESCE) != (self.coalesce_key is not None):
            raise ValueError(f"stream {self.name!r}: COALESCE and coalesce_key belong together")
        if self.overflow is Overflow.LATEST:
            self.capacity = 1

    def offer(self, item: T) -> bool:
        """Store `item`, or apply the policy; return whether it was taken. Never blocks."""
        if self.where is not None and not self.where(item):
            return False
        if self.ending is not None:
            if self.ending is Ending.OVERFLOWED:
                self._received += 1
                self._dropped += 1
            return False
        key = None
        if self.coalesce_key is not None:
            key = self.coalesce_key(item)
            if isinstance(key, Last):
                self._keyed.pop(key.key, None)  # what is unread of it keeps its place, and its item
                key = None
            elif key is not None and (unread := self._keyed.get(key)) is not None:
                unread.item = item
                self._received += 1
                self._coalesced += 1
                return True
        self._received += 1
        if len(self.slots) - self._gaps >= self.capacity and not self._make_room():
            self._drop()
            self._end(Ending.OVERFLOWED)
            return False
        slot = _Slot(item, key)
        self.slots.append(slot)
        if key is not None:
            self._keyed[key] = slot
        if self.waiting:
            self.waiting.unpark()
        return True

    def offer_gap(self, gap: Gap) -> None:
        """Store `gap` behind the unread items, unless the stream does not want to know. Never blocks."""
        if not self.wants_gaps or self.ending is not None:
            return
        if self.slots and isinstance(tail := self.slots[-1].item, Gap):
            self.slots[-1].item = self._as_item(_merged(tail, gap))
            return
        self.slots.append(_Slot(self._as_item(gap), None))
        self._gaps += 1
        self.waiting.unpark()

    def take(self) -> T:
        """Remove and return the oldest item; there must be one."""
        slot = self.slots.popleft()
        if not self.slots:
            self._is_dropping = False
        self._forget(slot)
        if self._gaps and isinstance(slot.item, Gap):
            self._gaps -= 1
        else:
            self._delivered += 1
        return slot.item

    def finish(self) -> None:
        """Take nothing more; what is stored stays readable, and an overflow is still reported."""
        if self.ending is None:
            self._end(Ending.FINISHED)

    def report_overflow(self) -> bool:
        """Return True once after an overflow."""
        if self.ending is not Ending.OVERFLOWED:
            return False
        self.ending = Ending.FINISHED
        return True

    def close(self) -> None:
        """Discard what is stored and wake every waiting task."""
        if self.ending is Ending.CLOSED:
            return
        self._discarded = len(self.slots) - self._gaps
        self._gaps = 0
        self.slots.clear()
        self._keyed.clear()
        self._end(Ending.CLOSED)

    def statistics(self) -> StreamStatistics:
        """Return the present counts."""
        return StreamStatistics(
            name=self.name,
            capacity=self.capacity,
            buffered=len(self.slots) - self._gaps + self._discarded,
            received=self._received,
            delivered=self._delivered,
            coalesced=self._coalesced,
            dropped=self._dropped,
        )

    def _drop(self) -> None:
        self._dropped += 1
        if not self._is_dropping:
            self._is_dropping = True
            if self.on_drop is not None:
                self.on_drop(self.name)

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        self.waiting.unpark_all()

    def _make_room(self) -> bool:
        """Remove one item as the policy says; return False when it does not allow that."""
        match self.overflow:
            case Overflow.LATEST:
                self._remove(self._oldest_item())
                self._coalesced += 1
            case Overflow.DROP_OLDEST:
                self._remove(self._oldest_item())
                self._drop()
            case Overflow.COALESCE:
                oldest = next((index for index, slot in enumerate(self.slots) if slot.key is not None), None)
                if oldest is None:
                    return False
                self._remove(oldest)
                self._drop()
            case Overflow.FAIL:
                return False
            case _:
                typing.assert_never(self.overflow)
        return True

    def _oldest_item(self) -> int:
        # Two gaps are never neighbours, so a full buffer has an item in one of its first two slots.
        return 1 if self._gaps and isinstance(self.slots[0].item, Gap) else 0

    def _remove(self, index: int) -> None:
        slot = self.slots[index]
        del self.slots[index]
        self._forget(slot)
        if not self._gaps or not 0 < index < len(self.slots):
            return
        left, right = self.slots[index - 1], self.slots[index]
        if isinstance(left.item, Gap) and isinstance(right.item, Gap):
            left.item = self._as_item(_merged(left.item, right.item))
            del self.slots[index]
            self._gaps -= 1

    def _forget(self, slot: _Slot[T]) -> None:
        """Let nothing replace the item of a slot that was removed."""
        if slot.key is not None and self._keyed.get(slot.key) is slot:
            del self._keyed[slot.key]

    @staticmethod
    def _as_item(gap: Gap) -> T:
        # Only buffers that want gaps store them, and `EventStream.with_gaps` promises `T | Gap` to their consumers.
        return typing.cast("T", gap)


def _merged(earlier: Gap, later: Gap) -> Gap:
    return Gap(earlier.seconds + later.seconds, later.reason)
