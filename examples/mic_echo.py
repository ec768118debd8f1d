"""Record what is said after a press of a button, and tell how long it was. The recording is a WAV file in memory."""

import trio

from mentra_trio import MentraSession, MiniAppServer

app = MiniAppServer("com.example.echo")


@app.on_session
async def main(session: MentraSession) -> None:
    """Run once for each wearer."""
    async with session.device.buttons.stream() as presses:
        async for _ in presses:
            await session.display.show_text("Speak now")
            with trio.move_on_after(30) as patience:
                said = await session.mic.record_utterance()
                wav = said.to_wav()
                await session.display.show_text(f"{said.seconds:.0f} s, {len(wav) // 1000} kB, {said.gaps} gaps")
            if patience.cancelled_caught:
                await session.display.show_text("Nobody spoke")


if __name__ == "__main__":
    app.run()
