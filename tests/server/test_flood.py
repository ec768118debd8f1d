"""Webhooks prove nothing, so anybody may send any number of them (P1 1.5): what that costs, and whom."""

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import LinkState, SessionConfig
from tests.scripted_cloud import (
    HOST,
    USER,
    AppUnderTest,
    Call,
    CloudSocket,
    Json,
    open_app,
    open_cloud,
    session_request,
    stop_request,
)

PATIENCE = 6.0
"""Seconds that the cloud waits for an init (P1 1.3)."""


def strangers(app: AppUnderTest, number: int, begin: int = 0) -> list[Call]:
    """Ask for sessions that no cloud knows."""
    return [app.start_soon(f"stranger{begin + each}@example.com") for each in range(number)]


async def post_for_ever(app: AppUnderTest, body: Json) -> None:
    """Call the webhook twenty times a second, whatever it answers."""
    while True:
        app.post_soon(body)
        await trio.sleep(0.05)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def never_answers(socket: CloudSocket) -> None:
    """What a cloud does with those whom it does not know: it takes the socket and waits."""
    await trio.sleep_forever()


async def test_a_wearer_goes_before_a_crowd_that_was_there_first(autojump_clock: MockClock) -> None:
    """First come, first served would keep her waiting for longer than the cloud does."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.is_silent = True
        for number in range(100):  # fifty dial for 4 s, the others wait until these are done, one by one
            strangers(app, 1, begin=number)
            await trio.sleep(0.01)
        await trio.sleep(2)
        ana = app.start_soon("ana@example.com")
        await trio.sleep(0.5)
        cloud.is_silent = False
        socket = await cloud.accept()

        assert b"ana" in socket.headers["x-user-id"]
        await socket.handshake()
        await ana.answer()
        assert trio.current_time() <= 4 < PATIENCE


async def test_what_is_too_much_ends_the_oldest_starts_with_a_503(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest are those for whom the cloud still waits. It tries again after a second (P1 1.3)."""
    config = SessionConfig(start_capacity=3)
    async with open_cloud(never_answers) as cloud, open_app(cloud, config=config) as app:
        calls: list[Call] = []
        for number in range(5):
            calls += strangers(app, 1, begin=number)
            await wait_all_tasks_blocked()

        assert [call.is_answered for call in calls] == [True, True, False, False, False]
        answer = await calls[0].answer()
        assert (answer.status, answer.at) == (503, 0)
        assert answer.headers["retry-after"] == "1"
        assert cloud.sockets[0].closed_at is not None
        assert sum("starts at once" in text for text in warnings(caplog)) == 1


async def test_a_start_that_was_cut_short_may_be_tried_again(autojump_clock: MockClock) -> None:
    config = SessionConfig(start_capacity=1)
    async with open_cloud() as cloud, open_app(cloud, config=config) as app:
        first = app.start_soon("ana@example.com")
        await cloud.accept()
        strangers(app, 1)
        assert (await first.answer()).status == 503
        await trio.sleep(1)
        cloud.forget()

        await app.start("ana@example.com")


async def test_a_session_that_goes_on_is_not_ended_by_strangers(autojump_clock: MockClock) -> None:
    """A start of it that is cut short only goes without an answer of 200."""
    config = SessionConfig(start_capacity=1)
    async with open_cloud() as cloud, open_app(cloud, config=config) as app:
        await app.start("ana@example.com")
        again = app.start_soon("ana@example.com")
        socket = await cloud.accept()
        strangers(app, 1)
        assert (await again.answer()).status == 503
        await socket.handshake()

        assert socket.is_open
        assert len(app.sessions) == 1
        assert app.sessions[0].connections == 2


async def test_webhooks_that_name_foreign_hosts_are_summed_up_in_the_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        for number in range(100):
            assert (await app.post(session_request(host=f"evil{number}.example"))).status == 403
        assert len(warnings(caplog)) == 10
        assert "evil0.example" in warnings(caplog)[0]
        await trio.sleep(61)
        assert "90 more" in warnings(caplog)[10]
        assert "evil99.example" in warnings(caplog)[10]
        await trio.sleep(120)
        await app.post(session_request(host="evil.example"))
        await trio.sleep(120)

        assert len(warnings(caplog)) == 12
        assert "evil.example" in warnings(caplog)[11]


