"""`_protocol/session.py`: every row of P1 2.5, 2.6, 2.9 and 3.4, and of the architecture's table of transitions."""

from collections.abc import Callable

import pytest

from mentra_trio._protocol.backoff import Backoff
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
from mentra_trio._wire.inbound import AppStopped, ConnectionRefused, ReconnectDeferred, ReconnectRejected
from mentra_trio._wire.outbound import Family
from mentra_trio.errors import (
    CloudRefusedError,
    ConnectFailedError,
    HandshakeError,
    LinkLostError,
    MentraError,
)
from mentra_trio.models import StopKind, StopReason

from .sessions import (
    ACK,
    BOOTING,
    INIT,
    QUICK,
    RECONNECT,
    RECONNECT_ACK,
    Longest,
    active,
    closed,
    disconnected,
    first_message,
    fresh,
    parked,
    reconnecting,
    starting,
)

Make = Callable[[], SessionProtocol]


def refused(code: str, message: str = "m") -> ConnectionRefused:
    return ConnectionRefused(code=code, message=message)


def rejected(code: str) -> ReconnectRejected:
    return ReconnectRejected(code=code, message="m")


def the_end(effects: list[Effect]) -> End:
    assert len(effects) == 1
    assert isinstance(effects[0], End)
    return effects[0]


def ended(protocol: SessionProtocol, effects: list[Effect], kind: StopKind, detail: str) -> MentraError | None:
    """Check how the session ended; return the error."""
    end = the_end(effects)
    assert end.reason == StopReason(kind, detail)
    assert protocol.phase is Phase.CLOSED
    return end.error


# The way up


def test_the_first_socket_begins_with_an_init() -> None:
    protocol = fresh()

    assert protocol.opened() == [Send(INIT)]
    assert protocol.phase is Phase.HANDSHAKE


@pytest.mark.parametrize("ack", [ACK, RECONNECT_ACK])
def test_an_ack_makes_the_session_ready(ack: ControlMessage) -> None:
    protocol = starting()

    assert protocol.receive(ack, 0.0) == [Ready(ack=ACK if ack is ACK else RECONNECT_ACK, is_fresh=True, is_first=True)]
    assert protocol.phase is Phase.ACTIVE


@pytest.mark.parametrize("ack", [ACK, RECONNECT_ACK])
def test_p1_2_6_a_lost_session_goes_on_with_a_reconnect(ack: ControlMessage) -> None:
    protocol = reconnecting()

    (ready,) = protocol.receive(ack, 11.0)

    assert isinstance(ready, Ready)
    assert (ready.is_fresh, ready.is_first) == (False, False)
    assert protocol.phase is Phase.ACTIVE


def test_a_second_ack_on_a_live_socket_only_brings_news() -> None:
    protocol = active()

    assert protocol.receive(ACK, 5.0) == [Ready(ack=ACK, is_fresh=False, is_first=False)]


@pytest.mark.parametrize("make", [fresh, disconnected, closed])
@pytest.mark.parametrize("message", [ACK, refused("INVALID_API_KEY"), rejected("NOT_RUNNING"), BOOTING, AppStopped()])
def test_what_arrives_without_a_socket_means_nothing(make: Make, message: ControlMessage) -> None:
    protocol = make()
    phase = protocol.phase

    assert protocol.receive(message, 20.0) == []
    assert protocol.phase is phase


# P1 2.5: tpa_connection_error


@pytest.mark.parametrize("make", [starting, reconnecting, parked])
@pytest.mark.parametrize(
    "code", ["INVALID_API_KEY", "APP_DEPRECATED", "APP_NOT_STARTED", "MISSING_HEADERS", "JWT_INVALID"]
)
def test_p1_2_5_a_permanent_refusal_ends_the_session(make: Make, code: str) -> None:
    protocol = make()

    error = ended(protocol, protocol.receive(refused(code, "words"), 11.0), StopKind.REFUSED, code)

    assert isinstance(error, HandshakeError)
    assert (error.code, error.text) == (code, "words")


