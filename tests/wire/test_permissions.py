"""Which permission what needs, and what the cloud says about them (P1 4.3, P2 9)."""

import json

import pytest

from mentra_trio._wire.actions.permissions import FetchPermissions
from mentra_trio._wire.codec import decode
from mentra_trio._wire.inbound import PermissionDenied, PermissionRefused
from mentra_trio._wire.permissions import Requirement, permission_named, refusals, requirement_of
from mentra_trio._wire.rest import RestAnswer
from mentra_trio.errors import DecodeError
from mentra_trio.models import Permission, PermissionRefusal, Permissions
from mentra_trio.simulator.subscriptions import required_permission


@pytest.mark.parametrize(
    "stream",
    [
        "audio_chunk", "VAD", "transcription", "transcription:en-US", "transcription:auto?hints=ja",
        "translation:en-US-to-es-ES", "location_update", "calendar_event", "photo_response", "photo_taken",
        "stream_status", "managed_stream_status", "phone_notification", "phone_notification_dismissed", "button_press",
        "touch_event", "touch_event:single_tap", "head_position", "custom_message", "vps_coordinates",
        "glasses_battery_update", "phone_battery_update", "glasses_connection_state", "photo_request",
    ],
)  # fmt: skip
def test_both_ends_agree_about_what_a_stream_needs(stream: str) -> None:
    """The simulator spells the cloud's table by hand, and is held against its recordings."""
    requirement = requirement_of(stream)

    assert (None if requirement is None else requirement.permission.value) == required_permission(stream)


def test_the_cloud_does_not_insist_on_a_permission_for_the_location_stream() -> None:
    assert requirement_of("location_stream") == Requirement(permission=Permission.LOCATION, is_enforced=False)
    assert required_permission("location_stream") is None


@pytest.mark.parametrize(
    ("name", "permission"),
    [
        ("CAMERA", Permission.CAMERA),
        ("camera", Permission.CAMERA),
        ("notifications", Permission.READ_NOTIFICATIONS),
        ("ALL", None),
        ("", None),
        ("telepathy", None),
    ],
)
def test_a_permission_is_found_by_its_names(name: str, permission: Permission | None) -> None:
    assert permission_named(name) is permission


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"type": "permission_error", "message": "m", "details": [
                {"stream": "VAD", "requiredPermission": "MICROPHONE", "message": "d"},
                {"stream": "x", "requiredPermission": "ODD"},
            ]},
            [PermissionRefusal(message="d", permission=Permission.MICROPHONE, stream="VAD"),
             PermissionRefusal(message="m", stream="x")],
        ),
        (
            {"type": "permission_error", "message": "m", "deniedPermissions": ["camera"]},
            [PermissionRefusal(message="m", permission=Permission.CAMERA)],
        ),
        ({"type": "permission_error"}, [PermissionRefusal(message="")]),
        (
            {"type": "permission_denied", "message": "no", "permission": "camera", "streamType": "photo_taken"},
            [PermissionRefusal(message="no", permission=Permission.CAMERA, stream="photo_taken")],
        ),
        ({"type": "permission_denied", "permission": 5}, [PermissionRefusal(message="")]),
    ],
)  # fmt: skip
def test_a_refusal_is_read_in_every_form(fields: dict[str, object], expected: list[PermissionRefusal]) -> None:
    """P2 9.5, N1 and N2: the cloud's types, and what the reference SDK reads."""
    message = decode(json.dumps(fields)).message

    assert isinstance(message, PermissionRefused | PermissionDenied)
    assert list(refusals(message)) == expected


@pytest.mark.parametrize(
    "entries", [["CAMERA", "NOTIFICATIONS"], [{"type": "CAMERA"}, {"type": "NOTIFICATIONS"}, 5, {}]]
)
def test_the_list_holds_objects_or_names(entries: list[object]) -> None:
    """P1 8.2: the cloud's own comment says names, it sends objects."""
    body = json.dumps({"success": True, "packageName": "p", "permissions": entries}).encode()

    assert FetchPermissions().read(RestAnswer(status=200, body=body)) == Permissions(
        declared=frozenset({Permission.CAMERA, Permission.READ_NOTIFICATIONS}), is_known=True
    )


def test_no_list_is_no_answer() -> None:
    with pytest.raises(DecodeError, match="not a list"):
        FetchPermissions().read(RestAnswer(status=200, body=b'{"success":true,"permissions":"ALL"}'))
