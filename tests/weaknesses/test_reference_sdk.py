"""The known weaknesses of MentraOS's own SDK, one by one: `test_weakness_07_...` is number 7 of P1 3.5.

Those of parts that this package does not have are in `test_every_one.py`, each with its reason.
"""

import logging
import socket
from collections.abc import Mapping
from typing import ClassVar

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import mentra_trio
from mentra_trio import (
    CloudRefusedError,
    ConfigError,
    EventStream,
    LedError,
    LinkDownError,
    LinkState,
    LocationAccuracy,
    MentraError,
    MentraSession,
    MiniAppServer,
    RequestTimedOutError,
    SessionClosedError,
    SessionConfig,
    SlowConsumerError,
    StopKind,
    StopReason,
    StorageError,
)
from mentra_trio._wire.outbound import Family, Request
from mentra_trio.errors import DeviceUnavailableError, PermissionDeniedError, PhotoError, PlaybackError, StreamError
from tests.net.test_asgi import call
from tests.net.test_uploads import JPEG, MULTIPART, form, part, photo
from tests.scripted_cloud import (
    CLOSED_BY_APP,
    OTHER_HOST,
    PACKAGE,
    USER,
    Choosing,
    connected,
    open_app,
    open_cloud,
    session_request,
)
from tests.weaknesses.simulated import open_simulated

LONG = 600.0
"""Seconds in which anything that was scheduled by mistake would have happened."""


@attrs.frozen(kw_only=True)
class Ask(Request[str]):
    """A request with an answer, as the photo or the stream of a manager is."""

    TYPE: ClassVar[str] = "ask"
    FAMILY: ClassVar[Family] = Family.PHOTO
    LIMIT: ClassVar[float] = 30.0

    def accept(self, message: Mapping[str, object], /) -> str | None:
        return str(message["text"]) if message.get("type") == "answer" else None


@pytest.mark.parametrize(
    "url",
    [
        "wss://evil.example.com/ws/miniapp",
        "wss://evilmentra.glass/ws/miniapp",
        "wss://api.mentra.glass.evil.example.com/ws/miniapp",
        "wss://api.mentra.glass@evil.example.com/ws/miniapp",
        "wss://evil.example.com#api.mentra.glass/",
        "ws://api.mentra.glass/ws/miniapp",
        "ws://api.mentra.glass:443/ws/miniapp",
        "wss://api.mentra.glass:8443/ws/miniapp",
        "wss://127.0.0.1/ws/miniapp",
        "https://api.mentra.glass/ws/miniapp",
    ],
)
async def test_weakness_01_the_key_goes_to_no_host_that_a_webhook_made_up(autojump_clock: MockClock, url: str) -> None:
    """P1 3.5 #1: whoever reaches the webhook could collect the API key."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        answer = await app.post(session_request(websocketUrl=url))
        await trio.sleep(LONG)

        assert answer.status == 403
        assert cloud.dials == []


async def test_weakness_02_what_is_sent_without_a_link_arrives_later(autojump_clock: MockClock) -> None:
    """P1 3.5 #2: sends vanish while the socket is not open, and no caller ever knows."""
    async with connected() as link, trio.open_nursery() as nursery:
        await link.socket.cut()
        await wait_all_tasks_blocked()
        nursery.start_soon(link.session.raw.send, "custom")
        await link.session.display.show_text_wall("hello")
        socket = await link.next_socket()
        await wait_all_tasks_blocked()

        assert {message["type"] for message in socket.unread()} == {"custom", "display_event"}


async def test_weakness_02_what_cannot_be_sent_any_more_raises(autojump_clock: MockClock) -> None:
    """P1 3.5 #2: a caller that is not told goes on as if the wearer had seen it."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        await (await app.start()).close(1000, "App stopped")
        await wait_all_tasks_blocked()
        (session,) = app.sessions

        with pytest.raises(SessionClosedError):
            await session.display.show_text_wall("hello")
        with pytest.raises(SessionClosedError):
            await session.raw.send("custom")


async def test_weakness_02_what_was_lost_in_the_middle_of_its_write_is_counted(autojump_clock: MockClock) -> None:
    """P1 3.5 #2: send errors are swallowed."""
    async with connected() as link:
        link.socket.line.block()
        await link.session.raw.send("custom")
        await wait_all_tasks_blocked()
        await link.socket.cut()
        socket = await link.next_socket()
        await wait_all_tasks_blocked()

        assert link.session.statistics().messages_lost == 1
        assert socket.unread() == []


