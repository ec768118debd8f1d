"""Rewrites about live video: a stream is a block here, which knows of itself alone (P3 6.7).

They follow the block of a session through the recorded calls and statuses, and change what differs because of it.
"""

from __future__ import annotations

import copy
import re
from typing import cast

import attrs

from tests.conformance.recordings import Json
from tests.conformance.timeline import Item, field

from .common import copy_item

_STARTS = frozenset({"camera.start_stream", "camera.start_managed_stream", "camera.start_direct_stream"})
_LEAVES = frozenset({"camera.stop_stream", "camera.stop_managed_stream", "session.disconnect"})
_STATUSES = frozenset({"stream_status", "rtmp_stream_status", "managed_stream_status"})
_REQUESTS = frozenset({"stream_request", "managed_stream_request"})
_WORDS = {
    "preparing": "initializing",
    "connecting": "initializing",
    "reconnecting": "initializing",
    "streaming": "active",
    "reconnected": "active",
    "disconnected": "stopped",
    "reconnect_failed": "stopped",
}
"""What the cloud makes of the words of the glasses (P3 6.2)."""
_ENDS = frozenset({"stopped", "timeout", "error"})
_LIMIT = 45.0
"""Seconds that a managed start waits for the first word of it."""
_ENVELOPE = ("packageName", "sessionId", "timestamp")
_ADDRESS = re.compile(r"(rtmps?|srt|https?)://")


@attrs.define(eq=False)
class _Block:
    """What this SDK makes of a recorded start."""

    is_managed: bool
    has_older: bool
    """Whether the end of an older one may still be told."""
    stream_id: str | None = None
    """`None` as long as the cloud has said nothing of it."""
    told: Json = attrs.field(factory=dict[str, object])
    is_open: bool = False
    """Whether video has flowed, so that the block was entered."""
    is_on: bool = True

    def hear(self, message: object) -> bool:
        """Take a status; tell whether whoever follows the block learns of it."""
        if not self.is_on or (field(message, "type") == "managed_stream_status") is not self.is_managed:
            return False
        word = field(message, "status")
        state = _WORDS.get(word, word) if isinstance(word, str) else None
        name = str(field(message, "streamId") or "")
        if self.stream_id is None:
            ends = self.is_managed and (state == "error" or (state in _ENDS and not self.has_older))
            if not (ends or state in ("initializing", "active")) or field(message, "resumed") is True:
                return False
        elif name and self.stream_id and name != self.stream_id:
            return False
        self.stream_id = name or self.stream_id or ""
        urls = {key: field(message, key) for key in ("hlsUrl", "dashUrl", "webrtcUrl", "previewUrl", "thumbnailUrl")}
        told: Json = {"state": state, "text": field(message, "message") or field(message, "errorDetails"), **urls}
        if told == self.told:
            return False
        self.told = told
        can_be_seen = not self.is_managed or urls["hlsUrl"] is not None or urls["webrtcUrl"] is not None
        self.is_open = self.is_open or (state == "active" and can_be_seen)
        self.is_on = state not in _ENDS
        return self.is_open


@attrs.define(eq=False)
class _Camera:
    """The block of a session."""

    block: _Block | None = None
    managed: int = 0

    @property
    def is_on(self) -> bool:
        return self.block is not None and self.block.is_on

    def take(self, item: Item) -> bool:
        """Take what happens next; tell whether whoever follows the block learns of it."""
        if _opens(item) and not self.is_on:
            self.block = _Block(is_managed=_url(item) is None, has_older=self.managed > 0)
            self.managed += self.block.is_managed
        elif self.block is not None and item.dir == "app" and item.method in _LEAVES:
            self.block.is_on = False
        elif self.block is not None and item.dir == "in" and field(item.message, "type") in _STATUSES:
            return self.block.hear(item.message)
        return False


def _url(start: Item) -> object:
    return start.kwargs.get("direct", start.kwargs.get("rtmp_url"))


def _opens(item: Item) -> bool:
    """Whether a call is a start that this SDK makes."""
    url = _url(item)
    is_address = url is None or (isinstance(url, str) and _ADDRESS.match(url) is not None)
    return item.dir == "app" and item.method in _STARTS and is_address


def _camera_before(items: list[Item], item: Item) -> _Camera:
    camera = _Camera()
    for other in items[: items.index(item)]:
        if other.session == item.session:
            camera.take(other)
    return camera


def _result(items: list[Item], call: Item) -> Item | None:
    return next((other for other in items if other.dir == "result" and other.api == call.api), None)


def _request(items: list[Item], start: Item) -> Item | None:
    """Find what a start sends."""
    for other in items[items.index(start) + 1 :]:
        if field(other.message, "type") in _REQUESTS:
            return other
        if other.dir == "app" and other.tick != start.tick:
            return None
    return None


