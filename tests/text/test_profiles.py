"""Which display is whose."""

from __future__ import annotations

import json

import attrs
import pytest

from mentra_trio.text import G1, G2, NEX, PROFILES, Z100, Font, Profile, Script, measure, wrap
from tests.conformance.recordings import OWN_VECTORS


def test_the_profiles_are_those_of_the_reference() -> None:
    recorded = json.loads((OWN_VECTORS / "display" / "profiles.json").read_text("utf-8"))["profiles"]
    assert [profile.id for profile in PROFILES] == [facts["id"] for facts in recorded]
    for facts, profile in zip(recorded, PROFILES, strict=True):
        font = facts["font"]
        assert profile.name == facts["name"]
        assert profile.chunk_bytes == facts["bleChunkSize"]
        assert dict(profile.font.glyphs) == font["glyphWidths"]
        assert {char: profile.font.widths[char] for char in font["glyphWidths"]} == font["renderedWidthsPx"]
        scripts = {script.value: width for script, width in profile.font.scripts.items()}
        assert scripts == font["uniformScriptWidthsPx"]
        assert profile.font.fallback == font["fallbackWidthPx"]


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        ("Even Realities G1", G1),
        ("Even Realities G2", G2),
        ("Mentra Display", NEX),
        ("mentra display", NEX),
        ("Mentra Nex", NEX),
        ("VUZIX Z100", Z100),
        ("Vuzix Z100", Z100),
        ("Mentra Live", G1),
        ("Simulated Glasses", G1),
        ("something else", G1),
        ("", G1),
        (None, G1),
    ],
)
def test_a_model_has_a_profile(model: str | None, profile: Profile) -> None:
    assert PROFILES.for_model(model) is profile


def test_letters_may_be_wider_than_a_byte_tells() -> None:
    font = Font(glyphs={" ": 100, "W": 300}, scripts={}, fallback=200)
    wide = Profile(id="wide", name="Wide", width=700, max_lines=9, max_bytes=100, chunk_bytes=20, font=font)

    assert wrap("WW aa W", wide).texts == ["WW", "aa", "W"]
    assert wrap("WW W", wide, width=1000).texts == ["WW W"]


def test_more_displays_can_be_known() -> None:
    font = Font(glyphs={" ": 1, "-": 1}, scripts={Script.CJK: 4}, fallback=2)
    tiny = Profile(id="tiny", name="Tiny", width=8, max_lines=2, max_bytes=100, chunk_bytes=20, font=font)
    profiles = PROFILES.adding(tiny, models=["Tiny One"])

    assert profiles.for_model("Tiny One") is profiles["tiny"] is tiny
    assert profiles.for_model("tiny") is tiny
    assert profiles.for_model("Vuzix Z100") is Z100
    assert len(list(profiles)) == 6
    assert wrap("abcd efg", tiny).texts == ["abcd", "efg"]
    with pytest.raises(KeyError):
        PROFILES["tiny"]


def test_a_known_display_can_be_replaced_with_all_its_models() -> None:
    narrow = attrs.evolve(G1, width=500)
    profiles = PROFILES.adding(narrow)
    assert profiles.for_model("Mentra Live") is profiles.default is narrow


def test_measuring_remembers_no_texts() -> None:
    measure("e\u0301" * 100 + "\U0001f468\u200d\U0001f469", G1)
    assert all(len(char) == 1 for char in G1.font.advances)
