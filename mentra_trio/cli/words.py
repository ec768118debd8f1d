"""Split a line into words, as a shell does, but kind to plain English.

The rules of a POSIX shell: white space separates; `'...'` and `"..."` keep what is in them together; a backslash takes
the next character as it is (within double quotes only `\\"` and `\\\\` are special); `#` at the start of a word begins
a comment. The exception: a single quote right after a letter or a digit is an apostrophe, so that `don't` needs no
care.
"""

from __future__ import annotations

import attrs

_SPACE = " \t\r\n\f\v"
_ESCAPED_IN_QUOTES = '"\\'


class QuoteError(ValueError):
    """A quote is opened and never closed."""


@attrs.frozen(kw_only=True)
class Word:
    """One word of a line."""

    text: str
    """What it says, without its quotes."""
    start: int
    """Where it begins in the line."""
    end: int
    """Where it ends in the line."""
    is_quoted: bool
    """Whether any part of it stood in quotes."""


def split(line: str) -> list[Word]:
    """Split a line into words; a comment is left out. Raises `QuoteError`."""
    words: list[Word] = []
    position = 0
    while position < len(line):
        if line[position] in _SPACE:
            position += 1
        elif line[position] == "#":
            break
        else:
            word = _read_word(line, position)
            words.append(word)
            position = word.end
    return words


def _read_word(line: str, start: int) -> Word:
    parts: list[str] = []
    is_quoted = False
    position = start
    while position < len(line) and line[position] not in _SPACE:
        letter = line[position]
        if letter == '"' or (letter == "'" and not _is_apostrophe(line, start, position)):
            text, position = _read_quoted(line, position)
            is_quoted = True
        elif letter == "\\" and position + 1 < len(line):
            text, position = line[position + 1], position + 2
        else:
            text, position = letter, position + 1
        parts.append(text)
    return Word(text="".join(parts), start=start, end=position, is_quoted=is_quoted)


def _is_apostrophe(line: str, start: int, position: int) -> bool:
    return position > start and line[position - 1].isalnum()


def _read_quoted(line: str, opening: int) -> tuple[str, int]:
    """Give the text in the quotes that open here, and the position after them."""
    quote = line[opening]
    parts: list[str] = []
    position = opening + 1
    while position < len(line):
        letter = line[position]
        if letter == quote:
            return "".join(parts), position + 1
        if letter == "\\" and quote == '"' and line[position + 1 : position + 2] in {*_ESCAPED_IN_QUOTES}:
            position += 1
            letter = line[position]
        parts.append(letter)
        position += 1
    raise QuoteError(
        f"the quote before {_excerpt(line[opening + 1 :])} is never closed; write \\{quote} for the character itself"
    )


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 20 else f"{text[:20]}...")
