"""Rewrites about the phone: typed notifications, dismissals with what was seen, calendar entries with times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from tests.conformance.recordings import as_object
from tests.conformance.timeline import Item, field

from .common import said_in

if TYPE_CHECKING:
    from tests.conformance.recordings import Json

_PRIORITIES = ("low", "normal", "high")


def _text(said: object, *names: str) -> str | None:
    """Read the first text of these fields; the later ones are other names of the same."""
    told = next((value for name in names if (value := field(said, name)) is not None), None)
    return told if isinstance(told, str) else None


def _id(message: object) -> str | None:
    """Give the id of a notification; none where the data is no object."""
    data = field(message, "data")
    return _text(said_in(message), "notificationId", "notification_id") if data is None or as_object(data) else None


def typed_notification(items: list[Item], item: Item) -> None:
    """A notification has an id; texts that are none are empty, and a priority that nobody knows is unknown."""
    said, number = said_in(item.cause), _id(item.cause)
    if number is None:
        items.remove(item)
        return
    told = _text(said, "priority")
    item.value = {
        **cast("Json", item.value),
        "notificationId": number,
        **{name: _text(said, name) or "" for name in ("app", "title", "content")},
        "priority": "normal" if told is None else told if told in _PRIORITIES else "unknown",
    }


def completed_dismissal(items: list[Item], item: Item) -> None:
    """A dismissal has an id; the rest is of the notification, where a handler of those has seen it (P2 7.5)."""
    said, number = said_in(item.cause), _id(item.cause)
    if number is None:
        items.remove(item)
        return
    seen: object = None
    for earlier in items[: items.index(item)]:
        if earlier.dir == "event" and earlier.method == "phone.notifications.on" and _id(earlier.cause) == number:
            seen = earlier.value
    item.value = {
        "notificationId": number,
        **{name: _text(said, name) or _text(seen, name) or "" for name in ("app", "title", "content")},
        "notificationKey": _text(said, "notificationKey", "notification_key") or "",
    }


def typed_entry(items: list[Item], item: Item) -> None:
    """A calendar entry has an id, a title and a begin; its times are times (P2 7.4)."""
    told = _told(items, item)
    cause = item.cause if told is None else told.message
    data, said = field(cause, "data"), said_in(cause)
    number, title = _text(said, "eventId", "event_id"), _text(said, "title")
    start, end = _moment(field(said, "dtStart")), _moment(field(said, "dtEnd"))
    if (data is not None and as_object(data) is None) or number is None or title is None or start is None:
        items.remove(item)
        return
    if told is not None:  # of a burst each entry comes at once
        items.remove(item)
        items.insert(items.index(told) + 1, item)
    item.value = {
        "eventId": number,
        "title": title,
        "start": start,
        "end": start if end is None else end,
        "timeZone": _text(said, "timezone") or None,
        "isAllDay": field(said, "allDay") is True,
        "toldAt": _moment(field(said, "timeStamp")),
    }


def _told(items: list[Item], item: Item) -> Item | None:
    """Find the message of an event: of a burst it need not be the last one."""
    number = field(item.value, "eventId")
    for earlier in reversed(items[: items.index(item)]):
        if earlier.dir == "in" and number == _text(said_in(earlier.message), "eventId", "event_id"):
            return earlier
    return None


def _moment(value: object) -> float | None:
    """Give a time as milliseconds since the epoch."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        moment = datetime.fromisoformat(cast("str", value))
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000
