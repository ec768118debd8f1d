"""Every request of the SDK in one table: how an author makes it, how it is answered, refused, and what it needs.

A row says for its request what `test_every_request` plays. Where a case cannot come up, it says why in a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from mentra_trio import MentraSession, SessionConfig
from mentra_trio._net.rest import HttpAnswer, HttpRequest
from mentra_trio._wire.actions.camera import ForwardPhoto, TakePhoto
from mentra_trio._wire.actions.light import LED_ANSWERS, SetLed
from mentra_trio._wire.actions.location import PollLocation
from mentra_trio._wire.actions.permissions import FetchPermissions
from mentra_trio._wire.actions.speaker import PlayAudio, PlayRelay, StartAudioStream
from mentra_trio._wire.actions.storage import ClearStored, DeleteStored, FetchStored, StoreValue, StoreValues
from mentra_trio._wire.actions.targets import AddTarget, FetchTargets, RemoveTarget
from mentra_trio._wire.actions.video import CheckStream, StartManagedStream, StartStream
from mentra_trio._wire.outbound import Request
from mentra_trio._wire.rest import RestRequest
from mentra_trio.errors import (
    CloudRefusedError,
    LedError,
    MentraError,
    PhotoError,
    PlaybackError,
    RequestTimedOutError,
    StorageError,
    StreamError,
)
from mentra_trio.managers.camera.video import VideoStream
from mentra_trio.models import Permission
from tests.net.test_asgi import call
from tests.net.test_uploads import JPEG, MULTIPART, form, part, photo
from tests.scripted_cloud import AppUnderTest, CloudSocket, Json, ScriptedCloud, open_app, open_cloud

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

BARE: Json = {"modelName": "Bare", "hasCamera": False, "hasLight": False, "hasSpeaker": False, "hasWifi": False}
"""Glasses that can do nothing."""
_PATIENCE = 1000.0
"""Seconds of virtual time after which a test has waited in vain."""


WRONG: Any = b"wrong"
"""No argument that there is."""

# --- the stage


@attrs.define(eq=False)
class HttpCall:
    """A call of the app over HTTP that waits for what the test says."""

    request: HttpRequest
    _answer: HttpAnswer | None = attrs.field(init=False, default=None)
    _answered: trio.Event = attrs.field(init=False, factory=trio.Event)

    def answer(self, status: int = 200, **fields: object) -> None:
        """Answer it. A second time nobody hears it."""
        self._answer = self._answer or HttpAnswer(status=status, body=json.dumps(fields).encode())
        self._answered.set()

    async def wait(self) -> HttpAnswer:
        await self._answered.wait()
        assert self._answer is not None
        return self._answer


@attrs.define(eq=False)
class ScriptedHttp:
    """The cloud's HTTP side. It tells by itself what the app declares when it is asked for the first time."""

    declared: Collection[str]
    _told: bool = attrs.field(init=False, default=False)
    _calls: trio.MemorySendChannel[HttpCall] = attrs.field(init=False)
    _arrived: trio.MemoryReceiveChannel[HttpCall] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._calls, self._arrived = trio.open_memory_channel[HttpCall](100)

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        del largest
        made = HttpCall(request)
        if not self._told and "/permissions/" in request.url.target:
            self._told = True
            made.answer(**permissions(self.declared))
        else:
            self._calls.send_nowait(made)
        return await made.wait()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

    @property
    def is_idle(self) -> bool:
        """Whether no call waits that the test has not seen."""
        return self._arrived.statistics().current_buffer_used == 0

    async def next(self) -> HttpCall:
        """Wait for the next call that the test has to answer."""
        with trio.fail_after(_PATIENCE):
            return await self._arrived.receive()


def permissions(declared: Collection[str]) -> Json:
    """What the cloud says of an app (P2 9.6)."""
    return {"success": True, "permissions": [{"type": name} for name in declared]}


@attrs.define(eq=False)
class Outcome:
    """A call in the background, and what came of it."""

    make: Callable[[], Awaitable[object]]
    scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    at: float | None = attrs.field(init=False, default=None)
    """When it came."""
    value: object = attrs.field(init=False, default=None)
    _over: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def run(self) -> None:
        try:
            with self.scope:
                self.value = await self.make()
                self.at = trio.current_time()
        except MentraError as error:
            self.value, self.at = error, trio.current_time()
        self._over.set()

    async def wait(self) -> object:
        """Wait until there is one."""
        with trio.fail_after(_PATIENCE):
            await self._over.wait()
        return self.value


