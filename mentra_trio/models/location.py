"""Where the wearer is (P2 8)."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs


class LocationAccuracy(enum.StrEnum):
    """How exact a position has to be; better ones cost more battery. In this order, worst first."""

    REDUCED = "reduced"
    """What the phone does anyway."""
    THREE_KILOMETERS = "threeKilometers"
    KILOMETER = "kilometer"
    HUNDRED_METERS = "hundredMeters"
    TEN_METERS = "tenMeters"
    STANDARD = "standard"
    HIGH = "high"
    REALTIME = "realtime"
    """As exact and as often as the phone can."""

    @property
    def rank(self) -> int:
        """Place in the order, 0 for the worst."""
        return list(LocationAccuracy).index(self)

    @property
    def max_age(self) -> float:
        """Seconds that a known position may be old for the cloud to answer `locate` with it."""
        return _MAX_AGES[self]


_MAX_AGES = {
    LocationAccuracy.REDUCED: 900.0,
    LocationAccuracy.THREE_KILOMETERS: 900.0,
    LocationAccuracy.KILOMETER: 300.0,
    LocationAccuracy.HUNDRED_METERS: 60.0,
    LocationAccuracy.TEN_METERS: 30.0,
    LocationAccuracy.STANDARD: 30.0,
    LocationAccuracy.HIGH: 10.0,
    LocationAccuracy.REALTIME: 1.0,
}


@attrs.frozen(kw_only=True)
class LocationFix:
    """A position of the wearer. It is private: do not log it.

    The cloud does not tell when it was measured (P2 8.5, O7): the first one of a stream may be from yesterday.
    """

    lat: float = attrs.field(repr=False)
    """Degrees north, -90 to 90."""
    lng: float = attrs.field(repr=False)
    """Degrees east, -180 to 180."""
    accuracy: float | None = None
    """Metres within which the wearer is, where the phone tells."""
    max_age: float | None = None
    """Seconds that it was old at most when it was sent, where that is known: of an answer to `locate`."""
    correlation_id: str | None = None
    """Which `locate` it answers, for a position that came because somebody asked."""
    sent_at: datetime | None = None
    """When the cloud sent it (UTC); not when it was measured."""
    received_at: datetime
    """When this process received it (UTC)."""
