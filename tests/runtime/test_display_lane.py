"""The newest display always arrives, and never faster than the cloud can follow (P3 1.5, D9)."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import SessionClosedError
from tests.scripted_cloud import Choosing, CloudSocket, Connected, connected


def shown(socket: CloudSocket) -> list[tuple[float, str]]:
    """When which text was shown."""
    return [
        (round(when, 6), message["layout"].get("text", "(clear)"))
        for when, message in socket.received
        if message["type"] == "display_event"
    ]


async def show(link: Connected, text: str, *, duration: float | None = None) -> None:
    await link.session.display.show_text_wall(text, duration=duration)


async def test_the_first_display_goes_out_at_once(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await show(link, "a")
        await wait_all_tasks_blocked()

        assert shown(link.socket) == [(0, "a")]


async def test_displays_are_350_ms_apart_and_the_newest_wins(autojump_clock: MockClock) -> None:
    """Closer than 0.3 s the cloud shows stale text in the end."""
    async with connected() as link:
        for number in range(11):
            await trio.sleep_until(number * 0.11)
            await show(link, str(number))
        await trio.sleep(2)

        assert shown(link.socket) == [(0, "0"), (0.35, "3"), (0.7, "6"), (1.05, "9"), (1.4, "10")]
        assert link.session.statistics().outbox.coalesced == 6


async def test_a_burst_shows_its_last(autojump_clock: MockClock) -> None:
    async with connected() as link:
        for number in range(100):
            await show(link, str(number))
        await trio.sleep(2)

        assert shown(link.socket)[-1][1] == "99"
        assert len(shown(link.socket)) == 2


async def test_displays_that_come_slowly_are_not_held_back(autojump_clock: MockClock) -> None:
    async with connected() as link:
        for second in range(4):
            await trio.sleep_until(second)
            await show(link, str(second))
        await trio.sleep(1)

        assert shown(link.socket) == [(0, "0"), (1, "1"), (2, "2"), (3, "3")]


async def test_showing_waits_for_nobody(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.block()
        for number in range(1000):
            await show(link, str(number))

        assert trio.current_time() == 0


async def test_commands_do_not_wait_for_the_pace_of_the_display(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await show(link, "a")
        await show(link, "b")
        await link.session.raw.send("command")
        await link.socket.shown()
        await link.socket.expect("command")

        assert trio.current_time() == 0


async def test_while_the_link_is_down_the_newest_waits(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await trio.sleep(1)
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        for text in "abc":
            await trio.sleep(1)
            await show(link, text)
        await socket.ack()
        await trio.sleep(2)

        assert shown(socket) == [(4, "c")]
        assert link.session.statistics().outbox.coalesced == 2


async def test_the_pace_holds_over_a_reconnect(autojump_clock: MockClock) -> None:
    """The cloud's throttle does not know about sockets."""
    async with connected() as link:
        await show(link, "a")
        await trio.sleep(0.1)
        await link.socket.send("pong")
        await link.socket.cut()
        await show(link, "b")
        socket = await link.next_socket()
        await trio.sleep(1)

        assert shown(socket) == [(0.35, "b")]


async def test_a_display_that_was_written_after_the_last_sign_of_life_is_shown_again(
    autojump_clock: MockClock,
) -> None:
    """It may have gone down with the socket."""
    async with connected() as link:
        await trio.sleep(9)
        link.socket.line.lose_peer()
        await trio.sleep(1)
        await show(link, "into the void")
        socket = await link.next_socket()
        await trio.sleep(1)

        assert [text for _, text in shown(socket)] == ["into the void"]
        assert link.session.statistics().outbox.restored == 1


