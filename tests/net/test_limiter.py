"""How fast connections start, to the exact moment of the virtual clock."""

import math
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio._net.limiter import ConnectLimiter


async def take(
    limiter: ConnectLimiter,
    name: int | str,
    order: list[tuple[int | str, float]],
    *,
    urgent: bool = False,
    hold: float = 0.0,
) -> None:
    async with limiter.slot(urgent=urgent):
        order.append((name, trio.current_time()))
        await trio.sleep(hold)


async def test_at_most_so_many_run_at_once(autojump_clock: MockClock) -> None:
    limiter = ConnectLimiter(at_once=2)
    order: list[tuple[int | str, float]] = []
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(partial(take, limiter, number, order, hold=10))
            await wait_all_tasks_blocked()
    # Sorted: tasks that are let in at the same moment run in any order.
    waits = sorted((when - start, name) for name, when in order)
    assert waits == [(0, 0), (0, 1), (10, 2), (10, 3), (20, 4), (20, 5)]


async def test_no_second_sees_more_starts_than_allowed(autojump_clock: MockClock) -> None:
    limiter = ConnectLimiter(at_once=1000, per_second=3)
    order: list[tuple[int | str, float]] = []
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(partial(take, limiter, number, order))
            await trio.sleep(0.25)
        for number in range(3, 8):
            nursery.start_soon(partial(take, limiter, number, order))
            await wait_all_tasks_blocked()
    assert [when - start for _, when in order] == [0, 0.25, 0.5, 1, 1.25, 1.5, 2, 2.25]
    assert [name for name, _ in order] == list(range(8))


async def test_a_process_full_of_sessions_comes_back_at_the_full_rate(autojump_clock: MockClock) -> None:
    """The numbers of D20, with connects that take 0.1 s: 250 in each second, and the last starts after 3.4 s."""
    limiter = ConnectLimiter()
    order: list[tuple[int | str, float]] = []
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(1000):
            nursery.start_soon(partial(take, limiter, number, order, hold=0.1))
    times = [when - start for _, when in order]
    for begin in times:
        assert sum(begin <= when < begin + 1.0 for when in times) <= 250
    for begin in times:
        assert sum(begin <= when < begin + 0.1 for when in times) <= 50
    assert max(times) == pytest.approx(3.4)


async def test_urgent_callers_go_first_the_newest_of_them_before_all(autojump_clock: MockClock) -> None:
    """The cloud waits 6 s for what is urgent (P1 1.3), so whoever came first is out of time first."""
    limiter = ConnectLimiter(at_once=1)
    order: list[tuple[int | str, float]] = []
    async with trio.open_nursery() as nursery:
        for name, urgent in (("holds", False), ("a", False), ("B", True), ("c", False), ("D", True)):
            nursery.start_soon(partial(take, limiter, name, order, urgent=urgent, hold=1))
            await wait_all_tasks_blocked()
    assert [name for name, _ in order] == ["holds", "D", "B", "a", "c"]


async def test_an_urgent_caller_overtakes_those_who_wait_for_the_rate(autojump_clock: MockClock) -> None:
    limiter = ConnectLimiter(per_second=1)
    order: list[tuple[int | str, float]] = []
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(take, limiter, name, order)
            await wait_all_tasks_blocked()
        await trio.sleep(0.5)
        nursery.start_soon(partial(take, limiter, "URGENT", order, urgent=True))
    assert [(name, when - start) for name, when in order] == [("a", 0), ("URGENT", 1), ("b", 2), ("c", 3)]


async def test_a_cancelled_waiter_takes_nothing(autojump_clock: MockClock) -> None:
    limiter = ConnectLimiter(at_once=1, per_second=2)
    order: list[tuple[int | str, float]] = []
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(take, limiter, "first", order, hold=5))
        await wait_all_tasks_blocked()
        with trio.move_on_after(1) as scope:
            await take(limiter, "cancelled", order)
        assert scope.cancelled_caught
        nursery.start_soon(take, limiter, "second", order)
    assert [(name, when - start) for name, when in order] == [("first", 0), ("second", 5)]


