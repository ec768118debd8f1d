"""What the rewrites share: items that are taken out, put in, and found again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, cast

from tests.conformance.timeline import Item, field, is_request

if TYPE_CHECKING:
    from tests.conformance.recordings import Json

Rewrite = Callable[[list[Item], Item], None]


def drop(items: list[Item], item: Item) -> None:
    """Take an item out; a socket takes along all that was recorded on it."""
    items.remove(item)
    if item.kind == "open":
        items[:] = [other for other in items if other.conn != item.conn]


def renumber(items: list[Item]) -> None:
    """Number the sockets in the order in which they are opened, after rows have added or taken out some."""
    opened = [item.conn for item in items if item.dir == "out" and item.kind == "open"]
    numbers = {conn: number for number, conn in enumerate(opened, start=1)}
    for item in items:
        if item.conn is not None:
            item.conn = numbers.get(item.conn, item.conn)


def live_observers(items: list[Item], item: Item, method: str) -> list[Item]:
    """List the registrations of an observer that are live at an item, in its session."""
    earlier = items[: items.index(item)]
    removed = {other.method for other in earlier if other.dir == "app"}
    return [
        other
        for other in items
        if other.dir == "app"
        and other.method == method
        and other.session == item.session
        and other.assign not in removed
        and (other in earlier or other.is_before_ack)
    ]


def new_event(registration: Item, like: Item, value: object) -> Item:
    return Item(
        dir="event",
        kind="event",
        step=like.step,
        session=like.session,
        method=registration.method,
        handler=registration.handlers[0],
        value=value,
    )


def refuse_streams(items: list[Item], registration: Item, unread: Collection[object]) -> None:
    """A call that opens streams raises instead: nothing is subscribed, and there is nothing to clean up."""
    place = items.index(registration) + 1
    for other in items[place:]:
        if other.dir == "app" and other.method == registration.assign:
            items.remove(other)
        names = _list_of(other)
        if names is not None:
            kept = [name for name in names if name not in unread]
            before = [earlier for earlier in items[: items.index(other)] if earlier.conn == other.conn]
            told = [earlier for earlier in map(_list_of, before) if earlier is not None]
            if told and told[-1] == kept:
                items.remove(other)  # nothing has changed
            else:
                other.message = {**cast("Json", other.message), "subscriptions": kept}
    items.insert(place, new_error(registration, "ValueError"))


def _list_of(item: Item) -> list[object] | None:
    names = field(item.message, "subscriptions") if item.dir == "out" else None
    return cast("list[object]", names) if isinstance(names, list) else None


def next_run(items: list[Item], item: Item) -> int:
    """Find where the next run of an item's session begins."""
    start = items.index(item) + 1
    for place in range(start, len(items)):
        other = items[place]
        if other.session == item.session and is_request(other, "session_request"):
            return place
    return len(items)


def copy_item(item: Item, **changes: object) -> Item:
    twin = copy.copy(item)
    for name, value in changes.items():
        setattr(twin, name, value)
    return twin


def said_in(message: object) -> object:
    """Give the data of an event, which is the message itself where there is none (P2 1.2)."""
    data = field(message, "data")
    return message if data is None else data


def new_error(call: Item, name: str) -> Item:
    return Item(dir="result", kind="error", step=call.step, api=call.api, method=call.method, session=call.session,
                life=call.life, value=name)  # fmt: skip
