"""What the wearer's hands do to the glasses and on the phone (P2 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .hardware import capabilities

if TYPE_CHECKING:
    from mentra_trio._wire.codec import JsonObject

    from .connection import AppConnection
    from .sessions import UserSession
    from .users import User

_PICKING = 5.0
"""Seconds that the wearer takes to pick a network."""


def ask_for_wifi(connection: AppConnection, session: UserSession, fields: JsonObject) -> None:
    """Have the phone ask for a network. Nobody answers (P2 6.1)."""
    package_name = str(fields.get("packageName", connection.package_name))
    session.tell_phone(messages.wifi_setup(package_name, fields, session.cloud.timestamp()))


def pick_wifi(user: User, message: JsonObject) -> None:
    """Pick a network after a while, where the glasses have Wi-Fi."""
    del message
    network = user.home_network
    model = capabilities(user.glasses.model)
    if network is not None and model is not None and model["hasWifi"]:
        user.tell_device_later(_PICKING, {"wifiConnected": True, "wifiSsid": network, "wifiLocalIp": "192.168.1.23"})
