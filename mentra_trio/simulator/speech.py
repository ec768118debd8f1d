"""From words to transcripts, as the cloud relays them (P2 3.3-3.7).

Speech streams are the wearer's, not an app's: one for each language that any app subscribed to, shared by all. A
stream gets *tokens* (words, each settled or still open) from the recogniser and makes transcripts of them: interims
with the whole utterance so far, then, half a second after the end of speech, a final with the same utterance id.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import attrs
import trio

from mentra_trio._wire.codec import JsonObject
from mentra_trio._wire.streams import AUTO, canonical_language

from .agenda import Agenda, Timer
from .faults import Quirks
from .subscriptions import fold_base, is_poison, is_speech, language_stream

FINAL_DELAY = 0.5
"""Seconds between the end of speech and the final."""
FIRST_TRANSCRIPT = 0.25
"""Seconds that the microphone and the recogniser need before they hear anything."""
_SHORTEST_OVERLAP = 3
"""Characters that two utterances must share to be merged."""
_TOKEN_WINDOW = 10
"""How many of the last tokens go into the metadata of an interim."""
_ID_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@attrs.frozen(kw_only=True)
class Token:
    """A word, or a part of one, as the recogniser heard it."""

    text: str
    """With the space before it."""
    start: float = 0.0
    """Seconds since the recogniser's stream began."""
    end: float = 0.0
    is_final: bool = False
    """Whether the recogniser is done with it."""
    confidence: float = 0.9
    speaker: str | None = "1"
    language: str | None = "en"
    """ISO 639-1 code."""


@attrs.define(eq=False)
class _Utterance:
    id: str
    settled: list[Token] = attrs.field(factory=list[Token])
    open: list[Token] = attrs.field(factory=list[Token])
    last_interim: str = ""

    @property
    def tokens(self) -> list[Token]:
        return [*self.settled, *self.open]

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens).strip()


@attrs.define(eq=False)
class SpeechStream:
    """One stream of the recogniser: one language, or `auto`."""

    language: str
    """`auto` or a region-tagged code: the routing key of its transcripts."""
    _agenda: Agenda
    _now: Callable[[], datetime]
    _random: random.Random
    _deliver: Callable[[str, JsonObject], Sequence[str]]
    _opened: float = attrs.field(factory=trio.current_time, init=False)
    _current: _Utterance | None = attrs.field(default=None, init=False)
    _ended: _Utterance | None = attrs.field(default=None, init=False)
    _final: Timer | None = attrs.field(default=None, init=False)
    _final_sent: trio.Event = attrs.field(factory=trio.Event, init=False)
    reached: set[str] = attrs.field(factory=set[str], init=False)
    """Packages of the apps that got a transcript of the utterance that is being said."""

    @property
    def ready_at(self) -> float:
        """When it hears the first word, on the Trio clock."""
        return self._opened + FIRST_TRANSCRIPT

    @property
    def age(self) -> float:
        """Seconds since it began: the time base of interims."""
        return trio.current_time() - self._opened

    @property
    def final_is_due(self) -> bool:
        """Whether an utterance has ended whose final is still to come."""
        return self._ended is not None

    async def wait_final(self) -> None:
        """Wait until the next final was sent, or the stream was closed."""
        await self._final_sent.wait()

    def hears(self, language: str) -> bool:
        """Whether words in this language are for this stream."""
        return self.language == AUTO or fold_base(self.language) == fold_base(language)

    def push(self, tokens: Iterable[Token], *, end: bool = False) -> None:
        """Take what the recogniser heard. `end` tells that the speaker stopped.

        Settled tokens are told once or again and again; open ones replace the open ones before.
        """
        utterance = self._current
        if utterance is None:
            utterance = self._current = _Utterance(self._utterance_id())
            self.reached.clear()
        told = list(tokens)
        known = {(token.text, token.start, token.end) for token in utterance.settled}
        utterance.settled += [
            token for token in told if token.is_final and (token.text, token.start, token.end) not in known
        ]
        utterance.open = [token for token in told if not token.is_final]
        if utterance.text and utterance.text != utterance.last_interim:
            utterance.last_interim = utterance.text
            self._send(self._interim(utterance))
        if end:
            self._end_utterance()

    def finish(self) -> None:
        """Send the final of what was said at once, as on silence or when the stream closes."""
        self._settle()
        utterance, self._current = self._current, None
        if utterance is not None and utterance.text:
            self._send(self._final_of(utterance))

    def close(self) -> None:
        """End the stream without another word."""
        if self._final is not None:
            self._final.cancel()
        self._current = self._ended = self._final = None
        self._tell_settled()

    def _end_utterance(self) -> None:
        utterance, self._current = self._current, None
        if utterance is None or not utterance.text:
            return
        waiting = self._ended
        if waiting is not None:
            merged = _merge(waiting.text, utterance.text)
            if merged is None:
                self._settle()
            else:
                # One utterance after all: the id of the second never gets a final (P2 3.5).
                waiting.settled = [attrs.evolve(utterance.tokens[-1], text=merged)]
                waiting.open = []
                utterance = waiting
        if self._final is not None:
            self._final.cancel()
        self._ended = utterance
        self._final = self._agenda.later(FINAL_DELAY, self._settle)

    def _settle(self) -> None:
        utterance, self._ended = self._ended, None
        if self._final is not None:
            self._final.cancel()
            self._final = None
        if utterance is not None:
            self._send(self._final_of(utterance))
        self._tell_settled()

    def _tell_settled(self) -> None:
        sent, self._final_sent = self._final_sent, trio.Event()
        sent.set()

    def _send(self, data: JsonObject) -> None:
        self.reached.update(self._deliver(self.language, data))

    def _interim(self, utterance: _Utterance) -> JsonObject:
        tokens = utterance.tokens
        window = tokens[-_TOKEN_WINDOW:]
        return {
            "type": "transcription",
            "text": utterance.text,
            "isFinal": False,
            "utteranceId": utterance.id,
            "speakerId": _speaker(tokens),
            "confidence": sum(token.confidence for token in tokens) / len(tokens),
            "startTime": _milliseconds(window[0].start),
            "endTime": _milliseconds(window[-1].end),
            "transcribeLanguage": self.language,
            "detectedLanguage": self._detected(tokens),
            "provider": "soniox",
            "metadata": {"provider": "soniox", "soniox": {"tokens": [_token(token) for token in window]}},
        }

    def _final_of(self, utterance: _Utterance) -> JsonObject:
        # Finals have another time base than interims: the clock on the wall (P2 3.6 T6).
        emitted = round(self._now().timestamp() * 1000)
        return {
            "type": "transcription",
            "text": utterance.text,
            "isFinal": True,
            "utteranceId": utterance.id,
            "speakerId": _speaker(utterance.tokens),
            "startTime": emitted,
            "endTime": emitted + 1000,
            "transcribeLanguage": self.language,
            "detectedLanguage": self._detected(utterance.tokens),
            "provider": "soniox",
            "metadata": {"provider": "soniox"},
        }

    def _detected(self, tokens: Sequence[Token]) -> str:
        return next((token.language for token in reversed(tokens) if token.language), self.language)

    def _utterance_id(self) -> str:
        moment = round(self._now().timestamp() * 1000)
        return f"utt_{moment}_{''.join(self._random.choices(_ID_DIGITS, k=7))}"


