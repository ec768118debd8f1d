"""Words to translations (P2 4, appendix B)."""

import pytest
import trio
from trio.testing import MockClock

from mentra_trio.simulator import Mode
from mentra_trio.simulator.speech import Token
from mentra_trio.simulator.translation import Translator, cloud_name

from .apps import ALPHA, BETA, USER, Json, World, settle, world

PAIR = "translation:en-US-to-es-ES"
TO_SPANISH = "translation:all-to-es-ES"


def translator(here: World) -> Translator:
    session = here.cloud.session(here.user.user_id)
    assert session is not None
    (stream,) = session.translators.streams
    return stream


def word(text: str, language: str | None = "en") -> Token:
    return Token(text=text, is_final=True, language=language)


async def test_p2_4_3_a_sentence_grows_to_a_final_without_an_id(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(PAIR)
        assert await here.user.say("what time is it", translated={"es": "qué hora es"}) == {ALPHA}
        await settle()

        events = [data for _, data in socket.streams()]
        assert [(event["text"], event["originalText"], event["isFinal"]) for event in events] == [
            ("qué", "what", False),
            ("qué hora", "what time", False),
            ("qué hora es", "what time is", False),
            ("qué hora es", "what time is it", True),
        ]
        assert {name for name, _ in socket.streams()} == {PAIR}
        final = events[-1]
        assert set(final).isdisjoint({"utteranceId", "confidence", "speakerId"})
        assert (final["transcribeLanguage"], final["translateLanguage"]) == ("en-US", "es-ES")
        # Translated words carry no time, so that the end is before the start.
        assert (final["startTime"], final["endTime"], final["duration"]) == (1000, 0, -1000)


async def test_p2_12_2_the_first_translation_takes_a_second(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(TO_SPANISH)
        await here.user.say("hello")
        await settle()

        assert trio.current_time() == 1.15
        assert socket.got[2][0] == 1.0


@pytest.mark.parametrize(
    ("subscription", "language", "direction"),
    [
        (PAIR, "en-GB", ("en-US", "es-ES")),
        (PAIR, "es-MX", ("es-ES", "en-US")),
        (PAIR, "de-DE", None),
        (TO_SPANISH, "de-AT", ("de-DE", "es-ES")),
        (TO_SPANISH, "es-MX", None),
        ("translation:all-to-es-MX", "en-US", ("en-US", "es-MX")),
        ("translation:he-IL-to-no-NO", "he-IL", ("iw-IL", "nb-NO")),
        (f"{TO_SPANISH}?no-language-identification=true", "en-US", ("en-US", "es-ES")),
    ],
)
async def test_p2_4_2_pairs_go_both_ways_and_any_goes_one_way(
    autojump_clock: MockClock, subscription: str, language: str, direction: tuple[str, str] | None
) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(subscription)
        reached = await here.user.say("hello", language=language)
        await settle()

        found = {(data["transcribeLanguage"], data["translateLanguage"]) for _, data in socket.streams()}
        assert found == ({direction} if direction else set())
        assert reached == ({ALPHA} if direction else set())


@pytest.mark.parametrize(
    "subscription",
    [
        "translation",
        "translation:en-ja",
        "translation:auto-es",
        "translation:fr-FR-to-fr-CA",
        "translation:qq-QQ-to-es-ES",
    ],
)
async def test_p2_1_4_3_what_cannot_be_translated_is_silent(autojump_clock: MockClock, subscription: str) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(subscription, "transcription:en-US")
        await here.user.say("hello")
        await settle()

        assert {name for name, _ in socket.streams()} == {"transcription:en-US"}


async def test_p2_4_4_l2_the_target_is_not_looked_at_between_apps(autojump_clock: MockClock) -> None:
    french = "translation:en-US-to-fr-FR"
    async with world() as here:
        alpha, beta = await here.start(), await here.start(BETA)
        await alpha.subscribe(PAIR)
        await beta.subscribe(french, package_name=BETA)
        await here.user.say("hello", translated={"es": "hola", "fr-FR": "bonjour"})
        await settle()

        for socket in (alpha, beta):
            finals = [(name, data["text"]) for name, data in socket.streams() if data["isFinal"]]
            assert finals == [(PAIR, "hola"), (french, "bonjour")]


async def test_p2_4_2_each_spelling_has_a_translator_of_its_own(autojump_clock: MockClock) -> None:
    spelled = f"{TO_SPANISH}?hints=en"
    async with world() as here:
        alpha, beta = await here.start(), await here.start(BETA)
        await alpha.subscribe(TO_SPANISH)
        await beta.subscribe(spelled, package_name=BETA)
        await here.user.say("hello")
        await settle()

        assert {name for name, _ in alpha.streams()} == {TO_SPANISH, spelled}


async def test_without_a_translation_the_text_comes_back_with_its_language(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(TO_SPANISH)
        await here.user.say("good morning")
        await settle()

        assert socket.streams()[-1][1]["text"] == "[es-ES] good morning"


async def test_p2_4_3_what_is_not_settled_is_not_told(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(TO_SPANISH)
        assert await here.user.say("hello", interims=["hell"], final=False) == frozenset()
        await settle()

        assert socket.streams() == []


async def test_p2_4_5_silence_makes_a_final_of_what_is_there(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(TO_SPANISH)
        await here.user.say("good morning", final=False)
        here.user.phone_message({"type": "VAD", "status": False})
        await settle()

        assert [data["isFinal"] for _, data in socket.streams()] == [False, False, True]


async def test_p2_4_3_the_rest_of_a_translation_is_waited_for_three_seconds(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(TO_SPANISH)
        stream = translator(here)
        stream.push([word("one")], [word("uno", None)])
        await trio.sleep(10)

        assert [data["isFinal"] for data in _data(socket.streams())] == [False, True]
        assert [at for at, _ in socket.got[2:]] == [0.0, 3.0]


async def test_p2_4_3_an_end_that_comes_before_the_translation_is_lost(autojump_clock: MockClock) -> None:
    """The utterance goes on until the cloud has waited long enough."""
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(TO_SPANISH)
        stream = translator(here)
        stream.push([word("one")], [], end=True)
        stream.push([], [word("uno", None)])
        await settle()

        assert [data["isFinal"] for data in _data(socket.streams())] == [False]
        await trio.sleep(4)
        assert [data["isFinal"] for data in _data(socket.streams())] == [False, True]


async def test_a_translator_that_nobody_wants_any_more_ends(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(TO_SPANISH)
        await here.user.say("hello", final=False)
        await socket.subscribe("button_press")

        assert await here.user.say("hello") == frozenset()


async def test_listeners_to_translations_are_waited_for(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe(PAIR)
        await here.user.wait_listener("es")


async def test_p2_9_1_translation_needs_the_microphone(autojump_clock: MockClock) -> None:
    async with world(permissions=()) as here:
        socket = await here.start()
        await socket.subscribe(PAIR)
        assert await here.user.say("hello") == frozenset()
        assert not here.user.is_microphone_on


async def test_strict_mode_reports_what_cannot_be_parsed(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.mode = Mode.STRICT
        socket = await here.start()
        await socket.subscribe("translation:en-ja")
        await settle()

        assert [violation.rule for violation in here.cloud.violations] == ["P2 1.4.3"]
        here.cloud.mode = Mode.FAITHFUL


@pytest.mark.parametrize(("tag", "name"), [("he-IL", "iw-IL"), ("nb", "nb-NO"), ("en-GB", "en-US"), ("tl", "tl-PH")])
def test_p2_appendix_a_the_clouds_own_tags(tag: str, name: str) -> None:
    assert cloud_name(tag) == name


def _data(streams: list[tuple[str, Json]]) -> list[Json]:
    return [data for _, data in streams]


async def test_p1_1_2_a_session_that_ends_ends_its_translators(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("translation:es-ES-to-en-US", "transcription:en-US")
        session = here.cloud.session(USER)
        assert session is not None
        open_streams = [len(session.translators.streams) + len(session.speech.streams)]
        here.user.disconnect()
        await trio.sleep(61)
        open_streams.append(len(session.translators.streams) + len(session.speech.streams))

        assert open_streams == [2, 0]
