"""`mentra-trio dev`: an app and the simulated cloud in one process, with one wearer.

::

    run                      reads the script, opens the console
    └── perform              loads the app, then
        ├── the cloud        its engine, and its face on loopback sockets
        ├── the app          its own server, on loopback too
        └── the act          a script, or a developer who types; beside it tasks that show what changes
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from mentra_trio._version import __version__
from mentra_trio.errors import ConfigError
from mentra_trio.server import HANG
from mentra_trio.simulator import Cloud, HttpWebhooks, InstalledApp, serve
from mentra_trio.simulator.hardware import SIMULATED_GLASSES

from .acts import FAILURE, SIGNALLED, Conversation, ScriptAct
from .console import PlainConsole, can_draw, prepare
from .editor import Editor, LineSplitter
from .live import LiveConsole, captured, typing_mode
from .loading import AppError, AppName, load_app
from .logs import logging_to
from .parsing import USAGES
from .player import Player
from .script import ScriptError, read_script
from .tracebacks import name_error

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType

    from mentra_trio.models.session import HandlerCrash
    from mentra_trio.server import MiniAppServer

    from .acts import Act
    from .console import Console
    from .script import Step

WEARER = "wearer@example.com"
"""Who wears the simulated glasses."""
_LOOPBACK = "127.0.0.1"
_HINT_SECONDS = 2.0
"""How long an app may take to end after Ctrl-C until it is told that there is another way."""


@attrs.frozen(kw_only=True)
class Options:
    """What was asked for on the command line."""

    app: str
    """As `load_app` takes it."""
    script: str | None = None
    """Path of a script; `-` reads it from stdin; `None` lets the developer type."""
    plain: bool = False
    """Whether to print lines also where there is a terminal."""
    verbosity: int = 0
    """As `logging_to` takes it."""


def run(options: Options) -> int:
    """Do all that was asked for; return the exit code."""
    prepare(sys.stdout, sys.stderr)
    try:
        steps = None if options.script is None else _read_script(options.script, options.app)
    except ScriptError as error:
        print(error, file=sys.stderr)
        return FAILURE
    with ExitStack() as stack:
        console, act = _set_up(stack, options, steps)
        stack.callback(console.finish)
        stack.enter_context(logging_to(sys.stderr, verbosity=options.verbosity))
        try:
            return trio.run(perform, options.app, console, act)
        except KeyboardInterrupt:
            # The app was still being imported; from then on signals are taken in order.
            return SIGNALLED + signal.SIGINT


def _read_script(path: str, app: str) -> Sequence[Step]:
    if path.endswith(".py"):
        is_swapped = not AppName.parse(app).is_file and Path(app).is_file()
        hint = f"; the other way round? mentra-trio dev {path} --script {app}" if is_swapped else ""
        raise ScriptError(f"{path} is a Python file, not a script with commands{hint}")
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise ScriptError(f"the script {path} cannot be read: {error.strerror}") from error
    return read_script(data, "stdin" if path == "-" else path)


def _set_up(stack: ExitStack, options: Options, steps: Sequence[Step] | None) -> tuple[Console, Act]:
    """Choose how to show things, and what to play. Who pipes commands in gets lines out."""
    is_drawn = not options.plain and can_draw(sys.stdout) and (steps is not None or sys.stdin.isatty())
    if not is_drawn:
        # What is typed at a terminal stands there already.
        is_typed = steps is None and sys.stdin.isatty()
        plain = PlainConsole(sys.stdout, sys.stderr, echoes=not is_typed)
        return plain, Conversation(LineSplitter(), is_test=not is_typed) if steps is None else ScriptAct(steps)
    return _set_up_terminal(stack, options, steps)  # pragma: no cover - as told there


def _set_up_terminal(  # pragma: no cover - needs a terminal: played by programs that tests start
    stack: ExitStack, options: Options, steps: Sequence[Step] | None
) -> tuple[Console, Act]:
    terminal = sys.stdout
    editor = Editor([*USAGES]) if steps is None else None
    restore = stack.enter_context(typing_mode(sys.stdin))
    live = LiveConsole(terminal, editor, restore)
    stack.enter_context(captured(live, terminal))
    if editor is None:
        return live, ScriptAct(steps or ())
    greeting = f"mentra-trio {__version__}: {options.app} runs on simulated glasses; type 'help'"
    return live, Conversation(editor, live, greeting)


# --- the stage


async def perform(name: str, console: Console, act: Act) -> int:
    """Load an app, put it on the stage, and play the act. Returns the exit code.

    At the end, and when cancelled, it closes down in order: the app first, then the cloud. When a handler of the app
    does not let that happen, the process is ended here.
    """
    try:
        app = load_app(name)
    except AppError as error:
        print(error, file=sys.stderr)
        await trio.lowlevel.checkpoint()
        return FAILURE
    code = FAILURE
    player: Player | None = None

    def tell_crash(crash: HandlerCrash) -> None:
        told = "" if player is None else player.crashed(crash)
        if told:
            console.fail(told)

    def tell_hang(run_ids: Sequence[str]) -> None:  # pragma: no cover - played by programs that tests start
        console.fail(f"[{', '.join(run_ids)}] {app.package_name} is ended by force, because {HANG}")
        ended = _conclude(code, caught, act, player, console)
        _leave(FAILURE if act.is_test and not caught else ended, console)

    cloud = Cloud(webhooks=HttpWebhooks(), now=lambda: datetime.now(UTC))
    scope = trio.CancelScope()
    with _signals(scope, console) as caught:
        async with cloud.running(), trio.open_nursery() as outer:
            await outer.start(serve, cloud)
            async with trio.open_nursery() as inner:
                started = partial(app.serve, host=_LOOPBACK, port=0, dev=True, on_crash=tell_crash, on_hang=tell_hang)
                try:
                    urls = await inner.start(started)
                except ConfigError as error:
                    print(f"{name}: {error}", file=sys.stderr)
                else:
                    player = await _cast(cloud, app, urls[0])
                    with scope:
                        code = await _play(player, console, act)
                    console.finish()
                inner.cancel_scope.cancel(reason="the act is over")
            outer.cancel_scope.cancel(reason="the act is over")
    return _conclude(code, caught, act, player, console)


def _conclude(code: int, caught: Sequence[int], act: Act, player: Player | None, console: Console) -> int:
    """Give the exit code. Only at the very end, because an app may crash in its clean-up too."""
    if caught:
        return act.interrupted(caught[0])
    if act.is_test and player is not None and player.crashes:
        console.fail(_tell_crashes(player.crashes))
        return FAILURE
    return code


def _leave(code: int, console: Console) -> None:  # pragma: no cover - played by programs that tests start
    """End the process at once, although tasks of it cannot be cancelled. What was printed is shown."""
    console.let_go()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


def _tell_crashes(crashes: Sequence[HandlerCrash]) -> str:
    """Name what was raised first, in one line. The tracebacks were logged."""
    often = "the app crashed" if len(crashes) == 1 else f"the app crashed {len(crashes)} times; first"
    return f"{often}: {name_error(crashes[0].error)}"


async def _cast(cloud: Cloud, app: MiniAppServer, url: str) -> Player:
    """Register the app, and let a wearer put the glasses on."""
    config = app.config
    cloud.install(InstalledApp(package_name=config.package_name, api_key=config.api_key, public_url=url))
    user = cloud.user(WEARER, model=SIMULATED_GLASSES)
    await user.connect()
    return Player(cloud, user, app)


async def _play(player: Player, console: Console, act: Act) -> int:
    console.attach(player)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_glasses, player, console)
        nursery.start_soon(_watch_status, player, console)
        nursery.start_soon(_watch_runs, player, console)
        code = await act.play(player, console)
        nursery.cancel_scope.cancel(reason="the act is over")
    return code


async def _watch_glasses(player: Player, console: Console) -> None:
    while True:
        await player.glasses.wait_changed()
        console.refresh()


async def _watch_status(player: Player, console: Console) -> None:
    while True:
        status = player.status
        console.refresh()
        await player.wait_status(status)


async def _watch_runs(player: Player, console: Console) -> None:
    while True:
        console.tell(await player.wait_new_run())


@contextmanager
def _signals(scope: trio.CancelScope, console: Console) -> Generator[list[int], None, None]:
    """Cancel a scope on SIGINT and SIGTERM, and list what came. The second one ends the process at once.

    Not by Trio's own means: a handler of the app that blocks the thread must not keep the second from its work, nor
    what is told of it from a thread when the first one had no effect. A terminal that changes its size is drawn anew.
    """
    caught: list[int] = []
    token = trio.lowlevel.current_trio_token()
    hint = threading.Timer(_HINT_SECONDS, console.fail, ["the app has not ended yet; Ctrl-C ends it by force"])
    hint.daemon = True

    def take(signum: int, _: FrameType | None) -> None:
        if caught:  # pragma: no cover - it ends the process, so only programs that tests start get there
            console.let_go()
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        caught.append(signum)
        hint.start()
        token.run_sync_soon(partial(scope.cancel, reason="a signal came"))

    def draw(_: int, __: FrameType | None) -> None:
        token.run_sync_soon(console.refresh)

    saved = {signum: signal.signal(signum, take) for signum in (signal.SIGINT, signal.SIGTERM)}
    if sys.platform != "win32":  # pragma: no branch - another platform
        saved[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, draw)
    try:
        yield caught
    finally:
        hint.cancel()
        for signum, handler in saved.items():
            signal.signal(signum, handler)
