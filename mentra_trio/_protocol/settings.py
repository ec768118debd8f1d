"""The app's settings, out of two shapes that the wire mixes (P1 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio.models.settings import SettingChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mentra_trio._wire.inbound import SettingEntry

_MOST_DEFAULTS = 1000
"""Definitions that are kept: more than a settings page has, few enough for a cloud that makes keys up."""
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
        defaults: dict[str, object] = {}
        for entry in entries:
            if not entry.key or entry.type in _NOT_A_VALUE:
                continue
            if entry.default_value is not None:
                defaults[entry.key] = entry.default_value
            if entry.value is not None:
                told[entry.key] = entry.value
        self._told = told
        known = {**self._defaults, **defaults}
        self._defaults = known if len(known) <= _MOST_DEFAULTS else defaults
        after = self.values
        return tuple(
            SettingChange(key=key, old=before.get(key), new=after.get(key))
            for key in dict.fromkeys((*before, *after))
            if not is_same(before.get(key), after.get(key)) or (key in before) != (key in after)
        )


def is_same(one: object, other: object) -> bool:
    """Compare JSON values. To Python 1 and `True` are equal, but an app would notice; 1 and 1.0 are one number."""
    if isinstance(one, dict) and isinstance(other, dict):
        fields, others = cast("dict[str, object]", one), cast("dict[str, object]", other)
        return fields.keys() == others.keys() and all(is_same(fields[key], others[key]) for key in fields)
    if isinstance(one, list) and isinstance(other, list):
        items, rest = cast("list[object]", one), cast("list[object]", other)
        return len(items) == len(rest) and all(map(is_same, items, rest))
    return one == other and isinstance(one, bool) is isinstance(other, bool)
