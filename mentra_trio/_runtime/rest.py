"""`Rest` for one session: requests to the cloud that owns it, in the app's name, within their limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import TypeVar

import attrs
import trio

from mentra_trio._net.rest import HttpAnswer, HttpClient, HttpRequest
from mentra_trio._net.transport import CloudUrl
from mentra_trio._wire.rest import RestAnswer, RestRequest
from mentra_trio.errors import CloudUnreachableError, RequestTimedOutError, TransportError

from .identity import Identity
from .life import Life

R = TypeVar("R")

_TURN = 15.0
"""Seconds that earlier runs are waited for: the grace of a handler and that of a stop handler, and the time for what
managers have left to do, 5 s each unless the app says otherwise."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds before another try of what failed, at most: after the first failure, and after many."""


@attrs.define(eq=False, kw_only=True, repr=False)  # it holds the key (D23)
class RestSide:
    """See `Rest` in `_link`."""

    identity: Identity
    life: Life
    client: HttpClient
    random: Random
    get_url: Callable[[], CloudUrl]
    """Where the cloud that owns the session is reached at this moment (D17)."""
    earlier: tuple[trio.Event, ...] = ()
    """The `closed` of earlier runs for the same wearer."""
    closed: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when no more calls are taken."""
    _turn_at: float = attrs.field(init=False, default=math.inf)
    """When it is this run's turn in any case."""

    async def call(self, request: RestRequest[R]) -> R:
        """See `Rest.call`."""
        self.check()
        identity = self.identity
        target = request.target(identity.user_id, identity.package_name)
        headers = [("content-type", "application/json")]
        if request.IS_SIGNED:
            name = f"{identity.package_name}:" if request.IS_NAMED else ""
            headers.append(("authorization", f"Bearer {name}{identity.api_key}"))
        sent = HttpRequest(
            method=request.METHOD,
            url=attrs.evolve(self.get_url(), target=target),
            headers=tuple(headers),
            body=request.body(),
        )
        answer: HttpAnswer | None = None
        try:
            with trio.move_on_after(request.LIMIT):
                answer = await self.client.exchange(sent, largest=request.LARGEST_ANSWER)
        except TransportError as error:
            raise CloudUnreachableError(f"{type(request).__name__} had no answer: {error}") from error
        if answer is None:
            raise RequestTimedOutError(type(request).__name__, request.LIMIT, "the cloud may be busy; try again later")
        return request.read(
            RestAnswer(status=answer.status, body=answer.body, retry_after=_seconds(answer.headers.get("retry-after")))
        )

    async def wait_turn(self) -> None:
        """See `Rest.wait_turn`."""
        self._turn_at = min(self._turn_at, trio.current_time() + _TURN)
        with trio.move_on_at(self._turn_at):
            await trio.lowlevel.checkpoint()
            for closed in self.earlier:
                await closed.wait()
        self.earlier = ()

    def pause(self, failures: int) -> float:
        """See `Rest.pause`."""
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 16))
        return self.random.uniform(longest / 2, longest)

    def check(self) -> None:
        """See `Rest.check`."""
        if self.closed.is_set():
            raise self.life.closed_error()

    def close(self) -> None:
        """Take no more calls: the session and all that it had to do are over."""
        self.closed.set()


def _seconds(text: str | None) -> float | None:
    """Read a `Retry-After` that is a number; the other form, a date, is not worth a clock."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
