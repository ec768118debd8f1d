"""`deviations.toml`: what this SDK does otherwise on purpose, and what it cannot do yet.

A row describes one difference by patterns over items (see `timeline.Item` for their fields), never by a scenario's
name, so that it also holds for recordings that nobody has seen. Its keys::

    section, reason     where the protocol books or the design say so, and why it is better
    step                pattern of the item that is different
    after               pattern of an item before it (the nearest), without which the row says nothing; a list needs all
    until               pattern of an item that ends the effect of `after` (of the first) when it lies between the two
    drop                this item does not happen; a socket that is not opened takes all its items along
    set, remove         fields (dotted paths) that are different
    rename, scale       fields of another name or unit
    window              seconds since the item before, at least and at most
    since               true: the window counts from the item of `after` (of the last)
    before, behind      items that happen in addition, around this one
    rewrite             a change that needs more than one item: a function of `rewrites`

Patterns are subsets: tables match tables with these keys, values match equal values, `"$name"` matches anything but
the same thing everywhere in a row. Tests of a value: `is_one_of`, `is_none_of`, `is_a` (a JSON type), `is_like` (a
regular expression), `is_absent`, `is_at_least`, `is_empty` (a list), `has` (a list with such an
element). Rows apply in the order of the file, each to all items.
"""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

from . import rewrites
from .marks import ABSENT
from .recordings import Json
from .timeline import Item, Timeline, field, is_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEVIATIONS = Path(__file__).with_name("deviations.toml")
_TESTS = ("is_one_of", "is_none_of", "is_a", "is_like", "is_absent", "is_at_least", "is_empty", "has")
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "null": (),
    "text": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}
Variables = dict[str, object]


class RowError(Exception):
    """A row of the file is wrong."""


def matches(pattern: object, value: object, variables: Variables) -> bool:
    """Tell whether a value fits a pattern; binds the pattern's variables."""
    if isinstance(pattern, str):  # first, because most are
        return value == (variables.setdefault(pattern, value) if pattern.startswith("$") else pattern)
    if isinstance(pattern, dict):
        table = cast("Json", pattern)
        if table and all(key in _TESTS for key in table):
            return all(_passes(test, argument, value) for test, argument in table.items())
        if not isinstance(value, dict):
            return False
        facts = cast("Json", value)
        return all(matches(inner, facts.get(key), variables) for key, inner in table.items())
    if isinstance(pattern, list):
        patterns = cast("list[object]", pattern)
        if not isinstance(value, list) or len(cast("list[object]", value)) != len(patterns):
            return False
        pairs = zip(patterns, cast("list[object]", value), strict=True)
        return all(matches(inner, item, variables) for inner, item in pairs)
    if isinstance(pattern, bool) or isinstance(value, bool):
        return pattern is value
    return pattern == value


def fits(pattern: Json, item: Item, variables: Variables) -> bool:
    """Tell whether an item fits a pattern of its fields."""
    # A loop, because this is where the tests of this folder spend their time.
    for name, inner in pattern.items():  # noqa: SIM110 - as said
        if not matches(inner, getattr(item, name), variables):
            return False
    return True


def _passes(test: str, argument: object, value: object) -> bool:
    if test == "is_one_of":
        return value in cast("list[object]", argument)
    if test == "is_none_of":
        return value not in cast("list[object]", argument)
    if test == "is_like":
        return isinstance(value, str) and re.search(cast("str", argument), value) is not None
    if test == "has":
        return isinstance(value, list) and any(matches(argument, item, {}) for item in cast("list[object]", value))
    if test == "is_empty":
        return isinstance(value, list) and (not value) is argument
    if test == "is_at_least":
        return isinstance(value, int | float) and value >= cast("float", argument)
    if test == "is_absent":
        return (isinstance(value, str | None) and value in ABSENT) is argument
    kinds = [argument] if isinstance(argument, str) else cast("list[str]", argument)
    if isinstance(value, str | None) and value in ABSENT:
        return "null" in kinds
    if isinstance(value, bool):
        return "boolean" in kinds
    return any(isinstance(value, _JSON_TYPES[kind]) for kind in kinds)


