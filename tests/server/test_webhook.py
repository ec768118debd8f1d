"""What webhook calls are answered, and when (P1 1, D14, D21)."""

import json
import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import MentraSession, MiniAppServer, SessionConfig, StopKind
from tests.scripted_cloud import (
    CLOSED_BY_APP,
    HOST,
    KEY,
    PACKAGE,
    USER,
    call_asgi,
    idle,
    make_server,
    open_app,
    open_cloud,
    session_request,
    stop_request,
)

PATHS = ("/webhook", "/api/_mentraos/webhook")


@pytest.mark.parametrize("path", PATHS)
async def test_a_session_request_is_answered_200_after_the_ack(autojump_clock: MockClock, path: str) -> None:
    """The reference answers when the socket is open, and reports sessions that nobody accepted (P1 3.5)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.post_soon(session_request(), path)
        socket = await cloud.accept()
        await socket.open()
        await trio.sleep(2)
        assert not call.is_answered
        await socket.ack()
        answer = await call.answer()

        assert (answer.status, answer.body) == (200, {"status": "success"})
        assert answer.at == 2


@pytest.mark.parametrize("path", PATHS)
async def test_a_stop_request_is_answered_at_once(autojump_clock: MockClock, path: str) -> None:
    """The cloud's stop waits for it without a limit (P1 1.5)."""

    async def slow(session: MentraSession) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(3, shield=True):
                await trio.sleep_forever()

    async with open_cloud() as cloud, open_app(cloud, slow) as app:
        await app.start()
        at = trio.current_time()
        answer = await app.post(stop_request(), path)

        assert (answer.status, answer.body) == (200, {"status": "success"})
        assert answer.at == at
        assert app.sessions[0].stop_reason is not None
        assert app.sessions[0].stop_reason.kind is StopKind.STOP_REQUESTED
        assert app.sessions[0].stop_reason.detail == "user_disabled"


async def test_a_stop_request_for_an_unknown_session_is_fine(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        assert (await app.stop()).status == 200


@pytest.mark.parametrize(
    ("missing", "path"),
    [
        ((), "/ws/miniapp"),
        (("websocketUrl",), "/new"),
        (("websocketUrl", "mentraOSWebsocketUrl"), "/old"),
    ],
)
async def test_the_first_url_that_is_there_is_taken(
    autojump_clock: MockClock, missing: tuple[str, ...], path: str
) -> None:
    """websocketUrl, mentraOSWebsocketUrl, augmentOSWebsocketUrl: older clouds send only the later ones (P1 1.1)."""
    body = session_request(mentraOSWebsocketUrl=f"wss://{HOST}/new", augmentOSWebsocketUrl=f"wss://{HOST}/old")
    for name in missing:
        del body[name]
    async with open_cloud() as cloud, open_app(cloud) as app:
        app.post_soon(body)
        socket = await cloud.accept()

        assert socket.target == path


async def test_a_request_without_a_url_is_malformed(autojump_clock: MockClock) -> None:
    body = {name: value for name, value in session_request().items() if "Url" not in name}
    async with open_cloud() as cloud, open_app(cloud) as app:
        answer = await app.post(body)

        assert answer.status == 400
        assert cloud.dials == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"\xff",
        b"{}",
        json.dumps({"type": "server_heartbeat"}).encode(),
        json.dumps(session_request(sessionId="")).encode(),
        json.dumps(session_request(userId=5)).encode(),
        json.dumps(session_request(sessionId="a\r\nx-evil: 1")).encode(),
        json.dumps(session_request(websocketUrl=7, mentraOSWebsocketUrl=[], augmentOSWebsocketUrl=True)).encode(),
        json.dumps(stop_request(sessionId=None)).encode(),
    ],
)
async def test_a_malformed_body_is_answered_400(autojump_clock: MockClock, body: bytes) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        answer = await app.post(body)

        assert answer.status == 400
        assert answer.body["status"] == "error"
        assert cloud.dials == []


