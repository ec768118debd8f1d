"""`Outbox`: what the writer takes next. Many producers, one writer.

Four kinds of things wait here, and the writer prefers them in this order:

1. control frames, which pass even while the gate is closed;
2. the dirty flag: the state that the writer computes itself (which subscriptions are wanted) has changed;
3. lanes, each of which holds the newest of its items only and keeps a pace, so that a receiver that cannot follow gets
   fewer items, not late ones; while the peer covers what they show, items with a lifetime wait there;
4. the queue, in order.

The gate is open while the peer accepts more than control frames. It decides what a sender waits for: with an open gate
an item that was queued is on its way; with a closed one nobody knows when or whether, so the sender waits until the
writer takes the item, and takes it back when it is cancelled.
"""

from __future__ import annotations

import collections
import enum
import math
from collections.abc import Callable
from typing import Final, Generic, Literal, TypeVar

import attrs
import trio

from mentra_trio.errors import LinkDownError

C = TypeVar("C")


class Dirty(enum.Enum):
    """The type of `DIRTY`."""

    DIRTY = "dirty"


DIRTY: Final = Dirty.DIRTY
"""Stands in for an item: the writer computes the newest state and sends that."""


class Kind(enum.Enum):
    """Where an item waited."""

    CONTROL = "control"
    DIRTY = "dirty"
    LANE = "lane"
    QUEUE = "queue"


@attrs.frozen(kw_only=True)
class Outgoing(Generic[C]):
    """What the writer sends next."""

    kind: Kind
    item: C | Literal[Dirty.DIRTY]
    lane: str | None = None
    """The lane that the item waited in, if it did."""
    remaining: float | None = None
    """Seconds that are left of the lifetime of an item that is sent again."""
    on_written: Callable[[], None] | None = None
    on_failed: Callable[[Exception], None] | None = None


@attrs.frozen(kw_only=True)
class OutboxStatistics:
    """What waits in an outbox, and what became of everything that did."""

    control: int
    """Control frames that wait."""
    is_dirty: bool
    lanes: int
    """Lanes with an item that waits."""
    queued: int
    written_control: int
    written_dirty: int
    written_lanes: int
    written_queue: int
    coalesced: int
    """Posts replaced by a newer one before they were written, and control frames that waited already."""
    restored: int
    """Lane items that were made pending again."""
    withdrawn: int
    """Items taken back because their sender was cancelled."""
    refused: int
    """Items that found no room."""
    discarded: int
    """Items that were accepted and then thrown away: unsent at the end, control frames of a lost connection, lane items
    that may be lost but whose lifetime was over, lane items that may have cost the connection."""


@attrs.define(eq=False)
class _Entry(Generic[C]):
    item: C
    on_written: Callable[[], None] | None
    on_failed: Callable[[Exception], None] | None
    on_taken: Callable[[], None] | None = None
    sender: trio.lowlevel.Task | None = None
    """Who waits until the writer takes the item, or the outbox is closed. Whoever removes the entry wakes it."""
    is_taken: bool = False


@attrs.define(eq=False)
class _Post(Generic[C]):
    item: C
    posted_at: float
    lifetime: float | None
    expires_at: float = math.inf
    """The end of the lifetime, once it has begun."""
    is_restored: bool = False

    def written(self, now: float) -> None:
        """Let the lifetime begin, unless it has."""
        if self.lifetime is not None and self.expires_at == math.inf:
            self.expires_at = now + self.lifetime


@attrs.define(eq=False)
class _Lane(Generic[C]):
    pending: _Post[C] | None = None
    last: _Post[C] | None = None
    """What was sent last, until it is forgotten; also `pending` while it waits to be sent again."""
    sent_at: float = -math.inf
    """When the writer last took from the lane, then when it had written that."""
    is_known: bool = True
    """Whether the peer has `last`, or has got nothing where that is None."""
    at_first: C | None = None
    """What the peer has before it gets anything, where somebody told."""


