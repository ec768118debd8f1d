"""What a test of an app gets when what it waits for never comes: an error that says what is there instead.

On a clock that jumps ahead a wait without a limit never ends, and takes a whole processor: sessions ping for ever.
"""

import math
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from mentra_trio import MentraSession
from mentra_trio.simulator import AppState, ExpectationError, User
from tests.cli.stage import PACKAGE, Echo, make_app, open_stage
from tests.simulator.apps import ALPHA, settle, world

WAITS: dict[str, Callable[[User], Awaitable[object]]] = {
    "wait_attached": lambda user: user.wait_attached(PACKAGE),
    "wait_subscribed": lambda user: user.wait_subscribed(PACKAGE),
    "wait_listener": lambda user: user.wait_listener(),
}
every_wait = pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)


async def fails(session: MentraSession) -> None:
    await trio.lowlevel.checkpoint()
    raise NameError("name 'sesion' is not defined")


async def returns(session: MentraSession) -> None:
    await trio.lowlevel.checkpoint()


async def listens_to_german(session: MentraSession) -> None:
    async with session.transcription.stream("de") as lines:
        async for _ in lines:
            pass


async def test_a_handler_that_fails_ends_the_wait_when_its_session_is_given_up(autojump_clock: MockClock) -> None:
    app = make_app()
    app.on_session(fails)
    async with open_stage(app) as stage:
        await stage.user.start(PACKAGE)
        with pytest.raises(ExpectationError) as caught:
            await stage.user.wait_listener()

    assert str(caught.value) == (
        "nobody came to listen to en-US: com.example.app does not run, because it gave its session up: its handler "
        "raised too often, or it called session.end(); its log tells which"
    )
    assert trio.current_time() < 5


@every_wait
async def test_an_app_that_is_down_for_good_is_waited_for_ten_seconds(
    autojump_clock: MockClock, wait: Callable[[User], Awaitable[object]]
) -> None:
    """Another task may start it; only an app that goes down during the wait ends it at once."""
    async with open_stage(Echo().app) as stage:
        await stage.user.start(PACKAGE)
        await stage.user.stop(PACKAGE)
        begin = trio.current_time()
        with pytest.raises(ExpectationError, match="does not run, because it was stopped"):
            await wait(stage.user)

        assert trio.current_time() - begin == pytest.approx(10)


@every_wait
async def test_an_app_that_is_stopped_meanwhile_ends_the_wait(
    autojump_clock: MockClock, wait: Callable[[User], Awaitable[object]]
) -> None:
    app = make_app()
    app.on_session(returns)
    async with open_stage(app) as stage, trio.open_nursery() as nursery:
        await stage.user.start(PACKAGE)
        stage.user.socket(PACKAGE).cut()
        stage.cloud.refuse_connects(30)
        await settle()
        begin = trio.current_time()
        nursery.start_soon(stage.user.stop, PACKAGE)
        with pytest.raises(ExpectationError, match="does not run, because"):
            await wait(stage.user)

        assert trio.current_time() - begin <= 10


async def test_a_language_that_nobody_listens_to_is_told_with_the_one_that_is(autojump_clock: MockClock) -> None:
    app = make_app()
    app.on_session(listens_to_german)
    async with open_stage(app) as stage:
        await stage.user.start(PACKAGE)
        with pytest.raises(ExpectationError) as caught:
            await stage.user.wait_listener()
        await stage.user.wait_listener("de-DE")

    assert str(caught.value) == (
        "nobody came to listen to en-US within 10 s: com.example.app runs and listens to de-DE; say which with "
        "language='de-DE'"
    )


async def test_an_app_that_never_listens_is_told_as_one(autojump_clock: MockClock) -> None:
    app = make_app()
    app.on_session(returns)
    async with open_stage(app) as stage:
        await stage.user.start(PACKAGE)
        with pytest.raises(ExpectationError) as caught:
            await stage.user.wait_listener(within=3)

        assert trio.current_time() == pytest.approx(3, abs=0.2)
    assert str(caught.value) == (
        "nobody came to listen to en-US within 3 s: com.example.app runs and listens to no speech; an app does so "
        "inside 'async with session.transcription.stream() as lines:'"
    )


