"""State, abilities, buttons and head of the glasses (P2 6)."""

from datetime import UTC, datetime
from typing import cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import (
    ButtonPress,
    Capabilities,
    DeviceState,
    DeviceUnavailableError,
    HeadMove,
    SessionClosedError,
    SlowConsumerError,
)
from mentra_trio._wire.codec import structure
from mentra_trio.models import KNOWN_GLASSES, Gesture, Wifi
from mentra_trio.models.device import HeadPosition, PressType
from mentra_trio.models.session import StopKind, StopReason
from mentra_trio.simulator.hardware import MODELS
from tests.scripted_cloud import PACKAGE, SESSION, Connected, connected


async def test_an_update_changes_what_it_names(autojump_clock: MockClock) -> None:
    async with connected() as link:
        state = link.session.device.state
        await link.socket.send("device_state_update", state={"batteryLevel": 76, "charging": True}, fullSnapshot=True)
        await link.socket.send("device_state_update", state={"batteryLevel": 75}, fullSnapshot=False)
        await state.wait_for(lambda now: now.battery_level == 75)

        assert state.value == DeviceState(battery_level=75, charging=True)


async def test_a_snapshot_resets_what_it_does_not_name(autojump_clock: MockClock) -> None:
    """The next glasses are not the last ones (P2 6.5, V8)."""
    async with connected() as link:
        state = link.session.device.state
        await link.socket.send("device_state_update", state={"batteryLevel": 76, "wifiSsid": "Home"})
        await link.socket.send("device_state_update", state={"connected": True}, fullSnapshot=True)
        await state.wait_for(lambda now: now.connected is True)

        assert state.value == DeviceState(connected=True)


async def test_the_wires_words_for_unknown_become_none(autojump_clock: MockClock) -> None:
    async with connected() as link:
        state = link.session.device.state
        await link.socket.send("device_state_update", state={"batteryLevel": 5, "wifiSsid": "Home", "charging": True})
        await link.socket.send("device_state_update", state={"batteryLevel": -1, "wifiSsid": "", "charging": None})
        await state.wait_for(lambda now: now.battery_level is None)
        await wait_all_tasks_blocked()

        assert state.value == DeviceState()


async def test_followers_see_changes_only(autojump_clock: MockClock) -> None:
    async with connected() as link:
        changes = link.session.device.state.changes()
        for level in (50, 50, 49):
            await link.socket.send("device_state_update", state={"batteryLevel": level})
            await wait_all_tasks_blocked()

        assert (await anext(changes)).battery_level == 49


async def test_another_model_has_other_abilities(autojump_clock: MockClock) -> None:
    async with connected(capabilities={"modelName": "G1", "hasDisplay": True}) as link:
        capabilities = link.session.device.capabilities
        assert capabilities.value == Capabilities(model_name="G1", has_display=True)
        await link.socket.send("capabilities_update", modelName="Live", capabilities={"modelName": "Live"})
        await capabilities.wait_for(lambda now: now is not None and now.model_name == "Live")
        await link.socket.send("capabilities_update", modelName=None, capabilities=None)

        assert await capabilities.wait_for(lambda now: now is None) is None


async def test_abilities_that_cannot_be_read_leave_the_known_ones(autojump_clock: MockClock) -> None:
    """Only a null says that there are no glasses."""
    async with connected(capabilities={"modelName": "G1"}) as link:
        capabilities = link.session.device.capabilities
        await link.socket.send("capabilities_update", capabilities={"hasCamera": True})
        await link.socket.send("capabilities_update", capabilities="G1")
        await wait_all_tasks_blocked()
        assert capabilities.value == Capabilities(model_name="G1")
        await link.socket.cut()
        socket = await link.next_socket(capabilities={"modelName": 7})
        await wait_all_tasks_blocked()
        assert capabilities.value == Capabilities(model_name="G1")
        assert link.session.statistics().faulty_fields == 3
        await socket.cut()
        await link.next_socket(capabilities=None)

        assert await capabilities.wait_for(lambda now: now is None) is None


async def test_waiting_for_the_glasses_ends_with_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:

        async def end() -> None:
            await trio.sleep(3)
            await link.session.end()

        nursery.start_soon(end)
        with pytest.raises(SessionClosedError):
            await link.session.device.state.wait_for(lambda now: now.connected is True)
        assert trio.current_time() == 3


