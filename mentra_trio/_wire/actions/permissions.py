"""What the console lists for an app, which anybody may ask (P2 9.6)."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar, cast

import attrs

from mentra_trio._wire.permissions import expanded
from mentra_trio._wire.rest import RestAnswer, RestRequest, answered, segment
from mentra_trio.errors import DecodeError
from mentra_trio.models.permissions import Permissions


@attrs.frozen
class FetchPermissions(RestRequest[Permissions]):
    """Ask for the permissions that the app declares: `GET /api/public/permissions/<package>`."""

    METHOD: ClassVar[str] = "GET"
    IS_SIGNED: ClassVar[bool] = False
    LIMIT: ClassVar[float] = 5.0

    def target(self, user_id: str, package_name: str, /) -> str:
        """See `RestRequest.target`."""
        del user_id
        return f"/api/public/permissions/{segment(package_name)}"

    def read(self, answer: RestAnswer, /) -> Permissions:
        """Read the list. An app that the cloud does not know may do everything, so nothing is known then (P2 9.1)."""
        if answer.status == HTTPStatus.NOT_FOUND:
            return Permissions()
        entries = answered(answer, "permissions").get("permissions")
        if not isinstance(entries, list):
            raise DecodeError("permissions", ["permissions: not a list"])
        names = frozenset(_name(entry) for entry in cast("list[object]", entries))
        return Permissions(declared=expanded(names), is_known=True)


def _name(entry: object) -> str:
    """Read one entry: an object with a type, or the bare name that the cloud's own comment promises (P1 8.2)."""
    name = cast("dict[str, object]", entry).get("type") if isinstance(entry, dict) else entry
    return name if isinstance(name, str) else ""
