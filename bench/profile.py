"""Where the time goes from the socket to `async for`, and from a call to the socket: cProfile around what is counted.

A profile tells shares, not speed: it makes Python code three times slower, and more so where functions are small.
"""

from __future__ import annotations

import pstats
import tempfile
from pathlib import Path

import trio

from .cloud import open_cloud
from .contenders import contenders
from .figures import QUICK, arguments, tell
from .throughput import SOUND, TEXT, open_listener, run_once

_LINES = 40


async def profile(connector: str | None, seconds: float, lines: int) -> None:
    """Profile both loads."""
    (ours,) = contenders(connector=connector, bare=False)
    with tempfile.TemporaryDirectory() as folder:
        for load in (TEXT, SOUND):
            tell(f"profile: {load.name}")
            result = Path(folder) / load.role
            async with open_cloud() as cloud, open_listener(cloud, ours, load, {"BENCH_PROFILE": str(result)}) as heard:
                await run_once(*heard, load, seconds)
            print(f"\n{load.name}\n")
            pstats.Stats(str(result)).strip_dirs().sort_stats("tottime").print_stats(lines)


def main() -> None:
    """Profile from the command line."""
    options = arguments(__doc__).parse_args()
    trio.run(profile, options.connector, QUICK.seconds if options.quick else 3.0, _LINES)


if __name__ == "__main__":
    main()
