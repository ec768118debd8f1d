"""A lost connection comes back by itself, with the numbers of D20 and the rules of P1 2.6, 2.9 and 3.4."""

import itertools
import logging
from random import Random

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import Gap, LinkState, StopKind, StopReason
from mentra_trio._net.transport import CloudUrl
from mentra_trio.errors import HandshakeError, LinkLostError, SessionClosedError
from tests.scripted_cloud import (
    CLOSED_BY_APP,
    HOST,
    HUNG_UP,
    OTHER_HOST,
    PACKAGE,
    SESSION,
    Choosing,
    Connected,
    connected,
    open_cloud,
    open_link,
)


async def test_a_new_socket_begins_with_a_reconnect(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        message = await socket.open()
        timestamp = message.pop("timestamp")

        assert message == {"type": "reconnect", "sessionId": SESSION, "sdkVersion": "3.0.0-trio.test"}
        assert timestamp.endswith("Z")
        assert socket.headers["x-package-name"] == PACKAGE.encode()


async def test_the_ack_of_a_reconnect_brings_the_link_back(autojump_clock: MockClock) -> None:
    async with connected() as link:
        changes = link.session.link_state.changes()
        await link.socket.cut()
        assert await anext(changes) is LinkState.RECONNECTING
        await link.next_socket()
        assert await anext(changes) is LinkState.CONNECTED
        assert link.session.connections == 2
        assert link.session.stop_reason is None


async def test_the_end_of_a_loss_is_logged_as_loud_as_the_loss(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a developer reads that the connection was lost, and never that it is there again."""
    async with connected(random=Random(0)) as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        await trio.sleep(2)
        await socket.ack()
        await wait_all_tasks_blocked()
        seconds = trio.current_time()

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.partition("] ")[2] for text in warnings] == [
        "connection lost with code 1006",
        f"connected again after {seconds:.1f} s",
    ]


@pytest.mark.parametrize("seed", range(20))
async def test_the_first_attempt_comes_within_250_ms(autojump_clock: MockClock, seed: int) -> None:
    """The cloud waits only 5 s before it starts the app anew."""
    async with connected(random=Random(seed)) as link:
        await link.socket.cut()
        await link.cloud.accept()

        assert 0 <= trio.current_time() <= 0.25


@pytest.mark.parametrize("seed", range(5))
async def test_later_attempts_are_spread_over_a_doubling_range(autojump_clock: MockClock, seed: int) -> None:
    async with connected(random=Random(seed)) as link:
        link.cloud.is_unreachable = True
        await link.socket.cut()
        await trio.sleep(60)
        times = [when for when, _ in link.cloud.dials[1:]]
        pauses = [after - before for before, after in itertools.pairwise(times)]

        for pause, most in zip(pauses, [0.5, 1, 2, 4, 8, 10, 10, 10], strict=False):
            assert 0 <= pause <= most
        assert len(pauses) >= 5


async def test_the_longest_pauses_of_the_back_off(autojump_clock: MockClock) -> None:
    async with connected(random=Choosing(1.0)) as link:
        link.cloud.is_unreachable = True
        await link.socket.cut()
        await trio.sleep(50)
        times = [when for when, _ in link.cloud.dials]

        assert times == [0, 0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 25.75, 35.75, 45.75]


async def test_two_sessions_do_not_come_back_in_step(autojump_clock: MockClock) -> None:
    """Simultaneous reconnects have brought a cloud down (P1 3.4)."""
    times: list[list[float]] = []
    for seed in (1, 2):
        async with connected(random=Random(seed)) as link:
            start = trio.current_time()
            link.cloud.is_unreachable = True
            await link.socket.cut()
            await trio.sleep(10)
            times.append([when - start for when, _ in link.cloud.dials[1:]])

    assert times[0] != times[1]


async def test_reconnecting_goes_on_for_2_minutes_and_then_gives_up(autojump_clock: MockClock) -> None:
    """A restart of the cloud and its parking have to fit in (P1 3.4)."""
    async with connected(random=Choosing(1.0)) as link:
        link.cloud.is_unreachable = True
        await link.socket.cut()
        await link.runtime.over.wait()

        assert 120 <= trio.current_time() <= 130
        assert len(link.cloud.dials) == 18
        reason = link.session.stop_reason
        assert reason is not None
        assert reason.kind is StopKind.LINK_LOST
        assert isinstance(link.runtime.error, LinkLostError)


async def test_what_is_called_after_giving_up_tells_why(autojump_clock: MockClock) -> None:
    async with connected(random=Choosing(1.0)) as link:
        link.cloud.is_unreachable = True
        await link.socket.cut()
        await link.runtime.over.wait()
        with pytest.raises(SessionClosedError) as caught:
            await link.session.raw.send("late")

        assert isinstance(caught.value.__cause__, LinkLostError)


async def test_attempts_without_an_ack_count_as_failed(autojump_clock: MockClock) -> None:
    """The socket opens, and nobody answers: 4 s each, and the pause grows all the same."""
    async with connected(random=Choosing(1.0)) as link:
        await link.socket.cut()
        await trio.sleep(20)
        times = [when for when, _ in link.cloud.dials]

        # Closing costs nothing here: the peer answers the close.
        assert times == [0, 0.25, 4.75, 9.75, 15.75]
        assert [await socket.wait_closed() for socket in link.cloud.sockets[1:4]] == [CLOSED_BY_APP] * 3


async def flap(link: Connected, health: float) -> list[float]:
    """Lose the connection five times, each after so many seconds of health; give the pauses."""
    pauses: list[float] = []
    socket = link.socket
    for _ in range(5):
        await trio.sleep(health)
        lost_at = trio.current_time()
        await socket.cut()
        socket = await link.next_socket()
        pauses.append(trio.current_time() - lost_at)
    return pauses


async def test_a_connection_that_does_not_hold_makes_the_pauses_grow(autojump_clock: MockClock) -> None:
    async with connected(random=Choosing(1.0)) as link:
        assert await flap(link, 5) == [0.25, 0.5, 1, 2, 4]


async def test_after_60_s_of_health_the_back_off_begins_anew(autojump_clock: MockClock) -> None:
    async with connected(random=Choosing(1.0)) as link:
        assert await flap(link, 60) == [0.25, 0.25, 0.25, 0.25, 0.25]


@pytest.mark.parametrize("code", [1001, 1002, 1006, 1007, 1009, 1011, 1012, 3000, 4999])
async def test_a_close_that_says_nothing_final_leads_to_a_reconnect(autojump_clock: MockClock, code: int) -> None:
    """P1 2.9; unknown codes are passing ones (P1 3.4)."""
    async with connected() as link:
        if code == 1006:
            await link.socket.cut()
        else:
            await link.socket.close(code, "whatever")
        socket = await link.next_socket()

        assert link.session.connections == 2
        assert socket.received[0][1]["type"] == "reconnect"


async def test_a_plain_1000_leads_to_a_reconnect(autojump_clock: MockClock) -> None:
    """Only the reasons of P1 2.9 are final."""
    async with connected() as link:
        await link.socket.close(1000, "")
        await link.next_socket()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, "App stopped"),
        (1000, "User session ended"),
        (1000, "App session cleanup"),
        (1008, "Session ended"),
    ],
)
async def test_a_final_close_ends_the_session(autojump_clock: MockClock, code: int, reason: str) -> None:
    async with connected() as link:
        await link.socket.close(code, reason)
        await link.runtime.over.wait()
        await trio.sleep(300)

        assert link.session.stop_reason is not None
        assert link.session.stop_reason.kind is StopKind.STOPPED_BY_CLOUD
        assert link.session.stop_reason.detail == reason
        assert len(link.cloud.dials) == 1
        assert link.session.link_state.value is LinkState.CLOSED


async def test_app_stopped_ends_the_session_and_the_socket(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.send("app_stopped", timestamp="2026-06-14T09:12:33.481Z")

        assert await link.socket.wait_closed() == CLOSED_BY_APP
        assert link.session.stop_reason is not None
        assert link.session.stop_reason.kind is StopKind.STOPPED_BY_CLOUD
        assert link.socket.unread() == []
        await trio.sleep(300)
        assert len(link.cloud.dials) == 1


async def test_the_reason_of_app_stopped_is_kept(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.send("app_stopped", reason="system_stop")
        await link.runtime.over.wait()

        assert link.session.stop_reason is not None
        assert link.session.stop_reason.detail == "system_stop"


async def test_app_stopped_before_the_ack_ends_a_start(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        socket = await cloud.accept()
        await socket.send("app_stopped")
        await runtime.over.wait()

        assert not runtime.ready.is_set()


@pytest.mark.parametrize("code", ["NOT_RUNNING", "BOOT_TIMEOUT", "SESSION_STOPPED", "USER_STOPPED"])
async def test_a_permanent_rejection_ends_the_session(autojump_clock: MockClock, code: str) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.send("reconnect_rejected", code=code, message="no")
        await socket.close(1008, "App not running")
        await link.runtime.over.wait()
        await trio.sleep(300)

        assert isinstance(link.runtime.error, HandshakeError)
        assert link.runtime.error.code == code
        assert link.session.stop_reason is not None
        assert (link.session.stop_reason.kind, link.session.stop_reason.detail) == (StopKind.REFUSED, code)
        assert len(link.cloud.dials) == 2


@pytest.mark.parametrize("code", ["SESSION_EXPIRED", "SESSION_NOT_FOUND", "SOMETHING_NEW"])
async def test_an_unknown_session_begins_anew_on_a_new_socket(autojump_clock: MockClock, code: str) -> None:
    """An init on the rejected socket would be lost: the cloud is closing it (P1 2.6)."""
    async with connected(random=Choosing(1.0)) as link:
        await link.socket.cut()
        rejected = await link.cloud.accept()
        await rejected.open()
        await rejected.send("reconnect_rejected", code=code, message="no")
        socket = await link.cloud.accept()

        assert trio.current_time() == 0.5
        assert rejected.unread() == []
        assert await rejected.wait_closed() == CLOSED_BY_APP
        assert (await socket.open())["type"] == "tpa_connection_init"
        await socket.ack()
        await link.session.link_state.wait_for(lambda state: state is LinkState.CONNECTED)


@pytest.mark.parametrize("code", ["SESSION_EXPIRED", "SESSION_NOT_FOUND"])
async def test_an_init_that_is_refused_too_ends_the_session(autojump_clock: MockClock, code: str) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.send("reconnect_rejected", code=code, message="no")
        socket = await link.cloud.accept()
        await socket.send("tpa_connection_error", code="SESSION_NOT_FOUND", message="no")
        await link.runtime.over.wait()
        await trio.sleep(300)

        assert len(link.cloud.dials) == 3
        assert isinstance(link.runtime.error, HandshakeError)


@pytest.mark.parametrize(
    "reason", ["Session expired", "Session not found", "Reconnect unsupported", "Reconnect unauthenticated"]
)
async def test_a_close_tells_what_its_message_would_have_told(autojump_clock: MockClock, reason: str) -> None:
    """The message before the close may be lost with the socket (P1 2.9)."""
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.close(1008, reason)
        socket = await link.cloud.accept()

        assert (await socket.open())["type"] == "tpa_connection_init"


@pytest.mark.parametrize(
    "reason", ["App not running", "Deferred reconnect timed out", "User session identity missing", "Invalid API key"]
)
async def test_a_final_close_of_a_handshake_without_its_message(autojump_clock: MockClock, reason: str) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.close(1008, reason)
        await link.runtime.over.wait()


@pytest.mark.parametrize("reason", ["", "Something new"])
async def test_another_1008_during_a_handshake_is_tried_again(autojump_clock: MockClock, reason: str) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.close(1008, reason)
        await link.next_socket()


async def test_a_wrong_key_ends_a_reconnect(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.send("tpa_connection_error", code="INVALID_API_KEY", message="no")
        await socket.close(1008, "Invalid API key")
        await link.runtime.over.wait()

        assert isinstance(link.runtime.error, HandshakeError)


@pytest.mark.parametrize("status", [404, 500, 502, 503])
async def test_a_refused_upgrade_is_tried_again(autojump_clock: MockClock, status: int) -> None:
    """503 is what a cloud says while it restarts (P1 2.1)."""
    async with connected(random=Choosing(1.0)) as link:
        link.cloud.status = status
        await link.socket.cut()
        await trio.sleep(30)
        link.cloud.status = None
        await link.next_socket()

        assert link.session.connections == 2
        assert link.session.statistics().connect_failures == len(link.cloud.dials) - 2


async def test_a_401_at_the_upgrade_is_final(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.cloud.status = 401
        await link.socket.cut()
        await link.runtime.over.wait()

        assert link.session.stop_reason is not None
        assert link.session.stop_reason.kind is StopKind.REFUSED


async def test_a_dial_without_an_answer_is_given_up_after_4_s(autojump_clock: MockClock) -> None:
    async with connected(random=Choosing(1.0)) as link:
        link.cloud.is_silent = True
        await link.socket.cut()
        await trio.sleep(10)

        assert [when for when, _ in link.cloud.dials] == [0, 0.25, 4.75, 9.75]


async def test_the_old_socket_is_closed_before_the_new_one_is_dialled(autojump_clock: MockClock) -> None:
    """A stale close would make the cloud forget the new socket (P1 2.10)."""
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        await socket.send("reconnect_rejected", code="SESSION_EXPIRED")
        await link.cloud.accept()

        assert socket.closed_at is not None
        assert link.cloud.dials[2][0] >= socket.closed_at


async def test_a_refused_request_and_its_1008_are_no_failure_of_the_connection(autojump_clock: MockClock) -> None:
    """So the pauses do not grow (P1 2.5 c): the connection itself was sound."""
    async with connected(random=Choosing(1.0)) as link:
        socket = link.socket
        for _ in range(6):
            await trio.sleep(5)
            at = trio.current_time()
            await socket.send("tpa_connection_error", code="INTERNAL_ERROR", message="Glasses not connected")
            await socket.close(1008, "Glasses not connected")
            socket = await link.next_socket()
            assert trio.current_time() - at == 0.25
            assert socket.received[0][1]["type"] == "reconnect"

        assert link.session.connections == 7


async def test_requests_that_fail_all_the_time_are_no_reason_for_a_storm(autojump_clock: MockClock) -> None:
    async with connected(random=Choosing(1.0)) as link:
        socket = link.socket
        pauses: list[float] = []
        for _ in range(5):
            at = trio.current_time()
            await socket.send("tpa_connection_error", code="INTERNAL_ERROR", message="Glasses not connected")
            await socket.close(1008, "Glasses not connected")
            socket = await link.next_socket()
            pauses.append(trio.current_time() - at)

        assert pauses == [0.25, 0.5, 1, 2, 4]


async def test_a_refusal_without_a_close_changes_nothing(autojump_clock: MockClock) -> None:
    """STREAM_CREATE_FAILED leaves the socket open (P1 2.5)."""
    async with connected() as link:
        await link.socket.send("tpa_connection_error", code="STREAM_CREATE_FAILED", message="duplicate")
        await trio.sleep(60)

        assert link.socket.is_open
        assert link.session.connections == 1


async def test_a_1008_later_on_is_a_loss_like_any_other(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.close(1008, "Camera permission required")
        await link.next_socket()

        assert link.session.connections == 2


async def test_the_gap_of_a_stream_is_as_long_as_the_link_was_down(autojump_clock: MockClock) -> None:
    async with connected(random=Choosing(1.0)) as link, link.session.transcription.stream("en").with_gaps() as lines:
        await link.socket.expect("subscription_update")
        await link.socket.say("before")
        await trio.sleep(1)
        link.cloud.is_unreachable = True
        await link.socket.cut()
        await trio.sleep(3)
        link.cloud.is_unreachable = False
        socket = await link.next_socket()
        await socket.say("after")
        items = [await anext(lines) for _ in range(3)]

    assert [item if isinstance(item, Gap) else item.text for item in items] == [
        "before",
        Gap(seconds=3.75, reason="the connection was lost"),
        "after",
    ]


async def test_the_gap_of_a_dead_socket_begins_with_its_last_sign_of_life(autojump_clock: MockClock) -> None:
    """What was sent since then is gone, although nobody knew."""
    async with connected() as link, link.session.mic.stream().with_gaps() as sound:
        await trio.sleep(9)
        link.socket.line.lose_peer()
        await link.next_socket()
        back_at = trio.current_time()
        gap = await anext(sound)

    assert isinstance(gap, Gap)
    assert gap.seconds == back_at - 8


async def test_no_gap_is_told_at_the_start(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.mic.stream().with_gaps() as sound:
        await link.socket.send_audio(b"\0\0")

        assert not isinstance(await anext(sound), Gap)


async def test_streams_and_their_tasks_go_on_over_reconnects(autojump_clock: MockClock) -> None:
    heard: list[str] = []

    async with connected() as link:

        async def listen() -> None:
            async with link.session.transcription.stream("en") as lines:
                heard.extend([line.text async for line in lines])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            socket = link.socket
            await socket.expect("subscription_update")
            for number in range(5):
                await socket.say(str(number))
                await wait_all_tasks_blocked()
                await socket.cut()
                socket = await link.next_socket()
            link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))

    assert heard == ["0", "1", "2", "3", "4"]


async def test_closing_during_a_pause_is_immediate(autojump_clock: MockClock) -> None:
    async with connected(random=Choosing(1.0)) as link:
        link.cloud.is_unreachable = True
        await link.socket.cut()
        await trio.sleep(20)
    assert trio.current_time() == 20


async def test_closing_during_a_dial_is_immediate(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.cloud.is_silent = True
        await link.socket.cut()
        await trio.sleep(1)
    assert trio.current_time() == 1


async def test_a_socket_that_opens_after_the_end_is_not_used(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.cloud.is_silent = True
        await link.socket.cut()
        await trio.sleep(1)
        cloud = link.cloud
    await trio.sleep(60)

    assert len(cloud.sockets) == 1
    assert await link.socket.wait_closed() == HUNG_UP


async def test_a_peer_that_does_not_answer_the_close_costs_a_second(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.lose_peer()
        await trio.sleep(1)
    assert trio.current_time() == 2


async def test_a_stuck_write_and_a_mute_peer_together_cost_a_second(autojump_clock: MockClock) -> None:
    """One limit for all that the end of a socket takes (P1 1.6: at most a second)."""
    async with connected() as link:
        link.socket.line.block()
        await link.session.raw.send("stuck")
        await wait_all_tasks_blocked()
        link.runtime.redirect(link.runtime.url)
        await link.cloud.accept()

        assert trio.current_time() == 1


async def test_a_strange_code_is_not_repeated_in_the_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected() as link:
        await link.socket.send("tpa_connection_error", code="ana@example.com\nERROR", message="no")
        await wait_all_tasks_blocked()

        assert link.socket.is_open
    assert "ana@example.com" not in caplog.text
    assert "a strange code" in caplog.text


async def test_a_cloud_gone_mad_does_not_fill_the_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The first of a kind is told, the others are for DEBUG."""
    caplog.set_level(logging.INFO, "mentra_trio.session")
    async with connected() as link:
        for number in range(50):
            await link.socket.send("tpa_connection_error", code="INTERNAL_ERROR", message=f"no {number}")
            await link.socket.send("reconnect_deferred", code="BOOTING", timeoutMs=30_000 + number)
            await link.socket.send("tpa_connection_error", code="SESSION_NOT_FOUND", message="no")
            await link.socket.ack()
        await wait_all_tasks_blocked()
        records = [record.getMessage().removeprefix("[run] ") for record in caplog.records]

    assert records == [
        "connected",
        "the cloud refused a request with INTERNAL_ERROR (0 failed)",
        "parked for up to 30 s",
        "the cloud has no session for something that was sent while parked",
    ]


# Redirects (P1 1.6)


HERE = CloudUrl(host=HOST, port=443, tls=True, target="/ws/miniapp")
THERE = CloudUrl(host=OTHER_HOST, port=443, tls=True, target="/ws/miniapp")


@pytest.mark.parametrize(
    ("urls", "is_released"),
    [([THERE], True), ([HERE], False), ([THERE, HERE], False), ([HERE, THERE], True), ([THERE, HERE, THERE], True)],
)
async def test_only_a_cloud_that_the_session_leaves_is_told_so(
    autojump_clock: MockClock, urls: list[CloudUrl], is_released: bool
) -> None:
    """A cloud that is told so while the session stays would dispose of it, and forget its subscriptions."""
    async with connected() as link:
        for url in urls:
            link.runtime.redirect(url)
        assert await link.socket.wait_closed() == CLOSED_BY_APP
        socket = await link.cloud.accept()

        assert [message["type"] for message in link.socket.unread()] == ["ownership_release"] * is_released
        assert socket.url == urls[-1]
        assert (await socket.open())["type"] == "tpa_connection_init"


async def test_a_gap_stands_before_what_a_new_socket_brings_ahead_of_its_ack(autojump_clock: MockClock) -> None:
    """The cloud sends events from the moment that it has attached a socket, its ack a little later (P1 2.4)."""
    async with connected() as link, link.session.mic.stream().with_gaps() as sound:
        await link.socket.send_audio(b"1")
        await wait_all_tasks_blocked()
        await link.socket.cut()
        socket = await link.cloud.accept()
        await trio.sleep(1)
        await socket.open()
        await socket.send_audio(b"3")
        await socket.send_audio(b"4")
        await trio.sleep(2)
        await socket.ack()
        await socket.send_audio(b"5")
        await wait_all_tasks_blocked()
        items = [await anext(sound) for _ in range(5)]

        assert [item if isinstance(item, Gap) else item.data for item in items] == [
            b"1",
            Gap(1, "the connection was lost"),
            b"3",
            b"4",
            b"5",
        ]


async def test_a_webhook_during_the_close_of_a_socket_takes_the_pause_after_it_away(autojump_clock: MockClock) -> None:
    """The cloud gives a start 6 s; a pause, of up to 10, was meant for a cloud that had not asked."""
    async with connected(random=Choosing(1.0)) as link:
        await link.socket.cut()
        for pause in (0.25, 1.0):  # refusals that pass; the third pause would be 2 s
            socket = await link.cloud.accept()
            await socket.open()
            if pause == 1.0:
                socket.line.block()  # so its close takes a second
            await socket.send("tpa_connection_error", code="PLEASE_WAIT", message="no")
            await wait_all_tasks_blocked()
        at = trio.current_time()
        await trio.sleep(0.5)
        link.runtime.redirect(link.runtime.url)
        await (await link.cloud.accept()).open()

        assert trio.current_time() == at + 1


async def test_a_session_that_is_over_goes_nowhere_else(autojump_clock: MockClock) -> None:
    """A webhook that asked for another cloud may be dealt with while its session ends."""
    async with connected() as link:
        await link.session.end()
        link.runtime.redirect(attrs.evolve(link.runtime.url, host="elsewhere.example.com"))
        await trio.sleep(100)

        assert link.session.connections == 1
