"""`Rest` for one session: requests to the cloud that owns it, in the app's name, within their limits."""

from __future__ import annotations

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
    is_closed: bool = attrs.field(init=False, default=False)
    """Whether no more calls are taken."""

    async def call(self, request: RestRequest[R]) -> R:
        """See `Rest.call`."""
        self.check()
        identity = self.identity
        target = request.target(identity.user_id, identity.package_name)
        headers = [("content-type", "application/json")]
        if request.IS_SIGNED:
            headers.append(("authorization", f"Bearer {identity.package_name}:{identity.api_key}"))
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

    def pause(self, failures: int) -> float:
        """See `Rest.pause`."""
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 16))
        return self.random.uniform(longest / 2, longest)

    def check(self) -> None:
        """See `Rest.check`."""
        if self.is_closed:
            raise self.life.closed_error()

    def close(self) -> None:
        """Take no more calls: the session and all that it had to do are over."""
        self.is_closed = True


def _seconds(text: str | None) -> float | None:
    """Read a `Retry-After` that is a number; the other form, a date, is not worth a clock."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
