"""The link of one session: connects, reads, writes, keeps alive, reconnects. It executes what `_protocol` decides.

One task reads, one writes, one keeps alive, for each socket; user code runs in none of them. The reader never waits for
a consumer: events go into bounded streams, so that the peer's pings are answered however slow the app is (T2). Only the
writer touches the sending side, because a write that is cancelled half-way garbles the connection for everybody (T1).
"""

from __future__ import annotations

import contextlib
import enum
import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import TypeVar, assert_never, cast

import attrs
import trio

from ._flow import (
    DIRTY,
    EventStream,
    Gap,
    Hub,
    HubStatistics,
    Kind,
    Latest,
    LatestSource,
    Outbox,
    OutboxStatistics,
    Outgoing,
    PendingCalls,
)
from ._link import SessionState, StreamSpec
from ._net.limiter import ConnectLimiter
from ._net.transport import CloudUrl, Connector, Transport
from ._protocol.backoff import Backoff
from ._protocol.session import (
    Effect,
    End,
    FailCalls,
    Log,
    Park,
    Phase,
    Ready,
    Retry,
    Send,
    SessionProtocol,
)
from ._protocol.settings import SettingsBook
from ._protocol.subscriptions import TranscriptRouter, wanted_list
from ._wire.codec import decode, decode_device_state, encode, raw_command, to_iso
from ._wire.inbound import (
    AppStopped,
    CapabilitiesUpdate,
    ConnectionAck,
    ConnectionRefused,
    DeviceStateUpdate,
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
    next_device_state,
)
from ._wire.outbound import (
    Command,
    ConnectionInit,
    Envelope,
    Family,
    JsonPing,
    JsonPong,
    OwnershipRelease,
    RawCommand,
    Request,
    SubscriptionUpdate,
)
from ._wire.payloads import READABLE, read_payload
from ._wire.streams import StreamName, Subscription, parse_stream
from .config import SessionConfig
from .errors import (
    CloudRefusedError,
    ConnectFailedError,
    DecodeError,
    LinkDownError,
    MentraError,
    RequestTimedOutError,
    SessionClosedError,
    TransportClosedError,
)
from .models.audio import AudioChunk
from .models.device import Capabilities, DeviceState
from .models.session import PLAIN_WORDS, LinkState, RawEvent, RawMessage, StopKind, StopReason
from .models.settings import SystemSettings

T = TypeVar("T")
R = TypeVar("R")

AUDIO_KEY = "audio_chunk"
SETTINGS_KEY = "settings"
RAW_MESSAGES_KEY = "raw messages"
_CANNOT_TAKE = frozenset({1009, 1011})
"""Close codes of a cloud that could not take a frame: sending it again would only repeat them (P1 2.9)."""
CLOSE_REASON = "Client disconnect"
"""What MentraOS's own SDK says when it closes (P1 2.9)."""
_PARK_MARGIN = 0.25
"""Seconds that the word of the cloud that a park is over may be late; it tells why, which our clock cannot."""
_LONGEST_WORD = 60
"""Characters of a cloud's own word in a log record."""
_LONGEST_NAME = 512
"""Characters of a stream name that is looked at: sixty languages of hints fit in."""
_NAMES_REMEMBERED = 256
"""Parsed stream names kept by a session: more than a session has, few enough for a cloud that makes names up."""

log = logging.getLogger("mentra_trio.session")


@attrs.frozen(kw_only=True)
class SessionStatistics:
    """What a session has moved, and all that it lost. A frozen moment."""

    connections: int
    """Sockets that the cloud acknowledged."""
    connect_failures: int
    """Attempts to connect that failed."""
    messages_received: int
    """Text frames."""
    audio_chunks_received: int
    """Binary frames."""
    messages_sent: int
    """Frames that were written whole."""
    messages_lost: int
    """Commands whose write failed because the socket ended; they may or may not have arrived."""
    undecodable: int
    """Text frames or events that could not be read and were dropped."""
    faulty_fields: int
    """Fields of a wrong type that were treated as absent."""
    unknown_messages: int
    """Messages of a type that this SDK has no class for; `session.raw.messages()` has them."""
    unclaimed_events: int
    """Events and sound that arrived when no stream was open for them."""
    foreign_transcripts: int
    """Copies of other apps' transcripts that were dropped (P2 3.5)."""
    outbox: OutboxStatistics
    """What waits to be sent, and what was coalesced, withdrawn or refused there."""
    streams: HubStatistics
    """Open streams one by one and closed ones in sum: received, delivered, coalesced, dropped."""


