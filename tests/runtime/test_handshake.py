"""From the dial to the ack, and what the ack brings (P1 2.1 to 2.5)."""

import json

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import Capabilities, DeviceState, LinkState, SessionConfig, StopKind, SystemSettings
from mentra_trio._wire.outbound import DisplayEvent
from mentra_trio.errors import ConnectFailedError, HandshakeError, LinkLostError
from mentra_trio.models.layouts import TextWall
from tests.scripted_cloud import (
    CLOSED_BY_APP,
    HOST,
    KEY,
    PACKAGE,
    SESSION,
    USER,
    Choosing,
    connected,
    make_runtime,
    open_cloud,
    open_link,
)


async def test_the_upgrade_carries_the_four_headers_that_the_cloud_reads(autojump_clock: MockClock) -> None:
    async with connected() as link:
        headers = {name: value for name, value in link.socket.headers.items() if name.startswith("x-")}

    assert headers == {
        "x-user-id": USER.encode(),
        "x-session-id": SESSION.encode(),
        "x-package-name": PACKAGE.encode(),
        "x-api-key": KEY.encode(),
    }


@pytest.mark.parametrize(
    ("user", "header"),
    [("jürgen@example.com", b"j\xfcrgen@example.com"), ("愛@example.com", "愛@example.com".encode())],
)
async def test_an_id_beyond_ascii_is_one_byte_a_character_where_possible(
    autojump_clock: MockClock, user: str, header: bytes
) -> None:
    """As MentraOS's own SDK does; ids are opaque (P1 0)."""
    async with open_cloud() as cloud:
        runtime = make_runtime(cloud, user_id=user)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.run)
            socket = await cloud.accept()
            nursery.cancel_scope.cancel()

    assert socket.headers["x-user-id"] == header


async def test_the_url_of_the_webhook_is_dialled_with_its_path(autojump_clock: MockClock) -> None:
    async with connected() as link:
        assert link.socket.url.origin == f"wss://{HOST}:443"
        assert link.socket.target == "/ws/miniapp"


