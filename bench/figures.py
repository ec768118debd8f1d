"""What comes out of a measurement: repeated runs, their median and spread, and ratios within the same run."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import attrs
import trio

from .contenders import OURS, REFERENCE, Contender, contenders, find_reference

Say = Callable[[str], None]
"""Takes a line of progress."""


@attrs.frozen
class Figure:
    """One quantity of one app, measured again and again."""

    runs: tuple[float, ...] = attrs.field(validator=attrs.validators.min_len(1))

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.runs)


@attrs.frozen(kw_only=True)
class Row:
    """One quantity of all apps."""

    name: str
    unit: str
    figures: Mapping[str, Figure]
    """By the name of the app."""
    digits: int = 1
    """Digits after the point that mean something."""

    def ratio(self, other: str = REFERENCE) -> Figure | None:
        """Divide each run of ours by the other's run beside it, which the same noise has hit."""
        if OURS not in self.figures or other not in self.figures:
            return None
        pairs = zip(self.figures[OURS].runs, self.figures[other].runs, strict=True)
        return Figure(tuple(ours / theirs for ours, theirs in pairs if theirs)) if self.figures[other].median else None

    def as_json(self) -> dict[str, object]:
        """Spell everything out."""
        result: dict[str, object] = {"name": self.name, "unit": self.unit}
        for name, figure in self.figures.items():
            result[name] = {
                "median": figure.median,
                "low": min(figure.runs),
                "high": max(figure.runs),
                "runs": figure.runs,
            }
        if (ratio := self.ratio()) is not None:
            result["ratio"] = {"median": ratio.median, "low": min(ratio.runs), "high": max(ratio.runs)}
        return result


@attrs.frozen(kw_only=True)
class Plan:
    """How much is measured."""

    runs: int
    """How often each quantity is measured."""
    seconds: float
    """Length of a run where that can be chosen."""
    starts: int
    """Starts one after another in a run."""
    crowd: int
    """Starts at once."""
    sizes: tuple[int, ...]
    """Idle sessions whose memory is looked at, growing."""
    memory_runs: int
    settle: float
    """Seconds of rest before memory is looked at."""
    listeners: int
    """Sessions that hear transcripts at the same time."""
    imports: int
    """Processes that import."""


FULL = Plan(
    runs=5, seconds=2.0, starts=40, crowd=500, sizes=(500, 2000), memory_runs=3, settle=2.0, listeners=200, imports=20
)
QUICK = Plan(
    runs=2, seconds=0.4, starts=10, crowd=150, sizes=(100, 200), memory_runs=1, settle=0.5, listeners=200, imports=3
)

Program = Callable[[Sequence[Contender], Plan, Say], Awaitable[list[Row]]]


class Runs:
    """Collects figures of several apps while they come."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], list[float]] = {}

    def add(self, quantity: str, app: str, value: float) -> None:
        """Take one more value."""
        self._runs.setdefault((quantity, app), []).append(value)

    def row(self, quantity: str, name: str, unit: str, *, digits: int = 1) -> Row:
        """Give what came for a quantity."""
        figures = {app: Figure(tuple(runs)) for (which, app), runs in self._runs.items() if which == quantity}
        return Row(name=name, unit=unit, figures=figures, digits=digits)


def tell(line: str) -> None:
    """Show progress, beside the figures on the standard output."""
    print(line, file=sys.stderr, flush=True)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Make the command line that all programs share."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less of everything, for a first look")
    parser.add_argument(
        "--connector", metavar="MODULE:CLASS", help="another transport to measure beside the default one"
    )
    parser.add_argument(
        "--reference", type=Path, metavar="FOLDER", help="measure the reference SDK too, installed here on demand"
    )
    return parser


def run_program(program: Program, description: str | None) -> None:
    """Run one program from the command line and print its figures."""
    options = arguments(description).parse_args()
    reference = find_reference(options.reference, tell)
    rows = trio.run(program, contenders(reference, connector=options.connector), QUICK if options.quick else FULL, tell)
    print(json.dumps([row.as_json() for row in rows], indent=1))
