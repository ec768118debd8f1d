"""The WebSocket transports over memory streams, on the virtual clock."""

import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import (
    MockClock,
    assert_checkpoints,
    lockstep_stream_pair,
    memory_stream_pair,
    wait_all_tasks_blocked,
)

from mentra_trio._net.framing import MAX_WAITING_MESSAGES
from mentra_trio._net.transport import CloudUrl, Transport
from mentra_trio._net.websocket import open_upgrade
from mentra_trio.errors import ConnectFailedError, TransportClosedError

from .peers import CONNECTORS, TIMEOUT, URL, RawPeer, dial_to, open_pair, open_raw, under_test


@pytest.fixture(scope="module", params=CONNECTORS, autouse=True)
def _implementation(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every implementation passes everything here."""
    before, under_test.name = under_test.name, request.param
    yield
    under_test.name = before


@asynccontextmanager
async def open_ends(side: str, *, max_message_size: int = 32 * 2**20) -> AsyncGenerator[tuple[Transport, Transport]]:
    """The transport under test and its peer: the contract is the same on both sides."""
    async with open_pair(max_message_size=max_message_size) as pair:
        yield (pair.client, pair.server) if side == "client" else (pair.server, pair.client)


both_sides = pytest.mark.parametrize("side", ["client", "server"])


async def receive_all(transport: Transport) -> tuple[list[str | bytes], TransportClosedError]:
    """Everything that still comes, and how it ends."""
    messages: list[str | bytes] = []
    while True:  # noqa: ASYNC913 - every turn receives
        try:
            messages += await transport.receive()
        except TransportClosedError as error:
            return messages, error


async def expect_closed(
    call: Callable[[], Awaitable[object]], code: int | None = None, reason: str | None = None
) -> None:
    """The call says that the connection has ended, and how."""
    with pytest.raises(TransportClosedError) as caught:
        await call()
    assert code in {None, caught.value.code}
    assert reason in {None, caught.value.reason}


async def end_of(transport: Transport) -> tuple[int, str]:
    _, error = await receive_all(transport)
    return error.code, error.reason


def frame(opcode: int, payload: bytes = b"", *, is_last: bool = True) -> bytes:
    """A server's frame of up to 64 KiB. `opcode` 1 is text, 2 binary, 8 close, 9 ping, 10 pong."""
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack("!H", len(payload))
    return bytes([opcode | (0x80 if is_last else 0)]) + size + payload


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(8, struct.pack("!H", code) + reason.encode())


# The handshake


async def test_the_upgrade_request_carries_target_host_and_headers_as_bytes() -> None:
    """Ids may hold more than ASCII, so header values are not text."""
    near, far = memory_stream_pair()
    peer = RawPeer(far)
    user = "zoë@example.com".encode()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.accept)
        async with under_test.connector(dial_to(near)).connect(
            URL, [("x-user-id", user), ("x-api-key", b"k")], timeout=TIMEOUT
        ):
            pass
    head = peer.request.split(b"\r\n")
    assert head[0] == b"GET /ws/miniapp?v=3 HTTP/1.1"
    assert b"Host: cloud.example" in head
    assert b"x-user-id: " + user in head
    assert b"x-api-key: k" in head


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        (CloudUrl(host="a.example", port=443, tls=True), "a.example"),
        (CloudUrl(host="a.example", port=80, tls=False), "a.example"),
        (CloudUrl(host="a.example", port=443, tls=False), "a.example:443"),
        (CloudUrl(host="127.0.0.1", port=8002, tls=False), "127.0.0.1:8002"),
        (CloudUrl(host="::1", port=8002, tls=False), "[::1]:8002"),
    ],
)
async def test_the_host_header_leaves_the_usual_port_out(url: CloudUrl, authority: str) -> None:
    near, far = memory_stream_pair()
    peer = RawPeer(far)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.accept)
        async with under_test.connector(dial_to(near)).connect(url, [], timeout=TIMEOUT):
            pass
    assert f"Host: {authority}".encode() in peer.request.split(b"\r\n")


async def test_the_server_sees_target_and_headers_and_hides_them_from_its_repr() -> None:
    near, far = memory_stream_pair()

    async def serve() -> None:
        async with open_upgrade(far) as request:
            assert request.target == "/ws/miniapp?v=3"
            assert ("x-api-key", b"secret") in request.headers
            assert "secret" not in repr(request)
            async with request.accept():
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with under_test.connector(dial_to(near)).connect(URL, [("X-Api-Key", b"secret")], timeout=TIMEOUT):
            pass


