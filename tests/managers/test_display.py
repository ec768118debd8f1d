"""Every method's frame, and what is refused before it is sent (P3 1.2)."""

import base64
import itertools
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import LinkState
from mentra_trio.errors import DeviceUnavailableError, SessionClosedError
from mentra_trio.models import Transcript, Translation
from mentra_trio.models.session import StopKind, StopReason
from mentra_trio.text import G1, NEX, PROFILES, Z100, CaptionView, Profile, compatible
from mentra_trio.text.bitmap import Bitmap, read_bmp
from mentra_trio.text.preview import reference_card
from tests.scripted_cloud import PACKAGE, SESSION, Connected, connected
from tests.text.speech import transcripts

NOW = datetime(2026, 6, 14, 9, 12, tzinfo=UTC)
SMALL = attrs.evolve(G1, id="small", width=100, max_lines=2)

METHODS = {
    "show_text_wall": ["a"],
    "show_text": ["a"],
    "show_double_text_wall": ["a", "b"],
    "show_reference_card": ["a", "b"],
    "show_dashboard_card": ["a", "b"],
}
"""What takes text, with as many texts as it takes."""


async def call(link: Connected, method: str, *arguments: object, **options: object) -> None:
    """Call a method with whatever an author may pass."""
    await getattr(link.session.display, method)(*arguments, **options)


@pytest.mark.parametrize(
    ("method", "arguments", "layout"),
    [
        ("show_text_wall", ["Hi"], {"layoutType": "text_wall", "text": "Hi"}),
        ("show_text_wall", [""], {"layoutType": "text_wall", "text": ""}),
        ("show_text", ["Hi"], {"layoutType": "text_wall", "text": "Hi"}),
        ("show_text", [["a", "b"]], {"layoutType": "text_wall", "text": "a\nb"}),
        ("show_text", [()], {"layoutType": "text_wall", "text": ""}),
        (
            "show_double_text_wall",
            ["left", "right"],
            {"layoutType": "double_text_wall", "topText": "left", "bottomText": "right"},
        ),
        (
            "show_reference_card",
            ["Standup", "Room A"],
            {"layoutType": "reference_card", "title": "Standup", "text": "Room A"},
        ),
        (
            "show_dashboard_card",
            ["left", "right"],
            {"layoutType": "double_text_wall", "topText": "left", "bottomText": "right"},
        ),
        ("clear", [], {"layoutType": "clear_view"}),
    ],
)
async def test_each_method_sends_its_layout_to_the_main_view(
    autojump_clock: MockClock, method: str, arguments: list[object], layout: dict[str, str]
) -> None:
    async with connected() as link:
        with assert_checkpoints():
            await call(link, method, *arguments)
        message = await link.socket.expect("display_event")

    assert message.pop("timestamp").endswith("Z")
    assert message == {
        "type": "display_event",
        "packageName": PACKAGE,
        "sessionId": SESSION,
        "view": "main",
        "layout": layout,
    }


@pytest.mark.parametrize("text", ["日本語 ✓ \u0000 \ud800", "line\nline", "x" * 100_000, '"\\'])
async def test_any_text_arrives(autojump_clock: MockClock, text: str) -> None:
    async with connected() as link:
        await link.session.display.show_text_wall(text)

        assert await link.socket.shown() == {"layoutType": "text_wall", "text": text}


@pytest.mark.parametrize(
    ("duration", "milliseconds"), [(5, 5000), (0.5, 500), (1.2345, 1234), (0.001, 1), (86_400, 86_400_000)]
)
async def test_a_duration_is_sent_in_milliseconds(
    autojump_clock: MockClock, duration: float, milliseconds: int
) -> None:
    async with connected() as link:
        await link.session.display.show_text_wall("Hi", duration=duration)

        assert (await link.socket.expect("display_event"))["durationMs"] == milliseconds


@pytest.mark.parametrize(
    "duration", [0, -1, math.nan, math.inf, -math.inf, 0.0004, 1e308, pytest.param(10**400, id="huge")]
)
@pytest.mark.parametrize("method", METHODS)
async def test_a_duration_that_is_none_is_refused(autojump_clock: MockClock, method: str, duration: float) -> None:
    """0 on the wire means for ever, and so would what rounds to it."""
    async with connected() as link:
        with pytest.raises(ValueError, match=r"^duration is .{1,40}; pass 0\.001 s to a year in seconds, or None"):
            await call(link, method, *METHODS[method], duration=duration)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []
        assert link.session.link_state.value is LinkState.CONNECTED


