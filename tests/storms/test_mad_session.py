"""A session whose cloud has gone mad costs only itself: its neighbours keep their events, in time."""

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import MentraSession
from tests.effort import is_soak

from .crowd import CrowdSocket, Town, census, open_town, people

NEIGHBOURS = 100
EVENTS = 50 if is_soak() else 20
PAUSE = 0.1
"""Seconds between two events of a neighbour."""
MAD = "mad@example.com"
_MOST_RECORDS = 100
"""Warnings that a mad session may log: it must not fill the disk."""
DEEP = 100_000
HUGE = 8 * 2**20
MANY = 20_000 if is_soak() else 3_000
Frame = str | bytes


def event(stream: object, data: object) -> str:
    return json.dumps({"type": "data_stream", "streamType": stream, "data": data})


def flood_of_speech(_: Random) -> Sequence[Frame]:
    return [
        event("transcription:en-US", {"type": "transcription", "text": f"word {n}", "isFinal": n % 3 == 0})
        for n in range(MANY)
    ]


def flood_of_names(_: Random) -> Sequence[Frame]:
    return [event(f"transcription:x{n}?" + "y" * (n % 600), {"text": n}) for n in range(MANY)]


def flood_of_types(_: Random) -> Sequence[Frame]:
    return [json.dumps({"type": f"unknown {n}", "n": n}) for n in range(MANY)]


def flood_of_presses(_: Random) -> Sequence[Frame]:
    return [event("button_press", {"type": "button_press", "number": n}) for n in range(MANY)]


def flood_of_pings(_: Random) -> Sequence[Frame]:
    return ['{"type": "ping"}'] * MANY


def flood_of_sound(_: Random) -> Sequence[Frame]:
    return [b"\0" * (n % 7) for n in range(MANY)]


