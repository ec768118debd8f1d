"""Live video streams: how they start, who follows them, and how they end (P3 6)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import attrs
import trio

from mentra_trio._arguments import checked_text
from mentra_trio._flow import EventStream, Gap, Latest, LatestSource, Overflow
from mentra_trio._link import Link, StreamSpec
from mentra_trio._wire.actions.targets import AddTarget, FetchTargets, RemoveTarget
from mentra_trio._wire.actions.video import (
    CheckStream,
    RestreamDestination,
    StartManagedStream,
    StartStream,
    StopManagedStream,
    StopStream,
)
from mentra_trio._wire.news import VIDEO_KEYS
from mentra_trio.errors import LinkDownError, RequestTimedOutError, SessionClosedError, StreamError
from mentra_trio.models.video import AudioOptions, ExistingVideo, VideoOptions, VideoState, VideoStatus, VideoUrls

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from mentra_trio._wire.outbound import Command
    from mentra_trio._wire.rest import RestRequest
    from mentra_trio.models.video import RestreamTarget

R = TypeVar("R")

LIVE_LIMIT = 75.0
"""Seconds until video has to flow: the cloud looks for it for 60 s (P3 6.3)."""
_DIRECT = frozenset({"rtmp", "rtmps", "srt", "https", "http"})
_RESTREAM = frozenset({"rtmp", "rtmps"})
STOP_LIMIT = 30.0
"""Seconds after a stop in which a connection that it was lost with is noticed and made anew."""
_STATUSES = StreamSpec[VideoStatus](
    name="video statuses",
    keys=VIDEO_KEYS,
    capacity=64,
    overflow=Overflow.DROP_OLDEST,
)
"""The cloud tells them unasked. Only the last one counts in the end."""


@attrs.define(eq=False)
class VideoStream:
    """A live stream, made by `session.camera.open_stream`."""

    _link: Link
    _events: EventStream[VideoStatus | Gap]
    _source: LatestSource[VideoStatus]

    @property
    def status(self) -> Latest[VideoStatus]:
        """What the cloud tells of it, each change once. It stays at the end when the session is over."""
        return self._source.latest

    @property
    def stream_id(self) -> str:
        """The cloud's name for it."""
        return self.status.value.stream_id

    @property
    def urls(self) -> VideoUrls:
        """Where a managed stream can be watched, as of now; some come later than others."""
        return self.status.value.urls

    async def wait_end(self) -> VideoStatus:
        """Wait until it has ended, whoever ended it; give the last status."""
        return await self.status.wait_for(lambda status: status.state.is_end)

    async def add_target(self, url: str, *, name: str | None = None) -> str:
        """Have the cloud pass a managed stream on to one more address, while it runs; give the target's id.

        `status` tells what becomes of it. A stream has ten at most, those of the start not counted.

        Protocol: P3 6.6.

        Args:
            url: `rtmp://` or `rtmps://`.
            name: what is told of it in `status`.

        Cancelling: it may have been added.

        Raises:
            StreamError: the cloud refused: `DUPLICATE_URL`, `MAX_OUTPUTS_REACHED`, `STREAM_NOT_FOUND` when it is over;
                or `NOT_MANAGED`.
            CloudUnreachableError, RequestTimedOutError: no answer, the latter after 15 s. It may have been added.
            CloudRefusedError, DecodeError: another answer than these.
            SessionClosedError: the session is over.
        """
        _check_address("url", url, _RESTREAM)
        if name is not None:
            checked_text("name", name)
        return await self._about_targets(AddTarget(self.stream_id, url, name))

    async def remove_target(self, target_id: str) -> None:
        """Pass the stream on to one address less. The stream itself goes on.

        Raises:
            StreamError: `OUTPUT_NOT_FOUND`; `NOT_AUTHORIZED`: another app added it; or as `add_target`.
            CloudUnreachableError, RequestTimedOutError, CloudRefusedError, DecodeError, SessionClosedError: as
                `add_target`.
        """
        await self._about_targets(RemoveTarget(self.stream_id, checked_text("target_id", target_id)))

    async def fetch_targets(self) -> tuple[RestreamTarget, ...]:
        """Ask where the stream is passed on to, for whichever app, with the ids that `remove_target` takes.

        Raises:
            StreamError, CloudUnreachableError, RequestTimedOutError, CloudRefusedError, DecodeError,
                SessionClosedError: as `add_target`.
        """
        return await self._about_targets(FetchTargets(self.stream_id))

    async def _about_targets(self, request: RestRequest[R]) -> R:
        if not self.status.value.is_managed:
            raise StreamError("NOT_MANAGED", "a direct stream goes to one address")
        return await self._link.rest.call(request)

    async def follow(self) -> None:
        """Take over what the cloud tells, until the block is left or the session is over."""
        first, is_past = self.status.value, True
        with suppress(trio.ClosedResourceError):
            async for news in self._events:
                if isinstance(news, Gap):
                    is_past = False
                    await self._look()
                elif is_past:  # before the answer of the start, which is news too
                    is_past = news != first
                elif self._is_ours(news):
                    self._source.set(attrs.evolve(news, stream_id=news.stream_id or self.stream_id))
            self._ended("the session is over")
        await trio.lowlevel.checkpoint()

    def _is_ours(self, status: VideoStatus) -> bool:
        return status.is_managed is self.status.value.is_managed and self._is_named_alike(status.stream_id)

    def _is_named_alike(self, stream_id: str) -> bool:
        return not self.stream_id or stream_id in {self.stream_id, ""}

    async def _look(self) -> None:  # noqa: ASYNC910 - a call checkpoints, unless it is refused
        """Find out whether it ended while nothing could be heard: the cloud says nothing of that by itself (P3 6.5)."""
        with suppress(RequestTimedOutError, LinkDownError, SessionClosedError):
            found = await check(self._link)
            if found is None or not self._is_named_alike(found.stream_id):
                self._ended("it ended while the connection was lost")

    def _ended(self, message: str) -> None:
        if not self.status.value.state.is_end:
            self._source.set(attrs.evolve(self.status.value, state=VideoState.STOPPED, message=message))


