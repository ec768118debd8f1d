"""Drives the simulator's engine with what apps and phones did, and compares what it sent to them.

Everything happens at the recorded times, under the autojump clock. Before each input the engine has done all that it
does at that moment.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import attrs
import trio
import trio.testing

from mentra_trio._net.transport import CloudUrl
from mentra_trio.simulator import Cloud, Stage, User
from mentra_trio.simulator.rest import respond
from mentra_trio.simulator.speech import Token
from mentra_trio.simulator.tokens import make_token
from tests.conformance.recordings import Json, as_object

from .app_socket import AppSocket
from .masks import Masks
from .steps import Step
from .world import World, fill_database, notes_running, user_of

if TYPE_CHECKING:
    from .differences import Differences

ORIGIN = "wss://cloud.example.com"
DATABASE = 0.02
"""Seconds that the recorded cloud took to stop an app and to note that, about."""
TOLERANCE = 0.15
"""Seconds by which times may differ at least: the recordings were made five at a time on two cores."""
RATIO = 0.1
"""How much of the time since the last input they may differ in any case."""
JITTER = 0.05
"""Seconds between two messages on different channels below which their order says nothing."""
_END = "<end>"
"""What the speech provider sends when the speaker stopped."""
_ID = re.compile(r"<id:\d+>")
_GOING = "Server shutting down"
_WRONG_KEY = "INVALID_API_KEY"


def replay(steps: Sequence[Step], world: World, differences: Differences) -> list[str]:
    """Replay a recording; return what was different."""
    played = differences.apply(steps, steps)
    if not played:
        return []
    clock = trio.testing.MockClock(autojump_threshold=0)
    end = steps[-1].at
    sent = trio.run(_play, played, world, end, clock=clock)
    return compare(played, differences.apply(sent, steps), end)


async def _play(steps: Sequence[Step], world: World, end: float) -> list[Step]:
    apps = _Webhooks(world, steps)
    cloud = Cloud(webhooks=apps, origin=ORIGIN)
    cloud.faults.database_delay = DATABASE
    fill_database(cloud, world, steps)
    user = cloud.user(user_of(steps))
    user.acts_by_itself = False
    noted = notes_running(steps)
    async with cloud.running(), trio.open_nursery() as nursery:
        driver = _Driver(cloud, user, nursery, steps)
        for place, step in enumerate(steps):
            if step.source == "cloud" and not _is_shutdown(step):
                continue
            await trio.sleep_until(step.at)
            await trio.testing.wait_all_tasks_blocked()
            if place in noted:
                user.stored.note_running(step.app)
            await driver.play(step)
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep_until(end + TOLERANCE)
        nursery.cancel_scope.cancel(reason="the recording is over")
    return sorted([*driver.sent, *apps.calls, *driver.told()], key=lambda step: step.at)


def _is_shutdown(step: Step) -> bool:
    """Whether a cloud said that it goes, which is an order to the engine."""
    return step.source == "cloud" and step.kind == "close" and step.get("reason") == _GOING


@attrs.define(eq=False)
class _Webhooks:
    """The apps' HTTP side: it answers what was recorded, after the recorded time."""

    _world: World
    _steps: Sequence[Step]
    calls: list[Step] = attrs.field(factory=list[Step], init=False)
    _answers: dict[str, list[Step]] = attrs.field(factory=dict[str, list[Step]], init=False)

    def __attrs_post_init__(self) -> None:
        for step in self._steps:
            if step.is_webhook:
                self._answers.setdefault(step.app, []).append(step)

    async def post(self, url: str, body: bytes) -> int | None:
        """Take a call of the engine."""
        app = self._world.app_at(url)
        if app.public_url in self._world.unreachable:
            await trio.lowlevel.checkpoint()
            return None
        message: Json = {"method": "POST", "path": url.removeprefix(app.public_url), "body": json.loads(body)}
        self.calls.append(
            Step(
                source="cloud",
                target="app",
                app=app.package_name,
                kind="http",
                message=message,
                at=trio.current_time(),
            )
        )
        recorded = self._answers.get(app.package_name)
        known = recorded.pop(0) if recorded else None
        if known is None or known.answered_after is None:
            await trio.sleep_forever()
        await trio.sleep(known.answered_after)
        return cast("int", (as_object(known.partner) or {})["status"])


