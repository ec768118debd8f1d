"""What the cloud tells of live video, in its three spellings (P3 6.2, 6.3, 6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mentra_trio.models.video import ExistingVideo, RestreamTarget, VideoState, VideoStatus, VideoUrls

from .converter import moment_of
from .json_text import JsonObject, members, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MANAGED_STATUS = "managed_stream_status"
ANY_STATUS = ("stream_status", "rtmp_stream_status", MANAGED_STATUS)
"""Types of a status. Of a direct stream each comes twice, once in either spelling."""


def video_status(fields: JsonObject) -> VideoStatus:
    """Read a status. What is not there, or of a wrong type, is left out."""
    return VideoStatus(
        stream_id=text_of(fields, "streamId"),
        state=VideoState(text_of(fields, "status")),
        is_managed=fields.get("type") == MANAGED_STATUS,
        message=text_of(fields, "message") or text_of(fields, "errorDetails"),
        urls=_urls(fields),
        targets=restream_targets(fields.get("outputs")),
    )


def restream_targets(value: object) -> tuple[RestreamTarget, ...]:
    """Read restream targets; what has no address is left out."""
    listed = (members(each) for each in cast("list[object]", value)) if isinstance(value, list) else ()
    return tuple(
        RestreamTarget(
            url=url,
            name=text_of(output, "name") or None,
            status=text_of(output, "status") or None,
            error=text_of(output, "error") or None,
            target_id=text_of(output, "outputId") or None,
            package_name=text_of(output, "addedBy") or None,
        )
        for output in listed
        if (url := text_of(output, "url"))
    )


def existing_video(value: object) -> ExistingVideo:
    """Read the description of a stream that goes on, as far as there is one."""
    fields = members(value)
    viewers = fields.get("activeViewers")
    return ExistingVideo(
        stream_id=text_of(fields, "streamId"),
        is_managed=fields.get("type") == "managed",
        state=VideoState(text_of(fields, "status")),
        created_at=moment_of(fields.get("createdAt")),
        package_name=text_of(fields, "requestingAppId") or None,
        stream_url=text_of(fields, "streamUrl") or None,
        viewers=viewers if isinstance(viewers, int) and not isinstance(viewers, bool) else None,
        urls=_urls(fields),
    )


def _urls(fields: Mapping[str, object]) -> VideoUrls:
    return VideoUrls(
        hls=text_of(fields, "hlsUrl") or None,
        dash=text_of(fields, "dashUrl") or None,
        webrtc=text_of(fields, "webrtcUrl") or None,
        preview=text_of(fields, "previewUrl") or None,
        thumbnail=text_of(fields, "thumbnailUrl") or None,
    )
