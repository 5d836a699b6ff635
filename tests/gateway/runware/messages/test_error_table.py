"""Tests of Runware: which code and parameter each bad field and each bad envelope has."""

from collections.abc import Callable

import pytest

from cutgate.gateway.runware.messages.fields import MODELS
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import (
    TINY_PICTURE,
    Item,
    Service,
    new_removal,
    new_uuid,
    removal,
)

GET_RESPONSE = b'[{"taskType":"getResponse"%s}]'
URL_OF_2048 = "https://host/" + "a" * 2_048
BAD_FIELDS: list[Item] = [
    *({"outputType": value} for value in ("png", [], ["URL", 1])),
    *({"outputFormat": value} for value in ("GIF", 3)),
    *({"outputQuality": value} for value in (19, 100, "95", 50.5, True)),
    *({"webhookURL": "ftp://host/"}, {"webhookURL": URL_OF_2048}, {"uploadEndpoint": "/relative"}),
    *({"ttl": 59}, {"ttl": "60"}, {"includeCost": "true"}, {"deliveryMethod": "later"}),
    *({"model": "runware:112@4"}, {"model": 109}),
    *({"rgba": value} for value in ([1, 2, 3], [1, 2, 3, 256], [1, 2, 3, True], "#fff")),
    *({"rgba": value} for value in ([0.5, 2, 3, 4], [1, 2, 3, 1.5], [1, 2, 3, -0.5])),
    *({"postProcessMask": 1}, {"returnOnlyMask": "no"}, {"alphaMatting": 0}),
    *({"alphaMattingErodeSize": 0}, {"alphaMattingErodeSize": 256}),
    *({"alphaMattingForegroundThreshold": 0}, {"alphaMattingBackgroundThreshold": 256}),
    *({"settings": []}, {"inputs": "picture"}, {"routing": "fast"}, {"safety": {"a": "b" * 3_000}}),
    *({"acceleratorOptions": []}, {"numberResults": 0}, {"numberResults": 2}, {"numberResults": True}),
    *({"preserveAlpha": 1}, {"inputImage": ["a"]}),
]
"""What is wrong in a field whose name its code has."""
OTHER_BAD_FIELDS: list[tuple[Item, str, str]] = [
    ({"settings": {"alphaMattingErodeSize": 0}}, "invalidAlphaMattingErodeSize", "settings.alphaMattingErodeSize"),
    ({"settings": {"rgba": None, "blur": 2}}, "unsupportedParameter", "settings.blur"),
    ({"inputs": {"image": 5}}, "invalidInputImage", "inputs.image"),
    ({"inputs": {"image": TINY_PICTURE, "seed": 1}}, "unsupportedParameter", "inputs.seed"),
    ({"model": "bria:51@1", "inputs": {"video": "https://host/a.mp4"}}, "invalidModel", "model"),
    ({"strength": 0.5}, "unsupportedParameter", "strength"),
    ({"input_image": "a"}, "unsupportedParameter", "input_image"),
    ({"ttl": 1, "outputFormat": "GIF"}, "invalidOutputFormat", "outputFormat"),  # the first of two
]


def named(fields: Item) -> tuple[Item, str, str]:
    [name] = fields
    return fields, f"invalid{name[0].upper()}{name[1:]}", name


