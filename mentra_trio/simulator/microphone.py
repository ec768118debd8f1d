"""Whether the glasses listen, and when the phone is told (P2 5.3)."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from .agenda import Agenda, Timer

ON_DELAY = 0.1
"""Seconds between a change of subscriptions and a look at what they need."""
OFF_DELAY = 3.0
"""Seconds that nobody may need the microphone before it goes off."""
SETTLE = 1.0
"""Seconds within which further changes are gathered."""
KEEP_ALIVE = 10.0
"""Seconds between reminders while it is on."""
UNWANTED_TOLERANCE = 5.0
"""Seconds between complaints about audio that nobody needs."""


@attrs.frozen(kw_only=True)
class MicrophoneState:
    """What the phone is to do."""

    enabled: bool = False
    """Whether to listen."""
    bypass_vad: bool = False
    """Whether to send audio also while nobody speaks: somebody wants raw audio."""


@attrs.define(eq=False)
class Microphone:
    """Turns subscriptions into messages to the phone. `wanted` says what they need now, `tell` informs the phone."""

    _agenda: Agenda
    _wanted: Callable[[], MicrophoneState]
    _tell: Callable[[MicrophoneState], None]
    _state: MicrophoneState = attrs.field(factory=MicrophoneState, init=False)
    _told: MicrophoneState | None = attrs.field(default=None, init=False)
    _look: Timer | None = attrs.field(default=None, init=False)
    _off: Timer | None = attrs.field(default=None, init=False)
    _settle: Timer | None = attrs.field(default=None, init=False)
    _reminder: Timer | None = attrs.field(default=None, init=False)
    _tolerant_until: float = attrs.field(default=0.0, init=False)

    @property
    def state(self) -> MicrophoneState:
        """What was decided last."""
        return self._state

    def subscriptions_changed(self) -> None:
        """Look again soon at what is needed."""
        if self._look is not None:
            self._look.cancel()
        self._look = self._agenda.later(ON_DELAY, self._reconsider)

    def announce(self) -> None:
        """Tell the phone along with other news, unless it was told a moment ago."""
        wanted = self._wanted()
        # Whether raw audio is wanted is not looked at here (recorded on the real cloud).
        known = attrs.evolve(wanted, bypass_vad=self._state.bypass_vad)
        self._update(known if wanted.enabled else self._state)

    def resync(self) -> None:
        """Tell the phone now, whatever it was told."""
        self._tell(self._state)

    def audio_arrived(self) -> None:
        """Complain about audio that nobody needs."""
        if not self._wanted().enabled and trio.current_time() >= self._tolerant_until:
            self._tolerant_until = trio.current_time() + UNWANTED_TOLERANCE
            self._tell(MicrophoneState())

    def _reconsider(self) -> None:
        wanted = self._wanted()
        if self._off is not None:
            self._off.cancel()
            self._off = None
        if wanted.enabled:
            self._update(wanted)
        else:
            self._off = self._agenda.later(OFF_DELAY, self._switch_off)

    def _switch_off(self) -> None:
        self._off = None
        if not self._wanted().enabled:
            self._update(MicrophoneState())

    def _update(self, state: MicrophoneState) -> None:
        self._state = state
        if self._settle is None:
            self._inform()
        else:
            self._settle.cancel()
        self._settle = self._agenda.later(SETTLE, self._settled)

    def _settled(self) -> None:
        self._settle = None
        # That raw audio is wanted too, or no more, is no news by itself (recorded on the real cloud).
        if self._told is None or self._state.enabled != self._told.enabled:
            self._inform()
        if self._reminder is not None:
            self._reminder.cancel()
            self._reminder = None
        if self._state.enabled:
            self._reminder = self._agenda.later(KEEP_ALIVE, self._remind)

    def _remind(self) -> None:
        self._tell(self._state)
        self._reminder = self._agenda.later(KEEP_ALIVE, self._remind)

    def _inform(self) -> None:
        self._told = self._state
        self._tell(self._state)
