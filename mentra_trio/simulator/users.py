"""Wearers: everything that a person, a phone and a pair of glasses do to the cloud."""

from __future__ import annotations

import difflib
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs
import trio

from mentra_trio._wire.codec import JsonObject, to_iso
from mentra_trio._wire.converter import wire_name
from mentra_trio.models.device import DeviceState, Gesture, HeadPosition, PressType

from . import messages
from .apps import AppSession, AppState, Stage, StartResult
from .glasses import Glasses
from .hardware import SIMULATED_GLASSES, USUAL_STATE, capabilities
from .loudspeaker import Loudspeaker
from .photos import answer_photo
from .reactions import REACTIONS
from .speech import phrases, words_of
from .waiting import WAIT_SECONDS, absence, deafness, hopelessness, wait_or_tell, whereabouts
from .webhooks import Uploader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping, Sequence
    from datetime import datetime

    from .connection import AppConnection
    from .engine import Cloud  # noqa: TC004 - a cycle, and nobody evaluates it
    from .sessions import UserSession
    from .sound import Ear
    from .store import StoredUser  # noqa: TC004 - a cycle, and nobody evaluates it

_SAMPLES = 16_000
"""Samples of the microphone in a second (P2 5.2)."""
_LOG = 10_000
"""Messages of the phone that are kept."""
_SAYING = 0.15
"""Seconds between two interims of a sentence."""


@attrs.frozen(kw_only=True)
class PhoneMessage:
    """A message that the phone got."""

    at: float
    """When, on the Trio clock."""
    fields: JsonObject | None
    """The message; `None` for a ping frame."""


@attrs.define(eq=False)
class Phone:
    """One connection of a phone: it passes displays on to the glasses, and keeps what it got."""

    _glasses: Glasses
    _log: deque[PhoneMessage]
    _react: Callable[[JsonObject], None]

    def receive(self, message: JsonObject) -> None:
        """Take a message of the cloud."""
        self._log.append(PhoneMessage(at=trio.current_time(), fields=message))
        if message.get("type") == "display_event":
            self._glasses.draw(message)
        self._react(message)

    def pinged(self) -> None:
        """Take a ping frame."""
        self._log.append(PhoneMessage(at=trio.current_time(), fields=None))


