"""JSON as text: the only place of the SDK that reads and writes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from mentra_trio.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject = dict[str, object]
"""A JSON object; its values are `object` until they are decoded."""
_DEEPEST = 100
"""Levels of nesting that are read; real messages have about ten. Python itself gives up on comparing, printing or
writing what is nested a few hundred levels deep, and the values of a message get to all sorts of places."""
_MOST_MARKS = 50_000
"""Brackets and commas in one message. Every value but one follows such a mark, so this bounds what reading costs: the
ten million empty lists that fit in a frame would hold the reader up for a quarter of a minute. Real messages have some
hundreds of marks; the largest, a photo of 13 MiB, is a single text (P3 5.6)."""


def _refuse_constant(name: str) -> object:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


# Made once: `json.loads` and `json.dumps` make a new one for every message that asks for anything unusual.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def parse_object(text: str | bytes, most_marks: int = _MOST_MARKS) -> JsonObject:
    """Parse a JSON object. Raises `DecodeError` for anything else, however deep, long or strange.

    `most_marks` is how many brackets and commas it may hold, those inside of texts included.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        if len(text) > most_marks and sum(map(text.count, "[{,")) > most_marks:
            raise DecodeError(None, ["it holds more values than any real message"])
        value: object = _DECODER.decode(text)
    except RecursionError as error:
        raise DecodeError(None, ["it is nested too deeply"]) from error
    except ValueError as error:  # JSONDecodeError, bad UTF-8, numbers with thousands of digits
        raise DecodeError(None, ["it is not JSON"]) from error
    if not isinstance(value, dict):
        raise DecodeError(None, ["it is not a JSON object"])
    # Only a text with that many brackets can be that deep, and few have them, so the walk is rarely taken.
    if text.count("{") + text.count("[") > _DEEPEST and _is_too_deep(cast("JsonObject", value)):
        raise DecodeError(None, ["it is nested too deeply"])
    return cast("JsonObject", value)  # keys of a JSON object are text


def _is_too_deep(value: JsonObject) -> bool:
    level: list[JsonObject | list[object]] = [value]
    for _ in range(_DEEPEST):
        level = [
            cast("JsonObject | list[object]", child)
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def members(value: object) -> JsonObject:
    """Give a JSON object; an empty one where there is something else."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}  # keys of a JSON object are text


def text_of(fields: Mapping[str, object], name: str) -> str:
    """Give a text of a JSON object; an empty one where there is none, or something else."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def dumps(fields: Mapping[str, object]) -> str:
    """Write compact JSON. Raises `ValueError` or `TypeError` for what JSON cannot hold."""
    try:
        text = _ENCODER.encode(fields)
    except RecursionError:
        raise ValueError("the message is nested too deeply") from None
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        # A lone surrogate cannot be sent as UTF-8; JSON can spell it.
        return json.dumps(fields, allow_nan=False, separators=(",", ":"))
    return text
