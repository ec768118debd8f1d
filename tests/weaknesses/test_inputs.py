"""Traps of what the cloud sends to apps, one by one: `test_p2_t5_...` is T5 of P2 3.6, `test_p2_1_5_...` a trap of
P2 1.5. The list is in `test_every_one.py`.
"""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import EventStream, Gap, MentraSession, Transcript
from tests.scripted_cloud import Connected, connected
from tests.weaknesses.simulated import open_simulated


async def texts(stream: EventStream[Transcript]) -> list[str]:
    """Read what is there."""
    await wait_all_tasks_blocked()
    found: list[str] = []
    while stream.statistics().buffered:
        found.append((await anext(stream)).text)
    return found


async def last_list(link: Connected) -> list[str]:
    """Give the newest list of subscriptions, without what every list has."""
    await wait_all_tasks_blocked()
    updates = [message for _, message in link.socket.received if message["type"] == "subscription_update"]
    return [name for name in updates[-1]["subscriptions"] if name != "augmentos:*"]


# 1 Envelopes, subscriptions, dispatch


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "7", '"data_stream"', "{}", '{"type": 5}', '{"type": "never_heard_of"}', "\ufeff{}"]
)
async def test_p2_1_1_a_frame_that_is_no_message_costs_nothing(autojump_clock: MockClock, text: str) -> None:
    """P2 1.1: invalid JSON is an `error` event there, and a frame without a type gets as far as the router."""
    async with connected() as link, link.session.device.buttons.stream() as presses:
        await link.socket.send_text(text)
        await link.socket.event("button_press", buttonId="main", pressType="short")

        assert (await anext(presses)).button_id == "main"
        counts = link.session.statistics()
        assert counts.undecodable + counts.unknown_messages == 1
        assert link.socket.is_open


async def test_p2_1_2_an_envelope_needs_no_session_and_no_time(autojump_clock: MockClock) -> None:
    """P2 1.2: `photo_taken` has neither."""
    async with connected() as link, link.session.raw.stream("photo_taken") as photos:
        await link.socket.send_text('{"type": "data_stream", "streamType": "photo_taken", "data": {"photoData": "aa"}}')
        photo = await anext(photos)

        assert photo.data == {"photoData": "aa"}
        assert photo.sent_at is None


async def test_p2_1_2_an_envelope_without_data_is_its_own_payload(autojump_clock: MockClock) -> None:
    """P2 1.2: some events come that way."""
    async with connected() as link, link.session.device.buttons.stream() as presses:
        await link.socket.send("data_stream", streamType="button_press", buttonId="main", pressType="long")

        assert (await anext(presses)).button_id == "main"


async def test_p2_1_2_keys_that_nobody_knows_are_ignored(autojump_clock: MockClock) -> None:
    """P2 1.2: relays pass the phone's message on verbatim, unknown keys and all."""
    async with connected() as link, link.session.device.buttons.stream() as presses:
        await link.socket.event(
            "button_press", type="button_press", buttonId="main", pressType="short", novel={"a": [1]}
        )

        assert (await anext(presses)).button_id == "main"
        assert link.session.statistics().faulty_fields == 0


async def test_p2_1_3_top_level_news_need_no_session_and_no_time(autojump_clock: MockClock) -> None:
    """P2 1.3: `capabilities_update` has neither, `device_state_update` no session."""
    async with connected() as link:
        await link.socket.send_text('{"type": "capabilities_update", "capabilities": {"modelName": "Mentra Live"}}')
        await link.socket.send_text('{"type": "device_state_update", "state": {"batteryLevel": 5}}')
        await wait_all_tasks_blocked()
        device = link.session.device

        assert device.capabilities.value is not None
        assert device.capabilities.value.model_name == "Mentra Live"
        assert device.state.value.battery_level == 5


async def test_p2_1_4_1_nothing_is_subscribed_before_the_ack(autojump_clock: MockClock) -> None:
    """P2 1.4.1: the cloud takes a list only for an app that is attached."""
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        async with link.session.mic.stream():
            await trio.sleep(3)
            assert socket.unread() == []
            await socket.ack()

            assert (await socket.expect("subscription_update"))["subscriptions"] == ["audio_chunk", "augmentos:*"]


