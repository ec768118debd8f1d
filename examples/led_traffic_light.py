"""Turn the light of the glasses red, then green, with each press of a button. Glasses without a light are told."""

from mentra_trio import DeviceUnavailableError, LedError, MentraSession, MiniAppServer

app = MiniAppServer("com.example.traffic")


@app.on_session
async def main(session: MentraSession) -> None:
    """Run once for each wearer."""
    colors = ["red", "green"]
    async with session.device.buttons.stream() as presses:
        async for _ in presses:
            try:
                await session.led.set_color(colors[0], duration=30, confirm=True)
            except DeviceUnavailableError:
                await session.display.show_text("These glasses have no light")
            except LedError as error:
                await session.display.show_text(f"The light stays as it is: {error.text}")
            else:
                colors.reverse()


if __name__ == "__main__":
    app.run()
