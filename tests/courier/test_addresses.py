"""What must not be reached is not: each is refused with its own error, and no connection is made."""

import ipaddress
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutgate.courier.addresses import MAX_URL_CHARACTERS, OutsideRules, why_not_public
from cutgate.courier.errors import ExchangeRefused, HostRefused
from tests.courier.outside import is_not_public, watched_connections
from tests.courier.parts import make_fetcher
from tests.servers.ports import free_port

REFUSED = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "[::1]": "loopback",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "[::]": "unspecified",
    "10.0.0.1": "private",
    "10.255.255.255": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.0.1": "private",
    "[fc00::1]": "private",
    "[fd12:3456:789a::1]": "private",
    "[fec0::1]": "private",
    "169.254.1.1": "link-local",
    "[fe80::1]": "link-local",
    "[febf::1]": "link-local",
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",
    "100.100.100.200": "metadata",
    "168.63.129.16": "metadata",
    "192.0.0.192": "metadata",
    "[fd00:ec2::254]": "metadata",
    "[fd20:ce::254]": "metadata",
    "100.64.0.1": "carrier-grade NAT",
    "100.127.255.255": "carrier-grade NAT",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "[ff02::1]": "multicast",
    "255.255.255.255": "broadcast",
    "192.0.2.1": "documentation",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "[2001:db8::1]": "documentation",
    "[3fff::1]": "documentation",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "[2001:2::1]": "benchmarking",
    "[::ffff:127.0.0.1]": "IPv4-mapped",
    "[::ffff:8.8.8.8]": "IPv4-mapped",
    "[::ffff:a9fe:a9fe]": "IPv4-mapped",
    "[::ffff:0:127.0.0.1]": "IPv4-translated",
    "[::127.0.0.1]": "IPv4-compatible",
    "[::7f00:1]": "IPv4-compatible",
    "[2002:7f00:1::]": "6to4",
    "192.88.99.1": "6to4",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]": "Teredo",
    "[64:ff9b::127.0.0.1]": "loopback",
    "[64:ff9b::10.0.0.1]": "private",
    "[64:ff9b::a9fe:a9fe]": "metadata",
    "[64:ff9b:1::7f00:1]": "local NAT64",
    "192.0.0.1": "protocol assignments",
    "[2001:20::1]": "protocol assignments",
    "192.175.48.1": "direct delegation",
    "240.0.0.1": "reserved",
    "[100::1]": "reserved",
    "[5f00::1]": "reserved",
    "[4000::1]": "reserved",
    # IPv4 in its old spellings, which the system's resolver still reads.
    "2130706433": "loopback",
    "0x7f000001": "loopback",
    "017700000001": "loopback",
    "0x7f.1": "loopback",
    "127.1": "loopback",
    "0": "unspecified",
    "2852039166": "metadata",
    "0xa9fea9fe": "metadata",
    "10.1": "private",
    "localhost": "loopback",
    "LOCALHOST": "loopback",
    "127。0。0。1": "loopback",  # IDNA's full stops
}
"""Host to the reason why it is refused."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A port on which every address of this machine listens, and nobody must come."""
    port = free_port()
    with (
        socket.create_server(("0.0.0.0", port)) as one,
        socket.create_server(("::", port), family=socket.AF_INET6) as other,
    ):
        yield port
        for listener in (one, other):
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()


@pytest.mark.parametrize(("host", "reason"), REFUSED.items())
def test_no_connection_is_made_to(host: str, reason: str, port: int) -> None:
    with watched_connections() as made, pytest.raises(HostRefused, check=is_not_public) as refused:
        make_fetcher([port]).fetch(f"http://{host}:{port}/picture.png")
    assert (refused.value.kind, made) == (reason, [])
    assert reason not in str(refused.value)
    assert refused.value.as_source_error().facts().details == {"reason": "address"}


@pytest.mark.parametrize("host", [host for host in REFUSED if host[0].isdigit() or host.startswith("[")])
def test_nor_to_a_name_that_resolves_to(host: str, port: int) -> None:
    answer = host.strip("[]")
    literal = answer if "." not in answer or answer.count(".") == 3 else socket.gethostbyname(answer)
    fetcher = make_fetcher([port], resolve=lambda *_: [literal])
    with watched_connections() as made, pytest.raises(HostRefused, check=is_not_public):
        fetcher.fetch(f"http://pictures.example:{port}/picture.png")
    assert made == []


def test_a_name_inside_reads_as_one_that_there_is_not(port: int) -> None:
    """Else whoever may name a URL could ask which names an internal DNS knows."""

    def resolve(host: str, _: int) -> list[str]:
        if host == "inside.example":
            return ["10.0.0.1"]
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    texts = []
    for host in ("inside.example", "nowhere.example"):
        with pytest.raises(ExchangeRefused) as refused:
            make_fetcher([port], resolve=resolve).fetch(f"http://{host}:{port}/")
        error = refused.value.as_source_error()
        texts.append((type(error), error.message.replace(host, "HOST")))
    assert texts[0] == texts[1]


