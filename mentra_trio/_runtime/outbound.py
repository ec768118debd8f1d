"""What the app sends: taken from user tasks, written one frame at a time (architecture, section 5)."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import attrs
import trio

from mentra_trio._flow import DIRTY, Hub, Kind, Outbox, Outgoing, PendingCalls
from mentra_trio._protocol.subscriptions import claimed_name, wanted_list
from mentra_trio._wire.codec import to_frame
from mentra_trio._wire.outbound import Command, DisplayEvent, Family, RawCommand, Request, SubscriptionUpdate
from mentra_trio.config import SessionConfig
from mentra_trio.errors import LinkDownError, RequestTimedOutError, SessionClosedError, TransportClosedError

from .accounts import Accounts, log
from .connection import Connection, Interrupt
from .identity import Identity
from .life import Life

if TYPE_CHECKING:
    from mentra_trio._wire.streams import Subscription

R = TypeVar("R")

_LONGEST_BURST = 32
"""Rounds of the scheduler that a list of subscriptions waits at most while streams open and close."""
_SHORTEST_DURATION = 0.001
"""Seconds; the wire has whole milliseconds, of which 0 means for ever (P3 1.2)."""


@attrs.define(eq=False, kw_only=True)
class Outbound:
    """The sending side of a session, over all its connections."""

    identity: Identity
    config: SessionConfig
    life: Life
    accounts: Accounts
    hub: Hub
    """Whose open streams make the list of subscriptions."""
    last_start: float = -math.inf
    """When the cloud has begun the app before, as far as is known, on the Trio clock."""

    outbox: Outbox[Command] = attrs.field(init=False)
    _pending: PendingCalls[Mapping[str, object]] = attrs.field(init=False)
    _queued: dict[trio.CancelScope, Family] = attrs.field(init=False, factory=dict[trio.CancelScope, Family])
    """Requests that the writer has not taken; cancelling the scope takes one back."""
    _told: tuple[object, ...] | None = attrs.field(init=False, default=None)
    """The list of subscriptions that this socket was sent last; every ack asks for it anew (P1 4.2)."""

    def __attrs_post_init__(self) -> None:
        self.outbox = Outbox(capacity=self.config.queue_capacity, pace=self.config.display_pace)
        self._pending = PendingCalls(capacity=self.config.pending_capacity, full=self._refused)

    _claims: Counter[str] = attrs.field(init=False, factory=Counter[str])
    """Open streams by the name of what they subscribe."""
    _must_tell: bool = attrs.field(init=False, default=False)
    _changes: int = attrs.field(init=False, default=0)
    """How often a stream has opened or closed."""

    _last_words: list[Callable[[], Command | None]] = attrs.field(
        init=False, factory=list[Callable[[], "Command | None"]]
    )
    has_last_words: bool = attrs.field(init=False, default=False)
    """Whether anything was sent because the session ended."""

    # Callers

    async def call(
        self,
        request: Request[R],
        on_taken: Callable[[], None] | None = None,
        on_written: Callable[[], None] | None = None,
    ) -> R:
        """See `Link.call`."""

        def mark_written() -> None:
            waiter.mark_written()
            if on_written is not None:
                on_written()

        asked = _Asked(request)
        with self._pending.expect(asked) as waiter:
            with trio.CancelScope() as queued:
                self._queued[queued] = request.family
                try:
                    await self.outbox.send(
                        request,
                        on_taken=on_taken,
                        on_written=mark_written,
                        on_failed=lambda error: waiter.reject(partial(_not_written, request, error)),
                        until_taken=True,
                    )
                finally:
                    del self._queued[queued]
            await waiter.wait_written()
            with asked.scope:
                asked.begin()
                return await waiter.result()
        raise asked.overdue()

    def _refused(self) -> LinkDownError:
        self.accounts.counters.requests_refused += 1
        return LinkDownError(self.config.pending_capacity, are_sent=True)

    def claim(self, subscriptions: Iterable[Subscription], count: int) -> None:
        """Note that a stream of these subscriptions opened (1) or closed (-1).

        A name that comes or goes is told to the cloud; several in a row are one message (P1 4.2). Whether other
        changes, of the hints of a language, make another list is for the writer to find out.
        """
        self._changes += 1
        for subscription in subscriptions:
            name = claimed_name(subscription)
            before = self._claims[name]
            self._claims[name] = before + count
            if not self._claims[name]:
                del self._claims[name]
            if not before or name not in self._claims:
                self._must_tell = True
            if self.life.is_live:
                self.outbox.mark_dirty()

    # The reader

    def offer(self, message: Mapping[str, object]) -> bool:
        """Give a message to the request that it answers; return whether there is one."""
        return self._pending.offer(message)

    def awaits(self, family: Family) -> bool:
        """Whether a request of a family waits for its answer."""
        return self._pending.has(family)

    def fail_calls(self, families: Collection[Family], error: Callable[[], Exception]) -> int:
        """Fail the requests of some families, written or not; return how many were waiting."""
        failed = self._pending.fail(families, error)
        for queued, family in self._queued.items():
            if family in families:
                queued.cancel(reason="the request has failed before it was sent")
        return failed

    def acknowledged(self) -> None:
        """Let everything pass, the list of subscriptions first."""
        self._told = None
        self.outbox.mark_dirty()
        self.outbox.open_gate()

    def began(self) -> None:
        """Note that the cloud has begun the app, which covers the display for a moment, then clears it (P3 1.4).

        So the newest is shown again, and what has a duration is held back: with one, what is sent under the boot screen
        stays for ever (P3 1.5). The timer of a boot screen outlives a stop. So where two may overlap, the first ends
        the second, whose own timer then clears what is there, up to a pace late because it comes soon after another
        clear; for that the newest is shown once more afterwards.
        """
        now = trio.current_time()
        until = now + self.config.boot_screen
        # Each lasts for as long from its start, and this ack may come at the end of one.
        is_wiped = now - self.last_start < 2 * self.config.boot_screen
        self.last_start = now
        self.outbox.repeat_lanes()
        self.outbox.cover(until + self.config.display_pace if is_wiped else until, is_wiped=is_wiped)

    # The session's end

    @contextmanager
    def last_word(self, say: Callable[[], Command | None]) -> Generator[None, None, None]:
        """See `Link.last_word`."""
        self._last_words.append(say)
        try:
            yield
        finally:
            self._last_words.remove(say)

    def say_last_words(self) -> None:
        """Queue what is to be sent because the session ends. What finds no room is counted."""
        for say in self._last_words:
            word = say()
            if word is not None:
                self.has_last_words = True
                with suppress(LinkDownError, SessionClosedError):
                    self.outbox.send_nowait(word)

    def fail_all(self) -> None:
        """Fail all requests, those to come as well. What waits without an answer is still sent, and without delay."""
        self._pending.close(self.life.closed_error)
        for queued in self._queued:
            queued.cancel(reason="the session was over before the request was sent")
        self.outbox.uncover()

    def close(self) -> None:
        """Throw away what waits, and accept nothing more but control frames."""
        self.outbox.close(self.life.closed_error)

    # The writer

    async def write(self, connection: Connection) -> None:
        """Write what the outbox gives, one frame at a time, until the connection ends."""
        while True:
            outgoing = await self.outbox.next()
            command: Command | None
            if outgoing.item is DIRTY:
                await self._wait_settled()
                command = self._new_list()
            else:
                command = _aged(outgoing.item, outgoing.remaining)
            if command is None:
                continue
            try:
                frame = to_frame(command, self.identity.envelope())
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the fault of one command
                self._not_encoded(outgoing, command, error)
                continue
            try:
                is_written = await connection.write(frame, self.config.send_timeout)
            except TransportClosedError:
                self._write_failed(outgoing)
                return  # the reader learns of the end from the transport itself
            if not is_written:
                self._write_failed(outgoing)
                connection.give_up(Interrupt.DEAD)
                return
            self.accounts.counters.messages_sent += 1
            self.outbox.mark_written(outgoing)

    async def _wait_settled(self) -> None:
        """Wait as long as streams open one after another: of `async with a, b, c` each gives the others a turn."""
        await trio.lowlevel.checkpoint()
        for _ in range(_LONGEST_BURST):
            before = self._changes
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()  # who opened one stream has had its turn by now
            if self._changes == before:
                return

    def _new_list(self) -> SubscriptionUpdate | None:
        """Give the full list of subscriptions as of now, if there is anything new in it."""
        wanted: list[Subscription] = []
        for tag in self.hub.open_tags():
            wanted.extend(cast("tuple[Subscription, ...]", tag))  # `subscribe` gives every stream this tag
        names = wanted_list(wanted)
        if names == self._told and not self._must_tell:
            return None
        self._told, self._must_tell = names, False
        return SubscriptionUpdate(subscriptions=names)

    def _not_encoded(self, outgoing: Outgoing[Command], command: Command, error: Exception) -> None:
        self.accounts.counters.unencodable += 1
        # The text of the error may hold what the command did (D23).
        details = error if log.isEnabledFor(logging.DEBUG) else None
        name, kind = _name_of(command), type(error).__name__
        log.error("[%s] %s cannot be written as JSON: %s", self.accounts.run_id, name, kind, exc_info=details)
        self.outbox.mark_failed(outgoing, error)

    def _write_failed(self, outgoing: Outgoing[Command]) -> None:
        """Count what may be lost. A request goes on waiting: it may have arrived, and its time limit runs."""
        if outgoing.on_written is not None:
            outgoing.on_written()
        if outgoing.item is DIRTY or outgoing.kind is Kind.CONTROL:
            return  # every socket has its own
        if outgoing.lane is not None and self.life.is_live:
            self.outbox.take_back(outgoing.lane)
            return
        self.accounts.counters.messages_lost += 1
        log.warning("[%s] the connection ended while %s was written", self.accounts.run_id, _name_of(outgoing.item))


@attrs.define(eq=False)
class _Asked(Generic[R]):
    """A request that waits, and until when it does."""

    request: Request[R]
    scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    """Ends with its patience."""
    overdue: Callable[[], Exception] = attrs.field(init=False)
    """Makes what is raised then."""

    def __attrs_post_init__(self) -> None:
        self.overdue = partial(RequestTimedOutError, type(self.request).__name__, self.request.LIMIT)

    @property
    def family(self) -> Family:
        return self.request.family

    def begin(self) -> None:
        """Let the safety limit run, unless another one does."""
        if self.scope.deadline == math.inf:  # pragma: no branch - an answer may overtake the writer's own word
            self.scope.deadline = trio.current_time() + self.request.LIMIT

    def accept(self, message: Mapping[str, object], /) -> R | None:
        answer = self.request.accept(message)
        if answer is None and (last := self.request.last_wait(message)) is not None:
            self.scope.deadline = trio.current_time() + last.seconds
            self.overdue = last.error
        return answer


def _aged(command: Command, remaining: float | None) -> Command:
    """Give a display that is shown again the time that is left of its duration."""
    if remaining is None or not isinstance(command, DisplayEvent):
        return command
    return attrs.evolve(command, duration=max(remaining, _SHORTEST_DURATION))


def _not_written(command: Command, error: Exception) -> ValueError:
    failed = ValueError(f"{_name_of(command)} cannot be written as JSON; look at its arguments")
    failed.__cause__ = error
    return failed


def _name_of(command: Command) -> str:
    return command.type if isinstance(command, RawCommand) else command.TYPE
