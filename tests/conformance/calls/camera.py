"""Photos and live video."""

from typing import TYPE_CHECKING, cast

import trio

from mentra_trio._wire.converter import to_iso
from mentra_trio.models import PhotoCompression, PhotoSize, VideoState
from tests.conformance.app import App, describe
from tests.conformance.timeline import Item

from .tables import Table

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


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


async def _check(app: App, item: Item) -> object:
    found = await app.session(item).camera.check_stream()
    if found is None:
        return {"has_active_stream": False}
    is_told = found.state is not VideoState.UNKNOWN
    urls = {f"{name}_url": url for name, url in cast("Json", describe(found.urls)).items()}
    info = {
        "type": ("managed" if found.is_managed else "unmanaged") if is_told else None,
        "stream_id": found.stream_id,
        "status": found.state.value if is_told else None,
        "created_at": None if found.created_at is None else {"$date": to_iso(found.created_at)},
        "stream_url": found.stream_url,
        "requesting_app_id": found.package_name,
        "active_viewers": found.viewers,
        **urls,
    }
    return {"has_active_stream": True, "stream_info": info if found.stream_id else None}


TABLE = Table(calls={"camera.take_photo": _take_photo, "camera.check_existing_stream": _check})
