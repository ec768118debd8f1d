"""Photos and the field of view of the camera (P3 5, P3 7)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

import attrs

from mentra_trio._wire.json_text import members, text_of
from mentra_trio._wire.outbound import Command, Family, LastWait, Request
from mentra_trio._wire.permissions import Requirement
from mentra_trio._wire.webhooks import PHOTO_UPLOAD
from mentra_trio.errors import PhotoError
from mentra_trio.models.camera import Photo, PhotoCompression, PhotoForwarded, PhotoSize
from mentra_trio.models.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_CAMERA = Requirement(permission=Permission.CAMERA)

UPLOAD_GRACE = 5.0
"""Seconds that an upload may come after the word that it is done (P3 5.7)."""


@attrs.frozen(kw_only=True)
class PhotoFailure:
    """The word that there is no photo."""

    code: str
    text: str
    stage: str | None = None

    def error(self) -> PhotoError:
        """Make the error of it."""
        return PhotoError(self.code, self.text, stage=self.stage)


@attrs.frozen(kw_only=True)
class _PhotoRequest:
    """What all photos have in common."""

    request_id: str
    size: PhotoSize | None = None
    """The cloud takes medium."""
    compress: PhotoCompression | None = None
    """The cloud takes none."""
    sound: bool | None = None
    """Whether the shutter is heard; the cloud takes yes."""
    save_to_gallery: bool | None = None
    """Only echoed, and only with a URL of the app's own (P3 5.2)."""
    custom_webhook_url: str | None = None
    auth_token: str | None = attrs.field(default=None, repr=False)
    exposure_time_ns: int | None = None


@attrs.frozen(kw_only=True)
class TakePhoto(_PhotoRequest, Request[Photo | PhotoFailure]):
    """Have a photo taken and uploaded to this app's server: `photo_request` (P3 5.2).

    It is answered by the upload, or by the word of a failure, whichever way that comes. The word of a success is no
    answer: the cloud says so before the image is here, or without its ever coming (P3 5.7).
    """

    TYPE: ClassVar[str] = "photo_request"
    NEEDS: ClassVar[Requirement | None] = _CAMERA
    FAMILY: ClassVar[Family] = Family.PHOTO
    LIMIT: ClassVar[float] = 30.0

    def accept(self, message: Mapping[str, object], /) -> Photo | PhotoFailure | None:
        """Read the upload, or a failure."""
        if message.get("requestId") != self.request_id:
            return None
        if message.get("type") == PHOTO_UPLOAD:
            return _uploaded(self.request_id, message)
        if message.get("type") == "photo_response" and message.get("success") is not True:
            return _failure(message.get("error"))
        return None

    def last_wait(self, message: Mapping[str, object], /) -> LastWait | None:
        """Give the image a moment once it is said to be uploaded."""
        if message.get("type") != "photo_response" or message.get("requestId") != self.request_id:
            return None
        url = message.get("photoUrl")
        text = "the glasses say that it was uploaded; does the app's public URL in the console lead here?"
        missing = partial(
            PhotoError, "UPLOAD_MISSING", text, stage="UPLOAD_START", url=url if isinstance(url, str) else None
        )
        return LastWait(seconds=UPLOAD_GRACE, error=missing)


@attrs.frozen(kw_only=True)
class ForwardPhoto(_PhotoRequest, Request[PhotoForwarded | PhotoFailure]):
    """Have a photo taken and uploaded elsewhere: `photo_request` with a URL (P3 5.3)."""

    TYPE: ClassVar[str] = "photo_request"
    NEEDS: ClassVar[Requirement | None] = _CAMERA
    FAMILY: ClassVar[Family] = Family.PHOTO
    LIMIT: ClassVar[float] = 30.0

    def accept(self, message: Mapping[str, object], /) -> PhotoForwarded | PhotoFailure | None:
        """Read the cloud's word that the glasses were told."""
        if message.get("type") != "photo_response" or message.get("requestId") != self.request_id:
            return None
        if message.get("success") is not True:
            return _failure(message.get("error"))
        return PhotoForwarded(request_id=self.request_id, url=self.custom_webhook_url or "")


@attrs.frozen(kw_only=True)
class SetFov(Command):
    """Set the field of view: `camera_fov_set` (P3 7). Never confirmed."""

    TYPE: ClassVar[str] = "camera_fov_set"
    NEEDS: ClassVar[Requirement | None] = _CAMERA

    request_id: str
    fov: int
    roi_position: str | None = None


def _uploaded(request_id: str, message: Mapping[str, object]) -> Photo | PhotoFailure:
    data = message.get("photo")
    if not isinstance(data, bytes):
        return _failure({"code": message.get("errorCode"), "message": message.get("errorMessage")})
    return Photo(
        data=data,
        content_type=text_of(message, "contentType"),
        filename=text_of(message, "filename"),
        request_id=request_id,
        received_at=cast("datetime", message["receivedAt"]),  # the server puts it beside the bytes
    )


def _failure(error: object) -> PhotoFailure:
    """Read the code and the words of a failure; neither has to be there."""
    fields = members(error)
    return PhotoFailure(
        code=text_of(fields, "code") or "UNKNOWN_ERROR",
        text=text_of(fields, "message"),
        stage=text_of(members(fields.get("details")), "stage") or None,
    )
