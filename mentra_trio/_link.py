"""What managers may ask of a session: a few verbs, implemented by the runtime. And what its statistics hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import attrs

from ._flow import EventStream, HubStatistics, Latest, OutboxStatistics, Overflow
from ._wire.streams import PlainSubscription, Subscription
from .models.device import Capabilities, DeviceState
from .models.location import LocationFix
from .models.permissions import Permissions
from .models.settings import SystemSettings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from zoneinfo import ZoneInfo  # noqa: TC004 - nobody evaluates it

    from ._wire.outbound import Command, Request
    from ._wire.permissions import Requirement
    from ._wire.rest import RestRequest

T = TypeVar("T")
R = TypeVar("R")


@attrs.frozen(kw_only=True)
class StreamSpec(Generic[T]):
    """A stream that can be opened: what to subscribe, what arrives, and what happens to a slow consumer."""

    name: str
    """How messages and statistics call it."""
    keys: tuple[Hashable, ...]
    """Hub keys under which the runtime publishes values of type T."""
    subscriptions: tuple[Subscription, ...] = ()
    """What the cloud has to be told; nothing for what it sends unasked."""
    capacity: int
    """Unread items that the stream holds."""
    overflow: Overflow
    """What happens beyond that."""
    coalesce_key: Callable[[T], Hashable | None] | None = None
    """For `Overflow.COALESCE`: items with the same key replace each other while unread. `None` is never dropped, nor is
    `Last`, behind which its key begins anew."""
    where: Callable[[T], bool] | None = None
    """Which of the published values this stream wants."""


@attrs.frozen(kw_only=True)
class SessionState:
    """What the cloud keeps telling, newest value only."""

    device: Latest[DeviceState]
    capabilities: Latest[Capabilities | None]
    settings: Latest[Mapping[str, object]]
    system: Latest[SystemSettings]
    zone: Latest[ZoneInfo | None]
    location: Latest[LocationFix | None]
    speaking: Latest[bool]
    """Whether somebody speaks, as long as a stream of voice activity is open and the link is up."""
    permissions: Latest[Permissions]


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
    requests_refused: int
    """Requests that were not made because too many were waiting for their answers."""
    unencodable: int
    """Commands that could not be written as JSON and were dropped."""
    undecodable: int
    """Text frames or events that could not be read and were dropped."""
    faulty_fields: int
    """Fields of a wrong type that were treated as absent."""
    unknown_messages: int
    """Messages of a type that this SDK has no class for; `session.raw.messages()` has them."""
    unclaimed_events: int
    """Events and sound that arrived when no stream was open for them."""
    foreign_transcripts: int
    """Copies of other apps' transcripts and translations that were dropped (P2 3.5, 4.4)."""
    outbox: OutboxStatistics
    """What waits to be sent, and what was coalesced, withdrawn or refused there."""
    streams: HubStatistics
    """Open streams one by one and closed ones in sum: received, delivered, coalesced, dropped."""


class Rest(Protocol):
    """The cloud's HTTP interface as managers see it (P1 8). It needs no link: it works while that is down."""

    async def call(self, request: RestRequest[R]) -> R:
        """Send a request to the cloud that owns the session, and read its answer.

        Nothing is tried twice. Cancelling gives the request up; whether it has arrived is then not known.

        Raises:
            CloudUnreachableError: there was no answer.
            RequestTimedOutError: there was none within the request's `LIMIT`.
            CloudRefusedError, DecodeError: what the request says of the answer.
            ValueError, TypeError: JSON cannot hold the request.
            SessionClosedError: the link is closed; until then it works in the grace of a session that is over.
        """
        ...

    async def wait_turn(self) -> None:
        """Wait until earlier runs of the app for this wearer have asked for the last time. Mostly there is none.

        One that is over has its grace, beside the run that follows it (D7). That takes at most 15 s, counted from the
        first time that this run waits.
        """
        ...

    def pause(self, failures: int) -> float:
        """Give the seconds to wait before another try, after so many failures: longer each time, and not the same."""
        ...

    def check(self) -> None:
        """Raise `SessionClosedError` when `call` would."""
        ...


