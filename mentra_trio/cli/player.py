"""Do what commands say: to the simulated cloud, as its wearer.

It knows the simulator's engine and the app, not how they reach each other, so it plays in memory as well as over real
sockets.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, assert_never, cast

import attrs
import trio

from mentra_trio.errors import ConfigError
from mentra_trio.models.session import HandlerCrash
from mentra_trio.server import MiniAppServer
from mentra_trio.session import MentraSession
from mentra_trio.simulator import AppState, Cloud, ExpectationError, PhotoOutcome, Stage, User
from mentra_trio.simulator.glasses import unmet
from mentra_trio.simulator.sounds import murmur
from mentra_trio.text import BitmapError

from .commands import (
    Action,
    Battery,
    Declare,
    Device,
    Dismiss,
    Drop,
    EndVideo,
    Expect,
    Glance,
    Head,
    Hear,
    Help,
    Light,
    Move,
    Murmur,
    Notify,
    Picture,
    Plan,
    Press,
    Say,
    Set,
    Snap,
    Start,
    Stats,
    Stop,
    Stored,
    System,
    Touch,
    Video,
    Wait,
    Wear,
    Zone,
)
from .parsing import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mentra_trio.models.device import Gesture
    from mentra_trio.simulator import AppSession, Glasses
    from mentra_trio.simulator.speech import SpeechStream

LISTEN_SECONDS = 10.0
"""How long `say` waits for the app to listen."""
RETURN_SECONDS = 30.0
"""How long a dropped app may take to be back, once connects are taken again. The cloud gives up after 11 s."""
READ_SECONDS = 1.0
"""How long an app may take to read what was sent; one that does not answer pings is not waited for any longer."""
STOP_SECONDS = 30.0
"""How long the app's server may take to answer a stop. The real cloud would wait for ever."""
_ENGLISH = "en-US"
_SPANISH = "es-ES"
"""What is spoken to an app that has everything translated into English."""
_EVENT_LENGTH = timedelta(minutes=30)
_ALL_ELSE = "  everything else is 0; SessionStatistics explains each"
_SILENCE = 1.5
"""Seconds of quiet after speech: more than ends an utterance."""
_LOOK = 0.02
"""Seconds between two looks at the light, or at what the camera does."""
_POST_PAUSE = 0.1
"""Seconds until the glasses tell their state again, when the cloud had too many such messages in one second."""

_DOWN = frozenset({None, AppState.STOPPED, AppState.STOPPING, AppState.DORMANT})
_ON_ITS_WAY = frozenset({AppState.GRACE_PERIOD, AppState.TRANSPORT_DOWN, AppState.RESURRECTING})

_LINKS: Mapping[AppState | None, str] = {
    None: "not started",
    AppState.CONNECTING: "starting",
    AppState.RUNNING: "connected",
    AppState.GRACE_PERIOD: "connection lost",
    AppState.TRANSPORT_DOWN: "connection lost",
    AppState.RESURRECTING: "restarting",
    AppState.DORMANT: "ended by the app",
    AppState.STOPPING: "stopping",
    AppState.STOPPED: "stopped",
}
_START_FAULTS = {
    Stage.WEBHOOK: "its server did not take the start, twice",
    Stage.TIMEOUT: "it did not connect within 6 s",
    Stage.HARDWARE_CHECK: "these glasses lack what it requires",
    Stage.STOPPED: "it was stopped while it started",
}


@attrs.frozen
class _Sense:
    """What an app may listen to."""

    stream: str
    """Name of the stream on the wire."""
    name: str
    block: str
    """How an app listens."""


_BUTTONS = _Sense("button_press", "buttons", "session.device.buttons.stream() as presses")
_NOTIFICATIONS = _Sense("phone_notification", "notifications", "session.phone.notifications.stream() as notifications")
_DISMISSALS = _Sense("phone_notification_dismissed", "dismissals", "session.phone.dismissals.stream() as dismissals")
_HEAD = _Sense("head_position", "the head's position", "session.device.head.stream() as moves")


class CommandFailedError(Exception):
    """A command could not do what it should. The text is one sentence for the developer."""


