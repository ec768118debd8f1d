"""`differences.toml`: where the engine does not do what the cloud did, and what it cannot be told.

A row describes steps by patterns, in the language of `rows` (see there), never by the name of a scenario. Its keys::

    section, reason     where the protocol books or the design say so, and why
    step                pattern of the steps that it is about, in the recording and in what the engine sends
    after               pattern of an earlier recorded step, without which the row says nothing
    later               seconds at least between the two; 0 unless told
    unless              pattern of a recorded step, anywhere, with which the row says nothing
    ignore              inputs are not played, outputs are not compared
    remove              fields (dotted paths) that are not compared

An `unplayed` row has a section, a reason, the pattern of a step, and perhaps that of an earlier one (`after`). A
recording with such a step is not replayed against the engine, because the engine cannot be told, or does not do, what
that step is part of.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from tests.conformance.recordings import Json, as_object
from tests.conformance.rows import RowError, Variables, matches

from .steps import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

DIFFERENCES = Path(__file__).with_name("differences.toml")


@attrs.frozen(kw_only=True)
class Difference:
    """One row."""

    section: str
    reason: str
    step: Json
    after: Json | None = None
    later: float = 0.0
    unless: Json | None = None
    ignore: bool = False
    remove: list[str] = attrs.field(factory=list[str])

    def __attrs_post_init__(self) -> None:
        _check_row(self.section, self.reason, self.step, self.after or {}, self.unless or {})
        if self.ignore is bool(self.remove):
            raise RowError(f"{self.reason!r}: a row either ignores steps or removes fields")

    def covers(self, step: Step, recorded: Sequence[Step]) -> bool:
        """Tell whether the row is about a step, recorded or ours."""
        variables: Variables = {}
        if not _fits(self.step, step, variables):
            return False
        if self.unless is not None and any(_fits(self.unless, other, dict(variables)) for other in recorded):
            return False
        if self.after is None:
            return True
        earlier = [other for other in recorded if other.at + self.later <= step.at and other is not step]
        return any(_fits(self.after, other, dict(variables)) for other in earlier)

    def edited(self, message: object) -> object:
        """Give a message without the fields that are not compared."""
        for path in self.remove:
            message = _without(message, path.split("."))
        return message


@attrs.frozen(kw_only=True)
class Unplayed:
    """Why a recording with a certain step is not replayed."""

    section: str
    reason: str
    step: Json
    after: Json | None = None

    def __attrs_post_init__(self) -> None:
        _check_row(self.section, self.reason, self.step, self.after or {})

    def covers(self, recorded: Sequence[Step]) -> bool:
        """Tell whether a recording has such a step."""
        found = [place for place, step in enumerate(recorded) if _fits(self.step, step, {})]
        after = self.after
        if not found or after is None:
            return bool(found)
        return any(_fits(after, step, {}) for step in recorded[: found[-1]])


@attrs.frozen
class Differences:
    """All rows."""

    rows: tuple[Difference, ...]
    unplayed: tuple[Unplayed, ...] = ()

    @classmethod
    def load(cls) -> Differences:
        """Read the file."""
        content = tomllib.loads(DIFFERENCES.read_text(encoding="utf-8"))
        rows = tuple(Difference(**table) for table in content["row"])
        return cls(rows, tuple(Unplayed(**table) for table in content["unplayed"]))

    def can_play(self, recorded: Sequence[Step]) -> bool:
        """Tell whether the engine can be told all of a recording."""
        return not self.obstacles(recorded)

    def obstacles(self, recorded: Sequence[Step]) -> list[str]:
        """Tell why the engine cannot be told all of a recording; nothing where it can."""
        return [f"not played: {row.reason} ({row.section})" for row in self.unplayed if row.covers(recorded)]

    def apply(self, steps: Sequence[Step], recorded: Sequence[Step]) -> list[Step]:
        """Leave out what is ignored, recorded or ours, and the fields that are not compared."""
        kept: list[Step] = []
        for step in steps:
            rows = [row for row in self.rows if row.covers(step, recorded)]
            if any(row.ignore for row in rows):
                continue
            message = step.message
            for row in rows:
                message = row.edited(message)
            kept.append(attrs.evolve(step, message=message))
        return kept


def _check_row(section: str, reason: str, *patterns: Json) -> None:
    for pattern in patterns:
        if unknown := set(pattern) - set(attrs.fields_dict(Step)):
            raise RowError(f"{reason!r}: steps have no {sorted(unknown)}")
    if not section.strip() or not reason.strip():
        raise RowError("every row needs a section and a reason")


def _fits(pattern: Json, step: Step, variables: Variables) -> bool:
    return all(matches(inner, getattr(step, name), variables) for name, inner in pattern.items())


def _without(value: object, path: Sequence[str]) -> object:
    table = as_object(value)
    if table is None or path[0] not in table:
        return value
    if len(path) == 1:
        return {key: item for key, item in table.items() if key != path[0]}
    return {**table, path[0]: _without(table[path[0]], path[1:])}