async def test_p2_1_4_1_every_ack_is_followed_by_the_full_list_whatever_it_echoes(autojump_clock: MockClock) -> None:
    """P2 1.4.1: the echo in the ack leaves out what a list can hold, and the list replaces what was there."""
    async with connected() as link, link.session.mic.stream():
        await link.socket.cut()
        socket = await link.cloud.accept()
        update = await socket.handshake(subscriptions=["audio_chunk", "augmentos:*"])

        assert update["subscriptions"] == ["audio_chunk", "augmentos:*"]


async def test_p2_1_4_1_changes_of_one_moment_are_one_message(autojump_clock: MockClock) -> None:
    """P2 1.4.1: each list makes the cloud start and stop recognisers."""
    async with connected() as link:
        session = link.session
        streams = [iter_of(stream) for stream in (session.mic.stream(), session.device.buttons.stream())]
        streams[0].close()
        await wait_all_tasks_blocked()

        assert [message["subscriptions"] for message in link.socket.unread()] == [["button_press", "augmentos:*"]]
        streams[1].close()


async def test_p2_1_4_1_streams_that_open_one_after_another_are_one_message(autojump_clock: MockClock) -> None:
    """P2 1.4.1: one block of three streams is one wish, although each of them waits for its turn."""
    async with connected() as link:
        session = link.session
        async with session.mic.stream(), session.device.buttons.stream(), session.device.head.stream():
            await wait_all_tasks_blocked()

            assert [message["subscriptions"] for message in link.socket.unread()] == [
                ["audio_chunk", "button_press", "head_position", "augmentos:*"]
            ]


def iter_of(stream: EventStream[object]) -> EventStream[object]:
    """Open a stream without a checkpoint, as a bare `async for` does."""
    return stream.__aiter__()


async def test_p2_1_4_1_the_list_is_never_empty(autojump_clock: MockClock) -> None:
    """P2 1.4.1: for 8 s the cloud ignores an empty one of a socket that it takes for an old SDK's (P1 2.6)."""
    async with connected() as link:
        async with link.session.mic.stream():
            pass
        await wait_all_tasks_blocked()

        assert [message["subscriptions"] for message in link.socket.unread()][-1] == ["augmentos:*"]


async def test_p2_1_4_1_a_stream_tells_where_events_were_lost(autojump_clock: MockClock) -> None:
    """P2 1.4.1: nothing is buffered for an app whose socket is down, and nobody says so."""
    async with connected() as link, link.session.transcription.stream("en").with_gaps() as lines:
        await link.socket.say("before")
        await wait_all_tasks_blocked()
        link.cloud.is_unreachable = True
        await link.socket.cut()
        await trio.sleep(3)
        link.cloud.is_unreachable = False
        socket = await link.next_socket()
        await socket.say("after")
        with trio.fail_after(1):
            found = [await anext(lines) for _ in range(3)]

        assert isinstance(found[1], Gap)
        assert found[1].seconds >= 3


@pytest.mark.parametrize(
    ("hints", "name"),
    [
        (["ja"], "transcription:en-US?hints=ja"),
        (["ja", "en"], "transcription:en-US?hints=en%2Cja"),
        (["zh-Hans", "ja", "ja-JP"], "transcription:en-US?hints=ja%2Czh"),
    ],
)
async def test_p2_1_4_2_options_are_spelled_once_and_found_again(
    autojump_clock: MockClock, hints: list[str], name: str
) -> None:
    """P2 1.4.2: the cloud delivers under the string that was subscribed, or under its own spelling of it."""
    async with connected() as link, link.session.transcription.stream("en", hints=hints) as speech:
        assert await last_list(link) == [name]
        await link.socket.say("a", stream=name)
        await link.socket.say("b", stream=name.replace("%2C", ","))

        assert await texts(speech) == ["a", "b"]


POISON = [
    "transcription:en",
    "transcription:xx-YY",
    "transcription:zh-Hans-CN",
    "transcription:es-419",
    "translation",
    "translation:en-ja",
    "translation:auto-es",
    "translation:auto-to-es-ES",
    "translation:all-to-es",
    "translation:fr-FR-to-fr-CA",
    "local_transcription",
]


