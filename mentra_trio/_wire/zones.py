"""Time zones by name."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MOST_NAMES = 64
"""Names that are remembered: more than a wearer travels through."""


@lru_cache(_MOST_NAMES)
def zone_named(name: str) -> ZoneInfo | None:
    """Give the zone of an IANA name, such as `Europe/Berlin`; `None` for what is none, or not known on this machine.

    The first time it reads a small file.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A folder of zones, such as `Europe`, is an OSError; so is a name that the file system cannot spell.
        return None