def starts_all_the_same(items: list[Item], item: Item) -> None:
    """A start is refused because of a stream of the same session alone, and one that was stopped is over."""
    result = _result(items, item)
    is_recorded_refused = result is not None and result.kind == "error" and _request(items, item) is None
    if not _opens(item) or not is_recorded_refused or _camera_before(items, item).is_on or result is None:
        return
    kind = "managed_stream_request" if _url(item) is None else "stream_request"
    like = next(other for other in items if field(other.message, "type") == kind)
    message = cast("Json", copy.deepcopy(like.message))
    if _url(item) is not None:
        message["streamUrl"] = _url(item)
    items.insert(items.index(item) + 1, copy_item(like, message=message, step=item.step, wait=0.0))
    result.kind, result.value = "return", "<undefined>"


def enters_or_not(items: list[Item], item: Item) -> None:
    """A managed start returns when its block is entered, and fails when that cannot be any more."""
    camera = _camera_before(items, item)
    if not _opens(item) or _url(item) is not None or camera.is_on:
        return
    camera.take(item)
    block = cast("_Block", camera.block)
    start = items.index(item) + 1
    for place, other in enumerate(items[start:], start):
        if other.session == item.session:
            camera.take(other)
        if block.is_open:
            urls = {name: value for name, value in block.told.items() if name.endswith("Url")}
            _resolve(items, item, place, kind="return", value={**urls, "streamId": block.stream_id})
            return
        if not block.is_on:
            if other.dir == "app" and other.method != "session.disconnect":
                _resolve(items, item, place, kind="error", value="GivenUpError")
            return
    if _result(items, item) is not None:
        _overdue(items, item)


def _resolve(items: list[Item], call: Item, place: int, **changes: object) -> Item:
    """Give a call its result behind a place."""
    behind = items[place]
    old = _result(items, call)
    new = Item(dir="result", kind="return", step=behind.step, api=call.api, method=call.method, session=call.session,
               life=call.life)  # fmt: skip
    if old is not None:
        items.remove(old)
    for name, value in changes.items():
        setattr(new, name, value)
    items.insert(items.index(behind) + 1, new)
    return new


def _overdue(items: list[Item], call: Item) -> None:
    """Nothing is heard of the start in time: it is taken back."""
    start = items.index(call)
    last = next(n for n in range(len(items) - 1, start, -1) if items[n].dir != "runner")
    request = next(other for other in items[start:] if field(other.message, "type") == "managed_stream_request")
    told = cast("Json", request.message)
    message: Json = {name: told[name] for name in _ENVELOPE if name in told}
    message["type"] = "managed_stream_stop"
    result = _resolve(items, call, last, kind="error", value="RequestTimedOutError")
    stop = copy_item(request, message=message, window=(_LIMIT - 0.5, _LIMIT + 0.5), since=request)
    items.insert(items.index(result), stop)


def stops_with_session(items: list[Item], item: Item) -> None:
    """A stream that runs when the session is ended by the app is stopped, while the cloud still listens."""
    camera = _camera_before(items, item)
    if not camera.is_on:
        return
    sent = [other for other in items[: items.index(item)] if other.dir == "out" and other.session == item.session]
    request = next(other for other in reversed(sent) if field(other.message, "type") in _REQUESTS)
    told = cast("Json", copy.deepcopy(request.message))
    kind = cast("str", told["type"]).replace("request", "stop")
    message: Json = {name: told[name] for name in _ENVELOPE if name in told}
    message["type"] = kind
    items.insert(items.index(item) + 1, copy_item(request, message=message, step=item.step, wait=0.0))


def own_status(items: list[Item], item: Item) -> None:
    """A status is that of a stream of this session's own, while its block runs; each change is told once."""
    told = next(other for other in reversed(items[: items.index(item)]) if other.dir == "in")
    if not _camera_before(items, told).take(told):
        items.remove(item)


def own_stream(items: list[Item], item: Item) -> None:
    """What streams is what this session has asked for, as long as it wants it."""
    camera = _camera_before(items, item)
    block = camera.block
    is_managed = item.method in ("camera.managed_stream_status", "camera.managed_stream_urls")
    if item.method == "camera.is_currently_streaming":
        item.value = camera.is_on
    elif block is None or not block.is_open or (is_managed and not block.is_managed):
        item.value = "<undefined>" if item.method != "camera.is_managed_stream_active" else False
    elif (item.method or "").endswith("_urls") and not camera.is_on:
        item.value = "<undefined>"


def no_subscription(items: list[Item], item: Item) -> None:
    """A stream's own status comes unasked: nothing is subscribed for it, and nothing given up."""
    place = items.index(item)
    earlier = [other for other in items[:place] if field(other.message, "type") == "subscription_update"]
    told = _other_streams(item.message)
    before = _other_streams(earlier[-1].message) if earlier else None
    if told == before:
        items.remove(item)
    elif told != field(item.message, "subscriptions"):
        item.message = {**cast("Json", item.message), "subscriptions": told}


def _other_streams(update: object) -> object:
    names = field(update, "subscriptions")
    if not isinstance(names, list):
        return names
    return [each for each in cast("list[object]", names) if each not in ("stream_status", "managed_stream_status")]
