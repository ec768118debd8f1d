import itertools
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, Sequencer, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio._flow import DIRTY, Kind, Outbox, Outgoing
from mentra_trio.errors import LinkDownError


class GoneError(Exception):
    """The link is gone for good."""


@pytest.fixture
def outbox() -> Outbox[str]:
    """An outbox with a closed gate."""
    return Outbox(capacity=3)


@attrs.define
class Writer:
    """Writes everything at once, and notes when."""

    outbox: Outbox[str]
    written: list[str] = attrs.field(factory=list[str])
    times: list[float] = attrs.field(factory=list[float])

    async def run(self) -> None:
        while True:
            outgoing = await self.outbox.next()
            self.written.append(name(outgoing))
            self.times.append(trio.current_time())
            self.outbox.mark_written(outgoing)


def name(outgoing: Outgoing[str]) -> str:
    return "DIRTY" if outgoing.item is DIRTY else outgoing.item


@asynccontextmanager
async def writing(outbox: Outbox[str]) -> AsyncGenerator[Writer, None]:
    """Run a writer behind an open gate."""
    writer = Writer(outbox)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run)
        outbox.open_gate()
        yield writer
        nursery.cancel_scope.cancel()


async def next_name(outbox: Outbox[str]) -> str:
    outgoing = await outbox.next()
    outbox.mark_written(outgoing)
    return name(outgoing)


async def has_next(outbox: Outbox[str], *, seconds: float = 0.0) -> bool:
    """Whether the writer would get something within this time; takes it if so."""
    taken: list[str] = []

    async def read() -> None:
        taken.append(await next_name(outbox))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        if seconds:
            await trio.sleep(seconds)
        nursery.cancel_scope.cancel()
    return bool(taken)


def counts(outbox: Outbox[str]) -> dict[str, int]:
    """The counts that are not zero."""
    found = attrs.asdict(outbox.statistics())
    return {key: count for key, count in found.items() if count}


# Order and gate


async def test_the_writer_takes_control_then_dirty_then_lanes_then_the_queue(outbox: Outbox[str]) -> None:
    outbox.open_gate()
    await outbox.send("first")
    await outbox.send("second")
    outbox.post("text", "shown")
    outbox.mark_dirty()
    outbox.mark_dirty()
    outbox.control("hello")
    outbox.control("pong")
    taken = [await outbox.next() for _ in range(6)]
    assert [name(outgoing) for outgoing in taken] == ["hello", "pong", "DIRTY", "shown", "first", "second"]
    assert [outgoing.kind for outgoing in taken] == [
        Kind.CONTROL, Kind.CONTROL, Kind.DIRTY, Kind.LANE, Kind.QUEUE, Kind.QUEUE,
    ]  # fmt: skip
    assert [outgoing.lane for outgoing in taken if outgoing.lane] == ["text"]
    assert not await has_next(outbox)


async def test_only_control_passes_a_closed_gate(outbox: Outbox[str]) -> None:
    outbox.open_gate()
    await outbox.send("queued")
    outbox.close_gate()
    outbox.post("text", "shown")
    outbox.mark_dirty()
    outbox.control("hello")
    assert await next_name(outbox) == "hello"
    assert not await has_next(outbox)
    outbox.open_gate()
    assert [await next_name(outbox) for _ in range(3)] == ["DIRTY", "shown", "queued"]


def produce_control(outbox: Outbox[str]) -> None:
    outbox.control("hello")


def produce_dirty(outbox: Outbox[str]) -> None:
    outbox.mark_dirty()


def produce_post(outbox: Outbox[str]) -> None:
    outbox.post("text", "shown")


@pytest.mark.parametrize(
    ("produce", "expected"),
    [(produce_control, "hello"), (produce_dirty, "DIRTY"), (produce_post, "shown")],
)
async def test_everything_wakes_a_waiting_writer(
    outbox: Outbox[str], produce: Callable[[Outbox[str]], None], expected: str
) -> None:
    async with writing(outbox) as writer:
        await wait_all_tasks_blocked()
        produce(outbox)
        await wait_all_tasks_blocked()
        assert writer.written == [expected]


