"""Pictures of any kind, made into the black and white that glasses show (P3 2, P4 8). Needs the extra `images`.

All of it computes, some of it for tens of milliseconds: in an app, `await trio.to_thread.run_sync(picture, photo)`.
"""

from __future__ import annotations

import enum
import math
from contextlib import contextmanager
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import attrs

from ._pillow import Image, ImageChops, ImageOps, ImageSequence
from .bitmap import CANVAS_HEIGHT, CANVAS_WIDTH, LEFT, TOP, Bitmap, BitmapError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

PictureSource = Image.Image | bytes | str | PathLike[str]
"""An image of Pillow, or the path of a file that Pillow reads, or its content."""
CANVAS = (CANVAS_WIDTH, CANVAS_HEIGHT)
"""Pixels of a picture as glasses take it."""
SEEN_BEST = (CANVAS_WIDTH - LEFT, CANVAS_HEIGHT - TOP)
"""Pixels of the part of the canvas that is seen best; `show_bitmap` puts a picture of this size there (P3 2.3)."""
SLOWEST_GLASSES = 1.65
"""Seconds that a picture takes to reach Even Realities G1 (P3 2.3)."""
_WHITE = 255
_GREY_OF_16_BITS = "I;16"
"""How the modes begin of images that have 16 bits a pixel."""
_UNTIMED = 0.1
"""Seconds of a frame that says none, as browsers have it."""


class Dither(enum.Enum):
    """How greys become black and white."""

    FLOYD_STEINBERG = "floyd-steinberg"
    """Spreads what is lost over the neighbours: best for photos that stand still."""
    ORDERED = "ordered"
    """A fixed pattern: what does not change in the picture stays still, as animations need it."""
    THRESHOLD = "threshold"
    """Bright is drawn, the rest is dark: for drawings, text and signs."""


class Fit(enum.Enum):
    """How a picture is brought to the size of the canvas. Its proportions always stay."""

    CONTAIN = "contain"
    """All of it is seen, scaled to be as large as it can; what is left of the canvas stays dark."""
    COVER = "cover"
    """The whole canvas is filled; what sticks out at two sides is cut off."""
    ORIGINAL = "original"
    """Pixel by pixel, in the middle. It has to fit."""


@attrs.frozen(kw_only=True)
class Animation:
    """Frames that `session.display.show_animation(animation.frames, interval=animation.interval)` shows."""

    frames: tuple[bytes, ...] = attrs.field(repr=False)
    """BMP files."""
    interval: float
    """Seconds from one frame to the next."""

    @property
    def duration(self) -> float:
        """Seconds that it takes to show all frames once."""
        return len(self.frames) * self.interval


def picture(
    source: PictureSource,
    *,
    size: tuple[int, int] = CANVAS,
    fit: Fit = Fit.CONTAIN,
    dither: Dither = Dither.FLOYD_STEINBERG,
    threshold: int = 128,
    is_inverted: bool = False,
) -> Bitmap:
    """Make a picture for glasses; `show_bitmap(picture(photo).to_bmp())` shows it.

    Bright becomes drawn, dark and transparent stay dark. Photos are turned as their camera was held.

    Args:
        source: an image of Pillow, or the path of a file that Pillow reads, or its content.
        size: pixels of the canvas. Of smaller ones `show_bitmap` says where they go.
        fit: how it is scaled.
        dither: how greys become black and white.
        threshold: for `Dither.THRESHOLD`: what is brighter, of 0 to 255, is drawn.
        is_inverted: draw what is dark, as in black ink on white paper. Transparent stays dark.

    Images of Pillow may have any mode. Greys of 16 bits are scaled to 8. Numbers, modes I and F, have no white of
    their own: the smallest in the picture is black and the largest white; where all are alike, those above 0 are white.
    Of LAB, the lightness counts.

    Raises:
        BitmapError: it is no picture that can be read, has no pixels, or is too large for `Fit.ORIGINAL`.
        ValueError: the threshold is no brightness, or the size has no pixels.
        OSError: the file cannot be read.
    """
    look = _Look(size=size, fit=fit, dither=dither, threshold=threshold, is_inverted=is_inverted)
    with _open(source) as image:
        return look.of(image)


