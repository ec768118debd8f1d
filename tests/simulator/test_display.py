"""Who may draw, and when: the algorithm of P3 1.4 with its consequences (P3 1.5, 13)."""

import pytest
import trio
from trio.testing import MockClock

from mentra_trio.simulator import Cloud, Glasses, Quirks, Screen
from mentra_trio.text import G1, fit

from .apps import ALPHA, BETA, OTHER, Json, Socket, World, settle, world

CLEAR = ""
BOOT = "Alpha"


async def ready(here: World, package_name: str = ALPHA) -> Socket:
    """Start an app and wait until the boot screen is over and the log is quiet."""
    socket = await here.start(package_name)
    await trio.sleep(3)
    return socket


def since(here: World, begin: float) -> list[tuple[float, str]]:
    """What was shown since a moment, in seconds from it."""
    return [(round(at - begin, 3), text) for at, text in here.displays() if at >= begin]


async def test_p3_1_4_the_boot_card_is_up_for_a_second_and_a_half(autojump_clock: MockClock) -> None:
    async with world(model="Even Realities G1") as here:
        await ready(here)

        assert here.displays() == [(0.0, BOOT), (1.5, CLEAR), (1.8, CLEAR)]
        assert here.phone("display_event")[0][1]["layout"] == {
            "layoutType": "reference_card",
            "title": "// MentraOS - Starting App",
            "text": "Alpha",
        }


