"""Where a developer reads what happens. `PlainConsole` prints line after line; `LiveConsole` (`live`) draws."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Protocol, TextIO

import attrs

from .frame import printable
from .player import Player


class Console(Protocol):
    """What shows glasses, commands and their answers. Nothing here waits."""

    def attach(self, player: Player) -> None:
        """Show these glasses from now on."""
        ...

    def refresh(self) -> None:
        """Show what changed since the last time."""
        ...

    def echo(self, line: str) -> None:
        """Show a command that begins."""
        ...

    def tell(self, text: str) -> None:
        """Show an answer; nothing when it is empty."""
        ...

    def fail(self, text: str) -> None:
        """Show what went wrong."""
        ...

    def finish(self) -> None:
        """Show the last of it: the glasses are about to go off."""
        ...

    def let_go(self) -> None:
        """Leave the terminal as it was found, at once: the program is about to be killed."""
        ...


@attrs.define(eq=False)
class PlainConsole:
    """Lines for pipes and logs: commands after `>`, what the glasses show after `|`. Failures go to stderr."""

    _out: TextIO
    _err: TextIO
    echoes: bool = attrs.field(default=True, kw_only=True)
    """Whether commands are printed."""
    _player: Player | None = attrs.field(default=None, init=False)
    _told: int = attrs.field(default=1, init=False)
    """How much of the glasses' history was printed; the empty display that it begins with is no news."""
    _lines: tuple[str, ...] = attrs.field(default=(), init=False)

    def attach(self, player: Player) -> None:
        self._player = player

    def refresh(self) -> None:
        """Print each display since the last time that differs from the one before it."""
        if self._player is None:
            return
        history = self._player.glasses.history
        for screen in history[self._told :]:
            if screen.lines != self._lines:
                self._lines = screen.lines
                self._print("\n".join(f"| {printable(line)}" for line in screen.lines) or "| (empty)")
        self._told = len(history)

    def echo(self, line: str) -> None:
        self.refresh()
        if self.echoes:
            self._print(f"> {line}")

    def tell(self, text: str) -> None:
        self.refresh()
        if text:
            self._print(text)

    def fail(self, text: str) -> None:
        self.refresh()
        write(self._err, f"{text}\n")

    def finish(self) -> None:
        self.refresh()
        self._player = None

    def let_go(self) -> None:
        pass

    def _print(self, text: str) -> None:
        write(self._out, f"{text}\n")


def write(stream: TextIO, text: str) -> None:
    """Write and flush. A reader that has gone away is no reason to stop: the rest is written to nobody."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def prepare(*streams: TextIO) -> None:
    """Let streams write a question mark for what their encoding lacks, and each line at once, in a pipe too."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace", line_buffering=True)


def can_draw(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands where to draw."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and sys.platform != "win32"