async def test_sending_and_opening_the_gate_wake_a_waiting_writer(outbox: Outbox[str]) -> None:
    async with writing(outbox) as writer:
        await wait_all_tasks_blocked()
        await outbox.send("one")
        await wait_all_tasks_blocked()
        assert writer.written == ["one"]
        outbox.close_gate()
        outbox.mark_dirty()
        await wait_all_tasks_blocked()
        assert writer.written == ["one"]
        outbox.open_gate()
        await wait_all_tasks_blocked()
        assert writer.written == ["one", "DIRTY"]


async def test_a_cancelled_writer_takes_nothing(outbox: Outbox[str]) -> None:
    outbox.control("hello")
    with trio.CancelScope() as scope:
        scope.cancel()
        await outbox.next()
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        assert await next_name(outbox) == "hello"
        nursery.start_soon(outbox.next)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    outbox.control("again")
    assert await next_name(outbox) == "again"


async def test_the_writer_always_checkpoints(outbox: Outbox[str]) -> None:
    outbox.control("hello")
    with assert_checkpoints():
        await outbox.next()


async def test_a_control_frame_that_waits_already_is_not_queued_twice(outbox: Outbox[str]) -> None:
    for _ in range(5):
        outbox.control("pong")
    assert counts(outbox) == {"control": 1, "coalesced": 4}
    assert await next_name(outbox) == "pong"
    outbox.control("pong")
    assert counts(outbox) == {"control": 1, "coalesced": 4, "written_control": 1}


async def test_control_frames_of_a_lost_connection_can_be_thrown_away(outbox: Outbox[str]) -> None:
    outbox.control("one")
    outbox.control("two")
    assert outbox.discard_control() == 2
    assert outbox.discard_control() == 0
    assert counts(outbox) == {"discarded": 2}
    outbox.control("three")
    assert await next_name(outbox) == "three"


# Sending


async def test_with_an_open_gate_sending_only_checkpoints(outbox: Outbox[str]) -> None:
    outbox.open_gate()
    with assert_checkpoints():
        await outbox.send("one")
    assert counts(outbox) == {"queued": 1}


async def test_with_an_open_gate_a_cancelled_call_sends_nothing(outbox: Outbox[str]) -> None:
    outbox.open_gate()
    with trio.CancelScope() as scope:
        scope.cancel()
        await outbox.send("one")
    assert scope.cancelled_caught
    assert outbox.is_empty


async def test_with_a_closed_gate_sending_waits_until_the_writer_took_the_item(outbox: Outbox[str]) -> None:
    order = Sequencer()
    log: list[str] = []

    async def send() -> None:
        await outbox.send("one")
        log.append("sent")

    async def write() -> None:
        async with order(1):
            assert log == []
            outbox.open_gate()
        async with order(2):
            assert log == []
            outgoing = await outbox.next()
        async with order(3):
            await wait_all_tasks_blocked()
            assert log == ["sent"]
            outbox.mark_written(outgoing)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        async with order(0):
            await wait_all_tasks_blocked()
        nursery.start_soon(write)


async def test_a_cancelled_caller_takes_its_item_back(outbox: Outbox[str]) -> None:
    async with trio.open_nursery() as nursery:
        for item in ("one", "two", "three"):
            scope = trio.CancelScope()
            nursery.start_soon(send_in, scope, outbox, item)
            await wait_all_tasks_blocked()
            if item == "two":
                scope.cancel()
                await wait_all_tasks_blocked()
                assert counts(outbox) == {"queued": 1, "withdrawn": 1}
        outbox.open_gate()
        assert [await next_name(outbox) for _ in range(2)] == ["one", "three"]


