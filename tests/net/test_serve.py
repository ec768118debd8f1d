"""The HTTP server on real loopback sockets, on the real clock, with an absolute limit for each test."""

import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import httpx2
import pytest
import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from mentra_trio._net.asgi import WebhookAnswer, build_app
from mentra_trio._net.serve import serve
from mentra_trio._wire.webhooks import SessionRequest, StopRequest
from mentra_trio.errors import ConfigError

from .callbacks import Calls

pytestmark = pytest.mark.sockets

STOP = {"type": "stop_request", "sessionId": "ana@example.com-app", "userId": "ana@example.com"}


def make_app(busy: trio.Event | None = None) -> ASGIApp:
    """An application whose webhook takes for ever when `busy` is given; the event is set when one has come."""

    async def decide(_request: SessionRequest | StopRequest) -> WebhookAnswer:
        await trio.lowlevel.checkpoint()
        if busy is not None:
            busy.set()
            await trio.sleep_forever()
        return WebhookAnswer()

    return build_app(Calls(decide))


class Server:
    """A server under test: its address, and how to stop it."""

    def __init__(self) -> None:
        self.url = ""
        self.stop = trio.Event()
        self.is_down = trio.Event()

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    async def run(  # noqa: ASYNC114, ASYNC128 - passes its task_status on
        self,
        app: ASGIApp,
        host: str,
        graceful_timeout: float,
        *,
        task_status: trio.TaskStatus[tuple[str, ...]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        await serve(
            app,
            host=host,
            port=0,
            graceful_timeout=graceful_timeout,
            shutdown=self.stop.wait,
            task_status=task_status,
        )
        self.is_down.set()


@asynccontextmanager
async def open_server(
    app: ASGIApp | None = None, *, host: str = "127.0.0.1", graceful_timeout: float = 30.0
) -> AsyncGenerator[Server]:
    """Serve while the block runs. The graceful timeout is longer than the test may take, unless that is its subject."""
    server = Server()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            urls = await nursery.start(server.run, app or make_app(), host, graceful_timeout)
            (server.url,) = urls
            yield server
            server.stop.set()


async def test_the_started_value_is_where_it_listens() -> None:
    async with open_server() as server, httpx2.AsyncClient(base_url=server.url) as client:
        assert server.address[1] != 0
        answer = await client.get("/health")
        assert answer.json() == {"status": "healthy", "app": "com.example.app", "activeSessions": 3}
        answer = await client.post("/webhook", json=STOP)
        assert (answer.status_code, answer.json()) == (200, {"status": "success"})


async def test_it_listens_on_ipv6_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")  # pragma: no cover
    async with open_server(host="::1") as server, httpx2.AsyncClient() as client:
        assert server.url.startswith("http://[::1]:")
        assert (await client.get(server.url + "/health")).status_code == 200


async def test_the_ipv6_wildcard_takes_ipv4_as_well() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no dual stack here")  # pragma: no cover
    async with open_server(host="::") as server, httpx2.AsyncClient() as client:
        _, port = server.address
        assert (await client.get(f"http://127.0.0.1:{port}/health")).status_code == 200


async def test_a_large_body_is_refused_whatever_its_length_says() -> None:
    async with open_server() as server, httpx2.AsyncClient(base_url=server.url) as client:
        answer = await client.post("/webhook", content=b" " * 70_000)
        assert answer.status_code == 413
        assert (await client.get("/health")).status_code == 200


async def test_a_body_of_unknown_length_is_counted() -> None:
    async with open_server() as server:
        stream = await trio.open_tcp_stream(*server.address)
        async with stream:
            await stream.send_all(b"POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(66):
                await stream.send_all(b"3e8\r\n" + b" " * 1000 + b"\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 413")


async def test_an_idle_server_is_down_at_once_however_many_connections_are_open() -> None:
    """Kept-alive, silent and half-begun connections do not hold the stop up."""
    async with open_server() as server, httpx2.AsyncClient(base_url=server.url) as client:
        for _ in range(3):
            await client.get("/health")
        silent = await trio.open_tcp_stream(*server.address)
        half_begun = await trio.open_tcp_stream(*server.address)
        await half_begun.send_all(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Le")
        async with silent, half_begun:
            # An answer on a later connection shows that the server has seen the earlier ones.
            async with httpx2.AsyncClient(base_url=server.url) as other:
                await other.get("/health")
            server.stop.set()
            with trio.fail_after(5):
                await server.is_down.wait()
            assert await silent.receive_some() == b""


async def test_a_request_in_flight_has_the_graceful_timeout() -> None:
    busy = trio.Event()
    async with open_server(make_app(busy), graceful_timeout=0.2) as server:
        stream = await trio.open_tcp_stream(*server.address)
        async with stream:
            body = b'{"type":"stop_request","sessionId":"s","userId":"u"}'
            await stream.send_all(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await busy.wait()
            server.stop.set()
            start = trio.current_time()
            await server.is_down.wait()
            assert trio.current_time() - start >= 0.2
            assert await stream.receive_some() == b""


async def test_a_request_that_ends_in_time_is_answered_and_ends_the_wait() -> None:
    finish = trio.Event()
    busy = trio.Event()

    async def decide(_request: SessionRequest | StopRequest) -> WebhookAnswer:
        busy.set()
        await finish.wait()
        return WebhookAnswer()

    app = build_app(Calls(decide))
    statuses: list[int] = []

    async def ask(url: str) -> None:
        async with httpx2.AsyncClient() as client:
            statuses.append((await client.post(url + "/webhook", json=STOP)).status_code)

    async with open_server(app) as server, trio.open_nursery() as nursery:
        nursery.start_soon(ask, server.url)
        await busy.wait()
        server.stop.set()
        finish.set()
        with trio.fail_after(5):
            await server.is_down.wait()
    assert statuses == [200]


async def test_cancelling_stops_at_once() -> None:
    busy = trio.Event()

    async def ask(url: str) -> None:
        async with httpx2.AsyncClient() as client:
            with pytest.raises(httpx2.TransportError):
                await client.post(url + "/webhook", json=STOP)

    with trio.fail_after(10):
        async with trio.open_nursery() as clients, trio.open_nursery() as nursery:
            server = Server()
            (url,) = await nursery.start(server.run, make_app(busy), "127.0.0.1", 30.0)
            clients.start_soon(ask, url)
            await busy.wait()
            nursery.cancel_scope.cancel()
    with socket.socket() as probe:
        server.url = url
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(server.address)  # the port is free again


async def test_tasks_of_the_caller_go_on_when_the_server_stops() -> None:
    """Sessions live in the caller's nursery and end in the caller's order (T4)."""
    async with trio.open_nursery() as sessions:
        with trio.CancelScope() as scope:
            sessions.start_soon(trio.sleep_forever)
            async with open_server() as server:
                server.stop.set()
                await server.is_down.wait()
            assert not scope.cancel_called
            assert len(sessions.child_tasks) == 1
        sessions.cancel_scope.cancel()


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("127.0.0.1", -1), ("999.1.1.1", 0), ("a" * 70, 0)])
async def test_an_impossible_address_is_the_callers_mistake(host: str, port: int) -> None:
    with pytest.raises(ConfigError, match="cannot listen on") as caught:
        await serve(make_app(), host=host, port=port, graceful_timeout=1, shutdown=trio.sleep_forever)
    assert f"{host} port {port}" in str(caught.value)
    assert caught.value.__cause__ is not None


async def test_a_port_in_use_is_named() -> None:
    async with open_server() as server:
        host, port = server.address
        with pytest.raises(ConfigError, match=f"cannot listen on {host} port {port}: Address already in use"):
            await serve(make_app(), host=host, port=port, graceful_timeout=1, shutdown=trio.sleep_forever)
        async with httpx2.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/health")).status_code == 200


async def test_what_escapes_an_application_is_logged_by_our_logger_and_never_printed(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    app = make_app()

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raise ZeroDivisionError
        await app(scope, receive, send)

    caplog.set_level(logging.INFO, "mentra_trio")
    async with open_server(broken) as server, httpx2.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/health")).status_code == 500
    names = {record.name for record in caplog.records if not record.name.startswith("http")}
    assert names == {"mentra_trio.server"}
    assert capfd.readouterr() == ("", "")


async def test_noise_on_the_port_does_not_hurt() -> None:
    async with open_server() as server, httpx2.AsyncClient(base_url=server.url) as client:
        for noise in (b"\x16\x03\x01\x02\x00", b"\x00" * 1000, b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a" * 100_000):
            stream = await trio.open_tcp_stream(*server.address)
            async with stream:
                await stream.send_all(noise)
                with trio.move_on_after(0.05):
                    await stream.receive_some()
        assert (await client.get("/health")).status_code == 200


async def test_shutdown_is_only_awaited_once_the_server_listens() -> None:
    """A shutdown that is already there is no error: start and stop at once."""
    stop = trio.Event()
    stop.set()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            run = partial(serve, make_app(), host="127.0.0.1", port=0, graceful_timeout=1, shutdown=stop.wait)
            assert len(await nursery.start(run)) == 1
