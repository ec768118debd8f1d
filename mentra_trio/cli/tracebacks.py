"""Show a developer the traceback of their own code."""

from __future__ import annotations

import traceback
from pathlib import Path

from mentra_trio.errors import MentraError

_PACKAGE = Path(__file__).parent.parent
"""The SDK itself."""


def format_error(error: BaseException) -> str:
    """Format an error without the frames of the SDK and of the import system that led to the developer's code.

    The frames below that code go as well when the SDK raised on purpose: its text says what to do. An error without any
    frame of the developer's is a fault of the SDK and keeps them all.
    """
    whole = traceback.TracebackException.from_exception(error)
    _trim(whole, is_on_purpose=isinstance(error, MentraError), is_unread=isinstance(error, SyntaxError))
    return "".join(whole.format()).rstrip()


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
