"""What a phone does by itself when the cloud tells it something: one function for each type of message."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from .hands import pick_wifi
from .lights import shine
from .loudspeaker import fall_silent, play_on
from .photos import snap, turn_camera
from .places import locate
from .video import begin_video, end_video, keep_video_alive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mentra_trio._wire.codec import JsonObject

    from .users import User

Reaction: TypeAlias = "Callable[[User, JsonObject], None]"
"""Does at once what a message asks for; what takes time is told by `User.answer_later`."""

REACTIONS: Mapping[str, Reaction] = MappingProxyType(
    {
        "request_single_location": locate,
        "rgb_led_control": shine,
        "show_wifi_setup": pick_wifi,
        "photo_request": snap,
        "camera_fov_set": turn_camera,
        "start_stream": begin_video,
        "stop_stream": end_video,
        "keep_stream_alive": keep_video_alive,
        "audio_play_request": play_on,
        "audio_stop_request": fall_silent,
    }
)
"""Which reaction belongs to which `type`."""
