import gc
import threading
import warnings
from collections.abc import Callable, Hashable
from typing import TypeVar

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio._flow import EventStream, Gap, Hub, Last, Overflow
from mentra_trio.errors import SlowConsumerError

T = TypeVar("T")
KEY = "key"


@attrs.frozen
class Speech:
    """An interim replaces older interims of its utterance; a final has no key."""

    utterance: int
    text: str
    is_final: bool = False


def utterance(speech: Speech) -> Hashable | None:
    return None if speech.is_final else speech.utterance


@pytest.fixture
def hub() -> Hub:
    return Hub(lambda _tag, _is_open: None)


def numbers(
    hub: Hub,
    *,
    capacity: int = 4,
    overflow: Overflow = Overflow.DROP_OLDEST,
    where: Callable[[int], bool] | None = None,
) -> EventStream[int]:
    return EventStream(hub, (KEY,), name="numbers", capacity=capacity, overflow=overflow, where=where)


def speeches(hub: Hub, *, capacity: int = 4) -> EventStream[Speech]:
    return EventStream(
        hub, (KEY,), name="speech", capacity=capacity, overflow=Overflow.COALESCE, coalesce_key=utterance
    )


def publish(hub: Hub, *items: object) -> int:
    return sum(hub.publish(KEY, item) for item in items)


def counts(stream: EventStream[object]) -> dict[str, int]:
    """The counts that are not zero."""
    found = stream.statistics()
    assert found.received == found.delivered + found.coalesced + found.dropped + found.buffered
    named = {name: getattr(found, name) for name in ("received", "delivered", "coalesced", "dropped", "buffered")}
    return {name: count for name, count in named.items() if count}


async def take(stream: EventStream[T], count: int) -> list[T]:
    return [await anext(stream) for _ in range(count)]


async def drain(stream: EventStream[T]) -> list[T]:
    return [item async for item in stream]


# Opening and closing


def test_the_constructor_has_no_effect(hub: Hub) -> None:
    stream = numbers(hub)
    assert not hub.has(KEY)
    assert publish(hub, 1) == 0
    assert counts(stream) == {}


async def test_entering_opens_and_leaving_closes(hub: Hub) -> None:
    async with numbers(hub) as stream:
        assert hub.has(KEY)
        publish(hub, 1, 2)
        assert await take(stream, 2) == [1, 2]
    assert not hub.has(KEY)


async def test_a_cancelled_entry_leaves_the_stream_unopened(hub: Hub) -> None:
    stream = numbers(hub)
    with trio.CancelScope() as scope:
        scope.cancel()
        async with stream:
            pytest.fail("entered")  # pragma: no cover
    assert not hub.has(KEY)
    async with stream:
        assert hub.has(KEY)


async def test_a_bare_loop_opens_at_its_start(hub: Hub) -> None:
    stream = numbers(hub)
    iterator = aiter(stream)
    assert iterator is stream
    assert hub.has(KEY)
    publish(hub, 1)
    hub.end()
    assert await drain(stream) == [1]


async def test_a_loop_inside_the_block_does_not_open_twice(hub: Hub) -> None:
    async with numbers(hub) as stream:
        aiter(stream)
        assert publish(hub, 1) == 1


async def test_a_with_without_async_is_told(hub: Hub) -> None:
    stream = numbers(hub)
    with pytest.raises(TypeError, match="is opened by 'async with', not by 'with'"), stream:
        pass
    async with stream:
        assert publish(hub, 1) == 1


async def test_reading_before_opening_is_an_error(hub: Hub) -> None:
    with pytest.raises(RuntimeError, match="is not open; use 'async with' or 'async for'"):
        await anext(numbers(hub))


async def test_a_stream_is_entered_once(hub: Hub) -> None:
    stream = numbers(hub)
    async with stream:
        with pytest.raises(RuntimeError, match="was used before; ask its source for another one"):
            await stream.__aenter__()
    with pytest.raises(RuntimeError, match="was used before; ask its source for another one"):
        await stream.__aenter__()


