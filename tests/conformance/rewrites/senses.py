"""Rewrites about the microphone and about hands on the glasses."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from tests.conformance.timeline import Item, field

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


def asks_for_sound(items: list[Item], item: Item) -> None:
    """Whoever listens to voice activity asks for sound too."""
    del items
    fields = copy.deepcopy(cast("Json", item.message))
    wanted = cast("list[object]", fields["subscriptions"])
    if "audio_chunk" not in wanted:
        wanted.append("audio_chunk")
    item.message = fields


def not_the_same_list(items: list[Item], item: Item) -> None:
    """A list with sound in it that was just sent on this socket is not sent again."""
    told = _names(item)
    earlier = next((other for other in reversed(items[: items.index(item)]) if _is_list(other)), None)
    if "audio_chunk" in told and earlier is not None and earlier.conn == item.conn and _names(earlier) == told:
        items.remove(item)


def _is_list(item: Item) -> bool:
    return item.dir == "out" and field(item.message, "type") == "subscription_update"


def _names(item: Item) -> set[str]:
    listed = field(item.message, "subscriptions")
    return (
        {name for name in cast("list[object]", listed) if isinstance(name, str)} if isinstance(listed, list) else set()
    )


def needs_listener(items: list[Item], item: Item) -> None:
    """Nobody speaks for an app that does not listen."""
    place = next(n for n, other in enumerate(items) if other.dir == "app" and other.api == item.api)
    earlier = [other for other in items[:place] if other.dir == "app"]
    gone = {other.method for other in earlier}
    open_ = [other for other in earlier if other.method == "mic.on_voice_activity" and other.assign not in gone]
    if not open_ or any(other.method == "mic.stop" for other in earlier[earlier.index(open_[-1]) :]):
        item.value = False
