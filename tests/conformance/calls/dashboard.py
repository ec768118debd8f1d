"""What the wearer sees when looking up."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .tables import Table

if TYPE_CHECKING:
    from tests.conformance.app import App
    from tests.conformance.timeline import Item


async def _show_text(app: App, item: Item) -> None:
    await app.session(item).dashboard.show_text(cast("str", item.args[0]))


async def _clear(app: App, item: Item) -> None:
    await app.session(item).dashboard.clear()


TABLE = Table(calls={"dashboard.show_text": _show_text, "dashboard.clear": _clear})
