"""How the cloud calls apps: the seam, and a face that calls an ASGI application in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Protocol
from urllib.parse import urlsplit

import attrs
import trio

Message = MutableMapping[str, object]
"""An ASGI message."""
AsgiApp = Callable[
    [MutableMapping[str, object], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
"""An ASGI application."""


class WebhookClient(Protocol):
    """Calls apps."""

    async def post(self, url: str, body: bytes) -> int | None:
        """Post JSON and return the HTTP status; `None` when nobody answered. Callers bound it with a deadline."""
        ...


@attrs.define(eq=False)
class NoWebhooks:
    """A network in which no app can be reached."""

    async def post(self, url: str, body: bytes) -> int | None:
        """Reach nobody."""
        del url, body
        await trio.lowlevel.checkpoint()
        return None


@attrs.define(eq=False)
class AsgiWebhooks:
    """Calls ASGI applications in this process, found by the public URL that a webhook goes to."""

    _apps: Mapping[str, AsgiApp]
    """Applications by public URL, such as `https://app.example.com`."""

    async def post(self, url: str, body: bytes) -> int | None:
        """Call the application as its server would. One that raises has answered 500."""
        for base, app in self._apps.items():
            if url.startswith(f"{base}/"):
                return await _call(app, url, body)
        await trio.lowlevel.checkpoint()
        return None


async def _call(app: AsgiApp, url: str, body: bytes) -> int:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": parts.scheme,
        "path": parts.path,
        "raw_path": parts.path.encode("ascii"),
        "query_string": parts.query.encode("ascii"),
        "root_path": "",
        "headers": [
            (b"host", parts.netloc.encode("ascii")),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode("ascii")),
        ],
        "client": ("127.0.0.1", 0),
        "server": (parts.hostname, port),
    }
    status: list[int] = []
    sent = trio.Event()
    requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        if requests:
            return requests.pop()
        # The client stays until it has the answer.
        await sent.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        code = message.get("status")
        if message["type"] == "http.response.start" and isinstance(code, int):
            status.append(code)
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            sent.set()

    try:
        await app(scope, receive, send)
    except* Exception:  # noqa: BLE001 - as a server does; the status below says what the caller learns of it
        sent.set()
    await trio.lowlevel.checkpoint()
    return status[0] if status else 500
