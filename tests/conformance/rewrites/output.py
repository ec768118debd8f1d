"""Rewrites about what an app sends: displays and raw messages."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from tests.conformance.timeline import Item, field, is_ack

from .common import copy_item, new_error

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


def after_ack(items: list[Item], item: Item) -> None:
    """What was sent on a socket that the cloud had not acknowledged, or had parked, waits for its ack (D9)."""
    place = items.index(item)
    ack = next((other for other in items[place:] if is_ack(other) and other.conn == item.conn), None)
    items.remove(item)
    if ack is None:
        return
    fields = copy.deepcopy(cast("Json", item.message))
    if isinstance(name := field(ack.message, "sessionId"), str):
        fields["sessionId"] = name
    item.message = fields
    target = items.index(ack) + 1
    while (
        target < len(items)
        and items[target].dir != "in"
        and not (items[target].dir == "out" and field(items[target].message, "type") == "subscription_update")
    ):
        target += 1
    items.insert(min(target + 1, len(items)), item)


def _display_message(call: Item, like: Item) -> Json:
    """Give what a display call sends, with the envelope of another message."""
    envelope = {name: field(like.message, name) for name in ("packageName", "sessionId", "timestamp")}
    texts = cast("list[str]", call.args)
    match cast("str", call.method).removeprefix("display."):
        case "clear":
            layout: Json = {"layoutType": "clear_view"}
        case "show_reference_card":
            layout = {"layoutType": "reference_card", "title": texts[0], "text": texts[1]}
        case "show_double_text_wall" | "show_dashboard_card":
            layout = {"layoutType": "double_text_wall", "topText": texts[0], "bottomText": texts[1]}
        case _:
            lines: object = texts[0]
            text = "\n".join(cast("list[str]", lines)) if isinstance(lines, list) else lines
            layout = {"layoutType": "text_wall", "text": text}
    return {"type": "display_event", "view": "main", **envelope, "layout": layout}


def _after_list(items: list[Item], ack: Item) -> tuple[int, Item] | None:
    """Find the place behind the list of subscriptions that follows an ack, and that list."""
    for place in range(items.index(ack) + 1, len(items)):
        item = items[place]
        if item.dir == "in":
            return None
        if item.dir == "out" and field(item.message, "type") == "subscription_update" and not item.is_optional:
            return place + 1, item
    return None


def waits_for_link(items: list[Item], item: Item) -> None:
    """What is shown while there is no link is shown when the link is back (D9)."""
    later = items[items.index(item) :]
    ack = next((other for other in later if is_ack(other) and other.session == item.session), None)
    found = None if ack is None else _after_list(items, ack)
    if ack is not None and found is not None:
        place, told = found
        message = _display_message(item, told)
        items.insert(place, Item(dir="out", kind="text", step=ack.step, conn=ack.conn, session=item.session,
                                 life=item.life, message=message))  # fmt: skip


def shows_again(items: list[Item], item: Item) -> None:
    """What was shown last may be lost with its socket, so it may be shown again on the next one (D9)."""
    earlier = items[: items.index(item)]
    shown = next(
        (
            other
            for other in reversed(earlier)
            if other.session == item.session and field(other.message, "type") == "display_event"
        ),
        None,
    )
    found = _after_list(items, item)
    if shown is not None and shown.conn != item.conn and found is not None:
        place, told = found
        session = field(told.message, "sessionId")
        message = {**cast("Json", shown.message), "sessionId": session}
        items.insert(place, copy_item(shown, conn=item.conn, message=message, is_optional=True, window=(0.0, 0.45)))


def refuses_what_is_no_text(items: list[Item], item: Item) -> None:
    """What is shown has to be text, or lines of it for `show_text`: otherwise the call raises, and nothing is sent."""
    texts: list[object] = []
    for argument in item.args:
        is_lines = isinstance(argument, list) and item.method == "display.show_text"
        texts += cast("list[object]", argument) if is_lines else [argument]
    if all((isinstance(text, str) and text != "<undefined>") or field(text, "$repeat") for text in texts):
        return
    place = items.index(item) + 1
    sent = next((other for other in items[place:] if other.dir in ("out", "in", "app")), None)
    if sent is not None and sent.dir == "out" and field(sent.message, "type") == "display_event":
        items.remove(sent)
    items.insert(place, new_error(item, "TypeError"))


OWN_MESSAGES = ("tpa_connection_init", "reconnect", "subscription_update", "ownership_release", "ping", "pong")
"""What only the connection itself sends."""


def raw_message(items: list[Item], item: Item) -> None:
    """A raw message is an object with a type, which gets the envelope that the cloud wants of every message (P1 0)."""
    place = items.index(item)
    (message,) = item.args
    sent = next(
        (
            other
            for other in items[place:]
            if other.dir == "out"
            and other.kind == "text"
            and other.session == item.session
            and other.message == message
        ),
        None,
    )
    kind = field(message, "type")
    if not isinstance(kind, str) or not kind or kind in OWN_MESSAGES:
        if sent is not None:
            items.remove(sent)
        if not isinstance(kind, str):
            items.remove(item)  # there is no way to say this
        else:
            items.insert(place + 1, new_error(item, "ValueError"))
    elif sent is not None:
        told = next(other for other in reversed(items[:place]) if field(other.message, "type") == "subscription_update")
        envelope = {name: field(told.message, name) for name in ("packageName", "sessionId", "timestamp")}
        sent.message = {**envelope, **cast("Json", message)}


def newest_of_burst(items: list[Item], item: Item) -> None:
    """Displays of one tick replace each other: only the last one has to go out."""
    place = items.index(item)
    for other in items[place + 1 :]:
        if other.dir in ("in", "app"):
            return
        if other.kind == "text" and other.conn == item.conn and field(other.message, "type") == "display_event":
            item.is_optional, item.window = True, None
            return
