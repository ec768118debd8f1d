"""A recorded scenario as one list of items in time order, and the differences that stand everywhere.

Everything that was recorded becomes an `Item`: steps, the events that handlers got, what calls returned or raised.
`timeline()` applies what is true of every scenario, because this SDK works that way (design D8, D21):

* the handler starts after the ack, so calls recorded before it are made right after it;
* the webhook is answered after the ack;
* handlers run in tasks of their own, so the order of events only counts per handler (see `replay`).

What is different in certain situations only is not here but in `deviations.toml`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from typing import cast

import attrs

from .recordings import Json

ACKS = ("tpa_connection_ack", "reconnect_ack")


@attrs.define(eq=False, kw_only=True)
class Item:
    """One thing that happens. Rows may match and edit every field."""

    dir: str
    """`app` and `in` are played; `out`, `event` and `result` are compared; `runner` is an order of a row."""
    kind: str
    """As recorded; of a result `return` or `error`."""
    step: int
    """Index of the recorded step; of events and results that of the step before them."""
    conn: int | None = None
    """Number of the socket."""
    session: str | None = None
    """Session id that the webhook gave."""
    wait: float = 0.0
    """Recorded seconds since the step before."""
    window: tuple[float, float] | None = None
    """Seconds since the item before in which this one has to come, where a row says so."""
    is_optional: bool = False
    """Whether a row allows it to be absent. It is only waited for when it has a window."""
    message: object = None
    raw: str | None = None
    api: int | None = None
    """Number of the call, or of the call that gave this result."""
    method: str | None = None
    """The call; of events that of the handler's registration; of a read property its name."""
    args: list[object] = attrs.field(factory=list[object])
    kwargs: Json = attrs.field(factory=dict[str, object])
    handlers: list[str] = attrs.field(factory=list[str])
    assign: str | None = None
    is_async: bool = False
    tick: int | None = None
    is_before_ack: bool = False
    """Recorded before the session's first ack; of results: the call was."""
    is_never: bool = False
    """Of calls and what they lead to: the session is never acknowledged."""
    life: int = 0
    """How often the session was started anew before, after a stop."""
    run: int = 0
    """How many `session_request`s of this session came without a stop in between, less one."""
    handler: str | None = None
    value: object = None
    cause: object = None
    """Of events: the message that was played last."""
    is_repeated: bool = False
    """Of acks and their events: the socket is acknowledged already."""
    is_held: bool = False
    """Of messages of the SDK: the socket is not acknowledged yet, or parked."""
    silence: float = 0.0
    """Recorded seconds until the cloud says something on the same socket, or until the end."""
    is_late: bool = False
    """Of events: the handler was registered after the message that led to it."""
    raises: bool = False
    """Of events: the recorded handler raises."""
    is_inside_handler: bool = False
    """Of calls: a recorded handler makes it."""


@attrs.frozen(kw_only=True)
class Timeline:
    """A scenario that can be replayed."""

    name: str
    items: list[Item]
    end_wait: float
    """Seconds at the end in which nothing more happens."""
    unfinished: frozenset[int]
    """Calls that had not returned when the record ended."""
    has_stop_handler: bool
    """Whether the app's own stop handler was recorded."""
    stop_handler_raises: bool


def timeline(name: str, body: Json) -> Timeline:
    """Build the timeline of a scenario, with the standing differences applied."""
    items = _merge(body)
    end_wait = _seconds(body.get("end_wait_ms"))
    _move_webhook_before_upgrade(items)
    _attribute(items)
    _note_behaviour(items, cast("dict[str, str]", body.get("handler_behaviour") or {}))
    raises = any(_is_failed_stop(items, item) for item in items)
    _move_calls_behind_ack(items)
    _note_never(items)
    _note_links(items, end_wait)
    _move_answers_behind_ack(items)
    unfinished = cast("list[int]", body.get("unfinished_calls", []))
    return Timeline(
        name=name,
        items=items,
        end_wait=end_wait,
        unfinished=frozenset(unfinished),
        has_stop_handler=raises or any(item.handler == "on_stop" for item in items),
        stop_handler_raises=raises,
    )