class Link(Protocol):
    """The session as managers see it."""

    @property
    def package_name(self) -> str:
        """The app."""
        ...

    @property
    def base_url(self) -> str:
        """Where the cloud's HTTP API is reached now (P1 8.1); another cloud may take the session over (D17)."""
        ...

    @property
    def state(self) -> SessionState:
        """Current values with their changes."""
        ...

    @property
    def rest(self) -> Rest:
        """The cloud's HTTP interface."""
        ...

    def subscribe(self, spec: StreamSpec[T]) -> EventStream[T]:
        """Make an unopened stream; opening it subscribes, closing it unsubscribes. Never blocks.

        Opening raises `PermissionDeniedError` when the app is known not to declare what a subscription needs (P2 9.1).
        """
        ...

    def hears(self, key: Hashable) -> bool:
        """Tell whether a stream is open for what is published under a hub key."""
        ...

    async def require(self, requirement: Requirement) -> None:
        """Let pass what the app declares, and everything as long as nothing is known (P2 9).

        What `subscribe`, `send` and `call` are given is held against it anyway. Waits at most 2 s: for a first
        answer, or for a newer one where an old one denies it. Where the cloud does not insist on a permission, its lack
        is a warning.

        Raises:
            PermissionDeniedError: the app is known not to declare the permission.
        """
        ...

    async def fetch_permissions(self) -> Permissions:
        """Ask what the app declares, unless an answer of the last 5 minutes is there.

        Raises:
            CloudUnreachableError, RequestTimedOutError, CloudRefusedError, DecodeError: there was no answer.
        """
        ...

    def post(
        self, lane: str, command: Command, *, lifetime: float | None = None, at_first: Command | None = None
    ) -> None:
        """Put the newest state into a paced lane. Never blocks; an unsent older one is replaced and counted (D9).

        `lifetime` is how many seconds the state stays true, for sending it again after a lost connection. A state that
        has one is sent when the boot screen of the cloud is over (P3 1.4).

        `at_first` is the state before the first command. With it, a state that the cloud has already is not sent.

        Raises:
            SessionClosedError: the session is over.
        """
        ...

    async def send(
        self, command: Command, *, on_written: Callable[[], None] | None = None, until_taken: bool = False
    ) -> None:
        """Queue a command: at once while the link is up, otherwise when the writer takes it (D9).

        `until_taken` waits for the writer in any case, so that whoever sends much feels how fast the network is.
        `on_written` is as for `call`.

        Cancelling withdraws a command that still waits.

        Raises:
            PermissionDeniedError: the app is known not to declare what the command needs.
            LinkDownError: too many commands are waiting.
            SessionClosedError: the session is over.
        """
        ...

    def send_nowait(self, command: Command) -> None:
        """Queue a command and wait for nothing, also while the link is down: for clean-up. Never blocks or raises.

        It is left out when too many commands are waiting, which is counted, and when the session is over.
        """
        ...

    def raw(self, name: str, fields: Mapping[str, object]) -> Command:
        """Make a command of fields that are spelled by hand, stamped with the envelope.

        Raises:
            ValueError, TypeError: JSON cannot hold the fields, or one of them contradicts the envelope.
        """
        ...

    async def call(
        self,
        request: Request[R],
        *,
        on_taken: Callable[[], None] | None = None,
        on_written: Callable[[], None] | None = None,
    ) -> R:
        """Send a request and wait for its answer, for at most its `LIMIT` seconds from the write (D9).

        `on_taken` is called by the writer when the request can be withdrawn no more, `on_written` when it has left, or
        may have. Writing may take seconds. Neither may raise.

        Cancelling withdraws the request if the writer has not taken it yet; a later answer is then ignored. Whoever has
        to undo what a request begins asks `on_taken`: a cancelled call that was taken is written all the same.

        Raises:
            CloudRefusedError: the cloud said no.
            PermissionDeniedError: because the app lacks a permission.
            DeviceUnavailableError: because the phone or the glasses are away.
            RequestTimedOutError: no answer in time.
            LinkDownError, SessionClosedError: as `send`.
        """
        ...

    async def offload(self, work: Callable[[], T]) -> T:
        """Run a plain function that takes its time without holding up the thread (D22).

        Cancelling waits for its end.
        """
        ...

    def start(self, service: Callable[[], Awaitable[None]]) -> None:
        """Run a manager's task beside the handler, until the link is closed. Never blocks.

        It is cancelled after the handler's clean-up. What it raises is logged as a bug, and ends it alone.
        """
        ...

    def last_word(self, say: Callable[[], Command | None]) -> AbstractContextManager[None]:
        """Have a command sent in the moment in which the session is over, if that is while the block runs.

        When the wearer stops the app, the cloud closes the link right after the webhook was answered, long before tasks
        and the handler have finished; so the answer waits for a moment until the cloud has read this (P1 1.2). `say`
        must not raise.
        """
        ...

    def at_end(self, duty: Callable[[], Awaitable[None]]) -> None:
        """Have a manager finish its work when the handler has ended, before the link is closed. Never blocks.

        All duties run beside each other, within the session's `finish_timeout`, then they are cancelled.
        """
        ...


@attrs.define(eq=False)
class EventSource(Generic[T]):
    """A kind of event that can be streamed."""

    _link: Link
    _spec: StreamSpec[T]

    def stream(self) -> EventStream[T]:
        """Open a stream of these events."""
        return self._link.subscribe(self._spec)


def plain_source(
    link: Link,
    name: str,
    stream: str,
    *,
    capacity: int,
    overflow: Overflow,
    coalesce_key: Callable[[T], Hashable | None] | None = None,
) -> EventSource[T]:
    """Make the source of a stream that is subscribed by its bare name, and arrives under it."""
    return EventSource(
        link,
        StreamSpec(
            name=name,
            keys=(stream,),
            subscriptions=(PlainSubscription(stream),),
            capacity=capacity,
            overflow=overflow,
            coalesce_key=coalesce_key,
        ),
    )
