"""Tell how far it is home: on every step while the wearer moves, and exactly when a button is pressed."""

import math

import trio

from mentra_trio import MentraSession, MiniAppServer, RequestTimedOutError
from mentra_trio.models import LocationAccuracy, LocationFix

HOME = (52.5163, 13.3777)
METRES_PER_DEGREE = 111_320

app = MiniAppServer(package_name="com.example.home")


@app.on_session
async def guide(session: MentraSession) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, session)
        nursery.start_soon(answer, session)


async def follow(session: MentraSession) -> None:
    async with session.location.stream(LocationAccuracy.HIGH) as fixes:
        async for fix in fixes:
            await session.display.show_text_wall(f"{distance(fix) / 1000:.1f} km home")


async def answer(session: MentraSession) -> None:
    async with session.device.buttons.stream() as presses:
        async for _ in presses:
            try:
                fix = await session.location.locate(LocationAccuracy.REALTIME)
            except RequestTimedOutError:
                await session.display.show_text_wall("The phone does not know where you are")
            else:
                await session.display.show_text_wall(f"{distance(fix):.0f} m home, exactly")


def distance(fix: LocationFix) -> float:
    """Metres as the crow flies, good enough for a city."""
    north, east = fix.lat - HOME[0], (fix.lng - HOME[1]) * math.cos(math.radians(HOME[0]))
    return math.hypot(north, east) * METRES_PER_DEGREE


if __name__ == "__main__":
    app.run()
