"""`mentra-trio dev` as a developer uses it: real processes, real sockets, the real clock, absolute limits."""

import codecs
import io
import os
import pty
import re
import select
import signal
import subprocess
import termios
import textwrap
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest
import trio

from mentra_trio._version import __version__
from mentra_trio.cli import main
from mentra_trio.cli.console import Console, PlainConsole
from mentra_trio.cli.dev import Options, perform, run
from mentra_trio.cli.player import Player
from tests.cli.program import LIMIT, PROGRAM, call

ECHO = """
    from mentra_trio import MentraSession, MiniAppServer

    app = MiniAppServer()
    runs = 0

    @app.on_session
    async def echo(session: MentraSession) -> None:
        global runs
        runs += 1
        print(f"run {runs}")
        await session.display.show_text_wall("Ready")
        async with session.transcription.stream(interim=False) as speech:
            async for line in speech:
                print(f"heard {line.text}")
                if line.text == "boom":
                    raise ValueError("the handler failed")
                await session.display.show_text_wall(f"Heard: {line.text}, in run {runs}")
"""
BLOCKING = """
    import signal
    from mentra_trio import MentraSession, MiniAppServer

    app = MiniAppServer()

    @app.on_session
    async def block(session: MentraSession) -> None:
        print("blocked", flush=True)
        while True:
            signal.pause()
"""
HANGING = """
    import trio
    from mentra_trio import MentraSession, MiniAppServer, SessionConfig

    hasty = SessionConfig(shutdown_grace=0.1, finish_timeout=0.1, close_timeout=0.1, drain_timeout=0.1)
    app = MiniAppServer(session_config=hasty)

    @app.on_session
    async def hang(session: MentraSession) -> None:
        print("runs", flush=True)
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
"""


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(textwrap.dedent(text), "utf-8")
    return name


# --- in this process


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])

    assert caught.value.code == 0
    assert capsys.readouterr().out == f"mentra-trio {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["dev", "--help"]])
