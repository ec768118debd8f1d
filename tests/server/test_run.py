"""`app.run()` as a program with real signals and real sockets, on the real clock."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import attrs
import httpx2
import pytest
import trio

from mentra_trio import ConfigError, MiniAppServer
from mentra_trio._net.transport import Transport
from mentra_trio._net.websocket import open_upgrade
from mentra_trio.errors import TransportClosedError
from tests.scripted_cloud import CLOSED_BY_APP, KEY, PACKAGE, idle, session_request

pytestmark = [pytest.mark.slow, pytest.mark.sockets]

LIMIT = 30.0
"""Seconds after which a test has failed, however slow the machine."""


@attrs.define(eq=False)
class Program:
    """A running app."""

    process: trio.Process
    url: str = ""
    output: str = ""
    _wrote: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def read(self) -> None:
        """Take what the program writes."""
        assert self.process.stdout is not None
        async for part in self.process.stdout:
            self.output += part.decode()
            self._wrote.set()
            self._wrote = trio.Event()

    async def said(self, text: str) -> None:
        """Wait until the program has written this."""
        while text not in self.output:
            await self._wrote.wait()


@asynccontextmanager
async def open_program(*arguments: str) -> AsyncGenerator[Program, None]:
    """Start the app; kill it at the end if it still runs."""
    command = [sys.executable, "-u", str(Path(__file__).with_name("served_app.py")), *arguments]
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            program = Program(process)
            nursery.start_soon(program.read)
            try:
                await program.said("Listening on")
                found = re.search(r"http://127\.0\.0\.1:\d+", program.output)
                assert found is not None
                program.url = found[0]
                yield program
            finally:
                if process.returncode is None:
                    process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_start(program: Program, expected: int) -> AsyncGenerator[Transport, None]:
    """Be the cloud: listen on loopback, start a session, whose webhook must be answered with this status."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    arrivals, arrived = trio.open_memory_channel[Transport](1)
    over, answered = trio.Event(), trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        with suppress(TransportClosedError):  # not everything that the app asks for is a WebSocket
            async with open_upgrade(stream) as request, request.accept() as transport:
                await arrivals.send(transport)
                await over.wait()

    async def call() -> None:
        async with httpx2.AsyncClient() as client:
            body = session_request(websocketUrl=f"ws://127.0.0.1:{port}/ws")
            assert (await client.post(f"{program.url}/webhook", json=body)).status_code == expected
        answered.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, serve, listeners)
        nursery.start_soon(call)
        transport = await arrived.receive()
        assert "tpa_connection_init" in str((await transport.receive())[0])
        yield transport
        await answered.wait()
        over.set()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_session(program: Program) -> AsyncGenerator[Transport, None]:
    """Start a session and acknowledge it."""
    async with open_start(program, expected=200) as transport:
        await transport.send('{"type": "tpa_connection_ack"}')
        await transport.send('{"type": "device_state_update", "state": {}, "fullSnapshot": true}')
        assert "subscription_update" in str((await transport.receive())[0])
        await program.said("waiting")
        yield transport


async def test_a_signal_answers_a_start_that_is_under_way() -> None:
    """A connection that ends without an answer would tell the cloud nothing, and hold the stop up for a second."""
    async with open_program("idle") as program, open_start(program, expected=503):
        program.process.send_signal(signal.SIGTERM)
        assert await program.process.wait() == 0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_an_idle_app_within_a_second(signum: signal.Signals) -> None:
    async with open_program("idle") as program:
        at = trio.current_time()
        program.process.send_signal(signum)
        status = await program.process.wait()

        assert status == 0
        assert trio.current_time() - at < 1
        await program.said("run has returned")


async def test_a_program_that_configures_no_logging_still_tells_where_it_listens() -> None:
    """In one line, with what to enter in the console, and nothing more."""
    async with open_program("idle", "quiet") as program:
        await program.said("\n")
        program.process.send_signal(signal.SIGTERM)
        await program.process.wait()

        (line,) = program.output.splitlines()
        assert line.startswith(f"Listening on {program.url}; Ctrl-C stops.")
        assert "/webhook" in line


