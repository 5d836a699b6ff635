"""Tests of who may call: nobody where the API is off, an account without a key, a key; and of other methods."""

from io import BytesIO
from typing import Any

import pytest
from pydantic import ValidationError
from werkzeug.test import TestResponse

from cutgate.gateway import bodies
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.spec import ModelChoice, Output, Refinement
from tests.gateway import picture_files as pictures
from tests.gateway.contract.facades import PNG, QUICK
from tests.gateway.contract.test_credentials import unread_body
from tests.gateway.harness import ACCOUNT, MASTER_KEY, Harness, make_harness, make_settings
from tests.gateway.runware.service import make_service, removal

PATH = "/api/remove"
OPEN = {"rembg_account": ACCOUNT}


def gateway(**changes: Any) -> Harness:
    return make_harness(make_settings(**QUICK | changes))


def post(gateway: Harness, **options: Any) -> TestResponse:
    options = {"data": {"file": (BytesIO(PNG), "a.png")}} | options
    return gateway.open(PATH, method="POST", **options)


def test_it_is_off_by_default() -> None:
    closed = make_harness(make_settings())
    assert closed.open(PATH, query_string={"url": "https://a.example/b.png"}).status_code == 404
    assert PATH not in closed.open("/openapi.json").get_json()["paths"]
    assert PATH in gateway().open("/openapi.json").get_json()["paths"]


@pytest.mark.parametrize("wrong", [{"rembg_account": "a"}, {"rembg_api": True, "rembg_account": "no name"}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="rembg_account"):
        GatewaySettings(master_key=MASTER_KEY, **wrong)


def test_requests_without_a_key_are_the_accounts() -> None:
    service = gateway(**OPEN)
    service.add_api_key(ACCOUNT)
    service.store.accounts.grant(ACCOUNT, 1)
    assert post(service).status_code == 504
    assert len(service.store.tasks.unfinished(ACCOUNT)) == 1
    assert post(service).status_code == 504  # it joins the first one
    service.finish_one()
    answer = post(service)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"result", "image/png")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert (answer.headers["Cutgate-Model"], answer.headers["Cutgate-Confidence"]) == (
        service.settings.model,
        "0.87",
    )
    assert post(service, data={"file": (pictures_file(), "b.png")}).status_code == 402


def pictures_file() -> Any:
    return BytesIO(pictures.png(9, 9))


def test_a_key_counts_before_the_account_and_a_wrong_one_is_refused() -> None:
    service = gateway(**OPEN)
    service.add_api_key(ACCOUNT)
    other = service.add_api_key("other")
    assert post(service, headers={"Authorization": f"bearer {other}"}).status_code == 504
    assert len(service.store.tasks.unfinished("other")) == 1
    for header in ("Bearer wrong", "Basic YTpi", "Bearer", ""):
        refused = post(service, headers={"Authorization": header})
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert not service.store.tasks.unfinished(ACCOUNT)


@pytest.mark.parametrize("is_there", [False, True], ids=["not there", "suspended"])
def test_an_account_that_cannot_be_used_is_told_with_what_to_do(is_there: bool) -> None:
    service = gateway(**OPEN)
    if is_there:
        service.add_api_key(ACCOUNT)
        service.accounts.change(ACCOUNT, active=False)
    refused = post(service)
    assert refused.status_code == 503
    assert f"keys add --api-key --name {ACCOUNT}" in refused.get_json()["detail"]
    service.assert_nothing_left()


def test_an_address_has_half_of_the_accounts_rate() -> None:
    service = gateway(**OPEN, submits_per_second=4, account_queue_cap=4)
    key = service.add_api_key(ACCOUNT)
    statuses = [post(service).status_code for _ in range(20)]
    assert 429 in statuses
    refused = post(service)
    assert refused.status_code != 429 or int(refused.headers["Retry-After"]) >= 1
    elsewhere = post(service, environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert elsewhere.status_code == 504
    assert post(service, headers={"Authorization": f"Bearer {key}"}).status_code == 504


@pytest.mark.constants(bodies, MEMORY_BYTES=1_000)
def test_an_address_that_tried_keys_sends_no_large_file_without_one() -> None:
    service = gateway(**OPEN, failed_signatures_per_minute=1)
    service.add_api_key(ACCOUNT)
    statuses = [post(service, headers={"Authorization": "Bearer no"}).status_code for _ in range(2)]
    assert statuses == [401, 429]
    assert service.open(PATH, method="POST", **unread_body()).status_code == 429


def test_a_head_does_no_work_and_other_methods_are_told() -> None:
    service = gateway(**OPEN)
    service.add_api_key(ACCOUNT)
    for method in ("HEAD", "PUT", "DELETE"):
        refused = service.open(PATH, method=method, query_string={"url": "https://a.example/b.png"})
        assert refused.status_code == 405
        assert "GET" in refused.headers["Allow"]
    preflight = service.open(PATH, method="OPTIONS", headers={"Origin": "https://a.example"})
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    service.assert_nothing_left()


def test_rembgs_place_for_its_documentation_leads_to_ours() -> None:
    assert gateway().open("/api").headers["Location"] == "docs/"
    assert gateway(playground=False).open("/api").headers["Location"] == "openapi.json"


def test_the_model_that_is_asked_for_computes_where_workers_offer_it() -> None:
    service = gateway(**OPEN)
    service.add_api_key(ACCOUNT)
    post(service, data={"file": (pictures_file(), "b.png"), "model": "u2netp"})
    assert service.hints[-1] == service.lane
    service.offer(ModelChoice(model="u2netp"))
    post(service, data={"file": (pictures_file(), "b.png"), "model": "u2netp", "om": "1"})
    assert service.hints[-1] == "u2netp:exact"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"om": "true"}, {"returnOnlyMask": True}),
        ({"ppm": "true", "bgc": "1,2,3,255"}, {"postProcessMask": True, "rgba": [1, 2, 3, 255]}),
        (
            {"a": "true", "af": "230", "ab": "20", "ae": "7"},
            {
                "alphaMatting": True,
                "alphaMattingForegroundThreshold": 230,
                "alphaMattingBackgroundThreshold": 20,
                "alphaMattingErodeSize": 7,
            },
        ),
    ],
    ids=str,
)
def test_fields_ask_for_what_runwares_ask_for(ours: dict[str, str], theirs: dict[str, Any]) -> None:
    service = gateway(**OPEN)
    service.add_api_key(ACCOUNT)
    post(service, data={"file": (pictures_file(), "b.png"), **ours})
    runware = make_service()
    runware.post(removal(outputFormat="PNG", deliveryMethod="async", settings=theirs))
    found, wanted = service.claim().spec, runware.harness.claim().spec
    same = {"background": None} if not (wanted.background or (0, 0, 0, 0))[3] else {}
    if found.output is Output.MASK:
        same = {"background": None}
    assert found == wanted.model_copy(update=same)
    assert (found.refinement is Refinement.ON) == ("a" in ours)
