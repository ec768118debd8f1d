"""Notifications, dismissals, the calendar and the battery of the phone (P2 7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import EventStream, MentraSession, PermissionDeniedError, SlowConsumerError
from mentra_trio.models import BatteryReport, CalendarEvent, Dismissal, Notification, Priority
from tests.scripted_cloud import CloudSocket, Connected, connected

from .worlds import open_world

if TYPE_CHECKING:
    from collections.abc import Callable

POSTED = datetime(2026, 6, 14, 9, 12, 33, tzinfo=UTC)
BOB: dict[str, object] = {
    "type": "phone_notification",
    "notificationId": "msg-4711",
    "app": "Messages",
    "title": "Bob",
    "content": "Running five minutes late",
    "priority": "high",
    "timestamp": 1781428353000,
    "packageName": "com.google.android.apps.messaging",
}
REVIEW: dict[str, object] = {
    "type": "calendar_event",
    "eventId": "evt-881",
    "title": "Design review",
    "dtStart": "2026-06-14T10:00:00.000Z",
    "dtEnd": "2026-06-14T10:30:00.000Z",
    "timezone": "Europe/Berlin",
    "timeStamp": "2026-06-14T09:12:33.000Z",
}


async def notify(socket: CloudSocket, **changes: object) -> None:
    await socket.event("phone_notification", **{**BOB, **changes})


async def dismiss(socket: CloudSocket, number: str = "msg-4711", **more: object) -> None:
    await socket.event("phone_notification_dismissed", notificationId=number, **more)


async def enter(socket: CloudSocket, **changes: object) -> None:
    await socket.event("calendar_event", **{**REVIEW, **changes})


async def subscribed(link: Connected) -> list[str]:
    await wait_all_tasks_blocked()
    subscriptions: list[str] = link.socket.unread()[-1]["subscriptions"]
    return [name for name in subscriptions if name != "augmentos:*"]


async def undecodable(link: Connected) -> int:
    await wait_all_tasks_blocked()
    return link.session.statistics().undecodable


# Notifications


async def test_a_notification_in_all_its_fields(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.notifications.stream() as stream:
        assert await subscribed(link) == ["phone_notification"]
        await notify(link.socket)
        seen = await anext(stream)

        assert seen == Notification(
            notification_id="msg-4711",
            app="Messages",
            title="Bob",
            content="Running five minutes late",
            priority=Priority.HIGH,
            package_name="com.google.android.apps.messaging",
            posted_at=POSTED,
            received_at=seen.received_at,
        )


async def test_a_notification_of_an_id_alone(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.notifications.stream() as stream:
        await link.socket.event("phone_notification", notification_id="a", app=None, priority=None)
        seen = await anext(stream)

        assert seen == Notification(notification_id="a", received_at=seen.received_at)


async def test_another_priority_is_unknown(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.notifications.stream() as stream:
        await notify(link.socket, priority="urgent")

        assert (await anext(stream)).priority is Priority.UNKNOWN


@pytest.mark.parametrize("number", [None, 9, [], ""])
async def test_a_notification_without_an_id_is_none(autojump_clock: MockClock, number: object) -> None:
    async with connected() as link, link.session.phone.notifications.stream():
        await notify(link.socket, notificationId=number)

        assert await undecodable(link) == (number != "")


async def test_what_is_private_is_not_in_the_repr(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.phone.notifications.stream() as notifications,
        link.session.phone.dismissals.stream() as dismissals,
        link.session.phone.calendar.stream() as calendar,
    ):
        await notify(link.socket)
        await dismiss(link.socket)
        await enter(link.socket)
        spelled = repr((await anext(notifications), await anext(dismissals), await anext(calendar)))

        assert not any(secret in spelled for secret in ("Bob", "late", "review"))


async def test_a_loop_that_reads_no_notifications_is_told(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.notifications.stream() as stream:
        for number in range(257):
            await notify(link.socket, notificationId=str(number))
        await wait_all_tasks_blocked()
        for number in range(256):
            assert (await anext(stream)).notification_id == str(number)
        with pytest.raises(SlowConsumerError, match="notifications"):
            await anext(stream)


async def test_the_streams_end_with_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.notifications.stream() as stream:
        await notify(link.socket)
        await wait_all_tasks_blocked()
        await link.session.end()

        assert [seen.title async for seen in stream] == ["Bob"]


# Dismissals


async def test_a_dismissal_tells_what_has_gone(autojump_clock: MockClock) -> None:
    """P2 7.5, P3: the wire has its id and nothing else."""
    async with (
        connected() as link,
        link.session.phone.notifications.stream(),
        link.session.phone.dismissals.stream() as stream,
    ):
        assert await subscribed(link) == ["phone_notification", "phone_notification_dismissed"]
        await notify(link.socket)
        await dismiss(link.socket, notificationKey="0|com.whatsapp|12", timestamp=1781428353000)
        gone = await anext(stream)

        assert gone == Dismissal(
            notification_id="msg-4711",
            app="Messages",
            title="Bob",
            content="Running five minutes late",
            notification_key="0|com.whatsapp|12",
            package_name="com.google.android.apps.messaging",
            dismissed_at=POSTED,
            received_at=gone.received_at,
        )


async def test_a_dismissal_of_what_was_never_seen_has_an_id(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.dismissals.stream() as stream:
        await notify(link.socket)  # nobody listens
        await dismiss(link.socket, notification_key="k", packageName="com.whatsapp")
        gone = await anext(stream)

        assert gone == Dismissal(
            notification_id="msg-4711",
            notification_key="k",
            package_name="com.whatsapp",
            received_at=gone.received_at,
        )


async def test_what_a_phone_tells_of_a_dismissal_wins(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.phone.notifications.stream(),
        link.session.phone.dismissals.stream() as stream,
    ):
        await notify(link.socket)
        await dismiss(link.socket, title="Bobby", app="Mail")
        gone = await anext(stream)

        assert (gone.app, gone.title, gone.content) == ("Mail", "Bobby", "Running five minutes late")


async def test_what_has_gone_is_forgotten(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.phone.notifications.stream(),
        link.session.phone.dismissals.stream() as stream,
    ):
        await notify(link.socket)
        await dismiss(link.socket)
        await dismiss(link.socket)

        assert [(await anext(stream)).title, (await anext(stream)).title] == ["Bob", ""]


async def test_the_newest_of_a_notification_counts(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.phone.notifications.stream(),
        link.session.phone.dismissals.stream() as stream,
    ):
        await notify(link.socket)
        await notify(link.socket, content="Ten minutes late")
        await dismiss(link.socket)

        assert (await anext(stream)).content == "Ten minutes late"


async def test_only_so_many_notifications_are_remembered(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.phone.notifications.stream() as seen,
        link.session.phone.dismissals.stream() as stream,
    ):
        for number in range(257):
            await notify(link.socket, notificationId=str(number))
            await anext(seen)
        await dismiss(link.socket, "0")
        await dismiss(link.socket, "1")

        assert [(await anext(stream)).title, (await anext(stream)).title] == ["", "Bob"]


async def test_notifications_are_remembered_over_a_lost_link(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.phone.notifications.stream() as seen,
        link.session.phone.dismissals.stream() as stream,
    ):
        await notify(link.socket)
        await anext(seen)
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.handshake()
        await dismiss(socket)

        assert (await anext(stream)).title == "Bob"


# The calendar


async def read_entry(stream: EventStream[CalendarEvent], link: Connected, **changes: object) -> CalendarEvent:
    await enter(link.socket, **changes)
    return await anext(stream)


async def test_an_entry_has_the_times_of_its_zone(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.calendar.stream() as stream:
        assert await subscribed(link) == ["calendar_event"]
        entry = await read_entry(stream, link)

        assert entry == CalendarEvent(
            event_id="evt-881",
            title="Design review",
            start=datetime(2026, 6, 14, 12, tzinfo=ZoneInfo("Europe/Berlin")),
            end=datetime(2026, 6, 14, 12, 30, tzinfo=ZoneInfo("Europe/Berlin")),
            time_zone="Europe/Berlin",
            told_at=POSTED,
            received_at=entry.received_at,
        )
        assert entry.start.isoformat() == "2026-06-14T12:00:00+02:00"


@pytest.mark.parametrize("zone", ["", "Mars/Base", None, 5])
async def test_an_entry_without_a_zone_is_in_utc(autojump_clock: MockClock, zone: object) -> None:
    async with connected() as link, link.session.phone.calendar.stream() as stream:
        entry = await read_entry(stream, link, timezone=zone)

        assert entry.start.isoformat() == "2026-06-14T10:00:00+00:00"
        assert entry.time_zone == ("Mars/Base" if zone == "Mars/Base" else None)


async def test_an_entry_without_an_end_ends_as_it_begins(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.calendar.stream() as stream:
        entry = await read_entry(stream, link, dtEnd=None)

        assert entry.end - entry.start == timedelta(0)


async def test_whole_days(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.calendar.stream() as stream:
        assert (await read_entry(stream, link, allDay=True)).is_all_day
        assert not (await read_entry(stream, link)).is_all_day


@pytest.mark.parametrize(
    "changes", [{"eventId": None}, {"title": 5}, {"dtStart": "soon"}, {"dtStart": None}, {"title": None}]
)
async def test_what_is_no_entry_is_counted_and_dropped(autojump_clock: MockClock, changes: dict[str, object]) -> None:
    async with connected() as link, link.session.phone.calendar.stream():
        await enter(link.socket, **changes)

        assert await undecodable(link) == 1


async def test_an_unread_entry_is_replaced_by_what_became_of_it(autojump_clock: MockClock) -> None:
    """P2 7.5: each entry is told again and again, and those of a series share an id."""
    tomorrow = "2026-06-15T10:00:00.000Z"
    async with connected() as link, link.session.phone.calendar.stream() as stream:
        await enter(link.socket)
        await enter(link.socket, dtStart=tomorrow, dtEnd=tomorrow)
        await enter(link.socket, title="Design review, moved upstairs")
        await wait_all_tasks_blocked()

        first, second = await anext(stream), await anext(stream)
        assert (first.title, second.title) == ("Design review, moved upstairs", "Design review")
        assert stream.statistics().coalesced == 1


# The battery


async def test_the_battery_of_the_phone(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.phone.battery.stream() as stream:
        assert await subscribed(link) == ["phone_battery_update"]
        await link.socket.event("phone_battery_update", level=50, charging=False)
        await link.socket.event("phone_battery_update", level=49, charging=True, timeRemaining=140)
        await wait_all_tasks_blocked()
        seen = await anext(stream)

        assert seen == BatteryReport(level=49, is_charging=True, time_remaining=8400.0, received_at=seen.received_at)


@pytest.mark.parametrize("level", [-1, -7, 101, 400])
async def test_an_unknown_level_is_none(autojump_clock: MockClock, level: int) -> None:
    async with connected() as link, link.session.phone.battery.stream() as stream:
        await link.socket.event("phone_battery_update", level=level, charging="yes")
        seen = await anext(stream)

        assert seen == BatteryReport(received_at=seen.received_at)
        assert link.session.statistics().faulty_fields == 1


# Permissions


@pytest.mark.parametrize(
    ("name", "permission"),
    [("notifications", "READ_NOTIFICATIONS"), ("dismissals", "READ_NOTIFICATIONS"), ("calendar", "CALENDAR")],
)
async def test_what_is_private_needs_a_permission(autojump_clock: MockClock, name: str, permission: str) -> None:
    sources: dict[str, Callable[[MentraSession], EventStream[object]]] = {
        "notifications": lambda session: session.phone.notifications.stream(),
        "dismissals": lambda session: session.phone.dismissals.stream(),
        "calendar": lambda session: session.phone.calendar.stream(),
    }
    async with open_world(permissions=["CAMERA"]) as world:
        with pytest.raises(PermissionDeniedError) as caught:
            async with sources[name](world.session):
                pass
        assert caught.value.permission == permission
    async with open_world(permissions=[permission]) as world, sources[name](world.session):
        pass


async def test_the_battery_needs_none(autojump_clock: MockClock) -> None:
    async with open_world(permissions=[]) as world, world.session.phone.battery.stream():
        pass
