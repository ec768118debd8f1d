"""`_wire/webhooks.py`: what the cloud, or anybody else, posts to the webhook (P1 1.1, 1.2)."""

import json
from typing import cast

import pytest

from mentra_trio._wire.codec import JsonObject
from mentra_trio._wire.webhooks import SessionRequest, StopRequest, decode_webhook
from mentra_trio.errors import DecodeError

from .frames import objects, scenarios

SESSION = "ana@example.com-com.example.app"
USER = "ana@example.com"
START: JsonObject = {
    "type": "session_request",
    "sessionId": SESSION,
    "userId": USER,
    "timestamp": "2026-06-20T10:11:12.345Z",
    "websocketUrl": "wss://cloud.example.com/ws/miniapp",
    "mentraOSWebsocketUrl": "wss://cloud.example.com/app-ws",
    "augmentOSWebsocketUrl": "wss://cloud.example.com/old-ws",
}
STOP: JsonObject = {
    "type": "stop_request",
    "sessionId": SESSION,
    "userId": USER,
    "reason": "user_disabled",
    "timestamp": "2026-06-20T10:20:00.000Z",
}
IDS = ["sessionId", "userId"]


def post(fields: JsonObject) -> SessionRequest | StopRequest:
    return decode_webhook(json.dumps(fields).encode())


def refused(body: bytes | JsonObject) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode_webhook(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value


def test_p1_1_1_a_session_request_is_read() -> None:
    assert post(START) == SessionRequest(session_id=SESSION, user_id=USER, url="wss://cloud.example.com/ws/miniapp")


def test_p1_1_2_a_stop_request_is_read() -> None:
    assert post(STOP) == StopRequest(session_id=SESSION, user_id=USER, reason="user_disabled")


@pytest.mark.parametrize(
    ("urls", "chosen"),
    [
        ({"websocketUrl": "a", "mentraOSWebsocketUrl": "b", "augmentOSWebsocketUrl": "c"}, "a"),
        ({"mentraOSWebsocketUrl": "b", "augmentOSWebsocketUrl": "c"}, "b"),
        ({"augmentOSWebsocketUrl": "c"}, "c"),
        ({"websocketUrl": None, "mentraOSWebsocketUrl": "", "augmentOSWebsocketUrl": "c"}, "c"),
        ({"websocketUrl": 5, "mentraOSWebsocketUrl": "b"}, "b"),
    ],
)
def test_p1_1_1_the_first_url_that_is_there_is_taken(urls: JsonObject, chosen: str) -> None:
    request = post({"type": "session_request", "sessionId": SESSION, "userId": USER, **urls})

    assert isinstance(request, SessionRequest)
    assert request.url == chosen


@pytest.mark.parametrize(
    ("urls", "fault"),
    [
        ({}, "websocketUrl: missing"),
        ({"websocketUrl": ""}, "websocketUrl: missing"),
        ({"websocketUrl": None, "mentraOSWebsocketUrl": None}, "websocketUrl: missing"),
        ({"websocketUrl": 5}, "websocketUrl: not a text"),
        ({"websocketUrl": ["wss://x"]}, "websocketUrl: not a text"),
        ({"augmentOSWebsocketUrl": {}}, "augmentOSWebsocketUrl: not a text"),
    ],
)
def test_d21_a_session_request_without_a_url_is_refused(urls: JsonObject, fault: str) -> None:
    error = refused({"type": "session_request", "sessionId": SESSION, "userId": USER, **urls})

    assert error.message_type == "session_request"
    assert error.paths == (fault,)


@pytest.mark.parametrize("fields", [START, STOP], ids=["start", "stop"])
@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "missing"),
        ("", "not a text of 1 to 512 characters"),
        (5, "not a text of 1 to 512 characters"),
        (["a"], "not a text of 1 to 512 characters"),
        ({}, "not a text of 1 to 512 characters"),
        (True, "not a text of 1 to 512 characters"),
        ("x" * 513, "not a text of 1 to 512 characters"),
        ("a\r\nx-api-key: stolen", "holds characters that no id has"),
        ("a\nb", "holds characters that no id has"),
        ("a\x00b", "holds characters that no id has"),
        ("a\x1bb", "holds characters that no id has"),
        ("a\x7fb", "holds characters that no id has"),
        ("a\x85b", "holds characters that no id has"),
        ("a\u2028b", "holds characters that no id has"),
        ("a\ud800b", "holds characters that no id has"),
        (" ana@example.com", "holds characters that no id has"),
        ("ana@example.com ", "holds characters that no id has"),
        ("\u00a0ana", "holds characters that no id has"),
    ],
)
def test_p1_1_5_ids_that_do_not_fit_into_a_header_are_refused(
    fields: JsonObject, name: str, value: object, fault: str
) -> None:
    """They go into the upgrade request, where a line end would begin a header of the sender's choice."""
    error = refused({**fields, name: value})

    assert error.message_type == fields["type"]
    assert error.paths == (f"{name}: {fault}",)