async def test_the_duration_that_was_passed_is_told(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(ValueError, match=r"^duration is -3; "):
            await link.session.display.show_text_wall("Hi", duration=-3)


async def test_columns_can_be_given_by_the_names_of_their_places(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.session.display.show_double_text_wall(right="b", left="a")

        assert await link.socket.shown() == {"layoutType": "double_text_wall", "topText": "a", "bottomText": "b"}


@pytest.mark.parametrize("duration", ["5", [5], object()])
async def test_a_duration_that_is_no_number_is_refused(autojump_clock: MockClock, duration: object) -> None:
    async with connected() as link:
        with pytest.raises(TypeError):
            await call(link, "show_text_wall", "Hi", duration=duration)


@pytest.mark.parametrize("text", [None, 5, b"bytes", {"a": 1}, object()])
@pytest.mark.parametrize(
    ("method", "place"), [(name, place) for name, texts in METHODS.items() for place in range(len(texts))]
)
async def test_what_is_no_text_is_refused(autojump_clock: MockClock, method: str, place: int, text: object) -> None:
    """The reference shows `undefined` then."""
    arguments: list[object] = [*METHODS[method]]
    arguments[place] = text
    async with connected() as link:
        with pytest.raises(TypeError, match=r"str\(\.\.\.\)"):
            await call(link, method, *arguments)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize("lines", [["a", 5], {"a"}, [None]])
async def test_what_are_no_lines_is_refused(autojump_clock: MockClock, lines: object) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match=r"str\(\.\.\.\)"):
            await call(link, "show_text", lines)


@pytest.mark.parametrize("duration", ["3", True, b"3"])
async def test_a_duration_that_is_no_number_is_shown(autojump_clock: MockClock, duration: object) -> None:
    async with connected() as link:
        for method, arguments in METHODS.items():
            with pytest.raises(TypeError, match=f"duration is {duration!r}; pass seconds as a number"):
                await call(link, method, *arguments, duration=duration)


# Bitmaps


def picture(width: int = 576, height: int = 135, row: int = 5) -> bytes:
    """Make a BMP file that phones take."""
    return Bitmap(width=width, height=height, rows=(row,) * height).to_bmp()


async def shown_bitmap(link: Connected) -> bytes:
    layout = await link.socket.shown()
    assert layout["layoutType"] == "bitmap_view"
    assert "\n" not in layout["data"]
    return base64.b64decode(layout["data"], validate=True)


@pytest.mark.parametrize("as_text", [False, True])
async def test_a_ready_bitmap_is_sent_as_it_is(autojump_clock: MockClock, *, as_text: bool) -> None:
    ready = picture()
    async with connected(capabilities={"modelName": "Even Realities G1", "hasDisplay": True}) as link:
        with assert_checkpoints():
            await link.session.display.show_bitmap(base64.encodebytes(ready).decode() if as_text else ready, duration=2)
        message = await link.socket.expect("display_event")

    assert message["view"] == "main"
    assert message["durationMs"] == 2000
    assert message["layout"] == {"layoutType": "bitmap_view", "data": base64.b64encode(ready).decode()}


async def test_a_smaller_bitmap_is_put_on_the_canvas(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.session.display.show_bitmap(picture(8, 2, 0xFF), left=1, top=2)
        canvas = read_bmp(await shown_bitmap(link))

    assert (canvas.width, canvas.height, canvas.ink) == (576, 135, 16)
    assert canvas.is_drawn(1, 2)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("Qk0+AAAAAAAAAD4AAAAoAAAA", ValueError),
        ("", ValueError),
        ("424d36260000", ValueError),
        ("no base64!", ValueError),
        ("A" * 1_000_001, ValueError),
        (picture(600, 1), ValueError),
        (b"\x89PNG", ValueError),
        (5, TypeError),
        (None, TypeError),
        ({"data": "x"}, TypeError),
    ],
)
async def test_what_is_no_bitmap_is_refused(autojump_clock: MockClock, data: object, kind: type[Exception]) -> None:
    async with connected() as link:
        with pytest.raises(kind):
            await call(link, "show_bitmap", data)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


