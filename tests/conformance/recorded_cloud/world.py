"""The world of the recordings: its apps (`world.toml`), and what the database held before a scenario began.

The recordings do not tell what the database held. It shows in the first thing that the cloud said about it; whatever
it says later is held against the engine.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio.simulator import AppKind, InstalledApp
from tests.conformance.recordings import Json, as_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mentra_trio.simulator import Cloud

    from .steps import Step

WORLD = Path(__file__).with_name("world.toml")
DEFAULT_USER = "user@example.com"
_ACKS = ("tpa_connection_ack", "reconnect_ack")
_PHONE_KEYS = {
    "metricSystemEnabled": "metric_system",
    "contextualDashboard": "contextual_dashboard",
    "headUpAngle": "head_up_angle",
    "brightness": "brightness",
    "autoBrightness": "auto_brightness",
    "sensingEnabled": "sensing_enabled",
    "alwaysOnStatusBar": "always_on_status_bar",
    "bypassVad": "bypass_vad_for_debugging",
    "bypassAudioEncoding": "bypass_audio_encoding_for_debugging",
    "preferredMic": "preferred_mic",
    "userTimezone": "timezone",
}
"""Under which key the phone stores a system setting that apps see (P1 5.3)."""


@attrs.frozen(kw_only=True)
class World:
    """The apps of the recordings."""

    apps: tuple[InstalledApp, ...]
    unreachable: frozenset[str]
    """Public URLs that refuse connections; calls to them were not recorded."""

    @classmethod
    def load(cls) -> World:
        """Read the table."""
        tables = cast("list[Json]", tomllib.loads(WORLD.read_text(encoding="utf-8"))["apps"])
        apps = tuple(_app(table) for table in tables)
        unreachable = {app.public_url for app, table in zip(apps, tables, strict=True) if table.get("unreachable")}
        return cls(apps=apps, unreachable=frozenset(unreachable))

    def app_at(self, url: str) -> InstalledApp:
        """Look an app up by a URL that the cloud calls."""
        return next(app for app in self.apps if url.startswith(f"{app.public_url}/"))


def _app(table: Json) -> InstalledApp:
    package = cast("str", table["package"])
    return InstalledApp(
        package_name=package,
        api_key=cast("str", table["key"]),
        public_url=f"https://{package}",
        name=cast("str", table["name"]),
        kind=AppKind(cast("str", table["kind"])),
        permissions=frozenset(cast("list[str]", table.get("permissions", []))),
        settings=cast("list[Json]", table.get("settings", [])),
        required_hardware=frozenset(cast("list[str]", table.get("hardware", []))),
    )


def user_of(steps: Iterable[Step]) -> str:
    """Tell whose recording it is."""
    for step in steps:
        if step.source == "cloud" and step.type == "connection_ack":
            return str(step.get("sessionId"))
        if step.is_webhook and (user_id := step.get("body", "userId")) is not None:
            return str(user_id)
    return DEFAULT_USER


def fill_database(cloud: Cloud, world: World, steps: Sequence[Step]) -> None:
    """Store what the cloud knew before the scenario began."""
    for app in world.apps:
        cloud.install(app)
    stored = cloud.user(user_of(steps), model=_first_model(steps)).stored
    for package_name in apps_that_ran(steps):
        stored.note_running(package_name)
    settings = _first_settings(steps)
    for package_name, values in settings.items():
        stored.change_settings(package_name, values)
    stored.system_settings.update(_first_system_settings(steps))


def apps_that_ran(steps: Sequence[Step]) -> list[str]:
    """Tell which apps were noted as running before the scenario began.

    Those that the cloud starts for a phone that comes although nobody asked for it: it calls them, or takes up a
    socket that waited.
    """
    found: list[str] = []
    asked: set[object] = set()
    parked: set[tuple[str, int | None]] = set()
    is_coming = False
    for step in steps:
        if step.source == "glasses" and step.is_upgrade:
            is_coming = True
        elif step.type == "connection_ack":
            is_coming = False
        asked.add(_asks_for(step))
        socket = step.app, step.conn
        is_call = is_coming and step.is_webhook and step.get("body", "type") == "session_request"
        if step.type == "reconnect_deferred" and step.get("code") == "BOOTING":
            parked.add(socket)
        elif (is_call or (step.type in _ACKS and socket in parked)) and step.app not in (*asked, *found):
            found.append(step.app)
    return found


def _asks_for(step: Step) -> object:
    """Which app a phone wants to be started."""
    if step.source == "glasses" and step.type == "start_app":
        return step.get("packageName")
    path = str(step.get("path"))
    return path.split("/")[2] if step.source == "phone" and path.endswith("/start") else None


def notes_running(steps: Sequence[Step]) -> set[int]:
    """Places of `reconnect`s that the cloud defers because the database says, by now, that the app runs."""
    found: set[int] = set()
    for place, step in enumerate(steps):
        if step.type == "reconnect_deferred" and step.get("code") == "AWAITING_APP_RESTORE":
            sent = [n for n, other in enumerate(steps[:place]) if other.type == "reconnect" and _same(other, step)]
            found.update(sent[-1:])
    return found


def _same(step: Step, other: Step) -> bool:
    return (step.app, step.conn) == (other.app, other.conn)


def _first_model(steps: Iterable[Step]) -> str | None:
    """Which glasses the cloud took for connected although nobody had told about any."""
    for step in steps:
        if step.source in ("glasses", "phone") and (
            step.type == "glasses_connection_state" or step.get("method") in ("POST", "PUT")
        ):
            return None
        if step.type == "device_state_update":
            return cast("str | None", step.get("state", "modelName"))
    return None


def _first_settings(steps: Iterable[Step]) -> dict[str, dict[str, object]]:
    """Settings that an ack brings as bare pairs, because they were changed before (P1 5.2)."""
    found: dict[str, dict[str, object]] = {}
    for step in steps:
        if step.source == "phone" and "appsettings" in str(step.get("path")):
            break
        if step.type in _ACKS and step.app not in found:
            entries = cast("list[Json]", step.get("settings") or [])
            if entries and all(entry.keys() == {"key", "value"} for entry in entries):
                found[step.app] = {cast("str", entry["key"]): entry["value"] for entry in entries}
    return found


def _first_system_settings(steps: Iterable[Step]) -> Json:
    for step in steps:
        if step.source == "phone" and "user/settings" in str(step.get("path")):
            break
        settings = as_object(step.get("mentraosSettings"))
        if settings is not None:
            return {key: settings[name] for name, key in _PHONE_KEYS.items() if settings.get(name) is not None}
    return {}
