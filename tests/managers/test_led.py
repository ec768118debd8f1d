"""The light: what is sent, what is refused before, and the word of the glasses (P3 8)."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio.errors import (
    DeviceUnavailableError,
    LedError,
    LinkDownError,
)
from mentra_trio.models import LedColor
from tests.scripted_cloud import PACKAGE, SESSION, CloudSocket, Connected, Json, connected

ANSWERS = "rgb_led_control_response"
LIVE = {"modelName": "Mentra Live", "hasLight": True}


async def call(link: Connected, method: str, *arguments: object, **options: object) -> None:
    """Call a method with whatever an author may pass."""
    await getattr(link.session.led, method)(*arguments, **options)


async def asked(socket: CloudSocket) -> str:
    """Take the list with the answers and the request; give its id."""
    assert ANSWERS in (await socket.expect("subscription_update"))["subscriptions"]
    request_id: str = (await socket.expect("rgb_led_control"))["requestId"]
    return request_id


async def answer(socket: CloudSocket, request_id: str, *, success: bool = True, **more: object) -> None:
    """Relay the phone's answer."""
    await socket.event(ANSWERS, type=ANSWERS, requestId=request_id, success=success, **more)


@pytest.mark.parametrize(
    ("method", "arguments", "options", "expected"),
    [
        ("set_color", ["red"], {}, {"action": "on", "color": "red", "ontime": 1000, "offtime": 0, "count": 1}),
        (
            "set_color",
            [LedColor.GREEN],
            {"duration": 2.5},
            {"action": "on", "color": "green", "ontime": 2500, "offtime": 0, "count": 1},
        ),
        ("blink", ["blue"], {}, {"action": "on", "color": "blue", "ontime": 500, "offtime": 500, "count": 3}),
        (
            "blink",
            ["white"],
            {"on": 0.001, "off": 0, "count": 1},
            {"action": "on", "color": "white", "ontime": 1, "offtime": 0, "count": 1},
        ),
        ("off", [], {}, {"action": "off"}),
    ],
)
async def test_each_method_sends_its_message(
    autojump_clock: MockClock, method: str, arguments: list[object], options: Json, expected: Json
) -> None:
    async with connected(capabilities=LIVE) as link:
        with assert_checkpoints():
            await call(link, method, *arguments, **options)
        message = await link.socket.expect("rgb_led_control")

    assert message.pop("timestamp").endswith("Z")
    assert message.pop("requestId").startswith("led_req_")
    assert message == {"type": "rgb_led_control", "packageName": PACKAGE, "sessionId": SESSION, **expected}


@pytest.mark.parametrize(
    ("method", "arguments", "options"),
    [
        ("set_color", ["purple"], {}),
        ("set_color", [""], {}),
        ("set_color", [7], {}),
        ("set_color", ["red"], {"duration": 0}),
        ("set_color", ["red"], {"duration": math.nan}),
        ("set_color", ["red"], {"duration": math.inf}),
        ("blink", ["red"], {"on": 0}),
        ("blink", ["red"], {"off": -1}),
        ("blink", ["red"], {"count": 0}),
        ("blink", ["red"], {"count": -(10**5000)}),
        ("blink", ["red"], {"count": 2**31}),
        ("blink", ["red"], {"count": 10**5000}),
    ],
)
async def test_what_no_light_does_is_refused(
    autojump_clock: MockClock, method: str, arguments: list[object], options: Json
) -> None:
    async with connected() as link:
        with pytest.raises(ValueError):  # noqa: PT011 - which argument is told is seen in the parameters
            await call(link, method, *arguments, **options)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize("options", [{"on": "1"}, {"off": None}, {"count": 1.5}, {"count": True}])
async def test_what_is_no_number_is_refused(autojump_clock: MockClock, options: Json) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match="pass"):
            await call(link, "blink", "red", **options)


