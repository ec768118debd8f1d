"""Every exception of the package. Who must act is part of the class.

::

    MentraError
    ├── ConfigError                 you: a setting of the app is missing or wrong
    ├── SessionError
    │   ├── SessionClosedError      nobody: the session is over; `reason` says why
    │   ├── LinkDownError           you: slow down or wait; no link and no room to queue
    │   └── LinkLostError           nobody: the link was given up; the last cause is chained
    ├── TransportError              the network; users only meet it as `__cause__`
    │   ├── ConnectFailedError      no connection could be made
    │   └── TransportClosedError    the connection ended
    ├── ProtocolError
    │   ├── DecodeError             the cloud sent what cannot be read
    │   ├── HandshakeError          the cloud refused the connection; `code`
    │   └── HostNotAllowedError     a webhook named a host that is not allow-listed
    ├── RequestError
    │   ├── CloudRefusedError       the cloud said no; `code`, `text`
    │   ├── PermissionDeniedError   you: the app does not declare what it needs; `permission`
    │   ├── DeviceUnavailableError  the wearer: glasses or phone are away, or cannot do it
    │   ├── PhotoError              no photo was taken or arrived; `code`, `stage`
    │   ├── StreamError             a video stream did not start; `code`
    │   ├── LedError                the glasses did not switch their light; `text`
    │   ├── StorageError            stored values cannot be read or written now; `status`
    │   │   ├── StorageLimitError   you: a value, or all of them together, are too large; `size`, `limit`
    │   │   └── StorageRateError    you: too many calls; `retry_after`
    │   ├── CloudUnreachableError   the network: no answer over HTTP; the cause is chained
    │   ├── PlaybackError           a sound was not played, or a newer one of this app has ended it; `text`
    │   └── RequestTimedOutError    no answer within the safety limit; `seconds`
    └── SlowConsumerError           your loop did not keep up; `stream`, `capacity`

A wrong argument of a call is a `ValueError` or `TypeError`, raised at the call, before anything is sent. No message
holds speech, keys or other content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class MentraError(Exception):
    """Root of all errors that this package raises on purpose."""


class ConfigError(MentraError):
    """A setting of the app is missing or wrong. The app's author must act."""


class SessionError(MentraError):
    """Something about the session as a whole."""


class SessionClosedError(SessionError):
    """The session is over, so the call cannot be carried out."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the session is over ({reason}); wait for the wearer to start the app again")
        self.reason = reason
        """Why the session ended, as in `session.stop_reason`."""


class LinkDownError(SessionError):
    """There is no room for another command or request: the link is down, or the other side slower than the app."""

    def __init__(self, capacity: int, *, are_sent: bool = False) -> None:
        super().__init__(
            f"{capacity} requests are already waiting for their answers; wait for some of these or ask less often"
            if are_sent
            else f"{capacity} commands are already waiting to be sent; wait until session.link_state says CONNECTED "
            "or send less often"
        )
        self.capacity = capacity
        """How many may wait."""


class LinkLostError(SessionError):
    """The link to the cloud was given up. The last failure is chained as `__cause__`."""


class TransportError(MentraError):
    """The network seam failed. Users meet it only as `__cause__`."""


class ConnectFailedError(TransportError):
    """No connection could be made."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status of a refused upgrade, or `None` when there was no HTTP answer."""


class TransportClosedError(TransportError):
    """The connection ended."""

    def __init__(self, code: int, reason: str = "") -> None:
        text = f": {reason}" if reason else ""
        super().__init__(f"the connection was closed with code {code}{text}")
        self.code = code
        """WebSocket close code; 1006 when the connection ended without a close frame."""
        self.reason = reason
        """Text of the close frame, often empty."""


class ProtocolError(MentraError):
    """The other side does not keep to the protocol."""


class DecodeError(ProtocolError):
    """A message cannot be read. It names the message type and the fields at fault, never their content."""

    def __init__(self, message_type: str | None, paths: Sequence[str]) -> None:
        what = f"a message of type {message_type[:60]!r}" if message_type else "a message"
        super().__init__(f"{what} cannot be read: {'; '.join(paths)}")
        self.message_type = message_type
        """`type` of the message where it had one."""
        self.paths = tuple(paths)
        """What is wrong, one entry a field."""


class HandshakeError(ProtocolError):
    """The cloud refused the connection for good.

    Protocol: P1 2.5, 2.6.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"the cloud refused the connection with {code}: {text}")
        self.code = code
        """Code of the refusal, such as `INVALID_API_KEY`."""
        self.text = text
        """The cloud's own words."""


class HostNotAllowedError(ProtocolError):
    """A webhook named a host that this app does not trust, so nothing was sent there.

    Design: D14.
    """


