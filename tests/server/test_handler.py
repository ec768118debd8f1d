"""When the author's code runs, what happens when it fails, and how it ends (D5 to D8)."""

import itertools
import logging
from collections.abc import AsyncGenerator, Awaitable

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import (
    LinkState,
    MentraSession,
    RestartPolicy,
    SessionClosedError,
    SessionConfig,
    StopKind,
    StopReason,
)
from mentra_trio.session import SessionHandler
from tests.scripted_cloud import CLOSED_BY_APP, HUNG_UP, CloudSocket, open_app, open_cloud


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def types(socket: CloudSocket) -> list[str]:
    await wait_all_tasks_blocked()
    return [message["type"] for message in socket.unread()]


# It starts


async def test_the_handler_starts_after_the_ack(autojump_clock: MockClock) -> None:
    """So that it finds settings, abilities and the state of the glasses (D8)."""
    seen: list[tuple[float, object, object, object, bool | None]] = []

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        seen.append(
            (
                trio.current_time(),
                session.settings.get("lang", ""),
                session.settings.system.value.user_timezone,
                session.device.capabilities.value and session.device.capabilities.value.model_name,
                session.device.state.value.connected,
            )
        )

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        app.start_soon()
        socket = await cloud.accept()
        await socket.open()
        await trio.sleep(2)
        await socket.ack(
            settings=[{"key": "lang", "value": "de"}],
            mentraosSettings={"userTimezone": "Europe/Berlin"},
            capabilities={"modelName": "G1"},
        )
        await socket.send("device_state_update", state={"connected": True}, fullSnapshot=True)
        await trio.sleep(1)

    assert seen == [(2, "de", "Europe/Berlin", "G1", True)]


