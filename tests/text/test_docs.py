"""What `docs/text.md` and `docs/pictures.md` show."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("name", "count"), [("text.md", 20), ("pictures.md", 10)])
def test_the_examples_say_what_happens(name: str, count: int) -> None:
    results = doctest.testfile(str(DOCS / name), module_relative=False)
    assert results.attempted > count
    assert results.failed == 0
