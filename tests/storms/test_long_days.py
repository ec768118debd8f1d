"""Days on which nothing happens, and days on which too much does, leave no task, timer or object behind."""

from collections import Counter

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import LinkState, MentraSession, MiniAppServer
from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio.simulator import AsgiWebhooks, Cloud, InstalledApp
from tests.effort import is_soak

from .crowd import Census, Town, census, open_town, people

HOUR = 3600.0
PING_INTERVAL = 8.0
SESSIONS = 30 if is_soak() else 1
CYCLES = 2000 if is_soak() else 100
_FORGOTTEN = 20.0
"""Seconds after which Trio too has forgotten the time limits of a start: it drops them when their time comes."""
_SLACK = 30
"""Objects more or less of the interpreter's own: caches, frames, what pytest keeps."""


async def listen(session: MentraSession) -> None:
    """Keep everything open that an app can keep open."""
    async with (
        session.mic.stream() as sound,
        session.transcription.stream("en").with_gaps(),
        session.device.buttons.stream(),
        session.settings.stream(),
        session.raw.stream("VAD"),
    ):
        await session.display.show_text_wall("ready")
        async for _ in sound:
            pass


def check(before: Census, after: Census) -> None:
    """Nothing is left behind: of our own kinds and of Trio's not one, of all together next to nothing."""
    assert after.tasks == before.tasks
    assert after.deadlines == before.deadlines
    growth = after.growth(before)
    ours = {name: count for name, count in growth.items() if name.startswith(("mentra_trio", "trio"))}
    assert ours == {}
    assert sum(growth.values()) <= _SLACK, Counter(growth).most_common(10)


@pytest.mark.slow
async def test_an_idle_day_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    async with open_town(listen) as town:
        users = people(SESSIONS)
        await town.start(users)
        await trio.sleep(HOUR)
        before = await census()
        told = town.crowd.sockets[users[0]].sent.copy()
        await trio.sleep(24 * HOUR)
        after = await census()

        for user in users:
            socket = town.crowd.sockets[user]
            assert socket.sent["ping"] - told["ping"] == pytest.approx(24 * HOUR / PING_INTERVAL, abs=1)
            assert socket.sent.total() - socket.sent["ping"] == told.total() - told["ping"]
            assert town.sessions[user].connections == 1
        check(before, after)


@pytest.mark.slow
async def test_idle_hours_with_the_simulated_cloud_leave_nothing_behind(autojump_clock: MockClock) -> None:
    """The same over real WebSockets, with both kinds of pings."""
    cloud = Cloud()
    server = MiniAppServer("com.example.app", "key", connector=CoreWebSocketConnector(cloud.dial))
    server.on_session(listen)
    cloud.webhooks = AsgiWebhooks({"https://app": server.asgi})
    cloud.install(InstalledApp(package_name="com.example.app", api_key="key", public_url="https://app"))
    user = cloud.user("ana@example.com")
    async with cloud.running(), server.running():
        await user.connect()
        assert (await user.start("com.example.app")).succeeded
        # The phone's log, which holds ten thousand messages, would grow.
        user.disconnect()
        await trio.sleep(50)
        session = server.session_for("ana@example.com")
        assert session is not None
        before = await census()
        for _ in range(24 * 60 if is_soak() else 60):
            await user.connect()
            user.disconnect()
            await trio.sleep(58)
        after = await census()

        assert session.link_state.value is LinkState.CONNECTED
        assert session.connections == 1
        assert after.tasks == before.tasks
        assert {name for name in after.growth(before) if name.startswith("mentra_trio")} <= {
            "mentra_trio.simulator.users.PhoneMessage"
        }


async def use(town: Town, user: str) -> None:
    """Start a session, lose its connection, and stop it."""
    await town.start([user])
    town.crowd.sockets[user].close()
    await trio.sleep(2)
    assert town.sessions[user].connections == 2
    await town.stop(user)
    await trio.sleep(2)
    del town.sessions[user], town.crowd.sockets[user]
    town.crowd.dials.clear()


@pytest.mark.slow
async def test_sessions_that_come_and_go_leave_nothing_behind(autojump_clock: MockClock) -> None:
    async with open_town(listen) as town:
        await use(town, "first@example.com")
        await trio.sleep(_FORGOTTEN)
        before = await census()
        for user in people(CYCLES):
            await use(town, user)
        await trio.sleep(_FORGOTTEN)

        check(before, await census())


@pytest.mark.slow
async def test_starts_that_fail_leave_nothing_behind(autojump_clock: MockClock) -> None:
    async with open_town(listen) as town:
        town.crowd.is_down = True

        async def fail(users: list[str]) -> None:
            for user in users:
                assert not await town.try_start(user)
            await trio.sleep(_FORGOTTEN)
            town.crowd.dials.clear()

        await fail(["first@example.com"])
        before = await census()
        await fail(people(CYCLES))

        check(before, await census())
