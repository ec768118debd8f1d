"""Sound from the microphone, in pieces that are counted (P2 5.2)."""

from __future__ import annotations

import io
import math
import struct
import wave
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import AudioChunk
from mentra_trio._voice import UtteranceFinder
from mentra_trio.models import Recording
from mentra_trio.models.session import StopKind, StopReason
from tests.scripted_cloud import Connected, connected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def test_a_chunk_is_what_the_cloud_sent(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.mic.stream() as sound:
        await link.socket.send_audio(b"\x01\x02" * 320)
        chunk = await anext(sound)

    assert isinstance(chunk, AudioChunk)
    assert chunk.data == b"\x01\x02" * 320
    assert chunk.seconds == 0.02
    assert (chunk.sample_rate, chunk.sample_width, chunk.channels, chunk.sequence) == (16_000, 2, 1, 0)
    assert chunk.received_at.tzinfo is not None


async def test_chunks_of_any_length_keep_their_order(autojump_clock: MockClock) -> None:
    sizes = [2, 640, 1280, 16_000, 320]
    async with connected() as link, link.session.mic.stream() as sound:
        for size in sizes:
            await link.socket.send_audio(bytes(size))
        chunks = [await anext(sound) for _ in sizes]

    assert [len(chunk.data) for chunk in chunks] == sizes
    assert [chunk.sequence for chunk in chunks] == [0, 1, 2, 3, 4]


async def test_a_loop_that_does_not_keep_up_misses_the_oldest_chunks(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Old sound is of no use; the hole in the numbers shows it, and one warning."""
    async with connected() as link, link.session.mic.stream() as sound:
        for _ in range(150):
            await link.socket.send_audio(bytes(2))
        await wait_all_tasks_blocked()
        first = await anext(sound)

        assert first.sequence == 50
        assert sound.statistics().dropped == 50
        assert len([record for record in caplog.records if "microphone" in record.getMessage()]) == 1


async def test_sound_without_a_stream_is_counted_and_leaves_a_hole(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.send_audio(bytes(2))
        await wait_all_tasks_blocked()
        async with link.session.mic.stream() as sound:
            await link.socket.send_audio(bytes(2))

            assert (await anext(sound)).sequence == 1
        assert link.session.statistics().unclaimed_events == 1
        assert link.session.statistics().audio_chunks_received == 2


async def test_every_stream_gets_every_chunk(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.mic.stream() as one, link.session.mic.stream() as other:
        await link.socket.send_audio(bytes(2))

        assert (await anext(one)).sequence == (await anext(other)).sequence == 0


async def test_numbers_go_on_over_a_reconnect(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.mic.stream() as sound:
        await link.socket.send_audio(bytes(2))
        await wait_all_tasks_blocked()
        await link.socket.cut()
        socket = await link.next_socket()
        await socket.send_audio(bytes(2))

        assert [(await anext(sound)).sequence for _ in range(2)] == [0, 1]


# Collecting


def tone(seconds: float, level: int) -> bytes:
    """Make sound of a certain loudness: as a square wave, of 16-bit samples."""
    return struct.pack("<2h", level, -level) * round(seconds * 8000)


async def collected(link: Connected, record: Callable[[], Awaitable[Recording]], *pieces: bytes) -> Recording:
    """Record while the cloud sends."""
    found: list[Recording] = []

    async def collect() -> None:
        found.append(await record())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect)
        await wait_all_tasks_blocked()
        for piece in pieces:
            await link.socket.send_audio(piece)
            await wait_all_tasks_blocked()
    return found[0]


async def test_so_many_seconds_are_collected(autojump_clock: MockClock) -> None:
    async with connected() as link:
        sound = tone(0.3, 100)
        recording = await collected(link, lambda: link.session.mic.record(0.5), sound, sound, sound)

        assert recording.data == (sound + sound)[:16_000]
        assert recording.seconds == 0.5
        assert recording.gaps == 0
        assert recording.started_at is not None
        assert not link.session.mic.is_active


async def test_gaps_of_a_recording_are_counted(autojump_clock: MockClock) -> None:
    """A lost connection, which says so, is one gap."""
    async with connected() as link:
        found: list[Recording] = []

        async def collect() -> None:
            found.append(await link.session.mic.record(0.2))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect)
            await wait_all_tasks_blocked()
            await link.socket.send_audio(bytes(3200))
            await wait_all_tasks_blocked()
            await link.socket.cut()
            socket = await link.next_socket()
            await socket.send_audio(bytes(3200))

        assert found[0].gaps == 1
        assert found[0].seconds == 0.2


async def test_a_recording_is_shorter_when_the_session_ends(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        found: list[Recording] = []

        async def collect() -> None:
            found.append(await link.session.mic.record(10))

        nursery.start_soon(collect)
        await wait_all_tasks_blocked()
        await link.socket.send_audio(bytes(3200))
        await wait_all_tasks_blocked()
        link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))

    assert found[0].seconds == 0.1


async def test_a_recording_makes_a_wav_file() -> None:
    recording = Recording(data=b"\x01\x00\x02\x00")
    with wave.open(io.BytesIO(recording.to_wav())) as reader:
        assert (reader.getnchannels(), reader.getsampwidth(), reader.getframerate()) == (1, 2, 16_000)
        assert reader.readframes(10) == b"\x01\x00\x02\x00"
    assert "x01" not in repr(recording)
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan])
async def test_no_time_cannot_be_recorded(autojump_clock: MockClock, seconds: float) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match=r"seconds is .*; pass 0.001 s to a year"):
            await link.session.mic.record(seconds)


QUIET = tone(1.0, 60)
WORD = tone(0.3, 4000) + tone(0.2, 60) + tone(0.3, 3000)


async def test_one_utterance_is_collected(autojump_clock: MockClock) -> None:
    async with connected() as link:
        recording = await collected(link, link.session.mic.record_utterance, QUIET + WORD, QUIET)

    # Half a second before it, the words, and the pause that ends it.
    assert recording.seconds == pytest.approx(0.5 + 0.8 + 0.8, abs=0.05)
    assert WORD in recording.data
    assert recording.gaps == 0


@pytest.mark.parametrize("size", [2, 638, 640, 1280, 5000])
async def test_an_utterance_is_found_in_pieces_of_any_length(autojump_clock: MockClock, size: int) -> None:
    sound = tone(0.4, 60) + WORD + tone(0.5, 60)
    finder = UtteranceFinder(threshold=0.01, before=0.1, pause=0.3, longest=30)
    for start in range(0, len(sound), size):
        finder.feed(sound[start : start + size])
    await trio.lowlevel.checkpoint()

    assert finder.is_over
    assert WORD in finder.sound
    assert len(finder.sound) / 32_000 == pytest.approx(0.1 + 0.8 + 0.3, abs=0.05)


@pytest.mark.parametrize(
    "sound",
    [bytes(64_000), tone(2, 60), tone(2, 8000), (tone(0.02, 8000) + tone(0.3, 60)) * 5],
    ids=["silence", "hiss", "a machine", "clicks"],
)
async def test_what_is_no_speech_is_not_collected(sound: bytes) -> None:
    finder = UtteranceFinder(threshold=0.01, before=0.5, pause=0.8, longest=30)
    finder.feed(sound)
    await trio.lowlevel.checkpoint()

    assert not finder.began
    assert finder.sound == b""


async def test_speech_without_a_pause_is_cut(autojump_clock: MockClock) -> None:
    async with connected() as link:
        recording = await collected(
            link, lambda: link.session.mic.record_utterance(longest=1, before=0), QUIET, *[tone(0.5, 5000)] * 3
        )

    assert recording.seconds == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("options", [{"pause": 0}, {"longest": -1}, {"before": -1}, {"threshold": 1}])
async def test_odd_limits_are_refused(autojump_clock: MockClock, options: dict[str, float]) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match=r"pass .* s to a year|must be"):
            await link.session.mic.record_utterance(**options)


@pytest.mark.parametrize("threshold", ["x", None, True, [0.1]])
async def test_a_threshold_is_a_number(autojump_clock: MockClock, threshold: float) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match=r"threshold is .*; pass a number"):
            await link.session.mic.record_utterance(threshold=threshold)


# Voice activity


async def vad(link: Connected, status: object, **more: object) -> None:
    await link.socket.event("VAD", type="VAD", status=status, **more)
    await wait_all_tasks_blocked()


async def test_voice_activity_switches_the_microphone_on(autojump_clock: MockClock) -> None:
    """P2 5.5, M1: of `VAD` alone the cloud takes no notice."""
    async with connected() as link:
        async with link.session.mic.voice_activity.stream():
            wanted = (await link.socket.expect("subscription_update"))["subscriptions"]
            assert {"VAD", "audio_chunk"} <= set(wanted)
            assert not link.session.mic.is_active
        assert (await link.socket.expect("subscription_update"))["subscriptions"] == ["augmentos:*"]
        async with link.session.mic.voice_activity.stream(sound=False):
            wanted = (await link.socket.expect("subscription_update"))["subscriptions"]

            assert "audio_chunk" not in wanted


@pytest.mark.parametrize(
    ("status", "is_speaking"),
    [(True, True), (False, False), ("true", True), ("FALSE", False), ("TRUE", True), ("", False)],
)
async def test_voice_activity_is_true_or_false(autojump_clock: MockClock, status: object, is_speaking: bool) -> None:
    async with connected() as link, link.session.mic.voice_activity.stream() as changes:
        await vad(link, status, timestamp=1781428353000)
        change = await anext(changes)

        assert change.is_speaking is is_speaking
        assert change.detected_at == datetime(2026, 6, 14, 9, 12, 33, tzinfo=UTC)
        assert link.session.mic.is_speaking is is_speaking


@pytest.mark.parametrize("status", [1, None, {}, []])
async def test_voice_activity_of_another_kind_is_counted(autojump_clock: MockClock, status: object) -> None:
    async with connected() as link, link.session.mic.voice_activity.stream() as changes:
        await vad(link, status)

        assert changes.statistics().received == 0
        assert link.session.statistics().undecodable == 1


async def test_speech_is_over_when_nobody_would_tell_of_its_end(autojump_clock: MockClock) -> None:
    """P2 5.5, M3: the reference keeps the last word for ever."""
    async with connected() as link:
        mic = link.session.mic
        seen: list[bool] = []
        async with mic.voice_activity.stream():
            await vad(link, status=True)
            async with mic.voice_activity.stream():
                pass
            seen.append(mic.is_speaking)
        seen.append(mic.is_speaking)
        async with mic.voice_activity.stream():
            await vad(link, status=True)
            seen.append(mic.is_speaking)
            await link.socket.cut()
            await wait_all_tasks_blocked()
            seen.append(mic.is_speaking)

        assert seen == [True, False, True, False]


async def test_the_app_listens_while_a_stream_of_sound_is_open(autojump_clock: MockClock) -> None:
    async with connected() as link:
        mic = link.session.mic
        seen = [mic.is_active]
        async with mic.stream():
            seen.append(mic.is_active)
        seen.append(mic.is_active)

        assert seen == [False, True, False]
