"""What the wearer sees: displays turned into lines of text."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import attrs
import trio

from mentra_trio._wire.json_text import text_of
from mentra_trio.text.measuring import fits
from mentra_trio.text.profiles import PROFILES, Profile

from .cells import cells, wrap
from .hardware import SIMULATED_GLASSES
from .lights import LightSignal
from .messages import SYSTEM_PACKAGE, bitmap_of
from .photos import Camera
from .waiting import EXPECT_SECONDS, WAIT_SECONDS, ExpectationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from mentra_trio._wire.codec import JsonObject
    from mentra_trio.text._pillow import Image
    from mentra_trio.text.bitmap import Bitmap  # noqa: TC004 - nobody evaluates it

_COLUMNS = 48
"""Cells in a line: 576 pixels at the 12 of an average glyph (P3 1.3). Hangul takes two; so do other wide characters
here, which are narrower by a quarter on real glasses."""
_HALF = _COLUMNS // 2
_GAP = 2
"""Spaces between two columns."""
_TEXTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"text_wall": ("text",), "double_text_wall": ("topText", "bottomText"), "reference_card": ("title", "text")}
)
"""Which members of a layout are text, by its kind (P3 1.2)."""


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
    texts: tuple[str, ...] = ()
    """The text as it was sent: one, or left and right column, or title and text. Empty where the layout has none."""
    bitmap: Bitmap | None = None
    """The picture, where it is one; a line then tells its size, and how many pixels are drawn."""
    columns: tuple[str, ...] = ()
    """The text of each column, its lines joined by one space; empty where there are no columns."""

    @property
    def text(self) -> str:
        """All lines joined by one space."""
        return _joined(self.lines)

    @property
    def is_system(self) -> bool:
        """Whether the system drew it, such as the card that is shown while an app starts."""
        return self.package_name == SYSTEM_PACKAGE

    def shows(self, text: str) -> bool:
        """Whether a text is in one line, in one column, or in all lines joined by one space.

        Several spaces count as one, in the text and on the glasses.
        """
        wanted = _single_spaced(text)
        parts = (*self.lines, *self.columns, " ".join(self.lines), self.text)
        return any(wanted in _single_spaced(part) for part in parts)


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
    _explain: Callable[[], str] = lambda: ""
    """What may be the reason when something that is expected is not shown."""
    camera: Camera = attrs.field(factory=Camera, init=False)
    """What it sees, and what becomes of photos."""
    lights: list[LightSignal] = attrs.field(factory=list[LightSignal], init=False)
    """Everything that the light was told to do, oldest first."""
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
    def light(self) -> str | None:
        """The colour that the light has at this moment; `None` while it is dark."""
        return self.lights[-1].color_at(trio.current_time()) if self.lights else None

    @property
    def history(self) -> tuple[Screen, ...]:
        """Everything that was shown, oldest first, beginning with the empty display."""
        return tuple(self._screens)

    async def expect(self, text: str, *, within: float = EXPECT_SECONDS) -> Screen:
        """Wait until a text is shown, as `Screen.shows` has it, and return the screen. Those of the system never count.

        Raises `ExpectationError`, which tells what the glasses show, when it is not there `within` seconds.
        """
        return await self._wait_for(
            lambda screen: not screen.is_system and screen.shows(text), len(self._screens) - 1, repr(text), within
        )

    async def wait_for(
        self, predicate: Callable[[Screen], bool], *, since: int | None = None, within: float = WAIT_SECONDS
    ) -> Screen:
        """Wait until a screen fits, the present one included, and return it.

        With `since`, an index into `history`, screens from there on count that are gone by now.

        Raises `ExpectationError`, which tells what the glasses show, when none fits `within` seconds. `math.inf` waits
        for ever: under an autojump clock that is a test that hangs.
        """
        return await self._wait_for(
            predicate, len(self._screens) - 1 if since is None else since, "another screen", within
        )

    async def _wait_for(self, predicate: Callable[[Screen], bool], index: int, wanted: str, within: float) -> Screen:
        await trio.lowlevel.checkpoint()
        deadline = trio.current_time() + within
        while True:
            for screen in self._screens[index:]:
                if predicate(screen):
                    return screen
            index = len(self._screens)
            with trio.move_on_at(deadline) as patience:
                await self._changed.wait()
            if patience.cancelled_caught:
                reason = self._explain()
                raise ExpectationError(f"{unmet(wanted, within, self.lines)}{f'; {reason}' if reason else ''}")

    def changes(self) -> ScreenChanges:
        """Iterate over every screen from now on, none left out."""
        return ScreenChanges(self, len(self._screens))

    async def wait_changed(self) -> None:
        """Wait until something else is drawn."""
        await self._changed.wait()

    def picture(
        self, *, font: str | PathLike[str] | None = None, fallbacks: Sequence[str | PathLike[str]] | None = None
    ) -> Image.Image:
        """Draw what is on the display now, as an image of Pillow: `.save("screen.png")` writes it.

        Characters are as wide, and lines as long, as on the model that is worn (`mentra_trio.text.preview`): phones
        break lines at pixels and not at words, so that these may end elsewhere than `lines`. The simulated glasses
        count as Even Realities G1, and so do models without a display. `font` is a font file to draw letters in, that
        of Pillow without one, which has little more than ASCII; `fallbacks` are font files for what it lacks. Without
        them the fonts of the machine are searched, so the picture may be another one elsewhere.

        Raises:
            ConfigError: Pillow is not installed; the extra `images` brings it. Or there is no such font.
            BitmapError: the bitmap is one that glasses cannot show.
        """
        from .pictures import draw  # noqa: PLC0415 - the simulator works without Pillow

        return draw(self.screen, PROFILES.for_model(self.model), font, fallbacks)

    def draw(self, message: JsonObject) -> None:
        """Show what the phone was told to show. What the phone cannot draw leaves the display as it is.

        Protocol: P3 1.2.
        """
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
                    package_name=text_of(message, "packageName"),
                    layout=text_of(members, "layoutType"),
                    lines=lines,
                    texts=_texts_of(members),
                    bitmap=bitmap_of(members),
                    columns=tuple(_joined(column) for column in self._columns_of(members)),
                )
            )
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    @property
    def columns(self) -> int:
        """How many cells fit in a line: average characters, or half as many wide ones. Of narrow ones more may fit."""
        return _COLUMNS

    @property
    def rows(self) -> int:
        """How many lines fit."""
        return PROFILES.for_model(self.model).max_lines

    def _columns_of(self, layout: JsonObject) -> tuple[tuple[str, ...], ...]:
        """Two columns: the first text is the left one (P3 1.2). None where the layout has no columns."""
        if text_of(layout, "layoutType") != "double_text_wall":
            return ()
        left = _fit(text_of(layout, "topText"), _HALF - _GAP)
        return left[: self.rows], _fit(text_of(layout, "bottomText"), _HALF)[: self.rows]

    def _lines_of(self, layout: JsonObject) -> tuple[str, ...] | None:
        profile = PROFILES.for_model(self.model)
        match text_of(layout, "layoutType"):
            case "text_wall":
                return _fit(text_of(layout, "text"), _COLUMNS, profile)[: self.rows]
            case "double_text_wall":
                return _side_by_side(*self._columns_of(layout))
            case "reference_card":
                title = _fit(text_of(layout, "title"), _COLUMNS, profile)[:1] or ("",)
                return (*title, *_fit(text_of(layout, "text"), _COLUMNS, profile))[: self.rows]
            case "clear_view":
                return ()
            case "bitmap_view":
                bitmap = bitmap_of(layout)
                return None if bitmap is None else (_describe_bitmap(bitmap),)
            case _:
                return None


def unmet(wanted: str, within: float, lines: Sequence[str]) -> str:
    """Say that something was expected and other lines are shown."""
    return f"expected {wanted} within {within:g} s; the glasses show {describe(lines)}"


def describe(lines: Sequence[str]) -> str:
    """Spell what glasses show, in one line."""
    return " / ".join(repr(line) for line in lines) if any(lines) else "nothing"


def _texts_of(layout: JsonObject) -> tuple[str, ...]:
    return tuple(text_of(layout, name) for name in _TEXTS.get(text_of(layout, "layoutType"), ()))


def _describe_bitmap(bitmap: Bitmap) -> str:
    return f"[bitmap {bitmap.width} x {bitmap.height}, {bitmap.ink} drawn]"


def _single_spaced(text: str) -> str:
    return re.sub(" +", " ", text)


def _joined(lines: Sequence[str]) -> str:
    return " ".join(line.strip() for line in lines if line.strip())


def _fit(text: str, width: int, profile: Profile | None = None) -> tuple[str, ...]:
    """Break a text at its newlines, then at words. With a profile, a line that fits by its pixels stays whole."""
    if not text.strip():
        return ()
    lines: list[str] = []
    for line in text.split("\n"):
        is_fitted = profile is not None and cells(line) > width and fits(line, profile)
        lines += [line.rstrip()] if is_fitted else wrap(line, width) or [""]
    return tuple(lines)


def _side_by_side(lefts: Sequence[str], rights: Sequence[str]) -> tuple[str, ...]:
    rows: list[str] = []
    for index in range(max(len(lefts), len(rights))):
        first = lefts[index] if index < len(lefts) else ""
        second = rights[index] if index < len(rights) else ""
        rows.append(f"{first}{' ' * (_HALF - cells(first))}{second}".rstrip())
    return tuple(rows)