async def test_an_app_that_was_never_started_is_told_as_one(autojump_clock: MockClock) -> None:
    async with world() as here:
        with pytest.raises(ExpectationError) as nobody:
            await here.user.wait_listener(within=1)
        with pytest.raises(ExpectationError) as attached:
            await here.user.wait_attached(ALPHA, within=1)
        here.user.disconnect()
        await trio.sleep(100)
        with pytest.raises(ExpectationError) as gone:
            await here.user.wait_attached(ALPHA, within=1)

    assert str(nobody.value) == (
        "nobody came to listen to en-US within 1 s: no app was started; await user.start(package_name) first"
    )
    assert str(attached.value) == (
        "com.example.alpha did not connect within 1 s: it was never started; await user.start(package_name) first"
    )
    assert str(gone.value) == (
        "com.example.alpha did not connect within 1 s: the phone is not connected; await user.connect() first"
    )


async def test_subscriptions_that_do_not_fit_are_told(autojump_clock: MockClock) -> None:
    async with open_stage(Echo().app) as stage:
        await stage.user.start(PACKAGE)
        with pytest.raises(ExpectationError) as caught:
            await stage.user.wait_subscribed(PACKAGE, lambda app: app.subscriptions.matches("button_press"), within=2)

    assert str(caught.value) == (
        "com.example.app did not subscribe as wanted within 2 s: it runs and subscribes to transcription:auto, "
        "augmentos:*"
    )


async def test_a_dropped_app_that_is_given_up_ends_the_drop(autojump_clock: MockClock) -> None:
    async with open_stage(Echo().app) as stage:
        await stage.user.start(PACKAGE)
        await stage.user.wait_listener()
        begin = trio.current_time()
        with pytest.raises(ExpectationError) as caught:
            await stage.user.drop(PACKAGE, refuse_for=60)

        assert trio.current_time() - begin == pytest.approx(11, abs=0.1)
    assert str(caught.value) == (
        "com.example.app did not come back: it does not run, because it was stopped, or its start failed"
    )


async def test_a_drop_has_ten_seconds_after_connects_are_taken_again(autojump_clock: MockClock) -> None:
    async with open_stage(Echo().app) as stage:
        await stage.user.start(PACKAGE)
        await stage.user.wait_listener()
        await stage.user.drop(PACKAGE, refuse_for=4)

        assert stage.user.state_of(PACKAGE) is AppState.RUNNING


async def test_a_wait_without_a_limit_is_asked_for(autojump_clock: MockClock) -> None:
    async with world() as here, trio.open_nursery() as nursery:
        with trio.move_on_after(500) as patience:
            await here.user.wait_attached(ALPHA, within=math.inf)
        assert patience.cancelled_caught

        @nursery.start_soon
        async def come() -> None:
            await trio.sleep(100)
            await here.start()

        await here.user.wait_attached(ALPHA, within=math.inf)


async def test_a_cloud_that_forgets_the_session_is_no_end(autojump_clock: MockClock) -> None:
    """The phone may come back, and the app with it."""
    async with open_stage(Echo().app) as stage, trio.open_nursery() as nursery:
        await stage.user.start(PACKAGE)
        await stage.user.wait_listener()
        stage.cloud.crash()

        @nursery.start_soon
        async def come_back() -> None:
            await trio.sleep(3)
            stage.cloud.resume()
            await stage.user.connect()

        await stage.user.wait_listener(within=60)


async def shows_columns(session: MentraSession) -> None:
    await session.display.show_double_text_wall("the left text goes on below", "and so does the right one")


async def test_a_text_is_expected_on_the_glasses(autojump_clock: MockClock) -> None:
    async with open_stage(Echo().app) as stage:
        await stage.user.start(PACKAGE)
        screen = await stage.glasses.expect("Hello")
        await stage.user.wait_listener()
        assert await stage.user.say("good morning") == {PACKAGE}

        assert screen.text == "Hello"
        assert (await stage.glasses.expect("good morning", within=0.6)).package_name == PACKAGE


