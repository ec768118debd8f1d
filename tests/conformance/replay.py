"""Plays a timeline against the SDK and compares, step by step.

Before each thing that is played, the SDK has come to rest, all that was expected has arrived, and nothing else has.
Time is virtual and only passes while something is waited for: a recorded pause, or an expected item that is late.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, NoReturn, TypeVar, cast

import attrs
import trio
import trio.testing

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio._flow import run_inline
from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio.models import LinkState, StopReason

from .app import ON_STOP, App, SessionKey, UnmappedCallError, comparable, describe_stop, session_key, stop_queue
from .asgi import Answer, call, multipart
from .calls import perform
from .cloud import Accept, FakeCloud, Fate, Frame, Hang, Refuse, Socket, Unreachable, read_text
from .marks import Comparison, bytes_of
from .rest import FakeRest
from .rewrites import renumber
from .timeline import Item, Timeline, field, is_ack, is_request, is_rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .recordings import Json

T = TypeVar("T")

PATIENCE = 0.45
"""Seconds in which what was recorded without a pause has to come: the recordings round pauses of 0.4 s and more."""
ROUNDING = 0.5
"""Recorded pauses are rounded to this."""
PING_INTERVALS = (7.5, 15.5)
"""Seconds between JSON pings: any interval of D20 and of the recordings."""
HANDLER_START = 0.4
"""Most seconds from the first ack to the handler."""
EPSILON = 1e-6
LONGEST = 3600.0
"""Virtual seconds after which a scenario hangs."""


class MismatchError(AssertionError):
    """What the SDK does is not what the timeline says."""


def replay(timeline: Timeline) -> None:
    """Replay a timeline, which has to have this SDK's rows applied.

    Raises:
        MismatchError: at the first difference.
        UnmappedCallError: a call or property has no counterpart.
    """

    async def main() -> Exception | None:
        with trio.fail_after(LONGEST):
            return await _Replay(timeline).run()

    failure = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    if failure is not None:
        raise failure


@attrs.define(eq=False)
class _Replay:
    timeline: Timeline
    comparison: Comparison = attrs.field(factory=Comparison)
    changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    items: list[Item] = attrs.field(init=False)
    cloud: FakeCloud = attrs.field(init=False)
    rest: FakeRest = attrs.field(init=False)
    app: App = attrs.field(init=False)
    _nursery: trio.Nursery = attrs.field(init=False)
    _answers: dict[object, Answer] = attrs.field(init=False, factory=dict[object, Answer])
    """By number of the request: answers that nobody has compared yet."""
    _expected: list[Item] = attrs.field(init=False, factory=list[Item])
    """What has to have happened before the next thing is played."""
    _moment: float = attrs.field(init=False, default=0.0)
    """When the step before happened: waiting times count from there."""
    _moments: dict[int, float] = attrs.field(init=False, factory=dict[int, float])
    """By identity of what was played or sent: when that was."""
    _stopping: trio.Event = attrs.field(init=False, factory=trio.Event)
    _running: int = attrs.field(init=False, default=0)
    """Servers of the scenario that run."""
    _stopped: trio.Event = attrs.field(init=False, factory=trio.Event)
    _early: dict[SessionKey, list[Item]] = attrs.field(init=False, factory=dict[SessionKey, list[Item]])
    """By session: calls that its handler makes when it starts."""
    _unmapped: UnmappedCallError | None = attrs.field(init=False, default=None)
    """What a call in the handler has come to."""
    _lost_at: dict[str | None, float] = attrs.field(init=False, factory=dict[str | None, float])
    """By session: when its acknowledged socket ended."""

    def __attrs_post_init__(self) -> None:
        self.items = list(self.timeline.items)
        renumber(self.items)
        for item in self.items:
            if item.dir == "app" and item.is_before_ack and not item.is_never:
                self._early.setdefault(session_key(item), []).append(item)

    async def run(self) -> Exception | None:
        """Play everything; return what is wrong, if anything is."""
        failure: Exception | None = None
        async with trio.open_nursery() as self._nursery:
            self.cloud = FakeCloud(self._nursery, self.changed, _fates(self.items))
            self.rest = FakeRest(self.changed, any(item.dir == "out" and is_rest(item) for item in self.items))
            self.app = App(self._nursery, self.changed, self._create, self._stop)
            self._moment = trio.current_time()
            try:
                await self._play_all()
            except (MismatchError, UnmappedCallError) as error:
                failure = error
            self.app.finish()
            self.rest.finish()
            self._stopping.set()
            if self.app.server is not None:
                await self._stopped.wait()
            self._nursery.cancel_scope.cancel()
        return failure

    async def _play_all(self) -> None:
        last: Item | None = None
        for item in self.items:
            if item.dir in ("out", "event", "result"):
                self._expected.append(item)
                continue
            is_fate = item.dir == "in" and item.kind == "http" and not is_request(item) and not is_rest(item)
            if item.kind == "note" or is_fate:
                continue  # an explanation, or the fate of a socket
            if item.dir == "app" and item.is_before_ack and not item.is_never:
                if session_key(item) not in self.app.sessions:
                    raise MismatchError(f"{_name(item)}: the handler did not start with the ack")
                continue  # the handler made this call
            if not self._is_same_tick(last, item):
                await self._compare()
                if item.wait:
                    await self._wait_for(item.wait)
            await self._play(item)
            last = item
        self._check_unfinished()

    def _is_same_tick(self, last: Item | None, item: Item) -> bool:
        """Tell whether the app made this call without going back to the event loop."""
        if last is None or last.dir != "app" or item.dir != "app" or last.tick != item.tick:
            return False
        return all(expected.dir == "result" for expected in self._expected)

    # The app server

    async def _create(self, item: Item) -> MiniAppServer:
        identity = item.kwargs
        if more := set(identity) - {"package_name", "api_key", "health_check"}:
            raise UnmappedCallError(f"the server's options {sorted(more)} have no counterpart in the tables")
        server = MiniAppServer(
            cast("str | None", identity.get("package_name")),
            cast("str | None", identity.get("api_key")),
            health_check=identity.get("health_check") is not False,
            dev=True,
            connector=CoreWebSocketConnector(self.cloud.dial),
            http=self.rest,
            offload=run_inline,
        )
        server.on_session(self._handle)
        if self.timeline.has_stop_handler:
            server.on_stop(self._on_stop)
        self._running += 1
        await self._nursery.start(self._serve, server)
        return server

    async def _serve(  # noqa: ASYNC114  (started in the nursery that outlives all)
        self, server: MiniAppServer, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        try:
            async with server.running():
                task_status.started()
                await self._stopping.wait()
        finally:
            self._running -= 1
            if not self._running:
                self._stopped.set()
            self.changed.unpark_all()

    async def _stop(self) -> None:
        self._stopping.set()
        await self._stopped.wait()

    async def _handle(self, session: MentraSession) -> None:
        """The session handler: lets the runner have the session, and returns when it is over."""
        over = session.settings.system.changes()
        name = self._webhook_session_id(session)
        key = self.app.started(name, session)
        try:
            for item in self._early.pop(key, []):
                await perform(self.app, item)
        except UnmappedCallError as error:
            self._unmapped = error  # the SDK would take it for a crash of the app
        self.changed.unpark_all()
        async for _ in over:
            pass

    def _webhook_session_id(self, session: MentraSession) -> str:
        """Find out which webhook started a session: the ack may have renamed it."""
        asked = [
            cast("str", item.session)
            for item in self.items
            if is_request(item, "session_request") and field(item.message, "body", "userId") == session.user_id
        ]
        fresh = [name for name in dict.fromkeys(asked) if (name, 0) not in self.app.sessions]
        return session.session_id if session.session_id in asked else (fresh or asked)[0]

    async def _on_stop(self, session: MentraSession, reason: StopReason) -> None:
        await trio.lowlevel.checkpoint()
        if self.timeline.stop_handler_raises:
            raise RuntimeError("the recorded stop handler raises")
        self.app.got(stop_queue(session.session_id), describe_stop(session, reason))

    # Playing

    async def _play(self, item: Item) -> None:
        self._moment = self._moments[id(item)] = trio.current_time()
        match item.dir, item.kind:
            case "app", _:
                await perform(self.app, item)
            case "in", "http" if is_rest(item):
                self._answer_rest(item)
            case "in", "http":
                self._nursery.start_soon(self._request, item)
            case "runner", "rest":
                pass  # its waiting time is over
            case "runner", "keeps_trying":
                await self._keep_trying(item)
            case "in", _:
                await self._send(item, self._socket(item))
            case _:
                raise UnmappedCallError(f"the runner cannot play {item.dir} {item.kind}")

    async def _request(self, item: Item) -> None:
        if self.app.server is None:
            raise UnmappedCallError("a request before there is a server")
        request = cast("Json", item.message)
        headers = dict(cast("dict[str, str]", request.get("headers", {})))
        if "form" in request:
            headers["content-type"], body = multipart(cast("Json", self.comparison.known(request["form"])))
        elif "raw" in request:
            body = cast("str", request["raw"]).encode()
        else:
            body = json.dumps(self.comparison.known(request["body"])).encode() if "body" in request else b""
        method = cast("str", request["method"])
        answer = await call(
            self.app.server.asgi,
            method=method,
            target=cast("str", request["path"]),
            headers=headers,
            body=body,
        )
        # A server sends no body in answer to HEAD, whatever the application gives it.
        self._answers[request["http"]] = attrs.evolve(answer, body=b"") if method == "HEAD" else answer
        self.changed.unpark_all()

    def _answer_rest(self, item: Item) -> None:
        try:
            self.rest.answer(cast("Json", item.message))
        except KeyError:
            raise MismatchError(f"{_name(item)}: nobody asked for this answer") from None

    def _socket(self, item: Item) -> Socket:
        socket = self.cloud.socket(cast("int", item.conn))
        if socket is None:
            raise MismatchError(f"{_name(item)}: socket {item.conn} was never opened")
        return socket

    async def _send(self, item: Item, socket: Socket) -> None:
        message = self.comparison.known(item.message)
        match item.kind:
            case "text":
                if field(message, "type") in ("tpa_connection_ack", "reconnect_ack", "reconnect_deferred"):
                    socket.may_ping = True
                await socket.send_text(json.dumps(message) if item.raw is None else item.raw)
                if is_ack(item) and session_key(item) not in self.app.sessions:
                    await self._wait_handler(item)
            case "binary":
                await socket.send_binary(bytes_of(message))
            case "ping":
                await socket.send_ping(bytes_of(message))
            case "frame":
                fin, opcode = cast("bool", field(message, "fin")), cast("int", field(message, "opcode"))
                await socket.send_frame(opcode=opcode, payload=bytes_of(field(message, "payload")), is_last=fin)
            case "close":
                if socket.may_ping:
                    self._lost_at[item.session] = trio.current_time()
                if field(message, "abrupt"):
                    await socket.cut()
                else:
                    code, reason = cast("int", field(message, "code")), cast("str", field(message, "reason"))
                    await socket.close(code, reason)
            case _:
                raise UnmappedCallError(f"the runner cannot play in {item.kind}")

    async def _wait_handler(self, item: Item) -> None:
        """Let the handler start: it waits a moment for the state of the glasses, which the real cloud sends at once."""
        with trio.move_on_after(HANDLER_START):
            await trio.lowlevel.checkpoint()
            while session_key(item) not in self.app.sessions or session_key(item) in self._early:
                await self.changed.park()
        if self._unmapped is not None:
            raise self._unmapped

    async def _keep_trying(self, item: Item) -> None:
        """Refuse every further connection until the SDK gives the session up."""
        self.cloud.otherwise = Unreachable()
        session = self.app.session(item)
        low, high = item.window or (0.0, LONGEST)
        since = self._lost_at.get(item.session, self._moment)
        with trio.move_on_at(since + high):
            await session.link_state.wait_for(lambda state: state is LinkState.CLOSED)
        elapsed = trio.current_time() - since
        if session.link_state.value is not LinkState.CLOSED or elapsed < low:
            raise MismatchError(f"{_name(item)}: given up after {elapsed:.2f} s, expected {low} to {high} s")
        if not self.cloud.refused:
            raise MismatchError(f"{_name(item)}: the SDK never tried again")
        self._moment = trio.current_time()

    # Comparing

    async def _wait_for(self, seconds: float) -> None:
        """Let time pass in which nothing happens."""
        await trio.sleep(seconds)
        await self._settle()
        self._check_nothing_else()

    async def _settle(self) -> None:
        await trio.testing.wait_all_tasks_blocked()
        for ask in list(self.app.counters.values()):
            ask()

    async def _compare(self) -> None:
        """Compare what has happened since the last thing that was played, and that it is all."""
        await self._settle()
        expected, self._expected = self._expected, []
        for item in expected:
            await self._compare_one(item)
        await self._settle()
        self._check_nothing_else()

    async def _compare_one(self, item: Item) -> None:
        if item.dir == "event":
            queue = cast("str", item.handler)
            if queue == ON_STOP:
                queue = stop_queue(cast("str", field(item.value, "session")))
            event = await self._next(item, lambda: self.app.received.get(queue), lambda got: got.at)
            if event is not None:
                self._same(item, *comparable(item, event.value))
        elif item.dir == "result":
            await self._compare_result(item)
        elif item.kind == "http" and is_rest(item):
            await self._compare_call(item)
        elif item.kind == "http":
            await self._compare_answer(item)
        elif field(item.message, "type") == "ping" and item.kind == "text":
            await self._next_ping(item)
        else:
            await self._compare_frame(item)

    async def _compare_frame(self, item: Item) -> None:
        number = cast("int", item.conn)

        def frames() -> deque[Frame] | None:
            socket = self.cloud.socket(number)
            return None if socket is None else socket.frames

        frame = await self._next(
            item, frames, lambda frame: frame.at, accepts=lambda one: not self._frame_faults(item, one)
        )
        if frame is not None and (faults := self._frame_faults(item, frame)):
            self._fail(item, "; ".join(faults))

    def _frame_faults(self, item: Item, frame: Frame) -> list[str]:
        if item.kind != frame.kind:
            return [f"expected {item.kind} {item.message!r}, got {frame.kind} {frame.message!r}"]
        match item.kind:
            case "open":
                return self._upgrade_faults(item, cast("Json", frame.message))
            case "binary":
                same = self.comparison.is_frame(item.message, cast("bytes", frame.message))
                return [] if same else [f"expected {item.message!r}, got {frame.message!r}"]
            case "text":
                if item.raw is not None:
                    return [] if item.raw == frame.message else [f"expected {item.raw!r}, got {frame.message!r}"]
                return self.comparison.differences(item.message, read_text(frame))
            case _:
                return self.comparison.differences(item.message, frame.message)

    def _upgrade_faults(self, item: Item, upgrade: Json) -> list[str]:
        line = field(item.message, "request_line")
        path = line.split(" ")[1] if isinstance(line, str) else field(item.message, "path")
        recorded = cast("Json", field(item.message, "headers") or _header_lines(item))
        headers = {
            name: bytes.fromhex(cast("str", value["hex"])).decode("latin-1") if isinstance(value, dict) else value
            for name, value in cast("dict[str, Json | str]", recorded).items()
            if name.startswith("x-")
        }
        return self.comparison.differences({"path": path, "headers": headers}, upgrade)

    async def _compare_answer(self, item: Item) -> None:
        number = field(item.message, "http")

        def answers() -> deque[Answer] | None:
            answer = self._answers.get(number)
            return None if answer is None else deque([answer])

        answer = await self._next(item, answers, lambda one: one.at)
        if answer is None:
            return
        del self._answers[number]
        got: Json = {
            "role": "response",
            "status": answer.status,
            "body": answer.json(),
            "content_type": answer.content_type,
        }
        expected = {key: value for key, value in cast("Json", item.message).items() if key in got}
        self._same(item, expected, {key: got[key] for key in expected})

    async def _compare_call(self, item: Item) -> None:
        found = await self._next(item, lambda: self.rest.calls, lambda one: one.at)
        if found is None:
            return
        expected = {key: value for key, value in cast("Json", item.message).items() if key not in ("http", "host")}
        self._same(item, expected, found.message)
        self.rest.took(field(item.message, "http"), found)

    async def _compare_result(self, item: Item) -> None:
        outcome = self.app.outcomes.get(cast("int", item.api))
        if outcome is None:
            self._fail(item, "the call was never made")
        done = await self._next(
            item, lambda: deque([outcome]) if outcome.is_done else None, lambda one: one.at or trio.current_time()
        )
        if done is None:
            return
        outcome.is_compared = True
        if item.kind == "error":
            if outcome.error is None:
                self._fail(item, f"expected an error, got {outcome.value!r}")
            if item.value not in ("raised", "rejected"):
                self._same(item, item.value, type(outcome.error).__name__)
        elif outcome.error is not None:
            self._fail(item, f"the call raised {outcome.error!r}")
        else:
            self._same(item, *comparable(item, outcome.value))

    async def _next_ping(self, item: Item) -> None:
        socket = self._socket(item)
        interval = attrs.evolve(item, window=(0.0, PING_INTERVALS[1]))
        await self._next(interval, lambda: socket.pings, lambda at: at)

    async def _next(
        self,
        item: Item,
        source: Callable[[], deque[T] | None],
        moment: Callable[[T], float],
        *,
        accepts: Callable[[T], bool] | None = None,
    ) -> T | None:
        """Take the next thing from a source, and see that it came in time; `None` if it is optional and absent."""
        low, high = _window(item)
        base = self._moment if item.since is None else self._moments.get(id(item.since), self._moment)
        with trio.move_on_at(base + high + EPSILON):
            await trio.lowlevel.checkpoint()
            while not source() and not (item.is_optional and item.window is None):
                await self.changed.park()
        waiting = source()
        if not waiting and item.is_optional:
            return None
        if not waiting:
            self._fail(item, f"did not happen within {high:.2f} s{self._instead()}")
        if item.is_optional and accepts is not None and not accepts(waiting[0]):
            return None
        found = waiting.popleft()
        at = moment(found)
        if low and at < base + low - EPSILON:  # without a least pause, things of different kinds have no order
            self._fail(item, f"happened {at - base:.2f} s after the step before, expected at least {low:.2f} s")
        if item.dir == "out":
            self._moment = self._moments[id(item)] = max(self._moment, at)
        return found

    def _instead(self) -> str:
        """Tell what is there and was not expected, for a message."""
        found = self._leftovers()
        return f"; instead there is {found}" if found else ""

    def _same(self, item: Item, expected: object, actual: object) -> None:
        faults = self.comparison.differences(expected, actual)
        if faults:
            self._fail(item, "; ".join(fault.removeprefix(": ") for fault in faults))

    def _leftovers(self) -> list[str]:
        found = list(self.cloud.strays)
        for socket in self.cloud.sockets:
            found += [f"socket {socket.number}: {frame.kind} {frame.message!r}" for frame in socket.frames]
            gaps = zip(socket.ping_times, socket.ping_times[1:], strict=False)
            found += [
                f"socket {socket.number}: pings {b - a:.2f} s apart" for a, b in gaps if b - a < PING_INTERVALS[0]
            ]
        found += [f"a call: {call.message}" for call in self.rest.calls]
        for handler, events in self.app.received.items():
            found += [f"handler {handler}: {event.value!r}" for event in events]
        found += [f"an answer to request {number}: {answer}" for number, answer in self._answers.items()]
        for number, outcome in self.app.outcomes.items():
            if outcome.error is not None and not outcome.is_compared:
                found.append(f"call {number} raised {outcome.error!r}")
        return found

    def _check_nothing_else(self) -> None:
        """Negative facts count: what is not expected must not have happened."""
        if found := self._leftovers():
            raise MismatchError("not expected: " + "; ".join(found))

    def _check_unfinished(self) -> None:
        answered = {item.api for item in self.items if item.dir == "result"}  # by a row, although recorded otherwise
        for number, outcome in self.app.outcomes.items():
            if (number in self.timeline.unfinished and number not in answered) is outcome.is_done:
                state = "has returned" if outcome.is_done else "never returned"
                raise MismatchError(f"call {number} {state}")

    def _fail(self, item: Item, text: str) -> NoReturn:
        raise MismatchError(f"{_name(item)}: {text}")


def _name(item: Item) -> str:
    what = field(item.message, "type") or item.handler or item.method or ""
    where = f" on socket {item.conn}" if item.conn is not None else ""
    return f"step {item.step}, {item.dir} {item.kind} {what}{where}"


def _window(item: Item) -> tuple[float, float]:
    if item.window is not None:
        return item.window
    return max(0.0, item.wait - ROUNDING), item.wait + PATIENCE


def _header_lines(item: Item) -> dict[str, str]:
    lines = cast("list[str]", field(item.message, "header_lines") or [])
    return {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}


def _fates(items: list[Item]) -> dict[int, Fate]:
    """Find out how each upgrade is answered."""
    fates: dict[int, Fate] = {}
    for item in items:
        if item.conn is None:
            continue
        if item.kind == "open":
            fates[item.conn] = Accept()
        elif item.dir == "in" and item.kind == "http":
            status, body = field(item.message, "status"), field(item.message, "body")
            fates[item.conn] = Refuse(cast("int", status), str(body or ""))
        elif item.dir == "in" and item.kind == "note":
            fates[item.conn] = Hang()
    return fates
