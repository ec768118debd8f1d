"""`_protocol/backoff.py`: delays before the next connection (D20)."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio._protocol.backoff import Backoff

from .sessions import Longest


def test_d20_the_first_retry_comes_within_a_quarter_second_and_then_the_limit_doubles() -> None:
    backoff = Backoff(Longest())

    assert [backoff.next() for _ in range(9)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


def test_a_single_delay_can_be_held_down() -> None:
    backoff = Backoff(Longest())

    assert [backoff.next(cap=0.1), backoff.next(cap=1.0), backoff.next(cap=1.0), backoff.next(cap=1.0)] == [
        0.1,
        0.5,
        1.0,
        1.0,
    ]
    assert backoff.next() == 4.0


def test_a_reset_begins_anew() -> None:
    backoff = Backoff(Longest())
    for _ in range(5):
        backoff.next()

    backoff.reset()

    assert [backoff.next(), backoff.next()] == [0.25, 0.5]


def test_a_quick_delay_counts_no_attempt() -> None:
    backoff = Backoff(Longest())

    assert [backoff.quick() for _ in range(3)] == [0.25] * 3
    assert backoff.next() == 0.25
    assert backoff.quick() == 0.25
    assert backoff.next() == 0.5


def test_thousands_of_attempts_do_not_overflow() -> None:
    """`2.0 ** 1024` does."""
    backoff = Backoff(Longest())

    assert max(backoff.next() for _ in range(5000)) == 10.0


@given(seed=st.integers(), attempts=st.integers(min_value=1, max_value=40))
def test_every_delay_is_within_its_limit(seed: int, attempts: int) -> None:
    backoff, longest = Backoff(Random(seed)), Backoff(Longest())

    for _ in range(attempts):
        assert 0.0 <= backoff.next() <= longest.next()


def test_p1_3_4_delays_are_spread_over_the_whole_range() -> None:
    """Simultaneous reconnects have brought a cloud down."""
    firsts = sorted(Backoff(Random(seed)).next() for seed in range(1000))
    lates: list[float] = []
    for seed in range(1000):
        backoff = Backoff(Random(seed))
        lates.append([backoff.next() for _ in range(10)][-1])

    assert firsts[0] < 0.01
    assert firsts[-1] > 0.24
    assert max(b - a for a, b in pairwise(firsts)) < 0.01
    assert min(lates) < 0.5
    assert max(lates) > 9.5


@pytest.mark.parametrize(("first", "base", "cap"), [(0.0, 0.0, 0.0), (1.0, 2.0, 3.0)])
def test_the_numbers_can_be_chosen(first: float, base: float, cap: float) -> None:
    backoff = Backoff(Longest(), first=first, base=base, cap=cap)

    assert [backoff.next() for _ in range(3)] == [first, base, min(cap, 2 * base)]
