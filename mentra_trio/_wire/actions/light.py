"""The light of the glasses (P3 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from mentra_trio._wire.json_text import members, text_of
from mentra_trio._wire.outbound import Family, Request
from mentra_trio.models.light import LedColor

if TYPE_CHECKING:
    from collections.abc import Mapping

LED_ANSWERS = "rgb_led_control_response"
"""The stream of answers, those to other apps included. The cloud relays it to whoever names it (P3 8.3)."""


@attrs.frozen(kw_only=True)
class LedAnswer:
    """What the glasses made of it."""

    succeeded: bool
    text: str = ""
    """The phone's own words for a failure."""


@attrs.frozen(kw_only=True)
class SetLed(Request[LedAnswer]):
    """Switch the light: `rgb_led_control` (P3 8.2). Answered only to apps that listen to `LED_ANSWERS`."""

    TYPE: ClassVar[str] = "rgb_led_control"
    FAMILY: ClassVar[Family] = Family.LED
    LIMIT: ClassVar[float] = 5.0

    request_id: str
    action: str
    """`on` or `off`; the rest belongs to `on`."""
    color: LedColor | None = None
    ontime: int | None = None
    """Milliseconds of light in each cycle."""
    offtime: int | None = None
    """Milliseconds of darkness after it."""
    count: int | None = None
    """How many cycles."""

    def accept(self, message: Mapping[str, object], /) -> LedAnswer | None:
        """Read the answer, which comes as an event of a stream."""
        fields = message
        if message.get("streamType") == LED_ANSWERS:
            fields = members(message.get("data"))
        if fields.get("type") != LED_ANSWERS or fields.get("requestId") != self.request_id:
            return None
        return LedAnswer(succeeded=fields.get("success") is True, text=text_of(fields, "error"))
