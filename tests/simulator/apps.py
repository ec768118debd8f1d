"""An app server for the engine's tests, by hand: raw WebSocket messages and scripted webhook answers, no SDK."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import attrs
import trio
import trio.testing

from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio._net.transport import CloudUrl, Transport
from mentra_trio.errors import TransportClosedError
from mentra_trio.simulator import AppKind, Cloud, InstalledApp, User

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

Json = dict[str, object]

USER = "ana@example.com"
ALPHA = "com.example.alpha"
BETA = "com.example.beta"
OTHER = "com.example.other"
KEYS = {ALPHA: "alpha-key", BETA: "beta-key", OTHER: "other-key"}


def session_id(package_name: str = ALPHA) -> str:
    return f"{USER}-{package_name}"


@attrs.frozen
class Call:
    """A webhook call that an app got."""

    at: float
    package_name: str
    path: str
    body: Json


@attrs.define(eq=False)
class Webhooks:
    """The apps' HTTP side: it answers as scripted, 200 at once where nothing is."""

    calls: list[Call] = attrs.field(factory=list[Call])
    answers: dict[str, list[int | None]] = attrs.field(factory=dict[str, list[int | None]])
    """Statuses to come by request type; `None` is no answer at all."""
    delays: dict[str, float] = attrs.field(factory=dict[str, float])
    """Seconds before the answer, by request type."""

    async def post(self, url: str, body: bytes) -> int | None:
        fields = cast("Json", json.loads(body))
        host, _, path = url.removeprefix("https://").partition("/")
        self.calls.append(Call(trio.current_time(), f"com.example.{host}", f"/{path}", fields))
        kind = str(fields.get("type", path))
        await trio.sleep(self.delays.get(kind, 0.0))
        script = self.answers.get(kind)
        return script.pop(0) if script else 200

    def kinds(self) -> list[tuple[float, str]]:
        """When which request came."""
        return [(round(call.at, 3), str(call.body.get("type", call.path))) for call in self.calls]


@attrs.define(eq=False)
class Socket:
    """One raw socket of an app. `got` holds everything that came, with its time."""

    transport: Transport
    got: list[tuple[float, Json | bytes]] = attrs.field(factory=list[tuple[float, Json | bytes]])
    end: tuple[int, str] | None = None
    end_at: float | None = None
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def wait_for(self, count: int) -> None:
        """Wait until so many messages came; for tests on the real clock."""
        while len(self.got) < count:
            await self._news.wait()

    async def wait_end(self) -> tuple[int, str]:
        """Wait until the socket is gone; for tests on the real clock."""
        while self.end is None:
            await self._news.wait()
        return self.end

    async def send(self, message_type: str, **fields: object) -> None:
        await self.transport.send(json.dumps({"type": message_type, **fields}))

    async def init(self, package_name: str = ALPHA, *, version: str | None = "3.0.0", **fields: object) -> None:
        extra: Json = {"sdkVersion": version} if version else {"sessionId": session_id(package_name)}
        await self.send(
            "tpa_connection_init", packageName=package_name, **{"apiKey": KEYS[package_name], **extra, **fields}
        )
        await settle()

    async def reconnect(self, package_name: str = ALPHA, /, **fields: object) -> None:
        await self.send("reconnect", **{"sessionId": session_id(package_name), "sdkVersion": "3.0.0", **fields})
        await settle()

    async def subscribe(self, *names: object, package_name: str = ALPHA) -> None:
        await self.send("subscription_update", packageName=package_name, subscriptions=list(names))
        await settle()

    async def show(self, text: str, package_name: str = ALPHA, /, **fields: object) -> None:
        usual: Json = {"view": "main", "layout": {"layoutType": "text_wall", "text": text}}
        await self.send("display_event", packageName=package_name, **{**usual, **fields})
        await settle()

    async def close(self, code: int = 1000, reason: str = "bye") -> None:
        await self.transport.aclose(code, reason)
        await settle()

    def messages(self, kind: str | None = None) -> list[Json]:
        """Text messages that came, of one type or all."""
        texts = [message for _, message in self.got if isinstance(message, dict)]
        return [message for message in texts if kind is None or message["type"] == kind]

    def types(self) -> list[str]:
        return [str(message["type"]) for message in self.messages()]

    def streams(self) -> list[tuple[str, Json]]:
        """Events that came, as stream type and data."""
        return [(str(message["streamType"]), cast("Json", message["data"])) for message in self.messages("data_stream")]

    def last(self) -> Json:
        return self.messages()[-1]

    async def read(self) -> None:
        try:
            while True:
                for message in await self.transport.receive():
                    known = message if isinstance(message, bytes) else cast("Json", json.loads(message))
                    self.got.append((trio.current_time(), known))
                self._tell()
        except TransportClosedError as error:
            self.end = error.code, error.reason
            self.end_at = trio.current_time()
            self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, trio.Event()
        news.set()