def _is_failed_stop(items: list[Item], item: Item) -> bool:
    """Tell whether a `stop_request` was answered with an error, which is what a raising stop handler led to."""
    number = field(item.message, "http")
    answers = [other for other in items if is_request(item, "stop_request") and is_answer(other, number)]
    return any(field(answer.message, "status") == 500 for answer in answers)  # noqa: PLR2004  (an HTTP status)


def _seconds(milliseconds: object) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else 0.0


def _merge(body: Json) -> list[Item]:
    """Put events and results behind the step after which they were recorded."""
    behind: dict[int, list[Item]] = {}
    for event in cast("list[Json]", body["events"]):
        after = cast("int", event["after_step"])
        behind.setdefault(after, []).append(
            Item(
                dir="event",
                kind="event",
                step=after,
                wait=_seconds(event.get("wait_ms")),
                handler=cast("str", event["handler"]),
                value=event["values"] if "values" in event else event["value"],
            )
        )
    for key, kind in (("returns", "return"), ("errors", "error")):
        for result in cast("list[Json]", body[key]):
            after = cast("int", result["after_step"])
            behind.setdefault(after, []).append(
                Item(
                    dir="result",
                    kind=kind,
                    step=after,
                    wait=_seconds(result.get("wait_ms")),
                    api=cast("int", result["call"]),
                    value=result.get("value", result.get("kind")),
                )
            )
    for news in behind.values():
        for one, following in reversed(list(pairwise(news))):
            if one.handler == "on_stop" and not one.wait:
                one.wait = following.wait  # the app's own handler is recorded without its waiting time
    items: list[Item] = []
    for number, step in enumerate(cast("list[Json]", body["steps"])):
        items.append(_step(number, step))
        items += behind.pop(number, [])
    for late in behind.values():
        items += late
    return items


def _parsed(raw: object) -> object:
    """Give the message in a frame whose spelling was recorded; `None` where there is none."""
    with suppress(ValueError, TypeError):
        return cast("object", json.loads(cast("str | bytes", raw)))
    return None


def _step(number: int, step: Json) -> Item:
    return Item(
        dir=cast("str", step["dir"]),
        kind=cast("str", step["kind"]),
        step=number,
        conn=cast("int | None", step.get("conn")),
        wait=_seconds(step.get("wait_ms")),
        message=step["message"] if "message" in step else _parsed(step.get("raw")),
        raw=cast("str | None", step.get("raw")),
        api=cast("int | None", step.get("api")),
        method=cast("str | None", step.get("method", step.get("property"))),
        args=cast("list[object]", step.get("args", [])),
        kwargs=cast("Json", step.get("kwargs", {})),
        handlers=cast("list[str]", step.get("handlers", [])),
        assign=cast("str | None", step.get("assign")),
        is_async=step.get("async") is True,
        tick=cast("int | None", step.get("tick")),
    )


def field(value: object, *path: str) -> object:
    """Read inside a JSON value; `None` where there is nothing."""
    for part in path:
        if not isinstance(value, dict):
            return None
        value = cast("Json", value).get(part)
    return value


def is_request(item: Item, kind: str | None = None) -> bool:
    """Tell whether an item is a call of the app server, of a certain webhook type if one is given."""
    if item.dir != "in" or item.kind != "http" or field(item.message, "role") != "request":
        return False
    return kind is None or field(item.message, "body", "type") == kind


def is_ack(item: Item) -> bool:
    """Tell whether an item is an ack of the cloud."""
    return item.dir == "in" and item.kind == "text" and field(item.message, "type") in ACKS


def _move_webhook_before_upgrade(items: list[Item]) -> None:
    """A scenario that was recorded on TCP lists the upgrade before the webhook that led to it."""
    first_open = next((n for n, item in enumerate(items) if item.kind == "open"), None)
    first_request = next((n for n, item in enumerate(items) if is_request(item)), None)
    if first_open is not None and first_request is not None and first_request > first_open:
        items.insert(first_open, items.pop(first_request))


