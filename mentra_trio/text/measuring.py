"""How wide a text is, and how many bytes it has."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING

from .clusters import JAMO_TAIL, graphemes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .profiles import Font, Profile


def measure(text: str, profile: Profile) -> int:
    """Pixels of a text on a display.

    What is drawn over its neighbour takes no room: combining marks, joiners, selectors. An emoji that is put together
    from several counts as wide as all of them, because fonts that cannot put them together show each.
    """
    return sum(widths_of(graphemes(text), profile.font))


def fits(text: str, profile: Profile, *, width: float | None = None) -> bool:
    """Tell whether a text fits into one line of a display, or into `width` pixels."""
    return measure(text, profile) <= (profile.width if width is None else width)


def whole_pixels(width: float) -> float:
    """Give the whole pixels of a width. Widths of texts are whole, so nothing fits that did not; sums stay exact."""
    if math.isnan(width):
        raise ValueError("the width of a line is a number of pixels")
    return math.floor(width) if math.isfinite(width) else width


def in_spaces(pixels: float, profile: Profile) -> float:
    """Tell how many spaces are as wide as so many pixels. `ValueError` for a font whose space takes no room."""
    if profile.space_width < 1:
        raise ValueError("nothing is put in its place by spaces that take no room")
    return pixels / profile.space_width


def byte_size(text: str) -> int:
    """Count the bytes that a text has on the wire (UTF-8; an unpaired surrogate has 3)."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def widths_of(clusters: Sequence[str], font: Font) -> Sequence[int]:
    """Pixels of each grapheme."""
    advances = font.advances
    if isinstance(clusters, str):
        if font.ascii_advances and clusters.isascii():
            return clusters.encode("ascii").translate(font.ascii_advances)
        return list(map(advances.__getitem__, clusters))
    return [advances[cluster] if len(cluster) == 1 else _width_of(cluster, font) for cluster in clusters]


def ends_of(clusters: Sequence[str], font: Font) -> list[int]:
    """Pixels before each grapheme, and at last of all."""
    return list(accumulate(widths_of(clusters, font), initial=0))


def _width_of(cluster: str, font: Font) -> int:
    # A Korean block has the width of its first consonant, whatever is drawn into it.
    has_tail = not font.marks_take_room and JAMO_TAIL.search(cluster, 1) is not None
    shown = cluster[0] + JAMO_TAIL.sub("", cluster[1:]) if has_tail else cluster
    return sum(map(font.advances.__getitem__, shown))
