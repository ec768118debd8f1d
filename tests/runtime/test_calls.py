"""Requests and their answers (D9, P3 0.3, 0.4)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import (
    LinkDownError,
    RequestTimedOutError,
    SessionClosedError,
    SessionConfig,
    StopKind,
    StopReason,
)
from mentra_trio._wire.outbound import Family, Request
from mentra_trio.errors import PermissionDeniedError, RequestError
from tests.scripted_cloud import CloudSocket, Connected, connected


@attrs.frozen(kw_only=True)
class Ask(Request[str]):
    """A question with an answer of its own."""

    TYPE: ClassVar[str] = "ask"
    FAMILY: ClassVar[Family] = Family.PHOTO
    LIMIT: ClassVar[float] = 30.0

    request_id: str

    def accept(self, message: Mapping[str, object], /) -> str | None:
        if message.get("type") != "answer" or message.get("requestId") != self.request_id:
            return None
        return str(message.get("text"))


@attrs.frozen(kw_only=True)
class Blink(Request[bool]):
    """A request of another family, with an answer that is false."""

    TYPE: ClassVar[str] = "blink"
    FAMILY: ClassVar[Family] = Family.LED
    LIMIT: ClassVar[float] = 5.0

    def accept(self, message: Mapping[str, object], /) -> bool | None:
        return False if message.get("type") == "blinked" else None


async def answer(socket: CloudSocket, text: str = "42", request_id: str = "1") -> None:
    await socket.send("answer", requestId=request_id, text=text)


@attrs.define(eq=False)
class Caller:
    """Calls in the background and notes what came of it."""

    link: Connected
    outcomes: list[tuple[float, object]] = attrs.field(factory=list[tuple[float, object]])

    async def call(self, request: Request[Any]) -> None:
        try:
            outcome: object = await self.link.runtime.call(request)
        except (RequestError, SessionClosedError) as error:
            outcome = error
        self.outcomes.append((trio.current_time(), outcome))


async def test_the_answer_is_read_by_the_request(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        nursery.start_soon(caller.call, Ask(request_id="1"))
        message = await link.socket.expect("ask")
        await trio.sleep(2)
        await answer(link.socket)
        await wait_all_tasks_blocked()

        assert message["requestId"] == "1"
        assert caller.outcomes == [(2, "42")]


async def test_a_false_answer_is_an_answer(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        nursery.start_soon(caller.call, Blink())
        await link.socket.expect("blink")
        await link.socket.send("blinked")
        await wait_all_tasks_blocked()

        assert caller.outcomes == [(0, False)]


async def test_answers_find_their_requests_in_any_order(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        for number in range(3):
            nursery.start_soon(caller.call, Ask(request_id=str(number)))
        for number in (2, 0, 1):
            await link.socket.next()
            await trio.sleep(1)
            await answer(link.socket, f"a{number}", str(number))
        await wait_all_tasks_blocked()

        assert caller.outcomes == [(1, "a2"), (2, "a0"), (3, "a1")]


async def test_an_answer_that_nobody_waits_for_is_counted(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await answer(link.socket)
        await wait_all_tasks_blocked()

        assert link.session.statistics().unknown_messages == 1


async def test_no_answer_within_the_limit_is_a_timeout(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(RequestTimedOutError) as caught:
            await link.runtime.call(Ask(request_id="1"))

        assert trio.current_time() == 30
        assert caught.value.seconds == 30
        assert "Ask" in str(caught.value)


async def test_an_answer_after_the_limit_is_ignored(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(RequestTimedOutError):
            await link.runtime.call(Ask(request_id="1"))
        await answer(link.socket)
        await wait_all_tasks_blocked()

        assert link.session.statistics().unknown_messages == 1


async def test_the_limit_counts_from_the_write(autojump_clock: MockClock) -> None:
    """Not from the call: the link may be down for a while before."""
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        nursery.start_soon(caller.call, Blink())
        await trio.sleep(3)
        await socket.ack()
        await trio.sleep(10)

        assert [when for when, _ in caller.outcomes] == [3 + 5]
        assert isinstance(caller.outcomes[0][1], RequestTimedOutError)


async def test_the_limit_does_not_run_while_the_writer_is_stuck(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        link.socket.line.block()
        nursery.start_soon(caller.call, Blink())
        await trio.sleep(7)
        assert caller.outcomes == []
        link.socket.line.unblock()
        await trio.sleep(6)

        assert [when for when, _ in caller.outcomes] == [7 + 5]


async def test_a_lost_link_fails_no_request(autojump_clock: MockClock) -> None:
    """The cloud answers by package, not by socket: the answer comes over the next one."""
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        nursery.start_soon(caller.call, Ask(request_id="1"))
        await link.socket.expect("ask")
        await trio.sleep(1)
        await link.socket.cut()
        socket = await link.next_socket()
        await trio.sleep(1)
        assert caller.outcomes == []
        await answer(socket)
        await wait_all_tasks_blocked()

        assert caller.outcomes == [(2, "42")]
        assert socket.unread() == []


async def test_a_request_whose_write_failed_waits_for_its_limit(autojump_clock: MockClock) -> None:
    """It may have arrived."""
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        link.socket.line.block()
        nursery.start_soon(caller.call, Blink())
        await trio.sleep(1)
        await link.socket.cut()
        socket = await link.next_socket()
        await trio.sleep(10)

        assert [when for when, _ in caller.outcomes] == [1 + 5]
        assert socket.unread() == []
        assert link.session.statistics().messages_lost == 1


async def test_a_refusal_fails_its_family_at_once_and_no_other(autojump_clock: MockClock) -> None:
    """The refusal has no request id (P3 0.4)."""
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        for request in (Ask(request_id="1"), Ask(request_id="2"), Blink()):
            nursery.start_soon(caller.call, request)
        await wait_all_tasks_blocked()
        await trio.sleep(1)
        await link.socket.send(
            "tpa_connection_error", code="PERMISSION_DENIED", message="Camera permission required to take photos"
        )
        await link.socket.close(1008, "Camera permission required to take photos")
        socket = await link.next_socket()
        await wait_all_tasks_blocked()

        assert [when for when, _ in caller.outcomes] == [1, 1]
        for _, error in caller.outcomes:
            assert isinstance(error, PermissionDeniedError)
            assert error.permission == "CAMERA"
        assert caller.outcomes[0][1] is not caller.outcomes[1][1]
        await socket.send("blinked")
        await wait_all_tasks_blocked()
        assert caller.outcomes[2][1] is False


async def test_a_refusal_that_says_nothing_fails_every_request(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        nursery.start_soon(caller.call, Ask(request_id="1"))
        nursery.start_soon(caller.call, Blink())
        await wait_all_tasks_blocked()
        await link.socket.send("tpa_connection_error", code="INTERNAL_ERROR", message="Internal server error")
        await wait_all_tasks_blocked()

        assert len(caller.outcomes) == 2


async def test_a_request_of_another_family_that_was_not_written_yet_is_sent(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        link.socket.line.block()
        await link.session.raw.send("stuck")
        await wait_all_tasks_blocked()
        nursery.start_soon(caller.call, Ask(request_id="1"))
        nursery.start_soon(caller.call, Blink())
        await wait_all_tasks_blocked()
        await link.socket.send("tpa_connection_error", code="PERMISSION_DENIED", message="photo")
        await wait_all_tasks_blocked()
        link.socket.line.unblock()
        await wait_all_tasks_blocked()

        assert [message["type"] for message in link.socket.unread()] == ["stuck", "blink"]
        await link.socket.send("blinked")


async def test_a_refused_request_that_was_not_written_yet_is_not_sent_either(autojump_clock: MockClock) -> None:
    """Its caller was told that it failed."""
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        link.socket.line.block()
        await link.session.raw.send("stuck")
        await wait_all_tasks_blocked()
        nursery.start_soon(caller.call, Ask(request_id="1"))
        await wait_all_tasks_blocked()
        await link.socket.send("tpa_connection_error", code="PERMISSION_DENIED", message="photo")
        await wait_all_tasks_blocked()
        assert len(caller.outcomes) == 1
        link.socket.line.unblock()
        await wait_all_tasks_blocked()

        assert [message["type"] for message in link.socket.unread()] == ["stuck"]
        assert link.session.statistics().outbox.withdrawn == 1


async def test_the_end_of_the_session_fails_every_request(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        nursery.start_soon(caller.call, Ask(request_id="1"))
        nursery.start_soon(caller.call, Blink())
        await trio.sleep(2)
        await link.session.end()
        await wait_all_tasks_blocked()

        assert [when for when, _ in caller.outcomes] == [2, 2]
        assert all(isinstance(error, SessionClosedError) for _, error in caller.outcomes)


async def test_a_request_that_waits_for_the_link_fails_with_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        link.cloud.is_silent = True
        await link.socket.cut()
        nursery.start_soon(caller.call, Ask(request_id="1"))
        await trio.sleep(2)
        await link.session.end()
        await wait_all_tasks_blocked()

        assert [when for when, _ in caller.outcomes] == [2]
        assert isinstance(caller.outcomes[0][1], SessionClosedError)


async def test_a_request_that_waits_for_the_writer_is_not_sent_when_the_session_is_over(
    autojump_clock: MockClock,
) -> None:
    """Nobody waits for what it would begin, such as a stream that has to be stopped."""
    async with connected() as link, trio.open_nursery() as nursery:
        link.socket.line.block()
        await link.session.raw.send("stuck")
        caller = Caller(link)
        nursery.start_soon(caller.call, Ask(request_id="1"))
        await wait_all_tasks_blocked()
        link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))
        link.socket.line.unblock()
        await wait_all_tasks_blocked()

        assert [type(outcome) for _, outcome in caller.outcomes] == [SessionClosedError]
        assert [message["type"] for message in link.socket.unread()] == ["stuck"]


async def test_a_request_after_the_end_fails_at_once(autojump_clock: MockClock) -> None:
    """Its answer could not be waited for, so it is not sent."""
    async with connected() as link:
        await link.session.end()
        with pytest.raises(SessionClosedError):
            await link.runtime.call(Ask(request_id="1"))
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_a_cancelled_request_that_waits_for_the_link_is_withdrawn(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        with trio.move_on_after(1):
            await link.runtime.call(Ask(request_id="1"))
        await socket.ack()
        await socket.expect("subscription_update")
        await wait_all_tasks_blocked()

        assert socket.unread() == []


async def test_a_cancelled_request_that_waits_for_the_writer_is_withdrawn(autojump_clock: MockClock) -> None:
    """The link is up, but the writer is stuck; a photo that nobody waits for must not be taken a minute later."""
    async with connected() as link:
        link.socket.line.block()
        await link.session.raw.send("stuck")
        await wait_all_tasks_blocked()
        with trio.move_on_after(1):
            await link.runtime.call(Ask(request_id="1"))
        link.socket.line.unblock()
        await wait_all_tasks_blocked()

        assert [message["type"] for message in link.socket.unread()] == ["stuck"]
        assert link.session.statistics().outbox.withdrawn == 1


async def test_a_cancelled_request_that_was_written_is_forgotten(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with trio.move_on_after(1):
            await link.runtime.call(Ask(request_id="1"))
        await link.socket.expect("ask")
        await answer(link.socket)
        await wait_all_tasks_blocked()

        assert link.session.statistics().unknown_messages == 1


async def test_too_many_open_requests_are_refused(autojump_clock: MockClock) -> None:
    async with connected(config=SessionConfig(pending_capacity=2)) as link, trio.open_nursery() as nursery:
        caller = Caller(link)
        nursery.start_soon(caller.call, Ask(request_id="1"))
        nursery.start_soon(caller.call, Ask(request_id="2"))
        await wait_all_tasks_blocked()
        with pytest.raises(LinkDownError, match="2 requests are already waiting for their answers") as refused:
            await link.runtime.call(Ask(request_id="3"))
        assert refused.value.capacity == 2
        assert link.session.statistics().requests_refused == 1
        await answer(link.socket, request_id="1")
        await answer(link.socket, request_id="2")


async def test_a_call_checkpoints(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:

        async def reply() -> None:
            await link.socket.expect("ask")
            await answer(link.socket)

        nursery.start_soon(reply)
        with assert_checkpoints():
            await link.runtime.call(Ask(request_id="1"))


# What cannot be spelled


@attrs.frozen(kw_only=True)
class Unspeakable(Request[str]):
    """Holds what JSON cannot."""

    TYPE: ClassVar[str] = "unspeakable"
    LIMIT: ClassVar[float] = 30.0

    value: object

    def accept(self, message: Mapping[str, object], /) -> str | None:
        return None


async def test_a_request_that_json_cannot_hold_fails_alone(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="unspeakable cannot be written as JSON") as caught:
            await link.runtime.call(Unspeakable(value=float("nan")))
        await link.session.raw.send("next")

        assert trio.current_time() == 0
        assert isinstance(caught.value.__cause__, ValueError)
        await link.socket.expect("next")
        assert link.session.stop_reason is None
        assert link.session.statistics().unencodable == 1
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "[run] unspeakable cannot be written as JSON: ValueError"
    ]


async def test_a_command_that_json_cannot_hold_is_dropped_alone(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.runtime.send(Unspeakable(value=object()))
        await link.session.raw.send("next")

        await link.socket.expect("next")
        assert link.session.statistics().unencodable == 1
        assert link.session.statistics().messages_lost == 0


async def test_a_display_that_json_cannot_hold_is_not_tried_again(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.runtime.post("display", Unspeakable(value=object()))
        await trio.sleep(1)
        await link.socket.cut()
        await link.next_socket()
        await trio.sleep(1)

        assert link.session.statistics().unencodable == 1
        assert link.session.stop_reason is None
