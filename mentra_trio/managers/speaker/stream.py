"""A stream of sound: opened, fed, opened anew where the cloud has given it up, and ended without clipping (P3 4.6)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from uuid import uuid4

import attrs
import trio

from mentra_trio._link import Link
from mentra_trio._mp3 import Mp3Encoder
from mentra_trio._wire.actions.speaker import (
    AudioFrame,
    EndAudioStream,
    PlayAnswer,
    PlayAudio,
    PlayRelay,
    StartAudioStream,
)
from mentra_trio.errors import (
    DecodeError,
    MentraError,
    PlaybackError,
    RequestTimedOutError,
)
from mentra_trio.models.sound import Playback

_CLAIM = 0.45
"""Seconds that the phone has to fetch the stream before its first sound is sent: sound that comes earlier makes the
cloud ask the phone a second time, with full volume, which cuts off the first (P3 4.7)."""
_PIECE = 32 * 1024
"""Most bytes in a frame: small enough for a slow uplink to be done with one in a few seconds, and for pings between."""
_BURST = 2**20
"""Bytes that a relay takes at once. While the phone is not there, the cloud keeps 2 MiB for at most 10 s, and drops the
oldest of more; it never says whether the phone is there (P3 4.6). So in no 10 s more than that may be sent: this and
ten times `_PACE` are 1.6 MiB, which leaves room for what a slow network delivers late."""
_PACE = 64 * 1024
"""Bytes per second after that: more than any MP3 needs, so that no phone has to wait for sound."""
_FASTEST = 40_000
"""Bytes per second of the densest MP3: sound that was written lasts at least as long as that tells."""
_THINNEST = 4_000
"""Bytes per second of MP3 that is thin: hardly any lasts longer than that tells."""
_PCM_PART = 2**20
"""Bytes of PCM that are encoded at once; their MP3 is within `_BURST`."""
_EARLY = 0.5
"""Seconds by which the phone's word of an end may be before the end that is reckoned here."""
_ASKED_AGAIN = 2.0
"""Seconds after sound was sent in which the phone's word may be about being asked again because of it."""
_UNCLAIMED = 14.0
"""Seconds without any sound after which the cloud may have given the stream up because the phone never came; it takes
15 (P3 4.6)."""
_IDLE = 55.0
"""Seconds since the last sound after which the stream is ended, and another one opened for what comes: the cloud takes
60 to give it up, and then drops what the phone has not fetched yet, which it does not of one that is ended (P3 4.6)."""
_TAIL = 4.0
"""Seconds that the rest of the encoder may take to be sent before that."""
_PAUSE = 0.25
"""Seconds after the wearer has heard all that was sent until what the encoder holds back is sent too. Not sooner: the
end of an MP3 and the beginning of another one are a gap of some 50 ms where sound goes on."""


