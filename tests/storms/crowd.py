"""A network of thousands of wearers: messages without WebSockets, and the least that a cloud says.

What is tested here is the SDK above `Transport`. `tests/net` holds the WebSocket to that interface.
"""

from __future__ import annotations

import gc
import json
import logging
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio.errors import ConnectFailedError, TransportClosedError
from tests.scripted_cloud import KEY, PACKAGE, call_asgi, session_request, stop_request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mentra_trio._net.transport import CloudUrl, Transport
    from mentra_trio.config import SessionConfig
    from mentra_trio.session import SessionHandler

Json = dict[str, object]
_BATCH = 1024
"""Most messages that a transport hands over at once, as the WebSocket's."""


@attrs.define(eq=False)
class CrowdSocket:
    """One socket, both of its ends. See `Transport`."""

    user: str
    _crowd: Crowd
    opened_at: float = attrs.field(factory=trio.current_time)
    acked_at: float | None = None
    last_displayed: str = ""
    sent: Counter[str] = attrs.field(factory=Counter[str])
    """Messages of the app, by type."""
    subscriptions: list[object] = attrs.field(factory=list[object])
    end: tuple[int, str] | None = None
    _inbox: deque[str | bytes] = attrs.field(factory=deque["str | bytes"])
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    # The app's end

    async def receive(self) -> Sequence[str | bytes]:
        await trio.lowlevel.checkpoint()
        while not self._inbox:
            self._check()
            await self._news.park()
        return [self._inbox.popleft() for _ in range(min(len(self._inbox), _BATCH))]

    async def send(self, message: str | bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._check()
        self._take(cast("Json", json.loads(message)))

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await trio.lowlevel.checkpoint()
        self.close(code, reason)

    def _check(self) -> None:
        if self.end is not None:
            raise TransportClosedError(*self.end)

    # The cloud's end

    def tell(self, message: str | bytes) -> None:
        """Send a frame."""
        if self.end is None:
            self._inbox.append(message)
            self._news.unpark_all()

    def say(self, type: str, **fields: object) -> None:  # noqa: A002 - the wire's own word
        """Send a message."""
        self.tell(json.dumps({"type": type, **fields}))

    def close(self, code: int = 1006, reason: str = "") -> None:
        """End the connection."""
        if self.end is None:
            self.end = code, reason
            self._news.unpark_all()

    def _take(self, message: Json) -> None:
        kind = str(message["type"])
        self.sent[kind] += 1
        match kind:
            case "tpa_connection_init" | "reconnect":
                self.say("tpa_connection_ack" if kind == "tpa_connection_init" else "reconnect_ack")
                self.say("device_state_update", state={}, fullSnapshot=True)
                self.acked_at = trio.current_time()
            case "subscription_update":
                self.subscriptions = cast("list[object]", message["subscriptions"])
            case "ping":
                self.say("pong", timestamp=1781428353102)
            case "display_event":
                self.last_displayed = str(cast("Json", message["layout"])["text"])
            case _:
                pass


@attrs.define(eq=False)
class Crowd:
    """The network, and the cloud behind it. See `Connector`."""

    latency: float = 0.1
    """Seconds that a connect takes."""
    is_down: bool = False
    """Connects fail, after as long."""
    sockets: dict[str, CrowdSocket] = attrs.field(factory=dict[str, CrowdSocket])
    """The newest of each wearer."""
    dialling: int = 0
    most_dialling: int = 0
    """Most connects that were under way at the same time."""
    dials: list[float] = attrs.field(factory=list[float])
    """When connects began."""

    @asynccontextmanager
    async def connect(
        self,
        url: CloudUrl,
        headers: Sequence[tuple[str, bytes]],
        *,
        timeout: float,  # noqa: ASYNC109 - the interface
    ) -> AsyncGenerator[Transport, None]:
        assert self.latency < timeout
        self.dials.append(trio.current_time())
        self.dialling += 1
        self.most_dialling = max(self.most_dialling, self.dialling)
        try:
            await trio.sleep(self.latency)
            if self.is_down:
                raise ConnectFailedError(f"no connection to {url.origin}: refused")
        finally:
            self.dialling -= 1
        user = dict(headers)["x-user-id"].decode()
        socket = self.sockets[user] = CrowdSocket(user, self)
        try:
            yield socket
        finally:
            socket.close()

    def drop_all(self) -> None:
        """End every connection in the same moment."""
        for socket in self.sockets.values():
            socket.close()

    def most_in_a_second(self) -> int:
        """Most connects that began within any second."""
        most = first = 0
        for last, at in enumerate(self.dials):
            while self.dials[first] + 1.0 <= at:
                first += 1
            most = max(most, last - first + 1)
        return most


@attrs.define(eq=False)
class Town:
    """An app with many wearers."""

    server: MiniAppServer
    crowd: Crowd
    sessions: dict[str, MentraSession]

    async def start(self, users: Sequence[str]) -> None:
        """Start a session for each wearer, and wait until all are up."""
        async with trio.open_nursery() as nursery:
            for user in users:
                nursery.start_soon(self._start, user)

    async def _start(self, user: str) -> None:
        assert await self.try_start(user)

    async def try_start(self, user: str) -> bool:
        """Ask for a session; return whether it came up."""
        answer = await call_asgi(self.server, "/webhook", json.dumps(session_request(user)).encode())
        return answer.status == 200

    async def stop(self, user: str) -> None:
        """Stop a session as the wearer does."""
        answer = await call_asgi(self.server, "/webhook", json.dumps(stop_request(user)).encode())
        assert answer.status == 200, answer


def people(count: int, kind: str = "user") -> list[str]:
    """Make up wearers."""
    return [f"{kind}{number}@example.com" for number in range(count)]


@asynccontextmanager
async def open_town(
    handler: SessionHandler, *, crowd: Crowd | None = None, config: SessionConfig | None = None
) -> AsyncGenerator[Town, None]:
    """Run an app."""
    crowd = crowd or Crowd()
    server = MiniAppServer(PACKAGE, KEY, connector=crowd, session_config=config)
    town = Town(server, crowd, {})

    @server.on_session
    async def handle(session: MentraSession) -> None:
        town.sessions[session.user_id] = session
        await handler(session)

    async with server.running():
        yield town


@attrs.frozen
class Census:
    """What there is at a moment: tasks, deadlines, objects."""

    tasks: int
    deadlines: int
    """Cancel scopes with an end."""
    objects: Counter[str]
    """What the garbage collector knows, by type."""

    def growth(self, earlier: Census) -> dict[str, int]:
        """What there is more of now than there was."""
        return {
            name: count - earlier.objects[name] for name, count in self.objects.items() if count > earlier.objects[name]
        }


async def census() -> Census:
    """Count, when everything that happens at this moment has happened."""
    await wait_all_tasks_blocked()
    gc.collect()
    scopes = 0
    kinds = Counter[str]()
    for item in gc.get_objects():
        if isinstance(item, logging.LogRecord | Census):  # kept by pytest, and by whoever counts
            continue
        kinds[f"{type(item).__module__}.{type(item).__qualname__}"] += 1
        if type(item) is trio.CancelScope and item.deadline != float("inf"):
            scopes += 1
    return Census(trio.lowlevel.current_statistics().tasks_living, scopes, kinds)
