"""What several managers ask of their arguments and of the glasses before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from .errors import DeviceUnavailableError

if TYPE_CHECKING:
    from ._link import Link
    from .models.device import Capabilities

SHORTEST = 0.001
"""Seconds; the wire has whole milliseconds, of which 0 means something else (P3 1.2)."""
LONGEST = 365 * 86_400.0
"""Seconds; a number beyond a year is a mistake."""
_MOST_SPELLED = 10**20


def checked_text(name: str, value: object) -> str:
    """Let text pass, and nothing that would show something that nobody meant."""
    if not isinstance(value, str):
        msg = f"{name} is {type(value).__name__}, not text; write str(...) around it"
        raise TypeError(msg)
    return value


def joined_lines(value: object) -> str:
    """Make one text of a text or of a list of lines."""
    if isinstance(value, str):
        return value
    # A mapping or a set can be iterated over too, but would show something that nobody meant.
    if not isinstance(value, Sequence):
        msg = f"text is {type(value).__name__}, not text or a list of lines; write str(...) around it"
        raise TypeError(msg)
    return "\n".join(checked_text("each line", line) for line in cast("Sequence[object]", value))


def checked_seconds(name: str, value: object, *, least: float = SHORTEST, hint: str = "") -> float:
    """Let a number of seconds pass. `hint` says what else could have been given."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{name} is {value!r}; pass seconds as a number such as 3 or 0.5{hint and f', or {hint}'}"
        raise TypeError(msg)
    if not least <= value <= LONGEST:
        msg = f"{name} is {_excerpt(value)}; pass {least:g} s to a year in seconds{hint and f', or {hint}'}"
        raise ValueError(msg)
    return value


def _excerpt(number: float) -> str:
    # Python refuses to spell whole numbers of thousands of digits.
    return "a number of many digits" if isinstance(number, int) and abs(number) > _MOST_SPELLED else repr(number)


def checked_count(name: str, value: object, *, most: float = math.inf) -> int:
    """Let a positive whole number pass."""
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{name} is {value!r}; pass a whole number"
        raise TypeError(msg)
    if not 1 <= value <= most:
        msg = f"{name} is {_excerpt(value)}; pass {'1 or more' if math.isinf(most) else f'1 to {most:.0f}'}"
        raise ValueError(msg)
    return value


def check_hardware(link: Link, has_it: Callable[[Capabilities], bool], what: str) -> None:
    """Raise where the glasses are known to have no such thing: a request would die on the phone (P3 0.5)."""
    capabilities = link.state.capabilities.value
    if capabilities is not None and not has_it(capabilities):
        msg = f"{capabilities.model_name or 'the glasses'} have no {what}"
        raise DeviceUnavailableError(msg)


def check_glasses(link: Link) -> None:
    """Raise where the glasses are known to be away."""
    if link.state.device.value.connected is False:
        msg = "the glasses are not connected; session.device.connected tells when they are"
        raise DeviceUnavailableError(msg)