async def test_weakness_03_reconnecting_outlasts_a_minute_without_a_cloud(autojump_clock: MockClock) -> None:
    """P1 3.5 #3: two or three attempts in 7 s are fewer than one restart of the cloud takes."""
    stops: list[StopReason] = []

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        stops.append(reason)
        await trio.lowlevel.checkpoint()

    async with open_cloud() as cloud, open_app(cloud, on_stop=on_stop) as app:
        lost = await app.start()
        cloud.is_unreachable = True
        await lost.cut()
        await trio.sleep(60)
        times = [when for when, _ in cloud.dials[1:]]
        cloud.is_unreachable = False
        await (await cloud.accept()).handshake()
        await wait_all_tasks_blocked()

        assert len(times) >= 10, "even the longest pauses of the back-off leave time for these"
        assert len(set(times)) == len(times), "an attempt was scheduled twice"
        assert app.sessions[0].connections == 2
        assert stops == []


async def test_weakness_03_the_end_is_told_once(autojump_clock: MockClock) -> None:
    """P1 3.5 #3: a failed attempt counts twice there, and so does the permanent end."""
    stops: list[StopReason] = []

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        stops.append(reason)
        await trio.lowlevel.checkpoint()

    async with open_cloud() as cloud, open_app(cloud, on_stop=on_stop) as app:
        lost = await app.start()
        cloud.is_unreachable = True
        await lost.cut()
        await trio.sleep(200)
        known = len(cloud.dials)
        await trio.sleep(LONG)

        assert [reason.kind for reason in stops] == [StopKind.LINK_LOST]
        assert len(cloud.dials) == known


@pytest.mark.parametrize(("chance", "at"), [(0.0, 0.0), (0.5, 0.125), (1.0, 0.25)])
async def test_weakness_03_chance_decides_when(autojump_clock: MockClock, chance: float, at: float) -> None:
    """P1 3.5 #3: fifty sockets that come back in step have brought a cloud down."""
    async with connected(random=Choosing(chance)) as link:
        await link.socket.cut()
        await link.cloud.accept()

        assert [when for when, _ in link.cloud.dials[1:]] == [at]


@pytest.mark.parametrize(("chance", "times"), [(0.5, [0.125, 0.375, 0.875]), (1.0, [0.25, 0.75, 1.75])])
async def test_weakness_03_chance_decides_also_when_it_is_tried_again(
    autojump_clock: MockClock, chance: float, times: list[float]
) -> None:
    """P1 3.5 #3: a cloud that is down for a while must not meet all of them at the same moment either."""
    async with connected(random=Choosing(chance)) as link:
        link.cloud.is_unreachable = True
        await link.socket.cut()
        await trio.sleep(2)

        assert [when for when, _ in link.cloud.dials[1:4]] == times


async def test_weakness_04_a_start_without_an_ack_is_no_success(autojump_clock: MockClock) -> None:
    """P1 3.5 #4: the webhook is answered 200 although the cloud has accepted nothing, and the wait never ends."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.start_soon()
        socket = await cloud.accept()
        await socket.open()
        answer = await call.answer()
        await wait_all_tasks_blocked()

        assert (answer.status, answer.at) == (502, 4.0)
        assert not socket.is_open
        assert app.sessions == []


async def test_weakness_04_a_reconnect_without_an_ack_is_tried_again(autojump_clock: MockClock) -> None:
    """P1 3.5 #4: later sockets wait for ever just the same."""
    async with connected() as link:
        await link.socket.cut()
        mute = await link.cloud.accept()
        await link.next_socket()
        await wait_all_tasks_blocked()

        assert not mute.is_open
        assert link.session.link_state.value is LinkState.CONNECTED


async def test_weakness_05_the_handler_finds_all_that_the_ack_tells(autojump_clock: MockClock) -> None:
    """P1 3.5 #5: a handler that runs before the ack sees empty settings, and its first requests race the cloud."""
    found: list[object] = []

    async def handler(session: MentraSession) -> None:
        found.append(session.link_state.value)
        found.append(session.settings.get("lang", ""))
        found.append(session.settings.system.value.user_timezone)
        found.append(session.device.state.value.battery_level)
        capabilities = session.device.capabilities.value
        found.append(capabilities and capabilities.model_name)
        await trio.lowlevel.checkpoint()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        app.start_soon()
        socket = await cloud.accept()
        await socket.open()
        await trio.sleep(1)
        assert found == []
        await socket.ack(
            settings=[{"key": "lang", "value": "de"}],
            mentraosSettings={"userTimezone": "Europe/Berlin"},
            capabilities={"modelName": "Even Realities G1"},
        )
        await trio.sleep(0.05)
        await socket.send("device_state_update", state={"batteryLevel": 80}, fullSnapshot=True)
        await wait_all_tasks_blocked()

        assert found == [LinkState.CONNECTED, "de", "Europe/Berlin", 80, "Even Realities G1"]