@attrs.define(eq=False, repr=False)
class _Relay:
    """One stream as the cloud sees it."""

    base_url: str
    """Of the cloud that it lives in."""
    stream_id: str = attrs.field(init=False, factory=lambda: str(uuid4()))
    url: str = attrs.field(init=False, default="")
    is_asked_for: bool = attrs.field(init=False, default=False)
    """Whether the cloud may know of it."""
    begun_at: float = attrs.field(init=False, default=math.inf)
    """When the phone was told to play it."""
    fed_at: float | None = attrs.field(init=False, default=None)
    """When the last frame was taken by the writer."""
    _room: float = attrs.field(init=False, default=_BURST)
    """Bytes that may be sent without waiting, at `_room_at`. Below 0 somebody waits."""
    _room_at: float = attrs.field(init=False, factory=trio.current_time)
    over_at: float = attrs.field(init=False, default=math.inf)
    """When it was over."""
    is_ended: bool = attrs.field(init=False, default=False)
    """Whether the cloud was told that no more comes."""
    is_cut: bool = attrs.field(init=False, default=False)
    """Whether it was over before that."""
    answer: PlayAnswer | None = attrs.field(init=False, default=None)
    """The phone's word that it has ended."""
    error: MentraError | None = attrs.field(init=False, default=None)
    """Why it failed, or nobody can tell any more."""
    waiting: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    """Around whoever waits for the phone's word."""
    _begun: trio.Event = attrs.field(init=False, factory=trio.Event)
    over: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set with an answer or an error."""

    def asked_for(self) -> None:
        """Take note that the cloud may know of it."""
        self.is_asked_for = True

    def begin(self) -> None:
        """Take note that the phone was told to play it."""
        self.begun_at = trio.current_time()
        self._begun.set()

    def finish(self, answer: PlayAnswer | None = None, error: MentraError | None = None) -> None:
        """Take note of its end; the first one counts."""
        if not self.over.is_set():
            self.answer, self.error = answer, error
            self.over_at = trio.current_time()
            self._begun.set()
            self.over.set()

    async def wait_room(self, size: int) -> None:  # noqa: ASYNC910 - the send that follows checkpoints
        """Wait until the cloud could keep some bytes more, wherever the phone is, and take note of them."""
        now = trio.current_time()
        self._room = min(_BURST, self._room + (now - self._room_at) * _PACE) - size
        self._room_at = now
        if self._room < 0:
            await trio.sleep(-self._room / _PACE)

    async def wait_begun(self) -> None:
        """Wait until the phone was told to play it. Raises what went wrong."""
        await self._begun.wait()
        self.check()

    def check(self) -> None:
        """Raise what went wrong."""
        if self.error is not None:
            raise self.error

    def is_stale(self, base_url: str) -> bool:
        """Whether it was ended, the cloud may have given it up, or another cloud has taken over."""
        if self.is_ended:
            return True
        since, limit = (self.begun_at, _UNCLAIMED) if self.fed_at is None else (self.fed_at, _IDLE)
        return base_url != self.base_url or trio.current_time() - since >= limit


@attrs.define(eq=False, repr=False)
class SpeakerStream:
    """Sound that is heard while it is made. Made by `session.speaker.open_stream`.

    Any number of tasks may use it; their writes do not mix.
    """

    _link: Link
    _encoder: Mp3Encoder | None
    """Of PCM; `None` for MP3, which is sent as it is."""
    _volume: float
    _stop_other_audio: bool
    _on_begun: Callable[[SpeakerStream], None]
    """Told when the phone was told to play it."""
    _relay: _Relay | None = attrs.field(init=False, default=None)
    _writing: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _fed: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set by sound, of which the encoder may hold something back."""
    _heard_until: float = attrs.field(init=False, default=-math.inf)
    """When what was written so far has been heard, if it is heard as it comes; of MP3, the soonest."""
    _heard_at_last: float = attrs.field(init=False, default=-math.inf)
    """The latest."""
    _sent: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)
    """Woken when sound was sent."""
    _is_ended: bool = attrs.field(init=False, default=False)
    _is_interrupted: bool = attrs.field(init=False, default=False)
    """Before it was ended."""
    _interrupted: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set also when it was ended before, and is still heard."""
    _to_play: trio.MemorySendChannel[_Relay] = attrs.field(init=False)
    _asked: trio.MemoryReceiveChannel[_Relay] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # Whoever opens a relay waits until it was told to the phone, so there is never a second one in here.
        self._to_play, self._asked = trio.open_memory_channel[_Relay](1)

    @property
    def is_open(self) -> bool:
        """Whether sound can be written."""
        return not (self._is_ended or self._is_interrupted)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send sound, as fast as the network takes it and the cloud can keep it; wait while the link is down.

        The wearer hears it as it comes. Sound may be written faster than it is heard: the cloud and the phone keep it.
        After 1 MiB at once a write waits, so that 64 KiB go per second (the densest MP3 needs 39): a phone that comes
        late, within the cloud's 10 s, misses nothing.
        The first write waits until the phone has had time to fetch the stream. After a minute without a write the
        cloud would have given the stream up, so a new one is opened when the older one was heard, which takes a moment.
        PCM may be cut anywhere, also within a sample. Empty data is nothing.

        Cancelling leaves out what was not sent of this data.

        Raises:
            TypeError: no bytes.
            PlaybackError: a newer sound of this app, or `session.speaker.stop()`, has ended the stream.
            CloudRefusedError, DeviceUnavailableError: the cloud cannot get at the phone.
            trio.ClosedResourceError: it was ended.
            RequestTimedOutError: a new stream was needed, and the cloud did not make it.
            SessionClosedError, LinkDownError: as everywhere.
        """
        data = _checked_bytes(data)
        await trio.lowlevel.checkpoint()
        self._check()
        async with self._writing:
            if self._encoder is None:
                for piece in _parts(data, _PIECE):
                    await self._send(piece)
                    self._note(len(piece) / _FASTEST, at_most=len(piece) / _THINNEST)
                return
            for part in _parts(data, _PCM_PART):
                await self._send(await self._link.offload(partial(self._encoder.encode, part)))
                seconds = self._encoder.seconds_of(part)
                self._note(seconds, at_most=seconds)

    async def end(self) -> None:
        """Send what is still held back, and end the stream. The phone plays what it has. Doing it again is harmless.

        Cancelling ends it with what was sent.
        """
        await trio.lowlevel.checkpoint()
        if not self.is_open:
            return
        async with self._writing:
            try:
                if self.is_open:
                    await self._flush()
            finally:
                self.close()

    async def finish(self) -> Playback:
        """End the stream, and wait until it was heard to its end.

        What the phone says of a stream is not always true: it may call one ended that it fetched late, in whose middle
        there was a pause of some seconds, or that another app's sound has ended. When sound was sent after its word, or
        just before, this waits as long as the sound lasts (MP3: as it lasts at least, at 320 kbit/s) and tells no
        duration. Else a word that came before the end returns at once, as interrupted.

        Raises:
            PlaybackError: the phone could not play it.
            RequestTimedOutError: no word of its end 10 minutes after it should have been heard.
            Others: as `write`.
        """
        await self.end()
        relay = self._relay
        if relay is None or self._is_interrupted:
            return Playback(duration=None, is_interrupted=True)
        with trio.move_on_at(max(trio.current_time(), self._heard_until) + PlayAudio.LIMIT) as patience:
            await relay.over.wait()
        if patience.cancelled_caught:
            raise RequestTimedOutError(type(self).__name__, PlayAudio.LIMIT)
        relay.check()
        if relay.answer is None:
            return Playback(duration=None, is_interrupted=True)
        if self._is_heard_after(relay, relay.answer):
            with trio.move_on_at(self._heard_until):
                await self._interrupted.wait()
            return Playback(duration=None, is_interrupted=self._interrupted.is_set())
        if not relay.answer.succeeded:
            raise PlaybackError(relay.answer.text)
        return Playback(duration=relay.answer.duration, is_interrupted=relay.is_cut)

    def _is_heard_after(self, relay: _Relay, answer: PlayAnswer) -> bool:
        """Whether the phone plays on after its word of the end.

        Where it does not listen, the cloud has it come again with the next sound. It calls the first time ended then,
        with success, and its word about the second time is thrown away (P3 4.4, 4.6).
        """
        since = relay.over_at - (_ASKED_AGAIN if answer.succeeded else 0.0)
        is_asked_again = relay.fed_at is not None and relay.fed_at > since
        return is_asked_again and relay.over_at < self._heard_until - _EARLY

    # What the manager uses

    async def run(self) -> None:
        """Tell the phone to play the relays of this stream, and wait for its word of their ends, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_in_silence)
            if self._encoder is not None:
                nursery.start_soon(self._flush_in_pauses)
            async for relay in self._asked:
                nursery.start_soon(self._follow, relay)

    async def open(self) -> None:
        """Open the first relay."""
        await self._open_relay()
        self._check()

    def interrupt(self) -> None:
        """End it because another sound of this app takes its place. Never blocks, never raises."""
        if self.is_open:
            self._is_interrupted = True
            self._end_relay()
        self._interrupted.set()
        if self._relay is not None:  # pragma: no branch - else it is just being opened, and finds itself interrupted
            self._relay.finish()

    def last_word(self) -> EndAudioStream | None:
        """Give what tells the cloud that no more comes on the relay, once, where it may know of that.

        Else it gives it up by itself, and until then it is the one sound of the phone.
        """
        relay = self._relay
        if relay is None or not relay.is_asked_for:
            return None
        relay.is_asked_for = False
        relay.is_ended, relay.is_cut = True, relay.over.is_set()
        return EndAudioStream(stream_id=relay.stream_id)

    def close(self) -> None:
        """End it with what was sent. Never blocks, never raises."""
        if self.is_open:
            self._is_ended = True
            self._end_relay()
            if self._relay is not None and self._relay.begun_at == math.inf:
                self._relay.finish()  # for a write that waits for it: the phone is never told

    def _check(self) -> None:
        if self._is_interrupted:
            raise PlaybackError("a newer sound of this app, or a stop, has ended it", is_interrupted=True)
        if self._is_ended:
            raise trio.ClosedResourceError("this stream of sound was ended")
        if self._relay is not None:
            self._relay.check()

    # Relays

    async def _open_relay(self) -> _Relay:
        """Have the cloud make a relay, and the phone play it."""
        relay = self._relay = _Relay(self._link.base_url)
        has_begun = False
        try:
            start = StartAudioStream(stream_id=relay.stream_id, content_type="audio/mpeg")
            ready = await self._link.call(start, on_taken=relay.asked_for)
            if ready.url is None:
                raise DecodeError("audio_stream_ready", ("streamUrl: missing",))
            relay.url = ready.url
            self._to_play.send_nowait(relay)
            await relay.wait_begun()
            has_begun = True
        finally:
            if not has_begun:
                self._end_relay()
                self._relay = None
        return relay

    async def _follow(self, relay: _Relay) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Have the phone play a relay, and wait for its word of the end."""
        play = PlayRelay(
            request_id=f"stream_{relay.stream_id}",
            audio_url=relay.url,
            volume=self._volume,
            stop_other_audio=self._stop_other_audio,
        )

        def begin() -> None:
            relay.begin()
            self._on_begun(self)

        if relay is not self._relay or not self.is_open:
            # It was given up before the phone could be told. Not by the end of the session: that raises below.
            return  # noqa: ASYNC910 - a task, as above
        try:
            with relay.waiting:
                answer = await self._link.call(play, on_written=begin)
                relay.finish(answer)
        except MentraError as error:
            relay.finish(error=error)

    def _end_relay(self) -> None:
        if (word := self.last_word()) is not None:
            self._link.send_nowait(word)

    # Sound

    async def _send(self, data: bytes) -> None:  # noqa: ASYNC910 - whoever calls it checkpoints
        for piece in _parts(data, _PIECE):
            while True:
                relay = await self._ready_relay()
                await relay.wait_room(len(piece))
                self._check()
                await self._link.send(AudioFrame(stream_id=relay.stream_id, data=piece), until_taken=True)
                # The link may have been down meanwhile, for longer than the cloud waits: then nobody heard this piece.
                if not relay.is_stale(self._link.base_url):
                    relay.fed_at = trio.current_time()
                    self._sent.unpark_all()
                    break

    async def _ready_relay(self) -> _Relay:  # noqa: ASYNC910 - the send that follows checkpoints
        """Give a relay that takes sound now, a new one where the old one may be gone."""
        self._check()
        relay = self._relay
        if relay is None or relay.is_stale(self._link.base_url):
            self._end_relay()
            if relay is not None:
                await self._wait_heard(relay)
                relay.waiting.cancel(reason="another stream takes its place")  # phones need not answer
            relay = await self._open_relay()
            self._check()  # what was ended or interrupted meanwhile never begins
        if relay.fed_at is None:
            await trio.sleep_until(relay.begun_at + _CLAIM)
            self._check()
        return relay  # noqa: ASYNC910 - as above

    async def _wait_heard(self, relay: _Relay) -> None:
        """Wait until the phone has come to the end of a relay that was ended: the next one would cut it off."""
        with trio.move_on_at(self._heard_at_last):
            await relay.over.wait()
        self._check()

    async def _end_in_silence(self) -> None:
        """End relays before the cloud gives them up."""
        while True:
            relay = self._relay
            if relay is None or relay.fed_at is None or not relay.is_asked_for:
                await self._sent.park()
            elif trio.current_time() < relay.fed_at + _IDLE:
                await trio.sleep_until(relay.fed_at + _IDLE)
            else:
                async with self._writing:
                    if self._relay is relay and trio.current_time() >= relay.fed_at + _IDLE:
                        await self._send_tail(relay)
                        self._end_relay()

    async def _send_tail(self, relay: _Relay) -> None:  # noqa: ASYNC910 - the lock around it checkpoints
        """Send what the encoder holds back on this relay, and on no other."""
        if self._encoder is not None:
            tail = await self._link.offload(self._encoder.flush)
            with trio.move_on_after(_TAIL), contextlib.suppress(MentraError):
                await trio.lowlevel.checkpoint()
                for piece in _parts(tail, _PIECE):
                    await self._link.send(AudioFrame(stream_id=relay.stream_id, data=piece), until_taken=True)

    async def _flush(self) -> None:  # noqa: ASYNC910 - whoever calls it checkpoints
        """Send what the encoder holds back. The next sound begins another MP3, which phones play on."""
        if self._encoder is not None:
            await self._send(await self._link.offload(self._encoder.flush))

    def _note(self, seconds: float, *, at_most: float) -> None:
        now = trio.current_time()
        self._heard_until = max(self._heard_until, now) + seconds
        self._heard_at_last = max(self._heard_at_last, now) + at_most
        self._fed.set()

    async def _flush_in_pauses(self) -> None:
        """Send what the encoder holds back whenever all else was heard: else the last word waits for the next one."""
        while True:
            await self._fed.wait()
            await trio.sleep_until(self._heard_until + _PAUSE)
            async with self._writing:
                if trio.current_time() < self._heard_until + _PAUSE:
                    continue  # there was more meanwhile
                self._fed = trio.Event()
                # The next write raises what goes wrong.
                with contextlib.suppress(MentraError, trio.ClosedResourceError):
                    await self._flush()


def _parts(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def _checked_bytes(data: bytes | bytearray | memoryview) -> bytes:
    """Copy bytes, and nothing else that `bytes` would make some of: of a number it makes zeros."""
    try:
        return bytes(memoryview(data))
    except TypeError:
        msg = f"data is {type(data).__name__}; pass bytes, a bytearray or a memoryview"
        raise TypeError(msg) from None
