"""Device state, capabilities and settings (P1 5, P2 6.3-6.5)."""

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import HeadPosition, PressType
from mentra_trio.simulator import AppState, Cloud, InstalledApp
from mentra_trio.simulator.hardware import MODELS, SIMULATED_GLASSES, capabilities, lacks

from .apps import ALPHA, BETA, USER, Json, Socket, session_id, settle, world


def updates(socket: Socket) -> list[object]:
    """Device news after the first snapshot."""
    return [
        message["state"] if message["type"] == "device_state_update" else message["modelName"]
        for message in socket.messages()[2:]
        if message["type"] in {"device_state_update", "capabilities_update"}
    ]


def test_p2_6_4_there_are_six_models() -> None:
    assert sorted(MODELS) == [
        "Even Realities G1",
        "Even Realities G2",
        "Mentra Display",
        "Mentra Live",
        "Simulated Glasses",
        "Vuzix Z100",
    ]
    for name, abilities in MODELS.items():
        assert abilities["modelName"] == name
        for part in ("Camera", "Display", "Microphone", "Speaker", "Button", "Light"):
            assert (abilities[part.lower()] is not None) is abilities[f"has{part}"]
    assert capabilities("Mentra Mach1") is None


def test_p2_6_4_of_an_unknown_model_nothing_is_known_to_lack() -> None:
    assert lacks("Even Realities G1", frozenset({"CAMERA"}))
    assert not lacks("Mentra Live", frozenset({"CAMERA", "WIFI"}))
    assert not lacks("Acme Specs", frozenset({"CAMERA"}))
    assert not lacks(None, frozenset({"CAMERA"}))


