"""What a caller's connection does with an answer."""

import socket
from collections.abc import Iterator

import pytest

from cutgate.gateway.serving.channel import Channel
from cutgate.gateway.settings import GatewaySettings
from tests.gateway.harness import MASTER_KEY


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    """The gateway's end of a connection and the caller's."""
    ours, callers = socket.socketpair()
    callers.setblocking(False)
    with Channel(ours, GatewaySettings(master_key=MASTER_KEY)) as channel, callers:
        yield channel, callers


def _received(caller: socket.socket) -> bytes:
    try:
        return caller.recv(2**20)
    except BlockingIOError:
        return b""


def test_head_and_body_of_a_small_answer_leave_together(ends: tuple[Channel, socket.socket]) -> None:
    channel, caller = ends
    channel.expect(waits=False)
    channel.sendall(b"head")
    channel.sendall(b"body")
    assert _received(caller) == b""
    assert channel.flush() == 8
    assert (_received(caller), channel.is_flushed) == (b"headbody", True)


def test_what_is_sent_while_a_body_is_still_to_come_leaves_at_once(ends: tuple[Channel, socket.socket]) -> None:
    channel, caller = ends
    channel.expect(waits=True)
    channel.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert _received(caller) == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_a_long_answer_comes_in_its_order(ends: tuple[Channel, socket.socket]) -> None:
    channel, caller = ends
    channel.expect(waits=False)
    body = bytes(range(256)) * 8_000
    channel.sendall(b"head")
    channel.sendall(body)
    channel.sendall(b"end")
    received = b""
    while not channel.is_flushed or len(received) < len(body) + 7:
        channel.flush()
        received += _received(caller)
    assert received == b"head" + body + b"end"
