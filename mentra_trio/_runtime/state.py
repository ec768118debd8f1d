"""What the cloud keeps telling about the wearer, newest value only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import attrs
import trio

from mentra_trio._flow import LatestSource
from mentra_trio._link import SessionState
from mentra_trio._protocol.settings import SettingsBook, is_same
from mentra_trio._wire.codec import next_device_state
from mentra_trio._wire.zones import zone_named
from mentra_trio.models.device import Capabilities, DeviceState
from mentra_trio.models.location import LocationFix
from mentra_trio.models.permissions import Permissions
from mentra_trio.models.settings import SettingChange, SystemSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mentra_trio._wire.inbound import DeviceStateUpdate, SettingEntry


def _no_settings() -> LatestSource[Mapping[str, object]]:
    return LatestSource({}, is_same)


def _no_capabilities() -> LatestSource[Capabilities | None]:
    return LatestSource(None)


def _no_zone() -> LatestSource[ZoneInfo | None]:
    return LatestSource(None)


def _no_location() -> LatestSource[LocationFix | None]:
    return LatestSource(None)


@attrs.define(eq=False)
class CloudState:
    """The cells behind `SessionState`."""

    informed: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set by the first state of the glasses, which follows the ack at once (P1 2.4)."""
    device: LatestSource[DeviceState] = attrs.field(init=False, factory=lambda: LatestSource(DeviceState()))
    capabilities: LatestSource[Capabilities | None] = attrs.field(init=False, factory=_no_capabilities)
    settings: LatestSource[Mapping[str, object]] = attrs.field(init=False, factory=_no_settings)
    system: LatestSource[SystemSettings] = attrs.field(init=False, factory=lambda: LatestSource(SystemSettings()))
    zone: LatestSource[ZoneInfo | None] = attrs.field(init=False, factory=_no_zone)
    location: LatestSource[LocationFix | None] = attrs.field(init=False, factory=_no_location)
    speaking: LatestSource[bool] = attrs.field(init=False, factory=lambda: LatestSource(False))
    permissions: LatestSource[Permissions] = attrs.field(init=False, factory=lambda: LatestSource(Permissions()))
    _book: SettingsBook = attrs.field(init=False, factory=SettingsBook)

    def view(self) -> SessionState:
        """Give what managers may see."""
        return SessionState(
            device=self.device.latest,
            capabilities=self.capabilities.latest,
            settings=self.settings.latest,
            system=self.system.latest,
            zone=self.zone.latest,
            location=self.location.latest,
            speaking=self.speaking.latest,
            permissions=self.permissions.latest,
        )

    def apply_settings(self, entries: Iterable[SettingEntry]) -> tuple[SettingChange, ...]:
        """Take over the app's settings and tell what changed."""
        changes = self._book.apply(entries)
        self.settings.set(self._book.values)
        return changes

    def apply_system(self, settings: SystemSettings) -> tuple[str, ...]:
        """Take over the wearer's system settings; return what was at fault.

        A zone that is not told, or that this machine does not know, leaves the one before: a wrong zone is worse than
        an old one, and to know none helps nobody (P2 10.2, C3).
        """
        self.system.set(settings)
        name = settings.user_timezone
        zone = zone_named(name) if name else None
        if zone is not None:
            self.zone.set(zone)
        return () if zone is not None or not name else ("userTimezone: not a time zone that this machine knows",)

    def apply_device_state(self, update: DeviceStateUpdate) -> tuple[str, ...]:
        """Take over what changed about the glasses; return what was at fault."""
        state, faults = next_device_state(self.device.latest.value, update.state, full=update.full_snapshot)
        self.device.set(state)
        self.informed.set()
        return faults

    def close(self, error: Callable[[], Exception]) -> None:
        """Keep the values for good: waiting tasks raise ``error()``, iterations end."""
        for source in (
            self.device,
            self.capabilities,
            self.settings,
            self.system,
            self.zone,
            self.location,
            self.speaking,
            self.permissions,
        ):
            source.close(error)
