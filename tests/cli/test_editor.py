"""Keys into lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio.cli.editor import Editor, LineSplitter

UP, DOWN, RIGHT, LEFT = b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D"
NAMES = ["say", "stop", "start", "stats", "help"]


@pytest.fixture
def editor() -> Editor:
    return Editor(NAMES)


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        (b"hello", "hello", 5),
        ("日é".encode(), "日é", 2),
        (b"helo" + LEFT + b"l", "hello", 4),
        (b"ab" + LEFT + LEFT + LEFT + RIGHT + b"x", "axb", 2),
        (b"ab" + RIGHT + b"c", "abc", 3),
        (b"abc\x7f", "ab", 2),
        ("ae\u0301".encode() + LEFT + b"x", "axe\u0301", 2),
        ("e\u0301".encode() + LEFT + RIGHT + b"x", "e\u0301x", 3),
        ("ae\u0301".encode() + b"\x7f", "a", 1),
        ("👨\u200d👧b".encode() + LEFT + LEFT + b"x", "x👨\u200d👧b", 1),
        ("👋🏽b".encode() + b"\x01\x04", "b", 0),
        (b"\x7f\x08", "", 0),
        (b"abc\x01\x7fx", "xabc", 1),
        (b"abc\x01\x04", "bc", 0),
        (b"abc\x04", "abc", 3),
        (b"abc\x1b[H\x1b[3~", "bc", 0),
        (b"abc\x1b[1~x\x1b[4~y", "xabcy", 5),
        (b"abc\x1b[7~x\x1b[8~y", "xabcy", 5),
        (b"abc\x1bOHx\x1bOFy", "xabcy", 5),
        (b"abc\x02\x02X\x06Y\x05Z", "aXbYcZ", 6),
        (b"say one two\x17", "say one ", 8),
        (b"say one two  \x17\x17", "say ", 4),
        (b"say\x17", "", 0),
        (b"abcd\x02\x02\x15", "cd", 0),
        (b"abcd\x02\x02\x0b", "ab", 2),
        (b"a\x00\x03\x1b\x1b[99;99Xb\x1bxc", "abc", 3),
        (b"a\xffb", "a\ufffdb", 3),
        (b"h\t", "help ", 5),
        (b"st\t", "st", 2),
        (b"sta\tr\t", "start ", 6),
        (b"x\t", "x", 1),
        (b"say he\t", "say he", 6),
    ],
)
def test_keys_edit_the_line(editor: Editor, keys: bytes, text: str, cursor: int) -> None:
    assert editor.feed(keys) == []
    assert (editor.text, editor.cursor) == (text, cursor)


def test_enter_finishes_a_line(editor: Editor) -> None:
    assert editor.feed(b"one\rtwo\nthr") == ["one", "two"]
    assert editor.feed(b"ee\r") == ["three"]
    assert editor.text == ""


def test_keys_may_come_in_pieces(editor: Editor) -> None:
    lines: list[str] = []
    for byte in b"ab" + LEFT + "日".encode() + b"\r":
        lines = editor.feed(bytes([byte]))

    assert lines == ["a日b"]


def test_earlier_lines_come_back(editor: Editor) -> None:
    editor.feed(b"one\rtwo\rtwo\r\r")
    texts: list[str] = []
    for key in (b"dra", UP, UP, UP, DOWN, DOWN, DOWN):
        editor.feed(key)
        texts.append(editor.text)

    assert texts == ["dra", "two", "one", "one", "two", "dra", "dra"]


def test_a_line_that_came_back_can_be_changed_and_finished(editor: Editor) -> None:
    editor.feed(b"one\r")

    assert editor.feed(UP + b"!\r") == ["one!"]
    assert editor.feed(UP + UP + b"\r") == ["one"]


def test_only_so_many_lines_are_remembered(editor: Editor) -> None:
    for number in range(600):
        editor.feed(f"line {number}\r".encode())
    editor.feed(UP * 1000)

    assert editor.text == "line 100"


def test_ctrl_d_ends_only_an_empty_line(editor: Editor) -> None:
    editor.feed(b"x\x04")
    assert editor.feed(b"\r") == ["x"]
    assert [editor.is_over, editor.feed(b"\x04more\r"), editor.is_over, editor.text] == [False, [], True, ""]


def test_a_terminal_that_goes_away_is_the_end(editor: Editor) -> None:
    editor.feed(b"")

    assert editor.is_over


def is_clean(text: str) -> bool:
    return text.replace("\u200c", "").replace("\u200d", "").isprintable()


@given(st.lists(st.binary(max_size=20) | st.sampled_from([UP, DOWN, LEFT, RIGHT, b"\t", b"\r", b"\x17"])))
def test_any_keys_leave_the_cursor_in_the_line(keys: list[bytes]) -> None:
    editor = Editor(NAMES)

    for key in keys:
        for line in editor.feed(key):
            assert is_clean(line)
        assert 0 <= editor.cursor <= len(editor.text)
        assert is_clean(editor.text)


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n"))))
def test_lines_of_a_pipe_come_out_as_they_went_in(lines: list[str]) -> None:
    data = "\n".join(lines).encode()
    splitter = LineSplitter()
    got: list[str] = []
    for start in range(0, len(data), 3):
        got += splitter.feed(data[start : start + 3])
    got += splitter.feed(b"")

    assert splitter.is_over
    assert got == (lines[:-1] if lines and not lines[-1] else lines)
