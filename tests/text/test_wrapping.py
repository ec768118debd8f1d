"""Where lines end: what the reference's defects (P4 10) become, one by one."""

from __future__ import annotations

import math

import attrs
import pytest

from mentra_trio.text import G1, NEX, BreakMode, Style, byte_size, fits, measure, wrap
from mentra_trio.text import compatible as reference

WORD, STRICT = Style(), Style(mode=BreakMode.STRICT_WORD)
CHARACTER, CUT = Style(mode=BreakMode.CHARACTER), Style(mode=BreakMode.CHARACTER_NO_HYPHEN)
EVERY_MODE = pytest.mark.parametrize("style", [WORD, STRICT, CHARACTER, CUT], ids=lambda style: style.mode.value)
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def lines(text: str, width: float, style: Style = WORD) -> list[str]:
    return wrap(text, G1, style, width=width, max_lines=math.inf, max_bytes=math.inf).texts


def as_reference(text: str, width: float, mode: str) -> list[str]:
    options = attrs.evolve(reference.WrapOptions.of(G1).unlimited(), max_width=width, break_mode=mode)
    return reference.wrap(text, G1, options).texts


def test_lines_end_between_words() -> None:
    assert lines("Turn left at the fountain.", 90) == ["Turn left", "at the", "fountain."]


def test_a_word_that_is_wider_than_a_line_is_cut_with_a_hyphen() -> None:
    assert lines("So antidisestablishmentarianism", 120) == ["So", "antidisestab-", "lishmentaria-", "nism"]
    assert lines("antidisestablishmentarianism", 120, STRICT) == ["antidisestabli", "shmentariani", "sm"]


def test_character_modes_fill_lines() -> None:
    assert lines("at the fountain at last", 120, CHARACTER) == ["at the fount-", "ain at last"]
    assert lines("at the fountain at last", 120, CUT) == ["at the fount", "ain at last"]


@EVERY_MODE
def test_an_empty_text_is_one_empty_line(style: Style) -> None:
    assert lines("", 100, style) == [""]
    assert lines("  \t ", 100, style) == [""]


@EVERY_MODE
def test_line_breaks_of_the_text_are_kept_whatever_their_kind(style: Style) -> None:
    assert lines("a\r\nb\rc\u2028d\n\ne", 100, style) == ["a", "b", "c", "d", "", "e"]


def test_other_spaces_than_those_at_the_ends_of_lines_stay() -> None:
    assert lines("a  b   c  d", 40) == ["a  b", "c  d"]


@EVERY_MODE
def test_emoji_flags_and_accents_are_never_torn_apart(style: Style) -> None:
    assert lines(FAMILY * 3, 50, style) == [FAMILY] * 3
    assert lines("\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea", 40, style) == [
        "\U0001f1eb\U0001f1f7",
        "\U0001f1e9\U0001f1ea",
    ]
    assert lines("e\u0301" * 4, 20, STRICT) == ["e\u0301" * 2] * 2


@EVERY_MODE
def test_a_grapheme_that_is_wider_than_a_line_stands_alone_and_is_told(style: Style) -> None:
    wrapped = wrap(f"ab {FAMILY} cd", G1, style, width=40, max_lines=9)
    assert [(line.text, line.is_oversized) for line in wrapped.lines] == [("ab", False), (FAMILY, True), ("cd", False)]


@EVERY_MODE
def test_a_display_without_width_ends(style: Style) -> None:
    assert lines("abc d", 0, style) == ["a", "b", "c", "d"]
    assert lines("abc", -5, style) == ["a", "b", "c"]


def test_marks_and_joiners_take_no_room_and_are_kept() -> None:
    assert measure("e\u0301\u200b\u200d\ufeff\u2060x", G1) == measure("ex", G1)
    assert lines("\ufeffe\u0301\u200b", 100) == ["\ufeffe\u0301\u200b"]


