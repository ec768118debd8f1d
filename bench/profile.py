"""Where the time goes: cProfile around what is counted.

Three loads: transcripts and microphone chunks as fast as the socket takes them, for the way from the socket to
`async for`; and many sessions that show what they hear at the pace of speech, for the way back to the socket as well.

A profile tells shares, not speed: it makes Python code three times slower, and more so where functions are small.
"""

from __future__ import annotations

import pstats
import tempfile
from pathlib import Path

import trio

from .cloud import open_cloud
from .contenders import contenders, open_app
from .figures import QUICK, arguments, tell
from .latency import Hall
from .throughput import SOUND, TEXT, open_listener, run_once

_LINES = 40


async def profile(connector: str | None, seconds: float, lines: int) -> None:
    """Profile all loads."""
    ours = contenders(connector=connector, bare=False)[-1]
    with tempfile.TemporaryDirectory() as folder:
        for load in (TEXT, SOUND):
            tell(f"profile: {load.name}")
            result = Path(folder) / load.role
            async with open_cloud() as cloud, open_listener(cloud, ours, load, {"BENCH_PROFILE": str(result)}) as heard:
                await run_once(*heard, load, seconds)
            show(load.name, result, lines)
        tell("profile: displays")
        result = Path(folder) / "show"
        async with open_cloud() as cloud, open_app(ours, "show", cloud.url, {"BENCH_PROFILE": str(result)}) as app:
            hall = Hall()
            await hall.open(cloud, app, QUICK.listeners)
            await hall.visits[0].write(TEXT.begin)
            await app.mark("begin")
            await hall.speak(2 * seconds)
            await hall.visits[0].write(TEXT.end)
            await app.mark("end")
        show(f"event in to display out, {QUICK.listeners} sessions", result, lines)


def show(name: str, result: Path, lines: int) -> None:
    """Print the functions that took longest by themselves, then those that took longest with what they call."""
    print(f"\n## {name}")
    stats = pstats.Stats(str(result)).strip_dirs()
    stats.sort_stats("tottime").print_stats(lines)
    stats.sort_stats("cumtime").print_stats(lines)


def main() -> None:
    """Profile from the command line."""
    options = arguments(__doc__).parse_args()
    trio.run(profile, options.connector, QUICK.seconds if options.quick else 3.0, _LINES)


if __name__ == "__main__":
    main()
