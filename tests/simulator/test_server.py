"""The cloud over real sockets: hypercorn behind the forwarder, and the faults that only the forwarder can make."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio._net.serve import serve as serve_http
from mentra_trio._net.transport import CloudUrl
from mentra_trio.errors import ConfigError, ConnectFailedError, TransportClosedError
from mentra_trio.simulator import AppState, Cloud, HttpWebhooks, InstalledApp, User, serve
from mentra_trio.simulator.server import _AsgiTransport, _Face, _HttpEar

from .apps import ALPHA, KEYS, USER, Socket, headers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Message, Receive, Scope, Send

pytestmark = pytest.mark.sockets

LIMIT = 20.0


@attrs.define(eq=False)
class Served:
    """A served cloud with one wearer and one app, whose server answers every webhook."""

    cloud: Cloud
    user: User
    port: int
    nursery: trio.Nursery
    calls: list[str]

    async def open(self, target: str = "/ws/miniapp", given: dict[str, str] | None = None) -> Socket:
        url = CloudUrl(host="127.0.0.1", port=self.port, tls=False, target=target)
        sent = [(name, value.encode()) for name, value in (given or headers()).items()]

        async def run(  # noqa: ASYNC114 - started right below
            task_status: trio.TaskStatus[Socket],
        ) -> None:
            async with CoreWebSocketConnector().connect(url, sent, timeout=5) as transport:
                socket = Socket(transport)
                task_status.started(socket)
                await socket.read()

        socket: Socket = await self.nursery.start(run)
        return socket

    async def start(self) -> Socket:
        self.nursery.start_soon(self.user.start, ALPHA)
        socket = await self.open()
        init = {"type": "tpa_connection_init", "packageName": ALPHA, "apiKey": KEYS[ALPHA], "sdkVersion": "3.0.0"}
        await socket.transport.send(json.dumps(init))
        await socket.wait_for(2)
        return socket


@asynccontextmanager
async def served() -> AsyncGenerator[Served, None]:
    calls: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await trio.sleep_forever()
        message = await receive()
        calls.append(json.loads(message["body"])["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def http_only(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await app(scope, receive, send)

    cloud = Cloud(webhooks=HttpWebhooks())
    user = cloud.user(USER, model="Simulated Glasses")
    with trio.fail_after(LIMIT):
        async with cloud.running(), trio.open_nursery() as nursery:
            serve_app = partial(
                serve_http,
                http_only,
                host="127.0.0.1",
                port=0,
                graceful_timeout=0.0,
                shutdown=trio.sleep_forever,
            )
            (url,) = await nursery.start(serve_app)
            cloud.install(InstalledApp(package_name=ALPHA, api_key=KEYS[ALPHA], public_url=url))
            origin: str = await nursery.start(serve, cloud)
            await user.connect()
            yield Served(cloud, user, int(origin.rpartition(":")[2]), nursery, calls)
            nursery.cancel_scope.cancel()


async def test_an_app_starts_speaks_and_stops_over_real_sockets() -> None:
    async with served() as here:
        socket = await here.start()
        assert socket.types() == ["tpa_connection_ack", "device_state_update"]

        await socket.transport.send(
            json.dumps({"type": "subscription_update", "packageName": ALPHA, "subscriptions": ["audio_chunk"]})
        )
        await here.user.wait_subscribed(ALPHA)
        assert here.user.hear(b"\x01\x00") == (ALPHA,)
        await socket.wait_for(3)
        assert await here.user.stop(ALPHA)

        assert await socket.wait_end() == (1000, "App stopped")
        assert socket.got[2][1] == b"\x01\x00"
        assert here.calls == ["session_request", "stop_request"]


async def test_the_origin_that_apps_are_told_is_the_forwarder() -> None:
    async with served() as here:
        assert here.cloud.origin == f"ws://127.0.0.1:{here.port}"
        assert await HttpWebhooks().post(f"http://127.0.0.1:{here.port}/health", b"") == 200
        assert await HttpWebhooks().post(f"http://127.0.0.1:{here.port}/nothing", b"") == 404


async def test_p1_2_1_upgrades_are_refused_with_a_status() -> None:
    async with served() as here:
        with pytest.raises(ConnectFailedError) as refused:
            await here.open("/elsewhere")
        assert refused.value.status == 404
        with pytest.raises(ConnectFailedError) as refused:
            await here.open(given={"authorization": "Bearer no.jwt"})
        assert refused.value.status == 401
        here.cloud.faults.draining = True
        with pytest.raises(ConnectFailedError) as refused:
            await here.open()
        assert refused.value.status == 503


async def test_a_cut_ends_the_socket_without_a_close_frame() -> None:
    async with served() as here:
        socket = await here.start()
        here.user.socket(ALPHA).cut()

        assert await socket.wait_end() == (1006, "")
        await here.cloud.wait_until(lambda: here.user.state_of(ALPHA) is AppState.TRANSPORT_DOWN)


async def test_connects_are_refused_for_a_while() -> None:
    async with served() as here:
        here.cloud.refuse_connects(0.2)
        with pytest.raises(ConnectFailedError):
            await here.open()
        await trio.sleep(0.25)  # the real clock
        await here.open()


async def test_a_frozen_line_swallows_both_directions() -> None:
    async with served() as here:
        socket = await here.start()
        here.user.socket(ALPHA).freeze()
        here.user.update_device(batteryLevel=1)
        with trio.move_on_after(0.2) as patience:
            await socket.transport.ping()

        assert patience.cancelled_caught
        assert socket.types() == ["tpa_connection_ack", "device_state_update"]
        assert here.user.state_of(ALPHA) is AppState.RUNNING


async def test_a_webhook_reaches_nobody_where_nobody_is() -> None:
    listener, *_ = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    assert await HttpWebhooks().post(f"http://127.0.0.1:{port}/webhook", b"{}") is None


async def test_what_does_not_speak_http_has_no_status() -> None:
    async def babble(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"SSH-2.0-hello\r\n")
        await stream.aclose()

    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, babble, 0, host="127.0.0.1"))
            port = listener.socket.getsockname()[1]
            assert await HttpWebhooks().post(f"http://127.0.0.1:{port}/webhook", b"{}") is None
            nursery.cancel_scope.cancel()


async def test_an_address_that_is_taken_is_an_error_of_the_caller() -> None:
    async with served() as here:
        with pytest.raises(ConfigError, match=str(here.port)):
            await serve(here.cloud, port=here.port)


async def test_of_a_long_answer_only_the_status_counts() -> None:
    async def talk(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 202 Accepted\r\n\r\n" + bytes(1_000_000))
        await stream.aclose()

    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, talk, 0, host="127.0.0.1"))
            port = listener.socket.getsockname()[1]
            assert await HttpWebhooks().post(f"http://127.0.0.1:{port}/webhook", b"{}") == 202
            nursery.cancel_scope.cancel()


# --- what a server tells its application


async def exchange(cloud: Cloud, kind: str, *events: Message, path: str = "/api/nothing") -> list[Message]:
    """Tell the cloud's application these events of one request; give what it sends."""
    told = [*events]
    sent: list[Message] = []

    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        return told.pop(0)

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message)

    scope: Scope = {"type": kind, "method": "GET", "raw_path": path.encode(), "query_string": b"", "headers": []}
    await _Face(cloud).asgi(scope, receive, send)
    return sent


