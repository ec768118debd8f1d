"""Calls of the app's own server beside webhooks: settings and photos, whether the app runs or not (P1 6)."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import ConfigError, MiniAppServer
from tests.net.test_asgi import call
from tests.net.test_uploads import MULTIPART, form, part, photo
from tests.scripted_cloud import KEY, PACKAGE, USER, Call, open_app, open_cloud

if TYPE_CHECKING:
    from mentra_trio.models.session import HandlerCrash

Notice = tuple[str, Mapping[str, object]]


async def test_changed_settings_reach_the_apps_own_handler_and_no_session(autojump_clock: MockClock) -> None:
    """P1 6.3: anybody can call this, so a session believes its socket alone."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        notices: list[Notice] = []

        @app.server.on_settings
        async def changed(user_id: str, settings: Mapping[str, object]) -> None:
            await trio.lowlevel.checkpoint()
            notices.append((user_id, settings))

        await app.start()
        body = {"userIdForSettings": USER, "settings": [{"key": "a", "value": 1}]}
        answer = await app.post(body, "/settings")
        stranger = await app.post({**body, "userIdForSettings": "nobody@example.com"}, "/settings")

        assert (answer.status, answer.body["sessionsUpdated"]) == (200, 1)
        assert (stranger.status, stranger.body["sessionsUpdated"]) == (200, 0)
        assert notices == [(USER, {"a": 1}), ("nobody@example.com", {"a": 1})]
        assert app.sessions[0].settings.values.value == {}