@attrs.define(eq=False)
class Player:
    """One wearer with one app. Commands are played one at a time."""

    _cloud: Cloud
    _user: User
    _app: MiniAppServer
    crashes: list[HandlerCrash] = attrs.field(factory=list[HandlerCrash], init=False)
    """Each time that a handler raised."""
    _notifications: list[str] = attrs.field(factory=list[str], init=False)
    """What is on the phone, by id, oldest first."""
    _given_up: HandlerCrash | None = attrs.field(default=None, init=False)
    """The crash that ended the app; `None` once it was started again."""
    _run: MentraSession | None = attrs.field(default=None, init=False)
    """The run of the app that is known."""
    _is_run_asked_for: bool = attrs.field(default=False, init=False)
    """Whether the next run is one that a command started."""

    @property
    def glasses(self) -> Glasses:
        """What the wearer sees."""
        return self._user.glasses

    @property
    def package_name(self) -> str:
        """Which app."""
        return self._app.package_name

    @property
    def session(self) -> AppSession | None:
        """The cloud's view of the app; `None` before its first start."""
        return self._user.app(self.package_name)

    @property
    def is_running(self) -> bool:
        """Whether the app runs, is about to, or is waited for."""
        return self._state not in _DOWN

    @property
    def status(self) -> str:
        """The app's link and the glasses' battery, in a few words."""
        wearer = self._cloud.session(self._user.user_id)
        level = None if wearer is None else wearer.device_state.get("batteryLevel")
        return self.link if level is None else f"{self.link}, {level} %"

    @property
    def link(self) -> str:
        """The app's link in a few words."""
        session = self.session
        if session is not None and session.state is AppState.RUNNING and not session.is_attached:
            return "connecting"
        if self._given_up is not None and self._state is AppState.DORMANT:
            return "crashed"
        return _LINKS[self._state]

    @property
    def _state(self) -> AppState | None:
        return self._user.state_of(self.package_name)

    def crashed(self, crash: HandlerCrash) -> str:
        """Note that a handler raised; return what there is to tell besides the log record."""
        self.crashes.append(crash)
        if crash.is_last:
            self._given_up = crash
            return self._remedy
        return ""

    @property
    def _absence(self) -> str:
        """Why the app does not run."""
        if self._given_up is not None:
            return f"the app crashed {_times(self._given_up.count)} and was given up"
        if self._state is AppState.DORMANT:
            return "the app ended its session itself"
        return "the app does not run"

    @property
    def _remedy(self) -> str:
        """The same, and what helps."""
        again = " again" if self._given_up or self._state is AppState.DORMANT else ""
        return f"{self._absence}; 'start' starts it{again}"

    async def wait_status(self, known: str) -> None:
        """Wait until `status` is another. Cancelling loses nothing."""
        await self._cloud.wait_until(lambda: self.status != known)

    async def wait_new_run(self) -> str:
        """Wait until the app runs anew although no command started it; return what there is to tell.

        The cloud does that: its second webhook may get through after it gave a start up, and an app that is refused
        makes it start the app (P1 1.3, 2.10). Cancelling loses nothing.
        """
        while True:
            await self._cloud.wait_until(lambda: self._current_run not in {None, self._run})
            self._run = self._current_run
            if not self._is_run_asked_for:
                return "the cloud has started the app again: a new run, with a handler that begins anew"
            self._is_run_asked_for = False

    @property
    def _current_run(self) -> MentraSession | None:
        """The session that the app has by now; it has one when its subscriptions arrive, which wakes who waits."""
        return self._app.session_for(self._user.user_id)

    async def play(self, command: Action) -> str:  # noqa: PLR0912 - one branch for each command
        """Do it, return when it has taken effect, with what there is to tell; empty when that is nothing.

        Cancelling stops the waiting: what was asked of the cloud goes on.

        Raises `CommandFailedError` when it cannot be done, or is not as expected.
        """
        await trio.lowlevel.checkpoint()
        match command:
            case Say():
                return await self._say(command)
            case Press(button, kind):
                return await self._move(_BUTTONS, partial(self._user.press, button, kind))
            case Head(position):
                return await self._move(_HEAD, partial(self._user.look, position))
            case Notify(app, title, content):
                return await self._move(_NOTIFICATIONS, partial(self._notify, app, title, content))
            case Dismiss():
                return await self._dismiss()
            case Plan(title, minutes):
                begin = self._cloud.now() + timedelta(minutes=minutes)
                return await self._do(partial(self._user.add_event, title, begin, begin + _EVENT_LENGTH))
            case Move(lat, lng, accuracy):
                return await self._do(partial(self._user.move_to, lat, lng, accuracy=accuracy))
            case Zone(name):
                return await self._change_system("timezone", name)
            case Drop(seconds):
                return await self._drop(seconds)
            case Stop():
                return await self._stop()
            case Start():
                return await self._start()
            case Battery(level):
                return await self._tell_device("batteryLevel", level)
            case Device(name, value):
                return await self._tell_device(name, value)
            case System(name, value):
                return await self._change_system(name, value)
            case Wear(model):
                self._user.wear(model)
                await self._wait_read()
                return ""
            case Snap(path, code):
                return await self._prepare_photo(path, code)
            case Set(key, value):
                return await self._set(key, value)
            case Expect(text, seconds):
                return await self._expect(text, seconds)
            case Picture(path):
                return await self._save_picture(path)
            case Hear(text, seconds):
                return await self._hear(text, seconds)
            case Glance(text, seconds):
                return await self._glance(text, seconds)
            case Light(color, seconds):
                return await self._check_light(color, seconds)
            case Video(is_on, seconds):
                return await self._check_video(seconds, is_on=is_on)
            case EndVideo():
                return await self._end_video()
            case Touch(gesture):
                return await self._touch(gesture)
            case Murmur(seconds):
                return await self._murmur(seconds)
            case Wait(seconds):
                await trio.sleep(seconds)
                return ""
            case Stored(key, value):
                return await self._stored(key, value)
            case Declare(permissions):
                return self._declare(permissions)
            case Stats():
                return self._stats()
            case Help(topic):
                return explain(topic)
            case _:
                assert_never(command)

    # --- speech

    async def _say(self, say: Say) -> str:
        reached = await self._user.say(
            say.text,
            language=await self._wait_listening(say.language),
            final=say.is_final,
            interims=None if say.is_final else (say.text,),
            translated=say.translation,
        )
        # What is not finished reaches no translator.
        if self.package_name not in reached and (say.is_final or self._speech_streams):
            raise CommandFailedError("the app did not hear it: its connection ended, or it stopped listening meanwhile")
        await self._wait_read()
        return ""

    async def _wait_read(self) -> None:
        """Wait until the app has read what was sent to it, and what it had sent before has arrived."""
        session = self.session
        if session is not None and session.connection is not None:
            with trio.move_on_after(READ_SECONDS):
                await session.connection.wait_read()
        await trio.lowlevel.checkpoint()

    async def _wait_listening(self, language: str | None) -> str:
        """Wait until the app listens to speech; return what to speak, unless given English where the app hears it."""
        await self._wait_for_app(lambda: self._language(language) is not None)
        spoken = self._language(language)
        if spoken is None:
            raise CommandFailedError(self._deafness(language))
        return spoken

    def _language(self, wanted: str | None) -> str | None:
        """What to speak; `None` while the app does not listen, or its socket is not ready: words would be lost."""
        wearer = self._cloud.session(self._user.user_id)
        if wearer is None or self.session is None or not self.session.is_ready:
            return None
        told = [stream.language for stream in wearer.speech.streams if stream.language != "auto"]
        choice = [_ENGLISH, *told, _SPANISH] if wanted is None else [wanted]
        return next((language for language in choice if wearer.events_of_speech(language)), None)

    @property
    def _speech_streams(self) -> Sequence[SpeechStream]:
        wearer = self._cloud.session(self._user.user_id)
        return () if wearer is None else wearer.speech.streams

    def _deafness(self, language: str | None) -> str:
        wearer = self._cloud.session(self._user.user_id)
        translators = () if wearer is None else wearer.translators.streams
        heard = ", ".join((*(each.language for each in self._speech_streams), *(each.name for each in translators)))
        if language is None or not heard:
            return _not_listening("speech", "session.transcription.stream() as speech")
        return f"the app did not listen to {language} for {LISTEN_SECONDS:g} s; it listens to {heard}"

    async def _wait_for_app(self, is_ready: Callable[[], bool]) -> None:
        """Wait until the app is ready for what is to come, for a while. Raises `CommandFailedError` if it is down."""
        self._require_running()
        with trio.move_on_after(LISTEN_SECONDS):
            await self._cloud.wait_until(lambda: not self.is_running or is_ready())
        self._require_running()

    # --- buttons and the head

    async def _touch(self, gesture: Gesture) -> str:
        def is_felt() -> bool:
            session = self.session
            return session is not None and session.is_ready and session.subscriptions.touch_name(gesture) is not None

        await self._wait_for_app(is_felt)
        if not is_felt():
            raise CommandFailedError(_not_listening(gesture, "session.device.touches.stream() as touches"))
        self._user.touch(gesture)
        await self._wait_read()
        return ""

    async def _murmur(self, seconds: float) -> str:
        await self._wait_for_app(lambda: self._user.is_microphone_on)
        if not self._user.is_microphone_on:
            raise CommandFailedError(_not_listening("sound", "session.mic.stream() as sound"))
        self._user.detect_voice(is_speaking=True)
        await self._user.hear_over_time(murmur(seconds))
        self._user.detect_voice(is_speaking=False)
        await self._user.hear_over_time(bytes(round(_SILENCE * 16_000) * 2))
        await self._wait_read()
        return ""

    async def _move(self, sense: _Sense, act: Callable[[], None]) -> str:
        def is_felt() -> bool:
            session = self.session
            return session is not None and session.is_ready and session.subscriptions.matches(sense.stream)

        await self._wait_for_app(is_felt)
        if not is_felt():
            raise CommandFailedError(_not_listening(sense.name, sense.block))
        act()
        await self._wait_read()
        return ""

    # --- the phone

    async def _do(self, act: Callable[[], object]) -> str:
        act()
        await self._wait_read()
        return ""

    def _notify(self, app: str, title: str, content: str) -> None:
        self._notifications.append(self._user.notify(app, title, content))

    async def _dismiss(self) -> str:
        await trio.lowlevel.checkpoint()
        if not self._notifications:
            raise CommandFailedError("there is no notification on the phone; notify APP TITLE TEXT makes one")
        return await self._move(_DISMISSALS, lambda: self._user.dismiss(self._notifications.pop()))

    # --- the connection

    async def _drop(self, seconds: float) -> str:
        # What was under way before is not to be lost: the app's last words might be the answer that is expected next.
        await self._wait_read()
        self._require_running()
        session = self.session
        old = None if session is None else session.connection
        if seconds > 0:
            self._cloud.refuse_connects(seconds)
        if old is not None:
            old.cut()

        def is_back() -> bool:
            return session is not None and session.connection is not old and session.is_ready

        with trio.move_on_after(seconds + RETURN_SECONDS):
            await self._cloud.wait_until(lambda: is_back() or not self.is_running)
        if not self.is_running:
            # Else the start that has to follow fails too, for as long as connects are refused.
            self._cloud.refuse_connects(0)
            raise CommandFailedError(
                "the app did not come back in time: the cloud started it again after 5 s without it, and gave up 6 s "
                "later, which ended its session; connections are accepted again, so a new run begins in a few seconds, "
                "or at once with 'start'"
                if self._given_up is None
                else self._remedy
            )
        if not is_back():
            raise CommandFailedError(f"the app was not back {RETURN_SECONDS:g} s after connects were taken again")
        return ""

    # --- the app's life

    async def _start(self) -> str:
        await trio.lowlevel.checkpoint()
        if self._state is AppState.RUNNING:
            return "the app runs already"
        self._given_up = None
        self._is_run_asked_for = True
        result = await self._user.start(self.package_name)
        if not result.succeeded:
            self._is_run_asked_for = False
            stage = result.failed_at or Stage.UNKNOWN_APP
            why = _START_FAULTS.get(stage, f"the cloud says {stage.value}")
            raise CommandFailedError(f"the app did not start: {why}")
        return ""

    async def _stop(self) -> str:
        with trio.move_on_after(RETURN_SECONDS):
            # The cloud ignores a stop while it waits for a lost connection.
            await self._cloud.wait_until(lambda: self._state not in _ON_ITS_WAY)
        if not self.is_running:
            return self._absence
        is_stopped = False
        with trio.move_on_after(STOP_SECONDS):
            is_stopped = await self._user.stop(self.package_name)
        if not is_stopped:
            raise CommandFailedError("the app could not be stopped: its server does not answer")
        return ""

    def _require_running(self) -> None:
        if not self.is_running:
            raise CommandFailedError(self._remedy)

    # --- glasses

    async def _tell_device(self, name: str, value: object) -> str:
        await trio.lowlevel.checkpoint()
        head, *rest = name.split("_")
        state = {head + "".join(word.capitalize() for word in rest): value}
        try:
            # The cloud takes ten such messages in a second, and nothing tells when it takes the next.
            while not self._user.update_device(**state):  # noqa: ASYNC110 - as said
                await trio.sleep(_POST_PAUSE)
        except TypeError as error:
            fault = str(error).replace("update_device() has", "glasses have").replace("; it has", "; they have")
            raise CommandFailedError(fault) from error
        await self._wait_read()
        return ""

    async def _prepare_photo(self, path: str | None, code: str | None) -> str:
        await trio.lowlevel.checkpoint()
        camera = self._user.glasses.camera
        if path is not None:
            try:
                camera.sees = _picture(path)
            except (OSError, ValueError) as error:
                raise CommandFailedError(f"{path!r} cannot be read: {_fault(error)}") from error
        camera.outcome = PhotoOutcome.UPLOADED if code is None else PhotoOutcome.REFUSED
        camera.code = code or camera.code
        return ""

    async def _change_system(self, name: str, value: object) -> str:
        if self.is_running:
            with trio.move_on_after(LISTEN_SECONDS):
                # Between the ack and what an app subscribes the cloud tells it nothing, and later nothing again.
                await self._cloud.wait_until(lambda: not self.is_running or self._is_ready)
        return await self._do(partial(self._user.change_system_settings, **{name: value}))

    @property
    def _is_ready(self) -> bool:
        """Whether the app's subscriptions have arrived on its newest socket."""
        return self.session is not None and self.session.is_ready

    async def _set(self, key: str, value: object) -> str:
        self._user.change_settings(self.package_name, {key: value})
        await self._wait_read()
        return ""

    async def _glance(self, text: str, seconds: float) -> str:
        glasses = self._user.glasses
        with trio.move_on_after(seconds):
            await trio.lowlevel.checkpoint()
            while not any(text in line for line in glasses.dashboard):
                await glasses.wait_changed()
        await trio.lowlevel.checkpoint()
        if not any(text in line for line in glasses.dashboard):
            raise CommandFailedError(unmet(f"{text!r} on the dashboard", seconds, glasses.dashboard))
        return ""

    async def _check_video(self, seconds: float, *, is_on: bool) -> str:
        camera = self._user.glasses.camera

        def is_so() -> bool:
            wearer = self._cloud.session(self._user.user_id)
            is_active = wearer is not None and wearer.streams.is_active
            return camera.stream_url is not None and is_active if is_on else camera.stream_url is None

        with trio.move_on_after(seconds):
            await trio.lowlevel.checkpoint()
            while not is_so():  # noqa: ASYNC110 - nobody tells
                await trio.sleep(_LOOK)
        await self._wait_read()
        if not is_so():
            seen = f"the glasses stream to {camera.stream_url}{', but no video flows yet' if is_on else ''}"
            if camera.stream_url is None:
                seen = "the glasses do not stream"
            raise CommandFailedError(
                f"expected live video to be {'on' if is_on else 'off'} within {seconds:g} s; {seen}"
            )
        return ""

    async def _end_video(self) -> str:
        wearer = self._cloud.session(self._user.user_id)
        stream_id = None if wearer is None else wearer.streams.stream_id
        if stream_id is None:
            await trio.lowlevel.checkpoint()
            raise CommandFailedError("the glasses do not stream")
        self._user.glasses.camera.stream_url = None
        self._user.phone_message({"type": "stream_status", "streamId": stream_id, "status": "stopped"})
        await self._wait_read()
        return ""

    async def _check_light(self, color: str | None, seconds: float) -> str:
        glasses = self._user.glasses
        with trio.move_on_after(seconds):
            await trio.lowlevel.checkpoint()
            # It changes as time passes, and nobody tells.
            while glasses.light != color:  # noqa: ASYNC110 - as said
                await trio.sleep(_LOOK)
        await trio.lowlevel.checkpoint()
        if glasses.light != color:
            seen = glasses.light or "dark"
            raise CommandFailedError(f"expected the light to be {color or 'off'} within {seconds:g} s; it is {seen}")
        return ""

    async def _expect(self, text: str, seconds: float) -> str:
        glasses = self._user.glasses
        try:
            await glasses.expect(text, within=seconds)
        except ExpectationError:
            message = unmet(repr(text), seconds, glasses.lines)
            raise CommandFailedError(message if self.is_running else f"{message}, and {self._absence}") from None
        return ""

    async def _save_picture(self, path: str) -> str:
        await self._wait_read()
        try:
            image = self._user.glasses.picture()
        except (ConfigError, BitmapError) as error:
            raise CommandFailedError(f"there is no picture: {error}") from error
        data = BytesIO()
        image.save(data, "PNG")
        try:
            _write(path, data.getvalue())
        except (OSError, ValueError) as error:
            raise CommandFailedError(f"{path!r} cannot be written: {_fault(error)}") from error
        return f"saved {path}"

    async def _hear(self, text: str, seconds: float) -> str:
        try:
            await self._user.speaker.expect(text, within=seconds)
        except ExpectationError as error:
            message = str(error)
            raise CommandFailedError(message if self.is_running else f"{message}, and {self._absence}") from None
        return ""

    async def _stored(self, key: str | None, value: str) -> str:
        await self._wait_read()
        if key is not None:
            try:
                self._user.store_value(self.package_name, key, value)
            except ValueError as error:
                raise CommandFailedError(str(error)) from error
            return ""
        values = self._user.stored_values(self.package_name)
        return "\n".join(f"{key}: {text}" for key, text in values.items()) or "the app has stored nothing"

    def _declare(self, permissions: Sequence[str] | None) -> str:
        if permissions is None:
            return ", ".join(sorted(self._cloud.store.apps[self.package_name].permissions)) or "none"
        self._cloud.declare(self.package_name, *permissions)
        return ""

    def _stats(self) -> str:
        session = self._app.session_for(self._user.user_id)
        lines = ["the app has no session"] if session is None else [*_rows(session.statistics()), _ALL_ELSE]
        violations = self._cloud.violations
        if violations:
            lines.append("what a correct app never does:")
            lines += [f"  {violation}" for violation in violations]
        return "\n".join(lines)


def _picture(path: str) -> bytes:
    """Read a file in place: a thread would let a virtual clock run ahead, and the file is the developer's own."""
    return Path(path).read_bytes()


def _write(path: str, data: bytes) -> None:
    """Write a file in place, as `_picture` reads one."""
    Path(path).write_bytes(data)


def _fault(error: OSError | ValueError) -> str:
    """Say what is wrong with a file; a `ValueError` is a name that no file can have."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _not_listening(what: str, block: str) -> str:
    return f"the app did not listen to {what} for {LISTEN_SECONDS:g} s; it does so inside 'async with {block}:'"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _rows(values: object, prefix: str = "") -> Iterator[str]:
    """Give one line for each counter that is not 0, nested ones with their path."""
    kind = type(values)
    if attrs.has(kind):
        for field in attrs.fields(kind):
            yield from _rows(getattr(values, field.name), f"{prefix}.{field.name}" if prefix else field.name)
    elif isinstance(values, tuple):
        for index, value in enumerate(cast("tuple[object, ...]", values)):
            yield from _rows(value, f"{prefix}.{index}")
    elif values:
        yield f"  {prefix:<34} {values}"
