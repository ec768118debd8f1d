"""The app's settings, out of two shapes that the wire mixes (P1 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mentra_trio.models.settings import SettingChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mentra_trio._wire.inbound import SettingEntry

_NOT_A_VALUE = frozenset({"group", "titleValue"})


@attrs.define(eq=False)
class SettingsBook:
    """Values by key: the told value, else the default of a definition seen for that key.

    Definitions are kept once seen: the cloud sends them only until the wearer first changes something.
    """

    _defaults: dict[str, object] = attrs.field(init=False, factory=dict[str, object])
    _told: dict[str, object] = attrs.field(init=False, factory=dict[str, object])

    @property
    def values(self) -> Mapping[str, object]:
        """All values, a new mapping."""
        return {**self._defaults, **self._told}

    def apply(self, entries: Iterable[SettingEntry]) -> tuple[SettingChange, ...]:
        """Take over a list of settings and tell what changed; each change comes twice on the wire (P1 5.1)."""
        before = self.values
        told: dict[str, object] = {}
        for entry in entries:
            if not entry.key or entry.type in _NOT_A_VALUE:
                continue
            if entry.default_value is not None:
                self._defaults[entry.key] = entry.default_value
            if entry.value is not None:
                told[entry.key] = entry.value
        self._told = told
        after = self.values
        return tuple(
            SettingChange(key=key, old=before.get(key), new=after.get(key))
            for key in dict.fromkeys((*before, *after))
            if not _is_same(before.get(key), after.get(key)) or (key in before) != (key in after)
        )


def _is_same(one: object, other: object) -> bool:
    """Compare settings. To Python 1 and `True` are equal, but an app would notice."""
    return one == other and isinstance(one, bool) is isinstance(other, bool)
