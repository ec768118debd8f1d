"""What a test gives the HTTP application to call."""

from collections.abc import Awaitable, Callable

import attrs
import trio

from mentra_trio._net.asgi import Health, WebhookAnswer
from mentra_trio._wire.webhooks import PhotoUpload, SessionRequest, SettingsNotice, StopRequest


async def accept(_request: SessionRequest | StopRequest) -> WebhookAnswer:
    """Say yes to every webhook."""
    await trio.lowlevel.checkpoint()
    return WebhookAnswer()


@attrs.define(eq=False)
class Calls:
    """Notes what it is told."""

    webhook: Callable[[SessionRequest | StopRequest], Awaitable[WebhookAnswer]] = accept
    look: Callable[[], Health] = lambda: Health(package_name="com.example.app", active_sessions=3)
    awaited: set[str] = attrs.field(factory=set[str])
    """Ids of photos that somebody waits for."""
    photos: list[PhotoUpload] = attrs.field(factory=list[PhotoUpload], init=False)
    notices: list[SettingsNotice] = attrs.field(factory=list[SettingsNotice], init=False)
    unreadable: list[str] = attrs.field(factory=list[str], init=False)

    async def on_webhook(self, request: SessionRequest | StopRequest, /) -> WebhookAnswer:
        return await self.webhook(request)

    def on_unreadable(self, text: str, /) -> None:
        self.unreadable.append(text)

    async def on_settings(self, notice: SettingsNotice, /) -> int:
        await trio.lowlevel.checkpoint()
        self.notices.append(notice)
        return 2

    def on_photo(self, upload: PhotoUpload, /) -> bool:
        if upload.request_id not in self.awaited:
            return False
        self.awaited.remove(upload.request_id)
        self.photos.append(upload)
        return True

    def awaits_photo(self) -> bool:
        return bool(self.awaited)

    def health(self) -> Health:
        return self.look()
