"""Tests of Runware over HTTP: messages as a whole, keys, methods, what official clients rely on."""

import re
from dataclasses import replace
from typing import cast
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from cutgate.gateway.runware.messages.errors import TASK_ROWS
from cutgate.gateway.runware.tasks.actions import RunwareTasks
from cutgate.jobs.errors import LedgerUnavailable, WorkerLost
from tests.fakes import failing
from tests.gateway.runware.service import (
    Service,
    authentication,
    details,
    make_service,
    new_removal,
    new_uuid,
    poll,
    removal,
    upload,
)


@pytest.mark.parametrize("path", ["/v1?sdk=js", "/v1/"])
def test_a_get_without_an_upgrade_is_told_so(service: Service, path: str) -> None:
    answer = service.harness.open(path)
    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")
    assert answer.get_json()["errors"][0]["code"] == "invalidRequest"


def test_a_bare_object_is_an_array_of_one(service: Service) -> None:
    assert len(service.post(removal(deliveryMethod="async")).get_json()["data"]) == 1


def test_authentication_in_front_of_tasks_has_no_item_of_its_own(service: Service) -> None:
    task = removal(deliveryMethod="async")
    answer = service.answer(authentication(service.api_key), task, api_key=None)
    assert answer == {"data": [{"taskType": task["taskType"], "taskUUID": task["taskUUID"]}]}


