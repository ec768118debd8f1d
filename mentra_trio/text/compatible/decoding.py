"""BMP files as the reference's library reads them, defects included (P4 8.3).

The palette is read behind the header, and the pixels behind the palette, whatever the header says.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import attrs

from mentra_trio.text.bitmap import BITS, DARK_OR_DRAWN, LARGEST, Bitmap, BitmapError, row_of, stride_of, tones_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEADER = 54
"""Bytes up to the masks of colours, or the palette."""
_MORE = {40: 0, 52: 0, 56: 0, 108: 52, 124: 68}
"""Headers that are known, by their size, and the bytes that follow the masks in them."""
_MASKS = (3, 6)
"""Compressions that say where the colours of a pixel are; the second one says it of four."""
_RUN_LENGTHS = ((8, 1), (4, 2))
"""Depths and compressions that are unpacked. Any other compression counts as none."""
_USUAL_MASKS = {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}
_END_OF_LINE, _END, _JUMP = 0, 1, 2
"""What run lengths of 0 mean."""


class UnreadableError(BitmapError):
    """The reference's library gives up."""


@attrs.frozen(kw_only=True)
class _Header:
    width: int
    height: int
    """Negative when the uppermost row is stored first."""
    bits: int
    compression: int
    masks: tuple[int, int, int]
    palette: int
    """Where it begins."""
    colors: int
    """Of the palette."""

    @property
    def pixels(self) -> int:
        """Where they begin."""
        return self.palette + 4 * self.colors

    @property
    def rows(self) -> int:
        return abs(self.height)


def decode(data: bytes) -> Bitmap:
    """Read a file of any depth; a depth that there is not is read as 32 bits.

    Raises:
        UnreadableError: as the reference's library does; or it would have more than 10,000 pixels at a side.
    """
    header = _header(data)
    if not header.width or not header.height:
        rows = [0] * header.rows
    elif (header.bits, header.compression) in _RUN_LENGTHS:
        rows = _unpacked(data, header)
    elif header.bits in BITS and not (header.bits == 32 and header.masks != _USUAL_MASKS[32]):
        rows = _plain(data, header)
    else:
        rows = _masked(data, header)
    return Bitmap(width=header.width, height=header.rows, rows=tuple(rows))


def _header(data: bytes) -> _Header:
    try:
        size, width, height, _, bits, compression = struct.unpack_from("<IIiHHI", data, 14)
        used, _ = struct.unpack_from("<II", data, 46)
        if size not in _MORE:
            raise UnreadableError(f"its header has {size} bytes")
        place, masks = _HEADER, _USUAL_MASKS.get(bits, (0, 0, 0))
        if size > 40 or compression in _MASKS:
            masks = struct.unpack_from("<III", data, place)
            place += 12
        if size > 52 or compression == _MASKS[1]:
            struct.unpack_from("<I", data, place)
            place += 4
    except struct.error:
        raise UnreadableError("its header is cut off") from None
    header = _Header(
        width=width,
        height=height,
        bits=bits,
        compression=compression,
        masks=masks,
        palette=place + _MORE[size],
        colors=used or (1 << bits if bits <= 8 else 0),
    )
    if max(width, header.rows) > LARGEST:
        raise UnreadableError(f"it would be {width} x {header.rows} pixels")
    if header.colors:
        _check_length(data, header.pixels)
    return header


def _check_length(data: bytes, needed: int) -> None:
    if needed > len(data):
        raise UnreadableError(f"it should have {needed} bytes, not {len(data)}")


