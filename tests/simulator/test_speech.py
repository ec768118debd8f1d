"""Words to transcripts (P2 3.3-3.7, appendix B) and microphone audio (P2 5)."""

import json
import re
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from mentra_trio.simulator.microphone import OFF_DELAY, ON_DELAY
from mentra_trio.simulator.speech import SpeechStream, Token, phrases

from .apps import ALPHA, BETA, Json, World, settle, world


async def test_p2_3_3_a_sentence_is_cumulative_interims_and_a_final_with_one_id(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        assert await here.user.say("what time is it") == {ALPHA}
        await settle()

        events = [data for _, data in socket.streams()]
        assert [(event["text"], event["isFinal"]) for event in events] == [
            ("what", False),
            ("what time", False),
            ("what time is", False),
            ("what time is it", False),
            ("what time is it", True),
        ]
        assert len({event["utteranceId"] for event in events}) == 1
        assert re.fullmatch(r"utt_\d+_[0-9a-z]{1,7}", str(events[0]["utteranceId"]))


async def test_p2_3_3_interims_count_from_the_stream_and_finals_from_the_epoch(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:auto")
        await here.user.say("hello there", language="de-DE")
        await settle()

        *_, interim, final = [data for _, data in socket.streams()]
        assert (interim["startTime"], interim["endTime"]) == (250, 550)
        assert (final["startTime"], final["endTime"]) == (1782554400900, 1782554401900)
        assert (final["transcribeLanguage"], final["detectedLanguage"]) == ("auto", "de")
        assert "confidence" not in final
        assert final["metadata"] == {"provider": "soniox"}
        metadata = cast("dict[str, dict[str, list[Json]]]", interim["metadata"])
        assert [token["text"] for token in metadata["soniox"]["tokens"]] == ["hello", " there"]


async def test_p2_12_2_the_final_comes_half_a_second_after_the_end_of_speech(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        await trio.sleep(1)
        await here.user.say("hello there")
        await settle()

        assert [round(at, 3) for at, _ in socket.got[2:]] == [1.0, 1.15, 1.65]
        assert trio.current_time() == 1.65


async def test_p2_3_7_the_first_transcript_waits_for_microphone_and_recogniser(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        await here.user.say("hello")

        assert socket.got[2][0] == 0.25


@pytest.mark.parametrize(
    ("subscriptions", "streams"),
    [
        (["transcription:auto"], ["transcription:auto"]),
        (["transcription:auto?hints=en%2Cja"], ["transcription:auto?hints=en%2Cja"]),
        (["transcription"], ["transcription:en-US"]),
        (["transcription:en-US?hints=ja", "transcription:en-US"], ["transcription:en-US?hints=ja"]),
        (["transcription:auto", "transcription:en-US"], ["transcription:auto", "transcription:en-US"]),
        (["transcription:de-DE"], []),
        (["*"], []),
    ],
)
async def test_p2_b_under_which_names_an_app_hears_english(
    autojump_clock: MockClock, subscriptions: list[str], streams: list[str]
) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(*subscriptions)
        await here.user.say("hello")
        await settle()

        finals = [name for name, data in socket.streams() if data["isFinal"]]
        assert finals == streams


async def test_p2_3_5_auto_also_hears_the_streams_of_other_apps(autojump_clock: MockClock) -> None:
    async with world() as here:
        alpha, beta = await here.start(), await here.start(BETA)
        await alpha.subscribe("transcription:auto")
        await beta.subscribe("transcription:en-US", package_name=BETA)
        assert await here.user.say("hello") == {ALPHA, BETA}
        await settle()

        assert {name for name, _ in alpha.streams()} == {"transcription:auto", "transcription:en-US"}
        assert {name for name, _ in beta.streams()} == {"transcription:en-US"}
        assert len({data["utteranceId"] for _, data in alpha.streams()}) == 2


async def test_a_partial_sentence_stays_open_for_the_next_one(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        await here.user.say("turn the", final=False)
        await trio.sleep(5)
        await here.user.say("turn the light on", interims=["turn the light"])
        await settle()

        events = [data for _, data in socket.streams()]
        assert [event["text"] for event in events if event["isFinal"]] == ["turn the light on"]
        assert len({event["utteranceId"] for event in events}) == 1
        assert [event["text"] for event in events][-3:] == ["turn the light", "turn the light on", "turn the light on"]


async def test_saying_something_to_nobody_is_no_error(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.start()

        assert await here.user.say("hello") == frozenset()


def english(here: World) -> SpeechStream:
    session = here.cloud.session("ana@example.com")
    assert session is not None
    (stream,) = session.speech.streams
    return stream


def texts(events: list[tuple[str, Json]]) -> list[tuple[object, object]]:
    return [(data["text"], data["isFinal"]) for _, data in events]


async def test_p2_3_5_an_interim_equal_to_the_last_is_left_out(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        english(here).push([Token(text="Hi")])
        english(here).push([Token(text="Hi", is_final=True)])
        english(here).push([Token(text="Hi", is_final=True), Token(text=" bonjour", speaker="2", language="fr")])
        await settle()

        assert texts(socket.streams()) == [("Hi", False), ("Hi bonjour", False)]
        assert (socket.streams()[-1][1]["speakerId"], socket.streams()[-1][1]["detectedLanguage"]) == ("2", "fr")


async def test_p2_3_5_the_next_utterance_may_begin_before_the_final(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        english(here).push([Token(text="first one")], end=True)
        await trio.sleep(0.2)
        english(here).push([Token(text="second one")])
        await trio.sleep(1)

        assert texts(socket.streams()) == [("first one", False), ("second one", False), ("first one", True)]


async def test_p2_3_5_utterances_that_overlap_are_merged_under_the_first_id(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        english(here).push([Token(text="see you tomorrow")], end=True)
        await trio.sleep(0.2)
        english(here).push([Token(text="tomorrow morning")], end=True)
        await trio.sleep(1)

        first, second, final = [data for _, data in socket.streams()]
        assert (final["text"], final["isFinal"]) == ("see you tomorrow morning", True)
        assert final["utteranceId"] == first["utteranceId"] != second["utteranceId"]


async def test_p2_3_5_utterances_that_do_not_overlap_both_get_a_final(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        english(here).push([Token(text="one two")], end=True)
        english(here).push([Token(text="three")], end=True)
        await trio.sleep(1)

        assert [text for text, is_final in texts(socket.streams()) if is_final] == ["one two", "three"]


async def test_p2_3_5_silence_makes_a_final_at_once_and_is_relayed_after_it(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US", "VAD")
        english(here).push([Token(text="unfinished")])
        here.user.phone_message({"type": "VAD", "status": False})
        await settle()

        assert [name for name, _ in socket.streams()] == ["transcription:en-US", "transcription:en-US", "VAD"]
        assert socket.streams()[1][1]["isFinal"] is True


async def test_nothing_is_said_after_the_language_was_unsubscribed(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        english(here).push([Token(text="cut off")], end=True)
        await socket.subscribe()
        await trio.sleep(2)

        assert texts(socket.streams()) == [("cut off", False)]


async def test_p2_3_3_4_local_transcripts_come_twice(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.quirks.poison = False
        socket = await here.start()
        await socket.subscribe("transcription:en-US", "local_transcription")
        message: Json = {"type": "local_transcription", "text": "on device", "speakerId": 1}
        here.user.phone_message(message)
        await settle()

        assert socket.streams() == [("transcription:en-US", message), ("local_transcription", message)]


@pytest.mark.parametrize("text", ["hi", "a b", "one two three four five six seven"])
def test_p2_3_7_there_are_at_least_two_interims(text: str) -> None:
    steps = phrases(text)

    assert 2 <= len(steps) <= 4
    assert steps[-1] == text
    assert all(text.startswith(step) for step in steps)


# --- audio


async def test_p2_5_2_audio_goes_to_those_who_asked_for_it_by_name_or_wildcard(autojump_clock: MockClock) -> None:
    async with world() as here:
        alpha, beta = await here.start(), await here.start(BETA)
        await alpha.subscribe("audio_chunk")
        await beta.subscribe("transcription:en-US", package_name=BETA)
        assert here.user.hear(bytes(640)) == (ALPHA,)
        await beta.subscribe("*", package_name=BETA)
        assert here.user.hear(bytes(640)) == (ALPHA, BETA)
        await settle()

        assert alpha.got[-1][1] == bytes(640)


async def test_p2_5_2_chunks_are_even_an_odd_byte_waits(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("audio_chunk")
        assert here.user.hear(b"\x01") == ()
        here.user.hear(b"\x02\x03\x04\x05")
        here.user.hear(b"\x06")
        await settle()

        assert [data for _, data in socket.got if isinstance(data, bytes)] == [b"\x01\x02\x03\x04", b"\x05\x06"]


def microphone(here: World) -> list[tuple[float, object, object]]:
    return [
        (at, fields["isMicrophoneEnabled"], fields["bypassVad"]) for at, fields in here.phone("microphone_state_change")
    ]


async def test_p2_5_3_the_microphone_follows_the_subscriptions(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await trio.sleep_until(2)
        await socket.subscribe("transcription:en-US")
        seen = [here.user.is_microphone_on]
        await trio.sleep_until(4)
        seen.append(here.user.is_microphone_on)
        await socket.subscribe("transcription:en-US", "audio_chunk")
        await trio.sleep_until(16)
        await socket.subscribe("button_press")
        await trio.sleep_until(20)

        assert microphone(here) == [
            (0.15, False, False),
            (2.1, True, False),
            (4.1, True, True),
            (15.1, True, True),
            (19.1, False, False),
        ]
        assert [*seen, here.user.is_microphone_on] == [False, True, False]


async def test_p2_5_3_a_short_pause_does_not_switch_it_off(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("audio_chunk")
        await trio.sleep(2)
        await socket.subscribe()
        await trio.sleep(2)
        await socket.subscribe("audio_chunk")
        await trio.sleep(5)

        assert [enabled for _, enabled, _ in microphone(here)] == [True, True]


@pytest.mark.parametrize("name", ["VAD", "*", "transcription:en"])
async def test_p2_5_3_some_names_are_not_enough_for_the_microphone(autojump_clock: MockClock, name: str) -> None:
    async with world() as here:
        await (await here.start()).subscribe(name)
        await trio.sleep(2)

        assert not here.user.is_microphone_on


async def test_p2_5_3_a_phone_that_is_back_is_told_again(autojump_clock: MockClock) -> None:
    async with world() as here:
        await (await here.start()).subscribe("audio_chunk")
        await trio.sleep(2)
        here.user.disconnect()
        await trio.sleep(1)
        await here.user.connect()
        await trio.sleep(1)

        assert microphone(here)[-1] == (3.1, True, True)


async def test_p2_5_3_audio_that_nobody_needs_is_complained_about(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.user.hear(bytes(2))
        here.user.hear(bytes(2))
        await trio.sleep(5)
        here.user.hear(bytes(2))

        assert microphone(here) == [(0.0, False, False), (5.0, False, False)]


async def test_an_utterance_without_a_word_is_none(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        english(here).push([], end=True)
        await trio.sleep(2)

        assert socket.streams() == []


async def test_p2_3_3_a_word_of_nobody_names_no_speaker(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US")
        english(here).push([Token(text="who?", speaker=None)])
        await settle()

        ((_, data),) = socket.streams()
        assert data["speakerId"] == "0"
        assert "speaker" not in json.dumps(data["metadata"])


async def test_p2_5_3_whoever_listens_again_at_the_last_moment_keeps_the_microphone(autojump_clock: MockClock) -> None:
    """The cloud looks at what is wanted 0.1 s after the subscriptions, and again when it is about to switch off."""
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("audio_chunk")
        await trio.sleep(10)
        await socket.subscribe()
        await trio.sleep(ON_DELAY + OFF_DELAY - 0.05)
        await socket.subscribe("audio_chunk")
        for _ in range(20):
            assert here.user.is_microphone_on
            await trio.sleep(0.1)


async def test_p2_5_3_what_is_heard_while_the_microphone_is_off_is_lost(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await trio.sleep(2)
        begin = trio.current_time()
        await here.user.hear_over_time(bytes(32_000))

        assert trio.current_time() == pytest.approx(begin + 1)
        assert [message for _, message in socket.got if isinstance(message, bytes)] == []
