"""One socket: its reader, its keep-alive, and how it ends."""

from __future__ import annotations

import contextlib
import enum
import math
from collections.abc import Callable
from datetime import UTC, datetime

import attrs
import trio

from mentra_trio._net.transport import CloudUrl, Transport
from mentra_trio._wire.outbound import Command, JsonPing
from mentra_trio.config import SessionConfig
from mentra_trio.errors import TransportClosedError

from .accounts import log

CLOSE_REASON = "Client disconnect"
"""What MentraOS's own SDK says when it closes (P1 2.9)."""


class Interrupt(enum.Enum):
    """Why a sound socket is given up by this side."""

    DEAD = enum.auto()
    """No sign of life, or a write that does not end."""
    TIMED_OUT = enum.auto()
    """The cloud did not answer the handshake, or did not end a park, in its time."""
    REDIRECT = enum.auto()
    """A webhook asked for the session anew."""
    CLOSE = enum.auto()
    """The session is over."""


@attrs.frozen
class Decided:
    """A message ended the connection; the next one may come after so many seconds."""

    pause: float


@attrs.frozen
class Lost:
    """The socket is gone; close code and reason of the other side, 1006 without a close frame."""

    code: int
    reason: str


Ending = Decided | Lost | Interrupt
"""How the reading of a connection ended."""
Take = Callable[[str | bytes, datetime], float | None]
"""Takes one frame that arrived at a time; gives a pause when the frame ends the connection."""


_AT_ONCE = 32
"""Messages of one read that are taken before other tasks have their turn, as many as a stream gives without a visit to
the scheduler (D13). A read may bring a thousand, more than streams hold; so a loop that is not slow keeps up."""


