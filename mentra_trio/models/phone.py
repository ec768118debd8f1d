"""What happens on the wearer's phone (P2 7)."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs


class Priority(enum.StrEnum):
    """How urgent a notification is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    UNKNOWN = "unknown"
    """Another word than these; the cloud passes any."""

    @classmethod
    def _missing_(cls, value: object) -> Priority:
        return cls.UNKNOWN


@attrs.frozen(kw_only=True)
class Notification:
    """A notification that appeared on the phone. It is private: do not log it."""

    notification_id: str
    """The phone's name for it, by which a dismissal tells what has gone."""
    app: str = ""
    """Name of the phone's app, as people read it, such as `Messages`."""
    title: str = attrs.field(default="", repr=False)
    """Often who wrote."""
    content: str = attrs.field(default="", repr=False)
    """What it says."""
    priority: Priority = Priority.NORMAL
    """How urgent it is."""
    package_name: str | None = None
    """The phone's app, such as `com.whatsapp`; Android only."""
    posted_at: datetime | None = None
    """When it appeared on the phone (UTC)."""
    sent_at: datetime | None = None
    """When the cloud sent it (UTC)."""
    received_at: datetime
    """When this process received it (UTC)."""


@attrs.frozen(kw_only=True)
class Dismissal:
    """A notification that has gone from the phone. It is private: do not log it.

    The cloud tells no more than its id (P2 7.3). The rest comes from the notification itself, where this session has
    seen it: keep a stream of notifications open besides.
    """

    notification_id: str
    """Which one has gone."""
    app: str = ""
    """As in the notification; empty when this session has not seen it. So are `title` and `content`."""
    title: str = attrs.field(default="", repr=False)
    """As in the notification."""
    content: str = attrs.field(default="", repr=False)
    """As in the notification."""
    notification_key: str = ""
    """Android's key of it; empty elsewhere."""
    package_name: str | None = None
    """The phone's app, such as `com.whatsapp`; Android only."""
    dismissed_at: datetime | None = None
    """When it went (UTC)."""
    sent_at: datetime | None = None
    """When the cloud sent it (UTC)."""
    received_at: datetime
    """When this process received it (UTC)."""


@attrs.frozen(kw_only=True)
class CalendarEvent:
    """An entry of the phone's calendar. It is private: do not log it.

    One entry comes again and again (P2 7.5): whenever the phone tells its calendar, changed or not. `event_id` and
    `start` together name it; nothing ever tells that it was deleted.
    """

    event_id: str
    """The phone's name for it; the events of a series share one."""
    title: str = attrs.field(repr=False)
    """What it is called."""
    start: datetime
    """When it begins, in its own time zone where it has one that is known, else in UTC."""
    end: datetime
    """When it ends, likewise; the begin itself for an entry without an end."""
    time_zone: str | None = None
    """IANA name of its zone as the phone tells it, such as `Europe/Berlin`."""
    is_all_day: bool = False
    """Whether it is about days; its times are then those of midnight, as the phone sees it."""
    told_at: datetime | None = None
    """When the phone told the cloud (UTC): before the app began, for what is replayed."""
    sent_at: datetime | None = None
    """When the cloud sent it (UTC)."""
    received_at: datetime
    """When this process received it (UTC)."""


@attrs.frozen(kw_only=True)
class BatteryReport:
    """How full a battery is."""

    level: int | None = None
    """Per cent, 0 to 100; `None` when unknown (P2 6.2.4)."""
    is_charging: bool | None = None
    """Whether it is being charged; `None` when unknown."""
    time_remaining: float | None = None
    """Seconds until it is empty, where somebody knows."""
    sent_at: datetime | None = None
    """When the cloud sent it (UTC)."""
    received_at: datetime
    """When this process received it (UTC)."""
