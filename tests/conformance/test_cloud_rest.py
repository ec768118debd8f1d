"""Recordings of the real cloud's HTTP interface: this SDK makes the same calls, and understands every answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import pytest

from mentra_trio._wire.actions.permissions import FetchPermissions
from mentra_trio._wire.actions.storage import (
    ClearStored,
    DeleteStored,
    FetchStored,
    StoredValue,
    StoreValue,
    StoreValues,
    wire_key,
)
from mentra_trio._wire.rest import RestAnswer, RestRequest
from mentra_trio.errors import StorageError, StorageLimitError
from mentra_trio.models import Permission, Permissions

from .recorded_cloud.steps import Step, steps_of
from .recordings import Case, as_object, load_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = [case for case in load_cases("cloud") if case.file in ("simple-storage", "misc-rest")]
Call = RestRequest[Permissions] | RestRequest[tuple[StoredValue, ...]] | RestRequest[None]


def calls_of(case: Case) -> Iterator[tuple[Step, Call, RestAnswer]]:
    """Give each recorded call that this SDK makes too, with its answer."""
    for step in steps_of(case):
        if step.source == "app" and step.is_request and (request := request_for(step)) is not None:
            answer = as_object(step.partner) or {}
            body = json.dumps(answer.get("body")).encode()
            yield step, request, RestAnswer(status=cast("int", answer["status"]), body=body)


def request_for(step: Step) -> Call | None:
    """Make the request that a recorded call is; `None` for one that this SDK never makes."""
    match [str(step.get("method")), *str(step.get("path")).split("/")[2:]]:
        case ["GET", "public", "permissions", _]:
            return FetchPermissions()
        case ["GET", "sdk", "simple-storage", _]:
            return FetchStored()
        case ["DELETE", "sdk", "simple-storage", _]:
            return ClearStored()
        case ["DELETE", "sdk", "simple-storage", _, key]:
            return DeleteStored(unquote(key))
        case ["PUT", "sdk", "simple-storage", _]:
            values = as_object(step.get("body", "data"))
            are_texts = values is not None and all(isinstance(value, str) for value in values.values())
            return StoreValues(cast("dict[str, str]", values)) if are_texts else None
        case ["PUT", "sdk", "simple-storage", _, key]:
            value, name = step.get("body", "value"), unquote(key)
            # A key that is spelled otherwise than ours was recorded to see what becomes of it.
            return StoreValue(name, value) if isinstance(value, str) and wire_key(name) == name else None
        case _:
            return None


if CASES:

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
    def test_a_call_is_spelled_as_it_was_recorded(case: Case) -> None:
        for step, request, _ in calls_of(case):
            path = str(step.get("path"))
            user_id = unquote(path.split("/")[4]) if "simple-storage" in path else ""
            package = unquote(path.rpartition("/")[2])
            assert step.get("method") == request.METHOD
            assert request.target(user_id, package) == path
            body = request.body()
            assert (json.loads(body) if body else None) == step.get("body")

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
    def test_every_answer_is_understood(case: Case) -> None:
        for _, request, answer in calls_of(case):
            is_nothing_there = answer.status == 404
            if answer.status == 200 or is_nothing_there:
                request.read(answer)
                continue
            with pytest.raises(StorageError) as caught:
                request.read(answer)
            assert caught.value.status == answer.status
            is_limit = b"Total storage" in answer.body
            assert isinstance(caught.value, StorageLimitError) is is_limit

    def test_what_was_recorded_is_read_whole() -> None:
        found: dict[str, object] = {}
        for case in CASES:
            for _, request, answer in calls_of(case):
                if isinstance(request, FetchPermissions) or (isinstance(request, FetchStored) and answer.status == 200):
                    found[case.name] = request.read(answer)
                    if case.name == "public permissions of an app" and answer.status == 200:
                        found[f"permissions {answer.body.count(b'type')}"] = found[case.name]

        assert found["public permissions of an app"] == Permissions()  # the last one asked for an unknown app
        assert found["permissions 0"] == Permissions(is_known=True)
        assert found["permissions 7"] == Permissions(declared=frozenset(Permission), is_known=True)
        awkward = cast("tuple[object, ...]", found["awkward keys"])
        assert {getattr(value, "key", "") for value in awkward} == {"with space", "ünïcode", "a/b", "emoji😀", "a.b"}
