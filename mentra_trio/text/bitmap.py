"""Bitmaps for glasses: black and white, and of exactly the size that the display takes (P3 2, P4 8).

White is what is drawn, black is what stays dark. Here are ready BMP files, read, put on a canvas, and written.
"""

from __future__ import annotations

import struct

import attrs

CANVAS_WIDTH = 576
"""Pixels of the canvas of all glasses: G1 takes no other, G2 any, and no size of others is known (P3 2.2)."""
CANVAS_HEIGHT = 135
LEFT = 50
"""Where smaller pictures are put: 526 x 100 pixels from here on are seen best."""
TOP = 35
LARGEST = 10_000
"""Pixels of a side; more is no picture for glasses."""
_BRIGHT = 128
"""A pixel is drawn when one of its colours is brighter than this."""
_FILE_HEADER = 14
_HEADER = _FILE_HEADER + 40
_HEADER_SIZE = _HEADER + 8
"""Bytes before the pixels of a file with two colours. Phones rely on it (P3 2.1)."""
_RESOLUTION = 2835
"""Pixels per metre, 72 dpi."""
_ONE_BIT, _FOUR_BITS, _EIGHT_BITS, _COLORS, _COLORS_AND_ALPHA = 1, 4, 8, 24, 32
BITS = (_ONE_BIT, _FOUR_BITS, _EIGHT_BITS, _COLORS, _COLORS_AND_ALPHA)
"""Of a pixel, that are understood."""
DARK_OR_DRAWN = bytes(ord("1" if value > _BRIGHT else "0") for value in range(256))
"""Turns the brightness of a colour into a digit."""


class BitmapError(ValueError):
    """What should be a BMP file is none, or is one that glasses cannot show."""


