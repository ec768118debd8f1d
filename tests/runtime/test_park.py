"""A cloud that has to remember first keeps the socket and lets it wait (P1 2.6)."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import LinkState, StopKind
from mentra_trio.errors import HandshakeError, LinkLostError
from tests.scripted_cloud import CLOSED_BY_APP, Choosing, CloudSocket, Connected, connected


async def park(link: Connected, timeout_ms: object = 30_000, code: str = "BOOTING") -> CloudSocket:
    """Lose the connection and have the next one parked."""
    await link.socket.cut()
    socket = await link.cloud.accept()
    await socket.open()
    await socket.send("reconnect_deferred", code=code, message="wait", timeoutMs=timeout_ms)
    await wait_all_tasks_blocked()
    assert link.session.link_state.value is LinkState.PARKED
    return socket


@pytest.mark.parametrize("code", ["BOOTING", "AWAITING_APP_RESTORE"])
@pytest.mark.parametrize("ack", ["reconnect_ack", "tpa_connection_ack"])
async def test_a_parked_socket_is_kept_and_taken_with_either_ack(
    autojump_clock: MockClock, code: str, ack: str
) -> None:
    async with connected() as link:
        socket = await park(link, code=code)
        await trio.sleep(29)
        await socket.send(ack)
        await link.session.link_state.wait_for(lambda state: state is LinkState.CONNECTED)
        assert (await socket.expect("subscription_update"))["subscriptions"] == ["augmentos:*"]
        # Its time limit is over with the ack.
        await trio.sleep(300)

        assert socket.is_open
        assert len(link.cloud.dials) == 2
        assert link.session.connections == 2


async def test_a_parked_socket_is_pinged(autojump_clock: MockClock) -> None:
    """It must not fall to a proxy that takes quiet for dead."""
    async with connected() as link:
        socket = await park(link)
        await trio.sleep(29)

        assert socket.times_of("ping") == [8, 16, 24]


async def test_a_parked_socket_that_dies_is_noticed(autojump_clock: MockClock) -> None:
    async with connected() as link:
        socket = await park(link, 120_000)
        await trio.sleep(9)
        socket.line.lose_peer()
        await link.cloud.accept()

        assert trio.current_time() == 16 + 10 + 1


async def test_sends_are_held_back_while_parked(autojump_clock: MockClock) -> None:
    """The cloud would answer them with an error (P1 2.6)."""
    async with connected() as link, trio.open_nursery() as nursery:
        socket = await park(link)
        nursery.start_soon(link.session.raw.send, "command")
        await link.session.display.show_text_wall("newest")
        async with link.session.mic.stream():
            await trio.sleep(20)
            assert socket.unread() == []
            await socket.ack()
            assert (await socket.expect("subscription_update"))["subscriptions"] == ["audio_chunk", "augmentos:*"]
            assert await socket.shown() == {"layoutType": "text_wall", "text": "newest"}
            await socket.expect("command")


async def test_an_error_for_something_sent_while_parked_is_ignored(autojump_clock: MockClock) -> None:
    async with connected() as link:
        socket = await park(link)
        await socket.send("tpa_connection_error", code="SESSION_NOT_FOUND", message="no user session")
        await trio.sleep(10)

        assert socket.is_open
        assert link.session.link_state.value is LinkState.PARKED


async def test_a_permanent_refusal_while_parked_ends_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link:
        socket = await park(link)
        await socket.send("tpa_connection_error", code="INVALID_API_KEY", message="no")
        await link.runtime.over.wait()


async def test_the_clouds_own_limit_ends_the_session(autojump_clock: MockClock) -> None:
    """Its word and our clock come at the same moment; the word is the better reason."""
    async with connected() as link:
        socket = await park(link)
        await trio.sleep(30)
        await socket.send("reconnect_rejected", code="BOOT_TIMEOUT", message="late")
        await socket.close(1008, "Deferred reconnect timed out")
        await link.runtime.over.wait()
        await trio.sleep(300)

        assert link.session.stop_reason is not None
        assert (link.session.stop_reason.kind, link.session.stop_reason.detail) == (StopKind.REFUSED, "BOOT_TIMEOUT")
        assert isinstance(link.runtime.error, HandshakeError)
        assert len(link.cloud.dials) == 2


@pytest.mark.parametrize(
    ("timeout_ms", "seconds"), [(30_000, 30), (1_000, 1), (0, 30), (-5, 30), (3_600_000, 300), (None, 30), ("100", 30)]
)
async def test_our_own_limit_ends_a_park_that_the_cloud_forgot(
    autojump_clock: MockClock, timeout_ms: object, seconds: float
) -> None:
    async with connected() as link:
        socket = await park(link, timeout_ms)
        await link.runtime.over.wait()

        assert seconds <= trio.current_time() <= seconds + 0.25
        assert isinstance(link.runtime.error, LinkLostError)
        assert await socket.wait_closed() == CLOSED_BY_APP
        await trio.sleep(300)
        assert len(link.cloud.dials) == 2


async def test_a_parked_socket_that_is_lost_leads_to_another_attempt_at_once(autojump_clock: MockClock) -> None:
    async with connected(random=Choosing(1.0)) as link:
        socket = await park(link)
        await trio.sleep(10)
        lost_at = trio.current_time()
        await socket.cut()
        socket = await link.cloud.accept()

        assert trio.current_time() - lost_at <= 0.5
        assert (await socket.open())["type"] == "reconnect"


async def test_a_superseded_park_ends_this_process_and_not_the_other(autojump_clock: MockClock) -> None:
    """Another process of the app has parked a newer socket (P1 2.9): two that replace each other help nobody."""
    async with connected() as link:
        socket = await park(link)
        await socket.close(1013, "Superseded by newer deferred connection")
        await link.runtime.over.wait()
        await trio.sleep(300)

        assert len(link.cloud.dials) == 2


async def test_app_stopped_while_parked_ends_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link:
        socket = await park(link)
        await socket.send("app_stopped")
        await link.runtime.over.wait()

        assert await socket.wait_closed() == CLOSED_BY_APP


async def test_a_webhook_during_a_park_wins(autojump_clock: MockClock) -> None:
    """The webhook is the authority: the parked socket is closed without a release, the next begins with an init."""
    async with connected() as link:
        socket = await park(link)
        await trio.sleep(5)
        link.runtime.redirect(link.runtime.url)
        follower = await link.cloud.accept()

        assert await socket.wait_closed() == CLOSED_BY_APP
        assert socket.unread() == []
        assert (await follower.open())["type"] == "tpa_connection_init"
        assert trio.current_time() == 5


async def test_a_socket_may_be_parked_after_its_ack(autojump_clock: MockClock) -> None:
    """No cloud does so today; it costs nothing to understand it."""
    async with connected() as link:
        await link.socket.send("reconnect_deferred", code="BOOTING", timeoutMs=30_000)
        await wait_all_tasks_blocked()
        assert link.session.link_state.value is LinkState.PARKED
        await link.socket.ack()
        await link.session.link_state.wait_for(lambda state: state is LinkState.CONNECTED)


async def test_ending_a_parked_session_closes_it_without_a_release(autojump_clock: MockClock) -> None:
    """There is nothing to let go of: the socket was never attached (P1 1.6)."""
    async with connected() as link:
        socket = await park(link)
        await link.session.end()
        await link.runtime.aclose(release="clean_shutdown")

        assert await socket.wait_closed() == CLOSED_BY_APP
        assert socket.unread() == []
