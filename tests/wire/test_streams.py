"""`_wire/streams.py`: names of streams and languages (P2 1.4.2, 1.4.3, Appendix A)."""

import pytest

from mentra_trio._wire.streams import (
    AUTO,
    SUPPORTED_LANGUAGES,
    StreamName,
    canonical_hint,
    canonical_language,
    checked_name,
    fold_language,
    is_poison,
    parse_stream,
    transcription_name,
)

# P2 Appendix A, as printed: base and canonical code.
APPENDIX_A = """
af af-ZA ar ar-SA az az-AZ be be-BY bg bg-BG bn bn-BD bs bs-BA ca ca-ES cs cs-CZ cy cy-GB da da-DK de de-DE
el el-GR en en-US es es-ES et et-EE eu eu-ES fa fa-IR fi fi-FI fr fr-FR gl gl-ES gu gu-IN he iw-IL hi hi-IN
hr hr-HR hu hu-HU id id-ID it it-IT ja ja-JP kk kk-KZ kn kn-IN ko ko-KR lt lt-LT lv lv-LV mk mk-MK ml ml-IN
mr mr-IN ms ms-MY nl nl-NL no nb-NO pa pa-IN pl pl-PL pt pt-PT ro ro-RO ru ru-RU sk sk-SK sl sl-SI sq sq-AL
sr sr-RS sv sv-SE sw sw-KE ta ta-IN te te-IN th th-TH tl tl-PH tr tr-TR uk uk-UA ur ur-PK vi vi-VN zh zh-CN
"""
# Its exceptions when subscribing.
SUBSCRIBED = {"iw-IL": "he-IL", "nb-NO": "no-NO"}


# P2 1.4.2


@pytest.mark.parametrize(
    "name",
    [
        "transcription:en",
        "transcription:zh-Hans-CN",
        "transcription:es-419",
        "transcription:",
        "transcription:EN-us",
        "transcription:en-us",
        "transcription:en_US",
        "transcription:english",
        "transcription:AUTO",
        "transcription:en-US ",
        "transcription: en-US",
        "transcription:en-US:x",
        "transcription:en-US\n",
        "transcription:ｅｎ-US",
        "transcription?hints=ja",
        "transcription:?hints=ja",
        "translation",
        "translation:",
        "translation:auto-es",
        "translation:en-ja",
        "translation:en-US",
        "translation:en-US-es-ES",
        "translation:auto-to-es-ES",
        "translation:all-to-es",
        "translation:all-to-all",
        "translation:en-US-to-all",
        "translation:all-to-",
        "translation:-to-es-ES",
        "translation:en-US-to-ja-JP-to-fr-FR",
        "touch_event:tap",
        "touch_event:",
        "touch_event:SINGLE_TAP",
    ],
)
def test_p2_1_4_2_what_the_clouds_parser_does_not_read(name: str) -> None:
    assert parse_stream(name) is None


@pytest.mark.parametrize(
    ("name", "parsed", "identity"),
    [
        ("transcription", StreamName(base="transcription", language="en-US"), "transcription:en-US"),
        ("transcription:auto", StreamName(base="transcription", language="auto"), "transcription:auto"),
        ("transcription:fil-PH", StreamName(base="transcription", language="fil-PH"), "transcription:fil-PH"),
        ("transcription:xx-YY", StreamName(base="transcription", language="xx-YY"), "transcription:xx-YY"),
        (
            "transcription:auto?hints=en%2Cja",
            StreamName(base="transcription", language="auto", options=(("hints", "en,ja"),)),
            "transcription:auto",
        ),
        (
            "transcription:fr-FR?hints=en,ja&no-language-identification=true",
            StreamName(
                base="transcription",
                language="fr-FR",
                options=(("hints", "en,ja"), ("no-language-identification", "true")),
            ),
            "transcription:fr-FR",
        ),
        (
            "transcription:en-US?",
            StreamName(base="transcription", language="en-US"),
            "transcription:en-US",
        ),
        (
            "transcription:en-US?flag",
            StreamName(base="transcription", language="en-US", options=(("flag", ""),)),
            "transcription:en-US",
        ),
        (
            "transcription:en-US?x=%E0%A4%A&y=a?b",
            StreamName(base="transcription", language="en-US", options=(("x", "\ufffd%A"), ("y", "a?b"))),
            "transcription:en-US",
        ),
        (
            "translation:all-to-es-ES",
            StreamName(base="translation", language="all", target="es-ES"),
            "translation:all-to-es-ES",
        ),
        (
            "translation:en-US-to-es-ES?no-language-identification=true",
            StreamName(
                base="translation",
                language="en-US",
                target="es-ES",
                options=(("no-language-identification", "true"),),
            ),
            "translation:en-US-to-es-ES",
        ),
        ("touch_event", StreamName(base="touch_event"), "touch_event"),
        ("touch_event:double_tap", StreamName(base="touch_event", detail="double_tap"), "touch_event:double_tap"),
        ("button_press", StreamName(base="button_press"), "button_press"),
        ("button_press:main", StreamName(base="button_press", detail="main"), "button_press:main"),
        ("augmentos:*", StreamName(base="augmentos", detail="*"), "augmentos:*"),
        ("VAD", StreamName(base="VAD"), "VAD"),
        ("made up: name?a=1", StreamName(base="made up", detail=" name", options=(("a", "1"),)), "made up: name"),
        ("x:", StreamName(base="x", detail=""), "x:"),
        ("", StreamName(base=""), ""),
    ],
)
def test_p2_1_4_2_a_name_is_read_in_parts(name: str, parsed: StreamName, identity: str) -> None:
    assert parse_stream(name) == parsed
    assert parsed.identity == identity


