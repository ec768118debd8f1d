"""`_wire/inbound.py`: every message of the cloud, as its own server writes it."""

import json
from datetime import UTC, datetime

import attrs
import pytest

from mentra_trio._wire.codec import JsonObject, decode
from mentra_trio._wire.inbound import (
    INBOUND_TYPES,
    AppStopped,
    CapabilitiesUpdate,
    ConnectionAck,
    ConnectionRefused,
    DeviceStateUpdate,
    InboundMessage,
    PermissionDenied,
    PermissionDetail,
    PermissionRefused,
    Ping,
    Pong,
    ReconnectAck,
    ReconnectDeferred,
    ReconnectRejected,
    SettingEntry,
    SettingsUpdate,
    StreamEvent,
    SystemSettingsUpdate,
    UnknownMessage,
)
from mentra_trio.errors import DecodeError
from mentra_trio.models import (
    Button,
    ButtonCapabilities,
    CameraCapabilities,
    Capabilities,
    DisplayCapabilities,
    FieldOfView,
    ImuCapabilities,
    Light,
    LightCapabilities,
    MicrophoneCapabilities,
    PowerCapabilities,
    Resolution,
    SpeakerCapabilities,
    SystemSettings,
    VideoCapabilities,
)

from .frames import encode_inbound, from_real_cloud

NOON = "2026-06-14T12:00:00.000Z"
AT_NOON = datetime(2026, 6, 14, 12, tzinfo=UTC)
SESSION = "ana@example.com-com.example.app"

# P2 6.4: the profile of Mentra Live, and of Even Realities G1.
MENTRA_LIVE: JsonObject = {
    "modelName": "Mentra Live",
    "hasCamera": True,
    "camera": {
        "resolution": {"width": 1920, "height": 1080},
        "hasHDR": False,
        "hasFocus": True,
        "video": {
            "canRecord": True,
            "canStream": True,
            "supportedStreamTypes": ["rtmp"],
            "supportedResolutions": [{"width": 1920, "height": 1080}, {"width": 640, "height": 480}],
        },
    },
    "hasDisplay": False,
    "display": None,
    "hasMicrophone": True,
    "microphone": {"count": 1, "hasVAD": True},
    "hasSpeaker": True,
    "speaker": {"count": 1, "isPrivate": False},
    "hasIMU": True,
    "imu": {"axisCount": 6, "hasAccelerometer": True, "hasCompass": False, "hasGyroscope": True},
    "hasButton": True,
    "button": {
        "count": 1,
        "buttons": [{"type": "press", "events": ["press", "double_press", "long_press"], "isCapacitive": False}],
    },
    "hasLight": True,
    "light": {
        "count": 1,
        "lights": [
            {"id": "privacy", "purpose": "privacy", "isFullColor": False, "color": "white", "position": "front_facing"}
        ],
    },
    "power": {"hasExternalBattery": False},
    "hasWifi": True,
}
LIVE = Capabilities(
    model_name="Mentra Live",
    has_camera=True,
    camera=CameraCapabilities(
        resolution=Resolution(width=1920, height=1080),
        has_hdr=False,
        has_focus=True,
        video=VideoCapabilities(
            can_record=True,
            can_stream=True,
            supported_stream_types=("rtmp",),
            supported_resolutions=(Resolution(width=1920, height=1080), Resolution(width=640, height=480)),
        ),
    ),
    has_microphone=True,
    microphone=MicrophoneCapabilities(count=1, has_vad=True),
    has_speaker=True,
    speaker=SpeakerCapabilities(count=1, is_private=False),
    has_imu=True,
    imu=ImuCapabilities(axis_count=6, has_accelerometer=True, has_compass=False, has_gyroscope=True),
    has_button=True,
    button=ButtonCapabilities(
        count=1,
        buttons=(Button(type="press", events=("press", "double_press", "long_press"), is_capacitive=False),),
    ),
    has_light=True,
    light=LightCapabilities(
        count=1,
        lights=(Light(id="privacy", purpose="privacy", is_full_color=False, color="white", position="front_facing"),),
    ),
    power=PowerCapabilities(),
    has_wifi=True,
)
G1: JsonObject = {
    "modelName": "Even Realities G1",
    "hasDisplay": True,
    "display": {
        "count": 2,
        "isColor": False,
        "color": "green",
        "canDisplayBitmap": True,
        "resolution": {"width": 640, "height": 200},
        "fieldOfView": {"horizontal": 25},
        "maxTextLines": 5,
        "adjustBrightness": True,
    },
}
SYSTEM: JsonObject = {
    "metricSystemEnabled": True,
    "contextualDashboard": False,
    "headUpAngle": 30,
    "brightness": 70,
    "autoBrightness": False,
    "sensingEnabled": False,
    "alwaysOnStatusBar": True,
    "bypassVad": True,
    "bypassAudioEncoding": True,
    "preferredMic": "glasses",
    "useOnboardMic": True,
    "userTimezone": "Europe/Berlin",
}
SYSTEM_READ = SystemSettings(
    metric_system_enabled=True,
    contextual_dashboard=False,
    head_up_angle=30,
    brightness=70,
    auto_brightness=False,
    sensing_enabled=False,
    always_on_status_bar=True,
    bypass_vad=True,
    bypass_audio_encoding=True,
    preferred_mic="glasses",
    use_onboard_mic=True,
    user_timezone="Europe/Berlin",
)
ACK_FIELDS: JsonObject = {
    "sessionId": SESSION,
    "settings": [{"key": "lang", "value": "en-US"}],
    "mentraosSettings": SYSTEM,
    "capabilities": MENTRA_LIVE,
    "subscriptions": ["transcription:en-US"],
    "userId": "ana@example.com",
    "timestamp": NOON,
}
ACK_READ = ConnectionAck(
    session_id=SESSION,
    user_id="ana@example.com",
    settings=(SettingEntry(key="lang", value="en-US"),),
    mentraos_settings=SYSTEM_READ,
    capabilities=LIVE,
    subscriptions=("transcription:en-US",),
    timestamp=AT_NOON,
)

