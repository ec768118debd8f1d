"""A session that uses everything at once, loses its link three times, and is stopped (P1 2.7)."""

import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import MentraError, MentraSession, SessionClosedError, StopKind
from mentra_trio._wire.outbound import Family
from tests.managers.worlds import PACKAGE, USER, World, open_world

EVENTS = {
    *("transcription", "translation", "sound", "voices", "buttons", "touches", "head", "notifications", "dismissals"),
    *("calendar", "location", "settings", "messages", "zone"),
}
ACTIONS = {
    *("display", "dashboard", "led", "sound", "speech", "photo", "video", "storage", "locate", "permissions"),
}
ZONES = ("Europe/Berlin", "Asia/Tokyo")


class Everything:
    """What came of each source and of each action."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.done: set[str] = set()
        self.failed: dict[str, str] = {}

    async def watch(self, name: str, source: AsyncIterable[object]) -> None:
        """Read a source until the session is over."""
        async for _ in source:
            self.seen.add(name)

    async def repeat(self, session: MentraSession, name: str, action: Callable[[], Awaitable[object]]) -> None:
        """Do something again and again until the session is over."""
        while session.stop_reason is None:
            try:
                await action()
                self.done.add(name)
            except MentraError as error:
                self.failed[name] = str(error)
            await trio.sleep(0.7)

    async def film(self, session: MentraSession) -> None:
        """Take a photo, and then stream until the session is over: both at once no camera can."""
        await session.device.capabilities.wait_for(lambda glasses: glasses is not None and glasses.has_camera)
        await session.camera.take_photo()
        self.done.add("photo")
        async with session.camera.open_stream() as stream:
            assert (await stream.wait_end()).message == "the session is over"
            self.done.add("video")

    async def sound(self, session: MentraSession) -> None:
        """Play something, and then make sound until the session is over: either ends the other."""
        await session.speaker.play("https://example.com/a.mp3")
        self.done.add("sound")
        with suppress(SessionClosedError):
            async with session.speaker.open_stream() as speech:
                while True:
                    await speech.write(bytes(800))
                    self.done.add("speech")
                    await trio.sleep(0.7)

    async def use(self, session: MentraSession) -> None:
        """Use all managers of a session."""
        async with trio.open_nursery() as nursery:
            device, phone, mic = session.device, session.phone, session.mic
            sources: dict[str, AsyncIterable[object]] = {
                "transcription": session.transcription.stream("en"),
                "translation": session.translation.to("es").stream(),
                "sound": mic.stream(),
                "voices": mic.voice_activity.stream(),
                "buttons": device.buttons.stream(),
                "touches": device.touches.stream(),
                "head": device.head.stream(),
                "notifications": phone.notifications.stream(),
                "dismissals": phone.dismissals.stream(),
                "calendar": phone.calendar.stream(),
                "location": session.location.stream(),
                "settings": session.settings.stream(),
                "messages": session.raw.messages(),
                "zone": session.time.zone.changes(),
            }
            for name, source in sources.items():
                nursery.start_soon(self.watch, name, source)
            actions: dict[str, Callable[[], Awaitable[object]]] = {
                "display": lambda: session.display.show_text_wall("everything"),
                "dashboard": lambda: session.dashboard.show_text("everything"),
                "led": lambda: session.led.set_color("green", duration=0.1, confirm=True),
                "storage": lambda: session.storage.set("at", str(trio.current_time())),
                "locate": session.location.locate,
                "permissions": session.permissions.fetch,
            }
            for name, action in actions.items():
                nursery.start_soon(self.repeat, session, name, action)
            nursery.start_soon(self.film, session)
            nursery.start_soon(self.sound, session)


async def live_a_little(world: World) -> None:
    """Let the wearer do what a wearer does, for some seconds."""
    user, now = world.user, world.cloud.now()
    user.press()
    user.touch("single_tap")
    user.look("up")
    user.dismiss(user.notify("Mail", "a title", "a text"))
    user.add_event("a meeting", now, now)
    user.move_to(48.2, 16.4)
    user.change_settings(PACKAGE, {"size": trio.current_time()})
    user.detect_voice(is_speaking=trio.current_time() % 2 < 1)
    user.hear(bytes(640))
    user.change_system_settings(timezone=ZONES[round(trio.current_time()) % 2])
    await user.say("good morning", translated="buenos dias")
    await trio.sleep(5)


def still_on(world: World) -> list[str]:
    """What the wearer's devices do for the app."""
    does = {"video": world.user.glasses.camera.stream_url, "sound": world.user.speaker.playing}
    return [name for name, what in does.items() if what is not None]


async def test_everything_at_once_over_three_lost_links_leaves_nothing_behind(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    everything = Everything()
    async with open_world() as world:
        world.user.wear("Mentra Live")
        world.user.update_device(connected=True, wifiConnected=True)
        tasks = trio.lowlevel.current_statistics().tasks_living
        session = world.session
        async with trio.open_nursery() as nursery:
            nursery.start_soon(everything.use, session)
            for _ in range(3):
                await world.user.wait_subscribed(PACKAGE, lambda app: len(app.subscriptions.names) > 8)
                await live_a_little(world)
                await world.user.drop(PACKAGE, refuse_for=2)
            await live_a_little(world)
            everything.failed.clear()
            await live_a_little(world)
            assert everything.failed == {}
            went_on = still_on(world)
            await world.user.stop(PACKAGE)
        await trio.sleep(1)
        # Nothing goes on in the glasses or on the phone either, where the cloud would leave it (P3 4.6, 6.5).
        assert (went_on, still_on(world)) == (["video", "sound"], [])

        assert everything.seen == EVENTS
        assert everything.done == ACTIONS
        assert session.stop_reason is not None
        assert session.stop_reason.kind is StopKind.STOP_REQUESTED
        assert session.connections == 4
        statistics = session.statistics()
        assert statistics.streams.open == ()
        assert [family for family in Family if session._runtime._outbound.awaits(family)] == []
        assert world.server.session_for(USER) is None
        assert world.cloud.violations == ()
        # The session's own tasks are gone too.
        assert trio.lowlevel.current_statistics().tasks_living < tasks
    told = {record.getMessage().partition("] ")[2] for record in caplog.records if record.levelno >= logging.WARNING}
    assert {text for text in told if not text.startswith(("connection lost", "connected again"))} == set()