def _speaker(tokens: Sequence[Token]) -> str:
    return next((token.speaker for token in reversed(tokens) if token.speaker), "0")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _token(token: Token) -> JsonObject:
    fields: JsonObject = {
        "text": token.text,
        "startMs": _milliseconds(token.start),
        "endMs": _milliseconds(token.end),
        "confidence": token.confidence,
        "isFinal": token.is_final,
    }
    if token.speaker is not None:
        fields["speaker"] = token.speaker
    return fields


def _merge(first: str, second: str) -> str | None:
    """Join two texts where the end of one is the beginning of the other; `None` when they do not overlap."""
    for length in range(min(len(first), len(second)), _SHORTEST_OVERLAP - 1, -1):
        if first.endswith(second[:length]):
            return first + second[length:]
    return None


@attrs.define(eq=False)
class Speech:
    """All speech of one wearer. `deliver` sends a transcript to the apps it is for, and returns which they were."""

    _agenda: Agenda
    _quirks: Quirks
    _now: Callable[[], datetime]
    _random: random.Random
    _deliver: Callable[[str, JsonObject], Sequence[str]]
    _streams: dict[str, SpeechStream] = attrs.field(factory=dict[str, SpeechStream], init=False)

    @property
    def streams(self) -> tuple[SpeechStream, ...]:
        """The streams that are open."""
        return tuple(self._streams.values())

    def sync(self, names: Iterable[str]) -> bool:
        """Open and close streams for the stored names of all apps, in order.

        Returns `False` when a name poisoned it: what came before is started, nothing is closed, and whatever else
        follows a change of subscriptions does not happen (P2 1.4.3).
        """
        wanted: list[str] = []
        for name in names:
            if not is_speech(name):
                continue
            parsed = language_stream(name)
            if parsed is None or parsed.language is None or is_poison(name):
                if self._quirks.poison:
                    return False
                continue
            self._open(parsed.language)
            wanted.append(parsed.language)
        for language in [language for language in self._streams if language not in wanted]:
            self._streams.pop(language).close()
        return True

    def silence(self) -> None:
        """The phone hears nobody: what was said is final at once (P2 3.5)."""
        for stream in self.streams:
            stream.finish()

    def close(self) -> None:
        """End all streams."""
        for stream in self.streams:
            stream.close()
        self._streams.clear()

    def _open(self, language: str) -> None:
        if language not in self._streams:
            self._streams[language] = SpeechStream(language, self._agenda, self._now, self._random, self._deliver)


def spoken_language(tag: str) -> str:
    """Give the cloud's form (`de-DE`) of a language that somebody speaks (`de`, `de_de`).

    Raises `ValueError` for what the recogniser does not know.
    """
    language = canonical_language(tag)
    if language == AUTO:
        msg = f"nobody speaks {tag!r}; name a language, such as 'en' or 'ja'"
        raise ValueError(msg)
    return language


def phrases(text: str) -> list[str]:
    """Cumulative interims of a sentence: at least two, and at most four."""
    words = text.split()
    if len(words) < 2:
        return [text[: (len(text) + 1) // 2], text]
    steps = min(4, len(words))
    return [" ".join(words[: len(words) * step // steps]) for step in range(1, steps + 1)]


def words_of(text: str, language: str, *, speaker: str, since: float, until: float) -> list[Token]:
    """Tokens of a text that is still being said, spread over a span of time."""
    words = text.split()
    length = (until - since) / max(len(words), 1)
    return [
        Token(
            text=word if index == 0 else f" {word}",
            start=since + index * length,
            end=since + (index + 1) * length,
            speaker=speaker,
            language=fold_base(language),
        )
        for index, word in enumerate(words)
    ]
