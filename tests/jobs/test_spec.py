"""What a spec may hold."""

from typing import Any

import pytest
from pydantic import ValidationError

from cutgate.jobs.spec import Box, CutoutSpec, Thresholds, lane_of, thresholds_of


def test_the_lane_is_model_and_precision() -> None:
    assert lane_of(CutoutSpec(model="isnet-general-use")) == "isnet-general-use:exact"


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


def test_a_spec_does_not_change() -> None:
    spec = CutoutSpec(model="m")
    with pytest.raises(ValidationError):
        spec.erode_px = 3  # type: ignore[misc]  # that is what is tested
