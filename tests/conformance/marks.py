"""Comparison of values with the marks of the recordings (section 4 of the recordings' README).

Rows may use one more mark: `<text>`, any text that is not empty.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio._wire.streams import parse_stream

if TYPE_CHECKING:
    from .recordings import Json

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ID_MARK = re.compile(r"<id:\d+>")
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_FORMATS = {"audio_req_": r"\d{13}_[0-9a-z]{1,7}"}
"""What an id looks like behind its prefix, where it is no UUID."""

CLOUD_HOST = "127.0.0.1:8002"
"""What `<cloud-host>` stands for: a loopback address, which apps in development may connect to (D14)."""
ABSENT = ("<undefined>", None)
"""A key without a value, `null` and a missing key are one thing on the wire and in the API (P1 0)."""


@attrs.define
class Comparison:
    """Compares recorded values with ours; remembers which id each mark stands for."""

    ids: dict[str, str] = attrs.field(factory=dict[str, str])

    def differences(self, expected: object, actual: object, path: str = "") -> list[str]:
        """List what differs, one line a place."""
        if isinstance(expected, str | None) and expected in ABSENT:
            return [] if actual in ABSENT else [f"{path}: expected nothing, got {actual!r}"]
        if isinstance(expected, dict):
            if not isinstance(actual, dict):
                return [f"{path}: expected {expected!r}, got {actual!r}"]
            if "$binary" in expected and "$binary" in actual:
                same = is_binary(cast("Json", expected), bytes_of(cast("Json", actual)))
                return [] if same else [f"{path}: expected {expected!r}, got {actual!r}"]
            return self._objects(cast("Json", expected), cast("Json", actual), path)
        if isinstance(expected, list):
            return self._lists(cast("list[object]", expected), actual, path)
        if isinstance(expected, str):
            return [] if self._is_text(expected, actual) else [f"{path}: expected {expected!r}, got {actual!r}"]
        # 1 and 1.0 are the same number, but true is none.
        same = expected == actual and isinstance(expected, bool) is isinstance(actual, bool)
        return [] if same else [f"{path}: expected {expected!r}, got {actual!r}"]

    def known(self, value: object) -> object:
        """Put into a recorded value what its marks stand for, so that it can be sent."""
        if isinstance(value, str):
            text = value.replace("<cloud-host>", CLOUD_HOST)
            return _ID_MARK.sub(lambda mark: self.ids.get(mark[0], mark[0]), text)
        if isinstance(value, list):
            return [self.known(item) for item in cast("list[object]", value)]
        if isinstance(value, dict):
            return {key: self.known(item) for key, item in cast("Json", value).items()}
        return value

    def _objects(self, expected: Json, actual: Json, path: str) -> list[str]:
        found: list[str] = []
        for key in dict.fromkeys((*expected, *actual)):
            inner = f"{path}.{key}" if path else key
            if key == "subscriptions":
                found += _subscription_differences(expected.get(key), actual.get(key), inner)
            elif key == "sdkVersion":
                # Ours; the cloud only looks at the major version (P1 2.3).
                if not str(actual.get(key)).startswith("3."):
                    found.append(f"{inner}: expected a version 3, got {actual.get(key)!r}")
            else:
                found += self.differences(expected.get(key), actual.get(key), inner)
        return found

    def _lists(self, expected: list[object], actual: object, path: str) -> list[str]:
        if not isinstance(actual, list | tuple):
            return [f"{path}: expected {expected!r}, got {actual!r}"]
        items = list(cast("list[object]", actual))
        if len(items) != len(expected):
            return [f"{path}: expected {expected!r}, got {items!r}"]
        pairs = enumerate(zip(expected, items, strict=True))
        return [text for n, (one, other) in pairs for text in self.differences(one, other, f"{path}[{n}]")]

    def _is_text(self, expected: str, actual: object) -> bool:
        if expected == "<timestamp>":
            return isinstance(actual, str) and _TIMESTAMP.fullmatch(actual) is not None
        if expected == "<text>":
            return isinstance(actual, str) and actual.strip() != ""
        if expected == "<timestamp:ms>":
            return isinstance(actual, int | float) and not isinstance(actual, bool) and actual > 1e12
        if not isinstance(actual, str):
            return False
        expected = expected.replace("<cloud-host>", CLOUD_HOST)
        mark = _ID_MARK.search(expected)
        if mark is None:
            return expected == actual
        prefix, suffix = expected[: mark.start()], expected[mark.end() :]
        if not actual.startswith(prefix) or not actual.endswith(suffix):
            return False
        found = actual[len(prefix) : len(actual) - len(suffix)]
        if not re.fullmatch(_FORMATS.get(prefix, _UUID), found):
            return False
        return self.ids.setdefault(mark[0], found) == found

    def is_frame(self, expected: object, data: bytes) -> bool:
        """Tell whether a binary frame is what was recorded; those of sound are split into their stream and the rest."""
        facts = cast("Json", cast("Json", expected)["$binary"])
        if "stream_id" not in facts:
            return is_binary(expected, data)
        stream_id, payload = data[:36].decode("ascii", "replace"), data[36:]
        if not self._is_text(cast("str", facts["stream_id"]), stream_id):
            return False
        if facts.get("is_mp3"):  # of an encoder of our own
            return bool(payload)
        if "payload_hex" in facts:
            return payload.hex() == facts["payload_hex"]
        return hashlib.sha256(payload).hexdigest() == facts["payload_sha256"]


def subscription_set(names: object) -> frozenset[str] | None:
    """Give what a subscription list means: a set, without the system settings, which this SDK always subscribes."""
    if not isinstance(names, list):
        return None
    return frozenset(_canonical(name) for name in cast("list[object]", names) if not str(name).startswith("augmentos:"))


def _canonical(name: object) -> str:
    """Spell a subscription so that the spelling of its options does not count."""
    parsed = parse_stream(name) if isinstance(name, str) else None
    if parsed is None or not parsed.options:
        return str(name)
    options = sorted((key, sorted(value.split(","))) for key, value in parsed.options)
    return f"{parsed.identity} {options}"


def _subscription_differences(expected: object, actual: object, path: str) -> list[str]:
    wanted, got = subscription_set(expected), subscription_set(actual)
    if wanted is None or got is None:
        return [] if wanted is got else [f"{path}: expected {expected!r}, got {actual!r}"]
    return [] if wanted == got else [f"{path}: expected {sorted(wanted)}, got {sorted(got)}"]


def snake(name: str) -> str:
    """Convert a recorded field name to this SDK's style."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def snake_keys(value: object) -> object:
    """Convert all field names inside a recorded value."""
    if isinstance(value, dict):
        return {
            key if key.startswith("$") else snake(key): snake_keys(item) for key, item in cast("Json", value).items()
        }
    if isinstance(value, list):
        return [snake_keys(item) for item in cast("list[object]", value)]
    return value


