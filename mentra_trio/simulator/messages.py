"""Every message of the simulated cloud, and how it reads those of an app: the only JSON names in the simulator.

The simulator spells its messages by hand instead of using the SDK's own classes. It has to send and understand what
those refuse (a phone's message verbatim, a list that is no list), and two ends that share one mistake would agree on
it. Both are held against recordings of the real cloud.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio._wire.json_text import JsonObject, dumps, text_of
from mentra_trio.text.bitmap import Bitmap, read_bmp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from random import Random

SYSTEM_PACKAGE = "com.mentra.os"
"""Package under which the system itself displays."""
PARK_SECONDS = 30.0
"""How long a parked socket waits (P1 2.6)."""


# --- what an app sends


@attrs.frozen(kw_only=True)
class Init:
    """`tpa_connection_init` (P1 2.3)."""

    package_name: str
    api_key: str
    session_id: str
    sdk_version: str | None


@attrs.frozen(kw_only=True)
class Reconnect:
    """`reconnect` (P1 2.6)."""

    session_id: str
    sdk_version: str | None


@attrs.frozen(kw_only=True)
class Subscribe:
    """`subscription_update` (P1 4.1), its list unread."""

    package_name: str
    subscriptions: object
    given: bool
    """Whether the field was there at all."""


@attrs.frozen(kw_only=True)
class Release:
    """`ownership_release` (P1 2.7)."""

    package_name: str
    reason: str


@attrs.frozen(kw_only=True)
class Display:
    """`display_event` (P3 1.2), its layout unread: the cloud forwards it as it is."""

    package_name: str
    fields: JsonObject


@attrs.frozen(kw_only=True)
class Ping:
    """JSON `ping` (P1 2.8)."""


@attrs.frozen(kw_only=True)
class Pong:
    """JSON `pong`, which is swallowed (P1 2.8)."""


@attrs.frozen(kw_only=True)
class Other:
    """A message that this simulator does nothing about."""

    package_name: str
    type: str
    """Empty when it had none."""
    fields: JsonObject


AppMessage = Init | Reconnect | Subscribe | Release | Display | Ping | Pong | Other


def read(text: str | bytes) -> AppMessage:
    """Read a message of an app. Raises `ValueError` for what makes the cloud's handler throw (P1 2.5).

    JSON that is no object has no type, so it is ignored; `null` alone throws.
    """
    try:
        value: object = json.loads(text)
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error
    if value is None:
        msg = "null has no type"
        raise ValueError(msg)
    if not isinstance(value, dict):
        return Other(package_name="", type="", fields={})
    fields = cast("JsonObject", value)
    package_name = text_of(fields, "packageName")
    match kind := text_of(fields, "type"):
        case "tpa_connection_init":
            return Init(
                package_name=package_name,
                api_key=text_of(fields, "apiKey"),
                session_id=text_of(fields, "sessionId"),
                sdk_version=text_of(fields, "sdkVersion") or None,
            )
        case "reconnect":
            return Reconnect(session_id=text_of(fields, "sessionId"), sdk_version=text_of(fields, "sdkVersion") or None)
        case "subscription_update":
            return Subscribe(
                package_name=package_name,
                subscriptions=fields.get("subscriptions"),
                given="subscriptions" in fields,
            )
        case "ownership_release":
            return Release(package_name=package_name, reason=text_of(fields, "reason"))
        case "display_event":
            return Display(package_name=package_name, fields=fields)
        case "ping":
            return Ping()
        case "pong":
            return Pong()
        case _:
            return Other(package_name=package_name, type=kind, fields=fields)


def display_duration(fields: JsonObject) -> float | None:
    """Duration of a display in seconds; `None` when it has none. It may be 0 or negative."""
    value = fields.get("durationMs")
    return value / 1000 if isinstance(value, int | float) and not isinstance(value, bool) else None


def is_forced_display(fields: JsonObject) -> bool:
    """Whether a display asks to skip the throttle."""
    return bool(fields.get("forceDisplay"))


_LAYOUT_TEXTS = {
    "text_wall": ("text",),
    "double_text_wall": ("topText", "bottomText"),
    "reference_card": ("title", "text"),
    "dashboard_card": ("leftText", "rightText"),
    "bitmap_view": ("data",),
    "clear_view": (),
}


def layout_fault(fields: JsonObject) -> str | None:
    """What is wrong with the layout of a display; the cloud itself does not look (P3 1.2)."""
    layout = fields.get("layout")
    if not isinstance(layout, dict):
        return "it has no layout"
    members = cast("JsonObject", layout)
    kind = members.get("layoutType")
    if not isinstance(kind, str) or kind not in {*_LAYOUT_TEXTS, "bitmap_animation"}:
        return f"the layout type {kind!r} does not exist"
    missing = [name for name in _LAYOUT_TEXTS.get(kind, ()) if not isinstance(members.get(name), str)]
    if not missing and kind == "bitmap_view" and bitmap_of(members) is None:
        return "its data is no BMP file in base64"
    return f"{kind} needs text in {', '.join(missing)}" if missing else None


def bitmap_of(layout: JsonObject) -> Bitmap | None:
    """Read the picture of a layout as a phone does: strict base64 of a BMP file (P3 2.2); `None` where it is none."""
    if layout.get("layoutType") != "bitmap_view":
        return None
    try:
        return read_bmp(base64.b64decode(text_of(layout, "data"), validate=True))
    except ValueError:
        return None


# --- to an app


def ack(
    kind: str,
    *,
    session_id: str,
    settings: Sequence[JsonObject],
    system_settings: JsonObject,
    capabilities: JsonObject | None,
    subscriptions: Sequence[str],
    user_id: str,
    timestamp: str,
) -> JsonObject:
    """`tpa_connection_ack` or `reconnect_ack` (P1 2.4)."""
    return {
        "type": kind,
        "sessionId": session_id,
        "settings": list(settings),
        "mentraosSettings": system_settings,
        "capabilities": capabilities,
        "subscriptions": list(subscriptions),
        "userId": user_id,
        "timestamp": timestamp,
    }


def refused(code: str, text: str, timestamp: str) -> JsonObject:
    """`tpa_connection_error` (P1 2.5)."""
    return {"type": "tpa_connection_error", "code": code, "message": text, "timestamp": timestamp}


def rejected(code: str, text: str, timestamp: str) -> JsonObject:
    """`reconnect_rejected` (P1 2.6)."""
    return {"type": "reconnect_rejected", "code": code, "message": text, "timestamp": timestamp}


def deferred(code: str, text: str, timestamp: str) -> JsonObject:
    """`reconnect_deferred` (P1 2.6)."""
    timeout = round(PARK_SECONDS * 1000)
    return {
        "type": "reconnect_deferred",
        "code": code,
        "message": text,
        "timeoutMs": timeout,
        "timestamp": timestamp,
    }


def app_stopped(timestamp: str, *, package_name: str | None = None) -> JsonObject:
    """`app_stopped`; the phone is told which app, the app is not told why (P1 2.7)."""
    named: JsonObject = {} if package_name is None else {"packageName": package_name}
    return {"type": "app_stopped", **named, "timestamp": timestamp}


def ping() -> JsonObject:
    """JSON `ping`, which apps answer and the real cloud does not send (P1 2.8)."""
    return {"type": "ping"}


def pong(milliseconds: int) -> JsonObject:
    """JSON `pong`, the one message whose timestamp is a number (P1 2.8)."""
    return {"type": "pong", "timestamp": milliseconds}


def settings_update(
    *, package_name: str, session_id: str, settings: Sequence[JsonObject], timestamp: str
) -> JsonObject:
    """`settings_update` (P1 5.1)."""
    return {
        "type": "settings_update",
        "packageName": package_name,
        "sessionId": session_id,
        "settings": list(settings),
        "timestamp": timestamp,
    }


def system_settings_update(*, session_id: str, settings: JsonObject, timestamp: str) -> JsonObject:
    """`augmentos_settings_update` (P1 5.3)."""
    return {
        "type": "augmentos_settings_update",
        "sessionId": session_id,
        "settings": settings,
        "timestamp": timestamp,
    }


def capabilities_update(capabilities: JsonObject | None, model: object) -> JsonObject:
    """`capabilities_update`, which has no timestamp (P2 6.4)."""
    return {"type": "capabilities_update", "capabilities": capabilities, "modelName": model}


def device_state_update(state: JsonObject, timestamp: str, *, full: bool) -> JsonObject:
    """`device_state_update` (P2 6.3)."""
    return {"type": "device_state_update", "state": dict(state), "fullSnapshot": full, "timestamp": timestamp}


def data_stream(*, session_id: str, stream: str, data: JsonObject, timestamp: str) -> JsonObject:
    """`data_stream`, the envelope of every subscribed event (P2 1.2)."""
    return {
        "type": "data_stream",
        "sessionId": session_id,
        "streamType": stream,
        "data": data,
        "timestamp": timestamp,
    }


def unknown_path(path: str, timestamp: str) -> str:
    """Body of the 404 for a path that is no WebSocket."""
    return dumps({"error": "Not found", "path": path, "timestamp": timestamp})


def permission_error(stream: str, permission: str, timestamp: str) -> JsonObject:
    """`permission_error`, which only other clouds than today's send (P1 4.3)."""
    detail = {"stream": stream, "requiredPermission": permission, "message": f"{permission} permission is required"}
    return {
        "type": "permission_error",
        "message": "Some subscriptions were rejected",
        "details": [detail],
        "timestamp": timestamp,
    }


