"""Tests of the fields: defaults, what they stand for, and what is said of wrong ones."""

from typing import Any

import pytest

from cutgate.gateway.rembg.errors import Refused
from cutgate.gateway.rembg.options import MODELS, FileOptions, Options, UrlOptions
from cutgate.jobs.spec import CutoutSpec, ModelChoice, Output, Refinement
from cutgate.worker.models.weights.rembg_rows import REMBG_MODELS

CHOICE = ModelChoice(model="isnet-general-use")


def spec(**form: str) -> CutoutSpec:
    return Options.read({}, {name: value.encode() for name, value in form.items()}).spec(CHOICE)


def test_the_defaults_are_the_raw_mask_and_the_pictures_colours() -> None:
    assert spec() == CutoutSpec(model=CHOICE.model, refinement=Refinement.RAW)
    assert Options.read({}, {}).model_dump(exclude={"model", "bgc"}) == {
        **dict.fromkeys(("a", "om", "ppm", "dc", "vm"), False),
        "af": 240,
        "ab": 10,
        "ae": 10,
    }


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"a": "true"}, {"refinement": "on", "background_threshold": 10, "erode_px": 10}),
        ({"vm": "1", "ae": "0"}, {"refinement": "on", "background_threshold": 10, "erode_px": 0}),
        (
            {"a": "True", "af": "200", "ab": "5", "ae": "300"},
            {"refinement": "on", "foreground_threshold": 200, "background_threshold": 5, "erode_px": 255},
        ),
        (
            {"a": "yes", "af": "20", "ab": "90"},
            {"refinement": "on", "foreground_threshold": 90, "background_threshold": 90, "erode_px": 10},
        ),
        ({"dc": "on"}, {"refinement": "auto"}),
        ({"om": "1", "a": "1", "dc": "1", "bgc": "1,2,3"}, {"output": Output.MASK}),
        ({"ppm": "t"}, {"tidy_mask": True}),
        ({"bgc": "1,2,3"}, {"background": (1, 2, 3, 255)}),
        ({"bgc": " 1, 2,3 ,4"}, {"background": (1, 2, 3, 4)}),
        ({"bgc": "", "a": "", "extras": "{"}, {}),
    ],
    ids=str,
)
def test_fields_of_a_form(form: dict[str, str], expected: dict[str, Any]) -> None:
    base = {"model": CHOICE.model, "refinement": "raw"}
    assert spec(**form) == CutoutSpec.model_validate(base | expected)


def test_a_form_counts_before_the_query() -> None:
    read = Options.read({"om": "true", "ae": "3"}, {"ae": b"4", "om": b""})
    assert (read.om, read.ae) == (True, 4)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("a", "maybe", "bool_parsing"),
        ("af", "256", "less_than_equal"),
        ("ab", "x", "int_parsing"),
        ("ae", "-1", "greater_than_equal"),
        ("model", "u2netz", "string_pattern_mismatch"),
        ("model", "sam", "string_pattern_mismatch"),
        ("bgc", "red", "value_error"),
        ("bgc", "1,2,256", "value_error"),
    ],
)
@pytest.mark.parametrize("place", ["query", "body"])
def test_a_wrong_field_is_named_with_its_place(name: str, value: str, kind: str, place: str) -> None:
    with pytest.raises(Refused) as raised:
        Options.read({name: value} if place == "query" else {}, {name: value.encode()} if place == "body" else {})
    assert isinstance(raised.value.detail, list)
    [detail] = raised.value.detail
    assert (detail["type"], detail["loc"], detail["input"]) == (kind, (place, name), value)


@pytest.mark.parametrize(
    ("options", "place", "name"), [(UrlOptions, "query", "url"), (FileOptions, "body", "file")]
)
def test_a_request_without_a_picture_is_told_so(options: type[Options], place: str, name: str) -> None:
    with pytest.raises(Refused) as raised:
        options.read({"a": "1"}, {"ae": b"3", "file": b""})
    assert raised.value.detail == [
        {"type": "missing", "loc": (place, name), "msg": "Field required", "input": None}
    ]


@pytest.mark.parametrize("url", ["", "photo.png", "ftp://a.example/b.png", "https://u@a.example/b.png"])
def test_a_wrong_url_is_told_with_the_form_of_a_right_one(url: str) -> None:
    with pytest.raises(Refused) as raised:
        UrlOptions.read({"url": url}, {})
    assert "http:// or https://" in str(raised.value.detail)


def test_every_model_is_one_of_ours() -> None:
    assert set(MODELS.values()) == {model.name for model in REMBG_MODELS} | {"isnet-general-use"}
