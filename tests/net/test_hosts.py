"""Which spellings of an address get the API key. Everything that is not plainly right is refused."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mentra_trio._net.hosts import DEFAULT_CLOUD_HOSTS, HostPolicy
from mentra_trio._net.transport import CloudUrl
from mentra_trio.errors import ConfigError, HostNotAllowedError

OWN_HOSTS = ("own.example", "*.wide.example", "port.example:8443", "ws://plain.example", "ws://plainport.example:8002")
OWN_ADDRESSES = ("10.1.2.3", "ws://10.1.2.4:8002", "[2001:db8::1]", "*.xn--bcher-kva.example")
STRICT = HostPolicy()
DEV = HostPolicy(dev=True)
OWN = HostPolicy((*OWN_HOSTS, *OWN_ADDRESSES))


def wss(host: str, port: int = 443, target: str = "/") -> CloudUrl:
    return CloudUrl(host=host, port=port, tls=True, target=target)


def ws(host: str, port: int = 80, target: str = "/") -> CloudUrl:
    return CloudUrl(host=host, port=port, tls=False, target=target)


@pytest.mark.parametrize(
    ("policy", "text", "url"),
    [
        (STRICT, "wss://api.mentra.glass/ws/miniapp", wss("api.mentra.glass", target="/ws/miniapp")),
        (STRICT, "wss://franceapi.mentraglass.com/app-ws", wss("franceapi.mentraglass.com", target="/app-ws")),
        (STRICT, "wss://prod.augmentos.cloud/app-ws", wss("prod.augmentos.cloud", target="/app-ws")),
        (STRICT, "wss://mentra.glass", wss("mentra.glass")),
        (STRICT, "wss://mentraglass.com/", wss("mentraglass.com")),
        (STRICT, "wss://augmentos.cloud", wss("augmentos.cloud")),
        (STRICT, "wss://a.b.c.mentra.glass/", wss("a.b.c.mentra.glass")),
        (STRICT, "WSS://API.Mentra.GLASS/Ws", wss("api.mentra.glass", target="/Ws")),
        (STRICT, "wss://api.mentra.glass:443/", wss("api.mentra.glass")),
        (STRICT, "wss://api.mentra.glass?x=1", wss("api.mentra.glass", target="/?x=1")),
        (STRICT, "wss://api.mentra.glass/a?b=c/d?e@f:g", wss("api.mentra.glass", target="/a?b=c/d?e@f:g")),
        (STRICT, "wss://api.mentra.glass/@evil.example", wss("api.mentra.glass", target="/@evil.example")),
        (STRICT, "wss://api.mentra.glass/%2f%0d", wss("api.mentra.glass", target="/%2f%0d")),
        (STRICT, "wss://api.mentra.glass//evil.example/", wss("api.mentra.glass", target="//evil.example/")),
        (STRICT, "wss://xn--e1afmkfd.mentra.glass/", wss("xn--e1afmkfd.mentra.glass")),
        (OWN, "wss://api.mentra.glass/", wss("api.mentra.glass")),
        (OWN, "wss://own.example/", wss("own.example")),
        (OWN, "wss://own.example:1/", wss("own.example", 1)),
        (OWN, "wss://wide.example/", wss("wide.example")),
        (OWN, "wss://far.below.wide.example/", wss("far.below.wide.example")),
        (OWN, "wss://port.example:8443/", wss("port.example", 8443)),
        (OWN, "ws://plain.example/", ws("plain.example")),
        (OWN, "ws://plain.example:65535/", ws("plain.example", 65535)),
        (OWN, "wss://plain.example/", wss("plain.example")),
        (OWN, "ws://plainport.example:8002/", ws("plainport.example", 8002)),
        (OWN, "wss://10.1.2.3/", wss("10.1.2.3")),
        (OWN, "ws://10.1.2.4:8002/", ws("10.1.2.4", 8002)),
        (OWN, "wss://[2001:DB8:0::1]/", wss("2001:db8::1")),
        (OWN, "wss://a.xn--bcher-kva.example/", wss("a.xn--bcher-kva.example")),
        (DEV, "ws://localhost/", ws("localhost")),
        (DEV, "ws://LOCALHOST:8002/app-ws", ws("localhost", 8002, "/app-ws")),
        (DEV, "wss://localhost:8443/", wss("localhost", 8443)),
        (DEV, "ws://127.0.0.1:8002", ws("127.0.0.1", 8002)),
        (DEV, "ws://127.255.255.254/", ws("127.255.255.254")),
        (DEV, "ws://[::1]:8002/", ws("::1", 8002)),
        (DEV, "ws://[0:0:0:0:0:0:0:1]/", ws("::1")),
        (DEV, "wss://api.mentra.glass/", wss("api.mentra.glass")),
    ],
)
def test_trusted_addresses_are_taken_apart(policy: HostPolicy, text: str, url: CloudUrl) -> None:
    assert policy.check(text) == url


EVIL = [
    # other hosts
    "wss://evil.example/",
    "wss://example.com/ws/miniapp",
    "wss://goodmentra.glass/",
    "wss://mentra.glass.evil.example/",
    "wss://mentra.glassy/",
    "wss://mentra-glass.com/",
    "wss://api-mentra.glass/",
    "wss://glass/",
    "wss://augmentos.cloud.evil.example/",
    "wss://xmentraglass.com/",
    "wss://169.254.169.254/latest/meta-data",
    # user information
    "wss://api.mentra.glass@evil.example/",
    "wss://user@api.mentra.glass/",
    "wss://user:password@api.mentra.glass/",
    "wss://evil.example:443@api.mentra.glass/",
    "wss://evil.example@api.mentra.glass/",
    "wss://@api.mentra.glass/",
    "wss://:@api.mentra.glass/",
    "wss://api.mentra.glass:443@evil.example/",
    "wss://evil.example%40api.mentra.glass/",
    # where the host ends
    "wss://evil.example#.mentra.glass",
    "wss://evil.example#@api.mentra.glass/",
    "wss://evil.example?.mentra.glass",
    "wss://evil.example?@api.mentra.glass/",
    "wss://evil.example/.mentra.glass",
    "wss://evil.example\\.mentra.glass/",
    "wss://evil.example\\@api.mentra.glass/",
    "wss:\\\\api.mentra.glass\\",
    "wss:/\\api.mentra.glass/",
    "wss://api.mentra.glass\\@evil.example/",
    "wss://evil.example;api.mentra.glass/",
    "wss://evil.example,api.mentra.glass/",
    "wss://evil.example&api.mentra.glass/",
    "wss://api.mentra.glass#",
    "wss://api.mentra.glass/#fragment",
    "wss://api.mentra.glass/\\evil.example",
    # white space and control characters
    " wss://api.mentra.glass/",
    "wss://api.mentra.glass/ ",
    "wss://api.mentra.glass/\n",
    "\twss://api.mentra.glass/",
    "wss://api.mentra.glass\n.evil.example/",
    "wss://api.mentra.glass\r\nx-evil: 1",
    "wss://api.mentra.glass/\r\nx-evil: 1",
    "wss://api.mentra.glass/a b",
    "wss://evil.exa\tmple/",
    "ws\ts://api.mentra.glass/",
    "wss://api.mentra\t.glass/",
    "wss://evil.example\x00.mentra.glass/",
    "wss://api.mentra.glass\x00/",
    "wss://api.mentra.glass/\x00",
    "wss://api.mentra.glass\x0b/",
    "wss://api.mentra.glass/\x7f",
    "wss://api.mentra.glass\u00a0/",
    "wss://api.mentra.glass\u2028/",
    "\ufeffwss://api.mentra.glass/",
    # percent-encoding
    "wss://%61pi.mentra.glass/",
    "wss://api.mentra%2eglass/",
    "wss://evil.example%2f.mentra.glass/",
    "wss://evil.example%23.mentra.glass/",
    "wss://evil.example%00.mentra.glass/",
    "wss%3a//api.mentra.glass/",
    "wss://api.mentra.glass/%",
    "wss://api.mentra.glass/%g0",
    "wss://api.mentra.glass/%u002f",
    # dots and labels
    "wss://api.mentra.glass./",
    "wss://mentra.glass./",
    "wss://.mentra.glass/",
    "wss://api..mentra.glass/",
    "wss://..mentra.glass/",
    "wss://-.mentra.glass/",
    "wss://-a.mentra.glass/",
    "wss://a-.mentra.glass/",
    "wss://*.mentra.glass/",
    f"wss://{'a' * 64}.mentra.glass/",
    f"wss://{'a.' * 130}mentra.glass/",
    # look-alikes
    "wss://api.mentra\u3002glass/",
    "wss://api.mentra\uff0eglass/",
    "wss://api.mentra\uff61glass/",
    "wss://\uff41pi.mentra.glass/",
    "wss://api.m\u0435ntra.glass/",
    "wss://api.mentra.gla\u017f\u017f/",
    "wss://api.mentra.gla\u00df/",
    "wss://api.mentra.glas\u0455/",
    "wss://evil.example\u2044.mentra.glass/",
    "wss://evil.example\u2100.mentra.glass/",
    "wss://evil.example\uff0f.mentra.glass/",
    "wss://evil.example\uff03.mentra.glass/",
    "wss://evil.example\uff1f.mentra.glass/",
    "wss://b\u00fccher.mentra.glass/",
    "wss://api.mentra.glass/\u00fc",
    "w\u017f\u017f://api.mentra.glass/",
    "wss://api.mentra.glass:\u0664\u0664\u0663/",
    "wss://api.mentra.g\u200dlass/",
    "wss://api.mentra.g\u00adlass/",
    # schemes
    "ws://api.mentra.glass/",
    "ws://mentra.glass/",
    "ws://api.mentra.glass:443/",
    "http://api.mentra.glass/",
    "https://api.mentra.glass/",
    "ftp://api.mentra.glass/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "api.mentra.glass",
    "//api.mentra.glass/",
    "://api.mentra.glass/",
    "wss:api.mentra.glass",
    "wss:/api.mentra.glass/",
    "wss:///api.mentra.glass/",
    "wss:////api.mentra.glass/",
    "wsss://api.mentra.glass/",
    "xwss://api.mentra.glass/",
    "wss+evil://api.mentra.glass/",
    "wss://wss://api.mentra.glass/",
    "http://x/wss://api.mentra.glass/",
    # ports
    "wss://api.mentra.glass:/",
    "wss://api.mentra.glass:0/",
    "wss://api.mentra.glass:0443/",
    "wss://api.mentra.glass:65536/",
    "wss://api.mentra.glass:99999/",
    "wss://api.mentra.glass:443443/",
    "wss://api.mentra.glass:-1/",
    "wss://api.mentra.glass:+443/",
    "wss://api.mentra.glass:4_43/",
    "wss://api.mentra.glass: 443/",
    "wss://api.mentra.glass:443:443/",
    "wss://api.mentra.glass:0x1bb/",
    "wss://api.mentra.glass:evil.example/",
    "wss://evil.example:80.mentra.glass/",
    # nothing
    "",
    "wss://",
    "wss:///",
    "wss://?",
    "wss://:443/",
    "wss://[]/",
    "wss",
    # addresses in every notation
    "wss://0.0.0.0/",
    "wss://[::]/",
    "wss://1.1.1.1/",
    "wss://2130706433/",
    "wss://017700000001/",
    "wss://0x7f000001/",
    "wss://0x7f.0.0.1/",
    "wss://0177.0.0.1/",
    "wss://127.1/",
    "wss://127.0.1/",
    "wss://127.0.0.1./",
    "wss://127.0.0.01/",
    "wss://127.0.0.0x1/",
    "wss://256.0.0.1/",
    "wss://1.2.3.4.5/",
    "wss://0/",
    "wss://[::1%25eth0]/",
    "wss://[::1%eth0]/",
    "wss://[::ffff:127.0.0.1]/",
    "wss://[::ffff:7f00:1]/",
    "wss://[::127.0.0.1]/",
    "wss://[64:ff9b::7f00:1]/",
    "wss://[2002:7f00:1::]/",
    "wss://[fe80::1]/",
    "wss://[::1]evil.example/",
    "wss://[::1].mentra.glass/",
    "wss://[api.mentra.glass]/",
    "wss://[v1.mentra.glass]/",
    "wss://[::1/",
    "wss://[:::1]/",
    "wss://[1.2.3.4]/",
    "wss://[1]/",
    "wss://::1/",
    # this machine, spelled as it should be, is still not trusted
    "ws://localhost/",
    "wss://localhost/",
    "ws://127.0.0.1/",
    "wss://127.0.0.1:8443/",
    "wss://[::1]/",
    "ws://app.localhost/",
    "wss://localhost.mentra.glass.evil.example/",
    # too long
    "wss://api.mentra.glass/" + "a" * 2048,
]


@pytest.mark.parametrize("text", EVIL)
def test_every_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(HostNotAllowedError):
        STRICT.check(text)


@pytest.mark.parametrize(
    "text",
    [
        "ws://own.example/",
        "wss://below.own.example/",
        "wss://own.example.evil.example/",
        "ws://wide.example/",
        "wss://notwide.example/",
        "wss://port.example/",
        "wss://port.example:443/",
        "ws://port.example:8443/",
        "wss://below.plain.example/",
        "ws://below.plain.example/",
        "ws://plainport.example/",
        "wss://plainport.example/",
        "ws://10.1.2.3/",
        "ws://10.1.2.4/",
        "wss://10.1.2.5/",
        "wss://[::ffff:10.1.2.3]/",
        "wss://0x0a.1.2.3/",
        "wss://[2001:db8::2]/",
        "wss://localhost/",
        "wss://b\u00fccher.example/",
    ],
)
def test_added_hosts_are_meant_as_they_are_written(text: str) -> None:
    with pytest.raises(HostNotAllowedError):
        OWN.check(text)


@pytest.mark.parametrize(
    "text",
    [
        "ws://app.localhost/",
        "ws://localhost.localdomain/",
        "ws://localhost.evil.example/",
        "ws://127.0.0.1.evil.example/",
        "ws://localhost./",
        "ws://0.0.0.0/",
        "ws://[::]/",
        "ws://127.1/",
        "ws://2130706433/",
        "ws://[::ffff:127.0.0.1]/",
        "ws://128.0.0.1/",
        "ws://api.mentra.glass/",
        "wss://evil.example/",
        "http://localhost/",
    ],
)
def test_dev_trusts_this_machine_and_nothing_else(text: str) -> None:
    with pytest.raises(HostNotAllowedError):
        DEV.check(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wss://evil.example/", "evil.example (port 443) is not trusted; add it to cloud_hosts"),
        ("ws://api.mentra.glass/", "only trusted with TLS; add 'ws://api.mentra.glass'"),
        ("ws://api.mentra.glass:443/", "only trusted with TLS; add 'ws://api.mentra.glass'"),
        ("wss://api.mentra.glass:8443/", "api.mentra.glass (port 8443) is not trusted; add it to cloud_hosts"),
        ("ws://localhost:8002/", "localhost is this machine, which is only trusted with dev=True"),
        ("wss://api.mentra.glass:70000/", "port above 65535"),
        ("wss://secret@evil.example/?token=secret", "not a plain ws:// or wss:// URL"),
    ],
)
def test_a_refusal_says_what_to_do_and_repeats_no_more_than_the_host(text: str, words: str) -> None:
    with pytest.raises(HostNotAllowedError) as caught:
        STRICT.check(text)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "*",
        "*.",
        "*.com",
        "*.localhost",
        "*.10.1.2.3",
        "*.[2001:db8::1]",
        "ws://*.own.example",
        "a.*.example",
        "*own.example",
        "https://own.example",
        "wss://own.example/",
        "wss://own.example/app-ws",
        "own.example/app-ws",
        "user@own.example",
        "own.example:",
        "own.example:0",
        "own.example:65536",
        "own.example:https",
        "own..example",
        "own.example.",
        ".own.example",
        "-own.example",
        "own example",
        "own.example\n",
        "b\u00fccher.example",
        "0.0.0.0",
        "[::]",
        "127.1",
        "::1",
        "2001:db8::1",
        "[::ffff:10.0.0.1]",
        "0x7f000001",
    ],
)
def test_a_bad_entry_is_refused_at_once_with_the_right_form(entry: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HostPolicy([entry])
    assert repr(entry) in str(caught.value)
    assert "cloud.example.com:8443" in str(caught.value)


@pytest.mark.parametrize(
    "entry", ["localhost", "localhost:8002", "ws://127.0.0.1:8002", "ws://[::1]", "wss://LOCALHOST"]
)
def test_an_entry_for_this_machine_needs_dev(entry: str) -> None:
    with pytest.raises(ConfigError, match="dev=True"):
        HostPolicy([entry])
    HostPolicy([entry], dev=True)


@pytest.mark.parametrize("entry", [5, None, b"cloud.example.com"])
def test_an_entry_that_is_no_text_is_refused_alike(entry: str) -> None:
    with pytest.raises(ConfigError, match="in cloud_hosts is not a host; write 'cloud"):
        HostPolicy([entry])


def test_one_text_in_place_of_a_list_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="not one text"):
        HostPolicy("cloud.example.com")


ALLOWED = [entry.removeprefix("*.").removesuffix(":443") for entry in DEFAULT_CLOUD_HOSTS]

pieces = st.sampled_from(
    (*ALLOWED, "evil.example", "localhost", "127.0.0.1", "[::1]", "wss", "ws", "://", "//", "..", "%2e", "443", "xn--")
) | st.sampled_from("/\\@:?#.%0-_* \t\n\r\x00\u3002\u017f\uff0f")
texts = st.one_of(
    st.text(),
    st.lists(pieces | st.text(max_size=3)).map("".join),
    st.builds("wss://{}{}".format, st.lists(pieces, max_size=6).map("".join), st.sampled_from(ALLOWED)),
    st.builds("wss://{}{}".format, st.sampled_from(ALLOWED), st.lists(pieces, max_size=6).map("".join)),
    st.builds("wss://{}{}/".format, st.text(max_size=6), st.sampled_from(ALLOWED)),
    st.builds("wss://{}{}{}/".format, st.sampled_from(ALLOWED), st.characters(), st.sampled_from(ALLOWED)),
)


@given(texts)
@example("wss://api.mentra.glass/")
def test_an_accepted_host_is_an_allowed_one_or_below_it_whatever_the_text(text: str) -> None:
    try:
        url = STRICT.check(text)
    except HostNotAllowedError:
        return
    assert any(url.host == host or url.host.endswith("." + host) for host in ALLOWED)
    assert (url.port, url.tls) == (443, True)
    assert text.lower().startswith("wss://" + url.host)
    assert url.target.isascii()
    assert url.target.isprintable()
    assert " " not in url.target
    # What comes out is spelled so that reading it again changes nothing.
    assert STRICT.check(url.origin + url.target) == url
