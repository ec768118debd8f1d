"""Rewrites about translation: names of pairs, who gets what, and typed values."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mentra_trio._wire.streams import canonical_source, fold_language, parse_stream, translation_name
from tests.conformance.marks import ABSENT
from tests.conformance.recordings import as_object
from tests.conformance.timeline import Item, field

from .common import new_event, refuse_streams, said_in

if TYPE_CHECKING:
    from tests.conformance.recordings import Json

_METHODS = ("translation.to", "translation.from_to")


def canonical_pair(name: str) -> str:
    """Spell a translation stream as this SDK does: the reference joins two tags of any form with a hyphen (P2 4.1)."""
    path, question, query = name.partition("?")
    base, colon, pair = path.partition(":")
    if base != "translation" or not colon or parse_stream(path) is not None:
        return name
    parts = pair.split("-")
    for place in range(1, len(parts)):
        source, target = "-".join(parts[:place]), "-".join(parts[place:])
        try:
            return _pair(source, target) + question + query
        except ValueError:
            continue
    return name


def _pair(source: str, target: str) -> str:
    return translation_name("all" if source == "auto" else canonical_source(source), canonical_source(target))


def _pairs(registration: Item) -> list[tuple[str, str]]:
    """Give the sources and targets of a call."""
    *given, targets = registration.args
    source = cast("str", given[0]) if given else "auto"
    tags = cast("list[str]", targets) if isinstance(targets, list) else [cast("str", targets)]
    return [(source, tag) for tag in tags]


def _names(registration: Item) -> list[str]:
    """Give the streams of a call as this SDK spells them; none where it refuses the call."""
    try:
        return [_pair(*pair) for pair in _pairs(registration)]
    except ValueError:
        return []


def _spelled(registration: Item) -> list[str]:
    """Give the streams of a call as the reference spells them."""
    return [f"translation:{source}-{target}" for source, target in _pairs(registration)]


def refuses_pair(items: list[Item], item: Item) -> None:
    """A language that is none, or that is to be translated into itself, raises, and nothing is subscribed."""
    pairs = _pairs(item)
    if not pairs or _names(item):
        return
    refuse_streams(items, item, {name for pair in _spelled(item) for name in (pair, canonical_pair(pair))})


def counts_streams(items: list[Item], item: Item) -> None:
    """What is active are streams; a handler without a language opens none (P2 4.4, L4)."""
    item.value = any(_names(registration) for registration in _live(items, items.index(item)))


def deliver_translation(items: list[Item], item: Item) -> None:
    """A translation goes to the streams of its name alone (P2 4.4, L2)."""
    place = items.index(item)
    end = next((n for n in range(place + 1, len(items)) if items[n].dir in ("in", "app")), len(items))
    events = [
        other
        for other in items[place + 1 : end]
        if other.dir == "event" and (other.method or "").startswith("translation.")
    ]
    spelled = cast("str", field(item.message, "streamType"))
    name = canonical_pair(spelled)
    live = _live(items, place)
    wanted = {one.handlers[0]: one for one in live if name in _names(one)} if _is_usable(item.message) else {}
    seen: list[str | None] = []
    for event in events:
        is_extra = event.handler not in wanted or event.handler in seen
        if is_extra and _is_of_reference(event):
            items.remove(event)
        seen.append(event.handler)
    for handler, registration in wanted.items():
        # What the reference delivers has to be in the recording.
        if handler not in seen and spelled not in _spelled(registration):
            event = new_event(registration, item, translation_value(item.message))
            event.cause = item.message
            items.insert(place + 1, event)


def _live(items: list[Item], until: int) -> list[Item]:
    """List the calls with languages whose handlers are live at an item."""
    live: dict[str, Item] = {}
    for item in items[:until]:
        if item.dir != "app" or item.session != items[until].session:
            continue
        if item.method in _METHODS:
            live[item.assign or f"call {item.api}"] = item
        elif item.method == "translation.stop":
            live.clear()
        else:
            live.pop(item.method or "", None)
    return list(live.values())


def _is_usable(message: object) -> bool:
    """Tell whether there are a text and a word about its end, in an object."""
    data, said = field(message, "data"), said_in(message)
    is_object = data is None or as_object(data) is not None
    return is_object and isinstance(field(said, "text"), str) and isinstance(field(said, "isFinal"), bool)


def translation_value(message: object) -> Json:
    """Give what the reference SDK makes of a translation message."""
    said = said_in(message)
    pair = cast("str", field(message, "streamType")).partition(":")[2]
    named = pair.partition("-")
    source, target = field(said, "transcribeLanguage"), field(said, "translateLanguage")
    text, start, end = field(said, "text"), field(said, "startTime"), field(said, "endTime")
    return {
        "text": "" if text is None else text,
        "isFinal": bool(field(said, "isFinal")),
        "sourceLanguage": (named[0] if named[1] else "") if source is None else source,
        "targetLanguage": named[2] if target is None else target,
        "startTime": 0 if start is None else start,
        "endTime": 0 if end is None else end,
        **{name: field(said, name) for name in ("originalText", "utteranceId", "confidence")},
    }


_OF_NAME = ("sourceLanguage", "targetLanguage")
"""Fields that the reference takes out of the stream's name, which is another one here."""


def _is_of_reference(item: Item) -> bool:
    """Tell whether an event is what the reference SDK makes of its message; anything else has to be found out."""
    cause, value = as_object(item.cause), as_object(item.value)
    if cause is None or value is None or "raw" in cause:
        return True
    made = translation_value(cause)
    names = [name for name in made if name not in _OF_NAME]
    return all(value.get(name) == made[name] or (value.get(name) in ABSENT and made[name] is None) for name in names)


def typed_translation(_: list[Item], item: Item) -> None:
    """A translation has typed fields: languages under one name, times in seconds, an end only where it is told."""
    if not _is_of_reference(item):
        return
    value, said = dict(as_object(item.value) or {}), said_in(item.cause)
    start, end = _number(field(said, "startTime")), _number(field(said, "endTime"))
    for name in ("startTime", "endTime", "confidence"):
        value.pop(name, None)
    value["audioStart"] = None if start is None else start / 1000
    value["audioEnd"] = None if end is None or end <= 0 or end < (start or 0) else end / 1000
    if not isinstance(value.get("originalText"), str):
        value["originalText"] = None
    if not isinstance(field(said, "utteranceId"), str):
        value["utteranceId"] = "<text>"  # numbered by this SDK
    pair = parse_stream(canonical_pair(cast("str", field(item.cause, "streamType"))))
    asked = ("auto" if pair is None or pair.language == "all" else pair.language), pair and pair.target
    for key, wire, fallback in zip(_OF_NAME, ("transcribeLanguage", "translateLanguage"), asked, strict=True):
        told = field(said, wire)
        value[key] = _folded(value[key] if told == value.get(key) and isinstance(told, str) and told else fallback)
    item.value = value


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _folded(language: object) -> object:
    base, dash, region = str(language).partition("-")
    return fold_language(base) + dash + region
