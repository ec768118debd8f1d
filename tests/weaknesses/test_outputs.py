"""Traps of what apps send to the cloud, one by one: `test_p3_0_4_...` is a trap of P3 0.4, `test_p3_1_5_row_1_...` the
first row of the table in P3 1.5. The list is in `test_every_one.py`.
"""

import itertools
from collections.abc import Mapping
from typing import ClassVar, cast

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import LinkState, MentraSession
from mentra_trio._wire.outbound import Family, Request
from mentra_trio.errors import RequestError
from tests.scripted_cloud import PACKAGE, Connected, connected, open_app, open_cloud
from tests.weaknesses.simulated import open_simulated


def request_of(member: Family) -> Request[str]:
    """Make a request of a family that nobody answers."""

    @attrs.frozen
    class Ask(Request[str]):
        TYPE: ClassVar[str] = f"ask_{member.value}"
        FAMILY: ClassVar[Family] = member
        LIMIT: ClassVar[float] = 30.0

        def accept(self, message: Mapping[str, object], /) -> str | None:
            return None

    return Ask()


@attrs.define(eq=False)
class Callers:
    """One waiting request of each family."""

    link: Connected
    failed: dict[str, float] = attrs.field(factory=dict[str, float])
    """When which family was refused."""

    async def ask(self, family: Family) -> None:
        """Ask, and note a refusal."""
        try:
            await self.link.runtime.call(request_of(family))
        except RequestError:
            self.failed[family.value] = trio.current_time()


# 0 Rules shared by every action


async def test_p3_0_1_every_message_names_the_app_and_the_session(autojump_clock: MockClock) -> None:
    """P3 0.1: the cloud trusts the package in the message, so one without it, or with another one, goes astray."""
    async with connected(sessionId="0f6b") as link:
        session = link.session
        async with session.mic.stream():
            await session.display.show_text_wall("hello")
            await session.raw.send("custom")
            await wait_all_tasks_blocked()
        messages = link.socket.unread()

        assert {message["type"] for message in messages} >= {"subscription_update", "display_event", "custom"}
        assert {(message["packageName"], message["sessionId"]) for message in messages} == {(PACKAGE, "0f6b")}
        assert all(message["timestamp"].endswith("Z") for message in messages)


async def test_p3_0_3_nobody_waits_for_an_answer_that_never_comes(autojump_clock: MockClock) -> None:
    """P3 0.3: a display is not answered, ever."""
    async with connected() as link:
        link.socket.line.block()
        for number in range(5):
            await link.session.display.show_text_wall(str(number))
            await link.session.display.clear()
            await link.session.raw.send("custom")

        assert trio.current_time() == 0


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "WIFI_NOT_CONNECTED", "MALFORMED_MESSAGE", "INTERNAL_ERROR"])
async def test_p3_0_4_a_failed_action_is_not_the_end_of_the_session(autojump_clock: MockClock, code: str) -> None:
    """P3 0.4: an error and a close with 1008 mean "your last action failed"."""
    async with open_cloud() as cloud, open_app(cloud) as app:
        socket = await app.start()
        await trio.sleep(30)
        await app.sessions[0].raw.send("photo_request")
        await socket.expect("photo_request")
        await socket.send("tpa_connection_error", code=code, message="Cannot process photo request - no")
        await socket.close(1008, "Cannot process photo request - no")
        fresh = await cloud.accept()
        first = await fresh.open()
        await fresh.ack()
        await fresh.expect("subscription_update")
        await wait_all_tasks_blocked()

        assert first["type"] == "reconnect"
        assert fresh.unread() == [], "an action that failed is not repeated"
        assert trio.current_time() - 30 <= 0.25
        assert len(app.sessions) == 1
        assert app.sessions[0].link_state.value is LinkState.CONNECTED


