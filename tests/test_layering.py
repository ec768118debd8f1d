"""Who may import whom: the table of `docs/architecture.md`, section 3, held against the source.

The source is read, not imported, so the check sees imports inside functions and for type checkers too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

PACKAGE = Path(__file__).parent.parent / "mentra_trio"

# What each layer may import from this package, besides itself. A name covers what lies below it.
LAYERS: dict[str, tuple[str, ...]] = {
    "_version": (),
    "errors": (),
    "models": (),
    "text": (),
    "config": ("models",),
    "_wire": ("models",),
    "_protocol": ("_wire", "models"),
    "_flow": (),
    "_net": ("_wire.webhooks", "config"),
    "_link": ("_flow", "_wire", "models"),
    "managers": (
        "_link",
        "_flow",
        "_arguments",
        "_mp3",
        "_voice",
        "_wire.outbound",
        "_wire.actions",
        "_wire.news",
        "_wire.rest",
        "_wire.streams",
        "_protocol.storage",
        "models",
        "text",
    ),
    "_runtime": (
        "_link",
        "_protocol",
        "_flow",
        "_wire",
        "_net.transport",
        "_net.limiter",
        "_net.rest",
        "config",
        "models",
    ),
    "session": ("_runtime", "_link", "_flow", "_net.transport", "managers", "config", "models"),
    "_arguments": ("_link", "models"),
    "_mp3": (),
    "_voice": (),
    "_watch": (),
    "_desk": ("_flow", "session", "_runtime", "_net", "_wire.webhooks", "config", "models"),
    "server": ("_desk", "_watch", "session", "_net", "_wire.webhooks", "_flow", "config", "models"),
    "simulator": (
        "_wire",
        "_net.transport",
        "_net.websocket",
        "_net.core_websocket",
        "_net.serve",
        "_net.rest",
        "models",
        "text",
    ),
    "testing": ("PUBLIC", "simulator", "cli", "_net.transport", "_link"),
    "cli": ("PUBLIC", "simulator", "testing", "_net.transport", "_link"),
    "__init__": ("PUBLIC", "_flow", "_link", "_runtime"),
}
EVERYWHERE = ("errors", "_version")
# Leaves: the SDK works without them, so nothing in it may lean on them.
LEAVES = ("simulator", "testing", "cli")

# Layers that are functions of their input: no scheduler, no clock, no randomness.
PURE = ("models", "text", "_wire", "_protocol")
IMPURE_MODULES = ("trio", "anyio", "asyncio", "time", "random", "secrets", "threading", "socket")
IMPURE_CALLS = (
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "uuid1",
    "uuid4",
    "urandom",
)

# Each dependency has one seam: these modules and packages alone may import it.
SEAMS: dict[str, tuple[str, ...]] = {
    "trio_websocket": ("_net.websocket",),
    "wsproto": ("_net.websocket",),
    "websockets": ("_net.core_websocket",),
    "hypercorn": ("_net.serve",),
    "httpx2": ("_net.rest",),
    "python_multipart": ("_net.uploads",),
    "starlette": ("_net.asgi", "_net.serve", "simulator"),
    "cattrs": ("_wire",),
    "wcwidth": ("text.clusters",),
    "PIL": ("text._pillow",),
    "json": ("_wire", "simulator", "testing", "cli"),
    "asyncio": (),
}


@attrs.frozen
class Import:
    """One imported name: `target` is absolute and includes the name itself."""

    target: str
    line: int
    for_types_only: bool


def imports(tree: ast.Module, package: str) -> Iterator[Import]:
    """Every import of a module; relative ones are resolved against the package that the module lies in."""
    typing_blocks = [
        (node.lineno, node.body[-1].end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    ]
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                targets = [alias.name for alias in node.names]
            case ast.ImportFrom():
                base = node.module or ""
                if node.level:
                    parents = package.split(".")
                    kept = parents[: len(parents) - node.level + 1]
                    base = ".".join([*kept, *filter(None, [base])])
                targets = [f"{base}.{alias.name}" for alias in node.names]
            case _:
                continue
        for_types = any(first <= node.lineno <= last for first, last in typing_blocks)
        for target in targets:
            yield Import(target, node.lineno, for_types)


def is_within(name: str, *roots: str) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split(".")) and not is_within(name, *LEAVES)


def check_internal(module: str, layer: str, target: str) -> str | None:
    """Why a module of a layer may not import a name of this package; `None` when it may."""
    if layer == "managers" and module != "managers" and is_within(target, "managers"):
        return None if is_within(target, module) else "managers never import each other"
    allowed = LAYERS[layer]
    if is_within(target, layer, *EVERYWHERE, *allowed) or ("PUBLIC" in allowed and is_public(target)):
        return None
    return f"{layer} may not import {target}"


def check_external(module: str, layer: str, name: str, *, for_types_only: bool) -> str | None:
    """Why a module may not import a name from outside; `None` when it may."""
    root, *below = name.split(".")
    if any(part.startswith("_") for part in below):
        return f"{name} is private to {root}"
    if root in SEAMS and not is_within(module, *SEAMS[root]):
        return f"{root} is imported only by {', '.join(SEAMS[root])}" if SEAMS[root] else f"{root} is not used"
    # The type of an injected source of randomness does no harm; calling it without a seed is found below.
    injected = name == "random.Random" or (root == "random" and for_types_only)
    if layer in PURE and root in IMPURE_MODULES and not injected:
        return f"{layer} is pure and may not import {root}"
    if layer in PURE and is_within(name, *(f"{m}.{call}" for m in ("uuid", "os") for call in IMPURE_CALLS)):
        return f"{layer} is pure and may not use {name}"
    return None


def check(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Findings as `line: reason` for the source of `mentra_trio.<module>`."""
    full = "mentra_trio" if module == "__init__" else f"mentra_trio.{module}"
    package = full if is_package or module == "__init__" else full.rpartition(".")[0]
    layer = module.partition(".")[0]
    if layer not in LAYERS:
        return [f"1: {layer} is in no layer: give it a place in the table"]
    tree = ast.parse(source)
    findings: list[tuple[int, str]] = []
    for found in imports(tree, package):
        if is_within(found.target, "mentra_trio"):
            reason = check_internal(module, layer, found.target.removeprefix("mentra_trio").lstrip("."))
        else:
            reason = check_external(module, layer, found.target, for_types_only=found.for_types_only)
        if reason is not None:
            findings.append((found.line, reason))
    if layer in PURE:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                name = ".".join(ast.unparse(node).split(".")[-2:])
                if name in IMPURE_CALLS or node.attr in IMPURE_CALLS:
                    findings.append((node.lineno, f"{layer} is pure and may not use {name}"))
            elif isinstance(node, ast.Call) and ast.unparse(node).endswith("Random()"):
                findings.append((node.lineno, f"{layer} is pure and may not seed randomness itself"))
    return [f"{line}: {reason}" for line, reason in sorted(findings)]


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts), path


