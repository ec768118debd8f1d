"""Recordings of the reference SDK, replayed against this SDK: the same messages out, the same events in."""

from __future__ import annotations

import logging

import pytest

from .recordings import Case, load_cases
from .replay import replay
from .rows import Deviations
from .timeline import timeline

DEVIATIONS = Deviations.load()
CASES = load_cases("wire")

if CASES:  # an absent folder gives no cases, not even a skipped one

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
    def test_wire(case: Case, caplog: pytest.LogCaptureFixture) -> None:
        """This SDK does what was recorded, or what a row says, and takes none of it for a bug."""
        recorded = timeline(case.id, case.body)
        if missing := DEVIATIONS.missing(recorded.items):
            pytest.skip(missing)
        replay(DEVIATIONS.apply(recorded))
        if not recorded.stop_handler_raises:
            assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
