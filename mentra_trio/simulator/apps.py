"""One app in one wearer's session: its state, its timers, its webhooks (P1 1, 3.1, 3.2).

====================  ==========================================  =======================================
From                  Event                                       To
====================  ==========================================  =======================================
none, STOPPED         start                                       CONNECTING: 6 s, webhook twice at most
CONNECTING            init accepted                               RUNNING: ack, the start succeeded
CONNECTING            reconnect                                   RUNNING, but the 6 s go on (P1 1.6)
CONNECTING            6 s over, or webhook failed twice           STOPPED
RUNNING, others       the socket closed                           TRANSPORT_DOWN (v3), GRACE_PERIOD: 5 s
RUNNING, released     the socket closed                           DORMANT: subscriptions dropped
down                  init, or (v3) reconnect                     RUNNING, subscriptions kept
down                  5 s over, phone there, v3                   RESURRECTING, CONNECTING
down                  5 s over, phone there, older                stop webhook, STOPPED, CONNECTING
down                  5 s over, phone away                        DORMANT
DORMANT               init or reconnect                           RUNNING
DORMANT               the phone comes back                        stop webhook, CONNECTING
RUNNING, CONNECTING   the wearer stops it                         STOPPING, STOPPED
any                   the wearer's session ends                   STOPPED
====================  ==========================================  =======================================

Refusals and old sockets count as "the socket closed" too, from any state: the cloud matches a closing socket by
package only (P1 2.10).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import trio

from mentra_trio._wire.codec import JsonObject

from . import messages
from .subscriptions import Entries, SubscriptionSet

if TYPE_CHECKING:
    from .agenda import Timer  # noqa: TC004 - a cycle, and nobody evaluates it
    from .connection import AppConnection  # noqa: TC004 - a cycle, and nobody evaluates it
    from .sessions import UserSession  # noqa: TC004 - a cycle, and nobody evaluates it

START_WINDOW = 6.0
"""Seconds from the start of a start until the app's init has to be accepted."""
WEBHOOK_LIMIT = 10.0
"""Seconds that one try of a start webhook may take."""
WEBHOOK_GAP = 1.0
"""Seconds between the two tries."""
GRACE = 5.0
"""Seconds that an app without a socket is waited for."""
EMPTY_GUARD = 8.0
"""Seconds after attaching in which an empty list of an old SDK is ignored (P1 4.2)."""


class AppKind(enum.StrEnum):
    """What the console says about an app."""

    STANDARD = "standard"
    """One at a time; it owns the screen."""
    BACKGROUND = "background"


@attrs.frozen(kw_only=True)
class InstalledApp:
    """An app as it is registered in the console."""

    package_name: str
    api_key: str = attrs.field(repr=False)
    public_url: str = "https://app.example.com"
    """Where its webhooks go, without the path."""
    name: str = ""
    """What wearers call it; the package name when it is empty."""
    kind: AppKind = AppKind.STANDARD
    permissions: frozenset[str] = frozenset({"ALL"})
    """Permissions as the console lists them (P1 4.3)."""
    settings: Sequence[JsonObject] = ()
    """Definitions of its settings (P1 5.4)."""
    required_hardware: frozenset[str] = frozenset()
    """Names such as `CAMERA` or `DISPLAY` (P2 6.4)."""
    is_deprecated: bool = False
    """Whether the cloud no longer accepts it."""

    @property
    def title(self) -> str:
        """The name on the boot card."""
        return self.name or self.package_name


class AppState(enum.StrEnum):
    """State of an app session."""

    CONNECTING = "connecting"
    RUNNING = "running"
    GRACE_PERIOD = "grace_period"
    TRANSPORT_DOWN = "transport_down"
    RESURRECTING = "resurrecting"
    DORMANT = "dormant"
    STOPPING = "stopping"
    STOPPED = "stopped"