async def connect_to(answer: bytes, *, then_close: bool = True) -> ConnectFailedError:
    """Connect to a peer that answers the upgrade with these bytes."""
    near, far = memory_stream_pair()
    peer = RawPeer(far)

    async def run() -> None:
        await peer.read_request()
        await peer.send(answer)
        if then_close:
            await far.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        with pytest.raises(ConnectFailedError) as caught:
            async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT):
                pytest.fail("connected")  # pragma: no cover
    with pytest.raises(trio.ClosedResourceError):
        await near.receive_some(1)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "then_close", "status"),
    [
        (b"HTTP/1.1 503 Gone\r\nContent-Length: 23\r\n\r\nServer is shutting down", False, 503),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", False, 401),
        (b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", False, 404),
        (b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\nends with the connection", True, 500),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", True, 502),
        (b"HTTP/1.1 503 Gone\r\nContent-Length: 100\r\n\r\ncut off", True, 503),
        (b"HTTP/1.1 302 Found\r\nLocation: wss://evil.example/\r\nContent-Length: 0\r\n\r\n", False, 302),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", False, 200),
    ],
)
async def test_a_refused_upgrade_tells_the_status(answer: bytes, then_close: bool, status: int) -> None:
    error = await connect_to(answer, then_close=then_close)
    assert error.status == status
    assert str(status) in str(error)
    assert URL.origin in str(error)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed the connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "WebSocket server"),
        (b"\x15\x03\x03\x00\x02\x02\x16", "WebSocket server"),
        (b"\x00" * 5000, "WebSocket server"),
        (b"HTTP/1.1 101 Switching Protocols\r\n", "WebSocket server"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "WebSocket server"),
        (
            (
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"
            ),
            "WebSocket server",
        ),
        (b"HTTP/9.9 101 Switching Protocols\r\n\r\n", "WebSocket server"),
    ],
)
async def test_what_is_no_upgrade_fails_the_connect(answer: bytes, words: str) -> None:
    error = await connect_to(answer)
    assert error.status is None
    assert words in str(error)


async def test_a_peer_that_says_nothing_is_given_up_in_time(autojump_clock: MockClock) -> None:
    near, far = memory_stream_pair()
    start = trio.current_time()
    with pytest.raises(ConnectFailedError, match=r"not connected within 4 s") as caught:
        async with under_test.connector(dial_to(near)).connect(URL, [], timeout=4):
            pytest.fail("connected")  # pragma: no cover
    assert trio.current_time() - start == 4
    assert isinstance(caught.value.__cause__, trio.TooSlowError)
    assert (await far.receive_some()).startswith(b"GET")
    assert await far.receive_some() == b""


async def test_the_time_limit_covers_the_dialling(autojump_clock: MockClock) -> None:
    async def dial(_url: CloudUrl) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    start = trio.current_time()
    with pytest.raises(ConnectFailedError):
        async with under_test.connector(dial).connect(URL, [], timeout=2.5):
            pytest.fail("connected")  # pragma: no cover
    assert trio.current_time() - start == 2.5


@pytest.mark.parametrize("cause", [OSError(111, "Connection refused"), trio.BrokenResourceError("broken")])
async def test_a_failed_dial_keeps_its_cause(cause: Exception) -> None:
    async def dial(_url: CloudUrl) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise cause

    with pytest.raises(ConnectFailedError, match=URL.origin) as caught:
        async with under_test.connector(dial).connect(URL, [], timeout=TIMEOUT):
            pytest.fail("connected")  # pragma: no cover
    assert caught.value.__cause__ is cause


async def test_a_connection_that_is_reset_before_the_upgrade_fails_at_once(autojump_clock: MockClock) -> None:
    """Nothing can be read from it either, but the library waits for the answer without reading."""

    class Reset(trio.abc.Stream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            await trio.lowlevel.checkpoint()
            raise trio.BrokenResourceError

        async def wait_send_all_might_not_block(self) -> None:
            await trio.lowlevel.checkpoint()

        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            await trio.sleep_forever()
            raise AssertionError

        async def aclose(self) -> None:
            await trio.lowlevel.checkpoint()

    async def dial(url: CloudUrl) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return Reset()

    with pytest.raises(ConnectFailedError, match="closed the connection"):
        async with under_test.connector(dial).connect(URL, [], timeout=4):
            pass
    assert trio.current_time() == 0.0


async def test_a_header_that_would_break_the_request_is_never_written() -> None:
    near, far = memory_stream_pair()
    with pytest.raises(ConnectFailedError, match="headers") as caught:
        async with under_test.connector(dial_to(near)).connect(
            URL, [("x-user-id", b"ana\r\nx-evil: 1")], timeout=TIMEOUT
        ):
            pytest.fail("connected")  # pragma: no cover
    assert "evil" not in str(caught.value)
    assert await far.receive_some() == b""


async def test_cancelling_the_connect_closes_the_stream(autojump_clock: MockClock) -> None:
    near, far = memory_stream_pair()
    with trio.move_on_after(1) as scope:
        async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT):
            pytest.fail("connected")  # pragma: no cover
    assert scope.cancelled_caught
    await far.receive_some()
    assert await far.receive_some() == b""


