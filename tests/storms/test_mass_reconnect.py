"""A cloud that restarts drops everybody at once: they are back soon, and do not fall over it (D20)."""

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import LinkState, MentraSession
from tests.effort import is_soak

from .crowd import Crowd, Town, open_town, people

CROWD = 1000
FEWER = 400
"""Enough to come against the limits."""
AT_ONCE = 50
PER_SECOND = 250


async def listen(session: MentraSession) -> None:
    async with session.raw.stream("button_press") as presses:
        async for _ in presses:
            pass


def check_limits(crowd: Crowd) -> None:
    assert crowd.most_dialling <= AT_ONCE
    assert crowd.most_in_a_second() <= PER_SECOND


async def fill(town: Town, count: int) -> None:
    """Start everybody, as fast as it may go."""
    await town.start(people(count))
    await trio.sleep(2)
    assert is_back(town)
    assert len(town.sessions) == count


def is_back(town: Town) -> bool:
    return all(
        session.link_state.value is LinkState.CONNECTED
        and "button_press" in town.crowd.sockets[user].subscriptions
        and town.crowd.sockets[user].end is None
        for user, session in town.sessions.items()
    )


@pytest.mark.slow
@pytest.mark.parametrize("latency", [0.01, 0.1, 0.19] if is_soak() else [0.1])
async def test_a_thousand_dropped_sessions_are_back_in_five_seconds(autojump_clock: MockClock, latency: float) -> None:
    async with open_town(listen, crowd=Crowd(latency=latency)) as town:
        await fill(town, CROWD)
        check_limits(town.crowd)
        before = len(town.crowd.dials)
        dropped_at = trio.current_time()
        town.crowd.drop_all()
        await trio.sleep(5)

        assert is_back(town)
        assert len(town.crowd.dials) - before == CROWD
        assert max(socket.acked_at or 0 for socket in town.crowd.sockets.values()) <= dropped_at + 5
        assert {session.connections for session in town.sessions.values()} == {2}
        check_limits(town.crowd)
        # Limits that nobody comes near would prove nothing.
        assert town.crowd.most_in_a_second() == PER_SECOND or town.crowd.most_dialling == AT_ONCE


@pytest.mark.slow
async def test_while_the_cloud_is_down_the_limits_hold_and_all_come_back(autojump_clock: MockClock) -> None:
    async with open_town(listen) as town:
        await fill(town, FEWER)
        town.crowd.is_down = True
        town.crowd.drop_all()
        await trio.sleep(30)
        town.crowd.is_down = False
        await trio.sleep(15)

        assert is_back(town)
        check_limits(town.crowd)


@pytest.mark.slow
async def test_who_was_called_by_webhook_goes_before_the_crowd(autojump_clock: MockClock) -> None:
    """Its cloud waits for six seconds (P1 1.3); that of the others does not wait at all."""
    async with open_town(listen) as town:
        await fill(town, FEWER)
        town.crowd.drop_all()
        await trio.sleep(0.5)
        asked_at = trio.current_time()
        await town.start(["new@example.com"])

        assert trio.current_time() - asked_at <= 1.0
        assert not is_back(town)
        check_limits(town.crowd)


@pytest.mark.slow
async def test_a_crowd_that_is_dropped_again_and_again_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    async with open_town(listen) as town:
        await fill(town, FEWER)
        tasks = trio.lowlevel.current_statistics().tasks_living
        for _ in range(30 if is_soak() else 2):
            town.crowd.drop_all()
            await trio.sleep(15)  # those that are lost again and again wait up to 10 s
            assert is_back(town)
            check_limits(town.crowd)

        assert trio.lowlevel.current_statistics().tasks_living == tasks
