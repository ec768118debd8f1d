"""Losing sockets and coming back: reconnect, park, grace, resurrection, disposal (P1 2.6, 2.10, 3.1)."""

import math
from collections.abc import Awaitable
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio._net.transport import CloudUrl
from mentra_trio.errors import ConnectFailedError
from mentra_trio.simulator import AppState, Cloud, Store, dial_by_host

from .apps import ALPHA, BETA, USER, Socket, World, headers, settle, world


def at(host: str) -> CloudUrl:
    return CloudUrl(host=host, port=443, tls=True, target="/ws/miniapp")


async def drop(here: World, package_name: str = ALPHA) -> None:
    here.user.socket(package_name).cut()
    await settle()


async def test_p1_3_1_a_v3_app_that_reconnects_in_time_keeps_its_subscriptions(autojump_clock: MockClock) -> None:
    async with world() as here:
        first = await here.start()
        await first.subscribe("button_press")
        await drop(here)
        assert first.end == (1006, "")
        assert here.user.state_of(ALPHA) is AppState.TRANSPORT_DOWN
        await trio.sleep(4.9)
        second = await here.open()
        await second.reconnect()

        ack, snapshot = second.messages()
        assert (ack["type"], ack["subscriptions"]) == ("reconnect_ack", ["button_press"])
        assert snapshot["type"] == "device_state_update"
        await trio.sleep(60)
        assert len(here.webhooks.calls) == 1


async def test_p1_2_10_events_without_a_socket_are_lost(autojump_clock: MockClock) -> None:
    async with world() as here:
        await (await here.start()).subscribe("button_press")
        await drop(here)
        here.user.phone_message({"type": "button_press"})
        second = await here.open()
        await second.reconnect()

        assert second.streams() == []


@pytest.mark.parametrize("code", [1000, 1001, 4000])
async def test_p1_3_1_a_clean_close_is_no_stop(autojump_clock: MockClock, code: int) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.close(code)
        await trio.sleep(5.1)

        assert here.webhooks.kinds()[1:] == [(5.0, "session_request")]


async def test_p1_3_1_after_five_seconds_a_v3_app_gets_a_session_request_alone(autojump_clock: MockClock) -> None:
    async with world() as here:
        await (await here.start()).subscribe("button_press")
        await drop(here)
        await trio.sleep(5.1)
        second = await here.open()
        await second.init()

        assert here.webhooks.kinds()[1:] == [(5.0, "session_request")]
        assert second.messages()[0]["subscriptions"] == ["button_press"]


async def test_p1_3_1_an_old_app_is_told_to_stop_first_and_loses_its_subscriptions(autojump_clock: MockClock) -> None:
    async with world() as here:
        await (await here.start(version=None)).subscribe("button_press")
        await drop(here)
        assert here.user.state_of(ALPHA) is AppState.GRACE_PERIOD
        await trio.sleep(5.1)
        second = await here.open()
        await second.init(version=None)

        assert here.webhooks.kinds()[1:] == [(5.0, "stop_request"), (5.0, "session_request")]
        assert second.messages()[0]["subscriptions"] == []


