"""What the README tells a newcomer to write, written and played."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from trio.testing import MockClock

from mentra_trio.cli.acts import ScriptAct
from mentra_trio.cli.console import PlainConsole
from mentra_trio.cli.loading import load_app
from mentra_trio.cli.parsing import USAGES
from mentra_trio.cli.script import read_script
from tests.cli.stage import open_stage

README = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")


def block_after(text: str) -> str:
    """The first block of code after a text."""
    match = re.search(r"^```\w*\n(.*?)^```$", README[README.index(text) :], re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


async def test_the_app_that_the_readme_lets_a_newcomer_write_plays_its_script(
    clean_process: Path, autojump_clock: MockClock
) -> None:
    (clean_process / "cities.py").write_text(block_after("Write `cities.py`"), "utf-8")
    script = block_after("`cities.script`").encode()
    out, err = io.StringIO(), io.StringIO()
    async with open_stage(load_app("cities.py")) as stage:
        console = PlainConsole(out, err)
        console.attach(stage.player)
        code = await ScriptAct(read_script(script, "cities.script")).play(stage.player, console)

    assert (code, err.getvalue()) == (0, "")
    assert "cities" in sys.modules


@pytest.mark.slow
def test_the_test_that_the_readme_shows_passes_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "cities.py").write_text(block_after("Write `cities.py`"), "utf-8")
    (tmp_path / "test_cities.py").write_text(block_after("Write `test_cities.py`"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_cities.py"],
        cwd=tmp_path,
        env={**os.environ, "MENTRAOS_API_KEY": "any"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_test_that_the_readme_shows_is_short() -> None:
    assert len(block_after("Write `test_cities.py`").splitlines()) <= 25


def test_the_readme_shows_the_example_as_it_is() -> None:
    example = (Path(__file__).parent.parent.parent / "examples" / "hello_glasses.py").read_text("utf-8")

    assert block_after("## A complete app") == example


def test_the_readme_has_a_row_for_each_command() -> None:
    """And for none that there is not."""
    table = README[README.index("| Command | Does |") :].partition("\n\n")[0]
    forms = [re.findall("`(.*?)`", line.split(" | ")[0]) for line in table.splitlines()[2:]]

    assert {form.split()[0] for row in forms for form in row} == {*USAGES}
