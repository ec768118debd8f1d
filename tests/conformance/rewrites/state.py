"""Rewrites about what the cloud tells of settings and glasses, and about who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tests.conformance.marks import snake
from tests.conformance.recordings import as_object
from tests.conformance.timeline import Item, field, is_ack

from .common import copy_item, live_observers, new_event

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


def _live_handlers(items: list[Item], like: Item, until: int) -> list[str]:
    """List the handlers registered like one of them and not removed before an item."""
    registrations = [
        item
        for item in items[:until]
        if item.dir == "app" and item.kind == "call" and (item.method, item.args) == (like.method, like.args)
    ]
    removed = {item.method for item in items[:until] if item.dir == "app"}
    return [item.handlers[0] for item in registrations if item.handlers and item.assign not in removed]


def deliver_to_all(items: list[Item], item: Item) -> None:
    """Every handler that was registered when a message came gets it, whatever the others do (P2 1.6, D1)."""
    start = max(n for n, other in enumerate(items[: items.index(item)]) if other.dir == "in")
    end = next((n for n, other in enumerate(items) if n > start and other.dir == "in"), len(items))
    events = [other for other in items[start:end] if other.dir == "event"]
    for event in events:
        like = next((other for other in items if other.dir == "app" and event.handler in other.handlers), None)
        if like is None:
            continue
        for handler in _live_handlers(items, like, start):
            if not any(other.handler == handler for other in items[start:end] if other.dir == "event"):
                items.insert(items.index(event) + 1, copy_item(event, handler=handler))
                end += 1


def only_told(items: list[Item], item: Item) -> None:
    """The state of the glasses is what the cloud has told of it, in the types of P2 6.3; the rest is unknown.

    What cannot be read stays what it was.
    """
    state: Json = {}
    for earlier in items[: items.index(item)]:
        told = as_object(field(earlier.message, "state"))
        if earlier.dir == "in" and field(earlier.message, "type") == "device_state_update" and told is not None:
            before = dict(state)
            if field(earlier.message, "fullSnapshot") is True:
                state.clear()
            for name, value in ((snake(key), value) for key, value in told.items()):
                state[name] = value if value is None or _is_state(name, value) else before.get(name)
    if (recorded := as_object(item.value)) is not None:
        item.value = {name: value if _is_state(name, state.get(name)) else None for name, value in recorded.items()}


def _is_state(name: str, value: object) -> bool:
    if name in ("model_name", "wifi_ssid", "wifi_local_ip", "hotspot_ssid"):
        return isinstance(value, str)
    if name in ("battery_level", "case_battery_level"):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, bool)


def capabilities(items: list[Item], item: Item) -> None:
    """Capabilities are an object with a model, or nothing; what did not change is no news."""
    earlier = items[: items.index(item)]
    sources = [other for other in earlier if _tells_capabilities(other)]
    known = [_readable_capabilities(other) for other in sources]
    if known and known[-1] is None:
        item.value = None
    if item.dir == "event" and known and known[-1] == (known[-2] if len(known) > 1 else None):
        items.remove(item)


def _tells_capabilities(item: Item) -> bool:
    return item.dir == "in" and (is_ack(item) or field(item.message, "type") == "capabilities_update")


def _readable_capabilities(item: Item) -> object:
    told = field(item.message, "capabilities")
    return told if isinstance(field(told, "modelName"), str) else None


def other_package(items: list[Item], item: Item) -> None:
    """A settings message that names another package does not concern this app (P1 5.1)."""
    create = next(other for other in items if other.method == "app.create")
    package = field(item.cause, "packageName")
    if package is not None and package != create.kwargs.get("package_name"):
        items.remove(item)


def tells_undecodable(items: list[Item], item: Item) -> None:
    """Whoever asks for the count of unreadable frames finds this one in it."""
    place = items.index(item) + 1
    for observer in live_observers(items, item, "session.on_error"):
        items.insert(place, new_event(observer, item, {"undecodable": True}))


def settings_by_key(items: list[Item], item: Item) -> None:
    """Settings are values by key: what was told, else the default of a definition seen for that key (P1 5.2).

    Recorded is the list that was told last; anything else is left for the comparison to find.
    """
    earlier = items[: items.index(item)]
    sources = [other for other in reversed(earlier) if _told_settings(other, item)]
    told = field(sources[0].message, "settings") if sources else None
    nothing: list[object] = []
    if item.value != (nothing if told is None else told):
        return
    if (item.dir == "result" or is_ack(sources[0])) and not _is_list(told):
        # Nothing can be read out of it, so what was told before stays: also when an ack comes without settings.
        told = next((field(other.message, "settings") for other in sources if _is_readable(other, earlier)), None)
    item.value = {**_defaults(earlier, item.session), **_values(told, "value")}


def believes_socket(items: list[Item], item: Item) -> None:
    """A session has the settings that it was told on its socket."""
    sources = [other for other in items[: items.index(item)] if _told_settings(other, item)]
    item.value = field(sources[-1].message, "settings") if sources else []


def _told_settings(item: Item, beside: Item) -> bool:
    is_update = field(item.message, "type") == "settings_update"
    is_same = (item.session, item.life) == (beside.session, beside.life)
    return item.dir == "in" and is_same and (is_update or is_ack(item))


def _is_readable(item: Item, items: list[Item]) -> bool:
    """Tell whether settings count: a list, for this app."""
    if is_ack(item):
        return _is_list(field(item.message, "settings"))
    package = field(item.message, "packageName")
    create = next(other for other in items if other.method == "app.create")
    is_ours = package is None or package == create.kwargs.get("package_name")
    return is_ours and _is_list(field(item.message, "settings"))


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def only_changes(items: list[Item], item: Item) -> None:
    """Settings that did not change are no news (P1 5.1: each change comes twice)."""
    place = items.index(item)
    start = max(n for n, other in enumerate(items[:place]) if other.dir == "in")
    before: Json = {}
    for earlier in items[:start]:
        if _told_settings(earlier, item) and _is_readable(earlier, items):
            before = _values(field(earlier.message, "settings"), "value")
    is_first = not any(
        is_ack(earlier) and (earlier.session, earlier.life) == (item.session, item.life) for earlier in items[:start]
    )
    if not is_first and {**_defaults(items[:start], item.session), **before} == item.value:
        items.remove(item)


def _defaults(items: list[Item], session: str | None) -> Json:
    found: Json = {}
    for item in items:
        if item.dir == "in" and item.session == session:
            found |= _values(field(item.message, "settings"), "defaultValue")
    return found


def _values(settings: object, name: str) -> Json:
    return {cast("str", entry["key"]): entry[name] for entry in _entries(settings) if entry.get(name) is not None}


SYSTEM_DEFAULTS: Json = {
    "metricSystemEnabled": False,
    "contextualDashboard": True,
    "headUpAngle": 45,
    "brightness": 50,
    "autoBrightness": True,
    "sensingEnabled": True,
    "alwaysOnStatusBar": False,
    "bypassVad": False,
    "bypassAudioEncoding": False,
    "preferredMic": "auto",
    "useOnboardMic": False,
    "userTimezone": None,
}
"""P1 5.3."""


def system_defaults(items: list[Item], item: Item) -> None:
    """System settings are typed fields with defaults, under one name for the time zone (P1 5.3).

    What cannot be read, or is not told, changes nothing.
    """
    earlier = items[: items.index(item)]
    sources = [_told_system(other) for other in earlier if _tells_system(other, item)]
    value = item.value
    if sources and as_object(sources[-1]) is None:
        value = next((source for source in reversed(sources) if as_object(source) is not None), None)
    told = dict(as_object(value) or {})
    if told.get("userTimezone") is None and "timezone" in told:
        told["userTimezone"] = told["timezone"]
    item.value = {
        name: told[name] if name in told and _is_alike(told[name], default) else default
        for name, default in SYSTEM_DEFAULTS.items()
    }


def _tells_system(item: Item, beside: Item) -> bool:
    is_same = (item.session, item.life) == (beside.session, beside.life)
    is_update = field(item.message, "type") == "augmentos_settings_update"
    return item.dir == "in" and is_same and (is_ack(item) or is_update)


def _told_system(item: Item) -> object:
    return field(item.message, "mentraosSettings" if is_ack(item) else "settings")


def _is_alike(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int | float)
    return isinstance(value, str)


def _entries(settings: object) -> list[Json]:
    if not isinstance(settings, list):
        return []
    found = [table for entry in cast("list[object]", settings) if (table := as_object(entry)) is not None]
    return [
        entry
        for entry in found
        if isinstance(entry.get("key"), str) and entry["key"] and entry.get("type") not in ("group", "titleValue")
    ]