@pytest.mark.parametrize(
    "gesture",
    [
        "single_tap",
        "double_tap",
        "triple_tap",
        "long_press",
        "forward_swipe",
        "backward_swipe",
        "up_swipe",
        "down_swipe",
    ],
)
def test_p2_6_2_3_every_gesture_is_read(gesture: str) -> None:
    assert parse_stream(f"touch_event:{gesture}") == StreamName(base="touch_event", detail=gesture)


# P2 1.4.3


@pytest.mark.parametrize(
    "name",
    [
        "transcription:en",
        "transcription:",
        "transcription:xx-YY",
        "transcription:fil-PH",
        "transcription:iw-IL",
        "transcription:nb-NO",
        "transcription:yue-HK",
        "transcription?hints=ja",
        "local_transcription",
        "transcription_config",
        "my:transcription:en-US",
        "translation",
        "translation:en-ja",
        "translation:auto-to-es-ES",
        "translation:xx-YY-to-es-ES",
        "translation:es-ES-to-xx-YY",
        "translation:iw-IL-to-es-ES",
        "translation:fr-FR-to-fr-CA",
        "translation:nb-NO-to-no-NO",
        "retranslation",
    ],
)
def test_p2_1_4_3_these_names_harm_the_wearers_other_apps(name: str) -> None:
    assert is_poison(name)
    with pytest.raises(ValueError, match="other apps"):
        checked_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "transcription",
        "transcription:auto",
        "transcription:auto?hints=en%2Cja",
        "transcription:en-ZZ",
        "transcription:he-IL",
        "transcription:no-NO",
        "transcription:tl-PH",
        "translation:all-to-es-ES",
        "translation:en-US-to-es-ES",
        "translation:nb-NO-to-es-ES",
        "translation:es-ES-to-nb-NO",
        "button_press",
        "touch_event:whatever",
        "made_up_stream",
        "location_stream",
        "Transcription:en",
    ],
)
def test_p2_1_4_3_these_names_do_no_harm(name: str) -> None:
    assert not is_poison(name)
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["all", "*"])
def test_d18_wildcards_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="permissions; subscribe the streams you need"):
        checked_name(name)


