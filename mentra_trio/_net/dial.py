"""From a URL to a byte stream: TCP, TLS where the URL says so, and words for what went wrong."""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING, cast

import trio

from mentra_trio.errors import ConnectFailedError

if TYPE_CHECKING:
    from .transport import CloudUrl, Dial


async def open_stream(dial: Dial, url: CloudUrl) -> trio.abc.Stream:
    """Dial. Raises `ConnectFailedError`, also for the errors of streams that `dial` lets through."""
    try:
        return await dial(url)
    except (OSError, trio.BrokenResourceError) as error:
        raise ConnectFailedError(f"no connection to {url.origin}: {_reason_of(error)}") from error


async def dial_tcp(url: CloudUrl) -> trio.abc.Stream:
    """Open TCP, and TLS where the URL says so. Raises `ConnectFailedError`.

    The certificate is checked against the system's authorities and the host name.
    """
    try:
        stream = await trio.open_tcp_stream(url.host, url.port)
    except UnicodeError as error:
        raise ConnectFailedError(f"{url.host} is not a host name that can be looked up") from error
    except OSError as error:
        raise ConnectFailedError(f"no connection to {url.origin}: {_reason_of(error)}") from error
    if not url.tls:
        return stream
    secure = trio.SSLStream(stream, tls_context(), server_hostname=url.host, https_compatible=True)
    try:
        await _start_tls(secure, url)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secure


async def _start_tls(stream: trio.SSLStream[trio.SocketStream], url: CloudUrl) -> None:
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as error:
        raise ConnectFailedError(f"no TLS with {url.origin}: {_reason_of(error)}") from error


@cache
def tls_context() -> ssl.SSLContext:
    """Load the system's authorities once: it takes tens of milliseconds of blocking work."""
    return ssl.create_default_context()


def _reason_of(error: BaseException) -> str:
    """Find the telling words: often Trio's own text says only that something failed, and the cause says what."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError):
        return f"it does not speak TLS that this side understands ({cause.reason})"
    if isinstance(cause, ExceptionGroup):
        # One error for each address that was tried; `isinstance` cannot tell the type argument.
        tried = cast("ExceptionGroup[Exception]", cause).exceptions
        return ", ".join(sorted({str(each) for each in tried}))
    return str(cause or error) or "the peer closed the connection"
