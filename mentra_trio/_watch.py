"""Notice code that blocks the thread: while it does, no session of the app moves, and nothing else says why.

A worker thread asks Trio every half a limit to call back, which costs Trio two wake-ups a limit and messages nothing.
When the answer does not come within the limit, it looks at what Trio's thread is doing.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import sysconfig
import threading
from functools import partial
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger("mentra_trio.server")

THREAD = "mentra_trio watch"
_PACKAGE = str(Path(__file__).parent)
_FOREIGN = (_PACKAGE + os.sep, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen ")
"""Where the SDK and the standard library lie."""
_INSTALLED = ("site-packages", "dist-packages")
"""Folders of what was installed."""


async def watch_thread(limit: float, home: str) -> None:
    """Warn once each time that code holds Trio's thread for more than `limit` seconds. Runs until cancelled.

    It says which function of the app it is: the innermost frame whose code was not installed as a library, or belongs
    to the top-level module or package `home`. Nothing is said when Trio only was not given the processor.

    Returns at once under a clock that is not the real one, because it could not be trusted, nor could this leave that
    clock alone.
    """
    clock = trio.lowlevel.current_clock()
    second = clock.deadline_to_sleep_time(clock.current_time() + 1.0)
    if not 0.5 < second < 1.5:
        await trio.lowlevel.checkpoint()
        return
    watch = _Watch(limit, home, _caller_of_task(), trio.lowlevel.current_trio_token())
    async with trio.open_nursery() as nursery:
        # Not abandoned when cancelled: the thread ends before this does. A limiter of its own: the app's threads need
        # not make room for it.
        run = partial(trio.to_thread.run_sync, watch.run, thread_name=THREAD, limiter=trio.CapacityLimiter(1))
        nursery.start_soon(run)
        try:
            await trio.sleep_forever()
        finally:
            watch.end()


@attrs.define(eq=False)
class _Watch:
    """What the worker thread does."""

    _limit: float
    _home: str
    _loop: CodeType | None
    """Trio's own function that runs tasks: frames inside of it are those of a task."""
    _token: trio.lowlevel.TrioToken
    _thread: int = attrs.field(init=False, factory=threading.get_ident)
    _turned: threading.Event = attrs.field(init=False, factory=threading.Event)
    _has_ended: threading.Event = attrs.field(init=False, factory=threading.Event)

    def run(self) -> None:
        """Watch until `end`."""
        while not self._has_ended.wait(self._limit / 2):
            self._turned = threading.Event()
            if self._has_ended.is_set():  # pragma: no cover - a race: `end` has set the event before this one
                return
            self._token.run_sync_soon(self._turned.set)
            if not self._turned.wait(self._limit):
                self._report()
                self._turned.wait()

    def end(self) -> None:
        """Let `run` return within a moment. Called on Trio's thread, or any other."""
        self._has_ended.set()
        self._turned.set()

    def _report(self) -> None:
        # Documented, in spite of its name.
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        culprit = _culprit(frames.get(self._thread), self._loop, self._home)
        if culprit is not None:
            log.warning(
                "all sessions stand still: %s has not let go of the thread for more than %g s; "
                "wait with 'await trio.sleep(...)', do slow work with 'await trio.to_thread.run_sync(...)'",
                culprit,
                self._limit,
            )


def _caller_of_task() -> CodeType | None:
    """Find the function of Trio that runs the present task, which has no public name."""
    frame = inspect.currentframe()
    frame = None if frame is None else frame.f_back
    while frame is not None and frame.f_code.co_flags & inspect.CO_COROUTINE:
        frame = frame.f_back
    return None if frame is None else frame.f_code


def _culprit(innermost: FrameType | None, loop: CodeType | None, home: str) -> str | None:
    """Name the innermost function of the app, else the innermost of all; `None` when no task runs."""
    frames: list[FrameType] = []
    frame = innermost
    while frame is not None and frame.f_code is not loop:
        frames.append(frame)
        frame = frame.f_back
    if frame is None or not any(frame.f_code.co_flags & inspect.CO_COROUTINE for frame in frames):
        return None
    guilty = next((frame for frame in frames if _is_own(frame, home)), frames[0])
    return f"{guilty.f_code.co_qualname} ({guilty.f_code.co_filename}:{guilty.f_lineno})"


def _is_own(frame: FrameType, home: str) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    if module.partition(".")[0] == home:
        return True
    path = frame.f_code.co_filename
    return not path.startswith(_FOREIGN) and not any(folder in Path(path).parts for folder in _INSTALLED)
