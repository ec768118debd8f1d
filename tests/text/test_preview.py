"""What a display shows, as a picture (P4 1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFont

from mentra_trio.text import G1, NEX, PROFILES, Z100, Bitmap, BitmapError, Profile, fit, measure
from mentra_trio.text._faces import Face, Faces, Size, fonts_of_machine
from mentra_trio.text.fonts import FontError
from mentra_trio.text.preview import (
    DARK,
    LINE_HEIGHT,
    LIT,
    Preview,
    double_text_wall,
    reference_card,
    render,
    text_wall,
)

from .sheets import screens, sheet, size_of
from .test_fonts import with_groups

PREVIEWS = Path(__file__).parents[2] / "docs" / "previews"
TALL = "H" * 10


def lit(image: Image.Image) -> tuple[int, int, int, int]:
    """Give what is drawn: left, top, right, bottom."""
    box = ImageChops.difference(image, Image.new("RGB", image.size, DARK)).getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize("profile", list(PROFILES), ids=lambda profile: profile.id)
def test_letters_are_as_wide_as_on_the_display(profile: Profile) -> None:
    left, top, right, bottom = lit(render([TALL], profile))

    assert left <= 3
    assert right == pytest.approx(measure(TALL, profile), abs=3)
    assert 0 < top < bottom <= LINE_HEIGHT


@pytest.mark.parametrize("profile", list(PROFILES), ids=lambda profile: profile.id)
def test_a_screen_has_the_pixels_of_the_display(profile: Profile) -> None:
    full = fit("lorem ipsum dolor " * 50, profile, max_bytes=9999)
    image = render(full.texts, profile)

    assert image.size == (profile.width, profile.max_lines * LINE_HEIGHT)
    assert len(full.lines) == profile.max_lines
    assert lit(image)[3] > (profile.max_lines - 1) * LINE_HEIGHT


def test_lines_that_the_display_has_no_room_for_are_not_drawn() -> None:
    assert render(["a"] * 9, G1).size == render("a", G1).size
    assert lit(render(["", "x" * 200], G1))[2] <= 576


def test_a_text_is_cut_as_phones_do_it() -> None:
    text = "The ferry to the north island leaves at seven, so bring a warm coat"

    assert text_wall(text, NEX)[0].endswith("bring a w")
    assert render(text, NEX).tobytes() == render(text_wall(text, NEX), NEX).tobytes()


def test_phones_put_layouts_together() -> None:
    assert reference_card("A title", "one\ntwo\nthree\nfour\nfive", G1) == ["A title", "", "one", "two", "three"]
    rows = double_text_wall("left", "right", Z100)
    assert len(rows) == 7
    assert rows[0].split() == ["left", "right"]


CORNERS = [(1, 5), (16, 5), (16, 20), (1, 20)]
"""Corners of the box of a Chinese character on G1."""


def is_box(image: Image.Image) -> bool:
    return all(image.getpixel(corner) != DARK for corner in CORNERS) and image.getpixel((9, 12)) == DARK


def test_characters_that_no_font_has_are_boxes_of_their_width() -> None:
    image = render(["中中中"], G1, fallbacks=())
    left, _, right, _ = lit(image)

    assert (left, right) == (1, 3 * 18 - 1)
    assert is_box(image)


@pytest.fixture
def chinese(tmp_path: Path) -> Path:
    """Make a font that has some Chinese characters, which look like letters."""
    path = tmp_path / "Chinese-Sans.ttf"
    path.write_bytes(with_groups((0xE0, 0xFF), (0x4E00, 0x4E20)))
    return path


def test_characters_that_the_font_lacks_are_those_of_another(chinese: Path) -> None:
    first, second = with_groups((0x4E00, 0x4E00)), chinese
    other = chinese.with_name("other.ttf")
    other.write_bytes(first)
    image = render(["\u4e10"], G1, fallbacks=[other, second])

    assert not is_box(image)
    assert lit(image)[2] <= 18 + 1
    assert is_box(render(["\u4e10"], G1, fallbacks=[other]))
    assert render(["one"], G1, fallbacks=[chinese]).tobytes() == render(["one"], G1).tobytes()


def test_a_letter_and_its_mark_are_drawn_as_one(chinese: Path) -> None:
    preview = Preview(G1, fallbacks=[chinese])

    assert preview.render(["e\u0301"]).size == preview.render(["\u00e9"]).size
    assert preview.render(["\u00e9"]).tobytes() != Preview(G1, fallbacks=()).render(["\u00e9"]).tobytes()


def test_scripts_that_glasses_do_not_have_are_boxes(tmp_path: Path) -> None:
    arabic = tmp_path / "Arabic.ttf"
    arabic.write_bytes(with_groups((0x41, 0x7A), (0x627, 0x640)))

    assert render(["\u0628"], G1, fallbacks=[arabic]).tobytes() == render(["\u0628"], G1, fallbacks=()).tobytes()
    assert render(["\u0628"], G1, font=arabic).tobytes() != render(["\u0628"], G1, fallbacks=()).tobytes()


def test_fonts_of_the_machine_are_searched_for_what_is_lacking(chinese: Path) -> None:
    """Those that cannot be drawn with are passed over."""
    size = Size(lambda text: measure(text, G1), 21, 4)
    spoiled, pictures = chinese.with_name("a.ttf"), chinese.with_name("b.ttf")
    spoiled.write_bytes(b"no font")
    pictures.write_bytes(chinese.read_bytes().replace(b"head", b"daeh", 1))
    asked: list[str] = []

    def machine() -> list[Path]:
        asked.append("again")
        return [spoiled, chinese.with_name("gone.ttf"), pictures, chinese]

    faces = Faces(Face.load(None, size), size, [], machine)
    assert [getattr(faces.of(char), "name", None) for char in ("a", "\u4e10", "\u4e11", "\u5e00", "\u05d0")] == [
        "the font of Pillow",
        chinese,
        chinese,
        None,
        None,
    ]
    assert faces.of("\u5e00") is None
    assert len(asked) == 2
    assert fonts_of_machine() is fonts_of_machine()


def test_a_mark_that_no_font_has_does_not_hide_its_letter() -> None:
    assert render(["a\u0335"], G1, fallbacks=()).tobytes() != render(["\u4e00"], G1, fallbacks=()).tobytes()


def test_white_space_and_what_takes_no_room_is_not_drawn() -> None:
    assert render(["a \u3000\u200d b"], G1).tobytes() == render(["a \u3000 b"], G1).tobytes()


def test_another_font_has_other_letters(tmp_path: Path) -> None:
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    path = tmp_path / "font.ttf"
    path.write_bytes(font.font_bytes)

    assert render("same", G1, font=path).tobytes() == render("same", G1).tobytes()
    with pytest.raises(FontError, match="no font that can be read"):
        Preview(G1, font=tmp_path / "missing.ttf")
    with pytest.raises(FontError, match="no font that can be read"):
        Preview(G1, fallbacks=[tmp_path / "missing.ttf"])
    path.write_bytes(b"no font")
    with pytest.raises(FontError, match="no font that can be read"):
        Preview(G1, fallbacks=[path])


def test_a_bitmap_is_shown_pixel_by_pixel() -> None:
    bitmap = Bitmap(width=2, height=1, rows=(0b01,))
    image = render(bitmap, NEX)

    assert image.size == (576, 135)
    assert image.getpixel((51, 35)) == LIT
    assert image.getpixel((50, 35)) == DARK
    assert lit(image) == (51, 35, 52, 36)
    assert render(bitmap.to_bmp(), NEX).tobytes() == image.tobytes()
    with pytest.raises(BitmapError):
        render(b"no bitmap", NEX)


def test_a_preview_draws_the_same_again() -> None:
    preview = Preview(G1)
    assert preview.render("once more").tobytes() == preview.render("once more").tobytes()


@pytest.mark.parametrize("profile", list(PROFILES), ids=lambda profile: profile.id)
def test_the_docs_have_a_sheet_of_every_display(profile: Profile) -> None:
    path = PREVIEWS / f"{profile.id}.png"

    assert len(screens(profile)) >= 10
    assert path.stat().st_size < 60_000
    with Image.open(path) as image:
        assert image.size == size_of(profile)
        assert image.mode == "P"


@pytest.mark.slow
def test_a_sheet_can_be_made_anew() -> None:
    made = sheet(NEX)

    assert made.size == size_of(NEX)
    colors = made.convert("RGB").getcolors()
    assert colors is not None
    assert 8 <= len(colors) <= 16