async def test_a_stream_closed_before_it_was_opened_stays_closed(hub: Hub) -> None:
    stream = numbers(hub)
    stream.close()
    with pytest.raises(RuntimeError, match="was used before"):
        await stream.__aenter__()
    with pytest.raises(trio.ClosedResourceError):
        await drain(stream)
    assert not hub.has(KEY)


async def test_close_is_idempotent_and_discards_what_is_unread(hub: Hub) -> None:
    async with numbers(hub) as stream:
        publish(hub, 1, 2)
        stream.close()
        stream.close()
        assert not hub.has(KEY)
        assert publish(hub, 3) == 0
        with pytest.raises(trio.ClosedResourceError, match="'numbers' was closed"):
            await anext(stream)
        assert counts(stream) == {"received": 2, "buffered": 2}


async def test_close_wakes_every_waiting_task_with_an_error(hub: Hub) -> None:
    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)

    async with numbers(hub) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        stream.close()


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_stream_holds_at_least_one_event(hub: Hub, capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity of stream 'numbers' must be at least 1"):
        numbers(hub, capacity=capacity)


def test_coalescing_needs_a_key_and_the_other_policies_have_none(hub: Hub) -> None:
    with pytest.raises(ValueError, match="COALESCE and coalesce_key belong together"):
        numbers(hub, overflow=Overflow.COALESCE)
    with pytest.raises(ValueError, match="COALESCE and coalesce_key belong together"):
        EventStream(hub, (KEY,), name="s", capacity=1, overflow=Overflow.FAIL, coalesce_key=utterance)


# The end of the source


async def test_an_ended_source_ends_the_loop_after_what_was_received(hub: Hub) -> None:
    async with numbers(hub) as stream:
        publish(hub, 1, 2)
        hub.end()
        assert publish(hub, 3) == 0
        assert await drain(stream) == [1, 2]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_an_ended_source_ends_waiting_tasks(hub: Hub) -> None:
    async def read() -> None:
        assert await drain(stream) == []

    async with numbers(hub) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        hub.end()


async def test_a_stream_opened_after_the_end_ends_at_once(hub: Hub) -> None:
    hub.end()
    async with numbers(hub) as stream:
        assert await drain(stream) == []


async def test_closing_after_the_end_discards_the_rest(hub: Hub) -> None:
    async with numbers(hub) as stream:
        publish(hub, 1)
        hub.end()
        stream.close()
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)


# Overflow


async def test_latest_keeps_the_newest_whatever_the_capacity(hub: Hub) -> None:
    async with numbers(hub, capacity=9, overflow=Overflow.LATEST) as stream:
        assert stream.statistics().capacity == 1
        assert publish(hub, 1, 2, 3) == 3
        assert counts(stream) == {"received": 3, "coalesced": 2, "buffered": 1}
        assert await anext(stream) == 3


async def test_drop_oldest_keeps_the_newest_and_counts(hub: Hub) -> None:
    async with numbers(hub, capacity=2) as stream:
        assert publish(hub, 1, 2, 3, 4) == 4
        assert counts(stream) == {"received": 4, "dropped": 2, "buffered": 2}
        assert await take(stream, 2) == [3, 4]
        assert counts(stream) == {"received": 4, "dropped": 2, "delivered": 2}


async def test_fail_yields_what_it_holds_then_raises_once_then_stops(hub: Hub) -> None:
    async with numbers(hub, capacity=2, overflow=Overflow.FAIL) as stream:
        assert publish(hub, 1, 2, 3, 4) == 2
        assert counts(stream) == {"received": 4, "dropped": 2, "buffered": 2}
        assert await take(stream, 2) == [1, 2]
        assert publish(hub, 5) == 0
        assert hub.has(KEY)
        with pytest.raises(SlowConsumerError) as caught:
            await anext(stream)
        assert (caught.value.stream, caught.value.capacity) == ("numbers", 2)
        assert not hub.has(KEY)
        assert await drain(stream) == []
        assert counts(stream) == {"received": 5, "dropped": 3, "delivered": 2}


async def test_an_overflow_is_reported_even_if_the_source_ended_since(hub: Hub) -> None:
    async with numbers(hub, capacity=1, overflow=Overflow.FAIL) as stream:
        publish(hub, 1, 2)
        hub.end()
        assert await anext(stream) == 1
        with pytest.raises(SlowConsumerError):
            await anext(stream)


