"""What a refusal means (P1 2.5, 2.6, 2.9, 3.4; P3 0.4)."""

from __future__ import annotations

from mentra_trio._wire.outbound import Family

PERMANENT_REFUSALS = frozenset(
    {"INVALID_API_KEY", "APP_DEPRECATED", "APP_NOT_STARTED", "MISSING_HEADERS", "JWT_INVALID", "INVALID_JWT"}
    | {"JWT_SIGNATURE_FAILED", "PACKAGE_NOT_FOUND"}
)
"""Codes of `tpa_connection_error` after which a new attempt would fare no better (P1 2.5)."""
PERMANENT_REJECTIONS = frozenset({"NOT_RUNNING", "BOOT_TIMEOUT", "SESSION_STOPPED", "USER_STOPPED"})
"""Codes of `reconnect_rejected` that end the session (P1 2.6)."""
PERMANENT_CLOSES = frozenset(
    {
        (1000, "App stopped"),
        (1000, "User session ended"),
        (1000, "App session cleanup"),
        (1008, "Session ended"),
        (1008, "User session identity missing"),
        # Only reached when the message that goes with them was lost.
        (1008, "App not running"),
        (1008, "Deferred reconnect timed out"),
        (1008, "Reconnect unsupported"),
        (1008, "Invalid API key"),
    }
)
"""Close frames that end the session (P1 2.9)."""
UNKNOWN_SESSION_CLOSES = frozenset({(1008, "Session expired"), (1008, "Session not found")})
"""Close frames after which only an init can help, should the message that goes with them be lost (P1 2.6)."""
SUPERSEDED = 1013
"""Close code of a parked socket that a newer one of the same app has replaced (P1 2.9)."""

_BY_TEXT: tuple[tuple[str, frozenset[Family]], ...] = (
    ("to take photos", frozenset({Family.PHOTO})),
    ("photo", frozenset({Family.PHOTO})),
    ("fov", frozenset({Family.FOV})),
    ("roi", frozenset({Family.FOV})),
    ("stream", frozenset({Family.STREAM})),
    ("wifi", frozenset({Family.STREAM})),
    ("led", frozenset({Family.LED})),
    ("audio", frozenset({Family.AUDIO})),
)
_ALL = frozenset(Family)


def failed_families(code: str, text: str) -> frozenset[Family]:
    """Tell which requests a refusal without an id can mean; all of them when it does not say (P3 0.4)."""
    if code == "STREAM_CREATE_FAILED":
        return frozenset({Family.AUDIO})
    if code == "WIFI_NOT_CONNECTED":
        return frozenset({Family.STREAM})
    lowered = text.lower()
    for word, families in _BY_TEXT:
        if word in lowered:
            return families
    return _ALL
