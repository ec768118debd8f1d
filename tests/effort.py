"""How hard the random tests try: little in every run of the suite, much in `nox -s soak`.

The soak is a Hypothesis profile of that name (`pytest --hypothesis-profile=soak`), a hundred times the usual effort.
"""

import sys
import time

import attrs
from hypothesis import settings

_USUAL = settings.get_profile("mentra_trio").max_examples
_SECONDS_BETWEEN_NEWS = 10.0


def factor() -> float:
    """How much harder than usual the tests try."""
    return settings().max_examples / _USUAL


def is_soak() -> bool:
    """Whether time does not matter."""
    return factor() > 1


def effort(examples: int, *, steps: int = 50) -> settings:
    """Settings for a test that tries so many examples in every run of the suite.

    There it tries the same ones every time: what a change broke is not a matter of luck. The soak looks for others.
    """
    return settings(
        max_examples=max(1, round(examples * factor())), stateful_step_count=steps, derandomize=not is_soak()
    )


@attrs.define(eq=False)
class Progress:
    """Tells on a soak's terminal how far it is."""

    what: str
    count: int = attrs.field(default=0, init=False)
    _told_at: float = attrs.field(factory=time.monotonic, init=False)

    def step(self) -> None:
        """Note one more."""
        self.count += 1
        if is_soak() and time.monotonic() - self._told_at >= _SECONDS_BETWEEN_NEWS:
            self._told_at = time.monotonic()
            sys.stderr.write(f"\n{self.count} {self.what}")
            sys.stderr.flush()
