"""`session.dashboard`: a few words where the wearer looks up (P3 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from mentra_trio._arguments import joined_lines
from mentra_trio._link import Link
from mentra_trio._wire.actions.dashboard import UpdateDashboard

if TYPE_CHECKING:
    from collections.abc import Sequence

_LANE = "dashboard"


@attrs.define(eq=False, repr=False)
class DashboardManager:
    """The app's place on the dashboard, which the wearer sees when looking up. Needs no permission.

    Each app has one; the wearer goes from one to the next with each look up. With the system's own lines above it there
    is room for one to three lines of some 60 characters (P3 3.3). The cloud draws half a second after a change.

    What you show last is what counts, as on the display: calls that come faster than every 0.35 s replace each other,
    the newest waits while the link is down, and is shown again after the cloud has started the app anew. What was
    sent last is not sent again unless it may be lost: each update moves the app to the front of the others (P3 3.4).

    Cancelling: a cancelled call has shown nothing. Methods raise `SessionClosedError` when the session is over.
    """

    _link: Link

    async def show_text(self, text: str | Sequence[str]) -> None:
        """Show a text, or lines of text, instead of what was shown. An empty one clears.

        Raises:
            TypeError: what is given is no text.
        """
        await self._show(joined_lines(text))

    async def clear(self) -> None:
        """Take the words away.

        Of an app that has shown something, an empty place stays among the others until it is stopped: the cloud has no
        way to give it up (P3 3.4). Before that, this only takes back what has not been sent.
        """
        await self._show("")

    async def _show(self, content: str) -> None:
        await trio.lowlevel.checkpoint()
        self._link.post(_LANE, _update(content), at_first=_update(""))


def _update(content: str) -> UpdateDashboard:
    return UpdateDashboard(content=content, modes=("main",))
