"""The cloud over real sockets: WebSocket and HTTP served by hypercorn, behind a forwarder that faults can get at.

::

    app ── TCP ──► forwarder (one `Line` per connection) ── loopback TCP ──► hypercorn ── ASGI ──► AppConnection

Hypercorn cannot end a WebSocket without a close frame, swallow bytes or refuse connections; the forwarder can. It knows
which of its connections an ASGI request came over by the port that it used itself.
"""

from __future__ import annotations

import logging
import math
import socket
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

import attrs
import trio

from mentra_trio._net.serve import serve as serve_http
from mentra_trio.errors import ConfigError, TransportClosedError

from .connection import Refusal
from .forwarder import Line
from .rest import respond
from .sound import RELAY_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message, Receive, Scope, Send  # noqa: TC004 - nobody evaluates it

    from .engine import Cloud  # noqa: TC004 - nobody evaluates it

_log = logging.getLogger("mentra_trio.simulator")
_LOOPBACK = "127.0.0.1"
_MOST_BODY = 16 * 2**20
"""Bytes of a request that are read."""
_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""`SO_LINGER` on, for no time: closing resets the connection."""


async def serve(
    cloud: Cloud,
    *,
    host: str = _LOOPBACK,
    port: int = 0,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a cloud that runs, until cancelled. Started with its origin, which apps are told from then on.

    Raises `ConfigError` when the address cannot be had.
    """
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise ConfigError(f"the simulated cloud cannot listen on {host} port {port}: {error.strerror}") from error
    bound: int = listeners[0].socket.getsockname()[1]
    face = _Face(cloud)
    try:
        async with trio.open_nursery() as nursery:
            serve_asgi = partial(
                serve_http,
                face.asgi,
                host=_LOOPBACK,
                port=0,
                graceful_timeout=0.0,
                shutdown=trio.sleep_forever,
                logger=_log,
            )
            urls: tuple[str, ...] = await nursery.start(serve_asgi)
            face.inner_port = int(urls[0].rpartition(":")[2])
            cloud.origin = f"ws://{f'[{host}]' if ':' in host else host}:{bound}"
            task_status.started(cloud.origin)
            await trio.serve_listeners(face.forward, listeners)
    finally:
        with trio.CancelScope(shield=True):  # noqa: ASYNC912 - it ends: closing by force does not wait
            for listener in listeners:
                await trio.aclose_forcefully(listener)


