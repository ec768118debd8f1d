"""Find the app of a developer: `file.py`, `file.py:name` or `module:name` to its `MiniAppServer`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from mentra_trio.server import MiniAppServer

from .tracebacks import format_error

if TYPE_CHECKING:
    from types import ModuleType

SAMPLES = {"MENTRAOS_API_KEY": "sample-key", "PACKAGE_NAME": "com.example.app"}
"""What an app finds in its environment where nothing is set."""

_IMPORTED = (
    "'mentra-trio dev' imports the module; what starts the app belongs under 'if __name__ == \"__main__\":', "
    "which is not run"
)


class AppError(Exception):
    """There is no app to run. The text is all that the developer needs to see, a traceback included where it helps."""


@attrs.frozen
class AppName:
    """How a developer names an app."""

    module: str
    """A path that ends in `.py`, or the dotted name of a module."""
    attribute: str | None
    """Which of its apps; `None` when there is only one."""

    @classmethod
    def parse(cls, text: str) -> AppName:
        """Read `file.py`, `file.py:name`, `module:name` or `module`."""
        module, colon, attribute = text.rpartition(":")
        if not colon or text.endswith(".py"):
            return cls(text, None)
        return cls(module, attribute or None)

    @property
    def is_file(self) -> bool:
        """Whether it names a file."""
        return self.module.endswith(".py")


def load_app(text: str) -> MiniAppServer:
    """Import the module and give its app. The `__main__` block does not run.

    Call it inside a Trio run: then an `app.run()` outside of that block raises and is told, instead of never returning.
    Changes the environment (`SAMPLES`) and the import path, as running the file would.

    Raises `AppError`.
    """
    for variable, sample in SAMPLES.items():
        if not os.environ.get(variable):
            os.environ[variable] = sample
    name = AppName.parse(text)
    module = _import_file(name.module) if name.is_file else _import_module(name.module)
    return _choose(module, name)


def _import_file(text: str) -> ModuleType:
    path = Path(text)
    if not path.is_file():
        raise AppError(f"there is no file {text}" if not path.exists() else f"{text} is not a file")
    path = path.resolve()
    name = path.stem
    if name in sys.modules or name in sys.stdlib_module_names:
        # The developer's `test.py` must not take the place of another module.
        name = f"app_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AssertionError(path)  # there is a loader for every name that ends in .py
    sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _told(error, text) from error
    return module


def _import_module(name: str) -> ModuleType:
    if Path(name).is_file():
        raise AppError(
            f"{name} is not a Python file; what plays a script is: mentra-trio dev APP.py --script {name}"
            if name.endswith((".script", ".txt"))
            else f"{name} is not a Python file: its name does not end in .py"
        )
    if not all(part.isidentifier() for part in name.split(".")):
        raise AppError(f"{name} is neither a file that ends in .py nor the name of a module")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            hint = f"; did you mean {name}.py?" if Path(f"{name}.py").is_file() else ""
            raise AppError(f"there is no module {name} here or on the import path{hint}") from error
        raise _told(error, name) from error
    except (Exception, SystemExit) as error:
        raise _told(error, name) from error


def _told(error: BaseException, name: str) -> AppError:
    """Tell how an import failed as the author knows it from running the file."""
    if isinstance(error, SystemExit):
        return AppError(f"{name} calls sys.exit() on import; keep that under 'if __name__ == \"__main__\":'")
    told = format_error(error)
    # What Trio says to a second `trio.run` does not tell what to do.
    return AppError(f"{told}\n{_IMPORTED}" if isinstance(error, RuntimeError) else told)


def _choose(module: ModuleType, name: AppName) -> MiniAppServer:
    found = {key: value for key, value in vars(module).items() if isinstance(value, MiniAppServer)}
    names = ", ".join(found)
    if name.attribute is not None:
        if name.attribute in found:
            return found[name.attribute]
        what = "is not a MiniAppServer" if hasattr(module, name.attribute) else "does not exist"
        there = f"there is {names}" if found else "there is none at its top level"
        raise AppError(f"{name.module}: {name.attribute} {what}; {there}")
    apps = list({id(app): app for app in found.values()}.values())
    if not apps:
        raise AppError(
            f"{name.module} has no app; it needs a MiniAppServer at its top level, such as 'app = MiniAppServer()'"
        )
    if len(apps) > 1:
        raise AppError(
            f"{name.module} has several apps: {names}; choose one, such as "
            f"mentra-trio dev {name.module}:{next(iter(found))}"
        )
    return apps[0]
