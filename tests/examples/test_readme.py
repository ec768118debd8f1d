"""What the README tells a newcomer to write, written and played."""

import io
import re
import sys
from pathlib import Path

from trio.testing import MockClock

from mentra_trio.cli.acts import ScriptAct
from mentra_trio.cli.console import PlainConsole
from mentra_trio.cli.loading import load_app
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
