"""Show captions where the app may listen, and say what to do where it may not."""

import trio

from mentra_trio import MentraSession, MiniAppServer, PermissionDeniedError
from mentra_trio.models import Permission

app = MiniAppServer(package_name="com.example.captions")


async def caption(session: MentraSession) -> None:
    """Show what is said. Entering the stream raises when the app does not declare what it needs."""
    async with session.transcription.stream("en") as lines:
        await session.display.show_text_wall("Say something")
        async for line in lines:
            await session.display.show_text_wall(line.text)


async def warn_of_refusals(session: MentraSession) -> None:
    """Tell when a cloud says that it refused a stream; today's drops it without a word."""
    async with session.permissions.stream() as refusals:
        async for refusal in refusals:
            await session.display.show_text_wall(f"Refused: {refusal.message}")


@app.on_session
async def captions(session: MentraSession) -> None:
    """Look before listening: what is not known may be tried."""
    if not session.permissions.has(Permission.CALENDAR):
        await session.display.show_reference_card("Captions", "Without your calendar")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(warn_of_refusals, session)
        try:
            await caption(session)
        except PermissionDeniedError as error:
            await session.display.show_text_wall(f"Please give this app the permission {error.permission}")


if __name__ == "__main__":
    app.run()
