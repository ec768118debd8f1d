"""Rewrites about photos and the calls of the app's own server."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from tests.conformance.timeline import Item, field, is_ack, is_request

from .common import new_error

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


def one_photo_at_a_time(items: list[Item], item: Item) -> None:
    """A photo waits for the one before: it is asked for, and answered, when that has its result."""
    mark = field(item.message, "requestId")
    photos = [other for other in items if other.dir == "out" and field(other.message, "type") == "photo_request"]
    before = photos[photos.index(item) - 1]
    calls = [other for other in items if other.dir == "app" and other.method == "camera.take_photo"]
    result = next(other for other in items if other.dir == "result" and other.api == calls[photos.index(before)].api)
    answer = next(other for other in items if other.dir == "in" and field(other.message, "requestId") == mark)
    own = next(other for other in items if other.dir == "result" and other.api == calls[photos.index(item)].api)
    for other in (item, answer, own):
        items.remove(other)
    place = items.index(result) + 1
    items[place:place] = [item, answer, own]


def refuses_photo(items: list[Item], item: Item) -> None:
    """A refusal fails the photo that it can mean, at once."""
    calls = [other for other in items[: items.index(item)] if other.method == "camera.take_photo"]
    items.insert(items.index(item) + 1, new_error(calls[-1], "PermissionDeniedError"))


def takes_upload(items: list[Item], item: Item) -> None:
    """The upload is the photo: it is taken, and the call returns."""
    message = cast("Json", copy.deepcopy(item.message))
    earlier = items[: items.index(item)]
    calls = [other for other in earlier if other.dir == "app" and other.method == "camera.take_photo"]
    if not calls:
        return
    asked = next(other for other in reversed(earlier) if field(other.message, "type") == "photo_request")
    request_id = field(asked.message, "requestId")
    message["status"] = 200
    message["body"] = {"success": True, "requestId": request_id, "message": "Photo received successfully"}
    item.message = message
    result = next(other for other in items if other.dir == "result" and other.api == calls[-1].api)
    items.remove(result)
    sent = next(other for other in reversed(earlier) if is_request(other))
    file = cast("Json", field(sent.message, "form", "photo", "file"))
    result.kind, result.window, result.since = "return", None, None
    result.value = {"data": file["content"], "contentType": file["content_type"], "filename": file["filename"]}
    items.insert(items.index(item) + 1, result)


def acked_sessions(items: list[Item], item: Item) -> None:
    """Sessions count once the cloud has acknowledged them."""
    place = items.index(item)
    number = field(item.message, "http")
    request = next(other for other in items[:place] if is_request(other) and field(other.message, "http") == number)
    user = field(request.message, "body", "userIdForSettings")
    asked = {other.session for other in items[:place] if field(other.message, "body", "userId") == user}
    acked = {other.session for other in items[:place] if is_ack(other)}
    message = cast("Json", copy.deepcopy(item.message))
    cast("Json", message["body"])["sessionsUpdated"] = len(asked & acked)
    item.message = message


def unanswered_check(items: list[Item], item: Item) -> None:
    """Without an answer nobody knows whether there is a stream: that is an error, and not a no."""
    place = items.index(item)
    asked = [other for other in items[:place] if field(other.message, "type") == "stream_status_check"]
    ids = {field(other.message, "requestId") for other in asked}
    answers = [other for other in items[:place] if field(other.message, "type") == "stream_status_check_response"]
    if not answers:
        item.kind, item.value = "error", "rejected"
    elif all(field(answer.message, "requestId") not in {None, *ids} for answer in answers):
        item.kind, item.value, item.window, item.since = "error", "RequestTimedOutError", (5.0, 5.1), asked[-1]
