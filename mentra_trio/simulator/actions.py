"""What the cloud does for an app: one function for each type of request, from the module of its capability (P3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .dashboard import ignore, update_dashboard
from .hands import ask_for_wifi
from .lights import control_light
from .photos import request_photo, set_fov
from .places import poll_location
from .sound import end_stream, play_sound, start_stream, stop_sound
from .video import check_streams, start_direct, start_managed, stop_direct, stop_managed

if TYPE_CHECKING:
    from collections.abc import Callable

    from mentra_trio._wire.codec import JsonObject

    from .connection import AppConnection
    from .sessions import UserSession

Action: TypeAlias = "Callable[[AppConnection, UserSession, JsonObject], None]"
"""Does what one message of an app asks for, at once; what takes time is a job of the cloud's agenda."""

ACTIONS: dict[str, Action] = {
    "location_poll_request": poll_location,
    "rgb_led_control": control_light,
    "request_wifi_setup": ask_for_wifi,
    "dashboard_content_update": update_dashboard,
    "dashboard_mode_change": ignore,
    "dashboard_system_update": ignore,
    "audio_play_request": play_sound,
    "audio_stop_request": stop_sound,
    "audio_stream_start": start_stream,
    "audio_stream_end": end_stream,
    "photo_request": request_photo,
    "camera_fov_set": set_fov,
    "stream_request": start_direct,
    "rtmp_stream_request": start_direct,
    "stream_stop": stop_direct,
    "rtmp_stream_stop": stop_direct,
    "managed_stream_request": start_managed,
    "managed_stream_stop": stop_managed,
    "stream_status_check": check_streams,
}
"""Which action handles which `type`."""
