"""Recorded calls and properties, spelled in this SDK.

A call that is not in one of the tables cannot be mapped, and that is a failure.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import cast

import trio

from mentra_trio.models import AudioChunk, LinkState, StopKind

from .app import IGNORED, App, Outcome, UnmappedCallError, describe
from .recordings import Json, as_object
from .timeline import Item

Call = Callable[[App, Item], Awaitable[object]]
Registration = Callable[[App, Item], None]


async def perform(app: App, recorded: Item) -> None:
    """Make a call or read a property. What it gives is in the app's `outcomes`."""
    item = copy.copy(recorded)
    item.args = [argument(value) for value in recorded.args]
    item.kwargs = {name: argument(value) for name, value in recorded.kwargs.items()}
    method = item.method or ""
    outcome = app.outcomes[cast("int", item.api)] = Outcome()
    if item.kind == "get":
        if method not in PROPERTIES:
            raise UnmappedCallError(f"the property {method} has no counterpart in the tables")
        outcome.value = PROPERTIES[method](app, item)
        outcome.is_done = True
    elif app.clean_up(method):
        outcome.is_done = True
    elif method in REGISTRATIONS:
        _register(app, REGISTRATIONS[method], item, outcome)
    elif method not in CALLS:
        raise UnmappedCallError(f"the call {method} has no counterpart in the tables")
    elif item.is_async:
        app.nursery.start_soon(_call, app, CALLS[method], item, outcome)
    else:
        await _call(app, CALLS[method], item, outcome)


def _register(app: App, register: Registration, item: Item, outcome: Outcome) -> None:
    try:
        register(app, item)
    except ValueError as error:
        outcome.error = error
    outcome.is_done = True


async def _call(app: App, call: Call, item: Item, outcome: Outcome) -> None:
    try:
        outcome.value = await call(app, item)
    except Exception as error:  # noqa: BLE001  (what a call may raise is compared with the recording)
        outcome.error = error
    outcome.is_done = True
    outcome.at = trio.current_time()
    app.changed.unpark_all()


def argument(recorded: object) -> object:
    """Make an argument of what was recorded for it."""
    repeated = (as_object(recorded) or {}).get("$repeat")
    if repeated is None:
        return recorded
    text, count = cast("tuple[str, int]", repeated)
    return text * count


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


def _on_connected(app: App, item: Item) -> None:
    session = app.session(item)

    def seen(state: LinkState) -> object:
        return describe(session.settings.values.value) if state is LinkState.CONNECTED else IGNORED

    if item.is_before_ack:
        # The handler starts with the ack, so this connection is news to it.
        app.got(item.handlers[0], seen(session.link_state.value))
    app.watch(item, session.link_state.changes(), seen)


def _on_reconnected(app: App, item: Item) -> None:
    app.watch(
        item, app.session(item).link_state.changes(), lambda state: [] if state is LinkState.CONNECTED else IGNORED
    )


def _on_disconnected(app: App, item: Item) -> None:
    def seen(state: LinkState) -> object:
        if state in (LinkState.RECONNECTING, LinkState.CLOSED):
            return {"permanent": state is LinkState.CLOSED}
        return IGNORED

    app.watch(item, app.session(item).link_state.changes(), seen)


def _on_stopped(app: App, item: Item) -> None:
    session = app.session(item)

    def seen(state: LinkState) -> object:
        reason = session.stop_reason
        if state is LinkState.CLOSED and reason is not None and reason.kind is StopKind.STOPPED_BY_CLOUD:
            return reason.detail
        return IGNORED

    app.watch(item, session.link_state.changes(), seen)


def _on_error(app: App, item: Item) -> None:
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


def _on_settings(app: App, item: Item) -> None:
    settings = app.session(item).settings
    if item.is_before_ack:
        app.got(item.handlers[0], describe(settings.values.value))
    app.watch(item, settings.values.changes(), describe)


# Streams


def _transcription(app: App, item: Item, *languages: str) -> None:
    stream = app.session(item).transcription.stream(*languages, hints=app.hints(item))
    app.speech(item).append(app.listen(item, stream, describe))


def _transcription_for_language(app: App, item: Item) -> None:
    (language,) = item.args
    languages = cast("list[str]", language) if isinstance(language, list) else [cast("str", language)]
    if not languages:
        app.cleans_up(item, lambda: None)  # no language is no stream in the recorded API, and any language in this one
        return
    _transcription(app, item, *languages)


def _transcription_configure(app: App, item: Item) -> None:
    app.configure(item, tuple(cast("list[str]", item.kwargs.get("language_hints", []))))


def _transcription_stop(app: App, item: Item) -> None:
    for stream in app.speech(item):
        stream.close()
    app.speech(item).clear()
    app.configure(item, ())


def _buttons(app: App, item: Item) -> None:
    app.listen(item, app.session(item).device.buttons.stream(), describe)


def _head(app: App, item: Item) -> None:
    app.listen(item, app.session(item).device.head.stream(), describe)


def _on_device_state(app: App, item: Item) -> None:
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


def _on_capabilities(app: App, item: Item) -> None:
    capabilities = app.session(item).device.capabilities
    if item.is_before_ack and capabilities.value is not None:
        app.got(item.handlers[0], describe(capabilities.value))
    app.watch(item, capabilities.changes(), describe)


def _microphone(app: App, item: Item) -> None:
    def seen(chunk: AudioChunk) -> object:
        return {**cast("Json", describe(chunk)), "timestamp": describe(chunk.received_at)}

    # The recorded manager keeps its handlers in a set: one that is registered again is still one.
    handler, known = item.handlers[0], app.sound(item)
    if handler not in known:
        known[handler] = app.listen(item, app.session(item).mic.stream(), seen)
    app.cleans_up(item, lambda: known.pop(handler).close() if handler in known else None)


def _microphone_stop(app: App, item: Item) -> None:
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

REGISTRATIONS: dict[str, Registration] = {
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
}
"""How a recorded handler is registered here, or removed."""


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
