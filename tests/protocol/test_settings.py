"""`_protocol/settings.py`: the app's settings out of two shapes (P1 5.2)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio._protocol.settings import SettingsBook
from mentra_trio._wire.inbound import SettingEntry
from mentra_trio.models import SettingChange

DEFINITIONS = (
    SettingEntry(type="group", label=""),
    SettingEntry(type="toggle", key="dark", label="Dark", default_value=True),
    SettingEntry(type="select", key="unit", label="Unit", default_value="c"),
    SettingEntry(type="text", key="nick", label="Nick", default_value="", value="Ana"),
    SettingEntry(type="titleValue", key="version", value="1.2"),
)


def told(**values: object) -> tuple[SettingEntry, ...]:
    return tuple(SettingEntry(key=key, value=value) for key, value in values.items())


def test_p1_5_2_definitions_give_values_and_defaults() -> None:
    book = SettingsBook()

    book.apply(DEFINITIONS)

    assert book.values == {"dark": True, "unit": "c", "nick": "Ana"}


def test_p1_5_2_bare_pairs_give_values() -> None:
    book = SettingsBook()

    book.apply(told(dark=False, speed=7))

    assert book.values == {"dark": False, "speed": 7}


def test_p1_5_2_definitions_are_kept_when_only_pairs_come_later() -> None:
    book = SettingsBook()
    book.apply(DEFINITIONS)

    changes = book.apply(told(unit="f"))

    assert book.values == {"dark": True, "unit": "f", "nick": ""}
    assert changes == (
        SettingChange(key="unit", old="c", new="f"),
        SettingChange(key="nick", old="Ana", new=""),
    )


def test_p1_5_1_a_change_that_comes_twice_is_told_once() -> None:
    book = SettingsBook()
    book.apply(told(lang="en"))

    assert book.apply(told(lang="fr")) == (SettingChange(key="lang", old="en", new="fr"),)
    assert book.apply(told(lang="fr")) == ()


def test_a_list_replaces_the_one_before() -> None:
    book = SettingsBook()
    book.apply(told(a=1, b=2))

    assert book.apply(told(b=2)) == (SettingChange(key="a", old=1, new=None),)
    assert book.values == {"b": 2}


def test_an_empty_list_leaves_the_defaults() -> None:
    book = SettingsBook()
    book.apply(DEFINITIONS)

    book.apply(())

    assert book.values == {"dark": True, "unit": "c", "nick": ""}


def test_a_default_can_change() -> None:
    book = SettingsBook()
    book.apply((SettingEntry(key="a", default_value=1),))

    assert book.apply((SettingEntry(key="a", default_value=2),)) == (SettingChange(key="a", old=1, new=2),)


@pytest.mark.parametrize("value", [False, 0, 0.0, "", [], {}])
def test_an_empty_value_is_a_value(value: object) -> None:
    book = SettingsBook()
    book.apply((SettingEntry(key="a", value=value, default_value="default"),))

    assert book.values == {"a": value}


def test_a_value_without_a_key_is_nothing() -> None:
    book = SettingsBook()

    assert book.apply((SettingEntry(value=5), SettingEntry(key="", value=6, default_value=7))) == ()
    assert book.values == {}


@pytest.mark.parametrize("kind", ["group", "titleValue"])
def test_p1_5_2_groups_and_titles_are_no_values(kind: str) -> None:
    book = SettingsBook()

    assert book.apply((SettingEntry(type=kind, key="x", value=1, default_value=2),)) == ()


def test_a_definition_without_any_value_is_nothing() -> None:
    book = SettingsBook()

    assert book.apply((SettingEntry(type="text", key="a"),)) == ()
    assert book.values == {}


def test_a_new_setting_is_a_change_from_nothing() -> None:
    book = SettingsBook()

    assert book.apply(told(a=1)) == (SettingChange(key="a", old=None, new=1),)


def test_true_and_one_are_different_settings() -> None:
    book = SettingsBook()
    book.apply(told(a=1))

    assert book.apply(told(a=True)) == (SettingChange(key="a", old=1, new=True),)


def test_the_mapping_given_out_does_not_change_later() -> None:
    book = SettingsBook()
    book.apply(told(a=1))
    before = book.values

    book.apply(told(a=2))

    assert before == {"a": 1}


VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=2)
ENTRIES = st.lists(
    st.builds(
        SettingEntry,
        key=st.sampled_from(["", "a", "b", "c"]),
        type=st.sampled_from([None, "toggle", "group", "titleValue"]),
        value=VALUES,
        default_value=VALUES,
    ),
    max_size=5,
)


@given(st.lists(ENTRIES, max_size=5))
def test_the_changes_told_are_the_whole_difference(updates: list[list[SettingEntry]]) -> None:
    book = SettingsBook()
    for entries in updates:
        before = dict(book.values)
        for change in book.apply(entries):
            assert before.get(change.key) == change.old
            if change.key in book.values:
                before[change.key] = change.new
            else:
                del before[change.key]
        assert before == book.values
        assert book.apply(entries) == (), "the same list again changes nothing"


@pytest.mark.parametrize(
    ("before", "after"), [(1, True), ([1], [True]), ({"a": [0]}, {"a": [False]}), ([1], [1, 1]), ({"a": 1}, {"b": 1})]
)
def test_a_change_of_the_type_is_a_change_however_deep(before: object, after: object) -> None:
    """To Python 1 and True are equal."""
    book = SettingsBook()
    book.apply(told(key=before))

    assert book.apply(told(key=after)) == (SettingChange(key="key", old=before, new=after),)


@pytest.mark.parametrize("value", [1, [1, {"a": "b"}], {"a": {"b": [True]}}])
def test_the_same_value_is_no_change(value: object) -> None:
    book = SettingsBook()
    book.apply(told(key=value))

    assert book.apply(told(key=json.loads(json.dumps(value)))) == ()


def test_a_cloud_that_makes_definitions_up_costs_no_memory() -> None:
    book = SettingsBook()
    for number in range(3000):
        book.apply((SettingEntry(key="mine", default_value=1), SettingEntry(key=f"k{number}", default_value=1)))
        assert len(book.values) <= 1000

    assert book.values["mine"] == 1