@pytest.mark.parametrize("is_old", [False, True])
async def test_weakness_06_a_half_open_socket_is_noticed(autojump_clock: MockClock, is_old: bool) -> None:
    """P1 3.5 #6: nobody looks at the pongs, so a session can be deaf for hours. Old clouds send none (P1 2.8)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.answers_pings = not is_old
        socket = await app.start()
        await trio.sleep(100)
        socket.line.lose_peer()
        gone = trio.current_time()
        await (await cloud.accept()).handshake()

        config = SessionConfig()
        assert trio.current_time() - gone <= config.ping_interval + config.pong_timeout + config.close_timeout + 0.25


@pytest.mark.parametrize("code", ["SESSION_EXPIRED", "SESSION_NOT_FOUND"])
async def test_weakness_07_an_unknown_session_begins_anew_on_a_new_socket(autojump_clock: MockClock, code: str) -> None:
    """P1 3.5 #7: an init on the socket that the cloud is closing is lost, and `reconnect` is repeated until the end."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        await (await app.start()).cut()
        refused = await cloud.accept()
        await refused.expect("reconnect")
        await refused.send("reconnect_rejected", code=code, message="no")
        fresh = await cloud.accept()
        first = await fresh.open()
        await fresh.ack()
        await wait_all_tasks_blocked()

        assert first["type"] == "tpa_connection_init"
        assert refused.unread() == []
        assert len(app.sessions) == 1
        assert app.sessions[0].link_state.value is LinkState.CONNECTED


@pytest.mark.parametrize("how", ["NOT_RUNNING", "BOOT_TIMEOUT", "park", "mute park"])
async def test_weakness_08_after_the_end_nothing_reconnects(autojump_clock: MockClock, how: str) -> None:
    """P1 3.5 #8: zombies attach to a session that the app has already taken leave of."""
    stops: list[StopReason] = []

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        stops.append(reason)
        await trio.lowlevel.checkpoint()

    async with open_cloud() as cloud, open_app(cloud, on_stop=on_stop) as app:
        await (await app.start()).cut()
        socket = await cloud.accept()
        await socket.expect("reconnect")
        if "park" in how:
            await socket.send("reconnect_deferred", code="BOOTING", timeoutMs=30000)
        if how == "park":
            await trio.sleep(30)
            await socket.send("reconnect_rejected", code="BOOT_TIMEOUT")
            await socket.close(1008, "Deferred reconnect timed out")
        elif how != "mute park":
            await socket.send("reconnect_rejected", code=how)
        await trio.sleep(LONG)

        assert len(cloud.dials) == 2
        assert len(stops) == 1
        assert app.server.session_for(USER) is None


@pytest.mark.parametrize("how", ["refused", "silent", "503"])
async def test_weakness_09_a_failed_first_connect_leaves_nothing(autojump_clock: MockClock, how: str) -> None:
    """P1 3.5 #9: what is left there connects later, and holds a live session that nobody owns."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        await wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        cloud.is_unreachable = how == "refused"
        cloud.is_silent = how == "silent"
        cloud.status = 503 if how == "503" else None
        assert (await app.start_soon().answer()).status == 502
        cloud.is_unreachable = cloud.is_silent = False
        cloud.status = None
        await trio.sleep(LONG)

        assert len(cloud.dials) == 1
        assert cloud.sockets == []
        assert app.server.session_for(USER) is None
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        await app.start()
        assert len(cloud.sockets) == 1


async def test_weakness_09_a_start_that_took_too_long_leaves_nothing(autojump_clock: MockClock) -> None:
    """P1 3.5 #9: an ack that comes after the webhook's bad answer must find nobody."""
    async with open_cloud() as cloud, open_app(cloud, config=SessionConfig(start_timeout=2)) as app:
        call = app.start_soon()
        socket = await cloud.accept()
        await socket.open()
        answer = await call.answer()
        await wait_all_tasks_blocked()

        assert (answer.status, answer.at) == (502, 2.0)
        assert not socket.is_open
        assert app.server.session_for(USER) is None
        await trio.sleep(LONG)
        assert len(cloud.dials) == 1


