"""PCM to MP3, which is what phones play (P3 4.6). The one place that knows the encoder's library."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

import attrs

from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Samples per second that MP3 has."""
BIT_RATES = range(8, 321)
"""Kilobits per second; the encoder takes the nearest that MP3 has for the sample rate."""
_WIDTH = 2
_QUALITY = 5
"""Of 2 (best) to 7 (fastest): for speech nobody hears the difference to 2, at a third of the time."""


@attrs.define(eq=False)
class Mp3Encoder:
    """Makes MP3 of signed 16-bit little-endian samples. One task at a time may use it.

    Raises:
        TypeError: no whole number.
        ValueError: MP3 has no such rate, or no such number of channels.
        ConfigError: the library is not installed.
    """

    sample_rate: int = attrs.field(kw_only=True)
    channels: int = attrs.field(kw_only=True)
    bitrate: int = attrs.field(kw_only=True)
    _lame: _Lame | None = attrs.field(init=False, default=None)
    """`None` before the first samples and after a flush."""
    _rest: bytes = attrs.field(init=False, default=b"")
    """The begin of a sample that is not whole yet."""

    def __attrs_post_init__(self) -> None:
        _check_whole("sample_rate", self.sample_rate)
        _check_whole("channels", self.channels)
        _check_whole("bitrate", self.bitrate)
        if self.sample_rate not in SAMPLE_RATES:
            msg = f"sample_rate is {self.sample_rate!r}; MP3 has {', '.join(map(str, SAMPLE_RATES))}"
            raise ValueError(msg)
        if self.channels not in (1, 2):
            msg = f"channels is {self.channels!r}; MP3 has 1 or 2"
            raise ValueError(msg)
        if self.bitrate not in BIT_RATES:
            msg = f"bitrate is {self.bitrate!r}; MP3 has {BIT_RATES.start} to {BIT_RATES.stop - 1} kilobits per second"
            raise ValueError(msg)
        _library()

    def seconds_of(self, pcm: bytes) -> float:
        """Tell how long samples last."""
        return len(pcm) / (self.sample_rate * self.channels * _WIDTH)

    def encode(self, pcm: bytes) -> bytes:
        """Take samples, and give what is complete of the MP3. A sample that is cut in two is put together again."""
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % (_WIDTH * self.channels)
        self._rest = pcm[whole:]
        if not whole:
            return b""
        if self._lame is None:
            self._lame = self._new()
        return bytes(self._lame.encode(pcm[:whole]))

    def flush(self) -> bytes:
        """Give the end of the MP3: about the last 50 ms. What is encoded after that begins another one."""
        lame, self._lame, self._rest = self._lame, None, b""
        return b"" if lame is None else bytes(lame.flush())

    def _new(self) -> _Lame:
        lame = _library()()
        lame.silence()
        lame.set_in_sample_rate(self.sample_rate)
        lame.set_channels(self.channels)
        lame.set_bit_rate(self.bitrate)
        lame.set_quality(_QUALITY)
        return lame


class _Lame(Protocol):
    """What is used of `lameenc.Encoder`, which tells no types."""

    def silence(self) -> None: ...
    def set_in_sample_rate(self, rate: int, /) -> None: ...
    def set_channels(self, count: int, /) -> None: ...
    def set_bit_rate(self, kilobits: int, /) -> None: ...
    def set_quality(self, quality: int, /) -> None: ...
    def encode(self, pcm: bytes, /) -> bytearray: ...
    def flush(self) -> bytearray: ...


def _check_whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{name} is {value!r}; pass a whole number"
        raise TypeError(msg)


def _library() -> Callable[[], _Lame]:
    try:
        # An extra: only who streams PCM needs it.
        library = importlib.import_module("lameenc")
    except ImportError as error:
        raise ConfigError(
            "PCM is sent as MP3, and the encoder for that is not installed: pip install 'mentra-trio[audio]', or write "
            "MP3 yourself"
        ) from error
    return cast("Callable[[], _Lame]", library.Encoder)  # the library tells no types
