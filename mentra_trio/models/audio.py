"""Sound from the glasses (P2 5.2)."""

from __future__ import annotations

import io
import wave
from datetime import datetime

import attrs


@attrs.frozen(kw_only=True)
class AudioChunk:
    """A piece of microphone sound: signed 16-bit little-endian PCM, mono, 16 kHz."""

    data: bytes = attrs.field(repr=False)
    """The samples. The length varies from chunk to chunk; 32 bytes are one millisecond."""
    sequence: int
    """Number of the chunk on this session, from 0. Chunks that were dropped for a slow loop leave a hole."""
    received_at: datetime
    """When this process received it (UTC). The wire carries no time."""
    sample_rate: int = 16_000
    """Samples per second."""
    sample_width: int = 2
    """Bytes per sample."""
    channels: int = 1
    """Number of channels."""

    @property
    def seconds(self) -> float:
        """Length of the chunk in seconds."""
        return len(self.data) / (self.sample_rate * self.sample_width * self.channels)


@attrs.frozen(kw_only=True)
class VoiceActivity:
    """Somebody began to speak, or stopped. It may come seconds late, and out of order.

    Protocol: P2 5.4.
    """

    is_speaking: bool
    """Whether somebody speaks."""
    detected_at: datetime | None = None
    """Time given by the phone (UTC), where it gave one."""
    received_at: datetime
    """When this process received it (UTC)."""


@attrs.frozen(kw_only=True)
class Recording:
    """Sound that was collected: signed 16-bit little-endian PCM."""

    data: bytes = attrs.field(repr=False)
    """The samples, one after the other as they came: what was lost leaves no silence, it is just not there."""
    gaps: int = 0
    """In how many places sound is missing that the cloud sent, because this process was too slow, or may be missing,
    because the connection was lost. What got lost before the cloud nobody can tell (P2 5.2)."""
    started_at: datetime | None = None
    """When this process received the first of it (UTC); `None` when there is none."""
    sample_rate: int = 16_000
    """Samples per second."""
    sample_width: int = 2
    """Bytes per sample."""
    channels: int = 1
    """Number of channels."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.data) / (self.sample_rate * self.sample_width * self.channels)

    def to_wav(self) -> bytes:
        """Make a WAV file of it, in memory: `await trio.Path("said.wav").write_bytes(recording.to_wav())`."""
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(self.channels)
            writer.setsampwidth(self.sample_width)
            writer.setframerate(self.sample_rate)
            writer.writeframes(self.data)
        return file.getvalue()
