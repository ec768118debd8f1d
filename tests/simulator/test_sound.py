"""The phone's player and the cloud's streams of sound (P3 4.4, 4.6, 13: A1 to A7)."""

import json
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import quote

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import AudioFormat, MentraSession, MiniAppServer, Playback, PlaybackError
from mentra_trio._flow import run_inline
from mentra_trio.errors import DeviceUnavailableError
from mentra_trio.simulator import AsgiWebhooks, Cloud, InstalledApp, Mode, User, loudspeaker
from mentra_trio.simulator.rest import respond
from mentra_trio.simulator.sound import ABANDONED, MOST_KEPT, RECLAIM, UNCLAIMED, Relays

from .apps import ALPHA, settle, world

URL = "https://app.example.com"
PACKAGE = "com.example.app"
WEARER = "pat@example.com"
DING = "https://cdn.example.com/ding.mp3"
DONG = "https://cdn.example.com/dong.mp3"
STREAM = "0f8fad5b-d9cb-469f-a165-70867728950e"


@attrs.frozen
class Stage:
    """A wearer who runs an app."""

    cloud: Cloud
    user: User
    session: MentraSession

    def told(self, kind: str) -> list[dict[str, object]]:
        """What the phone got of one kind."""
        return [
            message.fields
            for message in self.user.phone_log
            if message.fields is not None and message.fields.get("type") == kind
        ]


@asynccontextmanager
async def running() -> AsyncGenerator[Stage, None]:
    """Run an app that does what the test does with its session."""
    app = MiniAppServer(package_name=PACKAGE, api_key="key")
    sessions: list[MentraSession] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        sessions.append(session)
        await trio.lowlevel.checkpoint()

    cloud = Cloud(mode=Mode.STRICT, webhooks=AsgiWebhooks({URL: app.asgi}))
    async with cloud.running(), app.running(connector=cloud.connector, offload=run_inline):
        cloud.install(InstalledApp(package_name=PACKAGE, api_key="key", public_url=URL))
        user = cloud.user(WEARER)
        await user.connect()
        assert (await user.start(PACKAGE)).succeeded
        await wait_all_tasks_blocked()
        yield Stage(cloud, user, sessions[0])


async def test_a_sound_is_heard_to_its_end(autojump_clock: MockClock) -> None:
    async with running() as stage:
        begin = trio.current_time()
        stage.user.speaker.lengths[DING] = 3.5

        assert await stage.session.speaker.play(DING, volume=0.5) == Playback(duration=3.5)
        assert trio.current_time() == begin + 3.5
        (sound,) = stage.user.speaker.history
    assert (sound.url, sound.volume, sound.text, sound.package_name) == (DING, 0.5, None, PACKAGE)
    assert sound.ended_at == begin + 3.5


async def test_what_is_said_can_be_read(autojump_clock: MockClock) -> None:
    async with running() as stage:
        playback = await stage.session.speaker.speak("Hello, how are you?")
        assert playback.duration == pytest.approx(1.6)
        assert [sound.text for sound in stage.user.speaker.history] == ["Hello, how are you?"]
        sound = await stage.user.speaker.wait_for(lambda sound: sound.text == "Hello, how are you?")
        assert sound.url.startswith("https://api.mentra.glass/api/tts?")


async def test_what_cannot_be_loaded_fails_after_a_moment(autojump_clock: MockClock) -> None:
    async with running() as stage:
        begin = trio.current_time()
        stage.user.speaker.unreachable.add(DING)
        with pytest.raises(PlaybackError, match="went idle"):
            await stage.session.speaker.play(DING)

        assert trio.current_time() == begin + 1.5


