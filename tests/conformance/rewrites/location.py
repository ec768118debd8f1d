"""Rewrites about location: what raises the tier, what is a place, and which message answers which poll."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import TYPE_CHECKING, cast

from mentra_trio.models import LocationAccuracy
from tests.conformance.recordings import as_object
from tests.conformance.timeline import Item, field, is_ack

from .common import copy_item, said_in

if TYPE_CHECKING:
    from tests.conformance.recordings import Json

_PLAIN = "location_stream"
_STREAMS = ("location_update", _PLAIN)


def _accuracies(items: list[Item], until: int, session: str | None) -> list[LocationAccuracy]:
    """List what the live handlers want: what was configured when they were registered."""
    configured = LocationAccuracy.STANDARD
    live: dict[str, LocationAccuracy] = {}
    for item in items[:until]:
        if item.dir != "app" or item.session != session:
            continue
        if item.method == "location.configure" and "accuracy" in item.kwargs:
            configured = LocationAccuracy(cast("str", item.kwargs["accuracy"]))
        elif item.method == "location.on_update":
            live[item.assign or f"call {item.api}"] = configured
        elif item.method == "location.stop":
            live.clear()
        else:
            live.pop(item.method or "", None)
    return list(live.values())


def _rate(items: list[Item], until: int, session: str | None) -> str | None:
    wanted = _accuracies(items, until, session)
    return max(wanted, key=lambda each: each.rank).value if wanted else None


def asks_with_rate(items: list[Item], item: Item) -> None:
    """Positions are asked for in the form that raises the tier, as high as the most demanding handler wants."""
    rate = _rate(items, items.index(item), item.session)
    message = copy.deepcopy(cast("Json", item.message))
    names = cast("list[object]", message["subscriptions"])
    message["subscriptions"] = [{"stream": _PLAIN, "rate": rate} if name == _PLAIN else name for name in names]
    item.message = message


def raises_tier(items: list[Item], item: Item) -> None:
    """A handler that wants more than the others, or the last that does, changes what the cloud is told."""
    place = items.index(item)
    before, after = _rate(items, place, item.session), _rate(items, place + 1, item.session)
    told = [
        other
        for other in items[:place]
        if other.dir == "out"
        and other.session == item.session
        and field(other.message, "type") == "subscription_update"
    ]
    if before is None or after is None or before == after or not told:
        return
    end = next((n for n in range(place + 1, len(items)) if items[n].dir in ("in", "app", "runner")), len(items))
    names = cast("list[object]", field(told[-1].message, "subscriptions"))
    kept = [name for name in names if name != _PLAIN and field(name, "stream") != _PLAIN]
    message = {**cast("Json", told[-1].message), "subscriptions": [*kept, {"stream": _PLAIN, "rate": after}]}
    items.insert(end, copy_item(told[-1], message=message, step=item.step, wait=0.0))


def _place(message: object) -> Json | None:
    """Read a position as this SDK does; none where there is no place on earth."""
    data, said = field(message, "data"), said_in(message)
    lat, lng, accuracy = (_number(field(said, name)) for name in ("lat", "lng", "accuracy"))
    is_object = data is None or as_object(data) is not None
    if not is_object or lat is None or lng is None or abs(lat) > 90 or abs(lng) > 180:
        return None
    told = field(said, "timestamp")
    if isinstance(told, bool) or not isinstance(told, int | float):
        told = _iso(told) or _iso(field(message, "timestamp"))
    number = field(said, "correlationId")
    return {
        "lat": lat,
        "lng": lng,
        "accuracy": None if accuracy is None or accuracy < 0 else accuracy,
        "timestamp": told,
        "correlationId": number if isinstance(number, str) else None,
    }


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _iso(value: object) -> float | None:
    try:
        return datetime.fromisoformat(cast("str", value)).timestamp() * 1000
    except (TypeError, ValueError):
        return None


def typed_position(items: list[Item], item: Item) -> None:
    """A position is a place on earth; what is none is not delivered as zero degrees (P2 8.5, O2)."""
    place = _place(item.cause)
    if place is None:
        items.remove(item)
    else:
        item.value = place


def last_position(items: list[Item], item: Item) -> None:
    """The last position is that of the last message with one, whole, under either name."""
    places = [
        place
        for other in items[: items.index(item)]
        if other.dir == "in"
        and other.session == item.session
        and field(other.message, "type") == "data_stream"
        and field(other.message, "streamType") in _STREAMS
        and (place := _place(other.message)) is not None
    ]
    name = cast("str", item.method).partition(".")[2]
    item.value = places[-1][name] if places else None


def answers_poll(items: list[Item], item: Item) -> None:
    """A poll is answered by the first position with its id, whoever listens besides."""
    call = next(other for other in items if other.dir == "app" and other.api == item.api)
    calls = [other for other in items if other.dir == "app" and other.method == call.method and _is_alike(other, item)]
    polls = [
        other
        for other in items
        if other.dir == "out" and field(other.message, "type") == "location_poll_request" and _is_alike(other, item)
    ]
    number = field(polls[calls.index(call)].message, "correlationId")
    asked = items.index(polls[calls.index(call)])
    for place in range(asked, len(items)):
        other = items[place]
        found = _place(other.message) if other.dir == "in" and field(other.message, "type") == "data_stream" else None
        if found is not None and found["correlationId"] == number:
            items.remove(item)
            item.value = {**found, "timestamp": _iso(field(other.message, "data", "timestamp"))}
            items.insert(items.index(other) + 1, item)
            return


def _is_alike(item: Item, beside: Item) -> bool:
    return (item.session, item.life) == (beside.session, beside.life)


def poll_after_ack(items: list[Item], item: Item) -> None:
    """What was asked before the ack waits for it, behind the list of subscriptions (D9)."""
    place = items.index(item)
    ack = next(other for other in items[place:] if is_ack(other) and other.conn == item.conn)
    told = next(other for other in items[items.index(ack) :] if field(other.message, "type") == "subscription_update")
    items.remove(item)
    items.insert(items.index(told) + 1, item)
