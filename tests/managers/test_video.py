"""`session.camera.open_stream`: one block for a stream, whatever happens to it and to the connection (P3 6)."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import (
    CloudRefusedError,
    DeviceUnavailableError,
    MentraSession,
    PermissionDeniedError,
    PhotoError,
    RequestTimedOutError,
    SessionClosedError,
    StreamError,
)
from mentra_trio.managers.camera.video import VideoStream
from mentra_trio.models import AudioOptions, ExistingVideo, VideoOptions, VideoState, VideoUrls
from mentra_trio.session import SessionHandler
from tests.scripted_cloud import (
    PACKAGE,
    Call,
    CloudSocket,
    Connected,
    Json,
    connected,
    open_app,
    open_cloud,
    stop_request,
)

RTMP = "rtmp://live.example.com/app/key"
HLS = {"hlsUrl": "https://c.example.com/video.m3u8", "dashUrl": "https://c.example.com/video.mpd"}


@attrs.define(eq=False)
class Viewer:
    """A stream in the background, and what came of it."""

    open: Callable[[], AbstractAsyncContextManager[VideoStream]]
    stream: VideoStream | None = None
    outcome: object = None
    ended_at: float | None = None
    leave: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def run(self) -> None:
        with self.scope:
            try:
                async with self.open() as self.stream:
                    await self.leave.wait()
            except Exception as error:  # noqa: BLE001 - what comes is what is tested
                self.outcome = error
        self.ended_at = trio.current_time()

    @property
    def seen(self) -> tuple[str, VideoState]:
        """What the block knows."""
        return self.live.stream_id, self.live.status.value.state

    @property
    def live(self) -> VideoStream:
        assert self.stream is not None, self.outcome
        return self.stream


async def tell(socket: CloudSocket, status: str, stream_id: str = "s1", *, twin: bool = True, **more: object) -> None:
    """Tell a status of a direct stream, twice as the cloud does."""
    for kind in ("stream_status", "rtmp_stream_status")[: 1 + twin]:
        await socket.send(kind, streamId=stream_id, status=status, appId="com.example.app", **more)
    await wait_all_tasks_blocked()


async def tell_managed(socket: CloudSocket, status: str, stream_id: str = "m1", **more: object) -> None:
    await socket.send("managed_stream_status", streamId=stream_id, status=status, **more)
    await wait_all_tasks_blocked()


@attrs.define(eq=False)
class Scene:
    link: Connected
    nursery: trio.Nursery

    @property
    def socket(self) -> CloudSocket:
        return self.link.socket

    async def open(self, url: str | None = RTMP, *, clear: bool = False, **options: object) -> tuple[Viewer, Json]:
        """Begin a stream; give it with the request."""
        camera = self.link.session.camera
        viewer = Viewer(lambda: camera.open_stream(url, clear=clear, **options))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.nursery.start_soon(viewer.run)
        return viewer, await self.socket.expect("stream_request" if url else "managed_stream_request")

    async def open_live(self) -> Viewer:
        """Begin a direct stream that flows."""
        viewer, _ = await self.open()
        await tell(self.socket, "initializing")
        await tell(self.socket, "active")
        return viewer


@asynccontextmanager
async def scene(**ack: object) -> AsyncGenerator[Scene, None]:
    async with connected(capabilities=ack.get("capabilities")) as link, trio.open_nursery() as nursery:
        nursery.start_soon(link.runtime.run_services)
        await wait_all_tasks_blocked()
        link.socket.unread()
        yield Scene(link, nursery)
        nursery.cancel_scope.cancel()


async def test_a_direct_stream_is_entered_when_video_flows_and_stopped_when_left(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer, request = await at.open()
        assert request["streamUrl"] == RTMP
        await tell(at.socket, "initializing")
        assert viewer.stream is None
        await tell(at.socket, "active")
        assert viewer.live.stream_id == "s1"
        viewer.leave.set()
        assert (await at.socket.expect("stream_stop"))["streamId"] == "s1"


async def test_all_options_are_sent_and_nothing_else(autojump_clock: MockClock) -> None:
    async with scene() as at:
        video = VideoOptions(width=1280, height=720, frame_rate=30, bitrate=2_000_000)
        audio = AudioOptions(bitrate=64_000, sample_rate=44_100, echo_cancellation=True, noise_suppression=False)
        _, request = await at.open(video=video, audio=audio, sound=False)
        envelope = ("type", "packageName", "sessionId", "timestamp")
        assert {key: request[key] for key in request if key not in envelope} == {
            "streamUrl": RTMP,
            "video": {"width": 1280, "height": 720, "frameRate": 30, "bitrate": 2_000_000},
            "audio": {"bitrate": 64_000, "sampleRate": 44_100, "echoCancellation": True, "noiseSuppression": False},
            "sound": False,
        }


async def test_a_managed_stream_says_where_it_can_be_watched(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer, request = await at.open(None, restream_to=["rtmp://a.example.com/live/key"])
        assert request["restreamDestinations"] == [{"url": "rtmp://a.example.com/live/key"}]
        await tell_managed(at.socket, "initializing", message="Waiting for stream to start...", **HLS)
        assert viewer.stream is None
        await tell_managed(at.socket, "active", **HLS)
        assert viewer.live.urls == VideoUrls(hls=HLS["hlsUrl"], dash=HLS["dashUrl"])
        outputs = [{"url": "rtmp://a.example.com/live/key", "name": "A", "status": "active"}, "odd"]
        await tell_managed(at.socket, "active", previewUrl="https://p.example.com", outputs=outputs, **HLS)
        status = viewer.live.status.value
        assert (status.urls.preview, [target.name for target in status.targets]) == ("https://p.example.com", ["A"])
        assert "key" not in repr(status)
        viewer.leave.set()
        await at.socket.expect("managed_stream_stop")


async def test_each_change_is_told_once(autojump_clock: MockClock) -> None:
    """P3 6.7: every status of a direct stream comes twice."""
    async with scene() as at:
        viewer = await at.open_live()
        seen: list[VideoState] = []

        async def watch() -> None:
            async for status in viewer.live.status.changes():
                seen.append(status.state)  # noqa: PERF401 - looked at while it goes on

        at.nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        for status in ("active", "initializing", "initializing", "active", "odd"):
            await tell(at.socket, status)
        assert seen == [VideoState.INITIALIZING, VideoState.ACTIVE, VideoState.UNKNOWN]


async def test_the_end_of_an_older_stream_is_not_that_of_this_one(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer, _ = await at.open()
        await tell(at.socket, "stopped", "s0")
        await tell(at.socket, "initializing", "s1")
        await tell(at.socket, "active", "s1")
        await tell(at.socket, "stopped", "s0")
        await tell_managed(at.socket, "stopped")
        assert viewer.live.status.value.state is VideoState.ACTIVE


@pytest.mark.parametrize(("told", "state"), [("stopped", VideoState.STOPPED), ("timeout", VideoState.TIMEOUT)])
async def test_a_stream_that_ends_is_told_and_not_stopped_again(
    autojump_clock: MockClock, told: str, state: VideoState
) -> None:
    async with scene() as at:
        viewer = await at.open_live()
        await tell(at.socket, told)
        with trio.fail_after(1):
            assert (await viewer.live.wait_end()).state is state
        viewer.leave.set()
        await wait_all_tasks_blocked()
        assert at.socket.unread() == []


async def test_what_was_told_before_the_start_was_answered_is_no_news(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer, _ = await at.open(None)
        await tell_managed(at.socket, "stopping")
        await tell_managed(at.socket, "odd")
        await at.socket.send("managed_stream_status")
        await tell_managed(at.socket, "active", **HLS)
        assert viewer.seen == ("m1", VideoState.ACTIVE)
        assert viewer.live.urls.hls == HLS["hlsUrl"]
        await tell_managed(at.socket, "stopping")
        assert viewer.seen == ("m1", VideoState.STOPPING)


async def test_a_status_without_a_name_does_not_take_the_name_away(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer = await at.open_live()
        await at.socket.send("stream_status", status="initializing")
        await wait_all_tasks_blocked()
        assert viewer.seen == ("s1", VideoState.INITIALIZING)
        await tell(at.socket, "stopped", "s0")
        assert viewer.seen == ("s1", VideoState.INITIALIZING)
        await tell(at.socket, "stopped", "s1")
        assert viewer.seen == ("s1", VideoState.STOPPED)


async def test_a_name_that_comes_late_is_taken(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer, _ = await at.open(None)
        await at.socket.send("managed_stream_status", status="active", **HLS)
        await tell_managed(at.socket, "stopping", "m1")
        assert viewer.seen == ("m1", VideoState.STOPPING)


async def test_a_managed_stream_that_ends_before_it_began_is_an_error_at_once(autojump_clock: MockClock) -> None:
    """Another app's direct stream evicts it while the cloud still waits to tell the phone (P3 6.3)."""
    async with scene() as at:
        viewer, _ = await at.open(None)
        await tell_managed(at.socket, "stopped", message="displaced")
        assert isinstance(viewer.outcome, StreamError)
        assert (viewer.outcome.code, viewer.ended_at) == ("STOPPED", 0)
        assert at.socket.unread() == []


