"""How long to wait before the next connection attempt (D20)."""

from __future__ import annotations

import math
from random import Random

import attrs


@attrs.define(eq=False)
class Backoff:
    """Delays in seconds: nearly none at first, because the cloud waits only 5 s before it starts the app anew (P1 1.3),
    then exponential with full jitter, because simultaneous reconnects have brought a cloud down (P1 3.4).
    """

    random: Random
    first: float = 0.25
    """Most seconds before the first attempt."""
    base: float = 0.5
    """Most seconds before the second attempt; doubled for each further one."""
    cap: float = 10.0
    """Most seconds before any attempt."""
    _attempts: int = attrs.field(init=False, default=0)

    def next(self, cap: float = math.inf) -> float:
        """Give the delay before the next attempt, which is at most `cap` seconds."""
        attempt = self._attempts
        self._attempts += 1
        if attempt == 0:
            return self.random.uniform(0, min(self.first, cap))
        # The exponent is bounded before the power is taken: a float overflows after a thousand attempts.
        return self.random.uniform(0, min(self.cap, cap, self.base * 2.0 ** min(attempt - 1, 16)))

    def quick(self) -> float:
        """Give a first delay without counting an attempt: the connection itself was sound."""
        return self.random.uniform(0, self.first)

    def reset(self) -> None:
        """Begin anew."""
        self._attempts = 0
