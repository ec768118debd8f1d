"""Which characters fonts have, and text drawn with them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from mentra_trio import ConfigError
from mentra_trio.text import G1, Align, Style
from mentra_trio.text.fonts import FONT_FOLDERS, FontError, find_font, missing_characters
from mentra_trio.text.lettering import check_shaping, letter
from mentra_trio.text.preview import render
from tests.effort import effort

if TYPE_CHECKING:
    from pathlib import Path


def built_in() -> bytes:
    """Give the font that Pillow brings: the characters of ASCII and a few more."""
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font.font_bytes


BUILT_IN = built_in()
PLACE = struct.unpack_from(">I", BUILT_IN, BUILT_IN.index(b"cmap") + 8)[0]
"""Where its table of characters begins."""


@pytest.fixture
def font(tmp_path: Path) -> Path:
    path = tmp_path / "Sample-Sans.ttf"
    path.write_bytes(BUILT_IN)
    return path


def with_groups(*groups: tuple[int, int]) -> bytes:
    """Give the font another table of characters, of the kind for characters beyond U+FFFF."""
    table = struct.pack(">HHIIII", 12, 0, 16 + 12 * len(groups), 0, len(groups), 0)[:16]
    table += b"".join(struct.pack(">III", first, last, 1) for first, last in groups)
    data = bytearray(BUILT_IN)
    record = BUILT_IN.index(b"cmap") + 8
    whole = struct.pack(">HHHHI", 0, 1, 3, 10, 12) + table
    struct.pack_into(">II", data, record, len(data), len(whole))
    return bytes(data) + whole


def test_a_font_tells_which_characters_it_lacks(font: Path) -> None:
    assert missing_characters("Hello, world (really): 100 % ~", font) == ""
    assert missing_characters("Grüße, 中文 and 中", font) == "üß中文"
    assert missing_characters("a\tb\n\u200d\ufe0f\u3000", font) == ""  # drawn by nobody


def test_a_font_may_have_characters_beyond_the_first_plane(tmp_path: Path) -> None:
    path = tmp_path / "wide.otf"
    path.write_bytes(with_groups((0x41, 0x43), (0x1F600, 0x1F601)))

    assert missing_characters("ABCD@\U0001f5ff\U0001f600\U0001f601\U0001f602", path) == "D@\U0001f5ff\U0001f602"


def test_of_a_collection_the_first_font_counts(tmp_path: Path) -> None:
    count = struct.unpack_from(">H", BUILT_IN, 4)[0]
    moved = bytearray(BUILT_IN)
    for n in range(count):
        at = 12 + 16 * n + 8
        struct.pack_into(">I", moved, at, struct.unpack_from(">I", moved, at)[0] + 16)
    path = tmp_path / "both.ttc"
    path.write_bytes(struct.pack(">4sIII", b"ttcf", 0x10000, 1, 16) + bytes(moved))

    assert missing_characters("Aü", path) == "ü"


@pytest.mark.parametrize("data", [b"", b"hello", BUILT_IN[: PLACE + 20], BUILT_IN.replace(b"cmap", b"xmap", 1)])
def test_what_is_no_font_is_a_named_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.ttf"
    path.write_bytes(data)

    with pytest.raises(FontError, match=r"broken.ttf is no font that can be read"):
        missing_characters("a", path)
    with pytest.raises(FontError, match="can be read"):
        letter("a", font=path)
    with pytest.raises(FontError, match="can be read"):
        letter("a", font=tmp_path / "missing.ttf")


@effort(25)
@given(place=st.integers(PLACE, PLACE + 200), data=st.binary(min_size=1, max_size=4), char=st.characters())
def test_a_spoiled_font_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, data: bytes, char: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "spoiled.ttf"
    path.write_bytes(BUILT_IN[:place] + data + BUILT_IN[place + len(data) :])
    try:
        assert missing_characters(char, path) in ("", char)
    except FontError as error:
        assert error.missing == ""  # noqa: PT017 - one of two outcomes


def test_the_plainest_font_that_has_all_letters_is_found(tmp_path: Path, font: Path) -> None:
    for name in ("Sample-Sans-Bold.ttf", "A.ttf", "notes.txt", "SampleMono.otf"):
        (tmp_path / name).write_bytes(BUILT_IN)
    (tmp_path / "Aa-Sans.ttf").write_bytes(b"broken")

    assert find_font("plain \U0001f600 text", folders=[tmp_path]) == font


def test_the_font_that_lacks_least_tells_what_is_missing(tmp_path: Path, font: Path) -> None:
    (tmp_path / "Longer-Name-Sans.otf").write_bytes(with_groups((0x1F600, 0x1F601)))
    with pytest.raises(FontError) as caught:
        find_font("a \u4e2d", folders=[tmp_path])
    assert caught.value.missing == "\u4e2d"


def test_a_table_of_characters_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.otf"
    path.write_bytes(with_groups((0x41, 0x43)).replace(struct.pack(">HH", 12, 0), struct.pack(">HH", 13, 0)))
    with pytest.raises(FontError, match="not of Unicode"):
        missing_characters("A", path)


def test_a_font_that_is_not_there_is_named_with_what_is_missing(tmp_path: Path, font: Path) -> None:
    with pytest.raises(FontError, match=r"no font of this machine can write '中文'; install one") as caught:
        find_font("a 中文", folders=[tmp_path])
    assert caught.value.missing == "中文"
    assert isinstance(caught.value, ConfigError)
    with pytest.raises(FontError) as caught:
        find_font("abc", folders=[tmp_path / "nowhere", "~nobody-of-this-name/fonts"])
    assert caught.value.missing == "abc"
    assert "\U0001f600" not in caught.value.missing


def test_fonts_are_looked_for_in_the_folders_of_every_system() -> None:
    assert any("share" in folder.parts for folder in FONT_FOLDERS)
    assert any("Library" in folder.parts for folder in FONT_FOLDERS)
    assert any("Windows" in folder.parts for folder in FONT_FOLDERS)


def test_text_is_drawn_line_by_line(font: Path) -> None:
    drawn = letter("Hello world, this is a text for a picture, in a font of ours", font=font, font_size=20)

    assert [line.text for line in drawn.lines] == ["Hello world, this is a text for a picture, in a font of ours"]
    assert (drawn.bitmap.width, drawn.bitmap.height) == (576, 135)
    assert drawn.bitmap.ink > 500
    assert sum(drawn.bitmap.rows[30:]) == 0
    assert not drawn.is_truncated
    assert drawn.font == font
    assert letter("Hello", font=str(font)).missing == ""


def test_text_that_has_no_room_is_told(font: Path) -> None:
    drawn = letter("one two three four five six seven", font=font, font_size=20, size=(80, 40))

    assert [line.text for line in drawn.lines] == ["one two"]
    assert drawn.cut.split() == ["three", "four", "five", "six", "seven"]
    assert letter("one", font=font, size=(80, 5)).cut == "one"


def test_no_line_is_drawn_wider_than_the_picture(font: Path) -> None:
    text = "Wherever VAT and AV are written, kerning makes it narrower, never wider. " * 3
    wide = letter(text, font=font, size=(300, 500))
    face = ImageFont.truetype(font, 24)

    assert len(wide.lines) > 4
    assert all(face.getlength(line.text) <= line.width <= 300 for line in wide.lines)


def test_characters_that_the_font_lacks_are_told(font: Path) -> None:
    assert letter("Größe \U0001f600", font=font).missing == "öß\U0001f600"


def test_lines_stand_where_they_are_wanted(font: Path) -> None:
    left = letter("I", font=font, size=(100, 30))
    right = letter("I", font=font, size=(100, 30), align=Align.RIGHT)

    assert all(row >> 50 << 50 == row for row in left.bitmap.rows)
    assert all(row < 1 << 50 for row in right.bitmap.rows)
    assert left.bitmap.ink == right.bitmap.ink


def test_lines_from_right_to_left_begin_at_the_right(font: Path) -> None:
    """The font has none of these letters, but its box for them shows where they would be."""
    drawn = letter("\u05d0", font=font, size=(100, 30))

    assert drawn.bitmap.ink > 0
    assert all(row < 1 << 50 for row in drawn.bitmap.rows)


@pytest.mark.parametrize("text", ["\u0645", "a \u0915", "\u1780"])
def test_letters_that_would_be_wrong_are_refused(text: str) -> None:
    check_shaping(text, can_shape=True)
    with pytest.raises(FontError, match="letters need Pillow with raqm"):
        check_shaping(text, can_shape=False)
    check_shaping("plain, Привет, 中文", can_shape=False)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\x1c", "\x1d", "\x1e", "\x85", "\u2029"])
def test_ends_of_paragraphs_are_never_drawn(font: Path, end: str) -> None:
    drawn = letter(f"ab{end}cd", font=font)
    breaks = end not in "\x1c\x1d\x1e\x85"  # as for texts

    assert drawn.bitmap == letter("ab\ncd" if breaks else "abcd", font=font).bitmap
    assert letter(f"ab{end}cd", font=font, style=Style(keep_newlines=False)).bitmap.ink == drawn.bitmap.ink


def without_table(name: bytes) -> bytes:
    return BUILT_IN.replace(name, b"xxxx", 1)


def with_zeros(*names: bytes) -> bytes:
    data = bytearray(BUILT_IN)
    for name in names:
        place, size = struct.unpack_from(">II", data, data.index(name) + 8)
        data[place : place + size] = bytes(size)
    return bytes(data)


def with_damaged_outlines() -> bytes:
    place, size = struct.unpack_from(">II", BUILT_IN, BUILT_IN.index(b"glyf") + 8)
    data = bytearray(BUILT_IN)
    data[place : place + size] = b"\xff" * size
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        *map(without_table, [b"head", b"hhea", b"hmtx", b"loca"]),
        *map(with_zeros, [b"head", b"maxp"]),
        with_damaged_outlines(),
    ],
)
def test_a_damaged_font_that_still_has_its_table_of_characters_is_a_named_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "damaged.ttf"
    path.write_bytes(data)

    assert missing_characters("a", path) == ""
    for draw in (lambda: letter("Hello", font=path), lambda: render("Hello", G1, font=path)):
        with pytest.raises(FontError, match=r"damaged.ttf is no font that can be read"):
            draw()


def test_a_font_whose_letters_take_no_room_cannot_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "narrow.ttf"
    path.write_bytes(with_zeros(b"hhea", b"OS/2"))
    with pytest.raises(FontError, match="its lines have no height"):
        letter("Hello", font=path)

    path.write_bytes(with_zeros(b"hmtx"))
    with pytest.raises(FontError, match="its letters take no room"):
        render("Hello", G1, font=path)


def test_sizes_of_letters_have_to_make_sense(font: Path) -> None:
    with pytest.raises(ValueError, match="pixels above 0"):
        letter("a", font=font, font_size=0)
