"""What managers keep running beside the handler, and what they finish after it."""

import logging

import pytest
import trio
from trio.testing import MockClock

from mentra_trio._runtime.services import Services


async def test_a_service_runs_beside_everything_until_it_is_cancelled(autojump_clock: MockClock) -> None:
    services = Services("run")
    beats: list[float] = []

    async def beat() -> None:
        while True:
            beats.append(trio.current_time())
            await trio.sleep(1)

    services.start(beat)
    with trio.move_on_after(2.5):
        await services.run()
    assert beats == [0, 1, 2]


async def test_a_service_that_fails_ends_alone(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    services = Services("run")
    is_alive = False

    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError("a bug")

    async def live() -> None:
        nonlocal is_alive
        await trio.sleep(1)
        is_alive = True

    services.start(fail)
    services.start(live)
    with trio.move_on_after(2):
        await services.run()
    assert is_alive
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "bug" in record.getMessage()


async def test_duties_are_done_beside_each_other(autojump_clock: MockClock) -> None:
    services = Services("run")
    done: list[str] = []

    async def save(name: str, seconds: float) -> None:
        await trio.sleep(seconds)
        done.append(name)

    services.at_end(lambda: save("slow", 2))
    services.at_end(lambda: save("quick", 1))
    await services.finish()
    assert done == ["quick", "slow"]
    assert trio.current_time() == 2


async def test_a_duty_is_done_once(autojump_clock: MockClock) -> None:
    services = Services("run")
    done: list[float] = []

    async def save() -> None:
        done.append(trio.current_time())
        await trio.sleep(1)

    services.at_end(save)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(services.finish)
        await trio.sleep(0.5)
        nursery.start_soon(services.finish)
    await services.finish()
    assert done == [0]


async def test_duties_can_be_cut_short(autojump_clock: MockClock) -> None:
    services = Services("run")
    services.at_end(trio.sleep_forever)
    with trio.move_on_after(1) as limit:
        await services.finish()
    assert limit.cancelled_caught


async def test_what_is_asked_for_after_the_end_never_runs_and_takes_no_room(autojump_clock: MockClock) -> None:
    services = Services("run")
    with trio.move_on_after(1):
        await services.run()
    for _ in range(1000):
        services.start(trio.sleep_forever)
