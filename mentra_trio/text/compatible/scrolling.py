"""The reference's scroll view (P4 6)."""

from __future__ import annotations

import attrs

from mentra_trio.text.profiles import Profile

from ._units import percent, rounded
from .wrapping import WrapOptions, wrap


@attrs.frozen(kw_only=True)
class Viewport:
    """What a scroll view shows, and where it stands."""

    lines: tuple[str, ...]
    offset: int
    total_lines: int
    max_offset: int

    @property
    def visible_lines(self) -> int:
        """Lines of the view, empty ones included."""
        return len(self.lines)

    @property
    def is_at_top(self) -> bool:
        """Whether the first line is shown."""
        return self.offset == 0

    @property
    def is_at_bottom(self) -> bool:
        """Whether the last line is shown."""
        return self.offset >= self.max_offset

    @property
    def percent(self) -> float:
        """Position; 100 when there is nothing to scroll."""
        return percent(self.offset, self.max_offset) if self.max_offset else 100


@attrs.define(eq=False)
class ScrollView:
    """Lines behind a window."""

    _profile: Profile
    _options: WrapOptions
    """Defaults for what is wrapped."""
    _size: int
    _lines: list[str] = attrs.field(factory=list[str], init=False)
    _offset: int = attrs.field(default=0, init=False)

    @property
    def lines(self) -> list[str]:
        """All lines, as a copy."""
        return list(self._lines)

    @property
    def max_offset(self) -> int:
        """Where the view ends."""
        return max(0, len(self._lines) - self._size)

    @property
    def is_scrollable(self) -> bool:
        """Whether there are more lines than can be seen."""
        return len(self._lines) > self._size

    def set_content(self, text: str, options: WrapOptions | None = None) -> None:
        """Show another text from its start."""
        self._lines = self._wrapped(text, options)
        self._offset = 0

    def append_content(self, text: str, options: WrapOptions | None = None, *, auto_scroll: bool = True) -> None:
        """Add lines below; a view that was at the bottom stays there."""
        was_at_bottom = self._offset >= self.max_offset
        self._lines += self._wrapped(text, options)
        if was_at_bottom and auto_scroll:
            self.scroll_to_bottom()

    def scroll_to(self, offset: int) -> None:
        """Go to a line; outside of the text it is the nearest."""
        self._offset = max(0, min(offset, self.max_offset))

    def scroll_by(self, lines: int) -> None:
        """Go down by lines, or up by negative ones."""
        self.scroll_to(self._offset + lines)

    def page_down(self) -> None:
        """Go down by a whole view."""
        self.scroll_by(self._size)

    def page_up(self) -> None:
        """Go up by a whole view."""
        self.scroll_by(-self._size)

    def scroll_to_top(self) -> None:
        """Go to the first line."""
        self._offset = 0

    def scroll_to_bottom(self) -> None:
        """Go to where the last line is shown."""
        self._offset = self.max_offset

    def scroll_to_line(self, index: int, where: str = "top") -> None:
        """Bring a line to the `top`, `center` or `bottom` of the view."""
        match where:
            case "center":
                index -= self._size // 2
            case "bottom":
                index -= self._size - 1
            case _:
                pass
        self.scroll_to(index)

    def scroll_to_percent(self, value: float) -> None:
        """Go to a share of the text."""
        self.scroll_to(int(rounded(value / 100 * self.max_offset)))

    def clear(self) -> None:
        """Remove all lines."""
        self._lines = []
        self._offset = 0

    def viewport(self) -> Viewport:
        """Give what is shown."""
        shown = self._lines[self._offset : self._offset + self._size]
        padding = [""] * (self._size - len(shown))
        return Viewport(
            lines=(*shown, *padding),
            offset=self._offset,
            total_lines=len(self._lines),
            max_offset=self.max_offset,
        )

    def _wrapped(self, text: str, options: WrapOptions | None) -> list[str]:
        return wrap(text, self._profile, (options or self._options).unlimited()).texts
