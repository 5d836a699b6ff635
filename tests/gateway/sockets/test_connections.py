"""How connections begin, last and end, what one may hold, and what official clients depend on."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode

from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.runware.sockets import conversation
from cutgate.gateway.sockets import hub
from cutgate.jobs.errors import LedgerUnavailable, SourceUndecodable
from cutgate.jobs.observe.metric_names import SOCKETS_OPEN
from cutgate.jobs.record import ErrorFacts
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.on_loop import served, serving
from tests.gateway.runware.service import ACCOUNT, Service, authentication, new_uuid, png, poll, removal
from tests.gateway.sockets.serving import (
    Caller,
    admitted,
    calling,
    lost_session,
    sockets_of,
    wait_for_items,
    with_settings,
)
from tests.ledgers import FreshLedger
from tests.servers.scrapes import here
from tests.waiting import eventually

PING = {"taskType": "ping", "ping": True}
GOOD_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@contextmanager
def shaking_hands(address: str, headers: str) -> Iterator[socket.socket]:
    """A connection that has asked for a WebSocket, byte by byte."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = "GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        connection.sendall(f"{head}{headers}\r\n".encode())
        yield connection


@pytest.mark.parametrize(
    "headers",
    [
        "Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n",
        GOOD_KEY,
        f"{GOOD_KEY}Sec-WebSocket-Version: 8\r\n",
    ],
)
def test_a_broken_handshake_is_refused(address: str, headers: str) -> None:
    with shaking_hands(address, headers) as connection:
        assert b" 400 " in connection.recv(4_096).splitlines()[0]


def test_no_extension_is_agreed_on(stranger: Caller) -> None:
    assert stranger.connection.protocol.extensions == []


def test_another_path_has_no_web_socket(address: str) -> None:
    with pytest.raises(InvalidStatus), calling(address, "/v2"):
        pass


@with_settings(sockets=1)
def test_one_connection_too_many_is_closed_with_1013_and_a_place_frees(service: Service, address: str) -> None:
    with admitted(address, service) as first:
        first.ping()
        with calling(address) as second:
            assert second.close_code() == CloseCode.TRY_AGAIN_LATER
    eventually(lambda: not len(sockets_of(service.app)))
    with calling(address) as third:
        third.ping()


def test_open_connections_are_counted(address: str) -> None:
    def counted() -> float:
        return here().value(SOCKETS_OPEN) or 0

    before = counted()
    with calling(address) as caller:
        caller.ping()
        assert counted() == before + 1
    eventually(lambda: counted() == before)


@pytest.mark.constants(hub, IDLE_SECONDS=1, PING_SECONDS=0.2)
def test_an_idle_connection_is_closed_and_a_busy_or_pinging_one_is_not(service: Service, address: str) -> None:
    with (
        admitted(address, service) as idle,
        admitted(address, service) as busy,
        admitted(address, service) as pinging,
    ):
        busy.send(removal())
        wait_for_items(service)
        for _ in range(8):
            pinging.ping()
            time.sleep(0.25)
        assert idle.close_code() == CloseCode.NORMAL_CLOSURE
        assert service.work_once()
        assert busy.data()["status"] == "success"
        pinging.ping()


@pytest.mark.constants(hub, PING_SECONDS=0.1)
def test_a_peer_that_is_gone_without_a_word_is_noticed(address: str) -> None:
    with shaking_hands(address, f"{GOOD_KEY}Sec-WebSocket-Version: 13\r\n") as silent:
        assert silent.recv(4_096)
        # The server's pings come, which nobody answers.
        eventually(lambda: not silent.recv(4_096))


def test_a_long_message_before_authentication_closes_with_1009(stranger: Caller, service: Service) -> None:
    stranger.send(authentication(service.api_key), removal("x" * 2**21))
    assert stranger.close_code() == CloseCode.MESSAGE_TOO_BIG


@with_settings(max_source_bytes=2**20, max_body_bytes=2**21, max_runware_body_bytes=2**21)
def test_a_message_over_the_limit_closes_with_1009(caller: Caller) -> None:
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
    caller.ping()


def test_tasks_may_follow_the_authentication_in_its_message(stranger: Caller, service: Service) -> None:
    task = removal(deliveryMethod="async")
    stranger.send(authentication(service.api_key), task)
    assert stranger.data()["taskType"] == "authentication"
    assert stranger.data()["taskUUID"] == task["taskUUID"]


def test_many_tasks_are_in_flight_and_none_has_a_thread(caller: Caller, service: Service) -> None:
    tasks = [removal() for _ in range(40)]
    others = set(threading.enumerate())  # another test's hub may not have ended yet
    for task in tasks:
        caller.send(task)
    wait_for_items(service, len(tasks))
    threads = [thread.name for thread in threading.enumerate() if thread not in others]
    assert sum(name.startswith("socket-work") for name in threads) <= hub.THREADS
    with service.working():
        told = {caller.data()["taskUUID"] for _ in tasks}
    assert told == {task["taskUUID"] for task in tasks}


