"""What happens on the stage: a script is played, or a developer types."""

from __future__ import annotations

import enum
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from .commands import Action, Drop, Expect, Glance, Hear, Light, Quit, Start, Stop, Video, Wait
from .live import LiveConsole
from .parsing import parse
from .player import CommandFailedError
from .readers import CommandError
from .script import Step

if TYPE_CHECKING:
    from .console import Console
    from .player import Player

SUCCESS = 0
FAILURE = 1
SIGNALLED = 128
"""Added to the number of the signal that ended it, as shells do."""

_CHUNK = 4096
_PATIENCE = 1.5
"""Seconds after which somebody at the keyboard wants to know why nothing happens."""
_TYPED_AHEAD = 100
"""Lines that may wait for the command that is at work: more than anybody types, and a pipe waits."""


class Act(Protocol):
    """What happens on the stage."""

    async def play(self, player: Player, console: Console) -> int:
        """Play to the end; return the exit code. Cancelling stops in the middle of a command."""
        ...

    def interrupted(self, signum: int) -> int:
        """Give the exit code of a play that a signal ended."""
        ...

    @property
    def is_test(self) -> bool:
        """Whether nobody watches, so that the exit code has to tell of a crash."""
        ...


@attrs.frozen
class ScriptAct:
    """The app is started, and a script played to its end or to its first failure."""

    _steps: Sequence[Step]

    @property
    def is_test(self) -> bool:
        """Somebody wants to know whether the app works."""
        return True

    async def play(self, player: Player, console: Console) -> int:
        """Print each failure with file and line number. A `quit` ends the script early."""
        if not await _obey(Start(), player, console):
            return FAILURE
        for step in self._steps:
            console.echo(step.line)
            if isinstance(step.command, Quit):
                break
            if not await _obey(step.command, player, console, place=f"{step.place}: "):
                return FAILURE
        return SUCCESS

    def interrupted(self, signum: int) -> int:
        """It did not come to its end."""
        return SIGNALLED + signum


class Typing(Protocol):
    """Makes lines of what comes from stdin."""

    @property
    def is_over(self) -> bool:
        """Whether the end has come."""
        ...

    def feed(self, data: bytes) -> list[str]:
        """Take some bytes, none at the end; return the lines that are complete."""
        ...


async def read_stdin() -> bytes:
    """Read what is there. In a thread, because files and some terminals cannot be waited for otherwise.

    Cancelling leaves the thread behind: what it reads then is lost, and it does not keep the program alive.
    """
    try:
        return await trio.to_thread.run_sync(os.read, 0, _CHUNK, abandon_on_cancel=True)
    except OSError:
        await trio.lowlevel.checkpoint()
        # The terminal has gone away.
        return b""


@attrs.frozen
class Conversation:
    """The app is started, and commands are taken from stdin one after another. None of them ends it, except `quit`.

    A developer at the keyboard has seen what failed; where commands come from a pipe, the exit code tells.
    """

    _typing: Typing
    _live: LiveConsole | None = None
    """Where it is typed, if it has to be shown; then Ctrl-D also ends the command that is at work."""
    _greeting: str = ""
    """What is told first."""
    read: Callable[[], Awaitable[bytes]] = read_stdin
    """Gives what was typed since the last time; nothing at the end."""
    is_test: bool = attrs.field(default=False, kw_only=True)
    """Whether commands come from a pipe."""

    async def play(self, player: Player, console: Console) -> int:
        """Take lines until `quit` or the end of stdin."""
        if self._greeting:
            console.tell(self._greeting)
        has_failed = not await self._obey(Start(), player, console)
        send, receive = trio.open_memory_channel[str](_TYPED_AHEAD)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, send, nursery.cancel_scope)
            async with receive:
                async for line in receive:
                    answer = await self._answer(line, player, console)
                    if answer is _Answer.GOODBYE:
                        break
                    has_failed = has_failed or answer is _Answer.FAILED
            nursery.cancel_scope.cancel(reason="the conversation is over")
        return FAILURE if has_failed and self.is_test else SUCCESS

    def interrupted(self, signum: int) -> int:
        """Ctrl-C is one of the ways to say goodbye."""
        return SUCCESS if signum == signal.SIGINT else SIGNALLED + signum

    async def _listen(self, lines: trio.MemorySendChannel[str], scope: trio.CancelScope) -> None:
        async with lines:
            while not self._typing.is_over:
                for line in self._typing.feed(await self.read()):
                    await lines.send(line)
                if self._live is not None:
                    self._live.typed()
        if self._live is not None:
            scope.cancel(reason="the end was typed")
        await trio.lowlevel.checkpoint()

    async def _answer(self, line: str, player: Player, console: Console) -> _Answer:
        """Do what a line says."""
        await trio.lowlevel.checkpoint()
        if line.strip():
            console.echo(line.strip())
        try:
            command = parse(line)
        except CommandError as error:
            console.fail(str(error))
            return _Answer.FAILED
        if isinstance(command, Quit):
            return _Answer.GOODBYE
        if command is None or await self._obey(command, player, console):
            return _Answer.DONE
        return _Answer.FAILED

    async def _obey(self, command: Action, player: Player, console: Console) -> bool:
        """Do what a command says; whoever watches is told when that takes its time, and what for."""
        reason = None if self.is_test else _reason_to_wait(command)
        if reason is None:
            return await _obey(command, player, console)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_explain_late, reason, console)
            is_done = await _obey(command, player, console)
            nursery.cancel_scope.cancel(reason="the command is done")
        return is_done


class _Answer(enum.Enum):
    """What came of a line."""

    DONE = enum.auto()
    FAILED = enum.auto()
    GOODBYE = enum.auto()


def _reason_to_wait(command: Action) -> str | None:
    """Give what a command may have to wait for; `None` where waiting is what it is for."""
    if isinstance(command, Wait | Expect | Hear | Glance | Light | Video):
        return None
    if isinstance(command, Start | Stop | Drop):
        return "waiting for the app's session"
    return "waiting until the app listens"


async def _explain_late(reason: str, console: Console) -> None:
    await trio.sleep(_PATIENCE)
    console.tell(f"{reason} ...")


async def _obey(command: Action, player: Player, console: Console, *, place: str = "") -> bool:
    """Do what a command says and show what comes of it; return whether it could be done."""
    await trio.lowlevel.checkpoint()
    try:
        answer = await player.play(command)
    except CommandFailedError as error:
        console.fail(f"{place}{error}")
        return False
    console.tell(answer)
    return True
