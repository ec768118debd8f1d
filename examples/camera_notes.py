"""Press a button, take a photo, and keep it under the time at which it came."""

import logging
from pathlib import Path

from mentra_trio import DeviceUnavailableError, MentraSession, MiniAppServer, PhotoError, RequestTimedOutError
from mentra_trio.models import PhotoSize

log = logging.getLogger("camera_notes")
ALBUM: Path | None = None
"""Where photos are kept; they are only counted unless you say where."""
app = MiniAppServer(package_name="com.example.camera")


@app.on_session
async def notes(session: MentraSession) -> None:
    """Take a photo at each press."""
    await session.display.show_text_wall("Press to take a photo")
    async with session.device.buttons.stream() as presses:
        async for _ in presses:
            await take_note(session)


async def take_note(session: MentraSession) -> None:
    await session.display.show_text_wall("Hold still ...")
    try:
        photo = await session.camera.take_photo(size=PhotoSize.SMALL)
    except PhotoError as error:
        await session.display.show_text_wall(f"No photo: {error.code}")
    except (DeviceUnavailableError, RequestTimedOutError) as error:
        log.warning("%s", error)
        await session.display.show_text_wall("The glasses cannot take photos now")
    else:
        if ALBUM is not None:
            name = f"{photo.received_at:%Y-%m-%d %H.%M.%S}.jpg"
            (ALBUM / name).write_bytes(photo.data)
        await session.display.show_text_wall(f"A photo of {len(photo.data)} bytes")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app.run()
