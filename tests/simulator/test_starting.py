"""Starting and stopping apps: webhooks, windows, results (P1 1.1-1.3, 2.3, 2.4)."""

import attrs
import trio
from trio.testing import MockClock

from mentra_trio.simulator import AppKind, AppState, Cloud, InstalledApp, Stage, StartResult

from .apps import ALPHA, BETA, KEYS, OTHER, USER, headers, session_id, settle, world


async def test_p1_1_1_a_start_posts_a_session_request_with_three_urls(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.start()

        (call,) = here.webhooks.calls
        assert (call.at, call.package_name, call.path) == (0.0, ALPHA, "/webhook")
        assert call.body == {
            "type": "session_request",
            "sessionId": session_id(),
            "userId": USER,
            "timestamp": "2026-06-27T10:00:00.000Z",
            "websocketUrl": "wss://api.mentra.glass/ws/miniapp",
            "mentraOSWebsocketUrl": "wss://api.mentra.glass/app-ws",
            "augmentOSWebsocketUrl": "wss://api.mentra.glass/app-ws",
        }


async def test_p1_2_4_an_init_is_answered_by_an_ack_and_a_snapshot(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await here.start()

        ack, snapshot = socket.messages()
        assert {key: ack[key] for key in ("type", "sessionId", "settings", "subscriptions", "userId")} == {
            "type": "tpa_connection_ack",
            "sessionId": session_id(),
            "settings": [],
            "subscriptions": [],
            "userId": USER,
        }
        assert isinstance(ack["capabilities"], dict)
        assert ack["capabilities"]["modelName"] == "Simulated Glasses"
        assert snapshot["state"] == {
            "modelName": "Simulated Glasses",
            "connected": True,
            "batteryLevel": 100,
            "charging": False,
        }
        assert snapshot["fullSnapshot"] is True
        assert here.user.state_of(ALPHA) is AppState.RUNNING


async def test_p1_1_3_the_start_succeeds_when_the_init_is_accepted(autojump_clock: MockClock) -> None:
    async with world() as here, trio.open_nursery() as nursery:
        results: list[StartResult] = []

        async def start() -> None:
            results.append(await here.user.start(ALPHA))

        nursery.start_soon(start)
        await trio.sleep(5.9)
        socket = await here.open()
        assert results == []
        await socket.init()

        assert results == [StartResult(succeeded=True)]


async def test_p1_1_3_after_six_seconds_the_start_has_failed_and_an_init_is_refused(autojump_clock: MockClock) -> None:
    async with world() as here:
        result = await here.user.start(ALPHA)

        assert (trio.current_time(), result.failed_at) == (6.0, Stage.TIMEOUT)
        assert ALPHA not in here.user.stored.running
        socket = await here.open()
        await socket.init()
        assert socket.messages() == [
            {
                "type": "tpa_connection_error",
                "code": "APP_NOT_STARTED",
                "message": "App not started for this session",
                "timestamp": "2026-06-27T10:00:06.000Z",
            }
        ]
        assert socket.end == (1008, "App not started for this session")


async def test_p1_1_3_a_webhook_is_tried_twice_with_one_second_between(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.webhooks.answers["session_request"] = [500, 404]
        result = await here.user.start(ALPHA)

        assert here.webhooks.kinds() == [(0.0, "session_request"), (1.0, "session_request")]
        assert here.webhooks.calls[0].body == here.webhooks.calls[1].body
        assert (trio.current_time(), result.failed_at) == (1.0, Stage.WEBHOOK)


async def test_p1_1_3_a_webhook_try_takes_ten_seconds_at_most(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.webhooks.delays["session_request"] = 60
        await here.user.start(ALPHA)
        await trio.sleep_until(30)

        assert here.webhooks.kinds() == [(0.0, "session_request"), (11.0, "session_request")]


async def test_p1_1_3_only_the_status_of_the_answer_counts(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.webhooks.answers["session_request"] = [204]
        await here.start()
        await trio.sleep(5)

        assert len(here.webhooks.calls) == 1


async def test_p1_1_1_a_second_start_joins_the_first(autojump_clock: MockClock) -> None:
    async with world() as here, trio.open_nursery() as nursery:
        nursery.start_soon(here.user.start, ALPHA)
        await settle()
        await here.start()
        await here.user.start(ALPHA)

        assert len(here.webhooks.calls) == 1


async def test_p1_1_1_a_standard_app_first_stops_the_other_one(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.install(InstalledApp(package_name="com.example.gamma", api_key="k", public_url="https://gamma"))
        here.webhooks.delays["stop_request"] = 2
        await here.start()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.user.start, "com.example.gamma")
            await trio.sleep(3)
            nursery.cancel_scope.cancel()

        assert [(call.at, call.package_name, call.body["type"]) for call in here.webhooks.calls] == [
            (0.0, ALPHA, "session_request"),
            (0.0, ALPHA, "stop_request"),
            (2.0, "com.example.gamma", "session_request"),
        ]


async def test_p1_1_3_a_start_is_refused_without_a_webhook(autojump_clock: MockClock) -> None:
    async with world(model="Even Realities G1") as here:
        here.cloud.install(
            InstalledApp(package_name="com.example.cam", api_key="k", required_hardware=frozenset({"CAMERA"}))
        )

        assert (await here.user.start("com.example.cam")).failed_at is Stage.HARDWARE_CHECK
        assert (await here.user.start("com.example.nothere")).failed_at is Stage.UNKNOWN_APP
        here.user.disconnect()
        assert (await here.user.start(ALPHA)).failed_at is Stage.NO_SESSION
        assert here.webhooks.calls == []


async def test_p1_1_2_a_stop_awaits_the_webhook_then_tells_the_app_and_closes(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.webhooks.delays["stop_request"] = 3
        socket = await here.start()
        await socket.subscribe("button_press")

        assert await here.user.stop(ALPHA)
        assert trio.current_time() == 3.0
        await settle()
        assert socket.last() == {"type": "app_stopped", "timestamp": "2026-06-27T10:00:03.000Z"}
        assert socket.end == (1000, "App stopped")
        assert here.webhooks.calls[-1].body["reason"] == "user_disabled"
        assert here.user.state_of(ALPHA) is AppState.STOPPED
        assert here.user.stored.running == {}


async def test_p1_1_2_events_still_arrive_while_the_stop_webhook_is_awaited(autojump_clock: MockClock) -> None:
    async with world() as here, trio.open_nursery() as nursery:
        here.webhooks.delays["stop_request"] = 3
        socket = await here.start()
        await socket.subscribe("button_press")
        nursery.start_soon(here.user.stop, ALPHA)
        await trio.sleep(1)
        here.user.phone_message({"type": "button_press"})
        await settle()

        assert socket.streams() == [("button_press", {"type": "button_press"})]


async def test_p1_1_2_a_stop_is_ignored_unless_the_app_runs_or_starts(autojump_clock: MockClock) -> None:
    async with world() as here:
        assert not await here.user.stop(ALPHA)
        socket = await here.start()
        here.user.socket(ALPHA).cut()
        await settle()

        assert socket.end == (1006, "")
        assert not await here.user.stop(ALPHA)
        assert here.user.state_of(ALPHA) is AppState.TRANSPORT_DOWN


async def test_p1_1_1_a_new_session_starts_the_stored_apps_before_the_phone_is_acknowledged(
    autojump_clock: MockClock,
) -> None:
    async with world(connect=False) as here:
        here.user.stored.note_running(ALPHA)
        here.user.stored.note_running(BETA)
        await here.user.connect()

        assert {call.package_name for call in here.webhooks.calls} == {ALPHA, BETA}
        assert trio.current_time() == 6.0
        assert here.phone("connection_ack")[0][0] == 6.0


async def test_p1_2_3_the_checks_of_an_init_come_in_order(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        nobody = await here.open({})
        await nobody.init(version=None, sessionId="no address")
        assert (nobody.messages(), nobody.end) == ([], (1008, "User session identity missing"))

        async def refusal(**fields: object) -> object:
            socket = await here.open(headers(x_package_name=None))
            await socket.send("tpa_connection_init", **{"packageName": ALPHA, "apiKey": KEYS[ALPHA], **fields})
            await settle()
            return socket.last()["code"], socket.end

        assert await refusal() == ("SESSION_NOT_FOUND", (1008, "Session not found"))
        await here.user.connect()
        assert await refusal(packageName="system.augmentos.dashboard") == ("APP_DEPRECATED", (1008, "App deprecated"))
        assert await refusal(apiKey="wrong") == ("INVALID_API_KEY", (1008, "Invalid API key"))
        assert await refusal(packageName="com.example.nothere") == ("INVALID_API_KEY", (1008, "Invalid API key"))
        assert await refusal() == ("APP_NOT_STARTED", (1008, "App not started for this session"))


async def test_p1_2_2_an_old_sdk_names_the_user_in_its_session_id(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start(version=None)

        assert socket.types() == ["tpa_connection_ack", "device_state_update"]


async def test_p1_2_2_an_app_token_stands_for_the_init(autojump_clock: MockClock) -> None:
    async with world() as here, trio.open_nursery() as nursery:
        nursery.start_soon(here.user.start, ALPHA)
        await settle()
        token = here.cloud.app_token(ALPHA)
        socket = await here.open({"authorization": f"Bearer {token}", "x-user-id": USER})

        assert socket.types() == ["tpa_connection_ack", "device_state_update"]


async def test_p1_2_4_broadcasts_may_come_before_a_slow_ack(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.faults.ack_delay = 2.0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.user.start, ALPHA)
            await settle()
            socket = await here.open()
            await socket.init()
            here.user.update_device(batteryLevel=40)
        await settle()

        assert [(at, message["type"]) for at, message in socket.got if isinstance(message, dict)] == [
            (0.0, "device_state_update"),
            (2.0, "tpa_connection_ack"),
            (2.0, "device_state_update"),
        ]


async def test_p1_1_2_a_start_during_the_tail_of_a_stop_is_lost(autojump_clock: MockClock) -> None:
    """The stop marks the newly starting app stopped; its refused socket brings it back 5 s later."""
    async with world() as here, trio.open_nursery() as nursery:
        here.cloud.faults.database_delay = 0.1
        await here.start()
        nursery.start_soon(here.user.stop, ALPHA)
        await settle()
        nursery.start_soon(here.user.start, ALPHA)
        await trio.sleep(0.2)
        socket = await here.open()
        await socket.init()

        assert socket.last()["code"] == "APP_NOT_STARTED"
        await trio.sleep(5.1)
        assert here.webhooks.kinds() == [
            (0.0, "session_request"),
            (0.0, "stop_request"),
            (0.0, "session_request"),
            (5.2, "session_request"),
        ]


def test_the_engine_is_the_same_every_time() -> None:
    async def run() -> list[object]:
        async with world(model="Simulated Glasses", cloud=Cloud(seed=3)) as here:
            socket = await here.start()
            await socket.subscribe("transcription:en-US")
            await here.user.say("the same words")
            return [socket.got, here.user.phone_log]

    first, second = (trio.run(run, clock=MockClock(autojump_threshold=0)) for _ in range(2))
    assert first == second


async def test_p1_1_1_two_starts_at_once_stop_the_running_app_once(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.start()
        for package_name in (BETA, OTHER):
            installed = here.cloud.store.apps[package_name]
            here.cloud.install(attrs.evolve(installed, kind=AppKind.STANDARD))
        for package_name in (BETA, OTHER):
            here.nursery.start_soon(here.user.start, package_name)
        await trio.sleep(1)

        assert [kind for _, kind in here.webhooks.kinds()].count("stop_request") == 1
