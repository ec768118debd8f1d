"""What `docs/text.md` shows."""

from __future__ import annotations

import doctest
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "text.md"


def test_the_examples_say_what_happens() -> None:
    results = doctest.testfile(str(DOCS), module_relative=False)
    assert results.attempted > 20
    assert results.failed == 0