def _lines(data: bytes, header: _Header, bits: int, count: int) -> Iterator[bytes]:
    """Give the stored rows. What fills up the last one to whole groups of four bytes may be missing."""
    stride = stride_of(header.width, bits)
    _check_length(data, header.pixels + stride * (count - 1) + (header.width * bits + 7) // 8)
    for n in range(count):
        yield data[header.pixels + n * stride : header.pixels + (n + 1) * stride].ljust(stride, b"\0")


def _from_the_top(rows: list[int], header: _Header) -> list[int]:
    """Put stored rows in order; those that were not stored stay dark."""
    rows += [0] * (header.rows - len(rows))
    return rows if header.height < 0 else rows[::-1]


def _plain(data: bytes, header: _Header) -> list[int]:
    bits, colors = header.bits, header.colors
    # A row of an odd number of pixels with 4 bits ends the reading: the others stay dark.
    count = 1 if bits == 4 and header.width % 2 else header.rows
    lines = list(_lines(data, header, bits, count))
    # Colours that the palette lacks are white with 8 bits a pixel, and cannot be read with fewer.
    tones = tones_of(data, header.palette, min(colors, 256)).ljust(256, b"1") if bits <= 8 else b""
    if bits < 8 and any(color >= colors for line in lines for color in _colors(line, header.width, bits)):
        raise UnreadableError("a colour is not in its palette")
    return _from_the_top([row_of(line, header.width, bits, tones) for line in lines], header)


def _colors(line: bytes, width: int, bits: int) -> set[int]:
    """Which colours of its palette a row of 1 or 4 bits a pixel uses."""
    digits = line.hex() if bits > 1 else "".join(f"{byte:08b}" for byte in line)
    return {int(digit, 16) for digit in set(digits[:width])}


def _masked(data: bytes, header: _Header) -> list[int]:
    """Read pixels whose colours are where masks say."""
    bits = 16 if header.bits == 16 else 32
    kind = "<H" if bits == 16 else "<I"
    channels = [_channel(mask) for mask in header.masks]
    known: dict[int, int] = {}

    def tone(pixel: int) -> int:
        if pixel not in known:
            known[pixel] = DARK_OR_DRAWN[max(channel(pixel) for channel in channels)]
        return known[pixel]

    rows: list[int] = []
    for line in _lines(data, header, bits, header.rows):
        pixels = struct.iter_unpack(kind, line[: header.width * bits // 8])
        rows.append(int(bytes(tone(pixel) for (pixel,) in pixels), 2))
    return _from_the_top(rows, header)


def _channel(mask: int) -> Callable[[int], int]:
    """Give what takes one colour out of a pixel and stretches it to 8 bits, in numbers of 32 bits with a sign."""
    lowest = _signed(mask & -mask)
    span = mask / lowest + 1 if lowest else 0
    if not span:
        return lambda _pixel: 0
    return lambda pixel: int(_signed(pixel & mask) // lowest * 256 / span) & 0xFF


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def _unpacked(data: bytes, header: _Header) -> list[int]:
    """Unpack run lengths of 4 or 8 bits a pixel.

    Colours are written one byte too far each, so of a pixel only the blue can be seen, as green, or the red of the
    pixel before where nothing was written later. Reading begins in the uppermost row, also when the lowest is stored
    first, and ends where the last pixel was written.
    """
    width, total = header.width, header.width * header.rows
    palette = data[header.palette : header.pixels]
    shades = bytearray(total + 1)
    step = -1 if header.height > 0 else 1
    line = header.rows - 1 if header.height > 0 else 0
    place, at, is_low = header.pixels, 0, False

    def write(value: int) -> None:
        nonlocal at, is_low
        if header.bits == 4:
            value = value & 0x0F if is_low else value >> 4
            is_low = not is_low
        blue, red = palette[4 * value], palette[4 * value + 2]
        if 0 <= at < total:
            shades[at] = blue
        if 0 <= at + 1 < total:
            shades[at + 1] = red
        at += 1

    try:
        while at < total:
            count, value = data[place], data[place + 1]
            place += 2
            if count:
                for _ in range(count):
                    write(value)
            elif value == _END_OF_LINE:
                line += step
                at, is_low = line * width, False
            elif value == _END:
                break
            elif value == _JUMP:
                right, down = data[place], data[place + 1]
                place += 2
                line += step * down
                at += down * width + right
            else:
                size = value if header.bits == 8 else (value + 1) // 2
                for n in range(value):
                    write(data[place + (n if header.bits == 8 else n // 2)])
                place += size + size % 2
    except IndexError:
        raise UnreadableError("its run lengths are cut off, or a colour is not in its palette") from None
    return [row_of(bytes(shades[n * width : (n + 1) * width]), width, 8, DARK_OR_DRAWN) for n in range(header.rows)]
