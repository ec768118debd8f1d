"""What the command line changes in its process, put back."""

import logging
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from mentra_trio.cli.loading import SAMPLES
from mentra_trio.cli.logs import LIBRARIES


@pytest.fixture
def clean_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Path, None, None]:
    """An empty folder to stand in; modules, import path, environment and logging are as before afterwards."""
    modules = set(sys.modules)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
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
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
