"""`session.phone`: notifications, the calendar and the battery of the wearer's phone (P2 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mentra_trio._flow import Overflow
from mentra_trio._link import EventSource, Link, plain_source
from mentra_trio.models.phone import BatteryReport, CalendarEvent, Dismissal, Notification

if TYPE_CHECKING:
    from datetime import datetime

_CAPACITY = 256
"""Unread items: more than a phone shows at once, and than the cloud replays of a calendar (100)."""


@attrs.define(eq=False, repr=False)
class PhoneManager:
    """What happens on the wearer's phone.

    Notifications and dismissals need the `READ_NOTIFICATIONS` permission of the app in the MentraOS console, the
    calendar needs `CALENDAR`; the battery needs none. What these streams yield is private: do not log it.
    """

    _link: Link
    notifications: EventSource[Notification] = attrs.field(init=False)
    """Notifications as they appear; those from before the stream was opened never come. A loop that falls 256 behind
    gets `SlowConsumerError`; none is dropped."""
    dismissals: EventSource[Dismissal] = attrs.field(init=False)
    """Notifications as they go. A loop that falls 256 behind gets `SlowConsumerError`; none is dropped."""
    calendar: EventSource[CalendarEvent] = attrs.field(init=False)
    """Entries of the calendar: up to 100 that the cloud knows when the app subscribes for the first time since it was
    started, soonest first, past ones last; then each one that the phone tells, changed or not. An unread entry is
    replaced by a newer state of itself; a loop that falls 256 entries behind misses the oldest, which are counted."""
    battery: EventSource[BatteryReport] = attrs.field(init=False)
    """The battery of the phone; only the newest unread report is kept. Today's phones report none (P2 2)."""

    def __attrs_post_init__(self) -> None:
        link = self._link
        self.notifications = plain_source(
            link, "notifications", "phone_notification", capacity=_CAPACITY, overflow=Overflow.FAIL
        )
        self.dismissals = plain_source(
            link, "dismissals", "phone_notification_dismissed", capacity=_CAPACITY, overflow=Overflow.FAIL
        )
        self.calendar = plain_source(
            link,
            "calendar entries",
            "calendar_event",
            capacity=_CAPACITY,
            overflow=Overflow.COALESCE,
            coalesce_key=_entry,
        )
        self.battery = plain_source(link, "phone battery", "phone_battery_update", capacity=1, overflow=Overflow.LATEST)


def _entry(event: CalendarEvent) -> tuple[str, datetime]:
    """Name an entry as the cloud does: of a series each one has the same id (P2 7.5)."""
    return event.event_id, event.start