@pytest.mark.parametrize(
    ("capabilities", "text"),
    [
        ({"modelName": "Mentra Live", "hasDisplay": False}, "Mentra Live have no display"),
        (
            {"modelName": "Vuzix Z100", "hasDisplay": True, "display": {"canDisplayBitmap": False}},
            "Vuzix Z100 show no bitmaps",
        ),
    ],
)
async def test_glasses_that_show_no_bitmaps_are_an_error(
    autojump_clock: MockClock, capabilities: dict[str, object], text: str
) -> None:
    async with connected(capabilities=capabilities) as link:
        for method, argument in (("show_bitmap", picture()), ("show_animation", [picture()])):
            with pytest.raises(DeviceUnavailableError, match=text):
                await call(link, method, argument)


async def test_frames_are_shown_in_time(autojump_clock: MockClock) -> None:
    frames = [picture(row=number) for number in (1, 2)]
    async with connected() as link:
        begun = trio.current_time()
        await link.session.display.show_animation(frames, interval=0.5, repeat=2)
        ended = trio.current_time() - begun
        times = [round(at - begun, 3) for at in link.socket.times_of("display_event")]
        seen = [base64.b64decode(message["layout"]["data"]) for message in link.socket.unread()]

    assert times == [0, 0.5, 1.0, 1.5]
    assert seen == frames * 2
    assert ended == 2.0


async def test_an_animation_stops_with_its_scope(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with trio.move_on_after(4):
            await link.session.display.show_animation([picture()], repeat=None)
        await trio.sleep(60)

        assert len(link.socket.times_of("display_event")) == 3


async def test_an_animation_ends_with_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:

        async def animate() -> None:
            with pytest.raises(SessionClosedError):
                await link.session.display.show_animation([picture()], repeat=None)

        nursery.start_soon(animate)
        await trio.sleep(2)
        await link.socket.cut()
        await wait_all_tasks_blocked()
        link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))


@pytest.mark.parametrize(
    ("frames", "options"),
    [
        ([], {}),
        ([picture(), b"no picture"], {}),
        ([picture()], {"interval": 0.3}),
        ([picture()], {"interval": math.inf}),
        ([picture()], {"repeat": 0}),
    ],
)
async def test_an_odd_animation_shows_nothing(
    autojump_clock: MockClock, frames: list[bytes], options: dict[str, object]
) -> None:
    async with connected() as link:
        with pytest.raises(ValueError):  # noqa: PT011 - which argument is told is seen in the parameters
            await call(link, "show_animation", frames, **options)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


# Text that fits, and captions


def glasses(model: str) -> dict[str, object]:
    return {"modelName": model, "hasDisplay": True}


@pytest.mark.parametrize(
    ("model", "profile"),
    [("Even Realities G1", G1), ("Vuzix Z100", Z100), ("Mentra Display", NEX), ("Unheard Of", G1)],
)
async def test_the_profile_is_that_of_the_connected_glasses(
    autojump_clock: MockClock, model: str, profile: Profile
) -> None:
    async with connected(capabilities=glasses(model)) as link:
        assert link.session.display.profile is profile


async def test_glasses_whose_abilities_are_not_known_have_a_profile_by_their_model(autojump_clock: MockClock) -> None:
    """The cloud knows no Mach1, the phone does (P2 6.4)."""
    async with connected(capabilities=None) as link:
        assert link.session.display.profile is G1
        await link.socket.send("device_state_update", state={"modelName": "Mentra Mach1"}, fullSnapshot=False)
        await wait_all_tasks_blocked()

        assert link.session.display.profile is Z100


async def test_an_author_can_add_a_display(autojump_clock: MockClock) -> None:
    async with connected(capabilities=glasses("My Glasses")) as link:
        link.session.display.profiles = PROFILES.adding(SMALL, models=["My Glasses"])
        shown = await link.session.display.show_fitted("Boil the water, add the rice and wait.")

        assert await link.socket.shown() == {"layoutType": "text_wall", "text": shown.text}
    assert shown.texts == ["Boil the", "water, ad..."]
    assert shown.cut == "d the rice and wait."
    assert shown.is_truncated


