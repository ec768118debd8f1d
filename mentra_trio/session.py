"""`MentraSession`, what a handler gets, and the task tree behind one session.

::

    run_session                          returns when all of it is over; lets no `Exception` out (D6)
    ├── services (shielded)              the link: outlives the handler by exactly its clean-up
    └── body: the supervised handler     cancelled `stop_grace` seconds after the session ended (D7)
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from ._flow import Latest, open_services
from .errors import SessionClosedError
from .managers.camera import CameraManager
from .managers.dashboard import DashboardManager
from .managers.device import DeviceManager
from .managers.display import DisplayManager
from .managers.led import LedManager
from .managers.location import LocationManager
from .managers.mic import MicManager
from .managers.permissions import PermissionsManager
from .managers.phone import PhoneManager
from .managers.raw import RawManager
from .managers.settings import SettingsManager
from .managers.speaker import SpeakerManager
from .managers.storage import StorageManager
from .managers.time import TimeManager
from .managers.transcription import TranscriptionManager
from .managers.translation import TranslationManager
from .models.session import HandlerCrash, LinkState, StopKind, StopReason

if TYPE_CHECKING:
    from ._link import SessionStatistics
    from ._runtime import LinkRuntime  # noqa: TC004 - nobody evaluates it
    from .config import RestartPolicy, SessionConfig  # noqa: TC004 - nobody evaluates it

log = logging.getLogger("mentra_trio.session")


@attrs.define(eq=False)
class MentraSession:
    """One run of the app for one wearer, from the start on the phone to its end.

    It outlives lost connections: tasks and streams simply go on when the link is back. When it ends, every stream ends
    (loops exit normally), and `stop_reason` says why.

    Any number of tasks may use a session. Objects of this class are made by the server.

    Design: D17.
    """

    _runtime: LinkRuntime
    transcription: TranscriptionManager = attrs.field(init=False)
    """What is said."""
    translation: TranslationManager = attrs.field(init=False)
    """What is said, in another language."""
    display: DisplayManager = attrs.field(init=False)
    """What the wearer sees."""
    speaker: SpeakerManager = attrs.field(init=False)
    """What the wearer hears."""
    mic: MicManager = attrs.field(init=False)
    """Raw sound."""
    camera: CameraManager = attrs.field(init=False)
    """Photos and live video."""
    device: DeviceManager = attrs.field(init=False)
    """The glasses."""
    phone: PhoneManager = attrs.field(init=False)
    """The wearer's phone: notifications and the calendar."""
    location: LocationManager = attrs.field(init=False)
    """Where the wearer is."""
    time: TimeManager = attrs.field(init=False)
    """The wearer's time of day."""
    led: LedManager = attrs.field(init=False)
    """The light that the wearer sees."""
    dashboard: DashboardManager = attrs.field(init=False)
    """What the wearer sees when looking up."""
    settings: SettingsManager = attrs.field(init=False)
    """The app's and the system's settings."""
    storage: StorageManager = attrs.field(init=False)
    """Values that outlive the session."""
    permissions: PermissionsManager = attrs.field(init=False)
    """What the app declares, and may therefore do."""
    raw: RawManager = attrs.field(init=False)
    """Messages and streams without a manager."""

    def __attrs_post_init__(self) -> None:
        self.transcription = TranscriptionManager(self._runtime)
        self.translation = TranslationManager(self._runtime)
        self.display = DisplayManager(self._runtime)
        self.speaker = SpeakerManager(self._runtime)
        self.mic = MicManager(self._runtime)
        self.camera = CameraManager(self._runtime)
        self.device = DeviceManager(self._runtime)
        self.phone = PhoneManager(self._runtime)
        self.location = LocationManager(self._runtime)
        self.time = TimeManager(self._runtime)
        self.led = LedManager(self._runtime)
        self.dashboard = DashboardManager(self._runtime)
        self.settings = SettingsManager(self._runtime)
        self.storage = StorageManager(self._runtime)
        self.permissions = PermissionsManager(self._runtime)
        self.raw = RawManager(self._runtime)

    def __repr__(self) -> str:
        # Without the ids: they hold the wearer's e-mail address (D23).
        return f"<MentraSession run={self._runtime.run_id} {self.link_state.value.value}>"

    @property
    def user_id(self) -> str:
        """The wearer's id: an e-mail address. Do not log it."""
        return self._runtime.user_id

    @property
    def session_id(self) -> str:
        """The cloud's name for wearer and app together; the same for every run.

        Protocol: P1 0.
        """
        return self._runtime.session_id

    @property
    def package_name(self) -> str:
        """The app's package name."""
        return self._runtime.package_name

    @property
    def run_id(self) -> str:
        """A random name of this run, as in the SDK's log records."""
        return self._runtime.run_id

    @property
    def base_url(self) -> str:
        """Where the cloud's HTTP API is reached, such as `https://api.mentra.glass`.

        Changes when the session moves to another cloud (D17).

        Protocol: P1 8.1.
        """
        return self._runtime.base_url

    @property
    def link_state(self) -> Latest[LinkState]:
        """Where the link stands. Most apps need not look."""
        return self._runtime.link_state

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the session ended; `None` while it goes on."""
        return self._runtime.stop_reason

    @property
    def connections(self) -> int:
        """How many connections the cloud has acknowledged: 1 at the start, one more for each that followed."""
        return self._runtime.connections

    def statistics(self) -> SessionStatistics:
        """Give a frozen view of what was moved and what was lost."""
        return self._runtime.statistics()

    async def end(self) -> None:
        """End the session from the app's side: streams end, then the handler has `stop_grace` seconds to finish.

        Until the handler has finished the link stays up, so this is the moment for a goodbye on the display. Then the
        cloud is told that the app lets go (`ownership_release`), and the connection is closed (D6). From then on it
        starts the app only when the wearer does, or when the phone connects anew (P1 2.7). While the link is down or
        parked the cloud cannot be told, so it may start the app again by itself. Doing it again is harmless; a
        cancelled call has ended nothing.
        """
        await trio.lowlevel.checkpoint()
        self._runtime.finish(StopReason(StopKind.ENDED_BY_APP))


SessionHandler = Callable[[MentraSession], Awaitable[None]]
"""What `@app.on_session` takes."""
StopHandler = Callable[[MentraSession, StopReason], Awaitable[None]]
"""What `@app.on_stop` takes."""
SettingsHandler = Callable[[str, Mapping[str, object]], Awaitable[None]]
"""What `@app.on_settings` takes."""
CrashWatcher = Callable[[HandlerCrash], None]
"""Is told of each crash. It must not raise."""

_LETS_GO = frozenset({StopKind.ENDED_BY_APP, StopKind.HANDLER_FAILED})
"""Ends after which the cloud must not start the app again by itself (D6)."""


async def run_session(
    session: MentraSession,
    runtime: LinkRuntime,
    handler: SessionHandler,
    on_stop: StopHandler | None,
    config: SessionConfig,
    on_crash: CrashWatcher,
) -> None:
    """Run one session from its first connection to its end.

    Cancelling ends it like a server that stops. What the handler raises is logged, not raised: other sessions never
    notice. Only bugs of this package leave, and are caught by the server's bulkhead.
    """
    async with open_services() as services:
        services.start_soon(runtime.run)
        services.start_soon(runtime.run_services)
        try:
            await _wait_either(runtime.ready, runtime.over)
            if runtime.ready.is_set():
                # So that the handler finds the state of the glasses (D8); a cloud that sends none costs this moment.
                with trio.move_on_after(config.snapshot_timeout):
                    await _wait_either(runtime.informed, runtime.over)
            if runtime.is_live:
                supervised = partial(_supervise, session, runtime, handler, _Crashes(runtime, config.restart, on_crash))
                await _run_bounded("session", supervised, runtime, config)
                if on_stop is not None and runtime.stop_reason is not None:
                    stopped = partial(_run_stop_handler, session, runtime, runtime.stop_reason, on_stop, on_crash)
                    await _run_bounded("stop", stopped, runtime, config)
        finally:
            runtime.finish(StopReason(StopKind.SERVER_STOPPED))
            with trio.move_on_after(_closing_time(config), shield=True):
                await _close_link(runtime, config)


async def _close_link(runtime: LinkRuntime, config: SessionConfig) -> None:
    with trio.move_on_after(config.finish_timeout):
        await runtime.finish_duties()
    with trio.move_on_after(config.drain_timeout):
        await runtime.drain()
    reason = runtime.stop_reason
    await runtime.aclose(release="clean_shutdown" if reason is not None and reason.kind in _LETS_GO else None)


def _closing_time(config: SessionConfig) -> float:
    return config.finish_timeout + config.drain_timeout + 2 * config.close_timeout


async def _wait_either(first: trio.Event, second: trio.Event) -> None:
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel(reason="one of two has happened")

        nursery.start_soon(wait, first)
        nursery.start_soon(wait, second)


async def _run_bounded(
    which: str, run: Callable[[], Awaitable[None]], runtime: LinkRuntime, config: SessionConfig
) -> None:
    """Run code of the author; cancel it when the session is over and its grace as well."""
    async with trio.open_nursery() as nursery:
        body = trio.CancelScope()
        nursery.start_soon(_enforce_grace, which, body, runtime, config)
        with body:
            await run()
        nursery.cancel_scope.cancel(reason=f"the {which} handler has ended")


async def _enforce_grace(which: str, body: trio.CancelScope, runtime: LinkRuntime, config: SessionConfig) -> None:
    await runtime.over.wait()
    with trio.move_on_after(config.stop_grace):
        await runtime.hurry.wait()
        await trio.sleep(config.shutdown_grace)
    body.cancel(reason=f"the session is over ({runtime.stop_reason}), and so is the grace of its {which} handler")
    await trio.sleep(config.close_timeout)
    log.warning(
        "[%s] the %s handler does not end although it was cancelled: it waits in a shield or never awaits; "
        "the link is closed without it",
        runtime.run_id,
        which,
    )
    # Shielded, because a handler that ends after all in the middle of it must not cut the last duties short.
    with trio.move_on_after(_closing_time(config), shield=True):
        await _close_link(runtime, config)


@attrs.define(eq=False)
class _Crashes:
    """The crashes of one session's handler, and what the restart policy says to them (D6)."""

    _runtime: LinkRuntime
    _policy: RestartPolicy
    _tell: CrashWatcher
    restart_in: float | None = attrs.field(init=False, default=None)
    """Seconds until the handler is started again after the last one; `None` when it is not."""
    is_used_up: bool = attrs.field(init=False, default=False)
    """Whether there were more of them than the policy allows."""
    _times: list[float] = attrs.field(init=False, factory=list[float])

    def take(self, error: BaseException) -> None:
        """Decide what comes next, and tell."""
        now = trio.current_time()
        most, window = self._policy.max_restarts, self._policy.window
        self._times = [*self._times, now][-most - 1 :]
        recent = sum(crash > now - window for crash in self._times)
        is_live = self._runtime.is_live
        is_last = self.is_used_up = is_live and recent > most
        self.restart_in = self._policy.delay(recent - 1) if is_live and not is_last else None
        if self.restart_in is not None:
            then = f"; restarting in {self.restart_in:g} s ({recent} of {most})"
        elif is_last:
            then = f" {recent} times in {window:g} s; the session ends" if most else "; the session ends"
        else:
            then = " when its session was over"
        log.error("[%s] the session handler raised%s", self._runtime.run_id, then, exc_info=error)
        self._tell(
            HandlerCrash(handler="session", error=error, count=recent, restart_in=self.restart_in, is_last=is_last)
        )

    def take_pause(self) -> float | None:
        """Give `restart_in`, once."""
        pause, self.restart_in = self.restart_in, None
        return pause


