"""Ready bitmaps: read, put on the canvas of glasses, and written, as in the reference where that is right (P4 8)."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio.text.bitmap import Bitmap, BitmapError, fit_bitmap, read_bmp
from tests.effort import effort

VECTORS = Path(__file__).parent.parent / "vectors" / "display" / "bitmap.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text("utf-8"))["cases"] if VECTORS.exists() else []
WIDE_HEADER = bytes.fromhex(
    "424d36260000000000003e0000002800000040020000870000000100010000000000f8250000130b0000130b00000200000002000000"
    "00000000ffffff00"
)


def blob(value: dict[str, str]) -> bytes:
    """Read bytes of a vector."""
    data = base64.b64decode(value["data"])
    return zlib.decompress(data) if value["enc"] == "zlib+base64" else data


def chosen(op: str) -> list[Any]:
    """Choose the vectors of an operation that have a result and no defect."""
    return [
        pytest.param(blob(case["input"]["bmp"]), blob(case["expect"]["bmp"]), id=case["id"])
        for case in CASES
        if case["op"] == op and not case["quirk"] and "bmp" in case["expect"]
    ]


@pytest.mark.parametrize(("given_", "expected"), chosen("convert24To1"))
def test_colours_become_drawn_or_dark_as_in_the_reference(given_: bytes, expected: bytes) -> None:
    written = read_bmp(given_).to_bmp()

    assert written[62:] == expected[62:]
    assert read_bmp(expected) == read_bmp(given_)


@pytest.mark.parametrize(("given_", "expected"), chosen("padBmpForGlasses"))
def test_smaller_bitmaps_are_put_where_the_reference_puts_them(given_: bytes, expected: bytes) -> None:
    bitmap = read_bmp(given_)
    if (
        bitmap.width <= 526 and bitmap.height <= 100
    ):  # the reference cuts what does not fit; here it is moved, or refused
        assert fit_bitmap(given_) == expected


@st.composite
def bitmaps(draw: st.DrawFn, width: int = 70, height: int = 8) -> Bitmap:
    """Make bitmaps."""
    across = draw(st.integers(1, width))
    rows = draw(st.lists(st.integers(0, (1 << across) - 1), min_size=1, max_size=height))
    return Bitmap(width=across, height=len(rows), rows=tuple(rows))


@effort(50)
@given(bitmaps())
def test_what_is_written_can_be_read(bitmap: Bitmap) -> None:
    assert read_bmp(bitmap.to_bmp()) == bitmap


@effort(50)
@given(bitmap=bitmaps(), bits=st.sampled_from([1, 4, 8, 24, 32]), top_down=st.booleans(), turned=st.booleans())
def test_every_kind_of_file_says_the_same(*, bitmap: Bitmap, bits: int, top_down: bool, turned: bool) -> None:
    assert read_bmp(file_of(bitmap, bits, top_down=top_down, turned=turned)) == bitmap


def file_of(bitmap: Bitmap, bits: int, *, top_down: bool = False, turned: bool = False) -> bytes:
    """Write a file of another kind; `turned` puts white before black."""
    colors = [b"\0\0\0", b"\x10\xff\x20"]
    palette = [*reversed(colors)] if turned else colors
    table = b"".join(color + b"\0" for color in palette) if bits <= 8 else b""
    lines: list[bytes] = []
    for y in range(bitmap.height):
        pixels = [bitmap.is_drawn(x, y) for x in range(bitmap.width)]
        if bits > 8:
            line = b"".join(colors[drawn] + bytes(bits // 8 - 3) for drawn in pixels)
        else:
            text = "".join(f"{drawn ^ turned:0{bits}b}" for drawn in pixels)
            text += "0" * (-len(text) % 8)
            line = int(text, 2).to_bytes(len(text) // 8, "big")
        lines.append(line + bytes(-len(line) % 4))
    body = b"".join(lines if top_down else reversed(lines))
    start = 54 + len(table)
    height = -bitmap.height if top_down else bitmap.height
    head = struct.pack("<2sIIIIiiHHIIiiII", b"BM", start + len(body), 0, start, 40, bitmap.width, height, 1, bits, 0,
                       len(body), 0, 0, len(palette) if bits <= 8 else 0, 0)  # fmt: skip
    return head + table + body


def test_a_file_for_glasses_has_the_header_that_phones_expect() -> None:
    canvas = Bitmap(width=576, height=135, rows=(1,) * 135).to_bmp()

    assert canvas[:62] == WIDE_HEADER
    assert len(canvas) == 9782


def test_what_fits_is_left_as_it_is() -> None:
    canvas = bytearray(Bitmap(width=576, height=135, rows=(5,) * 135).to_bmp())
    canvas[38:46] = bytes(8)  # another resolution

    assert fit_bitmap(bytes(canvas)) == bytes(canvas)


@pytest.mark.parametrize(
    ("width", "height", "options", "corner"),
    [
        (10, 5, {}, (50, 35)),
        (526, 100, {}, (50, 35)),
        (560, 130, {}, (16, 5)),
        (576, 10, {}, (0, 35)),
        (10, 5, {"left": 0, "top": 130}, (0, 130)),
    ],
)
def test_a_smaller_one_is_put_on_the_canvas(
    width: int, height: int, options: dict[str, int], corner: tuple[int, int]
) -> None:
    full = Bitmap(width=width, height=height, rows=((1 << width) - 1,) * height)
    canvas = read_bmp(fit_bitmap(full.to_bmp(), **options))
    left, top = corner

    assert (canvas.width, canvas.height, canvas.ink) == (576, 135, width * height)
    assert canvas.is_drawn(left, top)
    assert canvas.is_drawn(left + width - 1, top + height - 1)


def changed(place: int, data: bytes) -> bytes:
    """Spoil a good file."""
    good = bytearray(Bitmap(width=9, height=2, rows=(1, 2)).to_bmp())
    good[place : place + len(data)] = data
    return bytes(good)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "does not begin with 'BM'"),
        (b"\x89PNG", "other pictures have to be converted"),
        (b"BM" + bytes(20), "54 bytes of header"),
        (changed(28, b"\x02"), "2 bits a pixel"),
        (changed(30, b"\x01"), "compressed"),
        (changed(18, b"\0\0"), "0 x 2 pixels"),
        (changed(18, b"\xff\xff\xff\xff"), "-1 x 2"),
        (changed(22, b"\xff\xff\0\0"), "65535 pixels"),
        (changed(0, b"BM")[:-1], "a part of this BMP file is missing"),
        (changed(10, b"\0"), "a part"),
        (Bitmap(width=577, height=1, rows=(1,)).to_bmp(), "does not fit in 576 x 135"),
        (Bitmap(width=1, height=136, rows=(1,) * 136).to_bmp(), "does not fit in 576 x 135"),
    ],
)
def test_what_cannot_be_shown_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(BitmapError, match=text):
        fit_bitmap(data)


@effort(50)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: changed(10, data)))
def test_any_bytes_are_a_bitmap_or_an_error(data: bytes) -> None:
    try:
        bitmap = read_bmp(data)
    except BitmapError:
        return
    assert len(bitmap.rows) == bitmap.height
