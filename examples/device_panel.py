"""Show the battery and the network of the glasses; a double tap asks for a network."""

import trio

from mentra_trio import DeviceUnavailableError, MentraSession, MiniAppServer

app = MiniAppServer("com.example.panel")


@app.on_session
async def main(session: MentraSession) -> None:
    """Run once for each wearer."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(show_battery, session)
        async with session.device.touches.stream("double_tap") as touches:
            async for _ in touches:
                try:
                    await session.device.request_wifi_setup("The panel wants to show its name.")
                except DeviceUnavailableError as error:
                    await session.display.show_text(str(error))
                    continue
                with trio.move_on_after(120):
                    wifi = await session.device.wifi.wait_for(lambda wifi: wifi.ssid is not None)
                    await session.display.show_text(f"Wi-Fi: {wifi.ssid}")
        nursery.cancel_scope.cancel()


async def show_battery(session: MentraSession) -> None:
    """Follow the level, and nothing else of what the glasses tell."""
    changes = session.device.battery_level.changes()
    await session.display.show_text(f"Battery: {session.device.battery_level.value} %")
    async for level in changes:
        await session.display.show_text(f"Battery: {level} %")


if __name__ == "__main__":
    app.run()
