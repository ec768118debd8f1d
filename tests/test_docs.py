"""The page of each manager tells all that an author can use of it: held against the code."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import attrs
import pytest

import mentra_trio
from mentra_trio import MentraSession

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "managers"
MANAGERS = [field.name for field in attrs.fields(MentraSession) if not field.name.startswith("_")]
"""As attributes of a session."""

every = pytest.mark.parametrize("name", MANAGERS)


def classes_of(name: str) -> list[type]:
    """The manager, and what else its module lets authors use."""
    module = importlib.import_module(f"mentra_trio.managers.{name}")
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__.startswith(module.__name__) and not kind.__name__.startswith("_")
    ]


FOR_THE_MANAGER = {"SpeakerStream": {"run", "open", "close", "interrupt", "last_word"}, "VideoStream": {"follow"}}
"""What a manager does with the objects that it gives to authors; they have no use for it."""


def members_of(kind: type) -> dict[str, object]:
    """What a class has in public, by name; attributes of its instances too."""
    hidden = FOR_THE_MANAGER.get(kind.__name__, set())
    return {name: value for name, value in vars(kind).items() if not name.startswith("_") and name not in hidden}


def code_of(page: str) -> str:
    """What a page says in code, one piece a line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*blocks, *spans])


def has(code: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", code) is not None


@every
def test_every_member_and_argument_is_named(name: str) -> None:
    code = code_of((PAGES / f"{name}.md").read_text("utf-8"))
    missing: list[str] = []
    for kind in classes_of(name):
        for member, value in members_of(kind).items():
            wanted = [member]
            if inspect.isfunction(value):
                wanted += [argument for argument in inspect.signature(value).parameters if argument != "self"]
            missing += [f"{kind.__name__}.{member}: {word}" for word in wanted if not has(code, word)]

    assert missing == []


@every
def test_every_error_is_named(name: str) -> None:
    code = code_of((PAGES / f"{name}.md").read_text("utf-8"))
    told = {
        error
        for kind in classes_of(name)
        for text in (kind, *members_of(kind).values())
        for error in re.findall(r"\b\w+Error\b", inspect.getdoc(text) or "")
    }

    assert sorted(error for error in told if not has(code, error)) == []


@every
def test_a_page_says_where_to_import_what_the_package_itself_does_not_have(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    places = [importlib.import_module(f"mentra_trio.{place}") for place in ("models", "errors", "text", "simulator")]
    untold = {
        f"{word}: {place.__name__}"
        for word in re.findall(r"\b[A-Z]\w+", code_of(page))
        for place in places
        if not hasattr(mentra_trio, word) and hasattr(place, word) and place.__name__ not in page
    }

    assert sorted(untold) == []


@every
def test_every_page_has_its_sections(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")

    assert page.startswith(f"# `session.{name}`\n")
    assert "## Example" in page or "## Offline" in page
    assert re.search("^#+ Errors$", page, re.MULTILINE)
    assert "the real cloud does" in page
    assert f"managers/{name}.md" in (ROOT / "README.md").read_text("utf-8")