@attrs.define(eq=False)
class Stage:
    """A running app with one session, and the cloud that does what the test says."""

    cloud: ScriptedCloud
    http: ScriptedHttp
    app: AppUnderTest
    socket: CloudSocket
    """The newest one."""
    nursery: trio.Nursery

    @property
    def session(self) -> MentraSession:
        return self.app.sessions[0]

    def ask(self, row: Row) -> Outcome:
        """Make the call in the background."""
        outcome = Outcome(partial(row.ask, self.session))
        self.nursery.start_soon(outcome.run)
        return outcome

    async def until(self, kind: str) -> Json:
        """Take messages up to one of this type."""
        while (message := await self.socket.next())["type"] != kind:
            pass
        return message

    async def lose_link(self) -> None:
        """End the connection, and take the next one."""
        await self.socket.cut()
        await self._take_next()

    async def lose_answer(self, row: Row, request: object) -> None:
        """Have the request answered on a connection that ends before the app has read that, and take the next one."""
        self.socket.line.lose_peer()
        await (row.lost or row.answer)(self, request)
        self.socket.line.end()
        await self._take_next()

    @property
    def pending(self) -> int:
        """How many requests wait for their answers."""
        return len(self.session._runtime._outbound._pending)

    async def _take_next(self) -> None:
        self.socket = await self.cloud.accept()
        await self.socket.handshake()
        await wait_all_tasks_blocked()

    async def upload(self, *parts: bytes) -> None:
        """Upload to the app like the glasses do."""
        headers = [(b"content-type", MULTIPART.encode())]
        await call(self.app.server.asgi, "POST", "/photo-upload", [form(*parts)], headers=headers)


@asynccontextmanager
async def open_stage(
    *, declared: Collection[str] = ("ALL",), capabilities: Json | None = None, config: SessionConfig | None = None
) -> AsyncGenerator[Stage, None]:
    """Start the app for a wearer."""
    http = ScriptedHttp(declared)
    async with open_cloud() as cloud, open_app(cloud, http=http, config=config) as app, trio.open_nursery() as nursery:
        socket = await app.start(capabilities=capabilities)
        yield Stage(cloud, http, app, socket, nursery)
        nursery.cancel_scope.cancel()


# --- the table


@attrs.frozen(kw_only=True)
class Row:
    """One request."""

    kind: type[Request[Any] | RestRequest[Any]]
    ask: Callable[[MentraSession], Awaitable[object]]
    """How an author makes it."""
    mistakes: Sequence[Callable[[MentraSession], Awaitable[object]]] | str
    """How an author makes it wrongly: one call for each argument."""
    reach: Callable[[Stage], Awaitable[Any]]
    """Plays the cloud until it has the request, and gives that."""
    answer: Callable[[Stage, Any], Awaitable[None]]
    """Says yes."""
    gives: object
    """What `ask` returns then."""
    refuse: Callable[[Stage, Any], Awaitable[None]] | str
    """Says no, in the words that belong to this request."""
    refused: type[MentraError] = CloudRefusedError
    """What `ask` raises then."""
    refuse_all: str = ""
    """Why a refusal of the cloud that names no request does not fail this one; empty where it does."""
    lost: Callable[[Stage, Any], Awaitable[None]] | None = None
    """What a lost link can take with it, where that is not the answer."""
    found: Callable[[Stage, Any], Awaitable[None]] | None = None
    """How the cloud tells by itself, over the next link, what the lost answer said; `None` where it does not."""
    strangers: Callable[[Stage, Any], Awaitable[None]] | str
    """Answers others, in all ways that can be mistaken."""
    again: str = ""
    """Why it cannot be answered twice or too late; empty where it can."""
    overdue: type[MentraError] = RequestTimedOutError
    """What `ask` raises when nobody answers in time."""
    limit: float
    """Seconds until then, counted from the write."""
    permission: Permission | str
    """What the app has to declare."""
    hardware: str | None = None
    """Why the glasses need not be able to do anything; `None` where they have to."""


def says(kind: str, *names: str, **fields: object) -> Callable[[Stage, Json], Awaitable[None]]:
    """Send a message that repeats some fields of the request."""

    async def send(stage: Stage, request: Json) -> None:
        await stage.socket.send(kind, **{name: request[name] for name in names}, **fields)
        await wait_all_tasks_blocked()

    return send


