"""Serve an ASGI application with hypercorn, on Trio. Only this module imports hypercorn."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, cast

import trio

from mentra_trio.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hypercorn.typing import ASGIFramework
    from starlette.types import ASGIApp

_logger = logging.getLogger("mentra_trio.server")

_BACKLOG = 1024
"""Connections that may wait to be accepted. Beyond them the kernel drops a webhook, and its caller tries again a second
later; all wearers of an app may come at once when the cloud restarts."""


async def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    graceful_timeout: float,
    shutdown: Callable[[], Awaitable[None]],
    logger: logging.Logger = _logger,
    task_status: trio.TaskStatus[tuple[str, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until `shutdown` returns, then let requests in flight finish for `graceful_timeout` seconds.

    Started with the URLs that it listens on, so port 0 can be asked for. Connections without a request in flight do
    not hold the stop up. Cancelling stops at once.

    Error handling: `ConfigError` when the address cannot be had, before anything is started. Exceptions of the
    application are its own to answer: what escapes it ends in a record of `logger`.
    """
    # Imported here: hypercorn doubles the time of `import mentra_trio`, and apps behind another server never need it.
    import hypercorn.trio  # noqa: PLC0415 - late, as said above
    from hypercorn.config import Config, Sockets  # noqa: PLC0415 - late, as said above
    from hypercorn.logging import Logger  # noqa: PLC0415 - late, as said above

    class QuietLogger(Logger):
        """Leaves it to us to tell where the server listens."""

        async def info(self, message: str, *args: object, **kwargs: object) -> None:
            await self.debug(message, *args, **kwargs)

    class BoundConfig(Config):
        """Hands over a socket that is already bound, so that its errors are ours to tell."""

        logger_class: type[Logger] = QuietLogger

        def create_sockets(self) -> Sockets:
            return Sockets(secure_sockets=[], insecure_sockets=[listener], quic_sockets=[])

    with _listen(host, port) as listener:
        config = BoundConfig()
        config.accesslog = None
        config.errorlog = logger
        config.graceful_timeout = graceful_timeout
        config.backlog = _BACKLOG
        run = partial(
            hypercorn.trio.serve,  # pyright: ignore[reportUnknownMemberType] - its WSGI half has no types
            cast("ASGIFramework", app),  # the same ASGI types under other names
            config,
            shutdown_trigger=shutdown,
            mode="asgi",
        )
        async with trio.open_nursery() as nursery:
            urls: list[str] = await nursery.start(run)
            task_status.started(tuple(urls))


def _listen(host: str, port: int) -> socket.socket:
    """Bind and listen. `::` takes IPv4 as well."""
    try:
        with ExitStack() as stack:
            listener = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
            if os.name == "posix":  # pragma: no branch - elsewhere the option would let two servers share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if host == "::" and socket.has_dualstack_ipv6():
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind((host, port))
            listener.listen(_BACKLOG)
            stack.pop_all()
            return listener
    except (OSError, OverflowError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot listen on {host} port {port}: {words}; choose another host= or port=") from error
