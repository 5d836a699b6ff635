"""What the courier is given: URLs that would lead inside, and servers that answer as no server should."""

import functools
import random
import socket
import threading
from dataclasses import dataclass
from typing import Final

from cutgate.courier.addresses import OutsideRules
from cutgate.courier.connection import Outside
from cutgate.courier.errors import ExchangeFailed
from cutgate.courier.fetch import MEMORY_BYTES, Fetcher, MemoryBudget
from tests.courier.parts import make_settings, usual_tls
from tests.gateway.picture_files import png
from tests.hostile.mutation import damaged
from tests.hostile.trials import Trial

RULES: Final = OutsideRules(ports=frozenset({80, 443, 8_080, 8_443}))
_URLS: Final = tuple(
    text.encode()
    for text in (
        "https://host.example/a.png?b=c#d",
        "http://127.0.0.1:80/",
        "https://[::1]:8443/a?b#c",
        "http://0x7f.1/",
        "http://2130706433/",
        "https://exämple.com/%0d%0aHost:%20x",
        "http://user:word@host.example/",
        "http://[::ffff:1.2.3.4]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%2é]/",
        "http://a\\@b/",
        "http://①.②/",
        "https://127.0.0.1/",
        "http://localhost./",
    )
)
_URL_WORDS: Final = (*rb"@ [ ] % \ : // # xn-- .. %00 %0d%0a".split(), b"\xef\xbc\x8e", b"\r\n")
_ADDRESSES: Final = tuple(
    text.encode()
    for text in (
        *("8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808", "2001:4860:4860::8888"),
        *("fe80::1%eth0", "2002:7f00:1::", "100.64.0.1", "::8.8.8.8", "169.254.169.254", "fd00:ec2::254"),
    )
)


def make_url(chance: random.Random, _number: int) -> bytes:
    """A URL in one half, what a name resolved to in the other."""
    if chance.random() < 0.5:
        return b"url " + damaged(chance.choice(_URLS), _URLS, _URL_WORDS, chance)
    return b"address " + damaged(chance.choice(_ADDRESSES), _ADDRESSES, (b":", b"::", b".", b"%", b"0x"), chance)


def enter_url(told: bytes) -> None:
    """Check it; what passes is public, and reads the same a second time."""
    kind, _, data = told.partition(b" ")
    text = data.decode("utf-8", "replace")
    if kind == b"address":
        address = RULES.check_address("host.example", text)
        assert address.is_global
        assert not any((address.is_private, address.is_loopback, address.is_multicast, address.is_link_local))
        return
    url = RULES.check_url(text)
    assert url.scheme in {"http", "https"}
    assert not url.userinfo
    assert not set(b"\r\n ") & set(url.raw_host + url.raw_path)
    again = RULES.check_url(str(url))
    assert (again.raw_host, again.port, again.raw_path) == (url.raw_host, url.port, url.raw_path)


_PICTURE: Final = png()
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
_ANSWERS: Final = (
    _HEAD % len(_PICTURE) + _PICTURE,
    b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:6379/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: http://[::ffff:127.0.0.1]/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    _HEAD % (2**62) + _PICTURE,
    _HEAD % 0 + _PICTURE,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + _HEAD % len(_PICTURE) + _PICTURE,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nRetry-After: -1\r\n\r\n",
    b"\x15\x03\x01\x00\x02\x02\x50",
)
_ANSWER_WORDS: Final = (
    *(b"\r\n", b"\n\n", b"Content-Length: -1\r\n", b"Content-Length: 1\r\nContent-Length: 9\r\n", b"\0"),
    *(b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff\r\n", b"X: " + b"a" * 4_000 + b"\r\n", b"HTTP/2 "),
)


@dataclass(frozen=True, slots=True)
class Answer:
    data: bytes
    piece_bytes: int
    then: str
    """`close`, `go on` for as long as somebody listens, or be `silent` with the connection open."""


def make_answer(chance: random.Random, _number: int) -> Answer:
    data = chance.choice(_ANSWERS)
    if chance.random() < 0.8:
        data = damaged(data, _ANSWERS, _ANSWER_WORDS, chance)
    [then] = chance.choices(("close", "go on", "silent"), (94, 5, 1))
    return Answer(data, chance.choice((1, 7, 2**16)), then)


def _data_of(answer: Answer) -> bytes:
    return answer.data


def enter_answer(answer: Answer) -> None:
    """Fetch from a server that answers so, whatever the URL's path; nothing else may be connected to."""
    server = _server()
    server.answer = answer
    data = _fetcher(server.port).fetch(f"http://outside.example:{server.port}/start")
    assert len(data) <= _MAX_BYTES


_MAX_BYTES: Final = 2**20
_TOTAL_SECONDS: Final = 2.0


class _Server:
    """Accepts connections one by one, reads a head, and sends the answer that is set."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.answer = Answer(b"", 1, "close")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                connection.settimeout(_TOTAL_SECONDS)
                try:
                    self._send(connection, self.answer)
                except OSError:
                    continue  # a client that has heard enough

    @staticmethod
    def _send(connection: socket.socket, answer: Answer) -> None:
        connection.recv(2**16)
        for start in range(0, len(answer.data), answer.piece_bytes):
            connection.sendall(answer.data[start : start + answer.piece_bytes])
        while answer.then == "go on":
            connection.sendall(bytes(2**16))
        if answer.then == "silent":
            connection.recv(1)


@functools.cache
def _server() -> _Server:
    return _Server()


@functools.cache
def _fetcher(port: int) -> Fetcher:
    """One that the server's own address is let through for, and no other of this machine."""
    settings = make_settings(courier_allowed_networks="127.0.0.1")
    rules = OutsideRules(ports=frozenset({port}), allowed=settings.courier_allowed_networks)
    outside = Outside(
        rules=rules,
        connect_seconds=1,
        read_seconds=1,
        tls=usual_tls(),
        resolve=lambda *_: ("127.0.0.1",),
    )
    return Fetcher(
        outside=outside,
        max_bytes=_MAX_BYTES,
        total_seconds=_TOTAL_SECONDS,
        first_seconds=_TOTAL_SECONDS,
        memory=MemoryBudget(MEMORY_BYTES),
    )


URLS: Final = Trial(name="URLs and addresses", make=make_url, enter=enter_url, refusals=(ExchangeFailed,))
SERVERS: Final = Trial(
    name="servers outside", make=make_answer, enter=enter_answer, refusals=(ExchangeFailed,), data_of=_data_of
)