def session_of_open(item: Item) -> str | None:
    """Read which session an upgrade is for, in whichever way it was recorded."""
    value = field(item.message, "headers", "x-session-id")
    if isinstance(value, dict):
        return bytes.fromhex(cast("str", value["hex"])).decode("latin-1")
    for line in cast("list[str]", field(item.message, "header_lines") or []):
        name, _, text = line.partition(": ")
        if name.lower() == "x-session-id":
            return text
    return cast("str | None", value)


def _attribute(items: list[Item]) -> None:
    """Note for each item which session and which call it belongs to."""
    sessions: dict[int, str | None] = {}
    runs: dict[str | None, int] = {}
    acked: set[str | None] = set()
    stopped: set[str | None] = set()
    lives: dict[str | None, int] = {}
    calls: dict[int, Item] = {}
    registrations: dict[str, list[Item]] = {}
    assigned: dict[str, Item] = {}
    current: str | None = None
    cause: object = None
    caused_at = -1
    fragments: list[bytes] = []
    caused_in: str | None = None
    for item in items:
        if is_request(item, "session_request"):
            item.session = cast("str | None", field(item.message, "body", "sessionId"))
            if item.session in stopped:
                stopped.discard(item.session)
                acked.discard(item.session)
                runs.pop(item.session, None)
                lives[item.session] = lives.get(item.session, 0) + 1
            item.run = runs[item.session] = runs.get(item.session, -1) + 1
            item.is_before_ack = item.session not in acked
        elif is_request(item, "stop_request"):
            item.session = cast("str | None", field(item.message, "body", "sessionId"))
            stopped.add(item.session)
        elif item.kind == "open" and item.conn is not None:
            current = session_of_open(item)
            sessions[item.conn] = current
        if item.conn is not None:
            item.session = sessions.get(item.conn)
            item.run = runs.get(item.session, 0)
        item.life = lives.get(item.session, 0)
        if is_ack(item):
            acked.add(item.session)
        if item.dir == "in" and item.kind in ("text", "binary", "close", "frame"):
            cause = item.message if item.kind != "frame" else _assembled(fragments, item)
            if item.raw is not None:
                cause = {**(cast("Json", cause) if isinstance(cause, dict) else {}), "raw": item.raw}
            caused_at, caused_in = item.step, item.session
        if item.dir == "app":
            made_by = assigned.get(item.method or "")
            item.session = made_by.session if made_by else current
            item.life = lives.get(item.session, 0)
            item.is_before_ack = _needs_session(item) and item.session not in acked
            item.run = runs.get(item.session, 0)
            if item.api is not None:
                calls[item.api] = item
            for handler in item.handlers:
                registrations.setdefault(handler, []).append(item)
            if item.assign:
                assigned[item.assign] = item
        elif item.dir == "event":
            made_by = _registration(registrations.get(item.handler or "", []), caused_in)
            item.method = made_by.method if made_by else item.handler
            item.session = made_by.session if made_by else current
            item.run, item.life = (made_by.run, made_by.life) if made_by else (0, item.life)
            item.cause = cause
            item.is_before_ack = item.session not in acked
            item.is_late = made_by is not None and made_by.step > caused_at
        elif item.dir == "result":
            made_by = calls.get(cast("int", item.api))
            if made_by is not None:
                item.life = made_by.life
                item.method, item.session = made_by.method, made_by.session
                item.is_before_ack, item.run = made_by.is_before_ack, made_by.run


def _assembled(fragments: list[bytes], frame: Item) -> object:
    """Collect the frames of one message; give the message when it is whole."""
    opcode, is_last = field(frame.message, "opcode"), field(frame.message, "fin")
    if opcode in (0, 1):
        if opcode == 1:
            fragments.clear()
        fragments.append(bytes.fromhex(cast("str", field(frame.message, "payload", "$binary", "hex"))))
        if is_last:
            return _parsed(b"".join(fragments))
    return frame.message


def _registration(found: list[Item], session: str | None) -> Item | None:
    """Find the call that registered a handler, in the session where something happened if there are several."""
    return next((item for item in reversed(found) if item.session == session), found[-1] if found else None)


