"""Sound that is heard while it is made (P3 4.6): opening, feeding, lost relays, PCM, and every end."""

import math
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import (
    AudioFormat,
    ConfigError,
    DeviceUnavailableError,
    LinkDownError,
    Playback,
    PlaybackError,
    RequestTimedOutError,
    SessionClosedError,
    SessionConfig,
    StopKind,
    StopReason,
)
from mentra_trio._mp3 import Mp3Encoder
from mentra_trio._net.transport import CloudUrl
from mentra_trio._wire.audio_frames import unpack
from mentra_trio.errors import DecodeError
from mentra_trio.managers.speaker import SpeakerStream
from tests.scripted_cloud import OTHER_HOST, CloudSocket, Connected, Json, connected

CLAIM = 0.45
DING = "https://cdn.example.com/ding.mp3"


def relay_url(stream_id: str) -> str:
    return f"https://cloud.example.com/api/audio/stream/ana/{stream_id}"


async def make_relay(socket: CloudSocket) -> tuple[str, Json]:
    """Take the order for a relay, make it, and take the order to play it."""
    start = await socket.expect("audio_stream_start")
    assert start["contentType"] == "audio/mpeg"
    stream_id: str = start["streamId"]
    await socket.send("audio_stream_ready", streamId=stream_id, streamUrl=relay_url(stream_id))
    return stream_id, await socket.expect("audio_play_request")


async def heard(socket: CloudSocket, stream_id: str) -> bytes:
    """Take the next frame of sound, which must be of this stream."""
    unpacked = unpack((await socket.expect("binary"))["frame"])
    assert unpacked is not None
    assert unpacked[0] == stream_id
    return unpacked[1]


def all_heard(socket: CloudSocket) -> list[tuple[str, bytes]]:
    """Take all frames of sound that have arrived; nothing else may have."""
    return [unpacked for message in socket.unread() if (unpacked := unpack(message["frame"])) is not None]


@attrs.frozen
class Opened:
    """An open stream."""

    link: Connected
    sound: SpeakerStream
    stream_id: str
    play: Json
    """What the phone was told."""

    @property
    def socket(self) -> CloudSocket:
        return self.link.socket


@asynccontextmanager
async def opened(*, config: SessionConfig | None = None, **options: object) -> AsyncGenerator[Opened, None]:
    """Open a stream, and close it at the end."""
    async with connected(config=config) as link, trio.open_nursery() as nursery:
        found: list[tuple[str, Json]] = []

        async def serve() -> None:
            found.append(await make_relay(link.socket))

        nursery.start_soon(serve)  # noqa: ASYNC113 - opening waits for it
        async with link.session.speaker.open_stream(**options) as sound:  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (options of many types)
            await wait_all_tasks_blocked()
            yield Opened(link, sound, *found[0])


def pcm(samples: int, channels: int = 1) -> bytes:
    """A tone."""
    return b"".join(struct.pack("<h", round(8000 * math.sin(n / 8))) * channels for n in range(samples))


# --- opening


async def test_opening_makes_a_relay_and_tells_the_phone(autojump_clock: MockClock) -> None:
    async with opened(volume=0.5, stop_other_audio=False) as stream:
        assert trio.current_time() == 0
        assert stream.play["requestId"] == f"stream_{stream.stream_id}"
        assert stream.play["audioUrl"] == relay_url(stream.stream_id)
        assert (stream.play["volume"], stream.play["stopOtherAudio"]) == (0.5, False)
        assert stream.stream_id == stream.stream_id.lower()
        assert stream.sound.is_open


