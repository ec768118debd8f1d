"""Recordings that nobody has made: recorded ones with other words and other pauses, as the reference would give them.

A row or a rewrite that only knows the words and the moments of one recording fails here.
"""

from __future__ import annotations

import copy
import json
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from .recordings import Json, load_cases, uses_own_vectors
from .replay import replay
from .rows import Deviations
from .timeline import timeline

if TYPE_CHECKING:
    from collections.abc import Callable

DEVIATIONS = Deviations.load()
BODIES = {f"{case.file}-{case.name}": case.body for case in load_cases("wire")} if uses_own_vectors() else {}
NOISE: Json = {"dir": "in", "kind": "text", "conn": 1, "message": {"type": "news_of_another_kind", "is_known": False}}


def with_words(body: Json, words: dict[str, str]) -> Json:
    """Replace texts wherever they stand."""
    text = json.dumps(body)
    for old, new in words.items():
        assert f'"{old}"' in text, old
        text = text.replace(f'"{old}"', f'"{new}"')
    return cast("Json", json.loads(text))


def with_pause(body: Json, before: int) -> Json:
    """Let a second pass before a step that is played."""
    steps = cast("list[Json]", body["steps"])
    assert steps[before]["dir"] in ("in", "app")
    steps[before]["wait_ms"] = 1000
    return body


def with_steps(body: Json, before: int, *added: Json) -> Json:
    """Put steps before one that is played."""
    cast("list[Json]", body["steps"])[before:before] = added
    for table in ("events", "returns", "errors"):
        for entry in cast("list[Json]", body.get(table, [])):
            if cast("int", entry["after_step"]) >= before:
                entry["after_step"] = cast("int", entry["after_step"]) + len(added)
    return body


def with_noise(body: Json, before: int) -> Json:
    """Let the cloud say something that means nothing before a step that is played."""
    return with_steps(body, before, copy.deepcopy(NOISE))


def with_call(body: Json, before: int, call: Json, message: Json) -> Json:
    """Call something else before a step that is played, which sends a message."""
    api = cast("list[str]", body["api"])
    api.append(cast("str", call["method"]))
    tick = cast("list[Json]", body["steps"])[before]["tick"]
    envelope = {"packageName": "com.example.demo", "sessionId": "app-session-0001", "timestamp": "<timestamp>"}
    return with_steps(
        body,
        before,
        {"dir": "app", "kind": "call", "api": len(api) - 1, "tick": tick, **call},
        {"dir": "out", "kind": "text", "conn": 1, "message": {**message, **envelope}},
    )


def with_display(body: Json, before: int) -> Json:
    """Show a text before a step that is played."""
    layout = {"layoutType": "text_wall", "text": "hello"}
    call: Json = {"method": "display.show_text", "args": ["hello"]}
    return with_call(body, before, call, {"type": "display_event", "view": "main", "layout": layout})


def with_other_stream(body: Json, before: int, name: str) -> Json:
    """Open a stream before a step that is played, and leave it open: what is active at the end is that."""
    manager, _, language = name.partition(":")
    for step in cast("list[Json]", body["steps"])[before:]:
        message = cast("Json", step.get("message", {}))
        if "subscriptions" in message:
            message["subscriptions"] = [name, *cast("list[str]", message["subscriptions"])]
    cast("list[Json]", body["returns"])[-1]["value"] = True
    call: Json = {"method": f"{manager}.for_language", "args": [language], "handlers": ["B"], "assign": "stopB"}
    return with_call(body, before, call, {"type": "subscription_update", "subscriptions": [name]})


def with_other_read(body: Json, method: str, value: object) -> Json:
    """Read in another way at the end."""
    last = cast("list[Json]", body["steps"])[-1]
    last["method"], last["args"] = method, ["o"] if method == "storage.has" else []
    cast("list[Json]", body["returns"])[-1]["value"] = value
    return body


def with_volume(body: Json, volume: float) -> Json:
    """Play at another volume."""
    for step in cast("list[Json]", body["steps"]):
        for table in (step.get("kwargs"), step.get("message")):
            if isinstance(table, dict) and "volume" in table:
                cast("Json", table)["volume"] = volume
    return body


ODD_VALUES = "storage-get_non_string_values"
ALL_ODD_VALUES: Json = {"n": 5, "o": {"a": 1}, "z": None, "t": True}
VARIANTS: list[tuple[str, Callable[[Json], Json]]] = [
    (ODD_VALUES, partial(with_words, words={"o": "profile"})),
    (ODD_VALUES, partial(with_other_read, method="storage.has", value=True)),
    (ODD_VALUES, partial(with_other_read, method="storage.keys", value=["n", "o", "z", "t"])),
    (
        ODD_VALUES,
        partial(with_other_read, method="storage.get_all", value=ALL_ODD_VALUES),
    ),
    ("storage-get_server_error", partial(with_pause, before=10)),
    ("storage-delete_empty_key", partial(with_noise, before=9)),
    ("permissions-ack_null_settings", partial(with_words, words={"unknown_permission": "bluetooth"})),
    ("speaker-play_volume_out_of_range", partial(with_volume, volume=-0.5)),
    ("speaker-play_volume_out_of_range", partial(with_volume, volume=1.001)),
    ("speaker-play_relative_url", partial(with_words, words={"/sounds/ding.mp3": "ding.mp3"})),
    ("speaker-play_relative_url", partial(with_words, words={"/sounds/ding.mp3": "file:///sounds/ding.mp3"})),
    ("camera-check_unknown_request_id", partial(with_pause, before=9)),
    ("settings-settings_webhook", partial(with_noise, before=13)),
    ("transcription-for_language_empty_string", partial(with_display, before=7)),
    ("transcription-for_language_empty_string", partial(with_display, before=10)),
    ("transcription-for_language_empty_string", partial(with_other_stream, before=7, name="transcription:de-DE")),
    ("translation-from_to_same_language", partial(with_display, before=7)),
]


@pytest.mark.skipif(not uses_own_vectors(), reason="variants are made of the project's own vectors")
@pytest.mark.parametrize(("name", "change"), VARIANTS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(VARIANTS)])
def test_a_variant_of_a_recording_passes(name: str, change: Callable[[Json], Json]) -> None:
    body = change(copy.deepcopy(BODIES[name]))
    assert body != BODIES[name]
    replay(DEVIATIONS.apply(timeline(name, body)))
