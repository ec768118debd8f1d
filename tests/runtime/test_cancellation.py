"""Every public coroutine has checkpoints, and a link that is cancelled is closed (design 12).

What a cancellation at each of those moments leaves behind is the subject of `tests/cancellation`, except for requests
at the moment of the ack: they are withdrawn from where they wait for the link.
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


@attrs.frozen(kw_only=True)
class Ask(Request[str]):
    """A question that nobody answers."""

    TYPE: ClassVar[str] = "ask"
    LIMIT: ClassVar[float] = 30.0

    def accept(self, message: Mapping[str, object], /) -> str | None:
        return None


async def ask_and_cancel(link: Connected, ticks: int) -> None:
    """Ask, and cancel that after so many turns of the scheduler."""
    async with trio.open_nursery() as nursery:

        async def count() -> None:
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

        nursery.start_soon(count)
        await link.runtime.call(Ask())


SENDERS: dict[str, Operation] = {
    "show_text_wall": lambda link: link.session.display.show_text_wall("a"),
    "show_text": lambda link: link.session.display.show_text(["a"]),
    "show_double_text_wall": lambda link: link.session.display.show_double_text_wall("a", "b"),
    "show_reference_card": lambda link: link.session.display.show_reference_card("a", "b"),
    "show_dashboard_card": lambda link: link.session.display.show_dashboard_card("a", "b"),
    "clear": lambda link: link.session.display.clear(),
    "raw.send": lambda link: link.session.raw.send("custom"),
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


@pytest.mark.slow
async def test_a_request_cancelled_in_the_moment_of_the_ack_is_sent_or_withdrawn_not_both(
    autojump_clock: MockClock,
) -> None:
    outcomes: set[bool] = set()
    for ticks in range(60):
        async with connected() as link, trio.open_nursery() as nursery:
            socket = await down(link)
            nursery.start_soon(ask_and_cancel, link, ticks)
            await socket.ack()
            await socket.expect("subscription_update")
            await wait_all_tasks_blocked()
            was_sent = bool(socket.unread())
            outcomes.add(was_sent)

            assert was_sent == (link.session.statistics().outbox.withdrawn == 0)
            assert_empty(link)
    assert outcomes == {False, True}


@pytest.mark.parametrize("name", SENDERS)
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