def test_a_korean_block_of_letters_is_as_wide_as_the_block() -> None:
    assert measure("\u1112\u1161\u11ab", G1) == measure("\ud55c", G1) == 24


def test_digits_that_are_enclosed_by_a_format_character_stay_visible() -> None:
    assert measure("\u0600", G1) == 16


@EVERY_MODE
def test_no_line_starts_with_closing_or_ends_with_opening_punctuation(style: Style) -> None:
    text = (
        "\u660e\u65e5\u306e\u671d\u3001\u99c5\u524d\u306e\u300c\u30d1\u30f3\u5c4b\u300d\u3067\u5f85\u3063\u3066\u3002"
    )
    for width in range(36, 200, 2):
        found = lines(text, width, style)
        assert not any(line[0] in "\u3001\u3002\u300d\u3063" or line[-1] == "\u300c" for line in found), found


@pytest.mark.parametrize("sign", "\u203c\u2047\u2048\u2049\u31f0\u31ff\u309b\u309c\u00b7\u2103")
def test_no_line_starts_with_a_sign_that_belongs_to_what_is_before(sign: str) -> None:
    assert lines(f"\u6f22\u5b57{sign}\u6f22", 40, STRICT)[0] == "\u6f22"


@EVERY_MODE
@pytest.mark.parametrize(
    "text", ["\u0e01\u0e31\u0e19\u0e44\u0e2b\u0e21", "\u0e01\u0e19\u0e32\u0e21", "\u0e81\u0e99\u0ec0\u0e82\u0ebb\u0eb2"]
)
def test_vowels_of_thai_and_lao_stay_with_their_consonant(style: Style, text: str) -> None:
    for width in (48, 64):
        found = lines(text, width, style)
        assert not any(line[-1] in "\u0e44\u0ec0" or line[0] in "\u0e32\u0eb2" for line in found), found


@pytest.mark.parametrize("sign", "\uffe5\uff04")
def test_no_line_ends_with_a_sign_of_money(sign: str) -> None:
    assert lines(f"\u6f22{sign}100", measure(f"\u6f22{sign}", G1))[0] == "\u6f22"


@EVERY_MODE
def test_a_word_is_cut_rather_than_that_punctuation_starts_a_line(style: Style) -> None:
    found = lines("abcdef\u3002", measure("abcdef", G1), style)
    assert [line.removesuffix("-") for line in found] == ["abcde", "f\u3002"]


@EVERY_MODE
def test_punctuation_that_has_no_other_place_is_cut_all_the_same(style: Style) -> None:
    assert lines("\u3002" * 5, 40, style) == ["\u3002\u3002", "\u3002\u3002", "\u3002"]


def test_a_space_before_punctuation_is_no_place_for_a_break() -> None:
    assert lines("Vraiment oui !", measure("Vraiment oui", G1)) == ["Vraiment", "oui !"]


def test_there_is_no_space_between_cjk_characters_that_had_none() -> None:
    text = "\u4f60\u597d\u4e16\u754c ok \u4f60\u597d"
    assert " ".join(as_reference(text, 80, "word")) != " ".join(lines(text, 80))
    assert lines(text, 80) == ["\u4f60\u597d\u4e16\u754c", "ok \u4f60\u597d"]


def test_an_astral_cjk_character_gets_no_hyphen() -> None:
    text = "\U00020000" * 5
    assert lines(text, 50, CHARACTER) == ["\U00020000" * 2, "\U00020000" * 2, "\U00020000"]


@pytest.mark.parametrize("style", [WORD, CHARACTER])
def test_a_hyphen_stands_only_inside_a_word(style: Style) -> None:
    for text in ("well-known-fact-checking", "one/two|three\\four", "1\u20132\u20143 \u2014 4", "caf\u00e9 (au lait)"):
        for width in range(30, 120, 2):
            for line in wrap(text, G1, style, width=width, max_lines=math.inf, max_bytes=math.inf).lines:
                assert line.width <= width
                if line.is_hyphenated:
                    assert text[line.end - 1].isalnum()
                    assert text[line.end].isalnum()


