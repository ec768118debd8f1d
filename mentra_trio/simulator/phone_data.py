"""Notifications and the calendar: what a phone tells the cloud, and the cloud its apps (P2 7)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio._wire.codec import JsonObject, to_iso
from mentra_trio._wire.zones import zone_named

if TYPE_CHECKING:
    from .apps import AppSession
    from .sessions import UserSession  # noqa: TC004 - a cycle, and nobody evaluates it

NOTIFICATION = "phone_notification"
DISMISSAL = "phone_notification_dismissed"
CALENDAR = "calendar_event"
REPLAY = "calendar"
"""What an app has got once since it was started."""
_MOST_ENTRIES = 100
"""Entries of a calendar that the cloud keeps."""
_OF_NOTIFICATION = ("notificationId", "app", "title", "content")
_OF_DISMISSAL = ("notificationId", "notificationKey", "packageName")


@attrs.define(eq=False)
class PhoneData:
    """What one wearer's phone tells of itself. Each post returns its HTTP status."""

    _home: UserSession = attrs.field(repr=False)
    _calendar: dict[tuple[str, str], JsonObject] = attrs.field(factory=dict[tuple[str, str], JsonObject], init=False)
    """By id and begin."""

    def notified(self, body: JsonObject) -> int:
        """Tell the apps of a notification. Empty texts count as missing (P2 7.2)."""
        if not all(body.get(name) for name in _OF_NOTIFICATION):
            return 400
        data: JsonObject = {
            "type": NOTIFICATION,
            **{name: body[name] for name in _OF_NOTIFICATION},
            "priority": body.get("priority") or "normal",
            "timestamp": body.get("timestamp") or self._milliseconds(),
        }
        if body.get("packageName") is not None:
            data["packageName"] = body["packageName"]
        self._home.relay(NOTIFICATION, data)
        self._home.dashboard.notified(*(str(body[name]) for name in ("app", "title", "content")))
        return 200

    def dismissed(self, body: JsonObject) -> int:
        """Tell the apps that a notification has gone, and nothing of what it said (P2 7.3)."""
        if not all(body.get(name) for name in _OF_DISMISSAL):
            return 400
        told = {name: body[name] for name in _OF_DISMISSAL}
        self._home.relay(DISMISSAL, {"type": DISMISSAL, **told, "timestamp": self._milliseconds()})
        return 200

    def calendar_posted(self, body: JsonObject) -> int:
        """Take entries in Expo's form, and tell the apps each of them, changed or not (P2 7.5)."""
        entries = body.get("events")
        if not isinstance(entries, list):
            return 400
        for entry in cast("list[object]", entries):
            if isinstance(entry, dict):
                self._enter(self._of_expo(cast("JsonObject", entry)))
        return 200

    def calendar_told(self, message: JsonObject) -> None:
        """Take an entry that came over the phone's socket."""
        self._enter(
            self._entry(
                number=message.get("eventId"),
                title=message.get("title"),
                start=message.get("dtStart"),
                end=message.get("dtEnd"),
                zone=message.get("timezone"),
                told=message.get("timeStamp"),
            )
        )

    def replay(self, app: AppSession) -> None:
        """Give an app all entries when it asks for the calendar for the first time since it was started (P2 7.5)."""
        if CALENDAR not in app.subscriptions.names or REPLAY in app.replayed:
            return
        app.replayed.add(REPLAY)
        for entry in self._in_order():
            self._home.relay_to(app, CALENDAR, entry)

    def _enter(self, entry: JsonObject | None) -> None:
        if entry is None:
            return
        key = str(entry["eventId"]), str(entry["dtStart"])
        self._calendar[key] = entry
        if len(self._calendar) > _MOST_ENTRIES:
            kept = self._in_order()[:_MOST_ENTRIES]
            self._calendar = {(str(each["eventId"]), str(each["dtStart"])): each for each in kept}
        self._home.relay(CALENDAR, entry)
        first = self._in_order()[0]
        self._home.dashboard.planned(f"{first['title']} @ {self._clock(str(first['dtStart']))}")

    def _in_order(self) -> list[JsonObject]:
        """What goes on or comes, soonest first; then what is over, latest first."""
        now = self._home.cloud.timestamp()
        to_come = [entry for entry in self._calendar.values() if str(entry["dtEnd"]) >= now]
        over = [entry for entry in self._calendar.values() if str(entry["dtEnd"]) < now]
        return [*sorted(to_come, key=_begin), *sorted(over, key=_begin, reverse=True)]

    def _of_expo(self, entry: JsonObject) -> JsonObject | None:
        read = self._entry(
            number=entry.get("id"),
            title=entry.get("title"),
            start=entry.get("startDate"),
            end=entry.get("endDate"),
            zone=entry.get("timeZone"),
            told=None,
        )
        return {**read, "allDay": True} if read is not None and entry.get("allDay") is True else read

    def _entry(
        self, *, number: object, title: object, start: object, end: object, zone: object, told: object
    ) -> JsonObject | None:
        """Spell an entry as apps get it; `None` for one without an id, a title or a begin."""
        if not number or not title or not start:
            return None
        return {
            "type": CALENDAR,
            "eventId": str(number),
            "title": title,
            "dtStart": self._moment(start),
            "dtEnd": self._moment(end or start),
            "timezone": zone or "",
            "timeStamp": self._moment(told) if told else self._home.cloud.timestamp(),
        }

    def _moment(self, value: object) -> str:
        """Spell a time in UTC; what is none becomes now."""
        try:
            if isinstance(value, int | float):
                moment = datetime.fromtimestamp(value / 1000, UTC)
            else:
                moment = datetime.fromisoformat(cast("str", value))
        except (TypeError, ValueError, OverflowError, OSError):
            return self._home.cloud.timestamp()
        return to_iso(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))

    def _clock(self, moment: str) -> str:
        """Spell a time of day for the wearer, in UTC where no zone is known."""
        zone = self._home.stored.system_settings.get("timezone")
        local = datetime.fromisoformat(moment).astimezone((zone_named(zone) if isinstance(zone, str) else None) or UTC)
        return f"{local:%H:%M}"

    def _milliseconds(self) -> int:
        return round(self._home.cloud.now().timestamp() * 1000)


def _begin(entry: JsonObject) -> str:
    return str(entry["dtStart"])