async def test_a_phone_that_comes_late_hears_all_of_a_stream(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound that is written at once would push its own beginning out of what the cloud keeps (P3 4.6)."""
    monkeypatch.setattr(loudspeaker, "FETCH", 9.5)
    pieces = [bytes([number]) * 30_000 for number in range(100)]
    async with running() as stage:
        async with stage.session.speaker.open_stream() as sound:
            for piece in pieces:
                await sound.write(piece)
            assert await sound.finish() == Playback(duration=None)
        await trio.sleep(200)

        assert b"".join(each.data for each in stage.user.speaker.history) == b"".join(pieces)


@pytest.mark.parametrize(("sample_rate", "bitrate"), [(24_000, 128), (24_000, 32), (44_100, 320), (8_000, 128)])
async def test_a_stream_is_heard_as_long_as_it_lasts(autojump_clock: MockClock, sample_rate: int, bitrate: int) -> None:
    async with running() as stage:
        async with stage.session.speaker.open_stream(
            format=AudioFormat.PCM16, sample_rate=sample_rate, bitrate=bitrate
        ) as sound:
            await sound.write(bytes(2 * sample_rate * 2))
            playback = await sound.finish()

        assert playback.duration == pytest.approx(2, abs=0.2)


async def test_a_newer_sound_takes_the_place_of_the_older_one_whose_app_is_told(autojump_clock: MockClock) -> None:
    async with running() as stage, trio.open_nursery() as nursery:
        nursery.start_soon(stage.session.speaker.play, DING)
        await trio.sleep(1)
        nursery.start_soon(stage.session.speaker.play, DONG)
        await trio.sleep(1)
        playing = stage.user.speaker.playing
        assert playing is not None
        assert playing.url == DONG
        first, _ = stage.user.speaker.history
        assert first.ended_at == first.began_at + 1


async def test_nobody_is_told_of_a_sound_that_was_replaced_without_a_word(autojump_clock: MockClock) -> None:
    async with running() as stage:
        stage.user.speaker.play({"requestId": "1", "packageName": "other", "audioUrl": DING})
        stage.user.speaker.play({"requestId": "2", "packageName": "other", "audioUrl": DONG, "stopOtherAudio": False})
        session = stage.cloud.session(WEARER)
        assert session is not None
        session.sounds.update({"1": PACKAGE, "2": PACKAGE})
        await trio.sleep(5)

        assert session.sounds == {"1": PACKAGE}


async def test_a_request_without_an_address_is_answered(autojump_clock: MockClock) -> None:
    async with running() as stage:
        session = stage.cloud.session(WEARER)
        assert session is not None
        session.sounds["1"] = PACKAGE
        stage.user.speaker.play({"requestId": "1", "packageName": PACKAGE})
        stage.user.speaker.play({"packageName": PACKAGE})
        await trio.sleep(0.1)

        assert session.sounds == {}
        assert stage.user.speaker.history == []


async def test_a_stop_ends_the_sounds_of_its_app_alone(autojump_clock: MockClock) -> None:
    async with running() as stage:
        stage.user.speaker.play({"requestId": "1", "packageName": "com.example.other", "audioUrl": DING})
        await stage.session.speaker.stop()
        await trio.sleep(0.1)
        assert stage.user.speaker.playing is not None
        stage.user.speaker.stop({})
        assert stage.user.speaker.playing is None


async def test_a_phone_that_is_away_costs_the_socket_and_the_app_goes_on(autojump_clock: MockClock) -> None:
    async with running() as stage:
        stage.user.disconnect()
        with pytest.raises(DeviceUnavailableError):
            await stage.session.speaker.play(DING)
        await stage.user.connect()
        await stage.user.wait_attached(PACKAGE)
        assert (await stage.session.speaker.play(DING)).duration == 2


# --- streams


async def test_a_stream_is_heard_as_it_comes_and_to_its_end(autojump_clock: MockClock) -> None:
    async with running() as stage:
        begin = trio.current_time()
        async with stage.session.speaker.open_stream(volume=0.3) as sound:
            for number in range(4):
                await sound.write(bytes([number]) * 8_000)
            playback = await sound.finish()
        (heard,) = stage.user.speaker.history

        assert heard.data == b"".join(bytes([number]) * 8_000 for number in range(4))
        assert heard.volume == 0.3
        assert playback == Playback(duration=2.0)
        assert trio.current_time() == begin + 2.0
        assert len(stage.told("audio_play_request")) == 1


async def test_a_phone_that_loses_the_stream_is_asked_to_come_back(autojump_clock: MockClock) -> None:
    async with running() as stage, stage.session.speaker.open_stream() as sound:
        await sound.write(b"one")
        await wait_all_tasks_blocked()
        stage.user.speaker.hang_up()
        await sound.write(b"two")
        await sound.write(b"three")
        await trio.sleep(1)
        first, second = stage.user.speaker.history

        assert (first.data, second.data) == (b"one", b"twothree")
        again = stage.told("audio_play_request")[1]
        assert str(again["requestId"]) in str(again["audioUrl"])
        assert "volume" not in again


async def test_after_a_minute_of_silence_the_next_sound_is_heard_too(autojump_clock: MockClock) -> None:
    async with running() as stage, stage.session.speaker.open_stream() as sound:
        await sound.write(b"one")
        await trio.sleep(100)
        await sound.write(b"two")
        await trio.sleep(1)

        assert [heard.data for heard in stage.user.speaker.history] == [b"one", b"two"]


@attrs.define
class Ear:
    """Somebody who fetches a stream."""

    data: bytes = b""
    is_over: bool = False

    def hear(self, data: bytes) -> None:
        self.data += data

    def ended(self) -> None:
        self.is_over = True


class Socket:
    """What an app's socket is told."""

    package_name = PACKAGE

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []

    def send(self, message: dict[str, object]) -> None:
        self.sent.append(message)


@attrs.frozen
class Relayed:
    """A relay that was made by hand."""

    stage: Stage
    socket: Socket

    @property
    def relays(self) -> Relays:
        session = self.stage.cloud.session(WEARER)
        assert session is not None
        return session.relays

    def feed(self, data: bytes) -> None:
        self.relays.feed(STREAM.encode() + data)

    def asked(self) -> int:
        return len(self.stage.told("audio_play_request"))


@asynccontextmanager
async def relayed() -> AsyncGenerator[Relayed, None]:
    """Make a relay, with a phone that does nothing by itself."""
    async with running() as stage:
        stage.user.acts_by_itself = False
        made = Relayed(stage, Socket())
        made.relays.start(made.socket, {"streamId": STREAM, "packageName": PACKAGE})
        yield made


async def test_a_relay_tells_where_it_can_be_fetched(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        (ready,) = made.socket.sent
        assert ready["type"] == "audio_stream_ready"
        assert ready["streamUrl"] == f"https://api.mentra.glass/api/audio/stream/{quote(WEARER, safe='')}/{STREAM}"
        made.relays.end(STREAM)


async def test_the_same_id_twice_is_refused(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        made.relays.start(made.socket, {"streamId": STREAM, "packageName": "com.example.other"})
        assert made.socket.sent[-1]["code"] == "STREAM_CREATE_FAILED"


async def test_sound_before_the_phone_is_kept_and_the_phone_is_asked_once(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        made.feed(b"one")
        made.feed(b"two")
        assert made.asked() == 1
        ear = Ear()
        assert made.relays.claim(STREAM, ear) == "audio/mpeg"
        assert ear.data == b"onetwo"
        made.feed(b"three")
        assert ear.data == b"onetwothree"
        made.relays.end(STREAM)
        assert ear.is_over


async def test_too_much_sound_pushes_the_oldest_out(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        for number in range(5):
            made.feed(bytes([number]) * (MOST_KEPT // 4))
        ear = Ear()
        made.relays.claim(STREAM, ear)
        assert (len(ear.data), ear.data[0], ear.data[-1]) == (MOST_KEPT, 1, 4)


async def test_a_phone_that_does_not_come_costs_what_was_kept(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        made.feed(b"one")
        await trio.sleep(RECLAIM + 0.1)
        made.feed(b"two")
        assert made.asked() == 2
        ear = Ear()
        made.relays.claim(STREAM, ear)
        assert ear.data == b"two"


async def test_a_relay_that_nobody_uses_is_dropped(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        await trio.sleep(UNCLAIMED + 0.1)
        assert made.relays.claim(STREAM, Ear()) is None


async def test_a_relay_that_is_not_fed_is_dropped_and_later_sound_is_ignored(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        ear = Ear()
        made.relays.claim(STREAM, ear)
        await trio.sleep(ABANDONED - 1)
        made.feed(b"one")
        await trio.sleep(ABANDONED - 1)
        before = ear.is_over
        await trio.sleep(1.1)
        assert (before, ear.is_over) == (False, True)
        made.feed(b"late")
        assert (ear.data, made.asked()) == (b"one", 0)


async def test_a_second_phone_ends_the_first(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        first, second = Ear(), Ear()
        made.relays.claim(STREAM, first)
        made.relays.claim(STREAM, second)
        made.feed(b"one")
        assert (first.is_over, first.data, second.data) == (True, b"", b"one")


async def test_what_was_kept_is_fetched_after_the_end(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        made.feed(b"one")
        made.relays.end(STREAM)
        made.relays.end(STREAM)
        made.feed(b"late")
        ear = Ear()
        made.relays.claim(STREAM, ear)
        assert (ear.data, ear.is_over) == (b"one", True)
        await trio.sleep(1.1)
        assert made.relays.claim(STREAM, Ear()) is None


async def test_an_end_with_nothing_kept_is_the_end(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        made.relays.end(STREAM)
        assert made.relays.claim(STREAM, Ear()) is None
        made.feed(b"late")
        made.relays.end("another")


async def test_two_streams_of_one_app_are_reported(autojump_clock: MockClock) -> None:
    with pytest.raises(AssertionError, match="beside another one"):
        async with relayed() as made:
            made.relays.start(made.socket, {"streamId": STREAM.replace("0", "1"), "packageName": PACKAGE})


# --- speech over HTTP


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("text=Hi", 200),
        ("text=Hi&voice_settings=%7B%22speed%22%3A1%7D", 200),
        ("", 400),
        ("text=", 400),
        ("text=Hi&voice_settings=%7B", 400),
    ],
)
async def test_spoken_text_can_be_fetched(autojump_clock: MockClock, query: str, status: int) -> None:
    async with running() as stage:
        answer = respond(stage.cloud, "GET", f"/api/tts?{query}", {}, b"")

    assert answer.status == status
    if status == 200:
        assert answer.headers["content-type"] == "audio/mpeg"
        assert math.isclose(len(answer.body) / 96 * 576 / 24_000, 0.4, rel_tol=0.1)
    else:
        assert json.loads(answer.body)["success"] is False


# --- the phone's player alone


async def test_a_stream_that_is_stopped_before_it_is_fetched_is_not_fetched(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        speaker = made.stage.user.speaker
        speaker.hang_up()
        speaker.play({"requestId": "1", "audioUrl": made.socket.sent[0]["streamUrl"]})
        speaker.stop({})
        await trio.sleep(5)

        assert not made.relays.is_claimed(STREAM)
        assert speaker.playing is None


async def test_a_stream_that_does_not_exist_cannot_be_played(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        speaker = made.stage.user.speaker
        url = str(made.socket.sent[0]["streamUrl"]).replace("0", "1")
        speaker.play({"requestId": "1", "audioUrl": url})
        await trio.sleep(5)

        assert speaker.history[0].error != ""


async def test_some_phones_never_tell_of_the_end(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        speaker = made.stage.user.speaker
        speaker.lengths[DING] = math.inf
        speaker.play({"requestId": "1", "audioUrl": DING})
        await trio.sleep(600)

        assert speaker.playing is not None


async def test_a_sound_that_cannot_be_loaded_may_be_stopped_first(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        speaker = made.stage.user.speaker
        speaker.unreachable.add(DING)
        speaker.play({"requestId": "1", "audioUrl": DING})
        speaker.stop({})
        await trio.sleep(5)

        assert speaker.history[0].error == ""


async def test_a_phone_plays_on_when_the_cloud_has_forgotten_it(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        ear = Ear()
        made.relays.claim(STREAM, ear)
        speaker = made.stage.user.speaker
        speaker.lengths[DING] = 300.0
        speaker.play({"requestId": "1", "audioUrl": DING})
        made.stage.user.disconnect()
        await trio.sleep(30)
        made.feed(b"one")  # so that it is not given up by itself
        await trio.sleep(31)
        assert ear.is_over, "its streams end with the session"
        await trio.sleep(300)

        assert speaker.history[0].ended_at == pytest.approx(speaker.history[0].began_at + 300)


async def test_what_was_kept_of_a_stream_that_ended_is_not_kept_for_ever(autojump_clock: MockClock) -> None:
    async with relayed() as made:
        made.feed(b"one")
        made.relays.end(STREAM)
        await trio.sleep(RECLAIM + 1)

        assert made.relays.claim(STREAM, Ear()) is None


async def test_p3_4_2_an_address_that_no_phone_can_reach_is_reported(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.send("audio_play_request", packageName=ALPHA, requestId="1", audioUrl="ftp://example.com/a.mp3")
        await settle()

        assert [violation.rule for violation in here.cloud.violations] == ["P3 4.2"]


async def test_p3_4_3_without_a_phone_there_is_nothing_to_stop(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.disconnect()
        await socket.send("audio_stop_request", packageName=ALPHA)
        await settle()

        assert socket.last()["message"] == "Glasses not connected"
        assert socket.end == (1008, "Glasses not connected")