def test_p1_2_5_session_not_found_for_an_init_is_tried_once_more() -> None:
    protocol = starting()

    assert protocol.receive(refused("SESSION_NOT_FOUND"), 1.0) == [Retry(QUICK)]
    assert protocol.phase is Phase.DISCONNECTED
    assert first_message(protocol) == INIT
    ended(protocol, protocol.receive(refused("SESSION_NOT_FOUND"), 2.0), StopKind.REFUSED, "SESSION_NOT_FOUND")


def test_p1_2_5_session_not_found_while_parked_is_only_noted() -> None:
    protocol = parked()

    (effect,) = protocol.receive(refused("SESSION_NOT_FOUND"), 11.0)

    assert isinstance(effect, Log)
    assert protocol.phase is Phase.PARKED


@pytest.mark.parametrize("make", [starting, reconnecting])
@pytest.mark.parametrize("code", ["INTERNAL_ERROR", "", "SOMETHING_NEW"])
def test_p1_2_5_an_internal_error_in_the_handshake_is_tried_again(make: Make, code: str) -> None:
    protocol = make()
    before = first_message(make())

    (effect,) = protocol.receive(refused(code), 11.0)

    assert isinstance(effect, Retry)
    assert protocol.phase is Phase.DISCONNECTED
    assert first_message(protocol) == before


@pytest.mark.parametrize(
    ("code", "text", "families"),
    [
        ("PERMISSION_DENIED", "Camera permission required to take photos", {Family.PHOTO}),
        ("WIFI_NOT_CONNECTED", "smart glasses must be connected", {Family.STREAM}),
        ("MALFORMED_MESSAGE", "Invalid FOV/ROI: fov must be one of", {Family.FOV}),
        ("INTERNAL_ERROR", "Cannot process photo request - phone is not connected", {Family.PHOTO}),
        ("STREAM_CREATE_FAILED", "Failed to create audio stream relay", {Family.AUDIO}),
        ("SESSION_NOT_FOUND", "Session not found", set(Family)),
        ("INVALID_API_KEY", "Invalid API key", set(Family)),
    ],
)
def test_p1_2_5_after_the_handshake_an_error_fails_requests(code: str, text: str, families: set[Family]) -> None:
    protocol = active()

    (effect,) = protocol.receive(refused(code, text), 5.0)

    assert isinstance(effect, FailCalls)
    assert effect.families == families
    assert isinstance(effect.error, CloudRefusedError)
    assert (effect.error.code, effect.error.text) == (code, text)
    assert protocol.phase is Phase.ACTIVE


def test_p1_2_5_the_close_after_a_failed_request_is_no_failure_of_the_connection() -> None:
    protocol = active()

    for attempt in range(1, 20):
        now = attempt * 10.0
        protocol.receive(refused("INTERNAL_ERROR", "Cannot process photo request"), now)
        assert protocol.lost(1008, "Cannot process photo request", now) == [Retry(QUICK)]
        assert first_message(protocol) == RECONNECT
        protocol.receive(RECONNECT_ACK, now)
    assert protocol.lost(1006, "", 200.0) == [Retry(QUICK)], "no delay was used up"


