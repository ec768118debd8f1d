"""What a display can show (P3 1.2)."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class TextWall:
    """One block of text."""

    text: str


@attrs.frozen(kw_only=True)
class DoubleTextWall:
    """Two columns of text."""

    top_text: str
    """Left column."""
    bottom_text: str
    """Right column."""


@attrs.frozen(kw_only=True)
class ReferenceCard:
    """A title and a text."""

    title: str
    text: str


@attrs.frozen(kw_only=True)
class BitmapView:
    """A picture."""

    data: str = attrs.field(repr=False)
    """A BMP file in base64."""


@attrs.frozen(kw_only=True)
class ClearView:
    """An empty display."""


Layout = TextWall | DoubleTextWall | ReferenceCard | BitmapView | ClearView
"""Everything that `session.display` sends."""
