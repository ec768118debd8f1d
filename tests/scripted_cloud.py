"""A peer that does what a test says: the cloud's side of the webhook and of the WebSocket, with no rules of its own.

Everything runs over memory streams, so it belongs under the autojump clock. The WebSocket is a real one; only what a
cloud would decide is left to the test::

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await socket.send("app_stopped")
        assert await socket.wait_closed() == (1000, "Client disconnect")
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, cast

import attrs
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from mentra_trio._flow import open_services, run_inline
from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio._net.limiter import ConnectLimiter
from mentra_trio._net.transport import CloudUrl, Transport
from mentra_trio._net.websocket import open_upgrade
from mentra_trio._runtime import LinkRuntime
from mentra_trio.config import SessionConfig
from mentra_trio.errors import ConnectFailedError, TransportClosedError
from mentra_trio.models.session import StopKind, StopReason
from mentra_trio.server import HangWatcher, MiniAppServer
from mentra_trio.session import CrashWatcher, MentraSession, SessionHandler, StopHandler

if TYPE_CHECKING:
    from mentra_trio._net.rest import HttpClient

Json = dict[str, Any]
Message = MutableMapping[str, Any]
"""An ASGI message."""

USER = "ana.lopez+x@example.com"
PACKAGE = "com.example.app"
SESSION = f"{USER}-{PACKAGE}"
KEY = "5ec2e7" * 10
HOST = "api.mentra.glass"
OTHER_HOST = "franceapi.mentra.glass"
CLOSED_BY_APP = (1000, "Client disconnect")
HUNG_UP = (1006, "")
_PATIENCE = 1000.0
"""Seconds of virtual time after which a test has waited in vain."""


class Choosing(Random):
    """Chance that always falls on the same fraction of a range: 1.0 chooses the longest delay, 0.0 the shortest."""

    def __init__(self, fraction: float = 0.0) -> None:
        super().__init__()
        self.fraction = fraction

    def random(self) -> float:
        return self.fraction


@attrs.define(eq=False)
class Line(trio.abc.Stream):
    """The app's end of the byte stream, with faults below the WebSocket."""

    _stream: trio.abc.Stream
    is_gone: bool = attrs.field(init=False, default=False)
    """Half open."""
    _is_ended: bool = attrs.field(init=False, default=False)
    _is_blocked: bool = attrs.field(init=False, default=False)
    _changed: trio.Event = attrs.field(init=False, factory=trio.Event)
    _is_closed: bool = attrs.field(init=False, default=False)

    def lose_peer(self) -> None:
        """From here on nothing arrives any more, what is sent goes nowhere, and no end is noticed: half open."""
        self.is_gone = True
        self._wake()

    def end(self) -> None:
        """Let the app learn that its peer is lost. What arrived in between is gone."""
        self._is_ended = True
        self._wake()

    def block(self) -> None:
        """Let no write finish, like a peer that does not read."""
        self._is_blocked = True

    def unblock(self) -> None:
        """Let writes finish again."""
        self._is_blocked = False
        self._wake()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        while self._is_blocked:
            await self._changed.wait()
            self._check()
        if not self.is_gone:
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = b"" if self.is_gone else await self._stream.receive_some(max_bytes)
        while self.is_gone and not self._is_ended:
            await self._changed.wait()
            self._check()
        return b"" if self.is_gone else data

    async def aclose(self) -> None:
        self._is_closed = True
        self._wake()
        await self._stream.aclose()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _check(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError


def _frame(message: str | bytes) -> bytes:
    """Spell a server's frame of up to 64 KiB."""
    opcode, payload = (1, message.encode()) if isinstance(message, str) else (2, message)
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + payload


@attrs.define(eq=False)
class CloudSocket:
    """One WebSocket of the app, seen from the cloud."""

    url: CloudUrl
    """What the app dialled."""
    target: str
    """Path and query of the upgrade request."""
    headers: Mapping[str, bytes]
    """Of the upgrade request; names in lower case."""
    line: Line
    """Faults below the WebSocket."""
    answers_pings: bool
    """Whether a JSON ping is answered at once."""
    opened_at: float = attrs.field(init=False, factory=trio.current_time)
    received: list[tuple[float, Json]] = attrs.field(init=False, factory=list[tuple[float, Json]])
    """Every message of the app with its time, pings too."""
    closed_at: float | None = attrs.field(init=False, default=None)
    _transport: Transport
    _far: trio.abc.Stream
    _inbox: trio.MemorySendChannel[Json] = attrs.field(init=False)
    _unread: trio.MemoryReceiveChannel[Json] = attrs.field(init=False)
    _end: tuple[int, str] | None = attrs.field(init=False, default=None)
    _ended: trio.Event = attrs.field(init=False, factory=trio.Event)
    _sending: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _is_reconnect: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        # No bound: a test that reads nothing is not what is tested.
        self._inbox, self._unread = trio.open_memory_channel[Json](math.inf)

    # What the cloud says

    async def send(self, type: str, **fields: object) -> None:  # noqa: A002 - the wire's own word
        """Send a message."""
        await self.send_text(json.dumps({"type": type, **fields}))

    async def send_text(self, text: str) -> None:
        """Send a text frame as it is."""
        async with self._sending:
            await self._transport.send(text)

    async def send_at_once(self, messages: Iterable[str | bytes]) -> None:
        """Send frames as one piece, as they come after the network has stood still."""
        frames = b"".join(map(_frame, messages))
        async with self._sending:
            await self._far.send_all(frames)

    async def send_audio(self, data: bytes) -> None:
        """Send a binary frame."""
        async with self._sending:
            await self._transport.send(data)

    async def say(
        self,
        text: str,
        *,
        final: bool = True,
        utterance: str | None = "u1",
        stream: str = "transcription:en-US",
        **more: object,
    ) -> None:
        """Send a transcript."""
        data = {"type": "transcription", "text": text, "isFinal": final, "utteranceId": utterance, **more}
        await self.send("data_stream", streamType=stream, data=data)

    async def event(self, stream: str, **data: object) -> None:
        """Send an event of a stream."""
        await self.send("data_stream", streamType=stream, data=data)

    async def ack(self, **fields: object) -> None:
        """Acknowledge whichever handshake came last."""
        await self.send("reconnect_ack" if self._is_reconnect else "tpa_connection_ack", **fields)

    async def frame_ping(self) -> None:
        """Send a ping frame and wait for its pong."""
        await self._transport.ping()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame, and wait for the app's answer to it."""
        await self._transport.aclose(code, reason)

    async def cut(self) -> None:
        """End the connection without a close frame."""
        await trio.aclose_forcefully(self._far)

    # What the app says

    async def next(self) -> Json:
        """Wait for the next message that is not a ping."""
        try:
            # Without a limit, pings would let the virtual clock run for ever.
            with trio.fail_after(_PATIENCE):
                return await self._unread.receive()
        except trio.EndOfChannel:
            raise AssertionError(f"no further message: the connection ended with {self._end}") from None

    async def expect(self, type: str) -> Json:  # noqa: A002 - the wire's own word
        """Wait for the next message, which must be of this type."""
        message = await self.next()
        assert message["type"] == type, message
        return message

    def unread(self) -> list[Json]:
        """Take what has arrived."""
        messages: list[Json] = []
        while True:
            try:
                messages.append(self._unread.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                return messages

    async def shown(self) -> Json:
        """Wait for the next display event and give its layout."""
        layout: Json = (await self.expect("display_event"))["layout"]
        return layout

    async def open(self) -> Json:
        """Take the first message of the socket: an init or a reconnect."""
        message = await self.next()
        assert message["type"] in ("tpa_connection_init", "reconnect"), message
        self._is_reconnect = message["type"] == "reconnect"
        return message

    async def handshake(self, **ack: object) -> Json:
        """Take the first message, acknowledge it, send the state of the glasses, and give the list of subscriptions."""
        await self.open()
        await self.ack(**ack)
        await self.send("device_state_update", state={}, fullSnapshot=True)
        return await self.expect("subscription_update")

    async def wait_closed(self) -> tuple[int, str]:
        """Wait for the end of the connection: the app's close code and reason, 1006 without a close frame."""
        with trio.fail_after(_PATIENCE):
            await self._ended.wait()
        assert self._end is not None
        return self._end

    @property
    def is_open(self) -> bool:
        """Whether the app has not closed or lost the connection."""
        return self._end is None

    def times_of(self, type: str) -> list[float]:  # noqa: A002 - the wire's own word
        """When messages of this type arrived."""
        return [when for when, message in self.received if message["type"] == type]

    async def run(self) -> None:
        """Read until the connection ends."""
        try:
            while True:
                for frame in await self._transport.receive():
                    message: Json = json.loads(frame) if isinstance(frame, str) else {"type": "binary", "frame": frame}
                    self.received.append((trio.current_time(), message))
                    if message["type"] != "ping":
                        self._inbox.send_nowait(message)
                    elif self.answers_pings:
                        await self.send("pong", timestamp=1781428353102)
        except TransportClosedError as closed:
            self._end = (closed.code, closed.reason)
            self.closed_at = trio.current_time()
            self._inbox.close()
            self._ended.set()


Script = Callable[[CloudSocket], Awaitable[None]]


@attrs.define(eq=False)
class ScriptedCloud:
    """Where apps connect to. Its faults are attributes that a test sets."""

    _nursery: trio.Nursery
    script: Script | None = None
    """Runs for each socket instead of handing it to `accept`."""
    answers_pings: bool = True
    """Whether sockets answer JSON pings; each can be changed."""
    is_unreachable: bool = False
    """Connects are refused at once."""
    is_silent: bool = False
    """Connects get no answer at all."""
    status: int | None = None
    """The upgrade is refused with this HTTP status."""
    dials: list[tuple[float, CloudUrl]] = attrs.field(init=False, factory=list[tuple[float, CloudUrl]])
    """Every attempt to connect with its time."""
    sockets: list[CloudSocket] = attrs.field(init=False, factory=list[CloudSocket])
    """Every WebSocket that was opened."""
    connector: CoreWebSocketConnector = attrs.field(init=False)
    """What the app connects with."""
    _arrivals: trio.MemorySendChannel[CloudSocket] = attrs.field(init=False)
    _arrived: trio.MemoryReceiveChannel[CloudSocket] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.connector = CoreWebSocketConnector(self._dial)
        # No bound: the number of connects is what some tests count.
        self._arrivals, self._arrived = trio.open_memory_channel[CloudSocket](math.inf)

    async def accept(self) -> CloudSocket:
        """Wait for the next WebSocket."""
        with trio.fail_after(_PATIENCE):
            return await self._arrived.receive()

    def forget(self) -> None:
        """Let `accept` give no socket that is there already."""
        with contextlib.suppress(trio.WouldBlock):
            while True:
                self._arrived.receive_nowait()

    async def _dial(self, url: CloudUrl) -> trio.abc.Stream:
        self.dials.append((trio.current_time(), url))
        await trio.lowlevel.checkpoint()
        if self.is_silent:
            await trio.sleep_forever()
        if self.is_unreachable:
            raise ConnectFailedError(f"no connection to {url.origin}: refused")
        near, far = memory_stream_pair()
        line = Line(near)
        self._nursery.start_soon(self._serve, url, line, far)
        return line

    async def _serve(self, url: CloudUrl, line: Line, far: trio.abc.Stream) -> None:
        try:
            async with open_upgrade(far) as request:
                if self.status is not None:
                    await request.reject(self.status, body=b"no")
                    return
                async with request.accept() as transport:
                    socket = CloudSocket(
                        url, request.target, dict(request.headers), line, self.answers_pings, transport, far
                    )
                    self.sockets.append(socket)
                    await self._attend(socket)
        except TransportClosedError:
            pass  # the app went away before the upgrade was done

    async def _attend(self, socket: CloudSocket) -> None:
        if self.script is None:
            self._arrivals.send_nowait(socket)
            await socket.run()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.script, socket)
            await socket.run()
            nursery.cancel_scope.cancel(reason="the connection ended")


@asynccontextmanager
async def open_cloud(script: Script | None = None) -> AsyncGenerator[ScriptedCloud, None]:
    """Run a cloud. Leaving ends what is still connected."""
    async with open_services() as nursery:
        yield ScriptedCloud(nursery, script)


# The app's side


@attrs.frozen
class Answer:
    """What a webhook call was answered."""

    status: int
    body: Json
    headers: Mapping[str, str]
    at: float
    """When."""


@attrs.define(eq=False)
class Call:
    """A webhook call under way."""

    _answers: list[Answer] = attrs.field(init=False, factory=list[Answer])
    _done: trio.Event = attrs.field(init=False, factory=trio.Event)

    @property
    def is_answered(self) -> bool:
        """Whether the answer is there."""
        return bool(self._answers)

    async def answer(self) -> Answer:
        """Wait for the answer."""
        await self._done.wait()
        return self._answers[0]

    def finish(self, answer: Answer) -> None:
        """Note the answer."""
        self._answers.append(answer)
        self._done.set()


@attrs.define(eq=False)
class AppUnderTest:
    """A running app, called like the cloud calls it."""

    server: MiniAppServer
    cloud: ScriptedCloud
    sessions: list[MentraSession]
    """What the handler was started with, in order."""
    _nursery: trio.Nursery

    async def post(self, body: Json | bytes, path: str = "/webhook") -> Answer:
        """Call a webhook and wait for the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await call_asgi(self.server, path, data)

    def post_soon(self, body: Json, path: str = "/webhook") -> Call:
        """Call a webhook in the background."""
        call = Call()

        async def run() -> None:
            call.finish(await self.post(body, path))

        self._nursery.start_soon(run)
        return call

    def start_soon(self, user: str = USER, host: str = HOST) -> Call:
        """Ask for a session in the background."""
        return self.post_soon(session_request(user, host))

    async def start(self, user: str = USER, host: str = HOST, **ack: object) -> CloudSocket:
        """Start a session and bring it up; gives the socket."""
        call = self.start_soon(user, host)
        socket = await self.cloud.accept()
        await socket.handshake(**ack)
        answer = await call.answer()
        assert answer.status == 200, answer
        await wait_all_tasks_blocked()
        return socket

    async def stop(self, user: str = USER) -> Answer:
        """Stop a session as the wearer does."""
        return await self.post(stop_request(user))


def session_request(user: str = USER, host: str = HOST, **more: object) -> Json:
    """A webhook body as the cloud sends it (P1 1.1)."""
    return {
        "type": "session_request",
        "sessionId": f"{user}-{PACKAGE}",
        "userId": user,
        "timestamp": "2026-06-20T10:11:12.345Z",
        "websocketUrl": f"wss://{host}/ws/miniapp",
        "mentraOSWebsocketUrl": f"wss://{host}/app-ws",
        "augmentOSWebsocketUrl": f"wss://{host}/app-ws",
        **more,
    }


def stop_request(user: str = USER, **more: object) -> Json:
    """A webhook body as the cloud sends it (P1 1.2)."""
    return {
        "type": "stop_request",
        "sessionId": f"{user}-{PACKAGE}",
        "userId": user,
        "reason": "user_disabled",
        "timestamp": "2026-06-20T10:20:00.000Z",
        **more,
    }


async def call_asgi(server: MiniAppServer, path: str, body: bytes, method: str = "POST") -> Answer:
    """Call the ASGI application as an HTTP server does."""
    requests = [{"type": "http.request", "body": body, "more_body": False}]
    answers: list[Message] = []

    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        return cast("Message", requests.pop()) if requests else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        answers.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"app.example.com"), (b"content-type", b"application/json")],
        "client": ("192.0.2.1", 40000),
        "server": ("app.example.com", 443),
    }
    await server.asgi(scope, receive, send)
    start, *parts = answers
    text = b"".join(part.get("body", b"") for part in parts)
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], json.loads(text), headers, trio.current_time())


async def idle(session: MentraSession) -> None:
    """A handler that does nothing for as long as it may."""
    await trio.sleep_forever()


def make_server(
    cloud: ScriptedCloud,
    handler: SessionHandler = idle,
    *,
    on_stop: StopHandler | None = None,
    config: SessionConfig | None = None,
    sessions: list[MentraSession] | None = None,
    http: HttpClient | None = None,
) -> MiniAppServer:
    """Make an app that connects to a scripted cloud."""
    server = MiniAppServer(
        PACKAGE, KEY, session_config=config, connector=cloud.connector, http=http, offload=run_inline
    )
    seen = [] if sessions is None else sessions

    @server.on_session
    async def handle(session: MentraSession) -> None:
        seen.append(session)
        await handler(session)

    if on_stop is not None:
        server.on_stop(on_stop)
    return server


@asynccontextmanager
async def open_app(
    cloud: ScriptedCloud,
    handler: SessionHandler = idle,
    *,
    on_stop: StopHandler | None = None,
    config: SessionConfig | None = None,
    on_crash: CrashWatcher = lambda _: None,
    on_hang: HangWatcher | None = None,
    http: HttpClient | None = None,
) -> AsyncGenerator[AppUnderTest, None]:
    """Run an app. Leaving stops it like a server that stops."""
    sessions: list[MentraSession] = []
    server = make_server(cloud, handler, on_stop=on_stop, config=config, sessions=sessions, http=http)
    async with open_services() as calls, server.running(on_crash=on_crash, on_hang=on_hang):
        yield AppUnderTest(server, cloud, sessions, calls)


@attrs.frozen
class Connected:
    """A session without an app around it, and the cloud that it is connected to."""

    cloud: ScriptedCloud
    socket: CloudSocket
    """The first socket."""
    runtime: LinkRuntime
    session: MentraSession

    async def next_socket(self, **ack: object) -> CloudSocket:
        """Bring up the socket that follows a lost one."""
        socket = await self.cloud.accept()
        await socket.handshake(**ack)
        return socket


def make_runtime(
    cloud: ScriptedCloud, *, config: SessionConfig | None = None, random: Random | None = None, user_id: str = USER
) -> LinkRuntime:
    """Make the link of one session."""
    return LinkRuntime(
        session_id=f"{user_id}-{PACKAGE}",
        user_id=user_id,
        package_name=PACKAGE,
        api_key=KEY,
        sdk_version="3.0.0-trio.test",
        url=CloudUrl(host=HOST, port=443, tls=True, target="/ws/miniapp"),
        connector=cloud.connector,
        limiter=ConnectLimiter(),
        config=config or SessionConfig(),
        random=random or Choosing(),
        offload=run_inline,
        run_id="run",
    )


@asynccontextmanager
async def open_link(
    cloud: ScriptedCloud, *, config: SessionConfig | None = None, random: Random | None = None
) -> AsyncGenerator[LinkRuntime, None]:
    """Run the link of one session; nobody has connected it yet. Leaving closes it."""
    runtime = make_runtime(cloud, config=config, random=random)
    async with open_services() as services:
        services.start_soon(runtime.run)
        services.start_soon(runtime.run_services)
        try:
            yield runtime
        finally:
            runtime.finish(StopReason(StopKind.SERVER_STOPPED))
            with trio.move_on_after(5, shield=True):
                await runtime.aclose()


@asynccontextmanager
async def connected(
    *, config: SessionConfig | None = None, random: Random | None = None, **ack: object
) -> AsyncGenerator[Connected, None]:
    """Connect a session to a cloud and bring it up. The clock then stands where it stood."""
    async with open_cloud() as cloud, open_link(cloud, config=config, random=random) as runtime:
        socket = await cloud.accept()
        await socket.handshake(**ack)
        await runtime.ready.wait()
        await wait_all_tasks_blocked()
        yield Connected(cloud, socket, runtime, MentraSession(runtime))
