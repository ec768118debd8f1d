"""The cloud's side of a recording, on the sockets that this SDK opens.

The n-th connection is the next recorded one that is not over; it is let in when that one was. What the cloud sent is
sent at its time, but an answer to the handshake waits for the handshake. Where the recorded app ended its socket, ours
is lost. After the recording the cloud is well: it takes every connection.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import attrs
import trio
import trio.testing

from tests.conformance.cloud import Accept, Fate, Refuse, Socket
from tests.conformance.recordings import Json, as_object

from .masks import unmasked
from .steps import Step

if TYPE_CHECKING:
    from mentra_trio._net.transport import CloudUrl

HOST = "cloud.example.com"
ACKS = ("tpa_connection_ack", "reconnect_ack")
_HANDSHAKES = ("tpa_connection_init", "reconnect")
_STOPPING_CLOSES = ("App stopped", "User session ended", "App not running", "App not started for this session")
"""Reasons of close frames after which an app has to stay away (P1 2.9)."""
_STOPPING_CODES = ("NOT_RUNNING", "BOOT_TIMEOUT", "APP_NOT_STARTED", "APP_DEPRECATED", "INVALID_API_KEY")
"""Codes of refusals after which it has to (P1 2.5, 2.6)."""
_LATE = 2.0
"""Seconds after the end of a recorded socket in which a connection still stands for it: ours come a little later."""
_PONG: Json = {"type": "pong", "timestamp": 1_782_554_400_000}


@attrs.define(eq=False)
class _Recorded:
    """A recorded socket."""

    upgrade: Step
    steps: list[Step] = attrs.field(factory=list[Step])
    """What the cloud sent on it, and the app's end of it."""
    is_taken: bool = False

    @property
    def ends_at(self) -> float:
        """When the last thing happened on it."""
        return self.steps[-1].at if self.steps else self.upgrade.at

    @property
    def fate(self) -> Fate:
        """What became of its upgrade."""
        answer = as_object(self.upgrade.partner) or {"status": 101}
        status = cast("int", answer["status"])
        return Accept() if status == 101 else Refuse(status, json.dumps(unmasked(answer.get("body"))))


def _recorded_sockets(steps: Sequence[Step]) -> list[_Recorded]:
    found: dict[str, _Recorded] = {}
    for step in steps:
        if step.source == "app" and step.is_upgrade:
            found[step.channel] = _Recorded(step)
        elif step.conn is not None and step.kind != "http" and (step.source == "cloud" or step.kind == "close"):
            found[step.channel].steps.append(step)
    return list(found.values())


