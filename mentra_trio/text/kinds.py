"""What a character means for line breaks: a small reading of UAX 14, and the rules of CJK typesetting (kinsoku)."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum, auto

WHITE_SPACE = "".join(
    map(chr, (*range(9, 14), 32, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000))
)
"""What is trimmed at the edges of lines. U+FEFF, which the reference takes for one, is kept (P4 conventions)."""
SPACES = frozenset(WHITE_SPACE)
NEWLINE = re.compile("[\n\r\v\f\u2028\u2029]")
"""What begins another paragraph; a line feed behind a carriage return begins none of its own."""

NO_START = frozenset(
    ".,!?:;)]}%"
    "\u3001\u3002\uff0c\uff0e\u30fb\uff1a\uff1b\uff1f\uff01\uff09\uff3d\uff5d\u300d\u300f\u3011\u3009\u300b\u3015"
    "\u3017\u3019\u301f\uff60\uff05\u2026\u2025\u301c\uff5e\uff64\uff61\uff63\uff65\u3005\u303b\u30fc\uff70"
    "\u309d\u309e\u30fd\u30fe\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087\u308e\u3095\u3096"
    "\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\u30ee\u30f5\u30f6\uff67\uff68\uff69\uff6a\uff6b"
    "\uff6f\uff6c\uff6d\uff6e\u203c\u2047\u2048\u2049\u309b\u309c\u2103"
    "\u31f0\u31f1\u31f2\u31f3\u31f4\u31f5\u31f6\u31f7\u31f8\u31f9\u31fa\u31fb\u31fc\u31fd\u31fe\u31ff"
    "\u0e2f\u0e30\u0e32\u0e33\u0e45\u0e46\u0eaf\u0eb0\u0eb2\u0eb3\u0ebd\u0ec6"
)
"""Closing punctuation, small kana, marks that repeat or prolong, and vowels of Thai and Lao that stand behind their
consonant: they never start a line."""
NO_END = frozenset(
    "([{\u3008\u300a\u300c\u300e\u3010\u3014\u3016\u3018\u301d\uff08\uff3b\uff5b\uff5f\uff62\uffe5\uff04"
    "\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4"
)
"""Opening punctuation, wide signs of money, and vowels of Thai and Lao that stand before their consonant: they never
end a line."""
CLINGS_TO_BEFORE = frozenset("\u00b7\u201d\u2019\u00bb\u203a\u00b0\u2030\u00ad'\"-\u2010\u2013\u2014/\\|")
CLINGS_TO_AFTER = frozenset("\u201c\u2018\u201e\u201a\u00ab\u2039$\u00a3\u00a5\u20ac'\"")
"""Quotation marks, which point either way in different languages, signs of money, and hyphens: a line neither starts
nor ends between them and what they touch."""

SOFT_HYPHEN = "\u00ad"
HYPHENS = "-\u2010\u2013\u2014/\\|"
"""A line may end behind these, inside a word too."""


class Kind(Enum):
    """What a character means for line breaks."""

    SPACE = auto()
    """A line may break on either side."""
    GLUE = auto()
    """Never breaks on either side."""
    BREAK = auto()
    """A line may break behind it: the zero-width space."""
    IDEOGRAPH = auto()
    """A word by itself: CJK characters, their punctuation, emoji."""
    RIGHT_TO_LEFT = auto()
    """A letter or digit of a script whose words are not cut: a hyphen would stand at the wrong end."""
    SOLID = auto()
    """A letter or digit of a script that hyphenates."""
    PLAIN = auto()
    """Everything else: words end at spaces, and are cut without a hyphen."""


class Kinds(dict[str, Kind]):
    """Kinds by character, each found out once. It never holds more than there are characters."""

    def __missing__(self, char: str) -> Kind:
        kind = self[char] = _kind_of(char)
        return kind


KINDS = Kinds()

NOT_BEFORE_SPACE = NO_END | {" "}
NOT_BEHIND_SPACE = NO_START | {" "}
"""What makes a space no easy place: it would be the wrong end of a line, or there are more spaces."""
_NOT_BEFORE, _NOT_BEHIND = 1, 2


class _Cuts(dict[str, int]):
    """On which sides of a character a line is not to be cut, or not without looking further; each found out once."""

    def __missing__(self, char: str) -> int:
        if KINDS[char] in {Kind.SPACE, Kind.GLUE, Kind.RIGHT_TO_LEFT}:
            sides = _NOT_BEFORE | _NOT_BEHIND
        else:
            sides = _NOT_BEFORE if char in NO_END or char in CLINGS_TO_AFTER else 0
            sides |= _NOT_BEHIND if char in NO_START or char in CLINGS_TO_BEFORE else 0
        self[char] = sides
        return sides


_CUTS = _Cuts()

_GLUE = "\u00a0\u202f\u2007\u2060\ufeff\u2011\u034f"
_ZERO_WIDTH_SPACE = "\u200b"
_CJK_RANGES = (
    "\u2e80-\u2fdf\u3001-\u312f\u3190-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff9f"
    "\U00020000-\U0003ffff"
)
CJK_NEWLINES = re.compile(f"(?<=[{_CJK_RANGES}])[\n\r\v\f\u2028\u2029]+(?=[{_CJK_RANGES}])")
"""Line breaks between two characters of scripts without spaces: they stand for nothing where they are not kept."""
_IDEOGRAPH_RANGES = _CJK_RANGES + "\u2600-\u27bf\U0001f000-\U0001faff"
_IDEOGRAPHS = re.compile(f"[{_IDEOGRAPH_RANGES}]")
_DECIDING = HYPHENS + SOFT_HYPHEN + _ZERO_WIDTH_SPACE + _GLUE + WHITE_SPACE.replace(" ", "")
# What decides, beside the space, whether a line may end next to it. Between all others it may not.
_NOT_PLAIN = re.compile(f"[{re.escape(_DECIDING)}{_IDEOGRAPH_RANGES}]")
# South and South-East Asian scripts, and Korean.
_WITHOUT_HYPHEN_RANGES = (
    "\u0900-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u3130-\u318f\ua960-\ua97f"
    "\uaa60-\uaadf\uac00-\ud7ff"
)
_WITHOUT_HYPHEN = re.compile(f"[{_WITHOUT_HYPHEN_RANGES}]")
_PERSIAN_DIGITS = "\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8\u06f9"


def _kind_of(char: str) -> Kind:
    if char in _GLUE:
        return Kind.GLUE
    if char in WHITE_SPACE:
        return Kind.SPACE
    if char == _ZERO_WIDTH_SPACE:
        return Kind.BREAK
    if _IDEOGRAPHS.fullmatch(char):
        return Kind.IDEOGRAPH
    if unicodedata.bidirectional(char) in {"R", "AL", "AN"} or char in _PERSIAN_DIGITS:
        return Kind.RIGHT_TO_LEFT
    if char.isalnum() and not _WITHOUT_HYPHEN.fullmatch(char):
        return Kind.SOLID
    return Kind.PLAIN


def has_newline(text: str) -> bool:
    """Tell whether a text has more than one paragraph."""
    return not (text.isascii() and text.isprintable()) and NEWLINE.search(text) is not None


def is_plain(text: str, start: int = 0, end: int | None = None) -> bool:
    """Tell whether words end at spaces only, because nothing else is in a text where lines may end or must not.

    A text of which that is not told may be plain all the same.
    """
    if text.isascii():  # of which this is six times as fast
        part = text[start:end]
        return part.isprintable() and not ("-" in part or "/" in part or "\\" in part or "|" in part)
    return _NOT_PLAIN.search(text, start, len(text) if end is None else end) is None


def may_cut(text: str, start: int, place: int) -> bool:
    """Tell whether a line from `start` on may end at a place, for sure and without looking further than one space."""
    before, after = text[place - 1], text[place]
    if before == " ":
        return place - 2 >= start and text[place - 2] not in NOT_BEFORE_SPACE and _CUTS[after] < _NOT_BEHIND
    if after == " ":
        return not _CUTS[before] & _NOT_BEFORE and text[place + 1] not in NOT_BEHIND_SPACE
    return not _CUTS[before] & _NOT_BEFORE and _CUTS[after] < _NOT_BEHIND
