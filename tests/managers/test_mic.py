"""Sound from the microphone, in pieces that are counted (P2 5.2)."""

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import AudioChunk
from tests.scripted_cloud import connected


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
