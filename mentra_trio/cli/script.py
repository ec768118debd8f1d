"""Scripts: commands in a file, one a line."""

from __future__ import annotations

import attrs

from .commands import Command
from .parsing import parse
from .readers import CommandError


class ScriptError(ValueError):
    """A script cannot be read. The text has one line for each fault, with file and line number."""


@attrs.frozen(kw_only=True)
class Step:
    """One command of a script."""

    place: str
    """File and line number, as `hello.script:7`."""
    line: str
    """What is written there."""
    command: Command


def read_script(data: bytes, name: str) -> tuple[Step, ...]:
    """Read a whole script before anything of it runs. `name` is what messages call it. Raises `ScriptError`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise ScriptError(f"{name}:{number}: this is not UTF-8") from error
    steps: list[Step] = []
    faults: list[str] = []
    # Not `splitlines`, which also splits at characters that a sentence may hold.
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{name}:{number}"
        try:
            command = parse(line)
        except CommandError as error:
            faults.append(f"{place}: {error}")
            continue
        if command is not None:
            steps.append(Step(place=place, line=line.strip(), command=command))
    if faults:
        raise ScriptError("\n".join(faults))
    return tuple(steps)
