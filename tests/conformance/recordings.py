"""Where the vectors lie, and which cases they hold."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

import attrs

Json = dict[str, object]
"""A JSON object; its values are `object` until someone looks."""


def as_object(value: object) -> Json | None:
    """Give a JSON value if it is an object."""
    return cast("Json", value) if isinstance(value, dict) else None


OWN_VECTORS = Path(__file__).resolve().parents[1] / "vectors"
"""The project's own copy."""


def vectors_dir() -> Path:
    """Give the folder that holds `wire/`, `cloud/` and `display/`."""
    given = os.environ.get("MENTRA_VECTORS_DIR")
    return Path(given).resolve() if given else OWN_VECTORS


def uses_own_vectors() -> bool:
    """Tell whether totals may be checked: only of vectors that this project knows."""
    return vectors_dir() == OWN_VECTORS


@attrs.frozen
class Case:
    """One recorded case."""

    family: str
    """`wire`, `cloud` or `display`."""
    file: str
    """Name of its file, without the ending."""
    name: str
    body: Json = attrs.field(repr=False)

    @property
    def id(self) -> str:
        """Name of its test."""
        return f"{self.family}-{self.file}-{self.name}"


def load_cases(family: str) -> list[Case]:
    """Read every `*.json` of a family that holds cases. A folder that is not there holds none."""
    folder = vectors_dir() / family
    return [case for path in sorted(folder.glob("*.json")) for case in _cases_of(family, path)]


def _cases_of(family: str, path: Path) -> list[Case]:
    content: object = json.loads(path.read_text(encoding="utf-8"))
    table = as_object(content)
    bodies = content if table is None else table.get("cases", [])
    found: list[Case] = []
    for body in cast("list[Json]", bodies):
        name = body.get("name", body.get("id"))
        if not isinstance(name, str):
            raise TypeError(f"{path}: a case has neither a name nor an id")
        found.append(Case(family, path.stem, name, body))
    return found
