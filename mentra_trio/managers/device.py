"""`session.device`: the glasses themselves (P2 6)."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from mentra_trio._flow import EventStream, Latest, Overflow
from mentra_trio._link import Link, StreamSpec
from mentra_trio._wire.streams import PlainSubscription
from mentra_trio.models.device import ButtonPress, Capabilities, DeviceState, HeadMove

T = TypeVar("T")
_CAPACITY = 64
"""Unread events of one hand; more means that nobody reads."""


@attrs.define(eq=False)
class EventSource(Generic[T]):
    """A kind of event that can be streamed."""

    _link: Link
    _spec: StreamSpec[T]

    def stream(self) -> EventStream[T]:
        """Open a stream of these events."""
        return self._link.subscribe(self._spec)


@attrs.define(eq=False)
class DeviceManager:
    """State, abilities and buttons of the glasses. Needs no permission."""

    _link: Link
    buttons: EventSource[ButtonPress] = attrs.field(init=False)
    """Button presses. A loop that falls 64 behind gets `SlowConsumerError`; none is dropped."""
    head: EventSource[HeadMove] = attrs.field(init=False)
    """Looking up and down; only the newest unread move is kept. There is no first value (P2 6.2.2)."""

    def __attrs_post_init__(self) -> None:
        self.buttons = EventSource(
            self._link,
            StreamSpec(
                name="button presses",
                keys=("button_press",),
                subscriptions=(PlainSubscription("button_press"),),
                capacity=_CAPACITY,
                overflow=Overflow.FAIL,
            ),
        )
        self.head = EventSource(
            self._link,
            StreamSpec(
                name="head moves",
                keys=("head_position",),
                subscriptions=(PlainSubscription("head_position"),),
                capacity=1,
                overflow=Overflow.LATEST,
            ),
        )

    @property
    def state(self) -> Latest[DeviceState]:
        """What is known about the glasses: battery, connection, Wi-Fi ... The cloud sends it unasked."""
        return self._link.state.device

    @property
    def capabilities(self) -> Latest[Capabilities | None]:
        """What the connected model can do; `None` when there are no glasses or the model is unknown (P2 6.4)."""
        return self._link.state.capabilities
