"""Scripts are read whole before anything of them runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio.cli.commands import Expect, Quit, Say
from mentra_trio.cli.script import ScriptError, read_script


def test_each_command_knows_its_place_and_what_was_written() -> None:
    steps = read_script(b'# greeting\n\n  expect "Hello"  # soon\nsay hi\r\nquit', "a.script")

    assert [step.command for step in steps] == [Expect("Hello"), Say("hi"), Quit()]
    assert [step.place for step in steps] == ["a.script:3", "a.script:4", "a.script:5"]
    assert [step.line for step in steps] == ['expect "Hello"  # soon', "say hi", "quit"]


def test_all_mistakes_are_told_at_once_with_their_lines() -> None:
    with pytest.raises(ScriptError) as caught:
        read_script(b"say\nexpect Hello\nsya hi\n", "a.script")

    first, second = str(caught.value).splitlines()
    assert first.startswith("a.script:1: there is nothing to say")
    assert second.startswith("a.script:3: there is no command 'sya'")


def test_what_is_not_utf_8_is_told_with_its_line() -> None:
    with pytest.raises(ScriptError, match=r"a\.script:2: this is not UTF-8"):
        read_script(b"say hi\nsay \xff\n", "a.script")


def test_a_mark_at_the_beginning_is_no_part_of_the_first_command() -> None:
    assert [step.command for step in read_script("\ufeffsay hi".encode(), "a")] == [Say("hi")]


def test_a_line_ends_where_editors_end_it() -> None:
    (step,) = read_script("say one\u2028two\x0bthree".encode(), "a")

    assert step.command == Say("one\u2028two three")


def test_an_empty_script_is_one() -> None:
    assert read_script(b"", "a") == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_script_or_a_mistake_with_a_line(data: bytes) -> None:
    told = "a.script:1"
    try:
        read_script(data, "a.script")
    except ScriptError as error:
        told = str(error)

    assert all(line.startswith("a.script:") for line in told.splitlines())
