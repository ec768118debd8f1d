"""What the app and the SDK log while they are tried out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .tracebacks import format_error

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

LIBRARIES = (
    "mentra_trio",
    "hypercorn",
    "trio",
    "trio_websocket",
    "wsproto",
    "httpx2",
    "httpcore2",
    "httpx",
    "httpcore",
)


class _Formatter(logging.Formatter):
    """Shows the author's own part of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        # Formatters share what they made of an error; the app's own handlers shall have theirs.
        cached, record.exc_text = record.exc_text, None
        try:
            return super().format(record)
        finally:
            record.exc_text = cached

    def formatException(  # noqa: N802 - the name that `logging` calls
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        error = ei[1]
        return super().formatException(ei) if error is None else format_error(error)


def start_logging(stream: TextIO, *, verbosity: int) -> None:
    """Send log records to a stream: those of the app from INFO, those of libraries from WARNING.

    `verbosity` 1 adds what the SDK does, 2 everything. An app that calls `logging.basicConfig` on import finds it done.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbosity > 1 else logging.INFO)
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(level if name == "mentra_trio" or verbosity > 1 else logging.WARNING)
    logging.captureWarnings(capture=True)
