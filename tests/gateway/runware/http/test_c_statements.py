"""What official clients depend on, one test for each such statement of the protocol on messages and HTTP.

The number in a name is the statement's section.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from cutgate.gateway.runware.messages.errors import ROWS, TASK_ROWS
from cutgate.jobs.errors import SourceUndecodable, WorkerLost
from tests.gateway.runware.service import (
    TINY_PICTURE,
    Item,
    Service,
    authentication,
    new_removal,
    new_uuid,
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


def test_c_1_the_path_matches_with_any_query_string(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.api_key}"}
    for query in ("?sdk=js&version=1.3.2", "?sdk=js&version=1.3.2&dryRun=1", "?", "?%ff"):
        answer = service.app.test_client().post(f"/v1{query}", json=[{"taskType": "ping"}], headers=headers)
        assert answer.status_code == 200


@pytest.mark.parametrize("body", ["[", [removal(deliveryMethod="async")], [removal("")], [authentication("no")]])
def test_c_1_every_answer_is_application_json(service: Service, body: object) -> None:
    answer = service.post(body)
    assert answer.content_type == "application/json"
    assert isinstance(answer.get_json(), dict)


def test_c_2_2_the_authentication_answer_has_no_task_uuid_and_a_connection_session_uuid(service: Service) -> None:
    item = service.result(authentication(service.api_key), api_key=None)
    assert item.pop("connectionSessionUUID")
    assert item == {"taskType": "authentication"}


def test_c_2_2_the_error_for_a_bad_key_is_the_one_that_clients_know(service: Service) -> None:
    answer = service.post([authentication("wrong")], api_key=None)
    expected = {
        "code": "invalidApiKey",
        "message": "Invalid API key",
        "parameter": "apiKey",
        "taskType": "authentication",
    }
    assert answer.status_code == 401
    assert answer.get_json() == {"errors": [expected], "error": expected}


def test_c_3_2_data_and_errors_are_arrays(service: Service) -> None:
    answer = service.answer(removal(deliveryMethod="async"), removal("no picture"))
    assert [len(answer["data"]), len(answer["errors"])] == [1, 1]


def test_c_3_2_there_is_never_an_empty_errors_or_data(service: Service) -> None:
    assert set(service.answer(removal(deliveryMethod="async"))) == {"data"}
    assert set(service.post([removal("no picture")]).get_json()) == {"errors"}


@pytest.mark.parametrize("make", [removal, new_removal])
def test_c_3_2_task_uuid_and_task_type_are_repeated_verbatim(service: Service, make: Callable[..., Item]) -> None:
    envelope = {"taskUUID": "3B0f8F4e-2a1c-4F0E-9d6b-0A4f4f6f8C11", "taskType": make()["taskType"]}
    good, bad = make(deliveryMethod="async") | envelope, make(outputFormat="TIFF") | envelope
    for item in (service.result(good), service.result(poll(good)), service.error(bad)):
        assert {name: item[name] for name in envelope} == envelope


def test_c_3_2_a_message_of_one_outcome_has_data_or_errors_never_both(patient_service: Service) -> None:
    with patient_service.working():
        task = removal()
        patient_service.result(task)
    outcome = patient_service.rendering.result(patient_service.task_of(task), "http://host")
    assert outcome is not None
    assert list(outcome.message()) == ["data"]
    assert len(outcome.message()["data"]) == 1


def test_c_3_2_what_marks_an_item_as_finished_is_kept_out_of_acknowledgements_and_progress(
    service: Service,
) -> None:
    task = new_removal(deliveryMethod="async", outputType=["URL", "base64Data", "dataURI"])
    acknowledgement, progress = service.result(task), service.result(poll(task))
    assert progress["status"] == "processing"
    assert not [key for key in keys_of([acknowledgement, progress]) if FINISHING.fullmatch(key)]


def test_c_4_2_settings_that_are_false_in_so_many_words_are_taken(service: Service) -> None:
    flags = {"returnOnlyMask": False, "alphaMatting": False, "postProcessMask": False}
    assert service.spec(**flags, rgba=[0, 0, 0, 0]) == service.spec(rgba=[0, 0, 0, 0])


def test_c_5_an_upload_of_a_data_uri_gives_a_uuid_that_a_removal_takes(patient_service: Service) -> None:
    upload = {"taskType": "imageUpload", "taskUUID": new_uuid(), "image": TINY_PICTURE}
    kept = patient_service.result(upload)
    with patient_service.working():
        assert patient_service.result(removal(kept["imageUUID"]))["status"] == "success"


def test_c_7_1_an_upload_has_both_image_uuid_and_image_url(service: Service) -> None:
    item = service.result({"taskType": "imageUpload", "taskUUID": new_uuid(), "image": TINY_PICTURE})
    assert item["imageUUID"]
    assert service.download(item["imageURL"]).mimetype == "image/png"


@pytest.mark.parametrize("make", [removal, new_removal])
def test_c_7_3_a_poll_is_answered_with_the_task_type_of_the_original(
    service: Service, make: Callable[..., Item]
) -> None:
    task = make(deliveryMethod="async")
    service.result(task)
    running = service.result(poll(task))
    assert service.work_once()
    ended = service.result(poll(task))
    assert {item["taskType"] for item in (running, ended)} == {task["taskType"]}


def test_c_7_3_a_failed_task_is_reported_in_errors(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    service.fail_next(SourceUndecodable("the picture is damaged").facts())
    item = service.error(poll(task))
    assert (item["code"], item["status"], item["parameter"]) == ("invalidInputImage", "error", "inputImage")


def test_c_7_3_results_of_synchronous_tasks_can_be_polled_too(patient_service: Service) -> None:
    task = removal()
    with patient_service.working():
        item = patient_service.result(task)
    assert patient_service.result(poll(task)) == item == patient_service.result(poll(task))


def test_c_7_4_details_hold_request_and_response(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    details = {"taskType": "getTaskDetails", "taskUUID": task["taskUUID"]}
    running = service.result(details)
    service.work_once()
    ended = service.result(details)
    for item, status in ((running, "processing"), (ended, "success")):
        [request], [response] = item["request"], item["response"]["data"]
        assert (request["taskUUID"], response["status"]) == (task["taskUUID"], status)


def test_c_7_6_a_ping_is_answered_before_authentication(service: Service) -> None:
    ping = {"taskType": "ping", "ping": True}
    expected = {"data": [{"taskType": "ping", "pong": True}]}
    assert service.post([ping], api_key=None).get_json() == expected
    assert service.answer(ping) == expected


@pytest.mark.parametrize(
    "fields", [{"outputFormat": "GIF"}, {"inputImage": "%%%"}, {"inputImage": new_uuid()}, {"surprise": 1}]
)
def test_c_8_2_validation_failures_are_answered_at_once(service: Service, fields: Item) -> None:
    service.error(removal(deliveryMethod="async") | fields)
    assert service.harness.hints == []


def test_c_8_2_asynchronous_delivery_is_acknowledged_and_polled(service: Service) -> None:
    task = new_removal(deliveryMethod="async")
    assert service.result(task) == {"taskType": "removeBackground", "taskUUID": task["taskUUID"]}
    assert service.result(poll(task))["status"] == "processing"
    service.work_once()
    ended = service.result(poll(task))
    assert ended["status"] == "success"
    assert ended["imageUUID"] == ended["mediaUUID"]
    assert service.download(ended["imageURL"]).status_code == 200


def test_c_9_1_every_error_of_a_task_has_its_task_uuid(service: Service) -> None:
    uuid = new_uuid()
    for task in (
        removal(outputFormat="GIF"),
        removal("%%%"),
        {"taskType": "noSuchTask"},
        {"taskType": "getResponse"},
        {},
    ):
        response = service.post([task | {"taskUUID": uuid}])
        assert [item["taskUUID"] for item in response.get_json()["errors"]] == [uuid]


def test_c_9_2_a_failure_that_stays_never_wears_a_status_that_clients_repeat(service: Service) -> None:
    assert all(400 <= row.status < 500 and row.status not in {408, 429} for row in TASK_ROWS.values())
    assert {row.code for row in ROWS.values() if row.status >= 500} == {
        "internalServerError",
        "serviceUnavailable",
        "timeoutProvider",
    }
    task = removal(deliveryMethod="async")
    service.result(task)
    service.fail_next(WorkerLost("its workers died").facts())
    assert service.error(poll(task), status=400)["code"] == "processingFailed"


def test_c_9_3_polls_details_and_pings_may_repeat_a_uuid(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    details = {"taskType": "getTaskDetails", "taskUUID": task["taskUUID"]}
    ping = {"taskType": "ping", "taskUUID": task["taskUUID"]}
    for _ in range(2):
        assert len(service.answer(poll(task), details, ping)["data"]) == 3