# --- answers over HTTP


@attrs.frozen
class Reply:
    """An answer with JSON."""

    status: int
    text: str = attrs.field(repr=False)


def reply(status: int, /, **fields: object) -> Reply:
    """Make an answer of a JSON object."""
    return Reply(status, dumps(fields))


PERMISSIONS = (
    "MICROPHONE",
    "CAMERA",
    "LOCATION",
    "BACKGROUND_LOCATION",
    "CALENDAR",
    "READ_NOTIFICATIONS",
    "POST_NOTIFICATIONS",
    "NOTIFICATIONS",
    "ALL",
)
"""Names of the console, in its order (P2 9.1)."""


def permissions(package_name: str, names: Collection[str], make_id: Callable[[], str]) -> Reply:
    """What the console lists for an app (P2 9.6)."""
    listed = [*(name for name in PERMISSIONS if name in names), *sorted(set(names) - set(PERMISSIONS))]
    entries = [{"_id": make_id(), "type": name, "description": f"{name} access"} for name in listed]
    return reply(200, success=True, packageName=package_name, permissions=entries)


# --- webhooks


def session_request(*, session_id: str, user_id: str, origin: str, timestamp: str) -> JsonObject:
    """`session_request` with its three URLs (P1 1.1)."""
    return {
        "type": "session_request",
        "sessionId": session_id,
        "userId": user_id,
        "timestamp": timestamp,
        "websocketUrl": f"{origin}/ws/miniapp",
        "mentraOSWebsocketUrl": f"{origin}/app-ws",
        "augmentOSWebsocketUrl": f"{origin}/app-ws",
    }