def test_requests_that_fail_again_and_again_make_no_storm_of_reconnects() -> None:
    protocol = active()
    delays: list[float] = []

    for _ in range(6):
        protocol.receive(refused("INTERNAL_ERROR", "Cannot process photo request"), 0.0)
        (effect,) = protocol.lost(1008, "Cannot process photo request", 0.0)
        assert isinstance(effect, Retry)
        delays.append(effect.seconds)
        protocol.opened()
        protocol.receive(RECONNECT_ACK, 0.0)

    assert delays == [QUICK, 0.5, 1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("reason", ["App not running", "Invalid API key", "Session ended", "Session not found"])
def test_p1_2_9_after_a_failed_request_the_text_of_the_close_counts_for_nothing(reason: str) -> None:
    """The close repeats the text of the error (P3 0.4), and a request can fail because "App not running" (P1 2.5)."""
    protocol = active()
    protocol.receive(refused("INTERNAL_ERROR", reason), 1.0)

    assert protocol.lost(1008, reason, 1.0) == [Retry(QUICK)]
    assert first_message(protocol) == RECONNECT


def test_a_failed_request_of_an_earlier_socket_is_forgotten() -> None:
    protocol = active()
    protocol.receive(refused("STREAM_CREATE_FAILED"), 1.0)
    protocol.lost(1006, "", 2.0)
    protocol.opened()
    protocol.receive(RECONNECT_ACK, 3.0)

    ended(protocol, protocol.lost(1008, "Session ended", 4.0), StopKind.STOPPED_BY_CLOUD, "Session ended")


def test_a_failed_request_of_long_ago_is_forgotten() -> None:
    """The close that it causes comes at once (P3 0.4)."""
    protocol = active()
    protocol.receive(refused("STREAM_CREATE_FAILED"), 1.0)

    ended(protocol, protocol.lost(1008, "Session ended", 6.5), StopKind.STOPPED_BY_CLOUD, "Session ended")


def test_a_start_whose_handshake_is_lost_hurries_while_the_cloud_waits() -> None:
    """A webhook asked for it, and the cloud gives an app 6 s (P1 1.3)."""
    protocol = starting()
    delays: list[float] = []
    for now in (0.0, 1.0, 2.0, 3.0, 5.0, 7.0):
        (effect,) = protocol.lost(1006, "", now)
        assert isinstance(effect, Retry)
        delays.append(effect.seconds)
        protocol.opened()

    assert delays == [QUICK, 0.5, 1.0, 1.0, 1.0, 8.0]


def test_a_failed_request_does_not_excuse_another_close() -> None:
    protocol = active()
    protocol.receive(refused("STREAM_CREATE_FAILED"), 1.0)

    ended(protocol, protocol.lost(1000, "App stopped", 2.0), StopKind.STOPPED_BY_CLOUD, "App stopped")


@pytest.mark.parametrize("make", [fresh, disconnected])
def test_p1_2_1_an_upgrade_without_credentials_is_permanent(make: Make) -> None:
    protocol = make()

    effects = protocol.connect_failed(ConnectFailedError("no", status=401), 11.0)

    error = ended(protocol, effects, StopKind.REFUSED, "401")
    assert isinstance(error, HandshakeError)
    assert error.code == "401"


# P1 2.6: reconnect and its answers


@pytest.mark.parametrize("code", ["SESSION_NOT_FOUND", "SESSION_EXPIRED", "SOMETHING_NEW", ""])
def test_p1_2_6_an_unknown_session_is_begun_anew_on_another_socket_once(code: str) -> None:
    protocol = reconnecting()

    assert protocol.receive(rejected(code), 11.0) == [Retry(QUICK)]
    assert first_message(protocol) == INIT
    error = ended(protocol, protocol.receive(rejected(code), 12.0), StopKind.REFUSED, code)
    assert isinstance(error, HandshakeError)


@pytest.mark.parametrize("code", ["NOT_RUNNING", "BOOT_TIMEOUT", "SESSION_STOPPED", "USER_STOPPED"])
@pytest.mark.parametrize("make", [reconnecting, parked])
def test_p1_2_6_a_permanent_rejection_ends_the_session(make: Make, code: str) -> None:
    protocol = make()

    error = ended(protocol, protocol.receive(rejected(code), 11.0), StopKind.REFUSED, code)

    assert isinstance(error, HandshakeError)
    assert error.code == code


def test_p1_2_6_a_rejection_without_words_still_says_something() -> None:
    protocol = reconnecting()

    error = the_end(protocol.receive(ReconnectRejected(code="NOT_RUNNING"), 11.0)).error

    assert str(error) == "the cloud refused the connection with NOT_RUNNING: reconnect rejected"


@pytest.mark.parametrize("code", ["BOOTING", "AWAITING_APP_RESTORE", ""])
def test_p1_2_6_a_deferral_parks_the_socket(code: str) -> None:
    protocol = reconnecting()

    assert protocol.receive(ReconnectDeferred(code=code, timeout=12.5), 11.0) == [Park(12.5)]
    assert protocol.phase is Phase.PARKED


@pytest.mark.parametrize(
    ("asked", "parked_for"), [(-5.0, 30.0), (0.0, 30.0), (0.5, 0.5), (12.5, 12.5), (1e9, LONGEST_PARK)]
)
def test_a_park_is_never_longer_than_this_side_wants(asked: float, parked_for: float) -> None:
    assert reconnecting().receive(ReconnectDeferred(timeout=asked), 11.0) == [Park(parked_for)]


def test_parks_that_follow_each_other_have_one_limit() -> None:
    protocol = reconnecting()
    parks = [protocol.receive(BOOTING, 11.0 + 25.0 * number) for number in range(20)]

    assert parks[:11] == [[Park(30.0)]] * 11
    assert parks[11:14] == [[Park(25.0)], [Park(0.0)], [Park(0.0)]]


def test_a_park_after_an_ack_has_a_limit_of_its_own() -> None:
    protocol = parked(10.0)
    protocol.receive(ACK, 300.0)

    assert protocol.receive(BOOTING, 900.0) == [Park(30.0)]


@pytest.mark.parametrize("ack", [ACK, RECONNECT_ACK])
def test_p1_2_6_a_parked_socket_takes_either_ack_and_the_display_is_gone(ack: ControlMessage) -> None:
    """The cloud started the app anew, with its boot screen (P3 1.4), so the app has to show its display again."""
    protocol = parked()

    (ready,) = protocol.receive(ack, 25.0)

    assert isinstance(ready, Ready)
    assert (ready.is_fresh, ready.is_first) == (True, False)
    assert protocol.phase is Phase.ACTIVE


def test_p1_2_6_a_parked_socket_that_closes_is_replaced() -> None:
    protocol = parked()

    (effect,) = protocol.lost(1006, "", 15.0)

    assert isinstance(effect, Retry)
    assert first_message(protocol) == RECONNECT


def test_p1_2_6_a_parked_socket_that_closes_is_replaced_however_long_it_was_parked() -> None:
    """The cloud was there. So the time to come back begins with this loss, not with the one before the park."""
    protocol = parked()

    (effect,) = protocol.lost(1001, "Server shutting down", 200.0)
    assert isinstance(effect, Retry)
    (effect,) = protocol.connect_failed(ConnectFailedError("refused"), 319.0)
    assert isinstance(effect, Retry)
    (effect,) = protocol.connect_failed(ConnectFailedError("refused"), 320.0)

    assert isinstance(effect, End)


def test_parks_on_one_socket_after_the_other_have_one_limit() -> None:
    """Else a cloud that parks and closes would keep this side for ever."""
    protocol = parked(10.0)
    parks: list[Effect] = []
    for number in range(1, 13):
        protocol.lost(1006, "", 25.0 * number)
        protocol.opened()
        parks += protocol.receive(BOOTING, 25.0 * number + 5.0)

    assert parks == [Park(30.0)] * 11 + [Park(5.0)]
    protocol.lost(1006, "", 310.0)
    protocol.opened()
    assert protocol.receive(BOOTING, 315.0) == [Park(0.0)]
    (effect,) = protocol.lost(1006, "", 420.0)
    assert isinstance(effect, End)


def test_p1_2_6_a_newer_parked_socket_of_another_process_ends_this_one() -> None:
    protocol = parked()
    reason = "Superseded by newer deferred connection"

    assert ended(protocol, protocol.lost(1013, reason, 15.0), StopKind.STOPPED_BY_CLOUD, reason) is None
    protocol = parked()
    ended(protocol, protocol.lost(1013, "", 15.0), StopKind.STOPPED_BY_CLOUD, "superseded")


@pytest.mark.parametrize("make", [starting, active, reconnecting])
def test_1013_elsewhere_means_try_again_later(make: Make) -> None:
    protocol = make()

    (effect,) = protocol.lost(1013, "try again later", 11.0)

    assert isinstance(effect, Retry)


def test_p1_2_6_a_session_request_during_a_park_wins() -> None:
    protocol = parked()

    protocol.redirected()

    assert protocol.phase is Phase.DISCONNECTED
    assert first_message(protocol) == INIT


def test_a_park_that_never_ends_ends_the_session() -> None:
    protocol = parked()

    error = ended(protocol, protocol.park_timed_out(), StopKind.LINK_LOST, "park timed out")

    assert isinstance(error, LinkLostError)


@pytest.mark.parametrize("make", [fresh, starting, active, disconnected, reconnecting, closed])
def test_a_park_that_is_over_cannot_time_out(make: Make) -> None:
    protocol = make()
    phase = protocol.phase

    assert protocol.park_timed_out() == []
    assert protocol.phase is phase


def test_a_deferred_init_parks_too() -> None:
    protocol = starting()

    assert protocol.receive(BOOTING, 0.0) == [Park(30.0)]
    assert protocol.receive(ACK, 5.0) == [Ready(ack=ACK, is_fresh=True, is_first=True)]


# P1 2.7


@pytest.mark.parametrize("make", [starting, active, reconnecting, parked])
@pytest.mark.parametrize(("reason", "detail"), [("", "app_stopped"), ("user_disabled", "user_disabled")])
def test_p1_2_7_app_stopped_ends_the_session(make: Make, reason: str, detail: str) -> None:
    protocol = make()

    effects = protocol.receive(AppStopped(reason=reason), 11.0)

    assert ended(protocol, effects, StopKind.STOPPED_BY_CLOUD, detail) is None


# P1 2.9: close codes


@pytest.mark.parametrize("make", [starting, active, reconnecting, parked])
@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, "App stopped"), (1000, "User session ended"), (1000, "App session cleanup"), (1008, "Session ended")],
)
def test_p1_2_9_these_closes_stop_the_session(make: Make, code: int, reason: str) -> None:
    protocol = make()

    assert ended(protocol, protocol.lost(code, reason, 11.0), StopKind.STOPPED_BY_CLOUD, reason) is None