@pytest.mark.parametrize("name", POISON)
async def test_p2_1_4_3_a_poison_string_never_reaches_the_cloud(autojump_clock: MockClock, name: str) -> None:
    """P2 1.4.3, P2 2: it stops speech, location and calendar of the wearer's other apps, and nobody is told."""
    async with connected() as link, link.session.mic.stream():
        with pytest.raises(ValueError, match="other apps"):
            link.session.raw.stream(name)

        assert await last_list(link) == ["audio_chunk"]


async def test_p2_1_4_3_odd_languages_of_an_author_poison_nobody(autojump_clock: MockClock) -> None:
    """P2 1.4.3: what an author writes without thinking of the cloud, in a cloud that would be poisoned."""

    async def handler(session: MentraSession) -> None:
        speech = session.transcription
        streams = [speech.stream(tag) for tag in ("en", "es-419", "zh-Hans-CN", "PT_br", "iw", "nb-NO")]
        for tag in ("xx", "english", "en-US-x-private", ""):
            with pytest.raises(ValueError, match="language"):
                speech.stream(tag)
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(follow, stream)

    async def follow(stream: EventStream[Transcript]) -> None:
        async with stream:
            heard.extend([line.text async for line in stream if line.is_final])

    heard: list[str] = []
    async with open_simulated(handler) as world:
        await world.user.wait_listener()
        await world.user.say("good morning")
        await trio.sleep(5)

    assert heard == ["good morning"]


@pytest.mark.parametrize(
    ("subscribed", "delivered"),
    [
        ("location_stream", "location_update"),
        ("location_update", "location_update"),
        ("touch_event", "touch_event:double_tap"),
        ("touch_event", "touch_event"),
        ("touch_event:double_tap", "touch_event:double_tap"),
        ("transcription", "transcription:en-US"),
        ("transcription:en-US?hints=ja", "transcription:en-US?hints=ja"),
        ("translation:en-US-to-de-DE", "translation:en-US-to-de-DE?no-language-identification=true"),
        ("VAD", "VAD"),
        ("rgb_led_control_response", "rgb_led_control_response"),
        ("a word of a later cloud", "a word of a later cloud"),
    ],
)
async def test_p2_1_5_an_event_finds_its_stream_under_the_name_it_comes_with(
    autojump_clock: MockClock, subscribed: str, delivered: str
) -> None:
    """P2 1.5, P2 2: it is not always the string that was subscribed."""
    async with connected() as link, link.session.raw.stream(subscribed) as events:
        await link.socket.event(delivered, value=1)
        with trio.fail_after(1):
            event = await anext(events)

        assert (event.stream_type, event.data) == (delivered, {"value": 1})
        assert await last_list(link) == [subscribed]


async def test_p2_d1_a_loop_that_leaves_costs_the_others_no_event(autojump_clock: MockClock) -> None:
    """P2 1.6 D1: a handler that removes itself makes the next one be skipped."""
    heard: list[str] = []

    async with connected() as link, trio.open_nursery() as nursery:

        async def follow(name: str, limit: int) -> None:
            async with link.session.device.buttons.stream() as presses:
                heard.extend([f"{name}{(await anext(presses)).button_id}" for _ in range(limit)])

        for name, limit in (("A", 1), ("B", 2), ("C", 2)):
            nursery.start_soon(follow, name, limit)
        await wait_all_tasks_blocked()
        for number in range(2):
            await link.socket.event("button_press", buttonId=str(number), pressType="short")
            await wait_all_tasks_blocked()

    assert sorted(heard) == ["A0", "B0", "B1", "C0", "C1"]


async def test_p2_d1_a_stream_that_another_loop_closes_costs_the_others_no_event(autojump_clock: MockClock) -> None:
    """P2 1.6 D1: the same, when it happens while the events of one frame batch are handed out."""
    async with connected() as link:
        streams = [link.session.device.buttons.stream() for _ in range(3)]
        async with streams[0], streams[1], streams[2]:
            for number in range(4):
                await link.socket.event("button_press", buttonId=str(number), pressType="short")
            await anext(streams[0])
            streams[0].close()
            await wait_all_tasks_blocked()

            assert [stream.statistics().buffered for stream in streams[1:]] == [4, 4]


