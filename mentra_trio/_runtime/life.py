"""Whether the session goes on, and where its link stands."""

from __future__ import annotations

import attrs
import trio

from mentra_trio._flow import Latest, LatestSource
from mentra_trio.errors import ConnectFailedError, MentraError, SessionClosedError
from mentra_trio.models.session import LinkState, StopKind, StopReason


@attrs.define(eq=False)
class Life:
    """The life of one logical session (D17), over all its connections."""

    over: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when the session is over, whoever ended it; the link may still be up."""
    ready: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set by the first ack."""
    hurry: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when the server is stopping: what takes its time gets less of it."""
    stop_reason: StopReason | None = attrs.field(init=False, default=None)
    error: MentraError | None = attrs.field(init=False, default=None)
    """Why the session ended, where nobody asked for it."""
    connect_error: ConnectFailedError | None = attrs.field(init=False, default=None)
    """Why the last attempt to connect failed; `None` when it did not."""
    _link_state: LatestSource[LinkState] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._link_state = LatestSource(LinkState.CONNECTING)

    @property
    def is_live(self) -> bool:
        """Whether the session goes on."""
        return self.stop_reason is None

    @property
    def link_state(self) -> Latest[LinkState]:
        """Where the link stands."""
        return self._link_state.latest

    @property
    def is_connected(self) -> bool:
        """Whether the cloud has acknowledged the present socket."""
        return self.link_state.value is LinkState.CONNECTED

    def connected(self) -> None:
        """Note that the cloud has acknowledged the present socket."""
        self._link_state.set(LinkState.CONNECTED)
        self.ready.set()

    def parked(self) -> None:
        """Note that the cloud holds the present socket back."""
        self._link_state.set(LinkState.PARKED)

    def disconnected(self) -> None:
        """Note that the link is down, for now."""
        self._link_state.set(LinkState.RECONNECTING if self.ready.is_set() else LinkState.CONNECTING)

    def link_closed(self) -> None:
        """Note that the link is down for good."""
        self._link_state.set(LinkState.CLOSED)
        self._link_state.close(self.closed_error)

    def end(self, reason: StopReason, error: MentraError | None) -> bool:
        """End the session; return whether it went on until then. The first reason stays."""
        if reason.kind is StopKind.SERVER_STOPPED:
            self.hurry.set()
        if self.stop_reason is not None:
            return False
        self.stop_reason = reason
        self.error = error
        self.over.set()
        return True

    def closed_error(self) -> SessionClosedError:
        """Make the error of whoever uses the session after its end."""
        error = SessionClosedError(str(self.stop_reason or StopReason(StopKind.LINK_LOST)))
        error.__cause__ = self.error
        return error
