"""App tokens: JSON Web Tokens with which an app connects without an init (P1 2.2, variant C)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from mentra_trio._wire.json_text import JsonObject, dumps, members

_HEADER: JsonObject = {"alg": "HS256", "typ": "JWT"}


class InvalidTokenError(ValueError):
    """The token was not made with this secret, or is no token."""


def make_token(package_name: str, api_key: str, secret: bytes) -> str:
    """Make the token that the console gives to an app. It never expires."""
    claims: JsonObject = {"packageName": package_name, "apiKey": api_key}
    body = f"{_encode(dumps(_HEADER).encode())}.{_encode(dumps(claims).encode())}"
    return f"{body}.{_sign(body, secret)}"


def read_token(token: str, secret: bytes) -> tuple[str, str]:
    """Give the package and the key in a token. Raises `InvalidTokenError`."""
    body, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _sign(body, secret).encode()):
        raise InvalidTokenError("invalid token")
    try:
        claims: object = json.loads(base64.urlsafe_b64decode(_padded(body.partition(".")[2])))
    except ValueError as error:
        raise InvalidTokenError("invalid token") from error
    fields = members(claims)
    package_name, api_key = fields.get("packageName"), fields.get("apiKey")
    if not isinstance(package_name, str) or not isinstance(api_key, str):
        raise InvalidTokenError("invalid token")
    return package_name, api_key


def _sign(body: str, secret: bytes) -> str:
    return _encode(hmac.new(secret, body.encode(), hashlib.sha256).digest())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
