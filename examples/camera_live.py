"""Press a button to go live, press again to stop. Friends watch in a browser."""

import logging

import trio

from mentra_trio import EventStream, MentraSession, MiniAppServer, StreamError
from mentra_trio.errors import RequestError
from mentra_trio.models import ButtonPress, VideoOptions

log = logging.getLogger("camera_live")
app = MiniAppServer(package_name="com.example.live")


@app.on_session
async def live(session: MentraSession) -> None:
    """Go live at each press that finds nothing on."""
    await session.display.show_text_wall("Press to go live")
    async with session.device.buttons.stream() as presses:
        async for _ in presses:
            try:
                over = await go_live(session, presses)
            except StreamError as error:
                over = f"No video: {error.code}"
            except RequestError as error:
                log.warning("%s", error)
                over = "The glasses cannot stream now"
            await session.display.show_text_wall(f"{over}\nPress to go live")


async def go_live(session: MentraSession, presses: EventStream[ButtonPress]) -> str:
    """Stream until the next press, or until the stream ends by itself; tell how it ended."""
    over = "You stopped"
    await session.display.show_text_wall("Going live ...")
    async with (
        session.camera.open_stream(video=VideoOptions(width=1280, height=720)) as stream,
        trio.open_nursery() as nursery,
    ):
        log.info("watch at %s", stream.urls.webrtc)
        await session.display.show_text_wall("Live, press to stop")

        @nursery.start_soon
        async def wait_press() -> None:
            async for _ in presses:
                nursery.cancel_scope.cancel()

        status = await stream.wait_end()
        over = f"It ended: {status.state}"
        nursery.cancel_scope.cancel()
    return over


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app.run()
