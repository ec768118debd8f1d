"""Simulated live video: a correct app streams, and the cloud ends, displaces, resumes and forgets as in P3 6."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import CloudRefusedError, DeviceUnavailableError, RequestTimedOutError, SessionClosedError, StreamError
from mentra_trio.models import VideoState
from mentra_trio.simulator import Mode

from .test_photos import PACKAGE, worn

RTMP = "rtmp://live.example.com/app/key"


async def test_a_direct_stream_flows_while_its_block_runs(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        async with session.camera.open_stream(RTMP) as stream:
            assert [user.glasses.camera.stream_url] == [RTMP]
            assert stream.status.value.state is VideoState.ACTIVE
            await trio.sleep(300)
            assert stream.status.value.state is VideoState.ACTIVE, "the phone answers keep-alives"
        await wait_all_tasks_blocked()
        assert [user.glasses.camera.stream_url, await session.camera.check_stream()] == [None, None]


async def test_a_managed_stream_can_be_watched(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        async with session.camera.open_stream() as stream:
            assert stream.urls.webrtc is not None
            assert (user.glasses.camera.stream_url or "").endswith("/publish")
            status = await stream.status.wait_for(lambda status: status.urls.preview is not None)
            assert status.message == "Stream is now live"
            found = await session.camera.check_stream()
            assert found is not None
            assert (found.is_managed, found.viewers, found.stream_id) == (True, 1, stream.stream_id)
        await wait_all_tasks_blocked()
        assert user.glasses.camera.stream_url is None


async def test_restream_targets_make_it_another_kind(autojump_clock: MockClock) -> None:
    async with worn() as (user, session), session.camera.open_stream(restream_to=[RTMP]) as stream:
        assert stream.urls.webrtc is None
        assert stream.urls.hls is not None
        assert (user.glasses.camera.stream_url or "").startswith("srt://")
        assert [target.url for target in stream.status.value.targets] == [RTMP]


@pytest.mark.parametrize("url", [RTMP, None])
async def test_a_lost_connection_leaves_the_stream_alone(autojump_clock: MockClock, url: str | None) -> None:
    async with worn() as (user, session), session.camera.open_stream(url) as stream:
        user.socket(PACKAGE).cut()
        await trio.sleep(20)
        assert session.connections == 2
        assert stream.status.value.state is VideoState.ACTIVE


@pytest.mark.parametrize("url", [RTMP, None])
async def test_the_end_of_the_session_ends_the_stream_at_once(autojump_clock: MockClock, url: str | None) -> None:
    """P3 6.5: the cloud would let it go on."""
    async with worn() as (user, session), session.camera.open_stream(url) as stream:
        await session.end()
        await trio.sleep(0.1)
        assert user.glasses.camera.stream_url is None
        assert stream.status.value.message == "the session is over"


@pytest.mark.parametrize("url", [RTMP, None])
async def test_a_wearer_who_stops_the_app_stops_its_stream(autojump_clock: MockClock, url: str | None) -> None:
    """P3 6.5: the cloud would let it go on; but it waits for the app's answer before it closes the socket (P1 1.2)."""
    async with worn() as (user, session):
        async with session.camera.open_stream(url) as stream:
            await user.stop(PACKAGE)
            assert user.glasses.camera.stream_url is None
            assert (await stream.wait_end()).message == "the session is over"
        assert [each.fields["type"] for each in user.phone_log if each.fields].count("stop_stream") == 1


@pytest.mark.parametrize("url", [RTMP, None])
async def test_a_wearer_who_stops_the_app_while_its_stream_starts_stops_that(
    autojump_clock: MockClock, url: str | None
) -> None:
    async with worn() as (user, session), trio.open_nursery() as nursery:

        async def film() -> None:
            with pytest.raises(SessionClosedError):
                async with session.camera.open_stream(url, clear=False):
                    pass

        nursery.start_soon(film)
        await trio.sleep(0.5)
        await user.stop(PACKAGE)
        await trio.sleep(10)
        assert user.glasses.camera.stream_url is None


