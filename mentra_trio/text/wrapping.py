"""Text to lines, as people read.

Every line is a part of the text, from a grapheme to a grapheme, without the white space at its ends, and with a hyphen
where a word was cut. So nothing is lost and nothing is added, and a line knows where in the text it stands.

How a line is found: the longest part that fits is sought from where it would end if all graphemes were as wide as they
are on average, for sums of many widths are cheap and steps are not. From its end backwards the first place is taken
where a line may end, and where no punctuation comes to stand on the wrong side; if there is none, that is overlooked.
What "may" means is a list of rules, each tried over the whole line before the next one. The last resort is to cut where
the line is full. So there is always a line, and it has at least one grapheme.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import accumulate
from typing import TYPE_CHECKING

import attrs

from .clusters import graphemes
from .kinds import (
    CLINGS_TO_AFTER,
    CLINGS_TO_BEFORE,
    HYPHENS,
    KINDS,
    NEWLINE,
    NO_END,
    NO_START,
    NOT_PLAIN,
    SOFT_HYPHEN,
    WHITE_SPACE,
    Kind,
    are_letters,
    has_newline,
)
from .measuring import byte_size, measure, whole_pixels, widths_of

if TYPE_CHECKING:
    import re

    from .profiles import Profile


class BreakMode(Enum):
    """Where lines end (P4 3.1)."""

    WORD = "word"
    """Between words; a word that is wider than a line is cut with a hyphen."""
    STRICT_WORD = "strict-word"
    """Between words; a word that is wider than a line is cut without a hyphen."""
    CHARACTER = "character"
    """Where the line is full, with a hyphen inside a word."""
    CHARACTER_NO_HYPHEN = "character-no-hyphen"
    """Where the line is full, without a mark."""


@attrs.frozen(kw_only=True)
class Style:
    """How text is laid out."""

    mode: BreakMode = BreakMode.WORD
    hyphen: str = "-"
    min_before_hyphen: int = 3
    """Letters of a word that stand before a hyphen at least."""
    trim: bool = True
    """Whether white space at the ends of lines goes. Otherwise lines put together are the text."""
    keep_newlines: bool = True
    """Whether a line break of the text begins a line; otherwise it counts as a space."""


# Not frozen, nor are wrapped texts: to make a frozen one takes five times as long, and lines are made for every word
# that is said.
@attrs.define(unsafe_hash=True)
class Line:
    """One line, and the part of the text that it shows."""

    text: str
    width: int
    """Pixels."""
    start: int
    """Index in the text."""
    end: int
    """Index in the text, behind the last character."""
    is_hyphenated: bool = False
    """Whether the hyphen at its end is no part of the text."""
    is_paragraph_start: bool = False
    is_oversized: bool = False
    """Whether it is wider than the display: a single grapheme that nothing can make fit."""


@attrs.define(kw_only=True, unsafe_hash=True)
class Wrapped:
    """A text in lines."""

    lines: tuple[Line, ...]
    cut: str = ""
    """What had no room."""

    @property
    def is_truncated(self) -> bool:
        """Whether something other than white space had no room."""
        return not (not self.cut or self.cut.isspace())

    @property
    def texts(self) -> list[str]:
        """The lines as text."""
        return [line.text for line in self.lines]

    @property
    def text(self) -> str:
        """The lines as one text, as a display takes it."""
        return "\n".join([line.text for line in self.lines])

    @property
    def bytes(self) -> int:
        """Bytes on the wire."""
        return byte_size(self.text)

    @property
    def width(self) -> int:
        """Pixels of the widest line."""
        return max((line.width for line in self.lines), default=0)


DEFAULT_STYLE = Style()


def wrap(
    text: str,
    profile: Profile,
    style: Style = DEFAULT_STYLE,
    *,
    width: float | None = None,
    max_lines: float | None = None,
    max_bytes: float | None = None,
) -> Wrapped:
    """Wrap a text to the lines of a display.

    Args:
        text: what to show.
        profile: the display.
        style: how to lay it out.
        width: pixels of a line; the display's when absent.
        max_lines: the display's when absent; `math.inf` for no limit.
        max_bytes: of all lines with the line feeds between them; the display's when absent; `math.inf` for no limit.
    """
    lines_left = profile.max_lines if max_lines is None else max_lines
    bytes_left = profile.max_bytes if max_bytes is None else max_bytes
    lines: list[Line] = []
    for line in iter_lines(text, profile, style, width=width):
        bytes_left -= byte_size(line.text) + (1 if lines else 0)
        if len(lines) >= lines_left or bytes_left < 0:
            return Wrapped(lines=tuple(lines), cut=text[lines[-1].end if lines else 0 :])
        lines.append(line)
    return Wrapped(lines=tuple(lines))


def iter_lines(
    text: str, profile: Profile, style: Style = DEFAULT_STYLE, *, width: float | None = None
) -> Iterator[Line]:
    """Give the lines of a text one after the other, however many."""
    limit = profile.width if width is None else whole_pixels(width)
    if not has_newline(text):
        return _Paragraph.of(text, profile, style, limit).lines(0)
    if not style.keep_newlines:
        return _Paragraph.of(NEWLINE.sub(_spaces, text), profile, style, limit).lines(0)
    return _paragraphs(text, profile, style, limit)


def _spaces(newline: re.Match[str]) -> str:
    # As many as there were characters, so that lines know where they stand in the text.
    return " " * len(newline[0])


def _paragraphs(text: str, profile: Profile, style: Style, limit: float) -> Iterator[Line]:
    start = 0
    for newline in NEWLINE.finditer(text):
        yield from _Paragraph.of(text[start : newline.start()], profile, style, limit).lines(start)
        start = newline.end()
    yield from _Paragraph.of(text[start:], profile, style, limit).lines(start)


# Looked up for every place that is tried; members of an enumeration take longer to find.
_SPACE, _GLUE, _BREAK = Kind.SPACE, Kind.GLUE, Kind.BREAK
_IDEOGRAPH, _RIGHT_TO_LEFT, _SOLID = Kind.IDEOGRAPH, Kind.RIGHT_TO_LEFT, Kind.SOLID

_Rule = Callable[["_Paragraph", int, int], "str | None"]
"""Takes where the line begins and where it might end; gives the hyphen that belongs there, or `None` for "not here"."""


_Break = tuple[int, str]
"""The place where a line ends, and the hyphen there."""


@attrs.define
class _Paragraph:
    """One paragraph in graphemes. All places are numbers of graphemes."""

    text: str
    clusters: Sequence[str]
    """The text itself where every character is a grapheme."""
    widths: Sequence[int]
    """Pixels of each grapheme."""
    _style: Style
    _limit: float
    _usual: int
    """Graphemes that a line has room for when they are as wide as they are on average: where a search begins."""
    hyphen_width: int

    @classmethod
    def of(cls, text: str, profile: Profile, style: Style, limit: float) -> _Paragraph:
        clusters = graphemes(text)
        widths = widths_of(clusters, profile.font)
        pixels = sum(widths)
        usual = max(int(limit * len(widths) / pixels), 1) if pixels > max(limit, 0) else len(widths)
        return cls(text, clusters, widths, style, limit, usual, measure(style.hyphen, profile))

    def lines(self, offset: int) -> Iterator[Line]:
        """Give the lines of a paragraph that begins at an index of a text."""
        text, widths, limit, trim = self.text, self.widths, self._limit, self._style.trim
        # Where each grapheme begins in the text, unless that is the same number.
        indexes = None if self.clusters is text else list(accumulate(map(len, self.clusters), initial=0))
        place, last = 0, len(widths)
        if trim:
            place = self._behind_space(0, last)
            last = self._before_space(last, place)
        if place == last:
            at = offset + (place if indexes is None else indexes[place])
            yield Line("", 0, at, at, is_paragraph_start=True)
            return
        easily = self._easily() if indexes is None and self._usual < last else None
        is_first = True
        while place < last:
            fitting, pixels = self._fitting(place, last)
            end, next_place, hyphen = fitting, fitting, ""
            if fitting < last:
                end, hyphen = (easily and easily(self, place, fitting, pixels)) or self._break(place, fitting, pixels)
                next_place = end
                if trim:
                    end, next_place = self._before_space(end, place + 1), self._behind_space(end, last)
                pixels -= sum(widths[end:fitting])
                if hyphen:
                    pixels += self.hyphen_width
            start, stop = (place, end) if indexes is None else (indexes[place], indexes[end])
            shown = text[start:stop] + hyphen
            yield Line(shown, pixels, offset + start, offset + stop, hyphen != "", is_first, pixels > limit)
            place, is_first = next_place, False

    def _fitting(self, start: int, last: int) -> tuple[int, int]:
        """Find the place up to which a line is full, and its pixels. A line has at least one grapheme."""
        widths, limit = self.widths, self._limit
        place = min(start + self._usual, last)
        pixels = sum(widths[start:place])
        while pixels > limit and place > start + 1:
            place -= 1
            pixels -= widths[place]
        while place < last and pixels + widths[place] <= limit:
            pixels += widths[place]
            place += 1
        return place, pixels

    def _break(self, start: int, fitting: int, pixels: int) -> _Break:
        """Find where a line ends that is full at a place."""
        for rule in _RULES[self._style.mode]:
            second_best: _Break | None = None
            used = pixels
            for place in range(fitting, start, -1):
                hyphen = rule(self, start, place)
                if hyphen is not None and (not hyphen or used + self.hyphen_width <= self._limit):
                    if self._has_good_ends(start, place):
                        return place, hyphen
                    second_best = second_best or (place, hyphen)
                used -= self.widths[place - 1]
            if second_best is not None:
                return second_best
        return fitting, ""

    def _easily(self) -> Callable[[_Paragraph, int, int, int], _Break | None] | None:
        """Choose how to find in one step what the rules find letter by letter. Not every text allows that."""
        mode = self._style.mode
        if mode is BreakMode.CHARACTER:
            return _Paragraph._cut_with_hyphen
        if mode is BreakMode.CHARACTER_NO_HYPHEN:
            return _Paragraph._cut
        return _Paragraph._last_space if NOT_PLAIN.search(self.text) is None else None

    def _last_space(self, start: int, fitting: int, _pixels: int) -> _Break | None:
        """Find the last space, where nothing else tells words apart."""
        space = self.text.rfind(" ", start + 1, fitting + 1)
        if space < 0:
            return None
        place = space if space == fitting else space + 1
        return (place, "") if self._has_good_ends(start, place) else None

    def _cut(self, _start: int, fitting: int, _pixels: int) -> _Break | None:
        """Cut where the line is full, if that is between two letters."""
        return (fitting, "") if are_letters(self.text[fitting - 1 : fitting + 1]) else None

    def _cut_with_hyphen(self, start: int, fitting: int, pixels: int) -> _Break | None:
        """Cut where there is room for a hyphen, if that and all up to where the line is full are letters of a word."""
        place = fitting
        while place > start and pixels + self.hyphen_width > self._limit:
            place -= 1
            pixels -= self.widths[place]
        first = place - max(self._style.min_before_hyphen, 1)
        if first < start or not are_letters(self.text[first : fitting + 1]):
            return None
        return place, self._style.hyphen

    def _behind_space(self, place: int, last: int) -> int:
        while place < last and self.clusters[place] in WHITE_SPACE:
            place += 1
        return place

    def _before_space(self, place: int, first: int) -> int:
        while place > first and self.clusters[place - 1] in WHITE_SPACE:
            place -= 1
        return place

    def between_words(self, start: int, place: int) -> str | None:
        """Tell whether words end here; behind a soft hyphen they end with a hyphen."""
        before, after = self.clusters[place - 1], self.clusters[place]
        kind, next_kind = KINDS[before[0]], KINDS[after[0]]
        if kind is _SOLID and next_kind is _SOLID:  # by far the most frequent
            return None
        if kind is _GLUE or next_kind is _GLUE:
            return None
        if kind is _SPACE or next_kind is _SPACE or kind is _BREAK:
            return ""
        if before == SOFT_HYPHEN:
            return self._style.hyphen
        if kind is _IDEOGRAPH or next_kind is _IDEOGRAPH:
            return ""
        if before in HYPHENS and place - 2 >= start and next_kind is _SOLID and not after.isdigit():
            return "" if self.clusters[place - 2].isalnum() else None
        return None

    def inside_words(self, start: int, place: int) -> str | None:
        """Tell whether a word may be cut here, with a hyphen where one belongs."""
        before, after = self.clusters[place - 1], self.clusters[place]
        kind, next_kind = KINDS[before[0]], KINDS[after[0]]
        if kind is _SOLID and next_kind is _SOLID:
            return self._style.hyphen if self._has_enough_letters(start, place) else None
        if before == SOFT_HYPHEN:
            return self._style.hyphen
        return self.anywhere(start, place)

    def anywhere(self, _start: int, place: int) -> str | None:
        """Tell whether a line may end here without a hyphen."""
        before, after = self.clusters[place - 1], self.clusters[place]
        kind, next_kind = KINDS[before[0]], KINDS[after[0]]
        if kind is _GLUE or next_kind is _GLUE:
            return None
        if kind is _RIGHT_TO_LEFT and next_kind is _RIGHT_TO_LEFT:
            return None
        return ""

    def _has_enough_letters(self, start: int, place: int) -> bool:
        wanted = place - self._style.min_before_hyphen
        return wanted >= start and all(KINDS[cluster[0]] is _SOLID for cluster in self.clusters[wanted:place])

    def _has_good_ends(self, start: int, place: int) -> bool:
        """Tell whether neither the line ends nor the next one begins with what must not."""
        before = self._before_space(place, start + 1) - 1
        after = self._behind_space(place, len(self.clusters))
        opening, closing = self.clusters[before][0], self.clusters[min(after, len(self.clusters) - 1)][0]
        if opening in NO_END or closing in NO_START:
            return False
        touches = after - before == 1
        return not (touches and (opening in CLINGS_TO_AFTER or closing in CLINGS_TO_BEFORE))


_RULES: dict[BreakMode, tuple[_Rule, ...]] = {
    BreakMode.WORD: (_Paragraph.between_words, _Paragraph.inside_words),
    BreakMode.STRICT_WORD: (_Paragraph.between_words, _Paragraph.anywhere),
    BreakMode.CHARACTER: (_Paragraph.inside_words,),
    BreakMode.CHARACTER_NO_HYPHEN: (_Paragraph.anywhere,),
}
