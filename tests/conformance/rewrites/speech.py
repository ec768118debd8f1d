"""Rewrites about transcription: names of languages, who gets what, and typed values."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from mentra_trio._wire.streams import canonical_language, fold_language, parse_stream
from tests.conformance.marks import ABSENT
from tests.conformance.recordings import as_object
from tests.conformance.timeline import Item, field, is_ack

from .common import new_event, refuse_streams, said_in
from .translation import canonical_pair

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


def once(items: list[Item], item: Item) -> None:
    """An event that a handler gets twice because it was registered twice comes once."""
    before = items[: items.index(item)]
    last = next(
        (other for other in reversed(before) if other.dir in ("in", "app") or other.handler == item.handler), None
    )
    if last is not None and last.dir == "event" and last.value == item.value:
        items.remove(item)


def deliver_transcript(items: list[Item], item: Item) -> None:
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
        if handler not in handlers and _is_of_reference(event):
            items.remove(event)
    for registration in reversed(wanted):
        # What the reference delivers has to be in the recording.
        if registration.handlers[0] not in events and not _is_recorded(registration, spelled):
            event = new_event(registration, item, transcript_value(item.message))
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


def transcript_value(message: object) -> Json:
    """Give what the reference SDK makes of a transcription message; the language of a name without its options."""
    said = said_in(message)
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


def _is_of_reference(item: Item) -> bool:
    """Tell whether an event is what the reference SDK makes of its message; anything else has to be found out."""
    cause, value = as_object(item.cause), as_object(item.value)
    if cause is None or value is None or "raw" in cause:
        return True
    made = transcript_value(cause)
    names = [name for name in made if name != "language"]
    return all(value.get(name) == made[name] or (value.get(name) in ABSENT and made[name] is None) for name in names)


def drops_unusable(items: list[Item], item: Item) -> None:
    """A transcript without its two fields, or whose data is no object, is not delivered (P2 3.3.3)."""
    data, said = field(item.cause, "data"), said_in(item.cause)
    is_object = data is None or as_object(data) is not None
    is_usable = is_object and isinstance(field(said, "text"), str) and isinstance(field(said, "isFinal"), bool)
    if not is_usable and _is_of_reference(item):
        items.remove(item)


def typed_transcript(_: list[Item], item: Item) -> None:
    """A transcript has typed fields: wrong ones are absent, times are seconds of interims, the language has a name."""
    if not _is_of_reference(item):
        return
    value = dict(as_object(item.value) or {})
    said = said_in(item.cause)
    for name, wire in (("audioStart", "startTime"), ("audioEnd", "endTime")):
        time = value.pop(wire, None)
        is_told = field(said, wire) is not None
        is_time = (
            is_told and isinstance(time, int | float) and not isinstance(time, bool) and time < _EPOCH_MILLISECONDS
        )
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
        named = [field(said_in(message), key) for key in ("detectedLanguage", "transcribeLanguage")]
        told = [name for name in named if isinstance(name, str) and name]
        language = told[0] if told else _canonical(cast("str", field(message, "streamType"))).partition(":")[2]
    base, dash, region = language.partition("?")[0].partition("-")
    return fold_language(base) + dash + region


def _canonical(name: str) -> str:
    """Spell the language of a stream name as this SDK does (P2 1.4.2)."""
    path, question, query = name.partition("?")
    base, colon, language = path.partition(":")
    if base == "translation":
        return canonical_pair(name)
    if base != "transcription" or not colon or parse_stream(path) is not None:
        return name
    try:
        return f"{base}:{canonical_language(language)}{question}{query}"
    except ValueError:
        return name


def canonical_names(items: list[Item], item: Item) -> None:
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
            is_named = any(field(said_in(item.message), key) for key in ("detectedLanguage", "transcribeLanguage"))
            if event.dir == "event" and field(event.value, "language") == suffix and not is_named:
                language = _canonical(name).partition(":")[2].partition("?")[0]
                event.value = {**cast("Json", event.value), "language": language}
    if fields != item.message:
        item.message, item.raw = fields, None


def refuses_unparseable(items: list[Item], item: Item) -> None:
    """A language that is none raises, and nothing is subscribed; so there is nothing to clean up either."""
    if not _is_refused(item):
        return
    refuse_streams(items, item, [f"transcription:{language}" for language in _languages(item)])
    for place, other in enumerate(items):
        if other.method == "transcription.active" and other.session == item.session:
            other.value = not all(map(_is_refused, _speech_registrations(items, place)))


def _is_refused(registration: Item) -> bool:
    try:
        for language in _languages(registration):
            canonical_language(language)
    except ValueError:
        return True
    return False


def configured_hints(items: list[Item], item: Item) -> None:
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
