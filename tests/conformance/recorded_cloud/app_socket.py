"""A bare WebSocket client that notes every frame: what an app's socket saw.

It works on wsproto events, because the recordings tell about pings, pongs and close frames, too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import attrs
import trio
from wsproto import ConnectionType, WSConnection
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
from wsproto.utilities import LocalProtocolError

from tests.conformance.recordings import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOST = (trio.BrokenResourceError, trio.ClosedResourceError)
Note = Callable[[str, object], None]
"""Takes the kind of a frame and what it says, as the recordings spell it."""


@attrs.define(eq=False)
class AppSocket:
    """One socket of an app. What is sent on one that has ended is lost, as on a real network."""

    _stream: trio.abc.Stream
    _note: Note
    _answers_pings: bool = True
    _protocol: WSConnection = attrs.field(factory=lambda: WSConnection(ConnectionType.CLIENT), init=False)
    _is_closing: bool = attrs.field(default=False, init=False)
    _has_ended: bool = attrs.field(default=False, init=False)
    _text: list[str] = attrs.field(factory=list[str], init=False)
    _bytes: list[bytes] = attrs.field(factory=list[bytes], init=False)
    _refusal: Json = attrs.field(factory=dict[str, object], init=False)
    _body: list[bytes] = attrs.field(factory=list[bytes], init=False)

    async def open(self, path: str, headers: Mapping[str, str]) -> None:
        """Ask for the upgrade. Whether it is granted is noted like everything else."""
        extra = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._send(Request(host="cloud.example.com", target=path, extra_headers=extra))

    async def send(self, payload: str | bytes) -> None:
        """Send one message."""
        await self._send(TextMessage(data=payload) if isinstance(payload, str) else BytesMessage(data=payload))

    async def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        await self._send(Ping(payload=payload))

    async def close(self, code: int | None, reason: str) -> None:
        """Begin the close handshake."""
        self._is_closing = True
        await self._send(CloseConnection(code=cast("int", code), reason=reason))

    async def cut(self) -> None:
        """End the connection without a close frame."""
        self._has_ended = True
        await trio.aclose_forcefully(self._stream)

    async def read(self) -> None:
        """Note everything that comes, until the end."""
        while data := await self._received():
            self._protocol.receive_data(data)
            for event in list(self._protocol.events()):
                await self._take(event)

    async def _received(self) -> bytes:
        """Wait for bytes; none are the end."""
        with suppress(*_LOST):
            if data := await self._stream.receive_some():
                return bytes(data)
        if not self._has_ended:
            self._has_ended = True
            self._note("close", {"code": 1006, "reason": ""})
        return b""

    async def _take(self, event: Event) -> None:
        match event:
            case AcceptConnection():
                self._note("http", {"status": 101})
            case RejectConnection() | RejectData():
                self._refused(event)
            case TextMessage() | BytesMessage():
                self._take_message(event)
            case Ping() if self._answers_pings:
                self._note("ping", {"length": len(event.payload)})
                await self._send(event.response())
            case Ping():
                self._note("ping", {"length": len(event.payload), "unanswered": True})
            case Pong():
                self._note("pong", {"length": len(event.payload)})
            case CloseConnection():
                await self._closed(event)
            case _:
                self._note("garbage", repr(event))

    def _take_message(self, event: TextMessage | BytesMessage) -> None:
        if isinstance(event, TextMessage):
            self._text.append(event.data)
        else:
            self._bytes.append(bytes(event.data))
        if not event.message_finished:
            return
        if isinstance(event, TextMessage):
            self._note("text", _parsed("".join(self._text)))
        else:
            whole = b"".join(self._bytes)
            self._note("binary", {"length": len(whole), "base64": base64.b64encode(whole).decode()})
        self._text.clear()
        self._bytes.clear()

    def _refused(self, event: RejectConnection | RejectData) -> None:
        if isinstance(event, RejectConnection):
            known = {bytes(name).decode().lower(): bytes(value).decode() for name, value in event.headers}
            self._refusal = {"status": event.status_code, "headers": {"content-type": known.get("content-type", "")}}
            return
        self._body.append(bytes(event.data))
        if event.body_finished:
            self._has_ended = True
            self._note("http", {**self._refusal, "body": _parsed(b"".join(self._body).decode())})

    async def _closed(self, event: CloseConnection) -> None:
        told: Json = {"code": int(event.code), "reason": event.reason or ""}
        self._note("close", {**told, "echo": True} if self._is_closing else told)
        if not self._is_closing:
            await self._send(event.response())
        self._has_ended = True
        await trio.aclose_forcefully(self._stream)

    async def _send(self, event: Event) -> None:
        with suppress(*_LOST, LocalProtocolError):
            await self._stream.send_all(self._protocol.send(event))


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
