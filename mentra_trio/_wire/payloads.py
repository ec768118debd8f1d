"""Events of streams: the `data` of a `data_stream` message to the value users receive (P2 3.3, 6.2)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio.errors import DecodeError
from mentra_trio.models.device import ButtonPress, HeadMove, HeadPosition, PressType
from mentra_trio.models.speech import Transcript, Translation

from .codec import JsonObject, structure
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


class _ButtonPress:
    button_id: str
    press_type: PressType = PressType.UNKNOWN
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class _HeadPosition:
    position: HeadPosition
    timestamp: datetime | None = None


@attrs.frozen
class Payload:
    """A decoded event."""

    value: object
    faults: tuple[str, ...] = ()


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


_READERS: dict[str, Callable[[StreamEvent, JsonObject, datetime], Payload]] = {
    "transcription": _read_transcript,
    "button_press": _read_button,
    "head_position": _read_head,
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
    "translation": _read_translation,
