"""`config.py`: where settings come from, and what an author is told about a wrong one."""

import math
from typing import TYPE_CHECKING, TypedDict, TypeVar, cast

import attrs
import pytest

from mentra_trio.config import AppConfig, RestartPolicy, SessionConfig, app_config
from mentra_trio.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "0123456789abcdef"
NAME = "com.example.app"
ENVIRON = {
    "PACKAGE_NAME": NAME,
    "MENTRAOS_API_KEY": KEY,
    "PORT": "8080",
    "MENTRAOS_DEV": "1",
}


T = TypeVar("T", RestartPolicy, SessionConfig)


class Given(TypedDict, total=False):
    """What the author passes."""

    package_name: str | None
    api_key: str | None
    host: str | None
    port: int | None
    cloud_hosts: tuple[str, ...]
    dev: bool | None


NOTHING: Given = {"package_name": None, "api_key": None, "host": None, "port": None, "cloud_hosts": (), "dev": None}
LEAST: Given = {"package_name": NAME, "api_key": KEY}


def configure(given: Given, environ: dict[str, str]) -> AppConfig:
    every: Given = {**NOTHING, **given}
    return app_config(**every, environ=environ)


def changed(settings: T, name: str, value: object) -> T:
    """The settings with another value in one field."""
    make = cast("Callable[..., T]", type(settings))  # the checkers cannot see the types of the fields by name
    return make(**{**attrs.asdict(settings, recurse=False), name: value})


def refused(given: Given, environ: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        configure(given, environ)
    return str(caught.value)


def test_d2_what_is_not_given_comes_from_the_environment() -> None:
    assert configure({}, ENVIRON) == AppConfig(
        package_name=NAME, api_key=KEY, host="0.0.0.0", port=8080, cloud_hosts=(), dev=True
    )


def test_d2_what_is_given_wins() -> None:
    given: Given = {
        "package_name": "com.example.other",
        "api_key": "other",
        "host": "::1",
        "port": 0,
        "cloud_hosts": ("cloud.example.com",),
        "dev": False,
    }

    assert configure(given, ENVIRON) == AppConfig(
        package_name="com.example.other",
        api_key="other",
        host="::1",
        port=0,
        cloud_hosts=("cloud.example.com",),
        dev=False,
    )


def test_d2_there_are_defaults_for_what_is_not_the_apps_own() -> None:
    assert configure(LEAST, {}) == AppConfig(
        package_name=NAME, api_key=KEY, host="0.0.0.0", port=7010, cloud_hosts=(), dev=False
    )


def test_an_empty_variable_is_an_unset_one() -> None:
    environ = {"PORT": "", "MENTRAOS_DEV": ""}

    assert configure(LEAST, environ) == configure(LEAST, {})


def test_the_real_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGE_NAME", "com.example.from.environ")
    monkeypatch.setenv("MENTRAOS_API_KEY", KEY)

    assert app_config(**NOTHING).package_name == "com.example.from.environ"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("two words", "is 'two words', which holds white space"),
        ("com.example.\napp", "which holds white space"),
        ("com.example.äpp", "is 'com.example.äpp', which holds characters other than ASCII"),
        ("com.example.\x00app", "which holds characters other than ASCII"),
        ("", "package_name is missing"),
    ],
)
@pytest.mark.parametrize("is_given", [True, False])
def test_a_wrong_package_name_is_shown_and_says_where_it_comes_from(name: str, fault: str, is_given: bool) -> None:
    given: Given = {"package_name": name if is_given else None, "api_key": KEY}

    text = refused(given, {} if is_given else {"PACKAGE_NAME": name})

    assert fault in text
    assert not name or repr(name) in text
    assert "MiniAppServer(package_name='com.example.app')" in text
    assert "PACKAGE_NAME" in text
    assert "MentraOS console" in text


def test_a_package_name_that_is_set_nowhere_is_asked_for() -> None:
    assert refused({"api_key": KEY}, {}) == (
        "package_name is missing; pass MiniAppServer(package_name='com.example.app') or set PACKAGE_NAME to the name "
        "registered in the MentraOS console"
    )


@pytest.mark.parametrize("key", [None, "", "   ", "\n"])
def test_a_missing_key_is_asked_for(key: str | None) -> None:
    text = refused({"package_name": NAME, "api_key": key}, {})

    assert "api_key is missing" in text
    assert "MENTRAOS_API_KEY" in text
    assert "console" in text


