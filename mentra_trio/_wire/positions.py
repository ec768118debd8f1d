"""Positions: the `data` of an event to the value that users receive (P2 8.3)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from mentra_trio.errors import DecodeError
from mentra_trio.models.location import LocationFix

from .actions.location import is_on_earth
from .codec import JsonObject, structure
from .payload import Payload

if TYPE_CHECKING:
    from .inbound import StreamEvent


@attrs.frozen(kw_only=True)
class _Position:
    lat: float
    lng: float
    accuracy: float | None = None
    correlation_id: str | None = None
    timestamp: datetime | None = None


def read_location(event: StreamEvent, data: JsonObject, received_at: datetime) -> Payload:
    """Read an update, a replay or an answer: they look alike. Raises `DecodeError`."""
    told, faults = structure(data, _Position)
    if not is_on_earth(told.lat, told.lng):
        raise DecodeError(event.stream_type, ["lat, lng: nobody is there"])
    if told.accuracy is not None and told.accuracy < 0:
        told, faults = attrs.evolve(told, accuracy=None), (*faults, "accuracy: negative")
    value = LocationFix(
        lat=told.lat,
        lng=told.lng,
        accuracy=told.accuracy,
        correlation_id=told.correlation_id,
        sent_at=told.timestamp or event.timestamp,
        received_at=received_at,
    )
    return Payload(value, faults)
