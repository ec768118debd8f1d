"""The `mentra-trio` command.

Map of the package::

    dev         `mentra-trio dev`: app, cloud and wearer in one process
    loading     from `file.py:name` to a `MiniAppServer`
    commands    what can be typed; `words` splits a line, `script` reads a file of them
    player      does it
    acts        a script, or a developer who types
    console     shows it line by line; `live` draws it, with `frame` and `editor`
    logs        log records and tracebacks

`main` imports what it needs when it needs it, so that `--help` comes at once.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mentra_trio._version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXIT_CODES = """\
exit codes:
  0    all went well
  1    the app cannot be loaded or started; the script has mistakes or failed;
       the app crashed during a script, or does not end after it; a command
       from a pipe failed
  2    the command line has mistakes
  130  a script was interrupted by Ctrl-C (143: anything, by SIGTERM)
"""

_DEV = """\
Run an app on simulated glasses: the app's own server and a simulated MentraOS
cloud in one process, over real HTTP and WebSockets on the loopback interface,
with one wearer. Needs no account, no phone, no glasses and no network.

APP is file.py, file.py:name or module:name. Its module is imported, so app.run()
has to stand under 'if __name__ == "__main__":'. MENTRAOS_API_KEY and PACKAGE_NAME
get sample values where they are not set.
"""

_DEV_EXAMPLES = """\
examples:
  mentra-trio dev app.py                              talk to it; try 'help'
  mentra-trio dev app.py --script app.script --plain  play a script, as in CI
  printf 'say hi\\nwait 2\\n' | mentra-trio dev app.py  take commands from a pipe

a script ends at the first command that fails; commands from a pipe go on, and the
exit code tells that one failed ('--script -' reads a pipe as a script). At the
keyboard the exit code is 0, whatever failed. Ctrl-D and Ctrl-C end it.

a script holds one command a line, for example:
  expect Hello            # on the glasses, within 5 seconds
  say good morning
  expect "You said: good morning" within 2
  drop 3                  # no connection for three seconds
  say still there?
  press long              # the button 'main'; 'help' lists all commands
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code. Mistakes in it end the program with 2."""
    parser, dev_parser = _parsers()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        # `parse_args` would show the usage of the whole program.
        dev_parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    from . import dev  # noqa: PLC0415 - the app's side of the package takes its time

    return dev.run(dev.Options(app=options.app, script=options.script, plain=options.plain, verbosity=options.verbose))


def _parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The program's own, and that of `dev`."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="mentra-trio",
        description="Tools for apps on MentraOS smart glasses. 'mentra-trio COMMAND --help' tells more.",
        epilog=_EXIT_CODES,
        formatter_class=raw,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mentra-trio {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    dev = commands.add_parser(
        "dev",
        help="run an app on simulated glasses",
        description=_DEV,
        epilog=f"{_DEV_EXAMPLES}\n{_EXIT_CODES}",
        formatter_class=raw,
        allow_abbrev=False,
    )
    dev.add_argument("app", metavar="APP", help="file.py, file.py:name or module:name")
    dev.add_argument("--script", metavar="FILE", help="play the commands in FILE ('-' for stdin), then exit")
    dev.add_argument("--plain", action="store_true", help="print each change of the display, draw nothing")
    dev.add_argument(
        "-v", "--verbose", action="count", default=0, help="log what the SDK does; twice: every message type"
    )
    return parser, dev
