"""What the wearer may be told to do by `mentra-trio dev`, each a value. `parsing` makes them of lines."""

from __future__ import annotations

import attrs

from mentra_trio.models.device import Gesture, HeadPosition, PressType
from mentra_trio.simulator.waiting import EXPECT_SECONDS

MAIN_BUTTON = "main"
"""Which button `press` presses unless told otherwise."""


@attrs.frozen
class Say:
    """The wearer says something."""

    text: str
    is_final: bool = True
    """Whether the sentence is finished."""
    language: str | None = None
    """Such as `de-DE`; `None` for one that the app listens to."""
    translation: str | None = None
    """What a translator makes of it; `None` for the text with the language before it."""


@attrs.frozen
class Press:
    """The wearer presses a button of the glasses."""

    button: str = MAIN_BUTTON
    kind: PressType = PressType.SHORT
    """How long."""


@attrs.frozen
class Head:
    """The wearer looks up or down."""

    position: HeadPosition


@attrs.frozen
class Notify:
    """A notification appears on the phone."""

    app: str
    title: str
    content: str


@attrs.frozen
class Dismiss:
    """The newest notification goes from the phone."""


@attrs.frozen
class Plan:
    """The phone tells an entry of its calendar."""

    title: str
    minutes: float = 60.0
    """How long until it begins."""


@attrs.frozen
class Move:
    """The wearer goes somewhere."""

    lat: float
    lng: float
    accuracy: float | None = None
    """Metres."""


@attrs.frozen
class Zone:
    """The wearer's time zone is another."""

    name: str
    """Of the IANA database."""


@attrs.frozen
class Drop:
    """The connection is cut without a word."""

    seconds: float = 0.0
    """How long connects are refused."""


@attrs.frozen
class Stop:
    """The wearer stops the app."""


@attrs.frozen
class Start:
    """The wearer starts the app."""


@attrs.frozen
class Battery:
    """The battery of the glasses has another level."""

    level: int
    """0 to 100."""


@attrs.frozen
class Device:
    """The glasses tell something about themselves."""

    name: str
    """Of a part of `session.device.state`, or the wire's own."""
    value: object
    """A JSON value."""


@attrs.frozen
class System:
    """The wearer changes a setting of the system."""

    name: str
    """The phone's, such as `metric_system`."""
    value: object
    """A JSON value."""


@attrs.frozen
class Wear:
    """The wearer puts on other glasses."""

    model: str


@attrs.frozen
class Snap:
    """What becomes of the next photos."""

    path: str | None = None
    """File of what the camera sees; `None` for what it saw before."""
    code: str | None = None
    """Why they fail; `None` when they do not."""


@attrs.frozen
class Set:
    """The wearer changes a setting of the app."""

    key: str
    value: object
    """A JSON value."""


@attrs.frozen
class Expect:
    """A text has to be on the glasses."""

    text: str
    seconds: float = EXPECT_SECONDS
    """By when."""


@attrs.frozen
class Picture:
    """What the glasses show is saved as a picture."""

    path: str
    """Of a PNG file."""


@attrs.frozen
class Hear:
    """A sound has to be heard."""

    text: str
    """In its words or its address."""
    seconds: float = EXPECT_SECONDS
    """By when."""


@attrs.frozen
class Glance:
    """A text has to be on the dashboard."""

    text: str
    seconds: float = EXPECT_SECONDS
    """By when."""


@attrs.frozen
class Light:
    """The light of the glasses has to have a colour."""

    color: str | None
    """`None` for dark."""
    seconds: float = EXPECT_SECONDS
    """By when."""


@attrs.frozen
class Video:
    """The glasses have to stream live video, or not."""

    is_on: bool
    seconds: float = EXPECT_SECONDS
    """By when."""


@attrs.frozen
class EndVideo:
    """The glasses end their live video by themselves."""


@attrs.frozen
class Touch:
    """The wearer touches the glasses."""

    gesture: Gesture


@attrs.frozen
class Murmur:
    """Somebody speaks, for apps that want the sound and not the words."""

    seconds: float


@attrs.frozen
class Wait:
    """Nothing happens for a while."""

    seconds: float


@attrs.frozen
class Stored:
    """What the app has stored is printed, or changed behind its back."""

    key: str | None = None
    """What another server of the app stores; `None` prints."""
    value: str = ""


@attrs.frozen
class Declare:
    """The console lists other permissions for the app, or tells which it lists."""

    permissions: tuple[str, ...] | None = None
    """`None` prints."""


@attrs.frozen
class Stats:
    """Everything that was counted is printed."""


@attrs.frozen
class Help:
    """The commands are explained."""

    topic: str | None = None
    """One command; `None` for all."""


@attrs.frozen
class Quit:
    """All is over."""


Action = (
    Say
    | Press
    | Head
    | Notify
    | Dismiss
    | Plan
    | Move
    | Zone
    | Drop
    | Stop
    | Start
    | Battery
    | Device
    | System
    | Wear
    | Snap
    | Set
    | Expect
    | Picture
    | Hear
    | Glance
    | Light
    | Video
    | EndVideo
    | Touch
    | Murmur
    | Wait
    | Stored
    | Declare
    | Stats
    | Help
)
"""What is done on the stage."""
Command = Action | Quit
"""What a line may say."""
