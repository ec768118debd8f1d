"""Where the wearer is, and who asks (P2 8)."""

from datetime import timedelta

import pytest
import trio
from trio.testing import MockClock

from mentra_trio.simulator import Mode

from .apps import ALPHA, BETA, Json, Socket, World, settle, world

HIGH = {"stream": "location_stream", "rate": "high"}
PLACE: Json = {"type": "location_update", "lat": 52.5, "lng": 13.25, "accuracy": 8}


async def poll(
    socket: Socket, number: object = "poll-1", *, accuracy: object = "high", package_name: str = ALPHA
) -> None:
    await socket.send("location_poll_request", packageName=package_name, correlationId=number, accuracy=accuracy)
    await settle()


def positions(socket: Socket) -> list[Json]:
    return [data for name, data in socket.streams() if name == "location_update"]


def tiers(here: World) -> list[object]:
    return [fields["tier"] for _, fields in here.phone("set_location_tier")]


def questions(here: World) -> list[tuple[object, object]]:
    return [(fields["accuracy"], fields["correlationId"]) for _, fields in here.phone("request_single_location")]


async def test_p2_8_2_the_highest_rate_of_all_apps_wins_and_falls_back(autojump_clock: MockClock) -> None:
    async with world() as here:
        alpha, beta = await here.start(), await here.start(BETA)
        await alpha.subscribe({"stream": "location_stream", "rate": "kilometer"})
        await beta.subscribe(HIGH, package_name=BETA)
        await beta.subscribe("button_press", package_name=BETA)
        await alpha.subscribe("location_stream")

        assert tiers(here) == ["kilometer", "high", "kilometer", "reduced"]


async def test_p2_8_2_a_list_of_which_nothing_is_left_tells_no_tier(autojump_clock: MockClock) -> None:
    async with world(permissions=()) as here:
        socket = await here.start()
        await socket.subscribe("calendar_event")
        assert tiers(here) == []
        await socket.subscribe("button_press")
        assert tiers(here) == ["reduced"]


