"""Text as the reference's language sees it: UTF-16 units, its white space, its rounding (P4 conventions)."""

from __future__ import annotations

import math
import re

WHITE_SPACE = "".join(
    map(chr, (*range(9, 14), 32, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF))
)
"""What trimming removes. Not what `str.strip()` removes (P4 11)."""
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def units(text: str) -> str:
    """Split every character beyond U+FFFF into its two surrogates."""
    return _ASTRAL.sub(_split, text)


def joined(text: str) -> str:
    """Join surrogates that stand side by side, as happens to strings of units when they are put together."""
    return _PAIR.sub(_join, text)


def length(text: str) -> int:
    """Count units."""
    return len(text) if text.isascii() else len(text) + len(_ASTRAL.findall(text))


def last_unit(text: str) -> str:
    """Give the last unit; nothing of an empty text."""
    return units(text[-1:])[-1:]


def byte_size(text: str) -> int:
    """Count the bytes of UTF-8; an unpaired surrogate has 3."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def well_formed(text: str) -> str:
    """Put U+FFFD in place of unpaired surrogates."""
    return _SURROGATE.sub("\ufffd", text)


def rounded(value: float) -> float:
    """Round to the nearest whole number, halves up."""
    return math.floor(value + 0.5) if math.isfinite(value) else value


def percent(part: float, whole: float) -> float:
    """Give a rounded percentage; of nothing it is infinite or not a number, as in the reference."""
    if whole == 0:
        return math.inf if part else math.nan
    return rounded(part / whole * 100)


def _split(match: re.Match[str]) -> str:
    offset = ord(match[0]) - 0x10000
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))


def _join(match: re.Match[str]) -> str:
    high, low = map(ord, match[0])
    return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)
