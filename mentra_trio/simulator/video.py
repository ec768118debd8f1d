"""Live video: the cloud's two kinds of streams, and what the glasses do about them (P3 6).

A wearer has one direct stream, which belongs to an app, or one managed stream, which has viewers. Starting a direct one
ends whatever there is; starting a managed one joins the one that is there, and fails beside a direct one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs

from . import messages
from .hardware import capabilities
from .storage import as_object
from .subscriptions import is_granted
from .targets import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence  # noqa: TC004 - nobody evaluates it

    from mentra_trio._wire.codec import JsonObject  # noqa: TC004 - nobody evaluates it

    from .agenda import Timer  # noqa: TC004 - nobody evaluates it
    from .apps import AppSession
    from .connection import AppConnection
    from .sessions import UserSession  # noqa: TC004 - a cycle, and nobody evaluates it
    from .users import User

MANAGED_START = 3.0
"""Seconds between a managed request and the word to the phone."""
INGEST_POLL = 2.0
"""Seconds until the cloud looks whether video arrives."""
KEEP_ALIVE = 15.0
ACK_LIMIT = 10.0
MISSES = 3
"""Acknowledgements in a row that may be missing."""
_NO_WIFI = "Cannot process request - smart glasses must be connected to WiFi for this operation"
_DIRECT_STATES = {
    "initializing": "initializing",
    "connecting": "initializing",
    "reconnecting": "initializing",
    "active": "active",
    "streaming": "active",
    "reconnected": "active",
    "stopping": "stopping",
    "timeout": "timeout",
}
_MANAGED_STATES = {
    "initializing": "initializing",
    "connecting": "initializing",
    "stopping": "stopping",
    "stopped": "stopped",
    "error": "error",
}
_ENDS = frozenset({"stopped", "timeout", "error"})


@attrs.define(eq=False)
class KeepAlive:
    """Asks the phone every 15 s whether an active stream goes on."""

    _session: UserSession = attrs.field(repr=False)
    _stream_id: str
    _died: Callable[[], None]
    _next: Timer | None = attrs.field(default=None, init=False)
    _limit: Timer | None = attrs.field(default=None, init=False)
    _asked: str = attrs.field(default="", init=False)
    _missed: int = attrs.field(default=0, init=False)

    def begin(self) -> None:
        """Begin, unless it runs."""
        if self._next is None:
            self._next = self._session.agenda.later(KEEP_ALIVE, self._ask)

    def heard(self, ack_id: object = None) -> None:
        """Take a sign of life; of acknowledgements the last one that was asked for counts."""
        if ack_id is None or ack_id == self._asked:
            self._missed = 0
            if self._limit is not None:
                self._limit.cancel()

    def end(self) -> None:
        """Ask no more."""
        for timer in (self._next, self._limit):
            if timer is not None:
                timer.cancel()

    def _ask(self) -> None:
        self._next = self._session.agenda.later(KEEP_ALIVE, self._ask)
        if self._session.is_phone_connected:
            self._asked = messages.short_id(self._session.cloud.random, "a", 5)
            self._session.tell_phone(messages.keep_stream_alive(self._stream_id, self._asked))
            self._limit = self._session.agenda.later(ACK_LIMIT, self._miss)

    def _miss(self) -> None:
        self._missed += 1
        if self._missed >= MISSES:
            self.end()
            self._died()


@attrs.define(eq=False)
class Direct:
    """A stream to an app's own server."""

    stream_id: str
    package_name: str
    url: str = attrs.field(repr=False)
    created_at: str
    keep_alive: KeepAlive
    state: str = "initializing"


@attrs.define(eq=False)
class Managed:
    """A stream to the cloud."""

    stream_id: str
    urls: JsonObject
    request: JsonObject
    targets: list[Target]
    """Where it is passed on to."""
    created_at: str
    keep_alive: KeepAlive
    ingest: str = attrs.field(repr=False)
    state: str = "initializing"
    viewers: dict[str, JsonObject] = attrs.field(factory=dict[str, "JsonObject"])
    """Which apps watch, and what each was told last."""
    is_begun: bool = False
    """Whether the phone was told."""


