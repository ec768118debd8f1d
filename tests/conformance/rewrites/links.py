"""Rewrites about sessions and their sockets: starts, ends, reconnects."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tests.conformance.recordings import as_object
from tests.conformance.timeline import Item, field, is_ack, is_answer, is_request

from .common import copy_item, drop, live_observers, new_event, next_run

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


def new_socket(items: list[Item], item: Item) -> None:
    """What was recorded on an old socket from here on happens on a new one."""
    old = cast("int", item.conn)
    new = 1000 * old
    place = items.index(item)
    first = next(other for other in items if other.kind == "open" and other.conn == old)
    items.insert(place, Item(dir="out", kind="open", step=item.step, conn=new, session=item.session, wait=1.0,
                             message=first.message))  # fmt: skip
    for later in items[place + 1 :]:
        if later.conn == old:
            later.conn = new


def ends_here(items: list[Item], item: Item) -> None:
    """The session ends with this message or close frame, so what was recorded of its later life does not happen.

    Unless the cloud closed the socket, this SDK does. Observers hear of the end once.
    """
    end = next_run(items, item)
    place = items.index(item) + 1
    sockets = {other.conn for other in items[place:end] if other.kind == "open" and other.session == item.session}
    sockets.add(item.conn)
    kept: list[Item] = []
    stops: list[Item] = []
    for other in items[place:end]:
        is_own = other.session == item.session
        if other.handler == "on_stop" and is_own:
            stops.append(other)
        elif other.kind == "return" and is_own and other.method in ("session.is_connected", "session.is_parked"):
            kept.append(copy_item(other, value=False))
        elif other.dir == "event" and is_own and other.method != "session.on_stopped":
            pass  # of a life that does not happen
        elif other.conn not in sockets or other.dir not in ("in", "out"):
            kept.append(other)
    told: list[Item] = []
    if item.kind == "text":
        message = {"code": 1000, "reason": "Client disconnect"}
        told.append(
            Item(dir="out", kind="close", step=item.step, conn=item.conn, session=item.session, message=message)
        )
    losers = live_observers(items, item, "session.on_disconnected")
    told += [new_event(observer, item, {"permanent": True}) for observer in losers]
    reason = field(item.message, "reason")
    for stop in stops[:1]:
        value = {**(as_object(stop.value) or {}), **({"reason": reason} if item.kind == "close" else {})}
        told.append(copy_item(stop, wait=0.0, value=value))
    if item.kind == "close":
        stopped = live_observers(items, item, "session.on_stopped")
        told += [new_event(observer, item, reason) for observer in stopped]
    items[place:end] = [*told, *kept]


STOPPING_CLOSES = (
    (1000, "App stopped"),
    (1000, "User session ended"),
    (1000, "App session cleanup"),
    (1008, "Session ended"),
)
"""Close frames that end a session whatever came before (P1 2.9)."""
REFUSING_CLOSES = (
    (1008, "App deprecated"),
    (1008, "App not running"),
    (1008, "App not started for this session"),
    (1008, "Deferred reconnect timed out"),
    (1008, "Invalid API key"),
    (1008, "User session identity missing"),
)
"""Close frames that refuse a handshake for good, where the message that goes with them is missing (P1 2.9)."""
UNKNOWN_SESSION_CLOSES = (
    (1008, "Reconnect identity missing"),
    (1008, "Reconnect unauthenticated"),
    (1008, "Reconnect unsupported"),
    (1008, "Session expired"),
    (1008, "Session not found"),
)
"""Close frames after which only an init can help, where the message that goes with them is missing (P1 2.6)."""
SUPERSEDED = 1013
"""Close code of a parked socket that another one of the same app replaces."""
PERMANENT_REFUSALS = (
    "INVALID_API_KEY",
    "APP_DEPRECATED",
    "APP_NOT_STARTED",
    "MISSING_HEADERS",
    "JWT_INVALID",
    "INVALID_JWT",
    "JWT_SIGNATURE_FAILED",
    "PACKAGE_NOT_FOUND",
)
"""Codes of `tpa_connection_error` after which a new attempt would fare no better (P1 2.5)."""


def _is_acked(items: list[Item], item: Item) -> bool:
    """Tell whether the socket of an item is acknowledged, and not parked since."""
    for earlier in reversed(items[: items.index(item)]):
        if earlier.conn == item.conn and (is_ack(earlier) or field(earlier.message, "type") == "reconnect_deferred"):
            return is_ack(earlier)
    return False


def reads_close(items: list[Item], item: Item) -> None:
    """Some close frames end the session, or say that the cloud does not know it; the reference reconnects after all."""
    frame = cast("tuple[int, str]", (field(item.message, "code"), field(item.message, "reason")))
    spoke = ("app_stopped", "reconnect_rejected", "tpa_connection_error")
    last = next((other for other in reversed(items[: items.index(item)]) if other.conn == item.conn), None)
    if last is not None and last.dir == "in" and field(last.message, "type") in spoke:
        return  # what was said before counts
    is_acked = _is_acked(items, item)
    if frame in STOPPING_CLOSES or (not is_acked and frame in REFUSING_CLOSES) or _is_superseded(items, item):
        ends_here(items, item)
    elif not is_acked and frame in UNKNOWN_SESSION_CLOSES:
        _inits_next(items, item)


def _is_superseded(items: list[Item], item: Item) -> bool:
    """Tell whether a close frame says that another socket of this app is parked (P1 2.9)."""
    own = [other for other in items[: items.index(item)] if other.conn == item.conn]
    is_parked = not _is_acked(items, item) and any(
        field(other.message, "type") == "reconnect_deferred" for other in own
    )
    return is_parked and field(item.message, "code") == SUPERSEDED


def _inits_next(items: list[Item], item: Item) -> None:
    """The next handshake is an init."""
    first = next(other for other in items if field(other.message, "type") == "tpa_connection_init")
    for later in items[items.index(item) :]:
        if later.session == item.session and field(later.message, "type") == "reconnect":
            later.message = first.message
            return


def handshake_refused(items: list[Item], item: Item) -> None:
    """A handshake that is refused for good ends the session; other refusals cost the socket, at once (P1 2.5, 3.4)."""
    if _is_acked(items, item):
        return
    code = field(item.message, "code")
    if code in PERMANENT_REFUSALS:
        _answers_failure(items, item)
        ends_here(items, item)
        return
    if code == "SESSION_NOT_FOUND":
        _inits_next(items, item)
    place = items.index(item) + 1
    closed = next((other for other in items[place:] if other.conn == item.conn and other.kind == "close"), None)
    if closed is not None:
        items.remove(closed)
    message = {"code": 1000, "reason": "Client disconnect"}
    close = Item(dir="out", kind="close", step=item.step, conn=item.conn, session=item.session, message=message)
    items.insert(place, close)
    if not any(other.kind == "open" and other.session == item.session for other in items[place:]):
        own = [other for other in items[:place] if other.conn == item.conn]
        opened = next(other for other in own if other.kind == "open")
        handshake = next(other for other in own if other.dir == "out" and other.kind == "text")
        new = 1000 * cast("int", item.conn)
        items[place + 1 : place + 1] = [copy_item(opened, conn=new, wait=1.0), copy_item(handshake, conn=new)]


def _answers_failure(items: list[Item], item: Item) -> None:
    """The webhook that asked for the session is told that it failed, if it was not answered before."""
    place = items.index(item)
    if any(is_ack(other) and (other.session, other.life) == (item.session, item.life) for other in items[:place]):
        return
    asked = [other for other in items[:place] if is_request(other, "session_request") and other.session == item.session]
    message = {
        "role": "response",
        "http": field(asked[-1].message, "http"),
        "status": 502,
        "body": {"status": "error", "message": "<text>"},
    }
    items.insert(place + 1, Item(dir="out", kind="http", step=item.step, message=message))


def refused_upgrade(items: list[Item], item: Item) -> None:
    """An upgrade that is refused for want of credentials is refused for good (P1 2.1)."""
    place = items.index(item)
    if any(is_ack(other) and other.session == item.session for other in items[:place]):
        ends_here(items, item)
        for other in items[place : next_run(items, item)]:
            if other.handler == "on_stop":
                other.value = {**(as_object(other.value) or {}), "reason": "401", "kind": "refused"}


def closed_first(items: list[Item], item: Item) -> None:
    """The SDK has closed this socket already, because of what the cloud said before its own close frame."""
    item.dir, item.message = "out", {"code": 1000, "reason": "Client disconnect"}


def closes_then_inits(items: list[Item], item: Item) -> None:
    """The rejected socket is closed, and the session goes on with an init on a new one (P1 2.6)."""
    message = {"code": 1000, "reason": "Client disconnect"}
    place = items.index(item)
    if not _is_down(items, item):
        for observer in live_observers(items, item, "session.on_disconnected"):
            items.insert(place, new_event(observer, item, {"permanent": False}))
    items.insert(
        place, Item(dir="out", kind="close", step=item.step, conn=item.conn, session=item.session, message=message)
    )
    new_socket(items, item)


def _is_down(items: list[Item], until: Item) -> bool:
    """Tell whether the link is lost already at an item."""
    for item in reversed(items[: items.index(until)]):
        if item.session == until.session and (is_ack(item) or item.kind == "close"):
            return not is_ack(item)
    return True


def without_code(items: list[Item], item: Item) -> None:
    """What closed the socket is not told (D18). Recorded is the close frame before, or the reference's own code."""
    value = as_object(item.value) or {}
    earlier = reversed(items[: items.index(item)])
    frame = next((other.message for other in earlier if other.kind == "close"), None)
    told = (1005 if field(frame, "code") is None else field(frame, "code"), field(frame, "reason"))
    recorded = value.get("code"), value.get("reason")
    # A frame of our own may be recorded behind the event that it leads to; after a wrong one there is none.
    own = [(1000, "Client disconnect"), (1000, "Parked timeout"), (1006, "")]
    if recorded == told or recorded in own or value.get("code") in (1000, 4000, 4001, 4002):
        item.value = {"permanent": value.get("permanent")}