async def test_a_button_press(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.device.buttons.stream() as presses:
        assert (await link.socket.expect("subscription_update"))["subscriptions"] == ["button_press", "augmentos:*"]
        await link.socket.event(
            "button_press", type="button_press", buttonId="camera", pressType="long", timestamp=1781428353210
        )
        press = await anext(presses)

    assert isinstance(press, ButtonPress)
    assert (press.button_id, press.press_type) == ("camera", PressType.LONG)
    assert press.pressed_at is not None
    assert press.pressed_at.timestamp() == 1781428353.21


async def test_a_press_of_a_new_kind_is_kept(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.device.buttons.stream() as presses:
        await link.socket.event("button_press", buttonId="main", pressType="triple")

        assert (await anext(presses)).press_type is PressType.UNKNOWN


async def test_a_press_without_a_button_is_no_press(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.device.buttons.stream() as presses:
        await link.socket.event("button_press", pressType="short")
        await link.socket.event("button_press", buttonId="b")

        assert (await anext(presses)).button_id == "b"
        assert link.session.statistics().undecodable == 1


async def test_no_press_is_dropped_but_a_loop_that_is_far_behind_ends(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.device.buttons.stream() as presses:
        for number in range(70):
            await link.socket.event("button_press", buttonId=str(number))
        await wait_all_tasks_blocked()
        pressed = [(await anext(presses)).button_id for _ in range(64)]

        assert pressed == [str(number) for number in range(64)]
        with pytest.raises(SlowConsumerError, match="button presses"):
            await anext(presses)


async def test_of_head_moves_the_newest_counts(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.device.head.stream() as moves:
        for position in ("up", "down", "up", "sideways"):
            await link.socket.event("head_position", position=position)
        await wait_all_tasks_blocked()
        move = await anext(moves)

        assert isinstance(move, HeadMove)
        assert move.position is HeadPosition.UNKNOWN
        assert moves.statistics().coalesced == 3


# Touches, batteries, and what the state is made of


async def touch(link: Connected, stream: str, **data: object) -> None:
    await link.socket.event(stream, type="touch_event", **data)


async def test_all_touches_arrive(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.device.touches.stream() as touches:
        assert (await link.socket.expect("subscription_update"))["subscriptions"] == ["touch_event", "augmentos:*"]
        await touch(link, "touch_event", gesture_name="single_tap", device_model="Mentra Live", timestamp=1781428353000)
        await touch(link, "touch_event:double_tap", gesture_name="double_tap")
        await touch(link, "touch_event", gesture="up_swipe", model="G1")
        await touch(link, "touch_event:long_press")
        await touch(link, "touch_event", gesture_name="wink")
        await touch(link, "touch_event", gesture_name=5, device_model=False)
        seen = [await anext(touches) for _ in range(6)]

    assert [each.gesture.value for each in seen] == [
        "single_tap", "double_tap", "up_swipe", "long_press", "unknown", "unknown"
    ]  # fmt: skip
    assert [each.model for each in seen] == ["Mentra Live", None, "G1", None, None, None]
    assert seen[0].touched_at == datetime(2026, 6, 14, 9, 12, 33, tzinfo=UTC)
    assert seen[1].touched_at is None


async def test_single_gestures_arrive(autojump_clock: MockClock) -> None:
    """Whoever wants all and one gets the one under its own name, and once (P2 6.2.3)."""
    async with connected() as link:
        device = link.session.device
        async with device.touches.stream("double_tap", Gesture.LONG_PRESS) as some, device.touches.stream() as every:
            await wait_all_tasks_blocked()
            names = ["touch_event:double_tap", "touch_event:long_press", "touch_event", "augmentos:*"]
            assert link.socket.unread()[-1]["subscriptions"] == names
            for name in ("double_tap", "single_tap", "long_press"):
                stream = "touch_event" if name == "single_tap" else f"touch_event:{name}"
                await touch(link, stream, gesture_name=name)
            await wait_all_tasks_blocked()

            assert [(await anext(some)).gesture for _ in range(2)] == [Gesture.DOUBLE_TAP, Gesture.LONG_PRESS]
            assert some.statistics().buffered == 0
            assert every.statistics().buffered == 3


@pytest.mark.parametrize("gesture", ["", "tap", "TAP", "unknown", "double_tap:x"])
async def test_a_gesture_that_does_not_exist_is_refused(autojump_clock: MockClock, gesture: str) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match="is no gesture; there are backward_swipe"):
            link.session.device.touches.stream("single_tap", gesture)


async def test_a_loop_that_falls_behind_touches_ends(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.device.touches.stream() as touches:
        for _ in range(65):
            await touch(link, "touch_event", gesture_name="single_tap")
        await wait_all_tasks_blocked()
        with pytest.raises(SlowConsumerError, match="touches"):
            async for _ in touches:
                pass


async def test_battery_reports_have_what_was_told(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.device.battery_reports.stream() as reports:
        found: list[tuple[object, ...]] = []
        for data in (
            {"level": 82, "charging": False, "timeRemaining": 140},
            {"level": -1},
            {"level": 150},
            {"level": "90"},
        ):
            await link.socket.event("glasses_battery_update", **data)
            report = await anext(reports)
            found.append((report.level, report.is_charging, report.time_remaining))

    assert found == [(82, False, 8400.0), (None, None, None), (None, None, None), (None, None, None)]


async def test_parts_of_the_state_change_by_themselves(autojump_clock: MockClock) -> None:
    async with connected() as link:
        device = link.session.device
        changes = device.battery_level.changes()
        state = {
            "connected": True, "modelName": "Mentra Live", "batteryLevel": 76, "charging": False,
            "wifiConnected": True, "wifiSsid": "HomeNet", "wifiLocalIp": "192.168.1.23",
            "hotspotEnabled": True, "hotspotSsid": "Live", "hotspotPassword": "hunter2", "hotspotGatewayIp": "10.0.0.1",
        }  # fmt: skip
        await link.socket.send("device_state_update", state=state, fullSnapshot=True)
        assert await anext(changes) == 76
        await link.socket.send("device_state_update", state={"charging": True})
        await link.socket.send("device_state_update", state={"batteryLevel": -1, "wifiSsid": ""})

        assert await anext(changes) is None
        assert device.connected.value is True
        assert device.model_name.value == "Mentra Live"
        assert device.charging.value is True
        assert device.wifi.value == Wifi(connected=True, ssid=None, local_ip="192.168.1.23")
        hotspot = device.hotspot.value
        assert (hotspot.enabled, hotspot.ssid, hotspot.password, hotspot.gateway_ip) == (
            True, "Live", "hunter2", "10.0.0.1"
        )  # fmt: skip
        assert "hunter2" not in f"{hotspot!r} {device.hotspot!r} {device.state.value!r} {device!r}"


async def test_parts_of_the_state_end_with_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))
        with pytest.raises(SessionClosedError):
            await link.session.device.wifi.wait_for(lambda wifi: wifi.connected is True)
        assert [level async for level in link.session.device.battery_level.changes()] == []


@pytest.mark.parametrize(("reason", "told"), [(None, {}), ("", {}), ("For video", {"reason": "For video"})])
async def test_wifi_is_asked_for(autojump_clock: MockClock, reason: str | None, told: dict[str, str]) -> None:
    async with connected() as link:
        await link.session.device.request_wifi_setup(reason)
        message = await link.socket.expect("request_wifi_setup")

    assert message.pop("timestamp").endswith("Z")
    assert message == {"type": "request_wifi_setup", "packageName": PACKAGE, "sessionId": SESSION, **told}


async def test_glasses_without_wifi_are_an_error(autojump_clock: MockClock) -> None:
    async with connected(capabilities={"modelName": "Even Realities G1"}) as link:
        with pytest.raises(DeviceUnavailableError, match="have no Wi-Fi"):
            await link.session.device.request_wifi_setup()
        with pytest.raises(TypeError, match=r"str\(\.\.\.\)"):
            await link.session.device.request_wifi_setup(cast("str", 5))


@pytest.mark.parametrize("model", MODELS)
def test_the_known_glasses_can_do_what_the_cloud_says(model: str) -> None:
    """Both tables are written by hand, after P2 6.4."""
    read, faults = structure(MODELS[model], Capabilities)

    assert faults == ()
    assert KNOWN_GLASSES[model] == read
    assert KNOWN_GLASSES.keys() == MODELS.keys()
