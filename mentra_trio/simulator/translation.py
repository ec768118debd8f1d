"""From words to translations, as the cloud relays them (P2 4).

Each distinct spelling of a subscription has a translator of its own, options included, shared by the apps that spell
it alike. A translator gets *tokens*, originals and translations of them, and tells the settled ones: interims that
only grow, and at the end of speech a final. There is no utterance id.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
import trio

from mentra_trio._wire.codec import JsonObject
from mentra_trio._wire.streams import SUPPORTED_LANGUAGES, canonical_language, fold_language, parse_stream

from .agenda import Agenda, Timer
from .speech import Token

FIRST_TRANSLATION = 1.0
"""Seconds that a translator needs before it hears anything."""
TARGET_WAIT = 3.0
"""Seconds that the cloud waits for the rest of a translation before it calls it final."""
_ANY = "all"
_CLOUD_NAMES = {"he": "iw-IL", "no": "nb-NO"}
"""What the cloud calls two languages otherwise than everybody (P2 Appendix A)."""
_KNOWN = SUPPORTED_LANGUAGES | {"nb"}

Deliver = Callable[[str, JsonObject], Sequence[str]]
"""Sends a translation of a stream to the apps it is for, and returns which they were."""


def cloud_name(language: str) -> str:
    """Give the cloud's canonical tag of a language, whatever its region."""
    base = fold_language(language)
    return _CLOUD_NAMES.get(base) or canonical_language(base)


@attrs.define(eq=False)
class Translator:
    """One translation stream of the provider: into one language, or both ways between two."""

    name: str
    """The subscription that made it, which is the `streamType` of its translations."""
    source: str
    """`all`, or a region-tagged code."""
    target: str
    """A region-tagged code."""
    _agenda: Agenda
    _deliver: Deliver
    _opened: float = attrs.field(factory=trio.current_time, init=False)
    _originals: list[Token] = attrs.field(factory=list[Token], init=False)
    _translations: list[Token] = attrs.field(factory=list[Token], init=False)
    _told: str = attrs.field(default="", init=False)
    _waiting: Timer | None = attrs.field(default=None, init=False)
    reached: set[str] = attrs.field(factory=set[str], init=False)
    """Packages of the apps that got a translation of the utterance that is being said."""

    @property
    def ready_at(self) -> float:
        """When it hears the first word, on the Trio clock."""
        return self._opened + FIRST_TRANSLATION

    @property
    def age(self) -> float:
        """Seconds since it began: the time base of its tokens."""
        return trio.current_time() - self._opened

    def target_of(self, language: str) -> str | None:
        """Into what it translates words of a language; `None` for words that it leaves alone (P2 4.2)."""
        spoken, source, target = (fold_language(each) for each in (language, self.source, self.target))
        if self.source == _ANY:
            return None if spoken == target else self.target
        return {source: self.target, target: self.source}.get(spoken)

    def push(self, originals: Iterable[Token], translations: Iterable[Token], *, end: bool = False) -> None:
        """Take what the provider made of words. Only settled tokens count; `end` tells that the speaker stopped."""
        if not self._originals and not self._translations:
            self.reached.clear()
        fresh = [token for token in translations if token.is_final]
        self._originals += [token for token in originals if token.is_final]
        self._translations += fresh
        if end and (self._translations or not self._originals):
            self.finish()
            return
        if fresh and self._text(self._translations) != self._told:
            self._send(is_final=False)
        if end or (self._originals and self._waiting is None):
            self._wait()

    def finish(self) -> None:
        """Send what was translated as a final, as on silence, at the end of speech and when the stream closes."""
        self._stop_waiting()
        if self._translations:
            self._send(is_final=True)
        self._originals, self._translations, self._told = [], [], ""

    def close(self) -> None:
        """End the stream; what was said so far is final."""
        self.finish()

    def _wait(self) -> None:
        self._stop_waiting()
        self._waiting = self._agenda.later(TARGET_WAIT, self.finish)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _send(self, *, is_final: bool) -> None:
        # The end is that of the last translated word, and those carry no time (P2 4.3): 0, whatever the start.
        start, end = (round(self._originals[0].start * 1000) if self._originals else 0), 0
        spoken = next((token.language for token in reversed(self._originals) if token.language), self.source)
        self._told = self._text(self._translations)
        self.reached.update(
            self._deliver(
                self.name,
                {
                    "type": "translation",
                    "text": self._told,
                    "originalText": self._text(self._originals),
                    "isFinal": is_final,
                    "startTime": start,
                    "endTime": end,
                    "duration": end - start,
                    "transcribeLanguage": cloud_name(spoken),
                    "translateLanguage": self._spelled_target(spoken),
                    "didTranslate": True,
                    "provider": "soniox",
                },
            )
        )

    def _spelled_target(self, spoken: str) -> str:
        """Of two ways the cloud's tag, of one way the subscribed one (P2 4.3)."""
        if self.source == _ANY:
            return self.target
        return cloud_name(self.target_of(spoken) or self.target)

    @staticmethod
    def _text(tokens: Sequence[Token]) -> str:
        return "".join(token.text for token in tokens).strip()


