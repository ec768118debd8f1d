"""One position of the wearer (P2 8)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import attrs

from mentra_trio._wire.converter import moment_of
from mentra_trio._wire.json_text import members
from mentra_trio._wire.outbound import Request, Stamp
from mentra_trio._wire.permissions import Requirement
from mentra_trio.models.location import LocationAccuracy
from mentra_trio.models.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCATION_STREAMS = ("location_update", "location_stream")
"""Under which names positions may arrive; today's cloud uses the first alone (P2 1.5)."""
_NORTH, _EAST = 90.0, 180.0
"""Degrees beyond which nobody is."""


@attrs.frozen(kw_only=True)
class FoundPosition:
    """A position that answers a request."""

    lat: float
    lng: float
    accuracy: float | None = None
    sent_at: datetime | None = None


@attrs.frozen(kw_only=True)
class PollLocation(Request[FoundPosition]):
    """Ask for one position: `location_poll_request` (P2 8.2). The cloud answers from its cache, or asks the phone.

    It never says no, and a phone that is away leaves it waiting for ever (P2 8.4).
    """

    TYPE: ClassVar[str] = "location_poll_request"
    STAMP: ClassVar[Stamp] = Stamp.PACKAGE | Stamp.SESSION
    NEEDS: ClassVar[Requirement | None] = Requirement(permission=Permission.LOCATION, is_enforced=False)
    LIMIT: ClassVar[float] = 15.0

    correlation_id: str
    accuracy: LocationAccuracy

    def accept(self, message: Mapping[str, object], /) -> FoundPosition | None:
        """Read the position that carries this request's id. One that cannot be read is none."""
        if message.get("type") != "data_stream" or message.get("streamType") not in LOCATION_STREAMS:
            return None
        fields = members(message.get("data"))
        lat, lng = _number(fields.get("lat"), _NORTH), _number(fields.get("lng"), _EAST)
        if fields.get("correlationId") != self.correlation_id or lat is None or lng is None:
            return None
        accuracy = _number(fields.get("accuracy"))
        return FoundPosition(
            lat=lat,
            lng=lng,
            accuracy=None if accuracy is None or accuracy < 0 else accuracy,
            sent_at=moment_of(fields.get("timestamp")),
        )


def is_on_earth(lat: float, lng: float) -> bool:
    """Tell whether degrees are a place."""
    return abs(lat) <= _NORTH and abs(lng) <= _EAST


def _number(value: object, limit: float = float("inf")) -> float | None:
    """Read a number of at most this size either way; NaN is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= limit:
        return None
    return value