_ACCEPTS_INIT = frozenset(
    {
        AppState.CONNECTING,
        AppState.RUNNING,
        AppState.GRACE_PERIOD,
        AppState.TRANSPORT_DOWN,
        AppState.DORMANT,
    }
)
_DOWN = frozenset({AppState.GRACE_PERIOD, AppState.TRANSPORT_DOWN})


class Stage(enum.StrEnum):
    """Where a start failed, and what to do about it."""

    UNKNOWN_APP = "UNKNOWN_APP"
    """No such app is registered, or it is deprecated: call `cloud.install(InstalledApp(...))` with its package name."""
    NO_SESSION = "NO_SESSION"
    """The phone is not connected: `await user.connect()` first."""
    HARDWARE_CHECK = "HARDWARE_CHECK"
    """The glasses lack what `InstalledApp.required_hardware` names: give the wearer another model."""
    WEBHOOK = "WEBHOOK"
    """The app's server did not take the start webhook, twice: is `public_url` the URL that `AsgiWebhooks` knows, does
    the app run (`async with app.running(...)`), is its `api_key` that of `InstalledApp`? Its log tells more."""
    TIMEOUT = "TIMEOUT"
    """The server took the webhook, but no socket of the app was accepted within 6 s: is it given the cloud's connector
    (`app.running(connector=cloud.connector)`), and does the cloud accept connections?"""
    STOPPED = "STOPPED"
    """The app was stopped, or the wearer's session ended, while it started: start it again."""


@attrs.frozen(kw_only=True)
class StartResult:
    """How a start ended."""

    succeeded: bool
    failed_at: Stage | None = None
    """Where it failed; `None` when it did not. `Stage` tells what to do in each case."""


STARTED = StartResult(succeeded=True)
"""The app is up."""


@attrs.define(eq=False)
class Start:
    """A start that is under way. Whoever asks again joins it."""

    result: StartResult | None = None
    """How it ended; `None` while it has not."""
    timer: Timer | None = None
    _done: trio.Event = attrs.field(factory=trio.Event, init=False)

    @classmethod
    def failed(cls, stage: Stage) -> Start:
        """Make a start that failed before it began."""
        start = cls()
        start.finish(StartResult(succeeded=False, failed_at=stage))
        return start

    def finish(self, result: StartResult) -> None:
        """End it, once."""
        if self.timer is not None:
            self.timer.cancel()
        if self.result is None:
            self.result = result
            self._done.set()

    async def wait(self) -> StartResult:
        """Wait for its end. Cancelling stops the waiting only."""
        await self._done.wait()
        if self.result is None:
            raise AssertionError("a start that is done has a result")
        return self.result


def _tell_others(session: AppSession, _: attrs.Attribute[AppState | None], state: AppState | None) -> AppState | None:
    session.tell_others()
    return state


