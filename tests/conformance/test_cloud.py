"""Recordings of the real cloud, held against this SDK and its simulator.

Every message that the cloud sends to an app can be read, without a fault in any field; every webhook too. Every
message that an app sent to it comes out of this SDK's own classes as it went in. The simulator's engine, told what
apps and phones did, sends what the cloud sent, in its order and at its times. And an app of this SDK stays correct when
it gets what the cloud sent.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest

from mentra_trio._wire.codec import decode, encode, read_command
from mentra_trio._wire.inbound import StreamEvent, UnknownMessage
from mentra_trio._wire.outbound import Envelope
from mentra_trio._wire.payloads import READABLE, read_payload
from mentra_trio._wire.streams import parse_stream
from mentra_trio._wire.webhooks import decode_webhook
from mentra_trio.errors import DecodeError

from .recorded_cloud.differences import Differences
from .recorded_cloud.engine import replay
from .recorded_cloud.sdk import feed
from .recorded_cloud.steps import steps_of
from .recorded_cloud.world import World
from .recordings import Case, Json, load_cases
from .rows import Deviations
from .timeline import field

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVIATIONS = Deviations.load()
DIFFERENCES = Differences.load()
WORLD = World.load()
CASES = load_cases("cloud")
MASKS: dict[str, object] = {
    "<timestamp>": "2026-06-27T10:00:00.000Z",
    "<timestamp:ms>": 1_782_554_400_000,
}
"""What stands for masked values that have to be read; other masks are read as the text that they are."""
NOW = datetime(2026, 6, 27, 10, tzinfo=UTC)

if CASES:  # an absent folder gives no cases, not even a skipped one

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
    def test_cloud(case: Case) -> None:
        """Read what the cloud sent, write what was sent to it, and let the engine do the same."""
        for step in _steps(case):
            way = step["from"], step["to"], step["kind"]
            if way == ("cloud", "app", "text"):
                _check_inbound(_unmasked(step["message"]))
            elif way == ("cloud", "app", "http"):
                _check_webhook(_unmasked(step["message"]))
            elif way == ("app", "cloud", "text"):
                _check_outbound(_unmasked(step["message"]))
        steps = steps_of(case)
        if obstacles := DIFFERENCES.obstacles(steps):
            pytest.skip("; ".join(obstacles))  # read and written all the same, as far as it goes
        assert replay(steps, WORLD, DIFFERENCES) == []

    @pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.id}-sdk") for case in CASES])
    def test_cloud_side(case: Case, caplog: pytest.LogCaptureFixture) -> None:
        """An app gets what the cloud sent, and never does what it must not."""
        assert feed(steps_of(case), _is_unreadable) == []
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def _steps(case: Case) -> Iterator[Json]:
    yield from cast("list[Json]", case.body.get("setup", []))
    yield from cast("list[Json]", case.body["steps"])


def _unmasked(value: object) -> object:
    if isinstance(value, str):
        return MASKS.get(value, value)
    if isinstance(value, list):
        return [_unmasked(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: _unmasked(item) for key, item in cast("Json", value).items()}
    return value


def _check_inbound(message: object) -> None:
    if isinstance(message, str):  # recorded as text, because it is not JSON
        with pytest.raises(DecodeError):
            decode(message)
        return
    decoded = decode(json.dumps(message))
    assert decoded.faults == ()
    assert decoded.fields == message
    if isinstance(decoded.message, UnknownMessage):
        assert decoded.message.type == field(message, "type")
    if isinstance(decoded.message, StreamEvent):
        _check_event(decoded.message, message)


def _check_event(event: StreamEvent, message: object) -> None:
    name = parse_stream(event.stream_type)
    assert name is not None, f"the cloud itself named the stream {event.stream_type!r}"
    if name.base not in READABLE:
        return
    if _is_unreadable(message):
        with pytest.raises(DecodeError):
            read_payload(name.base, event, NOW)
    else:
        assert read_payload(name.base, event, NOW).faults == ()


def _is_unreadable(message: object) -> bool:
    return any(odd.covers(message) for odd in DEVIATIONS.unreadable)


def _check_webhook(message: object) -> None:
    body = field(message, "body")
    if field(message, "path") == "/webhook":
        request = decode_webhook(json.dumps(body).encode())
        assert (request.session_id, request.user_id) == (field(body, "sessionId"), field(body, "userId"))


def _check_outbound(message: object) -> None:
    if not isinstance(message, dict):
        return  # wrong on purpose: no JSON object
    fields = cast("Json", message)
    if any(odd.covers(fields) for odd in DEVIATIONS.unsent):
        return
    command = read_command(fields)
    if isinstance(command, UnknownMessage):
        return
    envelope = Envelope(
        package_name=str(fields.get("packageName")),
        session_id=str(fields.get("sessionId")),
        timestamp=str(fields.get("timestamp")),
    )
    written = cast("Json", json.loads(encode(command, envelope)))
    # The cloud never asks for more of the envelope than it got here.
    assert {name: value for name, value in written.items() if name in fields} == fields
    assert set(written) - set(fields) <= {"packageName", "sessionId", "timestamp"}
