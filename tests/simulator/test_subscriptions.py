"""Who gets which event, under which name (P1 4, P2 1.4, 1.5, appendix B)."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from mentra_trio.simulator.subscriptions import (
    Entries,
    MalformedSubscriptionsError,
    SubscriptionSet,
    is_poison,
    read_entries,
    required_permission,
)

from .apps import ALPHA, BETA, World, settle, world


def names(world_: World, package_name: str = ALPHA) -> tuple[str, ...]:
    app = world_.user.app(package_name)
    assert app is not None
    return app.subscriptions.names


@pytest.mark.parametrize(
    ("subscriptions", "expected"),
    [
        (["button_press", "head_position", "button_press"], Entries(("button_press", "head_position"))),
        (["transcription"], Entries(("transcription:en-US",))),
        ([{"stream": "location_stream", "rate": "high"}], Entries(("location_stream",), "high")),
        ([{"stream": "location_stream"}], Entries(("location_stream",))),
        ([{"stream": "location_stream", "rate": "high"}, "location_stream"], Entries(("location_stream",))),
        ([{"stream": "button_press"}, None, 5, ["x"], "made_up"], Entries(("made_up",))),
        ("abca", Entries(("a", "b", "c"))),
        ([], Entries()),
    ],
)
def test_p1_4_1_a_list_is_read_as_the_cloud_does(subscriptions: object, expected: Entries) -> None:
    assert read_entries(subscriptions) == expected


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_p1_4_2_any_json_is_read_or_malformed(subscriptions: object) -> None:
    try:
        read_entries(subscriptions)
    except MalformedSubscriptionsError as error:
        assert not isinstance(subscriptions, list | str)
        assert "Invalid subscription type" in str(error)  # noqa: PT017 - reading and refusing are both right


@pytest.mark.parametrize(
    ("name", "permission"),
    [
        ("audio_chunk", "MICROPHONE"),
        ("transcription:en-US?hints=ja", "MICROPHONE"),
        ("translation:all-to-es-ES", "MICROPHONE"),
        ("translation", "MICROPHONE"),
        ("VAD", "MICROPHONE"),
        ("location_update", "LOCATION"),
        ("calendar_event", "CALENDAR"),
        ("photo_taken", "CAMERA"),
        ("phone_notification", "READ_NOTIFICATIONS"),
        ("location_stream", None),
        ("transcription:english", None),
        ("button_press", None),
        ("*", None),
    ],
)
def test_p1_4_3_which_stream_needs_which_permission(name: str, permission: str | None) -> None:
    assert required_permission(name) == permission


@pytest.mark.parametrize(
    ("permissions", "kept"),
    [
        (frozenset[str](), ("button_press",)),
        (frozenset({"ALL"}), ("button_press", "phone_notification", "VAD")),
        (frozenset({"NOTIFICATIONS"}), ("button_press", "phone_notification")),
        (frozenset({"MICROPHONE"}), ("button_press", "VAD")),
    ],
)
def test_p1_4_3_what_may_not_be_had_is_dropped(permissions: frozenset[str], kept: tuple[str, ...]) -> None:
    entries = Entries(("button_press", "phone_notification", "VAD"))
    granted, dropped = SubscriptionSet.granted(entries, permissions)

    assert granted.names == kept
    assert {*granted.names, *dropped} == {*entries.names}


@pytest.mark.parametrize(
    ("name", "poisonous"),
    [
        ("transcription:en-US", False),
        ("transcription:auto?hints=en%2Cja", False),
        ("transcription:he-IL", False),
        ("transcription:en", True),
        ("transcription:EN-us", True),
        ("transcription:xx-YY", True),
        ("transcription:iw-IL", True),
        ("transcription:fil-PH", True),
        ("local_transcription", True),
        ("translation:en-ja", False),
        ("button_press", False),
    ],
)
def test_p2_1_4_3_what_poisons(name: str, poisonous: bool) -> None:
    assert is_poison(name) is poisonous


@pytest.mark.parametrize(
    ("wanted", "event", "reaches"),
    [
        ("button_press", "button_press", True),
        ("*", "anything", True),
        ("all", "transcription:de-DE", True),
        ("location_stream", "location_update", True),
        ("location_update", "location_stream", False),
        ("transcription:auto", "transcription:de-DE", True),
        ("transcription:en-US", "transcription:auto", False),
        ("transcription:en-US?hints=ja", "transcription:en-US", True),
        ("transcription:en-GB", "transcription:en-US", False),
        ("transcription:en", "transcription:en-US", False),
        ("translation:en-US-to-es-ES", "translation:en-US-to-fr-FR", True),
        ("translation:es-ES-to-en-US", "translation:en-US-to-es-ES", False),
        ("transcription:auto", "translation:en-US-to-es-ES", False),
    ],
)
def test_p2_1_5_which_event_reaches_which_subscription(wanted: str, event: str, reaches: bool) -> None:
    assert SubscriptionSet((wanted,)).matches(event) is reaches


@pytest.mark.parametrize(
    ("wanted", "gesture", "stream"),
    [
        (("touch_event",), "double_tap", "touch_event"),
        (("touch_event:double_tap",), "double_tap", "touch_event:double_tap"),
        (("touch_event:double_tap", "touch_event"), "double_tap", "touch_event:double_tap"),
        (("touch_event:double_tap",), "single_tap", None),
        (("*",), "single_tap", "touch_event:single_tap"),
    ],
)
def test_p2_b_touches_come_once_under_the_most_specific_name(
    wanted: tuple[str, ...], gesture: str, stream: str | None
) -> None:
    assert SubscriptionSet(wanted).touch_name(gesture) == stream


async def test_p1_4_2_a_list_replaces_the_one_before(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("button_press")
        await socket.subscribe("head_position")
        here.user.phone_message({"type": "button_press"})
        here.user.phone_message({"type": "head_position", "position": "down"})
        await settle()

        assert socket.streams() == [("head_position", {"type": "head_position", "position": "down"})]
        assert socket.last()["sessionId"] == "ana@example.com-com.example.alpha"


async def test_p1_4_2_an_empty_list_of_an_old_sdk_is_ignored_for_eight_seconds(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start(version=None)
        await socket.subscribe("button_press")
        await trio.sleep(7.9)
        await socket.subscribe()
        assert names(here) == ("button_press",)
        await trio.sleep(0.2)
        await socket.subscribe()

        assert names(here) == ()


async def test_p1_4_2_an_empty_list_of_a_v3_sdk_counts_at_once(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("button_press")
        await socket.subscribe()

        assert names(here) == ()


async def test_p1_4_2_the_highest_location_rate_of_all_apps_goes_to_the_phone(autojump_clock: MockClock) -> None:
    async with world() as here:
        alpha, beta = await here.start(), await here.start(BETA)
        await alpha.subscribe("button_press")
        await alpha.subscribe({"stream": "location_stream", "rate": "high"})
        await beta.subscribe({"stream": "location_stream", "rate": "standard"}, package_name=BETA)
        await beta.subscribe({"stream": "location_stream", "rate": "ludicrous"}, package_name=BETA)
        await alpha.subscribe()

        assert [fields["tier"] for _, fields in here.phone("set_location_tier")] == ["reduced", "high", "reduced"]


async def test_p2_8_4_a_rate_object_is_answered_with_the_last_position_once(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.phone_message({"type": "location_update", "lat": 1, "lng": 2, "altitude": 3})
        await socket.subscribe("location_stream")
        assert socket.streams() == []
        await socket.subscribe({"stream": "location_stream", "rate": "high"})
        await socket.subscribe({"stream": "location_stream", "rate": "realtime"})

        ((stream, data),) = socket.streams()
        assert (stream, data["lat"], data["lng"]) == ("location_update", 1, 2)
        assert set(data) == {"type", "lat", "lng", "timestamp"}


async def test_p2_1_4_3_one_bad_string_silences_the_other_apps(autojump_clock: MockClock) -> None:
    async with world() as here:
        bad = await here.start(BETA)
        await bad.subscribe("transcription:en", package_name=BETA)
        good = await here.start()
        await good.subscribe("transcription:en-US", {"stream": "location_stream", "rate": "high"})
        await here.user.say("nobody hears this")

        assert good.streams() == []
        assert here.phone("set_location_tier") == []


async def test_p2_1_4_3_without_the_quirk_the_bad_string_harms_only_itself(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.quirks.poison = False
        bad = await here.start(BETA)
        await bad.subscribe("transcription:en", package_name=BETA)
        good = await here.start()
        await good.subscribe("transcription:en-US")

        assert await here.user.say("heard") == {ALPHA}


async def test_p2_1_5_unknown_messages_of_the_phone_are_relayed_as_they_are(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("made_up_stream", "touch_event:single_tap", "VAD", "glasses_connection_state")
        messages: list[dict[str, object]] = [
            {"type": "made_up_stream", "hello": [1, {"a": None}]},
            {"type": "touch_event", "gesture_name": "single_tap"},
            {"type": "touch_event", "gesture_name": "double_tap"},
            {"type": "VAD", "status": "true"},
            {"type": "settings_update_request"},
            {"hello": 1},
        ]
        for message in messages:
            here.user.phone_message(message)
        await settle()

        assert socket.streams() == [
            ("made_up_stream", messages[0]),
            ("touch_event:single_tap", messages[1]),
            ("VAD", messages[3]),
        ]


async def test_p1_a1_the_phone_starts_and_stops_apps_by_message_too(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.user.phone_message({"type": "start_app", "packageName": ALPHA})
        await settle()
        socket = await here.open()
        await socket.init()
        here.user.phone_message({"type": "stop_app", "packageName": ALPHA})
        here.user.phone_message({"type": "stop_app", "packageName": ALPHA})
        here.user.phone_message({"type": "ping"})
        here.user.phone_message({"type": "connection_init"})
        await settle()

        assert [kind for _, kind in here.webhooks.kinds()] == ["session_request", "stop_request"]
        assert [fields["type"] for _, fields in here.phone("pong", "connection_ack")] == [
            "connection_ack",
            "pong",
            "connection_ack",
        ]


async def test_the_phone_has_to_be_connected(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        with pytest.raises(RuntimeError, match="not connected"):
            here.user.phone_message({"type": "button_press"})
        with pytest.raises(LookupError, match="no socket"):
            here.user.socket(ALPHA)


async def test_p1_4_3_an_app_without_a_socket_is_not_told_what_it_may_not_have(autojump_clock: MockClock) -> None:
    """The package in the message counts, not that of the socket (P1 0)."""
    async with world(permissions=()) as here:
        here.cloud.quirks.silent_permissions = False
        alpha, beta = await here.start(), await here.start(BETA)
        await beta.close()
        await alpha.subscribe("calendar_event", package_name=BETA)
        assert "permission_error" not in alpha.types()
        await alpha.subscribe("calendar_event")

        assert "permission_error" in alpha.types()
