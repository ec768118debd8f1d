"""Changes of a timeline that need more than one item. Rows name them (`rewrite = "..."`)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

from mentra_trio._wire.streams import canonical_language, fold_language, parse_stream

from .recordings import Json
from .marks import snake
from .timeline import Item, field, is_ack, is_answer, is_request

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


def _new_socket(items: list[Item], item: Item) -> None:
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


def _live_observers(items: list[Item], item: Item, method: str) -> list[Item]:
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


def _new_event(registration: Item, like: Item, value: object) -> Item:
    return Item(
        dir="event",
        kind="event",
        step=like.step,
        session=like.session,
        method=registration.method,
        handler=registration.handlers[0],
        value=value,
    )


def _next_run(items: list[Item], item: Item) -> int:
    """Find where the next run of an item's session begins."""
    start = items.index(item) + 1
    for place in range(start, len(items)):
        other = items[place]
        if other.session == item.session and is_request(other, "session_request"):
            return place
    return len(items)


def _ends_here(items: list[Item], item: Item) -> None:
    """The session ends with this message or close frame, so what was recorded of its later life does not happen.

    Unless the cloud closed the socket, this SDK does. Observers hear of the end once.
    """
    end = _next_run(items, item)
    place = items.index(item) + 1
    sockets = {other.conn for other in items[place:end] if other.kind == "open" and other.session == item.session}
    sockets.add(item.conn)
    kept: list[Item] = []
    for other in items[place:end]:
        is_link = other.conn in sockets and other.dir in ("in", "out")
        is_told = other.handler == "on_stop" or other.method == "session.on_stopped"
        is_news = other.dir == "event" and other.session == item.session and not is_told
        is_on_stop = other.handler == "on_stop" and any(one.handler == "on_stop" for one in kept)
        if is_link or is_news or is_on_stop:
            continue
        if other.kind == "return" and other.session == item.session and other.method == "session.is_connected":
            other.value = False
        kept.append(other)
    told: list[Item] = []
    if item.kind != "close":
        message = {"code": 1000, "reason": "Client disconnect"}
        told.append(Item(dir="out", kind="close", step=item.step, conn=item.conn, session=item.session, message=message))
    for observer in _live_observers(items, item, "session.on_disconnected"):
        told.append(_new_event(observer, item, {"permanent": True}))
    if item.kind == "close":
        for observer in _live_observers(items, item, "session.on_stopped"):
            told.append(_new_event(observer, item, field(item.message, "reason")))
    items[place:end] = [*told, *kept]


def _closed_first(items: list[Item], item: Item) -> None:
    """The SDK has closed this socket already, because of what the cloud said before its own close frame."""
    item.dir, item.message = "out", {"code": 1000, "reason": "Client disconnect"}


def _closes_then_inits(items: list[Item], item: Item) -> None:
    """The rejected socket is closed, and the session goes on with an init on a new one (P1 2.6)."""
    message = {"code": 1000, "reason": "Client disconnect"}
    place = items.index(item)
    if not _is_down(items, item):
        for observer in _live_observers(items, item, "session.on_disconnected"):
            items.insert(place, _new_event(observer, item, {"permanent": False}))
    items.insert(place, Item(dir="out", kind="close", step=item.step, conn=item.conn, session=item.session, message=message))
    _new_socket(items, item)


def _is_down(items: list[Item], until: Item) -> bool:
    """Tell whether the link is lost already at an item."""
    for item in reversed(items[: items.index(until)]):
        if item.session == until.session and (is_ack(item) or item.kind == "close"):
            return not is_ack(item)
    return True


def _tells_end(items: list[Item], item: Item) -> None:
    """Observers hear of the end that a call brings."""
    place = items.index(item) + 1
    for observer in _live_observers(items, item, "session.on_disconnected"):
        items.insert(place, _new_event(observer, item, {"permanent": True}))


def _tells_connected(items: list[Item], item: Item) -> None:
    """Observers of the session hear of an ack, also where the recorded ones belonged to a run that was thrown away."""
    place = items.index(item) + 1
    end = next((n for n in range(place, len(items)) if items[n].dir in ("in", "app")), len(items))
    told = {other.handler for other in items[place:end] if other.dir == "event"}
    settings = field(item.message, "settings")
    for method, value in (("session.on_connected", settings or []), ("session.on_reconnected", [])):
        for observer in _live_observers(items, item, method):
            if observer.handlers[0] not in told:
                items.insert(place, _new_event(observer, item, value))


