"""What an event leaves out, added from what earlier events told."""

from __future__ import annotations

import attrs

from mentra_trio._wire.streams import fold_language
from mentra_trio.models.phone import Dismissal, Notification
from mentra_trio.models.speech import Translation

_MOST_OPEN = 256
"""Unfinished utterances that are kept: more than people talk, few enough for a cloud that makes languages up."""
_MOST_NOTIFICATIONS = 256
"""Notifications that have not gone and are remembered: more than a phone shows at once. They are private."""

_Direction = tuple[str, str, str]
"""Stream name, source language and target language, without regions."""


@attrs.define(eq=False)
class Recall:
    """Completes the events of one session, in the order in which they arrive."""

    _utterances: dict[_Direction, str] = attrs.field(init=False, factory=dict[_Direction, str])
    """Ids of the utterances that are not finished."""
    _count: int = attrs.field(init=False, default=0)
    _notifications: dict[str, Notification] = attrs.field(init=False, factory=dict[str, Notification], repr=False)
    """By id, oldest first."""

    def connected(self) -> None:
        """Begin a connection: the finals of what was being said may be lost."""
        self._utterances.clear()

    def complete(self, stream: str, value: object) -> object:
        """Give the value of a stream's event with what it lacks. The stream's name is without options."""
        match value:
            case Translation():
                return self._with_id(stream, value)
            case Notification():
                self._remember(value)
                return value
            case Dismissal():
                return self._with_content(value)
            case _:
                return value

    def _with_id(self, stream: str, said: Translation) -> Translation:
        """Number the utterances: one at a time in each direction of a stream, until its final (P2 4.4, L5)."""
        if said.utterance_id:
            return said
        direction = stream, fold_language(said.source_language), fold_language(said.target_language)
        utterance = self._utterances.pop(direction, None)
        if utterance is None:
            self._count += 1
            utterance = f"translation-{self._count}"
        if not said.is_final:
            if len(self._utterances) >= _MOST_OPEN:
                self._utterances.clear()
            self._utterances[direction] = utterance
        return attrs.evolve(said, utterance_id=utterance)

    def _remember(self, seen: Notification) -> None:
        self._notifications.pop(seen.notification_id, None)
        if len(self._notifications) >= _MOST_NOTIFICATIONS:
            del self._notifications[next(iter(self._notifications))]
        self._notifications[seen.notification_id] = seen

    def _with_content(self, gone: Dismissal) -> Dismissal:
        """Tell what has gone, if it was seen: the wire has its id alone (P2 7.5, P3)."""
        seen = self._notifications.pop(gone.notification_id, None)
        if seen is None:
            return gone
        return attrs.evolve(
            gone,
            app=gone.app or seen.app,
            title=gone.title or seen.title,
            content=gone.content or seen.content,
            package_name=gone.package_name or seen.package_name,
        )
