"""What the app says on the dashboard (P3 3)."""

from __future__ import annotations

from typing import ClassVar

import attrs

from mentra_trio._wire.outbound import Command


@attrs.frozen(kw_only=True)
class UpdateDashboard(Command):
    """Replace the app's words: `dashboard_content_update` (P3 3.2). Nobody answers."""

    TYPE: ClassVar[str] = "dashboard_content_update"

    content: str
    modes: tuple[str, ...]
    """`main` alone: the cloud ignores the other ones, and loses an update without any (P3 3.3)."""