async def test_glasses_without_a_light_raise_before_anything_is_sent(autojump_clock: MockClock) -> None:
    async with connected(capabilities={"modelName": "Even Realities G1"}) as link:
        with pytest.raises(DeviceUnavailableError, match="Even Realities G1 have no light"):
            await link.session.led.off()
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_glasses_that_are_away_raise_before_anything_is_sent(autojump_clock: MockClock) -> None:
    """The request would be lost, and without a phone it costs the connection."""
    async with connected() as link:
        await link.socket.send("device_state_update", state={"connected": False})
        await wait_all_tasks_blocked()
        with pytest.raises(DeviceUnavailableError, match="not connected"):
            await link.session.led.set_color("red")

        assert link.socket.unread() == []


async def test_glasses_of_which_nothing_is_known_are_tried(autojump_clock: MockClock) -> None:
    async with connected(capabilities=None) as link:
        await link.session.led.off()

        await link.socket.expect("rgb_led_control")


async def test_a_confirmed_call_returns_when_the_glasses_say_so(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        returned_at: list[float] = []

        async def switch() -> None:
            await link.session.led.set_color("red", confirm=True)
            returned_at.append(trio.current_time())

        nursery.start_soon(switch)
        request_id = await asked(link.socket)
        await trio.sleep(0.5)
        before = trio.current_time()
        assert returned_at == []
        await answer(link.socket, request_id)
        await wait_all_tasks_blocked()

        assert returned_at == [before]
        # The answers are not listened to any longer.
        assert (await link.socket.expect("subscription_update"))["subscriptions"] == ["augmentos:*"]


async def test_glasses_that_say_no_are_an_error(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        nursery.start_soon(expect_error, link, LedError, "busy")
        await answer(link.socket, await asked(link.socket), success=False, error="busy")


async def test_glasses_that_say_no_without_a_word_are_an_error(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        nursery.start_soon(expect_error, link, LedError, "did not switch their light$")
        await answer(link.socket, await asked(link.socket), success=False, error=5)


async def expect_error(link: Connected, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        await link.session.led.set_color("red", confirm=True)


async def test_an_answer_at_the_top_level_counts_too(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: link.session.led.off(confirm=True))
        request_id = await asked(link.socket)
        await link.socket.send(ANSWERS, requestId=request_id, success=True)


async def test_answers_to_others_and_late_ones_change_nothing(autojump_clock: MockClock) -> None:
    """The cloud relays the answers to every app (P3 8.3)."""
    request_id = ""
    async with connected() as link:
        with trio.move_on_after(1):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: link.session.led.off(confirm=True))
                request_id = await asked(link.socket)
                await answer(link.socket, "led_req_of_another_app", success=False)
                await link.socket.event(ANSWERS, type=ANSWERS)
        # The call was cancelled: its answer is late, and comes twice.
        await answer(link.socket, request_id, success=False)
        await answer(link.socket, request_id)
        await wait_all_tasks_blocked()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: link.session.led.off(confirm=True))
            await link.socket.expect("subscription_update")
            await answer(link.socket, await asked(link.socket))


async def test_a_phone_that_is_away_is_an_error_at_once(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        nursery.start_soon(expect_error, link, DeviceUnavailableError, "Glasses not connected")
        await asked(link.socket)
        await link.socket.send("tpa_connection_error", code="INTERNAL_ERROR", message="Glasses not connected")


async def test_a_lost_link_does_not_fail_a_call_that_waits(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: link.session.led.off(confirm=True))
        request_id = await asked(link.socket)
        await link.socket.cut()
        socket = await link.cloud.accept()
        assert ANSWERS in (await socket.handshake())["subscriptions"]
        await answer(socket, request_id)


async def test_a_full_queue_is_an_error(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.block()
        with pytest.raises(LinkDownError):
            await switch_for_ever(link)


async def switch_for_ever(link: Connected) -> None:
    while True:
        await link.session.led.off()
