"""Every method's frame, and what is refused before it is sent (P3 1.2)."""

import math

import pytest
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import LinkState
from tests.scripted_cloud import PACKAGE, SESSION, Connected, connected

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
