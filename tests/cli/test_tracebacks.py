"""Tracebacks without what is not the developer's."""

import asyncio
import fractions
import logging
import threading
import traceback
from io import StringIO

import pytest
import trio

from mentra_trio import MiniAppServer
from mentra_trio.cli.logs import logging_to
from mentra_trio.cli.parsing import parse
from mentra_trio.cli.tracebacks import format_error, name_error
from mentra_trio.errors import ConfigError


def files(text: str) -> list[str]:
    """The files of a formatted traceback."""
    return [line.split('"')[1].rpartition("/")[2] for line in text.splitlines() if line.lstrip().startswith('File "')]


def test_an_error_that_the_sdk_raised_on_purpose_ends_in_the_call_of_it() -> None:
    with pytest.raises(ConfigError) as caught:
        MiniAppServer("two words")

    assert files(format_error(caught.value)) == ["test_tracebacks.py"]


def test_an_error_of_the_sdk_by_accident_keeps_its_frames() -> None:
    with pytest.raises(TypeError) as caught:
        parse(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - the mistake of this test

    assert files(format_error(caught.value)) == ["test_tracebacks.py", "parsing.py", "words.py"]


def test_an_error_without_a_frame_of_the_developer_is_shown_whole() -> None:
    error = ValueError("no frames at all")

    assert format_error(error) == "ValueError: no frames at all"


def test_causes_and_groups_are_shown_too() -> None:
    error = ExceptionGroup("both", [ValueError("second")])
    error.__cause__ = KeyError("first")
    text = format_error(error)

    assert "KeyError: 'first'" in text
    assert "ValueError: second" in text


def test_an_error_is_named_in_one_line_with_its_place_in_the_code_of_the_author() -> None:
    with pytest.raises(ValueError, match="Invalid literal") as caught:
        fractions.Fraction("x")
    line = next(frame for frame in traceback.extract_tb(caught.value.__traceback__)).lineno
    assert name_error(caught.value) == f"ValueError: Invalid literal for Fraction: 'x' (test_tracebacks.py:{line})"

    group = ExceptionGroup("both", [ValueError("one\ntwo"), ExceptionGroup("inner", [KeyError("three")])])
    assert name_error(group) == "ValueError: one | KeyError: 'three'"


def test_what_another_thread_logs_is_shown_while_this_one_is_blocked() -> None:
    """Code that blocks Trio's thread is told of by the one that can: a thread that watches it."""
    stream = StringIO()
    with logging_to(stream, verbosity=0):
        watcher = threading.Thread(target=logging.getLogger("mentra_trio.server").warning, args=["it blocks"])
        watcher.start()
        watcher.join()

    assert stream.getvalue() == "WARNING mentra_trio.server: it blocks\n"


def speak() -> None:
    for name in ("hello_glasses", "mentra_trio.session", "hypercorn.error"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(level, "%s %s", name.partition(".")[0], logging.getLevelName(level).lower())


@pytest.mark.parametrize(
    ("verbosity", "records"),
    [
        (0, ["hello_glasses info", "hello_glasses warning", "mentra_trio warning", "hypercorn warning"]),
        (
            1,
            [
                "hello_glasses info",
                "hello_glasses warning",
                "mentra_trio info",
                "mentra_trio warning",
                "hypercorn warning",
            ],
        ),
        (
            2,
            [
                f"{name} {level}"
                for name in ("hello_glasses", "mentra_trio", "hypercorn")
                for level in ("debug", "info", "warning")
            ],
        ),
    ],
)
def test_the_app_is_heard_before_the_sdk(verbosity: int, records: list[str]) -> None:
    stream = StringIO()
    with logging_to(stream, verbosity=verbosity):
        speak()
    speak()

    assert [line.partition(": ")[2] for line in stream.getvalue().splitlines()] == records


def test_a_record_with_an_error_shows_the_part_of_the_author() -> None:
    stream = StringIO()
    with logging_to(stream, verbosity=0):
        try:
            MiniAppServer("two words")
        except ConfigError:
            logging.getLogger("app").exception("it failed")
        logging.getLogger("app").error("nothing", exc_info=(None, None, None))

    assert files(stream.getvalue()) == ["test_tracebacks.py"]
    assert "ERROR app: it failed" in stream.getvalue()


def test_the_same_error_again_is_one_line() -> None:
    """A handler that crashes is started again three times: its traceback is read once."""
    stream = StringIO()
    log = logging.getLogger("app")
    with logging_to(stream, verbosity=0):
        for number in (1, 1, 2, 1):
            log.error("it failed", exc_info=ValueError(number))

    lines = [line for line in stream.getvalue().splitlines() if not line.startswith(("Traceback", " "))]
    assert lines == [
        "ERROR app: it failed",
        "ValueError: 1",
        "ERROR app: it failed",
        "the same error again",
        "ERROR app: it failed",
        "ValueError: 2",
        "ERROR app: it failed",
        "ValueError: 1",
    ]


async def test_whoever_uses_asyncio_is_told_of_trio() -> None:
    await trio.lowlevel.checkpoint()
    with pytest.raises(RuntimeError) as caught:
        await asyncio.sleep(1)
    for error in (caught.value, ExceptionGroup("in a nursery", [caught.value])):
        *_, hint = format_error(error).splitlines()

        assert hint.startswith("hint: handlers run on Trio")
        assert "trio.sleep" in hint


def test_other_errors_get_no_hint_of_trio() -> None:
    assert "Trio" not in format_error(RuntimeError("there is no running event loop"))
