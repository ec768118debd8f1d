"""Frames of the recordings in `tests/vectors`, as JSON texts that can be decoded."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from mentra_trio._wire.codec import dumps, unstructure
from mentra_trio._wire.inbound import InboundMessage

VECTORS = Path(__file__).parent.parent / "vectors"
# What the recordings have in place of a value that differs from run to run.
MARKS = {'"<timestamp>"': '"2026-06-27T10:00:00.000Z"', '"<timestamp:ms>"': "1781524815000"}
Json = dict[str, object]


def objects(value: object) -> list[Json]:
    """The objects of a JSON list."""
    return [cast("Json", item) for item in cast("list[object]", value) if isinstance(item, dict)]


def text_of(message: Mapping[str, object]) -> str:
    """A recorded message as it would be on the wire."""
    text = json.dumps(message)
    for mark, value in MARKS.items():
        text = text.replace(mark, value)
    return text


def scenarios(folder: str) -> Iterator[tuple[str, Json]]:
    """Name and content of every recording."""
    for path in sorted((VECTORS / folder).glob("*.json")):
        for scenario in objects(json.loads(path.read_text("utf-8"))):
            yield f"{path.stem}: {scenario['name']}", scenario


def from_real_cloud() -> Iterator[tuple[str, Json]]:
    """Every message that the cloud's own server sent to an app."""
    for name, scenario in scenarios("cloud"):
        for step in [*objects(scenario.get("setup", [])), *objects(scenario["steps"])]:
            if (step["from"], step["to"], step["kind"]) == ("cloud", "app", "text"):
                message = step["message"]
                if isinstance(message, dict):
                    yield name, cast("Json", message)


def from_reference_sdk() -> Iterator[tuple[str, Json]]:
    """Every message that MentraOS's own SDK sent."""
    for name, scenario in scenarios("wire"):
        for step in objects(scenario["steps"]):
            if (step["dir"], step["kind"]) == ("out", "text"):
                message = step.get("message")
                if isinstance(message, dict):
                    yield name, cast("Json", message)


def to_reference_sdk() -> Iterator[tuple[str, str]]:
    """Every text frame that MentraOS's own SDK was given, also what no cloud would send."""
    for name, scenario in scenarios("wire"):
        for step in objects(scenario["steps"]):
            if (step["dir"], step["kind"]) == ("in", "text"):
                raw = step.get("raw")
                yield name, raw if isinstance(raw, str) else text_of(cast("Json", step["message"]))


def encode_inbound(message: InboundMessage) -> str:
    """Write a message of the cloud as the side that sends it would."""
    return dumps({"type": message.TYPE, **unstructure(message)})
