"""Fonts of this machine: which characters they have, and which one can write a text. Needs no Pillow.

Reading fonts reads files, so it blocks: hundreds of fonts take some tenths of a second. Keep what was found.
"""

from __future__ import annotations

import bisect
import re
import struct
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mentra_trio.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from os import PathLike

FONT_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("~/.local/share/fonts"),
    Path("~/.fonts"),
    Path("/System/Library/Fonts"),
    Path("/Library/Fonts"),
    Path("~/Library/Fonts"),
    Path("C:/Windows/Fonts"),
    Path("~/AppData/Local/Microsoft/Windows/Fonts"),
)
"""Where Linux, macOS and Windows have their fonts; `~` is the home of who runs the program."""
_ENDINGS = {".ttf", ".otf", ".ttc", ".otc"}
_SPECIAL = re.compile(
    r"bold|black|heavy|light|thin|medium|italic|oblique|mono|code|condensed|narrow|serif|math|symbol", re.IGNORECASE
)
"""What the names of fonts say that are not made for plain text; `sans-serif` does no harm to the choice."""
_WORDS = ("L", "M", "N", "P")
"""Categories of characters that a font has to have. Emoji and other symbols may be missing."""
_COLLECTION = b"ttcf"
_UNICODE = {(3, 10): 12, (0, 6): 12, (0, 4): 12, (3, 1): 4, (0, 3): 4, (0, 2): 4, (0, 1): 4, (0, 0): 4}
"""Tables of characters that fonts may have, by platform and encoding, the best first; and their format."""


class FontError(ConfigError):
    """There is no font that can write a text. Who runs the program must act: install one, or name one."""

    def __init__(self, message: str, *, missing: str = "") -> None:
        super().__init__(message)
        self.missing = missing
        """Characters that no font has, if it is because of these."""


def missing_characters(text: str, font: str | PathLike[str]) -> str:
    """Give the characters of a text that a font file does not have, each once.

    Raises:
        FontError: the file cannot be read, or is no TrueType or OpenType font.
    """
    try:
        with Path(font).open("rb") as file:
            has = read_characters(file)
    except (OSError, FontError) as error:
        msg = f"{Path(font).name} is no font that can be read: {error}"
        raise FontError(msg) from error
    return "".join(char for char in dict.fromkeys(text) if is_drawn(char) and not has(ord(char)))


def read_characters(file: BinaryIO) -> Callable[[int], bool]:
    """Read what tells whether a font has a character, by its code point. Of a collection, the first font counts.

    Raises:
        FontError: it is no TrueType or OpenType font.
        OSError: the file cannot be read.
    """
    try:
        return _characters(file)
    except (struct.error, ValueError) as error:
        raise FontError(str(error)) from error


@contextmanager
def naming_damage(font: str | PathLike[str]) -> Generator[None]:
    """Make what Pillow finds wrong with a font while it draws a `FontError`."""
    try:
        yield
    except OSError as error:
        msg = f"{Path(font).name} is no font that can be read: {error}"
        raise FontError(msg) from error


def find_font(text: str, *, folders: Iterable[str | PathLike[str]] = FONT_FOLDERS) -> Path:
    """Find a font of this machine that has every letter, digit and punctuation mark of a text.

    Plain fonts without serifs come before others, and then those with shorter names, so the same machine always gives
    the same font. Emoji and other symbols may be missing; `missing_characters` tells.

    Raises:
        FontError: no font has all of them; its `missing` says what the best one lacks.
    """
    words = "".join(char for char in dict.fromkeys(text) if unicodedata.category(char)[0] in _WORDS)
    least: str | None = None
    for path in ranked_fonts(folders):
        try:
            missing = missing_characters(words, path)
        except FontError:
            continue  # what is broken is not what was asked for
        if not missing:
            return path
        if least is None or len(missing) < len(least):
            least = missing
    lacking = words if least is None else least
    shown = lacking if len(lacking) <= 20 else f"{lacking[:20]}..."
    msg = f"no font of this machine can write {shown!r}; install one, such as Noto Sans of that script, or pass font="
    raise FontError(msg, missing=lacking)


