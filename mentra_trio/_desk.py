"""The desk: which session a webhook call concerns, and what to answer (P1 1.5, 1.6; D17, D21).

`session_request`s of one session, which is a session id and a user, are served one at a time; one that comes while
another is served joins it, and the latest URL wins. A `stop_request` never waits: it also ends a start that is under
way.

Webhooks prove nothing, so anybody may send any number of them. What that can cost is bounded: starts under way,
connects a second, calls of the settings handler, and lines in the log. In a crowd the newest start goes first, because
the cloud gives the oldest up soonest.
"""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from random import Random
from typing import assert_never

import attrs
import trio

from ._flow import Offload
from ._net.asgi import WebhookAnswer
from ._net.hosts import HostPolicy
from ._net.limiter import ConnectLimiter
from ._net.rest import HttpClient
from ._net.transport import CloudUrl, Connector
from ._runtime import LinkRuntime, PermissionBook
from ._version import __version__
from ._wire.webhooks import PhotoUpload, SessionRequest, SettingsNotice, StopRequest
from .config import AppConfig, SessionConfig
from .errors import HandshakeError, HostNotAllowedError, SessionClosedError
from .models.session import HandlerCrash, LinkState, StopKind, StopReason
from .session import (
    CrashWatcher,
    MentraSession,
    SessionHandler,
    SettingsHandler,
    StopHandler,
    run_author,
    run_session,
)

log = logging.getLogger("mentra_trio.server")

SDK_VERSION = f"3.0.0-trio.{__version__}"
"""The cloud reads the major number and treats 3 as able to reconnect (P1 2.3)."""
_MINUTE = 60.0
_MOST_REASONS = 10
"""Reasons for which webhooks failed that are told one by one."""
_OK = WebhookAnswer(status=HTTPStatus.OK)
_STOPPING = WebhookAnswer(status=HTTPStatus.SERVICE_UNAVAILABLE, message="The app server is stopping")
_CROWDED = WebhookAnswer(
    status=HTTPStatus.SERVICE_UNAVAILABLE, message="Too many sessions are starting at once", retry_after=1
)
_TOO_LATE = WebhookAnswer(status=HTTPStatus.BAD_GATEWAY, message="The cloud did not acknowledge the session in time")
_LAST_WORDS = 1.0
"""Seconds that the answer to a stop waits at most for the cloud to read what the session says at its end."""
_MOST_SETTINGS_CALLS = 200
"""Calls of the settings handler that may be under way: anybody can make any number (P1 6.3)."""
_LEAST_USE = 1.0
"""Seconds that a session keeps a socket that it has just been given on request, however often it is asked for. Well
within the 6 s that the cloud waits (P1 1.3)."""


@attrs.define(eq=False)
class _Running:
    """A session whose tasks run."""

    session: MentraSession
    runtime: LinkRuntime
    resumed_at: float = -math.inf
    """When the cloud last took a socket that was asked for while the session went on."""


@attrs.define(eq=False)
class _Start:
    """A `session_request` that is being served, with those that joined it."""

    url: CloudUrl
    """Where to connect: the latest wins."""
    scope: trio.CancelScope
    answer: WebhookAnswer
    """What it is while nothing else is known: that time was up."""
    running: _Running | None = None
    """What it is about; none while an older run is being closed."""
    is_decided: bool = False
    """Whether `answer` is what there is to say; not so when the call that was served was given up by its server."""
    answered: trio.Event = attrs.field(factory=trio.Event)

    def cut_short(self, answer: WebhookAnswer) -> None:
        """Answer at once."""
        self.answer = answer
        self.is_decided = True
        self.scope.cancel(reason="the start was called off")


@attrs.define(eq=False)
class _SettingsCall:
    """One call of the settings handler."""

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ended: trio.Event = attrs.field(factory=trio.Event)
    has_succeeded: bool = False


