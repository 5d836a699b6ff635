"""Tests of Runware: what official clients rely on in messages and over HTTP."""

import re
from collections.abc import Callable

import pytest

from cutgate.gateway.runware.messages.errors import TASK_ROWS
from cutgate.jobs.errors import WorkerLost
from tests.gateway.runware.service import (
    Item,
    Service,
    authentication,
    details,
    new_removal,
    poll,
    removal,
)

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


@pytest.mark.parametrize("make", [removal, new_removal])
def test_task_uuid_and_task_type_are_repeated_verbatim(service: Service, make: Callable[..., Item]) -> None:
    envelope = {"taskUUID": "3B0f8F4e-2a1c-4F0E-9d6b-0A4f4f6f8C11", "taskType": make()["taskType"]}
    good, bad = make(deliveryMethod="async") | envelope, make(outputFormat="TIFF") | envelope
    for item in (service.result(good), service.result(poll(good)), service.error(bad)):
        assert {name: item[name] for name in envelope} == envelope


def test_what_marks_an_item_as_finished_is_kept_out_of_acknowledgements_and_progress(
    service: Service,
) -> None:
    task = new_removal(deliveryMethod="async", outputType=["URL", "base64Data", "dataURI"])
    acknowledgement, progress = service.result(task), service.result(poll(task))
    assert progress["status"] == "processing"
    assert not [key for key in keys_of([acknowledgement, progress]) if FINISHING.fullmatch(key)]


def test_settings_that_are_false_in_so_many_words_are_taken(service: Service) -> None:
    flags = {"returnOnlyMask": False, "alphaMatting": False, "postProcessMask": False}
    assert service.spec(**flags, rgba=[0, 0, 0, 0]) == service.spec(rgba=[0, 0, 0, 0])


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
