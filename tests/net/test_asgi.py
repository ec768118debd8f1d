"""The HTTP application, called in-process: every answer that the cloud can get, and what is logged about it."""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import cast

import attrs
import pytest
import trio
from starlette.types import ASGIApp, Message
from trio.testing import MockClock

from mentra_trio._net.asgi import MAX_BODY_SIZE, SETTINGS_PATHS, Health, WebhookAnswer, build_app
from mentra_trio._wire.webhooks import SessionRequest, StopRequest

from .callbacks import Calls, accept

Webhook = SessionRequest | StopRequest
Decide = Callable[[Webhook], Awaitable[WebhookAnswer]]

START = {
    "type": "session_request",
    "sessionId": "ana@example.com-com.example.app",
    "userId": "ana@example.com",
    "timestamp": "2026-06-20T10:11:12.345Z",
    "websocketUrl": "wss://api.mentra.glass/ws/miniapp",
    "mentraOSWebsocketUrl": "wss://api.mentra.glass/app-ws",
}
STOP = {"type": "stop_request", "sessionId": "ana@example.com-com.example.app", "userId": "ana@example.com"}
SECRETS = ("ana@example.com", "com.example.app-key", "mentra.glass")


@attrs.frozen(kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    unread: int
    """How many pieces of the body the application did not ask for."""

    @property
    def json(self) -> object:
        return json.loads(self.body)


def make_app(decide: Decide | None = None) -> ASGIApp:
    return build_app(Calls(decide or accept))


async def call(
    app: ASGIApp,
    method: str,
    path: str,
    pieces: Iterable[bytes | float] = (),
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    is_cut: bool = False,
) -> Answer:
    """One HTTP request. A number among the pieces of the body is a pause in seconds; `is_cut` leaves the end out."""
    left = list(pieces)
    sent: list[Message] = []

    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        pause = cast("float", left.pop(0)) if left and isinstance(left[0], float) else 0.0
        await trio.sleep(pause)
        if left:
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or is_cut}
        return {"type": "http.disconnect"} if is_cut else {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 1234),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    start, *rest = sent
    return Answer(
        status=start["status"],
        headers={name.decode(): value.decode() for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in rest),
        unread=len(left),
    )


async def post(app: ASGIApp, body: object, path: str = "/webhook") -> Answer:
    return await call(app, "POST", path, [body if isinstance(body, bytes) else json.dumps(body).encode()])


@pytest.mark.parametrize("path", ["/webhook", "/api/_mentraos/webhook"])
@pytest.mark.parametrize(
    ("body", "request_type"), [(START, SessionRequest), (STOP, StopRequest)], ids=["start", "stop"]
)
async def test_both_webhooks_reach_the_server_typed_on_both_paths(
    path: str, body: dict[str, str], request_type: type
) -> None:
    seen: list[Webhook] = []

    async def decide(request: Webhook) -> WebhookAnswer:
        await trio.lowlevel.checkpoint()
        seen.append(request)
        return WebhookAnswer()

    answer = await post(make_app(decide), body, path)
    assert (answer.status, answer.json) == (200, {"status": "success"})
    assert answer.headers["content-type"] == "application/json"
    assert [type(request) for request in seen] == [request_type]
    assert seen[0].user_id == "ana@example.com"


@pytest.mark.parametrize("path", ["/health", "/api/_mentraos/health"])
async def test_health_shows_the_package_and_the_sessions(path: str) -> None:
    answer = await call(make_app(), "GET", path)
    assert (answer.status, answer.json) == (
        200,
        {"status": "healthy", "app": "com.example.app", "activeSessions": 3},
    )


async def test_a_load_balancer_may_ask_with_head() -> None:
    answer = await call(make_app(), "HEAD", "/health")
    assert answer.status == 200


@pytest.mark.parametrize("status", [403, 502, 503])
async def test_a_refusal_of_the_server_is_told_with_its_status(status: int) -> None:
    async def decide(_request: Webhook) -> WebhookAnswer:
        await trio.lowlevel.checkpoint()
        return WebhookAnswer(status=status, message="because")

    answer = await post(make_app(decide), START)
    assert (answer.status, answer.json) == (status, {"status": "error", "message": "because"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"\x00" * 100,
        b"[" * MAX_BODY_SIZE,
        b'{"a":' * 10_000,
        b"9" * 10_000,
        b"NaN",
        {},
        {"type": 3},
        {"type": "server_heartbeat"},
        {"type": "x" * 10_000},
        START | {"sessionId": ""},
        START | {"userId": None},
        START | {"userId": 7},
        START | {"userId": "ana\r\nx-evil: 1"},
        {"type": "session_request", "sessionId": "s", "userId": "u"},
        {"type": "stop_request", "sessionId": "s"},
    ],
    ids=repr,
)
async def test_what_cannot_be_read_is_answered_with_400(body: object, caplog: pytest.LogCaptureFixture) -> None:
    async def decide(_request: Webhook) -> WebhookAnswer:
        await trio.lowlevel.checkpoint()
        raise AssertionError

    answer = await post(make_app(decide), body)
    assert answer.status == 400
    document = cast("dict[str, str]", answer.json)
    assert document["status"] == "error"
    assert document["message"]
    assert len(document["message"]) < 300
    assert not caplog.records


async def test_a_body_of_just_the_limit_is_read() -> None:
    body = json.dumps(START).encode()
    answer = await post(make_app(), body + b" " * (MAX_BODY_SIZE - len(body)))
    assert answer.status == 200


