"""A window over more lines than a display has."""

from mentra_trio.text import ScrollView


def test_what_can_be_seen_is_one_text_without_the_empty_lines_behind_it() -> None:
    view = ScrollView(3)
    view.show(["one", "", "three", "four"])
    assert view.text == "one\n\nthree"
    view.show(["one"])

    assert view.lines == ("one", "", "")
    assert view.text == "one"


def test_appending_nothing_changes_nothing() -> None:
    """The reference appends an empty line then (P4 6)."""
    view = ScrollView(2)
    view.show(["one", "two", "three"])
    view.append([])

    assert (view.all_lines, view.offset) == (("one", "two", "three"), 0)
