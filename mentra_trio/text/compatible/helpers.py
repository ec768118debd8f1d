"""The reference's small tools for text on displays (P4 5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from ._units import WHITE_SPACE, byte_size, length, rounded, well_formed
from .measuring import measure
from .wrapping import WrapOptions, Wrapped, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mentra_trio.text.profiles import Profile


def truncate_to_lines(lines: Sequence[str], max_lines: int, *, from_end: bool = False) -> list[str]:
    """Keep the first lines, or the last ones. A number of 0 or less counts as in a slice."""
    if len(lines) <= max_lines:
        return list(lines)
    return list(lines[-max_lines:] if from_end else lines[:max_lines])


@attrs.frozen(kw_only=True)
class Shortened:
    """A text that was cut to a width."""

    text: str
    is_truncated: bool
    width: int
    original_length: int
    """UTF-16 units."""
    truncated_length: int
    """UTF-16 units of what was kept, without the ellipsis."""


def truncate_with_ellipsis(
    text: str, profile: Profile, *, max_width: float | None = None, ellipsis: str = "..."
) -> Shortened:
    """Cut a text to a width, and say so in the text."""
    limit = profile.width if max_width is None else max_width
    widths = profile.font.widths
    size, total = length(text), measure(profile.font, text)
    if total <= limit:
        return Shortened(text=text, is_truncated=False, width=total, original_length=size, truncated_length=size)
    room = limit - measure(profile.font, ellipsis)
    used = end = 0
    for char in text:
        used += widths[char]
        if used > room:
            break
        end += 1
    kept = text[:end].rstrip(WHITE_SPACE)
    return Shortened(
        text=kept + ellipsis,
        is_truncated=True,
        width=measure(profile.font, kept + ellipsis),
        original_length=size,
        truncated_length=length(kept),
    )


def estimate_line_count(text: str, profile: Profile, *, max_width: float | None = None) -> float:
    """Guess the number of lines from the width; a width of 0 gives an infinite number."""
    if not text:
        return 1
    limit = profile.width if max_width is None else max_width
    if limit == 0:
        return math.inf
    return math.ceil(measure(profile.font, text) / limit) + text.count("\n")


def fit_to_screen(text: str, profile: Profile, options: WrapOptions | None = None) -> list[str]:
    """Wrap, and keep as many lines as the display has."""
    return wrap(text, profile, options).texts[: profile.max_lines]


@attrs.frozen(kw_only=True)
class Page:
    """A display full of lines."""

    lines: tuple[str, ...]
    number: int
    """From 1 on."""
    total: int
    is_first: bool
    is_last: bool


def paginate(text: str, profile: Profile, options: WrapOptions | None = None) -> list[Page]:
    """Cut a text into pages. `ValueError` for pages without lines, which never end."""
    chosen = WrapOptions.of(profile) if options is None else options
    size = chosen.max_lines
    if size <= 0:
        raise ValueError(f"a page has at least one line, not {size}")
    lines = wrap(text, profile, chosen.unlimited()).texts
    total = math.ceil(len(lines) / size)
    pages: list[Page] = []
    start: float = 0
    while start < len(lines):
        end = min(start + size, len(lines))
        number = len(pages) + 1
        pages.append(
            Page(
                lines=tuple(lines[int(start) : int(end)]),
                number=number,
                total=total,
                is_first=number == 1,
                is_last=number == total,
            )
        )
        start += size
    return pages


@attrs.frozen(kw_only=True)
class Chunk:
    """A part of a text that goes over Bluetooth at once."""

    text: str
    index: int
    total: int
    bytes: int


def split_into_chunks(text: str, profile: Profile, *, size: int | None = None) -> list[Chunk]:
    """Cut a text by bytes, behind a space or line feed where one is near.

    `ValueError` when a chunk is too small for a character.
    """
    limit = profile.chunk_bytes if size is None else size
    data = well_formed(text).encode()
    if len(data) <= limit:
        return [Chunk(text=text, index=0, total=1, bytes=len(data))]
    pieces: list[bytes] = []
    start = 0
    while start < len(data):
        end = _end_of_chunk(data, start, limit)
        if end <= start:
            raise ValueError(f"a chunk of {limit} bytes is too small for a character")
        pieces.append(data[start:end])
        start = end
    return [
        Chunk(text=piece.decode().removeprefix("\ufeff"), index=index, total=len(pieces), bytes=len(piece))
        for index, piece in enumerate(pieces)
    ]


def _end_of_chunk(data: bytes, start: int, size: int) -> int:
    end = min(start + size, len(data))
    if end == len(data):
        return end
    while end > start and data[end] & 0xC0 == 0x80:
        end -= 1
    for place in range(end - 1, start, -1):
        if place <= start + size / 2:
            break
        if data[place] in b" \n":
            return place + 1
    return end


@attrs.frozen(kw_only=True)
class Utilization:
    """How much of its lines a wrapped text uses."""

    average: float
    """Percent."""
    lowest: float
    """Percent; never more than 100."""
    highest: float
    """Percent."""
    wasted: int
    """Pixels between the ends of the lines and the display's edge; negative for lines that stick out."""


def utilization(wrapped: Wrapped, profile: Profile) -> Utilization:
    """Tell how much of its lines a wrapped text uses."""
    if not wrapped.lines:
        return Utilization(average=0, lowest=0, highest=0, wasted=0)
    shares = [line.utilization for line in wrapped.lines]
    return Utilization(
        average=rounded(sum(shares) / len(shares)),
        lowest=min(100, *shares),
        highest=max(0, *shares),
        wasted=sum(profile.width - line.width for line in wrapped.lines),
    )


def pad_to_line_count(lines: Sequence[str], count: int, *, at_end: bool = True) -> list[str]:
    """Give exactly so many lines: the first ones, or with empty ones added."""
    if len(lines) >= count:
        return list(lines[:count])
    padding = [""] * (count - len(lines))
    return [*lines, *padding] if at_end else [*padding, *lines]


def exceeds_byte_limit(text: str, profile: Profile, *, max_bytes: float | None = None) -> bool:
    """Tell whether a text is more than one display takes."""
    return byte_size(text) > (profile.max_bytes if max_bytes is None else max_bytes)
