"""What becomes of the data of an event."""

from __future__ import annotations

from typing import NamedTuple


class Payload(NamedTuple):
    """A decoded event."""

    value: object
    faults: tuple[str, ...] = ()
    """Fields that were treated as absent because they could not be read."""
