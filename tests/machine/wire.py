"""Between the SDK and its network: notes every frame of every socket, and checks what holds for each of them."""

from __future__ import annotations

import json
import math
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal, cast

import attrs
import trio

from mentra_trio import MentraSession
from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio._net.transport import CloudUrl, Dial, Transport
from mentra_trio.errors import ConnectFailedError
from tests.scripted_cloud import Line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

Json = dict[str, object]

HANDSHAKES = frozenset({"tpa_connection_init", "reconnect"})
ACKS = frozenset({"tpa_connection_ack", "reconnect_ack"})
LIFE_SIGNS = frozenset({"ping", "pong"})
FINAL = frozenset({"NOT_RUNNING", "BOOT_TIMEOUT"})
"""Codes of a rejection after which there is nothing to reconnect to (P1 2.6)."""
_OF_THE_LINK = HANDSHAKES | LIFE_SIGNS | {"subscription_update", "ownership_release"}

Fate = Literal["refused", "silent", "cut", "frozen", "stuck"]


@attrs.frozen
class Doom:
    """What becomes of the connection that is dialled next."""

    fate: Fate
    after: int = 0
    """How many reads and writes of bytes the app's side does before it happens."""


@attrs.define(eq=False)
class DoomedStream(trio.abc.Stream):
    """A byte stream that breaks after so many operations: at any step of any handshake.

    It is cut, or goes half open, or takes nothing more.
    """

    _line: Line
    _doom: Doom
    _count: int = attrs.field(default=0, init=False)
    _is_cut: bool = attrs.field(default=False, init=False)

    async def _count_down(self) -> None:
        self._count += 1
        if self._count <= self._doom.after:
            return
        if self._doom.fate == "frozen":
            self._line.lose_peer()
        elif self._doom.fate == "stuck":
            self._line.block()
        elif not self._is_cut:
            self._is_cut = True
            await trio.aclose_forcefully(self._line)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._count_down()
        if self._is_cut:
            raise trio.BrokenResourceError
        await self._line.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._line.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await self._count_down()
        if self._is_cut:
            raise trio.BrokenResourceError
        return await self._line.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._line.aclose()


@attrs.define(eq=False)
class Link:
    """All sockets of one logical session: one task of the SDK opens them, one after another."""

    session_id: str
    open: int = 0
    acked: int = 0
    refused: int = 0
    """Connects that failed."""
    texts: int = 0
    written: Counter[str] = attrs.field(factory=Counter[str])
    """Frames that went out whole, by type."""
    failed: Counter[str] = attrs.field(factory=Counter[str])
    """Frames whose write did not end, by type."""
    numbers: dict[str, list[int]] = attrs.field(factory=dict[str, list[int]])
    """Numbered events that arrived, by stream."""
    events: int = 0
    """Events and sound that arrived."""
    commands: list[Json] = attrs.field(factory=list[Json])
    """Frames that went out whole and are not the link's own."""
    session: MentraSession | None = None
    """Whose link it is, once its handler runs."""
    failed_last_displays: int = 0
    """Displays whose write did not end when the session was over, so that nothing could be sent again."""

    @property
    def is_over(self) -> bool:
        """Whether its session is over."""
        return self.session is not None and self.session.stop_reason is not None

    @property
    def is_idle(self) -> bool:
        """Whether its session is over, and the present task is not on its way to learn of that."""
        return self.is_over and trio.current_effective_deadline() > -math.inf

    @property
    def failed_commands(self) -> int:
        """Commands of the app whose write did not end, displays aside: those are sent again."""
        return sum(count for kind, count in self.failed.items() if kind not in _OF_THE_LINK | {"display_event"})


@attrs.define(eq=False)
class TappedTransport:
    """One socket. See `Transport`."""

    _inner: Transport
    _tap: Tap
    link: Link
    _has_begun: bool = attrs.field(default=False, init=False)
    _may_speak: bool = attrs.field(default=False, init=False)
    generation: int = 0

    async def receive(self) -> Sequence[str | bytes]:
        messages = await self._inner.receive()
        # No checkpoint from here to the runtime, so what is noted is what the runtime takes.
        for message in messages:
            self._note_received(message)
        return messages

    def _note_received(self, message: str | bytes) -> None:
        link = self.link
        if isinstance(message, bytes):
            link.events += 1
            link.numbers.setdefault("audio_chunk", []).append(int.from_bytes(message, "little"))
            return
        link.texts += 1
        fields = cast("Json", json.loads(message))
        match fields["type"]:
            case "tpa_connection_ack" | "reconnect_ack":
                link.acked += not self._may_speak
                self._may_speak = True
                self._tap.newest = link
            case "reconnect_deferred":
                self._may_speak = False
            case "app_stopped":
                self._tap.stopped(link, self.generation)
            case "reconnect_rejected" if fields.get("code") in FINAL and not self._may_speak:
                self._tap.stopped(link, self.generation)
            case "data_stream":
                link.events += 1
                data = cast("Json", fields["data"])
                if isinstance(number := data.get("number"), int):
                    link.numbers.setdefault(str(fields["streamType"]), []).append(number)
            case _:
                pass

    async def send(self, message: str | bytes) -> None:
        fields = cast("Json", json.loads(message))
        kind = str(fields["type"])
        tap = self._tap
        if not self._has_begun:
            tap.check(kind in HANDSHAKES, f"a socket began with {kind}")
        elif kind not in LIFE_SIGNS:
            tap.check(self._may_speak, f"{kind} was sent before the ack")
            tap.check(kind not in HANDSHAKES, f"{kind} in the middle of a socket")
        self._has_begun = True
        is_written = False
        try:
            await self._inner.send(message)
            is_written = True
        finally:
            (self.link.written if is_written else self.link.failed)[kind] += 1
            self.link.failed_last_displays += kind == "display_event" and not is_written and self.link.is_over
            if is_written and kind not in _OF_THE_LINK:
                self.link.commands.append(fields)

    async def ping(self) -> None:
        await self._inner.ping()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await self._inner.aclose(code, reason)


