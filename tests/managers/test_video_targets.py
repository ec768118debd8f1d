"""Restream targets of a stream that runs: asked for over HTTP, with the key alone (P3 6.6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import CloudRefusedError, StreamError
from mentra_trio._wire.actions.targets import AddTarget, FetchTargets, RemoveTarget
from mentra_trio._wire.rest import RestAnswer
from mentra_trio.errors import DecodeError
from mentra_trio.models import RestreamTarget
from tests.conformance.recorded_cloud.steps import steps_of
from tests.conformance.recordings import as_object, load_cases
from tests.simulator.test_photos import PACKAGE, worn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.recorded_cloud.steps import Step
    from tests.scripted_cloud import Json

AboutTargets = FetchTargets | AddTarget | RemoveTarget
FIRST, SECOND = "rtmp://a.example.com/live/key", "rtmps://b.example.com/live/key"


async def test_targets_come_and_go_while_the_stream_runs(autojump_clock: MockClock) -> None:
    async with worn() as (_, session), session.camera.open_stream(restream_to=[FIRST]) as stream:
        target_id = await stream.add_target(SECOND, name="B")
        status = await stream.status.wait_for(lambda status: len(status.targets) == 2)
        assert [(target.url, target.name, target.target_id) for target in status.targets] == [
            (FIRST, None, None),
            (SECOND, "B", None),
        ]
        assert await stream.fetch_targets() == (
            RestreamTarget(url=FIRST, status="unknown", target_id="out1", package_name=PACKAGE),
            RestreamTarget(url=SECOND, name="B", status="unknown", target_id=target_id, package_name=PACKAGE),
        )
        for target in await stream.fetch_targets():
            await stream.remove_target(str(target.target_id))
        await stream.status.wait_for(lambda status: not status.targets)
        assert await stream.fetch_targets() == ()


async def test_the_cloud_says_why_it_refuses(autojump_clock: MockClock) -> None:
    async with worn() as (_, session), session.camera.open_stream(restream_to=[FIRST]) as stream:
        with pytest.raises(StreamError) as twice:
            await stream.add_target(FIRST)
        with pytest.raises(StreamError) as unknown:
            await stream.remove_target("nobody's")
        for number in range(10):
            await stream.add_target(f"{SECOND}{number}")
        with pytest.raises(StreamError) as full:
            await stream.add_target(SECOND)
        codes = [caught.value.code for caught in (twice, unknown, full)]
        assert codes == ["DUPLICATE_URL", "OUTPUT_NOT_FOUND", "MAX_OUTPUTS_REACHED"]


async def test_a_stream_that_is_over_has_no_targets(autojump_clock: MockClock) -> None:
    async with worn() as (_, session):
        async with session.camera.open_stream(restream_to=[FIRST]) as stream:
            pass
        await wait_all_tasks_blocked()
        with pytest.raises(StreamError) as caught:
            await stream.fetch_targets()
        assert caught.value.code == "STREAM_NOT_FOUND"


async def test_a_direct_stream_has_no_targets(autojump_clock: MockClock) -> None:
    async with worn() as (_, session), session.camera.open_stream(FIRST) as stream:
        with pytest.raises(StreamError, match="NOT_MANAGED"):
            await stream.add_target(SECOND)


async def test_names_and_ids_are_text(autojump_clock: MockClock) -> None:
    async with worn() as (_, session), session.camera.open_stream(restream_to=[FIRST]) as stream:
        wrong: Json = {"name": 5}
        with pytest.raises(TypeError, match="name is int, not text"):
            await stream.add_target(SECOND, **wrong)
        wrong = {"target_id": None}
        with pytest.raises(TypeError, match="target_id is NoneType, not text"):
            await stream.remove_target(**wrong)
        assert len(await stream.fetch_targets()) == 1


@pytest.mark.parametrize("url", ["", "https://example.com/live", "rtmp://", "example.com"])
async def test_an_address_that_nothing_is_passed_on_to_is_a_mistake(autojump_clock: MockClock, url: str) -> None:
    async with worn() as (_, session), session.camera.open_stream() as stream:
        with pytest.raises(ValueError, match="rtmp://"):
            await stream.add_target(url)


def calls() -> list[AboutTargets]:
    return [FetchTargets("m1"), AddTarget("m1", FIRST, None), RemoveTarget("m1", "out1")]


@pytest.mark.parametrize("request_", calls(), ids=lambda request: type(request).__name__)
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, b'{"error":"NOT_A_VIEWER","message":"no"}', StreamError),
        (502, b'{"error":"CLOUDFLARE_ERROR"}', StreamError),
        (401, b'{"error":"Invalid API Key"}', CloudRefusedError),
        (400, b'{"error":"Package name required for API key validation"}', CloudRefusedError),
        (503, b'{"status":"draining"}', CloudRefusedError),
        (502, b"<html>", CloudRefusedError),
        (500, b'{"error":5}', CloudRefusedError),
    ],
)
def test_a_refusal_has_a_code_or_is_the_cloud_s(
    request_: AboutTargets, status: int, body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        request_.read(RestAnswer(status=status, body=body))
    assert type(caught.value) is error
    if isinstance(caught.value, StreamError):
        assert caught.value.code == json.loads(body)["error"]


@pytest.mark.parametrize("body", [b"{}", b'{"outputs":{},"outputId":5}', b'{"outputId":""}', b"[]", b"ok"])
@pytest.mark.parametrize("request_", calls()[:2], ids=lambda request: type(request).__name__)
def test_what_is_no_answer_is_not_taken_for_one(request_: AboutTargets, body: bytes) -> None:
    with pytest.raises(DecodeError):
        request_.read(RestAnswer(status=200, body=body))


def test_targets_without_an_address_are_left_out() -> None:
    body = json.dumps({"outputs": [5, {}, {"url": 5}, {"url": FIRST, "error": "refused"}]}).encode()
    assert FetchTargets("m1").read(RestAnswer(status=200, body=body)) == (RestreamTarget(url=FIRST, error="refused"),)


def test_ids_are_parts_of_the_path() -> None:
    removal = RemoveTarget("m/1", "out?2")
    assert removal.target("", "com.a&b") == "/api/streams/m%2F1/outputs/out%3F2?packageName=com.a%26b"
    assert "key" not in repr(AddTarget("m1", FIRST, None))


def recorded() -> Iterator[Step]:
    for case in load_cases("cloud"):
        for step in steps_of(case):
            if step.source == "app" and step.is_request and str(step.get("path")).startswith("/api/streams/"):
                yield step


def test_calls_are_spelled_and_read_as_they_were_recorded() -> None:
    for step in recorded():
        path, body = str(step.get("path")), as_object(step.get("body"))
        if "packageName=" not in path or "bad" in str(step.get("headers", "authorization")) or body == {}:
            continue  # what no app of this SDK sends
        stream_id, package = path.split("/")[3], path.partition("packageName=")[2]
        request: AboutTargets = FetchTargets(stream_id)
        if body is not None:
            request = AddTarget(stream_id, str(body["url"]), cast("str | None", body.get("name")))
        assert request.target("", package).replace("%3C", "<").replace("%3A", ":").replace("%3E", ">") == path
        assert (request.METHOD, json.loads(request.body() or b"null")) == (step.get("method"), body)
        answer = as_object(step.partner) or {}
        told = RestAnswer(status=cast("int", answer["status"]), body=json.dumps(answer["body"]).encode())
        if told.status == 200:
            assert not isinstance(request, RemoveTarget)
            assert request.read(told)
        else:
            with pytest.raises(StreamError):
                request.read(told)
