"""What goes wrong, on command and by nature.

`Quirks` are faults of the real cloud. They are on by default, because an app has to live with them; each can be
switched off alone. `Faults` are things that a test makes happen: they are off until asked for.
"""

from __future__ import annotations

import enum

import attrs


class Mode(enum.StrEnum):
    """How much the cloud puts up with."""

    FAITHFUL = "faithful"
    """Does what the real cloud does."""
    STRICT = "strict"
    """The same, and refuses and reports what a correct app never does (P1 A12)."""


@attrs.define(kw_only=True, eq=False)
class Quirks:
    """Faults of the real cloud, each a switch."""

    close_by_package: bool = True
    """A closing socket is matched by package, not by socket: an old or a refused one takes the app down (P1 2.10)."""
    reconnect_leaves_start_pending: bool = True
    """A `reconnect` during a start is acknowledged, and 6 s later the app is stopped all the same (P1 1.6)."""
    parked_socket_is_legacy: bool = True
    """A socket attached from the park counts as an old SDK's until its next init or reconnect (P1 2.6)."""
    stale_display: bool = True
    """A throttled display is sent although a newer one was shown meanwhile (P3 1.5)."""
    boot_queue_leftover: bool = True
    """What an app queued during boot and lost stays queued, and suppresses every later clear (P3 1.5)."""
    lazy_lock: bool = True
    """The age of the display lock is not looked at when another app wants to display (P3 1.5)."""
    dotted_keys_nest: bool = True
    """A dot in a key of the storage makes an object, which is not found again under that key (P3 9.4)."""
    silent_permissions: bool = True
    """A stream that an app may not have is dropped without a word (P1 4.3). Otherwise the cloud tells it."""
    poison: bool = True
    """One language stream that cannot be parsed stops the speech of all the wearer's apps (P2 1.4.3)."""


@attrs.define(kw_only=True, eq=False)
class Faults:
    """What a test makes happen, each a switch."""

    ack_delay: float = 0.0
    """Seconds between attaching a socket and its ack; broadcasts already reach it (P1 2.4). `math.inf`: never."""
    no_pong: bool = False
    """JSON pings are not answered, as by the oldest clouds (P1 2.8)."""
    database_delay: float = 0.0
    """Seconds that a stop takes to be noted after the socket was closed. A start that falls into them is lost."""
    refuse_connects: bool = False
    """New connections are refused at the level of TCP."""
    http_delay: float = 0.0
    """Seconds that each answer over HTTP takes. `math.inf`: never."""
    http_status: int | None = None
    """Every call over HTTP is answered with this status, and nothing is done."""
    lose_http_answers: bool = False
    """What is asked over HTTP is done, but the connection ends before the answer. In memory only."""
    draining: bool = False
    """Upgrades are answered 503, as by a cloud that is shutting down (P1 2.1)."""


@attrs.frozen(kw_only=True)
class Violation:
    """Something that a correct app never does."""

    at: float
    """When, on the Trio clock."""
    package_name: str
    """Which app; empty when it did not say."""
    rule: str
    """Which rule, with the section of the protocol."""
    text: str
    """What happened."""

    def __str__(self) -> str:
        return f"{self.at:.3f} s, {self.package_name or 'an unnamed app'}: {self.text} ({self.rule})"


class ViolationsError(AssertionError):
    """An app broke the protocol. All violations are listed."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        lines = "\n".join(f"  {violation}" for violation in violations)
        super().__init__(f"the app broke the protocol:\n{lines}")
        self.violations = violations
        """What it did."""
