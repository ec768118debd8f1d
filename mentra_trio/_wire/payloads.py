"""Events of streams: the `data` of a `data_stream` message to the value users receive (P2 3.3, 6.2)."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio.errors import DecodeError
from mentra_trio.models.audio import VoiceActivity
from mentra_trio.models.device import ButtonPress, Gesture, HeadMove, HeadPosition, PressType, TouchEvent
from mentra_trio.models.speech import Transcript, Translation

from .actions.location import LOCATION_STREAMS
from .codec import JsonObject, structure
from .payload import Payload
from .phone_events import read_battery, read_calendar_event, read_dismissal, read_notification
from .positions import read_location
from .streams import AUTO, fold_language, parse_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from .inbound import StreamEvent

_EPOCH_MILLISECONDS = 1e12
"""From here on, a transcript's time is epoch milliseconds of emission, not audio time (P2 3.6, T6)."""


@attrs.frozen(kw_only=True)
class _Transcription:
    """`data` of a transcription (P2 3.3.3). Only three fields are always there."""

    text: str
    is_final: bool
    utterance_id: str | None = None
    speaker_id: object = None
    confidence: float | None = None
    start_time: float | None = None
    end_time: float | None = None
    transcribe_language: str | None = None
    detected_language: str | None = None
    provider: str | None = None


@attrs.frozen(kw_only=True)
class _Translation:
    """`data` of a translation (P2 4.3)."""

    text: str
    is_final: bool
    original_text: str | None = None
    utterance_id: str | None = None
    start_time: float | None = None
    end_time: float | None = None
    transcribe_language: str | None = None
    translate_language: str | None = None
    provider: str | None = None


@attrs.frozen(kw_only=True)
class _ButtonPress:
    button_id: str
    press_type: PressType = PressType.UNKNOWN
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class _Touch:
    gesture_name: str | None = None
    gesture: str | None = None
    device_model: str | None = None
    model: str | None = None
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class _Voice:
    status: object
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class _HeadPosition:
    position: HeadPosition
    timestamp: datetime | None = None


def _read_transcript(event: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    said, faults = structure(data, _Transcription)
    asked_for = event.stream_type.partition(":")[2].partition("?")[0]
    language = said.detected_language or said.transcribe_language or asked_for or AUTO
    speaker = said.speaker_id  # a number from on-device recognisers (P2 3.3.4)
    return Payload(
        Transcript(
            text=said.text,
            is_final=said.is_final,
            language=_folded(language),
            utterance_id=said.utterance_id,
            speaker_id=str(speaker) if isinstance(speaker, str | int) and not isinstance(speaker, bool) else None,
            confidence=said.confidence,
            audio_start=_audio_seconds(said.start_time, is_final=said.is_final),
            audio_end=_audio_seconds(said.end_time, is_final=said.is_final),
            provider=said.provider,
            sent_at=event.timestamp,
            received_at=received_at,
        ),
        faults,
    )


def _read_translation(event: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    said, faults = structure(data, _Translation)
    name = parse_stream(event.stream_type)
    asked_source = name.language if name is not None and name.language != "all" else None
    asked_target = name.target if name is not None else None
    start, end = said.start_time, said.end_time
    # The end is that of the last translated word, which often carries no time (P2 4.3).
    has_end = end is not None and end > 0 and end >= (start or 0)
    return Payload(
        Translation(
            text=said.text,
            is_final=said.is_final,
            source_language=_folded(said.transcribe_language or asked_source or AUTO),
            target_language=_folded(said.translate_language or asked_target or AUTO),
            original_text=said.original_text,
            utterance_id=said.utterance_id or "",
            audio_start=None if start is None else start / 1000,
            audio_end=end / 1000 if end is not None and has_end else None,
            provider=said.provider,
            sent_at=event.timestamp,
            received_at=received_at,
        ),
        faults,
    )


@lru_cache(256)
def _folded(language: str) -> str:
    """Fold other names of a language, keeping the region (P2 Appendix A: incoming `iw`, `nb`)."""
    base, dash, region = language.replace("_", "-").partition("-")
    return fold_language(base) + dash + region


def _audio_seconds(milliseconds: float | None, *, is_final: bool) -> float | None:
    if is_final or milliseconds is None or milliseconds >= _EPOCH_MILLISECONDS:
        return None
    return milliseconds / 1000


def _read_button(_: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    press, faults = structure(data, _ButtonPress)
    value = ButtonPress(
        button_id=press.button_id, press_type=press.press_type, pressed_at=press.timestamp, received_at=received_at
    )
    return Payload(value, faults)


def _read_head(_: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    move, faults = structure(data, _HeadPosition)
    return Payload(HeadMove(position=move.position, moved_at=move.timestamp, received_at=received_at), faults)


_TOUCH_NAMES = {"gesture_name": "gestureName", "device_model": "deviceModel"}
"""The wire's own spelling of these two (P2 6.2.3), and that of everything else."""


def _read_touch(event: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    touch, faults = structure({_TOUCH_NAMES.get(name, name): value for name, value in data.items()}, _Touch)
    name = parse_stream(event.stream_type)
    said = touch.gesture_name or touch.gesture or (None if name is None else name.detail)
    value = TouchEvent(
        gesture=Gesture(said or Gesture.UNKNOWN.value),
        model=touch.device_model or touch.model,
        touched_at=touch.timestamp,
        received_at=received_at,
    )
    return Payload(value, faults)


def _read_voice(event: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    voice, faults = structure(data, _Voice)
    status = voice.status
    if isinstance(status, str):  # phones send text (P2 5.4)
        status = status.strip().lower() == "true"
    if not isinstance(status, bool):
        raise DecodeError(event.stream_type, ["status: not true or false"])
    return Payload(VoiceActivity(is_speaking=status, detected_at=voice.timestamp, received_at=received_at), faults)


_READERS: dict[str, Callable[[StreamEvent, JsonObject, datetime], Payload]] = {
    "transcription": _read_transcript,
    "translation": _read_translation,
    "button_press": _read_button,
    "head_position": _read_head,
    "VAD": _read_voice,
    "touch_event": _read_touch,
    "glasses_battery_update": read_battery,
    "phone_notification": read_notification,
    "phone_notification_dismissed": read_dismissal,
    "calendar_event": read_calendar_event,
    "phone_battery_update": read_battery,
    **dict.fromkeys(LOCATION_STREAMS, read_location),
}


READABLE = frozenset(_READERS)
"""Stream kinds that have a typed value."""


def read_payload(base: str, event: StreamEvent, received_at: datetime) -> Payload:
    """Read the event of a stream kind. Raises `DecodeError`; `KeyError` for a kind that has no typed value."""
    reader = _READERS[base]
    data = event.data
    if not isinstance(data, dict):
        raise DecodeError(event.stream_type, ["data: not an object"])
    return reader(event, cast("JsonObject", data), received_at)  # keys of a JSON object are text
