"""Settings of an app and its sessions. Frozen; all durations are seconds. The only place that reads the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import attrs

from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_N = TypeVar("_N", int, float)


@attrs.frozen
class _More:
    """Validates a number: more than `least`, or equal to it if that is allowed. NaN is neither."""

    least: int
    or_equal: bool = attrs.field(kw_only=True)

    def __call__(self, _: object, attribute: attrs.Attribute[_N], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            msg = f"{attribute.name} is {value!r}; pass a number"
            raise TypeError(msg)
        if not (value > self.least or (self.or_equal and value == self.least)):
            msg = f"{attribute.name} is {value!r}; it must be {'>=' if self.or_equal else '>'} {self.least}"
            raise ValueError(msg)


_positive = _More(0, or_equal=False)
_not_negative = _More(0, or_equal=True)
_one_or_more = _More(1, or_equal=True)


@attrs.frozen(kw_only=True)
class RestartPolicy:
    """What happens when a session handler raises.

    It is started again in place, after an exponential pause, but not more often than `max_restarts` times within
    `window`; then the session ends. `RestartPolicy(max_restarts=0)` ends it at the first crash.

    Design: D6.
    """

    max_restarts: int = attrs.field(default=3, validator=_not_negative)
    """Most restarts within `window`."""
    window: float = attrs.field(default=60.0, validator=_positive)
    """Seconds over which restarts are counted."""
    first_delay: float = attrs.field(default=0.5, validator=_not_negative)
    """Seconds before the first restart; doubled for each further one within the window."""
    longest_delay: float = attrs.field(default=10.0, validator=_not_negative)
    """Most seconds before a restart."""

    def delay(self, restarts: int) -> float:
        """Give the pause before the next restart, after so many within the window."""
        return min(self.longest_delay, self.first_delay * 2.0 ** min(restarts, 16))


@attrs.frozen(kw_only=True)
class SessionConfig:
    """Numbers of a session's link. The defaults fit the real cloud; tests and experiments may differ.

    Design: D20.
    """

    connect_timeout: float = attrs.field(default=4.0, validator=_positive)
    """Seconds for dialling, TLS and the upgrade."""
    ack_timeout: float = attrs.field(default=4.0, validator=_positive)
    """Seconds for the cloud's answer to the handshake."""
    start_timeout: float = attrs.field(default=9.0, validator=_positive)
    """Seconds from a webhook to its answer; the cloud's own limit for a try is 10 (P1 1.3)."""
    start_capacity: int = attrs.field(default=1500, validator=_one_or_more)
    """Starts of sessions that may be under way; beyond that the oldest is given up. The default is what the limit of
    250 connects a second lets through in the 6 s that the cloud waits (P1 1.3)."""
    snapshot_timeout: float = attrs.field(default=0.1, validator=_not_negative)
    """Seconds that the handler's start waits after the ack for the state of the glasses, which follows at once."""
    ping_interval: float = attrs.field(default=8.0, validator=_positive)
    """Seconds between keep-alive pings."""
    pong_timeout: float = attrs.field(default=10.0, validator=_positive)
    """Seconds without any sign of life after a ping until the socket counts as dead."""
    send_timeout: float = attrs.field(default=10.0, validator=_positive)
    """Seconds that one frame may take to be written until the socket counts as dead."""
    close_timeout: float = attrs.field(default=1.0, validator=_not_negative)
    """Seconds for the close handshake."""
    finish_timeout: float = attrs.field(default=5.0, validator=_not_negative)
    """Seconds at the end of a session for what managers have left to do, such as storing values."""
    drain_timeout: float = attrs.field(default=1.0, validator=_not_negative)
    """Seconds at the end of a session for what was still to be sent."""
    stop_grace: float = attrs.field(default=5.0, validator=_not_negative)
    """Seconds that the handler has to finish after its session ended."""
    shutdown_grace: float = attrs.field(default=0.5, validator=_not_negative)
    """The same when the server itself is stopping, if that is shorter: nobody likes to wait for Ctrl-C."""
    display_pace: float = attrs.field(default=0.35, validator=_not_negative)
    """Least seconds between two displays: the cloud shows stale text when they come within 0.3 s (P3 1.5)."""
    boot_screen: float = attrs.field(default=1.6, validator=_not_negative)
    """Seconds for which the cloud may still cover the display when it has acknowledged a start; it does so for 1.5 s
    from the start (P3 1.4). What is shown meanwhile with a duration waits, because it would stay for ever (P3 1.5)."""
    stall_limit: float = attrs.field(default=1.0, validator=_positive)
    """Seconds that code may hold the thread until a warning names it: all sessions of the app stand still meanwhile.
    `math.inf` never warns."""
    queue_capacity: int = attrs.field(default=64, validator=_one_or_more)
    """Commands that may wait to be sent."""
    pending_capacity: int = attrs.field(default=64, validator=_one_or_more)
    """Requests that may wait for an answer."""
    restart: RestartPolicy = attrs.field(factory=RestartPolicy)
    """What happens when the handler raises."""


