"""`session.raw`: the way around the managers, for what they do not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mentra_trio._arguments import checked_text
from mentra_trio._flow import EventStream, Overflow
from mentra_trio._link import Link, StreamSpec
from mentra_trio._wire.streams import PlainSubscription, checked_name, parse_stream

if TYPE_CHECKING:
    from mentra_trio.models.session import RawEvent, RawMessage

_SOUND = "audio_chunk"
_CAPACITY = 256
"""Unread messages."""
_OWN_MESSAGES = frozenset(
    {"tpa_connection_init", "reconnect", "subscription_update", "ownership_release", "ping", "pong"}
)


@attrs.define(eq=False, repr=False)
class RawManager:
    """Messages and streams as they are on the wire. What you send here is not checked beyond being JSON."""

    _link: Link

    def messages(self) -> EventStream[RawMessage]:
        """Open a stream of every JSON message of the cloud, known or not, beside its normal handling.

        A loop that does not keep up misses the oldest messages, which are counted. Messages can hold secrets, such as a
        hotspot's password (P2 6.3): do not log them.
        """
        return self._link.subscribe(
            StreamSpec(name="raw messages", keys=("raw messages",), capacity=_CAPACITY, overflow=Overflow.DROP_OLDEST)
        )

    def stream(self, name: str) -> EventStream[RawEvent]:
        """Subscribe a stream by its wire name and open it.

        A loop that does not keep up misses the oldest events, which are counted.

        Protocol: P2 2.

        Raises:
            TypeError: the name is no text.
            ValueError: `all`, `*`, or a language stream that the cloud cannot parse: it would switch permission checks
                off or stop the speech of the wearer's other apps (P2 1.4.3). Or `audio_chunk`: sound has no events.
        """
        checked = checked_name(checked_text("the stream name", name))
        parsed = parse_stream(checked)
        if parsed is not None and parsed.base == _SOUND:
            msg = (
                f"the stream {name!r} is sound, which arrives without the envelope of events; use session.mic.stream()"
            )
            raise ValueError(msg)
        identity = checked if parsed is None else parsed.identity
        # Both names of the location stream arrive under one (P2 1.5).
        arrives_as = "location_update" if identity == "location_stream" else identity
        return self._link.subscribe(
            StreamSpec(
                name=f"raw {name}",
                keys=(("raw", arrives_as),),
                subscriptions=(PlainSubscription(checked),),
                capacity=_CAPACITY,
                overflow=Overflow.DROP_OLDEST,
            )
        )

    async def send(self, type: str, /, **fields: object) -> None:  # noqa: A002  (the wire's own word)
        """Send a message of this type. The envelope (package, session, time) is added; the time may be your own.

        Waits like every command: not at all while the link is up, until it is up again otherwise. Cancelling withdraws
        what still waits.

        Raises:
            ValueError, TypeError: JSON cannot hold the fields; the type is no text, is empty or belongs to the
                connection itself; or `packageName` or `sessionId` is another's, by which the cloud would take it for
                theirs (P1 0).
            LinkDownError: too many commands are waiting.
            SessionClosedError: the session is over.
        """
        if not checked_text("the message type", type):
            raise ValueError("a message needs a type, such as 'custom_message'")
        if type in _OWN_MESSAGES:
            msg = f"the message type {type!r} belongs to the connection itself; use the streams and session.end()"
            raise ValueError(msg)
        await self._link.send(self._link.raw(type, fields))
