"""Speech as text."""

from typing import cast

from tests.conformance.app import App, describe
from tests.conformance.timeline import Item

from .tables import Table, is_open


def _transcription(app: App, item: Item, *languages: str) -> None:
    stream = app.session(item).transcription.stream(*languages, hints=app.hints(item))
    app.speech(item).append(app.listen(item, stream, describe))


def _transcription_for_language(app: App, item: Item) -> None:
    (language,) = item.args
    languages = cast("list[str]", language) if isinstance(language, list) else [cast("str", language)]
    if not languages:
        app.cleans_up(item, lambda: None)  # no language is no stream in the recorded API, and any language in this one
        return
    _transcription(app, item, *languages)


def _transcription_configure(app: App, item: Item) -> None:
    app.configure(item, tuple(cast("list[str]", item.kwargs.get("language_hints", []))))


def _transcription_stop(app: App, item: Item) -> None:
    for stream in app.speech(item):
        stream.close()
    app.speech(item).clear()
    app.configure(item, ())


TABLE = Table(
    registrations={
        "transcription.on": _transcription,
        "transcription.for_language": _transcription_for_language,
        "transcription.configure": _transcription_configure,
        "transcription.stop": _transcription_stop,
    },
    properties={"transcription.active": lambda app, item: is_open(app, item, "transcription of ")},
)
