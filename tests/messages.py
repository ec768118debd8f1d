"""Every message and stream of the protocol books, and where this package sends or reads it.

The rows come from the tables of the books (P1 10, P2 2), what handles them from the package's own registries and
modules. Only why there is deliberately nothing is written here. `python -m tests.messages` prints the page
`docs/messages.md`; `test_messages` compares.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, cast

import attrs

import mentra_trio
from mentra_trio._runtime.inbound import AUDIO_KEY
from mentra_trio._wire.actions.speaker import AudioFrame
from mentra_trio._wire.inbound import INBOUND_TYPES
from mentra_trio._wire.news import ANSWERS, NEWS_READERS
from mentra_trio._wire.outbound import Command
from mentra_trio._wire.payloads import READABLE
from mentra_trio.models import AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "messages.md"
COMMAND = "python -m tests.messages > docs/messages.md"
P1, P2 = "1-lifecycle-and-http.md", "2-input-streams.md"
BINARY = "(binary frame)"
RAW = "`session.raw`"

_ABOUT = f"""Every type of the protocol books, and where this package sends or reads it. Written by
`{COMMAND}`, and held against the code by `tests/test_messages.py`: do not edit it.
Modules are named without `mentra_trio.`. What has no class is reached through [`session.raw`](managers/raw.md)."""

_APP_TO_APP = "P1 10: no cloud of today handles it; docs/managers/raw.md has the fields"
_DEAD_NEWS = "P1 10.2: this cloud never sends it"
_UNWRAPPED = "P1 10.2: this cloud sends it as an event of its stream alone, see below"
_IGNORED = "P3 3.3: the cloud takes it and does nothing about it"
_NOT_SENT = "P2 2: no phone of today sends it"
_UNUSED = "P2 2: a name that nothing uses"
_NOT_RELAYED = "P2 2: the cloud handles it and relays it to nobody"

TO_CLOUD = {
    "rtmp_stream_request": "P1 10.1, P3 6.2: an old name of `stream_request`",
    "rtmp_stream_stop": "P1 10.1, P3 6.2: an old name of `stream_stop`",
    "dashboard_mode_change": _IGNORED,
    "dashboard_system_update": _IGNORED,
    "telemetry_response": "P1 9.1: the cloud does not handle it; logs would go over HTTP",
    "transcription_config": "P1 10.1: the cloud does not handle it; hints go with the subscription (P2 3.4)",
    "app_broadcast_message": _APP_TO_APP,
    "app_direct_message": _APP_TO_APP,
    "app_user_discovery": _APP_TO_APP,
    "app_room_join": _APP_TO_APP,
    "app_room_leave": _APP_TO_APP,
}
FROM_CLOUD = {
    "audio_chunk": "P1 10.2: the old JSON form of sound; this cloud sends binary frames",
    "rgb_led_control_response": _UNWRAPPED,
    "request_telemetry": "P1 9.1: logs may hold what wearers say, so an author decides whether they leave the server",
    "dashboard_mode_changed": _DEAD_NEWS,
    "dashboard_always_on_changed": _DEAD_NEWS,
    "websocket_error": _DEAD_NEWS,
    "custom_message": _DEAD_NEWS,
    "app_message_received": _APP_TO_APP,
    "app_user_joined": _APP_TO_APP,
    "app_user_left": _APP_TO_APP,
    "app_room_updated": _APP_TO_APP,
    "app_direct_message_response": _APP_TO_APP,
    "transcription": _UNWRAPPED,
    "translation": _UNWRAPPED,
    "location_update": _UNWRAPPED,
    "calendar_event": _UNWRAPPED,
    "phone_stream_status": "P1 10.2: for the phone's own mini apps, never for a server",
    "phone_managed_stream_status": "P1 10.2: for the phone's own mini apps, never for a server",
}
STREAMS = {
    "glasses_connection_state": "P2 2: phones moved to the device state, which is `session.device.state`",
    "vps_coordinates": "P2 6.2.6: no hardware has it; docs/managers/raw.md has the fields",
    "photo_taken": "P2 2: an upload route of old; photos of this app come as `session.camera.take_photo`",
    "open_dashboard": "P2 2: relayed if a phone sends it; docs/managers/raw.md",
    "start_app": _NOT_RELAYED,
    "stop_app": _NOT_RELAYED,
    "core_status_update": _NOT_SENT,
    "settings_update_request": _NOT_SENT,
    "video": _UNUSED,
    "photo_request": _UNUSED,
    "custom_message": "P2 2: this cloud sends none; docs/managers/raw.md",
    "local_transcription": "P2 1.4.3, P2 3.3.4: a second copy of transcripts; to subscribe it harms other apps",
    "all": "P2 2: refused by `session.raw.stream`, because it goes round permissions",
    "*": "P2 2: refused by `session.raw.stream`, because it goes round permissions",
}


@attrs.frozen(kw_only=True)
class Row:
    """One type."""

    name: str
    status: str
    """What the book says of it."""
    code: tuple[str, ...] = ()
    """The class or function that spells or reads it."""
    users: tuple[str, ...] = ()
    """Modules that use that."""
    reason: str = ""
    """Why there is none, with the section."""

    @property
    def is_explained(self) -> bool:
        """Whether there is code, or a reason, and not both."""
        return bool(self.code) is not bool(self.reason)


# --- the books


def _table(book: str, heading: str) -> Iterator[list[str]]:
    """Give the cells of the rows of the first table below a heading."""
    text = (ROOT / "docs" / "protocol" / book).read_text("utf-8")
    _, found, below = text.partition(f"\n{heading}")
    assert found, f"{book} has no heading {heading!r}"
    lines = below.partition("\n|")[2].partition("\n\n")[0].splitlines()
    for line in lines[2:]:  # below the names of the columns
        yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def _names(cell: str) -> list[str]:
    """Read the types that a cell names."""
    return [BINARY] if "binary frame" in cell else re.findall(r"`([^`]+)`", cell)


def _base(name: str) -> str:
    """Give the part of a stream's name that is always the same."""
    return name if name == "*" else re.split(r"[\[:]", name)[0]


