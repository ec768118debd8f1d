"""Text that is too long."""

from __future__ import annotations

import math

import attrs
import pytest

from mentra_trio.text import G1, NEX, Style, byte_size, measure, paginate, shorten, split_bytes, wrap
from mentra_trio.text import fit as fit_text

LONG = "Every morning the baker on the corner sets out four trays of bread before the street lamps switch off. " * 6
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
SMALL = attrs.evolve(G1, width=100, max_lines=2)


def test_what_fits_is_left_alone() -> None:
    assert fit_text("Hello", G1) == wrap("Hello", G1)


def test_what_does_not_fit_ends_with_an_ellipsis() -> None:
    fitted = fit_text("one two three four five six", SMALL)
    assert fitted.texts == ["one two", "three fou..."]
    assert fitted.cut == "r five six"
    assert fitted.lines[-1].width == measure("three fou...", G1) <= 100


def test_an_ellipsis_takes_the_place_of_what_has_to_go() -> None:
    assert fit_text("one two\nthreefourty\nfive", SMALL).texts == ["one two", "threefour..."]
    assert fit_text("ab cd\nefg", attrs.evolve(G1, width=30, max_lines=1)).texts == ["a..."]


def test_an_ellipsis_stands_behind_line_breaks_that_are_not_kept() -> None:
    joined = Style(keep_newlines=False)
    fitted = fit_text("one\ntwo\nthree four five six", SMALL, joined, max_lines=1)
    assert (fitted.texts, fitted.cut) == (["one two..."], "\nthree four five six")
    fitted = fit_text("\u6f22\n\u5b57\r\n\u6f22\u5b57\u6f22\u5b57", SMALL, joined, max_lines=1)
    assert (fitted.texts, fitted.cut) == (["\u6f22\u5b57\u6f22\u5b57..."], "\u6f22\u5b57")


def test_an_ellipsis_without_room_is_left_out() -> None:
    assert fit_text("a b", attrs.evolve(G1, width=12, max_lines=1), ellipsis="-----").texts == ["a"]
    assert fit_text("a b", G1, max_bytes=0).lines == ()


def test_an_ellipsis_counts_as_bytes() -> None:
    assert fit_text("abcdef\nghi", G1, max_bytes=6).texts == ["abc..."]


def test_a_line_of_too_many_bytes_is_shown_as_far_as_they_go() -> None:
    fitted = fit_text("The ferry to the north island leaves at seven, so bring a warm coat.", G1, max_bytes=50)
    assert fitted.texts == ["The ferry to the north island leaves at seven,..."]
    assert fit_text(ENGLAND * 20 + " hello world", G1).texts == [ENGLAND * 13 + "..."]
    assert fit_text("Hi " + ENGLAND * 9, NEX).texts == ["Hi " + ENGLAND * 7 + "..."]
    assert fit_text("Hello" + "\u0301" * 201 + " there", G1).texts == ["Hell..."]


def test_pages_break_lines_of_too_many_bytes() -> None:
    pages = paginate(ENGLAND * 20 + " hello", G1)
    assert [page.text for page in pages] == [ENGLAND * 13, ENGLAND * 7 + " hello"]
    assert all(byte_size(page.text) <= G1.max_bytes for page in pages)
    assert [page.text for page in paginate("antidisestablishmentarianism", SMALL, max_bytes=12)] == [
        "antidisest-",
        "ablishmen-",
        "tarianism",
    ]
    assert [page.text for page in paginate("Turn left at the fountain, then right", G1, max_bytes=12)] == [
        "Turn left at",
        "the",
        "fountain,",
        "then right",
    ]


def test_a_hyphen_without_room_is_left_out() -> None:
    hyphen = Style(hyphen="\u2010")
    assert [page.text for page in paginate("antidisestablish", SMALL, hyphen, max_bytes=10)] == [
        "antidis\u2010",
        "establish",
    ]
    assert [page.text for page in paginate("antidisestablish", SMALL, hyphen, max_bytes=5)] == [
        "antid",
        "isest",
        "ablis",
        "h",
    ]


def test_one_line_is_shortened() -> None:
    assert shorten("Hello", G1) == "Hello"
    assert shorten("Hello wonderful world", G1, width=100) == "Hello won..."
    assert shorten("Hello\nworld", G1) == "Hello world"
    assert shorten("\u6f22\r\n\u5b57", G1) == "\u6f22\u5b57"


def test_an_ellipsis_that_is_too_wide_is_cut() -> None:
    assert shorten("Hello", G1, width=9) == ".."
    assert shorten("Hello", G1, width=0) == ""


def test_pages_are_cut_by_lines_and_by_bytes() -> None:
    pages = paginate("1\n2\n3\n4\n5\n6\n7", G1, max_lines=3)
    assert [page.text for page in pages] == ["1\n2\n3", "4\n5\n6", "7"]
    assert [(page.number, page.total, page.is_first, page.is_last) for page in pages] == [
        (1, 3, True, False),
        (2, 3, False, False),
        (3, 3, False, True),
    ]
    assert [page.text for page in paginate("1\n2\n3", G1, max_bytes=3)] == ["1\n2", "3"]


def test_a_page_without_an_end_is_one_page() -> None:
    (page,) = paginate(LONG, G1, max_lines=math.inf, max_bytes=math.inf)
    assert (page.total, page.is_last) == (1, True)


def test_an_empty_text_is_one_page() -> None:
    assert [page.text for page in paginate("", G1)] == [""]


def test_a_page_without_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one line"):
        paginate(LONG, G1, max_lines=0)


def test_parts_end_behind_spaces() -> None:
    assert split_bytes("Hello wonderful world", 11) == ["Hello ", "wonderful ", "world"]
    assert split_bytes("\ufeffHello wonderful world", 12) == ["\ufeffHello ", "wonderful ", "world"]
    assert split_bytes("", 12) == [""]


def test_what_goes_on_from_behind_a_space_is_no_more_than_a_part() -> None:
    assert split_bytes("00 0\U00010000", 4) == ["00 ", "0", "\U00010000"]


def test_a_grapheme_that_is_larger_than_a_part_is_cut() -> None:
    assert split_bytes("\U0001f468\u200d\U0001f469", 8) == ["\U0001f468\u200d", "\U0001f469"]


def test_a_part_that_cannot_hold_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 bytes"):
        split_bytes("abc", 3)
