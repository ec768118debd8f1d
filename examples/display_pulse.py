"""Let a square grow and shrink on the glasses for six seconds, with each press of a button."""

import trio

from mentra_trio import DeviceUnavailableError, MentraSession, MiniAppServer
from mentra_trio.text.bitmap import Bitmap

app = MiniAppServer("com.example.pulse")


def square(size: int) -> bytes:
    """Draw a square of so many pixels, as a BMP file."""
    return Bitmap(width=size, height=size, rows=((1 << size) - 1,) * size).to_bmp()


@app.on_session
async def main(session: MentraSession) -> None:
    """Run once for each wearer."""
    async with session.device.buttons.stream() as presses:
        async for _ in presses:
            try:
                with trio.move_on_after(6):
                    await session.display.show_animation([square(20), square(60)], repeat=None)
            except DeviceUnavailableError as error:
                await session.display.show_text(str(error))
            else:
                await session.display.clear()


if __name__ == "__main__":
    app.run()
