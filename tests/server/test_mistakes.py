"""What a newcomer gets wrong is told where it is written, with what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from mentra_trio import ConfigError, MiniAppServer, RestartPolicy, SessionConfig
from tests.scripted_cloud import idle

if TYPE_CHECKING:
    from collections.abc import Callable

    from mentra_trio.session import SessionHandler


def make_app(**arguments: object) -> MiniAppServer:
    """Make an app as somebody does who uses no type checker."""
    make = cast("Callable[..., MiniAppServer]", MiniAppServer)
    return make(**{"package_name": "com.example.app", "api_key": "key", **arguments})


def test_a_decorator_with_parentheses_is_told_to_drop_them() -> None:
    with pytest.raises(ConfigError, match=r"write '@app.on_session' without parentheses.*async def handler\(session\)"):
        make_app().on_session()
    with pytest.raises(ConfigError, match=r"write '@app.on_stop' without parentheses.*handler\(session, reason\)"):
        make_app().on_stop()


def test_a_forgotten_handler_does_not_take_the_place_of_the_real_one() -> None:
    app = make_app()
    with pytest.raises(ConfigError):
        app.on_session()

    assert app.on_session(idle) is idle


@pytest.mark.parametrize("handler", [None, "hello", 3])
def test_what_is_no_function_is_no_handler(handler: object) -> None:
    with pytest.raises(ConfigError, match=r"is not a function; write '@app\.on_session'"):
        make_app().on_session(cast("SessionHandler", handler))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"port": "8080"}, "port is '8080'; pass a number"),
        ({"port": True}, "port is True"),
        ({"package_name": 7}, "package_name is 7"),
        ({"api_key": b"key"}, "api_key is not text but bytes"),
        ({"host": 7}, "host is 7"),
        ({"dev": "yes"}, "dev is 'yes'"),
        ({"cloud_hosts": [7]}, "cloud_hosts"),
    ],
)
def test_an_argument_of_a_wrong_type_is_named(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_app(**arguments)


def test_a_key_is_not_told_when_it_is_wrong() -> None:
    with pytest.raises(ConfigError) as caught:
        make_app(api_key=b"5ec2e7")

    assert "5ec2e7" not in str(caught.value)


@pytest.mark.parametrize("value", ["5", None, True])
def test_a_number_that_is_none_is_named(value: object) -> None:
    words = f"is {value!r}; pass a number"
    with pytest.raises(TypeError, match=f"stop_grace {words}"):
        make_app(stop_grace=value)
    with pytest.raises(TypeError, match=f"max_restarts {words}"):
        RestartPolicy(max_restarts=cast("int", value))
    with pytest.raises(TypeError, match=f"queue_capacity {words}"):
        SessionConfig(queue_capacity=cast("int", value))
