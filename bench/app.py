"""The app that is measured: `mentra_trio`. A program of one file, so that it imports the package that is installed.

What is counted it tells on its standard output, one JSON object a line. Its environment says what to do: `BENCH_ROLE`;
`BENCH_CONNECTOR`, as `module:class`, for another transport; `BENCH_PROFILE`, a file for the profile of what is counted.
"""

import cProfile
import importlib
import json
import os
import time
from collections.abc import Awaitable, Callable

import attrs
import trio

from mentra_trio import AudioChunk, EventStream, MentraSession, MiniAppServer, Transcript

BEGIN = "bench begins"
END = "bench ends"


def say(mark: str, **fields: object) -> None:
    """Tell the one who measures."""
    print(json.dumps({"mark": mark, **fields}), flush=True)


@attrs.define(eq=False)
class Profile:
    """A profile of what is counted, where one is wanted."""

    _profile: cProfile.Profile | None = None

    def begin(self) -> None:
        """Start to look."""
        if "BENCH_PROFILE" in os.environ:
            self._profile = cProfile.Profile()
            self._profile.enable()

    def end(self) -> None:
        """Write what was seen."""
        if self._profile is not None:
            self._profile.disable()
            self._profile.dump_stats(os.environ["BENCH_PROFILE"])


@attrs.define(eq=False)
class Count:
    """What passed between two marks, and the time that this process took for it."""

    stream: EventStream[Transcript] | EventStream[AudioChunk]
    events: int = 0
    _wall: float = 0.0
    _cpu: float = 0.0
    _dropped: int = 0
    _profile: Profile = attrs.field(factory=Profile)

    def begin(self) -> None:
        """Start to count."""
        say("begin")
        self.events = 0
        self._dropped = self.stream.statistics().dropped
        self._profile.begin()
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def end(self) -> None:
        """Tell what was counted, the mark itself left out."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        self._profile.end()
        dropped = self.stream.statistics().dropped - self._dropped
        say("end", events=self.events - 1, dropped=dropped, cpu=cpu, wall=wall)


async def hear_text(session: MentraSession) -> None:
    """Count transcripts."""
    async with session.transcription.stream() as lines:
        count = Count(lines)
        async for line in lines:
            count.events += 1
            if line.is_final:
                if line.text == BEGIN:
                    count.begin()
                elif line.text == END:
                    count.end()


async def hear_sound(session: MentraSession) -> None:
    """Count microphone chunks. The marks are too short to be real ones."""
    async with session.mic.stream() as chunks:
        count = Count(chunks)
        async for chunk in chunks:
            count.events += 1
            if len(chunk.data) == 2:
                count.begin()
            elif len(chunk.data) == 4:
                count.end()


async def idle(session: MentraSession) -> None:
    """Listen to what nobody says."""
    async with session.transcription.stream() as lines:
        async for _ in lines:
            pass


async def show(session: MentraSession) -> None:
    """Show what is said."""
    profile = Profile()
    async with session.transcription.stream() as lines:
        async for line in lines:
            if line.text == BEGIN:
                profile.begin()
                say("begin")
            elif line.text == END:
                profile.end()
                say("end")
            else:
                await session.display.show_text_wall(line.text)


ROLES: dict[str, Callable[[MentraSession], Awaitable[None]]] = {
    "text": hear_text,
    "sound": hear_sound,
    "idle": idle,
    "show": show,
}


async def main() -> None:
    """Serve until the process is ended."""
    connector = None
    if named := os.environ.get("BENCH_CONNECTOR"):
        module, _, name = named.partition(":")
        connector = getattr(importlib.import_module(module), name)()
    app = MiniAppServer(
        package_name="com.example.bench", api_key="k" * 64, host="127.0.0.1", port=0, dev=True, connector=connector
    )
    app.on_session(ROLES[os.environ["BENCH_ROLE"]])
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(app.serve)
        say("ready", url=urls[0])


if __name__ == "__main__":
    trio.run(main)
