"""Speech for whoever shows it: interims and finals in the shape of P2 3.5, from a seed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mentra_trio.models import Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYLLABLES = ["ka", "lo", "mi", "ter", "un", "ban", "ser", "vi", "que", "no", "tal", "ph", "str", "ing", "ét", "üb"]
_BEGAN = datetime(2026, 6, 14, 9, 12, tzinfo=UTC)


def transcripts(seed: int, *, seconds: float, silence: float = 12.0) -> Iterator[tuple[float, Transcript]]:
    """Give what a recogniser tells of people who take turns, each with the seconds since the last one.

    Interims come five to ten times a second, grow by words and revise the last one now and then. The final comes half a
    second after the last interim, sometimes behind the first interims of the next utterance, and some never come. Some
    finals have a word more than the last interim. Some utterances begin with the last words of the one before: then the
    two are merged, and the second gets no final. Between two utterances there is silence of at most so many seconds.
    """
    rng = random.Random(seed)
    now, last = 0.0, 0.0
    late: tuple[float, Transcript] | None = None
    number = 0
    while now < seconds:
        number += 1
        speaker, key = str(rng.randint(0, 2)), f"utt_{number}"
        words: list[str] = []
        told: list[str] = []
        for _ in range(rng.randint(1, 25)):
            now += rng.uniform(0.1, 0.2)
            if late is not None and late[0] < now:
                yield late[0] - last, late[1]
                last, late = late[0], None
            words.append(_word(rng))
            yield now - last, _transcript(" ".join(words), key, speaker, now)
            last = now
            told = list(words)
            if rng.random() < 0.2:
                words[-1] = words[-1][: rng.randint(2, 6)]
        is_merged = rng.random() < 0.1
        if is_merged:
            number += 1
            words = told
            start = max(0, len(words) - rng.randint(1, 3))
            for _ in range(rng.randint(1, 6)):
                now += rng.uniform(0.02, 0.08)
                words.append(_word(rng))
                yield now - last, _transcript(" ".join(words[start:]), f"utt_{number}", speaker, now)
                last = now
        if rng.random() < 0.3:
            words.append(_word(rng))
        if is_merged or rng.random() < 0.95:
            final = _transcript(f"{' '.join(words)}.", key, speaker, now + 0.5, is_final=True)
            late = (now + 0.5, final)
        now += rng.uniform(0.2, silence)
        if late is not None and late[0] < now:
            yield late[0] - last, late[1]
            last, late = late[0], None


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 5)))


def _transcript(text: str, key: str, speaker: str, at: float, *, is_final: bool = False) -> Transcript:
    return Transcript(
        text=text,
        is_final=is_final,
        language="en",
        utterance_id=key,
        speaker_id=speaker,
        received_at=_BEGAN + timedelta(seconds=at),
    )
