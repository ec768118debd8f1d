"""Session requests for a session that is already there, and stops in between (P1 1.5, 1.6; D7, D17, D21)."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import Gap, LinkState, MentraSession, SessionConfig, StopKind
from mentra_trio._wire.webhooks import StopRequest
from mentra_trio.session import SessionHandler
from tests.scripted_cloud import (
    CLOSED_BY_APP,
    HOST,
    OTHER_HOST,
    SESSION,
    USER,
    AppUnderTest,
    CloudSocket,
    open_app,
    open_cloud,
    session_request,
)


async def resurrect(app: AppUnderTest, host: str = HOST) -> CloudSocket:
    """Ask for the session once more and bring it up."""
    call = app.start_soon(host=host)
    socket = await app.cloud.accept()
    assert (await socket.open())["type"] == "tpa_connection_init"
    await socket.ack()
    await socket.expect("subscription_update")
    assert (await call.answer()).status == 200
    return socket


# The session is live


async def test_the_same_cloud_gets_the_old_socket_closed_first_and_no_release(autojump_clock: MockClock) -> None:
    """It believes that it has no socket; a release would make it forget the subscriptions (P1 1.6)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        await trio.sleep(5)
        call = app.start_soon()
        new = await cloud.accept()

        assert await old.wait_closed() == CLOSED_BY_APP
        assert old.unread() == []
        assert old.closed_at is not None
        assert cloud.dials[1][0] >= old.closed_at
        assert (await new.open())["type"] == "tpa_connection_init"
        await trio.sleep(1)
        assert not call.is_answered
        await new.ack()
        assert (await call.answer()).status == 200


async def test_a_resurrection_keeps_the_session_and_its_one_handler_run(autojump_clock: MockClock) -> None:
    heard: list[str] = []

    async def handler(session: MentraSession) -> None:
        async with session.transcription.stream("en").with_gaps() as lines:
            heard.extend([f"{line.seconds:g}" if isinstance(line, Gap) else line.text async for line in lines])

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await socket.say("before")
        await trio.sleep(5)
        socket = await resurrect(app)
        await socket.say("after")
        await wait_all_tasks_blocked()
        (session,) = app.sessions
        assert session.connections == 2
        assert session.link_state.value is LinkState.CONNECTED
        await app.stop()
        await wait_all_tasks_blocked()

        assert heard == ["before", "0", "after"]