def test_words_end_at_their_own_hyphens_but_numbers_do_not() -> None:
    assert lines("a well-known fact", measure("a well-know", G1)) == ["a well-", "known fact"]
    assert lines("on 2020-01-02 or so", measure("on 2020-01-0", G1)) == ["on", "2020-01-02", "or so"]


def test_few_letters_before_a_hyphen_are_not_enough() -> None:
    assert lines("an ocean", measure("an oc-", G1), CHARACTER) == ["an", "ocean"]
    assert lines("an ocean", measure("an oc-", G1), attrs.evolve(CHARACTER, min_before_hyphen=2)) == ["an oc-", "ean"]


def test_no_line_is_a_hyphen_alone() -> None:
    assert lines("aaa", 5, Style(mode=BreakMode.CHARACTER, min_before_hyphen=0)) == ["a", "a", "a"]


def test_a_hyphen_of_several_characters_is_measured_whole() -> None:
    style = Style(mode=BreakMode.CHARACTER, hyphen="~~~")
    wrapped = wrap("abcdefghij", G1, style, width=90)
    assert [line.text for line in wrapped.lines] == ["abcd~~~", "efghij"]
    assert wrapped.lines[0].width == measure("abcd~~~", G1)


def test_a_hyphen_of_the_text_is_not_told_as_ours() -> None:
    wrapped = wrap("half- done", G1, width=60)
    assert [(line.text, line.is_hyphenated) for line in wrapped.lines] == [("half-", False), ("done", False)]


def test_a_space_beside_the_wrong_end_of_a_line_is_no_place_for_one() -> None:
    text = "ccaa\u3002\u300c!!  -\u3001c-((  \u3001\u3002 -\u3002 ) \u5b57b\u3001\u5b57)(\u3002.\u5b57(b[]c"
    assert wrap(text, G1, width=40).texts == ["cca", "a\u3002", "\u300c!!", "-\u3001", "c-"]


def test_a_soft_hyphen_says_where_a_word_may_be_cut() -> None:
    assert lines("das \u00dcber\u00adgangs\u00adgeld", 130) == ["das \u00dcber\u00ad-", "gangs\u00adgeld"]
    assert lines("\u00dcber\u00adgangs", 55, CHARACTER) == ["\u00dcber\u00ad-", "gangs"]


@pytest.mark.parametrize("style", [CHARACTER, CUT])
def test_words_that_run_from_right_to_left_stay_whole(style: Style) -> None:
    assert lines("\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", 100, style) == [
        "\u05e9\u05dc\u05d5\u05dd",
        "\u05e2\u05d5\u05dc\u05dd",
    ]
    assert lines("\u05e9\u05dc\u05d5\u05dd\u05e2\u05d5\u05dc", 100, style) == [
        "\u05e9\u05dc\u05d5\u05dd\u05e2\u05d5",
        "\u05dc",
    ]


@EVERY_MODE
@pytest.mark.parametrize("digits", ["\u0661\u0662\u0663\u0664\u0665\u0666", "\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6"])
def test_numbers_of_arabic_get_no_hyphen(style: Style, digits: str) -> None:
    assert lines(digits, 70, style) == [digits[:4], digits[4:]]


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="width"):
        wrap("abc", G1, width=math.nan)
    with pytest.raises(ValueError, match="hyphen"):
        Style(hyphen="\n")


def test_spaces_that_do_not_break_do_not_break() -> None:
    assert lines("about 10\u00a0km away", measure("about 10\u00a0k", G1)) == ["about", "10\u00a0km", "away"]
    assert lines("ab\u200bcd", 30) == ["ab\u200b", "cd"]


def test_spaces_at_the_ends_of_lines_stay_when_nothing_is_trimmed() -> None:
    style = Style(trim=False)
    assert lines("  ab    cd  ", 40, style) == ["  ab ", "   cd", "  "]
    assert "".join(lines("  ab    cd  ", 40, style)) == "  ab    cd  "


