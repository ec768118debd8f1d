"""Recorded calls, properties and handlers, spelled in this SDK.

A call that is not in one of the tables cannot be mapped, and that is a failure. What is recorded as a callback is a
task here that iterates over a stream; the cleanup that the recorded call returned closes the stream.
"""

from __future__ import annotations

import copy
import enum
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar, cast

import attrs
import trio

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio._flow import EventStream
from mentra_trio.models import AudioChunk, LinkState, StopKind, StopReason

from .marks import binary, snake_keys
from .recordings import as_object
from .timeline import Item

if TYPE_CHECKING:
    from .recordings import Json

T = TypeVar("T")


class UnmappedCallError(Exception):
    """A recorded call that the tables of this module do not know."""


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
    _sound: dict[str | None, dict[str, EventStream[AudioChunk]]] = attrs.field(
        factory=dict[str | None, dict[str, EventStream[AudioChunk]]]
    )
    """By session: microphone streams that were opened, by handler."""

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

    async def perform(self, recorded: Item) -> None:
        """Make a call or read a property. What it gives is in `outcomes`."""
        item = copy.copy(recorded)
        item.args = [argument(value) for value in recorded.args]
        item.kwargs = {name: argument(value) for name, value in recorded.kwargs.items()}
        method = item.method or ""
        outcome = self.outcomes[cast("int", item.api)] = Outcome()
        if item.kind == "get":
            getter = PROPERTIES.get(method)
            if getter is None:
                raise UnmappedCallError(f"the property {method} has no counterpart in the tables")
            outcome.value = getter(self, item)
            outcome.is_done = True
        elif method in self._cleanups:
            self._cleanups[method]()
            outcome.is_done = True
        elif method in CALLS:
            if item.is_async:
                self.nursery.start_soon(self._call, CALLS[method], item, outcome)
            else:
                await self._call(CALLS[method], item, outcome)
        else:
            raise UnmappedCallError(f"the call {method} has no counterpart in the tables")

    async def _call(self, call: Call, item: Item, outcome: Outcome) -> None:
        try:
            outcome.value = await call(self, item)
        except Exception as error:  # noqa: BLE001  (what a call may raise is compared with the recording)
            outcome.error = error
        outcome.is_done = True
        outcome.at = trio.current_time()
        self.changed.unpark_all()

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

    def finish(self) -> None:
        """Close all that is open, so that nothing warns."""
        for close in self._closers:
            close()


def argument(recorded: object) -> object:
    """Make an argument of what was recorded for it."""
    repeated = (as_object(recorded) or {}).get("$repeat")
    if repeated is None:
        return recorded
    text, count = cast("tuple[str, int]", repeated)
    return text * count


IGNORED = object()
Call = Callable[[App, Item], Awaitable[object]]


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


# Life of the session


async def _end(app: App, item: Item) -> None:
    await app.session(item).end()


async def _release(app: App, item: Item) -> None:
    # The connection's own message: this SDK sends it where it belongs, and refuses to send it by hand.
    await app.session(item).raw.send("ownership_release", reason=item.args[0])


async def _send_message(app: App, item: Item) -> None:
    (message,) = item.args
    if not isinstance(message, dict):
        raise UnmappedCallError("raw messages have a type and named fields")
    fields = dict(cast("Json", message))
    await app.session(item).raw.send(cast("str", fields.pop("type")), **fields)


async def _stop_server(app: App, _: Item) -> None:
    await app.stop()


async def _create_server(app: App, item: Item) -> None:
    app.server = await app.create(item)


async def _on_connected(app: App, item: Item) -> None:
    session = app.session(item)

    def seen(state: LinkState) -> object:
        return describe(session.settings.values.value) if state is LinkState.CONNECTED else IGNORED

    if item.is_before_ack:
        # The handler starts with the ack, so this connection is news to it.
        app.got(item.handlers[0], seen(session.link_state.value))
    app.watch(item, session.link_state.changes(), seen)


async def _on_reconnected(app: App, item: Item) -> None:
    app.watch(
        item, app.session(item).link_state.changes(), lambda state: [] if state is LinkState.CONNECTED else IGNORED
    )


async def _on_disconnected(app: App, item: Item) -> None:
    def seen(state: LinkState) -> object:
        if state in (LinkState.RECONNECTING, LinkState.CLOSED):
            return {"permanent": state is LinkState.CLOSED}
        return IGNORED

    app.watch(item, app.session(item).link_state.changes(), seen)


async def _on_stopped(app: App, item: Item) -> None:
    session = app.session(item)

    def seen(state: LinkState) -> object:
        reason = session.stop_reason
        if state is LinkState.CLOSED and reason is not None and reason.kind is StopKind.STOPPED_BY_CLOUD:
            return reason.detail
        return IGNORED

    app.watch(item, session.link_state.changes(), seen)


async def _on_error(app: App, item: Item) -> None:
    """Errors are no events here: what could not be read is counted. The runner asks for the count."""
    session = app.session(item)
    seen = session.statistics().undecodable

    def news() -> None:
        nonlocal seen
        count = session.statistics().undecodable
        for _ in range(count - seen):
            app.got(item.handlers[0], {"undecodable": True})
        seen = count

    app.count(item, news)


async def _on_settings(app: App, item: Item) -> None:
    settings = app.session(item).settings
    if item.is_before_ack:
        app.got(item.handlers[0], describe(settings.values.value))
    app.watch(item, settings.values.changes(), describe)


# Streams


