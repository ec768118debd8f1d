"""Cancels an operation at every moment that there is.

Between two steps of tasks nothing happens in Trio, so "after the nth step of any task" names every moment at which a
cancellation can come: while the operation sleeps, after it was woken and before it runs, and while others work on what
it asked for.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import attrs
import trio
import trio.testing

from tests.effort import is_soak

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

MOST_STEPS = 2000
"""An operation that takes more than these does not end."""


@attrs.define(eq=False)
class _CountDown(trio.abc.Instrument):
    """Cancels a scope after so many steps of any task."""

    _scope: trio.CancelScope
    _left: int

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._scope.cancel(reason="its moment has come")


@attrs.define(eq=False)
class Attempt:
    """One run of an operation that is cancelled at one moment."""

    step: int
    """After which step; 0 for before the first."""
    is_done: bool = attrs.field(init=False, default=False)
    """The operation has returned."""
    has_fired: bool = attrs.field(init=False, default=False)
    """The moment came before the operation, or what was to follow it, was over."""

    async def run(self, operation: Callable[[], Awaitable[object]]) -> None:
        """Run the operation, and let what it began go on until nothing happens any more; cancel both at the moment."""
        with trio.CancelScope() as scope:
            if self.step == 0:
                scope.cancel(reason="it is cancelled already")
            instrument = _CountDown(scope, self.step)
            trio.lowlevel.add_instrument(instrument)
            try:
                await operation()
                self.is_done = True
                await trio.testing.wait_all_tasks_blocked()
            finally:
                trio.lowlevel.remove_instrument(instrument)
                self.has_fired = scope.cancel_called


def every_step(*, stride: int = 1) -> Generator[Attempt, None, None]:
    """Give an attempt that is cancelled before it begins, one for each step, and a last one that is not cancelled.

    An operation of many steps may ask for every nth of them; the soak takes them all.
    """
    for step in itertools.chain([0], itertools.count(1, 1 if is_soak() else stride)):
        assert step < MOST_STEPS
        attempt = Attempt(step)
        yield attempt
        assert step > 0 or not attempt.is_done, "a cancelled task called it, and it did not notice"
        if not attempt.has_fired:
            assert attempt.is_done
            return


async def living_tasks() -> int:
    """Count the tasks when nothing happens any more."""
    await trio.testing.wait_all_tasks_blocked()
    return trio.lowlevel.current_statistics().tasks_living
