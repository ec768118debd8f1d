"""What an app subscribed to, and which events reach it under which name (P1 4, P2 1.4, 1.5).

The cloud validates nothing: it stores what passes the permission filter. So this module reads what an app sent as it
is, wrong types included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio._wire.streams import AUTO, SUPPORTED_LANGUAGES, StreamName, fold_language, parse_stream

if TYPE_CHECKING:
    from mentra_trio._wire.codec import JsonObject

WILDCARDS = frozenset({"all", "*"})
"""Names that stand for everything. They need no permission and switch nothing on (P1 4.1)."""
LOCATION_TIERS = (
    "reduced",
    "threeKilometers",
    "kilometer",
    "hundredMeters",
    "tenMeters",
    "standard",
    "high",
    "realtime",
)
"""Rates of the location stream, lowest first (P2 8.2)."""

_LANGUAGE_BASES = frozenset({"transcription", "translation"})
_PERMISSIONS = {
    "audio_chunk": "MICROPHONE",
    "transcription": "MICROPHONE",
    "translation": "MICROPHONE",
    "VAD": "MICROPHONE",
    "location_update": "LOCATION",
    "calendar_event": "CALENDAR",
    "photo_response": "CAMERA",
    "photo_taken": "CAMERA",
    "stream_status": "CAMERA",
    "managed_stream_status": "CAMERA",
    "phone_notification": "READ_NOTIFICATIONS",
    "phone_notification_dismissed": "READ_NOTIFICATIONS",
}


class MalformedSubscriptionsError(ValueError):
    """The subscriptions cannot be iterated over, in the words of the cloud."""


@attrs.frozen
class Entries:
    """What a list of subscriptions asks for."""

    names: tuple[str, ...] = ()
    """Stream names in order, each once."""
    rate: str | None = None
    """Rate of the location stream, where it was asked for in the object form."""


def read_entries(subscriptions: object, *, given: bool = True) -> Entries:
    """Read the `subscriptions` of a message as the cloud does (P1 4.1).

    Raises `MalformedSubscriptionsError` for what it cannot iterate over. A text is iterated by character.
    """
    if subscriptions is None:
        what = "null" if given else "undefined"
        msg = f"Invalid subscription type: {what} is not an object (evaluating 'subscriptions.length')"
        raise MalformedSubscriptionsError(msg)
    if not isinstance(subscriptions, list | str):
        msg = "Invalid subscription type: subscriptions is not iterable"
        raise MalformedSubscriptionsError(msg)
    names: dict[str, None] = {}
    rate: str | None = None
    for entry in cast("list[object] | str", subscriptions):
        if isinstance(entry, str):
            names["transcription:en-US" if entry == "transcription" else entry] = None
            if entry == "location_stream":
                rate = None
        elif isinstance(entry, dict):
            fields = cast("JsonObject", entry)
            if fields.get("stream") == "location_stream":
                names["location_stream"] = None
                asked = fields.get("rate")
                rate = asked if isinstance(asked, str) else None
    return Entries(tuple(names), rate)


def language_stream(name: str) -> StreamName | None:
    """Read a transcription or translation stream; `None` for anything else, and for what the cloud cannot parse."""
    parsed = parse_stream(name)
    return parsed if parsed is not None and parsed.base in _LANGUAGE_BASES else None


def required_permission(name: str) -> str | None:
    """Which permission the cloud asks for before it stores a stream name, if any (P1 4.3)."""
    parsed = language_stream(name)
    return _PERMISSIONS.get(parsed.base if parsed is not None else name)


def is_granted(permission: str, granted: frozenset[str]) -> bool:
    """Whether what the console lists for an app includes a permission."""
    if "ALL" in granted or permission in granted:
        return True
    return permission == "READ_NOTIFICATIONS" and "NOTIFICATIONS" in granted


def is_poison(name: str) -> bool:
    """Whether starting speech for this name fails, and with it that of the wearer's other apps (P2 1.4.3)."""
    if not is_speech(name):
        return False
    parsed = language_stream(name)
    if parsed is None or parsed.base != "transcription" or parsed.language is None:
        return True
    return parsed.language != AUTO and fold_base(parsed.language) not in SUPPORTED_LANGUAGES


def is_speech(name: str) -> bool:
    """Whether the cloud takes a name for one that needs a speech stream: by its spelling alone."""
    return "transcription" in name and "translation" not in name


def fold_base(language: str) -> str:
    """Base language of a region-tagged one. Unlike elsewhere `iw` stays: the recogniser does not know it."""
    base = language.partition("-")[0]
    return base if base in {"iw", "fil"} else fold_language(language)


@attrs.frozen
class SubscriptionSet:
    """The streams of one app."""

    names: tuple[str, ...] = ()
    """Stored names, in the app's order."""
    rate: str | None = None
    """Rate of the location stream, as the app spelled it."""

    @classmethod
    def granted(cls, entries: Entries, permissions: frozenset[str]) -> tuple[SubscriptionSet, tuple[str, ...]]:
        """Keep what the app may have; also return what was dropped, of which the app is never told (P1 4.3)."""
        kept: list[str] = []
        dropped: list[str] = []
        for name in entries.names:
            needed = required_permission(name)
            (kept if needed is None or is_granted(needed, permissions) else dropped).append(name)
        return cls(tuple(kept), entries.rate if "location_stream" in kept else None), tuple(dropped)

    @property
    def needs_microphone(self) -> bool:
        """Whether the microphone has to be on. A wildcard or `VAD` is not enough (P2 5.3)."""
        return self.needs_pcm or any(
            name in _LANGUAGE_BASES or language_stream(name) is not None for name in self.names
        )

    @property
    def needs_pcm(self) -> bool:
        """Whether raw audio is asked for by name, which makes it continuous."""
        return "audio_chunk" in self.names

    @property
    def hears_system_settings(self) -> bool:
        """Whether updates of system settings are sent: any name of the family is enough (P1 5.3)."""
        return any(name.startswith("augmentos:") for name in self.names)

    def matches(self, event: str) -> bool:
        """Whether an event of this name reaches the app (P2 1.5)."""
        heard = language_stream(event)
        return any(self._covers(name, event, heard) for name in self.names)

    def transcription_name(self, language: str) -> str:
        """Under which `streamType` the app gets a transcript: its own first name with that language (P2 1.5)."""
        for name in self.names:
            parsed = language_stream(name)
            if parsed is not None and parsed.base == "transcription" and parsed.language == language:
                return name
        return f"transcription:{language}"

    def touch_name(self, gesture: object) -> str | None:
        """Under which `streamType` the app gets a touch: the specific name wins; `None` when it gets none."""
        specific = f"touch_event:{gesture}"
        if self.matches(specific):
            return specific
        return "touch_event" if self.matches("touch_event") else None

    @staticmethod
    def _covers(name: str, event: str, heard: StreamName | None) -> bool:
        if name == event or name in WILDCARDS:
            return True
        if event == "location_update" and name == "location_stream":
            return True
        if heard is None:
            return False
        wanted = language_stream(name)
        if wanted is None or wanted.base != heard.base:
            return False
        # Options and, for translations, the target language are not looked at.
        return wanted.language == heard.language or (wanted.base == "transcription" and wanted.language == AUTO)
