"""Servers that do not behave, redirects, names: a fetch ends in time and in bounds, each step checked."""

import gzip
import socket
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from cutgate.courier.connection import system_resolve
from cutgate.courier.errors import ExchangeFailed, ExchangeRefused, HostRefused, PeerFailed
from tests.courier.outside import (
    OutsideServer,
    Script,
    Visit,
    is_not_public,
    picture,
    redirect,
    serving,
    watched_connections,
)
from tests.courier.parts import MAX_BYTES, answering, make_fetcher
from tests.gateway.picture_files import png
from tests.servers.ports import free_port
from tests.servers.tls import write_certificates
from tests.waiting import PATIENCE_SECONDS

HERE = "127.0.0.1"
PICTURE = png()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"


def raw(*pieces: bytes) -> Script:
    """Sends bytes as they are and hangs up."""

    def script(visit: Visit) -> None:
        visit.wfile.write(b"".join(pieces))

    return script


def endless(head: bytes, piece: bytes, *, pause_seconds: float = 0) -> Script:
    """Sends a head, and then a piece again and again until nobody reads on."""

    def script(visit: Visit) -> None:
        visit.wfile.write(head)
        while not visit.stopping.wait(pause_seconds):
            visit.wfile.write(piece)

    return script


def silent(visit: Visit) -> None:
    visit.stopping.wait(60)


def fetch_from(script: Script, **limits: Any) -> bytes:
    with serving(OutsideServer(HERE, {"/": script})) as server:
        return make_fetcher([server.port], [HERE], **limits).fetch(server.url())


GOOD: dict[str, Script] = {
    "with a length": picture(PICTURE),
    "in chunks": raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(PICTURE), PICTURE)),
    "until the end of the connection": raw(HEAD, b"\r\n", PICTURE),
    "of HTTP 1.0": raw(b"HTTP/1.0 200 OK\r\n\r\n", PICTURE),
    "without a type": lambda visit: visit.answer(200, PICTURE),
    "as bytes": picture(PICTURE, "application/octet-stream"),
    "as S3's bytes": picture(PICTURE, "binary/octet-stream"),
    "with a type's parameter": picture(PICTURE, "IMAGE/PNG; charset=x"),
    "after news": raw(b"HTTP/1.1 103 Early Hints\r\n\r\n", HEAD, b"\r\n", PICTURE),
    "with more than its length": raw(HEAD, b"Content-Length: %d\r\n\r\n%b" % (len(PICTURE), PICTURE + b"more")),
    "that says it is not compressed": lambda visit: visit.answer(200, PICTURE, {"Content-Encoding": "Identity"}),
}


@pytest.mark.parametrize("script", GOOD.values(), ids=GOOD)
def test_an_answer(script: Script) -> None:
    assert fetch_from(script) == PICTURE


