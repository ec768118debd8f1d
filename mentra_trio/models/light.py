"""The light of the glasses that the wearer sees (P3 8)."""

from __future__ import annotations

import enum


class LedColor(enum.StrEnum):
    """A colour that the light has. There is no brightness."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    ORANGE = "orange"
    WHITE = "white"
