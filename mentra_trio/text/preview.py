"""What a display shows, as a picture for people: for docs, tests and a look before it is tried on. Needs `images`.

Every character is as wide as P4 1.1 says, and each line as many pixels as the display has. The rest is a likeness: the
letters are those of other fonts, and heights are not known (P4 1), so a line is as high as a fifth of the canvas of
bitmaps. Lines are drawn from left to right in the order of their letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import attrs

from . import compatible
from ._faces import Face, Faces, Size, composed
from ._pillow import Image, ImageDraw, ImageOps
from .bitmap import CANVAS_HEIGHT, Bitmap, fit_bitmap, read_bmp
from .clusters import graphemes
from .fonts import naming_damage
from .measuring import measure, widths_of
from .pictures import to_image
from .profiles import Profile

LINE_HEIGHT = CANVAS_HEIGHT // 5
"""Pixels of a line. A guess: five lines are as high as a bitmap."""
DARK = (8, 12, 10)
LIT = (112, 255, 150)
"""Glasses show green."""
_FINE = 4
"""Letters are drawn so many times larger first, because they are made as wide as on the display."""
_LARGEST = 21
"""Pixels of the body of a font that has room in a line."""
_OVERHANG = 3
"""Pixels that a letter may stick out of its place, at either side, as the tail of a j does."""
_WIDEST = 1.25
"""How many times wider than in its font a letter is drawn at most."""
_FAINT = 110
"""How bright a box is drawn, of 255."""
_BASELINE = 20
"""Pixels from the top of a line to the feet of its letters."""


Screen = str | Sequence[str] | Bitmap | bytes
"""A text, which is wrapped and cut as phones do it; or lines, which are shown as they are; or a bitmap or BMP file,
which is put on the canvas as `session.display.show_bitmap` does."""


def render(
    screen: Screen,
    profile: Profile,
    *,
    font: str | PathLike[str] | None = None,
    fallbacks: Sequence[str | PathLike[str]] | None = None,
) -> Image.Image:
    """Draw what a display shows; `Preview` draws many screens faster, and says what can be wrong."""
    return Preview(profile, font=font, fallbacks=fallbacks).render(screen)


@attrs.define(eq=False)
class Preview:
    """Draws what one display shows.

    Raises:
        FontError: there is no such font, or it is damaged, as drawing may tell first.
    """

    profile: Profile
    font: str | PathLike[str] | None = attrs.field(default=None, kw_only=True)
    """A font file to draw in; `None` takes the one that Pillow brings, which has little more than ASCII."""
    fallbacks: Sequence[str | PathLike[str]] | None = attrs.field(default=None, kw_only=True)
    """Font files for what it lacks, the first that has it; `None` searches the fonts of this machine, so pictures of
    more than ASCII differ between machines. What none of them has is a box of the right width, and so are scripts that
    the glasses are known not to have: Arabic, Hebrew, Thai and emoji (P4 2.1)."""
    _faces: Faces = attrs.field(init=False)
    """`_FINE` times as large as they appear."""
    _letters: dict[tuple[str, int], Image.Image] = attrs.field(init=False, factory=dict[tuple[str, int], Image.Image])
    """How graphemes of a width look. A screen has few, and they come again on the next."""

    def __attrs_post_init__(self) -> None:
        size = Size(lambda text: measure(text, self.profile), _LARGEST, _FINE)
        self._faces = Faces.load(self.font, self.fallbacks, size)

    def render(self, screen: Screen) -> Image.Image:
        """Draw what is shown. Raises `BitmapError` for a bitmap that cannot be."""
        if isinstance(screen, bytes | Bitmap):
            data = screen if isinstance(screen, bytes) else screen.to_bmp()
            return _green(to_image(read_bmp(fit_bitmap(data))).convert("L"))
        lines = text_wall(screen, self.profile) if isinstance(screen, str) else screen[: self.profile.max_lines]
        image = Image.new("L", (self.profile.width, self.profile.max_lines * LINE_HEIGHT))
        for n, line in enumerate(lines):
            self._write(image, line, n * LINE_HEIGHT)
        return _green(image)

    def _write(self, image: Image.Image, line: str, top: int) -> None:
        clusters = graphemes(line)
        left = 0
        for grapheme, width in zip(clusters, widths_of(clusters, self.profile.font), strict=True):
            cluster = composed(grapheme)
            if not width or cluster[0].isspace():
                pass
            elif face := self._faces.of(cluster):
                with naming_damage(face.name):
                    letter = self._letter(cluster, width, face)
                image.paste(255, (left - _OVERHANG, top), letter)
            else:
                box = (left + 1, top + _BASELINE - 15, left + width - 2, top + _BASELINE)
                ImageDraw.Draw(image).rectangle(box, outline=_FAINT)
            left += width

    def _letter(self, cluster: str, width: int, face: Face) -> Image.Image:
        """Draw a letter as wide as on the display."""
        known = self._letters.get((cluster, width))
        if known is not None:
            return known
        natural = max(face.font.getlength(cluster), 1) / _FINE
        wide = min(width, natural * _WIDEST)  # a narrow letter with much room stands in the middle of it
        margin = ((width - wide) / 2 + _OVERHANG) * natural / wide
        large = Image.new("L", (round((natural + 2 * margin) * _FINE), LINE_HEIGHT * _FINE))
        at = (margin * _FINE, _BASELINE * _FINE)
        ImageDraw.Draw(large).text(at, cluster, fill=255, font=face.font, anchor="ls")
        size = ((width + 2 * _OVERHANG) * _FINE, LINE_HEIGHT * _FINE)
        edges = (0, 0, large.width, large.height)
        fine = large.transform(size, Image.Transform.EXTENT, edges, Image.Resampling.BICUBIC)
        self._letters[cluster, width] = letter = fine.reduce(_FINE)
        return letter


def text_wall(text: str, profile: Profile) -> list[str]:
    """Give the lines that a phone makes of a text wall (P3 1.2)."""
    return compatible.wrap(text, profile).texts


def double_text_wall(left: str, right: str, profile: Profile) -> list[str]:
    """Give the lines that a phone makes of a double text wall (P3 1.3)."""
    columns = compatible.compose_columns(left, right, profile, break_mode="character-no-hyphen")
    return columns.text.split("\n")


def reference_card(title: str, text: str, profile: Profile) -> list[str]:
    """Give the lines that a phone makes of a reference card (P3 1.2)."""
    return [*text_wall(title, profile)[:1], "", *text_wall(text, profile)][: profile.max_lines]


def _green(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image, DARK, LIT)
