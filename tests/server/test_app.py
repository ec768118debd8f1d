"""What an author holds in hand: the app, the session, and their names (D18)."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import LinkState, MentraSession, MiniAppServer, SessionStatistics
from mentra_trio._net.transport import CloudUrl, Transport
from tests.scripted_cloud import (
    HOST,
    KEY,
    PACKAGE,
    SESSION,
    USER,
    AppUnderTest,
    ScriptedCloud,
    idle,
    open_app,
    open_cloud,
    session_request,
)


async def test_a_session_tells_who_and_where_it_is(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        (session,) = app.sessions

        assert session.user_id == USER
        assert session.session_id == SESSION
        assert session.package_name == PACKAGE
        assert session.base_url == f"https://{HOST}"
        assert session.link_state.value is LinkState.CONNECTED
        assert session.stop_reason is None
        assert session.connections == 1
        assert isinstance(session.statistics(), SessionStatistics)
        assert repr(session) == f"<MentraSession run={session.run_id} connected>"


async def test_a_base_url_names_a_port_that_is_not_the_usual_one(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        server = MiniAppServer(PACKAGE, KEY, connector=cloud.connector, dev=True)
        seen: list[MentraSession] = []

        async def handler(session: MentraSession) -> None:
            seen.append(session)
            await idle(session)

        server.on_session(handler)
        async with trio.open_nursery() as nursery, server.running():
            app = AppUnderTest(server, cloud, seen, nursery)
            app.post_soon(session_request(websocketUrl="ws://127.0.0.1:8002/app-ws"))
            socket = await cloud.accept()
            await socket.handshake()
            await wait_all_tasks_blocked()

            assert seen[0].base_url == "http://127.0.0.1:8002"


def test_an_app_tells_its_name_and_settings() -> None:
    server = MiniAppServer(PACKAGE, KEY, host="127.0.0.1", port=5, dev=True)

    assert server.package_name == PACKAGE
    assert (server.config.host, server.config.port, server.config.dev) == ("127.0.0.1", 5, True)
    assert KEY not in repr(server.config)


async def test_tools_may_bring_their_own_connector(autojump_clock: MockClock) -> None:
    """And trust the loopback interface for an app that does not."""
    async with open_cloud() as cloud:
        server = MiniAppServer(PACKAGE, KEY)
        server.on_session(idle)
        async with server.running(dev=True, connector=cloud.connector), trio.open_nursery() as nursery:
            app = AppUnderTest(server, cloud, [], nursery)
            app.post_soon(session_request(websocketUrl="ws://localhost/app-ws"))
            socket = await cloud.accept()
            await socket.handshake()

            assert socket.url.host == "localhost"


class Broken:
    """A connector with a bug for one host."""

    def __init__(self, cloud: ScriptedCloud) -> None:
        self.cloud = cloud

    @asynccontextmanager
    async def connect(
        self,
        url: CloudUrl,
        headers: Sequence[tuple[str, bytes]],
        *,
        timeout: float,  # noqa: ASYNC109 - as in `Connector`
    ) -> AsyncGenerator[Transport, None]:
        if url.host == "testapi.mentra.glass":
            raise RuntimeError("bug")
        async with self.cloud.connector.connect(url, headers, timeout=timeout) as transport:
            yield transport


async def test_a_bug_in_one_session_ends_that_session_alone(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The last bulkhead: what no other place catches."""
    async with open_cloud() as cloud:
        server = MiniAppServer(PACKAGE, KEY, connector=Broken(cloud))
        server.on_session(idle)
        async with server.running(), trio.open_nursery() as nursery:
            app = AppUnderTest(server, cloud, [], nursery)
            socket = await app.start("good@example.com")
            answer = await app.post(session_request("bad@example.com", "testapi.mentra.glass"))
            await trio.sleep(60)

            assert answer.status == 502
            assert socket.is_open
            assert server.session_for("good@example.com") is not None
            assert server.session_for("bad@example.com") is None
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "bug in mentra_trio" in record.getMessage()
    assert record.exc_info is not None


async def test_every_start_takes_its_own_path_through_a_crowd(autojump_clock: MockClock) -> None:
    """At most 50 connects at once (D20): the 51st waits for a place, not for ever."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        cloud.is_silent = True
        calls = [app.start_soon(f"user{number}@example.com") for number in range(51)]
        await wait_all_tasks_blocked()
        assert len(cloud.dials) == 50
        await trio.sleep(4)
        await wait_all_tasks_blocked()

        assert len(cloud.dials) == 51
        assert [(await call.answer()).status for call in calls] == [502] * 51
        assert trio.current_time() == 8


async def test_a_start_goes_before_a_reconnect(autojump_clock: MockClock) -> None:
    """The cloud's start timer is running for it (D20)."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        old = await app.start("old@example.com")
        cloud.is_silent = True
        for number in range(50):
            app.start_soon(f"user{number}@example.com")
            await trio.sleep(0.01)  # so that their places become free one by one
        await old.cut()
        await trio.sleep(1)
        cloud.is_silent = False
        app.start_soon("new@example.com")
        first = await cloud.accept()
        second = await cloud.accept()

        assert (await first.open())["type"] == "tpa_connection_init"
        assert (await second.open())["type"] == "reconnect"
