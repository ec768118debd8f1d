"""Every manager's coroutines, cancelled at every moment against the simulated cloud: afterwards all is as before.

The cloud is strict, so a frame that is cut, out of place or meant for nobody fails the test, and so does whatever is
left behind: a task, a request that waits, a subscription, a stream of sound or of video.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import AudioFormat, MentraSession, PlaybackError
from mentra_trio._wire.outbound import Family
from tests.cancellation.steps import every_step, living_tasks
from tests.managers.worlds import PACKAGE, World, open_world

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

GLASSES = "Mentra Live"
REST = 40.0
"""Seconds after which whatever a call began in the glasses and on the phone is over."""
SOUND = "https://cdn.example.com/ding.mp3"
PCM = bytes(2 * 24_000)


async def open_video(session: MentraSession, url: str | None) -> None:
    async with session.camera.open_stream(url):
        await trio.sleep(0.1)


async def change_targets(session: MentraSession) -> None:
    async with session.camera.open_stream() as stream:
        await stream.add_target("rtmp://live.example.com/app/key", name="copy")
        (target,) = await stream.fetch_targets()
        assert target.target_id is not None
        await stream.remove_target(target.target_id)


async def make_sound(session: MentraSession, kind: AudioFormat) -> None:
    async with session.speaker.open_stream(format=kind) as sound:
        await sound.write(PCM)
        await sound.finish()


async def play_two(session: MentraSession) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.speaker.play, SOUND)
        await trio.sleep(0.1)
        await session.speaker.speak("hello")


async def record(session: MentraSession, world: World) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.mic.record, 0.1)
        await trio.sleep(0.1)
        for _ in range(10):
            world.user.hear(bytes(640))


async def store(session: MentraSession) -> None:
    storage = session.storage
    await storage.set("one", 1)
    await storage.set_many({"two": 2, "three": 3})
    await storage.flush()
    assert await storage.items() == (("one", "1"), ("two", "2"), ("three", "3"))
    await storage.delete_many(["two", "three"])
    await storage.reload()
    assert await storage.keys() == ("one",)
    await storage.clear()


ACTS: dict[str, tuple[int, Callable[[MentraSession, World], Awaitable[object]]]] = {
    "camera.take_photo": (5, lambda session, _: session.camera.take_photo()),
    "camera.take_photo_to": (1, lambda session, _: session.camera.take_photo_to("https://photos.example.com/in")),
    "camera.set_fov": (1, lambda session, _: session.camera.set_fov(118)),
    "camera.check_stream": (1, lambda session, _: session.camera.check_stream()),
    "camera.open_stream, direct": (5, lambda session, _: open_video(session, "rtmp://live.example.com/app/key")),
    "camera.open_stream, managed": (5, lambda session, _: open_video(session, None)),
    "restream targets": (7, lambda session, _: change_targets(session)),
    "speaker.play": (5, lambda session, _: play_two(session)),
    "speaker.stop": (1, lambda session, _: session.speaker.stop()),
    "speaker.open_stream, MP3": (5, lambda session, _: make_sound(session, AudioFormat.MP3)),
    "speaker.open_stream, PCM": (5, lambda session, _: make_sound(session, AudioFormat.PCM16)),
    "storage": (3, lambda session, _: store(session)),
    "location.locate": (3, lambda session, _: session.location.locate()),
    "led": (3, lambda session, _: session.led.set_color("green", duration=0.1, confirm=True)),
    "dashboard": (1, lambda session, _: session.dashboard.show_text("hello")),
    "device.request_wifi_setup": (1, lambda session, _: session.device.request_wifi_setup("please")),
    "permissions.fetch": (1, lambda session, _: session.permissions.fetch()),
    "mic.record": (5, record),
}


def check_nothing_waits(world: World) -> None:
    """No request of the session waits for an answer or for the writer."""
    runtime = world.session._runtime
    outbox = world.session.statistics().outbox
    assert (outbox.control, outbox.lanes, outbox.queued, outbox.is_dirty) == (0, 0, 0, False)
    assert [family for family in Family if runtime._outbound.awaits(family)] == []
    assert runtime._outbound._queued == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTS)
async def test_a_call_that_is_cancelled_leaves_all_as_it_was(autojump_clock: MockClock, name: str) -> None:
    """The same session can do it again, from the beginning to the end."""
    stride, act = ACTS[name]
    async with open_world(is_started=False) as world:
        await world.start()
        world.user.wear(GLASSES)
        world.user.update_device(connected=True, wifiConnected=True)
        world.user.move_to(52.5, 13.4)
        await trio.sleep(1)
        session = world.session
        with suppress(PlaybackError):
            await act(session, world)  # what is begun with the first use stays: the writing of stored values
        await trio.sleep(REST)
        tasks = await living_tasks()
        app = world.user.app(PACKAGE)
        assert app is not None
        names = app.subscriptions.names
        for attempt in every_step(stride=stride):
            await attempt.run(lambda: act(session, world))
            await trio.sleep(REST)
            await session.storage.flush()
            await wait_all_tasks_blocked()

            check_nothing_waits(world)
            assert await living_tasks() == tasks
            assert app.subscriptions.names == names
            assert world.user.glasses.camera.stream_url is None
            assert await session.camera.check_stream() is None
            assert session.statistics().unknown_messages == 0
        assert session.connections == 1
