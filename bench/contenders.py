"""The apps that are measured, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import attrs
import trio

OURS = "mentra_trio"
REFERENCE = "reference"
BARE = "bare trio-websocket"
HERE = Path(__file__).parent
_PATIENCE = 60.0
"""Seconds that an app may take to say something that it is expected to say."""
_TAIL = 2000


@attrs.frozen(kw_only=True)
class Contender:
    """An app that can be measured."""

    name: str
    command: tuple[str, ...]
    folder: Path | None = None
    environment: Mapping[str, str] = attrs.field(factory=dict[str, str])
    dials_itself: bool = False
    """Whether it connects without being called. Such a one can be measured with a single session only."""


def contenders(
    reference: Path | None = None, *, connector: str | None = None, bare: bool = True
) -> tuple[Contender, ...]:
    """List who takes part.

    `reference` is the folder where the reference SDK is installed, `connector` (`module:class`) another transport that
    is measured beside the default one.
    """
    found = [Contender(name=OURS, command=(sys.executable, "-P", str(HERE / "app.py")))]
    if connector is not None:
        name = connector.rpartition(":")[2]
        found.append(attrs.evolve(found[0], name=name, environment={"BENCH_CONNECTOR": connector}))
    if bare:
        found.append(Contender(name=BARE, command=(sys.executable, "-P", str(HERE / "bare.py")), dials_itself=True))
    if reference is not None:
        found.append(Contender(name=REFERENCE, command=(str(bun(reference)), "app.ts"), folder=reference))
    return tuple(found)


def bun(reference: Path) -> Path:
    """Give the program that runs the reference."""
    return reference / "node_modules" / ".bin" / ("bun.exe" if os.name == "nt" else "bun")


def find_reference(folder: Path | None, tell: Callable[[str], None]) -> Path | None:
    """Install the reference SDK and Bun into a folder, unless they are there. `None`, and why, where that fails."""
    if folder is None:
        return None
    folder = folder.resolve()  # it becomes the working folder of what runs there
    folder.mkdir(parents=True, exist_ok=True)
    for source in (HERE / "reference").iterdir():
        shutil.copy(source, folder)
    if not _works(folder):
        npm = shutil.which("npm")
        if npm is None:
            tell("npm is missing, so the reference SDK is left out: install Node.js to compare with it")
            return None
        tell("installing the reference SDK and Bun ...")
        command = [npm, "install", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not _works(folder):
            tell(f"the reference SDK is left out, because it cannot be installed:\n{done.stderr[-_TAIL:]}")
            return None
    return folder


def _works(folder: Path) -> bool:
    if not (folder / "node_modules" / "@mentra" / "sdk").is_dir():
        return False
    try:
        return subprocess.run([bun(folder), "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@attrs.define(eq=False)
class App:
    """An app that runs. Made by `open_app`."""

    name: str
    process: trio.Process
    url: str = attrs.field(init=False, default="")
    """Where its webhooks are."""
    _heard: trio.MemoryReceiveChannel[Mapping[str, object]]
    _errors: Path

    async def mark(self, name: str) -> Mapping[str, object]:
        """Wait until the app says this. Raises `RuntimeError` when it says something else, or nothing."""
        try:
            with trio.fail_after(_PATIENCE):
                said = await self._heard.receive()
            if said["mark"] == name:
                return said
        except (trio.EndOfChannel, trio.TooSlowError):
            pass
        raise RuntimeError(f"{self.name} did not say {name!r}: {self._errors.read_text('utf-8', 'replace')[-_TAIL:]}")

    def cpu_seconds(self) -> float | None:
        """Tell how long the process has computed; `None` where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int | None:
        """Tell how much memory the process holds; `None` where the system does not tell."""
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text("utf-8").split()[1]
        except OSError:
            return None
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def open_app(
    contender: Contender, role: str, cloud: str, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[App, None]:
    """Run an app while the block runs."""
    allow_many_sockets()
    wanted = {**os.environ, **contender.environment, **(environment or {}), "BENCH_ROLE": role, "BENCH_CLOUD": cloud}
    with tempfile.TemporaryDirectory() as folder:
        errors = Path(folder) / "errors"
        with errors.open("wb") as sink:
            process = await trio.lowlevel.open_process(
                contender.command, cwd=contender.folder, env=wanted, stdout=subprocess.PIPE, stderr=sink
            )
        send, receive = trio.open_memory_channel[Mapping[str, object]](16)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_listen, process, send)
                app = App(contender.name, process, receive, errors)
                app.url = str((await app.mark("ready"))["url"])
                yield app
                nursery.cancel_scope.cancel(reason="measured")
        finally:
            process.kill()
            with trio.CancelScope(shield=True):  # it ends: the process was killed
                await process.wait()


async def _listen(process: trio.Process, heard: trio.MemorySendChannel[Mapping[str, object]]) -> None:
    """Pass on what the app says, and no other line that it writes."""
    assert process.stdout is not None
    rest = b""
    async with heard:
        async for part in process.stdout:
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if line.startswith(b"{"):
                    await heard.send(cast("Mapping[str, object]", json.loads(line)))


def allow_many_sockets() -> None:
    """Let this process and its children open as many sockets as the system allows."""
    try:
        import resource  # noqa: PLC0415 - not there on every system
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
