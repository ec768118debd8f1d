"""Import time over Trio's: `import mentra_trio` in a process that has imported Trio already; the best of many.

The best and not the median: what an import costs is what it takes when nothing gets in its way.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, cast

import trio

from .contenders import OURS, REFERENCE, Contender, bun
from .figures import Figure, Plan, Row, Say, run_program

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAM = """
import json, time
began = time.perf_counter()
import trio
between = time.perf_counter()
import mentra_trio
print(json.dumps([between - began, time.perf_counter() - between]))
"""


async def measure(apps: Sequence[Contender], plan: Plan, say: Say) -> list[Row]:
    """Measure in fresh processes, and the import of the reference in turns with it."""
    reference = next((app.folder for app in apps if app.name == REFERENCE), None)
    over: list[float] = []
    trios: list[float] = []
    theirs: list[float] = []
    say(f"imports: {plan.imports} processes")
    for _ in range(plan.imports):
        told = await trio.run_process([sys.executable, "-I", "-c", _PROGRAM], capture_stdout=True)
        base, more = cast("list[float]", json.loads(told.stdout))
        trios.append(1e3 * base)
        over.append(1e3 * more)
        if reference is not None:
            told = await trio.run_process(
                [bun(reference), "imports.ts"], capture_stdout=True, cwd=reference, stderr=subprocess.DEVNULL
            )
            theirs.append(1e3 * float(told.stdout.split()[-1]))
    best = {OURS: Figure((min(over),))}
    if theirs:
        best[REFERENCE] = Figure((min(theirs),))
    return [
        Row(name="import, over Trio's", unit="ms", figures=best),
        Row(name="import of Trio itself", unit="ms", figures={OURS: Figure((min(trios),))}),
    ]


if __name__ == "__main__":
    run_program(measure, __doc__)
