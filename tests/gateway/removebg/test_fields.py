"""Tests of remove.bg: every field, its values, its default, and what it refuses."""

from typing import Any

import pytest

from cutgate.gateway.removebg.options import Options
from cutgate.jobs.composition import Composition, Length, Margins, Position, RegionOfInterest, Shadow, Unit
from cutgate.jobs.spec import CutoutSpec, FileFormat, Holes, Output
from tests.gateway.removebg.service import FORMS, RemoveBg

PLAIN = Composition(max_pixels=250_000, least_subject_share=0.0005)


def px(amount: float) -> Length:
    return Length(amount=amount)


def percent(amount: float) -> Length:
    return Length(amount=amount, unit=Unit.PERCENT)


def margins(top: Length, right: Length, bottom: Length, left: Length) -> Margins:
    return Margins(top=top, right=right, bottom=bottom, left=left)


def test_what_is_not_sent_has_its_default(quick: RemoveBg) -> None:
    assert quick.spec() == CutoutSpec(model=quick.settings.model, file_format=FileFormat.AUTO, composition=PLAIN)


@pytest.mark.parametrize(
    ("fields", "in_spec"),
    [
        ({"format": "auto"}, {"file_format": FileFormat.AUTO}),
        ({"format": "png"}, {"file_format": FileFormat.PNG}),
        ({"format": "jpg"}, {"file_format": FileFormat.JPEG}),
        ({"format": "webp"}, {"file_format": FileFormat.WEBP, "quality": 90}),
        ({"format": "zip"}, {"file_format": FileFormat.ZIP}),
        ({"format": "zip", "bg_color": "red"}, {"file_format": FileFormat.ZIP}),
        ({"format": "zip", "channels": "alpha"}, {"file_format": FileFormat.ZIP}),
        ({"holes": "keep"}, {}),
        ({"holes": "fill"}, {"holes": Holes.FILL}),
        ({"channels": "rgba"}, {}),
        ({"channels": "alpha"}, {"output": Output.MASK, "file_format": FileFormat.PNG}),
        ({"channels": "alpha", "format": "jpg"}, {"output": Output.MASK, "file_format": FileFormat.JPEG}),
        *(
            ({"bg_color": text}, {"background": colour})
            for text, colour in {
                "fff": (255, 255, 255, 255),
                "81d4fa": (129, 212, 250, 255),
                "#81D4FA": (129, 212, 250, 255),
                "81d4fa77": (129, 212, 250, 0x77),
                "#abcd": (0xAA, 0xBB, 0xCC, 0xDD),
                "green": (0, 128, 0, 255),
                "AliceBlue": (240, 248, 255, 255),
                "transparent": (0, 0, 0, 0),
            }.items()
        ),
    ],
    ids=str,
)
def test_a_value_of_a_field_in_the_spec(quick: RemoveBg, fields: dict[str, str], in_spec: dict[str, Any]) -> None:
    assert quick.spec(**fields) == CutoutSpec(
        model=quick.settings.model,
        **{"file_format": FileFormat.AUTO, "composition": PLAIN} | in_spec,
    )


