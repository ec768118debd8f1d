"""`session.device`: the glasses themselves (P2 6)."""

from __future__ import annotations

import attrs

from mentra_trio._flow import Latest, Overflow
from mentra_trio._link import EventSource, Link, plain_source
from mentra_trio.models.device import ButtonPress, Capabilities, DeviceState, HeadMove

_CAPACITY = 64
"""Unread events of one hand; more means that nobody reads."""


@attrs.define(eq=False, repr=False)
class DeviceManager:
    """State, abilities and buttons of the glasses. Needs no permission."""

    _link: Link
    buttons: EventSource[ButtonPress] = attrs.field(init=False)
    """Button presses. A loop that falls 64 behind gets `SlowConsumerError`; none is dropped."""
    head: EventSource[HeadMove] = attrs.field(init=False)
    """Looking up and down; only the newest unread move is kept. There is no first value (P2 6.2.2)."""

    def __attrs_post_init__(self) -> None:
        self.buttons = plain_source(
            self._link, "button presses", "button_press", capacity=_CAPACITY, overflow=Overflow.FAIL
        )
        self.head = plain_source(self._link, "head moves", "head_position", capacity=1, overflow=Overflow.LATEST)

    @property
    def state(self) -> Latest[DeviceState]:
        """What is known about the glasses: battery, connection, Wi-Fi ... The cloud sends it unasked."""
        return self._link.state.device

    @property
    def capabilities(self) -> Latest[Capabilities | None]:
        """What the connected model can do; `None` when there are no glasses or the model is unknown.

        Protocol: P2 6.4.
        """
        return self._link.state.capabilities
