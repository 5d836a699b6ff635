"""Peers that speak HTTP wrongly, slowly or not at all, many at a time, over plain sockets."""

import random
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from tests.hostile.bodies import body_of
from tests.hostile.judgement import Findings, Outcome
from tests.hostile.live.service import Target
from tests.hostile.mutation import damaged

AT_ONCE: Final = 64
ANSWER_SECONDS: Final = 15.0
"""In which a request that has ended is answered or its connection closed."""
HELD_SECONDS: Final = 30.0
"""After which no peer that sends next to nothing holds a connection with a request on it any more."""
UNREAD_SECONDS: Final = 5.0
_SOURCES: Final = 32
"""Addresses that peers come from, beside the one of the watch."""
_SMALL_BUFFER_BYTES: Final = 2_048
_LARGE_BYTES: Final = 24 * 2**20
_LARGE_AT_ONCE: Final = 4

_BODY: Final = b'{"Action":"ListModels"}'
_POST: Final = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_GET: Final = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
_LENGTH: Final = b"Content-Length: %d\r\n" % len(_BODY)
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_SECOND: Final = b"GET /healthz HTTP/1.1\r\nHost: y\r\n\r\n"

REQUESTS: Final = (
    _POST + _LENGTH + b"\r\n" + _BODY,
    _POST + b"Content-Length: 5\r\n" + _CHUNKED + b"\r\n0\r\n\r\n" + _SECOND,
    _POST + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
    _POST + _CHUNKED + _CHUNKED + b"\r\n0\r\n\r\n",
    _POST + b"Transfer_Encoding: chunked\r\n" + _LENGTH + b"\r\n" + _BODY,
    _POST + _LENGTH + _LENGTH + b"\r\n" + _BODY,
    _POST + _LENGTH + b"Content-Length: 3\r\n\r\n" + _BODY,
    _POST + b"Content-Length: +23\r\n\r\n" + _BODY,
    _POST + b"Content-Length: -1\r\n\r\n" + _BODY,
    _POST + b"Content-Length: 99999999999999999999\r\n\r\n" + _BODY,
    _POST + b"Content-Length : 23\r\n\r\n" + _BODY,
    b"POST / HTTP/1.1\nHost: x\n" + _LENGTH + b"\n" + _BODY,
    _POST + b"X: a\rb\r\n" + _LENGTH + b"\r\n" + _BODY,
    _POST + b"X: a\0b\r\n" + _LENGTH + b"\r\n" + _BODY,
    _POST + b"X: a\r\n b\r\n" + _LENGTH + b"\r\n" + _BODY,
    _POST + _CHUNKED + b"\r\n0x1\r\n{\r\n0\r\n\r\n",
    _POST + _CHUNKED + b"\r\n 1\r\n{\r\n0\r\n\r\n",
    _POST + _CHUNKED + b"\r\nffffffffffffffff\r\n{\r\n0\r\n\r\n",
    _POST + _CHUNKED + b"\r\n1;" + b"x" * 5_000 + b"\r\n{\r\n0\r\n\r\n",
    _GET + b"\r\n" + _SECOND,
    _GET + b"Content-Length: 40\r\n\r\n" + _SECOND,
    _GET + b"Host: y\r\n\r\n",
    _GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + _SECOND,
    b"GET http://evil.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /postman.json HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    _GET + b"X_Forwarded_For: 1.1.1.1\r\nX-Forwarded-For: 1.1.1.1, \xff\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
    _GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
    _GET + b"".join(b"X%d: a\r\n" % number for number in range(200)) + b"\r\n",
    _POST + b"Expect: 100-continue\r\n" + _LENGTH + b"\r\n" + _BODY,
    b"GET /r/a/1/d5ari00q5cu0v880200g/0/%2e%2e%2f%00 HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0,-1,5-\r\n\r\n",
    b"GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 9\r\n",
)
"""Requests whose parts contradict each other, or that another server would read in another way."""
_INVENTED: Final = re.compile(rb'(?<![^"\s])https?://evil\.example')
"""The invented host as the begin of a URL; that of a path which an answer repeats is no harm."""
_WORDS: Final = (b"\r\n", b"\n", b"\r\n\r\n", b"\0", b"\xff", b"HTTP/1.1", b"HTTP/0.9", b": ", _CHUNKED, _LENGTH)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) ")

Peer = Callable[[Target, random.Random], tuple[int, str]]
"""What one peer does; tells the bytes that it meant to send, and what is wrong with how it was treated."""


def break_rules(target: Target, findings: Findings, chance: random.Random, count: int) -> None:
    """Send so many broken requests."""
    _send_all([_broken] * count, target, findings, chance)


def be_slow(target: Target, findings: Findings, chance: random.Random, count: int) -> None:
    """Hold so many connections with half a head, half a body, or answers that are not read."""
    kinds = (_half_a_head, _dripping_body, _unread_answers)
    _send_all([kinds[turn % 3] for turn in range(count)], target, findings, chance)