@attrs.frozen(kw_only=True)
class Bitmap:
    """A picture of pixels that are drawn or dark."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    rows: tuple[int, ...] = attrs.field(repr=False)
    """From top to bottom; of each number, the highest of `width` bits is the leftmost pixel, and 1 is drawn."""

    @property
    def ink(self) -> int:
        """How many pixels are drawn."""
        return sum(row.bit_count() for row in self.rows)

    def is_drawn(self, x: int, y: int) -> bool:
        """Whether a pixel is drawn, counted from the upper left."""
        return bool(self.rows[y] >> (self.width - 1 - x) & 1)

    def placed(self, width: int, height: int, *, left: int, top: int) -> Bitmap:
        """Put it on a dark canvas. Raises `BitmapError` where a part of it would be outside."""
        right, bottom = width - left - self.width, height - top - self.height
        if min(left, top, right, bottom) < 0:
            msg = (
                f"a bitmap of {self.width} x {self.height} pixels at {left}, {top} does not fit in {width} x {height}; "
                "scale it down before"
            )
            raise BitmapError(msg)
        rows = (*(0,) * top, *(row << right for row in self.rows), *(0,) * bottom)
        return Bitmap(width=width, height=height, rows=rows)

    def to_bmp(self) -> bytes:
        """Write it as the BMP file that phones expect: one bit a pixel, from the bottom up, black before white."""
        stride = stride_of(self.width, _ONE_BIT)
        pad = stride * 8 - self.width
        pixels = b"".join((row << pad).to_bytes(stride, "big") for row in reversed(self.rows))
        file = struct.pack("<2sIII", b"BM", _HEADER_SIZE + len(pixels), 0, _HEADER_SIZE)
        picture = struct.pack(
            "<IiiHHIIiiII", 40, self.width, self.height, 1, 1, 0, len(pixels), _RESOLUTION, _RESOLUTION, 2, 2
        )
        return file + picture + b"\0\0\0\0\xff\xff\xff\0" + pixels


def fit_bitmap(data: bytes, *, left: int | None = None, top: int | None = None) -> bytes:
    """Make a BMP file fit the canvas of glasses: 576 x 135 pixels, one bit each.

    One that fits already comes back as it is. A smaller one is put on the canvas, at 50, 35 or as near to it as it has
    room; `left` and `top` put it elsewhere.

    Raises:
        BitmapError: it is no BMP file, or a compressed one, or too large.
    """
    bitmap = read_bmp(data)
    if (bitmap.width, bitmap.height) == (CANVAS_WIDTH, CANVAS_HEIGHT) and not left and not top:
        return data if _is_ready(data) else bitmap.to_bmp()
    room_across, room_down = CANVAS_WIDTH - bitmap.width, CANVAS_HEIGHT - bitmap.height
    placed = bitmap.placed(
        CANVAS_WIDTH,
        CANVAS_HEIGHT,
        left=max(min(LEFT, room_across), 0) if left is None else left,
        top=max(min(TOP, room_down), 0) if top is None else top,
    )
    return placed.to_bmp()


def read_bmp(data: bytes) -> Bitmap:
    """Read a BMP file of 1, 4, 8, 24 or 32 bits a pixel that is not compressed, stored in either direction.

    Raises:
        BitmapError: it is none, a part is missing, or it is of another kind.
    """
    if data[:2] != b"BM":
        msg = "this is no BMP file: it does not begin with 'BM'; other pictures have to be converted before"
        raise BitmapError(msg)
    if len(data) < _HEADER:
        msg = f"a BMP file has {_HEADER} bytes of header, and this one is {len(data)} bytes long"
        raise BitmapError(msg)
    start, header, width, height, _, bits, compression = struct.unpack_from("<IIiiHHI", data, 10)
    if header < _HEADER - _FILE_HEADER or bits not in BITS:
        msg = f"a BMP file of {bits} bits a pixel is not understood; save it with 1 or 24"
        raise BitmapError(msg)
    if compression:
        msg = "this BMP file is compressed; save it without compression"
        raise BitmapError(msg)
    if not (0 < width <= LARGEST and 0 < abs(height) <= LARGEST):
        msg = f"a bitmap of {width} x {abs(height)} pixels cannot be shown"
        raise BitmapError(msg)
    stride = stride_of(width, bits)
    if start < _HEADER or start + stride * abs(height) > len(data):
        msg = (
            f"a part of this BMP file is missing: it should have {start + stride * abs(height)} bytes, not {len(data)}"
        )
        raise BitmapError(msg)
    palette = _palette(data, _FILE_HEADER + header, bits, start)
    lines = (data[start + number * stride : start + (number + 1) * stride] for number in range(abs(height)))
    rows = tuple(row_of(line, width, bits, palette) for line in lines)
    return Bitmap(width=width, height=abs(height), rows=rows if height < 0 else rows[::-1])


def stride_of(width: int, bits: int) -> int:
    """Bytes of a row in a file: whole groups of four."""
    return (width * bits + 31) // 32 * 4


def _palette(data: bytes, place: int, bits: int, start: int) -> bytes:
    """For each colour of the palette the digit that says whether it is drawn; colours that are missing are dark."""
    if bits > _EIGHT_BITS:
        return b""
    (used,) = struct.unpack_from("<I", data, 46)
    return tones_of(data, place, min(used or 1 << bits, 1 << bits, max(start - place, 0) // 4)).ljust(256, b"0")


def tones_of(data: bytes, place: int, count: int) -> bytes:
    """For each colour of a palette the digit that says whether it is drawn."""
    colors = (data[place + 4 * n : place + 4 * n + 3] for n in range(count))
    return b"".join(b"1" if max(color) > _BRIGHT else b"0" for color in colors)


def row_of(line: bytes, width: int, bits: int, palette: bytes) -> int:
    """Make a number of a row, as in `Bitmap.rows`; `palette` says for each colour whether it is drawn."""
    if bits == _ONE_BIT:
        row = int.from_bytes(line, "big") >> (len(line) * 8 - width)
        drawn, dark = (1 << width) - 1, 0
        return (row if palette[1:2] == b"1" else dark) | (row ^ drawn if palette[:1] == b"1" else dark)
    if bits == _FOUR_BITS:
        return int("".join(chr(palette[int(digit, 16)]) for digit in line.hex()[:width]), 2)
    if bits == _EIGHT_BITS:
        return int(line[:width].translate(palette), 2)
    step = bits // 8
    colors = [line[color : width * step : step].translate(DARK_OR_DRAWN) for color in range(3)]
    # A digit is one bit higher for a pixel that is drawn, so the digits of all colours can be laid over each other.
    laid = int.from_bytes(colors[0], "big") | int.from_bytes(colors[1], "big") | int.from_bytes(colors[2], "big")
    return int(laid.to_bytes(width, "big"), 2)


def _is_ready(data: bytes) -> bool:
    """Whether a file of the right size is what phones expect, apart from its resolution, which nobody reads."""
    wanted = Bitmap(width=CANVAS_WIDTH, height=CANVAS_HEIGHT, rows=(0,) * CANVAS_HEIGHT).to_bmp()
    return len(data) == len(wanted) and data[10:38] == wanted[10:38] and data[54:62] == wanted[54:62]
