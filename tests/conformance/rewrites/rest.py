"""Stored values and permissions: what is kept, refused and told otherwise."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, unquote

from tests.conformance.recordings import Json, as_object
from tests.conformance.timeline import Item, field, is_answer, is_rest

from .common import drop, live_observers, new_error, new_event

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {"microphone": "MICROPHONE", "camera": "CAMERA", "location": "LOCATION", "calendar": "CALENDAR",
          "notifications": "READ_NOTIFICATIONS"}  # fmt: skip


_LONGEST_FIRST_PAUSE = 1.0
"""Seconds after which a storage that could not be read is asked again."""


def _results(items: list[Item], api: int | None) -> list[Item]:
    return [item for item in items if item.dir == "result" and item.api == api]


def _answer_to(items: list[Item], request: Item) -> Item | None:
    number = field(request.message, "http")
    found = (item for item in items if item.dir == "in" and is_rest(item) and field(item.message, "http") == number)
    return next(found, None)


def _calls_between(items: list[Item], start: int, end: int) -> Iterator[Item]:
    return (item for item in items[start:end] if item.dir == "out" and is_rest(item))


def _fail(items: list[Item], result: Item, error: str) -> None:
    items[items.index(result)] = new_error(result, error)


def one_question(items: list[Item], item: Item) -> None:
    """Take a load out that begins while another one is under way, with its answer."""
    place = items.index(item)
    if not any(other.dir == "in" and other.step < item.step for other in items[place:]):
        earlier = [other for other in _calls_between(items, 0, place) if field(other.message, "method") == "GET"]
        # The recorded calls were made in one tick, and each of them asked.
        calls = [other for other in items[:place] if other.dir == "app" and (other.method or "").startswith("storage.")]
        if not earlier or calls[-1].tick != calls[0].tick:
            return
    answer = _answer_to(items, item)
    drop(items, item)
    if answer is not None:
        drop(items, answer)


def refuses_call(items: list[Item], item: Item) -> None:
    """Let a call fail with a `ValueError`, and nothing come of it."""
    for result in _results(items, item.api):
        items.remove(result)
        items.insert(items.index(item) + 1, new_error(result, "ValueError"))  # at the call, whatever was waited for
    if not (item.method or "").startswith("storage."):
        return
    place = items.index(item)
    end = next((n for n in range(place + 1, len(items)) if items[n].dir == "app"), len(items))
    for request in list(_calls_between(items, place, end)):
        answer = _answer_to(items, request)
        drop(items, request)
        if answer is not None:
            drop(items, answer)


def escaped_key(items: list[Item], item: Item) -> None:
    """Spell the key of a path as this SDK does, unless the cloud has it under another name."""
    message = dict(cast("Json", item.message))
    head, _, key = cast("str", message["path"]).rpartition("/")
    found = [field(other.message, "body", "data") for other in items if other.dir == "in" and is_rest(other)]
    if any(unquote(key) in (as_object(data) or {}) for data in found):
        return
    wire = re.sub(r"[%.]|^\$", lambda found: f"%{ord(found[0]):02X}", unquote(key))
    item.message = {**message, "path": f"{head}/{quote(wire, safe='-_.!~*' + chr(39) + '()')}"}


def own_keys(items: list[Item], item: Item) -> None:
    """Say of a key that nobody stored that it is not there."""
    call = next(other for other in items if other.dir == "app" and other.api == item.api)
    data = [field(other.message, "body", "data") for other in items if other.dir == "in" and is_rest(other)]
    written = [other for other in items if other.dir == "app" and other.method == "storage.set"]
    known = {key for table in data for key in as_object(table) or {}} | {other.args[0] for other in written}
    item.value = call.args[0] in known


def unread_storage(items: list[Item], item: Item) -> None:
    """Let a call fail that reads a storage which could not be read."""
    place = items.index(item)
    loads = [other for other in _calls_between(items, 0, place) if field(other.message, "method") == "GET"]
    answer = _answer_to(items, loads[-1]) if loads else None
    call = next(other for other in items if other.dir == "app" and other.api == item.api)
    changes = [
        other for other in items[:place] if other.dir == "app" and other.method in ("storage.set", "storage.clear")
    ]
    if any(other.method == "storage.clear" for other in changes):
        return
    if any(other.args[:1] == call.args[:1] for other in changes) and call.args:
        return  # what the app itself has stored is known
    if answer is not None:
        message = cast("Json", answer.message)
        is_read = (
            message.get("status") == 200
            and field(message, "body", "success") is True
            and as_object(field(message, "body", "data")) is not None
        )
    else:
        is_read = any(other.dir == "in" and is_rest(other) for other in items)
    if is_read:
        return
    _fail(items, item, "StorageError")
    if answer is not None:
        start, end = items.index(answer) + 1, items.index(call) + 1
        since = sum(other.wait for other in items[start:end] if other.dir in ("app", "in", "out"))
        if since >= _LONGEST_FIRST_PAUSE:
            items[end:end] = _again(loads[-1], answer, f"{field(loads[-1].message, 'http')} again for {item.api}")


def texts_only(items: list[Item], item: Item) -> None:
    """Give JSON that is no text as its text, and what lies in an object under a key with dots."""
    place = items.index(item)
    tables = [field(other.message, "body", "data") for other in items[:place] if other.dir == "in" and is_rest(other)]
    found = next(table for table in map(as_object, reversed(tables)) if table is not None)
    odd = {key: value for key, value in found.items() if not isinstance(value, str)}
    texts = dict(_texts(odd, ""))
    (key, *_) = [*next(other for other in items if other.dir == "app" and other.api == item.api).args, ""]
    name = cast("str", key)
    match item.method:
        case "storage.get_all":
            told = cast("Json", item.value)
            item.value = {**{one: value for one, value in told.items() if odd.get(one, ...) != value}, **texts}
        case "storage.keys":
            spelled = {each: list(dict(_texts({each: value}, ""))) for each, value in odd.items()}
            item.value = [one for each in cast("list[str]", item.value) for one in spelled.get(each, [each])]
        case "storage.has":
            item.value = item.value is True and (name not in odd or name in texts)
        case _:
            item.value = texts.get(name) if name in odd and item.value == odd[name] else item.value


def _texts(values: Json, path: str) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        inner = as_object(value)
        if inner is not None:
            yield from _texts(inner, f"{path}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            yield path + key, text


def kept_for_flush(items: list[Item], item: Item) -> None:
    """Write again what an earlier flush could not write."""
    place = items.index(item)
    puts = [other for other in _calls_between(items, 0, place) if field(other.message, "method") == "PUT"]
    end = next((n for n in range(place + 1, len(items)) if items[n].dir == "app"), len(items))
    if any(_calls_between(items, place, end)):
        return
    if not puts:
        # Nothing was ever written: what fails here fails for want of a connection, as recorded.
        for result in _results(items, item.api):
            if result.kind == "error":
                result.value = "StorageError"
        return
    answer = _answer_to(items, puts[-1])
    if answer is None or field(answer.message, "status") == 200:
        return
    again, said = _again(puts[-1], answer, f"{field(puts[-1].message, 'http')} again")
    for result in _results(items, item.api):
        kind = {413: "StorageLimitError", 429: "StorageRateError"}
        status = cast("int", field(answer.message, "status"))
        _fail(items, result, kind.get(status, "StorageError"))
    items[place + 1 : place + 1] = [again, said]


def one_by_one(items: list[Item], item: Item) -> None:
    """Write one value after the other when all of them at once are too much for the cloud, but not by our own count."""
    place = items.index(item)
    put = next(other for other in _calls_between(items, 0, place) if _answer_to(items, other) is item)
    values = as_object(field(put.message, "body", "data"))
    if values is None:
        return
    (key, text), *_ = values.items()
    again, said = _again(put, item, f"{field(put.message, 'http')} alone")
    path = f"{field(put.message, 'path')}/{key}"
    again.message = {**cast("Json", again.message), "path": path, "body": {"value": text}}
    items[place + 1 : place + 1] = [again, said]


def _again(put: Item, answer: Item, number: str) -> tuple[Item, Item]:
    call = Item(dir="out", kind="http", step=answer.step, message={**cast("Json", put.message), "http": number})
    return call, Item(dir="in", kind="http", step=answer.step, message={**cast("Json", answer.message), "http": number})


def failed_deletion(items: list[Item], item: Item) -> None:
    """Let a call fail whose deletion the cloud refused, or that reached no cloud."""
    place = items.index(item)
    call = next(n for n, other in enumerate(items) if other.dir == "app" and other.api == item.api)
    deletes = [other for other in _calls_between(items, call, place) if field(other.message, "method") == "DELETE"]
    if not deletes:
        if not any(other.dir == "in" and is_rest(other) for other in items):
            _fail(items, item, "StorageError")
        return
    answer = _answer_to(items, deletes[-1])
    if answer is not None and field(answer.message, "status") not in (200, 404):
        _fail(items, item, "StorageError")


def written_before_end(items: list[Item], item: Item) -> None:
    """Move the close of a socket behind what is written at the end, and let later calls fail."""
    place = items.index(item)
    closes = [other for other in items[:place] if other.dir == "out" and other.kind == "close"]
    answer = _answer_to(items, item)
    if not closes or answer is None:
        return
    item.wait = 0.0
    gone = items.index(closes[-1])
    first = next((n for n in range(gone - 1, -1, -1) if items[n].dir in ("app", "in")), 0) + 1
    cause = items[first - 1]
    if field(cause.message, "type") == "app_stopped":
        return  # the cloud has closed the link, and the storage needs none
    number = field(cause.message, "http")
    for stopped in [other for other in items if cause.dir == "in" and is_answer(other, number)]:
        items.remove(stopped)
        items.insert(first, stopped)  # a stop is answered at once
        first, gone = first + 1, gone + 1
    moved = items[first : gone + 1]
    del items[first : gone + 1]
    behind = items.index(answer) + 1
    items[behind:behind] = moved
    for call in [
        other for other in items[behind:] if other.dir == "app" and (other.method or "").startswith("storage.")
    ]:
        for request in list(_calls_between(items, items.index(call), len(items))):
            said = _answer_to(items, request)
            drop(items, request)
            if said is not None:
                drop(items, said)
        for result in _results(items, call.api):
            _fail(items, result, "SessionClosedError")


def tells_refusals(items: list[Item], item: Item) -> None:
    """Tell observers of either kind what was refused, once for each stream or permission."""
    message = cast("Json", item.message)
    place = items.index(item)
    end = next((n for n in range(place + 1, len(items)) if items[n].dir in ("in", "app")), len(items))
    for event in [other for other in items[place:end] if (other.method or "").startswith("permissions.on_permission")]:
        items.remove(event)
    observers = [
        registration
        for method in ("permissions.on_permission_error", "permissions.on_permission_denied")
        for registration in live_observers(items, item, method)
    ]
    events = [new_event(one, item, value) for value in _refusals(message) for one in observers]
    items[place + 1 : place + 1] = events


def _refusals(message: Json) -> list[Json]:
    text = message.get("message") if isinstance(message.get("message"), str) else ""
    if message["type"] == "permission_denied":
        return [{"message": text, "permission": _named(message.get("permission")), "stream": message.get("streamType")}]
    details = cast("list[Json]", message.get("details") or [])
    found: list[Json] = [
        {"message": one["message"], "permission": _named(one["requiredPermission"]), "stream": one["stream"]}
        for one in details
    ]
    denied = message.get("deniedPermissions")
    if isinstance(denied, list):
        found += [{"message": text, "permission": _named(name)} for name in cast("list[object]", denied)]
    return found or [{"message": text}]


def _named(name: object) -> str | None:
    return (_NAMES.get(name, name if name.isupper() else None)) if isinstance(name, str) else None
