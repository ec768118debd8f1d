"""Feeds this SDK the cloud's side of a recording, and watches that it stays correct.

Each app of a recording is one of ours: it gets the recorded webhooks, and on its sockets what the cloud sent. It does
not do what the recorded app did, so where that one opened a second socket, ours loses its first; where it connected
although nobody had asked, a webhook asks ours. The streams that ours wants are those that the recorded one subscribed,
as far as this SDK lets them be. At the end a session that goes on loses its socket once more and has to come back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

import attrs
import trio
import trio.testing

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio._flow import EventStream
from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio._wire.streams import checked_name
from mentra_trio.errors import SessionClosedError
from mentra_trio.models import LinkState
from tests.conformance.asgi import call
from tests.conformance.marks import subscription_set
from tests.conformance.recordings import Json

from .cloud_side import HOST, CloudSide
from .masks import unmasked
from .steps import Step
from .world import user_of

AT_ONCE = 0.05
"""Seconds in which a stop has to be answered, whatever goes on."""
START_LIMIT = 10.0
"""Seconds that the cloud waits for the answer to a `session_request` (P1 1.3)."""
RECOVERY = 60.0
"""Seconds in which a session has to be back when the cloud is well."""
AFTERMATH = 150.0
"""Seconds in which a session that was stopped must not connect again."""
Source = Callable[[MentraSession], EventStream[object]]
_TYPED: dict[str, Source] = {
    "button_press": lambda session: session.device.buttons.stream(),
    "head_position": lambda session: session.device.head.stream(),
    "audio_chunk": lambda session: session.mic.stream(),
    "transcription:en-US": lambda session: session.transcription.stream("en-US"),
}
"""Streams that are opened by their managers too, so that their events are read."""


def feed(steps: Sequence[Step], is_unreadable: Callable[[object], bool]) -> list[str]:
    """Feed a recording to this SDK; return what it did wrong. `is_unreadable` tells of events that nobody can read."""
    apps = [
        _App(package, user_of(steps), [step for step in steps if step.app == package], is_unreadable)
        for package in dict.fromkeys(step.app for step in steps if step.app)
    ]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for app in apps:
                nursery.start_soon(app.run)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return [f"{app.package}: {problem}" for app in apps for problem in app.problems]


@attrs.define(eq=False)
class _Call:
    """A webhook call, and what came of it."""

    kind: object
    at: float
    status: int | None = None
    answered_at: float = 0.0


@attrs.define(eq=False)
class _App:
    """One app of the recording."""

    package: str
    _user_id: str
    _steps: Sequence[Step]
    _is_unreadable: Callable[[object], bool]
    problems: list[str] = attrs.field(factory=list[str], init=False)
    _server: MiniAppServer = attrs.field(init=False)
    _cloud: CloudSide = attrs.field(init=False)
    _nursery: trio.Nursery = attrs.field(init=False)
    _calls: list[_Call] = attrs.field(factory=list[_Call], init=False)
    _wanted: tuple[str, ...] = attrs.field(default=(), init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when other streams are wanted, or the session is over."""
    _listeners: int = attrs.field(default=0, init=False)
    _got: list[Json] = attrs.field(factory=list[Json], init=False)
    """Events that its code got."""

    async def run(self) -> None:
        """Live through the recording, then through what comes after."""
        async with trio.open_nursery() as self._nursery:
            self._cloud = CloudSide(self._nursery, self._steps, self.problems.append, lambda: self._listeners > 0)
            connector = CoreWebSocketConnector(self._cloud.dial)
            self._server = MiniAppServer(self.package, "key", cloud_hosts=[HOST], dev=False, connector=connector)
            self._server.on_session(self._handle)
            async with self._server.running():
                for step in self._steps:
                    await trio.sleep_until(step.at)
                    await trio.testing.wait_all_tasks_blocked()
                    await self._play(step)
                await trio.sleep(AT_ONCE)
                await self._finish()
            self._nursery.cancel_scope.cancel(reason="the recording is over")
        self._check_calls()
        if self._cloud.sent != self._got:
            self.problems.append(f"of {len(self._cloud.sent)} events its code got {len(self._got)}, or others")

    async def _play(self, step: Step) -> None:
        if step.is_webhook and step.get("method") == "POST":
            self._nursery.start_soon(self._post, str(step.get("path")), unmasked(step.get("body")))
        elif step.source == "app" and step.is_upgrade:
            await self._bring_socket(step)
        elif step.source == "app" and step.type == "subscription_update":
            self._want(step.get("subscriptions"))

    async def _bring_socket(self, upgrade: Step) -> None:
        """See to it that ours connects when the recorded app did."""
        is_starting = any(made.kind == "session_request" and made.status is None for made in self._calls)
        if self._cloud.has_taken(upgrade) or await self._cloud.cut() or is_starting:
            return
        if self._server.session_for(self._user_id) is None:
            request = {
                "type": "session_request",
                "sessionId": f"{self._user_id}-{self.package}",
                "userId": self._user_id,
                "timestamp": "2026-06-27T10:00:00.000Z",
                "mentraOSWebsocketUrl": f"wss://{HOST}/app-ws",
            }
            self._nursery.start_soon(self._post, "/webhook", request)

    async def _finish(self) -> None:
        """See what becomes of the session: it comes back, or stays away."""
        self._cloud.is_well = True
        session = self._server.session_for(self._user_id)
        await self._cloud.cut()
        if self._cloud.is_stopped and session is not None:
            self.problems.append("it goes on although it was stopped")
        if self._cloud.is_stopped or session is None:
            await trio.sleep(AFTERMATH)
            return
        with trio.move_on_after(RECOVERY):
            await self._cloud.wait_until(self._has_converged)
        if not self._has_converged():
            now = f"{self._cloud.subscriptions()}, {session.link_state.value}, {session.stop_reason}"
            self.problems.append(f"at the end it wants {self._wanted} but has: {now}")

    def _has_converged(self) -> bool:
        return subscription_set(self._cloud.subscriptions()) == subscription_set(list(self._wanted))

    # --- webhooks

    async def _post(self, path: str, body: object) -> None:
        message = cast("Json", body)
        made = _Call(message.get("type", path), trio.current_time())
        self._calls.append(made)
        if made.kind in ("session_request", "stop_request"):
            self._cloud.is_stopped = made.kind == "stop_request"
        headers, content = {"content-type": "application/json"}, json.dumps(message).encode()
        answer = await call(self._server.asgi, method="POST", target=path, headers=headers, body=content)
        made.status, made.answered_at = answer.status, answer.at

    def _check_calls(self) -> None:
        """Hold the answers against D21."""
        for made in self._calls:
            took = made.answered_at - made.at
            expected, limit = self._expected(made)
            if made.status not in expected or took > limit:
                self.problems.append(f"the {made.kind} at {made.at:.3f} s got {made.status} after {took:.2f} s")

    def _expected(self, made: _Call) -> tuple[Sequence[int], float]:
        """Tell which answers are right, and how long they may take."""
        if made.kind == "stop_request":
            return (200,), AT_ONCE
        if made.kind != "session_request":
            return (200, 404), AT_ONCE  # what an app does not know, it says so
        stops = [other.at for other in self._calls if other.kind == "stop_request"]
        is_settled = any(made.at <= moment <= made.answered_at for moment in (*self._cloud.acks, *stops))
        return (200 if is_settled else 502,), START_LIMIT

    # --- the app's code

    def _want(self, subscriptions: object) -> None:
        """Want what the recorded app asked for, as far as it may be asked for."""
        wanted: list[str] = []
        for entry in cast("list[object]", subscriptions) if isinstance(subscriptions, list) else []:
            if isinstance(entry, str):
                with suppress(ValueError):
                    wanted.append(checked_name(entry))
        self._wanted = tuple(dict.fromkeys(wanted))
        self._news.set()

    async def _handle(self, session: MentraSession) -> None:
        loops: dict[str, trio.CancelScope] = {}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, session)
            nursery.start_soon(self._await_end, session)
            while session.stop_reason is None:
                for name in [name for name in loops if name not in self._wanted]:
                    loops.pop(name).cancel(reason="not wanted any more")
                for name in [name for name in self._wanted if name not in loops]:
                    loops[name] = trio.CancelScope()
                    nursery.start_soon(_read, session, name, loops[name])
                self._news = trio.Event()
                await self._news.wait()

    async def _await_end(self, session: MentraSession) -> None:
        await session.link_state.wait_for(lambda state: state is LinkState.CLOSED)
        self._news.set()
        statistics = session.statistics()
        lost = statistics.undecodable - sum(self._is_unreadable(event) for event in self._cloud.sent)
        if lost > 0 or statistics.faulty_fields:
            self.problems.append(f"{lost} messages and {statistics.faulty_fields} fields could not be read")

    async def _listen(self, session: MentraSession) -> None:
        with suppress(SessionClosedError):
            async with session.raw.messages() as messages:
                self._listeners += 1
                try:
                    async for message in messages:
                        if message.type == "data_stream":
                            self._got.append(dict(message.fields))
                finally:
                    self._listeners -= 1


async def _read(session: MentraSession, name: str, scope: trio.CancelScope) -> None:
    with scope:
        async with trio.open_nursery() as nursery:
            if name != "audio_chunk":  # which is no stream of events
                nursery.start_soon(_drain, session.raw.stream(name))
            if name in _TYPED:
                nursery.start_soon(_drain, _TYPED[name](session))


async def _drain(stream: EventStream[object]) -> None:
    async with stream:
        async for _ in stream:
            pass
