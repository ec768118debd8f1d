"""WebSockets on trio-websocket: the client for apps, the server for the simulator and the tests.

Only this module imports the library. What it adds, and why:

* The library starts a reader task in a nursery that we give it, and that task may raise: `ConnectionClosed`, a refusal,
  and errors of the protocol engines below (a ping that comes after our close frame is one way). So the nursery lives in
  a task of its own, `_run_library`, which turns whatever happens into "the connection ended".
* The library's handshakes wait for ever when the peer goes away in the middle of them. `_Wire`, which sits between the
  library and the stream, sees that and ends the waiting.
* Its queue holds one message at a time and a full queue stops the reader, and with it the pongs (T2). `_Socket.pump`
  empties the queue into a list, so that `receive` can hand over everything that has arrived.
* Cancelling one of its writes garbles the connection (T1). Pings are written by a task that callers cannot cancel, and
  a cancelled `send` closes the stream.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import attrs
import trio
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    wrap_client_stream,
    wrap_server_stream,
)
from wsproto.utilities import LocalProtocolError

from mentra_trio.errors import ConnectFailedError, TransportClosedError

from .dial import dial_tcp, open_stream
from .framing import (
    ABNORMAL,
    MAX_MESSAGE_SIZE,
    MAX_WAITING_MESSAGES,
    MAX_WAITING_SIZE,
    READ_SIZE,
    check_close_code,
    cut_reason,
)
from .services import open_services
from .transport import Dial

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from .transport import CloudUrl, Transport

T = TypeVar("T")


@attrs.define(eq=False)
class _Wire(trio.abc.Stream):
    """The byte stream under the library. Notices when nothing more can come from it."""

    _stream: trio.abc.Stream
    head: bytes = attrs.field(default=b"", init=False)
    """The first bytes that came, enough for an HTTP status line."""
    failure: BaseExceptionGroup[Exception] | None = attrs.field(default=None, init=False)
    """What the library's reader raised."""
    _ended: bool = attrs.field(default=False, init=False)
    _alive: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    def while_alive(self) -> trio.CancelScope:
        """Return a scope that is cancelled when the stream ends. One at a time."""
        self._alive = trio.CancelScope()
        if self._ended:
            self._alive.cancel(reason="the stream has ended")
        return self._alive

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self._stream.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end()
            raise
        if not data:
            self._end()
        elif len(self.head) < 16:
            self.head += bytes(data[:16])
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        # A connection that is reset shows in whichever direction is used next, so also here.
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end()
            raise

    async def wait_send_all_might_not_block(self) -> None:  # pragma: no cover - what Trio asks of streams, and no more
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:  # noqa: ASYNC910 - the stream checkpoints also when it raises
        self._end()
        with suppress(trio.BrokenResourceError):
            await self._stream.aclose()

    def _end(self) -> None:
        self._ended = True
        self._alive.cancel(reason="the stream has ended")


class _NoHandshakeError(Exception):
    """The peer went away, refused, or did not speak HTTP. The library's error is the cause."""


