"""Sound from the glasses (P2 5.2)."""

from __future__ import annotations

from datetime import datetime

import attrs


@attrs.frozen(kw_only=True)
class AudioChunk:
    """A piece of microphone sound: signed 16-bit little-endian PCM, mono, 16 kHz."""

    data: bytes
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
