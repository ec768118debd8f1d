"""Who may draw on the glasses, and when (P3 1.4, exactly).

One per wearer. The rules in one paragraph: the *main* app is the last started one of type `standard`, every other is
a background app. A background app that displays takes a lock, and the main app is refused while the holder's display
is the current one. Displays of all apps are 300 ms apart; what comes sooner waits in one slot per app. While an app
boots, a card of the system is shown and displays are queued, the latest of each app. A display with a duration gives
the screen back when it expires.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import trio

from mentra_trio._wire.codec import JsonObject

from . import messages
from .agenda import Agenda, Timer
from .faults import Quirks

THROTTLE = 0.3
"""Seconds between two displays, of whichever app."""
BOOT_SCREEN = 1.5
"""Seconds that the boot card stays."""
LOCK_LIFE = 10.0
"""Seconds that a background app may hold the lock."""
LOCK_INACTIVITY = 2.0
"""Seconds without a display after which a lock counts as left."""
RESTORABLE = 1.0
"""Seconds that a display without a duration can be brought back."""


@attrs.define(eq=False)
class _Shown:
    """A display that was asked for."""

    package_name: str
    message: JsonObject
    arrived: float
    duration: float | None
    """Seconds; `None` when none was given."""

    @property
    def expires(self) -> float:
        """When it ends; never for one without a duration, or with 0."""
        return self.arrived + self.duration if self.duration else math.inf

    @property
    def is_valid(self) -> bool:
        """Whether it may be brought back."""
        now = trio.current_time()
        if self.expires != math.inf:
            return now < self.expires
        return self.duration is None and now - self.arrived < RESTORABLE


@attrs.define
class _Lock:
    package_name: str
    expires: float
    last_active: float


@attrs.define(eq=False)
class DisplayManager:
    """Decides which displays reach the phone. `send` returns whether the hardware gate let a display through."""

    _agenda: Agenda
    _quirks: Quirks
    _send: Callable[[JsonObject], bool]
    _is_running: Callable[[str], bool]
    _timestamp: Callable[[], str]
    _main: str | None = attrs.field(default=None, init=False)
    _current: _Shown | None = attrs.field(default=None, init=False)
    _core: _Shown | None = attrs.field(default=None, init=False)
    _saved: _Shown | None = attrs.field(default=None, init=False)
    _lock: _Lock | None = attrs.field(default=None, init=False)
    _booting: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    _boot_queue: dict[str, _Shown] = attrs.field(factory=dict[str, _Shown], init=False)
    _throttled: dict[str, _Shown] = attrs.field(factory=dict[str, _Shown], init=False)
    _last_sent: float = attrs.field(default=-math.inf, init=False)
    _expiries: dict[_Shown, Timer] = attrs.field(factory=dict[_Shown, Timer], init=False)

    def app_started(self, package_name: str, name: str, *, standard: bool) -> None:
        """Show the boot card. Called before the webhook."""
        if standard:
            self._main = package_name
        current = self._current
        if current is not None and current.is_valid and self._is_running(current.package_name):
            self._saved = current
        self._booting[package_name] = name
        self._draw_boot_card()
        self._agenda.later(BOOT_SCREEN, lambda: self._boot_ended(package_name))

    def app_stopped(self, package_name: str) -> None:
        """Forget an app that stopped or could not start. Its boot timer goes on."""
        was_main = package_name == self._main
        self._forget(package_name)
        if was_main:
            self._main = None
            self._boot_queue.pop(package_name, None)
            self._clear()
        self._next()

    def app_released(self, package_name: str) -> None:
        """Drop the display of an app that gave its session away."""
        self._forget(package_name)
        self._next()

    def request(self, package_name: str, message: JsonObject) -> None:
        """Take a `display_event` of an app."""
        if message.get("view") == "dashboard":
            message = {**message, "view": "main"}
        shown = _Shown(package_name, message, trio.current_time(), messages.display_duration(message))
        if self._booting:
            # Replacing keeps the place in the queue, as in the cloud's insertion-ordered map.
            self._boot_queue[package_name] = shown
            return
        if package_name == self._main:
            self._core = shown
            if self._is_blocked():
                return
        elif not self._may_take_screen(package_name):
            return
        self._show(shown)

    def _is_blocked(self) -> bool:
        lock, current = self._lock, self._current
        return (
            lock is not None
            and lock.package_name != self._main
            and current is not None
            and current.package_name == lock.package_name
            and (self._quirks.lazy_lock or not self._lock_is_over(lock))
        )

    def _may_take_screen(self, package_name: str) -> bool:
        if not self._is_running(package_name):
            return False
        lock = self._lock
        if lock is not None and lock.package_name == package_name:
            return True
        if lock is None or lock.package_name == self._main or not self._is_running(lock.package_name):
            self._take_lock(package_name)
            return True
        if not self._quirks.lazy_lock and self._lock_is_over(lock):
            self._take_lock(package_name)
            return True
        return False

    def _take_lock(self, package_name: str) -> None:
        now = trio.current_time()
        self._lock = _Lock(package_name, now + LOCK_LIFE, now)

    def _lock_is_over(self, lock: _Lock) -> bool:
        now = trio.current_time()
        return now - lock.last_active > LOCK_INACTIVITY or now > lock.expires

    def _show(self, shown: _Shown) -> None:
        force = messages.is_forced_display(shown.message)
        if not force and trio.current_time() - self._last_sent < THROTTLE - _TICK:
            self._throttled[shown.package_name] = shown
            self._agenda.later(THROTTLE, lambda: self._throttle_ended(shown))
            return
        if not self._quirks.stale_display:
            self._throttled.pop(shown.package_name, None)
        self._send_now(shown)

    def _throttle_ended(self, shown: _Shown) -> None:
        if self._throttled.get(shown.package_name) is shown:
            del self._throttled[shown.package_name]
            self._send_now(shown)

    def _send_now(self, shown: _Shown, *, may_expire: bool = True) -> None:
        if not self._send(shown.message):
            return
        now = trio.current_time()
        self._current = shown
        self._last_sent = now
        lock = self._lock
        if lock is not None:
            if shown.package_name == self._main and lock.package_name != self._main:
                self._lock = None
            elif shown.package_name == lock.package_name:
                lock.last_active = now
        if shown.duration and may_expire and shown not in self._expiries:
            # Measured from arrival; a negative duration is over at once.
            self._expiries[shown] = self._agenda.later(shown.expires - now, lambda: self._expired(shown))

    def _expired(self, shown: _Shown) -> None:
        del self._expiries[shown]
        if self._current is shown:
            self._next()

    def _next(self) -> None:
        if self._booting:
            self._draw_boot_card()
            return
        for package_name, shown in self._throttled.items():
            if self._is_running(package_name):
                del self._throttled[package_name]
                self._send_now(shown)
                return
        if self._lock_still_holds():
            return
        core = self._core
        if core is not None and core.is_valid:
            self._show(core)
        else:
            self._clear()

    def _lock_still_holds(self) -> bool:
        lock = self._lock
        if lock is None:
            return False
        if not self._is_running(lock.package_name) or self._lock_is_over(lock):
            self._lock = None
            return False
        current = self._current
        return current is not None and current.package_name == lock.package_name and current.is_valid

    def _clear(self) -> None:
        if self._boot_queue:
            return
        message = messages.cleared_display(self._timestamp())
        self._show(_Shown(messages.SYSTEM_PACKAGE, message, trio.current_time(), 0.0))

    def _draw_boot_card(self) -> None:
        message = messages.boot_card(list(self._booting.values()), self._timestamp())
        self._send_now(_Shown(messages.SYSTEM_PACKAGE, message, trio.current_time(), None))

    def _boot_ended(self, package_name: str) -> None:
        # A stop does not cancel this timer, so it may end a boot that is over already (P3 1.5).
        self._booting.pop(package_name, None)
        if self._booting:
            return
        self._clear()
        queue = self._boot_queue
        if queue:
            first = self._main if self._main in queue else next(iter(queue))
            shown = queue.pop(first)
            if not self._quirks.boot_queue_leftover:
                queue.clear()
            self._saved = None
            # No expiry: a display from the queue never clears itself (P3 1.5).
            self._send_now(shown, may_expire=False)
            return
        saved, self._saved = self._saved, None
        if saved is not None and saved.is_valid:
            self._send_now(saved)
        else:
            self._next()

    def _forget(self, package_name: str) -> None:
        self._booting.pop(package_name, None)
        self._throttled.pop(package_name, None)
        if self._lock is not None and self._lock.package_name == package_name:
            self._lock = None
        if self._saved is not None and self._saved.package_name == package_name:
            self._saved = None
        if self._core is not None and self._core.package_name == package_name:
            self._core = None
        if self._current is not None and self._current.package_name == package_name:
            self._current = None


_TICK = 1e-6
"""Rounding of times that were added up; far below what the cloud can tell apart."""
