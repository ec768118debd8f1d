"""The other ends of connections: a well-behaved one, and one that says exactly what a test wants."""

import base64
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import trio
from trio.testing import memory_stream_pair

from mentra_trio._net.core_websocket import CoreWebSocketConnector
from mentra_trio._net.framing import MAX_MESSAGE_SIZE
from mentra_trio._net.transport import CloudUrl, Connector, Dial, Transport
from mentra_trio._net.websocket import WebSocketConnector, open_upgrade

URL = CloudUrl(host="cloud.example", port=443, tls=True, target="/ws/miniapp?v=3")
TIMEOUT = 4.0

CONNECTORS: dict[str, type[WebSocketConnector | CoreWebSocketConnector]] = {
    "trio-websocket": WebSocketConnector,
    "websockets": CoreWebSocketConnector,
}


@attrs.define
class UnderTest:
    """Which implementation these tests are about. A module's fixture sets it, so that properties can use it too."""

    name: str = "trio-websocket"

    def connector(self, dial: Dial, *, max_message_size: int = MAX_MESSAGE_SIZE) -> Connector:
        return CONNECTORS[self.name](dial, max_message_size=max_message_size)


under_test = UnderTest()

StreamPair = Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]]


def dial_to(stream: trio.abc.Stream) -> Dial:
    """A dial that "opens" a stream which is already there."""

    async def dial(_url: CloudUrl) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return stream

    return dial


@attrs.frozen(kw_only=True)
class Pair:
    """Both ends of one WebSocket, each in a context of its own."""

    client: Transport
    server: Transport


@asynccontextmanager
async def open_pair(
    streams: StreamPair = memory_stream_pair, *, max_message_size: int = 32 * 2**20
) -> AsyncGenerator[Pair, None]:
    """Connect the client to the server over a pair of streams."""
    near, far = streams()
    is_over = trio.Event()

    async def serve(task_status: trio.TaskStatus[trio.MemoryReceiveChannel[Transport]]) -> None:
        sender, receiver = trio.open_memory_channel[Transport](1)
        task_status.started(receiver)
        async with open_upgrade(far, max_message_size=max_message_size) as request, request.accept() as transport:
            await sender.send(transport)
            await is_over.wait()

    connector = under_test.connector(dial_to(near), max_message_size=max_message_size)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve)
        async with connector.connect(URL, [], timeout=TIMEOUT) as client:
            yield Pair(client=client, server=await server.receive())
        is_over.set()


@attrs.define(eq=False)
class RawPeer:
    """A server that writes bytes as it is told, after an upgrade or without one."""

    stream: trio.abc.Stream
    request: bytes = attrs.field(default=b"", init=False)
    """The upgrade request as it came."""

    async def read_request(self) -> None:
        while not self.request.endswith(b"\r\n\r\n"):
            data = await self.stream.receive_some(1024)
            assert data, "the client went away"
            self.request += data

    async def accept(self) -> None:
        await self.read_request()
        key = next(line[19:] for line in self.request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        token = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        await self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + token + b"\r\n\r\n"
        )

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def read_frame(self) -> tuple[int, bytes]:
        """Read one short frame of the client: its opcode and its payload."""
        head = await self._read(2)
        mask = await self._read(4)
        payload = await self._read(head[1] & 0x7F)
        return head[0] & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))

    async def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await self.stream.receive_some(size - len(data))
            assert more, "the client went away"
            data += more
        return data


@asynccontextmanager
async def open_raw(
    script: Callable[[RawPeer], Awaitable[None]], streams: StreamPair = memory_stream_pair
) -> AsyncGenerator[Transport, None]:
    """Connect a client to a peer that accepts and then does what the script says."""
    near, far = streams()
    peer = RawPeer(far)

    async def run() -> None:
        await peer.accept()
        await script(peer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        async with under_test.connector(dial_to(near)).connect(URL, [], timeout=TIMEOUT) as transport:
            yield transport
        nursery.cancel_scope.cancel()
