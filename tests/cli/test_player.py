"""Commands and their effects, in memory, on the virtual clock."""

import logging
import math
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from mentra_trio import (
    DeviceUnavailableError,
    EventStream,
    LinkState,
    MentraError,
    MentraSession,
    MiniAppServer,
    PhotoError,
    RestartPolicy,
)
from mentra_trio.cli.commands import (
    Action,
    Battery,
    Declare,
    Dismiss,
    Drop,
    Expect,
    Head,
    Help,
    Move,
    Notify,
    Plan,
    Press,
    Say,
    Set,
    Snap,
    Start,
    Stats,
    Stop,
    Stored,
    Wait,
    Wear,
    Zone,
)
from mentra_trio.cli.commands import Quit as QuitCommand
from mentra_trio.cli.parsing import parse
from mentra_trio.cli.player import CommandFailedError, Player
from mentra_trio.models import CalendarEvent, Dismissal, LocationFix, Notification
from mentra_trio.models.device import HeadPosition, PressType
from mentra_trio.simulator import AppState
from mentra_trio.simulator.glasses import describe
from tests.cli.stage import PACKAGE, Echo, make_app, open_stage


async def play(player: Player, *lines: str) -> str:
    """Play lines; return the last answer."""
    answer = ""
    for line in lines:
        command = parse(line)
        assert command is not None
        assert not isinstance(command, QuitCommand)
        answer = await player.play(command)
        # What was sent still has to arrive.
        await trio.testing.wait_all_tasks_blocked()
    return answer


async def fail(player: Player, line: str) -> str:
    """Play a line that cannot be done; return what is told."""
    with pytest.raises(CommandFailedError) as caught:
        await play(player, line)
    return str(caught.value)


