"""Lines into commands, and the mistakes that people make."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mentra_trio.cli.commands import (
    Battery,
    Command,
    Declare,
    Device,
    Dismiss,
    Drop,
    Expect,
    Head,
    Hear,
    Help,
    Move,
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
    Wait,
    Wear,
    Zone,
)
from mentra_trio.cli.parsing import USAGES, explain, parse
from mentra_trio.cli.readers import CommandError
from mentra_trio.models.device import HeadPosition, PressType


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("say hello", Say("hello")),
        ("say good   morning", Say("good morning")),
        ('say "good   morning"', Say("good   morning")),
        ("say don't panic", Say("don't panic")),
        ("say --partial good mor", Say("good mor", is_final=False)),
        ('say "--partial" x', Say("--partial x")),
        ("say - hm", Say("- hm")),
        ("say --language de guten Tag", Say("guten Tag", language="de-DE")),
        ("say --language=en_gb hello", Say("hello", language="en-GB")),
        ("say --partial --language ja おは", Say("おは", is_final=False, language="ja-JP")),
        ("say --language ja --partial おは", Say("おは", is_final=False, language="ja-JP")),
        ("press", Press()),
        ("press long", Press("main", PressType.LONG)),
        ("press camera", Press("camera")),
        ("press camera short", Press("camera")),
        ("press 'left temple' long", Press("left temple", PressType.LONG)),
        ("press short long", Press("short", PressType.LONG)),
        ("head up", Head(HeadPosition.UP)),
        ("say --translation hola hello there", Say("hello there", translation="hola")),
        ("say --translation 'hola a todos' hello", Say("hello", translation="hola a todos")),
        ("say --translation=hola hello", Say("hello", translation="hola")),
        ("notify Messages Bob I'm late", Notify("Messages", "Bob", "I'm late")),
        ("notify 'Google Mail' 'Ann Lee' hi", Notify("Google Mail", "Ann Lee", "hi")),
        ("dismiss", Dismiss()),
        ("event Stand up", Plan("Stand up")),
        ("event Stand up in 30", Plan("Stand up", 30)),
        ('event all "in" 30', Plan("all in 30")),
        ("move 52.5163 -13.3777", Move(52.5163, -13.3777)),
        ("move 1 .5 8", Move(1, 0.5, 8)),
        ("zone Asia/Tokyo", Zone("Asia/Tokyo")),
        ("head down", Head(HeadPosition.DOWN)),
        ("say I saw it within 5", Say("I saw it within 5")),
        ("drop", Drop(0)),
        ("drop 8", Drop(8)),
        ("drop 0.25", Drop(0.25)),
        ("drop .5", Drop(0.5)),
        ("stop", Stop()),
        ("start", Start()),
        ("battery 0", Battery(0)),
        ("battery 100", Battery(100)),
        ("wear Mentra Live", Wear("Mentra Live")),
        ("photo", Snap()),
        ("photo 'a tree.jpg'", Snap(path="a tree.jpg")),
        ("photo fail", Snap(code="CAMERA_CAPTURE_FAILED")),
        ("photo fail BATTERY_LOW", Snap(code="BATTERY_LOW")),
        ("device charging true", Device("charging", value=True)),
        ("device wifi_ssid home net", Device("wifi_ssid", "home net")),
        ("system brightness 70", System("brightness", 70)),
        ("system 'preferred_mic:Mentra Live' phone", System("preferred_mic:Mentra Live", "phone")),
        ("set name Ada Lovelace", Set("name", "Ada Lovelace")),
        ("set on true", Set("on", value=True)),
        ("set off null", Set("off", None)),
        ("set limit 5", Set("limit", 5)),
        ("set ratio 0.5", Set("ratio", 0.5)),
        ('set text "text"', Set("text", "text")),
        ('set digits "5"', Set("digits", "5")),
        ("set digits '\"5\"'", Set("digits", "5")),
        ("set text 'one two'", Set("text", "one two")),
        ('set list [1, "two"]', Set("list", [1, "two"])),
        ("set list '[1, 2]'", Set("list", [1, 2])),
        ('set map {"a": {"b": 1}} # nested', Set("map", {"a": {"b": 1}})),
        ('set empty ""', Set("empty", "")),
        ("set odd NaN", Set("odd", "NaN")),
        ("set odd -Infinity", Set("odd", "-Infinity")),
        ("set odd 1e999", Set("odd", "1e999")),
        ("set deep " + "[" * 5000, Set("deep", "[" * 5000)),
        ("set long " + "9" * 5000, Set("long", "9" * 5000)),
        ("set 'a key' 1", Set("a key", 1)),
        ("expect You said: hello", Expect("You said: hello", 5)),
        ("expect Done within 2", Expect("Done", 2)),
        ("picture screen.png", Picture("screen.png")),
        ("picture 'my screens/First one.PNG'", Picture("my screens/First one.PNG")),
        ("hear Good morning", Hear("Good morning", 5)),
        ("hear ding.mp3 within 2", Hear("ding.mp3", 2)),
        ("expect Done within 0", Expect("Done", 0)),
        ('expect "gone within 5"', Expect("gone within 5", 5)),
        ('expect "gone within 5" within 1.5', Expect("gone within 5", 1.5)),
        ("expect stay within reach", Expect("stay within reach", 5)),
        ('expect stay "within" 3', Expect("stay within 3", 5)),
        ("expect x within 3s", Expect("x within 3s", 5)),
        ("expect x within -3", Expect("x within -3", 5)),
        ("expect within", Expect("within", 5)),
        ('expect "within" 5', Expect("within 5", 5)),
        ("wait 2", Wait(2)),
        ("stored", Stored()),
        ('stored "a key" some text', Stored("a key", "some text")),
        ("stored k ''", Stored("k", "")),
        ("permissions", Declare()),
        ("permissions none", Declare(())),
        ("permissions microphone CAMERA", Declare(("MICROPHONE", "CAMERA"))),
        ("stats", Stats()),
        ("help", Help()),
        ("help say", Help("say")),
        ("quit", Quit()),
        ("  quit  # for today", Quit()),
        ("", None),
        ("   ", None),
        ("# a comment", None),
    ],
)
def test_a_line_means_this(line: str, command: Command | None) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("say", "there is nothing to say; write: say [--partial] [--language TAG] [--translation TEXT] TEXT"),
        ("say --language", "--language needs a language, for example 'say --language de guten Tag'"),
        ("say --language= x", "--language needs a language"),
        ("say --language de", "there is nothing to say"),
        ("say --language klingon x", "'klingon' is not a language"),
        ("say --language qq x", "'qq' is not a language"),
        ("say --language auto x", "nobody speaks 'auto'; name a language, such as 'en' or 'ja'"),
        ("say --partial --loud hello", "say has no option --loud"),
        ("say --partial=yes hello", "say has no option --partial=yes"),
        ("press one two", "one button is pressed, short or long, but there is 'one two'"),
        ("press camera hold", "write: press [BUTTON] [short|long]"),
        ("head", "a head goes up or down, for example 'head up'; write: head up|down"),
        ("head left", "a head goes up or down, not 'left'"),
        ('say ""', "there is nothing to say"),
        ("say '  '", "there is nothing to say"),
        ("say --partial", "there is nothing to say"),
        ("say --loud hello", "say has no option --loud"),
        ('say "hello', "never closed"),
        ("drop now", "'now' is not a number of seconds"),
        ("drop -1", "'-1' is not a number"),
        ("drop 1 2", "'1 2' is not a number"),
        ("drop nan", "'nan' is not a number"),
        ("drop inf", "'inf' is not a number"),
        ("drop 1e3", "'1e3' is not a number"),
        ("drop ٣", "is not a number"),
        ("drop 100000", "'100000' is not a number of seconds from 0 to 86400"),
        ("wait", "for how many seconds? for example 'wait 2'; write: wait SECONDS"),
        ("battery", "which level? a whole number from 0 to 100, for example 'battery 20'; write: battery N"),
        ("battery 101", "from 0 to 100, not '101'"),
        ("battery -1", "from 0 to 100"),
        ("battery 5.5", "from 0 to 100"),
        ("battery ٣", "from 0 to 100"),
        ("battery " + "9" * 5000, "from 0 to 100"),
        ("wear", "glasses are one of Even Realities G1"),
        ("wear spectacles", "glasses are one of Even Realities G1"),
        ("set", "set needs the key of a setting and a value"),
        ("set name", "set needs the key of a setting and a value"),
        ('set "" 1', "the key of a setting is empty"),
        ("expect", "there is no text to look for"),
        ('expect ""', "there is no text to look for"),
        ('expect "" within 3', "there is no text to look for"),
        ("expect within 3", "there is no text before 'within'"),
        ("expect x within", "within how many seconds? for example 'expect Hello within 2'; write: expect TEXT"),
        ("expect x within 100000", "'100000' is not a number of seconds"),
        ("picture", "a picture needs the name of its file, for example 'picture screen.png'; write: picture FILE"),
        ("picture screen.jpg", "pictures are PNG files, so 'screen.jpg' has to end in .png"),
        ("stop it", "stop takes no argument, but there is 'it'; write: stop"),
        ("start 1", "start takes no argument"),
        ("stored k", "stored takes nothing, or a key and a value"),
        ("permissions telepathy", "there is no permission 'TELEPATHY'"),
        ("stats all", "stats takes no argument"),
        ("quit now", "quit takes no argument"),
        ("say --translation", "--translation needs a text"),
        ("say --translation= hello", "--translation needs a text"),
        ("notify Messages Bob", "a notification has an app, a title and a text"),
        ("notify Messages Bob ''", "no notification in which something is empty"),
        ("dismiss it", "dismiss takes no argument"),
        ("event", "has a title"),
        ("event ''", "has a title"),
        ("event Party in 1000000", "nobody plans 1e+06 minutes ahead"),
        ("move", "where to? degrees north and east"),
        ("move 1", "where to?"),
        ("move 1 2 3 4", "where to?"),
        ("move here there", "where to?"),
        ("move 91 0", "nobody is at 91 0"),
        ("move 0 181", "nobody is at 0 181"),
        ("move 0 0 -1", "nobody is at 0 0 -1"),
        (
            "system metric_system_enabled true",
            "no 'metric_system_enabled', perhaps 'metric_system'; it has always_",
        ),
        ("system xyz 1", "the system has no 'xyz'; it has always_on_status_bar, "),
        ("zone", "a time zone is one like Europe/Berlin; write: zone NAME"),
        ("zone Mars/Base", "a time zone is one like Europe/Berlin, not 'Mars/Base'"),
        ("zone Europe", "not 'Europe'"),
        ("sya hello", "there is no command 'sya'; did you mean 'say'? 'help' lists them all"),
        ("SAY hello", "did you mean 'say'?"),
        ("exit", "did you mean 'quit'?"),
        ("?", "did you mean 'help'?"),
        ("expct x", "did you mean 'expect'?"),
        ("xyzzy", "there is no command 'xyzzy'; to speak, write: say xyzzy; 'help' lists them all"),
        ("hello there", "did you mean 'help'? to speak, write: say hello there; 'help' lists them all"),
        ("good \x1b morning", "to speak, write: say TEXT;"),
        ("good morning " * 9, "to speak, write: say TEXT;"),
        ("button", "there is no command 'button'; did you mean 'press'? 'help'"),
        ("help hello", "there is no command 'hello'; did you mean 'help'? 'help' lists them all"),
        ("help drp", "there is no command 'drp'; did you mean 'drop'?"),
        ('"" x', "there is no command ''"),
    ],
)
def test_a_mistake_is_told_with_what_to_write_instead(line: str, fault: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(line)

    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60) | st.builds("{} {}".format, st.sampled_from([*USAGES]), st.text(max_size=60)))
def test_any_line_is_a_command_or_a_mistake(line: str) -> None:
    with contextlib.suppress(CommandError):
        parse(line)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(str.strip))
def test_a_text_in_quotes_is_expected_as_it_is(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    assert parse(f"expect {quoted} within 2") == Expect(text, 2)


def test_help_lists_every_command_in_eighty_columns() -> None:
    text = explain()

    for usage in USAGES.values():
        assert usage.form in text
    assert max(map(len, text.splitlines())) < 80


@pytest.mark.parametrize("name", USAGES)
def test_every_command_explains_itself(name: str) -> None:
    text = explain(name)

    assert text.startswith(USAGES[name].form)
    assert USAGES[name].summary in text
    assert max(map(len, text.splitlines())) < 80
