"""Draw glasses as a frame of characters. Pure: lines in, lines out."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import attrs

from mentra_trio.simulator.cells import cells, clusters, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@attrs.frozen
class Border:
    """The characters of a frame."""

    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str
    across: str
    down: str


ROUND = Border("╭", "╮", "╰", "╯", "─", "│")
PLAIN = Border("+", "+", "+", "+", "-", "|")

_ELLIPSIS = "..."


def draw(
    lines: Sequence[str], *, title: str, status: str, columns: int, rows: int, border: Border = ROUND
) -> list[str]:
    """Draw a display of so many columns and rows with a title on the left and a status on the right of its upper edge.

    Every line that comes out fills the same number of cells: `columns` and 4 more. What does not fit is cut.
    """
    inside = columns + 2
    shown = [fit(printable(line), columns) for line in lines[:rows]]
    shown += [" " * columns] * (rows - len(shown))
    return [
        border.top_left + _caption(title, status, inside, border.across) + border.top_right,
        *(f"{border.down} {line} {border.down}" for line in shown),
        border.bottom_left + border.across * inside + border.bottom_right,
    ]


def _caption(title: str, status: str, columns: int, across: str) -> str:
    """`─ title ──── status ─`; where there is no room for both, the title gives way."""
    right = f" {printable(status)} {across}" if status else ""
    left = f"{across} {printable(title)} "
    room = columns - cells(right)
    if room < 1:
        return fit(right, columns)
    if cells(left) > room:
        left = fit(left, max(room - 1, 0)) + across
    return left + across * (room - cells(left)) + right


def fit(text: str, columns: int) -> str:
    """Pad or cut a text to exactly so many cells."""
    taken = cells(text)
    if taken > columns:
        mark = _ELLIPSIS if columns > 2 * len(_ELLIPSIS) else ""
        kept = "".join(_first(clusters(text), columns - len(mark)))
        text = kept + " " * (columns - len(mark) - cells(kept)) + mark
        taken = columns
    return text + " " * (columns - taken)


def around(left: str, right: str, columns: int) -> tuple[str, str]:
    """Cut what stands left and right of a cursor to so many cells in all.

    A third of the room is kept for what follows the cursor, where so much follows.
    """
    room = columns - min(cells(right), columns // 3)
    left = "".join(reversed(_first(reversed(clusters(left)), room)))
    return left, "".join(_first(clusters(right), columns - cells(left)))


def _first(parts: Iterable[str], columns: int) -> list[str]:
    """Give as many as fit, from the first on."""
    kept: list[str] = []
    for part in parts:
        columns -= width(part)
        if columns < 0:
            break
        kept.append(part)
    return kept


def printable(text: str) -> str:
    """Replace what would move the cursor or change colours: a display shows text only."""
    return "".join(
        " " if letter == "\t" else "\N{REPLACEMENT CHARACTER}" if _is_control(letter) else letter for letter in text
    )


def _is_control(letter: str) -> bool:
    # Cc: control characters. Zl, Zp: line and paragraph separators. Cs: halves of a pair. Bidirectional controls would
    # reach beyond the line.
    return unicodedata.category(letter) in {"Cc", "Zl", "Zp", "Cs"} or unicodedata.bidirectional(letter) in {
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    }