async def test_a_cloud_that_does_not_answer_is_a_timeout_and_what_was_begun_is_ended(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(RequestTimedOutError):
            async with link.session.speaker.open_stream():
                pytest.fail("it was never ready")
        assert trio.current_time() == 10
        start = await link.socket.expect("audio_stream_start")

        assert (await link.socket.expect("audio_stream_end"))["streamId"] == start["streamId"]


async def test_a_ready_relay_without_an_address_cannot_be_used(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:

        async def serve() -> None:
            start = await link.socket.expect("audio_stream_start")
            await link.socket.send("audio_stream_ready", streamId=start["streamId"])

        nursery.start_soon(serve)
        with pytest.raises(DecodeError, match="streamUrl"):
            async with link.session.speaker.open_stream():
                pytest.fail("there is no address")
        await link.socket.expect("audio_stream_end")


async def test_a_phone_that_is_away_fails_the_stream(autojump_clock: MockClock) -> None:
    """The cloud makes the relay all the same; only the play request is refused."""
    async with opened() as stream:
        await stream.socket.send("tpa_connection_error", code="INTERNAL_ERROR", message="Glasses not connected")
        await wait_all_tasks_blocked()
        with pytest.raises(DeviceUnavailableError):
            await stream.sound.write(b"x")
        with pytest.raises(DeviceUnavailableError):
            await stream.sound.finish()


async def test_a_cancelled_opening_ends_what_was_begun(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with trio.move_on_after(1):
            async with link.session.speaker.open_stream():
                pytest.fail("it was never ready")
        await wait_all_tasks_blocked()

        assert [message["type"] for message in link.socket.unread()] == ["audio_stream_start", "audio_stream_end"]


async def test_an_opening_that_was_not_sent_yet_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        with trio.move_on_after(1):
            async with link.session.speaker.open_stream():
                pytest.fail("there is no link")
        await socket.ack()
        await wait_all_tasks_blocked()

        assert [message["type"] for message in socket.unread()] == ["subscription_update"]


async def test_one_stream_at_a_time_also_while_the_first_is_being_opened(autojump_clock: MockClock) -> None:
    """The reference lets both pass then, and nobody hears the first one (P3 4.7)."""
    async with connected() as link, trio.open_nursery() as nursery:
        opening = trio.CancelScope()

        async def open_first() -> None:
            with opening:
                async with link.session.speaker.open_stream():
                    pytest.fail("it was never ready")

        nursery.start_soon(open_first)
        await link.socket.expect("audio_stream_start")
        with pytest.raises(trio.BusyResourceError):
            async with link.session.speaker.open_stream():
                pytest.fail("there is another one")
        opening.cancel()
        await link.socket.expect("audio_stream_end")
        nursery.start_soon(make_relay, link.socket)
        async with link.session.speaker.open_stream():
            with pytest.raises(trio.BusyResourceError):
                async with link.session.speaker.open_stream():
                    pytest.fail("there is another one")


async def test_after_its_end_another_one_can_be_opened_inside_its_block(autojump_clock: MockClock) -> None:
    async with opened() as stream:
        await stream.sound.end()
        await stream.socket.expect("audio_stream_end")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(make_relay, stream.socket)
            async with stream.link.session.speaker.open_stream() as second:
                assert second.is_open


# --- writing


async def test_the_first_sound_waits_for_the_phone_and_the_others_do_not(autojump_clock: MockClock) -> None:
    """Sound that comes first makes the cloud ask the phone twice (P3 4.7)."""
    async with opened() as stream:
        with assert_checkpoints():
            await stream.sound.write(b"one")
        assert trio.current_time() == CLAIM
        await stream.sound.write(bytearray(b"two"))
        await stream.sound.write(memoryview(b"three"))
        assert trio.current_time() == CLAIM
        assert [await heard(stream.socket, stream.stream_id) for _ in range(3)] == [b"one", b"two", b"three"]


async def test_sound_that_comes_later_is_not_held_back(autojump_clock: MockClock) -> None:
    async with opened() as stream:
        await trio.sleep(2)
        await stream.sound.write(b"one")

        assert trio.current_time() == 2


async def test_no_data_is_no_frame(autojump_clock: MockClock) -> None:
    async with opened() as stream:
        with assert_checkpoints():
            await stream.sound.write(b"")
        await wait_all_tasks_blocked()

        assert stream.socket.unread() == []


async def test_much_data_goes_in_pieces_and_nothing_is_lost(autojump_clock: MockClock) -> None:
    """So that pings get between on a slow network."""
    data = bytes(31 * n % 256 for n in range(100_000))
    async with opened() as stream:
        await stream.sound.write(data)
        await wait_all_tasks_blocked()
        frames = all_heard(stream.socket)

    assert b"".join(piece for _, piece in frames) == data
    assert max(len(piece) for _, piece in frames) <= 32 * 1024


async def test_no_more_is_sent_at_once_than_the_cloud_keeps_for_a_phone_that_is_not_there(
    autojump_clock: MockClock,
) -> None:
    """It keeps 2 MiB for 10 s, drops the oldest, and never says whether the phone is there (P3 4.6)."""
    kept, seconds = 2 * 2**20, 10
    sent: list[tuple[float, int]] = []
    async with opened() as stream, trio.open_nursery() as nursery:

        async def listen() -> None:
            while True:
                sent.append((0.0, len(await heard(stream.socket, stream.stream_id))))
                sent[-1] = (trio.current_time(), sent[-1][1])

        nursery.start_soon(listen)
        await stream.sound.write(bytes(2**20))
        assert trio.current_time() == CLAIM
        await stream.sound.write(bytes(3 * 2**20))
        assert trio.current_time() == pytest.approx(CLAIM + 48)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert sum(size for _, size in sent) == 4 * 2**20
    windows = [sum(size for at, size in sent if begin <= at <= begin + seconds) for begin, _ in sent]
    assert max(windows) <= 0.9 * kept


async def test_a_stop_ends_a_write_that_waits_for_the_cloud(autojump_clock: MockClock) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        failures: list[PlaybackError] = []

        async def pour() -> None:
            with pytest.raises(PlaybackError) as caught:
                await stream.sound.write(bytes(3 * 2**20))
            failures.append(caught.value)

        nursery.start_soon(pour)
        await trio.sleep(5)
        await stream.link.session.speaker.stop()
        await trio.sleep(1)

        assert [failure.is_interrupted for failure in failures] == [True]


@pytest.mark.parametrize("wrong", [1000, [1, 2], "abc", None])
async def test_what_is_no_bytes_is_refused(autojump_clock: MockClock, wrong: object) -> None:
    """`bytes(1000)` are a thousand zeros."""
    async with opened() as stream:
        with pytest.raises(TypeError, match=r"data is .*; pass bytes"):
            await stream.sound.write(wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (what is tested)
        await wait_all_tasks_blocked()

        assert stream.socket.unread() == []


async def test_write_feels_a_network_that_does_not_take_more(autojump_clock: MockClock) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        written: list[int] = []

        async def pour() -> None:
            for number in range(100):
                await stream.sound.write(bytes([number]))
                written.append(number)

        await stream.sound.write(b"first")
        await stream.socket.expect("binary")
        stream.socket.line.block()
        nursery.start_soon(pour)
        await trio.sleep(5)
        assert written == [0]  # the writer has taken one, and is stuck with it
        stream.socket.line.unblock()
        await wait_all_tasks_blocked()

        assert written == list(range(100))
        assert [piece for _, piece in all_heard(stream.socket)] == [bytes([number]) for number in range(100)]


async def test_writes_of_several_tasks_do_not_mix(autojump_clock: MockClock) -> None:
    async with opened() as stream:
        async with trio.open_nursery() as nursery:
            for letter in (b"a", b"b"):
                nursery.start_soon(stream.sound.write, letter * 70_000)
        await wait_all_tasks_blocked()
        frames = b"".join(piece for _, piece in all_heard(stream.socket))

    assert frames in (b"a" * 70_000 + b"b" * 70_000, b"b" * 70_000 + b"a" * 70_000)


async def test_a_full_queue_of_other_commands_is_an_error(autojump_clock: MockClock) -> None:
    async with opened(config=SessionConfig(queue_capacity=1)) as stream:
        stream.socket.line.block()
        for _ in range(2):
            await stream.link.session.raw.send("x")
            await wait_all_tasks_blocked()
        with pytest.raises(LinkDownError):
            await stream.sound.write(b"one")
        stream.socket.line.unblock()


async def test_a_cancelled_write_sends_nothing_later(autojump_clock: MockClock) -> None:
    async with opened() as stream:
        with trio.move_on_after(0.1):
            await stream.sound.write(b"early")
        await stream.sound.write(b"one")
        await wait_all_tasks_blocked()  # a write returns when its frame is taken, which is before it is written
        stream.socket.line.block()
        await stream.sound.write(b"stuck")
        with trio.move_on_after(1):
            await stream.sound.write(b"late")
        stream.socket.line.unblock()
        await wait_all_tasks_blocked()

        assert [piece for _, piece in all_heard(stream.socket)] == [b"one", b"stuck"]


# --- ends


async def test_leaving_the_block_ends_the_stream(autojump_clock: MockClock) -> None:
    async with opened() as stream:
        await stream.sound.write(b"one")
    assert not stream.sound.is_open
    await heard(stream.socket, stream.stream_id)
    assert (await stream.socket.expect("audio_stream_end"))["streamId"] == stream.stream_id


async def test_end_can_be_called_twice_and_nothing_can_be_written_then(autojump_clock: MockClock) -> None:
    async with opened() as stream:
        for _ in range(2):
            with assert_checkpoints():
                await stream.sound.end()
        with pytest.raises(trio.ClosedResourceError):
            await stream.sound.write(b"late")
        await wait_all_tasks_blocked()

        assert [message["type"] for message in stream.socket.unread()] == ["audio_stream_end"]


async def test_two_tasks_may_end_it_at_once(autojump_clock: MockClock) -> None:
    async with opened(format=AudioFormat.PCM16) as stream:
        await stream.sound.write(pcm(4800))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.sound.end)
            nursery.start_soon(stream.sound.end)
        await wait_all_tasks_blocked()

        assert [message["type"] for message in stream.socket.unread()].count("audio_stream_end") == 1


async def test_an_exception_of_the_block_ends_the_stream_and_leaves_unwrapped(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        nursery.start_soon(make_relay, link.socket)
        with pytest.raises(ZeroDivisionError):
            async with link.session.speaker.open_stream():
                raise ZeroDivisionError
        await link.socket.expect("audio_stream_end")


async def test_a_cancelled_block_ends_the_stream(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        nursery.start_soon(make_relay, link.socket)
        with trio.move_on_after(3):
            async with link.session.speaker.open_stream():
                await trio.sleep_forever()
        await link.socket.expect("audio_stream_end")


async def test_a_session_that_ends_ends_the_stream_while_the_link_is_up(autojump_clock: MockClock) -> None:
    """The reference closes the socket first, so the cloud never learns of the end (P3 4.7)."""
    async with opened() as stream:
        stream.link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))
        await wait_all_tasks_blocked()
        await stream.socket.expect("audio_stream_end")
        with pytest.raises(SessionClosedError):
            await stream.sound.write(b"late")
    await wait_all_tasks_blocked()
    assert stream.socket.unread() == []


@pytest.mark.parametrize("ticks", range(8))
async def test_a_session_that_ends_while_a_stream_opens_ends_the_opening(autojump_clock: MockClock, ticks: int) -> None:
    """Whenever that is, also when the phone is about to be told."""
    async with connected() as link, trio.open_nursery() as nursery:

        async def end() -> None:
            start = await link.socket.expect("audio_stream_start")
            await link.socket.send("audio_stream_ready", streamId=start["streamId"], streamUrl=relay_url("1"))
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))

        async def sing() -> None:
            async with link.session.speaker.open_stream() as sound:
                await sound.write(b"sound")
                await sound.write(b"more")

        nursery.start_soon(end)
        with trio.fail_after(1), pytest.raises(SessionClosedError):
            await sing()


@pytest.mark.parametrize(("is_left", "error"), [(True, trio.ClosedResourceError), (False, PlaybackError)])
async def test_an_end_reaches_a_write_that_opens_another_stream(
    autojump_clock: MockClock, is_left: bool, error: type[Exception]
) -> None:
    """The end of the block, which a task outside of it may outlive, and a stop of this app."""
    errors: list[type[Exception]] = []
    async with connected() as link, trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = 120

        async def write(sound: SpeakerStream) -> None:
            try:
                await sound.write(b"more")
            except (trio.ClosedResourceError, PlaybackError) as ended:
                errors.append(type(ended))

        leaving = trio.CancelScope()

        async def end() -> None:
            start = await link.socket.expect("audio_stream_start")
            if is_left:
                leaving.cancel()
            else:
                await link.session.speaker.stop()
            await wait_all_tasks_blocked()
            await link.socket.send("audio_stream_ready", streamId=start["streamId"], streamUrl=relay_url("2"))
            leaving.cancel()

        nursery.start_soon(make_relay, link.socket)
        with leaving:
            async with link.session.speaker.open_stream() as sound:
                await sound.write(b"sound")
                await trio.sleep(60)
                link.socket.unread()
                nursery.start_soon(write, sound)  # noqa: ASYNC111 - that it outlives the block is what is tried
                nursery.start_soon(end)
                await trio.sleep(1)
    assert errors == [error]


async def test_finish_waits_until_the_phone_has_played_it(autojump_clock: MockClock) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        await stream.sound.write(b"one")

        async def play_on() -> None:
            await heard(stream.socket, stream.stream_id)
            await stream.socket.expect("audio_stream_end")
            await trio.sleep(4)
            await stream.socket.send(
                "audio_play_response", requestId=stream.play["requestId"], success=True, duration=4200
            )

        nursery.start_soon(play_on)
        assert await stream.sound.finish() == Playback(duration=4.2)
        assert trio.current_time() == CLAIM + 4


async def test_finish_tells_that_the_phone_failed_or_was_early_or_never_spoke(autojump_clock: MockClock) -> None:
    async with opened() as stream:
        await stream.socket.send("audio_play_response", requestId=stream.play["requestId"], success=False, error="no")
        await wait_all_tasks_blocked()
        with pytest.raises(PlaybackError, match="no"):
            await stream.sound.finish()
    async with opened() as stream:
        await stream.socket.send("audio_play_response", requestId=stream.play["requestId"], success=True, duration=1)
        await wait_all_tasks_blocked()
        assert await stream.sound.finish() == Playback(duration=0.001, is_interrupted=True)
    async with opened() as stream:
        begin = trio.current_time()
        with pytest.raises(RequestTimedOutError):
            await stream.sound.finish()
        assert trio.current_time() == begin + 600


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_a_word_of_the_end_that_comes_too_early_is_not_believed(
    autojump_clock: MockClock, *, is_stopped: bool
) -> None:
    """A phone that comes late is asked twice, and says then that the first sound has ended (P3 4.4, 4.7)."""
    async with opened(format=AudioFormat.PCM16) as stream, trio.open_nursery() as nursery:
        results: list[tuple[float, Playback]] = []

        async def finish() -> None:
            results.append((trio.current_time(), await stream.sound.finish()))
            results[-1] = (trio.current_time(), results[-1][1])

        await stream.sound.write(pcm(72_000))
        nursery.start_soon(finish)
        await stream.socket.send("audio_play_response", requestId=stream.play["requestId"], success=True, duration=450)
        await trio.sleep(1)
        assert results == []
        if is_stopped:
            await stream.link.session.speaker.stop()
        await trio.sleep(5)

        assert results == [(CLAIM + (1 if is_stopped else 3), Playback(duration=None, is_interrupted=is_stopped))]


async def test_a_word_of_an_early_end_is_believed_when_the_phone_was_not_asked_again(
    autojump_clock: MockClock,
) -> None:
    """A phone that could not load it says so, and one that another app has taken ends it in the middle."""
    for after, success in ((1.0, False), (5.0, True)):
        async with opened(format=AudioFormat.PCM16) as stream, trio.open_nursery() as nursery:
            begin = trio.current_time()

            async def answer(stream: Opened = stream, after: float = after, *, success: bool = success) -> None:
                await trio.sleep(CLAIM + after)
                fields: Json = {"success": success, "duration": 5000, "error": "went idle"}
                await stream.socket.send("audio_play_response", requestId=stream.play["requestId"], **fields)

            nursery.start_soon(answer)
            await stream.sound.write(pcm(240_000))
            if success:
                assert await stream.sound.finish() == Playback(duration=5.0)
            else:
                with pytest.raises(PlaybackError, match="went idle"):
                    await stream.sound.finish()
            assert trio.current_time() == pytest.approx(begin + CLAIM + after)


async def test_a_phone_that_says_it_has_ended_does_not_end_the_stream(autojump_clock: MockClock) -> None:
    """After a pause of seconds the phone says so, and the cloud has it come back with the next sound (P3 4.4, 4.6)."""
    async with opened() as stream:
        await stream.socket.send("audio_play_response", requestId=stream.play["requestId"], success=False, error="idle")
        await wait_all_tasks_blocked()
        await stream.sound.write(b"one")

        assert await heard(stream.socket, stream.stream_id) == b"one"


async def test_a_newer_play_ends_the_stream(autojump_clock: MockClock) -> None:
    """Else the next write would make the cloud have the stream played again (P3 4.6)."""
    async with opened() as stream, trio.open_nursery() as nursery:
        await stream.sound.write(b"one")
        await stream.socket.expect("binary")
        nursery.start_soon(stream.link.session.speaker.play, DING)
        message = await stream.socket.expect("audio_play_request")
        await stream.socket.expect("audio_stream_end")
        assert not stream.sound.is_open
        with pytest.raises(PlaybackError) as caught:
            await stream.sound.write(b"two")
        assert caught.value.is_interrupted
        assert await stream.sound.finish() == Playback(duration=None, is_interrupted=True)
        await stream.socket.send("audio_play_response", requestId=message["requestId"], success=True)
    assert stream.socket.unread() == []


async def test_stop_ends_the_stream_first(autojump_clock: MockClock) -> None:
    async with opened() as stream:
        await stream.link.session.speaker.stop()
        await stream.socket.expect("audio_stream_end")
        await stream.socket.expect("audio_stop_request")
        with pytest.raises(PlaybackError):
            await stream.sound.write(b"two")
    await wait_all_tasks_blocked()
    assert stream.socket.unread() == []


async def test_stop_reaches_a_stream_that_has_ended_and_is_still_heard(autojump_clock: MockClock) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        results: list[Playback] = []

        async def finish() -> None:
            results.append(await stream.sound.finish())

        nursery.start_soon(finish)
        await stream.socket.expect("audio_stream_end")
        await trio.sleep(1)
        await stream.link.session.speaker.stop()
        await wait_all_tasks_blocked()

        assert results == [Playback(duration=None, is_interrupted=True)]


async def test_a_stop_while_a_stream_is_opened_fails_the_opening(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:

        async def serve() -> None:
            start = await link.socket.expect("audio_stream_start")
            await link.session.speaker.stop()
            await link.socket.send("audio_stream_ready", streamId=start["streamId"], streamUrl="https://x.example.com")

        nursery.start_soon(serve)
        with pytest.raises(PlaybackError):
            async with link.session.speaker.open_stream():
                pytest.fail("it was stopped")
        assert "audio_stream_end" in [message["type"] for message in link.socket.unread()]


async def test_a_stream_interrupts_what_plays_once_the_phone_was_told(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        results: list[tuple[float, Playback]] = []

        async def play() -> None:
            results.append((trio.current_time(), await link.session.speaker.play(DING)))

        async def serve() -> None:
            start = await link.socket.expect("audio_stream_start")
            await trio.sleep(2)
            assert results == []
            stream_id = start["streamId"]
            await link.socket.send("audio_stream_ready", streamId=stream_id, streamUrl=relay_url(stream_id))

        nursery.start_soon(play)
        await link.socket.expect("audio_play_request")
        nursery.start_soon(serve)
        async with link.session.speaker.open_stream():
            await wait_all_tasks_blocked()

            assert results == [(0, Playback(duration=2.0, is_interrupted=True))]


async def has_played(stream: Opened) -> None:
    """Tell that the phone has come to the end."""
    await stream.socket.send("audio_play_response", requestId=stream.play["requestId"], success=True, duration=1500)
    await wait_all_tasks_blocked()


# --- lost links and lost relays


async def test_sound_goes_on_over_the_next_socket(autojump_clock: MockClock) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        await stream.sound.write(b"one")
        await stream.socket.cut()
        socket = await stream.link.cloud.accept()
        await socket.open()
        nursery.start_soon(stream.sound.write, b"two")
        await trio.sleep(3)
        await socket.ack()
        await socket.expect("subscription_update")

        assert await heard(socket, stream.stream_id) == b"two"


async def test_after_a_minute_of_silence_the_next_sound_goes_on_a_new_stream(autojump_clock: MockClock) -> None:
    """The cloud gives a silent one up, and tells nobody (P3 4.6)."""
    async with opened() as stream, trio.open_nursery() as nursery:
        await stream.sound.write(b"one")
        await trio.sleep(54)
        await stream.sound.write(b"two")
        await wait_all_tasks_blocked()
        assert [len(all_heard(stream.socket)), trio.current_time()] == [2, CLAIM + 54]
        await trio.sleep(55)
        begin = trio.current_time()
        nursery.start_soon(stream.sound.write, b"three")
        assert (await stream.socket.expect("audio_stream_end"))["streamId"] == stream.stream_id
        stream_id, play = await make_relay(stream.socket)

        assert stream_id != stream.stream_id
        assert play["audioUrl"] == relay_url(stream_id)
        assert await heard(stream.socket, stream_id) == b"three"
        assert trio.current_time() == begin + CLAIM
        assert stream.sound.is_open


async def test_a_silent_stream_is_ended_before_the_cloud_would_cut_off_what_is_still_heard(
    autojump_clock: MockClock,
) -> None:
    """P3 4.6: the cloud drops what the phone has not fetched when it gives a stream up, not when the app ends it."""
    async with opened() as stream:
        await stream.sound.write(bytes(2**20))  # a minute at 128 kbit/s
        await trio.sleep(54)
        assert "audio_stream_end" not in [message["type"] for message in stream.socket.unread()]
        await trio.sleep(2)
        assert [message["type"] for message in stream.socket.unread()] == ["audio_stream_end"]
        await trio.sleep(200)
        assert stream.sound.is_open
        assert stream.socket.unread() == []


@pytest.mark.parametrize("is_told", [True, False])
async def test_the_stream_that_follows_a_silent_one_does_not_cut_it_off(
    autojump_clock: MockClock, is_told: bool
) -> None:
    """The phone tells when it has heard the older one; a phone that does not is given time for 32 kbit/s."""
    async with opened() as stream, trio.open_nursery() as nursery:
        await stream.sound.write(bytes(2**20))
        await trio.sleep(56)
        stream.socket.unread()
        nursery.start_soon(stream.sound.write, b"more")
        await trio.sleep(9)
        assert stream.socket.unread() == []
        if is_told:
            await has_played(stream)
        stream_id, _ = await make_relay(stream.socket)
        assert trio.current_time() == pytest.approx(CLAIM + (65 if is_told else 2**20 / 4000), abs=0.01)

        assert await heard(stream.socket, stream_id) == b"more"


async def test_the_end_of_a_silent_stream_can_be_waited_for(autojump_clock: MockClock) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        ends: list[Playback] = []

        async def finish() -> None:
            ends.append(await stream.sound.finish())

        await stream.sound.write(b"one")
        await trio.sleep(56)
        await has_played(stream)
        nursery.start_soon(finish)
        await wait_all_tasks_blocked()

        assert ends == [Playback(duration=1.5)]


async def test_a_stop_ends_a_write_that_waits_for_the_end_of_the_older_stream(autojump_clock: MockClock) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        errors: list[BaseException] = []

        async def write() -> None:
            try:
                await stream.sound.write(b"more")
            except PlaybackError as error:
                errors.append(error)

        await stream.sound.write(bytes(2**20))
        await trio.sleep(56)
        stream.socket.unread()
        nursery.start_soon(write)
        await wait_all_tasks_blocked()
        await stream.link.session.speaker.stop()
        await wait_all_tasks_blocked()

        assert [type(error) for error in errors] == [PlaybackError]
        assert [message["type"] for message in stream.socket.unread()] == ["audio_stop_request"]


async def test_what_the_encoder_holds_back_is_sent_before_a_silent_stream_is_ended(autojump_clock: MockClock) -> None:
    async with opened(format=AudioFormat.PCM16, sample_rate=8000, bitrate=8) as stream:
        await stream.sound.write(bytes(2 * 8000 * 100))  # 100 s, which are sent at once
        await wait_all_tasks_blocked()
        stream.socket.unread()
        await trio.sleep(56)
        tail, end = stream.socket.unread()
        assert (tail["type"], end["type"]) == ("binary", "audio_stream_end")


async def test_a_stream_that_stays_silent_from_the_start_is_opened_anew(autojump_clock: MockClock) -> None:
    """The cloud gives it up after 15 s if the phone has not come, and tells nobody (P3 4.6)."""
    async with opened() as stream, trio.open_nursery() as nursery:
        await trio.sleep(14)
        nursery.start_soon(stream.sound.write, b"one")
        await stream.socket.expect("audio_stream_end")
        stream_id, _ = await make_relay(stream.socket)

        assert await heard(stream.socket, stream_id) == b"one"


async def test_sound_that_waited_too_long_for_the_link_is_sent_again_on_a_new_stream(autojump_clock: MockClock) -> None:
    config = SessionConfig(ack_timeout=200.0)
    async with opened(config=config) as stream, trio.open_nursery() as nursery:
        await stream.sound.write(b"one")
        await stream.socket.cut()
        socket = await stream.link.cloud.accept()
        await socket.open()
        nursery.start_soon(stream.sound.write, b"two")
        await trio.sleep(100)
        await socket.ack()
        await socket.expect("subscription_update")
        assert await heard(socket, stream.stream_id) == b"two"
        await socket.expect("audio_stream_end")
        stream_id, _ = await make_relay(socket)

        assert await heard(socket, stream_id) == b"two"


async def test_on_another_cloud_a_new_stream_is_opened(autojump_clock: MockClock) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        await stream.sound.write(b"one")
        stream.link.runtime.redirect(CloudUrl(host=OTHER_HOST, port=443, tls=True, target="/ws/miniapp"))
        socket = await stream.link.next_socket()
        nursery.start_soon(stream.sound.write, b"two")
        await socket.expect("audio_stream_end")
        stream_id, _ = await make_relay(socket)

        assert await heard(socket, stream_id) == b"two"


async def test_a_new_stream_that_cannot_be_opened_fails_the_write_and_the_next_one_tries_again(
    autojump_clock: MockClock,
) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        await stream.sound.write(b"one")
        await trio.sleep(60)
        with pytest.raises(RequestTimedOutError):
            await stream.sound.write(b"two")
        await wait_all_tasks_blocked()
        kinds = [message["type"] for message in stream.socket.unread()]
        assert kinds == ["binary", "audio_stream_end", "audio_stream_start", "audio_stream_end"]
        nursery.start_soon(stream.sound.write, b"three")
        stream_id, _ = await make_relay(stream.socket)

        assert await heard(stream.socket, stream_id) == b"three"


async def test_a_stream_that_is_opened_anew_all_day_leaves_nothing_waiting(autojump_clock: MockClock) -> None:
    """Phones need not answer for the older ones (P3 4.4)."""
    async with opened(config=SessionConfig(pending_capacity=3)) as stream, trio.open_nursery() as nursery:
        for _ in range(10):
            await trio.sleep(120)
            nursery.start_soon(stream.sound.write, b"one")
            await stream.socket.expect("audio_stream_end")
            stream_id, _ = await make_relay(stream.socket)
            assert await heard(stream.socket, stream_id) == b"one"


async def test_a_new_stream_whose_opening_is_cancelled_is_not_played(autojump_clock: MockClock) -> None:
    async with opened() as stream, trio.open_nursery() as nursery:
        await trio.sleep(60)
        giving_up = trio.CancelScope()

        async def write() -> None:
            with giving_up:
                await stream.sound.write(b"one")

        nursery.start_soon(write)
        await stream.socket.expect("audio_stream_end")
        start = await stream.socket.expect("audio_stream_start")
        giving_up.cancel()
        await stream.socket.expect("audio_stream_end")
        stream_id = start["streamId"]
        await stream.socket.send("audio_stream_ready", streamId=stream_id, streamUrl=relay_url(stream_id))
        await wait_all_tasks_blocked()

        assert stream.socket.unread() == []


# --- PCM


async def test_pcm_becomes_mp3_and_its_end_is_not_clipped(autojump_clock: MockClock) -> None:
    whole = Mp3Encoder(sample_rate=24_000, channels=1, bitrate=128)
    sound = pcm(4800)
    expected = whole.encode(sound) + whole.flush()
    async with opened(format=AudioFormat.PCM16) as stream:
        for start in range(0, len(sound), 960):
            await stream.sound.write(sound[start : start + 960])
    frames = b""
    while (message := await stream.socket.next())["type"] == "binary":
        frames += (unpack(message["frame"]) or ("", b""))[1]

    assert message["type"] == "audio_stream_end"
    assert frames == expected
    assert frames[:2] == b"\xff\xf3"


async def test_no_pcm_is_no_frame(autojump_clock: MockClock) -> None:
    async with opened(format=AudioFormat.PCM16) as stream:
        with assert_checkpoints():
            await stream.sound.write(b"")
        await wait_all_tasks_blocked()

        assert stream.socket.unread() == []


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("cut", [1, 3, 7, 1001])
async def test_pcm_may_be_cut_anywhere(autojump_clock: MockClock, channels: int, cut: int) -> None:
    """The reference fails on an odd number of bytes, and on stereo (P3 4.7)."""
    whole = Mp3Encoder(sample_rate=16_000, channels=channels, bitrate=64)
    sound = pcm(300, channels)
    expected = whole.encode(sound) + whole.flush()
    async with opened(format=AudioFormat.PCM16, sample_rate=16_000, channels=channels, bitrate=64) as stream:
        await trio.sleep(CLAIM)
        for start in range(0, len(sound), cut):
            await stream.sound.write(sound[start : start + cut])
        await stream.sound.end()
        await wait_all_tasks_blocked()
        frames = [unpack(m["frame"]) or ("", b"") for m in stream.socket.unread() if m["type"] == "binary"]

    assert b"".join(piece for _, piece in frames) == expected


async def test_what_the_encoder_holds_back_is_sent_when_all_else_was_heard(autojump_clock: MockClock) -> None:
    """The last word before a pause must not wait for the first one after it; where sound goes on, nothing is cut."""
    async with opened(format=AudioFormat.PCM16) as stream:
        await stream.sound.write(pcm(24_000))
        await stream.sound.write(pcm(24_000))
        begin = CLAIM  # when the first sound was sent
        await wait_all_tasks_blocked()
        sent = len(stream.socket.unread())
        assert sent >= 2
        await trio.sleep(begin + 2 - trio.current_time())
        assert stream.socket.unread() == []
        await trio.sleep(0.5)
        assert len(stream.socket.unread()) == 1
        await trio.sleep(10)
        assert stream.socket.unread() == []
        await stream.sound.write(pcm(24_000))
        await wait_all_tasks_blocked()
        assert len(stream.socket.unread()) >= 1


async def test_a_cancelled_block_of_pcm_sends_no_more(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        nursery.start_soon(make_relay, link.socket)
        with trio.move_on_after(0.5):
            async with link.session.speaker.open_stream(format=AudioFormat.PCM16) as sound:
                await sound.write(pcm(4800))
                await trio.sleep_forever()
        await wait_all_tasks_blocked()

        assert [message["type"] for message in link.socket.unread()] == ["binary", "audio_stream_end"]


@pytest.mark.parametrize(
    "options", [{"sample_rate": 10_000}, {"channels": 3}, {"bitrate": 4}, {"bitrate": 500}, {"channels": 0}]
)
async def test_what_mp3_does_not_have_is_refused_at_the_call(
    autojump_clock: MockClock, options: dict[str, int]
) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match=next(iter(options))):
            link.session.speaker.open_stream(
                format=AudioFormat.PCM16,
                sample_rate=options.get("sample_rate", 24_000),
                channels=options.get("channels", 1),
                bitrate=options.get("bitrate", 128),
            )
        with pytest.raises(ValueError, match="wav"):
            link.session.speaker.open_stream(format="wav")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (what is tested)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("sample_rate", 24_000.0),
        ("channels", True),
        ("channels", 1.0),
        ("bitrate", 128.0),
        ("bitrate", "128"),
        ("volume", None),
        ("stop_other_audio", "no"),
    ],
)
async def test_options_of_a_wrong_type_are_refused_at_the_call(
    autojump_clock: MockClock, name: str, wrong: object
) -> None:
    async with connected() as link:
        options: dict[str, object] = {"format": AudioFormat.PCM16, name: wrong}
        with pytest.raises(TypeError, match=name):
            link.session.speaker.open_stream(**options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (what is tested)


async def test_pcm_without_the_encoder_says_what_to_install(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lameenc", None)
    async with connected() as link:
        with pytest.raises(ConfigError, match=r"mentra-trio\[audio\]"):
            link.session.speaker.open_stream(format=AudioFormat.PCM16)
        link.session.speaker.open_stream()