def test_much_white_space_takes_time_in_proportion() -> None:
    """It took minutes when each line looked for the end of it."""
    style = Style(trim=False)
    assert "".join(lines(" " * 100_000, 576, style)) == " " * 100_000
    assert "".join(lines("\n" * 20_000, 576, attrs.evolve(style, keep_newlines=False))) == " " * 20_000


def test_line_breaks_that_are_not_kept_leave_no_space_between_cjk_characters() -> None:
    style = Style(keep_newlines=False)
    wrapped = wrap("\u6f22\r\n\u5b57 a\n\u6f22\n\u5b57", G1, style, width=40)
    assert wrapped.texts == ["\u6f22\u5b57", "a \u6f22", "\u5b57"]
    assert [(line.start, line.end) for line in wrapped.lines] == [(0, 4), (5, 8), (9, 10)]
    assert lines("\ud55c\n\uad6d \U0001f600\n\U0001f600", 200, style) == ["\ud55c \uad6d \U0001f600 \U0001f600"]


def test_line_breaks_that_are_not_kept_are_spaces() -> None:
    assert lines("a\nb\r\nc", 100, Style(keep_newlines=False)) == ["a b  c"]


def test_lines_that_are_not_shown_are_told() -> None:
    wrapped = wrap("one\ntwo\nthree", G1, max_lines=2)
    assert (wrapped.texts, wrapped.cut, wrapped.is_truncated) == (["one", "two"], "\nthree", True)
    assert not wrap("one\n\n  ", G1, max_lines=1).is_truncated
    assert not wrap("one", G1).is_truncated


def test_bytes_are_counted_as_they_are_sent() -> None:
    assert wrap("abc\nde", G1, max_bytes=6).text == "abc\nde"
    assert wrap("abc\nde", G1, max_bytes=5).text == "abc"
    assert wrap("abc", G1, max_bytes=0).lines == ()
    assert wrap("\u660e" * 200, NEX).bytes <= NEX.max_bytes
    assert byte_size("\ud83d") == 3


def test_a_line_of_more_bytes_than_all_may_have_ends_before() -> None:
    assert (wrap("abc", G1, max_bytes=2).text, wrap("abc", G1, max_bytes=2).cut) == ("ab", "c")
    wrapped = wrap("Turn left at the fountain", G1, max_bytes=15)
    assert (wrapped.texts, wrapped.cut) == (["Turn left at"], " the fountain")
    assert wrap("one\nTurn left at the fountain", G1, max_bytes=15).texts == ["one"]
    assert wrap("\u6f22\n\u5b57\n\u6f22", G1, Style(keep_newlines=False), max_bytes=6).cut == "\n\u6f22"


def test_a_grapheme_of_more_bytes_than_all_may_have_is_told() -> None:
    wrapped = wrap(FAMILY + "a", G1, max_bytes=4)
    assert [(line.text, line.is_oversized) for line in wrapped.lines] == [(FAMILY, True)]
    assert wrapped.cut == "a"
    assert wrap("a" + FAMILY, G1, max_bytes=4).texts == ["a"]
    assert wrap("a\n" + FAMILY, G1, max_bytes=4).texts == ["a"]


def test_a_line_knows_its_place() -> None:
    text = "The ferry leaves.\nBring a coat."
    wrapped = wrap(text, G1, width=90)
    assert [text[line.start : line.end] for line in wrapped.lines] == wrapped.texts
    assert [line.is_paragraph_start for line in wrapped.lines] == [True, False, True, False]
    assert wrapped.width == max(measure(line, G1) for line in wrapped.texts)


def test_a_text_fits_into_what_it_measures() -> None:
    assert fits("Hello", G1, width=40)
    assert not fits("Hello", G1, width=39)
    assert fits("Hello", G1)
