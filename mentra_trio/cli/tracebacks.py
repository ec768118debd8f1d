"""Show a developer the traceback of their own code."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path
from typing import cast

from mentra_trio.errors import MentraError

_PACKAGE = Path(__file__).parent.parent
"""The SDK itself."""
_LIBRARIES = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
"""Where Python and what was installed lie."""
_NO_LOOP = re.compile(r"^[ |]*RuntimeError: (no running|There is no current) event loop", re.MULTILINE)
"""What asyncio says where Trio runs; in a group it is drawn with bars before it."""
_NO_ASYNCIO = (
    "hint: handlers run on Trio, where asyncio does not work: write 'await trio.sleep(...)' for 'await "
    "asyncio.sleep(...)', a nursery for tasks, and use libraries that know Trio"
)


def format_error(error: BaseException) -> str:
    """Format an error without the frames of the SDK and of the import system that led to the developer's code.

    The frames below that code go as well when the SDK raised on purpose: its text says what to do. An error without any
    frame of the developer's is a fault of the SDK and keeps them all. A hint follows where asyncio was used.
    """
    whole = traceback.TracebackException.from_exception(error)
    _trim(whole, is_on_purpose=isinstance(error, MentraError), is_unread=isinstance(error, SyntaxError))
    text = "".join(whole.format()).rstrip()
    return f"{text}\n{_NO_ASYNCIO}" if _NO_LOOP.search(text) else text


def name_error(error: BaseException) -> str:
    """Name an error in one line, with the place in the developer's code; of a group all that it is made of."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)  # its type parameter is lost to `isinstance`
        return " | ".join(name_error(part) for part in group.exceptions)
    told = "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in _own_frames(error)]
    return f"{told} ({places[-1]})" if places else told


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Give the frames of the developer's code, without those of libraries."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not _is_foreign(frame.filename) and not _is_library(frame.filename)]


def _is_library(filename: str) -> bool:
    return any(folder in Path(filename).parents for folder in _LIBRARIES)


def _trim(told: traceback.TracebackException, *, is_on_purpose: bool = False, is_unread: bool = False) -> None:
    own = [index for index, frame in enumerate(told.stack) if not _is_foreign(frame.filename)]
    if own:
        last = own[-1] + 1 if is_on_purpose else len(told.stack)
        told.stack = traceback.StackSummary.from_list(told.stack[own[0] : last])
    elif is_unread:
        # The file that cannot be read has no frame; its name and line are part of the error.
        told.stack = traceback.StackSummary.from_list([])
    for further in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if further is not None:
            _trim(further)


def _is_foreign(filename: str) -> bool:
    return filename.startswith("<frozen importlib") or _PACKAGE in Path(filename).parents
