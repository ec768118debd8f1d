"""What an app is allowed to do for the wearer, as its author declared it in the MentraOS console (P2 9)."""

from __future__ import annotations

import enum

import attrs


class Permission(enum.StrEnum):
    """A permission that an app declares; its value is the name in the console.

    P2 9.1 has the table of what needs which.
    """

    MICROPHONE = "MICROPHONE"
    """Sound, voice activity, transcription and translation."""
    LOCATION = "LOCATION"
    """Where the wearer is. Today's cloud does not insist on it for streams and polls (P2 9.3)."""
    BACKGROUND_LOCATION = "BACKGROUND_LOCATION"
    """The same while the phone is locked; nothing asks for it."""
    CALENDAR = "CALENDAR"
    """The wearer's calendar."""
    CAMERA = "CAMERA"
    """Photos, video streams, and the field of view."""
    READ_NOTIFICATIONS = "READ_NOTIFICATIONS"
    """Notifications of the phone, and that they were dismissed."""
    POST_NOTIFICATIONS = "POST_NOTIFICATIONS"
    """Notifications of the app's own; nothing asks for it."""


@attrs.frozen(kw_only=True)
class Permissions:
    """What an app declares, as far as is known."""

    declared: frozenset[Permission] = frozenset()
    """All of them, with `ALL` and the older `NOTIFICATIONS` written out. Empty while nothing is known."""
    is_known: bool = False
    """Whether the cloud has told. Until then everything is tried: the cloud does the same with an unknown app."""

    def allows(self, permission: Permission) -> bool:
        """Tell whether what needs this permission may be tried: it is declared, or nothing is known.

        Raises:
            ValueError: there is no such permission.
        """
        wanted = Permission(permission)  # "camera" is none: whoever has no type checker would never be allowed
        return not self.is_known or wanted in self.declared


@attrs.frozen(kw_only=True)
class PermissionRefusal:
    """The cloud told that it refused a subscription. Today's cloud drops it without a word."""

    message: str
    """The cloud's own words."""
    permission: Permission | None = None
    """What is missing, where the cloud named one that is known."""
    stream: str | None = None
    """Wire name of the stream that was refused, where the cloud named it."""
