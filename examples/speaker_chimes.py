"""Answer what is said: aloud, with a sound of the web, or with a chime that is made on the spot."""

import math
import os
from array import array
from collections.abc import Iterator

from mentra_trio import AudioFormat, MentraSession, MiniAppServer, PlaybackError, VoiceSettings

RATE = 24_000
app = MiniAppServer(package_name="com.example.chimes", api_key=os.environ["MENTRAOS_API_KEY"])


def chime(*tones: float) -> Iterator[bytes]:
    """Make PCM of some tones, a quarter of a second each; on a little-endian machine."""
    for tone in tones:
        wave = (math.sin(2 * math.pi * tone * n / RATE) * (1 - 4 * n / RATE) for n in range(RATE // 4))
        yield array("h", (round(16_000 * sample) for sample in wave)).tobytes()


async def answer(session: MentraSession, words: str) -> None:
    if "chime" in words:
        async with session.speaker.open_stream(format=AudioFormat.PCM16, sample_rate=RATE) as sound:
            for part in chime(523.25, 659.25, 783.99):
                await sound.write(part)
            await sound.finish()
    elif "bell" in words:
        await session.speaker.play("https://cdn.example.com/bell.mp3", volume=0.5)
    else:
        await session.speaker.speak(f"You said: {words}", voice_settings=VoiceSettings(speed=1.0))


@app.on_session
async def listen(session: MentraSession) -> None:
    async with session.transcription.stream("en-US", interim=False) as lines:
        async for line in lines:
            try:
                await answer(session, line.text.lower())
            except PlaybackError as error:
                await session.display.show_text_wall(f"No sound: {error.text}")
            else:
                await session.display.show_text_wall("Played")


if __name__ == "__main__":
    app.run()