@pytest.mark.parametrize(("module", "path"), [pytest.param(*found, id=found[0]) for found in modules()])
def test_the_module_imports_only_what_its_layer_may(module: str, path: Path) -> None:
    findings = check(path.read_text("utf-8"), module, is_package=path.name == "__init__.py")

    assert [f"{path.relative_to(PACKAGE.parent)}:{finding}" for finding in findings] == []


@pytest.mark.parametrize(
    ("module", "source", "finding"),
    [
        ("_wire.codec", "import trio", "1: _wire is pure and may not import trio"),
        ("_wire.codec", "from trio.lowlevel import checkpoint", "1: _wire is pure and may not import trio"),
        ("_protocol.backoff", "import random", "1: _protocol is pure and may not import random"),
        (
            "_protocol.backoff",
            "from random import Random\nsource = Random()",
            "2: _protocol is pure and may not seed randomness itself",
        ),
        ("_protocol.session", "from time import monotonic", "1: _protocol is pure and may not import time"),
        ("models.audio", "import cattrs", "1: cattrs is imported only by _wire"),
        (
            "models.device",
            "import datetime as dt\nwhen = dt.datetime.now(dt.UTC)",
            "2: models is pure and may not use datetime.now",
        ),
        (
            "_wire.codec",
            "from datetime import date\nd = date.today()",
            "2: _wire is pure and may not use date.today",
        ),
        ("_wire.outbound", "import uuid\nname = uuid.uuid4()", "2: _wire is pure and may not use uuid.uuid4"),
        ("_wire.outbound", "from uuid import uuid4", "1: _wire is pure and may not use uuid.uuid4"),
        ("_wire.codec", "from mentra_trio._flow.hub import Hub", "1: _wire may not import _flow.hub.Hub"),
        ("_wire.codec", "from .._flow import Hub", "1: _wire may not import _flow.Hub"),
        ("_wire.codec", "import mentra_trio._protocol.session", "1: _wire may not import _protocol.session"),
        ("_wire.codec", "from mentra_trio import _net", "1: _wire may not import _net"),
        ("_wire.codec", "from mentra_trio import MentraSession", "1: _wire may not import MentraSession"),
        ("_wire.codec", "def f():\n    from .. import server", "2: _wire may not import server"),
        ("_flow.hub", "from ..models import Transcript", "1: _flow may not import models.Transcript"),
        ("_net.asgi", "from .._wire.codec import decode", "1: _net may not import _wire.codec.decode"),
        ("managers.display", "from .mic import MicManager", "1: managers never import each other"),
        ("managers.display", "from .._runtime import Runtime", "1: managers may not import _runtime.Runtime"),
        (
            "managers.display",
            "from .._wire.codec import encode",
            "1: managers may not import _wire.codec.encode",
        ),
        ("_runtime", "from ._net.websocket import X", "1: _runtime may not import _net.websocket.X"),
        ("session", "from ._net.websocket import X", "1: session may not import _net.websocket.X"),
        ("server", "from .simulator import Cloud", "1: server may not import simulator.Cloud"),
        ("server", "import hypercorn.trio", "1: hypercorn is imported only by _net.serve"),
        ("server", "import json", "1: json is imported only by _wire, simulator, testing, cli"),
        ("_net.serve", "import trio_websocket", "1: trio_websocket is imported only by _net.websocket"),
        (
            "_net.hosts",
            "from starlette.routing import Route",
            "1: starlette is imported only by _net.asgi, _net.serve, simulator",
        ),
        ("simulator.engine", "from .._protocol import X", "1: simulator may not import _protocol.X"),
        ("simulator.engine", "from ..managers import X", "1: simulator may not import managers.X"),
        ("cli.dev", "from .._runtime import X", "1: cli may not import _runtime.X"),
        ("_flow.hub", "import asyncio", "1: asyncio is not used"),
        ("_flow.hub", "from trio._core import _run", "1: trio._core._run is private to trio"),
        ("utils", "", "1: utils is in no layer: give it a place in the table"),
    ],
)
def test_a_forbidden_import_is_found_with_its_line(module: str, source: str, finding: str) -> None:
    assert check(source, module) == [finding]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "_wire.codec",
            "import json\nfrom ..errors import DecodeError\nfrom ..models.audio import AudioChunk",
        ),
        ("_wire.codec", "from datetime import datetime\ndef iso(now: datetime) -> str: ..."),
        ("_protocol.backoff", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import random"),
        ("_protocol.backoff", "from random import Random\ndef delay(source: Random) -> float: ..."),
        ("_flow.hub", "import trio\nfrom .event_stream import EventStream"),
        ("_net.websocket", "import trio_websocket\nfrom .transport import Transport"),
        ("_net.asgi", "from starlette.routing import Route\nfrom .._wire.webhooks import SessionRequest"),
        ("managers.display", "from .._wire.outbound import DisplayEvent\nfrom .._link import Link"),
        ("managers.time", "from __future__ import annotations\nimport time"),
        ("simulator.server", "from starlette.routing import Route\nfrom .._net.serve import serve"),
        ("testing.harness", "from ..server import MiniAppServer\nfrom ..simulator import Cloud"),
        ("cli.dev", "from .. import MiniAppServer\nfrom ..simulator.engine import Cloud"),
        ("__init__", "from .server import MiniAppServer as MiniAppServer"),
    ],
)
def test_an_allowed_import_is_left_alone(module: str, source: str) -> None:
    assert check(source, module) == []


def test_a_relative_import_in_a_package_starts_from_the_package_itself() -> None:
    assert check("from .codec import decode", "_wire", is_package=True) == []
    assert check("from .mic import MicManager", "managers", is_package=True) == []
    assert check("from .._flow import Hub", "_wire", is_package=True) == ["1: _wire may not import _flow.Hub"]