async def test_the_first_message_is_the_init(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_link(cloud):
        socket = await cloud.accept()
        message = await socket.next()

    assert message.pop("timestamp").endswith("Z")
    assert message == {
        "type": "tpa_connection_init",
        "packageName": PACKAGE,
        "apiKey": KEY,
        "sdkVersion": "3.0.0-trio.test",
    }


async def test_nothing_else_is_sent_before_the_ack(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        socket = await cloud.accept()
        await socket.open()
        runtime.post("display", DisplayEvent(layout=TextWall(text="early"), view="main"))
        await trio.sleep(3)

        assert socket.unread() == []


async def test_a_bare_ack_brings_the_session_up(autojump_clock: MockClock) -> None:
    """Only `type` is certain (P1 2.4)."""
    async with connected() as link:
        session = link.session
        assert session.link_state.value is LinkState.CONNECTED
        assert session.session_id == SESSION
        assert session.settings.values.value == {}
        assert session.settings.system.value == SystemSettings()
        assert session.device.capabilities.value is None


async def test_an_ack_of_the_other_type_is_taken_too(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        socket = await cloud.accept()
        await socket.open()
        await socket.send("reconnect_ack")
        await runtime.ready.wait()


async def test_the_session_id_of_the_ack_is_adopted(autojump_clock: MockClock) -> None:
    """The id is opaque, and may be another one than the webhook's (P1 0)."""
    async with connected(sessionId="0b7d") as link:
        assert link.session.session_id == "0b7d"
        await link.session.raw.send("anything")
        assert (await link.socket.next())["sessionId"] == "0b7d"
        await link.socket.cut()
        socket = await link.cloud.accept()
        assert (await socket.open())["sessionId"] == "0b7d"
        assert socket.headers["x-session-id"] == b"0b7d"


async def test_the_contents_of_the_ack_are_applied(autojump_clock: MockClock) -> None:
    settings = [
        {"key": "lang", "type": "select", "label": "Language", "defaultValue": "en-US"},
        {"key": "size", "type": "slider", "label": "Size", "defaultValue": 3, "value": 5},
        {"type": "group", "title": "Looks", "key": ""},
    ]
    async with connected(
        settings=settings,
        mentraosSettings={"metricSystemEnabled": True, "userTimezone": "Europe/Berlin", "brightness": 70},
        capabilities={"modelName": "Even Realities G1", "hasDisplay": True},
        subscriptions=["augmentos:*"],
        userId=USER,
    ) as link:
        session = link.session
        assert session.settings.values.value == {"lang": "en-US", "size": 5}
        assert session.settings.system.value == SystemSettings(
            metric_system_enabled=True, user_timezone="Europe/Berlin", brightness=70
        )
        assert session.device.capabilities.value == Capabilities(model_name="Even Realities G1", has_display=True)


async def test_the_time_zone_is_read_under_its_other_name_too(autojump_clock: MockClock) -> None:
    """Some senders say `timezone` (P1 5.3)."""
    async with connected(mentraosSettings={"timezone": "Asia/Tokyo"}) as link:
        assert link.session.settings.system.value.user_timezone == "Asia/Tokyo"


async def test_the_snapshot_after_the_ack_is_applied(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        socket = await cloud.accept()
        await socket.open()
        await socket.ack()
        await socket.send("device_state_update", state={"connected": True, "batteryLevel": 76}, fullSnapshot=True)
        state = await runtime.state.device.wait_for(lambda state: state.connected is not None)

    assert state.connected is True
    assert state.battery_level == 76


async def test_what_arrives_before_the_ack_is_taken(autojump_clock: MockClock) -> None:
    """The cloud marks the socket as the app's, and may then wait for its database before it acknowledges (P1 2.4)."""
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        socket = await cloud.accept()
        await socket.open()
        await socket.send("device_state_update", state={"batteryLevel": 50}, fullSnapshot=True)
        await socket.send("capabilities_update", modelName="G1", capabilities={"modelName": "G1"})
        await socket.send("settings_update", packageName=PACKAGE, settings=[{"key": "a", "value": 1}])
        await socket.send("augmentos_settings_update", settings={"brightness": 9})
        await socket.say("early")
        await socket.send_audio(b"\0\0")
        await socket.send("something_new", x=1)
        await wait_all_tasks_blocked()

        assert runtime.state.device.value.battery_level == 50
        assert runtime.state.capabilities.value == Capabilities(model_name="G1")
        assert runtime.state.settings.value == {"a": 1}
        assert runtime.state.system.value.brightness == 9
        assert runtime.statistics().unclaimed_events == 2
        assert runtime.statistics().foreign_transcripts == 0
        assert not runtime.ready.is_set()
        await socket.ack(settings=[{"key": "a", "value": 1}])
        await runtime.ready.wait()


async def test_a_second_ack_on_a_socket_brings_news_and_counts_no_connection(autojump_clock: MockClock) -> None:
    async with connected(settings=[{"key": "a", "value": 1}]) as link:
        async with link.session.mic.stream().with_gaps():
            await link.socket.send("tpa_connection_ack", settings=[{"key": "a", "value": 2}])
            await wait_all_tasks_blocked()

        assert link.session.connections == 1
        assert link.session.settings.values.value == {"a": 2}


async def test_no_ack_within_4_s_ends_a_start(autojump_clock: MockClock) -> None:
    """The cloud repeats its webhook (P1 1.3), so a start that fails fast is soon tried again."""
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        socket = await cloud.accept()
        await runtime.over.wait()

        assert trio.current_time() == 4
        assert runtime.stop_reason is not None
        assert runtime.stop_reason.kind is StopKind.LINK_LOST
        assert isinstance(runtime.error, LinkLostError)
        assert await socket.wait_closed() == CLOSED_BY_APP


async def test_messages_before_the_ack_do_not_prolong_its_deadline(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        socket = await cloud.accept()
        for _ in range(7):
            await trio.sleep(0.5)
            await socket.send("device_state_update", state={})
        await runtime.over.wait()

        assert trio.current_time() == 4


async def test_a_refused_connect_ends_a_start_at_once(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        cloud.is_unreachable = True
        async with open_link(cloud) as runtime:
            await runtime.over.wait()

        assert trio.current_time() == 0
        assert isinstance(runtime.error, ConnectFailedError)
        assert runtime.statistics().connect_failures == 1


async def test_a_silent_host_ends_a_start_after_4_s(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        cloud.is_silent = True
        async with open_link(cloud) as runtime:
            await runtime.over.wait()

    assert trio.current_time() == 4


@pytest.mark.parametrize("status", [404, 500, 503])
async def test_a_refused_upgrade_ends_a_start(autojump_clock: MockClock, status: int) -> None:
    async with open_cloud() as cloud:
        cloud.status = status
        async with open_link(cloud) as runtime:
            await runtime.over.wait()

    assert isinstance(runtime.error, ConnectFailedError)
    assert runtime.error.status == status


async def test_a_401_at_the_upgrade_is_a_refusal(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        cloud.status = 401
        async with open_link(cloud) as runtime:
            await runtime.over.wait()

    assert isinstance(runtime.error, HandshakeError)
    assert runtime.error.code == "401"


@pytest.mark.parametrize("name", ["tpa_connection_error", "connection_error"])
@pytest.mark.parametrize("code", ["INVALID_API_KEY", "APP_DEPRECATED", "APP_NOT_STARTED", "JWT_INVALID"])
async def test_a_permanent_refusal_ends_the_session(autojump_clock: MockClock, code: str, name: str) -> None:
    """Trying again would fare no better (P1 2.5); older clouds use the other type."""
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        socket = await cloud.accept()
        await socket.open()
        await socket.send(name, code=code, message="no")
        await socket.close(1008, "no")
        await runtime.over.wait()
        await trio.sleep(300)

        assert isinstance(runtime.error, HandshakeError)
        assert (runtime.error.code, runtime.error.text) == (code, "no")
        assert runtime.stop_reason is not None
        assert (runtime.stop_reason.kind, runtime.stop_reason.detail) == (StopKind.REFUSED, code)
        assert len(cloud.dials) == 1


async def test_an_unknown_session_is_tried_once_more_on_a_new_socket(autojump_clock: MockClock) -> None:
    """Several processes may sit behind one host name (P1 2.5)."""
    async with open_cloud() as cloud, open_link(cloud, random=Choosing(1.0)) as runtime:
        for _ in range(2):
            socket = await cloud.accept()
            assert (await socket.open())["type"] == "tpa_connection_init"
            await socket.send("tpa_connection_error", code="SESSION_NOT_FOUND", message="no")
            await socket.close(1008, "Session not found")
        await runtime.over.wait()

        assert [when for when, _ in cloud.dials] == [0, 0.25]
        assert isinstance(runtime.error, HandshakeError)
        assert runtime.error.code == "SESSION_NOT_FOUND"


async def test_an_unknown_session_that_is_found_at_the_second_try_is_fine(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        socket = await cloud.accept()
        await socket.send("tpa_connection_error", code="SESSION_NOT_FOUND", message="no")
        socket = await cloud.accept()
        await socket.handshake()
        await runtime.ready.wait()


@pytest.mark.parametrize("code", ["INTERNAL_ERROR", "SOMETHING_NEW"])
async def test_a_passing_refusal_is_tried_again_with_an_init(autojump_clock: MockClock, code: str) -> None:
    """Unknown codes may pass too (P1 3.4)."""
    async with open_cloud() as cloud, open_link(cloud) as runtime:
        for _ in range(3):
            socket = await cloud.accept()
            assert (await socket.open())["type"] == "tpa_connection_init"
            await socket.send("tpa_connection_error", code=code, message="no")
            await socket.close(1011, "Internal server error")
        socket = await cloud.accept()
        await socket.handshake()
        await runtime.ready.wait()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "null",
        '{"type": 5}',
        '{"no": "type"}',
        '{"type": "tpa_connection_ack"',
        "1e999",
        "[" * 50_000,
    ],
    ids=lambda text: text[:12],
)
async def test_nonsense_from_the_cloud_is_counted_and_survived(autojump_clock: MockClock, text: str) -> None:
    async with connected() as link:
        await link.socket.send_text(text)
        await link.socket.send("device_state_update", state={"batteryLevel": 5})
        await link.session.device.state.wait_for(lambda state: state.battery_level == 5)

        statistics = link.session.statistics()
        assert statistics.undecodable + statistics.unknown_messages == 1


async def test_a_message_with_a_faulty_field_is_taken_without_it(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.send("device_state_update", state={"batteryLevel": "full", "charging": True})
        await link.session.device.state.wait_for(lambda state: state.charging is True)

        assert link.session.device.state.value.battery_level is None
        assert link.session.statistics().faulty_fields == 1


async def test_a_device_state_that_is_none_is_counted(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.send_text(json.dumps({"type": "device_state_update", "state": 5}))
        await wait_all_tasks_blocked()

        assert link.session.statistics().undecodable == 1


async def test_every_kind_of_nonsense_is_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A cloud gone mad must not fill the log."""
    async with connected() as link:
        for _ in range(50):
            await link.socket.send_text("nonsense")
            await link.socket.send("device_state_update", state={"charging": "yes"})
        await wait_all_tasks_blocked()

        assert link.session.statistics().undecodable == 50
    assert len([record for record in caplog.records if "read" in record.message]) == 2


@pytest.mark.parametrize("bad", ["a\r\nx-api-key: 1", "a\n", "\x00", " a", "x" * 513])
async def test_a_session_id_that_would_break_an_upgrade_header_is_refused(autojump_clock: MockClock, bad: str) -> None:
    """The id of the ack goes into the headers of the next upgrade."""
    async with connected(sessionId=bad) as link:
        assert link.session.session_id == SESSION
        assert link.session.statistics().faulty_fields == 1
        await link.socket.cut()
        socket = await link.next_socket()

        assert socket.headers["x-session-id"] == SESSION.encode()


async def test_a_field_of_the_glasses_that_cannot_be_read_keeps_its_value(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.send("device_state_update", state={"batteryLevel": 76})
        await link.socket.send("device_state_update", state={"batteryLevel": "75", "charging": True})
        await wait_all_tasks_blocked()

        assert link.session.device.state.value == DeviceState(battery_level=76, charging=True)
        assert link.session.statistics().faulty_fields == 1


async def test_an_ack_without_settings_leaves_those_that_are_known(autojump_clock: MockClock) -> None:
    """Losing state over a reconnect is what users notice; the cloud itself always sends them (D17, P1 2.4)."""
    async with connected(settings=[{"key": "a", "value": 1}]) as link, link.session.settings.stream() as changes:
        await link.socket.cut()
        await link.next_socket()
        await wait_all_tasks_blocked()

        assert link.session.settings.values.value == {"a": 1}
        assert changes.statistics().received == 0


async def test_an_ack_with_an_empty_list_of_settings_empties_them(autojump_clock: MockClock) -> None:
    async with connected(settings=[{"key": "a", "value": 1}]) as link:
        await link.socket.cut()
        await link.next_socket(settings=[])
        await wait_all_tasks_blocked()

        assert link.session.settings.values.value == {}


async def test_a_change_of_type_in_the_settings_is_a_change(autojump_clock: MockClock) -> None:
    """To Python 1 and True are equal."""
    async with connected(settings=[{"key": "a", "value": [1]}]) as link, trio.open_nursery() as nursery:
        seen: list[object] = []

        async def follow() -> None:
            values = await anext(link.session.settings.values.changes())
            seen.append(values["a"])

        nursery.start_soon(follow)
        await wait_all_tasks_blocked()
        await link.socket.send("settings_update", settings=[{"key": "a", "value": [True]}])
        await wait_all_tasks_blocked()

        assert repr(seen) == "[[True]]"


async def test_the_time_for_the_ack_can_be_set(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_link(cloud, config=SessionConfig(ack_timeout=1.5)) as runtime:
        await runtime.over.wait()

    assert trio.current_time() == 1.5


async def test_a_cloud_that_makes_names_up_costs_no_memory(autojump_clock: MockClock) -> None:
    async with connected() as link:
        for number in range(600):
            await link.socket.event(f"made_up_{number}")
        await wait_all_tasks_blocked()

        assert link.session.statistics().unclaimed_events == 600
        assert len(link.runtime._loop.inbound._names) <= 256


async def test_no_stream_has_a_name_of_kilobytes(autojump_clock: MockClock) -> None:
    """Such a name is not read, and not remembered. Who asked for all messages gets it all the same."""
    async with connected() as link, link.session.raw.messages() as messages:
        name = "transcription:" + "x" * 5_000
        await link.socket.event(name, text="hello")
        event = await anext(messages)

        assert event.fields["streamType"] == name
        assert link.session.statistics().unclaimed_events == 1
