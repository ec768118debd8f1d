"""What a table of recorded calls holds; each capability has one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import attrs
import trio
import trio.testing

from mentra_trio.models import LinkState
from tests.conformance.app import App
from tests.conformance.timeline import Item

Call = Callable[[App, Item], Awaitable[object]]
"""Makes a recorded call, and gives what it returns."""
Registration = Callable[[App, Item], None]
"""Registers a recorded handler, or removes it."""
Property = Callable[[App, Item], object]
"""Reads a recorded property."""


@attrs.frozen(kw_only=True)
class Table:
    """How the recorded names of one capability are spelled in this SDK."""

    calls: Mapping[str, Call] = attrs.field(factory=dict[str, Call])
    registrations: Mapping[str, Registration] = attrs.field(factory=dict[str, Registration])
    properties: Mapping[str, Property] = attrs.field(factory=dict[str, Property])


def is_open(app: App, item: Item, name: str) -> bool:
    """Whether the session has an open stream whose name begins like this."""
    return any(stream.name.startswith(name) for stream in app.session(item).statistics().streams.open)


async def command(app: App, item: Item, call: Callable[[], Awaitable[None]]) -> None:
    """Make a call that waits while the link is down beside what the recorded app does next, as it did not wait."""
    if app.session(item).link_state.value is LinkState.RECONNECTING:
        app.nursery.start_soon(call)
        await trio.testing.wait_all_tasks_blocked()
    else:
        await call()
