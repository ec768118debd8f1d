"""The harness of this folder finds what it is made for."""

import pytest
import trio
from trio.testing import MockClock

from tests.cancellation.steps import Attempt, every_step, living_tasks


async def test_every_moment_is_tried(autojump_clock: MockClock) -> None:
    reached: list[int] = []

    async def operation() -> None:
        reached.append(0)
        for number in range(1, 4):
            await trio.lowlevel.checkpoint()
            reached[-1] = number
        await trio.sleep(10)
        reached[-1] = 4

    for attempt in every_step():
        await attempt.run(operation)
        assert attempt.is_done == (reached[-1] == 4)

    assert set(reached) == {0, 1, 2, 3, 4}


async def test_others_are_interrupted_at_every_step_too(autojump_clock: MockClock) -> None:
    """Somebody who waits for another task is cancelled while that one works."""
    steps: set[int] = set()

    async def operation() -> None:
        done = trio.Event()
        count = 0

        async def work() -> None:
            nonlocal count
            for number in range(1, 6):
                await trio.lowlevel.checkpoint()
                count = number
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            try:
                await done.wait()
            finally:
                steps.add(count)

    for attempt in every_step():
        await attempt.run(operation)

    assert steps >= {0, 1, 2, 3, 4, 5}


async def test_a_place_that_loses_something_is_found(autojump_clock: MockClock) -> None:
    """An item that is taken before a checkpoint is lost when the cancellation comes there."""
    items = list(range(20))
    lost = 0

    async def operation() -> None:
        taken = items.pop()
        await trio.lowlevel.checkpoint()
        kept.append(taken)

    kept: list[int] = []
    for attempt in every_step():
        before = len(items) + len(kept)
        await attempt.run(operation)
        lost += before - len(items) - len(kept)

    assert lost > 0


async def test_a_task_that_is_left_is_counted(autojump_clock: MockClock) -> None:
    before = await living_tasks()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)

        assert await living_tasks() == before + 1
        nursery.cancel_scope.cancel()


async def test_an_error_of_the_operation_leaves_as_it_is(autojump_clock: MockClock) -> None:
    async def operation() -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Attempt(100).run(operation)