@attrs.define(eq=False)
class _Counters:
    connections: int = 0
    connect_failures: int = 0
    messages_received: int = 0
    audio_chunks_received: int = 0
    messages_sent: int = 0
    messages_lost: int = 0
    undecodable: int = 0
    faulty_fields: int = 0
    unknown_messages: int = 0
    unclaimed_events: int = 0
    foreign_transcripts: int = 0


class _Interrupt(enum.Enum):
    """Why a sound socket is given up by this side."""

    DEAD = enum.auto()
    """No sign of life, or a write that does not end."""
    REDIRECT = enum.auto()
    """A webhook asked for the session anew."""
    CLOSE = enum.auto()
    """The session is over."""


@attrs.define(eq=False)
class _Socket:
    """State of one connection."""

    transport: Transport
    reading: trio.CancelScope
    """Around the reader; its deadline is the ack or park deadline."""
    alive: trio.Event = attrs.field(factory=trio.Event)
    """Set by the ack or the park: from here on keep-alive runs."""
    heard: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    heard_at: float = attrs.field(factory=trio.current_time)
    """When the last frame arrived."""
    signs: int = 0
    """How often something arrived. Counted, because a fast answer comes at the same time as the question."""
    has_ponged: bool = False
    """The cloud answers JSON pings on this socket (P1 2.8: old ones do not)."""
    sending: trio.CancelScope | None = None
    closing_at: float = math.inf
    """When the last write and the close handshake have had their time."""
    interrupt: _Interrupt | None = None

    def hear(self) -> None:
        """Note a sign of life."""
        self.heard_at = trio.current_time()
        self.signs += 1
        self.heard.unpark_all()

    def give_up(self, why: _Interrupt) -> None:
        """End the reader. The first cause counts."""
        if self.interrupt is None:
            self.interrupt = why
            self.reading.cancel(reason=why.name.lower())


