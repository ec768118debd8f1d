"""Verbs in any order: nothing said after `drop` returned is lost, the handler is not restarted, and what was shown last
is what the wearer sees, for as long as it should.
"""

from random import Random

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import MentraSession
from mentra_trio.cli.commands import Action, Drop, Quit, Say, Start, Stop, Wait
from mentra_trio.cli.player import CommandFailedError
from mentra_trio.cli.script import read_script
from tests.cli.stage import Echo, make_app, open_stage

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


async def show_for_a_moment(session: MentraSession) -> None:
    """A handler that shows one thing, which ends by itself."""
    await session.display.show_text_wall("Hello", duration=3)


def quick_restarts(random: Random) -> list[Action]:
    """Starts within the boot screen of the one before, and words before some of the stops; the app runs in the end."""
    commands: list[Action] = [Start()]
    for number in range(random.randint(1, 5)):
        commands += [Say(f"Oslo {number}")] * random.randint(0, 1)
        commands += [
            Wait(random.choice([0, 0.1, 0.4, 0.8, 1.2])),
            Stop(),
            Wait(random.choice([0, 0, 0.2, 0.6])),
            Start(),
        ]
    return commands


@pytest.mark.parametrize("seed", range(10))
async def test_however_quickly_an_app_is_started_again_its_display_stays(autojump_clock: MockClock, seed: int) -> None:
    """The timers of the cloud's boot screens would empty it (P3 1.5)."""
    echo, random = Echo(), Random(seed)
    async with open_stage(echo.app) as stage:
        for command in quick_restarts(random):
            await stage.player.play(command)
        newest = "Hello"
        if random.random() < 0.3:
            newest = "Heard: Lima"
            await stage.player.play(Wait(random.choice([0, 0.2, 0.5, 0.8, 1.1])))
            await stage.player.play(Say("Lima"))
        await stage.player.play(Wait(10))

        assert stage.glasses.screen.text == newest


@pytest.mark.parametrize("seed", range(10))
async def test_however_quickly_an_app_is_started_again_its_duration_ends(autojump_clock: MockClock, seed: int) -> None:
    app = make_app()
    app.on_session(show_for_a_moment)
    async with open_stage(app) as stage:
        for command in quick_restarts(Random(seed)):
            if not isinstance(command, Say):
                await stage.player.play(command)
        started_at = trio.current_time()
        await stage.player.play(Wait(10))

        shown = [screen for screen in stage.glasses.history if screen.at >= started_at]
        times = [screen.at for screen in shown if screen.text == "Hello"]
        assert times
        assert 2.5 <= stage.glasses.screen.at - times[0] <= 3
        assert stage.glasses.screen.text == ""
