"""What readers take for one character (UAX 29), and which characters take no room."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Characters that never join a neighbour of this set: texts made of them, nearly all texts, need no Unicode tables.
_SIMPLE = re.compile(
    "[\t -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u0590\u05be\u05d0-\u05ea\u0e01-\u0e30"
    "\u2010-\u2027\u202f-\u205f\u2070-\u20cf\u2100-\u2bff\u3000-\u3029\u3030-\u3098\u309b-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uff01-\uff9d\U0001f300-\U0001f3fa\U0001f400-\U0001faff\U00020000-\U0003ffff]*"
)
_MARKS = frozenset({"Mn", "Me", "Cf"})
# Format characters that can be seen: they enclose the digits behind them.
_VISIBLE_FORMAT = re.compile("[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]")
# Letters that are not drawn, and tags.
_FILLERS = re.compile("[\u115f\u1160\u3164\uffa0\U000e0000-\U000e0fff]")
# Vowels and final consonants of Korean: drawn into the block of the consonant before them.
JAMO_TAIL = re.compile("[\u1160-\u11ff\ud7b0-\ud7ff]")


def is_simple(text: str) -> bool:
    """Tell whether every character of a text is a grapheme of its own, for sure."""
    return (text.isascii() and "\r" not in text) or _SIMPLE.fullmatch(text) is not None


def graphemes(text: str) -> Sequence[str]:
    """Cut a text into its grapheme clusters."""
    if is_simple(text):
        return text
    # Few apps need the tables, and reading them takes as long as starting half of this SDK.
    from wcwidth import iter_graphemes  # noqa: PLC0415 - late, as said

    return list(iter_graphemes(text))


def is_zero_width(char: str) -> bool:
    """Tell whether a character takes no room of its own: combining marks, joiners, selectors, directions."""
    if char.isascii():
        return False
    if unicodedata.category(char) in _MARKS:
        return _VISIBLE_FORMAT.fullmatch(char) is None
    return _FILLERS.fullmatch(char) is not None