@pytest.mark.parametrize("make", [starting, reconnecting, parked])
@pytest.mark.parametrize(
    "reason",
    [
        "User session identity missing",
        "App not running",
        "App not started for this session",
        "App deprecated",
        "Deferred reconnect timed out",
        "Invalid API key",
    ],
)
def test_p1_2_9_these_closes_refuse_the_session_when_the_message_was_lost(make: Make, reason: str) -> None:
    protocol = make()

    error = ended(protocol, protocol.lost(1008, reason, 11.0), StopKind.REFUSED, reason)

    assert isinstance(error, HandshakeError)
    assert (error.code, error.text) == ("1008", reason)


@pytest.mark.parametrize("make", [starting, reconnecting, parked])
@pytest.mark.parametrize(
    "reason",
    [
        "Session not found",
        "Session expired",
        "Reconnect unsupported",
        "Reconnect identity missing",
        "Reconnect unauthenticated",
    ],
)
def test_p1_2_9_these_closes_want_an_init_when_the_message_was_lost(make: Make, reason: str) -> None:
    protocol = make()

    assert protocol.lost(1008, reason, 11.0) == [Retry(QUICK)]
    assert first_message(protocol) == INIT
    ended(protocol, protocol.lost(1008, reason, 12.0), StopKind.REFUSED, "1008")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1001, "Server shutting down"),
        (1001, "Going away"),
        (1005, ""),
        (1006, ""),
        (1006, "no sign of life"),
        (1009, "Received too big message"),
        (1011, "Internal server error"),
        (1012, ""),
        (1000, ""),
        (1000, "Normal"),
        (1000, "app stopped"),
        (1001, "App stopped"),
        (1008, ""),
        (1008, "something new"),
        (4000, "custom"),
    ],
)
def test_p1_2_9_other_closes_are_losses(code: int, reason: str) -> None:
    protocol = active()

    assert protocol.lost(code, reason, 11.0) == [Retry(QUICK)]
    assert protocol.phase is Phase.DISCONNECTED
    assert first_message(protocol) == RECONNECT