async def test_an_overflow_wakes_all_waiting_tasks_and_one_gets_the_error(hub: Hub) -> None:
    outcomes: list[str] = []

    async def read() -> None:
        try:
            outcomes.append(str(await anext(stream)))
        except (SlowConsumerError, StopAsyncIteration) as error:
            outcomes.append(type(error).__name__)

    async with numbers(hub, capacity=1, overflow=Overflow.FAIL) as stream, trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(read)
        await wait_all_tasks_blocked()
        publish(hub, 1, 2)
    assert sorted(outcomes) == ["1", "SlowConsumerError", "StopAsyncIteration"]


async def test_what_the_filter_refuses_is_neither_taken_nor_lost(hub: Hub) -> None:
    async with numbers(hub, where=lambda number: number % 2 == 0) as stream:
        assert publish(hub, 1, 2, 3, 4) == 2
        assert await take(stream, 2) == [2, 4]
        assert counts(stream) == {"received": 2, "delivered": 2}


# Coalescing


async def test_an_unread_interim_is_replaced_in_place(hub: Hub) -> None:
    async with speeches(hub) as stream:
        publish(hub, Speech(1, "he"), Speech(2, "other"), Speech(1, "hello"))
        assert counts(stream) == {"received": 3, "coalesced": 1, "buffered": 2}
        assert await take(stream, 2) == [Speech(1, "hello"), Speech(2, "other")]


async def test_the_last_of_a_key_is_kept_and_what_follows_comes_behind_it(hub: Hub) -> None:
    def key(number: int) -> Hashable:
        return Last("n") if number % 10 == 0 else "n"

    async with EventStream(
        hub, (KEY,), name="numbers", capacity=3, overflow=Overflow.COALESCE, coalesce_key=key
    ) as stream:
        publish(hub, 1, 2, 10, 11, 12)
        assert counts(stream) == {"received": 5, "coalesced": 2, "buffered": 3}
        publish(hub, 20)  # full: the oldest that may be dropped goes
        assert counts(stream) == {"received": 6, "coalesced": 2, "dropped": 1, "buffered": 3}
        assert await take(stream, 3) == [10, 12, 20]
        publish(hub, 21, 22)
        assert await take(stream, 1) == [22]


async def test_an_interim_that_was_read_is_not_replaced(hub: Hub) -> None:
    async with speeches(hub) as stream:
        publish(hub, Speech(1, "he"))
        assert await anext(stream) == Speech(1, "he")
        publish(hub, Speech(1, "hello"))
        assert await anext(stream) == Speech(1, "hello")
        assert counts(stream) == {"received": 2, "delivered": 2}


async def test_a_woken_task_reads_the_content_of_the_moment_it_runs(hub: Hub) -> None:
    """Otherwise every burst would begin with its stalest interim."""
    seen: list[Speech] = []

    async def read() -> None:
        seen.append(await anext(stream))

    async with speeches(hub) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        publish(hub, Speech(1, "h"), Speech(1, "he"), Speech(1, "hello"))
    assert seen == [Speech(1, "hello")]


async def test_a_full_stream_drops_its_oldest_interim(hub: Hub) -> None:
    finals = [Speech(1, "one", is_final=True), Speech(2, "two", is_final=True)]
    async with speeches(hub, capacity=4) as stream:
        publish(hub, finals[0], Speech(3, "old"), Speech(4, "new"), finals[1])
        publish(hub, Speech(5, "newest"))
        assert counts(stream) == {"received": 5, "dropped": 1, "buffered": 4}
        assert await take(stream, 4) == [finals[0], Speech(4, "new"), finals[1], Speech(5, "newest")]


async def test_the_place_in_the_stream_says_which_interim_is_oldest(hub: Hub) -> None:
    async with speeches(hub, capacity=2) as stream:
        publish(hub, Speech(1, "he"), Speech(2, "other"), Speech(1, "hello"))
        publish(hub, Speech(3, "third"))
        assert await take(stream, 2) == [Speech(2, "other"), Speech(3, "third")]