@pytest.mark.constants(conversation, CALLS=2)
def test_calls_over_the_limit_of_a_connection_are_refused(service: Service, caller: Caller) -> None:
    for number in range(2):
        caller.send(removal())
        wait_for_items(service, number + 1)
    assert caller.refused(removal()) == "serviceUnavailable"
    with service.working():
        assert {caller.data()["status"] for _ in range(2)} == {"success"}


@with_settings(runware_sync_seconds=0.2)
def test_a_result_that_takes_too_long_is_a_timeout_and_can_be_polled(service: Service, caller: Caller) -> None:
    task = removal()
    assert caller.refused(task) == "timeoutProvider"
    assert service.work_once()
    assert caller.ask(poll(task))["status"] == "success"


def test_a_stop_lets_calls_end_and_takes_on_nothing_new(service: Service) -> None:
    task, late = removal(), removal()
    with (
        serving(service.app, shutdown_seconds=22) as (address, server),
        calling(address) as stranger,
        admitted(address, service) as caller,
    ):
        caller.send(task)
        wait_for_items(service)
        server.should_exit = True
        assert stranger.close_code() == CloseCode.NORMAL_CLOSURE
        caller.send(late)
        refused = caller.error()
        assert (refused["code"], refused["taskUUID"]) == ("serviceUnavailable", late["taskUUID"])
        assert service.work_once()
        assert caller.data()["taskUUID"] == task["taskUUID"]
        assert caller.close_code() == CloseCode.NORMAL_CLOSURE


def test_a_stop_whose_time_is_over_closes_with_1012_what_is_busy(service: Service) -> None:
    with serving(service.app) as (address, server), admitted(address, service) as caller:
        caller.send(removal())
        wait_for_items(service)
        server.should_exit = True
        assert caller.close_code() == CloseCode.SERVICE_RESTART


@with_settings(failed_signatures_per_minute=2)
def test_addresses_that_try_keys_are_shut_out_for_a_while(service: Service, address: str) -> None:
    with calling(address) as right:
        for _ in range(2):
            with calling(address) as caller:
                assert caller.refused(authentication("wrong")) == "invalidApiKey"
        with calling(address) as caller:
            assert caller.refused(authentication("wrong")) == "rateLimitExceeded"
            assert caller.close_code() == CloseCode.TRY_AGAIN_LATER
        for path in ("/v1", "/"):
            with pytest.raises(InvalidStatus) as refused, calling(address, path):
                pytest.fail("it is let in")
            assert refused.value.response.status_code == 429
            assert 1 <= int(refused.value.response.headers["Retry-After"]) <= 60
        right.authenticate(service.api_key)
    with calling(address) as caller:
        caller.ping()


@with_settings(failed_signatures_per_minute=1)
def test_a_right_key_in_the_header_opens_an_address_that_is_shut_out(service: Service, address: str) -> None:
    with calling(address) as caller:
        codes = [caller.refused(authentication("wrong")) for _ in range(2)]
    assert codes == ["invalidApiKey", "rateLimitExceeded"]
    with calling(address, additional_headers={"Authorization": f"Bearer {service.api_key}"}) as caller:
        caller.authenticate(service.api_key)


@pytest.mark.parametrize("how", ["revoked", "suspended"])
def test_a_key_that_counts_no_more_ends_the_connection_with_the_next_message(
    service: Service, caller: Caller, how: str
) -> None:
    assert caller.ask(removal(deliveryMethod="async"))
    service.end_key(how)
    task = removal(deliveryMethod="async")
    caller.send(task)
    refused = caller.error()
    assert (refused["code"], refused["taskUUID"]) == ("invalidApiKey", task["taskUUID"])
    assert caller.close_code() == CloseCode.POLICY_VIOLATION
    assert service.store.waiting(service.lane) == 1


def test_accounts_that_are_away_are_passing(service: Service, caller: Caller) -> None:
    service.accounts.change(ACCOUNT, terms=Terms(queue_cap=7))
    failing(service.accounts.table, read_credential=LedgerUnavailable("away"))
    caller.send(removal())
    assert caller.error()["code"] == "serviceUnavailable"
    caller.ping()


def test_a_result_comes_although_its_news_is_lost(service: Service) -> None:
    app = service.harness.make_app(service.settings, events=FreshLedger().events)
    with served(app) as address, admitted(address, service) as caller:
        caller.send(removal())
        wait_for_items(service)
        assert service.work_once()
        assert caller.data()["status"] == "success"


