"""What each display can show: its size, its limits, and how wide its characters are (P4 1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import attrs

from .clusters import is_zero_width
from .scripts import Script, detect_script


class Widths(dict[str, int]):
    """Pixels by character; what is not there is found out once. It never holds more than there are characters."""

    __slots__ = ("_font",)

    def __init__(self, font: Font) -> None:
        super().__init__({char: (width + font.add) * font.multiply for char, width in font.glyphs.items()})
        self._font = font

    def __missing__(self, char: str) -> int:
        width = self[char] = self._font.width_of(detect_script(char))
        return width


class Advances(Widths):
    """Pixels by character, of which marks and joiners take none."""

    __slots__ = ()

    def __missing__(self, char: str) -> int:
        if is_zero_width(char):
            self[char] = 0
            return 0
        return super().__missing__(char)


def _read_only(mapping: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(mapping))


def _advances(font: Font) -> Widths:
    return Widths(font) if font.marks_take_room else Advances(font)


def _ascii_advances(font: Font) -> bytes:
    try:
        return bytes(font.advances[chr(code)] for code in range(128)) + bytes(128)
    except ValueError:
        return b""


@attrs.frozen(kw_only=True)
class Font:
    """How wide characters are. A glyph takes `(width + add) * multiply` pixels."""

    glyphs: Mapping[str, int] = attrs.field(converter=_read_only)
    """Widths by character, in the font's own unit."""
    add: int = 0
    multiply: int = 1
    scripts: Mapping[Script, int]
    """Pixels of every character of a script that has no glyph above."""
    fallback: int
    """Pixels of any other character."""
    marks_take_room: bool = False
    """Whether marks and joiners are as wide as other characters. They are not, but phones think so (P4 2.3)."""
    widths: Widths = attrs.field(init=False, eq=False, repr=False, default=attrs.Factory(Widths, takes_self=True))
    """Pixels of any single character, as the reference measures it: nothing has width 0 (P4 2.3)."""
    advances: Widths = attrs.field(init=False, eq=False, repr=False, default=attrs.Factory(_advances, takes_self=True))
    """Pixels of any single character; marks that are drawn over their neighbours take none unless they take room."""
    ascii_advances: bytes = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(_ascii_advances, takes_self=True)
    )
    """The same of all of ASCII, for `bytes.translate`; empty when one is wider than a byte can tell."""

    def width_of(self, script: Script) -> int:
        """Pixels of a character of a script that has no glyph."""
        return self.scripts.get(script, self.fallback)


@attrs.frozen(kw_only=True)
class Profile:
    """One display, as far as text is concerned. There is no height: displays are as high as their lines."""

    id: str
    name: str
    width: int
    """Usable pixels of a line; fewer than the panel has."""
    max_lines: int
    max_bytes: int
    """UTF-8 bytes of one display."""
    chunk_bytes: int
    """Bytes that go over Bluetooth at once."""
    font: Font

    def as_phones_measure(self) -> Profile:
        """Give the display as a phone takes it, which wraps once more what it gets (P4 2.3).

        What fits this one is shown line by line as it is. Lines with many marks, joiners or emoji are shorter.
        """
        return attrs.evolve(self, font=attrs.evolve(self.font, marks_take_room=True))

    @property
    def hyphen_width(self) -> int:
        """Pixels."""
        return self.font.widths["-"]

    @property
    def space_width(self) -> int:
        """Pixels."""
        return self.font.widths[" "]


def glyphs(table: Mapping[int, str]) -> dict[str, int]:
    """Turn `{width: characters}` into widths by character."""
    return {char: width for width, chars in table.items() for char in chars}


