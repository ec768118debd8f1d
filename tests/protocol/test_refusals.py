"""`_protocol/refusals.py`: which requests a refusal without an id can mean (P1 2.5, P3 0.4)."""

import pytest

from mentra_trio._protocol.refusals import (
    PERMANENT_REFUSALS,
    PERMANENT_REJECTIONS,
    REFUSING_CLOSES,
    STOPPING_CLOSES,
    UNKNOWN_SESSION_CLOSES,
    failed_families,
    refusal,
)
from mentra_trio._wire.codec import decode
from mentra_trio._wire.inbound import ConnectionRefused
from mentra_trio._wire.outbound import Family
from mentra_trio.errors import CloudRefusedError, DeviceUnavailableError, PermissionDeniedError, RequestError
from tests.wire.frames import from_real_cloud, text_of

PHOTO, STREAM, AUDIO, LED, FOV = Family.PHOTO, Family.STREAM, Family.AUDIO, Family.LED, Family.FOV
EVERYTHING = set(Family)


@pytest.mark.parametrize(
    ("code", "text", "families"),
    [
        # As the real cloud says it.
        ("PERMISSION_DENIED", "Camera permission required to take photos", {PHOTO}),
        ("PERMISSION_DENIED", "Camera permission required to set FOV", {FOV}),
        ("PERMISSION_DENIED", "Camera permission required to start video streams", {STREAM}),
        ("PERMISSION_DENIED", "Camera permission required for managed streams", {STREAM}),
        ("INTERNAL_ERROR", "Cannot process photo request - smart glasses are not connected", {PHOTO}),
        ("INTERNAL_ERROR", "Cannot process stream request - smart glasses are not connected", {STREAM}),
        ("INTERNAL_ERROR", "Invalid stream URL: streamUrl is required", {STREAM}),
        ("INTERNAL_ERROR", "App com.example.cam cannot stop stream s8 owned by com.example.alpha", {STREAM}),
        ("INTERNAL_ERROR", "Glasses not connected", {LED, AUDIO, FOV}),
        (
            "WIFI_NOT_CONNECTED",
            "Cannot process request - smart glasses must be connected to WiFi for this operation",
            {STREAM},
        ),
        (
            "INTERNAL_ERROR",
            "Cannot process request - smart glasses must be connected to WiFi for this operation",
            {STREAM},
        ),
        (
            "MALFORMED_MESSAGE",
            'Invalid FOV/ROI: fov must be one of [82, 92, 102, 118], roiPosition must be one of "center", "top"',
            {FOV},
        ),
        (
            "MALFORMED_MESSAGE",
            "Invalid subscription type: null is not an object (evaluating 'subscriptions.length')",
            set[Family](),
        ),
        ("STREAM_CREATE_FAILED", "Failed to create audio stream relay", {AUDIO}),
        ("SESSION_NOT_FOUND", "Session not found", EVERYTHING),
        # Variations.
        ("INTERNAL_ERROR", "App com.photo.led cannot stop stream s8 owned by com.audio-less.x", {AUDIO}),
        ("INTERNAL_ERROR", "App com.photo.led cannot stop stream s8", {STREAM}),
        ("INTERNAL_ERROR", "CANNOT PROCESS PHOTO REQUEST", {PHOTO}),
        ("INTERNAL_ERROR", "LED request failed", {LED}),
        ("INTERNAL_ERROR", "Audio playback failed", {AUDIO}),
        ("INTERNAL_ERROR", "Failed to process request", EVERYTHING),
        ("INTERNAL_ERROR", "the request was cancelled, is not enabled and not called", EVERYTHING),
        ("INTERNAL_ERROR", "the android device is away", EVERYTHING),
        ("INTERNAL_ERROR", "", EVERYTHING),
        ("", "", EVERYTHING),
        ("PERMISSION_DENIED", "no", {PHOTO, STREAM, FOV}),
        ("MALFORMED_MESSAGE", "bad", {FOV}),
        ("WIFI_NOT_CONNECTED", "", {STREAM}),
        ("STREAM_CREATE_FAILED", "", {AUDIO}),
    ],
)
def test_p3_0_4_a_refusal_fails_the_plausible_family(code: str, text: str, families: set[Family]) -> None:
    assert failed_families(code, text) == families


def test_p3_0_4_every_refused_request_of_the_real_cloud_has_a_family() -> None:
    handshake = PERMANENT_REFUSALS | {"SESSION_NOT_FOUND"}
    seen: set[str] = set()
    for _, message in from_real_cloud():
        refused = decode(text_of(message)).message
        if isinstance(refused, ConnectionRefused) and refused.code not in handshake:
            assert failed_families(refused.code, refused.message) != EVERYTHING, refused.message
            seen.add(refused.code)

    assert seen == {
        "PERMISSION_DENIED",
        "WIFI_NOT_CONNECTED",
        "MALFORMED_MESSAGE",
        "INTERNAL_ERROR",
        "STREAM_CREATE_FAILED",
    }


def test_a_close_means_one_thing() -> None:
    tables = [STOPPING_CLOSES, REFUSING_CLOSES, UNKNOWN_SESSION_CLOSES]

    assert len(STOPPING_CLOSES | REFUSING_CLOSES | UNKNOWN_SESSION_CLOSES) == sum(map(len, tables))
    assert not PERMANENT_REFUSALS & PERMANENT_REJECTIONS


@pytest.mark.parametrize(
    ("code", "text", "error"),
    [
        ("PERMISSION_DENIED", "Camera permission required to take photos", PermissionDeniedError),
        ("PERMISSION_DENIED", "no", CloudRefusedError),
        ("WIFI_NOT_CONNECTED", "Cannot process request - smart glasses must be connected", DeviceUnavailableError),
        ("INTERNAL_ERROR", "Cannot process photo request - phone is not connected", DeviceUnavailableError),
        ("INTERNAL_ERROR", "Cannot process request - smart glasses are not connected", DeviceUnavailableError),
        ("INTERNAL_ERROR", "Glasses not connected", DeviceUnavailableError),
        ("INTERNAL_ERROR", "Glasses WebSocket not connected", DeviceUnavailableError),
        ("INTERNAL_ERROR", "Invalid stream URL: streamUrl is required", CloudRefusedError),
        ("MALFORMED_MESSAGE", "Invalid FOV/ROI: fov", CloudRefusedError),
    ],
)
def test_a_refusal_tells_who_must_act(code: str, text: str, error: type[RequestError]) -> None:
    """P3 0.4, 0.5."""
    assert type(refusal(code, text)) is error


def test_a_refusal_names_the_permission() -> None:
    denied = refusal("PERMISSION_DENIED", "Location permission required")
    assert isinstance(denied, PermissionDeniedError)
    assert denied.permission == "LOCATION"
