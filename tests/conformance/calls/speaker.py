"""Sounds and streams of sound.

A recorded call that does not wait is a task of the app here; so is the block of a stream, in which its writes are made
one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, cast

import attrs
import trio
import trio.testing

from mentra_trio import AudioFormat, MentraSession, Playback, VoiceSettings
from mentra_trio.errors import MentraError
from mentra_trio.managers.speaker import SpeakerStream
from tests.conformance.marks import bytes_of, snake_keys

from .tables import Table

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from tests.conformance.app import App
    from tests.conformance.recordings import Json
    from tests.conformance.timeline import Item

_NO_COUNTERPART = ("track_id", "stop_other_audio")
Play = Callable[[], Awaitable[Playback]]


def _options(item: Item) -> Json:
    """Give the options that this SDK has; whether others are stopped is its own default unless it is told."""
    options = {name: value for name, value in item.kwargs.items() if name not in _NO_COUNTERPART}
    if "stop_other_audio" in item.kwargs:
        options["stop_other_audio"] = item.kwargs["stop_other_audio"]
    return options


async def _play(app: App, item: Item) -> object:
    method = cast("Callable[..., Awaitable[Playback]]", app.session(item).speaker.play)
    return await _wait_or_not(app, item, partial(method, *item.args, **_options(item)))


async def _speak(app: App, item: Item) -> object:
    method = cast("Callable[..., Awaitable[Playback]]", app.session(item).speaker.speak)
    options = _options(item)
    if "voice_settings" in options:
        make_settings = cast("Callable[..., VoiceSettings]", VoiceSettings)
        options["voice_settings"] = make_settings(**cast("Json", snake_keys(options["voice_settings"])))
    return await _wait_or_not(app, item, partial(method, *item.args, **options))


async def _wait_or_not(app: App, item: Item, play: Play) -> object:
    """Wait for the end where the recorded call does; else let a task wait."""
    if item.kwargs.get("stop_other_audio") is True:
        playback = await play()
        duration = None if playback.duration is None else playback.duration * 1000
        return {"duration": None if playback.is_interrupted else duration, "is_interrupted": playback.is_interrupted}
    failures: list[Exception] = []

    async def wait() -> None:
        try:
            await play()
        except (MentraError, ValueError, TypeError) as error:
            failures.append(error)

    app.nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    if failures:
        raise failures[0]
    return {"duration": 0, "is_interrupted": False}


async def _stop(app: App, item: Item) -> None:
    await app.session(item).speaker.stop()


@attrs.define(eq=False)
class HeldStream:
    """The block of a stream, until it is ended or the session is over."""

    session: MentraSession
    sound: SpeakerStream | None = attrs.field(init=False, default=None)
    error: Exception | None = attrs.field(init=False, default=None)
    ready: trio.Event = attrs.field(init=False, factory=trio.Event)
    _todo: trio.MemorySendChannel[bytes | trio.Event] = attrs.field(init=False)
    _doing: trio.MemoryReceiveChannel[bytes | trio.Event] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._todo, self._doing = trio.open_memory_channel[bytes | trio.Event](math.inf)

    @property
    def is_open(self) -> bool:
        return self.sound is not None and self.sound.is_open

    async def run(self, block: AbstractAsyncContextManager[SpeakerStream]) -> None:
        try:
            async with block as self.sound, trio.open_nursery() as nursery:
                self.ready.set()
                nursery.start_soon(self._work, self.sound)
                async for _ in self.session.settings.system.changes():
                    pass
                nursery.cancel_scope.cancel()
        except* (MentraError, trio.BusyResourceError, ValueError) as group:
            self.error = cast("Exception", group.exceptions[0])
        finally:
            self.ready.set()

    def write(self, data: bytes) -> None:
        self._todo.send_nowait(data)

    async def end(self) -> None:
        done = trio.Event()
        self._todo.send_nowait(done)
        await done.wait()

    async def _work(self, sound: SpeakerStream) -> None:
        async for todo in self._doing:
            if isinstance(todo, trio.Event):
                await sound.end()
                todo.set()
            else:
                await sound.write(todo)


async def _create_stream(app: App, item: Item) -> object:
    session = app.session(item)
    open_stream = cast("Callable[..., AbstractAsyncContextManager[SpeakerStream]]", session.speaker.open_stream)
    options = _options(item)
    if "format" in options:
        options["format"] = AudioFormat(cast("str", options["format"]))
    held = HeldStream(session)
    app.nursery.start_soon(held.run, open_stream(**options))
    await held.ready.wait()
    if held.error is not None:
        raise held.error
    app.streams_of_sound[item.assign or ""] = held
    return {"$stream": {"state": "streaming"}}


def _held(app: App, item: Item) -> HeldStream:
    return cast("HeldStream", app.streams_of_sound[cast("str", item.args[0])])


async def _write(app: App, item: Item) -> None:
    held = _held(app, item)
    data = bytes_of(item.args[1])
    if held.is_open or held.sound is None:
        held.write(data)
        await trio.testing.wait_all_tasks_blocked()
    else:
        await held.sound.write(data)  # raises


async def _end(app: App, item: Item) -> None:
    held = _held(app, item)
    if held.is_open:
        await held.end()


async def _flush(app: App, item: Item) -> None:
    held = _held(app, item)
    if held.is_open:
        await held.session.speaker.stop()


async def _state(app: App, item: Item) -> object:
    await trio.lowlevel.checkpoint()
    return "streaming" if _held(app, item).is_open else "ended"


TABLE = Table(
    calls={
        "speaker.play": _play,
        "speaker.speak": _speak,
        "speaker.stop": _stop,
        "speaker.create_stream": _create_stream,
        "stream.write": _write,
        "stream.end": _end,
        "stream.flush": _flush,
        "stream.state": _state,
    },
    registrations={"stream.on_state_change": lambda app, item: None},
    properties={"speaker.has_permission": lambda app, item: True},  # there is none that could be missing (P3 0.6)
)
