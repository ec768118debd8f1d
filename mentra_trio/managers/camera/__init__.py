"""`session.camera`: photos, the field of view, and live video (P3 5 to 7)."""

from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import attrs
import trio

from mentra_trio._arguments import check_hardware
from mentra_trio._link import Link
from mentra_trio._wire.actions.camera import ForwardPhoto, PhotoFailure, SetFov, TakePhoto
from mentra_trio._wire.actions.video import StartManagedStream
from mentra_trio.errors import MentraError, PhotoError, StreamError
from mentra_trio.models.camera import FovPosition, Photo, PhotoCompression, PhotoForwarded, PhotoSize

from .video import VideoStream, check, check_flag, end_left_behind, host_of, open_video, start_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mentra_trio._wire.actions.video import StartStream
    from mentra_trio._wire.outbound import Request
    from mentra_trio.models.video import AudioOptions, ExistingVideo, VideoOptions

P = TypeVar("P", Photo, PhotoForwarded)
E = TypeVar("E", bound=StrEnum)

FIELDS_OF_VIEW = (82, 92, 102, 118)
"""Degrees that the cloud takes (P3 7)."""
_LONGEST_EXPOSURE = 1.0
"""Seconds; more is a mistake."""
GLASSES_LIMIT = 15.0
"""Seconds after which the glasses are done with a photo of which nothing is heard: they take 5 to 14 (P3 5.5)."""


