"""Body first, services last: background tasks that outlive the block they serve by exactly its clean-up."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@contextlib.asynccontextmanager
async def open_services() -> AsyncGenerator[trio.Nursery, None]:
    """Open a nursery whose tasks keep working until the block has ended, and are then cancelled::

        async with open_services() as services:
            services.start_soon(write_frames)
            await use_the_connection()

    A cancellation from outside reaches the block at once, but not the services: the block's ``finally`` clauses can
    still use them. `start` is part of the block: a service that is cancelled before it called ``started()`` ends.

    Resource handling: when the block is left, in whatever way, the services are cancelled and waited for. Their own
    clean-up decides how long that takes.

    Error handling: an exception of the block leaves unwrapped. A service is expected not to raise; if one does, that is
    a bug: all services and the block are cancelled, and the exception leaves in a group, together with the block's own
    exception if there is one.
    """
    failure: Exception | None = None
    try:
        async with trio.open_nursery() as outer:
            services = await outer.start(_hold)
            try:
                yield services
            except Exception as error:  # noqa: BLE001  # raised below, where no nursery wraps it
                failure = error
            finally:
                # Essential: the services are shielded, so no other cancellation can ever end them.
                services.cancel_scope.cancel(reason="the block that the services were for has ended")
    except BaseExceptionGroup as group:
        if failure is None:
            raise
        raise BaseExceptionGroup("a block and its services failed", [failure, group]) from None
    if failure is not None:
        raise failure


async def _hold(task_status: trio.TaskStatus[trio.Nursery]) -> None:  # noqa: ASYNC114  # started only above
    async with trio.open_nursery() as services:
        # A task that was cancelled stays in the scope that called `start`, in spite of `started()`; shielded, it would
        # never end. There is no checkpoint between this check and `started()`.
        await trio.lowlevel.checkpoint_if_cancelled()
        # Ends: `open_services` cancels this scope in its `finally`.
        services.cancel_scope.shield = True
        task_status.started(services)
        await trio.sleep_forever()
