"""Who the session is, as every upgrade and every command tells the cloud."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

from mentra_trio._wire.codec import to_iso
from mentra_trio._wire.outbound import Envelope
from mentra_trio._wire.webhooks import is_id


@attrs.define(eq=False, kw_only=True, repr=False)  # it holds ids and the key (D23)
class Identity:
    """Session, wearer and app."""

    session_id: str
    """As the cloud calls the session; the ack may change it (P1 0)."""
    user_id: str
    package_name: str
    api_key: str
    sdk_version: str

    def rename(self, session_id: str) -> tuple[str, ...]:
        """Take over the cloud's name for the session; give what is wrong with it if it cannot be one."""
        if not is_id(session_id):
            return ("sessionId: holds characters that no id has",)
        self.session_id = session_id
        return ()

    def headers(self) -> list[tuple[str, bytes]]:
        """Give the headers of an upgrade request."""
        return [
            ("x-user-id", _header(self.user_id)),
            ("x-session-id", _header(self.session_id)),
            ("x-package-name", _header(self.package_name)),
            ("x-api-key", _header(self.api_key)),
        ]

    def envelope(self) -> Envelope:
        """Give what is stamped on a command at this moment."""
        return Envelope(package_name=self.package_name, session_id=self.session_id, timestamp=to_iso(datetime.now(UTC)))


def _header(text: str) -> bytes:
    """Spell an id for an upgrade header: one byte a character where that is possible, as MentraOS's own SDK does."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
