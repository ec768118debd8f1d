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

import math
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import accumulate, chain
from typing import TYPE_CHECKING

import attrs

from .clusters import graphemes
from .kinds import (
    CJK_NEWLINES,
    CLINGS_TO_AFTER,
    CLINGS_TO_BEFORE,
    HYPHENS,
    KINDS,
    NEWLINE,
    NO_END,
    NO_START,
    NOT_BEFORE_SPACE,
    NOT_BEHIND_SPACE,
    SOFT_HYPHEN,
    SPACES,
    Kind,
    has_newline,
    is_plain,
    may_cut,
)
from .measuring import byte_size, measure, whole_pixels, widths_of

if TYPE_CHECKING:
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
    """Whether a line break of the text begins a line; otherwise it counts as a space, or as nothing between CJK
    characters."""

    def __attrs_post_init__(self) -> None:
        if NEWLINE.search(self.hyphen):
            raise ValueError("a hyphen has no line breaks")


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
    """Whether it is wider than the display, or has more bytes: a single grapheme that nothing can make fit."""


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
_MOST_BYTES = 4
"""Of a character."""


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

    No line has more bytes than all lines may have; it ends before. Lines that have no room are cut whole.
    """
    lines_left = profile.max_lines if max_lines is None else max_lines
    limit = profile.max_bytes if max_bytes is None else max_bytes
    if lines_left == limit == math.inf:
        return Wrapped(lines=tuple(iter_lines(text, profile, style, width=width)))
    lines: list[Line] = []
    bytes_left = limit
    for line in iter_lines(text, profile, style, width=width, max_bytes=limit):
        bytes_left -= byte_size(line.text) + (1 if lines else 0)
        if len(lines) >= lines_left or bytes_left < 0:
            if not lines and lines_left > 0 and limit >= 1:  # a single grapheme that has too many
                lines.append(line)
            return Wrapped(lines=tuple(lines), cut=text[lines[-1].end if lines else 0 :])
        lines.append(line)
    return Wrapped(lines=tuple(lines))


def iter_lines(
    text: str,
    profile: Profile,
    style: Style = DEFAULT_STYLE,
    *,
    width: float | None = None,
    max_bytes: float = math.inf,
) -> Iterator[Line]:
    """Give the lines of a text one after the other, however many; `max_bytes` is of each."""
    limit = profile.width if width is None else whole_pixels(width)
    if not has_newline(text):
        return _lines(text, 0, profile, style, limit, max_bytes)
    if not style.keep_newlines:
        # As many spaces as there were characters, so that lines know where they stand in the text.
        gaps = [gap.span() for gap in CJK_NEWLINES.finditer(text)]
        if gaps:
            joined = NEWLINE.sub(" ", CJK_NEWLINES.sub("", text))
            return _moved(_lines(joined, 0, profile, style, limit, max_bytes), gaps)
        return _lines(NEWLINE.sub(" ", text), 0, profile, style, limit, max_bytes)
    return chain.from_iterable(
        _lines(text[start:end], start, profile, style, limit, max_bytes) for start, end in _paragraphs(text)
    )


def _moved(lines: Iterator[Line], gaps: Sequence[tuple[int, int]]) -> Iterator[Line]:
    """Tell lines of a text without what is in gaps where they stand in the text with it."""
    gone, n = 0, 0

    def moved(place: int, *, is_end: bool) -> int:
        nonlocal gone, n
        while n < len(gaps) and gaps[n][0] < place + gone + (not is_end):
            gone += gaps[n][1] - gaps[n][0]
            n += 1
        return place + gone

    for line in lines:
        line.start, line.end = moved(line.start, is_end=False), moved(line.end, is_end=True)
        yield line


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for newline in NEWLINE.finditer(text):
        end = newline.start()
        if end >= start:  # otherwise it is the second half of one
            yield start, end
            start = end + (2 if text.startswith("\r\n", end) else 1)
    yield start, len(text)


def _lines(text: str, offset: int, profile: Profile, style: Style, limit: float, max_bytes: float) -> Iterator[Line]:
    """Break one paragraph that begins at an index of a text."""
    clusters = graphemes(text)
    widths = widths_of(clusters, profile.font)
    pixels = sum(widths)
    hyphen = style.hyphen
    if _MOST_BYTES * (len(text) + len(hyphen)) <= max_bytes or byte_size(text) + byte_size(hyphen) <= max_bytes:
        max_bytes = math.inf  # they need no more thought
    if (
        pixels <= limit
        and (not text or not style.trim or not (text[0] in SPACES or text[-1] in SPACES))
        and (max_bytes == math.inf or byte_size(text) <= max_bytes)
    ):
        return iter((Line(text, pixels, offset, offset + len(text), is_paragraph_start=True),))
    usual = max(int(limit * len(widths) / pixels), 1) if pixels > max(limit, 0) else len(widths)
    hyphen_width = profile.font.advances[hyphen] if len(hyphen) == 1 else measure(hyphen, profile)
    return _Paragraph(text, clusters, widths, style, limit, max_bytes, usual, hyphen_width).lines(offset)


# Looked up for every place that is tried; members of an enumeration take longer to find.
_SPACE, _GLUE, _BREAK = Kind.SPACE, Kind.GLUE, Kind.BREAK
_IDEOGRAPH, _RIGHT_TO_LEFT, _SOLID = Kind.IDEOGRAPH, Kind.RIGHT_TO_LEFT, Kind.SOLID

_Rule = Callable[["_Paragraph", int, int], "str | None"]
"""Takes where the line begins and where it might end; gives the hyphen that belongs there, or `None` for "not here"."""


_Break = tuple[int, str]
"""The place where a line ends, and the hyphen there."""
_Easily = Callable[["_Paragraph", int, int, int], "_Break | None"]
"""Takes where a line begins, where it is full, and its pixels so far. Gives where the rules would end it, or `None`
if only they can tell."""


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
    _max_bytes: float
    """Of a line."""
    _usual: int
    """Graphemes that a line has room for when they are as wide as they are on average: where a search begins."""
    hyphen_width: int
    _run: tuple[int, int] = (0, 0)
    """A run of white space that is known: where it begins at least, and where it ends."""

    def lines(self, offset: int) -> Iterator[Line]:
        """Give the lines of a paragraph that begins at an index of a text.

        This is where apps that show captions spend their time, so most steps are written out instead of called.
        """
        text, clusters, widths = self.text, self.clusters, self.widths
        limit, max_bytes, usual, trim = self._limit, self._max_bytes, self._usual, self._style.trim
        # Where each grapheme begins in the text, unless that is the same number.
        indexes = None if clusters is text else list(accumulate(map(len, clusters), initial=0))
        # Lines of fewer graphemes cannot have too many bytes.
        few = math.inf
        if max_bytes < math.inf:
            few = 0 if indexes else max_bytes // _MOST_BYTES - len(self._style.hyphen)
        place, last = self._bounds()
        if place == last:
            at = offset + (place if indexes is None else indexes[place])
            yield Line("", 0, at, at, is_paragraph_start=True)
            return
        easily = self._easily() if indexes is None and usual < last else None
        is_first = True
        while place < last:
            # Find where the line is full. It has at least one grapheme.
            full = place + usual if place + usual < last else last  # noqa: FURB136 - a call takes longer
            pixels = sum(widths[place:full])
            while pixels > limit and full > place + 1:
                full -= 1
                pixels -= widths[full]
            while full < last and pixels + widths[full] <= limit:
                pixels += widths[full]
                full += 1
            is_tight = full - place > few and not self._has_bytes(place, full, self._style.hyphen)
            if is_tight:
                full = self._within_bytes(place, full)
                pixels = sum(widths[place:full])
            end = next_place = full
            hyphen = ""
            if full < last:
                easy = easily(self, place, full, pixels) if easily and not is_tight else None
                end, hyphen = easy or self._break(place, full, pixels)
                next_place = end
                if trim:
                    while end > place + 1 and clusters[end - 1] in SPACES:
                        end -= 1
                    while next_place < last and clusters[next_place] in SPACES:
                        next_place += 1
                if end < full:
                    pixels -= sum(widths[end:full])
                if hyphen:
                    pixels += self.hyphen_width
            start, stop = (place, end) if indexes is None else (indexes[place], indexes[end])
            shown = text[start:stop] + hyphen
            is_oversized = pixels > limit or (is_tight and byte_size(shown) > max_bytes)
            yield Line(shown, pixels, offset + start, offset + stop, hyphen != "", is_first, is_oversized)
            place, is_first = next_place, False

    def _bounds(self) -> tuple[int, int]:
        """Give where the paragraph begins and ends, without white space if that goes."""
        place, last = 0, len(self.clusters)
        if self._style.trim:
            while place < last and self.clusters[place] in SPACES:
                place += 1
            while place < last and self.clusters[last - 1] in SPACES:
                last -= 1
        return place, last

    def _break(self, start: int, full: int, pixels: int) -> _Break:
        """Find where a line ends that is full at a place."""
        second_best: _Break | None = None
        for rule in _RULES[self._style.mode]:
            used = pixels
            for place in range(full, start, -1):
                hyphen = rule(self, start, place)
                if hyphen is not None and (not hyphen or self._has_room(start, place, used, hyphen)):
                    if self._has_good_ends(start, place):
                        return place, hyphen
                    second_best = second_best or (place, hyphen)
                used -= self.widths[place - 1]
        return second_best or (full, "")

    def _has_room(self, start: int, place: int, pixels: int, hyphen: str) -> bool:
        """Tell whether a line of so many pixels can end with a hyphen."""
        return pixels + self.hyphen_width <= self._limit and self._has_bytes(start, place, hyphen)

    def _within_bytes(self, start: int, full: int) -> int:
        """Find where the bytes of a line are full, which is where its pixels are at the latest."""
        place, size = start, 0
        while place < full:
            size += byte_size(self.clusters[place])
            if size > self._max_bytes and place > start:
                break
            place += 1
        return place

    def _has_bytes(self, start: int, place: int, hyphen: str) -> bool:
        """Tell whether a line has no more bytes than it may."""
        return byte_size("".join(self.clusters[start:place])) + byte_size(hyphen) <= self._max_bytes

    def _easily(self) -> _Easily | None:
        """Choose how to find in one step what the rules find letter by letter. Not every text allows that."""
        if not self._style.trim:
            return None
        mode = self._style.mode
        if mode is BreakMode.CHARACTER:
            return _Paragraph._cut_with_hyphen
        if mode is BreakMode.CHARACTER_NO_HYPHEN:
            return _Paragraph._cut
        return _Paragraph._last_space if is_plain(self.text) else _Paragraph._last_word

    def _last_space(self, start: int, full: int, pixels: int) -> _Break | None:
        """Find the last space, where nothing else tells words apart."""
        text = self.text
        space = text.rfind(" ", start + 1, full + 1)
        if space < 0:
            cut = _Paragraph._cut_with_hyphen if self._style.mode is BreakMode.WORD else _Paragraph._cut
            return cut(self, start, full, pixels)
        if text[space - 1] in NOT_BEFORE_SPACE or text[space + 1] in NOT_BEHIND_SPACE:
            return None
        return space, ""

    def _last_word(self, start: int, full: int, _pixels: int) -> _Break | None:
        """Find the last space in a line that is plain behind it, or cut an ideographic text where the line is full."""
        text = self.text
        if (KINDS[text[full - 1]] is _IDEOGRAPH or KINDS[text[full]] is _IDEOGRAPH) and may_cut(text, start, full):
            return full, ""
        space = text.rfind(" ", start + 1, full + 1)
        if space < 0 or not is_plain(text, space - 1, full + 1):
            return None
        if text[space - 1] in NOT_BEFORE_SPACE or text[space + 1] in NOT_BEHIND_SPACE:
            return None
        return space, ""

    def _cut(self, start: int, full: int, _pixels: int) -> _Break | None:
        """Cut where the line is full."""
        return (full, "") if may_cut(self.text, start, full) else None

    def _cut_with_hyphen(self, start: int, full: int, pixels: int) -> _Break | None:
        """Cut where the line is full, or before that in a word where there is room for a hyphen."""
        text, widths = self.text, self.widths
        room = self._limit - self.hyphen_width
        place = full
        while place > start:
            if KINDS[text[place - 1]] is not _SOLID or KINDS[text[place]] is not _SOLID:
                return (place, "") if may_cut(text, start, place) else None
            if pixels <= room and self._has_enough_letters(start, place):
                return place, self._style.hyphen
            place -= 1
            pixels -= widths[place]
        return None

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
        before, after = place - 1, place
        while before > start and self.clusters[before] in SPACES:
            before -= 1
        last = len(self.clusters)
        if self.clusters[after] in SPACES:
            after = self._end_of_spaces(after)
        opening, closing = self.clusters[before][0], self.clusters[min(after, last - 1)][0]
        if opening in NO_END or closing in NO_START:
            return False
        touches = after - before == 1
        return not (touches and (opening in CLINGS_TO_AFTER or closing in CLINGS_TO_BEFORE))

    def _end_of_spaces(self, place: int) -> int:
        """Find where white space ends. All lines of a long run of it ask, so the last answer is remembered."""
        first, end = self._run
        if not first <= place < end:
            at, last = place, len(self.clusters)
            while at < last and self.clusters[at] in SPACES:
                at = end if at == first < end else at + 1
            self._run = place, at
            return at
        return end


_RULES: dict[BreakMode, tuple[_Rule, ...]] = {
    BreakMode.WORD: (_Paragraph.between_words, _Paragraph.inside_words),
    BreakMode.STRICT_WORD: (_Paragraph.between_words, _Paragraph.anywhere),
    BreakMode.CHARACTER: (_Paragraph.inside_words,),
    BreakMode.CHARACTER_NO_HYPHEN: (_Paragraph.anywhere,),
}
