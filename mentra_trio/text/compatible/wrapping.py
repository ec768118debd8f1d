"""Wrapping bit for bit as the reference does it, defects included (P4 3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from mentra_trio.text.profiles import Font, Profile
from mentra_trio.text.scripts import IDEOGRAPHIC, detect_script

from ._units import WHITE_SPACE, byte_size, joined, last_unit, length, percent, units
from .measuring import measure, measure_char, needs_hyphen

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen(kw_only=True)
class WrapOptions:
    """How to wrap."""

    max_width: float
    """Pixels."""
    max_lines: float
    max_bytes: float
    break_mode: str = "character-no-hyphen"
    """`character`, `character-no-hyphen`, `word` or `strict-word`; any other name is `character`."""
    hyphen: str = "-"
    min_before_hyphen: int = attrs.field(default=3, validator=attrs.validators.ge(0))
    """UTF-16 units; none or more."""
    trim_lines: bool = True
    keep_newlines: bool = True

    @classmethod
    def of(cls, profile: Profile) -> WrapOptions:
        """Give the defaults for a display."""
        return cls(max_width=profile.width, max_lines=profile.max_lines, max_bytes=profile.max_bytes)

    def unlimited(self) -> WrapOptions:
        """Give the same without limits of lines and bytes."""
        return attrs.evolve(self, max_lines=math.inf, max_bytes=math.inf)


@attrs.frozen(kw_only=True)
class WrappedLine:
    """One line, and what was counted."""

    text: str
    width: int
    bytes: int
    utilization: float
    """Percent of the limit, rounded; may be more than 100."""
    ends_with_hyphen: bool
    from_newline: bool
    """Whether a line feed of the text stands before it."""


@attrs.frozen(kw_only=True)
class Wrapped:
    """A wrapped text."""

    lines: tuple[WrappedLine, ...]
    is_truncated: bool
    total_bytes: int
    break_mode: str

    @property
    def max_line_width(self) -> int:
        """Pixels of the widest line."""
        return max((line.width for line in self.lines), default=0)

    @property
    def texts(self) -> list[str]:
        """The lines as text."""
        return [line.text for line in self.lines]


def wrap(text: str, profile: Profile, options: WrapOptions | None = None) -> Wrapped:
    """Wrap a text (P4 3.2)."""
    chosen = WrapOptions.of(profile) if options is None else options
    if not text:
        empty = WrappedLine(text="", width=0, bytes=0, utilization=0, ends_with_hyphen=False, from_newline=False)
        return Wrapped(lines=(empty,), is_truncated=False, total_bytes=0, break_mode=chosen.break_mode)
    paragraphs = text.split("\n") if chosen.keep_newlines else [text]
    lines: list[WrappedLine] = []
    total, is_truncated = 0, False
    for line in _lines(paragraphs, profile.font, chosen):
        if len(lines) >= chosen.max_lines or total + line.bytes > chosen.max_bytes:
            is_truncated = True
            break
        lines.append(line)
        # A line feed is counted behind the last line too, unless no other line could follow.
        total += line.bytes + (len(lines) < chosen.max_lines)
    return Wrapped(lines=tuple(lines), is_truncated=is_truncated, total_bytes=total, break_mode=chosen.break_mode)


def needs_wrap(text: str, profile: Profile, max_width: float) -> bool:
    """Tell whether a text has more than one line."""
    return measure(profile.font, text) > max_width or "\n" in text


def _lines(paragraphs: list[str], font: Font, options: WrapOptions) -> Iterator[WrappedLine]:
    for number, paragraph in enumerate(paragraphs):
        texts = [joined(text) for text in _Paragraph(font, options).lines(paragraph)]
        for place, text in enumerate(texts):
            width = measure(font, text)
            yield WrappedLine(
                text=text,
                width=width,
                bytes=byte_size(text),
                utilization=percent(width, options.max_width),
                ends_with_hyphen=place < len(texts) - 1 and text.endswith(options.hyphen),
                from_newline=place == 0 and number > 0,
            )


@attrs.define
class _Paragraph:
    """Breaks one paragraph into lines."""

    _font: Font
    _options: WrapOptions
    _hyphen_width: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._hyphen_width = measure_char(self._font, self._options.hyphen)

    def lines(self, paragraph: str) -> list[str]:
        """Break a paragraph (P4 3.3)."""
        if self._options.trim_lines:
            paragraph = paragraph.strip(WHITE_SPACE)
        if not paragraph:
            return [""]
        if measure(self._font, paragraph) <= self._options.max_width:
            return [paragraph]
        match self._options.break_mode:
            case "word":
                lines = self._by_words(paragraph, may_split=True)
            case "strict-word":
                lines = self._by_words(paragraph, may_split=False)
            case mode:
                lines = self._by_characters(paragraph, hyphenates=mode != "character-no-hyphen")
        return list(lines) or [""]

    def _by_characters(self, paragraph: str, *, hyphenates: bool) -> Iterator[str]:
        """Fill lines character by character (P4 3.4)."""
        options, widths = self._options, self._font.widths
        line, width = "", 0
        for char in paragraph:
            if width + widths[char] <= options.max_width:
                line += char
                width += widths[char]
                continue
            if hyphenates and length(line) >= options.min_before_hyphen and needs_hyphen(last_unit(line), char):
                text, rest = self._backed_off(line, width)
                yield text
                line = joined(rest + char)
                width = measure(self._font, line)
                continue
            text = line.rstrip(WHITE_SPACE) if options.trim_lines else line
            if text:
                yield text
            line = "" if char == " " else char
            width = 0 if char == " " else widths[char]
        yield from self._trimmed(line)

    def _backed_off(self, line: str, width: int) -> tuple[str, str]:
        """Make room for the hyphen; give the line with it, and what is left (P4 3.5)."""
        options = self._options
        kept, rest = units(line), ""
        while width + self._hyphen_width > options.max_width and len(kept) > options.min_before_hyphen:
            kept, moved = kept[:-1], kept[-1]
            rest = moved + rest
            width -= self._font.widths[moved]
            if kept.endswith(" "):
                return joined(kept.rstrip(WHITE_SPACE)), joined(rest)
        return joined(kept) + options.hyphen, joined(rest)

    def _by_words(self, paragraph: str, *, may_split: bool) -> Iterator[str]:
        """Fill lines word by word (P4 3.6)."""
        limit, space = self._options.max_width, self._font.widths[" "]
        line, width = "", 0
        for word in _words(paragraph):
            word_width = measure(self._font, word)
            joint = width + space + word_width if line else word_width
            if joint <= limit:
                line = f"{line} {word}" if line else word
                width = joint
                continue
            if line:  # a line of spaces that do not break is trimmed to an empty one, which stays
                yield line.strip(WHITE_SPACE) if self._options.trim_lines else line
            line = word
            if may_split and word_width > limit:
                *pieces, line = self._split(word)
                yield from pieces
            width = measure(self._font, line)
        yield from self._trimmed(line)

    def _split(self, word: str) -> Iterator[str]:
        """Split a word that is wider than a line (P4 3.7)."""
        options, widths = self._options, self._font.widths
        line, width = "", 0
        for place, char in enumerate(word):
            room = widths[char] if place == len(word) - 1 else widths[char] + self._hyphen_width
            if width + room <= options.max_width:
                line += char
                width += widths[char]
            elif length(line) >= options.min_before_hyphen:
                text, rest = self._backed_off(line, width)
                yield text
                line = joined(rest + char)
                width = measure(self._font, line)
            else:
                if line:
                    yield line
                line, width = char, widths[char]
        if line:  # pragma: no branch - a word has a character
            yield line

    def _trimmed(self, line: str) -> Iterator[str]:
        text = line.strip(WHITE_SPACE) if self._options.trim_lines else line
        if text:
            yield text


def _words(paragraph: str) -> Iterator[str]:
    """Cut at spaces and tabs, and around every ideographic character."""
    word = ""
    for char in paragraph:
        is_word_alone = detect_script(char) in IDEOGRAPHIC
        if is_word_alone or char in " \t":
            if word:
                yield word
            word = ""
            if is_word_alone:
                yield char
        else:
            word += char
    if word:
        yield word
