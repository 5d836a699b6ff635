"""Redirects and names: each step is checked anew, and what is checked is what is connected to."""

import socket
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from cutgate.courier.connection import system_resolve
from cutgate.courier.errors import AddressRefused, ExchangeRefused, HostUnknown, RedirectRefused, UrlRefused
from tests.courier.outside import OutsideServer, Script, picture, redirect, serving, watched_connections
from tests.courier.parts import make_fetcher
from tests.gateway.picture_files import png
from tests.servers.ports import free_port
from tests.servers.tls import write_certificates

HERE = "127.0.0.1"
"""The one address that these tests allow."""
ELSEWHERE = "127.0.0.2"
"""An address that nobody must come to, and that would answer."""
PICTURE = png()

TARGETS: dict[str, type[ExchangeRefused]] = {
    "http://127.0.0.2:{port}/secret": AddressRefused,
    "//127.0.0.2:{port}/secret": AddressRefused,
    "http://localhost.:{port}/secret": AddressRefused,
    "http://[::1]:{port}/secret": AddressRefused,
    "http://[::ffff:127.0.0.1]:{port}/secret": AddressRefused,
    "http://[64:ff9b::7f00:2]:{port}/secret": AddressRefused,
    "http://2130706434:{port}/secret": AddressRefused,
    "http://0x7f000002:{port}/secret": AddressRefused,
    "http://127.2:{port}/secret": AddressRefused,
    "http://0.0.0.0:{port}/secret": AddressRefused,
    "http://10.0.0.1:{port}/": AddressRefused,
    "http://192.168.1.1:{port}/": AddressRefused,
    "http://169.254.169.254:{port}/latest/meta-data/": AddressRefused,
    "http://100.100.100.200:{port}/latest/meta-data/": AddressRefused,
    "http://[fd00:ec2::254]:{port}/latest/meta-data/": AddressRefused,
    "https://127.0.0.2:{port}/secret": AddressRefused,
    "file:///etc/passwd": UrlRefused,
    "ftp://127.0.0.1:{port}/secret": UrlRefused,
    "gopher://127.0.0.1:{port}/_secret": UrlRefused,
    "data:image/png;base64,AAAA": UrlRefused,
    "http://127.0.0.1:22/": UrlRefused,
    "http://user:password@127.0.0.1:{port}/secret": UrlRefused,
    "http://127.0.0.1%2f@127.0.0.2:{port}/secret": UrlRefused,
    "http://": RedirectRefused,  # it reads as the URL itself
    "http://[::1": RedirectRefused,
    "/circle": RedirectRefused,
    "/start": RedirectRefused,
    "": RedirectRefused,
}
"""Where the last redirect of a chain leads, and how that is refused."""


def resolve(host: str, port: int) -> Sequence[str]:
    """As the system, for which the local host may have an address more or less."""
    return [HERE, "::1"] if host == "localhost." else system_resolve(host, port)


def scripts(last: str) -> dict[str, Script]:
    return {
        "/start": redirect("/next", 301),
        "/next": redirect("last?x=1", 307),
        "/last": redirect(last, 308),
        "/circle": redirect("/start", 303),
        "/picture": picture(PICTURE),
        **{f"/hop{left}": redirect(f"/hop{left - 1}" if left > 1 else "/picture") for left in range(1, 9)},
    }


@pytest.mark.parametrize("target", TARGETS)
def test_a_chain_that_leads_to(target: str) -> None:
    with socket.create_server((ELSEWHERE, 0)) as elsewhere:
        elsewhere.setblocking(False)
        port = elsewhere.getsockname()[1]
        with serving(OutsideServer(HERE, scripts(target.format(port=port)))) as server:
            fetcher = make_fetcher([server.port, port], [HERE], resolve=resolve)
            with watched_connections() as made, pytest.raises(TARGETS[target]):
                fetcher.fetch(server.url("/start"))
        assert set(made) == {(HERE, server.port)}
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


@pytest.mark.parametrize(("hops", "allowed"), [(0, True), (1, True), (5, True), (6, False), (8, False)])
def test_five_redirects_are_followed_and_no_more(hops: int, allowed: bool) -> None:
    with serving(OutsideServer(HERE, scripts(""))) as server:
        fetcher = make_fetcher([server.port], [HERE])
        url = server.url(f"/hop{hops}" if hops else "/picture")
        if allowed:
            assert fetcher.fetch(url) == PICTURE
        else:
            with pytest.raises(RedirectRefused, match="more than 5"):
                fetcher.fetch(url)
    assert len(server.requests) == min(hops, 5) + 1


def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path) -> None:
    authority, certificate, key = write_certificates(tmp_path)
    with serving(OutsideServer(HERE, scripts(""))) as plain:
        target = redirect(plain.url("/picture"))
        with serving(OutsideServer(HERE, {"/": target}).with_tls(certificate, key)) as server:
            fetcher = make_fetcher([server.port, plain.port], [HERE], authority=authority)
            with pytest.raises(RedirectRefused, match="from https to http"):
                fetcher.fetch(server.url(scheme="https"))
    assert (len(server.requests), plain.requests) == (1, [])


class ChangingNames:
    """A DNS that answers each question with the next of its answers, the last one for good."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("redirected", [False, True])
def test_an_answer_that_changes_counts_with_the_next_question(redirected: bool) -> None:
    """What is checked is what is connected to; a redirect to the same name asks, and checks, anew."""
    port = free_port()
    script = redirect("/again") if redirected else picture(PICTURE)
    good, bad = OutsideServer(HERE, {"/": script}, port), OutsideServer(ELSEWHERE, {}, port)
    names = ChangingNames([HERE], [ELSEWHERE])
    with serving(good), serving(bad):
        fetcher = make_fetcher([port], [HERE], resolve=names)
        with watched_connections() as made, pytest.raises(AddressRefused) if redirected else nullcontext():
            assert fetcher.fetch(f"http://rebound.example:{port}/") == PICTURE
    assert (made, bad.requests) == ([(HERE, port)], [])
    assert names.asked == ["rebound.example"] * (1 + redirected)
    assert good.requests[0].headers["host"] == f"rebound.example:{port}"


@pytest.mark.parametrize(
    "answers", [[HERE, ELSEWHERE], [ELSEWHERE, HERE], [HERE, "10.0.0.1"], [HERE, "::1"], [HERE, "nonsense"]]
)
def test_one_bad_answer_among_good_ones_refuses_the_name(answers: list[str]) -> None:
    with serving(OutsideServer(HERE, {"/": picture(PICTURE)})) as server:
        fetcher = make_fetcher([server.port], [HERE], resolve=lambda *_: answers)
        with watched_connections() as made, pytest.raises(AddressRefused):
            fetcher.fetch(server.url(host="mixed.example"))
    assert made == []


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    with serving(OutsideServer(HERE, {"/": picture(PICTURE)})) as server:
        fetcher = make_fetcher([server.port], ["127.0.0.0/8"], resolve=lambda *_: ["127.0.0.9", HERE])
        assert fetcher.fetch(server.url(host="two.example")) == PICTURE


@pytest.mark.parametrize("host", ["nobody.invalid", "a..b", f"{'x' * 64}.example", "empty.example"])
def test_a_name_without_an_address(host: str) -> None:
    resolve = (lambda *_: []) if host == "empty.example" else system_resolve
    with pytest.raises(HostUnknown):
        make_fetcher([80], resolve=resolve).fetch(f"http://{host}/")
