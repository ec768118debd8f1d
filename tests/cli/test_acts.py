"""Scripts and conversations, played in memory, printed line by line."""

import io
import os
import signal
from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio
from trio.testing import MockClock

from mentra_trio.cli.acts import Act, Conversation, ScriptAct, read_stdin
from mentra_trio.cli.console import PlainConsole, can_draw, prepare, write
from mentra_trio.cli.editor import Editor, LineSplitter
from mentra_trio.cli.live import LiveConsole
from mentra_trio.cli.script import read_script
from tests.cli.stage import Echo, Stage, open_stage


@attrs.define(eq=False)
class Output:
    """What a plain console printed."""

    out: io.StringIO = attrs.field(factory=io.StringIO)
    err: io.StringIO = attrs.field(factory=io.StringIO)

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    @property
    def failures(self) -> list[str]:
        return self.err.getvalue().splitlines()


def typed(*chunks: bytes | float) -> Callable[[], Awaitable[bytes]]:
    """A keyboard: bytes come at once, a number is a pause in seconds, and after the last comes the end."""
    rest = list(chunks)

    async def read() -> bytes:
        await trio.lowlevel.checkpoint()
        while rest:
            chunk = rest.pop(0)
            if isinstance(chunk, bytes):
                return chunk
            await trio.sleep(chunk)
        return b""

    return read


async def perform(stage: Stage, act: Act, output: Output, *, echoes: bool = True) -> int:
    console = PlainConsole(output.out, output.err, echoes=echoes)
    console.attach(stage.player)
    code = await act.play(stage.player, console)
    console.finish()
    console.refresh()
    console.let_go()
    return code


def script(text: str) -> ScriptAct:
    return ScriptAct(read_script(text.encode(), "a.script"))


async def test_a_script_prints_its_commands_and_each_change_of_the_display(autojump_clock: MockClock) -> None:
    echo, output = Echo(), Output()
    async with open_stage(echo.app) as stage:
        code = await perform(
            stage, script("expect Hello # soon\nsay one\\ntwo\nexpect one\nhelp battery\nwait 1\n"), output
        )

    assert code == 0
    assert output.failures == []
    assert output.lines == [
        "| // MentraOS - Starting App",
        "| com.example.app",
        "> expect Hello # soon",
        "| Hello",
        "> say one\\ntwo",
        "| Heard: onentwo",
        "> expect one",
        "> help battery",
        "battery N",
        "  set the battery level of the glasses, 0 to 100",
        "> wait 1",
    ]


async def test_a_script_ends_at_the_first_failure_with_its_place(autojump_clock: MockClock) -> None:
    echo, output = Echo(), Output()
    async with open_stage(echo.app) as stage:
        code = await perform(stage, script("expect Hello\n\nexpect Bye within 1\nsay never\n"), output)

    assert code == 1
    assert output.failures == ["a.script:3: expected 'Bye' within 1 s; the glasses show 'Hello'"]
    assert output.lines[-1] == "> expect Bye within 1"
    assert echo.heard == []


async def test_a_script_without_an_app_that_starts_fails(autojump_clock: MockClock) -> None:
    echo, output = Echo(), Output()
    async with open_stage(echo.app) as stage:
        stage.cloud.store.apps.clear()

        assert await perform(stage, script("say hello"), output) == 1
    assert output.failures == ["the app did not start: the cloud says UNKNOWN_APP"]


async def test_quit_ends_a_script_early_and_well(autojump_clock: MockClock) -> None:
    echo, output = Echo(), Output()
    async with open_stage(echo.app) as stage:
        assert await perform(stage, script("quit\nexpect never"), output) == 0
    assert output.lines[-1] == "> quit"


async def test_the_same_display_twice_is_one_change(autojump_clock: MockClock) -> None:
    echo, output = Echo(), Output()
    async with open_stage(echo.app) as stage:
        await perform(stage, script("expect Hello\nsay again\nsay again\nwait 2"), output)

    assert output.lines.count("| Heard: again") == 1
    assert echo.heard == ["again", "again"]


async def test_what_an_app_shows_cannot_move_the_cursor(autojump_clock: MockClock) -> None:
    echo, output = Echo(), Output()
    async with open_stage(echo.app) as stage:
        await perform(stage, script("expect Hello\nsay \x1b[2Jboo\nwait 2"), output)

    assert "| Heard: \ufffd[2Jboo" in output.lines


async def converse(
    *chunks: bytes | float, echoes: bool = True, is_test: bool = False, code: int = 0
) -> tuple[Echo, Output]:
    echo, output = Echo(), Output()
    async with open_stage(echo.app) as stage:
        conversation = Conversation(LineSplitter(), read=typed(*chunks), is_test=is_test)
        assert await perform(stage, conversation, output, echoes=echoes) == code
    return echo, output


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        (b"expect Hello\nsay one\n# a comment\n\nhelp\nexpect one\n", 0),
        (b"say one", 0),
        (b"quit\nsya hi\n", 0),
        (b"", 0),
        (b"sya hi\nsay one\n", 1),
        (b"expect Bye within 0\nsay one\n", 1),
        (b"stop\nsay nobody\nstart\nsay one\n", 1),
        (b"say one\nbattery\nquit\n", 1),
    ],
)
async def test_where_nobody_watches_the_exit_code_tells_of_failures_and_the_rest_is_done_all_the_same(
    autojump_clock: MockClock, commands: bytes, code: int
) -> None:
    echo, output = await converse(commands, is_test=True, code=code)

    assert echo.heard == ["one"] * (b"\nsay one" in b"\n" + commands)
    assert len(output.failures) == code


