"""Tests of Runware: each task of a message is counted once, and has its own ids in the log."""

from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from cutgate.jobs.observe import logs
from cutgate.jobs.observe import metric_names as names
from tests.gateway.on_loop import served
from tests.gateway.runware.service import Item, Service, authentication, new_removal, new_uuid, poll, removal
from tests.gateway.sockets.serving import calling
from tests.servers.scrapes import here

Counts = dict[tuple[str, str], float]
ASYNC = {"deliveryMethod": "async"}


def counts() -> Counts:
    """Runware's requests so far, by action and code."""
    ours = [(name, dict(labels), value) for (name, labels), value in here().samples().items()]
    ours = [row for row in ours if row[1].get("facade") == "runware"]
    found = {(row["action"], row["code"]): value for name, row, value in ours if name == names.REQUESTS.name}
    timed = f"{names.REQUEST_SECONDS.name}_count"
    assert sum(found.values()) == sum(value for name, _, value in ours if name == timed)
    return found


def since(before: Counts) -> Counts:
    return {key: value - before.get(key, 0) for key, value in counts().items() if value != before.get(key, 0)}


@pytest.fixture
def logged() -> list[Any]:
    """Lines with what is bound for them."""
    capture = LogCapture()
    structlog.configure(processors=[logs.merge_bound, capture])
    return capture.entries


def test_tasks_of_one_message(service: Service) -> None:
    before, first = counts(), removal(**ASYNC)
    service.post([first, new_removal(**ASYNC), poll(first), poll(removal()), {"taskType": "ping"}])
    assert since(before) == {
        ("imageBackgroundRemoval", "ok"): 1,
        ("removeBackground", "ok"): 1,
        ("getResponse", "ok"): 1,
        ("getResponse", "taskNotFound"): 1,
        ("ping", "ok"): 1,
    }


def test_what_callers_make_up_is_no_label(service: Service) -> None:
    before = counts()
    service.post([{"taskType": "madeUp", "taskUUID": new_uuid()}, {"taskUUID": "madeUp"}, {"taskType": 7}])
    assert since(before) == {("other", "unsupportedTaskType"): 1, ("other", "missingTaskType"): 2}
    assert "madeUp" not in here().text


def test_a_message_that_is_refused_as_a_whole(service: Service) -> None:
    before = counts()
    service.post("{")
    service.post([removal()], api_key="nobody's")
    service.post([], api_key=None)
    service.harness.open("/v1")
    assert since(before) == {("other", "invalidRequest"): 3, ("authentication", "invalidApiKey"): 1}


def test_ids_of_one_task_are_not_the_next_ones(service: Service, logged: list[Any]) -> None:
    first, second = removal(**ASYNC), removal("!")
    service.post([first, second])
    answered = {line["task_uuid"]: line for line in logged if line["event"] == "task_answered"}
    assert answered[first["taskUUID"]]["task_uid"] == service.task_of(first).uid
    assert "task_uid" not in answered[second["taskUUID"]]
    [refused] = [line for line in logged if line["event"] == "task_refused"]
    assert (refused["task_uuid"], refused["account"]) == (second["taskUUID"], "shop")
    [request] = [line for line in logged if line["event"] == "request"]
    assert {line["request_uuid"] for line in logged} == {request["request_uuid"]}
    assert "task_uuid" not in request


def test_nothing_is_left_to_the_next_request(service: Service, logged: list[Any]) -> None:
    service.post([removal(**ASYNC)])
    assert logs.facts() == {}
    service.post([removal()], api_key="nobody's")
    *_, last = [line for line in logged if line["event"] == "request"]
    assert "account" not in last


def test_over_web_sockets_each_task_counts_once_and_has_its_own_ids(
    patient_service: Service, logged: list[Any]
) -> None:
    before, tasks = counts(), [removal() for _ in range(3)]
    refused: Item = removal("!")
    with served(patient_service.app) as address, calling(address) as caller, patient_service.working():
        caller.send(poll(tasks[0]))
        assert caller.error()["code"] == "missingApiKey"
        caller.send(authentication("nobody's"))
        assert "errors" in caller.next()
        caller.authenticate(patient_service.api_key)
        caller.send({"taskType": "ping"})
        caller.data()
        caller.send(*tasks)
        caller.send(refused)
        for _ in (*tasks, refused):
            caller.next()
    assert since(before) == {
        ("getResponse", "missingApiKey"): 1,
        ("authentication", "invalidApiKey"): 1,
        ("authentication", "ok"): 1,
        ("ping", "ok"): 1,
        ("imageBackgroundRemoval", "ok"): 3,
        ("imageBackgroundRemoval", "invalidInputImage"): 1,
    }
    lines = {line["task_uuid"]: line for line in logged if line["event"] == "task_answered"}
    assert len({lines[task["taskUUID"]]["request_uuid"] for task in tasks}) == 1
    for task in tasks:
        assert lines[task["taskUUID"]]["task_uid"] == patient_service.task_of(task).uid
        assert lines[task["taskUUID"]]["account"] == "shop"
    assert lines[refused["taskUUID"]]["request_uuid"] != lines[tasks[0]["taskUUID"]]["request_uuid"]
    strangers = [line for line in logged if line.get("code") in {"missingApiKey", "invalidApiKey"}]
    assert [line for line in strangers if "account" in line] == []
    assert all(line.get("request_uuid") for line in logged)