async def test_a_cloud_that_tells_no_state_delays_the_handler_by_a_moment_only(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.start_soon()
        socket = await cloud.accept()
        await socket.open()
        await socket.ack()
        assert (await call.answer()).at == 0
        assert app.sessions == []
        await trio.sleep(0.11)

        assert len(app.sessions) == 1


async def test_a_state_from_before_the_ack_delays_nothing(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        app.start_soon()
        socket = await cloud.accept()
        await socket.send("device_state_update", state={}, fullSnapshot=True)
        await socket.ack()
        await wait_all_tasks_blocked()

        assert len(app.sessions) == 1


async def test_a_session_that_ends_before_its_handler_starts_has_none(autojump_clock: MockClock) -> None:
    stopped: list[StopReason] = []

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.lowlevel.checkpoint()
        stopped.append(reason)

    async with open_cloud() as cloud, open_app(cloud, on_stop=on_stop) as app:
        app.start_soon()
        socket = await cloud.accept()
        await socket.open()
        await socket.ack()
        await wait_all_tasks_blocked()
        await app.stop()
        await trio.sleep(20)

        assert app.sessions == []
        assert stopped == []
        assert await socket.wait_closed() == CLOSED_BY_APP


# It returns


async def test_a_handler_that_returns_leaves_the_session_connected(autojump_clock: MockClock) -> None:
    """Closing the socket would make the cloud start the app again, for ever (D5)."""

    async def handler(session: MentraSession) -> None:
        await session.display.show_text_wall("hello")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await trio.sleep(1000)

        assert socket.is_open
        assert len(app.sessions) == 1
        assert app.sessions[0].link_state.value is LinkState.CONNECTED
        assert await types(socket) == ["display_event"]


async def test_after_its_return_a_session_still_comes_back_and_ends(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await socket.cut()
        socket = await cloud.accept()
        await socket.handshake()
        await app.stop()

        assert await socket.wait_closed() == CLOSED_BY_APP
        assert trio.current_time() < 1
        assert len(app.sessions) == 1


# It raises


async def test_a_crash_is_one_record_with_its_traceback(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        if len(app.sessions) == 1:
            raise ValueError("author's bug")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        await app.start()
        await trio.sleep(5)

    (record,) = errors(caplog)
    assert record.name == "mentra_trio.session"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)
    assert "author's bug" in caplog.text


async def test_a_handler_that_keeps_crashing_is_restarted_three_times_and_then_let_go(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """After 0.5, 1 and 2 s; then the cloud is told that the app lets go, and the socket is closed (D6)."""
    times: list[float] = []

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        times.append(trio.current_time())
        raise ValueError("bug")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        release = await socket.expect("ownership_release")

        assert times == [0, 0.5, 1.5, 3.5]
        assert release["reason"] == "clean_shutdown"
        assert await socket.wait_closed() == CLOSED_BY_APP
        assert app.sessions[0].stop_reason == StopReason(StopKind.HANDLER_FAILED)
        assert len({id(session) for session in app.sessions}) == 1
        assert len(errors(caplog)) == 4  # one each: the last one says that it was the last
        await trio.sleep(1000)
        assert len(cloud.dials) == 1


async def test_old_crashes_are_forgotten_after_a_minute(autojump_clock: MockClock) -> None:
    times: list[float] = []

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        times.append(trio.current_time())
        await trio.sleep(21)
        raise ValueError("bug")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        await app.start()
        await trio.sleep(1000)

        assert app.sessions[0].stop_reason is None
        pauses = [after - before - 21 for before, after in itertools.pairwise(times)]
        assert pauses[:6] == [0.5, 1, 2, 2, 2, 2]


async def test_the_restarts_can_be_set(autojump_clock: MockClock) -> None:
    times: list[float] = []

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        times.append(trio.current_time())
        raise ValueError("bug")

    config = SessionConfig(restart=RestartPolicy(max_restarts=2, first_delay=10, longest_delay=15))
    async with open_cloud() as cloud, open_app(cloud, handler, config=config) as app:
        socket = await app.start()
        await socket.wait_closed()

    assert times == [0, 10, 25]


async def test_no_restarts_at_all(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError("bug")

    config = SessionConfig(restart=RestartPolicy(max_restarts=0))
    async with open_cloud() as cloud, open_app(cloud, handler, config=config) as app:
        socket = await app.start()
        await socket.expect("ownership_release")

        assert len(app.sessions) == 1
        assert trio.current_time() == 0


async def test_a_restart_that_the_end_of_the_session_overtakes_does_not_happen(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError("bug")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await trio.sleep(0.25)
        await app.stop()
        await socket.wait_closed()

        assert trio.current_time() == 0.25
        assert len(app.sessions) == 1


async def test_the_link_stays_up_between_crash_and_restart(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        if len(app.sessions) < 3:
            raise ValueError("bug")
        await session.raw.send("recovered")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await socket.expect("recovered")

        assert trio.current_time() == 1.5
        assert len(cloud.dials) == 1


async def test_errors_of_several_tasks_are_one_record(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        if len(app.sessions) > 1:
            return

        async def fail(error: Exception) -> None:
            try:
                await trio.lowlevel.checkpoint()
            finally:
                raise error

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, ValueError("one"))
            nursery.start_soon(fail, KeyError("two"))

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        await app.start()
        await trio.sleep(1)

    (record,) = errors(caplog)
    assert "one" in caplog.text
    assert "two" in caplog.text
    assert record.exc_info is not None


async def test_session_closed_after_the_end_is_no_crash(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is how an author's code learns of the end."""

    async def handler(session: MentraSession) -> None:
        while True:
            await trio.sleep(1)
            await session.display.show_text_wall("tick")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await socket.send("app_stopped")
        await trio.sleep(10)

        assert errors(caplog) == []
        assert len(app.sessions) == 1


async def test_session_closed_in_a_group_is_no_crash_either(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(session: MentraSession) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(session.device.state.wait_for, never)

    def never(state: object) -> bool:
        return False

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        await app.start()
        await app.stop()
        await trio.sleep(1)

        assert errors(caplog) == []


async def test_session_closed_of_a_session_that_goes_on_is_a_crash(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It came from another session, or the author raised it."""

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        if len(app.sessions) == 1:
            raise SessionClosedError("another one")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        await app.start()
        await trio.sleep(1)

        assert len(errors(caplog)) == 1
        assert len(app.sessions) == 2


async def test_a_crash_after_the_end_is_logged_and_not_restarted(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(session: MentraSession) -> None:
        async for _ in session.mic.stream():
            pass
        raise ValueError("in the clean-up")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await app.stop()
        await trio.sleep(10)

        assert len(errors(caplog)) == 1
        assert len(app.sessions) == 1
        assert "ownership_release" not in await types(socket)


async def test_an_error_that_comes_with_the_cancellation_is_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A plain `except Exception` around it would miss it (T10)."""

    async def handler(session: MentraSession) -> None:
        async def fail_late() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("in the clean-up")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_late)
            await trio.sleep_forever()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await app.stop()
        assert await socket.wait_closed() == CLOSED_BY_APP

        assert trio.current_time() == 5
        assert len(errors(caplog)) == 1


async def test_a_handler_that_is_no_coroutine_is_a_crash(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(session: MentraSession) -> Awaitable[None]:
        return None  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # the mistake itself

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await socket.expect("ownership_release")

    assert "TypeError" in caplog.text


# It spoils its own task


class LikeSystemExit(BaseException):
    """What no `except Exception` sees."""


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), LikeSystemExit()], ids=repr)
async def test_an_error_that_would_end_the_program_ends_one_run_of_the_handler(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """`sys.exit()` somewhere in a library is no reason to end the sessions of all wearers."""

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        if session.user_id == "bad@example.com" and len(app.sessions) == 2:
            raise error
        await trio.sleep_forever()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        good = await app.start("good@example.com")
        bad = await app.start("bad@example.com")
        await trio.sleep(5)

        assert (good.is_open, bad.is_open) == (True, True)
        assert len(app.sessions) == 3
    (record,) = errors(caplog)
    assert record.exc_info is not None
    assert record.exc_info[1] is error


async def test_ctrl_c_in_the_handler_still_ends_the_program(autojump_clock: MockClock) -> None:
    """It is the wearer of no session who asks for it."""

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        raise KeyboardInterrupt

    with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True):
        async with open_cloud() as cloud, open_app(cloud, handler) as app:
            await app.start()
            await trio.sleep(5)


async def leaves_a_nursery_open(session: MentraSession) -> None:
    """As if somebody kept a nursery on an object."""
    nursery = await trio.open_nursery().__aenter__()
    nursery.start_soon(trio.sleep_forever)


async def leaves_a_scope_open(session: MentraSession) -> None:
    """The same with a time limit."""
    scope = trio.CancelScope(deadline=trio.current_time() + 1)
    scope.__enter__()
    await trio.lowlevel.checkpoint()


async def leaves_blocks_in_the_wrong_order(session: MentraSession) -> None:
    """Ends an outer nursery before an inner one."""
    outer, inner = trio.open_nursery(), trio.open_nursery()
    await outer.__aenter__()
    await inner.__aenter__()
    await outer.__aexit__(None, None, None)


async def leaves_a_generator_in_the_middle(session: MentraSession) -> None:
    """A nursery in a generator that nobody finishes."""

    async def ticks() -> AsyncGenerator[int, None]:  # noqa: ASYNC900 - the mistake itself
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            for tick in range(10):
                yield tick  # noqa: ASYNC101, ASYNC119 - the mistake itself

    async for tick in ticks():
        if tick:
            return


@pytest.mark.filterwarnings("ignore:Async generator .* was garbage collected:ResourceWarning")
@pytest.mark.parametrize(
    "spoil",
    [
        leaves_a_nursery_open,
        leaves_a_scope_open,
        leaves_blocks_in_the_wrong_order,
        leaves_a_generator_in_the_middle,
    ],
)
async def test_a_handler_that_ruins_the_stack_of_its_task_ruins_no_more(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, spoil: SessionHandler
) -> None:
    async def handler(session: MentraSession) -> None:
        if session.user_id == "bad@example.com":
            await spoil(session)
        else:
            await trio.sleep_forever()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        good = await app.start("good@example.com")
        bad = await app.start("bad@example.com")
        await trio.sleep(100)

        assert good.is_open
        assert app.sessions[0].stop_reason is None
        await app.stop("good@example.com")
        await good.wait_closed()
        if bad.is_open:
            await app.stop("bad@example.com")
        await bad.wait_closed()
    assert "bug in mentra_trio" not in caplog.text


# The session ends


async def test_streams_end_and_a_handler_that_follows_them_ends_at_once(autojump_clock: MockClock) -> None:
    done: list[float] = []

    async def handler(session: MentraSession) -> None:
        async with session.transcription.stream() as lines, session.mic.stream() as sound:
            async for _ in lines:
                pass
            async for _ in sound:
                pass
        done.append(trio.current_time())

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await trio.sleep(3)
        await app.stop()
        await socket.wait_closed()

        assert done == [3]
        assert trio.current_time() == 3


async def test_events_from_before_the_end_are_still_read(autojump_clock: MockClock) -> None:
    heard: list[str] = []

    async def handler(session: MentraSession) -> None:
        async with session.transcription.stream("en") as lines:
            await trio.sleep(2)
            async for line in lines:
                heard.append(line.text)
                await trio.sleep(0.1)

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        for number in range(3):
            await socket.say(str(number))
        await trio.sleep(1)
        await app.stop()
        await trio.sleep(10)

    assert heard == ["0", "1", "2"]


async def test_a_handler_has_5_s_to_finish_and_is_then_cancelled_with_a_reason(autojump_clock: MockClock) -> None:
    told: list[tuple[float, str]] = []

    async def handler(session: MentraSession) -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            told.append((trio.current_time(), str(cancelled)))
            raise

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await app.stop()
        await socket.wait_closed()

    ((when, why),) = told
    assert when == 5
    assert "stop_requested (user_disabled)" in why
    assert "grace" in why


async def test_the_link_stays_up_during_the_grace(autojump_clock: MockClock) -> None:
    """Services are last: the handler can still send (design 6)."""

    async def chatty(session: MentraSession) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(1, shield=True):
                await session.raw.send("saved")

    async with open_cloud() as cloud, open_app(cloud, chatty) as app:
        socket = await app.start()
        await app.stop()
        await socket.expect("saved")

        assert await socket.wait_closed() == CLOSED_BY_APP
        assert trio.current_time() == 5


async def test_the_grace_can_be_set(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud, config=SessionConfig(stop_grace=0.25)) as app:
        socket = await app.start()
        await app.stop()
        await socket.wait_closed()

    assert trio.current_time() == 0.25


async def test_duties_that_began_without_the_handler_are_finished_when_it_ends_after_all(
    autojump_clock: MockClock,
) -> None:
    """Once, and not cut short: they store what the app has to keep."""
    done: list[str] = []

    async def store() -> None:
        done.append("began")
        await trio.sleep(3)
        done.append("stored")

    async def handler(session: MentraSession) -> None:
        session._runtime.at_end(store)
        with trio.move_on_after(8, shield=True):
            await trio.sleep_forever()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await app.stop()
        await socket.wait_closed()
        assert trio.current_time() == 5 + 1 + 3
        await trio.sleep(100)

        assert done == ["began", "stored"]


async def test_a_handler_that_hangs_in_a_shield_does_not_hold_the_link(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    release = trio.Event()

    async def handler(session: MentraSession) -> None:
        with trio.move_on_after(500, shield=True):
            await release.wait()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await app.stop()
        assert await socket.wait_closed() == CLOSED_BY_APP
        assert trio.current_time() == 6
        await trio.sleep(1000)

        (warning,) = warnings(caplog)
        assert "shield" in warning
        release.set()


async def test_a_clean_up_of_less_than_a_second_is_no_reason_to_warn(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(session: MentraSession) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(0.9, shield=True):
                await trio.sleep_forever()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await app.stop()
        await socket.wait_closed()

        assert trio.current_time() == 5.9
        assert warnings(caplog) == []


async def test_a_hung_handler_of_an_ended_session_lets_the_cloud_know_all_the_same(autojump_clock: MockClock) -> None:
    release = trio.Event()

    async def handler(session: MentraSession) -> None:
        await session.end()
        with trio.move_on_after(500, shield=True):
            await release.wait()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        assert (await socket.expect("ownership_release"))["reason"] == "clean_shutdown"
        assert await socket.wait_closed() == CLOSED_BY_APP
        release.set()


# The app ends it


async def test_ending_a_session_lets_go_of_it_and_closes(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.sleep(3)
        with assert_checkpoints():
            await session.end()
        assert session.stop_reason == StopReason(StopKind.ENDED_BY_APP)

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        release = await socket.expect("ownership_release")

        assert release["reason"] == "clean_shutdown"
        assert await socket.wait_closed() == CLOSED_BY_APP
        assert trio.current_time() == 3
        await trio.sleep(1000)
        assert len(cloud.dials) == 1


async def test_a_goodbye_is_shown_before_the_release(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await session.display.show_text_wall("hello")
        await trio.sleep(0.1)
        await session.end()
        await session.display.show_text_wall("goodbye")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await socket.wait_closed()

        assert [message["type"] for message in socket.unread()] == [
            "display_event",
            "display_event",
            "ownership_release",
        ]
        assert socket.received[-2][1]["layout"]["text"] == "goodbye"
        assert trio.current_time() == 0.35


async def test_a_goodbye_that_cannot_be_written_costs_a_second(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.sleep(1)
        cloud.sockets[0].line.block()
        await session.end()
        await session.display.show_text_wall("goodbye")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()

        assert await socket.wait_closed() == HUNG_UP
        assert trio.current_time() <= 1 + 2


async def test_ending_twice_is_harmless(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await session.end()
        await session.end()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await socket.wait_closed()

        assert await types(socket) == ["ownership_release"]


async def test_the_first_reason_stays(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        await app.stop()
        await app.sessions[0].end()
        await app.stop()

        reason = app.sessions[0].stop_reason
        assert reason == StopReason(StopKind.STOP_REQUESTED, "user_disabled")


async def test_a_session_may_be_ended_from_outside_its_handler(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        socket = await app.start()
        await app.sessions[0].end()
        await socket.expect("ownership_release")


async def test_a_stop_sends_no_release(autojump_clock: MockClock) -> None:
    """The cloud knows."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        socket = await app.start()
        await app.stop()
        await socket.wait_closed()

        assert await types(socket) == []


# The stop handler


async def test_the_stop_handler_runs_after_the_handler(autojump_clock: MockClock) -> None:
    order: list[str] = []

    async def handler(session: MentraSession) -> None:
        try:
            await trio.sleep_forever()
        finally:
            order.append("handler ended")

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.sleep(1)
        order.append(f"stopped: {reason}")
        assert session is app.sessions[0]

    async with open_cloud() as cloud, open_app(cloud, handler, on_stop=on_stop) as app:
        socket = await app.start()
        await app.stop()
        await socket.wait_closed()

        assert order == ["handler ended", "stopped: stop_requested (user_disabled)"]
        assert trio.current_time() == 6


@pytest.mark.parametrize("how", ["stop", "cloud", "end", "crash", "server"])
async def test_the_stop_handler_is_told_of_every_end(autojump_clock: MockClock, how: str) -> None:
    told: list[StopKind] = []

    async def handler(session: MentraSession) -> None:
        if how == "crash":
            raise ValueError("bug")
        if how == "end":
            await session.end()
        async for _ in session.mic.stream():
            pass

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.lowlevel.checkpoint()
        told.append(reason.kind)

    async with open_cloud() as cloud, open_app(cloud, handler, on_stop=on_stop) as app:
        socket = await app.start()
        if how == "stop":
            await app.stop()
        elif how == "cloud":
            await socket.send("app_stopped")
        if how != "server":
            await socket.wait_closed()

    assert told == [
        {
            "stop": StopKind.STOP_REQUESTED,
            "cloud": StopKind.STOPPED_BY_CLOUD,
            "end": StopKind.ENDED_BY_APP,
            "crash": StopKind.HANDLER_FAILED,
            "server": StopKind.SERVER_STOPPED,
        }[how]
    ]


async def test_the_stop_handler_does_not_run_for_a_session_that_never_came_up(autojump_clock: MockClock) -> None:
    told: list[StopReason] = []

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.lowlevel.checkpoint()
        told.append(reason)

    async with open_cloud() as cloud, open_app(cloud, on_stop=on_stop) as app:
        assert (await app.start_soon().answer()).status == 502

    assert told == []


async def test_an_error_of_the_stop_handler_is_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError("bug")

    async with open_cloud() as cloud, open_app(cloud, on_stop=on_stop) as app:
        socket = await app.start()
        await app.stop()

        assert await socket.wait_closed() == CLOSED_BY_APP
    (record,) = errors(caplog)
    assert "stop handler" in record.getMessage()


async def test_a_slow_stop_handler_is_cancelled_after_its_grace(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.sleep_forever()

    async with open_cloud() as cloud, open_app(cloud, handler, on_stop=on_stop) as app:
        socket = await app.start()
        await app.stop()
        await socket.wait_closed()

        assert trio.current_time() == 5
        (warning,) = warnings(caplog)
        assert "stop handler" in warning


async def test_a_stop_handler_that_hangs_in_a_shield_does_not_hold_the_link(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    release = trio.Event()

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        with trio.move_on_after(500, shield=True):
            await release.wait()

    async with open_cloud() as cloud, open_app(cloud, handler, on_stop=on_stop) as app:
        socket = await app.start()
        await app.stop()
        assert await socket.wait_closed() == CLOSED_BY_APP

        assert trio.current_time() == 6
        release.set()


async def test_the_stop_handler_may_show_a_goodbye_after_the_apps_own_end(autojump_clock: MockClock) -> None:
    async def handler(session: MentraSession) -> None:
        await session.end()

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await session.display.show_text_wall("goodbye")

    async with open_cloud() as cloud, open_app(cloud, handler, on_stop=on_stop) as app:
        socket = await app.start()
        await socket.wait_closed()

        assert await types(socket) == ["display_event", "ownership_release"]
