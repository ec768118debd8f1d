"""`_wire/payloads.py`: events of streams to the values that users receive (P2 3.3, 6.2)."""

import json
from datetime import UTC, datetime

import pytest

from mentra_trio._wire.codec import JsonObject, decode
from mentra_trio._wire.inbound import StreamEvent
from mentra_trio._wire.payloads import READABLE, read_payload
from mentra_trio.errors import DecodeError
from mentra_trio.models import ButtonPress, HeadMove, HeadPosition, PressType, Transcript

from .frames import from_real_cloud, text_of

NOW = datetime(2026, 6, 14, 9, 12, 34, tzinfo=UTC)
SENT = datetime(2026, 6, 14, 9, 12, 33, 481_000, UTC)

# P2 3.3.1 and 3.3.2, as printed.
INTERIM = """{"type": "data_stream", "sessionId": "alice@example.com-com.example.captions",
  "streamType": "transcription:auto",
  "data": {"type": "transcription", "text": "what time is the meet", "isFinal": false,
    "utteranceId": "utt_1781428353102_k3f9x2a", "speakerId": "1",
    "confidence": 0.9471, "startTime": 18240, "endTime": 19560, "transcribeLanguage": "auto", "detectedLanguage": "en",
    "provider": "soniox",
    "metadata": {"provider": "soniox", "soniox": {"tokens": [{"text": " the", "startMs": 19080, "endMs": 19200,
    "confidence": 0.98, "isFinal": true, "speaker": "1"}, {"text": " meet", "startMs": 19320, "endMs": 19560,
    "confidence": 0.91, "isFinal": false, "speaker": "1"}]}}},
  "timestamp": "2026-06-14T09:12:33.481Z"}"""
FINAL = """{"type": "data_stream", "sessionId": "alice@example.com-com.example.captions",
  "streamType": "transcription:auto",
  "data": {"type": "transcription", "text": "What time is the meeting?", "isFinal": true,
    "utteranceId": "utt_1781428353102_k3f9x2a", "speakerId": "1", "startTime": 1781428356020,
    "endTime": 1781428357020, "transcribeLanguage": "auto", "detectedLanguage": "en",
    "provider": "soniox", "metadata": {"provider": "soniox"}},
  "timestamp": "2026-06-14T09:12:33.481Z"}"""


def event_of(text: str) -> StreamEvent:
    message = decode(text).message
    assert isinstance(message, StreamEvent)
    return message


def event(stream_type: str, data: object) -> StreamEvent:
    return StreamEvent(stream_type=stream_type, data=data, timestamp=SENT)


def heard(data: JsonObject, stream_type: str = "transcription:auto") -> Transcript:
    """The transcript of a minimal message with these fields besides."""
    payload = read_payload(
        "transcription", event(stream_type, {"type": "transcription", "text": "hi", "isFinal": False, **data}), NOW
    )
    assert isinstance(payload.value, Transcript)
    assert payload.faults == ()
    return payload.value


# P2 3.3


def test_p2_3_3_1_an_interim_is_read() -> None:
    payload = read_payload("transcription", event_of(INTERIM), NOW)

    assert payload.faults == ()
    assert payload.value == Transcript(
        text="what time is the meet",
        is_final=False,
        language="en",
        utterance_id="utt_1781428353102_k3f9x2a",
        speaker_id="1",
        confidence=0.9471,
        audio_start=18.24,
        audio_end=19.56,
        provider="soniox",
        sent_at=SENT,
        received_at=NOW,
    )


def test_p2_3_3_2_a_final_has_no_audio_time() -> None:
    """Its times are those of its emission (P2 3.6, T6)."""
    payload = read_payload("transcription", event_of(FINAL), NOW)

    assert payload.faults == ()
    assert payload.value == Transcript(
        text="What time is the meeting?",
        is_final=True,
        language="en",
        utterance_id="utt_1781428353102_k3f9x2a",
        speaker_id="1",
        confidence=None,
        audio_start=None,
        audio_end=None,
        provider="soniox",
        sent_at=SENT,
        received_at=NOW,
    )


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (18_240, 19_560, (18.24, 19.56)),
        (0, 0.5, (0.0, 0.0005)),
        (1_781_428_356_020, 1_781_428_357_020, (None, None)),
        (999_999_999_999, 1_000_000_000_000, (999_999_999.999, None)),
        (None, None, (None, None)),
    ],
)
def test_p2_3_6_t6_times_of_another_base_are_left_out(
    start: object, end: object, seconds: tuple[object, object]
) -> None:
    said = heard({"startTime": start, "endTime": end})

    assert (said.audio_start, said.audio_end) == seconds


def test_p2_3_3_3_the_minimal_message_of_another_recogniser_is_read() -> None:
    """Alibaba: no utterance, language, speaker or metadata."""
    data: JsonObject = {
        "type": "transcription",
        "text": "你好",
        "isFinal": True,
        "duration": 900,
        "provider": "alibaba",
    }

    assert read_payload("transcription", event("transcription:zh-CN", data), NOW).value == Transcript(
        text="你好", is_final=True, language="zh-CN", provider="alibaba", sent_at=SENT, received_at=NOW
    )


