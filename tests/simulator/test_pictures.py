"""What the wearer sees, as a picture (P3 1.2, P4 1)."""

from __future__ import annotations

import base64
import re
import sys
from typing import TYPE_CHECKING

import pytest
import trio
from PIL import ImageFont

from mentra_trio.errors import ConfigError
from mentra_trio.simulator import Glasses
from mentra_trio.text import G1, NEX, Bitmap, BitmapError
from mentra_trio.text.fonts import FontError
from mentra_trio.text.preview import double_text_wall, reference_card, render, text_wall

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator.apps import Json

TEXT = "The ferry to the north island leaves at seven, so bring a warm coat and something to eat on the way"
DOT = Bitmap(width=576, height=135, rows=(1, *[0] * 134))


async def glasses_with(layout: Json, model: str = "Even Realities G1") -> Glasses:
    await trio.lowlevel.checkpoint()
    glasses = Glasses(model)
    glasses.draw({"view": "main", "packageName": "com.example.app", "layout": layout})
    return glasses


def bitmap_view(bitmap: Bitmap) -> Json:
    return {"layoutType": "bitmap_view", "data": base64.b64encode(bitmap.to_bmp()).decode()}


@pytest.mark.parametrize(
    ("layout", "lines"),
    [
        ({"layoutType": "text_wall", "text": TEXT}, text_wall(TEXT, G1)),
        (
            {"layoutType": "double_text_wall", "topText": "left", "bottomText": TEXT},
            double_text_wall("left", TEXT, G1),
        ),
        ({"layoutType": "reference_card", "title": "Ferry", "text": TEXT}, reference_card("Ferry", TEXT, G1)),
        ({"layoutType": "clear_view"}, []),
    ],
    ids=["text wall", "columns", "card", "nothing"],
)
async def test_a_picture_has_the_lines_that_phones_make(layout: Json, lines: list[str]) -> None:
    glasses = await glasses_with(layout)

    assert glasses.picture().tobytes() == render(lines, G1).tobytes()


def test_a_picture_of_glasses_on_which_nothing_was_shown_is_dark() -> None:
    assert Glasses().picture().getcolors() == [(576 * 135, render([], G1).getpixel((0, 0)))]


async def test_a_picture_has_the_size_of_the_model_that_is_worn() -> None:
    glasses = await glasses_with({"layoutType": "text_wall", "text": TEXT}, "Vuzix Z100")
    assert glasses.picture().size == (390, 189)

    glasses.model = "Mentra Display"
    assert glasses.picture().tobytes() == render(TEXT, NEX).tobytes()


async def test_another_font_can_be_asked_for(tmp_path: Path) -> None:
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    file = tmp_path / "font.ttf"
    file.write_bytes(font.font_bytes)
    glasses = await glasses_with({"layoutType": "text_wall", "text": TEXT})

    assert glasses.picture(font=file).tobytes() == glasses.picture().tobytes()
    with pytest.raises(FontError, match="no font that can be read"):
        glasses.picture(font=tmp_path / "missing.ttf")
    with pytest.raises(FontError, match="no font that can be read"):
        glasses.picture(fallbacks=[tmp_path / "missing.ttf"])


async def test_what_no_font_has_is_a_box() -> None:
    glasses = await glasses_with({"layoutType": "text_wall", "text": "\u4e2d"})

    assert glasses.picture(fallbacks=()).tobytes() == render("\u4e2d", G1, fallbacks=()).tobytes()


async def test_a_bitmap_is_seen_pixel_by_pixel() -> None:
    glasses = await glasses_with(bitmap_view(DOT))
    picture = glasses.picture()

    assert picture.tobytes() == render(DOT, G1).tobytes()
    assert sorted(count for count, _ in picture.getcolors() or ()) == [1, 576 * 135 - 1]


async def test_a_bitmap_that_is_too_large_for_glasses_has_no_picture() -> None:
    glasses = await glasses_with(bitmap_view(Bitmap(width=8, height=200, rows=(1,) * 200)))

    with pytest.raises(BitmapError):
        glasses.picture()


async def test_without_pillow_all_but_pictures_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for module in ("text._pillow", "text.preview", "simulator.pictures"):
        monkeypatch.delitem(sys.modules, f"mentra_trio.{module}", raising=False)
    glasses = await glasses_with({"layoutType": "text_wall", "text": "Hello"})

    assert glasses.lines == ("Hello",)
    with pytest.raises(ConfigError, match=re.escape('pip install "mentra-trio[images]"')):
        glasses.picture()
