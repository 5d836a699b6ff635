"""Tests of Runware: what a task object of either generation asks of a worker, and which network computes it."""

import pytest
from pydantic import ValidationError

from cutgate.gateway.accounts.records import Terms
from cutgate.jobs.record import ErrandKind
from cutgate.jobs.spec import PRESETS, CutoutSpec, FileFormat, ModelChoice, Output, Precision, Refinement, lane_of
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