# --- the package


@cache
def _modules() -> tuple[ModuleType, ...]:
    """Import all modules but those of the simulator and the command line, which are the other side."""
    names = [info.name for info in pkgutil.walk_packages(mentra_trio.__path__, "mentra_trio.")]
    own = [name for name in names if not name.startswith(("mentra_trio.simulator", "mentra_trio.cli"))]
    return tuple(importlib.import_module(name) for name in own)


def _short(name: str) -> str:
    return name.removeprefix("mentra_trio.")


def _uses(module: ModuleType) -> bool:
    """Whether a module does something with messages: neither spells them, nor only holds values."""
    return not module.__name__.startswith(("mentra_trio._wire", "mentra_trio.models"))


def _users_of(kind: type) -> tuple[str, ...]:
    """Tell which modules use a class."""
    kinds = [base for base in kind.__mro__ if base.__module__ == kind.__module__]
    return tuple(
        _short(each.__name__)
        for each in _modules()
        if _uses(each) and any(base in vars(each).values() for base in kinds if base is not Command)
    )


@cache
def _words_of(module: ModuleType) -> frozenset[str]:
    """Collect the texts that a module's code holds, by itself or by import; not what it says in docstrings."""
    tree = ast.parse(inspect.getsource(module))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    }
    for value in vars(module).values():
        found.update(_texts(value))
    return frozenset(found)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for each in cast("tuple[object, ...]", value):
            yield from _texts(each)
    elif isinstance(value, FunctionType) and value.__module__.startswith("mentra_trio."):
        yield from _texts(value.__code__.co_consts)  # of what it calls to spell a name


def _saying(word: str, is_searched: Callable[[ModuleType], bool]) -> tuple[str, ...]:
    """Tell which modules name a type or a stream."""
    return tuple(
        _short(each.__name__)
        for each in _modules()
        if is_searched(each) and any(said == word or said.startswith(f"{word}:") for said in _words_of(each))
    )


def _commands(base: type[Command] = Command) -> Iterator[type[Command]]:
    """Give the commands of the package by introspection, so that none has to be listed."""
    for kind in base.__subclasses__():
        if kind.__module__.startswith("mentra_trio."):
            yield kind
        yield from _commands(kind)


def _name_of(kind: type) -> str:
    return f"{_short(kind.__module__)}.{kind.__name__}"


