"""After the network has stood still, everything comes at once. A loop that is not slow loses none of it."""

import json

import trio
from trio.testing import MockClock

from tests.scripted_cloud import connected


def transcript(number: int, *, final: bool) -> str:
    data = {"type": "transcription", "text": str(number), "isFinal": final, "utteranceId": f"u{number}"}
    return json.dumps({"type": "data_stream", "streamType": "transcription:en-US", "data": data})


async def test_a_burst_of_speech_is_heard_word_for_word(autojump_clock: MockClock) -> None:
    """A stream holds 256 transcripts; one read of the socket may bring more."""
    count = 1000
    async with connected() as link, link.session.transcription.stream("en-US") as speech:
        await link.socket.send_at_once(transcript(number, final=True) for number in range(count))
        with trio.fail_after(1):
            heard: list[str] = []
            async for line in speech:
                heard.append(line.text)
                if len(heard) == count:
                    break
        assert heard == [str(number) for number in range(count)]
        assert speech.statistics().dropped == 0


async def test_a_burst_of_sound_is_heard_without_a_gap(autojump_clock: MockClock) -> None:
    """A stream holds 100 chunks, two seconds and more; after a longer pause more come at once."""
    count = 500
    async with connected() as link, link.session.mic.stream() as chunks:
        await link.socket.send_at_once(number.to_bytes(2, "big") * 320 for number in range(count))
        with trio.fail_after(1):
            heard: list[int] = []
            async for chunk in chunks:
                heard.append(chunk.sequence)
                if len(heard) == count:
                    break
        assert heard == list(range(count))
        assert chunks.statistics().dropped == 0


async def test_a_flood_in_one_session_lets_others_breathe(autojump_clock: MockClock) -> None:
    """The task that reads a socket visits the scheduler while it works through a burst."""
    async with connected() as link, link.session.transcription.stream("en-US"):
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count_turns)
            await trio.lowlevel.checkpoint()
            before = turns
            await link.socket.send_at_once(transcript(number, final=False) for number in range(1000))
            while link.session.statistics().messages_received < 1000:  # noqa: ASYNC110 - turns are what is counted
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert turns - before >= 1000 // 32
