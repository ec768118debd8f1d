"""Live video (P3 6)."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs

_LIMITS = {"width": (320, 1920), "height": (240, 1080), "frame_rate": (10, 60), "bitrate": (100_000, 10_000_000)}
"""What glasses can do (P3 6.1)."""


class VideoState(enum.StrEnum):
    """Where a stream stands.

    Direct streams that fail are told as stopped by today's cloud (P3 6.2).
    """

    INITIALIZING = "initializing"
    """It starts, or comes back after a loss between glasses and server."""
    ACTIVE = "active"
    """Video flows, as far as the cloud knows."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    TIMEOUT = "timeout"
    """The phone was silent for about 55 s."""
    ERROR = "error"
    UNKNOWN = "unknown"
    """A word that this SDK does not know."""

    @classmethod
    def _missing_(cls, value: object) -> VideoState:
        return _OTHER_WORDS.get(value, cls.UNKNOWN) if isinstance(value, str) else cls.UNKNOWN

    @property
    def is_end(self) -> bool:
        """Whether nothing comes after it."""
        return self in {VideoState.STOPPED, VideoState.TIMEOUT, VideoState.ERROR}


_OTHER_WORDS = {
    "preparing": VideoState.INITIALIZING,
    "connecting": VideoState.INITIALIZING,
    "reconnecting": VideoState.INITIALIZING,
    "streaming": VideoState.ACTIVE,
    "reconnected": VideoState.ACTIVE,
    "disconnected": VideoState.STOPPED,
    "reconnect_failed": VideoState.STOPPED,
}
"""The words of the glasses, as the cloud translates them (P3 6.2)."""


@attrs.frozen(kw_only=True)
class RestreamTarget:
    """Where a managed stream also goes, as the cloud tells."""

    url: str = attrs.field(repr=False)
    """With its key: do not log it."""
    name: str | None = None
    """As it was given; `None` where the cloud does not say."""
    status: str | None = None
    """`active`, `error`, `stopped` or `unknown`."""
    error: str | None = None
    """What is wrong; `None` where nothing is."""
    target_id: str | None = None
    """The cloud's name for it. Told, as what follows, by `fetch_targets` alone."""
    package_name: str | None = None
    """Which app has added it."""


@attrs.frozen(kw_only=True)
class VideoUrls:
    """Where a managed stream can be watched.

    Which of them work depends on the stream (P3 6.3).
    """

    hls: str | None = None
    """Works with restream targets."""
    dash: str | None = None
    """Works with restream targets."""
    webrtc: str | None = None
    """WHEP; works without restream targets."""
    preview: str | None = None
    """A page with a player; comes some seconds after the start."""
    thumbnail: str | None = None
    """A picture of it; comes with the page."""


@attrs.frozen(kw_only=True)
class VideoStatus:
    """What the cloud last told of a stream."""

    stream_id: str
    """The cloud's name for it; empty where it does not say."""
    state: VideoState
    """Where it stands."""
    is_managed: bool
    """Whether the cloud takes it, and not a server of the app's own."""
    message: str = ""
    """The cloud's words, often empty."""
    urls: VideoUrls = attrs.field(factory=VideoUrls)
    """Of managed streams."""
    targets: tuple[RestreamTarget, ...] = ()
    """Of managed streams."""


@attrs.frozen(kw_only=True)
class ExistingVideo:
    """A stream of the wearer that goes on, whoever started it."""

    stream_id: str
    """The cloud's name for it; empty where it does not say."""
    is_managed: bool
    """Whether the cloud takes it, and not a server of an app's own."""
    state: VideoState
    """`ACTIVE`, whatever it is: today's cloud says nothing else here."""
    created_at: datetime | None = None
    """Since when (UTC); `None` where the cloud does not say."""
    package_name: str | None = None
    """Who started it; told of direct streams alone."""
    stream_url: str | None = attrs.field(default=None, repr=False)
    """Where it goes, with its key; told of direct streams alone."""
    viewers: int | None = None
    """How many apps watch; told of managed streams alone."""
    urls: VideoUrls = attrs.field(factory=VideoUrls)
    """Where it can be watched; told of managed streams alone."""


@attrs.frozen(kw_only=True)
class VideoOptions:
    """How video is encoded; the glasses choose what is `None`.

    Raises:
        TypeError, ValueError: no whole number, or one that they would clamp.
    """

    width: int | None = None
    """Pixels, 320 to 1920."""
    height: int | None = None
    """Pixels, 240 to 1080."""
    frame_rate: int | None = None
    """Pictures a second, 10 to 60."""
    bitrate: int | None = None
    """Bits a second, 100 000 to 10 000 000."""

    def __attrs_post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = _whole(name, getattr(self, name))
            if value is not None and not low <= value <= high:
                msg = f"{name} is {value!r}; it goes from {low} to {high}"
                raise ValueError(msg)


@attrs.frozen(kw_only=True)
class AudioOptions:
    """How the sound of a stream is encoded; the glasses choose what is `None`.

    Raises:
        TypeError, ValueError: a value of another kind, or a number that is not positive.
    """

    bitrate: int | None = None
    """Bits a second."""
    sample_rate: int | None = None
    """Samples a second."""
    echo_cancellation: bool | None = None
    """Whether the wearer's own echo is taken out."""
    noise_suppression: bool | None = None
    """Whether noise is taken out."""

    def __attrs_post_init__(self) -> None:
        for name in ("bitrate", "sample_rate"):
            value = _whole(name, getattr(self, name))
            if value is not None and value <= 0:
                msg = f"{name} is {value!r}; it is positive"
                raise ValueError(msg)
        for name in ("echo_cancellation", "noise_suppression"):
            choice: object = getattr(self, name)
            if not isinstance(choice, bool | None):
                msg = f"{name} is {choice!r}; pass True, False or None"
                raise TypeError(msg)


def _whole(name: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    msg = f"{name} is {value!r}; pass a whole number, or None"
    raise TypeError(msg)
