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
from contextlib import suppress
from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import attrs

from .recordings import Json, as_object

if TYPE_CHECKING:
    from collections.abc import Iterable


IDLE = 0.4
"""Seconds at the end of every scenario in which nothing more may happen."""
_REST = (("out", "request"), ("in", "response"))
"""Who says what over HTTP where the SDK calls the cloud; where the cloud calls the app it is the other way round."""
ACKS = ("tpa_connection_ack", "reconnect_ack")
PERMANENT_REJECTIONS = ("NOT_RUNNING", "BOOT_TIMEOUT", "SESSION_STOPPED", "USER_STOPPED")
"""Codes of `reconnect_rejected` that end a session (P1 2.6)."""


@attrs.define(eq=False, kw_only=True)
class Item:
    """One thing that happens. Rows may match and edit every field."""

    dir: str
    """`app` and `in` are played; `out`, `event` and `result` are compared; `runner` is an order to the runner."""
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
    since: Item | None = None
    """What `window` counts from instead of the item before."""
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
    raises: bool = False
    """Of events: the recorded handler raises."""
    is_inside_handler: bool = False
    """Of calls: a recorded handler makes it."""


@attrs.frozen(kw_only=True)
class Timeline:
    """A scenario that can be replayed."""

    name: str
    items: list[Item]
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
    attribution = _Attribution()
    for item in items:
        attribution.note(item)
    _note_behaviour(items, cast("dict[str, str]", body.get("handler_behaviour") or {}))
    raises = any(_is_failed_stop(items, item) for item in items)
    _move_calls_behind_ack(items)
    _note_never(items)
    _note_links(items, end_wait)
    _move_answers_behind_ack(items)
    items.append(Item(dir="runner", kind="rest", step=len(items), wait=max(end_wait, IDLE)))
    unfinished = cast("list[int]", body.get("unfinished_calls", []))
    return Timeline(
        name=name,
        items=items,
        unfinished=frozenset(unfinished),
        has_stop_handler=raises or any(item.handler == "on_stop" for item in items),
        stop_handler_raises=raises,
    )


def _is_failed_stop(items: list[Item], item: Item) -> bool:
    """Tell whether a `stop_request` was answered with an error, which is what a raising stop handler led to."""
    number = field(item.message, "http")
    answers = [other for other in items if is_request(item, "stop_request") and is_answer(other, number)]
    return any(field(answer.message, "status") == HTTPStatus.INTERNAL_SERVER_ERROR for answer in answers)


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
        value = (as_object(value) or {}).get(part)
    return value


def is_request(item: Item, kind: str | None = None) -> bool:
    """Tell whether an item is a call of the app server, of a certain webhook type if one is given."""
    if item.dir != "in" or item.kind != "http" or field(item.message, "role") != "request":
        return False
    return kind is None or field(item.message, "body", "type") == kind


def is_rest(item: Item) -> bool:
    """Tell whether an item is a call of the cloud's HTTP interface, or the answer to one."""
    return item.kind == "http" and item.conn is None and (item.dir, field(item.message, "role")) in _REST


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
    if (spelled := as_object(value)) is not None:
        return bytes.fromhex(cast("str", spelled["hex"])).decode("latin-1")
    for line in cast("list[str]", field(item.message, "header_lines") or []):
        name, _, text = line.partition(": ")
        if name.lower() == "x-session-id":
            return text
    return cast("str | None", value)