EXAMPLES: list[tuple[JsonObject, InboundMessage]] = [
    ({"type": "tpa_connection_ack", **ACK_FIELDS}, ACK_READ),
    ({"type": "reconnect_ack", **ACK_FIELDS}, ReconnectAck(**attrs.asdict(ACK_READ, recurse=False))),
    ({"type": "tpa_connection_ack"}, ConnectionAck()),
    (
        {"type": "tpa_connection_error", "code": "INVALID_API_KEY", "message": "Invalid API key", "timestamp": NOON},
        ConnectionRefused(code="INVALID_API_KEY", message="Invalid API key", timestamp=AT_NOON),
    ),
    (
        {"type": "reconnect_rejected", "code": "NOT_RUNNING", "message": "App is not expected", "timestamp": NOON},
        ReconnectRejected(code="NOT_RUNNING", message="App is not expected", timestamp=AT_NOON),
    ),
    (
        {"type": "reconnect_deferred", "code": "BOOTING", "message": "m", "timeoutMs": 12_500, "timestamp": NOON},
        ReconnectDeferred(code="BOOTING", message="m", timeout=12.5, timestamp=AT_NOON),
    ),
    ({"type": "app_stopped", "timestamp": NOON}, AppStopped(timestamp=AT_NOON)),
    (
        {"type": "app_stopped", "reason": "user_disabled", "message": "bye"},
        AppStopped(reason="user_disabled", message="bye"),
    ),
    ({"type": "pong", "timestamp": 1_781_438_400_000}, Pong(timestamp=AT_NOON)),
    ({"type": "pong"}, Pong()),
    ({"type": "ping"}, Ping()),
    (
        {
            "type": "settings_update",
            "packageName": "com.example.app",
            "sessionId": SESSION,
            "settings": [{"key": "lang", "value": "fr"}],
            "timestamp": NOON,
        },
        SettingsUpdate(
            package_name="com.example.app",
            session_id=SESSION,
            settings=(SettingEntry(key="lang", value="fr"),),
            timestamp=AT_NOON,
        ),
    ),
    (
        {"type": "augmentos_settings_update", "sessionId": SESSION, "settings": SYSTEM, "timestamp": NOON},
        SystemSettingsUpdate(session_id=SESSION, settings=SYSTEM_READ, timestamp=AT_NOON),
    ),
    (
        {"type": "capabilities_update", "modelName": "Mentra Live", "capabilities": MENTRA_LIVE},
        CapabilitiesUpdate(model_name="Mentra Live", capabilities=LIVE),
    ),
    ({"type": "capabilities_update", "modelName": None, "capabilities": None}, CapabilitiesUpdate()),
    (
        {"type": "device_state_update", "state": {"batteryLevel": 75}, "fullSnapshot": False, "timestamp": NOON},
        DeviceStateUpdate(state={"batteryLevel": 75}, full_snapshot=False, timestamp=AT_NOON),
    ),
    (
        {"type": "device_state_update", "state": {}, "fullSnapshot": True},
        DeviceStateUpdate(state={}, full_snapshot=True),
    ),
    (
        {
            "type": "permission_error",
            "message": "m",
            "details": [{"stream": "location_update", "requiredPermission": "LOCATION", "message": "d"}],
            "timestamp": NOON,
        },
        PermissionRefused(
            message="m",
            details=(PermissionDetail(stream="location_update", required_permission="LOCATION", message="d"),),
            timestamp=AT_NOON,
        ),
    ),
    (
        {"type": "permission_denied", "message": "m", "permission": "camera", "streamType": "photo_taken"},
        PermissionDenied(message="m", permission="camera", stream_type="photo_taken"),
    ),
    (
        {
            "type": "data_stream",
            "sessionId": SESSION,
            "streamType": "button_press",
            "data": {"type": "button_press", "buttonId": "camera"},
            "timestamp": NOON,
        },
        StreamEvent(
            session_id=SESSION,
            stream_type="button_press",
            data={"type": "button_press", "buttonId": "camera"},
            timestamp=AT_NOON,
        ),
    ),
]


