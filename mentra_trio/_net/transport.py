"""The seam between sessions and sockets: messages in, messages out (D12).

The contracts of this module are stated here once. Implementations refer to them, and every implementation passes the
same conformance tests.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

import attrs
import trio


@attrs.frozen(kw_only=True)
class CloudUrl:
    """Where a connection goes, in parts.

    Connectors work from these parts and never see the text of a URL, so there is no second parser that could read
    another host out of it. `HostPolicy.check` is where untrusted text becomes a `CloudUrl`.
    """

    host: str = attrs.field(validator=attrs.validators.min_len(1))
    """Host name in lower case, or an IP address; IPv6 without brackets."""
    port: int = attrs.field(validator=[attrs.validators.ge(1), attrs.validators.le(65535)])
    tls: bool
    target: str = attrs.field(default="/", validator=attrs.validators.matches_re(r"/[!-~]*"))
    """Path and query as they stand in the request line: ASCII, starts with a slash."""

    @property
    def origin(self) -> str:
        """Scheme, host and port, always with the port: `wss://api.mentra.glass:443`."""
        return f"{'wss' if self.tls else 'ws'}://{self._bracketed}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the `Host` header: the port is left out where it is the usual one."""
        return self._bracketed if self.port == (443 if self.tls else 80) else f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


class Transport(Protocol):
    """One open WebSocket.

    One task receives and one task sends; they may be the same. `ping` and `aclose` may be called from any task at any
    time.

    Error handling: whoever uses a transport that has ended gets `TransportClosedError` with the peer's close code and
    reason, 1006 when it went without a close frame. The same end is reported to every call, as often as it is asked.

    A peer's pings are answered by the transport itself, also while nobody calls `receive`, for as long as what waits to
    be received stays below a limit that the implementation documents (T2). Above it the peer is slowed down, and its
    pings wait.
    """

    async def receive(self) -> Sequence[str | bytes]:
        """Wait for messages and return all that have arrived, at least one, oldest first.

        Text messages are `str`, binary ones `bytes`. What arrived before the peer closed is still handed over; after
        our own `aclose` it is not. Cancelling loses nothing.
        """
        ...

    async def send(self, message: str | bytes) -> None:
        """Write one frame; return when the network took it.

        Only one task may call this. Not cancel-safe: a write that was cancelled may have stopped inside a frame, so the
        transport closes the socket hard and is of no further use (T1).
        """
        ...

    async def ping(self) -> None:
        """Send a ping frame and return when its pong has arrived.

        Cancelling only stops the waiting: the frame is written by the transport's own task, so the socket stays whole.
        Calls while another ping is on its way share the next frame.
        """
        ...

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Do the close handshake, then close the socket.

        Waits for the peer's part for as long as the caller lets it: bound it with a deadline. Cancelling closes the
        socket hard, so a cancelled `aclose` is how to do that on purpose. Doing it again is harmless.

        A reason of more than 123 UTF-8 bytes is cut. `ValueError` for a code that may not be sent.
        """
        ...


class Connector(Protocol):
    """Opens transports."""

    def connect(
        self, url: CloudUrl, headers: Sequence[tuple[str, bytes]], *, timeout: float
    ) -> AbstractAsyncContextManager[Transport]:
        """Return a context that dials, does TLS and the upgrade, all within `timeout` seconds.

        Header values are bytes, because session ids may hold more than ASCII.

        Resource handling: the context owns the socket and the tasks that serve it. Leaving it closes hard what is still
        open, so a polite end is an `aclose` inside.

        Error handling: `ConnectFailedError` on entry, with the HTTP status where the peer refused the upgrade. After
        that a loss of the socket shows in the transport's calls only and never as an exception of the context; an
        exception of the body leaves unwrapped.
        """
        ...


Dial: TypeAlias = Callable[[CloudUrl], Awaitable[trio.abc.Stream]]
"""Opens the byte stream for a URL: TCP with or without TLS, or a memory stream in tests."""