def animation(
    source: PictureSource | Iterable[PictureSource],
    *,
    interval: float = SLOWEST_GLASSES,
    is_real_time: bool = False,
    size: tuple[int, int] = CANVAS,
    fit: Fit = Fit.CONTAIN,
    dither: Dither = Dither.ORDERED,
    threshold: int = 128,
    is_inverted: bool = False,
) -> Animation:
    """Make frames of an animated picture (GIF, WebP, APNG), or of pictures that follow each other.

    Args:
        source: one animated picture, or several that stand still.
        interval: seconds from one frame to the next. Even Realities G1 cannot follow below 1.65.
        is_real_time: keep the speed of an animated picture, and leave out the frames that glasses are too slow for.
            Otherwise every frame is shown, each for the interval: slower than it was made.
        size, fit, dither, threshold, is_inverted: as for `picture`.

    Raises:
        BitmapError: as for `picture`; or there are no frames.
        ValueError: as for `picture`; or the interval is not positive.
    """
    if not (interval > 0 and math.isfinite(interval)):
        msg = f"interval is {interval!r}; it has to be seconds above 0"
        raise ValueError(msg)
    look = _Look(size=size, fit=fit, dither=dither, threshold=threshold, is_inverted=is_inverted)
    pictures: list[Bitmap] = []
    for one in [source] if isinstance(source, Image.Image | bytes | str | PathLike) else source:
        with _open(one) as image:
            if one is not source:
                pictures.append(look.of(image))
                continue
            stills = _in_real_time(image, interval) if is_real_time else ImageSequence.Iterator(image)
            pictures += [look.of(still) for still in stills]
    if not pictures:
        msg = "an animation needs at least one frame"
        raise BitmapError(msg)
    return Animation(frames=tuple(one.to_bmp() for one in pictures), interval=interval)


def to_image(bitmap: Bitmap) -> Image.Image:
    """Make an image of Pillow, with one bit a pixel."""
    stride = (bitmap.width + 7) // 8
    pad = stride * 8 - bitmap.width
    rows = b"".join((row << pad).to_bytes(stride, "big") for row in bitmap.rows)
    return Image.frombytes("1", (bitmap.width, bitmap.height), rows)


def from_image(image: Image.Image) -> Bitmap:
    """Take the pixels of an image as they are: what is not black is drawn."""
    packed = image if image.mode == "1" else _brighter(_eight_bits(image), Image.new("L", image.size))
    stride = (packed.width + 7) // 8
    pad = stride * 8 - packed.width
    data = packed.tobytes()
    rows = (int.from_bytes(data[n * stride : (n + 1) * stride], "big") >> pad for n in range(packed.height))
    return Bitmap(width=packed.width, height=packed.height, rows=tuple(rows))


@attrs.frozen(kw_only=True)
class _Look:
    """The options of a picture."""

    size: tuple[int, int]
    fit: Fit
    dither: Dither
    threshold: int
    is_inverted: bool

    def __attrs_post_init__(self) -> None:
        if min(self.size) < 1:
            msg = f"size is {self.size}; a picture has at least one pixel"
            raise ValueError(msg)
        if not 0 <= self.threshold <= _WHITE:
            msg = f"threshold is {self.threshold}; it has to be a brightness from 0 to {_WHITE}"
            raise ValueError(msg)

    def of(self, image: Image.Image) -> Bitmap:
        """Make the bitmap of an image."""
        if not (image.width and image.height):
            msg = f"a picture of {image.width} x {image.height} pixels has nothing to show"
            raise BitmapError(msg)
        bitmap = from_image(self._packed(self._scaled(self._gray(ImageOps.exif_transpose(image)))))
        width, height = self.size
        return bitmap.placed(width, height, left=(width - bitmap.width) // 2, top=(height - bitmap.height) // 2)

    def _packed(self, gray: Image.Image) -> Image.Image:
        match self.dither:
            case Dither.FLOYD_STEINBERG:
                return gray.convert("1", dither=Image.Dither.FLOYDSTEINBERG)
            case Dither.ORDERED:
                return _brighter(gray, _pattern(gray.size))
            case Dither.THRESHOLD:
                return _brighter(gray, Image.new("L", gray.size, self.threshold))
            case _ as never:
                assert_never(never)

    def _gray(self, image: Image.Image) -> Image.Image:
        """Make it grey, and what is transparent dark."""
        light = _eight_bits(image) if (wide := _numbers(image)) is None else _leveled(wide, *_range(image.mode, wide))
        if self.is_inverted:
            light = ImageOps.invert(light)
        return ImageChops.multiply(light, _opacity(image)) if image.has_transparency_data else light

    def _scaled(self, image: Image.Image) -> Image.Image:
        match self.fit:
            case Fit.CONTAIN:
                scale = min(self.size[0] / image.width, self.size[1] / image.height)
                width, height = (max(round(side * scale), 1) for side in image.size)
                return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)  # nothing is left to cut off
            case Fit.COVER:
                return ImageOps.fit(image, self.size, Image.Resampling.LANCZOS)
            case Fit.ORIGINAL:
                return image
            case _ as never:
                assert_never(never)


