"""Requests over HTTP: to which cloud, in whose name, and for how long."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, ClassVar

import attrs
import pytest
import trio

from mentra_trio._net.rest import HttpAnswer, HttpRequest
from mentra_trio._net.transport import CloudUrl
from mentra_trio._runtime.identity import Identity
from mentra_trio._runtime.life import Life
from mentra_trio._runtime.rest import RestSide
from mentra_trio._wire.rest import RestAnswer, RestRequest, answered, segment
from mentra_trio.errors import (
    CloudRefusedError,
    CloudUnreachableError,
    ConnectFailedError,
    DecodeError,
    RequestTimedOutError,
    SessionClosedError,
)
from mentra_trio.models import StopKind, StopReason

if TYPE_CHECKING:
    from trio.testing import MockClock


@attrs.frozen
class Ask(RestRequest[dict[str, object]]):
    METHOD: ClassVar[str] = "POST"
    LIMIT: ClassVar[float] = 3.0

    def target(self, user_id: str, package_name: str, /) -> str:
        return f"/ask/{segment(user_id)}/{segment(package_name)}"

    def body(self) -> bytes:
        return b'{"a":1}'

    def read(self, answer: RestAnswer, /) -> dict[str, object]:
        return answered(answer, "what was asked for")


@attrs.frozen
class AskAnybody(Ask):
    IS_SIGNED: ClassVar[bool] = False


@attrs.define
class FakeNetwork:
    """Answers, late where that is wanted."""

    answer: HttpAnswer = attrs.field(factory=lambda: HttpAnswer(status=200, body=b'{"success":true}'))
    delay: float = 0.0
    sent: list[HttpRequest] = attrs.field(factory=list[HttpRequest])

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        del largest
        self.sent.append(request)
        await trio.sleep(self.delay)
        if self.answer.status == 0:
            raise ConnectFailedError("no network")
        return self.answer

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


@attrs.define
class Side:
    network: FakeNetwork = attrs.field(factory=FakeNetwork)
    life: Life = attrs.field(factory=Life)
    host: str = "api.mentra.glass"
    earlier: tuple[trio.Event, ...] = ()
    rest: RestSide = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rest = RestSide(
            identity=Identity(
                session_id="s", user_id="Ana+x@b.c/ü", package_name="com.example.app", api_key="key", sdk_version="3"
            ),
            life=self.life,
            client=self.network,
            random=Random(1),
            get_url=lambda: CloudUrl(host=self.host, port=443, tls=True, target="/ws/miniapp?x=1"),
            earlier=self.earlier,
        )


async def test_a_call_goes_to_the_cloud_that_owns_the_session(autojump_clock: MockClock) -> None:
    """P1 8.1: the address of the socket without its path; it may change (D17)."""
    side = Side()
    assert await side.rest.call(Ask()) == {"success": True}
    side.host = "franceapi.mentra.glass"
    await side.rest.call(AskAnybody())

    first, second = side.network.sent
    assert first.url == CloudUrl(
        host="api.mentra.glass", port=443, tls=True, target="/ask/Ana%2Bx%40b.c%2F%C3%BC/com.example.app"
    )
    assert (first.method, first.body) == ("POST", b'{"a":1}')
    assert dict(first.headers) == {"content-type": "application/json", "authorization": "Bearer com.example.app:key"}
    assert second.url.host == "franceapi.mentra.glass"
    assert "authorization" not in dict(second.headers)


async def test_a_call_has_a_limit(autojump_clock: MockClock) -> None:
    side = Side(FakeNetwork(delay=math.inf))
    with pytest.raises(RequestTimedOutError, match="Ask was not answered within 3 s") as caught:
        await side.rest.call(Ask())

    assert caught.value.seconds == 3
    assert trio.current_time() == 3
    assert "glasses" not in str(caught.value)


async def test_a_caller_may_wait_for_less(autojump_clock: MockClock) -> None:
    side = Side(FakeNetwork(delay=2))
    with trio.move_on_after(1) as scope:
        await side.rest.call(Ask())

    assert scope.cancelled_caught


async def test_no_answer_is_an_error_of_its_own(autojump_clock: MockClock) -> None:
    side = Side(FakeNetwork(answer=HttpAnswer(status=0)))
    with pytest.raises(CloudUnreachableError) as caught:
        await side.rest.call(Ask())

    assert isinstance(caught.value.__cause__, ConnectFailedError)


@pytest.mark.parametrize(
    ("status", "body", "code", "text"),
    [
        (401, b'{"error":"Invalid API key","message":"not valid"}', "HTTP 401", "Invalid API key: not valid"),
        (500, b"<html>oops</html>", "HTTP 500", "no explanation"),
        (307, b"", "HTTP 307", "no explanation"),
        (200, b'{"success":false,"message":"no\\nway"}', "HTTP 200", "no?way"),
        (200, b'{"message":"' + b"x" * 1000 + b'"}', "HTTP 200", "x" * 200),
    ],
)
async def test_a_refusal_has_the_clouds_words(
    autojump_clock: MockClock, status: int, body: bytes, code: str, text: str
) -> None:
    side = Side(FakeNetwork(answer=HttpAnswer(status=status, body=body)))
    with pytest.raises(CloudRefusedError) as caught:
        await side.rest.call(Ask())

    assert (caught.value.code, caught.value.text) == (code, text)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"\xff"])
async def test_an_answer_that_is_no_json_names_what_was_read(autojump_clock: MockClock, body: bytes) -> None:
    side = Side(FakeNetwork(answer=HttpAnswer(status=200, body=body)))
    with pytest.raises(DecodeError, match="what was asked for"):
        await side.rest.call(Ask())


@pytest.mark.parametrize(
    ("header", "seconds"), [("12", 12.0), ("soon", None), ("-1", None), ("9" * 400, None), (None, None)]
)
async def test_when_another_try_is_welcome(
    autojump_clock: MockClock, header: str | None, seconds: float | None
) -> None:
    seen: list[float | None] = []

    class Look(Ask):
        def read(self, answer: RestAnswer, /) -> dict[str, object]:
            seen.append(answer.retry_after)
            return {}

    headers = {} if header is None else {"retry-after": header}
    side = Side(FakeNetwork(answer=HttpAnswer(status=429, headers=headers)))
    await side.rest.call(Look())

    assert seen == [seconds]


async def test_it_works_until_it_is_closed(autojump_clock: MockClock) -> None:
    """The grace of a session that is over is for storing values (D7)."""
    side = Side()
    side.life.end(StopReason(StopKind.STOP_REQUESTED, "user_disabled"), None)
    side.rest.check()
    await side.rest.call(Ask())
    side.rest.close()
    with pytest.raises(SessionClosedError, match="user_disabled"):
        await side.rest.call(Ask())
    with pytest.raises(SessionClosedError):
        side.rest.check()

    assert len(side.network.sent) == 1


def test_pauses_grow_and_differ() -> None:
    side = Side()
    for failures, longest in [(1, 1), (2, 2), (3, 4), (7, 60), (5000, 60)]:
        pauses = {side.rest.pause(failures) for _ in range(50)}
        assert len(pauses) > 40
        assert longest / 2 <= min(pauses) <= max(pauses) <= longest


def test_it_shows_no_key() -> None:
    assert "key" not in repr(Side().rest)


async def test_a_turn_comes_when_all_earlier_runs_have_closed(autojump_clock: MockClock) -> None:
    first, second = Side(), Side()
    side = Side(earlier=(first.rest.closed, second.rest.closed))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(side.rest.wait_turn)
        second.rest.close()
        await trio.sleep(3)
        assert nursery.child_tasks
        first.rest.close()
    await side.rest.wait_turn()

    assert trio.current_time() == 3


async def test_a_turn_comes_after_15_seconds_in_any_case(autojump_clock: MockClock) -> None:
    """Counted from the first wait, of all of them together; one that is cancelled changes nothing."""
    side = Side(earlier=(trio.Event(), trio.Event()))
    with trio.move_on_after(5) as impatient:
        await side.rest.wait_turn()
    assert impatient.cancelled_caught
    await side.rest.wait_turn()
    assert trio.current_time() == 15
    await side.rest.wait_turn()

    assert trio.current_time() == 15