@attrs.define(eq=False)
class Streams:
    """The streams of one wearer."""

    _session: UserSession = attrs.field(repr=False)
    direct: Direct | None = attrs.field(default=None, init=False)
    managed: Managed | None = attrs.field(default=None, init=False)
    _count: int = attrs.field(default=0, init=False)
    _count_targets: int = attrs.field(default=0, init=False)

    # --- what apps ask for

    def start(self, connection: AppConnection, fields: JsonObject) -> None:
        """Start a direct stream."""
        url = fields.get("streamUrl") or fields.get("rtmpUrl")
        if not self._may_start(connection, fields, "Camera permission required to start video streams"):
            return
        if not isinstance(url, str) or not url:
            self._session.cloud.report(connection.package_name, "P3 6.2", "it asked for a stream to nowhere")
            connection.refuse("INTERNAL_ERROR", "Invalid stream URL: streamUrl is required")
            return
        if self.managed is not None:
            self._finish_managed("stopped", stop_phone=True)
        if self.direct is not None:
            self._finish_direct("stopped")
        package_name = str(fields.get("packageName"))
        stream_id = self._new_id("s")
        keep_alive = KeepAlive(self._session, stream_id, lambda: self._finish_direct("timeout"))
        self.direct = Direct(stream_id, package_name, url, self._session.cloud.timestamp(), keep_alive)
        self._tell_start(fields, url, stream_id, package_name)
        self._tell_owner()

    def stop(self, connection: AppConnection, fields: JsonObject) -> None:
        """Stop a direct stream, or all of an app. Of an unknown one nobody hears, except the phone."""
        package_name, stream_id = str(fields.get("packageName")), fields.get("streamId")
        direct = self.direct
        if direct is not None and stream_id == direct.stream_id and package_name != direct.package_name:
            text = f"App {package_name} cannot stop stream {stream_id} owned by {direct.package_name}"
            connection.refuse("INTERNAL_ERROR", text)
            return
        named = stream_id if isinstance(stream_id, str) else ""
        session = self._session
        session.tell_phone(messages.stop_stream(session.user_id, package_name, named, session.cloud.timestamp()))
        if direct is not None and package_name == direct.package_name and named in {"", direct.stream_id}:
            self._finish_direct("stopped")

    def start_managed(self, connection: AppConnection, fields: JsonObject) -> None:
        """Start a managed stream, or join the one that is there."""
        if not self._may_start(connection, fields, "Camera permission required for managed streams"):
            return
        if self.direct is not None:
            connection.refuse("INTERNAL_ERROR", "Cannot start managed stream - unmanaged stream already active")
            return
        package_name = str(fields.get("packageName"))
        managed = self.managed
        if managed is not None:
            managed.viewers.setdefault(package_name, {})
            if managed.is_begun:
                self._tell_viewer(package_name, "active")
            return
        self._count += 1
        stream_id = self._new_id("m")
        given = fields.get("restreamDestinations")
        targets = [as_object(each) or {} for each in cast("list[object]", given)] if isinstance(given, list) else []
        urls, ingest = messages.playback(self._count, targets)
        keep_alive = KeepAlive(self._session, stream_id, lambda: self._finish_managed(*_SILENT_PHONE))
        asked = [
            Target(f"out{number}", str(each.get("url")), package_name, is_counted=False)
            for number, each in enumerate(targets, start=1)
        ]
        now = self._session.cloud.timestamp()
        managed = self.managed = Managed(stream_id, urls, fields, asked, now, keep_alive, ingest)
        managed.viewers[package_name] = {}
        self._session.agenda.later(MANAGED_START, lambda: self._begin_managed(managed))

    def stop_managed(self, fields: JsonObject) -> None:
        """Take a viewer away; with the last one the stream ends."""
        package_name = str(fields.get("packageName"))
        managed = self.managed
        if managed is None or package_name not in managed.viewers:
            return
        if len(managed.viewers) == 1:
            self._finish_managed("stopped", stop_phone=True)
        else:
            self._tell_viewer(package_name, "stopped")
            del managed.viewers[package_name]

    @property
    def stream_id(self) -> str | None:
        """What streams; `None` for nothing."""
        stream = self.direct or self.managed
        return None if stream is None else stream.stream_id

    @property
    def is_active(self) -> bool:
        """Whether video flows, as far as the glasses have told."""
        stream = self.direct or self.managed
        return stream is not None and stream.state == "active"

    @property
    def targets(self) -> Sequence[Target]:
        """Where the managed stream is passed on to."""
        return () if self.managed is None else tuple(self.managed.targets)

    def is_watched_by(self, package_name: str) -> bool:
        """Whether an app is a viewer of the managed stream."""
        return self.managed is not None and package_name in self.managed.viewers

    def add_target(self, url: str, name: object, package_name: str) -> str:
        """Pass the managed stream on to one more address; give its id."""
        self._count_targets += 1
        target = Target(f"target{self._count_targets}", url, package_name, name)
        if self.managed is not None:  # pragma: no branch - who asks has looked for it
            self.managed.targets.append(target)
            self._tell_viewers("active", "Outputs updated")
        return target.target_id

    def remove_target(self, target: Target) -> None:
        """Pass the managed stream on to one address less."""
        if self.managed is not None:  # pragma: no branch - who asks has looked for it
            self.managed.targets.remove(target)
            self._tell_viewers("active", "Outputs updated")

    def check(self, connection: AppConnection) -> None:
        """Tell what streams; nothing says which question that answers."""
        info: JsonObject | None = None
        if self.managed is not None and self.managed.is_begun:
            info = messages.managed_info(self.managed.stream_id, self.managed.created_at, self.managed.urls)
            info["activeViewers"] = len(self.managed.viewers)
        elif self.direct is not None:
            info = messages.direct_info(
                self.direct.stream_id, self.direct.created_at, self.direct.url, self.direct.package_name
            )
        connection.send(messages.stream_check(info))

    def resume(self, app: AppSession) -> None:
        """Tell an app that connected what goes on (P3 6.5)."""
        now = self._session.cloud.timestamp()
        managed, direct = self.managed, self.direct
        if managed is not None and managed.is_begun:
            told = messages.managed_status("active", managed.stream_id, managed.urls)
            app.relay({**told, "activeViewers": len(managed.viewers), "resumed": True, "timestamp": now})
            if app.package_name in managed.viewers:
                managed.viewers[app.package_name] = {}
        elif direct is not None and direct.package_name == app.package_name:
            status = messages.stream_status(app.session_id, direct.stream_id, direct.state, app.package_name, now)
            app.relay({**status, "type": "rtmp_stream_status", "streamUrl": direct.url, "resumed": True})

    # --- what the phone tells

    def phone_told(self, message: JsonObject) -> None:
        """Take a status or an acknowledgement of the phone."""
        stream_id = message.get("streamId")
        is_ack = message.get("type") == "keep_alive_ack"
        status = str(message.get("status"))
        if self.direct is not None and self.direct.stream_id == stream_id:
            self.direct.keep_alive.heard(message.get("ackId") if is_ack else None)
            if not is_ack:
                self._direct_told(self.direct, _DIRECT_STATES.get(status, "stopped"))
        elif self.managed is not None and self.managed.stream_id == stream_id:
            self.managed.keep_alive.heard(message.get("ackId") if is_ack else None)
            if not is_ack:
                self._managed_told(self.managed, _MANAGED_STATES.get(status, "active"), message.get("errorDetails"))

    def _direct_told(self, direct: Direct, state: str) -> None:
        if state in _ENDS:
            self._finish_direct(state)
            return
        direct.state = state
        if state == "active":
            direct.keep_alive.begin()
        self._tell_owner()

    def _managed_told(self, managed: Managed, state: str, details: object) -> None:
        if state in _ENDS:
            text = str(details) if details else ("Stream error" if state == "error" else None)
            self._finish_managed(state, text, stop_phone=state == "error")
            return
        managed.state = state
        if state == "active":
            managed.keep_alive.begin()
        self._tell_viewers(state)

    # --- telling

    def _may_start(self, connection: AppConnection, fields: JsonObject, refusal: str) -> bool:
        session = self._session
        app = session.cloud.store.apps.get(str(fields.get("packageName")))
        if app is None or not is_granted("CAMERA", app.permissions):
            connection.refuse("PERMISSION_DENIED", refusal)
            return False
        fault = session.gate_fault("stream request")
        if fault is not None:
            connection.refuse("INTERNAL_ERROR", fault)
            return False
        model = capabilities(session.device_state.get("modelName"))
        if model is not None and model["hasWifi"] and session.device_state.get("wifiConnected") is not True:
            is_managed = fields.get("type") == "managed_stream_request"
            connection.refuse("INTERNAL_ERROR" if is_managed else "WIFI_NOT_CONNECTED", _NO_WIFI)
            return False
        return True

    def _new_id(self, prefix: str) -> str:
        return messages.short_id(self._session.cloud.random, prefix, 10)

    def _tell_start(self, request: JsonObject, url: str, stream_id: str, app: str) -> None:
        session = self._session
        session.tell_phone(
            messages.start_stream(session.user_id, request, url, stream_id, app, session.cloud.timestamp())
        )

    def _tell_owner(self) -> None:
        direct, session = self.direct, self._session
        app = None if direct is None else session.app(direct.package_name)
        if direct is None or app is None:  # pragma: no cover - the app has left meanwhile
            return
        now = session.cloud.timestamp()
        status = messages.stream_status(app.session_id, direct.stream_id, direct.state, direct.package_name, now)
        for kind in ("stream_status", "rtmp_stream_status"):
            app.relay({**status, "type": kind})
        session.relay("stream_status", {**status, "sessionId": session.user_id, "type": "stream_status"})

    def _finish_direct(self, state: str) -> None:
        direct = self.direct
        if direct is not None:  # pragma: no branch - whoever ends it has looked for it
            direct.state = state
            direct.keep_alive.end()
            self._tell_owner()
            self.direct = None

    def _begin_managed(self, managed: Managed) -> None:
        if self.managed is not managed:
            return
        managed.is_begun = True
        self._tell_start(managed.request, managed.ingest, managed.stream_id, "MANAGED_STREAM")
        self._tell_viewers("initializing", "Waiting for stream to start...")
        self._session.agenda.later(INGEST_POLL, lambda: self._look_at_ingest(managed))

    def _look_at_ingest(self, managed: Managed) -> None:
        if self.managed is not managed:
            return
        if managed.state == "active":
            managed.urls = messages.with_preview(managed.urls)
            self._tell_viewers("active", "Stream is now live")
        else:
            self._session.agenda.later(INGEST_POLL, lambda: self._look_at_ingest(managed))

    def _tell_viewers(self, state: str, text: str | None = None) -> None:
        for package_name in list(self.managed.viewers) if self.managed is not None else ():
            self._tell_viewer(package_name, state, text)

    def _tell_viewer(self, package_name: str, state: str, text: str | None = None) -> None:
        """Tell one app, unless it was told just that."""
        managed, app = self.managed, self._session.app(package_name)
        if managed is None or app is None:  # pragma: no cover - the app has left meanwhile
            return
        shown = managed.urls
        if text != "Stream is now live":
            shown = {name: value for name, value in managed.urls.items() if name != "previewUrl"}
        outputs = [target.told(status="stopped") for target in managed.targets]
        told = messages.managed_status(state, managed.stream_id, shown, text, outputs)
        if told != managed.viewers.get(package_name):  # pragma: no branch - two events of one state at once
            managed.viewers[package_name] = told
            app.relay(told)

    def _finish_managed(self, state: str, text: str | None = None, *, stop_phone: bool = False) -> None:
        managed, session = self.managed, self._session
        if managed is None:  # pragma: no cover - a timer that ends in the moment of a stop
            return
        managed.keep_alive.end()
        if stop_phone and managed.is_begun:
            now = session.cloud.timestamp()
            session.tell_phone(messages.stop_stream(session.user_id, "MANAGED_STREAM", managed.stream_id, now))
        self._tell_viewers(state, text)
        self.managed = None


