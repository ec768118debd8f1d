"""Fonts in which single letters are drawn: one, and others for what it lacks. Needs the extra `images`."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from io import BytesIO
from os import PathLike
from pathlib import Path

import attrs

from ._pillow import ImageFont
from .fonts import FontError, is_drawn, naming_damage, ranked_fonts, read_characters
from .scripts import Script, detect_script

_ALPHABET = "The quick brown fox jumps over the lazy dog, 0123456789"
_OF_PILLOW = "the font of Pillow"


@attrs.frozen(eq=False)
class Size:
    """How large letters are drawn."""

    width_of: Callable[[str], float]
    """Pixels of a text on the display. A font gets the size in which its letters are about as wide."""
    largest: float
    """Pixels of the body at most."""
    scale: int
    """How many times larger all of that is drawn."""


@attrs.frozen(eq=False)
class Face:
    """A font of a size."""

    name: str | PathLike[str]
    font: ImageFont.FreeTypeFont
    has: Callable[[int], bool]
    """Tells whether it has a character."""

    @classmethod
    def load(cls, path: str | PathLike[str] | None, size: Size) -> Face:
        """Read a font file, or the font that Pillow brings. Raises `FontError`."""
        name = _OF_PILLOW if path is None else path
        with naming_damage(name):
            data = _built_in() if path is None else Path(path).read_bytes()
            try:
                has = read_characters(BytesIO(data))
            except FontError as error:
                raise OSError(str(error)) from error
            font = ImageFont.truetype(BytesIO(data), 100)
            natural = font.getlength(_ALPHABET) / 100
            if natural <= 0:
                msg = "its letters take no room"
                raise OSError(msg)
            pixels = min(size.width_of(_ALPHABET) / natural, size.largest) * size.scale
            return cls(name, font.font_variant(size=pixels), has)

    def writes(self, cluster: str) -> bool:
        """Tell whether it has all that is drawn of a grapheme."""
        return all(self.has(ord(char)) for char in cluster if is_drawn(char))


@attrs.define(eq=False)
class Faces:
    """A font, and others for what it lacks."""

    _main: Face
    _size: Size
    _others: list[Face]
    _further: Callable[[], Sequence[Path]]
    """Gives the files that are searched for what none of them has."""
    _known: dict[str, Face | None] = attrs.field(init=False, factory=dict[str, "Face | None"])

    @classmethod
    def load(
        cls, font: str | PathLike[str] | None, fallbacks: Sequence[str | PathLike[str]] | None, size: Size
    ) -> Faces:
        """Read fonts. Without `fallbacks` the machine is searched, when a character is lacking. Raises `FontError`."""
        others = [Face.load(path, size) for path in fallbacks or ()]
        return cls(Face.load(font, size), size, others, fonts_of_machine if fallbacks is None else list[Path])

    def of(self, cluster: str) -> Face | None:
        """Choose the font for a grapheme, as it was composed by `composed`."""
        if cluster not in self._known:
            self._known[cluster] = self._find(cluster)
        return self._known[cluster]

    def _find(self, cluster: str) -> Face | None:
        if self._main.writes(cluster):
            return self._main
        found = None
        if detect_script(cluster) is not Script.UNSUPPORTED:  # what glasses do not have is not to be seen here
            found = next((face for face in self._others if face.writes(cluster)), None) or self._search(cluster)
        return found or (self._main if self._main.has(ord(cluster[0])) else None)

    def _search(self, cluster: str) -> Face | None:
        for path in self._further():
            if not all(map(_characters_of(path), [ord(char) for char in cluster if is_drawn(char)])):
                continue
            try:
                face = Face.load(path, self._size)
            except FontError:
                continue  # one of pictures, as those of emoji are, or a damaged one
            self._others.append(face)
            return face
        return None


def composed(cluster: str) -> str:
    """Put letters and their marks together where there is one character for both: more fonts have that."""
    return unicodedata.normalize("NFC", cluster)


@lru_cache(maxsize=1)
def fonts_of_machine() -> Sequence[Path]:
    """Give the fonts that are found, the plainest first."""
    return ranked_fonts()


@lru_cache(maxsize=64)
def _characters_of(path: Path) -> Callable[[int], bool]:
    try:
        with path.open("rb") as file:
            return read_characters(file)
    except (OSError, FontError):
        return lambda _code: False


@lru_cache(maxsize=1)
def _built_in() -> bytes:
    """Give the font that Pillow brings."""
    font = ImageFont.load_default(20)
    if isinstance(font, ImageFont.FreeTypeFont):  # pragma: no branch - else Pillow was built without FreeType
        return font.font_bytes
    msg = "this Pillow was made without FreeType, so it draws no text; use its wheels"  # pragma: no cover - as above
    raise FontError(msg)  # pragma: no cover - as above
