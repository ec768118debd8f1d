"""More lines than a display has."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


class Where(Enum):
    """Where in a view a line is brought."""

    TOP = "top"
    CENTER = "center"
    BOTTOM = "bottom"


@attrs.define(eq=False)
class ScrollView:
    """Lines behind a window of some lines. What is shown are `lines`; the window never leaves the text."""

    size: int = attrs.field(validator=attrs.validators.ge(1))
    """Lines that can be seen."""
    _all: list[str] = attrs.field(factory=list[str], init=False)
    _offset: int = attrs.field(default=0, init=False)

    @property
    def all_lines(self) -> tuple[str, ...]:
        """Every line."""
        return tuple(self._all)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that can be seen, with empty ones behind a short text."""
        shown = self._all[self._offset : self._offset + self.size]
        return (*shown, *[""] * (self.size - len(shown)))

    @property
    def text(self) -> str:
        """What can be seen as one text, as a display takes it."""
        return "\n".join(self.lines).rstrip("\n")

    @property
    def offset(self) -> int:
        """Lines above the window."""
        return self._offset

    @property
    def max_offset(self) -> int:
        """Lines above the window when it is at the bottom."""
        return max(0, len(self._all) - self.size)

    @property
    def is_at_top(self) -> bool:
        """Whether the first line can be seen."""
        return self._offset == 0

    @property
    def is_at_bottom(self) -> bool:
        """Whether the last line can be seen."""
        return self._offset >= self.max_offset

    @property
    def is_scrollable(self) -> bool:
        """Whether there are more lines than can be seen."""
        return self.max_offset > 0

    @property
    def percent(self) -> int:
        """Position of the window, 0 to 100; 100 when there is nothing to scroll."""
        return _rounded(self._offset / self.max_offset * 100) if self.max_offset else 100

    def show(self, lines: Iterable[str]) -> None:
        """Show other lines, from the first one on."""
        self._all = list(lines)
        self._offset = 0

    def append(self, lines: Iterable[str], *, follow: bool = True) -> None:
        """Add lines below. A window that is at the bottom stays there, unless it shall not `follow`."""
        was_at_bottom = self.is_at_bottom
        self._all.extend(lines)
        if was_at_bottom and follow:
            self.scroll_to_bottom()

    def clear(self) -> None:
        """Remove all lines."""
        self.show(())

    def scroll_to(self, offset: int) -> None:
        """Put the window where so many lines are above it, or as near as the text allows."""
        self._offset = max(0, min(offset, self.max_offset))

    def scroll_by(self, lines: int) -> None:
        """Move the window down, or up by a negative number."""
        self.scroll_to(self._offset + lines)

    def page_down(self) -> None:
        """Move the window down by its size."""
        self.scroll_by(self.size)

    def page_up(self) -> None:
        """Move the window up by its size."""
        self.scroll_by(-self.size)

    def scroll_to_top(self) -> None:
        """Show the first line."""
        self._offset = 0

    def scroll_to_bottom(self) -> None:
        """Show the last line."""
        self._offset = self.max_offset

    def scroll_to_line(self, index: int, where: Where = Where.TOP) -> None:
        """Bring a line into the window."""
        above = {Where.TOP: 0, Where.CENTER: self.size // 2, Where.BOTTOM: self.size - 1}[where]
        self.scroll_to(index - above)

    def scroll_to_percent(self, percent: float) -> None:
        """Put the window at a share of the text."""
        self.scroll_to(_rounded(percent / 100 * self.max_offset))


def _rounded(value: float) -> int:
    # Halves go up, as in the reference: 62.5 % is told as 63 %.
    return math.floor(value + 0.5)
