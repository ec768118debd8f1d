"""Every known weakness and every trap has a test here, or a reason why it concerns nothing that exists.

The numbers are read from `docs/protocol`, so a row that is added there asks for its test.
"""

import re
from pathlib import Path
from types import ModuleType

import attrs
import pytest

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio._net.asgi import HEALTH_PATHS, PHOTO_PATHS, SETTINGS_PATHS, WEBHOOK_PATHS

from . import test_inputs, test_outputs, test_reference_sdk

DOCS = Path(__file__).parent.parent.parent / "docs" / "protocol"

NOT_YET = {
    18: "tools: the package serves no `/tool`",
    19: "bug reports: the package keeps no log for the cloud",
    29: "web views: the package serves none",
}
"""Weaknesses of parts that do not exist. `test_a_new_part_...` fails when one of them comes."""

TRAPS = {
    "P2 1.1": "frames that are no message",
    "P2 1.2": "what an envelope may lack",
    "P2 1.3": "what other messages may lack",
    "P2 1.4.1": "the full list, its time, and what is lost without it",
    "P2 1.4.2": "the grammar of names",
    "P2 1.4.3": "poison",
    "P2 1.5": "under which name an event comes",
    "P2 D1": "a handler that leaves",
    "P2 D2": "options of a name",
    "P2 D3": "two sources of truth",
    "P2 D4": "streams without a manager",
    "P2 2": "streams that are none, or too much",
    "P2 3.3.1": "interims",
    "P2 3.3.2": "finals",
    "P2 3.3.3": "what a transcript may lack",
    "P2 3.3.4": "speech that the phone recognised",
    "P2 3.5": "the order of utterances",
    "P2 T1": "bare languages",
    "P2 T2": "poison",
    "P2 T3": "configuration that does nothing",
    "P2 T4": "the same speech twice",
    "P2 T5": "options of a name",
    "P2 T6": "two bases of time",
    "P2 T7": "utterances without an end",
    "P2 T8": "hints that come late",
    "P2 T9": "two names of one language",
    "P2 T10": "a recogniser that is silent",
    "P2 T12": "configuration that is forgotten",
    "P3 0.1": "the envelope",
    "P3 0.3": "answers that never come",
    "P3 0.4": "a refusal that closes the socket",
    "P3 0.7": "sends that vanish, frames that are too large, sockets that are silent",
    "P3 1.1": "options that are missing, text that is none",
    "P3 1.2": "views, columns, durations",
    "P3 1.5 row 1": "stale overwrite",
    "P3 1.5 row 2": "steady updates",
    "P3 1.5 row 6": "a duration that the boot screen hides",
    "P3 1.5 row 8": "boot screens that end one another",
    "P3 1.5 row 9": "fire and forget",
    "P3 1.5 row 10": "the dashboard card",
}
"""Traps with tests, by the section, the id or the row of a table that names them."""

NO_TEST = {
    "P2 1.6": "names the four defects D1 to D4",
    "P2 1.7": "concerns phones",
    "P2 3.1": "describes the reference's methods",
    "P2 3.3": "is a heading",
    "P2 3.2": "is the table of T1, T3 and P2 1.4.2",
    "P2 3.4": "is T3 and T8",
    "P2 3.6": "names T1 to T12",
    "P2 3.7": "concerns the simulator; `tests/simulator/test_speech.py`",
    "P2 1.4": "is a heading",
    "P2 T11": "concerns glasses and cloud; a final that comes late is a final",
    "P3 0.2": "says who talks to whom",
    "P3 0.5": "is tested with P3 0.4: what the gate says, and which requests it means",
    "P3 0.6": "says which permissions count; `tests/managers/test_permissions.py`",
    "P3 0.8": "concerns the simulator; `tests/simulator/test_parts.py`",
    "P3 1.3": "concerns phones",
    "P3 1.4": "is the cloud's algorithm; its traps are the rows of P3 1.5",
    "P3 1.5": "is a table, see its rows",
    "P3 1.6": "concerns the simulator; `tests/simulator/test_display.py`",
    "P3 1.5 row 3": "the cloud's rule between apps: no app can see or mend it; `duration` is offered",
    "P3 1.5 row 4": "the cloud's rule between apps",
    "P3 1.5 row 5": "the cloud's rule between apps; `duration` is offered",
    "P3 1.5 row 7": "the cloud's rule between apps",
    "P3 1.5 row 11": "the package has no compatibility layer for the second SDK",
}
"""Traps without a test, and why."""


