"""Webhook to started handler: one at a time, and a crowd at once.

A start is over when the subscription of the handler's own stream has arrived at the cloud: then the handler runs and
has been heard. Between lie the webhook, the WebSocket with its handshake, the ack, and the handler's first steps.
"""

from __future__ import annotations

import itertools
import statistics
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import trio

from .cloud import Cloud, open_cloud
from .contenders import App, Contender, open_app
from .figures import Plan, Row, Runs, Say, run_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STOPS_AT_ONCE = 50


async def start_each(cloud: Cloud, app: App, sessions: Sequence[str]) -> list[float]:
    """Start sessions one after another; give the seconds of each."""
    return [await _start(cloud, app, session) for session in sessions]


async def start_all(cloud: Cloud, app: App, sessions: Sequence[str]) -> list[float]:
    """Start sessions at once; give the seconds of each."""
    took: list[float] = []

    async def start(session: str) -> None:
        took.append(await _start(cloud, app, session))

    async with trio.open_nursery() as nursery:
        for session in sessions:
            nursery.start_soon(start, session)
    return took


async def stop_all(cloud: Cloud, app: App, sessions: Sequence[str]) -> None:
    """Stop sessions, so that the next ones find the app as these did."""
    limit = trio.CapacityLimiter(_STOPS_AT_ONCE)

    async def stop(session: str) -> None:
        async with limit:
            await cloud.stop(app.url, session)

    async with trio.open_nursery() as nursery:
        for session in sessions:
            nursery.start_soon(stop, session)


async def _start(cloud: Cloud, app: App, session: str) -> float:
    began = trio.current_time()
    visit = await cloud.start(app.url, session)
    return visit.started_at - began


def names(kind: str) -> Iterator[str]:
    """Name sessions."""
    return (f"{kind}-{number}" for number in itertools.count())


async def measure(apps: Sequence[Contender], plan: Plan, say: Say) -> list[Row]:
    """Measure all apps that can be called, in turns."""
    runs = Runs()
    name = names("start")
    async with open_cloud() as cloud, AsyncExitStack() as stack:
        called = [
            await stack.enter_async_context(open_app(each, "idle", cloud.url)) for each in apps if not each.dials_itself
        ]
        for app in called:
            say(f"starts: warming up {app.name}")
            first = list(itertools.islice(name, plan.starts))
            await start_all(cloud, app, first)
            await stop_all(cloud, app, first)
        for number in range(1, plan.runs + 1):
            say(f"starts: run {number} of {plan.runs}")
            for app in called:
                some = list(itertools.islice(name, plan.starts))
                took = await start_each(cloud, app, some)
                runs.add("one", app.name, 1e3 * statistics.median(took))
                await stop_all(cloud, app, some)

                crowd = list(itertools.islice(name, plan.crowd))
                before = app.cpu_seconds()
                took = await start_all(cloud, app, crowd)
                after = app.cpu_seconds()
                runs.add("median", app.name, 1e3 * statistics.median(took))
                runs.add("last", app.name, 1e3 * max(took))
                if before is not None and after is not None:
                    runs.add("cpu", app.name, 1e3 * (after - before) / plan.crowd)
                await stop_all(cloud, app, crowd)
    return [
        runs.row("one", "webhook to started handler, one at a time", "ms"),
        runs.row("median", f"webhook to started handler, {plan.crowd} at once: median", "ms", digits=0),
        runs.row("last", f"webhook to started handler, {plan.crowd} at once: the last", "ms", digits=0),
        runs.row("cpu", f"processor for a start, {plan.crowd} at once", "ms", digits=2),
    ]


if __name__ == "__main__":
    run_program(measure, __doc__)
