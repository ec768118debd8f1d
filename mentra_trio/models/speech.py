"""What was said (P2 3.3)."""

from __future__ import annotations

from datetime import datetime

import attrs


@attrs.frozen(kw_only=True)
class Transcript:
    """One step of an utterance: an interim text, or the final one.

    `text` is always the whole utterance so far, not a difference.
    """

    text: str
    """The utterance so far."""
    is_final: bool
    """Whether the utterance is finished. A final is never dropped (D10)."""
    language: str
    """Detected language, such as `en` or `en-US`; `auto` when the recogniser did not say."""
    utterance_id: str | None = None
    """Same for all interims and the final of one utterance; `None` from recognisers without ids."""
    speaker_id: str | None = None
    """Label of the speaker within the recogniser's run, such as `1`; `None` or `0` when unknown."""
    confidence: float | None = None
    """0 to 1; finals carry none."""
    audio_start: float | None = None
    """Seconds since the recogniser's audio began; `None` on finals, whose times are of another base (P2 3.3)."""
    audio_end: float | None = None
    """As `audio_start`, end of the last word."""
    provider: str | None = None
    """Recogniser that heard it, such as `soniox`."""
    sent_at: datetime | None = None
    """When the cloud sent it (UTC)."""
    received_at: datetime
    """When this process received it (UTC)."""


@attrs.frozen(kw_only=True)
class Translation:
    """One step of a translated utterance: what is settled of it so far, or the final text.

    `text` is always the whole translation so far. Unlike a transcript's, an interim only grows: the cloud translates
    what the recogniser is sure of (P2 4.3).
    """

    text: str
    """The translation so far."""
    is_final: bool
    """Whether the utterance is finished. A final is never dropped. Now and then the cloud loses one: then the next
    utterance goes on where this one ended (P2 4.3)."""
    source_language: str
    """In which language this utterance was said, such as `en-US`; `auto` when the cloud did not say. The region is the
    cloud's own: what was subscribed as `en-GB` is `en-US` here."""
    target_language: str
    """Into which language it was translated, such as `es-ES`."""
    original_text: str | None = None
    """What was said, so far."""
    utterance_id: str
    """Same for all interims and the final of one utterance. The cloud sends none; this SDK numbers them (P2 4.4 L5)."""
    audio_start: float | None = None
    """Seconds since the translator's audio began."""
    audio_end: float | None = None
    """As `audio_start`, end of the last word; `None` where the translator does not tell, which is often."""
    provider: str | None = None
    """Translator, such as `soniox`."""
    sent_at: datetime | None = None
    """When the cloud sent it (UTC)."""
    received_at: datetime
    """When this process received it (UTC)."""
