"""`LinkRuntime`: what managers and the session use of a link. It puts the parts together and hides them."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, cast

import attrs
import trio

from mentra_trio._flow import EventStream, Hub, Latest, Offload, Threads
from mentra_trio._link import SessionState, SessionStatistics, StreamSpec
from mentra_trio._net.rest import HttpClient, NoHttp
from mentra_trio._protocol.subscriptions import claimed_name
from mentra_trio._wire.codec import raw_command
from mentra_trio._wire.outbound import Family
from mentra_trio._wire.permissions import requirement_of
from mentra_trio.errors import LinkDownError, SessionClosedError

from .accounts import Accounts
from .identity import Identity
from .inbound import VOICE_KEY, Inbound
from .life import Life
from .loop import ConnectionLoop
from .outbound import Outbound
from .permissions import PermissionBook, PermissionGate
from .rest import RestSide
from .services import Services
from .state import CloudState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from random import Random

    from mentra_trio._net.limiter import ConnectLimiter
    from mentra_trio._net.transport import CloudUrl, Connector
    from mentra_trio._wire.outbound import Command, RawCommand, Request
    from mentra_trio._wire.permissions import Requirement  # noqa: TC004 - nobody evaluates it
    from mentra_trio._wire.streams import Subscription
    from mentra_trio.config import SessionConfig
    from mentra_trio.errors import ConnectFailedError, MentraError
    from mentra_trio.models.permissions import Permissions
    from mentra_trio.models.session import LinkState, StopReason

T = TypeVar("T")
R = TypeVar("R")


@attrs.define(eq=False, init=False, repr=False)  # it holds ids and the key (D23), and managers show it in theirs
class LinkRuntime:
    """Implements `Link` for one logical session (D17).

    Args:
        session_id: as the cloud calls the session.
        user_id: the wearer.
        package_name: the app.
        api_key: the app's key.
        sdk_version: as the cloud is told.
        url: where the cloud that owns the session is reached.
        connector: opens sockets.
        limiter: says when.
        config: numbers of the link.
        random: chance for the back-off.
        http: makes the requests that need no socket; none can be made unless given.
        permissions: what the app declares, for all of its sessions; asked for anew unless given.
        offload: runs what would hold up the thread (D22); threads of its own unless given.
        run_id: names this session in log records instead of the wearer (D23).
        earlier: runs for the same wearer that are over, and may still have something to do.
        last_start: when the cloud asked for an earlier one of them, on the Trio clock; `-math.inf` if it did not.
    """

    state: SessionState
    rest: RestSide
    _identity: Identity
    _life: Life
    _accounts: Accounts
    _cloud_state: CloudState
    _hub: Hub
    _outbound: Outbound
    _loop: ConnectionLoop
    _services: Services
    _gate: PermissionGate
    _offload: Offload

    def __init__(
        self,
        *,
        session_id: str,
        user_id: str,
        package_name: str,
        api_key: str,
        sdk_version: str,
        url: CloudUrl,
        connector: Connector,
        limiter: ConnectLimiter,
        config: SessionConfig,
        random: Random,
        run_id: str,
        http: HttpClient | None = None,
        permissions: PermissionBook | None = None,
        offload: Offload | None = None,
        earlier: Iterable[LinkRuntime] = (),
        last_start: float = -math.inf,
    ) -> None:
        self._identity = Identity(
            session_id=session_id,
            user_id=user_id,
            package_name=package_name,
            api_key=api_key,
            sdk_version=sdk_version,
        )
        self._life = Life()
        self._accounts = Accounts(run_id)
        self._services = Services(run_id)
        self._offload = offload or Threads()
        self._cloud_state = CloudState()
        self.state = self._cloud_state.view()
        self._hub = Hub(self._stream_changed, self._accounts.dropped)
        self._outbound = Outbound(
            identity=self._identity,
            config=config,
            life=self._life,
            accounts=self._accounts,
            hub=self._hub,
            last_start=last_start,
        )
        inbound = Inbound(
            package_name=package_name,
            life=self._life,
            accounts=self._accounts,
            hub=self._hub,
            state=self._cloud_state,
            offer=self._outbound.offer,
        )
        self._loop = ConnectionLoop(
            url=url,
            identity=self._identity,
            connector=connector,
            limiter=limiter,
            config=config,
            random=random,
            life=self._life,
            accounts=self._accounts,
            inbound=inbound,
            outbound=self._outbound,
            finish=self.finish,
        )
        self.rest = RestSide(
            identity=self._identity,
            life=self._life,
            client=http or NoHttp(),
            random=random,
            get_url=lambda: self._loop.url,
            earlier=tuple(run.rest.closed for run in earlier),
        )
        self._gate = PermissionGate(
            book=permissions or PermissionBook(), rest=self.rest, accounts=self._accounts, start=self._services.start
        )
        self._gate.book.follow(self._permissions_told)

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
            guard=_StreamGuard(self._gate, needed) if (needed := _needs(spec.subscriptions)) else None,
        )

    def hears(self, key: Hashable) -> bool:
        """See `Link.hears`."""
        return self._hub.has(key)

    async def require(self, requirement: Requirement) -> None:
        """See `Link.require`."""
        await trio.lowlevel.checkpoint()
        await self._gate.require((requirement,))

    async def fetch_permissions(self) -> Permissions:
        """See `Link.fetch_permissions`."""
        return await self._gate.book.ask(self.rest)

    def post(
        self, lane: str, command: Command, *, lifetime: float | None = None, at_first: Command | None = None
    ) -> None:
        """See `Link.post`."""
        self._outbound.outbox.post(lane, command, lifetime=lifetime, at_first=at_first)

    async def send(
        self, command: Command, *, on_written: Callable[[], None] | None = None, until_taken: bool = False
    ) -> None:
        """See `Link.send`."""
        if command.NEEDS is not None:
            await self._gate.require((command.NEEDS,))
        await self._outbound.outbox.send(command, on_written=on_written, until_taken=until_taken)

    def raw(self, name: str, fields: Mapping[str, object]) -> RawCommand:
        """See `Link.raw`."""
        return raw_command(name, fields, self._identity.envelope())

    def send_nowait(self, command: Command) -> None:
        """See `Link.send_nowait`."""
        with suppress(LinkDownError, SessionClosedError):
            self._outbound.outbox.send_nowait(command)

    async def call(
        self,
        request: Request[R],
        *,
        on_taken: Callable[[], None] | None = None,
        on_written: Callable[[], None] | None = None,
    ) -> R:
        """See `Link.call`."""
        if request.NEEDS is not None:
            await self._gate.require((request.NEEDS,))
        return await self._outbound.call(request, on_taken, on_written)

    async def offload(self, work: Callable[[], T]) -> T:
        """See `Link.offload`."""
        return await self._offload(work)

    def start(self, service: Callable[[], Awaitable[None]]) -> None:
        """See `Link.start`."""
        self._services.start(service)

    def last_word(self, say: Callable[[], Command | None]) -> AbstractContextManager[None]:
        """See `Link.last_word`."""
        return self._outbound.last_word(say)

    def at_end(self, duty: Callable[[], Awaitable[None]]) -> None:
        """See `Link.at_end`."""
        self._services.at_end(duty)

    def offer(self, message: Mapping[str, object]) -> bool:
        """Give an answer that came by another way than the socket to the request that waits for it."""
        return self._outbound.offer(message)

    @property
    def awaits_photo(self) -> bool:
        """Whether anybody waits for a photo."""
        return self._outbound.awaits(Family.PHOTO)

    # What the session uses

    @property
    def session_id(self) -> str:
        """As the cloud calls the session; the ack may change it (P1 0)."""
        return self._identity.session_id

    @property
    def user_id(self) -> str:
        """The wearer's id: an e-mail address."""
        return self._identity.user_id

    @property
    def package_name(self) -> str:
        """The app."""
        return self._identity.package_name

    @property
    def run_id(self) -> str:
        """Names this session in log records."""
        return self._accounts.run_id

    @property
    def url(self) -> CloudUrl:
        """Where the cloud that owns the session is reached; a redirect changes it."""
        return self._loop.url

    @property
    def base_url(self) -> str:
        """See `Link.base_url`."""
        url = self._loop.url
        return f"{'https' if url.tls else 'http'}://{url.authority}"

    @property
    def link_state(self) -> Latest[LinkState]:
        """Where the link stands."""
        return self._life.link_state

    @property
    def ready(self) -> trio.Event:
        """Set by the first ack."""
        return self._life.ready

    @property
    def informed(self) -> trio.Event:
        """Set by the first state of the glasses, which follows the ack at once (P1 2.4)."""
        return self._cloud_state.informed

    @property
    def over(self) -> trio.Event:
        """Set when the session is over, whoever ended it; the link may still be up."""
        return self._life.over

    @property
    def hurry(self) -> trio.Event:
        """Set when the server is stopping: what takes its time gets less of it."""
        return self._life.hurry

    @property
    def is_live(self) -> bool:
        """Whether the session goes on."""
        return self._life.is_live

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the session ended; `None` while it goes on."""
        return self._life.stop_reason

    @property
    def error(self) -> MentraError | None:
        """Why the session ended, where nobody asked for it."""
        return self._life.error

    @property
    def connect_error(self) -> ConnectFailedError | None:
        """Why the last attempt to connect failed; `None` when it did not."""
        return self._life.connect_error

    @property
    def connections(self) -> int:
        """How many sockets the cloud has acknowledged."""
        return self._accounts.counters.connections

    def statistics(self) -> SessionStatistics:
        """Give the present counts."""
        return self._accounts.statistics(outbox=self._outbound.outbox.statistics(), streams=self._hub.statistics())

    async def run(self) -> None:
        """Keep the session connected until it is over. Expected outcomes are values; only bugs raise."""
        await self._loop.run()

    def finish(self, reason: StopReason, error: MentraError | None = None) -> None:
        """End the session: streams end, pending calls fail, nothing reconnects. The link stays up until `aclose`.

        Idempotent: the first reason stays.
        """
        if not self._life.end(reason, error):
            return
        self._outbound.say_last_words()
        self._hub.end()
        self._outbound.fail_all()
        self._gate.book.unfollow(self._permissions_told)
        self._cloud_state.close(self._life.closed_error)
        if not self._life.is_connected:
            self._outbound.close()  # nothing that waits could still be sent
        self._loop.stop()

    def redirect(self, url: CloudUrl) -> None:
        """Go on over a new socket that begins with an init, because the cloud asked for it (P1 1.6, D17).

        On another cloud's host the old one is told with an `ownership_release`. Never blocks; wait on `link_state`.
        """
        if self._life.is_live:
            self._loop.redirect(url)

    def use_path_of(self, url: CloudUrl) -> None:
        """Take the path of this address of the same cloud for the sockets that come. Never blocks."""
        self._loop.url = url

    async def run_services(self) -> None:
        """Run what managers keep running. Cancelling ends it."""
        # Asked for beside the handshake, so that it is known when the handler opens its first stream.
        self._services.start(self._gate.learn)
        await self._services.run()

    async def finish_duties(self) -> None:
        """Do what managers have left to do, once; after that nothing is asked over HTTP. Callers set the limit."""
        await trio.lowlevel.checkpoint()
        if self.rest.closed.is_set():
            return
        try:
            await self._services.finish()
        finally:
            self.rest.close()

    async def last_words_read(self) -> None:
        """Wait until the cloud has read what was sent when the session ended, if anything was. Callers set the limit.

        Protocol: P1 1.2.
        """
        await trio.lowlevel.checkpoint()
        if self._outbound.has_last_words:
            await self._loop.confirm()

    async def drain(self) -> None:
        """Write all that can still be sent. Callers set the limit."""
        await self._loop.drain()

    async def aclose(self, *, release: str | None = None) -> None:
        """Close the link, politely while the callers' limit lasts. `finish` first."""
        await self._loop.aclose(release)

    def _permissions_told(self, permissions: Permissions) -> None:
        self._cloud_state.permissions.set(permissions)
        for tag in self._hub.open_tags():
            self._gate.warn(_needs(cast("tuple[Subscription, ...]", tag)))  # `subscribe` gives every stream this tag

    def _stream_changed(self, tag: object, is_open: bool) -> None:
        if not self._hub.has(VOICE_KEY):
            self._cloud_state.speaking.set(False)
        # `subscribe` gives every stream this tag.
        self._outbound.claim(cast("tuple[Subscription, ...]", tag), 1 if is_open else -1)


def _needs(subscriptions: Iterable[Subscription]) -> tuple[Requirement, ...]:
    """Tell what subscribing these needs."""
    found = (requirement_of(claimed_name(subscription)) for subscription in subscriptions)
    return tuple(dict.fromkeys(requirement for requirement in found if requirement is not None))


@attrs.frozen
class _StreamGuard:
    """Lets a stream open when the app declares what it needs."""

    _gate: PermissionGate
    _needed: tuple[Requirement, ...]

    async def wait(self) -> None:
        await self._gate.require(self._needed)

    def check(self) -> None:
        self._gate.check(self._needed)
