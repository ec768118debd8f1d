"""The dashboard: the newest words, sent once (P3 3)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio.errors import SessionClosedError
from mentra_trio.models.session import StopKind, StopReason
from tests.scripted_cloud import PACKAGE, SESSION, Connected, connected

UPDATE = "dashboard_content_update"


async def show(link: Connected, text: object) -> None:
    """Show whatever an author may pass."""
    method = "show_text"
    await getattr(link.session.dashboard, method)(text)


async def said(link: Connected) -> list[str]:
    """Wait until the pace lets everything pass, and give what was sent."""
    await trio.sleep(1)
    return [message["content"] for message in link.socket.unread() if message["type"] == UPDATE]


@pytest.mark.parametrize(
    ("text", "content"),
    [("3 notes", "3 notes"), (["a", "b"], "a\nb"), ("✓ 电池 🔋\n2", "✓ 电池 🔋\n2"), (("one",), "one")],
)
async def test_a_text_is_sent_for_the_main_mode(autojump_clock: MockClock, text: object, content: str) -> None:
    async with connected() as link:
        with assert_checkpoints():
            await show(link, text)
        message = await link.socket.expect(UPDATE)

    assert message.pop("timestamp").endswith("Z")
    assert message == {
        "type": UPDATE,
        "packageName": PACKAGE,
        "sessionId": SESSION,
        "content": content,
        "modes": ["main"],
    }


@pytest.mark.parametrize("text", [None, 5, {"a": 1}, {"a"}, ["a", None], b"bytes"])
async def test_what_is_no_text_is_refused(autojump_clock: MockClock, text: object) -> None:
    async with connected() as link:
        with pytest.raises(TypeError, match=r"str\(\.\.\.\)"):
            await show(link, text)

        assert await said(link) == []


async def test_what_is_shown_already_is_not_sent_again(autojump_clock: MockClock) -> None:
    """P3 3.4: each update moves the app to the front of the others."""
    async with connected() as link:
        for _ in range(3):
            await link.session.dashboard.show_text("same")
            await trio.sleep(1)
        await link.session.dashboard.show_text(["same"])

        assert await said(link) == ["same"]


async def test_the_newest_of_a_burst_is_sent(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.session.dashboard.show_text("first")
        await trio.sleep(0.1)
        for number in range(10):
            await link.session.dashboard.show_text(str(number))

        assert await said(link) == ["first", "9"]


async def test_what_is_shown_is_what_was_sent(autojump_clock: MockClock) -> None:
    """Words that were replaced before they left were never there."""
    async with connected() as link:
        await link.session.dashboard.show_text("x")
        await trio.sleep(0.1)
        await link.session.dashboard.show_text("y")
        await link.session.dashboard.show_text("x")

        assert await said(link) == ["x"]
        assert link.session.statistics().outbox.lanes == 0
        await link.session.dashboard.show_text("y")
        assert await said(link) == ["y"]


async def test_what_never_left_needs_no_clearing(autojump_clock: MockClock) -> None:
    """P3 3.4: else an empty place would stay among the apps."""
    async with connected() as link:
        await link.socket.cut()
        await wait_all_tasks_blocked()
        await link.session.dashboard.show_text("a")
        await link.session.dashboard.clear()
        socket = await link.next_socket()
        await trio.sleep(1)

        assert [message for message in socket.unread() if message["type"] == UPDATE] == []


async def test_what_may_be_lost_is_cleared_and_shown_again(autojump_clock: MockClock) -> None:
    """Whether the last words before the end of a socket arrived, nobody knows."""
    async with connected() as link:
        await link.session.dashboard.show_text("a")
        await link.socket.expect(UPDATE)
        await link.socket.cut()
        await wait_all_tasks_blocked()
        await link.session.dashboard.show_text("b")
        await link.session.dashboard.show_text("a")
        socket = await link.next_socket()
        assert (await socket.expect(UPDATE))["content"] == "a"
        await socket.cut()
        await wait_all_tasks_blocked()
        await link.session.dashboard.clear()
        socket = await link.next_socket()

        assert (await socket.expect(UPDATE))["content"] == ""


async def test_nothing_is_cleared_where_nothing_was_shown(autojump_clock: MockClock) -> None:
    """P3 3.4: empty words would make a blank place among the apps."""
    async with connected() as link:
        with assert_checkpoints():
            await link.session.dashboard.clear()
        await link.session.dashboard.show_text("")
        await link.session.dashboard.show_text([])

        assert await said(link) == []


async def test_what_was_shown_is_cleared_once(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.session.dashboard.show_text("a")
        assert await said(link) == ["a"]
        await link.session.dashboard.clear()
        await link.session.dashboard.clear()
        assert await said(link) == [""]
        await link.session.dashboard.show_text("a")

        assert await said(link) == ["a"]


async def test_words_wait_for_the_link(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.cut()
        await wait_all_tasks_blocked()
        await link.session.dashboard.show_text("old")
        await link.session.dashboard.show_text("new")
        socket = await link.next_socket()

        assert (await socket.expect(UPDATE))["content"] == "new"


async def test_words_that_may_be_lost_are_sent_again(autojump_clock: MockClock) -> None:
    """Sent just before the end of a socket; equal words after it are still sent only once."""
    async with connected() as link:
        await link.session.dashboard.show_text("a")
        await link.socket.expect(UPDATE)
        await link.socket.cut()
        socket = await link.next_socket()
        await link.session.dashboard.show_text("a")

        assert (await socket.expect(UPDATE))["content"] == "a"
        await trio.sleep(1)
        assert [message for message in socket.unread() if message["type"] == UPDATE] == []


async def test_a_cancelled_call_has_shown_nothing(autojump_clock: MockClock) -> None:
    async with connected() as link:
        with trio.CancelScope() as scope:
            scope.cancel()
            await link.session.dashboard.show_text("a")
        assert await said(link) == []
        await link.session.dashboard.show_text("a")

        assert await said(link) == ["a"]


async def test_after_the_end_nothing_is_shown(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.cut()
        await wait_all_tasks_blocked()
        link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))
        with pytest.raises(SessionClosedError):
            await link.session.dashboard.show_text("a")


@pytest.mark.parametrize("text", ["same", "other", ""])
async def test_after_the_end_equal_words_are_refused_too(autojump_clock: MockClock, text: str) -> None:
    async with connected() as link:
        await link.session.dashboard.show_text("same")
        await said(link)
        await link.socket.cut()
        await wait_all_tasks_blocked()
        link.runtime.finish(StopReason(StopKind.ENDED_BY_APP))
        with pytest.raises(SessionClosedError):
            await link.session.dashboard.show_text(text)
