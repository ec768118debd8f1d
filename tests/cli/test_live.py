"""A terminal with glasses in it, looked at through a small terminal that knows only the movements used here."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest
from trio.testing import MockClock

from mentra_trio.cli.editor import Editor
from mentra_trio.cli.live import LiveConsole, captured, typing_mode
from mentra_trio.cli.parsing import parse
from mentra_trio.simulator.cells import cells, is_weightless
from tests.cli.stage import PACKAGE, Echo, Stage, open_stage

_SEQUENCE = re.compile(
    r"\x1b\[2J\x1b\[H|\x1b(?P<mark>[78]|\[\?7[lh])|\x1b\[(?P<count>[0-9]*)(?P<code>[A-Z])|(?P<letter>.)", re.DOTALL
)

show = print
"""What apps call. Here it is what is tested."""


def render(  # noqa: PLR0912 - one branch for each thing that it knows
    text: str, *, columns: int = 80
) -> tuple[list[str], tuple[int, int]]:
    """What stands on a terminal that never scrolls, and where the cursor is: row and column, from 0.

    It is a simple one: to it an emoji that is made of others is all of them, side by side.
    """
    rows: list[list[str]] = []
    rows.append([])
    row = column = 0
    saved = (0, 0)
    wraps = True
    for match in _SEQUENCE.finditer(text):
        count = int(match["count"] or 1) if match["code"] else 0
        match match["mark"] or match["code"] or match["letter"] or "clear":
            case "clear":
                del rows[0][:], rows[1:]
                row = column = 0
            case "7":
                saved = (row, column)
            case "8":
                row, column = saved
            case "[?7l":
                wraps = False
            case "[?7h":
                wraps = True
            case "A":
                assert count <= row, "moved above the first line"
                row -= count
            case "C":
                column += count
            case "K":
                del rows[row][column:]
            case "J":
                del rows[row][column:], rows[row + 1 :]
            case "\r":
                column = 0
            case "\n":
                row, column = row + 1, 0
            case letter if is_weightless(letter):
                rows[row][column - 1] += letter
            case letter:
                width = cells(letter)
                if column + width > columns:
                    row, column = (row + 1, 0) if wraps else (row, columns - width)
                rows += [[] for _ in range(row + 1 - len(rows))]
                line = rows[row]
                line += [" "] * (column + width - len(line))
                line[column : column + width] = [letter, *[""] * (width - 1)]
                column += width
        rows += [[] for _ in range(row + 1 - len(rows))]
    return ["".join(line).rstrip() for line in rows], (row, column)


@attrs.define(eq=False)
class Sight:
    """A live console and what a person sees of it."""

    columns: int = 80
    rows: int = 24
    editor: Editor | None = attrs.field(factory=lambda: Editor(["say", "stop"]))
    encoding: str = "utf-8"
    _bytes: io.BytesIO = attrs.field(factory=io.BytesIO)
    out: io.TextIOWrapper = attrs.field(init=False)
    console: LiveConsole = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.out = io.TextIOWrapper(self._bytes, encoding=self.encoding)
        self.console = LiveConsole(self.out, self.editor, get_size=lambda: (self.columns, self.rows))

    @property
    def written(self) -> str:
        return self._bytes.getvalue().decode(self.encoding)

    @property
    def lines(self) -> list[str]:
        return render(self.written, columns=self.columns)[0]

    @property
    def cursor(self) -> tuple[int, int]:
        return render(self.written, columns=self.columns)[1]

    def type(self, keys: bytes) -> None:
        assert self.editor is not None
        self.editor.feed(keys)
        self.console.typed()


def frame_of(text: str, *, status: str = "connected, 100 %", width: int = 48) -> list[str]:
    """The frame around one line of text."""
    dashes = "─" * (width - len(PACKAGE) - len(status) - 4)
    return [
        f"╭─ {PACKAGE} {dashes} {status} ─╮",
        f"│ {text:<{width}} │",
        *[f"│ {'':<{width}} │"] * 4,
        f"╰{'─' * (width + 2)}╯",
    ]


async def play(stage: Stage, *lines: str) -> None:
    for line in lines:
        command = parse(line)
        assert command is not None
        await stage.player.play(command)  # type: ignore[arg-type]  # pyright: ignore - no test plays `quit`


async def test_the_glasses_stand_above_the_prompt_and_are_drawn_in_place(autojump_clock: MockClock) -> None:
    echo, sight = Echo(), Sight()
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)
        assert sight.lines == [*frame_of("(nothing on the glasses)", status="not started, 100 %"), ">"]

        await play(stage, "start", "expect Hello")
        sight.console.refresh()
        assert sight.lines == [*frame_of("Hello"), ">"]
        assert sight.cursor == (7, 2)

        before = sight.written
        sight.console.refresh()
        assert sight.written == before


async def test_a_line_that_is_being_typed_survives_everything_else(autojump_clock: MockClock) -> None:
    echo, sight = Echo(), Sight()
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)
        sight.type("say日 you".encode() + b"\x1b[D\x1b[D")
        await play(stage, "start", "expect Hello")
        sight.console.refresh()
        sight.console.tell("an answer\nof two lines")
        sight.console.tell("")
        sight.console.fail("a failure")
        sight.console.echo("a \x1bcommand")

        assert sight.lines == [
            "an answer",
            "of two lines",
            "! a failure",
            "> a \ufffdcommand",
            *frame_of("Hello"),
            "> say日 you",
        ]
        assert sight.cursor == (11, 2 + len("say") + 2 + len(" y"))


async def test_a_long_line_is_shown_around_the_cursor(autojump_clock: MockClock) -> None:
    echo, sight = Echo(), Sight(columns=20)
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)
        sight.type(b"say abcdefghijklmnopqrstuvwxyz")
        assert sight.lines[-1] == "> jklmnopqrstuvwxyz"
        assert sight.cursor[1] == 19

        sight.type(b"\x01")
        assert sight.lines[-1] == "> say abcdefghijklm"
        assert sight.cursor[1] == 2
        assert max(map(cells, sight.lines)) < 20


async def test_what_follows_the_cursor_in_a_long_line_is_seen(autojump_clock: MockClock) -> None:
    echo, sight = Echo(), Sight(columns=20)
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)
        sight.type(b"say abcdefghijklmnopqrstuvwxyz" + b"\x02" * 3)
        assert sight.lines[-1] == "> jklmnopqrstuvwxyz"
        assert sight.cursor[1] == 16

        sight.type(b"\x02" * 6 + b"-")
        assert sight.lines[-1] == "> ghijklmnopq-rstuv"
        assert sight.cursor[1] == 14


async def test_an_emoji_that_the_terminal_measures_in_its_own_way_breaks_nothing(autojump_clock: MockClock) -> None:
    """Terminals do not agree about those that are made of others; this one draws all of them."""
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
    echo, sight = Echo(), Sight()
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)
        await play(stage, "start", f"say {family * 3} abc", "expect Heard")
        sight.console.refresh()
        (line,) = (line for line in sight.lines if "Heard" in line)
        assert line.startswith(f"│ Heard: {family * 3} abc")
        assert line.endswith("│")
        assert sum(map(cells, line)) == 52

        sight.type(f"say {family * 30}".encode() + b"\x1b[D" * 29 + b"x")
        assert sight.cursor == (7, 2 + len("say ") + 6 + 1)
        assert sight.lines[-1].startswith(f"> say {family}x{family}")
        assert len(sight.lines) == 8


async def test_a_line_of_narrow_letters_is_seen_to_its_end(autojump_clock: MockClock) -> None:
    line, sight = "little will fill it, till it is filled: still little ill will", Sight()
    async with open_stage(Echo().app) as stage:
        sight.console.attach(stage.player)
        stage.glasses.draw({"view": "main", "layout": {"layoutType": "text_wall", "text": line}})
        sight.console.refresh()

        assert sight.lines[1] == f"│ {line} │"
        assert {cells(line) for line in sight.lines[:-1]} == {len(line) + 4}


async def test_a_terminal_of_another_size_is_drawn_from_the_top(autojump_clock: MockClock) -> None:
    echo, sight = Echo(), Sight()
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)
        sight.console.tell("old")
        sight.columns, sight.rows = 40, 8
        sight.console.refresh()

        assert sight.lines[0].startswith("╭")
        assert {cells(line) for line in sight.lines[:-1]} == {39}
        assert len(sight.lines) == 7


async def test_a_terminal_without_such_characters_gets_plain_ones(autojump_clock: MockClock) -> None:
    echo, sight = Echo(), Sight(encoding="latin-1")
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)

        assert sight.lines[0].startswith(f"+- {PACKAGE} -")


async def test_after_the_end_the_frame_stays_and_the_rest_goes_below(autojump_clock: MockClock) -> None:
    echo, sight = Echo(), Sight()
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)
        await play(stage, "start", "expect Hello")
        sight.console.finish()
    sight.console.above("goodbye\n")
    sight.console.refresh()

    assert sight.lines == [*frame_of("Hello"), "goodbye", ""]


async def test_where_nobody_types_there_is_no_prompt(autojump_clock: MockClock) -> None:
    echo, sight = Echo(), Sight(editor=None)
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)
        sight.console.echo("start")

        assert sight.lines == ["> start", *frame_of("(nothing on the glasses)", status="not started, 100 %"), ""]


def test_before_there_are_glasses_there_is_only_text() -> None:
    sight = Sight()
    sight.console.above("starting\n")

    assert sight.lines == ["starting", ""]


async def test_what_the_app_prints_goes_above_in_whole_lines(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo, sight = Echo(), Sight()
    monkeypatch.setattr(sys, "stderr", sight.out)
    monkeypatch.setattr(sight.out, "isatty", lambda: True)
    async with open_stage(echo.app) as stage:
        sight.console.attach(stage.player)
        with captured(sight.console, sight.out):
            show("one", end="")
            show(" two", "three", sep="\n")
            show("an error", file=sys.stderr)
            sys.stdout.buffer.write("日\n".encode())
            sys.stdout.flush()
            thread = threading.Thread(target=show, args=["from a thread"])
            thread.start()
            thread.join()
            assert sys.stdout.isatty()
            assert sys.stdout.encoding == "utf-8"
            show("no end", end="")

    assert sight.lines[:7] == ["one two", "three", "an error", "日", "from a thread", "no end", sight.lines[6]]
    assert sight.lines[6].startswith("╭")


def test_errors_that_are_led_elsewhere_stay_there(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    sight = Sight()
    with captured(sight.console, sight.out):
        show("to the file", file=sys.stderr)

    assert sight.written == ""


@pytest.fixture
def terminal() -> Generator[int, None, None]:
    """The far end of a pseudo-terminal."""
    near, far = pty.openpty()
    yield far
    os.close(near)
    os.close(far)


def test_a_terminal_hands_over_each_key_and_is_itself_again_afterwards(terminal: int) -> None:
    before = termios.tcgetattr(terminal)
    with open(terminal, closefd=False) as stream, typing_mode(stream) as restore:
        mode = termios.tcgetattr(terminal)
        assert not mode[3] & (termios.ICANON | termios.ECHO)
        assert mode[3] & termios.ISIG
        restore()
        assert termios.tcgetattr(terminal) == before

    assert termios.tcgetattr(terminal) == before


def test_the_size_is_that_of_the_terminal_whatever_the_environment_says(
    terminal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "132")
    monkeypatch.setenv("LINES", "50")
    termios.tcsetwinsize(terminal, (20, 40))
    with open(terminal, "w", closefd=False) as stream:
        assert LiveConsole(stream).get_size() == (40, 20)
    assert LiveConsole(io.StringIO()).get_size() == (132, 50)


def test_what_is_no_terminal_stays_as_it_is() -> None:
    with typing_mode(io.StringIO()) as restore:
        restore()


def test_a_terminal_is_given_back_at_once_when_asked_for() -> None:
    calls: list[str] = []
    console = LiveConsole(Sight().out, None, lambda: calls.append("restored"))
    console.let_go()

    assert calls == ["restored"]


def test_programs_that_the_app_starts_write_to_the_terminal_itself(tmp_path: Path) -> None:
    """They are given its number: what they print cannot go above the frame."""
    with (tmp_path / "terminal").open("w", encoding="utf-8") as terminal:
        with captured(Sight().console, terminal):
            subprocess.run(["echo", "hello"], stdout=sys.stdout, check=True)
        assert not terminal.closed

    assert (tmp_path / "terminal").read_text("utf-8") == "hello\n"