async def test_p1_3_1_a_failed_resurrection_is_told_to_the_phone_only(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.start()
        here.webhooks.answers["session_request"] = [500, 500]
        await drop(here)
        await trio.sleep(8)

        assert here.user.state_of(ALPHA) is AppState.STOPPED
        assert [(at, fields["packageName"]) for at, fields in here.phone("app_stopped")] == [(6.0, ALPHA)]


async def test_p1_2_10_each_undelivered_transcript_starts_the_grace_anew(autojump_clock: MockClock) -> None:
    async with world() as here:
        await (await here.start()).subscribe("transcription:en-US")
        await trio.sleep(1)
        await drop(here)
        await trio.sleep(4)
        await here.user.say("lost", final=False)
        await trio.sleep(4)
        assert len(here.webhooks.calls) == 1
        await trio.sleep(2)

        assert len(here.webhooks.calls) == 2


async def test_p1_1_6_a_reconnect_does_not_complete_a_start(autojump_clock: MockClock) -> None:
    async with world() as here:
        await (await here.start()).subscribe("button_press")
        await drop(here)
        await trio.sleep(5.1)
        second = await here.open()
        await second.reconnect()
        assert second.types() == ["reconnect_ack", "device_state_update"]
        await trio.sleep(6)
        here.user.phone_message({"type": "button_press"})
        await settle()

        assert here.user.state_of(ALPHA) is AppState.STOPPED
        assert (second.streams(), second.end) == ([], None)
        assert [at for at, _ in here.phone("app_stopped")] == [11.0]


async def test_p1_1_6_that_quirk_can_be_switched_off(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.quirks.reconnect_leaves_start_pending = False
        await here.start()
        await drop(here)
        await trio.sleep(5.1)
        await (await here.open()).reconnect()
        await trio.sleep(10)

        assert here.user.state_of(ALPHA) is AppState.RUNNING


REJECTIONS: list[tuple[dict[str, str | None], dict[str, str | None], str, str]] = [
    ({}, {"sdkVersion": "2.1.29"}, "SESSION_NOT_FOUND", "Reconnect unsupported"),
    ({}, {"sdkVersion": None}, "SESSION_NOT_FOUND", "Reconnect unsupported"),
    ({"x_user_id": None}, {}, "SESSION_NOT_FOUND", "Reconnect identity missing"),
    ({"x_package_name": None}, {"sessionId": "x"}, "SESSION_NOT_FOUND", "Reconnect identity missing"),
    ({}, {"sessionId": "another"}, "SESSION_EXPIRED", "Session expired"),
    ({"x_package_name": BETA}, {"sessionId": f"{USER}-{BETA}"}, "NOT_RUNNING", "App not running"),
]


@pytest.mark.parametrize(("changes", "fields", "code", "reason"), REJECTIONS)
async def test_p1_2_6_a_reconnect_is_rejected(
    autojump_clock: MockClock,
    changes: dict[str, str | None],
    fields: dict[str, str | None],
    code: str,
    reason: str,
) -> None:
    async with world() as here:
        await here.start()
        await drop(here)
        socket = await here.open(headers(**changes))
        await socket.reconnect(**fields)

        assert (socket.last()["type"], socket.last()["code"]) == ("reconnect_rejected", code)
        assert socket.end == (1008, reason)


async def test_p1_2_6_the_version_may_come_in_the_header(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.start()
        await drop(here)
        socket = await here.open(headers(x_sdk_version="3.1"))
        await socket.reconnect(sdkVersion=None)

        assert socket.types()[0] == "reconnect_ack"


async def test_p1_2_6_a_stopped_app_is_not_running(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.start()
        await here.user.stop(ALPHA)
        socket = await here.open()
        await socket.reconnect()

        assert socket.last()["code"] == "NOT_RUNNING"


async def test_p1_2_6_the_key_does_not_count_while_the_wearer_is_here(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.start()
        await drop(here)
        socket = await here.open(headers(x_api_key=None))
        await socket.reconnect()

        assert socket.types()[0] == "reconnect_ack"


@pytest.mark.parametrize(
    ("key", "kind", "code", "reason"),
    [
        (None, "reconnect_rejected", "SESSION_NOT_FOUND", "Reconnect unauthenticated"),
        ("wrong", "tpa_connection_error", "INVALID_API_KEY", "Invalid API key"),
    ],
)
async def test_p1_2_6_without_the_wearer_the_key_counts(
    autojump_clock: MockClock, key: str | None, kind: str, code: str, reason: str
) -> None:
    async with world(connect=False) as here:
        socket = await here.open(headers(x_api_key=key))
        await socket.reconnect()

        assert (socket.last()["type"], socket.last()["code"], socket.end) == (kind, code, (1008, reason))


async def park(here: World) -> Socket:
    socket = await here.open()
    await socket.reconnect()
    assert (socket.last()["type"], socket.last()["timeoutMs"]) == ("reconnect_deferred", 30000)
    return socket


async def test_p1_2_6_a_parked_socket_is_attached_without_a_webhook(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        here.user.stored.note_running(ALPHA)
        socket = await park(here)
        assert socket.last()["code"] == "BOOTING"
        await trio.sleep(10)
        await here.user.connect()
        await settle()

        assert socket.types()[1:] == ["reconnect_ack", "device_state_update"]
        assert here.webhooks.calls == []
        await trio.sleep(40)
        assert socket.end is None


async def test_p1_2_6_a_socket_from_the_park_counts_as_an_old_sdk(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        here.user.stored.note_running(ALPHA)
        socket = await park(here)
        await here.user.connect()
        await socket.subscribe("button_press")
        await socket.subscribe()

        app = here.user.app(ALPHA)
        assert app is not None
        assert app.subscriptions.names == ("button_press",)


async def test_p1_2_6_a_parked_socket_waits_thirty_seconds(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        socket = await park(here)
        await trio.sleep(31)

        assert (socket.last()["type"], socket.last()["code"]) == ("reconnect_rejected", "BOOT_TIMEOUT")
        assert (socket.end, socket.end_at) == ((1008, "Deferred reconnect timed out"), 30.0)


async def test_p1_2_6_a_newer_parked_socket_replaces_the_older_one(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        here.user.stored.note_running(ALPHA)
        older = await park(here)
        newer = await park(here)
        await newer.reconnect()
        await here.user.connect()
        await settle()

        assert older.end == (1013, "Superseded by newer deferred connection")
        assert newer.types() == ["reconnect_deferred", "reconnect_deferred", "reconnect_ack", "device_state_update"]


async def test_p1_2_6_while_parked_only_pings_are_answered(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        socket = await park(here)
        await socket.subscribe("button_press")
        await socket.send("ping")
        await settle()

        assert [message.get("code", message["type"]) for message in socket.messages()[1:]] == [
            "SESSION_NOT_FOUND",
            "pong",
        ]
        assert socket.end is None


async def test_p1_2_6_a_parked_socket_that_leaves_is_forgotten(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        here.user.stored.note_running(ALPHA)
        await (await park(here)).close()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.user.connect)
            await settle()
            nursery.cancel_scope.cancel()

        assert here.webhooks.kinds() == [(0.0, "session_request")]


async def test_p1_2_6_an_app_that_is_expected_is_parked_in_a_live_session(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.user.stored.note_running(ALPHA)
        socket = await park(here)
        assert socket.last()["code"] == "AWAITING_APP_RESTORE"
        await here.user.start(ALPHA)
        await settle()

        assert socket.types()[1:] == ["reconnect_ack", "device_state_update"]
        assert here.webhooks.calls == []


async def test_p1_2_10_a_second_socket_replaces_the_first_which_stays_open(autojump_clock: MockClock) -> None:
    async with world() as here:
        first = await here.start()
        await first.subscribe("button_press")
        second = await here.open()
        await second.init()
        here.user.phone_message({"type": "button_press"})
        await settle()
        assert (len(first.streams()), len(second.streams())) == (0, 1)

        await first.subscribe("head_position")
        here.user.phone_message({"type": "head_position", "position": "up"})
        await settle()
        assert second.streams()[-1][0] == "head_position"
        assert first.end is None


async def test_p1_2_10_the_close_of_an_old_socket_takes_the_new_one_down(autojump_clock: MockClock) -> None:
    async with world() as here:
        first = await here.start()
        await first.subscribe("button_press")
        second = await here.open()
        await second.init()
        await first.close()
        here.user.phone_message({"type": "button_press"})
        await trio.sleep(5.1)

        assert (second.streams(), second.end) == ([], None)
        assert here.webhooks.kinds()[1:] == [(5.0, "session_request")]


async def test_p1_2_10_without_that_fault_only_the_attached_socket_counts(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.quirks.close_by_package = False
        first = await here.start()
        second = await here.open()
        await second.init()
        await first.close()
        await trio.sleep(6)
        assert len(here.webhooks.calls) == 1
        await second.close()
        await trio.sleep(6)
        assert len(here.webhooks.calls) == 2


async def test_p1_2_10_a_refused_socket_starts_an_app_that_was_never_started(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.open({})
        await socket.init(version=None)
        assert socket.last()["code"] == "APP_NOT_STARTED"
        await trio.sleep(5.1)

        assert here.webhooks.kinds() == [(5.0, "stop_request"), (5.0, "session_request")]


async def test_p1_2_3_an_init_on_an_attached_socket_is_acknowledged_again(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.init()

        assert socket.types() == ["tpa_connection_ack", "device_state_update"] * 2


async def test_p1_3_1_without_the_phone_an_app_falls_asleep_and_wakes_with_it(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.start()
        here.user.disconnect()
        await drop(here)
        await trio.sleep(6)
        assert here.user.state_of(ALPHA) is AppState.DORMANT
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.user.connect)
            await settle()
            assert [kind for _, kind in here.webhooks.kinds()[1:]] == ["stop_request", "session_request"]
            assert len(here.phone("connection_ack")) == 1
            await (await here.open()).init()
            await settle()

        assert len(here.phone("connection_ack")) == 2


async def test_p1_3_1_a_sleeping_app_may_come_back_by_itself(autojump_clock: MockClock) -> None:
    async with world() as here:
        await (await here.start()).subscribe("button_press")
        here.user.disconnect()
        await drop(here)
        await trio.sleep(6)
        socket = await here.open()
        await socket.reconnect()

        assert socket.messages()[0]["subscriptions"] == ["button_press"]
        assert here.user.state_of(ALPHA) is AppState.RUNNING


async def test_p1_2_7_after_an_ownership_release_the_close_is_no_loss(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("button_press")
        await socket.send("ownership_release", packageName=ALPHA, reason="switching_clouds")
        await socket.close()
        await trio.sleep(10)

        assert here.user.state_of(ALPHA) is AppState.DORMANT
        assert len(here.webhooks.calls) == 1
        assert ALPHA in here.user.stored.running
        second = await here.open()
        await second.reconnect()
        assert second.messages()[0]["subscriptions"] == []


async def test_p1_3_1_sixty_seconds_after_the_phone_left_apps_are_stopped(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.disconnect()
        await trio.sleep(61)

        assert socket.last()["type"] == "app_stopped"
        assert (socket.end, socket.end_at) == ((1000, "User session ended"), 60.0)
        assert len(here.webhooks.calls) == 1
        refused = await here.open()
        await refused.init()
        assert refused.last()["code"] == "SESSION_NOT_FOUND"
        here.nursery.start_soon(here.user.connect)
        await settle()
        assert [kind for _, kind in here.webhooks.kinds()[1:]] == ["session_request"]


async def test_p1_3_1_a_phone_that_is_back_in_time_changes_nothing(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.disconnect()
        await trio.sleep(59)
        await here.user.connect()
        await trio.sleep(10)

        assert socket.end is None


async def test_p1_2_9_a_cloud_that_shuts_down_closes_with_1001_and_forgets(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("button_press")
        await here.cloud.drain()
        await settle()
        assert socket.end == (1001, "Server shutting down")
        assert not here.user.is_connected
        with pytest.raises(ConnectFailedError):
            await here.open()

        here.cloud.resume()
        parked = await park(here)
        await here.user.connect()
        await settle()
        assert (parked.last()["type"], parked.messages()[1]["subscriptions"]) == ("device_state_update", [])


async def test_p1_2_1_while_it_shuts_down_upgrades_get_503(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.faults.draining = True
        with pytest.raises(ConnectFailedError) as refused:
            await here.open()

        assert refused.value.status == 503


async def test_a_crash_cuts_every_socket(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.cloud.crash()
        await settle()
        assert socket.end == (1006, "")
        with pytest.raises(ConnectFailedError) as refused:
            await here.open()
        assert refused.value.status is None
        here.cloud.resume()
        await park(here)


async def test_connects_are_refused_for_so_many_seconds(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.refuse_connects(3)
        await trio.sleep(2.9)
        with pytest.raises(ConnectFailedError):
            await here.open()
        await trio.sleep(0.2)
        await here.open()


async def test_a_frozen_socket_stays_open_and_silent(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.socket(ALPHA).freeze()
        here.user.update_device(batteryLevel=1)
        await socket.send("ping")
        await trio.sleep(300)

        assert (len(socket.got), socket.end) == (2, None)
        assert here.user.state_of(ALPHA) is AppState.RUNNING


async def test_a_slow_line_delays_both_directions(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.socket(ALPHA).slow_down(0.5)
        await socket.send("ping")
        await trio.sleep(2)

        assert socket.got[-1][0] == 1.0


async def test_p1_2_4_an_ack_may_never_come(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.faults.ack_delay = math.inf
        here.nursery.start_soon(here.user.start, ALPHA)
        socket = await here.open()
        await socket.init()
        await trio.sleep(60)

        assert socket.messages() == []


async def test_a_session_request_may_come_out_of_the_blue(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.start()
        app = here.user.app(ALPHA)
        assert app is not None
        assert await app.request_session()
        second = await here.open()
        await second.init()

        assert second.types() == ["tpa_connection_ack", "device_state_update"]


async def test_p1_a10_a_stop_and_a_start_may_come_back_to_back(autojump_clock: MockClock) -> None:
    async with world() as here:
        first = await here.start()
        app = here.user.app(ALPHA)
        assert app is not None
        here.nursery.start_soon(partial(app.resurrect, stop_first=True))
        await settle()
        assert here.webhooks.kinds()[1:] == [(0.0, "stop_request"), (0.0, "session_request")]
        second = await here.open()
        await second.init()

        assert second.types() == ["tpa_connection_ack", "device_state_update"]
        assert first.end is None


async def test_p1_1_6_two_clouds_share_a_database_and_are_told_apart_by_host(autojump_clock: MockClock) -> None:
    store = Store()
    east = Cloud(store=store, origin="wss://east.mentra.glass")
    async with world(cloud=Cloud(store=store, origin="wss://west.mentra.glass")) as here, east.running():
        await here.start()
        east.webhooks = here.webhooks
        await east.user(USER).connect()
        connector = CoreWebSocketConnector(dial_by_host(here.cloud, east))
        names = [(name, value.encode()) for name, value in headers().items()]

        assert here.webhooks.calls[-1].body["websocketUrl"] == "wss://east.mentra.glass/ws/miniapp"
        async with connector.connect(at("east.mentra.glass"), names, timeout=5):
            await settle()
            assert (len(here.cloud.connections), len(east.connections)) == (1, 1)
        with pytest.raises(ConnectFailedError, match="no such host"):
            async with connector.connect(at("north.mentra.glass"), names, timeout=5):
                pass


async def test_a_drop_returns_when_the_app_is_back_with_its_subscriptions(autojump_clock: MockClock) -> None:
    async with world() as here, trio.open_nursery() as nursery:
        await (await here.start()).subscribe("button_press")
        back: list[float] = []

        async def drop_it() -> None:
            await here.user.drop(ALPHA, refuse_for=2)
            back.append(trio.current_time())

        nursery.start_soon(drop_it)
        await settle()
        with pytest.raises(ConnectFailedError):
            await here.open()
        await trio.sleep(2.1)
        second = await here.open()
        await second.reconnect()
        await trio.sleep(1)
        assert back == []
        await second.subscribe("button_press")
        await settle()

        assert back == [3.1]


async def test_a_listener_is_an_attached_app_whose_subscriptions_have_arrived(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("transcription:de-DE")
        await here.user.wait_listener("de-AT")
        here.user.socket(ALPHA).cut()
        await settle()
        with trio.move_on_after(3) as scope:
            await here.user.wait_listener("de-DE")
        assert scope.cancelled_caught

        second = await here.open()
        await second.reconnect()
        await second.subscribe("transcription:auto")
        with trio.fail_after(1):
            await here.user.wait_listener("ja-JP")


async def test_a_cloud_that_dies_forgets_what_it_was_doing(autojump_clock: MockClock) -> None:
    """A start and a stop that were under way end, and no webhook comes from the dead."""
    async with world() as here, trio.open_nursery() as nursery:
        results: list[object] = []

        async def note(call: Awaitable[object]) -> None:
            results.append(await call)

        await here.start(BETA)
        here.webhooks.answers["session_request"] = [500]
        here.webhooks.delays["stop_request"] = math.inf
        nursery.start_soon(note, here.user.start(ALPHA))
        nursery.start_soon(note, here.user.stop(BETA))
        await trio.sleep(0.5)
        here.cloud.crash()
        await settle()
        assert len(results) == 2
        await trio.sleep(60)

        assert len(here.webhooks.calls) == 3


async def test_p1_2_6_without_that_fault_a_socket_from_the_park_is_what_it_says(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        here.cloud.quirks.parked_socket_is_legacy = False
        here.user.stored.note_running(ALPHA)
        socket = await park(here)
        await here.user.connect()
        await socket.subscribe("button_press")

        assert socket.types()[1:] == ["reconnect_ack", "device_state_update"]
        assert here.user.is_connected


async def test_p1_2_10_a_slow_ack_is_not_sent_to_a_socket_that_was_replaced(autojump_clock: MockClock) -> None:
    async with world() as here:
        older = await here.start()
        here.cloud.faults.ack_delay = 1.0
        await older.reconnect()
        newer = await here.open()
        await newer.reconnect()
        await trio.sleep(2)

        assert older.types().count("reconnect_ack") == 0
        assert newer.types().count("reconnect_ack") == 1


async def test_p1_1_2_a_session_ends_for_an_app_that_is_away_too(autojump_clock: MockClock) -> None:
    """Nobody is told, because nobody is there."""
    async with world() as here:
        await here.start()
        app = here.user.app(ALPHA)
        assert app is not None
        await drop(here)
        here.user.disconnect()
        here.user.disconnect()
        states: list[AppState | None] = []
        for pause in (59, 2):
            await trio.sleep(pause)
            states.append(app.state)

        assert states == [AppState.DORMANT, AppState.STOPPED]
        assert here.user.app(ALPHA) is None


async def test_p1_2_10_speech_does_not_wait_for_an_app_that_fell_asleep(autojump_clock: MockClock) -> None:
    async with world() as here:
        await (await here.start()).subscribe("transcription:en-US")
        app = here.user.app(ALPHA)
        assert app is not None
        await drop(here)
        here.user.disconnect()
        await trio.sleep(10)
        assert app.state is AppState.DORMANT

        assert not app.deliver({"type": "data_stream"})
        assert app.state is AppState.DORMANT


async def test_connects_that_were_refused_for_a_while_are_taken_after_a_resume(autojump_clock: MockClock) -> None:
    """What was to end the refusal does not end the next one."""
    async with world() as here:
        here.cloud.refuse_connects(5)
        here.cloud.resume()
        await here.start()
        here.cloud.faults.refuse_connects = True
        await trio.sleep(10)

        assert here.cloud.faults.refuse_connects
