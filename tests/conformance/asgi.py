"""Calls an ASGI application in the same process, without sockets and without an HTTP library."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import attrs
import trio

from .marks import bytes_of

if TYPE_CHECKING:
    from .recordings import Json

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


@attrs.frozen
class Answer:
    """What the application answered."""

    status: int
    headers: dict[str, str]
    body: bytes
    at: float
    """Trio time of the last byte."""

    @property
    def content_type(self) -> str:
        """Type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0]

    def json(self) -> object:
        """The body as JSON, or as text where it is something else."""
        try:
            return cast("object", json.loads(self.body))
        except ValueError:
            return self.body.decode()


async def call(application: Application, *, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
    """Make one request."""
    path, _, query = target.partition("?")
    given = {"host": "app.example.com", "content-length": str(len(body)), **headers}
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": ("192.0.2.1", 40000),
        "server": ("app.example.com", 443),
    }
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
    start: Message = {}
    parts: list[bytes] = []

    async def receive() -> Message:
        if incoming:
            await trio.lowlevel.checkpoint()
            return cast("Message", incoming.pop())
        await trio.sleep_forever()  # nobody hangs up
        raise AssertionError

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    await application(scope, receive, send)
    found = cast("list[tuple[bytes, bytes]]", start["headers"])
    return Answer(
        status=start["status"],
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in found},
        body=b"".join(parts),
        at=trio.current_time(),
    )


def multipart(form: Json) -> tuple[str, bytes]:
    """Encode the fields and files of a recorded form; give its type and its bytes."""
    boundary = "----recorded-form"
    body = b""
    for name, value in form.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, dict):
            file = cast("Json", cast("Json", value)["file"])
            head += f'; filename="{file["filename"]}"\r\nContent-Type: {file["content_type"]}'
            data = bytes_of(file["content"])
        else:
            data = str(value).encode()
        body += head.encode() + b"\r\n\r\n" + data + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()
