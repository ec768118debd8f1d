"""Starts and ends of sessions and servers, cancelled at every moment: all of it, or nothing, and no task is left."""

import contextlib
import json

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import LinkState, MentraSession, SessionClosedError, StopKind
from mentra_trio.errors import TransportClosedError
from tests.cancellation.steps import every_step, living_tasks
from tests.scripted_cloud import (
    CLOSED_BY_APP,
    USER,
    CloudSocket,
    call_asgi,
    idle,
    make_server,
    open_app,
    open_cloud,
    session_request,
    stop_request,
)


async def serve(socket: CloudSocket) -> None:
    """Be a cloud that acknowledges every socket. One that is given up before that is fine."""
    try:
        await socket.open()
        with contextlib.suppress(TransportClosedError):
            await socket.ack()
            await socket.send("device_state_update", state={}, fullSnapshot=True)
    except AssertionError:
        if socket.is_open:
            raise
    await trio.sleep_forever()


async def test_an_end_that_is_cancelled_has_not_happened(autojump_clock: MockClock) -> None:
    """And one that has happened goes all the way, whatever is cancelled after it."""
    for attempt in every_step():
        async with open_cloud() as cloud, open_app(cloud) as app:
            tasks = await living_tasks()
            socket = await app.start()
            (session,) = app.sessions
            await attempt.run(session.end)
            await trio.sleep(20)

            if attempt.is_done:
                assert await socket.wait_closed() == CLOSED_BY_APP
                assert [message["type"] for message in socket.unread()] == ["ownership_release"]
                assert session.link_state.value is LinkState.CLOSED
                assert await living_tasks() == tasks
            else:
                assert session.stop_reason is None
                await session.raw.send("custom")
                await socket.expect("custom")


async def follow(session: MentraSession) -> None:
    """Be a handler that ends with its session."""
    async with session.raw.messages() as messages:
        async for _ in messages:
            pass


@pytest.mark.parametrize(("how", "pause"), [("end", 1.5), ("stop", 1.5), ("server", 1.5), ("webhook", 0.5)])
async def test_a_frame_that_is_being_written_at_the_end_is_written_whole(
    autojump_clock: MockClock, how: str, pause: float
) -> None:
    """The writer is cancelled in the middle of it: the peer must find a whole frame, and then a polite end."""
    async with open_cloud() as cloud, trio.open_nursery() as nursery:

        async def unblock() -> None:
            await trio.sleep(pause)
            socket.line.unblock()

        async with open_app(cloud, follow) as app:
            socket = await app.start()
            socket.line.block()
            await app.sessions[0].raw.send("custom")
            await wait_all_tasks_blocked()
            nursery.start_soon(unblock)
            match how:
                case "end":
                    await app.sessions[0].end()
                case "stop":
                    await app.stop()
                case "webhook":
                    app.start_soon()
                    await (await cloud.accept()).handshake()
                case _:
                    pass
            if how != "server":
                await trio.sleep(10)

        assert await socket.wait_closed() == CLOSED_BY_APP
        assert next(iter(socket.unread()))["type"] == "custom"


@pytest.mark.slow
async def test_a_webhook_call_that_is_cancelled_leaves_the_session_in_order(autojump_clock: MockClock) -> None:
    """Where the HTTP server gives a request up: the session comes up or not, and the next calls find it as it is."""
    for attempt in every_step(stride=3):
        async with open_cloud(serve) as cloud, open_app(cloud) as app:
            tasks = await living_tasks()
            await attempt.run(lambda: call_asgi(app.server, "/webhook", json.dumps(session_request()).encode()))
            await trio.sleep(10)

            assert len(app.sessions) == sum(socket.is_open for socket in cloud.sockets) <= 1
            answer = await app.post(session_request())
            await wait_all_tasks_blocked()
            assert answer.status == 200
            assert sum(socket.is_open for socket in cloud.sockets) == len(app.sessions) == 1
            assert (await app.post(stop_request())).status == 200
            await trio.sleep(20)
            assert not any(socket.is_open for socket in cloud.sockets)
            assert await living_tasks() == tasks


