"""A terminal with glasses in it: a frame at the bottom, the prompt below, everything else scrolls by above.

::

    > say good morning                              what was typed, answers, log records, tracebacks, the app's prints
    INFO hello_glasses: ...
    ╭─ com.example.hello ───────── connected ─╮
    │ You said: good morning                  │     redrawn in place
    ╰─────────────────────────────────────────╯
    > sto_                                          being typed

Every change is one write: up to the top of the frame, perhaps a text that scrolls away, the frame, the prompt. Nothing
else may write to the terminal meanwhile, so `sys.stdout` and `sys.stderr` lead here.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, TextIO

import attrs

from mentra_trio.simulator.cells import cells

from . import frame
from .console import write
from .editor import Editor
from .player import Player

if TYPE_CHECKING:
    from collections.abc import Generator

    from _typeshed import ReadableBuffer

_PROMPT = "> "
_UP = "\x1b[{}A"
_RIGHT = "\x1b[{}C"
_ERASE_LINE = "\x1b[K"
_ERASE_BELOW = "\x1b[J"
_CLEAR = "\x1b[2J\x1b[H"
_NO_WRAP = "\x1b[?7l"
_WRAP = "\x1b[?7h"
_SAVE_CURSOR = "\x1b7"
_RESTORE_CURSOR = "\x1b8"
_FALLBACK_SIZE = (80, 24)
_NOTHING = "(nothing on the glasses)"


@attrs.define(eq=False)
class LiveConsole:
    """A `Console` that draws. Any thread may print through it."""

    _out: TextIO
    _editor: Editor | None = None
    """What is being typed; `None` where nobody types."""
    _restore: Callable[[], None] = lambda: None
    """Undoes `typing_mode`."""
    get_size: Callable[[], tuple[int, int]] = attrs.field(
        default=attrs.Factory(lambda self: partial(_size_of, self._out), takes_self=True)
    )
    """Gives columns and rows of the terminal."""
    _player: Player | None = attrs.field(default=None, init=False)
    _drawn: list[str] = attrs.field(factory=list[str], init=False)
    """What stands at the bottom; the cursor is in its last line."""
    _drawn_at: tuple[int, int] | None = attrs.field(default=None, init=False)
    """How large the terminal was."""
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False)

    def attach(self, player: Player) -> None:
        self._player = player
        self.refresh()

    def refresh(self) -> None:
        """Draw again what is different."""
        with self._lock:
            size = self.get_size()
            if size != self._drawn_at or self._bottom(*size) != self._drawn:
                self._paint("")

    def echo(self, line: str) -> None:
        self.above(f"{_PROMPT}{frame.printable(line)}\n")

    def tell(self, text: str) -> None:
        if text:
            self.above(f"{text}\n")

    def fail(self, text: str) -> None:
        self.above(f"! {text}\n")

    def typed(self) -> None:
        """Show what was typed."""
        with self._lock:
            self._paint("")

    def above(self, text: str) -> None:
        """Let whole lines scroll away above the frame."""
        with self._lock:
            self._paint(text)

    def finish(self) -> None:
        """Leave the frame where it is; what comes later goes below."""
        with self._lock:
            self._editor = None
            self._paint("")
            self._player = None
            self._drawn = [""]

    def let_go(self) -> None:
        self._restore()

    def _bottom(self, columns: int, rows: int) -> list[str]:
        """What stands there: the frame, and in the last line what is being typed. Nothing before there are glasses."""
        player = self._player
        if player is None:
            return [""]
        glasses = player.glasses
        shown = glasses.lines if any(glasses.lines) else (_NOTHING,)
        lines = frame.draw(
            shown,
            title=player.package_name,
            status=player.status,
            # Narrow characters may take more cells than the display has for average ones.
            columns=max(min(max(glasses.columns, *map(cells, shown)), columns - 5), 1),
            rows=max(min(glasses.rows, rows - 4), 1),
            border=frame.ROUND if _can_encode(self._out, frame.ROUND) else frame.PLAIN,
        )
        return [*lines, "" if self._editor is None else self._editor.text]

    def _paint(self, above: str) -> None:
        size = self.get_size()
        if self._drawn_at is not None and size != self._drawn_at:
            # The terminal has wrapped the old lines in its own way: nobody knows where they are.
            start = _CLEAR
        else:
            up = len(self._drawn) - 1
            start = "\r" + (_UP.format(up) if up > 0 else "")
        self._drawn, self._drawn_at = self._bottom(*size), size
        *shown, _ = self._drawn
        above = _ERASE_BELOW + above if above else ""
        drawn = "".join(f"{_hem(line)}\n" for line in shown)
        bottom = drawn + self._prompt(size[0])
        # A terminal that takes a text for longer than it was measured must not break a line of the frame.
        write(self._out, start + above + (f"{_NO_WRAP}{bottom}{_WRAP}" if shown else bottom))

    def _prompt(self, columns: int) -> str:
        """The prompt with as much around the cursor as fits, and the cursor in place."""
        editor = self._editor
        if editor is None or self._player is None:
            return _ERASE_BELOW
        text = frame.printable(editor.text)
        left, right = frame.around(text[: editor.cursor], text[editor.cursor :], max(columns - len(_PROMPT) - 1, 1))
        # The terminal itself remembers where the cursor is: it may measure the text in another way.
        return f"{_PROMPT}{left}{_SAVE_CURSOR}{right}{_ERASE_BELOW}{_RESTORE_CURSOR}"


def _hem(line: str) -> str:
    """Put the right border of a frame where it belongs, also when a terminal measures the text in another way."""
    return f"{line[:-1]}{_ERASE_LINE}\r{_RIGHT.format(cells(line) - 1)}{line[-1]}{_ERASE_LINE}"


def _size_of(terminal: TextIO) -> tuple[int, int]:
    """Ask the terminal, not the environment first: `COLUMNS` tells how large another one was, once."""
    try:
        return os.get_terminal_size(terminal.fileno())
    except OSError:
        return shutil.get_terminal_size(_FALLBACK_SIZE)


class _Above(io.RawIOBase):
    """What is written here goes above the frame, line by line. What has no line end yet waits for it."""

    def __init__(self, console: LiveConsole, terminal: TextIO) -> None:
        super().__init__()
        self._console = console
        self._terminal = terminal
        self._rest = b""

    def fileno(self) -> int:
        return self._terminal.fileno()

    def isatty(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        added = bytes(data)
        whole, newline, self._rest = (self._rest + added).rpartition(b"\n")
        if newline:
            self._console.above(f"{whole.decode(self._terminal.encoding, 'replace')}\n")
        return len(added)

    def close(self) -> None:
        """Show what has no line end. The terminal stays open."""
        if self._rest:
            self.write(b"\n")
        super().close()


@contextmanager
def captured(console: LiveConsole, terminal: TextIO) -> Generator[None, None, None]:
    """Lead everything that is printed in the block above the frame; stderr too when it is a terminal."""
    with (
        _open_above(console, terminal) as out,
        _open_above(console, terminal) as err,
        redirect_stdout(out),
        redirect_stderr(err if sys.stderr.isatty() else sys.stderr),
    ):
        yield


def _open_above(console: LiveConsole, terminal: TextIO) -> io.TextIOWrapper:
    """Make a whole text stream, because programs look into theirs: at its encoding, at its buffer."""
    buffer = io.BufferedWriter(_Above(console, terminal))
    return io.TextIOWrapper(buffer, encoding=terminal.encoding, errors="replace", line_buffering=True)


@contextmanager
def typing_mode(terminal: TextIO) -> Generator[Callable[[], None], None, None]:
    """Let a terminal hand over each key at once, without showing it. Yields what undoes that, for emergencies.

    What is no terminal stays as it is.
    """
    import termios  # noqa: PLC0415 - not on Windows, where nothing is drawn

    if not terminal.isatty():
        yield lambda: None
        return
    fd = terminal.fileno()
    saved = termios.tcgetattr(fd)

    def restore() -> None:
        termios.tcsetattr(fd, termios.TCSANOW, saved)

    mode = termios.tcgetattr(fd)
    mode[3] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
    control = mode[6]
    control[termios.VMIN], control[termios.VTIME] = 1, 0
    # Ctrl-Z does nothing: a shell that took over would find the terminal in this mode.
    control[termios.VSUSP] = os.fpathconf(fd, "PC_VDISABLE").to_bytes(1, "big")
    termios.tcsetattr(fd, termios.TCSANOW, mode)
    try:
        yield restore
    finally:
        restore()


def _can_encode(stream: TextIO, border: frame.Border) -> bool:
    try:
        "".join(attrs.astuple(border)).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
