"""What a refusal means (P1 2.5, 2.6, 2.9, 3.4; P3 0.4)."""

from __future__ import annotations

import re

from mentra_trio._wire.outbound import Family
from mentra_trio.errors import CloudRefusedError, DeviceUnavailableError, PermissionDeniedError, RequestError

PERMANENT_REFUSALS = frozenset(
    {"INVALID_API_KEY", "APP_DEPRECATED", "APP_NOT_STARTED", "MISSING_HEADERS", "JWT_INVALID", "INVALID_JWT"}
    | {"JWT_SIGNATURE_FAILED", "PACKAGE_NOT_FOUND"}
)
"""Codes of `tpa_connection_error` after which a new attempt would fare no better (P1 2.5)."""
PERMANENT_REJECTIONS = frozenset({"NOT_RUNNING", "BOOT_TIMEOUT", "SESSION_STOPPED", "USER_STOPPED"})
"""Codes of `reconnect_rejected` that end the session (P1 2.6)."""
STOPPING_CLOSES = frozenset(
    {(1000, "App stopped"), (1000, "User session ended"), (1000, "App session cleanup"), (1008, "Session ended")}
)
"""Close frames that end the session (P1 2.9)."""
REFUSING_CLOSES = frozenset(
    {
        (1008, "App deprecated"),
        (1008, "App not running"),
        (1008, "App not started for this session"),
        (1008, "Deferred reconnect timed out"),
        (1008, "Invalid API key"),
        (1008, "User session identity missing"),
    }
)
"""Close frames that refuse a handshake for good, should the message that goes with them be lost (P1 2.9)."""
UNKNOWN_SESSION_CLOSES = frozenset(
    {
        (1008, "Reconnect identity missing"),
        (1008, "Reconnect unauthenticated"),
        (1008, "Reconnect unsupported"),
        (1008, "Session expired"),
        (1008, "Session not found"),
    }
)
"""Close frames after which only an init can help, should the message that goes with them be lost (P1 2.6)."""
SUPERSEDED = 1013
"""Close code of a parked socket that a newer one of the same app has replaced (P1 2.9)."""

_NEEDS_CAMERA = frozenset({Family.PHOTO, Family.STREAM, Family.FOV})
_ALL = frozenset(Family)
# The first that matches. Words are whole words: "failed" is no LED. Texts can name a package, which can be called
# anything, so the words that go with one come first.
_BY_TEXT: tuple[tuple[re.Pattern[str], frozenset[Family]], ...] = (
    # Only these three do not name themselves when the phone is away (P3 0.4).
    (re.compile("^glasses not connected"), frozenset({Family.LED, Family.AUDIO, Family.FOV})),
    # A subscription list is nobody's request.
    (re.compile("^invalid subscription"), frozenset()),
    (re.compile(r"\baudio\b"), frozenset({Family.AUDIO})),
    (re.compile(r"\b(streams?|wifi)\b"), frozenset({Family.STREAM})),
    (re.compile(r"\bphotos?\b"), frozenset({Family.PHOTO})),
    (re.compile(r"\b(fov|roi)\b"), frozenset({Family.FOV})),
    (re.compile(r"\bleds?\b"), frozenset({Family.LED})),
)
_BY_CODE = {
    "STREAM_CREATE_FAILED": frozenset({Family.AUDIO}),
    "WIFI_NOT_CONNECTED": frozenset({Family.STREAM}),
}
_BY_CODE_WITHOUT_TEXT = {"PERMISSION_DENIED": _NEEDS_CAMERA, "MALFORMED_MESSAGE": frozenset({Family.FOV})}


def failed_families(code: str, text: str) -> frozenset[Family]:
    """Tell which requests a refusal without an id can mean; all of them when it does not say (P1 2.5, P3 0.4)."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    lowered = text.lower()
    for pattern, families in _BY_TEXT:
        if pattern.search(lowered):
            return families
    return _BY_CODE_WITHOUT_TEXT.get(code, _ALL)


_PERMISSION = re.compile(r"^(camera|location|microphone) permission required")
_AWAY = re.compile(r"^(glasses not connected|glasses websocket not connected|cannot process (\w+ )*request - )")


def refusal(code: str, text: str) -> RequestError:
    """Make the error of a request that was refused: a known permission and absent devices have classes of their own."""
    lowered = text.lower()
    permission = _PERMISSION.match(lowered)
    if code == "PERMISSION_DENIED" and permission is not None:
        return PermissionDeniedError(permission[1].upper())
    # Only after such words, because the cloud calls nearly everything INTERNAL_ERROR (P3 0.4, 0.5).
    if code == "WIFI_NOT_CONNECTED" or (code == "INTERNAL_ERROR" and _AWAY.match(lowered)):
        return DeviceUnavailableError(f"the cloud refused the request: {text}")
    return CloudRefusedError(code, text)
