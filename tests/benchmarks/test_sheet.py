from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.quality.pairs import Pair
from benchmarks.quality.sheet import (
    BACKGROUNDS,
    CAPTION_PX,
    CROP_PX,
    ENLARGEMENT,
    GAP_PX,
    Exhibit,
    chosen,
    contact_sheet,
    laid_over,
    softest_window,
    true_cutout,
)

SIDE_PX = 300
RED, GREEN = (200, 10, 10), (10, 200, 10)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A red subject on the left half of a green picture, half transparent in its last 20 columns."""
    alpha = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    alpha[:, :140], alpha[:, 140:160] = 255, 128
    photo = np.where(alpha[..., None] == 255, RED, GREEN).astype(np.uint8)
    photo[alpha == 128] = np.mean([RED, GREEN], axis=0).astype(np.uint8)
    foreground = np.zeros_like(photo)
    foreground[alpha == 128] = RED
    paths = {"photo": photo, "alpha": alpha, "foreground": foreground, "result": np.dstack([photo, alpha])}
    for name, pixels in paths.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return Pair("half", tmp_path / "photo.png", tmp_path / "alpha.png", tmp_path / "foreground.png")


def test_a_sheet_has_a_row_for_each_background_and_a_column_for_the_truth(pair: Pair) -> None:
    result = pair.photo.with_name("result.png")
    sheet = contact_sheet([Exhibit(pair, {"ours": result, "theirs": result})])
    height_px, width_px = (ENLARGEMENT * side for side in CROP_PX)
    assert sheet.size == (3 * (width_px + GAP_PX), 2 * CAPTION_PX + len(BACKGROUNDS) * (height_px + GAP_PX))
    for row, colour in enumerate(BACKGROUNDS):
        y = CAPTION_PX + row * (height_px + GAP_PX) + height_px // 2
        line = np.asarray(sheet)[y]
        assert (line[width_px - 5] == colour).all(), "outside the subject, the background shows"
        # In the soft band the photo's own colours hold green; the truth's do not.
        ours, truth = (line[left : left + width_px].astype(int) for left in (0, 2 * (width_px + GAP_PX)))
        soft = (truth[:, 0] > RED[0] // 2 - 5) & (truth[:, 0] < RED[0] - 20) if colour == (0, 0, 0) else []
        assert len(soft) == 0 or ours[soft, 1].mean() > truth[soft, 1].mean() + 20


def test_sheets_of_several_photos_lie_below_each_other(pair: Pair) -> None:
    exhibit = Exhibit(pair, {"ours": pair.photo.with_name("result.png")})
    one, two = contact_sheet([exhibit]), contact_sheet([exhibit, exhibit])
    assert (two.width, two.height) == (one.width, 2 * one.height)


def test_the_window_lies_on_the_softest_part() -> None:
    alpha = np.zeros((400, 500), np.uint8)
    alpha[300:330, 400:440] = 100
    alpha[10:15, 10:15] = 100
    rows, columns = softest_window(alpha, 60, 80)
    assert (alpha[rows, columns] == 100).sum() == 30 * 40
    assert (rows.stop - rows.start, columns.stop - columns.start) == (60, 80)


def test_a_small_picture_is_shown_whole() -> None:
    assert softest_window(np.full((5, 7), 100, np.uint8), 60, 80) == (slice(0, 5), slice(0, 7))


def test_the_median_and_the_worst_of_each_category_are_shown() -> None:
    categories = ["fur", "hair", "fur", "fur", "glass", "fur"]
    ratios = np.array([0.5, 1.0, 3.0, 0.7, 2.0, 0.9])
    assert chosen(categories, ratios) == [3, 2, 4, 1]


def test_the_truth_takes_its_colours_from_the_foreground_where_it_is_soft() -> None:
    alpha = np.array([[0, 100, 255]], np.uint8)
    photo, foreground = np.full((1, 3, 3), 50, np.uint8), np.full((1, 3, 3), 90, np.uint8)
    assert true_cutout(photo, alpha, foreground)[0].tolist() == [
        [50] * 3 + [0],
        [90] * 3 + [100],
        [50] * 3 + [255],
    ]


def test_a_colour_shows_through_by_the_share_of_alpha() -> None:
    cutout = np.array([[[200, 100, 0, 0], [200, 100, 0, 255], [200, 100, 0, 51]]], np.uint8)
    assert laid_over(cutout, (0, 0, 100))[0].tolist() == [[0, 0, 100], [200, 100, 0], [40, 20, 80]]
