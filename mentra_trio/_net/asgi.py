"""The HTTP application that the cloud and the glasses call: webhooks, health, settings, photos (P1 1, 6).

Routing and reading are here, decisions are not: every route ends in a typed call that the server gave.
"""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, cast

import attrs
import trio

from mentra_trio._wire.webhooks import (
    PhotoUpload,
    SessionRequest,
    SettingsNotice,
    StopRequest,
    decode_settings,
    decode_webhook,
)
from mentra_trio.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp as ASGIApp  # noqa: PLC0414 - for the server, which knows no Starlette
    from starlette.types import Message, Receive, Scope, Send

    from .uploads import Form, FormReader

_logger = logging.getLogger("mentra_trio.server")

MAX_BODY_SIZE = 64 * 2**10
"""Bytes of a webhook body. Real ones have some 500; hypercorn itself has no limit."""

BODY_TIMEOUT = 10.0
"""Seconds that a body may take to arrive. The cloud waits no longer than that for the answer (P1 1.3)."""

UPLOAD_TIMEOUT = 60.0
"""Seconds that a photo may take to arrive: five megabytes on a slow line, and longer than anybody waits for it."""

WEBHOOK_PATHS = ("/webhook", "/api/_mentraos/webhook")
HEALTH_PATHS = ("/health", "/api/_mentraos/health")
SETTINGS_PATHS = ("/settings", "/api/_mentraos/settings")
PHOTO_PATHS = ("/photo-upload", "/api/_mentraos/photo-upload")


@attrs.frozen(kw_only=True)
class WebhookAnswer:
    """What the cloud is told about its webhook (D21)."""

    status: int = 200
    message: str = ""
    """Why it failed, for the reader of the cloud's log. Unused where it did not fail."""
    retry_after: int | None = None
    """Seconds after which it is worth another try."""


@attrs.frozen(kw_only=True)
class Health:
    """What the health check shows (P1 6.1)."""

    package_name: str
    active_sessions: int


class Callbacks(Protocol):
    """What the application asks and tells. The async ones run in the task of the request."""

    async def on_webhook(self, request: SessionRequest | StopRequest, /) -> WebhookAnswer:
        """Answer a webhook."""
        ...

    def on_unreadable(self, text: str, /) -> None:
        """Take note of a call that cannot be read: `text` says which, and what is wrong, without its content."""
        ...

    async def on_settings(self, notice: SettingsNotice, /) -> int | None:
        """Take changed settings; return how many sessions they concern, or `None` when the app failed to take them."""
        ...

    def on_photo(self, upload: PhotoUpload, /) -> bool:
        """Take a photo; return whether somebody waited for it."""
        ...

    def awaits_photo(self) -> bool:
        """Whether anybody waits for any photo. If not, none is kept in memory."""
        ...

    def health(self) -> Health:
        """Tell how the app is; asked on every check."""
        ...


