"""How connections begin, last and end, and what one may hold."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import CloseCode

from cutgate.jobs.observe.metric_names import SOCKETS_OPEN
from tests.gateway.runware.service import Service, authentication, make_service, poll, removal
from tests.gateway.sockets.serving import Caller, admitted, calling, served, sockets_of, wait_for_items
from tests.ledgers import FreshLedger
from tests.servers.scrapes import here
from tests.waiting import eventually

PING = {"taskType": "ping", "ping": True}


def raw(address: str, head: str) -> bytes:
    """The answer to bytes."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        return connection.recv(4_096)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Sec-WebSocket-Key: short\nSec-WebSocket-Version: 13\n", b" 400 "),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n", b" 400 "),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 8\n", b" 400 "),
    ],
)
def test_a_broken_handshake_is_refused(address: str, headers: str, status: bytes) -> None:
    head = f"GET /v1 HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n{headers}\n"
    assert status in raw(address, head).splitlines()[0]


def test_no_extension_is_agreed_on(stranger: Caller) -> None:
    assert stranger.connection.protocol.extensions == []


def test_another_path_has_no_web_socket(address: str) -> None:
    with pytest.raises(InvalidStatus), calling(address, "/v2"):
        pass


def test_one_connection_too_many_is_closed_with_1013_and_a_place_frees() -> None:
    service = make_service(sockets=2)
    with served(service.app) as address, calling(address) as first:
        with calling(address) as second:
            for caller in (first, second):
                caller.send(PING)
                caller.next()
            with calling(address) as third:
                assert third.close_code() == CloseCode.TRY_AGAIN_LATER
        eventually(lambda: len(sockets_of(service.app)) <= 1)
        with calling(address) as fourth:
            fourth.send(PING)
            fourth.next()


def test_open_connections_are_counted() -> None:
    service = make_service()

    def counted() -> float:
        return here().value(SOCKETS_OPEN) or 0

    with served(service.app) as address:
        before = counted()
        with calling(address) as caller:
            caller.send(PING)
            caller.next()
            assert counted() == before + 1
        eventually(lambda: counted() == before)


def test_who_shows_no_key_is_closed_although_it_pings() -> None:
    service = make_service(socket_authentication_seconds=0.4)
    with served(service.app) as address, calling(address) as caller:
        caller.send(PING)
        caller.next()
        assert caller.close_code() == CloseCode.NORMAL_CLOSURE


def test_an_idle_connection_is_closed_and_a_busy_or_pinging_one_is_not() -> None:
    service = make_service(socket_idle_seconds=1, socket_ping_seconds=0.2, runware_sync_seconds=30)
    with (
        served(service.app) as address,
        admitted(address, service) as idle,
        admitted(address, service) as busy,
        admitted(address, service) as pinging,
    ):
        busy.send(removal())
        wait_for_items(service, 1)
        for _ in range(8):
            pinging.send(PING)
            pinging.next()
            time.sleep(0.25)
        assert idle.close_code() == CloseCode.NORMAL_CLOSURE
        assert service.work_once()
        assert busy.data()["status"] == "success"
        pinging.send(PING)
        pinging.next()


