"""The session's life, its messages and its settings."""

from typing import TYPE_CHECKING, cast

from mentra_trio.models import LinkState, StopKind
from tests.conformance.app import IGNORED, App, UnmappedCallError, describe
from tests.conformance.timeline import Item

from .tables import Table

if TYPE_CHECKING:
    from tests.conformance.recordings import Json


async def _end(app: App, item: Item) -> None:
    await app.session(item).end()


async def _release(app: App, item: Item) -> None:
    # The connection's own message: this SDK sends it where it belongs, and refuses to send it by hand.
    await app.session(item).raw.send("ownership_release", reason=item.args[0])


async def _send_message(app: App, item: Item) -> None:
    (message,) = item.args
    if not isinstance(message, dict):
        raise UnmappedCallError("raw messages have a type and named fields")
    fields = dict(cast("Json", message))
    await app.session(item).raw.send(cast("str", fields.pop("type")), **fields)


async def _stop_server(app: App, _: Item) -> None:
    await app.stop()


async def _create_server(app: App, item: Item) -> None:
    app.server = await app.create(item)


def _on_connected(app: App, item: Item) -> None:
    session = app.session(item)

    def seen(state: LinkState) -> object:
        return describe(session.settings.values.value) if state is LinkState.CONNECTED else IGNORED

    if item.is_before_ack:
        # The handler starts with the ack, so this connection is news to it.
        app.got(item.handlers[0], seen(session.link_state.value))
    app.watch(item, session.link_state.changes(), seen)


def _on_reconnected(app: App, item: Item) -> None:
    app.watch(
        item, app.session(item).link_state.changes(), lambda state: [] if state is LinkState.CONNECTED else IGNORED
    )


def _on_disconnected(app: App, item: Item) -> None:
    def seen(state: LinkState) -> object:
        if state in (LinkState.RECONNECTING, LinkState.CLOSED):
            return {"permanent": state is LinkState.CLOSED}
        return IGNORED

    app.watch(item, app.session(item).link_state.changes(), seen)


def _on_stopped(app: App, item: Item) -> None:
    session = app.session(item)

    def seen(state: LinkState) -> object:
        reason = session.stop_reason
        if state is LinkState.CLOSED and reason is not None and reason.kind is StopKind.STOPPED_BY_CLOUD:
            return reason.detail
        return IGNORED

    app.watch(item, session.link_state.changes(), seen)


def _on_error(app: App, item: Item) -> None:
    """Errors are no events here: what could not be read is counted. The runner asks for the count."""
    session = app.session(item)
    seen = session.statistics().undecodable

    def news() -> None:
        nonlocal seen
        count = session.statistics().undecodable
        for _ in range(count - seen):
            app.got(item.handlers[0], {"undecodable": True})
        seen = count

    app.count(item, news)


def _on_settings(app: App, item: Item) -> None:
    settings = app.session(item).settings
    if item.is_before_ack:
        app.got(item.handlers[0], describe(settings.values.value))
    app.watch(item, settings.values.changes(), describe)


TABLE = Table(
    calls={
        "app.create": _create_server,
        "app.stop": _stop_server,
        "session.disconnect": _end,
        "session.release_ownership": _release,
        "session.send_message": _send_message,
    },
    registrations={
        "session.on_connected": _on_connected,
        "session.on_reconnected": _on_reconnected,
        "session.on_disconnected": _on_disconnected,
        "session.on_stopped": _on_stopped,
        "session.on_error": _on_error,
        "session.on_settings": _on_settings,
    },
    properties={
        "session.is_connected": lambda app, item: app.session(item).link_state.value is LinkState.CONNECTED,
        "session.is_parked": lambda app, item: app.session(item).link_state.value is LinkState.PARKED,
        "session.session_id": lambda app, item: app.session(item).session_id,
        "session.user_id": lambda app, item: app.session(item).user_id,
        "session.package_name": lambda app, item: app.session(item).package_name,
        "session.server_url": lambda app, item: app.session(item).base_url,
        "session.settings_data": lambda app, item: describe(app.session(item).settings.values.value),
        "session.mentraos_settings": lambda app, item: describe(app.session(item).settings.system.value),
    },
)
