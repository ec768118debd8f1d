"""A server that stops: its sockets are closed, nothing is let go of, and nobody waits long (P1 2.7, design 6)."""

import logging
from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import ConfigError, LinkState, MentraSession, MiniAppServer, SessionConfig, StopKind, StopReason
from tests.scripted_cloud import (
    CLOSED_BY_APP,
    KEY,
    PACKAGE,
    AppUnderTest,
    ScriptedCloud,
    idle,
    make_server,
    open_app,
    open_cloud,
)


async def test_an_app_without_sessions_stops_in_no_time(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        async with open_app(cloud):
            await trio.sleep(100)

        assert trio.current_time() == 100


async def test_sockets_are_closed_with_a_real_code_and_no_release(autojump_clock: MockClock) -> None:
    """The cloud must start the app again when the server is back."""

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()

    async with open_cloud() as cloud:
        async with open_app(cloud, handler) as app:
            sockets = [await app.start(f"u{number}@example.com") for number in range(5)]
        for socket in sockets:
            assert await socket.wait_closed() == CLOSED_BY_APP
            assert socket.unread() == []

        assert trio.current_time() == 0
        assert [session.stop_reason for session in app.sessions] == [StopReason(StopKind.SERVER_STOPPED)] * 5
        assert {session.link_state.value for session in app.sessions} == {LinkState.CLOSED}


async def test_handlers_have_half_a_second(autojump_clock: MockClock) -> None:
    """Nobody likes to wait for Ctrl-C."""
    async with open_cloud() as cloud:
        async with open_app(cloud) as app:
            for number in range(20):
                await app.start(f"u{number}@example.com")

        assert trio.current_time() == 0.5


async def test_a_shorter_grace_stays_shorter(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        async with open_app(cloud, config=SessionConfig(stop_grace=0.125)) as app:
            await app.start()

        assert trio.current_time() == 0.125


async def test_a_session_in_its_grace_is_hurried(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        async with open_app(cloud) as app:
            await app.start()
            await app.stop()
            await trio.sleep(1)

        assert trio.current_time() == 1.5


async def test_an_old_run_beside_a_new_one_is_hurried_too(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        async with open_app(cloud) as app:
            await app.start()
            await app.stop()
            await app.start()
            await trio.sleep(1)

        assert trio.current_time() == 1.5


async def test_a_stop_handler_has_half_a_second_too(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.sleep_forever()

    async with open_cloud() as cloud:
        async with open_app(cloud, handler, on_stop=on_stop) as app:
            socket = await app.start()

        assert await socket.wait_closed() == CLOSED_BY_APP
        assert trio.current_time() == 0.5


async def test_a_session_on_its_way_back_stops_at_once(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        async for _ in session.mic.stream():
            await trio.lowlevel.checkpoint()

    async with open_cloud() as cloud:
        async with open_app(cloud, handler) as app:
            socket = await app.start()
            cloud.is_silent = True
            await socket.cut()
            await trio.sleep(2)

        assert trio.current_time() == 2


async def test_mute_peers_cost_a_second_together(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()

    async with open_cloud() as cloud:
        async with open_app(cloud, handler) as app:
            for number in range(20):
                (await app.start(f"u{number}@example.com")).line.lose_peer()

        assert trio.current_time() == 1


async def test_a_handler_that_hangs_is_left_behind_after_its_link(autojump_clock: MockClock) -> None:
    """Its socket is closed; the process itself cannot end without it."""

    async def handler(session: MentraSession) -> None:
        with trio.move_on_after(100, shield=True):
            await trio.sleep_forever()

    async with open_cloud() as cloud:
        async with open_app(cloud, handler) as app:
            socket = await app.start()

        assert await socket.wait_closed() == CLOSED_BY_APP
        assert socket.closed_at == 1.5
        assert trio.current_time() == 100


async def test_an_app_that_cannot_stop_says_which_handler_hangs(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that only took their time are not named."""

    async def handler(session: MentraSession) -> None:
        if session.user_id == "slow@example.com":
            with trio.move_on_after(5, shield=True):
                await trio.sleep_forever()
        else:
            with trio.move_on_after(100, shield=True):
                await trio.sleep_forever()

    async with open_cloud() as cloud:
        async with open_app(cloud, handler) as app:
            await app.start("slow@example.com")
            await app.start("hung@example.com")

        slow, hung = app.sessions
        (error,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert error.startswith(f"[{hung.run_id}] {PACKAGE} cannot stop, because this handler does not end")
        assert "trio.move_on_after" in error
        assert slow.run_id not in error


async def test_whoever_runs_an_app_may_deal_with_handlers_that_hang(autojump_clock: MockClock) -> None:
    release = trio.Event()
    told = list[tuple[float, list[str]]]()

    async def handler(session: MentraSession) -> None:
        with trio.CancelScope(shield=True):
            await release.wait()

    def deal(run_ids: Sequence[str]) -> None:
        told.append((trio.current_time(), list(run_ids)))
        release.set()

    async with open_cloud() as cloud:
        async with open_app(cloud, handler, on_hang=deal) as app:
            await app.start()

        assert told == [(8.5, [app.sessions[0].run_id])]
        assert trio.current_time() == 8.5


async def fail_while_running(cloud: ScriptedCloud) -> None:
    async with open_app(cloud) as app:
        await app.start()
        raise KeyError


async def test_leaving_with_an_error_stops_the_sessions_and_lets_the_error_out(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        with pytest.raises(KeyError):
            await fail_while_running(cloud)
        (socket,) = cloud.sockets

        assert await socket.wait_closed() == CLOSED_BY_APP


async def test_cancelling_stops_the_sessions(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        with trio.move_on_after(10):
            async with open_app(cloud) as app:
                await app.start()
                await trio.sleep_forever()
        (socket,) = cloud.sockets

        assert await socket.wait_closed() == CLOSED_BY_APP
        assert trio.current_time() == 10.5
        assert socket.unread() == []


async def test_an_app_can_run_again(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        server = make_server(cloud)
        for _ in range(3):
            async with server.running(), trio.open_nursery() as nursery:
                app = AppUnderTest(server, cloud, [], nursery)
                await app.start()


async def test_an_app_cannot_run_twice_at_once(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        server = make_server(cloud)
        async with server.running():
            with pytest.raises(RuntimeError, match="already running"):
                async with server.running():
                    pass
            # The first one is not disturbed.
            assert server.session_for("nobody") is None


async def test_an_app_without_a_handler_cannot_run(autojump_clock: MockClock) -> None:
    server = MiniAppServer(PACKAGE, KEY)
    with pytest.raises(ConfigError, match="on_session"):
        async with server.running():
            pass


async def test_a_stop_handler_may_be_registered_while_running(autojump_clock: MockClock) -> None:
    told: list[StopReason] = []

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.lowlevel.checkpoint()
        told.append(reason)

    async with open_cloud() as cloud:
        async with open_app(cloud) as app:
            app.server.on_stop(on_stop)
            await app.start()
        await wait_all_tasks_blocked()

    assert len(told) == 1


def test_only_one_handler_of_each_kind() -> None:
    server = MiniAppServer(PACKAGE, KEY)
    assert server.on_session(idle) is idle

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.lowlevel.checkpoint()

    assert server.on_stop(on_stop) is on_stop
    with pytest.raises(ConfigError, match="session handler"):
        server.on_session(idle)
    with pytest.raises(ConfigError, match="stop handler"):
        server.on_stop(on_stop)


def test_a_text_for_a_list_of_hosts_is_refused() -> None:
    """It would be a list of letters."""
    with pytest.raises(ConfigError, match=r"\['cloud.example.com'\]"):
        MiniAppServer(PACKAGE, KEY, cloud_hosts="cloud.example.com")