def stop_request(*, session_id: str, user_id: str, timestamp: str) -> JsonObject:
    """`stop_request`; this cloud knows one reason only (P1 1.2)."""
    return {
        "type": "stop_request",
        "sessionId": session_id,
        "userId": user_id,
        "reason": "user_disabled",
        "timestamp": timestamp,
    }


def posted_settings(user_id: str, settings: Sequence[JsonObject]) -> JsonObject:
    """Body of the call to an app's `/settings` (P1 6.3)."""
    return {"userIdForSettings": user_id, "settings": list(settings)}


# --- to the phone


def phone_ack(user_id: str, timestamp: str) -> JsonObject:
    """`connection_ack`: the phone's session is up."""
    return {"type": "connection_ack", "sessionId": user_id, "timestamp": timestamp, "env": "production"}


def phone_pong() -> JsonObject:
    """Answer to a phone's JSON ping."""
    return {"type": "pong"}


def microphone_state(user_id: str, timestamp: str, *, enabled: bool, bypass_vad: bool) -> JsonObject:
    """`microphone_state_change` (P2 5.3)."""
    return {
        "type": "microphone_state_change",
        "sessionId": user_id,
        "isMicrophoneEnabled": enabled,
        "requiredData": ["pcm"] if enabled else [],
        "bypassVad": bypass_vad,
        "timestamp": timestamp,
    }