async def test_a_pipe_to_an_app_that_does_not_start_fails(autojump_clock: MockClock) -> None:
    echo, output = Echo(), Output()
    async with open_stage(echo.app) as stage:
        stage.cloud.store.apps.clear()

        assert await perform(stage, Conversation(LineSplitter(), read=typed(), is_test=True), output) == 1


async def test_a_conversation_goes_on_after_mistakes_and_failures(autojump_clock: MockClock) -> None:
    echo, output = await converse(b"sya hi\n\n# nothing\nexpect Bye within 0\nsay one\nsay t", b"wo\nexpect two")

    assert echo.heard == ["one", "two"]
    assert output.failures == [
        "there is no command 'sya'; did you mean 'say'? 'help' lists them all",
        "expected 'Bye' within 0 s; the glasses show '// MentraOS - Starting App' / 'com.example.app'",
    ]
    assert "> say two" in output.lines


async def test_whoever_types_is_told_what_a_command_waits_for(autojump_clock: MockClock) -> None:
    _, output = await converse(b"drop 3\npress\nwait 5\n")

    assert [line for line in output.lines if "waiting" in line] == [
        "waiting for the app's session ...",
        "waiting until the app listens ...",
    ]
    assert len(output.failures) == 1  # nothing listens to buttons


async def test_a_pipe_is_told_results_alone(autojump_clock: MockClock) -> None:
    _, output = await converse(b"drop 3\n", is_test=True)

    assert not any("waiting" in line for line in output.lines)


async def test_quit_ends_a_conversation_whatever_was_typed_after_it(autojump_clock: MockClock) -> None:
    echo, _ = await converse(b"say one\nwait 1\nquit\nsay two\n", 1000.0)

    assert echo.heard == ["one"]


async def test_commands_that_stand_on_the_terminal_are_not_repeated(autojump_clock: MockClock) -> None:
    _, output = await converse(b"help quit\n", echoes=False)

    assert not any(line.startswith(">") for line in output.lines)


async def test_a_conversation_with_an_app_that_does_not_start_goes_on(autojump_clock: MockClock) -> None:
    echo, output = Echo(), Output()
    async with open_stage(echo.app) as stage:
        stage.cloud.store.apps.clear()
        conversation = Conversation(LineSplitter(), read=typed(b"say hello\n"))

        assert await perform(stage, conversation, output) == 0
    assert output.failures == [
        "the app did not start: the cloud says UNKNOWN_APP",
        "the app does not run; 'start' starts it",
    ]


async def test_the_end_that_is_typed_ends_the_command_at_work_too(autojump_clock: MockClock) -> None:
    echo, editor = Echo(), Editor(["say"])
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    live = LiveConsole(out, editor)
    async with open_stage(echo.app) as stage:
        live.attach(stage.player)
        conversation = Conversation(editor, live, "welcome", read=typed(b"say on", b"e\rwait 1000\r", 5.0, b"\x04"))
        assert await conversation.play(stage.player, live) == 0

        assert echo.heard == ["one"]
        assert trio.current_time() < 20


def test_a_signal_is_the_end_of_a_conversation_and_the_failure_of_a_script() -> None:
    conversation = Conversation(LineSplitter())

    assert conversation.interrupted(signal.SIGINT) == 0
    assert conversation.interrupted(signal.SIGTERM) == 143
    assert script("").interrupted(signal.SIGINT) == 130


async def test_stdin_is_read_in_a_thread_that_can_be_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = os.pipe()
    saved = os.dup(0)
    try:
        os.dup2(near, 0)
        os.write(far, b"hello")
        assert await read_stdin() == b"hello"

        with trio.move_on_after(0.01) as scope:
            await read_stdin()
        assert scope.cancelled_caught
        os.write(far, b"for the thread")
    finally:
        os.dup2(saved, 0)
        os.close(far)
        os.close(near)
        os.close(saved)


async def test_a_stdin_that_cannot_be_read_is_the_end() -> None:
    saved = os.dup(0)
    folder = os.open(".", os.O_RDONLY)
    try:
        os.dup2(folder, 0)
        assert await read_stdin() == b""
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(folder)


def test_a_reader_that_has_gone_away_stops_nothing() -> None:
    near, far = os.pipe()
    os.close(near)
    with os.fdopen(far, "w") as stream:
        write(stream, "one\n")
        write(stream, "two\n")


def test_what_an_encoding_lacks_is_replaced() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    prepare(stream, io.StringIO())
    write(stream, "a日b")

    assert raw.getvalue() == b"a?b"


@pytest.mark.parametrize(
    ("is_terminal", "term", "drawn"), [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)]
)
def test_only_a_terminal_that_can_move_the_cursor_is_drawn_on(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, term: str, drawn: bool
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setenv("TERM", term)

    assert can_draw(stream) is drawn
