"""`session.time`: the wearer's time of day (P2 10)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from mentra_trio._link import Link

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mentra_trio._flow import Latest


@attrs.define(eq=False, repr=False)
class TimeManager:
    """What time it is for the wearer. Needs no permission; nothing blocks."""

    _link: Link

    @property
    def zone(self) -> Latest[ZoneInfo | None]:
        """The wearer's time zone, as the phone tells it; `None` as long as it has told none.

        It follows the wearer who travels. What is told and is no zone leaves the one before.
        """
        return self._link.state.zone

    def now(self) -> datetime:
        """Give the time of day for the wearer, with its zone; in UTC while the zone is not known."""
        return datetime.now(self.zone.value or UTC)

    def to_local(self, moment: datetime) -> datetime:
        """Give a moment as the wearer's clock shows it, with its zone; in UTC while the zone is not known.

        Raises:
            TypeError: what is given is no `datetime`.
            ValueError: the moment has no zone, so nobody knows which it is.
        """
        return _checked(moment).astimezone(self.zone.value or UTC)


def _checked(moment: object) -> datetime:
    if not isinstance(moment, datetime):
        msg = f"the moment is {type(moment).__name__}; pass an aware datetime, such as datetime.now(UTC)"
        raise TypeError(msg)
    if moment.tzinfo is None:
        msg = f"{moment!r} has no time zone; write datetime.now(UTC) or moment.replace(tzinfo=UTC)"
        raise ValueError(msg)
    return moment