@pytest.mark.parametrize(("fields", "message"), EXAMPLES, ids=lambda value: str(getattr(value, "TYPE", "")))
def test_p1_10_2_a_message_is_read_with_all_its_fields(fields: JsonObject, message: InboundMessage) -> None:
    decoded = decode(json.dumps(fields))

    assert decoded.message == message
    assert type(decoded.message) is type(message)
    assert decoded.fields == fields
    assert decoded.faults == ()


@pytest.mark.parametrize(("fields", "message"), EXAMPLES, ids=lambda value: str(getattr(value, "TYPE", "")))
def test_a_message_is_written_as_it_is_read(fields: JsonObject, message: InboundMessage) -> None:
    text = encode_inbound(message)

    assert decode(text).message == message
    written: JsonObject = json.loads(text)
    assert written["type"] == fields["type"]
    assert written.keys() <= fields.keys()


def test_every_type_has_an_example_and_the_real_cloud_sends_most_of_them() -> None:
    assert {message.TYPE for _, message in EXAMPLES} == {cls.TYPE for cls in INBOUND_TYPES.values()}

    never_sent = set(INBOUND_TYPES) - {str(message["type"]) for _, message in from_real_cloud()}
    assert never_sent == {
        "ping",
        "permission_error",
        "permission_denied",
        "connection_error",
        "mentraos_settings_update",
    }


NEEDED = {
    "settings_update": ["settings"],
    "augmentos_settings_update": ["settings"],
    "mentraos_settings_update": ["settings"],
    "device_state_update": ["state"],
    "data_stream": ["streamType"],
}


@pytest.mark.parametrize("name", sorted(INBOUND_TYPES))
def test_p1_0_only_what_a_message_cannot_do_without_is_required(name: str) -> None:
    """P1 0: never require a timestamp; P1 2.4: expect no config; and so on. An empty message of most types is read."""
    text = json.dumps({"type": name})

    if name not in NEEDED:
        assert isinstance(decode(text).message, INBOUND_TYPES[name])
        return
    with pytest.raises(DecodeError) as caught:
        decode(text)
    assert caught.value.message_type == name
    assert list(caught.value.paths) == [f"{field}: missing" for field in NEEDED[name]]


# P1 2.4, 2.5, 2.6, 2.7


def test_p1_2_4_both_acks_are_acks() -> None:
    decoded = decode('{"type": "reconnect_ack", "sessionId": "s"}').message

    assert isinstance(decoded, ConnectionAck)
    assert decoded.session_id == "s"


def test_p1_2_4_a_config_and_other_planned_fields_are_ignored() -> None:
    decoded = decode('{"type": "tpa_connection_ack", "config": {"name": "x"}, "resurrected": true, "email": "a@b"}')

    assert decoded.message == ConnectionAck()
    assert decoded.faults == ()


def test_p1_2_6_a_deferral_without_a_time_means_thirty_seconds() -> None:
    assert decode('{"type": "reconnect_deferred", "code": "BOOTING"}').message == ReconnectDeferred(code="BOOTING")
    assert ReconnectDeferred().timeout == 30.0


def test_p1_2_6_a_deferral_with_a_time_that_is_no_number_means_thirty_seconds() -> None:
    decoded = decode('{"type": "reconnect_deferred", "timeoutMs": "soon"}')

    assert decoded.message == ReconnectDeferred()
    assert decoded.faults == ("timeoutMs: not a number",)


# P1 5


