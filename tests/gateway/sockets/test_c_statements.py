"""What official clients depend on, one test for each such statement of the protocol that concerns WebSockets.

What a task's item holds is the same over HTTP, where it is tested. Numbers in names are the statements' sections.
"""

from __future__ import annotations

import base64
import json
import time

import numpy as np
import pytest
from websockets.frames import CloseCode

from cutgate.jobs.errors import SourceUndecodable
from cutgate.jobs.record import ErrorFacts
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import (
    Service,
    authentication,
    make_service,
    new_removal,
    new_uuid,
    png,
    poll,
    removal,
)
from tests.gateway.sockets.serving import Caller, admitted, calling, served, sockets_of, wait_for_items
from tests.waiting import eventually

PING = {"taskType": "ping", "ping": True}
PONG = {"data": [{"taskType": "ping", "pong": True}]}
INVALID_KEY = {
    "code": "invalidApiKey",
    "message": "Invalid API key",
    "parameter": "apiKey",
    "taskType": "authentication",
}
FAILURE = ErrorFacts(kind=SourceUndecodable.kind, message="broken")


@pytest.mark.parametrize(
    "path", ["/v1", "/v1?sdk=js&version=1.3.2", "/v1?sdk=js&version=1.3.2&dryRun=1", "/", "/?sdk=js", "/v1?%ff"]
)
def test_c_1_the_path_matches_with_any_query_string(address: str, path: str) -> None:
    with calling(address, path) as caller:
        caller.send(PING)
        assert caller.next() == PONG


def test_c_2_2_the_authentication_answer_has_no_task_uuid_and_a_session(
    stranger: Caller, service: Service
) -> None:
    stranger.send(authentication(service.api_key))
    (item,) = stranger.next()["data"]
    assert isinstance(item.pop("connectionSessionUUID"), str)
    assert item == {"taskType": "authentication"}


def test_c_2_2_authentication_is_answered_in_time(stranger: Caller, service: Service) -> None:
    began_at = time.monotonic()
    stranger.authenticate(service.api_key)
    assert time.monotonic() - began_at < 15


@pytest.mark.parametrize("key", ["wrong", 7, {}, ["x"]])
def test_c_2_2_a_bad_key_is_told_as_clients_know_it(stranger: Caller, key: object) -> None:
    stranger.send(authentication(key))
    assert stranger.next() == {"errors": [INVALID_KEY], "error": INVALID_KEY}


def test_c_2_2_after_a_bad_key_the_connection_stays_and_is_then_closed_with_1000() -> None:
    service = make_service(socket_authentication_seconds=1)
    with served(service.app) as address, calling(address) as stranger:
        stranger.send(authentication("wrong"))
        assert stranger.next()["errors"] == [INVALID_KEY]
        stranger.send(PING)
        assert stranger.next() == PONG
        assert stranger.close_code() == CloseCode.NORMAL_CLOSURE


def test_c_3_2_data_and_errors_are_arrays_and_never_empty(caller: Caller) -> None:
    caller.send(removal(deliveryMethod="async"), removal("no picture"), PING)
    frames = [caller.next() for _ in range(3)]
    assert sorted(key for frame in frames for key in frame) == ["data", "data", "errors"]
    assert all(len(items) == 1 for frame in frames for items in frame.values())


def test_c_3_2_each_frame_is_of_one_task_and_has_data_or_errors_never_both(
    caller: Caller, service: Service
) -> None:
    tasks = [removal() if number % 2 else removal("no picture") for number in range(8)]
    caller.send(*tasks)
    with service.working():
        frames = [caller.next() for _ in tasks]
    assert all(len(frame) == 1 and len(next(iter(frame.values()))) == 1 for frame in frames)
    told = {next(iter(frame.values()))[0]["taskUUID"]: next(iter(frame)) for frame in frames}
    assert told == {task["taskUUID"]: "data" if number % 2 else "errors" for number, task in enumerate(tasks)}


def test_c_7_6_a_ping_is_answered_before_authentication_and_alone(stranger: Caller, service: Service) -> None:
    stranger.send(PING)
    assert stranger.next() == PONG
    stranger.send(authentication(service.api_key))
    stranger.send(PING)
    frames = [stranger.next(), stranger.next()]
    assert PONG in frames
    assert all(len(frame["data"]) == 1 for frame in frames)


def test_c_7_6_a_ping_among_tasks_is_answered_alone(caller: Caller) -> None:
    caller.send(PING, removal(deliveryMethod="async"), PING)
    frames = [caller.next() for _ in range(3)]
    assert frames.count(PONG) == 2