@attrs.define(eq=False)
class User:
    """A wearer. The phone has to be connected before anything else happens."""

    _cloud: Cloud = attrs.field(repr=False)
    stored: StoredUser = attrs.field(repr=False)
    """What the database holds about the wearer."""
    glasses: Glasses = attrs.field(init=False, repr=False)
    """What the wearer sees."""
    speaker: Loudspeaker = attrs.field(init=False, repr=False)
    """What the wearer hears."""
    home_network: str | None = attrs.field(default="Home", init=False)
    """The Wi-Fi network that the wearer picks when an app asks for one; `None` for a wearer who does not care to."""
    acts_by_itself: bool = attrs.field(default=True, init=False)
    """Whether the phone does and answers what apps ask of it. Turn it off to play it by hand, with `phone_message`."""
    _log: deque[PhoneMessage] = attrs.field(factory=lambda: deque[PhoneMessage](maxlen=_LOG), init=False, repr=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False, repr=False)
    _phone: Phone | None = attrs.field(default=None, init=False, repr=False)
    _device: dict[str, object] = attrs.field(factory=dict[str, object], init=False, repr=False)
    """What the phone knows about the glasses, under the names of the wire."""
    position: JsonObject | None = attrs.field(default=None, init=False, repr=False)
    """Where the phone is: `lat`, `lng`, `accuracy`, as `move_to` told. A phone that does not know answers no poll."""
    _unheard: str = attrs.field(default="", init=False, repr=False)
    """That nobody heard what was said last, and why."""

    def __attrs_post_init__(self) -> None:
        self.speaker = Loudspeaker(self)
        self.glasses = Glasses(self.stored.model or SIMULATED_GLASSES, lambda: self._unheard or absence(self._home()))
        if self.stored.model == SIMULATED_GLASSES:
            self._device.update(USUAL_STATE)

    @property
    def user_id(self) -> str:
        """E-mail address in lower case."""
        return self.stored.user_id

    @property
    def phone_log(self) -> tuple[PhoneMessage, ...]:
        """What the phone got, oldest first; the last ten thousand messages."""
        return tuple(self._log)

    # --- the phone

    @property
    def is_connected(self) -> bool:
        """Whether the phone is connected."""
        return self._phone is not None

    async def connect(self) -> None:
        """Connect the phone; return when the cloud acknowledged it.

        That waits until apps that ran before are up again, or failed. A connection that is there is replaced. The phone
        then tells what the cloud does not know about the glasses, such as their battery: full, unless told otherwise.
        """
        self._phone = Phone(self.glasses, self._log, self._react)
        session = self._cloud.session_for_phone(self.user_id)
        await session.phone_connected(self._phone)
        if self.acts_by_itself:
            known = session.device_state
            session.change_device({name: value for name, value in self._device.items() if name not in known})

    def disconnect(self) -> None:
        """Take the phone away. The cloud keeps the session for 60 s."""
        phone, self._phone = self._phone, None
        session = self._cloud.session(self.user_id)
        if phone is not None and session is not None:
            session.phone_disconnected()

    def phone_lost(self) -> None:
        """Note that the cloud ended the phone's connection."""
        self._phone = None

    def phone_message(self, fields: Mapping[str, object]) -> None:
        """Send any message of the phone, as it is: voice activity, notifications, whatever else.

        Protocol: P2 1.7.
        """
        self._session().phone_sent(dict(fields))

    def answer_later(self, seconds: float, fields: Mapping[str, object]) -> None:
        """Let the phone send a message after a while, if it is still connected then."""

        def answer() -> None:
            session = self._cloud.session(self.user_id)
            if session is not None and session.is_phone_connected:
                session.phone_sent({**fields, "timestamp": self._milliseconds()})

        self._cloud.agenda.later(seconds, answer)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Let phone and glasses do something after a while."""
        self._cloud.agenda.later(seconds, action)

    async def wait_until(self, predicate: Callable[[], bool]) -> None:
        """Wait until something is true of the wearer. Bound it with a deadline."""
        await self._cloud.wait_until(predicate)

    def tell_waiting(self) -> None:
        """Let those who wait look again."""
        self._cloud.notify()

    def claim_relay(self, user_id: str, stream_id: str, ear: Ear) -> bool:
        """Fetch a stream of sound, as the phone does; `False` when there is none."""
        session = self._cloud.session(user_id)
        return session is not None and session.relays.claim(stream_id, ear) is not None

    def leave_relay(self, ear: Ear) -> None:
        """Fetch a stream no longer."""
        session = self._cloud.session(self.user_id)
        if session is not None:
            session.relays.left(ear)

    def spawn(self, job: Callable[[], Awaitable[object]]) -> None:
        """Let phone and glasses do something that takes its time."""
        self._cloud.agenda.spawn(job)

    async def upload(self, url: str, body: bytes, content_type: str, token: str | None, limit: float) -> int | None:
        """Post a form to a server, as the phone does; give the status, `None` when nobody answered in time."""
        status: int | None = None
        if isinstance(self._cloud.webhooks, Uploader):
            with trio.move_on_after(limit):
                status = await self._cloud.webhooks.upload(url, body, content_type, token)
        await trio.lowlevel.checkpoint()
        return status

    def report_photo(self, fields: Mapping[str, object]) -> int:
        """Report how a photo went, over REST; give the status of the cloud's answer.

        Protocol: P3 5.5.
        """
        session = self._cloud.session(self.user_id)
        return 503 if session is None else answer_photo(session, dict(fields)).status

    def end_photo(self, request_id: str) -> None:
        """Note that the glasses are done with a photo, of which the cloud itself hears nothing."""
        session = self._cloud.session(self.user_id)
        if session is not None:  # pragma: no branch - the phone may have left while the glasses worked
            session.shots.pop(request_id, None)

    def wear(self, model: str) -> None:
        """Put on other glasses, such as `Mentra Live`. They are connected, and have Wi-Fi where they can."""
        abilities = capabilities(model) or {}
        self.update_device(connected=True, modelName=model, wifiConnected=bool(abilities.get("hasWifi")))

    def tell_device_later(self, seconds: float, state: Mapping[str, object]) -> None:
        """Let the phone tell about the glasses after a while, if it is still connected then."""

        def tell() -> None:
            if self.is_connected:
                self.post_device_state(state)

        self._cloud.agenda.later(seconds, tell)

    def _react(self, message: JsonObject) -> None:
        reaction = REACTIONS.get(str(message.get("type"))) if self.acts_by_itself else None
        if reaction is not None:
            reaction(self, message)

    def phone_post(self, path: str, body: Mapping[str, object]) -> int:
        """Post to the cloud's REST interface for phones; return the HTTP status.

        `/api/client/notifications`, `.../notifications/dismissed`, `.../calendar`, `.../location` and
        `.../location/poll-response/ID`; the bodies are the wire's.

        Protocol: P2 1.7.
        """
        session = self._home()
        if session is None:
            return 503
        fields = dict(body)
        match path.removeprefix("/api/client/").split("/"):
            case ["notifications"]:
                return session.phone_data.notified(fields)
            case ["notifications", "dismissed"]:
                return session.phone_data.dismissed(fields)
            case ["calendar"]:
                return session.phone_data.calendar_posted(fields)
            case ["location"]:
                return session.places.posted(fields)
            case ["location", "poll-response", number]:
                return session.places.posted(fields, number)
            case _:
                return 404

    def notify(
        self,
        app: str,
        title: str,
        content: str,
        *,
        notification_id: str | None = None,
        priority: str = "normal",
        package_name: str | None = None,
    ) -> str:
        """Let a notification appear on the phone; return its id, with which `dismiss` takes it away.

        Protocol: P2 7.2.
        """
        number = notification_id or f"notification-{next(self._numbers)}"
        body: JsonObject = {
            "notificationId": number,
            "app": app,
            "title": title,
            "content": content,
            "priority": priority,
            "timestamp": self._milliseconds(),
            "packageName": package_name,
        }
        self._posted("/api/client/notifications", body)
        return number

    def dismiss(self, notification_id: str, *, key: str = "0", package_name: str = "com.example.phone") -> None:
        """Let a notification go from the phone.

        Protocol: P2 7.3.
        """
        body: JsonObject = {"notificationId": notification_id, "notificationKey": key, "packageName": package_name}
        self._posted("/api/client/notifications/dismissed", body)

    def add_event(
        self,
        title: str,
        start: datetime,
        end: datetime | None = None,
        *,
        event_id: str | None = None,
        time_zone: str | None = None,
        all_day: bool = False,
    ) -> str:
        """Let the phone tell an entry of its calendar; return its id, with which it can be told again.

        Protocol: P2 7.4.
        """
        number = event_id or f"event-{next(self._numbers)}"
        entry: JsonObject = {
            "id": number,
            "title": title,
            "startDate": to_iso(start),
            "endDate": to_iso(start if end is None else end),
            "timeZone": time_zone,
            "allDay": all_day,
        }
        self._posted("/api/client/calendar", {"events": [entry]})
        return number

    def move_to(self, lat: float, lng: float, *, accuracy: float | None = None) -> None:
        """Go somewhere: the phone tells the cloud, and from now on answers those that ask where it is.

        Real phones tell as often as the tier of all apps says; this one, when it moves.

        Protocol: P2 8.
        """
        self.position = {"lat": lat, "lng": lng, **({} if accuracy is None else {"accuracy": accuracy})}
        self._posted("/api/client/location", {"location": self.position})

    def _posted(self, path: str, body: JsonObject) -> None:
        self._session()
        status = self.phone_post(path, body)
        if status != 200:
            msg = f"the cloud answers {path} with {status}: something is missing in it"
            raise ValueError(msg)

    def press(self, button: str = "main", kind: PressType | str = PressType.SHORT) -> None:
        """Press a button of the glasses, `short` or `long`, under the name that the glasses have for it.

        Protocol: P2 6.2.1.
        """
        pressed = _known(PressType, kind, "a press")
        self.phone_message(
            {"type": "button_press", "buttonId": button, "pressType": pressed, "timestamp": self._milliseconds()}
        )

    def touch(self, gesture: Gesture | str) -> None:
        """Touch the glasses: `single_tap`, `double_tap`, `forward_swipe` ... (P2 6.2.3)."""
        felt = _known(Gesture, gesture, "a touch")
        self.phone_message(
            {
                "type": "touch_event",
                "device_model": self.glasses.model,
                "gesture_name": felt,
                "timestamp": self._milliseconds(),
            }
        )

    def look(self, position: HeadPosition | str) -> None:
        """Look `up` or `down`.

        Protocol: P2 6.2.2.
        """
        seen = _known(HeadPosition, position, "a head")
        self.phone_message({"type": "head_position", "position": seen, "timestamp": self._milliseconds()})

    def _milliseconds(self) -> int:
        return int(self._cloud.now().timestamp() * 1000)

    # --- apps

    async def start(self, package_name: str) -> StartResult:
        """Start an app and wait until it is up or its start has failed.

        Cancelling stops the waiting, not the start.
        """
        session = self._cloud.session(self.user_id)
        if session is None or not session.is_phone_connected:
            await trio.lowlevel.checkpoint()
            return StartResult(succeeded=False, failed_at=Stage.NO_SESSION)
        return await session.start_and_wait(package_name)

    async def stop(self, package_name: str) -> bool:
        """Stop an app and wait until it is down; `False` when there was nothing to stop.

        An app that is waited for after a lost socket cannot be stopped: the cloud ignores that.
        """
        session = self._cloud.session(self.user_id)
        done = None if session is None else session.stop(package_name)
        if done is None:
            await trio.lowlevel.checkpoint()
            return False
        await done.wait()
        return True

    def app(self, package_name: str) -> AppSession | None:
        """Look the cloud's view of one of the wearer's apps up."""
        session = self._cloud.session(self.user_id)
        return None if session is None else session.app(package_name)

    def state_of(self, package_name: str) -> AppState | None:
        """State of an app; `None` when it was never started."""
        app = self.app(package_name)
        return None if app is None else app.state

    async def wait_attached(self, package_name: str, *, within: float = WAIT_SECONDS) -> AppSession:
        """Wait until an app has an acknowledged socket. Raises `ExpectationError`, see `wait_listener`."""
        return await self._wait_for(package_name, lambda app: app.is_attached, "did not connect", within)

    async def wait_subscribed(
        self,
        package_name: str,
        wanted: Callable[[AppSession], bool] = lambda _: True,
        *,
        within: float = WAIT_SECONDS,
    ) -> AppSession:
        """Wait until an app is attached and its subscriptions have arrived on that socket, and fit.

        Raises `ExpectationError`, see `wait_listener`.
        """
        return await self._wait_for(
            package_name, lambda app: app.is_ready and wanted(app), "did not subscribe as wanted", within
        )

    async def wait_listener(self, language: str = "en-US", *, within: float = WAIT_SECONDS) -> None:
        """Wait until an app that is attached would get what is said in this language.

        Raises `ExpectationError`, which tells how the apps fare, when nobody listens `within` seconds, or when all apps
        have gone down for good meanwhile. `math.inf` waits for ever: under an autojump clock that is a test that hangs.
        """
        await wait_or_tell(
            self._cloud.wait_until,
            lambda: self._has_listener(language),
            within=within,
            is_hopeless=hopelessness(self._home, lambda home: home.apps.values()),
            complain=lambda limit: f"nobody came to listen to {language}{limit}: {deafness(self._home(), language)}",
        )

    def _has_listener(self, language: str) -> bool:
        session = self._cloud.session(self.user_id)
        if session is None:
            return False
        events = session.events_of_speech(language)
        return any(
            app.is_ready and any(app.subscriptions.matches(event) for event in events) for app in session.apps.values()
        )

    async def drop(self, package_name: str, *, refuse_for: float = 0.0, within: float = WAIT_SECONDS) -> AppSession:
        """Cut an app's socket without a close frame, and wait until the app is back with its subscriptions.

        Connects are refused for `refuse_for` seconds. Raises `LookupError` when there is no socket, and
        `ExpectationError` when the app is not back `within` seconds after connects are taken again, or earlier when the
        cloud has given it up, which it does after 11 s without the app.
        """
        connection = self.socket(package_name)
        if refuse_for > 0:
            self._cloud.refuse_connects(refuse_for)
        connection.cut()
        await connection.ended.wait()
        return await self._wait_for(package_name, lambda app: app.is_ready, "did not come back", refuse_for + within)

    def _home(self) -> UserSession | None:
        return self._cloud.session(self.user_id)

    async def _wait_for(
        self, package_name: str, predicate: Callable[[AppSession], bool], failure: str, within: float
    ) -> AppSession:
        def found() -> bool:
            app = self.app(package_name)
            return app is not None and predicate(app)

        def apps(home: UserSession) -> Iterable[AppSession]:
            return [home.apps[package_name]] if package_name in home.apps else []

        await wait_or_tell(
            self._cloud.wait_until,
            found,
            within=within,
            is_hopeless=hopelessness(self._home, apps),
            complain=lambda limit: (
                f"{package_name} {failure}{limit}: {whereabouts(self.app(package_name), self._home())}"
            ),
        )
        app = self.app(package_name)
        if app is None:
            raise AssertionError("an app that was found is there")
        return app

    def socket(self, package_name: str) -> AppConnection:
        """The socket that an app's data goes to: cut it, close it, freeze it. Raises `LookupError` without one."""
        app = self.app(package_name)
        if app is None or app.connection is None:
            msg = f"{package_name} has no socket at the moment"
            raise LookupError(msg)
        return app.connection

    # --- what apps stored

    def stored_values(self, package_name: str) -> Mapping[str, str]:
        """What an app has stored for the wearer, under the keys of the wire.

        Protocol: P3 9.
        """
        return self._cloud.store.storage(self.user_id, package_name).texts()

    def store_value(self, package_name: str, key: str, value: str) -> None:
        """Store a value as another instance of the app would, under the key of the wire.

        Raises `ValueError` for what the cloud does not take.
        """
        reply = self._cloud.store.storage(self.user_id, package_name).write(key, value)
        if reply.status != 200:
            raise ValueError(f"the cloud answers {reply.status}: {reply.text}")

    # --- speech and sound

    async def say(
        self,
        text: str,
        *,
        language: str = "en-US",
        final: bool = True,
        interims: Sequence[str] | None = None,
        speaker: str = "1",
        translated: str | Mapping[str, str] | None = None,
    ) -> frozenset[str]:
        """Say something, and wait until the apps that listen have got it. Returns their packages.

        `interims` are what the recogniser takes it for on the way; without them the text grows word by word. With
        `final=False` the sentence stays open, and the next one that is said goes on with it.

        `translated` is what translators make of it: one text, or one for each language (`es` or `es-ES`); without it
        they give the text back with the language before it. They tell nothing of what `interims` holds, because none of
        it is settled.

        Words that nobody hears are lost without an error, as in life. The answer is empty then, and the next
        `glasses.expect` that fails tells why.
        """
        session = self._session()
        streams = [stream for stream in session.speech.streams if stream.hears(language)]
        begins = [stream.ready_at for stream in streams]
        begins += [stream.ready_at for stream in session.translators.streams if stream.target_of(language) is not None]
        if begins:
            await trio.sleep_until(max(begins))
        sentences = session.translators.sentences(text, language, speaker=speaker, known=translated)
        begun = {stream: stream.age for stream in streams}
        steps = [*(phrases(text) if interims is None else interims)]
        if not steps or steps[-1] != text:
            steps.append(text)
        for index, step in enumerate(steps):
            if index:
                await trio.sleep(_SAYING)
            is_end = final and index == len(steps) - 1
            for stream in streams:
                words = words_of(step, language, speaker=speaker, since=begun[stream], until=stream.age + _SAYING)
                stream.push(words, end=is_end)
            is_settled = interims is None or is_end
            for sentence in sentences:
                sentence.say((index + 1) / len(steps) if is_settled else 0.0, end=is_end)
        for stream in streams:
            while stream.final_is_due:
                await stream.wait_final()
        await trio.lowlevel.checkpoint()
        reached = frozenset[str]().union(*(each.reached for each in streams), *(each.reached for each in sentences))
        self._unheard = "" if reached else f"nobody heard {_excerpt(text)}: {deafness(self._home(), language)}"
        return reached

    def hear(self, pcm: bytes) -> tuple[str, ...]:
        """Let the microphone pick up sound: signed 16-bit little-endian PCM, mono, 16 kHz.

        Returns the packages of the apps that got it.
        """
        return tuple(self._session().audio(pcm))

    async def hear_over_time(self, pcm: bytes, *, chunk: float = 0.04) -> None:
        """Let the microphone pick up sound as time passes, in pieces of so many seconds.

        While the cloud wants the microphone off the phone sends nothing, and what is heard then is lost (P2 5.3).
        """
        size = round(chunk * _SAMPLES) * 2
        await trio.lowlevel.checkpoint()
        for start in range(0, len(pcm), size):
            await trio.sleep(chunk)
            if self.is_microphone_on:
                self.hear(pcm[start : start + size])

    def detect_voice(self, *, is_speaking: bool) -> None:
        """Let the phone tell that somebody begins or stops to speak, with its own spelling of it (P2 5.4).

        Phones do so only while the microphone is on.
        """
        if self.is_microphone_on:
            status = "true" if is_speaking else "false"
            self.phone_message({"type": "VAD", "status": status, "timestamp": self._milliseconds()})

    @property
    def is_microphone_on(self) -> bool:
        """Whether the cloud wants the microphone on."""
        session = self._cloud.session(self.user_id)
        return session is not None and session.microphone.state.enabled

    # --- glasses and settings

    def update_device(self, **state: object) -> bool:
        """Tell the cloud about the glasses, with the names of the wire: `batteryLevel`, `modelName`, `connected` ...

        Returns `False` when the cloud took it for too many posts in one second. Raises `TypeError` for a name that
        glasses do not have; `post_device_state` takes any.
        """
        for name in state:
            if name not in _DEVICE_STATES:
                near = next(iter(difflib.get_close_matches(name, _DEVICE_STATES, n=1)), "")
                hint = f", perhaps {near!r}" if near else ""
                msg = f"update_device() has no {name!r}{hint}; it has {', '.join(_DEVICE_STATES)}"
                raise TypeError(msg)
        return self.post_device_state(state)

    def post_device_state(self, state: Mapping[str, object]) -> bool:
        """Tell the cloud about the glasses, as it is. Returns `False` after too many posts in one second.

        Protocol: P2 1.7.
        """
        is_taken = self._session().device_posted(dict(state))
        model = state.get("modelName")
        if is_taken:
            self._device.update(state)
        if is_taken and isinstance(model, str):
            self.glasses.model = model
        return is_taken

    def change_settings(self, package_name: str, values: Mapping[str, object]) -> None:
        """Change settings of an app. It learns that on its socket, and then by HTTP once more.

        Protocol: P1 5.1.
        """
        self.stored.change_settings(package_name, values)
        session = self._cloud.session(self.user_id)
        app = None if session is None else session.app(package_name)
        if session is not None and app is not None:
            session.tell_settings(app)
        installed = self._cloud.store.apps.get(package_name)
        if installed is not None:
            body = messages.posted_settings(self.user_id, self.stored.settings_of(installed))
            self._cloud.agenda.spawn_in_turn(
                (self.user_id, package_name),
                lambda: self._cloud.post(installed, "/settings", body, limit=_SETTINGS_LIMIT),
            )

    def change_system_settings(self, **values: object) -> None:
        """Change settings of the system, under the names of the phone: `metric_system`, `timezone` ....

        Protocol: P1 5.3.
        """
        self.stored.system_settings.update(values)
        session = self._cloud.session(self.user_id)
        if session is None:
            return
        model = values.get("default_wearable")
        if isinstance(model, str):
            self.stored.model = self.glasses.model = model
            session.change_device({"modelName": model})
            # The cloud tells it a second time (P2 6.5).
            session.tell_capabilities()
        session.tell_system_settings()

    def _session(self) -> UserSession:
        session = self._cloud.session(self.user_id)
        if session is None:
            msg = f"the phone of {self.user_id} is not connected; await user.connect() first"
            raise RuntimeError(msg)
        return session


def _known(kind: type[PressType | HeadPosition | Gesture], given: str, what: str) -> str:
    """Give the word of the wire. What no glasses would send is a `phone_message`."""
    words = [member.value for member in kind if member is not kind.UNKNOWN]
    if given not in words:
        msg = f"{what} is {' or '.join(repr(word) for word in words)}, not {str(given)!r}"
        raise ValueError(msg)
    return str(given)


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]}...")


_DEVICE_STATES = sorted(wire_name(DeviceState, field.name) for field in attrs.fields(DeviceState))
"""Names of what glasses have on the wire (P2 6.3)."""
_LONGEST_EXCERPT = 40
"""Characters of what was said that an error repeats."""
_SETTINGS_LIMIT = 30.0
"""Seconds after which a call to an app's `/settings` is given up. The cloud has no limit; jobs here have to end."""