@pytest.mark.parametrize("reason", ["Session not found", "App not running", "Invalid API key"])
def test_an_active_session_asks_again_before_it_believes_the_text_of_a_close(reason: str) -> None:
    """It can be the text of a failed request whose message was lost; a `reconnect` gets a definite answer."""
    protocol = active()

    assert protocol.lost(1008, reason, 11.0) == [Retry(QUICK)]
    assert first_message(protocol) == RECONNECT


# P1 3.4


def test_p1_3_4_a_start_that_cannot_connect_fails_at_once() -> None:
    """The cloud repeats its webhook after a second (P1 1.3)."""
    protocol = fresh()
    cause = ConnectFailedError("refused", status=503)

    assert ended(protocol, protocol.connect_failed(cause, 0.0), StopKind.LINK_LOST, "connect failed") is cause


def test_p1_3_4_a_start_without_an_ack_fails_at_once() -> None:
    protocol = starting()

    error = ended(protocol, protocol.ack_timed_out(4.0), StopKind.LINK_LOST, "no ack")

    assert isinstance(error, LinkLostError)


@pytest.mark.parametrize("status", [None, 404, 500, 502, 503])
def test_p1_3_4_a_known_session_connects_again(status: int | None) -> None:
    protocol = disconnected()

    (effect,) = protocol.connect_failed(ConnectFailedError("no", status=status), 11.0)

    assert isinstance(effect, Retry)
    assert first_message(protocol) == RECONNECT


