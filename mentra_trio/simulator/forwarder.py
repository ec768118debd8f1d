"""Faults below messages: a line between two streams that can be cut, frozen or slowed down.

The same line carries a connection in memory and one over real sockets. There it is a small TCP forwarder in front of
the HTTP server, because a server that speaks WebSocket cannot end a connection without a close frame.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_CHUNK = 64 * 1024
"""Bytes taken at once."""
_SIDES = 2


@attrs.define(eq=False)
class Line:
    """One connection's bytes, both ways, with a hand on them."""

    delay: float = 0.0
    """Seconds that every chunk takes longer, in either direction."""
    _is_frozen: bool = attrs.field(default=False, init=False)
    _gone: int = attrs.field(default=0, init=False)
    """Sides that have gone away."""
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    def cut(self) -> None:
        """End the connection at once, without a close frame. Both sides see it."""
        self._scope.cancel(reason="the line was cut")

    def freeze(self) -> None:
        """Swallow everything from now on, both ways, also that a side goes away: a half-open connection."""
        self._is_frozen = True

    async def run(self, near: trio.abc.HalfCloseableStream, far: trio.abc.HalfCloseableStream) -> None:
        """Carry bytes until both sides are done or the line is cut. Closes both streams."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._carry, near, far)
                    nursery.start_soon(self._carry, far, near)
        finally:
            with trio.CancelScope(shield=True):  # ends: closing by force does not wait
                await trio.aclose_forcefully(near)
                await trio.aclose_forcefully(far)

    async def _carry(  # noqa: ASYNC910 - a task, nobody awaits it
        self, source: trio.abc.HalfCloseableStream, sink: trio.abc.HalfCloseableStream
    ) -> None:
        try:
            while data := await source.receive_some(_CHUNK):
                await self._pass_on(partial(sink.send_all, data))
            await self._pass_on(sink.send_eof)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            if not self._is_frozen:
                self.cut()
        self._gone += 1
        if self._is_frozen:
            if self._gone == _SIDES:
                self.cut()  # nobody is left to notice
            # The other side must not notice.
            await trio.sleep_forever()

    async def _pass_on(self, write: Callable[[], Awaitable[None]]) -> None:
        await trio.sleep(self.delay)
        if not self._is_frozen:
            await write()
