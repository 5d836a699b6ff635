"""Tests of Runware: the tasks beside the removal (uploads and their caps, stored media, the account, details)."""

import base64
import uuid

import pytest

from cutgate.gateway.accounts.records import Terms
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import (
    ACCOUNT,
    TINY_PICTURE,
    Item,
    Service,
    authentication,
    details,
    new_removal,
    new_uuid,
    removal,
    storage,
    upload,
)

BARE = base64.b64encode(pictures.png()).decode("ascii")


@pytest.mark.parametrize(
    "image",
    [TINY_PICTURE, BARE, pictures.data_uri(pictures.png(), "image/gif"), pictures.data_uri(pictures.bmp())],
    ids=["uri", "bare", "other type", "bmp"],
)
def test_an_upload_is_judged_by_its_content(service: Service, image: str) -> None:
    item = service.result(upload(image))
    sent = base64.b64decode(image.rpartition(",")[2])
    assert service.download(item["imageURL"]).data == sent


def test_an_upload_of_a_uuid_is_a_copy(service: Service) -> None:
    first = service.result(upload())
    second = service.result(upload(first["imageUUID"]))
    assert first["imageUUID"] != second["imageUUID"]
    assert service.download(second["imageURL"]).data == pictures.png()
    assert service.error(upload(new_uuid()))["parameter"] == "image"


@pytest.mark.parametrize("task", [upload(), storage("upload", BARE), storage("delete", new_uuid())])
def test_what_is_done_at_once_is_not_promised_for_later(service: Service, task: Item) -> None:
    item = service.error(task | {"deliveryMethod": "async"})
    assert (item["code"], item["parameter"]) == ("invalidDeliveryMethod", "deliveryMethod")
    assert service.blobs.keys() == ()
    assert service.result(upload() | {"deliveryMethod": "sync"})["status"] == "success"


def test_media_that_is_stored_is_a_picture_until_it_is_deleted(patient_service: Service) -> None:
    stored = patient_service.result(storage("upload", BARE))
    assert stored["operation"] == "upload"
    assert patient_service.download(stored["mediaURL"]).status_code == 200
    with patient_service.working():
        patient_service.result(new_removal(stored["mediaUUID"]))
    deleted = patient_service.result(storage("delete", stored["mediaUUID"]))
    assert (deleted["operation"], deleted["mediaUUID"]) == ("delete", stored["mediaUUID"])
    assert patient_service.error(removal(stored["mediaUUID"]))["code"] == "invalidInputImage"
    assert patient_service.error(storage("delete", stored["mediaUUID"]))["code"] == "invalidMedia"


def test_uploads_are_their_accounts_own(service: Service) -> None:
    kept = service.result(upload())
    other = service.harness.add_api_key("other")
    assert service.error(removal(kept["imageUUID"]), api_key=other)["code"] == "invalidInputImage"
    assert service.error(storage("delete", kept["imageUUID"]), api_key=other)["code"] == "invalidMedia"


def test_an_upload_whose_bytes_are_gone_is_no_fault_of_the_server(service: Service) -> None:
    kept = service.result(upload())
    for uid in tuple(service.blobs.tasks()):
        service.blobs.delete_task(uid)
    for task in (removal(kept["imageUUID"]), upload(kept["imageUUID"])):
        assert service.error(task)["code"] == "invalidInputImage"


def test_an_account_that_is_not_metered_says_so(service: Service) -> None:
    task = {"taskType": "accountManagement", "taskUUID": new_uuid(), "operation": "getDetails"}
    item = service.result(task)
    assert (item["balance"], item["usage"]) == (0, {"metered": False, "usedCredits": 0})


def test_the_account_is_shown(service: Service) -> None:
    service.store.accounts.grant(ACCOUNT, 10)
    task = {"taskType": "accountManagement", "taskUUID": new_uuid(), "operation": "getDetails"}
    item = service.result(task)
    assert uuid.UUID(item["organizationUUID"])
    assert (item["organizationName"], item["balance"]) == (ACCOUNT, 0.006)
    assert (item["team"], item["apiKeys"]) == ([], [])
    usage = {"metered": True, "usedCredits": 0, "grantedCredits": 10, "availableCredits": 10}
    assert item["usage"] == usage
    assert service.result(task)["organizationUUID"] == item["organizationUUID"]


def test_details_show_the_request_without_its_picture_and_never_a_key(service: Service) -> None:
    for task in (removal(BARE, deliveryMethod="async"), new_removal(deliveryMethod="async", ttl=None)):
        service.answer(authentication(service.api_key), task)
        shown = service.result(details(task))
        [request] = shown["request"]
        for name in ("taskType", "taskUUID", "deliveryMethod"):
            assert request[name] == task[name]
        assert BARE not in str(shown)
        assert service.api_key not in str(shown)


def test_details_show_uuids_and_urls_as_they_were_sent(service: Service) -> None:
    kept = service.result(upload())["imageUUID"]
    for image in (kept, "https://host.example/cat.png?a=1"):
        task = new_removal(image, deliveryMethod="async")
        service.result(task)
        shown = service.result(details(task))
        assert shown["request"] == [task]


# How much an account may keep: what is over it is refused before anything is written.

FORMS = pytest.mark.parametrize("task", [upload(), storage("upload", TINY_PICTURE)], ids=["old", "new"])


def limit(service: Service, **terms: int) -> None:
    service.accounts.change(ACCOUNT, terms=Terms(**terms))


def assert_refused(service: Service, task: Item, text: str) -> None:
    before = service.blobs.keys()
    item = service.error(task | {"taskUUID": new_uuid()}, status=403)
    assert (item["code"], text in item["message"]) == ("uploadQuotaExceeded", True), item
    assert service.blobs.keys() == before


@FORMS
def test_pictures(service: Service, task: Item) -> None:
    limit(service, upload_cap=2)
    first = service.result(task)
    service.result(upload(pictures.data_uri(pictures.png(9, 9))))
    assert_refused(service, task, "2 pictures of uploads are kept, the account's cap is 2")
    assert service.result(task) == first  # a repeat keeps nothing
    service.result(storage("delete", first.get("imageUUID") or first["mediaUUID"]))
    service.result(task | {"taskUUID": new_uuid()})


@FORMS
def test_by_url(service: Service, task: Item) -> None:
    limit(service, upload_cap=1)
    service.result(upload())
    name = "image" if "image" in task else "media"
    for method in ("sync", "async"):
        assert_refused(
            service, task | {name: "https://pictures.example/cat", "deliveryMethod": method}, "delete some"
        )
    assert service.store.errands.due() == 0


def test_copies_of_what_is_kept_count(service: Service) -> None:
    limit(service, upload_cap=1)
    assert_refused(service, upload(service.result(upload())["imageUUID"]), "delete some")