def test_p1_3_4_a_known_session_without_an_ack_connects_again() -> None:
    protocol = reconnecting()

    (effect,) = protocol.ack_timed_out(14.0)

    assert isinstance(effect, Retry)
    assert first_message(protocol) == RECONNECT


@pytest.mark.parametrize("make", [fresh, active, disconnected, parked, closed])
def test_an_ack_can_only_be_late_in_the_handshake(make: Make) -> None:
    protocol = make()
    phase = protocol.phase

    assert protocol.ack_timed_out(14.0) == []
    assert protocol.phase is phase


# P1 1.6


@pytest.mark.parametrize("make", [starting, active, disconnected, reconnecting, parked])
def test_p1_1_6_a_session_request_is_always_answered_with_an_init(make: Make) -> None:
    protocol = make()

    protocol.redirected()

    assert protocol.phase is Phase.DISCONNECTED
    assert first_message(protocol) == INIT


def test_p1_1_6_an_init_that_was_asked_for_is_repeated_until_it_is_acknowledged() -> None:
    protocol = active()
    protocol.redirected()

    for attempt in range(3):
        assert first_message(protocol) == INIT
        (effect,) = protocol.lost(1006, "", 20.0 + attempt)
        assert isinstance(effect, Retry)
    assert first_message(protocol) == INIT
    assert protocol.receive(ACK, 25.0) == [Ready(ack=ACK, is_fresh=True, is_first=False)]
    protocol.lost(1006, "", 30.0)
    assert first_message(protocol) == RECONNECT


def test_p1_1_3_an_app_that_the_cloud_waits_for_tries_again_within_a_second() -> None:
    """The cloud gives up after 6 s, and whoever comes later is refused."""
    protocol = active()
    protocol.redirected()

    delays = [protocol.connect_failed(ConnectFailedError("no"), 100.0 + second) for second in range(8)]

    assert delays == [[Retry(seconds)] for seconds in (0.25, 0.5, 1.0, 1.0, 1.0, 1.0, 10.0, 10.0)]


def test_p1_1_3_once_it_is_acknowledged_nobody_waits_any_more() -> None:
    protocol = active()
    protocol.redirected()
    protocol.opened()
    protocol.receive(ACK, 100.0)

    delays = [protocol.connect_failed(ConnectFailedError("no"), 101.0) for _ in range(5)]

    assert delays == [[Retry(seconds)] for seconds in (0.25, 0.5, 1.0, 2.0, 4.0)]


def test_a_session_request_allows_another_init_retry_and_all_the_time() -> None:
    protocol = reconnecting()
    protocol.receive(rejected("SESSION_EXPIRED"), 11.0)
    protocol.redirected()
    protocol.opened()

    assert protocol.receive(refused("SESSION_NOT_FOUND"), 500.0) == [Retry(QUICK)]
    protocol.opened()
    (effect,) = protocol.lost(1006, "", 600.0)
    assert isinstance(effect, Retry)


# D20


def test_p1_1_3_while_the_cloud_waits_after_a_webhook_attempts_are_at_most_a_second_apart() -> None:
    protocol = disconnected(10.0)
    protocol.redirected()
    delays: list[float] = []
    now = 15.0
    while now < 21.0:
        (effect,) = protocol.connect_failed(ConnectFailedError("refused"), now)
        assert isinstance(effect, Retry)
        delays.append(effect.seconds)
        now += effect.seconds

    assert delays == [0.25, 0.5, *[1.0] * (len(delays) - 2)]
    assert protocol.connect_failed(ConnectFailedError("refused"), now) == [Retry(10.0)]