def flood_of_acks(_: Random) -> Sequence[Frame]:
    return ['{"type": "tpa_connection_ack"}', '{"type": "reconnect_ack"}'] * (MANY // 2)


def flood_of_settings(_: Random) -> Sequence[Frame]:
    return [
        json.dumps({"type": "settings_update", "settings": [{"key": f"k{n}", "value": n}]}) for n in range(MANY // 10)
    ]


def huge_frames(_: Random) -> Sequence[Frame]:
    return [
        event("transcription:en-US", {"text": "x" * HUGE}),
        json.dumps({"type": "y" * HUGE}),
        json.dumps({"type": "device_state_update", "state": {"modelName": "z" * HUGE}}),
        event("s" * HUGE, {}),
        bytes(HUGE),
        "n" * HUGE,
    ]


def no_json(_: Random) -> Sequence[Frame]:
    return ["", " ", "{", "}", "nonsense", "\0", '{"type":}', "\ufeff{}", '{"type": "ping"} x', "NaN", "[1,2", "'"] * 20


def deep_nesting(_: Random) -> Sequence[Frame]:
    return [
        "[" * DEEP,
        "[" * DEEP + "]" * DEEP,
        '{"a":' * DEEP,
        '{"type":"data_stream","streamType":"x","data":' + "[" * DEEP + "]" * DEEP + "}",
        '{"type":"settings_update","settings":' + "[" * DEEP + "]" * DEEP + "}",
    ]


def odd_numbers(_: Random) -> Sequence[Frame]:
    return [
        '{"type": "pong", "timestamp": ' + "9" * 10_000 + "}",
        '{"type": "device_state_update", "state": {"batteryLevel": 1e999}}',
        '{"type": "device_state_update", "state": {"batteryLevel": NaN}}',
        '{"type": "reconnect_deferred", "timeoutMs": -1e308}',
        '{"type": "data_stream", "streamType": "\\ud800", "data": "\\udfff"}',
    ]


VALUES: list[object] = [None, True, 0, -1, 1.5, "", "x", "2026", [], [1], {}, {"a": 1}, [[]], [None], {"type": []}]
TYPES = [
    *["data_stream", "settings_update", "augmentos_settings_update", "capabilities_update", "device_state_update"],
    *["permission_error", "pong", "ping", "tpa_connection_ack", "reconnect_ack", "stream_status", "photo_response"],
]
FIELDS = [
    "streamType",
    "data",
    "settings",
    "state",
    "capabilities",
    "sessionId",
    "timestamp",
    "details",
    "fullSnapshot",
]


def wrong_types(random: Random) -> Sequence[Frame]:
    return [
        json.dumps({"type": random.choice(TYPES), **{name: random.choice(VALUES) for name in FIELDS}})
        for _ in range(MANY // 3)
    ] + [json.dumps(value) for value in VALUES]


def garbage(random: Random) -> Sequence[Frame]:
    return [random.randbytes(random.randrange(200)) for _ in range(MANY)]


def lost_its_mind(random: Random) -> Sequence[Frame]:
    """Control messages that make no sense where they stand, but end nothing."""
    frames = [
        '{"type": "reconnect_deferred", "timeoutMs": 5}',
        '{"type": "tpa_connection_error", "code": "INTERNAL_ERROR", "message": "x"}',
        '{"type": "tpa_connection_error", "code": 5}',
        '{"type": "tpa_connection_ack", "settings": 3}',
        '{"type": "reconnect_ack"}',
    ]
    return [random.choice(frames) for _ in range(MANY // 3)] + ['{"type": "tpa_connection_ack"}']


def the_end(random: Random) -> Sequence[Frame]:
    """Control messages that end the session, in the middle of everything else."""
    return [
        *flood_of_presses(random)[:100],
        random.choice(['{"type": "app_stopped"}', '{"type": "reconnect_rejected", "code": "NOT_RUNNING"}']),
        *flood_of_presses(random)[:100],
    ]


MADNESS: list[Callable[[Random], Sequence[Frame]]] = [
    *[flood_of_speech, flood_of_names, flood_of_types, flood_of_presses, flood_of_pings, flood_of_sound],
    *[flood_of_acks, flood_of_settings, huge_frames, no_json, deep_nesting, odd_numbers, wrong_types, garbage],
    *[lost_its_mind, the_end],
]


class Neighbourhood:
    """The handlers of everybody, and what they noted."""

    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[float, int]]] = {}

    async def handle(self, session: MentraSession) -> None:
        heard = self.heard.setdefault(session.user_id, [])
        async with trio.open_nursery() as nursery:
            if session.user_id == MAD:
                nursery.start_soon(self._listen_to_all, session)
            async with session.raw.stream("button_press") as presses:
                async for press in presses:
                    if session.user_id != MAD:
                        number = int(str(cast("Mapping[str, object]", press.data)["number"]))
                        heard.append((trio.current_time(), number))
                        await session.display.show_text_wall(str(number))

    async def _listen_to_all(self, session: MentraSession) -> None:
        """Open all there is, so that nothing is spared, and read none of it."""
        async with (
            session.mic.stream(),
            session.transcription.stream("en"),
            session.device.buttons.stream(),
            session.settings.stream(),
            session.raw.messages(),
        ):
            await trio.sleep_forever()


async def live(sockets: list[CrowdSocket]) -> None:
    """Let something happen to everybody in turn."""
    for number in range(EVENTS):
        for socket in sockets:
            socket.tell(event("button_press", {"type": "button_press", "number": number}))
        await trio.sleep(PAUSE)


async def rave(town: Town, frames: Sequence[Frame]) -> None:
    """Send it all, some in each pause of the others."""
    share = math.ceil(len(frames) / EVENTS)
    for first in range(0, len(frames), share):
        for frame in frames[first : first + share]:
            town.crowd.sockets[MAD].tell(frame)
        await trio.sleep(PAUSE / 2)


@pytest.mark.slow
@pytest.mark.parametrize("madness", MADNESS, ids=lambda madness: madness.__name__)
async def test_a_mad_session_costs_only_itself(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, madness: Callable[[Random], Sequence[Frame]]
) -> None:
    here = Neighbourhood()
    neighbours = people(NEIGHBOURS, "neighbour")
    async with open_town(here.handle) as town:
        await town.start([MAD, *neighbours])
        await wait_all_tasks_blocked()
        sockets = [town.crowd.sockets[user] for user in neighbours]
        caplog.clear()
        began_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live, sockets)
            nursery.start_soon(rave, town, madness(Random(0)))
        await trio.sleep(1)

        # Each event in the moment in which it was sent, in order, and what was shown for the last one.
        due = [pytest.approx(began_at + number * PAUSE) for number in range(EVENTS)]
        for user, socket in zip(neighbours, sockets, strict=True):
            assert [number for _, number in here.heard[user]] == list(range(EVENTS))
            assert [at for at, _ in here.heard[user]] == due
            assert socket.end is None
            assert socket.last_displayed == str(EVENTS - 1)
            assert town.sessions[user].connections == 1
        assert len(caplog.records) <= _MOST_RECORDS
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
        assert all(len(record.getMessage()) <= 1000 for record in caplog.records)
        # It bears it all itself, but for the end.
        assert (town.sessions[MAD].stop_reason is None) is (madness is not the_end)
        await town.stop(MAD)
        await trio.sleep(10)
        assert MAD not in {session.user_id for session in town.sessions.values() if session.stop_reason is None}


@pytest.mark.slow
async def test_what_a_mad_session_took_is_given_back(autojump_clock: MockClock) -> None:
    here = Neighbourhood()
    async with open_town(here.handle) as town:

        async def go_mad() -> None:
            await town.start([MAD])
            await wait_all_tasks_blocked()
            for madness in (flood_of_names, flood_of_types, flood_of_speech, wrong_types, garbage):
                for frame in madness(Random(0)):
                    town.crowd.sockets[MAD].tell(frame)
                await trio.sleep(1)
            await town.stop(MAD)
            await trio.sleep(10)
            del town.sessions[MAD], town.crowd.sockets[MAD]
            town.crowd.dials.clear()

        await go_mad()  # what is made once for all sessions
        before = await census()
        await go_mad()
        after = await census()

        assert after.tasks == before.tasks
        assert after.deadlines == before.deadlines
        assert {name: count for name, count in after.growth(before).items() if name.startswith("mentra_trio")} == {}
        assert sum(after.growth(before).values()) < 200
