"""Tests of what a spec and a composition may hold."""

from typing import Any

import pytest
from pydantic import ValidationError

from cutgate.jobs.composition import (
    Composition,
    Length,
    Margins,
    Place,
    Position,
    RegionOfInterest,
    Unit,
    parse_scale,
)
from cutgate.jobs.spec import (
    DEFAULT_MODEL,
    PRESETS,
    Box,
    CutoutSpec,
    ModelChoice,
    Thresholds,
    parse_choices,
    thresholds_of,
)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": ""},
        {"model": "a/b"},
        {"model": "a:b"},
        {"model": "a b"},
        {"model": "a\n"},
        {"model": "../a"},
        {"model": "a" * 65},
        {"model": "m", "version": 2},
        {"model": "m", "erode_px": 256},
        {"model": "m", "erode_px": -1},
        {"model": "m", "foreground_threshold": 256},
        {"model": "m", "foreground_threshold": 10, "background_threshold": 11},
        {"model": "m", "refinement": "maybe"},
        {"model": "m", "holes": "open"},
        {"model": "m", "output": "video"},
        {"model": "m", "unknown": 1},
    ],
)
def test_what_a_spec_refuses(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CutoutSpec(**fields)


@pytest.mark.parametrize(
    ("foreground", "background", "expected"),
    [
        (None, None, (240, 10)),
        (9, None, (9, 9)),
        (None, 241, (241, 241)),
        (200, 100, (200, 100)),
        (100, 200, (100, 200)),  # nothing to move: whoever asked for both is told
        (0, None, (0, 0)),
        (None, 0, (240, 0)),
    ],
)
def test_a_default_makes_room_for_the_threshold_that_was_sent(
    foreground: int | None, background: int | None, expected: tuple[int, int]
) -> None:
    assert thresholds_of(foreground, background, Thresholds(240, 10)) == expected


@pytest.mark.parametrize("corners", [(0, 0, 0, 1), (0, 0, 1, 0), (5, 5, 4, 9), (-1, 0, 2, 2), (0, -1, 2, 2)])
def test_a_box_needs_an_area_in_the_picture(corners: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = corners
    with pytest.raises(ValidationError):
        Box(left_px=left, top_px=top, right_px=right, bottom_px=bottom)


# Models by name.


@pytest.mark.parametrize(
    ("text", "lane"),
    [
        ("best", "birefnet-general:exact"),
        ("exact", f"{DEFAULT_MODEL}:exact"),
        ("fast", f"{DEFAULT_MODEL}:fast"),
        ("u2netp", "u2netp:exact"),
        ("isnet-general-use:fast", "isnet-general-use:fast"),
    ],
)
def test_a_choice_is_a_preset_a_model_or_both_parts(text: str, lane: str) -> None:
    choice = ModelChoice.parse(text)
    assert (choice.lane, str(choice)) == (lane, lane)
    assert ModelChoice.parse(str(choice)) == choice


@pytest.mark.parametrize("text", ["", ":fast", "a/b", "m:slow", "m:fast:fast", "best:fast", "m:", "a b"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a preset"):
        ModelChoice.parse(text)


def test_several_are_split_by_commas_and_count_once() -> None:
    assert parse_choices(" best, fast ,birefnet-general:exact,,") == (PRESETS["best"], PRESETS["fast"])
    assert parse_choices("") == ()


# A composition's parts as text.


def px(amount: float) -> Length:
    return Length(amount=amount, unit=Unit.PX)


def percent(amount: float) -> Length:
    return Length(amount=amount, unit=Unit.PERCENT)


@pytest.mark.parametrize(
    ("text", "length"),
    [("10px", px(10)), ("2.5%", percent(2.5)), ("0", px(0)), (" 7 ", px(7)), ("5.", px(5)), ("10PX", px(10))],
)
def test_a_length_is_pixels_or_a_percentage(text: str, length: Length) -> None:
    assert Length.parse(text) == length


@pytest.mark.parametrize("text", ["", "px", "-1px", "1em", "1e9%", "nan", "inf", "1 px", "١%", "9" * 400, "1\n2"])
def test_what_is_no_length_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="such as 10px or 5%"):
        Length.parse(text)


def test_a_percentage_is_of_the_side_that_it_lies_along() -> None:
    assert (percent(25).of_px(200), px(25).of_px(200)) == (50, 25)


def test_a_region_is_four_lengths_and_a_zero_needs_no_unit() -> None:
    assert RegionOfInterest.parse("0 0 100% 400px") == RegionOfInterest(
        left=px(0), top=px(0), right=percent(100), bottom=px(400)
    )
    with pytest.raises(ValueError, match="four lengths"):
        RegionOfInterest.parse("0 0 100%")


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("10px", (px(10), px(10), px(10), px(10))),
        ("10px 5%", (px(10), percent(5), px(10), percent(5))),
        ("1 2 3% 4", (px(1), px(2), percent(3), px(4))),
    ],
)
def test_margins_go_clockwise_from_the_top(text: str, sides: tuple[Length, ...]) -> None:
    margins = Margins.parse(text)
    assert (margins.top, margins.right, margins.bottom, margins.left) == sides


@pytest.mark.parametrize("text", ["", "1 2 3", "1 2 3 4 5"])
def test_another_number_of_margins_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="one, two or four"):
        Margins.parse(text)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("original", "original"),
        ("Center", Position(x=0.5, y=0.5)),
        ("20%", Position(x=0.2, y=0.2)),
        ("0 100%", Position(x=0, y=1)),
    ],
)
def test_a_position_is_percentages_across_and_down(text: str, position: Place) -> None:
    assert Position.parse(text) == position


@pytest.mark.parametrize("text", ["", "left", "101%", "5px", "1% 2% 3%", "center center"])
def test_what_is_no_position_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="original, center, or one or two"):
        Position.parse(text)


def test_a_scale_is_a_percentage() -> None:
    assert (parse_scale("original"), parse_scale("80%"), parse_scale("100%")) == (None, 0.8, 1)
    for text in ("", "0%", "101%", "0.8", "80px"):
        with pytest.raises(ValueError, match="no scale"):
            parse_scale(text)


def test_a_region_whose_corners_are_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an area"):
        Composition(region_of_interest=RegionOfInterest.parse("50% 0 50% 100%"))


def test_a_box_and_a_region_exclude_each_other() -> None:
    region = Composition(region_of_interest=RegionOfInterest.parse("0 0 50% 50%"))
    with pytest.raises(ValueError, match="exclude each other"):
        CutoutSpec(model="m", box=Box(left_px=0, top_px=0, right_px=5, bottom_px=5), composition=region)
