"""Say on the dashboard for how many minutes the app has been running, and clear it on a press of a button."""

import trio

from mentra_trio import MentraSession, MiniAppServer

app = MiniAppServer("com.example.minutes")


@app.on_session
async def main(session: MentraSession) -> None:
    """Run once for each wearer."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(count, session)
        async with session.device.buttons.stream() as presses:
            async for _ in presses:
                await session.dashboard.clear()
        nursery.cancel_scope.cancel()


async def count(session: MentraSession) -> None:
    """Words that are shown already are not sent again, so this may ask as often as it likes."""
    begun = trio.current_time()
    while True:
        minutes = int((trio.current_time() - begun) / 60)
        await session.dashboard.show_text(["Running", f"{minutes} min"])
        await trio.sleep(5)


if __name__ == "__main__":
    app.run()
