"""Where the wearer is: the most demanding stream wins, and polls find their answers (P2 8)."""

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import CloudRefusedError, LinkDownError, RequestTimedOutError, SessionClosedError, SessionConfig
from mentra_trio.models import LocationAccuracy, LocationFix
from tests.scripted_cloud import CloudSocket, Connected, connected

from .worlds import open_world

BERLIN = {"type": "location_update", "lat": 52.5163, "lng": 13.3777, "accuracy": 8.5}
HIGH = LocationAccuracy.HIGH


async def told(link: Connected) -> list[object]:
    """The newest list of subscriptions; an empty one when there is none."""
    await wait_all_tasks_blocked()
    messages = link.socket.unread()
    subscriptions: list[object] = messages[-1]["subscriptions"] if messages else []
    return [name for name in subscriptions if name != "augmentos:*"]


def rate(accuracy: str) -> dict[str, str]:
    return {"stream": "location_stream", "rate": accuracy}


async def place(socket: CloudSocket, **changes: object) -> None:
    await socket.event("location_update", **{**BERLIN, **changes})


class Asker:
    """Asks in the background and notes what comes of it."""

    def __init__(self, link: Connected, nursery: trio.Nursery) -> None:
        self.outcomes: list[LocationFix | Exception] = []
        self.scope = trio.CancelScope()
        self._link = link
        self._nursery = nursery

    async def ask(self, accuracy: LocationAccuracy = LocationAccuracy.STANDARD) -> str:
        """Ask; give the id under which it was asked."""
        self._nursery.start_soon(self._run, accuracy)
        return str((await self._link.socket.expect("location_poll_request"))["correlationId"])

    def ask_soon(self) -> None:
        self._nursery.start_soon(self._run, LocationAccuracy.STANDARD)

    async def _run(self, accuracy: LocationAccuracy) -> None:
        with self.scope:
            try:
                self.outcomes.append(await self._link.session.location.locate(accuracy))
            except (RequestTimedOutError, SessionClosedError, CloudRefusedError, LinkDownError) as error:
                self.outcomes.append(error)

    async def only(self) -> LocationFix:
        await wait_all_tasks_blocked()
        (outcome,) = self.outcomes
        assert isinstance(outcome, LocationFix)
        return outcome


# Streams


@pytest.mark.parametrize("accuracy", LocationAccuracy)
async def test_a_stream_asks_with_the_object_that_raises_the_tier(
    autojump_clock: MockClock, accuracy: LocationAccuracy
) -> None:
    """P2 8.5, O1: the plain name leaves the phone as it is."""
    async with connected() as link, link.session.location.stream(accuracy):
        assert await told(link) == [rate(accuracy.value)]


