"""Work that is done elsewhere (D22)."""

import threading
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from mentra_trio._flow import Offload, Threads, run_inline


def broken() -> None:
    raise ValueError("it is broken")


@pytest.mark.parametrize("make", [Threads, lambda: run_inline], ids=["threads", "inline"])
async def test_it_gives_what_the_function_gives(make: Callable[[], Offload]) -> None:
    offload = make()
    with assert_checkpoints():
        assert await offload(lambda: 42) == 42
    with pytest.raises(ValueError, match="it is broken"):
        await offload(broken)


@pytest.mark.parametrize("make", [Threads, lambda: run_inline], ids=["threads", "inline"])
async def test_what_is_cancelled_before_it_begins_never_does(make: Callable[[], Offload]) -> None:
    done: list[int] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        await make()(lambda: done.append(1))

    assert done == []


async def test_threads_work_beside_the_event_loop_a_few_at_a_time() -> None:
    offload = Threads(trio.CapacityLimiter(1))
    here = threading.get_ident()
    at_work: list[bool] = []
    busy = threading.Lock()

    def work() -> None:
        at_work.append(busy.acquire(blocking=False) and threading.get_ident() != here)
        busy.release()

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(offload, work)

    assert at_work == [True] * 5


async def test_inline_work_takes_no_virtual_time(autojump_clock: MockClock) -> None:
    with trio.fail_after(1):
        assert await run_inline(lambda: "done") == "done"
    assert trio.current_time() == 0
