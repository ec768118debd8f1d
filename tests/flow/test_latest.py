from collections.abc import Callable

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from mentra_trio._flow import Latest, LatestSource


class GoneError(Exception):
    """The end of these values."""


@pytest.fixture
def source() -> LatestSource[int]:
    return LatestSource(0)


def at_least(limit: int) -> Callable[[int], bool]:
    return lambda value: value >= limit


def test_the_view_follows_the_source(source: LatestSource[int]) -> None:
    latest: Latest[object] = source.latest
    seen = [latest.value]
    source.set(1)
    seen.append(latest.value)
    assert seen == [0, 1]


def test_the_view_shows_no_value_when_it_is_printed() -> None:
    """It may be a wearer's setting."""
    assert repr(LatestSource({"name": "Ana"}).latest) == "<Latest dict>"


async def test_waiting_for_what_holds_already_only_checkpoints(source: LatestSource[int]) -> None:
    with assert_checkpoints():
        assert await source.latest.wait_for(at_least(0)) == 0


async def test_the_value_that_held_is_returned_even_if_it_changes_meanwhile(
    source: LatestSource[int],
) -> None:
    def is_zero(value: int) -> bool:
        source.set(1)
        return value == 0

    assert await source.latest.wait_for(is_zero) == 0


async def test_waiting_ends_at_the_first_value_that_holds(source: LatestSource[int]) -> None:
    found: list[int] = []

    async def wait(limit: int) -> None:
        found.append(await source.latest.wait_for(at_least(limit)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, 2)
        nursery.start_soon(wait, 5)
        for value in (1, 3, 7):
            await wait_all_tasks_blocked()
            source.set(value)
    assert found == [3, 7]


async def test_a_value_that_is_replaced_at_once_is_not_seen(source: LatestSource[int]) -> None:
    seen: list[int] = []

    def holds(value: int) -> bool:
        seen.append(value)
        return value == 3

    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.latest.wait_for, holds)
        await wait_all_tasks_blocked()
        source.set(1)
        source.set(2)
        await wait_all_tasks_blocked()
        source.set(3)
    assert seen == [0, 2, 3]


async def test_waiting_can_be_cancelled(source: LatestSource[int]) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await source.latest.wait_for(at_least(0))
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.latest.wait_for, at_least(9))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    source.set(9)


async def test_after_the_end_waiting_raises_unless_the_value_holds(source: LatestSource[int]) -> None:
    source.set(5)
    source.close(GoneError)
    source.set(6)
    assert source.latest.value == 5
    assert await source.latest.wait_for(at_least(5)) == 5
    with assert_checkpoints(), pytest.raises(GoneError):
        await source.latest.wait_for(at_least(6))


async def test_the_end_reaches_waiting_tasks(source: LatestSource[int]) -> None:
    async def wait() -> None:
        with pytest.raises(GoneError):
            await source.latest.wait_for(at_least(9))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        source.close(GoneError)
        source.close(ValueError)


async def test_a_last_value_before_the_end_still_counts(source: LatestSource[int]) -> None:
    async def wait() -> None:
        assert await source.latest.wait_for(at_least(9)) == 9

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        source.set(9)
        source.close(GoneError)


async def test_changes_begin_after_the_call_and_end_with_the_source(source: LatestSource[int]) -> None:
    source.set(1)
    changes = source.latest.changes()
    source.set(2)
    assert aiter(changes) is changes
    assert await anext(changes) == 2
    source.set(3)
    source.close(GoneError)
    assert [value async for value in changes] == [3]


async def test_only_the_newest_change_is_read(source: LatestSource[int]) -> None:
    changes = source.latest.changes()
    source.set(1)
    source.set(2)
    assert await anext(changes) == 2
    with trio.move_on_after(0) as scope:
        await anext(changes)
    assert scope.cancelled_caught


async def test_a_value_that_changed_and_changed_back_is_read_again(source: LatestSource[int]) -> None:
    changes = source.latest.changes()
    source.set(1)
    source.set(0)
    assert await anext(changes) == 0


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (1, 1.0), (0.0, 0)])
def test_an_equal_value_of_another_type_is_a_change(before: object, after: object) -> None:
    cell = LatestSource(before)
    cell.set(after)
    assert type(cell.latest.value) is type(after)


def test_what_counts_as_the_same_can_be_chosen() -> None:
    cell = LatestSource(1.0, lambda one, other: abs(one - other) < 0.5)
    cell.set(1.2)
    assert cell.latest.value == 1.0
    cell.set(1.6)
    assert cell.latest.value == 1.6


async def test_an_equal_value_is_no_change(source: LatestSource[int]) -> None:
    changes = source.latest.changes()
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            assert await anext(changes) == 1

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        source.set(0)
        await wait_all_tasks_blocked()
        source.set(1)


async def test_a_cancelled_reader_loses_no_change(source: LatestSource[int]) -> None:
    changes = source.latest.changes()
    source.set(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(changes)
    assert scope.cancelled_caught
    assert await anext(changes) == 1


async def test_two_tasks_share_the_changes_and_two_iterations_do_not(source: LatestSource[int]) -> None:
    found: list[int] = []
    shared, alone = source.latest.changes(), source.latest.changes()

    async def read() -> None:
        async for value in shared:
            found.append(value)  # noqa: PERF401  # no list in between

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        source.set(1)
        await wait_all_tasks_blocked()
        source.close(GoneError)
    assert found == [1]
    assert [value async for value in alone] == [1]


async def test_reading_changes_always_checkpoints(source: LatestSource[int]) -> None:
    changes = source.latest.changes()
    source.set(1)
    with assert_checkpoints():
        await anext(changes)
    source.close(GoneError)
    with assert_checkpoints(), pytest.raises(StopAsyncIteration):
        await anext(changes)


async def test_a_part_changes_only_when_it_does() -> None:
    source = LatestSource[tuple[int, str]]((1, "a"))
    part = source.latest.select(lambda value: value[0])
    changes = part.changes()
    source.set((1, "b"))
    with trio.move_on_after(0) as unchanged:
        await anext(changes)
    source.set((2, "b"))

    assert unchanged.cancelled_caught
    assert part.value == 2
    assert await anext(changes) == 2


async def test_a_part_is_true_before_whoever_waits_for_the_whole_runs(nursery: trio.Nursery) -> None:
    source = LatestSource(0)
    half = source.latest.select(lambda value: value // 2)
    seen: list[int] = []

    async def wait() -> None:
        await source.latest.wait_for(lambda value: value == 4)
        seen.append(half.value)

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    source.set(4)
    await wait_all_tasks_blocked()

    assert seen == [2]


async def test_a_part_ends_with_the_whole() -> None:
    source = LatestSource(0)
    before = source.latest.select(bool)
    source.close(lambda: ValueError("over"))
    after = source.latest.select(bool)
    for part in (before, after):
        assert [value async for value in part.changes()] == []
        with pytest.raises(ValueError, match="over"):
            await part.wait_for(lambda value: value)
