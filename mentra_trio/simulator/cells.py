"""How much room text takes where every character has one or two cells: in a terminal, and in the simulated glasses.

Pure. Terminals do not agree about emoji that are made of several characters; here they take what the widest of their
characters takes, as modern terminals have it.
"""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_JOINER = "\N{ZERO WIDTH JOINER}"
_EMOJI_STYLE = "\N{VARIATION SELECTOR-16}"
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_FLAG_LETTERS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_JAMO = frozenset(map(chr, range(0x1160, 0x1200)))
"""Vowels and final consonants of Hangul, which join the consonant before them."""


def clusters(text: str) -> list[str]:
    """Part a text into what a person takes for one character: a letter with its accents, an emoji with its parts."""
    found: list[str] = []
    for letter in text:
        if found and _joins(found[-1], letter):
            found[-1] += letter
        else:
            found.append(letter)
    return found


def _joins(before: str, letter: str) -> bool:
    if is_weightless(letter):
        return True
    if letter in _FLAG_LETTERS:
        return before in _FLAG_LETTERS
    # No emoji begins with ASCII, except digits in a box, and terminals do not agree about those.
    is_emoji = letter in _SKIN_TONES or (before.endswith(_JOINER) and width(letter) == 2)
    return is_emoji and not before[0].isascii()


def is_weightless(letter: str) -> bool:
    """Whether a character takes no room of its own: accents, joiners, selectors."""
    return unicodedata.category(letter) in {"Cf", "Me", "Mn"} or letter in _JAMO


def width(cluster: str) -> int:
    """How many cells a cluster takes."""
    if len(cluster) == 1:
        return _letter_width(cluster)
    if (_EMOJI_STYLE in cluster and not cluster[0].isascii()) or (
        cluster[0] in _FLAG_LETTERS and cluster[1] in _FLAG_LETTERS
    ):
        return 2
    return max(_letter_width(letter) for letter in cluster)


def _letter_width(letter: str) -> int:
    if is_weightless(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def cells(text: str) -> int:
    """How many cells a text takes."""
    return len(text) if text.isascii() else sum(width(cluster) for cluster in clusters(text))


def wrap(text: str, columns: int) -> list[str]:
    """Break a line at its spaces, and where two wide characters meet, so that no part takes more than `columns` cells.

    A word that is too long is broken anywhere. White space at the breaks is left out.
    """
    if all(_letter_width(letter) == 1 for letter in text):
        return textwrap.wrap(text, columns)
    lines: list[str] = []
    line, room = "", columns
    for piece in _pieces(text, columns):
        if cells(piece) > room and line:
            lines.append(line.rstrip())
            line, room = "", columns
        if line or not piece.isspace():
            line += piece
            room -= cells(piece)
    return [*lines, line.rstrip()] if line.strip() else lines


def _pieces(text: str, columns: int) -> Iterator[str]:
    """Give what is not to be broken: spaces, wide characters, and words up to a whole line."""
    word = ""
    for cluster in clusters(text):
        is_alone = cluster.isspace() or width(cluster) > 1
        if word and (is_alone or cells(word) == columns):
            yield word
            word = ""
        if is_alone:
            yield cluster
        else:
            word += cluster
    if word:
        yield word
