"""Photos and live video."""

from typing import cast

import trio

from mentra_trio.models import PhotoCompression, PhotoSize
from tests.conformance.app import App, describe
from tests.conformance.timeline import Item

from .tables import Table


async def _take_photo(app: App, item: Item) -> object:
    options = dict(item.kwargs)
    # A limit is the caller's own here, and in seconds.
    with trio.fail_after(cast("float", options.pop("timeout", 3_600_000)) / 1000):
        photo = await app.session(item).camera.take_photo(
            size=PhotoSize(str(options.pop("size", "medium"))),
            compression=PhotoCompression(str(options.pop("compression", "none"))),
            sound=cast("bool | None", options.pop("sound", None)),
        )
        return describe(photo)


TABLE = Table(calls={"camera.take_photo": _take_photo})
