"""Tests of Runware over HTTP: messages as a whole, where the key stands, methods, faults outside of tasks."""

from dataclasses import replace
from typing import cast
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from cutgate.gateway.runware.tasks.actions import RunwareTasks
from cutgate.jobs.errors import LedgerUnavailable
from tests.fakes import failing
from tests.gateway.runware.service import (
    Service,
    authentication,
    make_service,
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