@attrs.frozen(kw_only=True)
class AppConfig:
    """Who the app is and where it listens."""

    package_name: str
    """The package name registered in the MentraOS console."""
    api_key: str = attrs.field(repr=False)
    """The app's key from the console."""
    host: str
    """Interface to listen on."""
    port: int
    """Port to listen on; 0 picks a free one."""
    cloud_hosts: tuple[str, ...]
    """Further hosts that may be connected to (D14)."""
    dev: bool
    """Whether a cloud on the loopback interface may be connected to, without TLS (D14)."""


_DEFAULT_PORT = 7010
"""The port of MentraOS's own SDK (P1 6.6)."""
_LAST_PORT = 65_535
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


def app_config(
    *,
    package_name: str | None,
    api_key: str | None,
    host: str | None,
    port: int | None,
    cloud_hosts: tuple[str, ...],
    dev: bool | None,
    environ: Mapping[str, str] = os.environ,
) -> AppConfig:
    """Fill what was not given from the environment. Raises `ConfigError` that says what to set."""
    _check_types(package_name, api_key, host, port, cloud_hosts, dev)
    name = package_name if package_name is not None else environ.get("PACKAGE_NAME", "")
    fault = _fault_of_name(name)
    if fault:
        raise ConfigError(
            f"package_name {fault}; pass MiniAppServer(package_name='com.example.app') or set PACKAGE_NAME to the name "
            "registered in the MentraOS console"
        )
    key = api_key if api_key is not None else environ.get("MENTRAOS_API_KEY", "")
    if not key.strip():
        raise ConfigError(
            "api_key is missing; pass MiniAppServer(api_key=...) or set MENTRAOS_API_KEY to the app's key from the "
            "MentraOS console"
        )
    if key != key.strip() or not key.isascii() or not key.isprintable():
        raise ConfigError(
            "api_key holds white space or other characters that no key has; copy it again from the console"
        )
    return AppConfig(
        package_name=name,
        api_key=key,
        host=host or "0.0.0.0",  # noqa: S104  (a server behind a public URL)
        port=_port(port, environ),
        cloud_hosts=cloud_hosts,
        dev=dev if dev is not None else _flag(environ, "MENTRAOS_DEV"),
    )


def _fault_of_name(name: str) -> str:
    """Tell what is wrong with a package name; empty when nothing is."""
    if not name:
        return "is missing"
    if any(letter.isspace() for letter in name):
        return f"is {name!r}, which holds white space"
    if not name.isascii() or not name.isprintable():
        return f"is {name!r}, which holds characters other than ASCII letters, digits and signs"
    return ""


def _check_types(
    package_name: object, api_key: object, host: object, port: object, cloud_hosts: tuple[object, ...], dev: object
) -> None:
    """Refuse what no type checker has seen."""
    for name, text in {"package_name": package_name, "host": host}.items():
        if text is not None and not isinstance(text, str):
            raise ConfigError(f"{name} is {text!r}; pass text")
    if api_key is not None and not isinstance(api_key, str):
        raise ConfigError(f"api_key is not text but {type(api_key).__name__}; pass it as the console shows it")
    if port is not None and (isinstance(port, bool) or not isinstance(port, int)):
        raise ConfigError(f"port is {port!r}; pass a number from 0 to {_LAST_PORT}")
    if not all(isinstance(host, str) for host in cloud_hosts):
        raise ConfigError(f"cloud_hosts is {list(cloud_hosts)!r}; pass a list of texts")
    if dev is not None and not isinstance(dev, bool):
        raise ConfigError(f"dev is {dev!r}; pass True or False")


def _port(port: int | None, environ: Mapping[str, str]) -> int:
    if port is not None:
        if not 0 <= port <= _LAST_PORT:
            raise ConfigError(f"port is {port}; pass a number from 0 to {_LAST_PORT}, where 0 picks a free one")
        return port
    text = environ.get("PORT", "")
    if not text:
        return _DEFAULT_PORT
    # The length first: Python refuses to read a number of thousands of digits.
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_LAST_PORT)) or int(text) > _LAST_PORT:
        raise ConfigError(f"PORT is {text!r}; set it to a number from 0 to {_LAST_PORT}")
    return int(text)


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").strip().lower()
    if text not in _TRUE | _FALSE:
        raise ConfigError(f"{name} is {text!r}; set it to 1 or 0")
    return text in _TRUE
