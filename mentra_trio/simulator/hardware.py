"""The models of glasses that the cloud knows, and what each can do (P2 6.4, P3 0.8)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mentra_trio._wire.codec import JsonObject

SIMULATED_GLASSES = "Simulated Glasses"
"""The model that passes the display gate without being connected (P3 0.5)."""

USUAL_STATE: Mapping[str, object] = MappingProxyType({"batteryLevel": 100, "charging": False})
"""What a phone tells about the simulated glasses when they are put on."""

_NOTHING: JsonObject = {
    "hasCamera": False, "camera": None,
    "hasDisplay": False, "display": None,
    "hasMicrophone": False, "microphone": None,
    "hasSpeaker": False, "speaker": None,
    "hasIMU": False, "imu": None,
    "hasButton": False, "button": None,
    "hasLight": False, "light": None,
    "power": {"hasExternalBattery": False},
    "hasWifi": False,
}  # fmt: skip


def _display(*, count: int, bitmap: bool, height: int, view: int, lines: int) -> JsonObject:
    return {
        "count": count,
        "isColor": False,
        "color": "green",
        "canDisplayBitmap": bitmap,
        "resolution": {"width": 640, "height": height},
        "fieldOfView": {"horizontal": view},
        "maxTextLines": lines,
        "adjustBrightness": True,
    }


_EVEN_DISPLAY = _display(count=2, bitmap=True, height=200, view=25, lines=5)
_SINGLE_DISPLAY = _display(count=1, bitmap=False, height=480, view=30, lines=7)
_MICROPHONE: JsonObject = {"hasMicrophone": True, "microphone": {"count": 1, "hasVAD": False}}
_SPEAKER: JsonObject = {"hasSpeaker": True, "speaker": {"count": 1, "isPrivate": False}}
_EVEN: JsonObject = {"hasDisplay": True, "display": _EVEN_DISPLAY, **_MICROPHONE, "hasIMU": True}
_SWIPES = ["TAP", "DOUBLE_TAP", "TRIPLE_TAP", "PRESS_HOLD", "SWIPE_UP", "SWIPE_DOWN"]


def _one_button(kind: str, events: list[str], *, capacitive: bool) -> JsonObject:
    button = {"type": kind, "events": events, "isCapacitive": capacitive}
    return {"hasButton": True, "button": {"count": 1, "buttons": [button]}}


_MENTRA_LIVE: JsonObject = {
    "hasCamera": True,
    "camera": {
        "resolution": {"width": 1920, "height": 1080},
        "hasHDR": False,
        "hasFocus": True,
        "video": {
            "canRecord": True,
            "canStream": True,
            "supportedStreamTypes": ["rtmp"],
            "supportedResolutions": [
                {"width": 1920, "height": 1080},
                {"width": 1280, "height": 720},
                {"width": 640, "height": 480},
            ],
        },
    },
    "hasMicrophone": True,
    "microphone": {"count": 1, "hasVAD": True},
    **_SPEAKER,
    "hasIMU": True,
    "imu": {"axisCount": 6, "hasAccelerometer": True, "hasCompass": False, "hasGyroscope": True},
    **_one_button("press", ["press", "double_press", "long_press"], capacitive=False),
    "hasLight": True,
    "light": {
        "count": 2,
        "lights": [
            {
                "id": "privacy",
                "purpose": "privacy",
                "isFullColor": False,
                "color": "white",
                "position": "front_facing",
            },
            {
                "id": "user_feedback",
                "purpose": "user_feedback",
                "isFullColor": True,
                "color": "rgb",
                "position": "user_facing",
            },
        ],
    },
    "hasWifi": True,
}

MODELS: Mapping[str, JsonObject] = MappingProxyType(
    {
        name: {"modelName": name, **_NOTHING, **abilities}
        for name, abilities in {
            "Even Realities G1": _EVEN,
            "Even Realities G2": {**_EVEN, **_one_button("swipe1d", _SWIPES, capacitive=True)},
            "Mentra Display": _EVEN,
            "Mentra Live": _MENTRA_LIVE,
            SIMULATED_GLASSES: {
                "hasDisplay": True,
                "display": _SINGLE_DISPLAY,
                **_MICROPHONE,
                **_SPEAKER,
                **_one_button("press", ["press"], capacitive=False),
            },
            "Vuzix Z100": {"hasDisplay": True, "display": _SINGLE_DISPLAY},
        }.items()
    }
)
"""Capabilities as the cloud sends them, by model name. Of any other model the cloud knows nothing."""

_FLAGS = {
    "CAMERA": "hasCamera",
    "DISPLAY": "hasDisplay",
    "MICROPHONE": "hasMicrophone",
    "SPEAKER": "hasSpeaker",
    "IMU": "hasIMU",
    "BUTTON": "hasButton",
    "LIGHT": "hasLight",
    "WIFI": "hasWifi",
}


def capabilities(model: object) -> JsonObject | None:
    """What a model can do; `None` for a model that the cloud does not know, or none."""
    return MODELS.get(model) if isinstance(model, str) else None


def lacks(model: object, required: frozenset[str]) -> bool:
    """Whether a known model lacks hardware that an app requires. Of an unknown model nothing is known to lack."""
    abilities = capabilities(model)
    return abilities is not None and any(abilities[_FLAGS[part]] is False for part in required)