@pytest.mark.parametrize("query", ["", "?hints=en,ja", "?hints=en%2Cja&no-language-identification=true", "?", "?x"])
async def test_p2_d2_options_of_a_name_do_not_matter(autojump_clock: MockClock, query: str) -> None:
    """P2 1.6 D2: they make exact matching fail, so `forLanguage` hears nothing."""
    async with (
        connected() as link,
        link.session.transcription.stream("en") as speech,
        link.session.raw.stream("button_press") as presses,
    ):
        await link.socket.say("hello", stream=f"transcription:en-US{query}")
        await link.socket.event(f"button_press{query}", buttonId="main", pressType="short")

        assert await texts(speech) == ["hello"]
        assert presses.statistics().buffered == 1


async def test_p2_d3_the_open_streams_are_the_only_source_of_the_list(autojump_clock: MockClock) -> None:
    """P2 1.6 D3: what is stored beside the handlers drifts away from them."""
    async with connected() as link:
        session = link.session
        sources = {
            "audio_chunk": session.mic.stream,
            "button_press": session.device.buttons.stream,
            "head_position": session.device.head.stream,
            "transcription:auto": session.transcription.stream,
        }
        open_streams: list[tuple[str, EventStream[object]]] = []
        for number in range(40):
            name = list(sources)[number * 7 % 4]
            if number % 3 == 2:
                open_streams.pop(number % len(open_streams))[1].close()
            else:
                open_streams.append((name, iter_of(sources[name]())))

            assert set(await last_list(link)) == {name for name, _ in open_streams}
        for _, stream in open_streams:
            stream.close()
        assert await last_list(link) == []


async def test_p2_d4_a_stream_without_a_manager_can_be_had(autojump_clock: MockClock) -> None:
    """P2 1.6 D4: an app has to wait for a release of the SDK for every new stream."""
    async with connected() as link, link.session.raw.stream("glasses_battery_update") as events:
        await link.socket.event("glasses_battery_update", level=80)

        assert (await anext(events)).data == {"level": 80}
        assert await last_list(link) == ["glasses_battery_update"]


# 2 The table of streams


@pytest.mark.parametrize("name", ["all", "*"])
async def test_p2_2_nobody_takes_everything(autojump_clock: MockClock, name: str) -> None:
    """P2 2: `all` and `*` bypass every permission that the wearer gave."""
    async with connected() as link:
        with pytest.raises(ValueError, match="permissions"):
            link.session.raw.stream(name)

        assert await last_list(link) == []


async def test_p2_2_system_settings_are_no_stream(autojump_clock: MockClock) -> None:
    """P2 2: subscribed like one, delivered as a message of its own; a loop over it would wait for ever."""
    async with connected() as link:
        with pytest.raises(ValueError, match=r"settings\.system"):
            link.session.raw.stream("augmentos:brightness")
        await link.socket.send("augmentos_settings_update", settings={"brightness": 7})
        await wait_all_tasks_blocked()

        assert link.session.settings.system.value.brightness == 7


async def test_p2_2_a_status_that_comes_as_message_and_as_event_is_one_event(autojump_clock: MockClock) -> None:
    """P2 2: the owner of a stream gets `stream_status` at top level, and again as a subscriber."""
    async with connected() as link, link.session.raw.stream("stream_status") as events:
        await link.socket.send("stream_status", streamId="1", status="active")
        await link.socket.event("stream_status", streamId="1", status="active")
        await wait_all_tasks_blocked()

        assert events.statistics().received == 1


# 3 Transcription


async def test_p2_3_3_1_a_text_is_the_whole_utterance_also_when_steps_are_skipped(autojump_clock: MockClock) -> None:
    """P2 3.3.1: no deltas. A loop that adds texts up, or misses a step, would show nonsense."""
    async with connected() as link, link.session.transcription.stream("en") as speech:
        for text in ("good", "good mor", "good morning"):
            await link.socket.say(text, final=False)

        assert await texts(speech) == ["good morning"]


async def test_p2_3_3_2_a_final_without_confidence_is_read(autojump_clock: MockClock) -> None:
    """P2 3.3.2: only interims carry one."""
    async with connected() as link, link.session.transcription.stream("en") as speech:
        await link.socket.say("hi", final=True)
        line = await anext(speech)

        assert (line.text, line.confidence) == ("hi", None)


