"""Edit a line at a prompt. Pure: what the keyboard sends goes in, finished lines come out.

The keys are those of every shell: arrows, Home, End, Delete, Ctrl-A E B F P N U K W, Tab for names of commands, Ctrl-D
on an empty line for the end. What is unknown does nothing.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from mentra_trio.simulator.cells import clusters

if TYPE_CHECKING:
    from collections.abc import Callable

_ESCAPE = "\x1b"
_CODES = {"H": "home", "F": "end", "A": "up", "B": "down", "C": "right", "D": "left"}
_TILDES = {"1": "home", "7": "home", "4": "end", "8": "end", "3": "delete"}
_CONTROLS = {
    "\x01": "home",
    "\x02": "left",
    "\x05": "end",
    "\x06": "right",
    "\x08": "backspace",
    "\x0b": "kill_rest",
    "\x0e": "down",
    "\x10": "up",
    "\x15": "kill_start",
    "\x17": "kill_word",
    "\x7f": "backspace",
}
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
"""Parts of emoji, and of words in some scripts, that Python does not count as printable."""
_MOST_HISTORY = 500
"""Lines that are remembered: more than anybody goes back."""


@attrs.define(eq=False)
class Editor:
    """One line that is being typed, and those before it."""

    _names: Sequence[str]
    """What Tab completes."""
    text: str = attrs.field(default="", init=False)
    """What stands there."""
    cursor: int = attrs.field(default=0, init=False)
    """Before which character the next one goes."""
    is_over: bool = attrs.field(default=False, init=False)
    """Whether the end was typed; nothing is taken after it."""
    _history: list[str] = attrs.field(factory=list[str], init=False)
    _age: int = attrs.field(default=0, init=False)
    """How many lines back the shown one is; 0 for the one that is being typed."""
    _draft: str = attrs.field(default="", init=False)
    _sequence: str = attrs.field(default="", init=False)
    """An escape sequence so far."""
    _decoder: codecs.IncrementalDecoder = attrs.field(
        factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"), init=False
    )

    def feed(self, data: bytes) -> list[str]:
        """Take what the keyboard sent; return the lines that were finished by it. No bytes are the end."""
        lines: list[str] = []
        self.is_over = self.is_over or not data
        for letter in self._decoder.decode(data):
            if self.is_over:
                break
            if self._sequence or letter == _ESCAPE:
                self._take_sequence(letter)
            elif letter in {"\r", "\n"}:
                lines.append(self._accept())
            elif letter == "\x04":
                self._take_end()
            elif letter == "\t":
                self._complete()
            elif letter in _CONTROLS:
                self._act(_CONTROLS[letter])
            elif letter.isprintable() or letter in _JOINERS:
                self._insert(letter)
        return lines

    def _take_sequence(self, letter: str) -> None:
        """Gather `ESC [ digits letter`, `ESC O letter` or `ESC letter`, and do what it means."""
        if letter == _ESCAPE:
            self._sequence = letter
            return
        self._sequence += letter
        kind = self._sequence[1]
        is_complete = (
            (kind == "[" and len(self._sequence) > 2 and "@" <= letter <= "~")
            or (kind == "O" and len(self._sequence) > 2)
            or kind not in {"[", "O"}
        )
        if is_complete:
            action = _TILDES.get(self._sequence[2:-1], "") if letter == "~" else _CODES.get(letter, "")
            self._sequence = ""
            if kind in {"[", "O"}:
                self._act(action)

    def _act(self, action: str) -> None:
        actions: dict[str, Callable[[], None]] = {
            "home": lambda: self._move(0),
            "end": lambda: self._move(len(self.text)),
            "left": lambda: self._move(self.cursor - self._reach_left()),
            "right": lambda: self._move(self.cursor + self._reach_right()),
            "up": lambda: self._recall(self._age + 1),
            "down": lambda: self._recall(self._age - 1),
            "backspace": lambda: self._remove(self.cursor - self._reach_left(), self.cursor),
            "delete": lambda: self._remove(self.cursor, self.cursor + self._reach_right()),
            "kill_start": lambda: self._remove(0, self.cursor),
            "kill_rest": lambda: self._remove(self.cursor, len(self.text)),
            "kill_word": lambda: self._remove(self._word_start(), self.cursor),
        }
        if action in actions:
            actions[action]()

    def _insert(self, text: str) -> None:
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def _move(self, position: int) -> None:
        self.cursor = min(max(position, 0), len(self.text))

    def _remove(self, start: int, end: int) -> None:
        self.text = self.text[:start] + self.text[end:]
        self.cursor = start

    def _reach_left(self) -> int:
        """Count what the cursor steps over to the left: a letter with its accents is one."""
        return len((clusters(self._left()) or [""])[-1])

    def _reach_right(self) -> int:
        return len((clusters(self.text[self.cursor :]) or [""])[0])

    def _word_start(self) -> int:
        return len(self.text[: self.cursor].rstrip().rpartition(" ")[0] + " ") if " " in self._left().rstrip() else 0

    def _left(self) -> str:
        return self.text[: self.cursor]

    def _replace(self, text: str) -> None:
        self.text = text
        self.cursor = len(text)

    def _accept(self) -> str:
        line = self.text
        if line.strip() and self._history[-1:] != [line]:
            self._history = [*self._history[-_MOST_HISTORY + 1 :], line]
        self._age = 0
        self._replace("")
        return line

    def _take_end(self) -> None:
        if self.text:
            self._act("delete")
        else:
            self.is_over = True

    def _recall(self, age: int) -> None:
        if not 0 <= age <= len(self._history):
            return
        if self._age == 0:
            self._draft = self.text
        self._age = age
        self._replace(self._history[-age] if age else self._draft)

    def _complete(self) -> None:
        """Complete the first word, as far as it is clear."""
        typed = self._left()
        matches = [name for name in self._names if name.startswith(typed)]
        if not matches:
            return
        # The letters that all of them have in common come first in the smallest and the largest.
        pairs = zip(min(matches), max(matches), strict=False)
        common = "".join(first for first, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        self._insert(common[len(typed) :])
        if len(matches) == 1 and self.cursor == len(self.text):
            self._insert(" ")


@attrs.define(eq=False)
class LineSplitter:
    """The same for input that is not typed: a pipe, or a terminal that edits lines itself."""

    is_over: bool = attrs.field(default=False, init=False)
    """Whether the end has come."""
    _rest: bytes = attrs.field(default=b"", init=False)

    def feed(self, data: bytes) -> list[str]:
        """Take some bytes; return the lines that are complete. No bytes are the end: what is left is a line."""
        if not data:
            self.is_over = True
            data = b"\n" if self._rest else b""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]
