"""How much room text takes, and where it is broken."""

import textwrap

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio.simulator import Glasses
from mentra_trio.simulator.cells import cells, clusters, wrap

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
FLAG = "\U0001f1e9\U0001f1ea"
HEART = "\N{HEAVY BLACK HEART}\ufe0f"
WAVE = "\N{WAVING HAND SIGN}\U0001f3fd"
TEXT = st.text(max_size=40) | st.text(alphabet=f"ab 日語e\u0301{FAMILY}{FLAG}{HEART}{WAVE}1-", max_size=40)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("日本", 4),
        ("한국", 4),
        ("e\u0301", 1),
        ("a\u200bb", 2),
        ("\u1112\u1161\u11ab", 2),
        (FAMILY, 2),
        (FLAG, 2),
        (FLAG[0], 1),
        (HEART, 2),
        (WAVE, 2),
        ("\u261d\U0001f3fd", 2),
        (f"a{WAVE}b", 4),
        ("1\ufe0f", 1),
        (" \U0001f3fd", 3),
    ],
)
def test_a_text_takes_so_many_cells(text: str, count: int) -> None:
    assert cells(text) == count


def test_what_looks_like_one_character_stays_together() -> None:
    parts = ["a", "e\u0301", FAMILY, FLAG, FLAG, HEART, WAVE, "日", "1"]

    assert clusters("".join(parts)) == parts


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("日本語日本語", ["日本語日", "本語"]),
        ("ab日本語", ["ab日本語"]),
        ("abc日本語", ["abc日本", "語"]),
        ("see 日本 now", ["see 日本", "now"]),
        ("日 abcdefghij", ["日", "abcdefgh", "ij"]),
        (f"{FAMILY * 5}", [FAMILY * 4, FAMILY]),
        ("日本語日 ", ["日本語日"]),
        ("   ", []),
    ],
)
def test_a_line_is_broken_at_spaces_and_between_wide_characters(text: str, lines: list[str]) -> None:
    assert wrap(text, 8) == lines


@given(TEXT, st.integers(2, 20))
def test_every_part_fits_and_nothing_but_white_space_is_lost(text: str, columns: int) -> None:
    lines = wrap(text, columns)

    assert all(cells(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(alphabet="ab -.,'\té", max_size=60), st.integers(1, 20))
def test_text_without_wide_characters_is_broken_as_everywhere(text: str, columns: int) -> None:
    assert wrap(text, columns) == textwrap.wrap(text, columns)


async def test_glasses_break_wide_characters_before_the_edge() -> None:
    await trio.lowlevel.checkpoint()
    glasses = Glasses()
    layout = {"layoutType": "text_wall", "text": "日本語" * 20}
    glasses.draw({"layout": layout, "view": "main"})
    assert [cells(line) for line in glasses.lines] == [48, 48, 24]

    layout = {"layoutType": "double_text_wall", "topText": "日本", "bottomText": "right"}
    glasses.draw({"layout": layout, "view": "main"})
    assert glasses.lines == ("日本" + " " * 20 + "right",)
