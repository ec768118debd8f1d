"""Frames of sound, and what is said about it (P3 4)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio._wire.actions.speaker import (
    AudioFrame,
    EndAudioStream,
    PlayAnswer,
    PlayAudio,
    RelayReady,
    StartAudioStream,
    StopAudio,
    speech_url,
)
from mentra_trio._wire.audio_frames import pack, unpack
from mentra_trio._wire.codec import JsonObject, read_command, to_frame
from mentra_trio._wire.outbound import Command, Envelope

ENVELOPE = Envelope(package_name="com.example.app", session_id="s", timestamp="2026-06-14T09:12:33.481Z")
STREAM = "0f8fad5b-d9cb-469f-a165-70867728950e"


@given(data=st.binary(min_size=1))
def test_a_frame_is_the_id_and_then_the_sound(data: bytes) -> None:
    frame = to_frame(AudioFrame(stream_id=STREAM, data=data), ENVELOPE)

    assert frame == STREAM.encode() + data == pack(STREAM, data)
    assert unpack(STREAM.encode() + data) == (STREAM, data)


@pytest.mark.parametrize(
    "frame", [b"", b"\x00\x01\x02", STREAM.encode(), STREAM.upper().encode() + b"x", b"g" + STREAM.encode()[1:] + b"x"]
)
def test_what_the_cloud_ignores_is_no_frame(frame: bytes) -> None:
    assert unpack(frame) is None


@given(frame=st.binary(max_size=60))
def test_any_frame_can_be_looked_at(frame: bytes) -> None:
    unpacked = unpack(frame)

    assert unpacked is None or pack(*unpacked) == frame


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (PlayAudio(request_id="r", audio_url="https://x.example.com"), {"audioUrl": "https://x.example.com"}),
        (
            PlayAudio(request_id="r", audio_url="u", volume=0.0, stop_other_audio=False),
            {"audioUrl": "u", "volume": 0.0, "stopOtherAudio": False},
        ),
        (StopAudio(), {}),
        (StartAudioStream(stream_id=STREAM), {"streamId": STREAM}),
        (
            StartAudioStream(stream_id=STREAM, content_type="audio/mpeg"),
            {"streamId": STREAM, "contentType": "audio/mpeg"},
        ),
        (EndAudioStream(stream_id=STREAM), {"streamId": STREAM}),
    ],
)
def test_a_command_is_written_and_read(command: Command, fields: JsonObject) -> None:
    frame = to_frame(command, ENVELOPE)
    assert isinstance(frame, str)
    written: JsonObject = json.loads(frame)

    assert read_command(written) == command
    assert written.pop("requestId", "r") == "r"
    assert written == {
        "type": command.TYPE,
        "packageName": "com.example.app",
        "sessionId": "s",
        "timestamp": ENVELOPE.timestamp,
        **fields,
    }


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(2140, 2.14), (0, 0.0), (3.2, 0.0032), (-1, None), (True, None), ("5", None), (None, None), (1e999, None),
     (float("nan"), None), (10**400, None)],
)  # fmt: skip
def test_a_length_is_read_in_seconds_where_it_is_one(duration: object, seconds: float | None) -> None:
    request = PlayAudio(request_id="r", audio_url="u")
    message = {"type": "audio_play_response", "requestId": "r", "success": True, "duration": duration}

    assert request.accept(message) == PlayAnswer(succeeded=True, duration=seconds)


@pytest.mark.parametrize("url", [None, "", 5, ["https://x.example.com"]])
def test_a_relay_without_an_address_is_told_so(url: object) -> None:
    message = {"type": "audio_stream_ready", "streamId": STREAM, "streamUrl": url}

    assert StartAudioStream(stream_id=STREAM).accept(message) == RelayReady(url=None)


def test_speech_is_spelled_as_the_reference_does() -> None:
    url = speech_url("https://c.example.com", "~*'()! -._", voice_id="", model_id=None, settings=None)

    assert url == "https://c.example.com/api/tts?text=%7E*%27%28%29%21+-._"