@pytest.mark.parametrize("key", [" secret-key", "secret-key\n", "secret\tkey", "secret-kéy", "secret\r\nx-evil: 1"])
def test_a_key_that_was_copied_badly_is_not_shown(key: str) -> None:
    """It goes into a header, where a line end would begin another one."""
    text = refused({"package_name": NAME}, {"MENTRAOS_API_KEY": key})

    assert "copy it again from the console" in text
    assert "secret" not in text


def test_d23_the_key_is_not_part_of_the_representation() -> None:
    assert KEY not in repr(configure(LEAST, {}))


@pytest.mark.parametrize(("text", "port"), [("0", 0), ("80", 80), ("65535", 65535), ("08080", 8080)])
def test_a_port_is_a_number_from_0_to_65535(text: str, port: int) -> None:
    assert configure(LEAST, {"PORT": text}).port == port
    assert configure({**LEAST, "port": port}, {}).port == port


@pytest.mark.parametrize("text", ["65536", "-1", "http", "8080 ", "80.0", "8_080", "٨٠", "²", "9" * 5000])
def test_a_wrong_port_variable_is_shown(text: str) -> None:
    message = refused(LEAST, {"PORT": text})

    assert message == f"PORT is {text!r}; set it to a number from 0 to 65535"


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_a_wrong_port_argument_is_shown(port: int) -> None:
    assert refused({**LEAST, "port": port}, {}) == (
        f"port is {port}; pass a number from 0 to 65535, where 0 picks a free one"
    )


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "Yes", " on "])
def test_d14_dev_is_on_when_the_variable_says_so(text: str) -> None:
    assert configure(LEAST, {"MENTRAOS_DEV": text}).dev is True


@pytest.mark.parametrize("text", ["0", "false", "No", "off", "", " "])
def test_d14_dev_is_off_otherwise(text: str) -> None:
    assert configure(LEAST, {"MENTRAOS_DEV": text}).dev is False


@pytest.mark.parametrize("text", ["2", "maybe", "enabled"])
def test_d14_dev_is_never_guessed(text: str) -> None:
    assert refused(LEAST, {"MENTRAOS_DEV": text}) == f"MENTRAOS_DEV is {text!r}; set it to 1 or 0"


# D6


def test_d6_pauses_before_restarts_grow_up_to_a_limit() -> None:
    policy = RestartPolicy()

    assert [policy.delay(restarts) for restarts in range(7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert policy.delay(10_000) == 10.0


def test_d6_the_defaults_are_three_restarts_in_a_minute() -> None:
    assert RestartPolicy() == RestartPolicy(max_restarts=3, window=60.0, first_delay=0.5, longest_delay=10.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_restarts", -1),
        ("window", 0.0),
        ("window", -1.0),
        ("window", math.nan),
        ("first_delay", -0.1),
        ("first_delay", math.nan),
        ("longest_delay", -1.0),
    ],
)
def test_a_wrong_number_of_a_restart_policy_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*; it must be >=? 0"):
        changed(RestartPolicy(), name, value)


NUMBERS = [field.name for field in attrs.fields(SessionConfig) if field.name != "restart"]
MAY_BE_ZERO = {
    "snapshot_timeout",
    "close_timeout",
    "finish_timeout",
    "drain_timeout",
    "stop_grace",
    "shutdown_grace",
    "display_pace",
    "boot_screen",
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, math.nan])
def test_every_number_of_a_session_is_checked_and_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*; it must be >=? [01]"):
        changed(SessionConfig(), name, value)


@pytest.mark.parametrize("name", NUMBERS)
def test_zero_is_only_allowed_where_it_means_something(name: str) -> None:
    if name in MAY_BE_ZERO:
        assert getattr(changed(SessionConfig(), name, 0), name) == 0
    else:
        with pytest.raises(ValueError, match=f"{name} is 0; it must be"):
            changed(SessionConfig(), name, 0)


def test_d20_the_numbers_fit_the_cloud() -> None:
    config = SessionConfig()

    assert config.ack_timeout == 4
    assert config.ping_interval == 8
    assert config.pong_timeout == 10
    assert config.connect_timeout + config.ack_timeout <= config.start_timeout < 10, "P1 1.3: a webhook's try is 10 s"
    assert config.display_pace > 0.3, "P3 1.5"
    assert config.boot_screen > 1.5, "P3 1.4"
    assert config.restart == RestartPolicy()


@pytest.mark.parametrize("config", [RestartPolicy(), SessionConfig(), configure(LEAST, {})])
def test_settings_do_not_change(config: object) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(config, attrs.fields(type(config))[0].name, 1)  # type: ignore[arg-type]  # an attrs class, all three