def tells_end(items: list[Item], item: Item) -> None:
    """Observers hear of the end that a call brings."""
    place = items.index(item) + 1
    for observer in live_observers(items, item, "session.on_disconnected"):
        items.insert(place, new_event(observer, item, {"permanent": True}))


def tells_connected(items: list[Item], item: Item) -> None:
    """Observers of the session hear of an ack, also where the recorded ones belonged to a run that was thrown away."""
    place = items.index(item) + 1
    end = next((n for n in range(place, len(items)) if items[n].dir in ("in", "app")), len(items))
    told = {other.handler for other in items[place:end] if other.dir == "event"}
    settings = field(item.message, "settings")
    values: dict[str, object] = {"session.on_connected": settings or [], "session.on_reconnected": []}
    for method, value in values.items():
        for observer in live_observers(items, item, method):
            if observer.handlers[0] not in told:
                items.insert(place, new_event(observer, item, value))


def utf8_ids(items: list[Item], item: Item) -> None:
    """A start whose ids go beyond Latin-1 does not fail: they are sent as UTF-8."""
    number = field(item.message, "http")
    request = next(other for other in items if is_request(other) and field(other.message, "http") == number)
    ids = {
        "x-session-id": field(request.message, "body", "sessionId"),
        "x-user-id": field(request.message, "body", "userId"),
    }
    create = next(other for other in items if other.method == "app.create")
    package = create.kwargs["package_name"]
    headers: Json = {name: cast("str", value).encode().decode("latin-1") for name, value in ids.items()}
    headers |= {"x-package-name": package, "x-api-key": create.kwargs["api_key"]}
    path = "/" + cast("str", field(request.message, "body", "websocketUrl")).split("/", maxsplit=3)[3]
    conn = 1000 * cast("int", number)
    place = items.index(item)
    items[place : place + 1] = [
        Item(dir="out", kind="open", step=item.step, conn=conn, session=cast("str", ids["x-session-id"]),
             message={"path": path, "headers": headers}),
        Item(dir="out", kind="text", step=item.step, conn=conn, session=cast("str", ids["x-session-id"]),
             message={"type": "tpa_connection_init", "packageName": package, "apiKey": create.kwargs["api_key"],
                      "sdkVersion": "3", "timestamp": "<timestamp>"}),
    ]  # fmt: skip


