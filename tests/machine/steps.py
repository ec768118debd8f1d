"""What a script is made of: everything that a wearer, an app, a network and two clouds can do, at any time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import attrs
from hypothesis import strategies as st

from .app import STREAMS
from .wire import Doom
from .world import PACKAGE, PUBLIC_URL, WebhookFault, World

if TYPE_CHECKING:
    from mentra_trio.simulator import AppConnection


class Act(Protocol):
    """One step. It may begin what takes its time, but does not wait for it."""

    def do(self, world: World) -> None:
        """Do it, where it can be done."""
        ...


# The wearer and the phone


@attrs.frozen
class Start:
    def do(self, world: World) -> None:
        world.soon(partial(world.user.start, PACKAGE))


@attrs.frozen
class Stop:
    def do(self, world: World) -> None:
        world.soon(partial(world.user.stop, PACKAGE))


@attrs.frozen
class Press:
    count: int

    def do(self, world: World) -> None:
        if world.is_phone_here:
            world.press(self.count)


@attrs.frozen
class Hear:
    count: int

    def do(self, world: World) -> None:
        if world.is_phone_here:
            for _ in range(self.count):
                world.user.hear(world.number().to_bytes(4, "little"))


@attrs.frozen
class Say:
    def do(self, world: World) -> None:
        async def say() -> None:
            if world.is_phone_here:
                await world.user.say(f"word {world.number()}")

        world.soon(say)


@attrs.frozen
class PhoneAway:
    def do(self, world: World) -> None:
        world.user.disconnect()


@attrs.frozen
class PhoneBack:
    def do(self, world: World) -> None:
        if not world.user.is_connected and not world.cloud.faults.refuse_connects:
            world.soon(world.user.connect)


@attrs.frozen
class Move:
    """The phone goes to the other cloud; the first one may learn of it later."""

    leaves_first: bool

    def do(self, world: World) -> None:
        before = world.user
        world.here = 1 - world.here
        if self.leaves_first:
            before.disconnect()
        PhoneBack().do(world)
        before.disconnect()


# The network


@attrs.frozen
class ToSocket:
    """Something that happens to one of the open sockets."""

    which: int

    def do(self, world: World) -> None:
        sockets = world.sockets
        if sockets:
            self.happen(sockets[self.which % len(sockets)], world)

    def happen(self, socket: AppConnection, world: World) -> None:
        """Do it."""
        socket.cut()


@attrs.frozen
class Freeze(ToSocket):
    def happen(self, socket: AppConnection, world: World) -> None:
        socket.freeze()
        world.frozen.add(socket)


@attrs.frozen
class Slow(ToSocket):
    delay: float

    def happen(self, socket: AppConnection, world: World) -> None:
        socket.slow_down(self.delay)


@attrs.frozen
class Close(ToSocket):
    code: int
    reason: str

    def happen(self, socket: AppConnection, world: World) -> None:
        socket.close(self.code, self.reason)


@attrs.frozen
class Refuse(ToSocket):
    """Answer whatever was sent with an error, and close (P3 0.4)."""

    code: str
    text: str

    def happen(self, socket: AppConnection, world: World) -> None:
        socket.refuse(self.code, self.text)


@attrs.frozen
class Say2Socket(ToSocket):
    """Say something about the session, and close."""

    message: str
    code: str
    close: tuple[int, str]

    def happen(self, socket: AppConnection, world: World) -> None:
        socket.send({"type": self.message, "code": self.code})
        socket.close(*self.close)


@attrs.frozen
class Plan:
    """Decide about the connection that is dialled next."""

    doom: Doom

    def do(self, world: World) -> None:
        if len(world.dooms) < 10:
            world.dooms.append(self.doom)


@attrs.frozen
class RefuseConnects:
    seconds: float

    def do(self, world: World) -> None:
        world.cloud.refuse_connects(self.seconds)


# The clouds


@attrs.frozen
class SlowAck:
    seconds: float

    def do(self, world: World) -> None:
        world.cloud.faults.ack_delay = self.seconds


@attrs.frozen
class Mute:
    """Old clouds answer no pings."""

    is_mute: bool

    def do(self, world: World) -> None:
        world.cloud.faults.no_pong = self.is_mute


@attrs.frozen
class SlowDatabase:
    seconds: float

    def do(self, world: World) -> None:
        world.cloud.faults.database_delay = self.seconds


@attrs.frozen
class Die:
    def do(self, world: World) -> None:
        world.cloud.crash()


@attrs.frozen
class Drain:
    def do(self, world: World) -> None:
        world.soon(world.cloud.drain)


@attrs.frozen
class Resume:
    def do(self, world: World) -> None:
        world.cloud.resume()


@attrs.frozen
class Duplicate:
    """A `session_request` out of the blue, from either cloud."""

    is_elsewhere: bool

    def do(self, world: World) -> None:
        cloud = world.clouds[world.here ^ self.is_elsewhere]
        world.soon(partial(world.post, f"{PUBLIC_URL}/webhook", world.webhook("session_request", cloud)))


@attrs.frozen
class StrayStop:
    def do(self, world: World) -> None:
        world.soon(partial(world.post, f"{PUBLIC_URL}/webhook", world.webhook("stop_request", world.cloud)))


@attrs.frozen
class BreakWebhooks:
    fault: WebhookFault

    def do(self, world: World) -> None:
        world.webhook_fault = self.fault


# The app


@attrs.frozen
class Restart:
    is_crash: bool

    def do(self, world: World) -> None:
        async def restart() -> None:
            await world.stop_process(is_crash=self.is_crash)
            await world.start_process()

        world.soon(restart)


@attrs.frozen
class Open:
    name: str
    is_lazy: bool

    def do(self, world: World) -> None:
        if world.run is not None:
            world.run.open(self.name, is_lazy=self.is_lazy)


@attrs.frozen
class Shut:
    name: str

    def do(self, world: World) -> None:
        if world.run is not None:
            world.run.shut(self.name)


@attrs.frozen
class Call:
    def do(self, world: World) -> None:
        if world.run is not None:
            world.soon(partial(world.run.call, world.number()))


@attrs.frozen
class Send:
    count: int

    def do(self, world: World) -> None:
        run = world.run
        if run is not None:
            for _ in range(self.count):
                world.soon(partial(run.send, world.number()))


@attrs.frozen
class Cancel:
    """Cancel a call or a send that waits."""

    which: int

    def do(self, world: World) -> None:
        if world.run is not None and world.run.calls:
            world.run.calls[self.which % len(world.run.calls)].cancel()


@attrs.frozen
class Answer:
    def do(self, world: World) -> None:
        world.answer()


@attrs.frozen
class Show:
    def do(self, world: World) -> None:
        if world.run is not None:
            world.soon(partial(world.run.show, f"text {world.number()}"))


@attrs.frozen
class End:
    """The app ends its session."""

    def do(self, world: World) -> None:
        run, process = world.run, world.process
        if run is None or process is None:
            return

        async def end() -> None:
            generation = process.tap.generation
            await run.session.end()
            process.tap.unwanted(generation)

        world.soon(end)


@attrs.frozen
class Crash:
    """The handler raises."""

    def do(self, world: World) -> None:
        if world.run is not None:
            world.run.crash.set()


_WHICH = st.integers(0, 3)
_COUNTS = st.sampled_from([1, 1, 3, 40, 300])
_CLOSES = st.sampled_from([(1000, "bye"), (1001, "Server shutting down"), (1008, "no"), (1011, ""), (1013, "later")])
_ERRORS = st.sampled_from(["INTERNAL_ERROR", "PERMISSION_DENIED", "STREAM_CREATE_FAILED", "SESSION_NOT_FOUND"])
_REJECTIONS = st.sampled_from(["SESSION_EXPIRED", "SESSION_NOT_FOUND", "NOT_RUNNING", "BOOT_TIMEOUT", "NEW"])
_FAULTS: tuple[WebhookFault, ...] = ("none", "none", "unreachable", "slow", "answer lost", "twice")
_BOOLEANS = st.booleans()
_NAMES = st.sampled_from(STREAMS)
DOOMS = st.builds(
    Doom, st.sampled_from(["refused", "silent", "cut", "cut", "frozen", "frozen", "stuck"]), st.integers(0, 14)
)

ACTS: st.SearchStrategy[Act] = st.one_of(
    st.just(Start()),
    st.just(Start()),
    st.just(Start()),
    st.just(Stop()),
    st.just(Stop()),
    st.builds(Press, _COUNTS),
    st.builds(Press, _COUNTS),
    st.builds(Hear, _COUNTS),
    st.builds(Hear, _COUNTS),
    st.just(Say()),
    st.just(PhoneAway()),
    st.just(PhoneBack()),
    st.just(PhoneBack()),
    st.builds(Move, _BOOLEANS),
    st.builds(ToSocket, _WHICH),
    st.builds(ToSocket, _WHICH),
    st.builds(Freeze, _WHICH),
    st.builds(Freeze, _WHICH),
    st.builds(Slow, _WHICH, st.sampled_from([0.0, 0.1, 1.0, 5.0])),
    _CLOSES.flatmap(lambda close: st.builds(Close, _WHICH, st.just(close[0]), st.just(close[1]))),
    st.builds(Refuse, _WHICH, _ERRORS, st.sampled_from(["no", "Cannot process photo request", "Stream failed"])),
    st.builds(Say2Socket, _WHICH, st.just("reconnect_rejected"), _REJECTIONS, st.just((1008, "no"))),
    st.builds(Say2Socket, _WHICH, st.just("app_stopped"), st.just(""), st.just((1000, "App stopped"))),
    st.builds(Plan, DOOMS),
    st.builds(Plan, DOOMS),
    st.builds(RefuseConnects, st.sampled_from([0.2, 3.0, 10.0, 150.0])),
    st.builds(SlowAck, st.sampled_from([0.0, 0.0, 0.5, 3.0, 5.0, float("inf")])),
    st.builds(Mute, _BOOLEANS),
    st.builds(SlowDatabase, st.sampled_from([0.0, 0.0, 0.5, 3.0])),
    st.just(Die()),
    st.just(Drain()),
    st.just(Resume()),
    st.just(Resume()),
    st.builds(Duplicate, _BOOLEANS),
    st.builds(Duplicate, st.just(value=False)),
    st.just(StrayStop()),
    st.builds(BreakWebhooks, st.sampled_from(_FAULTS)),
    st.builds(Restart, _BOOLEANS),
    st.builds(Open, _NAMES, _BOOLEANS),
    st.builds(Open, _NAMES, st.just(value=False)),
    st.builds(Shut, _NAMES),
    st.just(Call()),
    st.just(Call()),
    st.just(Call()),
    st.builds(Send, st.sampled_from([1, 1, 5, 70])),
    st.builds(Cancel, st.integers(0, 100)),
    st.just(Answer()),
    st.just(Show()),
    st.just(End()),
    st.just(Crash()),
)
PAUSES = st.sampled_from(
    [
        0.0,
        0.0,
        0.0,
        0.0,
        0.001,
        0.01,
        0.1,
        0.1,
        0.3,
        0.3,
        1.0,
        1.0,
        2.0,
        4.1,
        5.0,
        6.0,
        9.0,
        12.0,
        20.0,
        40.0,
        65.0,
        130.0,
    ]
)
_PART = st.lists(st.tuples(ACTS, PAUSES), max_size=12)
_BEGINNINGS: list[list[tuple[Act, float]]] = [
    [],
    [(Start(), 0.3)],
    [(Start(), 0.3), (Open("audio_chunk", is_lazy=False), 0.1), (Open("transcription:en-US", is_lazy=False), 0.1)],
    [(Start(), 0.3), (Open("audio_chunk", is_lazy=True), 0.1), (Hear(120), 0.0)],
    # A session that pauses between attempts, one that is stopped in that pause, and one whose cloud does not answer.
    [(Start(), 0.3), (RefuseConnects(150.0), 0.0), (ToSocket(0), 2.0)],
    [(Start(), 0.3), (RefuseConnects(60.0), 0.0), (ToSocket(0), 40.0), (StrayStop(), 9.0)],
    [(Start(), 0.3), (SlowAck(float("inf")), 0.0), (ToSocket(0), 1.0)],
]
# Of one list Hypothesis would make five steps on average; of these, about fifteen.
SCRIPTS: st.SearchStrategy[list[tuple[Act, float]]] = st.tuples(st.sampled_from(_BEGINNINGS), _PART, _PART, _PART).map(
    lambda parts: [step for part in parts for step in part]
)
