"""Streams, cancelled at every moment: the cloud's list converges to the open ones, and no event is lost or stuck."""

import itertools
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import EventStream
from tests.cancellation.steps import every_step, living_tasks
from tests.scripted_cloud import PACKAGE, CloudSocket, Connected, connected

Feed = Callable[[CloudSocket], Awaitable[None]]
_SIZES = itertools.count()


async def speak(socket: CloudSocket) -> None:
    await socket.say("hello")


async def sound(socket: CloudSocket) -> None:
    await socket.send_audio(b"\1\2")


async def press(socket: CloudSocket) -> None:
    await socket.event("button_press", buttonId="main", pressType="short")


async def look_up(socket: CloudSocket) -> None:
    await socket.event("head_position", position="up")


async def notify(socket: CloudSocket) -> None:
    await socket.event("phone_notification", title="a")


async def change_settings(socket: CloudSocket) -> None:
    # Each time another value, so that each time it is news.
    await socket.send("settings_update", packageName=PACKAGE, settings=[{"key": "size", "value": next(_SIZES)}])


STREAMS: dict[str, tuple[Callable[[Connected], EventStream[object]], list[str], Feed]] = {
    "transcription": (lambda link: link.session.transcription.stream("en"), ["transcription:en-US"], speak),
    "transcription with gaps": (
        lambda link: link.session.transcription.stream("en").with_gaps(),
        ["transcription:en-US"],
        speak,
    ),
    "mic": (lambda link: link.session.mic.stream(), ["audio_chunk"], sound),
    "buttons": (lambda link: link.session.device.buttons.stream(), ["button_press"], press),
    "head": (lambda link: link.session.device.head.stream(), ["head_position"], look_up),
    "raw": (lambda link: link.session.raw.stream("phone_notification"), ["phone_notification"], notify),
    "raw messages": (lambda link: link.session.raw.messages(), [], notify),
    "settings": (lambda link: link.session.settings.stream("size"), [], change_settings),
}
every_stream = pytest.mark.parametrize("name", STREAMS)


class Listed:
    """The list that the cloud holds, over several sockets."""

    def __init__(self, link: Connected) -> None:
        self.link = link
        self.socket = link.socket
        self.names: list[str] = []

    async def read(self) -> list[str]:
        """Let everything happen and give the list."""
        await wait_all_tasks_blocked()
        for message in self.socket.unread():
            assert message["type"] == "subscription_update"
            self.names = [name for name in message["subscriptions"] if name != "augmentos:*"]
        return self.names

    async def come_back(self) -> None:
        """Bring up the socket that follows a lost one."""
        self.socket = await self.link.cloud.accept()
        update = await self.socket.handshake()
        self.names = [name for name in update["subscriptions"] if name != "augmentos:*"]


@every_stream
async def test_a_loop_that_is_cancelled_leaves_no_stream_and_no_subscription(
    autojump_clock: MockClock, name: str
) -> None:
    make, names, feed = STREAMS[name]
    async with connected() as link, trio.open_nursery() as nursery:
        listed = Listed(link)
        tasks = await living_tasks()

        async def loop() -> None:
            async with make(link) as stream:
                nursery.start_soon(feed, link.socket)
                await anext(stream)

        for attempt in every_step():
            await attempt.run(loop)

            assert await listed.read() == []
            assert link.session.statistics().streams.open == ()
            assert await living_tasks() == tasks
            # The next one finds everything as the first did.
            async with make(link) as stream:
                assert await listed.read() == names
                await feed(link.socket)
                await anext(stream)
        assert await listed.read() == []


@every_stream
async def test_a_read_that_is_cancelled_loses_no_event(autojump_clock: MockClock, name: str) -> None:
    make, names, feed = STREAMS[name]
    async with connected() as link, trio.open_nursery() as nursery, make(link) as stream:
        listed = Listed(link)
        for count, attempt in enumerate(every_step(), start=1):
            nursery.start_soon(feed, link.socket)
            await attempt.run(lambda: anext(stream))
            if not attempt.is_done:
                with trio.fail_after(5):
                    await anext(stream)
            counts = stream.statistics()

            assert (counts.received, counts.delivered, counts.buffered) == (count, count, 0)
            assert await listed.read() == names


@every_stream
async def test_of_two_readers_one_that_is_cancelled_strands_no_other(autojump_clock: MockClock, name: str) -> None:
    """The event that woke the one must wake the other."""
    make, _, feed = STREAMS[name]
    async with connected() as link, trio.open_nursery() as nursery, make(link) as stream:
        for attempt in every_step():
            got: list[object] = []
            fed = trio.Event()

            async def read(got: list[object] = got) -> None:
                got.append(await anext(stream))

            async def feed_both(fed: trio.Event = fed) -> None:
                await feed(link.socket)
                await wait_all_tasks_blocked()
                await feed(link.socket)
                fed.set()

            nursery.start_soon(read)
            nursery.start_soon(feed_both)
            await attempt.run(lambda: anext(stream))
            await fed.wait()
            await wait_all_tasks_blocked()

            assert len(got) == 1
            assert stream.statistics().buffered == (not attempt.is_done)
            if not attempt.is_done:
                await anext(stream)


@pytest.mark.slow
async def test_a_stream_that_opens_and_closes_during_a_reconnect_leaves_the_right_list(
    autojump_clock: MockClock,
) -> None:
    """Cancelled at every step from the loss of the socket to the list after the ack."""
    async with connected() as link, trio.open_nursery() as nursery, link.session.device.buttons.stream():
        listed = Listed(link)
        tasks = await living_tasks()

        async def loop() -> None:
            async with link.session.mic.stream() as chunks:
                nursery.start_soon(listed.come_back)
                await link.session.link_state.wait_for(lambda state: state.value == "connected")
                nursery.start_soon(sound, listed.socket)
                await anext(chunks)

        for attempt in every_step():
            await listed.socket.cut()
            await wait_all_tasks_blocked()
            await attempt.run(loop)
            if attempt.step == 1:
                nursery.start_soon(listed.come_back)  # it was cancelled before it could begin to
            await trio.sleep(1)

            assert await listed.read() == ["button_press"]
            assert [stream.name for stream in link.session.statistics().streams.open] == ["button presses"]
            assert await living_tasks() == tasks


async def test_the_end_of_a_session_frees_every_reader(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        ended: list[str] = []

        async def read(name: str) -> None:
            async with STREAMS[name][0](link) as stream:
                async for _ in stream:
                    pass
            ended.append(name)

        for name in STREAMS:
            nursery.start_soon(read, name)
        await wait_all_tasks_blocked()
        await link.session.end()
        await wait_all_tasks_blocked()

        assert sorted(ended) == sorted(STREAMS)