DEFINITIONS: list[JsonObject] = [
    {"type": "group", "key": "", "label": "", "title": "General"},
    {"type": "toggle", "key": "dark_mode", "label": "Dark mode", "defaultValue": True},
    {
        "type": "select",
        "key": "unit",
        "label": "Unit",
        "defaultValue": "c",
        "options": [{"label": "Celsius", "value": "c"}, {"label": "Fahrenheit", "value": "f"}],
    },
    {"type": "slider", "key": "speed", "label": "Speed", "min": 0, "max": 10, "defaultValue": 5},
    {"type": "titleValue", "label": "Version", "value": "1.2"},
    {"type": "multiselect", "key": "tags", "label": "Tags", "defaultValue": ["a"], "value": ["a", "b"]},
]


def test_p1_5_2_definitions_are_read() -> None:
    message = decode(json.dumps({"type": "settings_update", "settings": DEFINITIONS})).message

    assert message == SettingsUpdate(
        settings=(
            SettingEntry(type="group", key="", label=""),
            SettingEntry(type="toggle", key="dark_mode", label="Dark mode", default_value=True),
            SettingEntry(type="select", key="unit", label="Unit", default_value="c"),
            SettingEntry(type="slider", key="speed", label="Speed", default_value=5),
            SettingEntry(type="titleValue", label="Version", value="1.2"),
            SettingEntry(type="multiselect", key="tags", label="Tags", default_value=["a"], value=["a", "b"]),
        )
    )


@pytest.mark.parametrize("value", [True, 0, 1.5, "", "text", [], ["a", 1], {"a": None}])
def test_p1_5_2_bare_pairs_are_read_with_values_of_any_kind(value: object) -> None:
    message = decode(json.dumps({"type": "settings_update", "settings": [{"key": "k", "value": value}]})).message

    assert message == SettingsUpdate(settings=(SettingEntry(key="k", value=value),))


@pytest.mark.parametrize(
    ("settings", "zone"),
    [
        ({"userTimezone": "Europe/Berlin"}, "Europe/Berlin"),
        ({"timezone": "Asia/Tokyo"}, "Asia/Tokyo"),
        ({"userTimezone": "Europe/Berlin", "timezone": "Asia/Tokyo"}, "Europe/Berlin"),
        ({"userTimezone": None, "timezone": "Asia/Tokyo"}, "Asia/Tokyo"),
        ({"userTimezone": None, "timezone": None}, None),
        ({"userTimezone": None}, None),
        ({}, None),
    ],
)
def test_p1_5_3_the_time_zone_has_two_names(settings: JsonObject, zone: str | None) -> None:
    decoded = decode(json.dumps({"type": "augmentos_settings_update", "settings": settings}))

    assert decoded.message == SystemSettingsUpdate(settings=SystemSettings(user_timezone=zone))
    assert decoded.faults == ()


def test_p1_5_3_a_zone_that_is_no_text_does_not_cost_the_other_settings() -> None:
    both = decode('{"type": "augmentos_settings_update", "settings": {"timezone": 5, "brightness": 7}}')
    named = decode('{"type": "augmentos_settings_update", "settings": {"userTimezone": 5, "timezone": "Asia/Tokyo"}}')

    assert both.message == SystemSettingsUpdate(settings=SystemSettings(brightness=7))
    assert named.message == SystemSettingsUpdate(settings=SystemSettings(user_timezone="Asia/Tokyo"))
    assert named.faults == ("settings.userTimezone: not a text",)


@pytest.mark.parametrize("settings", ["text", 5, [], True])
def test_p1_5_3_system_settings_that_are_no_object_are_lost(settings: object) -> None:
    decoded = decode(json.dumps({"type": "tpa_connection_ack", "mentraosSettings": settings}))

    assert decoded.message == ConnectionAck()
    assert decoded.faults == ("mentraosSettings: not an object",)


# P2 6.3, 6.4


def test_p2_6_4_a_model_with_a_display_is_read() -> None:
    message = decode(json.dumps({"type": "capabilities_update", "capabilities": G1})).message

    assert message == CapabilitiesUpdate(
        capabilities=Capabilities(
            model_name="Even Realities G1",
            has_display=True,
            display=DisplayCapabilities(
                count=2,
                is_color=False,
                color="green",
                can_display_bitmap=True,
                resolution=Resolution(width=640, height=200),
                field_of_view=FieldOfView(horizontal=25),
                max_text_lines=5,
                adjust_brightness=True,
            ),
        )
    )


def test_an_unknown_message_keeps_its_type() -> None:
    assert decode('{"type": "rtmp_stream_status"}').message == UnknownMessage(type="rtmp_stream_status")
