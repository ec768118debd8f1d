"""`errors.py`: the tree, and that every message says what happened and what to do."""

import inspect
import re

import pytest

from mentra_trio import errors
from mentra_trio.errors import (
    CloudRefusedError,
    CloudUnreachableError,
    ConfigError,
    ConnectFailedError,
    DecodeError,
    DeviceUnavailableError,
    HandshakeError,
    HostNotAllowedError,
    LinkDownError,
    LinkLostError,
    MentraError,
    PermissionDeniedError,
    PhotoError,
    ProtocolError,
    RequestError,
    RequestTimedOutError,
    SessionClosedError,
    SessionError,
    SlowConsumerError,
    StorageError,
    StorageLimitError,
    StorageRateError,
    StreamError,
    TransportClosedError,
    TransportError,
)

CLASSES = {name: cls for name, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, Exception)}


def printed_tree() -> dict[str, str]:
    """Class and parent of every line of the tree in the module's docstring."""
    text = inspect.cleandoc(errors.__doc__ or "").split("::", 1)[1].split("\n\n")[1]
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in text.splitlines():
        match = re.match(r"^ {4}([│├└─ ]*)(\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            parents[match[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert printed_tree() == {name: cls.__bases__[0].__name__ for name, cls in CLASSES.items()}


def test_everything_has_one_root() -> None:
    assert all(issubclass(cls, MentraError) for cls in CLASSES.values())
    assert all(len(cls.__bases__) == 1 for cls in CLASSES.values())


@pytest.mark.parametrize(
    ("error", "text", "attributes"),
    [
        (
            SessionClosedError("stop_requested (user_disabled)"),
            "the session is over (stop_requested (user_disabled)); wait for the wearer to start the app again",
            {"reason": "stop_requested (user_disabled)"},
        ),
        (
            LinkDownError(64),
            (
                "64 commands are already waiting to be sent; wait until session.link_state says CONNECTED "
                "or send less often"
            ),
            {"capacity": 64},
        ),
        (LinkLostError("no connection for 120 s"), "no connection for 120 s", {}),
        (ConnectFailedError("no route"), "no route", {"status": None}),
        (ConnectFailedError("refused", status=503), "refused", {"status": 503}),
        (TransportClosedError(1006), "the connection was closed with code 1006", {"code": 1006, "reason": ""}),
        (
            TransportClosedError(1000, "App stopped"),
            "the connection was closed with code 1000: App stopped",
            {"code": 1000, "reason": "App stopped"},
        ),
        (
            DecodeError("settings_update", ["settings: not a list", "timestamp: not a time"]),
            "a message of type 'settings_update' cannot be read: settings: not a list; timestamp: not a time",
            {"message_type": "settings_update", "paths": ("settings: not a list", "timestamp: not a time")},
        ),
        (
            DecodeError(None, ["it is not JSON"]),
            "a message cannot be read: it is not JSON",
            {"message_type": None, "paths": ("it is not JSON",)},
        ),
        (
            HandshakeError("INVALID_API_KEY", "Invalid API key"),
            "the cloud refused the connection with INVALID_API_KEY: Invalid API key",
            {"code": "INVALID_API_KEY", "text": "Invalid API key"},
        ),
        (
            CloudRefusedError("PERMISSION_DENIED", "Camera permission required"),
            "the cloud refused the request with PERMISSION_DENIED: Camera permission required",
            {"code": "PERMISSION_DENIED", "text": "Camera permission required"},
        ),
        (
            PermissionDeniedError("CAMERA"),
            "this needs the permission CAMERA; declare it for the app in the MentraOS console",
            {"permission": "CAMERA"},
        ),
        (DeviceUnavailableError("the glasses are away"), "the glasses are away", {}),
        (StorageError("it cannot be read", status=500), "it cannot be read", {"status": 500}),
        (
            StorageLimitError("the value of 'k'", 100_001, 100_000),
            (
                "the value of 'k' has 100001 UTF-16 units, more than the 100000 that the cloud stores; store less, or "
                "delete other keys"
            ),
            {"size": 100_001, "limit": 100_000, "status": None},
        ),
        (
            StorageLimitError("all values", None, 5, status=413),
            "all values has more than the 5 that the cloud stores; store less, or delete other keys",
            {"size": None, "limit": 5, "status": 413},
        ),
        (
            StorageRateError(12.0),
            "the cloud says that the app uses the storage too often; it is tried again in 12 s",
            {"retry_after": 12.0, "status": 429},
        ),
        (
            StorageRateError(None),
            "the cloud says that the app uses the storage too often; it is tried again in a minute",
            {"retry_after": None},
        ),
        (CloudUnreachableError("no answer"), "no answer", {}),
        (
            RequestTimedOutError("FetchStored", 10, "try again later"),
            "FetchStored was not answered within 10 s; try again later",
            {"seconds": 10},
        ),
        (
            PhotoError("CAMERA_BUSY", "in use", stage="CAMERA_INIT"),
            "no photo: CAMERA_BUSY: in use",
            {"code": "CAMERA_BUSY", "text": "in use", "stage": "CAMERA_INIT", "url": None},
        ),
        (PhotoError("UNKNOWN_ERROR", ""), "no photo: UNKNOWN_ERROR", {"text": "", "stage": None}),
        (StreamError("STOPPED", ""), "no video stream: STOPPED", {"code": "STOPPED", "text": ""}),
        (
            RequestTimedOutError("TakePhoto", 30.0),
            "TakePhoto was not answered within 30 s; the glasses or the phone may be away",
            {"seconds": 30.0},
        ),
        (
            SlowConsumerError("button presses", 64),
            (
                "the loop over button presses is 64 items behind and the stream may not drop any; "
                "do slow work in another task, or open the stream anew"
            ),
            {"stream": "button presses", "capacity": 64},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_message_says_what_happened_and_the_attributes_say_it_to_code(
    error: Exception, text: str, attributes: dict[str, object]
) -> None:
    assert str(error) == text
    assert {name: getattr(error, name) for name in attributes} == attributes


def test_a_long_or_odd_type_does_not_fill_the_log() -> None:
    text = str(DecodeError("x" * 10_000, ["type: unknown"]))
    odd = str(DecodeError("line\nfeed\x1b[31m", ["type: unknown"]))

    assert len(text) < 150
    assert odd.isprintable()


@pytest.mark.parametrize(
    ("cls", "parents"),
    [
        (ConfigError, (MentraError,)),
        (SessionClosedError, (SessionError, MentraError)),
        (LinkDownError, (SessionError,)),
        (LinkLostError, (SessionError,)),
        (ConnectFailedError, (TransportError,)),
        (TransportClosedError, (TransportError,)),
        (DecodeError, (ProtocolError,)),
        (HandshakeError, (ProtocolError,)),
        (HostNotAllowedError, (ProtocolError,)),
        (CloudRefusedError, (RequestError,)),
        (RequestTimedOutError, (RequestError,)),
        (SlowConsumerError, (MentraError,)),
    ],
)
def test_callers_can_catch_by_who_must_act(cls: type[Exception], parents: tuple[type[Exception], ...]) -> None:
    assert all(issubclass(cls, parent) for parent in parents)
    assert not issubclass(cls, ValueError | TypeError), "wrong arguments are Python's own errors"
