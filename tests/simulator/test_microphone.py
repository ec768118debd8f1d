"""The wearer's surroundings, through an app: sound as time passes, and voice activity (P2 5)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
import trio

from tests.weaknesses.simulated import PACKAGE, open_simulated

if TYPE_CHECKING:
    from trio.testing import MockClock

    from mentra_trio import MentraSession
    from mentra_trio.models import Recording, VoiceActivity


def tone(seconds: float, level: int) -> bytes:
    """Make a square wave."""
    return struct.pack("<2h", level, -level) * round(seconds * 8000)


async def test_sound_comes_as_time_passes(autojump_clock: MockClock) -> None:
    arrivals: list[float] = []

    async def listen(session: MentraSession) -> None:
        async with session.mic.stream() as sound:
            async for chunk in sound:
                assert len(chunk.data) == 640
                arrivals.append(trio.current_time())

    async with open_simulated(listen) as world:
        await world.cloud.wait_until(lambda: world.user.is_microphone_on)
        begun = trio.current_time()
        await world.user.hear_over_time(tone(0.1, 500), chunk=0.02)
        await trio.sleep(0.01)

        assert [round(at - begun, 3) for at in arrivals] == [0.02, 0.04, 0.06, 0.08, 0.1]


async def test_an_utterance_is_recorded(autojump_clock: MockClock) -> None:
    recordings: list[Recording] = []

    async def listen(session: MentraSession) -> None:
        while session.stop_reason is None:
            recordings.append(await session.mic.record_utterance())

    async with open_simulated(listen) as world:
        await world.cloud.wait_until(lambda: world.user.is_microphone_on)
        for _ in range(2):
            await world.user.hear_over_time(tone(1, 50) + tone(0.7, 5000) + tone(1.5, 50))

        assert [recording.seconds for recording in recordings] == pytest.approx([2.0, 2.0], abs=0.1)


async def test_voice_activity_works_without_anything_else(autojump_clock: MockClock) -> None:
    """P2 5.5, M1: of `VAD` alone the microphone stays off, and the phone tells nothing."""
    changes: list[VoiceActivity] = []

    async def listen(session: MentraSession) -> None:
        async with session.mic.voice_activity.stream() as stream:
            async for change in stream:
                changes.append(change)  # noqa: PERF401 - it is read while it grows

    async with open_simulated(listen) as world:
        await world.user.wait_subscribed(PACKAGE)
        world.user.detect_voice(is_speaking=True)
        await trio.sleep(0.2)
        world.user.detect_voice(is_speaking=True)
        world.user.detect_voice(is_speaking=False)
        await trio.sleep(0.2)

        assert [change.is_speaking for change in changes] == [True, False]
        assert world.cloud.violations == ()