def test_p2_3_3_4_an_on_device_transcript_has_a_numeric_speaker() -> None:
    data: JsonObject = {
        "type": "local_transcription",
        "text": "hello",
        "isFinal": True,
        "startTime": 0,
        "endTime": 900,
        "speakerId": 1,
        "transcribeLanguage": "en-US",
        "provider": "local",
    }

    payload = read_payload("transcription", event("transcription:en-US", data), NOW)

    assert payload.faults == ()
    assert payload.value == Transcript(
        text="hello",
        is_final=True,
        language="en-US",
        speaker_id="1",
        provider="local",
        sent_at=SENT,
        received_at=NOW,
    )


@pytest.mark.parametrize(
    ("speaker", "read"),
    [("1", "1"), ("0", "0"), (0, "0"), (12, "12"), (None, None), (True, None), (1.5, None), ([1], None), ({}, None)],
)
def test_a_speaker_is_text_or_a_whole_number(speaker: object, read: str | None) -> None:
    assert heard({"speakerId": speaker}).speaker_id == read


@pytest.mark.parametrize(
    ("data", "stream_type", "language"),
    [
        ({"detectedLanguage": "en", "transcribeLanguage": "auto"}, "transcription:auto", "en"),
        ({"detectedLanguage": None, "transcribeLanguage": "fr-FR"}, "transcription:auto", "fr-FR"),
        ({"detectedLanguage": "", "transcribeLanguage": ""}, "transcription:de-DE", "de-DE"),
        ({}, "transcription:fr-FR?hints=en%2Cja", "fr-FR"),
        ({}, "transcription:auto", "auto"),
        ({}, "transcription", "auto"),
        ({}, "transcription:", "auto"),
        ({"detectedLanguage": "iw"}, "transcription:auto", "he"),
        ({"detectedLanguage": "iw-IL"}, "transcription:auto", "he-IL"),
        ({"detectedLanguage": "nb"}, "transcription:auto", "no"),
        ({"detectedLanguage": "nb-NO"}, "transcription:auto", "no-NO"),
        ({"detectedLanguage": "fil-PH"}, "transcription:auto", "tl-PH"),
        ({"detectedLanguage": "pt_BR"}, "transcription:auto", "pt-BR"),
        ({"detectedLanguage": "zh-Hans-CN"}, "transcription:auto", "zh-Hans-CN"),
        ({"detectedLanguage": "auto"}, "transcription:auto", "auto"),
    ],
)
def test_p2_3_1_the_language_is_the_detected_one_then_the_asked_one(
    data: JsonObject, stream_type: str, language: str
) -> None:
    assert heard(data, stream_type).language == language


def test_a_fault_in_an_optional_field_costs_the_field() -> None:
    data: JsonObject = {
        "text": "n",
        "isFinal": False,
        "utteranceId": 7,
        "confidence": "high",
        "startTime": "1000",
        "endTime": [],
        "detectedLanguage": 7,
        "transcribeLanguage": "en-US",
        "provider": {},
    }

    payload = read_payload("transcription", event("transcription:en-US", data), NOW)

    assert payload.value == Transcript(text="n", is_final=False, language="en-US", sent_at=SENT, received_at=NOW)
    assert payload.faults == (
        "utteranceId: not a text",
        "confidence: not a number",
        "startTime: not a number",
        "endTime: not a number",
        "detectedLanguage: not a text",
        "provider: not a text",
    )


def test_numbers_without_end_cost_their_fields() -> None:
    text = '{"type":"data_stream","streamType":"transcription:en-US","data":{"text":"n","isFinal":false,'
    text += f'"startTime":{"9" * 400},"endTime":1e400,"confidence":-0.0}}}}'

    payload = read_payload("transcription", event_of(text), NOW)

    assert payload.value == Transcript(
        text="n", is_final=False, language="en-US", confidence=0.0, sent_at=None, received_at=NOW
    )
    assert payload.faults == ("startTime: not a finite number", "endTime: not a finite number")


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        ({"isFinal": True}, ("text: missing",)),
        ({"text": "x"}, ("isFinal: missing",)),
        ({"text": None, "isFinal": None}, ("text: missing", "isFinal: missing")),
        ({"text": 42, "isFinal": "false"}, ("text: not a text", "isFinal: not true or false")),
        ({"text": ["a"], "isFinal": 0}, ("text: not a text", "isFinal: not true or false")),
    ],
)
def test_p2_3_3_3_a_transcript_needs_a_text_and_whether_it_is_final(data: JsonObject, faults: tuple[str, ...]) -> None:
    with pytest.raises(DecodeError) as caught:
        read_payload("transcription", event("transcription:en-US", data), NOW)

    assert caught.value.paths == faults


def test_a_lone_surrogate_in_speech_is_kept() -> None:
    text = '{"type":"data_stream","streamType":"transcription:en-US","data":{"text":"bad \\ud83d end","isFinal":true}}'

    value = read_payload("transcription", event_of(text), NOW).value

    assert isinstance(value, Transcript)
    assert value.text == "bad \ud83d end"


