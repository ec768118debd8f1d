"""What is told of handlers that raise (D6)."""

import logging

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import MentraSession, StopReason
from mentra_trio.models.session import HandlerCrash
from tests.scripted_cloud import open_app, open_cloud


async def test_each_crash_is_logged_and_told_with_what_comes_next(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    told = list[HandlerCrash]()
    has_ended = trio.Event()

    async def handler(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError("bug")

    async def on_stop(session: MentraSession, reason: StopReason) -> None:
        await trio.lowlevel.checkpoint()
        has_ended.set()
        raise KeyError("another")

    async with open_cloud() as cloud, open_app(cloud, handler, on_stop=on_stop, on_crash=told.append) as app:
        await app.start()
        await has_ended.wait()

    assert [record.getMessage().partition("] ")[2] for record in caplog.records if record.levelno >= logging.ERROR] == [
        "the session handler raised; restarting in 0.5 s (1 of 3)",
        "the session handler raised; restarting in 1 s (2 of 3)",
        "the session handler raised; restarting in 2 s (3 of 3)",
        "the session handler raised 4 times in 60 s; the session ends",
        "the stop handler raised",
    ]
    assert [(crash.handler, crash.count, crash.restart_in, crash.is_last) for crash in told] == [
        ("session", 1, 0.5, False),
        ("session", 2, 1, False),
        ("session", 3, 2, False),
        ("session", 4, None, True),
        ("stop", 1, None, False),
    ]
    assert [type(crash.error) for crash in told] == [ValueError] * 4 + [KeyError]