@pytest.mark.parametrize("body", [b"", b"Server is shutting down"])
async def test_the_server_can_reject(body: bytes) -> None:
    near, far = memory_stream_pair()

    async def serve() -> None:
        async with open_upgrade(far) as request:
            await request.reject(503, body=body)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(ConnectFailedError) as caught:
            async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT):
                pytest.fail("connected")  # pragma: no cover
    assert caught.value.status == 503


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_the_server_survives_clients_that_ask_for_something_else(request_bytes: bytes) -> None:
    near, far = memory_stream_pair()
    await near.send_all(request_bytes)
    await near.send_stream.aclose()
    with pytest.raises(TransportClosedError, match="no upgrade request"):
        async with open_upgrade(far):
            pytest.fail("opened")  # pragma: no cover


@pytest.mark.parametrize("is_accepted", [True, False])
async def test_the_server_survives_a_client_that_leaves_before_the_answer(is_accepted: bool) -> None:
    near, far = memory_stream_pair()

    async def leave() -> None:
        with trio.move_on_after(0.1):
            async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT):
                pytest.fail("connected")  # pragma: no cover

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        async with open_upgrade(far) as request:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await wait_all_tasks_blocked()
                if is_accepted:
                    with pytest.raises(TransportClosedError):
                        async with request.accept():
                            pytest.fail("accepted")  # pragma: no cover
                else:
                    await request.reject(404)


# Messages


@both_sides
async def test_messages_arrive_in_order_and_in_their_kind(side: str) -> None:
    async with open_ends(side) as (near, far):
        await far.send("one")
        await far.send(b"\x00\xff")
        await far.send("")
        await far.send("zoë 👓")
        messages: list[str | bytes] = []
        while len(messages) < 4:
            messages += await near.receive()
    assert messages == ["one", b"\x00\xff", "", "zoë 👓"]


@both_sides
async def test_receive_hands_over_everything_that_has_arrived(side: str) -> None:
    async with open_ends(side) as (near, far):
        sent = [f"message {number}" for number in range(500)]
        for message in sent:
            await far.send(message)
        await wait_all_tasks_blocked()
        assert await near.receive() == sent