async def test_a_program_that_logs_gets_a_record_of_where_it_listens() -> None:
    async with open_program("idle") as program:
        await program.said("Listening on")
        await program.said("/webhook")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_closes_the_sockets_politely(signum: signal.Signals) -> None:
    async with open_program("idle") as program, open_session(program) as cloud:
        program.process.send_signal(signum)
        with pytest.raises(TransportClosedError) as caught:
            await cloud.receive()  # so nothing came before the end, not even an `ownership_release`

        assert (caught.value.code, caught.value.reason) == CLOSED_BY_APP
        assert await program.process.wait() == 0


async def test_a_second_signal_ends_an_app_whose_handler_hangs_in_a_shield() -> None:
    async with open_program("shielded") as program, open_session(program):
        program.process.send_signal(signal.SIGINT)
        await program.said("stopping")
        await program.said("does not end although it was cancelled")
        await program.said("com.example.app cannot stop")
        await program.said("another signal ends the process at once")
        program.process.send_signal(signal.SIGINT)

        assert await program.process.wait() == -signal.SIGINT


async def test_a_second_signal_ends_an_app_whose_handler_never_awaits() -> None:
    """No task of the app ever runs again, so none can notice the signals. The second may be another one."""
    async with open_program("busy") as program, open_session(program) as cloud:
        await cloud.send('{"type": "now"}')
        await program.said("busy")
        program.process.send_signal(signal.SIGINT)
        program.process.send_signal(signal.SIGTERM)

        assert await program.process.wait() in {-signal.SIGINT, -signal.SIGTERM}


def test_an_address_in_use_is_a_config_error_without_a_group_around_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        app = MiniAppServer(PACKAGE, KEY, host="127.0.0.1", port=taken.getsockname()[1])
        app.on_session(idle)
        with pytest.raises(ConfigError, match="cannot listen"):
            trio.run(app.serve)


def test_signals_are_as_before_when_run_has_returned() -> None:
    app = MiniAppServer(PACKAGE, KEY)
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(SystemExit, match="on_session"):
        app.run()

    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


async def test_run_inside_of_trio_is_refused() -> None:
    app = MiniAppServer(PACKAGE, KEY)
    app.on_session(idle)
    await trio.lowlevel.checkpoint()
    with pytest.raises(ConfigError, match=r"app\.serve"):
        app.run()


async def test_serve_tells_where_it_listens_and_stops_when_cancelled() -> None:
    app = MiniAppServer(PACKAGE, KEY, host="127.0.0.1", port=0)
    app.on_session(idle)
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            (url,) = await nursery.start(app.serve)
            async with httpx2.AsyncClient() as client:
                health = await client.get(f"{url}/health")
            nursery.cancel_scope.cancel()

    assert health.json() == {"status": "healthy", "app": PACKAGE, "activeSessions": 0}


async def test_serve_takes_another_address() -> None:
    """For tools that run somebody's app."""
    app = MiniAppServer(PACKAGE, KEY, host="192.0.2.1", port=1)
    app.on_session(idle)
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            (url,) = await nursery.start(partial(app.serve, host="127.0.0.1", port=0))
            assert url.startswith("http://127.0.0.1:")
            nursery.cancel_scope.cancel()


def test_a_port_that_is_taken_ends_a_program_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("served_app.py")), "idle", "quiet"],
            env={**os.environ, "PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"com.example.app: cannot listen on 127.0.0.1 port {port}: Address already in use; choose another host= or "
        "port=\n"
    )


async def test_an_address_that_is_not_ours_is_a_config_error() -> None:
    app = MiniAppServer(PACKAGE, KEY, host="192.0.2.1", port=0)
    app.on_session(idle)
    with pytest.raises(ConfigError, match="cannot listen"):
        await app.serve()
