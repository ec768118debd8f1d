"""Show what appears on the phone, and what the calendar holds, at the wearer's own time."""

import trio

from mentra_trio import MentraSession, MiniAppServer

app = MiniAppServer(package_name="com.example.secretary")


@app.on_session
async def secretary(session: MentraSession) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(show_notifications, session)
        nursery.start_soon(take_back, session)
        nursery.start_soon(show_calendar, session)


async def show_notifications(session: MentraSession) -> None:
    async with session.phone.notifications.stream() as notifications:
        async for seen in notifications:
            await session.display.show_reference_card(f"{seen.app}: {seen.title}", seen.content)


async def take_back(session: MentraSession) -> None:
    """Take away what the wearer has read on the phone."""
    async with session.phone.dismissals.stream() as dismissals:
        async for gone in dismissals:
            await session.display.show_text_wall(f"Read: {gone.title or 'a notification'}", duration=3)


async def show_calendar(session: MentraSession) -> None:
    async with session.phone.calendar.stream() as entries:
        async for entry in entries:
            begin = session.time.to_local(entry.start)
            await session.display.show_text_wall(f"{begin:%A %H:%M} {entry.title}")


if __name__ == "__main__":
    app.run()
