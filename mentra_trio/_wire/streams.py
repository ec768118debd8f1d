"""Names of streams and languages, and what may be subscribed (P1 4.1, P2 1.4.2, P2 Appendix A).

A language stream that the cloud cannot parse is worse than an error: it stops the speech of every other app of the
same wearer (P2 1.4.3). So names are built here, from checked parts, and nowhere else.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote

import attrs

from mentra_trio.models.location import LocationAccuracy

AUTO = "auto"
"""The language name that stands for whichever language is heard."""

# Base language -> region that a subscription uses (P2 Appendix A with its exceptions for subscribing).
_REGIONS = {
    "af": "ZA", "ar": "SA", "az": "AZ", "be": "BY", "bg": "BG", "bn": "BD", "bs": "BA", "ca": "ES", "cs": "CZ",
    "cy": "GB", "da": "DK", "de": "DE", "el": "GR", "en": "US", "es": "ES", "et": "EE", "eu": "ES", "fa": "IR",
    "fi": "FI", "fr": "FR", "gl": "ES", "gu": "IN", "he": "IL", "hi": "IN", "hr": "HR", "hu": "HU", "id": "ID",
    "it": "IT", "ja": "JP", "kk": "KZ", "kn": "IN", "ko": "KR", "lt": "LT", "lv": "LV", "mk": "MK", "ml": "IN",
    "mr": "IN", "ms": "MY", "nl": "NL", "no": "NO", "pa": "IN", "pl": "PL", "pt": "PT", "ro": "RO", "ru": "RU",
    "sk": "SK", "sl": "SI", "sq": "AL", "sr": "RS", "sv": "SE", "sw": "KE", "ta": "IN", "te": "IN", "th": "TH",
    "tl": "PH", "tr": "TR", "uk": "UA", "ur": "PK", "vi": "VN", "zh": "CN",
}  # fmt: skip
SUPPORTED_LANGUAGES = frozenset(_REGIONS)
"""ISO 639-1 codes of the languages that the recogniser knows (P2 Appendix A)."""
# Other names of the same languages: old codes, macro-languages, and what P2 Appendix A says to fold.
_TRANSLATION_ONLY = frozenset({"nb"})
_SAME_LANGUAGE = {"iw": "he", "nb": "no", "nn": "no", "fil": "tl", "in": "id", "cmn": "zh"}

_CLOUD_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Z]{2}", re.ASCII)
_LANGUAGE_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z]{4})?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?", re.ASCII)
_REFUSED_NAMES = frozenset({"all", "*"})
_GESTURES = frozenset(
    {"single_tap", "double_tap", "triple_tap", "long_press"}
    | {"forward_swipe", "backward_swipe", "up_swipe", "down_swipe"}
)


def fold_language(code: str) -> str:
    """Give the ISO 639-1 base of a language code, with other names of the same language folded."""
    base = re.split("[-_]", code, maxsplit=1)[0].lower()
    return _SAME_LANGUAGE.get(base, base)


def one_tag(tag: object) -> str:
    """Let a text pass; raise `TypeError` for what an untyped caller gives instead, such as a list."""
    if not isinstance(tag, str):
        msg = f"{tag!r} is not a language tag; write languages one by one, such as ('en', 'de')"
        raise TypeError(msg)
    return tag


def canonical_language(tag: str) -> str:
    """Turn what authors write (`en`, `en-gb`, `pt_BR`, `zh-Hans-CN`) into the cloud's form (`en-US`, ...).

    `auto` stays. Raises `ValueError` for what is not a language tag or not a language that the recogniser knows.
    """
    if tag.strip().lower() == AUTO:
        return AUTO
    match = _LANGUAGE_TAG.fullmatch(tag.strip())
    if match is None:
        is_list = "," in tag or ";" in tag
        example = "languages one by one, such as stream('en', 'de')" if is_list else "one like 'en', 'en-US' or 'auto'"
        msg = f"{tag!r} is not a language tag; write {example}"
        raise ValueError(msg)
    base = fold_language(match[1])
    if base not in _REGIONS:
        msg = f"{tag!r} is not a language the recogniser knows; it knows {', '.join(sorted(_REGIONS))}"
        raise ValueError(msg)
    region = match[2]
    folded = base != match[1].lower()
    if region is None or region.isdigit() or folded:
        return f"{base}-{_REGIONS[base]}"
    return f"{base}-{region.upper()}"


def canonical_hint(tag: str) -> str:
    """Turn a language hint into its ISO 639-1 code. Raises `ValueError` like `canonical_language`."""
    language = canonical_language(tag)
    if language == AUTO:
        msg = "'auto' is not a hint; name the languages you expect, such as 'en' or 'ja'"
        raise ValueError(msg)
    return language.split("-", maxsplit=1)[0]


def canonical_source(tag: str) -> str:
    """Turn the tag of one language into the cloud's form. Raises `ValueError` like `canonical_language`."""
    language = canonical_language(tag)
    if language == AUTO:
        msg = "'auto' is no language to translate between; name one, such as 'en' or 'ja'"
        raise ValueError(msg)
    return language


def translation_name(source: str, target: str) -> str:
    """Spell a translation stream out of two canonical languages; `all` is any source (P2 4.2).

    Raises `ValueError` for a language into itself: the cloud has no translator for it, and would try again for ever.
    """
    if fold_language(source) == fold_language(target):
        msg = f"{source} and {target} are the same language; there is nothing to translate"
        raise ValueError(msg)
    return f"translation:{source}-to-{target}"