@attrs.define(eq=False)
class _Ear:
    """A phone that fetches a stream of sound, and notes what comes."""

    _note: Callable[[str, object], None]
    _has_begun: bool = attrs.field(default=False, init=False)

    def hear(self, data: bytes) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._note("http", {"status": 200})
        self._note("binary", {"length": len(data), "base64": base64.b64encode(data).decode()})

    def ended(self) -> None:
        self._note("close", {"code": None, "reason": "http response ended"})


@attrs.define(eq=False)
class _Driver:
    """Does what apps, phones and the speech provider did."""

    _cloud: Cloud
    _user: User
    _nursery: trio.Nursery
    _steps: Sequence[Step]
    sent: list[Step] = attrs.field(factory=list[Step], init=False)
    """What apps and REST callers got."""
    _sockets: dict[str, AppSocket] = attrs.field(factory=dict[str, AppSocket], init=False)
    _is_down: bool = attrs.field(default=False, init=False)
    """Whether the cloud has shut down."""
    _phone: int | None = attrs.field(default=None, init=False)
    """Number of the phone's socket that counts."""
    _ear: _Ear | None = attrs.field(default=None, init=False)
    """What fetches a stream of sound."""

    def told(self) -> list[Step]:
        """Give what the phone got."""
        return [
            Step(
                source="cloud",
                target="glasses",
                kind="ping" if message.fields is None else "text",
                message={"length": 0} if message.fields is None else message.fields,
                at=message.at,
            )
            for message in self._user.phone_log
        ]

    async def play(self, step: Step) -> None:
        """Do one thing."""
        if self._is_down and not _is_shutdown(step):
            self._is_down = False
            self._cloud.resume()  # whoever comes finds another cloud
        match step.source:
            case "cloud":
                if not self._is_down:
                    self._is_down = True
                    self._nursery.start_soon(self._cloud.drain)
            case "app" if step.conn is not None:
                await self._play_app(step)
            case "app" if step.is_request:
                self._play_call(step)
            case "app":
                pass  # answers to webhooks are given when the engine calls
            case "glasses":
                self._play_glasses(step)
            case "phone":
                self._play_rest(step)
            case "provider":
                self._play_provider(step)
            case _:
                raise ValueError(f"the engine cannot be told: {step}")

    # --- apps

    async def _play_app(self, step: Step) -> None:
        if step.is_upgrade:
            await self._open(step)
            return
        socket = self._sockets[step.channel]
        match step.kind:
            case "text" | "binary":
                await socket.send(attrs.evolve(step, message=self._with_ids(step.message)).payload())
            case "ping":
                await socket.ping(bytes(cast("int", step.get("length"))))
            case "close" if step.get("abrupt"):
                await socket.cut()
            case "close":
                await socket.close(cast("int | None", step.get("code")), str(step.get("reason")))
            case _:
                raise ValueError(f"a socket cannot send: {step}")

    def _play_call(self, step: Step) -> None:
        """Call the cloud's HTTP interface."""
        content = step.get("body")
        body = (
            b"" if content is None else content.encode() if isinstance(content, str) else json.dumps(content).encode()
        )
        headers = cast("Mapping[str, str]", step.get("headers") or {})
        path = _ID.sub(lambda found: self._id_for(found[0]), str(step.get("path")))
        answer = respond(self._cloud, str(step.get("method")), path, headers, body)
        text = answer.body.decode("utf-8", "surrogatepass")
        said = cast("object", json.loads(text)) if "json" in answer.headers["content-type"] else text
        message: Json = {"status": answer.status, "headers": dict(answer.headers), "body": said}
        self._note("http", message, target="app", app=step.app)

    async def _open(self, step: Step) -> None:
        stream = await self._cloud.dial(CloudUrl(host="cloud.example.com", port=443, tls=True, target="/"))
        of_socket = [other for other in self._steps if other.channel == step.channel]
        is_silent = any(other.get("unanswered") for other in of_socket)
        note = partial(self._note, target="app", app=step.app, conn=step.conn)
        socket = self._sockets[step.channel] = AppSocket(stream, note, not is_silent)
        self._nursery.start_soon(socket.read)
        headers = cast("Mapping[str, str]", step.get("headers"))
        await socket.open(str(step.get("path")), self._with_token(step.app, headers, of_socket))

    def _with_token(self, package_name: str, headers: Mapping[str, str], of_socket: Iterable[Step]) -> dict[str, str]:
        """Put a token in for its mask; one whose key the cloud refuses holds a wrong one."""
        token = self._cloud.app_token(package_name)
        if any(step.get("code") == _WRONG_KEY for step in of_socket):
            token = make_token(package_name, "wrong", self._cloud.token_secret)
        return {name: value.replace("<app-jwt>", token) for name, value in headers.items()}

    def _note(self, kind: str, message: object, *, target: str, app: str = "", conn: int | None = None) -> None:
        step = Step(
            source="cloud", target=target, app=app, conn=conn, kind=kind, message=message, at=trio.current_time()
        )
        self.sent.append(step)

    # --- the phone

    def _with_ids(self, value: object) -> object:
        """Put in the ids that the engine made for those that the cloud had made, as far as the phone was told them."""
        if isinstance(value, list):
            return [self._with_ids(each) for each in cast("list[object]", value)]
        if (table := as_object(value)) is not None:
            return {name: self._with_ids(each) for name, each in table.items()}
        return self._id_for(value) if isinstance(value, str) and value.startswith("<id:") else value

    def _id_for(self, mark: str) -> str:
        told = [step for step in self._steps if step.source == "cloud" and step.target == "glasses"]
        for step in told:
            for name, each in (as_object(step.message) or {}).items():
                if each == mark:
                    place = sum(other.type == step.type for other in told[: told.index(step)])
                    ours = [
                        at.fields for at in self._user.phone_log if at.fields and at.fields.get("type") == step.type
                    ]
                    return str(ours[place][name]) if place < len(ours) else mark
        return mark

    def _play_glasses(self, step: Step) -> None:
        match step.kind:
            case "http":
                self._phone = step.conn
                self._nursery.start_soon(self._user.connect)
            case "text":
                self._user.phone_message(cast("Json", self._with_ids(step.message)))
            case "binary":
                self._user.hear(cast("bytes", step.payload()))
            case "close":
                # The end of an older socket is no news.
                if step.conn == self._phone:
                    self._user.disconnect()
            case _:
                raise ValueError(f"a phone cannot send: {step}")

    def _play_rest(self, step: Step) -> None:
        if step.kind == "close":  # of the stream of sound that is fetched
            self._leave_stream()
            return
        path = str(step.get("path"))
        body = step.get("body")
        match path.strip("/").split("/"):
            case ["api", "audio", "stream", user_id, stream_id]:
                self._fetch_stream(unquote(user_id), stream_id)
            case ["apps", package_name, "start"]:
                self._nursery.start_soon(self._start, package_name)
            case ["apps", package_name, "stop"]:
                self._nursery.start_soon(self._stop, package_name)
            case ["appsettings", package_name]:
                entries = cast("list[Json]", body if isinstance(body, list) else [body])
                values = {cast("str", entry["key"]): entry["value"] for entry in entries}
                self._user.change_settings(package_name, values)
            case ["api", "client", "user", "settings"]:
                self._user.change_system_settings(**(as_object(step.get("body", "settings")) or {}))
            case ["api", "client", "photo", "response"]:
                self._answer(self._user.report_photo(as_object(body) or {}))
            case ["api", "client", "device", "state"]:
                is_taken = self._user.post_device_state(as_object(body) or {})
                self._answer(200 if is_taken else 429)
            case ["api", "client", "notifications" | "calendar" | "location", *_]:
                self._answer(self._user.phone_post(path, as_object(body) or {}))
            case _:
                raise ValueError(f"the engine has no such REST call: {step}")

    def _fetch_stream(self, user_id: str, stream_id: str) -> None:
        session = self._cloud.session(user_id)
        self._ear = _Ear(partial(self._note, target="phone"))
        if session is None or session.relays.claim(stream_id, self._ear) is None:
            self._answer(404)

    def _leave_stream(self) -> None:
        session = self._cloud.session(self._user.user_id)
        if session is not None and self._ear is not None:
            session.relays.left(self._ear)

    async def _start(self, package_name: str) -> None:
        result = await self._user.start(package_name)
        self._answer({Stage.UNKNOWN_APP: 404, Stage.NO_SESSION: 503}.get(result.failed_at or Stage.TIMEOUT, 200))

    async def _stop(self, package_name: str) -> None:
        await self._user.stop(package_name)
        self._answer(200)

    def _answer(self, status: int) -> None:
        self._note("http", {"status": status}, target="phone")

    # --- speech

    def _play_provider(self, step: Step) -> None:
        session = self._cloud.session(self._user.user_id)
        if session is None:
            raise ValueError(f"nobody is here who could say: {step}")
        kind, _, language = str(step.get("pushed_to")).partition(":")
        heard = cast("list[Json]", step.get("tokens"))
        if kind == "translation":
            is_end = any(fields["text"] == _END for fields in heard)
            for translator in session.translators.streams:
                translator.push(_translated(heard, "original"), _translated(heard, "translation"), end=is_end)
            return
        tokens = [_token(fields) for fields in heard if fields["text"] != _END]
        for stream in session.speech.streams:
            if stream.language == "auto" if language == "any" else stream.language.startswith(language):
                stream.push(tokens, end=any(fields["text"] == _END for fields in heard))


