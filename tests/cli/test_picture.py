"""`picture`: what the glasses show, as a file."""

from __future__ import annotations

import sys
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from mentra_trio.cli.commands import Expect, Picture, Start, Wear
from mentra_trio.cli.player import CommandFailedError
from mentra_trio.text import G1, Z100, Bitmap
from mentra_trio.text.preview import render

from .stage import Echo, open_stage

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


async def test_a_picture_is_saved_as_png(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "screen.png"
    path.write_text("what was there before", "utf-8")
    async with open_stage(Echo().app) as stage:
        await stage.player.play(Start())
        await stage.player.play(Expect("Hello"))

        assert await stage.player.play(Picture(str(path))) == f"saved {path}"

    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.tobytes() == render("Hello", G1).tobytes()


async def test_other_glasses_give_another_picture(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "screen.png"
    async with open_stage(Echo().app) as stage:
        for command in (Start(), Wear("Vuzix Z100"), Expect("Hello"), Picture(str(path))):
            await stage.player.play(command)

    with Image.open(path) as image:
        assert image.tobytes() == render("Hello", Z100).tobytes()


async def test_before_the_first_start_a_picture_is_dark(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "screen.png"
    async with open_stage(Echo().app) as stage:
        await stage.player.play(Picture(str(path)))

    assert Image.open(BytesIO(path.read_bytes())).tobytes() == render("", G1).tobytes()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("nowhere/screen.png", "screen.png' cannot be written: No such file or directory"),
        ("a folder.png", "a folder.png' cannot be written: Is a directory"),
        ("a\0b.png", r"a\\x00b.png' cannot be written: embedded null byte"),
    ],
)
async def test_a_file_that_cannot_be_written_is_told(
    autojump_clock: MockClock, tmp_path: Path, name: str, fault: str
) -> None:
    (tmp_path / "a folder.png").mkdir()
    async with open_stage(Echo().app) as stage:
        with pytest.raises(CommandFailedError, match=fault):
            await stage.player.play(Picture(f"{tmp_path}/{name}"))


async def test_without_pillow_it_is_told_what_to_install(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for module in ("text._pillow", "text.preview", "simulator.pictures"):
        monkeypatch.delitem(sys.modules, f"mentra_trio.{module}", raising=False)
    async with open_stage(Echo().app) as stage:
        with pytest.raises(CommandFailedError, match=r"there is no picture: .* pip install"):
            await stage.player.play(Picture(str(tmp_path / "screen.png")))


async def test_a_bitmap_that_glasses_cannot_show_is_told(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_stage(Echo().app) as stage:
        stage.glasses.draw(
            {
                "view": "main",
                "layout": {
                    "layoutType": "bitmap_view",
                    "data": b64encode(Bitmap(width=8, height=200, rows=(1,) * 200).to_bmp()).decode(),
                },
            }
        )
        with pytest.raises(CommandFailedError, match="there is no picture: "):
            await stage.player.play(Picture(str(tmp_path / "screen.png")))