_SILENT_PHONE = ("error", "Stream timed out waiting for keep-alive")


def start_direct(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """`stream_request`, also under its old name."""
    session.streams.start(connection, fields)


def stop_direct(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """`stream_stop`, also under its old name."""
    session.streams.stop(connection, fields)


def start_managed(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """`managed_stream_request`."""
    session.streams.start_managed(connection, fields)


def stop_managed(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """`managed_stream_stop`."""
    del connection
    session.streams.stop_managed(fields)


def check_streams(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """`stream_status_check`."""
    del fields
    session.streams.check(connection)


# --- the glasses


def begin_video(user: User, message: JsonObject) -> None:
    """Begin to stream as the phone was told. Glasses without a camera say nothing (P3 0.5)."""
    camera, model = user.glasses.camera, capabilities(user.glasses.model)
    if not camera.streams or (model is not None and not model["hasCamera"]):
        return
    camera.stream_url = str(message.get("streamUrl"))
    stream_id = message.get("streamId")
    for seconds, status in ((0.1, "connecting"), (1.0, "streaming")):
        user.answer_later(seconds, {"type": "stream_status", "streamId": stream_id, "status": status})


def end_video(user: User, message: JsonObject) -> None:
    """End the stream."""
    del message
    user.glasses.camera.stream_url = None


def keep_video_alive(user: User, message: JsonObject) -> None:
    """Say that the stream goes on."""
    if user.glasses.camera.streams:
        ids = {name: message.get(name) for name in ("streamId", "ackId")}
        user.answer_later(0.0, {"type": "keep_alive_ack", **ids})
