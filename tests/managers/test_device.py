"""State, abilities, buttons and head of the glasses (P2 6)."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import ButtonPress, Capabilities, DeviceState, HeadMove, SessionClosedError, SlowConsumerError
from mentra_trio.models.device import HeadPosition, PressType
from tests.scripted_cloud import connected


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
