"""Find an utterance in sound: by how loud it is, compared with how quiet it was around it."""

from __future__ import annotations

import math
import sys
from array import array
from collections import deque

import attrs

RATE = 16_000
"""Samples per second of the microphone (P2 5.2)."""
SAMPLE = 2
"""Bytes per sample."""
FRAME = 640
"""Bytes that are judged together: 20 ms."""
_FRAMES_PER_SECOND = RATE * SAMPLE / FRAME
_QUIET_WINDOW = 100
"""Frames in which the quietest one tells how loud the surroundings are: two seconds, in which every speaker pauses."""
_LOUDER = 3.0
"""How much louder than the surroundings speech is."""
_SHORTEST = 3
"""Loud frames in a row that are no click."""


def loudness(frame: bytes) -> float:
    """Give the root mean square of 16-bit samples, 0 to 1."""
    samples = array("h", frame)
    if sys.byteorder == "big":  # pragma: no cover - another kind of processor
        samples.byteswap()
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) / 32_768


@attrs.define(eq=False, kw_only=True)
class UtteranceFinder:
    """Takes sound as it comes, and keeps that of one utterance."""

    threshold: float
    """Loudness below which nothing is speech."""
    before: float
    """Seconds that are kept of what was heard before it began."""
    pause: float
    """Seconds of quiet that end it."""
    longest: float
    """Seconds after which it ends in any case."""
    began: bool = attrs.field(default=False, init=False)
    """Whether somebody has begun to speak."""
    is_over: bool = attrs.field(default=False, init=False)
    """Whether the utterance has ended."""
    _kept: deque[bytes] = attrs.field(factory=deque[bytes], init=False)
    _rest: bytes = attrs.field(default=b"", init=False)
    _levels: deque[float] = attrs.field(factory=lambda: deque[float](maxlen=_QUIET_WINDOW), init=False)
    _loud: int = attrs.field(default=0, init=False)
    """Loud frames in a row."""
    _quiet: int = attrs.field(default=0, init=False)
    """Quiet ones."""

    @property
    def sound(self) -> bytes:
        """The utterance, as far as it was heard; nothing before it began."""
        return b"".join(self._kept) if self.began else b""

    def feed(self, sound: bytes) -> None:
        """Take a piece of any length."""
        sound = self._rest + sound
        whole = len(sound) - len(sound) % FRAME
        self._rest = sound[whole:]
        for start in range(0, whole, FRAME):
            if self.is_over:
                return
            self._judge(sound[start : start + FRAME])

    def _judge(self, frame: bytes) -> None:
        level = loudness(frame)
        self._levels.append(level)
        is_loud = level > max(self.threshold, _LOUDER * min(self._levels))
        self._loud, self._quiet = (self._loud + 1, 0) if is_loud else (0, self._quiet + 1)
        self._kept.append(frame)
        if not self.began:
            self.began = self._loud >= _SHORTEST
            while not self.began and len(self._kept) > self.before * _FRAMES_PER_SECOND + _SHORTEST:
                self._kept.popleft()
        self.is_over = self.began and (
            self._quiet >= self.pause * _FRAMES_PER_SECOND or len(self._kept) >= self.longest * _FRAMES_PER_SECOND
        )
