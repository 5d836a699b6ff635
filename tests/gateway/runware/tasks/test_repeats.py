"""Tests of Runware: a `taskUUID` that comes again, with the same content or with another."""

import pytest

from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import (
    ACCOUNT,
    TINY_PICTURE,
    Item,
    Service,
    new_uuid,
    poll,
    removal,
    storage,
    upload,
)
from tests.jobs.build import run_at_once


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
    assert len(service.store.tasks.unfinished(ACCOUNT)) == 1


def test_the_letter_case_of_a_uuid_does_not_tell_tasks_apart(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    upper = task["taskUUID"].upper()
    assert service.result(poll({"taskUUID": upper}))["taskUUID"] == upper
    assert service.result(task | {"taskUUID": upper})["taskUUID"] == upper
    assert len(service.store.tasks.unfinished(ACCOUNT)) == 1


def test_who_did_not_wait_may_wait_in_a_repeat(patient_service: Service) -> None:
    task = removal()
    patient_service.result(task | {"deliveryMethod": "async"})
    with patient_service.working():
        waited_for = patient_service.result(task)
        assert waited_for == patient_service.result(task | {"deliveryMethod": "sync"})
    assert waited_for["status"] == "success"
    assert patient_service.store.booked(ACCOUNT) == 1


@pytest.mark.parametrize("task", [upload(), storage("upload", TINY_PICTURE)])
def test_a_repeated_upload_is_the_first_one(service: Service, task: Item) -> None:
    first = service.result(task)
    assert service.result(task) == first
    assert len(service.blobs.keys()) == 1


@pytest.mark.parametrize("other", [upload(pictures.data_uri(pictures.png(9, 9))), removal(deliveryMethod="async")])
def test_the_uuid_of_an_upload_is_taken(service: Service, other: Item) -> None:
    task = upload()
    service.result(task)
    item = service.error(other | {"taskUUID": task["taskUUID"].upper()})
    assert item["code"] == "conflictTaskUUID"
    assert len(service.blobs.keys()) == 1


def test_a_repeat_of_an_upload_that_was_deleted_keeps_it_anew(service: Service) -> None:
    task = upload()
    first = service.result(task)
    service.result(storage("delete", first["imageUUID"]))
    assert service.result(task)["imageUUID"] != first["imageUUID"]


def test_repeats_of_an_upload_at_the_same_moment_keep_one(service: Service) -> None:
    task = upload()
    answers = run_at_once(4, lambda _: service.result(task))
    assert all(answer == answers[0] for answer in answers)
    assert len(service.blobs.keys()) == 1


def test_a_repeated_deletion_answers_as_the_first_did(service: Service) -> None:
    task = storage("delete", service.result(upload())["imageUUID"])
    first = service.result(task)
    assert service.result(task) == first
    assert service.error(task | {"taskUUID": new_uuid()})["code"] == "invalidMedia"