@pytest.mark.parametrize("name", IDS)
def test_a_missing_id_is_refused(name: str) -> None:
    assert refused({key: value for key, value in START.items() if key != name}).paths == (f"{name}: missing",)


@pytest.mark.parametrize(
    "user",
    ["a.b+c-d@example.com", "jürgen@example.com", "用户@example.com", "no address", "👩\u200d🚀", "x" * 512],
)
def test_p1_0_ids_are_opaque_text(user: str) -> None:
    request = post({**START, "userId": user, "sessionId": "5f2c-uuid"})

    assert (request.user_id, request.session_id) == (user, "5f2c-uuid")


@pytest.mark.parametrize(
    ("reason", "read"),
    [
        ("system_stop", "system_stop"),
        (None, ""),
        (5, ""),
        ({"a": 1}, ""),
        ("line\nfeed\x1b[31m", "line?feed?[31m"),
        ("lone \ud800", "lone ?"),
        ("x" * 1000, "x" * 200),
        ("été", "été"),
    ],
)
def test_p1_1_2_the_reason_is_text_that_can_be_logged(reason: object, read: str) -> None:
    """Anybody can post one; it ends in log records."""
    request = post({**STOP, "reason": reason})

    assert request == StopRequest(session_id=SESSION, user_id=USER, reason=read)


def test_a_reason_may_be_missing() -> None:
    assert post({key: value for key, value in STOP.items() if key != "reason"}) == StopRequest(
        session_id=SESSION, user_id=USER, reason=""
    )


@pytest.mark.parametrize("kind", ["server_registration", "server_heartbeat", "session_recovery", "", "SESSION_REQUEST"])
def test_p1_1_4_other_types_are_refused(kind: str) -> None:
    error = refused({**START, "type": kind})

    assert error.message_type == kind
    assert error.paths == ("type: not session_request or stop_request",)


@pytest.mark.parametrize("fields", [{}, {"type": None}, {"type": 5}, {"type": ["session_request"]}])
def test_a_body_without_a_type_is_refused(fields: JsonObject) -> None:
    error = refused(fields)

    assert error.message_type is None
    assert error.paths == ("type: missing or not a text",)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "it is not JSON"),
        (b"type=session_request", "it is not JSON"),
        (b'{"type": "session_request", "userId": "\xff"}', "it is not JSON"),
        (b'{"type": "session_request", "userId": "\xed\xa0\x80"}', "it is not JSON"),
        (b'{"type": NaN}', "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b'"stop_request"', "it is not a JSON object"),
        (b'{"type":' + b"[" * 40_000 + b"]" * 40_000 + b"}", "it is nested too deeply"),
    ],
)
def test_d21_a_body_that_is_no_json_object_is_refused(body: bytes, what: str) -> None:
    assert refused(body).paths == (what,)


def test_a_refusal_tells_nothing_of_a_long_type_or_of_the_ids() -> None:
    text = str(refused({**START, "type": "x" * 10_000}))
    other = str(refused({**START, "userId": "secret\n"}))

    assert len(text) < 200
    assert "secret" not in other


def test_the_webhooks_of_the_real_cloud_are_read() -> None:
    kinds: list[type] = []

    for _, scenario in scenarios("cloud"):
        for step in objects(scenario["steps"]):
            if (step["from"], step["to"], step["kind"]) == ("cloud", "app", "http"):
                body = cast("JsonObject", step["message"]).get("body")
                if isinstance(body, dict) and cast("JsonObject", body).get("type") in (START["type"], STOP["type"]):
                    kinds.append(type(post(cast("JsonObject", body))))

    assert kinds.count(SessionRequest) > 50
    assert kinds.count(StopRequest) > 10
