"""Text drawn as a picture, for scripts that the font of the glasses lacks. Needs the extra `images`.

A picture takes longer than text, up to 1.65 s on Even Realities G1 (P3 2.3), and Vuzix Z100 shows none.
"""

from __future__ import annotations

import math
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ._pillow import Image, ImageDraw, ImageFont, features
from .bitmap import CANVAS_HEIGHT, CANVAS_WIDTH, Bitmap
from .clusters import is_zero_width
from .fonts import FontError, find_font, missing_characters, naming_damage
from .grids import Align
from .pictures import from_image
from .profiles import Font, Profile
from .wrapping import DEFAULT_STYLE, Line, Style, wrap

if TYPE_CHECKING:
    from os import PathLike

_SHAPED = re.compile(
    "[\u0590-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff]"
)
"""Letters that change beside others, or run from right to left: each alone would be wrong."""
_FROM_THE_RIGHT = ("R", "AL")
_UNDRAWN = "\n\r\x1c\x1d\x1e\x85\u2029"
"""Characters that end a paragraph (bidirectional class B). Pillow with raqm refuses them; those that end no line here
take no room."""
_ONLY_DRAWN = str.maketrans("", "", _UNDRAWN)


@attrs.frozen(kw_only=True)
class Lettering:
    """A text as a picture; `show_bitmap(lettering.bitmap.to_bmp())` shows it."""

    bitmap: Bitmap
    lines: tuple[Line, ...]
    """What was drawn."""
    cut: str
    """What had no room."""
    missing: str
    """Characters that the font lacks; each is drawn as its sign for that, mostly a box."""
    font: Path
    """What it is written in. Pass it to the next call, which then has no need to look for one."""

    @property
    def is_truncated(self) -> bool:
        """Whether something had no room."""
        return bool(self.cut)


def letter(
    text: str,
    *,
    font: str | PathLike[str] | None = None,
    font_size: int = 24,
    size: tuple[int, int] = (CANVAS_WIDTH, CANVAS_HEIGHT),
    style: Style = DEFAULT_STYLE,
    align: Align | None = None,
) -> Lettering:
    """Draw a text, wrapped as `wrap` does, from the top on.

    Args:
        text: what to write.
        font: a TrueType or OpenType file; `None` takes `find_font(text)`, which looks through the fonts of the machine.
        font_size: pixels of the font's body. 24 makes four lines or five.
        size: pixels of the picture.
        style: how to wrap.
        align: where lines stand; `None` puts those at the right that begin from right to left.

    Raises:
        FontError: there is no such font, none for this text, or it is damaged; or letters of this script change
            beside others, and Pillow lacks the libraries for that, raqm and fribidi.
    """
    if font_size < 1 or min(size) < 1:
        msg = f"font_size is {font_size} and size {size}; both are pixels above 0"
        raise ValueError(msg)
    path = find_font(text) if font is None else Path(font)
    missing = missing_characters(text, path)
    check_shaping(text, can_shape=all(features.check(name) for name in ("raqm", "fribidi")))
    width, height = size
    with naming_damage(path):
        face = ImageFont.truetype(path, font_size)
        profile = _profile(text, face, width)
    ascent, descent = face.getmetrics()
    pitch = ascent + descent
    if pitch < 1:
        msg = f"{path.name} is no font that can be read: its lines have no height"
        raise FontError(msg)
    wrapped = wrap(text, profile, style, max_lines=height // pitch, max_bytes=math.inf)
    image = Image.new("1", size)
    draw = ImageDraw.Draw(image)
    for n, line in enumerate(wrapped.lines):
        is_right = _begins_from_the_right(line.text) if align is None else align is Align.RIGHT
        at = (width, n * pitch + ascent) if is_right else (0, n * pitch + ascent)
        with naming_damage(path):
            shown = line.text.translate(_ONLY_DRAWN)
            draw.text(at, shown, fill=1, font=face, anchor="rs" if is_right else "ls")
    return Lettering(bitmap=from_image(image), lines=wrapped.lines, cut=wrapped.cut, missing=missing, font=path)


def check_shaping(text: str, *, can_shape: bool) -> None:
    """Raise `FontError` where letters would be drawn wrong, each as if it stood alone."""
    if not can_shape and (found := _SHAPED.search(text)):
        script = unicodedata.name(found[0], "this script").split()[0].capitalize()
        msg = f"{script} letters need Pillow with raqm, which its wheels have, and the system's library fribidi"
        raise FontError(msg)


def _profile(text: str, face: ImageFont.FreeTypeFont, width: int) -> Profile:
    """Make a display of which each character is as wide as in this font.

    Letters that join are narrower together, and never wider.
    """
    measured = {*text, *" -"} - {*_UNDRAWN}
    wide = {char: 0 if is_zero_width(char) else math.ceil(face.getlength(char)) for char in measured}
    wide.update(dict.fromkeys(_UNDRAWN, 0))
    fallback = math.ceil(face.getlength("\u3000"))
    font = Font(glyphs=wide, scripts={}, fallback=fallback)
    return Profile(id="picture", name="Picture", width=width, max_lines=1, max_bytes=0, chunk_bytes=0, font=font)


def _begins_from_the_right(line: str) -> bool:
    strong = (kind for char in line if (kind := unicodedata.bidirectional(char)) in ("L", *_FROM_THE_RIGHT))
    return next(strong, "L") in _FROM_THE_RIGHT