def test_the_element_counts_before_the_header(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.answer(authentication(service.api_key), task, api_key="cutgate_wrong")
    assert service.post([authentication("cutgate_wrong"), task]).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Basic abc", "bearer ", "", "Token x"])
def test_a_header_without_a_key_is_a_missing_key(service: Service, header: str) -> None:
    error = service.error([removal()], status=401, headers={"Authorization": header})
    assert error["code"] == "missingApiKey"


def test_the_status_is_that_of_the_first_error_unless_something_succeeded(service: Service) -> None:
    unknown, wrong = poll({"taskUUID": new_uuid()}), removal("%%")
    assert service.post([unknown, wrong]).status_code == 404
    assert service.post([wrong, unknown]).status_code == 400
    assert service.post([unknown, wrong, removal(deliveryMethod="async")]).status_code == 200


def test_each_task_of_a_request_counts_against_the_rate() -> None:
    service = make_service(submits_per_second=2, account_queue_cap=2)
    answer = service.answer(*(removal(deliveryMethod="async") for _ in range(4)))
    assert [len(answer["data"]), len(answer["errors"])] == [2, 2]
    assert {item["code"] for item in answer["errors"]} == {"rateLimitExceeded"}


def test_tasks_do_not_show_pictures_or_urls_in_their_repr(service: Service) -> None:
    task = removal(deliveryMethod="async", webhookURL="https://host.example/verysecret")
    service.result(task)
    outcome = service.rendering.progress(service.task_of(task))
    assert "verysecret" not in repr(replace(outcome, item={"a": "verysecret"}))


def code_of(answer: TestResponse) -> str:
    [error] = answer.get_json()["errors"]
    assert isinstance(error["code"], str)
    return error["code"]


def test_a_fault_outside_of_tasks_is_told_in_the_protocols_form(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunwareTasks, "begin", Mock(side_effect=RuntimeError("inner secret")))
    with capture_logs():
        answer = service.post([removal()])
    assert (answer.status_code, code_of(answer)) == (500, "internalServerError")
    assert b"inner secret" not in answer.data


def test_of_several_results_one_asks_a_ledger_that_is_away() -> None:
    service = make_service(runware_sync_seconds=0.1)
    failing(service.store, tasks__get_many=LedgerUnavailable("the server does not answer"))
    tasks = [removal(), removal(), removal()]
    answer = service.post(tasks)
    assert answer.status_code == 503
    told = [(error["code"], error["taskUUID"]) for error in answer.get_json()["errors"]]
    assert told == [("serviceUnavailable", task["taskUUID"]) for task in tasks]
    asked = [call.args[0] for call in cast("Mock", service.store.tasks.get_many).call_args_list]
    assert [len(uids) for uids in asked if uids] == [3]


def test_a_ping_in_front_lets_nobody_in(service: Service) -> None:
    service.result(removal(deliveryMethod="async"))
    service.end_key("revoked")
    tasks = [{"taskType": "ping"}, removal(deliveryMethod="async")]
    assert service.error(tasks, status=401)["code"] == "invalidApiKey"


def test_a_bad_uuid_counts_as_well() -> None:
    service = make_service(submits_per_second=1, account_queue_cap=1)
    service.error(removal(deliveryMethod="async") | {"taskUUID": "7"})
    assert service.error(removal(deliveryMethod="async"), status=429)["code"] == "rateLimitExceeded"


def test_addresses_in_tasks_are_never_logged(service: Service) -> None:
    url = "https://host.example/hook?token=verysecret"
    with capture_logs() as lines:
        service.result(removal(deliveryMethod="async", webhookURL=url))
        for task in (removal(url, webhookURL=7), upload(x=url), removal(ttl=url)):
            service.error(task)
    assert "verysecret" not in str(lines)


FINISHING = re.compile(r".*(URL|Base64Data|DataURI)|text|outputs|air|result|structuredData")
"""Keys that make a client take an item for a finished one."""


def keys_of(value: object) -> set[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def test_the_path_matches_with_any_query_string(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.api_key}"}
    for query in ("?sdk=js&version=1.3.2", "?sdk=js&version=1.3.2&dryRun=1", "?", "?%ff"):
        answer = service.harness.open(f"/v1{query}", method="POST", json=[{"taskType": "ping"}], headers=headers)
        assert answer.status_code == 200


def test_the_authentication_answer_has_no_task_uuid_and_a_connection_session_uuid(service: Service) -> None:
    item = service.result(authentication(service.api_key), api_key=None)
    assert item.pop("connectionSessionUUID")
    assert item == {"taskType": "authentication"}


def test_the_error_for_a_bad_key_is_the_one_that_clients_know(service: Service) -> None:
    answer = service.post([authentication("wrong")], api_key=None)
    expected = {"code": "invalidApiKey", "message": "Invalid API key", "parameter": "apiKey"}
    expected["taskType"] = "authentication"
    assert answer.status_code == 401
    assert answer.get_json() == {"errors": [expected], "error": expected}


def test_what_marks_an_item_as_finished_is_kept_out_of_acknowledgements_and_progress(
    service: Service,
) -> None:
    task = new_removal(deliveryMethod="async", outputType=["URL", "base64Data", "dataURI"])
    acknowledgement, progress = service.result(task), service.result(poll(task))
    assert progress["status"] == "processing"
    assert not [key for key in keys_of([acknowledgement, progress]) if FINISHING.fullmatch(key)]


def test_a_ping_is_answered_before_authentication(service: Service) -> None:
    ping = {"taskType": "ping", "ping": True}
    expected = {"data": [{"taskType": "ping", "pong": True}]}
    assert service.post([ping], api_key=None).get_json() == expected
    assert service.answer(ping) == expected


def test_a_failure_that_stays_never_wears_a_status_that_clients_repeat(service: Service) -> None:
    assert all(400 <= row.status < 500 and row.status not in {408, 429} for row in TASK_ROWS.values())
    task = removal(deliveryMethod="async")
    service.result(task)
    service.harness.fail_one(WorkerLost("its workers died").facts())
    assert service.error(poll(task), status=400)["code"] == "processingFailed"


def test_polls_details_and_pings_may_repeat_a_uuid(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    ping = {"taskType": "ping", "taskUUID": task["taskUUID"]}
    for _ in range(2):
        assert len(service.answer(poll(task), details(task), ping)["data"]) == 3
