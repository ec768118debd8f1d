"""Measure everything and print one table. The figures of each program go to a JSON file where one is named."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path

import trio

from . import imports, latency, memory, starts, throughput, wrapping
from .contenders import REFERENCE, contenders, find_reference
from .figures import FULL, QUICK, Figure, Row, arguments, tell

PROGRAMS = (throughput, starts, memory, latency, imports, wrapping)


def table(rows: list[Row]) -> str:
    """Lay the figures out as a Markdown table: median, and lowest to highest run in brackets."""
    present = list(dict.fromkeys(name for row in rows for name in row.figures))
    lines = [["", *present, *(["ours / reference"] if REFERENCE in present else [])]]
    lines.append(["---", *("---:" for _ in lines[0][1:])])
    for row in rows:
        cells = [f"{row.name} ({row.unit})" if row.unit else row.name]
        cells += [_spell(row.figures.get(name), row.digits) for name in present]
        if REFERENCE in present:
            cells.append(_spell_ratio(row.ratio()))
        lines.append(cells)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines
    )


def _spell(figure: Figure | None, digits: int) -> str:
    if figure is None:
        return ""
    middle = f"{figure.median:,.{digits}f}"
    if len(figure.runs) == 1:
        return middle
    return f"{middle} ({min(figure.runs):,.{digits}f} - {max(figure.runs):,.{digits}f})"


def _spell_ratio(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if len(figure.runs) == 1:
        return f"{figure.median:.2g}"
    return f"{figure.median:.2g} ({min(figure.runs):.2g} - {max(figure.runs):.2g})"


def machine() -> str:
    """Say on what this ran."""
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, Trio {trio.__version__}"


def main() -> None:
    """Run all programs."""
    parser = arguments(__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here, run by run")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    reference = find_reference(options.reference, tell)
    apps = contenders(reference, connector=options.connector)
    began = time.perf_counter()
    rows: list[Row] = []
    for program in PROGRAMS:
        rows.extend(trio.run(program.measure, apps, plan, tell))
        tell(f"... {time.perf_counter() - began:.0f} s so far")
    print(machine())
    print(
        f"Median of {plan.runs} runs (memory: {plan.memory_runs}), lowest and highest in brackets; imports: the best.\n"
    )
    print(table(rows))
    if reference is None:
        print("\nWithout the reference SDK: `nox -s bench` installs it where npm is there.")
    if options.json:
        options.json.write_text(json.dumps([row.as_json() for row in rows], indent=1), "utf-8")


if __name__ == "__main__":
    main()
