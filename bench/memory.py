"""Memory of idle sessions: what the process of the app grows by, for each session.

Each listens to a transcription in which nobody says anything. The first few sessions are not counted: they bring in
what is loaded once. Nobody asks for a garbage collection, neither here nor there.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import trio

from .cloud import open_cloud
from .contenders import Contender, open_app
from .figures import Plan, Row, Runs, Say, run_program
from .starts import names, start_all

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST = 20
"""Sessions that are open before memory is looked at first."""
_AT_ONCE = 50
"""Sessions started together."""


async def measure(apps: Sequence[Contender], plan: Plan, say: Say) -> list[Row]:
    """Measure all apps that can be called, in turns, in a fresh process each time."""
    runs = Runs()
    for number in range(1, plan.memory_runs + 1):
        for contender in apps:
            if contender.dials_itself:
                continue
            say(f"memory: run {number} of {plan.memory_runs}, {contender.name}")
            async with open_cloud() as cloud, open_app(contender, "idle", cloud.url) as app:
                name = names("idle")
                await start_all(cloud, app, list(itertools.islice(name, _FIRST)))
                await trio.sleep(plan.settle)
                before, count = app.resident_bytes(), _FIRST
                for size in plan.sizes:
                    while count < size:
                        some = list(itertools.islice(name, min(_AT_ONCE, size - count)))
                        await start_all(cloud, app, some)
                        count += len(some)
                    await trio.sleep(plan.settle)
                    after = app.resident_bytes()
                    if before is None or after is None:
                        say("memory: this system does not tell, so it is left out")
                        return []
                    runs.add(str(size), contender.name, (after - before) / (size - _FIRST) / 2**10)
    return [runs.row(str(size), f"memory for each of {size} idle sessions", "KiB") for size in plan.sizes]


if __name__ == "__main__":
    run_program(measure, __doc__)