@attrs.define(eq=False)
class _Attribution:
    """Notes for each item which session and which call it belongs to."""

    _sockets: dict[int, str | None] = attrs.field(factory=dict[int, str | None])
    """By socket: the session that it was opened for."""
    _asked: dict[object, str | None] = attrs.field(factory=dict[object, str | None])
    """By number of a webhook call: the session that it asked for."""
    _runs: dict[str | None, int] = attrs.field(factory=dict[str | None, int])
    _lives: dict[str | None, int] = attrs.field(factory=dict[str | None, int])
    _acked: set[str | None] = attrs.field(factory=set[str | None])
    _ended: set[str | None] = attrs.field(factory=set[str | None])
    """Sessions that are over; another request begins another life."""
    _current: str | None = None
    """The session that a socket was opened for last: its handler makes the calls that follow."""
    _calls: dict[int, Item] = attrs.field(factory=dict[int, Item])
    _registrations: dict[str, list[Item]] = attrs.field(factory=dict[str, list[Item]])
    """By handler."""
    _assigned: dict[str, Item] = attrs.field(factory=dict[str, Item])
    """By name of a result: the call that gave it."""
    _last: Item | None = None
    """What the cloud did last on a socket."""
    _cause: object = None
    """Its message."""
    _fragments: list[bytes] = attrs.field(factory=list[bytes])

    def note(self, item: Item) -> None:
        """Note it for the next item."""
        if is_request(item):
            self._note_request(item)
        elif item.kind == "open" and item.conn is not None:
            self._current = self._sockets[item.conn] = session_of_open(item)
        if item.conn is not None:
            item.session = self._sockets.get(item.conn)
            item.run = self._runs.get(item.session, 0)
        item.life = self._lives.get(item.session, 0)
        if is_ack(item):
            self._acked.add(item.session)
        match item.dir:
            case "in" if item.kind in ("text", "binary", "close", "frame"):
                self._note_cause(item)
            case "app":
                self._note_call(item)
            case "event":
                self._note_event(item)
            case "result" if item.api in self._calls:
                made_by = self._calls[item.api]
                item.method, item.session, item.life = made_by.method, made_by.session, made_by.life
                item.is_before_ack, item.run = made_by.is_before_ack, made_by.run
            case _:
                pass
        self._note_end(item)

    def _note_request(self, item: Item) -> None:
        item.session = cast("str | None", field(item.message, "body", "sessionId"))
        if not is_request(item, "session_request"):
            return
        self._asked[field(item.message, "http")] = item.session
        if item.session in self._ended:
            self._ended.discard(item.session)
            self._acked.discard(item.session)
            self._runs.pop(item.session, None)
            self._lives[item.session] = self._lives.get(item.session, 0) + 1
        item.run = self._runs[item.session] = self._runs.get(item.session, -1) + 1
        item.is_before_ack = item.session not in self._acked

    def _note_end(self, item: Item) -> None:
        """Note when a session is over for this SDK."""
        kind = field(item.message, "type")
        if (
            is_request(item, "stop_request")
            or item.method == "session.disconnect"
            or kind == "app_stopped"
            or (kind == "reconnect_rejected" and field(item.message, "code") in PERMANENT_REJECTIONS)
            or (item.kind == "close" and field(item.message, "reason") == "Parked timeout")
        ):
            self._ended.add(item.session)
        elif item.dir == "out" and item.kind == "http" and field(item.message, "status") != HTTPStatus.OK:
            number = field(item.message, "http")
            if number in self._asked:
                self._ended.add(self._asked[number])

    def _note_cause(self, item: Item) -> None:
        self._last = item
        self._cause = item.message if item.kind != "frame" else _assembled(self._fragments, item)
        if item.raw is not None:
            self._cause = {**(as_object(item.message) or {}), "raw": item.raw}

    def _note_call(self, item: Item) -> None:
        made_by = self._assigned.get(item.method or "")
        item.session = made_by.session if made_by else self._current
        item.life = self._lives.get(item.session, 0)
        item.run = self._runs.get(item.session, 0)
        item.is_before_ack = _needs_session(item) and item.session not in self._acked
        if item.api is not None:
            self._calls[item.api] = item
        for handler in item.handlers:
            self._registrations.setdefault(handler, []).append(item)
        if item.assign:
            self._assigned[item.assign] = item

    def _note_event(self, item: Item) -> None:
        found = self._registrations.get(item.handler or "", [])
        where = self._last.session if self._last else None
        # One name may be used in several sessions: then it is the one where something happened.
        made_by = next((call for call in reversed(found) if call.session == where), found[-1] if found else None)
        item.method, item.session = item.handler, self._current
        if made_by is not None:
            item.method, item.session = made_by.method, made_by.session
            item.run, item.life = made_by.run, made_by.life
        item.cause = self._cause
        item.is_before_ack = item.session not in self._acked


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
        if not early:
            continue
        first_call = next((n for n, item in enumerate(items) if item is early[0]), place)
        called = [item for item in items[first_call:place] if is_rest(item)]
        moved = [item for item in items[:place] if item in early or item in called]
        for item in moved[moved.index(called[0]) :] if called else ():
            # What follows an exchange waits for it, so the handler does not make these calls in one go.
            item.is_before_ack = False
        _move(items, moved, behind=ack)
        told = next((item for item in items if field(item.message, "type") == "subscription_update"), None)
        if called and told is not None:
            _move(items, [told], behind=ack)  # it waits for no call


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
        if answer is None or field(answer.message, "status") != HTTPStatus.OK:
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
