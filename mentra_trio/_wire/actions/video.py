"""Live video (P3 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import attrs

from mentra_trio._wire.outbound import Command, Family, Request
from mentra_trio._wire.permissions import Requirement
from mentra_trio._wire.video import ANY_STATUS, existing_video, video_status
from mentra_trio.models.permissions import Permission
from mentra_trio.models.video import AudioOptions, ExistingVideo, VideoOptions, VideoState, VideoStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mentra_trio._wire.json_text import JsonObject

_CAMERA = Requirement(permission=Permission.CAMERA)


@attrs.frozen(kw_only=True)
class RestreamDestination:
    """Where a managed stream is passed on to."""

    url: str = attrs.field(repr=False)
    name: str | None = None


@attrs.frozen(kw_only=True)
class StreamLimits:
    """Limits that the cloud passes on; phones drop them (P3 6.1)."""

    duration_limit: float | None = None
    """Seconds."""


@attrs.frozen(kw_only=True)
class StartStream(Request[VideoStatus]):
    """Stream to a server of the app's own: `stream_request` (P3 6.2).

    Answered by the first status of a stream that starts.
    """

    TYPE: ClassVar[str] = "stream_request"
    NEEDS: ClassVar[Requirement | None] = _CAMERA
    FAMILY: ClassVar[Family] = Family.STREAM
    LIMIT: ClassVar[float] = 15.0

    stream_url: str | None = attrs.field(default=None, repr=False)
    video: VideoOptions | None = None
    audio: AudioOptions | None = None
    stream: StreamLimits | None = None
    sound: bool | None = None

    def accept(self, message: Mapping[str, object], /) -> VideoStatus | None:
        """Read the first status of a direct stream that starts."""
        return _started(message, is_managed=False)


@attrs.frozen(kw_only=True)
class StartManagedStream(Request[VideoStatus]):
    """Stream to the cloud: `managed_stream_request` (P3 6.3). The cloud takes 3 s, and tries three times."""

    TYPE: ClassVar[str] = "managed_stream_request"
    NEEDS: ClassVar[Requirement | None] = _CAMERA
    FAMILY: ClassVar[Family] = Family.STREAM
    LIMIT: ClassVar[float] = 45.0

    video: VideoOptions | None = None
    audio: AudioOptions | None = None
    stream: StreamLimits | None = None
    sound: bool | None = None
    restream_destinations: tuple[RestreamDestination, ...] | None = None

    def accept(self, message: Mapping[str, object], /) -> VideoStatus | None:
        """Read the first status of a managed stream that starts, goes on, or fails."""
        return _started(message, is_managed=True)

    def without_older(self) -> StartManagedStream:
        """Make the start of a session that has no older one, which could only just be ending."""
        return BeginManagedStream(**attrs.asdict(self, recurse=False))


@attrs.frozen(kw_only=True)
class BeginManagedStream(StartManagedStream):
    """The first of its session: an end that is told is its own."""

    def accept(self, message: Mapping[str, object], /) -> VideoStatus | None:
        """Read the first status of a managed stream, whatever it says of it."""
        return _started(message, is_managed=True, is_first=True)


def _started(message: Mapping[str, object], *, is_managed: bool, is_first: bool = False) -> VideoStatus | None:
    if message.get("type") not in ANY_STATUS or message.get("resumed") is True:
        return None
    status = video_status(cast("JsonObject", message))
    if status.is_managed is not is_managed:
        return None
    # An older stream of the app may only just end, and is no answer. A managed one that fails is.
    begins = status.state in {VideoState.INITIALIZING, VideoState.ACTIVE}
    ends = status.state.is_end if is_first else is_managed and status.state is VideoState.ERROR
    return status if begins or ends else None


@attrs.frozen(kw_only=True)
class StopStream(Command):
    """End a direct stream, or all of this app: `stream_stop` (P3 6.2). Not always confirmed."""

    TYPE: ClassVar[str] = "stream_stop"

    stream_id: str | None = None


@attrs.frozen(kw_only=True)
class StopManagedStream(Command):
    """Leave the managed stream, which ends with its last viewer: `managed_stream_stop` (P3 6.3)."""

    TYPE: ClassVar[str] = "managed_stream_stop"


@attrs.frozen(kw_only=True)
class CheckStream(Request[tuple[ExistingVideo | None]]):
    """Ask for the wearer's stream: `stream_status_check` (P3 6.5).

    The cloud echoes no id, so answers belong to the oldest question. The tuple holds `None` where there is no stream.
    """

    TYPE: ClassVar[str] = "stream_status_check"
    LIMIT: ClassVar[float] = 5.0

    request_id: str | None = None

    def accept(self, message: Mapping[str, object], /) -> tuple[ExistingVideo | None] | None:
        """Read the answer to this question, or to one without a name."""
        if message.get("type") != "stream_status_check_response":
            return None
        if message.get("requestId", self.request_id) != self.request_id:
            return None
        return (existing_video(message.get("streamInfo")) if message.get("hasActiveStream") is True else None,)