@attrs.frozen(kw_only=True)
class Row:
    """One intended difference."""

    section: str
    reason: str
    step: Json
    after: Json | list[Json] | None = None
    until: Json | None = None
    drop: bool = False
    set: Json = attrs.field(factory=dict[str, object])
    remove: list[str] = attrs.field(factory=list[str])
    rename: dict[str, str] = attrs.field(factory=dict[str, str])
    scale: dict[str, float] = attrs.field(factory=dict[str, float])
    window: list[float] | None = None
    since: bool = False
    before: list[Json] = attrs.field(factory=list[Json])
    behind: list[Json] = attrs.field(factory=list[Json])
    rewrite: str | None = None

    def __attrs_post_init__(self) -> None:
        fields = set(attrs.fields_dict(Item))
        for pattern in (self.step, *self._conditions(), self.until or {}):
            if unknown := set(pattern) - fields:
                raise RowError(f"{self.reason!r}: items have no {sorted(unknown)}")
        if not self.section.strip() or not self.reason.strip():
            raise RowError("every row needs a section and a reason")
        if not (self.drop or self.set or self.remove or self.rename or self.scale or self.window
                or self.before or self.behind or self.rewrite):  # fmt: skip
            raise RowError(f"{self.reason!r}: a row has to say what happens instead")
        if self.since and not (self.window and self.after):
            raise RowError(f"{self.reason!r}: only a window counts since what it comes after")
        if self.rewrite is not None and self.rewrite not in rewrites.REWRITES:
            raise RowError(f"{self.reason!r}: there is no rewrite {self.rewrite!r}")

    def apply(self, items: list[Item]) -> int:
        """Change the items that the row is about; return how many those are."""
        count = 0
        for item in list(items):
            variables: Variables = {}
            if not fits(self.step, item, variables):
                continue
            place = next((n for n, other in enumerate(items) if other is item), None)
            if place is None:  # taken out along with another one
                continue
            before = self._in_place(items[:place], variables)
            if before is not None:
                count += 1
                if self.since:
                    item.since = before[-1]
                self._change(items, item, variables)
        return count

    def _in_place(self, earlier: Sequence[Item], variables: Variables) -> list[Item] | None:
        """Give what fulfils the conditions before an item, and bind their variables; `None` if not all are."""
        found: list[Item] = []
        for number, condition in enumerate(self._conditions()):
            until = self.until if number == 0 else None
            item = _found(condition, until, earlier, variables)
            if item is None:
                return None
            found.append(item)
        return found

    def _conditions(self) -> list[Json]:
        if self.after is None:
            return []
        return self.after if isinstance(self.after, list) else [self.after]

    def _change(self, items: list[Item], item: Item, variables: Variables) -> None:
        place = items.index(item)
        behind = [_new_item(fields, item, variables) for fields in self.behind]
        before = [_new_item(fields, item, variables) for fields in self.before]
        items[place + 1 : place + 1] = behind
        items[place:place] = before
        if self.window is not None:
            item.window = (self.window[0], self.window[1])
        for path, factor in self.scale.items():
            value = _read(item, path)
            if isinstance(value, int | float) and not isinstance(value, bool):
                _write(item, path, value * factor)
        for path, new in self.rename.items():
            value = _read(item, path)
            _delete(item, path)
            if value is not None:
                _write(item, new, value)
        for path, value in self.set.items():
            _write(item, path, _filled(value, variables))
        for path in self.remove:
            _delete(item, path)
        if self.rewrite is not None:
            rewrites.REWRITES[self.rewrite](items, item)
        if self.drop:
            rewrites.drop(items, item)


def _found(condition: Json, until: Json | None, earlier: Sequence[Item], variables: Variables) -> Item | None:
    """Give the last such item, and bind its variables."""
    for item in reversed(earlier):
        bound = dict(variables)
        if fits(condition, item, bound):
            variables.update(bound)
            return item
        if until is not None and fits(until, item, dict(variables)):
            return None
    return None


def _filled(value: object, variables: Variables) -> object:
    """Put bound variables into a value of a row."""
    if isinstance(value, str):
        return variables.get(value, value)
    if isinstance(value, dict):
        return {key: _filled(inner, variables) for key, inner in cast("Json", value).items()}
    if isinstance(value, list):
        return [_filled(inner, variables) for inner in cast("list[object]", value)]
    return value


def _new_item(fields: Json, beside: Item, variables: Variables) -> Item:
    filled = cast("Json", _filled(fields, variables))
    window = filled.pop("window", None)
    item = Item(
        dir=cast("str", filled.pop("dir")),
        kind=cast("str", filled["kind"]),
        step=beside.step,
        conn=None if filled["kind"] == "http" else beside.conn,
        session=beside.session,
        life=beside.life,
        api=beside.api,
        method=beside.method,
    )
    for name, value in filled.items():
        setattr(item, name, value)
    if window is not None:
        low, high = cast("list[float]", window)
        item.window = (low, high)
    return item


