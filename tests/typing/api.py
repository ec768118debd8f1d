"""What type checkers make of an app. Never run: mypy and pyright read it, and `assert_type` is an error for them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import assert_type
from zoneinfo import ZoneInfo

import attrs
import trio
import trio.lowlevel

from mentra_trio import (
    AudioChunk,
    AudioFormat,
    ButtonPress,
    CalendarEvent,
    Capabilities,
    CloudRefusedError,
    DeviceState,
    Dismissal,
    EventStream,
    Gap,
    Gesture,
    HeadMove,
    HeadPosition,
    Latest,
    LedColor,
    LinkDownError,
    LinkState,
    LocationAccuracy,
    LocationFix,
    MentraError,
    MentraSession,
    MiniAppServer,
    Notification,
    Permission,
    PermissionDeniedError,
    Permissions,
    PhotoError,
    Playback,
    PressType,
    RawEvent,
    RawMessage,
    Recording,
    RequestTimedOutError,
    RestartPolicy,
    SessionClosedError,
    SessionConfig,
    SessionStatistics,
    SettingChange,
    SlowConsumerError,
    StopKind,
    StopReason,
    SystemSettings,
    TouchEvent,
    Transcript,
    Translation,
    VoiceActivity,
    VoiceSettings,
    __version__,
)
from mentra_trio.managers.speaker import SpeakerStream
from mentra_trio.models import BatteryReport, FovPosition, PermissionRefusal, Photo, PhotoForwarded, PhotoSize
from mentra_trio.text import CaptionView, Profile, Style, Wrapped

version: str = __version__

app = MiniAppServer("com.example.app", "key", port=0, cloud_hosts=["c.example.com"], restart=RestartPolicy(window=5))
other = MiniAppServer(session_config=SessionConfig(ack_timeout=1, restart=RestartPolicy(max_restarts=0)))


@app.on_session
async def main(session: MentraSession) -> None:
    await speech(session)


@app.on_stop
async def stopped(session: MentraSession, reason: StopReason) -> None:
    await trio.lowlevel.checkpoint()
    assert_type(reason.kind, StopKind)
    assert_type(reason.detail, str)
    assert_type(session.stop_reason, StopReason | None)


assert_type(main, Callable[[MentraSession], Awaitable[None]])
assert_type(stopped, Callable[[MentraSession, StopReason], Awaitable[None]])


async def speech(session: MentraSession) -> None:
    assert_type(session.transcription.stream(), EventStream[Transcript])
    async with session.transcription.stream("en", "ja", interim=False, hints=["fr"]) as lines:
        assert_type(lines, EventStream[Transcript])
        async for line in lines:
            assert_type(line, Transcript)
            assert_type(line.text, str)
            assert_type(line.utterance_id, str | None)
            assert_type(line.audio_start, float | None)
            assert_type(line.received_at, datetime)
    async with session.transcription.stream().with_gaps() as lines_and_gaps:
        assert_type(lines_and_gaps, EventStream[Transcript | Gap])
        async for item in lines_and_gaps:
            if isinstance(item, Gap):
                assert_type(item.seconds, float)
            else:
                assert_type(item, Transcript)


@attrs.frozen
class Score:
    points: int


async def stored(session: MentraSession) -> None:
    assert_type(await session.storage.get("k"), str | None)
    assert_type(await session.storage.get("k", "default"), str)
    assert_type(await session.storage.get("k", as_type=int), int | None)
    assert_type(await session.storage.get("k", 0, as_type=int), int)
    assert_type(await session.storage.get("k", as_type=Score), Score | None)
    assert_type(await session.storage.get("k", as_type=list[str]), list[str] | None)
    assert_type(await session.storage.items(), tuple[tuple[str, str], ...])
    await session.storage.set("k", Score(3))
    await session.storage.set_many({"a": 1, "b": [2]})
    assert_type(session.permissions.state, Latest[Permissions])
    assert_type(session.permissions.has(Permission.CAMERA), bool)
    assert_type(await session.permissions.fetch(), Permissions)
    assert_type(session.permissions.stream(), EventStream[PermissionRefusal])


async def sound_and_hands(session: MentraSession) -> None:
    async for chunk in session.mic.stream():
        assert_type(chunk, AudioChunk)
        assert_type(chunk.data, bytes)
        assert_type(chunk.seconds, float)
    async for press in session.device.buttons.stream():
        assert_type(press, ButtonPress)
        assert_type(press.press_type, PressType)
        assert_type(press.press_type == "long", bool)
        assert_type(press.pressed_at, datetime | None)
    async for move in session.device.head.stream():
        assert_type(move, HeadMove)
        assert_type(move.position, HeadPosition)


async def light_and_words(session: MentraSession) -> None:
    await session.led.set_color("red", duration=2)
    await session.led.blink(LedColor.GREEN, on=0.2, off=0.1, count=2, confirm=True)
    await session.led.off()
    await session.dashboard.show_text(["one", "two"])
    await session.dashboard.clear()
    await session.display.show_bitmap(b"BM", left=1, duration=2)
    await session.display.show_animation([b"BM", "Qk0="], repeat=None)
    assert_type(await session.mic.record(2), Recording)
    assert_type((await session.mic.record_utterance(pause=1)).to_wav(), bytes)
    assert_type(session.mic.is_speaking, bool)
    async for activity in session.mic.voice_activity.stream(sound=False):
        assert_type(activity, VoiceActivity)
    async for touch in session.device.touches.stream("double_tap", Gesture.UP_SWIPE):
        assert_type(touch, TouchEvent)
        assert_type(touch.gesture, Gesture)
    assert_type(session.device.battery_level, Latest[int | None])
    assert_type(session.device.wifi.value.ssid, str | None)
    assert_type(session.device.state.select(lambda now: now.style), Latest[str | None])
    await session.device.request_wifi_setup("why")


async def state(session: MentraSession) -> None:
    assert_type(session.device.state, Latest[DeviceState])
    assert_type(session.device.state.value.battery_level, int | None)
    assert_type(await session.device.state.wait_for(lambda now: now.connected is True), DeviceState)
    async for now in session.device.state.changes():
        assert_type(now, DeviceState)
    assert_type(session.device.capabilities, Latest[Capabilities | None])
    capabilities = session.device.capabilities.value
    if capabilities is not None and capabilities.camera is not None:
        assert_type(capabilities.camera.has_hdr, bool | None)
    assert_type(session.link_state, Latest[LinkState])
    # Variance: a view of something more special is a view of something more general.
    general: Latest[object] = session.link_state
    events: EventStream[object] = session.mic.stream()
    del general, events


async def settings(session: MentraSession) -> None:
    assert_type(session.settings.get("language", "en"), str)
    assert_type(session.settings.get("lines", 3), int)
    assert_type(session.settings.get("speed", 1.5), float)
    assert_type(session.settings.get("dark", False), bool)
    assert_type(session.settings.get("anything"), object)
    assert_type(session.settings.get("anything", None), object)
    assert_type(session.settings.values, Latest[Mapping[str, object]])
    assert_type(session.settings.system, Latest[SystemSettings])
    assert_type(session.settings.system.value.user_timezone, str | None)
    async with session.settings.stream("language", "lines") as changes:
        async for change in changes:
            assert_type(change, SettingChange)
            assert_type(change.new, object)


async def output(session: MentraSession) -> None:
    await session.display.show_text_wall("Hello", duration=2)
    await session.display.show_text(["one", "two"])
    await session.display.show_double_text_wall("left", "right")
    await session.display.show_reference_card("title", "text", duration=1.5)
    await session.display.show_dashboard_card("left", "right")
    assert_type(session.display.profile, Profile)
    assert_type(await session.display.show_fitted("text", style=Style(trim=False), duration=2), Wrapped)
    assert_type(await session.display.show_fitted_columns("a", ["b"], duration=2), tuple[Wrapped, Wrapped])
    assert_type(await session.display.show_fitted_card("a", "b", style=Style()), tuple[Wrapped, Wrapped])
    async with session.transcription.stream() as speech, session.translation.to("es").stream() as translated:
        await session.display.show_captions(speech, make_view=lambda profile: CaptionView(profile, size=2))
        await session.display.show_captions(translated, duration=10)
    await session.display.clear()
    await session.end()


async def raw(session: MentraSession) -> None:
    assert_type(session.raw.messages(), EventStream[RawMessage])
    async for event in session.raw.stream("phone_notification"):
        assert_type(event, RawEvent)
        assert_type(event.data, object)
    await session.raw.send("led_party", colour="red", times=3, nested={"a": [1, None]})


def facts(session: MentraSession) -> None:
    assert_type(session.user_id, str)
    assert_type(session.session_id, str)
    assert_type(session.package_name, str)
    assert_type(session.base_url, str)
    assert_type(session.connections, int)
    assert_type(session.statistics(), SessionStatistics)
    assert_type(app.session_for("ana@example.com"), MentraSession | None)


async def camera(session: MentraSession) -> None:
    assert_type(await session.camera.take_photo(size=PhotoSize.SMALL, exposure=0.01), Photo)
    assert_type(await session.camera.take_photo_to("https://photos.example.com", auth_token="t"), PhotoForwarded)
    await session.camera.set_fov(92, position=FovPosition.TOP)


async def surroundings(session: MentraSession) -> None:
    assert_type(session.translation.to("es", "de").stream(interim=False), EventStream[Translation])
    assert_type(session.translation.between("en", "es").stream(), EventStream[Translation])
    assert_type(session.phone.notifications.stream(), EventStream[Notification])
    assert_type(session.phone.dismissals.stream(), EventStream[Dismissal])
    assert_type(session.phone.calendar.stream(), EventStream[CalendarEvent])
    assert_type(session.phone.battery.stream(), EventStream[BatteryReport])
    assert_type(session.location.stream(), EventStream[LocationFix])
    assert_type(await session.location.locate(LocationAccuracy.HIGH), LocationFix)
    assert_type(session.location.last, Latest[LocationFix | None])
    assert_type(session.time.zone, Latest[ZoneInfo | None])
    assert_type(session.time.now(), datetime)
    assert_type(session.time.to_local(session.time.now()), datetime)
    session.location.stream("high")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    session.translation.to(["es"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def failures(session: MentraSession) -> None:
    try:
        await raw(session)
    except LinkDownError as error:
        assert_type(error.capacity, int)
    except SlowConsumerError as error:
        assert_type(error.stream, str)
        assert_type(error.capacity, int)
    except SessionClosedError as error:
        assert_type(error.reason, str)
    except PhotoError as error:
        assert_type(error.stage, str | None)
    except PermissionDeniedError as error:
        assert_type(error.permission, str)
    except CloudRefusedError as error:
        assert_type(error.code, str)
    except RequestTimedOutError as error:
        assert_type(error.seconds, float)
    except MentraError as error:
        assert_type(error, MentraError)


async def serving() -> None:
    async with trio.open_nursery() as nursery:
        urls: Sequence[str] = await nursery.start(app.serve)  # Trio cannot tell the type itself
        del urls
        nursery.cancel_scope.cancel()
    async with app.running():
        await trio.lowlevel.checkpoint()
    assert_type(app.run(), None)


async def sound(session: MentraSession) -> None:
    assert_type(await session.speaker.play("https://cdn.example.com/ding.mp3", volume=0.5), Playback)
    assert_type(await session.speaker.speak("Hi", voice_settings=VoiceSettings(speed=1)), Playback)
    async with session.speaker.open_stream(format=AudioFormat.PCM16, channels=2) as stream:
        assert_type(stream, SpeakerStream)
        await stream.write(b"")
        await stream.end()
        assert_type(await stream.finish(), Playback)
    await session.speaker.stop()
    session.speaker.open_stream(format="pcm16")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
