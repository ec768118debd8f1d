"""The cloud's object for one wearer, which lives while the phone is there, and 60 s longer.

It owns the apps, the display, the microphone and speech of that wearer, and carries news between the phone and the
apps. Everything here happens at once; what takes time is started on the agenda.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

import attrs
import trio

from mentra_trio._wire.json_text import JsonObject, text_of

from . import hardware, messages
from .apps import AppKind, AppSession, AppState, InstalledApp, Stage, Start, StartResult
from .dashboard import Dashboard
from .display import DisplayManager
from .microphone import Microphone, MicrophoneState
from .phone_data import PhoneData
from .places import Places
from .sound import Relays, take_answer
from .speech import Speech
from .subscriptions import (
    is_poison,
    language_stream,
    read_entries,
    required_permission,
)
from .translation import Translators
from .video import Streams

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .agenda import Agenda, Timer  # noqa: TC004 - a cycle, and nobody evaluates it
    from .engine import Cloud  # noqa: TC004 - a cycle, and nobody evaluates it
    from .store import StoredUser  # noqa: TC004 - a cycle, and nobody evaluates it

PHONE_ABSENCE = 60.0
"""Seconds that a wearer's session outlives the phone's connection."""
PHONE_PING = 10.0
"""Seconds between ping frames to the phone."""
STATE_DEBOUNCE = 0.15
"""Seconds in which news about running apps is gathered for the phone."""
PHONE_RESYNC = 0.1
"""Seconds after the phone came back until it is told about the microphone again."""
_UNHEARD = frozenset({"pong", "request_settings", "settings_update_request"})
"""Messages of the phone that nobody takes."""
_DEVICE_POSTS = 10
"""Posts of device state that the cloud takes in a second (P2 1.7)."""


class PhoneLink(Protocol):
    """What the cloud needs of a phone's connection."""

    def receive(self, message: JsonObject) -> None:
        """Take a message of the cloud."""
        ...

    def pinged(self) -> None:
        """Take a ping frame."""
        ...