async def test_a_stream_that_ends_while_the_connection_is_lost_is_found_out(autojump_clock: MockClock) -> None:
    async with worn() as (user, session), session.camera.open_stream(RTMP) as stream:
        user.socket(PACKAGE).cut()
        await wait_all_tasks_blocked()
        user.phone_message({"type": "stream_status", "streamId": stream.stream_id, "status": "stopped"})
        assert (await stream.wait_end()).message == "it ended while the connection was lost"


async def test_silent_glasses_never_start(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        user.glasses.camera.streams = False
        with pytest.raises(RequestTimedOutError):
            async with session.camera.open_stream(RTMP):
                pass
        await wait_all_tasks_blocked()
        assert await session.camera.check_stream() is None


@pytest.mark.parametrize(("url", "state"), [(RTMP, VideoState.TIMEOUT), (None, VideoState.ERROR)])
async def test_a_phone_that_falls_silent_ends_the_stream(
    autojump_clock: MockClock, url: str | None, state: VideoState
) -> None:
    async with worn() as (user, session), session.camera.open_stream(url) as stream:
        user.glasses.camera.streams = False
        since = trio.current_time()
        assert (await stream.wait_end()).state is state
        assert 40 < trio.current_time() - since <= 56


async def test_an_error_of_the_glasses_reaches_a_managed_stream_with_its_words(autojump_clock: MockClock) -> None:
    async with worn() as (user, session), session.camera.open_stream() as stream:
        report = {"type": "stream_status", "streamId": stream.stream_id, "status": "error", "errorDetails": "too hot"}
        user.phone_message(report)
        end = await stream.wait_end()
        assert (end.state, end.message) == (VideoState.ERROR, "too hot")


async def test_what_was_left_behind_is_found_and_stopped(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        await session.raw.send("stream_request", streamUrl="rtmp://old.example.com/key")
        await trio.sleep(2)
        async with session.camera.open_stream(RTMP):
            assert user.glasses.camera.stream_url == RTMP
        await session.raw.send("managed_stream_request")
        await trio.sleep(5)
        async with session.camera.open_stream(RTMP):
            assert user.glasses.camera.stream_url == RTMP


async def test_without_wifi_there_is_no_video(autojump_clock: MockClock) -> None:
    async with worn() as (user, session):
        user.update_device(wifiConnected=False)
        await trio.sleep(1)
        for url in (RTMP, None):
            with pytest.raises(DeviceUnavailableError, match="WiFi"):
                async with session.camera.open_stream(url):
                    pass
            await trio.sleep(1)


async def test_a_managed_stream_beside_a_direct_one_is_refused(autojump_clock: MockClock) -> None:
    async with worn() as (_, session):
        await session.raw.send("stream_request", streamUrl=RTMP)
        with pytest.raises(CloudRefusedError, match="unmanaged stream already active"):
            async with session.camera.open_stream(clear=False):
                pass


async def test_glasses_that_stop_at_once(autojump_clock: MockClock) -> None:
    async with worn() as (user, session), trio.open_nursery() as nursery:
        errors: list[StreamError] = []

        async def watch() -> None:
            try:
                async with session.camera.open_stream(RTMP):
                    pass
            except StreamError as error:
                errors.append(error)

        user.acts_by_itself = False
        nursery.start_soon(watch)
        await trio.sleep(1)
        (asked,) = [
            message.fields
            for message in user.phone_log
            if message.fields is not None and message.fields["type"] == "start_stream"
        ]
        user.phone_message({"type": "stream_status", "streamId": asked["streamId"], "status": "reconnect_failed"})
        await trio.sleep(1)
        assert [error.code for error in errors] == ["STOPPED"]


async def test_a_stream_to_nowhere_is_told(autojump_clock: MockClock) -> None:
    async with worn(mode=Mode.FAITHFUL) as (user, session):
        await session.raw.send("stream_request")
        await trio.sleep(1)
        assert [violation.rule for violation in user.socket(PACKAGE)._cloud.violations] == ["P3 6.2"]