def in_turn(*steps: Callable[[Stage, Json], Awaitable[None]]) -> Callable[[Stage, Json], Awaitable[None]]:
    """Do several things."""

    async def run(stage: Stage, request: Json) -> None:
        for step in steps:
            await step(stage, request)

    return run


def reached(kind: str) -> Callable[[Stage], Awaitable[Json]]:
    """Wait for the request on the socket."""
    return lambda stage: stage.until(kind)


# Sound

DING = "https://cdn.example.com/ding.mp3"
PHONE_PLAYS = "The phone plays it, whatever the glasses can do."
OPEN_TO_ALL = "The cloud wants no permission for it (P2 9.1)."


async def play(session: MentraSession) -> object:
    return (await session.speaker.play(DING)).duration


async def open_sound(session: MentraSession, **options: object) -> object:
    given: Any = options  # of many types, wrong ones too
    async with session.speaker.open_stream(**given) as sound:
        return sound.is_open


async def hear_sound(session: MentraSession) -> object:
    async with session.speaker.open_stream() as sound:
        return (await sound.finish()).duration


make_relay = says("audio_stream_ready", "streamId", streamUrl="https://cloud.example.com/api/audio/stream/ana/1")


async def reach_relay(stage: Stage) -> Json:
    await make_relay(stage, await stage.until("audio_stream_start"))
    return await stage.until("audio_play_request")


has_played = says("audio_play_response", "requestId", success=True, duration=1500)
others_played = in_turn(
    says("audio_play_response", requestId="other", success=True),
    says("audio_play_response", success=True),
    says("audio_play_response", requestId="other", success=False, error="decode"),
)
could_not_play = says("audio_play_response", "requestId", success=False, error="decode")

# Photos


async def take_photo(session: MentraSession) -> object:
    return (await session.camera.take_photo()).data


async def take_photo_to(session: MentraSession) -> object:
    return (await session.camera.take_photo_to("https://photos.example.com/in")).url


async def upload(stage: Stage, request: Json) -> None:
    await stage.upload(part("requestId", request["requestId"]), part("success", "true"), photo())
    await wait_all_tasks_blocked()


async def upload_other(stage: Stage, request: Json) -> None:
    await stage.upload(part("requestId", f"{request['requestId']}x"), part("success", "true"), photo(b"other"))


other_photos = in_turn(
    says("photo_response", requestId="other", success=True, photoUrl="https://app.example.com/photo-upload"),
    says("photo_response", requestId="other", success=False, error={"code": "CAMERA_BUSY"}),
    says("photo_response", success=False),
)
no_photo = says("photo_response", "requestId", success=False, error={"code": "CAMERA_BUSY", "message": "busy"})

# Video


def watch(url: object = None, **options: object) -> Callable[[MentraSession], Awaitable[object]]:
    async def run(session: MentraSession) -> object:
        given: Any = {"url": url, "clear": False, **options}  # of many types, wrong ones too
        async with session.camera.open_stream(**given) as stream:
            return stream.stream_id

    return run


async def check_stream(session: MentraSession) -> object:
    found = await session.camera.check_stream()
    return None if found is None else found.stream_id


direct = partial(says, "stream_status", streamId="s1")
managed = partial(says, "managed_stream_status", streamId="m1")
is_watched = managed(status="active", webrtcUrl="https://c.example.com/w")
ended = says("stream_status", streamId="s0", status="stopped")
resumed = in_turn(
    says("stream_status", streamId="s0", status="active", resumed=True),
    says("managed_stream_status", streamId="m0", status="active", resumed=True),
)

# Restream targets

TARGET = "rtmp://live.example.com/app/key"
Targets = Callable[[VideoStream], Awaitable[object]]


def of_stream(call: Targets) -> Callable[[MentraSession], Awaitable[object]]:
    """Ask about a stream. Its block is left before, so that nobody looks after it when the link is lost."""

    async def run(session: MentraSession) -> object:
        async with session.camera.open_stream(clear=False) as stream:
            pass
        return await call(stream)

    return run


async def fetch_targets(stream: VideoStream) -> object:
    return [target.target_id for target in await stream.fetch_targets()]


async def add_target(stream: VideoStream) -> object:
    return await stream.add_target(TARGET)


async def remove_target(stream: VideoStream) -> object:
    await stream.remove_target("t1")
    return "removed"


async def reach_targets(stage: Stage) -> HttpCall:
    await is_watched(stage, await stage.until("managed_stream_request"))
    return await stage.http.next()


