"""The one error table, row by row: each code is provoked through the real application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cutgate.gateway.accounts.rates import RateExceeded
from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.errors import ROWS, TASK_ROWS, refusal, row_for
from cutgate.gateway.runware.messages.fields import MODELS
from cutgate.gateway.tasks.wait import NoPlaceToWait
from cutgate.jobs.errors import CutoutError
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import (
    ACCOUNT,
    TINY_PICTURE,
    Item,
    Service,
    authentication,
    make_service,
    new_removal,
    new_uuid,
    removal,
)


def tree(kind: type[Exception]) -> Iterator[type[Exception]]:
    """A class and all below it."""
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith(("cutgate.gateway.runware", "cutgate.jobs")):
            yield from tree(child)


def test_no_error_lacks_a_row() -> None:
    expected = {*tree(CutoutError), *tree(faults.RequestFault), RateExceeded, NoPlaceToWait}
    assert set(ROWS) == expected


def test_no_recorded_kind_lacks_a_row() -> None:
    assert set(TASK_ROWS) == {kind.kind for kind in tree(CutoutError) if issubclass(kind, CutoutError)}


def test_what_the_table_does_not_know_is_a_fault_of_this_server_and_tells_nothing() -> None:
    outcome = refusal(RuntimeError("secret"), {})
    assert (outcome.item["code"], outcome.status) == ("internalServerError", 500)
    assert "secret" not in str(outcome.item)
    assert row_for(RuntimeError()) is row_for(CutoutError("x"))


BAD_FIELDS: list[tuple[Item, str, str]] = [
    ({"outputType": "png"}, "invalidOutputType", "outputType"),
    ({"outputType": []}, "invalidOutputType", "outputType"),
    ({"outputType": ["URL", 1]}, "invalidOutputType", "outputType"),
    ({"outputFormat": "GIF"}, "invalidOutputFormat", "outputFormat"),
    ({"outputFormat": 3}, "invalidOutputFormat", "outputFormat"),
    ({"outputQuality": 19}, "invalidOutputQuality", "outputQuality"),
    ({"outputQuality": 100}, "invalidOutputQuality", "outputQuality"),
    ({"outputQuality": "95"}, "invalidOutputQuality", "outputQuality"),
    ({"outputQuality": 50.5}, "invalidOutputQuality", "outputQuality"),
    ({"outputQuality": True}, "invalidOutputQuality", "outputQuality"),
    ({"deliveryMethod": "later"}, "invalidDeliveryMethod", "deliveryMethod"),
    ({"webhookURL": "ftp://host/"}, "invalidWebhookURL", "webhookURL"),
    ({"webhookURL": "https://host/" + "a" * 2_048}, "invalidWebhookURL", "webhookURL"),
    ({"uploadEndpoint": "/relative"}, "invalidUploadEndpoint", "uploadEndpoint"),
    ({"ttl": 59}, "invalidTtl", "ttl"),
    ({"ttl": "60"}, "invalidTtl", "ttl"),
    ({"includeCost": "true"}, "invalidIncludeCost", "includeCost"),
    ({"model": "runware:112@4"}, "invalidModel", "model"),
    ({"model": 109}, "invalidModel", "model"),
    ({"rgba": [1, 2, 3]}, "invalidRgba", "rgba"),
    ({"rgba": [1, 2, 3, 256]}, "invalidRgba", "rgba"),
    ({"rgba": [1, 2, 3, True]}, "invalidRgba", "rgba"),
    ({"rgba": "#fff"}, "invalidRgba", "rgba"),
    ({"postProcessMask": 1}, "invalidPostProcessMask", "postProcessMask"),
    ({"returnOnlyMask": "no"}, "invalidReturnOnlyMask", "returnOnlyMask"),
    ({"alphaMatting": 0}, "invalidAlphaMatting", "alphaMatting"),
    ({"alphaMattingErodeSize": 0}, "invalidAlphaMattingErodeSize", "alphaMattingErodeSize"),
    ({"alphaMattingErodeSize": 256}, "invalidAlphaMattingErodeSize", "alphaMattingErodeSize"),
    (
        {"alphaMattingForegroundThreshold": 0},
        "invalidAlphaMattingForegroundThreshold",
        "alphaMattingForegroundThreshold",
    ),
    (
        {"alphaMattingBackgroundThreshold": 256},
        "invalidAlphaMattingBackgroundThreshold",
        "alphaMattingBackgroundThreshold",
    ),
    ({"settings": {"alphaMattingErodeSize": 0}}, "invalidAlphaMattingErodeSize", "settings.alphaMattingErodeSize"),
    ({"settings": {"rgba": None, "blur": 2}}, "unsupportedParameter", "settings.blur"),
    ({"settings": []}, "invalidSettings", "settings"),
    ({"inputs": "picture"}, "invalidInputs", "inputs"),
    ({"inputs": {"image": 5}}, "invalidInputImage", "inputs.image"),
    ({"inputs": {"image": TINY_PICTURE, "seed": 1}}, "unsupportedParameter", "inputs.seed"),
    ({"inputImage": ["a"]}, "invalidInputImage", "inputImage"),
    ({"routing": "fast"}, "invalidRouting", "routing"),
    ({"safety": {"a": "b" * 3_000}}, "invalidSafety", "safety"),
    ({"strength": 0.5}, "unsupportedParameter", "strength"),
    ({"input_image": "a"}, "unsupportedParameter", "input_image"),
]


@pytest.mark.parametrize(("fields", "code", "parameter"), BAD_FIELDS, ids=lambda value: str(value)[:40])
def test_a_bad_field_is_named_and_nothing_is_stored(
    service: Service, fields: Item, code: str, parameter: str
) -> None:
    task = removal(**fields)
    item = service.error(task)
    assert (item["code"], item["parameter"]) == (code, parameter)
    assert item["message"]
    assert (item["taskType"], item["taskUUID"]) == (task["taskType"], task["taskUUID"])
    service.harness.assert_nothing_left()


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        (
            {"alphaMattingForegroundThreshold": 20, "alphaMattingBackgroundThreshold": 21},
            ["alphaMattingForegroundThreshold", "alphaMattingBackgroundThreshold"],
        ),
        (
            {"settings": {"alphaMattingForegroundThreshold": 9}},
            ["settings.alphaMattingForegroundThreshold", "alphaMattingBackgroundThreshold"],
        ),
    ],
)
def test_thresholds_that_clash_are_both_named(service: Service, fields: Item, parameters: list[str]) -> None:
    item = service.error(new_removal(**fields))
    assert item["parameter"] == parameters
    assert item["code"] == "invalidAlphaMattingBackgroundThreshold"


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"", "invalidRequest", 400),
        (b"nonsense", "invalidRequest", 400),
        (b"\xff\xfe", "invalidRequest", 400),
        (b"[]", "invalidRequest", 400),
        (b"5", "invalidRequest", 400),
        (b"null", "invalidRequest", 400),
        (b"[1]", "invalidRequest", 400),
        (b'[{"taskType":"ping"},[]]', "invalidRequest", 400),
        (b'[{"a":1,"a":2}]', "invalidRequest", 400),
        (b'[{"a":NaN}]', "invalidRequest", 400),
        (b'[{"a":"\\ud800"}]', "invalidRequest", 400),
        (b"[" * 1_000, "invalidRequest", 400),
        (b'[{"taskType":"ping"}],"b":[{}]', "invalidRequest", 400),
        (b"[" + b",".join([b'{"taskType":"ping"}'] * 33) + b"]", "invalidRequest", 400),
        (b'[{"taskUUID":"x"}]', "missingTaskType", 400),
        (b'[{"taskType":7}]', "missingTaskType", 400),
        (b'[{"taskType":"imageInference","taskUUID":"x"}]', "unsupportedTaskType", 400),
        (b'[{"taskType":"ping"},{"taskType":"authentication","apiKey":"late"}]', "unsupportedTaskType", 200),
        (b'[{"taskType":"getResponse"}]', "missingTaskUUID", 400),
        (b'[{"taskType":"getResponse","taskUUID":""}]', "missingTaskUUID", 400),
        (b'[{"taskType":"getResponse","taskUUID":"abc"}]', "invalidTaskUUID", 400),
        (b'[{"taskType":"getResponse","taskUUID":5}]', "invalidTaskUUID", 400),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_envelope_has_its_code(service: Service, body: bytes, code: str, status: int) -> None:
    answer = service.post(body)
    assert answer.status_code == status
    assert [item["code"] for item in answer.get_json()["errors"]] == [code]


@pytest.mark.parametrize("task_type", ["getResponse", "getTaskDetails"])
def test_an_unknown_task_is_not_found(service: Service, task_type: str) -> None:
    item = service.error({"taskType": task_type, "taskUUID": new_uuid()}, status=404)
    assert (item["code"], item["parameter"]) == ("taskNotFound", "taskUUID")


@pytest.mark.parametrize(
    ("task", "code", "parameter"),
    [
        ({"taskType": "imageBackgroundRemoval"}, "missingInputImage", "inputImage"),
        ({"taskType": "imageBackgroundRemoval", "inputImage": ""}, "missingInputImage", "inputImage"),
        ({"taskType": "imageBackgroundRemoval", "inputImage": None}, "missingInputImage", "inputImage"),
        ({"taskType": "removeBackground"}, "missingInputImage", "inputs.image"),
        ({"taskType": "removeBackground", "inputs": {}}, "missingInputImage", "inputs.image"),
        ({"taskType": "removeBackground", "inputImage": ""}, "missingInputImage", "inputImage"),
        ({"taskType": "imageUpload"}, "missingInputImage", "image"),
        ({"taskType": "imageUpload", "image": "%%"}, "invalidInputImage", "image"),
        ({"taskType": "mediaStorage"}, "missingOperation", "operation"),
        ({"taskType": "mediaStorage", "operation": "list"}, "invalidOperation", "operation"),
        ({"taskType": "mediaStorage", "operation": "upload"}, "missingMedia", "media"),
        ({"taskType": "mediaStorage", "operation": "delete", "media": "x"}, "invalidMedia", "media"),
        ({"taskType": "mediaStorage", "operation": "delete", "media": new_uuid()}, "invalidMedia", "media"),
        ({"taskType": "accountManagement"}, "missingOperation", "operation"),
        ({"taskType": "accountManagement", "operation": "getDetails", "x": 1}, "unsupportedParameter", "x"),
        ({"taskType": "getResponse", "x": 1}, "unsupportedParameter", "x"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_missing_or_wrong_field_of_each_task_is_named(
    service: Service, task: Item, code: str, parameter: str
) -> None:
    item = service.error(task | {"taskUUID": new_uuid()})
    assert (item["code"], item["parameter"]) == (code, parameter)


@pytest.mark.parametrize(
    "picture",
    [
        "data:image/png,notbase64",
        "%%%",
        pictures.data_uri(b"no picture"),
        pictures.data_uri(pictures.png_header_only(13_000, 8)),
        new_uuid(),
        "https://",
        "https://user@host/a.png",
    ],
    ids=["not Base64", "signs", "no picture", "too large", "unknown UUID", "no host", "user in URL"],
)
@pytest.mark.parametrize(("make", "parameter"), [(removal, "inputImage"), (new_removal, "inputs.image")])
def test_a_picture_that_cannot_be_used_is_named_by_its_field(
    service: Service, make: Any, parameter: str, picture: str
) -> None:
    item = service.error(make(picture))
    assert (item["code"], item["parameter"]) == ("invalidInputImage", parameter)
    service.harness.assert_nothing_left()


def test_of_several_faults_the_first_is_told(service: Service) -> None:
    assert service.error(removal(ttl=1, outputFormat="GIF"))["code"] == "invalidOutputFormat"


def test_keys(service: Service) -> None:
    for body, code in (([authentication("x")], "invalidApiKey"), ([authentication(None)], "missingApiKey")):
        assert service.error(body, status=401, api_key=None)["code"] == code
    assert service.error(removal(), status=401, api_key=None)["code"] == "missingApiKey"
    assert service.error(removal(), status=401, api_key="kc_wrong")["code"] == "invalidApiKey"


def test_insufficient_credits(service: Service) -> None:
    service.store.grant(ACCOUNT, 0)
    assert service.error(removal(), status=402)["code"] == "insufficientCredits"


def test_rate_limit() -> None:
    service = make_service(submits_per_second=1)
    service.result(removal(deliveryMethod="async"))
    answer = service.post([removal(deliveryMethod="async")])
    assert answer.status_code == 429
    assert answer.get_json()["errors"][0]["code"] == "rateLimitExceeded"
    assert int(answer.headers["Retry-After"]) >= 1


def test_full_queue() -> None:
    service = make_service(account_queue_cap=1)
    service.result(removal(deliveryMethod="async"))
    assert service.error(removal(deliveryMethod="async"), status=429)["code"] == "rateLimitExceeded"


def test_every_model_of_the_protocol_is_taken(service: Service) -> None:
    for model in MODELS:
        assert service.spec(model=model).model == service.settings.model