def names_of(*modules: ModuleType) -> dict[str, str]:
    """Give the tests of modules with the first lines of their docstrings."""
    return {
        name: (vars(module)[name].__doc__ or "").replace("\n", " ")
        for module in modules
        for name in vars(module)
        if name.startswith("test_")
    }


def section(document: str, title: str) -> str:
    """Cut one section out of a document, up to the next heading of any level."""
    text = next(DOCS.glob(document)).read_text("utf-8")
    found = re.search(rf"^#+ {re.escape(title)}.*?(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[0]


def prefix(trap: str) -> str:
    """Give the beginning of the names of a trap's tests."""
    return "test_" + re.sub("[ .]", "_", trap).lower() + "_"


def test_every_weakness_has_a_test_or_a_reason() -> None:
    rows = re.findall(r"^\| (\d+) \|", section("1-*.md", "3.5"), re.MULTILINE)
    tested = {
        int(match[1]) for name in names_of(test_reference_sdk) if (match := re.match(r"test_weakness_(\d\d)_", name))
    }

    assert [int(row) for row in rows] == list(range(1, 32))
    assert tested | NOT_YET.keys() == set(range(1, 32))
    assert not tested & NOT_YET.keys()


def test_every_test_cites_its_weakness() -> None:
    for name, text in names_of(test_reference_sdk).items():
        number = int(name.split("_")[2])

        assert f"P1 3.5 #{number}:" in text, name


def test_every_trap_has_a_test_or_a_reason() -> None:
    sections = {
        f"P{part} {number}"
        for part, document, chosen in ((2, "2-*.md", r"[123]"), (3, "3-*.md", r"[01]"))
        for number in re.findall(
            rf"^###+ ({chosen}\.[0-9.]+) ", next(DOCS.glob(document)).read_text("utf-8"), re.MULTILINE
        )
    }
    defects = re.findall(r"^\| (D\d+) \|", section("2-*.md", "1.6"), re.MULTILINE)
    traps = re.findall(r"^\| (T\d+) \|", section("2-*.md", "3.6"), re.MULTILINE)
    rows = len(re.findall(r"^\| ", section("3-*.md", "1.5"), re.MULTILINE)) - 1
    wanted = sections | {f"P2 {each}" for each in (*defects, *traps)} | {"P2 2"}
    wanted |= {f"P3 1.5 row {row}" for row in range(1, rows + 1)}

    assert wanted - TRAPS.keys() - NO_TEST.keys() == set()
    assert (TRAPS.keys() | NO_TEST.keys()) - wanted == set()
    assert TRAPS.keys() & NO_TEST.keys() == set()


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_has_its_test(trap: str) -> None:
    citation = re.sub(r"^P2 ([DT]\d+)$", r"\1", trap).removesuffix(trap[trap.find(" row") :] if " row" in trap else "")
    texts = [text for name, text in names_of(test_inputs, test_outputs).items() if name.startswith(prefix(trap))]

    assert texts
    assert all(citation in text for text in texts)


def test_no_test_is_of_a_trap_that_nobody_knows() -> None:
    prefixes = tuple(prefix(trap) for trap in TRAPS)

    assert [name for name in names_of(test_inputs, test_outputs) if not name.startswith(prefixes)] == []


def test_a_new_part_of_the_package_asks_for_the_weaknesses_that_waited_for_it() -> None:
    """When this fails: `NOT_YET` and `NO_TEST` may have reasons that are none any more."""
    parts = {field.name for field in attrs.fields(MentraSession) if not field.name.startswith("_")}
    decorators = {name for name in vars(MiniAppServer) if name.startswith("on_")}

    assert parts >= {"transcription", "display", "mic", "camera", "device", "settings", "raw"}
    assert parts >= {"translation", "phone", "location", "time"}
    assert parts >= {"storage", "permissions"}
    assert decorators == {"on_session", "on_settings", "on_stop"}
    assert {*WEBHOOK_PATHS, *HEALTH_PATHS, *SETTINGS_PATHS, *PHOTO_PATHS} == {
        "/webhook",
        "/api/_mentraos/webhook",
        "/health",
        "/api/_mentraos/health",
        "/settings",
        "/api/_mentraos/settings",
        "/photo-upload",
        "/api/_mentraos/photo-upload",
    }