def _translated(heard: list[Json], status: str) -> list[Token]:
    """Give the tokens that are originals, or translations of them."""
    return [_token(fields) for fields in heard if fields.get("translation_status") == status]


def _token(fields: Json) -> Token:
    return Token(
        text=cast("str", fields["text"]),
        start=cast("float", fields["start_ms"]) / 1000,
        end=cast("float", fields["end_ms"]) / 1000,
        is_final=cast("bool", fields["is_final"]),
        confidence=cast("float", fields["confidence"]),
        speaker=cast("str | None", fields.get("speaker")),
        language=cast("str | None", fields.get("language")),
    )


# --- comparison


def compare(recorded: Sequence[Step], sent: Sequence[Step], end: float) -> list[str]:
    """Hold what was sent against the recording: what, in which order per channel and per receiver, and when.

    `end` is when the recording ends.
    """
    expected = [step for step in recorded if step.source == "cloud"]
    masks = Masks()
    problems: list[str] = []
    pairs: list[tuple[Step, Step]] = []
    for channel in dict.fromkeys(step.channel for step in (*expected, *sent)):
        ours = [step for step in sent if step.channel == channel]
        theirs = [step for step in expected if step.channel == channel]
        matched, problem = _match(theirs, ours, masks, end)
        pairs += matched
        problems += [f"{channel}: {problem}"] if problem else []
    inputs = [step.at for step in recorded if step.source != "cloud"]
    problems += [text for one, other in pairs if (text := _late(one, other, inputs))]
    return problems + _out_of_order(pairs)


