"""The simulated dashboard: whose words are shown, when, and what the cloud does about mistakes (P3 3.3)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio.simulator import ViolationsError
from mentra_trio.simulator.agenda import Agenda
from mentra_trio.simulator.dashboard import Dashboard
from tests.scripted_cloud import idle
from tests.weaknesses.simulated import PACKAGE, open_simulated

HEADER = "◌ $DATE$, $TIME12$, $GBATT$"


async def test_words_are_drawn_half_a_second_later(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        await trio.sleep(5)
        await world.sessions[0].dashboard.show_text("3 notes")
        await wait_all_tasks_blocked()
        await trio.sleep(0.49)
        assert "3 notes" not in world.user.glasses.dashboard
        await trio.sleep(0.02)

        assert world.user.glasses.dashboard == (HEADER, "3 notes")
        assert world.cloud.violations == ()


async def test_words_go_when_the_app_stops(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        await wait_all_tasks_blocked()
        await world.sessions[0].dashboard.show_text("3 notes")
        await trio.sleep(1)
        await world.user.drop(PACKAGE)
        await trio.sleep(1)
        seen = [world.user.glasses.dashboard]
        await world.user.stop(PACKAGE)
        await trio.sleep(1)
        seen.append(world.user.glasses.dashboard)

        assert seen == [(HEADER, "3 notes"), (HEADER,)]


@pytest.mark.parametrize(
    "message", [{"content": "x"}, {"content": "x", "modes": ["expanded"]}, {"content": {}, "modes": ["main"]}]
)
async def test_what_the_cloud_loses_is_told_in_strict_mode(
    autojump_clock: MockClock, message: dict[str, object]
) -> None:
    with pytest.raises(ViolationsError, match=r"P3 3\.2"):
        await send_by_hand(message)


async def send_by_hand(message: dict[str, object]) -> None:
    """Send an update that the SDK would not send."""
    async with open_simulated(idle) as world:
        await wait_all_tasks_blocked()
        await world.sessions[0].raw.send("dashboard_content_update", **message)
        await trio.sleep(1)


async def run_dashboard() -> tuple[Agenda, Dashboard, list[tuple[float, str]]]:
    """Make a dashboard of which every drawing is noted, without the header."""
    agenda = Agenda()
    drawn: list[tuple[float, str]] = []

    def draw(text: str) -> None:
        drawn.append((round(trio.current_time(), 3), text.partition("\n")[2]))

    await trio.lowlevel.checkpoint()
    return agenda, Dashboard(agenda, draw), drawn


def at(second: int) -> str:
    return f"2026-06-14T09:12:{second:02}.000Z"


async def test_each_look_up_goes_to_the_next_app(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    agenda, dashboard, drawn = await run_dashboard()
    await nursery.start(agenda.run)
    dashboard.update("a", "one", ["main"], at(2))
    dashboard.update("b", "two", ["main"], at(1))
    await trio.sleep(1)
    for _ in range(3):
        dashboard.looked_up()
    dashboard.update("b", "", ["main"], at(3))
    dashboard.looked_up()
    dashboard.looked_up()

    # An app that cleared leaves a blank place, and its update moved it to the front.
    assert [text for _, text in drawn] == ["one", "two", "one", "two", "", "one"]
    nursery.cancel_scope.cancel()


async def test_the_system_has_the_first_lines(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    agenda, dashboard, drawn = await run_dashboard()
    await nursery.start(agenda.run)
    dashboard.open()
    dashboard.update("a", "words", ["main"], "nonsense")
    for number in range(3):
        dashboard.notified("Mail", f"Hi {number}", "Text")
    dashboard.planned("Standup @ 9:00")
    await trio.sleep(61)
    dashboard.close()
    await trio.sleep(600)

    text = "Standup @ 9:00\n[Mail] Hi 2: Text\n[Mail] Hi 1: Text\nwords"
    assert drawn == [(0.5, text), (60.0, text)]
    nursery.cancel_scope.cancel()
