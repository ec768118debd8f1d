"""Whatever the other side sends is read or is a `DecodeError`, and what is read can be written again."""

import contextlib
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import cast

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mentra_trio._wire.codec import (
    JsonObject,
    decode,
    dumps,
    encode,
    next_device_state,
    parse_object,
    raw_command,
    read_command,
    to_iso,
)
from mentra_trio._wire.inbound import INBOUND_TYPES, StreamEvent, UnknownMessage
from mentra_trio._wire.outbound import COMMAND_TYPES, Envelope
from mentra_trio._wire.payloads import READABLE, read_payload
from mentra_trio._wire.streams import (
    AUTO,
    SUPPORTED_LANGUAGES,
    canonical_language,
    checked_name,
    is_poison,
    parse_stream,
    transcription_name,
)
from mentra_trio._wire.webhooks import SessionRequest, StopRequest, decode_webhook
from mentra_trio.errors import DecodeError
from mentra_trio.models import DeviceState

from .frames import encode_inbound, from_real_cloud, text_of

pytestmark = pytest.mark.slow
NOW = datetime(2026, 6, 14, tzinfo=UTC)
ENVELOPE = Envelope(package_name="p", session_id="s", timestamp="t")

# Names that mean something, so that fields are hit, and values of every kind.
FIELDS = """
type sessionId userId settings key value defaultValue label mentraosSettings capabilities modelName camera resolution
width height video supportedResolutions supportedStreamTypes button buttons events light lights subscriptions timestamp
code message timeoutMs reason packageName state fullSnapshot details stream requiredPermission streamType data text
isFinal buttonId pressType position startTime speakerId detectedLanguage userTimezone timezone brightness batteryLevel
connected fwVersion layout layoutType view durationMs apiKey sdkVersion websocketUrl
"""
NAMES = st.sampled_from(FIELDS.split())
TYPES = st.sampled_from(sorted({*INBOUND_TYPES, *COMMAND_TYPES, "session_request", "stop_request", "made_up", ""}))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**320)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text(st.characters(categories=["Cs", "Cc", "L"]))
    | st.sampled_from(["", "auto", "en-US", "text_wall", "2026-06-14T12:00:00Z", "transcription:auto", "button_press"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(NAMES | st.text(max_size=3), inside, max_size=5),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8)


def of_type(fields: JsonObject, name: str) -> JsonObject:
    return {**fields, "type": name}


MESSAGES = st.builds(of_type, OBJECTS, TYPES)
REAL = st.sampled_from([parse_object(text_of(message)) for _, message in from_real_cloud()])


def same(one: object, other: object) -> bool:
    """Equality of JSON values that tells 1 from true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(st.text())
@example("\ud800")
@example('{"type": "pong", "timestamp": 1e400}')
def test_any_text_is_read_or_is_a_decode_error(text: str) -> None:
    with contextlib.suppress(DecodeError):
        decode(text)


@given(st.binary())
@example(b"\xff\xfe{\x00}\x00")
def test_any_body_is_a_request_or_a_decode_error(body: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_webhook(body)


@given(MESSAGES | OBJECTS)
def test_any_object_is_read_or_is_a_decode_error_and_left_as_it_came(fields: JsonObject) -> None:
    text = json.dumps(fields)
    try:
        decoded = decode(text)
    except DecodeError:
        return
    assert same(decoded.fields, json.loads(text))
    assert len(decoded.faults) == len(set(decoded.faults))


@given(REAL, NAMES, VALUES)
def test_a_real_message_with_one_field_replaced_is_read_or_is_a_decode_error(
    message: JsonObject, name: str, value: object
) -> None:
    fields = {**message, name: value}
    data = message.get("data")
    if isinstance(data, dict):
        fields["data"] = {**cast("JsonObject", data), name: value}
    try:
        decoded = decode(json.dumps(fields))
    except DecodeError:
        return
    if isinstance(decoded.message, StreamEvent):
        read_or_refused(decoded.message)


def read_or_refused(event: StreamEvent) -> None:
    name = parse_stream(event.stream_type)
    if name is not None and name.base in READABLE:
        with contextlib.suppress(DecodeError):
            read_payload(name.base, event, NOW)


@given(st.sampled_from(sorted(READABLE)), VALUES | OBJECTS)
def test_any_event_is_read_or_is_a_decode_error(base: str, data: object) -> None:
    read_or_refused(StreamEvent(stream_type=f"{base}:en-US" if base == "transcription" else base, data=data))


@given(OBJECTS)
def test_any_device_state_is_read(fields: JsonObject) -> None:
    before = DeviceState(battery_level=76, charging=True)
    for full in (False, True):
        after, faults = next_device_state(before, fields, full=full)

        assert len(faults) <= len(fields)
        assert type(after) is DeviceState


@given(MESSAGES | OBJECTS)
def test_any_command_is_read_or_is_a_decode_error(fields: JsonObject) -> None:
    try:
        command = read_command(fields)
    except DecodeError:
        return
    if not isinstance(command, UnknownMessage):
        assert read_command(parse_object(encode(command, ENVELOPE))) == command


@given(MESSAGES | REAL)
def test_what_was_read_is_written_and_read_again_alike(fields: JsonObject) -> None:
    try:
        message = decode(json.dumps(fields)).message
    except DecodeError:
        return
    assume(not isinstance(message, UnknownMessage))
    assert not isinstance(message, UnknownMessage)

    once = encode_inbound(message)
    decoded = decode(once)

    assert decoded.faults == ()
    assert decoded.message == message
    assert not isinstance(decoded.message, UnknownMessage)
    assert encode_inbound(decoded.message) == once


@given(OBJECTS)
def test_what_is_written_is_utf_8_and_the_same_json(fields: JsonObject) -> None:
    text = dumps(fields)

    assert same(json.loads(text.encode()), json.loads(json.dumps(fields)))


@given(st.text(min_size=1), OBJECTS)
def test_a_raw_command_holds_the_authors_fields(name: str, fields: JsonObject) -> None:
    fields = {key: value for key, value in fields.items() if key not in {"type", "packageName", "sessionId"}}
    written = parse_object(encode(raw_command(name, fields, ENVELOPE), ENVELOPE))

    expected = {"packageName": "p", "sessionId": "s", "timestamp": "t", **fields, "type": name}
    assert same(written, json.loads(json.dumps(expected)))


@given(
    st.datetimes(
        min_value=datetime(1, 1, 2),  # noqa: DTZ001  (the strategy adds the zone)
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_p1_0_times_are_spelled_with_milliseconds_and_read_back(moment: datetime) -> None:
    text = to_iso(moment)
    message = decode(json.dumps({"type": "data_stream", "streamType": "x", "timestamp": text})).message

    assert text.endswith("Z")
    assert len(text) == len("2026-06-14T09:12:33.481Z")
    assert isinstance(message, StreamEvent)
    assert message.timestamp is not None
    assert timedelta(0) <= moment - message.timestamp < timedelta(milliseconds=1)


@given(st.text() | st.from_regex(r"\A(transcription|translation|touch_event)(:[a-zA-Z?=&%:-]*)?\Z"))
def test_any_stream_name_is_read_or_not_and_its_identity_is_stable(text: str) -> None:
    name = parse_stream(text)

    if name is not None:
        again = parse_stream(name.identity)
        assert again is not None
        assert again.identity == name.identity
        assert again.options == ()


@given(st.text() | st.from_regex(r"\A(transcription|translation)[:?][a-zA-Z?=&%:-]*\Z"))
def test_a_name_that_may_be_subscribed_does_no_harm(text: str) -> None:
    try:
        name = checked_name(text)
    except ValueError:
        return
    assert name == text
    assert not is_poison(name)
    if "transcription" in name or "translation" in name:
        assert parse_stream(name) is not None


@given(st.text(max_size=12) | st.from_regex(r"\A[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?\Z"))
def test_a_language_is_canonical_or_refused(tag: str) -> None:
    try:
        language = canonical_language(tag)
    except ValueError:
        return
    assert canonical_language(language) == language
    name = transcription_name(language, frozenset({"ja"}))
    assert not is_poison(name)
    assert language == AUTO or language.split("-")[0] in SUPPORTED_LANGUAGES


@given(st.builds(of_type, OBJECTS, st.sampled_from(["session_request", "stop_request"])))
def test_a_webhook_that_is_accepted_fits_into_headers_and_logs(fields: JsonObject) -> None:
    try:
        request = decode_webhook(json.dumps(fields).encode())
    except DecodeError:
        return
    for text in (request.session_id, request.user_id):
        assert text == text.strip()
        assert text.encode().decode() == text
        assert not set(text) & set("\r\n\0")
    match request:
        case StopRequest():
            assert request.reason.isprintable()
        case SessionRequest():
            assert request.url


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_lacks_are_never_written(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"value": [{"deep": number}]})
