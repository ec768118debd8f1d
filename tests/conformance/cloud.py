"""The other end: a WebSocket server over memory streams that does what a timeline says, frame by frame.

It works on wsproto events instead of on a WebSocket library, because the recordings tell about single frames: pings
and pongs with their payload, fragments, invalid text, close frames with and without a code.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import attrs
import trio
import trio.testing
from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import RemoteProtocolError

from .marks import CLOUD_HOST, binary

if TYPE_CHECKING:
    from collections.abc import Callable

    from mentra_trio._net.transport import CloudUrl

    from .recordings import Json

JSON_PING = '{"type":"ping"}'


@attrs.frozen
class Refuse:
    """Answer the upgrade with an HTTP error."""

    status: int
    body: str = ""


class Accept:
    """Answer the upgrade as a WebSocket server does."""


class Hang:
    """Never answer the upgrade."""


class Unreachable:
    """Refuse the TCP connection."""


Fate = Accept | Refuse | Hang | Unreachable


@attrs.frozen(kw_only=True)
class Frame:
    """Something that the SDK did on a socket."""

    kind: str
    """`open`, `text`, `binary`, `close`, `pong`, as recorded."""
    message: object
    at: float
    """Trio time."""


@attrs.define(eq=False)
class Socket:
    """One connection of the SDK to the cloud."""

    stream: trio.abc.Stream
    fate: Fate
    changed: trio.lowlevel.ParkingLot
    """Told whenever there is something new to compare."""
    number: int = 0
    frames: deque[Frame] = attrs.field(factory=deque[Frame])
    """What the SDK sent and nobody has compared yet, without keep-alive."""
    pings: deque[float] = attrs.field(factory=deque[float])
    """When the SDK sent JSON pings that nobody has asked for yet."""
    ping_times: list[float] = attrs.field(factory=list[float])
    """When it sent all of them."""
    may_ping: bool = False
    """Whether the cloud has acknowledged or parked this socket: from then on pings are keep-alive, not news."""
    has_cut: bool = False
    """Whether this side ended the connection."""
    _protocol: WSConnection = attrs.field(factory=lambda: WSConnection(ConnectionType.SERVER))
    _writing: trio.Lock = attrs.field(factory=trio.Lock)
    _text: list[str] = attrs.field(factory=list[str])
    _bytes: list[bytes] = attrs.field(factory=list[bytes])
    _echo_is_news: bool = False
    _is_over: bool = False

    async def serve(self, opened: Callable[[Socket], None]) -> None:
        """Read until the end of the connection."""
        while True:
            data = await self._receive()
            if not data:
                if not self.has_cut and not self._is_over:
                    self._note("cut", None)
                return
            try:
                self._protocol.receive_data(data)
                events = list(self._protocol.events())
            except RemoteProtocolError as error:
                self._note("garbage", str(error))
                return
            for event in events:
                await self._handle(event, opened)

    async def _receive(self) -> bytes:
        try:
            return bytes(await self.stream.receive_some())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def _handle(self, event: Event, opened: Callable[[Socket], None]) -> None:
        match event:
            case Request():
                opened(self)
                self._note("open", _upgrade(event))
                await self._answer()
            case TextMessage():
                self._text.append(event.data)
                if event.message_finished:
                    self._note_text("".join(self._text))
                    self._text.clear()
            case BytesMessage():
                self._bytes.append(bytes(event.data))
                if event.message_finished:
                    self._note("binary", b"".join(self._bytes))
                    self._bytes.clear()
            case Ping():
                await self._send(event.response())
            case Pong():
                self._note("pong", binary(bytes(event.payload)))
            case CloseConnection():
                await self._closed(event)
            case _:
                self._note("garbage", repr(event))

    async def _answer(self) -> None:
        match self.fate:
            case Accept():
                await self._send(AcceptConnection())
            case Refuse(status, body):
                await self._send(RejectConnection(status_code=status, has_body=True))
                await self._send(RejectData(data=body.encode()))
                await self.cut()
            case _:
                pass

    async def _closed(self, event: CloseConnection) -> None:
        """The SDK closes, or answers our close frame."""
        code = None if event.code == 1005 else int(event.code)
        if not self.has_cut or self._echo_is_news:
            self._note("close", {"code": code, "reason": event.reason or ""})
        if not self.has_cut:
            await self._send(event.response())
        self._is_over = True
        await self.stream.aclose()

    def _note_text(self, text: str) -> None:
        if text == JSON_PING and self.may_ping:
            self.pings.append(trio.current_time())
            self.ping_times.append(trio.current_time())
            self.changed.unpark_all()
            return
        self._note("text", text)

    def _note(self, kind: str, message: object) -> None:
        self.frames.append(Frame(kind=kind, message=message, at=trio.current_time()))
        self.changed.unpark_all()

    async def _send(self, event: Event) -> None:
        await self._write(self._protocol.send(event))

    async def _write(self, data: bytes) -> None:
        async with self._writing:
            # The SDK may have gone away: a frame that comes too late is lost on a real network, too.
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self.stream.send_all(data)

    async def send_text(self, text: str) -> None:
        """Send a text frame, even after a close frame of the SDK."""
        await self.send_frame(opcode=1, payload=text.encode())

    async def send_binary(self, data: bytes) -> None:
        """Send a binary frame."""
        await self.send_frame(opcode=2, payload=data)

    async def send_ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        await self.send_frame(opcode=9, payload=payload)

    async def send_frame(self, *, opcode: int, payload: bytes, is_last: bool = True) -> None:
        """Send one frame as it is, allowed or not."""
        if opcode == 8:
            self._echo_is_news = self.has_cut = True
        head = bytes([(0x80 if is_last else 0) | opcode])
        if len(payload) < 126:
            head += bytes([len(payload)])
        elif len(payload) < 1 << 16:
            head += struct.pack("!BH", 126, len(payload))
        else:
            head += struct.pack("!BQ", 127, len(payload))
        await self._write(head + payload)

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame. The SDK's answer is no news."""
        self.has_cut = True
        await self.send_frame(opcode=8, payload=struct.pack("!H", code) + reason.encode())
        self._echo_is_news = False

    async def cut(self) -> None:
        """End the connection without a close frame."""
        self.has_cut = True
        await self.stream.aclose()


