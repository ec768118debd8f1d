"""`session.transcription`: what is said around the wearer (P2 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mentra_trio._flow import EventStream, Last, Overflow
from mentra_trio._link import Link, StreamSpec
from mentra_trio._wire.streams import AUTO, TranscriptionSubscription, canonical_hint, canonical_language, one_tag

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from mentra_trio.models.speech import Transcript

_CAPACITY = 256
"""Unread steps. Interims replace each other, so this is minutes of finals."""


@attrs.define(eq=False, repr=False)
class TranscriptionManager:
    """Speech as text. Needs the `MICROPHONE` permission of the app in the MentraOS console."""

    _link: Link

    def stream(self, *languages: str, interim: bool = True, hints: Iterable[str] = ()) -> EventStream[Transcript]:
        """Open a stream of what is said, in the given languages, or in whichever language is heard.

        Each utterance arrives as growing interims and one final, with one `utterance_id`. A loop that does not keep up
        misses interims (the newest of an utterance stays) but never a final; behind by 256 finals, it gets
        `SlowConsumerError` after the last of them.

        Args:
            languages: `en`, `en-GB`, `pt_BR` ...: what you would write is turned into the cloud's form (P2 1.4.2). The
                region is taken as it is: the cloud takes any, and hears the language alone (P2 Appendix A). None or
                `auto` hears any language; others beside `auto` are hints, or what is said in them would come twice.
            interim: whether to yield interims; with `False` the stream yields finals only.
            hints: languages that the recogniser should expect besides. They count when the cloud begins to recognise,
                and several streams of one language share them (P2 3.4).

        Raises:
            ValueError: a language or hint that is no tag, or that the recogniser does not know. Nothing is sent then.
        """
        wanted = tuple(dict.fromkeys(canonical_language(one_tag(tag)) for tag in languages)) or (AUTO,)
        if isinstance(hints, str):
            msg = f"hints={hints!r} is a text; pass a list of languages such as hints=['en', 'ja']"
            raise TypeError(msg)
        expected = frozenset(canonical_hint(one_tag(tag)) for tag in hints)
        if AUTO in wanted:
            expected |= {canonical_hint(tag) for tag in wanted if tag != AUTO}
            wanted = (AUTO,)
        return self._link.subscribe(
            StreamSpec(
                name=f"transcription of {', '.join(wanted)}",
                keys=tuple(f"transcription:{language}" for language in wanted),
                subscriptions=tuple(
                    TranscriptionSubscription(language=language, hints=expected) for language in wanted
                ),
                capacity=_CAPACITY,
                overflow=Overflow.COALESCE,
                coalesce_key=_utterance,
                where=None if interim else lambda said: said.is_final,
            )
        )


def _utterance(said: Transcript) -> Hashable:
    """Interims of one utterance replace each other; finals are kept (D10).

    Some recognisers give no ids (P2 3.3.3): there an utterance is what one language brings up to its final.
    """
    key = said.utterance_id, said.language if said.utterance_id is None else ""
    return Last(key) if said.is_final else key
