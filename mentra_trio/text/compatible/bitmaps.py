"""Bitmaps as the reference's tools treat them, defects included (P4 8, P4 9).

For apps whose pictures must be the same bytes as before. `mentra_trio.text.bitmap` reads what files say of themselves,
and refuses what would be shown cut off.
"""

from __future__ import annotations

import base64
import enum
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from mentra_trio.text.bitmap import (
    CANVAS_HEIGHT,
    CANVAS_WIDTH,
    LARGEST,
    LEFT,
    TOP,
    Bitmap,
    BitmapError,
    row_of,
    stride_of,
)

from .decoding import UnreadableError, decode

if TYPE_CHECKING:
    from os import PathLike

_SIGNATURE = b"BM"
_FILE_HEADER = 14
_HEADER = 54
"""Bytes up to the palette."""
_FIRST_PIXEL = 62
"""Where the pixels of any file are taken to begin, whatever it says itself."""
_LEAST_SIZE = 9_682
_MOST_SIZE = 10_782
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_HEX = frozenset("0123456789abcdefABCDEF")
_DEFAULT_PATTERN = "animation_10_frame_{i}.bmp"
_SLOW_GLASSES = "even-realities-g1"


class BitmapProblem(enum.Enum):
    """What the reference finds wrong with a bitmap."""

    EMPTY = "empty"
    SHORTER_THAN_FILE_HEADER = "shorter_than_file_header"
    BAD_SIGNATURE = "bad_signature"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    WRONG_DIMENSIONS = "wrong_dimensions"
    NO_PIXEL_DATA = "no_pixel_data"
    ALL_WHITE = "all_white"
    NOT_24_BIT = "not_24_bit"
    HEADER_TOO_SHORT = "header_too_short"
    DECODE_FAILED = "decode_failed"
    UNSUPPORTED_FORMAT = "unsupported_format"
    FRAMES_FAILED = "frames_failed"
    NO_VALID_FRAMES = "no_valid_frames"


