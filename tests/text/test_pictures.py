"""Pictures of any kind become black and white (P3 2, P4 8)."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from PIL import Image

from mentra_trio import ConfigError
from mentra_trio.managers.display import DisplayManager
from mentra_trio.text.bitmap import Bitmap, BitmapError, read_bmp
from mentra_trio.text.pictures import (
    SEEN_BEST,
    Animation,
    Dither,
    Fit,
    animation,
    from_image,
    picture,
    to_image,
)
from tests.effort import effort

from .test_bitmap import bitmaps

if TYPE_CHECKING:
    from pathlib import Path

few = effort(25)


def flat(level: int, size: tuple[int, int] = (40, 20)) -> Image.Image:
    return Image.new("L", size, level)


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Write a file of an image."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def moving(*durations: int) -> bytes:
    """Make a GIF whose frames are one bar wider each time."""
    frames = [Image.new("L", (8, 4)) for _ in durations]
    for n, frame in enumerate(frames):
        frame.paste(255, (0, 0, n + 1, 4))
    return file_of(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=list(durations), loop=0)


@few
@given(bitmaps())
def test_a_bitmap_is_an_image_and_back(bitmap: Bitmap) -> None:
    image = to_image(bitmap)

    assert from_image(image) == bitmap
    assert from_image(image.convert("RGB")) == bitmap


@few
@given(bitmaps())
def test_what_is_black_and_white_stays_as_it_is_in_every_mode(bitmap: Bitmap) -> None:
    for dither in Dither:
        same = picture(to_image(bitmap), size=(bitmap.width, bitmap.height), fit=Fit.ORIGINAL, dither=dither)
        assert same == bitmap


@few
@given(bitmaps())
def test_files_that_pillow_writes_are_read_alike_with_and_without_it(bitmap: Bitmap) -> None:
    assert read_bmp(file_of(to_image(bitmap), "BMP")) == bitmap
    assert from_image(Image.open(BytesIO(bitmap.to_bmp()))) == bitmap


@pytest.mark.parametrize("dither", Dither)
def test_a_picture_has_the_size_of_the_canvas(dither: Dither) -> None:
    made = picture(flat(255, (80, 60)), dither=dither)

    assert (made.width, made.height) == (576, 135)
    assert len(made.to_bmp()) == 9782
    assert made.ink == 180 * 135  # 80 x 60, as high as the canvas
    assert made.is_drawn(288, 67)
    assert not made.is_drawn(100, 67)


def test_a_picture_covers_the_canvas_on_demand() -> None:
    assert picture(flat(255), fit=Fit.COVER, size=SEEN_BEST).ink == 526 * 100


def test_a_picture_keeps_its_pixels_on_demand() -> None:
    assert picture(flat(255), fit=Fit.ORIGINAL).ink == 40 * 20
    with pytest.raises(BitmapError, match="does not fit in 30 x 20"):
        picture(flat(255), fit=Fit.ORIGINAL, size=(30, 20))


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1)])
def test_a_picture_of_odd_proportions_is_a_line(size: tuple[int, int]) -> None:
    assert picture(flat(255, size)).ink in (135, 576)


@pytest.mark.parametrize("dither", [Dither.FLOYD_STEINBERG, Dither.ORDERED])
@pytest.mark.parametrize("level", [64, 128, 192])
def test_a_grey_becomes_as_many_pixels_as_it_is_bright(dither: Dither, level: int) -> None:
    made = picture(flat(level), size=(64, 64), fit=Fit.COVER, dither=dither)

    assert made.ink / 64**2 == pytest.approx(level / 255, abs=0.02)


def test_a_threshold_decides_what_is_drawn() -> None:
    assert picture(flat(128), dither=Dither.THRESHOLD).ink == 0
    assert picture(flat(129), dither=Dither.THRESHOLD).ink > 0
    assert picture(flat(129), dither=Dither.THRESHOLD, threshold=200).ink == 0


def test_what_does_not_change_stays_still_in_an_ordered_picture() -> None:
    """An animation would flicker otherwise."""
    one, other = flat(100, (64, 64)), flat(100, (64, 64))
    other.paste(200, (0, 0, 32, 8))

    def right_half(image: Image.Image, dither: Dither) -> list[int]:
        rows = picture(image, size=(64, 64), dither=dither).rows
        return [row & 0xFFFF for row in rows]

    assert right_half(one, Dither.ORDERED) == right_half(other, Dither.ORDERED)
    assert right_half(one, Dither.FLOYD_STEINBERG) != right_half(other, Dither.FLOYD_STEINBERG)


def test_what_is_transparent_stays_dark_also_when_inverted() -> None:
    image = Image.new("RGBA", (4, 1), (255, 255, 255, 0))
    image.putpixel((0, 0), (255, 255, 255, 255))
    image.putpixel((1, 0), (0, 0, 0, 255))

    def drawn(*, is_inverted: bool) -> int:
        made = picture(image, size=(4, 1), fit=Fit.ORIGINAL, dither=Dither.THRESHOLD, is_inverted=is_inverted)
        return made.rows[0]

    assert drawn(is_inverted=False) == 0b1000
    assert drawn(is_inverted=True) == 0b0100


def test_a_photo_is_turned_as_the_camera_was_held() -> None:
    image = Image.new("L", (4, 2))
    image.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # the right side was up
    turned = picture(file_of(image, "PNG", exif=exif), size=(2, 4), fit=Fit.ORIGINAL, dither=Dither.THRESHOLD)

    assert [turned.is_drawn(x, 0) for x in range(2)] == [False, True]


def test_a_picture_is_read_from_a_file_or_its_content(tmp_path: Path) -> None:
    data = file_of(flat(255))
    (tmp_path / "white.png").write_bytes(data)

    path = tmp_path / "white.png"

    assert picture(path) == picture(str(path)) == picture(data) == picture(flat(255))
    assert animation(path) == animation(str(path))
    with pytest.raises(FileNotFoundError):
        picture(tmp_path / "other.png")


def row_of(mode: str, *values: float) -> Image.Image:
    """Make an image of one row, with one number a pixel."""
    image = Image.new(mode, (len(values), 1))
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)
    return image


def drawn_of(image: Image.Image, threshold: int) -> str:
    """Tell which pixels of a row are drawn."""
    made = picture(image, size=image.size, fit=Fit.ORIGINAL, dither=Dither.THRESHOLD, threshold=threshold)
    return f"{made.rows[0]:0{image.width}b}"


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_a_grey_of_16_bits_is_as_bright_as_one_of_8(mode: str) -> None:
    image = row_of(mode, 0, 300, 0x7F00, 0x8200, 0xFFFF)

    assert drawn_of(image, 0) == "01111"
    assert drawn_of(image, 128) == "00011"
    assert drawn_of(image, 254) == "00001"
    assert picture(file_of(row_of("I;16", 0, 0x7F00))).ink < 576 * 135 / 2
    image.info["transparency"] = 0xFFFF
    assert drawn_of(image, 128) == "00010"


@pytest.mark.parametrize("mode", ["I", "F"])
def test_numbers_of_any_range_are_dark_to_bright(mode: str) -> None:
    image = row_of(mode, -1000, 0, 1000, 3000)

    assert [drawn_of(image, threshold) for threshold in (0, 100, 200, 254)] == ["0111", "0011", "0001", "0001"]
    assert [drawn_of(row_of(mode, level), 128) for level in (-5, 0, 7)] == ["0", "0", "1"]
    with pytest.raises(BitmapError, match="are no numbers"):
        picture(row_of("F", float("nan"), 1))


def test_lightness_is_what_counts_of_lab() -> None:
    image = Image.merge("LAB", [row_of("L", 0, 100, 200), *(row_of("L", 128, 128, 128),) * 2])

    assert drawn_of(image, 128) == "001"
    assert from_image(image).rows == (0b011,)


@pytest.mark.parametrize("mode", ["La", "RGBa", "LA", "RGBA"])
def test_colours_that_hold_their_transparency_are_darker_once(mode: str) -> None:
    image = Image.new("RGBA", (1, 1), (200, 200, 200, 128)).convert(mode.upper()).convert(mode)

    assert [drawn_of(image, threshold) for threshold in (90, 110)] == ["1", "0"]


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize("fit", Fit)
def test_a_picture_without_pixels_is_an_error(size: tuple[int, int], fit: Fit) -> None:
    for mode in ("L", "RGBA", "LAB", "I;16", "F"):
        with pytest.raises(BitmapError, match=f"{size[0]} x {size[1]} pixels has nothing to show"):
            picture(Image.new(mode, size), fit=fit)


@pytest.mark.parametrize("threshold", [-1, 256])
def test_a_threshold_is_a_brightness(threshold: int) -> None:
    for make in (picture, animation):
        with pytest.raises(ValueError, match="brightness from 0 to 255") as caught:
            make(flat(1), threshold=threshold)
        assert not isinstance(caught.value, BitmapError)


@pytest.mark.parametrize("spoiled", [b"", b"GIF89a", b"hello", file_of(flat(1, (300, 300)))[:90], moving(1, 1)[:60]])
def test_what_is_no_picture_is_a_named_error(spoiled: bytes) -> None:
    for make in (picture, animation):
        with pytest.raises(BitmapError, match="no picture that Pillow can read"):
            make(spoiled)


def test_sizes_and_intervals_have_to_make_sense() -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        picture(flat(1), size=(0, 5))
    with pytest.raises(ValueError, match="seconds above 0"):
        animation(moving(100), interval=0)
    with pytest.raises(BitmapError, match="at least one frame"):
        animation([])


def bars(film: Animation) -> list[int]:
    """Tell how many bars each frame shows."""
    return [round(read_bmp(frame).ink / (135 * 270 / 8)) for frame in film.frames]


def test_every_frame_has_its_time() -> None:
    film = animation(moving(100, 100, 500))

    assert bars(film) == [1, 2, 3]
    assert film.interval == 1.65
    assert film.duration == pytest.approx(4.95)
    assert {len(frame) for frame in film.frames} == {9782}


def test_an_animation_keeps_its_speed_on_demand() -> None:
    assert bars(animation(moving(1000, 500, 2000, 1000), is_real_time=True)) == [1, 3, 3]
    assert bars(animation(moving(200, 200, 200), is_real_time=True)) == [1]


def test_an_animation_of_the_callers_stays_where_it_is() -> None:
    with Image.open(BytesIO(moving(100, 100, 100))) as image:
        image.seek(1)
        assert bars(animation(image)) == [1, 2, 3]
        assert image.tell() == 1


def test_pictures_that_follow_each_other_are_an_animation(tmp_path: Path) -> None:
    (tmp_path / "dark.png").write_bytes(file_of(flat(0)))
    film = animation([file_of(flat(255)), tmp_path / "dark.png", flat(255)], interval=2)

    assert [read_bmp(frame).ink > 0 for frame in film.frames] == [True, False, True]
    assert film.duration == 6


def test_one_picture_that_stands_still_is_an_animation_of_one_frame() -> None:
    assert len(animation(flat(200)).frames) == len(animation(file_of(flat(200), "JPEG")).frames) == 1


def test_frames_take_as_long_as_the_display_manager_waits() -> None:
    wanted = inspect.signature(DisplayManager.show_animation).parameters["interval"].default

    assert animation(flat(200)).interval == wanted


@pytest.mark.parametrize("name", ["pictures", "lettering", "preview"])
def test_without_pillow_there_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for module in ("_pillow", name):
        monkeypatch.delitem(sys.modules, f"mentra_trio.text.{module}", raising=False)

    with pytest.raises(ConfigError, match=re.escape('pip install "mentra-trio[images]"')):
        importlib.import_module(f"mentra_trio.text.{name}")
