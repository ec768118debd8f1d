"""Rewrites about the microphone and about hands on the glasses."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from tests.conformance.timeline import Item, field

from .common import new_error, new_event, said_in

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


def asks_for_sound(items: list[Item], item: Item) -> None:
    """Whoever listens to voice activity asks for sound too."""
    del items
    fields = copy.deepcopy(cast("Json", item.message))
    wanted = cast("list[object]", fields["subscriptions"])
    if "audio_chunk" not in wanted:
        wanted.append("audio_chunk")
    item.message = fields


def not_the_same_list(items: list[Item], item: Item) -> None:
    """A list with sound in it that was just sent on this socket is not sent again."""
    told = _names(item)
    earlier = next((other for other in reversed(items[: items.index(item)]) if _is_list(other)), None)
    if "audio_chunk" in told and earlier is not None and earlier.conn == item.conn and _names(earlier) == told:
        items.remove(item)


def _is_list(item: Item) -> bool:
    return item.dir == "out" and field(item.message, "type") == "subscription_update"


def _names(item: Item) -> set[str]:
    listed = field(item.message, "subscriptions")
    return (
        {name for name in cast("list[object]", listed) if isinstance(name, str)} if isinstance(listed, list) else set()
    )


def needs_listener(items: list[Item], item: Item) -> None:
    """Nobody speaks for an app that does not listen."""
    place = next(n for n, other in enumerate(items) if other.dir == "app" and other.api == item.api)
    earlier = [other for other in items[:place] if other.dir == "app"]
    gone = {other.method for other in earlier}
    open_ = [other for other in earlier if other.method == "mic.on_voice_activity" and other.assign not in gone]
    if not open_ or any(other.method == "mic.stop" for other in earlier[earlier.index(open_[-1]) :]):
        item.value = False


GESTURES = frozenset(
    {"single_tap", "double_tap", "triple_tap", "long_press"}
    | {"forward_swipe", "backward_swipe", "up_swipe", "down_swipe"}
)


def _gestures(call: Item) -> list[object]:
    if not call.args:
        return []
    given = call.args[0]
    return cast("list[object]", given) if isinstance(given, list) else [given]


def refuses_gesture(items: list[Item], item: Item) -> None:
    """A gesture that does not exist raises, and nothing is subscribed; so there is nothing to clean up either."""
    unknown = [gesture for gesture in _gestures(item) if gesture not in GESTURES]
    if not unknown:
        return
    place = items.index(item) + 1
    for other in items[place:]:
        is_cleanup = other.dir == "app" and other.method == item.assign
        if is_cleanup or (other.dir == "event" and other.handler in item.handlers):
            items.remove(other)
        elif _is_list(other):
            kept = sorted(_names(other) - {f"touch_event:{gesture}" for gesture in unknown})
            before = next((one for one in reversed(items[: items.index(other)]) if _is_list(one)), None)
            if before is not None and before.conn == other.conn and sorted(_names(before)) == kept:
                items.remove(other)
            else:
                other.message = {**cast("Json", other.message), "subscriptions": kept}
    items.insert(place, new_error(item, "ValueError"))


def deliver_touch(items: list[Item], item: Item) -> None:
    """A touch goes to all who want its gesture, under whichever name it comes."""
    name = field(item.message, "streamType")
    data = said_in(item.message)
    gesture = field(data, "gesture_name") or field(data, "gesture")
    if gesture not in GESTURES or name not in ("touch_event", f"touch_event:{gesture}"):
        return
    place = items.index(item)
    removed = {other.method for other in items[:place] if other.dir == "app"}
    for call in items[:place]:
        is_live = call.dir == "app" and call.method == "device.on_touch_event" and call.assign not in removed
        if is_live and call.session == item.session and (not call.args or gesture in _gestures(call)):
            end = next((n for n, other in enumerate(items) if n > place and other.dir in ("in", "app")), len(items))
            if not any(other.handler in call.handlers for other in items[place:end] if other.dir == "event"):
                items.insert(end, new_event(call, item, data))


def typed_touch(items: list[Item], item: Item) -> None:
    """A touch is a gesture, known or not, and perhaps a model; the envelope is nobody's touch."""
    del items
    gesture = field(item.value, "gesture_name") or field(item.value, "gesture")
    model = field(item.value, "device_model") or field(item.value, "model")
    known = isinstance(model, str) and model != "unknown"
    item.value = {"gesture": gesture if gesture in GESTURES else "unknown", "model": model if known else None}


def typed_battery(items: list[Item], item: Item) -> None:
    """A battery report has a level in per cent, a charge that is true or false, and seconds; the rest is unknown."""
    del items
    told = said_in(item.cause)
    level, charging, rest = (field(told, name) for name in ("level", "charging", "timeRemaining"))
    is_number = isinstance(rest, int | float) and not isinstance(rest, bool)
    is_level = isinstance(level, int) and not isinstance(level, bool) and level != -1
    item.value = {
        "level": level if is_level else None,
        "isCharging": charging if isinstance(charging, bool) else None,
        "timeRemaining": cast("float", rest) * 60 if is_number else None,
    }
