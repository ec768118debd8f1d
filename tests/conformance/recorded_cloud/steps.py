"""A recorded scenario as a list of steps (README of the recordings)."""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from typing import cast

import attrs

from tests.conformance.recordings import Case, Json, as_object

_FILLER = re.compile(r"<(\d+) x '(.)'>")


@attrs.define(eq=False, kw_only=True)
class Step:
    """One thing that a party sent to another one. Rows may match every field."""

    source: str
    """`cloud`, `app`, `glasses`, `phone` or `provider`."""
    target: str
    app: str = ""
    """Package, when an app is involved."""
    conn: int | None = None
    """Number of the party's socket."""
    kind: str
    """`text`, `binary`, `http`, `close`, `ping` or `pong`."""
    message: object = None
    at: float = 0.0
    """Seconds since the scenario began."""
    partner: object = None
    """Message of the other half: of an HTTP request its answer, of an answer its request, if one was recorded."""
    answered_after: float | None = None
    """Of a request: seconds until its answer."""

    @property
    def channel(self) -> str:
        """What keeps its order: a socket, an app's webhooks, the phone, the phone's REST calls."""
        party = self.app if "app" in (self.source, self.target) else "phone"
        if self.kind == "http" and self.conn is None:
            return f"HTTP of {party}"
        return f"socket {self.conn} of {party}" if self.app else party

    @property
    def is_request(self) -> bool:
        """Whether it is an HTTP request, an upgrade included."""
        return self.kind == "http" and self.get("method") is not None

    @property
    def is_webhook(self) -> bool:
        """Whether the cloud calls an app."""
        return self.is_request and (self.source, self.target) == ("cloud", "app")

    @property
    def is_upgrade(self) -> bool:
        """Whether a socket is opened."""
        return self.get("upgrade") is not None

    def get(self, *path: str) -> object:
        """Read inside the message; `None` where there is nothing."""
        value = self.message
        for part in path:
            value = (as_object(value) or {}).get(part)
        return value

    @property
    def type(self) -> object:
        """Type of the message."""
        return self.get("type")

    def payload(self) -> str | bytes:
        """Give what was sent in a text or binary frame."""
        if self.kind == "text":
            return self.message if isinstance(self.message, str) else _dumps(self.message)
        if (content := self.get("utf8_json")) is not None:
            return _dumps(content).encode()
        if (whole := self.get("base64")) is not None:
            return base64.b64decode(str(whole))
        # Only the head of a long one is known. Sound goes on as it ends there; nobody looks at the rest of others.
        head = base64.b64decode(str(self.get("base64_head")))
        return head.ljust(cast("int", self.get("length")), head[-1:])

    def __str__(self) -> str:
        return f"{self.at:.3f} s {self.source} to {self.target}, {self.channel}: {self.kind} {self.message!r:.400}"


def steps_of(case: Case) -> list[Step]:
    """Read all steps of a case, what happened before included."""
    recorded = [*cast("list[Json]", case.body.get("setup", [])), *cast("list[Json]", case.body["steps"])]
    steps = [_step(fields) for fields in recorded]
    _pair(steps)
    return steps


def _step(fields: Json) -> Step:
    return Step(
        source=cast("str", fields["from"]),
        target=cast("str", fields["to"]),
        app=cast("str | None", fields.get("app")) or "",
        conn=cast("int | None", fields.get("conn")),
        kind=cast("str", fields["kind"]),
        message=_whole(fields["message"]),
        at=cast("float", fields["at_ms"]) / 1000,
    )


def _whole(value: object) -> object:
    """Write fillers out."""
    if isinstance(value, str):
        found = _FILLER.fullmatch(value)
        return found[2] * int(found[1]) if found else value
    if isinstance(value, list):
        return [_whole(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in cast("Json", value).items()}
    return value


def _pair(steps: list[Step]) -> None:
    """Tell requests and answers of each other.

    An app answers its latest webhook: an earlier one without an answer is one that it let hang.
    """
    open_: dict[tuple[str, str, str, int | None], deque[Step]] = {}
    for step in steps:
        if step.kind != "http":
            continue
        if step.is_request:
            open_.setdefault((step.source, step.target, step.app, step.conn), deque()).append(step)
            continue
        waiting = open_.get((step.target, step.source, step.app, step.conn))
        if waiting:
            request = waiting.pop() if step.source == "app" else waiting.popleft()
            request.partner, step.partner = step.message, request.message
            request.answered_after = step.at - request.at


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
