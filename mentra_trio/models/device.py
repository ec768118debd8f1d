"""The glasses: their state, their abilities, their buttons (P2 6)."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs


@attrs.frozen(kw_only=True)
class DeviceState:
    """What is known about the glasses at the moment. `None` means unknown.

    Protocol: P2 6.3.
    """

    connected: bool | None = None
    """Whether glasses are connected. The cloud may say so before they really are (P2 6.5, V3)."""
    model_name: str | None = None
    """Model, such as `Even Realities G1`."""
    battery_level: int | None = None
    """0 to 100."""
    charging: bool | None = None
    """Whether the glasses are charging."""
    case_battery_level: int | None = None
    """0 to 100."""
    case_charging: bool | None = None
    """Whether the case is charging."""
    case_open: bool | None = None
    """Whether the case is open."""
    case_removed: bool | None = None
    """Whether the glasses are out of the case."""
    wifi_connected: bool | None = None
    """Whether the glasses have Wi-Fi."""
    wifi_ssid: str | None = None
    """Name of the Wi-Fi network."""
    wifi_local_ip: str | None = None
    """Address of the glasses in that network."""
    hotspot_enabled: bool | None = None
    """Whether the glasses' own hotspot is on."""
    hotspot_ssid: str | None = None
    """Name of that hotspot."""
    hotspot_password: str | None = attrs.field(default=None, repr=False)
    """Its password. The cloud sends it to every app (P2 6.5, V9); it is never part of a `repr` or a log record."""
    hotspot_gateway_ip: str | None = None
    """Gateway of that hotspot."""
    firmware_version: str | None = None
    """Firmware of the glasses."""
    android_version: str | None = None
    """Android version of glasses that run Android."""
    build_number: str | None = None
    """Build of the glasses' software."""
    app_version: str | None = None
    """Version of the app on the glasses."""
    bluetooth_name: str | None = None
    """Name under which the glasses pair."""
    serial_number: str | None = None
    """Serial number."""
    style: str | None = None
    """Frame style."""
    color: str | None = None
    """Frame colour."""


@attrs.frozen(kw_only=True)
class Resolution:
    """Width and height in pixels."""

    width: int
    height: int


@attrs.frozen(kw_only=True)
class FieldOfView:
    """Angles in degrees."""

    horizontal: float | None = None
    vertical: float | None = None


@attrs.frozen(kw_only=True)
class VideoCapabilities:
    """What the camera does with moving pictures."""

    can_record: bool = False
    can_stream: bool = False
    supported_stream_types: tuple[str, ...] = ()
    supported_resolutions: tuple[Resolution, ...] = ()


@attrs.frozen(kw_only=True)
class CameraCapabilities:
    """The camera."""

    resolution: Resolution | None = None
    has_hdr: bool | None = None
    has_focus: bool | None = None
    video: VideoCapabilities | None = None


@attrs.frozen(kw_only=True)
class DisplayCapabilities:
    """The display."""

    count: int | None = None
    is_color: bool | None = None
    color: str | None = None
    can_display_bitmap: bool | None = None
    resolution: Resolution | None = None
    field_of_view: FieldOfView | None = None
    max_text_lines: int | None = None
    adjust_brightness: bool | None = None


@attrs.frozen(kw_only=True)
class MicrophoneCapabilities:
    """The microphone."""

    count: int | None = None
    has_vad: bool | None = None


@attrs.frozen(kw_only=True)
class SpeakerCapabilities:
    """The loudspeaker."""

    count: int | None = None
    is_private: bool | None = None


@attrs.frozen(kw_only=True)
class ImuCapabilities:
    """The motion sensor."""

    axis_count: int | None = None
    has_accelerometer: bool | None = None
    has_compass: bool | None = None
    has_gyroscope: bool | None = None


@attrs.frozen(kw_only=True)
class Button:
    """One button."""

    type: str | None = None
    """`press`, `swipe1d` or `swipe2d`."""
    events: tuple[str, ...] = ()
    is_capacitive: bool | None = None


@attrs.frozen(kw_only=True)
class ButtonCapabilities:
    """The buttons."""

    count: int | None = None
    buttons: tuple[Button, ...] = ()


