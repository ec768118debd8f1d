"""Two simulated clouds, one wearer, and an app on the SDK that comes and goes; what a script does to them."""

from __future__ import annotations

import json
import logging
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from mentra_trio import LinkState, MentraSession, MiniAppServer, RestartPolicy
from mentra_trio._flow import open_services
from mentra_trio.simulator import AppConnection, AppState, AsgiWebhooks, Cloud, InstalledApp, Store, User, dial_by_host
from mentra_trio.simulator.engine import SHUTDOWN_BUDGET

from .app import ALWAYS, CrashError, Run
from .wire import Doom, Tap

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

USER = "ana.lopez+x@example.com"
PACKAGE = "com.example.app"
KEY = "key"
PUBLIC_URL = "https://app.example.com"
HOSTS = ("api.mentra.glass", "franceapi.mentra.glass")

WebhookFault = Literal["none", "unreachable", "slow", "answer lost", "twice"]

_LONG = 200.0
"""Seconds after which all that the last step began is over: a cloud notices a half-open socket after 116."""


class Errors(logging.Handler):
    """Keeps the records of errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@attrs.define(eq=False)
class Process:
    """One process of the app."""

    server: MiniAppServer
    tap: Tap
    stopping: trio.Event = attrs.field(factory=trio.Event)
    stopped: trio.Event = attrs.field(factory=trio.Event)


@attrs.define(eq=False)
class World:
    """What there is. Steps of a script change it; `end` finds out what came of it."""

    clouds: tuple[Cloud, Cloud]
    users: tuple[User, User]
    nursery: trio.Nursery
    """For what takes its time. Everything in it ends by itself."""
    faults: list[str] = attrs.field(factory=list[str], init=False)
    """What must never happen and did."""
    dooms: list[Doom] = attrs.field(factory=list[Doom], init=False)
    here: int = attrs.field(default=0, init=False)
    """Which cloud the phone is at."""
    webhook_fault: WebhookFault = attrs.field(default="none", init=False)
    process: Process | None = attrs.field(default=None, init=False)
    runs: list[Run] = attrs.field(factory=list[Run], init=False)
    """Runs of the handler, ended ones included."""
    active: dict[MentraSession, Run] = attrs.field(factory=dict[MentraSession, Run], init=False)
    frozen: set[AppConnection] = attrs.field(factory=set[AppConnection], init=False)
    """Sockets whose line carries nothing any more."""
    crashes: int = attrs.field(default=0, init=False)
    busy: int = attrs.field(default=0, init=False)
    """Things of the script that are not over."""
    _number: int = attrs.field(default=0, init=False)
    _presses: int = attrs.field(default=0, init=False)
    _switching: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    # --- what a script uses

    @property
    def cloud(self) -> Cloud:
        """The cloud that the phone is at."""
        return self.clouds[self.here]

    @property
    def user(self) -> User:
        """The wearer there."""
        return self.users[self.here]

    @property
    def is_phone_here(self) -> bool:
        """Whether the wearer's phone is connected, so that something can happen."""
        session = self.cloud.session(USER)
        return session is not None and session.is_phone_connected

    @property
    def sockets(self) -> list[AppConnection]:
        """Open sockets as the clouds see them."""
        return [connection for cloud in self.clouds for connection in cloud.connections]

    @property
    def run(self) -> Run | None:
        """The run of the handler whose session goes on."""
        return next((run for session, run in self.active.items() if session.stop_reason is None), None)

    def number(self) -> int:
        """Make a number that was never used."""
        self._number += 1
        return self._number

    def soon(self, do: Callable[[], Awaitable[object]]) -> None:
        """Do something that takes its time; it ends by itself."""

        async def run() -> None:
            self.busy += 1
            try:
                await do()
            finally:
                self.busy -= 1

        self.nursery.start_soon(run)

    # --- webhooks (`WebhookClient`)

    async def post(self, url: str, body: bytes) -> int | None:
        """Carry a call of a cloud to the app."""
        fault = self.webhook_fault
        await trio.sleep(3.0 if fault == "slow" else 0.0)
        status = None
        for _ in range(2 if fault == "twice" else 1):
            status = None if fault == "unreachable" else await self._deliver(url, body)
        return None if fault == "answer lost" else status

    async def _deliver(self, url: str, body: bytes) -> int | None:
        process = self.process
        if process is None:
            await trio.lowlevel.checkpoint()
            return None
        tap = process.tap
        kind = json.loads(body).get("type")
        client = AsgiWebhooks({PUBLIC_URL: process.server.asgi})
        if kind == "session_request":
            tap.asked()
            try:
                return await client.post(url, body)
            finally:
                tap.answered()
        generation = tap.generation
        status = await client.post(url, body)
        if kind == "stop_request" and status == 200:
            tap.unwanted(generation)
        return status

    def webhook(self, kind: str, cloud: Cloud) -> bytes:
        """Spell a call that no cloud's state machine makes."""
        return json.dumps(
            {
                "type": kind,
                "sessionId": f"{USER}-{PACKAGE}",
                "userId": USER,
                "reason": "user_disabled",
                "websocketUrl": f"{cloud.origin}/ws/miniapp",
            }
        ).encode()

    # --- the app

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run a process of the app until it is told to stop."""
        tap = Tap(dial_by_host(*self.clouds), self.dooms, self.faults)
        server = MiniAppServer(
            PACKAGE, KEY, connector=tap, restart=RestartPolicy(max_restarts=10**6, longest_delay=1.0), dev=False
        )
        process = Process(server, tap)

        @server.on_session
        async def handle(session: MentraSession) -> None:
            await self._handle(session, tap)

        async with server.running():
            assert server._desk is not None
            # Hypothesis seeds the one, and so the other.
            server._desk.random = random.Random(random.getrandbits(32))
            self.process = process
            task_status.started()
            await process.stopping.wait()
        for run in self.runs:
            if run.link in tap.links and run.session not in self.active:
                run.check_end()
        if self.active:
            self.faults.append("a handler outlives its server")
        process.stopped.set()

    async def start_process(self) -> None:
        """Start the app's process if it does not run."""
        async with self._switching:
            if self.process is None:
                await self.nursery.start(self.serve)

    async def stop_process(self, *, is_crash: bool) -> None:
        """Stop it, or let it die: then its sockets are cut before it can say anything."""
        async with self._switching:
            process, self.process = self.process, None
            if process is None:
                return
            if is_crash:
                for socket in self.sockets:
                    socket.cut()
            process.stopping.set()
            await process.stopped.wait()

    async def _handle(self, session: MentraSession, tap: Tap) -> None:
        link = tap.newest
        assert link is not None
        before = next((run for run in reversed(self.runs) if run.session is session), None)
        if session in self.active or (before is not None and not before.crash.is_set()):
            self.faults.append("a second run of the handler in one session")
        if any(other.stop_reason is None for other in self.active):
            self.faults.append("a handler runs beside another one")
        async with trio.open_nursery() as nursery:
            run = Run(session, link, nursery, self.faults)
            if before is not None:
                run.link, run.sent, run.unsent = before.link, before.sent, before.unsent
                self.runs.remove(before)
            run.link.session = session
            self.runs.append(run)
            self.active[session] = run
            try:
                nursery.start_soon(self._crash, run)
                await run.serve()
                nursery.cancel_scope.cancel()
            finally:
                del self.active[session]

    async def _crash(self, run: Run) -> None:
        await run.crash.wait()
        self.crashes += 1
        raise CrashError

    # --- the end

    async def settle(self) -> None:
        """End all faults, and wait until nothing more comes of them."""
        await trio.sleep(SHUTDOWN_BUDGET + 1)  # a cloud that drains refuses connects after that
        self.dooms.clear()
        self.webhook_fault = "none"
        await self.start_process()
        for cloud, user in zip(self.clouds, self.users, strict=True):
            cloud.faults.ack_delay = cloud.faults.database_delay = 0.0
            cloud.faults.no_pong = False
            cloud.resume()
            if user is not self.user:
                user.disconnect()
        for socket in self.sockets:
            socket.slow_down(0)
        if not self.is_phone_here:
            await self.user.connect()
        await trio.sleep(_LONG)
        # Long after the app a cloud too learns from its TCP that nobody is there; not from its pings (P1 2.8).
        for socket in self.frozen.intersection(self.sockets):
            socket.cut()
        await trio.sleep(_LONG)

    async def check_up(self) -> None:
        """The wearer starts the app: all is as it should be then."""
        for _ in range(3):
            if (await self.user.start(PACKAGE)).succeeded:
                break
            await trio.sleep(10)
        await trio.sleep(60)
        process, run = self.process, self.run
        assert process is not None
        assert run is not None, "no handler runs"
        app = self.user.app(PACKAGE)
        assert app is not None
        assert app.state is AppState.RUNNING, app.state
        assert app.is_attached
        assert run.session.link_state.value is LinkState.CONNECTED
        assert process.server.session_for(USER) is run.session
        self.check_subscriptions(run, app.subscriptions.names)
        run.open("VAD", is_lazy=False)
        run.open("audio_chunk", is_lazy=False)
        run.shut("head_position")
        await trio.sleep(5)
        self.check_subscriptions(run, app.subscriptions.names)
        run.shut("VAD")
        await trio.sleep(5)
        self.check_subscriptions(run, app.subscriptions.names)
        assert self.sockets == [app.connection], "there is another socket"
        assert sum(link.open for link in process.tap.links) == 1

        count = len(run.buttons.got)
        numbers = self.press(5)
        answered, returned, overdue = run.outcomes["answered"], len(run.sent), run.outcomes["RequestTimedOutError"]
        self.soon(lambda: run.call(self.number()))
        self.soon(lambda: run.send(self.number()))
        await run.show("the last word")
        await trio.sleep(1)
        self.answer()
        self.soon(lambda: run.call(self.number()))  # this one is not answered
        await trio.sleep(60)
        assert run.buttons.got[count:] == numbers
        assert run.outcomes["answered"] == answered + 1
        assert run.outcomes["RequestTimedOutError"] == overdue + 1
        assert not any(each.pending for each in self.runs), "something waits for ever"
        assert len(run.sent) == returned + 1
        assert "the last word" in json.dumps(run.link.commands[-4:])

    async def check_down(self) -> None:
        """The wearer stops the app: nothing of it is left then, and nothing comes back."""
        process = self.process
        assert process is not None
        assert await self.user.stop(PACKAGE)
        await trio.sleep(_LONG)
        dials = process.tap.dials
        await trio.sleep(_LONG)
        assert process.tap.dials == dials
        assert self.user.state_of(PACKAGE) is AppState.STOPPED
        assert self.sockets == []
        assert self.active == {}
        assert process.server._desk is not None
        assert process.server._desk._slots == {}
        assert not process.server._desk._runs
        assert sum(link.open for link in process.tap.links) == 0
        assert self.busy == 0, "something never ended"

    def check_subscriptions(self, run: Run, names: tuple[str, ...]) -> None:
        """What the cloud was told last is what is open."""
        wanted = {"augmentos:*", *+run.wanted}
        assert set(names) == wanted

    # --- acts that more than one step uses

    def press(self, count: int) -> list[int]:
        """Press a button so often; gives the numbers."""
        numbers = range(self._presses, self._presses + count)
        self._presses += count
        for number in numbers:
            self.user.phone_message({"type": ALWAYS, "number": number})
        return list(numbers)

    def answer(self) -> None:
        """Answer every request that went out, those answered already too."""
        run, app = self.run, self.user.app(PACKAGE)
        if run is None or app is None or app.connection is None:
            return
        for fields in run.link.commands[-20:]:
            if fields["type"] == "stream_status_check":
                app.connection.send({"type": "stream_status_check_response", "number": fields["number"]})


