"""The HTTP client: what it sends, what it makes of an answer, and what it never does."""

from __future__ import annotations

import gzip
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import httpx2
import pytest
import trio

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio._net.rest import HttpAnswer, HttpRequest, HttpxClient, Network, NoHttp
from mentra_trio._net.transport import CloudUrl
from mentra_trio.errors import ConnectFailedError, StorageError, TransportError
from mentra_trio.simulator import Cloud, HttpWebhooks, InstalledApp, serve

if TYPE_CHECKING:
    from trio.testing import MockClock

URL = CloudUrl(host="api.mentra.glass", port=443, tls=True, target="/api/sdk/simple-storage/a%40b.c/k%252E?x=%20")
Handler = Callable[[httpx2.Request], httpx2.Response]


class Body(httpx2.AsyncByteStream):
    """A body that comes in parts."""

    def __init__(self, part: bytes, parts: int) -> None:
        self.part = part
        self.parts = parts
        self.read = 0
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:  # noqa: ASYNC900 - as the library wants it
        while self.read < self.parts:
            self.read += 1
            await trio.lowlevel.checkpoint()
            yield self.part

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self.is_closed = True


def client_for(handler: Handler) -> HttpxClient:
    return HttpxClient(httpx2.MockTransport(handler))


async def get(client: HttpxClient, *, largest: int = 1000) -> HttpAnswer:
    return await client.exchange(HttpRequest(method="GET", url=URL), largest=largest)


async def test_a_request_is_sent_as_it_is(autojump_clock: MockClock) -> None:
    """Nobody spells the path a second time."""
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(201, headers={"X-Kind": "a"}, content=b"done")

    client = client_for(handle)
    request = HttpRequest(method="PUT", url=URL, headers=(("authorization", "Bearer a:b"),), body=b"{}")
    answer = await client.exchange(request, largest=4)

    assert (answer.status, answer.body, answer.headers["x-kind"]) == (201, b"done", "a")
    (sent,) = seen
    assert sent.method == "PUT"
    assert sent.url.raw_path == URL.target.encode()
    assert sent.headers["host"] == "api.mentra.glass"
    assert sent.headers["authorization"] == "Bearer a:b"
    assert sent.content == b"{}"
    assert sent.headers["user-agent"].startswith("mentra_trio/")
    await client.aclose()


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (CloudUrl(host="127.0.0.1", port=8002, tls=False, target="/a"), "http://127.0.0.1:8002/a"),
        (CloudUrl(host="::1", port=80, tls=False, target="/a"), "http://[::1]/a"),
        (CloudUrl(host="cloud.example.com", port=443, tls=True, target="/a"), "https://cloud.example.com/a"),
    ],
)
async def test_an_address_is_made_of_parts(autojump_clock: MockClock, url: CloudUrl, base: str) -> None:
    seen: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        return httpx2.Response(200)

    await client_for(handle).exchange(HttpRequest(method="GET", url=url), largest=1)
    assert seen == [base]


async def test_an_answer_is_read_up_to_a_limit(autojump_clock: MockClock) -> None:
    body = Body(b"x" * 100, 1000)
    client = client_for(lambda _: httpx2.Response(200, stream=body))
    with pytest.raises(TransportError, match="more than 250 bytes"):
        await get(client, largest=250)

    assert body.read == 3
    assert body.is_closed


async def test_a_redirect_is_not_followed(autojump_clock: MockClock) -> None:
    """The key would go to a host that nobody has allowed (D14)."""
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        return httpx2.Response(307, headers={"location": "https://elsewhere.example.com/"})

    assert (await get(client_for(handle))).status == 307
    assert asked == ["api.mentra.glass"]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx2.ConnectError("refused"), ConnectFailedError),
        (httpx2.ReadError("the secret"), TransportError),
        (httpx2.RemoteProtocolError("the secret"), TransportError),
        (httpx2.WriteError("the secret"), TransportError),
    ],
)
async def test_errors_of_the_library_stay_here(
    autojump_clock: MockClock, raised: Exception, expected: type[Exception]
) -> None:
    def handle(_: httpx2.Request) -> httpx2.Response:
        raise raised

    with pytest.raises(expected) as caught:
        await get(client_for(handle))

    assert type(caught.value) is expected
    assert caught.value.__cause__ is raised
    assert "secret" not in str(caught.value)


