"""What holds for any text, display and mode."""

from __future__ import annotations

import itertools
import math

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mentra_trio.text import (
    PROFILES,
    BreakMode,
    Font,
    Profile,
    Script,
    Style,
    byte_size,
    columns,
    compatible,
    fit,
    graphemes,
    iter_lines,
    measure,
    paginate,
    shorten,
    split_bytes,
    wrap,
)
from mentra_trio.text.clusters import is_simple
from mentra_trio.text.kinds import WHITE_SPACE
from tests.effort import effort

SAMPLES = [
    "The ferry leaves at seven. ",
    "well-known/e-mail (a) [b] \u00abc\u00bb 1,000.50 $5 100% ",
    "\u660e\u65e5\u306e\u671d\u3001\u99c5\u524d\u306e\u300c\u30d1\u30f3\u5c4b\u300d\u3067\u3002\u3063\u30fc",
    "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8\u1112\u1161\u11ab ",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u0645\u0631\u062d\u0628\u0627 \u0628\u0643\u0645 ",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 ",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f ",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea1\ufe0f\u20e3\U0001f44d\U0001f3fd",
    "e\u0301o\u0308\u0323 \u0301 \u200b\u200d\ufeff\u00ad\u2060\u00a0\u202f\u3000\t",
    "\n\r\n\r\v\f\u2028\u2029\x85\x1c\ud83d\ude00a",
    "Pneumonoultramicroscopicsilicovolcanoconiosis",
    "\u041f\u0440\u0438\u0432\u0435\u0442 \u03ba\u03cc\u03c3\u03bc\u03b5 \u00fcber\u00adgang ",
]
CHARACTERS = st.sampled_from(sorted({char for sample in SAMPLES for char in sample}))
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(CHARACTERS, max_size=120),
    st.lists(st.one_of(st.sampled_from(SAMPLES), st.text(CHARACTERS, max_size=4)), max_size=8).map("".join),
)
KNOWN = st.sampled_from(list(PROFILES))
FONTS = st.builds(
    Font,
    glyphs=st.dictionaries(st.sampled_from("abcdefghij -.,"), st.integers(0, 300)),
    add=st.integers(0, 2),
    multiply=st.integers(1, 3),
    scripts=st.dictionaries(st.sampled_from(Script), st.integers(0, 60)),
    fallback=st.integers(0, 40),
    marks_take_room=st.booleans(),
)
OWN = st.builds(
    Profile,
    id=st.just("own"),
    name=st.just("An author's"),
    width=st.integers(1, 600),
    max_lines=st.integers(1, 8),
    max_bytes=st.integers(1, 400),
    chunk_bytes=st.just(20),
    font=FONTS,
)
DISPLAYS = st.one_of(KNOWN, OWN)
STYLES = st.builds(
    Style,
    mode=st.sampled_from(BreakMode),
    hyphen=st.sampled_from(["-", "", "~~", "\u2010"]),
    min_before_hyphen=st.integers(0, 4),
    trim=st.booleans(),
    keep_newlines=st.booleans(),
)
WIDTHS = st.one_of(st.none(), st.integers(0, 200), st.floats(0, 200))
BYTES = st.one_of(st.just(math.inf), st.integers(0, 60))
"""Of a line."""
LAYOUTS = (TEXTS, DISPLAYS, STYLES, WIDTHS, BYTES)


def without_white_space(text: str) -> str:
    return "".join(char for char in text if char not in WHITE_SPACE)


def shown_text(lines: list[str], hyphenated: list[bool], hyphen: str) -> str:
    return "".join(line.removesuffix(hyphen) if cut else line for line, cut in zip(lines, hyphenated, strict=True))


def texts_of(
    text: str, profile: Profile, style: Style, width: float | None = None, max_bytes: float = math.inf
) -> list[str]:
    return [line.text for line in iter_lines(text, profile, style, width=width, max_bytes=max_bytes)]


@effort(50)
@given(*LAYOUTS)
def test_no_line_is_wider_than_the_display_but_for_a_single_grapheme(
    text: str, profile: Profile, style: Style, width: float | None, max_bytes: float
) -> None:
    limit = profile.width if width is None else width
    for line in iter_lines(text, profile, style, width=width, max_bytes=max_bytes):
        assert line.width == measure(line.text, profile)
        assert line.is_oversized is (line.width > limit or byte_size(line.text) > max_bytes)
        assert not line.is_oversized or len(graphemes(line.text)) == 1