@pytest.mark.parametrize(
    ("fields", "in_composition"),
    [
        ({"roi": "0% 0% 100% 100%"}, {}),
        ({"roi": "0 0 100% 100%"}, {}),
        (
            {"roi": "5 10% 30px 90.5%"},
            {
                "region_of_interest": RegionOfInterest(
                    left=px(5), top=percent(10), right=px(30), bottom=percent(90.5)
                )
            },
        ),
        ({"crop": "false", "crop_margin": "30px"}, {}),
        ({"crop": "true"}, {"crop": margins(px(0), px(0), px(0), px(0))}),
        ({"crop": "true", "crop_margin": "10%"}, {"crop": margins(*[percent(10)] * 4)}),
        ({"crop": 1, "crop_margin": "10px 5%"}, {"crop": margins(px(10), percent(5), px(10), percent(5))}),
        ({"crop": True, "crop_margin": "1 2 3% 4"}, {"crop": margins(px(1), px(2), percent(3), px(4))}),
        ({"scale": "original"}, {}),
        ({"scale": "10%"}, {"scale": 0.1}),
        ({"scale": "80%"}, {"scale": 0.8}),
        ({"scale": "100%"}, {"scale": 1.0}),
        ({"position": "original"}, {"position": "original"}),
        ({"position": "original", "scale": "50%"}, {"position": "original", "scale": 0.5}),
        ({"position": "center"}, {"position": Position(x=0.5, y=0.5)}),
        ({"position": "20%"}, {"position": Position(x=0.2, y=0.2)}),
        ({"position": "0% 100%"}, {"position": Position(x=0, y=1)}),
        ({"shadow_type": "none"}, {}),
        ({"shadow_type": "none", "add_shadow": "true"}, {}),
        ({"shadow_opacity": "70"}, {}),
        *(({"shadow_type": kind}, {"shadow": Shadow()}) for kind in ("drop", "auto", "car", "3D", "3d")),
        ({"shadow_type": "drop", "shadow_opacity": "70"}, {"shadow": Shadow(opacity=0.7)}),
        ({"shadow_type": "drop", "shadow_opacity": 0}, {"shadow": Shadow(opacity=0)}),
        ({"shadow_type": "drop", "shadow_opacity": "auto"}, {"shadow": Shadow()}),
        ({"add_shadow": "true"}, {"shadow": Shadow()}),
        ({"add_shadow": "false"}, {}),
        ({"semitransparency": "true"}, {}),
        ({"semitransparency": "false"}, {"hard_inside": True}),
        *(({"size": name}, {"max_pixels": 250_000}) for name in ("preview", "small", "regular")),
        ({"size": "medium"}, {"max_pixels": 1_500_000}),
        ({"size": "hd"}, {"max_pixels": 4_000_000}),
        *(({"size": name}, {"max_pixels": 10_000_000}) for name in ("full", "4k", "50MP", "50mp")),
        *(({"size": name, "bg_color": "fff"}, {"max_pixels": 25_000_000}) for name in ("full", "4k")),
        ({"size": "50MP", "format": "jpg"}, {"max_pixels": 50_000_000}),
        ({"size": "full", "format": "zip"}, {"max_pixels": 25_000_000}),
        ({"size": "full", "format": "png", "bg_color": "fff"}, {"max_pixels": 10_000_000}),
        ({"size": "auto"}, {"max_pixels": 250_000}),
    ],
    ids=str,
)
def test_a_value_of_a_field_in_the_composition(
    quick: RemoveBg, fields: dict[str, Any], in_composition: dict[str, Any]
) -> None:
    assert quick.spec("json", **fields).composition == PLAIN.model_copy(update=in_composition)


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (None, {"auto": "other", "car_interior": "car", "graphic": "other", "person": "person"}),
        ("none", {"auto": None, "person": None}),
        ("1", {"animal": "animal", "transportation": "other", "car_part": "car", "product": "product"}),
        (
            2,
            {"auto": "other", "car": "car", "car_part": "car_part", "graphic": "graphics", "graphics": "graphics"},
        ),
        ("latest", {"transportation": "transportation", "other": "other"}),
    ],
)
def test_the_type_that_is_shown_is_the_one_that_was_given(level: object, shown: dict[str, str | None]) -> None:
    given = {} if level is None else {"type_level": level}
    assert {kind: Options.read({"type": kind} | given).shown_type() for kind in shown} == shown


REFUSED: dict[str, tuple[object, ...]] = {
    "format": ("PNG", "jpeg", "gif", ["png"]),
    "roi": ("1 2 3", "0 0 -5 10", "a b c d", "1 2 3 4 5", "0 0 10em 10"),
    "crop": ("yes", "t", "2"),
    "crop_margin": ("1 2 3", "-1", "10em", "1 2 3 4 5", {}),
    "scale": ("9%", "101%", "50", "big", "0"),
    "position": ("101%", "50", "left", "1% 2% 3%", "-1%"),
    "channels": ("rgb", "ALPHA"),
    "shadow_type": ("soft", "DROP"),
    "shadow_opacity": ("101", "-1", "much", True),
    "add_shadow": ("maybe", 2),
    "semitransparency": ("no", 0.5),
    "bg_color": ("12345", "ggg", "##fff", "no colour", "rgb(1,2,3)"),
    "size": ("Full", "huge", 4, True),
    "type": ("bird", "Person"),
    "type_level": ("3", 0, True),
    "holes": ("Fill", "true", 1),
}


@pytest.mark.parametrize(("name", "values"), REFUSED.items(), ids=list(REFUSED))
def test_what_a_field_refuses(refusing: RemoveBg, name: str, values: tuple[object, ...]) -> None:
    assert set(REFUSED) == set(Options.model_fields)
    for value in values:
        fields: dict[str, Any] = {name: value}
        error = refusing.error(form="json", **fields)
        assert (error["code"], error["title"]) == (f"invalid_{name}", f"Invalid value for parameter {name}")
        assert name in error["detail"]
    refusing.harness.assert_nothing_left()


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_field_is_an_absent_one_in_each_form(quick: RemoveBg, form: str) -> None:
    empty = dict.fromkeys((*Options.model_fields, "image_url", "bg_image_url", "shadow_method"), "")
    assert quick.spec(form, **empty) == CutoutSpec(
        model=quick.settings.model, file_format=FileFormat.AUTO, composition=PLAIN
    )


def test_the_first_of_several_faults_is_told(refusing: RemoveBg) -> None:
    fields: dict[str, Any] = {"format": "gif", "scale": "x", "size": "huge", "type": "bird"}
    while fields:
        assert refusing.error(**fields)["code"] == f"invalid_{next(iter(fields))}"
        fields.pop(next(iter(fields)))
