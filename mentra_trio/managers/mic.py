"""`session.mic`: sound from the glasses' microphone (P2 5)."""

from __future__ import annotations

from datetime import datetime

import attrs

from mentra_trio._arguments import checked_seconds
from mentra_trio._flow import EventStream, Gap, Overflow
from mentra_trio._link import Link, StreamSpec
from mentra_trio._voice import RATE, SAMPLE, UtteranceFinder
from mentra_trio._wire.streams import PlainSubscription
from mentra_trio.models.audio import AudioChunk, Recording, VoiceActivity

_CAPACITY = 100
"""Unread chunks: 2 s to 4 s of the usual 20 ms to 40 ms (P2 5.2)."""
_SOUND, _VOICE = "audio_chunk", "VAD"
_VOICE_CAPACITY = 64
"""Unread changes; more means that nobody reads."""


@attrs.define(eq=False, repr=False)
class VoiceSource:
    """Beginnings and ends of speech."""

    _link: Link

    def stream(self, *, sound: bool = True) -> EventStream[VoiceActivity]:
        """Open a stream of beginnings and ends of speech, as the phone hears them. There is no first value.

        They may come seconds late, and an end before its beginning (P2 5.4). A loop that falls 64 behind misses the
        oldest, which are counted.

        Args:
            sound: whether to have raw sound sent besides, 32 kB a second, so that the cloud switches the microphone on:
                for this stream alone it does not (P2 5.5, M1). Pass `False` beside a stream of transcription or
                translation, which switches it on too. Phones whose source is public tell nothing while any app of the
                wearer gets raw sound; `record_utterance` does not need them.
        """
        names = (_SOUND, _VOICE) if sound else (_VOICE,)
        return self._link.subscribe(
            StreamSpec(
                name="voice activity",
                keys=(_VOICE,),
                subscriptions=tuple(map(PlainSubscription, names)),
                capacity=_VOICE_CAPACITY,
                overflow=Overflow.DROP_OLDEST,
            )
        )


@attrs.define(eq=False, repr=False)
class MicManager:
    """The microphone. Needs the `MICROPHONE` permission of the app in the MentraOS console."""

    _link: Link
    voice_activity: VoiceSource = attrs.field(init=False)
    """When somebody begins to speak, and stops."""

    def __attrs_post_init__(self) -> None:
        self.voice_activity = VoiceSource(self._link)

    @property
    def is_active(self) -> bool:
        """Whether this app listens to raw sound. That any flows is another matter: nobody tells of dead air.

        Protocol: P2 5.5.
        """
        return self._link.hears(_SOUND)

    @property
    def is_speaking(self) -> bool:
        """Whether somebody speaks, by the last word of the phone.

        `False` as long as no stream of voice activity is open, and after a lost connection until the phone tells again.
        """
        return self._link.state.speaking.value

    def stream(self) -> EventStream[AudioChunk]:
        """Open a stream of raw sound: 16-bit PCM, mono, 16 kHz, in pieces of any length.

        A loop that does not keep up misses the oldest chunks: they are counted in the stream's statistics, and leave a
        hole in the numbers of the chunks. `with_gaps()` also tells where the connection was lost. While it is open,
        the microphone of the glasses is on all the time.

        Protocol: P2 5.2.
        """
        return self._link.subscribe(
            StreamSpec(
                name="microphone",
                keys=(_SOUND,),
                subscriptions=(PlainSubscription(_SOUND),),
                capacity=_CAPACITY,
                overflow=Overflow.DROP_OLDEST,
            )
        )

    async def record(self, seconds: float) -> Recording:
        """Collect so many seconds of sound. It is shorter when the session ends first.

        It waits for sound, not for time: where none comes it waits on, so give it a limit (`trio.move_on_after`).
        Cancelling throws away what was collected.
        """
        wanted = round(checked_seconds("seconds", seconds) * RATE) * SAMPLE
        take = _Take()
        sound = bytearray()
        async with self.stream().with_gaps() as stream:
            async for item in stream:
                sound += take.note(item)
                if len(sound) >= wanted:
                    break
        return take.recording(bytes(sound[:wanted]))

    async def record_utterance(
        self, *, pause: float = 0.8, longest: float = 30.0, before: float = 0.5, threshold: float = 0.01
    ) -> Recording:
        """Wait until somebody speaks, and collect what is said until a pause. Empty when the session ends first.

        It judges by itself, by how loud the sound is: the phone's own word comes late, or not at all (P2 5.5). Loud
        music is speech to it. Cancelling throws away what was collected.

        Args:
            pause: seconds of quiet that end the utterance; they are part of the recording.
            longest: seconds after which it ends in any case.
            before: seconds to keep of what was heard before it began, because words begin quietly.
            threshold: loudness, 0 to 1, below which nothing is speech. What is not three times as loud as the
                surroundings is none anyway.
        """
        finder = UtteranceFinder(
            pause=checked_seconds("pause", pause),
            longest=checked_seconds("longest", longest),
            before=checked_seconds("before", before, least=0.0),
            threshold=_checked_threshold(threshold),
        )
        take = _Take()
        async with self.stream().with_gaps() as stream:
            async for item in stream:
                finder.feed(take.note(item))
                if not finder.began:
                    take.begin()
                if finder.is_over:
                    break
        return take.recording(finder.sound)


@attrs.define(eq=False)
class _Take:
    """What is told about sound that is being collected."""

    _gaps: int = 0
    _started_at: datetime | None = None
    _last: AudioChunk | None = None

    def note(self, item: AudioChunk | Gap) -> bytes:
        """Take an item of a stream; give its sound."""
        if isinstance(item, Gap):
            self._gaps += self._started_at is not None
            return b""
        is_hole = self._last is not None and item.sequence != self._last.sequence + 1
        self._gaps += is_hole
        self._last = item
        if self._started_at is None:
            self._started_at = item.received_at
        return item.data

    def begin(self) -> None:
        """Forget what was before the last item."""
        self._gaps = 0
        self._started_at = None if self._last is None else self._last.received_at

    def recording(self, data: bytes) -> Recording:
        """Make the recording."""
        return Recording(data=data, gaps=self._gaps, started_at=self._started_at if data else None)


def _checked_threshold(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"threshold is {value!r}; pass a number such as 0.01"
        raise TypeError(msg)
    if not 0 <= value < 1:
        msg = f"threshold must be at least 0 and below 1, not {value!r}"
        raise ValueError(msg)
    return value
