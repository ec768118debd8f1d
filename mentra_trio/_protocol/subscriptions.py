"""Which subscriptions the cloud is told, and which transcripts reach which stream (P1 4, P2 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mentra_trio._wire.streams import (
    AUTO,
    LocationSubscription,
    StreamName,
    Subscription,
    TranscriptionSubscription,
    parse_stream,
    transcription_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mentra_trio.models.location import LocationAccuracy

SYSTEM_SETTINGS = "augmentos:*"
"""Always subscribed: without it the cloud sends no changes of the system settings, such as the time zone (P1 5.3)."""


_LOCATION = "location_stream"


def wanted_list(subscriptions: Iterable[Subscription]) -> tuple[object, ...]:
    """Give the full list for `subscription_update`: no doubles, one string a language with all its streams' hints.

    Of the accuracies of positions the highest is wanted (P2 8.2). The order is that of the first stream of each kind
    (P1 4.2: it decides nothing else).
    """
    names: dict[str, object] = {}
    accuracies: list[LocationAccuracy] = []
    hints: dict[str, frozenset[str]] = {}
    for subscription in subscriptions:
        if isinstance(subscription, LocationSubscription):
            accuracies.append(subscription.accuracy)
            names.setdefault(_LOCATION, _LOCATION)
            continue
        if isinstance(subscription, TranscriptionSubscription):
            language, asked = subscription.language, subscription.hints
            spelled = transcription_name(language, asked)
        else:
            spelled = subscription.name
            parsed = parse_stream(spelled)
            if parsed is None or parsed.base != "transcription":
                names[spelled] = spelled
                continue
            # A raw stream may spell a language stream with options of its own.
            language = parsed.language or AUTO
            asked = frozenset(dict(parsed.options).get("hints", "").split(",")) - {""}
        identity = f"transcription:{language}"
        hints[identity] = hints.get(identity, frozenset()) | asked
        # Two strings of a language would confuse the cloud (P2 3.6, T9): what differs becomes one with all the hints.
        is_alone = names.get(identity, spelled) == spelled
        names[identity] = spelled if is_alone else transcription_name(language, hints[identity])
    if accuracies:
        # The object form alone raises the tier; the plain name, where there is one too, would take it back (P1 4.2).
        names[_LOCATION] = {"stream": _LOCATION, "rate": max(accuracies, key=lambda each: each.rank).value}
    names[SYSTEM_SETTINGS] = SYSTEM_SETTINGS
    return tuple(names.values())


def claimed_name(subscription: Subscription) -> str:
    """Give the name under which a subscription counts as there: that of the language, whatever the hints."""
    if isinstance(subscription, TranscriptionSubscription):
        return transcription_name(subscription.language, frozenset())
    if isinstance(subscription, LocationSubscription):
        return _LOCATION
    return subscription.name


@attrs.define(eq=False)
class TranscriptRouter:
    """Sends each transcript to the streams opened for its language, once (D19).

    The cloud also hands over what other apps subscribed: an `auto` stream gets copies of every other language stream
    of the wearer (P2 3.5). They are taken only while no event named `auto` has come over this connection, since before
    that they may be all there is.
    """

    _has_heard_auto: bool = attrs.field(init=False, default=False)

    def connected(self) -> None:
        """Begin a connection."""
        self._has_heard_auto = False

    def route(self, name: StreamName, is_open: Callable[[str], bool]) -> str | None:
        """Give the hub key for a transcript of this stream name, or `None` when it is another app's copy."""
        language = name.language
        if language == AUTO:
            self._has_heard_auto = True
        key = name.identity
        if is_open(key):
            return key
        auto = f"transcription:{AUTO}"
        return auto if not self._has_heard_auto and is_open(auto) else None
