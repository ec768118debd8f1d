"""Events of the wearer's phone: their `data` to the values that users receive (P2 7)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from mentra_trio.models.phone import BatteryReport, CalendarEvent, Dismissal, Notification, Priority

from .codec import JsonObject, is_level, structure
from .payload import Payload
from .zones import zone_named

if TYPE_CHECKING:
    from .inbound import StreamEvent

# Other names of the same fields, of phones that speak for themselves (P2 7.1).
_ALIASES = {"notification_id": "notificationId", "notification_key": "notificationKey", "event_id": "eventId"}
_MINUTE = 60.0


@attrs.frozen(kw_only=True)
class _Notification:
    notification_id: str
    app: str = ""
    title: str = ""
    content: str = ""
    priority: Priority = Priority.NORMAL
    package_name: str | None = None
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class _Dismissal:
    notification_id: str
    app: str = ""
    title: str = ""
    content: str = ""
    notification_key: str = ""
    package_name: str | None = None
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class _CalendarEvent:
    event_id: str
    title: str
    dt_start: datetime
    dt_end: datetime | None = None
    timezone: str = ""
    time_stamp: datetime | None = None
    all_day: bool = False


@attrs.frozen(kw_only=True)
class _Battery:
    level: int | None = None
    charging: bool | None = None
    time_remaining: float | None = None


def read_notification(event: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    """Read a notification (P2 7.2)."""
    told, faults = structure(_named(data), _Notification)
    value = Notification(
        notification_id=told.notification_id,
        app=told.app,
        title=told.title,
        content=told.content,
        priority=told.priority,
        package_name=told.package_name,
        posted_at=told.timestamp,
        sent_at=event.timestamp,
        received_at=received_at,
    )
    return Payload(value, faults)


def read_dismissal(event: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    """Read a dismissal (P2 7.3)."""
    told, faults = structure(_named(data), _Dismissal)
    value = Dismissal(
        notification_id=told.notification_id,
        app=told.app,
        title=told.title,
        content=told.content,
        notification_key=told.notification_key,
        package_name=told.package_name,
        dismissed_at=told.timestamp,
        sent_at=event.timestamp,
        received_at=received_at,
    )
    return Payload(value, faults)


def read_calendar_event(event: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    """Read a calendar entry, with its times in its own zone (P2 7.4)."""
    told, faults = structure(_named(data), _CalendarEvent)
    zone = zone_named(told.timezone) if told.timezone else None
    start, end = (
        moment if zone is None else moment.astimezone(zone) for moment in (told.dt_start, told.dt_end or told.dt_start)
    )
    value = CalendarEvent(
        event_id=told.event_id,
        title=told.title,
        start=start,
        end=end,
        time_zone=told.timezone or None,
        is_all_day=told.all_day,
        told_at=told.time_stamp,
        sent_at=event.timestamp,
        received_at=received_at,
    )
    return Payload(value, faults)


def read_battery(event: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    """Read the state of a battery; -1 is the wire's word for an unknown level (P2 6.2.4, 6.5 V1).

    So is any other that no battery has.
    """
    told, faults = structure(data, _Battery)
    value = BatteryReport(
        level=told.level if told.level is not None and is_level(told.level) else None,
        is_charging=told.charging,
        time_remaining=None if told.time_remaining is None else told.time_remaining * _MINUTE,
        sent_at=event.timestamp,
        received_at=received_at,
    )
    return Payload(value, faults)


def _named(data: JsonObject) -> JsonObject:
    """Give fields their usual names; a field that is there under its usual name stays."""
    more = {
        usual: data[other]
        for other, usual in _ALIASES.items()
        if data.get(other) is not None and data.get(usual) is None
    }
    return {**data, **more} if more else data