@attrs.frozen(kw_only=True)
class Light:
    """One LED."""

    id: str | None = None
    purpose: str | None = None
    """`privacy`, `user_feedback` or `general`."""
    is_full_color: bool | None = None
    color: str | None = None
    position: str | None = None


@attrs.frozen(kw_only=True)
class LightCapabilities:
    """The LEDs."""

    count: int | None = None
    lights: tuple[Light, ...] = ()


@attrs.frozen(kw_only=True)
class PowerCapabilities:
    """The power supply."""

    has_external_battery: bool = False


@attrs.frozen(kw_only=True)
class Capabilities:
    """What the connected model can do. A detail is `None` where the model has no such hardware.

    Protocol: P2 6.4.
    """

    model_name: str
    has_camera: bool = False
    camera: CameraCapabilities | None = None
    has_display: bool = False
    display: DisplayCapabilities | None = None
    has_microphone: bool = False
    microphone: MicrophoneCapabilities | None = None
    has_speaker: bool = False
    speaker: SpeakerCapabilities | None = None
    has_imu: bool = False
    imu: ImuCapabilities | None = None
    has_button: bool = False
    button: ButtonCapabilities | None = None
    has_light: bool = False
    light: LightCapabilities | None = None
    power: PowerCapabilities | None = None
    has_wifi: bool = False


class PressType(enum.StrEnum):
    """How long a button was pressed. A value the SDK does not know is kept as `UNKNOWN`."""

    SHORT = "short"
    LONG = "long"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> PressType:
        return cls.UNKNOWN


@attrs.frozen(kw_only=True)
class ButtonPress:
    """A button was pressed.

    Protocol: P2 6.2.1.
    """

    button_id: str
    """Which button, such as `camera`."""
    press_type: PressType
    """How long."""
    pressed_at: datetime | None = None
    """Time given by the phone (UTC), where it gave one."""
    received_at: datetime
    """When this process received it (UTC)."""


class Gesture(enum.StrEnum):
    """How the glasses were touched. A value the SDK does not know is kept as `UNKNOWN`."""

    SINGLE_TAP = "single_tap"
    DOUBLE_TAP = "double_tap"
    TRIPLE_TAP = "triple_tap"
    LONG_PRESS = "long_press"
    FORWARD_SWIPE = "forward_swipe"
    BACKWARD_SWIPE = "backward_swipe"
    UP_SWIPE = "up_swipe"
    DOWN_SWIPE = "down_swipe"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Gesture:
        return cls.UNKNOWN


@attrs.frozen(kw_only=True)
class TouchEvent:
    """The glasses were touched.

    Protocol: P2 6.2.3.
    """

    gesture: Gesture
    """How."""
    model: str | None = None
    """Which glasses, where the phone said so."""
    touched_at: datetime | None = None
    """Time given by the phone (UTC), where it gave one."""
    received_at: datetime
    """When this process received it (UTC)."""


@attrs.frozen(kw_only=True)
class Wifi:
    """The Wi-Fi of the glasses. `None` means unknown."""

    connected: bool | None = None
    """Whether they are in a network."""
    ssid: str | None = None
    """Its name."""
    local_ip: str | None = None
    """Their address in it."""


@attrs.frozen(kw_only=True)
class Hotspot:
    """The hotspot that the glasses themselves open. `None` means unknown."""

    enabled: bool | None = None
    """Whether it is open."""
    ssid: str | None = None
    """Its name."""
    password: str | None = attrs.field(default=None, repr=False)
    """The cloud sends it to every app (P2 6.5, V9); it is never part of a `repr` or a log record."""
    gateway_ip: str | None = None
    """Address of the glasses in it."""


class HeadPosition(enum.StrEnum):
    """Where the wearer looks. A value the SDK does not know is kept as `UNKNOWN`."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> HeadPosition:
        return cls.UNKNOWN


@attrs.frozen(kw_only=True)
class HeadMove:
    """The wearer looked up or down.

    Protocol: P2 6.2.2.
    """

    position: HeadPosition
    """Where the wearer looks."""
    moved_at: datetime | None = None
    """Time given by the phone (UTC), where it gave one."""
    received_at: datetime
    """When this process received it (UTC)."""
