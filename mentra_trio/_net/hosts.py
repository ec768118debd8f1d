"""Which hosts may be given the API key (D14, P1 1.5).

A webhook names the address to connect to, and nothing proves that the webhook came from the cloud. So the text is
treated as hostile: it is read by one strict grammar, everything outside of it is refused rather than repaired, and what
comes out is a `CloudUrl` built from the parts. Nobody parses the text a second time, so there is no other reading of it
that could lead elsewhere.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

import attrs

from mentra_trio.errors import ConfigError, HostNotAllowedError

from .transport import CloudUrl

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_CLOUD_HOSTS = ("*.mentra.glass:443", "*.mentraglass.com:443", "*.augmentos.cloud:443")
"""The hosts of MentraOS, over TLS only and on its usual port: on another one nobody may answer, and to wait for that
holds a place that others need (D20)."""

_LONGEST_URL = 2048

# The grammar: ASCII only, no user info, no fragment, no percent-encoding or backslash outside of path and query.
_HOST = r"(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
_PORT = r"(?::(?P<port>[1-9][0-9]{0,4}))?"
_TARGET_CHARACTER = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})"
_TARGET = rf"(?P<path>/{_TARGET_CHARACTER}*)?(?P<query>\?(?:{_TARGET_CHARACTER}|\?)*)?"
_URL = re.compile(rf"(?P<scheme>wss?)://{_HOST}{_PORT}{_TARGET}", re.IGNORECASE | re.ASCII)
_ENTRY = re.compile(rf"(?:(?P<scheme>wss?)://)?(?P<wildcard>\*\.)?{_HOST}{_PORT}", re.IGNORECASE | re.ASCII)

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)

_ENTRY_FORMS = (
    "write 'cloud.example.com', '*.example.com', 'cloud.example.com:8443', or 'ws://cloud.example.com:8002' for a "
    "host without TLS"
)


@attrs.frozen(kw_only=True)
class _Rule:
    """One entry of the allow-list."""

    host: str
    below: bool
    """Whether the hosts below `host` are meant too."""
    port: int | None
    """`None` for any port."""
    plain: bool
    """Whether a connection without TLS is fine."""

    def allows(self, host: str, port: int, *, tls: bool) -> bool:
        return (
            (host == self.host or (self.below and host.endswith("." + self.host)))
            and self.port in {None, port}
            and (tls or self.plain)
        )


class HostPolicy:
    """The allow-list of cloud hosts.

    `cloud_hosts` adds to the hosts of MentraOS: `host`, `*.host` (the host itself and all below it), `host:port`, all
    over TLS, or `ws://host` and `ws://host:port` to trust a single host without TLS as well. Without a port any port
    will do. Loopback hosts need `dev=True`, which allows all of them, with TLS or without.

    Raises `ConfigError` for an entry that cannot be read.
    """

    def __init__(self, cloud_hosts: Sequence[str] = (), *, dev: bool = False) -> None:
        if isinstance(cloud_hosts, str):
            raise ConfigError(f"cloud_hosts is a list of hosts, not one text; {_ENTRY_FORMS}")
        self._dev = dev
        self._rules = tuple(_parse_entry(entry, dev=dev) for entry in (*DEFAULT_CLOUD_HOSTS, *cloud_hosts))

    def check(self, url: str) -> CloudUrl:
        """Read the URL of a webhook. Raises `HostNotAllowedError`; its text holds no more of the URL than the
        host."""
        match = _URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
        host = _canonical_host(match["host"]) if match else None
        if match is None or host is None:
            raise HostNotAllowedError("the address in the webhook is not a plain ws:// or wss:// URL with a valid host")
        tls = match["scheme"].lower() == "wss"
        port = int(match["port"]) if match["port"] else (443 if tls else 80)
        if port > 65535:
            raise HostNotAllowedError("the address in the webhook has a port above 65535")
        if not self._allows(host, port, tls=tls):
            raise HostNotAllowedError(self._explain(host, port, tls=tls))
        return CloudUrl(host=host, port=port, tls=tls, target=(match["path"] or "/") + (match["query"] or ""))

    def _allows(self, host: str, port: int, *, tls: bool) -> bool:
        if _is_loopback(host):
            return self._dev
        return any(rule.allows(host, port, tls=tls) for rule in self._rules)

    def _explain(self, host: str, port: int, *, tls: bool) -> str:
        if _is_loopback(host):
            return f"the cloud host {host} is this machine, which is only trusted with dev=True"
        if not tls and self._allows(host, 443 if port == 80 else port, tls=True):
            return f"the cloud host {host} is only trusted with TLS; add 'ws://{host}' to cloud_hosts to do without"
        return f"the cloud host {host} (port {port}) is not trusted; add it to cloud_hosts if it is your cloud"


def _parse_entry(entry: object, *, dev: bool) -> _Rule:
    match = _ENTRY.fullmatch(entry) if isinstance(entry, str) else None
    host = _canonical_host(match["host"]) if match else None
    port = int(match["port"]) if match and match["port"] else None
    if match is None or host is None or (port or 0) > 65535:
        raise ConfigError(f"{entry!r} in cloud_hosts is not a host; {_ENTRY_FORMS}")
    plain = (match["scheme"] or "wss").lower() == "ws"
    below = match["wildcard"] is not None
    if below and (plain or "." not in host or _is_address(host)):
        raise ConfigError(
            f"{entry!r} in cloud_hosts covers too much: a wildcard needs a domain of two or more parts, and TLS; "
            f"{_ENTRY_FORMS}"
        )
    if _is_loopback(host) and not dev:
        raise ConfigError(f"{entry!r} in cloud_hosts is this machine; pass dev=True to trust it")
    return _Rule(host=host, below=below, port=port, plain=plain)


def _canonical_host(text: str) -> str | None:
    """Return the one spelling of a host, or `None` where the host is not spelled as it should be.

    Names are in lower case, IPv6 addresses compressed and without brackets. A name is refused when anyone
    could take it for an address (`127.1`, `0x7f.0.0.1`, `2130706433`), an address when it stands for another
    one (`0.0.0.0`, `::ffff:127.0.0.1`).
    """
    if text.startswith("["):
        return _canonical_ipv6(text[1:-1])
    labels = text.lower().split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return None
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        return _canonical_ipv4(text)
    return ".".join(labels)


def _canonical_ipv4(text: str) -> str | None:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return None
    return None if address.is_unspecified else str(address)


def _canonical_ipv6(text: str) -> str | None:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    is_alias = address.is_unspecified or address.ipv4_mapped or address.sixtofour or address.teredo
    return None if is_alias else address.compressed


def _is_address(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