def build_app(callbacks: Callbacks, *, has_health_check: bool = True) -> Starlette:  # noqa: PLR0915 - a route each
    """Make the ASGI application.

    Error handling: an exception of a callback becomes an answer of 500 and one log record, because the HTTP server
    would only swallow it. Cancellation passes through.
    """
    # Imported here: Starlette takes a third of the time that `import mentra_trio` may take, and the simulator, the
    # command line and most tests of an app never need it.
    from starlette.applications import Starlette  # noqa: PLC0415 - late, as said above
    from starlette.exceptions import HTTPException  # noqa: PLC0415 - late, as said above
    from starlette.middleware import Middleware  # noqa: PLC0415 - late, as said above
    from starlette.responses import JSONResponse  # noqa: PLC0415 - late, as said above
    from starlette.routing import Route  # noqa: PLC0415 - late, as said above

    from .uploads import Budget, FormError, FormReader  # noqa: PLC0415 - late, as said above

    budget = Budget()

    def answer(status: int, message: str) -> Response:
        if status < 300:
            return JSONResponse({"status": "success"}, status)
        return JSONResponse({"status": "error", "message": message}, status)

    def refuse(text: str) -> Response:
        callbacks.on_unreadable(text)
        return answer(400, text)

    async def take_webhook(request: Request) -> Response:
        body = await _read_body(request.receive)
        if isinstance(body, WebhookAnswer):
            return answer(body.status, body.message)
        try:
            message = decode_webhook(body)
        except DecodeError as error:
            return refuse(f"the webhook cannot be read: {'; '.join(error.paths)}")
        result = await callbacks.on_webhook(message)
        response = answer(result.status, result.message)
        if result.retry_after is not None:
            response.headers["retry-after"] = str(result.retry_after)
        return response

    async def show_health(_request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        now = callbacks.health()
        return JSONResponse({"status": "healthy", "app": now.package_name, "activeSessions": now.active_sessions})

    async def take_settings(request: Request) -> Response:
        body = await _read_body(request.receive)
        if isinstance(body, WebhookAnswer):
            return answer(body.status, body.message)
        try:
            notice = decode_settings(body)
        except DecodeError as error:
            return refuse(f"the settings cannot be read: {'; '.join(error.paths)}")
        count = await callbacks.on_settings(notice)
        if count is None:
            return answer(500, "internal error")
        text = "Settings updated successfully"
        return JSONResponse({"status": "success", "message": text, "sessionsUpdated": count})

    async def take_photo(request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        try:
            with FormReader(kind, callbacks.awaits_photo(), budget) as reader:
                upload = _photo_in(await _read_form(request.receive, reader))
        except FormError as error:
            await trio.lowlevel.checkpoint()
            return JSONResponse({"success": False, "error": str(error)}, error.status)
        return photo_answer(upload)

    def photo_answer(upload: PhotoUpload | None) -> Response:
        """Answer as the uploaders know it (P1 6.4)."""
        if upload is None:
            return JSONResponse({"success": False, "error": "No requestId provided"}, 400)
        if not callbacks.on_photo(upload):
            text = "No pending request found for this photo (may have timed out or session ended)"
            return JSONResponse({"success": False, "error": text}, 404)
        if upload.code == NO_FILE:
            text = "No photo file in upload (and no explicit error reported)"
            return JSONResponse({"success": False, "error": text}, 400)
        text = "Photo error received successfully" if upload.data is None else "Photo received successfully"
        return JSONResponse({"success": True, "requestId": upload.request_id, "message": text})

    async def explain(_request: Request, error: Exception) -> Response:
        """Answer what the router refuses: no such path, wrong method."""
        await trio.lowlevel.checkpoint()
        refusal = cast("HTTPException", error)  # the handler is registered for this class alone
        response = answer(refusal.status_code, refusal.detail)
        response.headers.update(refusal.headers or {})
        return response

    app = Starlette(
        routes=[
            *(Route(path, take_webhook, methods=["POST"]) for path in WEBHOOK_PATHS),
            *(Route(path, take_settings, methods=["POST"]) for path in SETTINGS_PATHS),
            *(Route(path, take_photo, methods=["POST"]) for path in PHOTO_PATHS),
            *(Route(path, show_health, methods=["GET"]) for path in HEALTH_PATHS if has_health_check),
        ],
        middleware=[Middleware(_guard, refuse=lambda: answer(500, "internal error"))],
        exception_handlers={HTTPException: explain},
    )
    app.router.redirect_slashes = False  # the cloud does not follow a redirect of a POST
    return app


async def _read_body(receive: Receive) -> bytes | WebhookAnswer:
    """Read a body up to the limit, whatever length the client announced. An answer where there is none to read."""
    body = bytearray()
    with trio.move_on_after(BODY_TIMEOUT):
        while True:
            event = await receive()
            if event["type"] != "http.request":
                return WebhookAnswer(status=400, message="the body ended early")
            body += event.get("body", b"")
            if len(body) > MAX_BODY_SIZE:
                return WebhookAnswer(status=413, message=f"the body has more than {MAX_BODY_SIZE} bytes")
            if not event.get("more_body", False):
                return bytes(body)
    return WebhookAnswer(status=408, message=f"the body took longer than {BODY_TIMEOUT:g} s to arrive")


async def _read_form(receive: Receive, reader: FormReader) -> Form:
    """Feed a body to a reader. Raises `FormError`."""
    from .uploads import FormError  # noqa: PLC0415 - imported already, where it is used

    with trio.move_on_after(UPLOAD_TIMEOUT):
        while True:
            event = await receive()
            if event["type"] != "http.request":
                raise FormError(HTTPStatus.BAD_REQUEST, "the form ended early")
            reader.feed(event.get("body", b""))
            if not event.get("more_body", False):
                return reader.finish()
    raise FormError(HTTPStatus.REQUEST_TIMEOUT, f"the photo took longer than {UPLOAD_TIMEOUT:g} s to arrive")


NO_FILE = "NO_FILE"
"""Code of an upload that holds neither a photo nor an error."""
_LONGEST_WORDS = 500


def _photo_in(form: Form) -> PhotoUpload | None:
    """Read the upload in a form; `None` when it does not say what it belongs to. A file wins over any flag (P3 5.4)."""
    fields, now = form.fields, datetime.now(UTC)
    request_id = fields.get("requestId", "")
    if not request_id:
        return None
    file = form.files.get("photo")
    if file is not None and file.data:
        return PhotoUpload(
            request_id=request_id,
            data=file.data,
            content_type=file.content_type,
            filename=file.filename,
            received_at=now,
        )
    if fields.get("type") == "photo_error" or fields.get("success") == "false":
        code = fields.get("errorCode") or "UNKNOWN_ERROR"
        text = fields.get("errorMessage", "")[:_LONGEST_WORDS]
        return PhotoUpload(request_id=request_id, code=code[:_LONGEST_WORDS], text=text, received_at=now)
    return PhotoUpload(request_id=request_id, code=NO_FILE, text="the upload holds no photo", received_at=now)


def _guard(app: ASGIApp, *, refuse: Callable[[], Response]) -> ASGIApp:
    """Middleware that answers 500 for any exception below it, and writes the one log record about it."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ASYNC910 - below it checkpoints
        is_answered = scope["type"] != "http"
        has_failed = False

        async def watched_send(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await app(scope, receive, watched_send)
        except* Exception as group:
            has_failed = True
            # Logged here and not below: a group that also holds a cancellation leaves the function after this block.
            # Texts of exceptions may hold ids, so they are for DEBUG only (D23).
            details = group if _logger.isEnabledFor(logging.DEBUG) else None
            if scope["type"] == "lifespan":
                # Nothing of ours runs there: serving was cancelled, and the server does not take the news of it.
                _logger.debug("the server was cancelled", exc_info=details)
            else:
                _logger.error("a request failed\n%s", "\n".join(_outline(group)), exc_info=details)  # noqa: TRY400 - see above
        if has_failed and not is_answered:
            await refuse()(scope, receive, send)

    return guarded


def _outline(error: BaseException, above: TracebackType | None = None) -> Iterator[str]:
    """Give the traceback of an exception, without the texts of exceptions. `above` is for those that have none."""
    origin = error.__traceback__ or above
    if isinstance(error, BaseExceptionGroup):
        # `isinstance` cannot tell the type argument.
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _outline(each, origin)
        return
    if error.__cause__ is not None:
        yield from _outline(error.__cause__)
        yield "which led to"
    yield "".join(traceback.format_tb(origin)) + type(error).__qualname__
