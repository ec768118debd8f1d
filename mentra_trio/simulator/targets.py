"""Restream targets of a managed stream that runs, as the cloud lets apps change them over HTTP (P3 6.6)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import attrs

from . import messages
from .storage import as_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mentra_trio._wire.codec import JsonObject

    from .engine import Cloud
    from .messages import Reply
    from .video import Streams

MOST = 10
"""Targets of a stream, and of an app."""


@attrs.define(eq=False)
class Target:
    """Where a managed stream is passed on to."""

    target_id: str
    url: str = attrs.field(repr=False)
    added_by: str
    name: object = None
    is_counted: bool = True
    """Whether it counts for the most that there may be: not what a stream began with."""

    def told(self, **more: str) -> JsonObject:
        """What apps are told of it, with more that depends on how."""
        name: JsonObject = {} if self.name is None else {"name": self.name}
        return {"url": self.url, **name, **more}


def use_targets(
    cloud: Cloud,
    method: str,
    target: str,
    parts: Sequence[str],
    headers: Mapping[str, str],
    body: object,
) -> Reply | None:
    """Answer a call about the targets of a stream; `None` for another path. `parts` begin behind `/api/streams/`."""
    if len(parts) < 2 or parts[1] != "outputs":
        return None
    fields = as_object(body) or {}
    asked = parse_qs(urlsplit(target).query).get("packageName")
    package_name: object = asked[0] if asked else fields.get("packageName")
    if not isinstance(package_name, str) or not package_name:
        return messages.reply(HTTPStatus.BAD_REQUEST, error="Package name required for API key validation")
    app = cloud.store.apps.get(package_name)
    if app is None or headers.get("authorization") != f"Bearer {app.api_key}":
        cloud.report(package_name, "P3 6.6", "it asked for restream targets without a key that is valid")
        return messages.reply(HTTPStatus.UNAUTHORIZED, error="Invalid API Key")
    streams = _find(cloud, parts[0])
    if streams is None:
        return _no(HTTPStatus.NOT_FOUND, "STREAM_NOT_FOUND", "Managed stream not found")
    if not streams.is_watched_by(package_name):
        return _no(HTTPStatus.FORBIDDEN, "NOT_A_VIEWER", "App is not a viewer of this stream")
    match method, *parts[2:]:
        case ["GET"]:
            return _list(parts[0], streams.targets)
        case ["POST"]:
            return _add(streams, package_name, fields)
        case ["DELETE", target_id]:
            return _remove(streams, package_name, target_id)
        case _:
            return None


def _find(cloud: Cloud, stream_id: str) -> Streams | None:
    """Find the wearer who streams under this name."""
    sessions = (cloud.session(user_id) for user_id in cloud.live_users)
    streams = (session.streams for session in sessions if session is not None)
    return next((one for one in streams if one.managed is not None and one.managed.stream_id == stream_id), None)


def _no(status: int, code: str, text: str) -> Reply:
    return messages.reply(status, error=code, message=text)


def _list(stream_id: str, targets: Sequence[Target]) -> Reply:
    outputs = [{"outputId": each.target_id, **each.told(addedBy=each.added_by, status="unknown")} for each in targets]
    return messages.reply(
        HTTPStatus.OK, streamId=stream_id, outputs=outputs, total=len(outputs), maxPerStream=MOST, maxPerApp=MOST
    )


def _add(streams: Streams, package_name: str, fields: JsonObject) -> Reply:
    url = fields.get("url")
    if not isinstance(url, str) or not url:
        return _no(HTTPStatus.BAD_REQUEST, "INVALID_URL", "URL is required and must be a string")
    if not url.startswith(("rtmp://", "rtmps://")):
        return _no(HTTPStatus.BAD_REQUEST, "INVALID_URL_FORMAT", "URL must start with rtmp:// or rtmps://")
    if sum(each.is_counted for each in streams.targets) >= MOST:
        return _no(HTTPStatus.CONFLICT, "MAX_OUTPUTS_REACHED", f"Maximum of {MOST} outputs per stream reached")
    if any(each.url == url for each in streams.targets):
        return _no(HTTPStatus.CONFLICT, "DUPLICATE_URL", "This URL is already added to the stream")
    target_id = streams.add_target(url, fields.get("name"), package_name)
    return messages.reply(HTTPStatus.OK, success=True, outputId=target_id, message="Output added successfully")


def _remove(streams: Streams, package_name: str, target_id: str) -> Reply:
    found = next((each for each in streams.targets if each.target_id == target_id), None)
    if found is None:
        return _no(HTTPStatus.NOT_FOUND, "OUTPUT_NOT_FOUND", "Output not found")
    if found.added_by != package_name:
        return _no(HTTPStatus.FORBIDDEN, "NOT_AUTHORIZED", "Only the app that added this output can remove it")
    streams.remove_target(found)
    return messages.reply(HTTPStatus.OK, success=True, message="Output removed successfully")
