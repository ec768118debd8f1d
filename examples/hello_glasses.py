"""Greet the wearer, then show what was said."""

import logging
import os

from mentra_trio import MentraSession, MiniAppServer

log = logging.getLogger("hello_glasses")
app = MiniAppServer(package_name="com.example.hello", api_key=os.environ["MENTRAOS_API_KEY"])


@app.on_session
async def hello(session: MentraSession) -> None:
    await session.display.show_text_wall("Hello from MentraOS!")
    async with session.transcription.stream() as speech:
        async for line in speech:
            if line.is_final:
                await session.display.show_text_wall(f"You said: {line.text}")
    log.info("the session ended: %s", session.stop_reason)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app.run()
