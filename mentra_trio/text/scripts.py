"""Scripts as the glasses' fonts know them (P4 2.1)."""

from __future__ import annotations

from bisect import bisect_right
from enum import Enum


class Script(Enum):
    """What decides the width of a character that its font has no glyph width for."""

    CJK = "cjk"
    HIRAGANA = "hiragana"
    KATAKANA = "katakana"
    KOREAN = "korean"
    CYRILLIC = "cyrillic"
    NUMBERS = "numbers"
    PUNCTUATION = "punctuation"
    UNSUPPORTED = "unsupported"
    """Arabic, Hebrew, Thai, and what the table takes for emoji: the fonts do not have them."""
    LATIN = "latin"
    """Everything else."""


IDEOGRAPHIC = frozenset({Script.CJK, Script.HIRAGANA, Script.KATAKANA})
"""Scripts without spaces between words: lines break between any two characters."""
UNIFORM = IDEOGRAPHIC | {Script.KOREAN, Script.CYRILLIC}
"""Scripts whose characters are all as wide."""

_RANGES: dict[Script, tuple[tuple[int, int], ...]] = {
    Script.CJK: (
        (0x4E00, 0x9FFF),
        (0x3400, 0x4DBF),
        (0x20000, 0x2A6DF),
        (0x2A700, 0x2B73F),
        (0x2B740, 0x2B81F),
        (0xF900, 0xFAFF),
    ),
    Script.HIRAGANA: ((0x3040, 0x309F),),
    Script.KATAKANA: ((0x30A0, 0x30FF), (0x31F0, 0x31FF)),
    Script.KOREAN: ((0xAC00, 0xD7AF), (0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xD7B0, 0xD7FF)),
    Script.CYRILLIC: ((0x0400, 0x052F),),
    Script.NUMBERS: ((0x30, 0x39),),
    Script.PUNCTUATION: ((0x20, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    Script.UNSUPPORTED: (
        (0x0600, 0x06FF),
        (0x0590, 0x05FF),
        (0x0E00, 0x0E7F),
        (0x1F600, 0x1F64F),
        (0x1F300, 0x1F5FF),
        (0x1F680, 0x1F6FF),
        (0x1F1E0, 0x1F1FF),
        (0x2600, 0x27BF),
        (0xFE00, 0xFE0F),
        (0x1F900, 0x1F9FF),
    ),
}
# The ranges do not overlap, so their order does not count.
_SORTED = sorted((first, last, script) for script, ranges in _RANGES.items() for first, last in ranges)
_STARTS = [first for first, _, _ in _SORTED]


def detect_script(text: str) -> Script:
    """Tell the script of the first character of a text."""
    if not text:
        return Script.LATIN
    code = ord(text[0])
    place = bisect_right(_STARTS, code) - 1
    if place < 0 or code > _SORTED[place][1]:
        return Script.LATIN
    return _SORTED[place][2]
