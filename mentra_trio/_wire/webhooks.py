"""Bodies of the calls that an app's server gets: webhooks, settings, uploads of photos (P1 1.1, 1.2, 6.3, 6.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import cast

import attrs

from mentra_trio.errors import DecodeError

from .json_text import JsonObject, members, parse_object, text_of


@attrs.frozen(kw_only=True)
class SessionRequest:
    """A wearer started the app, or the cloud wants its session back (P1 1.1)."""

    session_id: str = attrs.field(repr=False)
    user_id: str = attrs.field(repr=False)
    url: str
    """Where to connect: the first of the three URL fields that is there (P1 1.1). Not checked yet."""


@attrs.frozen(kw_only=True)
class StopRequest:
    """The app is to stop for a wearer (P1 1.2)."""

    session_id: str = attrs.field(repr=False)
    user_id: str = attrs.field(repr=False)
    reason: str
    """`user_disabled` from today's cloud. Treat it as text."""


@attrs.frozen(kw_only=True)
class SettingsNotice:
    """A wearer changed the app's settings (P1 6.3). Anybody can post one."""

    user_id: str = attrs.field(repr=False)
    settings: Mapping[str, object] = attrs.field(repr=False)
    """By key: the value, else the default of its definition."""


PHOTO_UPLOAD = "photo_upload"
"""What an upload is called among the answers that requests are offered; the uploader's own `type` may be missing."""


@attrs.frozen(kw_only=True)
class PhotoUpload:
    """A photo, or the word that there is none (P1 6.4)."""

    request_id: str = attrs.field(repr=False)
    data: bytes | None = attrs.field(default=None, repr=False)
    """The image; `None` in the report of an error."""
    content_type: str = ""
    filename: str = ""
    code: str = ""
    """What went wrong, where there is no image."""
    text: str = attrs.field(default="", repr=False)
    received_at: datetime

    def answer(self) -> Mapping[str, object]:
        """Give it the form of a message, for the request that waits for it."""
        return {
            "type": PHOTO_UPLOAD,
            "requestId": self.request_id,
            "photo": self.data,
            "contentType": self.content_type,
            "filename": self.filename,
            "errorCode": self.code,
            "errorMessage": self.text,
            "receivedAt": self.received_at,
        }


_URL_FIELDS = ("websocketUrl", "mentraOSWebsocketUrl", "augmentOSWebsocketUrl")


def decode_webhook(body: bytes) -> SessionRequest | StopRequest:
    """Read a webhook body. Raises `DecodeError` that names what is wrong, for an answer of 400."""
    fields = parse_object(body)
    kind = fields.get("type")
    if not isinstance(kind, str):
        raise DecodeError(None, ["type: missing or not a text"])
    if kind == "session_request":
        return SessionRequest(
            session_id=_identity(fields, "sessionId", kind),
            user_id=_identity(fields, "userId", kind),
            url=_url(fields, kind),
        )
    if kind == "stop_request":
        return StopRequest(
            session_id=_identity(fields, "sessionId", kind),
            user_id=_identity(fields, "userId", kind),
            reason=_reason(fields),
        )
    # The docs list more types; no cloud sends them (P1 1.4).
    raise DecodeError(kind, ["type: not session_request or stop_request"])


def decode_settings(body: bytes) -> SettingsNotice:
    """Read the body of a settings call. Raises `DecodeError` that names what is wrong, for an answer of 400."""
    fields = parse_object(body)
    entries = fields.get("settings")
    if not isinstance(entries, list):
        raise DecodeError("settings", ["settings: not a list"])
    settings: dict[str, object] = {}
    for entry in cast("list[object]", entries):
        told = members(entry)
        key, value = told.get("key"), told.get("value", told.get("defaultValue"))
        if isinstance(key, str) and key and value is not None:
            settings[key] = value
    return SettingsNotice(user_id=_identity(fields, "userIdForSettings", "settings"), settings=settings)


def _identity(fields: JsonObject, name: str, kind: str) -> str:
    """Read an id that goes into an upgrade header: text, not empty, nothing that could end the header line."""
    value = fields.get(name)
    if value is None:
        raise DecodeError(kind, [f"{name}: missing"])
    if not isinstance(value, str) or not value or len(value) > _LONGEST_ID:
        raise DecodeError(kind, [f"{name}: not a text of 1 to {_LONGEST_ID} characters"])
    if not is_id(value):
        raise DecodeError(kind, [f"{name}: holds characters that no id has"])
    return value


def is_id(text: str) -> bool:
    """Tell whether a text can be an id: it goes into an upgrade header, and must not end that line."""
    return 0 < len(text) <= _LONGEST_ID and _UNFIT.search(text) is None and text == text.strip()


def _url(fields: JsonObject, kind: str) -> str:
    given = {name: fields[name] for name in _URL_FIELDS if fields.get(name) not in (None, "")}
    for url in given.values():
        if isinstance(url, str):
            return url
    name = next(iter(given), _URL_FIELDS[0])
    raise DecodeError(kind, [f"{name}: {'not a text' if given else 'missing'}"])


def _reason(fields: JsonObject) -> str:
    """Read the reason so that it can be shown and logged: anybody can post one."""
    text = text_of(fields, "reason")[:_LONGEST_REASON]
    return "".join(character if character.isprintable() else "?" for character in text)


_LONGEST_REASON = 200
"""The known ones are single words."""
_LONGEST_ID = 512
"""An e-mail address has at most 254 characters and a package name far fewer."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends and lone surrogates."""
