"""`session.led`: the light of the glasses that the wearer sees (P3 8)."""

from __future__ import annotations

from uuid import uuid4

import attrs

from mentra_trio._arguments import check_glasses, check_hardware, checked_count, checked_seconds
from mentra_trio._flow import Overflow
from mentra_trio._link import Link, StreamSpec
from mentra_trio._wire.actions.light import LED_ANSWERS, SetLed
from mentra_trio._wire.streams import PlainSubscription
from mentra_trio.errors import LedError
from mentra_trio.models.light import LedColor

_ANSWERS: StreamSpec[object] = StreamSpec(
    name="answers of the light",
    keys=(LED_ANSWERS,),
    subscriptions=(PlainSubscription(LED_ANSWERS),),
    # Nothing is read from it: it is open so that the cloud sends the answers, which belong to their requests.
    capacity=1,
    overflow=Overflow.LATEST,
)
_MOST_CYCLES = 2**31 - 1
"""What a phone's whole number holds."""


@attrs.define(eq=False, repr=False)
class LedManager:
    """The coloured light that faces the wearer. Needs no permission. Of today's glasses, Mentra Live has one.

    A later call replaces an earlier one at once. Nobody says that it shines, unless you ask with `confirm=True`: then
    the call waits for the glasses' word, for which the app listens to the answers of the phone meanwhile.

    Cancelling withdraws what has not been sent; what has been sent stays on for its time.

    Every method raises `DeviceUnavailableError` when the glasses have no light, or are known to be away, and
    `LinkDownError` and `SessionClosedError` like every command. With `confirm=True` also `LedError` when the glasses
    said no, `RequestTimedOutError` when they said nothing for 5 s, and `DeviceUnavailableError` when the phone is away.
    Without it nobody hears of an absent phone, except that the cloud closes the connection, which is made anew.
    """

    _link: Link

    async def set_color(self, color: LedColor | str, *, duration: float = 1.0, confirm: bool = False) -> None:
        """Let it shine in one colour.

        Args:
            color: `red`, `green`, `blue`, `orange` or `white`.
            duration: seconds until it goes off by itself.
            confirm: whether to wait for the glasses' word.
        """
        seconds = checked_seconds("duration", duration)
        await self._send(_light(color, on=seconds, off=0.0, count=1), confirm=confirm)

    async def blink(
        self, color: LedColor | str, *, on: float = 0.5, off: float = 0.5, count: int = 3, confirm: bool = False
    ) -> None:
        """Let it blink.

        Args:
            color: as for `set_color`.
            on: seconds of light in each cycle.
            off: seconds of darkness after it; 0 is none.
            count: how many cycles.
            confirm: whether to wait for the glasses' word.
        """
        light = checked_seconds("on", on)
        darkness = checked_seconds("off", off, least=0.0)
        cycles = checked_count("count", count, most=_MOST_CYCLES)
        await self._send(_light(color, on=light, off=darkness, count=cycles), confirm=confirm)

    async def off(self, *, confirm: bool = False) -> None:
        """Switch it off."""
        await self._send(SetLed(request_id=_new_id(), action="off"), confirm=confirm)

    async def _send(self, request: SetLed, *, confirm: bool) -> None:
        check_hardware(self._link, lambda capabilities: capabilities.has_light, "light")
        check_glasses(self._link)
        if not confirm:
            await self._link.send(request)
            return
        async with self._link.subscribe(_ANSWERS):
            answer = await self._link.call(request)
        if not answer.succeeded:
            raise LedError(answer.text)


def _light(color: LedColor | str, *, on: float, off: float, count: int) -> SetLed:
    return SetLed(
        request_id=_new_id(),
        action="on",
        color=_color(color),
        ontime=max(1, round(on * 1000)),
        offtime=round(off * 1000),
        count=count,
    )


def _color(name: LedColor | str) -> LedColor:
    try:
        return LedColor(name)
    except ValueError:
        msg = f"color is {name!r}; the light has {', '.join(LedColor)}"
        raise ValueError(msg) from None


def _new_id() -> str:
    return f"led_req_{uuid4()}"