async def test_a_settings_handler_that_raises_is_one_record_and_the_server_goes_on(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:

        @app.server.on_settings
        async def changed(user_id: str, settings: Mapping[str, object]) -> None:
            await trio.lowlevel.checkpoint()
            raise ZeroDivisionError

        answer = await app.post({"userIdForSettings": USER, "settings": []}, "/settings")
        assert answer.status == 500
        await app.start()
    assert [record.levelname for record in caplog.records if record.levelno > 30] == ["ERROR"]


async def test_a_settings_handler_that_exits_does_not_end_the_server(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Anybody can call it, and every wearer would lose the app."""
    crashes: list[HandlerCrash] = []
    async with open_cloud() as cloud, open_app(cloud, on_crash=crashes.append) as app:

        @app.server.on_settings
        async def changed(user_id: str, settings: Mapping[str, object]) -> None:
            await trio.lowlevel.checkpoint()
            sys.exit(3)

        answer = await app.post({"userIdForSettings": USER, "settings": []}, "/settings")
        assert answer.status == 500
        await app.start()
    (crash,) = crashes
    assert (crash.handler, type(crash.error)) == ("settings", SystemExit)
    assert [record.getMessage() for record in caplog.records if record.levelno > 30] == ["the settings handler raised"]


async def test_a_settings_handler_that_hangs_in_a_shield_holds_no_request_and_is_told(
    autojump_clock: MockClock,
) -> None:
    """The HTTP server ends its requests before the app's sessions end: one that stayed would keep all from ending."""
    release = trio.Event()
    told = list[tuple[float, list[str]]]()

    def deal(run_ids: Sequence[str]) -> None:
        told.append((trio.current_time(), list(run_ids)))
        release.set()

    async with open_cloud() as cloud:
        async with open_app(cloud, on_hang=deal) as app:

            @app.server.on_settings
            async def changed(user_id: str, settings: Mapping[str, object]) -> None:
                with trio.CancelScope(shield=True):
                    await release.wait()

            with trio.move_on_after(1):
                await app.post({"userIdForSettings": USER, "settings": []}, "/settings")
            assert trio.current_time() == 1

        assert told == [(9.5, ["on_settings"])]
        assert trio.current_time() == 9.5


async def test_a_settings_handler_that_is_at_work_when_the_app_stops_has_a_moment_to_finish(
    autojump_clock: MockClock,
) -> None:
    """As long as session handlers have."""
    ended: list[tuple[str, float]] = []
    async with open_cloud() as cloud:
        async with open_app(cloud) as app:

            @app.server.on_settings
            async def changed(user_id: str, settings: Mapping[str, object]) -> None:
                try:
                    await trio.sleep(0.25 if user_id == "quick" else 1000)
                finally:
                    ended.append((user_id, trio.current_time()))

            quick = app.post_soon({"userIdForSettings": "quick", "settings": []}, "/settings")
            slow = app.post_soon({"userIdForSettings": "slow", "settings": []}, "/settings")
            await wait_all_tasks_blocked()

        assert ended == [("quick", 0.25), ("slow", 0.5)]
        assert (await quick.answer()).status == 200
        assert (await slow.answer()).status == 500


async def test_too_many_calls_of_a_slow_settings_handler_end_the_oldest(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Anybody can call it any number of times."""
    begun: list[str] = []
    at_once: list[int] = []
    async with open_cloud() as cloud, open_app(cloud) as app:

        @app.server.on_settings
        async def changed(user_id: str, settings: Mapping[str, object]) -> None:
            begun.append(user_id)
            try:
                await trio.sleep(30)
            finally:
                at_once.append(len(begun) - len(at_once))

        wearers = map(str, range(203))
        calls = [app.post_soon({"userIdForSettings": each, "settings": []}, "/settings") for each in wearers]
        await wait_all_tasks_blocked()
        done = [number for number, call in enumerate(calls) if call.is_answered]
        assert len(done) == 3
        assert [(await calls[number].answer()).status for number in done] == [500] * 3
        assert len(begun) == 203
        assert max(at_once) == 200
        assert [(await call.answer()).status for call in calls].count(200) == 200
    assert [record.getMessage() for record in caplog.records if "settings handler" in record.getMessage()] == [
        "200 calls of the settings handler at once are too many, so the oldest was cancelled"
    ]


async def test_a_settings_call_while_the_app_stops_begins_nothing(autojump_clock: MockClock) -> None:
    """It would have no end of its own, and the app waits for it."""
    begun: list[str] = []
    async with open_cloud() as cloud:
        async with open_app(cloud) as app:

            @app.server.on_settings
            async def changed(user_id: str, settings: Mapping[str, object]) -> None:
                begun.append(user_id)
                try:
                    await trio.sleep_forever()
                finally:
                    if user_id == "first":
                        late.append(app.post_soon({"userIdForSettings": "late", "settings": []}, "/settings"))
                        with trio.CancelScope(shield=True):
                            await trio.sleep(0.1)

            late: list[Call] = []
            app.post_soon({"userIdForSettings": "first", "settings": []}, "/settings")
            await wait_all_tasks_blocked()

        assert begun == ["first"]
        assert (await late[0].answer()).status == 500


async def test_without_a_settings_handler_the_call_is_answered(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        assert (await app.post({"userIdForSettings": USER, "settings": []}, "/settings")).status == 200


def test_one_settings_handler_is_enough() -> None:
    server = MiniAppServer(PACKAGE, KEY)

    @server.on_settings
    async def first(user_id: str, settings: Mapping[str, object]) -> None:
        await trio.lowlevel.checkpoint()

    with pytest.raises(ConfigError, match="already has a settings handler"):
        server.on_settings(first)
    with pytest.raises(ConfigError, match="without parentheses"):
        MiniAppServer(PACKAGE, KEY).on_settings()


async def test_an_app_that_does_not_run_takes_neither(autojump_clock: MockClock) -> None:
    app = MiniAppServer(PACKAGE, KEY)
    kind = [(b"content-type", MULTIPART.encode())]
    body = form(part("requestId", "1"), photo())
    assert (await call(app.asgi, "POST", "/photo-upload", [body], headers=kind)).status == 404
    answer = await call(app.asgi, "POST", "/settings", [b'{"userIdForSettings": "u", "settings": []}'])
    assert answer.status == 200


async def test_the_health_check_can_be_switched_off(autojump_clock: MockClock) -> None:
    assert (await call(MiniAppServer(PACKAGE, KEY, health_check=False).asgi, "GET", "/health")).status == 404
