import pytest
import trio
from trio.testing import MockClock

from mentra_trio._flow import open_services


async def tick(log: list[str]) -> None:
    """A service: does something every second."""
    while True:
        await trio.sleep(1)
        log.append(f"tick {trio.current_time():.0f}")


async def test_services_end_when_the_block_ends(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_services() as services:
        services.start_soon(tick, log)
        await trio.sleep(2.5)
        log.append("body ended")
    assert log == ["tick 1", "tick 2", "body ended"]
    assert trio.current_time() == 2.5


async def test_a_cancellation_reaches_the_block_while_services_keep_working(
    autojump_clock: MockClock,
) -> None:
    """T5: the block's clean-up can still send, because the writer is a service."""
    log: list[str] = []
    with trio.move_on_after(1.5) as scope:
        async with open_services() as services:
            services.start_soon(tick, log)
            try:
                await trio.sleep_forever()
            finally:
                log.append("clean-up")
                with trio.move_on_after(2, shield=True):
                    await trio.sleep_forever()
                log.append("cleaned up")
    assert scope.cancelled_caught
    assert log == ["tick 1", "clean-up", "tick 2", "tick 3", "cleaned up"]
    assert trio.current_time() == 3.5


async def test_a_cancellation_before_the_block_starts_nothing() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        async with open_services():
            pytest.fail("entered")  # pragma: no cover
    assert scope.cancelled_caught


async def test_services_clean_up_after_the_block(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def service() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(3, shield=True):
                await trio.sleep_forever()
            log.append("service ended")

    async with open_services() as services:
        services.start_soon(service)
        await trio.sleep(1)
        log.append("body ended")
    assert log == ["body ended", "service ended"]
    assert trio.current_time() == 4


async def test_starting_a_service_waits_until_it_is_ready(autojump_clock: MockClock) -> None:
    async def service(task_status: trio.TaskStatus[str]) -> None:  # noqa: ASYNC114
        await trio.sleep(2)
        task_status.started("ready")
        await trio.sleep_forever()

    async with open_services() as services:
        assert await services.start(service) == "ready"
        assert trio.current_time() == 2


async def test_a_cancellation_reaches_a_service_that_is_not_ready(autojump_clock: MockClock) -> None:
    """A shield here would hang for ever: the block waits for the service, the service for nothing."""

    async def service(task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC114, ASYNC128
        await trio.sleep_forever()

    with trio.move_on_after(1) as scope:
        async with open_services() as services:
            await services.start(service)
    assert scope.cancelled_caught


async def test_an_exception_of_the_block_leaves_unwrapped(autojump_clock: MockClock) -> None:
    log: list[str] = []
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:  # noqa: PT012
        async with open_services() as services:
            services.start_soon(tick, log)
            await trio.sleep(1.5)
            raise error
    assert caught.value is error
    assert log == ["tick 1"]


async def test_a_group_of_the_block_leaves_as_it_is() -> None:
    error = ExceptionGroup("mine", [ValueError("one")])
    with pytest.RaisesGroup(ValueError, match="mine") as caught:
        async with open_services():
            raise error
    assert caught.value is error


async def test_a_service_that_raises_cancels_the_block_and_leaves_in_a_group(
    autojump_clock: MockClock,
) -> None:
    async def crash() -> None:
        await trio.sleep(1)
        raise KeyError("bug")

    with pytest.RaisesGroup(pytest.RaisesGroup(KeyError)):
        async with open_services() as services:
            services.start_soon(crash)
            await trio.sleep_forever()
    assert trio.current_time() == 1


async def test_errors_of_the_block_and_of_a_service_leave_together() -> None:
    async def crash() -> None:
        await trio.lowlevel.checkpoint()
        raise KeyError("bug")

    with pytest.RaisesGroup(ValueError, pytest.RaisesGroup(pytest.RaisesGroup(KeyError))):
        async with open_services() as services:
            services.start_soon(crash)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("clean-up failed")
