"""The glasses themselves."""

from typing import cast

from tests.conformance.app import IGNORED, App, describe
from tests.conformance.marks import snake_keys
from tests.conformance.timeline import Item

from .tables import Table, command


def _buttons(app: App, item: Item) -> None:
    app.listen(item, app.session(item).device.buttons.stream(), describe)


def _head(app: App, item: Item) -> None:
    app.listen(item, app.session(item).device.head.stream(), describe)


def _touches(app: App, item: Item) -> None:
    gestures = cast("list[str] | str", item.args[0]) if item.args else None
    if gestures == []:
        app.cleans_up(item, lambda: None)  # no gesture is no stream in the recorded API, and all of them in this one
        return
    names = [gestures] if isinstance(gestures, str) else gestures or []
    app.listen(item, app.session(item).device.touches.stream(*names), describe)


def _battery(app: App, item: Item) -> None:
    app.listen(item, app.session(item).device.battery_reports.stream(), describe)


def _vps(app: App, item: Item) -> None:
    app.listen(item, app.session(item).raw.stream("vps_coordinates"), lambda event: snake_keys(event.data))


async def _wifi_setup(app: App, item: Item) -> None:
    reason = cast("str | None", item.args[0]) if item.args else None
    await command(app, item, lambda: app.session(item).device.request_wifi_setup(reason))


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
    calls={"device.request_wifi_setup": _wifi_setup},
    registrations={
        "device.on_button_press": _buttons,
        "device.on_head_position": _head,
        "device.on_touch_event": _touches,
        "device.on_battery_update": _battery,
        "device.on_vps_coordinates": _vps,
        "device.on_capabilities_change": _on_capabilities,
        "device.state.on_change": _on_device_state,
    },
    properties={
        "session.capabilities": lambda app, item: describe(app.session(item).device.capabilities.value),
        "device.state": lambda app, item: describe(app.session(item).device.state.value),
        "device.capabilities": lambda app, item: describe(app.session(item).device.capabilities.value),
    },
)
