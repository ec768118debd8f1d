"""The runner itself: that it finds differences, and that its rows say what they are meant to say."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import pytest

from mentra_trio._wire.streams import parse_stream

from .app import UnmappedCallError
from .marks import Comparison, bytes_of, snake, subscription_set
from .recordings import OWN_VECTORS, Json, load_cases, uses_own_vectors
from .replay import MismatchError, replay
from .rewrites.speech import transcript_value
from .rows import Deviations, NotYet, Row, RowError, Variables, matches
from .timeline import Item, Timeline, field, is_ack, timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVIATIONS = Deviations.load()
own_vectors = pytest.mark.skipif(not uses_own_vectors(), reason="totals are only known of the project's own vectors")

# A scenario ----------------------------------------------------------------------------------------------------------

ENVELOPE = {"packageName": "com.example.runner", "sessionId": "session-7", "timestamp": "<timestamp>"}


def _call(api: int, method: str, tick: int, **more: object) -> Json:
    return {"dir": "app", "kind": "call", "api": api, "method": method, "tick": tick, **more}


def _ack(kind: str) -> Json:
    return {"type": kind, "sessionId": "session-7", "settings": []}


def scenario() -> Json:
    """Record a session by hand: it starts, hears something, shows it, loses its socket and gets a new one, stops."""
    request = {
        "type": "session_request",
        "sessionId": "session-7",
        "userId": "wearer@example.com",
        "websocketUrl": "ws://<cloud-host>/app-ws",
    }
    opened = {
        "path": "/app-ws",
        "headers": {
            "x-user-id": "wearer@example.com",
            "x-session-id": "session-7",
            "x-package-name": "com.example.runner",
            "x-api-key": "a-key-for-the-runner",
        },
    }
    init = {"type": "tpa_connection_init", "packageName": "com.example.runner", "apiKey": "a-key-for-the-runner",
            "sdkVersion": "3.0.0-hono.8", "timestamp": "<timestamp>"}  # fmt: skip
    said = {"text": "hello", "isFinal": True, "detectedLanguage": "en", "utteranceId": "u1"}
    wall = {"type": "display_event", **ENVELOPE, "view": "main", "layout": {"layoutType": "text_wall", "text": "hello"}}
    wanted = {"type": "subscription_update", **ENVELOPE, "subscriptions": ["transcription:en-US", "button_press"]}
    stop = {"type": "stop_request", "sessionId": "session-7", "userId": "wearer@example.com", "reason": "user_disabled"}
    start = {"role": "request", "http": 1, "method": "POST", "path": "/webhook", "body": request}
    end = {"role": "request", "http": 2, "method": "POST", "path": "/webhook", "body": stop}
    answer = {"role": "response", "status": 200, "body": {"status": "success"}}
    event = {"type": "data_stream", "streamType": "transcription:en-US", "data": said}
    again = {"type": "reconnect", "sessionId": "session-7", "sdkVersion": "3", "timestamp": "<timestamp>"}
    beat = {"$binary": {"length": 2, "hex": "7031"}}
    identity = {"package_name": "com.example.runner", "api_key": "a-key-for-the-runner"}
    steps: list[Json] = [
        _call(0, "app.create", 1, kwargs=identity),
        {"dir": "in", "kind": "http", "message": start},
        {"dir": "out", "kind": "open", "conn": 1, "message": opened},
        {"dir": "out", "kind": "text", "conn": 1, "message": init},
        {"dir": "out", "kind": "http", "message": {**answer, "http": 1}},
        _call(1, "transcription.for_language", 2, args=["en-US"], handlers=["A"], assign="stopA"),
        _call(2, "device.on_button_press", 2, handlers=["B"], assign="stopB"),
        {"dir": "in", "kind": "text", "conn": 1, "message": _ack("tpa_connection_ack")},
        {"dir": "out", "kind": "text", "conn": 1, "message": wanted},
        {"dir": "in", "kind": "text", "conn": 1, "message": event},
        _call(3, "display.show_text", 3, args=["hello"]),
        {"dir": "out", "kind": "text", "conn": 1, "message": wall},
        {"dir": "app", "kind": "get", "api": 4, "property": "session.user_id", "tick": 4},
        {"dir": "in", "kind": "ping", "conn": 1, "message": beat},
        {"dir": "out", "kind": "pong", "conn": 1, "message": beat},
        {"dir": "in", "kind": "close", "conn": 1, "message": {"code": 1001, "reason": "Going away"}},
        {"dir": "out", "kind": "open", "conn": 2, "message": opened, "wait_ms": 1000},
        {"dir": "out", "kind": "text", "conn": 2, "message": again},
        {"dir": "in", "kind": "text", "conn": 2, "message": _ack("reconnect_ack")},
        {"dir": "out", "kind": "text", "conn": 2, "message": wanted},
        {"dir": "in", "kind": "http", "message": end},
        {"dir": "out", "kind": "close", "conn": 2, "message": {"code": 1000, "reason": "Client disconnect"}},
        {"dir": "out", "kind": "http", "message": {**answer, "http": 2}},
    ]
    heard = {"text": "hello", "isFinal": True, "language": "en", "utteranceId": "u1", "startTime": 0, "endTime": 0}
    events = [
        {"handler": "A", "value": heard, "after_step": 9},
        {"handler": "on_stop", "value": {"session": "session-7", "reason": "user_disabled"}, "after_step": 20},
    ]
    returns = [{"call": 4, "value": "wearer@example.com", "after_step": 12}]
    body = {"steps": steps, "events": events, "returns": returns, "errors": [], "end_wait_ms": 1500}
    return cast("Json", json.loads(json.dumps(body)))  # no two places share a table, as in a file


def _run(body: Json) -> None:
    replay(DEVIATIONS.apply(timeline("by hand", body)))


def _leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """List the paths of all values inside a JSON value that are no containers."""
    if isinstance(value, dict):
        for key, inner in cast("Json", value).items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(cast("list[object]", value)):
            yield from _leaves(inner, (*path, place))
    else:
        yield path


def _altered(body: Json, path: tuple[str | int, ...]) -> Json:
    """Copy a scenario with one value altered."""
    twin = copy.deepcopy(body)
    table = twin
    for part in path[:-1]:
        table = cast("Json", table[cast("str", part)])  # or a list, which is indexed the same way
    key = cast("str", path[-1])
    value = table[key]
    if isinstance(value, bool):
        table[key] = not value
    elif isinstance(value, int):
        table[key] = value + 1
    else:
        table[key] = f"{value} tampered"
    return twin


def _expectations() -> list[tuple[str | int, ...]]:
    """List everything in the scenario that a tampered recording could claim otherwise."""
    body = scenario()
    steps = cast("list[Json]", body["steps"])
    paths = [
        ("steps", number, "message", *path)
        for number, step in enumerate(steps)
        if step["dir"] == "out"
        for path in _leaves(step["message"])
    ]
    paths += [
        (
            "events",
            *path,
        )
        for path in _leaves(body["events"])
        if "value" in path
    ]
    paths += [("returns", *path) for path in _leaves(body["returns"]) if "value" in path]
    # Ours, and what a row replaces: the times of a final (P2 3.3).
    return [path for path in paths if path[-1] not in ("sdkVersion", "startTime", "endTime")]


def _sent() -> list[int]:
    """List the steps of the scenario in which the SDK acts."""
    steps = cast("list[Json]", scenario()["steps"])
    return [number for number, step in enumerate(steps) if step["dir"] == "out"]


def test_a_true_recording_passes() -> None:
    """What the others alter is what this SDK does."""
    _run(scenario())


@pytest.mark.parametrize("path", _expectations(), ids=lambda path: ".".join(map(str, path)))
def test_an_altered_recording_fails(path: tuple[str | int, ...]) -> None:
    """Every value that is compared counts."""
    with pytest.raises((MismatchError, UnmappedCallError)):
        _run(_altered(scenario(), path))


@pytest.mark.parametrize("number", _sent())
def test_a_recording_that_lacks_a_step_fails(number: int) -> None:
    """What is not recorded must not happen."""
    body = scenario()
    cast("list[Json]", body["steps"])[number] = {"dir": "in", "kind": "note", "message": "taken out"}
    with pytest.raises(MismatchError):
        _run(body)


@pytest.mark.parametrize("number", _sent())
def test_a_recording_with_a_step_too_many_fails(number: int) -> None:
    """What is recorded has to happen, as often as it is recorded."""
    body = scenario()
    steps = cast("list[Json]", body["steps"])
    again = copy.deepcopy(steps[number])
    if again["kind"] == "http":
        again["message"] = {**cast("Json", again["message"]), "http": 99}
    steps.append(again)
    with pytest.raises(MismatchError):
        _run(body)


def test_a_recording_that_lacks_an_event_fails() -> None:
    """What a handler got and the recording does not know is a difference."""
    body = scenario()
    body["events"] = cast("list[Json]", body["events"])[1:]
    with pytest.raises(MismatchError):
        _run(body)


def test_frames_in_another_order_fail() -> None:
    """The order of the frames of one socket is exact."""
    body = scenario()
    steps = cast("list[Json]", body["steps"])
    steps[2], steps[3] = steps[3], steps[2]
    with pytest.raises(MismatchError):
        _run(body)


def test_a_call_without_counterpart_fails() -> None:
    """A call that cannot be mapped is a failure, not a skip."""
    body = scenario()
    cast("list[Json]", body["steps"])[10] = _call(3, "display.show_hologram", 3, args=["hello"])
    with pytest.raises(UnmappedCallError, match="show_hologram"):
        _run(body)


def test_a_call_of_the_handler_without_counterpart_fails() -> None:
    """The SDK supervises handlers; that must not swallow what the runner has to say."""
    body = scenario()
    cast("list[Json]", body["steps"])[6] = _call(2, "device.on_hologram", 2, handlers=["B"])
    with pytest.raises(UnmappedCallError, match="on_hologram"):
        _run(body)


def test_a_call_that_returns_although_recorded_as_unfinished_fails() -> None:
    """Calls that had not returned when the record ended must not return here."""
    body = scenario()
    body["unfinished_calls"] = [3]
    with pytest.raises(MismatchError, match="has returned"):
        _run(body)


def test_only_what_does_not_exist_is_skipped() -> None:
    """A scenario that needs something missing gives its reason, and runs when the row is gone."""
    body = scenario()
    cast("list[Json]", body["steps"])[10] = _call(3, "hologram.show", 3)
    items = timeline("by hand", body).items
    table = attrs.evolve(DEVIATIONS, not_yet=(NotYet(reason="no holograms yet", methods=["hologram."]),))
    assert table.missing(items) == "no holograms yet"
    assert attrs.evolve(table, not_yet=()).missing(items) is None


# Marks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("<timestamp>", "2026-06-15T12:00:00.000Z"),
        ("<timestamp:ms>", 1_781_524_800_000),
        ("<undefined>", None),
        ({"a": "<undefined>"}, {}),
        (1, 1.0),
        ("photo_req_<id:1>", "photo_req_0b8a2a1c-5f0e-4c3a-9a62-2a5f0b1f7b11"),
        ("audio_req_<id:2>", "audio_req_1781524800000_k3f9x2a"),
        ({"subscriptions": ["a", "b"]}, {"subscriptions": ["augmentos:*", "b", "a"]}),
        ({"subscriptions": ["transcription:auto?hints=e,j"]}, {"subscriptions": ["transcription:auto?hints=j%2Ce"]}),
        ({"sdkVersion": "3.0.0-hono.8"}, {"sdkVersion": "3.1.0-trio"}),
        ("<text>", "anything"),
    ],
)  # fmt: skip
def test_marks_stand_for_what_they_say(expected: object, actual: object) -> None:
    """Generated values are compared by their format."""
    assert Comparison().differences(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("<timestamp>", "2026-06-15T12:00:00Z"),
        ("<timestamp>", "2026-06-15T12:00:00.000+00:00"),
        ("<timestamp:ms>", "1781524800000"),
        ("<undefined>", ""),
        ({}, {"a": 1}),
        ({"a": 1}, {}),
        (True, 1),
        (1, True),
        ("1", 1),
        ([1, 2], [2, 1]),
        ("photo_req_<id:1>", "photo_req_1"),
        ("photo_req_<id:1>", "led_req_0b8a2a1c-5f0e-4c3a-9a62-2a5f0b1f7b11"),
        ({"subscriptions": ["a"]}, {"subscriptions": ["a", "b"]}),
        ({"subscriptions": ["a"]}, {"subscriptions": None}),
        ({"sdkVersion": "3.0.0-hono.8"}, {"sdkVersion": "2.9"}),
        ("<text>", " "),
    ],
)
def test_marks_stand_for_nothing_else(expected: object, actual: object) -> None:
    """A value of another kind is a difference."""
    assert Comparison().differences(expected, actual) != []


def test_equal_marks_are_equal_ids() -> None:
    """An id that was sent once is known from then on, also to the cloud."""
    comparison = Comparison()
    first = "0b8a2a1c-5f0e-4c3a-9a62-2a5f0b1f7b11"
    assert comparison.differences("<id:1>", first) == []
    assert comparison.differences("<id:1>", first) == []
    assert comparison.differences("<id:1>", first.replace("0b", "1b")) != []
    assert comparison.known({"requestId": "photo_req_<id:1>"}) == {"requestId": f"photo_req_{first}"}


def test_names_are_converted() -> None:
    """Field names of the recordings become names of this SDK."""
    names = ["isFinal", "hasIMU", "hasHDR", "wifiLocalIp", "text"]
    assert [snake(name) for name in names] == ["is_final", "has_imu", "has_hdr", "wifi_local_ip", "text"]


def test_long_frames_are_made_of_their_pattern() -> None:
    """Long binary frames are recorded by their hash; the bytes follow from it."""
    digest = "d194663ddf06f8489180e19ea01a6464fcfe349020a18bacf010b4f1d8c90446"
    assert bytes_of({"$binary": {"length": 65536, "sha256": digest}})[:3] == bytes([13, 20, 27])
    with pytest.raises(ValueError, match="does not tell"):
        bytes_of({"$binary": {"length": 65535, "sha256": digest}})


def test_a_list_of_subscriptions_is_a_set() -> None:
    """Order and doubles do not count; what is no list is none."""
    assert subscription_set(["b", "a", "a"]) == frozenset({"a", "b"})
    assert subscription_set("a") is None


# Rows ----------------------------------------------------------------------------------------------------------------


def _item(kind: str = "text", **fields: object) -> Item:
    item = Item(dir="out", kind=kind, step=0)
    for name, value in fields.items():
        setattr(item, name, value)
    return item


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 2}, False),
        ({"a": {"is_absent": True}}, {"b": 2}, True),
        ({"a": {"is_absent": True}}, {"a": None}, True),
        ({"a": {"is_absent": True}}, {"a": ""}, False),
        ({"a": {"is_one_of": [1, 2]}}, {"a": 2}, True),
        ({"a": {"is_none_of": [1, 2]}}, {"a": 2}, False),
        ({"a": {"is_like": "^x"}}, {"a": "xy"}, True),
        ({"a": {"is_like": "^x"}}, {"a": 5}, False),
        ({"a": {"is_a": "number"}}, {"a": True}, False),
        ({"a": {"is_a": ["null", "text"]}}, {}, True),
        ({"a": {"is_at_least": 4}}, {"a": 4.5}, True),
        ({"a": {"is_empty": True}}, {"a": []}, True),
        ({"a": {"has": {"is_a": "null"}}}, {"a": [1, None]}, True),
        ({"a": [{"is_a": "text"}]}, {"a": ["x"]}, True),
        ({"a": [{"is_a": "text"}]}, {"a": ["x", "y"]}, False),
        ({"a": "$x", "b": "$x"}, {"a": 1, "b": 1}, True),
        ({"a": "$x", "b": "$x"}, {"a": 1, "b": 2}, False),
        (True, 1, False),
    ],
)
def test_patterns(pattern: object, value: object, fits: bool) -> None:
    """Patterns are subsets, with tests and variables."""
    variables: Variables = {}
    assert matches(pattern, value, variables) is fits


def test_a_row_changes_only_what_it_is_about() -> None:
    """`after` and `until` bound the effect of a row, by the socket if they say so."""
    row = Row(
        section="P1",
        reason="because",
        step={"kind": "text", "conn": "$conn"},
        after={"kind": "close", "conn": "$conn"},
        until={"kind": "open"},
        set={"message.a": 2},
    )
    items = [
        _item(message={"a": 1}, conn=1),
        _item("close", conn=1),
        _item(message={"a": 1}, conn=2),
        _item(message={"a": 1}, conn=1),
        _item("open", conn=1),
        _item(message={"a": 1}, conn=1),
    ]
    assert row.apply(items) == 1
    assert [cast("Json", item.message)["a"] for item in items if item.message] == [1, 1, 2, 1]


def test_a_row_leaves_other_recordings_alone() -> None:
    """Changing an item does not change the recording that it came from."""
    row = Row(
        section="P1", reason="because", step={"kind": "text"}, set={"message.a.b": 2}, rename={"message.c": "message.d"}
    )
    recorded = {"a": {"b": 1}, "c": 3}
    items = [_item(message=recorded)]
    row.apply(items)
    assert items[0].message == {"a": {"b": 2}, "d": 3}
    assert recorded == {"a": {"b": 1}, "c": 3}


def test_a_row_that_drops_a_socket_drops_all_of_it() -> None:
    """Nothing can be recorded on a socket that is not opened; the others move up."""
    row = Row(section="P1", reason="because", step={"kind": "open", "conn": 1}, drop=True)
    items = [_item("open", conn=1), _item(conn=1), _item("open", conn=2), _item(conn=2)]
    row.apply(items)
    assert [(item.kind, item.conn) for item in items] == [("open", 2), ("text", 2)]


def test_a_row_adds_items() -> None:
    """New items stand beside the one that the row is about, with its variables filled in."""
    row = Row(
        section="P1",
        reason="because",
        step={"kind": "text", "message": {"a": "$a"}},
        before=[{"dir": "out", "kind": "close", "message": {"code": "$a"}}],
        behind=[{"dir": "out", "kind": "pong", "window": [1.0, 2.0]}],
    )
    items = [_item(message={"a": 5}, conn=3)]
    row.apply(items)
    assert [(item.kind, item.conn, item.message) for item in items] == [
        ("close", 3, {"code": 5}),
        ("text", 3, {"a": 5}),
        ("pong", 3, None),
    ]
    assert items[2].window == (1.0, 2.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[row]]\nsection = "P1"\nreason = " "\nstep = {}\ndrop = true', "needs a section and a reason"),
        ('[[row]]\nsection = "P1"\nreason = "because"\nstep = {}', "what happens instead"),
        ('[[row]]\nsection = "P1"\nreason = "because"\nstep = {}\nrewrite = "nonsense"', "there is no rewrite"),
        (
            '[[row]]\nsection = "P1"\nreason = "because"\nstep = {}\nwindow = [0, 1]\nsince=true',
            "only a window counts",
        ),
        ('[[row]]\nsection = "P1"\nreason = "because"\nstep = { name = "x" }\ndrop = true', "items have no"),
        ("[[excuse]]", "unknown tables"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """Rows cannot name a scenario, and cannot say nothing."""
    file = tmp_path / "deviations.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RowError, match=complaint):
        Deviations.load(file)


# The project's own vectors -------------------------------------------------------------------------------------------


def _timelines() -> list[Timeline]:
    return [timeline(case.id, case.body) for case in load_cases("wire")]


@own_vectors
def test_every_row_is_used() -> None:
    """A row that nothing needs is forgotten, or wrong."""
    used: list[Row] = []
    for recorded in _timelines():
        DEVIATIONS.apply(recorded, used.append)
    assert [row.reason for row in DEVIATIONS.rows if not any(row is other for other in used)] == []


@own_vectors
def test_no_row_hides_a_wrong_handshake() -> None:
    """Rows change what they are about: a wrong handshake is found in every recording that can be replayed."""
    checked = 0
    for case in load_cases("wire")[::3]:
        body: Json = copy.deepcopy(case.body)
        init = next((step for step in cast("list[Json]", body["steps"]) if _is_init(step)), None)
        if init is None or DEVIATIONS.missing(timeline(case.id, body).items):
            continue
        cast("Json", init["message"])["packageName"] = "com.example.other"
        applied = DEVIATIONS.apply(timeline(case.id, body))
        if not any(field(item.message, "packageName") == "com.example.other" for item in applied.items):
            continue  # This socket is not opened at all, or by an init of our own.
        with pytest.raises(MismatchError, match="packageName"):
            replay(applied)
        checked += 1
    assert checked > 50


def _is_init(step: Json) -> bool:
    return step["dir"] == "out" and field(step.get("message"), "type") == "tpa_connection_init"


@own_vectors
def test_everything_missing_is_missed() -> None:
    """What exists, or is asked for by nobody, is not listed as missing."""
    items = [recorded.items for recorded in _timelines()]
    operations = {cast("str", case.body["op"]) for case in load_cases("display")}
    for entry in DEVIATIONS.not_yet:
        is_missed = any(entry.covers(item) for scenario_items in items for item in scenario_items)
        is_missed |= any(re.fullmatch(pattern, name) for pattern in entry.operations for name in operations)
        assert is_missed, entry.reason


@own_vectors
def test_every_odd_message_is_recorded() -> None:
    """The lists of odd messages of the real cloud hold no guesses."""
    steps = [
        step
        for case in load_cases("cloud")
        for step in (*cast("list[Json]", case.body.get("setup", [])), *cast("list[Json]", case.body["steps"]))
    ]
    messages = [step["message"] for step in steps]
    for odd in (*DEVIATIONS.unreadable, *DEVIATIONS.unsent):
        assert any(odd.covers(message) for message in messages), odd.reason


@own_vectors
def test_all_cases_are_there() -> None:
    """The tables of the recordings tell how many there are."""
    for family in ("wire", "display"):
        readme = (OWN_VECTORS / family / "README.md").read_text(encoding="utf-8")
        told = {name: int(count) for name, count in re.findall(r"^\| `(\S+)\.json` \| (\d+) \|", readme, re.MULTILINE)}
        cases = load_cases(family)
        assert told
        assert {name: sum(case.file == name for case in cases) for name in told} == told
        assert len({case.id for case in cases}) == len(cases)


@own_vectors
def test_transcripts_are_made_as_the_reference_makes_them() -> None:
    """Transcripts that a row adds have the values that the recordings show of others."""
    checked = 0
    for recorded in _timelines():
        for item in recorded.items:
            if item.method != "transcription.on" or item.dir != "event":
                continue
            value = cast("Json", item.value)
            cause = cast("Json", item.cause)
            name = parse_stream(cast("str", cause["streamType"]))
            if value["language"] in ("", "transcription") or "raw" in cause or name is None:
                continue  # this SDK finds another language then; numbers of the raw text are not those of JavaScript
            assert Comparison().differences(value, transcript_value(cause)) == []
            checked += 1
    assert checked > 10


def test_calls_before_the_ack_are_made_behind_it() -> None:
    """The standing differences: calls and the webhook's answer come after the ack."""
    items = timeline("by hand", scenario()).items
    ack = next(n for n, item in enumerate(items) if is_ack(item))
    behind = [(item.dir, item.method or item.kind) for item in items[ack + 1 : ack + 5]]
    assert behind == [
        ("out", "http"),
        ("app", "transcription.for_language"),
        ("app", "device.on_button_press"),
        ("out", "text"),
    ]


@pytest.mark.parametrize("kind", ["wire", "cloud", "display"])
def test_an_absent_folder_gives_no_tests_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Recordings may be somewhere else, and need not be complete."""
    monkeypatch.setenv("MENTRA_VECTORS_DIR", str(tmp_path / "absent"))
    path = Path(__file__).with_name(f"test_{kind}.py")
    spec = importlib.util.spec_from_file_location(f"{__package__}.without_{kind}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert module.CASES == []
    assert [name for name in vars(module) if name.lower().startswith("test")] == []
