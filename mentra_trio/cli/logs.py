"""What the app and the SDK log while they are tried out."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .tracebacks import format_error

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from typing import TextIO

_LIBRARIES = ("hypercorn", "trio", "trio_websocket", "wsproto", "httpx2", "httpcore2", "httpx", "httpcore")


class _Formatter(logging.Formatter):
    """Shows the author's own part of a traceback, and of the same one again only that it is the same."""

    _last = ""
    """The traceback that was shown last."""

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
        if error is None:
            return super().formatException(ei)
        text = format_error(error)
        if text == self._last:
            return "the same error again"
        self._last = text
        return text


@contextmanager
def logging_to(stream: TextIO, *, verbosity: int) -> Generator[None, None, None]:
    """Send log records to a stream in the block: those of the app from INFO, those of libraries from WARNING.

    `verbosity` 1 adds what the SDK does, 2 everything. An app that calls `logging.basicConfig` on import finds it done.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    libraries = logging.DEBUG if verbosity > 1 else logging.WARNING
    levels = {
        root: logging.DEBUG if verbosity > 1 else logging.INFO,
        **{logging.getLogger(name): libraries for name in _LIBRARIES},
        logging.getLogger("mentra_trio"): (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)],
    }
    saved = {logger: logger.level for logger in levels}
    for logger, level in levels.items():
        logger.setLevel(level)
    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)
        for logger, level in saved.items():
            logger.setLevel(level)