async def tell_targets(stage: Stage, made: HttpCall) -> None:
    made.answer(success=True, outputId="t1", outputs=[{"url": TARGET, "outputId": "t1"}])
    await wait_all_tasks_blocked()


async def no_targets(stage: Stage, made: HttpCall) -> None:
    made.answer(404, error="STREAM_NOT_FOUND", message="Managed stream not found")
    await wait_all_tasks_blocked()


# Light and place


async def switch_off(session: MentraSession) -> object:
    await session.led.off(confirm=True)
    return "confirmed"


def light(request_id: str | None = None, **fields: object) -> Callable[[Stage, Json], Awaitable[None]]:
    async def send(stage: Stage, request: Json) -> None:
        told = {"type": LED_ANSWERS, "requestId": request_id or request["requestId"], **fields}
        await stage.socket.event(LED_ANSWERS, **told)
        await wait_all_tasks_blocked()

    return send


async def locate(session: MentraSession) -> object:
    fix = await session.location.locate()
    return fix.lat, fix.lng


def place(**changes: object) -> Callable[[Stage, Json], Awaitable[None]]:
    async def send(stage: Stage, request: Json) -> None:
        told = {"correlationId": request["correlationId"], "lat": 52.5, "lng": 13.4, **changes}
        await stage.socket.event("location_update", **told)
        await wait_all_tasks_blocked()

    return send


# Over HTTP

PAIRED = "HTTP pairs each answer with its call."
NEEDS_NO_GLASSES = "The cloud answers it, whatever the glasses can do."


def reached_http(method: str, ending: str) -> Callable[[Stage], Awaitable[HttpCall]]:
    """Wait for a call over HTTP, and answer what comes before it: that nothing is stored, or that it is too much."""

    async def wait(stage: Stage) -> HttpCall:
        while True:
            made = await stage.http.next()
            if made.request.method == method and made.request.url.target.endswith(ending):
                return made
            if made.request.method == "GET":
                made.answer(success=True, data={})
            else:
                made.answer(413, error="too large")

    return wait


async def http_yes(stage: Stage, made: HttpCall) -> None:
    made.answer(success=True, data={"a": "1"})
    await wait_all_tasks_blocked()


async def http_no(stage: Stage, made: HttpCall) -> None:
    made.answer(500, error="Internal server error")
    await wait_all_tasks_blocked()


async def tell_permissions(stage: Stage, made: HttpCall) -> None:
    made.answer(**permissions(["CAMERA"]))
    await wait_all_tasks_blocked()


async def fetch_permissions(session: MentraSession) -> object:
    await trio.sleep(301)  # until the answer that every session asks for at its start is too old
    return (await session.permissions.fetch()).declared


async def read(session: MentraSession) -> object:
    await session.storage.reload()
    return await session.storage.get("a")


async def store(session: MentraSession) -> object:
    await session.storage.set("a", "1")
    await session.storage.flush()
    return session.storage.unsaved


STORED_WRONGLY: tuple[Callable[[MentraSession], Awaitable[object]], ...] = (
    lambda session: session.storage.set(WRONG, "1"),
    lambda session: session.storage.set("a", object()),
)


async def delete(session: MentraSession) -> object:
    await session.storage.delete("a")
    return session.storage.unsaved


async def clear(session: MentraSession) -> object:
    await session.storage.clear()
    return session.storage.unsaved


_stored = partial(
    Row,
    answer=http_yes,
    refuse=http_no,
    refused=StorageError,
    refuse_all="It goes over HTTP, so a refusal on the socket means something else.",
    strangers=PAIRED,
    again=PAIRED,
    overdue=StorageError,
    limit=10,
    permission=OPEN_TO_ALL,
    hardware=NEEDS_NO_GLASSES,
)
_about_targets = partial(
    Row,
    reach=reach_targets,
    answer=tell_targets,
    refuse=no_targets,
    refused=StreamError,
    refuse_all="It goes over HTTP, so a refusal on the socket means something else.",
    strangers=PAIRED,
    again=PAIRED,
    permission=Permission.CAMERA,
)
USER = "/ana.lopez%2Bx%40example.com"

