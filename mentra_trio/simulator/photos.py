"""The camera: what the cloud does about photos and the field of view, and what phone and glasses do (P3 5, P3 7)."""

from __future__ import annotations

import base64
import enum
from typing import TYPE_CHECKING, cast

import attrs
import trio

from . import messages
from .hardware import capabilities
from .subscriptions import is_granted

if TYPE_CHECKING:
    from mentra_trio._wire.codec import JsonObject

    from .connection import AppConnection
    from .messages import Reply
    from .sessions import UserSession
    from .users import User

SMALLEST_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP////////////////////////////////////////////////////////////////////////////////"
    "//////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxD/2Q=="
)
"""One grey pixel: what a camera sees unless it is told otherwise."""
_UPLOAD_LIMIT = 60.0
"""Seconds after which an upload is given up."""
_FIELDS_OF_VIEW = (82, 92, 102, 118)
_POSITIONS = ("center", "top", "bottom")


# --- the cloud


def request_photo(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Pass a request on to the phone, with the address of the app's server (P3 5.3)."""
    if not _is_allowed(connection, session, fields, "Camera permission required to take photos"):
        return
    fault = session.gate_fault("photo request")
    if fault is not None:
        connection.refuse("INTERNAL_ERROR", fault)
        return
    package_name, request_id = str(fields.get("packageName")), str(fields.get("requestId"))
    if request_id in session.photos:
        session.cloud.report(package_name, "P3 5.2", "it asked for two photos under one id")
    elif package_name in session.shots.values():
        session.cloud.report(package_name, "P3 5.5", "it asked for a photo while another one is taken")
    custom = fields.get("customWebhookUrl")
    app = session.cloud.store.apps.get(package_name)
    url = custom if isinstance(custom, str) and custom else f"{app.public_url}/photo-upload" if app else None
    session.tell_phone(messages.photo_request(session.user_id, fields, url, session.cloud.timestamp()))
    if custom:
        connection.send(messages.photo_forwarded(fields, session.cloud.timestamp()))
    else:
        session.photos[request_id] = session.shots[request_id] = package_name


def answer_photo(session: UserSession, body: JsonObject) -> Reply:
    """Take the phone's report over REST, and pass it on to the app that asked last under this id (P3 5.5)."""
    request_id, succeeded, url = body.get("requestId"), body.get("success"), body.get("photoUrl")
    fault = None
    if not isinstance(request_id, str) or not request_id:
        fault = "requestId is required and must be a non-empty string"
    elif not isinstance(succeeded, bool):
        fault = "success is required and must be a boolean"
    elif succeeded and not (isinstance(url, str) and url):
        fault = "photoUrl is required for success responses"
    now = session.cloud.timestamp()
    if fault is not None:
        return messages.reply(400, success=False, message=fault, timestamp=now)
    package_name = session.photos.pop(str(request_id), None)
    session.shots.pop(str(request_id), None)
    app = None if package_name is None else session.app(package_name)
    if app is not None:
        app.relay(messages.photo_response(body))
    return messages.reply(200, success=True, message="Photo response processed", timestamp=now)


def set_fov(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Pass a field of view on to the phone. Nobody answers it (P3 7)."""
    if not _is_allowed(connection, session, fields, "Camera permission required to set FOV"):
        return
    if fields.get("fov") not in _FIELDS_OF_VIEW or fields.get("roiPosition", "center") not in _POSITIONS:
        session.cloud.report(connection.package_name, "P3 7", "it asked for a field of view that does not exist")
        connection.refuse("MALFORMED_MESSAGE", messages.WRONG_FOV)
    elif not session.is_phone_connected:
        connection.refuse("INTERNAL_ERROR", "Glasses not connected")
    else:
        session.tell_phone(messages.camera_fov(session.user_id, fields, session.cloud.timestamp()))


def _is_allowed(connection: AppConnection, session: UserSession, fields: JsonObject, refusal: str) -> bool:
    app = session.cloud.store.apps.get(str(fields.get("packageName")))
    if app is not None and is_granted("CAMERA", app.permissions):
        return True
    connection.refuse("PERMISSION_DENIED", refusal)
    return False


# --- the phone and the glasses


class PhotoOutcome(enum.Enum):
    """What becomes of a photo."""

    UPLOADED = "uploaded"
    """It is uploaded, and the phone says so."""
    REFUSED = "refused"
    """The phone says that there is none."""
    REPORTED = "reported"
    """The uploader says so to the app itself."""
    LOST = "lost"
    """The phone says that it was uploaded, and it was not."""
    SILENT = "silent"
    """Nobody ever says anything."""


@attrs.frozen(kw_only=True)
class PhotoUpload:
    """An upload that was tried."""

    at: float
    """When it was over, on the Trio clock."""
    request_id: str
    url: str
    status: int | None
    """What the server answered; `None` when nobody did."""


@attrs.define(eq=False, kw_only=True)
class Camera:
    """The camera of the glasses, with the phone that uploads for it. Change it as you like."""

    sees: bytes = attrs.field(default=SMALLEST_JPEG, repr=False)
    """The next image."""
    takes: float = 2.0
    """Seconds from the request to the upload. Real glasses take 5 to 14 (P3 5.5)."""
    outcome: PhotoOutcome = PhotoOutcome.UPLOADED
    """What becomes of the next photos."""
    code: str = "CAMERA_CAPTURE_FAILED"
    """What is said to have gone wrong, where something does."""
    text: str = ""
    """In which words."""
    uploads: list[PhotoUpload] = attrs.field(factory=list[PhotoUpload], init=False)
    """Every upload that was tried, oldest first."""
    fov: int = attrs.field(default=118, init=False)
    """The field of view that was set last, in degrees."""
    streams: bool = True
    """Whether the glasses do what they are told about live video; otherwise they are silent."""
    stream_url: str | None = attrs.field(default=None, init=False, repr=False)
    """Where video goes at this moment; `None` when it goes nowhere."""
    is_busy: bool = attrs.field(default=False, init=False)
    """Whether a photo is being taken: the camera serves one at a time."""


def snap(user: User, message: JsonObject) -> None:
    """Take a photo as the phone was told. Glasses without a camera say nothing (P3 0.5)."""
    camera, model = user.glasses.camera, capabilities(user.glasses.model)
    if model is not None and not model["hasCamera"]:
        user.end_photo(str(message.get("requestId")))
        return
    if camera.is_busy:
        user.report_photo(_failed(message, "CAMERA_BUSY", "another photo is being taken"))
    else:
        camera.is_busy = True
        user.spawn(lambda: _take(user, camera, message))


def turn_camera(user: User, message: JsonObject) -> None:
    """Take over a field of view, where there is a camera."""
    user.glasses.camera.fov = cast("int", message["fov"])  # the cloud passes no other on


async def _take(user: User, camera: Camera, message: JsonObject) -> None:
    try:
        await trio.sleep(camera.takes)
    finally:
        camera.is_busy = False
        user.end_photo(str(message.get("requestId")))
    request_id, url = str(message.get("requestId")), str(message.get("webhookUrl"))
    if camera.outcome is PhotoOutcome.SILENT:
        return
    if camera.outcome is PhotoOutcome.REFUSED:
        user.report_photo(_failed(message, camera.code, camera.text))
        return
    if camera.outcome is not PhotoOutcome.LOST:
        kind, body = _form(request_id, camera)
        token = message.get("authToken")
        status = await user.upload(url, body, kind, token if isinstance(token, str) else None, _UPLOAD_LIMIT)
        camera.uploads.append(PhotoUpload(at=trio.current_time(), request_id=request_id, url=url, status=status))
        if status is None or not 200 <= status < 300:
            user.report_photo(_failed(message, "PHONE_UPLOAD_FAILED", f"HTTP {status}"))
            return
    if camera.outcome is not PhotoOutcome.REPORTED:
        user.report_photo({"requestId": request_id, "success": True, "photoUrl": url, "savedToGallery": False})


def _failed(message: JsonObject, code: str, text: str) -> JsonObject:
    return {"requestId": message.get("requestId"), "success": False, "errorCode": code, "errorMessage": text}


def _form(request_id: str, camera: Camera) -> tuple[str, bytes]:
    """Make the form that is posted; give its type and its bytes (P3 5.4)."""
    boundary = "----mentra-simulated-photo"
    fields = {"requestId": request_id, "type": "photo_upload", "success": "true"}
    if camera.outcome is PhotoOutcome.REPORTED:
        fields = {
            "requestId": request_id,
            "type": "photo_error",
            "success": "false",
            "errorCode": camera.code,
            "errorMessage": camera.text,
        }
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    if camera.outcome is PhotoOutcome.UPLOADED:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="{request_id}.jpg"\r\n'
        body += head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + camera.sees + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()