def test_d23_no_error_or_fault_tells_what_was_said() -> None:
    data: JsonObject = {"text": "my secret", "isFinal": "secret", "provider": ["secret"], "utteranceId": {"secret": 1}}

    with pytest.raises(DecodeError) as caught:
        read_payload("transcription", event("transcription:en-US", data), NOW)
    assert "secret" not in str(caught.value)

    payload = read_payload("transcription", event("transcription:en-US", {**data, "isFinal": True}), NOW)
    assert "secret" not in str(payload.faults)


# P2 6.2


@pytest.mark.parametrize(
    ("data", "press"),
    [
        (
            {"type": "button_press", "buttonId": "camera", "pressType": "long", "timestamp": 1_781_428_353_481},
            ButtonPress(button_id="camera", press_type=PressType.LONG, pressed_at=SENT, received_at=NOW),
        ),
        (
            {"buttonId": "main", "pressType": "short", "timestamp": "2026-06-14T09:12:33.481Z"},
            ButtonPress(button_id="main", press_type=PressType.SHORT, pressed_at=SENT, received_at=NOW),
        ),
        (
            {"buttonId": "main", "pressType": "double"},
            ButtonPress(button_id="main", press_type=PressType.UNKNOWN, received_at=NOW),
        ),
        ({"buttonId": "main"}, ButtonPress(button_id="main", press_type=PressType.UNKNOWN, received_at=NOW)),
    ],
)
def test_p2_6_2_1_a_button_press_is_read(data: JsonObject, press: ButtonPress) -> None:
    payload = read_payload("button_press", event("button_press", data), NOW)

    assert payload.value == press
    assert payload.faults == ()


def test_a_press_with_an_unreadable_time_is_a_press() -> None:
    payload = read_payload("button_press", event("button_press", {"buttonId": "a", "timestamp": "noon"}), NOW)

    assert payload.value == ButtonPress(button_id="a", press_type=PressType.UNKNOWN, received_at=NOW)
    assert payload.faults == ("timestamp: not a time",)


@pytest.mark.parametrize("kind", [5, True, ["long"], {}])
def test_a_press_type_that_is_no_text_is_a_fault(kind: object) -> None:
    """Any text is a press type, if an unknown one; what is no text is not."""
    payload = read_payload("button_press", event("button_press", {"buttonId": "a", "pressType": kind}), NOW)

    assert payload.value == ButtonPress(button_id="a", press_type=PressType.UNKNOWN, received_at=NOW)
    assert payload.faults == ("pressType: not a text",)


def test_a_position_that_is_no_text_is_a_decode_error() -> None:
    with pytest.raises(DecodeError) as caught:
        read_payload("head_position", event("head_position", {"position": 5}), NOW)

    assert caught.value.paths == ("position: not a text",)


@pytest.mark.parametrize(
    ("data", "move"),
    [
        ({"type": "head_position", "position": "up"}, HeadMove(position=HeadPosition.UP, received_at=NOW)),
        (
            {"position": "down", "timestamp": 1_781_428_353_481},
            HeadMove(position=HeadPosition.DOWN, moved_at=SENT, received_at=NOW),
        ),
        ({"position": "sideways"}, HeadMove(position=HeadPosition.UNKNOWN, received_at=NOW)),
    ],
)
def test_p2_6_2_2_a_head_move_is_read(data: JsonObject, move: HeadMove) -> None:
    payload = read_payload("head_position", event("head_position", data), NOW)

    assert payload.value == move
    assert payload.faults == ()


@pytest.mark.parametrize(
    ("base", "data"), [("button_press", {}), ("head_position", {}), ("head_position", {"position": None})]
)
def test_an_event_without_what_it_is_about_is_a_decode_error(base: str, data: JsonObject) -> None:
    with pytest.raises(DecodeError, match="missing"):
        read_payload(base, event(base, data), NOW)


@pytest.mark.parametrize("base", sorted(READABLE))
@pytest.mark.parametrize("data", [None, "text", 5, 1.5, True, [], [{"text": "x"}]])
def test_data_that_is_no_object_is_a_decode_error(base: str, data: object) -> None:
    with pytest.raises(DecodeError) as caught:
        read_payload(base, event(f"{base}:x", data), NOW)

    assert caught.value.message_type == f"{base}:x"
    assert caught.value.paths == ("data: not an object",)


def test_other_kinds_have_no_typed_value() -> None:
    with pytest.raises(KeyError):
        read_payload("vps_coordinates", event("vps_coordinates", {}), NOW)


def test_every_transcript_of_the_real_cloud_is_read_without_a_fault() -> None:
    """What it relays from a phone comes unchecked (P2 1.2), and the recordings hold all sorts of it."""
    count = 0
    for name, message in from_real_cloud():
        decoded = decode(text_of(message)).message
        if isinstance(decoded, StreamEvent) and decoded.stream_type.startswith("transcription"):
            payload = read_payload("transcription", decoded, NOW)
            assert payload.faults == (), (name, json.dumps(message))
            count += 1

    assert count > 20