@attrs.define(eq=False, repr=False)
class CameraManager:
    """The camera of the glasses. Needs the permission `CAMERA`.

    The camera takes one photo at a time, and glasses that are asked meanwhile may say nothing at all: calls of one
    session wait for each other, in their order. After one that was cancelled, or whose photo goes elsewhere, the next
    one is sent 15 s after it, since nobody tells when the glasses are done. Other apps' photos are not waited for.

    Every method raises `PermissionDeniedError` when the app does not declare the permission, `DeviceUnavailableError`
    when the glasses have no camera, or when they or the phone are away, and `SessionClosedError` when the session is
    over. A lost connection fails nothing: the answer finds the session again.
    """

    _link: Link
    _turn: trio.StrictFIFOLock = attrs.field(init=False, factory=trio.StrictFIFOLock)
    _busy_until: float = attrs.field(init=False, default=-math.inf)
    """When the glasses are surely done with what was asked last, on the Trio clock."""
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

        Cancelling: the glasses still take the photo, and the upload is refused. The next call waits for that.

        Raises:
            PhotoError: there is no photo; `code` says why. `CAMERA_BUSY` during a stream of this session.
            RequestTimedOutError: 30 s after the request was sent nothing had come. Glasses that are busy with another
                app's photo may be as silent.
            CloudRefusedError, LinkDownError: it was not sent on.
            ValueError, TypeError: an option is none of these.
        """
        check_flag("sound", sound)
        request = TakePhoto(
            request_id=_new_id(),
            size=_one_of("size", PhotoSize, size),
            compress=_one_of("compression", PhotoCompression, compression),
            sound=sound,
            save_to_gallery=False,
            exposure_time_ns=_nanoseconds(exposure),
        )
        return await self._capture(request)

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
            PhotoError, RequestTimedOutError, CloudRefusedError, LinkDownError, ValueError, TypeError: as `take_photo`.
        """
        check_flag("sound", sound)
        check_flag("save_to_gallery", save_to_gallery)
        request = ForwardPhoto(
            request_id=_new_id(),
            size=_one_of("size", PhotoSize, size),
            compress=_one_of("compression", PhotoCompression, compression),
            sound=sound,
            save_to_gallery=save_to_gallery,
            custom_webhook_url=_checked_url(url),
            auth_token=_checked_token(auth_token),
            exposure_time_ns=_nanoseconds(exposure),
        )
        return await self._capture(request)

    async def _capture(self, request: Request[P | PhotoFailure]) -> P:
        """Ask for a photo when it is its turn.

        The glasses are done when the photo is here or it has failed; not when the call is cancelled, nor when they were
        only told.
        """
        self._check_camera()
        async with self._turn:
            if self._busy_until > trio.current_time():
                with trio.move_on_at(self._busy_until):
                    await self._link.state.device.wait_for(lambda _: False)  # raises when the session is over
            self._check_camera()
            try:
                answer = await self._link.call(request, on_taken=self._note_work, on_written=self._note_work)
            except MentraError:
                self._busy_until = -math.inf
                raise
            if not isinstance(answer, PhotoForwarded):
                self._busy_until = -math.inf
            return _result(answer)

    def _note_work(self) -> None:
        self._busy_until = trio.current_time() + GLASSES_LIMIT

    async def set_fov(self, fov: int, *, position: FovPosition = FovPosition.CENTER) -> None:
        """Set the field of view of the camera, 82, 92, 102 or 118 degrees.

        This is a setting of the glasses: it stays when the app ends, and other apps see it too. It starts the camera
        anew, which ends a photo or a stream that is under way. Mentra Live alone can do it. Nobody confirms it (P3 7).

        Args:
            fov: degrees.
            position: which part of the picture is used; 118 degrees are all of it, so that is the centre.

        Raises:
            LinkDownError: too many commands are waiting.
            ValueError: there is no such field of view, or position.
        """
        if type(fov) is not int or fov not in FIELDS_OF_VIEW:  # the cloud compares with whole numbers
            msg = f"fov is {fov!r}; the cloud takes {', '.join(map(str, FIELDS_OF_VIEW))}"
            raise ValueError(msg)
        part = _one_of("position", FovPosition, position)
        whole = fov == FIELDS_OF_VIEW[-1]
        self._check_hardware()
        await self._link.send(
            SetFov(
                request_id=f"cam_fov_{uuid4()}",
                fov=fov,
                roi_position=(FovPosition.CENTER if whole else part).value,
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
        is sent when it is back. So does the end of the session, also when the wearer stops the app. A lost connection
        does not touch the stream itself: one that is left behind, by a crash or because there was no connection when
        the session ended, goes on until somebody stops it, which `clear` does.

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
            ValueError, TypeError: an address is none of these, or an option of another kind.
        """
        check_flag("clear", clear)
        check_flag("takeover", takeover)
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
            async with open_video(self._link, request, is_free=lambda: not self._is_streaming) as stream:
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


def _nanoseconds(exposure: object) -> int | None:
    if exposure is None:
        return None
    if isinstance(exposure, bool) or not isinstance(exposure, int | float):
        msg = f"exposure is {exposure!r}; pass seconds as a number such as 0.01, or None"
        raise TypeError(msg)
    if not (math.isfinite(exposure) and 0 < exposure <= _LONGEST_EXPOSURE):
        msg = f"exposure must be positive and at most {_LONGEST_EXPOSURE:g} seconds, or None"
        raise ValueError(msg)
    return max(1, round(exposure * 1e9))


def _one_of(name: str, kind: type[E], value: object) -> E:
    """Take the wire's own word too: whoever has no type checker writes `"large"`."""
    for each in kind:
        if each == value:
            return each
    msg = f"{name} is {value!r}; write one of {', '.join(kind)}"
    raise ValueError(msg)


def _checked_url(url: object) -> str:
    # Without the address in the message: it may hold a key.
    if not isinstance(url, str):
        msg = f"url is {type(url).__name__}, not text"
        raise TypeError(msg)
    if url.partition("://")[0].lower() not in ("https", "http") or host_of(url) is None:
        msg = "url has to be an absolute one that begins with https:// or http://, without spaces"
        raise ValueError(msg)
    return url


def _checked_token(token: object) -> str | None:
    if token is None:
        return None
    if not isinstance(token, str):
        msg = f"auth_token is {type(token).__name__}; pass text, or None"
        raise TypeError(msg)
    if not (token and token.isascii() and token.isprintable()):
        # It becomes a header of the upload, which fails where nobody sees it. Without the token: it is a secret.
        msg = "auth_token is empty, or holds a line break or another character that no header can"
        raise ValueError(msg)
    return token


def _result(answer: P | PhotoFailure) -> P:
    """Raise where it failed."""
    if isinstance(answer, PhotoFailure):
        raise answer.error()
    return answer