@pytest.mark.parametrize(
    ("code", "text", "families"),
    [
        ("PERMISSION_DENIED", "Camera permission required to take photos", {"photo"}),
        ("PERMISSION_DENIED", "Camera permission required to set FOV", {"fov"}),
        ("PERMISSION_DENIED", "Camera permission required to start video streams", {"stream"}),
        ("PERMISSION_DENIED", "Camera permission required for managed streams", {"stream"}),
        ("WIFI_NOT_CONNECTED", "Cannot process request - smart glasses must be connected to WiFi", {"stream"}),
        ("INTERNAL_ERROR", "Cannot process photo request - smart glasses are not connected", {"photo"}),
        ("INTERNAL_ERROR", "Glasses not connected", {"led", "audio", "fov"}),
        ("STREAM_CREATE_FAILED", "Stream 1 exists", {"audio"}),
        ("INTERNAL_ERROR", "something else", {"photo", "stream", "audio", "led", "fov", "other"}),
    ],
)
async def test_p3_0_4_all_that_a_refusal_can_mean_fails_at_once_and_nothing_else(
    autojump_clock: MockClock, code: str, text: str, families: set[str]
) -> None:
    """P3 0.4, P3 0.5: nothing correlates, and every promise there waits for its 30 s to 60 s."""
    async with connected() as link, trio.open_nursery() as nursery:
        callers = Callers(link)
        for family in Family:
            nursery.start_soon(callers.ask, family)
        await trio.sleep(3)
        await link.socket.send("tpa_connection_error", code=code, message=text)
        await wait_all_tasks_blocked()

        assert callers.failed == dict.fromkeys(families, 3)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("code", ["STREAM_CREATE_FAILED", "SESSION_NOT_FOUND"])
async def test_p3_0_4_an_error_that_closes_nothing_changes_nothing(autojump_clock: MockClock, code: str) -> None:
    """P3 0.4: these two leave the socket open."""
    async with connected() as link:
        await link.socket.send("tpa_connection_error", code=code, message="no")
        await trio.sleep(100)

        assert len(link.cloud.dials) == 1
        assert link.session.link_state.value is LinkState.CONNECTED


@pytest.mark.parametrize("culprit", ["display_event", "custom"])
async def test_p3_0_4_an_action_that_breaks_the_cloud_is_not_repeated(autojump_clock: MockClock, culprit: str) -> None:
    """P3 0.4: an exception in there closes with 1011; the same message again would do it again."""
    async with connected() as link:
        if culprit == "display_event":
            await link.session.display.show_text_wall("poison")
        else:
            await link.session.raw.send("custom")
        await link.socket.expect(culprit)
        await link.socket.close(1011, "Internal server error")
        socket = await link.next_socket()
        await trio.sleep(5)

        assert socket.unread() == []


async def test_p3_0_7_a_display_during_a_reconnect_is_shown_after_it(autojump_clock: MockClock) -> None:
    """P3 0.7: all that is shown or sent meanwhile is lost without an error."""
    async with connected() as link:
        await link.session.display.show_text_wall("before")
        await wait_all_tasks_blocked()
        await link.socket.cut()
        await wait_all_tasks_blocked()
        for text in ("one", "two", "newest"):
            await link.session.display.show_text_wall(text)
        socket = await link.next_socket()

        assert (await socket.shown())["text"] == "newest"
        await trio.sleep(5)
        assert socket.unread() == []


@pytest.mark.parametrize("how", ["swallowed", "half written"])
async def test_p3_0_7_a_display_that_a_dying_socket_takes_is_shown_by_the_next(
    autojump_clock: MockClock, how: str
) -> None:
    """P3 0.7: nothing tells that it never arrived."""
    async with connected() as link:
        if how == "swallowed":
            link.socket.line.lose_peer()
        else:
            link.socket.line.block()
        await link.session.display.show_text_wall("hello")
        await wait_all_tasks_blocked()
        if how == "half written":
            await trio.sleep(1)
            await link.socket.event("head_position", position="up")  # the other direction was sound for longer
            await wait_all_tasks_blocked()
            await link.socket.cut()
        socket = await link.next_socket()

        assert (await socket.shown())["text"] == "hello"
        assert link.session.statistics().messages_lost == 0


