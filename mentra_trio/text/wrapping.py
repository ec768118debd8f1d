"""Text to lines, as people read.

Every line is a part of the text, from a grapheme to a grapheme, without the white space at its ends, and with a hyphen
where a word was cut. So nothing is lost and nothing is added, and a line knows where in the text it stands.

How a line is found: the widths of all graphemes are summed up once, so that a search in the sums gives the longest part
that fits. From its end backwards the first place is taken where a line may end, and where no punctuation comes to stand
on the wrong side; if there is none, that is overlooked. What "may" means is a list of rules, each tried over the whole
line before the next one. The last resort is to cut where the line is full. So there is always a line, and it has at
least one grapheme.
"""

from __future__ import annotations

from bisect import bisect_right
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
    SOFT_HYPHEN,
    WHITE_SPACE,
    Kind,
)
from .measuring import byte_size, ends_of, measure, whole_pixels

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


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
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
    limit = profile.width if width is None else width
    lines_left = profile.max_lines if max_lines is None else max_lines
    bytes_left = profile.max_bytes if max_bytes is None else max_bytes
    lines: list[Line] = []
    for line in iter_lines(text, profile, style, width=limit):
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
    if not style.keep_newlines:
        text = NEWLINE.sub(_spaces, text)
    start = 0
    for newline in NEWLINE.finditer(text):
        yield from _lines(text[start : newline.start()], start, profile, style, limit)
        start = newline.end()
    yield from _lines(text[start:] if start else text, start, profile, style, limit)


def _spaces(newline: re.Match[str]) -> str:
    # As many as there were characters, so that lines know where they stand in the text.
    return " " * len(newline[0])


def _lines(text: str, offset: int, profile: Profile, style: Style, limit: float) -> Iterator[Line]:
    """Break one paragraph that begins at an index of the text."""
    paragraph = _Paragraph.of(text, profile, style, limit)
    place, last = paragraph.bounds()
    if place == last:
        at = offset + paragraph.index(place)
        yield Line(text="", width=0, start=at, end=at, is_paragraph_start=True)
        return
    is_first = True
    while place < last:
        end, next_place, hyphen = paragraph.line(place, last)
        start_index, end_index = paragraph.index(place), paragraph.index(end)
        pixels = paragraph.ends[end] - paragraph.ends[place]
        if hyphen:
            pixels += paragraph.hyphen_width
        yield Line(
            text=text[start_index:end_index] + hyphen,
            width=pixels,
            start=offset + start_index,
            end=offset + end_index,
            is_hyphenated=bool(hyphen),
            is_paragraph_start=is_first,
            is_oversized=pixels > limit,
        )
        place, is_first = next_place, False


# Looked up for every place that is tried; members of an enumeration take longer to find.
_SPACE, _GLUE, _BREAK = Kind.SPACE, Kind.GLUE, Kind.BREAK
_IDEOGRAPH, _RIGHT_TO_LEFT, _SOLID = Kind.IDEOGRAPH, Kind.RIGHT_TO_LEFT, Kind.SOLID

_Rule = Callable[["_Paragraph", int, int], "str | None"]
"""Takes where the line begins and where it might end; gives the hyphen that belongs there, or `None` for "not here"."""


@attrs.define
class _Paragraph:
    """One paragraph in graphemes. All places are numbers of graphemes."""

    clusters: Sequence[str]
    ends: list[int]
    """Pixels before each grapheme."""
    _indexes: list[int] | None
    """Where each grapheme begins in the text; `None` where that is the same number."""
    _style: Style
    _limit: float
    hyphen_width: int

    @classmethod
    def of(cls, text: str, profile: Profile, style: Style, limit: float) -> _Paragraph:
        clusters = graphemes(text)
        indexes = None if isinstance(clusters, str) else list(accumulate(map(len, clusters), initial=0))
        return cls(clusters, ends_of(clusters, profile.font), indexes, style, limit, measure(style.hyphen, profile))

    def index(self, place: int) -> int:
        """Give the index in the text."""
        return place if self._indexes is None else self._indexes[place]

    def bounds(self) -> tuple[int, int]:
        """Give where the paragraph begins and ends, without white space if that goes."""
        last = len(self.clusters)
        if not self._style.trim:
            return 0, last
        start = self._behind_space(0, last)
        return start, self._before_space(last, start)

    def line(self, start: int, last: int) -> tuple[int, int, str]:
        """Find the line that begins at a place: where it ends, where the next one begins, and its hyphen."""
        fitting = max(bisect_right(self.ends, self.ends[start] + self._limit) - 1, start + 1)
        if fitting >= last:
            return last, last, ""
        end, hyphen = self._break(start, fitting)
        if not self._style.trim:
            return end, end, hyphen
        return self._before_space(end, start + 1), self._behind_space(end, last), hyphen

    def _break(self, start: int, fitting: int) -> tuple[int, str]:
        room = self.ends[start] + self._limit - self.hyphen_width
        for rule in _RULES[self._style.mode]:
            second_best: tuple[int, str] | None = None
            for place in range(fitting, start, -1):
                hyphen = rule(self, start, place)
                if hyphen is None or (hyphen and self.ends[place] > room):
                    continue
                if self._has_good_ends(start, place):
                    return place, hyphen
                second_best = second_best or (place, hyphen)
            if second_best is not None:
                return second_best
        return fitting, ""

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
        return wanted >= start and all(KINDS[self.clusters[n][0]] is _SOLID for n in range(place - 1, wanted - 1, -1))

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