async def test_a_finished_sentence_reaches_the_app_and_its_answer_the_glasses(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start", "expect Hello", "say good morning", "expect Heard: good morning")

        assert echo.heard == ["good morning"]


async def test_a_partial_is_one_interim_of_the_sentence_that_the_next_say_finishes(autojump_clock: MockClock) -> None:
    app = make_app()
    got: list[tuple[str, bool, str | None]] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        async with session.transcription.stream() as speech:
            async for line in speech:
                got.append((line.text, line.is_final, line.utterance_id))  # noqa: PERF401 - a comprehension shows nothing before its end

    async with open_stage(app) as stage:
        await play(stage.player, "start", "say --partial good mor", "say good morning")

        assert got[0][:2] == ("good mor", False)
        assert got[-1][:2] == ("good morning", True)
        assert len({utterance for _, _, utterance in got}) == 1


async def test_what_is_said_waits_for_an_app_that_takes_its_time_to_listen(autojump_clock: MockClock) -> None:
    app = make_app()
    heard: list[str] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await trio.sleep(9)
        async with session.transcription.stream(interim=False) as speech:
            async for line in speech:
                heard.append(line.text)  # noqa: PERF401 - a comprehension shows nothing before its end

    async with open_stage(app) as stage:
        await play(stage.player, "start", "say at last")

        assert heard == ["at last"]


async def test_an_app_that_does_not_listen_within_ten_seconds_is_an_error(autojump_clock: MockClock) -> None:
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await session.display.show_text_wall("deaf")

    async with open_stage(app) as stage:
        await play(stage.player, "start")
        before = trio.current_time()

        assert "did not listen to speech for 10 s" in await fail(stage.player, "say hello")
        assert trio.current_time() - before == pytest.approx(10)


async def test_an_app_that_ends_while_it_is_waited_for_is_an_error_at_once(autojump_clock: MockClock) -> None:
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await trio.sleep(2)
        await session.end()

    async with open_stage(app) as stage:
        await play(stage.player, "start")

        assert await fail(stage.player, "say hello") == "the app ended its session itself; 'start' starts it again"
        assert trio.current_time() < 5
        assert stage.player.link == "ended by the app"


async def test_speech_is_in_a_language_that_the_app_listens_to(autojump_clock: MockClock) -> None:
    app = make_app()
    languages: list[str | None] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        async with session.transcription.stream("fr", "de", interim=False) as speech:
            async for line in speech:
                languages.append(line.language)  # noqa: PERF401 - a comprehension shows nothing before its end

    async with open_stage(app) as stage:
        await play(stage.player, "start", "say bonjour")

        assert len(languages) == 1
        assert languages[0] in {"fr", "fr-FR"}


async def test_an_app_that_stops_listening_in_the_middle_of_a_sentence_is_told(autojump_clock: MockClock) -> None:
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        async with session.transcription.stream():
            await trio.sleep(0.5)

    async with open_stage(app) as stage:
        await play(stage.player, "start")
        stage.cloud.quirks.poison = False

        assert "the app did not hear it" in await fail(stage.player, "say one two three four five six seven")


@pytest.mark.parametrize("seconds", ["", "0.5", "3", "4.9"])
async def test_a_dropped_app_is_back_with_its_handler_and_hears_all_that_follows(
    autojump_clock: MockClock, seconds: str
) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start", "say before", f"drop {seconds}", "say after")

        assert echo.heard == ["before", "after"]
        assert echo.runs == 1
        session = echo.app.session_for(stage.user.user_id)
        assert session is not None
        assert session.connections == 2


async def test_a_drop_beyond_the_grace_of_the_cloud_ends_in_a_resurrection_of_the_same_handler_run(
    autojump_clock: MockClock,
) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start", "say before", "drop 8", "say after")

        assert echo.heard == ["before", "after"]
        assert echo.runs == 1


async def test_a_drop_beyond_all_patience_of_the_cloud_is_an_error(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start")
        before = trio.current_time()

        assert "did not come back in time" in await fail(stage.player, "drop 30")
        assert trio.current_time() - before == pytest.approx(11, abs=0.5)
        assert stage.player.status.startswith("stopped")


async def test_after_a_failed_drop_each_command_tells_the_truth_and_start_helps_at_once(
    autojump_clock: MockClock,
) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start", "say before")

        assert await fail(stage.player, "drop 20") == (
            "the app did not come back in time: the cloud started it again after 5 s without it, and gave up 6 s "
            "later, which ended its session; connections are accepted again, so a new run begins in a few seconds, or "
            "at once with 'start'"
        )
        assert stage.player.link == "stopped"
        assert await fail(stage.player, "say into the void") == "the app does not run; 'start' starts it"
        assert "connections" in await play(stage.player, "stats")
        assert stage.player.link == "stopped"
        before = trio.current_time()
        assert await play(stage.player, "start") == ""
        assert trio.current_time() - before < 1
        await play(stage.player, "say after")

        assert stage.player.link == "connected"
        assert echo.heard == ["before", "after"]


@pytest.mark.parametrize("pause", [0, 0.3, 1, 2, 4, 5, 6, 8, 12, 30])
async def test_a_start_helps_at_any_time_after_a_failed_drop(autojump_clock: MockClock, pause: float) -> None:
    """The app tries to come back meanwhile, is refused, and by that makes the cloud start it (P1 2.10)."""
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start")
        with pytest.raises(CommandFailedError):
            await stage.player.play(Drop(20))
        await stage.player.play(Wait(pause))
        await stage.player.play(Start())
        await stage.player.play(Say("after"))
        await trio.testing.wait_all_tasks_blocked()

        assert echo.heard == ["after"]
        for line in ("drop 2", "say once more", "stop"):
            await play(stage.player, line)
        assert echo.heard == ["after", "once more"]


async def test_a_run_that_nobody_asked_for_is_told(autojump_clock: MockClock) -> None:
    """The cloud starts an app again that it has given up; its handler begins anew."""
    echo = Echo()
    news: list[str] = []
    async with open_stage(echo.app) as stage, trio.open_nursery() as nursery:

        async def watch() -> None:
            while True:
                news.append(await stage.player.wait_new_run())

        nursery.start_soon(watch)
        await play(stage.player, "start", "say one", "drop 2", "say two", "stop", "start", "say three")
        assert news == []
        await fail(stage.player, "drop 20")
        await play(stage.player, "wait 10")

        assert news == ["the cloud has started the app again: a new run, with a handler that begins anew"]
        assert stage.player.link == "connected"
        assert echo.runs == 3
        assert await play(stage.player, "start") == "the app runs already"
        await play(stage.player, "stop", "start", "say four")
        assert len(news) == 1
        nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class Fragile:
    """An app that raises when it hears "boom", or always."""

    app: MiniAppServer = attrs.field(factory=make_app)
    restart: RestartPolicy | None = None
    always: bool = False
    runs: int = 0

    def __attrs_post_init__(self) -> None:
        if self.restart is not None:
            self.app = MiniAppServer(package_name=PACKAGE, api_key="key", restart=self.restart)
        self.app.on_session(self._handle)

    async def _handle(self, session: MentraSession) -> None:
        self.runs += 1
        await session.display.show_text_wall(f"Run {self.runs}")
        if self.always:
            raise ValueError("always")
        async with session.transcription.stream(interim=False) as speech:
            async for line in speech:
                if line.text == "boom":
                    raise ValueError("the handler failed")
                await session.display.show_text_wall(f"Heard: {line.text}")


async def test_a_crash_is_noted_and_the_next_words_wait_for_the_restart(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    fragile = Fragile()
    async with open_stage(fragile.app) as stage:
        await play(stage.player, "start", "say boom", "say again", "expect Heard: again")

        assert [crash.restart_in for crash in stage.player.crashes] == [0.5]
        assert stage.news == [""]
        assert stage.player.link == "connected"


async def test_an_app_that_was_given_up_is_told_until_it_is_started_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    fragile = Fragile(always=True)
    async with open_stage(fragile.app) as stage:
        await play(stage.player, "start", "wait 10")

        told = "the app crashed 4 times and was given up; 'start' starts it again"
        assert stage.news == ["", "", "", told]
        assert stage.player.link == "crashed"
        assert await fail(stage.player, "say hello") == told
        assert await fail(stage.player, "drop") == told
        assert await play(stage.player, "stop") == "the app crashed 4 times and was given up"
        assert (await fail(stage.player, "expect x within 0")).endswith("and the app crashed 4 times and was given up")
        assert await play(stage.player, "stats") == "the app has no session"

        fragile.always = False
        await play(stage.player, "start", "say hello", "expect Heard: hello", "stop")
        assert await fail(stage.player, "say hello") == "the app does not run; 'start' starts it"
        assert stage.player.link == "stopped"


async def test_an_app_without_restarts_crashed_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    fragile = Fragile(restart=RestartPolicy(max_restarts=0))
    async with open_stage(fragile.app) as stage:
        await play(stage.player, "start", "say boom")

        assert stage.news == ["the app crashed once and was given up; 'start' starts it again"]


async def test_an_app_that_crashes_for_good_during_a_drop_is_told(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    app = MiniAppServer(package_name=PACKAGE, api_key="key", restart=RestartPolicy(max_restarts=0))

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await session.link_state.wait_for(lambda state: state is LinkState.RECONNECTING)
        raise ValueError("no link")

    async with open_stage(app) as stage:
        await play(stage.player, "start")

        assert "crashed once and was given up" in await fail(stage.player, "drop 20")


async def test_a_language_that_the_app_listens_to_can_be_spoken(autojump_clock: MockClock) -> None:
    app = make_app()
    got: list[tuple[str, str | None]] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        async with session.transcription.stream("en", "de", interim=False) as speech:
            async for line in speech:
                got.append((line.text, line.language))  # noqa: PERF401 - a comprehension shows nothing before its end

    async with open_stage(app) as stage:
        await play(
            stage.player,
            "start",
            "say --language de guten Tag",
            "say good day",
            "say --partial --language de auf",
            "say --language de-DE auf bald",
        )
        assert [(text, (language or "")[:2]) for text, language in got] == [
            ("guten Tag", "de"),
            ("good day", "en"),
            ("auf bald", "de"),
        ]
        before = trio.current_time()
        assert await fail(stage.player, "say --language fr bonjour") == (
            "the app did not listen to fr-FR for 10 s; it listens to en-US, de-DE"
        )
        assert trio.current_time() - before == pytest.approx(10)


async def test_an_app_that_detects_the_language_hears_all_of_them(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start", "say --language ja おはよう")

        assert echo.heard == ["おはよう"]


async def test_buttons_and_the_head_reach_the_app(autojump_clock: MockClock) -> None:
    app = make_app()
    got: list[object] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await trio.sleep(3)

        async def watch_head() -> None:
            async with session.device.head.stream() as moves:
                async for move in moves:
                    got.append(move.position)  # noqa: PERF401 - a comprehension shows nothing before its end

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_head)
            async with session.device.buttons.stream() as presses:
                async for press in presses:
                    got.append((press.button_id, press.press_type))
                    assert press.pressed_at is not None

    async with open_stage(app) as stage:
        await play(stage.player, "start", "press", "press long", "press camera", "head up", "head down")

        assert got == [
            ("main", PressType.SHORT),
            ("main", PressType.LONG),
            ("camera", PressType.SHORT),
            HeadPosition.UP,
            HeadPosition.DOWN,
        ]
        await play(stage.player, "drop 1", "press back long")
        assert got[-1] == ("back", PressType.LONG)


async def test_the_phone_its_place_and_its_zone_reach_the_app(autojump_clock: MockClock) -> None:
    app = make_app()
    got: list[object] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        async def follow(stream: EventStream[object]) -> None:
            async with stream:
                async for each in stream:
                    got.append(each)  # noqa: PERF401 - a comprehension shows nothing before its end

        phone, location, zones = session.phone, session.location, session.time.zone.changes()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, phone.notifications.stream())
            nursery.start_soon(follow, phone.dismissals.stream())
            nursery.start_soon(follow, phone.calendar.stream())
            nursery.start_soon(follow, location.stream())
            async for zone in zones:
                got.append(zone)  # noqa: PERF401 - likewise

    async with open_stage(app) as stage:
        await play(stage.player, "start")
        assert await fail(stage.player, "dismiss") == (
            "there is no notification on the phone; notify APP TITLE TEXT makes one"
        )
        begin = stage.cloud.now()
        await play(stage.player, "notify Messages Bob I am late", "notify Mail Ann Hello", "dismiss", "dismiss")
        await play(stage.player, "event Stand up in 10", "move 52.5 13.25 8", "zone Asia/Tokyo")

        match got:
            case [
                Notification(app="Messages", title="Bob", content="I am late"),
                Notification(app="Mail", title="Ann"),
                Dismissal(title="Ann"),
                Dismissal(title="Bob"),
                CalendarEvent(title="Stand up") as entry,
                LocationFix(lat=52.5, lng=13.25, accuracy=8),
                ZoneInfo(key="Asia/Tokyo"),
            ]:
                assert (entry.start - begin, entry.end - begin) == (timedelta(minutes=10), timedelta(minutes=40))
            case _:
                pytest.fail(repr(got))


async def test_an_app_that_does_not_listen_to_the_phone_is_told_how(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start")

        assert "'async with session.phone.notifications.stream() as notifications:'" in await fail(
            stage.player, "notify Messages Bob hi"
        )


async def test_an_app_of_translations_alone_is_spoken_to(autojump_clock: MockClock) -> None:
    app = make_app()
    got: list[str] = []
    target = "es"

    @app.on_session
    async def handle(session: MentraSession) -> None:
        async with session.translation.to(target).stream(interim=False) as lines:
            async for line in lines:
                got.append(line.text)  # noqa: PERF401 - a comprehension shows nothing before its end

    async with open_stage(app) as stage:
        await play(stage.player, "start", "say hello", "say --translation buenas evening", "say --partial nothing yet")
        assert got == ["[es-ES] hello", "buenas"]
        assert "it listens to translation:all-to-es-ES" in await fail(stage.player, "say --language es hola")
        await play(stage.player, "stop")
        target = "en"
        await play(stage.player, "start", "say hola")
        assert got[-1] == "[en-US] hola"


async def test_an_app_that_does_not_listen_to_buttons_or_the_head_is_told_how(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        assert await fail(stage.player, "press") == "the app does not run; 'start' starts it"
        await play(stage.player, "start")
        before = trio.current_time()

        assert await fail(stage.player, "press") == (
            "the app did not listen to buttons for 10 s; it does so inside "
            "'async with session.device.buttons.stream() as presses:'"
        )
        assert trio.current_time() - before == pytest.approx(10)
        assert "'async with session.device.head.stream() as moves:'" in await fail(stage.player, "head up")


async def test_each_verb_that_needs_the_app_says_that_it_does_not_run(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        for line in ("say hello", "drop", "drop 3", "press", "head up"):
            assert await fail(stage.player, line) == "the app does not run; 'start' starts it"

        assert await play(stage.player, "stop") == "the app does not run"
        await play(stage.player, "start", "stop")
        for line in ("say hello", "drop"):
            assert await fail(stage.player, line) == "the app does not run; 'start' starts it"


async def test_starting_and_stopping_twice_changes_nothing(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        assert await play(stage.player, "start") == ""
        assert await play(stage.player, "start") == "the app runs already"
        assert await play(stage.player, "stop") == ""
        assert await play(stage.player, "stop") == "the app does not run"
        assert echo.runs == 1


async def test_a_stopped_and_started_app_runs_anew_and_hears(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start", "say one", "stop", "start", "say two", "expect Heard: two")

        assert echo.runs == 2
        assert echo.heard == ["one", "two"]


async def test_an_app_that_ended_its_session_can_be_started_again(autojump_clock: MockClock) -> None:
    app = make_app()
    runs: list[str] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        runs.append(session.run_id)
        await session.end()

    async with open_stage(app) as stage:
        await play(stage.player, "start", "wait 1")
        assert stage.player.link == "ended by the app"
        assert await play(stage.player, "stop") == "the app ended its session itself"

        await play(stage.player, "start", "wait 1")
        assert len(set(runs)) == 2


async def test_a_stop_waits_for_an_app_that_is_on_its_way_back(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start")
        stage.user.socket(PACKAGE).cut()
        await trio.testing.wait_all_tasks_blocked()
        assert stage.player.status.startswith("connection lost")

        assert await play(stage.player, "stop") == ""
        assert stage.user.state_of(PACKAGE) is AppState.STOPPED


class Yes:
    """An app's server that takes every webhook and does nothing."""

    async def post(self, url: str, body: bytes) -> int | None:
        await trio.lowlevel.checkpoint()
        return 200


async def test_an_app_that_takes_the_start_and_does_not_connect_is_told(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        stage.cloud.webhooks = Yes()

        assert await fail(stage.player, "start") == "the app did not start: it did not connect within 6 s"


async def test_an_app_that_does_not_take_the_start_is_told(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    echo = Echo()
    async with open_stage(echo.app) as stage:
        stage.cloud.origin = "ws://127.0.0.1:1"  # not allow-listed

        assert await fail(stage.player, "start") == "the app did not start: its server did not take the start, twice"


async def test_a_server_that_does_not_answer_a_stop_is_told(autojump_clock: MockClock) -> None:
    class Silent:
        async def post(self, url: str, body: bytes) -> int | None:
            await trio.sleep_forever()

    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start")
        stage.cloud.webhooks = Silent()

        assert "its server does not answer" in await fail(stage.player, "stop")
        assert stage.player.link == "stopping"


async def test_a_dropped_app_that_is_not_acknowledged_any_more_is_told(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start")
        stage.cloud.faults.ack_delay = math.inf

        assert "was not back 30 s after" in await fail(stage.player, "drop")


async def test_an_unknown_fault_of_a_start_is_told_in_the_words_of_the_cloud(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        del stage.cloud.store.apps[PACKAGE]

        assert "UNKNOWN_APP" in await fail(stage.player, "start")


async def test_battery_and_settings_reach_the_app(autojump_clock: MockClock) -> None:
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        state = await session.device.state.wait_for(lambda state: state.battery_level == 12)
        await session.settings.values.wait_for(lambda values: "name" in values)
        await session.display.show_text_wall(f"{state.battery_level} {session.settings.get('name', '')}")

    async with open_stage(app) as stage:
        await play(stage.player, "start", "battery 12", 'set name "Ada Lovelace"', "expect 12 Ada Lovelace")


async def test_a_setting_that_was_changed_before_the_start_is_there_from_the_start(autojump_clock: MockClock) -> None:
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await session.display.show_text_wall(f"{session.settings.get('limit', 0)}")

    async with open_stage(app) as stage:
        await play(stage.player, "set limit 5", "start", "expect 5")


async def test_more_battery_levels_than_the_cloud_takes_in_a_second_all_arrive(autojump_clock: MockClock) -> None:
    app = make_app()
    levels: list[int | None] = []

    @app.on_session
    async def handle(session: MentraSession) -> None:
        async for state in session.device.state.changes():
            levels.append(state.battery_level)  # noqa: PERF401 - a comprehension shows nothing before its end

    async with open_stage(app) as stage:
        await play(stage.player, "start", *(f"battery {level}" for level in range(25)))
        await trio.testing.wait_all_tasks_blocked()

        assert levels[-1] == 24
        assert trio.current_time() < 4


async def test_an_expectation_that_is_met_takes_no_longer_than_that(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start")
        before = trio.current_time()
        await play(stage.player, "expect Hello within 60")

        assert trio.current_time() - before < 2
        await play(stage.player, "expect Hello within 0")


async def test_an_expectation_that_is_not_met_says_what_the_glasses_show_instead(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        assert await fail(stage.player, "expect x within 0") == (
            "expected 'x' within 0 s; the glasses show nothing, and the app does not run"
        )
        await play(stage.player, "start", "expect Hello")
        before = trio.current_time()

        assert await fail(stage.player, "expect Goodbye within 2.5") == (
            "expected 'Goodbye' within 2.5 s; the glasses show 'Hello'"
        )
        assert trio.current_time() - before == pytest.approx(2.5)


async def test_a_text_is_found_in_one_line_and_across_lines(autojump_clock: MockClock) -> None:
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await session.display.show_text_wall("first line\n\nthird " + "word " * 20)

    async with open_stage(app) as stage:
        await play(
            stage.player,
            "start",
            "expect first line",
            "expect line third",  # empty lines left out
            'expect "line  third"',  # all lines, as the issue has it
            "expect " + "word " * 19 + "word",  # wrapped
        )
        assert len(stage.glasses.lines) > 3
        await fail(stage.player, "expect " + "word " * 21)


async def test_spaces_between_columns_need_not_be_counted(autojump_clock: MockClock) -> None:
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await session.display.show_double_text_wall("New York\nOslo", "1\n2")

    async with open_stage(app) as stage:
        await play(stage.player, "start", 'expect "New York 1"', 'expect "New   York  1 Oslo 2"', 'expect " 2"')
        assert stage.glasses.lines[0] == f"New York{' ' * 16}1"
        await fail(stage.player, "expect NewYork within 0")


async def test_the_card_of_an_app_that_starts_is_nothing_that_it_shows(autojump_clock: MockClock) -> None:
    """It holds the name of the app, which a script is likely to look for."""
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await trio.lowlevel.checkpoint()

    async with open_stage(app) as stage:
        await play(stage.player, "start")

        assert stage.glasses.lines == ("// MentraOS - Starting App", "com.example.app")
        assert await fail(stage.player, "expect example within 1") == (
            "expected 'example' within 1 s; the glasses show '// MentraOS - Starting App' / 'com.example.app'"
        )
        assert "Starting" in await fail(stage.player, "expect MentraOS within 0")


async def test_a_text_in_a_column_is_found_whole(autojump_clock: MockClock) -> None:
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await session.display.show_double_text_wall("a text that goes on below", "and the other of the two")

    async with open_stage(app) as stage:
        await play(stage.player, "start", "expect a text that goes on below", "expect and the other of the two")


async def test_a_text_that_is_shown_for_a_moment_counts(autojump_clock: MockClock) -> None:
    app = make_app()

    @app.on_session
    async def handle(session: MentraSession) -> None:
        await trio.sleep(3)
        await session.display.show_text_wall("now")
        await trio.sleep(0.4)
        await session.display.show_text_wall("gone")

    async with open_stage(app) as stage:
        await play(stage.player, "start", "expect now", "expect gone")


@pytest.mark.parametrize(
    "text",
    [
        "日本語のテスト",
        "ça va? Ünïcödé 👋🏽",
        "שלום עולם",
        "a" * 2000,
        "word " * 2000,
        "a\u2028b",
        "back\\\\slash",
    ],
)
async def test_whatever_is_said_arrives(autojump_clock: MockClock, text: str) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start")
        await stage.player.play(Say(text.strip(" ")))
        await trio.testing.wait_all_tasks_blocked()
        heard = echo.heard[0] if echo.heard else ""

        assert heard.split() == text.split()


async def test_statistics_list_what_is_not_zero_and_what_the_app_did_wrong(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        assert await play(stage.player, "stats") == "the app has no session"
        await play(stage.player, "start", "say hello", "drop")
        rows = await play(stage.player, "stats")
        stage.cloud.mode = stage.cloud.mode.FAITHFUL
        stage.cloud.report(PACKAGE, "P1 0", "it misbehaved")

        counted = dict(row.split()[:2] for row in rows.splitlines()[:-1])
        assert counted["connections"] == "2"
        assert "0" not in counted.values()
        assert "streams.open.0.received" in counted
        assert "it misbehaved (P1 0)" in await play(stage.player, "stats")


async def test_help_explains_and_changes_nothing(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        assert "drop [SECONDS]" in await play(stage.player, "help")
        assert (await play(stage.player, "help drop")).startswith("drop [SECONDS]\n")


async def test_the_status_tells_link_and_battery(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        player = stage.player
        assert player.status == "not started, 100 %"
        seen: list[str] = []

        async def watch() -> None:
            while True:
                seen.append(player.status)
                await player.wait_status(seen[-1])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await play(player, "start", "battery 7", "drop 8", "stop", "start")
            nursery.cancel_scope.cancel()

        assert seen[0] == "not started, 100 %"
        for status in (
            "starting, 100 %",
            "connected, 100 %",
            "connected, 7 %",
            "connection lost, 7 %",
            "restarting, 7 %",
        ):
            assert status in seen or status == "restarting, 7 %"
        assert "stopped, 7 %" in seen
        assert seen[-1] == "connected, 7 %"


async def test_the_status_of_an_app_that_waits_for_its_ack_is_connecting(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        stage.cloud.faults.ack_delay = 2.0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(play, stage.player, "start")
            await trio.sleep(1)

            assert stage.player.link == "connecting"


def test_what_is_empty_is_nothing() -> None:
    assert describe(()) == "nothing"
    assert describe(("", "")) == "nothing"
    assert describe(("a", "b'c")) == "'a' / \"b'c\""


@pytest.mark.parametrize(
    "command",
    [
        Say("x"),
        Press(),
        Head(HeadPosition.UP),
        Notify("Messages", "Bob", "hi"),
        Dismiss(),
        Plan("Standup"),
        Move(1, 2),
        Zone("Asia/Tokyo"),
        Drop(),
        Drop(2),
        Stop(),
        Start(),
        Battery(3),
        Set("k", 1),
        Expect("x"),
        Wait(1),
        Stored(),
        Declare(),
        Stats(),
        Help(),
    ],
    ids=lambda command: type(command).__name__,
)
async def test_every_command_can_be_cancelled_at_once_and_the_next_one_works(
    autojump_clock: MockClock, command: Action
) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        await play(stage.player, "start")
        with trio.move_on_after(0) as scope:
            await stage.player.play(command)

        assert scope.cancelled_caught
        await play(stage.player, "start", "say still there")
        assert echo.heard[-1] == "still there"


async def test_photos_are_what_the_command_says(autojump_clock: MockClock, tmp_path: Path) -> None:
    picture = tmp_path / "tree.jpg"
    picture.write_bytes(b"a tree")
    sizes: list[object] = []
    app = make_app()

    @app.on_session
    async def shoot(session: MentraSession) -> None:
        while True:
            try:
                sizes.append((await session.camera.take_photo()).data)
            except MentraError as error:
                sizes.append(error)
            await trio.sleep(60)

    async with open_stage(app) as stage:
        await stage.player.play(Start())
        await stage.player.play(Wait(1))  # the first photo, without a camera
        await stage.player.play(Wear("Mentra Live"))
        for command in (Snap(path=str(picture)), Snap(code="BATTERY_LOW")):
            await stage.player.play(command)
            await stage.player.play(Wait(65))  # past the next photo, and not at the same time as it
        with pytest.raises(CommandFailedError, match="cannot be read"):
            await stage.player.play(Snap(path=str(tmp_path / "none.jpg")))

    assert isinstance(sizes[0], DeviceUnavailableError)
    assert sizes[1] == b"a tree"
    assert isinstance(sizes[2], PhotoError)


async def test_the_glasses_tell_about_themselves_and_the_system_about_its_settings(autojump_clock: MockClock) -> None:
    app = make_app()
    sessions: list[MentraSession] = []

    @app.on_session
    async def stay(session: MentraSession) -> None:
        sessions.append(session)
        async for _ in session.settings.system.changes():
            pass  # until the session is over

    async with open_stage(app) as stage:
        await play(stage.player, "start", "device charging true", "device wifi_connected false", "device caseOpen true")
        await play(stage.player, "system metric_system true")

        state = sessions[0].device.state.value
        assert (state.charging, state.wifi_connected, state.case_open) == (True, False, True)
        assert sessions[0].settings.system.value.metric_system_enabled
        with pytest.raises(CommandFailedError, match="glasses have no 'charged', perhaps 'charging'; they have "):
            await play(stage.player, "device charged true")


async def test_what_the_system_tells_waits_until_an_app_that_comes_up_listens(autojump_clock: MockClock) -> None:
    app = make_app()
    sessions: list[MentraSession] = []

    @app.on_session
    async def stay(session: MentraSession) -> None:
        sessions.append(session)
        await trio.sleep_forever()

    async with open_stage(app) as stage, trio.open_nursery() as nursery:
        nursery.start_soon(stage.player.play, Start())
        await stage.cloud.wait_until(lambda: stage.player.session is not None and stage.player.session.is_attached)
        assert stage.player.session is not None
        assert not stage.player.session.is_ready  # the cloud would tell it nothing
        await stage.player.play(Zone("Asia/Tokyo"))

        assert sessions[0].time.zone.value == ZoneInfo("Asia/Tokyo")
        await play(stage.player, "stop")
        down_at = trio.current_time()
        await play(stage.player, "zone Europe/Paris")
        assert trio.current_time() == down_at  # nobody is waited for
        await play(stage.player, "start")
        assert sessions[1].time.zone.value == ZoneInfo("Europe/Paris")


async def test_what_an_app_has_stored_is_printed(autojump_clock: MockClock) -> None:
    app = MiniAppServer("com.example.app", "key")

    @app.on_session
    async def store(session: MentraSession) -> None:
        await session.storage.set("count", 3)

    async with open_stage(app) as stage:
        assert await play(stage.player, "stored") == "the app has stored nothing"
        await play(stage.player, "start")
        await play(stage.player, "wait 4")
        await play(stage.player, "stored name Ana")
        assert await play(stage.player, "stored") == "count: 3\nname: Ana"
        assert "400" in await fail(stage.player, f"stored name {'x' * 100_001}")


async def test_the_console_lists_other_permissions(autojump_clock: MockClock) -> None:
    echo = Echo()
    async with open_stage(echo.app) as stage:
        assert await play(stage.player, "permissions") == "ALL"
        await play(stage.player, "permissions camera microphone")
        assert await play(stage.player, "permissions") == "CAMERA, MICROPHONE"
        await play(stage.player, "permissions none")
        assert await play(stage.player, "permissions") == "none"


async def test_an_app_that_is_on_its_way_back_can_be_dropped_too(autojump_clock: MockClock) -> None:
    """There is nothing to cut; connects may be refused all the same."""
    async with open_stage(Echo().app) as stage:
        await stage.player.play(Start())
        stage.user.socket(PACKAGE).cut()
        await trio.testing.wait_all_tasks_blocked()
        begin = trio.current_time()
        await stage.player.play(Drop(2))

        assert stage.player.link == "connected"
        assert trio.current_time() - begin >= 2
