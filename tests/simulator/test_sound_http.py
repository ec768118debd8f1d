"""Streams of sound and spoken text over real HTTP, as a phone fetches them (P3 4.5, 4.6)."""

from collections.abc import MutableMapping

import httpx2
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mentra_trio.simulator import Cloud, serve
from mentra_trio.simulator.server import _Face
from mentra_trio.simulator.sessions import UserSession

STREAM = "0f8fad5b-d9cb-469f-a165-70867728950e"
WEARER = "pat@example.com"

pytestmark = pytest.mark.sockets


class Socket:
    """What an app's socket is told."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []

    def send(self, message: dict[str, object]) -> None:
        self.sent.append(message)


def make_relay(session: UserSession) -> str:
    """Make a relay; give its address."""
    socket = Socket()
    session.relays.start(socket, {"streamId": STREAM, "packageName": "com.example.app"})
    return str(socket.sent[0]["streamUrl"])


async def test_a_phone_fetches_sound_as_it_comes_and_what_is_said() -> None:
    cloud = Cloud()
    with trio.fail_after(20):
        async with cloud.running(), trio.open_nursery() as nursery, httpx2.AsyncClient(trust_env=False) as client:
            origin = await nursery.start(serve, cloud)
            await cloud.user(WEARER).connect()
            session = cloud.session(WEARER)
            assert session is not None
            url = make_relay(session)
            assert url == f"{origin.replace('ws:', 'http:')}/api/audio/stream/pat%40example.com/{STREAM}"

            session.relays.feed(STREAM.encode() + b"one")
            async with client.stream("GET", url) as answer:
                parts = answer.aiter_raw()
                first = await anext(parts)
                session.relays.feed(STREAM.encode() + b"two")
                second = await anext(parts)
                session.relays.end(STREAM)
                rest = [part async for part in parts]
            assert (answer.status_code, first, second, rest) == (200, b"one", b"two", [])
            assert answer.headers["content-type"] == "audio/mpeg"
            assert answer.headers["cache-control"] == "no-cache, no-store"

            late = await client.get(url.replace(STREAM, STREAM.replace("0", "1")))
            assert (late.status_code, late.json()) == (404, {"error": "Stream not found or already ended"})
            nobody = await client.get(url.replace("pat", "nobody"))
            assert (nobody.status_code, nobody.json()) == (404, {"error": "Session not found"})

            speech = await client.get(f"{origin.replace('ws:', 'http:')}/api/tts", params={"text": "Hello there"})
            assert (speech.status_code, speech.headers["content-type"]) == (200, "audio/mpeg")
            assert speech.content[:2] == b"\xff\xf3"
            nursery.cancel_scope.cancel()


async def test_a_phone_that_goes_away_is_noticed() -> None:
    cloud = Cloud()
    with trio.fail_after(20):
        async with cloud.running(), trio.open_nursery() as nursery:
            origin = await nursery.start(serve, cloud)
            await cloud.user(WEARER).connect()
            session = cloud.session(WEARER)
            assert session is not None
            url = make_relay(session)
            host, _, port = origin.removeprefix("ws://").rpartition(":")
            phone = await trio.open_tcp_stream(host, int(port))
            path = url.removeprefix(origin.replace("ws:", "http:"))
            session.relays.feed(STREAM.encode() + b"one")
            await phone.send_all(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            received = b""
            while b"one" not in received:
                received += await phone.receive_some()
            assert session.relays.is_claimed(STREAM)
            await phone.aclose()
            await cloud.wait_until(lambda: not session.relays.is_claimed(STREAM))
            nursery.cancel_scope.cancel()


async def test_a_stream_that_ends_without_a_sound_is_an_empty_answer() -> None:
    """The headers wait for the first sound; the application is called by hand, because nobody sees them wait."""
    cloud, sent = Cloud(), list[dict[str, object]]()
    async with cloud.running(), trio.open_nursery() as nursery:
        await cloud.user(WEARER).connect()
        session = cloud.session(WEARER)
        assert session is not None
        path = make_relay(session).partition("mentra.glass")[2].replace("%40", "@")
        scope: dict[str, object] = {"type": "http", "method": "GET", "raw_path": path.encode(), "query_string": b""}
        scope["headers"] = []
        events: list[dict[str, object]] = [{"type": "http.request"}]

        async def receive() -> dict[str, object]:
            await trio.lowlevel.checkpoint()
            return events.pop() if events else await trio.sleep_forever()

        async def send(message: MutableMapping[str, object]) -> None:
            await trio.lowlevel.checkpoint()
            sent.append(dict(message))

        nursery.start_soon(_Face(cloud).asgi, scope, receive, send)
        await wait_all_tasks_blocked()
        assert sent == []
        session.relays.end(STREAM)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert [(message["type"], message.get("status"), message.get("body")) for message in sent] == [
        ("http.response.start", 200, None),
        ("http.response.body", None, b""),
    ]
