"""Photos and live video.

A stream is a block here: a recorded start opens one in a task of the scenario, and a recorded stop cancels that task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import attrs
import trio
import trio.testing

from mentra_trio._wire.converter import to_iso
from mentra_trio.errors import MentraError
from mentra_trio.managers.camera.video import VideoStream
from mentra_trio.models import AudioOptions, PhotoCompression, PhotoSize, VideoOptions, VideoState, VideoStatus
from tests.conformance.app import App, describe
from tests.conformance.marks import snake_keys

from .tables import Table

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from mentra_trio.models import VideoUrls
    from tests.conformance.recordings import Json
    from tests.conformance.timeline import Item


async def _take_photo(app: App, item: Item) -> object:
    options = dict(item.kwargs)
    # A limit is the caller's own here, and in seconds.
    with trio.fail_after(cast("float", options.pop("timeout", 3_600_000)) / 1000):
        photo = await app.session(item).camera.take_photo(
            size=PhotoSize(str(options.pop("size", "medium"))),
            compression=PhotoCompression(str(options.pop("compression", "none"))),
            sound=cast("bool | None", options.pop("sound", None)),
        )
        return describe(photo)


async def _check(app: App, item: Item) -> object:
    found = await app.session(item).camera.check_stream()
    if found is None:
        return {"has_active_stream": False}
    is_told = found.state is not VideoState.UNKNOWN
    info = {
        "type": ("managed" if found.is_managed else "unmanaged") if is_told else None,
        "stream_id": found.stream_id,
        "status": found.state.value if is_told else None,
        "created_at": None if found.created_at is None else {"$date": to_iso(found.created_at)},
        "stream_url": found.stream_url,
        "requesting_app_id": found.package_name,
        "active_viewers": found.viewers,
        **_urls(found.urls),
    }
    return {"has_active_stream": True, "stream_info": info if found.stream_id else None}


class GivenUpError(Exception):
    """The task of the block was cancelled before video flowed: nothing comes of the start."""


@attrs.define(eq=False)
class _Block:
    """The block of a stream, in a task of its own."""

    tell: Callable[[VideoStatus], None]
    stream: VideoStream | None = None
    error: Exception | None = None
    ready: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    is_left: bool = False

    @property
    def is_on(self) -> bool:
        """Whether the stream is wanted, and not over."""
        return not self.is_left and (self.stream is None or not self.stream.status.value.state.is_end)

    async def run(self, block: AbstractAsyncContextManager[VideoStream]) -> None:
        try:
            with self.scope:
                async with block as stream:
                    self.stream = stream
                    changes = stream.status.changes()
                    self.tell(stream.status.value)
                    self.ready.set()
                    if not stream.status.value.state.is_end:
                        async for status in changes:
                            self.tell(status)
                            if status.state.is_end:
                                break
        except MentraError as error:
            self.error = error
        finally:
            self.is_left = True
            self.ready.set()


@attrs.define(eq=False)
class _Videos:
    """What a session streams."""

    block: _Block | None = None
    """The one that was started last."""
    observers: list[tuple[str, bool]] = attrs.field(factory=list[tuple[str, bool]])
    """Handlers, and whether managed streams alone are theirs."""

    def status(self, *, is_managed: bool) -> VideoStatus | None:
        stream = None if self.block is None else self.block.stream
        return None if stream is None or stream.status.value.is_managed is not is_managed else stream.status.value

    @property
    def is_on(self) -> bool:
        return self.block is not None and self.block.is_on


def _videos(app: App, item: Item) -> _Videos:
    return app.kept(item, _Videos)


def _urls(urls: VideoUrls) -> Json:
    return {f"{name}_url": url for name, url in cast("Json", describe(urls)).items()}


def _status(status: VideoStatus | None) -> object:
    if status is None:
        return None
    kind = "managed_stream_status" if status.is_managed else "stream_status"
    told: Json = {"type": kind, "stream_id": status.stream_id, "status": status.state.value}
    return {**told, "message": status.message or None, **_urls(status.urls), "outputs": describe(status.targets)}


async def _start(app: App, item: Item) -> object:
    # A stream that was left behind is looked for on request only, and what phones drop has no option (P3 6.1).
    given = cast("Json", snake_keys(item.kwargs))
    url = cast("str | None", given.get("direct", given.get("rtmp_url")))
    targets = cast("list[str]", [*cast("list[object]", given.get("destinations", []))])
    targets += [each["url"] for each in cast("list[dict[str, str]]", given.get("restream_destinations", []))]
    videos = _videos(app, item)

    def tell(status: VideoStatus) -> None:
        for handler, is_managed_alone in videos.observers:
            if status.is_managed or not is_managed_alone:
                app.got(handler, _status(status))

    block = _Block(tell)
    opened = app.session(item).camera.open_stream(
        url,
        restream_to=() if url else targets,  # the recorded calls drop the targets of a direct stream
        video=VideoOptions(**cast("dict[str, int]", given["video"])) if "video" in given else None,
        audio=AudioOptions(**cast("dict[str, bool]", given["audio"])) if "audio" in given else None,
        sound=cast("bool | None", given.get("sound")),
        clear=False,
    )
    was_on, before = videos.is_on, videos.block
    videos.block = block
    app.nursery.start_soon(block.run, opened)
    await trio.testing.wait_all_tasks_blocked()
    if was_on and block.error is not None:
        videos.block = before
    if url is None:
        await block.ready.wait()  # of a direct stream the recorded call waits for nothing
    if block.error is not None:
        raise block.error
    if block.is_left:
        raise GivenUpError
    if block.stream is None or not block.stream.status.value.is_managed:
        return None
    return {**_urls(block.stream.urls), "stream_id": block.stream.stream_id}


async def _stop(app: App, item: Item) -> None:
    block = _videos(app, item).block
    if block is not None:
        block.scope.cancel()
    await trio.testing.wait_all_tasks_blocked()


def _observe(app: App, item: Item, *, is_managed_alone: bool) -> None:
    observer = (item.handlers[0], is_managed_alone)
    observers = _videos(app, item).observers
    observers.append(observer)
    app.cleans_up(item, lambda: observers.remove(observer))


def _read_urls(app: App, item: Item) -> object:
    block = _videos(app, item).block
    if block is None or block.stream is None or not block.is_on or not block.stream.status.value.is_managed:
        return None
    return {**_urls(block.stream.urls), "stream_id": block.stream.stream_id}


TABLE = Table(
    calls={
        "camera.take_photo": _take_photo,
        "camera.check_existing_stream": _check,
        **dict.fromkeys(("camera.start_stream", "camera.start_managed_stream", "camera.start_direct_stream"), _start),
        **dict.fromkeys(("camera.stop_stream", "camera.stop_managed_stream"), _stop),
    },
    registrations={
        "camera.on_stream_status": lambda app, item: _observe(app, item, is_managed_alone=False),
        "camera.on_managed_stream_status": lambda app, item: _observe(app, item, is_managed_alone=True),
    },
    properties={
        "camera.is_currently_streaming": lambda app, item: _videos(app, item).is_on,
        "camera.is_managed_stream_active": lambda app, item: _read_urls(app, item) is not None,
        "camera.stream_urls": _read_urls,
        "camera.managed_stream_urls": _read_urls,
        "camera.stream_status": lambda app, item: _status(_videos(app, item).status(is_managed=False)),
        "camera.managed_stream_status": lambda app, item: _status(_videos(app, item).status(is_managed=True)),
    },
)