def app_state_change(user_id: str, timestamp: str) -> JsonObject:
    """`app_state_change`: the phone should look which apps run."""
    return {"type": "app_state_change", "sessionId": user_id, "timestamp": timestamp}


def photo_request(user_id: str, request: JsonObject, url: str | None, timestamp: str) -> JsonObject:
    """`photo_request` for the phone: the light always flashes, and nothing is said of a gallery (P3 5.3)."""
    token, exposure = request.get("authToken"), request.get("exposureTimeNs")
    told: JsonObject = {
        "type": "photo_request",
        "sessionId": user_id,
        "requestId": request.get("requestId"),
        "appId": request.get("packageName"),
        **({} if url is None else {"webhookUrl": url}),
        **({"authToken": token} if token else {}),
        "size": request.get("size") or "medium",
        "compress": request.get("compress") or "none",
        "flash": True,
        "sound": request.get("sound", True),
        "timestamp": timestamp,
    }
    is_number = isinstance(exposure, int | float) and not isinstance(exposure, bool)
    if isinstance(exposure, int | float) and is_number and exposure > 0:
        told["exposureTimeNs"] = exposure
    return told


def photo_forwarded(request: JsonObject, timestamp: str) -> JsonObject:
    """`photo_response` of the cloud itself: the phone was told to upload elsewhere (P3 5.3)."""
    return {
        "type": "photo_response",
        "requestId": request.get("requestId"),
        "success": True,
        "photoUrl": request.get("customWebhookUrl"),
        "savedToGallery": request.get("saveToGallery") or False,
        "timestamp": timestamp,
    }


def photo_response(report: JsonObject) -> JsonObject:
    """`photo_response` out of a phone's report (P3 5.5)."""
    told: JsonObject = {"type": "photo_response", "requestId": report["requestId"], "success": report["success"]}
    if report["success"]:
        kept: JsonObject = {name: report[name] for name in ("photoUrl", "savedToGallery") if name in report}
        return {**told, **kept}
    code, text = report.get("errorCode"), report.get("errorMessage")
    return {**told, "error": {"code": code or "UNKNOWN_ERROR", "message": text or "Unknown error"}}


WRONG_FOV = (
    'Invalid FOV/ROI: fov must be one of [82, 92, 102, 118], roiPosition must be one of "center", "top", "bottom"'
)


def camera_fov(user_id: str, request: JsonObject, timestamp: str) -> JsonObject:
    """`camera_fov_set` for the phone (P3 7)."""
    return {
        "type": "camera_fov_set",
        "sessionId": user_id,
        "requestId": request.get("requestId"),
        "appId": request.get("packageName"),
        "fov": request.get("fov"),
        "roiPosition": request.get("roiPosition", "center"),
        "timestamp": timestamp,
    }


def wifi_setup(package_name: str, request: JsonObject, timestamp: str) -> JsonObject:
    """`show_wifi_setup` (P2 6.6)."""
    told = {"reason": request["reason"]} if "reason" in request else {}
    return {"type": "show_wifi_setup", **told, "appPackageName": package_name, "timestamp": timestamp}


_BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def short_id(random: Random, prefix: str, length: int) -> str:
    """Make an id as the cloud does for streams and keep-alives."""
    return prefix + "".join(random.choice(_BASE_36) for _ in range(length))


def start_stream(user_id: str, request: JsonObject, url: str, stream_id: str, app: str, timestamp: str) -> JsonObject:
    """`start_stream` for the phone (P3 6.2)."""
    return {
        "type": "start_stream",
        "sessionId": user_id,
        "streamUrl": url,
        "appId": app,
        "streamId": stream_id,
        **{name: request.get(name) or {} for name in ("video", "audio", "stream")},
        "flash": True,
        "sound": request.get("sound", True),
        "timestamp": timestamp,
    }


def stop_stream(user_id: str, app: str, stream_id: str, timestamp: str) -> JsonObject:
    """`stop_stream` for the phone."""
    return {"type": "stop_stream", "sessionId": user_id, "appId": app, "streamId": stream_id, "timestamp": timestamp}


