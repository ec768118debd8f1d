"""Current values, waited for and followed, cancelled at every moment: no change is missed, no waiter is stuck."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import Latest, LinkState
from tests.cancellation.steps import every_step, living_tasks
from tests.scripted_cloud import PACKAGE, CloudSocket, Connected, connected

NUMBERS = itertools.count(1)


async def change_device(socket: CloudSocket) -> None:
    await socket.send("device_state_update", state={"batteryLevel": next(NUMBERS) % 100})


async def change_capabilities(socket: CloudSocket) -> None:
    await socket.send("capabilities_update", capabilities={"modelName": f"Model {next(NUMBERS)}"})


async def change_settings(socket: CloudSocket) -> None:
    settings = [{"key": "size", "value": next(NUMBERS)}]
    await socket.send("settings_update", packageName=PACKAGE, settings=settings)


async def change_system(socket: CloudSocket) -> None:
    await socket.send("augmentos_settings_update", settings={"brightness": next(NUMBERS)})


CELLS: dict[str, tuple[Callable[[Connected], Latest[Any]], Callable[[CloudSocket], Awaitable[None]]]] = {
    "device.state": (lambda link: link.session.device.state, change_device),
    "device.capabilities": (lambda link: link.session.device.capabilities, change_capabilities),
    "settings.values": (lambda link: link.session.settings.values, change_settings),
    "settings.system": (lambda link: link.session.settings.system, change_system),
}
every_cell = pytest.mark.parametrize("name", CELLS)


@every_cell
async def test_a_wait_that_is_cancelled_misses_nothing(autojump_clock: MockClock, name: str) -> None:
    get, change = CELLS[name]
    async with connected() as link, trio.open_nursery() as nursery:
        cell = get(link)
        tasks = await living_tasks()
        for attempt in every_step():
            before = cell.value
            nursery.start_soon(change, link.socket)
            await attempt.run(lambda: cell.wait_for(lambda now: now != before))  # noqa: B023 - run at once
            # Another wait finds what the cancelled one may have been woken for.
            with trio.fail_after(1):
                assert await cell.wait_for(lambda now: now != before) == cell.value  # noqa: B023 - run at once

            assert await living_tasks() == tasks


@every_cell
async def test_a_follower_that_is_cancelled_misses_no_change(autojump_clock: MockClock, name: str) -> None:
    get, change = CELLS[name]
    async with connected() as link, trio.open_nursery() as nursery:
        cell = get(link)
        changes = cell.changes()
        tasks = await living_tasks()
        for attempt in every_step():
            nursery.start_soon(change, link.socket)
            got: list[object] = []

            async def follow(got: list[object] = got) -> None:
                got.append(await anext(changes))

            await attempt.run(follow)
            if not got:
                with trio.fail_after(1):
                    got.append(await anext(changes))

            assert got == [cell.value]
            assert await living_tasks() == tasks


@pytest.mark.slow
async def test_a_wait_for_the_link_that_is_cancelled_leaves_the_link_alone(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:
        socket = link.socket
        state = link.session.link_state
        tasks = await living_tasks()

        async def come_back() -> None:
            nonlocal socket
            socket = await link.cloud.accept()
            await socket.handshake()

        for connections, attempt in enumerate(every_step(stride=3), start=2):
            await socket.cut()
            await state.wait_for(lambda now: now is not LinkState.CONNECTED)
            nursery.start_soon(come_back)
            await attempt.run(lambda: state.wait_for(lambda now: now is LinkState.CONNECTED))
            await wait_all_tasks_blocked()

            assert (state.value, link.session.connections) == (LinkState.CONNECTED, connections)
            assert await living_tasks() == tasks
