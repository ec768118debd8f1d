"""How fast one process may connect (D20).

A cloud that restarts drops every session at once, and all of them come back within the same second. The limit
keeps that from becoming a flood, and lets those through first for whom the cloud's start timer is running (P1
1.3).
"""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@attrs.define(eq=False)
class _Waiter:
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """Cancelled to wake the waiter; its deadline is when the waiter should look again."""
    started_at: float | None = None
    """When it was let in; `None` while it waits."""


class ConnectLimiter:
    """Lets at most `at_once` connects run at the same time, and `per_second` start in any second.

    The rate is a sliding window over the last starts: no window of one second, wherever it begins, holds more.
    """

    def __init__(self, at_once: int = 50, per_second: int = 250) -> None:
        if at_once < 1 or per_second < 1:
            raise ValueError("at_once and per_second must be 1 or more")
        self._free = at_once
        # The last starts. When the deque is full the next start has to wait until the oldest is a second ago.
        self._per_second = per_second
        self._starts: deque[float] = deque()
        self._urgent: deque[_Waiter] = deque()
        self._patient: deque[_Waiter] = deque()

    @asynccontextmanager
    async def slot(self, *, urgent: bool = False) -> AsyncGenerator[None, None]:
        """Wait for a turn and hold it inside the context.

        Urgent callers go before all others, the newest first: the cloud gives the oldest up soonest, and a flood of
        webhooks must not hold back the wearer who comes after it. The others are served as they come. A caller that is
        cancelled while it waits takes nothing.

        The context holds no cancel scope, so it may be left before a connection that was opened inside of it.
        """
        await self._wait_turn(self._urgent if urgent else self._patient)
        try:
            yield
        finally:
            self._free += 1
            self._admit()

    async def _wait_turn(self, queue: deque[_Waiter]) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        waiter = _Waiter()
        queue.append(waiter)
        self._admit()
        if waiter.started_at is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        try:
            while waiter.started_at is None:
                with waiter.scope:
                    await trio.sleep_forever()
                waiter.scope = trio.CancelScope()
                self._admit()
        except trio.Cancelled:
            self._withdraw(waiter, queue)
            raise

    def _withdraw(self, waiter: _Waiter, queue: deque[_Waiter]) -> None:
        if waiter.started_at is None:
            queue.remove(waiter)
        else:  # let in and cancelled in the same moment
            with suppress(ValueError):  # the window may have moved past it
                self._starts.remove(waiter.started_at)
            self._free += 1
        self._admit()

    def _admit(self) -> None:
        """Let in who may go, and have the next one look again when the window has moved on."""
        now = trio.current_time()
        while self._starts and now >= self._starts[0] + 1.0:
            self._starts.popleft()
        while queue := (self._urgent or self._patient):
            if not self._free:
                return  # whoever leaves calls again
            if len(self._starts) >= self._per_second:
                queue[0].scope.deadline = self._starts[0] + 1.0
                return
            waiter = queue.pop() if queue is self._urgent else queue.popleft()
            waiter.started_at = now
            self._starts.append(now)
            self._free -= 1
            waiter.scope.cancel(reason="its turn has come")