async def test_p3_0_7_a_display_that_is_too_large_is_not_repeated(autojump_clock: MockClock) -> None:
    """P3 0.7: as the newest it would be sent on every new socket, and cost that as well."""
    async with connected() as link:
        await link.session.display.show_text_wall("16 MiB")
        await link.socket.expect("display_event")
        await link.socket.close(1009, "Message too big")
        socket = await link.next_socket()
        await trio.sleep(5)

        assert socket.unread() == []


async def test_p3_0_7_a_frame_that_is_too_large_is_lost_once_and_counted(autojump_clock: MockClock) -> None:
    """P3 0.7: the cloud takes 16 MiB and closes with 1009; the frame again would cost the next connection as well."""
    async with connected() as link:
        link.socket.line.block()
        await link.session.raw.send("custom", data="16 MiB")
        await link.session.raw.send("after")
        await wait_all_tasks_blocked()
        await link.socket.close(1009, "Message too big")
        socket = await link.next_socket()
        await wait_all_tasks_blocked()

        assert [message["type"] for message in socket.unread()] == ["after"]
        assert link.session.statistics().messages_lost == 1


async def test_p3_0_7_an_idle_socket_is_never_silent_for_long(autojump_clock: MockClock) -> None:
    """P3 0.7: the cloud closes after two minutes without traffic, and proxies after 60 s (P1 2.8)."""
    async with connected() as link:
        await trio.sleep(3600)
        times = [*(when for when, _ in link.socket.received), trio.current_time()]

        assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 30
        assert len(link.cloud.dials) == 1


# 1 Display


async def test_p3_1_1_a_display_may_have_an_end(autojump_clock: MockClock) -> None:
    """P3 1.1: the third SDK has no way to say so."""
    async with connected() as link:
        await link.session.display.show_reference_card("Standup", "Room A", duration=5)
        message = await link.socket.expect("display_event")

        assert message["durationMs"] == 5000


@pytest.mark.parametrize("text", [None, 5, b"hello", ["a"], {"text": "a"}])
async def test_p3_1_1_what_is_no_text_is_refused_at_the_call(autojump_clock: MockClock, text: object) -> None:
    """P3 1.1: `null` is shown as an empty display, other things as whatever they print like."""
    async with connected() as link:
        display = link.session.display
        text = cast("str", text)  # what an author without a type checker passes
        with pytest.raises(TypeError, match="text"):
            await display.show_text_wall(text)
        with pytest.raises(TypeError, match="text"):
            await display.show_double_text_wall("a", text)
        with pytest.raises(TypeError, match="text"):
            await display.show_reference_card(text, "b")
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_p3_1_2_every_display_names_its_view(autojump_clock: MockClock) -> None:
    """P3 1.2: the phone ignores an event without one, and the cloud moves an app's dashboard to `main`."""
    async with connected() as link:
        display = link.session.display
        for show in (
            display.show_text_wall("a"),
            display.show_text(["a", "b"]),
            display.show_double_text_wall("a", "b"),
            display.show_reference_card("a", "b"),
            display.show_dashboard_card("a", "b"),
            display.clear(),
        ):
            await show
            assert (await link.socket.expect("display_event"))["view"] == "main"


async def test_p3_1_2_the_upper_text_is_the_left_one(autojump_clock: MockClock) -> None:
    """P3 1.2: what the wire calls top and bottom are columns."""
    async with connected() as link:
        await link.session.display.show_double_text_wall("left", "right")
        layout = await link.socket.shown()

        assert layout == {"layoutType": "double_text_wall", "topText": "left", "bottomText": "right"}


