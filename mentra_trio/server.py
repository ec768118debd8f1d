"""`MiniAppServer`: the app of an author, from decorators to a running server."""

from __future__ import annotations

import contextlib
import gc
import inspect
import logging
import math
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING

import trio

from ._flow import Offload, Threads, open_services
from ._net.asgi import WEBHOOK_PATHS, Health, WebhookAnswer, build_app
from ._net.hosts import HostPolicy
from ._net.limiter import ConnectLimiter
from ._net.rest import HttpxClient, Network, NoHttp
from ._net.serve import serve
from ._watch import watch_thread
from .config import RestartPolicy, SessionConfig, app_config
from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Generator
    from types import FrameType

    from ._desk import Desk
    from ._net.asgi import ASGIApp
    from ._net.rest import HttpClient
    from ._net.transport import Connector
    from ._wire.webhooks import PhotoUpload, SessionRequest, SettingsNotice, StopRequest
    from .config import AppConfig
    from .session import CrashWatcher, MentraSession, SessionHandler, SettingsHandler, StopHandler

log = logging.getLogger("mentra_trio.server")

HangWatcher = Callable[[Sequence[str]], None]
"""Is told the `run_id`s of sessions whose handlers do not end, and `on_settings` where it is that one. It must not
raise."""
HANG = (
    "this handler does not end although it was cancelled: it waits in a shield, or for a thread; set a limit with "
    "'with trio.move_on_after(seconds, shield=True):'"
)
"""What is wrong with a handler that hangs, and what to do about it."""


async def _no_handler(*_: object) -> None:
    """Stand for the handler that `@app.on_session()` does not pass on."""


