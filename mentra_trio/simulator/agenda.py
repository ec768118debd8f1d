"""The engine's own time: what happens later, in order, and calls that have to wait.

The cloud is a machine of events: a message, a closed socket or a timer changes state at once, without waiting. What
it starts that takes time (a webhook) runs beside it. Both live in one nursery, which `Agenda.run` owns; nothing else
of the simulator keeps tasks. One task fires all timers, so that timers due at the same moment fire in the order in
which they were set, every time.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterator

import attrs
import trio

_Job = Callable[[], Awaitable[object]]


@attrs.define(eq=False)
class Timer:
    """One thing that happens later."""

    at: float
    """When, on the Trio clock."""
    _callback: Callable[[], None] | None

    @property
    def is_pending(self) -> bool:
        """Whether it is still to come."""
        return self._callback is not None

    def cancel(self) -> None:
        """Let it not happen. Harmless when it did."""
        self._callback = None

    def fire(self) -> None:
        """Do it, once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


@attrs.define(eq=False)
class Agenda:
    """Timers and jobs of one cloud. Timers set before `run` wait for it."""

    _timers: list[tuple[float, int, Timer]] = attrs.field(factory=list[tuple[float, int, Timer]], init=False)
    _order: Iterator[int] = attrs.field(factory=itertools.count, init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _queues: dict[Hashable, deque[_Job]] = attrs.field(factory=dict[Hashable, deque[_Job]], init=False)
    _jobs: set[trio.CancelScope] = attrs.field(factory=set[trio.CancelScope], init=False)

    @property
    def is_running(self) -> bool:
        """Whether jobs can be started."""
        return self._nursery is not None

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` after so many seconds. It must not wait; it may set timers and start jobs."""
        timer = Timer(trio.current_time() + max(seconds, 0.0), callback)
        heapq.heappush(self._timers, (timer.at, next(self._order), timer))
        self._changed.set()
        return timer

    def spawn(self, job: _Job) -> None:
        """Run an async callable beside everything else. Raises `RuntimeError` when the cloud is not running."""
        scope = trio.CancelScope()
        self._running_nursery().start_soon(self._run_job, job, scope)
        self._jobs.add(scope)

    def spawn_in_turn(self, key: Hashable, job: _Job) -> None:
        """Run an async callable when all earlier ones of the same key are done."""
        queue = self._queues.setdefault(key, deque())
        queue.append(job)
        if len(queue) == 1:
            self.spawn(lambda: self._work_off(key, queue))

    def carry(self, service: _Job) -> None:
        """Run what is not part of the cloud's memory, such as a socket: `clear` lets it be."""
        self._running_nursery().start_soon(service)

    def clear(self) -> None:
        """Forget all timers and end all jobs, as a process does that dies."""
        self._timers.clear()
        for scope in self._jobs:
            scope.cancel(reason="the simulated cloud lost its memory")

    def _running_nursery(self) -> trio.Nursery:
        if self._nursery is None:
            msg = "the simulated cloud is not running; use it inside 'async with cloud.running():'"
            raise RuntimeError(msg)
        return self._nursery

    async def run(  # noqa: ASYNC114 - started by the cloud, which is told so
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Fire timers and carry jobs until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                task_status.started()
                while True:
                    await self._wait_until_due()
                    self._fire_due()
            finally:
                self._nursery = None

    async def _wait_until_due(self) -> None:
        self._changed = trio.Event()
        if not self._timers:
            await self._changed.wait()
        elif self._timers[0][0] > trio.current_time():
            with trio.move_on_at(self._timers[0][0]):
                await self._changed.wait()
        else:
            # Timers that are due already must not keep other tasks from running.
            await trio.lowlevel.checkpoint()

    def _fire_due(self) -> None:
        """Fire what is due, but for what that sets: time may stand still until others run."""
        newest = (trio.current_time(), next(self._order))
        while self._timers and self._timers[0][:2] < newest:
            _, _, timer = heapq.heappop(self._timers)
            timer.fire()

    async def _run_job(self, job: _Job, scope: trio.CancelScope) -> None:
        try:
            with scope:
                await job()
        finally:
            self._jobs.discard(scope)

    async def _work_off(self, key: Hashable, queue: deque[_Job]) -> None:
        try:
            while queue:
                await queue[0]()
                queue.popleft()
        finally:
            del self._queues[key]
        await trio.lowlevel.checkpoint()