@asynccontextmanager
async def open_world() -> AsyncGenerator[World, None]:
    """Run the two clouds and the app; the phone is at the first one, and the app is not started."""
    errors = Errors()
    logger = logging.getLogger("mentra_trio")
    logger.addHandler(errors)
    store = Store()
    store.install(InstalledApp(package_name=PACKAGE, api_key=KEY, public_url=PUBLIC_URL))
    clouds = Cloud(origin=f"wss://{HOSTS[0]}", store=store), Cloud(origin=f"wss://{HOSTS[1]}", store=store)
    users = clouds[0].user(USER), clouds[1].user(USER)
    try:
        async with clouds[0].running(), clouds[1].running(), open_services() as services:
            world = World(clouds, users, services)
            for cloud in clouds:
                cloud.webhooks = world
            await world.user.connect()
            await world.start_process()
            await wait_all_tasks_blocked()
            yield world
            await world.stop_process(is_crash=False)
            # What is left are the clouds, this task, and the task that holds the services.
            await wait_all_tasks_blocked()
            world.faults.extend(str(violation) for cloud in clouds for violation in cloud.violations)
            crashes = [text for text in errors.texts if "the session handler raised" in text]
            world.faults.extend(text for text in errors.texts if text not in crashes)
            assert len(crashes) == world.crashes, (crashes, world.crashes)
            assert not world.faults, world.faults
    finally:
        logger.removeHandler(errors)
