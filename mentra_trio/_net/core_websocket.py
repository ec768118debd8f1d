"""WebSockets on the sans-I/O core of the `websockets` library: the client for apps.

Only this module imports the library, and only its documented protocol of a client: bytes in, frames out. What moves
the bytes is here:

* `_Socket.pump` reads the stream and feeds the protocol. Many small messages that came in one read cost one turn of
  the scheduler together, and `receive` hands them over together.
* What the protocol wants written joins one list, in order. Whoever flushes it writes all of it at once, under a lock:
  the caller of `send`, or `write_control`, which writes pongs, pings and close frames for everybody who must not wait
  or who may be cancelled.
* A cancelled write may have stopped inside a frame (T1). A cancelled `send` therefore closes the stream, and
  `write_control` is only cancelled when the connection ends.
"""

from __future__ import annotations

import logging
import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import attrs
import trio
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI

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
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from .transport import CloudUrl, Transport

_TEXT, _BINARY, _CONTINUATION, _PONG = Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PONG
_INVALID_TEXT = 1007
_LAST_WORD = 1.0
"""Seconds that the last frame of a connection may take."""

_SILENT = logging.Logger("mentra_trio.websocket", logging.CRITICAL)
"""The library's own logger would show the beginning of every message at DEBUG: speech, and the API key (D23)."""


@attrs.define(eq=False)
class _Ping:
    done: trio.Event = attrs.field(factory=trio.Event, init=False)
    answered: bool = attrs.field(default=False, init=False)


