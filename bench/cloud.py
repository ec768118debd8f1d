"""The load source: the cloud's side of webhook and WebSocket, doing as little as possible.

wsproto does the handshake and reads what the app says. What the cloud says goes to the socket as raw bytes that were
encoded before.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

import attrs
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage
from wsproto.utilities import RemoteProtocolError

from . import frames

_READ_SIZE = 64 * 2**10
_SECOND_TRY = 1.0
_CONNECTS_AT_ONCE = 1024
"""Connections that may wait to be accepted: a crowd comes at once, and the kernel must not turn it away."""


@attrs.define(eq=False)
class Visit:
    """One session of an app, from before its webhook to the end of its socket."""

    session_id: str
    on_display: Callable[[str], None] | None = None
    """Called with the text of each display."""
    started: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when the handler has spoken: its own subscription has arrived."""
    started_at: float = attrs.field(init=False, default=0.0)
    _stream: trio.SocketStream | None = attrs.field(init=False, default=None)
    _turn: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def write(self, data: bytes) -> None:
        """Write whole frames, as fast as the socket takes them."""
        assert self._stream is not None, "the app has not connected"
        async with self._turn:
            await self._stream.send_all(data)

    def attach(self, stream: trio.SocketStream) -> None:
        """Note where the app is reached."""
        self._stream = stream

    def note_start(self) -> None:
        """Note that the handler runs."""
        if not self.started.is_set():
            self.started_at = trio.current_time()
            self.started.set()


@attrs.define(eq=False)
class Cloud:
    """Accepts the sockets of all apps. Made by `open_cloud`."""

    url: str
    """Where apps connect to."""
    _visits: dict[str, Visit] = attrs.field(init=False, factory=dict[str, Visit])

    def expect(self, session_id: str, on_display: Callable[[str], None] | None = None) -> Visit:
        """Get ready for a session."""
        visit = self._visits[session_id] = Visit(session_id, on_display)
        return visit

    async def start(self, app: str, session_id: str, on_display: Callable[[str], None] | None = None) -> Visit:
        """Start a session by a webhook, wait until its handler runs."""
        visit = self.expect(session_id, on_display)
        await _call(app, {"type": "session_request", "websocketUrl": self.url}, session_id)
        await visit.started.wait()
        return visit

    async def stop(self, app: str, session_id: str) -> None:
        """Stop a session by a webhook."""
        self._visits.pop(session_id, None)
        await _call(app, {"type": "stop_request", "reason": "user_disabled"}, session_id)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Talk to one socket until it ends."""
        peer = WSConnection(ConnectionType.SERVER)
        visit: Visit | None = None
        text = ""
        try:
            async for data in stream:
                try:
                    peer.receive_data(bytes(data))
                except RemoteProtocolError:
                    # A plain request, for the app's permissions (P2 9.6): this cloud has nothing but the socket.
                    await stream.send_all(_NOT_FOUND)
                    return
                for event in peer.events():
                    match event:
                        case Request():
                            visit = self._visits[_session_of(event)]
                            visit.attach(stream)
                            await visit.write(peer.send(AcceptConnection()))
                        case TextMessage() if visit is not None:
                            text += event.data
                            if event.message_finished:
                                await _hear(visit, text)
                                text = ""
                        case Ping() if visit is not None:
                            await visit.write(peer.send(event.response()))
                        case CloseConnection() if visit is not None:
                            await visit.write(peer.send(event.response()))
                            return
                        case _:
                            pass
        except trio.BrokenResourceError:
            pass  # the app has gone, which a measurement that needs it will notice


async def _hear(visit: Visit, text: str) -> None:
    """Take a message of the app and do what a cloud must do at once."""
    fields = cast("dict[str, object]", json.loads(text))
    match fields["type"]:
        case "tpa_connection_init":
            await visit.write(frames.acknowledge(visit.session_id, user_of(visit.session_id)))
        case "subscription_update":
            # The first lists of an app may hold what the SDK wants for itself.
            if any("transcription" in str(name) or name == "audio_chunk" for name in _items(fields["subscriptions"])):
                visit.note_start()
        case "ping":
            await visit.write(frames.PONG)
        case "display_event":
            if visit.on_display is not None:
                visit.on_display(str(cast("dict[str, object]", fields["layout"]).get("text")))
        case _:
            pass


_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def user_of(session_id: str) -> str:
    """Give the wearer of a session."""
    return f"{session_id}@example.com"


def _session_of(request: Request) -> str:
    return next(value.decode() for name, value in request.extra_headers if name.lower() == b"x-session-id")


async def _call(app: str, fields: dict[str, object], session_id: str) -> None:
    """Call a webhook as the cloud does: when it fails, once more after a second (P1 1.3), then `RuntimeError`."""
    answer = await _post(app, fields, session_id)
    if not _is_success(answer):
        await trio.sleep(_SECOND_TRY)
        answer = await _post(app, fields, session_id)
        if not _is_success(answer):
            raise RuntimeError(f"the app answered a {fields['type']} with {answer[:200]!r}")


def _is_success(answer: bytes) -> bool:
    return answer.split(b" ", 2)[1:2] == [b"200"]


async def _post(app: str, fields: dict[str, object], session_id: str) -> bytes:
    """Post on a connection of its own; return the whole answer."""
    address = urlsplit(app)
    call = {**fields, "sessionId": session_id, "userId": user_of(session_id), "timestamp": "2026-06-14T09:12:30.000Z"}
    body = json.dumps(call).encode()
    head = (
        f"POST /webhook HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    async with await trio.open_tcp_stream(address.hostname or "", address.port or 80) as stream:
        await stream.send_all(head.encode() + body)
        return b"".join([bytes(part) async for part in stream])


@asynccontextmanager
async def open_cloud() -> AsyncGenerator[Cloud, None]:
    """Run the load source on the loopback interface while the block runs."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=_CONNECTS_AT_ONCE)
    host, port = cast("tuple[str, int]", listeners[0].socket.getsockname())
    cloud = Cloud(f"ws://{host}:{port}/ws/miniapp")
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, cloud.serve, listeners)
        yield cloud
        nursery.cancel_scope.cancel(reason="measured")