def be_large(target: Target, findings: Findings, chance: random.Random, count: int) -> None:
    """Send so many large bodies."""
    _send_all([_large_body] * count, target, findings, chance, at_once=_LARGE_AT_ONCE)


def _send_all(
    kinds: Sequence[Peer], target: Target, findings: Findings, chance: random.Random, at_once: int = AT_ONCE
) -> None:
    with ThreadPoolExecutor(at_once) as threads:
        done = [
            threads.submit(_tried, kind, target, random.Random(chance.getrandbits(64)), number)
            for number, kind in enumerate(kinds)
        ]
        findings.add_all(each.result() for each in done)


def _tried(kind: Peer, target: Target, chance: random.Random, number: int) -> Outcome:
    try:
        size_bytes, fault = kind(target, chance)
    except OSError:  # refused, or hung up on: the service may do so
        return Outcome(number=number, refused=True)
    return Outcome(number=number, size_bytes=size_bytes, fault=fault)


def _broken(target: Target, chance: random.Random) -> tuple[int, str]:
    """A request in pieces, after which the peer says no more."""
    data = chance.choice(REQUESTS)
    if chance.random() < 0.8:
        data = damaged(data, REQUESTS, _WORDS, chance)
    with connected(target, chance) as connection:
        connection.settimeout(ANSWER_SECONDS)
        step = chance.choice((1 + len(data) // 7, len(data) + 1))
        for start in range(0, len(data), step):
            connection.sendall(data[start : start + step])
        connection.shutdown(socket.SHUT_WR)
        return len(data), _read_out(connection)


def _read_out(connection: socket.socket) -> str:
    """Read up to the end; what is wrong with it."""
    answer = b""
    try:
        while piece := connection.recv(2**16):
            answer += piece
    except TimeoutError:
        return f"no answer and no end within {ANSWER_SECONDS:g} s of a request's end"
    if _INVENTED.search(answer):
        return "an answer repeats a host that anybody may invent"
    statuses = {int(status) for status in _STATUS.findall(answer)}
    return "HTTP 500 to a broken request" if 500 in statuses or b'"RetCode":130' in answer else ""


def _half_a_head(target: Target, chance: random.Random) -> tuple[int, str]:
    data = chance.choice((b"P", b"POST / HTTP/1.1\r\nHost: x\r\nX-A: ", b"GET /v1 HTTP/1.1\r\n"))
    with connected(target, chance) as connection:
        connection.sendall(data)
        return len(data), _held(connection, b"")


def _dripping_body(target: Target, chance: random.Random) -> tuple[int, str]:
    path = chance.choice((b"/", b"/v1", b"/nowhere"))
    head = (
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n{" % path
    )
    with connected(target, chance) as connection:
        connection.sendall(head)
        return len(head), _held(connection, b" ")


def _held(connection: socket.socket, drip: bytes) -> str:
    """Whether a connection on which next to nothing comes is still kept after a while."""
    connection.settimeout(1)
    until_seconds = time.monotonic() + HELD_SECONDS
    while time.monotonic() < until_seconds:
        try:
            if not connection.recv(2**12):
                return ""
        except TimeoutError:
            connection.sendall(drip)
    return f"a slow peer held a connection for more than {HELD_SECONDS:g} s"


def _unread_answers(target: Target, chance: random.Random) -> tuple[int, str]:
    """Asks again and again for what is large, and does not read."""
    ask = b"GET /playground/app.js HTTP/1.1\r\nHost: x\r\n\r\n" * 200
    with connected(target, chance, buffer_bytes=_SMALL_BUFFER_BYTES) as connection:
        connection.settimeout(UNREAD_SECONDS)
        connection.sendall(ask)
        time.sleep(UNREAD_SECONDS)
    return len(ask), ""


def _large_body(target: Target, chance: random.Random) -> tuple[int, str]:
    """A body of one field, with a key where the protocol has it in the head."""
    form, data = body_of(chance.getrandbits(16), _LARGE_BYTES)
    head = f"POST {form.path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {target.api_key}\r\n"
    head += f"Content-Type: {form.media_type}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    with connected(target, chance) as connection:
        connection.settimeout(HELD_SECONDS + ANSWER_SECONDS)  # it may wait for room
        connection.sendall(head.encode() + data)
        return len(data), _read_out(connection)


@contextmanager
def connected(
    target: Target, chance: random.Random, *, buffer_bytes: int | None = None
) -> Iterator[socket.socket]:
    """A connection from one of some addresses; at its end it is reset, so that nothing of it stays."""
    with socket.socket() as connection:
        if buffer_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.settimeout(ANSWER_SECONDS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.bind((f"127.0.0.{2 + chance.randrange(_SOURCES)}", 0))
        connection.connect(("127.0.0.1", target.port))
        yield connection
