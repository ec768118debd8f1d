"""Commands: queued, in order, at most once, and never lost in silence (D9)."""

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import LinkDownError, LinkState, SessionClosedError, SessionConfig
from mentra_trio._wire.actions.speaker import StopAudio
from tests.scripted_cloud import PACKAGE, SESSION, CloudSocket, Connected, connected


async def types(socket: CloudSocket) -> list[str]:
    await wait_all_tasks_blocked()
    return [message["type"] for message in socket.unread() if message["type"] != "subscription_update"]


async def lose(link: Connected) -> CloudSocket:
    """Lose the connection; give the next socket, which is not acknowledged yet."""
    await link.socket.cut()
    socket = await link.cloud.accept()
    await socket.open()
    return socket


async def test_a_command_carries_the_envelope(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.session.raw.send("do_it", how="well")
        message = await link.socket.next()

    assert message.pop("timestamp").endswith("Z")
    assert message == {"type": "do_it", "packageName": PACKAGE, "sessionId": SESSION, "how": "well"}


async def test_commands_keep_their_order(autojump_clock: MockClock) -> None:
    async with connected() as link:
        for number in range(20):
            await link.session.raw.send(f"n{number}")

        assert await types(link.socket) == [f"n{number}" for number in range(20)]


async def test_while_the_link_is_up_a_send_waits_for_nobody(autojump_clock: MockClock) -> None:
    """Also when the writer is stuck: the outbox has taken it."""
    async with connected() as link:
        link.socket.line.block()
        for number in range(5):
            with assert_checkpoints():
                await link.session.raw.send(f"n{number}")

        assert trio.current_time() == 0
        assert link.session.statistics().outbox.queued == 4
        link.socket.line.unblock()
        assert await types(link.socket) == [f"n{number}" for number in range(5)]


async def test_while_the_link_is_down_a_send_waits_for_the_writer(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        sent: list[float] = []

        async def send() -> None:
            await link.session.raw.send("patient")
            sent.append(trio.current_time())

        socket = await lose(link)
        nursery.start_soon(send)
        await trio.sleep(3)
        assert sent == []
        assert link.session.statistics().outbox.queued == 1
        await socket.ack()
        await wait_all_tasks_blocked()

        assert sent == [3]
        assert await types(socket) == ["patient"]


async def test_commands_that_waited_go_out_in_order_after_the_subscriptions(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        socket = await lose(link)
        for number in range(5):
            nursery.start_soon(link.session.raw.send, f"n{number}")
            await wait_all_tasks_blocked()
        await socket.ack()
        await socket.expect("subscription_update")

        assert await types(socket) == [f"n{number}" for number in range(5)]


async def test_a_cancelled_send_is_withdrawn(autojump_clock: MockClock) -> None:
    async with connected() as link:
        socket = await lose(link)
        with trio.move_on_after(1) as scope:
            await link.session.raw.send("never")
        assert scope.cancelled_caught
        await socket.ack()

        assert await types(socket) == []
        statistics = link.session.statistics().outbox
        assert (statistics.withdrawn, statistics.queued) == (1, 0)


async def test_a_send_that_is_cancelled_before_it_begins_sends_nothing(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with trio.CancelScope() as scope:
            scope.cancel()
            await link.session.raw.send("never")

        assert await types(link.socket) == []


async def test_a_full_queue_refuses_at_once(autojump_clock: MockClock) -> None:
    async with connected(config=SessionConfig(queue_capacity=3)) as link, trio.open_nursery() as nursery:
        socket = await lose(link)
        for number in range(3):
            nursery.start_soon(link.session.raw.send, f"n{number}")
        await wait_all_tasks_blocked()
        with pytest.raises(LinkDownError) as caught:
            await link.session.raw.send("too much")

        assert caught.value.capacity == 3
        assert trio.current_time() == 0
        assert link.session.statistics().outbox.refused == 1
        await socket.ack()
        assert sorted(await types(socket)) == ["n0", "n1", "n2"]


async def test_the_queue_holds_64_commands(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.block()
        await link.session.raw.send("in the writer's hands")
        await wait_all_tasks_blocked()
        for _ in range(64):
            await link.session.raw.send("queued")
        with pytest.raises(LinkDownError):
            await link.session.raw.send("too much")


async def test_the_end_of_the_session_fails_what_waits(autojump_clock: MockClock) -> None:
    """At once, not when the handler's grace is over: nothing could be sent any more."""
    async with connected() as link:
        link.cloud.is_silent = True
        await link.socket.cut()
        failed: list[SessionClosedError] = []

        async def send() -> None:
            try:
                await link.session.raw.send("patient")
            except SessionClosedError as error:
                failed.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await trio.sleep(1)
            await link.session.end()

        assert trio.current_time() == 1
        assert [error.reason for error in failed] == ["ended_by_app"]


async def test_giving_up_fails_what_waits(autojump_clock: MockClock) -> None:
    async with connected() as link:
        socket = await lose(link)

        async def reject() -> None:
            await trio.sleep(2)
            await socket.send("reconnect_rejected", code="NOT_RUNNING")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reject)
            with pytest.raises(SessionClosedError) as caught:
                await link.session.raw.send("patient")

        assert caught.value.reason == "refused (NOT_RUNNING)"
        assert trio.current_time() == 2


async def test_after_the_end_commands_still_pass_while_the_link_is_up(autojump_clock: MockClock) -> None:
    """So a handler can clean up (design 6, step 2)."""
    async with connected() as link:
        await link.session.end()
        await link.session.raw.send("goodbye")

        assert await types(link.socket) == ["goodbye"]


async def test_after_the_end_without_a_link_commands_fail(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.session.end()
        await link.socket.cut()
        await link.session.link_state.wait_for(lambda state: state is LinkState.CLOSED)
        with pytest.raises(SessionClosedError):
            await link.session.raw.send("goodbye")


async def test_a_command_in_flight_is_lost_with_its_socket_and_counted(autojump_clock: MockClock) -> None:
    """At most once: it may have arrived."""
    async with connected() as link:
        link.socket.line.block()
        await link.session.raw.send("in flight")
        await wait_all_tasks_blocked()
        await link.socket.cut()
        socket = await link.next_socket()

        assert await types(socket) == []
        assert link.session.statistics().messages_lost == 1


async def test_a_command_that_was_not_taken_yet_outlives_its_socket(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.block()
        await link.session.raw.send("in flight")
        await wait_all_tasks_blocked()
        await link.session.raw.send("waits behind")
        await link.socket.cut()
        socket = await link.next_socket()

        assert await types(socket) == ["waits behind"]


async def test_a_written_command_is_never_written_again(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.session.raw.send("once")
        await link.socket.expect("once")
        await link.socket.cut()
        socket = await link.next_socket()
        await trio.sleep(30)

        assert await types(socket) == []


async def test_what_is_left_at_the_end_is_counted(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.block()
        await link.session.raw.send("in flight")
        await wait_all_tasks_blocked()
        for _ in range(3):
            await link.session.raw.send("left over")
        await link.session.display.show_text_wall("left over")
        session = link.session
    statistics = session.statistics()

    assert statistics.messages_lost == 1
    assert statistics.outbox.discarded == 4


async def test_clean_up_never_raises(autojump_clock: MockClock) -> None:
    """It is called where something else is on its way out already."""
    async with connected(config=SessionConfig(queue_capacity=1)) as link:
        await lose(link)
        for _ in range(3):
            link.runtime.send_nowait(StopAudio())
        assert link.session.statistics().outbox.refused == 2
        await link.session.end()
        link.runtime.send_nowait(StopAudio())

    link.runtime.send_nowait(StopAudio())
    assert link.session.statistics().outbox.refused == 2


async def test_every_frame_is_counted(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.session.raw.send("a")
        await link.session.display.clear()
        await link.socket.send_audio(b"\0\0")
        await trio.sleep(9)
        statistics = link.session.statistics()

    # init, list, command, display, ping; ack, state, pong
    assert statistics.messages_sent == 5
    assert statistics.messages_received == 3
    assert statistics.audio_chunks_received == 1
    assert statistics.outbox.written_control == 2
    assert statistics.outbox.written_dirty == 1
    assert statistics.outbox.written_lanes == 1
    assert statistics.outbox.written_queue == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"bytes", [float("nan")]])
async def test_what_json_cannot_hold_is_refused_before_anything_is_queued(
    autojump_clock: MockClock, value: object
) -> None:
    async with connected() as link:
        with pytest.raises((ValueError, TypeError)):
            await link.session.raw.send("bad", value=value)

        assert await types(link.socket) == []
        assert link.session.link_state.value is LinkState.CONNECTED
