"""Columns, tables, lists and bars."""

from __future__ import annotations

import attrs
import pytest

from mentra_trio.text import (
    G1,
    NEX,
    PROFILES,
    Align,
    BreakMode,
    Font,
    Profile,
    Style,
    bullets,
    byte_size,
    columns,
    measure,
    progress_bar,
    table,
)

DISPLAYS = pytest.mark.parametrize("profile", list(PROFILES), ids=lambda profile: profile.id)


def test_columns_stand_side_by_side_without_spaces_at_the_ends() -> None:
    wall = columns("Left\nonly here", "Right", G1)
    assert wall.text == "Left" + " " * 46 + "Right\nonly here"
    assert measure("Left" + " " * 46, G1) <= 316
    assert not wall.is_truncated


def test_columns_that_are_too_many_bytes_end_early_and_say_so() -> None:
    wall = columns("a\nb\nc\nd\ne", "1\n2\n3\n4\n5", NEX)
    assert byte_size(wall.text) <= NEX.max_bytes
    assert wall.is_truncated
    assert wall.lines[0].endswith("1")


def test_columns_of_a_row_of_too_many_bytes_share_them() -> None:
    flag = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    wall = columns(flag * 9, flag * 9, G1)
    assert [row.split() for row in wall.lines] == [[flag * 6, flag * 6]]
    assert wall.is_truncated
    assert columns("Left", "Right", G1, max_bytes=40).lines == ("Left",)
    assert columns("", "Right", G1, max_bytes=40).lines == ()
    assert columns("a" + "\u0301" * 200, "b", G1).lines == (" " * 52 + "b",)


def test_columns_that_share_a_row_still_have_no_more_rows_than_the_display() -> None:
    flag = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    wall = columns(flag * 20, "x", G1, max_bytes=150)
    assert list(wall.left) == [flag] * G1.max_lines
    assert byte_size(wall.text) <= 150
    assert wall.is_truncated


def test_columns_say_when_a_text_has_no_room() -> None:
    assert columns("a\nb\nc", "x", G1, max_lines=2).is_truncated


def test_columns_are_wrapped_as_asked_for() -> None:
    """The reference takes a break mode, and ignores it (P4 7)."""
    text = "Boil the water, add the rice and wait"
    words = columns(text, "", G1, left_width=90).left
    cut = columns(text, "", G1, Style(mode=BreakMode.CHARACTER_NO_HYPHEN), left_width=90).left
    assert (words[0], cut[0]) == ("Boil the", "Boil the w")


def test_the_place_of_columns_can_be_chosen() -> None:
    wall = columns("ab", "cd", G1, left_width=60, right_start=66)
    assert wall.text == "ab" + " " * 7 + "cd"


@pytest.mark.parametrize(("left", "right"), [(100, 90), (0, 90), (100, 600), (100, 103)])
def test_columns_that_do_not_stand_side_by_side_are_refused(left: int, right: int) -> None:
    with pytest.raises(ValueError, match="side by side"):
        columns("a", "b", G1, left_width=left, right_start=right)


def test_cells_stand_in_columns() -> None:
    rows = table([["Line", "Leaves"], ["12", "in 4 min"], ["Express", "soon"]], G1, align=[Align.LEFT, Align.RIGHT])
    assert [row.split() for row in rows] == [["Line", "Leaves"], ["12", "in", "4", "min"], ["Express", "soon"]]
    ends = [measure(row, G1) for row in rows]
    assert max(ends) - min(ends) < G1.space_width


@DISPLAYS
def test_tables_fit(profile: Profile) -> None:
    rows = table([["A long name of something"] * 3, ["b"], ["c", "d" * 50, ""]], profile)
    assert len(rows) == 3
    assert all(measure(row, profile) <= profile.width for row in rows)
    assert "..." in rows[0]


def test_an_empty_table_has_no_lines() -> None:
    assert table([], G1) == []
    assert table([[], ["a"]], G1) == ["", "a"]


def test_tables_without_room_are_refused() -> None:
    with pytest.raises(ValueError, match="have no room"):
        table([["a"] * 60], G1)
    with pytest.raises(ValueError, match="a space"):
        table([["a", "b"]], G1, gap=1)


@DISPLAYS
def test_a_bar_fills_and_does_not_change_its_length(profile: Profile) -> None:
    bars = [progress_bar(n / 100, profile) for n in range(101)]
    assert all(measure(bar, profile) <= profile.width for bar in bars)
    counts = [bar.count("=") for bar in bars]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert "-" not in bars[-1]
    assert bars[50].endswith("] 50%")


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_a_bar_is_between_nothing_and_all(fraction: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        progress_bar(fraction, G1)


def test_a_bar_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        progress_bar(0.5, G1, width=20)
    with pytest.raises(ValueError, match="does not fit"):
        progress_bar(0.5, G1, filled="")


def test_lines_that_continue_an_item_are_indented() -> None:
    items = ["bread", "a lamp that is not too bright for the small room at the end of the corridor, and warm"]
    found = bullets(items, G1)
    assert found[0] == "- bread"
    assert found[1].startswith("- a lamp")
    assert all(line.startswith("   ") for line in found[2:])
    assert all(measure(line, G1) <= G1.width for line in found)
    assert bullets(["a", "b"], G1, is_numbered=True) == ["1. a", "2. b"]


def test_a_font_whose_space_takes_no_room_puts_nothing_in_its_place() -> None:
    thin = attrs.evolve(G1, font=Font(glyphs={" ": 0}, scripts={}, fallback=10))
    for make in (
        lambda: columns("", "a", thin),
        lambda: table([["a", "b"]], thin, gap=1),
        lambda: bullets(["a"], thin),
    ):
        with pytest.raises(ValueError, match="space"):
            make()
