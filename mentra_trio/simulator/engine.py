"""MentraOS in a box: the cloud that apps connect to, without the network and without waiting.

`Cloud` runs on the Trio clock: under an autojump clock an hour of the wearer's life takes no time. Apps reach it in
two ways: through `Cloud.dial`, in memory, or over real HTTP and WebSocket (`server`). Wearers are `cloud.user(...)`.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
import trio
from trio.testing import memory_stream_pair

from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio._net.websocket import open_upgrade
from mentra_trio._wire.codec import JsonObject, dumps, to_iso
from mentra_trio.errors import ConnectFailedError, TransportClosedError

from . import messages
from .agenda import Agenda, Timer
from .connection import AppConnection, Refusal, admit
from .faults import Faults, Mode, Quirks, Violation, ViolationsError
from .forwarder import Line
from .hardware import SIMULATED_GLASSES
from .rest import CloudHttp, CloudNetwork, HttpCall
from .sessions import UserSession
from .store import Store
from .tokens import make_token
from .users import User
from .webhooks import NoWebhooks, WebhookClient

if TYPE_CHECKING:
    from mentra_trio._net.rest import HttpClient
    from mentra_trio._net.transport import CloudUrl, Dial

    from .apps import InstalledApp

_EPOCH = datetime(2026, 6, 27, 10, 0, tzinfo=UTC)
"""When simulated time begins unless the caller brings a clock of its own."""
_UPGRADE_LIMIT = 10.0
"""Seconds that a connection may take to send its upgrade request."""
_MOST_VIOLATIONS = 1000
_MOST_CALLS = 10_000
SHUTDOWN_BUDGET = 5.0
"""Seconds between the 1001 of a cloud that shuts down and its end (P1 3.2)."""


def _simulated_time() -> Callable[[], datetime]:
    """Make a clock that begins at a fixed moment and runs with Trio's."""
    begin: list[float] = []

    def now() -> datetime:
        if not begin:
            begin.append(trio.current_time())
        return _EPOCH + timedelta(seconds=trio.current_time() - begin[0])

    return now


@attrs.define(eq=False)
class _Parked:
    connection: AppConnection
    timer: Timer