def test_addresses_with_a_zone_are_refused(port: int) -> None:
    fetcher = make_fetcher([port], resolve=lambda *_: ["2606:4700::1%1"])
    with watched_connections() as made, pytest.raises(HostRefused, check=is_not_public):
        fetcher.fetch(f"http://pictures.example:{port}/")
    assert made == []


URLS = {
    "": "malformed or without a scheme",
    "picture.png": "no scheme",
    "//example.com/x": "no scheme",
    "ftp://example.com/x": "scheme",
    "file:///etc/passwd": "scheme",
    "gopher://example.com:80/_x": "scheme",
    "dict://example.com:80/x": "scheme",
    "data:image/png;base64,AAAA": "scheme",
    "javascript:alert(1)": "scheme",
    "unix:///var/run/docker.sock": "scheme",
    "http://": "no host",
    "http:///x": "no host",
    "http://:80/x": "no host",
    "http://user@example.com/": "a user's name",
    "http://user:password@example.com/": "a password",
    "http://example.com\\@127.0.0.1/": "a user's name, by another reading",
    "http://example.com:22/": "port",
    "http://example.com:25/": "port",
    "http://example.com:6379/": "port",
    "http://example.com:0/": "port",
    "http://example.com:99999/": "port",
    "http://example.com:8o/": "no port",
    "http://127.0.0.1%2f@example.com/": "host",
    "http://%31%32%37.0.0.1/": "escapes in the host",
    "http://exa mple.com/": "a blank in the host",
    "http://exa\tmple.com/": "a tabulator",
    "http://example.com/\r\nX-Header: 1": "a line's end",
    "http://0177.0.0.1/": "octal in a dotted quad",
    "http://256.1.1.1/": "no IPv4 address",
    "http://[::1/": "no IPv6 address",
    "http://[::1%25lo]/": "a zone",
    "http://[fe80::1%2é]/": "a zone beyond ASCII",
    "http://①②⑦.⓪.⓪.①/": "digits that IDNA refuses",
    "http://-example.com/": "a name that no DNS knows",
    "http://example.com$/": "a mark in the host",
    f"http://example.com/{'x' * MAX_URL_CHARACTERS}": "length",
}


@pytest.mark.parametrize("url", URLS, ids=lambda url: URLS[url])
def test_no_name_is_looked_up_for(url: str) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    fetcher = make_fetcher([80, 443], ["127.0.0.0/8"], resolve=resolve)
    with watched_connections() as made, pytest.raises(ExchangeRefused) as refused:
        fetcher.fetch(url)
    assert (refused.value.reason, asked, made) == ("url", [], [])


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1",
     "64:ff9b::808:808", "192.0.1.1", "198.20.0.1"],
)  # fmt: skip
def test_public_addresses_are_not_refused(address: str) -> None:
    assert why_not_public(ipaddress.ip_address(address)) is None


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_the_standard_library_knows_as_not_public_is_refused(address: ipaddress.IPv4Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert why_not_public(address) is not None or address in ipaddress.ip_network("64:ff9b::/96")


def test_an_allowed_network_opens_no_other_way_into_it() -> None:
    rules = OutsideRules(ports=frozenset({80}), allowed=(ipaddress.ip_network("127.0.0.0/8"),))
    assert str(rules.check_address("host", "127.0.0.1")) == "127.0.0.1"
    for carrier in ("::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::127.0.0.1"):
        with pytest.raises(HostRefused, check=is_not_public):
            rules.check_address("host", carrier)


def test_what_an_operator_refuses_goes_before_what_is_allowed() -> None:
    mine = ipaddress.ip_network("8.8.0.0/16")
    rules = OutsideRules(ports=frozenset({80}), allowed=(ipaddress.ip_network("8.0.0.0/8"),), refused=(mine,))
    assert str(rules.check_address("host", "8.9.0.1")) == "8.9.0.1"
    for address in ("8.8.8.8", "64:ff9b::8.8.8.8"):
        with pytest.raises(HostRefused, check=is_not_public):
            rules.check_address("host", address)


def test_a_url_is_kept_as_it_is_but_for_its_fragment() -> None:
    rules = OutsideRules(ports=frozenset({443}))
    url = "https://example.com/a%2Fb/c?X-Signature=a%2Bb%3D&token=x+y~z"
    assert str(rules.check_url(f"{url}#part")) == url
    assert rules.check_url("https://MÜLLER.example/").raw_host == b"xn--mller-kva.example"
