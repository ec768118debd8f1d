"""The cloud's HTTP interface: what the recordings do not show of it (P1 8.2, P3 9.6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest
import trio

from mentra_trio._net.rest import HttpRequest
from mentra_trio._net.transport import CloudUrl
from mentra_trio.errors import ConnectFailedError
from mentra_trio.simulator import Cloud, Mode

from .apps import ALPHA, KEYS, USER, Json, settle, world

if TYPE_CHECKING:
    from trio.testing import MockClock

    from .apps import World

STORAGE = f"/api/sdk/simple-storage/{USER}"


async def call(
    here: World,
    method: str,
    path: str,
    body: object = None,
    *,
    authorization: str | None = f"Bearer {ALPHA}:{KEYS[ALPHA]}",
) -> tuple[int, Json]:
    """Make a call as an app does; give the status and the JSON."""
    url = CloudUrl(host="api.mentra.glass", port=443, tls=True, target=path)
    headers = () if authorization is None else (("Authorization", authorization),)
    content = b"" if body is None else json.dumps(body).encode()
    request = HttpRequest(method=method, url=url, headers=headers, body=content)
    answer = await here.cloud.http.exchange(request, largest=100_000)
    return answer.status, cast("Json", json.loads(answer.body))


async def test_a_dot_in_a_key_makes_an_object_or_not(autojump_clock: MockClock) -> None:
    async with world() as here:
        await call(here, "PUT", f"{STORAGE}/a.b", {"value": "1"})
        assert (await call(here, "GET", STORAGE))[1]["data"] == {"a": {"b": "1"}}
        assert (await call(here, "PUT", f"{STORAGE}/a.b.c", {"value": "1"}))[0] == 500
        await call(here, "DELETE", f"{STORAGE}/a.b")
        assert (await call(here, "GET", STORAGE))[1]["data"] == {"a": {}}
        here.cloud.quirks.dotted_keys_nest = False
        await call(here, "PUT", STORAGE, {"data": {"x.y": "2"}})

        assert await call(here, "GET", f"{STORAGE}/x.y") == (200, {"success": True, "data": {"value": "2"}})


async def test_one_object_among_the_values_switches_the_limit_off(autojump_clock: MockClock) -> None:
    """P3 9.4: its size is no number."""
    async with world() as here:
        await call(here, "PUT", f"{STORAGE}/a.b", {"value": "1"})
        for number in range(11):
            assert (await call(here, "PUT", f"{STORAGE}/k{number}", {"value": "x" * 100_000}))[0] == 200


@pytest.mark.parametrize("key", ["a.b", "$a", ""])
async def test_a_strict_cloud_reports_keys_that_are_paths(autojump_clock: MockClock, key: str) -> None:
    async with world(cloud=Cloud()) as here:
        await call(here, "PUT", STORAGE, {"data": {key: "1"}})

        assert [violation.rule for violation in here.cloud.violations] == ["P3 9.4"]


async def test_a_call_without_a_valid_key_is_reported(autojump_clock: MockClock) -> None:
    async with world(cloud=Cloud(mode=Mode.FAITHFUL)) as here:
        assert (await call(here, "GET", STORAGE, authorization=None))[0] == 401

        assert [violation.rule for violation in here.cloud.violations] == ["P1 8.2"]


async def test_anybody_may_ask_for_permissions(autojump_clock: MockClock) -> None:
    async with world(permissions=["NOTIFICATIONS", "CAMERA", "ODD"]) as here:
        status, body = await call(here, "GET", f"/api/public/permissions/{ALPHA}", authorization=None)
        assert status == 200
        listed = [entry["type"] for entry in cast("list[Json]", body["permissions"])]
        assert listed == ["CAMERA", "NOTIFICATIONS", "ODD"]
        here.cloud.declare(ALPHA, "MICROPHONE")
        _, body = await call(here, "GET", f"/api/public/permissions/{ALPHA}")
        assert [entry["type"] for entry in cast("list[Json]", body["permissions"])] == ["MICROPHONE"]
        with pytest.raises(LookupError):
            here.cloud.declare("com.example.nobody")


async def test_other_permissions_count_with_the_next_subscription(autojump_clock: MockClock) -> None:
    async with world(permissions=["CAMERA"]) as here:
        here.cloud.quirks.silent_permissions = False
        socket = await here.start()
        await socket.subscribe("audio_chunk")
        assert here.user.hear(b"xx") == ()
        assert socket.last()["type"] == "permission_error"
        here.cloud.declare(ALPHA, "MICROPHONE")
        assert here.user.hear(b"xx") == ()
        await socket.subscribe("audio_chunk")

        assert here.user.hear(b"xx") == (ALPHA,)


async def test_faults_on_command(autojump_clock: MockClock) -> None:
    async with world() as here:
        faults = here.cloud.faults
        faults.http_delay = 3
        await call(here, "GET", STORAGE)
        assert trio.current_time() == 3
        faults.http_delay, faults.http_status = 0, 429
        assert await call(here, "GET", STORAGE) == (429, {"error": "Too Many Requests"})
        faults.http_status, faults.draining = None, True
        assert (await call(here, "GET", STORAGE))[0] == 503
        faults.draining, faults.refuse_connects = False, True
        with pytest.raises(ConnectFailedError):
            await call(here, "GET", STORAGE)

        assert [entry.status for entry in here.cloud.http_log] == [200, 429, 503]


@pytest.mark.parametrize("path", ["/api/nothing", "/api/sdk/simple-storage/", f"{STORAGE}/k/more", f"{STORAGE}/"])
async def test_what_it_does_not_know_is_not_found(autojump_clock: MockClock, path: str) -> None:
    async with world() as here:
        status, body = await call(here, "GET", path)

        assert (status, body["error"]) == (404, "Not found")


async def test_a_wearer_has_one_storage_whatever_the_case(autojump_clock: MockClock) -> None:
    async with world() as here:
        await call(
            here,
            "PUT",
            f"{STORAGE.upper().replace('API/SDK/SIMPLE-STORAGE', 'api/sdk/simple-storage')}/k",
            {"value": "1"},
        )
        await settle()

        assert here.user.stored_values(ALPHA) == {"k": "1"}
        with pytest.raises(ValueError, match="400"):
            here.user.store_value(ALPHA, "k", "x" * 100_001)


async def test_below_a_text_there_is_nothing(autojump_clock: MockClock) -> None:
    """P3 9.4: dots make objects, and a text has no inside."""
    async with world() as here:
        await call(here, "PUT", f"{STORAGE}/a", {"value": "1"})

        assert (await call(here, "PUT", STORAGE, {"data": {"a.b": "2"}}))[0] == 500
        assert (await call(here, "DELETE", f"{STORAGE}/a.b"))[0] == 200
        assert (await call(here, "GET", STORAGE))[1]["data"] == {"a": "1"}