@attrs.frozen(kw_only=True)
class StreamName:
    """A stream name in parts."""

    base: str
    """The kind, such as `transcription`, `touch_event` or `button_press`."""
    language: str | None = None
    """`auto` or `xx-YY` of a transcription; source language or `all` of a translation."""
    target: str | None = None
    """Target language of a translation."""
    detail: str | None = None
    """What follows the colon of other streams, such as a gesture."""
    options: tuple[tuple[str, str], ...] = ()
    """Query options in order."""

    @property
    def identity(self) -> str:
        """The name without options, which is what the cloud routes by."""
        if self.base == "transcription":
            return f"transcription:{self.language}"
        if self.base == "translation":
            return f"translation:{self.language}-to-{self.target}"
        return self.base if self.detail is None else f"{self.base}:{self.detail}"


def parse_stream(text: str) -> StreamName | None:
    """Read a stream name as the cloud does; `None` for what its parser does not read (P2 1.4.2).

    A bare `transcription` is `transcription:en-US`, as the cloud rewrites it; with options it is nothing. Plain names
    of any spelling are read: the cloud stores them without complaint.
    """
    path, _, query = text.partition("?")
    base, colon, detail = path.partition(":")
    options = tuple(parse_qsl(query, keep_blank_values=True))
    if base == "transcription":
        language = "en-US" if text == base else detail
        if language != AUTO and not _CLOUD_LANGUAGE.fullmatch(language):
            return None
        return StreamName(base=base, language=language, options=options)
    if base == "translation":
        source, separator, target = detail.partition("-to-")
        if not separator or not _CLOUD_LANGUAGE.fullmatch(target):
            return None
        if source != "all" and not _CLOUD_LANGUAGE.fullmatch(source):
            return None
        return StreamName(base=base, language=source, target=target, options=options)
    if base == "touch_event" and colon and detail not in _GESTURES:
        return None
    return StreamName(base=base, detail=detail if colon else None, options=options)


def is_poison(name: str) -> bool:
    """Whether a stored subscription of this name harms: the wearer's other apps, or the cloud itself (P2 1.4.3).

    A language that the recogniser does not know stops the speech of the other apps like one that cannot be parsed. A
    translation without a provider, also one within a language, is tried again by the cloud every 5 s for ever.
    """
    if "transcription" not in name and "translation" not in name:
        return False
    parsed = parse_stream(name)
    if parsed is None or parsed.base not in ("transcription", "translation"):
        return True
    source, target = (code and code.split("-", maxsplit=1)[0] for code in (parsed.language, parsed.target))
    if target is None:
        return source != AUTO and source not in SUPPORTED_LANGUAGES
    known = SUPPORTED_LANGUAGES | _TRANSLATION_ONLY | {"all"}
    return source not in known or target not in known or fold_language(source or "") == fold_language(target)


@attrs.frozen
class PlainSubscription:
    """A stream that is subscribed by its bare name."""

    name: str


@attrs.frozen(kw_only=True)
class TranscriptionSubscription:
    """Speech in one language, or in any (`auto`), with the hints of one stream."""

    language: str
    """`auto` or `xx-YY`; checked by whoever builds it with `canonical_language`."""
    hints: frozenset[str] = frozenset()
    """ISO 639-1 codes."""


@attrs.frozen
class LocationSubscription:
    """Positions, as exact as one stream wants them.

    The plain name `location_stream` asks for nothing of that kind: the phone then tells what others want (P2 8.4).
    """

    accuracy: LocationAccuracy


Subscription = PlainSubscription | TranscriptionSubscription | LocationSubscription
"""One entry of what an app wants to receive."""


def checked_name(name: str) -> str:
    """Let a stream name pass that is safe to subscribe by hand; raise `ValueError` for the others (D18).

    `all` and `*` also switch permission checks off and let in what nobody asked for; a language stream that does not
    parse would poison the wearer's other apps (P2 1.4.3).
    """
    if not name or name != name.strip() or not name.isprintable():
        msg = f"{name!r} is not a stream name"
        raise ValueError(msg)
    if name in _REFUSED_NAMES:
        msg = f"the stream {name!r} would bypass the wearer's permissions; subscribe the streams you need by name"
        raise ValueError(msg)
    if is_poison(name):
        msg = (
            f"the cloud cannot serve {name!r} and would stop the speech of the wearer's other apps; "
            "write 'transcription:en-US', 'transcription:auto' or 'translation:en-US-to-ja-JP'"
        )
        raise ValueError(msg)
    if name.startswith("augmentos:"):
        msg = f"{name!r} is not delivered as a stream; use session.settings.system"
        raise ValueError(msg)
    return name


def touch_name(gesture: str) -> str:
    """Spell the stream of one gesture. Raises `ValueError` for one that the cloud's parser does not know (P2 6.2.3)."""
    if gesture not in _GESTURES:
        msg = f"{gesture!r} is no gesture; there are {', '.join(sorted(_GESTURES))}"
        raise ValueError(msg)
    return f"touch_event:{gesture}"


def transcription_name(language: str, hints: frozenset[str]) -> str:
    """Spell a transcription stream with its hints (P2 3.2)."""
    name = f"transcription:{language}"
    return f"{name}?hints={quote(','.join(sorted(hints)), safe='')}" if hints else name
