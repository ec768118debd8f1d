"""`session.translation`: what is said around the wearer, in another language (P2 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mentra_trio._flow import EventStream, Last, Overflow
from mentra_trio._link import Link, StreamSpec
from mentra_trio._wire.streams import PlainSubscription, canonical_source, one_tag, translation_name

if TYPE_CHECKING:
    from collections.abc import Hashable

    from mentra_trio.models.speech import Translation

_CAPACITY = 256
"""Unread steps. Interims replace each other, so this is minutes of finals."""
_ANY = "all"
"""The wire's word for any source language."""


@attrs.define(eq=False, repr=False)
class TranslationSource:
    """Translations between certain languages; made by `TranslationManager`."""

    _link: Link
    _names: tuple[str, ...]
    """Streams as the cloud knows them."""

    def stream(self, *, interim: bool = True) -> EventStream[Translation]:
        """Open a stream of what is said, translated.

        Each utterance arrives as growing interims and one final, with one `utterance_id`. A loop that does not keep up
        misses interims (the newest of an utterance stays) but never a final; behind by 256 finals, it gets
        `SlowConsumerError` after the last of them.

        Args:
            interim: whether to yield interims; with `False` the stream yields finals only.
        """
        return self._link.subscribe(
            StreamSpec(
                name=", ".join(name.replace(":", " of ", 1) for name in self._names),
                keys=self._names,
                subscriptions=tuple(PlainSubscription(name) for name in self._names),
                capacity=_CAPACITY,
                overflow=Overflow.COALESCE,
                coalesce_key=_utterance,
                where=None if interim else lambda said: said.is_final,
            )
        )


@attrs.define(eq=False, repr=False)
class TranslationManager:
    """Speech in other languages. Needs the `MICROPHONE` permission of the app in the MentraOS console.

    Languages are written as you like: `es`, `es-MX`, `pt_BR` (P2 1.4.2). Methods raise `ValueError` for what is no
    language, or none that the translator knows, before anything is sent.
    """

    _link: Link

    def to(self, *targets: str) -> TranslationSource:
        """Translate whatever is said into these languages; one way.

        What is said in a target language itself yields nothing for that target (P2 4.2).
        """
        if not targets:
            msg = "name the languages to translate into, such as to('es') or to('es', 'de')"
            raise ValueError(msg)
        names = [translation_name(_ANY, canonical_source(one_tag(tag))) for tag in targets]
        return TranslationSource(self._link, tuple(dict.fromkeys(names)))

    def between(self, one: str, other: str) -> TranslationSource:
        """Translate between two languages, both ways: each utterance into the other one's language.

        The cloud has no other way for a pair (P2 4.2). For one direction alone, look at each item's `source_language`.
        """
        name = translation_name(canonical_source(one_tag(one)), canonical_source(one_tag(other)))
        return TranslationSource(self._link, (name,))


def _utterance(said: Translation) -> Hashable:
    """Interims of one utterance replace each other; finals are kept."""
    return Last(said.utterance_id) if said.is_final else said.utterance_id