async def test_the_systems_own_screens_are_none_that_are_expected(autojump_clock: MockClock) -> None:
    """Each app begins with one that holds its name."""
    app = make_app()
    app.on_session(returns)
    async with open_stage(app) as stage:
        await stage.user.start(PACKAGE)
        for text in ("example", "Starting App"):
            with pytest.raises(ExpectationError):
                await stage.glasses.expect(text, within=0.5)

        assert [screen.is_system for screen in stage.glasses.history] == [False, True]


async def test_an_expectation_says_what_the_glasses_show_instead(autojump_clock: MockClock) -> None:
    async with open_stage(Echo().app) as stage:
        await stage.user.start(PACKAGE)
        await stage.glasses.expect("Hello")
        begin = trio.current_time()
        with pytest.raises(ExpectationError) as text:
            await stage.glasses.expect("Goodbye")
        with pytest.raises(ExpectationError) as fitting:
            await stage.glasses.wait_for(lambda screen: screen.text == "Goodbye")

        assert trio.current_time() - begin == pytest.approx(15)
    assert str(text.value) == "expected 'Goodbye' within 5 s; the glasses show 'Hello'"
    assert str(fitting.value) == "expected another screen within 10 s; the glasses show 'Hello'"


async def test_a_deadline_of_the_caller_comes_first(autojump_clock: MockClock) -> None:
    async with open_stage(Echo().app) as stage:
        with pytest.raises(trio.TooSlowError), trio.fail_after(1):
            await stage.glasses.expect("Hello")
        with trio.move_on_after(100) as patience:
            await stage.glasses.wait_for(lambda screen: screen.text == "Hello", within=math.inf)

        assert patience.cancelled_caught


async def test_an_expectation_tells_of_an_app_that_does_not_run(autojump_clock: MockClock) -> None:
    app = make_app()
    app.on_session(fails)
    async with open_stage(app) as stage:
        await stage.user.start(PACKAGE)
        with pytest.raises(ExpectationError) as caught:
            await stage.glasses.expect("Hello")

    assert str(caught.value) == (
        "expected 'Hello' within 5 s; the glasses show nothing; com.example.app does not run, because it gave its "
        "session up: its handler raised too often, or it called session.end(); its log tells which"
    )


async def test_an_expectation_tells_of_words_that_nobody_heard(autojump_clock: MockClock) -> None:
    app = make_app()
    app.on_session(listens_to_german)
    async with open_stage(app) as stage:
        await stage.user.start(PACKAGE)
        await stage.user.wait_listener("de-DE")
        assert await stage.user.say("good morning") == frozenset()
        with pytest.raises(ExpectationError) as unheard:
            await stage.glasses.expect("good morning")
        assert await stage.user.say("guten Morgen", language="de-DE") == {PACKAGE}
        with pytest.raises(ExpectationError) as heard:
            await stage.glasses.expect("guten Morgen", within=2)

    assert str(unheard.value) == (
        "expected 'good morning' within 5 s; the glasses show nothing; nobody heard 'good morning': com.example.app "
        "runs and listens to de-DE; say which with language='de-DE'"
    )
    assert str(heard.value) == "expected 'guten Morgen' within 2 s; the glasses show nothing"


async def test_a_text_may_be_that_of_one_column(autojump_clock: MockClock) -> None:
    app = make_app()
    app.on_session(shows_columns)
    async with open_stage(app) as stage:
        await stage.user.start(PACKAGE)
        await stage.glasses.expect("the left text goes on below")
        screen = await stage.glasses.expect("and so does the right one")

    assert screen.columns == ("the left text goes on below", "and so does the right one")
    assert screen.lines == ("the left text goes on   and so does the right", "below                   one")


def test_an_expectation_that_fails_is_a_failed_assertion() -> None:
    assert issubclass(ExpectationError, AssertionError)


async def test_a_phone_that_is_away_is_told(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        with pytest.raises(ExpectationError, match="the phone is not connected") as caught:
            await here.user.wait_listener(within=1)
        assert str(caught.value).startswith("nobody came to listen to en-US within 1 s")
        with pytest.raises(ExpectationError) as blank:
            await here.user.glasses.expect("anything", within=1)

    assert "does not run" not in str(blank.value)
