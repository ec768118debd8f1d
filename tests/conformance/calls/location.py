"""Where the wearer is."""

from datetime import datetime
from typing import cast

import attrs
import trio

from mentra_trio import EventStream
from mentra_trio.models import LocationAccuracy, LocationFix
from tests.conformance.app import App, describe
from tests.conformance.timeline import Item

from .tables import Table


@attrs.define(eq=False)
class _Location:
    """What the recorded manager keeps."""

    accuracy: LocationAccuracy = LocationAccuracy.STANDARD
    streams: list[EventStream[LocationFix]] = attrs.field(factory=list[EventStream[LocationFix]])
    polls: list[trio.CancelScope] = attrs.field(factory=list[trio.CancelScope])


def _seen(fix: LocationFix) -> object:
    return {
        "lat": fix.lat,
        "lng": fix.lng,
        "accuracy": fix.accuracy,
        "timestamp": None if fix.sent_at is None else describe(fix.sent_at),
        "correlation_id": fix.correlation_id,
    }


def _configure(app: App, item: Item) -> None:
    if "accuracy" in item.kwargs:
        app.kept(item, _Location).accuracy = LocationAccuracy(cast("str", item.kwargs["accuracy"]))


def _on_update(app: App, item: Item) -> None:
    known = app.kept(item, _Location)
    known.streams.append(app.listen(item, app.session(item).location.stream(known.accuracy), _seen))


async def _request_update(app: App, item: Item) -> object:
    known = app.kept(item, _Location)
    with trio.CancelScope() as scope:
        known.polls.append(scope)
        return _seen(await app.session(item).location.locate(known.accuracy))
    raise RuntimeError("the app stopped waiting")


def _stop(app: App, item: Item) -> None:
    known = app.kept(item, _Location)
    for stream in known.streams:
        stream.close()
    for poll in known.polls:
        poll.cancel()


def _last(app: App, item: Item, name: str) -> object:
    fix = app.session(item).location.last.value
    value: object = None if fix is None else getattr(fix, name)
    return describe(value) if isinstance(value, datetime) else value


TABLE = Table(
    calls={"location.request_update": _request_update},
    registrations={
        "location.configure": _configure,
        "location.on_update": _on_update,
        "location.stop": _stop,
    },
    properties={
        "location.lat": lambda app, item: _last(app, item, "lat"),
        "location.lng": lambda app, item: _last(app, item, "lng"),
        "location.accuracy": lambda app, item: _last(app, item, "accuracy"),
        "location.timestamp": lambda app, item: _last(app, item, "sent_at"),
    },
)
