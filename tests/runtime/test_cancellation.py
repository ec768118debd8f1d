"""Every public coroutine, cancelled at each of its checkpoints, leaves nothing behind (design 12).

A call that was cancelled has not happened; one that was not has happened once.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio._wire.outbound import Request
from tests.scripted_cloud import CloudSocket, Connected, connected

Operation = Callable[[Connected], Awaitable[object]]
TICKS = 12
"""More turns of the scheduler than any of these calls takes."""


@attrs.frozen(kw_only=True)
class Ask(Request[str]):
    """A question that nobody answers."""

    TYPE: ClassVar[str] = "ask"
    LIMIT: ClassVar[float] = 30.0

    def accept(self, message: Mapping[str, object], /) -> str | None:
        return None


async def cancelled_after(ticks: int, link: Connected, operation: Operation) -> bool:
    """Cancel an operation after so many turns of the scheduler; tell whether it was still under way."""
    is_done = False
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def count() -> None:
                for _ in range(ticks):
                    await trio.lowlevel.checkpoint()
                scope.cancel()

            nursery.start_soon(count)
            await operation(link)
            is_done = True
            nursery.cancel_scope.cancel()
    return not is_done


SENDERS: dict[str, Operation] = {
    "show_text_wall": lambda link: link.session.display.show_text_wall("a"),
    "show_text": lambda link: link.session.display.show_text(["a"]),
    "show_double_text_wall": lambda link: link.session.display.show_double_text_wall("a", "b"),
    "show_reference_card": lambda link: link.session.display.show_reference_card("a", "b"),
    "show_dashboard_card": lambda link: link.session.display.show_dashboard_card("a", "b"),
    "clear": lambda link: link.session.display.clear(),
    "raw.send": lambda link: link.session.raw.send("custom"),
    "call": lambda link: link.runtime.call(Ask()),
}


def assert_empty(link: Connected) -> None:
    outbox = link.session.statistics().outbox
    assert (outbox.control, outbox.lanes, outbox.queued, outbox.is_dirty) == (0, 0, 0, False)
    assert len(link.runtime._outbound._pending) == 0
    assert link.runtime._outbound._queued == {}


async def down(link: Connected) -> CloudSocket:
    """Lose the connection; give the next socket, which is not acknowledged."""
    await link.socket.cut()
    socket = await link.cloud.accept()
    await socket.open()
    await wait_all_tasks_blocked()
    return socket


@pytest.mark.parametrize("name", SENDERS)
async def test_a_cancelled_send_has_not_happened_while_the_link_is_up(autojump_clock: MockClock, name: str) -> None:
    for ticks in range(TICKS):
        async with connected() as link:
            was_cancelled = await cancelled_after(ticks, link, SENDERS[name])
            await wait_all_tasks_blocked()
            sent = link.socket.unread()

            if name != "call":  # a request may have been written when its caller stops waiting
                assert len(sent) == (0 if was_cancelled else 1)
            assert_empty(link)


@pytest.mark.parametrize("name", SENDERS)
async def test_a_cancelled_send_has_not_happened_while_the_link_is_down(autojump_clock: MockClock, name: str) -> None:
    for ticks in range(TICKS):
        async with connected() as link:
            socket = await down(link)
            was_cancelled = await cancelled_after(ticks, link, SENDERS[name])
            await socket.ack()
            await socket.expect("subscription_update")
            await wait_all_tasks_blocked()

            assert len(socket.unread()) == (0 if was_cancelled else 1)
            assert_empty(link)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["raw.send", "call"])
async def test_a_send_cancelled_in_the_moment_of_the_ack_is_sent_or_cancelled_not_both(
    autojump_clock: MockClock, name: str
) -> None:
    outcomes: set[bool] = set()
    for ticks in range(60):
        async with connected() as link, trio.open_nursery() as nursery:
            socket = await down(link)

            outcome: list[bool] = []

            async def run(link: Connected = link, ticks: int = ticks, outcome: list[bool] = outcome) -> None:
                outcome.append(await cancelled_after(ticks, link, SENDERS[name]))

            nursery.start_soon(run)
            await socket.ack()
            await socket.expect("subscription_update")
            await wait_all_tasks_blocked()
            was_sent = bool(socket.unread())
            outcomes.add(was_sent)

            if name == "raw.send":
                assert outcome == [not was_sent]
            assert was_sent == (link.session.statistics().outbox.withdrawn == 0)
            assert_empty(link)
            nursery.cancel_scope.cancel()
    assert outcomes == {False, True}


async def test_a_cancelled_end_has_not_happened(autojump_clock: MockClock) -> None:
    for ticks in range(5):
        async with connected() as link:
            was_cancelled = await cancelled_after(ticks, link, lambda link: link.session.end())

            assert (link.session.stop_reason is None) == was_cancelled


async def test_a_cancelled_opening_subscribes_nothing(autojump_clock: MockClock) -> None:
    for ticks in range(5):
        async with connected() as link:
            stream = link.session.mic.stream()

            async def enter(_: Connected) -> None:
                await stream.__aenter__()  # noqa: B023

            was_cancelled = await cancelled_after(ticks, link, enter)
            await wait_all_tasks_blocked()

            assert len(link.session.statistics().streams.open) == (0 if was_cancelled else 1)
            assert len(link.socket.unread()) == (0 if was_cancelled else 1)
            stream.close()


async def test_a_cancelled_read_loses_no_event(autojump_clock: MockClock) -> None:
    for ticks in range(20):
        async with connected() as link, link.session.mic.stream() as sound, trio.open_nursery() as nursery:
            await wait_all_tasks_blocked()
            nursery.start_soon(link.socket.send_audio, b"\x01\x02")
            was_cancelled = await cancelled_after(ticks, link, lambda _: anext(sound))
            if was_cancelled:
                assert (await anext(sound)).data == b"\x01\x02"

            assert sound.statistics().delivered == 1


async def test_a_cancelled_wait_leaves_the_value_alone(autojump_clock: MockClock) -> None:
    for ticks in range(10):
        async with connected() as link:
            state = link.session.device.state
            waited = await cancelled_after(ticks, link, lambda _: state.wait_for(lambda now: now.charging is True))  # noqa: B023
            assert waited
            await link.socket.send("device_state_update", state={"charging": True})

            assert (await state.wait_for(lambda now: now.charging is True)).charging is True


@pytest.mark.parametrize("name", [name for name in SENDERS if name != "call"])
async def test_a_send_checkpoints(autojump_clock: MockClock, name: str) -> None:
    async with connected() as link:
        with assert_checkpoints():
            await SENDERS[name](link)


async def test_the_others_checkpoint(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with assert_checkpoints():
            async with link.session.mic.stream() as sound:
                pass
        async with link.session.mic.stream() as sound:
            await link.socket.send_audio(b"\0\0")
            with assert_checkpoints():
                await anext(sound)
        with assert_checkpoints():
            await link.session.device.state.wait_for(lambda _: True)
        changes = link.session.device.state.changes()
        await link.socket.send("device_state_update", state={"charging": True})
        await wait_all_tasks_blocked()
        with assert_checkpoints():
            await anext(changes)
        with assert_checkpoints():
            await link.session.end()


async def test_a_link_that_is_cancelled_from_outside_is_closed_all_the_same(autojump_clock: MockClock) -> None:
    """Hard, because nobody waits for a polite end: the peer sees the end of the stream."""
    async with connected() as link:
        with trio.CancelScope() as scope:
            scope.cancel()
            await link.runtime.aclose()
        await wait_all_tasks_blocked()

        assert not link.socket.is_open