def renamed(items: list[Item], item: Item) -> None:
    """Put the session's present name into the headers of an upgrade."""
    acks = [other for other in items[: items.index(item)] if is_ack(other) and other.session == item.session]
    names = [field(other.message, "sessionId") for other in acks]
    name = next((name for name in reversed(names) if isinstance(name, str) and name), None)
    headers = field(item.message, "headers")
    if name is not None and isinstance(headers, dict):
        item.message = {**cast("Json", item.message), "headers": {**cast("Json", headers), "x-session-id": name}}


def reconnects(items: list[Item], item: Item) -> None:
    """The session reconnects after this close frame, and does not wait for the end of its park."""
    if field(item.message, "code") == SUPERSEDED:
        return
    place = items.index(item)
    end = next_run(items, item)
    kept = [
        other
        for other in items[place + 1 : end]
        if not (other.dir == "event" and field(other.value, "permanent") is True) and other.handler != "on_stop"
    ]
    for other in kept:
        if other.method == "session.is_parked" and other.dir == "result":
            other.value = False
    reconnect = next(other for other in reversed(items[:place]) if field(other.message, "type") == "reconnect")
    opened = next(other for other in items if other.kind == "open" and other.conn == reconnect.conn)
    new = 1000 * cast("int", item.conn)
    first = [
        copy_item(opened, conn=new, wait=1.0, window=None),
        copy_item(reconnect, conn=new),
    ]
    events = [other for other in kept if other.dir == "event"]
    others = [other for other in kept if other.dir != "event"]
    items[place + 1 : end] = [*events, *first, *others]


