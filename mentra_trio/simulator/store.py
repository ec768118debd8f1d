"""What the cloud keeps when it loses its memory: the database (P1 A1)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from mentra_trio._wire.codec import JsonObject

from .apps import InstalledApp
from .storage import Storage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@attrs.define(eq=False)
class StoredUser:
    """A wearer in the database."""

    user_id: str
    """E-mail address in lower case."""
    model: str | None = None
    """The glasses that the wearer prefers; they count as connected before they are (P2 6.5)."""
    running: dict[str, None] = attrs.field(factory=dict[str, None])
    """Packages that are started when the phone makes a new session, in order."""
    app_settings: dict[str, dict[str, object]] = attrs.field(factory=dict[str, dict[str, object]])
    """Values of settings that were ever changed, by package and key."""
    system_settings: dict[str, object] = attrs.field(factory=dict[str, object])
    """System settings under the keys of the phone, such as `metric_system`."""
    location: JsonObject | None = None
    """The last position."""
    located_at: datetime | None = None
    """When it was measured."""

    def note_running(self, package_name: str) -> None:
        """Remember that an app runs."""
        self.running[package_name] = None

    def forget_running(self, package_name: str) -> None:
        """Remember that an app does not run."""
        self.running.pop(package_name, None)

    def settings_of(self, app: InstalledApp) -> Sequence[JsonObject]:
        """An app's settings in one of two shapes: stored pairs, or the definitions while none is stored (P1 5.2)."""
        stored = self.app_settings.get(app.package_name)
        if stored is None:
            return app.settings
        return [{"key": key, "value": value} for key, value in stored.items()]

    def change_settings(self, package_name: str, values: Mapping[str, object]) -> None:
        """Store settings of an app over those stored before."""
        self.app_settings.setdefault(package_name, {}).update(values)


@attrs.define(eq=False)
class Store:
    """The database. Two clouds that share one are two regions of the same service."""

    apps: dict[str, InstalledApp] = attrs.field(factory=dict[str, InstalledApp], init=False)
    """Registered apps by package."""
    _users: dict[str, StoredUser] = attrs.field(factory=dict[str, StoredUser], init=False)
    _storages: dict[tuple[str, str], Storage] = attrs.field(factory=dict[tuple[str, str], Storage], init=False)
    """By wearer in lower case, and package."""

    def install(self, app: InstalledApp) -> None:
        """Register an app, or register it anew."""
        self.apps[app.package_name] = app

    def storage(self, user_id: str, package_name: str) -> Storage:
        """Look up what an app stored for a wearer. Nobody checks that there is one.

        Protocol: P3 9.3.
        """
        return self._storages.setdefault((user_id.lower(), package_name), Storage(nests_dots=True))

    def user(self, user_id: str, *, model: str | None = None) -> StoredUser:
        """Look a wearer up; make one that is new, with these glasses."""
        return self._users.setdefault(user_id.lower(), StoredUser(user_id.lower(), model))