async def _supervise(session: MentraSession, runtime: LinkRuntime, handler: SessionHandler, crashes: _Crashes) -> None:
    """Run the handler until the session is over; when it raises, run it again by the restart policy (D6)."""
    while runtime.is_live:
        await run_author(handler, partial(handler, session), crashes.take, runtime)
        pause = crashes.take_pause()
        if pause is None:
            break
        with trio.move_on_after(pause):
            await runtime.over.wait()
    if crashes.is_used_up:
        runtime.finish(StopReason(StopKind.HANDLER_FAILED))
    # The session stays connected: closing it would make the cloud start the app again, for ever (D5).
    await runtime.over.wait()


async def run_author(  # noqa: ASYNC910 - a nursery checkpoints
    name: object,
    run: Callable[[], Awaitable[None]],
    crashed: Callable[[BaseException], None],
    runtime: LinkRuntime | None = None,
) -> None:
    """Run code of the author, for one session or for none, in a task of its own, and hand over what it raises.

    Of its own, because code that leaves a nursery or a cancel scope open ruins the stack of its task: that costs it
    this task, and the session none. `SystemExit` and its like are contained too, because one wearer's session must not
    end the server. Only cancellation and Ctrl-C pass, also when they come together with an error (T10).
    """

    async def call() -> None:  # noqa: ASYNC910 - the author's code may never wait
        await run()

    try:
        async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - for the task
            nursery.start_soon(call, name=name)
    except* (trio.Cancelled, KeyboardInterrupt):
        raise
    except* BaseException as group:  # noqa: BLE001 - handed over, and no other session may notice
        # When the session is over, this is how the author's code learns of it.
        error = group if runtime is None or runtime.is_live else group.split(SessionClosedError)[1]
        if error is not None:  # pragma: no branch - coverage cannot follow the end of an `except*`
            # A lone exception was wrapped only by the nursery: show the author's own traceback.
            crashed(error.exceptions[0] if len(error.exceptions) == 1 else error)


async def _run_stop_handler(
    session: MentraSession, runtime: LinkRuntime, reason: StopReason, handler: StopHandler, on_crash: CrashWatcher
) -> None:
    """Run the stop handler; log what it raises, and that it had to be cancelled."""

    def crashed(error: BaseException) -> None:
        log.error("[%s] the stop handler raised", session.run_id, exc_info=error)
        on_crash(HandlerCrash(handler="stop", error=error))

    has_finished = False
    try:
        await run_author(handler, partial(handler, session, reason), crashed, runtime)
        has_finished = True
    finally:
        if not has_finished:
            log.warning("[%s] the stop handler did not finish within its grace and was cancelled", session.run_id)