@attrs.define(eq=False)
class AppSession:
    """The cloud's object for one app of one wearer."""

    installed: InstalledApp
    _home: UserSession = attrs.field(repr=False)
    state: AppState | None = attrs.field(default=None, on_setattr=_tell_others)
    """`None` before its first start."""
    connection: AppConnection | None = attrs.field(default=None, init=False, repr=False)
    """The socket that data goes to; another may be open and forgotten."""
    sdk_major: int | None = attrs.field(default=None, init=False)
    """Major version of the app's SDK, as its last init or reconnect told."""
    subscriptions: SubscriptionSet = attrs.field(factory=SubscriptionSet, init=False)
    subscriptions_since: float = attrs.field(default=-math.inf, init=False)
    """When the last subscription update was taken, on the Trio clock."""
    attached_at: float = attrs.field(default=-math.inf, init=False)
    """When the last socket was attached, on the Trio clock."""
    is_released: bool = attrs.field(default=False, init=False)
    """Whether the app gave its ownership away, so that its close is no loss."""
    replayed: set[str] = attrs.field(factory=set[str], init=False)
    """Whether the cached position was sent since the app started (P2 8.4)."""
    _start: Start | None = attrs.field(default=None, init=False, repr=False)
    _grace: Timer | None = attrs.field(default=None, init=False, repr=False)

    @property
    def package_name(self) -> str:
        """Which app."""
        return self.installed.package_name

    @property
    def session_id(self) -> str:
        """The same at every run.

        Protocol: P1 0.
        """
        return f"{self._home.user_id}-{self.package_name}"

    @property
    def _declared(self) -> frozenset[str]:
        """What the console lists for the app at this moment."""
        return self._home.cloud.store.apps.get(self.package_name, self.installed).permissions

    @property
    def is_v3(self) -> bool:
        """Whether the cloud treats the app as one of the third SDK generation.

        Protocol: P1 2.3.
        """
        return self.sdk_major is not None and self.sdk_major >= 3

    @property
    def is_running(self) -> bool:
        """Whether the app counts as running: a blip of its socket does not stop it."""
        return self.state is AppState.RUNNING or self.state in _DOWN

    @property
    def is_attached(self) -> bool:
        """Whether the app has acknowledged a socket that data goes to."""
        return self.connection is not None and self.connection.is_acked

    def tell_others(self) -> None:
        """Wake those who wait for a state. They look once everything that happens at this moment has happened."""
        self._home.cloud.notify()

    @property
    def is_ready(self) -> bool:
        """Whether the app is attached and has sent its subscriptions on this socket."""
        return self.is_attached and self.subscriptions_since >= self.attached_at

    # --- starting

    def start(self) -> Start:
        """Start the app, or join a start under way. An app that runs is started already."""
        if self.state is AppState.RUNNING:
            done = Start()
            done.finish(STARTED)
            return done
        if self.state is AppState.CONNECTING and self._start is not None:
            return self._start
        return self._connect()

    def _connect(self) -> Start:
        home = self._home
        self._cancel_grace()
        self.state = AppState.CONNECTING
        self.is_released = False
        # An older start that never ended goes on in this one.
        start = self._start or Start()
        if start.timer is not None:
            start.timer.cancel()
        start.timer = home.agenda.later(START_WINDOW, self._start_timed_out)
        self._start = start
        home.display.app_started(
            self.package_name, self.installed.title, standard=self.installed.kind is AppKind.STANDARD
        )
        parked = home.cloud.unpark(home.user_id, self.package_name)
        if parked is not None:
            self._attach_parked(parked)
        else:
            home.agenda.spawn(lambda: self._call_app(start))
        return start

    def _attach_parked(self, connection: AppConnection) -> None:
        if self._home.cloud.quirks.parked_socket_is_legacy:
            self.sdk_major = None
        self.attach(connection, "reconnect_ack")
        self._finish_start(STARTED)

    async def request_session(self) -> bool:
        """Post one start webhook out of the blue, as a cloud does that lost track; return whether it was taken."""
        return await self._home.cloud.post(self.installed, "/webhook", self._session_request(), limit=WEBHOOK_LIMIT)

    def _session_request(self) -> JsonObject:
        return messages.session_request(
            session_id=self.session_id,
            user_id=self._home.user_id,
            origin=self._home.cloud.origin,
            timestamp=self._home.cloud.timestamp(),
        )

    async def _call_app(self, start: Start) -> None:
        """Post the start webhook, twice at most. The tries go on whatever happens meanwhile (P1 1.3)."""
        home = self._home
        body = self._session_request()
        for pause in (0.0, WEBHOOK_GAP):
            if pause:
                await trio.sleep(pause)
            if await home.cloud.post(self.installed, "/webhook", body, limit=WEBHOOK_LIMIT):
                return
        if start is self._start and start.result is None:
            self._cancel_grace()
            self.state = AppState.STOPPED
            home.display.app_stopped(self.package_name)
            home.dashboard.app_stopped(self.package_name)
            self._finish_start(StartResult(succeeded=False, failed_at=Stage.WEBHOOK))

    def _start_timed_out(self) -> None:
        self._cancel_grace()
        self.state = AppState.STOPPED
        self.connection = None
        self._home.stored.forget_running(self.package_name)
        self._finish_start(StartResult(succeeded=False, failed_at=Stage.TIMEOUT))

    def _finish_start(self, result: StartResult) -> None:
        start, self._start = self._start, None
        if start is not None:
            start.finish(result)

    # --- attaching a socket

    @property
    def accepts_init(self) -> bool:
        """Whether an init is taken in this state."""
        return self.state in _ACCEPTS_INIT

    def init_accepted(self, connection: AppConnection, sdk_major: int | None) -> None:
        """Attach a socket whose init passed all checks."""
        self.sdk_major = sdk_major
        self.attach(connection, "tpa_connection_ack")
        self._home.broadcast_app_state()

    def reconnected(self, connection: AppConnection, sdk_major: int) -> None:
        """Attach a socket that goes on with the session. A start under way is not completed by it.

        Protocol: P1 1.6.
        """
        self.sdk_major = sdk_major
        self.attach(connection, "reconnect_ack")
        if not self._home.cloud.quirks.reconnect_leaves_start_pending:
            self._finish_start(STARTED)

    def attach(self, connection: AppConnection, ack: str) -> None:
        """Make a socket the app's. The one before it is forgotten, not closed.

        Protocol: P1 2.10.
        """
        cloud = self._home.cloud
        self._cancel_grace()
        if self.connection is not None and self.connection is not connection:
            self.connection.detach()
        self.connection = connection
        self.state = AppState.RUNNING
        self.is_released = False
        self.attached_at = trio.current_time()
        connection.attached(self)
        self._home.stored.note_running(self.package_name)
        delay = cloud.faults.ack_delay
        if delay == 0:
            self._acknowledge(connection, ack)
        elif delay != math.inf:
            self._home.agenda.later(delay, lambda: self._acknowledge(connection, ack))

    def _acknowledge(self, connection: AppConnection, ack: str) -> None:
        home = self._home
        if connection is not self.connection:
            return
        connection.send(
            messages.ack(
                ack,
                session_id=self.session_id,
                settings=home.settings_of(self.installed),
                system_settings=home.system_settings,
                capabilities=home.capabilities,
                subscriptions=self.subscriptions.names,
                user_id=home.user_id,
                timestamp=home.cloud.timestamp(),
            )
        )
        connection.is_acked = True
        connection.send(messages.device_state_update(home.device_state, home.cloud.timestamp(), full=True))
        if self.is_v3:
            home.streams.resume(self)
        if ack == "tpa_connection_ack":
            self._finish_start(STARTED)
        home.cloud.notify()

    # --- losing a socket

    def connection_closed(self, connection: AppConnection) -> None:
        """Take the close of one of the app's sockets, old and refused ones included."""
        if connection is not self.connection and not self._home.cloud.quirks.close_by_package:
            return
        if self.connection is not None:
            self.connection.detach()
        self.connection = None
        self._home.cloud.notify()
        if self.state is AppState.STOPPING:
            self.state = AppState.STOPPED
        elif self.is_released:
            self._cancel_grace()
            self.state = AppState.DORMANT
            self.is_released = False
            self._drop_subscriptions()
            self._home.display.app_released(self.package_name)
        else:
            self._wait_for_return()

    def _wait_for_return(self) -> None:
        self._cancel_grace()
        self.state = AppState.TRANSPORT_DOWN if self.is_v3 else AppState.GRACE_PERIOD
        self._grace = self._home.agenda.later(GRACE, self._grace_expired)

    def _grace_expired(self) -> None:
        self._grace = None
        if not self._home.is_phone_connected:
            self.state = AppState.DORMANT
            return
        self.state = AppState.RESURRECTING
        self._home.agenda.spawn(lambda: self.resurrect(stop_first=not self.is_v3))

    async def resurrect(self, *, stop_first: bool) -> StartResult:
        """Start the app again without the wearer's doing; an old SDK is told to stop first."""
        home = self._home
        self._cancel_grace()
        self.state = AppState.RESURRECTING
        if stop_first:
            await self._tell_stop()
            self._drop_subscriptions()
            self.state = AppState.STOPPED
            self.replayed.clear()
            home.display.app_stopped(self.package_name)
            home.dashboard.app_stopped(self.package_name)
            home.broadcast_app_state()
        result = await self._connect().wait()
        if not result.succeeded:
            home.tell_phone(messages.app_stopped(home.cloud.timestamp(), package_name=self.package_name))
        return result

    def _cancel_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    # --- stopping

    @property
    def can_stop(self) -> bool:
        """Whether a wearer's stop is taken in this state; in others it is ignored."""
        return self.state in {AppState.RUNNING, AppState.CONNECTING}

    async def stop(self) -> None:
        """Stop the app in the cloud's order: the webhook is awaited first, without a limit.

        Protocol: P1 1.2.
        """
        home = self._home
        self.state = AppState.STOPPING
        self._finish_start(StartResult(succeeded=False, failed_at=Stage.STOPPED))
        await self._tell_stop()
        self._drop_subscriptions()
        home.broadcast_app_state()
        connection = self.connection
        if connection is not None:
            connection.send(messages.app_stopped(home.cloud.timestamp()))
            connection.close(1000, "App stopped")
        self.connection = None
        await home.cloud.database_pause()
        home.stored.forget_running(self.package_name)
        self._cancel_grace()
        self.state = AppState.STOPPED
        self.replayed.clear()
        home.display.app_stopped(self.package_name)
        home.dashboard.app_stopped(self.package_name)
        home.cloud.notify()

    def dispose(self) -> None:
        """End with the wearer's session; there is no webhook.

        Protocol: P1 1.2.
        """
        home = self._home
        self._cancel_grace()
        self.state = AppState.STOPPED
        self._finish_start(StartResult(succeeded=False, failed_at=Stage.STOPPED))
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.send(messages.app_stopped(home.cloud.timestamp()))
            connection.close(1000, "User session ended")

    def forget(self) -> None:
        """Lose everything, as with the memory of the cloud. The app is told nothing."""
        self._cancel_grace()
        self.state = AppState.STOPPED
        self.connection = None
        self._finish_start(StartResult(succeeded=False, failed_at=Stage.STOPPED))

    async def _tell_stop(self) -> None:
        home = self._home
        body = messages.stop_request(session_id=self.session_id, user_id=home.user_id, timestamp=home.cloud.timestamp())
        await home.cloud.post(self.installed, "/webhook", body, limit=math.inf)

    # --- data

    def subscribe(self, entries: Entries) -> tuple[str, ...]:
        """Take a full set of subscriptions; return what the app may not have."""
        now = trio.current_time()
        if not entries.names and not self.is_v3 and now - self.attached_at < EMPTY_GUARD:
            return ()
        self.subscriptions, dropped = SubscriptionSet.granted(entries, self._declared)
        self.subscriptions_since = now
        return dropped

    def _drop_subscriptions(self) -> None:
        self.subscriptions = SubscriptionSet()
        self._home.subscriptions_changed()

    def relay(self, message: JsonObject | bytes) -> bool:
        """Send an event if the app has a socket; otherwise it is lost.

        Protocol: P1 2.10.
        """
        if self.connection is None:
            return False
        self.connection.send(message)
        return True

    def deliver(self, message: JsonObject) -> bool:
        """Send a transcript or a result. To an app without a socket this restarts its 5 s.

        Protocol: P1 2.10.
        """
        if self.relay(message):
            return True
        if self.state is AppState.CONNECTING or self.state in _DOWN:
            self._wait_for_return()
        return False
