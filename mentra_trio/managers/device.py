"""`session.device`: the glasses themselves (P2 6)."""

from __future__ import annotations

import attrs

from mentra_trio._arguments import check_hardware, checked_text
from mentra_trio._flow import EventStream, Latest, Overflow
from mentra_trio._link import EventSource, Link, StreamSpec, plain_source
from mentra_trio._wire.actions.device import RequestWifiSetup
from mentra_trio._wire.streams import PlainSubscription, touch_name
from mentra_trio.models.device import (
    ButtonPress,
    Capabilities,
    DeviceState,
    Gesture,
    HeadMove,
    Hotspot,
    TouchEvent,
    Wifi,
)
from mentra_trio.models.phone import BatteryReport

_TOUCH = "touch_event"
_CAPACITY = 64
"""Unread events of one hand; more means that nobody reads."""


@attrs.define(eq=False, repr=False)
class TouchSource:
    """Touches of the glasses."""

    _link: Link

    def stream(self, *gestures: Gesture | str) -> EventStream[TouchEvent]:
        """Open a stream of touches, of these gestures or of all. A loop that falls 64 behind gets `SlowConsumerError`.

        Args:
            gestures: such as `double_tap` or `Gesture.FORWARD_SWIPE`.

        Raises:
            ValueError: a gesture that does not exist.
        """
        names = tuple(dict.fromkeys(touch_name(str(gesture)) for gesture in gestures)) or (_TOUCH,)
        wanted = frozenset(map(str, gestures))
        return self._link.subscribe(
            StreamSpec(
                name="touches",
                keys=(_TOUCH,),
                subscriptions=tuple(map(PlainSubscription, names)),
                capacity=_CAPACITY,
                overflow=Overflow.FAIL,
                # Whoever wants all and one gets the one under its own name, and once (P2 6.2.3).
                where=(lambda touch: touch.gesture in wanted) if wanted else None,
            )
        )


@attrs.define(eq=False, repr=False)
class DeviceManager:
    """State, abilities and buttons of the glasses. Needs no permission."""

    _link: Link
    buttons: EventSource[ButtonPress] = attrs.field(init=False)
    """Button presses. A loop that falls 64 behind gets `SlowConsumerError`; none is dropped."""
    head: EventSource[HeadMove] = attrs.field(init=False)
    """Looking up and down; only the newest unread move is kept. There is no first value (P2 6.2.2)."""
    touches: TouchSource = attrs.field(init=False)
    """Touches of the glasses, all or of certain gestures."""
    battery_reports: EventSource[BatteryReport] = attrs.field(init=False)
    """What some phones tell besides, with the time that remains; only the newest unread one is kept. Most tell nothing
    here, so rely on `battery_level` and `charging` (P2 6.5, V2)."""
    connected: Latest[bool | None] = attrs.field(init=False)
    """Whether glasses are connected. The cloud may say so before they really are (P2 6.5, V3)."""
    model_name: Latest[str | None] = attrs.field(init=False)
    """Which model, such as `Even Realities G1`."""
    battery_level: Latest[int | None] = attrs.field(init=False)
    """Charge of the glasses, 0 to 100."""
    charging: Latest[bool | None] = attrs.field(init=False)
    """Whether they are being charged."""
    wifi: Latest[Wifi] = attrs.field(init=False)
    """The network that they are in."""
    hotspot: Latest[Hotspot] = attrs.field(init=False)
    """The network that they open. Its password is never part of a `repr`."""

    def __attrs_post_init__(self) -> None:
        self.buttons = plain_source(
            self._link, "button presses", "button_press", capacity=_CAPACITY, overflow=Overflow.FAIL
        )
        self.head = plain_source(self._link, "head moves", "head_position", capacity=1, overflow=Overflow.LATEST)
        self.touches = TouchSource(self._link)
        self.battery_reports = plain_source(
            self._link, "battery reports", "glasses_battery_update", capacity=1, overflow=Overflow.LATEST
        )
        state = self._link.state.device
        self.connected = state.select(lambda now: now.connected)
        self.model_name = state.select(lambda now: now.model_name)
        self.battery_level = state.select(lambda now: now.battery_level)
        self.charging = state.select(lambda now: now.charging)
        self.wifi = state.select(
            lambda now: Wifi(connected=now.wifi_connected, ssid=now.wifi_ssid, local_ip=now.wifi_local_ip)
        )
        self.hotspot = state.select(
            lambda now: Hotspot(
                enabled=now.hotspot_enabled,
                ssid=now.hotspot_ssid,
                password=now.hotspot_password,
                gateway_ip=now.hotspot_gateway_ip,
            )
        )

    @property
    def state(self) -> Latest[DeviceState]:
        """What is known about the glasses: battery, connection, Wi-Fi ... The cloud sends it unasked."""
        return self._link.state.device

    @property
    def capabilities(self) -> Latest[Capabilities | None]:
        """What the connected model can do; `None` when it is unknown, or there were no glasses since the app connected.

        Those of the last glasses stay when they are disconnected: the cloud tells nothing then but `connected`.

        Protocol: P2 6.4, P2 6.5.
        """
        return self._link.state.capabilities

    async def request_wifi_setup(self, reason: str | None = None) -> None:
        """Have the phone ask the wearer for a Wi-Fi network for the glasses.

        Nobody answers. What comes of it is seen in `wifi`::

            await session.device.request_wifi_setup("The live video needs it.")
            with trio.move_on_after(120):
                await session.device.wifi.wait_for(lambda wifi: wifi.connected is True)

        Args:
            reason: what the wearer is told.

        Cancelling withdraws what has not been sent.

        Raises:
            DeviceUnavailableError: the glasses have no Wi-Fi.
            LinkDownError: too many commands are waiting.
            SessionClosedError: the session is over.
        """
        command = RequestWifiSetup(reason=None if reason is None else checked_text("reason", reason) or None)
        check_hardware(self._link, lambda capabilities: capabilities.has_wifi, "Wi-Fi")
        await self._link.send(command)