async def test_nobody_logs_where_a_request_goes(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """An address names the wearer, and the library tells each one to whoever logs from INFO (D23)."""
    caplog.set_level(logging.INFO)
    assert (await get(client_for(lambda _: httpx2.Response(200)))).status == 200

    assert caplog.text == ""


async def test_an_answer_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    """One client asks for all wearers."""
    sent: list[str | None] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers.get("cookie"))
        return httpx2.Response(200, headers={"set-cookie": "wearer=ana"})

    client = client_for(handle)
    await get(client)
    await get(client)

    assert sent == [None, None]


async def test_a_packed_answer_is_unpacked(autojump_clock: MockClock) -> None:
    sent: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers["accept-encoding"])
        return httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=Body(gzip.compress(b"done"), 1))

    assert (await get(client_for(handle))).body == b"done"
    assert sent == ["gzip, deflate"]


async def test_what_cannot_be_unpacked_is_no_answer(autojump_clock: MockClock) -> None:
    headers = {"content-encoding": "gzip"}
    with pytest.raises(TransportError):
        await get(client_for(lambda _: httpx2.Response(200, headers=headers, stream=Body(b"no gzip", 1))))


async def test_a_cancelled_request_leaves_the_client_whole(autojump_clock: MockClock) -> None:
    class Slow(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            await trio.sleep(5 if request.headers.get("slow") else 0)
            return httpx2.Response(200)

    client = HttpxClient(Slow())
    with trio.move_on_after(1) as scope:
        await client.exchange(HttpRequest(method="GET", url=URL, headers=(("slow", "1"),)), largest=1)

    assert scope.cancelled_caught
    assert (await get(client)).status == 200


async def test_it_can_be_closed_and_used_again(autojump_clock: MockClock) -> None:
    """An app that runs twice has one client."""
    client = client_for(lambda _: httpx2.Response(200))
    await client.aclose()
    assert (await get(client)).status == 200
    await client.aclose()
    await client.aclose()


async def test_without_http_there_is_an_error_that_says_what_to_do(autojump_clock: MockClock) -> None:
    with pytest.raises(ConnectFailedError, match="http="):
        await NoHttp().exchange(HttpRequest(method="GET", url=URL), largest=1)


async def test_a_simulated_cloud_brings_its_http_along(autojump_clock: MockClock) -> None:
    cloud = Cloud()

    assert isinstance(cloud.connector, Network)
    with pytest.raises(ConnectFailedError):
        await cloud.http.exchange(HttpRequest(method="GET", url=URL), largest=1)
    async with cloud.running():
        answer = await cloud.http.exchange(HttpRequest(method="GET", url=URL), largest=1000)
        assert answer.status == 401
        with pytest.raises(TransportError, match="more than 5 bytes"):
            await cloud.http.exchange(HttpRequest(method="GET", url=URL), largest=5)


def test_neither_requests_nor_answers_show_what_they_hold() -> None:
    request = HttpRequest(method="PUT", url=URL, headers=(("authorization", "secret"),), body=b"secret")
    assert "secret" not in repr(request) + repr(HttpAnswer(status=200, body=b"secret"))


@pytest.mark.sockets
async def test_values_are_stored_over_real_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default client against the served cloud; a proxy that the environment names is left alone."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    app = MiniAppServer("com.example.app", "k", dev=True, host="127.0.0.1", port=0)
    done = trio.Event()
    found: list[object] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        key = "ä/%.$ b?c#d"
        await session.storage.set(key, {"a": 1})
        await session.storage.flush()
        await session.storage.reload()
        found.append(await session.storage.get(key, as_type=dict[str, int]))
        await session.storage.delete(key)
        found.append(session.permissions.state.value.is_known)
        cloud.faults.http_status = 500
        with pytest.raises(StorageError):
            await session.storage.reload()
        done.set()

    cloud = Cloud(webhooks=HttpWebhooks())
    with trio.fail_after(20):
        async with cloud.running(), trio.open_nursery() as nursery:
            await nursery.start(serve, cloud)
            urls: list[str] = await nursery.start(app.serve)
            cloud.install(InstalledApp(package_name="com.example.app", api_key="k", public_url=urls[0]))
            user = cloud.user("ana@example.com")
            await user.connect()
            assert (await user.start("com.example.app")).succeeded
            await done.wait()
            nursery.cancel_scope.cancel(reason="the test is over")

    assert found == [{"a": 1}, True]
    assert dict(user.stored_values("com.example.app")) == {}