def keep_stream_alive(stream_id: str, ack_id: str) -> JsonObject:
    """`keep_stream_alive` for the phone (P3 6.4)."""
    return {"type": "keep_stream_alive", "streamId": stream_id, "ackId": ack_id}


def stream_status(session_id: str, stream_id: str, status: str, app: str, timestamp: str) -> JsonObject:
    """A status of a direct stream, without its type, of which there are two (P3 6.2)."""
    return {"sessionId": session_id, "streamId": stream_id, "status": status, "appId": app, "timestamp": timestamp}


def playback(number: int, targets: object) -> tuple[JsonObject, str]:
    """Make up where a managed stream is watched, and where the glasses send it (P3 6.3)."""
    name = f"li{number}"
    account = "https://customer-stubacct.cloudflarestream.com"
    urls: JsonObject = {
        "hlsUrl": f"{account}/{name}/manifest/video.m3u8",
        "dashUrl": f"{account}/{name}/manifest/video.mpd",
    }
    if isinstance(targets, list) and targets:
        return urls, f"srt://live.cloudflare.example:778?streamid={name}&passphrase=pp"
    whip = f"https://customer-stub.cloudflarestream.example/{name}/webRTC"
    return {**urls, "webrtcUrl": f"{whip}/play"}, f"{whip}/publish"


def with_preview(urls: JsonObject) -> JsonObject:
    """Add the page that comes some seconds after the start."""
    name = str(urls["hlsUrl"]).split("/")[3]
    return {**urls, "previewUrl": f"https://iframe.videodelivery.net/{name}?autoplay=true&muted=true&controls=true"}


def managed_status(
    status: str, stream_id: str, urls: JsonObject, text: str | None = None, outputs: Sequence[JsonObject] = ()
) -> JsonObject:
    """`managed_stream_status` (P3 6.3)."""
    told: JsonObject = {"type": "managed_stream_status", "status": status, **urls, "streamId": stream_id}
    if text is not None:
        told["message"] = text
    if outputs:
        told["outputs"] = [*outputs]
    return told


def managed_info(stream_id: str, created_at: str, urls: JsonObject) -> JsonObject:
    """What a check tells of a managed stream (P3 6.5)."""
    name = str(urls["hlsUrl"]).split("/")[3]
    return {
        "type": "managed",
        "streamId": stream_id,
        "status": "active",
        "createdAt": created_at,
        **with_preview(urls),
        "thumbnailUrl": f"https://videodelivery.net/{name}/thumbnails/thumbnail.jpg",
    }


def direct_info(stream_id: str, created_at: str, url: str, app: str) -> JsonObject:
    """What a check tells of a direct stream: that it is active, whatever it is (P3 6.5)."""
    return {
        "type": "unmanaged",
        "streamId": stream_id,
        "status": "active",
        "createdAt": created_at,
        "streamUrl": url,
        "requestingAppId": app,
    }


def stream_check(info: JsonObject | None) -> JsonObject:
    """`stream_status_check_response`, which names no question (P3 6.5)."""
    told: JsonObject = {"type": "stream_status_check_response", "hasActiveStream": info is not None}
    return told if info is None else {**told, "streamInfo": info}


_LIGHT_FIELDS = ("requestId", "packageName", "action", "color", "ontime", "offtime", "count")


def light(user_id: str, request: JsonObject, timestamp: str) -> JsonObject:
    """`rgb_led_control`, which is passed on without a look (P3 8.3)."""
    told = {name: request[name] for name in _LIGHT_FIELDS if name in request}
    return {"type": "rgb_led_control", "sessionId": user_id, **told, "timestamp": timestamp}


def single_location(accuracy: object, correlation_id: object, timestamp: str) -> JsonObject:
    """`request_single_location` (P2 8.4)."""
    return {
        "type": "request_single_location",
        "accuracy": accuracy,
        "correlationId": correlation_id,
        "timestamp": timestamp,
    }


_PLAY_FIELDS = ("requestId", "packageName", "audioUrl", "volume", "stopOtherAudio")
_PLAYED_FIELDS = ("requestId", "success", "error", "duration")