@attrs.define(eq=False)
class _SparingLog:
    """Warns of the first few for different reasons, then once a minute of how many more there were."""

    _services: trio.Nursery
    _told: set[str] = attrs.field(init=False, factory=set[str])
    """Reasons that were told; empty when the next one is a first."""
    _more: int = attrs.field(init=False, default=0)
    """How many came since the last record that were not told."""
    _last: str = attrs.field(init=False, default="")

    def warn(self, text: str, reason: str) -> None:
        """Log it, or count it: whoever sends webhooks may choose the reasons too, so not all of them are told."""
        if not self._told:
            self._services.start_soon(self._sum_up)
        if reason not in self._told and len(self._told) < _MOST_REASONS:
            self._told.add(reason)
            log.warning("%s", text)
        else:
            self._more += 1
            self._last = text

    async def _sum_up(self) -> None:
        while True:
            await trio.sleep(_MINUTE)
            if not self._more:
                self._told.clear()
                return
            log.warning("%d more of this kind in the last minute; the newest: %s", self._more, self._last)
            self._more = 0


@attrs.define(eq=False)
class _Slot:
    """All that concerns one session."""

    running: _Running | None = None
    """The run that counts. An older one may still be in its grace, without a link (D7)."""
    start: _Start | None = None


_Key = tuple[str, str]
"""Which session a webhook call is about: its id, and its user in lower case. Whoever asks for a session id in another
user's name asks for another session, so has no part in the answer that the wearer's own start gets (P1 1.5)."""


def _key(request: SessionRequest | StopRequest) -> _Key:
    return request.session_id, request.user_id.lower()


