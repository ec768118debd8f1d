"""What is said, to whom it goes, and what a slow loop misses (P2 3, D10, D19)."""

from typing import cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import EventStream, SlowConsumerError, Transcript
from tests.scripted_cloud import Connected, connected


async def heard(stream: EventStream[Transcript]) -> list[str]:
    """Read all that is there."""
    await wait_all_tasks_blocked()
    texts: list[str] = []
    while stream.statistics().buffered:
        texts.append((await anext(stream)).text)
    return texts


async def subscribed(link: Connected) -> list[str]:
    await wait_all_tasks_blocked()
    subscriptions: list[str] = link.socket.unread()[-1]["subscriptions"]
    return [name for name in subscriptions if name != "augmentos:*"]


# Languages


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ((), ["transcription:auto"]),
        (("auto",), ["transcription:auto"]),
        (("AUTO",), ["transcription:auto"]),
        (("en",), ["transcription:en-US"]),
        (("en-gb",), ["transcription:en-GB"]),
        (("pt_BR",), ["transcription:pt-BR"]),
        (("zh-Hans-CN",), ["transcription:zh-CN"]),
        (("es-419",), ["transcription:es-ES"]),
        ((" ja ",), ["transcription:ja-JP"]),
        (("iw",), ["transcription:he-IL"]),
        (("nb-NO",), ["transcription:no-NO"]),
        (("en", "de", "en-US"), ["transcription:en-US", "transcription:de-DE"]),
        (("auto", "en-GB", "ja"), ["transcription:auto?hints=en%2Cja"]),
        (("fr", "auto"), ["transcription:auto?hints=fr"]),
    ],
)
async def test_what_authors_write_becomes_what_the_cloud_parses(
    autojump_clock: MockClock, tags: tuple[str, ...], names: list[str]
) -> None:
    async with connected() as link, link.session.transcription.stream(*tags):
        assert await subscribed(link) == names


@pytest.mark.parametrize(
    "tag", ["", " ", "english", "e", "en-US-x-private", "xx", "qq-QQ", "en US", "en-US?hints=ja", "*", "all"]
)
async def test_what_is_no_language_is_refused_before_anything_is_sent(autojump_clock: MockClock, tag: str) -> None:
    """An unparseable name would stop the speech of the wearer's other apps (P2 1.4.3)."""
    async with connected() as link:
        with pytest.raises(ValueError, match="language"):
            link.session.transcription.stream("en", tag)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize("hint", ["auto", "english", "xx", ""])
async def test_what_is_no_hint_is_refused(autojump_clock: MockClock, hint: str) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match=r"hint|language"):
            link.session.transcription.stream("en", hints=["de", hint])


async def test_what_is_no_text_is_no_hint(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match="5 is not a language tag"):
            link.session.transcription.stream(hints=[cast("str", 5)])


async def test_a_text_for_hints_is_refused(autojump_clock: MockClock) -> None:
    """It would be a list of letters."""
    async with connected() as link:
        with pytest.raises(TypeError, match="list"):
            link.session.transcription.stream("en", hints="de")


