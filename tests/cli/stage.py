"""An app, a wearer and the simulated cloud in memory: what `mentra-trio dev` has over sockets, on the virtual clock."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import attrs

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio._flow import run_inline
from mentra_trio.cli.player import Player
from mentra_trio.models.session import HandlerCrash
from mentra_trio.simulator import AsgiWebhooks, Cloud, Glasses, InstalledApp, Mode, User
from mentra_trio.simulator.hardware import SIMULATED_GLASSES

PUBLIC_URL = "https://app.example.com"
PACKAGE = "com.example.app"
WEARER = "ana@example.com"


def make_app() -> MiniAppServer:
    """An app without a handler."""
    return MiniAppServer(package_name=PACKAGE, api_key="key")


@attrs.define(eq=False)
class Echo:
    """An app that shows what was said, and notes how often its handler was started and what it heard."""

    app: MiniAppServer = attrs.field(factory=make_app)
    runs: int = 0
    heard: list[str] = attrs.field(factory=list[str])

    def __attrs_post_init__(self) -> None:
        self.app.on_session(self._handle)

    async def _handle(self, session: MentraSession) -> None:
        self.runs += 1
        await session.display.show_text_wall("Hello")
        async with session.transcription.stream() as speech:
            async for line in speech:
                if line.is_final:
                    self.heard.append(line.text)
                    await session.display.show_text_wall(f"Heard: {line.text}")


@attrs.frozen
class Stage:
    """What a test looks at."""

    cloud: Cloud
    user: User
    player: Player
    news: list[str] = attrs.field(factory=list[str])
    """What there is to tell of crashes."""

    def crashed(self, crash: HandlerCrash) -> None:
        """Take a crash as `mentra-trio dev` does."""
        self.news.append(self.player.crashed(crash))

    @property
    def glasses(self) -> Glasses:
        return self.user.glasses

    @property
    def shown(self) -> Sequence[str]:
        """Everything that was shown, each as one text."""
        return [screen.text for screen in self.user.glasses.history]


@asynccontextmanager
async def open_stage(app: MiniAppServer) -> AsyncGenerator[Stage, None]:
    """Run an app against a cloud that reports what a correct app never does. The app is not started."""
    cloud = Cloud(mode=Mode.STRICT, webhooks=AsgiWebhooks({PUBLIC_URL: app.asgi}))
    config = app.config
    async with cloud.running():
        cloud.install(InstalledApp(package_name=config.package_name, api_key=config.api_key, public_url=PUBLIC_URL))
        user = cloud.user(WEARER, model=SIMULATED_GLASSES)
        stage = Stage(cloud, user, Player(cloud, user, app))
        async with app.running(connector=cloud.connector, offload=run_inline, on_crash=stage.crashed):
            await user.connect()
            yield stage