def play(user_id: str, request: JsonObject, timestamp: str) -> JsonObject:
    """`audio_play_request` to the phone, without the track (P3 4.2)."""
    told = {name: request[name] for name in _PLAY_FIELDS if name in request}
    return {"type": "audio_play_request", "sessionId": user_id, **told, "timestamp": timestamp}


def played(session_id: str, answer: JsonObject, timestamp: str) -> JsonObject:
    """`audio_play_response` to the app (P3 4.2)."""
    told: JsonObject = {name: answer[name] for name in _PLAYED_FIELDS if name in answer}
    return {"type": "audio_play_response", "sessionId": session_id, **told, "timestamp": timestamp}


def stop_playing(user_id: str, package_name: str, timestamp: str) -> JsonObject:
    """`audio_stop_request` to the phone, without the track (P3 4.3)."""
    return {"type": "audio_stop_request", "sessionId": user_id, "appId": package_name, "timestamp": timestamp}


def stream_ready(stream_id: str, url: str, timestamp: str) -> JsonObject:
    """`audio_stream_ready` (P3 4.6)."""
    return {"type": "audio_stream_ready", "streamId": stream_id, "streamUrl": url, "timestamp": timestamp}


def is_json(text: str) -> bool:
    """Whether a text is JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def location_tier(tier: str, timestamp: str) -> JsonObject:
    """`set_location_tier` (P2 8.2)."""
    return {"type": "set_location_tier", "tier": tier, "timestamp": timestamp}


def boot_card(names: Sequence[str], timestamp: str) -> JsonObject:
    """The system's card while apps start (P3 1.4)."""
    title = "// MentraOS - Starting App" if len(names) == 1 else "// MentraOS - Starting Apps"
    return {
        "type": "display_event",
        "view": "main",
        "packageName": SYSTEM_PACKAGE,
        "layout": {"layoutType": "reference_card", "title": title, "text": ", ".join(names)},
        "timestamp": timestamp,
    }


def dashboard_text(text: str, timestamp: str) -> JsonObject:
    """What the wearer sees when looking up (P3 3.3)."""
    return {
        "type": "display_event",
        "packageName": SYSTEM_PACKAGE,
        "view": "dashboard",
        "layout": {"layoutType": "text_wall", "text": text},
        "timestamp": timestamp,
    }


def cleared_display(timestamp: str) -> JsonObject:
    """How the system clears the screen: an empty text (P3 1.4)."""
    return {
        "type": "display_event",
        "view": "main",
        "packageName": SYSTEM_PACKAGE,
        "layout": {"layoutType": "text_wall", "text": ""},
        "timestamp": timestamp,
        "durationMs": 0,
    }


# --- system settings

_SYSTEM_DEFAULTS: tuple[tuple[str, str, object], ...] = (
    ("metricSystemEnabled", "metric_system", False),
    ("contextualDashboard", "contextual_dashboard", True),
    ("headUpAngle", "head_up_angle", 45),
    ("brightness", "brightness", 50),
    ("autoBrightness", "auto_brightness", True),
    ("sensingEnabled", "sensing_enabled", True),
    ("alwaysOnStatusBar", "always_on_status_bar", False),
    ("bypassVad", "bypass_vad_for_debugging", False),
    ("bypassAudioEncoding", "bypass_audio_encoding_for_debugging", False),
    ("preferredMic", "preferred_mic", "auto"),
)
SYSTEM_NAMES = sorted({"timezone", "default_wearable", *(key for _, key, _ in _SYSTEM_DEFAULTS)})
"""What the phone's settings of the system are called that apps can see."""


def system_settings(stored: Mapping[str, object], model: object) -> JsonObject:
    """The wearer's system settings as apps see them (P1 5.3), from the keys under which the phone stores them."""
    settings: JsonObject = {name: stored.get(key, default) for name, key, default in _SYSTEM_DEFAULTS}
    settings["preferredMic"] = stored.get(f"preferred_mic:{model}", settings["preferredMic"])
    settings["useOnboardMic"] = settings["preferredMic"] == "glasses"
    settings["userTimezone"] = stored.get("timezone")
    return settings