async def test_a_dropped_interim_can_come_again(hub: Hub) -> None:
    async with speeches(hub, capacity=1) as stream:
        publish(hub, Speech(1, "one"), Speech(2, "two"), Speech(1, "one again"))
        assert counts(stream) == {"received": 3, "dropped": 2, "buffered": 1}
        assert await anext(stream) == Speech(1, "one again")


async def test_a_stream_full_of_finals_yields_them_and_then_raises(hub: Hub) -> None:
    finals = [Speech(number, "", is_final=True) for number in range(3)]
    async with speeches(hub, capacity=2) as stream:
        assert publish(hub, *finals) == 2
        assert publish(hub, Speech(9, "interim")) == 0
        assert await take(stream, 2) == finals[:2]
        with pytest.raises(SlowConsumerError):
            await anext(stream)
        assert counts(stream) == {"received": 4, "dropped": 2, "delivered": 2}


# Gaps


async def test_gaps_come_in_order_and_only_to_those_who_asked(hub: Hub) -> None:
    async with numbers(hub) as plain, plain.with_gaps() as gapped:
        publish(hub, 1)
        hub.mark_gap(Gap(2.0, "link lost"))
        publish(hub, 2)
        assert await take(gapped, 3) == [1, Gap(2.0, "link lost"), 2]
        assert await take(plain, 2) == [1, 2]
        assert counts(gapped) == {"received": 2, "delivered": 2}


async def test_a_stream_with_gaps_has_the_filter_and_the_policy_of_its_origin(hub: Hub) -> None:
    origin = numbers(hub, capacity=2, where=lambda number: number > 0)
    async with origin.with_gaps() as stream:
        assert publish(hub, -1, 1, 2, 3) == 3
        hub.mark_gap(Gap(1.0, "link lost"))
        assert await take(stream, 3) == [2, 3, Gap(1.0, "link lost")]
        assert stream.statistics().name == "numbers"


async def test_neighbouring_gaps_are_added_up(hub: Hub) -> None:
    async with numbers(hub).with_gaps() as stream:
        hub.mark_gap(Gap(1.0, "link lost"))
        hub.mark_gap(Gap(2.5, "cloud busy"))
        publish(hub, 1)
        assert await take(stream, 2) == [Gap(3.5, "cloud busy"), 1]


async def test_gaps_take_no_room_and_are_not_dropped(hub: Hub) -> None:
    async with numbers(hub, capacity=2).with_gaps() as stream:
        hub.mark_gap(Gap(1.0, "first"))
        publish(hub, 1)
        hub.mark_gap(Gap(1.0, "second"))
        publish(hub, 2)
        assert counts(stream) == {"received": 2, "buffered": 2}
        publish(hub, 3, 4)
        assert await take(stream, 3) == [Gap(2.0, "second"), 3, 4]
        assert counts(stream) == {"received": 4, "dropped": 2, "delivered": 2}


async def test_gaps_merge_when_the_last_event_between_them_is_dropped(hub: Hub) -> None:
    """Otherwise a stream that nobody reads would grow by one gap per reconnect."""
    async with numbers(hub, capacity=1, overflow=Overflow.LATEST).with_gaps() as stream:
        for number in range(100):
            hub.mark_gap(Gap(1.0, "link lost"))
            publish(hub, number)
        assert await take(stream, 2) == [Gap(100.0, "link lost"), 99]


async def test_gaps_with_events_between_them_stay_apart(hub: Hub) -> None:
    async with numbers(hub, capacity=2).with_gaps() as stream:
        publish(hub, 1)
        hub.mark_gap(Gap(1.0, "first"))
        publish(hub, 2)
        hub.mark_gap(Gap(1.0, "second"))
        publish(hub, 3)
        assert await take(stream, 4) == [Gap(1.0, "first"), 2, Gap(1.0, "second"), 3]


async def test_dropping_an_interim_between_gaps_merges_them(hub: Hub) -> None:
    final = Speech(1, "final", is_final=True)
    async with speeches(hub, capacity=2).with_gaps() as stream:
        publish(hub, final)
        hub.mark_gap(Gap(1.0, "first"))
        publish(hub, Speech(2, "interim"))
        hub.mark_gap(Gap(1.0, "second"))
        publish(hub, Speech(3, "newer"))
        assert await take(stream, 3) == [final, Gap(2.0, "second"), Speech(3, "newer")]