@attrs.define(eq=False)
class Tap:
    """The connector of one process of the app. See `Connector`."""

    _dial: Dial
    dooms: list[Doom]
    """Of the connections to come, shared by all processes."""
    faults: list[str]
    """What must never happen and did."""
    links: list[Link] = attrs.field(factory=list[Link], init=False)
    newest: Link | None = attrs.field(default=None, init=False)
    """The link that was acknowledged last."""
    dials: int = attrs.field(default=0, init=False)
    # Whether the app is wanted, as far as its process can know (P1 1.5): asked for, and not stopped since.
    _is_wanted: bool = attrs.field(default=False, init=False)
    _asked: int = attrs.field(default=0, init=False)
    _asking: int = attrs.field(default=0, init=False)
    _by_task: dict[trio.lowlevel.Task, Link] = attrs.field(factory=dict[trio.lowlevel.Task, Link], init=False)

    def check(self, is_right: bool, fault: str) -> None:
        """Note a fault."""
        if not is_right:
            self.faults.append(f"{trio.current_time():.3f}: {fault}")

    @property
    def generation(self) -> int:
        """Changes when the cloud asks for the session."""
        return self._asked

    def asked(self) -> None:
        """Note that a `session_request` begins to arrive."""
        self._asked += 1
        self._asking += 1
        self._is_wanted = True

    def answered(self) -> None:
        """Note that it was answered."""
        self._asking -= 1

    def unwanted(self, generation: int) -> None:
        """Note that the app was stopped; what was asked for after that counts more, and so does what is under way."""
        if generation == self._asked and not self._asking:
            self._is_wanted = False

    def stopped(self, link: Link, generation: int) -> None:
        """Note that `app_stopped` arrived on a socket."""
        if link is self.newest:
            self.unwanted(generation)

    @asynccontextmanager
    async def connect(
        self,
        url: CloudUrl,
        headers: Sequence[tuple[str, bytes]],
        *,
        timeout: float,  # noqa: ASYNC109 - the interface
    ) -> AsyncGenerator[Transport, None]:
        session_id = dict(headers)["x-session-id"].decode()
        task = trio.lowlevel.current_task()
        link = self._by_task.get(task)
        if link is None:
            link = self._by_task[task] = Link(session_id)
            self.links.append(link)
        self.check(self._is_wanted, "a connect after the stop")
        self.check(not link.is_idle, "a connect for a session that is over")
        self.check(not self._is_open(session_id), "a connect beside a live socket")
        self.dials += 1
        is_open = False
        try:
            async with CoreWebSocketConnector(self._open_stream).connect(url, headers, timeout=timeout) as transport:
                self.check(not self._is_open(session_id), "two live sockets of one session")
                self.check(not link.is_idle, "a dial went on for a session that is over")
                is_open = True
                link.open += 1
                yield TappedTransport(transport, self, link, self._asked)
        except ConnectFailedError:
            link.refused += 1
            self.check(not link.is_idle, "a dial went on for a session that is over")
            raise
        finally:
            link.open -= is_open

    def _is_open(self, session_id: str) -> bool:
        return any(link.open for link in self.links if link.session_id == session_id)

    async def _open_stream(self, url: CloudUrl) -> trio.abc.Stream:
        doom = self.dooms.pop(0) if self.dooms else None
        if doom is not None and doom.fate == "refused":
            await trio.lowlevel.checkpoint()
            raise ConnectFailedError("refused", status=(None, 503, 401)[doom.after % 3])
        if doom is not None and doom.fate == "silent":
            await trio.sleep_forever()
        stream = await self._dial(url)
        return stream if doom is None else DoomedStream(Line(stream), doom)
