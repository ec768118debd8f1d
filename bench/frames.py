"""What the cloud writes, encoded before it is needed. Messages are those of P1 2.4, 2.8 and P2 3.3.1, 5.2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wsproto.frame_protocol import FrameProtocol

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN = "bench begins"
"""Text of the transcript before what is counted."""
END = "bench ends"
"""Text of the transcript after it."""
BEGIN_SOUND = b"\x00" * 2
"""The chunk before what is counted: no real one is that short."""
END_SOUND = b"\x00" * 4
"""The chunk after it."""
CHUNK_SIZE = 1280
"""Bytes of a chunk of 40 ms."""
_SPOKEN = "the quick brown fox jumps over the lazy dog while the meeting goes on and on"


def encode(payload: str | bytes) -> bytes:
    """Encode one message as the server sends it: a single frame, not masked."""
    return bytes(FrameProtocol(client=False, extensions=[]).send_data(payload))


def encode_json(fields: Mapping[str, object]) -> bytes:
    """Encode one JSON message."""
    return encode(json.dumps(fields, separators=(",", ":")))


def acknowledge(session_id: str, user_id: str) -> bytes:
    """Accept the connection, and tell the state of the glasses as the cloud does right after."""
    ack = encode_json(
        {
            "type": "tpa_connection_ack",
            "sessionId": session_id,
            "settings": [],
            "mentraosSettings": {"metricSystemEnabled": True},
            "capabilities": None,
            "subscriptions": [],
            "userId": user_id,
            "timestamp": "2026-06-14T09:12:30.000Z",
        }
    )
    state = {"connected": True, "modelName": "Simulated Glasses", "batteryLevel": 80}
    return ack + encode_json({"type": "device_state_update", "state": state, "fullSnapshot": True})


PONG = encode_json({"type": "pong", "timestamp": 1781428353102})


def transcript(text: str, *, utterance: str, is_final: bool) -> bytes:
    """Encode a transcript as the recogniser's provider words it: an interim brings its newest tokens along."""
    data: dict[str, object] = {
        "type": "transcription",
        "text": text,
        "isFinal": is_final,
        "utteranceId": utterance,
        "speakerId": "1",
        "startTime": 1781428356020 if is_final else 18240,
        "endTime": 1781428357020 if is_final else 19560,
        "transcribeLanguage": "auto",
        "detectedLanguage": "en",
        "provider": "soniox",
    }
    metadata: dict[str, object] = {"provider": "soniox"}
    if not is_final:
        data["confidence"] = 0.9471
        token = {"text": " the", "startMs": 19080, "endMs": 19200, "confidence": 0.98, "isFinal": True, "speaker": "1"}
        metadata["soniox"] = {"tokens": [token, {**token, "text": " meet", "isFinal": False}]}
    return encode_json(
        {
            "type": "data_stream",
            "sessionId": "alice@example.com-com.example.captions",
            "streamType": "transcription:auto",
            "data": {**data, "metadata": metadata},
            "timestamp": "2026-06-14T09:12:33.481Z",
        }
    )


def speech(count: int) -> bytes:
    """Encode so many transcripts: nine interims, then a final, and so on.

    Each is of an utterance of its own, so that no stream may replace one by the next.
    """
    return b"".join(
        transcript(_SPOKEN[: 20 + number % 50], utterance=f"utt_{number:05}_k3f9x2a", is_final=number % 10 == 9)
        for number in range(count)
    )


def sound(count: int) -> bytes:
    """Encode so many chunks of 40 ms."""
    return encode(bytes(range(256)) * (CHUNK_SIZE // 256)) * count
