"""What is said, in another language: names, directions, other apps' copies, utterances without ids (P2 4)."""

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import EventStream, SlowConsumerError, Translation
from tests.scripted_cloud import CloudSocket, Connected, connected

TO_SPANISH = "translation:all-to-es-ES"


async def say(socket: CloudSocket, text: str, *, stream: str = TO_SPANISH, final: bool = True, **more: object) -> None:
    """Send a translation."""
    languages = {"transcribeLanguage": "en-US", "translateLanguage": "es-ES"}
    await socket.event(stream, **{"type": "translation", "text": text, "isFinal": final, **languages, **more})


async def heard(stream: EventStream[Translation]) -> list[Translation]:
    """Read all that is there."""
    await wait_all_tasks_blocked()
    found: list[Translation] = []
    while stream.statistics().buffered:
        found.append(await anext(stream))
    return found


async def texts(stream: EventStream[Translation]) -> list[str]:
    return [said.text for said in await heard(stream)]


async def subscribed(link: Connected) -> list[str]:
    await wait_all_tasks_blocked()
    subscriptions: list[str] = link.socket.unread()[-1]["subscriptions"]
    return [name for name in subscriptions if name != "augmentos:*"]


# Languages


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (("es",), ["translation:all-to-es-ES"]),
        (("ES_mx",), ["translation:all-to-es-MX"]),
        (
            ("zh-Hans-CN", "iw", "nb"),
            ["translation:all-to-zh-CN", "translation:all-to-he-IL", "translation:all-to-no-NO"],
        ),
        (("de", "de-DE"), ["translation:all-to-de-DE"]),
    ],
)
async def test_one_way_is_from_any_language(
    autojump_clock: MockClock, targets: tuple[str, ...], names: list[str]
) -> None:
    async with connected() as link, link.session.translation.to(*targets).stream():
        assert await subscribed(link) == names


async def test_two_ways_are_one_name(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.translation.between("en", "pt_BR").stream():
        assert await subscribed(link) == ["translation:en-US-to-pt-BR"]


@pytest.mark.parametrize("tag", ["", "auto", "all", "spanish", "xx", "es-ES-to-en-US", "*"])
async def test_what_is_no_language_is_refused_before_anything_is_sent(autojump_clock: MockClock, tag: str) -> None:
    """The cloud would try again every 5 s, for ever (P2 1.4.3)."""
    async with connected() as link:
        translation = link.session.translation
        with pytest.raises(ValueError, match="language"):
            translation.to("es", tag)
        with pytest.raises(ValueError, match="language"):
            translation.between("es", tag)
        with pytest.raises(ValueError, match="language"):
            translation.between(tag, "es")
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize("pair", [("fr-FR", "fr-CA"), ("en", "en"), ("nb", "no")])
async def test_a_language_is_not_translated_into_itself(autojump_clock: MockClock, pair: tuple[str, str]) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="same language"):
            link.session.translation.between(*pair)


async def test_no_target_is_refused(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="name the languages"):
            link.session.translation.to()