async def test_messages_that_come_with_the_upgrade_answer_are_not_lost() -> None:
    near, far = memory_stream_pair()
    peer = RawPeer(far)

    async def run() -> None:
        await peer.read_request()
        peer.request, request = b"", peer.request
        replay, collect = memory_stream_pair()
        await replay.send_all(request)
        fake = RawPeer(collect)
        await fake.accept()
        await peer.send(bytes(await replay.receive_some()) + frame(1, b"early"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT) as transport:
            assert await transport.receive() == ["early"]


async def test_a_message_in_fragments_is_one_message() -> None:
    async def script(peer: RawPeer) -> None:
        await peer.send(frame(1, b"zo\xc3", is_last=False))
        await peer.send(frame(9, b"in between"))
        await peer.send(frame(0, b"\xab "))

    async with open_raw(script) as transport:
        assert await transport.receive() == ["zoë "]


async def test_a_cancelled_receive_loses_nothing() -> None:
    async with open_pair() as pair:
        with trio.CancelScope() as scope:
            scope.cancel()
            await pair.client.receive()
        await pair.server.send("one")
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            await pair.client.receive()
        assert scope.cancelled_caught
        assert await pair.client.receive() == ["one"]


async def test_calls_that_can_block_are_checkpoints() -> None:
    async with open_pair() as pair:
        await pair.server.send("one")
        await wait_all_tasks_blocked()
        with assert_checkpoints():
            await pair.client.receive()
        with assert_checkpoints():
            await pair.client.send("two")
        with assert_checkpoints():
            await pair.client.ping()
        with assert_checkpoints():
            await pair.client.aclose()
        with assert_checkpoints():
            await pair.client.aclose()


@both_sides
async def test_the_largest_message_passes_and_a_larger_one_closes_with_1009(side: str) -> None:
    async with open_ends(side, max_message_size=1000) as (near, far):
        await far.send("x" * 1000)
        assert await near.receive() == ["x" * 1000]
        await far.send(b"x" * 1001)
        assert (await end_of(near))[0] == 1009
        assert (await end_of(far))[0] == 1009
        with pytest.raises(TransportClosedError):
            await near.send("too late")


# Pings


@both_sides
async def test_pings_are_answered_while_nobody_receives(side: str) -> None:
    """A slow consumer must not look like a dead peer (T2)."""
    async with open_ends(side) as (near, far):
        for number in range(MAX_WAITING_MESSAGES - 10):
            await far.send(str(number))
        with trio.fail_after(1):
            await far.ping()
        assert len(await near.receive()) == MAX_WAITING_MESSAGES - 10


async def test_above_the_limit_the_peer_is_slowed_down_until_somebody_receives(autojump_clock: MockClock) -> None:
    """The memory of a process is worth more than the pongs of one connection that nobody reads."""
    async with open_pair() as pair:
        count = MAX_WAITING_MESSAGES + 100
        for number in range(count):
            await pair.server.send(str(number))
        with trio.move_on_after(1) as scope:
            await pair.server.ping()
        assert scope.cancelled_caught
        messages = list(await pair.client.receive())
        assert len(messages) == MAX_WAITING_MESSAGES
        while len(messages) < count:
            messages += await pair.client.receive()
        with trio.fail_after(1):
            await pair.server.ping()
        assert messages == [str(number) for number in range(count)]


async def test_the_limit_counts_sizes_too(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        for _ in range(5):
            await pair.server.send(b"x" * 8 * 2**20)
        await wait_all_tasks_blocked()
        assert len(await pair.client.receive()) == 4
        assert len(await pair.client.receive()) == 1


async def test_ping_waits_for_the_pong(autojump_clock: MockClock) -> None:
    async def script(peer: RawPeer) -> None:
        opcode, payload = await peer.read_frame()
        assert opcode == 9
        await trio.sleep(3)
        await peer.send(frame(10, payload))

    async with open_raw(script) as transport:
        start = trio.current_time()
        await transport.ping()
        assert trio.current_time() - start == 3


async def test_a_pong_to_another_ping_does_not_count(autojump_clock: MockClock) -> None:
    async def script(peer: RawPeer) -> None:
        await peer.read_frame()
        await peer.send(frame(10, b"not this one"))

    async with open_raw(script) as transport:
        with trio.move_on_after(5) as scope:
            await transport.ping()
        assert scope.cancelled_caught


async def test_pings_of_several_tasks_are_all_answered() -> None:
    async with open_pair() as pair, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(pair.client.ping)
            nursery.start_soon(pair.server.ping)


async def test_a_ping_that_is_wanted_while_another_is_on_its_way_follows_it(autojump_clock: MockClock) -> None:
    async def script(peer: RawPeer) -> None:
        for _ in range(2):
            _, payload = await peer.read_frame()
            await trio.sleep(3)
            await peer.send(frame(10, payload))

    async with open_raw(script) as transport, trio.open_nursery() as nursery:
        nursery.start_soon(transport.ping)
        await trio.sleep(1)
        await transport.ping()

        assert trio.current_time() == 6


async def test_a_ping_that_was_given_up_does_not_spoil_the_next_one(autojump_clock: MockClock) -> None:
    async def script(peer: RawPeer) -> None:
        _, first = await peer.read_frame()
        await trio.sleep(20)
        await peer.send(frame(10, first))
        _, second = await peer.read_frame()
        await peer.send(frame(10, second))

    async with open_raw(script) as transport:
        with trio.move_on_after(10):
            await transport.ping()
        start = trio.current_time()
        await transport.ping()
        assert trio.current_time() - start == 10


async def test_a_ping_that_is_given_up_before_it_is_written_sends_nothing() -> None:
    frames: list[tuple[int, bytes]] = []

    async def script(peer: RawPeer) -> None:
        frames.append(await peer.read_frame())

    async with open_raw(script) as transport:
        with trio.CancelScope() as scope:
            scope.cancel()
            await transport.ping()
        await wait_all_tasks_blocked()
        await transport.send("one")
        await wait_all_tasks_blocked()
    assert frames == [(1, b"one")]


@pytest.mark.parametrize("data", [close_frame(1001, "Server shutting down"), b""])
async def test_a_ping_on_its_way_fails_when_the_connection_ends(data: bytes) -> None:
    async def script(peer: RawPeer) -> None:
        await peer.read_frame()
        await peer.send(data)
        await peer.stream.aclose()

    async with open_raw(script) as transport, trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(expect_closed, transport.ping, 1001 if data else 1006)


# The end


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (close_frame(1000, "App stopped"), 1000, "App stopped"),
        (close_frame(1000), 1000, ""),
        (close_frame(1001, "Server shutting down"), 1001, "Server shutting down"),
        (close_frame(1008, "User session identity missing"), 1008, "User session identity missing"),
        (close_frame(1011, "Internal server error"), 1011, "Internal server error"),
        (close_frame(1013), 1013, ""),
        (close_frame(3000, "ü" * 61), 3000, "ü" * 61),
        (close_frame(4999), 4999, ""),
        (frame(8), 1005, ""),
        (b"", 1006, ""),
        (frame(1, b"half a mess")[:-4], 1006, ""),
    ],
)
async def test_the_peers_close_code_is_told_to_every_call(data: bytes, code: int, reason: str) -> None:
    async def script(peer: RawPeer) -> None:
        await peer.send(frame(1, b"last words") + data)
        await peer.stream.aclose()

    async with open_raw(script) as transport:
        messages, error = await receive_all(transport)
        assert messages == ["last words"]
        assert (error.code, error.reason) == (code, reason)
        for call in (transport.receive, transport.ping, partial(transport.send, "too late")):
            await expect_closed(call, code, reason)
        await transport.aclose(4000, "ours")
        assert await end_of(transport) == (code, reason)


