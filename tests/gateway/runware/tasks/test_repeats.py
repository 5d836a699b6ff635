"""A `taskUUID` that comes again."""

import pytest

from cutgate.gateway.accounts.api_keys import ApiKeys
from cutgate.jobs.errors import SourceUndecodable
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import ACCOUNT, Item, Service, new_removal, new_uuid, poll, removal, upload


def test_the_same_content_while_it_runs_attaches(service: Service) -> None:
    task = removal(deliveryMethod="async")
    assert service.result(task) == service.result(task)
    assert len(service.store.unfinished(ACCOUNT)) == 1
    assert len(service.harness.hints) == 1


def test_the_same_content_once_finished_gives_the_stored_result(patient_service: Service) -> None:
    task = removal()
    with patient_service.working():
        first = patient_service.result(task)
    assert patient_service.result(task) == first
    assert patient_service.store.booked(ACCOUNT) == 1


def test_the_same_content_once_failed_gives_the_stored_error(patient_service: Service) -> None:
    task = removal()
    patient_service.result(task | {"deliveryMethod": "async"})
    patient_service.harness.fail_one(SourceUndecodable("the picture is damaged").facts())
    first = patient_service.error(poll(task))
    assert patient_service.error(poll(task)) == first


@pytest.mark.parametrize(
    "change",
    [
        {"inputImage": pictures.data_uri(pictures.png(9, 9))},
        {"outputFormat": "PNG"},
        {"outputType": "base64Data"},
        {"rgba": [1, 2, 3, 4]},
        {"ttl": 61},
        {"includeCost": True},
        {"webhookURL": "https://host.example/"},
        {"taskType": "removeBackground"},
    ],
    ids=str,
)
def test_other_content_conflicts(service: Service, change: Item) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    item = service.error(task | change)
    assert (item["code"], item["parameter"]) == ("conflictTaskUUID", "taskUUID")
    assert len(service.store.unfinished(ACCOUNT)) == 1


def test_a_task_that_failed_validation_does_not_burn_its_uuid(service: Service) -> None:
    task = removal(deliveryMethod="async")
    for fault in ({"outputFormat": "GIF"}, {"inputImage": "%%"}, {"inputImage": new_uuid()}):
        service.error(task | fault)
    service.result(task)


def test_a_uuid_is_its_accounts_own(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    other = ApiKeys(service.accounts).add("other").api_key
    assert service.error(poll(task), status=404, api_key=other)["code"] == "taskNotFound"
    service.result(task | {"outputFormat": "PNG"}, api_key=other)


def test_two_keys_of_an_account_share_its_tasks(service: Service) -> None:
    task = new_removal(deliveryMethod="async")
    service.result(task)
    second = ApiKeys(service.accounts).add(ACCOUNT).api_key
    assert service.result(poll(task), api_key=second)["status"] == "processing"


def test_the_letter_case_of_a_uuid_does_not_tell_tasks_apart(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    upper = task["taskUUID"].upper()
    assert service.result(poll({"taskUUID": upper}))["taskUUID"] == upper
    assert service.result(task | {"taskUUID": upper})["taskUUID"] == upper
    assert len(service.store.unfinished(ACCOUNT)) == 1


def test_who_did_not_wait_may_wait_in_a_repeat(patient_service: Service) -> None:
    task = removal()
    patient_service.result(task | {"deliveryMethod": "async"})
    with patient_service.working():
        waited_for = patient_service.result(task)
        assert waited_for == patient_service.result(task | {"deliveryMethod": "sync"})
    assert waited_for["status"] == "success"
    assert patient_service.store.booked(ACCOUNT) == 1


def test_uploads_may_repeat_a_uuid(service: Service) -> None:
    task = upload()
    assert service.result(task)["imageUUID"] != service.result(task)["imageUUID"]