async def test_text_that_fits_is_shown_whole(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with assert_checkpoints():
            shown = await link.session.display.show_fitted(["Hello", "world"], duration=2)
        message = await link.socket.expect("display_event")

    assert (message["layout"]["text"], message["durationMs"]) == ("Hello\nworld", 2000)
    assert (shown.cut, shown.is_truncated) == ("", False)


@pytest.mark.parametrize("text", ["日" * 1000, "é" * 1000, "word " * 1000, "\n" * 1000, "x" * 5000])
async def test_no_fitted_text_is_more_than_the_glasses_take(autojump_clock: MockClock, text: str) -> None:
    async with connected(capabilities=glasses("Mentra Display")) as link:
        shown = await link.session.display.show_fitted(text)
        sent = (await link.socket.shown())["text"]

    assert len(sent.encode()) <= NEX.max_bytes
    assert len(sent.split("\n")) <= NEX.max_lines
    assert text.endswith(shown.cut)


async def test_a_phone_that_wraps_fitted_text_once_more_changes_nothing(autojump_clock: MockClock) -> None:
    """It counts marks as characters of their own, and would cut words where lines are full (P4 2.3, 3.4)."""
    text = "e\u0301\u0323te\u0301 " * 40
    async with connected() as link:
        shown = await link.session.display.show_fitted(text)

    on_glasses = compatible.wrap(shown.text, G1, compatible.WrapOptions.of(G1))
    assert on_glasses.texts == shown.texts
    assert len(shown.texts) == G1.max_lines
    assert shown.is_truncated


@pytest.mark.parametrize("model", ["Even Realities G1", "Vuzix Z100", "Mentra Display"])
async def test_columns_are_fitted_as_phones_show_them(autojump_clock: MockClock, model: str) -> None:
    left, right = "Boil the water, add the rice and wait. " * 9, ["e\u0301te\u0301 " * 9, "10:42"]
    async with connected(capabilities=glasses(model)) as link:
        with assert_checkpoints():
            shown = await link.session.display.show_fitted_columns(left, right, duration=2)
        message = await link.socket.expect("display_event")
        profile = link.session.display.profile

    assert (message["layout"]["layoutType"], message["durationMs"]) == ("double_text_wall", 2000)
    sent = (message["layout"]["topText"], message["layout"]["bottomText"])
    on_glasses = compatible.compose_columns(*sent, profile, break_mode="character-no-hyphen")
    for column, texts in zip(shown, (on_glasses.left, on_glasses.right), strict=True):
        assert [text for text in texts if text] == column.texts
    assert [column.is_truncated for column in shown] == [True, False]
    assert left.endswith(shown[0].cut)


async def test_a_card_is_fitted_as_phones_show_it(autojump_clock: MockClock) -> None:
    title, text = "The ferry to the north island leaves at seven, from the other side", "word " * 100
    async with connected(capabilities=glasses("Mentra Display")) as link:
        head, body = await link.session.display.show_fitted_card(title, [text, "more"])
        layout = await link.socket.shown()

    assert layout == {"layoutType": "reference_card", "title": head.text, "text": body.text}
    assert reference_card(head.text, body.text, NEX) == [*head.texts, "", *body.texts]
    assert (len(head.lines), len(body.lines)) == (1, 3)
    assert head.text.endswith("...")
    assert title.endswith(head.cut)
    assert body.cut.endswith("more")
    assert head.bytes + body.bytes + 2 <= NEX.max_bytes


async def test_a_display_too_low_for_a_card_has_its_title(autojump_clock: MockClock) -> None:
    async with connected(capabilities=glasses("My Glasses")) as link:
        link.session.display.profiles = PROFILES.adding(SMALL, models=["My Glasses"])
        head, body = await link.session.display.show_fitted_card("Title", "text")

    assert (head.text, body.text, body.cut) == ("Title", "", "text")


async def test_what_is_no_text_is_not_fitted(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match=r"str\(\.\.\.\)"):
            await call(link, "show_fitted", 5)
        for method in ("show_fitted_columns", "show_fitted_card"):
            for arguments in ([5, "b"], ["a", 5]):
                with pytest.raises(TypeError, match=r"str\(\.\.\.\)"):
                    await call(link, method, *arguments)


Speech = Transcript | Translation


def said(text: str, *, is_final: bool = False, utterance: str = "1", speaker: str | None = None) -> Transcript:
    return Transcript(
        text=text, is_final=is_final, language="en", utterance_id=utterance, speaker_id=speaker, received_at=NOW
    )


async def speak(into: trio.MemorySendChannel[Speech], steps: Iterable[tuple[float, Speech]]) -> None:
    """Say each step after a pause of so many seconds."""
    async with into:
        for pause, step in steps:
            await trio.sleep(pause)
            await into.send(step)


async def captions(link: Connected, steps: Iterable[tuple[float, Speech]]) -> list[str]:
    """Show captions and give the screens."""
    send, speech = trio.open_memory_channel[Speech](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak, send, steps)
        await link.session.display.show_captions(speech)
    await trio.sleep(1)
    return [message["layout"]["text"] for _, message in link.socket.received if "layout" in message]


def slowly(*steps: Speech) -> list[tuple[float, Speech]]:
    """Leave enough time for each step to be shown."""
    return [(1.0, step) for step in steps]


async def test_captions_replace_interims_and_mark_who_speaks(autojump_clock: MockClock) -> None:
    steps = slowly(
        said("Turn", speaker="0"),
        said("Turn left.", speaker="1", is_final=True),
        said("Where", utterance="2", speaker="2"),
        said("Where?", utterance="2", speaker="0", is_final=True),
    )
    async with connected() as link:
        assert await captions(link, steps) == ["Turn", "Turn left.", "Turn left.\n- Where", "Turn left.\n- Where?"]


async def test_what_changes_nothing_is_not_shown_again(autojump_clock: MockClock) -> None:
    async with connected() as link:
        steps = slowly(said("Left."), said("Left."), said("Left.", is_final=True))

        assert await captions(link, steps) == ["Left."]


async def test_captions_can_be_of_translations(autojump_clock: MockClock) -> None:
    step = Translation(
        text="Hola", is_final=True, source_language="en", target_language="es", utterance_id="1", received_at=NOW
    )
    async with connected() as link:
        assert await captions(link, slowly(step)) == ["Hola"]


async def test_captions_begin_anew_on_other_glasses(autojump_clock: MockClock) -> None:
    made: list[str] = []

    def make_view(profile: Profile) -> CaptionView:
        made.append(profile.id)
        return CaptionView(profile, size=1)

    send, speech = trio.open_memory_channel[Speech](0)
    async with connected(capabilities=glasses("Mentra Display")) as link, trio.open_nursery() as nursery:
        nursery.start_soon(partial(link.session.display.show_captions, speech, make_view=make_view))
        await send.send(said("one", is_final=True))
        assert (await link.socket.shown())["text"] == "one"
        await link.socket.send("capabilities_update", modelName="Vuzix Z100", capabilities=glasses("Vuzix Z100"))
        await wait_all_tasks_blocked()
        await send.send(said("two", utterance="2"))
        assert (await link.socket.shown())["text"] == "two"
        send.close()

    assert made == [NEX.id, Z100.id]


async def test_captions_of_an_open_stream_end_with_the_session(autojump_clock: MockClock) -> None:
    async with connected() as link, trio.open_nursery() as nursery:

        async def show() -> None:
            async with link.session.transcription.stream("en") as speech:
                await link.session.display.show_captions(speech, duration=5)

        nursery.start_soon(show)
        await link.socket.expect("subscription_update")
        await link.socket.send(
            "data_stream",
            streamType="transcription:en-US",
            data={"type": "transcription", "text": "Hello", "isFinal": False, "transcribeLanguage": "en-US"},
        )
        message = await link.socket.expect("display_event")
        assert (message["layout"]["text"], message["durationMs"]) == ("Hello", 5000)
        link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))


async def test_an_hour_of_captions_keeps_the_pace_and_never_moves_a_line_back(autojump_clock: MockClock) -> None:
    async with connected(capabilities=glasses("Mentra Display")) as link:
        screens = [text.split("\n") for text in await captions(link, transcripts(11, seconds=3600, silence=120))]
        times = link.socket.times_of("display_event")

    assert len(times) > 300
    assert min(after - before for before, after in itertools.pairwise(times)) >= 0.35 - 1e-9
    for before, after in itertools.pairwise(screens):
        assert all(before.index(line) >= place for place, line in enumerate(after) if line in before)
