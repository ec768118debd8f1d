"""A session of an app in the simulated cloud, with its HTTP side: for managers that need more than a socket."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
from trio.testing import wait_all_tasks_blocked

from mentra_trio import MentraSession, MiniAppServer, SessionConfig
from mentra_trio._flow import run_inline
from mentra_trio.simulator import AsgiWebhooks, Cloud, HttpCall, InstalledApp, Mode, User

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

    from mentra_trio._net.rest import HttpClient

PACKAGE = "com.example.app"
KEY = "5ec2e7"
URL = "https://app.example.com"
USER = "Ana.Lopez+x@Example.com"


@attrs.define(eq=False)
class World:
    """The app, the cloud and the wearer."""

    cloud: Cloud
    user: User
    server: MiniAppServer
    sessions: list[MentraSession]
    """What the handler was started with."""

    @property
    def session(self) -> MentraSession:
        """The session of the first start."""
        return self.sessions[0]

    def declare(self, *permissions: str) -> None:
        """Change what the console lists for the app."""
        self.cloud.declare(PACKAGE, *permissions)

    def calls(self, method: str | None = None, path: str = "simple-storage") -> list[HttpCall]:
        """Calls over HTTP to a path."""
        return [call for call in self.cloud.http_log if path in call.target and method in (None, call.method)]

    async def start(self) -> None:
        """Start the app for the wearer."""
        assert (await self.user.start(PACKAGE)).succeeded
        await wait_all_tasks_blocked()  # the handler starts after the ack, and what the cloud tells then


@asynccontextmanager
async def open_world(
    *,
    permissions: Collection[str] = ("ALL",),
    config: SessionConfig | None = None,
    is_started: bool = True,
    is_strict: bool = True,
    at_end: Callable[[MentraSession], Awaitable[None]] | None = None,
    wrap_http: Callable[[HttpClient], HttpClient] | None = None,
) -> AsyncGenerator[World, None]:
    """Run cloud and app. Leaving stops the app like a server that stops.

    `at_end` is what the handler does when its session is over. `wrap_http` gives what stands between app and cloud.
    """
    cloud = Cloud(mode=Mode.STRICT if is_strict else Mode.FAITHFUL)
    http = None if wrap_http is None else wrap_http(cloud.http)
    server = MiniAppServer(
        PACKAGE, KEY, connector=cloud.connector, http=http, session_config=config, offload=run_inline
    )
    sessions: list[MentraSession] = []

    @server.on_session
    async def handle(session: MentraSession) -> None:
        sessions.append(session)
        async for _ in session.settings.system.changes():
            pass  # until the session is over
        if at_end is not None:
            await at_end(session)

    cloud.webhooks = AsgiWebhooks({URL: server.asgi})
    cloud.install(InstalledApp(package_name=PACKAGE, api_key=KEY, public_url=URL, permissions=frozenset(permissions)))
    user = cloud.user(USER)
    async with cloud.running(), server.running():
        await user.connect()
        world = World(cloud, user, server, sessions)
        if is_started:
            await world.start()
        yield world
