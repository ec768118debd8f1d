"""Commands about lights, the dashboard, touches and sound: how they are written, and what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from mentra_trio import MentraSession, MiniAppServer, RestartPolicy
from mentra_trio.cli.commands import Action, Command, EndVideo, Glance, Light, Murmur, Quit, Touch, Video
from mentra_trio.cli.parsing import parse
from mentra_trio.cli.player import CommandFailedError, Player
from mentra_trio.cli.readers import CommandError
from mentra_trio.models import Gesture

from .stage import open_stage

if TYPE_CHECKING:
    from trio.testing import MockClock


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("dashboard 3 notes", Glance("3 notes", 5)),
        ("dashboard x within 2", Glance("x", 2)),
        ("light red", Light("red", 5)),
        ("light off within 1.5", Light(None, 1.5)),
        ("video on", Video(is_on=True)),
        ("video off within 2", Video(is_on=False, seconds=2)),
        ("video end", EndVideo()),
        ("touch double_tap", Touch(Gesture.DOUBLE_TAP)),
        ("murmur", Murmur(1.0)),
        ("murmur 2.5", Murmur(2.5)),
    ],
)
def test_lines_are_commands(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("dashboard", "there is no text to look for"),
        ("light purple", "a light is red, green, blue, orange, white or off, not 'purple'"),
        ("light", "a light is red, green, blue, orange, white or off; write: light"),
        ("light within 2", "a light is red, green, blue, orange, white or off; write: light"),
        ("video", "live video is on or off, or is to end; write: video"),
        ("video within 2", "live video is on or off, or is to end; write: video"),
        ("video live", "live video is on or off, or is to end, not 'live'"),
        ("touch", "a touch is one of single_tap, double_tap"),
        ("touch unknown", "a touch is one of"),
        ("murmur long", "is not a number of seconds"),
    ],
)
def test_mistakes_are_told(line: str, text: str) -> None:
    with pytest.raises(CommandError, match=text):
        parse(line)


async def play(player: Player, line: str) -> str:
    command: Command | None = parse(line)
    assert command is not None
    assert not isinstance(command, Quit)
    action: Action = command
    return await player.play(action)


app = MiniAppServer("com.example.app", "key")


@app.on_session
async def use_all(session: MentraSession) -> None:
    """Use everything that the commands are about."""

    async def answer_touches() -> None:
        async with session.device.touches.stream("up_swipe") as touches:
            async for _ in touches:
                await session.led.set_color("green", duration=3)
                await session.dashboard.show_text("touched")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_touches)
        said = await session.mic.record_utterance()
        await session.display.show_text(f"{said.seconds:.1f} s")


async def test_the_wearer_touches_looks_and_murmurs(autojump_clock: MockClock) -> None:
    async with open_stage(app) as stage:
        for line in (
            "start",
            "wear Mentra Live",
            "light off",
            "touch up_swipe",
            "light green",
            "dashboard touched",
            "light off within 4",
            "murmur 2",
            "expect 2.",
        ):
            await play(stage.player, line)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("dashboard nothing within 1", "expected 'nothing' on the dashboard within 1 s"),
        ("light red within 1", "expected the light to be red within 1 s; it is dark"),
        ("video on within 1", "expected live video to be on within 1 s; the glasses do not stream"),
        ("video end", "the glasses do not stream"),
        ("touch single_tap", "did not listen to single_tap"),
        ("hear hello within 1", "expected to hear 'hello' within 1 s; heard nothing$"),
    ],
)
async def test_what_is_not_there_fails(autojump_clock: MockClock, line: str, text: str) -> None:
    async with open_stage(app) as stage:
        await play(stage.player, "start")
        with pytest.raises(CommandFailedError, match=text):
            await play(stage.player, line)


async def test_live_video_is_seen_and_ends(autojump_clock: MockClock) -> None:
    live = MiniAppServer("com.example.app", "key")

    @live.on_session
    async def stream_twice(session: MentraSession) -> None:
        for url in ("rtmp://live.example.com/app/key", None):
            async with session.device.buttons.stream() as presses, session.camera.open_stream(url) as stream:
                await session.display.show_text(f"live to {url}")
                ended = await stream.wait_end()
                await session.display.show_text(f"{url} {ended.state}")
                await anext(presses)

    async with open_stage(live) as stage:
        for line in ("start", "wear Mentra Live"):
            await play(stage.player, line)
        for url in ("rtmp://live.example.com/app/key", "None"):
            await play(stage.player, f"expect live to {url} within 10")
            await play(stage.player, "video on")
            with pytest.raises(CommandFailedError, match="to be off within 1 s; the glasses stream to"):
                await play(stage.player, "video off within 1")
            await play(stage.player, "video end")
            await play(stage.player, "video off")
            await play(stage.player, f"expect {url} stopped")
            await play(stage.player, "press")


@pytest.mark.parametrize("url", ["rtmp://live.example.com/app/key", None])
async def test_video_is_on_when_it_flows_and_not_when_it_begins(autojump_clock: MockClock, url: str | None) -> None:
    live = MiniAppServer("com.example.app", "key")

    @live.on_session
    async def stream(session: MentraSession) -> None:
        await session.device.wifi.wait_for(lambda wifi: wifi.connected is True)
        async with session.camera.open_stream(url) as video:
            await session.display.show_text(f"it {(await video.wait_end()).state}")

    async with open_stage(live) as stage:
        for line in ("start", "wear Mentra Live"):
            await play(stage.player, line)
        with pytest.raises(
            CommandFailedError, match=r"; the glasses (do not stream|stream to .*, but no video flows yet)$"
        ):
            await play(stage.player, "video on within 0.5")
        for line in ("video on", "video end", "expect it stopped"):
            await play(stage.player, line)


async def test_nobody_murmurs_to_an_app_that_does_not_listen(autojump_clock: MockClock) -> None:
    deaf = MiniAppServer("com.example.app", "key")

    @deaf.on_session
    async def wait(session: MentraSession) -> None:
        await trio.sleep_forever()

    async with open_stage(deaf) as stage:
        await play(stage.player, "start")
        with pytest.raises(CommandFailedError, match="did not listen to sound"):
            await play(stage.player, "murmur")


async def test_what_an_app_that_crashed_did_not_say_is_told_with_its_crash(autojump_clock: MockClock) -> None:
    mute = MiniAppServer("com.example.app", "key", restart=RestartPolicy(max_restarts=0))

    @mute.on_session
    async def fail(session: MentraSession) -> None:
        await session.speaker.speak("well")
        raise ValueError

    async with open_stage(mute) as stage:
        await play(stage.player, "start")
        with pytest.raises(CommandFailedError, match=r"heard 'well', and the app crashed once and was given up"):
            await play(stage.player, "hear goodbye")
