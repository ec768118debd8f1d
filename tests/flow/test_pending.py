from collections.abc import Callable

import attrs
import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from mentra_trio._flow import Expectation, PendingCalls, Waiter


class FullError(Exception):
    """No room to wait."""


class RefusedError(Exception):
    """The peer said no."""


class GoneError(Exception):
    """The peer is gone."""


@attrs.frozen
class Reply:
    request: int
    text: str


@attrs.frozen
class Ask:
    """Waits for the reply with its number; number 0 takes any."""

    number: int
    family: str = "questions"

    def accept(self, message: Reply) -> str | None:
        return message.text if self.number in {0, message.request} else None


@pytest.fixture
def pending() -> PendingCalls[Reply]:
    return PendingCalls(capacity=3, full=FullError)


async def ask(pending: PendingCalls[Reply], expectation: Expectation[Reply, str], found: list[str]) -> None:
    with pending.expect(expectation) as waiter:
        try:
            found.append(await waiter.result())
        except (RefusedError, GoneError) as error:
            found.append(type(error).__name__)


async def test_a_reply_reaches_the_request_that_accepts_it(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(1)) as one, pending.expect(Ask(2)) as two:
        assert pending.offer(Reply(2, "second"))
        assert await two.result() == "second"
        assert not one.is_settled
        assert pending.offer(Reply(1, "first"))
        assert await one.result() == "first"


async def test_the_oldest_request_that_accepts_takes_the_reply(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(7)), pending.expect(Ask(0)) as older, pending.expect(Ask(0)) as newer:
        assert pending.offer(Reply(1, "a"))
        assert pending.offer(Reply(2, "b"))
        assert [await older.result(), await newer.result()] == ["a", "b"]


def test_a_reply_that_nobody_expects_is_not_taken(pending: PendingCalls[Reply]) -> None:
    assert not pending.offer(Reply(1, "early"))
    with pending.expect(Ask(1)):
        assert not pending.offer(Reply(2, "stranger"))
        assert pending.offer(Reply(1, "answer"))
        assert not pending.offer(Reply(1, "answer again"))
    with pending.expect(Ask(1)):
        pass
    assert not pending.offer(Reply(1, "late"))


async def test_a_waiting_task_gets_its_reply(pending: PendingCalls[Reply]) -> None:
    found: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, pending, Ask(1), found)
        await wait_all_tasks_blocked()
        assert len(pending) == 1
        pending.offer(Reply(1, "yes"))
    assert found == ["yes"]
    assert len(pending) == 0


async def test_a_result_may_be_false(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(1)) as waiter:
        pending.offer(Reply(1, ""))
        assert await waiter.result() == ""


async def test_a_result_can_be_read_twice_and_always_checkpoints(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(1)) as waiter:
        pending.offer(Reply(1, "yes"))
        with assert_checkpoints():
            assert await waiter.result() == "yes"
        with assert_checkpoints():
            assert await waiter.result() == "yes"


async def test_a_cancelled_wait_leaves_the_request_waiting(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(1)) as waiter:
        with trio.CancelScope() as scope:
            scope.cancel()
            await waiter.result()
        assert scope.cancelled_caught
        pending.offer(Reply(1, "yes"))
        with trio.CancelScope() as scope:
            scope.cancel()
            await waiter.result()
        assert scope.cancelled_caught
        assert await waiter.result() == "yes"


async def test_a_cancelled_call_waits_no_more(pending: PendingCalls[Reply]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, pending, Ask(1), list[str]())
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(pending) == 0


def test_only_so_many_requests_may_wait(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(1)), pending.expect(Ask(2)):
        with pending.expect(Ask(3)), pytest.raises(FullError), pending.expect(Ask(4)):
            pass
        with pending.expect(Ask(4)):
            assert len(pending) == 3


async def test_a_family_fails_together_each_with_an_error_of_its_own(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(1, "photo")) as one, pending.expect(Ask(2, "led")) as other:
        with pending.expect(Ask(3, "photo")) as two:
            assert pending.fail({"photo", "audio"}, lambda: RefusedError("no")) == 2
            errors: list[Exception] = []
            for waiter in (one, two):
                with pytest.raises(RefusedError) as caught, assert_checkpoints():
                    await waiter.result()
                errors.append(caught.value)
            assert errors[0] is not errors[1]
        assert len(pending) == 1
        assert pending.fail(["photo"], RefusedError) == 0
        pending.offer(Reply(2, "still here"))
        assert await other.result() == "still here"


async def test_the_first_outcome_counts(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(1)) as answered, pending.expect(Ask(2)) as failed:
        pending.offer(Reply(1, "yes"))
        assert pending.fail(["questions"], RefusedError) == 1
        answered.reject(RefusedError)
        failed.resolve("too late")
        assert await answered.result() == "yes"
        with pytest.raises(RefusedError):
            await failed.result()


def fail(pending: PendingCalls[Reply]) -> None:
    pending.fail(["questions"], RefusedError)


def close(pending: PendingCalls[Reply]) -> None:
    pending.close(GoneError)


@pytest.mark.parametrize(("end", "expected"), [(fail, "RefusedError"), (close, "GoneError")])
async def test_a_failure_reaches_waiting_tasks(
    pending: PendingCalls[Reply], end: Callable[[PendingCalls[Reply]], None], expected: str
) -> None:
    found: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, pending, Ask(1), found)
        await wait_all_tasks_blocked()
        end(pending)
    assert found == [expected]


async def test_closing_fails_every_request_and_every_later_one(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(1)) as waiter:
        pending.close(GoneError)
        pending.close(RefusedError)
        assert not pending.offer(Reply(1, "late"))
        with pytest.raises(GoneError):
            await waiter.result()
    with pytest.raises(GoneError), pending.expect(Ask(2)):
        pass


async def wait_written(waiter: Waiter[str], log: list[str]) -> None:
    await waiter.wait_written()
    log.append("written")


async def test_the_write_can_be_waited_for(pending: PendingCalls[Reply]) -> None:
    log: list[str] = []
    with pending.expect(Ask(1)) as waiter:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_written, waiter, log)
            await wait_all_tasks_blocked()
            assert log == []
            waiter.mark_written()
            waiter.mark_written()
        with assert_checkpoints():
            await waiter.wait_written()
    assert log == ["written"]


async def test_an_answer_ends_the_wait_for_the_write(pending: PendingCalls[Reply]) -> None:
    """A reply may overtake the task that wrote the request."""
    log: list[str] = []
    with pending.expect(Ask(1)) as waiter:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_written, waiter, log)
            await wait_all_tasks_blocked()
            pending.offer(Reply(1, "yes"))
        assert await waiter.result() == "yes"
    assert log == ["written"]


async def test_a_failure_ends_the_wait_for_the_write(pending: PendingCalls[Reply]) -> None:
    with pending.expect(Ask(1)) as waiter:
        pending.close(GoneError)
        with pytest.raises(GoneError):
            await waiter.wait_written()
