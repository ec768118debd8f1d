"""The wearer's hands, through an app: touches, and the network that an app asks for (P2 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mentra_trio.models import Gesture
from tests.scripted_cloud import idle
from tests.weaknesses.simulated import PACKAGE, open_simulated

if TYPE_CHECKING:
    from trio.testing import MockClock

    from mentra_trio import MentraSession


async def test_touches_reach_who_wants_them(autojump_clock: MockClock) -> None:
    felt: list[Gesture] = []

    async def feel(session: MentraSession) -> None:
        async with session.device.touches.stream("double_tap", "up_swipe") as touches:
            async for touch in touches:
                felt.append(touch.gesture)  # noqa: PERF401 - what is felt so far is looked at

    async with open_simulated(feel) as world:
        await world.user.wait_subscribed(PACKAGE, lambda app: app.subscriptions.matches("touch_event:up_swipe"))
        for gesture in ("double_tap", "single_tap", Gesture.UP_SWIPE):
            world.user.touch(gesture)
        await trio.sleep(0.1)

        assert felt == [Gesture.DOUBLE_TAP, Gesture.UP_SWIPE]
        with pytest.raises(ValueError, match="a touch is 'single_tap'"):
            world.user.touch("wink")


async def test_the_wearer_picks_a_network(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        world.user.update_device(modelName="Mentra Live")
        await wait_all_tasks_blocked()
        device = world.sessions[0].device
        begun = trio.current_time()
        await device.request_wifi_setup("For video")
        wifi = await device.wifi.wait_for(lambda now: now.connected is True)

        assert wifi.ssid == "Home"
        assert trio.current_time() - begun == pytest.approx(5, abs=0.1)
        asked = [m.fields for m in world.user.phone_log if (m.fields or {}).get("type") == "show_wifi_setup"]
        assert [(fields or {}).get("reason") for fields in asked] == ["For video"]
        assert world.cloud.violations == ()


async def test_a_wearer_may_not_care(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        world.user.update_device(modelName="Mentra Live")
        world.user.home_network = None
        await wait_all_tasks_blocked()
        await world.sessions[0].device.request_wifi_setup()
        await trio.sleep(60)

        assert world.sessions[0].device.wifi.value.connected is not True


async def test_a_network_that_is_picked_without_the_phone_is_told_to_nobody(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        world.user.update_device(modelName="Mentra Live")
        await wait_all_tasks_blocked()
        await world.sessions[0].device.request_wifi_setup()
        await wait_all_tasks_blocked()
        world.user.disconnect()
        await trio.sleep(10)

        assert world.sessions[0].device.wifi.value.connected is not True
