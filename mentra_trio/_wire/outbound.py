"""Messages that an app sends to the cloud (P1 10.1)."""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Mapping
from typing import ClassVar, Generic, TypeVar

import attrs

from mentra_trio.models.layouts import Layout

from .permissions import Requirement  # noqa: TC001  (a type of class variables is looked at by cattrs too)

R = TypeVar("R")


class Stamp(enum.Flag):
    """Which envelope fields a command carries on the wire."""

    NONE = 0
    PACKAGE = enum.auto()
    SESSION = enum.auto()
    TIME = enum.auto()
    ALL = PACKAGE | SESSION | TIME


@attrs.frozen(kw_only=True)
class Envelope:
    """What the writer stamps on a command at the moment it is written."""

    package_name: str
    session_id: str
    timestamp: str
    """ISO 8601 in UTC with milliseconds."""


class Command:
    """Base of all messages from the app. Subclasses name their `TYPE`, which envelope they carry, and their fields."""

    __slots__ = ()
    TYPE: ClassVar[str]
    STAMP: ClassVar[Stamp] = Stamp.ALL
    NEEDS: ClassVar[Requirement | None] = None
    """The permission without which it is not sent (P2 9.1)."""


class Family(enum.Enum):
    """Groups of requests that a refusal without an id can mean (P3 0.4)."""

    PHOTO = "photo"
    STREAM = "stream"
    AUDIO = "audio"
    LED = "led"
    FOV = "fov"
    OTHER = "other"


@attrs.frozen(kw_only=True)
class LastWait:
    """How long a request still waits once it was told that its answer is on its way."""

    seconds: float
    """Takes the place of the safety limit."""
    error: Callable[[], Exception]
    """Makes what is raised when the answer does not come."""


class Request(Command, Generic[R]):
    """A command that is answered.

    `accept` is a pure function that says whether a message of the cloud is the answer, and reads it. `LIMIT` is the
    safety limit in seconds, counted from the write; `last_wait` reads messages that change it.
    """

    __slots__ = ()
    FAMILY: ClassVar[Family] = Family.OTHER
    LIMIT: ClassVar[float]

    @property
    def family(self) -> Family:
        """Which requests fail together with this one."""
        return self.FAMILY

    @abc.abstractmethod
    def accept(self, message: Mapping[str, object], /) -> R | None:
        """Read the answer from a message of the cloud; `None` when it answers something else."""

    def last_wait(self, message: Mapping[str, object], /) -> LastWait | None:
        """Read how long the answer still takes, from a message that is none; `None` when it says nothing of that."""
        del message
        return None


@attrs.frozen(kw_only=True)
class ConnectionInit(Command):
    """First message of a new session: `tpa_connection_init` (P1 2.3)."""

    TYPE: ClassVar[str] = "tpa_connection_init"
    STAMP: ClassVar[Stamp] = Stamp.PACKAGE | Stamp.TIME

    api_key: str = attrs.field(repr=False)
    sdk_version: str
    session_id: str | None = None
    """Only version 2 SDKs name it here; the cloud reads the user from it then (P1 2.2)."""


@attrs.frozen(kw_only=True)
class Reconnect(Command):
    """First message of a socket that goes on with a session: `reconnect` (P1 2.6)."""

    TYPE: ClassVar[str] = "reconnect"
    STAMP: ClassVar[Stamp] = Stamp.SESSION | Stamp.TIME

    sdk_version: str | None = None


@attrs.frozen(kw_only=True)
class SubscriptionUpdate(Command):
    """The full set of streams that the app wants: `subscription_update` (P1 4.1)."""

    TYPE: ClassVar[str] = "subscription_update"

    subscriptions: tuple[object, ...]


@attrs.frozen(kw_only=True)
class OwnershipRelease(Command):
    """Hand the session over before closing: `ownership_release` (P1 2.7)."""

    TYPE: ClassVar[str] = "ownership_release"

    reason: str
    """`switching_clouds`, `clean_shutdown` or `user_logout`."""


@attrs.frozen(kw_only=True)
class JsonPing(Command):
    """Keep-alive that crosses proxies: `ping` (P1 2.8)."""

    TYPE: ClassVar[str] = "ping"
    STAMP: ClassVar[Stamp] = Stamp.NONE


@attrs.frozen(kw_only=True)
class JsonPong(Command):
    """Answer to the cloud's JSON ping: `pong` (P1 2.8)."""

    TYPE: ClassVar[str] = "pong"
    STAMP: ClassVar[Stamp] = Stamp.NONE


@attrs.frozen(kw_only=True)
class DisplayEvent(Command):
    """Show something: `display_event` (P3 1.2)."""

    TYPE: ClassVar[str] = "display_event"

    layout: Layout
    view: str
    """`main`, always: the cloud rewrites an app's `dashboard` to it, and the phone ignores an event without it."""
    duration: float | None = None
    """Seconds until the cloud clears it (`durationMs` on the wire); `None` until it is replaced."""


@attrs.frozen
class RawCommand(Command):
    """A message that the app's author spelled by hand. Made by `codec.raw_command`, which checks it."""

    type: str
    body: str = attrs.field(repr=False)
    """The JSON text of the whole message."""


COMMAND_TYPES: dict[str, type[Command]] = {
    cls.TYPE: cls
    for cls in (
        ConnectionInit,
        Reconnect,
        SubscriptionUpdate,
        OwnershipRelease,
        JsonPing,
        JsonPong,
        DisplayEvent,
    )
}
"""Which class reads which `type`, for the side that receives commands."""
