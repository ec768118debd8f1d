"""What the wearer hears: the phone's player, which plays one sound at a time (P3 4.4)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import attrs
import trio

from .sound import RELAY_PATH, speech_seconds, spoken_text
from .waiting import EXPECT_SECONDS, wait_or_tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from mentra_trio._wire.codec import JsonObject

    from .users import User  # noqa: TC004 - a cycle, and nobody evaluates it

FETCH = 0.2
"""Seconds until a phone fetches a stream."""
IDLE = 1.5
"""Seconds after which a player that could load nothing says so."""
MEDIA_SECONDS = 2.0
"""How long a sound at an address is, unless told otherwise."""
_BYTES_PER_SECOND = 16_000
"""Of what is no MP3: as of the streams that apps make unless told otherwise, 128 kbit/s."""
_KILOBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
"""Per second, of MPEG-1 layer III by the index in a frame's header, from 1 on."""
_KILOBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""The same of MPEG-2 and 2.5, which have the lower sample rates."""
_IDLE_ERROR = "Playback failed (player went idle)"


@attrs.define(eq=False, kw_only=True)
class HeardSound:
    """A sound that the phone was told to play."""

    package_name: str
    """Which app told it."""
    url: str
    """Where it was fetched."""
    text: str | None
    """What was said; `None` for what is no speech."""
    volume: float
    """0 to 1."""
    began_at: float
    """When, on the Trio clock."""
    ended_at: float | None = None
    """When it ended, or another one took its place; `None` while it goes on."""
    error: str = ""
    """Why it could not be played."""
    data: bytes = attrs.field(default=b"", repr=False)
    """What came on a stream."""


@attrs.define(eq=False)
class _Player:
    """One sound while it plays; it is the phone's ear at a stream."""

    sound: HeardSound
    request_id: str
    speaker: Loudspeaker
    is_over: bool = False

    def hear(self, data: bytes) -> None:
        self.sound.data += data

    def ended(self) -> None:
        self.speaker.stream_ended(self)


