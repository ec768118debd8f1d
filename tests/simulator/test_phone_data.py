"""Notifications and the calendar (P2 7)."""

from datetime import UTC, datetime, timedelta

import pytest
from trio.testing import MockClock

from .apps import ALPHA, BETA, Json, Socket, settle, world

NOTIFICATION: Json = {"notificationId": "n1", "app": "Mail", "title": "Hi", "content": "Body"}
TOMORROW = datetime(2026, 6, 28, 8, tzinfo=UTC)


def events(socket: Socket, stream: str = "calendar_event") -> list[Json]:
    return [data for name, data in socket.streams() if name == stream]


async def test_p2_7_2_a_notification_reaches_who_asked_for_them(autojump_clock: MockClock) -> None:
    async with world() as here:
        alpha, beta = await here.start(), await here.start(BETA)
        await alpha.subscribe("phone_notification")
        assert here.user.phone_post("/api/client/notifications", NOTIFICATION) == 200
        await settle()

        assert events(alpha, "phone_notification") == [
            {"type": "phone_notification", **NOTIFICATION, "priority": "normal", "timestamp": 1782554400000}
        ]
        assert events(beta, "phone_notification") == []


@pytest.mark.parametrize("name", ["notificationId", "app", "title", "content"])
async def test_p2_7_2_what_is_empty_is_missing(autojump_clock: MockClock, name: str) -> None:
    async with world() as here:
        assert here.user.phone_post("/api/client/notifications", {**NOTIFICATION, name: ""}) == 400
        with pytest.raises(ValueError, match="400"):
            here.user.notify("Mail", "", "Body")


async def test_p2_7_3_a_dismissal_tells_an_id(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("phone_notification_dismissed")
        here.user.dismiss(here.user.notify("Mail", "Hi", "Body", package_name="com.mail"), key="k1")
        await settle()

        assert events(socket, "phone_notification_dismissed") == [
            {
                "type": "phone_notification_dismissed",
                "notificationId": "notification-1",
                "notificationKey": "k1",
                "packageName": "com.example.phone",
                "timestamp": 1782554400000,
            }
        ]
        assert here.user.phone_post("/api/client/notifications/dismissed", {"notificationId": "n1"}) == 400


@pytest.mark.parametrize("stream", ["phone_notification", "calendar_event"])
async def test_p2_9_1_without_the_permission_nothing_comes(autojump_clock: MockClock, stream: str) -> None:
    async with world(permissions=["MICROPHONE"]) as here:
        socket = await here.start()
        await socket.subscribe(stream)
        here.user.notify("Mail", "Hi", "Body")
        here.user.add_event("Standup", TOMORROW)
        await settle()

        assert socket.streams() == []


async def test_p2_7_4_an_entry_is_spelled_in_utc(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("calendar_event")
        here.user.phone_message(
            {"type": "calendar_event", "eventId": 2, "title": "No end", "dtStart": "2026-06-28T10:00:00+02:00", "x": 1}
        )
        here.user.add_event("Holiday", TOMORROW, time_zone="Europe/Paris", all_day=True)
        await settle()

        usual = {"type": "calendar_event", "timeStamp": "2026-06-27T10:00:00.000Z"}
        times = {"dtStart": "2026-06-28T08:00:00.000Z", "dtEnd": "2026-06-28T08:00:00.000Z"}
        assert events(socket) == [
            {**usual, **times, "eventId": "2", "title": "No end", "timezone": ""},
            {**usual, **times, "eventId": "event-1", "title": "Holiday", "timezone": "Europe/Paris", "allDay": True},
        ]


@pytest.mark.parametrize("start", ["soon", [1], 1e30])
async def test_p2_7_4_a_begin_that_is_none_is_now(autojump_clock: MockClock, start: object) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("calendar_event")
        here.user.phone_message({"type": "calendar_event", "eventId": "e", "title": "T", "dtStart": start})
        await settle()

        assert events(socket)[0]["dtStart"] == "2026-06-27T10:00:00.000Z"


async def test_p2_7_4_entries_without_id_title_or_begin_are_dropped(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("calendar_event")
        entries = [{"title": "T", "startDate": 1}, {"id": "1", "startDate": 1}, {"id": "1", "title": "T"}, 5]

        assert here.user.phone_post("/api/client/calendar", {"events": entries}) == 200
        assert here.user.phone_post("/api/client/calendar", {}) == 400
        await settle()
        assert events(socket) == []


async def test_p2_7_5_the_calendar_is_replayed_once_soonest_first(autojump_clock: MockClock) -> None:
    async with world() as here:
        for title, days in (("late", 30), ("over", -2), ("soon", 1), ("long over", -9)):
            here.user.add_event(title, TOMORROW + timedelta(days=days))
        here.user.add_event("going on", TOMORROW - timedelta(days=3), TOMORROW)
        socket = await here.start()
        await socket.subscribe("calendar_event")
        await socket.subscribe("button_press")
        await socket.subscribe("calendar_event")

        assert [data["title"] for data in events(socket)] == ["going on", "soon", "late", "over", "long over"]


async def test_p2_7_5_an_app_that_was_stopped_gets_it_again(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.user.add_event("Standup", TOMORROW)
        socket = await here.start()
        await socket.subscribe("calendar_event")
        await here.user.stop(ALPHA)
        again = await here.start()
        await again.subscribe("calendar_event")

        assert (len(events(socket)), len(events(again))) == (1, 1)


async def test_p2_7_5_a_wildcard_gets_no_replay(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.user.add_event("Standup", TOMORROW)
        socket = await here.start()
        await socket.subscribe("*")

        assert events(socket) == []


async def test_p2_7_5_what_is_told_again_is_sent_again_and_kept_once(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        number = here.user.add_event("Standup", TOMORROW)
        await socket.subscribe("calendar_event")
        here.user.add_event("Standup, moved upstairs", TOMORROW, event_id=number)
        beta = await here.start(BETA)
        await beta.subscribe("calendar_event", package_name=BETA)

        assert [data["title"] for data in events(socket)] == ["Standup", "Standup, moved upstairs"]
        assert [data["title"] for data in events(beta)] == ["Standup, moved upstairs"]


async def test_p2_7_5_a_hundred_entries_are_kept(autojump_clock: MockClock) -> None:
    async with world() as here:
        for day in range(101):
            here.user.add_event(str(day), TOMORROW + timedelta(days=day))
        socket = await here.start()
        await socket.subscribe("calendar_event")

        assert [data["title"] for data in events(socket)] == [str(day) for day in range(100)]


async def test_p3_3_3_the_next_entry_and_notifications_are_on_the_dashboard(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        here.user.change_system_settings(timezone="Europe/Berlin")
        here.user.add_event("Standup", TOMORROW)
        here.user.notify("Mail", "Hi", "Body")
        await here.user.glasses.wait_changed()

        assert here.user.glasses.dashboard[1:] == ("Standup @ 10:00", "[Mail] Hi: Body")


async def test_without_a_phone_nobody_is_there_to_post(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        assert here.user.phone_post("/api/client/notifications", NOTIFICATION) == 503
        with pytest.raises(RuntimeError, match="not connected"):
            here.user.notify("Mail", "Hi", "Body")


async def test_a_post_to_nowhere_is_not_found(autojump_clock: MockClock) -> None:
    async with world() as here:
        assert here.user.phone_post("/api/client/weather", {}) == 404
