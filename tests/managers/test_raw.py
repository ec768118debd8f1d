"""The way around the managers, and what it refuses (D18)."""

import pytest
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import EventStream, RawEvent
from tests.scripted_cloud import PACKAGE, SESSION, connected


async def events(stream: EventStream[RawEvent]) -> list[tuple[str, object]]:
    await wait_all_tasks_blocked()
    found: list[tuple[str, object]] = []
    while stream.statistics().buffered:
        event = await anext(stream)
        found.append((event.stream_type, event.data))
    return found


@pytest.mark.parametrize(
    "name",
    [
        "all",
        "*",
        "",
        " button_press",
        "button\npress",
        "transcription:en",
        "transcription:xx-YY",
        "transcription:",
        "transcription:zh-Hans-CN",
        "translation",
        "translation:en-ja",
        "translation:auto-to-es-ES",
        "local_transcription",
        "my_translation",
        "augmentos:*",
        "audio_chunk",
        "audio_chunk?rate=8000",
    ],
)
async def test_a_name_that_harms_or_leads_nowhere_is_refused(autojump_clock: MockClock, name: str) -> None:
    """Everything would pass the wearer's permissions; a poison string stops the speech of other apps (P2 1.4.3)."""
    async with connected() as link:
        with pytest.raises(ValueError, match=r"stream|cloud|permissions"):
            link.session.raw.stream(name)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize(
    ("name", "arrives"),
    [
        ("phone_notification", "phone_notification"),
        ("VAD", "VAD"),
        ("something_new", "something_new"),
        ("touch_event", "touch_event"),
        ("touch_event", "touch_event:double_tap"),
        ("touch_event:double_tap", "touch_event:double_tap"),
        ("transcription:en-US", "transcription:en-US"),
        ("transcription:en-US", "transcription:en-US?hints=ja"),
        ("transcription", "transcription:en-US"),
        ("translation:en-US-to-de-DE", "translation:en-US-to-de-DE"),
        ("location_update", "location_update"),
        ("location_stream", "location_update"),
        ("button_press", "button_press"),
    ],
)
async def test_a_stream_gets_the_events_of_its_name(autojump_clock: MockClock, name: str, arrives: str) -> None:
    async with connected() as link, link.session.raw.stream(name) as stream:
        assert name in (await link.socket.expect("subscription_update"))["subscriptions"]
        await link.socket.event(arrives, a=1)
        await link.socket.event("other", a=2)

        assert await events(stream) == [(arrives, {"a": 1})]


async def test_another_gesture_is_another_stream(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.raw.stream("touch_event:double_tap") as stream:
        await link.socket.event("touch_event:single_tap")

        assert await events(stream) == []
        assert link.session.statistics().unclaimed_events == 1


async def test_an_event_without_data_is_its_own_data(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.raw.stream("custom") as stream:
        await link.socket.send("data_stream", streamType="custom", value=5)

        assert await events(stream) == [("custom", {"type": "data_stream", "streamType": "custom", "value": 5})]


async def test_raw_and_typed_streams_stand_side_by_side(autojump_clock: MockClock) -> None:
    async with (
        connected() as link,
        link.session.raw.stream("button_press") as raw,
        link.session.device.buttons.stream() as typed,
    ):
        await link.socket.event("button_press", buttonId="a", extra=1)

        assert await events(raw) == [("button_press", {"buttonId": "a", "extra": 1})]
        assert (await anext(typed)).button_id == "a"


async def test_the_newest_events_are_kept(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.raw.stream("custom") as stream:
        for number in range(300):
            await link.socket.event("custom", number=number)

        assert (await events(stream))[0] == ("custom", {"number": 44})
        assert stream.statistics().dropped == 44


async def test_messages_yields_every_message_beside_its_handling(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.raw.messages() as messages:
        await link.socket.send("device_state_update", state={"batteryLevel": 5})
        await link.socket.send("something_new", x=1)
        await link.socket.send_text('{"no": "type"}')
        await link.socket.send_text("nonsense")
        await link.socket.send("pong")
        await wait_all_tasks_blocked()
        found = [await anext(messages) for _ in range(4)]

        assert [message.type for message in found] == ["device_state_update", "something_new", "", "pong"]
        assert found[1].fields == {"type": "something_new", "x": 1}
        assert found[1].received_at.tzinfo is not None
        assert link.session.device.state.value.battery_level == 5


async def test_the_handshakes_of_later_sockets_are_messages_too(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.raw.messages() as messages:
        await link.socket.cut()
        await link.next_socket()

        assert (await anext(messages)).type == "reconnect_ack"


async def test_messages_needs_no_subscription(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.raw.messages():
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_a_message_is_sent_as_it_was_given(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with assert_checkpoints():
            await link.session.raw.send("custom", a=1, b=[None, True], c={"d": "é"})
        message = await link.socket.next()

    assert message.pop("timestamp").endswith("Z")
    assert message == {
        "type": "custom",
        "packageName": PACKAGE,
        "sessionId": SESSION,
        "a": 1,
        "b": [None, True],
        "c": {"d": "é"},
    }


async def test_a_time_of_ones_own_wins(autojump_clock: MockClock) -> None:
    """The rest of the envelope may be spelled as well."""
    envelope = {"type": "custom", "sessionId": SESSION, "timestamp": 5, "packageName": PACKAGE}
    async with connected() as link:
        await link.session.raw.send("custom", **{key: value for key, value in envelope.items() if key != "type"})

        assert await link.socket.next() == envelope


@pytest.mark.parametrize(
    ("field", "value"),
    [("packageName", "com.example.other"), ("packageName", None), ("sessionId", "another"), ("type", "another")],
)
async def test_nobody_speaks_for_another_app_or_session(
    autojump_clock: MockClock, field: str, value: str | None
) -> None:
    """The cloud takes whose message it is from these fields (P1 0)."""
    async with connected() as link:
        with pytest.raises(ValueError, match=f"'{field}' is not yours"):
            await link.session.raw.send("custom", **{field: value})
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_a_message_needs_a_type(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="needs a type, such as"):
            await link.session.raw.send("")


@pytest.mark.parametrize(
    "name", ["tpa_connection_init", "reconnect", "subscription_update", "ownership_release", "ping", "pong"]
)
async def test_the_connections_own_messages_are_refused(autojump_clock: MockClock, name: str) -> None:
    """They would take the machine's decisions out of its hands."""
    async with connected() as link:
        with pytest.raises(ValueError, match="connection itself"):
            await link.session.raw.send(name)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize("name", [5, None, b"button_press", ["a"]])
async def test_a_name_is_text(autojump_clock: MockClock, name: str) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match=r"message type is .*, not text"):
            await link.session.raw.send(name)
        with pytest.raises(TypeError, match=r"stream name is .*, not text"):
            link.session.raw.stream(name)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []
