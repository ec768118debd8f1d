"""What can be typed at `mentra-trio dev`, or written in its scripts: one command a line.

`parse` turns a line into a command; `USAGES` is what `help` prints. Nothing here does anything.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import textwrap
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from mentra_trio.models.device import Gesture, HeadPosition, PressType
from mentra_trio.models.light import LedColor
from mentra_trio.simulator.hardware import MODELS
from mentra_trio.simulator.messages import PERMISSIONS
from mentra_trio.simulator.speech import spoken_language
from mentra_trio.simulator.waiting import EXPECT_SECONDS

from .words import QuoteError, Word, split

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIN_BUTTON = "main"
"""Which button `press` presses unless told otherwise."""
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_MOST_SECONDS = 86_400.0
"""A day: whoever waits longer mistyped."""
_PRESSES = frozenset({PressType.SHORT.value, PressType.LONG.value})
_POSITIONS = frozenset({HeadPosition.UP.value, HeadPosition.DOWN.value})
_DEGREES = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_LEVEL = re.compile(r"[0-9]{1,2}|100")
_OTHER_NAMES = MappingProxyType(
    {"exit": "quit", "q": "quit", "bye": "quit", "?": "help", "speak": "say", "button": "press"}
)
"""What people try first."""
_NEAR, _ALIKE = 0.5, 0.7
"""From which likeness on a name is what was meant: perhaps, and surely."""
_LONGEST_HINT = 40
"""Characters of a line that are repeated in a hint."""
_FORM_WIDTH = 28
"""Columns for the form of a command in the list of all; a longer one has a line of its own."""


class CommandError(ValueError):
    """A line that is no command. The text says what to write instead."""


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
    | Wear
    | Snap
    | Set
    | Expect
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


@attrs.frozen(kw_only=True)
class Usage:
    """How a command is written, and what it does."""

    form: str
    summary: str
    """Half a sentence."""
    details: str = ""
    """What `help COMMAND` adds."""
    read: Callable[[_Arguments], Command] = attrs.field(repr=False)
    """Reads what follows the name."""


@attrs.frozen(kw_only=True)
class _Arguments:
    """What follows the name of a command in a line."""

    name: str
    line: str = attrs.field(repr=False)
    words: Sequence[Word]

    @property
    def text(self) -> str:
        """All words, with one space between."""
        return " ".join(word.text for word in self.words)

    def without(self, count: int) -> _Arguments:
        """Leave the first words out."""
        return attrs.evolve(self, words=self.words[count:])

    def raw(self) -> str:
        """Give what was written, with its quotes."""
        return self.line[self.words[0].start : self.words[-1].end] if self.words else ""

    def fail(self, fault: str) -> NoReturn:
        """Raise `CommandError` with the right form."""
        raise CommandError(f"{fault}; write: {USAGES[self.name].form}")

    def nothing_more(self) -> None:
        """Check that nothing was written."""
        if self.words:
            self.fail(f"{self.name} takes no argument, but there is {self.raw()!r}")


def parse(line: str) -> Command | None:
    """Read a line; `None` when it is empty or a comment. Raises `CommandError`."""
    try:
        words = split(line)
    except QuoteError as error:
        raise CommandError(str(error)) from error
    if not words:
        return None
    name = words[0].text
    if name not in USAGES:
        raise CommandError(_unknown(name, f"say {line.strip()}"))
    return USAGES[name].read(_Arguments(name=name, line=line, words=words[1:]))


def explain(topic: str | None = None) -> str:
    """Explain one command, or list all. The topic is a name in `USAGES`."""
    if topic is not None:
        usage = USAGES[topic]
        lines = [usage.form, f"  {usage.summary}"]
        lines += textwrap.wrap(usage.details, 78, initial_indent="  ", subsequent_indent="  ")
        return "\n".join(lines)
    forms: list[str] = []
    for usage in USAGES.values():
        form = usage.form
        if len(form) > _FORM_WIDTH:
            forms.append(f"  {form}")
            form = ""
        forms.append(f"  {form:<{_FORM_WIDTH}}  {usage.summary}")
    return "\n".join(
        [
            "You are the wearer of the glasses. You can",
            *forms,
            'Text needs quotes only where it would mean something else: say "--partial".',
            "The same lines make a script: mentra-trio dev APP --script FILE",
        ]
    )


def _unknown(name: str, spoken: str = "") -> str:
    """Tell what might have been meant; `spoken` is the command that says the line, where it may be that."""
    lower = name.lower()
    near = _OTHER_NAMES.get(lower) or next(iter(difflib.get_close_matches(lower, USAGES, n=1, cutoff=_NEAR)), None)
    is_sure = lower in _OTHER_NAMES or near == "say" or bool(difflib.get_close_matches(lower, USAGES, cutoff=_ALIKE))
    hint = f"did you mean {near!r}? " if near else ""
    if spoken and not is_sure:
        whole = spoken if len(spoken) <= _LONGEST_HINT and spoken.isprintable() else "say TEXT"
        hint += f"to speak, write: {whole}; "
    return f"there is no command {name!r}; {hint}'help' lists them all"


def _read_say(arguments: _Arguments) -> Say:
    is_final, language, translation = True, None, None
    while (option := _option(arguments)) is not None:
        name, equals, value = option.partition("=")
        rest = arguments.without(1)
        if option == "--partial":
            is_final = False
        elif name == "--language":
            if not equals:
                value, rest = (rest.words[0].text if rest.words else ""), rest.without(1)
            language = _language(arguments, value)
        elif name == "--translation":
            if not equals:
                value, rest = (rest.words[0].text if rest.words else ""), rest.without(1)
            if not value:
                arguments.fail("--translation needs a text, for example: say --translation hola hello")
            translation = value
        else:
            arguments.fail(f"say has no option {option}, and a text that begins like one needs quotes")
        arguments = rest
    said = arguments.text.strip()
    if not said:
        arguments.fail("there is nothing to say")
    return Say(said, is_final=is_final, language=language, translation=translation)


def _option(arguments: _Arguments) -> str | None:
    word = arguments.words[0] if arguments.words else None
    return word.text if word is not None and not word.is_quoted and word.text.startswith("--") else None


def _language(arguments: _Arguments, tag: str) -> str:
    if not tag:
        arguments.fail("--language needs a language, for example 'say --language de guten Tag'")
    try:
        return spoken_language(tag)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _read_press(arguments: _Arguments) -> Press:
    *others, last = [word.text for word in arguments.words] or [""]
    if last in _PRESSES:
        kind = PressType(last)
    else:
        kind, others = PressType.SHORT, [*others, last]
    if len(others) > 1:
        arguments.fail(f"one button is pressed, short or long, but there is {arguments.raw()!r}")
    return Press(others[0] if others and others[0] else MAIN_BUTTON, kind)


def _read_head(arguments: _Arguments) -> Head:
    text = arguments.text
    if text not in _POSITIONS:
        found = f", not {text!r}" if text else ""
        arguments.fail(f"a head goes up or down{found}, for example 'head up'")
    return Head(HeadPosition(text))


def _read_notify(arguments: _Arguments) -> Notify:
    if len(arguments.words) < 3:
        arguments.fail("a notification has an app, a title and a text, for example: notify Messages Bob I am late")
    app, title = (word.text for word in arguments.words[:2])
    content = arguments.without(2).text
    if not (app and title and content):
        arguments.fail("the cloud takes no notification in which something is empty")
    return Notify(app, title, content)


def _read_dismiss(arguments: _Arguments) -> Dismiss:
    arguments.nothing_more()
    return Dismiss()


def _read_event(arguments: _Arguments) -> Plan:
    words, minutes = arguments.words, 60.0
    if len(words) > 2 and not words[-2].is_quoted and words[-2].text == "in" and _NUMBER.fullmatch(words[-1].text):
        minutes = float(words[-1].text)
        arguments = attrs.evolve(arguments, words=words[:-2])
    if not arguments.text.strip():
        arguments.fail("an entry of the calendar has a title, for example 'event Standup in 30'")
    if minutes > _MOST_SECONDS:
        arguments.fail(f"nobody plans {minutes:g} minutes ahead")
    return Plan(arguments.text, minutes)


def _read_move(arguments: _Arguments) -> Move:
    numbers = [word.text for word in arguments.words]
    if len(numbers) not in (2, 3) or not all(_DEGREES.fullmatch(number) for number in numbers):
        arguments.fail("where to? degrees north and east, for example 'move 52.5163 13.3777'")
    lat, lng, *rest = map(float, numbers)
    if abs(lat) > 90 or abs(lng) > 180 or (rest and rest[0] < 0):
        arguments.fail(f"nobody is at {arguments.text}")
    return Move(lat, lng, rest[0] if rest else None)


def _read_zone(arguments: _Arguments) -> Zone:
    try:
        ZoneInfo(arguments.text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found = f", not {arguments.text!r}" if arguments.text else ""
        arguments.fail(f"a time zone is one like Europe/Berlin{found}")
    return Zone(arguments.text)


def _read_drop(arguments: _Arguments) -> Drop:
    return Drop(_seconds(arguments)) if arguments.words else Drop()


def _read_wait(arguments: _Arguments) -> Wait:
    if not arguments.words:
        arguments.fail("for how many seconds? for example 'wait 2'")
    return Wait(_seconds(arguments))


def _read_battery(arguments: _Arguments) -> Battery:
    text = arguments.text
    if not text:
        arguments.fail("which level? a whole number from 0 to 100, for example 'battery 20'")
    if not _LEVEL.fullmatch(text):
        arguments.fail(f"a battery level is a whole number from 0 to 100, not {text!r}")
    return Battery(int(text))


def _read_wear(arguments: _Arguments) -> Wear:
    if arguments.text not in MODELS:
        arguments.fail(f"glasses are one of {', '.join(MODELS)}")
    return Wear(arguments.text)


def _read_photo(arguments: _Arguments) -> Snap:
    words = [word.text for word in arguments.words]
    if words[:1] == ["fail"]:
        return Snap(code=" ".join(words[1:]) or "CAMERA_CAPTURE_FAILED")
    return Snap(path=arguments.text or None)


def _read_set(arguments: _Arguments) -> Set:
    if len(arguments.words) < 2:
        arguments.fail("set needs the key of a setting and a value")
    key = arguments.words[0].text
    if not key:
        arguments.fail("the key of a setting is empty")
    value = arguments.without(1)
    # As it is written first, because the quotes belong to JSON too: {"a": 1}, "5". Then without a shell's: '[1, 2]'.
    for candidate in (value.raw(), value.text):
        try:
            return Set(key, _read_json(candidate))
        except (ValueError, RecursionError):
            continue
    return Set(key, value.text)


def _read_json(text: str) -> object:
    value: object = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _read_expect(arguments: _Arguments) -> Expect:
    words, seconds = arguments.words, EXPECT_SECONDS
    if len(words) > 2 and _says_within(*words[-2:]):
        seconds = _read_seconds(arguments, words[-1].text)
        arguments = attrs.evolve(arguments, words=words[:-2])
    elif len(words) == 2 and _says_within(*words):
        arguments.fail("there is no text before 'within'")
    elif len(words) > 1 and words[-1].text == "within" and not words[-1].is_quoted:
        arguments.fail("within how many seconds? for example 'expect Hello within 2'")
    if not arguments.text.strip():
        arguments.fail("there is no text to look for")
    return Expect(arguments.text, seconds)


def _read_hear(arguments: _Arguments) -> Hear:
    expected = _read_expect(arguments)
    return Hear(expected.text, expected.seconds)


def _read_dashboard(arguments: _Arguments) -> Glance:
    expected = _read_expect(arguments)
    return Glance(expected.text, expected.seconds)


def _read_light(arguments: _Arguments) -> Light:
    expected = _read_expect(arguments)
    if expected.text != "off" and expected.text not in list(LedColor):
        arguments.fail(f"a light is {', '.join(LedColor)} or off, not {expected.text!r}")
    return Light(None if expected.text == "off" else expected.text, expected.seconds)


def _read_video(arguments: _Arguments) -> Video | EndVideo:
    if arguments.text == "end":
        return EndVideo()
    expected = _read_expect(arguments)
    if expected.text not in ("on", "off"):
        arguments.fail(f"live video is on or off, or is to end, not {expected.text!r}")
    return Video(expected.text == "on", expected.seconds)


def _read_touch(arguments: _Arguments) -> Touch:
    gestures = [gesture for gesture in Gesture if gesture is not Gesture.UNKNOWN]
    if arguments.text not in gestures:
        arguments.fail(f"a touch is one of {', '.join(gestures)}")
    return Touch(Gesture(arguments.text))


def _read_murmur(arguments: _Arguments) -> Murmur:
    return Murmur(_seconds(arguments) if arguments.words else 1.0)


def _says_within(word: Word, number: Word) -> bool:
    is_plain = not word.is_quoted and not number.is_quoted
    return is_plain and word.text == "within" and _NUMBER.fullmatch(number.text) is not None


def _read_stop(arguments: _Arguments) -> Stop:
    arguments.nothing_more()
    return Stop()


def _read_start(arguments: _Arguments) -> Start:
    arguments.nothing_more()
    return Start()


def _read_stored(arguments: _Arguments) -> Stored:
    if not arguments.words:
        return Stored()
    key = arguments.words[0].text
    if not key or len(arguments.words) < 2:
        arguments.fail("stored takes nothing, or a key and a value")
    return Stored(key, arguments.without(1).text)


def _read_permissions(arguments: _Arguments) -> Declare:
    if not arguments.words:
        return Declare()
    names = [word.text.upper() for word in arguments.words]
    if names == ["NONE"]:
        return Declare(())
    for name in names:
        if name not in PERMISSIONS:
            arguments.fail(f"there is no permission {name!r}; there are {', '.join(PERMISSIONS)}, and none")
    return Declare(tuple(names))


def _read_stats(arguments: _Arguments) -> Stats:
    arguments.nothing_more()
    return Stats()


def _read_quit(arguments: _Arguments) -> Quit:
    arguments.nothing_more()
    return Quit()


def _read_help(arguments: _Arguments) -> Help:
    topic = arguments.text
    if topic and topic not in USAGES:
        raise CommandError(_unknown(topic))
    return Help(topic or None)


def _seconds(arguments: _Arguments) -> float:
    return _read_seconds(arguments, arguments.text)


def _read_seconds(arguments: _Arguments, text: str) -> float:
    if not _NUMBER.fullmatch(text) or float(text) > _MOST_SECONDS:
        arguments.fail(f"{text!r} is not a number of seconds from 0 to {_MOST_SECONDS:g}")
    return float(text)


USAGES: Mapping[str, Usage] = MappingProxyType(
    {
        "say": Usage(
            form="say [--partial] [--language TAG] [--translation TEXT] TEXT",
            summary="speak; with --partial the sentence goes on",
            details=(
                "Waits until the app listens to speech, at most 10 seconds. A finished sentence grows word by word, as "
                "the recogniser hears it, and ends with a final transcript. A partial is one interim transcript; the "
                "next say goes on with the same sentence. TAG is the language that is spoken, such as de or en-GB; "
                "unless given it is one that the app listens to, English where it can choose. An app that asked for "
                "translations gets the one that is given, else the text with the language before it."
            ),
            read=_read_say,
        ),
        "press": Usage(
            form="press [BUTTON] [short|long]",
            summary="press a button of the glasses",
            details=(
                f"The button is {MAIN_BUTTON} and the press short unless given. Waits until the app listens to "
                "buttons, at most 10 seconds. Real glasses name theirs as they like: Mentra Live has camera."
            ),
            read=_read_press,
        ),
        "head": Usage(
            form="head up|down",
            summary="look up or down",
            details="Waits until the app listens to the head's position, at most 10 seconds.",
            read=_read_head,
        ),
        "notify": Usage(
            form="notify APP TITLE TEXT",
            summary="let a notification appear on the phone",
            details='Waits until the app listens to notifications, at most 10 seconds. "Two words" need quotes.',
            read=_read_notify,
        ),
        "dismiss": Usage(
            form="dismiss",
            summary="let the newest notification go",
            details="Waits until the app listens to dismissals, at most 10 seconds.",
            read=_read_dismiss,
        ),
        "event": Usage(
            form="event TITLE [in MINUTES]",
            summary="tell an entry of the phone's calendar",
            details=(
                "It begins in an hour unless told otherwise, and lasts half an hour. An app that asks for the calendar "
                "later gets it too."
            ),
            read=_read_event,
        ),
        "move": Usage(
            form="move LAT LNG [METRES]",
            summary="go somewhere, in degrees north and east",
            details=(
                "METRES is how exact the position is. From then on the phone answers apps that ask where it is; "
                "before, nobody does."
            ),
            read=_read_move,
        ),
        "zone": Usage(
            form="zone NAME",
            summary="travel to another time zone, such as Asia/Tokyo",
            read=_read_zone,
        ),
        "drop": Usage(
            form="drop [SECONDS]",
            summary="cut the connection and wait for the app",
            details=(
                "The socket ends without a close frame, as when a network fails, and new connections are refused for "
                "SECONDS. Returns when the app is back and has told what it listens to. The real cloud waits 5 "
                "seconds for the app; after that it starts the app again by webhook, and gives up 6 seconds later. "
                "So does this one: that ends the app's session, connections are accepted again, and the drop has "
                "failed. The app may come back by itself a few seconds later, because the webhook is tried twice; that "
                "is a new run, which is told."
            ),
            read=_read_drop,
        ),
        "stop": Usage(
            form="stop",
            summary="stop the app, as the wearer does on the phone",
            details="Returns when the session is down. An app that does not run is left alone.",
            read=_read_stop,
        ),
        "start": Usage(
            form="start",
            summary="start the app, as the wearer does on the phone",
            details="Returns when the session is up. An app that runs is left alone.",
            read=_read_start,
        ),
        "battery": Usage(
            form="battery N",
            summary="set the battery level of the glasses, 0 to 100",
            read=_read_battery,
        ),
        "wear": Usage(
            form="wear MODEL",
            summary="put on other glasses, such as Mentra Live",
            details="The app sees another model with other capabilities. They are connected, with Wi-Fi if they can.",
            read=_read_wear,
        ),
        "photo": Usage(
            form="photo [FILE|fail [CODE]]",
            summary="choose what becomes of the next photos",
            details=(
                "FILE is what the camera sees; unless given it is one grey pixel. With fail the photos fail with CODE, "
                "such as CAMERA_BUSY, until the next photo command. Needs glasses with a camera: wear Mentra Live."
            ),
            read=_read_photo,
        ),
        "set": Usage(
            form="set KEY VALUE",
            summary="change a setting of the app",
            details=(
                'VALUE is read as JSON where it is: true, 5, "text", [1, 2]; anything else is text as it stands. '
                "It survives stop and start."
            ),
            read=_read_set,
        ),
        "expect": Usage(
            form="expect TEXT [within SECONDS]",
            summary=f"fail unless TEXT is shown within {EXPECT_SECONDS:g} seconds",
            details=(
                "TEXT is looked for in each line on the glasses, in each column, and in all lines joined by one space; "
                "screens of the system itself do not count, such as the card of an app that starts. A script ends with "
                "exit code 1 at the first command that fails."
            ),
            read=_read_expect,
        ),
        "hear": Usage(
            form="hear TEXT [within SECONDS]",
            summary=f"fail unless TEXT is heard within {EXPECT_SECONDS:g} seconds",
            details=(
                "TEXT is looked for in what is spoken, and in the addresses of other sounds; the address of a stream "
                "has the word stream in it. Sounds that began before count once: what was heard is not looked at again."
            ),
            read=_read_hear,
        ),
        "dashboard": Usage(
            form="dashboard TEXT [within SECONDS]",
            summary="fail unless TEXT is seen when looking up",
            details="It has to be in one of the lines there. The cloud draws them after half a second.",
            read=_read_dashboard,
        ),
        "light": Usage(
            form="light COLOR|off [within SECONDS]",
            summary="fail unless the light of the glasses is so",
            details="Only Mentra Live has one: 'wear Mentra Live' before.",
            read=_read_light,
        ),
        "video": Usage(
            form="video on|off [within SECONDS]|end",
            summary="fail unless video flows, or let it end",
            details="Needs glasses with a camera: 'wear Mentra Live' before.",
            read=_read_video,
        ),
        "touch": Usage(
            form="touch GESTURE",
            summary="touch the glasses, such as double_tap",
            details="Waits until the app listens to this gesture, at most 10 seconds.",
            read=_read_touch,
        ),
        "murmur": Usage(
            form="murmur [SECONDS]",
            summary="make the sound of speech for the microphone",
            details=(
                "For apps that listen to raw sound or to voice activity; waits for them, at most 10 seconds. It is a "
                "second unless told otherwise, with as much silence behind it as ends an utterance. Transcription "
                "hears what you say."
            ),
            read=_read_murmur,
        ),
        "wait": Usage(form="wait SECONDS", summary="do nothing for a while", read=_read_wait),
        "stored": Usage(
            form="stored [KEY VALUE]",
            summary="print what the app stored, or store a value",
            details=(
                "Keys are those of the cloud, where a dot is %2E. A value that is stored here stands for one of "
                "another server of the app: a session that runs sees it after storage.reload()."
            ),
            read=_read_stored,
        ),
        "permissions": Usage(
            form="permissions [NAME ...]",
            summary="print or change what the app declares",
            details=(
                f"Names are {', '.join(PERMISSIONS)}, and none for none at all. An app asks every five minutes; the "
                "cloud looks whenever the app tells what it listens to."
            ),
            read=_read_permissions,
        ),
        "stats": Usage(
            form="stats",
            summary="print what the session has counted",
            details="What was sent and received, replaced and dropped, as session.statistics() tells the app.",
            read=_read_stats,
        ),
        "help": Usage(form="help [COMMAND]", summary="list the commands, or explain one", read=_read_help),
        "quit": Usage(
            form="quit",
            summary="end everything; so do Ctrl-D and Ctrl-C",
            details="In a script: end it here, with exit code 0 if nothing failed and the app did not crash.",
            read=_read_quit,
        ),
    }
)
"""Every command by name, in the order of `help`."""
