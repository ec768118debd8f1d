"""The life of a session on the wire, as decisions (P1 2, 3.4).

`SessionProtocol` is told what happens (a socket opened, a message arrived, the socket was lost, a time limit passed)
and answers with effects: what to send, how long to wait, when it is over. It never waits, reads no clock and draws no
chance: `now` is an argument, the delays come from an injected `Backoff`.

::

                     opened                 ack
    DISCONNECTED ──────────────► HANDSHAKE ─────► ACTIVE
         ▲  ▲                     │  ▲  │deferred   │
         │  │ lost, no ack        │  │  ▼           │ lost
         │  └─────────────────────┘  PARKED ──ack──►│
         └──────────────────────────────────────────┘
    any state ── app_stopped, a permanent refusal, stop ──► CLOSED   (never left)

The two invariants that the tests hold against every sequence of inputs: nothing but the handshake is sent before the
ack, and nothing leads out of CLOSED.

The first message of a socket is `tpa_connection_init` for a session that the cloud has asked for by webhook (P1 1.6:
always), and `reconnect` for one that goes on by itself. Which of the two is a decision of this machine.
"""

from __future__ import annotations

import enum
import math
from http import HTTPStatus
from typing import assert_never

import attrs

from mentra_trio._wire.inbound import AppStopped, ConnectionAck, ConnectionRefused, ReconnectDeferred, ReconnectRejected
from mentra_trio._wire.outbound import Command, ConnectionInit, Family, Reconnect
from mentra_trio.errors import CloudRefusedError, ConnectFailedError, HandshakeError, LinkLostError, MentraError
from mentra_trio.models.session import StopKind, StopReason

from .backoff import Backoff
from .refusals import (
    PERMANENT_REFUSALS,
    PERMANENT_REJECTIONS,
    REFUSING_CLOSES,
    STOPPING_CLOSES,
    SUPERSEDED,
    UNKNOWN_SESSION_CLOSES,
    failed_families,
)

SOUND_AFTER = 5.0
"""Seconds after which a socket that a failed request has closed says nothing about the connection."""
CLOSES_WITHIN = 5.0
"""Seconds in which the cloud closes the socket after a failed request; it does so at once (P3 0.4)."""
USUAL_PARK = 30.0
"""Seconds of a park for which the cloud names no time that makes sense."""
LONGEST_PARK = 300.0
"""Most seconds from the first park to the end of the last, whatever the cloud asks for; it asks for 30 (P1 2.6)."""
START_WINDOW = 6.0
"""Seconds that the cloud gives an app that it has called by webhook (P1 1.3)."""
AWAITED_CAP = 1.0
"""Most seconds between attempts in that time: an app that comes later is refused, and its session is over."""


class Phase(enum.Enum):
    """Where the session stands."""

    DISCONNECTED = enum.auto()
    HANDSHAKE = enum.auto()
    ACTIVE = enum.auto()
    PARKED = enum.auto()
    CLOSED = enum.auto()


@attrs.frozen
class Send:
    """Send a handshake message, ahead of everything else."""

    command: Command


@attrs.frozen(kw_only=True)
class Ready:
    """The cloud has taken this socket: apply what the ack tells, let commands pass, send the subscriptions."""

    ack: ConnectionAck
    is_fresh: bool
    """The cloud began the app anew (an init was acknowledged), so what the display showed is gone."""
    is_first: bool
    """The first ack of the session: the handler may start."""


@attrs.frozen
class Park:
    """Keep the socket, hold commands back, and wait for an ack."""

    seconds: float


@attrs.frozen
class FailCalls:
    """Requests of these families have failed."""

    families: frozenset[Family]
    error: CloudRefusedError


@attrs.frozen
class Retry:
    """Give up this socket, wait, and open another."""

    seconds: float


@attrs.frozen
class Log:
    """Something odd that costs nothing; one record."""

    text: str


@attrs.frozen
class End:
    """The session is over. With an error when nobody asked for it."""

    reason: StopReason
    error: MentraError | None = None


Effect = Send | Ready | Park | FailCalls | Retry | Log | End
ControlMessage = ConnectionAck | ConnectionRefused | ReconnectRejected | ReconnectDeferred | AppStopped
"""What concerns the life of the session. Everything else goes straight to its consumers."""


