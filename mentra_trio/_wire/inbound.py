"""Messages that the cloud sends to an app (P1 10.2).

Fields with a default may be absent, null or of a wrong type without costing the message (see `codec`); fields
without one are what the message cannot do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import attrs

from mentra_trio.models.device import Capabilities
from mentra_trio.models.settings import SystemSettings


@attrs.frozen(kw_only=True)
class SettingEntry:
    """One entry of a settings list, in either of its two shapes (P1 5.2)."""

    key: str = ""
    type: str | None = None
    value: object = None
    default_value: object = None
    label: str | None = None


@attrs.frozen(kw_only=True)
class ConnectionAck:
    """The connection is accepted: `tpa_connection_ack` (P1 2.4)."""

    TYPE: ClassVar[str] = "tpa_connection_ack"

    session_id: str | None = None
    user_id: str | None = None
    settings: tuple[SettingEntry, ...] | None = None
    """`None` says nothing about them; an empty list, that the wearer has set none."""
    mentraos_settings: SystemSettings | None = None
    capabilities: Capabilities | None = None
    subscriptions: tuple[object, ...] = ()
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class ReconnectAck(ConnectionAck):
    """The session goes on over this socket: `reconnect_ack`, the same fields under another type (P1 2.4)."""

    TYPE: ClassVar[str] = "reconnect_ack"


@attrs.frozen(kw_only=True)
class ConnectionRefused:
    """A refused handshake, or a failed request: `tpa_connection_error` (P1 2.5, P3 0.4)."""

    TYPE: ClassVar[str] = "tpa_connection_error"

    code: str = ""
    message: str = ""
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class ReconnectRejected:
    """The session cannot go on: `reconnect_rejected` (P1 2.6)."""

    TYPE: ClassVar[str] = "reconnect_rejected"

    code: str = ""
    message: str = ""
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class ReconnectDeferred:
    """Parked: the cloud keeps the socket until it knows more: `reconnect_deferred` (P1 2.6)."""

    TYPE: ClassVar[str] = "reconnect_deferred"

    code: str = ""
    message: str = ""
    timeout: float = 30.0
    """Seconds the cloud keeps the socket (`timeoutMs` on the wire)."""
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class AppStopped:
    """The session is over: `app_stopped` (P1 2.7)."""

    TYPE: ClassVar[str] = "app_stopped"

    reason: str = ""
    message: str = ""
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class Pong:
    """Answer to a JSON ping (P1 2.8)."""

    TYPE: ClassVar[str] = "pong"

    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class Ping:
    """The cloud's own JSON ping: reserved, never sent today (P1 2.8)."""

    TYPE: ClassVar[str] = "ping"


@attrs.frozen(kw_only=True)
class SettingsUpdate:
    """Settings of the app changed: `settings_update` (P1 5.1)."""

    TYPE: ClassVar[str] = "settings_update"

    settings: tuple[SettingEntry, ...]
    package_name: str | None = None
    session_id: str | None = None
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class SystemSettingsUpdate:
    """The wearer's system settings changed: `augmentos_settings_update` (P1 5.3)."""

    TYPE: ClassVar[str] = "augmentos_settings_update"

    settings: SystemSettings
    session_id: str | None = None
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class CapabilitiesUpdate:
    """Another model of glasses: `capabilities_update` (P2 6.4)."""

    TYPE: ClassVar[str] = "capabilities_update"

    capabilities: Capabilities | None = None
    model_name: str | None = None


@attrs.frozen(kw_only=True)
class DeviceStateUpdate:
    """What changed about the glasses, or all that is known: `device_state_update` (P2 6.3)."""

    TYPE: ClassVar[str] = "device_state_update"

    state: Mapping[str, object] = attrs.field(repr=False)
    """May hold a hotspot's password (P2 6.5, V9)."""
    full_snapshot: bool = False
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class PermissionRefused:
    """Subscriptions were refused: `permission_error`, which only older clouds send (P1 4.3)."""

    TYPE: ClassVar[str] = "permission_error"

    message: str = ""
    details: tuple[PermissionDetail, ...] = ()
    denied_permissions: tuple[str, ...] = ()
    """What the reference SDK reads instead of the details (P2 9.5, N1)."""
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class PermissionDenied:
    """One permission is missing: `permission_denied`, which the reference SDK listens for (P2 9.5, N2)."""

    TYPE: ClassVar[str] = "permission_denied"

    message: str = ""
    permission: str | None = None
    stream_type: str | None = None
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class PermissionDetail:
    """One refused subscription."""

    stream: str = ""
    required_permission: str = ""
    message: str = ""


@attrs.frozen(kw_only=True)
class StreamEvent:
    """An event of a subscribed stream: `data_stream` (P2 1.2)."""

    TYPE: ClassVar[str] = "data_stream"

    stream_type: str
    data: object = None
    session_id: str | None = None
    timestamp: datetime | None = None


@attrs.frozen(kw_only=True)
class UnknownMessage:
    """A message whose type this SDK has no class for. It is kept, not dropped."""

    type: str
    """`type` of the message; empty when it had none."""


InboundMessage = (
    ConnectionAck
    | ReconnectAck
    | ConnectionRefused
    | ReconnectRejected
    | ReconnectDeferred
    | AppStopped
    | Pong
    | Ping
    | SettingsUpdate
    | SystemSettingsUpdate
    | CapabilitiesUpdate
    | DeviceStateUpdate
    | PermissionRefused
    | PermissionDenied
    | StreamEvent
)
"""Everything that this SDK reads."""

INBOUND_TYPES: dict[str, type[InboundMessage]] = {
    cls.TYPE: cls
    for cls in (
        ConnectionAck,
        ReconnectAck,
        ConnectionRefused,
        ReconnectRejected,
        ReconnectDeferred,
        AppStopped,
        Pong,
        Ping,
        SettingsUpdate,
        SystemSettingsUpdate,
        CapabilitiesUpdate,
        DeviceStateUpdate,
        PermissionRefused,
        PermissionDenied,
        StreamEvent,
    )
}
"""Which class reads which `type`."""
# Other spellings of older and, perhaps, later clouds (P1 2.5, P1 5.3).
INBOUND_TYPES["connection_error"] = ConnectionRefused
INBOUND_TYPES["mentraos_settings_update"] = SystemSettingsUpdate
