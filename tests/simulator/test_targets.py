"""Restream targets over HTTP, as the simulated cloud answers what no app of this SDK asks (P3 6.6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

from mentra_trio.simulator import InstalledApp, Mode
from mentra_trio.simulator.rest import respond

from .test_photos import PACKAGE, URL, worn

if TYPE_CHECKING:
    from trio.testing import MockClock

    from mentra_trio.simulator import Cloud, User

    from .apps import Json

RTMP = "rtmp://live.example.com/app/key"
OTHER = "com.example.other"


def ask(
    user: User, method: str, path: str, body: object = None, *, app: str | None = PACKAGE, key: str = "key"
) -> tuple[int, object]:
    """Make a call; give the status and what is said to be wrong."""
    cloud: Cloud = user._cloud
    cloud.install(InstalledApp(package_name=OTHER, api_key="key", public_url=URL, permissions=frozenset({"CAMERA"})))
    query = "" if app is None else f"?packageName={app}"
    content = b"" if body is None else json.dumps(body).encode()
    answer = respond(cloud, method, f"/api/streams/{path}{query}", {"authorization": f"Bearer {key}"}, content)
    return answer.status, cast("Json", json.loads(answer.body)).get("error")


async def test_who_asks_is_looked_at_first(autojump_clock: MockClock) -> None:
    async with worn(mode=Mode.FAITHFUL) as (user, session), session.camera.open_stream(restream_to=[RTMP]) as stream:
        outputs = f"{stream.stream_id}/outputs"
        assert ask(user, "GET", outputs, app=None) == (400, "Package name required for API key validation")
        assert ask(user, "GET", outputs, key="wrong") == (401, "Invalid API Key")
        assert ask(user, "GET", outputs, app="com.example.nobody") == (401, "Invalid API Key")
        assert ask(user, "GET", "m0/outputs") == (404, "STREAM_NOT_FOUND")
        assert ask(user, "GET", outputs, app=OTHER) == (403, "NOT_A_VIEWER")
        assert ask(user, "GET", outputs) == (200, None)
        assert ask(user, "POST", outputs, {"packageName": PACKAGE, "url": RTMP}, app=None) == (409, "DUPLICATE_URL")
        told = {violation.text for violation in user._cloud.violations}
        assert told == {"it asked for restream targets without a key that is valid"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "INVALID_URL"),
        ({"url": 5}, "INVALID_URL"),
        ({"url": "https://live.example.com"}, "INVALID_URL_FORMAT"),
        ([], "INVALID_URL"),
    ],
)
async def test_an_address_is_looked_at(autojump_clock: MockClock, body: object, error: str) -> None:
    async with worn() as (user, session), session.camera.open_stream(restream_to=[RTMP]) as stream:
        assert ask(user, "POST", f"{stream.stream_id}/outputs", body) == (400, error)


async def test_a_target_is_removed_by_whoever_added_it(autojump_clock: MockClock) -> None:
    async with worn() as (user, session), session.camera.open_stream(restream_to=[RTMP]) as stream:
        streams = user._cloud.session(user.user_id)
        assert streams is not None
        foreign = streams.streams.add_target(f"{RTMP}2", "theirs", OTHER)
        assert ask(user, "DELETE", f"{stream.stream_id}/outputs/{foreign}") == (403, "NOT_AUTHORIZED")
        assert ask(user, "DELETE", f"{stream.stream_id}/outputs/out1") == (200, None)
        assert [target.url for target in (await stream.fetch_targets())] == [f"{RTMP}2"]


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "outputs"), ("DELETE", "outputs"), ("GET", "inputs"), ("GET", "")]
)
async def test_other_paths_are_not_there(autojump_clock: MockClock, method: str, path: str) -> None:
    async with worn() as (user, session), session.camera.open_stream() as stream:
        assert ask(user, method, f"{stream.stream_id}/{path}") == (404, "Not found")