async def test_p2_3_3_3_a_recogniser_that_tells_next_to_nothing_is_enough(autojump_clock: MockClock) -> None:
    """P2 3.3.3: in China there are no utterance ids, speakers or detected languages."""
    async with connected() as link, link.session.transcription.stream("zh") as speech:
        data = {"type": "transcription", "text": "ni hao", "isFinal": True, "startTime": 0, "endTime": 5, "duration": 5}
        await link.socket.event("transcription:zh-CN", **data)
        line = await anext(speech)

        assert (line.text, line.utterance_id, line.speaker_id, line.language) == ("ni hao", None, None, "zh-CN")


async def test_p2_3_3_4_speech_that_the_phone_recognised_is_speech_too(autojump_clock: MockClock) -> None:
    """P2 3.3.4: another `type` inside, and the speaker is a number."""
    async with connected() as link, link.session.transcription.stream("en") as speech:
        await link.socket.say("hello", type="local_transcription", speakerId=1, provider="local", utterance=None)
        line = await anext(speech)

        assert (line.text, line.speaker_id, line.provider) == ("hello", "1", "local")


async def test_p2_3_5_utterances_may_overlap(autojump_clock: MockClock) -> None:
    """P2 3.5: the next one's first words come before the final of the one before."""
    async with connected() as link, link.session.transcription.stream("en") as speech:
        await link.socket.say("good", final=False, utterance="1")
        await link.socket.say("how", final=False, utterance="2")
        await link.socket.say("Good morning.", utterance="1")
        await link.socket.say("How are you?", utterance="2")
        await wait_all_tasks_blocked()
        lines = [await anext(speech) for _ in range(4)]

        assert [(line.utterance_id, line.text, line.is_final) for line in lines] == [
            ("1", "good", False),
            ("2", "how", False),
            ("1", "Good morning.", True),
            ("2", "How are you?", True),
        ]


@pytest.mark.parametrize(("tag", "name"), [("en", "transcription:en-US"), ("DE", "transcription:de-DE")])
async def test_p2_t1_a_bare_language_gets_its_region(autojump_clock: MockClock, tag: str, name: str) -> None:
    """P2 3.6 T1: `transcription:en` cannot be parsed: no data, no microphone, no error."""
    async with connected() as link, link.session.transcription.stream(tag):
        assert await last_list(link) == [name]


async def test_p2_t2_what_cannot_be_parsed_is_refused_at_the_call(autojump_clock: MockClock) -> None:
    """P2 3.6 T2: before anything is sent, and with a text that says what to write."""
    async with connected() as link:
        with pytest.raises(ValueError, match="'en-US' or 'auto'"):
            link.session.transcription.stream("english please")

        assert await last_list(link) == []


async def test_p2_t3_hints_are_part_of_the_name(autojump_clock: MockClock) -> None:
    """P2 3.6 T3: `configure()` does nothing."""
    async with connected() as link, link.session.transcription.stream(hints=["en", "ja"]):
        assert await last_list(link) == ["transcription:auto?hints=en%2Cja"]


async def test_p2_t4_the_same_speech_arrives_once(autojump_clock: MockClock) -> None:
    """P2 3.6 T4, P2 3.5: an `auto` stream also gets the copies that were made for other apps' languages."""
    async with connected() as link:
        speech = link.session.transcription
        async with speech.stream() as every, speech.stream("en") as english:
            for round_ in "ab":
                await link.socket.say(f"auto {round_}", utterance=f"1{round_}", stream="transcription:auto")
                await link.socket.say(f"en {round_}", utterance=f"2{round_}", stream="transcription:en-US")
                await link.socket.say(f"fr {round_}", utterance=f"3{round_}", stream="transcription:fr-FR")

            assert await texts(every) == ["auto a", "auto b"]
            assert await texts(english) == ["en a", "en b"]
            assert link.session.statistics().foreign_transcripts == 2