@attrs.define(eq=False)
class _Socket:
    """The library's protocol over a stream, behind `Transport`."""

    _protocol: ClientProtocol
    _stream: trio.abc.Stream

    _unwritten: list[bytes] = attrs.field(factory=list[bytes], init=False)
    """What the protocol wants written, in order."""
    _write_lock: trio.StrictFIFOLock = attrs.field(factory=trio.StrictFIFOLock, init=False)
    _control_wanted: trio.Event = attrs.field(factory=trio.Event, init=False)

    _partial: bytearray | None = attrs.field(default=None, init=False)
    """The beginning of a message in fragments."""
    _is_partial_text: bool = attrs.field(default=False, init=False)
    _arrived: list[str | bytes] = attrs.field(factory=list[str | bytes], init=False)
    _size: int = attrs.field(default=0, init=False)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    _room: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    _pings: list[_Ping] = attrs.field(factory=list[_Ping], init=False)
    """Those who wait for a ping frame to be sent."""
    _pinged: list[_Ping] = attrs.field(factory=list[_Ping], init=False)
    """Those whose ping frame is on its way, and who wait for its pong."""
    _ping_number: int = attrs.field(default=0, init=False)

    _is_closing: bool = attrs.field(default=False, init=False)
    """We began to close, so what still arrives is dropped."""
    _is_failed: bool = attrs.field(default=False, init=False)
    """What came was no WebSocket, so nothing more is read."""
    _pumped: trio.Event = attrs.field(factory=trio.Event, init=False)
    _end: tuple[int, str] | None = attrs.field(default=None, init=False)
    _cause: Exception | None = attrs.field(default=None, init=False)

    async def receive(self) -> Sequence[str | bytes]:
        if self._arrived or self._end is not None:
            await trio.lowlevel.checkpoint()
        while not self._arrived:
            if self._end is not None:
                raise self._closed_error() from self._cause
            await self._news.park()
        messages, self._arrived = self._arrived, []
        self._size = 0
        self._room.unpark_all()
        return messages  # noqa: ASYNC910 - it has checkpointed, or parked

    async def send(self, message: str | bytes) -> None:
        if self._end is not None:
            raise self._closed_error() from self._cause
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
            await self._flush()
        except InvalidState as error:  # a close frame went or came
            raise self._closed_error() from error
        except trio.Cancelled:
            self.finish()
            await trio.aclose_forcefully(self._stream)
            raise  # pragma: no cover - closing notices the cancellation too, and raises first

    async def ping(self) -> None:
        if self._end is not None:
            raise self._closed_error() from self._cause
        ping = _Ping()
        self._pings.append(ping)
        self._control_wanted.set()
        try:
            await ping.done.wait()
        finally:
            (self._pings if ping in self._pings else self._pinged).remove(ping)
        if not ping.answered:
            raise self._closed_error() from self._cause

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        check_close_code(code)
        try:
            self._is_closing = True
            self._arrived.clear()
            self._size = 0
            self._room.unpark_all()
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(code, cut_reason(reason))
                self._control_wanted.set()
            await self._pumped.wait()
        finally:
            self.finish()
            await trio.aclose_forcefully(self._stream)

    async def pump(self) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Read until nothing more can come. Ends with the connection."""
        data: bytes | bytearray = b""
        try:
            while self._is_readable():
                try:
                    data = await self._stream.receive_some(READ_SIZE)
                except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    self._cause, data = error, b""
                self._feed(data)
                while self._size >= MAX_WAITING_SIZE or len(self._arrived) >= MAX_WAITING_MESSAGES:
                    await self._room.park()
            if data:
                # The answer to a close frame, or the reason why we fail the connection, goes out before anyone hears of
                # it: whoever does may leave. It cannot while a write is stuck, and that must not hold the end up.
                with trio.move_on_after(_LAST_WORD), suppress(TransportClosedError):
                    await self._flush()
        finally:
            self._pumped.set()
        if not self._is_closing:  # else `aclose` knows better when it is over
            self.finish()
            # A write that is stuck would not learn of the end.
            await trio.aclose_forcefully(self._stream)

    def _is_readable(self) -> bool:
        protocol = self._protocol
        if protocol.state is State.OPEN:
            return True
        return protocol.state is State.CLOSING and protocol.close_rcvd is None and not self._is_failed

    def _feed(self, data: bytes | bytearray) -> None:
        protocol = self._protocol
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        self.take(protocol.events_received())
        if protocol.parser_exc is not None:
            self._is_failed = True
            self._cause = protocol.parser_exc
        if writes := protocol.data_to_send():
            self._unwritten += writes
            self._control_wanted.set()

    def take(self, events: Iterable[object]) -> None:
        """Collect the messages among these frames, and hear the pongs."""
        for frame in events:
            if not isinstance(frame, Frame) or self._is_closing or self._is_failed:
                continue
            opcode = frame.opcode
            if opcode is _TEXT or opcode is _BINARY:
                if frame.fin:
                    self._put(frame.data, is_text=opcode is _TEXT)
                else:
                    self._partial, self._is_partial_text = bytearray(frame.data), opcode is _TEXT
            elif opcode is _CONTINUATION and self._partial is not None:
                self._partial += frame.data
                if frame.fin:
                    self._put(self._partial, is_text=self._is_partial_text)
                    self._partial = None
            elif opcode is _PONG and bytes(frame.data) == self._payload():
                self._answer_pings()
        if self._arrived:
            self._news.unpark_all()

    def _put(self, data: bytes | bytearray | memoryview, *, is_text: bool) -> None:
        if is_text:
            try:
                message: str | bytes = str(data, "utf-8")
            except UnicodeDecodeError as error:
                self._is_failed, self._cause = True, error
                self._protocol.fail(_INVALID_TEXT)
                return
        else:
            message = bytes(data)
        self._arrived.append(message)
        self._size += len(message)

    def _payload(self) -> bytes:
        """What the newest ping frame carries."""
        return b"%04d" % (self._ping_number % 10_000)

    def _answer_pings(self) -> None:
        for ping in self._pinged:
            ping.answered = True
            ping.done.set()
        if self._pings:
            self._control_wanted.set()

    async def write_control(self) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Write what must go out without a caller, and the pings, one at a time. Ends with the connection."""
        with suppress(TransportClosedError):
            while True:
                await self._control_wanted.wait()
                self._control_wanted = trio.Event()
                if self._protocol.state is State.OPEN and self._pings and all(p.answered for p in self._pinged):
                    self._pinged, self._pings = self._pinged + self._pings, []
                    self._ping_number += 1
                    self._protocol.send_ping(self._payload())
                await self._flush()

    async def _flush(self) -> None:  # noqa: ASYNC910 - only without a checkpoint when there is nothing to write
        """Write what the protocol wants written. `TransportClosedError` when the stream has ended."""
        try:
            self._write_lock.acquire_nowait()
        except trio.WouldBlock:
            await self._write_lock.acquire()
        try:
            # Whoever held the lock before may have written this caller's part as well.
            if data := b"".join([*self._unwritten, *self._protocol.data_to_send()]):
                self._unwritten.clear()
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.finish()
            raise self._closed_error() from error
        finally:
            self._write_lock.release()

    def finish(self) -> None:
        """Note how the connection ended, and tell everybody who waits for something from it."""
        if self._end is None:
            error = self._closed_error()
            self._end = error.code, error.reason
        self._news.unpark_all()
        for ping in (*self._pings, *self._pinged):
            ping.done.set()

    def _closed_error(self) -> TransportClosedError:
        if self._end is not None:
            return TransportClosedError(*self._end)
        close = self._protocol.close_rcvd
        if close is None and self._is_failed and not self._is_closing:
            close = self._protocol.close_sent
        return TransportClosedError(ABNORMAL) if close is None else TransportClosedError(close.code, close.reason)


