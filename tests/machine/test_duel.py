"""The SDK and the simulated cloud against each other, through everything that can happen to both.

A script is a list of things that happen, with pauses. After each of them, and at the end, when all faults are over and
the wearer has started and then stopped the app, this holds:

* nothing but the handshake is sent before the ack, and nothing connects after a stop;
* a session has one live socket at most;
* the cloud knows the subscriptions that are open, as soon as things are quiet;
* every call ends;
* the counts of a session are what really went over its sockets, and what is missing in a stream is counted or told;
* a session has one run of the handler, and the next session has another;
* at the end there is no task, socket or session left.
"""

import pytest
import trio
from hypothesis import example, given, note
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.effort import Progress, effort

from .steps import SCRIPTS, Act, Duplicate, Freeze, Press, Start, StrayStop
from .world import World, open_world

WORLDS = Progress("worlds played")
_PATIENCE = 100_000.0
"""Seconds of virtual time after which something hangs."""


async def play(script: list[tuple[Act, float]]) -> None:
    """Play a script, and find out what came of it."""
    with trio.fail_after(_PATIENCE):
        async with open_world() as world:
            tasks = trio.lowlevel.current_statistics().tasks_living
            for act, pause in script:
                note(f"{trio.current_time():.3f} {act}")
                act.do(world)
                Press(1).do(world)  # so that hardly anything is lost unnoticed
                await trio.sleep(pause)
                check(world)
                if pause:
                    check_calls(world)
            await world.settle()
            check(world)
            await world.check_up()
            check(world)
            await world.check_down()
            check(world)
            assert trio.lowlevel.current_statistics().tasks_living == tasks, "a task is left"


def check(world: World) -> None:
    """What holds at any time."""
    assert not world.faults, world.faults
    assert sum(session.stop_reason is None for session in world.active) <= 1


# Scripts that once found something.
_STOP_AND_START_OVER_A_DEAD_LINE: list[tuple[Act, float]] = [
    (Start(), 1.0),
    (Freeze(0), 0.0),
    (StrayStop(), 0.0),
    (Duplicate(is_elsewhere=False), 0.0),
]


def check_calls(world: World) -> None:
    """A moment after the end of a session nobody waits for an answer any more."""
    for run in world.runs:
        assert run.pending == 0 or run.session.stop_reason is None


@pytest.mark.slow
@effort(60)
@given(script=SCRIPTS, seeded=st.random_module())
@example(script=_STOP_AND_START_OVER_A_DEAD_LINE, seeded=None)
def test_whatever_happens_the_last_word_counts(script: list[tuple[Act, float]], seeded: object) -> None:
    WORLDS.step()
    trio.run(play, script, clock=MockClock(autojump_threshold=0))
