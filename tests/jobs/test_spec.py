"""What a spec may hold."""

from typing import Any

import pytest
from pydantic import ValidationError

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