async def test_what_arrived_before_the_close_is_handed_over_however_much_it_is() -> None:
    count = MAX_WAITING_MESSAGES + 100

    async def script(peer: RawPeer) -> None:
        await peer.send(b"".join(frame(1, str(number).encode()) for number in range(count)) + close_frame(1001))
        await peer.stream.aclose()

    async with open_raw(script) as transport:
        await wait_all_tasks_blocked()
        messages, error = await receive_all(transport)
        assert messages == [str(number) for number in range(count)]
        assert error.code == 1001


async def test_a_close_is_known_although_the_peer_leaves_the_socket_open(autojump_clock: MockClock) -> None:
    """The server should close TCP first, but a session does not wait for that."""

    async def script(peer: RawPeer) -> None:
        await peer.send(close_frame(1000, "App stopped"))
        assert await peer.read_frame() == (8, struct.pack("!H", 1000) + b"App stopped")
        await trio.sleep_forever()

    async with open_raw(script) as transport:
        start = trio.current_time()
        assert await end_of(transport) == (1000, "App stopped")
        await transport.aclose()
        assert trio.current_time() == start


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (frame(1, b"\xff\xfe"), {1007}),
        (frame(3, b""), {1002}),
        (b"\xf1\x00", {1002}),
        (frame(0, b"continues nothing"), {1002}),
        (frame(8, b"\x03"), {1002}),
        (frame(8, struct.pack("!H", 1006)), {1002}),
        (frame(9, b"x" * 130), {1002}),
    ],
)
async def test_garbled_frames_end_the_connection_and_nothing_else(data: bytes, codes: set[int]) -> None:
    async def script(peer: RawPeer) -> None:
        await peer.send(data)

    async with open_raw(script) as transport:
        assert (await end_of(transport))[0] in codes
        with pytest.raises(TransportClosedError):
            await transport.send("too late")


@both_sides
async def test_our_close_reaches_the_peer_with_code_and_reason(side: str) -> None:
    async with open_ends(side) as (near, far):
        await near.send("last words")
        await near.aclose(4001, "moving on")
        messages, error = await receive_all(far)
        assert messages == ["last words"]
        assert (error.code, error.reason) == (4001, "moving on")
        assert await end_of(near) == (4001, "moving on")
        await near.aclose()
        await far.aclose()


@pytest.mark.parametrize(
    ("reason", "arrives"),
    [
        ("x" * 123, "x" * 123),
        ("x" * 124, "x" * 123),
        ("x" * 122 + "ü", "x" * 122),
        ("👓" * 31, "👓" * 30),
        ("x\ud800", "x?"),
    ],
)
async def test_a_long_reason_is_cut_between_characters(reason: str, arrives: str) -> None:
    async with open_pair() as pair:
        await pair.client.aclose(1000, reason)
        assert await end_of(pair.server) == (1000, arrives)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 5000, 70000])
async def test_codes_that_may_not_be_sent_are_refused(code: int) -> None:
    async with open_pair() as pair:
        with pytest.raises(ValueError, match=str(code)):
            await pair.client.aclose(code)
        await pair.client.send("still open")
        assert await pair.server.receive() == ["still open"]


