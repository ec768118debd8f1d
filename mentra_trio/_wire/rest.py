"""What an app asks of the cloud over HTTP instead of the socket (P1 8). Each capability's requests are in `actions`."""

from __future__ import annotations

import abc
from typing import ClassVar, Generic, TypeVar
from urllib.parse import quote

import attrs

from mentra_trio.errors import CloudRefusedError, DecodeError

from .json_text import JsonObject, parse_object

R = TypeVar("R")

_UNESCAPED = "-_.!~*'()"
"""What `encodeURIComponent` leaves alone besides letters and digits, and so do the recordings."""
_LONGEST_TEXT = 200
"""Characters of the cloud's own words that are kept. They may repeat what was sent, but not much of it."""


@attrs.frozen(kw_only=True)
class RestAnswer:
    """What came back."""

    status: int
    body: bytes = attrs.field(repr=False)
    retry_after: float | None = None
    """Seconds after which another try is welcome, where the cloud says so."""


class RestRequest(abc.ABC, Generic[R]):
    """A call of the cloud's HTTP interface, with the class of what it gives.

    `read` is a pure function of the answer. `LIMIT` is the safety limit in seconds, dialling included.
    """

    __slots__ = ()
    METHOD: ClassVar[str]
    IS_SIGNED: ClassVar[bool] = True
    """Whether the app has to prove who it is: its key is sent along."""
    IS_NAMED: ClassVar[bool] = True
    """Whether the package's name stands before that key."""
    LIMIT: ClassVar[float] = 10.0
    LARGEST_ANSWER: ClassVar[int] = 64 * 2**10
    """Bytes of an answer that are read."""

    @abc.abstractmethod
    def target(self, user_id: str, package_name: str, /) -> str:
        """Give the path, percent-encoded."""

    def body(self) -> bytes:
        """Give the JSON that is sent, or nothing. Raises `ValueError` or `TypeError` for what JSON cannot hold."""
        return b""

    @abc.abstractmethod
    def read(self, answer: RestAnswer, /) -> R:
        """Read the answer. Raises `RequestError` for a refusal and `DecodeError` for what is no answer."""


def segment(text: str) -> str:
    """Spell one part of a path."""
    return quote(text, safe=_UNESCAPED)


def answered(answer: RestAnswer, name: str, *, most_values: int | None = None) -> JsonObject:
    """Give the JSON of an answer that says it went well.

    Raises:
        CloudRefusedError: it does not; the code is `HTTP` and the status.
        DecodeError: it is no JSON object; `name` says what was read.
    """
    if not 200 <= answer.status < 300:
        raise refused(answer)
    try:
        fields = parse_object(answer.body) if most_values is None else parse_object(answer.body, most_values)
    except DecodeError as error:
        raise DecodeError(name, error.paths) from error
    if fields.get("success") is not True:
        raise refused(answer)
    return fields


def refused(answer: RestAnswer) -> CloudRefusedError:
    """Make the error of an answer that says no."""
    return CloudRefusedError(f"HTTP {answer.status}", _words(answer.body))


def _words(body: bytes) -> str:
    """Find the cloud's own words in an answer (P1 8.2: `error`, `message` or `detail`)."""
    try:
        fields = parse_object(body)
    except DecodeError:
        return "no explanation"
    texts = [text for name in ("error", "message", "detail") if isinstance(text := fields.get(name), str) and text]
    spoken = ": ".join(texts)[:_LONGEST_TEXT] or "no explanation"
    return "".join(character if character.isprintable() else "?" for character in spoken)
