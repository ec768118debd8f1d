"""Event in to display out: from the first byte of a transcript written to its echo on a display, both at the cloud.

Each session hears two transcripts a second, at even steps, and the sessions are spread evenly over time. That is
slower than the pace of displays (0.35 s), so each display is the first after a pause and leaves at once: what is
measured is the way through the app, not the pace.
"""

from __future__ import annotations

import itertools
import statistics
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from . import frames
from .cloud import Cloud, Visit, open_cloud
from .contenders import App, Contender, open_app
from .figures import Plan, Row, Runs, Say, run_program
from .starts import names

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERVAL = 0.5
"""Seconds between two transcripts of a session."""
_LAST_ECHOES = 5.0
"""Seconds that the echoes on their way may take at the end."""


@attrs.define(eq=False)
class Hall:
    """The sessions of one app that hear transcripts."""

    visits: list[Visit] = attrs.field(factory=list[Visit])
    sent: dict[str, float] = attrs.field(factory=dict[str, float])
    """When a text was sent; texts without an echo so far."""
    took: list[float] = attrs.field(factory=list[float])
    echoed: trio.Event = attrs.field(factory=trio.Event)

    def hear(self, text: str) -> None:
        """Take an echo."""
        if (began := self.sent.pop(text, None)) is not None:
            self.took.append(trio.current_time() - began)
        self.echoed.set()

    async def open(self, cloud: Cloud, app: App, count: int) -> None:
        """Start the sessions."""
        for name in itertools.islice(names("hall"), count):
            self.visits.append(await cloud.start(app.url, f"{name}-of-{app.name}", self.hear))

    async def speak(self, seconds: float) -> tuple[list[float], int]:
        """Speak for so long; give how long each echo took, and how many never came."""
        self.took, self.sent, self.echoed = [], {}, trio.Event()
        began = trio.current_time()
        step = _INTERVAL / len(self.visits)
        for number in range(max(1, round(seconds / _INTERVAL)) * len(self.visits)):
            text = f"line {number}"
            visit = self.visits[number % len(self.visits)]
            frame = frames.transcript(text, utterance=f"utt_{number}", is_final=True)
            await trio.sleep_until(began + number * step)
            self.sent[text] = trio.current_time()
            await visit.write(frame)
        with trio.move_on_after(_LAST_ECHOES):
            await trio.lowlevel.checkpoint()
            while self.sent:
                self.echoed = trio.Event()
                await self.echoed.wait()
        return self.took, len(self.sent)


async def measure(apps: Sequence[Contender], plan: Plan, say: Say) -> list[Row]:
    """Measure all apps that can be called, in turns."""
    runs = Runs()
    async with open_cloud() as cloud, AsyncExitStack() as stack:
        halls: dict[str, tuple[App, Hall]] = {}
        for contender in apps:
            if not contender.dials_itself:
                say(f"latency: {contender.name} opens {plan.listeners} sessions")
                app = await stack.enter_async_context(open_app(contender, "show", cloud.url))
                hall = Hall()
                await hall.open(cloud, app, plan.listeners)
                halls[contender.name] = app, hall
        for number in range(plan.runs + 1):
            say(f"latency: run {number} of {plan.runs}" if number else "latency: warming up")
            for name, (app, hall) in halls.items():
                before = app.cpu_seconds()
                took, lost = await hall.speak(2.5 * plan.seconds)
                after = app.cpu_seconds()
                if number:
                    if before is not None and after is not None:
                        runs.add("cpu", name, 1e3 * (after - before) / len(took))
                    runs.add("p50", name, 1e3 * statistics.median(took))
                    runs.add("p99", name, 1e3 * statistics.quantiles(took, n=100)[-1])
                    runs.add("lost", name, lost)
    row = partial("event in to display out, {} sessions with 2 transcripts a second: {}".format, plan.listeners)
    return [
        runs.row("p50", row("p50"), "ms", digits=2),
        runs.row("p99", row("p99"), "ms", digits=2),
        runs.row("lost", row("never shown"), "", digits=0),
        runs.row("cpu", row("processor for each"), "ms", digits=2),
    ]


if __name__ == "__main__":
    run_program(measure, __doc__)
