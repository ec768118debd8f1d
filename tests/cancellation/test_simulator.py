"""The simulated wearer's coroutines, cancelled at every moment: the cloud goes on as if nobody had asked."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio.simulator import AppState, AsgiWebhooks, Cloud, InstalledApp, Mode, User
from tests.cancellation.steps import every_step, living_tasks
from tests.scripted_cloud import KEY, PACKAGE

URL = "https://app.example.com"


async def stop_and_start(user: User) -> None:
    await user.stop(PACKAGE)
    await user.start(PACKAGE)


async def go_and_come(user: User) -> None:
    user.disconnect()
    await user.connect()


async def say_and_see(user: User) -> None:
    await user.say("here")
    await user.glasses.wait_for(lambda screen: "here" in screen.text.lower())


ACTS: dict[str, Callable[[User], Awaitable[object]]] = {
    "stop and start": stop_and_start,
    "connect": go_and_come,
    "say": lambda user: user.say("one two three"),
    "drop": lambda user: user.drop(PACKAGE),
    "wait_attached": lambda user: user.wait_attached(PACKAGE),
    "wait_subscribed": lambda user: user.wait_subscribed(PACKAGE),
    "wait_listener": lambda user: user.wait_listener(),
    "glasses.wait_for": say_and_see,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTS)
async def test_an_act_that_is_cancelled_leaves_a_world_that_works(autojump_clock: MockClock, name: str) -> None:
    """After each attempt the app is up or can be started, hears what is said, and shows it."""
    cloud = Cloud(mode=Mode.STRICT)
    app = MiniAppServer(PACKAGE, KEY, connector=CoreWebSocketConnector(cloud.dial))

    @app.on_session
    async def repeat(session: MentraSession) -> None:
        await session.display.show_text_wall("hello")
        async with session.transcription.stream("en", interim=False) as lines:
            async for line in lines:
                await session.display.show_text_wall(line.text)

    cloud.install(InstalledApp(package_name=PACKAGE, api_key=KEY, public_url=URL, permissions=frozenset({"ALL"})))
    cloud.webhooks = AsgiWebhooks({URL: app.asgi})
    user = cloud.user("ana@example.com")
    async with cloud.running(), app.running():
        await user.connect()
        await user.start(PACKAGE)
        await user.wait_listener()
        await trio.sleep(5)
        tasks = await living_tasks()
        for attempt in every_step(stride=7):
            await attempt.run(lambda: ACTS[name](user))
            await trio.sleep(20)
            if not user.is_connected:
                await user.connect()
            if user.state_of(PACKAGE) is not AppState.RUNNING:
                assert (await user.start(PACKAGE)).succeeded
            await user.wait_listener()
            said = f"number {attempt.step}"
            with trio.fail_after(30):
                await user.say(said)
                await user.glasses.wait_for(lambda screen: said in screen.text.lower())  # noqa: B023 - run at once
            await trio.sleep(5)

            assert await living_tasks() == tasks
