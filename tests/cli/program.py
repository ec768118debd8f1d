"""`mentra-trio` as a program of its own."""

import subprocess
import sys
from pathlib import Path

LIMIT = 60.0
"""Seconds after which a program is taken for stuck."""
PROGRAM = (sys.executable, "-c", "import sys; from mentra_trio.cli import main; sys.exit(main())")


def call(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run `mentra-trio dev` to its end, in a folder."""
    return subprocess.run(
        [*PROGRAM, "dev", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LIMIT,
        check=False,
    )
