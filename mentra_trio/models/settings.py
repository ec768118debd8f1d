"""Settings of the app and of the wearer's system (P1 5)."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class SettingChange:
    """A setting of the app changed."""

    key: str
    """Which one."""
    old: object
    """The value before, or the default; `None` when there was neither."""
    new: object
    """The value from here on; `None` when the setting has gone."""


@attrs.frozen(kw_only=True)
class SystemSettings:
    """The wearer's own settings of MentraOS.

    Protocol: P1 5.3.
    """

    metric_system_enabled: bool = False
    """Whether to show metric units."""
    contextual_dashboard: bool = True
    """Whether the contextual dashboard is on."""
    head_up_angle: float = 45
    """Degrees at which the head counts as up."""
    brightness: float = 50
    """Display brightness in per cent."""
    auto_brightness: bool = True
    """Whether the glasses choose the brightness."""
    sensing_enabled: bool = True
    """Whether sensors may run."""
    always_on_status_bar: bool = False
    """Whether the status bar stays on."""
    bypass_vad: bool = False
    """Debug setting: sound is sent without voice detection."""
    bypass_audio_encoding: bool = False
    """Debug setting: sound is sent uncompressed."""
    preferred_mic: str = "auto"
    """Which microphone the wearer prefers."""
    use_onboard_mic: bool = False
    """Whether that is the one in the glasses."""
    user_timezone: str | None = None
    """IANA name of the wearer's time zone, such as `Europe/Berlin`, where the cloud knows it."""
