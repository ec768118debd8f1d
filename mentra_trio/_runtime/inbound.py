"""Frames to consumers: what arrives is read, counted, and handed to whoever waits for it (architecture, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, assert_never

import attrs
import trio

from mentra_trio._flow import Gap, Hub
from mentra_trio._protocol.recall import Recall
from mentra_trio._protocol.subscriptions import TranscriptRouter
from mentra_trio._wire.actions.location import LOCATION_STREAMS
from mentra_trio._wire.codec import decode
from mentra_trio._wire.inbound import (
    AppStopped,
    CapabilitiesUpdate,
    ConnectionAck,
    ConnectionRefused,
    DeviceStateUpdate,
    PermissionDenied,
    PermissionRefused,
    Ping,
    Pong,
    ReconnectDeferred,
    ReconnectRejected,
    SettingEntry,
    SettingsUpdate,
    StreamEvent,
    SystemSettingsUpdate,
    UnknownMessage,
)
from mentra_trio._wire.news import ANSWERS, NEWS_READERS, news_key
from mentra_trio._wire.payloads import READABLE, read_payload
from mentra_trio._wire.permissions import refusals
from mentra_trio._wire.streams import StreamName, parse_stream
from mentra_trio.errors import DecodeError
from mentra_trio.models.audio import AudioChunk, VoiceActivity
from mentra_trio.models.location import LocationFix
from mentra_trio.models.session import RawEvent, RawMessage

from .accounts import Accounts, log
from .life import Life
from .state import CloudState

if TYPE_CHECKING:
    from datetime import datetime

    from mentra_trio._protocol.session import ControlMessage
    from mentra_trio._wire.codec import Decoded, JsonObject
    from mentra_trio._wire.inbound import InboundMessage

AUDIO_KEY = "audio_chunk"
VOICE_KEY = "VAD"
SETTINGS_KEY = "settings"
RAW_MESSAGES_KEY = "raw messages"
REFUSALS_KEY = "permission refusals"
_LONGEST_WORD = 60
"""Characters of a cloud's own word in a log record."""
_LONGEST_NAME = 512
"""Characters of a stream name that is looked at: sixty languages of hints fit in."""
_NAMES_REMEMBERED = 256
"""Parsed stream names kept by a session: more than a session has, few enough for a cloud that makes names up."""