def test_c_8_2_the_finished_result_of_an_asynchronous_task_is_not_pushed(caller: Caller, service: Service) -> None:
    caller.ask(removal(deliveryMethod="async"))
    assert service.work_once()
    assert caller.is_silent()


def test_c_9_1_an_error_has_a_task_uuid(caller: Caller, stranger: Caller) -> None:
    tasks = [removal("no picture"), removal(nothing=1), {"taskType": "nothing", "taskUUID": new_uuid()}]
    for task in tasks:
        caller.send(task)
        assert caller.error()["taskUUID"] == task["taskUUID"]
        stranger.send(task)
        early = stranger.error()
        assert (early["code"], early["taskUUID"]) == ("missingApiKey", task["taskUUID"])


def test_c_9_3_polls_and_pings_may_repeat_a_uuid(caller: Caller) -> None:
    task = removal(deliveryMethod="async")
    assert caller.ask(task) == caller.ask(task)
    for _ in range(3):
        assert caller.ask(poll(task))["status"] == "processing"


def test_c_10_2_pongs_come_while_tasks_are_busy(caller: Caller, service: Service) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1_000, 1_000, 3), np.uint8)
    picture = pictures.data_uri(png(noise))  # some 4 MB of Base64
    for _ in range(8):
        caller.send(removal(picture))
        sent_at = time.monotonic()
        caller.send(PING)
        assert caller.next() == PONG
        assert time.monotonic() - sent_at < 5, "a client gives up after 10 s"
    with service.working():
        assert {caller.data()["status"] for _ in range(8)} == {"success"}


def test_c_10_2_pings_of_the_websocket_itself_are_answered(caller: Caller) -> None:
    assert caller.connection.ping().wait(10)


def test_c_10_4_with_calls_in_flight_the_server_closes_with_1012_and_else_with_1000(
    caller: Caller, address: str, service: Service
) -> None:
    with admitted(address, service) as idle:
        caller.send(removal())
        wait_for_items(service, 1)
        sockets_of(service.app).stop(1.0)
        assert idle.close_code() == CloseCode.NORMAL_CLOSURE
        assert caller.close_code() == CloseCode.SERVICE_RESTART


def test_c_11_2_a_frame_that_was_refused_as_too_long_is_not_sent_again(service: Service, address: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (900, 900, 3), np.uint8)
    task = removal(
        pictures.data_uri(png(noise)), outputType="base64Data", outputFormat="PNG", deliveryMethod="async"
    )
    with service.working(), admitted(address, service) as first:
        session = first.authenticate(service.api_key)
        first.ask(task)
        eventually(lambda: first.ask(poll(task))["status"] != "processing")
    with admitted(address, service, session, max_size=2**20) as narrow:
        narrow.send(poll(task))
        assert narrow.close_code() is None
    with admitted(address, service, session) as again:
        assert again.is_silent()
        again.send(poll(task))
        error = again.error()
        assert (error["code"], error["taskUUID"]) == ("maxMessageSizeExceeded", task["taskUUID"])
    with admitted(address, service) as other:
        item = other.ask(poll(task))
        assert len(base64.b64decode(item["imageBase64Data"])) > 2**20


def test_c_11_2_errors_are_not_replayed(service: Service, address: str) -> None:
    with admitted(address, service) as first:
        session = first.authenticate(service.api_key)
        first.send(removal())
        wait_for_items(service, 1)
        first.vanish()
    service.fail_next(FAILURE)
    with admitted(address, service, session) as again:
        assert again.is_silent()


def test_c_11_3_one_message_is_answered_by_one_item_of_its_task_uuid(caller: Caller, service: Service) -> None:
    task = new_removal(outputType=["URL", "base64Data", "dataURI"])
    with service.working():
        frame = json.dumps(task)
        caller.connection.send(f"[{frame}]")
        item = caller.data()
    assert item["taskUUID"] == task["taskUUID"]
    assert {"imageURL", "imageBase64Data", "imageDataURI", "imageUUID", "mediaUUID"} <= set(item)


def test_c_13_bodies_of_full_length_are_taken_after_authentication() -> None:
    service = make_service(runware_sync_seconds=30)
    with served(service.app) as address, admitted(address, service) as caller:
        padded = removal(deliveryMethod="async") | {"safety": {"note": "x" * (3 * 2**20)}}
        caller.send(padded)
        assert set(caller.next()) <= {"data", "errors"}