def _holder(item: Item, path: str, *, create: bool) -> tuple[Json, str] | None:
    """Find the table that a dotted path ends in; recorded tables are copied, so that no two items share them."""
    first, *rest = path.split(".")
    if not rest:
        raise RowError(f"{path!r} has to be inside a field")
    value = copy.deepcopy(getattr(item, first))
    if not isinstance(value, dict):
        return None
    setattr(item, first, value)
    table = cast("Json", value)
    for part in rest[:-1]:
        inner = table.get(part)
        if not isinstance(inner, dict):
            if not create:
                return None
            inner = table[part] = {}
        table = cast("Json", inner)
    return table, rest[-1]


def _read(item: Item, path: str) -> object:
    first, *rest = path.split(".")
    return field(getattr(item, first), *rest)


def _write(item: Item, path: str, value: object) -> None:
    if "." not in path:
        setattr(item, path, value)
    elif (found := _holder(item, path, create=True)) is not None:
        found[0][found[1]] = value


def _delete(item: Item, path: str) -> None:
    if (found := _holder(item, path, create=False)) is not None:
        found[0].pop(found[1], None)


@attrs.frozen(kw_only=True)
class NotYet:
    """Something that this SDK does not offer yet. Taking the row out makes its scenarios run."""

    reason: str
    methods: list[str] = attrs.field(factory=list[str])
    """Prefixes of calls and properties, or whole names that end in `()`."""
    paths: list[str] = attrs.field(factory=list[str])
    """Regular expressions of paths of the app server."""
    options: list[str] = attrs.field(factory=list[str])
    """Options of calls, such as `app.create(port)`."""
    operations: list[str] = attrs.field(factory=list[str])
    """Operations of the display vectors, as regular expressions."""

    def covers(self, item: Item) -> bool:
        """Tell whether an item needs it."""
        if item.dir == "app" and item.method is not None:
            called = f"{item.method}()"
            if any(
                called == name or (not name.endswith(")") and item.method.startswith(name)) for name in self.methods
            ):
                return True
            return any(f"{item.method}({option})" in self.options for option in item.kwargs)
        if not is_request(item):
            return False
        path = cast("str", field(item.message, "path"))
        return any(re.fullmatch(pattern, path) for pattern in self.paths)


@attrs.frozen(kw_only=True)
class Odd:
    """A recorded message of or to the real cloud that this SDK need not understand or send."""

    section: str
    reason: str
    message: Json
    """Pattern of it."""

    def covers(self, message: object) -> bool:
        """Tell whether a message is of this kind."""
        return matches(self.message, message, {})


@attrs.frozen(kw_only=True)
class Deviations:
    """The whole file."""

    rows: tuple[Row, ...]
    not_yet: tuple[NotYet, ...]
    unreadable: tuple[Odd, ...]
    """Events that the cloud relays although they cannot be used."""
    unsent: tuple[Odd, ...]
    """Messages of other SDKs, or wrong on purpose, that no app of this SDK sends."""

    @classmethod
    def load(cls, path: Path = DEVIATIONS) -> Deviations:
        """Read the file. Raises `RowError` or `TypeError` for what it must not hold."""
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if unknown := set(content) - {"row", "not_yet", "unreadable", "unsent"}:
            raise RowError(f"{path}: unknown tables {sorted(unknown)}")
        return cls(
            rows=tuple(Row(**row) for row in content.get("row", [])),
            not_yet=tuple(NotYet(**entry) for entry in content.get("not_yet", [])),
            unreadable=tuple(Odd(**entry) for entry in content.get("unreadable", [])),
            unsent=tuple(Odd(**entry) for entry in content.get("unsent", [])),
        )

    def missing_operation(self, name: str) -> str | None:
        """Give the reason why an operation of the display vectors cannot be checked yet."""
        for entry in self.not_yet:
            if any(re.fullmatch(pattern, name) for pattern in entry.operations):
                return entry.reason
        return None

    def missing(self, items: Sequence[Item]) -> str | None:
        """Give the reason why items cannot be replayed yet."""
        for entry in self.not_yet:
            if any(entry.covers(item) for item in items):
                return entry.reason
        return None

    def apply(self, recorded: Timeline, used: Callable[[Row], None] | None = None) -> Timeline:
        """Describe what this SDK does in place of what was recorded."""
        items = [copy.copy(item) for item in recorded.items]
        for row in self.rows:
            if row.apply(items) and used is not None:
                used(row)
        return attrs.evolve(recorded, items=items)
