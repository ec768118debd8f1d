"""`session.permissions`: what the app declares in the MentraOS console, and may therefore do (P2 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mentra_trio._flow import EventStream, Latest, Overflow
from mentra_trio._link import Link, StreamSpec

if TYPE_CHECKING:
    from mentra_trio.models.permissions import Permission, PermissionRefusal, Permissions

_CAPACITY = 64
"""Unread refusals: a cloud that tells of them does so once for a list of subscriptions."""


@attrs.define(eq=False, repr=False)
class PermissionsManager:
    """The app's declared permissions. They are asked of the cloud once for all sessions, and kept for five minutes.

    Streams and calls look at them by themselves: what the app is known not to declare raises `PermissionDeniedError`,
    where the cloud would drop a stream without a word, or end the connection (P2 9.2, 9.4). What is not known is tried.
    """

    _link: Link

    @property
    def state(self) -> Latest[Permissions]:
        """What is known. It changes when the cloud has answered; a change in the console takes up to five minutes."""
        return self._link.state.permissions

    def has(self, permission: Permission) -> bool:
        """Tell whether what needs this permission may be tried: it is declared, or nothing is known.

        Raises:
            ValueError: there is no such permission.
        """
        return self.state.value.allows(permission)

    async def fetch(self) -> Permissions:
        """Ask the cloud, unless there is an answer of the last five minutes, or a failure of the last 30 s.

        Also an answer that the cloud does not know the app leaves everything unknown. Cancelling loses nothing.

        Raises:
            CloudUnreachableError, RequestTimedOutError: there was no answer, the latter after 5 s.
            CloudRefusedError, DecodeError: there was another one than expected.
            SessionClosedError: the session is over.
        """
        return await self._link.fetch_permissions()

    def stream(self) -> EventStream[PermissionRefusal]:
        """Open a stream of refusals that the cloud told of. Today's cloud tells of none.

        A loop that falls 64 behind misses the oldest, which are counted.

        Protocol: P2 9.5.
        """
        return self._link.subscribe(
            StreamSpec(
                name="permission refusals",
                keys=("permission refusals",),
                capacity=_CAPACITY,
                overflow=Overflow.DROP_OLDEST,
            )
        )