async def test_p3_13_d2_during_boot_the_last_display_waits(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await here.start()
        await socket.show("one")
        await trio.sleep(0.2)
        await socket.show("two")
        await trio.sleep(3)

        assert here.displays() == [(0.0, BOOT), (1.5, "two")]


async def test_p3_1_5_a_duration_that_was_queued_during_boot_never_ends(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await here.start()
        await socket.show("for ever", durationMs=500)
        await trio.sleep(60)

        assert here.displays() == [(0.0, BOOT), (1.5, "for ever")]


async def test_p3_1_4_a_display_is_forwarded_as_it_came(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        fields: Json = {"layout": {"layoutType": "made_up", "x": [1]}, "extra": {"a": None}, "sessionId": "mine"}
        await socket.show("", **fields)

        assert here.phone("display_event")[-1][1] == {
            "type": "display_event",
            "packageName": ALPHA,
            "view": "main",
            **fields,
        }


async def test_p3_13_d1_displays_within_300_ms_wait_and_an_old_one_may_come_last(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        begin = trio.current_time()
        await socket.show("1")
        await trio.sleep(0.2)
        await socket.show("2")
        await trio.sleep(0.12)
        await socket.show("3")
        await trio.sleep(2)

        assert since(here, begin) == [(0.0, "1"), (0.32, "3"), (0.5, "2")]


async def test_p3_13_d1_without_the_fault_the_old_one_is_dropped(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses", cloud=Cloud(quirks=Quirks(stale_display=False))) as here:
        socket = await ready(here)
        begin = trio.current_time()
        for pause, text in ((0.2, "1"), (0.12, "2"), (2, "3")):
            await socket.show(text)
            await trio.sleep(pause)

        assert since(here, begin) == [(0.0, "1"), (0.32, "3")]


async def test_p3_1_5_steady_updates_are_thinned_and_the_last_one_is_late(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        begin = trio.current_time()
        for number in range(9):
            await socket.show(str(number))
            await trio.sleep(0.1)
        await trio.sleep(1)

        assert since(here, begin) == [(0.0, "0"), (0.3, "3"), (0.6, "6"), (1.1, "8")]


async def test_p3_1_2_a_forced_display_skips_the_throttle(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        begin = trio.current_time()
        await socket.show("1")
        await socket.show("2", forceDisplay=True)

        assert since(here, begin) == [(0.0, "1"), (0.0, "2")]


@pytest.mark.parametrize(
    ("duration", "cleared"), [(800, [(0.8, CLEAR)]), (-5, [(0.3, CLEAR)]), (0, []), (True, []), ("800", [])]
)
async def test_p3_1_4_a_display_ends_after_its_duration(
    autojump_clock: MockClock, duration: object, cleared: list[tuple[float, str]]
) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        begin = trio.current_time()
        await socket.show("short", durationMs=duration)
        await trio.sleep(5)

        assert since(here, begin) == [(0.0, "short"), *cleared]


async def test_p3_1_4_a_replaced_display_does_not_end_its_successor(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        begin = trio.current_time()
        await socket.show("short", durationMs=800)
        await trio.sleep(0.4)
        await socket.show("stays")
        await trio.sleep(5)

        assert since(here, begin) == [(0.0, "short"), (0.4, "stays")]


async def test_p3_13_d3_a_background_display_without_duration_keeps_the_main_app_out(
    autojump_clock: MockClock,
) -> None:
    async with world(model="Simulated Glasses") as here:
        beta, alpha = await ready(here, BETA), await ready(here)
        await alpha.show("alpha 1")
        await trio.sleep(1)
        begin = trio.current_time()
        await beta.show("beta", BETA)
        for _ in range(24):
            await trio.sleep(0.5)
            await alpha.show("alpha 2")
        await here.user.stop(BETA)

        assert since(here, begin) == [(0.0, "beta"), (12.0, "alpha 2")]


async def test_p3_1_5_a_lock_that_is_looked_at_lets_the_main_app_back_in(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses", cloud=Cloud(quirks=Quirks(lazy_lock=False))) as here:
        beta, alpha = await ready(here, BETA), await ready(here)
        begin = trio.current_time()
        await beta.show("beta", BETA)
        await trio.sleep(1)
        await alpha.show("too early")
        await trio.sleep(1.5)
        await alpha.show("alpha")

        assert since(here, begin) == [(0.0, "beta"), (2.5, "alpha")]


async def test_p3_1_4_a_background_display_with_a_duration_gives_the_screen_back(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        beta, alpha = await ready(here, BETA), await ready(here)
        begin = trio.current_time()
        await alpha.show("alpha", durationMs=10_000)
        await trio.sleep(0.5)
        await beta.show("toast", BETA, durationMs=1000)
        await trio.sleep(0.3)
        await alpha.show("alpha, refused at first", durationMs=10_000)
        await trio.sleep(3)

        assert since(here, begin) == [(0.0, "alpha"), (0.5, "toast"), (1.5, "alpha, refused at first")]


async def test_p3_1_5_a_second_background_app_is_refused_while_the_first_holds_the_lock(
    autojump_clock: MockClock,
) -> None:
    async with world(model="Simulated Glasses") as here:
        beta, other = await ready(here, BETA), await ready(here, OTHER)
        begin = trio.current_time()
        await beta.show("beta", BETA)
        for _ in range(11):
            await trio.sleep(1)
            await other.show("other", OTHER)
        await here.user.stop(BETA)
        await trio.sleep(1)
        await other.show("other at last", OTHER)

        assert since(here, begin) == [(0.0, "beta"), (11.0, CLEAR), (12.0, "other at last")]


async def test_p3_1_5_a_lock_that_is_looked_at_passes_on_when_it_was_left(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses", cloud=Cloud(quirks=Quirks(lazy_lock=False))) as here:
        beta, other = await ready(here, BETA), await ready(here, OTHER)
        begin = trio.current_time()
        await beta.show("beta", BETA)
        await trio.sleep(1.5)
        await other.show("too early", OTHER)
        await trio.sleep(1)
        await other.show("other", OTHER)

        assert since(here, begin) == [(0.0, "beta"), (2.5, "other")]


async def test_p3_1_4_the_lock_of_an_app_that_stopped_is_free(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        beta, other = await ready(here, BETA), await ready(here, OTHER)
        await beta.show("beta", BETA, durationMs=60_000)
        beta_app = here.user.app(BETA)
        assert beta_app is not None
        beta_app.forget()
        await trio.sleep(1)
        await other.show("other", OTHER)

        assert here.displays()[-1][1] == "other"


async def test_p3_1_4_an_app_that_does_not_run_shows_nothing(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        alpha = await ready(here)
        count = len(here.displays())
        await alpha.show("ghost", BETA)

        assert len(here.displays()) == count


async def test_p3_1_4_a_stop_leaves_the_display_of_the_lock_holder_alone(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        await ready(here, OTHER)
        beta = await ready(here, BETA)
        begin = trio.current_time()
        await beta.show("beta", BETA, durationMs=1000)
        await here.user.stop(OTHER)
        await trio.sleep(2)

        assert since(here, begin) == [(0.0, "beta"), (1.0, CLEAR)]


async def test_p3_1_4_what_is_throttled_comes_when_the_screen_is_free(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        alpha = await ready(here)
        begin = trio.current_time()
        await alpha.show("short", durationMs=200)
        await trio.sleep(0.1)
        await alpha.show("next")
        await trio.sleep(2)

        assert since(here, begin) == [(0.0, "short"), (0.2, "next")]


async def test_p3_1_4_an_app_that_stops_while_another_boots_leaves_the_card_up(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        alpha = await ready(here)
        await here.start(OTHER)
        begin = trio.current_time()
        await trio.sleep(0.5)
        await here.user.stop(ALPHA)
        await trio.sleep(3)

        assert alpha.end == (1000, "App stopped")
        assert since(here, begin)[:3] == [(0.0, "Other"), (0.5, CLEAR), (0.5, "Other")]


async def test_p3_1_4_two_apps_share_the_throttle(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        beta, alpha = await ready(here, BETA), await ready(here)
        begin = trio.current_time()
        for number in range(10):
            await alpha.show(f"a{number}")
            await trio.sleep(0.05)
            await beta.show(f"b{number}", BETA)
            await trio.sleep(0.05)
        await trio.sleep(1)

        assert [text for _, text in since(here, begin)] == ["a0", "a3", "a6", "a9", "a8", "b9"]


async def test_p3_13_d4_apps_cannot_draw_on_the_dashboard(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        await socket.show("up", view="dashboard")
        await trio.sleep(0.3)
        await socket.show("odd", view="always_on")

        views = [fields["view"] for _, fields in here.phone("display_event")]
        assert views[-2:] == ["main", "always_on"]
        assert here.user.glasses.lines == ("up",)


async def test_p3_13_d5_without_glasses_nothing_is_sent_and_nobody_is_told(autojump_clock: MockClock) -> None:
    async with world(model="Even Realities G1") as here:
        socket = await ready(here)
        here.user.update_device(connected=False)
        count = len(here.displays())
        await socket.show("nobody sees this")
        here.user.disconnect()
        await socket.show("nor this")
        assert len(here.displays()) == count
        assert socket.end is None


async def test_p3_0_5_simulated_glasses_need_not_be_connected(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        here.user.update_device(connected=False)
        await socket.show("seen")

        assert here.user.glasses.lines == ("seen",)


async def test_p3_1_4_stopping_the_main_app_clears_the_screen(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        await socket.show("about to stop")
        await trio.sleep(1)
        begin = trio.current_time()
        await here.user.stop(ALPHA)
        await trio.sleep(2)

        assert since(here, begin) == [(0.0, CLEAR), (0.3, CLEAR)]


async def test_p3_1_4_a_start_interrupts_a_display_that_lasts_and_brings_it_back(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        await socket.show("long lived", durationMs=20_000)
        await trio.sleep(0.5)
        begin = trio.current_time()
        await ready(here, BETA)

        assert since(here, begin) == [(0.0, "Beta"), (1.5, CLEAR), (1.5, "long lived")]


async def test_p3_1_4_a_display_without_duration_is_forgotten_after_a_second(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        await socket.show("plain")
        await trio.sleep(1.5)
        begin = trio.current_time()
        await ready(here, BETA)

        assert since(here, begin) == [(0.0, "Beta"), (1.5, CLEAR), (1.8, CLEAR)]


async def test_p3_1_5_who_loses_the_boot_queue_stays_in_it_and_suppresses_clears(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        beta = await here.start(BETA)
        await trio.sleep(0.4)
        alpha = await here.start()
        await alpha.show("from alpha", durationMs=1)
        await beta.show("from beta", BETA)
        await trio.sleep(3)
        assert [text for _, text in here.displays()] == ["Beta", "Beta, Alpha", "from alpha"]

        begin = trio.current_time()
        await alpha.show("ends", durationMs=1000)
        await trio.sleep(5)
        assert since(here, begin) == [(0.0, "ends")]


async def test_p3_1_5_without_that_fault_the_screen_is_cleared(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses", cloud=Cloud(quirks=Quirks(boot_queue_leftover=False))) as here:
        beta = await here.start(BETA)
        alpha = await here.start()
        await alpha.show("from alpha")
        await beta.show("from beta", BETA)
        await trio.sleep(3)
        begin = trio.current_time()
        await alpha.show("ends", durationMs=1000)
        await trio.sleep(5)

        assert since(here, begin) == [(0.0, "ends"), (1.0, CLEAR)]


async def test_p3_1_4_a_failed_start_takes_its_boot_card_away(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        here.webhooks.answers["session_request"] = [500, 500]
        await here.user.start(ALPHA)
        await trio.sleep(2)

        # The boot timer goes on, and clears once more (P3 1.5).
        assert here.displays() == [(0.0, BOOT), (1.0, CLEAR), (1.3, CLEAR), (1.8, CLEAR)]


async def test_p1_2_7_an_app_that_gave_its_session_away_leaves_the_screen(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        await socket.show("mine")
        await trio.sleep(1)
        begin = trio.current_time()
        await socket.send("ownership_release", packageName=ALPHA, reason="clean_shutdown")
        await socket.close()
        await trio.sleep(2)

        assert since(here, begin) == [(0.0, CLEAR)]


async def test_p3_1_4_a_blip_of_the_socket_leaves_the_screen_alone(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        await socket.show("still here")
        await trio.sleep(1)
        here.user.socket(ALPHA).cut()
        await trio.sleep(2)
        await (await here.open()).reconnect()

        assert here.displays()[-1][1] == "still here"


# --- what the wearer sees


def shown(layout: Json, *, model: str = "Even Realities G1", view: str = "main") -> tuple[str, ...]:
    async def draw() -> tuple[str, ...]:
        glasses = Glasses(model)
        glasses.draw({"view": view, "packageName": ALPHA, "layout": layout})
        await trio.lowlevel.checkpoint()
        return glasses.lines

    return trio.run(draw)


@pytest.mark.parametrize(
    ("layout", "lines"),
    [
        ({"layoutType": "text_wall", "text": "one\ntwo"}, ("one", "two")),
        ({"layoutType": "text_wall", "text": "one\n\nthree"}, ("one", "", "three")),
        ({"layoutType": "text_wall", "text": "word " * 12}, ("word " * 8 + "word", "word word word")),
        ({"layoutType": "text_wall", "text": "x" * 60}, ("x" * 48, "x" * 12)),
        ({"layoutType": "text_wall", "text": "1\n2\n3\n4\n5\n6"}, ("1", "2", "3", "4", "5")),
        ({"layoutType": "text_wall", "text": ""}, ()),
        ({"layoutType": "clear_view"}, ()),
        ({"layoutType": "reference_card", "title": "T", "text": "a\nb"}, ("T", "a", "b")),
        ({"layoutType": "reference_card", "title": "", "text": "a"}, ("", "a")),
        (
            {"layoutType": "double_text_wall", "topText": "left\nmore", "bottomText": "right"},
            ("left" + " " * 20 + "right", "more"),
        ),
    ],
)
def test_p3_1_2_layouts_become_lines(layout: Json, lines: tuple[str, ...]) -> None:
    assert shown(layout) == lines


def test_p3_1_3_a_line_that_fits_by_its_pixels_stays_whole() -> None:
    """Else a text that the app has fitted to the display would be wrapped twice."""
    narrow = "little will fill it, till it is filled: still little ill will"
    fitted = fit(f"{narrow} " * 9, G1).texts

    assert len(narrow) > 48
    assert shown({"layoutType": "text_wall", "text": narrow}) == (narrow,)
    assert shown({"layoutType": "text_wall", "text": "\n".join(fitted)}) == tuple(fitted)
    assert shown({"layoutType": "reference_card", "title": narrow, "text": narrow}) == (narrow, narrow)
    assert len(shown({"layoutType": "text_wall", "text": narrow}, model="Vuzix Z100")) == 2


def test_p3_1_3_the_model_decides_how_many_lines_fit() -> None:
    """By what phones do. The cloud tells apps that the simulated glasses have seven lines (P3 0.8)."""
    text = "\n".join("1234567890")
    assert len(shown({"layoutType": "text_wall", "text": text})) == 5
    assert len(shown({"layoutType": "text_wall", "text": text}, model="Simulated Glasses")) == 5
    assert len(shown({"layoutType": "text_wall", "text": text}, model="Vuzix Z100")) == 7
    assert len(shown({"layoutType": "text_wall", "text": text}, model="Acme Specs")) == 5


@pytest.mark.parametrize("layout", [{"layoutType": "dashboard_card"}, {"layoutType": "bitmap_animation"}, None, {}])
async def test_p3_1_2_what_the_phone_cannot_draw_changes_nothing(layout: object) -> None:
    glasses = Glasses()
    glasses.draw({"view": "main", "layout": {"layoutType": "text_wall", "text": "before"}})
    glasses.draw({"view": "main", "layout": layout})
    await trio.lowlevel.checkpoint()

    assert glasses.lines == ("before",)


async def test_only_the_system_draws_on_the_dashboard() -> None:
    glasses = Glasses()
    glasses.draw({"view": "dashboard", "layout": {"layoutType": "text_wall", "text": "12:00"}})
    await trio.lowlevel.checkpoint()

    assert (glasses.lines, glasses.dashboard) == ((), ("12:00",))


async def test_screens_can_be_waited_for_and_followed(autojump_clock: MockClock) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        followed: list[str] = []

        async def follow() -> None:
            async for screen in here.user.glasses.changes():
                followed.append(screen.text)  # noqa: PERF401 - it never ends

        here.nursery.start_soon(follow)
        await settle()
        since_now = len(here.user.glasses.history)
        await socket.show("first")
        with trio.fail_after(5):
            screen = await here.user.glasses.wait_for(lambda screen: screen.text == "first")
        await trio.sleep(0.3)
        await socket.show("second")
        with trio.fail_after(5):
            again = await here.user.glasses.wait_for(lambda screen: screen.text == "first", since=since_now)
        await settle()

        shown = Screen(at=3.0, package_name=ALPHA, layout="text_wall", lines=("first",), texts=("first",))
        assert screen == again == shown
        assert followed == ["first", "second"]


async def test_waiting_for_a_screen_can_be_cancelled(autojump_clock: MockClock) -> None:
    glasses = Glasses()
    with trio.move_on_after(1) as scope:
        await glasses.wait_for(lambda screen: bool(screen.lines))

    assert scope.cancelled_caught


async def test_p3_1_4_what_a_start_interrupted_is_not_brought_back_for_an_app_that_stopped(
    autojump_clock: MockClock,
) -> None:
    async with world(model="Simulated Glasses") as here:
        socket = await ready(here)
        await socket.show("lasting", ALPHA, durationMs=60_000)
        await trio.sleep(1)
        here.nursery.start_soon(here.user.start, BETA)
        await settle()
        begin = trio.current_time()
        await here.user.stop(ALPHA)
        await trio.sleep(5)

        assert "lasting" not in [text for _, text in since(here, begin)]


async def test_p3_1_5_a_lock_that_was_left_ends_with_the_display_of_its_owner(autojump_clock: MockClock) -> None:
    """What the main app showed last comes back."""
    async with world(model="Simulated Glasses") as here:
        alpha, beta = await ready(here), await ready(here, BETA)
        await trio.sleep(5)
        await alpha.show("main", ALPHA, durationMs=60_000)
        await trio.sleep(1)
        begin = trio.current_time()
        await beta.show("beta", BETA, durationMs=3_000)
        await trio.sleep(5)

        assert since(here, begin) == [(0, "beta"), (3, "main")]
