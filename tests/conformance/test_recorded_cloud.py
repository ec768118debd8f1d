"""The replays of the cloud's recordings find what differs, and their rows are in order."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
import trio.testing

from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio._net.transport import CloudUrl
from mentra_trio.errors import TransportClosedError
from mentra_trio.simulator import Cloud

from .recorded_cloud.cloud_side import HOST, CloudSide
from .recorded_cloud.differences import Difference, Differences, Unplayed
from .recorded_cloud.engine import compare, replay
from .recorded_cloud.masks import Masks, unmasked
from .recorded_cloud.sdk import feed
from .recorded_cloud.steps import Step, steps_of
from .recorded_cloud.world import World, apps_that_ran, fill_database, user_of
from .recordings import Case, Json, load_cases, uses_own_vectors
from .rows import RowError

if TYPE_CHECKING:
    from collections.abc import Sequence

ALPHA = "com.example.alpha"
BETA = "com.example.beta"
USER = "user@example.com"
SESSION = f"{USER}-{BETA}"
NOTHING = Differences(rows=())


def recorded(source: str, target: str, kind: str, message: object, at: int, **more: object) -> Json:
    return {"from": source, "to": target, "kind": kind, "message": message, "at_ms": at, **more}


def handshake(*, code: int = 1000) -> list[Step]:
    """An app that connects while no phone is there, and is refused."""
    app: Json = {"app": BETA, "conn": 1}
    upgrade: Json = {"method": "GET", "path": "/app-ws", "upgrade": "websocket", "headers": {}}
    init = {"type": "tpa_connection_init", "sessionId": SESSION, "packageName": BETA, "apiKey": "beta-api-key-0002"}
    refusal = {
        "type": "tpa_connection_error",
        "code": "SESSION_NOT_FOUND",
        "message": "Session not found",
        "timestamp": "<timestamp>",
    }
    steps = [
        recorded("app", "cloud", "http", upgrade, 1000, **app),
        recorded("cloud", "app", "http", {"status": 101}, 1002, **app),
        recorded("app", "cloud", "text", init, 1003, **app),
        recorded("cloud", "app", "text", refusal, 1005, **app),
        recorded("cloud", "app", "close", {"code": code, "reason": "Session not found"}, 1006, **app),
    ]
    return steps_of(Case("cloud", "made-up", "refused", {"name": "refused", "steps": steps}))


class TestEngineReplay:
    def test_finds_nothing_where_the_engine_does_what_was_recorded(self) -> None:
        assert replay(handshake(code=1008), World.load(), NOTHING) == []

    def test_finds_another_message(self) -> None:
        (problem,) = replay(handshake(code=1011), World.load(), NOTHING)
        assert ".message.code: expected 1011, got 1008" in problem

    def test_finds_a_missing_message(self) -> None:
        steps = handshake(code=1008)
        late = attrs.evolve(steps[3], at=1.5)
        (problem,) = replay([*steps, late], World.load(), NOTHING)
        assert "missing" in problem

    def test_finds_a_message_that_nobody_recorded(self) -> None:
        steps = handshake(code=1008)
        # Something has to come later: right at the end a message may only just have been missed.
        gone = attrs.evolve(steps[0], conn=2, at=3.0, partner=None)
        (problem,) = replay([*steps[:4], gone], World.load(), attrs.evolve(NOTHING, rows=(_ignores_http(),)))
        assert "nobody recorded" in problem

    def test_finds_a_message_at_another_time(self) -> None:
        steps = handshake(code=1008)
        steps[4].at += 0.2
        (problem,) = replay(steps, World.load(), NOTHING)
        assert "at 1.003 s" in problem

    def test_finds_what_one_app_got_in_another_order_on_two_sockets(self) -> None:
        first = _told(at=1.0, conn=1)
        second = _told(at=1.1, conn=2)
        ours = [attrs.evolve(first, at=1.1), attrs.evolve(second, at=1.0)]
        problems = compare([first, second], ours, 2.0)
        assert [problem for problem in problems if "other way round" in problem]

    def test_takes_a_moment_more_for_a_long_wait(self) -> None:
        begin = Step(source="app", target="cloud", app=BETA, conn=1, kind="text", message={}, at=0.0)
        assert compare([begin, _told(at=10.0, conn=1)], [_told(at=10.9, conn=1)], 20.0) == []
        assert compare([begin, _told(at=10.0, conn=1)], [_told(at=11.1, conn=1)], 20.0) != []


class TestSdkFeed:
    def test_finds_nothing_where_the_app_is_correct(self) -> None:
        assert feed(handshake(code=1008), lambda _: False) == []

    async def test_finds_a_send_before_the_ack(self, autojump_clock: trio.testing.MockClock) -> None:
        assert await _misbehave(handshake(), ['{"type":"tpa_connection_init"}', '{"type":"display_event"}']) == [
            "it sends ['display_event'] before the ack"
        ]

    async def test_finds_a_socket_that_begins_otherwise(self, autojump_clock: trio.testing.MockClock) -> None:
        assert await _misbehave(handshake(), ['{"type":"subscription_update"}']) == [
            "a socket begins with subscription_update"
        ]

    async def test_finds_a_connection_after_a_stop(self, autojump_clock: trio.testing.MockClock) -> None:
        problems = await _misbehave(handshake(), ['{"type":"reconnect"}'], is_stopped=True)
        assert problems == ["it connects at 0.000 s although it was stopped"]


class TestMasks:
    def test_one_id_is_the_same_everywhere(self) -> None:
        masks = Masks()
        assert masks.difference(["<id:1>", "<id:1>"], ["a", "a"]) is None
        assert masks.difference("<id:1>", "b") is not None

    @pytest.mark.parametrize(
        ("expected", "actual"),
        [
            ("<timestamp>", "yesterday"),
            ("<timestamp:ms>", 3),
            ("<timestamp:ms>", True),
            ("<capabilities of Mentra Live>", {"modelName": "Even Realities G1"}),
            (1, True),
            ({"a": 1}, {"a": 1, "b": 2}),
            ([1], [1, 2]),
            ({}, []),
        ],
    )
    def test_tells_what_differs(self, expected: object, actual: object) -> None:
        assert Masks().difference(expected, actual) is not None

    def test_something_that_can_be_sent_stands_for_each_mask(self) -> None:
        sent = unmasked({"at": "<timestamp>", "all": ["<timestamp:ms>", "<id:1>"]})
        assert Masks().difference({"at": "<timestamp>", "all": ["<timestamp:ms>", "<id:1>"]}, sent) is None


class TestWorld:
    def test_an_app_that_is_called_for_a_phone_that_comes_ran_before(self) -> None:
        steps = [_phone(at=0.0), _called(ALPHA, at=0.1), _phone_ack(at=0.2), _called(BETA, at=0.3)]
        assert apps_that_ran(steps) == [ALPHA]

    def test_an_app_that_was_asked_for_did_not(self) -> None:
        start = Step(
            source="glasses", target="cloud", conn=1, kind="text", message={"type": "start_app", "packageName": ALPHA}
        )
        assert apps_that_ran([start, _phone(at=0.1), _called(ALPHA, at=0.2)]) == []

    def test_what_the_cloud_tells_first_was_in_the_database(self) -> None:
        ack: Json = {
            "type": "tpa_connection_ack",
            "settings": [{"key": "unit", "value": "f"}],
            "mentraosSettings": {"brightness": 7, "userTimezone": None},
        }
        told = Step(source="cloud", target="app", app=ALPHA, conn=1, kind="text", message=ack)
        steps = [told, _phone_ack(at=1.0)]
        cloud = Cloud()
        fill_database(cloud, World.load(), steps)
        stored = cloud.user(user_of(steps)).stored
        assert stored.app_settings == {ALPHA: {"unit": "f"}}
        assert stored.system_settings == {"brightness": 7}


class TestDifferences:
    def test_a_row_needs_a_reason(self) -> None:
        with pytest.raises(RowError, match="section and a reason"):
            Difference(section="P1", reason=" ", step={"kind": "text"}, ignore=True)

    def test_a_row_names_fields_of_steps(self) -> None:
        with pytest.raises(RowError, match="no \\['name'\\]"):
            Difference(section="P1", reason="it does", step={"name": "some scenario"}, ignore=True)

    def test_a_row_says_what_happens(self) -> None:
        with pytest.raises(RowError, match="either ignores"):
            Difference(section="P1", reason="it does", step={"kind": "text"})

    def test_every_row_is_needed(self) -> None:
        """A row that covers nothing hides the next mistake. Those that `unless` holds are about our side alone."""
        if not uses_own_vectors():
            pytest.skip("only of vectors that this project knows")
        differences = Differences.load()
        recordings = [steps for case in load_cases("cloud") if differences.can_play(steps := steps_of(case))]
        for row in differences.rows:
            if row.unless is None:
                assert any(row.covers(step, steps) for steps in recordings for step in steps), row.reason

    def test_what_is_not_played_is_told_by_a_step(self) -> None:
        row = Unplayed(section="P1", reason="not simulated", step={"kind": "text", "message": {"type": "x"}})
        differences = Differences(rows=(), unplayed=(row,))
        recorded = [_phone(at=0.0), _told(at=1.0, conn=1)]
        assert not differences.can_play(recorded)
        assert differences.obstacles(recorded) == ["not played: not simulated (P1)"]
        assert differences.can_play([_phone(at=0.0)])

    def test_what_is_not_played_may_be_told_by_an_earlier_step_too(self) -> None:
        step: Json = {"kind": "text", "message": {"type": "x"}}
        row = Unplayed(section="P1", reason="not simulated", step=step, after={"source": "glasses"})
        differences = Differences(rows=(), unplayed=(row,))
        assert not differences.can_play([_phone(at=0.0), _told(at=1.0, conn=1)])
        assert differences.can_play([_told(at=1.0, conn=1), _phone(at=2.0)])

    def test_what_is_not_played_is_never_told_by_a_name(self) -> None:
        with pytest.raises(RowError, match="no \\['name'\\]"):
            Unplayed(section="P1", reason="not simulated", step={"name": "some scenario"})

    @pytest.mark.slow
    def test_nothing_is_left_out_that_could_be_played(self) -> None:
        """A row whose recordings the engine has learnt hides its next mistake."""
        if not uses_own_vectors():
            pytest.skip("only of vectors that this project knows")
        differences, world = Differences.load(), World.load()
        recordings = [steps_of(case) for case in load_cases("cloud")]
        for row in differences.unplayed:
            others = [other for other in differences.unplayed if other is not row]
            alone = [
                steps for steps in recordings if row.covers(steps) and not any(other.covers(steps) for other in others)
            ]
            assert any(_differs(steps, world, differences) for steps in alone), row.reason


async def _misbehave(steps: Sequence[Step], texts: Sequence[str], *, is_stopped: bool = False) -> list[str]:
    """Connect to the cloud's side of a recording, send this, and see what it says about that."""
    problems: list[str] = []
    url = CloudUrl(host=HOST, port=443, tls=True, target="/app-ws")
    async with trio.open_nursery() as nursery:
        cloud = CloudSide(nursery, steps, problems.append, lambda: False)
        cloud.is_stopped = is_stopped
        async with CoreWebSocketConnector(cloud.dial).connect(url, (), timeout=5.0) as transport:
            for text in texts:
                await transport.send(text)
            with suppress(TransportClosedError):
                while True:
                    await transport.receive()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="the test is over")
    return problems


def _differs(steps: list[Step], world: World, differences: Differences) -> bool:
    try:
        return replay(steps, world, differences) != []
    except ExceptionGroup:  # the engine has no such call
        return True


def _ignores_http() -> Difference:
    return Difference(section="-", reason="a test", step={"conn": 2}, ignore=True)


def _told(*, at: float, conn: int) -> Step:
    return Step(source="cloud", target="app", app=BETA, conn=conn, kind="text", message={"type": "x"}, at=at)


def _phone(*, at: float) -> Step:
    message = {"method": "GET", "path": "/glasses-ws", "upgrade": "websocket"}
    return Step(source="glasses", target="cloud", conn=1, kind="http", message=message, at=at)


def _phone_ack(*, at: float) -> Step:
    message = {"type": "connection_ack", "sessionId": USER}
    return Step(source="cloud", target="glasses", conn=1, kind="text", message=message, at=at)


def _called(package_name: str, *, at: float) -> Step:
    message = {"method": "POST", "path": "/webhook", "body": {"type": "session_request"}}
    return Step(source="cloud", target="app", app=package_name, kind="http", message=message, at=at)