@pytest.mark.parametrize("code", ["INVALID_API_KEY", "APP_DEPRECATED", "APP_NOT_STARTED"])
async def test_weakness_10_a_refused_start_is_not_repeated_and_says_why(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    """P1 3.5 #10: a wrong key is tried three times, and its code reaches nobody."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.start_soon()
        socket = await cloud.accept()
        await socket.open()
        await socket.send("tpa_connection_error", code=code, message="no")
        answer = await call.answer()
        await trio.sleep(LONG)

        assert answer.status == 502
        assert code in answer.body["message"]
        assert code in caplog.text
        assert len(cloud.dials) == 1


async def test_weakness_10_a_refused_reconnect_keeps_its_code(autojump_clock: MockClock) -> None:
    """P1 3.5 #10: only the text reaches the error event there."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        await (await app.start()).cut()
        socket = await cloud.accept()
        await socket.open()
        await socket.send("tpa_connection_error", code="INVALID_API_KEY", message="no")
        await trio.sleep(LONG)
        (session,) = app.sessions

        assert session.stop_reason == StopReason(StopKind.REFUSED, "INVALID_API_KEY")
        with pytest.raises(SessionClosedError, match="INVALID_API_KEY"):
            await session.raw.send("custom")
        assert len(cloud.dials) == 2


async def test_weakness_11_a_refused_request_fails_at_once_and_the_session_goes_on(autojump_clock: MockClock) -> None:
    """P1 3.5 #11: the request hangs until its 30 s are over, and the refusal looks like a lost connection."""
    async with connected() as link, trio.open_nursery() as nursery:
        failures: list[tuple[float, str]] = []

        async def ask() -> None:
            try:
                await link.runtime.call(Ask())
            except PermissionDeniedError as error:
                failures.append((trio.current_time(), error.permission))

        nursery.start_soon(ask)
        await link.socket.expect("ask")
        await trio.sleep(20)
        refused_at = trio.current_time()
        await link.socket.send(
            "tpa_connection_error", code="PERMISSION_DENIED", message="Camera permission required to take photos"
        )
        await link.socket.close(1008, "Camera permission required to take photos")
        await link.next_socket()

        assert failures == [(refused_at, "CAMERA")]
        assert link.session.stop_reason is None


async def test_weakness_11_the_close_that_follows_a_refusal_is_no_lost_connection(autojump_clock: MockClock) -> None:
    """P1 3.5 #11: it uses up an attempt there, and the next one waits for longer. The socket was sound."""
    async with connected(random=Choosing(1.0)) as link:
        socket = link.socket
        for _ in range(3):  # so that the next pause would be a long one
            await socket.cut()
            socket = await link.next_socket()
        for _ in range(3):
            await trio.sleep(6)
            refused_at = trio.current_time()
            await socket.send("tpa_connection_error", code="INTERNAL_ERROR", message="Cannot process photo request")
            await socket.close(1008, "Cannot process photo request")
            socket = await link.next_socket()

            assert trio.current_time() - refused_at <= 0.25


async def test_weakness_11_the_end_of_the_session_fails_what_waits(autojump_clock: MockClock) -> None:
    """P1 3.5 #11: nothing fails the requests that nobody can answer any more."""
    async with connected() as link, trio.open_nursery() as nursery:
        failures: list[float] = []

        async def ask() -> None:
            with pytest.raises(SessionClosedError):
                await link.runtime.call(Ask())
            failures.append(trio.current_time())

        nursery.start_soon(ask)
        await link.socket.expect("ask")
        await trio.sleep(2)
        await link.socket.send("app_stopped")
        await wait_all_tasks_blocked()

        assert failures == [2]


async def test_weakness_12_a_parked_socket_is_pinged_and_nothing_else_is_sent(autojump_clock: MockClock) -> None:
    """P1 3.5 #12: pings stop, and what is sent is answered with an error."""
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.expect("reconnect")
        await socket.send("reconnect_deferred", code="BOOTING", timeoutMs=30000)
        await link.session.display.show_text_wall("later")
        async with link.session.mic.stream():
            await trio.sleep(25)
            assert len(socket.times_of("ping")) == 3
            assert socket.unread() == []
            await socket.ack()
            await wait_all_tasks_blocked()

        assert [message["type"] for message in socket.unread()] == ["subscription_update", "display_event"]


async def test_weakness_12_a_parked_socket_that_closes_is_replaced_at_once(autojump_clock: MockClock) -> None:
    """P1 3.5 #12: its close is not noticed until the park timer ends."""
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.send("reconnect_deferred", code="BOOTING", timeoutMs=30000)
        await trio.sleep(10)
        await socket.close(1001, "Server shutting down")
        await link.next_socket()

        assert trio.current_time() - 10 <= 0.5


@pytest.mark.parametrize("apart", [0.0, 0.05, 0.1, 3.0])
async def test_weakness_13_a_repeated_session_request_keeps_the_session(
    autojump_clock: MockClock, apart: float
) -> None:
    """P1 3.5 #13: the session is destroyed and the author's code runs again; within 100 ms sockets leak."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        calls = [app.start_soon()]
        await trio.sleep(apart)
        calls.append(app.start_soon())
        while not all(call.is_answered for call in calls):
            socket = await cloud.accept()
            await socket.open()
            await socket.ack()
            await wait_all_tasks_blocked()

        assert [(await call.answer()).status for call in calls] == [200, 200]
        assert not old.is_open
        assert sum(each.is_open for each in cloud.sockets) == 1
        assert len(app.sessions) == 1
        assert app.server.session_for(USER) is app.sessions[0]
        await app.stop()
        await trio.sleep(10)
        assert not any(each.is_open for each in cloud.sockets)


@pytest.mark.parametrize("apart", [0.0, 0.05, 1.0])
async def test_weakness_13_a_first_session_request_that_is_repeated_opens_one_socket(
    autojump_clock: MockClock, apart: float
) -> None:
    """P1 3.5 #13: each request opens its own, and nobody knows of the others."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        calls = [app.start_soon()]
        await trio.sleep(apart)
        calls.append(app.start_soon())
        socket = await cloud.accept()
        await wait_all_tasks_blocked()
        await socket.handshake()

        assert [(await call.answer()).status for call in calls] == [200, 200]
        assert len(cloud.dials) == 1


async def test_weakness_14_the_same_cloud_gets_no_release(autojump_clock: MockClock) -> None:
    """P1 3.5 #14: it would throw the preserved subscriptions away."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start()
        app.start_soon()
        new = await cloud.accept()
        await new.handshake()

        assert old.unread() == []
        app.start_soon(host=OTHER_HOST)
        await (await cloud.accept()).handshake()
        assert [message["type"] for message in new.unread()] == ["ownership_release"]


async def test_weakness_15_the_stop_webhook_is_answered_before_the_authors_code(autojump_clock: MockClock) -> None:
    """P1 3.5 #15: the cloud waits for the answer without a limit, so slow clean-up freezes the wearer's stop."""
    finished: list[float] = []

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.sleep(3)
        finished.append(trio.current_time())

    async with open_cloud() as cloud, open_app(cloud, on_stop=on_stop, config=SessionConfig(stop_grace=4)) as app:
        await app.start()
        answer = await app.stop()
        await trio.sleep(10)

        assert (answer.status, answer.at) == (200, 0)
        assert finished == [4 + 3]


@pytest.mark.parametrize("how", ["webhook", "message", "close", "user gone", "webhook and message"])
async def test_weakness_16_every_end_is_told_once_in_one_way(autojump_clock: MockClock, how: str) -> None:
    """P1 3.5 #16: three end signals with three reasons, of which one normally never comes."""
    told: list[str] = []

    async def handler(session: MentraSession) -> None:
        async with session.device.buttons.stream() as presses:
            async for _ in presses:
                pass
        assert session.stop_reason is not None
        told.append(f"stream {session.stop_reason.kind.name}")

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        assert reason == session.stop_reason
        told.append(f"stop {reason.kind.name}")
        await trio.lowlevel.checkpoint()

    async with open_cloud() as cloud, open_app(cloud, handler, on_stop=on_stop) as app:
        socket = await app.start()
        if "webhook" in how:
            await app.stop()
        if "message" in how and socket.is_open:
            await socket.send("app_stopped")
        if how == "close":
            await socket.close(1000, "App stopped")
        if how == "user gone":
            await socket.send("app_stopped")
            await socket.close(1000, "User session ended")
        await trio.sleep(LONG)

        kind = "STOP_REQUESTED" if "webhook" in how else "STOPPED_BY_CLOUD"
        assert told == [f"stream {kind}", f"stop {kind}"]


async def test_weakness_16_the_first_reason_stays(autojump_clock: MockClock) -> None:
    """P1 3.5 #16: whoever asks late is told of another end."""

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.sleep(2)
        told.append(reason)

    told: list[StopReason] = []
    async with open_cloud() as cloud, open_app(cloud, on_stop=on_stop) as app:
        socket = await app.start()
        await app.sessions[0].end()
        await trio.sleep(0.1)
        await socket.send("app_stopped")
        await app.stop()
        await trio.sleep(LONG)

        assert told == [StopReason(StopKind.ENDED_BY_APP)]
        assert app.sessions[0].stop_reason == told[0]


async def test_weakness_17_an_error_in_a_handler_is_logged_and_costs_only_that_run(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """P1 3.5 #17: it is printed to the console, or ends the process as an unhandled rejection."""

    async def fail() -> None:
        await trio.sleep(1)
        raise ZeroDivisionError

    async def handler(session: MentraSession) -> None:
        if session.user_id == USER:
            async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - the error comes in a group
                nursery.start_soon(fail)
        else:
            await trio.sleep_forever()

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        bad = await app.start()
        good = await app.start("bo@example.com")
        await trio.sleep(1.75)
        records = [record for record in caplog.records if record.levelno == logging.ERROR]

        assert [record.exc_info is not None for record in records] == [True]
        assert [session.user_id for session in app.sessions].count(USER) == 2, "it was started again"
        assert bad.is_open
        assert good.is_open


async def test_weakness_20_the_http_address_comes_from_the_session(autojump_clock: MockClock) -> None:
    """P1 3.5 #20: it falls back to `http://localhost:8002`, where storage and speech break without a word."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        assert app.sessions[0].base_url == "https://api.mentra.glass"
        app.start_soon(host=f"{OTHER_HOST}:443")
        await (await cloud.accept()).handshake()

        assert app.sessions[0].base_url == f"https://{OTHER_HOST}"


@pytest.mark.parametrize("key", ["userTimezone", "timezone"])
async def test_weakness_21_the_time_zone_is_read_and_kept(autojump_clock: MockClock, key: str) -> None:
    """P1 3.5 #21: the name is read under a key that is not sent, and updates are never subscribed."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        app.start_soon()
        socket = await cloud.accept()
        subscribed = await socket.handshake(mentraosSettings={key: "Europe/Berlin"})
        await wait_all_tasks_blocked()
        system = app.sessions[0].settings.system

        assert system.value.user_timezone == "Europe/Berlin"
        assert "augmentos:*" in subscribed["subscriptions"]
        await socket.send("augmentos_settings_update", settings={key: "Asia/Tokyo"})
        assert (await system.wait_for(lambda now: now.user_timezone != "Europe/Berlin")).user_timezone == "Asia/Tokyo"


async def test_weakness_22_a_setting_falls_back_to_the_default_of_the_console(autojump_clock: MockClock) -> None:
    """P1 3.5 #22: until the wearer first changes something the wire carries defaults alone."""
    definitions = [{"key": "size", "type": "slider", "label": "Size", "defaultValue": 3, "min": 1, "max": 5}]
    async with connected(settings=definitions) as link:
        settings = link.session.settings
        assert settings.get("size", 1) == 3
        await link.socket.send("settings_update", packageName=PACKAGE, settings=[{"key": "size", "value": 5}])
        await wait_all_tasks_blocked()
        assert settings.get("size", 1) == 5
        await link.socket.send("settings_update", packageName=PACKAGE, settings=[{"key": "other", "value": 1}])
        await wait_all_tasks_blocked()

        assert settings.get("size", 1) == 3


async def test_weakness_23_the_rate_of_positions_reaches_the_cloud(autojump_clock: MockClock) -> None:
    """P1 3.5 #23: the plain string asks for no tier, so the phone stays as vague as it is."""
    async with (
        connected() as link,
        link.session.location.stream(LocationAccuracy.REALTIME),
        link.session.location.stream(LocationAccuracy.STANDARD),
    ):
        await wait_all_tasks_blocked()

        assert link.socket.unread()[-1]["subscriptions"] == [
            {"stream": "location_stream", "rate": "realtime"},
            "augmentos:*",
        ]


async def test_weakness_24_language_streams_are_spelled_as_the_cloud_parses_them(autojump_clock: MockClock) -> None:
    """P1 3.5 #24: `transcription:en` is stored, answered by silence, and stops the wearer's other apps."""
    async with connected() as link:
        speech = link.session.transcription
        async with speech.stream("en"), speech.stream("pt_br", "ZH-hans-cn"), speech.stream():
            await wait_all_tasks_blocked()
            update = link.socket.unread()[-1]

        assert update["subscriptions"] == [
            "transcription:en-US",
            "transcription:pt-BR",
            "transcription:zh-CN",
            "transcription:auto",
            "augmentos:*",
        ]
        translation = link.session.translation
        async with translation.to("es").stream(), translation.between("en", "ja").stream():
            await wait_all_tasks_blocked()
            update = link.socket.unread()[-1]

        assert update["subscriptions"] == ["translation:all-to-es-ES", "translation:en-US-to-ja-JP", "augmentos:*"]
        for name in ("transcription:en", "translation:auto-es", "translation:en-ja"):
            with pytest.raises(ValueError, match="other apps"):
                link.session.raw.stream(name)


async def test_weakness_25_hints_go_where_the_cloud_reads_them(autojump_clock: MockClock) -> None:
    """P1 3.5 #25: `transcription_config` is a message that the cloud does not know."""
    async with connected() as link:
        async with link.session.transcription.stream("en", hints=["ja", "fr-CA"]):
            await link.socket.cut()
            socket = await link.cloud.accept()
            update = await socket.handshake()
        await wait_all_tasks_blocked()

        assert update["subscriptions"] == ["transcription:en-US?hints=fr%2Cja", "augmentos:*"]
        sent = {message["type"] for _, message in (*link.socket.received, *socket.received)}
        assert sent == {"tpa_connection_init", "reconnect", "subscription_update"}


async def test_weakness_26_what_waits_to_be_sent_is_bounded(autojump_clock: MockClock) -> None:
    """P1 3.5 #26: without a link everything piles up."""
    async with connected(config=SessionConfig(pending_capacity=3)) as link, trio.open_nursery() as nursery:
        link.socket.line.block()
        await link.session.raw.send("the one that is being written")
        await wait_all_tasks_blocked()
        for number in range(SessionConfig().queue_capacity):
            await link.session.raw.send("custom", number=number)
        for number in range(1000):
            await link.session.display.show_text_wall(str(number))
        with pytest.raises(LinkDownError):
            await link.session.raw.send("one too many")

        outbox = link.session.statistics().outbox
        assert (outbox.queued, outbox.lanes, outbox.refused) == (64, 1, 1)
        link.socket.line.unblock()
        await wait_all_tasks_blocked()
        for _ in range(3):
            nursery.start_soon(link.runtime.call, Ask())
        await wait_all_tasks_blocked()
        with pytest.raises(LinkDownError):
            await link.runtime.call(Ask())
        nursery.cancel_scope.cancel()


async def test_weakness_26_what_waits_to_be_read_is_bounded(autojump_clock: MockClock) -> None:
    """P1 3.5 #26: a loop that does not keep up must cost neither the memory nor the connection."""
    async with connected() as link:
        session = link.session
        async with (
            session.mic.stream() as sound,
            session.raw.messages() as messages,
            session.transcription.stream() as speech,
            session.device.buttons.stream() as presses,
            session.device.head.stream() as moves,
        ):
            for number in range(1000):
                await link.socket.send_audio(b"\0\0")
                await link.socket.say(
                    str(number), final=False, utterance=str(number % 300), stream="transcription:auto"
                )
                await link.socket.event("button_press", buttonId="main", pressType="short")
                await link.socket.event("head_position", position="up")
            await link.socket.frame_ping()
            await wait_all_tasks_blocked()
            streams: list[EventStream[object]] = [sound, messages, speech, presses, moves]

            assert [stream.statistics().buffered for stream in streams] == [100, 256, 256, 64, 1]
            for stream in streams:
                counts = stream.statistics()
                assert counts.received == counts.buffered + counts.coalesced + counts.dropped


async def test_weakness_27_a_stop_of_the_server_lets_last_words_out(autojump_clock: MockClock) -> None:
    """P1 3.5 #27: sockets are torn down while clean-up still writes. Signals as such: `tests/server/test_run.py`."""

    async def handler(session: MentraSession) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await session.raw.send("saved")
                await session.display.show_text_wall("bye")

    async with open_cloud() as cloud:
        async with open_app(cloud, handler) as app:
            socket = await app.start()
        assert await socket.wait_closed() == CLOSED_BY_APP

        # No release: the cloud must start the app again when the server is back (P1 2.7).
        assert {message["type"] for message in socket.unread()} == {"saved", "display_event"}


async def test_weakness_27_a_stop_of_the_server_waits_for_the_last_display(autojump_clock: MockClock) -> None:
    """P1 3.5 #27: what is sent last goes out last, so it needs the link the longest: displays keep a pace."""

    async def handler(session: MentraSession) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await session.display.show_text_wall("saving")
                await trio.sleep(0.1)
                await session.display.show_text_wall("bye")

    async with open_cloud() as cloud:
        async with open_app(cloud, handler) as app:
            socket = await app.start()
        assert await socket.wait_closed() == CLOSED_BY_APP

        assert [message["layout"]["text"] for message in socket.unread()] == ["saving", "bye"]


async def test_weakness_27_a_stop_of_the_server_stores_what_was_set_last(autojump_clock: MockClock) -> None:
    """P1 3.5 #27: the flush of stored values is not awaited, so late writes are lost."""

    async def handler(session: MentraSession) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await session.storage.set("page", "12")

    async with open_simulated(handler) as world:
        await trio.sleep(1)
        world.cloud.faults.http_delay = 0.5

    assert world.user.stored_values(PACKAGE) == {"page": "12"}


async def test_weakness_30_nobody_on_the_internet_is_asked_at_the_start(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1 3.5 #30: looking newer versions up delays every start, and tells others who runs what."""
    asked: list[object] = []

    def refuse(*args: object, **_: object) -> None:
        asked.append(args)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        await trio.sleep(LONG)

    assert asked == []


async def test_weakness_28_an_uploaded_photo_reaches_the_call(autojump_clock: MockClock) -> None:
    """P1 3.5 #28: the upload is answered 404 there, and the call times out."""
    async with open_cloud() as cloud, open_app(cloud) as app, trio.open_nursery() as nursery:
        socket = await app.start()
        photos: list[bytes] = []

        async def take() -> None:
            photos.append((await app.sessions[0].camera.take_photo()).data)

        nursery.start_soon(take)
        asked = await socket.expect("photo_request")
        kind = [(b"content-type", MULTIPART.encode())]
        body = form(part("requestId", asked["requestId"]), photo())
        answer = await call(app.server.asgi, "POST", "/photo-upload", [body], headers=kind)
        await wait_all_tasks_blocked()

        assert answer.status == 200
        assert photos == [JPEG]


async def test_weakness_31_every_class_of_error_is_raised(autojump_clock: MockClock) -> None:
    """P1 3.5 #31: the documented error classes are never raised there, so nobody can catch them."""
    raised: set[type[MentraError]] = set()

    def note(error: MentraError) -> None:
        raised.add(type(error))

    with pytest.raises(ConfigError) as config:
        MiniAppServer("", "key")
    note(config.value)
    async with connected(config=SessionConfig(queue_capacity=1)) as link, trio.open_nursery() as nursery:
        session = link.session
        async with session.device.buttons.stream() as presses:
            for _ in range(65):
                await link.socket.event("button_press", buttonId="main", pressType="short")
            await wait_all_tasks_blocked()
            with pytest.raises(SlowConsumerError) as slow:
                async for _ in presses:
                    pass
            note(slow.value)

        async def refuse() -> None:
            await link.socket.send("tpa_connection_error", code="PERMISSION_DENIED", message="no photos")

        nursery.start_soon(refuse)
        with pytest.raises(CloudRefusedError) as refused:
            await link.runtime.call(Ask())
        note(refused.value)
        with pytest.raises(RequestTimedOutError) as late:
            await link.runtime.call(Ask())
        note(late.value)

        async def deny() -> None:
            text = "Camera permission required to take photos"
            await link.socket.send("tpa_connection_error", code="PERMISSION_DENIED", message=text)

        nursery.start_soon(deny)
        with pytest.raises(PermissionDeniedError) as denied:
            await link.runtime.call(Ask())
        note(denied.value)

        async def fail() -> None:
            while (asked := await link.socket.next())["type"] != "photo_request":
                pass
            await link.socket.send("photo_response", requestId=asked["requestId"], success=False)
            await link.socket.expect("managed_stream_request")
            await link.socket.send("managed_stream_status", status="error")
            asked = await link.socket.expect("audio_play_request")
            await link.socket.send("audio_play_response", requestId=asked["requestId"], success=False, error="no")
            await link.socket.expect("subscription_update")
            asked = await link.socket.expect("rgb_led_control")
            answer = "rgb_led_control_response"
            await link.socket.event(answer, type=answer, requestId=asked["requestId"], success=False)
            await link.socket.expect("subscription_update")
            await link.socket.send("capabilities_update", capabilities={"modelName": "G1", "hasCamera": False})

        services = trio.CancelScope()

        async def serve() -> None:
            with services:
                await link.runtime.run_services()

        nursery.start_soon(serve)
        nursery.start_soon(fail)
        with pytest.raises(PhotoError) as photo_failed:
            await session.camera.take_photo()
        note(photo_failed.value)
        with pytest.raises(StreamError) as stream_failed:
            async with session.camera.open_stream(clear=False):
                pass
        note(stream_failed.value)
        with pytest.raises(PlaybackError) as unplayed:
            await session.speaker.play("https://example.com/a.mp3")
        note(unplayed.value)
        with pytest.raises(LedError) as dark:
            await session.led.off(confirm=True)
        note(dark.value)
        await wait_all_tasks_blocked()
        with pytest.raises(DeviceUnavailableError) as unavailable:
            await session.camera.take_photo()
        note(unavailable.value)
        with pytest.raises(StorageError) as unread:
            await session.storage.keys()
        note(unread.value)
        services.cancel()
        await link.socket.cut()
        await wait_all_tasks_blocked()
        nursery.start_soon(session.raw.send, "custom")
        await wait_all_tasks_blocked()
        with pytest.raises(LinkDownError) as full:
            await session.raw.send("custom")
        note(full.value)
        socket = await link.next_socket()
        await socket.send("app_stopped")
        await socket.wait_closed()
        with pytest.raises(SessionClosedError) as over:
            await session.raw.send("custom")
        note(over.value)

    public = {getattr(mentra_trio, name) for name in mentra_trio.__all__ if name.endswith("Error")}
    assert raised == public - {MentraError}
