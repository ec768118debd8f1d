"""A link that has died is noticed, and one that lives is left alone (P1 2.8, D20)."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import LinkState, SessionConfig
from tests.scripted_cloud import CLOSED_BY_APP, HUNG_UP, Choosing, connected, open_cloud, open_link


async def test_a_json_ping_goes_out_every_8_s_after_the_ack(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await trio.sleep(41)

        assert link.socket.times_of("ping") == [8, 16, 24, 32, 40]
        assert link.session.connections == 1


async def test_a_ping_carries_no_envelope(autojump_clock: MockClock) -> None:
    """The recordings show the bare type."""
    async with connected() as link:
        await trio.sleep(9)

        assert link.socket.received[-1][1] == {"type": "ping"}


async def test_nothing_is_pinged_before_the_ack(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_link(cloud, config=SessionConfig(ack_timeout=60)):
        socket = await cloud.accept()
        await trio.sleep(30)

        assert socket.times_of("ping") == []


async def test_pongs_that_take_a_while_do_not_delay_the_next_ping(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.answers_pings = False
        for when in (11, 19, 27):
            await trio.sleep_until(when)
            await link.socket.send("pong")
        await trio.sleep_until(33)

        assert link.socket.times_of("ping") == [8, 16, 24, 32]


async def test_a_cloud_that_never_answers_json_pings_is_kept_while_it_answers_frame_pings(
    autojump_clock: MockClock,
) -> None:
    """The oldest clouds know no JSON ping (P1 2.8)."""
    async with connected() as link:
        link.socket.answers_pings = False
        await trio.sleep(300)

        assert link.socket.is_open
        assert link.session.connections == 1


async def test_once_a_pong_was_seen_a_frame_pong_proves_nothing_any_more(autojump_clock: MockClock) -> None:
    """A proxy may answer frames in the cloud's place (P1 2.8)."""
    async with connected() as link:
        await trio.sleep(9)
        link.socket.answers_pings = False

        assert await link.socket.wait_closed() == CLOSED_BY_APP
        assert link.socket.closed_at == 16 + 10


async def test_the_next_socket_must_show_a_pong_of_its_own(autojump_clock: MockClock) -> None:
    """What a socket proved says nothing about the next one, which may end at another server."""
    async with connected() as link:
        await trio.sleep(9)
        link.cloud.answers_pings = False
        await link.socket.cut()
        socket = await link.next_socket()
        await trio.sleep(300)

        assert socket.is_open


