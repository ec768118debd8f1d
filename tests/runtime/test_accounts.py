"""What a session counts and tells."""

import logging
import tracemalloc

import pytest

from mentra_trio._runtime.accounts import Accounts


def test_each_kind_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    accounts = Accounts("run")
    for _ in range(3):
        accounts.once("odd", "odd news")

    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG", "DEBUG"]


def test_a_cloud_that_makes_kinds_up_fills_neither_the_log_nor_the_memory(caplog: pytest.LogCaptureFixture) -> None:
    """Kinds may hold names that the cloud has chosen: of streams, or of types."""
    caplog.set_level(logging.WARNING)
    accounts = Accounts("run")
    tracemalloc.start()
    for n in range(3_000):
        accounts.once(f"{n} " + "x" * 10_000, "odd news")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(caplog.records) == 256
    assert held < 1_000_000
