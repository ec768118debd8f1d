"""Time zones by name."""

from zoneinfo import ZoneInfo

import pytest

from mentra_trio._wire.zones import zone_named


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"])
def test_a_zone_is_known_by_its_name(name: str) -> None:
    assert zone_named(name) == ZoneInfo(name)


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "Europe", "+02:00", "../zone", "/etc/passwd", "a\0b", "\ud800", "x" * 9999]
)
def test_what_is_no_zone_is_none(name: str) -> None:
    assert zone_named(name) is None