@attrs.define(eq=False, kw_only=True, repr=False)
class Desk:
    """Starts, redirects and stops the sessions of one app while it runs."""

    services: trio.Nursery
    """Where session tasks live; its owner is `MiniAppServer.running`, which outlives the desk."""
    app: AppConfig
    config: SessionConfig
    hosts: HostPolicy
    connector: Connector
    http: HttpClient
    limiter: ConnectLimiter
    handler: SessionHandler
    on_stop: Callable[[], StopHandler | None]
    on_settings: Callable[[], SettingsHandler | None]
    on_crash: CrashWatcher
    offload: Offload
    random: Random

    _slots: dict[_Key, _Slot] = attrs.field(init=False, factory=dict[_Key, _Slot])
    _starts: dict[_Start, None] = attrs.field(init=False, factory=dict[_Start, None])
    """Those under way, oldest first."""
    _started: dict[_Key, float] = attrs.field(init=False, factory=dict[_Key, float])
    """When the cloud has asked for which session, newest last; only what was lately."""
    _strangers: _SparingLog = attrs.field(init=False)
    _failures: _SparingLog = attrs.field(init=False)
    _crowds: _SparingLog = attrs.field(init=False)
    _permissions: PermissionBook = attrs.field(init=False, factory=PermissionBook)
    _is_stopping: bool = attrs.field(init=False, default=False)
    _runs: set[_Running] = attrs.field(init=False, factory=set[_Running])
    """All of them: those in the slots, and older ones in their grace."""
    _settings_calls: dict[_SettingsCall, None] = attrs.field(init=False, factory=dict[_SettingsCall, None])
    """Those under way, oldest first."""
    _idle: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)

    def __attrs_post_init__(self) -> None:
        self._strangers, self._failures, self._crowds = (_SparingLog(self.services) for _ in range(3))

    def sessions(self) -> list[MentraSession]:
        """List the sessions that go on."""
        return [
            slot.running.session
            for slot in self._slots.values()
            if slot.running is not None and slot.running.runtime.is_live and slot.running.runtime.ready.is_set()
        ]

    async def answer(  # noqa: ASYNC910 - there is no third case
        self, request: SessionRequest | StopRequest
    ) -> WebhookAnswer:
        """Serve a webhook call. Never raises for what the caller did."""
        match request:
            case StopRequest():
                # Answered at once: the cloud's stop waits for it without a limit (P1 1.5). Unless a stream has to be
                # ended: the cloud takes no word of the app after the answer, and would let it go on (P3 4.6, 6.5).
                stopped = self._stop(request)
                with trio.move_on_after(_LAST_WORDS):
                    await trio.lowlevel.checkpoint()
                    for runtime in stopped:
                        await runtime.last_words_read()
                return _OK
            case SessionRequest():
                return await self._serve(request)
            case _:
                assert_never(request)

    async def take_settings(self, notice: SettingsNotice) -> int | None:
        """Tell the app's own handler of changed settings; return how many sessions the wearer has.

        `None` when the handler raised, which is logged, or was cancelled: because the app stops, or for newer calls.
        Sessions learn of the change on their sockets, which prove who speaks; this call proves nothing (P1 6.3).
        """
        wearer = notice.user_id.lower()
        count = sum(session.user_id.lower() == wearer for session in self.sessions())
        handler = self.on_settings()
        if handler is None:
            await trio.lowlevel.checkpoint()
            return count
        await self._make_room_for_settings()
        if self._is_stopping:
            return None
        call = _SettingsCall()
        self._settings_calls[call] = None
        # Not in the task of the request: what hangs there, or raises `SystemExit`, would reach the HTTP server.
        self.services.start_soon(self._run_settings_handler, handler, notice, call)
        try:
            await call.ended.wait()
        finally:
            call.scope.cancel(reason="the request for the settings handler is over")
        return count if call.has_succeeded else None

    async def _make_room_for_settings(self) -> None:
        """Cancel the oldest call of the settings handler when there are too many, and wait until it has ended."""
        await trio.lowlevel.checkpoint()
        while len(self._settings_calls) >= _MOST_SETTINGS_CALLS:
            oldest = next(iter(self._settings_calls))
            if not oldest.scope.cancel_called:  # several may wait for the same one
                oldest.scope.cancel(reason="too many calls of the settings handler are under way")
                crowd = f"{_MOST_SETTINGS_CALLS} calls of the settings handler at once"
                self._crowds.warn(f"{crowd} are too many, so the oldest was cancelled", "settings")
            await oldest.ended.wait()

    async def _run_settings_handler(  # noqa: ASYNC910 - a task, nobody awaits it
        self, handler: SettingsHandler, notice: SettingsNotice, call: _SettingsCall
    ) -> None:
        crashes: list[HandlerCrash] = []

        def crashed(error: BaseException) -> None:
            log.error("the settings handler raised", exc_info=error)
            crashes.append(HandlerCrash(handler="settings", error=error))
            self.on_crash(crashes[-1])

        try:
            with call.scope:
                await run_author(handler, partial(handler, notice.user_id, notice.settings), crashed)
                call.has_succeeded = not crashes
        finally:
            del self._settings_calls[call]
            call.ended.set()
            self._note_end()

    def take_photo(self, upload: PhotoUpload) -> bool:
        """Give a photo to whoever waits for it; return whether anybody does.

        Sockets come and go meanwhile: what waits is a session (P1 6.4).
        """
        answer = upload.answer()
        return any(running.runtime.offer(answer) for running in self._runs)

    def awaits_photo(self) -> bool:
        """Whether anybody waits for any photo."""
        return any(running.runtime.awaits_photo for running in self._runs)

    def stop(self) -> None:
        """Refuse new sessions and end all others, as a server that stops. Never blocks."""
        self._is_stopping = True
        for slot in self._slots.values():
            if slot.start is not None:
                slot.start.cut_short(_STOPPING)
        for running in self._runs:
            running.runtime.finish(StopReason(StopKind.SERVER_STOPPED))
        for call in self._settings_calls:
            call.scope.deadline = min(call.scope.deadline, trio.current_time() + self.config.shutdown_grace)

    def run_ids(self) -> list[str]:
        """List the runs whose tasks have not ended, and `on_settings` when that handler has not."""
        return sorted(running.runtime.run_id for running in self._runs) + ["on_settings"] * bool(self._settings_calls)

    async def wait_idle(self) -> None:
        """Wait until no handler's task is left. Callers set the limit."""
        await trio.lowlevel.checkpoint()
        while self._runs or self._settings_calls:
            await self._idle.park()

    def _note_end(self) -> None:
        if not self._runs and not self._settings_calls:
            self._idle.unpark_all()

    def _stop(self, request: StopRequest) -> list[LinkRuntime]:
        """End the sessions that a webhook names; give them."""
        slots = [slot] if (slot := self._slots.get(_key(request))) else self._slots_of(request.session_id)
        for slot in slots:
            if slot.start is not None:
                # Anything but success would make the cloud ask again (P1 1.3). What comes next is another start.
                slot.start.cut_short(_OK)
                slot.start = None
        stopped = [slot.running.runtime for slot in slots if slot.running is not None]
        for runtime in stopped:
            runtime.finish(StopReason(StopKind.STOP_REQUESTED, request.reason))
        return stopped

    def _slots_of(self, session_id: str) -> list[_Slot]:
        """Find sessions by their id alone: the reference stops one whoever is named beside it (recorded)."""
        return [slot for key, slot in self._slots.items() if key[0] == session_id]

    def note_unreadable(self, text: str) -> None:
        """Log a call that cannot be read: the cloud has changed, or a stranger calls."""
        self._strangers.warn(text, text)

    async def _serve(self, request: SessionRequest) -> WebhookAnswer:
        if self._is_stopping:
            await trio.lowlevel.checkpoint()
            return _STOPPING
        try:
            url = self.hosts.check(request.url)
        except HostNotAllowedError as error:
            self._strangers.warn(f"a webhook was refused: {error}", str(error))
            await trio.lowlevel.checkpoint()
            return WebhookAnswer(status=HTTPStatus.FORBIDDEN, message=str(error))
        return await self._attend(request, url)

    async def _attend(self, request: SessionRequest, url: CloudUrl) -> WebhookAnswer:
        if self._is_stopping:  # pragma: no cover - it began while this call waited for another one's answer
            await trio.lowlevel.checkpoint()
            return _STOPPING
        slot = self._slots.setdefault(_key(request), _Slot())
        if slot.start is not None:
            return await self._join(slot.start, request, url)
        scope = trio.CancelScope(deadline=trio.current_time() + self.config.start_timeout)
        start = slot.start = _Start(url, scope, _TOO_LATE)
        self._make_room()
        self._starts[start] = None
        try:
            with scope:
                answer = await self._start(slot, start, request)
                if not scope.cancel_called:  # pragma: no branch - else it was called off in the same moment
                    start.answer = answer
            start.is_decided = True
            self._note_failure(start)
            return start.answer
        finally:
            self._starts.pop(start, None)
            start.answered.set()
            if slot.start is start:
                slot.start = None
            self._forget(_key(request))

    def _make_room(self) -> None:
        """Give up the oldest start when there are too many."""
        if len(self._starts) >= self.config.start_capacity:
            oldest = next(iter(self._starts))
            del self._starts[oldest]
            oldest.cut_short(_CROWDED)
            self._crowds.warn(
                f"{self.config.start_capacity} starts at once are too many, so the oldest was given up", "too many"
            )

    def _note_failure(self, start: _Start) -> None:
        """Tell why no session came up, and end one that would still try."""
        runtime = None if start.running is None else start.running.runtime
        if runtime is None or runtime.ready.is_set():
            return
        if start.answer in (_TOO_LATE, _CROWDED):
            runtime.finish(StopReason(StopKind.LINK_LOST, "no ack in time"))
        if start.answer.status == HTTPStatus.BAD_GATEWAY:
            reason = str(runtime.connect_error or runtime.stop_reason)
            self._failures.warn(f"[{runtime.run_id}] no session came up: {reason}", reason)

    async def _join(self, start: _Start, request: SessionRequest, url: CloudUrl) -> WebhookAnswer:
        start.url = url
        if start.running is not None:
            runtime = start.running.runtime
            if runtime.url.origin == url.origin:
                # The path changes nothing (P1 1.1): no reason to begin the handshake anew.
                runtime.use_path_of(url)
            else:
                runtime.redirect(url)
        await start.answered.wait()
        return start.answer if start.is_decided else await self._attend(request, start.url)

    async def _start(self, slot: _Slot, start: _Start, request: SessionRequest) -> WebhookAnswer:
        last_start = self._note_start(_key(request))
        running = slot.running
        if running is not None:
            await self._hold_off(running, start.url)
        is_resumed = running is not None and running.runtime.is_live
        if running is not None and is_resumed:
            # No stop came in between, so this is the same logical session on its way back (D17).
            running.runtime.redirect(start.url)
        else:
            if running is not None:
                # Its grace goes on beside the new run, without a link (D7). That is closed within `close_timeout`; a
                # limit that ends in the same moment would let the new socket come first.
                with trio.move_on_after(2 * self.config.close_timeout):
                    await running.runtime.aclose()
                # A stop in the moment of that end has cancelled this start, but not that wait.
                await trio.lowlevel.checkpoint_if_cancelled()
            running = slot.running = self._open(request, start.url, last_start)
        start.running = running
        runtime = running.runtime
        known = runtime.connections
        with contextlib.suppress(SessionClosedError):
            await runtime.link_state.wait_for(_is_decided)
        if is_resumed:
            running.resumed_at = trio.current_time()
        # Counted, because a session may be over a moment after its ack.
        return _OK if runtime.connections > known else _failure(runtime)  # noqa: ASYNC910 - `wait_for` checkpoints

    async def _hold_off(self, running: _Running, url: CloudUrl) -> None:
        """Let a session that is connected use the socket that it has just been given on request for a moment.

        A cloud has no reason to ask again so soon, but anybody may (P1 1.5). It still gets its init (P1 1.6).
        """
        await trio.lowlevel.checkpoint()
        runtime = running.runtime
        if url.origin == runtime.url.origin and trio.current_time() < running.resumed_at + _LEAST_USE:
            with trio.move_on_at(running.resumed_at + _LEAST_USE), contextlib.suppress(SessionClosedError):
                await runtime.link_state.wait_for(lambda state: state is not LinkState.CONNECTED)

    def _note_start(self, key: _Key) -> float:
        """Note that the cloud asks for a session; return when it did so before, if that was lately."""
        now = trio.current_time()
        before = self._started.pop(key, -math.inf)
        self._started[key] = now
        # As long as the boot screens of both may overlap; and no more than anybody may start.
        horizon, most = now - 2 * self.config.boot_screen, self.config.start_capacity
        while len(self._started) > most or self._started[next(iter(self._started))] < horizon:
            del self._started[next(iter(self._started))]
        return before

    def _open(self, request: SessionRequest, url: CloudUrl, last_start: float) -> _Running:
        runtime = LinkRuntime(
            session_id=request.session_id,
            user_id=request.user_id,
            package_name=self.app.package_name,
            api_key=self.app.api_key,
            sdk_version=SDK_VERSION,
            url=url,
            connector=self.connector,
            limiter=self.limiter,
            config=self.config,
            random=self.random,
            run_id=secrets.token_hex(4),
            http=self.http,
            permissions=self._permissions,
            offload=self.offload,
            earlier=self._ending(request.user_id),
            last_start=last_start,
        )
        running = _Running(MentraSession(runtime), runtime)
        self._runs.add(running)
        self.services.start_soon(self._run, _key(request), running)
        return running

    def _ending(self, user_id: str) -> list[LinkRuntime]:
        """Find the runs of a wearer that are over and have not finished, whose grace goes on beside a new one (D7)."""
        runtimes = [running.runtime for running in self._runs if not running.runtime.is_live]
        return [runtime for runtime in runtimes if runtime.user_id.lower() == user_id.lower()]

    async def _run(  # noqa: ASYNC910 - a task, nobody awaits it
        self, key: _Key, running: _Running
    ) -> None:
        """Run a session behind a bulkhead: whatever happens in there, the server and the others go on."""
        runtime = running.runtime
        try:
            await run_session(running.session, runtime, self.handler, self.on_stop(), self.config, self.on_crash)
        except* Exception as group:
            log.exception("[%s] the session failed: this is a bug in mentra_trio", runtime.run_id, exc_info=group)
        finally:
            self._runs.remove(running)
            self._note_end()
            slot = self._slots.get(key)
            if slot is not None and slot.running is running:
                slot.running = None
                self._forget(key)
            level = logging.INFO if runtime.ready.is_set() else logging.DEBUG
            log.log(level, "[%s] ended: %s", runtime.run_id, runtime.stop_reason)

    def _forget(self, key: _Key) -> None:
        slot = self._slots.get(key)
        if slot is not None and slot.running is None and slot.start is None:
            del self._slots[key]


def _failure(runtime: LinkRuntime) -> WebhookAnswer:
    error = runtime.error
    refused = f"The cloud refused the session: {error.code}" if isinstance(error, HandshakeError) else None
    return WebhookAnswer(status=HTTPStatus.BAD_GATEWAY, message=refused or "No session with the cloud")


def _is_decided(state: LinkState) -> bool:
    return state in (LinkState.CONNECTED, LinkState.CLOSED)