MOST_REST = 3.0
"""Seconds at the end in which a handshake that nobody answers has not failed yet."""


def unanswered(items: list[Item], item: Item) -> None:
    """A handshake that the cloud does not answer within 4 s has failed: the first one for good, others are repeated."""
    place = items.index(item) + 1
    close = Item(dir="out", kind="close", step=item.step, conn=item.conn, session=item.session, window=(4.0, 4.5),
                 message={"code": 1000, "reason": "Client disconnect"})  # fmt: skip
    if not any(is_ack(other) and other.session == item.session for other in items[:place]):
        asked = next(other for other in reversed(items[:place]) if is_request(other, "session_request"))
        message = {"role": "response", "http": field(asked.message, "http"), "status": 502,
                   "body": {"status": "error", "message": "<text>"}}  # fmt: skip
        items[place:place] = [close, Item(dir="out", kind="http", step=item.step, message=message)]
        return
    opened = next(other for other in items if other.kind == "open" and other.conn == item.conn)
    new = 1000 * cast("int", item.conn)
    again = [copy_item(opened, conn=new, wait=1.0, window=None), copy_item(item, conn=new, silence=0.0)]
    items[place:place] = [close, *again]
    # Before the next attempt fails in the same way, the replay is over.
    items[-1].wait = min(items[-1].wait, MOST_REST)


