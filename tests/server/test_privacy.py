"""Log records name a session by a random run id, and never say who wears the glasses or what was said (D23)."""

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import MentraSession, SessionConfig
from mentra_trio.models.session import StopReason
from tests.scripted_cloud import KEY, PACKAGE, SESSION, USER, open_app, open_cloud, session_request, stop_request

SPEECH = "the verdigris marmalade"
SHOWN = "an ultramarine zeppelin"
SETTING = "a chartreuse saxophone"
PASSWORD = "hotspot-fuchsia-77"
SECRETS = [USER, USER.partition("@")[0], SESSION, KEY, SPEECH, SHOWN, SETTING, PASSWORD]


async def live(session: MentraSession) -> None:
    """Use everything."""
    async with (
        session.transcription.stream("en") as lines,
        session.mic.stream(),
        session.raw.messages(),
        session.device.buttons.stream(),
    ):
        await session.display.show_text_wall(SHOWN)
        await session.raw.send("custom", secret=SHOWN)
        session.settings.get("tune", 5)
        async for line in lines:
            await session.display.show_text_wall(line.text)


async def live_and_crash(session: MentraSession) -> None:
    """Use everything, and fail in the SDK's own words."""
    await live(session)
    await session.device.state.wait_for(lambda _: False)


async def say_goodbye(session: MentraSession, reason: StopReason) -> None:
    await session.display.show_text_wall(SHOWN)


async def be_busy(handler_crashes: bool) -> None:
    """A day in the life of a session, with all the faults that are logged."""
    handler = live_and_crash if handler_crashes else live
    config = SessionConfig(display_pace=0.1)
    async with open_cloud() as cloud, open_app(cloud, handler, on_stop=say_goodbye, config=config) as app:
        # Refused starts, with texts that repeat who asked.
        await app.post(session_request(websocketUrl="wss://evil.example/ws"))
        await app.post(session_request(sessionId=5))
        cloud.is_unreachable = True
        await app.post(session_request())
        cloud.is_unreachable = False
        call = app.start_soon()
        socket = await cloud.accept()
        await socket.send("tpa_connection_error", code="INVALID_API_KEY", message=f"key {KEY} of {USER} is wrong")
        await call.answer()

        # A session with data, nonsense and refusals.
        socket = await app.start(
            settings=[{"key": "tune", "value": SETTING}],
            mentraosSettings={"preferredMic": SETTING, "brightness": SETTING},
        )
        await socket.say(SPEECH, final=False)
        await socket.say(SPEECH)
        await socket.say(SPEECH, stream="transcription:fr-FR")
        await socket.send("data_stream", streamType="transcription:en-US", data={"text": SPEECH, "isFinal": SPEECH})
        await socket.send("data_stream", streamType="button_press", data={"buttonId": 5, "timestamp": SPEECH})
        await socket.send("data_stream", streamType="phone_notification", data={"content": SPEECH})
        await socket.send("data_stream", streamType="button_press", timestamp=SPEECH, data={"buttonId": "a"})
        await socket.send(
            "device_state_update", state={"hotspotPassword": PASSWORD, "batteryLevel": SPEECH}, fullSnapshot=True
        )
        await socket.send("capabilities_update", capabilities={"modelName": 5, "x": SPEECH})
        await socket.send("settings_update", settings=SETTING)
        await socket.send("settings_update", settings=[{"key": 5, "value": SETTING}])
        await socket.send("augmentos_settings_update", settings={"userTimezone": 5, "headUpAngle": SPEECH})
        await socket.send("permission_error", details=[{"stream": "calendar_event", "requiredPermission": "CALENDAR"}])
        await socket.send("something_new", text=SPEECH)
        await socket.send_text(SPEECH)
        await socket.send_text(f'{{"type": "data_stream", "data": "{SPEECH}"}}')
        for _ in range(300):
            await socket.send_audio(bytes(64))
        await socket.send("tpa_connection_error", code="INTERNAL_ERROR", message=f"no glasses for {USER}")
        await socket.close(1008, f"no glasses for {USER}")

        # Its way back, with closes that say too much.
        socket = await cloud.accept()
        await socket.close(1011, f"error in {SESSION}")
        socket = await cloud.accept()
        await socket.send("reconnect_deferred", code="BOOTING", message=USER)
        await socket.send("tpa_connection_error", code="SESSION_NOT_FOUND", message=USER)
        await socket.ack()
        await trio.sleep(9)
        socket.answers_pings = False
        socket.line.block()
        await app.sessions[0].raw.send("stuck", secret=SHOWN)
        await trio.sleep(30)

        # Its end.
        await app.post(stop_request(reason=f"{USER} said\nERROR fake record"))
        await wait_all_tasks_blocked()

        # Ends that the cloud decides.
        cloud.forget()
        for say in ("app_stopped", "rejected", "given up"):
            socket = await app.start()
            if say == "app_stopped":
                await socket.send("app_stopped", reason=f"{USER} left")
            elif say == "rejected":
                await socket.cut()
                socket = await cloud.accept()
                await socket.send("reconnect_rejected", code="NOT_RUNNING", message=USER)
            else:
                cloud.status = 503
                await socket.close(1001, USER)
                await trio.sleep(200)
                cloud.status = None
            await trio.sleep(10)
            cloud.forget()


@pytest.mark.parametrize("handler_crashes", [False, True])
async def test_nothing_private_is_logged_above_debug(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, handler_crashes: bool
) -> None:
    caplog.set_level(logging.INFO)
    await be_busy(handler_crashes)
    text = caplog.text

    assert len(caplog.records) > 20
    for secret in SECRETS:
        assert secret not in text, [line for line in text.splitlines() if secret in line]
    assert "\nERROR fake record" not in text


async def test_records_carry_the_run_id(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start()
        await app.stop()
        (session,) = app.sessions
    messages = [record.getMessage() for record in caplog.records if record.name == "mentra_trio.session"]

    assert messages
    assert all(message.startswith(f"[{session.run_id}]") for message in messages)


async def test_every_run_has_an_id_of_its_own(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        for _ in range(3):
            await app.start()
            await app.stop()

        assert len({session.run_id for session in app.sessions}) == 3


async def test_what_an_author_might_log_names_nobody(autojump_clock: MockClock) -> None:
    async with open_cloud() as cloud, open_app(cloud) as app:
        await app.start(sessionId=SESSION)
        (session,) = app.sessions
        shown = [
            repr(each)
            for each in (
                session,
                session.transcription,
                session.display,
                session.mic,
                session.device,
                session.device.buttons,
                session.settings,
                session.raw,
                session.statistics(),
                session.link_state,
            )
        ]

    assert PACKAGE
    for secret in (USER, SESSION, KEY):
        assert not [text for text in shown if secret in text]