@pytest.mark.parametrize("duration", [0, 0.0, 0.0004, -1, float("nan"), float("inf")])
async def test_p3_1_2_no_duration_becomes_the_one_that_means_for_ever(
    autojump_clock: MockClock, duration: float
) -> None:
    """P3 1.2: 0 ms arms no timer and is never restored."""
    async with connected() as link:
        with pytest.raises(ValueError, match="duration"):
            await link.session.display.show_text_wall("a", duration=duration)
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_p3_1_5_row_1_the_last_display_is_the_one_that_stays(autojump_clock: MockClock) -> None:
    """P3 1.5: shown at 0, 0.2 and 0.32 s, the cloud would end with the second one."""

    async def handler(session: MentraSession) -> None:
        await trio.sleep(3)  # the boot screen is over
        for text, pause in (("one", 0.2), ("two", 0.12), ("three", 0)):
            await session.display.show_text_wall(text)
            await trio.sleep(pause)

    async with open_simulated(handler) as world:
        await trio.sleep(10)

        assert [text for _, text in world.shown()] == ["one", "three"]
        assert world.user.glasses.lines == ("three",)


@pytest.mark.parametrize("pause", [0.01, 0.1, 0.29, 0.31])
async def test_p3_1_5_row_2_of_steady_updates_the_last_is_not_late(autojump_clock: MockClock, pause: float) -> None:
    """P3 1.5: the cloud passes on what comes within 0.3 s some other time, and the last one late."""

    async def handler(session: MentraSession) -> None:
        await trio.sleep(3)
        for number in range(30):
            await session.display.show_text_wall(str(number))
            last.append(trio.current_time())
            await trio.sleep(pause)

    last: list[float] = []
    async with open_simulated(handler) as world:
        await trio.sleep(20)
        shown = world.shown()

        assert shown[-1][1] == "29"
        assert shown[-1][0] <= last[-1] + 0.351
        assert [int(text) for _, text in shown] == sorted(int(text) for _, text in shown)


async def test_p3_1_5_row_6_a_display_of_the_first_moment_ends(autojump_clock: MockClock) -> None:
    """P3 1.5: the cloud shows it when the boot screen is over, and arms no timer."""

    async def handler(session: MentraSession) -> None:
        await session.display.show_text_wall("hello", duration=3)

    async with open_simulated(handler) as world:
        screen = await world.user.glasses.expect("hello")
        await trio.sleep(2.5)
        assert world.user.glasses.lines == ("hello",), "it is there for its time, less what the cloud took"
        await trio.sleep(1)

        assert screen.at < 2
        assert not world.user.glasses.lines


@pytest.mark.parametrize("pause", [0, 0.3, 0.6, 0.9, 1.2, 1.4])
async def test_p3_1_5_row_8_what_is_shown_after_a_quick_start_stays(autojump_clock: MockClock, pause: float) -> None:
    """P3 1.5: a stop leaves the timer of the boot screen, which clears what the next run of the app shows."""

    async def handler(session: MentraSession) -> None:
        await session.display.show_text_wall("hello")

    async with open_simulated(handler) as world:
        await trio.sleep(pause)
        await world.user.stop(PACKAGE)
        await world.user.start(PACKAGE)
        await trio.sleep(10)

        assert world.user.glasses.lines == ("hello",)


async def test_p3_1_5_row_9_showing_promises_nothing(autojump_clock: MockClock) -> None:
    """P3 1.5: a display that the cloud refuses is invisible, so a call can tell nothing but "it is on its way"."""
    async with connected() as link:
        await link.session.display.show_text_wall("a")
        await link.socket.expect("display_event")
        await trio.sleep(100)

        assert link.session.statistics().outbox.written_lanes == 1


async def test_p3_1_5_row_10_a_dashboard_card_is_drawn(autojump_clock: MockClock) -> None:
    """P3 1.5: the phone cannot draw the wire's own card, and it lands on the main display all the same."""

    async def handler(session: MentraSession) -> None:
        await trio.sleep(3)
        await session.display.show_dashboard_card("left", "right")

    async with open_simulated(handler) as world:
        await trio.sleep(10)

        assert world.user.glasses.lines
        assert world.user.glasses.lines[0].split() == ["left", "right"]
