"""Where events find the streams that want them: one source, many keys, any number of streams per key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable

import attrs

from .buffer import Buffer, Gap, StreamStatistics


@attrs.frozen(kw_only=True)
class StreamTotals:
    """Sums over closed streams; ``received == delivered + coalesced + dropped + discarded``."""

    streams: int = 0
    received: int = 0
    delivered: int = 0
    coalesced: int = 0
    dropped: int = 0
    discarded: int = 0
    """Events unread when their stream was closed by its own user."""


@attrs.frozen(kw_only=True)
class HubStatistics:
    """Counts of everything that passed through a hub into streams."""

    open: tuple[StreamStatistics, ...]
    """Open streams in opening order."""
    closed: StreamTotals


@attrs.define(eq=False, repr=False)
class Hub:
    """Publish events by key to the open streams.

    All methods are sync, never block, and belong to one Trio run. `add` and `remove` are for `EventStream`.
    """

    _on_change: Callable[[object, bool], None]
    """Called with a stream's tag after it opened (`True`) or closed. Must not raise."""
    _on_drop: Callable[[str], None] | None = None
    """Called with a stream's name when its consumer begins to lose events, once a burst. Must not raise."""
    _routes: dict[Hashable, dict[Buffer[object], None]] = attrs.field(
        init=False, factory=dict[Hashable, dict[Buffer[object], None]]
    )
    """Open streams by key, in opening order; no key without a stream."""
    _open: dict[Buffer[object], None] = attrs.field(init=False, factory=dict[Buffer[object], None])
    """Open streams in opening order."""
    _closed: StreamTotals = attrs.field(init=False, factory=StreamTotals)
    _is_ended: bool = attrs.field(init=False, default=False)

    def publish(self, key: Hashable, item: object) -> int:
        """Offer `item` to every stream open for `key`; return how many took it.

        A stream that filters it out, has overflowed, or has ended does not take it.
        """
        buffers = self._routes.get(key)
        if buffers is None:
            return 0
        taken = 0
        for buffer in tuple(buffers):
            if buffer.offer(item):
                taken += 1
        return taken

    def has(self, key: Hashable) -> bool:
        """Tell whether any stream is open for `key`."""
        return key in self._routes

    def open_keys(self) -> Collection[Hashable]:
        """Return what streams are open for."""
        return self._routes.keys()

    def open_tags(self) -> list[object]:
        """Return the tags of the open streams in opening order, duplicates included."""
        return [buffer.tag for buffer in self._open]

    def mark_gap(self, gap: Gap) -> None:
        """Tell the streams that asked for gaps that events may be missing here."""
        for buffer in self._open:
            buffer.offer_gap(gap)

    def end(self) -> None:
        """End every stream after what it holds, and every later one at once. Idempotent."""
        self._is_ended = True
        self._routes.clear()
        for buffer in self._open:
            buffer.finish()

    def statistics(self) -> HubStatistics:
        """Return the counts of the open streams and the sums of the closed ones."""
        return HubStatistics(open=tuple(buffer.statistics() for buffer in self._open), closed=self._closed)

    def add(self, buffer: Buffer[object]) -> None:
        """Open `buffer` for its keys."""
        self._open[buffer] = None
        buffer.on_drop = self._on_drop
        if self._is_ended:
            buffer.finish()
        else:
            for key in buffer.keys:
                self._routes.setdefault(key, {})[buffer] = None
        self._on_change(buffer.tag, True)

    def remove(self, buffer: Buffer[object]) -> None:
        """Forget `buffer` and keep its counts. Idempotent."""
        if buffer not in self._open:
            return
        del self._open[buffer]
        for key in buffer.keys:
            buffers = self._routes.get(key, {})
            buffers.pop(buffer, None)
            if not buffers:
                self._routes.pop(key, None)
        counts = buffer.statistics()
        self._closed = StreamTotals(
            streams=self._closed.streams + 1,
            received=self._closed.received + counts.received,
            delivered=self._closed.delivered + counts.delivered,
            coalesced=self._closed.coalesced + counts.coalesced,
            dropped=self._closed.dropped + counts.dropped,
            discarded=self._closed.discarded + counts.buffered,
        )
        self._on_change(buffer.tag, False)
