"""Limits and close codes that every WebSocket transport keeps to."""

MAX_MESSAGE_SIZE = 32 * 2**20
"""Largest message that is read, in characters or bytes: photos arrive as base64 inside JSON (P1 2.11)."""

MAX_WAITING_MESSAGES = 1024
MAX_WAITING_SIZE = MAX_MESSAGE_SIZE
"""What may wait to be received, in messages and in characters or bytes, before the peer is slowed down. The read that
crosses the limit is still taken whole.

A session receives some 25 messages a second, and the task that receives never waits for user code, so these bounds only
matter when something is badly wrong.
"""

READ_SIZE = 64 * 2**10
"""Bytes asked of the stream at once. Few small reads for audio and photos, and many small messages in one turn."""

ABNORMAL = 1006
"""The close code for an end without a close frame."""
_LONGEST_REASON = 123
_NOT_SENDABLE = frozenset({1004, 1005, 1006, 1015})


def check_close_code(code: int) -> None:
    """Raise `ValueError` for a code that may not stand in a close frame."""
    if not 1000 <= code <= 4999 or code in _NOT_SENDABLE:
        raise ValueError(f"{code} is not a close code that may be sent; use 1000 or one of 3000 to 4999")


def cut_reason(reason: str) -> str:
    """Cut to what a close frame holds, at the border of a character."""
    return reason.encode("utf-8", "replace")[:_LONGEST_REASON].decode("utf-8", "ignore")
