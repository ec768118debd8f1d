"""The light of the glasses."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .tables import Table, command

if TYPE_CHECKING:
    from tests.conformance.app import App
    from tests.conformance.timeline import Item


async def _set_color(app: App, item: Item) -> None:
    led = app.session(item).led
    color, *rest = item.args
    options = cast("dict[str, float]", item.kwargs)
    if options:
        # What the recorded call leaves out is what the phone takes for it (P3 8.2).
        await led.blink(
            cast("str", color),
            on=options.get("on_time", 1000) / 1000,
            off=options.get("off_time", 0) / 1000,
            count=cast("int", options.get("count", 1)),
        )
    elif rest and rest[0] is not None:
        await led.set_color(cast("str", color), duration=cast("float", rest[0]) / 1000)
    else:
        await led.set_color(cast("str", color))


async def _off(app: App, item: Item) -> None:
    await command(app, item, app.session(item).led.off)


TABLE = Table(calls={"led.set_color": _set_color, "led.off": _off})
