"""`_wire/outbound.py`: every command of the SDK, with the exact frame that it becomes."""

import json
from collections.abc import Mapping
from typing import ClassVar

import attrs
import pytest

from mentra_trio._wire.codec import JsonObject, encode, read_command
from mentra_trio._wire.outbound import (
    COMMAND_TYPES,
    Command,
    ConnectionInit,
    DisplayEvent,
    Envelope,
    Family,
    JsonPing,
    JsonPong,
    OwnershipRelease,
    RawCommand,
    Reconnect,
    Request,
    Stamp,
    SubscriptionUpdate,
)
from mentra_trio.models import TextWall

NOON = "2026-06-14T12:00:00.000Z"
ENVELOPE = Envelope(package_name="com.example.app", session_id="ana@example.com-com.example.app", timestamp=NOON)
PACKAGE: JsonObject = {"packageName": "com.example.app"}
SESSION: JsonObject = {"sessionId": "ana@example.com-com.example.app"}
TIME: JsonObject = {"timestamp": NOON}

FRAMES: list[tuple[Command, JsonObject]] = [
    # P1 2.3
    (
        ConnectionInit(api_key="secret", sdk_version="3.0.0-trio.0.1.0"),
        {"type": "tpa_connection_init", **PACKAGE, "apiKey": "secret", "sdkVersion": "3.0.0-trio.0.1.0", **TIME},
    ),
    (
        ConnectionInit(api_key="secret", sdk_version="3", session_id="other"),
        {"type": "tpa_connection_init", **PACKAGE, "apiKey": "secret", "sdkVersion": "3", "sessionId": "other", **TIME},
    ),
    # P1 2.6
    (Reconnect(sdk_version="3.0"), {"type": "reconnect", **SESSION, "sdkVersion": "3.0", **TIME}),
    (Reconnect(), {"type": "reconnect", **SESSION, **TIME}),
    # P1 4.1
    (
        SubscriptionUpdate(subscriptions=("transcription:en-US", "button_press")),
        {
            "type": "subscription_update",
            **PACKAGE,
            **SESSION,
            "subscriptions": ["transcription:en-US", "button_press"],
            **TIME,
        },
    ),
    # P1 2.7
    (
        OwnershipRelease(reason="clean_shutdown"),
        {"type": "ownership_release", **PACKAGE, **SESSION, "reason": "clean_shutdown", **TIME},
    ),
    # P1 2.8
    (JsonPing(), {"type": "ping"}),
    (JsonPong(), {"type": "pong"}),
    # P3 1.2
    (
        DisplayEvent(layout=TextWall(text="Hi"), view="main", duration=1.5),
        {
            "type": "display_event",
            **PACKAGE,
            **SESSION,
            "layout": {"layoutType": "text_wall", "text": "Hi"},
            "view": "main",
            "durationMs": 1500,
            **TIME,
        },
    ),
]


@pytest.mark.parametrize(("command", "frame"), FRAMES, ids=lambda value: str(getattr(value, "TYPE", "")))
def test_p1_10_1_a_command_becomes_exactly_this_frame(command: Command, frame: JsonObject) -> None:
    assert json.loads(encode(command, ENVELOPE)) == frame


@pytest.mark.parametrize(("command", "frame"), FRAMES, ids=lambda value: str(getattr(value, "TYPE", "")))
def test_a_command_is_read_as_it_is_written(command: Command, frame: JsonObject) -> None:
    read = read_command(frame)

    assert type(read) is type(command)
    assert json.loads(encode(command, ENVELOPE)) == frame


def test_every_command_has_a_frame_here() -> None:
    assert {command.TYPE for command, _ in FRAMES} == set(COMMAND_TYPES)
    assert all(name == cls.TYPE for name, cls in COMMAND_TYPES.items())


def test_a_raw_command_is_sent_as_it_was_spelled() -> None:
    body = '{"type":"x",  "odd": 1e3}'

    assert encode(RawCommand("x", body), ENVELOPE) == body


def test_no_command_shows_its_secret() -> None:
    """D23."""
    assert "secret" not in repr(ConnectionInit(api_key="secret", sdk_version="3"))
    assert "secret" not in repr(RawCommand("x", '{"token":"secret"}'))


def test_the_stamps_combine() -> None:
    assert Stamp.ALL == Stamp.PACKAGE | Stamp.SESSION | Stamp.TIME
    assert not Stamp.NONE


@attrs.frozen(kw_only=True)
class Ask(Request[int]):
    """A request as a manager would define it."""

    TYPE: ClassVar[str] = "ask"
    FAMILY: ClassVar[Family] = Family.PHOTO
    LIMIT: ClassVar[float] = 30.0

    request_id: str

    def accept(self, message: Mapping[str, object], /) -> int | None:
        if message.get("requestId") != self.request_id:
            return None
        answer = message.get("answer")
        return answer if isinstance(answer, int) else None


def test_d12_a_request_knows_its_answer_and_its_family() -> None:
    request = Ask(request_id="r1")

    assert request.family is Family.PHOTO
    assert request.accept({"requestId": "r2", "answer": 1}) is None
    assert request.accept({"requestId": "r1", "answer": 42}) == 42
    assert json.loads(encode(request, ENVELOPE)) == {"type": "ask", **PACKAGE, **SESSION, "requestId": "r1", **TIME}