async def test_our_close_wakes_who_waits() -> None:
    async with open_pair() as pair, trio.open_nursery() as nursery:
        nursery.start_soon(expect_closed, pair.client.receive)
        nursery.start_soon(expect_closed, pair.client.receive)
        await wait_all_tasks_blocked()
        await pair.client.aclose()


@pytest.mark.parametrize(("count", "message"), [(1, "x"), (MAX_WAITING_MESSAGES + 10, "x"), (5, "x" * 2**23)])
async def test_after_our_close_nothing_more_is_handed_over(count: int, message: str, autojump_clock: MockClock) -> None:
    """Also when so much was waiting that the peer had been slowed down."""
    async with open_pair() as pair:
        for _ in range(count):
            await pair.server.send(message)
        await wait_all_tasks_blocked()
        with trio.fail_after(1):
            await pair.client.aclose()
        await expect_closed(pair.client.receive, 1000)


async def test_both_sides_may_close_at_once() -> None:
    async with open_pair() as pair, trio.open_nursery() as nursery:
        nursery.start_soon(pair.client.aclose, 1000, "client")
        nursery.start_soon(pair.server.aclose, 1001, "server")
        nursery.start_soon(pair.client.aclose, 1000, "again")


async def test_a_close_that_is_never_answered_lasts_as_long_as_the_caller_lets_it(autojump_clock: MockClock) -> None:
    async def script(peer: RawPeer) -> None:
        assert await peer.read_frame() == (8, struct.pack("!H", 4000))
        await trio.sleep_forever()

    async with open_raw(script) as transport:
        start = trio.current_time()
        with trio.move_on_after(1) as scope:
            await transport.aclose(4000)
        assert scope.cancelled_caught
        assert trio.current_time() - start == 1
        assert await end_of(transport) == (1006, "")
        await transport.aclose()


async def test_a_second_closer_has_its_own_patience(autojump_clock: MockClock) -> None:
    async def script(_peer: RawPeer) -> None:
        await trio.sleep_forever()

    async with open_raw(script) as transport, trio.open_nursery() as nursery:
        start = trio.current_time()
        nursery.start_soon(transport.aclose)
        await wait_all_tasks_blocked()
        with trio.move_on_after(2):
            await transport.aclose()
        assert trio.current_time() - start == 2


async def test_a_ping_that_crosses_our_close_frame_does_not_hold_it_up(autojump_clock: MockClock) -> None:
    """The library's reader crashes on it: a pong may not follow a close frame."""

    async def script(peer: RawPeer) -> None:
        await peer.read_frame()
        await peer.send(frame(9, b"are you there") + close_frame(1000))
        await trio.sleep_forever()

    async with open_raw(script) as transport:
        with trio.fail_after(1):
            await transport.aclose()
        with pytest.raises(TransportClosedError):
            await transport.receive()


async def test_messages_that_cross_our_close_frame_are_dropped() -> None:
    async def script(peer: RawPeer) -> None:
        await peer.read_frame()
        await peer.send(frame(1, b"late") * 50 + close_frame(1000))
        await peer.stream.aclose()

    async with open_raw(script) as transport:
        await transport.aclose()
        assert await end_of(transport) == (1000, "")


@both_sides
async def test_leaving_the_context_closes_hard(side: str, autojump_clock: MockClock) -> None:
    near, far = memory_stream_pair()
    ends: list[tuple[int, str]] = []

    async def client() -> None:
        async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT) as transport:
            if side == "server":
                ends.append(await end_of(transport))

    async def server() -> None:
        async with open_upgrade(far) as request, request.accept() as transport:
            if side == "client":
                ends.append(await end_of(transport))

    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client)
        nursery.start_soon(server)
    assert ends == [(1006, "")]
    assert trio.current_time() == start


async def test_a_transport_that_was_left_is_closed() -> None:
    async with open_pair() as pair:
        pass
    for transport in (pair.client, pair.server):
        for call in (transport.receive, transport.ping, partial(transport.send, "too late")):
            await expect_closed(call)
        await transport.aclose()


# Exceptions of the body


@pytest.mark.parametrize(
    "error", [ValueError("body"), ExceptionGroup("body", [ValueError("body")]), KeyboardInterrupt()]
)
@pytest.mark.parametrize("is_lost", [True, False])
async def test_an_exception_of_the_body_leaves_as_it_is(error: BaseException, is_lost: bool) -> None:
    near, far = memory_stream_pair()
    peer = RawPeer(far)

    async def converse() -> None:
        async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT):
            if is_lost:
                await peer.send(b"\xf1\x00")
                await far.aclose()
            raise error

    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.accept)
        with pytest.raises(type(error)) as caught:
            await converse()
    assert caught.value is error
    assert caught.value.__context__ is None