async def test_p2_t5_a_name_with_hints_reaches_its_stream(autojump_clock: MockClock) -> None:
    """P2 3.6 T5: `streamType` carries the query of the subscription, and misses the exact key."""
    async with connected() as link, link.session.transcription.stream("en", hints=["ja"]) as speech:
        (name,) = await last_list(link)
        await link.socket.say("hello", stream=name)

        assert await texts(speech) == ["hello"]


async def test_p2_t6_times_of_another_base_are_not_given_as_times_of_the_sound(autojump_clock: MockClock) -> None:
    """P2 3.6 T6: interims count from the start of the recogniser, finals in the calendar."""
    async with connected() as link, link.session.transcription.stream("en") as speech:
        await link.socket.say("a", final=False, startTime=18240, endTime=19560)
        interim = await anext(speech)
        await link.socket.send(
            "data_stream",
            streamType="transcription:en-US",
            timestamp="2026-06-14T09:12:36.021Z",
            data={"text": "a", "isFinal": True, "startTime": 1781428356020, "endTime": 1781428357020},
        )
        final = await anext(speech)

        assert (interim.audio_start, interim.audio_end) == (18.24, 19.56)
        assert (final.audio_start, final.audio_end) == (None, None)
        assert final.sent_at is not None
        assert final.sent_at.isoformat() == "2026-06-14T09:12:36.021000+00:00"


async def test_p2_t7_utterances_that_never_end_take_no_room_for_ever(autojump_clock: MockClock) -> None:
    """P2 3.6 T7: merged utterances leave ids without a final."""
    async with connected() as link, link.session.transcription.stream("en") as speech:
        for number in range(2000):
            await link.socket.say("orphan", final=False, utterance=f"u{number}")
        await link.socket.say("the end", utterance="last")
        await link.socket.frame_ping()
        found = await texts(speech)

        assert len(found) == 256
        assert found[-1] == "the end"
        assert speech.statistics().dropped == 2001 - 256


async def test_p2_t8_later_hints_are_told_for_the_next_recogniser(autojump_clock: MockClock) -> None:
    """P2 3.6 T8: they count when a recogniser is made; the list must have them by then."""
    async with connected() as link:
        speech = link.session.transcription
        async with speech.stream("en"):
            assert await last_list(link) == ["transcription:en-US"]
            async with speech.stream("en", hints=["ja"]):
                assert await last_list(link) == ["transcription:en-US?hints=ja"]


async def test_p2_t9_one_language_has_one_string(autojump_clock: MockClock) -> None:
    """P2 3.6 T9: of two strings only the first is ever delivered under, so the other's stream is deaf."""
    async with connected() as link:
        speech = link.session.transcription
        async with (
            speech.stream("en", hints=["ja"]) as one,
            speech.stream("en-US", hints=["fr"]) as other,
            link.session.raw.stream("transcription:en-US?hints=de") as raw,
        ):
            (name,) = await last_list(link)
            await link.socket.say("hello", stream=name)

            assert name == "transcription:en-US?hints=de%2Cfr%2Cja"
            assert await texts(one) == await texts(other) == ["hello"]
            assert raw.statistics().buffered == 1


async def test_p2_t10_a_loop_may_look_for_silence_and_miss_nothing(autojump_clock: MockClock) -> None:
    """P2 3.6 T10: a recogniser that failed says nothing, so an app has to be able to wait with a limit."""
    async with connected() as link, link.session.transcription.stream("en") as speech:
        for _ in range(10):
            with trio.move_on_after(60) as patience:
                await anext(speech)
            assert patience.cancelled_caught
        await link.socket.say("back again")

        assert (await anext(speech)).text == "back again"


async def test_p2_t12_a_stream_that_closes_takes_its_own_hints_alone(autojump_clock: MockClock) -> None:
    """P2 3.6 T12: `stop()` forgets the configuration of everybody."""
    async with connected() as link:
        speech = link.session.transcription
        async with speech.stream("en", hints=["ja"]):
            async with speech.stream("en", hints=["fr"]):
                assert await last_list(link) == ["transcription:en-US?hints=fr%2Cja"]
            assert await last_list(link) == ["transcription:en-US?hints=ja"]
            await link.socket.cut()
            update = await (await link.cloud.accept()).handshake()

            assert update["subscriptions"] == ["transcription:en-US?hints=ja", "augmentos:*"]
