"""Do jobs of the text library again and again: what `wrapping` runs, beside `reference/texts.ts`.

    python bench/texts.py JOBS SECONDS

Prints the microseconds of each job, the median of all rounds. Jobs are done in turns, as texts come to an app, so that
nobody profits from doing the same again at once.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from mentra_trio.text import PROFILES, BreakMode, CaptionView, Style, wrap

if TYPE_CHECKING:
    from collections.abc import Callable


class Wrap(TypedDict):
    """A text to wrap."""

    profile: str
    text: str
    mode: str
    width: float | None
    max_lines: int | None
    """`None` for no limit, here and below."""
    max_bytes: int | None


class Captions(TypedDict):
    """What is said: utterances that grow word by word."""

    profile: str
    utterances: list[str]


class Jobs(TypedDict):
    """All that is measured."""

    wraps: list[Wrap]
    captions: list[Captions]


def interims(utterance: str) -> list[str]:
    """Give the steps in which an utterance becomes known."""
    words = utterance.split(" ")
    return [" ".join(words[: count + 1]) for count in range(len(words))]


def wrapper(job: Wrap) -> Callable[[], object]:
    """Make a function that wraps a text to lines of text."""
    text, profile, width = job["text"], PROFILES[job["profile"]], job["width"]
    style = Style(mode=BreakMode(job["mode"]))
    lines = math.inf if job["max_lines"] is None else job["max_lines"]
    size = math.inf if job["max_bytes"] is None else job["max_bytes"]
    return lambda: wrap(text, profile, style, width=width, max_lines=lines, max_bytes=size).texts


def caption(job: Captions, took: list[float]) -> None:
    """Show captions once, and tell how long each step took."""
    view = CaptionView(PROFILES[job["profile"]])
    for number, utterance in enumerate(job["utterances"]):
        key = str(number)
        steps = interims(utterance)
        for count, step in enumerate(steps, start=1):
            began = time.perf_counter()
            view.update(step, is_final=count == len(steps), utterance=key)
            _ = view.text
            took.append(time.perf_counter() - began)


def measure(jobs: Jobs, seconds: float) -> list[list[float]]:
    """Give the microseconds of every wrapped text, and of every step of the captions."""
    wraps = [(wrapper(job), list[float]()) for job in jobs["wraps"]]
    rounds: list[list[float]] = []
    until = time.perf_counter() + seconds
    while len(rounds) < 2 or time.perf_counter() < until:
        for run, took in wraps:
            began = time.perf_counter()
            run()
            took.append(time.perf_counter() - began)
        rounds.append([])
        for job in jobs["captions"]:
            caption(job, rounds[-1])
    # The first half warms up, which the other side needs.
    texts = [1e6 * statistics.median(took[len(took) // 2 :]) for _, took in wraps]
    steps = [1e6 * statistics.median(step) for step in zip(*rounds[len(rounds) // 2 :], strict=True)]
    return [texts, steps]


if __name__ == "__main__":
    print(json.dumps(measure(cast("Jobs", json.loads(Path(sys.argv[1]).read_text("utf-8"))), float(sys.argv[2]))))