async def test_a_gap_wakes_a_waiting_task(hub: Hub) -> None:
    async with numbers(hub).with_gaps() as stream, trio.open_nursery() as nursery:

        async def read() -> None:
            assert await anext(stream) == Gap(1.0, "link lost")

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        hub.mark_gap(Gap(1.0, "link lost"))


async def test_an_ended_stream_takes_no_gap(hub: Hub) -> None:
    async with numbers(hub).with_gaps() as stream:
        hub.end()
        hub.mark_gap(Gap(1.0, "link lost"))
        assert await drain(stream) == []


# When a loop yields: D13


async def test_every_item_checks_for_cancellation_and_loses_none(hub: Hub) -> None:
    async with numbers(hub) as stream:
        publish(hub, 1, 2)
        for _ in range(3):
            with trio.CancelScope() as scope:
                scope.cancel()
                await anext(stream)
            assert scope.cancelled_caught
        assert await take(stream, 2) == [1, 2]


async def test_a_loop_is_cancelled_at_the_very_next_item(hub: Hub) -> None:
    async with numbers(hub, capacity=100) as stream:
        publish(hub, *range(100))
        seen: list[int] = []
        with trio.CancelScope() as scope:
            async for number in stream:
                seen.append(number)
                if number == 10:
                    scope.cancel()
        assert seen == list(range(11))
        assert await anext(stream) == 11


@attrs.define(eq=False)
class ItemsPerStep(trio.abc.Instrument):
    """How many items were read in each step of a task that read any."""

    seen: list[int]
    steps: list[int] = attrs.field(factory=list[int])
    before: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.before = len(self.seen)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if len(self.seen) > self.before:
            self.steps.append(len(self.seen) - self.before)


@pytest.mark.parametrize("starts_waiting", [False, True])
async def test_a_loop_visits_the_scheduler_at_least_every_32_items(hub: Hub, *, starts_waiting: bool) -> None:
    """A busy stream must not starve the other tasks, such as the one that answers pings."""
    counter = ItemsPerStep([])

    async def read() -> None:
        async for number in stream:
            counter.seen.append(number)

    trio.lowlevel.add_instrument(counter)
    async with numbers(hub, capacity=1000) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        if starts_waiting:
            await wait_all_tasks_blocked()
        publish(hub, *range(1000))
        hub.end()
    assert counter.seen == list(range(1000))
    assert counter.steps[:-1] == [32] * 31
    assert counter.steps[-1] == 1000 - 31 * 32


async def test_reading_checkpoints_in_full_when_the_stream_has_ended(hub: Hub) -> None:
    async with numbers(hub) as stream:
        hub.end()
        with assert_checkpoints(), pytest.raises(StopAsyncIteration):
            await anext(stream)
        stream.close()
        with assert_checkpoints(), pytest.raises(trio.ClosedResourceError):
            await anext(stream)


async def test_a_cancelled_wait_loses_no_item(hub: Hub) -> None:
    async with numbers(hub) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(anext, stream)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        publish(hub, 1)
    assert counts(stream) in ({"received": 1, "delivered": 1}, {"received": 1, "buffered": 1})


# Several tasks


async def test_each_item_goes_to_one_of_two_tasks(hub: Hub) -> None:
    seen: list[list[int]] = [[], []]

    async def read(mine: list[int]) -> None:
        async for number in stream:
            mine.append(number)
            await trio.lowlevel.checkpoint()

    async with numbers(hub, capacity=100) as stream, trio.open_nursery() as nursery:
        for mine in seen:
            nursery.start_soon(read, mine)
        await wait_all_tasks_blocked()
        publish(hub, *range(100))
        hub.end()
    assert sorted(seen[0] + seen[1]) == list(range(100))
    assert all(mine == sorted(mine) for mine in seen)
    assert all(len(mine) > 10 for mine in seen)


