"""Verbs in any order: nothing said after `drop` returned is lost, and the handler is not restarted."""

from random import Random

import attrs
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio.cli.commands import Drop, Quit, Say, Start, Stop
from mentra_trio.cli.player import CommandFailedError
from mentra_trio.cli.script import read_script
from tests.cli.stage import Echo, open_stage

VERBS = ["say", "say", "say --partial", "drop", "drop", "stop", "start", "battery", "set", "wait", "stats", "help"]
WORDS = ["berlin", "don't", "日本", "oslo,", "within", "5", "é", "--", "Lima!"]


def write_script(random: Random) -> str:
    """Some verbs with arguments, at random."""
    lines: list[str] = ["start"]
    for number in range(random.randint(6, 16)):
        verb = random.choice(VERBS)
        match verb:
            case "say" | "say --partial":
                # A number makes each one different.
                lines.append(f"{verb} {number} {' '.join(random.choices(WORDS, k=random.randint(0, 6)))}")
            case "drop":
                seconds = random.choice(["", "0", "0.2", "1", "2.5", "4.7", "5.2", "6", "8", "9"])
                lines.append(f"drop {seconds}")
            case "battery":
                lines.append(f"battery {random.randint(0, 100)}")
            case "set":
                lines.append(f"set key{number} {random.choice(['true', '5', 'text', '[1]', 'two words'])}")
            case "wait":
                lines.append(f"wait {random.choice([0, 0.1, 1, 5, 20, 90])}")
            case _:
                lines.append(verb)
    return "\n".join(lines)


@attrs.define
class Model:
    """What has to come of it."""

    is_running: bool = False
    runs: int = 0
    heard: list[str] = attrs.field(factory=list[str])

    def apply(self, command: object) -> bool:
        """Take a command; return whether it can be done."""
        match command:
            case Start():
                self.runs += not self.is_running
                self.is_running = True
            case Stop():
                self.is_running = False
            case Say(text, is_final):
                if self.is_running and is_final:
                    self.heard.append(text)
                return self.is_running
            case Drop():
                return self.is_running
            case _:
                pass
        return True


@pytest.mark.parametrize("seed", range(60))
async def test_verbs_in_any_order_lose_nothing_and_restart_nothing(autojump_clock: MockClock, seed: int) -> None:
    echo, model = Echo(), Model()
    async with open_stage(echo.app) as stage:
        for step in read_script(write_script(Random(seed)).encode(), "random"):
            assert not isinstance(step.command, Quit)
            failure = ""
            try:
                await stage.player.play(step.command)
            except CommandFailedError as error:
                failure = str(error)
            await wait_all_tasks_blocked()

            expected = "" if model.apply(step.command) else "the app does not run; 'start' starts it"
            assert failure == expected, f"{step.place}: {step.line}"
            assert stage.player.is_running is model.is_running
            assert echo.runs == model.runs
            assert echo.heard == model.heard