def binary(data: bytes) -> Json:
    """Describe bytes as the recordings do."""
    return {"$binary": {"length": len(data), "hex": data.hex()}}


def bytes_of(described: object) -> bytes:
    """Give bytes that were recorded. Of long ones only a checksum is: they follow one of the recordings' patterns."""
    facts = cast("Json", cast("Json", described)["$binary"])
    if "hex" in facts:
        return bytes.fromhex(cast("str", facts["hex"]))
    length = cast("int", facts["length"])
    tone = (round(8000 * math.sin(place / 8)) for place in range(length // 2))
    for data in (
        bytes((7 * place + 13) % 256 for place in range(length)),
        bytes(31 * place % 256 for place in range(length)),
        b"".join(sample.to_bytes(2, "little", signed=True) for sample in tone),
    ):
        if hashlib.sha256(data).hexdigest() == facts["sha256"]:
            return data
    raise ValueError(f"the recording does not tell the bytes of {facts!r}")


def is_binary(expected: object, data: bytes) -> bool:
    """Tell whether bytes are those that were recorded, in either of the recordings' forms."""
    facts = cast("Json", cast("Json", expected)["$binary"])
    if facts["length"] != len(data):
        return False
    if "hex" in facts:
        return facts["hex"] == data.hex()
    return facts["sha256"] == hashlib.sha256(data).hexdigest()