async def test_a_body_that_is_too_large_is_answered_413(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        assert (await app.post(b" " * (64 * 2**10 + 1))).status == 413


FOREIGN = [
    "wss://evil.example/ws",
    "ws://api.mentra.glass/ws",
    "wss://mentra.glass.evil.example/ws",
    "wss://api.mentra.glass@evil.example/ws",
    "wss://evil.example#api.mentra.glass",
    "wss://evil.example\\@api.mentra.glass/ws",
    "wss://evil.example?.mentra.glass",
    "wss://api.mentra.glass.:443@evil.example",
    "wss://evilmentra.glass/ws",
    "wss://127.0.0.1/ws",
    "wss://localhost/ws",
    "wss://[::1]/ws",
    "wss://2130706433/ws",
    "wss://api.mentra.glass%2eevil.example/ws",
    "wss://аpi.mentra.glass/ws",
    "http://api.mentra.glass/ws",
    "//api.mentra.glass/ws",
    "api.mentra.glass",
    " wss://api.mentra.glass/ws",
    "wss://api.mentra.glass/ws\n",
    "wss:///ws",
]


@pytest.mark.parametrize("url", FOREIGN)
async def test_a_foreign_host_is_refused_without_a_dial(autojump_clock: MockClock, url: str) -> None:
    """The key would be in the upgrade request (P1 1.5)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        answer = await app.post(session_request(websocketUrl=url))

        assert answer.status == 403
        assert cloud.dials == []
        assert answer.at == 0


@pytest.mark.parametrize("url", FOREIGN)
async def test_a_foreign_host_does_not_move_a_live_session(autojump_clock: MockClock, url: str) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        socket = await app.start()
        answer = await app.post(session_request(websocketUrl=url))
        await trio.sleep(10)

        assert answer.status == 403
        assert socket.is_open
        assert len(cloud.dials) == 1


async def test_a_loopback_cloud_needs_dev(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        server = MiniAppServer(PACKAGE, KEY, connector=cloud.connector, dev=True)
        server.on_session(idle)
        async with server.running(), trio.open_nursery() as nursery:
            body = session_request(websocketUrl="ws://localhost:8002/app-ws")
            nursery.start_soon(call_asgi, server, "/webhook", json.dumps(body).encode())
            socket = await cloud.accept()
            await socket.handshake()

        assert socket.url.origin == "ws://localhost:8002"


async def test_an_unreachable_cloud_is_answered_502_at_once(autojump_clock: MockClock) -> None:
    """The cloud tries once more after a second."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.is_unreachable = True
        answer = await app.post(session_request())

        assert (answer.status, answer.at) == (502, 0)
        assert app.server.session_for(USER) is None


async def test_the_clouds_second_try_succeeds(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.is_unreachable = True
        assert (await app.post(session_request())).status == 502
        await trio.sleep(1)
        cloud.is_unreachable = False
        await app.start()

        assert len(app.sessions) == 1


async def test_no_ack_within_4_s_is_answered_502(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.start_soon()
        socket = await cloud.accept()
        answer = await call.answer()

        assert (answer.status, answer.at) == (502, 4)
        assert await socket.wait_closed() == CLOSED_BY_APP
        assert app.sessions == []


async def test_a_silent_host_is_answered_502_after_4_s(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.is_silent = True
        answer = await app.post(session_request())

        assert (answer.status, answer.at) == (502, 4)


@pytest.mark.parametrize("status", [401, 404, 500, 503])
async def test_a_refused_upgrade_is_answered_502(autojump_clock: MockClock, status: int) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.status = status

        assert (await app.post(session_request())).status == 502


@pytest.mark.parametrize("code", ["INVALID_API_KEY", "APP_DEPRECATED", "APP_NOT_STARTED"])
async def test_a_refused_handshake_is_answered_502_with_its_code(autojump_clock: MockClock, code: str) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.start_soon()
        socket = await cloud.accept()
        await socket.send("tpa_connection_error", code=code, message=f"no {USER}")
        await socket.close(1008, "no")
        answer = await call.answer()

        assert answer.status == 502
        assert code in answer.body["message"]
        assert USER not in answer.body["message"]
        assert app.sessions == []


async def test_a_session_that_is_not_found_twice_is_answered_502(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.start_soon()
        for _ in range(2):
            socket = await cloud.accept()
            await socket.send("tpa_connection_error", code="SESSION_NOT_FOUND", message="no")
            await socket.close(1008, "Session not found")

        assert (await call.answer()).status == 502
        assert len(cloud.dials) == 2


async def test_a_start_that_never_gets_anywhere_is_answered_502_after_9_s(autojump_clock: MockClock) -> None:
    """The cloud's own limit for a try is 10 s (P1 1.3)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.start_soon()

        async def refuse() -> None:
            while True:
                socket = await cloud.accept()
                await socket.send("tpa_connection_error", code="INTERNAL_ERROR", message="no")
                await trio.sleep(0.5)
                await socket.close(1011, "no")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse)
            answer = await call.answer()
            dials = len(cloud.dials)
            await trio.sleep(60)
            nursery.cancel_scope.cancel()

        assert (answer.status, answer.at) == (502, 9)
        assert len(cloud.dials) == dials
        assert app.sessions == []


async def test_the_time_for_a_start_can_be_set(autojump_clock: MockClock) -> None:
    config = SessionConfig(start_timeout=2)
    async with open_cloud() as cloud, open_app(cloud, config=config) as app:
        answer = await app.post(session_request())

        assert (answer.status, answer.at) == (502, 2)


async def test_a_webhook_without_running_is_answered_503_and_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_cloud() as cloud:
        server = make_server(cloud)
        answer = await call_asgi(server, "/webhook", json.dumps(session_request()).encode())

    assert answer.status == 503
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "app.running()" in record.getMessage()


async def test_a_call_that_cannot_be_read_is_answered_400_and_logged_without_its_content(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        answers = [
            await call_asgi(app.server, "/webhook", b'{"type": "session_request", "sessionId": 7, "userId": "ana"}'),
            await call_asgi(app.server, "/settings", b'{"userId": "ana"}'),
        ]

    assert [answer.status for answer in answers] == [400, 400]
    assert [record.getMessage() for record in caplog.records] == [answer.body["message"] for answer in answers]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert "ana" not in caplog.text


async def test_a_webhook_while_stopping_is_answered_503(autojump_clock: MockClock) -> None:
    async def stubborn(session: MentraSession) -> None:
        with trio.move_on_after(0.4, shield=True):
            await trio.sleep_forever()

    async with open_cloud() as cloud, trio.open_nursery() as nursery:
        server = make_server(cloud, stubborn)
        leave = trio.Event()

        async def run() -> None:
            async with server.running():
                await leave.wait()

        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        body = json.dumps(session_request()).encode()
        nursery.start_soon(call_asgi, server, "/webhook", body)
        socket = await cloud.accept()
        await socket.handshake()
        leave.set()
        await wait_all_tasks_blocked()
        answer = await call_asgi(server, "/webhook", json.dumps(session_request("bo@example.com")).encode())
        stop = await call_asgi(server, "/webhook", json.dumps(stop_request()).encode())

        assert answer.status == 503
        assert stop.status == 200
        assert len(cloud.dials) == 1


async def test_a_start_under_way_when_the_server_stops_is_answered_503_at_once(autojump_clock: MockClock) -> None:
    """The cloud then asks again, and perhaps finds the next process."""
    async with open_cloud() as cloud, trio.open_nursery() as nursery:
        server = make_server(cloud)
        statuses: list[int] = []

        async def call() -> None:
            answer = await call_asgi(server, "/webhook", json.dumps(session_request()).encode())
            statuses.append(answer.status)

        async with server.running():
            nursery.start_soon(call)
            socket = await cloud.accept()
            await socket.open()
            await trio.sleep(1)
        await wait_all_tasks_blocked()

        assert statuses == [503]
        assert trio.current_time() == 1


@pytest.mark.parametrize("path", ["/health", "/api/_mentraos/health"])
async def test_health_counts_sessions(autojump_clock: MockClock, path: str) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        for user in ("a@example.com", "b@example.com"):
            await app.start(user)
        await app.stop("a@example.com")
        answer = await call_asgi(app.server, path, b"", "GET")

        assert answer.body == {"status": "healthy", "app": PACKAGE, "activeSessions": 1}


async def test_health_without_running_counts_none(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        answer = await call_asgi(make_server(cloud), "/health", b"", "GET")

    assert answer.body["activeSessions"] == 0


async def test_a_session_is_found_by_its_wearer(autojump_clock: MockClock) -> None:
    """Ids are compared without regard to case (P1 0)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        assert app.server.session_for(USER) is None
        await app.start()

        assert app.server.session_for(USER.upper()) is app.sessions[0]
        assert app.server.session_for("bo@example.com") is None
        await app.stop()
        assert app.server.session_for(USER) is None


async def test_a_session_is_not_found_before_its_ack(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        app.start_soon()
        socket = await cloud.accept()
        await socket.open()

        assert app.server.session_for(USER) is None


async def test_a_session_is_not_found_without_running(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        assert make_server(cloud).session_for(USER) is None


async def test_sessions_of_different_wearers_start_side_by_side(autojump_clock: MockClock) -> None:
    """Only calls for one session id wait for each other."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        app.start_soon("slow@example.com")
        await cloud.accept()
        await app.start("quick@example.com")

        assert trio.current_time() < 4
        assert [session.user_id for session in app.sessions] == ["quick@example.com"]


async def test_a_call_that_cannot_be_read_is_answered_also_when_the_app_does_not_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_cloud() as cloud:
        answer = await call_asgi(make_server(cloud), "/webhook", b"{")

    assert answer.status == 400
    assert caplog.records == []
