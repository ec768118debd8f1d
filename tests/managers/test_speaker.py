"""Sounds that are played, spoken and stopped: the frames, the waiting, and every way in which it ends (P3 4)."""

import math
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import (
    DeviceUnavailableError,
    LinkDownError,
    MentraError,
    Playback,
    PlaybackError,
    RequestTimedOutError,
    SessionConfig,
    VoiceSettings,
)
from mentra_trio.managers.speaker import SpeakerManager
from tests.scripted_cloud import HOST, PACKAGE, SESSION, CloudSocket, Connected, Json, connected

DING = "https://cdn.example.com/ding.mp3"
AWAY = "Glasses not connected"


async def answer(socket: CloudSocket, request: Json, **fields: object) -> None:
    """Answer as the cloud does when a sound has ended."""
    await socket.send("audio_play_response", requestId=request["requestId"], **{"success": True, **fields})


@attrs.define(eq=False)
class Listener:
    """Plays in the background and notes what came of it, with the time."""

    speaker: SpeakerManager
    outcomes: list[tuple[float, object]] = attrs.field(factory=list[tuple[float, object]])

    async def play(self, url: str = DING) -> None:
        await self.note(lambda: self.speaker.play(url))

    async def note(self, call: Callable[[], Awaitable[object]]) -> None:
        try:
            outcome: object = await call()
        except MentraError as error:
            outcome = error
        self.outcomes.append((trio.current_time(), outcome))

    @property
    def only(self) -> object:
        ((_, outcome),) = self.outcomes
        return outcome


# --- what is sent


async def test_play_asks_the_phone_and_waits_for_the_end(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        listener = Listener(link.session.speaker)
        nursery.start_soon(listener.play)
        message = await link.socket.expect("audio_play_request")
        await trio.sleep(2)
        assert listener.outcomes == []
        await answer(link.socket, message, duration=2140)
        await wait_all_tasks_blocked()

        assert listener.outcomes == [(2, Playback(duration=2.14))]
    assert message.pop("timestamp").endswith("Z")
    assert message.pop("requestId").startswith("audio_req_")
    assert message == {
        "type": "audio_play_request",
        "packageName": PACKAGE,
        "sessionId": SESSION,
        "audioUrl": DING,
        "volume": 1.0,
        "stopOtherAudio": True,
    }


async def test_options_are_sent(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        speaker = link.session.speaker
        nursery.start_soon(lambda: speaker.play(DING, volume=0.25, stop_other_audio=False))
        message = await link.socket.expect("audio_play_request")
        nursery.cancel_scope.cancel()

    assert (message["volume"], message["stopOtherAudio"]) == (0.25, False)


async def test_each_play_has_an_id_of_its_own(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        listener = Listener(link.session.speaker)
        ids: set[str] = set()
        for _ in range(20):
            nursery.start_soon(listener.play)
            ids.add((await link.socket.expect("audio_play_request"))["requestId"])
        nursery.cancel_scope.cancel()

    assert len(ids) == 20


@pytest.mark.parametrize("url", ["", "/sounds/ding.mp3", "cdn.example.com/a.mp3", "file:///a.mp3", "https:///a.mp3"])
async def test_an_address_that_the_phone_cannot_reach_is_refused(autojump_clock: MockClock, url: str) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="url is no whole address"):
            await link.session.speaker.play(url)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize(
    "url", ["https://[", "https://a b/c.mp3", "https://x.example.com/a\n", "https://a:x/b", "https://a:0/b"]
)
async def test_an_address_that_is_none_is_refused(autojump_clock: MockClock, url: str) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="url is no address"):
            await link.session.speaker.play(url)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("voice_id", 5), ("model_id", b"m"), ("voice_settings", {"speed": 1}), ("stop_other_audio", "no")],
)
async def test_options_of_speech_of_a_wrong_type_are_refused(
    autojump_clock: MockClock, name: str, wrong: object
) -> None:
    async with connected() as link:
        options: dict[str, object] = {name: wrong}
        with pytest.raises(TypeError, match=name):
            await link.session.speaker.speak("Hi", **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (what is tested)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


def test_settings_of_a_voice_are_numbers() -> None:
    for name in ("stability", "similarity_boost", "style", "speed"):
        for wrong in ("fast", True, None):
            options: dict[str, object] = {name: wrong}
            with pytest.raises(TypeError, match=name):
                VoiceSettings(**options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (what is tested)
        for number in (-0.1, math.nan, math.inf):
            with pytest.raises(ValueError, match=name):
                VoiceSettings(**{name: number})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (one of several fields)
    with pytest.raises(ValueError, match="style"):
        VoiceSettings(style=1.1)
    with pytest.raises(TypeError, match="use_speaker_boost"):
        VoiceSettings(use_speaker_boost="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (what is tested)


@pytest.mark.parametrize("volume", [-0.1, 1.1, math.nan, math.inf])
async def test_a_volume_beyond_0_to_1_is_refused(autojump_clock: MockClock, volume: float) -> None:
    async with connected() as link:
        speaker = link.session.speaker
        with pytest.raises(ValueError, match="volume"):
            await speaker.play(DING, volume=volume)
        with pytest.raises(ValueError, match="volume"):
            await speaker.speak("Hi", volume=volume)
        with pytest.raises(ValueError, match="volume"):
            speaker.open_stream(volume=volume)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize("wrong", [None, 5, b"https://cdn.example.com/a.mp3"])
async def test_what_is_no_text_is_refused(autojump_clock: MockClock, wrong: object) -> None:
    async with connected() as link:
        for method in ("play", "speak"):
            with pytest.raises(TypeError, match="not text"):
                await getattr(link.session.speaker, method)(wrong)
        with pytest.raises(TypeError, match="volume"):
            await link.session.speaker.play(DING, volume="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (what is tested)


# --- answers


@pytest.mark.parametrize(("fields", "duration"), [({}, None), ({"duration": 0}, 0.0), ({"duration": "2"}, None)])
async def test_a_phone_need_not_say_how_long_it_was(
    autojump_clock: MockClock, fields: Json, duration: float | None
) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        listener = Listener(link.session.speaker)
        nursery.start_soon(listener.play)
        await answer(link.socket, await link.socket.expect("audio_play_request"), **fields)
        await wait_all_tasks_blocked()

        assert listener.only == Playback(duration=duration)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"success": False, "error": "decode failed"}, "decode failed"),
        ({"success": False}, ""),
        ({"success": None}, ""),
        ({"success": "true", "error": 5}, ""),
    ],
)
async def test_what_the_phone_could_not_play_is_an_error(autojump_clock: MockClock, fields: Json, text: str) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        listener = Listener(link.session.speaker)
        nursery.start_soon(listener.play)
        await answer(link.socket, await link.socket.expect("audio_play_request"), **fields)
        await wait_all_tasks_blocked()

        assert isinstance(listener.only, PlaybackError)
        assert (listener.only.text, listener.only.is_interrupted) == (text, False)