_EAST_ASIAN = {Script.CJK: 18, Script.HIRAGANA: 18, Script.KATAKANA: 18, Script.KOREAN: 24, Script.CYRILLIC: 18}
_G1_FONT = Font(
    glyphs=glyphs(
        {
            1: "!',.:;il|",
            2: ' "()I[]`j',
            3: r"*/1J\_rt{}",
            4: "+-<=>EFL^bcdefghknopqsz",
            5: "$023456789?BCDGHKNOPQRSTUZauvxy",
            6: "#%AVXY",
            7: "&@MWmw~",
        }
    ),
    add=1,
    multiply=2,
    scripts=_EAST_ASIAN,
    fallback=16,
)
_Z100_FONT = Font(
    glyphs=glyphs(
        {
            5: " 'ijl",
            6: "!(),.:;J`",
            7: "-I[]f",
            8: r"/\t{}",
            9: '"?_r',
            10: "csz",
            11: "FLkvxy",
            12: "$*+0123456789<=>ESTXYZ^ae|~",
            13: "ACKPRVbdghnopqu",
            14: "#B",
            15: "&DGU",
            16: "HNOQ",
            17: "%w",
            19: "@M",
            20: "Wm",
        }
    ),
    scripts={Script.CJK: 21, Script.HIRAGANA: 21, Script.KATAKANA: 21, Script.KOREAN: 21, Script.CYRILLIC: 14},
    fallback=20,
)
_NEX_FONT = Font(
    glyphs=glyphs(
        {
            3: "!'ijl",
            4: " I",
            5: '",.1:;|',
            6: "[]frt",
            7: "(){}",
            8: r"*-/\ksxz",
            9: "?_acvy",
            10: "$JKbdeghnopqu",
            11: "+23456789<=>EFLPRSTXYZ^`~",
            12: "#&0ABVw",
            13: "%CDHNU",
            14: "@G",
            15: "MOQm",
            16: "W",
        }
    ),
    scripts=_EAST_ASIAN,
    fallback=16,
)

G1 = Profile(
    id="even-realities-g1",
    name="Even Realities G1",
    width=576,
    max_lines=5,
    max_bytes=390,
    chunk_bytes=176,
    font=_G1_FONT,
)
G1_LEGACY = attrs.evolve(
    G1,
    id="even-realities-g1-legacy",
    name="Even Realities G1 (Legacy Client Compatibility)",
    width=420,  # for old phone apps, which wrap the text once more
)
G2 = attrs.evolve(G1, id="even-realities-g2", name="Even Realities G2")
Z100 = Profile(
    id="vuzix-z100",
    name="Vuzix Z100",
    width=390,
    max_lines=7,
    max_bytes=512,
    chunk_bytes=180,
    font=_Z100_FONT,
)
NEX = Profile(
    id="mentra-nex",
    name="Mentra Nex",
    width=440,
    max_lines=5,
    max_bytes=226,
    chunk_bytes=176,
    font=_NEX_FONT,
)


def _names(by_id: Mapping[str, Profile], by_model: Mapping[str, Profile]) -> Mapping[str, Profile]:
    """Give profiles by names that may be written in any case; names of models win."""
    names = {profile.name.casefold(): profile for profile in reversed(list(by_id.values()))}
    return {**names, **{model.casefold(): profile for model, profile in by_model.items()}}


@attrs.frozen
class Profiles:
    """The displays that are known, by id and by the model names of the cloud. Never changes: `adding` gives another."""

    _by_id: Mapping[str, Profile]
    _by_model: Mapping[str, Profile]
    default: Profile
    """For models that are not known."""
    _by_name: Mapping[str, Profile] = attrs.field(
        init=False,
        eq=False,
        repr=False,
        default=attrs.Factory(lambda known: _names(known._by_id, known._by_model), takes_self=True),  # noqa: SLF001 - its own
    )
    """By the names of models and of the profiles themselves, without regard for capital letters."""

    def __iter__(self) -> Iterator[Profile]:
        """Give every profile once."""
        return iter(self._by_id.values())

    def __getitem__(self, profile_id: str) -> Profile:
        """Give the profile of an id; `KeyError` when there is none."""
        return self._by_id[profile_id]

    def for_model(self, model: str | None) -> Profile:
        """Give the profile of glasses, by the model's name in `session.device.capabilities` or `session.device.state`.

        Capital letters do not matter, and a profile's own name is known too.
        Models without a display of their own, models that are not known, and no model at all have the default one.
        """
        return self._by_name.get((model or "").casefold(), self.default)

    def adding(self, profile: Profile, *, models: Iterable[str] = ()) -> Profiles:
        """Give profiles with one more, for these model names; it takes the place of one of the same id."""
        by_id = {**self._by_id, profile.id: profile}
        replaced = {model: by_id[known.id] for model, known in self._by_model.items()}
        default = by_id[self.default.id]
        return attrs.evolve(self, default=default, by_id=by_id, by_model={**replaced, **dict.fromkeys(models, profile)})


PROFILES = Profiles(
    {profile.id: profile for profile in (G1, G1_LEGACY, G2, Z100, NEX)},
    {
        "Even Realities G1": G1,
        "Even Realities G2": G2,
        "Mentra Display": NEX,
        "Mentra Live": G1,
        "Vuzix Z100": Z100,
        "Mentra Mach1": Z100,
        "Simulated Glasses": G1,
    },
    G1,
)
"""The displays of MentraOS glasses."""
