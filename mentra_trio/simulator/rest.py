"""The cloud's HTTP interface for apps (P1 8): over real HTTP by `server`, and in memory by `CloudHttp`."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import attrs
import trio

from mentra_trio._net.rest import HttpAnswer, HttpClient, HttpRequest
from mentra_trio.errors import ConnectFailedError, TransportError

from . import messages
from .sound import TTS_PATH, speech
from .storage import as_object
from .targets import use_targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from mentra_trio._net.transport import CloudUrl, Connector, Transport  # noqa: TC004 - nobody evaluates it

    from .apps import InstalledApp
    from .engine import Cloud  # noqa: TC004 - a cycle, and nobody evaluates it
    from .messages import Reply
    from .storage import Storage

_STORAGE = ("api", "sdk", "simple-storage")
_PERMISSIONS = ("api", "public", "permissions")
_STREAMS = ["api", "streams"]


@attrs.frozen(kw_only=True)
class HttpCall:
    """A call that an app made."""

    at: float
    """When, on the Trio clock."""
    method: str
    target: str
    """Path and query as they were sent."""
    body: object
    """The JSON that was sent; `None` where there was none."""
    status: int
    """What it was answered."""


def respond(cloud: Cloud, method: str, target: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
    """Answer a call of an app. Header names are in lower case."""
    path = target.partition("?")[0]
    content = _json(body)
    status = cloud.faults.http_status
    if path == TTS_PATH and method == "GET":
        sound = speech(target)
        cloud.note_call(HttpCall(at=trio.current_time(), method=method, target=target, body=None, status=sound.status))
        return sound
    if cloud.faults.draining and path != "/livez":
        reply = messages.reply(503, status="draining", message="Server is shutting down")
    elif path in ("/livez", "/health"):
        reply = messages.reply(200, status="ok")
    elif status is not None:
        reply = messages.reply(status, error=HTTPStatus(status).phrase)
    else:
        parts = [unquote(part) for part in path.split("/")[1:]]
        if parts[:2] == _STREAMS:
            found = use_targets(cloud, method, target, parts[2:], headers, content)
        else:
            found = _route(cloud, method, parts, headers, content)
        reply = found or messages.reply(404, error="Not found", path=path, timestamp=cloud.timestamp())
    cloud.note_call(HttpCall(at=trio.current_time(), method=method, target=target, body=content, status=reply.status))
    answer = b"ok" if path == "/livez" else reply.text.encode("utf-8", "surrogatepass")
    kind = "text/plain; charset=UTF-8" if path == "/livez" else "application/json"
    return HttpAnswer(status=reply.status, headers={"content-type": kind}, body=answer)


def _json(body: bytes) -> object:
    try:
        return cast("object", json.loads(body)) if body else None
    except ValueError:
        return None


def _route(cloud: Cloud, method: str, parts: Sequence[str], headers: Mapping[str, str], body: object) -> Reply | None:
    """Find what a path stands for; `None` for nothing."""
    head, rest = tuple(parts[:3]), list(parts[3:])
    if head == _PERMISSIONS and len(rest) == 1 and method == "GET":
        return _permissions(cloud, rest[0])
    if head == _STORAGE and rest and rest[0]:
        app = _authenticated(cloud, headers)
        if not isinstance(app, messages.Reply):
            return _use_storage(cloud, app, cloud.store.storage(rest[0], app.package_name), method, rest[1:], body)
        cloud.report("", "P1 8.2", "it called the cloud over HTTP without a key that is valid")
        return app
    return None


def _permissions(cloud: Cloud, package_name: str) -> Reply:
    app = cloud.store.apps.get(package_name)
    if app is None:
        return messages.reply(404, error="App not found")
    return messages.permissions(package_name, app.permissions, lambda: f"{cloud.random.getrandbits(96):024x}")


def _authenticated(cloud: Cloud, headers: Mapping[str, str]) -> InstalledApp | Reply:
    """Find out which app calls, in the order of the cloud's checks (P1 8.2)."""
    given = headers.get("authorization")
    if given is None:
        return _unauthorized("Missing Authorization header", "Authorization header is required for SDK requests")
    scheme, _, token = given.partition(" ")
    if scheme != "Bearer":
        return _unauthorized(
            "Invalid Authorization format", "Authorization header must be in format: Bearer <packageName>:<apiKey>"
        )
    package_name, colon, key = token.partition(":")
    if not colon or ":" in key:
        return _unauthorized("Invalid token format", "Token must be in format: <packageName>:<apiKey>")
    if not package_name or not key:
        return _unauthorized("Invalid credentials", "Both packageName and apiKey must be provided")
    app = cloud.store.apps.get(package_name)
    if app is None or app.api_key != key:
        return _unauthorized("Invalid API key", "Provided API key is not valid for this packageName")
    return app


def _unauthorized(error: str, message: str) -> Reply:
    return messages.reply(401, error=error, message=message)


def _use_storage(
    cloud: Cloud, app: InstalledApp, storage: Storage, method: str, rest: Sequence[str], body: object
) -> Reply | None:
    storage.nests_dots = cloud.quirks.dotted_keys_nest
    fields = as_object(body) or {}
    match method, *rest:
        case ["GET"]:
            return storage.read_all()
        case ["PUT"]:
            for key in as_object(fields.get("data")) or ():
                _check_key(cloud, app, key)
            return storage.write_all(fields.get("data"))
        case ["DELETE"]:
            return storage.clear()
        case ["GET", key] if key:
            return storage.read(key)
        case ["PUT", key] if key:
            _check_key(cloud, app, key)
            return storage.write(key, fields.get("value"))
        case ["DELETE", key] if key:
            return storage.delete(key)
        case _:
            return None


def _check_key(cloud: Cloud, app: InstalledApp, key: str) -> None:
    """Report a key that the database does not take for one."""
    if not key or "." in key or key.startswith("$"):
        cloud.report(app.package_name, "P3 9.4", "it stored a value under a key that is empty, dotted or begins with $")


@attrs.define(eq=False)
class CloudHttp:
    """HTTP in memory, to one cloud."""

    _cloud: Cloud

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        """See `HttpClient.exchange`."""
        cloud = self._cloud
        await trio.lowlevel.checkpoint()
        if cloud.is_unreachable:
            raise ConnectFailedError(f"no HTTP connection to {request.url.authority}: connection refused")
        delay = cloud.faults.http_delay
        if delay:
            await trio.sleep(delay)
        headers = {name.lower(): value for name, value in request.headers}
        answer = respond(cloud, request.method, request.url.target, headers, request.body)
        if cloud.faults.lose_http_answers:
            raise TransportError("the connection ended before the answer came")
        if len(answer.body) > largest:
            raise TransportError(f"the answer has more than {largest} bytes")
        return answer

    async def aclose(self) -> None:
        """Do nothing: nothing is kept open."""
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class CloudNetwork:
    """Sockets and HTTP in memory, to one cloud."""

    _connector: Connector
    http: HttpClient
    """What makes requests to that cloud."""

    def connect(
        self, url: CloudUrl, headers: Sequence[tuple[str, bytes]], *, timeout: float
    ) -> AbstractAsyncContextManager[Transport]:
        """See `Connector.connect`."""
        return self._connector.connect(url, headers, timeout=timeout)
