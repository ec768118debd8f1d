"""Tasks that serve a body and end with it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def open_services() -> AsyncGenerator[trio.Nursery, None]:
    """Open a nursery for tasks that never raise; they are cancelled when the body ends.

    The nursery is hidden: an exception of the body leaves as it is, without a group around it.
    """
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            except BaseException as error:
                failure = error
                raise
            finally:
                nursery.cancel_scope.cancel(reason="the connection was left")
    except BaseExceptionGroup:
        # Besides the body's own exception there can only be cancellations in the group, unless a service has a bug:
        # then the body was cancelled for it.
        if failure is None or isinstance(failure, trio.Cancelled):
            raise
    if failure is not None:
        raise failure