def _note_behaviour(items: list[Item], behaviour: dict[str, str]) -> None:
    """Note what recorded handlers do; what they cause is an event of the message, not of their calls."""
    for item in list(items):
        item.raises = item.dir == "event" and "raises" in behaviour.get(item.handler or "", "")
        item.is_inside_handler = item.dir == "app" and any(f"{item.method}(" in text for text in behaviour.values())
        if item.is_inside_handler:
            start = items.index(item) + 1
            end = next((n for n in range(start, len(items)) if items[n].dir != "event"), len(items))
            items[start - 1 : end] = [*items[start:end], item]


def _needs_session(item: Item) -> bool:
    return item.dir == "app" and item.kind != "note" and (item.method or "").split(".")[0] != "app"


def _move_calls_behind_ack(items: list[Item]) -> None:
    """Make calls that were recorded before the session's first ack right after it, with what they gave."""
    first = {(item.session, item.life): item for item in reversed(items) if is_ack(item)}
    for ack in first.values():
        place = items.index(ack)
        early = [
            item
            for item in items[:place]
            if (item.session, item.life) == (ack.session, ack.life)
            and item.is_before_ack
            and (_needs_session(item) or (item.dir == "result" and not (item.method or "").startswith("app.")))
        ]
        if early:
            _move(items, early, behind=ack)


def _note_never(items: list[Item]) -> None:
    """Note which calls nobody can make, because there is no ack behind which they could be moved."""
    acked = {(item.session, item.life) for item in items if is_ack(item)}
    for item in items:
        if item.dir in ("app", "result", "event") and (item.session, item.life) not in acked:
            item.is_never = item.session is not None and not (item.method or "").startswith("app.")


def _note_links(items: list[Item], end_wait: float) -> None:
    """Note where the socket of each message stands in the handshake, and how long it stays silent."""
    acked: set[int | None] = set()
    parked: set[int | None] = set()
    last: Item | None = None
    for place, item in enumerate(items):
        kind = field(item.message, "type") if item.dir == "in" and item.kind == "text" else None
        item.is_repeated = kind in ACKS and item.conn in acked and item.conn not in parked
        if kind in ACKS:
            acked.add(item.conn)
            parked.discard(item.conn)
        elif kind == "reconnect_deferred":
            parked.add(item.conn)
        if item.dir == "out" and item.kind == "text":
            item.is_held = item.conn not in acked or item.conn in parked
        if item.dir == "in":
            last = item
        elif item.dir == "event" and last is not None:
            item.is_repeated = last.is_repeated
        later = items[place + 1 :]
        heard = next((n for n, other in enumerate(later) if other.dir == "in" and other.conn == item.conn), None)
        item.silence = sum(other.wait for other in later[:heard] if other.dir in ("app", "in", "out"))
        item.silence += end_wait if heard is None else 0.0


def _move_answers_behind_ack(items: list[Item]) -> None:
    """Answer each successful `session_request` after the ack of the socket that it led to, or never."""
    for request in [item for item in items if is_request(item, "session_request")]:
        number = field(request.message, "http")
        answer = next((item for item in items if is_answer(item, number)), None)
        if answer is None or field(answer.message, "status") != 200:
            continue
        answer.session = request.session
        start = items.index(request)
        ack = next((item for item in items[start:] if is_ack(item) and item.session == request.session), None)
        if ack is None:
            items.remove(answer)
        elif items.index(ack) > items.index(answer):
            _move(items, [answer], behind=ack)


def is_answer(item: Item, number: object) -> bool:
    """Tell whether an item is the app server's answer to the request of this number."""
    return (
        item.dir == "out"
        and item.kind == "http"
        and field(item.message, "role") == "response"
        and field(item.message, "http") == number
    )


def _move(items: list[Item], moved: Iterable[Item], *, behind: Item) -> None:
    group = list(moved)
    for item in group:
        items.remove(item)
    place = next(n for n, item in enumerate(items) if item is behind) + 1
    items[place:place] = group
