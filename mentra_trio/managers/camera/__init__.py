"""`session.camera`: photos, the field of view, and live video (P3 5 to 7)."""

from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import attrs
import trio

from mentra_trio._arguments import check_hardware
from mentra_trio._link import Link
from mentra_trio._wire.actions.camera import ForwardPhoto, PhotoFailure, SetFov, TakePhoto
from mentra_trio._wire.actions.video import StartManagedStream
from mentra_trio.errors import PhotoError, StreamError
from mentra_trio.models.camera import FovPosition, Photo, PhotoCompression, PhotoForwarded, PhotoSize

from .video import VideoStream, check, end_left_behind, open_video, start_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mentra_trio._wire.actions.video import StartStream
    from mentra_trio.models.video import AudioOptions, ExistingVideo, VideoOptions

P = TypeVar("P", Photo, PhotoForwarded)

FIELDS_OF_VIEW = (82, 92, 102, 118)
"""Degrees that the cloud takes (P3 7)."""
_LONGEST_EXPOSURE = 1.0
"""Seconds; more is a mistake."""


@attrs.define(eq=False, repr=False)
class CameraManager:
    """The camera of the glasses. Needs the permission `CAMERA`.

    The camera takes one photo at a time: calls of one session wait for each other, in their order.

    Every method raises `PermissionDeniedError` when the app does not declare the permission, `DeviceUnavailableError`
    when the glasses have no camera, or when they or the phone are away, and `SessionClosedError` when the session is
    over. A lost connection fails nothing: the answer finds the session again.
    """

    _link: Link
    _turn: trio.StrictFIFOLock = attrs.field(init=False, factory=trio.StrictFIFOLock)
    _is_streaming: bool = attrs.field(init=False, default=False)
    _has_older: bool = attrs.field(init=False, default=False)
    """Whether this session had a managed stream already, whose end the cloud may still have to tell."""

    async def take_photo(
        self,
        *,
        size: PhotoSize = PhotoSize.MEDIUM,
        compression: PhotoCompression = PhotoCompression.NONE,
        sound: bool | None = None,
        exposure: float | None = None,
    ) -> Photo:
        """Take a photo and return the image. That takes the glasses 5 to 14 s.

        The glasses or the phone upload it to this app's own server, at `/photo-upload` below the public URL in the
        console. The white light of the glasses always flashes: wearers cannot photograph secretly.

        Protocol: P3 5.5.

        Args:
            size: how large; the smaller, the sooner it is here.
            compression: what the glasses do to it before the upload.
            sound: whether the shutter is heard; `None` leaves it to the cloud, which lets it be heard.
            exposure: seconds, for glasses that can; `None` is automatic.

        Cancelling: the glasses still take the photo, and the upload is refused. The next call does not wait for that.

        Raises:
            PhotoError: there is no photo; `code` says why. `CAMERA_BUSY` after a cancelled call or during a stream.
            RequestTimedOutError: 30 s after the request was sent nothing had come.
            CloudRefusedError, LinkDownError: it was not sent on.
        """
        request = TakePhoto(
            request_id=_new_id(),
            size=size,
            compress=compression,
            sound=sound,
            save_to_gallery=False,
            exposure_time_ns=_nanoseconds(exposure),
        )
        self._check_camera()
        async with self._turn:
            return _result(await self._link.call(request))

    async def take_photo_to(
        self,
        url: str,
        *,
        auth_token: str | None = None,
        size: PhotoSize = PhotoSize.MEDIUM,
        compression: PhotoCompression = PhotoCompression.NONE,
        sound: bool | None = None,
        exposure: float | None = None,
        save_to_gallery: bool = False,
    ) -> PhotoForwarded:
        """Have a photo taken and uploaded to a server of your own, as a multipart form with `requestId` and `photo`.

        Returns as soon as the glasses were told. Whether a photo is taken, and arrives there, only that server learns
        (P3 5.3).

        Args:
            url: where to; `https` or `http`.
            auth_token: the upload then has the header `Authorization: Bearer ...`, so that your server knows it.
            size, compression, sound, exposure: as for `take_photo`.
            save_to_gallery: the cloud echoes this and does nothing else about it (P3 5.2).

        Raises:
            PhotoError, RequestTimedOutError, CloudRefusedError, LinkDownError: as `take_photo`.
        """
        if urlsplit(url).scheme not in ("https", "http") or not urlsplit(url).hostname:
            msg = "url has to be an absolute one that begins with https:// or http://"
            raise ValueError(msg)
        request = ForwardPhoto(
            request_id=_new_id(),
            size=size,
            compress=compression,
            sound=sound,
            save_to_gallery=save_to_gallery,
            custom_webhook_url=url,
            auth_token=auth_token,
            exposure_time_ns=_nanoseconds(exposure),
        )
        self._check_camera()
        async with self._turn:
            return _result(await self._link.call(request))

    async def set_fov(self, fov: int, *, position: FovPosition = FovPosition.CENTER) -> None:
        """Set the field of view of the camera, 82, 92, 102 or 118 degrees.

        This is a setting of the glasses: it stays when the app ends, and other apps see it too. It starts the camera
        anew, which ends a photo or a stream that is under way. Mentra Live alone can do it. Nobody confirms it (P3 7).

        Args:
            fov: degrees.
            position: which part of the picture is used; 118 degrees are all of it, so that is the centre.

        Raises:
            LinkDownError: too many commands are waiting.
        """
        if fov not in FIELDS_OF_VIEW:
            msg = f"fov is {fov!r}; the cloud takes {', '.join(map(str, FIELDS_OF_VIEW))}"
            raise ValueError(msg)
        whole = fov == FIELDS_OF_VIEW[-1]
        self._check_hardware()
        await self._link.send(
            SetFov(
                request_id=f"cam_fov_{uuid4()}",
                fov=fov,
                roi_position=(FovPosition.CENTER if whole else position).value,
            )
        )

    def open_stream(
        self,
        url: str | None = None,
        *,
        restream_to: Sequence[str] = (),
        video: VideoOptions | None = None,
        audio: AudioOptions | None = None,
        sound: bool | None = None,
        clear: bool = True,
        takeover: bool = False,
    ) -> AbstractAsyncContextManager[VideoStream]:
        """Stream live video while the block runs::

            async with session.camera.open_stream("rtmp://live.example.com/app/key") as stream:
                await stream.wait_end()

        Entering returns when video flows; leaving stops it, also when the connection is down at that moment: the stop
        is sent when it is back. A lost connection does not touch the stream itself, and neither does the end of the
        app: one that is left behind by a crash goes on until somebody stops it, which `clear` does.

        Args:
            url: where to: `rtmp://`, `rtmps://`, `srt://`, or `https://` for WHIP. `None` is a managed stream: the
                cloud takes it and says in `stream.status` where it can be watched.
            restream_to: `rtmp://` or `rtmps://` addresses that the cloud passes a managed stream on to.
            video, audio: how it is encoded; the glasses choose what is not given.
            sound: whether the start is heard; `None` leaves it to the cloud.
            clear: whether to ask first for a stream of this app that was left behind, and to stop it.
            takeover: whether to go on where another app streams. A direct stream ends the other one; a managed one
                joins it, with the other one's options. Otherwise that is a `StreamError`, `CAMERA_IN_USE`.

        Cancelling, in the block or before, stops the stream.

        Raises:
            StreamError: it did not start; `ALREADY_STREAMING` for a second one of this session.
            RequestTimedOutError: the glasses did not start it in time (75 s). It was stopped.
            CloudRefusedError, LinkDownError: it was not passed on.
            ValueError: an address is none of these.
        """
        request = start_of(url, restream_to=restream_to, video=video, audio=audio, sound=sound)
        return self._open(request, clear=clear, takeover=takeover)

    @asynccontextmanager
    async def _open(
        self, request: StartStream | StartManagedStream, *, clear: bool, takeover: bool
    ) -> AsyncGenerator[VideoStream, None]:
        self._check_hardware()
        if self._is_streaming:
            raise StreamError("ALREADY_STREAMING", "this session has a stream; leave its block first")
        self._is_streaming = True
        try:
            if clear:
                existing = await end_left_behind(self._link)
                if existing is not None and not takeover:
                    raise StreamError("CAMERA_IN_USE", "another app streams; takeover=True goes on all the same")
            if isinstance(request, StartManagedStream):
                request = request if self._has_older else request.without_older()
                self._has_older = True
            async with open_video(self._link, request) as stream:
                yield stream
        finally:
            self._is_streaming = False

    async def check_stream(self) -> ExistingVideo | None:
        """Ask whether the camera streams, for whichever app; `None` when it does not.

        Raises:
            RequestTimedOutError: no answer within 5 s.
            LinkDownError: it was not sent.
        """
        return await check(self._link)

    def _check_camera(self) -> None:
        """Raise where the camera cannot take a photo, as the glasses would tell some seconds later (P3 6.7)."""
        self._check_hardware()
        if self._is_streaming:
            raise PhotoError("CAMERA_BUSY", "a stream of this session is on", stage="CAMERA_INIT")

    def _check_hardware(self) -> None:
        """Raise where the glasses are known to have no camera: the request would die on the phone (P3 0.5)."""
        check_hardware(self._link, lambda capabilities: capabilities.has_camera, "camera")


def _new_id() -> str:
    """Make an id that nobody can guess: it is all that an upload has to show (P3 5.7)."""
    return f"photo_req_{uuid4()}"


def _nanoseconds(exposure: float | None) -> int | None:
    if exposure is None:
        return None
    if not (math.isfinite(exposure) and 0 < exposure <= _LONGEST_EXPOSURE):
        msg = f"exposure must be positive and at most {_LONGEST_EXPOSURE:g} seconds, or None"
        raise ValueError(msg)
    return max(1, round(exposure * 1e9))


def _result(answer: P | PhotoFailure) -> P:
    """Raise where it failed."""
    if isinstance(answer, PhotoFailure):
        raise answer.error()
    return answer
