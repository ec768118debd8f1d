"""The cloud's storage for apps (P3 9): a document of texts for each wearer and app, with its limits and its faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs

from . import messages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mentra_trio._wire.codec import JsonObject  # noqa: TC004 - nobody evaluates it

    from .messages import Reply

MOST_OF_VALUE = 100_000
"""UTF-16 units of one value."""
MOST_IN_ALL = 1_000_000
"""UTF-16 units of all values of an app for a wearer."""


def as_object(value: object) -> JsonObject | None:
    """Give a JSON value if it is an object."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def size_of(value: object) -> float:
    """Measure a value as the cloud's language does: UTF-16 units. What is no text has no size (P3 9.4)."""
    return len(value.encode("utf-16-le", "surrogatepass")) // 2 if isinstance(value, str) else float("nan")


@attrs.define(eq=False)
class Storage:
    """What one app has stored for one wearer."""

    nests_dots: bool = attrs.field(kw_only=True)
    """Whether a dot in a key makes an object, as in the real database."""
    document: JsonObject | None = None
    """`None` while nothing was ever stored, and after a clear."""

    def read_all(self) -> Reply:
        """`GET /:user`."""
        return messages.reply(200, success=True, data=self.document or {})

    def read(self, key: str) -> Reply:
        """`GET /:user/:key`. A dotted key is not found under its own name."""
        value = (self.document or {}).get(key)
        if not isinstance(value, str):
            return messages.reply(404, success=False, message="Key not found")
        return messages.reply(200, success=True, data={"value": value})

    def write_all(self, data: object) -> Reply:
        """`PUT /:user`: all or nothing."""
        values = as_object(data)
        if values is None:
            return messages.reply(400, error="Invalid body: expected { data: Record<string,string> }")
        for key, value in values.items():
            if not isinstance(value, str):
                detail = f'Invalid value for key "{key}"'
                return messages.reply(400, error="All values must be strings", detail=detail)
        for key, value in values.items():
            if size_of(value) > MOST_OF_VALUE:
                return _too_long(key, value)
        current, added = self._total(), sum(map(size_of, values.values()))
        if current + added > MOST_IN_ALL:
            # Not 413: the cloud does not know its own text again. Whether it subtracts what is replaced is unknown.
            error = (
                f"Total storage would exceed 1MB limit (current: {current:.0f}, adding: {added:.0f}, "
                f"total: {current + added:.0f}). Delete unused keys or use S3 storage."
            )
            return messages.reply(500, error=error)
        for key, value in values.items():
            if not self._put(key, str(value)):
                return messages.reply(500, error="Failed to update storage")
        self.document = self.document or {}
        return messages.reply(200, success=True, message="Storage updated")

    def write(self, key: str, value: object) -> Reply:
        """`PUT /:user/:key`."""
        if not isinstance(value, str):
            return messages.reply(400, error="Invalid body: expected { value: string }")
        if size_of(value) > MOST_OF_VALUE:
            return _too_long(key, value)
        current = self._total()
        new = current + size_of(value) - size_of((self.document or {}).get(key, ""))
        if new > MOST_IN_ALL:
            error = (
                f"Total storage exceeds 1MB limit (current: {current:.0f}, new: {new:.0f}). "
                "Delete unused keys or use S3 storage."
            )
            return messages.reply(413, error=error)
        if not self._put(key, value):
            return messages.reply(500, error="Failed to set value")
        return messages.reply(200, success=True, message=f'Key "{key}" set')

    def delete(self, key: str) -> Reply:
        """`DELETE /:user/:key`. A key that is not there is fine, a storage that is not there is not."""
        if self.document is None:
            return messages.reply(404, success=False, message="Storage not found")
        *parents, name = self._path(key)
        place: JsonObject | None = self.document
        for parent in parents:
            place = None if place is None else as_object(place.get(parent))
        if place is not None:
            place.pop(name, None)
        return messages.reply(200, success=True, message=f'Key "{key}" deleted')

    def clear(self) -> Reply:
        """`DELETE /:user`."""
        if self.document is None:
            return messages.reply(404, success=False, message="Storage not found")
        self.document = None
        return messages.reply(200, success=True, message="Storage cleared")

    def texts(self) -> Mapping[str, str]:
        """All values that are texts, by key."""
        return {key: value for key, value in (self.document or {}).items() if isinstance(value, str)}

    def _total(self) -> float:
        """The sum of all sizes. One object among the values makes it no number, and so no limit (P3 9.4)."""
        return sum(map(size_of, (self.document or {}).values()))

    def _path(self, key: str) -> list[str]:
        return key.split(".") if self.nests_dots else [key]

    def _put(self, key: str, value: str) -> bool:
        """Store a value; return whether the database can: not below a text."""
        document = self.document = self.document or {}
        *parents, name = self._path(key)
        place = document
        for parent in parents:
            below = as_object(place.setdefault(parent, {}))
            if below is None:
                return False
            place = below
        place[name] = value
        return True


def _too_long(key: str, value: object) -> Reply:
    error = (
        f'Value for key "{key}" exceeds 100KB limit ({size_of(value):.0f} bytes). '
        "Use your own S3 bucket storage for large files."
    )
    return messages.reply(400, error=error)
