"""Tests of Runware: how results come back, and a `taskUUID` that comes again."""

import base64
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from cutgate.jobs.errors import SourceUnreachable
from cutgate.jobs.record import ErrandKind
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import (
    ACCOUNT,
    TINY_PICTURE,
    Item,
    Service,
    details,
    make_service,
    new_removal,
    new_uuid,
    pixels_of,
    poll,
    removal,
    storage,
    upload,
)
from tests.jobs.build import run_at_once, take_errand
from tests.ledgers import noted_calls

KINDS = {"JPG": ("image/jpeg", ".jpg"), "PNG": ("image/png", ".png"), "WEBP": ("image/webp", ".webp")}
HOOK = "https://host.example/hook?token=secret"


@pytest.mark.parametrize("asked", ["JPG", "png", "Webp"])
def test_each_format_comes_in_each_way(patient_service: Service, asked: str) -> None:
    media_type, suffix = KINDS[asked.upper()]
    task = removal(outputFormat=asked, outputType=["dataURI", "URL", "base64Data", "URL"])
    with patient_service.working():
        item = patient_service.result(task)
    assert urlsplit(item["imageURL"]).path.endswith(suffix)
    download = patient_service.download(item["imageURL"])
    assert download.mimetype == media_type
    head, _, text = item["imageDataURI"].partition(",")
    assert head == f"data:{media_type};base64"
    assert text == item["imageBase64Data"]
    assert base64.b64decode(text, validate=True) == download.data
    assert pixels_of(download.data).shape[:2] == (8, 8)


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ("URL", {"imageURL"}),
        ("base64Data", {"imageBase64Data"}),
        ("dataURI", {"imageDataURI"}),
        (["URL", "dataURI"], {"imageURL", "imageDataURI"}),
    ],
)
def test_only_what_was_asked_for_is_there(patient_service: Service, asked: object, fields: set[str]) -> None:
    with patient_service.working():
        item = patient_service.result(removal(outputType=asked))
        newer = patient_service.result(new_removal(outputType=asked))
    assert set(item) == {"taskType", "taskUUID", "status", "imageUUID", "confidence"} | fields
    assert set(newer) == set(item) | {"mediaUUID"} | ({"mediaURL"} if "imageURL" in fields else set())
    assert newer["mediaUUID"] == newer["imageUUID"]


def test_the_cost_is_a_number_and_only_there_when_asked_for(patient_service: Service) -> None:
    with patient_service.working():
        assert patient_service.result(removal(includeCost=True))["cost"] == 0.0006
        assert "cost" not in patient_service.result(removal(includeCost=False))


def test_every_result_has_a_uuid_of_its_own_that_is_a_picture(patient_service: Service) -> None:
    with patient_service.working():
        first, second = patient_service.answer(removal(), removal(outputFormat="PNG"))["data"]
        assert uuid.UUID(first["imageUUID"]) != uuid.UUID(second["imageUUID"])
        assert patient_service.result(new_removal(second["imageUUID"]))["status"] == "success"


def test_a_short_ttl_ends_the_url_and_a_long_one_is_the_retention(patient_service: Service) -> None:
    with patient_service.working():
        short, long = patient_service.answer(removal(ttl=60), removal(ttl=10**9))["data"]
    lives = [int(urlsplit(item["imageURL"]).path.split("/")[3]) - time.time() for item in (short, long)]
    assert lives == pytest.approx([60, patient_service.settings.retention_seconds], abs=5)


def test_a_result_that_takes_too_long_is_a_timeout_that_can_be_repeated(service: Service) -> None:
    task = removal()
    item = service.error(task, status=504)
    assert (item["code"], item["taskUUID"]) == ("timeoutProvider", task["taskUUID"])
    service.work_once()
    assert service.result(task)["status"] == "success"


def test_all_tasks_of_a_request_wait_together(patient_service: Service) -> None:
    tasks = [removal(), new_removal(deliveryMethod="async"), removal("%%"), {"taskType": "ping"}, removal()]
    with patient_service.working():
        answer = patient_service.answer(*tasks)
    assert [item.get("status") for item in answer["data"]] == ["success", None, None, "success"]
    assert [item["code"] for item in answer["errors"]] == ["invalidInputImage"]


def test_a_poll_is_held_until_the_task_ends(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    look = service.store.tasks.poll_named

    def look_before_the_end(*args: Any, **named: Any) -> Any:
        found = look(*args, **named)
        assert service.work_once()
        return found

    monkeypatch.setattr(service.store.tasks, "poll_named", look_before_the_end)
    assert service.result(poll(task))["status"] == "success"


@pytest.mark.parametrize("asked", [poll, details])
def test_a_question_for_a_task_that_has_ended_asks_the_ledger_once(
    patient_service: Service, monkeypatch: pytest.MonkeyPatch, asked: Callable[[Item], Item]
) -> None:
    """Its rate, which task its name stands for, and the task."""
    task = removal()
    with patient_service.working():
        patient_service.result(task)
    calls = noted_calls(monkeypatch)
    patient_service.result(asked(task))
    assert calls == ["poll"]


def test_a_webhook_makes_it_asynchronous_and_gets_what_a_poll_gets(service: Service) -> None:
    task = removal(webhookURL=HOOK)
    assert service.result(task) == {"taskType": task["taskType"], "taskUUID": task["taskUUID"]}
    service.work_once()
    errand = take_errand(service.store)
    assert (errand.kind, errand.url) == (ErrandKind.CALLBACK, HOOK)
    assert service.callback(task) == {"data": [service.result(poll(task))]}


def test_a_webhook_of_a_failed_task_gets_its_error(service: Service) -> None:
    task = new_removal("HTTPS://host.example/cat.jpg", webhookURL=HOOK)
    service.result(task)
    errand = take_errand(service.store)
    assert (errand.kind, errand.url) == (ErrandKind.FETCH, "HTTPS://host.example/cat.jpg")
    assert service.store.errands.fetch_failed(errand, SourceUnreachable("the host does not answer").facts())
    body = service.callback(task)
    assert body == {"errors": [service.error(poll(task))]}
    assert (body["errors"][0]["code"], body["errors"][0]["parameter"]) == ("invalidInputImage", "inputs.image")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        # Beside `sync` in so many words, a webhook gives the result too.
        ({"webhookURL": HOOK, "deliveryMethod": "sync"}, ErrandKind.CALLBACK),
        ({"uploadEndpoint": HOOK}, ErrandKind.UPLOAD),
    ],
)
def test_the_result_is_also_brought_elsewhere(patient_service: Service, fields: Item, kind: ErrandKind) -> None:
    with patient_service.working():
        assert patient_service.result(removal(**fields))["status"] == "success"
    errand = take_errand(patient_service.store)
    assert (errand.kind, errand.url) == (kind, HOOK)


def test_addresses_begin_with_the_public_url() -> None:
    service = make_service(public_url="https://cut.example")
    kept = service.result(upload())
    assert kept["imageURL"].startswith("https://cut.example/r/")


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