@attrs.define(eq=False)
class _Face:
    """One served cloud: its forwarder and its ASGI application."""

    _cloud: Cloud
    inner_port: int = attrs.field(default=0, init=False)
    _lines: dict[int, Line] = attrs.field(factory=dict[int, Line], init=False)
    """Connections by the port from which the forwarder speaks to hypercorn."""

    async def forward(self, outside: trio.SocketStream) -> None:
        """Carry one connection."""
        if self._cloud.faults.refuse_connects:
            outside.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            await outside.aclose()
            return
        inside = await trio.open_tcp_stream(_LOOPBACK, self.inner_port)
        own_port: int = inside.socket.getsockname()[1]
        line = self._lines[own_port] = Line()
        try:
            await line.run(outside, inside)
        finally:
            del self._lines[own_port]

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or carry one WebSocket."""
        match scope["type"]:
            case "websocket":
                await self._serve_socket(scope, receive, send)
            case "http":
                await self._answer(scope, receive, send)
            case _:
                await _live(receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        while len(body) <= _MOST_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await trio.sleep(self._cloud.faults.http_delay)
        path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii")
        if path.startswith(RELAY_PATH) and scope["method"] == "GET":
            await self._stream(path, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        target = f"{path}?{query}" if query else path
        answer = respond(self._cloud, scope["method"], target, headers, bytes(body))
        sent = [(name.encode("ascii"), value.encode("ascii")) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": answer.body})

    async def _stream(self, path: str, receive: Receive, send: Send) -> None:
        """Give a stream of sound as it comes; the headers go out with its first bytes (P3 4.6)."""
        user_id, _, stream_id = unquote(path.removeprefix(RELAY_PATH)).partition("/")
        session = self._cloud.session(user_id.lower())
        ear = _HttpEar()
        kind = None if session is None else session.relays.claim(stream_id, ear)
        if session is None or kind is None:
            error = "Session not found" if session is None else "Stream not found or already ended"
            json_type = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 404, "headers": json_type})
            await send({"type": "http.response.body", "body": b'{"error":"%s"}' % error.encode()})
            return
        headers = [(b"content-type", kind.encode("latin-1")), (b"cache-control", b"no-cache, no-store")]
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ear.wait_gone, receive)
                is_begun = False
                async for data in ear.heard:
                    if not is_begun:
                        await send({"type": "http.response.start", "status": 200, "headers": headers})
                        is_begun = True
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                if not is_begun:
                    await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": b""})
                nursery.cancel_scope.cancel(reason="the stream has ended")
        finally:
            session.relays.left(ear)
            self._cloud.notify()

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        headers = {name.decode("latin-1").lower(): value.decode("utf-8", "replace") for name, value in scope["headers"]}
        decision = self._cloud.upgrade(scope["path"], headers)
        if isinstance(decision, Refusal):
            content_type = (b"content-type", decision.content_type.encode("ascii"))
            await send(
                {
                    "type": "websocket.http.response.start",
                    "status": decision.status,
                    "headers": [content_type],
                }
            )
            await send({"type": "websocket.http.response.body", "body": decision.body})
            return
        _, own_port = scope["client"]
        decision.line = self._lines.get(own_port)
        await send({"type": "websocket.accept"})
        await decision.serve(_AsgiTransport(receive, send))


@attrs.define(eq=False)
class _HttpEar:
    """A phone that fetches a stream over HTTP."""

    heard: trio.MemoryReceiveChannel[bytes] = attrs.field(init=False)
    _told: trio.MemorySendChannel[bytes] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # No bound: the cloud itself has none for a phone that is connected (P3 4.6).
        self._told, self.heard = trio.open_memory_channel[bytes](math.inf)

    def hear(self, data: bytes) -> None:
        self._told.send_nowait(data)

    def ended(self) -> None:
        self._told.close()

    async def wait_gone(self, receive: Receive) -> None:
        """Wait until the other side is gone."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._told.close()


async def _live(receive: Receive, send: Send) -> None:
    """Have nothing to do when the server starts and stops."""
    while True:
        moment = (await receive())["type"]
        await send({"type": f"{moment}.complete"})
        if moment == "lifespan.shutdown":
            return


@attrs.define(eq=False)
class _AsgiTransport:
    """A `Transport` over ASGI, which hands messages over one at a time and knows no ping frames."""

    _receive: Receive
    _send: Send
    _end: tuple[int, str] | None = attrs.field(default=None, init=False)

    async def receive(self) -> Sequence[str | bytes]:
        if self._end is None:
            message = await self._receive()
            if message["type"] == "websocket.receive":
                text = message.get("text")
                return (message["bytes"] if text is None else text,)
            self._end = message.get("code", 1006), message.get("reason") or ""
        await trio.lowlevel.checkpoint()
        raise TransportClosedError(*self._end)

    async def send(self, message: str | bytes) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        await self._tell({"type": "websocket.send", kind: message})

    async def ping(self) -> None:
        """Take the peer for alive: ASGI has no ping frames."""
        await trio.lowlevel.checkpoint()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await self._tell({"type": "websocket.close", "code": code, "reason": reason})

    async def _tell(self, event: Message) -> None:
        try:
            await self._send(event)
        except trio.BusyResourceError:
            # Only hypercorn's own end of the socket gets in the way of a send: it half-closes without its lock.
            raise TransportClosedError(1006, "") from None
