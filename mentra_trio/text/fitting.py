"""Text that is too long, made to fit: one display, one line, pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .clusters import graphemes
from .kinds import CJK_NEWLINES, NEWLINE, WHITE_SPACE, has_newline
from .measuring import byte_size, ends_of, measure, whole_pixels
from .wrapping import DEFAULT_STYLE, Line, Style, Wrapped, iter_lines, wrap

if TYPE_CHECKING:
    from .profiles import Profile

ELLIPSIS = "..."
"""Three full stops: the fonts do not have the one character, and measure it wider."""


def shorten(text: str, profile: Profile, *, width: float | None = None, ellipsis: str = ELLIPSIS) -> str:
    """Cut a text to one line of a display, or to `width` pixels, and end it with an ellipsis if it was longer.

    Line breaks become spaces, except between CJK characters. An ellipsis that has no room itself is cut too.
    """
    if has_newline(text):
        text = NEWLINE.sub(" ", CJK_NEWLINES.sub("", text).replace("\r\n", "\n"))
    limit = profile.width if width is None else whole_pixels(width)
    if measure(text, profile) <= limit:
        return text
    kept = _start_of(text, profile, limit - measure(ellipsis, profile))
    return _start_of(kept + ellipsis, profile, limit)


def _start_of(text: str, profile: Profile, limit: float) -> str:
    clusters = graphemes(text)
    ends = ends_of(clusters, profile.font)
    if ends[-1] <= limit:
        return text
    count = sum(end <= limit for end in ends[1:])
    return "".join(clusters[:count]).rstrip(WHITE_SPACE)


def fit(
    text: str,
    profile: Profile,
    style: Style = DEFAULT_STYLE,
    *,
    max_lines: float | None = None,
    max_bytes: float | None = None,
    ellipsis: str = ELLIPSIS,
) -> Wrapped:
    """Wrap a text to one display; what has no room is cut off, and an ellipsis in the last line says so.

    The result's `cut` is what is not shown.
    """
    wrapped = wrap(text, profile, style, max_lines=max_lines, max_bytes=max_bytes)
    if not wrapped.is_truncated or not wrapped.lines:
        return wrapped
    *lines, last = wrapped.lines
    limit = profile.max_bytes if max_bytes is None else max_bytes
    room = limit - sum(byte_size(line.text) + 1 for line in lines)
    ending = _ending(text, last, profile, ellipsis, room)
    return Wrapped(lines=(*lines, ending), cut=text[ending.end :])


def _ending(text: str, line: Line, profile: Profile, ellipsis: str, max_bytes: float) -> Line:
    """Put an ellipsis at the end of a line, in place of as much of it as has to go."""
    # Where each character of the line stands in the text: breaks between CJK characters may be left out in the line.
    gone = {at for gap in CJK_NEWLINES.finditer(text, line.start, line.end) for at in range(*gap.span())}
    places = [at for at in range(line.start, line.end) if at not in gone]
    clusters = list(graphemes(line.text[: len(places)]))
    while True:
        shown = "".join(clusters).rstrip(WHITE_SPACE)
        width = measure(shown + ellipsis, profile)
        if width <= profile.width and byte_size(shown + ellipsis) <= max_bytes:
            return attrs.evolve(
                line,
                text=shown + ellipsis,
                width=width,
                end=places[len(shown) - 1] + 1 if shown else line.start,
                is_hyphenated=False,
                is_oversized=False,
            )
        if not clusters:
            return line  # no room for the ellipsis itself
        clusters.pop()


@attrs.frozen(kw_only=True)
class Page:
    """A display full of lines."""

    lines: tuple[Line, ...]
    number: int
    """From 1 on."""
    total: int

    @property
    def text(self) -> str:
        """The lines as one text, as a display takes it."""
        return "\n".join([line.text for line in self.lines])

    @property
    def is_first(self) -> bool:
        """Whether no page comes before."""
        return self.number == 1

    @property
    def is_last(self) -> bool:
        """Whether no page follows."""
        return self.number == self.total


def paginate(
    text: str,
    profile: Profile,
    style: Style = DEFAULT_STYLE,
    *,
    max_lines: float | None = None,
    max_bytes: float | None = None,
) -> list[Page]:
    """Cut a text into pages that a display can show one after the other. Nothing is left out.

    Pages end early where more lines would be too many bytes for the display, and lines where one alone would be.
    Empty lines at the start of a page other than the first are kept: pages put together are the text.

    `ValueError` for pages without lines.
    """
    lines_of_page = profile.max_lines if max_lines is None else max_lines
    bytes_of_page = profile.max_bytes if max_bytes is None else max_bytes
    if lines_of_page < 1:
        raise ValueError(f"a page has at least one line, not {lines_of_page}")
    pages: list[list[Line]] = [[]]
    size = 0
    for line in iter_lines(text, profile, style, max_bytes=bytes_of_page):
        page = pages[-1]
        more = byte_size(line.text) + (1 if page else 0)
        if page and (len(page) >= lines_of_page or size + more > bytes_of_page):
            pages.append([])
            page = pages[-1]
            size, more = 0, byte_size(line.text)
        page.append(line)
        size += more
    return [Page(lines=tuple(lines), number=number, total=len(pages)) for number, lines in enumerate(pages, start=1)]


def split_bytes(text: str, size: int) -> list[str]:
    """Cut a text into parts of at most so many bytes; put together they are the text.

    Parts end behind a space or a line break where one is in their second half, otherwise between two graphemes, and
    inside one only when it alone is larger than a part. `ValueError` when a part cannot hold every character.
    """
    if size < 4:  # the most that a character has in UTF-8
        raise ValueError(f"a part has at least 4 bytes, not {size}")
    parts: list[str] = []
    part: list[str] = []
    used = 0
    for cluster in _small_enough(text, size):
        more = byte_size(cluster)
        while used + more > size:  # twice when what goes on from behind a space leaves no room either
            rest = _behind_last_space(part, size)
            parts.append("".join(part[: len(part) - len(rest)]))
            part, used = rest, byte_size("".join(rest))
        part.append(cluster)
        used += more
    return [*parts, "".join(part)]


def _small_enough(text: str, size: int) -> list[str]:
    return [
        piece for cluster in graphemes(text) for piece in ([cluster] if byte_size(cluster) <= size else list(cluster))
    ]


def _behind_last_space(part: list[str], size: int) -> list[str]:
    """Give what goes on to the next part, so that this one ends behind a space."""
    for place in range(len(part), 0, -1):
        if byte_size("".join(part[:place])) <= size / 2:
            break
        if part[place - 1] in " \n":
            return part[place:]
    return []