@effort(50)
@given(*LAYOUTS)
def test_nothing_but_white_space_is_lost_and_nothing_is_added(
    text: str, profile: Profile, style: Style, width: float | None, max_bytes: float
) -> None:
    lines = list(iter_lines(text, profile, style, width=width, max_bytes=max_bytes))
    shown = shown_text([line.text for line in lines], [line.is_hyphenated for line in lines], style.hyphen)
    assert without_white_space(shown) == without_white_space(text)
    if style.trim:
        ends = [(graphemes(line.text)[0], graphemes(line.text)[-1]) for line in lines if line.text]
        assert not {*itertools.chain(*ends)} & {*WHITE_SPACE}
    elif style.keep_newlines:
        gaps = [text[a.end : b.start] for a, b in itertools.pairwise(lines)]
        assert all(gap.strip("\n\r\v\f\u2028\u2029") == "" for gap in gaps)


@effort(50)
@given(*LAYOUTS)
def test_a_line_is_the_part_of_the_text_that_it_says(
    text: str, profile: Profile, style: Style, width: float | None, max_bytes: float
) -> None:
    style = attrs.evolve(style, keep_newlines=True)
    for line in iter_lines(text, profile, style, width=width, max_bytes=max_bytes):
        assert line.text == text[line.start : line.end] + (style.hyphen if line.is_hyphenated else "")


@effort(50)
@given(*LAYOUTS)
def test_a_line_depends_on_nothing_behind_it(
    text: str, profile: Profile, style: Style, width: float | None, max_bytes: float
) -> None:
    """Captions rest on it. The added word is one that no shortcut for simple texts takes, so these are compared too."""
    lines = texts_of(text, profile, style, width, max_bytes)[:-1]
    assert texts_of(f"{text} e\u0301", profile, style, width, max_bytes)[: len(lines)] == lines


@effort(50)
@given(*LAYOUTS)
def test_graphemes_stay_whole(text: str, profile: Profile, style: Style, width: float | None, max_bytes: float) -> None:
    style = attrs.evolve(style, keep_newlines=True)
    places, at = {0}, 0
    for cluster in graphemes(text):
        at += len(cluster)
        places.add(at)
    for line in iter_lines(text, profile, style, width=width, max_bytes=max_bytes):
        assert {line.start, line.end} <= places


@effort(50)
@given(*LAYOUTS)
def test_bytes_that_no_line_has_change_nothing(
    text: str, profile: Profile, style: Style, width: float | None, max_bytes: float
) -> None:
    lines = list(iter_lines(text, profile, style, width=width))
    starts = [0, *(line.start for line in lines[1:]), len(text)]
    assume(all(byte_size(text[a:b] + style.hyphen) <= max_bytes for a, b in itertools.pairwise(starts)))
    assert texts_of(text, profile, style, width, max_bytes) == [line.text for line in lines]


@effort(50)
@given(*LAYOUTS)
def test_wrapping_what_was_wrapped_changes_nothing(
    text: str, profile: Profile, style: Style, width: float | None, max_bytes: float
) -> None:
    lines = texts_of(text, profile, style, width, max_bytes)
    again = attrs.evolve(style, keep_newlines=True)
    assert texts_of("\n".join(lines), profile, again, width, max_bytes) == lines


@effort(50)
@given(TEXTS, DISPLAYS, STYLES, WIDTHS, st.integers(0, 300), st.integers(0, 6))
def test_limits_hold_and_what_is_cut_is_told(
    text: str, profile: Profile, style: Style, width: float | None, max_bytes: int, max_lines: int
) -> None:
    wrapped = wrap(text, profile, style, width=width, max_lines=max_lines, max_bytes=max_bytes)
    everything = texts_of(text, profile, style, width, max_bytes)
    count = len(wrapped.lines)
    assert count <= max_lines
    assert wrapped.texts == everything[:count]
    assert wrapped.bytes <= max_bytes or (wrapped.lines[0].is_oversized and count == 1)
    assert count in {max_lines, len(everything)} or byte_size("\n".join(everything[: count + 1])) > max_bytes
    assert wrapped.lines or max_lines == 0 or max_bytes == 0
    shown = shown_text(wrapped.texts, [line.is_hyphenated for line in wrapped.lines], style.hyphen)
    assert text.endswith(wrapped.cut)
    assert without_white_space(shown + wrapped.cut) == without_white_space(text)


