"""Work that would hold up the thread, done elsewhere (D22).

Whoever needs it is given an `Offload`. In production that is `Threads`; under an autojump clock it is `run_inline`,
because that clock does not wait for threads: every deadline would pass while one works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_MOST_THREADS = 8
"""Threads of one app that work at a time: more would only take the processor from the event loop."""


class Offload(Protocol):
    """Runs a plain function without holding up other tasks, and gives what it returns, or raises what it raises.

    Cancelling waits for the function to end: it may own things that must not be used twice at a time.
    """

    async def __call__(self, work: Callable[[], T], /) -> T:
        """Run it."""
        ...


@attrs.define(eq=False)
class Threads:
    """An `Offload` to threads, a bounded number at a time."""

    _limiter: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(_MOST_THREADS))

    async def __call__(self, work: Callable[[], T], /) -> T:
        """Run it in a thread."""
        return await trio.to_thread.run_sync(work, limiter=self._limiter)


async def run_inline(work: Callable[[], T], /) -> T:
    """Run it right here: an `Offload` for tests."""
    await trio.lowlevel.checkpoint()
    return work()
