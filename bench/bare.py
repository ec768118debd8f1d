"""What the same work costs without an SDK: trio-websocket and `json.loads`, one task, nothing else.

It says the same as `app` on its standard output, and dials the cloud by itself: `BENCH_CLOUD` is its URL.
"""

import json
import os
import time

import trio
from trio_websocket import WebSocketConnection, open_websocket_url

BEGIN = "bench begins"
END = "bench ends"


def say(mark: str, **fields: object) -> None:
    """Tell the one who measures."""
    print(json.dumps({"mark": mark, **fields}), flush=True)


async def count(socket: WebSocketConnection) -> None:
    """Count between two marks, over and over."""
    events = 0
    wall = cpu = 0.0
    while True:
        message = await socket.get_message()
        events += 1
        if isinstance(message, bytes):
            has_begun, has_ended = len(message) == 2, len(message) == 4
        else:
            text = json.loads(message).get("data", {}).get("text")
            has_begun, has_ended = text == BEGIN, text == END
        if has_begun:
            say("begin")
            events = 0
            wall, cpu = time.perf_counter(), time.process_time()
        elif has_ended:
            used = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
            say("end", events=events - 1, dropped=0, **used)


async def main() -> None:
    """Be an app that the cloud need not call."""
    headers = [(b"x-session-id", b"bare")]
    async with open_websocket_url(os.environ["BENCH_CLOUD"], extra_headers=headers) as socket:
        await socket.send_message('{"type": "tpa_connection_init"}')
        await socket.send_message('{"type": "subscription_update", "subscriptions": ["transcription:auto"]}')
        say("ready", url="")
        await count(socket)


if __name__ == "__main__":
    trio.run(main)