@attrs.define(eq=False)
class Sentence:
    """Words that are said to one translator, which is as quick with them as the speaker."""

    translator: Translator
    language: str
    speaker: str
    original: Sequence[str]
    """Words."""
    translation: Sequence[str]
    """Words, perhaps more or fewer."""
    _since: float = attrs.field(init=False)
    _told: bool = attrs.field(default=False, init=False)
    _count: tuple[int, int] = attrs.field(default=(0, 0), init=False)

    def __attrs_post_init__(self) -> None:
        self._since = self.translator.age

    @property
    def reached(self) -> frozenset[str]:
        """Packages of the apps that got some of it."""
        return frozenset(self.translator.reached) if self._told else frozenset()

    def say(self, share: float, *, end: bool) -> None:
        """Say it up to a share of its words, from 0 to 1."""
        old, new = self._count, (math.ceil(len(self.original) * share), math.ceil(len(self.translation) * share))
        if new == old and not end:
            return
        self._count, self._told = new, True
        originals = self._tokens(self.original[: new[0]], old[0], self.language)
        translations = self._tokens(self.translation[: new[1]], old[1], None)
        self.translator.push(originals, translations, end=end)
        self._since = self.translator.age

    def _tokens(self, words: Sequence[str], begin: int, language: str | None) -> list[Token]:
        return [
            Token(
                text=f" {words[index]}" if index else words[index],
                start=self._since,
                end=self.translator.age,
                is_final=True,
                speaker=self.speaker,
                language=language,
            )
            for index in range(begin, len(words))
        ]


@attrs.define(eq=False)
class Translators:
    """All translation of one wearer."""

    _agenda: Agenda
    _deliver: Deliver
    _streams: dict[str, Translator] = attrs.field(factory=dict[str, Translator], init=False)

    @property
    def streams(self) -> tuple[Translator, ...]:
        """The streams that are open."""
        return tuple(self._streams.values())

    def sync(self, names: Iterable[str]) -> None:
        """Open and close streams for the stored names of all apps.

        For what cannot be parsed, or has no provider, the cloud tries for ever and tells nobody (P2 1.4.3).
        """
        wanted = {name: pair for name in names if (pair := _pair(name)) is not None}
        for name in [name for name in self._streams if name not in wanted]:
            self._streams.pop(name).close()
        for name, (source, target) in wanted.items():
            if name not in self._streams:
                self._streams[name] = Translator(name, source, target, self._agenda, self._deliver)

    def sentences(
        self, text: str, language: str, *, speaker: str, known: str | Mapping[str, str] | None
    ) -> tuple[Sentence, ...]:
        """Begin to say something to all that translate its language; `known` is what they make of it, where given."""
        return tuple(
            Sentence(stream, language, speaker, text.split(), translated(text, target, known).split())
            for stream in self.streams
            if (target := stream.target_of(language)) is not None
        )

    def silence(self) -> None:
        """The phone hears nobody: what was translated is final at once."""
        for stream in self.streams:
            stream.finish()

    def close(self) -> None:
        """End all streams."""
        for stream in self.streams:
            stream.close()
        self._streams.clear()


def _pair(name: str) -> tuple[str, str] | None:
    """Read the pair of a stream that the provider can serve."""
    parsed = parse_stream(name)
    if parsed is None or parsed.base != "translation" or parsed.language is None or parsed.target is None:
        return None
    source, target = (code.partition("-")[0] for code in (parsed.language, parsed.target))
    is_served = (source == _ANY or source in _KNOWN) and target in _KNOWN
    return (parsed.language, parsed.target) if is_served and fold_language(source) != fold_language(target) else None


def translated(text: str, target: str, known: str | Mapping[str, str] | None) -> str:
    """Give the translation of a text: the one that is known, else the text with the language in brackets."""
    if isinstance(known, str):
        return known
    found = None if known is None else known.get(target) or known.get(fold_language(target))
    return found or f"[{target}] {text}"
