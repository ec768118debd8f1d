"""The app of a replay: its server, its sessions, its handlers, and what became of its calls.

What is recorded as a callback is a task here that iterates over a stream; the cleanup that the recorded call returned
closes the stream.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar, cast

import attrs
import trio

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio._flow import EventStream
from mentra_trio.models import AudioChunk, StopReason, VoiceActivity

from .marks import binary, snake_keys
from .recordings import as_object
from .timeline import Item

if TYPE_CHECKING:
    from .recordings import Json

T = TypeVar("T")


class UnmappedCallError(Exception):
    """A recorded call that has no counterpart in the tables of `calls`."""


SessionKey = tuple[str | None, int]
"""Session id of the webhook, and how often the session was started before."""


def session_key(item: Item) -> SessionKey:
    """Tell which session an item belongs to."""
    return item.session, item.life


@attrs.frozen
class Received:
    """What a handler got."""

    value: object
    at: float
    """Trio time."""


@attrs.define(eq=False)
class Outcome:
    """What became of a call."""

    is_done: bool = False
    value: object = None
    error: Exception | None = None
    at: float = 0.0
    """Trio time."""
    is_compared: bool = False


@attrs.define(eq=False)
class App:
    """The app of a scenario: its server, its sessions, its handlers."""

    nursery: trio.Nursery
    changed: trio.lowlevel.ParkingLot
    """Told whenever there is something new to compare."""
    create: Callable[[Item], Awaitable[MiniAppServer]]
    stop: Callable[[], Awaitable[None]]
    server: MiniAppServer | None = None
    sessions: dict[SessionKey, MentraSession] = attrs.field(factory=dict[SessionKey, MentraSession])
    received: dict[str, deque[Received]] = attrs.field(factory=dict[str, deque[Received]])
    """By handler: what nobody has compared yet."""
    outcomes: dict[int, Outcome] = attrs.field(factory=dict[int, Outcome])
    """By number of the call."""
    counters: dict[str, Callable[[], None]] = attrs.field(factory=dict[str, Callable[[], None]])
    """By handler: asks for news that this SDK counts instead of telling."""
    _cleanups: dict[str, Callable[[], None]] = attrs.field(factory=dict[str, Callable[[], None]])
    _closers: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])
    """Close all streams that were opened."""
    _hints: dict[str | None, tuple[str, ...]] = attrs.field(factory=dict[str | None, tuple[str, ...]])
    """By session: language hints that were configured for the streams to come."""
    _speech: dict[str | None, list[EventStream[object]]] = attrs.field(
        factory=dict[str | None, list[EventStream[object]]]
    )
    """By session: transcription streams that were opened."""
    _kept: dict[tuple[str | None, type], object] = attrs.field(factory=dict[tuple[str | None, type], object])
    _sound: dict[str | None, dict[str, EventStream[AudioChunk]]] = attrs.field(
        factory=dict[str | None, dict[str, EventStream[AudioChunk]]]
    )
    """By session: microphone streams that were opened, by handler."""
    _voice: dict[str | None, list[EventStream[VoiceActivity]]] = attrs.field(
        factory=dict[str | None, list[EventStream[VoiceActivity]]]
    )
    """By session: streams of voice activity that were opened."""

    streams_of_sound: dict[str, object] = attrs.field(factory=dict[str, object])
    """By name of the recorded variable: streams of the speaker that were opened."""

    def session(self, item: Item) -> MentraSession:
        """Give the session that a call was made on."""
        try:
            return self.sessions[session_key(item)]
        except KeyError:
            raise UnmappedCallError(f"{item.method}: the session {item.session!r} has no handler yet") from None

    def started(self, name: str, session: MentraSession) -> SessionKey:
        """Take a session whose handler starts."""
        life = 0
        while (name, life) in self.sessions:
            life += 1
        self.sessions[name, life] = session
        return name, life

    def clean_up(self, name: str) -> bool:
        """Call the cleanup that a recorded call returned under this name, if one did."""
        cleanup = self._cleanups.get(name)
        if cleanup is not None:
            cleanup()
        return cleanup is not None

    def got(self, handler: str, value: object) -> None:
        """Note what a handler got."""
        self.received.setdefault(handler, deque()).append(Received(value, trio.current_time()))
        self.changed.unpark_all()

    def listen(self, item: Item, stream: EventStream[T], describe: Callable[[T], object]) -> EventStream[T]:
        """Register the handler of a call: iterate over a stream until the cleanup."""
        aiter(stream)  # opens it now, and not when the task runs: several calls in one tick are one change
        self.nursery.start_soon(self._consume, item.handlers[0], stream, describe)
        self.cleans_up(item, stream.close)
        self._closers.append(stream.close)
        return stream

    def cleans_up(self, item: Item, cleanup: Callable[[], None]) -> None:
        """Register what the cleanup does that the recorded call returned."""
        if item.assign:
            self._cleanups[item.assign] = cleanup

    async def _consume(self, handler: str, stream: EventStream[T], describe: Callable[[T], object]) -> None:
        try:
            async for value in stream:
                self.got(handler, describe(value))
        except trio.ClosedResourceError:
            pass  # by the cleanup

    def watch(self, item: Item, changes: AsyncIterator[T], describe: Callable[[T], object]) -> None:
        """Register the handler of a call: follow a value until the cleanup. `IGNORED` is no event."""
        scope = trio.CancelScope()
        self.nursery.start_soon(self._follow, item.handlers[0], changes, describe, scope)
        self.cleans_up(item, scope.cancel)

    async def _follow(
        self, handler: str, changes: AsyncIterator[T], describe: Callable[[T], object], scope: trio.CancelScope
    ) -> None:
        with scope:
            async for value in changes:
                seen = describe(value)
                if seen is not IGNORED:
                    self.got(handler, seen)

    def hints(self, item: Item) -> tuple[str, ...]:
        """Give the language hints that were configured."""
        return self._hints.get(item.session, ())

    def configure(self, item: Item, hints: tuple[str, ...]) -> None:
        """Remember language hints for streams to come."""
        self._hints[item.session] = hints

    def speech(self, item: Item) -> list[EventStream[object]]:
        """Give the transcription streams of the call's session."""
        return self._speech.setdefault(item.session, [])

    def kept(self, item: Item, kind: type[T]) -> T:
        """Give what a capability's table keeps of the call's session; made when it is asked for first."""
        return cast("T", self._kept.setdefault((item.session, kind), kind()))

    def count(self, item: Item, ask: Callable[[], None]) -> None:
        """Register the handler of a call: let the runner ask for news until the cleanup."""
        handler = item.handlers[0]
        self.counters[handler] = ask
        self.cleans_up(item, lambda: self._forget(handler))

    def _forget(self, handler: str) -> None:
        self.counters.pop(handler, None)

    def sound(self, item: Item) -> dict[str, EventStream[AudioChunk]]:
        """Give the microphone streams of the call's session, by handler."""
        return self._sound.setdefault(item.session, {})

    def voice(self, item: Item) -> list[EventStream[VoiceActivity]]:
        """Give the streams of voice activity of the call's session."""
        return self._voice.setdefault(item.session, [])

    def finish(self) -> None:
        """Close all that is open, so that nothing warns."""
        for close in self._closers:
            close()