async def test_the_end_of_the_managed_stream_before_is_no_answer(autojump_clock: MockClock) -> None:
    async with scene() as at:
        older, _ = await at.open(None)
        older.scope.cancel()
        await at.socket.expect("managed_stream_stop")
        viewer, _ = await at.open(None)
        await tell_managed(at.socket, "stopped", "m0")
        assert viewer.outcome is None
        await tell_managed(at.socket, "active", **HLS)
        assert viewer.live.stream_id == "m1"


async def test_a_direct_stream_that_does_not_come_up_is_an_error(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer, _ = await at.open()
        await tell(at.socket, "initializing")
        await tell(at.socket, "stopped")
        assert isinstance(viewer.outcome, StreamError)
        assert viewer.outcome.code == "STOPPED"


async def test_a_managed_stream_that_fails_says_why(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer, _ = await at.open(None)
        await tell_managed(at.socket, "error", message="camera gone")
        assert isinstance(viewer.outcome, StreamError)
        assert (viewer.outcome.code, viewer.outcome.text) == ("ERROR", "camera gone")


async def test_a_start_that_nobody_answers_is_taken_back(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer, _ = await at.open()
        assert "streamId" not in await at.socket.expect("stream_stop")
        assert isinstance(viewer.outcome, RequestTimedOutError)
        assert viewer.ended_at == 15


async def test_video_that_never_flows_is_taken_back(autojump_clock: MockClock) -> None:
    """P3 6.7: a start that is given up without a stop leaves a stream behind."""
    async with scene() as at:
        viewer, _ = await at.open(None)
        await trio.sleep(4)
        await tell_managed(at.socket, "initializing", **HLS)
        await at.socket.expect("managed_stream_stop")
        assert isinstance(viewer.outcome, RequestTimedOutError)
        assert viewer.ended_at == 79


async def test_cancelling_at_any_moment_stops_it(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer, _ = await at.open()
        viewer.scope.cancel()
        await at.socket.expect("stream_stop")
        viewer = await at.open_live()
        viewer.scope.cancel()
        await at.socket.expect("stream_stop")


@pytest.mark.parametrize(
    ("code", "text", "error"),
    [
        ("PERMISSION_DENIED", "Camera permission required to start video streams", PermissionDeniedError),
        ("WIFI_NOT_CONNECTED", "smart glasses must be connected to WiFi", DeviceUnavailableError),
        ("INTERNAL_ERROR", "Cannot start managed stream - unmanaged stream already active", CloudRefusedError),
    ],
)
async def test_a_refusal_fails_the_start_at_once(
    autojump_clock: MockClock, code: str, text: str, error: type[Exception]
) -> None:
    async with scene() as at:
        viewer, _ = await at.open()
        await at.socket.send("tpa_connection_error", code=code, message=text)
        await at.socket.close(1008, text)
        await wait_all_tasks_blocked()
        assert type(viewer.outcome) is error
        assert viewer.ended_at == 0


async def test_one_stream_at_a_time_and_no_photo_meanwhile(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer = await at.open_live()
        camera = at.link.session.camera
        with pytest.raises(StreamError) as refused:
            async with camera.open_stream(RTMP):
                pass
        assert refused.value.code == "ALREADY_STREAMING"
        with pytest.raises(PhotoError) as busy:
            await camera.take_photo()
        assert busy.value.code == "CAMERA_BUSY"
        viewer.leave.set()
        await at.socket.expect("stream_stop")
        await at.open()


async def test_glasses_without_a_camera_are_not_asked(autojump_clock: MockClock) -> None:
    async with scene(capabilities={"modelName": "Even Realities G1", "hasCamera": False}) as at:
        with pytest.raises(DeviceUnavailableError):
            async with at.link.session.camera.open_stream(RTMP):
                pass


# What was left behind


async def answer_check(socket: CloudSocket, **info: object) -> None:
    await socket.expect("stream_status_check")
    await socket.send(
        "stream_status_check_response", hasActiveStream=bool(info), **({"streamInfo": info} if info else {})
    )


async def begin_with_clear(at: Scene, *, takeover: bool = False) -> Viewer:
    viewer = Viewer(lambda: at.link.session.camera.open_stream(RTMP, takeover=takeover))
    at.nursery.start_soon(viewer.run)
    await wait_all_tasks_blocked()
    return viewer


async def test_a_stream_that_was_left_behind_is_stopped_first(autojump_clock: MockClock) -> None:
    async with scene() as at:
        await begin_with_clear(at)
        await answer_check(at.socket, type="unmanaged", streamId="s0", status="active", requestingAppId=PACKAGE)
        assert "streamId" not in await at.socket.expect("stream_stop")
        await answer_check(at.socket)
        await at.socket.expect("stream_request")


@pytest.mark.parametrize("takeover", [False, True])
async def test_another_apps_stream_is_only_taken_over_on_request(autojump_clock: MockClock, takeover: bool) -> None:
    async with scene() as at:
        viewer = await begin_with_clear(at, takeover=takeover)
        for stopped in ("managed_stream_stop", None):
            await answer_check(at.socket, type="managed", streamId="m0", status="active", activeViewers=1)
            if stopped:
                await at.socket.expect(stopped)
        if takeover:
            await at.socket.expect("stream_request")
        else:
            await wait_all_tasks_blocked()
            assert isinstance(viewer.outcome, StreamError)
            assert viewer.outcome.code == "CAMERA_IN_USE"


@pytest.mark.parametrize("takeover", [False, True])
async def test_another_apps_direct_stream_is_not_stopped_to_find_that_out(
    autojump_clock: MockClock, takeover: bool
) -> None:
    """P3 6.2: the cloud tells the phone to stop whatever streams, also where that belongs to another app."""
    async with scene() as at:
        viewer = await begin_with_clear(at, takeover=takeover)
        await answer_check(at.socket, type="unmanaged", streamId="s0", status="active", requestingAppId="com.other")
        if takeover:
            await at.socket.expect("stream_request")
        else:
            await wait_all_tasks_blocked()
            assert isinstance(viewer.outcome, StreamError)
            assert viewer.outcome.code == "CAMERA_IN_USE"
            assert at.socket.unread() == []


async def test_a_cloud_that_does_not_answer_knows_of_no_stream(autojump_clock: MockClock) -> None:
    async with scene() as at:
        await begin_with_clear(at)
        await at.socket.expect("stream_status_check")
        await at.socket.expect("stream_request")
        assert trio.current_time() == 5


async def test_what_streams_can_be_asked(autojump_clock: MockClock) -> None:
    async with scene() as at:
        found: list[ExistingVideo | None] = []

        async def ask() -> None:
            found.append(await at.link.session.camera.check_stream())

        at.nursery.start_soon(ask)
        await answer_check(
            at.socket,
            type="managed",
            streamId="m1",
            status="active",
            createdAt="2026-06-14T09:10:00.000Z",
            activeViewers=2,
        )
        await wait_all_tasks_blocked()
        at.nursery.start_soon(ask)
        await answer_check(at.socket)
        await wait_all_tasks_blocked()
        first = found[0]
        assert first is not None
        assert (first.stream_id, first.is_managed, first.viewers, first.state) == ("m1", True, 2, VideoState.ACTIVE)
        assert first.created_at is not None
        assert found[1] is None


@pytest.mark.parametrize("info", [{}, {"streamId": 5}, {"streamId": "s", "createdAt": "never", "activeViewers": True}])
async def test_an_odd_description_is_read_as_far_as_it_goes(autojump_clock: MockClock, info: Json) -> None:
    async with scene() as at:
        found: list[ExistingVideo | None] = []

        async def ask() -> None:
            found.append(await at.link.session.camera.check_stream())

        at.nursery.start_soon(ask)
        await at.socket.expect("stream_status_check")
        await at.socket.send("stream_status_check_response", hasActiveStream=True, streamInfo=info)
        await wait_all_tasks_blocked()
        (one,) = found
        assert one is not None
        name = info.get("streamId")
        assert one.stream_id == (name if isinstance(name, str) else "")
        assert (one.created_at, one.viewers, one.state) == (None, None, VideoState.UNKNOWN)


# The connection


async def test_a_lost_connection_does_not_touch_the_stream(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer = await at.open_live()
        await at.socket.cut()
        socket = await at.link.next_socket()
        await socket.send("rtmp_stream_status", streamId="s1", status="active", resumed=True)
        await answer_check(socket, type="unmanaged", streamId="s1", status="active")
        await wait_all_tasks_blocked()
        assert viewer.live.status.value.state is VideoState.ACTIVE
        viewer.leave.set()
        assert (await socket.expect("stream_stop"))["streamId"] == "s1"


@pytest.mark.parametrize("url", [None, RTMP])
async def test_a_stream_that_began_while_nothing_was_heard_is_found(autojump_clock: MockClock, url: str | None) -> None:
    """P3 6.5: the cloud says again what goes on, and not what it has said."""
    async with scene() as at:
        viewer, _ = await at.open(url)
        await at.socket.cut()
        socket = await at.link.next_socket()
        if url is None:
            await socket.send("rtmp_stream_status", streamId="s0", status="active", resumed=True)
            await tell_managed(socket, "active", resumed=True, **HLS)
            await answer_check(socket, type="managed", streamId="m1", status="active")
        else:
            await tell(socket, "active", twin=False, resumed=True)
            await answer_check(socket, type="unmanaged", streamId="s1", status="active")
        await wait_all_tasks_blocked()
        assert viewer.seen == ("s1" if url else "m1", VideoState.ACTIVE)
        viewer.leave.set()
        await socket.expect("stream_stop" if url else "managed_stream_stop")


async def test_what_goes_on_before_the_start_is_sent_is_no_answer(autojump_clock: MockClock) -> None:
    """The start of a stream waits for the connection, which begins with what an older one does."""
    async with scene() as at:
        await at.socket.cut()
        camera = at.link.session.camera
        viewer = Viewer(lambda: camera.open_stream(clear=False))
        at.nursery.start_soon(viewer.run)
        await wait_all_tasks_blocked()
        socket = await at.link.next_socket()
        await tell_managed(socket, "active", "m0", resumed=True, **HLS)
        await socket.expect("managed_stream_request")
        await wait_all_tasks_blocked()
        assert viewer.stream is None
        await tell_managed(socket, "active", **HLS)
        assert viewer.seen == ("m1", VideoState.ACTIVE)


@pytest.mark.parametrize("info", [{}, {"type": "unmanaged", "streamId": "other", "status": "active"}])
async def test_a_stream_that_ended_while_nothing_was_heard_is_found_out(autojump_clock: MockClock, info: Json) -> None:
    """P3 6.5: the cloud tells only of what goes on."""
    async with scene() as at:
        viewer = await at.open_live()
        await at.socket.cut()
        socket = await at.link.next_socket()
        await answer_check(socket, **info)
        await wait_all_tasks_blocked()
        assert (await viewer.live.wait_end()).message == "it ended while the connection was lost"


async def test_a_stop_waits_for_the_connection(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer = await at.open_live()
        await at.socket.cut()
        viewer.leave.set()
        await wait_all_tasks_blocked()
        socket = await at.link.next_socket()
        await socket.expect("stream_stop")


async def lose_stop(at: Scene) -> CloudSocket:
    """Leave the block of a stream on a connection that is lost already; give the next one."""
    viewer = await at.open_live()
    at.socket.line.lose_peer()
    viewer.leave.set()
    await wait_all_tasks_blocked()
    at.socket.line.end()
    return await at.link.next_socket()


async def test_a_stop_that_was_lost_with_the_connection_is_sent_again(autojump_clock: MockClock) -> None:
    """Else the glasses go on, and nobody knows. The cloud tells what goes on when the app is back (P3 6.5)."""
    async with scene() as at:
        socket = await lose_stop(at)
        await tell(socket, "active", "other", twin=False, resumed=True)
        assert socket.unread() == []
        await tell(socket, "active", "s1", twin=False, resumed=True)
        (stop,) = socket.unread()
        assert (stop["type"], stop["streamId"]) == ("stream_stop", "s1")
        await tell(socket, "stopping", "s1")
        await tell(socket, "stopped", "s1")
        assert socket.unread() == []


async def test_a_stop_is_not_sent_again_without_a_need(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer = await at.open_live()
        viewer.leave.set()
        await at.socket.expect("stream_stop")
        await tell(at.socket, "active")
        await tell(at.socket, "stopping")
        assert at.socket.unread() == []
        await trio.sleep(31)
        assert at.link.session.statistics().streams.open == ()


async def test_a_new_stream_is_not_stopped_because_a_stop_may_have_been_lost(autojump_clock: MockClock) -> None:
    async with scene() as at:
        socket = await lose_stop(at)
        later = Viewer(lambda: at.link.session.camera.open_stream(RTMP, clear=False))
        at.nursery.start_soon(later.run)
        await socket.expect("stream_request")
        await tell(socket, "active", "s1", twin=False, resumed=True)
        assert socket.unread() == []


async def test_a_stream_that_has_ended_stays_as_it_ended_when_the_session_is_over(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer = await at.open_live()
        await tell(at.socket, "timeout")
        await at.link.session.end()
        await wait_all_tasks_blocked()

        assert viewer.seen == ("s1", VideoState.TIMEOUT)
        assert viewer.live.status.value.message != "the session is over"


async def test_the_end_of_the_session_is_the_end_of_what_can_be_told(autojump_clock: MockClock) -> None:
    async with scene() as at:
        viewer = await at.open_live()
        waiting = Viewer(lambda: at.link.session.camera.open_stream(RTMP))
        await at.link.session.end()
        await wait_all_tasks_blocked()
        assert (await viewer.live.wait_end()).message == "the session is over"
        viewer.leave.set()
        await wait_all_tasks_blocked()
        at.nursery.start_soon(waiting.run)
        await wait_all_tasks_blocked()
        assert isinstance(waiting.outcome, SessionClosedError)


async def leave_at_once(session: MentraSession) -> None:
    """A handler that ends with its session."""
    async with session.camera.open_stream(RTMP, clear=False) as stream:
        await stream.wait_end()


async def stay(session: MentraSession) -> None:
    """A handler that uses all of its grace."""
    with suppress(SessionClosedError):
        await leave_at_once(session)
    await trio.sleep_forever()


@asynccontextmanager
async def stopped(handler: SessionHandler, *, is_live: bool = True) -> AsyncGenerator[tuple[CloudSocket, Call], None]:
    """The wearer stops an app that streams, or that has only just asked for it."""
    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        cloud.answers_pings = False
        socket = await app.start()
        await socket.expect("stream_request")
        if is_live:
            await tell(socket, "initializing")
            await tell(socket, "active")
        call = app.post_soon(stop_request())
        await wait_all_tasks_blocked()
        yield socket, call


@pytest.mark.parametrize("is_live", [True, False])
async def test_a_stop_is_answered_when_the_cloud_has_read_that_of_the_stream(
    autojump_clock: MockClock, is_live: bool
) -> None:
    """P1 1.2: it closes the socket after the answer; P3 6.5: and lets the stream go on."""
    async with stopped(stay, is_live=is_live) as (socket, call):
        (stop,) = socket.unread()
        assert (stop["type"], stop.get("streamId")) == ("stream_stop", "s1" if is_live else None)
        assert [message["type"] for _, message in socket.received[-2:]] == ["stream_stop", "ping"]
        before = call.is_answered
        await socket.send("pong")
        await wait_all_tasks_blocked()
        assert [before, call.is_answered, socket.is_open] == [False, True, True]


async def test_stops_that_are_repeated_ask_the_cloud_once(autojump_clock: MockClock) -> None:
    """Anybody may send any number of them (P1 1.5)."""
    async with open_cloud() as cloud, open_app(cloud, stay) as app:
        cloud.answers_pings = False
        socket = await app.start()
        await socket.expect("stream_request")
        calls = [app.post_soon(stop_request()) for _ in range(20)]
        await wait_all_tasks_blocked()
        calls.append(app.post_soon(stop_request()))
        await wait_all_tasks_blocked()
        asked = len(socket.times_of("ping"))
        await socket.send("pong")
        await wait_all_tasks_blocked()
        assert (asked, [call.is_answered for call in calls]) == (1, [True] * 21)

        assert (await app.stop()).at == 0
        assert len(socket.times_of("ping")) == 1


async def test_the_pong_to_an_earlier_ping_does_not_say_that_the_stop_was_read(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud, stay) as app:
        cloud.answers_pings = False
        socket = await app.start()
        await socket.expect("stream_request")
        await trio.sleep(8)
        call = app.post_soon(stop_request())
        await wait_all_tasks_blocked()
        assert [message["type"] for _, message in socket.received[-3:]] == ["ping", "stream_stop", "ping"]
        answered: list[bool] = []
        for _ in range(2):
            await socket.send("pong")
            await wait_all_tasks_blocked()
            answered.append(call.is_answered)
        assert answered == [False, True]


async def test_a_stop_is_answered_when_the_socket_is_closed(autojump_clock: MockClock) -> None:
    async with stopped(leave_at_once) as (socket, call):
        assert (await call.answer()).at == 0
        assert not socket.is_open
        assert [message["type"] for message in socket.unread()] == ["stream_stop"]


async def test_a_stop_is_answered_after_a_second_if_the_cloud_says_nothing(autojump_clock: MockClock) -> None:
    """P1 1.5: the wearer's next app waits for the answer."""
    async with stopped(stay) as (_, call):
        assert (await call.answer()).at == 1


async def test_a_stop_without_a_stream_is_answered_at_once(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.answers_pings = False
        socket = await app.start()
        assert (await app.stop()).at == 0
        assert socket.times_of("ping") == []


async def test_a_stop_while_the_link_is_down_is_answered_at_once(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud, stay) as app:
        socket = await app.start()
        await socket.expect("stream_request")
        cloud.is_unreachable = True
        await socket.cut()
        assert (await app.stop()).at == 0


async def test_a_resumed_stream_is_no_answer_to_a_start(autojump_clock: MockClock) -> None:
    """P3 6.7: what exists on the device is not what this app asked for."""
    async with scene() as at:
        viewer, _ = await at.open()
        await tell(at.socket, "active", "s0", twin=False, resumed=True)
        assert viewer.stream is None
        await tell(at.socket, "active", "s1")
        assert viewer.live.stream_id == "s1"


# Mistakes


@pytest.mark.parametrize(
    "url",
    [
        "",
        "live.example.com/app",
        "ftp://live.example.com",
        "rtmp://",
        "file:///x",
        "RTMP://example.com/x",
        "rtmp://a b/c",
        "rtmp://live.example.com/app/key\n",
        "rtmp://live.example.com/app/a key",
    ],
)
async def test_an_address_that_nobody_can_stream_to_is_a_mistake(autojump_clock: MockClock, url: str) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="rtmp://"):
            link.session.camera.open_stream(url)


async def test_restream_targets_are_checked(autojump_clock: MockClock) -> None:
    async with connected() as link:
        camera = link.session.camera
        with pytest.raises(ValueError, match="managed"):
            camera.open_stream(RTMP, restream_to=[RTMP])
        with pytest.raises(ValueError, match="rtmp://"):
            camera.open_stream(restream_to=["https://example.com"])
        with pytest.raises(TypeError, match="list"):
            camera.open_stream(restream_to=RTMP)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"url": 5}, "url is int, not text"),
        ({"restream_to": None}, "restream_to is NoneType; pass a list"),
        ({"restream_to": [5]}, "each of restream_to is int, not text"),
        ({"video": {"width": 640}}, "video is dict; pass VideoOptions"),
        ({"audio": 5}, "audio is int; pass AudioOptions"),
        ({"sound": "yes"}, "sound is 'yes'; pass True or False"),
        ({"clear": 1}, "clear is 1; pass True or False"),
        ({"takeover": "no"}, "takeover is 'no'; pass True or False"),
    ],
)
async def test_options_of_another_kind_are_mistakes(autojump_clock: MockClock, options: Json, match: str) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match=match):
            link.session.camera.open_stream(**options)


@pytest.mark.parametrize("options", [{"width": 100}, {"height": 2000}, {"frame_rate": 5}, {"bitrate": 1}])
def test_what_glasses_would_clamp_is_a_mistake(options: Json) -> None:
    with pytest.raises(ValueError, match=r"it goes from \d+ to \d+"):
        VideoOptions(**options)


@pytest.mark.parametrize("options", [{"bitrate": 0}, {"sample_rate": -1}])
def test_no_sound_at_all_is_a_mistake(options: Json) -> None:
    with pytest.raises(ValueError, match="is positive"):
        AudioOptions(**options)


@pytest.mark.parametrize(
    ("kind", "options", "match"),
    [
        (VideoOptions, {"width": True}, "width is True; pass a whole number, or None"),
        (VideoOptions, {"width": 640.5}, "width is 640.5; pass a whole number, or None"),
        (AudioOptions, {"bitrate": "x"}, "bitrate is 'x'; pass a whole number, or None"),
        (AudioOptions, {"sample_rate": 44_100.0}, "sample_rate is 44100.0; pass a whole number, or None"),
        (AudioOptions, {"echo_cancellation": "no"}, "echo_cancellation is 'no'; pass True, False or None"),
        (AudioOptions, {"noise_suppression": 1}, "noise_suppression is 1; pass True, False or None"),
    ],
)
def test_what_is_no_option_is_a_mistake(kind: type[VideoOptions | AudioOptions], options: Json, match: str) -> None:
    with pytest.raises(TypeError, match=match):
        kind(**options)
