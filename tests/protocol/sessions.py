"""A `SessionProtocol` brought into each of its phases, with delays that are known."""

from random import Random

from mentra_trio._protocol.backoff import Backoff
from mentra_trio._protocol.session import Effect, Phase, Ready, Send, SessionProtocol
from mentra_trio._wire.inbound import ConnectionAck, ReconnectAck, ReconnectDeferred
from mentra_trio._wire.outbound import ConnectionInit, Reconnect

VERSION = "3.0.0-trio.0.1.0"
INIT = ConnectionInit(api_key="key", sdk_version=VERSION)
RECONNECT = Reconnect(sdk_version=VERSION)
ACK = ConnectionAck(session_id="s")
RECONNECT_ACK = ReconnectAck(session_id="s")
BOOTING = ReconnectDeferred(code="BOOTING", timeout=30.0)

QUICK = 0.25
"""The longest first delay, which `Longest` always gives."""


class Longest(Random):
    """Chance that always says the most."""

    def uniform(self, a: float, b: float) -> float:
        """The upper end."""
        return max(a, b)


def fresh() -> SessionProtocol:
    """No socket yet."""
    return SessionProtocol(init=INIT, backoff=Backoff(Longest()))


def starting() -> SessionProtocol:
    """The first init was sent."""
    protocol = fresh()
    assert protocol.opened() == [Send(INIT)]
    return protocol


def active(now: float = 0.0) -> SessionProtocol:
    """The first init was acknowledged at `now`."""
    protocol = starting()
    assert protocol.receive(ACK, now) == [Ready(ack=ACK, is_fresh=True, is_first=True)]
    return protocol


def disconnected(now: float = 10.0) -> SessionProtocol:
    """Acknowledged at 0, lost at `now`; the first delay is used up."""
    protocol = active()
    protocol.lost(1006, "", now)
    assert protocol.phase is Phase.DISCONNECTED
    return protocol


def reconnecting(now: float = 10.0) -> SessionProtocol:
    """Lost at `now`, and a `reconnect` was sent."""
    protocol = disconnected(now)
    assert protocol.opened() == [Send(RECONNECT)]
    return protocol


def parked(now: float = 10.0) -> SessionProtocol:
    """The reconnect was deferred."""
    protocol = reconnecting(now)
    protocol.receive(BOOTING, now)
    assert protocol.phase is Phase.PARKED
    return protocol


def closed() -> SessionProtocol:
    """Over."""
    protocol = active()
    protocol.stop()
    return protocol


def first_message(protocol: SessionProtocol) -> object:
    """What the next socket begins with."""
    effects: list[Effect] = protocol.opened()
    assert len(effects) == 1
    assert isinstance(effects[0], Send)
    return effects[0].command
