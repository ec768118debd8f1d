"""A clock that knows where its wearer is, and what to wish."""

import trio

from mentra_trio import MentraSession, MiniAppServer

app = MiniAppServer(package_name="com.example.clock")


@app.on_session
async def clock(session: MentraSession) -> None:
    await show(session)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow_zone, session)
        async with session.device.buttons.stream() as presses:
            async for _ in presses:
                await show(session)


async def follow_zone(session: MentraSession) -> None:
    """Say so when the wearer has travelled."""
    async for zone in session.time.zone.changes():
        await session.display.show_text_wall(f"Welcome to {zone}")


async def show(session: MentraSession) -> None:
    now = session.time.now()
    wish = "Good morning" if now.hour < 12 else "Good day"
    await session.display.show_text_wall(f"{wish}. It is {now:%H:%M} in {session.time.zone.value or 'UTC'}")


if __name__ == "__main__":
    app.run()
