"""One socket of an app: its identity, its two directions, its life signs (P1 2)."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, assert_never

import attrs
import trio

from mentra_trio._wire.codec import JsonObject, dumps
from mentra_trio.errors import TransportClosedError

from . import messages
from .actions import ACTIONS
from .faults import Mode
from .handshake import take_init, take_reconnect, take_token
from .subscriptions import MalformedSubscriptionsError
from .tokens import InvalidTokenError, read_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mentra_trio._net.transport import Transport

    from .apps import AppSession  # noqa: TC004 - a cycle, and nobody evaluates it
    from .engine import Cloud  # noqa: TC004 - a cycle, and nobody evaluates it
    from .forwarder import Line  # noqa: TC004 - a cycle, and nobody evaluates it

PATHS = ("/ws/miniapp", "/app-ws")
"""Where apps connect; the path changes nothing (P1 1.1)."""
HEARTBEAT = 10.0
"""Seconds between ping frames while attached (P1 2.8)."""
MAX_MESSAGE = 16 * 2**20
"""Bytes of the largest message that is taken (P1 2.11)."""
_SILENCE = 100.0
"""Seconds without traffic after which the server pings by itself; measured on the real cloud."""
_LAST_CHANCE = 16.0
"""Seconds that this ping may take before the connection is cut."""
_CLOSE_LIMIT = 5.0
"""Seconds that a peer has for its part of the close handshake."""
_OUTGOING = 10_000
"""Messages that may wait for an app that does not read. Far more than any test sends; the cloud never blocks."""
_JSON_START = b"{"


@attrs.frozen(kw_only=True)
class Refusal:
    """An upgrade that is refused, as HTTP."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"


@attrs.frozen(kw_only=True)
class Identity:
    """What the headers of the upgrade tell (P1 2.1). None of it is proved."""

    user_id: str = ""
    """In lower case."""
    package_name: str = ""
    session_id: str = ""
    api_key: str = attrs.field(default="", repr=False)
    sdk_version: str | None = None


@attrs.frozen
class _Close:
    code: int
    reason: str


def admit(cloud: Cloud, target: str, headers: Mapping[str, str]) -> AppConnection | Refusal:
    """Decide about an upgrade (P1 2.1). Header names are in lower case."""
    if cloud.faults.draining:
        return Refusal(status=503, body=b"Server is shutting down")
    path = target.partition("?")[0]
    if path not in PATHS:
        body = messages.unknown_path(path, cloud.timestamp()).encode()
        return Refusal(status=404, body=body, content_type="application/json")
    identity = Identity(
        user_id=headers.get("x-user-id", "").lower(),
        package_name=headers.get("x-package-name", ""),
        session_id=headers.get("x-session-id", ""),
        api_key=headers.get("x-api-key", ""),
        sdk_version=headers.get("x-sdk-version") or None,
    )
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return AppConnection(cloud, identity)
    if not identity.user_id:
        return _unauthorized(cloud, "MISSING_HEADERS", "Missing userId in request headers")
    try:
        claims = read_token(token, cloud.token_secret)
    except InvalidTokenError as error:
        return _unauthorized(cloud, "JWT_INVALID", f"Invalid JWT token: {error}")
    return AppConnection(cloud, identity, token=claims)


def _unauthorized(cloud: Cloud, code: str, text: str) -> Refusal:
    body = dumps(messages.refused(code, text, cloud.timestamp())).encode()
    return Refusal(status=401, body=body, content_type="application/json")