async def test_the_subscriptions_follow_the_new_ack(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        async with session.mic.stream():
            await trio.sleep_forever()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        await app.start()
        app.start_soon()
        socket = await cloud.accept()
        await socket.open()
        await socket.ack()

        assert (await socket.expect("subscription_update"))["subscriptions"] == ["audio_chunk", "augmentos:*"]


async def test_a_peer_that_does_not_answer_the_close_holds_the_new_socket_up_for_a_second(
    autojump_clock: MockClock,
) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        old.line.lose_peer()
        await trio.sleep(5)
        app.start_soon()
        await cloud.accept()

        assert trio.current_time() == 6


async def test_another_cloud_takes_over_and_the_old_one_is_told(autojump_clock: MockClock) -> None:
    """`switching_clouds` lets the old cloud go dormant instead of starting the app again (P1 1.6)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        assert app.sessions[0].base_url == f"https://{HOST}"
        await trio.sleep(5)
        new = await resurrect(app, OTHER_HOST)
        release = await old.expect("ownership_release")

        assert {name: release[name] for name in ("reason", "sessionId", "packageName")} == {
            "reason": "switching_clouds",
            "sessionId": SESSION,
            "packageName": "com.example.app",
        }
        assert await old.wait_closed() == CLOSED_BY_APP
        assert new.url.host == OTHER_HOST
        assert len(app.sessions) == 1
        assert app.sessions[0].base_url == f"https://{OTHER_HOST}"
        assert old.closed_at is not None
        assert cloud.dials[1][0] >= old.closed_at


async def test_the_release_is_the_last_thing_that_the_old_cloud_hears(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        await resurrect(app, OTHER_HOST)
        await trio.sleep(30)

        assert [message["type"] for message in old.unread()] == ["ownership_release"]


async def test_only_one_release_is_sent_for_one_switch(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        new = await resurrect(app, OTHER_HOST)
        await app.stop()
        await new.wait_closed()

        assert new.unread() == []


async def test_the_session_reconnects_to_the_new_cloud(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        new = await resurrect(app, OTHER_HOST)
        await new.cut()
        socket = await cloud.accept()

        assert socket.url.host == OTHER_HOST
        assert (await socket.open())["type"] == "reconnect"


async def test_another_path_of_the_same_host_is_the_same_cloud(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        app.post_soon(session_request(websocketUrl=f"wss://{HOST}/app-ws"))
        new = await cloud.accept()

        assert old.unread() == []
        assert new.target == "/app-ws"


async def test_a_resurrection_that_fails_leaves_the_session_backing_off(autojump_clock: MockClock) -> None:
    """It is answered with an error, so the cloud asks once more; meanwhile the session goes on trying."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        cloud.is_silent = True
        answer = await app.start_soon().answer()
        assert (answer.status, answer.at) == (502, 9)
        cloud.is_silent = False
        socket = await cloud.accept()
        await socket.handshake()
        await wait_all_tasks_blocked()

        assert app.sessions[0].link_state.value is LinkState.CONNECTED
        assert len(app.sessions) == 1


async def test_a_resurrection_that_is_refused_ends_the_session(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        call = app.start_soon()
        socket = await cloud.accept()
        await socket.send("tpa_connection_error", code="APP_NOT_STARTED", message="no")
        answer = await call.answer()

        assert answer.status == 502
        assert app.sessions[0].stop_reason is not None
        assert app.sessions[0].stop_reason.kind is StopKind.REFUSED


# The session is on its way back


async def test_a_request_during_a_pause_is_served_at_once(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        cloud.is_unreachable = True
        await old.cut()
        await trio.sleep(20)
        cloud.is_unreachable = False
        at = trio.current_time()
        new = await resurrect(app)

        assert trio.current_time() == at
        assert old.unread() == []
        assert new.received[0][1]["type"] == "tpa_connection_init"
        assert len(app.sessions) == 1


async def test_a_request_during_a_dial_does_not_wait_for_it(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        cloud.is_silent = True
        await old.cut()
        await trio.sleep(1)
        cloud.is_silent = False
        await resurrect(app, OTHER_HOST)

        assert trio.current_time() == 1
        assert old.unread() == []


async def test_a_request_during_a_handshake_takes_a_new_socket(autojump_clock: MockClock) -> None:
    """Only an init on a socket of its own completes the cloud's start (P1 1.6)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        await old.cut()
        half = await cloud.accept()
        assert (await half.open())["type"] == "reconnect"
        await trio.sleep(1)
        await resurrect(app)

        assert await half.wait_closed() == CLOSED_BY_APP
        assert half.unread() == []


async def test_a_late_ack_of_the_abandoned_socket_changes_nothing(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        old.line.lose_peer()
        await trio.sleep(1)
        call = app.start_soon()
        await wait_all_tasks_blocked()
        await old.send("reconnect_ack")
        await wait_all_tasks_blocked()
        assert not call.is_answered
        new = await cloud.accept()
        await new.handshake()

        assert (await call.answer()).status == 200
        assert app.sessions[0].connections == 2


async def test_a_request_during_a_park_abandons_it(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        await old.cut()
        parked = await cloud.accept()
        await parked.open()
        await parked.send("reconnect_deferred", code="BOOTING", timeoutMs=30_000)
        await trio.sleep(5)
        at = trio.current_time()
        await resurrect(app, OTHER_HOST)

        assert await parked.wait_closed() == CLOSED_BY_APP
        assert parked.unread() == []
        assert trio.current_time() == at


# Another request is being served


async def test_a_repeated_request_joins_the_first(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        first = app.start_soon()
        socket = await cloud.accept()
        await trio.sleep(1)
        second = app.start_soon()
        await trio.sleep(1)
        assert not second.is_answered
        await socket.handshake()

        assert (await first.answer()).status == 200
        assert (await second.answer()).status == 200
        assert len(cloud.dials) == 1
        assert len(app.sessions) == 1


async def test_a_repeated_request_shares_a_failure(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        first = app.start_soon()
        await trio.sleep(2)
        second = app.start_soon()

        assert (await first.answer()).status == 502
        assert (await second.answer()).status == 502
        assert trio.current_time() == 4
        assert len(cloud.dials) == 1


async def test_of_two_urls_the_latest_wins(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        first = app.start_soon()
        abandoned = await cloud.accept()
        await abandoned.open()
        second = app.start_soon(host=OTHER_HOST)
        socket = await cloud.accept()
        await socket.handshake()

        assert (await first.answer()).status == 200
        assert (await second.answer()).status == 200
        assert await abandoned.wait_closed() == CLOSED_BY_APP
        assert abandoned.unread() == []
        assert socket.url.host == OTHER_HOST
        assert len(app.sessions) == 1


async def test_of_many_urls_during_a_dial_the_latest_wins(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.is_silent = True
        calls = [app.start_soon(host=host) for host in (HOST, OTHER_HOST)]
        await trio.sleep(0.5)
        cloud.is_silent = False
        calls.append(app.start_soon(host="devapi.mentra.glass"))
        await wait_all_tasks_blocked()
        socket = await cloud.accept()
        await socket.handshake()

        assert [(await call.answer()).status for call in calls] == [200, 200, 200]
        assert socket.url.host == "devapi.mentra.glass"
        assert len(cloud.sockets) == 1


async def test_many_requests_at_once_make_one_session(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        calls = [app.start_soon() for _ in range(20)]
        socket = await cloud.accept()
        await socket.handshake()
        for call in calls:
            assert (await call.answer()).status == 200
        await trio.sleep(10)

        assert len(cloud.dials) == 1
        assert len(app.sessions) == 1


# A stop comes in between


async def polite(session: MentraSession) -> None:
    """A handler that ends with its streams."""
    async with session.transcription.stream() as lines:
        async for _ in lines:
            pass


async def slow(session: MentraSession) -> None:
    """A handler that uses all of its grace."""
    await trio.sleep_forever()


@pytest.mark.parametrize("handler", [polite, slow])
@pytest.mark.parametrize("pause", [0, 0.001, 0.3])
async def test_a_stop_and_a_start_back_to_back_make_a_new_run_within_a_second_and_a_half(
    autojump_clock: MockClock, handler: SessionHandler, pause: float
) -> None:
    """The cloud waits 6 s for the init, and the old handler has a grace of 5."""
    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        old = await app.start()
        await trio.sleep(10)
        old.unread()
        at = trio.current_time()
        assert (await app.stop()).status == 200
        await trio.sleep(pause)
        call = app.start_soon()
        new = await cloud.accept()
        await new.open()

        assert trio.current_time() - at <= 1.5
        assert await old.wait_closed() == CLOSED_BY_APP
        assert old.unread() == []
        await new.ack()
        assert (await call.answer()).status == 200
        await trio.sleep(1)
        first, second = app.sessions
        assert first is not second
        assert first.stop_reason is not None
        assert second.stop_reason is None
        # The old run ends without a trace in the new one.
        await trio.sleep(30)
        assert second.link_state.value is LinkState.CONNECTED
        assert app.server.session_for(second.user_id) is second
        assert new.is_open


async def test_the_new_run_does_not_wait_for_a_handler_that_ignores_the_end(autojump_clock: MockClock) -> None:
    stubborn = trio.Event()

    async def handler(session: MentraSession) -> None:
        with trio.move_on_after(60, shield=True):
            await stubborn.wait()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        await app.start()
        await app.stop()
        call = app.start_soon()
        new = await cloud.accept()
        await new.handshake()

        assert trio.current_time() <= 1.5
        assert (await call.answer()).status == 200
        await trio.sleep(30)
        assert app.sessions[1].link_state.value is LinkState.CONNECTED
        stubborn.set()


async def test_the_new_run_waits_a_second_at_most_for_a_peer_that_does_not_close(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud, slow) as app:
        old = await app.start()
        old.line.block()
        await app.sessions[0].raw.send("stuck")
        await trio.sleep(1)
        await app.stop()
        app.start_soon()
        await cloud.accept()

        assert trio.current_time() == 2


async def test_the_old_handler_finishes_its_grace_without_a_link(autojump_clock: MockClock) -> None:
    ended: list[float] = []

    async def handler(session: MentraSession) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        await app.start()
        await app.stop()
        app.start_soon()
        socket = await cloud.accept()
        await socket.handshake()
        await wait_all_tasks_blocked()
        assert app.sessions[0].link_state.value is LinkState.CLOSED
        assert ended == []
        await trio.sleep(10)

        assert ended == [5]


async def test_many_stops_and_starts_leave_one_session(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud, slow) as app:
        socket = await app.start()
        for _ in range(10):
            await app.stop()
            call = app.start_soon()
            socket = await cloud.accept()
            await socket.handshake()
            assert (await call.answer()).status == 200
        await trio.sleep(20)

        assert len(app.sessions) == 11
        assert [session.link_state.value is LinkState.CONNECTED for session in app.sessions] == [False] * 10 + [True]
        assert [each.is_open for each in cloud.sockets] == [False] * 10 + [True]
        assert socket.is_open


async def test_a_stop_cancels_a_start_that_waits_for_the_ack(autojump_clock: MockClock) -> None:
    """It is answered like a success: anything else would make the cloud ask again (P1 1.3)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.start_soon()
        socket = await cloud.accept()
        await socket.open()
        await trio.sleep(1)
        stop = await app.stop()
        answer = await call.answer()
        await trio.sleep(20)

        assert (stop.status, stop.at) == (200, 1)
        assert (answer.status, answer.at) == (200, 1)
        assert await socket.wait_closed() == CLOSED_BY_APP
        assert app.sessions == []
        assert len(cloud.dials) == 1


async def test_a_stop_cancels_a_start_that_dials(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.is_silent = True
        call = app.start_soon()
        await trio.sleep(1)
        await app.stop()
        answer = await call.answer()

        assert (answer.status, answer.at) == (200, 1)


async def test_a_stop_cancels_a_start_that_waits_for_the_old_socket(autojump_clock: MockClock) -> None:
    """Stop, start, stop within a second: nothing may be left running."""
    async with open_cloud() as cloud, open_app(cloud, slow) as app:
        old = await app.start()
        old.line.lose_peer()
        await app.stop()
        call = app.start_soon()
        await trio.sleep(0.5)
        await app.stop()
        answer = await call.answer()
        await trio.sleep(20)

        assert answer.status == 200
        assert len(app.sessions) == 1
        assert len(cloud.dials) == 1


async def test_a_stop_in_the_moment_when_the_old_socket_is_gone_leaves_nothing_running(
    autojump_clock: MockClock,
) -> None:
    """Then the wait for the old socket ends as if nothing had happened, although its start was called off."""

    async def stop_when(session: MentraSession, app: AppUnderTest) -> None:
        await session.link_state.wait_for(lambda state: state is LinkState.CLOSED)
        desk = app.server._desk
        assert desk is not None
        await desk.answer(StopRequest(session_id=SESSION, user_id=USER, reason=""))

    for _ in range(20):  # stop and start run in the same step of the scheduler, which chooses the first by chance
        async with open_cloud() as cloud, open_app(cloud, slow) as app, trio.open_nursery() as nursery:
            old = await app.start()
            old.line.lose_peer()
            await app.stop()
            call = app.start_soon()
            nursery.start_soon(stop_when, app.sessions[0], app)
            assert (await call.answer()).status == 200
            await trio.sleep(10)

            assert len(cloud.dials) == 1


async def test_a_start_after_the_stop_of_a_start_is_a_start(autojump_clock: MockClock) -> None:
    """Start, stop, start within a moment: the last word counts, and its init must be out in time."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        first = app.start_soon()
        abandoned = await cloud.accept()
        await abandoned.open()
        await app.stop()
        last = app.start_soon()
        socket = await cloud.accept()
        assert (await socket.open())["type"] == "tpa_connection_init"

        assert trio.current_time() <= 1.5
        assert (await first.answer()).status == 200
        assert not last.is_answered
        await socket.ack()
        assert (await last.answer()).status == 200
        assert await abandoned.wait_closed() == CLOSED_BY_APP


async def test_a_start_after_the_stop_of_a_start_with_a_mute_peer(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        app.start_soon()
        abandoned = await cloud.accept()
        await abandoned.open()
        abandoned.line.lose_peer()
        await app.stop()
        app.start_soon()
        await cloud.accept()

        assert trio.current_time() <= 1.5


async def test_the_latest_url_wins_while_the_old_socket_is_being_closed(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud, slow) as app:
        old = await app.start()
        old.line.lose_peer()
        await app.stop()
        first = app.start_soon()
        await trio.sleep(0.5)
        second = app.start_soon(host=OTHER_HOST)
        socket = await cloud.accept()
        await socket.handshake()

        assert (await first.answer()).status == 200
        assert (await second.answer()).status == 200
        assert socket.url.host == OTHER_HOST
        assert len(cloud.dials) == 2


async def test_a_start_that_finds_the_session_ended_by_the_cloud_begins_a_new_run(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud, slow) as app:
        old = await app.start()
        await old.send("app_stopped")
        await old.wait_closed()
        await app.start()

        assert len(app.sessions) == 2


async def test_a_start_that_finds_the_session_ended_by_the_app_begins_a_new_run(autojump_clock: MockClock) -> None:
    """The new init takes over; a release would come too late and undo it."""
    async with open_cloud() as cloud, open_app(cloud, slow) as app:
        old = await app.start()
        await app.sessions[0].end()
        new = await app.start()
        await trio.sleep(20)

        assert [message["type"] for message in old.unread()] == []
        assert new.is_open
        assert len(app.sessions) == 2


async def test_nothing_is_kept_of_sessions_that_are_over(autojump_clock: MockClock) -> None:
    """An app serves many wearers in its life."""
    async with open_cloud() as cloud, open_app(cloud, config=SessionConfig(stop_grace=0)) as app:
        for number in range(50):
            await app.start(f"user{number}@example.com")
            await app.stop(f"user{number}@example.com")
        await trio.sleep(20)
        desk = app.server._desk

        assert desk is not None
        assert desk._slots == {}


# Two starts in quick succession: the boot screen of the first empties the display of the second (P3 1.5)


async def hello(session: MentraSession) -> None:
    """A handler that shows one thing."""
    await session.display.show_text_wall("hello")


@pytest.mark.parametrize(("pause", "times"), [(0.5, 2), (3, 2), (3.3, 1)])
async def test_a_run_that_follows_another_at_once_shows_its_display_twice(
    autojump_clock: MockClock, pause: float, times: int
) -> None:
    async with open_cloud() as cloud, open_app(cloud, hello) as app:
        await app.start()
        await trio.sleep(pause)
        await app.stop()
        socket = await app.start()
        await trio.sleep(10)

        assert len(socket.times_of("display_event")) == times


async def test_a_start_that_was_called_off_counts_too(autojump_clock: MockClock) -> None:
    """The cloud showed its boot screen before it called the app."""
    async with open_cloud() as cloud, open_app(cloud, hello) as app:
        call = app.start_soon()
        await (await cloud.accept()).open()
        await app.stop()
        assert (await call.answer()).status == 200
        socket = await app.start()
        await trio.sleep(10)

        assert len(socket.times_of("display_event")) == 2


async def test_the_start_of_another_wearer_does_not_count(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud, hello) as app:
        await app.start("ben@example.com")
        socket = await app.start()
        await trio.sleep(10)

        assert len(socket.times_of("display_event")) == 1


async def test_a_crowd_of_starts_makes_older_ones_forgotten(autojump_clock: MockClock) -> None:
    """What strangers may make an app remember is bounded."""
    config = SessionConfig(start_capacity=2)
    async with open_cloud() as cloud, open_app(cloud, hello, config=config) as app:
        await app.start()
        await app.stop()
        for other in ("ben@example.com", "cy@example.com"):
            await app.start(other)
        socket = await app.start()
        await trio.sleep(10)

        assert len(socket.times_of("display_event")) == 1