async def test_p2_6_5_only_what_changed_is_told(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.update_device(batteryLevel=80, charging=False)
        here.user.update_device(batteryLevel=80)
        here.user.update_device(batteryLevel=79, charging=False)
        await settle()

        assert updates(socket) == [{"batteryLevel": 80, "charging": False}, {"batteryLevel": 79}]
        assert socket.last()["fullSnapshot"] is False


async def test_p2_6_5_capabilities_come_before_the_model(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.update_device(modelName="Mentra Live")
        here.user.update_device(modelName="Acme Specs")
        await settle()

        assert updates(socket) == [
            "Mentra Live",
            {"modelName": "Mentra Live", "connected": True},
            "Acme Specs",
            {"modelName": "Acme Specs", "connected": True},
        ]
        assert socket.messages("capabilities_update")[-1]["capabilities"] is None


async def test_p2_6_5_a_disconnect_is_state_alone(autojump_clock: MockClock) -> None:
    async with world(model="Mentra Live") as here:
        socket = await here.start()
        here.user.update_device(connected=False, modelName=None)
        await settle()

        assert updates(socket) == [{"connected": False, "modelName": None}]


async def test_p2_6_2_5_the_old_connection_message_changes_state_and_is_relayed(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("glasses_connection_state")
        message: Json = {
            "type": "glasses_connection_state",
            "modelName": "Mentra Live",
            "status": "CONNECTED",
            "wifi": {"connected": True, "ssid": "lab"},
        }
        here.user.phone_message(message)
        here.user.phone_message({**message, "status": "DISCONNECTED", "wifi": None})
        await settle()

        stamp = "2026-06-27T10:00:00.000Z"
        assert updates(socket) == [
            "Mentra Live",
            {
                "connected": True,
                "modelName": "Mentra Live",
                "wifiConnected": True,
                "wifiSsid": "lab",
                "timestamp": stamp,
            },
            {"connected": False, "modelName": None},
        ]
        assert [name for name, _ in socket.streams()] == ["glasses_connection_state"] * 2
        session = here.cloud.session(USER)
        assert session is not None
        assert session.device_state == {"connected": False, "modelName": None, "timestamp": stamp}


async def test_p2_1_7_more_than_ten_posts_in_a_second_are_refused(autojump_clock: MockClock) -> None:
    async with world() as here:
        taken = [here.user.update_device(batteryLevel=level) for level in range(12)]
        await trio.sleep(1)

        assert taken == [True] * 10 + [False] * 2
        assert here.user.update_device(batteryLevel=50)


async def test_p2_6_4_apps_that_require_what_the_new_model_lacks_are_stopped(autojump_clock: MockClock) -> None:
    async with world(model="Mentra Live") as here:
        app = here.cloud.store.apps[ALPHA]
        here.cloud.install(
            InstalledApp(
                package_name=ALPHA,
                api_key=app.api_key,
                public_url=app.public_url,
                required_hardware=frozenset({"CAMERA"}),
            )
        )
        socket = await here.start()
        here.user.update_device(modelName="Even Realities G1")
        await settle()

        assert socket.types()[2:] == ["capabilities_update", "app_stopped"]
        assert here.user.state_of(ALPHA) is AppState.STOPPED


async def test_p1_5_2_settings_are_definitions_until_one_is_stored(autojump_clock: MockClock) -> None:
    async with world() as here:
        definitions: list[Json] = [{"type": "toggle", "key": "dark", "label": "Dark", "defaultValue": True}]
        app = here.cloud.store.apps[ALPHA]
        here.cloud.install(
            InstalledApp(
                package_name=ALPHA, api_key=app.api_key, public_url=app.public_url, settings=tuple(definitions)
            )
        )
        socket = await here.start()
        assert socket.messages()[0]["settings"] == definitions

        here.user.change_settings(ALPHA, {"dark": False})
        here.user.change_settings(ALPHA, {"other": 7})
        await settle()
        stored = [{"key": "dark", "value": False}, {"key": "other", "value": 7}]
        assert socket.last() == {
            "type": "settings_update",
            "packageName": ALPHA,
            "sessionId": session_id(),
            "settings": stored,
            "timestamp": "2026-06-27T10:00:00.000Z",
        }
        assert here.webhooks.calls[-1].path == "/settings"
        assert here.webhooks.calls[-1].body == {"userIdForSettings": USER, "settings": stored}

        await socket.init()
        assert socket.messages("tpa_connection_ack")[-1]["settings"] == stored


async def test_p1_5_1_settings_of_an_app_that_does_not_run_are_stored(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.user.change_settings(ALPHA, {"dark": False})
        here.user.change_settings("com.example.nothere", {"dark": False})
        await settle()
        socket = await here.start()

        assert socket.messages()[0]["settings"] == [{"key": "dark", "value": False}]


async def test_p1_5_3_system_settings_go_to_those_who_asked_for_any(autojump_clock: MockClock) -> None:
    async with world() as here:
        alpha, beta = await here.start(), await here.start(BETA)
        await alpha.subscribe("augmentos:brightness")
        await beta.subscribe("button_press", package_name=BETA)
        here.user.change_system_settings(metric_system=True, timezone="Europe/Berlin", preferred_mic="glasses")
        await settle()

        settings = alpha.last()["settings"]
        assert settings == {
            "metricSystemEnabled": True,
            "contextualDashboard": True,
            "headUpAngle": 45,
            "brightness": 50,
            "autoBrightness": True,
            "sensingEnabled": True,
            "alwaysOnStatusBar": False,
            "bypassVad": False,
            "bypassAudioEncoding": False,
            "preferredMic": "glasses",
            "useOnboardMic": True,
            "userTimezone": "Europe/Berlin",
        }
        assert alpha.last()["type"] == "augmentos_settings_update"
        assert beta.types()[2:] == []


async def test_p2_6_5_another_preferred_model_is_told_twice(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        here.user.change_system_settings(default_wearable="Even Realities G1")
        await settle()

        assert socket.types()[2:] == ["capabilities_update", "device_state_update", "capabilities_update"]
        assert here.user.stored.model == "Even Realities G1"


@pytest.mark.parametrize("microphone", ["preferred_mic:Mentra Live", "preferred_mic"])
async def test_p1_5_3_the_preferred_microphone_may_belong_to_a_model(
    autojump_clock: MockClock, microphone: str
) -> None:
    async with world(model="Mentra Live") as here:
        here.user.change_system_settings(**{microphone: "phone"})
        socket = await here.start()

        settings = socket.messages()[0]["mentraosSettings"]
        assert isinstance(settings, dict)
        assert settings["preferredMic"] == "phone"


async def test_system_settings_are_stored_while_the_phone_is_away(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        here.user.change_system_settings(brightness=7)
        await trio.lowlevel.checkpoint()

        assert here.user.stored.system_settings == {"brightness": 7}


def test_a_new_wearer_has_simulated_glasses() -> None:
    async def look() -> None:
        cloud = Cloud()
        user = cloud.user("Ana@Example.com")
        assert (user.user_id, user.stored.model) == ("ana@example.com", "Simulated Glasses")
        assert cloud.user("ana@example.com", model="Mentra Live") is user
        assert user.stored.model == "Simulated Glasses"
        assert cloud.user("bob@example.com", model=None).stored.model is None
        await trio.lowlevel.checkpoint()

    trio.run(look)


async def test_another_model_fits_another_number_of_lines(autojump_clock: MockClock) -> None:
    async with world(model="Vuzix Z100") as here:
        socket = await here.start()
        await trio.sleep(3)
        here.user.update_device(modelName="Even Realities G1")
        await socket.show("\n".join("1234567"))

        assert here.user.glasses.lines == ("1", "2", "3", "4", "5")


async def test_presses_and_looks_are_told_by_their_words(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("button_press", "head_position")
        here.user.press(kind="long")
        here.user.press("camera", PressType.SHORT)
        here.user.look("up")
        here.user.look(HeadPosition.DOWN)
        with pytest.raises(ValueError, match="a press is 'short' or 'long', not 'looong'"):
            here.user.press(kind="looong")
        with pytest.raises(ValueError, match="a head is 'up' or 'down', not 'unknown'"):
            here.user.look(HeadPosition.UNKNOWN)
        await settle()

        assert [(name, data.get("pressType") or data["position"]) for name, data in socket.streams()] == [
            ("button_press", "long"),
            ("button_press", "short"),
            ("head_position", "up"),
            ("head_position", "down"),
        ]


async def test_an_app_finds_the_same_glasses_in_tests_as_in_the_terminal(autojump_clock: MockClock) -> None:
    async with world(model=SIMULATED_GLASSES) as here:
        socket = await here.start()

        assert socket.messages("device_state_update")[0]["state"] == {
            "connected": True,
            "modelName": SIMULATED_GLASSES,
            "batteryLevel": 100,
            "charging": False,
        }


async def test_a_phone_tells_a_new_cloud_what_it_knows_of_the_glasses(autojump_clock: MockClock) -> None:
    async with world(model=SIMULATED_GLASSES) as here:
        here.user.update_device(batteryLevel=42)
        here.cloud.crash()
        here.cloud.resume()
        await here.user.connect()
        socket = await here.start()

        state = socket.messages("device_state_update")[0]["state"]
        assert isinstance(state, dict)
        assert (state["batteryLevel"], state["charging"]) == (42, False)


async def test_a_state_that_glasses_do_not_have_is_refused(autojump_clock: MockClock) -> None:
    """It would change nothing that an app can see, without a sound."""
    async with world() as here:
        with pytest.raises(TypeError) as near:
            here.user.update_device(battery=42)
        with pytest.raises(TypeError, match=r"^update_device\(\) has no 'xyz'; it has androidVersion, appVersion, "):
            here.user.update_device(charging=True, xyz=1)
        assert here.user.post_device_state({"somethingNew": 1})
        socket = await here.start()

        assert str(near.value).startswith("update_device() has no 'battery', perhaps 'batteryLevel'; it has androidV")
        assert socket.messages("device_state_update")[0]["state"] == {"somethingNew": 1}
