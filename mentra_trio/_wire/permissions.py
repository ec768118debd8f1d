"""Which permission what needs, as the cloud sees it (P1 4.3, P2 9.1), and the names under which it lists them."""

from __future__ import annotations

import attrs

from mentra_trio.models.permissions import Permission, PermissionRefusal

from .inbound import PermissionDenied, PermissionRefused
from .streams import parse_stream


@attrs.frozen(kw_only=True)
class Requirement:
    """A permission that is needed, and what happens without it."""

    permission: Permission
    is_enforced: bool = True
    """Whether the cloud insists on it."""


_BY_STREAM = {
    "audio_chunk": Permission.MICROPHONE,
    "transcription": Permission.MICROPHONE,
    "translation": Permission.MICROPHONE,
    "VAD": Permission.MICROPHONE,
    "location_update": Permission.LOCATION,
    "location_stream": Permission.LOCATION,
    "calendar_event": Permission.CALENDAR,
    "photo_response": Permission.CAMERA,
    "photo_taken": Permission.CAMERA,
    "stream_status": Permission.CAMERA,
    "managed_stream_status": Permission.CAMERA,
    "phone_notification": Permission.READ_NOTIFICATIONS,
    "phone_notification_dismissed": Permission.READ_NOTIFICATIONS,
}
_NOT_ENFORCED = frozenset({"location_stream"})
"""What the cloud lets pass all the same (P2 9.3)."""
_ALL = "ALL"
_ALIASES = {"NOTIFICATIONS": Permission.READ_NOTIFICATIONS}
"""Older names, and those of the reference SDK (P2 9.5)."""


def requirement_of(stream: str) -> Requirement | None:
    """Tell what subscribing a stream of this wire name needs; `None` for nothing."""
    parsed = parse_stream(stream)
    base = stream if parsed is None else parsed.base
    permission = _BY_STREAM.get(base)
    return None if permission is None else Requirement(permission=permission, is_enforced=base not in _NOT_ENFORCED)


def permission_named(name: str) -> Permission | None:
    """Find a permission by one of its names, in any case; `None` for one that nobody knows."""
    upper = name.upper()
    return _ALIASES.get(upper) or Permission.__members__.get(upper)


def expanded(names: frozenset[str]) -> frozenset[Permission]:
    """Write out what a list of names grants: `ALL` is everything, older names are what they mean now."""
    if _ALL in names:
        return frozenset(Permission)
    return frozenset(permission for name in names if (permission := permission_named(name)) is not None)


def refusals(message: PermissionRefused | PermissionDenied) -> tuple[PermissionRefusal, ...]:
    """Read what the cloud says it refused, one entry for each stream or permission (P2 9.5)."""
    if isinstance(message, PermissionDenied):
        return (_refusal(message.message, message.permission, message.stream_type),)
    found = [
        _refusal(detail.message or message.message, detail.required_permission, detail.stream)
        for detail in message.details
    ]
    found += [_refusal(message.message, name, None) for name in message.denied_permissions]
    return tuple(found) or (_refusal(message.message, None, None),)


def _refusal(text: str, permission: str | None, stream: str | None) -> PermissionRefusal:
    return PermissionRefusal(
        message=text, permission=None if permission is None else permission_named(permission), stream=stream or None
    )
