"""What official clients depend on, one test for each such statement of the protocol that concerns WebSockets.

What a task's item holds is the same over HTTP, where it is tested. Numbers in names are the statements' sections.
"""

import base64

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from cutgate.gateway.sockets import hub
from cutgate.jobs.errors import SourceUndecodable
from cutgate.jobs.record import ErrorFacts
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import Service, authentication, new_uuid, png, poll, removal
from tests.gateway.sockets.serving import Caller, admitted, calling, lost_session
from tests.waiting import eventually

PING = {"taskType": "ping", "ping": True}
PONG = {"data": [{"taskType": "ping", "pong": True}]}
FAILURE = ErrorFacts(kind=SourceUndecodable.kind, message="broken")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/"])
@pytest.mark.parametrize("query", ["", "?sdk=js&version=1.3.2", "?sdk=js&version=1.3.2&dryRun=1", "?%ff"])
def test_c_1_the_path_matches_with_any_query_string(address: str, path: str, query: str) -> None:
    with calling(address, path + query) as caller:
        caller.ping()


@pytest.mark.parametrize("key", ["wrong", 7, {}, ["x"]])
def test_c_2_2_a_bad_key_is_told_as_clients_know_it(stranger: Caller, key: object) -> None:
    stranger.send(authentication(key))
    error = {"code": "invalidApiKey", "message": "Invalid API key", "parameter": "apiKey"}
    error["taskType"] = "authentication"
    assert stranger.next() == {"errors": [error], "error": error}


@pytest.mark.constants(hub, ADMISSION_SECONDS=0.5)
def test_c_2_2_after_a_bad_key_the_connection_stays_and_is_then_closed_with_1000(stranger: Caller) -> None:
    assert stranger.refused(authentication("wrong")) == "invalidApiKey"
    with pytest.raises(ConnectionClosed):  # although it pings again and again
        eventually(stranger.ping, 5)
    assert stranger.close_code() == CloseCode.NORMAL_CLOSURE


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
    stranger.ping()
    stranger.send(authentication(service.api_key))
    stranger.send(PING)
    stranger.send(PING, removal(deliveryMethod="async"), PING)
    frames = [stranger.next() for _ in range(5)]
    assert frames.count(PONG) == 3
    assert all(len(frame["data"]) == 1 for frame in frames)


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


def test_c_10_2_pongs_come_while_tasks_are_busy(caller: Caller, service: Service) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1_000, 1_000, 3), np.uint8)
    picture = pictures.data_uri(png(noise))  # some 4 MB of Base64
    for _ in range(3):
        caller.send(removal(picture))
        caller.ping()
    with service.working():
        assert {caller.data()["status"] for _ in range(3)} == {"success"}


def test_c_11_2_a_frame_that_was_refused_as_too_long_is_not_sent_again(service: Service, address: str) -> None:
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


def test_c_11_2_errors_are_not_replayed(service: Service, address: str) -> None:
    session = lost_session(address, service, removal())
    service.harness.fail_one(FAILURE)
    with admitted(address, service, session) as again:
        assert again.is_silent()
