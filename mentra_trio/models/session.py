"""Words about a session as a whole."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from datetime import datetime

import attrs


class LinkState(enum.StrEnum):
    """Where the link to the cloud stands."""

    CONNECTING = "connecting"
    """The first connection is being made; the handler has not started."""
    CONNECTED = "connected"
    """The cloud has acknowledged this socket; what you send goes out."""
    RECONNECTING = "reconnecting"
    """The socket is gone; the SDK is getting a new one. Commands wait."""
    PARKED = "parked"
    """The cloud keeps the socket but does not know the session yet, for example after its restart (P1 2.6)."""
    CLOSED = "closed"
    """The session is over."""


class StopKind(enum.StrEnum):
    """Who ended a session, and how."""

    STOP_REQUESTED = "stop_requested"
    """The cloud called the webhook with a `stop_request`: the wearer or the system stopped the app (P1 1.2)."""
    STOPPED_BY_CLOUD = "stopped_by_cloud"
    """The cloud said `app_stopped`, or closed the socket for good (P1 2.7, 2.9)."""
    REFUSED = "refused"
    """The cloud refused the connection for good (P1 2.5, 2.6)."""
    LINK_LOST = "link_lost"
    """No connection could be made for a long time; the link was given up (D20)."""
    ENDED_BY_APP = "ended_by_app"
    """The app called `session.end()`."""
    HANDLER_FAILED = "handler_failed"
    """The session handler kept crashing and its restarts were used up (D6)."""
    SERVER_STOPPED = "server_stopped"
    """The app's own server is shutting down. The cloud starts the app again when the server is back."""


PLAIN_WORDS = re.compile(r"[A-Za-z0-9_ .,:;()'/-]{1,100}", re.ASCII)
"""What may be logged of another side's words: no e-mail address, no control characters, not endless."""


@attrs.frozen
class StopReason:
    """Why a session ended."""

    kind: StopKind
    """Who ended it, and how."""
    detail: str = ""
    """The other side's own word where there is one, such as `user_disabled` or `NOT_RUNNING`. Treat it as text."""

    def __str__(self) -> str:
        """Give it for a log: a detail that may name somebody is left out (D23)."""
        return f"{self.kind.value} ({self.detail})" if PLAIN_WORDS.fullmatch(self.detail) else self.kind.value


@attrs.frozen(kw_only=True)
class HandlerCrash:
    """A handler of the app raised (D6)."""

    handler: str
    """Which: `session`, `stop` or `settings`."""
    error: BaseException
    """What it raised; a group where several tasks of it failed."""
    count: int = 1
    """How often it has crashed within the window of the restart policy, this time included."""
    restart_in: float | None = None
    """Seconds until it is started again; `None` when it is not."""
    is_last: bool = False
    """Whether the session ends because of it."""


@attrs.frozen(kw_only=True)
class RawMessage:
    """A message of the cloud as it came, for what has no manager."""

    type: str
    """`type` of the message; empty when it had none."""
    fields: Mapping[str, object] = attrs.field(repr=False)
    """The whole JSON object. Do not change it. It may hold secrets, so it is not part of the `repr`."""
    received_at: datetime
    """When this process received it (UTC)."""


@attrs.frozen(kw_only=True)
class RawEvent:
    """An event of a subscribed stream as it came.

    Protocol: P2 1.2.
    """

    stream_type: str
    """The stream's name as the cloud sent it, with options."""
    data: object = attrs.field(repr=False)
    """The JSON value of the event. Do not change it. It is private, so it is not part of the `repr`."""
    sent_at: datetime | None
    """When the cloud sent it (UTC)."""
    received_at: datetime
    """When this process received it (UTC)."""
