"""Texts side by side, put in their places with spaces.

A display has no columns: what stands at the right is pushed there by spaces, whose width is known. So it begins up to
one space left of its place, never right of it.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

import attrs

from .fitting import shorten
from .measuring import byte_size, in_spaces, measure
from .wrapping import DEFAULT_STYLE, Line, Style, Wrapped, iter_lines, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .profiles import Profile

_LEFT_SHARE = 0.5
_RIGHT_START = 0.55


class Align(Enum):
    """Where in its column a cell stands."""

    LEFT = "left"
    RIGHT = "right"


@attrs.frozen(kw_only=True)
class Columns:
    """Two columns of text."""

    lines: tuple[str, ...]
    """Rows of both, without empty ones at the end."""
    left: tuple[str, ...]
    right: tuple[str, ...]
    is_truncated: bool
    """Whether one of the texts had no room, or the rows were too many bytes."""

    @property
    def text(self) -> str:
        """The rows as one text, as a display takes it."""
        return "\n".join(self.lines)


def columns(
    left: str,
    right: str,
    profile: Profile,
    style: Style = DEFAULT_STYLE,
    *,
    left_width: float | None = None,
    right_start: float | None = None,
    max_lines: float | None = None,
    max_bytes: float | None = None,
) -> Columns:
    """Put two texts side by side.

    Args:
        left: text of the left column.
        right: text of the right column.
        profile: the display.
        style: how to wrap both.
        left_width: pixels of the left column; half the display when absent.
        right_start: pixels from the left edge to the right column; 55 % of the display when absent.
        max_lines: rows; the display's when absent.
        max_bytes: of all rows; the display's when absent. Rows that are too many bytes are left out from below;
            when the first row alone is, its columns share them.

    A phone takes away the spaces that a line begins with (P4 3.3), so right of an empty cell the text would go to the
    left edge. For columns on glasses there is `session.display.show_fitted_columns`.

    `ValueError` when the columns overlap or leave the display, or have no space between them.
    """
    usual = usual_columns(profile)
    first = usual[0] if left_width is None else left_width
    second = usual[1] if right_start is None else right_start
    if not 0 < first <= second - profile.space_width or second >= profile.width:
        raise ValueError(f"columns of 0 to {first} and {second} to {profile.width} pixels do not stand side by side")
    limit = profile.max_bytes if max_bytes is None else max_bytes
    one = wrap(left, profile, style, width=first, max_lines=max_lines, max_bytes=math.inf)
    other = wrap(right, profile, style, width=profile.width - second, max_lines=max_lines, max_bytes=math.inf)
    lefts, rights, rows = _side_by_side(one, other, second, profile)
    if rows and byte_size(rows[0]) > limit:
        room = (limit - math.floor(in_spaces(second, profile))) // 2
        if room >= 1:
            lines_left = profile.max_lines if max_lines is None else max_lines
            one = _narrow(left, profile, style, first, lines_left, room)
            other = _narrow(right, profile, style, profile.width - second, lines_left, room)
            lefts, rights, rows = _side_by_side(one, other, second, profile)
        if byte_size(rows[0]) > limit:  # a single grapheme, or the spaces: one column is better than none
            alone = (_row([(0, lefts[0])], profile), _row([(second, rights[0])], profile))
            shown = [row for row in alone if row and byte_size(row) <= limit]
            return Columns(lines=tuple(shown[:1]), left=tuple(lefts), right=tuple(rights), is_truncated=True)
    while rows and not rows[-1]:
        rows.pop()
    full = len(rows)
    while rows and byte_size("\n".join(rows)) > limit:
        rows.pop()
    return Columns(
        lines=tuple(rows),
        left=tuple(lefts),
        right=tuple(rights),
        is_truncated=one.is_truncated or other.is_truncated or len(rows) < full,
    )


def usual_columns(profile: Profile) -> tuple[int, int]:
    """Give the pixels of the left column, and those before the right one, as phones have them (P4 7)."""
    return math.floor(_LEFT_SHARE * profile.width), math.floor(_RIGHT_START * profile.width)


def _side_by_side(
    one: Wrapped, other: Wrapped, second: float, profile: Profile
) -> tuple[list[str], list[str], list[str]]:
    """Give the lines of both columns, as many of one as of the other, and the rows of both."""
    count = max(len(one.lines), len(other.lines))
    lefts, rights = _padded(one.texts, count), _padded(other.texts, count)
    return lefts, rights, [_row([(0, a), (second, b)], profile) for a, b in zip(lefts, rights, strict=True)]


def _narrow(text: str, profile: Profile, style: Style, width: float, max_lines: float, bytes_of_line: float) -> Wrapped:
    """Wrap a column to lines of so many bytes each."""
    lines: list[Line] = []
    for line in iter_lines(text, profile, style, width=width, max_bytes=bytes_of_line):
        if len(lines) >= max_lines:
            return Wrapped(lines=tuple(lines), cut=text[lines[-1].end if lines else 0 :])
        lines.append(line)
    return Wrapped(lines=tuple(lines))


def table(
    rows: Sequence[Sequence[str]],
    profile: Profile,
    *,
    align: Sequence[Align] = (),
    gap: float | None = None,
) -> list[str]:
    """Lay cells out in columns, one line a row. Cells that are too wide end with an ellipsis.

    A phone takes away the spaces that a line begins with (P4 3.3): keep the first column to the left, and not empty.

    Args:
        rows: the cells; a short row has empty ones at its end.
        profile: the display.
        align: of each column, left where nothing is said.
        gap: pixels between columns at least; two spaces when absent.

    `ValueError` when there are more columns than have room, or the gap is narrower than a space.
    """
    between = 2 * profile.space_width if gap is None else gap
    if between < profile.space_width:
        raise ValueError(f"columns are a space of {profile.space_width} pixels apart at least, not {between}")
    count = max(map(len, rows), default=0)
    cells = [[" ".join(cell.split()) for cell in _padded(row, count)] for row in rows]
    natural = [max(measure(row[n], profile) for row in cells) for n in range(count)]
    widths = _shrunk(natural, profile.width - between * max(count - 1, 0))
    lines: list[str] = []
    for row in cells:
        places: list[tuple[float, str]] = []
        start = 0.0
        for n, cell in enumerate(row):
            text = shorten(cell, profile, width=widths[n])
            is_right = n < len(align) and align[n] is Align.RIGHT
            places.append((start + widths[n] - measure(text, profile) if is_right else start, text))
            start += widths[n] + between
        lines.append(_row(places, profile))
    return lines


def _shrunk(widths: list[int], total: float) -> list[float]:
    """Make the widest columns narrower until all have room."""
    if widths and total < len(widths):
        raise ValueError(f"{len(widths)} columns have no room")
    shrunk: list[float] = list(widths)
    left, share = total, 0.0
    for rank, width in enumerate(sorted(widths)):
        share = left / (len(widths) - rank)
        if width > share:
            return [min(wide, share) for wide in shrunk]
        left -= width
    return shrunk


def _padded(texts: Sequence[str], count: int) -> list[str]:
    return [*texts, *[""] * (count - len(texts))]


def _row(places: Sequence[tuple[float, str]], profile: Profile) -> str:
    """Put texts at their pixels, with spaces before them."""
    row, used = "", 0
    for start, text in places:
        if not text:
            continue
        spaces = max(math.floor(in_spaces(start - used, profile)), 1 if row else 0)
        row += " " * spaces + text
        used += spaces * profile.space_width + measure(text, profile)
    return row