@attrs.define(eq=False)
class Connection:
    """State and tasks of one socket. The nursery belongs to the `ConnectionLoop`."""

    transport: Transport
    url: CloudUrl
    config: SessionConfig
    run_id: str

    interrupt: Interrupt | None = attrs.field(init=False, default=None)
    is_acknowledged: bool = attrs.field(init=False, default=False)
    """The cloud has taken this socket, and does not hold it back."""
    heard_at: float = attrs.field(init=False, factory=trio.current_time)
    """When the last frame arrived."""
    _pings: int = attrs.field(init=False, default=0)
    """JSON pings of this socket."""
    _pongs: int = attrs.field(init=False, default=0)
    """Answers to them. Without one the cloud may be one that does not answer (P1 2.8)."""
    _reading: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    """Around the reader; its deadline is the ack or park deadline."""
    _alive: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set by the ack or the park: from here on keep-alive runs."""
    _heard: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)
    _signs: int = attrs.field(init=False, default=0)
    """How often something arrived. Counted, because a fast answer comes at the same time as the question."""
    _last_ping: int | None = attrs.field(init=False, default=None)
    """The number of the ping that went after the session's last words."""
    _confirmed: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)
    """Who waits for a JSON pong."""
    _sending: trio.CancelScope | None = attrs.field(init=False, default=None)
    _closing_at: float = attrs.field(init=False, default=math.inf)
    """When the last write and the close handshake have had their time."""

    # What the loop decides

    def expect_answer(self, seconds: float) -> None:
        """Give up when the cloud has not acknowledged the socket in so many seconds."""
        self._reading.deadline = trio.current_time() + seconds

    def acknowledged(self) -> None:
        """Wait for as long as the cloud is alive."""
        self.is_acknowledged = True
        self._reading.deadline = math.inf
        self._alive.set()

    def parked(self, seconds: float) -> None:
        """Wait for another answer, for so many seconds, and keep the socket alive meanwhile."""
        self.is_acknowledged = False
        self.expect_answer(seconds)
        self._alive.set()

    def ponged(self) -> None:
        """Note a JSON pong. One that nobody asked for says nothing about the answers to come."""
        self._pongs = min(self._pongs + 1, self._pings)
        self._confirmed.unpark_all()

    def give_up(self, why: Interrupt) -> None:
        """End the reader. The first cause counts."""
        if self.interrupt is None:
            self.interrupt = why
            self._reading.cancel(reason=why.name.lower())

    def detach(self) -> None:
        """Begin the end: a write that goes on has the time of the close."""
        self._confirmed.unpark_all()
        self._closing_at = trio.current_time() + self.config.close_timeout
        if self._sending is not None:
            self._sending.deadline = min(self._sending.deadline, self._closing_at)

    # Its tasks

    async def read(self, take: Take) -> Ending:
        """Read until the socket is lost, given up, or of no more use; tell which."""
        pause: float | None = None
        try:
            with self._reading:
                while pause is None:
                    messages = await self.transport.receive()
                    self._hear()
                    received_at = datetime.now(UTC)
                    for index, message in enumerate(messages, 1):
                        pause = take(message, received_at)
                        if pause is not None:
                            break
                        if index % _AT_ONCE == 0:
                            await trio.lowlevel.checkpoint()
        except TransportClosedError as closed:
            if self.interrupt in {None, Interrupt.DEAD}:
                return Lost(closed.code, closed.reason)  # noqa: ASYNC910 - as below
            # Else given up in the same moment; how it ended says nothing any more.
        if pause is not None:
            return Decided(pause)  # noqa: ASYNC910 - as below
        # The scope ended the loop: its deadline passed, or somebody gave the socket up.
        if self.interrupt is Interrupt.DEAD:
            return Lost(1006, "no sign of life")  # noqa: ASYNC910 - as below
        return self.interrupt or Interrupt.TIMED_OUT  # noqa: ASYNC910 - `receive` checkpoints, also when it raises

    async def write(self, frame: str | bytes, seconds: float) -> bool:
        """Write a frame; return whether it was written in so many seconds. For the one writer.

        Raises `TransportClosedError`. Shielded, so that no cancellation can stop in the middle of a frame (T1);
        bounded, so that it ends.
        """
        with trio.move_on_after(seconds, shield=True) as self._sending:
            await self.transport.send(frame)
        if self._sending.cancelled_caught:
            return False
        self._sending = None
        return True

    async def keep_alive(self, control: Callable[[Command], None]) -> None:
        """Ping at both levels (P1 2.8), from the ack or the park until the socket ends; any inbound frame is life.

        The JSON ping crosses proxies, but old clouds never answer it: its answer is demanded once this socket has seen
        one. Until then a frame ping must be answered, which at least proves the way to the first proxy.
        """
        await self._alive.wait()
        asked_at = trio.current_time()
        while True:
            await trio.sleep_until(asked_at + self.config.ping_interval)
            asked_at = trio.current_time()
            known = self._signs
            self._ping(control)
            with trio.move_on_after(self.config.pong_timeout) as patience:
                if self._pongs:
                    await self._wait_heard(known)
                else:
                    await self._wait_any_answer(known)
            if patience.cancelled_caught:
                log.warning("[%s] no sign of life for %.0f s", self.run_id, self.config.pong_timeout)
                self.give_up(Interrupt.DEAD)
                return

    async def confirm(self, control: Callable[[Command], None]) -> bool:
        """Wait for the pong to a JSON ping that goes after all that was written. `False`: the socket ended before.

        Whoever calls it again has nothing more to be read, so there is one ping. Callers set the limit: old clouds
        never answer (P1 2.8).
        """
        if self._last_ping is None:
            self._last_ping = self._ping(control)
        await trio.lowlevel.checkpoint()
        while self._pongs < self._last_ping:
            if self._closing_at < math.inf:
                return False
            await self._confirmed.park()
        return True

    async def close(self, goodbye: str | None) -> None:
        """Send a last frame, if there is one, then close. Bounded; a socket that is already gone costs nothing."""
        with trio.move_on_at(self._closing_at, shield=True):
            if goodbye is not None:
                # The writer has ended, so this is the only sender.
                with contextlib.suppress(TransportClosedError):
                    await self.transport.send(goodbye)
            await self.transport.aclose(1000, CLOSE_REASON)

    def _ping(self, control: Callable[[Command], None]) -> int:
        """Send a JSON ping; give its number."""
        control(JsonPing())
        self._pings += 1
        return self._pings

    def _hear(self) -> None:
        self.heard_at = trio.current_time()
        self._signs += 1
        self._heard.unpark_all()

    async def _wait_heard(self, known: int) -> None:
        """Wait for more signs of life than are known."""
        await trio.lowlevel.checkpoint()
        while self._signs == known:
            await self._heard.park()

    async def _wait_any_answer(self, known: int) -> None:
        """Wait for a sign of life or for the answer to a frame ping."""
        async with trio.open_nursery() as nursery:

            async def ping() -> None:  # noqa: ASYNC910 - a task, nobody awaits it
                with contextlib.suppress(TransportClosedError):
                    await self.transport.ping()
                nursery.cancel_scope.cancel(reason="the frame ping was answered")

            nursery.start_soon(ping)
            await self._wait_heard(known)
            nursery.cancel_scope.cancel(reason="a frame arrived")
