"""Tests of Runware: what a task asks of a worker, and which code each bad field and envelope has."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.runware.messages.fields import MODELS
from cutgate.jobs.record import ErrandKind
from cutgate.jobs.spec import (
    PRESETS,
    CutoutSpec,
    FileFormat,
    Holes,
    ModelChoice,
    Output,
    Precision,
    Refinement,
    lane_of,
)
from tests.gateway import picture_files as pictures
from tests.gateway.runware.service import (
    ACCOUNT,
    TINY_PICTURE,
    Item,
    Service,
    make_service,
    new_removal,
    new_uuid,
    removal,
    upload,
)
from tests.jobs.build import take_errand
from tests.ledgers import stored_item

DEFAULT = CutoutSpec(
    model="isnet-general-use",
    refinement=Refinement.RAW,
    background=(255, 255, 255, 0),
    file_format=FileFormat.JPEG,
    quality=95,
)


def matting(foreground: int, background: int, erode_px: int) -> Item:
    thresholds = {"foreground_threshold": foreground, "background_threshold": background}
    return {"refinement": Refinement.ON, **thresholds, "erode_px": erode_px}


def spec_of(service: Service, task: Item) -> CutoutSpec:
    service.result(task | {"deliveryMethod": "async"})
    return stored_item(service.store, service.task_of(task).uid).spec


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"rgba": [1, 2, 3, 4]}, {"background": (1, 2, 3, 4)}),
        ({"rgba": [1, 2, 3, 0.5]}, {"background": (1, 2, 3, 128)}),
        ({"rgba": [1, 2, 3, 0.999]}, {"background": (1, 2, 3, 255)}),
        ({"rgba": [1, 2, 3, 1]}, {"background": (1, 2, 3, 1)}),
        ({"rgba": [1, 2, 3, 1.0]}, {"background": (1, 2, 3, 1)}),
        ({"preserveAlpha": True}, {}),
        ({"postProcessMask": True}, {"tidy_mask": True}),
        ({"returnOnlyMask": True}, {"output": Output.MASK}),
        ({"holes": "keep"}, {}),
        ({"holes": "fill"}, {"holes": Holes.FILL}),
        ({"alphaMatting": True, "holes": "fill"}, matting(240, 10, 10) | {"holes": Holes.FILL}),
        ({"alphaMatting": True}, matting(240, 10, 10)),
        (
            {
                "alphaMatting": True,
                "alphaMattingForegroundThreshold": 200,
                "alphaMattingBackgroundThreshold": 200,
                "alphaMattingErodeSize": 255,
            },
            matting(200, 200, 255),
        ),
        ({"alphaMatting": True, "alphaMattingForegroundThreshold": 1}, matting(1, 1, 10)),
        ({"alphaMatting": True, "alphaMattingForegroundThreshold": 255}, matting(255, 10, 10)),
        ({"alphaMatting": True, "alphaMattingBackgroundThreshold": 255}, matting(255, 255, 10)),
        ({"alphaMatting": True, "alphaMattingBackgroundThreshold": 1}, matting(240, 1, 10)),
        ({"alphaMattingErodeSize": 3, "alphaMattingForegroundThreshold": 100}, {}),
    ],
    ids=str,
)
def test_settings_flat_nested_and_mixed_mean_the_same(service: Service, fields: Item, changes: Item) -> None:
    expected = DEFAULT.model_copy(update=changes)
    first, *others = fields
    for form in (
        fields,
        {"settings": fields},
        {"settings": {first: fields[first]}} | {name: fields[name] for name in others},
    ):
        for make in (removal, new_removal):
            assert spec_of(service, make(**form)) == expected


def test_nested_settings_count_before_flat_ones(service: Service) -> None:
    task = removal(
        rgba=[9, 9, 9, 9], returnOnlyMask=True, settings={"rgba": [1, 1, 1, 1], "returnOnlyMask": False}
    )
    assert spec_of(service, task) == DEFAULT.model_copy(update={"background": (1, 1, 1, 1)})


@pytest.mark.parametrize(
    ("fields", "file_format", "quality"),
    [
        ({"outputFormat": "PNG", "outputQuality": 20}, FileFormat.PNG, None),
        ({"outputFormat": "webp"}, FileFormat.WEBP, 95),
        ({"outputFormat": "jpg", "outputQuality": 20}, FileFormat.JPEG, 20),
    ],
)
def test_formats(service: Service, fields: Item, file_format: FileFormat, quality: int | None) -> None:
    spec = service.spec(**fields)
    assert (spec.file_format, spec.quality) == (file_format, quality)


def test_the_hybrid_form_is_taken_and_inputs_count_first(service: Service) -> None:
    hybrid = new_removal(deliveryMethod="async", inputImage=TINY_PICTURE, settings={"postProcessMask": True})
    del hybrid["inputs"]
    service.result(hybrid)
    both = new_removal("https://host.example/a.png", inputImage="%%", deliveryMethod="async")
    service.result(both)
    errand = take_errand(service.store)
    assert (errand.kind, errand.url) == (ErrandKind.FETCH, "https://host.example/a.png")


def test_null_means_absent_and_ignored_fields_are_ignored(service: Service) -> None:
    names = ("model", "outputType", "ttl", "webhookURL", "rgba", "settings", "includeCost", "noSuchField")
    objects: Item = {"routing": {"a": 1}, "providerSettings": {}, "acceleratorOptions": {"teaCache": True}}
    task = removal(**objects, safety={"mode": "none"}, numberResults=1) | dict.fromkeys(names)
    assert spec_of(service, task) == DEFAULT


def test_numbers_may_be_written_as_json_allows(service: Service) -> None:
    task = removal(deliveryMethod="async")
    text = f"""[{{"taskType":"{task["taskType"]}","taskUUID":"{task["taskUUID"]}","deliveryMethod":"async",
        "inputImage":"{TINY_PICTURE}","outputQuality":9.0e1,"rgba":[1.0,2,3,255]}}]"""
    assert service.post(text).status_code == 200
    assert stored_item(service.store, service.task_of(task).uid).spec.quality == 90


def test_a_memo_never_grows_past_its_bound(service: Service) -> None:
    url = "https://host.example/" + "ä" * 2_000
    wide = {"a": "ä" * 1_000}
    objects = dict.fromkeys(("routing", "safety", "providerSettings", "acceleratorOptions"), wide)
    service.result(removal(url, inputs={"image": url}, webhookURL=url, uploadEndpoint=url, **objects))
    service.result(removal("https://" + "a" * 100_000, inputs={"image": TINY_PICTURE}, deliveryMethod="async"))


def test_a_task_uuid_of_any_version_is_taken(service: Service) -> None:
    for task_uuid in (
        "00000000-0000-0000-0000-000000000000",
        new_uuid().upper(),
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ):
        service.result(removal(deliveryMethod="async") | {"taskUUID": task_uuid})


# Networks, by the id that the request names.


def offer(service: Service, *names: str) -> None:
    """Let a worker offer models."""
    for name in names:
        service.harness.offer(ModelChoice.parse(name))


def lanes(service: Service, *ids: str) -> list[str]:
    """Where pictures wait for which these models were asked."""
    return [lane_of(service.spec(model=name)) for name in ids]


def test_an_id_runs_as_the_network_that_it_names_where_a_worker_offers_it(service: Service) -> None:
    own = service.settings.choice.lane
    assert lanes(service, "runware:112@5", "bria:2@1", "runware:109@1") == [own] * 3
    offer(service, "best")
    assert lanes(service, "runware:112@5", "bria:2@1", "runware:109@1") == ["birefnet-general:exact", own, own]


def test_the_installation_has_the_last_word_on_an_id() -> None:
    service = make_service(
        precision="fast",
        runware_models="runware:112@5=exact, bria:2@1=u2netp, runware:109@1=best,runware:112@1=fast",
    )
    offer(service, "best", "exact", "u2netp")
    assert lanes(service, "runware:112@5", "bria:2@1", "runware:109@1", "runware:112@1") == [
        "isnet-general-use:exact",
        "u2netp:exact",
        "birefnet-general:exact",
        "isnet-general-use:fast",
    ]


def test_the_account_chooses_what_the_request_does_not(service: Service) -> None:
    offer(service, "best", "u2netp", "fast")
    service.accounts.change(ACCOUNT, terms=Terms(precision=Precision.FAST))
    assert lanes(service, "runware:109@1", "runware:112@5") == ["isnet-general-use:fast", "birefnet-general:exact"]
    service.accounts.change(ACCOUNT, terms=Terms(model="u2netp"), forget=("precision",))
    assert lanes(service, "runware:109@1", "bria:2@1") == ["u2netp:exact", "u2netp:exact"]


def test_a_model_that_no_worker_offers_is_refused_at_once() -> None:
    service = make_service(runware_models="runware:112@5=best")
    error = service.error(removal(model="runware:112@5"))
    assert (error["code"], error["parameter"]) == ("unsupportedModel", "model")
    assert error["message"] == "no worker serves the model birefnet-general (exact)"
    assert not service.blobs.keys()
    service.result(removal(deliveryMethod="async"))


def test_keeping_a_picture_needs_no_model() -> None:
    service = make_service()
    service.accounts.change(ACCOUNT, terms=Terms(**PRESETS["best"].model_dump()))
    service.result(upload("https://host.example/a.png", deliveryMethod="async"))


@pytest.mark.parametrize(
    "models", ["runware:112@5", "runware:112@5=", "runware:112@5=a/b", "runware:112@5=m:slow"]
)
def test_wrong_settings_of_models_are_refused(models: str) -> None:
    with pytest.raises(ValidationError, match="runware_models"):
        make_service(runware_models=models)


def test_a_model_that_the_protocol_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="runware:112@4"):
        make_service(runware_models="runware:112@4=birefnet").result(removal())


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
    *({"holes": value} for value in ("Fill", "", 1, True)),
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