def _upgrade(request: Request) -> Json:
    headers: Json = {}
    for name, value in request.extra_headers:
        key = name.decode("latin-1").lower()
        if key.startswith("x-"):
            headers[key] = bytes(value).decode("latin-1")
    return {"path": request.target, "headers": headers}


@attrs.define(eq=False)
class FakeCloud:
    """All sockets of one scenario."""

    nursery: trio.Nursery
    changed: trio.lowlevel.ParkingLot
    fates: dict[int, Fate]
    """What becomes of each socket, by number. A socket without a fate was not expected."""
    sockets: list[Socket] = attrs.field(factory=list[Socket])
    """Sockets whose upgrade request has arrived, in that order."""
    otherwise: Fate | None = None
    """The fate of further sockets, when they are expected."""
    refused: int = 0
    """How many of those there were."""
    strays: list[str] = attrs.field(factory=list[str])
    """Connections that went elsewhere, or that nobody expected."""
    _dialled: int = 0

    async def dial(self, url: CloudUrl) -> trio.abc.Stream:
        """Connect the SDK to this cloud."""
        await trio.lowlevel.checkpoint()
        if f"{url.host}:{url.port}" != CLOUD_HOST:
            raise ConnectionRefusedError(f"nothing listens at {url.origin}")
        fate = self.fates.get(self._dialled + 1)
        if fate is None:
            fate = self.otherwise
            if fate is None:
                self.strays.append(f"a connection to {url.origin}{url.target} at {trio.current_time():.2f}")
            else:
                self.refused += 1
            if fate is None or isinstance(fate, Unreachable):
                raise ConnectionRefusedError(f"nothing listens at {url.origin} any more")
        else:
            self._dialled += 1
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(Socket(ours, fate, self.changed).serve, self._opened)
        return theirs

    def socket(self, number: int) -> Socket | None:
        """Give a socket by its number."""
        return self.sockets[number - 1] if number <= len(self.sockets) else None

    def _opened(self, socket: Socket) -> None:
        self.sockets.append(socket)
        socket.number = len(self.sockets)


def read_text(frame: Frame) -> object:
    """Read the JSON of a text frame. Raises `ValueError` when it is none."""
    return json.loads(cast("str", frame.message))
