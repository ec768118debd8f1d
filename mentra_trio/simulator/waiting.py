"""Waits that end: on a clock that jumps ahead, one for what never comes would go on for ever at full speed.

What a test waits for and does not get is told with what is there instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .apps import AppSession, AppState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from .sessions import UserSession

WAIT_SECONDS = 10.0
"""How long waits last unless told otherwise, on the Trio clock."""
EXPECT_SECONDS = 5.0
"""How long a text is looked for on the glasses unless told otherwise."""
GONE = frozenset({AppState.STOPPED, AppState.DORMANT})
"""States that an app leaves only when somebody starts it, or the phone comes back."""

_CONDITIONS: Mapping[AppState | None, str] = {
    None: "was never started; await user.start(package_name) first",
    AppState.CONNECTING: "is starting",
    AppState.GRACE_PERIOD: "has lost its connection, and is waited for",
    AppState.TRANSPORT_DOWN: "has lost its connection, and is waited for",
    AppState.RESURRECTING: "is being started again",
    AppState.DORMANT: (
        "does not run, because it gave its session up: its handler raised too often, or it called session.end(); its "
        "log tells which"
    ),
    AppState.STOPPING: "is being stopped",
    AppState.STOPPED: "does not run, because it was stopped, or its start failed",
}


class ExpectationError(AssertionError):
    """What a test of an app waited for did not come. The text says what is there instead."""


async def wait_or_tell(
    wait_until: Callable[[Callable[[], bool]], Awaitable[None]],
    is_there: Callable[[], bool],
    *,
    within: float,
    is_hopeless: Callable[[], bool],
    complain: Callable[[str], str],
) -> None:
    """Wait until something is there. Cancelling loses nothing.

    Raises `ExpectationError` when it is hopeless, or not there `within` seconds. `complain` gives its text; it is told
    the limit in words, empty where that was not the reason.
    """
    with trio.move_on_after(within) as patience:
        await wait_until(lambda: is_there() or is_hopeless())
    if not is_there():
        raise ExpectationError(complain(f" within {within:g} s" if patience.cancelled_caught else ""))


def hopelessness(
    session: Callable[[], UserSession | None], apps: Callable[[UserSession], Iterable[AppSession]]
) -> Callable[[], bool]:
    """Give a question to be asked again and again: whether apps that were up are down for good by now.

    Apps that are down from the beginning may be about to be started by another task. Where the cloud lost its memory,
    or the phone is away, nothing is for good.
    """
    was_up = False

    def is_hopeless() -> bool:
        nonlocal was_up
        home = session()
        if home is None or not home.is_phone_connected:
            return False
        is_up = any(app.state is not None and app.state not in GONE for app in apps(home))
        was_up = was_up or is_up
        return was_up and not is_up

    return is_hopeless


def condition(app: AppSession) -> str:
    """Tell how an app fares: the rest of a sentence that begins with its name."""
    if app.state is AppState.RUNNING:
        return "runs" if app.is_attached else "is connecting"
    return _CONDITIONS[app.state]


def whereabouts(app: AppSession | None, session: UserSession | None) -> str:
    """Tell why an app is not there, in one clause."""
    if session is None or not session.is_phone_connected:
        return "the phone is not connected; await user.connect() first"
    if app is None or app.state is None:
        return "it was never started; await user.start(package_name) first"
    if app.is_ready:
        return f"it runs and subscribes to {', '.join(app.subscriptions.names) or 'nothing'}"
    return f"it {condition(app)}"


def absence(session: UserSession | None) -> str:
    """Tell of apps that were started and do not run; empty where there is none."""
    if session is None:
        return ""
    return "; ".join(f"{app.package_name} {condition(app)}" for app in session.apps.values() if app.state in GONE)


def deafness(session: UserSession | None, language: str) -> str:
    """Tell why nobody listens to a language, in one clause, and what to do about it."""
    if session is None or not session.is_phone_connected:
        return "the phone is not connected; await user.connect() first"
    apps = [app for app in session.apps.values() if app.state is not None]
    if not apps:
        return "no app was started; await user.start(package_name) first"
    running = [app for app in apps if app.is_ready]
    if not running:
        return "; ".join(f"{app.package_name} {condition(app)}" for app in apps)
    names = " and ".join(app.package_name for app in running)
    runs = f"{names} {'runs and listens' if len(running) == 1 else 'run and listen'}"
    heard = [stream.language for stream in session.speech.streams]
    if heard:
        return f"{runs} to {', '.join(heard)}; say which with language={heard[0]!r}"
    if session.translators.streams:
        return f"{runs} to {', '.join(stream.name for stream in session.translators.streams)}"
    return f"{runs} to no speech; an app does so inside 'async with session.transcription.stream() as lines:'"