@attrs.define(eq=False)
class UserSession:
    """A wearer who is here."""

    cloud: Cloud = attrs.field(repr=False)
    stored: StoredUser = attrs.field(repr=False)
    device_state: JsonObject = attrs.field(factory=dict[str, object], init=False)
    """What is known about the glasses, as apps see it."""
    apps: dict[str, AppSession] = attrs.field(factory=dict[str, AppSession], init=False)
    """Apps that were started, or tried to connect, by package."""
    sounds: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    """Which app is told of the end of a sound, by the id of its request."""
    relays: Relays = attrs.field(init=False, repr=False)
    """Streams of sound that apps feed."""
    photos: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    """Which app asked for a photo, by the id of the request; never forgotten unless answered (P3 5.3)."""
    shots: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    """Which app asked for a photo at which the glasses still work, by the id of the request: what strict mode minds."""
    streams: Streams = attrs.field(init=False, repr=False)
    """Live video."""
    display: DisplayManager = attrs.field(init=False, repr=False)
    dashboard: Dashboard = attrs.field(init=False, repr=False)
    microphone: Microphone = attrs.field(init=False, repr=False)
    speech: Speech = attrs.field(init=False, repr=False)
    translators: Translators = attrs.field(init=False, repr=False)
    places: Places = attrs.field(init=False, repr=False)
    phone_data: PhoneData = attrs.field(init=False, repr=False)
    _phone: PhoneLink | None = attrs.field(default=None, init=False, repr=False)
    _absence: Timer | None = attrs.field(default=None, init=False, repr=False)
    _ping: Timer | None = attrs.field(default=None, init=False, repr=False)
    _state_news: Timer | None = attrs.field(default=None, init=False, repr=False)
    _odd_byte: bytes = attrs.field(default=b"", init=False, repr=False)
    _posts: list[float] = attrs.field(factory=list[float], init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.relays = Relays(self)
        cloud = self.cloud
        self.streams = Streams(self)
        self.display = DisplayManager(cloud.agenda, cloud.quirks, self._send_display, self._is_running, cloud.timestamp)
        self.dashboard = Dashboard(cloud.agenda, self._show_dashboard)
        self.dashboard.open()
        self.microphone = Microphone(cloud.agenda, self._microphone_wanted, self._tell_microphone)
        self.speech = Speech(cloud.agenda, cloud.quirks, cloud.now, cloud.random, self._deliver_transcript)
        self.translators = Translators(cloud.agenda, self._deliver_translation)
        self.places = Places(self)
        self.phone_data = PhoneData(self)

    @property
    def user_id(self) -> str:
        """Who."""
        return self.stored.user_id

    @property
    def agenda(self) -> Agenda:
        """Where everything that happens later goes."""
        return self.cloud.agenda

    # --- the phone

    @property
    def is_phone_connected(self) -> bool:
        """Whether the phone is here."""
        return self._phone is not None

    async def phone_connected(self, phone: PhoneLink) -> None:
        """Take the phone's socket; return when it was acknowledged, which waits for its apps (P1 1.1).

        Another phone of the same wearer is forgotten. The apps of a new session are started all at once, those that
        fell asleep one after another.
        """
        is_new = self._phone is None and not self.apps and self._absence is None
        returned = not is_new
        self._phone = phone
        if self._absence is not None:
            self._absence.cancel()
            self._absence = None
        self._restart_ping(phone)
        if returned:
            self.agenda.later(PHONE_RESYNC, self.microphone.resync)
            for app in [app for app in self.apps.values() if app.state is AppState.DORMANT]:
                await app.resurrect(stop_first=True)
        else:
            if self.stored.model is not None:
                self.change_device({"modelName": self.stored.model})
            starts = [self.start(package_name) for package_name in list(self.stored.running)]
            for start in starts:
                await start.wait()
        await trio.lowlevel.checkpoint()
        self.tell_phone(messages.phone_ack(self.user_id, self.cloud.timestamp()))

    def phone_disconnected(self) -> None:
        """Take the end of the phone's socket."""
        self._phone = None
        self._stop_ping()
        self._absence = self.agenda.later(PHONE_ABSENCE, self.dispose)

    def tell_phone(self, message: JsonObject) -> None:
        """Send to the phone if it is here."""
        if self._phone is not None:
            self._phone.receive(message)

    def _restart_ping(self, phone: PhoneLink) -> None:
        self._stop_ping()
        self._ping = self.agenda.later(PHONE_PING, lambda: self._ping_phone(phone))

    def _ping_phone(self, phone: PhoneLink) -> None:
        phone.pinged()
        self._restart_ping(phone)

    def _stop_ping(self) -> None:
        if self._ping is not None:
            self._ping.cancel()

    def dispose(self) -> None:
        """End the wearer's session: every app is stopped without a webhook (P1 1.2)."""
        self.relays.clear()
        self.cloud.forget_session(self)
        for app in self.apps.values():
            app.dispose()
        self.dashboard.close()
        self.speech.close()
        self.translators.close()
        self.cloud.notify()

    def forget(self) -> None:
        """Lose everything, as with the memory of the cloud."""
        self._phone = None
        for app in self.apps.values():
            app.forget()
        self.dashboard.close()
        self.speech.close()
        self.translators.close()

    def broadcast_app_state(self) -> None:
        """Tell the phone soon that other apps run."""
        if self._state_news is None or not self._state_news.is_pending:
            self._state_news = self.agenda.later(STATE_DEBOUNCE, self._tell_app_state)

    def _tell_app_state(self) -> None:
        self.microphone.announce()
        self.tell_phone(messages.app_state_change(self.user_id, self.cloud.timestamp()))

    # --- apps

    def app(self, package_name: str) -> AppSession | None:
        """Look an app session up."""
        return self.apps.get(package_name)

    def app_for_init(self, installed: InstalledApp) -> AppSession:
        """Look an app session up, or make one that was never started."""
        return self.apps.setdefault(installed.package_name, AppSession(installed, self))

    def _is_running(self, package_name: str) -> bool:
        app = self.apps.get(package_name)
        return app is not None and app.is_running

    def expects(self, package_name: str) -> bool:
        """Whether an app that has no session is to be started: parked sockets wait for it (P1 2.6)."""
        return package_name in self.stored.running

    def start(self, package_name: str) -> Start:
        """Start an app. A start that is refused before any webhook has failed already (P1 1.3)."""
        installed = self.cloud.store.apps.get(package_name)
        if installed is None or installed.is_deprecated:
            return Start.failed(Stage.UNKNOWN_APP)
        app = self.app_for_init(installed)
        if app.state in {AppState.RUNNING, AppState.CONNECTING}:
            return app.start()
        if hardware.lacks(self.device_state.get("modelName"), installed.required_hardware):
            return Start.failed(Stage.HARDWARE_CHECK)
        others = self._other_standard_apps(installed)
        if not others:
            return app.start()
        result = Start()
        self.agenda.spawn(lambda: self._start_after(app, others, result))
        return result

    def _other_standard_apps(self, installed: InstalledApp) -> list[AppSession]:
        if installed.kind is not AppKind.STANDARD:
            return []
        return [
            app
            for app in self.apps.values()
            if app.installed.kind is AppKind.STANDARD and app.can_stop and app.installed is not installed
        ]

    async def _start_after(self, app: AppSession, others: Iterable[AppSession], result: Start) -> None:
        try:
            for other in others:
                if other.can_stop:
                    await other.stop()
            result.finish(await app.start().wait())
        finally:
            # Only where the cloud lost its memory meanwhile is there no result yet.
            result.finish(StartResult(succeeded=False, failed_at=Stage.STOPPED))

    def stop(self, package_name: str) -> trio.Event | None:
        """Stop an app; the event is set when it is down. `None` when there is nothing to stop."""
        app = self.apps.get(package_name)
        if app is None or not app.can_stop:
            return None
        done = trio.Event()

        async def stop() -> None:
            try:
                await app.stop()
            finally:
                done.set()

        # Marked at once, so that a second stop does not run beside the first.
        app.state = AppState.STOPPING
        self.agenda.spawn(stop)
        return done

    async def start_and_wait(self, package_name: str) -> StartResult:
        """Start an app as the phone's REST call does, which is news for the phone however it ends."""
        result = await self.start(package_name).wait()
        self.broadcast_app_state()
        return result

    # --- subscriptions

    def subscribe(self, message: messages.Subscribe) -> None:
        """Take a `subscription_update`. Raises `MalformedSubscriptionsError`.

        The package in the message counts, not that of the socket (P1 0).
        """
        entries = read_entries(message.subscriptions, given=message.given)
        app = self.apps.get(message.package_name)
        dropped: tuple[str, ...] = ()
        if app is not None:
            dropped = app.subscribe(entries)
            if not self.cloud.quirks.silent_permissions:
                self._tell_refusals(app, dropped)
            self._report_subscriptions(app.package_name, entries.names, dropped)
        # Where nothing is left of a list, the cloud goes no further.
        is_synced = self.subscriptions_changed(tells_tier=app is None or not dropped or bool(app.subscriptions.names))
        if app is not None and is_synced:
            self.places.replay(app)
            self.phone_data.replay(app)
        self.tell_phone(messages.app_state_change(self.user_id, self.cloud.timestamp()))
        self.cloud.notify()

    def _report_subscriptions(self, package_name: str, names: tuple[str, ...], dropped: tuple[str, ...]) -> None:
        for name in names:
            if is_poison(name) or (name.startswith(("transcription", "translation")) and not _parses(name)):
                self.cloud.report(package_name, "P2 1.4.3", f"it subscribed to {name!r}, which cannot be parsed")
            elif name in {"all", "*"}:
                self.cloud.report(package_name, "P1 4.1", f"it subscribed to {name!r}, which bypasses permissions")
        for name in dropped:
            self.cloud.report(package_name, "P1 4.3", f"it subscribed to {name!r} without the permission for it")

    def _tell_refusals(self, app: AppSession, dropped: tuple[str, ...]) -> None:
        """Tell what was dropped, as other clouds than today's do (P1 4.3)."""
        for name in dropped:
            permission = required_permission(name)
            if app.connection is not None and permission is not None:
                app.connection.send(messages.permission_error(name, permission, self.cloud.timestamp()))

    def subscriptions_changed(self, *, tells_tier: bool = True) -> bool:
        """Bring speech, location and microphone in line with what apps want now; `False` when poisoned."""
        names = [name for app in self.apps.values() for name in app.subscriptions.names]
        is_synced = self.speech.sync(names)
        if is_synced:
            self.translators.sync(names)
            if tells_tier:
                self.places.sync()
        self.microphone.subscriptions_changed()
        return is_synced

    # --- events

    def phone_sent(self, message: JsonObject) -> None:  # noqa: PLR0912 - one branch for each kind of message
        """Take a message of the phone and pass it on to whom it concerns (P2 1.5)."""
        match kind := message.get("type"):
            case "ping":
                self.tell_phone(messages.phone_pong())
            case "connection_init":
                self.tell_phone(messages.phone_ack(self.user_id, self.cloud.timestamp()))
            case "start_app":
                self.start(text_of(message, "packageName"))
            case "stop_app":
                self.stop(text_of(message, "packageName"))
            case "touch_event":
                self._relay_touch(message)
            case "local_transcription":
                self._relay_local_transcription(message)
            case "audio_play_response":
                take_answer(self, message)
            case "VAD":
                if message.get("status") in (False, "false"):
                    self.speech.silence()
                    self.translators.silence()
                self.relay("VAD", message)
            case "head_position":
                self.relay("head_position", message)
                if message.get("position") == "up":
                    self.dashboard.looked_up()
            case "glasses_connection_state":
                self._take_connection_state(message)
                self.relay("glasses_connection_state", message)
            case "location_update":
                self.places.take(message, message.get("correlationId"))
            case "stream_status" | "keep_alive_ack":
                self.streams.phone_told(message)
            case "calendar_event":
                self.phone_data.calendar_told(message)
            case str() if kind not in _UNHEARD:
                self.relay(kind, message)
            case _:
                pass

    def relay(self, event: str, data: JsonObject) -> list[str]:
        """Send an event to every app that wants it; return which got it."""
        return [
            app.package_name
            for app in self.apps.values()
            if app.subscriptions.matches(event) and self.relay_to(app, event, data)
        ]

    def relay_to(self, app: AppSession, stream: str, data: JsonObject) -> bool:
        """Send one app an event, whatever it subscribed; return whether it has a socket."""
        return app.relay(self._data_stream(app, stream, data))

    def _data_stream(self, app: AppSession, stream: str, data: JsonObject) -> JsonObject:
        return messages.data_stream(
            session_id=app.session_id, stream=stream, data=data, timestamp=self.cloud.timestamp()
        )

    def _deliver_transcript(self, language: str, data: JsonObject) -> list[str]:
        event = f"transcription:{language}"
        reached: list[str] = []
        for app in list(self.apps.values()):
            if app.subscriptions.matches(event):
                stream = app.subscriptions.transcription_name(language)
                if app.deliver(self._data_stream(app, stream, data)):
                    reached.append(app.package_name)
        return reached

    def events_of_speech(self, language: str) -> list[str]:
        """Which streams have something to tell when words of a language are said."""
        return [
            *(f"transcription:{stream.language}" for stream in self.speech.streams if stream.hears(language)),
            *(stream.name for stream in self.translators.streams if stream.target_of(language) is not None),
        ]

    def _deliver_translation(self, name: str, data: JsonObject) -> list[str]:
        """Send a translation to every app that listens to its source language, whatever its own target (P2 4.4, L2)."""
        return [
            app.package_name
            for app in list(self.apps.values())
            if app.subscriptions.matches(name) and app.deliver(self._data_stream(app, name, data))
        ]

    def _relay_local_transcription(self, message: JsonObject) -> None:
        # Twice: as speech in its language, and under its own name (P2 3.3.4).
        self._deliver_transcript(text_of(message, "transcribeLanguage") or "en-US", message)
        self.relay("local_transcription", message)

    def _relay_touch(self, message: JsonObject) -> None:
        for app in self.apps.values():
            stream = app.subscriptions.touch_name(message.get("gesture_name"))
            if stream is not None:
                self.relay_to(app, stream, message)

    def audio(self, pcm: bytes) -> list[str]:
        """Relay microphone audio; an odd byte waits for the next chunk (P2 5.2)."""
        self.microphone.audio_arrived()
        whole = self._odd_byte + pcm
        length = len(whole) - len(whole) % 2
        self._odd_byte = whole[length:]
        if length == 0:
            return []
        return [
            app.package_name
            for app in self.apps.values()
            if app.subscriptions.matches("audio_chunk") and app.relay(whole[:length])
        ]

    # --- microphone and display

    def _microphone_wanted(self) -> MicrophoneState:
        sets = [app.subscriptions for app in self.apps.values()]
        return MicrophoneState(
            enabled=any(wanted.needs_microphone for wanted in sets),
            bypass_vad=any(wanted.needs_pcm for wanted in sets),
        )

    def _tell_microphone(self, state: MicrophoneState) -> None:
        self.tell_phone(
            messages.microphone_state(
                self.user_id, self.cloud.timestamp(), enabled=state.enabled, bypass_vad=state.bypass_vad
            )
        )
        self.cloud.notify()

    def _show_dashboard(self, text: str) -> None:
        # The system's own displays there wait for nothing (P3 1.4).
        self._send_display(messages.dashboard_text(text, self.cloud.timestamp()))

    def _send_display(self, message: JsonObject) -> bool:
        """Pass a display on if there is something to show it on (P3 0.5)."""
        if self.gate_fault("display request") is not None:
            return False
        self.tell_phone(message)
        return True

    def gate_fault(self, kind: str) -> str | None:
        """Tell why an action cannot reach the glasses, in the cloud's words; `None` when it can (P3 0.5)."""
        is_simulated = self.device_state.get("modelName") == hardware.SIMULATED_GLASSES
        if self._phone is None:
            return f"Cannot process {kind} - phone is not connected (no WebSocket)"
        if self.device_state.get("connected") is not True and not is_simulated:
            return f"Cannot process {kind} - smart glasses are not connected"
        return None

    # --- the glasses

    @property
    def capabilities(self) -> JsonObject | None:
        """What the connected model can do."""
        return hardware.capabilities(self.device_state.get("modelName"))

    def device_posted(self, changes: JsonObject) -> bool:
        """Take device state over REST; `False` when there were too many posts in a second (P2 1.7)."""
        now = trio.current_time()
        self._posts = [moment for moment in self._posts if now - moment < 1.0]
        if len(self._posts) >= _DEVICE_POSTS:
            return False
        self._posts.append(now)
        self.change_device(changes)
        return True

    def change_device(self, changes: JsonObject) -> None:
        """Apply what the phone tells about the glasses, and tell apps what is different (P2 6.5)."""
        different = {
            key: value
            for key, value in changes.items()
            if key not in self.device_state or self.device_state[key] != value
        }
        if not different:
            return
        if "modelName" in different and "connected" not in different:
            # Inferred, and told whether or not it is news.
            different["connected"] = bool(different["modelName"])
        was_connected = self.device_state.get("connected") is True
        self.device_state = {**self.device_state, **different}
        model = different.get("modelName")
        if model:
            self.tell_capabilities()
        if self.device_state.get("connected") is True and not was_connected:
            self.microphone.resync()
        unfit = self._stop_incompatible_apps() if model else ()
        update = messages.device_state_update(different, self.cloud.timestamp(), full=False)
        for app in self.apps.values():
            if app.package_name not in unfit:
                app.relay(update)
        self.cloud.notify()

    def tell_capabilities(self) -> None:
        """Tell all apps what the glasses can do."""
        update = messages.capabilities_update(self.capabilities, self.device_state.get("modelName"))
        for app in self.apps.values():
            app.relay(update)

    def _take_connection_state(self, message: JsonObject) -> None:
        is_connected = message.get("status") in ("CONNECTED", "RECONNECTED")
        changes: JsonObject = {
            "connected": is_connected,
            "modelName": message.get("modelName") if is_connected else None,
            "timestamp": self.cloud.timestamp(),
        }
        wifi = message.get("wifi")
        if isinstance(wifi, dict):
            fields = cast("JsonObject", wifi)
            names = {"wifiConnected": "connected", "wifiSsid": "ssid"}
            # What is not told is not there: JSON has no word for it.
            changes |= {name: fields[told] for name, told in names.items() if told in fields}
            if "ssid" not in fields:
                self.device_state.pop("wifiSsid", None)
        else:
            # Forgotten, not told: JSON has no word for it (P2 6.5, V8).
            self.device_state.pop("wifiConnected", None)
            self.device_state.pop("wifiSsid", None)
        self.change_device(changes)

    def _stop_incompatible_apps(self) -> frozenset[str]:
        """Stop the apps that require hardware which the new model lacks; return which."""
        model = self.device_state.get("modelName")
        unfit = [
            app.package_name
            for app in self.apps.values()
            if app.can_stop and hardware.lacks(model, app.installed.required_hardware)
        ]
        for package_name in unfit:
            self.stop(package_name)
        return frozenset(unfit)

    # --- settings

    @property
    def system_settings(self) -> JsonObject:
        """The wearer's system settings as apps see them."""
        return messages.system_settings(self.stored.system_settings, self.device_state.get("modelName"))

    def settings_of(self, installed: InstalledApp) -> list[JsonObject]:
        """An app's settings as its ack carries them."""
        return list(self.stored.settings_of(installed))

    def tell_settings(self, app: AppSession) -> None:
        """Tell an app its settings."""
        app.relay(
            messages.settings_update(
                package_name=app.package_name,
                session_id=app.session_id,
                settings=self.settings_of(app.installed),
                timestamp=self.cloud.timestamp(),
            )
        )

    def tell_system_settings(self) -> None:
        """Tell the apps that asked for system settings what they are, all of them (P1 5.3)."""
        for app in self.apps.values():
            if app.subscriptions.hears_system_settings:
                app.relay(
                    messages.system_settings_update(
                        session_id=app.session_id,
                        settings=self.system_settings,
                        timestamp=self.cloud.timestamp(),
                    )
                )


def _parses(name: str) -> bool:
    return name in {"transcription", "translation"} or language_stream(name) is not None