async def test_each_item_wakes_a_task_of_its_own(hub: Hub) -> None:
    """The task that reads the first item may be busy with it for long."""
    seen: list[int] = []

    async def read() -> None:
        seen.append(await anext(stream))

    async with numbers(hub) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        publish(hub, 1, 2)
    assert sorted(seen) == [1, 2]


async def test_a_woken_task_that_is_cancelled_still_takes_its_item(hub: Hub) -> None:
    """The wake-up was spent on that task; if it left empty-handed, the other would starve."""
    seen: list[int] = []
    scope = trio.CancelScope()

    async def read() -> None:
        seen.append(await anext(stream))

    async def read_cancellable() -> None:
        with scope:
            await read()

    async with numbers(hub) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(read_cancellable)
        await wait_all_tasks_blocked()
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        publish(hub, 1)
        scope.cancel()
        await wait_all_tasks_blocked()
        assert seen == [1]
        publish(hub, 2)
    assert seen == [1, 2]


async def test_a_woken_task_whose_item_was_taken_waits_again(hub: Hub) -> None:
    seen: list[int] = []

    async def read() -> None:
        seen.append(await anext(stream))

    async with numbers(hub) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        publish(hub, 1)
        assert await anext(stream) == 1
        await wait_all_tasks_blocked()
        assert seen == []
        publish(hub, 2)
    assert seen == [2]


# Dropped handles


async def test_a_stream_dropped_while_open_warns_and_closes(hub: Hub) -> None:
    stream = aiter(numbers(hub))
    publish(hub, 1)
    with pytest.warns(ResourceWarning, match="'numbers' was dropped while open; use 'async with'"):
        del stream
    await wait_all_tasks_blocked()
    assert not hub.has(KEY)
    assert hub.statistics().open == ()
    assert hub.statistics().closed.discarded == 1


async def test_a_stream_in_a_reference_cycle_warns_and_closes(hub: Hub) -> None:
    cycle: list[object] = [aiter(numbers(hub))]
    cycle.append(cycle)
    del cycle
    with pytest.warns(ResourceWarning, match="'numbers' was dropped while open"):
        gc.collect()
    await wait_all_tasks_blocked()
    assert not hub.has(KEY)


async def test_a_stream_dropped_in_another_thread_closes_in_the_trio_run() -> None:
    changed_in: list[tuple[bool, int]] = []
    hub = Hub(lambda _tag, is_open: changed_in.append((is_open, threading.get_ident())))
    holder = [aiter(numbers(hub))]
    with pytest.warns(ResourceWarning, match="'numbers' was dropped while open"):
        await trio.to_thread.run_sync(holder.clear)
    await wait_all_tasks_blocked()
    assert not hub.has(KEY)
    assert changed_in == [(True, threading.get_ident()), (False, threading.get_ident())]


def test_a_stream_dropped_after_its_run_warns() -> None:
    hub = Hub(lambda _tag, _is_open: None)

    async def main() -> EventStream[int]:
        await trio.lowlevel.checkpoint()
        return aiter(numbers(hub))

    stream = trio.run(main)
    with pytest.warns(ResourceWarning, match="'numbers' was dropped while open"):  # noqa: PT031
        del stream  # the finished run may be part of a cycle that holds it
        gc.collect()


async def test_streams_that_are_closed_or_ended_or_unopened_are_dropped_silently(hub: Hub) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbers(hub)
        async with numbers(hub):
            pass
        failed = numbers(hub, capacity=1, overflow=Overflow.FAIL)
        aiter(failed)
        publish(hub, 1, 2)
        with pytest.raises(SlowConsumerError):
            await drain(failed)
        read, unread = aiter(numbers(hub)), aiter(numbers(hub))
        publish(hub, 3)
        hub.end()
        assert await drain(read) == [3]
        del failed, read, unread
        gc.collect()
    await wait_all_tasks_blocked()
    assert hub.statistics().open == ()


async def test_a_waiting_task_keeps_its_stream_alive(hub: Hub) -> None:
    seen: list[int] = []

    async def read() -> None:
        async for number in numbers(hub):
            seen.append(number)  # noqa: PERF401  # no list in between

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        gc.collect()
        publish(hub, 1)
        hub.end()
    assert seen == [1]


# Properties


