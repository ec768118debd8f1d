"""Live video as the cloud does it for an app that is played by hand: moments no correct app meets (P3 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .apps import ALPHA, BETA, World, settle, world

if TYPE_CHECKING:
    from trio.testing import MockClock

    from .apps import Socket

RTMP = "rtmp://live.example.com/app/key"


async def ready(here: World, package_name: str = ALPHA) -> Socket:
    """Start an app on glasses that may stream."""
    here.user.update_device(wifiConnected=True)
    return await here.start(package_name)


async def managed(socket: Socket, package_name: str = ALPHA) -> None:
    await socket.send("managed_stream_request", packageName=package_name)
    await settle()


def states(socket: Socket, kind: str = "managed_stream_status") -> list[object]:
    return [message["status"] for message in socket.messages(kind)]


async def test_p3_6_4_an_acknowledgement_of_another_question_does_not_count(autojump_clock: MockClock) -> None:
    async with world(model="Mentra Live") as here:
        socket = await ready(here)
        here.user.acts_by_itself = False
        await socket.send("stream_request", packageName=ALPHA, streamUrl=RTMP)
        await settle()
        ((_, order),) = here.phone("start_stream")
        here.user.phone_message({"type": "stream_status", "streamId": order["streamId"], "status": "active"})
        for _ in range(10):
            await trio.sleep(10)
            here.user.phone_message({"type": "keep_alive_ack", "streamId": order["streamId"], "ackId": "another"})
        await settle()

        assert states(socket, "stream_status")[-1] == "timeout"


async def test_p3_6_4_a_phone_that_is_away_is_not_asked(autojump_clock: MockClock) -> None:
    async with world(model="Mentra Live") as here:
        socket = await ready(here)
        await socket.send("stream_request", packageName=ALPHA, streamUrl=RTMP)
        await trio.sleep(10)
        here.user.disconnect()
        await trio.sleep(50)
        await here.user.connect()
        await trio.sleep(50)

        assert states(socket, "stream_status")[-1] == "active"


async def test_p3_6_2_a_direct_stream_takes_the_place_of_a_managed_one(autojump_clock: MockClock) -> None:
    async with world(model="Mentra Live") as here:
        socket = await ready(here)
        await managed(socket)
        await trio.sleep(10)
        await socket.send("stream_request", packageName=ALPHA, streamUrl=RTMP)
        await trio.sleep(5)

        assert states(socket)[-1] == "stopped"
        assert here.user.glasses.camera.stream_url == RTMP


async def test_p3_6_3_who_joins_before_the_stream_has_begun_is_told_with_the_others(autojump_clock: MockClock) -> None:
    async with world(model="Mentra Live") as here:
        alpha, beta = await ready(here), await ready(here, BETA)
        await managed(alpha)
        await managed(beta, BETA)
        assert states(beta) == []
        await trio.sleep(10)

        assert states(alpha) == states(beta)
        assert states(beta)[-1] == "active"


async def test_p3_6_3_only_a_viewer_can_leave(autojump_clock: MockClock) -> None:
    async with world(model="Mentra Live") as here:
        alpha, beta = await ready(here), await ready(here, BETA)
        await managed(alpha)
        await trio.sleep(10)
        await beta.send("managed_stream_stop", packageName=BETA)
        await trio.sleep(5)

        assert states(alpha)[-1] == "active"
        assert states(beta) == []


async def test_p3_6_5_an_app_that_connects_is_told_of_a_stream_that_it_does_not_watch(
    autojump_clock: MockClock,
) -> None:
    async with world(model="Mentra Live") as here:
        await managed(await ready(here))
        await trio.sleep(10)
        beta = await ready(here, BETA)

        assert states(beta) == ["active"]
        assert beta.messages("managed_stream_status")[0]["activeViewers"] == 1


async def test_p3_6_3_a_stream_that_is_stopped_at_once_never_begins(autojump_clock: MockClock) -> None:
    for pause in (1.0, 4.0):
        async with world(model="Mentra Live") as here:
            here.user.glasses.camera.streams = False
            socket = await ready(here)
            await managed(socket)
            await trio.sleep(pause)
            await socket.send("managed_stream_stop", packageName=ALPHA)
            await trio.sleep(20)

            assert states(socket)[-1] == "stopped"
            assert "active" not in states(socket)
            assert len(here.phone("start_stream")) == (pause > 3)


async def test_p3_6_3_the_cloud_looks_again_and_again_whether_video_arrives(autojump_clock: MockClock) -> None:
    async with world(model="Mentra Live") as here:
        socket = await ready(here)
        here.user.acts_by_itself = False
        await managed(socket)
        await trio.sleep(20)
        ((_, order),) = here.phone("start_stream")
        here.user.phone_message({"type": "stream_status", "streamId": order["streamId"], "status": "active"})
        await trio.sleep(2)

        assert socket.messages("managed_stream_status")[-1]["message"] == "Stream is now live"
