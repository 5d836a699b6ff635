"""The trimap against the protocol's words, on masks small enough to read."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cutgate.jobs.spec import Thresholds
from cutgate.worker.cutout.matting.trimap import (
    BACKGROUND,
    FOREGROUND,
    NO_THRESHOLDS,
    UNKNOWN,
    has_subject,
    make_trimap,
)
from cutgate.worker.cutout.raster.arrays import STRIP_ROWS, ByteMask
from cutgate.worker.cutout.raster.filters import dilated, eroded, square

USUAL = Thresholds(foreground=240, background=15)


def row(*levels: int) -> ByteMask:
    return np.array([levels], np.uint8)


def step_edge(height: int = 60, width: int = 60) -> ByteMask:
    """Subject in the right half."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 2 :] = 255
    return mask


def test_comparisons_are_strict() -> None:
    trimap = make_trimap(row(0, 14, 15, 16, 239, 240, 241, 255), USUAL, erode_px=0)
    assert trimap.tolist() == [[BACKGROUND] * 2 + [UNKNOWN] * 4 + [FOREGROUND] * 2]


def test_thresholds_at_their_ends_leave_nothing_known_and_equal_ones_one_level_unknown() -> None:
    assert FOREGROUND not in make_trimap(row(0, 128, 255), Thresholds(255, 15), erode_px=0)
    assert BACKGROUND not in make_trimap(row(0, 128, 255), Thresholds(240, 0), erode_px=0)
    assert make_trimap(row(99, 100, 101), Thresholds(100, 100), 0).tolist() == [[BACKGROUND, UNKNOWN, FOREGROUND]]


@pytest.mark.parametrize(("erode_px", "band_px"), [(0, 0), (1, 0), (3, 2), (15, 14), (39, 38), (40, 39)])
def test_erosion_widens_the_band_by_a_square(erode_px: int, band_px: int) -> None:
    trimap = make_trimap(step_edge(), USUAL, erode_px)
    assert ((trimap == UNKNOWN).sum(axis=1) == band_px).all()


def test_a_subject_cut_by_the_frame_keeps_its_edge_there() -> None:
    trimap = make_trimap(step_edge(), USUAL, erode_px=15)
    assert (trimap[:, -1] == FOREGROUND).all()
    assert (trimap[[0, -1], :20] == BACKGROUND).all()


@pytest.mark.parametrize("erode_px", [2, 15, 40])
def test_a_picture_of_many_rows_is_eroded_as_one(erode_px: int) -> None:
    mask = np.random.default_rng(0).integers(0, 256, (9, 4), np.uint8)
    mask = np.asarray(cv2.resize(mask, (300, 3 * STRIP_ROWS + 7), interpolation=cv2.INTER_NEAREST), np.uint8)
    trimap = make_trimap(mask, USUAL, erode_px)
    element = square(erode_px)
    assert np.array_equal(trimap == FOREGROUND, eroded(mask, element) > USUAL.foreground)
    assert np.array_equal(trimap == BACKGROUND, dilated(mask, element) < USUAL.background)


def test_a_subject_thinner_than_the_square_is_not_eroded_away() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 19:21] = 255
    trimap = make_trimap(mask, USUAL, erode_px=15)
    assert (trimap[:, 19:21] == FOREGROUND).all()
    assert (trimap[:, 15] == UNKNOWN).all()


@pytest.mark.parametrize(
    ("levels", "thresholds", "expected"),
    [
        ((0, 127), USUAL, False),
        ((0, 128), USUAL, True),
        ((127,), NO_THRESHOLDS, False),
        ((128,), NO_THRESHOLDS, True),
        ((199,), Thresholds(240, 200), False),
        ((200,), Thresholds(240, 200), True),
        ((99,), Thresholds(100, 15), False),
        ((100,), Thresholds(100, 15), True),
    ],
)
def test_a_subject_needs_a_likely_pixel(levels: tuple[int, ...], thresholds: Thresholds, expected: bool) -> None:
    assert has_subject(row(*levels), thresholds) is expected


@pytest.mark.parametrize(("subject_px", "expected"), [(9, False), (11, True)])
def test_a_few_likely_pixels_in_a_large_mask_are_no_subject(subject_px: int, expected: bool) -> None:
    mask = np.full((1024, 1024), 18, np.uint8)
    mask[:subject_px, :subject_px] = 178
    assert has_subject(mask, USUAL) is expected


@settings(max_examples=40)
@given(
    mask=arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    limits=st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted),
    erode_px=st.integers(0, 40),
)
def test_erosion_only_takes_from_the_known(mask: ByteMask, limits: list[int], erode_px: int) -> None:
    thresholds = Thresholds(foreground=limits[1], background=limits[0])
    before, after = make_trimap(mask, thresholds, 0), make_trimap(mask, thresholds, erode_px)
    assert after.shape == mask.shape
    assert ((after == before) | (after == UNKNOWN)).all()
