"""`session.speaker`: sound for the wearer's ears (P3 4)."""

from __future__ import annotations

import contextlib
import math
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import attrs
import trio

from mentra_trio._arguments import checked_text
from mentra_trio._flow import open_services
from mentra_trio._link import Link
from mentra_trio._mp3 import Mp3Encoder
from mentra_trio._wire.actions.speaker import PlayAudio, StopAudio, speech_url
from mentra_trio.errors import PlaybackError, RequestTimedOutError
from mentra_trio.models.sound import AudioFormat, Playback, VoiceSettings

from .stream import SpeakerStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

    from mentra_trio._wire.actions.speaker import PlayAnswer

__all__ = ["SpeakerManager", "SpeakerStream"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPEECH_MARGIN = 30.0
"""Seconds until speech begins at the latest, and until the word of its end is here."""
_SLOWEST_SPEECH = 0.5
"""Seconds per character that no voice needs at its own pace: most need 0.07, those of Chinese 0.25."""
_SLOWEST_SPEED = 0.1
_LONGEST_URL = 8_000
"""Characters of an address that every phone and every server on the way takes."""


class _Sound(Protocol):
    """Something that the phone plays for this app."""

    def interrupt(self) -> None:
        """Take note that it was ended by another one."""
        ...


@attrs.define(eq=False, repr=False)
class _Playing:
    """A call that waits for the end of its sound."""

    limit: float
    """Seconds after which it waits no more, where the request itself would wait longer."""
    scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    since: float = attrs.field(init=False, factory=trio.current_time)
    is_interrupted: bool = attrs.field(init=False, default=False)

    def begin(self) -> None:
        """Take note that the phone was told to play it."""
        self.since = trio.current_time()
        self.scope.deadline = self.since + self.limit

    def interrupt(self) -> None:
        """End the waiting."""
        self.is_interrupted = True
        self.scope.cancel(reason="a newer sound of this app, or a stop, has ended this one")


@attrs.define(eq=False, repr=False)
class SpeakerManager:
    """Sound on the phone, or on glasses that have a loudspeaker. Needs no permission.

    The phone has one player. It mixes nothing: a new sound, of whichever app, ends the one that plays (P3 4.4). When
    a sound of this app is ended by a newer one of this app, or by `stop`, whoever waits for the older one is told at
    once: `Playback.is_interrupted`. The cloud keeps no tracks apart, so there are none here.

    Cancelling a call stops the waiting, not the sound; what was not sent yet is taken back.

    Every method raises `SessionClosedError` when the session is over, `LinkDownError` when too much waits to be sent,
    and `TypeError` or `ValueError` for wrong arguments, before anything is sent.
    """

    _link: Link
    _sounds: dict[_Sound, None] = attrs.field(init=False, factory=dict[_Sound, None])
    """What the phone was told to play and has not ended, as far as it is known here."""
    _stream: SpeakerStream | None = attrs.field(init=False, default=None)
    """The newest stream."""

    async def play(self, url: str, *, volume: float = 1.0, stop_other_audio: bool = True) -> Playback:
        """Play what is at a URL, and wait for its end.

        Args:
            url: where the phone gets it: `http` or `https`, in reach of the phone. MP3 plays everywhere.
            volume: 0 to 1.
            stop_other_audio: the sound that plays is ended in any case. With `False` the phone does not tell whoever
                started it, so that another app waits for nothing (P3 4.4).

        Raises:
            PlaybackError: the phone could not play it.
            DeviceUnavailableError: the phone is away.
            RequestTimedOutError: no word of its end in 10 minutes; it may still play. That is also what an end is that
                falls into a lost connection: the cloud throws the phone's word away then, and nothing asks for it
                again (P3 4.2). Bound the wait with `trio.move_on_after` where you know how long the sound is.
        """
        return await self._play(_address(url), _volume(volume), _flag(stop_other_audio))

    async def speak(
        self,
        text: str,
        *,
        voice_id: str | None = None,
        model_id: str | None = None,
        voice_settings: VoiceSettings | None = None,
        volume: float = 1.0,
        stop_other_audio: bool = True,
    ) -> Playback:
        """Speak a text with the cloud's voice, and wait for its end.

        The phone gets the sound from the cloud at an address that holds the text, so a text that makes it longer than
        8000 characters is a `ValueError`: speak longer ones in pieces.

        Args:
            text: what to say.
            voice_id, model_id: the cloud's own unless given (P3 4.5).
            voice_settings: how the voice speaks.
            volume, stop_other_audio: as for `play`.

        Raises:
            PlaybackError, DeviceUnavailableError: as `play`. That the cloud could not make the sound is a
                `PlaybackError` too: only the phone sees the cloud's answer.
            RequestTimedOutError: as `play`, but sooner: no word of its end in 30 s and half a second per character,
                which no voice needs. A slower `speed` gives it more.
        """
        if not checked_text("text", text):
            msg = "text is empty; there is nothing to say"
            raise ValueError(msg)
        for name, value in (("voice_id", voice_id), ("model_id", model_id)):
            if value is not None:
                checked_text(name, value)
        _check_voice(voice_settings)
        url = speech_url(self._link.base_url, text, voice_id=voice_id, model_id=model_id, settings=voice_settings)
        if len(url) > _LONGEST_URL:
            msg = f"text makes an address of {len(url)} characters, and phones take {_LONGEST_URL}; speak it in pieces"
            raise ValueError(msg)
        return await self._play(url, _volume(volume), _flag(stop_other_audio), _patience(text, voice_settings))

    async def stop(self) -> None:
        """End all sound of this app, an open stream included.

        Returns when the order is on its way, as the methods of `session.display` do. The phone does not answer it.
        """
        await trio.lowlevel.checkpoint()
        if self._stream is not None:
            # Before the stop: what comes on a stream after it would make the cloud have it played again (P3 4.6).
            self._stream.interrupt()
        await self._link.send(StopAudio(), on_written=self._silence)

    def open_stream(
        self,
        *,
        format: AudioFormat = AudioFormat.MP3,  # noqa: A002 - MentraOS's own name for it
        sample_rate: int = 24_000,
        channels: int = 1,
        bitrate: int = 128,
        volume: float = 1.0,
        stop_other_audio: bool = True,
    ) -> AbstractAsyncContextManager[SpeakerStream]:
        """Open a stream of sound that is heard while it is made::

            async with session.speaker.open_stream(format=AudioFormat.PCM16) as sound:
                async for chunk in voice:
                    await sound.write(chunk)

        Entering waits until the cloud takes sound and the phone was told where to get it. Open it when there is sound:
        the cloud gives up a stream on which nothing comes (a new one is then opened by the next write). Leaving the
        block ends the stream, with every sample that was written; what the phone has not played yet goes on. Leaving
        it by an exception ends it with what was sent. A newer sound of this app, and `stop`, end it too.

        One stream of a session can be open at a time.

        Args:
            format: what is written. PCM needs the extra `audio` and is encoded off the thread.
            sample_rate: samples per second, of PCM: one that MP3 has, 8000 to 48000.
            channels: 1, or 2 with their samples in turn, of PCM.
            bitrate: kilobits per second of the MP3 that is made of PCM.
            volume, stop_other_audio: as for `play`.

        Raises:
            CloudRefusedError, DeviceUnavailableError, RequestTimedOutError: the cloud could not make the stream, the
                phone is away, or neither told in 10 s. On entering; what was begun is ended.
            ConfigError: PCM without the extra.
            trio.BusyResourceError: another one is open. On entering.
        """
        encoder = None
        if AudioFormat(format) is AudioFormat.PCM16:
            encoder = Mp3Encoder(sample_rate=sample_rate, channels=channels, bitrate=bitrate)
        stream = SpeakerStream(self._link, encoder, _volume(volume), _flag(stop_other_audio), self._begun)
        return self._opened(stream)

    @contextlib.asynccontextmanager
    async def _opened(self, stream: SpeakerStream) -> AsyncGenerator[SpeakerStream, None]:
        if self._stream is not None and self._stream.is_open:
            raise trio.BusyResourceError("another stream of this session is open; leave its block, or end it, first")
        self._stream = stream
        try:
            async with open_services() as services:
                services.start_soon(stream.run)
                with self._link.last_word(stream.last_word):
                    try:
                        await stream.open()
                        yield stream
                        await stream.end()
                    finally:
                        stream.close()
        finally:
            self._sounds.pop(stream, None)
            if self._stream is stream:
                self._stream = None

    async def _play(self, url: str, volume: float, stop_other_audio: bool, limit: float = math.inf) -> Playback:
        request = PlayAudio(
            request_id=f"audio_req_{time.time_ns() // 1_000_000}_{uuid4().hex[:7]}",
            audio_url=url,
            volume=volume,
            stop_other_audio=stop_other_audio,
        )
        playing = _Playing(limit)
        answer: PlayAnswer | None = None
        try:
            with playing.scope:
                answer = await self._link.call(request, on_written=partial(self._begun, playing))
        finally:
            self._sounds.pop(playing, None)
        if answer is None and not playing.is_interrupted:
            raise RequestTimedOutError("Speech", limit, "the wearer may have heard it all the same")
        if answer is None:
            return Playback(duration=trio.current_time() - playing.since, is_interrupted=True)
        if not answer.succeeded:
            raise PlaybackError(answer.text)
        return Playback(duration=answer.duration)

    def _begun(self, sound: _Sound) -> None:
        """Take note that the phone was told to play a sound, which ends all that it was told before."""
        self._sounds.pop(sound, None)
        self._silence()
        self._sounds[sound] = None
        if isinstance(sound, _Playing):
            sound.begin()

    def _silence(self) -> None:
        sounds, self._sounds = self._sounds, {}
        for sound in sounds:
            sound.interrupt()


def _address(value: object) -> str:
    url = checked_text("url", value)
    wrong = "url is no address: it has a host or a port that cannot be, or a line break"
    try:
        parts = urlsplit(url)
        is_port = parts.port != 0
    except ValueError:
        raise ValueError(wrong) from None  # Python's own word does not tell what is wrong with what
    # Blanks and letters beyond ASCII in the path pass: players escape them.
    if not is_port or " " in parts.netloc or _CONTROL.search(url):
        raise ValueError(wrong)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        msg = "url is no whole address; the phone needs one such as https://cdn.example.com/ding.mp3"
        raise ValueError(msg)
    return url


def _patience(text: str, settings: VoiceSettings | None) -> float:
    """Give the seconds in which the word of the end of speech has to be here."""
    speed = 1.0 if settings is None else min(1.0, max(settings.speed, _SLOWEST_SPEED))
    return min(PlayAudio.LIMIT, _SPEECH_MARGIN + len(text) * _SLOWEST_SPEECH / speed)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        msg = f"stop_other_audio is {value!r}; pass True or False"
        raise TypeError(msg)
    return value


def _check_voice(value: object) -> None:
    if not isinstance(value, VoiceSettings | None):
        msg = f"voice_settings is {type(value).__name__}; pass VoiceSettings(...)"
        raise TypeError(msg)


def _volume(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"volume is {value!r}; pass a number from 0 to 1"
        raise TypeError(msg)
    if not 0 <= value <= 1:
        msg = f"volume is {value!r}; it goes from 0 to 1"
        raise ValueError(msg)
    return value