@attrs.define(eq=False, kw_only=True)
class SessionProtocol:
    """The machine of one logical session (D17)."""

    init: ConnectionInit
    backoff: Backoff
    give_up_after: float = 120.0
    """Seconds without an ack after which reconnecting ends (D20)."""
    healthy_after: float = 60.0
    """Seconds with an ack after which the back-off begins anew (D20)."""

    phase: Phase = attrs.field(init=False, default=Phase.DISCONNECTED)
    _is_known: bool = attrs.field(init=False, default=False)
    """The cloud has acknowledged this session at least once."""
    _must_init: bool = attrs.field(init=False, default=True)
    """The next socket begins with an init."""
    _is_init: bool = attrs.field(init=False, default=True)
    """This socket began with an init."""
    _is_awaited: bool = attrs.field(init=False, default=True)
    """A webhook has asked for the session, and no ack has come since."""
    _has_retried_init: bool = attrs.field(init=False, default=False)
    _failed_request_at: float = attrs.field(init=False, default=-math.inf)
    """When a request was refused on this socket: the close 1008 that follows says nothing about the connection."""
    _parked_at: float | None = attrs.field(init=False, default=None)
    """When the cloud parked this session first since its last ack."""
    _acked_at: float | None = attrs.field(init=False, default=None)
    _down_since: float | None = attrs.field(init=False, default=None)

    def opened(self) -> list[Effect]:
        """Tell that a socket is open."""
        if self.phase is Phase.CLOSED:
            return []
        self.phase = Phase.HANDSHAKE
        self._is_init = self._must_init
        self._failed_request_at = -math.inf
        return [Send(self.init if self._is_init else Reconnect(sdk_version=self.init.sdk_version))]

    def receive(self, message: ControlMessage, now: float) -> list[Effect]:
        """Tell that a control message arrived."""
        if self.phase in (Phase.CLOSED, Phase.DISCONNECTED):
            return []
        match message:
            case ConnectionAck():
                return self._acknowledged(message, now)
            case ReconnectDeferred():
                return self._deferred(message, now)
            case AppStopped():
                return self._end(StopKind.STOPPED_BY_CLOUD, message.reason or "app_stopped")
            case ReconnectRejected():
                return self._rejected(message, now)
            case ConnectionRefused():
                return self._refused(message, now)
            case _:
                assert_never(message)

    def lost(self, code: int, reason: str, now: float) -> list[Effect]:
        """Tell that the socket is gone, with the close code and reason; 1006 without a close frame."""
        if self.phase is Phase.CLOSED:
            return []
        if self.phase is Phase.ACTIVE and code == 1008 and now - self._failed_request_at <= CLOSES_WITHIN:
            # The message before the close counts, not the text of the close, which repeats it (P1 2.9). A socket that
            # held for a while was sound; requests that fail again and again must not become a storm of reconnects.
            was_sound = self._acked_at is not None and now - self._acked_at >= SOUND_AFTER
            self._disconnected(now)
            return [Retry(self.backoff.quick() if was_sound else self.backoff.next())]
        if (code, reason) in STOPPING_CLOSES:
            return self._end(StopKind.STOPPED_BY_CLOUD, reason)
        if self.phase is not Phase.ACTIVE and (code, reason) in REFUSING_CLOSES:
            return self._end(StopKind.REFUSED, reason, HandshakeError(str(code), reason))
        if self.phase is not Phase.ACTIVE and (code, reason) in UNKNOWN_SESSION_CLOSES:
            return self._init_anew(now, code=str(code), text=reason)
        if code == SUPERSEDED and self.phase is Phase.PARKED:
            # Another process of this app has parked a newer socket; two that keep replacing each other help nobody.
            # Elsewhere 1013 means "try again later", as other servers on the way use it.
            return self._end(StopKind.STOPPED_BY_CLOUD, reason or "superseded")
        if self._parked_at is not None and self.phase is Phase.PARKED and now < self._parked_at + LONGEST_PARK:
            # The cloud was there, and bade to wait: the time to come back begins anew (P1 2.6).
            self._down_since = now
        return self._retry(now, f"the connection was closed with code {code} {reason}".rstrip())

    def connect_failed(self, error: ConnectFailedError, now: float) -> list[Effect]:
        """Tell that no socket could be opened."""
        if self.phase is Phase.CLOSED:
            return []
        if error.status == HTTPStatus.UNAUTHORIZED:
            # The upgrade itself was refused for want of credentials (P1 2.1).
            return self._end(StopKind.REFUSED, "401", HandshakeError("401", str(error)))
        if not self._is_known:
            # The cloud repeats its webhook after a second (P1 1.3), so failing fast is the better retry.
            return self._end(StopKind.LINK_LOST, "connect failed", error)
        return self._retry(now, str(error))

    def ack_timed_out(self, now: float) -> list[Effect]:
        """Tell that the socket is open, but no answer to the handshake came in time."""
        if self.phase is not Phase.HANDSHAKE:
            return []
        if not self._is_known:
            return self._end(
                StopKind.LINK_LOST, "no ack", LinkLostError("the cloud did not answer the handshake in time")
            )
        return self._retry(now, "the cloud did not answer the handshake in time")

    def park_timed_out(self) -> list[Effect]:
        """Tell that the cloud kept the parked socket longer than it said it would."""
        if self.phase is not Phase.PARKED:
            return []
        return self._end(
            StopKind.LINK_LOST, "park timed out", LinkLostError("the cloud did not bring the session back")
        )

    def redirected(self) -> None:
        """Tell that a webhook asked for the session anew: the next socket begins with an init, always (P1 1.6)."""
        if self.phase is not Phase.CLOSED:
            self.phase = Phase.DISCONNECTED
            self._must_init = True
            self._is_awaited = True
            self._has_retried_init = False
            self._acked_at = None
            self._down_since = None
            self._parked_at = None
            self.backoff.reset()

    def stop(self) -> None:
        """Tell that this side ends the session."""
        self.phase = Phase.CLOSED

    def _acknowledged(self, ack: ConnectionAck, now: float) -> list[Effect]:
        is_first = not self._is_known
        # A parked socket is taken when the cloud has started the app anew (P1 2.6). A second ack on a live socket only
        # brings news; the display was not reset.
        is_fresh = self.phase is Phase.PARKED or (self.phase is Phase.HANDSHAKE and self._is_init)
        if self.phase is not Phase.ACTIVE:
            self._acked_at = now
        self.phase = Phase.ACTIVE
        self._is_known = True
        self._parked_at = None
        self._is_awaited = False
        self._must_init = False
        self._has_retried_init = False
        self._down_since = None
        return [Ready(ack=ack, is_fresh=is_fresh, is_first=is_first)]

    def _deferred(self, message: ReconnectDeferred, now: float) -> list[Effect]:
        self.phase = Phase.PARKED
        if self._parked_at is None:
            self._parked_at = now
        # A cloud that defers again and again must not keep this side for ever.
        left = max(self._parked_at + LONGEST_PARK - now, 0.0)
        return [Park(min(message.timeout if message.timeout > 0 else USUAL_PARK, left))]

    def _rejected(self, message: ReconnectRejected, now: float) -> list[Effect]:
        if message.code in PERMANENT_REJECTIONS:
            return self._end(
                StopKind.REFUSED, message.code, HandshakeError(message.code, message.message or "reconnect rejected")
            )
        # The cloud is closing this socket, so an init on it would be lost (P1 2.6): take a new one, once. Codes that
        # nobody has seen yet are treated alike.
        return self._init_anew(now, code=message.code, text=message.message)

    def _refused(self, message: ConnectionRefused, now: float) -> list[Effect]:
        if self.phase is Phase.ACTIVE:
            # After the handshake this message means "a request failed", and does not say which (P3 0.4).
            self._failed_request_at = now
            error = CloudRefusedError(message.code, message.message)
            return [FailCalls(failed_families(message.code, message.message), error)]
        if message.code == "SESSION_NOT_FOUND":
            if self.phase is Phase.PARKED:
                return [Log("the cloud has no session for something that was sent while parked")]
            return self._init_anew(now, code=message.code, text=message.message)
        if message.code in PERMANENT_REFUSALS:
            return self._end(StopKind.REFUSED, message.code, HandshakeError(message.code, message.message))
        return self._retry(now, f"the cloud answered the handshake with {message.code}: {message.message}")

    def _init_anew(self, now: float, *, code: str, text: str) -> list[Effect]:
        """Try an init on a new socket at once, but only once until the next ack."""
        if self._has_retried_init:
            return self._end(StopKind.REFUSED, code, HandshakeError(code, text))
        self._has_retried_init = True
        self._must_init = True
        self._disconnected(now)
        return [Retry(self.backoff.quick())]

    def _retry(self, now: float, why: str) -> list[Effect]:
        self._disconnected(now)
        down_since = now if self._down_since is None else self._down_since
        if now - down_since >= self.give_up_after:
            error = LinkLostError(f"no connection for {now - down_since:.0f} s; at last {why}")
            return self._end(StopKind.LINK_LOST, why, error)
        is_urgent = self._is_awaited and now - down_since < START_WINDOW
        return [Retry(self.backoff.next(cap=AWAITED_CAP) if is_urgent else self.backoff.next())]

    def _disconnected(self, now: float) -> None:
        self.phase = Phase.DISCONNECTED
        if self._acked_at is not None and now - self._acked_at >= self.healthy_after:
            self.backoff.reset()
        self._acked_at = None
        if self._down_since is None:
            self._down_since = now

    def _end(self, kind: StopKind, detail: str, error: MentraError | None = None) -> list[Effect]:
        self.phase = Phase.CLOSED
        return [End(StopReason(kind, detail), error)]