def test_help_tells_the_exit_codes_in_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "exit codes:" in text
    assert max(map(len, text.splitlines())) <= 82


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        ([], "usage: mentra-trio [-h]"),
        (["--loud"], "usage: mentra-trio [-h]"),
        (["dve", "app.py"], "usage: mentra-trio [-h]"),
        (["dev"], "usage: mentra-trio dev [-h]"),
        (["dev", "app.py", "--scirpt", "x"], "usage: mentra-trio dev [-h]"),
        (["dev", "app.py", "more"], "usage: mentra-trio dev [-h]"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_the_usage_that_helps(
    capsys: pytest.CaptureFixture[str], arguments: list[str], usage: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    assert usage in capsys.readouterr().err


def test_an_app_that_cannot_be_loaded_ends_with_1(clean_process: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dev", "nowhere.py", "--plain"]) == 1
    assert capsys.readouterr().err == "there is no file nowhere.py\n"


def test_a_script_is_read_before_anything_runs(clean_process: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = write(clean_process, "app.py", "raise AssertionError('it was imported')")
    script = write(clean_process, "a.script", "say hello\nsya hello\n")

    assert run(Options(app=app, script=script)) == 1
    assert capsys.readouterr().err == (
        "a.script:2: there is no command 'sya'; did you mean 'say'? 'help' lists them all\n"
    )


def test_a_script_that_cannot_be_read_is_told(clean_process: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options(app="app.py", script="nowhere.script")) == 1
    assert capsys.readouterr().err == "the script nowhere.script cannot be read: No such file or directory\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a.script", "--script", "app.py"], "the other way round? mentra-trio dev app.py --script a.script"),
        (["app.py", "--script", "app.py"], "app.py is a Python file, not a script with commands"),
        (
            ["a.script"],
            "a.script is not a Python file; what plays a script is: mentra-trio dev APP.py --script a.script",
        ),
        (["app"], "app is not a Python file: its name does not end in .py"),
    ],
)
def test_files_in_the_wrong_place_are_told(
    clean_process: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    for name in ("app.py", "a.script", "app"):
        write(clean_process, name, "")

    assert main(["dev", *arguments]) == 1
    assert capsys.readouterr().err.endswith(f"{told}\n")


def test_an_app_without_a_handler_is_told(clean_process: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = write(clean_process, "app.py", "from mentra_trio import MiniAppServer\napp = MiniAppServer()\n")

    assert run(Options(app=app, plain=True)) == 1
    assert capsys.readouterr().err == (
        "app.py: the app has no session handler; write '@app.on_session' above an async function\n"
    )


def test_an_interruption_of_the_import_ends_with_130(clean_process: Path) -> None:
    assert run(Options(app=write(clean_process, "app.py", "raise KeyboardInterrupt"), plain=True)) == 130


@pytest.mark.slow
@pytest.mark.sockets
def test_a_script_plays_over_real_sockets(clean_process: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = write(clean_process, "app.py", ECHO)
    script = write(
        clean_process,
        "a.script",
        """
        expect Ready
        say one
        drop
        say two            # at once
        drop 0.3
        say three
        expect "Heard: three, in run 1"
        stop
        start
        say four
        expect "Heard: four, in run 2" within 10
        """,
    )

    assert run(Options(app=app, script=script, plain=True)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith(("run", "heard"))] == [
        "run 1",
        "heard one",
        "heard two",
        "heard three",
        "run 2",
        "heard four",
    ]
    assert "| Heard: three, in run 1" in lines


def restarting(policy: str) -> str:
    """Give the app, with another restart policy."""
    text = ECHO.replace("MiniAppServer()", f"MiniAppServer(restart=RestartPolicy({policy}))")
    return text.replace("MentraSession,", "MentraSession, RestartPolicy,")


@pytest.mark.slow
@pytest.mark.sockets
def test_an_app_that_is_given_up_is_told_once(clean_process: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = write(clean_process, "app.py", restarting("max_restarts=0"))
    script = write(clean_process, "a.script", "say boom\nwait 0.3\nstart\nsay again\nexpect again, in run 2\n")

    assert run(Options(app=app, script=script, plain=True)) == 1
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "the app crashed once and was given up; 'start' starts it again",
        "the app crashed: ValueError: the handler failed (app.py:17)",
    ]


@pytest.mark.slow
@pytest.mark.sockets
def test_a_script_fails_when_the_app_crashed_although_it_was_restarted(
    clean_process: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = write(clean_process, "app.py", restarting("first_delay=0.01"))
    script = write(clean_process, "a.script", "say boom\nsay boom\nsay again\nexpect again, in run 3\n")

    assert run(Options(app=app, script=script, plain=True)) == 1
    told = capsys.readouterr()
    assert "> expect again, in run 3" in told.out.splitlines()
    assert (told.err.count("Traceback"), told.err.count("the same error again")) == (1, 1)
    assert told.err.splitlines()[-1] == "the app crashed 2 times; first: ValueError: the handler failed (app.py:17)"


@pytest.mark.slow
@pytest.mark.sockets
def test_an_expectation_that_is_not_met_ends_a_script_with_1(
    clean_process: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = write(clean_process, "app.py", ECHO)
    script = write(clean_process, "a.script", "expect Ready\n\nexpect Steady within 0.3\nsay never\n")

    assert run(Options(app=app, script=script, plain=True)) == 1
    told = capsys.readouterr()
    assert told.err == "a.script:3: expected 'Steady' within 0.3 s; the glasses show 'Ready'\n"
    assert [line for line in told.out.splitlines() if not line.startswith("run")] == [
        "| // MentraOS - Starting App",
        "| com.example.app",
        "> expect Ready",
        "| Ready",
        "> expect Steady within 0.3",
    ]


@pytest.mark.sockets
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_script_in_order(
    clean_process: Path, capsys: pytest.CaptureFixture[str], signum: signal.Signals, code: int
) -> None:
    """And a terminal that has changed its size ends nothing."""
    interruption = f"""
        signal.raise_signal(signal.SIGWINCH)
        await trio.lowlevel.checkpoint()
        signal.raise_signal({signum})
        await trio.sleep_forever()
    """
    lines = ECHO.replace('        print(f"run {runs}")\n', textwrap.indent(textwrap.dedent(interruption), " " * 8))
    app = write(clean_process, "app.py", f"    import signal\n    import trio{lines}")
    before = signal.getsignal(signum)

    assert run(Options(app=app, script=write(clean_process, "a.script", "wait 1000\n"), plain=True)) == code
    assert signal.getsignal(signum) is before
    assert "Traceback" not in capsys.readouterr().err


@attrs.define
class Look:
    """An act that only looks where things are."""

    addresses: list[str] = attrs.field(factory=list[str])

    async def play(self, player: Player, console: Console) -> int:
        await trio.lowlevel.checkpoint()
        cloud = player._cloud
        self.addresses += [cloud.origin, *(app.public_url for app in cloud.store.apps.values())]
        return 7

    def interrupted(self, signum: int) -> int:
        return signum

    @property
    def is_test(self) -> bool:
        return True


@pytest.mark.sockets
async def test_everything_is_on_loopback_whatever_the_app_says(
    clean_process: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("MENTRAOS_DEV", "0")
    look = Look()
    with trio.fail_after(LIMIT):
        code = await perform(write(clean_process, "app.py", ECHO), PlainConsole(io.StringIO(), io.StringIO()), look)

    assert code == 7
    assert [urlsplit(address).hostname for address in look.addresses] == ["127.0.0.1"] * 2


@pytest.mark.sockets
async def test_a_cancelled_performance_closes_down(clean_process: Path) -> None:
    class Hang(Look):
        async def play(self, player: Player, console: Console) -> int:
            await super().play(player, console)
            scope.cancel()
            await trio.sleep_forever()

    before = signal.getsignal(signal.SIGINT)
    with trio.move_on_after(LIMIT) as scope:
        await perform(write(clean_process, "app.py", ECHO), PlainConsole(io.StringIO(), io.StringIO()), Hang())

    assert scope.cancelled_caught
    assert signal.getsignal(signal.SIGINT) is before


# --- as programs


@pytest.mark.slow
@pytest.mark.sockets
def test_commands_come_from_a_pipe_and_an_error_of_the_handler_is_shown_in_between(tmp_path: Path) -> None:
    """A command that is wrong, or fails, keeps none of those after it from being done; the exit code tells of it."""
    app = write(tmp_path, "app.py", ECHO)
    commands = "sya hi\nsay boom\nexpect nothing within 0\nsay again\nexpect again, in run 2"
    done = call(tmp_path, f"{app}:app", stdin=commands)

    assert done.returncode == 1, done.stderr
    assert "| Heard: again, in run 2" in done.stdout.splitlines()
    assert "there is no command 'sya'" in done.stderr
    assert "expected 'nothing' within 0 s" in done.stderr
    assert re.search(
        r"ERROR mentra_trio\.session: \[\w+\] the session handler raised; restarting in 0\.5 s \(1 of 3\)\n"
        r"Traceback \(most recent call last\):\n"
        r'  File ".*app\.py", line 17, in echo\n'
        r"    raise ValueError\(.*\)\n"
        r"ValueError: the handler failed\n",
        done.stderr,
    )
    assert done.stderr.endswith("\nthe app crashed: ValueError: the handler failed (app.py:17)\n")


@pytest.mark.slow
@pytest.mark.sockets
def test_a_pipe_all_of_whose_commands_went_well_ends_with_0(tmp_path: Path) -> None:
    done = call(tmp_path, write(tmp_path, "app.py", ECHO), stdin="say hi\nexpect Heard: hi\n")

    assert done.returncode == 0
    assert "heard hi" in done.stdout.splitlines()


@contextmanager
def started(folder: Path, *arguments: str) -> Generator[subprocess.Popen[bytes], None, None]:
    """Start `mentra-trio dev`; kill it if it is still there at the end."""
    with subprocess.Popen(
        [*PROGRAM, "dev", *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Read until a line of its output holds a text."""
    assert process.stdout is not None
    watchdog = time.monotonic() + LIMIT
    for line in process.stdout:
        if text in line:
            return
        assert time.monotonic() < watchdog
    pytest.fail(f"the program ended before it printed {text!r}")


def interrupt(process: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-C until the program has ended; return how often that was."""
    for count in range(1, 100):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(LIMIT / 100)
            return count
    pytest.fail("the program does not end")


@pytest.mark.slow
@pytest.mark.sockets
def test_a_signal_ends_a_conversation_well(tmp_path: Path) -> None:
    app = write(tmp_path, "app.py", ECHO)
    with started(tmp_path, app) as process:
        wait_for(process, b"run 1")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=LIMIT)

    assert process.returncode == 0
    assert errors == b""


@pytest.mark.slow
@pytest.mark.sockets
def test_a_second_signal_ends_an_app_that_blocks(tmp_path: Path) -> None:
    app = write(tmp_path, "app.py", BLOCKING)
    with started(tmp_path, app) as process:
        wait_for(process, b"blocked")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert any(line == b"the app has not ended yet; Ctrl-C ends it by force\n" for line in process.stderr)
        process.send_signal(signal.SIGINT)

        assert process.wait(LIMIT) == -signal.SIGINT


@pytest.mark.slow
@pytest.mark.sockets
def test_one_signal_ends_an_app_whose_handler_hangs_in_a_shield(tmp_path: Path) -> None:
    app = write(tmp_path, "app.py", HANGING)
    with started(tmp_path, app, "--script", write(tmp_path, "a.script", "wait 1000\n")) as process:
        wait_for(process, b"runs")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=LIMIT)

    assert process.returncode == 143
    assert b"com.example.app is ended by force, because this handler does not end" in errors


# --- in a terminal


@attrs.define(eq=False)
class Terminal:
    """A pseudo-terminal with `mentra-trio dev` in it."""

    process: subprocess.Popen[bytes]
    fd: int
    output: str = ""
    _seen: int = 0
    _decoder: codecs.IncrementalDecoder = attrs.field(factory=codecs.getincrementaldecoder("utf-8"))

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until a text was printed after the one before. Both may come at once: a busy machine prints in lumps."""
        watchdog = time.monotonic() + LIMIT
        while (found := self.output.find(text, self._seen)) < 0:
            assert time.monotonic() < watchdog, f"{text!r} was not printed, but {self.output[self._seen :]!r}"
            self._read()
        self._seen = found + len(text)

    def wait_ended(self) -> int:
        """Wait until the program has ended; return its exit code."""
        watchdog = time.monotonic() + LIMIT
        while self.process.poll() is None:
            assert time.monotonic() < watchdog, "the program does not end"
            self._read()
        self._read()
        return self.process.returncode

    def _read(self) -> None:
        ready, _, _ = select.select([self.fd], [], [], 0.1)
        if ready:
            self.output += self._decoder.decode(os.read(self.fd, 65536))


@contextmanager
def terminal(folder: Path, *arguments: str) -> Generator[Terminal, None, None]:
    near, far = pty.openpty()
    before = termios.tcgetattr(far)
    termios.tcsetwinsize(near, (30, 80))
    with subprocess.Popen(
        [*PROGRAM, "dev", *arguments],
        cwd=folder,
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
        # A COLUMNS that was exported is that of another terminal.
        env={**os.environ, "TERM": "xterm", "PYTHONUTF8": "1", "COLUMNS": "132", "LINES": "50"},
    ) as process:
        try:
            yield Terminal(process, near)
            assert termios.tcgetattr(far) == before, "the terminal is not as it was found"
        finally:
            process.kill()
            os.close(near)
            os.close(far)


@pytest.mark.slow
@pytest.mark.sockets
def test_a_developer_types_and_sees_the_glasses(tmp_path: Path) -> None:
    app = write(tmp_path, "app.py", ECHO)
    with terminal(tmp_path, app) as screen:
        screen.wait_for("type 'help'")
        screen.wait_for("Ready")
        screen.type("say on\x7fne\r")
        screen.wait_for("│ Heard: one, in run 1")
        screen.type("say boom\r")
        screen.wait_for("ValueError: the handler failed")
        screen.type("battery 5\r")
        screen.wait_for("connected, 5 %")
        termios.tcsetwinsize(screen.fd, (20, 40))
        screen.process.send_signal(signal.SIGWINCH)
        screen.wait_for("\x1b[2J\x1b[H")
        screen.type("\x04")

        assert screen.wait_ended() == 0
    assert "heard one" in screen.output
    assert "╭─ com.example.app ─" in screen.output


@pytest.mark.slow
@pytest.mark.sockets
def test_ctrl_c_in_a_terminal_ends_well(tmp_path: Path) -> None:
    app = write(tmp_path, "app.py", ECHO)
    with terminal(tmp_path, app) as screen:
        screen.wait_for("connected")
        screen.type("half a li")
        screen.wait_for("half a li")
        screen.process.send_signal(signal.SIGINT)

        assert screen.wait_ended() == 0
    assert "Traceback" not in screen.output


@pytest.mark.slow
@pytest.mark.sockets
def test_the_second_ctrl_c_gives_the_terminal_back(tmp_path: Path) -> None:
    app = write(tmp_path, "app.py", BLOCKING)
    with terminal(tmp_path, app) as screen:
        screen.wait_for("blocked")

        assert interrupt(screen.process) > 1


@pytest.mark.slow
@pytest.mark.sockets
def test_a_script_in_a_terminal_is_drawn(tmp_path: Path) -> None:
    app = write(tmp_path, "app.py", ECHO)
    script = write(tmp_path, "a.script", "wait 0.1\n")
    with terminal(tmp_path, app, "--script", script) as screen:
        assert screen.wait_ended() == 0
    assert "│ // MentraOS - Starting App" in screen.output


@pytest.mark.slow
@pytest.mark.sockets
def test_a_script_ends_although_a_handler_hangs_in_a_shield(tmp_path: Path) -> None:
    """With 1, whatever the script said, and the terminal is given back."""
    app = write(tmp_path, "app.py", HANGING)
    with terminal(tmp_path, app, "--script", write(tmp_path, "a.script", "wait 0\n")) as screen:
        assert screen.wait_ended() == 1
    (told,) = re.findall(r"! \[\w+\] com\.example\.app is ended by force, because .*?\n", screen.output)
    assert "set a limit" in told
