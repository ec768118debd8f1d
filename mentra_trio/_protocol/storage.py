"""What an app has stored for a wearer, as far as that is known, and what the cloud still has to be told (P3 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mentra_trio._wire.actions.storage import MOST_IN_ALL, MOST_OF_VALUE, size_of, wire_key
from mentra_trio.errors import StorageLimitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mentra_trio._wire.actions.storage import StoredValue


@attrs.define(eq=False)
class Shelf:
    """The values of one session: what the cloud told, with the app's own changes over it."""

    _found: dict[str, str] | None = attrs.field(init=False, default=None)
    """What the cloud has; `None` while nobody has asked."""
    _foreign: dict[str, tuple[str, ...]] = attrs.field(init=False, factory=dict[str, tuple[str, ...]])
    """By key: other names under which the cloud has it, from apps that do not spell keys as this SDK does."""
    _own: set[str] = attrs.field(init=False, factory=set[str])
    """Keys that the cloud has under this SDK's name, or may have: not each writing that it did is confirmed."""
    _changes: dict[str, str | None] = attrs.field(init=False, factory=dict[str, str | None])
    """What the cloud has to be told, oldest first; `None` is a value that was deleted."""
    must_clear: bool = attrs.field(init=False, default=False)
    """Whether the cloud has to be told that all is deleted, before all changes."""

    @property
    def is_loaded(self) -> bool:
        """Whether everything is known."""
        return self._found is not None

    @property
    def unsaved(self) -> int:
        """How many changes the cloud has to be told."""
        return len(self._changes) + self.must_clear

    # --- what the cloud told

    def fill(self, values: Iterable[StoredValue]) -> None:
        """Take what the cloud has. Changes that it has not been told stay."""
        if self.must_clear:
            values = ()
        self._found, self._own, foreign = {}, set(), dict[str, list[str]]()
        for value in values:
            is_own = value.wire == wire_key(value.key)
            if is_own:
                self._own.add(value.key)
            else:
                foreign.setdefault(value.key, []).append(value.wire)
            if is_own or value.key not in self._found:
                self._found[value.key] = value.text
        self._foreign = {key: tuple(wires) for key, wires in foreign.items()}

    # --- the app's side

    def knows(self, key: str | None) -> bool:
        """Whether it is known what this key holds, or all of them."""
        return self._found is not None or key in self._changes

    def values(self) -> dict[str, str]:
        """Give all values, as far as they are known."""
        merged: dict[str, str | None] = {**(self._found or {}), **self._changes}
        return {key: text for key, text in merged.items() if text is not None}

    def get(self, key: str) -> str | None:
        """Give a value; `None` where there is none, or where it is not known."""
        return self._changes[key] if key in self._changes else (self._found or {}).get(key)

    def check(self, values: Mapping[str, str]) -> None:
        """Raise `StorageLimitError` for values that are too large, one by one."""
        for key, text in values.items():
            if (size := size_of(text)) > MOST_OF_VALUE:
                raise StorageLimitError(f"the value of {key[:60]!r}", size, MOST_OF_VALUE)

    def put(self, values: Mapping[str, str]) -> None:
        """Note values to be stored: all or none. Raises `StorageLimitError` when all together would be too large."""
        if self._found is not None:
            total = sum(map(size_of, {**self.values(), **values}.values()))
            if total > MOST_IN_ALL:
                raise StorageLimitError("all that the app has stored", total, MOST_IN_ALL)
        self._own.update(values)
        for key, text in values.items():
            if self._changes.get(key, text) is None:
                del self._changes[key]  # a value that is written after its deletion is a new one
            self._changes[key] = text

    def delete(self, key: str) -> None:
        """Note a value to be deleted."""
        self._changes.pop(key, None)
        self._changes[key] = None

    def clear(self) -> None:
        """Note that everything is to be deleted. What was not told before need not be told."""
        self._found, self._own, self._foreign = {}, set(), {}
        self._changes.clear()
        self.must_clear = True

    # --- what has to be told

    def writes(self) -> dict[str, str]:
        """Give what has to be stored, by key. Nothing while all is to be deleted: that would delete it too."""
        return {} if self.must_clear else {key: text for key, text in self._changes.items() if text is not None}

    def deletions(self) -> dict[str, tuple[str, ...]]:
        """Give what has to be deleted: keys, with all names that the cloud has for them."""
        gone = [key for key, text in self._changes.items() if text is None]
        return {key: self._names(key) for key in gone}

    def _names(self, key: str) -> tuple[str, ...]:
        foreign = self._foreign.get(key, ())
        return foreign if foreign and key not in self._own else (wire_key(key), *foreign)

    def cleared(self) -> None:
        """Note that the cloud has deleted everything."""
        self.must_clear = False

    def stored(self, values: Mapping[str, str]) -> None:
        """Note that the cloud has stored values. Those that changed meanwhile are still to be told."""
        if self.must_clear:
            return  # all of it is to be deleted, so the cloud will not keep it
        self._own.update(values)
        for key, text in values.items():
            if self._found is not None:
                self._found[key] = text
            if self._changes.get(key) is text:
                del self._changes[key]

    def deleted(self, key: str) -> None:
        """Note that the cloud has deleted a value, and all its other names."""
        self._foreign.pop(key, None)
        self._own.discard(key)
        if self._found is not None:
            self._found.pop(key, None)
        if key in self._changes and self._changes[key] is None:
            del self._changes[key]
