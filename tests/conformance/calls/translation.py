"""Speech in other languages."""

from typing import cast

from mentra_trio import EventStream, Translation
from tests.conformance.app import App, describe
from tests.conformance.timeline import Item

from .tables import Table, is_open


class _Streams(list[EventStream[Translation]]):
    """Translation streams that were opened."""


def _to(app: App, item: Item) -> None:
    (targets,) = item.args
    tags = _tags(targets)
    if not tags:
        app.cleans_up(item, lambda: None)  # no language is no stream in the recorded API, and a mistake in this one
        return
    app.kept(item, _Streams).append(app.listen(item, app.session(item).translation.to(*tags).stream(), describe))


def _from_to(app: App, item: Item) -> None:
    source, targets = item.args
    sources = [app.session(item).translation.between(cast("str", source), tag) for tag in _tags(targets)]
    streams = [app.listen(item, one.stream(), describe) for one in sources]
    app.kept(item, _Streams).extend(streams)

    def close() -> None:
        for stream in streams:
            stream.close()

    app.cleans_up(item, close)


def _tags(given: object) -> list[str]:
    return list(dict.fromkeys(cast("list[str]", given) if isinstance(given, list) else [cast("str", given)]))


def _on(app: App, item: Item) -> None:
    """A handler of all translations asks for none, so there is nothing to open."""
    app.cleans_up(item, lambda: None)


def _stop(app: App, item: Item) -> None:
    for stream in app.kept(item, _Streams):
        stream.close()
    app.kept(item, _Streams).clear()


TABLE = Table(
    registrations={
        "translation.to": _to,
        "translation.from_to": _from_to,
        "translation.on": _on,
        "translation.stop": _stop,
    },
    properties={"translation.active": lambda app, item: is_open(app, item, "translation of ")},
)