@pytest.mark.parametrize("name", ["", " ", " VAD", "VAD\n", "a\x00b", "lone \ud800"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a stream name"):
        checked_name(name)


@pytest.mark.parametrize("name", ["augmentos:*", "augmentos:userTimezone"])
def test_p1_5_3_system_settings_are_no_stream(name: str) -> None:
    with pytest.raises(ValueError, match=r"use session\.settings\.system"):
        checked_name(name)


# P2 Appendix A


def test_p2_appendix_a_every_language_has_the_region_of_the_book() -> None:
    words = APPENDIX_A.split()
    table = dict(zip(words[::2], words[1::2], strict=True))

    assert set(table) == SUPPORTED_LANGUAGES
    assert len(SUPPORTED_LANGUAGES) == 60
    for base, code in table.items():
        assert canonical_language(base) == SUBSCRIBED.get(code, code)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("en", "en-US"),
        ("EN", "en-US"),
        ("en-gb", "en-GB"),
        ("en-GB", "en-GB"),
        ("EN_us", "en-US"),
        ("pt_BR", "pt-BR"),
        ("pt", "pt-PT"),
        ("zh-Hans-CN", "zh-CN"),
        ("zh-Hant-TW", "zh-TW"),
        ("zh-Hant", "zh-CN"),
        ("zh_Hans_CN", "zh-CN"),
        ("sr-Latn-RS", "sr-RS"),
        ("es-419", "es-ES"),
        ("es-ES", "es-ES"),
        ("iw", "he-IL"),
        ("iw-IL", "he-IL"),
        ("he", "he-IL"),
        ("nb", "no-NO"),
        ("nb-NO", "no-NO"),
        ("nn", "no-NO"),
        ("no", "no-NO"),
        ("fil", "tl-PH"),
        ("fil-PH", "tl-PH"),
        ("in", "id-ID"),
        ("cmn", "zh-CN"),
        ("  de ", "de-DE"),
        ("auto", "auto"),
        ("Auto", "auto"),
        (" AUTO ", "auto"),
    ],
)
def test_p2_appendix_a_what_authors_write_becomes_the_clouds_form(written: str, canonical: str) -> None:
    assert canonical_language(written) == canonical
    assert not is_poison(f"transcription:{canonical}")


@pytest.mark.parametrize(
    "tag",
    [
        "",
        " ",
        "e",
        "english",
        "en-",
        "-en",
        "en--US",
        "en-USA",
        "en-US-x-private",
        "en_US.UTF-8",
        "en-12",
        "en US",
        "en?hints=ja",
        "all",
        "*",
        "ｅｎ",
        "еn",
        "en\n-US",
        "٣٣",
    ],
)
def test_what_is_no_language_tag_is_refused_with_an_example(tag: str) -> None:
    with pytest.raises(ValueError, match=r"write one like 'en', 'en-US' or 'auto'|it knows af, ar, az"):
        canonical_language(tag)


@pytest.mark.parametrize("tag", ["en, de", "en,de", "en-US; de-DE"])
def test_several_languages_in_one_text_are_told_apart(tag: str) -> None:
    with pytest.raises(ValueError, match=r"write languages one by one, such as stream\('en', 'de'\)"):
        canonical_language(tag)


@pytest.mark.parametrize("tag", ["xx", "xx-YY", "la", "yue", "tlh", "eo-XX"])
def test_a_language_that_nobody_recognises_is_refused_with_the_list(tag: str) -> None:
    """P2 1.4.3: without a provider it is poison like one that does not parse."""
    with pytest.raises(ValueError, match="it knows af, ar, az") as caught:
        canonical_language(tag)

    assert repr(tag) in str(caught.value)


@pytest.mark.parametrize(
    ("written", "hint"), [("en", "en"), ("ja-JP", "ja"), ("pt_BR", "pt"), ("iw", "he"), ("nb-NO", "no"), ("fil", "tl")]
)
def test_p2_1_4_2_a_hint_is_a_base_language(written: str, hint: str) -> None:
    assert canonical_hint(written) == hint


def test_auto_is_no_hint() -> None:
    with pytest.raises(ValueError, match="name the languages you expect"):
        canonical_hint("auto")
    with pytest.raises(ValueError, match="is not a language"):
        canonical_hint("xx")


@pytest.mark.parametrize(
    ("code", "folded"),
    [("iw", "he"), ("iw-IL", "he"), ("nb_NO", "no"), ("EN-us", "en"), ("fil", "tl"), ("xx-YY", "xx"), ("", "")],
)
def test_p2_appendix_a_names_of_one_language_are_folded(code: str, folded: str) -> None:
    assert fold_language(code) == folded


@pytest.mark.parametrize(
    ("language", "hints", "name"),
    [
        ("auto", set[str](), "transcription:auto"),
        ("auto", {"ja", "en"}, "transcription:auto?hints=en%2Cja"),
        ("en-US", {"ja"}, "transcription:en-US?hints=ja"),
    ],
)
def test_p2_3_2_a_transcription_is_spelled_with_its_hints(language: str, hints: set[str], name: str) -> None:
    assert transcription_name(language, frozenset(hints)) == name
    parsed = parse_stream(name)
    assert parsed is not None
    assert parsed.language == language
    assert parsed.options == ((("hints", ",".join(sorted(hints))),) if hints else ())


def test_auto_is_the_word_of_the_wire() -> None:
    assert AUTO == "auto"
