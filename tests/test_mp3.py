"""PCM to MP3: every cut, both numbers of channels, and an end that is whole."""

import itertools
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio._mp3 import SAMPLE_RATES, Mp3Encoder
from mentra_trio.errors import ConfigError


def pcm(samples: int, channels: int = 1) -> bytes:
    return b"".join(struct.pack("<h", round(8000 * math.sin(n / 8))) * channels for n in range(samples))


def frames_in(mp3: bytes, size: int) -> int:
    """Count frames of a constant size, each of which begins with a sync word."""
    assert len(mp3) % size == 0
    assert all(mp3[at] == 0xFF and mp3[at + 1] & 0xE0 == 0xE0 for at in range(0, len(mp3), size))
    return len(mp3) // size


@pytest.mark.parametrize("channels", [1, 2])
@given(cuts=st.lists(st.integers(0, 4 * 3000), max_size=20))
def test_it_does_not_matter_where_the_samples_are_cut(channels: int, cuts: list[int]) -> None:
    sound = pcm(3000, channels)
    whole = Mp3Encoder(sample_rate=24_000, channels=channels, bitrate=128)
    pieces = Mp3Encoder(sample_rate=24_000, channels=channels, bitrate=128)
    places = [0, *sorted(min(cut, len(sound)) for cut in cuts), len(sound)]
    encoded = b"".join(pieces.encode(sound[a:b]) for a, b in itertools.pairwise(places))

    assert encoded + pieces.flush() == whole.encode(sound) + whole.flush()


def test_every_sample_is_in_the_mp3() -> None:
    """The reference leaves about 1152 samples in the encoder (P3 4.7)."""
    encoder = Mp3Encoder(sample_rate=24_000, channels=1, bitrate=128)
    mp3 = encoder.encode(pcm(24_000)) + encoder.flush()

    # 576 samples a frame at this rate (MPEG-2), 384 bytes each at 128 kbit/s.
    assert frames_in(mp3, 384) * 576 >= 24_000


@pytest.mark.parametrize("sample_rate", SAMPLE_RATES)
def test_every_rate_is_taken_and_made_into_mp3(sample_rate: int) -> None:
    encoder = Mp3Encoder(sample_rate=sample_rate, channels=1, bitrate=64)

    assert (encoder.encode(pcm(4800)) + encoder.flush())[0] == 0xFF
    assert encoder.seconds_of(bytes(2 * sample_rate)) == 1.0


def test_after_a_flush_another_mp3_begins_and_a_flush_of_nothing_is_nothing() -> None:
    encoder = Mp3Encoder(sample_rate=24_000, channels=1, bitrate=128)
    assert encoder.flush() == b""
    first = encoder.encode(pcm(4800)) + encoder.flush()
    assert encoder.flush() == b""
    encoder.encode(b"x")
    assert encoder.flush() == b""

    assert encoder.encode(pcm(4800)) + encoder.flush() == first


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lameenc", None)
    with pytest.raises(ConfigError, match="pip install"):
        Mp3Encoder(sample_rate=24_000, channels=1, bitrate=128)