async def settle() -> None:
    """Let everything happen that happens at this moment."""
    await trio.testing.wait_all_tasks_blocked()


def headers(package_name: str = ALPHA, /, **changes: str | None) -> dict[str, str]:
    """Upgrade headers of a third-generation SDK; `None` leaves one out."""
    values: dict[str, str | None] = {
        "x-user-id": USER,
        "x-session-id": session_id(package_name),
        "x-package-name": package_name,
        "x-api-key": KEYS[package_name],
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return {name: value for name, value in values.items() if value is not None}


@attrs.define(eq=False)
class World:
    """A cloud with one wearer and two apps."""

    cloud: Cloud
    user: User
    webhooks: Webhooks
    nursery: trio.Nursery

    async def open(
        self, given: Mapping[str, str] | None = None, *, path: str = "/ws/miniapp", cloud: Cloud | None = None
    ) -> Socket:
        """Open a socket that reads until it ends. Raises `ConnectFailedError`."""
        url = CloudUrl(host="api.mentra.glass", port=443, tls=True, target=path)
        sent = [(name, value.encode()) for name, value in (headers() if given is None else given).items()]
        connector = CoreWebSocketConnector((cloud or self.cloud).dial)

        async def run(  # noqa: ASYNC114 - started right below
            task_status: trio.TaskStatus[Socket],
        ) -> None:
            async with connector.connect(url, sent, timeout=5) as transport:
                socket = Socket(transport)
                task_status.started(socket)
                await socket.read()

        socket: Socket = await self.nursery.start(run)
        await settle()
        return socket

    async def start(self, package_name: str = ALPHA, *, version: str | None = "3.0.0") -> Socket:
        """Start an app that connects at once."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.user.start, package_name)
            await settle()
            socket = await self.open(headers(package_name) if version else {})
            await socket.init(package_name, version=version)
        return socket

    def displays(self) -> list[tuple[float, str]]:
        """What the phone was told to show on the main view: when, and the text."""
        shown: list[tuple[float, str]] = []
        for message in self.user.phone_log:
            fields = message.fields or {}
            if fields.get("type") == "display_event" and fields.get("view") != "dashboard":
                layout = cast("Json", fields["layout"])
                shown.append((round(message.at, 3), str(layout.get("text", layout.get("layoutType")))))
        return shown

    def phone(self, *kinds: str) -> list[tuple[float, Json]]:
        """Messages of these types that the phone got."""
        return [
            (round(message.at, 3), message.fields)
            for message in self.user.phone_log
            if message.fields is not None and message.fields["type"] in kinds
        ]


@asynccontextmanager
async def world(
    *, model: str | None = None, permissions: Iterable[str] = ("ALL",), cloud: Cloud | None = None, connect: bool = True
) -> AsyncGenerator[World, None]:
    """Run a cloud: `ALPHA` is a standard app, the others run in the background. The phone is connected at time 0."""
    webhooks = Webhooks()
    cloud = cloud or Cloud()
    cloud.webhooks = webhooks
    for package_name, api_key in KEYS.items():
        short = package_name.rpartition(".")[2]
        cloud.install(
            InstalledApp(
                package_name=package_name,
                api_key=api_key,
                public_url=f"https://{short}",
                name=short.title(),
                kind=AppKind.STANDARD if package_name == ALPHA else AppKind.BACKGROUND,
                permissions=frozenset(permissions),
            )
        )
    user = cloud.user(USER, model=model)
    async with cloud.running(), trio.open_nursery() as nursery:
        if connect:
            await user.connect()
        yield World(cloud, user, webhooks, nursery)
        nursery.cancel_scope.cancel()
