"""What is being said, as it is being said: the newest words at the bottom.

Words of one speaker flow on, a change of speaker begins a line. Lines stand from the top, and only ever move up: the
window over them does not go back when a recogniser takes words back, and a line above the newest words does not change.
That holds because a line depends on nothing behind its end: what is said later continues the last line and leaves the
others alone. For the same reason an hour of speech costs no more than its last sentence: only the last line of what is
final is kept as text. Where an utterance grows while a later one is on the display already (P2 3.5), the window goes on
by as many lines: what is below keeps its row, and what is above makes room, also where rows at the bottom are free.

The one exception: a recogniser that takes back more lines than can be seen would leave an empty view, so what is left
of its words is shown.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

import attrs

from .kinds import KINDS, NEWLINE, Kind
from .measuring import byte_size
from .profiles import Profile
from .wrapping import DEFAULT_STYLE, Line, Style, iter_lines

_MAX_OPEN = 4
"""Utterances that may go on at the same time. Beyond, the oldest one is taken for finished: its final was lost."""
_REMEMBERED = 16
"""Finished utterances whose stragglers are known."""
_OVERTAKEN = 2
"""Later utterances that end while nothing comes for an earlier one: then that has no final (P2 3.5, T7)."""
_OVERLAP = 3
"""Characters that make the cloud merge two utterances (P2 3.5)."""
_BLANK = "[\t-\r\x1c-\x20\x85\u2028\u2029]"
"""White space that means no more than a space. Others, as those that do not break, are part of the text."""
_BLANKS = re.compile(f"(?! ){_BLANK}+| {_BLANK}+")
"""Any of it but a single space, which stays: most texts have nothing else."""


def _dash(_speaker: str) -> str:
    return "- "


@attrs.define
class _Utterance:
    key: str | None
    text: str
    is_final: bool
    _turns: list[tuple[int, str | None]]
    """Where in the text who begins to speak. A recogniser begins no utterance for another speaker (P2 3.3.3)."""
    overtaken: int = attrs.field(default=0, init=False)
    """Later utterances that have ended since the last step."""

    @property
    def parts(self) -> list[tuple[str, str | None]]:
        """What is said, and by whom; `None` is whoever spoke before."""
        if len(self._turns) == 1:
            return [(self.text.strip(" "), self._turns[0][1])]
        ends = [*(start for start, _ in self._turns[1:]), len(self.text)]
        return [
            (self.text[start:end].strip(" "), speaker) for (start, speaker), end in zip(self._turns, ends, strict=True)
        ]

    def go_on(self, text: str, speaker: str | None, *, is_final: bool) -> None:
        """Take the next step. What it has more than the last one is what its speaker says."""
        known = min(len(self.text), len(text))
        self.text, self.is_final, self.overtaken = text, is_final, 0
        self._turns[1:] = [turn for turn in self._turns[1:] if turn[0] < len(text)]
        if speaker is None or speaker == self._turns[-1][1]:
            return
        start = _start_of_word(text, known)
        while len(self._turns) > 1 and self._turns[-1][0] >= start:
            del self._turns[-1]
        first, before = self._turns[-1]
        if before is None or first >= start:
            self._turns[-1] = (first, speaker)
        elif before != speaker:
            self._turns.append((start, speaker))


@attrs.define(eq=False)
class CaptionView:
    """The last lines of what is said.

    Give it every interim and final with `update`, and show `text` whenever that returns true. It never waits and never
    draws; how often to draw is the display's business.
    """

    profile: Profile
    style: Style = DEFAULT_STYLE
    size: int = attrs.field(default=attrs.Factory(lambda view: view.profile.max_lines, takes_self=True), kw_only=True)
    """Lines that can be seen; the display's when absent."""
    label: Callable[[str], str] = attrs.field(default=_dash, kw_only=True)
    """Gives what stands before the words of a speaker who takes over; a dash by default."""
    _lines: tuple[str, ...] = attrs.field(default=(), init=False)
    _fixed: deque[str] = attrs.field(init=False)
    _fixed_count: int = attrs.field(default=0, init=False)
    """Lines that will not change any more, also those that are forgotten."""
    _tail: str = attrs.field(default="", init=False)
    """Text of the last line of what is final: what is said next continues it."""
    _speaker: str | None = attrs.field(default=None, init=False)
    _open: list[_Utterance] = attrs.field(factory=list[_Utterance], init=False)
    """What is not among the fixed lines yet, in the order in which it began."""
    _finished: deque[str] = attrs.field(factory=lambda: deque[str](maxlen=_REMEMBERED), init=False)
    _first: int = attrs.field(default=0, init=False)
    """Number of the first line that can be seen."""

    def __attrs_post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"a view has at least one line, not {self.size}")
        self._fixed = deque(maxlen=self.size)

    @property
    def lines(self) -> tuple[str, ...]:
        """What can be seen, the newest line last."""
        return self._lines

    @property
    def text(self) -> str:
        """What can be seen as one text, as a display takes it."""
        return "\n".join(self._lines)

    def update(self, text: str, *, is_final: bool, speaker: str | None = None, utterance: str | None = None) -> bool:
        """Take one step of an utterance; tell whether that changes what can be seen.

        Args:
            text: the whole utterance so far.
            is_final: whether it is finished. What comes for it later is ignored.
            speaker: who says what this step has more than the last one of the utterance; `None` when unknown, which is
                nobody new.
            utterance: tells utterances apart that are spoken at the same time; `None` is one at a time.
        """
        if utterance is not None and utterance in self._finished:
            return False
        text = _on_one_line(text)
        for place, other in enumerate(self._open):
            if other.key == utterance and not (other.is_final and utterance is None):
                if other.is_final:
                    return False
                if is_final:
                    self._open[place + 1 :] = _not_merged(other.text, text, self._open[place + 1 :])
                other.go_on(text, speaker, is_final=is_final)
                break
        else:
            place = len(self._open)
            self._open.append(_Utterance(utterance, text, is_final, [(0, speaker)]))
        if is_final:
            for other in self._open[:place]:
                other.overtaken += 1
        self._settle()
        return self._draw()

    def clear(self) -> None:
        """Forget everything, who spoke too."""
        self._fixed.clear()
        self._open.clear()
        self._finished.clear()
        self._fixed_count = self._first = 0
        self._tail, self._speaker, self._lines = "", None, ()

    def _settle(self) -> None:
        """Put what is final, and has nothing unfinished before it, among the lines that do not change."""
        while self._open:
            utterance = self._open[0]
            if not utterance.is_final and utterance.overtaken < _OVERTAKEN and len(self._open) <= _MAX_OPEN:
                break
            del self._open[0]
            if utterance.key is not None:
                self._finished.append(utterance.key)
            paragraphs, self._speaker = self._continued([self._tail], self._speaker, utterance)
            *fixed, last = self._wrapped(paragraphs)
            self._tail = paragraphs[-1][last.start : last.end]
            self._fixed.extend([line.text for line in fixed])
            self._fixed_count += len(fixed)

    def _continued(
        self, paragraphs: list[str], speaker: str | None, utterance: _Utterance
    ) -> tuple[list[str], str | None]:
        """Add an utterance to paragraphs, the last of which goes on. Give who spoke last as well."""
        for text, speaking in utterance.parts if utterance.text else ():
            *before, last = paragraphs
            if speaking not in {None, speaker} and speaker is not None:
                words = self.label(speaking or "") + text
                paragraphs = [*before, last, words] if last else [*before, words]
            else:
                paragraphs = [*before, _joined(last, text)]
            speaker = speaking or speaker
        return paragraphs, speaker

    def _wrapped(self, paragraphs: list[str]) -> list[Line]:
        return [
            line
            for paragraph in paragraphs
            for line in iter_lines(paragraph, self.profile, self.style, max_bytes=self.profile.max_bytes)
        ]

    def _draw(self) -> bool:
        paragraphs, speaker = [self._tail], self._speaker
        for utterance in self._open:
            paragraphs, speaker = self._continued(paragraphs, speaker, utterance)
        moving = [line.text for line in self._wrapped(paragraphs)] if any(paragraphs) else []
        lines = [*self._fixed, *moving]
        forgotten = self._fixed_count - len(self._fixed)
        last = forgotten + len(lines)
        first = max(self._first, last - self.size, self._held(lines, forgotten))
        self._first = max(0, min(first, last - 1))
        shown = lines[max(self._first - forgotten, 0) :]
        while len(shown) > 1 and byte_size("\n".join(shown)) > self.profile.max_bytes:
            shown = shown[1:]
            self._first += 1
        is_changed = tuple(shown) != self._lines
        self._lines = tuple(shown)
        return is_changed

    def _held(self, lines: list[str], forgotten: int) -> int:
        """Give the line with which the view begins at the earliest if no line in it may go down."""
        held, changed = 0, len(lines)
        start, above = self._first - forgotten, max(len(self._lines) - 1, 0)
        # Mostly words are added to the last line.
        is_same = start >= 0 and lines[start : start + above] == list(self._lines[:above])
        for row in range(above if is_same else 0, len(self._lines)):
            line = self._lines[row]
            place = max(self._first + row - forgotten, 0)
            if lines[place : place + 1] != [line]:
                changed = min(changed, place)
            if line in lines[changed:] and line not in self._lines[row + 1 :]:
                held = max(held, forgotten + lines.index(line, changed) - row)
        return held