@pytest.mark.slow
async def test_a_webhook_call_that_joined_a_cancelled_one_is_answered_with_the_truth(
    autojump_clock: MockClock,
) -> None:
    """The cloud counts failures: after two of them the wearer's start has failed, although the session is there."""
    for attempt in every_step(stride=3):
        async with open_cloud(serve) as cloud, open_app(cloud) as app:
            joined = app.start_soon()
            joined_too = app.start_soon()

            async def first() -> None:
                await call_asgi(app.server, "/webhook", json.dumps(session_request()).encode())

            await attempt.run(first)
            answers = [await joined.answer(), await joined_too.answer()]
            await wait_all_tasks_blocked()

            assert [answer.status for answer in answers] == [200, 200]
            assert sum(socket.is_open for socket in cloud.sockets) == len(app.sessions) == 1


@pytest.mark.slow
async def test_a_stop_webhook_that_is_cancelled_stops_or_does_not(autojump_clock: MockClock) -> None:
    for attempt in every_step():
        async with open_cloud(serve) as cloud, open_app(cloud) as app:
            tasks = await living_tasks()
            await app.post(session_request())
            await wait_all_tasks_blocked()
            await attempt.run(lambda: call_asgi(app.server, "/webhook", json.dumps(stop_request()).encode()))
            await trio.sleep(20)

            (session,) = app.sessions
            (socket,) = cloud.sockets
            if session.stop_reason is None:
                assert not attempt.is_done
                assert (session.link_state.value, socket.is_open) == (LinkState.CONNECTED, True)
                await app.stop()
                await trio.sleep(20)
            assert session.stop_reason is not None
            assert (session.link_state.value, socket.is_open) == (LinkState.CLOSED, False)
            assert await living_tasks() == tasks


@pytest.mark.slow
async def test_a_server_that_is_cancelled_at_any_moment_stops_whole(autojump_clock: MockClock) -> None:
    """From before the first session to after the last: nothing is left, and it can run again."""
    finished: list[str] = []

    async def handler(session: MentraSession) -> None:
        with contextlib.suppress(SessionClosedError):
            await session.display.show_text_wall("hello")
            async with session.mic.stream() as chunks:
                async for _ in chunks:
                    pass
        await trio.sleep(0.1)  # its clean-up
        finished.append(session.user_id)

    for attempt in every_step(stride=11):
        async with open_cloud(serve) as cloud:
            sessions: list[MentraSession] = []
            server = make_server(cloud, handler, sessions=sessions)
            tasks = await living_tasks()
            finished.clear()

            async def life() -> None:
                async with server.running():  # noqa: B023 - run at once
                    for body in (
                        session_request(),
                        session_request(),
                        stop_request(),
                        session_request("bo@example.com"),
                    ):
                        await call_asgi(server, "/webhook", json.dumps(body).encode())  # noqa: B023

            await attempt.run(life)
            await trio.sleep(20)

            # A socket whose upgrade was cancelled in the middle has no end to be polite about.
            assert {await socket.wait_closed() for socket in cloud.sockets if socket.received} <= {CLOSED_BY_APP}
            assert len(finished) == len(sessions)
            assert all(session.link_state.value is LinkState.CLOSED for session in sessions)
            kinds = [session.stop_reason.kind for session in sessions if session.stop_reason is not None]
            assert len(kinds) == len(sessions)
            assert set(kinds) <= {StopKind.STOP_REQUESTED, StopKind.SERVER_STOPPED}
            assert await living_tasks() == tasks
            async with server.running():
                assert server.session_for(USER) is None


@pytest.mark.sockets
async def test_a_served_app_that_is_cancelled_at_any_moment_frees_its_port() -> None:
    """On real sockets and the real clock, without a connection: the address can be had again at once."""
    port = 0
    async with open_cloud() as cloud:
        server = make_server(cloud, idle)
        tasks = await living_tasks()

        async def life() -> None:
            nonlocal port
            async with trio.open_nursery() as nursery:
                (url,) = await nursery.start(serve_at, port)
                port = int(url.rpartition(":")[2])
                nursery.cancel_scope.cancel()

        async def serve_at(  # noqa: ASYNC114, ASYNC128 - passes its task_status on
            port: int, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
        ) -> None:
            await server.serve(host="127.0.0.1", port=port, task_status=task_status)

        await life()
        for attempt in every_step():
            await attempt.run(life)

            assert await living_tasks() == tasks