async def test_a_list_of_languages_is_refused(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match="one by one"):
            link.session.translation.to(["es", "de"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# Whose translation it is


async def test_a_translation_in_all_its_fields(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        await say(link.socket, "hola", originalText="hello", startTime=18240, endTime=20100, provider="soniox")
        (said,) = await heard(lines)

        assert said == Translation(
            text="hola",
            is_final=True,
            source_language="en-US",
            target_language="es-ES",
            original_text="hello",
            utterance_id="translation-1",
            audio_start=18.24,
            audio_end=20.1,
            provider="soniox",
            received_at=said.received_at,
        )


async def test_both_directions_of_a_pair_come_under_its_name(autojump_clock: MockClock) -> None:
    """P2 4.2: the name tells the pair, the fields tell the direction."""
    name = "translation:en-US-to-es-ES"
    async with connected() as link, link.session.translation.between("en", "es").stream() as lines:
        await say(link.socket, "hola", stream=name)
        await say(link.socket, "hi", stream=name, transcribeLanguage="es-ES", translateLanguage="en-US")
        found = await heard(lines)

        assert [(said.source_language, said.target_language) for said in found] == [
            ("en-US", "es-ES"),
            ("es-ES", "en-US"),
        ]


@pytest.mark.parametrize(
    "name",
    [
        "translation:all-to-fr-FR",
        "translation:en-US-to-es-ES",
        "translation:all-to-es-MX",
        "translation:all-to-es-ES?no-language-identification=true",
        "translation:auto-es",
        "translation",
    ],
)
async def test_what_other_apps_asked_for_is_dropped(autojump_clock: MockClock, name: str) -> None:
    """P2 4.4, L2: the cloud looks at the source language alone, and sends each spelling's translations to all."""
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        await say(link.socket, "pas pour toi", stream=name)
        await say(link.socket, "hola")

        assert await texts(lines) == ["hola"]
        statistics = link.session.statistics()
        is_readable = name not in ("translation:auto-es", "translation")
        assert (statistics.foreign_transcripts, statistics.unclaimed_events) == (is_readable, not is_readable)


async def test_nobody_who_listens_is_no_foreign_speech(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await say(link.socket, "hola")
        await wait_all_tasks_blocked()

        statistics = link.session.statistics()
        assert (statistics.foreign_transcripts, statistics.unclaimed_events) == (0, 1)


async def test_streams_of_several_languages_get_their_own(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.translation.to("es").stream() as spanish,
        link.session.translation.to("es", "de").stream() as both,
    ):
        await say(link.socket, "hola")
        await say(link.socket, "hallo", stream="translation:all-to-de-DE", translateLanguage="de-DE")

        assert await texts(spanish) == ["hola"]
        assert await texts(both) == ["hola", "hallo"]


async def test_a_transcript_is_no_translation(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        await link.socket.say("hello", stream="transcription:es-ES")

        assert await texts(lines) == []


# Utterances


async def test_an_utterance_has_one_id_until_its_final(autojump_clock: MockClock) -> None:
    """P2 4.4, L5: the cloud sends none."""
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        seen: list[str] = []
        for text, final in (("hola", False), ("hola mundo", False), ("hola mundo", True), ("adiós", True)):
            await say(link.socket, text, final=final)
            seen += [said.utterance_id for said in await heard(lines)]

        assert seen == ["translation-1", "translation-1", "translation-1", "translation-2"]


async def test_each_direction_has_utterances_of_its_own(autojump_clock: MockClock) -> None:
    name = "translation:en-US-to-es-ES"
    async with connected() as link, link.session.translation.between("en", "es").stream() as lines:
        await say(link.socket, "ho", stream=name, final=False)
        await say(link.socket, "h", stream=name, final=False, transcribeLanguage="es-ES", translateLanguage="en-US")
        await say(link.socket, "hola", stream=name)
        found = await heard(lines)

        assert [(said.text, said.utterance_id) for said in found] == [
            ("ho", "translation-1"),
            ("h", "translation-2"),
            ("hola", "translation-1"),
        ]


async def test_a_cloud_that_has_ids_is_believed(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        await say(link.socket, "hola", utteranceId="u9")

        assert [said.utterance_id for said in await heard(lines)] == ["u9"]


async def test_what_was_being_said_when_the_link_was_lost_is_over(autojump_clock: MockClock) -> None:
    """Its final may be lost, and must not be taken for the next one's."""
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        await say(link.socket, "ho", final=False)
        first = await heard(lines)
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.handshake()
        await say(socket, "adiós")
        second = await heard(lines)

        assert [said.utterance_id for said in first + second] == ["translation-1", "translation-2"]


async def test_a_slow_loop_misses_interims_and_no_final(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        for text, final in (("uno", False), ("uno dos", False), ("uno dos tres", True), ("cuatro", False)):
            await say(link.socket, text, final=final)

        assert await texts(lines) == ["uno dos", "uno dos tres", "cuatro"]
        assert lines.statistics().coalesced == 1


async def test_finals_only(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.translation.to("es").stream(interim=False) as lines:
        await say(link.socket, "ho", final=False)
        await say(link.socket, "hola")

        assert await texts(lines) == ["hola"]


async def test_a_loop_that_never_reads_finals_is_told(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        for number in range(257):
            await say(link.socket, str(number))
        assert await texts(lines) == [str(number) for number in range(256)]
        with pytest.raises(SlowConsumerError, match="translation of all-to-es-ES"):
            await anext(lines)


async def test_a_stream_ends_with_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        await say(link.socket, "hola")
        await wait_all_tasks_blocked()
        await link.session.end()

        assert [said.text async for said in lines] == ["hola"]


@pytest.mark.parametrize(
    "data",
    [{}, {"text": "hola"}, {"isFinal": True}, {"text": 5, "isFinal": True}, {"text": "hola", "isFinal": "false"}],
)
async def test_what_is_no_translation_is_counted_and_dropped(
    autojump_clock: MockClock, data: dict[str, object]
) -> None:
    async with connected() as link, link.session.translation.to("es").stream() as lines:
        await link.socket.event(TO_SPANISH, **data)

        assert await texts(lines) == []
        assert link.session.statistics().undecodable == 1
