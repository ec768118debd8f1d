"""Rewrites about commands that nobody answers: lights, the dashboard, the Wi-Fi dialog."""

from __future__ import annotations

import base64
import copy
from typing import TYPE_CHECKING, cast

from mentra_trio.text.bitmap import BitmapError, fit_bitmap
from tests.conformance.timeline import Item, field, is_ack

from .common import new_error
from .output import after_ack

if TYPE_CHECKING:
    from tests.conformance.recordings import Json

_COLORS = ("red", "green", "blue", "orange", "white")


def _sent(items: list[Item], call: Item, kind: str) -> Item | None:
    """Find what a call sends: calls of one tick send in their order."""
    place = items.index(call)
    earlier = sum(
        other.dir == "app" and other.tick == call.tick and other.method is not None
        and other.method.split(".")[0] == cast("str", call.method).split(".")[0]
        for other in items[max(0, place - 8) : place]
    )  # fmt: skip
    found = [other for other in items[place:] if other.dir == "out" and field(other.message, "type") == kind]
    return found[min(earlier, len(found) - 1)] if found else None


def _is_number(value: object, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def _is_light(call: Item) -> bool:
    """Whether a light can be switched like this (P3 8.2)."""
    color, *rest = call.args
    duration = rest[0] if rest and rest[0] is not None else 1000
    options: Json = {"on_time": 1000, "off_time": 0, "count": 1, **call.kwargs}
    count = options["count"]
    return (
        color in _COLORS
        and _is_number(duration, 1)
        and _is_number(options["on_time"], 1)
        and _is_number(options["off_time"], 0)
        and isinstance(count, int)
        and _is_number(count, 1)
    )


def checks_light(items: list[Item], item: Item) -> None:
    """A light has five colours and times of whole milliseconds; anything else raises, and nothing is sent."""
    sent = _sent(items, item, "rgb_led_control")
    if not _is_light(item):
        if sent is not None:
            items.remove(sent)
        items.insert(items.index(item) + 1, new_error(item, "ValueError"))
    elif sent is not None:
        fields = copy.deepcopy(cast("Json", sent.message))
        for name in ("ontime", "offtime"):
            if name in fields:
                fields[name] = round(cast("float", fields[name]))
        sent.message = fields


def queued_after_ack(items: list[Item], item: Item) -> None:
    """What was sent before the ack waits for it, in its order (D9)."""
    after_ack(items, item)
    place = next((n for n, other in enumerate(items) if other is item), None)
    if place is None:
        return
    items.remove(item)
    while place < len(items) and items[place].dir == "out" and items[place].step < item.step:
        place += 1
    items.insert(place, item)


def light_waits_for_link(items: list[Item], item: Item) -> None:
    """What is asked of the light while there is no link is sent when it is back (D9)."""
    place = items.index(item)
    later = items[place:]
    ack = next((other for other in later if is_ack(other) and other.session == item.session), None)
    if ack is None or (item.args and not _is_light(item)):
        return
    told = next((o for o in items[items.index(ack) :] if field(o.message, "type") == "subscription_update"), None)
    if told is None:
        return
    envelope = {name: field(told.message, name) for name in ("packageName", "sessionId", "timestamp")}
    message: Json = {"type": "rgb_led_control", **envelope, "requestId": "led_req_<id:901>", **_light_fields(item)}
    target = items.index(told) + 1
    while target < len(items) and items[target].dir == "out":
        target += 1
    items.insert(target, Item(dir="out", kind="text", step=ack.step, conn=ack.conn, session=item.session,
                              life=item.life, message=message))  # fmt: skip


def _light_fields(call: Item) -> Json:
    if call.method == "led.off":
        return {"action": "off"}
    color, *rest = call.args
    options: Json = {
        "on_time": rest[0] if rest and rest[0] is not None else 1000,
        "off_time": 0,
        "count": 1,
        **call.kwargs,
    }
    return {
        "action": "on",
        "color": color,
        "ontime": round(cast("float", options["on_time"])),
        "offtime": round(cast("float", options["off_time"])),
        "count": options["count"],
    }


def list_first(items: list[Item], item: Item) -> None:
    """Of what is sent in one moment, the list of subscriptions comes first."""
    place = target = items.index(item)
    while target and items[target - 1].dir == "out" and field(items[target - 1].message, "type") in _COMMANDS:
        target -= 1
    items.insert(target, items.pop(place))


_COMMANDS = ("display_event", "dashboard_content_update", "rgb_led_control", "request_wifi_setup")


def dashboard_changes(items: list[Item], item: Item) -> None:
    """The dashboard is told what it does not show already, and only text (P3 3.4)."""
    place = items.index(item)
    said = "" if item.method == "dashboard.clear" else item.args[0]
    sent = next((other for other in items[place:] if _is_for_dashboard(other)), None)
    lines = cast("list[object]", said) if isinstance(said, list) else [said]
    if not all(isinstance(line, str) for line in lines):
        if sent is not None:
            items.remove(sent)
        items[:] = [other for other in items if not (other.dir == "result" and other.api == item.api)]
        items.insert(items.index(item) + 1, new_error(item, "TypeError"))
        return
    shown = [field(other.message, "content") for other in items[:place] if _is_for_dashboard(other)]
    if sent is not None and field(sent.message, "content") == (shown[-1] if shown else ""):
        items.remove(sent)


def _is_for_dashboard(item: Item) -> bool:
    return item.dir == "out" and field(item.message, "type") == "dashboard_content_update"


def plain_session_id(items: list[Item], item: Item) -> None:
    """The dashboard's messages are recorded with an id that is put together of session and package."""
    fields = copy.deepcopy(cast("Json", item.message))
    composite, package = fields.get("sessionId"), fields.get("packageName")
    if isinstance(composite, str) and isinstance(package, str):
        fields["sessionId"] = composite.removesuffix(f"-{package}")
    item.message = fields


def fits_bitmap(items: list[Item], item: Item) -> None:
    """A bitmap is a BMP file in base64, and is sent as glasses take it; anything else raises, and nothing is sent."""
    said = argument_text(item.args[0])
    sent = _sent(items, item, "display_event")
    ready, kind = None, "TypeError"
    try:
        ready = None if said is None else fit_bitmap(base64.b64decode(said, validate=True))
    except ValueError as error:
        kind = "BitmapError" if isinstance(error, BitmapError) else "ValueError"
    if ready is None:
        if sent is not None and field(sent.message, "layout", "data") == item.args[0]:
            items.remove(sent)
        items.insert(items.index(item) + 1, new_error(item, kind))
    elif sent is not None:
        fields = copy.deepcopy(cast("Json", sent.message))
        cast("Json", fields["layout"])["data"] = base64.b64encode(ready).decode()
        sent.message = fields


def argument_text(recorded: object) -> str | None:
    """Give a recorded text, also one that was shortened."""
    repeated = field(recorded, "$repeat")
    if isinstance(repeated, list):
        text, count = cast("tuple[str, int]", repeated)
        return text * count
    return recorded if isinstance(recorded, str) and recorded != "<undefined>" else None
