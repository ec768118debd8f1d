"""The masked values of the recordings of the cloud: comparison with them, and something to send for them."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import attrs

from mentra_trio.simulator.hardware import capabilities
from tests.conformance.recordings import as_object

if TYPE_CHECKING:
    from tests.conformance.recordings import Json

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_TIME = "<time>"
_CLOCK = re.compile(r"\b\d{1,2}:\d\d( [AP]M)?")
"""What that mask stands for, inside a text."""
_CAPABILITIES = re.compile(r"<capabilities of (.+)>")
_ID = re.compile(r"<id:\d+>")
_LIVE_INPUT = re.compile(r"\bli\d+\b")
_APP_HOST = "<app-host>"
_STANDINS: dict[str, object] = {"<timestamp>": "2026-06-27T10:00:00.000Z", "<timestamp:ms>": 1_782_554_400_000}
"""What is sent for masks; others are sent as the texts that they are."""


@attrs.define
class Masks:
    """Compares recorded values with ours; the mask of an id stands for the same one everywhere."""

    _ids: dict[str, str] = attrs.field(factory=dict[str, str], init=False)

    def difference(self, expected: object, actual: object, path: str = "") -> str | None:
        """Tell the first difference, or nothing."""
        if (known := as_object(expected)) is not None and (got := as_object(actual)) is not None:
            return self._objects(known, got, path)
        if (items := _as_list(expected)) is not None and (others := _as_list(actual)) is not None:
            return self._lists(items, others, path)
        if isinstance(expected, str) and isinstance(actual, str) and _APP_HOST in expected:
            # All apps had one host there; here each has its own, over TLS.
            expected, actual = expected.rpartition(_APP_HOST)[2], urlsplit(actual).path
        if isinstance(expected, str) and isinstance(actual, str) and _TIME in expected:
            expected, actual = expected.replace(_TIME, ""), _CLOCK.sub("", actual)
        if isinstance(expected, str) and isinstance(actual, str):
            # The stub of the recordings counted over all of them.
            expected, actual = (_LIVE_INPUT.sub("li", text) for text in (expected, actual))
            for mark in _ID.findall(expected):
                if mark != expected and mark in self._ids:
                    expected = expected.replace(mark, self._ids[mark])
        same = self._is_masked(expected, actual) if _is_mask(expected) else _equal(expected, actual)
        return None if same else f"{path}: expected {expected!r:.200}, got {actual!r:.200}"

    def _objects(self, expected: Json, actual: Json, path: str) -> str | None:
        if "base64_head" in expected and "base64" in actual:
            data = base64.b64decode(str(actual["base64"]))
            facts = len(data), hashlib.sha256(data).hexdigest()
            same = facts == (expected.get("length"), expected.get("sha256"))
            return None if same else f"{path}: other bytes than were recorded"
        if expected.keys() != actual.keys():
            return f"{path}: the keys {sorted(expected.keys() ^ actual.keys())} are only on one side"
        differences = (self.difference(expected[key], actual[key], f"{path}.{key}") for key in expected)
        return next((text for text in differences if text), None)

    def _lists(self, expected: list[object], actual: list[object], path: str) -> str | None:
        if len(expected) != len(actual):
            return f"{path}: expected {expected!r:.200}, got {actual!r:.200}"
        pairs = enumerate(zip(expected, actual, strict=True))
        differences = (self.difference(one, other, f"{path}[{place}]") for place, (one, other) in pairs)
        return next((text for text in differences if text), None)

    def _is_masked(self, mask: object, actual: object) -> bool:
        if mask == actual:
            return True  # what an app sent was masked too, and came back as it was
        match mask:
            case "<timestamp>":
                return isinstance(actual, str) and _TIMESTAMP.fullmatch(actual) is not None
            case "<timestamp:ms>":
                return isinstance(actual, int | float) and not isinstance(actual, bool) and actual > 1e12
            case str() if mask.startswith("<id:"):
                return isinstance(actual, str) and self._ids.setdefault(mask, actual) == actual
            case str() if found := _CAPABILITIES.fullmatch(mask):
                return (as_object(actual) or {}).get("modelName") == found[1]
            case _:
                return isinstance(actual, str) and actual != ""


def _as_list(value: object) -> list[object] | None:
    return cast("list[object]", value) if isinstance(value, list) else None


def _is_mask(value: object) -> bool:
    return isinstance(value, str) and value.startswith("<") and value.endswith(">")


def _equal(expected: object, actual: object) -> bool:
    # 1 and 1.0 are the same number, but true is none.
    return expected == actual and isinstance(expected, bool) is isinstance(actual, bool)


def unmasked(value: object) -> object:
    """Put something in for every mask, so that it can be sent."""
    if isinstance(value, str):
        found = _CAPABILITIES.fullmatch(value)
        return capabilities(found[1]) if found else _STANDINS.get(value, value)
    if (items := _as_list(value)) is not None:
        return [unmasked(item) for item in items]
    if (table := as_object(value)) is not None:
        return {key: unmasked(item) for key, item in table.items()}
    return value
