"""Dialling over real loopback sockets, on the real clock, with an absolute limit for each test."""

import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
import trio

from mentra_trio._net import dial
from mentra_trio._net.dial import dial_tcp
from mentra_trio._net.transport import CloudUrl
from mentra_trio._net.websocket import WebSocketConnector, open_upgrade
from mentra_trio.errors import ConnectFailedError, TransportClosedError

pytestmark = pytest.mark.sockets

CERTIFICATE = Path(__file__).with_name("localhost.pem")
"""Self-signed, for the name `localhost`, with its key. Nobody trusts it but these tests."""

Handler = Callable[[trio.abc.Stream], Awaitable[None]]


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the test's certificate one of the system's authorities."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    dial.tls_context.cache_clear()
    yield
    dial.tls_context.cache_clear()


async def echo(stream: trio.abc.Stream) -> None:
    with suppress(TransportClosedError):
        async with open_upgrade(stream) as request, request.accept() as transport:
            while True:
                for message in await transport.receive():
                    await transport.send(message)


@asynccontextmanager
async def listen(handler: Handler, *, tls: bool = False) -> AsyncGenerator[int]:
    """Serve on a free loopback port."""

    async def serve(stream: trio.SocketStream) -> None:
        if not tls:
            await handler(stream)
            return
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
        secure = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        with suppress(trio.BrokenResourceError):  # the client did not like the certificate
            await handler(secure)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            listeners: list[trio.SocketListener] = await nursery.start(
                partial(trio.serve_tcp, serve, 0, host="127.0.0.1")
            )
            yield listeners[0].socket.getsockname()[1]
            nursery.cancel_scope.cancel()


async def converse(url: CloudUrl) -> None:
    """Say something of every size, hear it back, and part politely."""
    messages: list[str | bytes] = ["zoë 👓", b"\x00" * 3, "x" * 2**20, b"y" * 300_000]
    async with WebSocketConnector().connect(url, [("x-user-id", "zoë".encode())], timeout=5) as transport:
        for message in messages:
            await transport.send(message)
        heard: list[str | bytes] = []
        while len(heard) < len(messages):
            heard += await transport.receive()
        assert heard == messages
        await transport.ping()
        await transport.aclose(4000, "bye")
        with pytest.raises(TransportClosedError) as caught:
            await transport.receive()
        assert (caught.value.code, caught.value.reason) == (4000, "bye")


async def test_a_conversation_over_tcp() -> None:
    async with listen(echo) as port:
        await converse(CloudUrl(host="127.0.0.1", port=port, tls=False))


@pytest.mark.usefixtures("trusted")
async def test_a_conversation_over_tls() -> None:
    async with listen(echo, tls=True) as port:
        await converse(CloudUrl(host="localhost", port=port, tls=True))


async def failure_of(url: CloudUrl, *, limit: float = 5.0) -> ConnectFailedError:
    with pytest.raises(ConnectFailedError) as caught:
        async with WebSocketConnector().connect(url, [], timeout=limit):
            pytest.fail("connected")  # pragma: no cover
    assert url.host in str(caught.value)
    assert caught.value.__cause__ is not None
    return caught.value


async def test_an_unknown_certificate_is_refused() -> None:
    async with listen(echo, tls=True) as port:
        error = await failure_of(CloudUrl(host="localhost", port=port, tls=True))
    assert "certificate is not accepted" in str(error)


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_for_another_name_is_refused() -> None:
    async with listen(echo, tls=True) as port:
        error = await failure_of(CloudUrl(host="127.0.0.1", port=port, tls=True))
    assert "certificate is not accepted" in str(error)


async def test_tls_with_a_server_that_has_none_fails() -> None:
    async def shout(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listen(shout) as port:
        error = await failure_of(CloudUrl(host="localhost", port=port, tls=True))
    assert "no TLS with" in str(error)


async def test_a_server_that_hangs_up_during_tls_fails_the_connect() -> None:
    async def hang_up(stream: trio.abc.Stream) -> None:
        await stream.receive_some(1)

    async with listen(hang_up) as port:
        await failure_of(CloudUrl(host="127.0.0.1", port=port, tls=True))


async def test_a_server_that_is_silent_during_tls_is_given_up_in_time() -> None:
    async def wait(stream: trio.abc.Stream) -> None:
        async with stream:
            while await stream.receive_some():
                pass

    async with listen(wait) as port:
        error = await failure_of(CloudUrl(host="127.0.0.1", port=port, tls=True), limit=0.1)
    assert "not connected within 0.1 s" in str(error)


async def test_a_port_that_nobody_listens_on_fails_the_connect() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await failure_of(CloudUrl(host="127.0.0.1", port=unused.getsockname()[1], tls=False))
    assert "refused" in str(error).lower()


class NoNames(trio.abc.HostnameResolver):
    """Knows no host at all, so that no test asks the network."""

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the name in Trio's interface
        proto: int = 0,
        flags: int = 0,
    ) -> NoReturn:
        await trio.lowlevel.checkpoint()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int) -> NoReturn:
        await trio.lowlevel.checkpoint()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_a_name_that_does_not_exist_fails_the_connect() -> None:
    trio.socket.set_custom_hostname_resolver(NoNames())
    error = await failure_of(CloudUrl(host="cloud.example", port=443, tls=True))
    assert "Name or service not known" in str(error)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
async def test_a_name_that_cannot_be_looked_up_fails_the_connect(host: str) -> None:
    await failure_of(CloudUrl(host=host, port=443, tls=True))


async def test_cancelling_during_tls_closes_the_socket() -> None:
    closed = trio.Event()

    async def wait(stream: trio.abc.Stream) -> None:
        async with stream:
            while await stream.receive_some():
                pass
        closed.set()

    async with listen(wait) as port:
        with trio.move_on_after(0.1) as scope:
            await dial_tcp(CloudUrl(host="127.0.0.1", port=port, tls=True))
        assert scope.cancelled_caught
        await closed.wait()


async def test_a_reset_connection_ends_with_1006() -> None:
    async def reset(stream: trio.abc.Stream) -> None:
        assert isinstance(stream, trio.SocketStream)
        async with open_upgrade(stream) as request, request.accept():
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    async with (
        listen(reset) as port,
        WebSocketConnector().connect(CloudUrl(host="127.0.0.1", port=port, tls=False), [], timeout=5) as transport,
    ):
        with pytest.raises(TransportClosedError) as caught:
            await transport.receive()
        assert caught.value.code == 1006


async def test_a_send_that_the_peer_does_not_read_can_be_cancelled() -> None:
    async def wait(stream: trio.abc.Stream) -> None:
        async with open_upgrade(stream) as request, request.accept():
            await trio.sleep_forever()

    async with (
        listen(wait) as port,
        WebSocketConnector().connect(CloudUrl(host="127.0.0.1", port=port, tls=False), [], timeout=5) as transport,
    ):
        with trio.move_on_after(0.2) as scope:
            while True:
                await transport.send("x" * 2**23)
        assert scope.cancelled_caught
        with pytest.raises(TransportClosedError):
            await transport.send("after half a frame")
