"""What the wearer sees: displays turned into lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs
import trio

from .cells import cells, wrap
from .hardware import SIMULATED_GLASSES, capabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mentra_trio._wire.codec import JsonObject

_COLUMNS = 48
"""Cells in a line: 576 pixels at the 12 of an average glyph (P3 1.3). Hangul takes two; so do other wide characters
here, which are narrower by a quarter on real glasses."""
_GAP = 2
"""Spaces between two columns."""


@attrs.frozen(kw_only=True)
class Screen:
    """What is on the display."""

    at: float = 0.0
    """Since when, on the Trio clock."""
    package_name: str = ""
    """Who drew it; empty before anybody did."""
    layout: str = ""
    """Which kind of layout, such as `text_wall`."""
    lines: tuple[str, ...] = ()
    """The text, line by line, as it fits. Empty when the display is."""

    @property
    def text(self) -> str:
        """All lines joined by one space."""
        return " ".join(line.strip() for line in self.lines if line.strip())


@attrs.define(eq=False)
class ScreenChanges:
    """Iterator over what glasses show. Cancelling loses nothing."""

    _glasses: Glasses
    _index: int

    def __aiter__(self) -> ScreenChanges:
        return self

    async def __anext__(self) -> Screen:
        await trio.lowlevel.checkpoint()
        while self._index >= len(self._glasses.history):
            await self._glasses.wait_changed()
        self._index += 1
        return self._glasses.history[self._index - 1]


@attrs.define(eq=False)
class Glasses:
    """A display in words. `screen` is what it shows now; `history` is everything that it showed."""

    model: str = SIMULATED_GLASSES
    """Which model: it decides how many lines fit."""
    _screens: list[Screen] = attrs.field(factory=lambda: [Screen()], init=False)
    _dashboard: tuple[str, ...] = attrs.field(default=(), init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    @property
    def screen(self) -> Screen:
        """What the wearer sees now."""
        return self._screens[-1]

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that the wearer sees now."""
        return self.screen.lines

    @property
    def dashboard(self) -> tuple[str, ...]:
        """The lines that the wearer sees when looking up; only the system draws there."""
        return self._dashboard

    @property
    def history(self) -> tuple[Screen, ...]:
        """Everything that was shown, oldest first, beginning with the empty display."""
        return tuple(self._screens)

    async def wait_for(self, predicate: Callable[[Screen], bool], *, since: int | None = None) -> Screen:
        """Wait until a screen fits, the present one included, and return it.

        With `since`, an index into `history`, screens from there on count that are gone by now. Bound it with a
        deadline.
        """
        index = len(self._screens) - 1 if since is None else since
        while True:
            for screen in self._screens[index:]:
                if predicate(screen):
                    await trio.lowlevel.checkpoint()
                    return screen
            index = len(self._screens)
            await self._changed.wait()

    def changes(self) -> ScreenChanges:
        """Iterate over every screen from now on, none left out."""
        return ScreenChanges(self, len(self._screens))

    async def wait_changed(self) -> None:
        """Wait until something else is drawn."""
        await self._changed.wait()

    def draw(self, message: JsonObject) -> None:
        """Show what the phone was told to show. What the phone cannot draw leaves the display as it is (P3 1.2)."""
        layout = message.get("layout")
        if not isinstance(layout, dict):
            return
        members = cast("JsonObject", layout)
        lines = self._lines_of(members)
        if lines is None:
            return
        view = message.get("view")
        if view == "dashboard":
            self._dashboard = lines
        elif view == "main":
            # The phone ignores events without a view, or with any other (P3 1.2).
            self._screens.append(
                Screen(
                    at=trio.current_time(),
                    package_name=_text(message, "packageName"),
                    layout=_text(members, "layoutType"),
                    lines=lines,
                )
            )
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    @property
    def columns(self) -> int:
        """How many cells fit in a line: average characters, or half as many wide ones."""
        return _COLUMNS

    @property
    def rows(self) -> int:
        """How many lines fit."""
        display = (capabilities(self.model) or {}).get("display")
        lines = cast("JsonObject", display).get("maxTextLines") if isinstance(display, dict) else None
        return lines if isinstance(lines, int) else 5

    def _lines_of(self, layout: JsonObject) -> tuple[str, ...] | None:
        limit = self.rows
        match _text(layout, "layoutType"):
            case "text_wall":
                return _fit(_text(layout, "text"), _COLUMNS, limit)
            case "double_text_wall":
                return _side_by_side(_text(layout, "topText"), _text(layout, "bottomText"), limit)
            case "reference_card":
                title = _fit(_text(layout, "title"), _COLUMNS, 1) or ("",)
                return (*title, *_fit(_text(layout, "text"), _COLUMNS, limit - 1))
            case "clear_view":
                return ()
            case _:
                return None


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _fit(text: str, width: int, limit: int) -> tuple[str, ...]:
    """Break a text at its newlines, then at words, and cut what does not fit."""
    if not text.strip():
        return ()
    lines: list[str] = []
    for line in text.split("\n"):
        lines += wrap(line, width) or [""]
    return tuple(lines[:limit])


def _side_by_side(left: str, right: str, limit: int) -> tuple[str, ...]:
    """Two columns: the first text is the left one (P3 1.2)."""
    width = _COLUMNS // 2
    lefts, rights = _fit(left, width - _GAP, limit), _fit(right, width, limit)
    rows: list[str] = []
    for index in range(max(len(lefts), len(rights))):
        first = lefts[index] if index < len(lefts) else ""
        second = rights[index] if index < len(rights) else ""
        rows.append(f"{first}{' ' * (width - cells(first))}{second}".rstrip())
    return tuple(rows)
