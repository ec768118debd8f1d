"""What the app declares, and what it may therefore do (P2 9)."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, cast

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import EventStream, LinkState, MentraSession
from mentra_trio._wire.permissions import Requirement
from mentra_trio.errors import (
    CloudRefusedError,
    CloudUnreachableError,
    PermissionDeniedError,
    RequestTimedOutError,
    SessionClosedError,
)
from mentra_trio.models import Permission, PermissionRefusal, Permissions

from .worlds import PACKAGE, World, open_world

if TYPE_CHECKING:
    from collections.abc import Callable

MICROPHONE = Requirement(permission=Permission.MICROPHONE)


def asked(world: World) -> list[float]:
    """When the cloud was asked."""
    return [call.at for call in world.calls("GET", "/api/public/permissions/")]


NEED_MICROPHONE: list[Callable[[MentraSession], EventStream[object]]] = [
    lambda session: session.transcription.stream("en"),
    lambda session: session.translation.to("es").stream(),
    lambda session: session.mic.stream(),
    lambda session: session.raw.stream("VAD"),
    lambda session: session.raw.stream("transcription:de-DE"),
]


class TestWhatIsKnown:
    async def test_it_is_known_when_the_handler_starts(self, autojump_clock: MockClock) -> None:
        async with open_world(permissions=["CAMERA", "NOTIFICATIONS"]) as world:
            permissions = world.session.permissions

            assert permissions.state.value == Permissions(
                declared=frozenset({Permission.CAMERA, Permission.READ_NOTIFICATIONS}), is_known=True
            )
            assert permissions.has(Permission.CAMERA)
            assert not permissions.has(Permission.MICROPHONE)

    @pytest.mark.parametrize("name", ["camera", "VIDEO", 5])
    async def test_what_is_no_permission_is_refused(self, autojump_clock: MockClock, name: object) -> None:
        """To say that it is not declared would keep a part of the app shut for ever."""
        async with open_world() as world:
            with pytest.raises(ValueError, match="not a valid Permission"):
                world.session.permissions.has(cast("Permission", name))
            assert world.session.permissions.has(cast("Permission", "CAMERA"))

    async def test_all_is_everything(self, autojump_clock: MockClock) -> None:
        async with open_world(permissions=["ALL"]) as world:
            assert world.session.permissions.state.value.declared == frozenset(Permission)

    async def test_names_that_nobody_knows_are_left_out(self, autojump_clock: MockClock) -> None:
        async with open_world(permissions=["CAMERA", "TELEPATHY"]) as world:
            assert world.session.permissions.state.value.declared == {Permission.CAMERA}

    async def test_all_sessions_share_one_answer_for_five_minutes(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            for name in ("ben", "cem"):
                user = world.cloud.user(f"{name}@example.com")
                await user.connect()
                await user.start(PACKAGE)
                await wait_all_tasks_blocked()
            assert len(world.sessions) == 3
            assert len(asked(world)) == 1
            await trio.sleep(299)
            async with world.session.mic.stream():
                await wait_all_tasks_blocked()
            assert len(asked(world)) == 1
            await trio.sleep(2)
            async with world.session.mic.stream():
                await wait_all_tasks_blocked()

            assert len(asked(world)) == 2

    async def test_a_change_in_the_console_is_told(self, autojump_clock: MockClock) -> None:
        async with open_world(permissions=["MICROPHONE"]) as world:
            changes = world.session.permissions.state.changes()
            world.declare("MICROPHONE", "CAMERA")
            await trio.sleep(301)
            now = await world.session.permissions.fetch()

            assert now.declared == {Permission.MICROPHONE, Permission.CAMERA}
            assert await anext(changes) == now
            assert await world.session.permissions.fetch() is now
            assert len(asked(world)) == 2

    async def test_tasks_that_ask_at_the_same_time_share_one_question(self, autojump_clock: MockClock) -> None:
        async with open_world() as world, trio.open_nursery() as nursery:
            await trio.sleep(301)
            world.cloud.faults.http_delay = 1
            for _ in range(3):
                nursery.start_soon(world.session.permissions.fetch)
            await trio.sleep(2)

            assert len(asked(world)) == 2

    async def test_the_one_who_asks_may_be_cancelled(self, autojump_clock: MockClock) -> None:
        async with open_world() as world, trio.open_nursery() as nursery:
            await trio.sleep(301)
            world.cloud.faults.http_delay = 1
            found: list[Permissions] = []

            async def fetch() -> None:
                found.append(await world.session.permissions.fetch())

            with trio.move_on_after(0.5):
                nursery.start_soon(fetch)
                await world.session.permissions.fetch()
            await trio.sleep(3)

            assert [one.is_known for one in found] == [True]

    async def test_waiting_ends_with_the_session(self, autojump_clock: MockClock) -> None:
        async with open_world(permissions=[]) as world, trio.open_nursery() as nursery:
            state = world.session.permissions.state
            nursery.start_soon(world.session.end)
            with pytest.raises(SessionClosedError):
                await state.wait_for(lambda now: Permission.CAMERA in now.declared)

    async def test_asking_is_a_checkpoint(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            with assert_checkpoints():
                await world.session.permissions.fetch()


class TestWhatIsNotKnown:
    @pytest.mark.parametrize("status", [500, 503, 404])
    async def test_it_is_tried(self, autojump_clock: MockClock, status: int) -> None:
        async with open_world(is_started=False, permissions=["MICROPHONE"]) as world:
            world.cloud.faults.http_status = status
            await world.start()
            assert world.session.permissions.state.value == Permissions()
            assert world.session.permissions.has(Permission.CAMERA)
            async with world.session.mic.stream():
                await world.user.wait_subscribed(PACKAGE, lambda app: app.subscriptions.needs_pcm)

    @pytest.mark.parametrize(
        ("status", "delay", "away", "error"),
        [
            (500, 0, False, CloudRefusedError),
            (None, math.inf, False, RequestTimedOutError),
            (None, 0, True, CloudUnreachableError),
        ],
    )
    async def test_whoever_asks_is_told_why(
        self, autojump_clock: MockClock, status: int | None, delay: float, away: bool, error: type[Exception]
    ) -> None:
        async with open_world() as world:
            await trio.sleep(301)
            faults = world.cloud.faults
            faults.http_status, faults.http_delay, faults.refuse_connects = status, delay, away
            with pytest.raises(error):
                await world.session.permissions.fetch()

            assert world.session.permissions.state.value.is_known

    async def test_whoever_asks_soon_after_a_failure_is_told_too(self, autojump_clock: MockClock) -> None:
        """An answer without a word would look as if the app were unknown."""
        async with open_world(is_started=False) as world:
            world.cloud.faults.http_status = 500
            await world.start()
            world.cloud.faults.http_status = None
            with pytest.raises(CloudUnreachableError) as caught:
                await world.session.permissions.fetch()
            assert isinstance(caught.value.__cause__, CloudRefusedError)
            assert len(asked(world)) == 1
            await trio.sleep(30)

            assert (await world.session.permissions.fetch()).is_known

    async def test_an_old_failure_is_not_told_again(self, autojump_clock: MockClock) -> None:
        """Of two who ask, the first is cancelled; the second then asks itself."""
        async with open_world(is_started=False) as world, trio.open_nursery() as nursery:
            world.cloud.faults.http_status = 500
            await world.start()
            world.cloud.faults.http_status = None
            await trio.sleep(30)
            world.cloud.faults.http_delay = 1
            found: list[Permissions] = []

            async def fetch(patience: float) -> None:
                with trio.move_on_after(patience):
                    found.append(await world.session.permissions.fetch())

            nursery.start_soon(fetch, 0.5)
            await wait_all_tasks_blocked()
            nursery.start_soon(fetch, math.inf)
            await trio.sleep(3)

            assert [one.is_known for one in found] == [True]

    async def test_a_cloud_that_fails_is_not_asked_all_the_time(self, autojump_clock: MockClock) -> None:
        async with open_world(is_started=False) as world:
            world.cloud.faults.http_status = 500
            await world.start()
            for _ in range(40):
                async with world.session.mic.stream():
                    await trio.sleep(1)

            assert len(asked(world)) == 2

    async def test_a_first_stream_waits_for_the_answer(self, autojump_clock: MockClock) -> None:
        async with open_world(is_started=False, permissions=["CAMERA"]) as world:
            world.cloud.faults.http_delay = 1
            begun = trio.current_time()
            await world.start()
            with pytest.raises(PermissionDeniedError):
                async with world.session.mic.stream():
                    pass

            assert trio.current_time() - begun == pytest.approx(1, abs=0.2)

    async def test_but_not_for_long(self, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
        """What turns out to be missing later is a warning: the cloud drops the stream without a word."""
        async with open_world(is_started=False, is_strict=False, permissions=["CAMERA"]) as world:
            world.cloud.faults.http_delay = 4
            await world.start()
            begun = trio.current_time()
            async with world.session.mic.stream():
                assert trio.current_time() == begun + 2
                await trio.sleep(5)

            (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
            assert "needs the permission MICROPHONE" in warning


class TestWhatIsMissing:
    @pytest.mark.parametrize("open_stream", NEED_MICROPHONE)
    async def test_entering_a_stream_raises(
        self, autojump_clock: MockClock, open_stream: Callable[[MentraSession], EventStream[object]]
    ) -> None:
        """The strict cloud would report a subscription without its permission."""
        async with open_world(permissions=["CAMERA"]) as world:
            with pytest.raises(PermissionDeniedError, match="MICROPHONE") as caught:
                async with open_stream(world.session):
                    pass
            assert caught.value.permission == "MICROPHONE"
            with pytest.raises(PermissionDeniedError):
                aiter(open_stream(world.session))
            with pytest.raises(PermissionDeniedError):
                async with open_stream(world.session).with_gaps():
                    pass

            assert world.session.statistics().streams.open == ()

    async def test_what_needs_none_is_open_to_all(self, autojump_clock: MockClock) -> None:
        async with (
            open_world(permissions=[]) as world,
            world.session.device.buttons.stream(),
            world.session.raw.stream("touch_event"),
            world.session.raw.messages(),
        ):
            await world.session.display.show_text_wall("hello")

    async def test_where_the_cloud_does_not_insist_it_is_a_warning(
        self, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with open_world(permissions=[]) as world:
            for _ in range(2):
                async with world.session.raw.stream("location_stream"):
                    await wait_all_tasks_blocked()
            with pytest.raises(PermissionDeniedError):
                async with world.session.raw.stream("location_update"):
                    pass

            warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
            assert len(warned) == 1
            assert "LOCATION" in warned[0]

    async def test_a_command_and_a_request_name_what_they_need(self, autojump_clock: MockClock) -> None:
        async with open_world(permissions=[]) as world:
            runtime = world.session._runtime
            with pytest.raises(PermissionDeniedError):
                await runtime.require(MICROPHONE)
            world.declare("MICROPHONE")
            with pytest.raises(PermissionDeniedError):
                await runtime.require(MICROPHONE)
            assert len(asked(world)) == 1

    @pytest.mark.parametrize("delay", [0, 1])
    async def test_what_is_old_denies_nothing(self, autojump_clock: MockClock, delay: float) -> None:
        """The author has corrected the list meanwhile."""
        async with open_world(permissions=[]) as world:
            world.declare("MICROPHONE")
            world.cloud.faults.http_delay = delay
            await trio.sleep(301)
            begun = trio.current_time()
            async with world.session.mic.stream():
                assert trio.current_time() == begun + delay

            assert len(asked(world)) == 2

    async def test_what_is_old_denies_when_nothing_newer_comes_soon(self, autojump_clock: MockClock) -> None:
        async with open_world(permissions=[]) as world:
            world.declare("MICROPHONE")
            world.cloud.faults.http_delay = 4
            await trio.sleep(301)
            begun = trio.current_time()
            with pytest.raises(PermissionDeniedError):
                async with world.session.mic.stream():
                    pass
            assert trio.current_time() == begun + 2
            await world.session.permissions.state.wait_for(lambda now: Permission.MICROPHONE in now.declared)

            async with world.session.mic.stream():
                pass

    async def test_who_cannot_wait_has_it_asked_anew(self, autojump_clock: MockClock) -> None:
        async with open_world(permissions=[]) as world:
            world.declare("MICROPHONE")
            await trio.sleep(301)
            with pytest.raises(PermissionDeniedError):
                aiter(world.session.mic.stream())
            await wait_all_tasks_blocked()

            aiter(world.session.mic.stream()).close()

    async def test_a_next_run_goes_by_what_is_declared_by_then(self, autojump_clock: MockClock) -> None:
        """Its handler starts before the answer is there."""
        async with open_world(permissions=[]) as world:
            await world.user.stop(PACKAGE)
            world.declare("MICROPHONE")
            world.cloud.faults.http_delay = 1
            await trio.sleep(301)
            await world.start()

            async with world.sessions[1].mic.stream():
                pass

    async def test_a_stream_that_waits_opens_once(self, autojump_clock: MockClock) -> None:
        async with open_world(is_started=False) as world:
            world.cloud.faults.http_delay = 1
            await world.start()
            stream = world.session.mic.stream()
            failures: list[Exception] = []

            async def enter() -> None:
                try:
                    async with stream:
                        await trio.sleep(5)
                except RuntimeError as error:
                    failures.append(error)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(enter)
                nursery.start_soon(enter)

            assert len(failures) == 1


class TestRefusals:
    async def test_a_cloud_that_tells_is_heard(
        self, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with open_world(is_started=False, is_strict=False, permissions=["CAMERA"]) as world:
            world.cloud.quirks.silent_permissions = False
            world.cloud.faults.http_status = 500
            await world.start()
            async with world.session.permissions.stream() as refusals, world.session.mic.stream():
                refusal = await anext(refusals)

            assert refusal == PermissionRefusal(
                message="MICROPHONE permission is required", permission=Permission.MICROPHONE, stream="audio_chunk"
            )
            warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
            assert len(warned) == 1
            assert "'audio_chunk'" in warned[0]

    async def test_the_stream_ends_with_the_session(self, autojump_clock: MockClock) -> None:
        async with open_world() as world, world.session.permissions.stream() as refusals:
            await world.session.end()

            assert [refusal async for refusal in refusals] == []
            await world.session.link_state.wait_for(lambda state: state is LinkState.CLOSED)
            await trio.sleep(400)
            with pytest.raises(SessionClosedError):
                await world.session.permissions.fetch()