@attrs.define(eq=False, kw_only=True)
class Outbox(Generic[C]):
    """What the writer takes next; see the module for the order and the gate.

    `next`, `mark_written`, the gate, and the lanes' memory are for the one writer and the task that owns the
    connection; everything else may be used by any task.
    """

    capacity: int
    """Most items in the queue, those of waiting senders included."""
    pace: float = 0.35
    """Least time between two items of one lane, in seconds."""

    _control: collections.deque[C] = attrs.field(init=False, factory=collections.deque[C])
    _is_dirty: bool = attrs.field(init=False, default=False)
    _lanes: dict[str, _Lane[C]] = attrs.field(init=False, factory=dict[str, _Lane[C]])
    _covered_until: float = attrs.field(init=False, default=-math.inf)
    _is_wiped: bool = attrs.field(init=False, default=False)
    """What the lanes send until then is sent once more."""
    _queue: collections.deque[_Entry[C]] = attrs.field(init=False, factory=collections.deque[_Entry[C]])
    _newest: str | None = attrs.field(init=False, default=None)
    """The lane of what was taken last, control frames and the writer's own state aside; None for the queue."""
    _is_open: bool = attrs.field(init=False, default=False)
    _in_flight: Outgoing[C] | None = attrs.field(init=False, default=None)
    """What the writer has taken and is not done with."""
    _error: Callable[[], Exception] | None = attrs.field(init=False, default=None)
    _writer: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)
    _emptied: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)
    _written: dict[Kind, int] = attrs.field(init=False, factory=lambda: dict.fromkeys(Kind, 0))
    _coalesced: int = attrs.field(init=False, default=0)
    _restored: int = attrs.field(init=False, default=0)
    _withdrawn: int = attrs.field(init=False, default=0)
    _refused: int = attrs.field(init=False, default=0)
    _discarded: int = attrs.field(init=False, default=0)

    # Producers

    def control(self, item: C) -> None:
        """Queue a control frame: it goes out before all else, even while the gate is closed. Never blocks.

        One that equals a frame which still waits is that frame: one answer answers a burst of questions. So there are
        never more than the kinds of frames that the caller has.
        """
        if item in self._control:
            self._coalesced += 1
            return
        self._control.append(item)
        self._writer.unpark_all()

    def mark_dirty(self) -> None:
        """Ask the writer to send its own state at its next turn. Never blocks; ignored after `close`."""
        if self._error is None:
            self._is_dirty = True
            self._writer.unpark_all()

    def post(self, lane: str, item: C, *, lifetime: float | None = None, at_first: C | None = None) -> None:
        """Make `item` the newest of `lane`, which replaces one that still waits. Never blocks.

        Lanes are remembered for ever, so their names come from a small fixed set.

        Args:
            lane: the lane.
            item: what to send.
            lifetime: seconds, from the moment when the item was written, after which it is not sent again; None: no
                limit. Whatever was not written yet has all of it, however long it waited.
            at_first: what the peer has before it gets anything. With it, an item that the peer is known to have is not
                sent, and only takes back one that waits.

        Raises:
            Exception: what `close` was given.
        """
        if self._error is not None:
            raise self._error()
        now = trio.current_time()
        state = self._lanes.setdefault(lane, _Lane())
        posted_at = now
        if state.pending is not None:
            self._coalesced += 1
            posted_at = state.pending.posted_at
        state.at_first = at_first
        if at_first is not None and state.is_known and item == (state.last.item if state.last else at_first):
            state.pending = None
            self._wake_if_empty()
            return
        state.pending = _Post(item, posted_at, lifetime)
        self._writer.unpark_all()

    async def send(
        self,
        item: C,
        *,
        on_taken: Callable[[], None] | None = None,
        on_written: Callable[[], None] | None = None,
        on_failed: Callable[[Exception], None] | None = None,
        until_taken: bool = False,
    ) -> None:
        """Queue `item`. Return after a checkpoint; with a closed gate, when the writer took the item.

        A call that is cancelled has not sent anything: its item never enters the queue, or is taken back.

        Args:
            item: what to send.
            on_taken: called, in the writer's task, when the item can be taken back no more. Must not raise.
            on_written: called, in the writer's task, when the item was written. Must not raise.
            on_failed: called, in the writer's task, when the item cannot be written. Must not raise.
            until_taken: wait for the writer with an open gate too, so that cancelling takes the item back.

        Raises:
            LinkDownError: the queue is full; raised at once.
            Exception: what `close` was given, also while waiting.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._error is not None:
            raise self._error()
        if len(self._queue) >= self.capacity:
            self._refused += 1
            raise LinkDownError(self.capacity)
        entry = _Entry(item, on_written, on_failed, on_taken)
        self._queue.append(entry)
        self._writer.unpark_all()
        if self._is_open and not until_taken:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return

        def withdraw(_: object) -> trio.lowlevel.Abort:
            # In the moment of the cancellation, not when the cancelled task runs: until then the writer could take it.
            self._queue.remove(entry)
            self._withdrawn += 1
            self._wake_if_empty()
            return trio.lowlevel.Abort.SUCCEEDED

        entry.sender = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(withdraw)
        if not entry.is_taken and self._error is not None:
            raise self._error()

    def send_nowait(self, item: C) -> None:
        """Queue `item` and wait for nothing, whatever the gate: for clean-up, where waiting is not possible.

        Raises:
            LinkDownError: the queue is full.
            Exception: what `close` was given.
        """
        if self._error is not None:
            raise self._error()
        if len(self._queue) >= self.capacity:
            self._refused += 1
            raise LinkDownError(self.capacity)
        self._queue.append(_Entry(item, None, None))
        self._writer.unpark_all()

    # The writer

    async def next(self) -> Outgoing[C]:
        """Wait for what to send next. Cancelling takes nothing out.

        Calling it says that the writer is done with what it took before.
        """
        self._in_flight = None
        self._wake_if_empty()
        await trio.lowlevel.checkpoint()
        while (outgoing := self._take()) is None:
            if (due := self._next_due()) == math.inf:
                await self._writer.park()
            else:
                with trio.move_on_at(due):
                    await self._writer.park()
        self._in_flight = outgoing
        return outgoing

    def mark_written(self, outgoing: Outgoing[C]) -> None:
        """Note that the writer has written what it took last."""
        if self._in_flight is outgoing:  # not so when this writer's connection was given up meanwhile
            self._in_flight = None
        self._written[outgoing.kind] += 1
        if outgoing.lane is not None:
            lane = self._lanes[outgoing.lane]
            lane.sent_at = trio.current_time()
            if lane.last is not None:
                lane.last.written(lane.sent_at)
        if outgoing.on_written is not None:
            outgoing.on_written()
        self._wake_if_empty()

    def mark_failed(self, outgoing: Outgoing[C], error: Exception) -> None:
        """Note that what the writer took last can never be written: it is not restored either."""
        if outgoing.lane is not None:
            lane = self._lanes[outgoing.lane]
            lane.last, lane.is_known = None, False
        if outgoing.on_failed is not None:
            outgoing.on_failed(error)

    def take_back(self, lane_name: str) -> None:
        """Note that what the writer took last, from this lane, may not have been written whole: send it again."""
        lane = self._lanes[lane_name]
        lane.is_known = False
        if lane.pending is None:
            self._restore(lane)
        elif lane.pending is not lane.last:
            self._coalesced += 1

    # The connection's owner

    def open_gate(self) -> None:
        """Let everything pass."""
        self._is_open = self._error is None
        self._writer.unpark_all()

    def close_gate(self) -> None:
        """Let only control frames pass; there is no writer now, or it may not send more."""
        self._is_open = False
        self._in_flight = None
        self._wake_if_empty()

    def discard_control(self) -> int:
        """Throw away the waiting control frames of a lost connection; return how many there were."""
        count = len(self._control)
        self._control.clear()
        self._discarded += count
        self._wake_if_empty()
        return count

    def restore_lanes(self, since: float) -> None:
        """Make what was last sent on a lane pending again if it was sent at `since` or later: it may be lost.

        A lane where something newer waits is left alone. Restoring does not prolong a lifetime: an item that cannot be
        sent again before its end is thrown away.
        """
        for lane in self._lanes.values():
            if lane.sent_at >= since:
                lane.is_known = False
                if lane.pending is None:
                    self._restore(lane)

    def repeat_lanes(self) -> None:
        """Make what was last sent on each lane pending again, because the peer has begun anew.

        As `restore_lanes`, but an item whose lifetime is over has served, and is no loss.
        """
        now = trio.current_time()
        for lane in self._lanes.values():
            if lane.last is None or lane.last.item == lane.at_first:
                continue  # the peer has it anyway
            lane.is_known = False
            if lane.pending is None and now < lane.last.expires_at:
                self._restore(lane)

    def cover(self, until: float, *, is_wiped: bool) -> None:
        """Note that the peer covers what the lanes show, until then on the Trio clock.

        It sees to the end of no lifetime meanwhile, so items that have one wait until then, and theirs begins after it.
        If it may wipe what it gets in that time, the newest of each lane is sent once more then.
        """
        self._covered_until, self._is_wiped = until, is_wiped
        self._writer.unpark_all()

    def uncover(self) -> None:
        """Hold nothing back for `cover`, and send nothing once more."""
        self.cover(-math.inf, is_wiped=False)

    def _restore(self, lane: _Lane[C]) -> None:
        if lane.last is None:
            return
        now = trio.current_time()
        if now >= lane.last.expires_at:
            lane.last = None
            self._discarded += 1
            return
        lane.pending = lane.last
        lane.pending.posted_at, lane.pending.is_restored = now, True
        self._restored += 1
        self._writer.unpark_all()

    def forget_suspects(self, since: float) -> None:
        """Throw away what was sent on the lanes and may have cost the connection; what waits in them stays.

        That is what was sent at `since` or later, what was taken last of all, and what was sent again already: it may
        have cost the connection before, too.
        """
        for name, lane in self._lanes.items():
            is_suspect = lane.sent_at >= since or name == self._newest
            if lane.last is not None and lane.last is not lane.pending and (is_suspect or lane.last.is_restored):
                lane.last, lane.is_known = None, False
                self._discarded += 1

    def close(self, error: Callable[[], Exception]) -> None:
        """Throw away what waits, except control frames, and accept only those from here on. Idempotent.

        Senders that wait raise ``error()``, and so do later sends and posts.
        """
        if self._error is not None:
            return
        self._error = error
        self._is_open = False
        self._is_dirty = False
        for entry in self._queue:
            if entry.sender is None:
                self._discarded += 1
            else:
                trio.lowlevel.reschedule(entry.sender)
        self._queue.clear()
        for lane in self._lanes.values():
            if lane.pending is not None:
                lane.pending = None
                self._discarded += 1
        self._wake_if_empty()

    # Everybody

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and the writer is done with what it took."""
        return not (
            self._control
            or self._is_dirty
            or self._queue
            or self._in_flight is not None
            or any(lane.pending is not None for lane in self._lanes.values())
        )

    async def wait_empty(self) -> None:
        """Wait until `is_empty`. Callers set the limit: with a closed gate this may take for ever."""
        await trio.lowlevel.checkpoint()
        while not self.is_empty:
            await self._emptied.park()

    def statistics(self) -> OutboxStatistics:
        """Return the present counts."""
        return OutboxStatistics(
            control=len(self._control),
            is_dirty=self._is_dirty,
            lanes=sum(lane.pending is not None for lane in self._lanes.values()),
            queued=len(self._queue),
            written_control=self._written[Kind.CONTROL],
            written_dirty=self._written[Kind.DIRTY],
            written_lanes=self._written[Kind.LANE],
            written_queue=self._written[Kind.QUEUE],
            coalesced=self._coalesced,
            restored=self._restored,
            withdrawn=self._withdrawn,
            refused=self._refused,
            discarded=self._discarded,
        )

    def _take(self) -> Outgoing[C] | None:
        """Take out what is preferred and may go, if there is anything."""
        if self._control:
            return Outgoing(kind=Kind.CONTROL, item=self._control.popleft())
        if not self._is_open:
            return None
        if self._is_dirty:
            self._is_dirty = False
            return Outgoing(kind=Kind.DIRTY, item=DIRTY)
        if (outgoing := self._take_from_lane()) is not None:
            return outgoing
        if self._queue:
            entry = self._queue.popleft()
            entry.is_taken = True
            if entry.on_taken is not None:
                entry.on_taken()
            self._newest = None
            if entry.sender is not None:
                trio.lowlevel.reschedule(entry.sender)
            return Outgoing(kind=Kind.QUEUE, item=entry.item, on_written=entry.on_written, on_failed=entry.on_failed)
        return None

    def _take_from_lane(self) -> Outgoing[C] | None:
        """Take from the lane that has waited longest of those that are due."""
        now = trio.current_time()
        if self._is_wiped and now >= self._covered_until:
            self._is_wiped = False
            self.repeat_lanes()
        best: tuple[float, str, _Lane[C], _Post[C]] | None = None
        for name, lane in self._lanes.items():
            post = lane.pending
            if post is None or now < self._due(lane, post):
                continue
            if post.is_restored and now >= post.expires_at:
                lane.pending = lane.last = None
                self._discarded += 1
                self._wake_if_empty()
            elif best is None or post.posted_at < best[0]:
                best = (post.posted_at, name, lane, post)
        if best is None:
            return None
        _, name, lane, post = best
        lane.pending = None
        lane.last, lane.is_known = post, True
        lane.sent_at = now
        self._newest = name
        remaining = post.expires_at - now if post.is_restored and post.expires_at < math.inf else None
        return Outgoing(kind=Kind.LANE, item=post.item, lane=name, remaining=remaining)

    def _next_due(self) -> float:
        """When the next waiting lane becomes due, on the Trio clock."""
        if not self._is_open:
            return math.inf
        dues = [self._due(lane, lane.pending) for lane in self._lanes.values() if lane.pending is not None]
        if self._is_wiped:
            dues.append(self._covered_until)
        return min(dues, default=math.inf)

    def _due(self, lane: _Lane[C], post: _Post[C]) -> float:
        due = lane.sent_at + self.pace
        return due if post.lifetime is None else max(due, self._covered_until)

    def _wake_if_empty(self) -> None:
        if self._emptied and self.is_empty:
            self._emptied.unpark_all()