def _after_ack(items: list[Item], item: Item) -> None:
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
    while target < len(items) and items[target].dir not in ("in",) and not (
        items[target].dir == "out" and field(items[target].message, "type") == "subscription_update"
    ):
        target += 1
    items.insert(min(target + 1, len(items)), item)


def _utf8_ids(items: list[Item], item: Item) -> None:
    """A start whose ids go beyond Latin-1 does not fail: they are sent as UTF-8."""
    number = field(item.message, "http")
    request = next(other for other in items if is_request(other) and field(other.message, "http") == number)
    ids = {"x-session-id": field(request.message, "body", "sessionId"), "x-user-id": field(request.message, "body", "userId")}
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


def _renamed(items: list[Item], item: Item) -> None:
    """Put the session's present name into the headers of an upgrade."""
    acks = [other for other in items[: items.index(item)] if is_ack(other) and other.session == item.session]
    names = [field(other.message, "sessionId") for other in acks]
    name = next((name for name in reversed(names) if isinstance(name, str) and name), None)
    headers = field(item.message, "headers")
    if name is not None and isinstance(headers, dict):
        item.message = {**cast("Json", item.message), "headers": {**cast("Json", headers), "x-session-id": name}}


def _reconnects(items: list[Item], item: Item) -> None:
    """The session reconnects after this close frame, and does not wait for the end of its park."""
    place = items.index(item)
    end = _next_run(items, item)
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
        _copy(opened, conn=new, wait=1.0, window=None),
        _copy(reconnect, conn=new),
    ]
    events = [other for other in kept if other.dir == "event"]
    others = [other for other in kept if other.dir != "event"]
    items[place + 1 : end] = [*events, *first, *others]


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


def _waits_for_link(items: list[Item], item: Item) -> None:
    """What is shown while there is no link is shown when the link is back (D9)."""
    later = items[items.index(item) :]
    ack = next((other for other in later if is_ack(other) and other.session == item.session), None)
    found = None if ack is None else _after_list(items, ack)
    if ack is not None and found is not None:
        place, told = found
        message = _display_message(item, told)
        items.insert(place, Item(dir="out", kind="text", step=ack.step, conn=ack.conn, session=item.session,
                                 life=item.life, message=message))  # fmt: skip


def _shows_again(items: list[Item], item: Item) -> None:
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
        items.insert(place, _copy(shown, conn=item.conn, message=message, is_optional=True, window=(0.0, 0.45)))