def _match(
    theirs: Sequence[Step], ours: Sequence[Step], masks: Masks, end: float
) -> tuple[list[tuple[Step, Step]], str | None]:
    """Pair up what a channel carried, until the first difference."""
    pairs: list[tuple[Step, Step]] = []
    for one, other in zip(theirs, ours, strict=False):
        difference = masks.difference(_said(one), _said(other))
        if difference:
            return pairs, f"{difference}\n    recorded {one}\n    sent     {other}"
        pairs.append((one, other))
    if len(theirs) > len(ours):
        return pairs, f"missing\n    recorded {theirs[len(ours)]}"
    # What comes right at the end may have come right after it.
    extra = [step for step in ours[len(theirs) :] if step.at < end - TOLERANCE]
    return pairs, f"nobody recorded\n    sent     {extra[0]}" if extra else None


def _said(step: Step) -> Json:
    """What of a step is compared."""
    message = as_object(step.message)
    if step.kind != "http" or message is None:
        return {"kind": step.kind, "message": step.message}
    # Bodies of REST answers are the phone's business; the body of a refused upgrade is an app's.
    known = ["status"] if step.target == "phone" else ["status", "headers", "body"]
    if step.is_webhook:
        known = ["method", "path", "body"]
    return {"kind": "http", **{name: message[name] for name in known if name in message}}


def _late(recorded: Step, sent: Step, inputs: Sequence[float]) -> str | None:
    since = max((at for at in inputs if at <= recorded.at), default=0.0)
    if abs(recorded.at - sent.at) <= max(TOLERANCE, RATIO * (recorded.at - since)):
        return None
    return f"{recorded.channel}: at {sent.at:.3f} s\n    recorded {recorded}"


def _out_of_order(pairs: Sequence[tuple[Step, Step]]) -> list[str]:
    """Find what one receiver got in another order on different channels."""
    return [
        f"{one.app}: the other way round\n    recorded {one}\n    recorded {later}"
        for one, ours in pairs
        for later, ours_later in pairs
        if one.app and one.app == later.app and later.at - one.at > JITTER and ours_later.at < ours.at
    ]
