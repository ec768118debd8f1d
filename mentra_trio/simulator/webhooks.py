"""How the cloud calls apps: the seam, a face that calls an ASGI application in this process, and one over HTTP."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Mapping  # noqa: TC004 - nobody evaluates it
    from urllib.parse import SplitResult

    from starlette.types import ASGIApp, Message, Scope  # noqa: TC004 - nobody evaluates it

_JSON = "application/json"
_MOST_HEAD = 16 * 1024
"""Bytes of an answer that are read for its status."""


class WebhookClient(Protocol):
    """Calls apps."""

    async def post(self, url: str, body: bytes) -> int | None:
        """Post JSON and return the HTTP status; `None` when nobody answered. Callers bound it with a deadline."""
        ...


@runtime_checkable
class Uploader(Protocol):
    """Posts the photos of a phone. A webhook client that is one as well reaches apps this way too."""

    async def upload(self, url: str, body: bytes, content_type: str, token: str | None) -> int | None:
        """Post a form, with a bearer token where there is one; as `WebhookClient.post`."""
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

    _apps: Mapping[str, ASGIApp]
    """Applications by public URL, such as `https://app.example.com`."""

    async def post(self, url: str, body: bytes) -> int | None:
        """Call the application as its server would. One that raises has answered 500."""
        return await self.upload(url, body, _JSON, None)

    async def upload(self, url: str, body: bytes, content_type: str, token: str | None) -> int | None:
        """Call the application as its server would for an upload."""
        for base, app in self._apps.items():
            if url.startswith(f"{base}/"):
                return await _call(app, url, body, content_type, token)
        await trio.lowlevel.checkpoint()
        return None


async def _call(app: ASGIApp, url: str, body: bytes, content_type: str, token: str | None) -> int:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    scope: Scope = {
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
            (b"content-type", content_type.encode("ascii")),
            (b"content-length", str(len(body)).encode("ascii")),
            *([] if token is None else [(b"authorization", f"Bearer {token}".encode("latin-1"))]),
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


@attrs.define(eq=False)
class HttpWebhooks:
    """Calls apps over real HTTP.

    Written by hand on purpose: of the answer only the status counts (P1 1.3), and an HTTP client for one line of text
    would be the package's heaviest dependency.
    """

    async def post(self, url: str, body: bytes) -> int | None:
        """Post on a connection of its own. `None` when nobody is there, or what is there does not speak HTTP."""
        return await self.upload(url, body, _JSON, None)

    async def upload(self, url: str, body: bytes, content_type: str, token: str | None) -> int | None:
        """Post a form in the same way."""
        parts = urlsplit(url)
        status: int | None = None
        with suppress(OSError, trio.BrokenResourceError):
            async with await _open(parts) as stream:
                await stream.send_all(_request(parts, body, content_type, token))
                status = await _read_status(stream)
        await trio.lowlevel.checkpoint()
        return status


async def _open(parts: SplitResult) -> trio.abc.Stream:
    host = parts.hostname or ""
    if parts.scheme == "https":  # pragma: no cover - needs a certificate that this machine trusts
        return await trio.open_ssl_over_tcp_stream(host, parts.port or 443, https_compatible=True)
    return await trio.open_tcp_stream(host, parts.port or 80)


def _request(parts: SplitResult, body: bytes, content_type: str, token: str | None) -> bytes:
    authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
    head = (
        f"POST {parts.path or '/'} HTTP/1.1\r\n"
        f"Host: {parts.netloc}\r\n"
        "Accept: application/json, text/plain, */*\r\n"
        f"Content-Type: {content_type}\r\n"
        f"{authorization}"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n"
        "\r\n"
    )
    return head.encode("ascii") + body


async def _read_status(stream: trio.abc.Stream) -> int | None:
    """Read the status line, then the rest, so that the server sees its answer taken."""
    head = b""
    async for chunk in stream:
        if len(head) < _MOST_HEAD:
            head += chunk
    version, _, rest = head.partition(b" ")
    digits = rest[:3]
    return int(digits) if version.startswith(b"HTTP/1.") and digits.isdigit() else None
