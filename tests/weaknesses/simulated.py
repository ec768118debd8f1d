"""An app that runs in the simulated cloud, with a wearer: for what only a cloud that behaves like one can show."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio.simulator import AsgiWebhooks, Cloud, InstalledApp, Mode, User

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mentra_trio.session import SessionHandler

PACKAGE = "com.example.app"
KEY = "5ec2e7"
URL = "https://app.example.com"


@attrs.frozen
class Simulated:
    """The wearer's side, and the cloud's."""

    cloud: Cloud
    user: User
    server: MiniAppServer
    sessions: list[MentraSession]
    """What the handler was started with."""

    def shown(self) -> list[tuple[float, str]]:
        """What the phone was told to show: when, and the text."""
        told: list[tuple[float, str]] = []
        for message in self.user.phone_log:
            fields = message.fields or {}
            layout = fields.get("layout")
            if fields.get("type") == "display_event" and fields.get("packageName") == PACKAGE:
                told.append((round(message.at, 3), str(cast("dict[str, object]", layout).get("text"))))
        return told


@asynccontextmanager
async def open_simulated(handler: SessionHandler) -> AsyncGenerator[Simulated, None]:
    """Run cloud and app, and start the app at time 0. The cloud is strict: what breaks a rule fails the test."""
    cloud = Cloud(mode=Mode.STRICT)
    sessions: list[MentraSession] = []
    server = MiniAppServer(PACKAGE, KEY, connector=cloud.connector)

    @server.on_session
    async def handle(session: MentraSession) -> None:
        sessions.append(session)
        await handler(session)

    cloud.install(InstalledApp(package_name=PACKAGE, api_key=KEY, public_url=URL, permissions=frozenset({"ALL"})))
    cloud.webhooks = AsgiWebhooks({URL: server.asgi})
    user = cloud.user("ana@example.com")
    async with cloud.running(), server.running():
        await user.connect()
        assert (await user.start(PACKAGE)).succeeded
        yield Simulated(cloud, user, server, sessions)
