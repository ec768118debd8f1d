"""The names that the library makes public."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from mentra_trio import text
from mentra_trio.text import compatible

if TYPE_CHECKING:
    from types import ModuleType


@pytest.mark.parametrize("module", [text, compatible], ids=lambda module: module.__name__)
def test_every_public_name_is_there_and_nothing_else(module: ModuleType) -> None:
    names = [name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)]
    assert sorted(names) == sorted(module.__all__)


@pytest.mark.parametrize("module", [text, compatible], ids=lambda module: module.__name__)
def test_every_public_name_says_what_it_is(module: ModuleType) -> None:
    undocumented: list[str] = []
    for name in module.__all__:
        value = getattr(module, name)
        members = vars(value).items() if inspect.isclass(value) else ()
        if callable(value) and not inspect.getdoc(value):
            undocumented.append(name)
        undocumented += [
            f"{name}.{member}"
            for member, method in members
            if not member.startswith("_") and (inspect.isfunction(method) or isinstance(method, property))
            if not inspect.getdoc(method)
        ]
    assert undocumented == []
