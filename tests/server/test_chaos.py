"""Starts, stops, losses and refusals in any order leave exactly what the last word asked for."""

import contextlib
import logging
from random import Random

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import LinkState, MentraSession
from mentra_trio.errors import TransportClosedError
from tests.scripted_cloud import HOST, OTHER_HOST, AppUnderTest, CloudSocket, open_app, open_cloud

STEPS = 25


class Cloud:
    """Treats every socket in a way of its own, until it is told to be kind."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.is_kind = False

    async def attend(self, socket: CloudSocket) -> None:
        """Serve one socket."""
        with contextlib.suppress(TransportClosedError):
            await self._attend(socket)

    async def _attend(self, socket: CloudSocket) -> None:
        await socket.open()
        whim = "ack" if self.is_kind else self.random.choice(WHIMS)
        await trio.sleep(0 if self.is_kind else self.random.choice([0, 0, 0.01, 0.3, 2]))
        match whim:
            case "silence":
                return
            case "half open":
                socket.line.lose_peer()
                return
            case "reject":
                code = self.random.choice(["SESSION_EXPIRED", "NOT_RUNNING", "SESSION_NOT_FOUND"])
                await socket.send("reconnect_rejected", code=code)
                await socket.close(1008, "no")
                return
            case "refuse":
                code = self.random.choice(["SESSION_NOT_FOUND", "INTERNAL_ERROR", "APP_NOT_STARTED"])
                await socket.send("tpa_connection_error", code=code, message="no")
                await socket.close(1008, "no")
                return
            case "close":
                await socket.close(self.random.choice([1000, 1001, 1008, 1011]), "whatever")
                return
            case "cut":
                await socket.cut()
                return
            case "park":
                await socket.send("reconnect_deferred", code="BOOTING", timeoutMs=30_000)
                await trio.sleep(self.random.choice([0.1, 1, 10]))
            case _:
                pass
        # Nothing may have come before the ack.
        assert socket.unread() == []
        await socket.ack()
        await socket.send("device_state_update", state={}, fullSnapshot=True)


WHIMS = ["ack"] * 6 + ["silence", "half open", "reject", "refuse", "close", "cut", "park", "park"]


async def step(app: AppUnderTest, random: Random) -> None:
    """Do something that the cloud or the network may do."""
    open_sockets = [socket for socket in app.cloud.sockets if socket.is_open]
    match random.choice(
        ["start", "start", "stop", "lose", "lose", "stopped", "refused request", "unreachable", "wait"]
    ):
        case "start":
            app.start_soon(host=random.choice([HOST, HOST, OTHER_HOST]))
        case "stop":
            assert (await app.stop()).status == 200
        case "lose" if open_sockets:
            await random.choice(open_sockets).cut()
        case "stopped" if open_sockets:
            socket = random.choice(open_sockets)
            with trio.move_on_after(1), contextlib.suppress(TransportClosedError):
                await socket.send("app_stopped")
                await socket.close(1000, "App stopped")
        case "refused request" if open_sockets:
            socket = random.choice(open_sockets)
            with trio.move_on_after(1), contextlib.suppress(TransportClosedError):
                await socket.send("tpa_connection_error", code="INTERNAL_ERROR", message="no")
                await socket.close(1008, "no")
        case "unreachable":
            app.cloud.is_unreachable = not app.cloud.is_unreachable
        case _:
            pass
    await trio.sleep(random.choice([0, 0, 0.001, 0.2, 1, 5, 40]))


@pytest.mark.parametrize("seed", range(60))
async def test_the_last_word_counts(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    random = Random(seed)
    fate = Cloud(seed)
    running: set[MentraSession] = set()

    async def handler(session: MentraSession) -> None:
        assert session not in running
        running.add(session)
        try:
            async with session.transcription.stream("en") as lines:
                async for line in lines:
                    await session.display.show_text_wall(line.text)
        finally:
            running.discard(session)

    async with open_cloud(fate.attend) as cloud, open_app(cloud, handler) as app:
        for _ in range(STEPS):
            await step(app, random)
        await trio.testing.wait_all_tasks_blocked()  # else the last start may come after the last word
        fate.is_kind = True
        cloud.is_unreachable = False
        if seed % 2:
            assert (await app.stop()).status == 200
            await trio.sleep(20)
            dials = len(cloud.dials)
            await trio.sleep(300)

            assert len(cloud.dials) == dials
            assert [socket for socket in cloud.sockets if socket.is_open and not socket.line.is_gone] == []
            assert running == set()
        else:
            # The cloud repeats a start that failed, which one under way may still do.
            if (await app.start_soon().answer()).status != 200:
                await trio.sleep(1)
                assert (await app.start_soon().answer()).status == 200
            await trio.sleep(20)
            (session,) = running
            (socket,) = [socket for socket in cloud.sockets if socket.is_open and not socket.line.is_gone]

            assert session.link_state.value is LinkState.CONNECTED
            assert app.server.session_for(session.user_id) is session
            assert socket.url.host == HOST
            socket.unread()
            await socket.say("still there")
            assert await socket.shown() == {"layoutType": "text_wall", "text": "still there"}
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