async def test_a_display_from_before_the_last_sign_of_life_is_not_repeated(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await show(link, "seen")
        await trio.sleep(9)
        await link.socket.cut()
        socket = await link.next_socket()
        await trio.sleep(1)

        assert shown(socket) == []


async def test_a_restored_display_gives_way_to_a_newer_one(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await trio.sleep(1)
        await show(link, "old")
        await wait_all_tasks_blocked()
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        await show(link, "new")
        await trio.sleep(1)
        await socket.ack()
        await trio.sleep(1)

        assert [text for _, text in shown(socket)] == ["new"]


async def test_a_display_whose_write_failed_is_shown_again(autojump_clock: MockClock) -> None:
    """Although frames of the cloud kept arriving during that write."""
    async with connected() as link:
        link.socket.line.block()
        await show(link, "stuck")
        await trio.sleep(5)
        await link.socket.event("button_press", buttonId="a")
        await trio.sleep(1)
        await link.socket.cut()
        socket = await link.next_socket()
        await trio.sleep(1)

        assert [text for _, text in shown(socket)] == ["stuck"]
        assert link.session.statistics().messages_lost == 0


async def test_a_display_whose_write_is_cut_by_a_webhook_is_shown_again(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.block()
        await show(link, "stuck")
        await trio.sleep(3)
        await link.socket.event("button_press", buttonId="a")
        await trio.sleep(1)
        link.runtime.redirect(link.runtime.url)
        socket = await link.next_socket()
        await trio.sleep(1)

        assert [text for _, text in shown(socket)] == ["stuck"]


async def test_after_the_cloud_began_the_app_anew_the_newest_is_shown_again(autojump_clock: MockClock) -> None:
    """The cloud has cleared the display for its boot screen (P3 1.4)."""
    async with connected() as link:
        await show(link, "first")
        await trio.sleep(1)
        await show(link, "last")
        await trio.sleep(100)
        link.runtime.redirect(link.runtime.url)
        socket = await link.next_socket()
        await trio.sleep(1)

        assert [text for _, text in shown(socket)] == ["last"]


async def test_an_empty_display_is_a_state_like_any_other(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await show(link, "text")
        await trio.sleep(1)
        await link.session.display.clear()
        await trio.sleep(100)
        link.runtime.redirect(link.runtime.url)
        socket = await link.next_socket()
        await trio.sleep(1)

        assert [text for _, text in shown(socket)] == ["(clear)"]


@pytest.mark.parametrize(("pause", "texts"), [(3, ["brief"]), (7, [])])
async def test_a_display_is_not_shown_again_after_its_duration(
    autojump_clock: MockClock, pause: float, texts: list[str]
) -> None:
    async with connected() as link:
        await show(link, "brief", duration=5)
        await trio.sleep(pause)
        link.runtime.redirect(link.runtime.url)
        socket = await link.next_socket()
        await trio.sleep(2)

        assert [text for _, text in shown(socket)] == texts


async def test_a_display_that_is_shown_again_stays_for_the_rest_of_its_duration(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await show(link, "brief", duration=5)
        await trio.sleep(4)
        link.runtime.redirect(link.runtime.url)
        socket = await link.next_socket()
        display = await socket.expect("display_event")

        assert display["durationMs"] == 1000


@pytest.mark.parametrize("code", [1009, 1011])
async def test_a_display_that_the_cloud_cannot_take_is_not_sent_again(autojump_clock: MockClock, code: int) -> None:
    async with connected() as link:
        await show(link, "too much")
        await trio.sleep(1)
        await link.socket.close(code)
        socket = await link.next_socket()
        await trio.sleep(1)

        assert shown(socket) == []
        assert link.session.statistics().outbox.discarded == 1


async def test_a_display_outlives_a_close_that_a_later_command_has_caused(autojump_clock: MockClock) -> None:
    """Once: if it was the display after all, the next close tells."""
    async with connected() as link:
        await show(link, "innocent")
        await trio.sleep(6)
        await link.session.raw.send("too_much")
        await trio.sleep(1)
        await link.socket.close(1011)
        socket = await link.next_socket()
        await trio.sleep(1)
        assert [text for _, text in shown(socket)] == ["innocent"]
        await link.session.raw.send("too_much")
        await trio.sleep(1)
        await socket.close(1011)
        socket = await link.next_socket()
        await trio.sleep(1)

        assert shown(socket) == []


async def test_a_display_whose_write_failed_has_all_its_time_left(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.block()
        await show(link, "stuck", duration=1)
        socket = await link.next_socket()
        display = await socket.expect("display_event")

        assert display["durationMs"] == 1000


async def test_a_display_that_is_lost_because_its_time_is_over_is_counted(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await trio.sleep(9)
        link.socket.line.lose_peer()
        await trio.sleep(1)
        await show(link, "into the void", duration=1)
        socket = await link.next_socket()
        await trio.sleep(1)

        assert shown(socket) == []
        assert link.session.statistics().outbox.discarded == 1


async def test_a_display_that_was_shown_for_all_of_its_time_is_not_counted_as_lost(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await show(link, "brief", duration=1)
        await trio.sleep(9)
        link.runtime.redirect(link.runtime.url)
        await link.next_socket()

        assert link.session.statistics().outbox.discarded == 0


async def test_a_display_that_waited_is_sent_although_its_duration_has_passed(autojump_clock: MockClock) -> None:
    """It was never shown, so its time has not begun, and all of it is left."""
    async with connected() as link:
        await trio.sleep(1)
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        await show(link, "brief", duration=1)
        await trio.sleep(3)
        await socket.ack()
        await socket.expect("subscription_update")
        display = await socket.expect("display_event")

        assert (display["layout"]["text"], display["durationMs"]) == ("brief", 1000)


async def test_a_goodbye_after_the_end_is_paced_and_arrives(autojump_clock: MockClock) -> None:
    """The session closes only when it has gone out (D7)."""
    async with connected(random=Choosing(1.0)) as link:
        await show(link, "working")
        await link.session.end()
        await show(link, "goodbye")
        await link.runtime.drain()
        await link.runtime.aclose()

        assert shown(link.socket) == [(0, "working"), (0.35, "goodbye")]


async def test_showing_after_the_end_without_a_link_fails(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.send("app_stopped")
        await link.runtime.over.wait()
        await wait_all_tasks_blocked()
        with pytest.raises(SessionClosedError):
            await show(link, "too late")


# The boot screen of the cloud (P3 1.4, 1.5)


@pytest.mark.parametrize(("at", "sent_at"), [(0, 1.6), (1, 1.6), (1.59, 1.6), (1.7, 1.7)])
async def test_a_duration_begins_when_the_boot_screen_is_over(
    autojump_clock: MockClock, at: float, sent_at: float
) -> None:
    """The cloud never ends what it gets under the boot screen."""
    async with connected() as link:
        await trio.sleep(at)
        await show(link, "brief", duration=1)
        display = await link.socket.expect("display_event")

        assert display["durationMs"] == 1000
        assert shown(link.socket) == [(sent_at, "brief")]


async def test_what_has_no_duration_does_not_wait_for_the_boot_screen(autojump_clock: MockClock) -> None:
    """It replaces what does, and is sent once."""
    async with connected() as link:
        await show(link, "brief", duration=1)
        await wait_all_tasks_blocked()
        await show(link, "stays")
        await trio.sleep(10)

        assert shown(link.socket) == [(0, "stays")]
        assert link.session.statistics().outbox.coalesced == 1


async def test_under_the_boot_screen_the_newest_of_those_that_wait_is_sent(autojump_clock: MockClock) -> None:
    async with connected() as link:
        for text in ("one", "two", "three"):
            await show(link, text, duration=1)
            await trio.sleep(0.4)
        await trio.sleep(10)

        assert shown(link.socket) == [(1.6, "three")]


async def test_a_short_break_of_the_connection_does_not_prolong_the_boot_screen(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await show(link, "brief", duration=1)
        await trio.sleep(0.5)
        await link.socket.cut()
        socket = await link.next_socket()
        await trio.sleep(5)

        assert socket.received[0][1]["type"] == "reconnect"
        assert shown(socket) == [(1.6, "brief")]


async def test_while_the_link_is_down_the_end_of_the_boot_screen_sends_nothing(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await show(link, "brief", duration=1)
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        await trio.sleep(3)
        await socket.ack()
        await trio.sleep(1)

        assert shown(socket) == [(3, "brief")]


async def test_a_session_that_is_over_waits_for_no_boot_screen(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await show(link, "brief", duration=1)
        await link.session.end()
        await wait_all_tasks_blocked()
        await show(link, "goodbye", duration=2)
        await link.runtime.drain()
        await link.runtime.aclose()

        assert shown(link.socket) == [(0, "brief"), (0.35, "goodbye")]


async def start_again(link: Connected) -> CloudSocket:
    """Begin the app anew."""
    link.runtime.redirect(link.runtime.url)
    return await link.next_socket()


@pytest.mark.parametrize(("pause", "times"), [(1, [1, 2.95]), (3.1, [3.1, 5.05]), (3.3, [3.3])])
async def test_after_a_second_start_within_two_boot_screens_the_newest_is_shown_once_more(
    autojump_clock: MockClock, pause: float, times: list[float]
) -> None:
    """The timer of the first ends the second one too soon, whose own timer then empties the display."""
    async with connected() as link:
        await trio.sleep(pause)
        socket = await start_again(link)
        await show(link, "hello")
        await trio.sleep(10)

        assert shown(socket) == [(time, "hello") for time in times]
        assert link.session.statistics().outbox.restored == len(times) - 1


async def test_what_is_newer_takes_the_place_of_what_was_to_be_shown_once_more(autojump_clock: MockClock) -> None:
    async with connected() as link:
        socket = await start_again(link)
        await show(link, "old")
        await trio.sleep(1.9)
        await show(link, "new")
        await trio.sleep(0.1)
        await show(link, "newest")
        await trio.sleep(10)

        assert shown(socket) == [(0, "old"), (1.9, "new"), (2.25, "newest")]


async def test_what_is_shown_once_more_keeps_the_pace(autojump_clock: MockClock) -> None:
    async with connected() as link:
        socket = await start_again(link)
        await trio.sleep(1.9)
        await show(link, "hello")
        await trio.sleep(10)

        assert shown(socket) == [(1.9, "hello"), (2.25, "hello")]


async def test_a_session_that_is_over_shows_nothing_once_more(autojump_clock: MockClock) -> None:
    async with connected() as link:
        socket = await start_again(link)
        await show(link, "hello")
        await trio.sleep(0.5)
        await link.session.end()
        await trio.sleep(10)

        assert shown(socket) == [(0, "hello")]
