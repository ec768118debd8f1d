"""The seam between sessions and the cloud's HTTP interface: one request, one whole answer (D11). Only here is httpx2.

As with sockets, requests are made of a `CloudUrl`, which is built from parts: nobody reads the text of a URL a second
time, so the app's key goes where `HostPolicy` allowed it and nowhere else. Redirects are not followed, and neither
proxies nor passwords are taken from the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs
import trio

from mentra_trio._version import __version__
from mentra_trio.errors import ConnectFailedError, TransportError

from .dial import tls_context
from .transport import CloudUrl, Connector

if TYPE_CHECKING:
    import httpx2

_MOST_CONNECTIONS = 20
"""Requests of all sessions of an app that are under way at once; others wait for their turn, within their limit."""
_KEEP_ALIVE = 20.0
"""Seconds that an idle connection is kept. Storage is written every few seconds, if at all (P3 9.2)."""
_HEADERS = (
    ("user-agent", f"mentra_trio/{__version__}"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip, deflate"),
)


@attrs.frozen(kw_only=True)
class HttpRequest:
    """What is sent."""

    method: str
    url: CloudUrl
    """Where to; its target is the path and the query. `tls` means https."""
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    """Beyond those that every request has. They may hold the key (D23)."""
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class HttpAnswer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Names in lower case."""
    body: bytes = attrs.field(default=b"", repr=False)


class HttpClient(Protocol):
    """Makes requests. Any number of tasks may use one.

    The contract: no limit of time, callers bound it; cancelling gives the request up, and whether it has arrived
    is not known; the answer's body has at most `largest` bytes.
    """

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        """Send a request and wait for its whole answer, whatever its status.

        Raises:
            TransportError: there was none, or it was too large; `ConnectFailedError` when nothing was sent.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open. Nothing may be asked for after that. Callers bound it with a deadline."""
        ...


@runtime_checkable
class Network(Connector, Protocol):
    """A connector that also brings the HTTP of the network that it reaches, as that of a simulated cloud does."""

    @property
    def http(self) -> HttpClient:
        """What makes requests there."""
        ...


class NoHttp:
    """A network without HTTP, which goes with a connector of tests."""

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        """Reach nobody."""
        del largest
        await trio.lowlevel.checkpoint()
        raise ConnectFailedError(
            f"no HTTP connection to {request.url.host}: the app was given connector= for its sockets, but no http="
        )

    async def aclose(self) -> None:
        """Do nothing."""
        await trio.lowlevel.checkpoint()


class HttpxClient:
    """The default: httpx2, which is imported with the first request.

    Args:
        transport: what carries the requests, for tests; the network unless given.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._given = transport
        self._transport: httpx2.AsyncBaseTransport | None = None

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        """See `HttpClient.exchange`."""
        # Imported here: most of what an app does needs no HTTP.
        import httpx2  # noqa: PLC0415 - late, as said above

        if self._transport is None:
            self._transport = self._given or _open()
        url = httpx2.URL(
            scheme="https" if request.url.tls else "http",
            host=request.url.host,
            port=request.url.port,
            raw_path=request.url.target.encode("ascii"),
        )
        sent = httpx2.Request(request.method, url, headers=(*_HEADERS, *request.headers), content=request.body or None)
        try:
            answer = await self._transport.handle_async_request(sent)
            try:
                body = await _read(answer, largest)
            finally:
                with trio.CancelScope(shield=True), trio.move_on_after(1):
                    await answer.aclose()
        except (httpx2.ConnectError, httpx2.UnsupportedProtocol) as error:
            raise ConnectFailedError(f"no HTTP connection to {request.url.authority}: {error}") from error
        except (httpx2.TransportError, httpx2.DecodingError, httpx2.StreamError) as error:
            # Without its text, which may quote what was sent or received (D23).
            raise TransportError(
                f"the HTTP request to {request.url.authority} failed: {type(error).__name__}"
            ) from error
        return HttpAnswer(status=answer.status_code, headers=_headers(answer), body=body)

    async def aclose(self) -> None:
        """See `HttpClient.aclose`."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()
        await trio.lowlevel.checkpoint()


def _open() -> httpx2.AsyncBaseTransport:
    import httpx2  # noqa: PLC0415 - late, as in `exchange`

    # Without limits of time: callers set deadlines, which Trio keeps.
    return httpx2.AsyncHTTPTransport(
        verify=tls_context(),
        trust_env=False,
        limits=httpx2.Limits(max_connections=_MOST_CONNECTIONS, keepalive_expiry=_KEEP_ALIVE),
    )


async def _read(answer: httpx2.Response, largest: int) -> bytes:
    """Read the body, and no more of it than is wanted."""
    parts: list[bytes] = []
    size = 0
    async with aclosing(answer.aiter_bytes()) as body:
        async for part in body:
            size += len(part)
            if size > largest:
                raise TransportError(f"the answer has more than {largest} bytes")
            parts.append(part)
    return b"".join(parts)


def _headers(answer: httpx2.Response) -> Mapping[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}
