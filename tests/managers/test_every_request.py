"""Whatever can become of a request, played for every one of them: the table is in `requests`.

What only one request does, such as a photo whose upload goes astray, is tested with its manager.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from inspect import isabstract
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import SessionConfig
from mentra_trio._wire.outbound import Request
from mentra_trio._wire.rest import RestRequest
from mentra_trio.errors import CloudRefusedError, DeviceUnavailableError, PermissionDeniedError, SessionClosedError
from mentra_trio.managers.camera.video import STOP_LIMIT
from mentra_trio.models import Permission
from tests.cancellation.steps import every_step, living_tasks

from .requests import BARE, ROWS, Row, Stage, kinds_of, open_stage

if TYPE_CHECKING:
    from collections.abc import Sequence


def each(rows: Sequence[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.kind.__name__)


every = each(ROWS)


async def answer_all(stage: Stage, row: Row) -> None:
    """Answer a request each time that it comes."""
    while True:
        request = await row.reach(stage)
        with trio.CancelScope(shield=True):  # half a frame would end the connection
            await row.answer(stage, request)


async def works(stage: Stage, row: Row) -> None:
    """Make the request, and have it answered, as all others of its kind that the SDK makes by itself."""

    outcome = stage.ask(row)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_all, stage, row)
        assert await outcome.wait() == row.gives
        nursery.cancel_scope.cancel()


def sent(stage: Stage) -> list[str]:
    """What has arrived on the socket since it was looked at."""
    return [message["type"] for message in stage.socket.unread() if message["type"] != "subscription_update"]


def test_no_request_is_missing() -> None:
    """By name: a class with slots is made twice, and the first one may still be around."""
    known = {(row.kind.__name__, row.kind.LIMIT) for row in ROWS}

    def is_known(kind: type[Request[object] | RestRequest[object]]) -> bool:
        # A subclass that waits as long is a way of reading the same answers, and is made by the same call.
        return isabstract(kind) or any((base.__name__, kind.LIMIT) in known for base in kind.__mro__)

    assert len(known) == len(ROWS)
    assert [kind.__name__ for base in (Request, RestRequest) for kind in kinds_of(base) if not is_known(kind)] == []


@every
def test_what_does_not_apply_is_explained(row: Row) -> None:
    reasons = [why for why in (row.refuse, row.refuse_all, row.strangers, row.again, row.hardware, row.mistakes) if why]
    if not isinstance(row.permission, Permission):
        reasons.append(row.permission)

    assert all(why.endswith(".") for why in reasons if isinstance(why, str))


@each([row for row in ROWS if not isinstance(row.mistakes, str)])
async def test_a_mistake_is_raised_and_nothing_is_sent(autojump_clock: MockClock, row: Row) -> None:
    assert not isinstance(row.mistakes, str)
    async with open_stage() as stage:
        for mistake in row.mistakes:
            with pytest.raises((ValueError, TypeError)):
                await mistake(stage.session)
        await trio.sleep(60)  # in which what is written behind would be sent

        assert sent(stage) == []
        assert stage.http.is_idle
        await works(stage, row)


@every
async def test_an_answer_is_returned(autojump_clock: MockClock, row: Row) -> None:
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        if issubclass(row.kind, Request):
            assert request["type"] == row.kind.TYPE
        else:
            assert request.request.method == row.kind.METHOD
        await row.answer(stage, request)
        assert await outcome.wait() == row.gives
        await works(stage, row)

        assert stage.session.statistics().unknown_messages == 0


@each([row for row in ROWS if not isinstance(row.refuse, str)])
async def test_a_no_is_raised(autojump_clock: MockClock, row: Row) -> None:
    assert not isinstance(row.refuse, str)
    async with open_stage() as stage:
        outcome = stage.ask(row)
        await row.refuse(stage, await row.reach(stage))

        assert isinstance(await outcome.wait(), row.refused)


@every
async def test_a_refusal_that_names_no_request_fails_it(autojump_clock: MockClock, row: Row) -> None:
    """P3 0.4: the cloud refuses without an id."""
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        await stage.socket.send("tpa_connection_error", code="INTERNAL_ERROR", message="no")
        await wait_all_tasks_blocked()
        if row.refuse_all:
            assert outcome.at is None
            await row.answer(stage, request)

            assert await outcome.wait() == row.gives
        else:
            assert type(outcome.value) is CloudRefusedError


@every
async def test_an_app_without_the_permission_sends_nothing(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, row: Row
) -> None:
    async with open_stage(declared=()) as stage:
        if isinstance(row.permission, Permission):
            outcome = await stage.ask(row).wait()

            assert isinstance(outcome, PermissionDeniedError)
            assert outcome.permission == row.permission.value
            assert sent(stage) == []
        else:
            await works(stage, row)

            told = [record for record in caplog.records if record.levelno == logging.WARNING]
            assert len(told) == ("warning" in row.permission)


@every
async def test_glasses_that_cannot_do_it_are_not_asked(autojump_clock: MockClock, row: Row) -> None:
    async with open_stage(capabilities=BARE) as stage:
        if row.hardware is None:
            assert isinstance(await stage.ask(row).wait(), DeviceUnavailableError)
            assert sent(stage) == []
        else:
            await works(stage, row)


@every
async def test_a_link_that_is_lost_meanwhile_fails_nothing(autojump_clock: MockClock, row: Row) -> None:
    """D9: the cloud answers the app, not the socket."""
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        await stage.lose_link()
        assert outcome.at is None
        assert sent(stage) == []  # nothing is asked twice
        await row.answer(stage, request)

        assert await outcome.wait() == row.gives


@each([row for row in ROWS if issubclass(row.kind, Request)])
async def test_an_answer_that_is_lost_with_the_link_is_silence(autojump_clock: MockClock, row: Row) -> None:
    """P1 2.10: the cloud keeps nothing for an app without a socket, and none of these can be asked for again."""
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        asked_at = trio.current_time()
        await stage.lose_answer(row, request)
        assert outcome.at is None

        assert isinstance(await outcome.wait(), row.overdue)
        assert outcome.at == pytest.approx(asked_at + row.limit)
        await wait_all_tasks_blocked()
        assert stage.pending == 0
        await works(stage, row)


@each([row for row in ROWS if row.found is not None])
async def test_an_answer_that_is_lost_with_the_link_is_found(autojump_clock: MockClock, row: Row) -> None:
    """P3 6.5: the cloud tells by itself what goes on."""
    assert row.found is not None
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        await stage.lose_answer(row, request)
        await row.found(stage, request)

        assert await outcome.wait() == row.gives
        await wait_all_tasks_blocked()
        assert stage.pending == 0


@each([row for row in ROWS if issubclass(row.kind, Request)])
async def test_a_link_that_is_down_is_waited_for_and_the_limit_does_not_run(
    autojump_clock: MockClock, row: Row
) -> None:
    """D9: it counts from the write."""
    async with open_stage(config=SessionConfig(ack_timeout=2000)) as stage:
        await stage.socket.cut()
        stage.socket = await stage.cloud.accept()
        await stage.socket.open()
        outcome = stage.ask(row)
        await trio.sleep(row.limit + 1)
        assert (outcome.at, sent(stage)) == (None, [])
        await stage.socket.ack()
        await row.answer(stage, await row.reach(stage))

        assert await outcome.wait() == row.gives


@every
async def test_the_end_of_the_session_fails_what_waits_on_the_socket(autojump_clock: MockClock, row: Row) -> None:
    """Over HTTP it goes on in the grace of the handler (D7)."""
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        await stage.session.end()
        await wait_all_tasks_blocked()
        if issubclass(row.kind, Request):
            assert isinstance(outcome.value, SessionClosedError)
            assert isinstance(await stage.ask(row).wait(), SessionClosedError)
        else:
            assert outcome.at is None
            await row.answer(stage, request)

            assert await outcome.wait() == row.gives


@every
async def test_silence_is_an_error_at_the_limit(autojump_clock: MockClock, row: Row) -> None:
    async with open_stage() as stage:
        outcome = stage.ask(row)
        await row.reach(stage)
        asked_at = trio.current_time()

        assert isinstance(await outcome.wait(), row.overdue)
        assert outcome.at == pytest.approx(asked_at + row.limit)


@every
async def test_a_cancelled_call_is_forgotten(autojump_clock: MockClock, row: Row) -> None:
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        outcome.scope.cancel()
        await outcome.wait()
        assert outcome.scope.cancelled_caught
        await row.answer(stage, request)

        await works(stage, row)
        assert stage.session.statistics().unknown_messages == 0


@each([row for row in ROWS if issubclass(row.kind, Request)])
async def test_a_call_that_is_cancelled_at_any_moment_leaves_nothing_behind(
    autojump_clock: MockClock, row: Row
) -> None:
    """Neither here, nor in the cloud: what was begun there is ended."""
    begun_and_ended = (
        ("audio_stream_start", "audio_stream_end"),
        ("stream_request", "stream_stop"),
        ("managed_stream_request", "managed_stream_stop"),
    )
    async with open_stage() as stage:
        tasks = await living_tasks()
        for attempt in every_step():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer_all, stage, row)
                await attempt.run(partial(row.ask, stage.session))
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
            await trio.sleep(STOP_LIMIT)  # in which a stop may have been lost, and the glasses may be busy

            assert await living_tasks() == tasks
            assert stage.pending == 0
            told = Counter(message["type"] for _, message in stage.socket.received)
            assert [told[begun] for begun, _ in begun_and_ended] == [told[ended] for _, ended in begun_and_ended]
        await works(stage, row)


@every
async def test_a_second_answer_changes_nothing(autojump_clock: MockClock, row: Row) -> None:
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        await row.answer(stage, request)
        await row.answer(stage, request)
        if not (row.again or isinstance(row.refuse, str)):
            await row.refuse(stage, request)

        assert await outcome.wait() == row.gives
        await works(stage, row)
        assert stage.session.statistics().unknown_messages == 0


@every
async def test_a_late_answer_changes_nothing(autojump_clock: MockClock, row: Row) -> None:
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        error = await outcome.wait()
        await row.answer(stage, request)

        assert outcome.value is error
        await works(stage, row)
        assert stage.session.statistics().unknown_messages == 0


@each([row for row in ROWS if not isinstance(row.strangers, str)])
async def test_answers_for_others_are_none(autojump_clock: MockClock, row: Row) -> None:
    assert not isinstance(row.strangers, str)
    async with open_stage() as stage:
        outcome = stage.ask(row)
        request = await row.reach(stage)
        await row.strangers(stage, request)
        await wait_all_tasks_blocked()
        assert outcome.at is None
        await row.answer(stage, request)

        assert await outcome.wait() == row.gives