async def test_the_next_one_takes_over_the_clock_of_a_cancelled_waiter(autojump_clock: MockClock) -> None:
    """Only the first in the queue watches the time, so its cancellation must not leave the others asleep."""
    limiter = ConnectLimiter(per_second=1)
    order: list[tuple[int | str, float]] = []
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        await take(limiter, "first", order)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as cancelled:
                cancelled.start_soon(take, limiter, "cancelled", order)
                await wait_all_tasks_blocked()
                nursery.start_soon(take, limiter, "second", order)
                await wait_all_tasks_blocked()
                scope.cancel()
    assert [(name, when - start) for name, when in order] == [("first", 0), ("second", 1)]


async def test_a_waiter_that_is_let_in_and_cancelled_in_the_same_moment_takes_nothing(
    autojump_clock: MockClock,
) -> None:
    limiter = ConnectLimiter(at_once=1, per_second=2)
    order: list[tuple[int | str, float]] = []
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as cancelled:
                async with limiter.slot():
                    cancelled.start_soon(take, limiter, "cancelled", order)
                    await wait_all_tasks_blocked()
                scope.cancel()
        nursery.start_soon(take, limiter, "next", order)
    assert [(name, when - start) for name, when in order] == [("next", 0)]


async def test_an_error_inside_gives_the_slot_back(autojump_clock: MockClock) -> None:
    limiter = ConnectLimiter(at_once=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with limiter.slot():
                _ = 1 / 0


async def test_a_free_slot_is_still_a_checkpoint() -> None:
    limiter = ConnectLimiter()
    with assert_checkpoints():
        async with limiter.slot():
            pass


async def test_a_caller_that_is_cancelled_already_takes_nothing() -> None:
    limiter = ConnectLimiter(at_once=1, per_second=1)
    with trio.CancelScope() as scope:
        scope.cancel()
        async with limiter.slot():
            pytest.fail("entered")  # pragma: no cover
    with trio.fail_after(1):
        async with limiter.slot():
            pass


@pytest.mark.parametrize(("at_once", "per_second"), [(0, 1), (1, 0), (-1, 1)])
def test_limits_below_one_make_no_sense(at_once: int, per_second: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        ConnectLimiter(at_once, per_second)


callers = st.lists(
    st.tuples(
        st.integers(0, 30),  # tenths of a second before the next one comes
        st.booleans(),  # urgent
        st.integers(0, 25),  # how long it holds the slot
        st.none() | st.integers(0, 25),  # when it is cancelled
    ),
    max_size=30,
)


@given(callers=callers, at_once=st.integers(1, 3), per_second=st.integers(1, 3))
def test_whoever_comes_and_goes_both_limits_hold_and_everybody_gets_a_turn(
    callers: list[tuple[int, bool, int, int | None]], at_once: int, per_second: int
) -> None:
    starts: list[float] = []
    running = 0

    async def caller(limiter: ConnectLimiter, urgent: bool, hold: int, patience: int | None) -> None:
        nonlocal running
        with trio.move_on_after(math.inf if patience is None else patience / 10):
            async with limiter.slot(urgent=urgent):
                starts.append(trio.current_time())
                running += 1
                assert running <= at_once
                try:
                    await trio.sleep(hold / 10)
                finally:
                    running -= 1

    async def main() -> None:
        limiter = ConnectLimiter(at_once, per_second)
        with trio.fail_after(1000):  # noqa: ASYNC912 - an empty list is fine too
            async with trio.open_nursery() as nursery:
                for pause, urgent, hold, patience in callers:
                    nursery.start_soon(caller, limiter, urgent, hold, patience)
                    await trio.sleep(pause / 10)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    for begin in starts:
        assert sum(begin <= when < begin + 1.0 for when in starts) <= per_second
    assert len(starts) >= sum(patience is None for *_, patience in callers)