async def test_standard_is_what_nobody_chose(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.location.stream():
        assert await told(link) == [rate("standard")]


async def test_the_highest_wins_and_falls_back_when_it_leaves(autojump_clock: MockClock) -> None:
    location = LocationAccuracy
    async with connected() as link, link.session.location.stream(location.KILOMETER):
        assert await told(link) == [rate("kilometer")]
        async with link.session.location.stream(location.REALTIME):
            assert await told(link) == [rate("realtime")]
            async with link.session.location.stream(HIGH):
                assert await told(link) == []  # nothing has changed
        assert await told(link) == [rate("kilometer")]


async def test_a_raw_stream_beside_takes_no_accuracy_away(autojump_clock: MockClock) -> None:
    """P1 4.2: the plain string clears the rate."""
    async with connected() as link, link.session.raw.stream("location_stream"):
        assert await told(link) == ["location_stream"]
        async with link.session.location.stream(HIGH):
            assert await told(link) == [rate("high")]
        assert await told(link) == ["location_stream"]


async def test_the_accuracy_is_told_again_after_a_lost_link(autojump_clock: MockClock) -> None:
    """P1 4.2: the ack's echo has lost it."""
    async with connected() as link, link.session.location.stream(HIGH):
        await wait_all_tasks_blocked()
        await link.socket.cut()
        socket = await link.cloud.accept()

        assert (await socket.handshake(subscriptions=["location_stream", "augmentos:*"]))["subscriptions"] == [
            rate("high"),
            "augmentos:*",
        ]


async def test_a_position_in_all_its_fields(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.location.stream() as fixes:
        await place(link.socket, timestamp="2026-06-14T09:12:33.480Z")
        fix = await anext(fixes)

        assert (fix.lat, fix.lng, fix.accuracy) == (52.5163, 13.3777, 8.5)
        assert (fix.max_age, fix.correlation_id) == (None, None)
        assert fix.sent_at is not None
        assert fix.sent_at.isoformat() == "2026-06-14T09:12:33.480000+00:00"
        assert "52.5" not in repr(fix)


async def test_only_the_newest_unread_position_is_kept(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.location.stream() as fixes:
        for lat in (1, 2, 3):
            await place(link.socket, lat=lat)
        await wait_all_tasks_blocked()

        assert (await anext(fixes)).lat == 3
        assert fixes.statistics().coalesced == 2


async def test_the_other_name_of_the_stream_is_understood(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.location.stream() as fixes:
        await link.socket.event("location_stream", **BERLIN)

        assert (await anext(fixes)).lat == 52.5163


@pytest.mark.parametrize(
    "changes",
    [{"lat": None}, {"lng": None}, {"lat": "37.7"}, {"lat": 91}, {"lng": -181}, {"lat": True}, {"lat": [1]}],
)
async def test_what_is_no_place_is_counted_and_dropped(autojump_clock: MockClock, changes: dict[str, object]) -> None:
    """P2 8.5, O2: it is not zero degrees north."""
    async with connected() as link, link.session.location.stream() as fixes:
        await place(link.socket, **changes)
        await place(link.socket, lat=1)

        assert (await anext(fixes)).lat == 1
        assert link.session.statistics().undecodable == 1


async def test_an_accuracy_that_is_none_is_unknown(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.location.stream() as fixes:
        await place(link.socket, accuracy=-5)
        assert (await anext(fixes)).accuracy is None
        await place(link.socket, accuracy="12")
        assert (await anext(fixes)).accuracy is None


@pytest.mark.parametrize("accuracy", ["exact", "", None, 3])
async def test_what_is_no_accuracy_is_refused(autojump_clock: MockClock, accuracy: LocationAccuracy) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="there is no accuracy"):
            link.session.location.stream(accuracy)
        with pytest.raises(ValueError, match="there is no accuracy"):
            await link.session.location.locate(accuracy)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_the_wires_own_word_is_an_accuracy(autojump_clock: MockClock) -> None:
    async with connected() as link:
        accuracy: LocationAccuracy = "high"  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        async with link.session.location.stream(accuracy):
            assert await told(link) == [rate("high")]


# The last position


async def test_there_is_no_position_before_the_first(autojump_clock: MockClock) -> None:
    async with connected() as link:
        assert link.session.location.last.value is None


async def test_the_last_position_is_kept_wherever_it_came_from(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        last = link.session.location.last
        asker = Asker(link, nursery)
        await place(link.socket, correlationId=await asker.ask())
        polled = await last.wait_for(lambda fix: fix is not None)
        assert polled is not None
        assert polled.lat == 52.5163
        async with link.session.location.stream():
            await place(link.socket, lat=1)
            await last.wait_for(lambda fix: fix is not None and fix.lat == 1)
        await link.session.end()

        assert last.value is not None
        assert last.value.lat == 1


# Polls


async def test_a_poll_and_its_answer(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        asker = Asker(link, nursery)
        asker.ask_soon()
        message = await link.socket.expect("location_poll_request")
        number = message["correlationId"]
        assert {name: message[name] for name in message if name != "correlationId"} == {
            "type": "location_poll_request",
            "packageName": "com.example.app",
            "sessionId": link.session.session_id,
            "accuracy": "standard",
        }
        await place(link.socket, correlationId=number, timestamp="2026-06-14T09:12:33.480Z")
        fix = await asker.only()

        assert (fix.lat, fix.lng, fix.accuracy, fix.correlation_id) == (52.5163, 13.3777, 8.5, number)
        assert fix.sent_at is not None
        assert link.session.statistics().unclaimed_events == 0


@pytest.mark.parametrize(
    ("accuracy", "seconds"), [(LocationAccuracy.REALTIME, 1), (HIGH, 10), (LocationAccuracy.REDUCED, 900)]
)
async def test_an_answer_is_as_old_as_the_cloud_allows(
    autojump_clock: MockClock, accuracy: LocationAccuracy, seconds: float
) -> None:
    """P2 8.2: a young enough position is given at once, and looks fresh."""
    async with connected() as link, trio.open_nursery() as nursery:
        asker = Asker(link, nursery)
        await place(link.socket, correlationId=await asker.ask(accuracy))

        assert (await asker.only()).max_age == seconds


async def test_the_last_position_knows_its_age_as_the_answer_does(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        last = link.session.location.last
        asker = Asker(link, nursery)
        number = await asker.ask(HIGH)
        await place(link.socket, correlationId=number)
        assert (await asker.only()).max_age == 10
        assert last.value is not None
        assert (last.value.correlation_id, last.value.max_age) == (number, 10)
        await place(link.socket, lat=1)
        await last.wait_for(lambda fix: fix is not None and fix.lat == 1)
        assert last.value.max_age is None
        await place(link.socket, correlationId=await Asker(link, nursery).ask())
        await wait_all_tasks_blocked()
        await link.session.end()

        assert last.value.max_age == 30


async def test_an_answer_reaches_streams_too(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.location.stream() as fixes, trio.open_nursery() as nursery:
        await told(link)
        asker = Asker(link, nursery)
        number = await asker.ask()
        await place(link.socket, correlationId=number)

        assert (await anext(fixes)).correlation_id == number
        await asker.only()


async def test_answers_find_their_polls_in_any_order(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        first, second = Asker(link, nursery), Asker(link, nursery)
        one, other = await first.ask(), await second.ask()
        await place(link.socket, correlationId=other, lat=2)
        await place(link.socket, correlationId=one, lat=1)

        assert ((await first.only()).lat, (await second.only()).lat) == (1, 2)


@pytest.mark.parametrize(
    "changes",
    [{}, {"correlationId": None}, {"correlationId": "poll_other"}, {"correlationId": 5}],
    ids=["without", "null", "somebody else's", "a number"],
)
async def test_positions_of_others_are_no_answer(autojump_clock: MockClock, changes: dict[str, object]) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        asker = Asker(link, nursery)
        number = await asker.ask()
        await place(link.socket, **changes)
        await wait_all_tasks_blocked()
        assert asker.outcomes == []
        await place(link.socket, correlationId=number, lat=1)

        assert (await asker.only()).lat == 1


@pytest.mark.parametrize("changes", [{"lat": None}, {"lng": "east"}, {"lat": 91}, {"lat": float("nan")}])
async def test_an_answer_without_a_place_is_none(autojump_clock: MockClock, changes: dict[str, object]) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        asker = Asker(link, nursery)
        number = await asker.ask()
        await place(link.socket, correlationId=number, **changes)
        await wait_all_tasks_blocked()
        assert asker.outcomes == []
        await place(link.socket, correlationId=number, accuracy=-1, timestamp="yesterday")
        fix = await asker.only()

        assert (fix.lat, fix.accuracy, fix.sent_at) == (52.5163, None, None)


@pytest.mark.parametrize("data", [None, "x", 3, []])
async def test_an_answer_without_an_object_is_none(autojump_clock: MockClock, data: object) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        asker = Asker(link, nursery)
        await asker.ask()
        await link.socket.send("data_stream", streamType="location_update", data=data)
        await wait_all_tasks_blocked()

        assert asker.outcomes == []
        asker.scope.cancel()


async def test_no_answer_within_15_seconds_is_a_timeout_and_a_late_one_is_ignored(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        asker = Asker(link, nursery)
        number = await asker.ask()
        await trio.sleep(14.999)
        assert asker.outcomes == []
        await trio.sleep(0.002)
        (outcome,) = asker.outcomes
        assert isinstance(outcome, RequestTimedOutError)
        assert outcome.seconds == 15
        await place(link.socket, correlationId=number)
        await wait_all_tasks_blocked()

        assert asker.outcomes == [outcome]
        assert link.session.statistics().unclaimed_events == 1


async def test_a_poll_while_the_link_is_down_waits_for_it(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        await link.socket.cut()
        asker = Asker(link, nursery)
        asker.ask_soon()
        socket = await link.cloud.accept()
        await socket.handshake()
        number = (await socket.expect("location_poll_request"))["correlationId"]
        await place(socket, correlationId=number)

        assert (await asker.only()).lat == 52.5163


async def test_a_poll_that_finds_no_room_fails(autojump_clock: MockClock) -> None:
    async with connected(config=SessionConfig(queue_capacity=1)) as link, trio.open_nursery() as nursery:
        link.cloud.is_unreachable = True
        await link.socket.cut()
        await wait_all_tasks_blocked()
        asker, other = Asker(link, nursery), Asker(link, nursery)
        asker.ask_soon()
        await wait_all_tasks_blocked()
        other.ask_soon()
        await wait_all_tasks_blocked()

        assert [type(outcome) for outcome in other.outcomes] == [LinkDownError]
        asker.scope.cancel()


async def test_a_cancelled_poll_is_forgotten(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        asker = Asker(link, nursery)
        number = await asker.ask()
        asker.scope.cancel()
        await wait_all_tasks_blocked()
        await place(link.socket, correlationId=number)
        await wait_all_tasks_blocked()

        assert asker.outcomes == []
        assert link.session.statistics().unclaimed_events == 1


async def test_the_permission_is_missed_with_a_warning_alone(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """P2 9.3: the cloud lets streams and polls pass."""
    async with open_world(permissions=[]) as world:
        world.user.move_to(52.5163, 13.3777)
        async with world.session.location.stream() as fixes:
            assert (await anext(fixes)).lat == 52.5163
        assert (await world.session.location.locate()).lat == 52.5163

    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "LOCATION" in warned[0]
