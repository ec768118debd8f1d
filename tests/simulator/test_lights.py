"""The simulated light: what the phone is told, what the wearer sees, and what a phone answers (P3 8)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import MentraSession  # noqa: TC001 - beside what is used at run time
from mentra_trio.errors import DeviceUnavailableError, LedError, RequestTimedOutError
from tests.scripted_cloud import idle
from tests.weaknesses.simulated import PACKAGE, open_simulated

from .apps import ALPHA, world


async def test_a_light_shines_for_its_time(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        world.user.update_device(modelName="Mentra Live")
        await wait_all_tasks_blocked()
        await world.sessions[0].led.blink("green", on=1, off=2, count=2, confirm=True)
        glasses = world.user.glasses
        begun = glasses.lights[0].at
        seen: list[str | None] = []
        for second in (0.5, 1.5, 3.5, 4.5, 6.5):
            await trio.sleep_until(begun + second)
            seen.append(glasses.light)

        assert seen == ["green", None, "green", None, None]
        assert [signal.package_name for signal in glasses.lights] == [PACKAGE]
        assert world.cloud.violations == ()


async def test_a_light_can_be_switched_off(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        world.user.update_device(modelName="Mentra Live")
        await wait_all_tasks_blocked()
        session = world.sessions[0]
        await session.led.set_color("red", duration=60)
        await wait_all_tasks_blocked()
        assert world.user.glasses.light == "red"
        await session.led.off(confirm=True)

        assert world.user.glasses.light is None


async def test_glasses_without_a_light_say_nothing(autojump_clock: MockClock) -> None:
    """P3 0.5: nothing on the way checks what the model has. The SDK does, so the request is spelled by hand."""
    async with open_simulated(idle) as world:
        await wait_all_tasks_blocked()
        await world.sessions[0].raw.send("rgb_led_control", requestId="1", action="on", color="red")
        await trio.sleep(1)

        assert world.user.glasses.lights == []
        assert [m.fields for m in world.user.phone_log if (m.fields or {}).get("type") == "rgb_led_control"]


async def test_a_phone_played_by_hand_answers_what_the_test_says(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        world.user.update_device(modelName="Mentra Live")
        world.user.acts_by_itself = False
        await wait_all_tasks_blocked()
        with pytest.raises(RequestTimedOutError):
            await world.sessions[0].led.off(confirm=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_refused, world.sessions[0])
            await trio.sleep(0.1)
            told = [m.fields for m in world.user.phone_log if (m.fields or {}).get("type") == "rgb_led_control"][-1]
            assert told is not None
            answer = {"type": "rgb_led_control_response", "requestId": told["requestId"], "success": False}
            world.user.phone_message({**answer, "error": "busy"})


async def _refused(session: MentraSession) -> None:
    with pytest.raises(LedError, match="busy"):
        await session.led.off(confirm=True)


async def test_a_request_without_a_phone_costs_the_socket(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        world.user.update_device(modelName="Mentra Live")
        await wait_all_tasks_blocked()
        session = world.sessions[0]
        world.user.disconnect()
        with pytest.raises(DeviceUnavailableError, match="Glasses not connected"):
            await session.led.off(confirm=True)
        await world.user.connect()
        await world.user.wait_subscribed(PACKAGE)

        assert session.connections == 2


async def test_a_color_that_no_light_has_is_refused_by_the_phone(autojump_clock: MockClock) -> None:
    """P3 8: the cloud passes it on. The SDK would not send it, so the app is played by hand."""
    async with world(model="Mentra Live") as here:
        socket = await here.start()
        await socket.subscribe("rgb_led_control_response")
        await socket.send("rgb_led_control", packageName=ALPHA, requestId="1", action="on", color="pink")
        await trio.sleep(5)
        ((_, answer),) = socket.streams()

        assert (answer["success"], answer["error"]) == (False, "unknown color pink")
        assert here.user.glasses.lights == []
