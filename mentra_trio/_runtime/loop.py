"""One connection after the other, until the session is over; executes what the protocol decides."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, assert_never

import attrs
import trio

from mentra_trio._net.limiter import ConnectLimiter
from mentra_trio._net.transport import CloudUrl, Connector, Transport
from mentra_trio._protocol.backoff import Backoff
from mentra_trio._protocol.refusals import refusal
from mentra_trio._protocol.session import (
    Effect,
    End,
    FailCalls,
    Log,
    Park,
    Phase,
    Ready,
    Retry,
    Send,
    SessionProtocol,
)
from mentra_trio._wire.codec import encode
from mentra_trio._wire.inbound import Ping, Pong
from mentra_trio._wire.outbound import ConnectionInit, JsonPong, OwnershipRelease
from mentra_trio.config import SessionConfig
from mentra_trio.errors import ConnectFailedError, MentraError
from mentra_trio.models.session import PLAIN_WORDS, StopReason

from .accounts import Accounts, log
from .connection import Connection, Decided, Ending, Interrupt, Lost
from .identity import Identity
from .inbound import Inbound
from .life import Life
from .outbound import Outbound

if TYPE_CHECKING:
    from datetime import datetime

_CANNOT_TAKE = frozenset({1009, 1011})
"""Close codes of a cloud that could not take a frame: sending it again would only repeat them (P1 2.9)."""
_BREAKS_WITHIN = 5.0
"""Seconds after which a frame has not broken the cloud: that takes as long as the way there and back."""
_PARK_MARGIN = 0.25
"""Seconds that the word of the cloud that a park is over may be late; it tells why, which our clock cannot."""


@attrs.define(eq=False, kw_only=True, repr=False)
class ConnectionLoop:
    """Keeps a session connected."""

    url: CloudUrl
    """Where the cloud that owns the session is reached."""
    identity: Identity
    connector: Connector
    limiter: ConnectLimiter
    config: SessionConfig
    random: Random
    life: Life
    accounts: Accounts
    inbound: Inbound
    outbound: Outbound
    finish: Callable[[StopReason, MentraError | None], None]
    """Ends the session, which comes back as `stop`."""

    _protocol: SessionProtocol = attrs.field(init=False)
    _connection: Connection | None = attrs.field(init=False, default=None)
    _pausing: trio.CancelScope | None = attrs.field(init=False, default=None)
    """Around what a webhook, or the end of the session, need not wait for: a pause, or a dial."""
    _is_urgent: bool = attrs.field(init=False, default=True)
    """The next connection was asked for by a webhook, so it goes before others (D20)."""
    _release: str | None = attrs.field(init=False, default=None)
    """Reason of the `ownership_release` that goes out before the socket is closed."""
    _down_since: float | None = attrs.field(init=False, default=None)
    _done: trio.Event = attrs.field(init=False, factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        init = ConnectionInit(api_key=self.identity.api_key, sdk_version=self.identity.sdk_version)
        self._protocol = SessionProtocol(init=init, backoff=Backoff(self.random))

    # What others ask for

    def stop(self) -> None:
        """Connect no more. A link that is up stays up until `aclose`. Never blocks."""
        self._protocol.stop()
        if self._pausing is not None:
            self._pausing.cancel(reason="the session is over")
        if self._connection is not None and not self.life.is_connected:
            self._connection.give_up(Interrupt.CLOSE)  # half a handshake, or a park, is no link for a goodbye

    def redirect(self, url: CloudUrl) -> None:
        """See `LinkRuntime.redirect`."""
        connection = self._connection
        if connection is not None and connection.is_acknowledged:
            # Told to the cloud of the open socket, whatever other addresses came in between (P1 1.6).
            self._release = "switching_clouds" if url.origin != connection.url.origin else None
        self.url = url
        self._is_urgent = True
        self.life.disconnected()
        self._protocol.redirected()
        self.outbound.outbox.close_gate()
        if connection is not None:
            connection.give_up(Interrupt.REDIRECT)
        if self._pausing is not None:
            self._pausing.cancel(reason="a webhook asked for the session")

    async def drain(self) -> None:
        """See `LinkRuntime.drain`."""
        await trio.lowlevel.checkpoint()
        if self._connection is not None and self.life.is_connected:
            await self.outbound.outbox.wait_empty()

    async def confirm(self) -> None:
        """Wait until the cloud has read all that can still be sent by a session that is over. Callers set the limit."""
        await self.drain()
        connection = self._connection
        if connection is None or not await connection.confirm(self.outbound.outbox.control):
            await self._done.wait()  # behind the close handshake, as behind a pong, it was read

    async def aclose(self, release: str | None) -> None:
        """See `LinkRuntime.aclose`."""
        if self.life.is_connected:
            self._release = release
        self.outbound.close()
        if self._connection is not None:
            self._connection.give_up(Interrupt.CLOSE)
        await self._done.wait()

    # Connecting

    async def run(self) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Keep the session connected until it is over. Expected outcomes are values; only bugs raise."""
        try:
            delay = 0.0
            while not self.life.over.is_set():
                with trio.CancelScope() as self._pausing:
                    await trio.sleep(delay)
                self._pausing = None
                if self.life.over.is_set():
                    break
                delay = await self._connect()
                if self._is_urgent:
                    delay = 0.0  # a webhook came while the old socket was being closed
        finally:
            self.outbound.close()
            self.life.link_closed()
            self._done.set()

    async def _connect(self) -> float:
        """Open a socket and serve it to its end; return the seconds to wait before the next one."""
        is_urgent, self._is_urgent = self._is_urgent, False
        with trio.CancelScope() as attempt:
            self._pausing = attempt
            url = self.url
            async with contextlib.AsyncExitStack() as stack:
                try:
                    async with self.limiter.slot(urgent=is_urgent):
                        transport = await stack.enter_async_context(
                            self.connector.connect(url, self.identity.headers(), timeout=self.config.connect_timeout)
                        )
                except ConnectFailedError as error:
                    self.accounts.counters.connect_failures += 1
                    # One record a fault: the loss was told already, and the end will be; so will a start that failed.
                    self.life.connect_error = error
                    log.debug("[%s] connecting failed: %s", self.accounts.run_id, error)
                    return self._pause(self._protocol.connect_failed(error, trio.current_time()))
                finally:
                    self._pausing = None
                self.life.connect_error = None
                return await self._serve(transport, url)
        return 0.0

    async def _serve(self, transport: Transport, url: CloudUrl) -> float:
        """Read until the socket is lost or given up; return the seconds to wait before the next one."""
        connection = self._connection = Connection(transport, url, self.config, self.accounts.run_id)
        connection.expect_answer(self.config.ack_timeout)
        pause = 0.0
        try:
            self._execute(self._protocol.opened(), connection)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.outbound.write, connection)
                nursery.start_soon(connection.keep_alive, self.outbound.outbox.control)
                pause = self._ended(await connection.read(partial(self._receive, connection)))
                self._detach(connection)
                nursery.cancel_scope.cancel(reason="the connection is over")
            release, self._release = self._release, None
            goodbye = None if release is None else encode(OwnershipRelease(reason=release), self.identity.envelope())
            await connection.close(goodbye)
        finally:
            self._detach(connection)
        return pause

    def _receive(self, connection: Connection, message: str | bytes, received_at: datetime) -> float | None:
        """Take one frame. Returns a pause when it ends the connection."""
        match self.inbound.receive(message, received_at):
            case None:
                return None
            case Pong():
                connection.ponged()
                return None
            case Ping():
                self.outbound.outbox.control(JsonPong())
                return None
            case control:
                return self._execute(self._protocol.receive(control, trio.current_time()), connection)

    def _ended(self, ending: Ending) -> float:
        """Decide what follows a connection; return the seconds to wait before the next one."""
        match ending:
            case Decided(pause):
                return pause
            case Lost(code, reason):
                if self.life.is_live:
                    log.warning("[%s] connection lost with code %d", self.accounts.run_id, code)
                if code in _CANNOT_TAKE:
                    self.outbound.outbox.forget_suspects(trio.current_time() - _BREAKS_WITHIN)
                return self._pause(self._protocol.lost(code, reason, trio.current_time()))
            case Interrupt.TIMED_OUT if self._protocol.phase is Phase.PARKED:
                return self._pause(self._protocol.park_timed_out())
            case Interrupt.TIMED_OUT:
                return self._pause(self._protocol.ack_timed_out(trio.current_time()))
            case Interrupt():
                return 0.0  # the session is over, or goes on elsewhere at once
            case _:
                assert_never(ending)

    def _detach(self, connection: Connection) -> None:
        """Let nothing more go to this socket. Idempotent."""
        if self._connection is not connection:
            return
        self._connection = None
        outbox = self.outbound.outbox
        outbox.close_gate()
        outbox.discard_control()
        connection.detach()
        if not self.life.is_live:
            self.outbound.close()  # no other socket comes
            return
        # What was written after the last sign of life may be lost with the socket.
        outbox.restore_lanes(connection.heard_at)
        # Nobody knows how long a dead socket was dead.
        lost_at = connection.heard_at if connection.interrupt is Interrupt.DEAD else trio.current_time()
        self.inbound.disconnected(lost_at)
        if self._down_since is None:
            self._down_since = lost_at
        self.life.disconnected()

    # Effects

    def _execute(self, effects: list[Effect], connection: Connection) -> float | None:
        """Carry out decisions that concern an open socket. Returns a pause when they give it up."""
        pause: float | None = None
        for effect in effects:
            match effect:
                case Send(command):
                    self.outbound.outbox.control(command)
                case Ready():
                    self._ready(effect, connection)
                case Park(seconds):
                    self.accounts.once("parked", f"parked for up to {seconds:.0f} s", logging.INFO)
                    self.outbound.outbox.close_gate()
                    self.life.parked()
                    connection.parked(seconds + _PARK_MARGIN)
                case FailCalls():
                    self._fail_calls(effect)
                case Log(text):
                    self.accounts.once(text, text, logging.INFO)
                case Retry(seconds):
                    pause = seconds
                case End(reason, error):
                    self._end(reason, error)
                    pause = 0.0
                case _:
                    assert_never(effect)
        return pause

    def _pause(self, effects: list[Effect]) -> float:
        """Carry out decisions made when there is no socket any more."""
        pause = 0.0
        for effect in effects:
            match effect:
                case Retry(seconds):
                    pause = seconds
                case End(reason, error):
                    self._end(reason, error)
                case _:  # pragma: no cover - the protocol decides nothing else without a socket
                    raise AssertionError(effect)
        return pause

    def _ready(self, ready: Ready, connection: Connection) -> None:
        ack = ready.ack
        state = self.inbound.state
        if not self.life.is_connected:  # a second ack of a socket only brings news
            self.accounts.counters.connections += 1
            self.inbound.connected()
        if ack.session_id:
            self.accounts.faults(ack, self.identity.rename(ack.session_id))
        if ack.settings is not None:  # else what is known stays, as everything does over a reconnect (D17)
            self.inbound.apply_settings(ack.settings)
        if ack.mentraos_settings is not None:
            self.accounts.faults(ack, state.apply_system(ack.mentraos_settings))
        state.capabilities.set(ack.capabilities)
        if ready.is_fresh:
            self.outbound.began()
        down_since, self._down_since = self._down_since, None
        self.outbound.acknowledged()
        connection.acknowledged()
        self.life.connected()
        if down_since is None:
            self.accounts.once("connected", "connected", logging.INFO)
        else:
            # As loud as the loss: whoever reads of that reads of its end.
            log.warning("[%s] connected again after %.1f s", self.accounts.run_id, trio.current_time() - down_since)

    def _fail_calls(self, effect: FailCalls) -> None:
        code, text = effect.error.code, effect.error.text
        failed = self.outbound.fail_calls(effect.families, partial(refusal, code, text))
        word = code if PLAIN_WORDS.fullmatch(code) else "a strange code"
        self.accounts.once(f"refused {word}", f"the cloud refused a request with {word} ({failed} failed)")

    def _end(self, reason: StopReason, error: MentraError | None) -> None:
        if error is not None and self.life.is_live:
            # Whoever started a session that never came up tells it: anybody may start any number (P1 1.5).
            level = logging.WARNING if self.life.ready.is_set() else logging.DEBUG
            log.log(level, "[%s] the session ends: %s", self.accounts.run_id, reason)
            log.debug("[%s] %s", self.accounts.run_id, error)  # it repeats the cloud's own words
        self.finish(reason, error)