async def test_hints_are_languages_without_a_region(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("auto", hints=("ja-JP", "en", "iw")):
        assert await subscribed(link) == ["transcription:auto?hints=en%2Che%2Cja"]


# Routing


async def test_a_stream_gets_the_events_of_its_language(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.transcription.stream("en") as english,
        link.session.transcription.stream("de") as german,
        link.session.transcription.stream("en", "de") as both,
    ):
        await link.socket.say("hello", stream="transcription:en-US")
        await link.socket.say("hallo", stream="transcription:de-DE")

        assert await heard(english) == ["hello"]
        assert await heard(german) == ["hallo"]
        assert await heard(both) == ["hello", "hallo"]


@pytest.mark.parametrize(
    "name",
    [
        "transcription:en-US",
        "transcription:en-US?hints=ja",
        "transcription:en-US?no-language-identification=true",
        "transcription",
    ],
)
async def test_options_of_a_name_do_not_matter(autojump_clock: MockClock, name: str) -> None:
    """The cloud sends the app's own first string of that language (P2 1.5)."""
    async with connected() as link, link.session.transcription.stream("en") as lines:
        await link.socket.say("hello", stream=name)

        assert await heard(lines) == ["hello"]


async def test_two_streams_of_one_language_each_get_every_event(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.transcription.stream("en") as one,
        link.session.transcription.stream("en") as other,
    ):
        await link.socket.say("hello")

        assert await heard(one) == ["hello"]
        assert await heard(other) == ["hello"]


async def test_an_auto_stream_takes_other_languages_until_it_hears_itself(autojump_clock: MockClock) -> None:
    """They may be all there is; later they are copies of what other apps subscribed (P2 3.5)."""
    async with connected() as link, link.session.transcription.stream() as lines:
        await link.socket.say("un", stream="transcription:fr-FR")
        await link.socket.say("deux", stream="transcription:auto")
        await link.socket.say("two", stream="transcription:fr-FR")
        await link.socket.say("trois", stream="transcription:auto?hints=fr")

        assert await heard(lines) == ["un", "deux", "trois"]
        assert link.session.statistics().foreign_transcripts == 1


async def test_the_next_connection_begins_anew(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream() as lines:
        await link.socket.say("a", stream="transcription:auto")
        await wait_all_tasks_blocked()
        await link.socket.cut()
        socket = await link.next_socket()
        await socket.say("b", stream="transcription:fr-FR")

        assert await heard(lines) == ["a", "b"]


async def test_a_language_of_ones_own_does_not_come_twice(autojump_clock: MockClock) -> None:
    """The `auto` stream of the cloud has a copy of every other stream."""
    async with (
        connected() as link,
        link.session.transcription.stream() as anything,
        link.session.transcription.stream("en") as english,
    ):
        await link.socket.say("hello", stream="transcription:en-US")
        await link.socket.say("hello", stream="transcription:auto")

        assert await heard(anything) == ["hello"]
        assert await heard(english) == ["hello"]


async def test_a_copy_for_another_app_is_dropped_and_counted(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("en") as lines:
        await link.socket.say("bonjour", stream="transcription:fr-FR")

        assert await heard(lines) == []
        assert link.session.statistics().foreign_transcripts == 1


@pytest.mark.parametrize("name", ["transcription:en", "translation:en-US-to-de-DE", "local_transcription", "something"])
async def test_other_names_reach_no_transcription_stream(autojump_clock: MockClock, name: str) -> None:
    async with connected() as link, link.session.transcription.stream("en", "auto") as lines:
        await link.socket.say("hello", stream=name)

        assert await heard(lines) == []
        assert link.session.statistics().unclaimed_events == 1


# What arrives


async def test_an_interim_is_read_in_full(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream() as lines:
        await link.socket.send(
            "data_stream",
            streamType="transcription:auto",
            timestamp="2026-06-14T09:12:33.481Z",
            data={
                "type": "transcription",
                "text": "what time",
                "isFinal": False,
                "utteranceId": "utt_1",
                "speakerId": "1",
                "confidence": 0.9,
                "startTime": 18240,
                "endTime": 19560,
                "transcribeLanguage": "auto",
                "detectedLanguage": "en",
                "provider": "soniox",
                "metadata": {},
            },
        )
        line = await anext(lines)

    assert (line.text, line.is_final, line.utterance_id, line.speaker_id) == ("what time", False, "utt_1", "1")
    assert (line.language, line.confidence, line.provider) == ("en", 0.9, "soniox")
    assert (line.audio_start, line.audio_end) == (18.24, 19.56)
    assert line.sent_at is not None
    assert line.sent_at.isoformat() == "2026-06-14T09:12:33.481000+00:00"
    assert line.received_at.tzinfo is not None


async def test_a_transcript_needs_text_and_finality_only(autojump_clock: MockClock) -> None:
    """Another recogniser sends little more (P2 3.3.3)."""
    async with connected() as link, link.session.transcription.stream("zh") as lines:
        await link.socket.event("transcription:zh-CN", text="你好", isFinal=True)
        line = await anext(lines)

    assert (line.text, line.language, line.utterance_id, line.audio_start) == ("你好", "zh-CN", None, None)


async def test_an_event_that_cannot_be_read_is_counted_and_costs_no_other(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("en") as lines:
        await link.socket.event("transcription:en-US", text=5, isFinal=True)
        await link.socket.send("data_stream", streamType="transcription:en-US", data="text")
        await link.socket.say("fine")

        assert await heard(lines) == ["fine"]
        assert link.session.statistics().undecodable == 2


# Slow loops


async def test_unread_interims_of_an_utterance_replace_each_other(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("en") as lines:
        for text in ("what", "what time", "what time is"):
            await link.socket.say(text, final=False, utterance="a")
        await link.socket.say("hel", final=False, utterance="b")
        await link.socket.say("what time is it", final=False, utterance="a")
        await link.socket.say("What time is it?", final=True, utterance="a")

        assert await heard(lines) == ["what time is it", "hel", "What time is it?"]
        assert lines.statistics().coalesced == 3
        assert lines.statistics().dropped == 0


async def test_interims_without_an_id_replace_each_other(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("zh", "en") as lines:
        await link.socket.say("a", final=False, utterance=None, stream="transcription:zh-CN")
        await link.socket.say("b", final=False, utterance=None, stream="transcription:en-US")
        await link.socket.say("ab", final=False, utterance=None, stream="transcription:zh-CN")

        assert await heard(lines) == ["ab", "b"]


@pytest.mark.parametrize("utterance", [None, "", "u1"])
async def test_what_is_said_after_a_final_does_not_come_before_it(
    autojump_clock: MockClock, utterance: str | None
) -> None:
    """Not all recognisers give ids, and an interim may come late (P2 3.3.3)."""
    async with connected() as link, link.session.transcription.stream("en") as lines:
        for text, final in [("hel", False), ("Hello.", True), ("how", False), ("how are", False)]:
            await link.socket.say(text, final=final, utterance=utterance)

        assert await heard(lines) == ["hel", "Hello.", "how are"]
        assert lines.statistics().coalesced == 1


async def test_a_final_is_never_dropped(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("en") as lines:
        for number in range(256):
            await link.socket.say(f"interim {number}", final=False, utterance=str(number))
        for number in range(256):
            await link.socket.say(str(number), utterance=str(number))

        assert await heard(lines) == [str(number) for number in range(256)]


async def test_too_many_finals_end_the_stream_after_the_last_of_them(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("en") as lines:
        for number in range(300):
            await link.socket.say(str(number), utterance=str(number))

        assert await heard(lines) == [str(number) for number in range(256)]
        with pytest.raises(SlowConsumerError, match="en-US"):
            await anext(lines)
        assert lines.statistics().dropped == 300 - 256


async def test_finals_only(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("en", interim=False) as lines:
        for number in range(1000):
            await link.socket.say(f"{number}", final=False, utterance=str(number))
        await link.socket.say("done")

        assert await heard(lines) == ["done"]
        assert lines.statistics().received == 1


async def test_a_slow_stream_costs_a_quick_one_nothing(autojump_clock: MockClock) -> None:
    seen: list[str] = []

    async with connected() as link, link.session.transcription.stream("en") as slow, trio.open_nursery() as nursery:

        async def follow() -> None:
            async with link.session.transcription.stream("en") as quick:
                async for line in quick:
                    seen.append(line.text)  # noqa: PERF401 - to see it while the loop runs

        nursery.start_soon(follow)
        await wait_all_tasks_blocked()
        for number in range(300):
            await link.socket.say(str(number), utterance=str(number))
            await wait_all_tasks_blocked()

        assert seen == [str(number) for number in range(300)]
        assert slow.statistics().buffered == 256
        nursery.cancel_scope.cancel()
