"""The cloud's part in sound: it passes orders on to the phone, and keeps streams until the phone fetches them (P3 4).

A stream that an app feeds is a relay here. Nothing is ever said about it to the app once it is ready:

==================================================  =====================================================
Situation                                           What happens
==================================================  =====================================================
sound comes, the phone listens                      it is passed on
sound comes, the phone does not                     it is kept (2 MiB), and the phone is asked to come
the phone does not come in 10 s                     what was kept is thrown away
neither sound nor phone for 15 s                    the relay is gone
the phone listens, no sound for 60 s                the relay is gone, and the phone's answer is cut
the app ends it                                     what is kept is still fetched
==================================================  =====================================================
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, quote, urlsplit

import attrs

from mentra_trio._net.rest import HttpAnswer
from mentra_trio._wire.audio_frames import unpack

from . import messages

if TYPE_CHECKING:
    from mentra_trio._wire.codec import JsonObject

    from .agenda import Timer  # noqa: TC004 - nobody evaluates it
    from .connection import AppConnection
    from .engine import Cloud
    from .sessions import UserSession  # noqa: TC004 - a cycle, and nobody evaluates it

RELAY_PATH = "/api/audio/stream/"
TTS_PATH = "/api/tts"
UNCLAIMED = 15.0
"""Seconds until a relay that neither sound nor phone came to is dropped."""
RECLAIM = 10.0
"""Seconds that the phone has to come when it is asked to."""
ABANDONED = 60.0
"""Seconds without sound until a relay is dropped."""
FORGET = 1.0
"""Seconds that the id of a relay that was ended stays taken."""
MOST_KEPT = 2 * 2**20
"""Bytes that are kept until the phone comes; the oldest go first."""


class Ear(Protocol):
    """Whoever fetches a stream."""

    def hear(self, data: bytes) -> None:
        """Take sound."""
        ...

    def ended(self) -> None:
        """Take the end."""
        ...


class Teller(Protocol):
    """An app's socket, as far as it is told things."""

    def send(self, message: JsonObject, /) -> None:
        """Send a message."""
        ...


@attrs.define(eq=False)
class _Relay:
    stream_id: str
    package_name: str
    content_type: str
    ear: Ear | None = None
    is_ended: bool = False
    is_asked: bool = False
    """Whether the phone was asked to come."""
    kept: list[bytes] = attrs.field(factory=list[bytes])
    timer: Timer | None = None
    """What happens next if nothing else does."""


@attrs.define(eq=False)
class Relays:
    """The streams of one wearer."""

    _session: UserSession = attrs.field(repr=False)
    _relays: dict[str, _Relay] = attrs.field(factory=dict[str, _Relay], init=False)

    def start(self, connection: Teller, fields: JsonObject) -> None:
        """Take `audio_stream_start`."""
        stream_id, package_name = str(fields.get("streamId")), str(fields.get("packageName"))
        now = self._session.cloud.timestamp()
        if stream_id in self._relays:
            connection.send(messages.refused("STREAM_CREATE_FAILED", "Failed to create audio stream relay", now))
            return
        if any(relay.package_name == package_name and not relay.is_ended for relay in self._relays.values()):
            self._session.cloud.report(package_name, "P3 4.7", "it opened a stream of sound beside another one")
        content_type = fields.get("contentType")
        relay = _Relay(stream_id, package_name, content_type if isinstance(content_type, str) else "audio/mpeg")
        self._relays[stream_id] = relay
        self._wait(relay, UNCLAIMED, self._drop)
        connection.send(messages.stream_ready(stream_id, self._url(relay), now))

    def feed(self, frame: bytes) -> None:
        """Take a binary frame of an app; what is no sound of a stream that is open is ignored."""
        unpacked = unpack(frame)
        relay = None if unpacked is None else self._relays.get(unpacked[0])
        if unpacked is None or relay is None or relay.is_ended:
            return
        if relay.ear is not None:
            self._wait(relay, ABANDONED, self._drop)
            relay.ear.hear(unpacked[1])
            return
        relay.kept.append(unpacked[1])
        while sum(map(len, relay.kept)) > MOST_KEPT:
            del relay.kept[0]
        self._ask(relay)

    def end(self, stream_id: str) -> None:
        """Take `audio_stream_end`."""
        relay = self._relays.get(stream_id)
        if relay is None or relay.is_ended:
            return
        relay.is_ended = True
        if relay.ear is not None:
            relay.ear.ended()
            relay.ear = None
            self._wait(relay, FORGET, self._drop)
        elif relay.kept:
            self._ask(relay)
        else:
            self._drop(relay)

    def claim(self, stream_id: str, ear: Ear) -> str | None:
        """Let the phone fetch a stream; give what is kept, and from then on what comes.

        Returns its content type, `None` when there is no such stream. Whoever fetched it before hears its end.
        """
        relay = self._relays.get(stream_id)
        if relay is None or (relay.is_ended and not relay.kept):
            return None
        if relay.ear is not None:
            relay.ear.ended()
        relay.is_asked = False
        kept, relay.kept = relay.kept, []
        if kept:
            ear.hear(b"".join(kept))
        if relay.is_ended:
            ear.ended()
            self._wait(relay, FORGET, self._drop)
        else:
            relay.ear = ear
            self._wait(relay, ABANDONED, self._drop)
        return relay.content_type

    def is_claimed(self, stream_id: str) -> bool:
        """Whether the phone fetches a stream at the moment."""
        relay = self._relays.get(stream_id)
        return relay is not None and relay.ear is not None

    def left(self, ear: Ear) -> None:
        """Take note that the phone does not listen any more."""
        for relay in self._relays.values():
            if relay.ear is ear:
                relay.ear = None

    def clear(self) -> None:
        """Drop all."""
        for relay in list(self._relays.values()):
            self._drop(relay)

    def _url(self, relay: _Relay) -> str:
        origin, user_id = _http_origin(self._session.cloud), quote(self._session.user_id, safe="")
        return f"{origin}{RELAY_PATH}{user_id}/{relay.stream_id}"

    def _ask(self, relay: _Relay) -> None:
        """Have the phone come, unless it was asked to already: an order without volume, which ends other sounds."""
        if relay.is_asked:
            return
        relay.is_asked = True
        session = self._session
        order: JsonObject = {
            "requestId": relay.stream_id,
            "packageName": relay.package_name,
            "audioUrl": self._url(relay),
        }
        session.tell_phone(messages.play(session.user_id, order, session.cloud.timestamp()))
        self._wait(relay, RECLAIM, self._give_up)

    def _give_up(self, relay: _Relay) -> None:
        relay.is_asked = False
        relay.kept = []
        if relay.is_ended:
            self._drop(relay)

    def _drop(self, relay: _Relay) -> None:
        if relay.timer is not None:  # pragma: no branch - from its start on it waits for something
            relay.timer.cancel()
        self._relays.pop(relay.stream_id, None)
        if relay.ear is not None:
            relay.ear.ended()
            relay.ear = None

    def _wait(self, relay: _Relay, seconds: float, then: _Then) -> None:
        if relay.timer is not None:
            relay.timer.cancel()
        relay.timer = self._session.agenda.later(seconds, partial(then, relay))


