"""Text to lines, beside the reference's layout library: every text of the display vectors, and captions as they grow.

Each side works in a process of its own, in turns with the other. What stands in the table is the median text, and the
ratio that of the median text too: the slowest and the fastest one in brackets.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import trio

from mentra_trio.text import PROFILES

from .contenders import HERE, OURS, REFERENCE, Contender, bun
from .figures import Figure, Plan, Row, Say, run_program
from .texts import Captions, Jobs, Wrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_VECTORS = HERE.parent / "tests" / "vectors" / "display" / "wrap-texts.json"
_UTTERANCES = 12
"""Of captions, which are some hundred steps."""
_DEFAULT_MODE = "character-no-hyphen"


def jobs() -> Jobs:
    """Make jobs of the display vectors."""
    cases = cast("list[dict[str, object]]", json.loads(_VECTORS.read_text("utf-8"))["cases"])
    wraps = [_wrap(case) for case in cases]
    spoken = list(dict.fromkeys(job["text"] for job in wraps if job["text"].isascii() and job["text"].count(" ") > 8))
    spoken = [" ".join(text.split()) for text in spoken][:_UTTERANCES]
    return Jobs(wraps=wraps, captions=[Captions(profile="even-realities-g1", utterances=spoken)])


def _wrap(case: Mapping[str, object]) -> Wrap:
    given = cast("dict[str, object]", case["input"])
    options = cast("dict[str, object]", given.get("options") or {})
    profile = str(case["profile"])
    return Wrap(
        profile=profile,
        text=str(given["text"]),
        mode=str(options.get("breakMode", _DEFAULT_MODE)),
        width=cast("float | None", options.get("maxWidthPx")),
        max_lines=_limit(options.get("maxLines", PROFILES[profile].max_lines)),
        max_bytes=_limit(options.get("maxBytes", PROFILES[profile].max_bytes)),
    )


def _limit(value: object) -> int | None:
    return None if value == "Infinity" else cast("int", value)


async def measure(apps: Sequence[Contender], plan: Plan, say: Say) -> list[Row]:
    """Measure in turns."""
    reference = next((app.folder for app in apps if app.name == REFERENCE), None)
    commands = {OURS: [sys.executable, "-P", str(HERE / "texts.py")]}
    if reference is not None:
        commands[REFERENCE] = [str(bun(reference)), str(reference / "texts.ts")]
    runs: dict[str, list[list[list[float]]]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jobs.json"
        file.write_text(json.dumps(jobs()), "utf-8")  # noqa: ASYNC240 - nothing else runs
        for number in range(plan.runs):
            say(f"wrapping: run {number + 1} of {plan.runs}")
            for name, command in commands.items():
                done = await trio.run_process([*command, str(file), str(plan.seconds)], capture_stdout=True)
                runs[name].append(cast("list[list[float]]", json.loads(done.stdout)))
    return [
        Row(name=name, unit="/s", figures={app: _speeds(each, place) for app, each in runs.items()}, digits=0)
        for place, name in enumerate(("texts of the display vectors wrapped", "updates of captions"))
    ]


def _speeds(runs: list[list[list[float]]], place: int) -> Figure:
    """Give how often each job could be done in a second."""
    return Figure(tuple(1e6 / statistics.median(times) for times in zip(*(run[place] for run in runs), strict=True)))


if __name__ == "__main__":
    run_program(measure, __doc__)
