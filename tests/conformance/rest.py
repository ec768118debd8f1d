"""The cloud's HTTP interface in a replay: it takes the SDK's calls, and answers when the timeline does."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, cast

import attrs
import trio

from mentra_trio._net.rest import HttpAnswer, HttpRequest
from mentra_trio.errors import ConnectFailedError

from .marks import CLOUD_HOST

if TYPE_CHECKING:
    from .recordings import Json

PERMISSIONS = "/api/public/permissions/"
"""Where this SDK asks for permissions, which the recorded one never does (P2 9.5)."""


@attrs.define(eq=False)
class Exchange:
    """A call, and its answer once there is one."""

    request: HttpRequest
    at: float = attrs.field(factory=trio.current_time)
    answer: HttpAnswer | None = None
    answered: trio.Event = attrs.field(factory=trio.Event)

    @property
    def message(self) -> Json:
        """The call as the recordings describe one."""
        sent = self.request
        message: Json = {
            "role": "request",
            "method": sent.method,
            "path": sent.url.target,
            "headers": dict(sent.headers),
        }
        if sent.body:
            message["body"] = cast("object", json.loads(sent.body))
        return message


@attrs.define(eq=False)
class FakeRest:
    """An `HttpClient`. What is not among the recorded calls meets a cloud that refuses connections."""

    changed: trio.lowlevel.ParkingLot
    """Told whenever there is something new to compare."""
    is_reachable: bool
    """Whether any call was recorded."""
    calls: deque[Exchange] = attrs.field(factory=deque[Exchange])
    """What nobody has compared yet."""
    _waiting: dict[object, Exchange] = attrs.field(factory=dict[object, Exchange])
    """By number: what was compared and is not answered yet."""
    _is_over: bool = False

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        """See `HttpClient.exchange`."""
        del largest
        await trio.lowlevel.checkpoint()
        if request.url.target.startswith(PERMISSIONS):
            return HttpAnswer(status=404, body=b'{"error":"App not found"}')
        if self._is_over:
            return HttpAnswer(status=200, body=b'{"success":true,"data":{}}')
        if not self.is_reachable or f"{request.url.host}:{request.url.port}" != CLOUD_HOST or request.url.tls:
            raise ConnectFailedError("nothing listens there")
        exchange = Exchange(request)
        self.calls.append(exchange)
        self.changed.unpark_all()
        await exchange.answered.wait()
        return cast("HttpAnswer", exchange.answer)

    async def aclose(self) -> None:
        """See `HttpClient.aclose`."""
        await trio.lowlevel.checkpoint()

    def took(self, number: object, exchange: Exchange) -> None:
        """Note that a call is the recorded one of this number."""
        self._waiting[number] = exchange

    def answer(self, message: Json) -> None:
        """Give the recorded answer. Raises `KeyError` when there was no such call."""
        exchange = self._waiting.pop(message["http"])
        raw = message.get("raw")
        body = json.dumps(message.get("body")) if raw is None else cast("str", raw)
        exchange.answer = HttpAnswer(status=cast("int", message["status"]), body=body.encode())
        exchange.answered.set()

    def finish(self) -> None:
        """Answer whatever is still asked for: the recording is over."""
        self._is_over = True
        for exchange in (*self.calls, *self._waiting.values()):
            exchange.answer = HttpAnswer(status=200, body=b'{"success":true,"data":{}}')
            exchange.answered.set()
