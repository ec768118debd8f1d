"""What is being said, line by line."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio.text import G1, NEX, PROFILES, CaptionView, Profile, byte_size, graphemes, measure, wrap
from tests.effort import effort

from .speech import transcripts
from .test_properties import DISPLAYS

NARROW = attrs.evolve(G1, width=120, max_lines=3)
FEW_BYTES = attrs.evolve(G1, max_bytes=20)


def shown(view: CaptionView) -> tuple[str, ...]:
    return view.lines


def test_interims_are_replaced_in_place() -> None:
    view = CaptionView(G1)
    assert view.update("Turn", is_final=False, utterance="1")
    assert view.update("Turn left", is_final=False, utterance="1")
    assert shown(view) == ("Turn left",)
    assert not view.update("Turn left", is_final=True, utterance="1")
    assert view.update("at the fountain", is_final=False, utterance="2")
    assert view.text == "Turn left at the fountain"


def test_the_newest_lines_are_at_the_bottom() -> None:
    view = CaptionView(NARROW)
    for word in ["the", "ferry", "to", "the", "north", "island", "leaves", "at", "seven", "so", "bring", "a", "coat"]:
        view.update(word, is_final=True)
    assert shown(view) == ("island leaves", "at seven so", "bring a coat")


def test_a_display_of_few_bytes_has_shorter_lines() -> None:
    view = CaptionView(FEW_BYTES)
    view.update("The ferry to the north island", is_final=False)
    assert view.lines == ("north island",)
    view.update("The ferry to the north island leaves at seven.", is_final=True)
    assert view.lines == ("at seven.",)


def test_who_takes_over_begins_a_line_with_a_mark() -> None:
    view = CaptionView(G1)
    view.update("Hello.", is_final=True, speaker="1")
    view.update("Hi.", is_final=False, speaker="2")
    assert shown(view) == ("Hello.", "- Hi.")
    view.update("Hi.", is_final=True, speaker="2")
    view.update("There.", is_final=True)
    view.update("Yes.", is_final=True, speaker="1")
    assert shown(view) == ("Hello.", "- Hi. There.", "- Yes.")


def test_who_takes_over_inside_an_utterance_begins_a_line_too() -> None:
    """A recogniser tells the speaker of the newest word, with the whole text (P2 3.3.3)."""
    view = CaptionView(G1)
    view.update("what time", is_final=False, speaker="1", utterance="a")
    view.update("what time is it ten", is_final=False, speaker="1", utterance="a")
    view.update("What time is it? ten past", is_final=False, speaker="2", utterance="a")
    assert shown(view) == ("What time is it?", "- ten past")
    view.update("What time is it? Ten past four.", is_final=True, speaker="2", utterance="a")
    view.update("Thanks.", is_final=True, speaker="1", utterance="b")
    assert shown(view) == ("What time is it?", "- Ten past four.", "- Thanks.")


def test_a_recogniser_may_change_its_mind_about_who_speaks() -> None:
    view = CaptionView(G1)
    view.update("one two", is_final=False, speaker="1", utterance="a")
    view.update("one two three", is_final=False, speaker="2", utterance="a")
    assert shown(view) == ("one two", "- three")
    view.update("one two three", is_final=False, speaker="1", utterance="a")
    assert shown(view) == ("one two three",)
    view.update("", is_final=False, speaker="2", utterance="a")
    view.update("one", is_final=False, speaker="2", utterance="a")
    view.update("two", is_final=True, speaker="1", utterance="b")
    assert shown(view) == ("one", "- two")


def test_who_takes_over_in_a_script_without_spaces_says_the_new_characters() -> None:
    view = CaptionView(G1)
    view.update("\u660e\u65e5", is_final=False, speaker="1", utterance="a")
    view.update("\u660e\u65e5\u306e\u671d", is_final=True, speaker="2", utterance="a")
    assert shown(view) == ("\u660e\u65e5", "- \u306e\u671d")


def test_who_spoke_is_not_forgotten_when_a_step_does_not_say_it() -> None:
    view = CaptionView(G1)
    view.update("Hello.", is_final=True, speaker="1", utterance="a")
    view.update("Where", is_final=False, speaker="2", utterance="b")
    assert not view.update("Where", is_final=False, utterance="b")
    assert shown(view) == ("Hello.", "- Where")


def test_speakers_can_have_names() -> None:
    view = CaptionView(G1, label=lambda speaker: f"Guest {speaker}: ")
    view.update("Hello.", is_final=True, speaker="1")
    view.update("Hi.", is_final=True, speaker="2")
    assert shown(view) == ("Hello.", "Guest 2: Hi.")


def test_scripts_without_spaces_are_joined_without() -> None:
    view = CaptionView(G1)
    view.update("\u660e\u65e5", is_final=True)
    view.update("\u306e\u671d", is_final=True)
    assert shown(view) == ("\u660e\u65e5\u306e\u671d",)


def test_lines_do_not_come_back_when_words_are_taken_back() -> None:
    view = CaptionView(NARROW)
    view.update("one two three four five six seven eight nine ten", is_final=False, utterance="1")
    assert shown(view) == ("five six", "seven eight", "nine ten")
    view.update("one two three four five six seven", is_final=False, utterance="1")
    assert shown(view) == ("five six", "seven")
    view.update("one two three four five six seven. Eight", is_final=True, utterance="1")
    assert shown(view) == ("five six", "seven. Eight")


def test_a_view_is_not_left_empty() -> None:
    view = CaptionView(NARROW)
    view.update("one two three four five six seven eight nine ten", is_final=False)
    view.update("one", is_final=False)
    assert shown(view) == ("one",)


def test_utterances_at_the_same_time_stand_in_the_order_in_which_they_began() -> None:
    view = CaptionView(G1)
    view.update("How", is_final=False, speaker="1", utterance="a")
    view.update("Well", is_final=False, speaker="2", utterance="b")
    view.update("Well.", is_final=True, speaker="2", utterance="b")
    view.update("How are you?", is_final=True, speaker="1", utterance="a")
    assert shown(view) == ("How are you?", "- Well.")


def test_stragglers_of_what_is_finished_change_nothing() -> None:
    view = CaptionView(G1)
    view.update("open", is_final=False, utterance="a")
    view.update("Hello.", is_final=True, utterance="b")
    assert not view.update("Hell", is_final=False, utterance="b")
    view.update("Open", is_final=True, utterance="a")
    assert not view.update("Op", is_final=False, utterance="a")
    assert shown(view) == ("Open Hello.",)


def test_utterances_without_ids_follow_each_other() -> None:
    view = CaptionView(G1)
    view.update("begun", is_final=False, utterance="a")
    view.update("One.", is_final=True)
    view.update("Two", is_final=False)
    assert shown(view) == ("begun One. Two",)


def test_a_line_below_keeps_its_row_when_the_one_above_grows() -> None:
    """The first interims of an utterance may come before the final of the last one (P2 3.5)."""
    view = CaptionView(attrs.evolve(G1, width=200))
    view.update("one two three four", is_final=False, speaker="1", utterance="a")
    view.update("yes", is_final=False, speaker="2", utterance="b")
    assert shown(view) == ("one two three four", "- yes")
    view.update("one two three four five.", is_final=True, speaker="1", utterance="a")
    assert shown(view) == ("five.", "- yes")
    view.update("yes and no", is_final=True, speaker="2", utterance="b")
    view.update("Fine.", is_final=True, speaker="1", utterance="c")
    assert shown(view) == ("five.", "- yes and no", "- Fine.")


def test_a_line_below_keeps_its_row_among_equal_ones() -> None:
    view = CaptionView(attrs.evolve(G1, width=200))
    view.update("- yes", is_final=False, speaker="1", utterance="a")
    view.update("yes", is_final=False, speaker="2", utterance="b")
    assert shown(view) == ("- yes", "- yes")
    view.update("- yes but not before the others", is_final=False, speaker="1", utterance="a")
    assert shown(view)[1] == "- yes"


@pytest.mark.parametrize("speaker", ["1", "2", None])
def test_an_utterance_that_was_merged_into_the_one_before_is_shown_once(speaker: str | None) -> None:
    """The second never gets a final (P2 3.5, rule 4)."""
    view = CaptionView(G1)
    view.update("turn left at the fountain", is_final=False, speaker="1", utterance="a")
    view.update("the fountain and go", is_final=False, speaker=speaker, utterance="b")
    view.update("Well", is_final=False, speaker="3", utterance="c")
    view.update("Turn left at the fountain, and go straight.", is_final=True, speaker="1", utterance="a")
    assert " ".join(shown(view)) == "Turn left at the fountain, and go straight. - Well"


def test_what_is_said_again_is_not_taken_for_merged() -> None:
    view = CaptionView(G1)
    view.update("turn left", is_final=False, utterance="a")
    view.update("left", is_final=False, utterance="b")
    view.update("Turn left.", is_final=True, utterance="a")
    assert shown(view) == ("Turn left. left",)
    view.update("no", is_final=False, utterance="c")
    view.update("Left, I know", is_final=True, utterance="b")
    assert shown(view) == ("Turn left. Left, I know no",)


def test_an_utterance_that_two_later_ones_overtake_has_no_final() -> None:
    view = CaptionView(G1)
    view.update("begun", is_final=False, utterance="a")
    view.update("One.", is_final=True, utterance="b")
    view.update("begun again", is_final=False, utterance="a")
    view.update("Two.", is_final=True, utterance="c")
    assert view.update("begun once more", is_final=False, utterance="a")
    view.update("Three.", is_final=True, utterance="d")
    view.update("Four.", is_final=True, utterance="e")
    assert not view.update("begun too late", is_final=True, utterance="a")
    assert shown(view) == ("begun once more One. Two. Three. Four.",)


def test_an_utterance_whose_end_is_lost_holds_nothing_up() -> None:
    view = CaptionView(G1)
    for number in range(100):
        view.update(f"{number}", is_final=False, utterance=str(number))
    assert view.lines[-1].endswith("98 99")
    assert len(view.lines) <= G1.max_lines


def test_empty_words_are_nothing() -> None:
    view = CaptionView(G1)
    assert not view.update("  ", is_final=True, speaker="1")
    view.update("a", is_final=True, speaker="1")
    assert not view.update("", is_final=True, speaker="2")
    assert shown(view) == ("a",)


def test_a_cleared_view_begins_anew() -> None:
    view = CaptionView(NARROW)
    view.update("one two three four five six seven eight nine ten", is_final=True, speaker="1", utterance="1")
    view.clear()
    assert shown(view) == ()
    view.update("Hi.", is_final=True, speaker="2", utterance="1")
    assert shown(view) == ("Hi.",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (" it \t is\r\nten\u2028past\x85four ", "it is ten past four"),
        ("25\u00a0km, 1\u202f000\u00a0m", "25\u00a0km, 1\u202f000\u00a0m"),
        ("\u660e\u65e5\u3000\u306e\u671d", "\u660e\u65e5\u3000\u306e\u671d"),
        ("\u660e\u65e5\u306e\n \u671d\u3002", "\u660e\u65e5\u306e\u671d\u3002"),
        ("\u660e\u65e5 \u306e\u671d", "\u660e\u65e5 \u306e\u671d"),
        ("\u660e\u65e5\nten", "\u660e\u65e5 ten"),
        ("\ud55c\uad6d\n\uc0ac\ub78c", "\ud55c\uad6d \uc0ac\ub78c"),
        ("\u00a0\u3000", ""),
    ],
)
def test_white_space_with_a_meaning_is_kept(text: str, line: str) -> None:
    view = CaptionView(G1)
    view.update(text, is_final=True)
    assert view.text == line


def test_a_view_without_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one line"):
        CaptionView(G1, size=0)


@pytest.mark.parametrize("profile", list(PROFILES), ids=lambda profile: profile.id)
@pytest.mark.parametrize("silence", [12, 3, 1.0])
def test_many_beginnings_never_move_a_line_down(profile: Profile, silence: float) -> None:
    for seed in range(40):
        check_speech(CaptionView(profile), seed, seconds=8, silence=silence)


@pytest.mark.parametrize("profile", list(PROFILES), ids=lambda profile: profile.id)
def test_an_hour_of_speech_never_moves_a_line_down(profile: Profile) -> None:
    check_speech(CaptionView(profile), 7, seconds=3600, silence=60)


def check_speech(view: CaptionView, seed: int, *, seconds: float, silence: float) -> None:
    profile, first = view.profile, 0
    fixed: list[str] = []
    for _, said in transcripts(seed, seconds=seconds, silence=silence):
        before = view.lines
        changed = view.update(said.text, is_final=said.is_final, speaker=said.speaker_id, utterance=said.utterance_id)
        assert changed is (view.lines != before)
        assert len(view.lines) <= profile.max_lines
        assert byte_size(view.text) <= profile.max_bytes
        assert all(measure(line, profile) <= profile.width for line in view.lines)
        assert view._first >= first
        first = view._first
        forgotten = view._fixed_count - len(view._fixed)
        fixed += [""] * (forgotten - len(fixed))
        assert fixed[forgotten:] == list(view._fixed)[: len(fixed) - forgotten]
        fixed[forgotten:] = view._fixed
        after = view.lines
        same = [line for line in after if before.count(line) == after.count(line) == 1]
        assert all(before.index(line) >= after.index(line) for line in same)


@pytest.mark.parametrize("seed", range(12))
def test_merged_words_are_not_shown_twice(seed: int) -> None:
    """Whatever is on the display when an utterance ends has been said once: the words of the generator are rare."""
    view = CaptionView(NEX)
    for _, said in transcripts(seed, seconds=120, silence=1.0):
        view.update(said.text, is_final=said.is_final, speaker=said.speaker_id, utterance=said.utterance_id)
        words = [word for word in view.text.replace(".", "").split() if len(word) > 12]
        if said.is_final:
            assert len(words) == len(set(words))


def test_words_that_come_one_by_one_are_wrapped_as_if_they_had_come_at_once() -> None:
    text = " ".join(said.text for _, said in transcripts(3, seconds=200) if said.is_final)
    view = CaptionView(NARROW)
    for word in text.split():
        view.update(word, is_final=True)
    assert shown(view) == tuple(wrap(text, NARROW, max_lines=10_000, max_bytes=10**9).texts[-3:])


STEPS = st.tuples(
    st.one_of(st.text(max_size=40), st.text(st.sampled_from("ab \u660ee\u0301\u200d\n\u00a0\u3000"), max_size=40)),
    st.booleans(),
    st.sampled_from([None, "1", "2"]),
    st.sampled_from([None, "a", "b", "c"]),
)


@effort(50)
@given(st.lists(STEPS, max_size=30), st.one_of(st.sampled_from([NARROW, FEW_BYTES]), DISPLAYS))
def test_whatever_a_recogniser_tells_can_be_shown(
    steps: list[tuple[str, bool, str | None, str | None]], profile: Profile
) -> None:
    view = CaptionView(profile)
    for text, is_final, speaker, utterance in steps:
        before = view.lines
        assert view.update(text, is_final=is_final, speaker=speaker, utterance=utterance) is (view.lines != before)
        assert len(view.lines) <= profile.max_lines
        assert byte_size(view.text) <= profile.max_bytes or len(graphemes(view.text)) == 1
        assert all(measure(line, profile) <= profile.width or len(graphemes(line)) == 1 for line in view.lines)