async def send_in(scope: trio.CancelScope, outbox: Outbox[str], item: str) -> None:
    with scope:
        await outbox.send(item)


async def test_an_item_that_the_writer_took_is_not_withdrawn(outbox: Outbox[str]) -> None:
    """The cancellation comes in the same tick, after the writer's turn."""
    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_in, scope, outbox, "one")
        await wait_all_tasks_blocked()
        outbox.open_gate()
        assert await next_name(outbox) == "one"
        scope.cancel()
    assert not scope.cancelled_caught
    assert counts(outbox) == {"written_queue": 1}


async def test_a_full_queue_refuses_at_once(outbox: Outbox[str]) -> None:
    outbox.open_gate()
    for _ in range(2):
        await outbox.send("queued")
    outbox.close_gate()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.send, "waiting")
        await wait_all_tasks_blocked()
        with pytest.raises(LinkDownError) as caught:
            await outbox.send("refused")
        assert caught.value.capacity == 3
        assert counts(outbox) == {"queued": 3, "refused": 1}
        outbox.open_gate()
        assert await next_name(outbox) == "queued"
        await outbox.send("fits")
        assert [await next_name(outbox) for _ in range(3)] == ["queued", "waiting", "fits"]


async def test_what_may_not_wait_is_queued_whatever_the_gate(outbox: Outbox[str]) -> None:
    outbox.send_nowait("a")
    assert not await has_next(outbox)
    outbox.open_gate()

    assert await next_name(outbox) == "a"
    for number in range(outbox.capacity):
        outbox.send_nowait(str(number))
    with pytest.raises(LinkDownError):
        outbox.send_nowait("one more")
    outbox.close(lambda: ValueError("closed"))
    with pytest.raises(ValueError, match="closed"):
        outbox.send_nowait("late")
    assert (outbox.statistics().refused, outbox.statistics().discarded) == (1, outbox.capacity)


async def test_the_sender_learns_when_its_item_was_taken_and_written(outbox: Outbox[str]) -> None:
    log: list[str] = []
    outbox.open_gate()
    await outbox.send("one", on_taken=lambda: log.append("taken"), on_written=lambda: log.append("written"))
    assert log == []
    outgoing = await outbox.next()
    assert log == ["taken"]
    outbox.mark_written(outgoing)
    assert log == ["taken", "written"]


# Lanes


async def test_a_lane_keeps_its_newest_item_and_counts_the_others(outbox: Outbox[str]) -> None:
    outbox.open_gate()
    for item in ("one", "two", "three"):
        outbox.post("text", item)
    outbox.post("card", "other lane")
    assert counts(outbox) == {"lanes": 2, "coalesced": 2}
    assert [await next_name(outbox) for _ in range(2)] == ["three", "other lane"]


