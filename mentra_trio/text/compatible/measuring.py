"""Widths and bytes as the reference counts them (P4 2)."""

from __future__ import annotations

import attrs

from mentra_trio.text.profiles import Font, Profile
from mentra_trio.text.scripts import IDEOGRAPHIC, Script, detect_script

from ._units import byte_size, length

_SPACES = " \t"
_BREAKABLE = "-\N{EN DASH}\N{EM DASH}/\\|"


def needs_hyphen(before: str, after: str) -> bool:
    """Tell whether a break between two characters asks for a hyphen (P4 2.2)."""
    if detect_script(before) in IDEOGRAPHIC or detect_script(after) in IDEOGRAPHIC:
        return False
    if (before and before in _SPACES) or (after and after in _SPACES):
        return False
    return not (before and before in _BREAKABLE)


def measure_char(font: Font, char: str) -> int:
    """Pixels of one character; several are taken for one that the font does not have."""
    if len(char) == 1:
        return font.widths[char]
    return font.width_of(detect_script(char)) if char else 0


def measure(font: Font, text: str) -> int:
    """Pixels of a text: the sum of its code points."""
    return sum(map(font.widths.__getitem__, text))


@attrs.frozen(kw_only=True)
class CharacterMeasure:
    """One code point of a measured text."""

    char: str
    width: int
    script: Script
    is_in_font: bool
    """Whether the font tells its width."""


@attrs.frozen
class Measurer:
    """Measures for one display."""

    profile: Profile

    def details(self, text: str) -> tuple[CharacterMeasure, ...]:
        """Measure each code point."""
        font = self.profile.font
        return tuple(
            CharacterMeasure(
                char=char, width=font.widths[char], script=detect_script(char), is_in_font=char in font.glyphs
            )
            for char in text
        )

    def width(self, text: str) -> int:
        """Pixels of a text."""
        return measure(self.profile.font, text)

    def fits(self, text: str, max_width: float) -> bool:
        """Tell whether a text is at most so wide."""
        return self.width(text) <= max_width

    def characters_that_fit(self, text: str, max_width: float, start: int = 0) -> int:
        """Count the code points from `start` on that fit; the limit to `start` counts UTF-16 units."""
        if not text or start >= length(text):
            return 0
        widths, total, count = self.profile.font.widths, 0, 0
        for char in text[start:]:
            total += widths[char]
            if total > max_width:
                break
            count += 1
        return count

    def offset(self, text: str, index: int) -> int:
        """Pixels before the code point at `index`."""
        return self.width(text[: max(index, 0)])

    def bytes(self, text: str) -> int:
        """Count the bytes of UTF-8."""
        return byte_size(text)
