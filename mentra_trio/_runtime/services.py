"""Tasks and last duties of managers, which belong to the session and not to the author's code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs
import trio

from .accounts import log

Service: TypeAlias = Callable[[], Awaitable[None]]

_MOST_WAITING = 64
"""Services that may be asked for before the first of them runs: each manager has one or two."""


@attrs.define(eq=False)
class Services:
    """What managers keep running beside the handler. Nobody but `run` owns a nursery."""

    _run_id: str
    _asked: trio.MemorySendChannel[Service] = attrs.field(init=False)
    _to_start: trio.MemoryReceiveChannel[Service] = attrs.field(init=False)
    _duties: list[Service] = attrs.field(init=False, factory=list[Service])
    _is_over: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._asked, self._to_start = trio.open_memory_channel[Service](_MOST_WAITING)

    def start(self, service: Service) -> None:
        """Run a service from now on until the link is closed, and none after that. Never blocks."""
        if not self._is_over:
            self._asked.send_nowait(service)

    def at_end(self, duty: Service) -> None:
        """Have a duty done after the handler, while the link is still up."""
        self._duties.append(duty)

    async def run(self) -> None:
        """Run what is asked for. Cancelling ends all services."""
        try:
            async with trio.open_nursery() as nursery:
                async for service in self._to_start:
                    nursery.start_soon(self._contain, service)
        finally:
            self._is_over = True

    async def finish(self) -> None:
        """Do all duties, beside each other; each of them once. Callers set the limit."""
        duties, self._duties = self._duties, []
        async with trio.open_nursery() as nursery:
            for duty in duties:
                nursery.start_soon(self._contain, duty)

    async def _contain(self, service: Service) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Let a bug in one service cost that service, not the session."""
        try:
            await service()
        except* Exception as group:  # noqa: BLE001 - a bulkhead
            log.error("[%s] a service of the session failed; this is a bug", self._run_id, exc_info=group)