def _ways_of_sending(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    # By name, because slotted classes are made twice, and the first one may still be around.
    kinds = {_name_of(kind): kind for kind in _commands() if getattr(kind, "TYPE", None) == name}
    if name == BINARY:
        kinds = {_name_of(AudioFrame): AudioFrame}
    users = dict.fromkeys(user for kind in kinds.values() for user in _users_of(_final(kind)))
    return tuple(kinds), tuple(users)


def _final(kind: type) -> type:
    return cast("type", getattr(importlib.import_module(kind.__module__), kind.__name__))


def _is_manager(module: ModuleType) -> bool:
    return module.__name__.startswith("mentra_trio.managers.")


def _is_inside(module: ModuleType) -> bool:
    return module.__name__.startswith(("mentra_trio._runtime.", "mentra_trio._protocol."))


def _ways_of_reading(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if name == BINARY:
        return (_name_of(AudioChunk),), _users_of(AudioChunk)
    if (kind := INBOUND_TYPES.get(name)) is not None:
        return (_name_of(kind),), _users_of(kind)
    if (reader := NEWS_READERS.get(name)) is not None:
        return (f"{_short(reader.__module__)}.{reader.__name__}",), _saying(name, _is_manager)
    if name in ANSWERS:
        requests = [kind for kind in _commands() if hasattr(kind, "accept") and _accepts(kind, name)]
        users = dict.fromkeys(user for kind in requests for user in _users_of(_final(kind)))
        return tuple(dict.fromkeys(_name_of(kind) for kind in requests)), tuple(users)
    return (), ()


def _accepts(kind: type, name: str) -> bool:
    """Whether a request's module reads answers of a type."""
    return name in _words_of(sys.modules[kind.__module__]) and name in inspect.getsource(_final(kind))


def _ways_of_hearing(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    users = _saying(name, _is_manager) or _saying(name, _is_inside)
    if name == AUDIO_KEY:
        return (_name_of(AudioChunk),), users
    if name in READABLE:
        return ("_wire.payloads.read_payload",), users
    if name in NEWS_READERS or name in ANSWERS:
        return _ways_of_reading(name)
    return tuple(_saying(name, lambda module: module.__name__.startswith("mentra_trio._wire.actions.")) or users), users


# --- the page


def _rows(
    cells: Iterator[list[str]],
    status: int,
    reasons: dict[str, str],
    find: Callable[[str], tuple[tuple[str, ...], tuple[str, ...]]],
    key: Callable[[str], str] = str,
) -> list[Row]:
    found: list[Row] = []
    for row in cells:
        for name in _names(row[0]):
            reason = reasons.get(key(name), "")
            code, users = ((), ()) if reason else find(key(name))
            found.append(Row(name=name, status=row[status], code=code, users=users, reason=reason))
    return found


def sent() -> list[Row]:
    """What an app sends (P1 10.1)."""
    return _rows(_table(P1, "### 10.1"), 2, TO_CLOUD, _ways_of_sending)


def received() -> list[Row]:
    """What the cloud sends (P1 10.2)."""
    return _rows(_table(P1, "### 10.2"), 2, FROM_CLOUD, _ways_of_reading)


def streams() -> list[Row]:
    """What an app may subscribe (P2 2)."""
    return _rows(_table(P2, "## 2. Master table"), 5, STREAMS, _ways_of_hearing, _base)


def page() -> str:
    """Write the page."""
    parts = [
        "# Messages and streams",
        _ABOUT,
        *_section("From the app to the cloud (P1 10.1)", "Type", "Sent as", "By", sent()),
        *_section("From the cloud to the app (P1 10.2)", "Type", "Read as", "By", received()),
        *_section("Streams (P2 2)", "Stream", "Read by", "Offered by", streams()),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, name: str, code: str, users: str, rows: list[Row]) -> Iterator[str]:
    with_code = sum(bool(row.code) for row in rows)
    explained = sum(row.is_explained for row in rows)
    yield f"## {title}"
    yield f"{explained} of {len(rows)}: {with_code} with code, {explained - with_code} without, for a reason."
    lines = [f"| {name} | In the book | {code} | {users} |", "|---|---|---|---|"]
    for row in rows:
        ways = ", ".join(f"`{each}`" for each in row.code) or RAW
        told = row.reason or ", ".join(f"`{each}`" for each in row.users)
        cells = (f"`{row.name}`" if row.name != BINARY else row.name, row.status, ways, told)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    yield "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