@attrs.define(eq=False)
class Loudspeaker:
    """The sound of one wearer's phone. It mixes nothing: a new sound takes the place of the one that plays."""

    _user: User = attrs.field(repr=False)
    history: list[HeardSound] = attrs.field(factory=list[HeardSound], init=False)
    """All sounds, oldest first."""
    lengths: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    """Seconds of the sounds at addresses; 2 for all others. `math.inf` never tells of its end, as some phones do."""
    unreachable: set[str] = attrs.field(factory=set[str], init=False)
    """Addresses at which nothing can be loaded."""
    _expected: int = attrs.field(default=0, init=False, repr=False)
    """How many sounds are not looked at any more."""
    _current: _Player | None = attrs.field(default=None, init=False, repr=False)

    @property
    def playing(self) -> HeardSound | None:
        """What is heard at the moment."""
        return None if self._current is None else self._current.sound

    async def expect(self, text: str, *, within: float = EXPECT_SECONDS) -> HeardSound:
        """Wait until a sound begins in whose words, or in whose address, there is a text.

        What was expected before, and all before that, is not looked at again. Raises `ExpectationError`, which tells
        what was heard, when there is none `within` seconds.
        """

        def found() -> int | None:
            places = range(self._expected, len(self.history))
            return next((n for n in places if text in (self.history[n].text or self.history[n].url)), None)

        def complain(limit: str) -> str:
            heard = ", ".join(repr(sound.text or sound.url) for sound in self.history[self._expected :])
            return f"expected to hear {text!r}{limit}; heard {heard or 'nothing'}"

        await wait_or_tell(
            self._user.wait_until,
            lambda: found() is not None,
            within=within,
            is_hopeless=lambda: False,
            complain=complain,
        )
        place = found() or 0
        self._expected = place + 1
        return self.history[place]

    async def wait_for(self, predicate: Callable[[HeardSound], bool]) -> HeardSound:
        """Wait until there is such a sound, also among those that have ended. Bound it with a deadline."""
        await self._user.wait_until(lambda: any(map(predicate, self.history)))
        return next(sound for sound in reversed(self.history) if predicate(sound))

    def hang_up(self) -> None:
        """Lose the stream that is fetched, as a bad network does. The phone fetches it again when it is told to."""
        if self._current is not None:
            self._user.leave_relay(self._current)

    def play(self, message: JsonObject) -> None:
        """Do what `audio_play_request` asks for."""
        request_id, url = message.get("requestId"), message.get("audioUrl")
        if not isinstance(url, str) or not isinstance(request_id, str) or not url:
            if isinstance(request_id, str):
                self._answer(request_id, success=False, error="Missing audioUrl")
            return
        self._replace(tells=message.get("stopOtherAudio") is not False)
        volume = message.get("volume", 1.0)
        sound = HeardSound(
            package_name=str(message.get("packageName")),
            url=url,
            text=spoken_text(url),
            volume=volume if isinstance(volume, int | float) else 1.0,
            began_at=trio.current_time(),
        )
        player = self._current = _Player(sound, request_id, self)
        self.history.append(sound)
        self._user.tell_waiting()
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or url in self.unreachable:
            self._user.later(IDLE, partial(self._fail, player))
        elif parts.path.startswith(RELAY_PATH):
            self._user.later(FETCH, partial(self._fetch, player))
        else:
            seconds = speech_seconds(sound.text) if sound.text is not None else MEDIA_SECONDS
            self._finish_after(player, self.lengths.get(url, seconds))

    def stop(self, message: JsonObject) -> None:
        """Do what `audio_stop_request` asks for."""
        app = message.get("appId")
        if self._current is not None and app in (None, "", self._current.sound.package_name):
            self._replace(tells=True)

    def stream_ended(self, player: _Player) -> None:
        """Play what came on a stream to its end."""
        seconds = len(player.sound.data) / _bytes_per_second(player.sound.data)
        self._finish_after(player, max(0.0, player.sound.began_at + seconds - trio.current_time()))

    def _fetch(self, player: _Player) -> None:
        if player.is_over:
            return
        *_, user_id, stream_id = urlsplit(player.sound.url).path.split("/")
        if not self._user.claim_relay(unquote(user_id), stream_id, player):
            self._user.later(IDLE, partial(self._fail, player))

    def _finish_after(self, player: _Player, seconds: float) -> None:
        if seconds < float("inf"):
            self._user.later(seconds, partial(self._finish, player))

    def _finish(self, player: _Player) -> None:
        if not player.is_over:
            self._end(player)
            self._answer(player.request_id, success=True, duration=self._milliseconds(player))

    def _fail(self, player: _Player) -> None:
        if not player.is_over:
            player.sound.error = _IDLE_ERROR
            self._end(player)
            self._answer(player.request_id, success=False, error=_IDLE_ERROR)

    def _replace(self, *, tells: bool) -> None:
        """End what plays; whoever asked for it is told, or waits for ever."""
        player = self._current
        if player is not None:
            self._end(player)
            if tells:
                self._answer(player.request_id, success=True, duration=self._milliseconds(player))

    def _end(self, player: _Player) -> None:
        """End what plays: of all others it is known that they are over."""
        player.is_over = True
        player.sound.ended_at = trio.current_time()
        self._current = None
        self._user.leave_relay(player)
        self._user.tell_waiting()

    def _milliseconds(self, player: _Player) -> int:
        return round(1000 * (trio.current_time() - player.sound.began_at))

    def _answer(self, request_id: str, **fields: object) -> None:
        self._user.answer_later(0.0, {"type": "audio_play_response", "requestId": request_id, **fields})


def _bytes_per_second(data: bytes) -> int:
    """Tell how dense a stream is, by the header of its first frame."""
    if len(data) < 3 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2 or not 0 < data[2] >> 4 < 15:
        return _BYTES_PER_SECOND
    table = _KILOBITS_1 if data[1] & 0x18 == 0x18 else _KILOBITS_2
    return table[(data[2] >> 4) - 1] * 125


def play_on(user: User, message: JsonObject) -> None:
    """React to `audio_play_request`."""
    user.speaker.play(message)


def fall_silent(user: User, message: JsonObject) -> None:
    """React to `audio_stop_request`."""
    user.speaker.stop(message)