@attrs.define(eq=False)
class Cloud:
    """One cloud. Use it inside `async with cloud.running():`, or start `cloud.run` in a nursery of your own."""

    mode: Mode = attrs.field(default=Mode.FAITHFUL, kw_only=True)
    """How much it puts up with."""
    origin: str = attrs.field(default="wss://api.mentra.glass", kw_only=True)
    """Scheme, host and port under which apps are told to connect."""
    webhooks: WebhookClient = attrs.field(factory=NoWebhooks, kw_only=True)
    """How it calls apps."""
    store: Store = attrs.field(factory=Store, kw_only=True)
    """The database. Two clouds may share one."""
    now: Callable[[], datetime] = attrs.field(factory=_simulated_time, kw_only=True)
    """The time of day, for timestamps alone."""
    seed: int = attrs.field(default=0, kw_only=True)
    """Where the random part of ids comes from."""
    quirks: Quirks = attrs.field(factory=Quirks, kw_only=True)
    """Faults of the real cloud."""
    faults: Faults = attrs.field(factory=Faults, kw_only=True)
    """Faults on command."""
    agenda: Agenda = attrs.field(factory=Agenda, init=False, repr=False)
    """Timers and jobs."""
    random: random.Random = attrs.field(init=False, repr=False)
    """Source of the random part of ids."""
    _users: dict[str, User] = attrs.field(factory=dict[str, User], init=False, repr=False)
    _sessions: dict[str, UserSession] = attrs.field(factory=dict[str, UserSession], init=False, repr=False)
    _parked: dict[tuple[str, str], _Parked] = attrs.field(
        factory=dict[tuple[str, str], _Parked], init=False, repr=False
    )
    _connections: dict[AppConnection, None] = attrs.field(factory=dict[AppConnection, None], init=False, repr=False)
    _refusal: Timer | None = attrs.field(default=None, init=False, repr=False)
    _violations: list[Violation] = attrs.field(factory=list[Violation], init=False)
    _calls: deque[HttpCall] = attrs.field(factory=lambda: deque[HttpCall](maxlen=_MOST_CALLS), init=False, repr=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - ids of a simulator

    # --- life

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Run the cloud while the body runs; in strict mode check at the end what the apps did.

        An exception of the body leaves unwrapped.
        """
        failure: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.run)
                try:
                    yield
                except BaseException as error:
                    failure = error
                    raise
                finally:
                    nursery.cancel_scope.cancel(reason="the simulated cloud is no longer needed")
        except BaseExceptionGroup:
            # Besides the body's own exception there can only be cancellations, unless the engine has a bug: then the
            # body was cancelled for it.
            if failure is None or isinstance(failure, trio.Cancelled):
                raise
        if failure is not None:
            raise failure
        if self.mode is Mode.STRICT:
            self.check()

    async def run(  # noqa: ASYNC114, ASYNC128 - the agenda tells when it has started
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run the cloud until cancelled."""
        await self.agenda.run(task_status=task_status)

    def check(self) -> None:
        """Raise `ViolationsError` with everything that a correct app never does, if there was any."""
        if self._violations:
            raise ViolationsError(tuple(self._violations))

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What apps did that a correct app never does. They are noted in either mode."""
        return tuple(self._violations)

    def report(self, package_name: str, rule: str, text: str) -> None:
        """Note a violation. After the first thousand nobody learns anything from another one."""
        if len(self._violations) >= _MOST_VIOLATIONS:
            return
        self._violations.append(Violation(at=trio.current_time(), package_name=package_name, rule=rule, text=text))

    # --- people and apps

    def install(self, app: InstalledApp) -> InstalledApp:
        """Register an app in the console."""
        self.store.install(app)
        return app

    def declare(self, package_name: str, *permissions: str) -> None:
        """Change which permissions the console lists for an app. The cloud looks when the app subscribes again.

        Raises `LookupError` when no such app is installed.
        """
        if package_name not in self.store.apps:
            msg = f"{package_name} is not installed"
            raise LookupError(msg)
        self.install(attrs.evolve(self.store.apps[package_name], permissions=frozenset(permissions)))

    def user(self, user_id: str, *, model: str | None = SIMULATED_GLASSES) -> User:
        """Look a wearer up, or make one.

        `model` names the glasses that a new wearer prefers, which count as connected; `None` is a wearer without. Of
        a wearer who is known it changes nothing.
        """
        stored = self.store.user(user_id, model=model)
        return self._users.setdefault(stored.user_id, User(self, stored))

    def app_token(self, package_name: str) -> str:
        """Make a token with which an app connects without an init.

        Protocol: P1 2.2.
        """
        return make_token(package_name, self.store.apps[package_name].api_key, self.token_secret)

    @property
    def token_secret(self) -> bytes:
        """What app tokens are signed with."""
        return f"simulated cloud {self.seed}".encode()

    @property
    def live_users(self) -> Collection[str]:
        """Wearers who have a session."""
        return self._sessions.keys()

    def session(self, user_id: str) -> UserSession | None:
        """Look the session of a wearer up."""
        return self._sessions.get(user_id)

    def session_for_phone(self, user_id: str) -> UserSession:
        """Look the session of a wearer up, or make one: a phone came."""
        stored = self.store.user(user_id)
        if stored.user_id not in self._sessions:
            self._sessions[stored.user_id] = UserSession(self, stored)
        return self._sessions[stored.user_id]

    def forget_session(self, session: UserSession) -> None:
        """Drop a session that ended."""
        del self._sessions[session.user_id]

    # --- time, news, calls

    def timestamp(self) -> str:
        """Spell the present moment as messages do."""
        return to_iso(self.now())

    def notify(self) -> None:
        """Wake those who wait for the state of an app to change."""
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def wait_until(self, predicate: Callable[[], bool]) -> None:
        """Wait until something is true of apps and sockets. Bound it with a deadline."""
        while not predicate():
            await self._changed.wait()
        await trio.lowlevel.checkpoint()

    async def database_pause(self) -> None:
        """Take the time that noting something takes."""
        await trio.sleep(self.faults.database_delay)

    async def post(self, app: InstalledApp, path: str, body: JsonObject, *, limit: float) -> bool:
        """Post to an app; return whether it said 2xx in time.

        Protocol: P1 1.3.
        """
        status: int | None = None
        with trio.move_on_after(limit):
            status = await self.webhooks.post(f"{app.public_url}{path}", dumps(body).encode())
        return status is not None and 200 <= status < 300

    # --- sockets

    @property
    def connector(self) -> CloudNetwork:
        """What an app connects with to reach this cloud in memory: `async with app.running(connector=cloud.connector)`.

        It brings the cloud's HTTP along. Of several clouds it reaches this one alone; `dial_by_host` makes a network of
        them.
        """
        return CloudNetwork(CoreWebSocketConnector(dial_by_host(self)), self.http)

    @property
    def http(self) -> HttpClient:
        """What an app makes HTTP requests with, for one that is given a connector of its own."""
        return CloudHttp(self)

    @property
    def http_log(self) -> tuple[HttpCall, ...]:
        """What apps called over HTTP, oldest first; the last ten thousand calls."""
        return tuple(self._calls)

    def note_call(self, call: HttpCall) -> None:
        """Note a call over HTTP."""
        self._calls.append(call)
        self.notify()

    @property
    def is_unreachable(self) -> bool:
        """Whether nobody can connect: it refuses, or does not run."""
        return self.faults.refuse_connects or not self.agenda.is_running

    async def dial(self, url: CloudUrl) -> trio.abc.Stream:
        """Open a connection in memory: a `Dial` for the SDK's connector. TLS is taken for granted.

        Raises `ConnectFailedError` while connections are refused or the cloud does not run.
        """
        await trio.lowlevel.checkpoint()
        if self.is_unreachable:
            raise ConnectFailedError(f"no connection to {url.origin}: connection refused")
        client, near = memory_stream_pair()
        far, server = memory_stream_pair()
        line = Line()
        self.agenda.carry(partial(line.run, near, far))
        self.agenda.carry(partial(self._serve_stream, server, line))
        return client

    async def _serve_stream(  # noqa: ASYNC910 - a task, nobody awaits it
        self, stream: trio.abc.Stream, line: Line
    ) -> None:
        with suppress(TransportClosedError), trio.move_on_after(_UPGRADE_LIMIT) as patience:
            async with open_upgrade(stream) as request:
                patience.deadline = math.inf
                headers = {name: value.decode("utf-8", "replace") for name, value in request.headers}
                decision = self.upgrade(request.target, headers)
                if isinstance(decision, Refusal):
                    await request.reject(decision.status, body=decision.body, content_type=decision.content_type)
                else:
                    decision.line = line
                    async with request.accept() as transport:
                        await decision.serve(transport)

    def upgrade(self, target: str, headers: dict[str, str]) -> AppConnection | Refusal:
        """Decide about an upgrade request. Header names are in lower case."""
        return admit(self, target, headers)

    @property
    def connections(self) -> tuple[AppConnection, ...]:
        """Sockets that are open, oldest first, forgotten ones included."""
        return tuple(self._connections)

    def connection_began(self, connection: AppConnection) -> None:
        """Note a socket."""
        self._connections[connection] = None

    def connection_ended(self, connection: AppConnection) -> None:
        """Note the end of a socket, and count it against its app.

        Protocol: P1 2.10.
        """
        self._connections.pop(connection, None)
        self.unpark_connection(connection)
        session = self._sessions.get(connection.user_id)
        app = None if session is None else session.app(connection.package_name)
        if app is not None:
            app.connection_closed(connection)
        self.notify()

    # --- the park

    def park(self, connection: AppConnection, code: str, text: str) -> None:
        """Keep a socket until the wearer's session knows what to do with it.

        Protocol: P1 2.6.
        """
        key = connection.user_id, connection.package_name
        older = self._parked.pop(key, None)
        if older is not None:
            older.timer.cancel()
            if older.connection is not connection:
                older.connection.close(1013, "Superseded by newer deferred connection")
        connection.is_parked = True
        timer = self.agenda.later(messages.PARK_SECONDS, partial(self._park_ended, key, connection))
        self._parked[key] = _Parked(connection, timer)
        connection.send(messages.deferred(code, text, self.timestamp()))
        self.notify()

    def unpark(self, user_id: str, package_name: str) -> AppConnection | None:
        """Take the socket that waits for an app, if there is one."""
        parked = self._parked.pop((user_id, package_name), None)
        if parked is None:
            return None
        parked.timer.cancel()
        parked.connection.is_parked = False
        return parked.connection

    def unpark_connection(self, connection: AppConnection) -> None:
        """Forget that a socket waited."""
        key = connection.user_id, connection.package_name
        parked = self._parked.get(key)
        if parked is not None and parked.connection is connection:
            self.unpark(*key)

    def _park_ended(self, key: tuple[str, str], connection: AppConnection) -> None:
        self.unpark(*key)
        text = "Cloud did not restore app state before the deferred reconnect timed out"
        connection.send(messages.rejected("BOOT_TIMEOUT", text, self.timestamp()))
        connection.close(1008, "Deferred reconnect timed out")

    # --- the cloud as a whole

    def refuse_connects(self, seconds: float) -> None:
        """Refuse new connections for a while, at the level of TCP."""
        self.faults.refuse_connects = True
        if self._refusal is not None:
            self._refusal.cancel()
        self._refusal = self.agenda.later(seconds, self._accept_connects)

    def _accept_connects(self) -> None:
        self.faults.refuse_connects = False

    async def drain(self) -> None:
        """Shut down: every socket is closed with 1001, upgrades get 503. `resume` ends it.

        Returns when all sockets are gone; those that do not answer within 5 s are cut.

        Protocol: P1 2.9.
        """
        self.faults.draining = True
        sockets = self.connections
        for user in self._users.values():
            user.phone_lost()
        self._lose_memory()
        for connection in sockets:
            connection.close(1001, "Server shutting down")
        with trio.move_on_after(SHUTDOWN_BUDGET):
            await trio.lowlevel.checkpoint()
            for connection in sockets:
                await connection.ended.wait()
        self.faults.refuse_connects = True
        for connection in sockets:
            connection.cut()

    def crash(self) -> None:
        """Die: every socket is cut, memory is lost, connections are refused. `resume` ends it."""
        self.faults.refuse_connects = True
        sockets = self.connections
        for user in self._users.values():
            user.phone_lost()
        self._lose_memory()
        for connection in sockets:
            connection.cut()

    def resume(self) -> None:
        """Be there again, with the database and nothing else. Phones have to connect again."""
        if self._refusal is not None:
            self._refusal.cancel()
        self.faults.draining = self.faults.refuse_connects = False

    def _lose_memory(self) -> None:
        sessions, self._sessions = self._sessions, {}
        self._parked = {}
        for session in sessions.values():
            session.forget()
        self.agenda.clear()
        self.notify()


def dial_by_host(*clouds: Cloud) -> Dial:
    """Make one network of several clouds: a connection goes to the one whose origin it names."""
    by_authority = {urlsplit(cloud.origin).netloc: cloud for cloud in clouds}

    async def dial(url: CloudUrl) -> trio.abc.Stream:
        cloud = by_authority.get(url.authority)
        if cloud is None:
            await trio.lowlevel.checkpoint()
            raise ConnectFailedError(f"no connection to {url.origin}: no such host")
        return await cloud.dial(url)

    return dial
