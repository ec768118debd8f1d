"""The reference's layout, where the recorded cases do not look. Expectations are what the reference gave."""

from __future__ import annotations

import attrs
import pytest

from mentra_trio.text import G1, G1_LEGACY, compatible


def test_a_line_of_spaces_that_do_not_break_is_an_empty_line_inside_a_paragraph() -> None:
    options = attrs.evolve(compatible.WrapOptions.of(G1_LEGACY), max_width=22.5, break_mode="strict-word")

    assert compatible.wrap("\u3042\ufeff x \t\u00a0de \u2013", G1_LEGACY, options).texts == [
        "\u3042",
        "",
        "x",
        "de",
        "\u2013",
    ]


def test_what_would_never_end_is_refused() -> None:
    options = attrs.evolve(compatible.WrapOptions.of(G1), max_lines=0)
    with pytest.raises(ValueError, match="at least one line"):
        compatible.paginate("a", G1, options)
    with pytest.raises(ValueError, match="too small"):
        compatible.split_into_chunks("\u660e\u660e", G1, size=2)


def test_fewer_letters_before_a_hyphen_than_none_are_refused() -> None:
    with pytest.raises(ValueError, match="min_before_hyphen"):
        attrs.evolve(compatible.WrapOptions.of(G1), min_before_hyphen=-1)


def test_a_width_of_nothing_gives_no_number_of_lines() -> None:
    assert compatible.estimate_line_count("abc", G1, max_width=0) == float("inf")
    options = attrs.evolve(compatible.WrapOptions.of(G1), max_width=0)
    assert [line.utilization for line in compatible.wrap("ab", G1, options).lines] == [float("inf")] * 2


def test_spaces_that_take_no_room_are_as_many_as_can_be() -> None:
    thin = attrs.evolve(G1, font=attrs.evolve(G1.font, glyphs={**G1.font.glyphs, " ": -1}))
    layout = attrs.evolve(compatible.ColumnLayout.of(thin), right_start=0)

    rows = compatible.compose_columns("ab", "cd", thin, break_mode="word").text.split("\n")
    assert rows[0] == "ab" + " " * 100 + "cd"
    assert compatible.compose_columns("ab", "cd", thin, layout=layout, break_mode="word").text.startswith("ab cd\n")
