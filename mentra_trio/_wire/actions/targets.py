"""Where a managed stream that runs is passed on to: asked for over HTTP, and nowhere else (P3 6.6)."""

from __future__ import annotations

from typing import ClassVar, cast
from urllib.parse import urlencode

import attrs

from mentra_trio._wire.json_text import JsonObject, dumps, parse_object
from mentra_trio._wire.rest import RestAnswer, RestRequest, refused, segment
from mentra_trio._wire.video import restream_targets
from mentra_trio.errors import DecodeError, StreamError
from mentra_trio.models.video import RestreamTarget

_NAME = "restream targets"


def _path(stream_id: str, package_name: str, rest: str = "") -> str:
    """Give the path about the targets of a stream. The package's name is in the query (P3 6.6)."""
    query = urlencode({"packageName": package_name})
    return f"/api/streams/{segment(stream_id)}/outputs{rest}?{query}"


@attrs.frozen
class FetchTargets(RestRequest[tuple[RestreamTarget, ...]]):
    """List them: `GET .../outputs`."""

    METHOD: ClassVar[str] = "GET"
    IS_NAMED: ClassVar[bool] = False

    stream_id: str

    def target(self, user_id: str, package_name: str, /) -> str:
        """See `RestRequest.target`."""
        del user_id
        return _path(self.stream_id, package_name)

    def read(self, answer: RestAnswer, /) -> tuple[RestreamTarget, ...]:
        """Read the list; what has no address is left out."""
        outputs = _fields(answer).get("outputs")
        if not isinstance(outputs, list):
            raise DecodeError(_NAME, ["outputs: not a list"])
        return restream_targets(cast("list[object]", outputs))


@attrs.frozen
class AddTarget(RestRequest[str]):
    """Add one: `POST .../outputs`. The provider is asked, which may take seconds."""

    METHOD: ClassVar[str] = "POST"
    IS_NAMED: ClassVar[bool] = False
    LIMIT: ClassVar[float] = 15.0

    stream_id: str
    url: str = attrs.field(repr=False)
    name: str | None

    def target(self, user_id: str, package_name: str, /) -> str:
        """See `RestRequest.target`."""
        del user_id
        return _path(self.stream_id, package_name)

    def body(self) -> bytes:
        """See `RestRequest.body`."""
        name: JsonObject = {} if self.name is None else {"name": self.name}
        return dumps({"url": self.url, **name}).encode()

    def read(self, answer: RestAnswer, /) -> str:
        """Read its id."""
        output_id = _fields(answer).get("outputId")
        if not isinstance(output_id, str) or not output_id:
            raise DecodeError(_NAME, ["outputId: not a text"])
        return output_id


@attrs.frozen
class RemoveTarget(RestRequest[None]):
    """Remove one: `DELETE .../outputs/<id>`."""

    METHOD: ClassVar[str] = "DELETE"
    IS_NAMED: ClassVar[bool] = False
    LIMIT: ClassVar[float] = 15.0

    stream_id: str
    target_id: str

    def target(self, user_id: str, package_name: str, /) -> str:
        """See `RestRequest.target`."""
        del user_id
        return _path(self.stream_id, package_name, f"/{segment(self.target_id)}")

    def read(self, answer: RestAnswer, /) -> None:
        """Read that it is gone."""
        _fields(answer)


def _fields(answer: RestAnswer) -> JsonObject:
    """Give the JSON of a good answer. The cloud's refusals have a code in `error` and words in `message`.

    Raises:
        StreamError: the cloud refused it for a reason of its own.
        CloudRefusedError: it did not get that far, as with a wrong key.
        DecodeError: it is no JSON object.
    """
    if not 200 <= answer.status < 300:
        raise _refusal(answer)
    try:
        return parse_object(answer.body)
    except DecodeError as error:
        raise DecodeError(_NAME, error.paths) from error


def _refusal(answer: RestAnswer) -> Exception:
    try:
        fields = parse_object(answer.body)
    except DecodeError:
        return refused(answer)
    code, text = fields.get("error"), fields.get("message")
    if not isinstance(code, str) or not code.replace("_", "").isalpha() or not code.isupper():
        return refused(answer)
    return StreamError(code, text if isinstance(text, str) else "")
