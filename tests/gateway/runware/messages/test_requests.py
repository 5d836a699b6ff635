"""Tests of Runware: what a task object of either generation asks of a worker."""

import pytest

from cutgate.jobs.record import ErrandKind
from cutgate.jobs.spec import CutoutSpec, FileFormat, Output, Refinement
from tests.gateway.runware.service import TINY_PICTURE, Item, Service, new_removal, new_uuid, removal
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


@pytest.mark.parametrize("task", [removal(), new_removal()], ids=["old", "new"])
def test_a_bare_request_is_a_jpg_without_refinement(service: Service, task: Item) -> None:
    assert spec_of(service, task) == DEFAULT


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
