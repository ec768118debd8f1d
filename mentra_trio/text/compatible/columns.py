"""Two columns of text, put side by side with spaces (P4 7)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from .helpers import pad_to_line_count
from .measuring import measure
from .wrapping import WrapOptions, wrap

if TYPE_CHECKING:
    from mentra_trio.text.profiles import Profile

_MAX_SPACES = 100
_EN_SPACE = "\N{EN SPACE}"


@attrs.frozen(kw_only=True)
class ColumnLayout:
    """Where the columns are."""

    left_width: int
    """Pixels."""
    right_start: int
    """Pixels from the left edge."""
    right_width: int
    """Pixels."""
    max_lines: int
    margin: int = 0
    """Spaces before every row."""

    @classmethod
    def of(cls, profile: Profile) -> ColumnLayout:
        """Give the reference's columns for a display."""
        start = math.floor(0.55 * profile.width)
        return cls(
            left_width=math.floor(0.5 * profile.width),
            right_start=start,
            right_width=profile.width - start,
            max_lines=profile.max_lines,
        )


@attrs.frozen(kw_only=True)
class Columns:
    """Two columns, wrapped and composed."""

    text: str
    left: tuple[str, ...]
    right: tuple[str, ...]


def compose_columns(
    left: str, right: str, profile: Profile, *, layout: ColumnLayout | None = None, break_mode: str
) -> Columns:
    """Wrap two texts and put them side by side."""
    columns = ColumnLayout.of(profile) if layout is None else layout

    def wrapped(text: str, width: int) -> tuple[str, ...]:
        options = attrs.evolve(
            WrapOptions.of(profile), max_width=width, max_lines=columns.max_lines, break_mode=break_mode
        )
        return tuple(pad_to_line_count(wrap(text, profile, options).texts, columns.max_lines))

    lefts, rights = wrapped(left, columns.left_width), wrapped(right, columns.right_width)
    rows = [_row(one, other, profile, columns) for one, other in zip(lefts, rights, strict=True)]
    return Columns(text="\n".join(rows), left=lefts, right=rights)


def _row(left: str, right: str, profile: Profile, columns: ColumnLayout) -> str:
    left, right = left.replace(_EN_SPACE, ""), right.replace(_EN_SPACE, "")
    gap = columns.right_start - measure(profile.font, left)
    wanted = gap // profile.space_width if profile.space_width else gap * _MAX_SPACES  # as many as can be
    spaces = min(max(wanted, 1), _MAX_SPACES)
    return " " * columns.margin + left + " " * spaces + right