def backoff(items: list[Item], item: Item) -> None:
    """Attempts come after 0 s to 0.25 s at first, then after up to 0.5 s, 1 s, 2 s ... 10 s (D20)."""
    earlier = items[: items.index(item)]
    attempts = sum(other.kind == "open" and other.session == item.session for other in earlier) - 1
    item.window = (0.0, 0.25 if attempts <= 0 else min(10.0, 0.5 * 2 ** (attempts - 1)))


def same_run(items: list[Item], item: Item) -> None:
    """The handler is not run a second time: its registrations are those of the first run (D17)."""
    place = items.index(item)
    alike = [
        earlier
        for earlier in items[:place]
        if earlier.dir == "app"
        and earlier.session == item.session
        and earlier.handlers
        and (earlier.method, earlier.args, earlier.kwargs) == (item.method, item.args, item.kwargs)
    ]
    if not alike:
        return
    first = alike[0]
    renamed = dict(zip(item.handlers, first.handlers, strict=True))
    for later in items[place + 1 :]:
        later.handler = renamed.get(later.handler or "", later.handler)
        if item.assign and later.method == item.assign:
            later.method = first.assign
    items.remove(item)


def keeps_trying(items: list[Item], item: Item) -> None:
    """Before the end is told, the SDK has tried for two minutes (D20); the runner refuses it that long."""
    place = items.index(item)
    start = max(n for n, other in enumerate(items[:place]) if other.dir in ("in", "runner"))
    if items[start].dir == "runner":
        return
    on_stop = (n for n in range(start, place) if items[n].handler == "on_stop")
    items.insert(
        next(on_stop, place),
        Item(dir="runner", kind="keeps_trying", step=item.step, session=item.session, life=item.life,
             window=(120.0, 140.0)),
    )  # fmt: skip


def coalesced(items: list[Item], item: Item) -> None:
    """A request for a session that is just being started joins that start: no second socket (P1 1.6)."""
    place = items.index(item) + 1
    opened = next((other for other in items[place:] if other.kind == "open" and other.session == item.session), None)
    old = next(
        (other for other in reversed(items[:place]) if other.kind == "open" and other.session == item.session), None
    )
    if opened is None or old is None:
        return
    for other in items[place:]:
        is_end = other.conn == old.conn and other.dir == "out"
        is_start = other is opened or (
            other.conn == opened.conn and field(other.message, "type") == "tpa_connection_init"
        )
        if is_end or is_start:
            items.remove(other)
        elif other.conn == opened.conn:
            other.conn = old.conn


def without_ids(items: list[Item], item: Item) -> None:
    """A request that does not say whose session it is about is refused, and nothing is opened."""
    place = items.index(item)
    number = field(item.message, "http")
    opened = next((other for other in items[place:] if other.dir == "out" and other.kind == "open"), None)
    if opened is not None and field(item.message, "body", "type") == "session_request":
        drop(items, opened)
    items[:] = [other for other in items if not is_answer(other, number)]
    message = {"role": "response", "http": number, "status": 400, "body": {"status": "error", "message": "<text>"}}
    items.insert(place + 1, Item(dir="out", kind="http", step=item.step, message=message))


def counts(items: list[Item], item: Item) -> None:
    """Health counts sessions that the cloud has acknowledged, and that go on."""
    earlier = items[: items.index(item)]
    opened = {(other.session, other.life) for other in earlier if other.kind == "open"}
    acked = {(other.session, other.life) for other in earlier if is_ack(other)}
    message = cast("Json", item.message)
    body = cast("Json", message["body"])
    count = cast("int", body["activeSessions"]) - len(opened - acked)
    item.message = {**message, "body": {**body, "activeSessions": max(0, count)}}


def comes_late(items: list[Item], item: Item) -> None:
    """A message that was sent while the SDK closed is sent after that: the close frame does not wait for it."""
    place = items.index(item)
    closing = [
        other
        for other in items[place + 1 :]
        if (other.conn == item.conn and other.dir == "out") or other.method == "session.on_disconnected"
    ]
    for other in closing:
        items.remove(other)
    items[place:place] = closing