async def _run_library(  # noqa: ASYNC114 - started from a nursery that outlives the block
    wire: _Wire,
    wrap: Callable[[trio.Nursery], Awaitable[T]],
    *,
    task_status: trio.TaskStatus[T] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Own the library's reader task from the handshake to the end of the stream.

    Started with the outcome of the handshake. Before that `_NoHandshakeError`; after that no exception at
    all: the end of the stream shows in the connection's calls. Owns the stream from the first moment.
    """
    started = False
    failure: BaseExceptionGroup[Exception] | None = None
    try:
        async with trio.open_nursery() as nursery:
            with wire.while_alive() as alive:
                wrapped = await wrap(nursery)
                started = True
                task_status.started(wrapped)
            if alive.cancelled_caught:
                nursery.cancel_scope.cancel(reason="the peer went away during the handshake")
    except* Exception as group:  # noqa: BLE001 - whatever it is, the connection is over
        failure = group
    finally:
        wire.failure = failure
        await trio.aclose_forcefully(wire)
    if not started:
        raise _NoHandshakeError from failure


@attrs.define(eq=False)
class _Ping:
    done: trio.Event = attrs.field(factory=trio.Event, init=False)
    answered: bool = attrs.field(default=False, init=False)


@attrs.define(eq=False)
class _Socket:
    """The library's connection behind `Transport`, for both sides."""

    _connection: WebSocketConnection
    _wire: _Wire
    _arrived: list[str | bytes] = attrs.field(factory=list[str | bytes], init=False)
    _size: int = attrs.field(default=0, init=False)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    _room: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    _pings: list[_Ping] = attrs.field(factory=list[_Ping], init=False)
    _ping_wanted: trio.Event = attrs.field(factory=trio.Event, init=False)
    _pumped: trio.Event = attrs.field(factory=trio.Event, init=False)
    _close_lock: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _is_closing: bool = attrs.field(default=False, init=False)
    """We began to close, so what still arrives is dropped."""
    _is_unanswered: bool = attrs.field(default=False, init=False)
    """Our close frame has no answer yet, so the close code that the library assumes is not the peer's."""
    _end: tuple[int, str] | None = attrs.field(default=None, init=False)

    async def receive(self) -> Sequence[str | bytes]:
        await trio.lowlevel.checkpoint()
        while not self._arrived:
            if self._end is not None:
                raise self._closed_error() from self._wire.failure
            await self._news.park()
        messages, self._arrived = self._arrived, []
        self._size = 0
        self._room.unpark_all()
        return messages

    async def send(self, message: str | bytes) -> None:
        if self._end is not None:
            raise self._closed_error() from self._wire.failure
        try:
            await self._connection.send_message(message)
        except (ConnectionClosed, LocalProtocolError) as error:
            raise self._closed_error() from error
        except trio.Cancelled:
            self.finish()
            await trio.aclose_forcefully(self._wire)
            raise  # pragma: no cover - closing notices the cancellation too, and raises first

    async def ping(self) -> None:
        if self._end is not None:
            raise self._closed_error() from self._wire.failure
        ping = _Ping()
        self._pings.append(ping)
        self._ping_wanted.set()
        try:
            await ping.done.wait()
        finally:
            self._pings.remove(ping)
        if not ping.answered:
            raise self._closed_error() from self._wire.failure

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        check_close_code(code)
        try:
            # Those who come second wait for the first, each as long as its own caller lets it.
            async with self._close_lock:
                await self._shake_hands(code, cut_reason(reason))
        finally:
            self.finish()
            await trio.aclose_forcefully(self._wire)

    async def _shake_hands(self, code: int, reason: str) -> None:
        self._is_unanswered = self._connection.closed is None
        self._is_closing = True
        self._arrived.clear()
        self._size = 0
        self._room.unpark_all()
        # The library would wait for ever for the peer's close frame when its reader has crashed.
        with self._wire.while_alive():
            await self._connection.aclose(code, reason)
        # When the peer closed first the library returns at once, maybe before its answer is written. The pump ends
        # after that.
        await self._pumped.wait()
        self._is_unanswered = False

    async def pump(self) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Take messages from the library as they come. Ends with the connection."""
        try:
            while True:
                message = await self._connection.get_message()
                if self._is_closing:
                    continue
                self._arrived.append(message)
                self._size += len(message)
                self._news.unpark_all()
                while self._size >= MAX_WAITING_SIZE or len(self._arrived) >= MAX_WAITING_MESSAGES:
                    await self._room.park()
        except ConnectionClosed:
            pass
        finally:
            self._pumped.set()
        if not self._is_closing:  # else `aclose` knows better when it is over
            self.finish()

    async def write_pings(self) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Send the ping frames that callers of `ping` want, one at a time. Ends with the connection."""
        with suppress(ConnectionClosed, LocalProtocolError):
            while True:
                await self._ping_wanted.wait()
                self._ping_wanted = trio.Event()
                if not (pings := tuple(self._pings)):
                    continue  # they were all cancelled
                await self._connection.ping()
                for ping in pings:
                    ping.answered = True
                    ping.done.set()

    def finish(self) -> None:
        """Note how the connection ended, and tell everybody who waits for something from it."""
        if self._end is None:
            error = self._closed_error()
            self._end = error.code, error.reason
        self._news.unpark_all()
        for ping in self._pings:
            ping.done.set()

    def _closed_error(self) -> TransportClosedError:
        if self._end is not None:
            return TransportClosedError(*self._end)
        closed = self._connection.closed
        if closed is None or self._is_unanswered:
            return TransportClosedError(ABNORMAL)
        return TransportClosedError(closed.code, closed.reason or "")


@asynccontextmanager
async def _open_socket(connection: WebSocketConnection, wire: _Wire) -> AsyncGenerator[Transport, None]:
    socket = _Socket(connection, wire)
    try:
        async with open_services() as services:
            services.start_soon(socket.pump)
            services.start_soon(socket.write_pings)
            yield socket
    finally:
        socket.finish()
        await trio.aclose_forcefully(wire)


@attrs.define(eq=False)
class WebSocketConnector:
    """Connects over trio-websocket. See `Connector`."""

    _dial: Dial = attrs.field(default=dial_tcp, alias="dial")
    """How the byte stream is opened; may raise `ConnectFailedError`, `OSError` or
    `trio.BrokenResourceError`."""
    _max_message_size: int = attrs.field(default=MAX_MESSAGE_SIZE, alias="max_message_size", kw_only=True)
    """A larger message closes the connection with 1009."""

    @asynccontextmanager
    async def connect(
        self,
        url: CloudUrl,
        headers: Sequence[tuple[str, bytes]],
        *,
        timeout: float,  # noqa: ASYNC109 - connecting has its own limit (D20)
    ) -> AsyncGenerator[Transport, None]:
        async with open_services() as services:
            try:
                with trio.fail_after(timeout):
                    wire = _Wire(await open_stream(self._dial, url))
                    wrap = partial(
                        wrap_client_stream,
                        # Any stream will do; the annotation is narrower than the code.
                        stream=cast("trio.SocketStream", wire),
                        host=url.authority,
                        resource=url.target,
                        extra_headers=[(name.encode("ascii"), value) for name, value in headers],
                        max_message_size=self._max_message_size,
                        receive_buffer_size=READ_SIZE,
                    )
                    try:
                        connection: WebSocketConnection = await services.start(_run_library, wire, wrap)
                    except _NoHandshakeError as error:
                        raise _refusal(url, wire) from error.__cause__
            except trio.TooSlowError as error:
                raise ConnectFailedError(f"{url.origin} was not connected within {timeout:g} s") from error
            async with _open_socket(connection, wire) as transport:
                yield transport


def _refusal(url: CloudUrl, wire: _Wire) -> ConnectFailedError:
    """Say why there was no upgrade."""
    # The library tells the status only when the whole answer came, which an answer without a length never does.
    if (line := re.match(rb"HTTP/1\.[01] (\d{3})", wire.head)) and (status := int(line[1])) != 101:
        return ConnectFailedError(f"{url.origin} refused the upgrade with HTTP status {status}", status=status)
    if wire.head:
        return ConnectFailedError(f"{url.origin} does not answer like a WebSocket server")
    if wire.failure is not None:
        return ConnectFailedError(f"the upgrade request to {url.origin} cannot be written; check its headers")
    return ConnectFailedError(f"{url.origin} closed the connection before it answered the upgrade request")


@attrs.define(eq=False)
class UpgradeRequest:
    """A client that asks for a WebSocket. Answer it with `accept` or `reject`, once."""

    target: str
    """Path and query as the client sent them."""
    headers: tuple[tuple[str, bytes], ...] = attrs.field(repr=False)
    """Names in lower case, in the order of the request, without `host`. They may hold keys."""
    _request: WebSocketRequest = attrs.field(repr=False)
    _wire: _Wire = attrs.field(repr=False)

    @asynccontextmanager
    async def accept(self) -> AsyncGenerator[Transport, None]:
        """Say yes. The context is like that of `Connector.connect`, from the server's side.

        Raises `TransportClosedError` when the client has gone.
        """
        try:
            connection = await self._request.accept()
        except ConnectionClosed as error:
            raise TransportClosedError(ABNORMAL) from error
        async with _open_socket(connection, self._wire) as transport:
            yield transport

    async def reject(  # noqa: ASYNC910 - the library checkpoints also when it raises
        self, status: int, *, body: bytes = b"", content_type: str = "text/plain"
    ) -> None:
        """Say no, with an HTTP status and a body. A client that has gone is no error."""
        with suppress(ConnectionClosed):
            await self._request.reject(
                status, extra_headers=[(b"content-type", content_type.encode("ascii"))], body=body
            )


@asynccontextmanager
async def open_upgrade(
    stream: trio.abc.Stream, *, max_message_size: int = MAX_MESSAGE_SIZE
) -> AsyncGenerator[UpgradeRequest, None]:
    """Read an upgrade request from a stream: the server's side, for the simulator and the tests.

    Resource handling: takes over the stream and closes it hard on leaving.

    Error handling: `TransportClosedError` on entry when the client goes away, or sends something else than an upgrade
    (which is then answered with 400). Waits for the request without a limit: bound it with a deadline.
    """
    wire = _Wire(stream)
    wrap = partial(wrap_server_stream, stream=wire, max_message_size=max_message_size, receive_buffer_size=READ_SIZE)
    async with open_services() as services:
        try:
            request: WebSocketRequest = await services.start(_run_library, wire, wrap)
        except _NoHandshakeError as error:
            raise TransportClosedError(ABNORMAL, "no upgrade request came") from error.__cause__
        headers = tuple((name.decode("latin-1").lower(), value) for name, value in request.headers)
        yield UpgradeRequest(request.path, headers, request, wire)
