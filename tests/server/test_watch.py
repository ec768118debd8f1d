"""Code that blocks the thread is named, because all else falls silent. On the real clock: this is about threads."""

import logging
import math
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import MentraSession, SessionConfig
from mentra_trio._watch import THREAD, watch_thread
from tests.scripted_cloud import make_server, open_app, open_cloud

LIMIT = 0.04
"""Seconds that count as a stall here."""
PATIENCE = 10.0
"""Seconds after which a test has failed, however slow the machine."""


class Stalls(logging.Handler):
    """What was said about stalls."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.told = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING and "stand still" in record.getMessage():
            self.texts.append(record.getMessage())
            self.told.set()


@pytest.fixture
def stalls() -> Generator[Stalls, None, None]:
    """Listen to the log."""
    logger = logging.getLogger("mentra_trio.server")
    handler = Stalls()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def block(stalls: Stalls, and_on: float = 0.0) -> None:
    """Hold the thread until somebody complains, and for some more seconds."""
    assert stalls.told.wait(PATIENCE)
    time.sleep(and_on)


def installed(name: str, source: str, **names: object) -> Callable[[], None]:
    """Load a module as if it had been installed by pip."""
    module: dict[str, Any] = {"__name__": name, **names}
    exec(compile(source, f"/venv/lib/site-packages/{name.replace('.', '/')}.py", "exec"), module)
    run: Callable[[], None] = module["run"]
    return run


def threads() -> list[str]:
    """Names of those that work for the watch."""
    return [thread.name for thread in threading.enumerate() if thread.name == THREAD]


@asynccontextmanager
async def watching(home: str = "somewhere_else", limit: float = LIMIT) -> AsyncGenerator[None, None]:
    """Watch the block."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_thread, limit, home)
        await wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


async def test_a_function_that_blocks_the_thread_is_named(stalls: Stalls) -> None:
    """The author's own: nobody looks for a mistake in `Event.wait`."""
    async with watching():
        block(stalls)

    (warning,) = stalls.texts
    assert f"block ({__file__}:" in warning
    assert "trio.sleep" in warning
    assert "trio.to_thread.run_sync" in warning


class Slow(trio.abc.Instrument):
    """Something inside of Trio that takes its time, once."""

    is_done = False

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if not self.is_done:
            self.is_done = True
            time.sleep(4 * LIMIT)


async def test_a_stall_outside_of_all_tasks_is_nobodys(stalls: Stalls) -> None:
    async with watching():
        slow = Slow()
        trio.lowlevel.add_instrument(slow)
        await trio.lowlevel.checkpoint()
        trio.lowlevel.remove_instrument(slow)

    assert (slow.is_done, stalls.texts) == (True, [])


async def test_each_stall_is_told_once(stalls: Stalls) -> None:
    async with watching():
        block(stalls, and_on=3 * LIMIT)
        assert len(stalls.texts) == 1
        await trio.sleep(LIMIT)
        stalls.told.clear()
        block(stalls)

    assert len(stalls.texts) == 2


@pytest.mark.slow
async def test_a_program_that_turns_is_left_alone(stalls: Stalls) -> None:
    """Waiting for long is no stall, nor is another thread at work, nor are many short pieces of work."""
    limit = 0.2  # so long that a busy machine gives this program a turn
    async with watching(limit=limit):
        await trio.to_thread.run_sync(time.sleep, 1.5 * limit)
        end = trio.current_time() + 1.5 * limit
        while trio.current_time() < end:  # noqa: ASYNC110 - to be busy is the purpose
            await trio.lowlevel.checkpoint()

    assert stalls.texts == []


async def test_a_library_that_blocks_is_called_by_somebody(stalls: Stalls) -> None:
    library = installed("library", "def run():\n    wait(10)\n", wait=stalls.told.wait)

    async with watching():
        library()

    assert f"{library_caller} ({__file__}:" in stalls.texts[0]


library_caller = test_a_library_that_blocks_is_called_by_somebody.__qualname__


async def test_an_app_that_was_installed_is_no_library(stalls: Stalls) -> None:
    """It is known by the name of the package that its handler comes from."""
    library = installed("library", "def run():\n    wait(10)\n", wait=stalls.told.wait)
    app = installed("my_app.waits", "def run():\n    call()\n", call=library)

    async with watching("my_app"):
        app()

    assert "run (/venv/lib/site-packages/my_app/waits.py:2)" in stalls.texts[0]


async def test_the_thread_ends_with_the_watch() -> None:
    async with watching():
        while not threads():  # noqa: ASYNC110 - a thread that starts sets no event
            await trio.sleep(LIMIT / 10)

    assert not threads()


async def test_a_clock_that_is_not_the_real_one_is_not_watched(autojump_clock: MockClock) -> None:
    """Else the wake-ups would keep an autojump clock from jumping."""
    await watch_thread(LIMIT, "")

    assert not threads()


@pytest.mark.slow
async def test_a_handler_that_blocks_the_thread_is_named(stalls: Stalls) -> None:
    moved_on = trio.Event()

    async def blinks(session: MentraSession) -> None:
        block(stalls)
        moved_on.set()
        await trio.sleep_forever()

    config = SessionConfig(stall_limit=LIMIT, snapshot_timeout=0)
    with trio.fail_after(PATIENCE):
        async with open_cloud() as cloud, open_app(cloud, blinks, config=config) as app:
            await app.start()
            await moved_on.wait()

    assert f"block ({__file__}:" in stalls.texts[0]
    assert not threads()


async def test_the_watch_can_be_turned_off() -> None:
    async with open_cloud() as cloud, make_server(cloud, config=SessionConfig(stall_limit=math.inf)).running():
        await wait_all_tasks_blocked()

        assert not threads()
