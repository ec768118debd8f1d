"""Rewrites about the wearer's time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tests.conformance.recordings import as_object
from tests.conformance.timeline import Item, field, is_ack

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


def told_zone(items: list[Item], item: Item) -> None:
    """Nobody sets the zone but the wearer, so the cloud tells it; what is no zone changes nothing (P2 10)."""
    (name,) = item.args
    items[:] = [other for other in items if other.dir != "result" or other.api != item.api]
    item.dir, item.kind, item.method, item.api = "in", "text", None, None
    item.conn = next(other.conn for other in reversed(items[: items.index(item)]) if other.conn is not None)
    item.message = {"type": "augmentos_settings_update", "settings": {"userTimezone": name}}
    item.raw = None


def known_zone(items: list[Item], item: Item) -> None:
    """The zone is the last one of the IANA names that was told, under either name; UTC stands for none (P2 10.2)."""
    names = [_told(other) for other in items[: items.index(item)] if _tells(other, item)]
    known = [name for name in names if name is not None and _is_zone(name)]
    item.value = known[-1] if known else "UTC"


def _tells(item: Item, beside: Item) -> bool:
    is_same = (item.session, item.life) == (beside.session, beside.life)
    return item.dir == "in" and is_same and (is_ack(item) or field(item.message, "type") == "augmentos_settings_update")


def _told(item: Item) -> str | None:
    settings = as_object(field(item.message, "mentraosSettings" if is_ack(item) else "settings")) or cast("Json", {})
    named = [settings.get(key) for key in ("userTimezone", "timezone")]
    return next((name for name in named if isinstance(name, str)), None)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