@attrs.define(eq=False)
class AppConnection:
    """The cloud's side of one socket. `serve` runs it; everything else happens at once."""

    _cloud: Cloud = attrs.field(repr=False)
    identity: Identity
    token: tuple[str, str] | None = attrs.field(default=None, repr=False)
    """Package and key from an app token: its owner needs no init (P1 2.2)."""
    line: Line | None = attrs.field(default=None, init=False, repr=False)
    """The bytes below, for faults."""
    user_id: str = attrs.field(init=False)
    """Whose socket it is, from the header or the init."""
    package_name: str = attrs.field(init=False)
    """Which app's socket it is, as far as it told."""
    is_authenticated: bool = attrs.field(default=False, init=False)
    """Whether an init or a reconnect was accepted on it."""
    is_acked: bool = attrs.field(default=False, init=False)
    """Whether the ack was sent."""
    is_parked: bool = attrs.field(default=False, init=False)
    """Whether it waits for the wearer's session."""
    _session: AppSession | None = attrs.field(default=None, init=False, repr=False)
    _is_closing: bool = attrs.field(default=False, init=False)
    _is_booked: bool = attrs.field(default=False, init=False)
    _last_traffic: float = attrs.field(factory=trio.current_time, init=False)
    _heartbeat_at: float = attrs.field(default=math.inf, init=False)
    _heartbeat_changed: trio.Event = attrs.field(factory=trio.Event, init=False)
    _last_display: float = attrs.field(default=-math.inf, init=False)
    _asked: int = attrs.field(default=0, init=False)
    _answered: int = attrs.field(default=0, init=False)
    _outgoing: trio.MemorySendChannel[str | bytes | _Close] = attrs.field(init=False, repr=False)
    _queue: trio.MemoryReceiveChannel[str | bytes | _Close] = attrs.field(init=False, repr=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False, repr=False)
    ended: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)
    """Set when the socket is gone."""

    def __attrs_post_init__(self) -> None:
        self.user_id = self.identity.user_id
        self.package_name = self.identity.package_name
        self._outgoing, self._queue = trio.open_memory_channel[str | bytes | _Close](_OUTGOING)

    # --- what the cloud does with it

    def send(self, message: JsonObject | bytes) -> None:
        """Queue a message. A socket that is closing takes none."""
        if self._is_closing:
            return
        try:
            self._outgoing.send_nowait(message if isinstance(message, bytes) else dumps(message))
        except trio.WouldBlock:
            self._cloud.report(self.package_name, "P1 2.10", f"it left {_OUTGOING} messages unread")

    async def wait_read(self) -> None:
        """Wait until the app has read everything that was sent so far, or the socket has ended.

        A JSON ping asks the app. The real cloud sends none, so this is for tests and tools alone; bound it with a
        deadline, because an app need not answer.
        """
        self._asked += 1
        number = self._asked
        self.send(messages.ping())
        await self._cloud.wait_until(lambda: self._answered >= number or self._is_closing)

    def close(self, code: int, reason: str) -> None:
        """Close after everything that is queued. For the cloud the socket is gone at once."""
        if self._is_closing:
            return
        self._is_closing = True
        try:
            self._outgoing.send_nowait(_Close(code, reason))
        except trio.WouldBlock:
            self.cut()
        self._book()

    def cut(self) -> None:
        """End it without a close frame."""
        if self.line is not None:
            self.line.cut()
        self._scope.cancel(reason="the socket was cut")

    def freeze(self) -> None:
        """Let the line swallow everything, both ways, without an end: a half-open connection."""
        if self.line is not None:
            self.line.freeze()

    def slow_down(self, delay: float) -> None:
        """Let every chunk of bytes take so many seconds longer, in either direction."""
        if self.line is not None:
            self.line.delay = delay

    def attached(self, session: AppSession) -> None:
        """Note that data for the app goes here now. Ping frames begin."""
        self.is_authenticated = True
        self.is_parked = False
        self.package_name = session.package_name
        if self._session is None:
            self._set_heartbeat(trio.current_time() + HEARTBEAT)
        self._session = session

    def detach(self) -> None:
        """Note that data goes elsewhere. The socket stays open."""
        self._session = None
        self._set_heartbeat(math.inf)

    def _set_heartbeat(self, at: float) -> None:
        self._heartbeat_at = at
        changed, self._heartbeat_changed = self._heartbeat_changed, trio.Event()
        changed.set()

    def refuse(self, code: str, text: str, *, status: int = 1008, reason: str | None = None) -> None:
        """Send an error and close: the cloud's answer to a bad handshake and to a failed request alike."""
        self.send(messages.refused(code, text, self._cloud.timestamp()))
        self.close(status, text if reason is None else reason)

    def _book(self) -> None:
        """Count the end of the socket against its app, once."""
        if not self._is_booked:
            self._is_booked = True
            self._cloud.connection_ended(self)

    # --- running it

    async def serve(self, transport: Transport) -> None:
        """Run the socket until it ends. Leaving the transport's context closes it hard."""
        self._cloud.connection_began(self)
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, transport)
                    nursery.start_soon(self._beat, transport)
                    nursery.start_soon(self._watch_silence, transport)
                    if self.token is not None:
                        take_token(self._cloud, self, *self.token)
                    await self._read(transport)
                    nursery.cancel_scope.cancel(reason="the socket has ended")
        finally:
            self._is_closing = True
            self._outgoing.close()
            self._queue.close()
            self.ended.set()
            self._book()

    async def _read(self, transport: Transport) -> None:  # noqa: ASYNC910 - it ends with the socket
        with suppress(TransportClosedError):
            while True:
                for message in await transport.receive():
                    self._last_traffic = trio.current_time()
                    self._take(message)

    async def _write(self, transport: Transport) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        with suppress(TransportClosedError):
            async for item in self._queue:
                if isinstance(item, _Close):
                    with trio.move_on_after(_CLOSE_LIMIT):
                        await transport.aclose(item.code, item.reason)
                    break
                self._last_traffic = trio.current_time()
                await transport.send(item)

    async def _beat(self, transport: Transport) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Send ping frames while attached. That nobody answers them is noted nowhere (P1 2.8)."""
        with suppress(TransportClosedError):
            while True:
                changed = self._heartbeat_changed
                with trio.move_on_at(self._heartbeat_at) as scope:
                    await changed.wait()
                if not scope.cancelled_caught:
                    continue
                self._heartbeat_at += HEARTBEAT
                self._last_traffic = trio.current_time()
                with trio.move_on_at(self._heartbeat_at):
                    await transport.ping()

    async def _watch_silence(self, transport: Transport) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Ping a socket on which nothing happens, and cut it when nobody is there."""
        with suppress(TransportClosedError):
            while True:
                await trio.sleep_until(self._last_traffic + _SILENCE)
                if trio.current_time() < self._last_traffic + _SILENCE:
                    continue
                with trio.move_on_after(_LAST_CHANCE):
                    await transport.ping()
                    self._last_traffic = trio.current_time()
                if trio.current_time() >= self._last_traffic + _SILENCE:
                    self.cut()

    # --- what an app sends

    def _take(self, message: str | bytes) -> None:
        if self._is_closing:
            return
        if _size(message) > MAX_MESSAGE:
            self.close(1009, "Received too big message")
            return
        if isinstance(message, bytes) and not message.startswith(_JSON_START):
            session = self._cloud.session(self.user_id)
            if session is not None and self.is_authenticated:
                session.relays.feed(message)
            return
        try:
            known = messages.read(message)
        except ValueError:
            self._report("P1 2.5", "it sent something that is not JSON")
            self.close(1011, "Internal server error")
            return
        self._handle(known)

    def _handle(self, message: messages.AppMessage) -> None:
        cloud = self._cloud
        match message:
            case messages.Ping():
                if not cloud.faults.no_pong:
                    self.send(messages.pong(round(cloud.now().timestamp() * 1000)))
            case messages.Pong():
                self._answered += 1
                cloud.notify()
            case messages.Init():
                take_init(cloud, self, message)
            case messages.Reconnect():
                take_reconnect(cloud, self, message)
            case _:
                self._handle_ordinary(message)

    def _handle_ordinary(
        self, message: messages.Subscribe | messages.Release | messages.Display | messages.Other
    ) -> None:
        """Do what a message asks for. Whoever names the wearer in a header is believed (P1 2.2)."""
        cloud = self._cloud
        if self._is_out_of_order(message) and cloud.mode is Mode.STRICT:
            return
        session = cloud.session(self.user_id)
        if session is None:
            self.send(messages.refused("SESSION_NOT_FOUND", "Session not found", cloud.timestamp()))
            return
        match message:
            case messages.Subscribe():
                try:
                    session.subscribe(message)
                except MalformedSubscriptionsError as error:
                    self._report("P1 4.2", "its subscriptions are no list")
                    self.refuse("MALFORMED_MESSAGE", str(error))
            case messages.Release():
                app = session.app(message.package_name)
                if app is not None:
                    app.is_released = True
            case messages.Display():
                self._check_display(message)
                session.display.request(message.package_name, message.fields)
            case messages.Other():
                if message.type in ACTIONS:
                    ACTIONS[message.type](self, session, message.fields)
                else:
                    self._report("P1 10.1", f"it sent a message of the unknown type {message.type!r}")
            case _:
                assert_never(message)

    def _is_out_of_order(
        self, message: messages.Subscribe | messages.Release | messages.Display | messages.Other
    ) -> bool:
        """Report what a correct app does not send at this moment (P1 A12)."""
        if self.is_parked:
            self._report("P1 2.6", "it sent a message while parked")
        elif not self.is_authenticated:
            self._report("P1 2.2", "it sent a message on a socket without init or reconnect")
        elif not self.is_acked:
            self._report("P1 2.10", "it sent a message before the ack")
        elif message.package_name != self.package_name and not _is_unknown(message):
            self._report("P1 0", f"it sent a message in the name of {message.package_name!r}")
        else:
            return False
        return True

    def _check_display(self, message: messages.Display) -> None:
        fault = messages.layout_fault(message.fields)
        if fault is not None:
            self._report("P3 1.2", f"it sent a display that cannot be drawn: {fault}")
        now = trio.current_time()
        if now - self._last_display < _BURST and not messages.is_forced_display(message.fields):
            self._report("P3 1.5", f"it sent displays {now - self._last_display:.3f} s apart; stale text may stay")
        self._last_display = now

    def _report(self, rule: str, text: str) -> None:
        self._cloud.report(self.package_name, rule, text)


def _is_unknown(message: messages.AppMessage) -> bool:
    """Whether the cloud does nothing about a message, whoever it is from."""
    return isinstance(message, messages.Other) and message.type not in ACTIONS


_BURST = 0.3 - 1e-6
"""Seconds between displays below which the cloud may show an old one last."""


def _size(message: str | bytes) -> int:
    """Size in bytes. Text is only encoded where that can matter."""
    if isinstance(message, bytes) or len(message) * 4 <= MAX_MESSAGE:
        return len(message)
    return len(message.encode("utf-8", "surrogatepass"))