async def test_a_lane_keeps_its_pace_and_wakes_the_writer_exactly_then(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    async with writing(outbox) as writer:
        for number in range(6):
            outbox.post("text", str(number))
            await trio.sleep(0.2)
        await outbox.wait_empty()
    assert writer.times == pytest.approx([0, 0.35, 0.7, 1.05], abs=1e-12)
    assert writer.written == ["0", "1", "3", "5"]


async def test_lanes_have_a_pace_of_their_own_and_the_queue_has_none(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    async with writing(outbox) as writer:
        outbox.post("text", "text 1")
        await trio.sleep(0.1)
        outbox.post("text", "text 2")
        outbox.post("card", "card 1")
        await outbox.send("command")
        await trio.sleep(0.1)
        outbox.post("card", "card 2")
        await outbox.wait_empty()
    assert writer.written == ["text 1", "card 1", "command", "text 2", "card 2"]
    assert writer.times == pytest.approx([0, 0.1, 0.1, 0.35, 0.45], abs=1e-12)


async def test_the_pace_counts_from_the_end_of_a_slow_write(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    """What the peer sees is when frames arrive, and a write that blocks arrives late."""
    outbox.open_gate()
    outbox.post("text", "slow")
    outgoing = await outbox.next()
    outbox.post("text", "next")
    await trio.sleep(2)
    outbox.mark_written(outgoing)
    assert await next_name(outbox) == "next"
    assert trio.current_time() == 2.35


async def test_a_pace_can_be_chosen(autojump_clock: MockClock) -> None:
    outbox = Outbox[str](capacity=1, pace=2.0)
    outbox.open_gate()
    for item in ("one", "two"):
        outbox.post("text", item)
        assert await next_name(outbox) == item
    assert trio.current_time() == 2


async def test_of_two_lanes_that_are_due_the_one_that_waited_longer_goes_first(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    outbox.post("a", "a 1")
    outbox.post("b", "b 1")
    outbox.open_gate()
    assert [await next_name(outbox) for _ in range(2)] == ["a 1", "b 1"]
    outbox.post("b", "b 2")
    await trio.sleep(0.1)
    outbox.post("a", "a 2")
    await trio.sleep(0.1)
    outbox.post("b", "b 3")
    await trio.sleep(1)
    assert [await next_name(outbox) for _ in range(2)] == ["b 3", "a 2"]


async def test_what_was_posted_while_the_gate_was_closed_is_sent_whatever_its_lifetime(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    outbox.post("text", "old", lifetime=5)
    outbox.post("text", "new", lifetime=5)
    await trio.sleep(60)
    outbox.open_gate()
    assert await next_name(outbox) == "new"


# Restoring lanes


@pytest.mark.parametrize(("since", "restored"), [(9.0, True), (10.0, True), (10.5, False)])
async def test_what_was_sent_since_then_is_sent_again(
    outbox: Outbox[str], autojump_clock: MockClock, *, since: float, restored: bool
) -> None:
    outbox.open_gate()
    await trio.sleep(10)
    outbox.post("text", "shown")
    assert await next_name(outbox) == "shown"
    await trio.sleep(30)
    outbox.restore_lanes(since)
    assert await has_next(outbox) == restored
    assert outbox.statistics().restored == int(restored)


async def test_what_was_taken_but_never_written_is_restored(outbox: Outbox[str]) -> None:
    outbox.open_gate()
    outbox.post("text", "lost")
    started = trio.current_time()
    await outbox.next()
    outbox.close_gate()
    outbox.restore_lanes(started)
    outbox.open_gate()
    assert outbox.statistics().lanes == 1


async def test_restoring_twice_sends_once(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    outbox.open_gate()
    outbox.post("text", "shown")
    await next_name(outbox)
    outbox.restore_lanes(0)
    outbox.restore_lanes(0)
    assert await next_name(outbox) == "shown"
    assert outbox.is_empty
    assert trio.current_time() == 0.35


async def test_a_newer_item_is_not_replaced_by_a_restored_one(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    outbox.open_gate()
    outbox.post("text", "shown")
    await next_name(outbox)
    outbox.post("text", "newer")
    outbox.restore_lanes(0)
    assert await next_name(outbox) == "newer"
    assert outbox.is_empty
    assert outbox.statistics().restored == 0


async def test_restoring_ends_with_the_lifetime_and_does_not_prolong_it(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    outbox.open_gate()
    outbox.post("text", "shown", lifetime=10)
    await next_name(outbox)
    for moment in (4, 8):
        await trio.sleep_until(moment)
        outbox.restore_lanes(0)
        assert await next_name(outbox) == "shown"
    await trio.sleep_until(10)
    outbox.restore_lanes(0)
    assert outbox.is_empty
    outbox.restore_lanes(0)
    assert counts(outbox) == {"written_lanes": 3, "restored": 2, "discarded": 1}


async def test_the_lifetime_begins_when_the_item_is_written(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    outbox.post("text", "shown", lifetime=10)
    await trio.sleep(60)
    outbox.open_gate()
    outgoing = await outbox.next()
    await trio.sleep(20)
    outbox.mark_written(outgoing)
    await trio.sleep(9)
    outbox.restore_lanes(0)
    assert (await outbox.next()).remaining == 1


async def test_what_could_not_be_written_is_sent_again_with_all_its_lifetime(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    outbox.open_gate()
    outbox.post("text", "stuck", lifetime=1)
    await outbox.next()
    await trio.sleep(10)
    outbox.take_back("text")
    outbox.close_gate()
    outbox.restore_lanes(0)
    outbox.open_gate()
    outgoing = await outbox.next()
    assert (outgoing.item, outgoing.remaining) == ("stuck", None)
    assert outbox.statistics().restored == 1


async def test_what_was_shown_and_cannot_be_written_again_in_its_lifetime_is_thrown_away(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    outbox.open_gate()
    outbox.post("text", "shown", lifetime=5)
    await next_name(outbox)
    outbox.restore_lanes(0)
    await outbox.next()
    await trio.sleep(10)
    outbox.take_back("text")
    outbox.take_back("text")
    assert outbox.is_empty is False  # it is still in the hands of the writer
    assert counts(outbox) == {"written_lanes": 1, "restored": 1, "discarded": 1}


async def test_what_could_not_be_written_gives_way_to_what_is_newer(outbox: Outbox[str]) -> None:
    outbox.open_gate()
    outbox.post("text", "stuck")
    await outbox.next()
    outbox.post("text", "newer")
    outbox.take_back("text")
    assert counts(outbox) == {"lanes": 1, "coalesced": 1}


async def test_a_peer_that_begins_anew_gets_what_still_holds(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    """What was there for all of its time is not lost."""
    outbox.open_gate()
    outbox.post("text", "brief", lifetime=5)
    outbox.post("card", "shown")
    outbox.post("other", "old")
    for _ in range(3):
        await next_name(outbox)
    outbox.post("other", "waits")
    await trio.sleep(5)
    outbox.repeat_lanes()
    assert [await next_name(outbox) for _ in range(2)] == ["waits", "shown"]
    assert outbox.is_empty
    assert counts(outbox) == {"written_lanes": 5, "restored": 1}


async def test_a_restored_item_that_waits_past_its_lifetime_is_thrown_away(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    outbox.open_gate()
    outbox.post("text", "shown", lifetime=10)
    await next_name(outbox)
    outbox.close_gate()
    outbox.restore_lanes(0)
    await trio.sleep(10)
    outbox.open_gate()
    assert not await has_next(outbox)
    assert outbox.is_empty
    assert counts(outbox) == {"written_lanes": 1, "restored": 1, "discarded": 1}


async def test_what_was_sent_last_is_forgotten_as_a_suspect_but_what_waits_stays(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    outbox.open_gate()
    outbox.post("text", "shown")
    await next_name(outbox)
    outbox.control("ping")
    await next_name(outbox)
    outbox.post("card", "waits")
    outbox.forget_suspects(math.inf)
    outbox.restore_lanes(0)
    assert outbox.statistics().discarded == 1
    assert await next_name(outbox) == "waits"
    assert outbox.is_empty


async def test_what_was_sent_before_something_else_is_no_suspect_until_it_was_sent_again(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    outbox.open_gate()
    for expected in (True, False):
        if expected:
            outbox.post("text", "shown")
        assert await next_name(outbox) == "shown"
        await outbox.send("command")
        await next_name(outbox)
        await trio.sleep(1)
        outbox.forget_suspects(trio.current_time() - 0.5)
        outbox.restore_lanes(0)
        assert outbox.is_empty is not expected


async def test_what_was_sent_lately_is_a_suspect(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    outbox.open_gate()
    outbox.post("text", "shown")
    await next_name(outbox)
    await outbox.send("command")
    await next_name(outbox)
    await trio.sleep(1)
    outbox.forget_suspects(trio.current_time() - 1)
    outbox.restore_lanes(0)
    assert outbox.is_empty


async def test_an_item_that_is_sent_again_tells_what_is_left_of_its_lifetime(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    outbox.open_gate()
    outbox.post("text", "shown", lifetime=10)
    outgoing = await outbox.next()
    assert outgoing.remaining is None
    outbox.mark_written(outgoing)
    for left in (7, 6):
        await trio.sleep_until(10 - left)
        outbox.restore_lanes(0)
        assert (await outbox.next()).remaining == left
    outbox.post("text", "for ever")
    await trio.sleep(1)
    await outbox.next()
    outbox.restore_lanes(0)
    assert (await outbox.next()).remaining is None


# A peer that covers what it is sent


async def test_what_has_a_lifetime_waits_until_it_is_seen(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    async with writing(outbox) as writer:
        outbox.cover(2, is_wiped=False)
        outbox.post("brief", "b", lifetime=5)
        outbox.post("text", "t")
        await trio.sleep(10)
        assert (writer.written, writer.times) == (["t", "b"], [0, 2])
        assert outbox.statistics().restored == 0


async def test_what_may_be_wiped_is_sent_once_more(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    async with writing(outbox) as writer:
        outbox.cover(2, is_wiped=True)
        for text in ("one", "two"):
            outbox.post("text", text)
            await trio.sleep(0.5)
        await trio.sleep(10)
        assert (writer.written, writer.times) == (["one", "two", "two"], [0, 0.5, 2])
        assert outbox.statistics().restored == 1


async def test_what_cannot_be_seen_for_its_lifetime_any_more_is_thrown_away(
    outbox: Outbox[str], autojump_clock: MockClock
) -> None:
    async with writing(outbox) as writer:
        outbox.post("text", "brief", lifetime=1)
        await wait_all_tasks_blocked()
        outbox.repeat_lanes()
        outbox.cover(2, is_wiped=True)
        await outbox.wait_empty()
        assert trio.current_time() == 2
        assert writer.written == ["brief"]
        assert counts(outbox) == {"written_lanes": 1, "restored": 1, "discarded": 1}


async def test_a_cover_that_is_taken_off_wakes_the_writer(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    async with writing(outbox) as writer:
        outbox.cover(100, is_wiped=True)
        outbox.post("brief", "b", lifetime=5)
        await trio.sleep(1)
        outbox.uncover()
        await trio.sleep(200)
        assert (writer.written, writer.times) == (["b"], [1])


async def test_behind_a_closed_gate_the_end_of_a_cover_waits(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    async with writing(outbox) as writer:
        outbox.cover(2, is_wiped=True)
        outbox.post("text", "t")
        await trio.sleep(1)
        outbox.close_gate()
        await trio.sleep(4)
        outbox.open_gate()
        await trio.sleep(4)
        assert (writer.written, writer.times) == (["t", "t"], [0, 5])


# The end


async def test_closing_fails_waiting_senders_and_later_calls(outbox: Outbox[str]) -> None:
    async def send() -> None:
        with pytest.raises(GoneError):
            await outbox.send("one")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        outbox.close(GoneError)
        outbox.close(ValueError)
    with pytest.raises(GoneError):
        await outbox.send("two")
    with pytest.raises(GoneError):
        outbox.post("text", "three")
    outbox.mark_dirty()
    assert outbox.is_empty


async def test_closing_throws_away_what_waits_and_counts_it(outbox: Outbox[str]) -> None:
    outbox.open_gate()
    outbox.post("card", "written")
    await next_name(outbox)
    await outbox.send("one")
    outbox.post("text", "two")
    outbox.mark_dirty()
    outbox.close(GoneError)
    assert counts(outbox) == {"written_lanes": 1, "discarded": 2}
    outbox.open_gate()
    assert not await has_next(outbox)


async def test_control_passes_after_closing(outbox: Outbox[str]) -> None:
    """A last word may still have to be said."""
    outbox.control("before")
    outbox.close(GoneError)
    outbox.control("after")
    assert [await next_name(outbox) for _ in range(2)] == ["before", "after"]


async def test_empty_means_that_the_last_write_is_done_too(outbox: Outbox[str]) -> None:
    log: list[str] = []

    async def wait() -> None:
        await outbox.wait_empty()
        log.append("empty")

    outbox.open_gate()
    await outbox.send("one")
    outbox.post("text", "two")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        await next_name(outbox)
        await wait_all_tasks_blocked()
        outgoing = await outbox.next()
        await wait_all_tasks_blocked()
        assert log == []
        assert not outbox.is_empty
        outbox.mark_written(outgoing)
    assert log == ["empty"]
    with assert_checkpoints():
        await outbox.wait_empty()


Wait = Callable[[], Awaitable[None]]


async def write_and_come_back(outbox: Outbox[str], wait: Wait) -> None:
    outbox.control("taken")
    await outbox.next()
    await wait()
    with trio.CancelScope() as scope:
        scope.cancel()
        await outbox.next()


async def write_and_lose_the_link(outbox: Outbox[str], wait: Wait) -> None:
    outbox.control("taken")
    await outbox.next()
    await wait()
    outbox.close_gate()


async def withdraw(outbox: Outbox[str], wait: Wait) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.send, "withdrawn")
        await wait()
        nursery.cancel_scope.cancel()


async def discard_control(outbox: Outbox[str], wait: Wait) -> None:
    outbox.control("discarded")
    await wait()
    outbox.discard_control()


async def outlive(outbox: Outbox[str], wait: Wait) -> None:
    outbox.open_gate()
    outbox.post("text", "shown", lifetime=0.1)
    await next_name(outbox)
    outbox.restore_lanes(0)
    await wait()
    await has_next(outbox, seconds=1)


async def close(outbox: Outbox[str], wait: Wait) -> None:
    outbox.mark_dirty()
    await wait()
    outbox.close(GoneError)


@pytest.mark.parametrize(
    "empty", [write_and_come_back, write_and_lose_the_link, withdraw, discard_control, outlive, close]
)
async def test_however_it_becomes_empty_who_waits_for_that_is_woken(
    outbox: Outbox[str], empty: Callable[[Outbox[str], Wait], Awaitable[None]], autojump_clock: MockClock
) -> None:
    log: list[str] = []

    async def wait_empty() -> None:
        await outbox.wait_empty()
        log.append("empty")

    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            nursery.start_soon(wait_empty)
            await wait_all_tasks_blocked()
            assert log == []

        await empty(outbox, wait)
    assert log == ["empty"]


async def test_a_writer_of_a_lost_connection_does_not_end_the_write_of_the_next(outbox: Outbox[str]) -> None:
    """Its last frame may be finished behind a shield while the next connection is up."""
    outbox.open_gate()
    await outbox.send("old")
    await outbox.send("new")
    old = await outbox.next()
    outbox.close_gate()
    outbox.open_gate()
    new = await outbox.next()
    outbox.mark_written(old)
    assert not outbox.is_empty
    outbox.mark_written(new)
    assert outbox.is_empty


async def test_statistics_count_what_waits_and_what_was_written(outbox: Outbox[str]) -> None:
    assert counts(outbox) == {}
    nothing = outbox.statistics()
    outbox.open_gate()
    outbox.control("hello")
    outbox.mark_dirty()
    outbox.post("text", "shown")
    await outbox.send("queued")
    assert outbox.statistics() == attrs.evolve(nothing, control=1, is_dirty=True, lanes=1, queued=1)
    for _ in range(4):
        await next_name(outbox)
    assert outbox.statistics() == attrs.evolve(
        nothing, written_control=1, written_dirty=1, written_lanes=1, written_queue=1
    )


# Properties


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["post a", "post b", "send", "open", "close", "restore", "cover"]), st.integers(0, 12)
        )
    )
)
def test_lanes_keep_pace_and_the_queue_keeps_order_whatever_happens(steps: list[tuple[str, int]]) -> None:
    async def main() -> None:
        outbox = Outbox[str](capacity=1000)
        written: list[tuple[Outgoing[str], float]] = []
        last: dict[str, str] = {}
        sent: list[str] = []

        async def write() -> None:
            while True:
                outgoing = await outbox.next()
                written.append((outgoing, trio.current_time()))
                outbox.mark_written(outgoing)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            async with trio.open_nursery() as senders:
                for number, (step, pause) in enumerate(steps):
                    item = f"{step} {number}"
                    match step:
                        case "post a" | "post b":
                            outbox.post(step, item)
                            last[step] = item
                        case "send":
                            senders.start_soon(outbox.send, item)
                            sent.append(item)
                            await wait_all_tasks_blocked()
                        case "open":
                            outbox.open_gate()
                        case "close":
                            outbox.close_gate()
                        case "cover":
                            outbox.cover(trio.current_time() + 0.5, is_wiped=True)
                        case _:
                            outbox.restore_lanes(trio.current_time() - 1)
                    await trio.sleep(pause / 10)
                outbox.open_gate()
            await outbox.wait_empty()
            nursery.cancel_scope.cancel()
        assert [outgoing.item for outgoing, _ in written if outgoing.kind is Kind.QUEUE] == sent
        for lane, newest in last.items():
            items = [(outgoing.item, time) for outgoing, time in written if outgoing.lane == lane]
            assert items[-1][0] == newest
            times = [time for _, time in items]
            assert all(later >= earlier + outbox.pace for earlier, later in itertools.pairwise(times))

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_an_item_that_was_given_up_may_turn_out_to_be_written(outbox: Outbox[str]) -> None:
    """The writer of a lost connection ends its last write after the next one has begun."""
    outbox.open_gate()
    outbox.post("display", "a")
    outgoing = await outbox.next()
    outbox.close_gate()
    outbox.forget_suspects(since=-math.inf)
    outbox.mark_written(outgoing)

    outbox.restore_lanes(since=-math.inf)
    assert not outbox.statistics().lanes


async def test_what_the_peer_has_is_not_sent_again(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    def post(item: str) -> None:
        outbox.post("text", item, at_first="blank")

    post("blank")
    assert outbox.is_empty
    post("never sent")
    post("blank")
    assert outbox.is_empty
    async with writing(outbox) as writer:
        for item in ("shown", "replaced", "shown"):
            post(item)
            await wait_all_tasks_blocked()
        assert outbox.is_empty
        post("blank")
        await outbox.wait_empty()
        outbox.repeat_lanes()  # the peer begins with a blank anyway
        assert outbox.is_empty

        assert writer.written == ["shown", "blank"]


async def test_what_the_peer_may_not_have_is_sent_again(outbox: Outbox[str], autojump_clock: MockClock) -> None:
    def again(item: str) -> None:
        outbox.post("text", "other", at_first="blank")
        outbox.post("text", item, at_first="blank")

    outbox.open_gate()
    again("a")
    assert await next_name(outbox) == "a"
    outbox.post("text", "other", at_first="blank")
    outbox.restore_lanes(-math.inf)
    again("a")
    assert await next_name(outbox) == "a"
    outbox.post("text", "other", at_first="blank")
    outbox.repeat_lanes()
    again("a")
    await outbox.next()
    outbox.post("text", "other", at_first="blank")
    outbox.take_back("text")
    again("a")
    assert await next_name(outbox) == "a"
    outbox.forget_suspects(-math.inf)
    again("blank")
    assert await next_name(outbox) == "blank"
    again("a")
    outgoing = await outbox.next()
    outbox.mark_failed(outgoing, ValueError())
    again("blank")

    assert await next_name(outbox) == "blank"
