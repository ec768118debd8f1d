"""Displays and commands, cancelled at every moment: nothing is half written, nothing is sent that was cancelled."""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import SessionClosedError, SessionConfig
from mentra_trio._flow import Outbox
from mentra_trio._wire.outbound import Request
from tests.cancellation.steps import every_step, living_tasks
from tests.scripted_cloud import CloudSocket, Connected, Json, connected

Operation = Callable[[Connected], Awaitable[object]]

SENDERS: dict[str, Operation] = {
    "show_text_wall": lambda link: link.session.display.show_text_wall("a", duration=1),
    "show_text": lambda link: link.session.display.show_text(["a"]),
    "show_double_text_wall": lambda link: link.session.display.show_double_text_wall("a", "b"),
    "show_reference_card": lambda link: link.session.display.show_reference_card("a", "b"),
    "show_dashboard_card": lambda link: link.session.display.show_dashboard_card("a", "b"),
    "clear": lambda link: link.session.display.clear(),
    "raw.send": lambda link: link.session.raw.send("custom", text="a"),
}
WAITING: dict[str, Operation] = {name: SENDERS[name] for name in ("show_text_wall", "raw.send")}


@attrs.define(eq=False)
class Peer:
    """The cloud's side over several sockets: what came, and whether the connection is in order."""

    link: Connected
    socket: CloudSocket
    tasks: int
    """How many there were before."""

    @classmethod
    async def of(cls, link: Connected) -> "Peer":
        """Look at a connection at rest."""
        return cls(link, link.socket, await living_tasks())

    async def settle(self) -> list[Json]:
        """Let everything happen, send another command, and give what came before that.

        What is half written would spoil the frames after it for the peer's parser, and what is stuck would hold them
        up.
        """
        await trio.sleep(1)  # the pace of displays
        await self.link.session.raw.send("marker")
        await wait_all_tasks_blocked()
        *messages, marker = self.socket.unread()
        assert marker["type"] == "marker"
        outbox = self.link.session.statistics().outbox
        assert (outbox.control, outbox.lanes, outbox.queued, outbox.is_dirty) == (0, 0, 0, False)
        assert await living_tasks() == self.tasks
        return messages


@pytest.mark.parametrize("name", SENDERS)
async def test_a_send_is_sent_or_cancelled_never_both(autojump_clock: MockClock, name: str) -> None:
    async with connected() as link:
        peer = await Peer.of(link)
        for attempt in every_step():
            await attempt.run(lambda: SENDERS[name](link))

            assert len(await peer.settle()) == attempt.is_done


@pytest.mark.parametrize("name", SENDERS)
async def test_a_send_behind_a_frame_that_is_stuck_is_sent_or_cancelled(autojump_clock: MockClock, name: str) -> None:
    """The writer is in the middle of a frame of somebody else."""
    async with connected() as link, trio.open_nursery() as nursery:
        peer = await Peer.of(link)

        async def unblock() -> None:
            await trio.lowlevel.checkpoint()
            link.socket.line.unblock()

        for attempt in every_step():
            link.socket.line.block()
            await link.session.raw.send("ahead")
            await wait_all_tasks_blocked()
            nursery.start_soon(unblock)
            await attempt.run(lambda: SENDERS[name](link))

            assert len(await peer.settle()) == 1 + attempt.is_done


@attrs.frozen(kw_only=True)
class Ask(Request[str]):
    """A request with an answer."""

    TYPE: ClassVar[str] = "ask"
    LIMIT: ClassVar[float] = 30.0

    def accept(self, message: Mapping[str, object], /) -> str | None:
        return str(message["text"]) if message.get("type") == "answer" else None


async def test_a_call_that_is_cancelled_waits_for_nothing_any_more(autojump_clock: MockClock) -> None:
    """Sent or not: its place among the waiting is free, and its answer is nobody else's."""
    async with connected(config=SessionConfig(pending_capacity=1)) as link, trio.open_nursery() as nursery:
        peer = await Peer.of(link)

        async def answer(scope: trio.CancelScope) -> None:
            with scope:
                await link.socket.expect("ask")
                await link.socket.send("answer", text="first")

        async def ask_again() -> None:
            answers.append(await link.runtime.call(Ask()))

        for attempt in every_step():
            answers: list[str] = []
            scope = trio.CancelScope()
            nursery.start_soon(answer, scope)
            await attempt.run(lambda: link.runtime.call(Ask()))
            await wait_all_tasks_blocked()
            scope.cancel()
            await peer.settle()
            nursery.start_soon(ask_again)
            await link.socket.expect("ask")
            await link.socket.send("answer", text="second")
            await peer.settle()

            assert answers == ["second"]


@pytest.mark.slow
async def test_a_send_to_a_parked_link_is_sent_or_cancelled(autojump_clock: MockClock) -> None:
    """The ack comes while the sender waits."""
    async with connected() as link, trio.open_nursery() as nursery:
        peer = await Peer.of(link)

        async def take() -> None:
            await peer.socket.ack()

        for attempt in every_step():
            await peer.socket.cut()
            peer.socket = await link.cloud.accept()
            await peer.socket.open()
            await peer.socket.send("reconnect_deferred", code="BOOTING", timeoutMs=30000)
            await wait_all_tasks_blocked()
            nursery.start_soon(take)
            await attempt.run(lambda: SENDERS["raw.send"](link))

            types = [message["type"] for message in await peer.settle()]
            assert types == ["subscription_update"] + ["custom"] * attempt.is_done


@pytest.mark.slow
async def test_a_send_that_waits_when_the_session_ends_fails_or_is_cancelled(autojump_clock: MockClock) -> None:
    """It never hangs."""
    for attempt in every_step(stride=3):
        async with connected() as link, trio.open_nursery() as nursery:
            await link.socket.cut()
            socket = await link.cloud.accept()
            await socket.open()
            await wait_all_tasks_blocked()
            nursery.start_soon(socket.send, "app_stopped")
            failures: list[str] = []

            async def send(link: Connected = link, failures: list[str] = failures) -> None:
                try:
                    await link.session.raw.send("custom")
                except SessionClosedError as error:
                    failures.append(error.reason)

            with trio.fail_after(10):
                await attempt.run(send)
            await wait_all_tasks_blocked()

            assert len(failures) == attempt.is_done
            assert socket.unread() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", WAITING)
async def test_a_send_during_a_reconnect_is_sent_or_cancelled(autojump_clock: MockClock, name: str) -> None:
    """From the loss to the first frame after the ack, through all that a new connection does."""
    async with connected() as link, trio.open_nursery() as nursery:
        peer = await Peer.of(link)

        async def come_back() -> None:
            peer.socket = await link.cloud.accept()
            await peer.socket.handshake()

        for attempt in every_step(stride=3):
            await peer.socket.cut()
            nursery.start_soon(come_back)
            await attempt.run(lambda: SENDERS[name](link))

            assert len(await peer.settle()) == attempt.is_done


async def test_a_writer_that_is_cancelled_takes_nothing(autojump_clock: MockClock) -> None:
    """Its connection ends; what it took then would be lost, and nobody would count it."""
    for attempt in every_step():
        outbox = Outbox[str](capacity=1)
        outbox.open_gate()
        outbox.send_nowait("a")
        await attempt.run(outbox.next)

        assert outbox.statistics().queued == (not attempt.is_done)