async def test_any_message_counts_as_life(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await trio.sleep(9)
        link.socket.answers_pings = False
        for when in range(20, 200, 8):
            await trio.sleep_until(when)
            await link.socket.event("phone_battery_update", level=50)

        assert link.socket.is_open


async def test_sound_counts_as_life(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await trio.sleep(9)
        link.socket.answers_pings = False
        for when in range(20, 200, 8):
            await trio.sleep_until(when)
            await link.socket.send_audio(bytes(320))

        assert link.socket.is_open


@pytest.mark.parametrize("has_ponged", [False, True])
async def test_a_peer_that_vanished_is_found_within_an_interval_and_the_deadline(
    autojump_clock: MockClock, has_ponged: bool
) -> None:
    """Half open: whatever is sent goes nowhere, and no end is ever reported."""
    async with connected() as link:
        link.socket.answers_pings = has_ponged
        await trio.sleep(100)
        link.socket.line.lose_peer()
        lost_at = trio.current_time()
        await link.runtime.link_state.wait_for(lambda state: state is LinkState.RECONNECTING)

        assert trio.current_time() - lost_at <= 8 + 10
        # The peer does not answer the close either, which costs a second.
        await link.cloud.accept()
        assert trio.current_time() - lost_at <= 8 + 10 + 1 + 0.25


async def test_a_dead_socket_is_closed_before_the_next_is_opened(autojump_clock: MockClock) -> None:
    """A cloud that sees the old one close later would forget the new one (P1 2.10)."""
    async with connected() as link:
        await trio.sleep(9)
        link.socket.answers_pings = False
        ended = await link.socket.wait_closed()
        await link.cloud.accept()

        assert ended == CLOSED_BY_APP
        assert link.socket.closed_at is not None
        assert link.cloud.dials[1][0] >= link.socket.closed_at


async def test_a_consumer_that_never_reads_does_not_stop_the_pings(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.mic.stream(), link.session.transcription.stream():
        await trio.sleep(9)
        for _ in range(60):
            for number in range(10):
                await link.socket.send_audio(bytes(320))
                await link.socket.say(f"word {number}", utterance=str(number))
            await trio.sleep(1)

        assert link.session.connections == 1
        assert len(link.socket.times_of("ping")) == 8


async def test_a_flood_does_not_stop_the_pings(autojump_clock: MockClock) -> None:
    async with connected() as link:
        for _ in range(400):
            for _ in range(4):
                await link.socket.event("button_press", buttonId="camera")
            await trio.sleep(0.1)

        assert link.socket.times_of("ping") == [8, 16, 24, 32, 40]
        assert link.session.connections == 1


async def test_the_peers_frame_pings_are_answered_while_nobody_reads(autojump_clock: MockClock) -> None:
    """The cloud pings at 10 s (P1 2.8)."""
    async with connected() as link, link.session.mic.stream():
        for _ in range(1000):
            await link.socket.send_audio(bytes(320))
        with trio.fail_after(1):
            await link.socket.frame_ping()


async def test_the_clouds_json_ping_is_answered(autojump_clock: MockClock) -> None:
    """Reserved by the protocol, sent by nobody today (P1 2.8)."""
    async with connected() as link:
        await link.socket.send("ping")

        assert await link.socket.next() == {"type": "pong"}


async def test_a_write_that_does_not_end_is_cut_after_10_s(autojump_clock: MockClock) -> None:
    """A peer that reads nothing more fills the pipe, and the writer would wait for ever."""
    async with connected() as link:
        link.socket.line.block()
        await link.session.raw.send("stuck")
        assert await link.socket.wait_closed() == HUNG_UP

        assert trio.current_time() == 10
        socket = await link.next_socket()
        assert trio.current_time() <= 10 + 0.25
        assert socket.unread() == []
        assert link.session.statistics().messages_lost == 1


async def test_a_cut_write_counts_as_a_lost_connection(autojump_clock: MockClock) -> None:
    """The next attempt waits its turn like after any other loss, and the back-off sees it."""
    async with connected(random=Choosing(1.0)) as link:
        link.socket.line.block()
        await link.session.raw.send("stuck")
        await link.cloud.accept()

        assert [when for when, _ in link.cloud.dials] == [0, 10.25]


async def test_one_pong_answers_a_burst_of_pings(autojump_clock: MockClock) -> None:
    """Also of one that comes while the writer is busy: the socket is sound."""
    async with connected() as link:
        link.socket.line.block()
        for _ in range(40):
            await link.socket.send("ping")
        await wait_all_tasks_blocked()
        link.socket.line.unblock()
        await wait_all_tasks_blocked()

        assert link.socket.unread() == [{"type": "pong"}, {"type": "pong"}]
        assert link.session.link_state.value is LinkState.CONNECTED


async def test_a_writer_that_is_stuck_with_control_frames_gives_the_socket_up(autojump_clock: MockClock) -> None:
    """A cloud that keeps asking and never reads: its pings do not pile up, and the first pong must be written once."""
    async with connected() as link:
        link.socket.line.block()
        for _ in range(40):
            await link.socket.send("ping")
        await wait_all_tasks_blocked()

        assert link.session.statistics().outbox.control == 1
        await link.runtime.link_state.wait_for(lambda state: state is LinkState.RECONNECTING)
        assert trio.current_time() == 10


async def test_a_pong_that_nobody_asked_for_proves_nothing(autojump_clock: MockClock) -> None:
    """An old cloud that says one never answers a ping (P1 2.8)."""
    async with connected() as link:
        link.socket.answers_pings = False
        await link.socket.send("pong")
        await trio.sleep(300)

        assert link.socket.is_open
