"""Peers that send more than they read, more than is worked on, or nothing: what a connection may hold."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.frames import CloseCode, Opcode
from websockets.frames import Frame as WireFrame

from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.runware.tasks.actions import RunwareTasks
from cutgate.gateway.sockets import connection, hub
from tests.gateway.runware.service import Service, authentication, removal
from tests.gateway.sockets.serving import Caller, admitted, calling, sockets_of, with_settings
from tests.gateway.sockets.test_connections import GOOD_KEY
from tests.waiting import eventually

PATIENCE_SECONDS = 20
STALLED_SECONDS = 2
"""What is not taken for so long is not taken before the peer reads."""
MEBIBYTE = 2**20
FLOOD_BYTES = 96 * MEBIBYTE
BUFFERS_BYTES = 48 * MEBIBYTE
"""More than the system's buffers of a connection, and one read of it, hold."""
PING = {"taskType": "ping"}


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return WireFrame(opcode, data, fin).serialize(mask=True)


def message(*tasks: Any) -> bytes:
    return frame(Opcode.TEXT, json.dumps(tasks).encode())


@pytest.fixture
def may_go_on(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What tasks wait for before they begin."""
    event, begin = threading.Event(), RunwareTasks.begin

    def slowly(*arguments: Any, **options: Any) -> Any:
        event.wait(PATIENCE_SECONDS)
        return begin(*arguments, **options)

    monkeypatch.setattr(RunwareTasks, "begin", slowly)
    return event


@contextmanager
def unread(address: str) -> Iterator[socket.socket]:
    """A connection whose peer reads nothing but the answer to its handshake."""
    host, _, port = address.partition(":")
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        peer.settimeout(PATIENCE_SECONDS)
        peer.connect((host, int(port)))
        head = "GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        peer.sendall(f"{head}{GOOD_KEY}Sec-WebSocket-Version: 13\r\n\r\n".encode())
        while not peer.recv(4_096).endswith(b"\r\n\r\n"):
            pass
        peer.settimeout(STALLED_SECONDS)
        yield peer


def sent_bytes(peer: socket.socket, flood: bytes, most_bytes: int) -> int:
    """How much of something that is sent again and again is taken."""
    size_bytes = 0
    try:
        while size_bytes < most_bytes:
            size_bytes += peer.send(memoryview(flood)[size_bytes % len(flood) :])
    except OSError:
        pass  # nothing more is taken, or the connection is broken off
    return size_bytes


FLOODS = {
    "control frames": frame(Opcode.PING, b"x" * 125) * 512,
    "pings": message(*[PING] * 30) * 64,
    "refused tasks": message(*[{"taskType": "a"}] * 32) * 64,
}


@pytest.mark.parametrize(
    ("flood", "has_key"), [*((flood, False) for flood in FLOODS), ("refused tasks", True)], ids=str
)
def test_nothing_is_read_from_a_peer_that_does_not_read(
    service: Service, address: str, flood: str, has_key: bool
) -> None:
    with unread(address) as peer:
        if has_key:
            peer.sendall(message(authentication(service.api_key)))
            assert b"connectionSessionUUID" in peer.recv(4_096)
        assert sent_bytes(peer, FLOODS[flood], FLOOD_BYTES) < BUFFERS_BYTES


def test_pongs_wait_for_a_peer_that_reads_late(address: str) -> None:
    pings = frame(Opcode.PING, b"x" * 125)
    count = 4 * MEBIBYTE // len(pings)
    with unread(address) as peer:
        peer.settimeout(PATIENCE_SECONDS)
        sender = threading.Thread(target=peer.sendall, args=[pings * count])
        sender.start()
        sender.join(STALLED_SECONDS / 4)
        left = count * 127
        while left:
            left -= len(peer.recv(min(left, MEBIBYTE)))
        sender.join()


@pytest.mark.constants(hub, ADMISSION_SECONDS=600)
@pytest.mark.constants(connection, _UNSENT_BYTES=256)
def test_what_waits_for_a_peer_beyond_the_limit_breaks_the_connection_off(service: Service, address: str) -> None:
    with unread(address) as peer:
        flood = frame(Opcode.PING, b"x" * 125) * 2_000
        while sent_bytes(peer, flood, len(flood)):
            pass
        eventually(lambda: not len(sockets_of(service.app)))


def test_a_connection_has_one_large_message_at_a_time(
    service: Service, address: str, may_go_on: threading.Event
) -> None:
    large = message(removal("x" * 16 * MEBIBYTE))
    with unread(address) as peer:
        peer.sendall(message(authentication(service.api_key)))
        assert b"connectionSessionUUID" in peer.recv(4_096)
        assert sent_bytes(peer, large, 8 * len(large)) < len(large) + BUFFERS_BYTES
        may_go_on.set()
        assert sent_bytes(peer, large, 1)


@contextmanager
def receiving(service: Service, address: str, text: bytes) -> Iterator[tuple[socket.socket, bytes]]:
    """A caller of which a large message is being received; with what it has not sent."""
    whole = frame(Opcode.TEXT, text)
    with unread(address) as peer:
        peer.sendall(message(authentication(service.api_key)))
        assert b"connectionSessionUUID" in peer.recv(4_096)
        peer.sendall(whole[:-1])
        eventually(lambda: sockets_of(service.app).receiving_large == 1)
        yield peer, whole[-1:]


@pytest.fixture
def large() -> bytes:
    return json.dumps([{**removal(), "inputImage": "x" * 2 * MEBIBYTE}]).encode()


@pytest.mark.constants(hub, LARGE_MESSAGES=1)
def test_large_messages_come_in_turn(service: Service, address: str, large: bytes) -> None:
    with admitted(address, service) as second, receiving(service, address, large) as (first, rest):
        second.connection.send(large.decode())
        assert second.is_silent()
        first.sendall(rest)
        assert second.error()["code"] == "invalidInputImage"


@pytest.mark.constants(hub, LARGE_MESSAGES=2)
def test_an_account_has_half_of_the_room_for_large_messages(service: Service, address: str, large: bytes) -> None:
    other = Credentials(service.accounts).add_api_key("other")
    with (
        admitted(address, service) as second,
        calling(address) as stranger,
        receiving(service, address, large) as (first, rest),
    ):
        second.connection.send(large.decode())
        stranger.authenticate(other)
        stranger.connection.send(large.decode())
        assert stranger.error()["code"] == "invalidInputImage"
        assert second.is_silent()
        first.sendall(rest)
        assert second.error()["code"] == "invalidInputImage"


@pytest.mark.constants(hub, LARGE_MESSAGES=1)
@with_settings(head_seconds=0.2, transfer_seconds=0.5)
def test_a_large_message_that_stops_coming_makes_room(service: Service, address: str, large: bytes) -> None:
    with admitted(address, service) as second, receiving(service, address, large) as (first, _):
        second.connection.send(large.decode())
        assert second.error()["code"] == "invalidInputImage"
        assert CloseCode.POLICY_VIOLATION.to_bytes(2) in first.recv(4_096)


@with_settings(trusted_proxies=("127.0.0.1",), sockets=20)
def test_strangers_have_few_places_and_callers_have_theirs(service: Service, address: str) -> None:
    with ExitStack() as held:

        def stranger(client: str) -> Caller:
            return held.enter_context(calling(address, additional_headers={"X-Forwarded-For": client}))

        def is_refused(caller: Caller) -> bool:
            try:
                caller.ping()
            except AssertionError:
                raise
            except Exception:
                return caller.close_code() == CloseCode.TRY_AGAIN_LATER
            return False

        strangers = [stranger("192.0.2.1") for _ in range(8)]
        assert not any(is_refused(one) for one in strangers)
        assert is_refused(stranger("192.0.2.1")), "its address has enough"
        others = [stranger("192.0.2.2") for _ in range(2)]
        assert not any(is_refused(one) for one in others)
        assert is_refused(stranger("192.0.2.3")), "strangers have enough"
        strangers[0].authenticate(service.api_key)
        assert not is_refused(stranger("192.0.2.3")), "a caller is no stranger"


@with_settings(sockets=6)
def test_an_account_has_so_many_connections(service: Service, address: str) -> None:
    other = Credentials(service.accounts).add_api_key("other")
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(admitted(address, service))
        fourth, stranger = (held.enter_context(calling(address)) for _ in range(2))
        with admitted(address, service):
            fourth.send(authentication(service.api_key))
            assert fourth.close_code() == CloseCode.TRY_AGAIN_LATER
            stranger.authenticate(other)
        eventually(lambda: len(sockets_of(service.app)) == 3)
        with admitted(address, service) as again:
            again.ping()


def test_the_log_tells_of_a_stranger_once(service: Service, address: str) -> None:
    with capture_logs() as logs, calling(address) as stranger:
        for _ in range(20):
            stranger.send({"taskType": "a"}, {"taskType": "b"})
        assert {stranger.error()["code"] for _ in range(40)} == {"missingApiKey"}
        stranger.authenticate(service.api_key)
        told = [line["code"] for line in logs if line["event"] == "task_answered"]
        assert told == ["missingApiKey", "ok"]


@pytest.mark.constants(hub, PING_SECONDS=0.2)
def test_a_peer_that_is_held_back_is_not_taken_for_dead(
    service: Service, address: str, may_go_on: threading.Event
) -> None:
    with admitted(address, service) as caller:
        padding = " " * 2 * MEBIBYTE
        caller.connection.send(json.dumps([removal(deliveryMethod="async")]) + padding)
        assert caller.is_silent(2)
        may_go_on.set()
        assert caller.data()["taskType"] == "imageBackgroundRemoval"


def test_a_message_after_a_flood_is_answered(caller: Caller) -> None:
    for _ in range(200):
        caller.connection.send(json.dumps([PING, {"taskType": "a"}]))
    for _ in range(400):
        caller.next()
    caller.ping()
