"""`session.display`: text on the glasses (P3 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import attrs
import trio

from mentra_trio._link import Link
from mentra_trio._wire.outbound import DisplayEvent
from mentra_trio.models.layouts import ClearView, DoubleTextWall, Layout, ReferenceCard, TextWall

_LANE = "display"
_SHORTEST = 0.001
_LONGEST = 365 * 86_400.0
"""Seconds of a duration; a number beyond a year is a mistake."""
_MOST_SPELLED = 10**20


@attrs.define(eq=False, repr=False)
class DisplayManager:
    """The display of the glasses. What you show last is what the wearer sees.

    Every method puts the newest state where the connection's writer finds it, and returns after one checkpoint; nobody
    waits for the glasses, and the cloud confirms nothing (P3 1.5). Displays that come faster than the cloud's pace
    (0.35 s) replace each other, and the newest one always arrives. While the link is down the newest one waits, and
    after the app was restarted by the cloud it is shown again. Replaced ones are counted in
    `session.statistics().outbox.coalesced`.

    The `duration` of a display begins when it is sent: one that had to wait for the link is shown for all of its time,
    and one that is shown again for what is left of it. What was due again when its time was over is counted in
    `outbox.discarded`. What would be stale by then, show only while `session.link_state` is `CONNECTED`.

    Cancelling: a cancelled call has shown nothing.

    Every method raises `SessionClosedError` when the session is over, `TypeError` for what is not text or not a number,
    and `ValueError` for a `duration` that is not positive or longer than a year.
    """

    _link: Link

    async def show_text_wall(self, text: str, *, duration: float | None = None) -> None:
        """Show one block of text. The phone wraps it and cuts what does not fit.

        Args:
            text: what to show; an empty text is an empty display.
            duration: seconds after which it disappears; `None` leaves it until something replaces it.
        """
        await self._show(TextWall(text=_text("text", text)), duration)

    async def show_text(self, text: str | Sequence[str], *, duration: float | None = None) -> None:
        """Show text, or lines of text, as `show_text_wall` does."""
        await self.show_text_wall(_joined(text), duration=duration)

    async def show_double_text_wall(self, left: str, right: str, *, duration: float | None = None) -> None:
        """Show two columns of text.

        The wire calls them the top and the bottom text; glasses draw them side by side (P3 1.2).
        """
        await self._show(DoubleTextWall(top_text=_text("left", left), bottom_text=_text("right", right)), duration)

    async def show_reference_card(self, title: str, text: str, *, duration: float | None = None) -> None:
        """Show a line of title and a text below."""
        await self._show(ReferenceCard(title=_text("title", title), text=_text("text", text)), duration)

    async def show_dashboard_card(self, left: str, right: str, *, duration: float | None = None) -> None:
        """Show two short texts side by side.

        The wire's own dashboard card is drawn by no phone and would land on the main display all the same, so this is
        sent as a double text wall (P3 1.5).
        """
        await self._show(DoubleTextWall(top_text=_text("left", left), bottom_text=_text("right", right)), duration)

    async def clear(self) -> None:
        """Empty the display."""
        await self._show(ClearView(), None)

    async def _show(self, layout: Layout, duration: float | None) -> None:
        _check_number("duration", duration)
        # The wire has whole milliseconds, of which 0 means for ever (P3 1.2).
        if duration is not None and not _SHORTEST <= duration <= _LONGEST:
            msg = f"duration is {_excerpt(duration)}; pass 0.001 s to a year in seconds, or None to leave it on"
            raise ValueError(msg)
        await trio.lowlevel.checkpoint()
        self._link.post(_LANE, DisplayEvent(layout=layout, view="main", duration=duration), lifetime=duration)


def _joined(value: object) -> str:
    if isinstance(value, str):
        return value
    # A mapping or a set can be iterated over too, but would show something that nobody meant.
    if not isinstance(value, Sequence):
        msg = f"text is {type(value).__name__}, not text or a list of lines; write str(...) around it"
        raise TypeError(msg)
    return "\n".join(_text("each line", line) for line in cast("Sequence[object]", value))


def _excerpt(number: object) -> str:
    # Python refuses to spell whole numbers of thousands of digits.
    is_long = isinstance(number, int) and abs(number) > _MOST_SPELLED
    return "a number of many digits" if is_long else repr(number)


def _check_number(name: str, value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        msg = f"{name} is {value!r}; pass seconds as a number such as 3 or 0.5, or None"
        raise TypeError(msg)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        msg = f"{name} is {type(value).__name__}, not text; write str(...) around it"
        raise TypeError(msg)
    return value
