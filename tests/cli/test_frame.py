"""Glasses drawn as characters."""

from hypothesis import given
from hypothesis import strategies as st

from mentra_trio.cli.frame import PLAIN, cells, draw, fit, printable

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


def test_widths_are_those_of_a_terminal() -> None:
    assert cells("abc") == 3
    assert cells("日本") == 4
    assert cells("e\u0301") == 1
    assert cells("a\u200bb") == 2


def test_what_would_move_the_cursor_is_replaced() -> None:
    assert printable("a\x1b[2Jb\tc\x07") == "a\ufffd[2Jb c\ufffd"
    assert printable("\u202eabc\u2028") == "\ufffdabc\ufffd"
    assert printable("half \ud800") == "half \ufffd"


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
