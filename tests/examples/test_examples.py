"""Every example, against the engine in memory and through the command line."""

import io
import logging
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from trio.testing import MockClock

from mentra_trio.cli.acts import ScriptAct
from mentra_trio.cli.commands import Stop
from mentra_trio.cli.console import PlainConsole
from mentra_trio.cli.loading import load_app
from mentra_trio.cli.script import read_script
from tests.cli.program import call
from tests.cli.stage import open_stage

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])


@pytest.fixture(autouse=True)
def fresh_modules(clean_process: Path) -> Generator[None, None, None]:
    """Each test imports its example anew."""
    yield
    for example in EXAMPLES:
        sys.modules.pop(example.stem, None)


def test_there_are_examples() -> None:
    assert ROOT / "examples" / "hello_glasses.py" in EXAMPLES


@every_example
def test_an_example_fits_on_a_page_and_has_a_script(example: Path) -> None:
    assert len(example.read_text("utf-8").splitlines()) < 60
    assert example.with_suffix(".script").is_file()


@every_example
async def test_an_example_plays_its_script_and_breaks_no_rule_of_the_protocol(
    example: Path, autojump_clock: MockClock
) -> None:
    script = example.with_suffix(".script")
    out, err = io.StringIO(), io.StringIO()
    async with open_stage(load_app(str(example))) as stage:
        console = PlainConsole(out, err)
        console.attach(stage.player)
        act = ScriptAct(read_script(script.read_bytes(), script.name))
        code = await act.play(stage.player, console)

    assert (code, err.getvalue()) == (0, "")


@pytest.mark.slow
@pytest.mark.sockets
def test_the_first_example_plays_its_script_as_a_program(tmp_path: Path) -> None:
    """In real time, so only one of them, until its network fails; `nox -s examples` plays all to their ends."""
    example = ROOT / "examples" / "hello_glasses.py"
    script = tmp_path / "hello.script"
    script.write_text(example.with_suffix(".script").read_text("utf-8").partition("\ndrop ")[0], "utf-8")
    done = call(ROOT, str(example), "--script", str(script), "--plain")

    assert done.returncode == 0, done.stderr
    assert "| You said: good morning" in done.stdout.splitlines()
    assert "ERROR" not in done.stderr
    assert "Traceback" not in done.stderr


async def test_hello_glasses_greets_answers_and_logs_why_it_ended(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hello_glasses")
    async with open_stage(load_app(str(ROOT / "examples" / "hello_glasses.py"))) as stage:
        script = read_script(b"expect Hello from MentraOS!\nsay good morning\nexpect You said: good morning\n", "")
        code = await ScriptAct(script).play(stage.player, PlainConsole(io.StringIO(), io.StringIO()))
        await stage.player.play(Stop())

    assert code == 0
    assert "the session ended: stop_requested (user_disabled)" in caplog.messages
