"""Recorded calls and properties, spelled in this SDK; each capability has a module with its table.

A call that is not in one of the tables cannot be mapped, and that is a failure.
"""

import copy
from typing import cast

import trio
import trio.testing

from tests.conformance.app import App, Outcome, UnmappedCallError
from tests.conformance.recordings import as_object
from tests.conformance.timeline import Item

from . import (
    camera,
    clock,
    dashboard,
    device,
    display,
    led,
    location,
    mic,
    permissions,
    phone,
    session,
    speaker,
    storage,
    transcription,
    translation,
)
from .tables import Call, Registration

_TABLES = (
    camera.TABLE,
    session.TABLE,
    speaker.TABLE,
    transcription.TABLE,
    translation.TABLE,
    clock.TABLE,
    phone.TABLE,
    location.TABLE,
    dashboard.TABLE,
    display.TABLE,
    device.TABLE,
    mic.TABLE,
    led.TABLE,
    storage.TABLE,
    permissions.TABLE,
)
_CALLS = {name: call for table in _TABLES for name, call in table.calls.items()}
_REGISTRATIONS = {name: register for table in _TABLES for name, register in table.registrations.items()}
_PROPERTIES = {name: read for table in _TABLES for name, read in table.properties.items()}

_ANSWERED = ("camera.", "location.", "speaker.")
"""Calls that wait for an answer: several in one tick are made in their order, and nothing replaces another."""


async def perform(app: App, recorded: Item) -> None:
    """Make a call or read a property. What it gives is in the app's `outcomes`."""
    item = copy.copy(recorded)
    item.args = [argument(value) for value in recorded.args]
    item.kwargs = {name: argument(value) for name, value in recorded.kwargs.items()}
    method = item.method or ""
    outcome = app.outcomes[cast("int", item.api)] = Outcome()
    if item.kind == "get":
        if method not in _PROPERTIES:
            raise UnmappedCallError(f"the property {method} has no counterpart in the tables")
        outcome.value = _PROPERTIES[method](app, item)
        outcome.is_done = True
    elif app.clean_up(method):
        outcome.is_done = True
    elif method in _REGISTRATIONS:
        _register(app, _REGISTRATIONS[method], item, outcome)
    elif method not in _CALLS:
        raise UnmappedCallError(f"the call {method} has no counterpart in the tables")
    elif item.is_async:
        app.nursery.start_soon(_call, app, _CALLS[method], item, outcome)
        if method.startswith(_ANSWERED):
            await trio.testing.wait_all_tasks_blocked()
        await trio.lowlevel.checkpoint()  # calls begin in the order in which they were made
    else:
        await _call(app, _CALLS[method], item, outcome)


def _register(app: App, register: Registration, item: Item, outcome: Outcome) -> None:
    try:
        register(app, item)
    except ValueError as error:
        outcome.error = error
    outcome.is_done = True


async def _call(app: App, call: Call, item: Item, outcome: Outcome) -> None:
    try:
        outcome.value = await call(app, item)
    except Exception as error:  # noqa: BLE001  (what a call may raise is compared with the recording)
        outcome.error = error
    outcome.is_done = True
    outcome.at = trio.current_time()
    app.changed.unpark_all()


def argument(recorded: object) -> object:
    """Make an argument of what was recorded for it."""
    table = as_object(recorded)
    if table is None:
        return recorded
    repeated = table.get("$repeat")
    if repeated is None:
        return {name: argument(value) for name, value in table.items()}
    text, count = cast("tuple[str, int]", repeated)
    return text * count
