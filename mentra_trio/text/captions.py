"""What is being said, as it is being said: the newest words at the bottom.

Words of one speaker flow on, a change of speaker begins a line. Lines only ever move up: the window over them does not
go back when a recogniser takes words back, and a line above the newest words does not change. That holds because a line
depends on nothing behind its end: what is said later continues the last line and leaves the others alone. For the same
reason an hour of speech costs no more than its last sentence: only the last line of what is final is kept as text.

The one exception: a recogniser that takes back more lines than can be seen would leave an empty view, so what is left
of its words is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from .kinds import KINDS, Kind
from .measuring import byte_size
from .profiles import Profile
from .wrapping import DEFAULT_STYLE, Style, iter_lines

_MAX_OPEN = 4
"""Utterances that may go on at the same time. Beyond, the oldest one is taken for finished: its final was lost."""
_REMEMBERED = 16
"""Finished utterances whose stragglers are known."""


def _dash(_speaker: str) -> str:
    return "- "


@attrs.define
class _Utterance:
    key: str | None
    text: str
    is_final: bool
    _turns: list[tuple[int, str | None]]
    """Where in the text who begins to speak. A recogniser begins no utterance for another speaker (P2 3.3.3)."""

    @property
    def parts(self) -> list[tuple[str, str | None]]:
        """What is said, and by whom; `None` is whoever spoke before."""
        ends = [*(start for start, _ in self._turns[1:]), len(self.text)]
        return [
            (self.text[start:end].strip(), speaker) for (start, speaker), end in zip(self._turns, ends, strict=True)
        ]

    def go_on(self, text: str, speaker: str | None, *, is_final: bool) -> None:
        """Take the next step. What it has more than the last one is what its speaker says."""
        known = min(len(self.text), len(text))
        self.text, self.is_final = text, is_final
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
        text = " ".join(text.split())
        for other in self._open:
            if other.key == utterance and not (other.is_final and utterance is None):
                if other.is_final:
                    return False
                other.go_on(text, speaker, is_final=is_final)
                break
        else:
            self._open.append(_Utterance(utterance, text, is_final, [(0, speaker)]))
        self._settle()
        return self._draw()

    def clear(self) -> None:
        """Forget everything, who spoke too."""
        self._fixed.clear()
        self._open.clear()
        self._fixed_count = self._first = 0
        self._tail, self._speaker, self._lines = "", None, ()

    def _settle(self) -> None:
        """Put what is final, and has nothing unfinished before it, among the lines that do not change."""
        while self._open and (self._open[0].is_final or len(self._open) > _MAX_OPEN):
            utterance = self._open.pop(0)
            if utterance.key is not None:
                self._finished.append(utterance.key)
            paragraphs, self._speaker = self._continued([self._tail], self._speaker, utterance)
            *fixed, (_, self._tail) = self._wrapped(paragraphs)
            self._fixed.extend(line for line, _ in fixed)
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

    def _wrapped(self, paragraphs: list[str]) -> list[tuple[str, str]]:
        """Give lines, each with the part of the text that it shows."""
        return [
            (line.text, paragraph[line.start : line.end])
            for paragraph in paragraphs
            for line in iter_lines(paragraph, self.profile, self.style)
        ]

    def _draw(self) -> bool:
        paragraphs, speaker = [self._tail], self._speaker
        for utterance in self._open:
            paragraphs, speaker = self._continued(paragraphs, speaker, utterance)
        moving = [line for line, _ in self._wrapped(paragraphs)] if any(paragraphs) else []
        lines = [*self._fixed, *moving]
        forgotten = self._fixed_count - len(self._fixed)
        last = forgotten + len(lines)
        self._first = max(0, min(max(self._first, last - self.size), last - 1))
        shown = lines[max(self._first - forgotten, 0) :]
        while len(shown) > 1 and byte_size("\n".join(shown)) > self.profile.max_bytes:
            shown = shown[1:]
            self._first += 1
        is_changed = tuple(shown) != self._lines
        self._lines = tuple(shown)
        return is_changed


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