def test_a_peer_that_is_gone_without_a_word_is_noticed() -> None:
    service = make_service(socket_ping_seconds=0.1)
    with served(service.app) as address:
        host, _, port = address.partition(":")
        head = (
            "GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        with socket.create_connection((host, int(port)), timeout=30) as silent:
            silent.sendall(head.encode())
            assert silent.recv(4_096)
            # The server's pings come, which nobody answers.
            eventually(lambda: not silent.recv(4_096))


def test_a_long_message_before_authentication_closes_with_1009(stranger: Caller, service: Service) -> None:
    stranger.send(authentication(service.api_key), removal("x" * 2**21))
    assert stranger.close_code() == CloseCode.MESSAGE_TOO_BIG


def test_a_message_over_the_limit_closes_with_1009() -> None:
    service = make_service(max_source_bytes=2**20, max_body_bytes=2**21, max_runware_body_bytes=2**21)
    with served(service.app) as address, admitted(address, service) as caller:
        caller.send(removal("x" * 2**21))
        assert caller.close_code() == CloseCode.MESSAGE_TOO_BIG


def test_fragments_and_binary_messages_are_read(stranger: Caller) -> None:
    text = json.dumps([PING])
    stranger.connection.send(iter([text[:5], text[5:9], text[9:]]))
    assert stranger.data()["pong"] is True
    stranger.connection.send(text.encode())
    assert stranger.data()["pong"] is True


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[7]", "[" * 1_000, '[{"taskType":"ping"},7]', "\x00ping"])
def test_what_is_no_message_is_told(caller: Caller, text: str) -> None:
    caller.connection.send(text)
    assert caller.error()["code"] == "invalidRequest"
    caller.send(PING)
    assert caller.data()["pong"] is True


def test_tasks_may_follow_the_authentication_in_its_message(stranger: Caller, service: Service) -> None:
    task = removal(deliveryMethod="async")
    stranger.send(authentication(service.api_key), task)
    assert stranger.data()["taskType"] == "authentication"
    assert stranger.data()["taskUUID"] == task["taskUUID"]


def test_many_tasks_are_in_flight_and_none_has_a_thread(caller: Caller, service: Service) -> None:
    tasks = [removal() for _ in range(40)]
    for task in tasks:
        caller.send(task)
    wait_for_items(service, len(tasks))
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("socket-work")]
    assert len(threads) <= service.settings.socket_threads
    with service.working():
        told = {caller.data()["taskUUID"] for _ in tasks}
    assert told == {task["taskUUID"] for task in tasks}


def test_calls_over_the_limit_of_a_connection_are_refused() -> None:
    service = make_service(socket_calls=2, runware_sync_seconds=30)
    with served(service.app) as address, admitted(address, service) as caller:
        for number in range(2):
            caller.send(removal())
            wait_for_items(service, number + 1)
        caller.send(removal())
        assert caller.error()["code"] == "serviceUnavailable"
        with service.working():
            assert {caller.data()["status"] for _ in range(2)} == {"success"}


def test_a_result_that_takes_too_long_is_a_timeout_and_can_be_polled() -> None:
    service = make_service(runware_sync_seconds=0.2)
    with served(service.app) as address, admitted(address, service) as caller:
        task = removal()
        caller.send(task)
        assert caller.error()["code"] == "timeoutProvider"
        assert service.work_once()
        assert caller.ask(poll(task))["status"] == "success"


def test_a_stop_lets_calls_end_and_takes_on_nothing_new(service: Service, address: str) -> None:
    with admitted(address, service) as caller:
        task = removal()
        caller.send(task)
        wait_for_items(service, 1)
        sockets_of(service.app).stop(20)
        time.sleep(0.1)
        late = removal()
        caller.send(late)
        refused = caller.error()
        assert (refused["code"], refused["taskUUID"]) == ("serviceUnavailable", late["taskUUID"])
        assert service.work_once()
        assert caller.data()["taskUUID"] == task["taskUUID"]
        assert caller.close_code() == CloseCode.NORMAL_CLOSURE
    assert sockets_of(service.app).wait_until_stopped(10)


def test_addresses_that_try_keys_are_shut_out_for_a_while() -> None:
    service = make_service(failed_signatures_per_minute=2)
    with served(service.app) as address:
        for _ in range(2):
            with calling(address) as caller:
                caller.send(authentication("wrong"))
                assert caller.next()["errors"][0]["code"] == "invalidApiKey"
        with calling(address) as caller:
            caller.send(authentication(service.api_key))
            assert caller.next()["errors"][0]["code"] == "rateLimitExceeded"
            assert caller.close_code() == CloseCode.TRY_AGAIN_LATER


def test_a_result_comes_although_its_news_is_lost() -> None:
    service = make_service(runware_sync_seconds=30)
    app = service.harness.make_app(service.settings, events=FreshLedger().events)
    with served(app) as address, admitted(address, service) as caller:
        caller.send(removal())
        wait_for_items(service, 1)
        assert service.work_once()
        assert caller.data()["status"] == "success"
