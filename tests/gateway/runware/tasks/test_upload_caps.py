"""Tests of Runware: how much an account may keep; what is over it is refused before anything is written."""

import pytest

from cutgate.gateway.accounts.records import Terms
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import (
    ACCOUNT,
    TINY_PICTURE,
    Item,
    Service,
    new_uuid,
    storage,
    upload,
)

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
