"""What a review of the core found; each was shown to fail before it was mended."""

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import ConfigError, MentraSession, MiniAppServer, StopKind
from mentra_trio._wire.webhooks import SessionRequest
from tests.scripted_cloud import OTHER_HOST, USER, open_app, open_cloud, session_request, stop_request


@pytest.mark.parametrize(("code", "reason"), [(1009, "Message too big"), (1011, "Internal server error")])
async def test_p1_2_9_a_display_that_the_cloud_cannot_take_is_not_sent_again(
    autojump_clock: MockClock, code: int, reason: str
) -> None:
    async def handler(session: MentraSession) -> None:
        await session.display.show_text_wall("too much")

    async with open_cloud() as cloud, open_app(cloud, handler) as app:
        socket = await app.start()
        await socket.expect("display_event")
        await socket.close(code, reason)

        again = await cloud.accept()
        await again.handshake()
        await trio.sleep(5)

        assert [message["type"] for message in again.unread() if message["type"] == "display_event"] == []


async def test_p1_1_5_a_session_of_another_user_does_not_keep_its_place(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        call = app.post_soon({**session_request(), "userId": "mallory@example.com"})
        await (await cloud.accept()).handshake()
        assert (await call.answer()).status == 200

        call = app.start_soon()
        socket = await cloud.accept()
        await socket.handshake()

        assert (await call.answer()).status == 200
        assert socket.headers["x-user-id"] == USER.encode()
        assert app.server.session_for(USER) is not None


async def test_p1_1_5_a_session_is_not_ended_by_a_start_in_another_users_name(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        socket = await app.start()
        strange = app.post_soon({**session_request(), "userId": "mallory@example.com"})
        refused = await cloud.accept()
        await refused.send("tpa_connection_error", code="APP_NOT_STARTED", message="no")

        assert (await strange.answer()).status == 502
        assert socket.is_open
        assert app.server.session_for(USER) is not None


async def test_a_stop_while_reconnecting_leaves_no_half_open_handshake(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        await (await app.start()).cut()
        half = await cloud.accept()
        await half.open()

        await app.post(stop_request())
        with trio.fail_after(0.5):
            await half.wait_closed()

        (session,) = app.sessions
        assert session.stop_reason is not None
        assert session.stop_reason.kind is StopKind.STOP_REQUESTED


async def test_d23_reprs_tell_no_speech_and_no_ids(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        socket = await app.start()
        async with app.sessions[0].transcription.stream() as speech, app.sessions[0].device.buttons.stream() as presses:
            await socket.expect("subscription_update")
            await socket.say("a secret")
            await trio.sleep(1)

            assert repr(presses) == "<EventStream 'button presses'>"
            assert "secret" not in repr(speech)
    assert USER not in repr(SessionRequest(session_id=USER, user_id=USER, url=OTHER_HOST))


def test_a_handler_that_is_not_async_is_refused_by_name() -> None:
    def hello(session: MentraSession) -> None:
        del session

    app = MiniAppServer("com.example.app", "key")
    with pytest.raises(ConfigError, match="hello is not an async function; write 'async def handler"):
        app.on_session(hello)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is tested
    with pytest.raises(ConfigError, match="hello is not an async function"):
        app.on_stop(hello)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is tested


async def test_languages_in_a_list_are_refused_with_the_right_form(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        with pytest.raises(TypeError, match="one by one"):
            app.sessions[0].transcription.stream(["en", "de"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is tested
