"""What the wearer set, with types, defaults and changes (P1 5)."""

import logging
from typing import Any, cast

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio import EventStream, SettingChange, SystemSettings
from tests.scripted_cloud import PACKAGE, Connected, connected


async def update(link: Connected, *settings: dict[str, Any], **more: object) -> None:
    await link.socket.send("settings_update", packageName=PACKAGE, settings=list(settings), **more)
    await wait_all_tasks_blocked()


async def changes(stream: EventStream[SettingChange]) -> list[SettingChange]:
    await wait_all_tasks_blocked()
    found: list[SettingChange] = []
    while stream.statistics().buffered:
        found.append(await anext(stream))
    return found


@pytest.mark.parametrize(
    ("value", "default", "result"),
    [
        ("de", "en", "de"),
        ("", "en", ""),
        (True, False, True),
        (False, True, False),
        (5, 0, 5),
        (0, 7, 0),
        (5.0, 0, 5),
        (5, 0.5, 5.0),
        (2.5, 0.5, 2.5),
        ([1, 2], [], [1, 2]),
        ([1, 2], (), (1, 2)),
        ({"a": 1}, {}, {"a": 1}),
        ("anything", None, "anything"),
        ([5], None, [5]),
    ],
)
async def test_a_value_is_given_in_the_type_of_the_default(
    autojump_clock: MockClock, value: object, default: object, result: object
) -> None:
    async with connected(settings=[{"key": "k", "value": value}]) as link:
        found = link.session.settings.get("k", default)

    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("value", "default"),
    [("5", 0), (5, "x"), (True, 0), (1, False), (2.5, 0), (True, 0.5), ("a", []), ([1], "x"), ("a", ()), (None, 3)],
)
async def test_a_value_of_another_type_gives_the_default(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, value: object, default: object
) -> None:
    async with connected(settings=[{"key": "k", "value": value}]) as link:
        assert link.session.settings.get("k", default) == default

    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == (0 if value is None else 1)


async def test_a_setting_of_another_type_is_told_in_plain_words(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(settings=[{"key": "maximum", "value": "ten"}, {"key": "names", "value": {"a": 1}}]) as link:
        assert link.session.settings.get("maximum", 5) == 5
        assert link.session.settings.get("names", [""]) == [""]

    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "the setting 'maximum' is text where the app expects a whole number; the app's default is used",
        "the setting 'names' is an object where the app expects a list; the app's default is used",
    ]


async def test_a_key_that_is_no_text_is_refused(autojump_clock: MockClock) -> None:
    key: object = 5
    async with connected() as link:
        with pytest.raises(TypeError, match="the key of a setting is text, not 5"):
            link.session.settings.get(cast("str", key), "x")


@pytest.mark.parametrize("key", [["units", "theme"], 5, None])
async def test_a_stream_of_a_key_that_is_no_text_is_refused(autojump_clock: MockClock, key: object) -> None:
    """It would wait for ever."""
    async with connected() as link:
        with pytest.raises(TypeError, match="the key of a setting is text"):
            link.session.settings.stream(cast("str", key))


async def test_a_setting_that_is_not_there_gives_the_default(autojump_clock: MockClock) -> None:
    async with connected() as link:
        assert link.session.settings.get("nothing", "x") == "x"
        assert link.session.settings.get("nothing", None) is None


async def test_the_default_of_the_console_comes_before_that_of_the_caller(autojump_clock: MockClock) -> None:
    """Until the wearer changed something, the cloud sends definitions without values (P1 5.2)."""
    async with connected(settings=[{"type": "slider", "key": "size", "label": "Size", "defaultValue": 3}]) as link:
        assert link.session.settings.get("size", 9) == 3


async def test_a_default_is_remembered_when_only_values_come(autojump_clock: MockClock) -> None:
    definitions = [
        {"type": "slider", "key": "size", "label": "Size", "defaultValue": 3},
        {"type": "toggle", "key": "loud", "label": "Loud", "defaultValue": False},
    ]
    async with connected(settings=definitions) as link:
        await update(link, {"key": "loud", "value": True})

        assert link.session.settings.values.value == {"size": 3, "loud": True}


async def test_a_change_is_told_once_although_it_comes_twice(autojump_clock: MockClock) -> None:
    """The cloud tells it over the socket and by HTTP (P1 5.1)."""
    async with connected(settings=[{"key": "k", "value": 1}]) as link, link.session.settings.stream() as stream:
        await update(link, {"key": "k", "value": 2})
        await update(link, {"key": "k", "value": 2})

        assert await changes(stream) == [SettingChange(key="k", old=1, new=2)]


async def test_each_key_that_changed_is_told(autojump_clock: MockClock) -> None:
    async with (
        connected(settings=[{"key": "a", "value": 1}, {"key": "b", "value": 1}]) as link,
        link.session.settings.stream() as everything,
        link.session.settings.stream("b", "c") as some,
    ):
        await update(link, {"key": "a", "value": 2}, {"key": "c", "value": 3})

        assert await changes(everything) == [
            SettingChange(key="a", old=1, new=2),
            SettingChange(key="b", old=1, new=None),
            SettingChange(key="c", old=None, new=3),
        ]
        assert [change.key for change in await changes(some)] == ["b", "c"]


async def test_a_change_during_a_lost_connection_is_told_with_the_next_ack(autojump_clock: MockClock) -> None:
    async with connected(settings=[{"key": "k", "value": 1}]) as link, link.session.settings.stream("k") as stream:
        await link.socket.cut()
        await link.next_socket(settings=[{"key": "k", "value": 2}])

        assert await changes(stream) == [SettingChange(key="k", old=1, new=2)]


async def test_settings_of_another_app_are_ignored(autojump_clock: MockClock) -> None:
    async with connected(settings=[{"key": "k", "value": 1}]) as link:
        await link.socket.send("settings_update", packageName="com.other", settings=[{"key": "k", "value": 2}])
        await wait_all_tasks_blocked()

        assert link.session.settings.values.value == {"k": 1}


async def test_settings_without_a_package_are_taken(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.send("settings_update", settings=[{"key": "k", "value": 2}])

        assert await link.session.settings.values.wait_for(lambda values: "k" in values) == {"k": 2}


async def test_groups_and_titles_are_no_settings(autojump_clock: MockClock) -> None:
    async with connected(
        settings=[
            {"type": "group", "title": "Looks", "key": "g"},
            {"type": "titleValue", "label": "Version", "value": "1", "key": "t"},
            {"type": "toggle", "key": "", "defaultValue": True},
        ]
    ) as link:
        assert link.session.settings.values.value == {}


@pytest.mark.parametrize("name", ["augmentos_settings_update", "mentraos_settings_update"])
async def test_system_settings_are_kept_up_to_date(autojump_clock: MockClock, name: str) -> None:
    async with connected(mentraosSettings={"brightness": 30}) as link:
        system = link.session.settings.system
        assert system.value == SystemSettings(brightness=30)
        await link.socket.send(name, settings={"brightness": 80, "userTimezone": "Europe/Berlin", "new": 1})
        await system.wait_for(lambda now: now.brightness == 80)

        assert system.value == SystemSettings(brightness=80, user_timezone="Europe/Berlin")


async def test_an_ack_without_system_settings_keeps_the_known_ones(autojump_clock: MockClock) -> None:
    async with connected(mentraosSettings={"brightness": 30}) as link:
        await link.socket.cut()
        await link.next_socket()

        assert link.session.settings.system.value.brightness == 30
