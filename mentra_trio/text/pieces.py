"""Small things that screens are made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .measuring import in_spaces, measure
from .wrapping import DEFAULT_STYLE, Style, iter_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .profiles import Profile


def progress_bar(
    fraction: float, profile: Profile, *, width: float | None = None, filled: str = "=", empty: str = "-"
) -> str:
    """Draw how far something is, as `[====----] 50%`, as wide as the display or `width` pixels.

    `ValueError` for a fraction outside of 0 to 1, and for a width that has no room for one step.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"a fraction is between 0 and 1, not {fraction}")
    # Room for the widest label, so that the bar does not change its length on the way.
    ending = f"] {math.floor(fraction * 100)}%"
    room = (profile.width if width is None else width) - measure("[] 100%", profile)
    step, blank = measure(filled, profile), measure(empty, profile)
    if room < max(step, blank) or not step or not blank:
        raise ValueError(f"a progress bar does not fit into {width} pixels")
    steps = math.floor(room * fraction / step)
    blanks = math.floor((room - steps * step) / blank) if fraction < 1 else 0
    return "[" + filled * steps + empty * blanks + ending


def bullets(
    items: Iterable[str],
    profile: Profile,
    style: Style = DEFAULT_STYLE,
    *,
    marker: str = "- ",
    is_numbered: bool = False,
) -> list[str]:
    """Make lines of a list; those that continue an item are indented. `marker` is not used for a numbered list.

    A phone takes away the spaces that a line begins with (P4 3.3), so on glasses only the marker is seen.
    """
    lines: list[str] = []
    for number, item in enumerate(items, start=1):
        sign = f"{number}. " if is_numbered else marker
        indent = " " * math.ceil(in_spaces(measure(sign, profile), profile))
        wrapped = iter_lines(item, profile, style, width=profile.width - measure(indent, profile))
        lines += [(indent if place else sign) + line.text for place, line in enumerate(wrapped)]
    return lines
