"""The wearer's time of day (P2 10)."""

from datetime import UTC, date, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import SessionClosedError
from tests.scripted_cloud import Connected, connected

SUMMER = datetime(2026, 7, 1, 20, 0, tzinfo=UTC)


async def update(link: Connected, **settings: object) -> None:
    await link.socket.send("augmentos_settings_update", settings=settings)
    await wait_all_tasks_blocked()


@pytest.mark.parametrize("name", ["userTimezone", "timezone"])
async def test_the_zone_of_the_ack_is_there_from_the_beginning(autojump_clock: MockClock, name: str) -> None:
    """P2 10.2, C1: the reference reads a name that the cloud does not send."""
    async with connected(mentraosSettings={name: "Europe/Berlin"}) as link:
        assert link.session.time.zone.value == ZoneInfo("Europe/Berlin")


async def test_the_clouds_name_wins(autojump_clock: MockClock) -> None:
    async with connected(mentraosSettings={"userTimezone": "Asia/Tokyo", "timezone": "Europe/Berlin"}) as link:
        assert link.session.time.zone.value == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize("told", ["", "Mars/Base", None])
async def test_the_other_name_helps_where_the_clouds_name_is_no_zone(autojump_clock: MockClock, told: object) -> None:
    """P2 10.2, C1."""
    async with connected(mentraosSettings={"userTimezone": told, "timezone": "Europe/Paris"}) as link:
        assert link.session.time.zone.value == ZoneInfo("Europe/Paris")
        assert link.session.settings.system.value.user_timezone == "Europe/Paris"
        await update(link, userTimezone="Asia/Tokyo", timezone="Mars/Base")
        assert link.session.time.zone.value == ZoneInfo("Asia/Tokyo")
        await update(link, userTimezone="Mars/Base", timezone="Mars/Other")

        assert link.session.time.zone.value == ZoneInfo("Asia/Tokyo")
        assert link.session.statistics().faulty_fields == 1


async def test_the_zone_follows_the_wearer(autojump_clock: MockClock) -> None:
    """P2 10.2, C2: the reference never asks for updates."""
    async with connected(mentraosSettings={"userTimezone": "Europe/Berlin"}) as link:
        changes = link.session.time.zone.changes()
        await update(link, userTimezone="Asia/Tokyo")

        assert await anext(changes) == ZoneInfo("Asia/Tokyo")


async def test_a_setting_that_is_not_the_zone_is_no_news_of_it(autojump_clock: MockClock) -> None:
    async with connected(mentraosSettings={"userTimezone": "Europe/Berlin"}) as link:
        changes = link.session.time.zone.changes()
        await update(link, userTimezone="Europe/Berlin", brightness=80)
        with trio.move_on_after(1) as patience:
            await anext(changes)

        assert patience.cancelled_caught


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe", "+02:00", "../../etc/passwd", "a\0b", "\ud800", "x" * 5000])
async def test_what_is_no_zone_leaves_the_one_before(autojump_clock: MockClock, zone: str) -> None:
    async with connected(mentraosSettings={"userTimezone": "Europe/Berlin"}) as link:
        await update(link, userTimezone=zone)

        assert link.session.time.zone.value == ZoneInfo("Europe/Berlin")
        assert link.session.statistics().faulty_fields == 1


@pytest.mark.parametrize("zone", [None, ""])
async def test_no_zone_leaves_the_one_before(autojump_clock: MockClock, zone: object) -> None:
    """P2 10.2, C3."""
    async with connected(mentraosSettings={"userTimezone": "Europe/Berlin"}) as link:
        await update(link, userTimezone=zone)

        assert link.session.time.zone.value == ZoneInfo("Europe/Berlin")
        assert link.session.statistics().faulty_fields == 0


async def test_a_zone_that_nobody_told_is_none_and_counts_as_utc(autojump_clock: MockClock) -> None:
    async with connected() as link:
        time = link.session.time

        assert time.zone.value is None
        assert time.now().tzinfo is UTC
        assert time.to_local(SUMMER).isoformat() == "2026-07-01T20:00:00+00:00"


async def test_the_first_zone_can_be_waited_for(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.send("augmentos_settings_update", settings={"userTimezone": "Europe/Berlin"})

        assert await link.session.time.zone.wait_for(lambda zone: zone is not None) == ZoneInfo("Europe/Berlin")


async def test_waiting_for_a_zone_ends_with_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.session.end()
        with pytest.raises(SessionClosedError):
            await link.session.time.zone.wait_for(lambda zone: zone is not None)


async def test_now_is_the_wearers_now(autojump_clock: MockClock) -> None:
    async with connected(mentraosSettings={"userTimezone": "Asia/Kolkata"}) as link:
        now = link.session.time.now()

        assert now.utcoffset() == timedelta(hours=5, minutes=30)
        assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("zone", "moment", "clock"),
    [
        ("Europe/Berlin", SUMMER, "2026-07-01T22:00:00+02:00"),
        ("America/New_York", datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC), "2026-03-08T01:59:59-05:00"),
        ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC), "2026-03-08T03:00:00-04:00"),
        ("Australia/Lord_Howe", datetime(2026, 1, 15, 5, tzinfo=UTC), "2026-01-15T16:00:00+11:00"),
    ],
)
async def test_a_moment_is_what_the_wearers_clock_shows(
    autojump_clock: MockClock, zone: str, moment: datetime, clock: str
) -> None:
    async with connected(mentraosSettings={"userTimezone": zone}) as link:
        local = link.session.time.to_local(moment)

        assert (local.isoformat(), local) == (clock, moment)


async def test_a_moment_without_a_zone_is_refused(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="has no time zone"):
            link.session.time.to_local(datetime(2026, 7, 1))  # noqa: DTZ001 - the mistake


@pytest.mark.parametrize("moment", [1_781_428_353.0, "2026-07-01T20:00:00Z", date(2026, 7, 1), None])
async def test_what_is_no_moment_is_refused(autojump_clock: MockClock, moment: object) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match="pass an aware datetime"):
            link.session.time.to_local(cast("datetime", moment))
