"""What an event leaves out, added from what earlier events told."""

from __future__ import annotations

import attrs

from mentra_trio._wire.streams import fold_language
from mentra_trio.models.speech import Translation

_MOST_OPEN = 256
"""Unfinished utterances that are kept: more than people talk, few enough for a cloud that makes languages up."""

_Direction = tuple[str, str, str]
"""Stream name, source language and target language, without regions."""


@attrs.define(eq=False)
class Recall:
    """Completes the events of one session, in the order in which they arrive."""

    _utterances: dict[_Direction, str] = attrs.field(init=False, factory=dict[_Direction, str])
    """Ids of the utterances that are not finished."""
    _count: int = attrs.field(init=False, default=0)

    def connected(self) -> None:
        """Begin a connection: the finals of what was being said may be lost."""
        self._utterances.clear()

    def complete(self, stream: str, value: object) -> object:
        """Give the value of a stream's event with what it lacks. The stream's name is without options."""
        match value:
            case Translation():
                return self._with_id(stream, value)
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
