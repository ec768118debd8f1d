"""The wearer's time of day."""

from datetime import UTC, datetime
from typing import cast

import trio

from tests.conformance.app import App
from tests.conformance.timeline import Item

from .tables import Table


async def _to_local(app: App, item: Item) -> object:
    """Give the wall clock as the reference does: as if it were UTC, without a fraction of a second (P2 10.1)."""
    await trio.lowlevel.checkpoint()
    moment = datetime.fromisoformat(cast("dict[str, str]", item.args[0])["$date"])
    local = app.session(item).time.to_local(moment)
    wall = local.replace(tzinfo=UTC, microsecond=0).isoformat(timespec="milliseconds")
    return {"$date": wall.replace("+00:00", "Z")}


def _zone(app: App, item: Item) -> object:
    zone = app.session(item).time.zone.value
    return "UTC" if zone is None else zone.key


TABLE = Table(calls={"time.to_local": _to_local}, properties={"time.zone": _zone})
