"""Glasses drawn as characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio.cli.frame import PLAIN, around, draw, fit, printable
from mentra_trio.simulator.cells import cells

TEXT = st.text(max_size=30)


def test_a_frame_has_a_title_a_status_and_the_lines() -> None:
    lines = draw(["Hello", "there"], title="com.example.app", status="connected, 87 %", columns=40, rows=3)

    assert lines == [
        "╭─ com.example.app ────── connected, 87 % ─╮",
        "│ Hello                                    │",
        "│ there                                    │",
        "│                                          │",
        "╰──────────────────────────────────────────╯",
    ]


def test_a_terminal_without_such_characters_gets_others() -> None:
    lines = draw(["x"], title="a", status="", columns=8, rows=1, border=PLAIN)

    assert lines == ["+- a ------+", "| x        |", "+----------+"]


def test_what_does_not_fit_is_cut_and_marked() -> None:
    assert fit("abcdefghij", 9) == "abcdef..."
    assert fit("abcdefghij", 4) == "abcd"
    assert fit("日本語日本語", 9) == "日本語..."
    assert fit("日本語", 3) == "日 "
    assert fit("", 2) == "  "


def test_more_lines_than_rows_are_cut() -> None:
    assert len(draw(["a", "b", "c"], title="", status="", columns=5, rows=2)) == 4


def test_what_would_move_the_cursor_is_replaced() -> None:
    assert printable("a\x1b[2Jb\tc\x07") == "a\ufffd[2Jb c\ufffd"
    assert printable("\u202eabc\u2028") == "\ufffdabc\ufffd"
    assert printable("half \ud800") == "half \ufffd"


def test_a_cut_leaves_whole_characters() -> None:
    assert fit("e\u0301" * 5, 3) == "e\u0301" * 3
    assert fit("👨\u200d👩\u200d👧日本語", 5) == "👨\u200d👩\u200d👧日 "


@pytest.mark.parametrize(
    ("left", "right", "shown"),
    [
        ("abc", "", ("abc", "")),
        ("", "abc", ("", "abc")),
        ("abcdef", "ghijkl", ("abcdef", "ghi")),
        ("abcdefghi", "jkl", ("defghi", "jkl")),
        ("abcdefghi", "j", ("bcdefghi", "j")),
        ("日本語日本語", "日本", ("日本語", "日")),
        ("", "日本語日本語", ("", "日本語日")),
    ],
)
def test_a_window_keeps_both_sides_of_the_cursor(left: str, right: str, shown: tuple[str, str]) -> None:
    assert around(left, right, 9) == shown


@given(left=TEXT, right=TEXT, columns=st.integers(1, 30))
def test_a_window_never_shows_more_than_there_is_room(left: str, right: str, columns: int) -> None:
    before, after = around(left, right, columns)

    assert cells(before) + cells(after) <= columns
    assert left.endswith(before)
    assert right.startswith(after)


@given(
    lines=st.lists(TEXT, max_size=10),
    title=TEXT,
    status=TEXT,
    columns=st.integers(1, 60),
    rows=st.integers(1, 8),
)
def test_every_line_of_a_frame_takes_the_same_room(
    lines: list[str], title: str, status: str, columns: int, rows: int
) -> None:
    drawn = draw(lines, title=title, status=status, columns=columns, rows=rows)

    assert len(drawn) == rows + 2
    assert {cells(line) for line in drawn} == {columns + 4}
    assert not any(letter in line for line in drawn for letter in "\x1b\n\r\t")