IGNORED = object()
"""What `App.watch` does not take for an event."""


def describe(value: object) -> object:
    """Spell a value of this SDK as JSON with this SDK's names."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return binary(value)
    if isinstance(value, datetime):
        return value.timestamp() * 1000
    if isinstance(value, Mapping):
        return {str(key): describe(inner) for key, inner in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [describe(inner) for inner in cast("Sequence[object]", value)]
    if attrs.has(type(value)):
        fields: Json = attrs.asdict(cast("attrs.AttrsInstance", value), recurse=False)
        return {name: describe(inner) for name, inner in fields.items()}
    return value


_BY_KEY = ("session.settings_data", "session.on_settings", "session.on_connected")
"""What gives settings by key: the names are the app author's."""
_WITH_MORE = ("camera.", "transcription.", "translation.", "phone.", "device.", "mic.on_", "on_stop")
"""What gives values of this SDK's own classes, which hold more than was recorded, such as the time of reception."""


def _without_nothing(value: object) -> object:
    """Leave out what says "no": an ability that is not named is not there (P2 6.4)."""
    if (table := as_object(value)) is not None:
        kept = {name: _without_nothing(inner) for name, inner in table.items()}
        nothing: tuple[object, ...] = (None, False, [], {})
        return {name: inner for name, inner in kept.items() if inner not in nothing}
    if isinstance(value, list):
        return [_without_nothing(inner) for inner in cast("list[object]", value)]
    return value


def comparable(item: Item, value: object) -> tuple[object, object]:
    """Give a recorded value with this SDK's names, and of ours what can be compared with it."""
    if item.method in _BY_KEY:
        return item.value, value
    expected = snake_keys(item.value)
    if (item.method or "").endswith(("capabilities", "on_capabilities_change")):
        return _without_nothing(expected), _without_nothing(value)
    wanted, given = as_object(expected), as_object(value)
    if wanted is not None and given is not None and (item.method or "").startswith(_WITH_MORE):
        return wanted, {name: given.get(name) for name in wanted}
    return expected, value


ON_STOP = "on_stop"
"""How the recordings call the app's own stop handler."""


def stop_queue(session_id: str) -> str:
    """Name what the stop handler got for one session: sessions end in any order."""
    return f"{ON_STOP} of {session_id}"


def describe_stop(session: MentraSession, reason: StopReason) -> Json:
    """Describe a call of the app's stop handler as the recordings do."""
    return {"session": session.session_id, "reason": reason.detail, "kind": reason.kind.value}
