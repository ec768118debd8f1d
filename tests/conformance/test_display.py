"""The reference's text layout, held against this SDK's `compatible` layout, which reproduces it bit for bit."""

from __future__ import annotations

from typing import cast

import pytest

from mentra_trio.text import PROFILES

from .bitmaps import plain
from .layouts import OPERATIONS
from .marks import Comparison
from .recordings import Case, Json, load_cases
from .rows import Deviations

DEVIATIONS = Deviations.load()
CASES = load_cases("display")

if CASES:  # an absent folder gives no cases, not even a skipped one

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
    def test_display(case: Case) -> None:
        """This SDK lays text out as was recorded."""
        name = cast("str", case.body["op"])
        if missing := DEVIATIONS.missing_operation(name):
            pytest.skip(missing)
        assert name in OPERATIONS, f"the operation {name} has no counterpart"
        profile = PROFILES[cast("str", case.body.get("profile", PROFILES.default.id))]
        result = OPERATIONS[name](profile, cast("Json", case.body["input"]))
        assert Comparison().differences(plain(case.body["expect"]), result) == []
