"""Where the wearer is, as the cloud knows it, and who asks (P2 8)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

import attrs

from . import messages
from .subscriptions import LOCATION_TIERS

if TYPE_CHECKING:
    from mentra_trio._wire.codec import JsonObject

    from .apps import AppSession
    from .connection import AppConnection
    from .sessions import UserSession  # noqa: TC004 - a cycle, and nobody evaluates it
    from .users import User

EVENT = "location_update"
"""Stream of positions, and of answers to polls."""
ANSWER_DELAY = 0.5
"""Seconds that a phone takes to find out where it is."""
REPLAY = "location"
"""What an app has got once since it was started."""
_KEPT: tuple[str, ...] = ("type", "lat", "lng", "accuracy")
"""What survives of a phone's position (P2 8.3)."""
_MAX_AGES: dict[str, float] = dict(zip(LOCATION_TIERS, (900.0, 900.0, 300.0, 60.0, 30.0, 30.0, 10.0, 1.0), strict=True))
_ANY_AGE = 900.0
"""Seconds that a known position may be old for an accuracy that the cloud does not know."""


@attrs.define(eq=False)
class Places:
    """Positions of one wearer."""

    _home: UserSession = attrs.field(repr=False)
    _tier: str | None = attrs.field(default=None, init=False)
    _polls: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    """Which app asked, by id; those that nobody answers stay (P2 8.4)."""

    def sync(self) -> None:
        """Tell the phone how exact it has to be, when that is another tier (P2 8.2)."""
        home = self._home
        asked = {app.subscriptions.rate for app in home.apps.values()}
        tier = max((rate for rate in LOCATION_TIERS if rate in asked), key=LOCATION_TIERS.index, default="reduced")
        if tier != self._tier:
            self._tier = tier
            home.tell_phone(messages.location_tier(tier, home.cloud.timestamp()))

    def replay(self, app: AppSession) -> None:
        """Give an app that wants a rate the last position, once since it was started (P2 8.4)."""
        known = self._home.stored.location
        if app.subscriptions.rate is not None and REPLAY not in app.replayed and known is not None:
            app.replayed.add(REPLAY)
            self._send(app, known)

    def take(self, message: JsonObject, correlation_id: object = None) -> bool:
        """Take a position of the phone; return whether it answered a poll.

        An answer goes to the app that asked, and nowhere else. One that nobody waits for is a position like others.
        """
        home = self._home
        kept: JsonObject = {"type": EVENT, **{name: message[name] for name in _KEPT if name in message}}
        package_name = self._polls.pop(correlation_id, None) if isinstance(correlation_id, str) else None
        if package_name is not None:
            app = home.app(package_name)
            if app is not None:
                self._send(app, kept, correlation_id)
            return True
        home.stored.location, home.stored.located_at = kept, self._measured(message.get("timestamp"))
        home.relay(EVENT, {**kept, "timestamp": home.cloud.timestamp()})
        return False

    def posted(self, body: JsonObject, correlation_id: str | None = None) -> int:
        """Take a position over REST, in the cloud's form or in Expo's; return the HTTP status (P2 1.7)."""
        fields = _location(body)
        if fields is None:
            return 400
        if _is_number(fields.get("lat")) and _is_number(fields.get("lng")):
            self.take(fields, correlation_id)
        return 200

    def poll(self, package_name: str, accuracy: object, correlation_id: object) -> None:
        """Answer from what is known if that is young enough, else ask the phone (P2 8.4)."""
        home = self._home
        app, known, since = home.app(package_name), home.stored.location, home.stored.located_at
        age = timedelta(seconds=_MAX_AGES.get(accuracy, _ANY_AGE) if isinstance(accuracy, str) else _ANY_AGE)
        if known is not None and since is not None and home.cloud.now() - since <= age:
            if app is not None:
                self._send(app, known, correlation_id)
            return
        if isinstance(correlation_id, str):
            self._polls[correlation_id] = package_name
        home.tell_phone(messages.single_location(accuracy, correlation_id, home.cloud.timestamp()))

    def _send(self, app: AppSession, position: JsonObject, correlation_id: object = None) -> None:
        home = self._home
        answer: JsonObject = {} if correlation_id is None else {"correlationId": correlation_id}
        home.relay_to(app, EVENT, {**position, "timestamp": home.cloud.timestamp(), **answer})

    def _measured(self, timestamp: object) -> datetime:
        """When a position was measured, by the phone's word; now where it says nothing (P2 8.4)."""
        now = self._home.cloud.now()
        if _is_number(timestamp):
            return datetime.fromtimestamp(cast("float", timestamp) / 1000, now.tzinfo)
        try:
            moment = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else now
        except ValueError:
            return now
        return moment if moment.tzinfo is not None else now


def _location(body: JsonObject) -> JsonObject | None:
    """Read the position of a post; `None` where there is none."""
    wrapped, coords = body.get("location"), body.get("coords")
    if isinstance(wrapped, dict):
        return cast("JsonObject", wrapped)
    if not isinstance(coords, dict):
        return None
    fields = cast("JsonObject", coords)
    found: JsonObject = {"lat": fields.get("latitude"), "lng": fields.get("longitude")}
    for name, value in (("accuracy", fields.get("accuracy")), ("timestamp", body.get("timestamp"))):
        if value is not None:
            found[name] = value
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def poll_location(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Do what `location_poll_request` asks for; no permission is asked for (P2 9.3)."""
    accuracy = fields.get("accuracy")
    package_name = fields.get("packageName")
    if accuracy not in LOCATION_TIERS:
        session.cloud.report(connection.package_name, "P2 8.2", f"it asked for the unknown accuracy {accuracy!r}")
    session.places.poll(package_name if isinstance(package_name, str) else "", accuracy, fields.get("correlationId"))


def locate(user: User, message: JsonObject) -> None:
    """Tell where the phone is, where it knows: `user.move_to` tells it. Otherwise nobody answers (P2 8.4)."""
    if user.position is not None:
        user.answer_later(ANSWER_DELAY, {**user.position, "type": EVENT, "correlationId": message.get("correlationId")})