PONG = {"data": [{"taskType": "ping", "pong": True}]}
FAILURE = ErrorFacts(kind=SourceUndecodable.kind, message="broken")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/"])
@pytest.mark.parametrize("query", ["", "?sdk=js&version=1.3.2", "?sdk=js&version=1.3.2&dryRun=1", "?%ff"])
def test_the_path_matches_with_any_query_string(address: str, path: str, query: str) -> None:
    with calling(address, path + query) as caller:
        caller.ping()


@pytest.mark.parametrize("key", ["wrong", 7, {}, ["x"]])
def test_a_bad_key_is_told_as_clients_know_it(stranger: Caller, key: object) -> None:
    stranger.send(authentication(key))
    error = {"code": "invalidApiKey", "message": "Invalid API key", "parameter": "apiKey"}
    error["taskType"] = "authentication"
    assert stranger.next() == {"errors": [error], "error": error}


@pytest.mark.constants(hub, ADMISSION_SECONDS=0.5)
def test_after_a_bad_key_the_connection_stays_and_is_then_closed_with_1000(stranger: Caller) -> None:
    assert stranger.refused(authentication("wrong")) == "invalidApiKey"
    with pytest.raises(ConnectionClosed):  # although it pings again and again
        eventually(stranger.ping, 5)
    assert stranger.close_code() == CloseCode.NORMAL_CLOSURE


def test_each_frame_is_of_one_task_and_has_data_or_errors_never_both(caller: Caller, service: Service) -> None:
    tasks = [removal() if number % 2 else removal("no picture") for number in range(8)]
    caller.send(*tasks)
    with service.working():
        frames = [caller.next() for _ in tasks]
    assert all(len(frame) == 1 and len(next(iter(frame.values()))) == 1 for frame in frames)
    told = {next(iter(frame.values()))[0]["taskUUID"]: next(iter(frame)) for frame in frames}
    assert told == {task["taskUUID"]: "data" if number % 2 else "errors" for number, task in enumerate(tasks)}


def test_a_ping_is_answered_before_authentication_and_alone(stranger: Caller, service: Service) -> None:
    stranger.ping()
    stranger.send(authentication(service.api_key))
    stranger.send(PING)
    stranger.send(PING, removal(deliveryMethod="async"), PING)
    frames = [stranger.next() for _ in range(5)]
    assert frames.count(PONG) == 3
    assert all(len(frame["data"]) == 1 for frame in frames)


def test_the_finished_result_of_an_asynchronous_task_is_not_pushed(caller: Caller, service: Service) -> None:
    caller.ask(removal(deliveryMethod="async"))
    assert service.work_once()
    assert caller.is_silent()


def test_an_error_has_a_task_uuid(caller: Caller, stranger: Caller) -> None:
    tasks = [removal("no picture"), removal(nothing=1), {"taskType": "nothing", "taskUUID": new_uuid()}]
    for task in tasks:
        caller.send(task)
        assert caller.error()["taskUUID"] == task["taskUUID"]
        stranger.send(task)
        early = stranger.error()
        assert (early["code"], early["taskUUID"]) == ("missingApiKey", task["taskUUID"])


def test_pongs_come_while_tasks_are_busy(caller: Caller, service: Service) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (500, 500, 3), np.uint8)
    picture = pictures.data_uri(png(noise))  # 1 MB of Base64
    for _ in range(3):
        caller.send(removal(picture))
        caller.ping()
    with service.working():
        assert {caller.data()["status"] for _ in range(3)} == {"success"}


def test_a_frame_that_was_refused_as_too_long_is_not_sent_again(service: Service, address: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (900, 900, 3), np.uint8)
    task = removal(
        pictures.data_uri(png(noise)), outputType="base64Data", outputFormat="PNG", deliveryMethod="async"
    )
    with service.working(), admitted(address, service) as first:
        first.ask(task)
        eventually(lambda: first.ask(poll(task))["status"] != "processing")
    with admitted(address, service, first.session, max_size=2**20) as narrow:
        narrow.send(poll(task))
        assert narrow.close_code() is None
    with admitted(address, service, first.session) as again:
        assert again.is_silent()
        again.send(poll(task))
        error = again.error()
        assert (error["code"], error["taskUUID"]) == ("maxMessageSizeExceeded", task["taskUUID"])
    with admitted(address, service) as other:
        item = other.ask(poll(task))
        assert len(base64.b64decode(item["imageBase64Data"])) > 2**20


def test_errors_are_not_replayed(service: Service, address: str) -> None:
    session = lost_session(address, service, removal())
    service.harness.fail_one(FAILURE)
    with admitted(address, service, session) as again:
        assert again.is_silent()