class RequestError(MentraError):
    """A single request failed; the session goes on."""


class CloudRefusedError(RequestError):
    """The cloud said no."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"the cloud refused the request with {code}: {text}")
        self.code = code
        """Code of the refusal (P1 2.5)."""
        self.text = text
        """The cloud's own words."""


class PermissionDeniedError(RequestError):
    """The app lacks a permission. Its author adds it in the MentraOS console."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"this needs the permission {permission}; declare it for the app in the MentraOS console")
        self.permission = permission
        """Name of the permission, such as `CAMERA` (P1 4.3)."""


class DeviceUnavailableError(RequestError):
    """The phone or the glasses are away, or cannot do what was asked. The wearer must act, if anybody can."""


class PhotoError(RequestError):
    """A photo could not be taken, or did not arrive.

    Protocol: P3 5.5.
    """

    def __init__(self, code: str, text: str, *, stage: str | None = None, url: str | None = None) -> None:
        super().__init__(f"no photo: {code}{f': {text}' if text else ''}")
        self.code = code
        """What went wrong, an open set: `CAMERA_BUSY`, `UPLOAD_FAILED`, `BATTERY_LOW` ... of the glasses and the phone;
        `UPLOAD_MISSING` when they say that the photo was uploaded and it never came here."""
        self.text = text
        """The words of whoever told it, often empty."""
        self.stage = stage
        """How far it had come, such as `CAMERA_INIT`; `None` where nobody said."""
        self.url = url
        """Where the photo is said to be, for `UPLOAD_MISSING`."""


class StreamError(RequestError):
    """A video stream could not be started.

    Protocol: P3 6.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"no video stream: {code}{f': {text}' if text else ''}")
        self.code = code
        """What went wrong, such as `ERROR`, `STOPPED` or `TIMEOUT`."""
        self.text = text
        """The cloud's words, often empty."""


class LedError(RequestError):
    """The glasses did not switch their light.

    Protocol: P3 8.3.
    """

    def __init__(self, text: str) -> None:
        super().__init__(f"the glasses did not switch their light{f': {text}' if text else ''}")
        self.text = text
        """The phone's words, such as `busy`; often empty."""


class StorageError(RequestError):
    """Stored values could not be read or written. What was to be written is kept and tried again."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status of the cloud's answer; `None` when there was none."""


class StorageLimitError(StorageError):
    """More was to be stored than the cloud takes. The app's author must act: store less, or delete.

    Protocol: P3 9.4.
    """

    def __init__(self, what: str, size: int | None, limit: int, *, status: int | None = None) -> None:
        have = "has more than" if size is None else f"has {size} UTF-16 units, more than"
        super().__init__(
            f"{what} {have} the {limit} that the cloud stores; store less, or delete other keys", status=status
        )
        self.size = size
        """UTF-16 units of the value, or of all values together; `None` where the cloud counted."""
        self.limit = limit
        """The most that is allowed."""


class StorageRateError(StorageError):
    """The app called the storage too often. Its author must act: write less often."""

    def __init__(self, retry_after: float | None) -> None:
        when = "in a minute" if retry_after is None else f"in {retry_after:g} s"
        super().__init__(
            f"the cloud says that the app uses the storage too often; it is tried again {when}", status=429
        )
        self.retry_after = retry_after
        """Seconds until the cloud takes calls again; `None` where it did not say."""


class CloudUnreachableError(RequestError):
    """The cloud could not be reached over HTTP. The network must act; try again later. The cause is chained."""


class PlaybackError(RequestError):
    """The phone could not play a sound, or a stream of sound was ended by a newer sound of this app.

    Protocol: P3 4.
    """

    def __init__(self, text: str, *, is_interrupted: bool = False) -> None:
        super().__init__(f"the sound was not played: {text or 'the phone does not say why'}")
        self.text = text
        """The phone's own words, often empty."""
        self.is_interrupted = is_interrupted
        """Whether this app did it, by a newer sound or a stop."""


class RequestTimedOutError(RequestError):
    """No answer came within the request's safety limit."""

    def __init__(self, request: str, seconds: float, advice: str = "the glasses or the phone may be away") -> None:
        super().__init__(f"{request} was not answered within {seconds:g} s; {advice}")
        self.seconds = seconds
        """The safety limit in seconds, counted from the moment the request was written."""


class SlowConsumerError(MentraError):
    """A loop over a stream did not keep up, and the stream may not lose items, so it ended."""

    def __init__(self, stream: str, capacity: int) -> None:
        super().__init__(
            f"the loop over {stream} is {capacity} items behind and the stream may not drop any; "
            "do slow work in another task, or open the stream anew"
        )
        self.stream = stream
        """Name of the stream."""
        self.capacity = capacity
        """How many items it holds."""