class MiniAppServer:
    """An app for MentraOS::

        app = MiniAppServer(package_name="com.example.hello", api_key=os.environ["MENTRAOS_API_KEY"])

        @app.on_session
        async def hello(session: MentraSession) -> None:
            await session.display.show_text_wall("Hello from MentraOS!")

        if __name__ == "__main__":
            app.run()

    Args:
        package_name: as registered in the MentraOS console; else the environment's `PACKAGE_NAME`.
        api_key: the app's key from the console; else `MENTRAOS_API_KEY`.
        host: interface to listen on; all of them unless given.
        port: port to listen on, 0 for any free one; else `PORT`, else 7010.
        cloud_hosts: further clouds that may be connected to, besides MentraOS's own over TLS: `cloud.example.com`,
            `*.example.com`, `cloud.example.com:8443`, or `ws://cloud.internal:8002` for one without TLS. Your API key
            is sent to these hosts and to no others (P1 1.5).
        dev: whether a cloud on the loopback interface may be connected to; else `MENTRAOS_DEV=1`. Not for production.
        stop_grace: seconds that the handler has to finish after its session ended.
        health_check: whether `/health` is answered. The cloud asks there whether the app is online (P1 6.1).
        restart: what happens when the handler raises.
        session_config: the numbers of a session's link; overrides `stop_grace` and `restart`.
        connector: opens WebSockets; for tests and other transports.
        http: makes HTTP requests, for storage and permissions. Unless given it is the one that the connector brings; a
            connector without one leaves the app without HTTP.
        offload: runs what would hold up the thread, in threads unless given; on a virtual clock tests run it in place.

    Raises:
        ConfigError: something is missing or wrong; the text says what to do.
    """

    def __init__(
        self,
        package_name: str | None = None,
        api_key: str | None = None,
        *,
        host: str | None = None,
        port: int | None = None,
        cloud_hosts: Sequence[str] = (),
        dev: bool | None = None,
        stop_grace: float = 5.0,
        health_check: bool = True,
        restart: RestartPolicy | None = None,
        session_config: SessionConfig | None = None,
        connector: Connector | None = None,
        http: HttpClient | None = None,
        offload: Offload | None = None,
    ) -> None:
        if isinstance(cloud_hosts, str):
            raise ConfigError(f"cloud_hosts is the text {cloud_hosts!r}; pass a list such as [{cloud_hosts!r}]")
        self._config = app_config(
            package_name=package_name,
            api_key=api_key,
            host=host,
            port=port,
            cloud_hosts=tuple(cloud_hosts),
            dev=dev,
        )
        self._session_config = session_config or SessionConfig(
            stop_grace=stop_grace, restart=restart or RestartPolicy()
        )
        self._hosts = HostPolicy(self._config.cloud_hosts, dev=self._config.dev)
        self._connector = connector or _default_connector()
        self._http = http or _http_of(connector)
        self._offload = offload or Threads()
        self._handler: SessionHandler | None = None
        self._stop_handler: StopHandler | None = None
        self._settings_handler: SettingsHandler | None = None
        self._has_health_check = health_check
        self._desk: Desk | None = None
        self._asgi: ASGIApp | None = None

    @property
    def package_name(self) -> str:
        """The app's package name."""
        return self._config.package_name

    @property
    def config(self) -> AppConfig:
        """What the app was made with, the environment included. It holds the API key: do not log it."""
        return self._config

    def on_session(self, handler: SessionHandler = _no_handler) -> SessionHandler:
        """Take the function that runs once for each session, after the cloud has acknowledged it.

        It may return early: the session stays connected until it is ended (D5). If it raises, it is started again by
        the restart policy (D6). Usable as a decorator or as a plain call; one function only.

        Design: D8.
        """
        _check_async(handler, "@app.on_session", "async def handler(session)")
        if self._handler is not None:
            raise ConfigError("the app already has a session handler; start further tasks from that one")
        self._handler = handler
        return handler

    def on_stop(self, handler: StopHandler = _no_handler) -> StopHandler:
        """Take a function that runs when a session has ended, after its handler, with the reason.

        It has `stop_grace` seconds. Not called when the session never came up. Usable as a decorator or as a plain
        call; one function only.
        """
        _check_async(handler, "@app.on_stop", "async def handler(session, reason)")
        if self._stop_handler is not None:
            raise ConfigError("the app already has a stop handler")
        self._stop_handler = handler
        return handler

    def on_settings(self, handler: SettingsHandler = _no_handler) -> SettingsHandler:
        """Take a function that runs when a wearer changed the app's settings, also without a session.

        It gets the wearer's id and the settings by key. **Anybody can call it**: the cloud's call carries no proof, so
        take it as a hint to look, not as the truth. A session learns of changes by `session.settings`, over a socket
        that proves who speaks. The cloud ignores errors and never repeats the call; an exception is logged. When the
        server stops, a call under way is cancelled like a session handler; so is the oldest of more than 200 at once.

        Usable as a decorator or as a plain call; one function only.

        Protocol: P1 6.3.
        """
        _check_async(handler, "@app.on_settings", "async def handler(user_id, settings)")
        if self._settings_handler is not None:
            raise ConfigError("the app already has a settings handler")
        self._settings_handler = handler
        return handler

    def session_for(self, user_id: str) -> MentraSession | None:
        """Give the session of a wearer, if one goes on. Ids are compared without regard to case.

        Protocol: P1 0.
        """
        if self._desk is None:
            return None
        wanted = user_id.lower()
        return next((session for session in self._desk.sessions() if session.user_id.lower() == wanted), None)

    @property
    def asgi(self) -> ASGIApp:
        """The ASGI application, for another server. It needs `async with app.running():` around it."""
        if self._asgi is None:
            calls = _Calls(self.package_name, lambda: self._desk)
            self._asgi = build_app(calls, has_health_check=self._has_health_check)
        return self._asgi

    @contextlib.asynccontextmanager
    async def running(
        self,
        *,
        dev: bool | None = None,
        connector: Connector | None = None,
        http: HttpClient | None = None,
        offload: Offload | None = None,
        on_crash: CrashWatcher = lambda _: None,
        on_hang: HangWatcher | None = None,
    ) -> AsyncGenerator[None, None]:
        """Run the app's sessions while the block runs; their tasks live in here.

        `dev`, `connector`, `http` and `offload` override what the app was made with, for tools and tests of somebody's
        app (a connector brings its own HTTP, as above). `on_crash` is told when a handler raised; it is logged anyway.
        `on_hang` is told the `run_id`s of sessions whose handlers hang, and `on_settings` where it is that one; unless
        given that is logged.

        Leaving the block ends all sessions like a server that stops: without `ownership_release`, so that the cloud
        starts them again when the server is back (P1 2.7). It takes at most a few seconds, unless a handler hangs: one
        that waits in a shield without a limit, or for a thread, cannot be cancelled, and is waited for.

        Raises:
            ConfigError: the app has no session handler.
            RuntimeError: the app is already running.
        """
        if self._handler is None:
            raise ConfigError("the app has no session handler; write '@app.on_session' above an async function")
        if self._desk is not None:
            raise RuntimeError("this app is already running")
        # Imported here: all below sessions takes as long as the rest of `import mentra_trio`, and tools and tests that
        # only look at an app never need it.
        from ._desk import Desk  # noqa: PLC0415 - late, as said above

        config = self._session_config
        client = http or (self._http if connector is None else _http_of(connector))
        try:
            async with open_services() as services:
                desk = self._desk = Desk(
                    services=services,
                    app=self._config,
                    config=config,
                    hosts=self._hosts if dev is None else HostPolicy(self._config.cloud_hosts, dev=dev),
                    connector=connector or self._connector,
                    http=client,
                    limiter=ConnectLimiter(),
                    handler=self._handler,
                    on_stop=lambda: self._stop_handler,
                    on_settings=lambda: self._settings_handler,
                    on_crash=on_crash,
                    offload=offload or self._offload,
                    random=Random(),  # noqa: S311  (spreads reconnects, guards nothing)
                )
                if config.stall_limit < math.inf:
                    home = getattr(self._handler, "__module__", "").partition(".")[0]
                    services.start_soon(watch_thread, config.stall_limit, home)
                try:
                    yield
                finally:
                    desk.stop()
                    limit = config.shutdown_grace + config.finish_timeout
                    limit += 2 * config.close_timeout + config.drain_timeout
                    with trio.move_on_after(limit, shield=True) as patience:
                        await desk.wait_idle()
                    if patience.cancelled_caught:
                        (on_hang or self._log_hang)(desk.run_ids())
        finally:
            self._desk = None
            with trio.move_on_after(config.close_timeout, shield=True):
                await client.aclose()

    async def serve(  # noqa: ASYNC128 - what it calls does
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        dev: bool | None = None,
        on_crash: CrashWatcher = lambda _: None,
        on_hang: HangWatcher | None = None,
        task_status: trio.TaskStatus[Sequence[str]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled. `await nursery.start(app.serve)` gives the bound URLs.

        Signals are left to the caller. Cancelling stops accepting, then ends the sessions as `running` does.

        Args:
            host, port, dev: override what the app was made with, for tools that run somebody's app.
            on_crash, on_hang: as for `running`.
            task_status: told the bound URLs.

        Raises:
            ConfigError: no session handler, or the address cannot be listened on.
        """
        await self._serve(
            trio.sleep_forever,
            host=host,
            port=port,
            dev=dev,
            on_crash=on_crash,
            on_hang=on_hang,
            task_status=task_status,
        )

    def run(self) -> None:
        """Run the app until SIGINT or SIGTERM. The second signal ends the process at once.

        Configure `logging` yourself if you want more than warnings. Where nobody has, one line on stderr tells where
        the app listens.

        Raises:
            ConfigError: Trio runs already.
            SystemExit: no session handler, or the address cannot be listened on. Python prints its text, one line, and
                exits with 1; `serve` raises `ConfigError` instead.
        """
        if trio.lowlevel.in_trio_run():
            raise ConfigError(
                "app.run() was called while Trio is running. In a module that is imported, as 'mentra-trio dev' does, "
                "put it under 'if __name__ == \"__main__\":'; in async code use 'await app.serve()'"
            )
        try:
            with _collect_rarely():
                trio.run(self._run_until_signalled)
        except ConfigError as error:
            # The text says what to do; where the SDK noticed it helps nobody.
            raise SystemExit(f"{self.package_name}: {error}") from None

    async def _serve(  # noqa: ASYNC114, ASYNC128 - started through `serve` alone; what it calls says so
        self,
        shutdown: Callable[[], Awaitable[None]],
        *,
        host: str | None = None,
        port: int | None = None,
        dev: bool | None = None,
        on_crash: CrashWatcher = lambda _: None,
        on_hang: HangWatcher | None = None,
        task_status: trio.TaskStatus[Sequence[str]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        async def stop() -> None:  # pragma: no cover - signals stop programs that tests start
            await shutdown()
            if self._desk is not None:
                # While requests in flight are still answered: a start that waits for its ack would hold that up.
                self._desk.stop()

        async with self.running(dev=dev, on_crash=on_crash, on_hang=on_hang):
            await serve(
                self.asgi,
                host=self._config.host if host is None else host,
                port=self._config.port if port is None else port,
                graceful_timeout=1.0,
                shutdown=stop,
                task_status=task_status,
            )

    async def _run_until_signalled(self) -> None:  # pragma: no cover - as in the programs that tests start
        stopping = trio.Event()
        token = trio.lowlevel.current_trio_token()
        has_been_asked = False

        def stop() -> None:
            log.info("stopping; once more ends the process at once")
            stopping.set()

        def ask(signum: int, _: FrameType | None) -> None:
            nonlocal has_been_asked
            if has_been_asked:
                # The author's code does not end; the wish for an end comes first. Here and not in a task, because code
                # that never awaits would keep every task from running.
                signal.signal(signum, signal.SIG_DFL)
                signal.raise_signal(signum)
            has_been_asked = True
            token.run_sync_soon(stop)

        with _signals_to(ask):
            remedy = "; another signal ends the process at once"
            await self._serve(
                stopping.wait, on_hang=partial(self._log_hang, remedy=remedy), task_status=_Announcement()
            )

    def _log_hang(self, run_ids: Sequence[str], remedy: str = "") -> None:
        log.error("[%s] %s cannot stop, because %s%s", ", ".join(run_ids), self.package_name, HANG, remedy)


class _Calls:
    """What the HTTP application asks of an app, whether it runs or not."""

    def __init__(self, package_name: str, desk: Callable[[], Desk | None]) -> None:
        self._package_name = package_name
        self._desk = desk

    async def on_webhook(self, request: SessionRequest | StopRequest, /) -> WebhookAnswer:
        """Answer a webhook."""
        desk = self._desk()
        if desk is None:
            log.error("a webhook came, but the app does not run; put 'async with app.running():' around the server")
            await trio.lowlevel.checkpoint()
            return WebhookAnswer(status=HTTPStatus.SERVICE_UNAVAILABLE, message="The app does not run")
        return await desk.answer(request)

    def on_unreadable(self, text: str, /) -> None:
        """Note a call that cannot be read."""
        desk = self._desk()
        if desk is not None:
            desk.note_unreadable(text)

    async def on_settings(self, notice: SettingsNotice, /) -> int | None:
        """Take changed settings."""
        desk = self._desk()
        if desk is None:
            await trio.lowlevel.checkpoint()
            return 0
        return await desk.take_settings(notice)

    def on_photo(self, upload: PhotoUpload, /) -> bool:
        """Take a photo."""
        desk = self._desk()
        return desk is not None and desk.take_photo(upload)

    def awaits_photo(self) -> bool:
        """Whether anybody waits for a photo."""
        desk = self._desk()
        return desk is not None and desk.awaits_photo()

    def health(self) -> Health:
        """Tell how the app is."""
        desk = self._desk()
        return Health(package_name=self._package_name, active_sessions=0 if desk is None else len(desk.sessions()))


class _Announcement:
    """Tells whoever started a program where it listens."""

    def started(self, value: Sequence[str] | None = None) -> None:  # pragma: no cover - as `_run_until_signalled`
        """Take the bound URLs."""
        text = (
            f"Listening on {' and '.join(value or ())}; Ctrl-C stops. In the MentraOS console enter the public https "
            f"address that leads here, without a path: the cloud adds {WEBHOOK_PATHS[0]} to it."
        )
        if log.hasHandlers():
            log.info("%s", text)
        else:
            # A library leaves logging to its program, and a program that says nothing seems to hang.
            sys.stderr.write(f"{text}\n")


def _check_async(handler: object, decorator: str, form: str) -> None:
    """Refuse what is no handler now, by name: it would fail only when a wearer comes, far from where it was written."""
    if handler is _no_handler:
        raise ConfigError(f"write '{decorator}' without parentheses, on the line above '{form}'")
    if inspect.isfunction(handler):
        if not inspect.iscoroutinefunction(handler):
            raise ConfigError(f"{handler.__name__} is not an async function; write '{form}'")
    elif not callable(handler):
        raise ConfigError(f"{handler!r} is not a function; write '{decorator}' on the line above '{form}'")


def _default_connector() -> Connector:
    # Imported here: the WebSocket library takes a third of what `import mentra_trio` may take on top of Trio.
    from ._net.core_websocket import CoreWebSocketConnector  # noqa: PLC0415 - imported late on purpose

    return CoreWebSocketConnector()


def _http_of(connector: Connector | None) -> HttpClient:
    """Give the HTTP that goes with a connector: the network's with the default one, its own, or none."""
    if connector is None:
        return HttpxClient()
    return connector.http if isinstance(connector, Network) else NoHttp()


@contextlib.contextmanager
def _collect_rarely() -> Generator[None, None, None]:
    """Leave what the imports made out of garbage collection, and look for cycles less often.

    A session is some 500 objects that the collector walks. With Python's own thresholds that took a third of the time
    in which hundreds of sessions started, and held all of them up for tenths of a second. The process is the app's own
    here; in `serve` it is somebody else's.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextlib.contextmanager
def _signals_to(handler: Callable[[int, FrameType | None], None]) -> Generator[None, None, None]:
    """Handle SIGINT and SIGTERM."""
    before = {signum: signal.signal(signum, handler) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, previous in before.items():
            # None stands for a handler of another language, which cannot be put back.
            signal.signal(signum, signal.SIG_DFL if previous is None else previous)
