"""Sound for the wearer's ears (P3 4)."""

from __future__ import annotations

import enum
import math

import attrs


class AudioFormat(enum.StrEnum):
    """What is written to a stream of the speaker."""

    MP3 = "mp3"
    """MP3, as it is."""
    PCM16 = "pcm16"
    """Signed 16-bit little-endian samples, those of several channels in turn; they are encoded as MP3 on the way."""


@attrs.frozen(kw_only=True)
class Playback:
    """How a sound ended that was played."""

    duration: float | None
    """Seconds that it was heard; `None` where the phone did not say."""
    is_interrupted: bool = False
    """Whether a newer sound, or a stop, of this app has ended it. Other apps do that unseen: the phone calls what they
    ended played."""


@attrs.frozen(kw_only=True)
class VoiceSettings:
    """How a voice speaks. What is not given is what the cloud uses for an app that gives nothing.

    Protocol: P3 4.5.

    Raises:
        TypeError, ValueError: no number, or one beyond what is said below.
    """

    stability: float = 0.68
    """0 to 1: from lively to steady."""
    similarity_boost: float = 0.75
    """0 to 1: how closely the original voice is kept to."""
    style: float = 0.0
    """0 to 1: how much of the original's manner is exaggerated."""
    speed: float = 1.13
    """1 is the pace of the original; 0 or more."""
    use_speaker_boost: bool | None = None
    """Whether likeness is bought with time; `None` leaves that to the voice."""

    def __attrs_post_init__(self) -> None:
        _check_number("stability", self.stability)
        _check_number("similarity_boost", self.similarity_boost)
        _check_number("style", self.style)
        _check_number("speed", self.speed, most=math.inf)
        _check_choice("use_speaker_boost", self.use_speaker_boost)


def _check_choice(name: str, value: object) -> None:
    if not isinstance(value, bool | None):
        msg = f"{name} is {value!r}; pass True, False or None"
        raise TypeError(msg)


def _check_number(name: str, value: object, *, most: float = 1.0) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{name} is {value!r}; pass a number"
        raise TypeError(msg)
    if not 0 <= value <= most or value == math.inf:
        msg = f"{name} is {value!r}; pass {'0 or more' if most == math.inf else '0 to 1'}"
        raise ValueError(msg)
