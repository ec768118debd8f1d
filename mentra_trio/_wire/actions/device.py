"""What apps ask of the wearer about the glasses (P2 6.1)."""

from __future__ import annotations

from typing import ClassVar

import attrs

from mentra_trio._wire.outbound import Command


@attrs.frozen(kw_only=True)
class RequestWifiSetup(Command):
    """Have the phone ask for a Wi-Fi network for the glasses: `request_wifi_setup`. Nobody answers."""

    TYPE: ClassVar[str] = "request_wifi_setup"

    reason: str | None = None
    """What the wearer is told."""
