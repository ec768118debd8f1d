"""`SessionProtocol` against every sequence of inputs: the two invariants of its module, and that losses end."""

import math
from collections.abc import Callable
from random import Random

import attrs
import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mentra_trio._protocol.backoff import Backoff
from mentra_trio._protocol.refusals import (
    PERMANENT_REFUSALS,
    PERMANENT_REJECTIONS,
    REFUSING_CLOSES,
    STOPPING_CLOSES,
    UNKNOWN_SESSION_CLOSES,
)
from mentra_trio._protocol.session import (
    LONGEST_PARK,
    ControlMessage,
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
from mentra_trio._wire.inbound import (
    AppStopped,
    ConnectionAck,
    ConnectionRefused,
    ReconnectDeferred,
    ReconnectRejected,
)
from mentra_trio.errors import ConnectFailedError
from tests.effort import effort

from .sessions import ACK, INIT, RECONNECT, RECONNECT_ACK

GIVE_UP_AFTER = 120.0
LONGEST_DELAY = 10.0

TEXTS = st.sampled_from(["", "App not running", "Cannot process photo request", "Session not found"])
CLOSES = st.one_of(
    st.sampled_from(sorted(STOPPING_CLOSES | REFUSING_CLOSES | UNKNOWN_SESSION_CLOSES)),
    st.tuples(st.sampled_from([1000, 1001, 1006, 1008, 1011, 1013]), TEXTS),
)
TRANSIENT = st.tuples(st.sampled_from([1001, 1006, 1009, 1011, 1012, 4000]), st.just(""))
STATUSES = st.sampled_from([None, 401, 404, 500, 503])
SECONDS = st.floats(0.0, 40.0)


class Sessions(RuleBasedStateMachine):
    """Any input at any time, but a socket is opened only when there is none, as the runtime does it."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = SessionProtocol(init=INIT, backoff=Backoff(Random(0)), give_up_after=GIVE_UP_AFTER)
        self.now = 0.0
        self.phase = Phase.DISCONNECTED
        self.is_open = False
        self.is_acknowledged = False
        """This socket was."""
        self.was_acknowledged = False
        """The session was."""
        self.must_init = True
        self.init_retries = 0
        """Since the last ack or redirect."""
        self.down_since: float | None = None
        self.parked_at: float | None = None
        """First, since the last ack or redirect."""

    def take(self, effects: list[Effect], *, may_retry_init: bool = False) -> None:
        """Check the decisions, and follow them as the runtime does."""
        note(f"{self.now}: {effects}")
        assert self.phase is not Phase.CLOSED or effects == [], "something leads out of CLOSED"
        for effect in effects:
            match effect:
                case Send():
                    raise AssertionError("only a new socket begins with a message")
                case Ready():
                    assert self.is_open
                    assert effect.is_first is not self.was_acknowledged
                    self.is_acknowledged = self.was_acknowledged = True
                    self.must_init = False
                    self.init_retries = 0
                    self.down_since = self.parked_at = None
                    assert self.protocol.phase is Phase.ACTIVE
                case Park(seconds):
                    assert self.is_open
                    assert 0.0 <= seconds <= LONGEST_PARK
                    self.is_acknowledged = False
                    if self.parked_at is None:
                        self.parked_at = self.now
                    assert self.protocol.phase is Phase.PARKED
                case FailCalls() | Log():
                    assert self.is_open
                    assert self.protocol.phase in (Phase.ACTIVE, Phase.PARKED)
                case Retry(seconds):
                    self.check_retry(seconds, may_retry_init=may_retry_init)
                case End():
                    assert self.protocol.phase is Phase.CLOSED
                    self.is_open = self.is_acknowledged = False
        self.phase = self.protocol.phase

    def check_retry(self, seconds: float, *, may_retry_init: bool) -> None:
        assert 0.0 <= seconds <= LONGEST_DELAY
        assert self.protocol.phase is Phase.DISCONNECTED
        self.is_open = self.is_acknowledged = False
        if may_retry_init:
            self.init_retries += 1
            self.must_init = True
            assert self.init_retries <= 1, "an init was tried again twice without an ack"
        is_granted = self.parked_at is not None and self.now < self.parked_at + LONGEST_PARK
        if self.down_since is None or (self.phase is Phase.PARKED and is_granted):
            self.down_since = self.now
        elif not may_retry_init:
            assert self.now - self.down_since < GIVE_UP_AFTER, "the link was not given up"

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: not self.is_open)
    @rule()
    def open(self) -> None:
        effects = self.protocol.opened()
        if self.phase is Phase.CLOSED:
            assert effects == []
            return
        assert effects == [Send(INIT if self.must_init else RECONNECT)]
        self.is_open = True
        self.is_acknowledged = False
        self.phase = self.protocol.phase
        assert self.phase is Phase.HANDSHAKE

    def receive(self, message: ControlMessage, *, may_retry_init: bool = False) -> None:
        effects = self.protocol.receive(message, self.now)
        assert self.is_open or effects == []
        assert not self.is_open or effects != []
        self.take(effects, may_retry_init=may_retry_init)

    @rule(ack=st.sampled_from([ACK, RECONNECT_ACK]))
    def acknowledge(self, ack: ConnectionAck) -> None:
        was_open = self.is_open
        self.receive(ack)
        assert not was_open or self.phase is Phase.ACTIVE

    @rule(seconds=st.floats(-1.0, 1000.0))
    def defer(self, seconds: float) -> None:
        was_open = self.is_open
        self.receive(ReconnectDeferred(timeout=seconds))
        assert not was_open or self.phase is Phase.PARKED

    @rule(code=st.sampled_from(["SESSION_NOT_FOUND", "SESSION_EXPIRED", "SOMETHING_NEW", ""]))
    def reject(self, code: str) -> None:
        self.receive(ReconnectRejected(code=code), may_retry_init=True)

    @rule(text=TEXTS)
    def find_no_session(self, text: str) -> None:
        self.receive(ConnectionRefused(code="SESSION_NOT_FOUND", message=text), may_retry_init=True)

    @rule(code=st.sampled_from(["INTERNAL_ERROR", "PERMISSION_DENIED", "STREAM_CREATE_FAILED", ""]), text=TEXTS)
    def refuse(self, code: str, text: str) -> None:
        self.receive(ConnectionRefused(code=code, message=text))

    @rule(
        message=st.one_of(
            st.builds(ReconnectRejected, code=st.sampled_from(sorted(PERMANENT_REJECTIONS))),
            st.builds(ConnectionRefused, code=st.sampled_from(sorted(PERMANENT_REFUSALS))),
            st.builds(AppStopped, reason=st.sampled_from(["", "user_disabled"])),
        )
    )
    def end(self, message: ControlMessage) -> None:
        is_request = isinstance(message, ConnectionRefused) and self.phase is Phase.ACTIVE
        was_open = self.is_open
        self.receive(message)
        assert not was_open or (self.phase is Phase.CLOSED) is not is_request

    @precondition(lambda self: self.is_open)
    @rule(close=TRANSIENT)
    def lose(self, close: tuple[int, str]) -> None:
        self.take(self.protocol.lost(*close, self.now))
        self.is_open = False
        assert self.phase in (Phase.DISCONNECTED, Phase.CLOSED)

    @precondition(lambda self: self.is_open)
    @rule(close=CLOSES)
    def close(self, close: tuple[int, str]) -> None:
        wants_init = close in UNKNOWN_SESSION_CLOSES and self.phase is not Phase.ACTIVE
        self.take(self.protocol.lost(*close, self.now), may_retry_init=wants_init)
        self.is_open = False
        assert self.phase in (Phase.DISCONNECTED, Phase.CLOSED)

    @precondition(lambda self: not self.is_open)
    @rule(status=STATUSES)
    def fail_to_connect(self, status: int | None) -> None:
        self.take(self.protocol.connect_failed(ConnectFailedError("no", status=status), self.now))

    @rule()
    def time_out_the_ack(self) -> None:
        self.take(self.protocol.ack_timed_out(self.now))

    @rule()
    def time_out_the_park(self) -> None:
        self.take(self.protocol.park_timed_out())

    @rule()
    def redirect(self) -> None:
        self.protocol.redirected()
        if self.phase is not Phase.CLOSED:
            self.phase = Phase.DISCONNECTED
            self.is_open = self.is_acknowledged = False
            self.must_init = True
            self.init_retries = 0
            self.down_since = self.parked_at = None

    @precondition(lambda self: self.init_retries > 0 or self.phase is Phase.CLOSED)
    @rule()
    def stop(self) -> None:
        self.protocol.stop()
        self.phase = Phase.CLOSED
        self.is_open = self.is_acknowledged = False

    @invariant()
    def commands_pass_only_after_an_ack(self) -> None:
        """The runtime lets commands out in ACTIVE; before that a socket carries nothing but its first message."""
        assert (self.protocol.phase is Phase.ACTIVE) == self.is_acknowledged

    @invariant()
    def the_end_is_the_end(self) -> None:
        assert self.protocol.phase is self.phase


Sessions.TestCase.settings = effort(200, steps=60)
TestSessions = pytest.mark.slow(Sessions.TestCase)


@attrs.frozen
class Failure:
    """One attempt that comes to nothing."""

    seconds: float
    """How long it takes."""
    decide: Callable[[SessionProtocol, float], list[Effect]]
    """What the protocol makes of it, told the time when it ended."""


def no_connection(status: int | None) -> Callable[[SessionProtocol, float], list[Effect]]:
    return lambda protocol, now: protocol.connect_failed(ConnectFailedError("no", status=status), now)


def no_ack(protocol: SessionProtocol, now: float) -> list[Effect]:
    protocol.opened()
    return protocol.ack_timed_out(now)


def lost_in_handshake(close: tuple[int, str]) -> Callable[[SessionProtocol, float], list[Effect]]:
    def decide(protocol: SessionProtocol, now: float) -> list[Effect]:
        protocol.opened()
        return protocol.lost(*close, now)

    return decide


@attrs.frozen
class ParkedThenLost:
    """The attempt is deferred, and its socket lost."""

    close: tuple[int, str]

    def __call__(self, protocol: SessionProtocol, now: float) -> list[Effect]:
        protocol.opened()
        protocol.receive(ReconnectDeferred(), now)
        return protocol.lost(*self.close, now)


def refused(code: str) -> Callable[[SessionProtocol, float], list[Effect]]:
    def decide(protocol: SessionProtocol, now: float) -> list[Effect]:
        protocol.opened()
        return protocol.receive(ConnectionRefused(code=code), now)

    return decide


DECISIONS = st.one_of(
    st.just(no_ack),
    st.sampled_from([None, 404, 500, 503]).map(no_connection),
    TRANSIENT.map(lost_in_handshake),
    TRANSIENT.map(ParkedThenLost),
    st.sampled_from(sorted(UNKNOWN_SESSION_CLOSES)).map(lost_in_handshake),
    st.sampled_from(["INTERNAL_ERROR", "SESSION_NOT_FOUND", ""]).map(refused),
)
LONGEST_ATTEMPT = 8.0
FAILURES = st.lists(
    st.builds(Failure, seconds=st.floats(0.0, LONGEST_ATTEMPT), decide=DECISIONS), min_size=1, max_size=8
)


@pytest.mark.slow
@given(failures=FAILURES, seed=st.integers(), uptime=st.floats(0.0, 200.0), is_redirected=st.booleans())
def test_d20_every_sequence_of_losses_ends_in_time(
    failures: list[Failure],
    seed: int,
    uptime: float,
    is_redirected: bool,
) -> None:
    """Within `give_up_after`, one delay and one attempt of the first loss, or of the last park that is granted,
    whatever is lost and how."""
    protocol = SessionProtocol(init=INIT, backoff=Backoff(Random(seed)), give_up_after=GIVE_UP_AFTER)
    protocol.opened()
    protocol.receive(ACK, 0.0)
    if is_redirected:
        protocol.redirected()
    now = down_since = uptime
    parked_at = math.inf
    effects: list[Effect] = [] if is_redirected else protocol.lost(1006, "", now)
    attempts = 0
    while not (effects and isinstance(effects[0], End)):
        now += sum(effect.seconds for effect in effects if isinstance(effect, Retry))
        failure = failures[attempts % len(failures)]
        attempts += 1
        now += failure.seconds
        effects = failure.decide(protocol, now)
        if attempts == 1 and is_redirected:
            down_since = now
        assert len(effects) == 1
        if isinstance(failure.decide, ParkedThenLost):
            parked_at = min(parked_at, now)
            if now < parked_at + LONGEST_PARK:
                down_since = now
        assert now <= down_since + GIVE_UP_AFTER + LONGEST_DELAY + LONGEST_ATTEMPT

    assert protocol.phase is Phase.CLOSED
