"""One session in trouble leaves the others alone."""

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import LinkState, MentraSession
from mentra_trio.session import SessionHandler
from tests.scripted_cloud import CLOSED_BY_APP, CloudSocket, open_app, open_cloud

OTHERS = 100
BAD = "bad@example.com"


async def healthy(session: MentraSession) -> None:
    """Show what is said."""
    async with session.transcription.stream("en") as lines:
        async for line in lines:
            await session.display.show_text_wall(line.text)


async def raises(session: MentraSession) -> None:
    """Fail at the first word."""
    async with session.transcription.stream("en") as lines:
        await anext(lines)
    raise RuntimeError("bug")


async def raises_a_group(session: MentraSession) -> None:
    """Fail in several tasks at once."""
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(raises, session)


async def hangs_in_clean_up(session: MentraSession) -> None:
    """Hold on to the session long after its end."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.move_on_after(200, shield=True):
            await trio.sleep_forever()


async def never_reads(session: MentraSession) -> None:
    """Open everything, read nothing."""
    async with (
        session.transcription.stream("en"),
        session.mic.stream(),
        session.device.buttons.stream(),
        session.raw.messages(),
    ):
        await trio.sleep_forever()


async def reads_slowly(session: MentraSession) -> None:
    """Take a minute for each word."""
    async with session.transcription.stream("en") as lines:
        async for line in lines:
            await session.display.show_text_wall(line.text)
            await trio.sleep(60)


async def shows_without_end(session: MentraSession) -> None:
    """Display far faster than anything can follow."""
    for number in range(100_000):
        await session.display.show_text_wall(str(number))
        await trio.sleep(0.01)


async def opens_without_end(session: MentraSession) -> None:
    """Change the subscriptions all the time."""
    while True:
        async with session.mic.stream():
            await trio.sleep(0.05)


async def burden(socket: CloudSocket, round_number: int) -> None:
    """Give the bad session more than anybody can take."""
    for number in range(100):
        await socket.say(str(number), utterance=f"{round_number}-{number}")
        await socket.send_audio(bytes(64))
        await socket.event("button_press", buttonId="a")
        await socket.send_text("nonsense")


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad",
    [
        raises,
        raises_a_group,
        hangs_in_clean_up,
        never_reads,
        reads_slowly,
        shows_without_end,
        opens_without_end,
    ],
)
async def test_a_bad_session_leaves_a_hundred_others_alone(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, bad: SessionHandler
) -> None:
    """Each still gets its words and shows its displays in the same moment."""

    async def handler(session: MentraSession) -> None:
        await (bad if session.user_id == BAD else healthy)(session)

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        sockets = [await app.start(f"user{number}@example.com") for number in range(OTHERS)]
        trouble = await app.start(BAD)
        for socket in sockets:
            await socket.expect("subscription_update")
        for round_number in range(3):
            await trio.sleep(10)
            if trouble.is_open:
                await burden(trouble, round_number)
            if round_number == 1:
                await app.stop(BAD)
            at = trio.current_time()
            for number, socket in enumerate(sockets):
                await socket.say(f"{round_number} to {number}", utterance=str(round_number))
            await wait_all_tasks_blocked()

            assert trio.current_time() == at
            shown = [[message["layout"]["text"] for message in socket.unread()] for socket in sockets]
            assert shown == [[f"{round_number} to {number}"] for number in range(OTHERS)]
        others = [session for session in app.sessions if session.user_id != BAD]

        assert len(others) == OTHERS
        assert all(session.link_state.value is LinkState.CONNECTED for session in others)
        assert all(session.connections == 1 for session in others)
        assert all(session.statistics().outbox.coalesced == 0 for session in others)
        run_ids = {session.run_id for session in others}
        noisy = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
        assert not [text for text in noisy if text[1:9] in run_ids]


@pytest.mark.slow
async def test_a_cloud_that_drops_everybody_gets_everybody_back(autojump_clock: MockClock) -> None:
    """At most 50 connects at once and 250 a second (D20), and nobody is left behind."""
    async with open_cloud() as cloud, open_app(cloud, healthy) as app:
        sockets = [await app.start(f"user{number}@example.com") for number in range(OTHERS)]
        for socket in sockets:
            await socket.cut()
        back = [await cloud.accept() for _ in sockets]
        for socket in back:
            await socket.handshake()
        await wait_all_tasks_blocked()

        assert all(session.link_state.value is LinkState.CONNECTED for session in app.sessions)
        assert all(session.connections == 2 for session in app.sessions)
        assert trio.current_time() < 1


@pytest.mark.slow
async def test_a_hundred_sessions_stop_as_fast_as_one(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud:
        async with open_app(cloud) as app:
            sockets = [await app.start(f"user{number}@example.com") for number in range(OTHERS)]
            for socket in sockets[::2]:
                socket.line.lose_peer()

        assert trio.current_time() == 1.5
        for socket in sockets[1::2]:
            assert await socket.wait_closed() == CLOSED_BY_APP
