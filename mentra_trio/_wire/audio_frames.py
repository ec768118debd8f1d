"""Binary frames of sound that an app sends: the id of a stream, then the sound (P3 4.6).

Sound of the microphone comes in binary frames too, without anything around it.
"""

from __future__ import annotations

import re

_ID_LENGTH = 36
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def pack(stream_id: str, data: bytes) -> bytes:
    """Make a frame."""
    return stream_id.encode("ascii") + data


def unpack(frame: bytes) -> tuple[str, bytes] | None:
    """Read a frame; `None` for what the cloud ignores: no sound in it, or no id in lower case."""
    head = frame[:_ID_LENGTH]
    if len(frame) <= _ID_LENGTH or _ID.fullmatch(head) is None:
        return None
    return head.decode("ascii"), frame[_ID_LENGTH:]
