"""Who may attach a socket: `tpa_connection_init`, `reconnect`, app tokens (P1 2.2, 2.3, 2.6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import messages
from .apps import AppState

if TYPE_CHECKING:
    from collections.abc import Container

    from .connection import AppConnection
    from .engine import Cloud

_DEPRECATED = frozenset({"system.augmentos.dashboard"})
"""Packages that the real cloud does not take any more."""
_TOP_LEVEL_DOMAIN = re.compile(r"\.[A-Za-z]{2,5}$")


def take_init(cloud: Cloud, connection: AppConnection, message: messages.Init) -> None:
    """Check an init in the order of P1 2.3, and attach the socket."""
    user_id = connection.user_id or user_of_session_id(message.session_id, cloud.live_users)
    if not user_id:
        connection.close(1008, "User session identity missing")
        return
    connection.user_id = user_id
    _init(cloud, connection, message.package_name, message.api_key, message.sdk_version)


def take_token(cloud: Cloud, connection: AppConnection, package_name: str, api_key: str) -> None:
    """Do the init for an app that came with a token (P1 2.2)."""
    _init(cloud, connection, package_name, api_key, connection.identity.sdk_version)


def _init(cloud: Cloud, connection: AppConnection, package_name: str, api_key: str, sdk_version: str | None) -> None:
    session = cloud.session(connection.user_id)
    if session is None:
        connection.refuse("SESSION_NOT_FOUND", "Session not found")
        return
    installed = cloud.store.apps.get(package_name)
    if package_name in _DEPRECATED or (installed is not None and installed.is_deprecated):
        text = f"App {package_name} is deprecated and no longer accepted"
        connection.refuse("APP_DEPRECATED", text, reason="App deprecated")
        return
    # From here on the socket's end counts against the app, whether or not the key is right (P1 2.10).
    connection.package_name = package_name
    if installed is None or installed.api_key != api_key:
        connection.refuse("INVALID_API_KEY", "Invalid API key")
        return
    app = session.app_for_init(installed)
    if not app.accepts_init:
        connection.refuse("APP_NOT_STARTED", "App not started for this session")
        return
    cloud.unpark_connection(connection)
    app.init_accepted(connection, major_version(sdk_version))


def take_reconnect(cloud: Cloud, connection: AppConnection, message: messages.Reconnect) -> None:
    """Answer a `reconnect` by the table of P1 2.6. The key only counts when the wearer is not here."""
    major = major_version(message.sdk_version or connection.identity.sdk_version)
    if major is None or major < 3:
        text = "Reconnect is only supported for SDK v3"
        _reject(cloud, connection, "SESSION_NOT_FOUND", text, "Reconnect unsupported")
        return
    package_name = connection.package_name or _package_of(message.session_id, connection.user_id)
    if not connection.user_id or not package_name:
        text = "Reconnect missing user or package identity"
        _reject(cloud, connection, "SESSION_NOT_FOUND", text, "Reconnect identity missing")
        return
    connection.package_name = package_name
    session = cloud.session(connection.user_id)
    if session is None:
        _reconnect_without_session(cloud, connection)
        return
    app = session.app(package_name)
    if app is None or app.state is None:
        if session.expects(package_name):
            cloud.park(connection, "AWAITING_APP_RESTORE", "Cloud is restoring app state")
        else:
            _reject_not_running(cloud, connection)
        return
    if message.session_id != app.session_id:
        text = "Reconnect session identity does not match the active app session"
        _reject(cloud, connection, "SESSION_EXPIRED", text, "Session expired")
        return
    if app.state is AppState.STOPPED:
        _reject_not_running(cloud, connection)
        return
    cloud.unpark_connection(connection)
    app.reconnected(connection, major)


def _reconnect_without_session(cloud: Cloud, connection: AppConnection) -> None:
    key = connection.identity.api_key
    if not key:
        text = "Reconnect requires apiKey when cloud state is unavailable"
        _reject(cloud, connection, "SESSION_NOT_FOUND", text, "Reconnect unauthenticated")
        return
    installed = cloud.store.apps.get(connection.package_name)
    if installed is None or installed.api_key != key:
        connection.refuse("INVALID_API_KEY", "Invalid API key")
        return
    cloud.park(connection, "BOOTING", "Cloud is still restoring user session state")


def _reject_not_running(cloud: Cloud, connection: AppConnection) -> None:
    text = "App is not expected to run for this user session"
    _reject(cloud, connection, "NOT_RUNNING", text, "App not running")


def _reject(cloud: Cloud, connection: AppConnection, code: str, text: str, reason: str) -> None:
    connection.send(messages.rejected(code, text, cloud.timestamp()))
    connection.close(1008, reason)


def major_version(version: str | None) -> int | None:
    """Read the number before the first dot; `None` for what is no number (P1 2.3)."""
    head = (version or "").partition(".")[0].strip()
    return int(head) if head.isascii() and head.isdigit() else None


def user_of_session_id(session_id: str, live_users: Container[str]) -> str:
    """Find the user in a session id of an old SDK (P1 2.2, variant B); empty when there is none.

    User and package are joined by a hyphen, and both may hold hyphens themselves.
    """
    splits = [session_id[:index] for index, letter in enumerate(session_id) if letter == "-"]
    candidates = [left for left in splits if "@" in left and len(left) + 1 < len(session_id)]
    live = [left for left in candidates if left.lower() in live_users]
    if live:
        return live[-1].lower()
    with_domain = [left for left in candidates if _TOP_LEVEL_DOMAIN.search(left)]
    return next(iter(with_domain or candidates), "").lower()


def _package_of(session_id: str, user_id: str) -> str:
    prefix = f"{user_id}-"
    return session_id[len(prefix) :] if user_id and session_id.lower().startswith(prefix) else ""
