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

from .steps import SCRIPTS, Act, Call, Duplicate, Freeze, Plan, Press, Send, Show, SlowAck, Start, StrayStop, ToSocket
from .wire import Doom
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
# Scripts that lose what chance seldom loses.
_STUCK_IN_A_COMMAND: list[tuple[Act, float]] = [
    (Plan(Doom("stuck", 12)), 0.0),
    (Start(), 1.0),
    (Send(20), 60.0),
]
_STUCK_IN_A_CALL: list[tuple[Act, float]] = [
    (Plan(Doom("stuck", 12)), 0.0),
    (Start(), 1.0),
    *[(Call(), 0.0)] * 20,
    (Press(1), 60.0),
]
_STUCK_IN_A_DISPLAY: list[tuple[Act, float]] = [
    (Plan(Doom("stuck", 12)), 0.0),
    (Start(), 3.0),
    *[(Show(), 0.5)] * 10,
    (Press(1), 60.0),
]
_STOPPED_WHILE_STUCK: list[tuple[Act, float]] = [
    (Plan(Doom("stuck", 12)), 0.0),
    (Start(), 1.0),
    (Send(20), 0.1),
    (StrayStop(), 60.0),
]
_PRESSED_WHILE_DOWN: list[tuple[Act, float]] = [
    (Start(), 1.0),
    (Press(1), 0.1),
    (ToSocket(0), 0.0),
    (Press(3), 5.0),
    (Press(3), 5.0),
]
_PRESSED_BEFORE_THE_ACK: list[tuple[Act, float]] = [
    (Start(), 1.0),
    (Press(1), 0.1),
    (SlowAck(2.0), 0.0),
    (ToSocket(0), 0.0),
    (Press(3), 1.0),
    (Press(3), 5.0),
]
_STOPPED_IN_A_PAUSE: list[tuple[Act, float]] = [
    (Start(), 1.0),
    (Plan(Doom("refused")), 0.0),
    (Plan(Doom("refused")), 0.0),
    (Plan(Doom("refused")), 0.0),
    (ToSocket(0), 0.5),
    (StrayStop(), 60.0),
]
_STOPPED_WHILE_DIALLING: list[tuple[Act, float]] = [
    (Start(), 1.0),
    (Plan(Doom("silent")), 0.0),
    (ToSocket(0), 1.0),
    (StrayStop(), 60.0),
]


def check_calls(world: World) -> None:
    """A moment after the end of a session nobody waits for an answer any more."""
    for run in world.runs:
        assert run.pending == 0 or run.session.stop_reason is None


@pytest.mark.slow
@effort(60)
@given(script=SCRIPTS, seeded=st.random_module())
@example(script=_STOP_AND_START_OVER_A_DEAD_LINE, seeded=None)
@example(script=_STUCK_IN_A_COMMAND, seeded=None)
@example(script=_STUCK_IN_A_CALL, seeded=None)
@example(script=_STUCK_IN_A_DISPLAY, seeded=None)
@example(script=_STOPPED_WHILE_STUCK, seeded=None)
@example(script=_PRESSED_WHILE_DOWN, seeded=None)
@example(script=_PRESSED_BEFORE_THE_ACK, seeded=None)
@example(script=_STOPPED_IN_A_PAUSE, seeded=None)
@example(script=_STOPPED_WHILE_DIALLING, seeded=None)
def test_whatever_happens_the_last_word_counts(script: list[tuple[Act, float]], seeded: object) -> None:
    WORLDS.step()
    trio.run(play, script, clock=MockClock(autojump_threshold=0))
