"""What the wearer sees when looking up: the system's lines, and the words of one app at a time (P3 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio._wire.json_text import text_of

from .agenda import Agenda, Timer

if TYPE_CHECKING:
    from mentra_trio._wire.codec import JsonObject

    from .connection import AppConnection
    from .sessions import UserSession

DEBOUNCE = 0.5
"""Seconds from the first change until it is drawn."""
HEARTBEAT = 60.0
"""Seconds after which it is drawn anew in any case."""
_HEADER = "◌ $DATE$, $TIME12$, $GBATT$"
"""The phone puts date, time and battery in."""
_MOST_NOTES = 2


@attrs.frozen
class _Widget:
    content: str
    at: float
    """When the app says it was, in seconds; 0 where it says nothing that can be read."""


@attrs.define(eq=False)
class Dashboard:
    """One wearer's dashboard. `show` passes a text on to the phone."""

    _agenda: Agenda
    _show: Callable[[str], None]
    _widgets: dict[str, _Widget] = attrs.field(factory=dict[str, _Widget], init=False)
    _notes: list[str] = attrs.field(factory=list[str], init=False)
    _event: str = attrs.field(default="", init=False)
    _index: int = attrs.field(default=0, init=False)
    _pending: Timer | None = attrs.field(default=None, init=False)
    _heartbeat: Timer | None = attrs.field(default=None, init=False)

    def open(self) -> None:
        """Begin to draw it anew every minute."""
        self._heartbeat = self._agenda.later(HEARTBEAT, self._beat)

    def close(self) -> None:
        """Draw nothing more."""
        for timer in (self._heartbeat, self._pending):
            if timer is not None:
                timer.cancel()

    def update(self, package_name: str, content: object, modes: object, timestamp: object) -> None:
        """Take an app's words. Without a list of modes the cloud's own code fails, and nothing comes of it."""
        if not isinstance(modes, list):
            return
        if "main" in modes:
            self._widgets[package_name] = _Widget(_flattened(content), _seconds(timestamp))
        self._draw_soon()

    def app_stopped(self, package_name: str) -> None:
        """Forget the words of an app that was stopped or could not start. A lost connection changes nothing."""
        self._widgets.pop(package_name, None)
        self._draw_soon()

    def notified(self, app: str, title: str, content: str) -> None:
        """Take a notification of the phone."""
        self._notes.insert(0, f"[{app}] {title}: {content}")
        self._draw_soon()

    def planned(self, event: str) -> None:
        """Take the next entry of the calendar, as it is shown."""
        self._event = event
        self._draw_soon()

    def looked_up(self) -> None:
        """Go on to the next app's words, and draw at once."""
        if len(self._widgets) > 1:
            self._index = (self._index + 1) % len(self._widgets)
        self._draw()

    def _draw_soon(self) -> None:
        if self._pending is None or not self._pending.is_pending:
            self._pending = self._agenda.later(DEBOUNCE, self._draw)

    def _beat(self) -> None:
        self._draw()
        self.open()

    def _draw(self) -> None:
        newest_first = sorted(self._widgets.values(), key=lambda widget: -widget.at)
        words = newest_first[self._index % len(newest_first)].content if newest_first else ""
        lines = (_HEADER, self._event, *self._notes[:_MOST_NOTES], words)
        self._show("\n".join(line for line in lines if line))


def update_dashboard(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Take `dashboard_content_update`. Nobody answers (P3 3.2)."""
    modes, content = fields.get("modes"), fields.get("content")
    package_name = text_of(fields, "packageName")
    if modes != ["main"] or not isinstance(content, str):
        session.cloud.report(
            connection.package_name, "P3 3.2", "it told the dashboard something else than text for main"
        )
    session.dashboard.update(package_name, content, modes, fields.get("timestamp"))


def ignore(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Do nothing about what the cloud takes and ignores: modes, and parts that only the system had (P3 3.3)."""
    session.cloud.report(connection.package_name, "P3 3.3", f"it sent {fields.get('type')!r}, which nobody reads")


def _flattened(content: object) -> str:
    """Make text of what an app shows; of anything else than text and four layouts nothing is left."""
    if not isinstance(content, dict):
        return content if isinstance(content, str) else ""
    layout = cast("JsonObject", content)
    match layout.get("layoutType"):
        case "text_wall":
            return text_of(layout, "text")
        case "double_text_wall":
            return f"{text_of(layout, 'topText')}\n{text_of(layout, 'bottomText')}"
        case "dashboard_card":
            return f"{text_of(layout, 'leftText')} | {text_of(layout, 'rightText')}"
        case "reference_card":
            return f"{text_of(layout, 'title')}\n{text_of(layout, 'text')}"
        case _:
            return ""


def _seconds(timestamp: object) -> float:
    try:
        return datetime.fromisoformat(timestamp).timestamp() if isinstance(timestamp, str) else 0.0
    except ValueError:
        return 0.0