@attrs.define(eq=False)
class CoreWebSocketConnector:
    """Connects over the core of `websockets`. See `Connector`."""

    _dial: Dial = attrs.field(default=dial_tcp, alias="dial")
    """How the byte stream is opened; may raise `ConnectFailedError`, `OSError` or `trio.BrokenResourceError`."""
    _max_message_size: int = attrs.field(default=MAX_MESSAGE_SIZE, alias="max_message_size", kw_only=True)
    """In bytes. A larger message closes the connection with 1009."""

    @asynccontextmanager
    async def connect(
        self,
        url: CloudUrl,
        headers: Sequence[tuple[str, bytes]],
        *,
        timeout: float,  # noqa: ASYNC109 - connecting has its own limit (D20)
    ) -> AsyncGenerator[Transport, None]:
        try:
            with trio.fail_after(timeout):
                stream = await open_stream(self._dial, url)
                try:
                    socket = await self._shake_hands(stream, url, headers)
                except BaseException:
                    await trio.aclose_forcefully(stream)
                    raise
        except trio.TooSlowError as error:
            raise ConnectFailedError(f"{url.origin} was not connected within {timeout:g} s") from error
        try:
            async with open_services() as services:
                services.start_soon(socket.pump)
                services.start_soon(socket.write_control)
                yield socket
        finally:
            socket.finish()
            await trio.aclose_forcefully(stream)

    async def _shake_hands(
        self, stream: trio.abc.Stream, url: CloudUrl, headers: Sequence[tuple[str, bytes]]
    ) -> _Socket:
        uri = WebSocketURI(url.tls, url.host, url.port, url.target, "")
        protocol = ClientProtocol(uri, max_size=self._max_message_size, logger=_SILENT)
        lines = b""
        for name, value in headers:
            if re.search(rb"[\r\n\0]", value):
                raise ConnectFailedError(f"the upgrade request to {url.origin} cannot be written; check its headers")
            lines += name.encode("ascii") + b": " + value + b"\r\n"
        head = b""
        try:
            # The library's headers are text, and its releases differ in how they encode it; ours are bytes.
            await stream.send_all(protocol.connect().serialize().removesuffix(b"\r\n") + lines + b"\r\n")
            while protocol.state is State.CONNECTING:
                data = await stream.receive_some(READ_SIZE)
                if len(head) < 16:
                    head += bytes(data[:16])
                _check_answer(url, head, is_end=not data)
                protocol.receive_data(data)
                if protocol.handshake_exc is not None:
                    raise _no_websocket(url) from protocol.handshake_exc
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectFailedError(_GONE.format(url.origin)) from error
        socket = _Socket(protocol, stream)
        socket.take(protocol.events_received())  # messages may have come with the answer
        return socket


_GONE = "{} closed the connection before it answered the upgrade request"


def _check_answer(url: CloudUrl, head: bytes, *, is_end: bool) -> None:
    """Judge by the status line: the whole of an answer without a length never comes."""
    if (line := re.match(rb"HTTP/1\.[01] (\d{3})", head)) and (status := int(line[1])) != 101:
        raise ConnectFailedError(f"{url.origin} refused the upgrade with HTTP status {status}", status=status)
    if is_end:
        raise _no_websocket(url) if head else ConnectFailedError(_GONE.format(url.origin))


def _no_websocket(url: CloudUrl) -> ConnectFailedError:
    return ConnectFailedError(f"{url.origin} does not answer like a WebSocket server")
