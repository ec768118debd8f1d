"""Stored values."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.app import App
    from tests.conformance.timeline import Item


async def _get(app: App, item: Item) -> object:
    return await app.session(item).storage.get(cast("str", item.args[0]))


async def _has(app: App, item: Item) -> object:
    return await app.session(item).storage.has(cast("str", item.args[0]))


async def _keys(app: App, item: Item) -> object:
    return list(await app.session(item).storage.keys())


async def _get_all(app: App, item: Item) -> object:
    return dict(await app.session(item).storage.items())


async def _set(app: App, item: Item) -> None:
    key, value = item.args
    # The recorded call was given nothing at all, which is no value in any language.
    await app.session(item).storage.set(cast("str", key), object() if value == "<undefined>" else value)


async def _set_multiple(app: App, item: Item) -> None:
    (values,) = item.args
    await app.session(item).storage.set_many(cast("Mapping[str, object]", values))


async def _delete(app: App, item: Item) -> None:
    await app.session(item).storage.delete(cast("str", item.args[0]))


async def _clear(app: App, item: Item) -> None:
    await app.session(item).storage.clear()


async def _flush(app: App, item: Item) -> None:
    await app.session(item).storage.flush()


TABLE = Table(
    calls={
        "storage.get": _get,
        "storage.has": _has,
        "storage.keys": _keys,
        "storage.get_all": _get_all,
        "storage.set": _set,
        "storage.set_multiple": _set_multiple,
        "storage.delete": _delete,
        "storage.clear": _clear,
        "storage.flush": _flush,
    }
)