@attrs.frozen
class Model:
    """COALESCE as a list, with nothing clever: what the stream holds, and whether it has failed."""

    capacity: int
    held: list[Speech] = attrs.field(factory=list[Speech])
    failed: list[Speech] = attrs.field(factory=list[Speech])

    def offer(self, speech: Speech) -> None:
        if self.failed:
            return
        if not speech.is_final:
            for place, other in enumerate(self.held):
                if not other.is_final and other.utterance == speech.utterance:
                    self.held[place] = speech
                    return
        if len(self.held) == self.capacity:
            interims = [other for other in self.held if not other.is_final]
            if not interims:
                self.failed.append(speech)
                return
            self.held.remove(interims[0])
        self.held.append(speech)


some_speech = st.builds(Speech, st.integers(0, 3), st.text(max_size=1), is_final=st.booleans())


@pytest.mark.slow
@given(capacity=st.integers(1, 5), steps=st.lists(some_speech | st.integers(1, 4)))
def test_a_coalescing_stream_behaves_like_its_model(capacity: int, steps: list[Speech | int]) -> None:
    async def main() -> None:
        hub = Hub(lambda _tag, _is_open: None)
        model = Model(capacity)
        offered: list[Speech] = []
        seen: list[Speech] = []
        async with speeches(hub, capacity=capacity) as stream:
            for step in steps:
                if isinstance(step, Speech):
                    offered.append(step)
                    publish(hub, step)
                    model.offer(step)
                else:
                    for _ in range(min(step, len(model.held))):
                        seen.append(await anext(stream))
                        assert seen[-1] == model.held.pop(0)
                assert stream.statistics().buffered == len(model.held)
                assert counts(stream).get("received", 0) == len(offered)
            hub.end()
            if model.failed:
                seen.extend(await take(stream, len(model.held)))
                with pytest.raises(SlowConsumerError):
                    await anext(stream)
            seen.extend(await drain(stream))
        finals = [speech for speech in offered if speech.is_final]
        seen_finals = [speech for speech in seen if speech.is_final]
        assert seen_finals == finals[: len(seen_finals)]
        assert model.failed or len(seen_finals) == len(finals)

    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.slow
@given(
    overflow=st.sampled_from(Overflow),
    steps=st.lists(st.sampled_from(["offer", "offer", "start", "cancel", "yield", "settle"]), max_size=60),
)
def test_no_item_is_stranded_or_duplicated_when_readers_come_and_go(overflow: Overflow, steps: list[str]) -> None:
    async def main() -> None:
        hub = Hub(lambda _tag, _is_open: None)
        seen: list[int] = []
        scopes: list[trio.CancelScope] = []

        async def read(scope: trio.CancelScope) -> None:
            with scope:
                while True:
                    seen.append(await anext(stream))

        def key(number: int) -> Hashable | None:
            if number % 5 == 0:
                return Last(number % 3)
            return number % 3 or None

        stream: EventStream[int] = EventStream(
            hub,
            (KEY,),
            name="numbers",
            capacity=100,
            overflow=overflow,
            coalesce_key=key if overflow is Overflow.COALESCE else None,
        )
        async with stream, trio.open_nursery() as nursery:
            for number, step in enumerate(steps):
                match step:
                    case "offer":
                        publish(hub, number)
                    case "start":
                        scopes.append(trio.CancelScope())
                        nursery.start_soon(read, scopes[-1])
                    case "cancel" if scopes:
                        scopes.pop(len(scopes) // 2).cancel()
                    case "yield":
                        await trio.lowlevel.checkpoint()
                    case _:
                        await wait_all_tasks_blocked()
                        assert not scopes or "buffered" not in counts(stream)
            nursery.cancel_scope.cancel()
        found = stream.statistics()
        offered = [number for number, step in enumerate(steps) if step == "offer"]
        assert found.received == len(offered)
        assert found.received == found.delivered + found.coalesced + found.dropped + found.buffered
        assert len(seen) == found.delivered
        assert len(set(seen)) == len(seen)
        if overflow in {Overflow.DROP_OLDEST, Overflow.FAIL}:
            assert seen == offered[: len(seen)]

    trio.run(main, clock=MockClock(autojump_threshold=0))