@effort(50)
@given(TEXTS, DISPLAYS, STYLES, st.integers(1, 7), st.integers(0, 200))
def test_pages_put_together_are_the_text(
    text: str, profile: Profile, style: Style, max_lines: int, max_bytes: int
) -> None:
    pages = paginate(text, profile, style, max_lines=max_lines, max_bytes=max_bytes)
    lines = [line for page in pages for line in page.lines]
    assert [line.text for line in lines] == texts_of(text, profile, style, max_bytes=max_bytes)
    shown = shown_text([line.text for line in lines], [line.is_hyphenated for line in lines], style.hyphen)
    assert without_white_space(shown) == without_white_space(text)
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert all(page.is_last is (page is pages[-1]) and page.is_first is (page is pages[0]) for page in pages)
    for page in pages:
        assert 1 <= len(page.lines) <= max_lines
        assert byte_size(page.text) <= max_bytes or (len(page.lines) == 1 and page.lines[0].is_oversized)


@effort(50)
@given(TEXTS, DISPLAYS, STYLES)
def test_what_is_fitted_fits(text: str, profile: Profile, style: Style) -> None:
    fitted = fit(text, profile, style)
    assert fitted.lines
    assert fitted.bytes <= profile.max_bytes or fitted.lines[0].is_oversized
    assert fitted.text or not without_white_space(text) or text[0] in WHITE_SPACE
    assert len(fitted.lines) <= profile.max_lines
    assert len(fitted.lines) == fitted.text.count("\n") + 1
    assert all(line.width <= profile.width or line.is_oversized for line in fitted.lines)
    if fitted.is_truncated and fitted.lines and fitted.lines[-1].text.endswith("..."):
        *texts, last = fitted.texts
        hyphenated = [line.is_hyphenated for line in fitted.lines]
        shown = shown_text([*texts, last.removesuffix("...")], hyphenated, style.hyphen)
        assert without_white_space(shown + fitted.cut) == without_white_space(text)


@effort(50)
@given(TEXTS, DISPLAYS, STYLES)
def test_a_phone_shows_what_is_fitted_to_it_line_by_line(text: str, profile: Profile, style: Style) -> None:
    """Phones wrap once more, as the reference does by default (P4 3.1)."""
    text = text.encode("utf-8", "ignore").decode()
    fitted = fit(text, profile.as_phones_measure(), attrs.evolve(style, trim=True))
    assume(not any(line.is_oversized for line in fitted.lines))
    on_phone = compatible.wrap(fitted.text, profile, compatible.WrapOptions.of(profile))
    trimmed = WHITE_SPACE + "\ufeff"
    assert not on_phone.is_truncated
    assert [line.strip(trimmed) for line in on_phone.texts] == [line.strip(trimmed) for line in fitted.texts or [""]]


@effort(50)
@given(TEXTS, DISPLAYS, WIDTHS, st.sampled_from(["...", "\u2026", "", "----------"]))
def test_what_is_shortened_fits(text: str, profile: Profile, width: float | None, ellipsis: str) -> None:
    limit = profile.width if width is None else width
    assert measure(shorten(text, profile, width=width, ellipsis=ellipsis), profile) <= limit


@effort(50)
@given(TEXTS, st.integers(4, 60))
def test_parts_put_together_are_the_text(text: str, size: int) -> None:
    parts = split_bytes(text, size)
    assert "".join(parts) == text
    assert all(byte_size(part) <= size for part in parts)


@effort(50)
@given(TEXTS, TEXTS, KNOWN, STYLES)
def test_columns_fit(left: str, right: str, profile: Profile, style: Style) -> None:
    result = columns(left, right, profile, style)
    assert byte_size(result.text) <= profile.max_bytes
    assert result.lines or not without_white_space(left + right) or (left + right)[0] in WHITE_SPACE
    assert len(result.lines) <= profile.max_lines
    assert all(measure(row, profile) <= profile.width for row in result.lines)


@effort(50)
@given(TEXTS)
def test_a_text_is_the_sum_of_its_graphemes(text: str) -> None:
    assert "".join(graphemes(text)) == text
    if is_simple(text):
        from wcwidth import iter_graphemes  # noqa: PLC0415 - the tables are what this is compared with

        assert list(graphemes(text)) == list(iter_graphemes(text))


@pytest.mark.slow
@effort(6)
@given(st.sampled_from(list("a\u4e00\uac00\U0001f600\u0e01#")))
def test_characters_that_are_called_simple_join_no_neighbour(other: str) -> None:
    from wcwidth import iter_graphemes  # noqa: PLC0415

    simple = [char for char in map(chr, (*range(0xD800), *range(0xE000, 0x20010))) if is_simple(char)]
    text = other.join(simple)
    assert len(list(iter_graphemes(text))) == len(text)
    assert len(list(iter_graphemes("".join(simple)))) == len(simple)