@pytest.mark.parametrize("length", [None, b"10", b"0", b"-1", b"99999999999999999999", b"many"])
async def test_a_body_above_the_limit_is_refused_without_reading_on(length: bytes | None) -> None:
    """Whatever the client announced: bytes are counted, not promised."""
    pieces = [b" " * 20_000] * 100
    headers = [] if length is None else [(b"content-length", length)]
    answer = await call(make_app(), "POST", "/webhook", pieces, headers=headers)
    assert (answer.status, answer.unread) == (413, 96)
    assert cast("dict[str, str]", answer.json)["status"] == "error"


async def test_settings_above_the_limit_are_refused_too() -> None:
    answer = await call(make_app(), "POST", SETTINGS_PATHS[0], [b" " * 20_000] * 100)
    assert answer.status == 413


async def test_a_body_in_pieces_is_put_together() -> None:
    body = json.dumps(START).encode()
    answer = await call(make_app(), "POST", "/webhook", [body[index : index + 1] for index in range(len(body))])
    assert answer.status == 200


async def test_a_body_that_does_not_arrive_is_given_up_after_ten_seconds(autojump_clock: MockClock) -> None:
    start = trio.current_time()
    answer = await call(make_app(), "POST", "/webhook", [b"{", 3.0, b'"type"', 100.0, b"}"])
    assert answer.status == 408
    assert trio.current_time() - start == 10


async def test_the_limit_is_for_the_whole_body_and_not_for_each_piece(autojump_clock: MockClock) -> None:
    start = trio.current_time()
    answer = await call(make_app(), "POST", "/webhook", [b" ", 4.0, b" ", 4.0, b" ", 4.0, b" "])
    assert answer.status == 408
    assert trio.current_time() - start == 10


async def test_a_slow_decision_is_not_cut_short(autojump_clock: MockClock) -> None:
    async def decide(_request: Webhook) -> WebhookAnswer:
        await trio.sleep(60)
        return WebhookAnswer()

    assert (await post(make_app(decide), START)).status == 200


async def test_a_client_that_hangs_up_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    answer = await call(make_app(), "POST", "/webhook", [b'{"type":'], is_cut=True)
    assert answer.status == 400
    assert not caplog.records


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/webhook", "POST"), ("PUT", "/webhook", "POST"), ("POST", "/health", "GET, HEAD")],
)
async def test_a_wrong_method_is_told_the_right_one(method: str, path: str, allowed: str) -> None:
    answer = await call(make_app(), method, path)
    assert (answer.status, answer.json) == (405, {"status": "error", "message": "Method Not Allowed"})
    assert set(answer.headers["allow"].split(", ")) == set(allowed.split(", "))


@pytest.mark.parametrize("path", ["/", "/nothing", "/webhook/", "/webhook/x", "//webhook", "/WEBHOOK"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_answered_with_json(method: str, path: str) -> None:
    answer = await call(make_app(), method, path)
    assert (answer.status, answer.json) == (404, {"status": "error", "message": "Not Found"})


def fail_with(error: BaseException) -> Decide:
    async def decide(_request: Webhook) -> WebhookAnswer:
        await trio.lowlevel.checkpoint()
        raise error

    return decide


@pytest.mark.parametrize(
    "error",
    [
        KeyError("ana@example.com"),
        ValueError("com.example.app-key"),
        ExceptionGroup("ana@example.com", [KeyError("ana@example.com"), OSError("wss://api.mentra.glass")]),
    ],
    ids=repr,
)
async def test_any_exception_is_one_answer_and_one_record_without_ids(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The HTTP server would swallow it, and texts of exceptions may hold ids (D23)."""
    caplog.set_level(logging.INFO)
    answer = await post(make_app(fail_with(error)), START)
    assert (answer.status, answer.json) == (500, {"status": "error", "message": "internal error"})
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("mentra_trio.server", logging.ERROR)
    assert "KeyError" in caplog.text or "ValueError" in caplog.text
    assert "in decide" in caplog.text
    assert not any(secret in caplog.text for secret in SECRETS)


async def test_the_causes_of_an_exception_are_in_the_record(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("ana@example.com")
    error.__cause__ = OSError("ana@example.com")
    caplog.set_level(logging.INFO)
    await post(make_app(fail_with(error)), START)
    assert caplog.text.index("OSError") < caplog.text.index("which led to") < caplog.text.index("ValueError")
    assert "ana@example.com" not in caplog.text


async def test_at_debug_the_record_is_complete(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mentra_trio.server")
    await post(make_app(fail_with(KeyError("details"))), START)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info
    assert "details" in caplog.text


async def test_an_exception_of_the_health_check_is_answered_too(caplog: pytest.LogCaptureFixture) -> None:
    def health() -> Health:
        raise ZeroDivisionError

    answer = await call(build_app(Calls(look=health)), "GET", "/health")
    assert answer.status == 500
    assert len(caplog.records) == 1


async def test_cancellation_passes_through(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async def decide(_request: Webhook) -> WebhookAnswer:
        await trio.sleep_forever()
        raise AssertionError

    with trio.move_on_after(1) as scope:
        await post(make_app(decide), START)
    assert scope.cancelled_caught
    assert not caplog.records


async def test_an_error_that_comes_with_a_cancellation_is_logged_and_the_cancellation_goes_on(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A plain `except Exception` would miss it (T10)."""

    async def fail_late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError(SECRETS[0])

    async def decide(_request: Webhook) -> WebhookAnswer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_late)
            nursery.start_soon(trio.sleep_forever)
        raise AssertionError

    with trio.move_on_after(1) as scope:
        await post(make_app(decide), START)
        pytest.fail("answered")  # pragma: no cover
    assert scope.cancelled_caught
    assert len(caplog.records) == 1
    assert "ana@example.com" not in caplog.text


async def test_the_lifespan_is_answered_to_its_end() -> None:
    """Hypercorn serves on after a failed start, and dies of an application that just returns."""
    sent: list[str] = []
    events = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        return {"type": next(events)}

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message["type"])

    await make_app()({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