@asynccontextmanager
async def open_video(
    link: Link, start: StartStream | StartManagedStream, *, is_free: Callable[[], bool]
) -> AsyncGenerator[VideoStream, None]:
    """Start a stream, and stop it when the block is left, or the start is given up.

    `is_free` tells whether no later stream of this session is open.
    """
    beginning = _Beginning(link, start)
    stream: VideoStream | None = None
    is_stopped = False

    def stop() -> Command | None:
        """Give what stops it, once, where there is anything to stop."""
        nonlocal is_stopped
        known = None if stream is None else stream.status.value
        if is_stopped or not beginning.is_sent or (known is not None and known.state.is_end):
            return None
        is_stopped = True
        if isinstance(start, StartManagedStream):
            return StopManagedStream()
        return StopStream(stream_id=None if known is None else known.stream_id or None)

    events = link.subscribe(_STATUSES).with_gaps()
    aiter(events)  # from here on, so that nothing is missed between the answer and its follower
    # The cloud lets a stream go on when its app ends (P3 6.5), and takes no word of an app that the wearer has stopped.
    with link.last_word(stop):
        try:
            first = await beginning.answer()
            stream = VideoStream(link, events, LatestSource(first))
            link.start(stream.follow)
            with trio.move_on_after(LIVE_LIMIT) as patience:
                first = await stream.status.wait_for(_is_decided)
            if patience.cancelled_caught:
                raise RequestTimedOutError(type(start).__name__, LIVE_LIMIT)
            if is_stopped:
                await link.state.device.wait_for(lambda _: False)  # raises: the session is over
            if first.state.is_end:
                raise StreamError(first.state.name, first.message)
            yield stream
        finally:
            events.close()
            # Without a link nobody can stop it; then the cloud goes on, and the next run finds it (P3 6.5).
            if (command := stop()) is not None:
                link.send_nowait(command)
                if stream is not None:
                    link.start(partial(_see_to_end, link, stream.status.value, command, is_free))


async def _see_to_end(link: Link, known: VideoStatus, stop: Command, is_free: Callable[[], bool]) -> None:
    """Stop it once more where it goes on after a lost connection, which may have taken the stop with it.

    The cloud tells then what goes on (P3 6.5).
    """
    is_back = False
    with trio.move_on_after(STOP_LIMIT):
        async with link.subscribe(_STATUSES).with_gaps() as events:
            async for news in events:
                if isinstance(news, Gap):
                    is_back = True
                elif news.is_managed is known.is_managed and news.stream_id == known.stream_id:
                    if news.state.is_end or not is_free():
                        break
                    if is_back:
                        is_back = False
                        link.send_nowait(stop)
    await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class _Beginning:
    """The wait for the first status of a stream.

    Where that is said while the link is down, the cloud says how the stream stands when the link is back, as it does of
    any stream (P3 6.5). It is an answer because the start was sent before the link went down.
    """

    _link: Link
    _request: StartStream | StartManagedStream
    _news: EventStream[VideoStatus | Gap] = attrs.field(init=False)
    _resumed: list[VideoStatus] = attrs.field(init=False, factory=list[VideoStatus])
    """Empty, or the status that was found."""
    _can_listen: trio.Event = attrs.field(init=False, factory=trio.Event)
    _asking: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    is_sent: bool = attrs.field(init=False, default=False)
    """Whether the cloud may get it."""

    def __attrs_post_init__(self) -> None:
        self._news = self._link.subscribe(_STATUSES).with_gaps()

    async def answer(self) -> VideoStatus:
        """Send the start, and wait."""
        self._link.start(self._listen)
        try:
            with self._asking:
                return await self._link.call(self._request, on_taken=self._note_sent)
        finally:
            self._news.close()
            self._can_listen.set()
        return self._resumed[0]  # which cancelled it

    def _note_sent(self) -> None:
        self.is_sent = True
        aiter(self._news)  # from here on, so that only a link that is lost after this makes a gap
        self._can_listen.set()

    async def _listen(self) -> None:
        is_resumed = False
        await self._can_listen.wait()
        with suppress(trio.ClosedResourceError):
            async for news in self._news:
                if isinstance(news, Gap):
                    is_resumed = True
                elif is_resumed and self._is_answer(news):
                    self._resumed.append(news)
                    self._asking.cancel(reason="the stream was found when the connection was back")
                    break
        await trio.lowlevel.checkpoint()

    def _is_answer(self, status: VideoStatus) -> bool:
        is_managed = isinstance(self._request, StartManagedStream)
        return status.is_managed is is_managed and status.state in {VideoState.INITIALIZING, VideoState.ACTIVE}


