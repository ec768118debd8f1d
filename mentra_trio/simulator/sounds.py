"""Sound that is like speech in what matters to a microphone: it is loud, and it comes and goes."""

from __future__ import annotations

import struct

_RATE = 16_000
_SYLLABLE = 0.2
"""Seconds; a quarter of it is quiet."""
_PITCH = 50
"""Samples of one wave: 320 Hz."""
_LOUD = 6000


def murmur(seconds: float) -> bytes:
    """Make so many seconds of 16-bit PCM, mono, 16 kHz."""
    syllable = round(_SYLLABLE * _RATE)
    samples = [
        (_LOUD if number % _PITCH < _PITCH // 2 else -_LOUD) if number % syllable < syllable * 3 // 4 else 0
        for number in range(round(seconds * _RATE))
    ]
    return struct.pack(f"<{len(samples)}h", *samples)
