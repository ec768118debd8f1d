"""`session.settings`: what the wearer set for this app, and for the system (P1 5)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar, cast, overload

import attrs

from mentra_trio._flow import EventStream, Latest, Overflow
from mentra_trio._link import Link, StreamSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mentra_trio.models.settings import SettingChange, SystemSettings

V = TypeVar("V")
_CAPACITY = 256
"""Unread changes: more than a settings page has entries."""

_KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}

log = logging.getLogger("mentra_trio.session")


@attrs.define(eq=False, repr=False)
class SettingsManager:
    """Settings of the app as defined in the MentraOS console, with their defaults."""

    _link: Link

    @overload
    def get(self, key: str, default: None = None) -> object: ...
    @overload
    def get(self, key: str, default: V) -> V: ...
    def get(self, key: str, default: object = None) -> object:
        """Give the value of a setting, of the same type as `default`.

        `default` is given back when the setting is not there, or is of another type, which is logged once a call.
        Whole numbers count as `float` where the default is one; without a default a value of any type is given.

        Raises:
            TypeError: the key is no text.
        """
        value = self.values.value.get(_text(key))
        if value is None:
            return default
        fitted = _fitted(value, default)
        if fitted is None:
            log.warning(
                "the setting %r is %s where the app expects %s; the app's default is used",
                key,
                _KINDS.get(type(value), "of another kind"),
                _KINDS.get(type(default), type(default).__name__),
            )
            return default
        return fitted

    @property
    def values(self) -> Latest[Mapping[str, object]]:
        """All settings by key: told values over defaults. Do not change the mapping."""
        return self._link.state.settings

    @property
    def system(self) -> Latest[SystemSettings]:
        """The wearer's settings of MentraOS itself, such as the time zone and the units.

        Protocol: P1 5.3.
        """
        return self._link.state.system

    def stream(self, *keys: str) -> EventStream[SettingChange]:
        """Open a stream of changes, of these keys or of all. A loop that falls 256 behind gets `SlowConsumerError`.

        Raises:
            TypeError: a key is no text.
        """
        wanted = frozenset(map(_text, keys))
        return self._link.subscribe(
            StreamSpec(
                name="setting changes",
                keys=("settings",),
                capacity=_CAPACITY,
                overflow=Overflow.FAIL,
                where=(lambda change: change.key in wanted) if wanted else None,
            )
        )


def _text(key: object) -> str:
    if not isinstance(key, str):
        msg = f"the key of a setting is text, not {key!r}"
        raise TypeError(msg)
    return key


def _fitted(value: object, default: object) -> object | None:
    """Give a value as the type of `default`; `None` where it is of another."""
    if default is None or type(value) is type(default):
        return value
    if isinstance(value, bool) or isinstance(default, bool):
        return None
    if isinstance(default, float) and isinstance(value, int):
        return float(value)
    if isinstance(default, int) and isinstance(value, float) and value.is_integer():
        return int(value)  # JSON does not tell 5 from 5.0
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(cast("list[object]", value))  # `isinstance` cannot tell the type argument
    return None