@attrs.define(eq=False, kw_only=True)
class Inbound:
    """The receiving side of a session, over all its connections. No method blocks."""

    package_name: str
    life: Life
    accounts: Accounts
    hub: Hub
    state: CloudState
    offer: Callable[[Mapping[str, object]], bool]
    """Gives a message to the request that it answers."""

    _router: TranscriptRouter = attrs.field(init=False, factory=TranscriptRouter)
    _recall: Recall = attrs.field(init=False, factory=Recall)
    _names: dict[str, StreamName | None] = attrs.field(init=False, factory=dict[str, StreamName | None])
    _deaf_since: float | None = attrs.field(init=False, default=None)
    """When the cloud was last heard, where streams have not been told yet that events may be missing."""

    def disconnected(self, since: float) -> None:
        """Note that what the cloud says is lost, from a moment on the Trio clock."""
        if self._deaf_since is None:
            self._deaf_since = since
        self.state.speaking.set(False)  # nobody would tell that it has ended

    def connected(self) -> None:
        """Begin a connection that was acknowledged."""
        self._router.connected()
        self._recall.connected()
        self._mark_gap()

    def receive(  # noqa: PLR0912 - one branch for each kind of message
        self, message: str | bytes, received_at: datetime
    ) -> ControlMessage | Ping | Pong | None:
        """Take one frame. What concerns the connection itself is returned."""
        if isinstance(message, bytes):
            self._hear(message, received_at)
            return None
        self.accounts.counters.messages_received += 1
        try:
            decoded = decode(message)
        except DecodeError as error:
            self.accounts.undecodable(error)
            return None
        self.accounts.faults(decoded.message, decoded.faults)
        if self.hub.has(RAW_MESSAGES_KEY):
            name = decoded.fields.get("type")
            raw = RawMessage(type=name if isinstance(name, str) else "", fields=decoded.fields, received_at=received_at)
            self.hub.publish(RAW_MESSAGES_KEY, raw)
        told = self._with_known(decoded)
        match told:
            case StreamEvent() as event:
                self._publish(event, received_at, is_claimed=self.offer(decoded.fields))
            case DeviceStateUpdate() as update:
                self.accounts.faults(update, self.state.apply_device_state(update))
            case CapabilitiesUpdate() as update:
                self.state.capabilities.set(update.capabilities)
            case SettingsUpdate() as update:
                if update.package_name in (None, self.package_name):
                    self.apply_settings(update.settings)
            case SystemSettingsUpdate() as update:
                self.accounts.faults(update, self.state.apply_system(update.settings))
            case PermissionRefused() | PermissionDenied() as refused:
                self._refused(refused)
            case UnknownMessage() as unknown:
                is_answer = self.offer(decoded.fields)
                if not self._tell(unknown.type, decoded.fields, received_at) and not is_answer:
                    self.accounts.counters.unknown_messages += 1
                    log.debug("[%s] unknown message type %r", self.accounts.run_id, unknown.type)
            case Ping() | Pong() as sign:
                return sign
            case (
                ConnectionAck() | ConnectionRefused() | ReconnectRejected() | ReconnectDeferred() | AppStopped()
            ) as control:
                log.debug("[%s] received %s", self.accounts.run_id, control.TYPE)
                return control
            case _:
                assert_never(told)
        return None

    def _with_known(self, decoded: Decoded) -> InboundMessage | UnknownMessage:
        """Give a message, with the known capabilities in place of unreadable ones: only null means no glasses."""
        message = decoded.message
        if (
            isinstance(message, ConnectionAck | CapabilitiesUpdate)
            and message.capabilities is None
            and decoded.is_at_fault("capabilities")
        ):
            return attrs.evolve(message, capabilities=self.state.capabilities.latest.value)
        return message

    def apply_settings(self, entries: tuple[SettingEntry, ...]) -> None:
        """Take over the app's settings; changes of what the handler has seen are events."""
        changes = self.state.apply_settings(entries)
        if self.life.ready.is_set():
            for change in changes:
                self.hub.publish(SETTINGS_KEY, change)

    def _refused(self, message: PermissionRefused | PermissionDenied) -> None:
        """Tell what the cloud refused. In words of this SDK: nobody knows what the cloud's own repeat (D23)."""
        for refusal in refusals(message):
            stream = "something" if refusal.stream is None else f"the stream {refusal.stream[:_LONGEST_WORD]!r}"
            needs = "a permission" if refusal.permission is None else refusal.permission.value
            self.accounts.once(
                f"permission {refusal.stream} {needs}",
                f"the cloud refused {stream}: it needs {needs}, which the app does not declare in the MentraOS console",
            )
            self.hub.publish(REFUSALS_KEY, refusal)

    # Streams

    def _mark_gap(self) -> None:
        """Tell streams that events may be missing before what comes now.

        At the ack, or at an event before it: a socket brings events from the moment that the cloud has attached it, and
        its ack a little later (P1 2.4).
        """
        if self._deaf_since is not None:
            since, self._deaf_since = self._deaf_since, None
            self.hub.mark_gap(Gap(seconds=trio.current_time() - since, reason="the connection was lost"))

    def _hear(self, data: bytes, received_at: datetime) -> None:
        self._mark_gap()
        counters = self.accounts.counters
        sequence = counters.audio_chunks_received
        counters.audio_chunks_received += 1
        if self.hub.has(AUDIO_KEY):
            self.hub.publish(AUDIO_KEY, AudioChunk(data=data, sequence=sequence, received_at=received_at))
        else:
            counters.unclaimed_events += 1

    def _tell(self, message_type: str, fields: JsonObject, received_at: datetime) -> bool:
        """Publish news outside the stream envelope; return whether messages of this type are known."""
        reader = NEWS_READERS.get(message_type)
        if reader is None:
            return message_type in ANSWERS
        key = news_key(message_type)
        if self.hub.has(key):
            self.hub.publish(key, reader(fields, received_at).value)
        return True

    def _publish(self, event: StreamEvent, received_at: datetime, *, is_claimed: bool) -> None:
        """Hand an event to its streams. `is_claimed` says that it answered a request."""
        self._mark_gap()
        name = self._name(event.stream_type)
        is_claimed = self._publish_raw(event, name, received_at) or is_claimed
        key = self._key(name)
        if name is not None and key is None and not is_claimed and self._wants(name.base):
            self.accounts.counters.foreign_transcripts += 1
            return
        is_open = self.hub.has(key)
        if name is not None and name.base in READABLE and (is_open or name.base in LOCATION_STREAMS):
            try:
                payload = read_payload(name.base, event, received_at)
            except DecodeError as error:
                self.accounts.undecodable(error)
                return
            self.accounts.faults(event, payload.faults)
            value = self._recall.complete(name.identity, payload.value)
            if isinstance(value, LocationFix):  # kept also where it only answers a request
                self.state.location.set(value)
            elif isinstance(value, VoiceActivity):
                self.state.speaking.set(value.is_speaking)
            self.hub.publish(key, value)
        if not is_open and not is_claimed:
            self.accounts.counters.unclaimed_events += 1

    def _key(self, name: StreamName | None) -> str | None:
        """Find the hub key of an event; `None` for what cannot be read, and for other apps' speech (P2 3.5, 4.4)."""
        if name is None:
            return None
        match name.base:
            case "transcription":
                return self._router.route(name, self.hub.has)
            case "translation":
                # Each spelling has a translator of its own, so one with options, or of another pair, is another app's.
                return name.identity if not name.options and self.hub.has(name.identity) else None
            case _:
                return name.base

    def _wants(self, base: str) -> bool:
        """Whether a stream of some language is open."""
        return any(isinstance(key, str) and key.startswith(f"{base}:") for key in self.hub.open_keys())

    def _publish_raw(self, event: StreamEvent, name: StreamName | None, received_at: datetime) -> bool:
        exact = event.stream_type if name is None else name.identity
        keys = [("raw", exact)]
        if name is not None and name.base != exact and name.base not in ("transcription", "translation"):
            keys.append(("raw", name.base))
        is_claimed = False
        for key in keys:
            if self.hub.has(key):
                raw = RawEvent(
                    stream_type=event.stream_type, data=event.data, sent_at=event.timestamp, received_at=received_at
                )
                self.hub.publish(key, raw)
                is_claimed = True
        return is_claimed

    def _name(self, stream_type: str) -> StreamName | None:
        """Parse a stream name, once for each spelling. No stream has a name of kilobytes."""
        if len(stream_type) > _LONGEST_NAME:
            return None
        try:
            return self._names[stream_type]
        except KeyError:
            if len(self._names) >= _NAMES_REMEMBERED:
                self._names.clear()
            name = self._names[stream_type] = parse_stream(stream_type)
            return name