async def test_a_caller_that_leaves_in_the_middle_gets_no_answer() -> None:
    half: Message = {"type": "http.request", "body": b"{", "more_body": True}

    assert await exchange(Cloud(), "http", half, {"type": "http.disconnect"}) == []


async def test_no_more_than_the_largest_body_is_read() -> None:
    huge: Message = {"type": "http.request", "body": bytes(17 * 2**20), "more_body": True}
    start, _ = await exchange(Cloud(), "http", huge)

    assert start["status"] == 404


async def test_a_server_that_starts_and_stops_is_answered() -> None:
    sent = await exchange(Cloud(), "lifespan", {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})

    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_an_ear_waits_for_the_end_of_the_request_alone() -> None:
    ear, told = _HttpEar(), ["http.request", "http.request", "http.disconnect"]

    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        return {"type": told.pop(0)}

    await ear.wait_gone(receive)

    assert told == []
    assert [data async for data in ear.heard] == []


async def test_a_socket_of_the_application_stays_closed_and_needs_no_pings() -> None:
    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(_: Message) -> None:
        await trio.lowlevel.checkpoint()

    transport = _AsgiTransport(receive, send)
    await transport.ping()
    for _ in range(2):
        with pytest.raises(TransportClosedError) as ended:
            await transport.receive()
        assert ended.value.code == 1001


async def test_a_socket_that_the_server_closes_during_a_send_has_ended() -> None:
    """Hypercorn half-closes it beside the application's sends, which then get this error."""

    async def receive() -> Message:
        await trio.sleep_forever()
        raise AssertionError

    async def send(_: Message) -> None:
        await trio.lowlevel.checkpoint()
        raise trio.BusyResourceError

    transport = _AsgiTransport(receive, send)
    with pytest.raises(TransportClosedError):
        await transport.send("too late")
    with pytest.raises(TransportClosedError):
        await transport.aclose()