async def _transcription(app: App, item: Item, *languages: str) -> None:
    stream = app.session(item).transcription.stream(*languages, hints=app.hints(item))
    app.speech(item).append(app.listen(item, stream, describe))


async def _transcription_for_language(app: App, item: Item) -> None:
    (language,) = item.args
    languages = cast("list[str]", language) if isinstance(language, list) else [cast("str", language)]
    if not languages:
        app.cleans_up(item, lambda: None)  # no language is no stream in the recorded API, and any language in this one
        return
    await _transcription(app, item, *languages)


async def _transcription_configure(app: App, item: Item) -> None:
    app.configure(item, tuple(cast("list[str]", item.kwargs.get("language_hints", []))))


async def _transcription_stop(app: App, item: Item) -> None:
    for stream in app.speech(item):
        stream.close()
    app.speech(item).clear()
    app.configure(item, ())


async def _buttons(app: App, item: Item) -> None:
    app.listen(item, app.session(item).device.buttons.stream(), describe)


async def _head(app: App, item: Item) -> None:
    app.listen(item, app.session(item).device.head.stream(), describe)


async def _on_device_state(app: App, item: Item) -> None:
    state = app.session(item).device.state
    name = cast("str", item.args[0])
    seen: object = None

    def news(now: object) -> object:
        nonlocal seen
        value = getattr(now, name)
        if value == seen:
            return IGNORED
        seen = value
        return value

    if (first := news(state.value)) is not IGNORED:
        app.got(item.handlers[0], first)
    app.watch(item, state.changes(), news)


async def _on_capabilities(app: App, item: Item) -> None:
    capabilities = app.session(item).device.capabilities
    if item.is_before_ack and capabilities.value is not None:
        app.got(item.handlers[0], describe(capabilities.value))
    app.watch(item, capabilities.changes(), describe)


async def _microphone(app: App, item: Item) -> None:
    def seen(chunk: AudioChunk) -> object:
        return {**cast("Json", describe(chunk)), "timestamp": describe(chunk.received_at)}

    # The recorded manager keeps its handlers in a set: one that is registered again is still one.
    handler, known = item.handlers[0], app.sound(item)
    if handler not in known:
        known[handler] = app.listen(item, app.session(item).mic.stream(), seen)
    app.cleans_up(item, lambda: known.pop(handler).close() if handler in known else None)


async def _microphone_stop(app: App, item: Item) -> None:
    for stream in app.sound(item).values():
        stream.close()
    app.sound(item).clear()


# Display


def _display(name: str) -> Call:
    async def show(app: App, item: Item) -> None:
        method = cast("Callable[..., Awaitable[None]]", getattr(app.session(item).display, name))
        arguments = [argument for argument in item.args if argument != "<undefined>"]
        await method(*arguments, **item.kwargs)

    return show


CALLS: dict[str, Call] = {
    "app.create": _create_server,
    "app.stop": _stop_server,
    "session.disconnect": _end,
    "session.release_ownership": _release,
    "session.send_message": _send_message,
    "session.on_connected": _on_connected,
    "session.on_reconnected": _on_reconnected,
    "session.on_disconnected": _on_disconnected,
    "session.on_stopped": _on_stopped,
    "session.on_error": _on_error,
    "session.on_settings": _on_settings,
    "transcription.on": _transcription,
    "transcription.for_language": _transcription_for_language,
    "transcription.configure": _transcription_configure,
    "transcription.stop": _transcription_stop,
    "device.on_button_press": _buttons,
    "device.on_head_position": _head,
    "device.on_capabilities_change": _on_capabilities,
    "device.state.on_change": _on_device_state,
    "mic.on_chunk": _microphone,
    "mic.stop": _microphone_stop,
    **{
        f"display.{name}": _display(name)
        for name in (
            "show_text",
            "show_text_wall",
            "show_double_text_wall",
            "show_reference_card",
            "show_dashboard_card",
            "clear",
        )
    },
}
"""How a recorded call is made here."""


def _is_open(app: App, item: Item, name: str) -> bool:
    return any(stream.name.startswith(name) for stream in app.session(item).statistics().streams.open)


PROPERTIES: dict[str, Callable[[App, Item], object]] = {
    "session.is_connected": lambda app, item: app.session(item).link_state.value is LinkState.CONNECTED,
    "session.is_parked": lambda app, item: app.session(item).link_state.value is LinkState.PARKED,
    "session.session_id": lambda app, item: app.session(item).session_id,
    "session.user_id": lambda app, item: app.session(item).user_id,
    "session.package_name": lambda app, item: app.session(item).package_name,
    "session.server_url": lambda app, item: app.session(item).base_url,
    "session.settings_data": lambda app, item: describe(app.session(item).settings.values.value),
    "session.mentraos_settings": lambda app, item: describe(app.session(item).settings.system.value),
    "session.capabilities": lambda app, item: describe(app.session(item).device.capabilities.value),
    "transcription.active": lambda app, item: _is_open(app, item, "transcription of "),
    "mic.is_active": lambda app, item: _is_open(app, item, "microphone"),
    "device.state": lambda app, item: describe(app.session(item).device.state.value),
    "device.capabilities": lambda app, item: describe(app.session(item).device.capabilities.value),
}
"""How a recorded property is read here."""


_BY_KEY = ("session.settings_data", "session.on_settings", "session.on_connected")
"""What gives settings by key: the names are the app author's."""
_WITH_MORE = ("transcription.", "device.", "mic.on_", "on_stop")
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