BAD: dict[str, tuple[Script, type[ExchangeFailed], str]] = {
    "a page": (picture(b"<html>", "text/html"), ExchangeRefused, "media_type"),
    "a picture in XML": (picture(b"<svg>", "application/xml"), ExchangeRefused, "media_type"),
    "a compressed picture": (
        lambda visit: visit.answer(200, gzip.compress(PICTURE), {"Content-Encoding": "gzip"}),
        ExchangeRefused,
        "encoding",
    ),
    "a bomb": (
        lambda visit: visit.answer(200, gzip.compress(bytes(10 * MAX_BYTES)), {"Content-Encoding": "br, gzip"}),
        ExchangeRefused,
        "encoding",
    ),
    "a length over the limit": (
        raw(HEAD, b"Content-Length: %d\r\n\r\n" % (MAX_BYTES + 1)),
        ExchangeRefused,
        "size",
    ),
    "a huge length": (raw(HEAD, b"Content-Length: 99999999999999999999\r\n\r\n"), ExchangeRefused, "size"),
    "one byte too many": (raw(HEAD, b"\r\n", bytes(MAX_BYTES + 1)), ExchangeRefused, "size"),
    "a body without end": (endless(HEAD + b"\r\n", bytes(65_536)), ExchangeRefused, "size"),
    "chunks without end": (
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + bytes(0x4000) + b"\r\n"),
        ExchangeRefused,
        "size",
    ),
    "less than its length": (raw(HEAD, b"Content-Length: 99\r\n\r\nxy"), PeerFailed, "connection"),
    "two lengths": (raw(HEAD, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nxyz"), PeerFailed, "connection"),
    "a negative length": (raw(HEAD, b"Content-Length: -1\r\n\r\n"), PeerFailed, "connection"),
    "a chunk cut off": (raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\nff\r\nxy"), PeerFailed, "connection"),
    "a header without end": (
        endless(b"HTTP/1.1 200 OK\r\nX: ", bytes(65_536).replace(b"\0", b"x")),
        PeerFailed,
        "connection",
    ),
    "another protocol": (raw(b"220 mail.example ESMTP\r\n"), PeerFailed, "connection"),
    "nothing": (raw(b""), PeerFailed, "connection"),
    "silence": (silent, PeerFailed, "time"),
    "a part": (lambda visit: visit.answer(206, PICTURE), ExchangeRefused, "status"),
    **{f"status {status}": (answering(status), ExchangeRefused, "status") for status in (204, 304, 403, 404)},
    **{f"status {status}": (answering(status), PeerFailed, "status") for status in (429, 500, 503)},
}


@pytest.mark.parametrize(("script", "error", "reason"), BAD.values(), ids=BAD)
def test_a_server_that_sends(script: Script, error: type[ExchangeFailed], reason: str) -> None:
    with pytest.raises(error) as failed:
        fetch_from(script, read_seconds=0.5 if script is silent else 10)
    assert failed.value.reason == reason


SLOW: dict[str, Script] = {
    "a header byte by byte": endless(b"HTTP/1.1 200 OK\r\nX: ", b"x", pause_seconds=0.05),
    "headers one by one": endless(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n", pause_seconds=0.05),
    "news without end": endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", pause_seconds=0.05),
    "a body byte by byte": endless(HEAD + b"Content-Length: 1000\r\n\r\n", b"x", pause_seconds=0.05),
    "chunks byte by byte": endless(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", pause_seconds=0.05
    ),
}


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW)
def test_a_server_that_never_falls_silent_ends_with_the_total_time(script: Script) -> None:
    with pytest.raises(PeerFailed) as failed:
        fetch_from(script, total_seconds=0.6, read_seconds=0.5)
    assert failed.value.reason == "time"


def test_a_resolver_that_does_not_answer_ends_with_the_total_time() -> None:
    given_up, found = threading.Event(), list[str]()

    def resolve(host: str, port: int) -> list[str]:
        given_up.wait(PATIENCE_SECONDS)
        found.append(host)
        return [HERE]

    with pytest.raises(PeerFailed, match="not resolved in time"):
        make_fetcher([80], [HERE], resolve=resolve, total_seconds=0.3).fetch("http://slow.example/")
    assert not found
    given_up.set()


def test_what_it_sends_says_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")  # nobody listens there

    def with_cookie(visit: Visit) -> None:
        visit.answer(302, headers={"Location": "/next", "Set-Cookie": "a=b; Path=/"})

    with serving(OutsideServer(HERE, {"/": with_cookie, "/next": picture(PICTURE)})) as server:
        make_fetcher([server.port], [HERE]).fetch(server.url("/?token=%20x"))
    assert [request.path for request in server.requests] == ["/?token=%20x", "/next"]
    for request in server.requests:
        assert request.headers == {
            "host": f"{HERE}:{server.port}",
            "user-agent": "cutgate-courier",
            "accept": "image/*, */*;q=0.1",
            "accept-encoding": "identity",
            "connection": "close",
        }


@pytest.mark.parametrize(
    ("known", "host", "proven"),
    [
        (True, "pictures.example", True),
        (True, HERE, True),
        (True, "others.example", False),
        (False, "pictures.example", False),
    ],
)
def test_over_tls_the_name_of_the_url_is_verified(tmp_path: Path, known: bool, host: str, proven: bool) -> None:
    authority, certificate, key = write_certificates(tmp_path, "pictures.example")
    with serving(OutsideServer(HERE, {"/": picture(PICTURE)}).with_tls(certificate, key)) as server:
        fetcher = make_fetcher(
            [server.port], [HERE], resolve=lambda *_: [HERE], authority=authority if known else None
        )
        url = server.url(scheme="https", host=host)
        if proven:
            assert fetcher.fetch(url) == PICTURE
        else:
            with pytest.raises(PeerFailed, match="TLS"):
                fetcher.fetch(url)
    assert [request.headers["host"] for request in server.requests] == [f"{host}:{server.port}"] * proven


def test_tls_where_none_is_spoken() -> None:
    with serving(OutsideServer(HERE, {"/": picture(PICTURE)})) as server, pytest.raises(PeerFailed):
        make_fetcher([server.port], [HERE], read_seconds=0.5).fetch(server.url(scheme="https"))


ELSEWHERE = "127.0.0.2"
"""An address that nobody must come to, and that would answer."""

TARGETS: dict[str, str] = {
    "http://127.0.0.2:{port}/secret": "address",
    "//127.0.0.2:{port}/secret": "address",
    "http://localhost.:{port}/secret": "address",
    "http://[::1]:{port}/secret": "address",
    "http://[::ffff:127.0.0.1]:{port}/secret": "address",
    "http://[64:ff9b::7f00:2]:{port}/secret": "address",
    "http://2130706434:{port}/secret": "address",
    "http://0x7f000002:{port}/secret": "address",
    "http://127.2:{port}/secret": "address",
    "http://0.0.0.0:{port}/secret": "address",
    "http://10.0.0.1:{port}/": "address",
    "http://192.168.1.1:{port}/": "address",
    "http://169.254.169.254:{port}/latest/meta-data/": "address",
    "http://100.100.100.200:{port}/latest/meta-data/": "address",
    "http://[fd00:ec2::254]:{port}/latest/meta-data/": "address",
    "https://127.0.0.2:{port}/secret": "address",
    "file:///etc/passwd": "url",
    "ftp://127.0.0.1:{port}/secret": "url",
    "gopher://127.0.0.1:{port}/_secret": "url",
    "data:image/png;base64,AAAA": "url",
    "http://127.0.0.1:22/": "url",
    "http://user:password@127.0.0.1:{port}/secret": "url",
    "http://127.0.0.1%2f@127.0.0.2:{port}/secret": "url",
    "http://": "redirect",  # it reads as the URL itself
    "http://[::1": "redirect",
    "/circle": "redirect",
    "/start": "redirect",
    "": "redirect",
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
            with watched_connections() as made, pytest.raises(ExchangeRefused) as refused:
                fetcher.fetch(server.url("/start"))
        assert (refused.value.reason, set(made)) == (TARGETS[target], {(HERE, server.port)})
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
            with pytest.raises(ExchangeRefused, match="more than 5"):
                fetcher.fetch(url)
    assert len(server.requests) == min(hops, 5) + 1


def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path) -> None:
    authority, certificate, key = write_certificates(tmp_path)
    with serving(OutsideServer(HERE, scripts(""))) as plain:
        target = redirect(plain.url("/picture"))
        with serving(OutsideServer(HERE, {"/": target}).with_tls(certificate, key)) as server:
            fetcher = make_fetcher([server.port, plain.port], [HERE], authority=authority)
            with pytest.raises(ExchangeRefused, match="from https to http"):
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
        with (
            watched_connections() as made,
            pytest.raises(HostRefused, check=is_not_public) if redirected else nullcontext(),
        ):
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
        with watched_connections() as made, pytest.raises(HostRefused, check=is_not_public):
            fetcher.fetch(server.url(host="mixed.example"))
    assert made == []


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    with serving(OutsideServer(HERE, {"/": picture(PICTURE)})) as server:
        fetcher = make_fetcher([server.port], ["127.0.0.0/8"], resolve=lambda *_: ["127.0.0.9", HERE])
        assert fetcher.fetch(server.url(host="two.example")) == PICTURE


@pytest.mark.parametrize("host", ["nobody.invalid", "a..b", f"{'x' * 64}.example", "empty.example"])
def test_a_name_without_an_address(host: str) -> None:
    resolve = (lambda *_: []) if host == "empty.example" else system_resolve
    with pytest.raises(HostRefused, check=lambda error: error.reason == "host"):
        make_fetcher([80], resolve=resolve).fetch(f"http://{host}/")
