"""Tests of Runware: uploads of pictures that have a URL, which the courier fetches."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from cutgate.courier.errands import ErrandRunner
from cutgate.courier.process import make_runner
from cutgate.jobs.answers import Balance
from cutgate.jobs.ids import new_token
from tests.courier.outside import OutsideServer, picture, serving, watched_connections
from tests.courier.parts import make_settings, usual_tls
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import (
    ACCOUNT,
    Item,
    Service,
    details,
    poll,
    removal,
    repeating,
    storage,
    upload,
)

HERE = "127.0.0.1"
PICTURE = pictures.png()


@pytest.fixture
def server() -> Iterator[OutsideServer]:
    scripts = {
        "/cat": picture(PICTURE),
        "/text": picture(b"no picture", "image/png"),
        "/away": lambda visit: visit.answer(404),
    }
    with serving(OutsideServer(HERE, scripts)) as server:
        yield server


def media_upload(url: str, **fields: Any) -> Item:
    return storage("upload", url, **fields)


FORMS = pytest.mark.parametrize(("form", "name"), [(upload, "image"), (media_upload, "media")])


def courier_of(service: Service, server: OutsideServer) -> ErrandRunner:
    """What runs the errands of a service; there is nothing to tell a worker."""
    return make_runner(
        make_settings(courier_ports=(server.port,), courier_allowed_networks=f"{HERE}/32"),
        store=service.store,
        blobs=service.blobs,
        renderers={},
        secret_of=lambda _: None,
        tls=usual_tls(),
    )


def bring(service: Service, server: OutsideServer) -> bool:
    """Run the errand that is due, if one is."""
    errand = service.store.errands.take("courier", new_token())
    if errand is not None:
        courier_of(service, server).run(errand)
    return errand is not None


@FORMS
def test_it_is_an_upload_as_any_other(
    patient_service: Service, server: OutsideServer, form: Any, name: str
) -> None:
    task = form(server.url("/cat"))
    with repeating(partial(bring, patient_service, server)):
        item = patient_service.result(task)
    inline = patient_service.result(form(pictures.data_uri(PICTURE)))
    assert set(item) == set(inline)
    own = {f"{name}UUID": "", f"{name}URL": ""}
    assert item | own == inline | own | {"taskUUID": task["taskUUID"]}
    answer = patient_service.download(item[f"{name}URL"])
    assert (answer.data, answer.content_type) == (PICTURE, "image/png")
    with patient_service.working():
        assert patient_service.result(removal(item[f"{name}UUID"]))["status"] == "success"


@FORMS
def test_it_is_polled_and_shown_as_a_removal_is(
    service: Service, server: OutsideServer, form: Any, name: str
) -> None:
    task = form(server.url("/cat"), deliveryMethod="async")
    echo = {"taskType": task["taskType"], "taskUUID": task["taskUUID"]}
    assert service.result(task) == echo
    assert service.result(poll(task)) == echo | {"status": "processing"}
    assert bring(service, server)
    item = service.result(poll(task))
    assert service.download(item[f"{name}URL"]).data == PICTURE
    assert service.result(poll(task)) == item
    assert service.result(task) == echo
    shown = service.result(details(task))
    assert (shown["request"], shown["response"]) == ([task], {"data": [item]})


def test_a_repeat_has_the_same_picture(service: Service, server: OutsideServer) -> None:
    task = upload(server.url("/cat"))
    assert service.error(task, status=504)["code"] == "timeoutProvider"
    assert bring(service, server)
    assert service.result(task) == service.result(task)
    assert service.error(task | {"image": server.url("/dog")})["code"] == "conflictTaskUUID"
    assert [request.path for request in server.requests] == ["/cat"]


@FORMS
@pytest.mark.parametrize("path", ["/text", "/away"])
def test_what_cannot_be_kept_is_the_fault_of_its_field(
    service: Service, server: OutsideServer, form: Any, name: str, path: str
) -> None:
    task = form(server.url(path), deliveryMethod="async")
    service.result(task)
    assert bring(service, server)
    item = service.error(poll(task))
    assert (item["code"], item["parameter"], item["status"]) == ("invalidInputImage", name, "error")
    assert service.blobs.keys() == ()


@FORMS
def test_what_is_no_address_is_refused_at_once(service: Service, form: Any, name: str) -> None:
    item = service.error(form("http://host.example/a cat.png"))
    assert (item["code"], item["parameter"]) == ("invalidInputImage", name)
    service.harness.assert_nothing_left()


def test_no_request_calls_another_server(service: Service, server: OutsideServer) -> None:
    service.result(upload(server.url("/cat"), deliveryMethod="async"))  # connects to the ledger
    with watched_connections() as made:
        service.result(upload(server.url("/cat"), deliveryMethod="async"))
    assert made == []


def test_it_is_free_and_told_to_nobody(service: Service, server: OutsideServer) -> None:
    service.accounts.set_callback(ACCOUNT, "https://host.example/account")
    service.store.accounts.grant(ACCOUNT, 1)
    service.result(removal(deliveryMethod="async"))
    task = upload(server.url("/cat"), deliveryMethod="async")
    service.result(task)
    assert service.store.accounts.balance(ACCOUNT) == Balance(granted=1, used=0, reserved=1)
    assert bring(service, server)
    assert service.result(poll(task))["status"] == "success"
    assert service.store.accounts.balance(ACCOUNT) == Balance(granted=1, used=0, reserved=1)
    assert service.store.errands.due() == 0
