"""What the wearer sees, as a picture (P3 1.2). Needs the extra `images`, so it is imported where one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mentra_trio.text.preview import double_text_wall, reference_card, render, text_wall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from mentra_trio.text._pillow import Image
    from mentra_trio.text.profiles import Profile

    from .glasses import Screen


def draw(
    screen: Screen,
    profile: Profile,
    font: str | PathLike[str] | None,
    fallbacks: Sequence[str | PathLike[str]] | None,
) -> Image.Image:
    """Draw a screen as a display shows it. Raises `BitmapError` for a bitmap that cannot be shown."""
    if screen.bitmap is not None:
        return render(screen.bitmap, profile)
    match screen.layout, screen.texts:
        case "text_wall", (text,):
            lines = text_wall(text, profile)
        case "double_text_wall", (left, right):
            lines = double_text_wall(left, right, profile)
        case "reference_card", (title, text):
            lines = reference_card(title, text, profile)
        case _:
            lines = []
    return render(lines, profile, font=font, fallbacks=fallbacks)
