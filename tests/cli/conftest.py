"""What the command line changes in its process, put back."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from mentra_trio.cli.loading import SAMPLES


@pytest.fixture
def clean_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Path, None, None]:
    """An empty folder to stand in; modules, import path and environment are as before afterwards."""
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for variable in SAMPLES:
        # Set first, so that what the app sets is taken back too.
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]