async def test_each_reason_is_told_that_webhooks_are_refused_for(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever sets an app up makes one mistake after another."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        for host in ("one.example", "two.example", "one.example", "one.example", "three.example"):
            await app.post(session_request(host=host))
        await trio.sleep(61)

        *told, summed = warnings(caplog)
        assert [next(word for word in ("one", "two", "three") if f"{word}.example" in text) for text in told] == [
            "one",
            "two",
            "three",
        ]
        assert "2 more" in summed


async def test_starts_that_fail_are_summed_up_in_the_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The first is told with its reason: that is what an author needs whose key is wrong."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.status = 404
        for call in strangers(app, 20):
            assert (await call.answer()).status == 502
        await trio.sleep(61)

        first, others = warnings(caplog)
        assert "404" in first
        assert "19 more" in others


async def test_the_sum_is_told_once_a_minute(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        for _ in range(60):
            await app.post(session_request(host="evil.example"))
            await trio.sleep(10)

        assert len(warnings(caplog)) in {10, 11}
        assert HOST not in caplog.text


# Webhooks that name a wearer's session


async def test_a_start_in_another_users_name_has_no_part_in_the_wearers_own(autojump_clock: MockClock) -> None:
    """Whoever knows a session id could else give the wearer's start an answer, and a user, of their own."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        strange = app.post_soon({**session_request(), "userId": "mallory@example.com"})
        refused = await cloud.accept()
        await refused.open()
        genuine = app.start_soon()
        socket = await cloud.accept()
        assert socket.headers["x-user-id"] == USER.encode()
        await refused.send("tpa_connection_error", code="SESSION_NOT_FOUND", message="no")
        await refused.close(1008, "Session not found")
        again = await cloud.accept()
        await again.open()
        await again.close(1008, "Session not found")

        assert (await strange.answer()).status == 502
        assert not genuine.is_answered
        await socket.handshake()
        assert (await genuine.answer()).status == 200
        assert app.server.session_for(USER) is not None


async def test_a_wearer_comes_in_although_others_keep_asking_in_another_name(autojump_clock: MockClock) -> None:
    async def cloud_side(socket: CloudSocket) -> None:
        await trio.sleep(0.2)
        await socket.open()
        if socket.headers["x-user-id"] == USER.encode():
            await socket.ack()
            await trio.sleep_forever()
        await socket.close(1008, "Session not found")

    async with open_cloud(cloud_side) as cloud, open_app(cloud) as app, trio.open_nursery() as nursery:
        nursery.start_soon(post_for_ever, app, {**session_request(), "userId": "mallory@example.com"})
        await trio.sleep(1.7)
        answer = await app.start_soon().answer()
        session = app.server.session_for(USER)
        await trio.sleep(10)

        assert (answer.status, round(answer.at - 1.7, 3)) == (200, 0.2)
        assert session is not None
        assert session.connections == 1
        assert app.server.session_for(USER) is session
        nursery.cancel_scope.cancel()


async def test_a_stop_ends_the_start_of_the_user_whom_it_names(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        strange = app.post_soon({**session_request(), "userId": "mallory@example.com"})
        await cloud.accept()
        genuine = app.start_soon()
        socket = await cloud.accept()
        await app.post({**stop_request(), "userId": "mallory@example.com"})
        assert (await strange.answer()).at == 0
        await trio.sleep(1)
        await socket.handshake()

        assert (await genuine.answer()).status == 200
        assert app.server.session_for(USER) is not None


async def test_the_case_of_a_users_name_says_nothing(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        first = app.start_soon()
        socket = await cloud.accept()
        second = app.post_soon({**session_request(), "userId": USER.upper()})
        await socket.handshake()
        assert (await first.answer()).status == (await second.answer()).status == 200
        assert len(cloud.dials) == 1
        await app.post({**stop_request(), "userId": USER.upper()})
        await socket.wait_closed()


async def test_a_wearer_comes_in_although_others_ask_for_her_by_other_paths(autojump_clock: MockClock) -> None:
    """The path changes nothing (P1 1.1), so it is no reason to throw a handshake away."""

    async def cloud_side(socket: CloudSocket) -> None:
        await trio.sleep(0.2)
        await socket.open()
        await socket.ack()
        await trio.sleep_forever()

    async with open_cloud(cloud_side) as cloud, open_app(cloud) as app, trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(post_for_ever, app, session_request(websocketUrl=f"wss://{HOST}/{number}"))
        answer = await app.start_soon().answer()
        nursery.cancel_scope.cancel()

        assert (answer.status, answer.at) == (200, 0.2)
        assert len(cloud.dials) == 1


async def test_the_path_that_came_last_is_that_of_the_next_socket(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        first = app.start_soon()
        socket = await cloud.accept()
        second = app.post_soon(session_request(websocketUrl=f"wss://{HOST}/app-ws"))
        await wait_all_tasks_blocked()
        await socket.handshake()
        assert (await first.answer()).status == (await second.answer()).status == 200
        await socket.cut()

        assert (await cloud.accept()).target == "/app-ws"


async def test_a_session_that_is_asked_for_all_the_time_is_connected_most_of_it(autojump_clock: MockClock) -> None:
    async def cloud_side(socket: CloudSocket) -> None:
        await trio.sleep(0.2)
        await socket.open()
        await socket.ack()
        await trio.sleep_forever()

    async with open_cloud(cloud_side) as cloud, open_app(cloud) as app, trio.open_nursery() as nursery:
        nursery.start_soon(post_for_ever, app, session_request())
        await trio.sleep(10)
        session = app.server.session_for(USER)
        assert session is not None
        shares = 0
        for _ in range(500):
            shares += session.link_state.value is LinkState.CONNECTED
            await trio.sleep(0.1)

        assert shares > 400
        assert session.connections < 60
        nursery.cancel_scope.cancel()
