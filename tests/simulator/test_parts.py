"""Small parts: agenda, session ids of old SDKs, app tokens, webhooks in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import memory_stream_pair

from mentra_trio.simulator import AsgiWebhooks, Cloud, InstalledApp
from mentra_trio.simulator.agenda import Agenda
from mentra_trio.simulator.forwarder import Line
from mentra_trio.simulator.handshake import major_version, user_of_session_id
from mentra_trio.simulator.tokens import InvalidTokenError, _sign, make_token, read_token
from mentra_trio.simulator.webhooks import NoWebhooks

from .apps import settle

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send
    from trio.testing import MockClock


async def test_timers_fire_in_order_also_at_the_same_moment(autojump_clock: MockClock) -> None:
    agenda = Agenda()
    log: list[tuple[float, str]] = []

    def note(text: str) -> None:
        log.append((trio.current_time(), text))

    def set_later() -> None:
        agenda.later(0.5, lambda: note("set later"))

    async with trio.open_nursery() as nursery:
        agenda.later(1, lambda: note("set before it ran"))
        await nursery.start(agenda.run)
        for name in "abc":
            agenda.later(1, lambda name=name: note(name))  # type: ignore[misc]
        agenda.later(0.5, set_later)
        gone = agenda.later(0.7, lambda: note("cancelled"))
        gone.cancel()
        assert not gone.is_pending
        await trio.sleep(2)
        nursery.cancel_scope.cancel()

    assert log == [(1.0, "set before it ran"), (1.0, "a"), (1.0, "b"), (1.0, "c"), (1.0, "set later")]


async def test_a_timer_that_sets_itself_again_at_once_does_not_keep_others_from_running(
    autojump_clock: MockClock,
) -> None:
    """On a clock that stands still it is due again and again; only Ctrl-C would end the test."""
    agenda = Agenda()
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        assert count < 100
        agenda.later(0, again)

    async with trio.open_nursery() as nursery:
        await nursery.start(agenda.run)
        agenda.later(0, again)
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()

    assert 1 < count < 20


async def test_jobs_need_a_cloud_that_runs(autojump_clock: MockClock) -> None:
    cloud = Cloud()
    user = cloud.user("ana@example.com")
    user.stored.note_running("com.example.x")
    await user.connect()
    assert not cloud.agenda.is_running
    with pytest.raises(RuntimeError, match="not running"):
        cloud.agenda.spawn(trio.sleep_forever)


async def test_jobs_of_one_key_run_one_after_another(autojump_clock: MockClock) -> None:
    agenda = Agenda()
    log: list[str] = []

    async def job(name: str) -> None:
        await trio.sleep(1)
        log.append(name)

    async with trio.open_nursery() as nursery:
        await nursery.start(agenda.run)
        for key, name in (("x", "x1"), ("x", "x2"), ("y", "y1")):
            agenda.spawn_in_turn(key, lambda name=name: job(name))  # type: ignore[misc]
        await trio.sleep(1.5)
        assert sorted(log) == ["x1", "y1"]
        agenda.clear()
        await trio.sleep(5)
        assert sorted(log) == ["x1", "y1"]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("session_id", "live", "user"),
    [
        ("ana@example.com-com.example.app", [], "ana@example.com"),
        ("a-b@my-host.example.com-com.example.app", [], "a-b@my-host.example.com"),
        ("Ana@Example.com-com.example.app", ["ana@example.com"], "ana@example.com"),
        ("ana@x.com-y.com-com.example.app", ["ana@x.com", "ana@x.com-y.com"], "ana@x.com-y.com"),
        ("ana@localhost-com.example.app", [], "ana@localhost"),
        ("not-an-address", [], ""),
        ("ana@example.com-", [], ""),
        ("", [], ""),
    ],
)
def test_p1_2_2_the_user_in_a_session_id(session_id: str, live: list[str], user: str) -> None:
    assert user_of_session_id(session_id, live) == user


@pytest.mark.parametrize(
    ("version", "major"), [("3.0.0-hono.8", 3), ("10.1", 10), ("2", 2), ("", None), (None, None), ("three", None)]
)
def test_p1_2_3_the_major_version_is_the_number_before_the_first_dot(version: str | None, major: int | None) -> None:
    assert major_version(version) == major


def test_p1_2_2_a_token_is_only_read_with_its_secret() -> None:
    token = make_token("com.example.x", "key", b"secret")

    assert read_token(token, b"secret") == ("com.example.x", "key")
    for wrong in ("", "a.b.c", token[:-1], token + "x"):
        with pytest.raises(InvalidTokenError):
            read_token(wrong, b"secret")
    with pytest.raises(InvalidTokenError):
        read_token(token, b"another")


async def test_an_asgi_app_is_called_like_over_http() -> None:
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        seen.extend([scope["method"], scope["path"], scope["query_string"], message["body"]])
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        assert (await receive())["type"] == "http.disconnect"

    webhooks = AsgiWebhooks({"https://app.example.com": app})

    assert await webhooks.post("https://app.example.com/webhook?x=1", b"{}") == 201
    assert seen == ["POST", "/webhook", b"x=1", b"{}"]
    assert await webhooks.post("https://elsewhere.example.com/webhook", b"{}") is None
    assert await NoWebhooks().post("https://app.example.com/webhook", b"{}") is None


async def test_an_asgi_app_that_fails_has_answered_500() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await settle()

    async def raises(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ValueError

    webhooks = AsgiWebhooks({"http://silent": silent, "http://raises": raises})

    assert await webhooks.post("http://silent/webhook", b"{}") == 500
    assert await webhooks.post("http://raises/webhook", b"{}") == 500


def test_p1_2_2_a_token_that_holds_no_app_is_none() -> None:
    for body in ("a.b", "a.bm90IGpzb24", "a.W10", "a.eyJwYWNrYWdlTmFtZSI6ImEifQ"):
        with pytest.raises(InvalidTokenError):
            read_token(f"{body}.{_sign(body, b'secret')}", b"secret")


async def test_an_answer_of_an_asgi_app_may_come_in_pieces() -> None:
    """The client stays for all of it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        with trio.move_on_after(1) as patience:
            await receive()
        await send({"type": "http.response.body", "body": b"}"})
        assert patience.cancelled_caught
        assert (await receive())["type"] == "http.disconnect"

    assert await AsgiWebhooks({"http://pieces": app}).post("http://pieces/webhook", b"{}") == 200


async def test_an_error_of_the_test_s_own_http_side_ends_the_cloud() -> None:
    class Broken(NoWebhooks):
        async def post(self, url: str, body: bytes) -> int | None:
            raise ZeroDivisionError

    cloud = Cloud(webhooks=Broken())
    cloud.install(InstalledApp(package_name="com.example.x", api_key="key", public_url="https://x"))
    user = cloud.user("ana@example.com")
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with cloud.running():
            await user.connect()
            await user.start("com.example.x")


@pytest.mark.parametrize("is_frozen", [True, False])
async def test_a_line_that_breaks_is_cut_unless_it_is_frozen(autojump_clock: MockClock, is_frozen: bool) -> None:
    async def breaks() -> None:
        await trio.sleep(1)
        raise trio.BrokenResourceError

    near_end, near = memory_stream_pair()
    far_end, far = memory_stream_pair()
    near.receive_stream.receive_some_hook = breaks
    line = Line()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.run, near, far)
        if is_frozen:
            line.freeze()
        with trio.move_on_after(5) as patience:
            await far_end.receive_some()

        assert patience.cancelled_caught == is_frozen
        await near_end.aclose()
        nursery.cancel_scope.cancel()
