"""What can be typed at `mentra-trio dev`, or written in its scripts: one command a line.

`parse` turns a line into a command; `USAGES` is what `help` prints. Nothing here does anything.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from mentra_trio.simulator.messages import PERMISSIONS, SYSTEM_NAMES
from mentra_trio.simulator.waiting import EXPECT_SECONDS

from . import readers
from .commands import MAIN_BUTTON, Command, Help
from .readers import Arguments, CommandError
from .words import QuoteError, split

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@attrs.frozen(kw_only=True)
class Usage:
    """How a command is written, and what it does."""

    form: str
    summary: str
    """Half a sentence."""
    details: str = ""
    """What `help COMMAND` adds."""
    read: Callable[[Arguments], Command] = attrs.field(repr=False)
    """Reads what follows the name."""


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
    usage = USAGES[name]
    return usage.read(Arguments(name=name, form=usage.form, line=line, words=words[1:]))


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


def _read_help(arguments: Arguments) -> Help:
    topic = arguments.text
    if topic and topic not in USAGES:
        raise CommandError(_unknown(topic))
    return Help(topic or None)


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
            read=readers.read_say,
        ),
        "press": Usage(
            form="press [BUTTON] [short|long]",
            summary="press a button of the glasses",
            details=(
                f"The button is {MAIN_BUTTON} and the press short unless given. Waits until the app listens to "
                "buttons, at most 10 seconds. Real glasses name theirs as they like: Mentra Live has camera."
            ),
            read=readers.read_press,
        ),
        "head": Usage(
            form="head up|down",
            summary="look up or down",
            details="Waits until the app listens to the head's position, at most 10 seconds.",
            read=readers.read_head,
        ),
        "notify": Usage(
            form="notify APP TITLE TEXT",
            summary="let a notification appear on the phone",
            details='Waits until the app listens to notifications, at most 10 seconds. "Two words" need quotes.',
            read=readers.read_notify,
        ),
        "dismiss": Usage(
            form="dismiss",
            summary="let the newest notification go",
            details="Waits until the app listens to dismissals, at most 10 seconds.",
            read=readers.read_dismiss,
        ),
        "event": Usage(
            form="event TITLE [in MINUTES]",
            summary="tell an entry of the phone's calendar",
            details=(
                "It begins in an hour unless told otherwise, and lasts half an hour. An app that asks for the calendar "
                "later gets it too."
            ),
            read=readers.read_event,
        ),
        "move": Usage(
            form="move LAT LNG [METRES]",
            summary="go somewhere, in degrees north and east",
            details=(
                "METRES is how exact the position is. From then on the phone answers apps that ask where it is; "
                "before, nobody does."
            ),
            read=readers.read_move,
        ),
        "zone": Usage(
            form="zone NAME",
            summary="travel to another time zone, such as Asia/Tokyo",
            read=readers.read_zone,
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
            read=readers.read_drop,
        ),
        "stop": Usage(
            form="stop",
            summary="stop the app, as the wearer does on the phone",
            details="Returns when the session is down. An app that does not run is left alone.",
            read=readers.read_stop,
        ),
        "start": Usage(
            form="start",
            summary="start the app, as the wearer does on the phone",
            details="Returns when the session is up. An app that runs is left alone.",
            read=readers.read_start,
        ),
        "battery": Usage(
            form="battery N",
            summary="set the battery level of the glasses, 0 to 100",
            read=readers.read_battery,
        ),
        "device": Usage(
            form="device NAME VALUE",
            summary="tell more of the glasses, as charging true",
            details=(
                "NAME is a part of session.device.state, such as connected, charging, wifi_connected or "
                "hotspot_enabled; VALUE is read as for set."
            ),
            read=readers.read_device,
        ),
        "system": Usage(
            form="system NAME VALUE",
            summary="change a system setting: metric_system true",
            details=(
                f"NAME is the phone's: {', '.join(SYSTEM_NAMES)}. VALUE is read as for set. The app sees them in "
                "session.settings.system."
            ),
            read=readers.read_system,
        ),
        "wear": Usage(
            form="wear MODEL",
            summary="put on other glasses, such as Mentra Live",
            details="The app sees another model with other capabilities. They are connected, with Wi-Fi if they can.",
            read=readers.read_wear,
        ),
        "photo": Usage(
            form="photo [FILE|fail [CODE]]",
            summary="choose what becomes of the next photos",
            details=(
                "FILE is what the camera sees; unless given it is one grey pixel. With fail the photos fail with CODE, "
                "such as CAMERA_BUSY, until the next photo command. Needs glasses with a camera: wear Mentra Live."
            ),
            read=readers.read_photo,
        ),
        "set": Usage(
            form="set KEY VALUE",
            summary="change a setting of the app",
            details=(
                'VALUE is read as JSON where it is: true, 5, "text", [1, 2]; anything else is text as it stands. '
                "It survives stop and start."
            ),
            read=readers.read_set,
        ),
        "expect": Usage(
            form="expect TEXT [within SECONDS]",
            summary=f"fail unless TEXT is shown within {EXPECT_SECONDS:g} seconds",
            details=(
                "TEXT is looked for in each line on the glasses, in each column, and in all lines joined by one space; "
                "several spaces count as one. Screens of the system itself do not count, such as the card of an app "
                "that starts. A script ends with exit code 1 at the first command that fails."
            ),
            read=readers.read_expect,
        ),
        "picture": Usage(
            form="picture FILE",
            summary="save what the glasses show as a PNG file",
            details=(
                "Drawn for the display of the glasses that are worn, with characters as wide and lines as long as "
                "there; the simulated glasses at the start count as Even Realities G1. A file of that name is written "
                'over. Needs Pillow: pip install "mentra-trio[images]".'
            ),
            read=readers.read_picture,
        ),
        "hear": Usage(
            form="hear TEXT [within SECONDS]",
            summary=f"fail unless TEXT is heard within {EXPECT_SECONDS:g} seconds",
            details=(
                "TEXT is looked for in what is spoken, and in the addresses of other sounds; the address of a stream "
                "has the word stream in it. Sounds that began before count once: what was heard is not looked at again."
            ),
            read=readers.read_hear,
        ),
        "dashboard": Usage(
            form="dashboard TEXT [within SECONDS]",
            summary="fail unless TEXT is seen when looking up",
            details="It has to be in one of the lines there. The cloud draws them after half a second.",
            read=readers.read_dashboard,
        ),
        "light": Usage(
            form="light COLOR|off [within SECONDS]",
            summary="fail unless the light of the glasses is so",
            details="Only Mentra Live has one: 'wear Mentra Live' before.",
            read=readers.read_light,
        ),
        "video": Usage(
            form="video on|off [within SECONDS]|end",
            summary="fail unless video flows, or let it end",
            details="Needs glasses with a camera: 'wear Mentra Live' before.",
            read=readers.read_video,
        ),
        "touch": Usage(
            form="touch GESTURE",
            summary="touch the glasses, such as double_tap",
            details="Waits until the app listens to this gesture, at most 10 seconds.",
            read=readers.read_touch,
        ),
        "murmur": Usage(
            form="murmur [SECONDS]",
            summary="make the sound of speech for the microphone",
            details=(
                "For apps that listen to raw sound or to voice activity; waits for them, at most 10 seconds. It is a "
                "second unless told otherwise, with as much silence behind it as ends an utterance. Transcription "
                "hears what you say."
            ),
            read=readers.read_murmur,
        ),
        "wait": Usage(form="wait SECONDS", summary="do nothing for a while", read=readers.read_wait),
        "stored": Usage(
            form="stored [KEY VALUE]",
            summary="print what the app stored, or store a value",
            details=(
                "Keys are those of the cloud, where a dot is %2E. A value that is stored here stands for one of "
                "another server of the app: a session that runs sees it after storage.reload()."
            ),
            read=readers.read_stored,
        ),
        "permissions": Usage(
            form="permissions [NAME ...]",
            summary="print or change what the app declares",
            details=(
                f"Names are {', '.join(PERMISSIONS)}, and none for none at all. An app asks every five minutes; the "
                "cloud looks whenever the app tells what it listens to."
            ),
            read=readers.read_permissions,
        ),
        "stats": Usage(
            form="stats",
            summary="print what the session has counted",
            details="What was sent and received, replaced and dropped, as session.statistics() tells the app.",
            read=readers.read_stats,
        ),
        "help": Usage(form="help [COMMAND]", summary="list the commands, or explain one", read=_read_help),
        "quit": Usage(
            form="quit",
            summary="end everything; so do Ctrl-D and Ctrl-C",
            details="In a script: end it here, with exit code 0 if nothing failed and the app did not crash.",
            read=readers.read_quit,
        ),
    }
)
"""Every command by name, in the order of `help`."""
