"""One question of what the app declares, for many who want to know at once (P2 9)."""

import pytest
import trio
from trio.testing import MockClock

from mentra_trio.errors import CloudRefusedError
from mentra_trio.models import Permission, Permissions
from tests.managers.worlds import open_world

KEPT = 301.0
"""Seconds after which what is known is asked for anew."""
MANY = 100


async def test_any_number_of_streams_may_open_when_it_is_time_to_ask_again(autojump_clock: MockClock) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await trio.sleep(KEPT)

        async def listen() -> None:
            async with world.session.mic.stream():
                pass

        for _ in range(MANY):
            nursery.start_soon(listen)
        await trio.sleep(1)

        assert len(world.calls("GET", "/api/public/permissions/")) == 2


async def test_any_number_of_streams_of_a_session_that_is_over_end_at_once(autojump_clock: MockClock) -> None:
    """Whoever keeps it finds it over, however long ago that was."""
    async with open_world() as world:
        session = world.session
        await session.end()
        await trio.sleep(KEPT)
        for _ in range(MANY):
            async with session.mic.stream() as sound:
                with pytest.raises(StopAsyncIteration):
                    await anext(sound)

        assert len(world.calls("GET", "/api/public/permissions/")) == 1


async def test_a_question_that_is_given_up_is_not_taken_for_an_earlier_one_that_failed(
    autojump_clock: MockClock,
) -> None:
    """Cancelling leaves it to the others who wait, whatever came of the one before."""
    async with open_world() as world, trio.open_nursery() as nursery:
        fetch = world.session.permissions.fetch
        await trio.sleep(KEPT)
        world.cloud.faults.http_status = 500
        with pytest.raises(CloudRefusedError):
            await fetch()
        await trio.sleep(31)
        world.cloud.faults.http_status = None
        world.cloud.faults.http_delay = 1.0
        found: list[Permissions] = []

        async def wait() -> None:
            found.append(await fetch())

        with trio.move_on_after(0.5):
            nursery.start_soon(wait)
            await fetch()
        await trio.sleep(3)

        assert [one.is_known for one in found] == [True]


async def test_a_question_that_is_given_up_is_left_to_all_others_who_wait(autojump_clock: MockClock) -> None:
    """One of them asks again, and the others wait for its answer."""
    async with open_world(permissions=["CAMERA"]) as world, trio.open_nursery() as nursery:
        fetch = world.session.permissions.fetch
        await trio.sleep(KEPT)
        world.declare("MICROPHONE")
        world.cloud.faults.http_delay = 1.0
        found: list[Permissions] = []

        async def wait() -> None:
            found.append(await fetch())

        with trio.move_on_after(0.5):
            for _ in range(3):
                nursery.start_soon(wait)
            await fetch()
        await trio.sleep(3)

        assert [one.declared for one in found] == [{Permission.MICROPHONE}] * 3
