"""`_protocol/subscriptions.py`: what the cloud is told, and which transcripts reach which stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio._protocol.subscriptions import SYSTEM_SETTINGS, TranscriptRouter, claimed_name, wanted_list
from mentra_trio._wire.streams import (
    LocationSubscription,
    PlainSubscription,
    StreamName,
    Subscription,
    TranscriptionSubscription,
    parse_stream,
)
from mentra_trio.models import LocationAccuracy

Wanted = list[Subscription]


def plain(name: str) -> PlainSubscription:
    return PlainSubscription(name)


def spoken(language: str, *hints: str) -> TranscriptionSubscription:
    return TranscriptionSubscription(language=language, hints=frozenset(hints))


def named(text: object) -> StreamName:
    assert isinstance(text, str)
    name = parse_stream(text)
    assert name is not None
    return name


# P1 4.2


def test_p1_5_3_system_settings_are_always_subscribed() -> None:
    assert wanted_list([]) == ("augmentos:*",)
    assert wanted_list([plain("augmentos:*")]) == ("augmentos:*",)
    assert SYSTEM_SETTINGS == "augmentos:*"


def test_p1_4_2_the_list_is_full_and_without_doubles_in_the_order_of_opening() -> None:
    wanted: Wanted = [
        plain("VAD"),
        spoken("auto"),
        plain("button_press"),
        plain("VAD"),
    ]

    assert wanted_list(wanted) == ("VAD", "transcription:auto", "button_press", "augmentos:*")


def test_d19_hints_of_several_streams_in_one_language_are_united() -> None:
    wanted: Wanted = [
        spoken("en-US", "ja"),
        plain("VAD"),
        spoken("en-US", "fr", "ja"),
        spoken("de-DE"),
    ]

    assert wanted_list(wanted) == ("transcription:en-US?hints=fr%2Cja", "VAD", "transcription:de-DE", "augmentos:*")


def test_two_regions_of_a_language_are_two_streams() -> None:
    assert wanted_list([spoken("en-US"), spoken("en-GB", "fr")]) == (
        "transcription:en-US",
        "transcription:en-GB?hints=fr",
        "augmentos:*",
    )


@pytest.mark.parametrize(
    "raw",
    ["transcription:en-US", "transcription:en-US?hints=fr", "transcription:en-US?no-language-identification=true"],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_p2_3_6_t9_a_raw_stream_does_not_add_a_second_string_of_a_language(raw: str, is_first: bool) -> None:
    wanted: Wanted = [plain(raw), spoken("en-US", "ja")]
    if not is_first:
        wanted.reverse()

    (name, _) = wanted_list(wanted)

    parsed = named(name)
    assert parsed.identity == "transcription:en-US"
    assert "ja" in dict(parsed.options)["hints"].split(",")


def test_d19_hints_of_raw_streams_are_united_too() -> None:
    wanted: Wanted = [plain("transcription:en-US?hints=fr%2Cja"), spoken("en-US", "de")]

    assert wanted_list(wanted) == ("transcription:en-US?hints=de%2Cfr%2Cja", "augmentos:*")


def test_a_lone_raw_stream_is_spelled_as_the_author_spelled_it() -> None:
    raw = "transcription:en-US?no-language-identification=true&hints=ja"

    assert wanted_list([plain(raw), plain(raw)]) == (raw, "augmentos:*")


def test_p2_3_6_t9_two_raw_strings_of_a_language_are_one() -> None:
    wanted: Wanted = [
        plain("transcription:en-US?x=1"),
        plain("transcription:en-US?hints=fr"),
    ]

    assert wanted_list(wanted) == ("transcription:en-US?hints=fr", "augmentos:*")


def test_p1_4_1_a_bare_transcription_is_the_one_of_us_english() -> None:
    assert wanted_list([plain("transcription"), spoken("en-US", "ja")]) == (
        "transcription:en-US?hints=ja",
        "augmentos:*",
    )
    assert wanted_list([plain("transcription")]) == ("transcription", "augmentos:*")


def test_other_streams_with_options_are_left_alone() -> None:
    wanted: Wanted = [
        plain("translation:en-US-to-es-ES?a=1"),
        plain("translation:en-US-to-es-ES"),
    ]

    assert wanted_list(wanted) == (
        "translation:en-US-to-es-ES?a=1",
        "translation:en-US-to-es-ES",
        "augmentos:*",
    )


SUBSCRIPTIONS = st.lists(
    st.builds(
        PlainSubscription,
        st.sampled_from(
            ["VAD", "transcription", "transcription:en-US?hints=fr", "transcription:auto?x=1", "touch_event"]
        ),
    )
    | st.builds(
        TranscriptionSubscription,
        language=st.sampled_from(["auto", "en-US", "de-DE"]),
        hints=st.frozensets(st.sampled_from(["en", "fr", "ja"])),
    ),
    max_size=8,
)


@given(SUBSCRIPTIONS)
def test_every_list_has_each_stream_once_with_all_hints(subscriptions: list[Subscription]) -> None:
    wanted = wanted_list(subscriptions)

    identities = [named(name).identity for name in wanted]
    assert len(set(identities)) == len(identities)
    assert identities.count("augmentos:*") == 1
    for subscription in subscriptions:
        if isinstance(subscription, TranscriptionSubscription):
            name = wanted[identities.index(f"transcription:{subscription.language}")]
            assert subscription.hints <= set(dict(named(name).options).get("hints", "").split(","))
        elif isinstance(subscription, PlainSubscription):
            assert named(subscription.name).identity in identities
    assert wanted_list([*subscriptions, *subscriptions]) == wanted


# P2 3.5, D19


@pytest.mark.parametrize(
    ("opened", "event", "key"),
    [
        # The stream's own language, with or without options.
        ({"transcription:en-US"}, "transcription:en-US", "transcription:en-US"),
        ({"transcription:en-US"}, "transcription:en-US?hints=ja", "transcription:en-US"),
        ({"transcription:en-US"}, "transcription", "transcription:en-US"),
        ({"transcription:auto"}, "transcription:auto", "transcription:auto"),
        ({"transcription:auto"}, "transcription:auto?hints=en%2Cja", "transcription:auto"),
        ({"transcription:auto", "transcription:en-US"}, "transcription:en-US", "transcription:en-US"),
        ({"transcription:auto", "transcription:en-US"}, "transcription:auto", "transcription:auto"),
        # A copy of another app's stream, before anything named `auto` came.
        ({"transcription:auto"}, "transcription:fr-FR", "transcription:auto"),
        ({"transcription:auto", "transcription:en-US"}, "transcription:fr-FR", "transcription:auto"),
        # Nobody asked.
        ({"transcription:en-US"}, "transcription:auto", None),
        ({"transcription:en-US"}, "transcription:en-GB", None),
        ({"transcription:en-US"}, "transcription:fr-FR", None),
        (set[str](), "transcription:en-US", None),
        (set[str](), "transcription:auto", None),
    ],
)
def test_d19_a_transcript_reaches_the_streams_of_its_name(opened: set[str], event: str, key: str | None) -> None:
    assert TranscriptRouter().route(named(event), opened.__contains__) == key


def test_p2_3_5_copies_are_dropped_once_the_apps_own_events_come() -> None:
    router = TranscriptRouter()
    opened = {"transcription:auto", "transcription:en-US"}.__contains__

    assert router.route(named("transcription:fr-FR"), opened) == "transcription:auto"
    router.route(named("transcription:auto"), opened)

    assert router.route(named("transcription:fr-FR"), opened) is None
    assert router.route(named("transcription:en-US"), opened) == "transcription:en-US"
    assert router.route(named("transcription:auto"), opened) == "transcription:auto"


def test_d19_a_new_connection_forgets_what_it_has_heard() -> None:
    router = TranscriptRouter()
    opened = {"transcription:auto"}.__contains__
    router.route(named("transcription:auto"), opened)

    router.connected()

    assert router.route(named("transcription:fr-FR"), opened) == "transcription:auto"


def test_an_event_named_auto_counts_even_when_no_stream_was_open_for_it() -> None:
    router = TranscriptRouter()
    router.route(named("transcription:auto"), set[str]().__contains__)

    assert router.route(named("transcription:fr-FR"), {"transcription:auto"}.__contains__) is None


def test_of_the_accuracies_of_positions_the_highest_is_wanted() -> None:
    """P2 8.2, P1 4.2: the plain name would take it back."""
    low, high = (LocationSubscription(LocationAccuracy(name)) for name in ("kilometer", "realtime"))
    wanted: Wanted = [plain("VAD"), low, plain("location_stream"), high, plain("location_update")]

    assert wanted_list(wanted) == (
        "VAD",
        {"stream": "location_stream", "rate": "realtime"},
        "location_update",
        "augmentos:*",
    )
    assert wanted_list([plain("location_stream")]) == ("location_stream", "augmentos:*")
    assert claimed_name(low) == "location_stream"
