"""The app of the machine: a handler that does what it is told, and notes what came of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar, cast

import attrs
import trio

from mentra_trio import (
    AudioChunk,
    CloudRefusedError,
    Gap,
    LinkDownError,
    MentraSession,
    RawEvent,
    RequestTimedOutError,
    SessionClosedError,
    Transcript,
)
from mentra_trio._wire.outbound import Family, Request

from .wire import Link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mentra_trio import EventStream

ALWAYS = "button_press"
"""The stream that every run of the handler listens to."""
STREAMS = ("audio_chunk", "transcription:en-US", "VAD", "head_position")
"""Streams that are opened and shut while it runs."""
_COMMAND = "request_wifi_setup"
"""A command that the simulated cloud takes and does nothing about."""


class CrashError(Exception):
    """What the handler raises when it is told to."""


@attrs.frozen(kw_only=True)
class StatusCheck(Request[int]):
    """A request that is answered when a test says so."""

    TYPE: ClassVar[str] = "stream_status_check"
    FAMILY: ClassVar[Family] = Family.STREAM
    LIMIT: ClassVar[float] = 10.0

    number: int

    def accept(self, message: Mapping[str, object], /) -> int | None:
        """See `Request`."""
        is_mine = message.get("type") == "stream_status_check_response" and message.get("number") == self.number
        return self.number if is_mine else None


@attrs.define(eq=False)
class Listener:
    """One open stream, held against what arrived at the transport."""

    name: str
    arrived: list[int]
    """Numbers that the transport handed over, of all streams of this name."""
    faults: list[str]
    got: list[int | Gap] = attrs.field(factory=list[int | Gap], init=False)
    _since: int = attrs.field(default=0, init=False)

    def take(self, item: AudioChunk | RawEvent | Transcript | Gap) -> None:
        """Note an item."""
        match item:
            case Gap():
                self.got.append(item)
            case AudioChunk():
                self.got.append(int.from_bytes(item.data, "little"))
            case RawEvent():
                self.got.append(int(str(cast("Mapping[str, object]", item.data)["number"])))
            case Transcript():
                pass

    def opened(self) -> None:
        """Note that it is open."""
        self._since = len(self.arrived)

    def check(self, stream: EventStream[object]) -> None:
        """Compare, before it is closed: what was lost is counted, and what is counted was lost."""
        counts = stream.statistics()
        if counts.received != counts.delivered + counts.coalesced + counts.dropped + counts.buffered:
            self.faults.append(f"the counts of {self.name} do not add up: {counts}")
        if self.name.startswith("transcription"):
            return
        offered = self.arrived[self._since :][: counts.received]
        numbers = [item for item in self.got if not isinstance(item, Gap)]
        if len(offered) != counts.received or len(numbers) != counts.delivered:
            self.faults.append(f"{self.name}: {len(offered)} of {counts.received}, {len(numbers)} of {counts}")
        rest = iter(offered)
        if not all(number in rest for number in numbers):
            self.faults.append(f"{self.name} brought {numbers} of {offered}")
        if not counts.dropped and numbers != offered[: len(numbers)]:
            self.faults.append(f"{self.name} lost some of {offered} without a word: {numbers}")
        self._check_gaps(counts.dropped)

    def _check_gaps(self, dropped: int) -> None:
        """Where numbers are missing there is a gap, unless the loop was too slow."""
        last: int | Gap | None = None
        missing = 0
        for item in self.got:
            if isinstance(item, int) and isinstance(last, int):
                missing += item - last - 1
            last = item
        if self.name == ALWAYS and missing > dropped:
            self.faults.append(
                f"{missing} events of {self.name} are missing without a gap ({dropped} dropped): {self.got}"
            )


@attrs.define(eq=False)
class Run:
    """One run of the handler."""

    session: MentraSession
    link: Link
    nursery: trio.Nursery
    faults: list[str]
    crash: trio.Event = attrs.field(factory=trio.Event, init=False)
    wanted: Counter[str] = attrs.field(factory=Counter[str], init=False)
    """Streams that are open."""
    buttons: Listener = attrs.field(init=False)
    pending: int = attrs.field(default=0, init=False)
    """Calls and sends that have not ended."""
    sent: set[int] = attrs.field(factory=set[int])
    """Numbers of the sends of this session that returned."""
    unsent: set[int] = attrs.field(factory=set[int])
    """Numbers of the sends of this session that raised, or were cancelled."""
    outcomes: Counter[str] = attrs.field(factory=Counter[str], init=False)
    calls: list[trio.CancelScope] = attrs.field(factory=list[trio.CancelScope], init=False)
    _extras: dict[str, trio.Event] = attrs.field(factory=dict[str, trio.Event], init=False)

    async def serve(self) -> None:
        """Listen to the buttons until the session ends."""
        async with self.session.raw.stream(ALWAYS).with_gaps() as stream:
            self.buttons = Listener(ALWAYS, self.link.numbers.setdefault(ALWAYS, []), self.faults)
            self.buttons.opened()
            self.wanted[ALWAYS] += 1
            try:
                async for item in stream:
                    self.buttons.take(item)
            finally:
                self.wanted[ALWAYS] -= 1
                self.buttons.check(stream)

    def _stream(self, name: str) -> EventStream[AudioChunk] | EventStream[Transcript] | EventStream[RawEvent]:
        match name:
            case "audio_chunk":
                return self.session.mic.stream()
            case "transcription:en-US":
                return self.session.transcription.stream("en")
            case _:
                return self.session.raw.stream(name)

    def open(self, name: str, *, is_lazy: bool) -> None:
        """Open a stream unless it is open. A lazy loop reads nothing until it is told to end."""
        if name not in self._extras:
            shut = self._extras[name] = trio.Event()
            self.nursery.start_soon(self._listen, name, shut, is_lazy)

    def shut(self, name: str) -> None:
        """Close a stream."""
        if name in self._extras:
            self._extras[name].set()

    async def _listen(self, name: str, shut: trio.Event, is_lazy: bool) -> None:
        try:
            async with self._stream(name) as stream:
                listener = Listener(name, self.link.numbers.setdefault(name, []), self.faults)
                listener.opened()
                self.wanted[name] += 1
                try:
                    await self._read(stream, listener, shut, is_lazy=is_lazy)
                finally:
                    self.wanted[name] -= 1
                    listener.check(stream)
        finally:
            del self._extras[name]

    @staticmethod
    async def _read(
        stream: EventStream[AudioChunk] | EventStream[Transcript] | EventStream[RawEvent],
        listener: Listener,
        shut: trio.Event,
        *,
        is_lazy: bool,
    ) -> None:
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                await shut.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            if is_lazy:
                await trio.sleep_forever()
            async for item in stream:
                listener.take(item)
            nursery.cancel_scope.cancel()
        while stream.statistics().buffered:
            listener.take(await anext(stream))

    async def call(self, number: int) -> None:
        """Make a request; it has to end, in whatever way."""
        scope = trio.CancelScope()
        self.calls.append(scope)
        self.pending += 1
        outcome = "cancelled"
        try:
            with scope:
                outcome = "answered"
                assert await self.session._runtime.call(StatusCheck(number=number)) == number
        except (CloudRefusedError, RequestTimedOutError, LinkDownError, SessionClosedError) as error:
            outcome = type(error).__name__
        finally:
            self.outcomes["cancelled" if scope.cancelled_caught else outcome] += 1
            self.pending -= 1
            self.calls.remove(scope)

    async def send(self, number: int) -> None:
        """Send a numbered command."""
        scope = trio.CancelScope()
        self.calls.append(scope)
        self.pending += 1
        has_returned = False
        try:
            with scope:
                await self.session.raw.send(_COMMAND, number=number)
                has_returned = True
        except (LinkDownError, SessionClosedError) as error:
            self.outcomes[type(error).__name__] += 1
        finally:
            (self.sent if has_returned else self.unsent).add(number)
            self.pending -= 1
            self.calls.remove(scope)

    async def show(self, text: str) -> None:
        """Show something, if the session is not over."""
        try:
            await self.session.display.show_text_wall(text)
        except SessionClosedError:
            self.outcomes["SessionClosedError"] += 1

    def check_end(self) -> None:
        """Compare the session's own counts with what went over its sockets. When all is over."""
        link, counts = self.link, self.session.statistics()
        streams = counts.streams.closed
        facts: dict[str, tuple[object, object]] = {
            "open streams": (counts.streams.open, ()),
            "connections": (counts.connections, link.acked),
            "connect failures": (counts.connect_failures, link.refused),
            "texts": (counts.messages_received, link.texts),
            "sound": (counts.audio_chunks_received, len(link.numbers.get("audio_chunk", ()))),
            "sent": (counts.messages_sent, link.written.total() - link.written["ownership_release"]),
            # Every stream is open at most once, so an event went to one stream or to none.
            "events": (streams.received + counts.unclaimed_events + counts.foreign_transcripts, link.events),
            "delivered": (
                streams.received,
                streams.delivered + streams.coalesced + streams.dropped + streams.discarded,
            ),
            "undecodable": (counts.undecodable + counts.faulty_fields, 0),
            "pending": (self.pending, 0),
        }
        for fact, (counted, real) in facts.items():
            if counted != real:
                self.faults.append(f"{fact}: counted {counted}, really {real}")
        lost = counts.messages_lost
        if lost != link.failed_commands + link.failed_last_displays:
            self.faults.append(f"lost: counted {lost}, really {link.failed_commands} + {link.failed_last_displays}")
        written = [int(str(fields["number"])) for fields in link.commands if fields["type"] == _COMMAND]
        if len(set(written)) != len(written) or not self.sent.union(written).isdisjoint(self.unsent):
            self.faults.append(f"sent {written}; returned {self.sent}, raised {self.unsent}")
        unwritten = len(self.sent.difference(written))
        if unwritten > lost + counts.outbox.discarded:
            self.faults.append(f"{unwritten} commands are lost; counted {lost} and {counts.outbox.discarded}")