async def test_a_phone_that_is_away_fails_the_call_at_once(autojump_clock: MockClock) -> None:
    """The refusal names no request and closes the socket (P3 0.4); a later call goes over the next one."""
    async with connected() as link, trio.open_nursery() as nursery:
        listener = Listener(link.session.speaker)
        nursery.start_soon(listener.play)
        await link.socket.expect("audio_play_request")
        await link.socket.send("tpa_connection_error", code="INTERNAL_ERROR", message=AWAY)
        await link.socket.close(1008, AWAY)
        socket = await link.next_socket()
        await wait_all_tasks_blocked()

        assert [when for when, _ in listener.outcomes] == [0]
        assert isinstance(listener.only, DeviceUnavailableError)
        nursery.start_soon(listener.play)
        await answer(socket, await socket.expect("audio_play_request"))


# --- the link


async def test_without_a_link_a_play_waits_for_it_and_the_limit_does_not_run(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        listener = Listener(link.session.speaker)
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        nursery.start_soon(listener.play)
        await trio.sleep(3)
        await socket.ack()
        await socket.expect("subscription_update")
        await socket.expect("audio_play_request")
        await trio.sleep(599)
        assert listener.outcomes == []
        await trio.sleep(2)

        assert isinstance(listener.only, RequestTimedOutError)


async def test_no_room_to_queue_is_an_error_and_interrupts_nobody(autojump_clock: MockClock) -> None:
    async with connected(config=SessionConfig(queue_capacity=1)) as link, trio.open_nursery() as nursery:
        listener = Listener(link.session.speaker)
        nursery.start_soon(listener.play)
        message = await link.socket.expect("audio_play_request")
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        nursery.start_soon(link.session.raw.send, "x")
        await wait_all_tasks_blocked()
        with pytest.raises(LinkDownError):
            await link.session.speaker.play(DING)
        with pytest.raises(LinkDownError):
            await link.session.speaker.stop()
        await socket.ack()
        await answer(socket, message, duration=1000)
        await wait_all_tasks_blocked()

        assert listener.only == Playback(duration=1.0)


# --- cancellation


async def test_cancelling_stops_the_waiting_and_a_late_answer_is_nothing(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with trio.move_on_after(1):
            await link.session.speaker.play(DING)
        message = await link.socket.expect("audio_play_request")
        await answer(link.socket, message)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []
        assert link.session.statistics().unknown_messages == 0


async def test_what_was_not_sent_yet_is_taken_back(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        with trio.move_on_after(1):
            await link.session.speaker.play(DING)
        await socket.ack()
        await wait_all_tasks_blocked()

        assert [message["type"] for message in socket.unread()] == ["subscription_update"]


# --- one sound after the other


async def test_a_newer_play_resolves_the_older_one_as_interrupted(autojump_clock: MockClock) -> None:
    """The phone answers the older one, or never does (P3 4.4): nobody has to wait for that."""
    async with connected() as link, trio.open_nursery() as nursery:
        first, second = Listener(link.session.speaker), Listener(link.session.speaker)
        nursery.start_soon(first.play)
        older = await link.socket.expect("audio_play_request")
        await trio.sleep(3)
        nursery.start_soon(second.play)
        newer = await link.socket.expect("audio_play_request")
        await wait_all_tasks_blocked()

        assert first.outcomes == [(3, Playback(duration=3.0, is_interrupted=True))]
        await answer(link.socket, older, duration=3000)
        await answer(link.socket, newer, duration=1000)
        await wait_all_tasks_blocked()
        assert second.only == Playback(duration=1.0)
        assert link.session.statistics().unknown_messages == 0


async def test_a_play_that_waits_for_the_link_interrupts_nobody_before_it_is_sent(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        first, second, third = (Listener(link.session.speaker) for _ in range(3))
        nursery.start_soon(first.play)
        await link.socket.expect("audio_play_request")
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        with trio.move_on_after(1):
            await second.play()
        assert first.outcomes == []
        nursery.start_soon(second.play)
        await wait_all_tasks_blocked()
        nursery.start_soon(third.play)
        await trio.sleep(1)
        assert first.outcomes == []
        await socket.ack()
        await socket.expect("subscription_update")
        await wait_all_tasks_blocked()

        assert [when for when, _ in (*first.outcomes, *second.outcomes)] == [2, 2]
        assert second.only == Playback(duration=0.0, is_interrupted=True)
        await socket.expect("audio_play_request")
        await answer(socket, await socket.expect("audio_play_request"), duration=10)
        await wait_all_tasks_blocked()
        assert third.only == Playback(duration=0.01)


async def test_stop_ends_what_plays_and_waits_for_no_answer(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        listener = Listener(link.session.speaker)
        nursery.start_soon(listener.play)
        await link.socket.expect("audio_play_request")
        await trio.sleep(1)
        with assert_checkpoints():
            await link.session.speaker.stop()
        message = await link.socket.expect("audio_stop_request")
        await wait_all_tasks_blocked()

        assert listener.outcomes == [(1, Playback(duration=1.0, is_interrupted=True))]
    assert message.pop("timestamp").endswith("Z")
    assert message == {"type": "audio_stop_request", "packageName": PACKAGE, "sessionId": SESSION}


async def test_a_stop_does_not_end_what_is_played_after_it(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        before, after = Listener(link.session.speaker), Listener(link.session.speaker)
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        for call in (before.play, link.session.speaker.stop, after.play):
            nursery.start_soon(call)
            await wait_all_tasks_blocked()
        await socket.ack()
        await socket.expect("subscription_update")
        await socket.expect("audio_play_request")
        await socket.expect("audio_stop_request")
        message = await socket.expect("audio_play_request")
        await answer(socket, message, duration=7)
        await wait_all_tasks_blocked()

        assert before.only == Playback(duration=0.0, is_interrupted=True)
        assert after.only == Playback(duration=0.007)


async def test_stop_with_nothing_to_stop_is_sent_all_the_same(autojump_clock: MockClock) -> None:
    """A sound whose waiting was cancelled still plays."""
    async with connected() as link:
        with trio.move_on_after(1):
            await link.session.speaker.play(DING)
        await link.socket.expect("audio_play_request")
        await link.session.speaker.stop()

        await link.socket.expect("audio_stop_request")


# --- speech


async def spoken(link: Connected, text: str, **options: object) -> tuple[str, dict[str, list[str]]]:
    """Speak, and give the address that the phone gets: where, and what it asks for."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: link.session.speaker.speak(text, **options))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (options of many types)
        message = await link.socket.expect("audio_play_request")
        await answer(link.socket, message)
    url: str = message["audioUrl"]
    parts = urlsplit(url)
    query = parse_qs(parts.query, strict_parsing=True, errors="strict")
    return f"{parts.scheme}://{parts.netloc}{parts.path}", query


async def test_speech_is_fetched_from_the_cloud_of_the_session(autojump_clock: MockClock) -> None:
    """The reference sends an address without a host, which no phone can fetch (P3 4.5)."""
    async with connected() as link:
        assert await spoken(link, "Hello, world!") == (f"https://{HOST}/api/tts", {"text": ["Hello, world!"]})


@pytest.mark.parametrize("text", ["Größe & co = 100% 🙂 a+b/c?d#e ~*'()!", " ", "line1\nline2", "日本語"])
async def test_any_text_arrives(autojump_clock: MockClock, text: str) -> None:
    async with connected() as link:
        assert (await spoken(link, text))[1] == {"text": [text]}


async def test_half_a_character_is_a_question_mark(autojump_clock: MockClock) -> None:
    async with connected() as link:
        assert (await spoken(link, "a\ud800b"))[1] == {"text": ["a?b"]}


async def test_a_voice_and_a_model_can_be_chosen(autojump_clock: MockClock) -> None:
    async with connected() as link:
        _, query = await spoken(link, "Hi", voice_id="v", model_id="m")

    assert query == {"text": ["Hi"], "voice_id": ["v"], "model_id": ["m"]}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (VoiceSettings(), '{"stability":0.68,"similarity_boost":0.75,"style":0.0,"speed":1.13}'),
        (VoiceSettings(speed=0.9), '{"stability":0.68,"similarity_boost":0.75,"style":0.0,"speed":0.9}'),
        (
            VoiceSettings(stability=1, similarity_boost=0, style=1, speed=2, use_speaker_boost=True),
            '{"stability":1,"similarity_boost":0,"style":1,"speed":2,"use_speaker_boost":true}',
        ),
    ],
)
async def test_settings_that_are_not_given_are_the_clouds_own(
    autojump_clock: MockClock, settings: VoiceSettings, told: str
) -> None:
    """What is told replaces the cloud's settings as a whole, so the others would change too (P3 4.5)."""
    async with connected() as link:
        assert (await spoken(link, "Hi", voice_settings=settings))[1]["voice_settings"] == [told]


async def test_nothing_to_say_and_too_much_to_say_are_refused(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="text is empty"):
            await link.session.speaker.speak("")
        with pytest.raises(ValueError, match="speak it in pieces"):
            await link.session.speaker.speak("x" * 8000)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_speech_is_a_sound_like_any_other(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        speech, sound = Listener(link.session.speaker), Listener(link.session.speaker)
        nursery.start_soon(speech.note, lambda: link.session.speaker.speak("Hello"))
        await link.socket.expect("audio_play_request")
        nursery.start_soon(sound.play)
        await answer(link.socket, await link.socket.expect("audio_play_request"), success=False, error="no")
        await wait_all_tasks_blocked()

        assert speech.only == Playback(duration=0.0, is_interrupted=True)
        assert isinstance(sound.only, PlaybackError)


async def test_speech_whose_end_nobody_tells_is_not_waited_for_longer_than_anybody_could_speak(
    autojump_clock: MockClock,
) -> None:
    """P3 4.2, 4.4: the word of an end is lost with the link, and some phones have none."""
    async with connected() as link:
        with pytest.raises(RequestTimedOutError, match=r"Speech was not answered within 35 s"):
            await link.session.speaker.speak("Good day, ")
        assert trio.current_time() == 35
        with pytest.raises(RequestTimedOutError, match=r"within 80 s"):
            await link.session.speaker.speak("Good day, ", voice_settings=VoiceSettings(speed=0.1))
        with pytest.raises(RequestTimedOutError, match=r"within 600 s"):
            await link.session.speaker.speak("x" * 5000)


async def test_the_limit_of_speech_does_not_run_while_it_waits_for_the_link(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        await link.socket.cut()
        socket = await link.cloud.accept()
        speech = Listener(link.session.speaker)
        nursery.start_soon(speech.note, lambda: link.session.speaker.speak("Good day, "))
        await trio.sleep(3)
        await socket.handshake()
        await socket.expect("audio_play_request")
        await trio.sleep(34)
        assert speech.outcomes == []
        await trio.sleep(2)
        assert isinstance(speech.only, RequestTimedOutError)
