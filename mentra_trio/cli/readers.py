"""What follows the name of a command in a line, made into the command: one function for each.

All of them raise `CommandError` for what the command does not take.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Sequence
from typing import NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from mentra_trio.models.device import Gesture, HeadPosition, PressType
from mentra_trio.models.light import LedColor
from mentra_trio.simulator.hardware import MODELS
from mentra_trio.simulator.messages import PERMISSIONS, SYSTEM_NAMES
from mentra_trio.simulator.speech import spoken_language
from mentra_trio.simulator.waiting import EXPECT_SECONDS

from .commands import (
    MAIN_BUTTON,
    Battery,
    Declare,
    Device,
    Dismiss,
    Drop,
    EndVideo,
    Expect,
    Glance,
    Head,
    Hear,
    Light,
    Move,
    Murmur,
    Notify,
    Picture,
    Plan,
    Press,
    Quit,
    Say,
    Set,
    Snap,
    Start,
    Stats,
    Stop,
    Stored,
    System,
    Touch,
    Video,
    Wait,
    Wear,
    Zone,
)
from .words import Word

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_MOST_SECONDS = 86_400.0
"""A day: whoever waits longer mistyped."""
_PRESSES = frozenset({PressType.SHORT.value, PressType.LONG.value})
_POSITIONS = frozenset({HeadPosition.UP.value, HeadPosition.DOWN.value})
_DEGREES = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_LEVEL = re.compile(r"[0-9]{1,2}|100")


class CommandError(ValueError):
    """A line that is no command. The text says what to write instead."""


@attrs.frozen(kw_only=True)
class Arguments:
    """What follows the name of a command in a line."""

    name: str
    form: str = attrs.field(repr=False)
    """How the command is written."""
    line: str = attrs.field(repr=False)
    words: Sequence[Word]

    @property
    def text(self) -> str:
        """All words, with one space between."""
        return " ".join(word.text for word in self.words)

    def without(self, count: int) -> Arguments:
        """Leave the first words out."""
        return attrs.evolve(self, words=self.words[count:])

    def raw(self) -> str:
        """Give what was written, with its quotes."""
        return self.line[self.words[0].start : self.words[-1].end] if self.words else ""

    def fail(self, fault: str) -> NoReturn:
        """Raise `CommandError` with the right form."""
        raise CommandError(f"{fault}; write: {self.form}")

    def nothing_more(self) -> None:
        """Check that nothing was written."""
        if self.words:
            self.fail(f"{self.name} takes no argument, but there is {self.raw()!r}")


def read_say(arguments: Arguments) -> Say:
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


def _option(arguments: Arguments) -> str | None:
    word = arguments.words[0] if arguments.words else None
    return word.text if word is not None and not word.is_quoted and word.text.startswith("--") else None


def _language(arguments: Arguments, tag: str) -> str:
    if not tag:
        arguments.fail("--language needs a language, for example 'say --language de guten Tag'")
    try:
        return spoken_language(tag)
    except ValueError as error:
        raise CommandError(str(error)) from error


def read_press(arguments: Arguments) -> Press:
    *others, last = [word.text for word in arguments.words] or [""]
    if last in _PRESSES:
        kind = PressType(last)
    else:
        kind, others = PressType.SHORT, [*others, last]
    if len(others) > 1:
        arguments.fail(f"one button is pressed, short or long, but there is {arguments.raw()!r}")
    return Press(others[0] if others and others[0] else MAIN_BUTTON, kind)


def read_head(arguments: Arguments) -> Head:
    text = arguments.text
    if text not in _POSITIONS:
        found = f", not {text!r}" if text else ""
        arguments.fail(f"a head goes up or down{found}, for example 'head up'")
    return Head(HeadPosition(text))


def read_notify(arguments: Arguments) -> Notify:
    if len(arguments.words) < 3:
        arguments.fail("a notification has an app, a title and a text, for example: notify Messages Bob I am late")
    app, title = (word.text for word in arguments.words[:2])
    content = arguments.without(2).text
    if not (app and title and content):
        arguments.fail("the cloud takes no notification in which something is empty")
    return Notify(app, title, content)


def read_dismiss(arguments: Arguments) -> Dismiss:
    arguments.nothing_more()
    return Dismiss()


def read_event(arguments: Arguments) -> Plan:
    words, minutes = arguments.words, 60.0
    if len(words) > 2 and not words[-2].is_quoted and words[-2].text == "in" and _NUMBER.fullmatch(words[-1].text):
        minutes = float(words[-1].text)
        arguments = attrs.evolve(arguments, words=words[:-2])
    if not arguments.text.strip():
        arguments.fail("an entry of the calendar has a title, for example 'event Standup in 30'")
    if minutes > _MOST_SECONDS:
        arguments.fail(f"nobody plans {minutes:g} minutes ahead")
    return Plan(arguments.text, minutes)


def read_move(arguments: Arguments) -> Move:
    numbers = [word.text for word in arguments.words]
    if len(numbers) not in (2, 3) or not all(_DEGREES.fullmatch(number) for number in numbers):
        arguments.fail("where to? degrees north and east, for example 'move 52.5163 13.3777'")
    lat, lng, *rest = map(float, numbers)
    if abs(lat) > 90 or abs(lng) > 180 or (rest and rest[0] < 0):
        arguments.fail(f"nobody is at {arguments.text}")
    return Move(lat, lng, rest[0] if rest else None)


def read_zone(arguments: Arguments) -> Zone:
    try:
        ZoneInfo(arguments.text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found = f", not {arguments.text!r}" if arguments.text else ""
        arguments.fail(f"a time zone is one like Europe/Berlin{found}")
    return Zone(arguments.text)


def read_drop(arguments: Arguments) -> Drop:
    return Drop(_seconds(arguments)) if arguments.words else Drop()


def read_wait(arguments: Arguments) -> Wait:
    if not arguments.words:
        arguments.fail("for how many seconds? for example 'wait 2'")
    return Wait(_seconds(arguments))


def read_battery(arguments: Arguments) -> Battery:
    text = arguments.text
    if not text:
        arguments.fail("which level? a whole number from 0 to 100, for example 'battery 20'")
    if not _LEVEL.fullmatch(text):
        arguments.fail(f"a battery level is a whole number from 0 to 100, not {text!r}")
    return Battery(int(text))


def read_wear(arguments: Arguments) -> Wear:
    if arguments.text not in MODELS:
        arguments.fail(f"glasses are one of {', '.join(MODELS)}")
    return Wear(arguments.text)


def read_photo(arguments: Arguments) -> Snap:
    words = [word.text for word in arguments.words]
    if words[:1] == ["fail"]:
        return Snap(code=" ".join(words[1:]) or "CAMERA_CAPTURE_FAILED")
    return Snap(path=arguments.text or None)


def read_set(arguments: Arguments) -> Set:
    return Set(*_pair(arguments, "set needs the key of a setting and a value", "the key of a setting"))


def read_device(arguments: Arguments) -> Device:
    usage = "which part, and what is it? for example 'device charging true'"
    return Device(*_pair(arguments, usage, "the name of the part"))


def read_system(arguments: Arguments) -> System:
    usage = "which setting, and what is it? for example 'system metric_system true'"
    name, value = _pair(arguments, usage, "the name of the setting")
    if name.partition(":")[0] not in SYSTEM_NAMES:  # preferred_mic:MODEL
        near = next(iter(difflib.get_close_matches(name, SYSTEM_NAMES, n=1)), "")
        hint = f", perhaps {near!r}" if near else ""
        arguments.fail(f"the system has no {name!r}{hint}; it has {', '.join(SYSTEM_NAMES)}")
    return System(name, value)


def _pair(arguments: Arguments, usage: str, key_is: str) -> tuple[str, object]:
    """Read a name and a JSON value; what is no JSON is a text."""
    if len(arguments.words) < 2:
        arguments.fail(usage)
    key = arguments.words[0].text
    if not key:
        arguments.fail(f"{key_is} is empty")
    value = arguments.without(1)
    # As it is written first, because the quotes belong to JSON too: {"a": 1}, "5". Then without a shell's: '[1, 2]'.
    for candidate in (value.raw(), value.text):
        try:
            return key, _read_json(candidate)
        except (ValueError, RecursionError):
            continue
    return key, value.text


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


def read_expect(arguments: Arguments) -> Expect:
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


def read_picture(arguments: Arguments) -> Picture:
    path = arguments.text
    if not path:
        arguments.fail("a picture needs the name of its file, for example 'picture screen.png'")
    if not path.lower().endswith(".png"):
        arguments.fail(f"pictures are PNG files, so {path!r} has to end in .png")
    return Picture(path)


def read_hear(arguments: Arguments) -> Hear:
    expected = read_expect(arguments)
    return Hear(expected.text, expected.seconds)


def read_dashboard(arguments: Arguments) -> Glance:
    expected = read_expect(arguments)
    return Glance(expected.text, expected.seconds)


def read_light(arguments: Arguments) -> Light:
    colors = f"a light is {', '.join(LedColor)} or off"
    if _is_without_text(arguments):
        arguments.fail(colors)
    expected = read_expect(arguments)
    if expected.text != "off" and expected.text not in list(LedColor):
        arguments.fail(f"{colors}, not {expected.text!r}")
    return Light(None if expected.text == "off" else expected.text, expected.seconds)


def read_video(arguments: Arguments) -> Video | EndVideo:
    if arguments.text == "end":
        return EndVideo()
    states = "live video is on or off, or is to end"
    if _is_without_text(arguments):
        arguments.fail(states)
    expected = read_expect(arguments)
    if expected.text not in ("on", "off"):
        arguments.fail(f"{states}, not {expected.text!r}")
    return Video(expected.text == "on", expected.seconds)


def read_touch(arguments: Arguments) -> Touch:
    gestures = [gesture for gesture in Gesture if gesture is not Gesture.UNKNOWN]
    if arguments.text not in gestures:
        arguments.fail(f"a touch is one of {', '.join(gestures)}")
    return Touch(Gesture(arguments.text))


def read_murmur(arguments: Arguments) -> Murmur:
    return Murmur(_seconds(arguments) if arguments.words else 1.0)


def _is_without_text(arguments: Arguments) -> bool:
    return not arguments.text or (len(arguments.words) == 2 and _says_within(*arguments.words))


def _says_within(word: Word, number: Word) -> bool:
    is_plain = not word.is_quoted and not number.is_quoted
    return is_plain and word.text == "within" and _NUMBER.fullmatch(number.text) is not None


def read_stop(arguments: Arguments) -> Stop:
    arguments.nothing_more()
    return Stop()


def read_start(arguments: Arguments) -> Start:
    arguments.nothing_more()
    return Start()


def read_stored(arguments: Arguments) -> Stored:
    if not arguments.words:
        return Stored()
    key = arguments.words[0].text
    if not key or len(arguments.words) < 2:
        arguments.fail("stored takes nothing, or a key and a value")
    return Stored(key, arguments.without(1).text)


def read_permissions(arguments: Arguments) -> Declare:
    if not arguments.words:
        return Declare()
    names = [word.text.upper() for word in arguments.words]
    if names == ["NONE"]:
        return Declare(())
    for name in names:
        if name not in PERMISSIONS:
            arguments.fail(f"there is no permission {name!r}; there are {', '.join(PERMISSIONS)}, and none")
    return Declare(tuple(names))


def read_stats(arguments: Arguments) -> Stats:
    arguments.nothing_more()
    return Stats()


def read_quit(arguments: Arguments) -> Quit:
    arguments.nothing_more()
    return Quit()


def _seconds(arguments: Arguments) -> float:
    return _read_seconds(arguments, arguments.text)


def _read_seconds(arguments: Arguments, text: str) -> float:
    if not _NUMBER.fullmatch(text) or float(text) > _MOST_SECONDS:
        arguments.fail(f"{text!r} is not a number of seconds from 0 to {_MOST_SECONDS:g}")
    return float(text)
