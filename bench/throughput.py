"""Text events and microphone chunks through `async for`: how many a second of processor time.

The load source writes as fast as the socket takes it. The app counts between two marks, and its processor time is
what the figure is made of: it stays true when the machine has other things to do. The rate by the clock is told too.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, cast

import attrs
import trio

from . import frames
from .cloud import Cloud, Visit, open_cloud
from .contenders import BARE, REFERENCE, App, Contender, open_app
from .figures import Plan, Row, Runs, Say, run_program

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

_UNBOUNDED = (BARE, REFERENCE)
"""Who has no bounded streams that could drop something."""
_TEXTS = frames.speech(500)
_SOUNDS = frames.sound(200)


@attrs.frozen(kw_only=True)
class _Load:
    role: str
    name: str
    begin: bytes
    block: bytes
    end: bytes


TEXT = _Load(
    role="text",
    name="text events",
    begin=frames.transcript(frames.BEGIN, utterance="utt_begin", is_final=True),
    block=_TEXTS,
    end=frames.transcript(frames.END, utterance="utt_end", is_final=True),
)
SOUND = _Load(
    role="sound",
    name="microphone chunks",
    begin=frames.encode(frames.BEGIN_SOUND),
    block=_SOUNDS,
    end=frames.encode(frames.END_SOUND),
)


@asynccontextmanager
async def open_listener(
    cloud: Cloud, contender: Contender, load: _Load, environment: dict[str, str] | None = None
) -> AsyncGenerator[tuple[App, Visit], None]:
    """Run an app with one session that hears the load."""
    visit = cloud.expect("bare")
    async with open_app(contender, load.role, cloud.url, environment) as app:
        if contender.dials_itself:
            await visit.started.wait()
        else:
            visit = await cloud.start(app.url, f"{load.role}-of-{contender.name}")
        yield app, visit


async def run_once(app: App, visit: Visit, load: _Load, seconds: float) -> tuple[float, float, float]:
    """Write for so long. Gives events a second of processor time and a second of the clock, and the share lost."""
    await visit.write(load.begin)
    await app.mark("begin")
    until = trio.current_time() + seconds
    while True:
        await visit.write(load.block)
        if trio.current_time() >= until:
            break
    await visit.write(load.end)
    told = cast("dict[str, float]", await app.mark("end"))
    events, dropped = told["events"], told["dropped"]
    return events / told["cpu"], events / told["wall"], dropped / (events + dropped)


async def measure(apps: Sequence[Contender], plan: Plan, say: Say) -> list[Row]:
    """Measure both loads on all apps, in turns."""
    rows: list[Row] = []
    for load in (TEXT, SOUND):
        runs = Runs()
        async with open_cloud() as cloud, AsyncExitStack() as stack:
            heard = {each.name: await stack.enter_async_context(open_listener(cloud, each, load)) for each in apps}
            for number in range(plan.runs + 1):
                say(f"{load.name}: run {number} of {plan.runs}" if number else f"{load.name}: warming up")
                for name, (app, visit) in heard.items():
                    by_cpu, by_clock, lost = await run_once(app, visit, load, plan.seconds)
                    if number:
                        runs.add("cpu", name, by_cpu)
                        runs.add("clock", name, by_clock)
                        if name not in _UNBOUNDED:
                            runs.add("lost", name, 100 * lost)
        rows.append(runs.row("cpu", f"{load.name} through `async for`", "/s of processor", digits=0))
        rows.append(runs.row("clock", f"{load.name}, by the clock", "/s", digits=0))
        rows.append(runs.row("lost", f"{load.name} that the stream dropped at that rate", "%"))
    return rows


if __name__ == "__main__":
    run_program(measure, __doc__)