def _not_merged(said: str, final: str, later: list[_Utterance]) -> list[_Utterance]:
    """Leave out later utterances that are part of a final: those that the cloud has merged never end (P2 3.5).

    Their words are among those that the final has more than its last interim.
    """
    known, whole = len(_bare(said)), _bare(final)
    return [
        other
        for other in later
        if other.is_final
        or len(words := _bare(other.text)) < _OVERLAP
        or (place := whole.rfind(words)) < 0
        or place + len(words) <= known
    ]


def _bare(text: str) -> str:
    """Give the letters and digits of a text: finals differ from interims in case, marks and spaces."""
    return "".join(filter(str.isalnum, text.casefold()))


def _on_one_line(text: str) -> str:
    """Make one line of a text, without a space where the script has none."""
    if not text.strip():
        return ""
    return _BLANKS.sub(_blank, text).strip(" ")


def _blank(found: re.Match[str]) -> str:
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    is_inside = NEWLINE.search(found[0]) and before and after and {KINDS[before], KINDS[after]} == {Kind.IDEOGRAPH}
    return "" if is_inside else " "


def _joined(before: str, after: str) -> str:
    """Join two texts of one speaker, without a space where the script has none."""
    if not before or not after:
        return before + after
    has_no_spaces = KINDS[before[-1]] is Kind.IDEOGRAPH or KINDS[after[0]] is Kind.IDEOGRAPH
    return before + after if has_no_spaces else f"{before} {after}"


def _start_of_word(text: str, place: int) -> int:
    """Find where the word begins that is at a place, or the last one."""
    place = min(place, len(text) - 1)
    if place < 0 or KINDS[text[place]] is Kind.IDEOGRAPH:
        return max(place, 0)
    if text[place] == " ":
        return place + 1
    return text.rfind(" ", 0, place) + 1
