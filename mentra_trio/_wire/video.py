"""What the cloud tells of live video, in its three spellings (P3 6.2, 6.3, 6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mentra_trio.models.video import ExistingVideo, RestreamTarget, VideoState, VideoStatus, VideoUrls

from .converter import to_datetime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .json_text import JsonObject

MANAGED_STATUS = "managed_stream_status"
ANY_STATUS = ("stream_status", "rtmp_stream_status", MANAGED_STATUS)
"""Types of a status. Of a direct stream each comes twice, once in either spelling."""


def video_status(fields: JsonObject) -> VideoStatus:
    """Read a status. What is not there, or of a wrong type, is left out."""
    return VideoStatus(
        stream_id=_text(fields, "streamId"),
        state=VideoState(_text(fields, "status")),
        is_managed=fields.get("type") == MANAGED_STATUS,
        message=_text(fields, "message") or _text(fields, "errorDetails"),
        urls=_urls(fields),
        targets=restream_targets(fields.get("outputs")),
    )


def restream_targets(value: object) -> tuple[RestreamTarget, ...]:
    """Read restream targets; what has no address is left out."""
    listed = (_members(each) for each in cast("list[object]", value)) if isinstance(value, list) else ()
    return tuple(
        RestreamTarget(
            url=url,
            name=_text(output, "name") or None,
            status=_text(output, "status") or None,
            error=_text(output, "error") or None,
            target_id=_text(output, "outputId") or None,
            package_name=_text(output, "addedBy") or None,
        )
        for output in listed
        if (url := _text(output, "url"))
    )


def existing_video(value: object) -> ExistingVideo:
    """Read the description of a stream that goes on, as far as there is one."""
    fields = _members(value)
    viewers = fields.get("activeViewers")
    return ExistingVideo(
        stream_id=_text(fields, "streamId"),
        is_managed=fields.get("type") == "managed",
        state=VideoState(_text(fields, "status")),
        created_at=_moment(fields.get("createdAt")),
        package_name=_text(fields, "requestingAppId") or None,
        stream_url=_text(fields, "streamUrl") or None,
        viewers=viewers if isinstance(viewers, int) and not isinstance(viewers, bool) else None,
        urls=_urls(fields),
    )


def _moment(value: object) -> datetime | None:
    try:
        return to_datetime(value)
    except ValueError:
        return None


def _urls(fields: Mapping[str, object]) -> VideoUrls:
    return VideoUrls(
        hls=_text(fields, "hlsUrl") or None,
        dash=_text(fields, "dashUrl") or None,
        webrtc=_text(fields, "webrtcUrl") or None,
        preview=_text(fields, "previewUrl") or None,
        thumbnail=_text(fields, "thumbnailUrl") or None,
    )


def _members(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