def ranked_fonts(folders: Iterable[str | PathLike[str]] = FONT_FOLDERS) -> list[Path]:
    """Give the font files of folders, the plainest first."""
    found: list[Path] = []
    for folder in folders:
        try:
            root = Path(folder).expanduser()
        except RuntimeError:
            continue  # who has no home has no fonts there
        found += (path for path in root.rglob("*") if path.suffix.lower() in _ENDINGS)
    return sorted(found, key=_rank)


def _rank(path: Path) -> tuple[int, bool, int, str]:
    name = path.stem
    return len(_SPECIAL.findall(name)), "sans" not in name.lower(), len(name), str(path)


def is_drawn(char: str) -> bool:
    """Tell whether a font needs a glyph for it: white space, controls and selectors have none."""
    return unicodedata.category(char)[0] not in ("Z", "C") and not 0xFE00 <= ord(char) <= 0xFE0F


def _characters(file: BinaryIO) -> Callable[[int], bool]:
    """Read the table `cmap` of OpenType."""
    start = struct.unpack(">I", _read(file, 12, 4))[0] if _read(file, 0, 4) == _COLLECTION else 0
    (count,) = struct.unpack(">H", _read(file, start + 4, 2))
    records = struct.iter_unpack(">4sIII", _read(file, start + 12, 16 * count))
    table = next((place for tag, _, place, _ in records if tag == b"cmap"), None)
    if table is None:
        msg = "it has no table of characters"
        raise ValueError(msg)
    (count,) = struct.unpack(">H", _read(file, table + 2, 2))
    maps = {(one, two): table + at for one, two, at in struct.iter_unpack(">HHI", _read(file, table + 4, 8 * count))}
    for kind, wanted in _UNICODE.items():
        if kind in maps:
            (form,) = struct.unpack(">H", _read(file, maps[kind], 2))
            if form == wanted:
                return _wide(file, maps[kind]) if form == 12 else _narrow(file, maps[kind])
    msg = "its table of characters is not of Unicode"
    raise ValueError(msg)


def _wide(file: BinaryIO, place: int) -> Callable[[int], bool]:
    """Read format 12: groups of characters with glyphs of their own."""
    (count,) = struct.unpack(">I", _read(file, place + 12, 4))
    groups = [(first, last) for first, last, _ in struct.iter_unpack(">III", _read(file, place + 16, 12 * count))]
    starts = [first for first, _ in groups]

    def has(code: int) -> bool:
        n = bisect.bisect_right(starts, code) - 1
        return n >= 0 and code <= groups[n][1]

    return has


def _narrow(file: BinaryIO, place: int) -> Callable[[int], bool]:
    """Read format 4: segments whose glyphs are counted on, or looked up."""
    (length,) = struct.unpack(">H", _read(file, place + 2, 2))
    data = _read(file, place, length)
    size = struct.unpack_from(">H", data, 6)[0]
    ends, starts, deltas, offsets = (
        struct.unpack_from(f">{size // 2}H", data, at) for at in (14, 16 + size, 16 + 2 * size, 16 + 3 * size)
    )

    def has(code: int) -> bool:
        n = bisect.bisect_left(ends, code)
        if n == len(ends) or code < starts[n]:
            return False
        if not offsets[n]:  # pragma: no branch - the fonts of the tests have no lists of glyphs
            return bool((code + deltas[n]) % 0x10000)
        at = 16 + 3 * size + 2 * n + offsets[n] + 2 * (code - starts[n])  # pragma: no cover - as above
        return data[at : at + 2] not in (b"", b"\0\0")  # pragma: no cover - as above

    return has


def _read(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    data = file.read(size)
    if len(data) < size:
        msg = "a part of it is missing"
        raise ValueError(msg)
    return data
