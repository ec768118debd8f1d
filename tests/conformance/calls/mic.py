"""Sound."""

from typing import TYPE_CHECKING, cast

from mentra_trio.models import AudioChunk, VoiceActivity
from tests.conformance.app import App, describe
from tests.conformance.timeline import Item

from .tables import Table

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


def _microphone(app: App, item: Item) -> None:
    def seen(chunk: AudioChunk) -> object:
        return {**cast("Json", describe(chunk)), "timestamp": describe(chunk.received_at)}

    # The recorded manager keeps its handlers in a set: one that is registered again is still one.
    handler, known = item.handlers[0], app.sound(item)
    if handler not in known:
        known[handler] = app.listen(item, app.session(item).mic.stream(), seen)
    app.cleans_up(item, lambda: known.pop(handler).close() if handler in known else None)


def _voice(app: App, item: Item) -> None:
    def seen(change: VoiceActivity) -> object:
        return {"is_speaking": change.is_speaking, "timestamp": describe(change.received_at)}

    app.voice(item).append(app.listen(item, app.session(item).mic.voice_activity.stream(), seen))


def _microphone_stop(app: App, item: Item) -> None:
    for stream in app.sound(item).values():
        stream.close()
    app.sound(item).clear()
    for changes in app.voice(item):
        changes.close()
    app.voice(item).clear()


TABLE = Table(
    registrations={"mic.on_chunk": _microphone, "mic.on_voice_activity": _voice, "mic.stop": _microphone_stop},
    properties={
        "mic.is_active": lambda app, item: app.session(item).mic.is_active,
        "mic.is_speaking": lambda app, item: app.session(item).mic.is_speaking,
    },
)
