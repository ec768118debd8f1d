"""`session.mic`: sound from the glasses' microphone (P2 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mentra_trio._flow import EventStream, Overflow
from mentra_trio._link import Link, StreamSpec
from mentra_trio._wire.streams import PlainSubscription

if TYPE_CHECKING:
    from mentra_trio.models.audio import AudioChunk

_CAPACITY = 100
"""Unread chunks: 2 s to 4 s of the usual 20 ms to 40 ms (P2 5.2)."""


@attrs.define(eq=False, repr=False)
class MicManager:
    """The microphone. Needs the `MICROPHONE` permission of the app in the MentraOS console."""

    _link: Link

    def stream(self) -> EventStream[AudioChunk]:
        """Open a stream of raw sound. A loop that does not keep up misses the oldest chunks, which are counted."""
        return self._link.subscribe(
            StreamSpec(
                name="microphone",
                keys=("audio_chunk",),
                subscriptions=(PlainSubscription("audio_chunk"),),
                capacity=_CAPACITY,
                overflow=Overflow.DROP_OLDEST,
            )
        )
