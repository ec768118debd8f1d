"""The light of the glasses: what apps ask for, and what the wearer sees of it (P3 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from . import messages
from .hardware import capabilities

if TYPE_CHECKING:
    from mentra_trio._wire.codec import JsonObject

    from .connection import AppConnection
    from .sessions import UserSession
    from .users import User

ANSWER_DELAY = 0.1
"""Seconds that glasses take to answer."""
_COLORS = frozenset({"red", "green", "blue", "orange", "white"})


@attrs.frozen(kw_only=True)
class LightSignal:
    """What the light was told to do."""

    at: float
    """When, on the Trio clock."""
    package_name: str
    """Which app told it."""
    color: str | None
    """`None` for off."""
    on: float = 0.0
    """Seconds of light in each cycle."""
    off: float = 0.0
    """Seconds of darkness after it."""
    count: int = 1
    """How many cycles."""

    def color_at(self, moment: float) -> str | None:
        """Give the colour at a moment, unless something else was told meanwhile; `None` while it is dark."""
        cycle = self.on + self.off
        since = moment - self.at
        if self.color is None or not 0 <= since < cycle * self.count:
            return None
        return self.color if since % cycle < self.on else None


def control_light(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Pass a request on to the phone; nobody looks at it. Without a phone it costs the app its socket (P3 8.3)."""
    if session.is_phone_connected:
        session.tell_phone(messages.light(session.user_id, fields, session.cloud.timestamp()))
    else:
        connection.refuse("INTERNAL_ERROR", "Glasses not connected")


def shine(user: User, message: JsonObject) -> None:
    """Do what the phone was told: glasses without a light, or a request without an id, give no answer (P3 0.5, 8.2)."""
    request_id = message.get("requestId")
    model = capabilities(user.glasses.model)
    if not isinstance(request_id, str) or not request_id or (model is not None and not model["hasLight"]):
        return
    color = message.get("color") if message.get("action") == "on" else None
    is_known = color is None or color in _COLORS
    if is_known:
        user.glasses.lights.append(
            LightSignal(
                at=trio.current_time(),
                package_name=str(message.get("packageName")),
                color=None if color is None else str(color),
                on=_seconds(message.get("ontime"), 1.0),
                off=_seconds(message.get("offtime"), 0.0),
                count=count if isinstance(count := message.get("count"), int) else 1,
            )
        )
    error: JsonObject = {} if is_known else {"error": f"unknown color {color}"}
    user.answer_later(
        ANSWER_DELAY,
        {"type": "rgb_led_control_response", "requestId": request_id, "success": is_known, **error},
    )


def _seconds(milliseconds: object, usual: float) -> float:
    is_number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
    return milliseconds / 1000 if isinstance(milliseconds, int | float) and is_number else usual