async def test_a_cancelled_body_is_cancelled_and_no_more(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        near, far = memory_stream_pair()
        nursery.start_soon(RawPeer(far).accept)
        with trio.move_on_after(1) as scope:
            async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT):
                await trio.sleep_forever()
        assert scope.cancelled_caught


async def test_an_exception_wins_over_a_cancellation(autojump_clock: MockClock) -> None:
    near, far = memory_stream_pair()

    async def converse() -> None:
        async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT):
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("clean-up failed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(RawPeer(far).accept)
        with trio.move_on_after(1), pytest.raises(ValueError, match="clean-up"):
            await converse()


# Cancellation inside of writes (T1), with a peer that reads as slowly as the test wants


def large_text(size: int = 2**20) -> str:
    return "x" * size


async def test_a_send_that_is_cancelled_half_way_closes_the_socket(autojump_clock: MockClock) -> None:
    """Half a frame is on the wire, so the next frame would be read as its rest."""
    stalled = trio.Event()

    async def script(peer: RawPeer) -> None:
        for _ in range(100):
            assert await peer.stream.receive_some(1000)
        stalled.set()
        await trio.sleep_forever()

    async with open_raw(script, lockstep_stream_pair) as transport:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(transport.send, large_text())
            await stalled.wait()
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        for call in (transport.receive, transport.ping, partial(transport.send, "not after half a frame")):
            await expect_closed(call, 1006, "")
        with trio.fail_after(1):
            await transport.aclose()


async def test_the_peer_of_a_cut_send_sees_the_socket_end_and_no_garbled_frame() -> None:
    async with open_pair(lockstep_stream_pair) as pair:
        with trio.CancelScope() as scope:
            scope.cancel()
            await pair.client.send(large_text())
        assert await receive_nothing_but_the_end(pair.server) == 1006


async def receive_nothing_but_the_end(transport: Transport) -> int:
    messages, error = await receive_all(transport)
    assert messages == []
    return error.code


async def test_a_ping_that_is_cancelled_mid_write_leaves_the_socket_whole(autojump_clock: MockClock) -> None:
    resume = trio.Event()
    received: list[tuple[int, bytes]] = []

    async def script(peer: RawPeer) -> None:
        await peer.stream.receive_some(1)  # the first byte of the ping frame
        await resume.wait()
        rest = await peer.stream.receive_some(9)
        assert len(rest) == 9
        received.extend([await peer.read_frame(), await peer.read_frame()])

    async with open_raw(script, lockstep_stream_pair) as transport:
        with trio.move_on_after(1) as scope:
            await transport.ping()
        assert scope.cancelled_caught
        resume.set()
        await transport.send("one")
        await transport.send("two")
    assert received == [(1, b"one"), (1, b"two")]


async def test_a_ping_waits_behind_a_large_message_and_can_be_given_up(autojump_clock: MockClock) -> None:
    async with open_pair(lockstep_stream_pair) as pair:
        with trio.move_on_after(1):
            await pair.client.ping()
        await pair.client.send(large_text())
        assert await pair.server.receive() == [large_text()]
        await pair.client.ping()


@pytest.mark.parametrize("is_written", [True, False])
async def test_a_close_that_is_cancelled_closes_hard(is_written: bool, autojump_clock: MockClock) -> None:
    """This is how to close hard on purpose."""
    ended = trio.Event()

    async def script(peer: RawPeer) -> None:
        if is_written:
            await peer.read_frame()
        else:
            await peer.stream.receive_some(1)
        await trio.sleep(5)
        while await peer.stream.receive_some(1):
            pass
        ended.set()

    async with open_raw(script, lockstep_stream_pair) as transport:
        with trio.move_on_after(1):
            await transport.aclose()
        assert await end_of(transport) == (1006, "")
        await ended.wait()


async def test_closing_hard_ends_a_send_that_is_stuck(autojump_clock: MockClock) -> None:
    """How a keepalive frees the writer when the peer has stopped reading."""

    async def script(_peer: RawPeer) -> None:
        await trio.sleep_forever()

    async with open_raw(script, lockstep_stream_pair) as transport, trio.open_nursery() as nursery:
        nursery.start_soon(expect_closed, partial(transport.send, large_text()))
        await wait_all_tasks_blocked()
        with trio.move_on_after(1) as scope:
            await transport.aclose()
        assert scope.cancelled_caught


async def test_a_half_open_connection_holds_nobody_up(autojump_clock: MockClock) -> None:
    """The peer has vanished without a trace: writes vanish too, nothing ever comes."""

    async def script(_peer: RawPeer) -> None:
        await trio.sleep_forever()

    async with open_raw(script) as transport:
        start = trio.current_time()
        await transport.send("into the void")
        with trio.move_on_after(10) as scope:
            await transport.ping()
        assert scope.cancelled_caught
        with trio.move_on_after(1):
            await transport.aclose()
        assert trio.current_time() - start == 11
    assert trio.current_time() - start == 11


async def test_an_hour_of_silence_costs_nothing(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        await trio.sleep(3600)
        await pair.client.ping()
        await pair.server.ping()


@pytest.mark.parametrize("name", ["receive", "send", "ping", "aclose"])
@pytest.mark.parametrize("delay", [0, 1, 2, 3, 5, 8])
async def test_whatever_is_cancelled_whenever_the_context_ends_cleanly(name: str, delay: int) -> None:
    """Cancel each call after a number of scheduler turns, with the peer in full swing."""

    async def talk(transport: Transport) -> None:
        while True:
            await transport.send("talk")

    async def cancel_later(scope: trio.CancelScope) -> None:
        for _ in range(delay):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    async with open_pair() as pair, trio.open_nursery() as nursery:
        nursery.start_soon(expect_closed, partial(talk, pair.server))
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "receive": pair.client.receive,
            "send": partial(pair.client.send, "x" * 10_000),
            "ping": pair.client.ping,
            "aclose": pair.client.aclose,
        }
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_later, scope)  # noqa: ASYNC111 - a scope may be cancelled after its block
            await calls[name]()
        with trio.fail_after(1):
            await pair.client.aclose()