def _is_decided(status: VideoStatus) -> bool:
    """Whether video flows, and where to watch it is known; or never will."""
    if status.state is not VideoState.ACTIVE:
        return status.state.is_end
    return not status.is_managed or status.urls.hls is not None or status.urls.webrtc is not None


async def check(link: Link) -> ExistingVideo | None:
    """Ask for the wearer's stream."""
    (found,) = await link.call(CheckStream(request_id=f"stream_check_{uuid4()}"))
    return found


async def end_left_behind(link: Link) -> ExistingVideo | None:
    """Stop what an earlier run of this app left behind; give the stream that is there all the same: another app's.

    A cloud that does not answer knows of none.
    """
    try:
        found = await check(link)
        if found is None or found.package_name not in {None, link.package_name}:
            # Asked to stop what streams for another app, the cloud tells the phone to, whoever it belongs to (P3 6.2).
            return found
        await link.send(StopManagedStream() if found.is_managed else StopStream())
        return await check(link)
    except RequestTimedOutError:
        return None  # noqa: ASYNC910 - the call has checkpointed


def start_of(
    url: str | None,
    *,
    restream_to: Sequence[str],
    video: VideoOptions | None,
    audio: AudioOptions | None,
    sound: bool | None,
) -> StartStream | StartManagedStream:
    """Make the request. Raises `ValueError` for addresses that nobody can stream to."""
    _check_options("video", video, VideoOptions)
    _check_options("audio", audio, AudioOptions)
    check_flag("sound", sound)
    if isinstance(restream_to, str):
        msg = f"restream_to is the text {restream_to!r}; pass a list such as [{restream_to!r}]"
        raise TypeError(msg)
    _check_list(restream_to)
    if url is None:
        for target in restream_to:
            _check_address("each of restream_to", target, _RESTREAM)
        destinations = tuple(RestreamDestination(url=target) for target in restream_to) or None
        return StartManagedStream(video=video, audio=audio, sound=sound, restream_destinations=destinations)
    if restream_to:
        msg = "restream_to is for managed streams; leave url out, or stream to one address"
        raise ValueError(msg)
    _check_address("url", url, _DIRECT)
    return StartStream(stream_url=url, video=video, audio=audio, sound=sound)


def check_flag(name: str, value: object) -> None:
    """Let a yes, a no, or nothing pass: other values are written to the wire as they are."""
    if value is not None and not isinstance(value, bool):
        msg = f"{name} is {value!r}; pass True or False"
        raise TypeError(msg)


def _check_options(name: str, value: object, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        msg = f"{name} is {type(value).__name__}; pass {kind.__name__}(...), or None"
        raise TypeError(msg)


def _check_list(restream_to: object) -> None:
    if not isinstance(restream_to, Sequence):
        msg = f"restream_to is {type(restream_to).__name__}; pass a list of addresses"
        raise TypeError(msg)


def host_of(url: str) -> str | None:
    """Give the host of an address; `None` where there is none, or the address cannot be: keys end in a line break."""
    if not url.isprintable() or " " in url:
        return None
    try:
        return urlsplit(url).hostname or None
    except ValueError:
        return None


def _check_address(name: str, url: object, schemes: frozenset[str]) -> None:
    if not isinstance(url, str):
        msg = f"{name} is {type(url).__name__}, not text"
        raise TypeError(msg)
    # Nobody says whether glasses read a scheme in capitals, so it is as strict as MentraOS itself.
    if url.partition("://")[0] not in schemes or host_of(url) is None:
        # Without the address: it holds the key of the stream.
        msg = f"{name}: a stream goes to an address that begins with "
        msg += f"{', '.join(sorted(f'{each}://' for each in schemes))} and holds no spaces or line breaks"
        raise ValueError(msg)