@attrs.define(eq=False)
class CloudSide:
    """What one app has of the cloud. `note` takes problems, `is_listening` tells whether its code would get events."""

    _nursery: trio.Nursery
    _steps: Sequence[Step]
    _note: Callable[[str], None]
    _is_listening: Callable[[], bool]
    acks: list[float] = attrs.field(factory=list[float], init=False)
    """When the cloud acknowledged a socket."""
    sent: list[Json] = attrs.field(factory=list[Json], init=False)
    """Events that the app's code has to get."""
    is_stopped: bool = attrs.field(default=False, init=False)
    """The cloud has said that the app is to stay away, and has not asked for it since."""
    is_well: bool = attrs.field(default=False, init=False)
    """The recording is over."""
    _sockets: list[_Recorded] = attrs.field(init=False)
    _socket: Socket | None = attrs.field(default=None, init=False)
    """The one that was opened last."""
    _acked: set[Socket] = attrs.field(factory=set[Socket], init=False)
    _held: int = attrs.field(default=0, init=False)
    """Connections that wait until it is their time."""
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    """Told whenever a socket has news."""

    def __attrs_post_init__(self) -> None:
        self._sockets = _recorded_sockets(self._steps)

    def has_taken(self, upgrade: Step) -> bool:
        """Tell whether one of our connections stands for this one, or waits to do so."""
        return self._held > 0 or any(one.is_taken for one in self._sockets if one.upgrade is upgrade)

    async def cut(self) -> bool:
        """Lose the connection; `False` when there is none."""
        if self._socket is None or not _is_open(self._socket):
            return False
        await self._socket.cut()
        self._changed.unpark_all()
        return True

    def subscriptions(self) -> object:
        """Give what the SDK asked for last on an acknowledged socket that is open; `None` where there is none."""
        if self._socket is None or self._socket not in self._acked or not _is_open(self._socket):
            return None
        lists = [text["subscriptions"] for text in _texts(self._socket) if text["type"] == "subscription_update"]
        return lists[-1] if lists else []

    async def wait_until(self, predicate: Callable[[], bool]) -> None:
        """Wait until something is true of the sockets. Bound it with a deadline."""
        await trio.lowlevel.checkpoint()
        while not predicate():
            await self._changed.park()

    async def dial(self, url: CloudUrl) -> trio.abc.Stream:
        """Take a connection of the SDK."""
        await trio.lowlevel.checkpoint()
        if url.host != HOST:
            self._note(f"it connects to {url.origin}")
        if self.is_stopped:
            self._note(f"it connects at {trio.current_time():.3f} s although it was stopped")
        recorded = self._next()
        if recorded is None and not self.is_well:
            raise ConnectionRefusedError("nobody recorded this connection")
        if recorded is not None:
            await self._hold(recorded)
        ours, theirs = trio.testing.memory_stream_pair()
        socket = self._socket = Socket(theirs, Accept() if recorded is None else recorded.fate, self._changed)
        self._nursery.start_soon(socket.serve, _ignore)
        self._nursery.start_soon(self._serve, socket, recorded)
        return ours

    def _next(self) -> _Recorded | None:
        now = trio.current_time()
        return next((one for one in self._sockets if not one.is_taken and one.ends_at + _LATE >= now), None)

    async def _hold(self, recorded: _Recorded) -> None:
        recorded.is_taken = True
        self._held += 1
        has_come = False
        try:
            await trio.sleep_until(recorded.upgrade.at)
            has_come = True
        finally:
            self._held -= 1
            recorded.is_taken = has_come

    async def _serve(self, socket: Socket, recorded: _Recorded | None) -> None:
        if not await self._take_handshake(socket):
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._answer_pings, socket)
            if recorded is None:
                await self._send(socket, {"type": ACKS[0], "settings": [], "mentraosSettings": {}})
            else:
                await self._play(socket, recorded)
            while _is_open(socket):
                await self._changed.park()
            nursery.cancel_scope.cancel(reason="the socket has ended")
        if socket not in self._acked:
            self._check_silence(socket)

    async def _take_handshake(self, socket: Socket) -> bool:
        """Wait for the first message; `False` when the socket ended without one."""
        while not _texts(socket):
            if not _is_open(socket):
                return False
            await self._changed.park()
        kind = _texts(socket)[0]["type"]
        if kind not in _HANDSHAKES:
            self._note(f"a socket begins with {kind}")
        return True

    async def _play(self, socket: Socket, recorded: _Recorded) -> None:
        for step in recorded.steps:
            await trio.sleep_until(step.at)
            await trio.testing.wait_all_tasks_blocked()
            if not _is_open(socket):
                return
            match step.kind:
                case "text":
                    await self._send(socket, unmasked(step.message))
                case "binary":
                    await socket.send_binary(base64.b64decode(str(step.get("base64"))))
                case "ping":
                    await socket.send_ping(b"")
                case "close" if step.source == "app" or step.get("code") == 1006:
                    await socket.cut()
                case "close" if not step.get("echo"):
                    self.is_stopped |= step.get("reason") in _STOPPING_CLOSES
                    await socket.close(cast("int", step.get("code")), str(step.get("reason")))
                case _:
                    pass

    async def _send(self, socket: Socket, message: object) -> None:
        fields = as_object(message) or {}
        kind, code = fields.get("type"), fields.get("code")
        if kind in ACKS:
            if socket not in self._acked:
                self._check_silence(socket)
            self._acked.add(socket)
            self.acks.append(trio.current_time())
        if kind in (*ACKS, "reconnect_deferred"):
            socket.may_ping = True
        is_refusal = kind == "reconnect_rejected" or (kind == "tpa_connection_error" and socket not in self._acked)
        if kind == "data_stream" and self._is_listening() and socket in self._acked and not self.is_stopped:
            self.sent.append(fields)
        self.is_stopped |= kind == "app_stopped" or (is_refusal and code in _STOPPING_CODES)
        await socket.send_text(message if isinstance(message, str) else json.dumps(message))

    def _check_silence(self, socket: Socket) -> None:
        """Nothing but the handshake is sent before the ack."""
        if early := [text["type"] for text in _texts(socket)[1:]]:
            self._note(f"it sends {early} before the ack")

    async def _answer_pings(self, socket: Socket) -> None:
        while True:
            while socket.pings:
                socket.pings.popleft()
                await socket.send_text(json.dumps(_PONG))
            await self._changed.park()


def _is_open(socket: Socket) -> bool:
    return not socket.has_cut and all(frame.kind not in ("close", "cut", "garbage") for frame in socket.frames)


def _texts(socket: Socket) -> list[Json]:
    """Messages that the SDK sent."""
    return [cast("Json", json.loads(cast("str", frame.message))) for frame in socket.frames if frame.kind == "text"]


def _ignore(_: Socket) -> None:
    pass
