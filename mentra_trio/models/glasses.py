"""What every known model of glasses can do (P2 6.4). The cloud tells the same of the connected ones."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from .device import (
    Button,
    ButtonCapabilities,
    CameraCapabilities,
    Capabilities,
    DisplayCapabilities,
    FieldOfView,
    ImuCapabilities,
    Light,
    LightCapabilities,
    MicrophoneCapabilities,
    PowerCapabilities,
    Resolution,
    SpeakerCapabilities,
    VideoCapabilities,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_POWER = PowerCapabilities(has_external_battery=False)
_MICROPHONE = MicrophoneCapabilities(count=1, has_vad=False)
_SPEAKER = SpeakerCapabilities(count=1, is_private=False)
_EVEN_REALITIES_G1 = Capabilities(
    model_name="Even Realities G1",
    has_display=True,
    display=DisplayCapabilities(
        count=2,
        is_color=False,
        color="green",
        can_display_bitmap=True,
        resolution=Resolution(width=640, height=200),
        field_of_view=FieldOfView(horizontal=25),
        max_text_lines=5,
        adjust_brightness=True,
    ),
    has_microphone=True,
    microphone=_MICROPHONE,
    has_imu=True,
    power=_POWER,
)
_SWIPES = Button(
    type="swipe1d",
    events=("TAP", "DOUBLE_TAP", "TRIPLE_TAP", "PRESS_HOLD", "SWIPE_UP", "SWIPE_DOWN"),
    is_capacitive=True,
)
_VUZIX_Z100 = Capabilities(
    model_name="Vuzix Z100",
    has_display=True,
    display=DisplayCapabilities(
        count=1,
        is_color=False,
        color="green",
        can_display_bitmap=False,
        resolution=Resolution(width=640, height=480),
        field_of_view=FieldOfView(horizontal=30),
        max_text_lines=7,
        adjust_brightness=True,
    ),
    power=_POWER,
)
_MENTRA_LIVE = Capabilities(
    model_name="Mentra Live",
    has_camera=True,
    camera=CameraCapabilities(
        resolution=Resolution(width=1920, height=1080),
        has_hdr=False,
        has_focus=True,
        video=VideoCapabilities(
            can_record=True,
            can_stream=True,
            supported_stream_types=("rtmp",),
            supported_resolutions=(
                Resolution(width=1920, height=1080),
                Resolution(width=1280, height=720),
                Resolution(width=640, height=480),
            ),
        ),
    ),
    has_microphone=True,
    microphone=MicrophoneCapabilities(count=1, has_vad=True),
    has_speaker=True,
    speaker=_SPEAKER,
    has_imu=True,
    imu=ImuCapabilities(axis_count=6, has_accelerometer=True, has_compass=False, has_gyroscope=True),
    has_button=True,
    button=ButtonCapabilities(
        count=1,
        buttons=(Button(type="press", events=("press", "double_press", "long_press"), is_capacitive=False),),
    ),
    has_light=True,
    light=LightCapabilities(
        count=2,
        lights=(
            Light(id="privacy", purpose="privacy", is_full_color=False, color="white", position="front_facing"),
            Light(id="user_feedback", purpose="user_feedback", is_full_color=True, color="rgb", position="user_facing"),
        ),
    ),
    power=_POWER,
    has_wifi=True,
)
_SIMULATED_GLASSES = attrs.evolve(
    _VUZIX_Z100,
    model_name="Simulated Glasses",
    has_microphone=True,
    microphone=_MICROPHONE,
    has_speaker=True,
    speaker=_SPEAKER,
    has_button=True,
    button=ButtonCapabilities(count=1, buttons=(Button(type="press", events=("press",), is_capacitive=False),)),
)

KNOWN_GLASSES: Mapping[str, Capabilities] = MappingProxyType(
    {
        each.model_name: each
        for each in (
            _EVEN_REALITIES_G1,
            attrs.evolve(
                _EVEN_REALITIES_G1,
                model_name="Even Realities G2",
                has_button=True,
                button=ButtonCapabilities(count=1, buttons=(_SWIPES,)),
            ),
            attrs.evolve(_EVEN_REALITIES_G1, model_name="Mentra Display"),
            _MENTRA_LIVE,
            _SIMULATED_GLASSES,
            _VUZIX_Z100,
        )
    }
)
"""Capabilities by model name. What the connected glasses can do is `session.device.capabilities`."""