async def test_p2_8_3_altitude_and_time_do_not_come_through(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("location_update")
        here.user.phone_message({**PLACE, "altitude": 35, "speed": 1, "timestamp": "2020-01-01T00:00:00Z"})
        await settle()

        assert positions(socket) == [{**PLACE, "timestamp": "2026-06-27T10:00:00.000Z"}]


@pytest.mark.parametrize(
    ("body", "status", "count"),
    [
        ({"location": {"lat": 1, "lng": 2}}, 200, 1),
        ({"coords": {"latitude": 1, "longitude": 2, "accuracy": 3}, "timestamp": 1782554401000}, 200, 1),
        ({"coords": {"latitude": None, "longitude": 2}}, 200, 0),
        ({"location": {"lat": "x"}}, 200, 0),
        ({}, 400, 0),
    ],
)
async def test_p2_1_7_positions_over_rest(autojump_clock: MockClock, body: Json, status: int, count: int) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("location_update")

        assert here.user.phone_post("/api/client/location", body) == status
        await settle()
        assert len(positions(socket)) == count


async def test_p2_8_4_the_last_position_is_replayed_once_to_who_wants_a_rate(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.move_to(52.5, 13.25)
        await socket.subscribe("location_stream")
        assert positions(socket) == []
        await socket.subscribe(HIGH)
        await socket.subscribe("button_press")
        await socket.subscribe(HIGH)

        assert [data["lat"] for data in positions(socket)] == [52.5]


async def test_p2_8_4_a_young_position_answers_at_once(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.phone_message(PLACE)
        await trio.sleep(9)
        await poll(socket)
        await poll(socket, "poll-2", accuracy="realtime")

        assert positions(socket) == [{**PLACE, "timestamp": "2026-06-27T10:00:09.000Z", "correlationId": "poll-1"}]
        assert questions(here) == [("realtime", "poll-2")]


@pytest.mark.parametrize(("timestamp", "is_young"), [("2026-06-27T09:59:55Z", True), ("2026-06-27T09:59:45Z", False)])
async def test_p2_8_4_the_phones_own_time_decides_the_age(
    autojump_clock: MockClock, timestamp: str, is_young: bool
) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.phone_message({**PLACE, "timestamp": timestamp})
        await poll(socket)

        assert bool(positions(socket)) is is_young


@pytest.mark.parametrize("timestamp", ["yesterday", "2026-06-27T09:00:00", None, [1]])
async def test_a_time_that_is_none_is_now(autojump_clock: MockClock, timestamp: object) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.phone_message({**PLACE, "timestamp": timestamp})
        await poll(socket)

        assert len(positions(socket)) == 1


async def test_p2_8_4_the_phone_answers_the_app_that_asked_alone(autojump_clock: MockClock) -> None:
    async with world() as here:
        alpha, beta = await here.start(), await here.start(BETA)
        await beta.subscribe("location_update", package_name=BETA)
        await poll(alpha)
        here.user.phone_message({**PLACE, "correlationId": "poll-1"})
        await settle()

        assert [data["correlationId"] for data in positions(alpha)] == ["poll-1"]
        assert positions(beta) == []
        # It is not kept either: the next one is asked for again.
        await poll(alpha, "poll-2")
        assert len(questions(here)) == 2


async def test_p2_8_4_an_answer_over_rest(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await poll(socket)
        path = "/api/client/location/poll-response/poll-1"

        assert here.user.phone_post(path, {"location": {"lat": 1, "lng": 2}}) == 200
        await settle()
        assert [data["correlationId"] for data in positions(socket)] == ["poll-1"]


async def test_p2_8_4_an_answer_that_nobody_waits_for_is_a_position(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("location_update")
        here.user.phone_message({**PLACE, "correlationId": "poll-9"})
        await settle()

        assert [data.get("correlationId") for data in positions(socket)] == [None]


async def test_p2_8_4_a_phone_that_knows_no_place_never_answers(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await poll(socket)
        await trio.sleep(100)

        assert positions(socket) == []


async def test_a_phone_that_knows_its_place_answers(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.move_to(52.5, 13.25, accuracy=8)
        await trio.sleep(60)
        begin = trio.current_time()
        await poll(socket)
        await trio.sleep(1)

        ((at, message),) = [(at, each) for at, each in socket.got if isinstance(each, dict) and "streamType" in each]
        assert at - begin == 0.5
        data = message["data"]
        assert isinstance(data, dict)
        assert (data["lat"], data["accuracy"], data["correlationId"]) == (52.5, 8, "poll-1")


async def test_a_phone_that_is_played_by_hand_does_not_answer(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.user.acts_by_itself = False
        socket = await here.start()
        here.user.move_to(52.5, 13.25)
        await trio.sleep(60)
        await poll(socket)
        await trio.sleep(10)

        assert positions(socket) == []


async def test_p2_8_2_an_unknown_accuracy_takes_any_position_of_a_quarter_of_an_hour(
    autojump_clock: MockClock,
) -> None:
    async with world() as here:
        here.cloud.mode = Mode.STRICT
        socket = await here.start()
        here.user.phone_message(PLACE)
        await trio.sleep(timedelta(minutes=15).total_seconds())
        await poll(socket, accuracy="exact")
        await trio.sleep(1)
        await poll(socket, "poll-2", accuracy="exact")

        assert len(positions(socket)) == 1
        assert [violation.rule for violation in here.cloud.violations] == ["P2 8.2", "P2 8.2"]
        here.cloud.mode = Mode.FAITHFUL


async def test_p2_9_3_nobody_asks_for_a_permission(autojump_clock: MockClock) -> None:
    async with world(permissions=()) as here:
        socket = await here.start()
        await socket.subscribe(HIGH)
        here.user.move_to(52.5, 13.25)
        await poll(socket)

        assert len(positions(socket)) == 2


@pytest.mark.parametrize("is_known", [True, False])
async def test_p2_8_4_an_app_that_is_not_there_gets_no_answer(autojump_clock: MockClock, is_known: bool) -> None:
    """The package in the message counts. Whoever sent it gets nothing either."""
    async with world() as here:
        socket = await here.start()
        if is_known:
            here.user.phone_message(PLACE)
        await poll(socket, package_name="com.example.nobody")
        if not is_known:
            here.user.phone_message({**PLACE, "correlationId": "poll-1"})
        await settle()

        assert positions(socket) == []


async def test_p2_8_4_a_poll_without_an_id_is_answered_by_a_position_for_all(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("location_update")
        await poll(socket, None)
        assert questions(here) == [("high", None)]
        here.user.phone_message(PLACE)
        await settle()

        assert len(positions(socket)) == 1
