"""`session.location`: where the wearer is (P2 8)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import attrs

from mentra_trio._flow import EventStream, Latest, Overflow
from mentra_trio._link import Link, StreamSpec
from mentra_trio._wire.actions.location import LOCATION_STREAMS, PollLocation
from mentra_trio._wire.streams import LocationSubscription
from mentra_trio.models.location import LocationAccuracy, LocationFix


@attrs.define(eq=False, repr=False)
class LocationManager:
    """Where the wearer is. Declare the `LOCATION` permission of the app in the MentraOS console.

    The cloud does not insist on the permission (P2 9.3); an app that lacks it is warned in the log. Positions are
    private: do not log them.
    """

    _link: Link
    last: Latest[LocationFix | None] = attrs.field(init=False)
    """The last position that came in this session, by a stream or by `locate`; `None` before the first."""
    _asked: dict[str, float] = attrs.field(init=False, factory=dict[str, float])
    """The greatest age of an answer, by the ids of the requests that wait for theirs."""
    _answered: tuple[str, float] | None = attrs.field(init=False, default=None)
    """The id and the age of the last answer."""

    def __attrs_post_init__(self) -> None:
        self.last = self._link.state.location.select(self._with_age)

    def stream(self, accuracy: LocationAccuracy = LocationAccuracy.STANDARD) -> EventStream[LocationFix]:
        """Open a stream of positions; only the newest unread one is kept.

        The phone is asked to be as exact as the most demanding stream of all the wearer's apps wants, and less again
        when that one is closed. How often it tells is its own affair. A position that the cloud knows comes at once,
        however old, but only to the first stream since the app was started. Answers to `locate` come here too.

        Raises:
            ValueError: there is no such accuracy.
        """
        return self._link.subscribe(
            StreamSpec(
                name="positions",
                keys=LOCATION_STREAMS,
                subscriptions=(LocationSubscription(_checked(accuracy)),),
                capacity=1,
                overflow=Overflow.LATEST,
            )
        )

    async def locate(self, accuracy: LocationAccuracy = LocationAccuracy.STANDARD) -> LocationFix:
        """Ask for one position; no stream need be open.

        The cloud answers with one that it knows if that is young enough (`accuracy.max_age`), otherwise it asks the
        phone. It never says no: a phone that is away, or may not tell, does not answer. Cancelling ignores the answer.

        Raises:
            RequestTimedOutError: nobody answered within 15 s.
            ValueError: there is no such accuracy.
            LinkDownError, SessionClosedError: it cannot be asked.
        """
        wanted = _checked(accuracy)
        request = PollLocation(correlation_id=f"poll_{uuid4()}", accuracy=wanted)
        self._asked[request.correlation_id] = wanted.max_age
        try:
            found = await self._link.call(request)
        finally:
            del self._asked[request.correlation_id]
        return LocationFix(
            lat=found.lat,
            lng=found.lng,
            accuracy=found.accuracy,
            max_age=wanted.max_age,
            correlation_id=request.correlation_id,
            sent_at=found.sent_at,
            received_at=datetime.now(UTC),
        )

    def _with_age(self, fix: LocationFix | None) -> LocationFix | None:
        """Give a position as `locate` does, if it answers one: the state is told before the caller."""
        if fix is None or fix.correlation_id is None:
            return fix
        age = self._asked.get(fix.correlation_id)
        if age is not None:
            self._answered = fix.correlation_id, age
        if self._answered is None or self._answered[0] != fix.correlation_id:
            return fix
        return attrs.evolve(fix, max_age=self._answered[1])


def _checked(accuracy: LocationAccuracy) -> LocationAccuracy:
    """Take the wire's own word too: whoever has no type checker writes `"high"`."""
    try:
        return LocationAccuracy(accuracy)
    except ValueError:
        msg = f"there is no accuracy {accuracy!r}; write one of {', '.join(LocationAccuracy)}"
        raise ValueError(msg) from None