ROWS = (
    Row(
        kind=PlayAudio,
        ask=play,
        mistakes=(
            lambda session: session.speaker.play("ding.mp3"),
            lambda session: session.speaker.play(DING, volume=2),
            lambda session: session.speaker.play(DING, stop_other_audio=WRONG),
            lambda session: session.speaker.speak(""),
            lambda session: session.speaker.speak("a", voice_id=WRONG),
            lambda session: session.speaker.speak("a", voice_settings=WRONG),
        ),
        reach=reached("audio_play_request"),
        answer=has_played,
        gives=1.5,
        refuse=could_not_play,
        refused=PlaybackError,
        strangers=others_played,
        limit=600,
        permission=OPEN_TO_ALL,
        hardware=PHONE_PLAYS,
    ),
    Row(
        kind=StartAudioStream,
        ask=open_sound,
        mistakes=(
            partial(open_sound, format="wav"),
            partial(open_sound, volume=-1),
            partial(open_sound, stop_other_audio=WRONG),
            partial(open_sound, format="pcm16", sample_rate=1),
            partial(open_sound, format="pcm16", channels=3),
            partial(open_sound, format="pcm16", bitrate=WRONG),
        ),
        reach=reached("audio_stream_start"),
        answer=make_relay,
        gives=True,
        refuse=says("tpa_connection_error", code="STREAM_CREATE_FAILED", message="no relay"),
        strangers=in_turn(says("audio_stream_ready", streamId="other", streamUrl=DING), says("audio_stream_ready")),
        limit=10,
        permission=OPEN_TO_ALL,
        hardware=PHONE_PLAYS,
    ),
    Row(
        kind=PlayRelay,
        ask=hear_sound,
        mistakes="Its arguments are those of the stream.",
        reach=reach_relay,
        answer=has_played,
        gives=1.5,
        refuse=could_not_play,
        refused=PlaybackError,
        strangers=others_played,
        limit=600,  # of `finish`: the request itself waits as long as the stream goes on
        permission=OPEN_TO_ALL,
        hardware=PHONE_PLAYS,
    ),
    Row(
        kind=TakePhoto,
        ask=take_photo,
        mistakes=(
            lambda session: session.camera.take_photo(size=WRONG),
            lambda session: session.camera.take_photo(compression=WRONG),
            lambda session: session.camera.take_photo(sound=WRONG),
            lambda session: session.camera.take_photo(exposure=0),
        ),
        reach=reached("photo_request"),
        answer=upload,
        gives=JPEG,
        refuse=no_photo,
        refused=PhotoError,
        lost=no_photo,  # the image itself comes over HTTP
        strangers=in_turn(other_photos, upload_other),
        limit=30,
        permission=Permission.CAMERA,
    ),
    Row(
        kind=ForwardPhoto,
        ask=take_photo_to,
        mistakes=(
            lambda session: session.camera.take_photo_to("in"),
            lambda session: session.camera.take_photo_to(DING, size=WRONG),
            lambda session: session.camera.take_photo_to(DING, compression=WRONG),
            lambda session: session.camera.take_photo_to(DING, sound=WRONG),
            lambda session: session.camera.take_photo_to(DING, exposure=0),
            lambda session: session.camera.take_photo_to(DING, auth_token=WRONG),
            lambda session: session.camera.take_photo_to(DING, save_to_gallery=WRONG),
        ),
        reach=reached("photo_request"),
        answer=says("photo_response", "requestId", success=True),
        gives="https://photos.example.com/in",
        refuse=no_photo,
        refused=PhotoError,
        strangers=other_photos,
        limit=30,
        permission=Permission.CAMERA,
    ),
    Row(
        kind=StartStream,
        ask=watch("rtmp://live.example.com/app/key"),
        mistakes=(
            watch("live.example.com"),
            watch(5),
            watch(TARGET, restream_to=[TARGET]),
            watch(TARGET, video=WRONG),
            watch(TARGET, audio=WRONG),
            watch(TARGET, sound=WRONG),
            watch(TARGET, takeover=WRONG),
        ),
        reach=reached("stream_request"),
        answer=in_turn(direct(status="initializing"), direct(status="active")),
        gives="s1",
        refuse=in_turn(direct(status="initializing"), direct(status="stopped")),
        refused=StreamError,
        found=says("rtmp_stream_status", streamId="s1", status="active", resumed=True),
        strangers=in_turn(ended, resumed, says("managed_stream_status", streamId="m0", status="active")),
        limit=15,
        permission=Permission.CAMERA,
    ),
    Row(
        kind=StartManagedStream,
        ask=watch(None),
        mistakes=(
            watch(restream_to=TARGET),
            watch(restream_to=["srt://live.example.com"]),
            watch(video=WRONG),
        ),
        reach=reached("managed_stream_request"),
        answer=in_turn(managed(status="initializing"), is_watched),
        gives="m1",
        refuse=managed(status="error", message="no input"),
        refused=StreamError,
        found=managed(status="active", webrtcUrl="https://c.example.com/w", resumed=True),
        strangers=in_turn(ended, resumed, says("stream_status", streamId="s0", status="active")),
        limit=45,
        permission=Permission.CAMERA,
    ),
    Row(
        kind=CheckStream,
        ask=check_stream,
        mistakes="It has no arguments.",
        reach=reached("stream_status_check"),
        answer=says(
            "stream_status_check_response",
            hasActiveStream=True,
            streamInfo={"type": "unmanaged", "streamId": "s1", "status": "active"},
        ),
        gives="s1",
        refuse="The cloud always tells; that nothing streams is an answer.",
        strangers=says("stream_status_check_response", requestId="other", hasActiveStream=False),
        limit=5,
        permission=OPEN_TO_ALL,
        hardware=NEEDS_NO_GLASSES,
    ),
    Row(
        kind=SetLed,
        ask=switch_off,
        mistakes=(
            lambda session: session.led.set_color("pink", confirm=True),
            lambda session: session.led.set_color("red", duration=0, confirm=True),
            lambda session: session.led.blink("red", on=WRONG, confirm=True),
            lambda session: session.led.blink("red", off=-1, confirm=True),
            lambda session: session.led.blink("red", count=0, confirm=True),
        ),
        reach=reached("rgb_led_control"),
        answer=light(success=True),
        gives="confirmed",
        refuse=light(success=False, error="busy"),
        refused=LedError,
        strangers=in_turn(light("other", success=True), light("other", success=False), light("other")),
        limit=5,
        permission=OPEN_TO_ALL,
    ),
    Row(
        kind=PollLocation,
        ask=locate,
        mistakes=(lambda session: session.location.locate(WRONG),),
        reach=reached("location_poll_request"),
        answer=place(),
        gives=(52.5, 13.4),
        refuse="Neither the cloud nor the phone ever says no (P2 8.4).",
        strangers=in_turn(place(correlationId="other"), place(correlationId=None), place(lat=None), place(lng=181)),
        limit=15,
        permission="The cloud does not insist on it, so that it is missing is a warning (P2 9.3).",
        hardware="The phone knows where it is, whatever the glasses can do.",
    ),
    Row(
        kind=FetchPermissions,
        ask=fetch_permissions,
        mistakes="It has no arguments.",
        reach=reached_http("GET", "/api/public/permissions/com.example.app"),
        answer=tell_permissions,
        gives=frozenset({Permission.CAMERA}),
        refuse=http_no,
        refuse_all="It goes over HTTP, so a refusal on the socket means something else.",
        strangers=PAIRED,
        again=PAIRED,
        limit=5,
        permission="It is how the app learns of its permissions.",
        hardware=NEEDS_NO_GLASSES,
    ),
    _about_targets(
        kind=FetchTargets, ask=of_stream(fetch_targets), mistakes="It has no arguments.", gives=["t1"], limit=10
    ),
    _about_targets(
        kind=AddTarget,
        ask=of_stream(add_target),
        mistakes="It needs a stream that was started, so `test_video_targets` makes them.",
        gives="t1",
        limit=15,
    ),
    _about_targets(
        kind=RemoveTarget,
        ask=of_stream(remove_target),
        mistakes="It needs a stream that was started, so `test_video_targets` makes them.",
        gives="removed",
        limit=15,
    ),
    _stored(kind=FetchStored, ask=read, mistakes="It has no arguments.", reach=reached_http("GET", USER), gives="1"),
    _stored(kind=StoreValues, ask=store, mistakes=STORED_WRONGLY, reach=reached_http("PUT", USER), gives=0),
    _stored(kind=StoreValue, ask=store, mistakes=STORED_WRONGLY, reach=reached_http("PUT", f"{USER}/a"), gives=0),
    _stored(
        kind=DeleteStored,
        ask=delete,
        mistakes=(lambda session: session.storage.delete(WRONG),),
        reach=reached_http("DELETE", f"{USER}/a"),
        gives=0,
    ),
    _stored(kind=ClearStored, ask=clear, mistakes="It has no arguments.", reach=reached_http("DELETE", USER), gives=0),
)


def kinds_of(base: type[Any]) -> list[type[Any]]:
    """All requests of the package that derive from a class."""
    found = [kind for child in base.__subclasses__() for kind in (child, *kinds_of(child))]
    return [kind for kind in found if kind.__module__.startswith("mentra_trio.")]
