"""Sound for the wearer's ears (P3 4)."""

from __future__ import annotations

import enum

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
    """

    stability: float = 0.68
    """0 to 1: from lively to steady."""
    similarity_boost: float = 0.75
    """0 to 1: how closely the original voice is kept to."""
    style: float = 0.0
    """0 to 1: how much of the original's manner is exaggerated."""
    speed: float = 1.13
    """1 is the pace of the original."""
    use_speaker_boost: bool | None = None
    """Whether likeness is bought with time; `None` leaves that to the voice."""
