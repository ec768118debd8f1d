"""Show what is said around the wearer as captions; a press of a button shows the help, cut to the glasses."""

import logging

import trio

from mentra_trio import MentraSession, MiniAppServer

log = logging.getLogger("captions")
app = MiniAppServer(package_name="com.example.live-captions")

HELP = (
    "Captions show what is said around you. The newest words are at the bottom, and a dash stands where somebody else "
    "begins to speak. They are as good as the microphone: turn towards who speaks. Press again to read this again. "
) * 3


async def show_help(session: MentraSession) -> None:
    """Show as much of the help as the connected glasses have room for; the next words take its place."""
    async with session.device.buttons.stream() as presses:
        async for _ in presses:
            shown = await session.display.show_fitted(HELP, duration=20)
            if shown.is_truncated:
                log.info("%s has no room for %d characters", session.display.profile.name, len(shown.cut))


@app.on_session
async def main(session: MentraSession) -> None:
    """Run once for each wearer."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(show_help, session)
        async with session.transcription.stream() as speech:
            await session.display.show_captions(speech, duration=30)
        nursery.cancel_scope.cancel(reason="the session is over")


if __name__ == "__main__":
    app.run()
