"""What an event leaves out, added from what earlier ones told (P2 4.4, 7.5)."""

from datetime import UTC, datetime

from mentra_trio._protocol.recall import Recall
from mentra_trio.models import Translation

NOW = datetime(2026, 6, 14, 9, tzinfo=UTC)


def said(source: str, *, final: bool = False, target: str = "es-ES") -> Translation:
    return Translation(
        text="hola",
        is_final=final,
        source_language=source,
        target_language=target,
        utterance_id="",
        received_at=NOW,
    )


def number(recall: Recall, translation: Translation, stream: str = "translation:all-to-es-ES") -> str:
    completed = recall.complete(stream, translation)
    assert isinstance(completed, Translation)
    return completed.utterance_id


def test_the_region_of_a_language_makes_no_other_utterance() -> None:
    recall = Recall()

    assert number(recall, said("en-US")) == number(recall, said("en-GB", final=True))


def test_streams_and_languages_have_utterances_of_their_own() -> None:
    recall = Recall()
    numbers = [
        number(recall, said("en-US")),
        number(recall, said("de-DE")),
        number(recall, said("en-US"), "translation:en-US-to-es-ES"),
        number(recall, said("en-US", target="fr-FR")),
    ]

    assert len(set(numbers)) == 4


def test_a_cloud_that_makes_languages_up_costs_no_memory() -> None:
    recall = Recall()
    first = number(recall, said("en-US"))
    for index in range(256):
        number(recall, said(f"x{index}"))

    assert number(recall, said("en-US")) != first


def test_what_lacks_nothing_stays_what_it_is() -> None:
    value = object()

    assert Recall().complete("button_press", value) is value
