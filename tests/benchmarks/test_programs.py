"""Each program of `bench/` with tiny sizes, so that it cannot rot. What it measures here means nothing."""

import json
from pathlib import Path

import pytest

from bench import imports, latency, memory, starts, throughput, wrapping
from bench.__main__ import table
from bench.contenders import BARE, OURS, REFERENCE, contenders, find_reference
from bench.figures import Figure, Plan, Program, Row

TINY = Plan(runs=1, seconds=0.0, starts=2, crowd=3, sizes=(21, 22), memory_runs=1, settle=0.0, listeners=2, imports=1)


def ignore(line: str) -> None:
    """Take a line of progress."""


@pytest.mark.slow
@pytest.mark.sockets
@pytest.mark.parametrize(
    ("program", "quantities"),
    [
        (throughput.measure, 6),
        (starts.measure, 4),
        (memory.measure, 2),
        (latency.measure, 4),
        (imports.measure, 2),
        (wrapping.measure, 2),
    ],
    ids=["throughput", "starts", "memory", "latency", "imports", "wrapping"],
)
async def test_a_program_measures_the_package(program: Program, quantities: int) -> None:
    rows = await program(contenders(), TINY, ignore)

    assert len(rows) == quantities
    assert all(figure.median >= 0 for row in rows for figure in row.figures.values())
    json.dumps([row.as_json() for row in rows])


def test_a_ratio_compares_the_runs_that_stood_side_by_side() -> None:
    """Noise that hit both of a pair must not show."""
    row = Row(name="speed", unit="/s", figures={OURS: Figure((10.0, 40.0)), REFERENCE: Figure((20.0, 80.0))})

    ratio = row.ratio()

    assert ratio is not None
    assert ratio.runs == (0.5, 0.5)


def test_the_table_leaves_out_who_was_not_measured() -> None:
    row = Row(name="speed", unit="/s", figures={OURS: Figure((1000.0, 3000.0)), BARE: Figure((4000.0,))}, digits=0)

    assert table([row]).splitlines() == [
        "|            | mentra_trio           | bare trio-websocket |",
        "| ---        | ---:                  | ---:                |",
        "| speed (/s) | 2,000 (1,000 - 3,000) | 4,000               |",
    ]


def test_without_npm_the_reference_is_left_out_with_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []

    assert find_reference(tmp_path / "reference", said.append) is None
    assert "npm is missing" in said[0]