def test_an_ack_ends_the_hurry_of_a_webhook() -> None:
    protocol = disconnected(10.0)
    protocol.redirected()
    protocol.opened()
    protocol.receive(ACK, 15.0)
    protocol.lost(1006, "", 16.0)
    (*_, effect) = [protocol.connect_failed(ConnectFailedError("refused"), 16.0)[0] for _ in range(5)]

    assert effect == Retry(8.0)


def test_d20_delays_grow_until_the_link_is_given_up() -> None:
    protocol = active()
    delays: list[float] = []
    now = 100.0
    effects = protocol.lost(1006, "", now)
    while not isinstance(effects[0], End):
        assert isinstance(effects[0], Retry)
        delays.append(effects[0].seconds)
        now += effects[0].seconds
        effects = protocol.connect_failed(ConnectFailedError("no route"), now)

    assert delays[:8] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert 220.0 <= now <= 230.0
    error = ended(protocol, effects, StopKind.LINK_LOST, "no route")
    assert isinstance(error, LinkLostError)
    assert str(error) == f"no connection for {now - 100.0:.0f} s; at last no route"


def test_d20_an_ack_begins_the_two_minutes_anew_but_not_the_delays() -> None:
    protocol = active()
    protocol.lost(1006, "", 100.0)
    protocol.opened()
    protocol.receive(RECONNECT_ACK, 210.0)

    assert protocol.lost(1006, "", 215.0) == [Retry(0.5)]
    (effect,) = protocol.connect_failed(ConnectFailedError("no"), 330.0)
    assert isinstance(effect, Retry)
    the_end(protocol.connect_failed(ConnectFailedError("no"), 335.0))


@pytest.mark.parametrize(("health", "delay"), [(59.9, 0.5), (60.0, QUICK), (1000.0, QUICK)])
def test_d20_a_minute_of_health_begins_the_delays_anew(health: float, delay: float) -> None:
    protocol = active()
    protocol.lost(1006, "", 1.0)
    protocol.opened()
    protocol.receive(RECONNECT_ACK, 2.0)

    assert protocol.lost(1006, "", 2.0 + health) == [Retry(delay)]


def test_d20_a_second_ack_does_not_end_the_minute_of_health() -> None:
    protocol = active()
    protocol.lost(1006, "", 1.0)
    protocol.opened()
    protocol.receive(RECONNECT_ACK, 2.0)
    protocol.receive(RECONNECT_ACK, 61.0)

    assert protocol.lost(1006, "", 62.0) == [Retry(QUICK)]


def test_d20_the_two_minutes_count_from_the_first_loss_also_through_an_init_retry() -> None:
    protocol = starting()
    protocol.receive(refused("SESSION_NOT_FOUND"), 0.0)
    protocol.opened()

    the_end(protocol.lost(1006, "", 120.0))


def test_the_numbers_can_be_chosen() -> None:
    protocol = SessionProtocol(init=INIT, backoff=Backoff(Longest(), cap=1.0), give_up_after=5.0, healthy_after=1.0)
    protocol.opened()
    protocol.receive(ACK, 0.0)

    assert protocol.lost(1006, "", 2.0) == [Retry(QUICK)]
    the_end(protocol.connect_failed(ConnectFailedError("no"), 7.0))


# The end


def test_nothing_leads_out_of_the_end() -> None:
    protocol = closed()

    assert protocol.opened() == []
    assert protocol.receive(ACK, 1.0) == []
    assert protocol.lost(1006, "", 1.0) == []
    assert protocol.connect_failed(ConnectFailedError("no"), 1.0) == []
    assert protocol.ack_timed_out(1.0) == []
    assert protocol.park_timed_out() == []
    protocol.redirected()
    assert protocol.phase is Phase.CLOSED
    assert protocol.opened() == []


@pytest.mark.parametrize("make", [fresh, starting, active, disconnected, reconnecting, parked])
def test_this_side_can_end_the_session_at_any_time(make: Make) -> None:
    protocol = make()

    protocol.stop()

    assert protocol.phase is Phase.CLOSED
    assert protocol.lost(1006, "", 20.0) == []
