"""Photos of the camera, and its field of view (P3 5, P3 7)."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs


class PhotoSize(enum.StrEnum):
    """How large a photo is, over Wi-Fi and in brackets where the glasses have none.

    Protocol: P3 5.2.
    """

    SMALL = "small"
    """640 x 480 (400 x 300)."""
    MEDIUM = "medium"
    """1280 x 960 (640 x 480)."""
    LARGE = "large"
    """1920 x 1440 (800 x 600)."""
    FULL = "full"
    """3264 x 2448 (1024 x 768)."""


class PhotoCompression(enum.StrEnum):
    """What the glasses do to a photo before they upload it over Wi-Fi.

    Protocol: P3 5.2.
    """

    NONE = "none"
    """Nothing."""
    MEDIUM = "medium"
    """About three quarters of the width, quality 80."""
    HEAVY = "heavy"
    """About half of the width, quality 60."""


class FovPosition(enum.StrEnum):
    """Which part of the picture a narrower field of view shows.

    Protocol: P3 7.
    """

    CENTER = "center"
    TOP = "top"
    BOTTOM = "bottom"


@attrs.frozen(kw_only=True)
class Photo:
    """A photo that arrived."""

    data: bytes = attrs.field(repr=False)
    """The image as the glasses sent it: JPEG, from today's glasses."""
    content_type: str
    """What the uploader called it, such as `image/jpeg`. Anybody can claim anything: look at the bytes."""
    filename: str
    """The uploader's name for it. Not a safe path."""
    request_id: str
    """The random id under which it was asked for."""
    received_at: datetime
    """When the upload was complete (UTC)."""


@attrs.frozen(kw_only=True)
class PhotoForwarded:
    """A photo that goes elsewhere. It says that the glasses were told, not that a photo was taken.

    Protocol: P3 5.7.
    """

    request_id: str
    """The random id that the upload carries."""
    url: str = attrs.field(repr=False)
    """Where the glasses were told to upload it. It may hold a token."""
