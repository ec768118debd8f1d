"""Messages outside the stream envelope that tell of something: a stream's status, a button of a dialog ... (P1 10.2).

Such a message may answer a request and be news for everybody else, so it is offered to both.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from .codec import JsonObject
from .payload import Payload
from .video import ANY_STATUS, video_status

NewsReader = Callable[[JsonObject, datetime], Payload]
"""Reads a message's fields, with the time of its reception, and leaves out what it cannot read."""


def _read_video(fields: JsonObject, _: datetime) -> Payload:
    return Payload(video_status(fields))


NEWS_READERS: dict[str, NewsReader] = dict.fromkeys(ANY_STATUS, _read_video)
"""Which reader reads which `type`. Its values reach streams under the hub key that `news_key` makes."""


ANSWERS = frozenset({"photo_response", "stream_status_check_response", "audio_play_response", "audio_stream_ready"})
"""Types that only answer requests: one that comes late or twice is nobody's, but known."""


def news_key(message_type: str) -> tuple[str, str]:
    """Give the hub key under which messages of a type are published."""
    return ("news", message_type)


VIDEO_KEYS = tuple(news_key(kind) for kind in ANY_STATUS)
"""Keys under which statuses of video streams come."""