# Any bytes at all

frames = st.lists(
    st.builds(frame, st.sampled_from([0, 1, 2, 8, 9, 10]), st.binary(max_size=130), is_last=st.booleans())
).map(b"".join)


@given(data=st.binary(max_size=200) | frames, is_end=st.booleans())
def test_whatever_bytes_come_only_transport_errors_come_out(data: bytes, is_end: bool) -> None:
    async def script(peer: RawPeer) -> None:
        await peer.send(data)
        if is_end:
            await peer.stream.aclose()
        else:
            await trio.sleep_forever()

    async def main() -> None:
        async with open_raw(script) as transport:
            with trio.move_on_after(1), suppress(TransportClosedError):
                while True:
                    await transport.receive()
            for call in (partial(transport.send, "one"), transport.ping, transport.aclose):
                with trio.move_on_after(1), suppress(TransportClosedError):
                    await call()

    trio.run(main, clock=MockClock(autojump_threshold=0))


@given(
    answer=st.binary(max_size=100) | st.binary(max_size=50).map(b"HTTP/1.1 101 Yes\r\n".__add__), is_end=st.booleans()
)
def test_whatever_the_answer_to_an_upgrade_only_connect_errors_come_out(answer: bytes, is_end: bool) -> None:
    async def main() -> None:
        await connect_to(answer, then_close=is_end)

    trio.run(main, clock=MockClock(autojump_threshold=0))


@given(data=st.binary(max_size=200))
def test_whatever_the_upgrade_request_only_transport_errors_come_out(data: bytes) -> None:
    async def main() -> None:
        near, far = memory_stream_pair()
        await near.send_all(data)
        with trio.move_on_after(1), suppress(TransportClosedError):
            async with open_upgrade(far) as request:
                await request.reject(404)

    trio.run(main, clock=MockClock(autojump_threshold=0))


@given(
    messages=st.lists(st.text(max_size=200) | st.binary(max_size=200), max_size=20), cuts=st.lists(st.integers(1, 50))
)
def test_messages_arrive_whole_however_the_network_cuts_them(messages: list[str | bytes], cuts: list[int]) -> None:
    async def script(peer: RawPeer) -> None:
        data = b"".join(
            frame(1, message.encode()) if isinstance(message, str) else frame(2, message) for message in messages
        )
        for cut in cuts:
            await peer.send(data[:cut] or b"")
            await wait_all_tasks_blocked()
            data = data[cut:]
        await peer.send(data + close_frame(1000))

    async def main() -> None:
        async with open_raw(script) as transport:
            received, error = await receive_all(transport)
        assert received == messages
        assert error.code == 1000

    trio.run(main, clock=MockClock(autojump_threshold=0))