@contextmanager
def _open(source: PictureSource) -> Generator[Image.Image]:
    """Open a picture; whatever is wrong with it while it is used is a `BitmapError`."""
    data = source if isinstance(source, Image.Image | bytes) else Path(source).read_bytes()
    try:
        if isinstance(data, bytes):
            with Image.open(BytesIO(data)) as image:
                yield image
        else:
            place = data.tell()
            try:
                yield data
            finally:
                data.seek(place)  # an animated picture of the caller's goes on where it was
    except BitmapError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        msg = f"this is no picture that Pillow can read: {error}"
        raise BitmapError(msg) from error


def _in_real_time(image: Image.Image, interval: float) -> Iterator[Image.Image]:
    """Give what an animated picture shows at every multiple of an interval, while it lasts."""
    due = now = 0.0
    for still in ImageSequence.Iterator(image):
        now += (still.info.get("duration") or _UNTIMED * 1000) / 1000
        while due < now:
            yield still
            due += interval


def _eight_bits(image: Image.Image) -> Image.Image:
    """Make it grey. Pillow turns LAB and La only into one other mode each."""
    if image.mode == "LAB":
        return image.getchannel("L")
    return (image.convert("LA") if image.mode == "La" else image).convert("L")


def _numbers(image: Image.Image) -> Image.Image | None:
    """Give an image whose pixels are numbers of more than 8 bits as one of floats; Pillow would cut off above 255."""
    if image.mode.startswith(_GREY_OF_16_BITS):
        return image.convert("I").convert("F")
    return image.convert("F") if image.mode in ("I", "F") else None


def _range(mode: str, numbers: Image.Image) -> tuple[float, float]:
    """Tell which numbers are black and white."""
    if mode.startswith(_GREY_OF_16_BITS):
        return 0, 0xFFFF
    low, high = [level for level in numbers.getextrema() if not isinstance(level, tuple)]
    if not math.isfinite(high - low):
        msg = "some of this picture's numbers are no numbers, or infinite"
        raise BitmapError(msg)
    return low, high


def _leveled(numbers: Image.Image, low: float, high: float) -> Image.Image:
    if low == high:
        return Image.new("L", numbers.size, _WHITE if high > 0 else 0)
    scale = _WHITE / (high - low)
    return _linear(numbers, scale, 0.5 - low * scale)


def _linear(numbers: Image.Image, scale: float, shift: float) -> Image.Image:
    """Make numbers brightnesses; what is below black or above white becomes that."""
    moved = numbers.point(lambda number: number * scale + shift)  # pyright: ignore[reportUnknownMemberType] - numpy's
    return moved.convert("L")


def _opacity(image: Image.Image) -> Image.Image:
    """Give how little of each pixel is transparent."""
    clear = image.info.get("transparency")
    wide = _numbers(image)
    if wide is None or not isinstance(clear, int):
        return (image.convert("LA") if image.mode == "La" else image).convert("RGBA").getchannel("A")
    # One number is transparent: what is more and what is less is not.
    more, less = (_linear(wide, scale, -clear * scale) for scale in (_WHITE, -_WHITE))
    return ImageChops.lighter(more, less)


def _brighter(gray: Image.Image, levels: Image.Image) -> Image.Image:
    """Draw what is brighter than the same pixel of another image."""
    return ImageChops.subtract(gray, levels, scale=1 / 255).convert("1", dither=Image.Dither.NONE)


def _pattern(size: tuple[int, int]) -> Image.Image:
    """Give the brightness that each pixel has to exceed: eight by eight pixels, repeated."""
    levels = bytes(4 * _rank(x, y) + 2 for y in range(8) for x in range(8))
    tile = Image.frombytes("L", (8, 8), levels)
    wide = Image.new("L", size)
    for top in range(0, size[1], 8):
        for left in range(0, size[0], 8):
            wide.paste(tile, (left, top))
    return wide


def _rank(x: int, y: int) -> int:
    """Which of 64 steps a pixel takes part in: neighbours are as far apart as can be (a Bayer matrix)."""
    rank = 0
    for bit in (1, 2, 4):
        rank = rank * 4 + 2 * bool((x ^ y) & bit) + bool(y & bit)
    return rank