def _unanswered(items: list[Item], item: Item) -> None:
    """A handshake that the cloud does not answer within 4 s has failed: the first one for good, others are repeated."""
    place = items.index(item) + 1
    close = Item(dir="out", kind="close", step=item.step, conn=item.conn, session=item.session, window=(4.0, 4.5),
                 message={"code": 1000, "reason": "Client disconnect"})  # fmt: skip
    if not any(is_ack(other) and other.session == item.session for other in items[:place]):
        asked = next(
            other for other in reversed(items[:place]) if is_request(other, "session_request")
        )
        message = {"role": "response", "http": field(asked.message, "http"), "status": 502,
                   "body": {"status": "error", "message": "<text>"}}  # fmt: skip
        items[place:place] = [close, Item(dir="out", kind="http", step=item.step, message=message)]
        return
    opened = next(other for other in items if other.kind == "open" and other.conn == item.conn)
    for attempt in range(int(item.silence // 14) + 1):
        new = 1000 * cast("int", item.conn) + attempt
        again = [_copy(opened, conn=new, window=(0.0, 10.0)), _copy(item, conn=new, silence=0.0, is_optional=attempt > 0)]
        items[place:place] = [close, *again]
        close = _copy(close, conn=new, is_optional=True)
        place += 3


def _backoff(items: list[Item], item: Item) -> None:
    """Attempts come after 0 s to 0.25 s at first, then after up to 0.5 s, 1 s, 2 s ... 10 s (D20)."""
    earlier = items[: items.index(item)]
    attempts = sum(other.kind == "open" and other.session == item.session for other in earlier) - 1
    item.window = (0.0, 0.25 if attempts <= 0 else min(10.0, 0.5 * 2 ** (attempts - 1)))


def _same_run(items: list[Item], item: Item) -> None:
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


def _keeps_trying(items: list[Item], item: Item) -> None:
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


def _live_handlers(items: list[Item], like: Item, until: int) -> list[str]:
    """List the handlers registered like one of them and not removed before an item."""
    registrations = [
        item
        for item in items[:until]
        if item.dir == "app" and item.kind == "call" and (item.method, item.args) == (like.method, like.args)
    ]
    removed = {item.method for item in items[:until] if item.dir == "app"}
    return [item.handlers[0] for item in registrations if item.handlers and item.assign not in removed]


def _deliver_to_all(items: list[Item], item: Item) -> None:
    """Every handler that was registered when a message came gets it, whatever the others do (P2 1.6, D1)."""
    start = max(n for n, other in enumerate(items[: items.index(item)]) if other.dir == "in")
    end = next((n for n, other in enumerate(items) if n > start and other.dir == "in"), len(items))
    events = [other for other in items[start:end] if other.dir == "event"]
    for event in events:
        like = next((other for other in items if other.dir == "app" and event.handler in other.handlers), None)
        if like is None:
            continue
        for handler in _live_handlers(items, like, start):
            if not any(other.handler == handler for other in items[start:end] if other.dir == "event"):
                items.insert(items.index(event) + 1, _copy(event, handler=handler))
                end += 1


def _copy(item: Item, **changes: object) -> Item:
    twin = copy.copy(item)
    for name, value in changes.items():
        setattr(twin, name, value)
    return twin


def _once(items: list[Item], item: Item) -> None:
    """An event that a handler gets twice because it was registered twice comes once."""
    before = items[: items.index(item)]
    last = next((other for other in reversed(before) if other.dir in ("in", "app") or other.handler == item.handler), None)
    if last is not None and last.dir == "event" and last.value == item.value:
        items.remove(item)


def _deliver_transcript(items: list[Item], item: Item) -> None:
    """A transcript goes to the streams of its language, and otherwise to those of any language (D19).

    Copies of other apps' languages are dropped as soon as an event named `auto` has come over the connection, because
    from then on they are copies.
    """
    place = items.index(item)
    registrations = _speech_registrations(items, place)
    if not registrations:
        return
    end = next((n for n in range(place + 1, len(items)) if items[n].dir in ("in", "app")), len(items))
    events = {
        other.handler: other
        for other in items[place + 1 : end]
        if other.dir == "event" and (other.method or "").startswith("transcription.")
    }
    spelled = cast("str", field(item.message, "streamType"))
    name = parse_stream(_canonical(spelled))
    wanted: list[Item] = []
    if name is not None:
        wanted = [one for one in registrations if name.language in _languages(one)]
        if not wanted and not _has_heard_auto(items, place):
            wanted = [one for one in registrations if "auto" in _languages(one)]
    handlers = [one.handlers[0] for one in wanted]
    for handler, event in events.items():
        if handler not in handlers:
            items.remove(event)
    for registration in reversed(wanted):
        # What the reference delivers has to be in the recording.
        if registration.handlers[0] not in events and not _is_recorded(registration, spelled):
            event = _new_event(registration, item, _transcript_value(item.message))
            event.cause = item.message
            items.insert(place + 1, event)


def _is_recorded(registration: Item, stream_type: str) -> bool:
    """Tell whether the reference SDK delivers to a handler: by the exact name, or by a name up to a colon (P2 1.6)."""
    if registration.method == "transcription.on":
        names = ["transcription"]
    else:
        (given,) = registration.args
        tags = cast("list[str]", given) if isinstance(given, list) else [cast("str", given)]
        names = [f"transcription:{tag}" for tag in tags]
    return any(stream_type == name or stream_type.startswith(f"{name}:") for name in names)


def _speech_registrations(items: list[Item], until: int) -> list[Item]:
    """List the calls whose transcription handlers are live at an item."""
    live: dict[str, Item] = {}
    for item in items[:until]:
        if item.dir != "app" or item.session != items[until].session:
            continue
        if item.method in ("transcription.on", "transcription.for_language"):
            live[item.assign or f"call {item.api}"] = item
        elif item.method == "transcription.stop":
            live.clear()
        else:
            live.pop(item.method or "", None)
    return list(live.values())


def _languages(registration: Item) -> list[str]:
    """Give the languages of a call as this SDK spells them."""
    if registration.method == "transcription.on":
        return ["auto"]
    (given,) = registration.args
    tags = cast("list[str]", given) if isinstance(given, list) else [cast("str", given)]
    return [_canonical(f"transcription:{tag}").partition(":")[2] for tag in tags]


def _has_heard_auto(items: list[Item], until: int) -> bool:
    """Tell whether an event named `auto` has come over the connection."""
    for item in reversed(items[:until]):
        if item.dir == "in" and item.conn == items[until].conn:
            if is_ack(item):
                return False
            if str(field(item.message, "streamType")).partition("?")[0] == "transcription:auto":
                return True
    return False


def _said(message: object) -> object:
    """Give the data of an event, which is the message itself where there is none (P2 1.2)."""
    data = field(message, "data")
    return message if data is None else data


def _transcript_value(message: object) -> Json:
    """Give what the reference SDK makes of a transcription message; the language of a name without its options."""
    said = _said(message)
    language = field(said, "detectedLanguage")
    if language is None:
        language = field(said, "transcribeLanguage")
    if language is None:
        name = _canonical(cast("str", field(message, "streamType")))
        language = name.partition(":")[2].partition("?")[0] or "auto"
    text, start, end = field(said, "text"), field(said, "startTime"), field(said, "endTime")
    more = ("speakerId", "utteranceId", "confidence", "duration", "metadata")
    return {
        "text": "" if text is None else text,
        "isFinal": bool(field(said, "isFinal")),
        "language": language,
        "startTime": 0 if start is None else start,
        "endTime": 0 if end is None else end,
        **{name: field(said, name) for name in more},
    }


def _drops_unusable(items: list[Item], item: Item) -> None:
    """A transcript without its two fields, or whose data is no object, is not delivered (P2 3.3.3)."""
    data, said = field(item.cause, "data"), _said(item.cause)
    is_object = data is None or isinstance(data, dict)
    if not is_object or not isinstance(field(said, "text"), str) or not isinstance(field(said, "isFinal"), bool):
        items.remove(item)


def _typed_transcript(_: list[Item], item: Item) -> None:
    """A transcript has typed fields: wrong ones are absent, times are seconds of interims, the language has a name."""
    if not isinstance(item.value, dict):
        return
    value = dict(cast("Json", item.value))
    said = _said(item.cause)
    for name, wire in (("audioStart", "startTime"), ("audioEnd", "endTime")):
        time = value.pop(wire, None)
        is_told = field(said, wire) is not None
        is_time = is_told and isinstance(time, int | float) and not isinstance(time, bool) and time < _EPOCH_MILLISECONDS
        value[name] = cast("float", time) / 1000 if is_time and value.get("isFinal") is False else None
    for name in ("duration", "metadata"):
        value.pop(name, None)
    speaker, confidence = value.get("speakerId"), value.get("confidence")
    is_label = isinstance(speaker, str | int) and not isinstance(speaker, bool)
    value["speakerId"] = str(speaker) if is_label and speaker != "<undefined>" else None
    is_number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    value["confidence"] = confidence if is_number else None
    value["utteranceId"] = value.get("utteranceId") if isinstance(value.get("utteranceId"), str) else None
    value["language"] = _language_of(value.get("language"), item.cause)
    item.value = value


_EPOCH_MILLISECONDS = 1e12
"""From here on a time is of the other base (P2 3.6 T6)."""


def _language_of(recorded: object, message: object) -> str:
    """Give the language that is told, or else the next best one, under the name of P2 Appendix A."""
    language = recorded
    if not isinstance(language, str) or not language:
        named = [field(_said(message), key) for key in ("detectedLanguage", "transcribeLanguage")]
        told = [name for name in named if isinstance(name, str) and name]
        language = told[0] if told else _canonical(cast("str", field(message, "streamType"))).partition(":")[2]
    base, dash, region = language.partition("?")[0].partition("-")
    return fold_language(base) + dash + region


def _refuses_what_is_no_text(items: list[Item], item: Item) -> None:
    """What is shown has to be text, or lines of text for `show_text`: otherwise the call raises, and nothing is sent."""
    texts: list[object] = []
    for argument in item.args:
        is_lines = isinstance(argument, list) and item.method == "display.show_text"
        texts += cast("list[object]", argument) if is_lines else [argument]
    if all(isinstance(text, str) and text != "<undefined>" or field(text, "$repeat") for text in texts):
        return
    place = items.index(item) + 1
    sent = next((other for other in items[place:] if other.dir in ("out", "in", "app")), None)
    if sent is not None and sent.dir == "out" and field(sent.message, "type") == "display_event":
        items.remove(sent)
    items.insert(place, _new_error(item, "TypeError"))


OWN_MESSAGES = ("tpa_connection_init", "reconnect", "subscription_update", "ownership_release", "ping", "pong")
"""What only the connection itself sends."""


def _raw_message(items: list[Item], item: Item) -> None:
    """A raw message is an object with a type, which gets the envelope that the cloud wants of every message (P1 0)."""
    place = items.index(item)
    (message,) = item.args
    sent = next(
        (
            other
            for other in items[place:]
            if other.dir == "out" and other.kind == "text" and other.session == item.session and other.message == message
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
            items.insert(place + 1, _new_error(item, "ValueError"))
    elif sent is not None:
        told = next(
            other for other in reversed(items[:place]) if field(other.message, "type") == "subscription_update"
        )
        envelope = {name: field(told.message, name) for name in ("packageName", "sessionId", "timestamp")}
        sent.message = {**envelope, **cast("Json", message)}


def _new_error(call: Item, name: str) -> Item:
    return Item(dir="result", kind="error", step=call.step, api=call.api, method=call.method, session=call.session,
                life=call.life, value=name)  # fmt: skip


def _coalesced(items: list[Item], item: Item) -> None:
    """A request for a session that is just being started joins that start: no second socket (P1 1.6)."""
    place = items.index(item) + 1
    opened = next((other for other in items[place:] if other.kind == "open" and other.session == item.session), None)
    old = next((other for other in reversed(items[:place]) if other.kind == "open" and other.session == item.session), None)
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


def _only_told(items: list[Item], item: Item) -> None:
    """The state of the glasses is what the cloud has told of it, in the types of P2 6.3; the rest is unknown."""
    state: Json = {}
    for earlier in items[: items.index(item)]:
        told = field(earlier.message, "state")
        if earlier.dir == "in" and field(earlier.message, "type") == "device_state_update" and isinstance(told, dict):
            if field(earlier.message, "fullSnapshot") is True:
                state.clear()
            state |= {snake(name): value for name, value in cast("Json", told).items()}
    if isinstance(item.value, dict):
        recorded = cast("Json", item.value)
        item.value = {name: value if _is_state(name, state.get(name)) else None for name, value in recorded.items()}


def _is_state(name: str, value: object) -> bool:
    if name in ("model_name", "wifi_ssid", "wifi_local_ip", "hotspot_ssid"):
        return isinstance(value, str)
    if name in ("battery_level", "case_battery_level"):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, bool)


def _capabilities(items: list[Item], item: Item) -> None:
    """Capabilities are an object with a model, or nothing; what did not change is no news."""
    earlier = items[: items.index(item)]
    sources = [other for other in earlier if _tells_capabilities(other)]
    known = [_readable_capabilities(other) for other in sources]
    if known and known[-1] is None:
        item.value = None
    if item.dir == "event" and known and known[-1] == (known[-2] if len(known) > 1 else None):
        items.remove(item)


def _tells_capabilities(item: Item) -> bool:
    return item.dir == "in" and (is_ack(item) or field(item.message, "type") == "capabilities_update")


def _readable_capabilities(item: Item) -> object:
    told = field(item.message, "capabilities")
    return told if isinstance(field(told, "modelName"), str) else None


def _without_ids(items: list[Item], item: Item) -> None:
    """A request that does not say whose session it is about is refused, and nothing is opened."""
    place = items.index(item)
    number = field(item.message, "http")
    opened = next((other for other in items[place:] if other.dir == "out" and other.kind == "open"), None)
    if opened is not None and field(item.message, "body", "type") == "session_request":
        drop(items, opened)
    items[:] = [other for other in items if not is_answer(other, number)]
    message = {"role": "response", "http": number, "status": 400, "body": {"status": "error", "message": "<text>"}}
    items.insert(place + 1, Item(dir="out", kind="http", step=item.step, message=message))


def _counts(items: list[Item], item: Item) -> None:
    """Health counts sessions that the cloud has acknowledged, and that go on."""
    earlier = items[: items.index(item)]
    opened = {(other.session, other.life) for other in earlier if other.kind == "open"}
    acked = {(other.session, other.life) for other in earlier if is_ack(other)}
    message = cast("Json", item.message)
    body = cast("Json", message["body"])
    count = cast("int", body["activeSessions"]) - len(opened - acked)
    item.message = {**message, "body": {**body, "activeSessions": max(0, count)}}


def _other_package(items: list[Item], item: Item) -> None:
    """A settings message that names another package does not concern this app (P1 5.1)."""
    create = next(other for other in items if other.method == "app.create")
    package = field(item.cause, "packageName")
    if package is not None and package != create.kwargs.get("package_name"):
        items.remove(item)


def _comes_late(items: list[Item], item: Item) -> None:
    """A message that was sent while the SDK closed is sent after that: the close frame does not wait for it."""
    place = items.index(item)
    closing = [
        other
        for other in items[place + 1 :]
        if other.conn == item.conn and other.dir == "out" or other.method == "session.on_disconnected"
    ]
    for other in closing:
        items.remove(other)
    items[place:place] = closing


def _tells_undecodable(items: list[Item], item: Item) -> None:
    """Whoever asks for the count of unreadable frames finds this one in it."""
    place = items.index(item) + 1
    for observer in _live_observers(items, item, "session.on_error"):
        items.insert(place, _new_event(observer, item, {"undecodable": True}))


def _newest_of_burst(items: list[Item], item: Item) -> None:
    """Displays of one tick replace each other: only the last one has to go out."""
    place = items.index(item)
    for other in items[place + 1 :]:
        if other.dir in ("in", "app"):
            return
        if other.kind == "text" and other.conn == item.conn and field(other.message, "type") == "display_event":
            item.is_optional, item.window = True, None
            return


def _canonical(name: str) -> str:
    """Spell the language of a stream name as this SDK does (P2 1.4.2)."""
    path, question, query = name.partition("?")
    base, colon, language = path.partition(":")
    if base != "transcription" or not colon or parse_stream(path) is not None:
        return name
    try:
        return f"{base}:{canonical_language(language)}{question}{query}"
    except ValueError:
        return name


def _canonical_names(items: list[Item], item: Item) -> None:
    """Language streams carry the tag that the cloud parses, both ways: it repeats what was subscribed (P2 1.5)."""
    message = copy.deepcopy(item.message)
    if not isinstance(message, dict):
        return
    fields = cast("Json", message)
    names, name = fields.get("subscriptions"), fields.get("streamType")
    if isinstance(names, list):
        spelled = [_canonical(one) if isinstance(one, str) else one for one in cast("list[object]", names)]
        fields["subscriptions"] = list(dict.fromkeys(cast("list[str]", spelled)))
    if isinstance(name, str):
        fields["streamType"] = _canonical(name)
        for event in items[items.index(item) + 1 :]:
            if event.dir in ("in", "app"):
                break
            suffix = name.partition(":")[2]
            is_named = any(field(_said(item.message), key) for key in ("detectedLanguage", "transcribeLanguage"))
            if event.dir == "event" and field(event.value, "language") == suffix and not is_named:
                language = _canonical(name).partition(":")[2].partition("?")[0]
                event.value = {**cast("Json", event.value), "language": language}
    if fields != item.message:
        item.message, item.raw = fields, None


def _refuses_unparseable(items: list[Item], item: Item) -> None:
    """A language that is none raises, and nothing is subscribed; so there is nothing to clean up either."""
    try:
        for language in _languages(item):
            canonical_language(language)
    except ValueError:
        pass
    else:
        return
    unread = [f"transcription:{language}" for language in _languages(item)]
    place = items.index(item) + 1
    for other in items[place:]:
        if other.dir == "app" and other.method == item.assign:
            items.remove(other)
        names = field(other.message, "subscriptions")
        if other.dir == "out" and isinstance(names, list):
            kept = [name for name in cast("list[object]", names) if name not in unread]
            before = [earlier for earlier in items[: items.index(other)] if earlier.conn == other.conn]
            told = [field(earlier.message, "subscriptions") for earlier in before if earlier.dir == "out"]
            if told and told[-1] == kept:
                items.remove(other)  # nothing has changed
            else:
                other.message = {**cast("Json", other.message), "subscriptions": kept}
        if other.method == "transcription.active":
            other.value = False
    items.insert(place, _new_error(item, "ValueError"))


def _hints_of(items: list[Item], item: Item) -> None:
    """Hints that were configured stand in the names of the language streams opened after that (P2 3.4)."""
    place = items.index(item)
    hints: list[str] = []
    opened: dict[str, list[str]] = {}
    for earlier in items[:place]:
        if earlier.dir != "app" or earlier.session != item.session:
            continue
        if earlier.method == "transcription.configure":
            hints = cast("list[str]", earlier.kwargs.get("language_hints") or [])
        elif earlier.method == "transcription.stop":
            hints, opened = [], {}
        elif earlier.method == "transcription.on":
            opened.setdefault("auto", []).extend(hints)
        elif earlier.method == "transcription.for_language":
            (language,) = earlier.args
            languages = cast("list[str]", language) if isinstance(language, list) else [cast("str", language)]
            for tag in languages:
                opened.setdefault(_canonical(f"transcription:{tag}").partition(":")[2], []).extend(hints)
    message = copy.deepcopy(cast("Json", item.message))
    names = cast("list[object]", message["subscriptions"])
    message["subscriptions"] = [_with_hints(name, opened) for name in names]
    item.message = message


def _with_hints(name: object, opened: dict[str, list[str]]) -> object:
    if not isinstance(name, str) or not name.startswith("transcription:") or "?" in name:
        return name
    wanted = sorted({tag.partition("-")[0].lower() for tag in opened.get(name.partition(":")[2], [])})
    return f"{name}?hints={','.join(wanted)}" if wanted else name


def _settings_by_key(items: list[Item], item: Item) -> None:
    """Settings are values by key: what was told, else the default of a definition seen for that key (P1 5.2)."""
    earlier = items[: items.index(item)]
    told = item.value
    if item.dir == "result":
        source = next((other for other in reversed(earlier) if _told_settings(other, item)), None)
        if source is not None and not isinstance(field(source.message, "settings"), list):
            # It cannot be read, so what was told before stays; an ack without settings tells that there are none.
            read = (other for other in reversed(earlier) if _told_settings(other, item) and _is_readable(other, earlier))
            told = next((field(other.message, "settings") for other in read), [])
    item.value = {**_defaults(earlier, item.session), **_values(told, "value")}


def _told_settings(item: Item, beside: Item) -> bool:
    is_update = field(item.message, "type") == "settings_update"
    is_same = (item.session, item.life) == (beside.session, beside.life)
    return item.dir == "in" and is_same and (is_update or is_ack(item))


def _is_readable(item: Item, items: list[Item]) -> bool:
    """Tell whether settings count: a list, for this app."""
    if is_ack(item):
        return True
    package = field(item.message, "packageName")
    create = next(other for other in items if other.method == "app.create")
    is_ours = package is None or package == create.kwargs.get("package_name")
    return is_ours and isinstance(field(item.message, "settings"), list)


def _only_changes(items: list[Item], item: Item) -> None:
    """Settings that did not change are no news (P1 5.1: each change comes twice)."""
    place = items.index(item)
    start = max(n for n, other in enumerate(items[:place]) if other.dir == "in")
    before: Json = {}
    for earlier in items[:start]:
        if _told_settings(earlier, item) and _is_readable(earlier, items):
            before = _values(field(earlier.message, "settings"), "value")
    is_first = not any(
        is_ack(earlier) and (earlier.session, earlier.life) == (item.session, item.life) for earlier in items[:start]
    )
    if not is_first and {**_defaults(items[:start], item.session), **before} == item.value:
        items.remove(item)


def _defaults(items: list[Item], session: str | None) -> Json:
    found: Json = {}
    for item in items:
        if item.dir == "in" and item.session == session:
            found |= _values(field(item.message, "settings"), "defaultValue")
    return found


def _values(settings: object, name: str) -> Json:
    return {cast("str", entry["key"]): entry[name] for entry in _entries(settings) if entry.get(name) is not None}


SYSTEM_DEFAULTS: Json = {
    "metricSystemEnabled": False,
    "contextualDashboard": True,
    "headUpAngle": 45,
    "brightness": 50,
    "autoBrightness": True,
    "sensingEnabled": True,
    "alwaysOnStatusBar": False,
    "bypassVad": False,
    "bypassAudioEncoding": False,
    "preferredMic": "auto",
    "useOnboardMic": False,
    "userTimezone": None,
}
"""P1 5.3."""


def _system_defaults(items: list[Item], item: Item) -> None:
    """System settings are typed fields with defaults, under one name for the time zone (P1 5.3).

    What cannot be read, or is not told, changes nothing.
    """
    earlier = items[: items.index(item)]
    sources = [told for other in earlier if (told := _told_system(other, item)) is not _SILENT]
    value = item.value
    if sources and not isinstance(sources[-1], dict):
        value = next((told for told in reversed(sources) if isinstance(told, dict)), {})
    told = dict(cast("Json", value)) if isinstance(value, dict) else {}
    if told.get("userTimezone") is None and "timezone" in told:
        told["userTimezone"] = told["timezone"]
    item.value = {
        name: told[name] if name in told and _is_alike(told[name], default) else default
        for name, default in SYSTEM_DEFAULTS.items()
    }


_SILENT = object()


def _told_system(item: Item, beside: Item) -> object:
    """Give the system settings that a message tells; `_SILENT` of messages that could not."""
    if item.dir != "in" or (item.session, item.life) != (beside.session, beside.life):
        return _SILENT
    if is_ack(item):
        return field(item.message, "mentraosSettings")
    is_update = field(item.message, "type") == "augmentos_settings_update"
    return field(item.message, "settings") if is_update else _SILENT


def _is_alike(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int | float)
    return isinstance(value, str)


def _entries(settings: object) -> list[Json]:
    if not isinstance(settings, list):
        return []
    found = [cast("Json", entry) for entry in cast("list[object]", settings) if isinstance(entry, dict)]
    return [
        entry
        for entry in found
        if isinstance(entry.get("key"), str) and entry["key"] and entry.get("type") not in ("group", "titleValue")
    ]


REWRITES: dict[str, Rewrite] = {
    "deliver_transcript": _deliver_transcript,
    "refuses_what_is_no_text": _refuses_what_is_no_text,
    "coalesced": _coalesced,
    "tells_undecodable": _tells_undecodable,
    "other_package": _other_package,
    "only_told": _only_told,
    "capabilities": _capabilities,
    "without_ids": _without_ids,
    "counts": _counts,
    "comes_late": _comes_late,
    "ends_here": _ends_here,
    "closed_first": _closed_first,
    "closes_then_inits": _closes_then_inits,
    "tells_end": _tells_end,
    "tells_connected": _tells_connected,
    "after_ack": _after_ack,
    "utf8_ids": _utf8_ids,
    "backoff": _backoff,
    "waits_for_link": _waits_for_link,
    "shows_again": _shows_again,
    "unanswered": _unanswered,
    "raw_message": _raw_message,
    "drops_unusable": _drops_unusable,
    "keeps_trying": _keeps_trying,
    "typed_transcript": _typed_transcript,
    "renamed": _renamed,
    "reconnects": _reconnects,
    "new_socket": _new_socket,
    "same_run": _same_run,
    "deliver_to_all": _deliver_to_all,
    "once": _once,
    "newest_of_burst": _newest_of_burst,
    "canonical_names": _canonical_names,
    "hints": _hints_of,
    "refuses_unparseable": _refuses_unparseable,
    "settings_by_key": _settings_by_key,
    "only_changes": _only_changes,
    "system_defaults": _system_defaults,
}