class _Then(Protocol):
    def __call__(self, relay: _Relay, /) -> None: ...


def play_sound(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Pass `audio_play_request` on to the phone. Without a phone it costs the app its socket (P3 4.2)."""
    package_name = str(fields.get("packageName"))
    parts = urlsplit(str(fields.get("audioUrl")))
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        session.cloud.report(package_name, "P3 4.2", "it asked for a sound at an address that no phone can reach")
    if not session.is_phone_connected:
        connection.refuse("INTERNAL_ERROR", "Glasses not connected")
        return
    session.sounds[str(fields.get("requestId"))] = package_name
    session.tell_phone(messages.play(session.user_id, fields, session.cloud.timestamp()))


def stop_sound(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Pass `audio_stop_request` on to the phone, without the track (P3 4.3)."""
    if session.is_phone_connected:
        package_name = str(fields.get("packageName"))
        session.tell_phone(messages.stop_playing(session.user_id, package_name, session.cloud.timestamp()))
    else:
        connection.refuse("INTERNAL_ERROR", "Glasses not connected")


def start_stream(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Take `audio_stream_start` (P3 4.6)."""
    session.relays.start(connection, fields)


def end_stream(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Take `audio_stream_end` (P3 4.6)."""
    session.relays.end(str(fields.get("streamId")))


def take_answer(session: UserSession, message: JsonObject) -> None:
    """Pass the phone's word that a sound has ended on to the app that asked; nobody else hears it (P3 4.2)."""
    package_name = session.sounds.pop(str(message.get("requestId")), None)
    app = None if package_name is None else session.app(package_name)
    if app is not None:
        app.relay(messages.played(app.session_id, message, session.cloud.timestamp()))


def speech(target: str) -> HttpAnswer:
    """Answer `GET /api/tts`: a moment of silence for each word (P3 4.5)."""
    query = dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))
    if not query.get("text"):
        return _fault("Text parameter is required and must be a string")
    if "voice_settings" in query and not messages.is_json(query["voice_settings"]):
        return _fault("Invalid voice_settings JSON format")
    sound = _SILENCE * round(speech_seconds(query["text"]) / _SILENCE_SECONDS)
    return HttpAnswer(status=200, headers={"content-type": "audio/mpeg", "cache-control": "no-cache"}, body=sound)


def spoken_text(url: str) -> str | None:
    """Tell what is said at an address of `/api/tts`; `None` for other addresses."""
    parts = urlsplit(url)
    return dict(parse_qsl(parts.query)).get("text") if parts.path == TTS_PATH else None


def speech_seconds(text: str) -> float:
    """Tell how long it takes to say a text."""
    return _WORD * max(1, len(text.split()))


def _fault(message: str) -> HttpAnswer:
    reply = messages.reply(400, success=False, message=message)
    return HttpAnswer(status=400, headers={"content-type": "application/json"}, body=reply.text.encode())


def _http_origin(cloud: Cloud) -> str:
    scheme, _, host = cloud.origin.partition("://")
    return f"{'https' if scheme == 'wss' else 'http'}://{host}"


_WORD = 0.4
"""Seconds for a word."""
_SILENCE = b"\xff\xf3\x44\xc4" + bytes(92)
"""A frame of MP3 in which nothing is heard: MPEG-2, 24 kHz, mono, 32 kbit/s."""
_SILENCE_SECONDS = 576 / 24_000
