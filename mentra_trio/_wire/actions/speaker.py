"""Sound that is played, spoken or streamed (P3 4)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote_plus

import attrs

from mentra_trio._wire.json_text import dumps, text_of
from mentra_trio._wire.outbound import Command, Family, Request, Stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mentra_trio.models.sound import VoiceSettings


@attrs.frozen(kw_only=True)
class PlayAnswer:
    """The phone's word that a sound has ended: `audio_play_response` (P3 4.2)."""

    succeeded: bool
    duration: float | None
    """Seconds."""
    text: str = ""
    """The phone's own words for a failure."""


@attrs.frozen(kw_only=True)
class PlayAudio(Request[PlayAnswer]):
    """Have the phone play what is at a URL, and tell when it has ended: `audio_play_request` (P3 4.2)."""

    TYPE: ClassVar[str] = "audio_play_request"
    FAMILY: ClassVar[Family] = Family.AUDIO
    LIMIT: ClassVar[float] = 600.0

    request_id: str
    audio_url: str
    volume: float | None = None
    """0 to 1; the phone takes 1."""
    stop_other_audio: bool | None = None
    """Whether what it replaces is answered; the phone takes yes (P3 4.4)."""

    def accept(self, message: Mapping[str, object], /) -> PlayAnswer | None:
        """Read the answer to this request."""
        if message.get("type") != "audio_play_response" or message.get("requestId") != self.request_id:
            return None
        return PlayAnswer(
            succeeded=message.get("success") is True,
            duration=_seconds(message.get("duration")),
            text=text_of(message, "error"),
        )


@attrs.frozen(kw_only=True)
class PlayRelay(PlayAudio):
    """The same for the sound of a stream, which ends when the app ends it."""

    LIMIT: ClassVar[float] = math.inf


@attrs.frozen(kw_only=True)
class StopAudio(Command):
    """End all sound of this app: `audio_stop_request` (P3 4.3). Nobody answers."""

    TYPE: ClassVar[str] = "audio_stop_request"


@attrs.frozen(kw_only=True)
class RelayReady:
    """The word that the cloud takes the sound of a stream: `audio_stream_ready` (P3 4.6)."""

    url: str | None
    """Where the phone gets it from; `None` when the cloud did not say."""


@attrs.frozen(kw_only=True)
class StartAudioStream(Request[RelayReady]):
    """Have the cloud take the sound of a stream: `audio_stream_start` (P3 4.6)."""

    TYPE: ClassVar[str] = "audio_stream_start"
    FAMILY: ClassVar[Family] = Family.AUDIO
    LIMIT: ClassVar[float] = 10.0

    stream_id: str
    """A UUID in lower case: the cloud's parser takes no other."""
    content_type: str | None = None
    """The cloud takes `audio/mpeg`."""

    def accept(self, message: Mapping[str, object], /) -> RelayReady | None:
        """Read the answer for this stream."""
        if message.get("type") != "audio_stream_ready" or message.get("streamId") != self.stream_id:
            return None
        return RelayReady(url=text_of(message, "streamUrl") or None)


@attrs.frozen(kw_only=True)
class EndAudioStream(Command):
    """No more sound comes on a stream: `audio_stream_end` (P3 4.6). Nobody answers."""

    TYPE: ClassVar[str] = "audio_stream_end"

    stream_id: str


@attrs.frozen(kw_only=True)
class AudioFrame(Command):
    """Sound of a stream: a binary frame (P3 4.6). Nobody answers."""

    TYPE: ClassVar[str] = "a frame of sound"
    STAMP: ClassVar[Stamp] = Stamp.NONE

    stream_id: str
    data: bytes = attrs.field(repr=False)


def speech_url(
    base_url: str, text: str, *, voice_id: str | None, model_id: str | None, settings: VoiceSettings | None
) -> str:
    """Spell where the phone gets spoken text from (P3 4.5).

    Settings replace the cloud's own as a whole, so all of them are told.
    """
    query = [("text", text)]
    if voice_id:
        query.append(("voice_id", voice_id))
    if model_id:
        query.append(("model_id", model_id))
    if settings is not None:
        told = {name: value for name, value in attrs.asdict(settings).items() if value is not None}
        query.append(("voice_settings", dumps(told)))
    return f"{base_url}/api/tts?" + "&".join(f"{name}={_form(value)}" for name, value in query)


def _form(text: str) -> str:
    """Encode as forms do. Half a surrogate pair is no character: it is sent as a question mark."""
    return quote_plus(text.encode("utf-8", "replace"), safe="*").replace("~", "%7E")


def _seconds(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    try:
        seconds = milliseconds / 1000
    except OverflowError:
        return None
    return seconds if 0 <= seconds < math.inf else None
