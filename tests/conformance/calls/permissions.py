"""What the app declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio

from mentra_trio.models import Permission, PermissionRefusal, Permissions
from tests.conformance.app import describe

from .tables import Table

if TYPE_CHECKING:
    from tests.conformance.app import App
    from tests.conformance.recordings import Json
    from tests.conformance.timeline import Item

_NAMES = {"location": Permission.LOCATION, "microphone": Permission.MICROPHONE, "camera": Permission.CAMERA,
          "notifications": Permission.READ_NOTIFICATIONS, "calendar": Permission.CALENDAR}  # fmt: skip


def _record(permissions: Permissions) -> Json:
    """Spell what is known as the recordings do."""
    return {name: permissions.allows(permission) for name, permission in _NAMES.items()}


async def _get_all(app: App, item: Item) -> object:
    await trio.lowlevel.checkpoint()
    return _record(app.session(item).permissions.state.value)


async def _has(app: App, item: Item) -> object:
    await trio.lowlevel.checkpoint()
    name = cast("str", item.args[0])
    if name not in _NAMES:
        raise ValueError(name)  # a name that is no permission is no member of the enum
    return app.session(item).permissions.has(_NAMES[name])


def _on_update(app: App, item: Item) -> None:
    app.watch(item, app.session(item).permissions.state.changes(), _record)


def _on_error(app: App, item: Item) -> None:
    def seen(refusal: PermissionRefusal) -> object:
        return {"message": refusal.message, "permission": describe(refusal.permission), "stream": refusal.stream}

    app.listen(item, app.session(item).permissions.stream(), seen)


TABLE = Table(
    calls={"permissions.get_all": _get_all, "permissions.has": _has},
    registrations={
        "permissions.on_update": _on_update,
        "permissions.on_permission_error": _on_error,
        "permissions.on_permission_denied": _on_error,
    },
)
