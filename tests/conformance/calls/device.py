"""The glasses themselves."""

from typing import cast

from tests.conformance.app import IGNORED, App, describe
from tests.conformance.timeline import Item

from .tables import Table


def _buttons(app: App, item: Item) -> None:
    app.listen(item, app.session(item).device.buttons.stream(), describe)


def _head(app: App, item: Item) -> None:
    app.listen(item, app.session(item).device.head.stream(), describe)


def _on_device_state(app: App, item: Item) -> None:
    state = app.session(item).device.state
    name = cast("str", item.args[0])
    seen: object = None

    def news(now: object) -> object:
        nonlocal seen
        value = getattr(now, name)
        if value == seen:
            return IGNORED
        seen = value
        return value

    if (first := news(state.value)) is not IGNORED:
        app.got(item.handlers[0], first)
    app.watch(item, state.changes(), news)


def _on_capabilities(app: App, item: Item) -> None:
    capabilities = app.session(item).device.capabilities
    if item.is_before_ack and capabilities.value is not None:
        app.got(item.handlers[0], describe(capabilities.value))
    app.watch(item, capabilities.changes(), describe)


TABLE = Table(
    registrations={
        "device.on_button_press": _buttons,
        "device.on_head_position": _head,
        "device.on_capabilities_change": _on_capabilities,
        "device.state.on_change": _on_device_state,
    },
    properties={
        "session.capabilities": lambda app, item: describe(app.session(item).device.capabilities.value),
        "device.state": lambda app, item: describe(app.session(item).device.state.value),
        "device.capabilities": lambda app, item: describe(app.session(item).device.capabilities.value),
    },
)