class BitmapProblemError(BitmapError):
    """The reference gives up on this bitmap."""

    def __init__(self, problem: BitmapProblem, message: str, *, frames: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.problem = problem
        """Why."""
        self.frames = frames
        """Numbers of the frames that failed."""


@attrs.frozen(kw_only=True)
class BitmapReport:
    """What the reference tells about a bitmap."""

    byte_count: int
    inked_bytes: int
    """Bytes that are not FF, from the 62nd to the end of the file. The reference calls them black pixels."""
    width: int | None
    """As the header says, read without a sign; `None` where there is no header."""
    height: int | None
    """The same; a file that is stored from the top down is near to 2**32 pixels high."""
    problems: tuple[BitmapProblem, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.problems


@attrs.frozen(kw_only=True)
class FrameFile:
    """One picture of an animation."""

    name: str
    """Of the file."""
    data: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class AnimationConfig:
    """How the reference would show an animation on a kind of glasses."""

    interval: float
    """Seconds from one frame to the next."""
    repeat: bool = False
    validate_frames: bool = True
    skip_missing_frames: bool = False

    @classmethod
    def of(cls, device_type: str) -> AnimationConfig:
        """Give what is best for a kind of glasses, such as `even-realities-g1` (P4 9)."""
        return cls(interval=1.65 if device_type == _SLOW_GLASSES else 1.0)


def decode_base64(text: str) -> bytes:
    """Read base64 of either alphabet, skipping what is none, up to the first `=` (P4 8.6)."""
    kept = "".join(filter(_ALPHABET.__contains__, text.partition("=")[0].replace("-", "+").replace("_", "/")))
    whole = len(kept) - (len(kept) % 4 == 1)
    return base64.b64decode(kept[:whole] + "=" * (-whole % 4))


def decode_hex(text: str) -> bytes:
    """Read pairs of hexadecimal digits, up to the first pair that is none (P4 8.6)."""
    end = 0
    while end + 2 <= len(text) and text[end] in _HEX and text[end + 1] in _HEX:
        end += 2
    return bytes.fromhex(text[:end])


def convert_format(data: str | bytes, source: str, target: str) -> str | bytes:
    """Turn `hex`, `base64` or a `buffer` into another of the three (P4 8.5).

    Raises:
        BitmapProblemError: `UNSUPPORTED_FORMAT`, for any other name.
    """
    if isinstance(data, str) and source in ("hex", "base64"):
        raw = decode_hex(data) if source == "hex" else decode_base64(data)
    elif isinstance(data, bytes) and source == "buffer":
        raw = data
    else:
        raise _unsupported(source)
    match target:
        case "hex":
            return raw.hex()
        case "base64":
            return base64.b64encode(raw).decode("ascii")
        case "buffer":
            return raw
        case _:
            raise _unsupported(target)


def validate_bitmap(data: bytes | str) -> BitmapReport:
    """Look whether glasses would take a file, or the base64 of one (P4 8.4)."""
    raw = decode_base64(data) if isinstance(data, str) else data
    if not raw:
        return BitmapReport(byte_count=0, inked_bytes=0, width=None, height=None, problems=(BitmapProblem.EMPTY,))
    size = (CANVAS_WIDTH, CANVAS_HEIGHT)
    width, height = _size(raw)
    pixels = raw[_FIRST_PIXEL:]
    found = {
        BitmapProblem.SHORTER_THAN_FILE_HEADER: len(raw) < _FILE_HEADER,
        BitmapProblem.BAD_SIGNATURE: len(raw) >= _FILE_HEADER and not raw.startswith(_SIGNATURE),
        BitmapProblem.TOO_SMALL: len(raw) < _LEAST_SIZE,
        BitmapProblem.TOO_LARGE: len(raw) > _MOST_SIZE,
        BitmapProblem.WRONG_DIMENSIONS: width is not None and (width, height) != size,
        BitmapProblem.NO_PIXEL_DATA: not pixels,
        BitmapProblem.ALL_WHITE: bool(pixels) and not _ink(raw),
    }
    return BitmapReport(
        byte_count=len(raw),
        inked_bytes=_ink(raw),
        width=width,
        height=height,
        problems=tuple(problem for problem, is_found in found.items() if is_found),
    )


def bitmap_info(data: bytes | str) -> BitmapReport:
    """Tell what a file is, or the hexadecimal digits of one. Only a missing `BM` is a problem here (P4 8.5)."""
    raw = decode_hex(data) if isinstance(data, str) else data
    if len(raw) < _FILE_HEADER or not raw.startswith(_SIGNATURE):
        return BitmapReport(
            byte_count=len(raw),
            inked_bytes=_ink(raw),
            width=None,
            height=None,
            problems=(BitmapProblem.BAD_SIGNATURE,),
        )
    width, height = _size(raw)
    return BitmapReport(byte_count=len(raw), inked_bytes=_ink(raw), width=width, height=height)


def convert_24_bit(data: bytes) -> bytes:
    """Make a file of one bit a pixel of one with 24, whose pixels are taken to begin at byte 54 (P4 8.2).

    What is missing at its end is dark, and nobody looks whether it begins with `BM`.

    Raises:
        BitmapProblemError: `HEADER_TOO_SHORT`, `NOT_24_BIT`.
    """
    if len(data) < 30:  # up to the depth
        raise BitmapProblemError(BitmapProblem.HEADER_TOO_SHORT, f"a header has more than {len(data)} bytes")
    width, height, _, bits = struct.unpack_from("<IiHH", data, 18)
    if bits != 24:
        raise BitmapProblemError(BitmapProblem.NOT_24_BIT, f"this file has {bits} bits a pixel, not 24")
    if max(width, abs(height)) > LARGEST:
        raise BitmapError(f"a bitmap of {width} x {abs(height)} pixels cannot be shown")
    stride = stride_of(width, bits)
    pixels = data[_HEADER:].ljust(stride * abs(height), b"\0")
    lines = (pixels[n * stride : (n + 1) * stride] for n in range(abs(height)))
    rows = tuple(row_of(line, width, bits, b"") if width else 0 for line in lines)
    return Bitmap(width=width, height=abs(height), rows=rows if height < 0 else rows[::-1]).to_bmp()


def pad_bitmap(data: bytes) -> bytes:
    """Put a file on the canvas of glasses at 50, 35, cutting off what is outside (P4 8.3).

    One of the canvas's size comes back as it is, however many bits it has a pixel.

    Raises:
        BitmapProblemError: `BAD_SIGNATURE`, `DECODE_FAILED`.
    """
    if len(data) < _FILE_HEADER or not data.startswith(_SIGNATURE):
        raise BitmapProblemError(BitmapProblem.BAD_SIGNATURE, "this is no BMP file: it does not begin with 'BM'")
    try:
        bitmap = decode(data)
    except UnreadableError as error:
        raise BitmapProblemError(BitmapProblem.DECODE_FAILED, f"this BMP file cannot be read: {error}") from error
    if (bitmap.width, bitmap.height) == (CANVAS_WIDTH, CANVAS_HEIGHT):
        return data
    room = CANVAS_WIDTH - LEFT
    visible = [row << room >> bitmap.width for row in bitmap.rows[: CANVAS_HEIGHT - TOP]]
    below = CANVAS_HEIGHT - TOP - len(visible)
    return Bitmap(width=CANVAS_WIDTH, height=CANVAS_HEIGHT, rows=(*(0,) * TOP, *visible, *(0,) * below)).to_bmp()


def load_frames(
    folder: str | PathLike[str],
    count: int,
    *,
    pattern: str = _DEFAULT_PATTERN,
    start: int = 1,
    validate: bool = True,
    skip_missing: bool = False,
) -> list[FrameFile]:
    """Read the pictures of an animation from a folder, in order (P4 8.7). It reads files, so it blocks for that long.

    Args:
        folder: where the files are.
        count: how many.
        pattern: name of a file; its first `{i}` is the number.
        start: the first number.
        validate: refuse pictures that `validate_bitmap` finds something wrong with.
        skip_missing: leave out those that are missing or wrong, instead of failing.

    Raises:
        BitmapProblemError: `FRAMES_FAILED` with their numbers; `NO_VALID_FRAMES`.
    """
    frames: list[FrameFile] = []
    failed: list[int] = []
    for number in range(start, start + count):
        name = pattern.replace("{i}", str(number), 1)
        try:
            data = (Path(folder) / name).read_bytes()
        except OSError:
            failed.append(number)
            continue
        if validate and not validate_bitmap(data).is_valid:
            failed.append(number)
        else:
            frames.append(FrameFile(name=name, data=data))
    if failed and not skip_missing:
        listed = ", ".join(map(str, failed))
        raise BitmapProblemError(
            BitmapProblem.FRAMES_FAILED, f"frames that are missing or wrong: {listed}", frames=tuple(failed)
        )
    if not frames:
        raise BitmapProblemError(BitmapProblem.NO_VALID_FRAMES, "an animation needs at least one frame")
    return frames


def _unsupported(name: str) -> BitmapProblemError:
    return BitmapProblemError(BitmapProblem.UNSUPPORTED_FORMAT, f"{name!r} is none of 'hex', 'base64', 'buffer'")


def _size(data: bytes) -> tuple[int | None, int | None]:
    """Width and height, which the reference reads without a sign."""
    if len(data) < _HEADER:
        return None, None
    width, height = struct.unpack_from("<II", data, 18)
    return width, height


def _ink(data: bytes) -> int:
    return max(len(data) - _FIRST_PIXEL, 0) - data.count(b"\xff", _FIRST_PIXEL)