@attrs.define(eq=False, kw_only=True, repr=False)  # it holds ids and the key (D23), and managers show it in theirs
class LinkRuntime:
    """Implements `Link` for one logical session (D17)."""

    session_id: str
    """As the cloud calls the session; the ack may change it (P1 0)."""
    user_id: str
    package_name: str
    api_key: str
    sdk_version: str
    url: CloudUrl
    """Where the cloud that owns the session is reached."""
    connector: Connector
    limiter: ConnectLimiter
    config: SessionConfig
    random: Random
    run_id: str
    """Names this session in log records instead of the wearer (D23)."""

    over: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when the session is over, whoever ended it; the link may still be up."""
    ready: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set by the first ack."""
    hurry: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when the server is stopping: what takes its time gets less of it."""
    informed: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set by the first state of the glasses, which follows the ack at once (P1 2.4)."""
    stop_reason: StopReason | None = attrs.field(init=False, default=None)
    error: MentraError | None = attrs.field(init=False, default=None)
    """Why the session ended, where nobody asked for it."""

    state: SessionState = attrs.field(init=False)
    link_state: Latest[LinkState] = attrs.field(init=False)
    """Where the link stands."""
    _protocol: SessionProtocol = attrs.field(init=False)
    _hub: Hub = attrs.field(init=False)
    _outbox: Outbox[Command] = attrs.field(init=False)
    _pending: PendingCalls[Mapping[str, object]] = attrs.field(init=False)
    _router: TranscriptRouter = attrs.field(init=False, factory=TranscriptRouter)
    _book: SettingsBook = attrs.field(init=False, factory=SettingsBook)
    _device: LatestSource[DeviceState] = attrs.field(init=False)
    _capabilities: LatestSource[Capabilities | None] = attrs.field(init=False)
    _settings: LatestSource[Mapping[str, object]] = attrs.field(init=False)
    _system: LatestSource[SystemSettings] = attrs.field(init=False)
    _link_state: LatestSource[LinkState] = attrs.field(init=False)
    _counters: _Counters = attrs.field(init=False, factory=_Counters)
    _names: dict[str, StreamName | None] = attrs.field(init=False, factory=dict[str, StreamName | None])
    _socket: _Socket | None = attrs.field(init=False, default=None)
    _pausing: trio.CancelScope | None = attrs.field(init=False, default=None)
    _is_urgent: bool = attrs.field(init=False, default=True)
    """The next connection was asked for by a webhook, so it goes before others (D20)."""
    _release: str | None = attrs.field(init=False, default=None)
    """Reason of the `ownership_release` that goes out before the socket is closed."""
    _down_since: float | None = attrs.field(init=False, default=None)
    _queued: dict[trio.CancelScope, Family] = attrs.field(init=False, factory=dict[trio.CancelScope, Family])
    """Requests that the writer has not taken; cancelling the scope takes one back."""
    _told: tuple[str, ...] | None = attrs.field(init=False, default=None)
    """The list of subscriptions that was sent last; every ack asks for it again (P1 4.2)."""
    _warned: set[str] = attrs.field(init=False, factory=set[str])
    _done: trio.Event = attrs.field(init=False, factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._protocol = SessionProtocol(
            init=ConnectionInit(api_key=self.api_key, sdk_version=self.sdk_version), backoff=Backoff(self.random)
        )
        self._outbox = Outbox(capacity=self.config.queue_capacity, pace=self.config.display_pace)
        self._hub = Hub(self._subscriptions_changed, self._dropped)
        self._pending = PendingCalls(
            capacity=self.config.pending_capacity, full=lambda: LinkDownError(self.config.pending_capacity)
        )
        self._device = LatestSource(DeviceState())
        self._capabilities = LatestSource[Capabilities | None](None)
        self._settings = LatestSource[Mapping[str, object]]({})
        self._system = LatestSource(SystemSettings())
        self._link_state = LatestSource(LinkState.CONNECTING)
        self.state = SessionState(
            device=self._device.latest,
            capabilities=self._capabilities.latest,
            settings=self._settings.latest,
            system=self._system.latest,
        )
        self.link_state = self._link_state.latest

    # What managers use (`Link`)

    def subscribe(self, spec: StreamSpec[T]) -> EventStream[T]:
        """See `Link.subscribe`."""
        return EventStream(
            self._hub,
            spec.keys,
            name=spec.name,
            capacity=spec.capacity,
            overflow=spec.overflow,
            coalesce_key=spec.coalesce_key,
            where=spec.where,
            tag=spec.subscriptions,
        )

    def post(self, lane: str, command: Command, *, lifetime: float | None = None) -> None:
        """See `Link.post`."""
        self._outbox.post(lane, command, lifetime=lifetime)

    async def send(self, command: Command) -> None:
        """See `Link.send`."""
        await self._outbox.send(command)

    def raw(self, name: str, fields: Mapping[str, object]) -> RawCommand:
        """See `Link.raw`."""
        return raw_command(name, fields, self._envelope())

    async def call(self, request: Request[R]) -> R:
        """See `Link.call`."""
        with self._pending.expect(request) as waiter:
            with trio.CancelScope() as queued:
                self._queued[queued] = request.family
                try:
                    await self._outbox.send(request, on_written=waiter.mark_written, until_taken=True)
                finally:
                    del self._queued[queued]
            await waiter.wait_written()
            with trio.move_on_after(request.LIMIT):
                return await waiter.result()
        raise RequestTimedOutError(type(request).__name__, request.LIMIT)

    # What the session uses

    @property
    def connections(self) -> int:
        """How many sockets the cloud has acknowledged."""
        return self._counters.connections

    @property
    def is_live(self) -> bool:
        """Whether the session goes on."""
        return self.stop_reason is None

    def statistics(self) -> SessionStatistics:
        """Give the present counts."""
        return SessionStatistics(
            **attrs.asdict(self._counters), outbox=self._outbox.statistics(), streams=self._hub.statistics()
        )

    def finish(self, reason: StopReason, error: MentraError | None = None) -> None:
        """End the session: streams end, pending calls fail, nothing reconnects. The link stays up until `aclose`.

        Idempotent: the first reason stays.
        """
        if reason.kind is StopKind.SERVER_STOPPED:
            self.hurry.set()
        if self.stop_reason is not None:
            return
        self.stop_reason = reason
        self.error = error
        self._protocol.stop()
        self._hub.end()
        self._pending.close(self._closed_error)
        for source in (self._device, self._capabilities, self._settings, self._system):
            source.close(self._closed_error)
        self.over.set()
        if self.link_state.value is not LinkState.CONNECTED:
            self._outbox.close(self._closed_error)  # nothing that waits could still be sent
        if self._pausing is not None:
            self._pausing.cancel(reason="the session is over")
        if self._socket is not None and self.link_state.value is not LinkState.CONNECTED:
            self._socket.give_up(_Interrupt.CLOSE)  # half a handshake, or a park, is no link for a goodbye

    def redirect(self, url: CloudUrl) -> None:
        """Go on over a new socket that begins with an init, because the cloud asked for it (P1 1.6, D17).

        On another cloud's host the old one is told with an `ownership_release`. Never blocks; wait on `link_state`.
        """
        if not self.is_live:
            return
        if url.origin != self.url.origin and self._protocol.phase is Phase.ACTIVE:
            self._release = "switching_clouds"
        self.url = url
        self._is_urgent = True
        self._link_state.set(self._state_without_link)
        self._protocol.redirected()
        self._outbox.close_gate()
        if self._socket is not None:
            self._socket.give_up(_Interrupt.REDIRECT)
        if self._pausing is not None:
            self._pausing.cancel(reason="a webhook asked for the session")

    async def drain(self) -> None:
        """Wait until all that can still be sent has been written. Callers set the limit."""
        await trio.lowlevel.checkpoint()
        if self._socket is not None and self.link_state.value is LinkState.CONNECTED:
            await self._outbox.wait_empty()

    async def aclose(self, *, release: str | None = None) -> None:
        """Close the link, politely while the callers' limit lasts. `finish` first."""
        if self.link_state.value is LinkState.CONNECTED:
            self._release = release
        self._outbox.close(self._closed_error)
        if self._socket is not None:
            self._socket.give_up(_Interrupt.CLOSE)
        await self._done.wait()

    async def run(self) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        """Keep the session connected until it is over. Expected outcomes are values; only bugs raise."""
        try:
            delay = 0.0
            while not self.over.is_set():
                with trio.CancelScope() as self._pausing:
                    await trio.sleep(delay)
                self._pausing = None
                if self.over.is_set():
                    break
                delay = await self._connect()
                if self._is_urgent:
                    delay = 0.0  # a webhook came while the old socket was being closed
        finally:
            self._outbox.close(self._closed_error)
            self._link_state.set(LinkState.CLOSED)
            self._link_state.close(self._closed_error)
            self._done.set()

    # One connection

    async def _connect(self) -> float:
        """Open a socket and serve it to its end; return the seconds to wait before the next one."""
        is_urgent, self._is_urgent = self._is_urgent, False
        with trio.CancelScope() as attempt:
            # A webhook that names another URL, or the end of the session, need not wait for this dial.
            self._pausing = attempt
            async with contextlib.AsyncExitStack() as stack:
                try:
                    async with self.limiter.slot(urgent=is_urgent):
                        transport = await stack.enter_async_context(
                            self.connector.connect(self.url, self._headers(), timeout=self.config.connect_timeout)
                        )
                except ConnectFailedError as error:
                    self._counters.connect_failures += 1
                    # One record a fault: the loss was told already, and the end will be.
                    level = logging.DEBUG if self.ready.is_set() else logging.WARNING
                    log.log(level, "[%s] connecting failed: %s", self.run_id, error)
                    return self._pause(self._protocol.connect_failed(error, trio.current_time()))
                finally:
                    self._pausing = None
                return await self._serve(transport)
        return 0.0

    def _headers(self) -> list[tuple[str, bytes]]:
        return [
            ("x-user-id", _header(self.user_id)),
            ("x-session-id", _header(self.session_id)),
            ("x-package-name", _header(self.package_name)),
            ("x-api-key", _header(self.api_key)),
        ]

    async def _serve(self, transport: Transport) -> float:
        """Read until the socket is lost or given up; return the seconds to wait before the next one."""
        scope = trio.CancelScope(deadline=trio.current_time() + self.config.ack_timeout)
        socket = self._socket = _Socket(transport, scope)
        pause = 0.0
        try:
            self._execute(self._protocol.opened(), socket)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, socket)
                nursery.start_soon(self._keep_alive, socket)
                pause = await self._read(socket)
                self._detach(socket)
                nursery.cancel_scope.cancel(reason="the connection is over")
            await self._close(socket)
        finally:
            self._detach(socket)
        return pause

    def _detach(self, socket: _Socket) -> None:
        """Let nothing more go to this socket. Idempotent."""
        if self._socket is not socket:
            return
        self._socket = None
        self._outbox.close_gate()
        self._outbox.discard_control()
        now = trio.current_time()
        socket.closing_at = now + self.config.close_timeout
        if socket.sending is not None:
            socket.sending.deadline = min(socket.sending.deadline, socket.closing_at)
        if not self.is_live:
            self._outbox.close(self._closed_error)  # no other socket comes
            return
        # What was written after the last sign of life may be lost with the socket.
        self._outbox.restore_lanes(socket.heard_at)
        if self._down_since is None:
            # Nobody knows how long a dead socket was dead.
            self._down_since = socket.heard_at if socket.interrupt is _Interrupt.DEAD else now
        self._link_state.set(self._state_without_link)

    async def _close(self, socket: _Socket) -> None:
        """Say goodbye where the protocol wants it, then close. Bounded; a socket that is already gone costs nothing."""
        with trio.move_on_at(socket.closing_at, shield=True):
            release, self._release = self._release, None
            if release is not None:
                # The writer has ended, so this is the only sender.
                with contextlib.suppress(TransportClosedError):
                    await socket.transport.send(encode(OwnershipRelease(reason=release), self._envelope()))
            await socket.transport.aclose(1000, CLOSE_REASON)

    # Reading

    async def _read(self, socket: _Socket) -> float:
        """Read until the socket is lost, given up, or of no more use; return the seconds to wait."""
        pause: float | None = None
        try:
            with socket.reading:
                while pause is None:
                    messages = await socket.transport.receive()
                    socket.hear()
                    pause = self._receive_all(messages, socket)
        except TransportClosedError as closed:
            if socket.interrupt in {None, _Interrupt.DEAD}:
                return self._lost(closed.code, closed.reason)  # noqa: ASYNC910 - as below
            # Else given up in the same moment; how it ended says nothing any more.
        if pause is None:
            # The scope ended the loop: its deadline passed, or somebody gave the socket up.
            pause = self._given_up(socket.interrupt)
        return pause  # noqa: ASYNC910 - `receive` checkpoints, also when it raises

    def _given_up(self, why: _Interrupt | None) -> float:
        match why:
            case None if self._protocol.phase is Phase.PARKED:
                return self._pause(self._protocol.park_timed_out())
            case None:
                return self._pause(self._protocol.ack_timed_out(trio.current_time()))
            case _Interrupt.DEAD:
                return self._lost(1006, "no sign of life")
            case _Interrupt.REDIRECT | _Interrupt.CLOSE:
                return 0.0
            case _:
                assert_never(why)

    def _receive_all(self, messages: Sequence[str | bytes], socket: _Socket) -> float | None:
        """Take what has arrived, up to a message that ends the connection."""
        received_at = datetime.now(UTC)
        for message in messages:
            pause = self._receive(message, received_at, socket)
            if pause is not None:
                return pause
        return None

    def _lost(self, code: int, reason: str) -> float:
        if self.is_live:
            log.warning("[%s] connection lost with code %d", self.run_id, code)
        if code in _CANNOT_TAKE:
            self._outbox.forget_lanes()
        return self._pause(self._protocol.lost(code, reason, trio.current_time()))

    def _receive(  # noqa: PLR0912 - one branch for each kind of message
        self, message: str | bytes, received_at: datetime, socket: _Socket
    ) -> float | None:
        """Take one frame. Returns a pause when it ends the connection."""
        if isinstance(message, bytes):
            self._hear(message, received_at)
            return None
        self._counters.messages_received += 1
        try:
            decoded = decode(message)
        except DecodeError as error:
            self._undecodable(error)
            return None
        self._note_faults(decoded.message, decoded.faults)
        if self._hub.has(RAW_MESSAGES_KEY):
            name = decoded.fields.get("type")
            raw = RawMessage(type=name if isinstance(name, str) else "", fields=decoded.fields, received_at=received_at)
            self._hub.publish(RAW_MESSAGES_KEY, raw)
        match decoded.message:
            case StreamEvent() as event:
                self._publish(event, received_at)
            case Pong():
                socket.has_ponged = True
            case Ping():
                self._control(JsonPong(), socket)
            case DeviceStateUpdate() as update:
                self._apply_device_state(update)
            case CapabilitiesUpdate() as update:
                self._capabilities.set(update.capabilities)
            case SettingsUpdate() as update:
                if update.package_name in (None, self.package_name):
                    self._apply_settings(update.settings)
            case SystemSettingsUpdate() as update:
                self._system.set(update.settings)
            case PermissionRefused() as refused:
                for detail in refused.details:
                    self._warn_once(
                        f"permission {detail.stream}",
                        f"the cloud refused the stream {detail.stream[:_LONGEST_WORD]!r}: it needs "
                        f"{detail.required_permission[:_LONGEST_WORD]!r}",
                    )
            case UnknownMessage() as unknown:
                if not self._pending.offer(decoded.fields):
                    self._counters.unknown_messages += 1
                    log.debug("[%s] unknown message type %r", self.run_id, unknown.type)
            case (
                ConnectionAck() | ConnectionRefused() | ReconnectRejected() | ReconnectDeferred() | AppStopped()
            ) as control:
                log.debug("[%s] received %s", self.run_id, control.TYPE)
                return self._execute(self._protocol.receive(control, trio.current_time()), socket)
            case _:
                assert_never(decoded.message)
        return None

    def _hear(self, data: bytes, received_at: datetime) -> None:
        sequence = self._counters.audio_chunks_received
        self._counters.audio_chunks_received += 1
        if self._hub.has(AUDIO_KEY):
            self._hub.publish(AUDIO_KEY, AudioChunk(data=data, sequence=sequence, received_at=received_at))
        else:
            self._counters.unclaimed_events += 1

    def _publish(self, event: StreamEvent, received_at: datetime) -> None:
        name = self._name(event.stream_type)
        is_claimed = self._publish_raw(event, name, received_at)
        if name is None:
            key = None
        elif name.base == "transcription":
            key = self._router.route(name, self._hub.has)
            if key is None and not is_claimed:
                self._counters.foreign_transcripts += 1
                return
        else:
            key = name.base
        if name is not None and name.base in READABLE and self._hub.has(key):
            try:
                payload = read_payload(name.base, event, received_at)
            except DecodeError as error:
                self._undecodable(error)
                return
            self._note_faults(event, payload.faults)
            self._hub.publish(key, payload.value)
        elif not is_claimed:
            self._counters.unclaimed_events += 1

    def _publish_raw(self, event: StreamEvent, name: StreamName | None, received_at: datetime) -> bool:
        keys = {("raw", event.stream_type if name is None else name.identity)}
        if name is not None and name.base not in ("transcription", "translation"):
            keys.add(("raw", name.base))
        is_claimed = False
        for key in keys:
            if self._hub.has(key):
                raw = RawEvent(
                    stream_type=event.stream_type, data=event.data, sent_at=event.timestamp, received_at=received_at
                )
                self._hub.publish(key, raw)
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

    # Effects

    def _execute(self, effects: list[Effect], socket: _Socket) -> float | None:
        """Carry out decisions that concern an open socket. Returns a pause when they give it up."""
        pause: float | None = None
        for effect in effects:
            match effect:
                case Send(command):
                    self._control(command, socket)
                case Ready():
                    self._ready(effect, socket)
                case Park(seconds):
                    log.info("[%s] parked for up to %.0f s", self.run_id, seconds)
                    self._outbox.close_gate()
                    self._link_state.set(LinkState.PARKED)
                    socket.reading.deadline = trio.current_time() + seconds + _PARK_MARGIN
                    socket.alive.set()
                case FailCalls(families, error):
                    failed = self._pending.fail(families, partial(CloudRefusedError, error.code, error.text))
                    for queued, family in self._queued.items():
                        if family in families:
                            queued.cancel(reason="the request has failed before it was sent")
                    code = error.code if PLAIN_WORDS.fullmatch(error.code) else "a strange code"
                    log.warning("[%s] the cloud refused a request with %s (%d failed)", self.run_id, code, failed)
                case Log(text):
                    log.info("[%s] %s", self.run_id, text)
                case Retry(seconds):
                    pause = seconds
                case End(reason, error):
                    self._end(reason, error)
                    pause = 0.0
                case _:
                    assert_never(effect)
        return pause

    def _pause(self, effects: list[Effect]) -> float:
        """Carry out decisions made when there is no socket any more."""
        pause = 0.0
        for effect in effects:
            match effect:
                case Retry(seconds):
                    pause = seconds
                case End(reason, error):
                    self._end(reason, error)
                case _:
                    raise AssertionError(effect)  # the protocol decides nothing else without a socket
        return pause

    def _end(self, reason: StopReason, error: MentraError | None) -> None:
        if error is not None and self.is_live:
            log.warning("[%s] the session ends: %s", self.run_id, reason)
            log.debug("[%s] %s", self.run_id, error)  # it repeats the cloud's own words
        self.finish(reason, error)

    def _ready(self, ready: Ready, socket: _Socket) -> None:
        ack = ready.ack
        now = trio.current_time()
        socket.reading.deadline = math.inf
        if self.link_state.value is not LinkState.CONNECTED:  # a second ack of a socket only brings news
            self._counters.connections += 1
            self._router.connected()
        if ack.session_id:
            self.session_id = ack.session_id
        self._apply_settings(ack.settings)
        if ack.mentraos_settings is not None:
            self._system.set(ack.mentraos_settings)
        self._capabilities.set(ack.capabilities)
        if not ready.is_first:
            if self._down_since is not None:
                self._hub.mark_gap(Gap(seconds=now - self._down_since, reason="the connection was lost"))
            if ready.is_fresh:
                # The cloud has cleared the display (P3 1.4: it shows a boot screen), so show the newest again.
                self._outbox.restore_lanes(-math.inf)
        self._down_since = None
        self._outbox.mark_dirty()
        self._outbox.open_gate()
        self._link_state.set(LinkState.CONNECTED)
        socket.alive.set()
        self.ready.set()
        log.info("[%s] connected (%d)", self.run_id, self._counters.connections)

    def _apply_settings(self, entries: tuple[SettingEntry, ...]) -> None:
        changes = self._book.apply(entries)
        self._settings.set(self._book.values)
        if self.ready.is_set():
            for change in changes:
                self._hub.publish(SETTINGS_KEY, change)

    def _apply_device_state(self, update: DeviceStateUpdate) -> None:
        try:
            changes, told, faults = decode_device_state(update.state)
        except DecodeError as error:
            self._undecodable(error)
            return
        self._note_faults(update, faults)
        self._device.set(next_device_state(self._device.latest.value, changes, told, full=update.full_snapshot))
        self.informed.set()

    # Writing

    async def _write(self, socket: _Socket) -> None:
        """Write what the outbox gives, one frame at a time."""
        while True:
            outgoing = await self._outbox.next()
            command = self._command(outgoing)
            frame = encode(command, self._envelope())
            # Shielded, so that no cancellation can stop in the middle of a frame (T1); bounded, so that it ends.
            try:
                with trio.move_on_after(self.config.send_timeout, shield=True) as socket.sending:
                    await socket.transport.send(frame)
            except TransportClosedError:
                self._write_failed(outgoing)
                return  # the reader learns of the end from the transport itself
            if socket.sending.cancelled_caught:
                self._write_failed(outgoing)
                socket.give_up(_Interrupt.DEAD)
                return
            socket.sending = None
            self._counters.messages_sent += 1
            self._outbox.mark_written(outgoing)

    def _command(self, outgoing: Outgoing[Command]) -> Command:
        if outgoing.item is not DIRTY:
            return outgoing.item
        self._told = self._wanted()
        return SubscriptionUpdate(subscriptions=self._told)

    def _wanted(self) -> tuple[str, ...]:
        """Give the full list of subscriptions, as of now."""
        wanted: list[Subscription] = []
        for tag in self._hub.open_tags():
            wanted.extend(cast("tuple[Subscription, ...]", tag))  # `subscribe` gives every stream this tag
        return wanted_list(wanted)

    def _write_failed(self, outgoing: Outgoing[Command]) -> None:
        """Count what may be lost. A request goes on waiting: it may have arrived, and its time limit runs."""
        if outgoing.on_written is not None:
            outgoing.on_written()
        if outgoing.item is DIRTY or outgoing.kind is Kind.CONTROL:
            return  # every socket has its own
        if outgoing.lane is not None and self.is_live:
            self._outbox.restore_lanes(-math.inf)
            return
        self._counters.messages_lost += 1
        log.warning("[%s] the connection ended while %s was written", self.run_id, _name_of(outgoing.item))

    def _control(self, command: Command, socket: _Socket) -> None:
        try:
            self._outbox.control(command)
        except LinkDownError:
            # Sixteen small frames wait: the writer is stuck, and so is the socket.
            socket.give_up(_Interrupt.DEAD)

    def _envelope(self) -> Envelope:
        return Envelope(package_name=self.package_name, session_id=self.session_id, timestamp=to_iso(datetime.now(UTC)))

    # Keeping alive

    async def _keep_alive(self, socket: _Socket) -> None:
        """Ping at both levels (P1 2.8), from the ack or the park until the socket ends; any inbound frame is life.

        The JSON ping crosses proxies, but old clouds never answer it: its answer is demanded once this socket has seen
        one. Until then a frame ping must be answered, which at least proves the way to the first proxy.
        """
        await socket.alive.wait()
        asked_at = trio.current_time()
        while True:
            await trio.sleep_until(asked_at + self.config.ping_interval)
            asked_at = trio.current_time()
            known = socket.signs
            self._control(JsonPing(), socket)
            with trio.move_on_after(self.config.pong_timeout) as patience:
                if socket.has_ponged:
                    await self._wait_heard(socket, known)
                else:
                    await self._wait_any_answer(socket, known)
            if patience.cancelled_caught:
                log.warning("[%s] no sign of life for %.0f s", self.run_id, self.config.pong_timeout)
                socket.give_up(_Interrupt.DEAD)
                return

    async def _wait_heard(self, socket: _Socket, known: int) -> None:
        """Wait for more signs of life than are known."""
        await trio.lowlevel.checkpoint()
        while socket.signs == known:
            await socket.heard.park()

    async def _wait_any_answer(self, socket: _Socket, known: int) -> None:
        """Wait for a sign of life or for the answer to a frame ping."""
        async with trio.open_nursery() as nursery:

            async def ping() -> None:  # noqa: ASYNC910 - a task, nobody awaits it
                with contextlib.suppress(TransportClosedError):
                    await socket.transport.ping()
                nursery.cancel_scope.cancel(reason="the frame ping was answered")

            nursery.start_soon(ping)
            await self._wait_heard(socket, known)
            nursery.cancel_scope.cancel(reason="a frame arrived")

    # Small things

    @property
    def _state_without_link(self) -> LinkState:
        return LinkState.RECONNECTING if self.ready.is_set() else LinkState.CONNECTING

    def _subscriptions_changed(self) -> None:
        """Note that a stream opened or closed. The cloud is told what changes its list, no more (P1 4.2)."""
        if self.is_live and self._wanted() != self._told:
            self._outbox.mark_dirty()

    def _dropped(self, stream: str) -> None:
        log.warning("[%s] the loop over %s does not keep up, so events are dropped", self.run_id, stream)

    def _closed_error(self) -> SessionClosedError:
        error = SessionClosedError(str(self.stop_reason or StopReason(StopKind.LINK_LOST)))
        error.__cause__ = self.error
        return error

    def _undecodable(self, error: DecodeError) -> None:
        self._counters.undecodable += 1
        self._warn_once(f"undecodable {error.message_type}", str(error))

    def _note_faults(self, message: object, faults: tuple[str, ...]) -> None:
        if faults:
            self._counters.faulty_fields += len(faults)
            kind = type(message).__name__
            self._warn_once(f"faulty {kind}", f"{kind} holds fields that cannot be read: {'; '.join(faults)}")

    def _warn_once(self, what: str, text: str) -> None:
        """Log the first of a kind as a warning, the others quietly: a cloud gone mad must not fill the log."""
        level = logging.DEBUG
        what = what[:_LONGEST_NAME]
        if what not in self._warned and len(self._warned) < _NAMES_REMEMBERED:
            self._warned.add(what)
            level = logging.WARNING
        log.log(level, "[%s] %s", self.run_id, text)


def _name_of(command: Command) -> str:
    return command.type if isinstance(command, RawCommand) else command.TYPE


def _header(text: str) -> bytes:
    """Spell an id for an upgrade header: one byte a character where that is possible, as MentraOS's own SDK does."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