@pytest.mark.parametrize(
    ("fields", "code", "parameter"),
    [*map(named, BAD_FIELDS), *OTHER_BAD_FIELDS],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_field_is_named_and_nothing_is_stored(
    refusing: Service, fields: Item, code: str, parameter: str
) -> None:
    task = removal(**fields)
    item = refusing.error(task)
    assert (item["code"], item["parameter"]) == (code, parameter)
    assert item["message"]
    assert (item["taskType"], item["taskUUID"]) == (task["taskType"], task["taskUUID"])
    refusing.harness.assert_nothing_left()


def test_thresholds_that_clash_are_both_named(refusing: Service) -> None:
    below, above = "alphaMattingBackgroundThreshold", "alphaMattingForegroundThreshold"
    for fields, parameters in (
        ({above: 20, below: 21}, [above, below]),
        ({below: 10, "settings": {above: 9}}, [f"settings.{above}", below]),
    ):
        item = refusing.error(new_removal(**fields))
        assert (item["code"], item["parameter"]) == ("invalidAlphaMattingBackgroundThreshold", parameters)


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        *((body, "invalidRequest", 400) for body in (b"", b"nonsense", b"\xff\xfe", b"[]", b"5", b"null", b"[1]")),
        (b'[{"taskType":"ping"},[]]', "invalidRequest", 400),
        *((b'[{"a":%s}]' % value, "invalidRequest", 400) for value in (b'1,"a":2', b"NaN", b'"\\ud800"')),
        (b"[" * 1_000, "invalidRequest", 400),
        (b'[{"taskType":"ping"}],"b":[{}]', "invalidRequest", 400),
        (b"[" + b",".join([b'{"taskType":"ping"}'] * 33) + b"]", "invalidRequest", 400),
        *((b"[{%s}]" % member, "missingTaskType", 400) for member in (b'"taskUUID":"x"', b'"taskType":7')),
        (b'[{"taskType":"imageInference","taskUUID":"x"}]', "unsupportedTaskType", 400),
        (b'[{"taskType":"ping"},{"taskType":"authentication","apiKey":"late"}]', "unsupportedTaskType", 200),
        *((GET_RESPONSE % member, "missingTaskUUID", 400) for member in (b"", b',"taskUUID":""')),
        *((GET_RESPONSE % member, "invalidTaskUUID", 400) for member in (b',"taskUUID":"abc"', b',"taskUUID":5')),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_envelope_has_its_code(refusing: Service, body: bytes, code: str, status: int) -> None:
    answer = refusing.post(body)
    assert answer.status_code == status
    assert [item["code"] for item in answer.get_json()["errors"]] == [code]


@pytest.mark.parametrize("task_type", ["getResponse", "getTaskDetails"])
def test_an_unknown_task_is_not_found(refusing: Service, task_type: str) -> None:
    item = refusing.error({"taskType": task_type, "taskUUID": new_uuid()}, status=404)
    assert (item["code"], item["parameter"]) == ("taskNotFound", "taskUUID")


@pytest.mark.parametrize(
    ("task_type", "fields", "code", "parameter"),
    [
        ("imageBackgroundRemoval", {}, "missingInputImage", "inputImage"),
        ("imageBackgroundRemoval", {"inputImage": ""}, "missingInputImage", "inputImage"),
        ("imageBackgroundRemoval", {"inputImage": None}, "missingInputImage", "inputImage"),
        ("removeBackground", {}, "missingInputImage", "inputs.image"),
        ("removeBackground", {"inputs": {}}, "missingInputImage", "inputs.image"),
        ("removeBackground", {"inputImage": ""}, "missingInputImage", "inputImage"),
        ("imageUpload", {}, "missingInputImage", "image"),
        ("imageUpload", {"image": "%%"}, "invalidInputImage", "image"),
        ("mediaStorage", {}, "missingOperation", "operation"),
        ("mediaStorage", {"operation": "list"}, "invalidOperation", "operation"),
        ("mediaStorage", {"operation": "upload"}, "missingMedia", "media"),
        ("mediaStorage", {"operation": "delete", "media": "x"}, "invalidMedia", "media"),
        ("mediaStorage", {"operation": "delete", "media": new_uuid()}, "invalidMedia", "media"),
        ("accountManagement", {}, "missingOperation", "operation"),
        ("accountManagement", {"operation": "getDetails", "x": 1}, "unsupportedParameter", "x"),
        ("getResponse", {"x": 1}, "unsupportedParameter", "x"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_missing_or_wrong_field_of_each_task_is_named(
    refusing: Service, task_type: str, fields: Item, code: str, parameter: str
) -> None:
    item = refusing.error({"taskType": task_type, "taskUUID": new_uuid()} | fields)
    assert (item["code"], item["parameter"]) == (code, parameter)


@pytest.mark.parametrize(("make", "parameter"), [(removal, "inputImage"), (new_removal, "inputs.image")])
def test_a_picture_that_cannot_be_used_is_named_by_its_field(
    refusing: Service, make: Callable[..., Item], parameter: str
) -> None:
    for picture in ("%%%", "data:image/png,notbase64", pictures.data_uri(b"no picture"), new_uuid(), "https://"):
        item = refusing.error(make(picture))
        assert (item["code"], item["parameter"]) == ("invalidInputImage", parameter)
    refusing.harness.assert_nothing_left()


def test_every_model_of_the_protocol_is_taken(service: Service) -> None:
    for model in MODELS:
        assert service.spec(model=model).model == service.settings.model
