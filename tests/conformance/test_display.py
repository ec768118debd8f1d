"""The reference's text layout, held against this SDK's text library.

There is no text library yet, so nothing is claimed: each case is skipped by a row of `deviations.toml`, and fails when
that row is taken out before its operation is in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from .marks import Comparison
from .recordings import Case, Json, load_cases
from .rows import Deviations

if TYPE_CHECKING:
    from collections.abc import Callable

DEVIATIONS = Deviations.load()
CASES = load_cases("display")
OPERATIONS: dict[str, Callable[[str | None, Json], Json]] = {}
"""By name of the operation: what gives the recorded result for a profile and an input."""

if CASES:  # an absent folder gives no cases, not even a skipped one

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
    def test_display(case: Case) -> None:
        """This SDK lays text out as was recorded."""
        name = cast("str", case.body["op"])
        if missing := DEVIATIONS.missing_operation(name):
            pytest.skip(missing)
        assert name in OPERATIONS, f"the operation {name} has no counterpart"
        result = OPERATIONS[name](cast("str | None", case.body.get("profile")), cast("Json", case.body["input"]))
        assert Comparison().differences(case.body["expect"], result) == []
