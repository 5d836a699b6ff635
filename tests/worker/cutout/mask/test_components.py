"""What is cleaned from a map and what stays: drawn subjects with each kind of part and hole."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from cutgate.worker.cutout.mask.components import SOLID_LEVEL, clean_parts, find_islands
from cutgate.worker.cutout.raster.arrays import ByteMask

HEIGHT_PX, WIDTH_PX = 600, 800


def person() -> ByteMask:
    """A standing subject of about 38,000 px."""
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    cv2.ellipse(mask, (250, 330), (70, 180), 0, 0, 360, 255, -1)
    return mask


def with_disc(x: int, y: int, radius_px: int, level: int) -> ByteMask:
    mask = person()
    cv2.circle(mask, (x, y), radius_px, level, -1)
    return cv2.GaussianBlur(mask, (0, 0), 1).astype(np.uint8)


def with_rope_and_hand() -> ByteMask:
    mask = with_disc(340, 120, 9, 255)
    cv2.line(mask, (345, 118), (420, 20), 110, 1)
    return mask


def with_spokes() -> ByteMask:
    mask = person()
    cv2.circle(mask, (560, 330), 120, 255, 12)
    for angle in np.linspace(0, np.pi, 12, endpoint=False):
        reach = np.array([np.cos(angle), np.sin(angle)]) * 120
        ends = [tuple(np.rint(np.array([560, 330]) + sign * reach).astype(int).tolist()) for sign in (1, -1)]
        cv2.line(mask, ends[0], ends[1], 255, 2)
    return mask


def with_gaps_in_hair() -> ByteMask:
    """Shallow gaps along the outline."""
    mask = person()
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        x, y = 250 + 64 * np.cos(angle), 330 + 172 * np.sin(angle)
        cv2.circle(mask, (round(x), round(y)), 2, 150, -1)
    return mask


KEPT = [
    pytest.param(person(), id="the subject alone"),
    pytest.param(with_disc(620, 330, 80, 255), id="a second person"),
    pytest.param(with_disc(600, 500, 18, 255), id="a shoe"),
    pytest.param(with_disc(500, 150, 8, 255), id="a bubble"),
    pytest.param(with_disc(600, 500, 30, 90), id="a faint part of some size"),
    pytest.param(with_disc(350, 300, 3, 255), id="a drop beside the subject"),
    pytest.param(with_disc(340, 300, 4, 70), id="the end of a whisker"),
    pytest.param(with_rope_and_hand(), id="a hand on a rope"),
    pytest.param(with_disc(250, 330, 25, 0), id="between arm and body"),
    pytest.param(with_disc(250, 330, 5, 0), id="a small handle"),
    pytest.param(with_spokes(), id="spokes"),
    pytest.param(with_gaps_in_hair(), id="gaps in hair"),
    pytest.param(np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8), id="nothing"),
    pytest.param(np.full((HEIGHT_PX, WIDTH_PX), 255, np.uint8), id="all"),
    pytest.param(np.full((HEIGHT_PX, WIDTH_PX), 128, np.uint8), id="doubt"),
]


@pytest.mark.parametrize("mask", KEPT)
def test_kept(mask: ByteMask) -> None:
    assert np.array_equal(clean_parts(mask), mask)


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(with_disc(600, 500, 3, 255), id="a sure speck"),
        pytest.param(with_disc(600, 500, 12, 90), id="a faint speck"),
        pytest.param(with_disc(2, 2, 3, 255), id="a speck in the corner"),
    ],
)
def test_specks_go(mask: ByteMask) -> None:
    assert np.array_equal(clean_parts(mask), cv2.GaussianBlur(person(), (0, 0), 1))


@pytest.mark.parametrize(("radius_px", "level"), [(4, 150), (12, 200), (14, 80)])
def test_pinholes_are_filled(radius_px: int, level: int) -> None:
    cleaned = clean_parts(with_disc(250, 330, radius_px, level))
    # What is known to be subject counts as filled.
    assert cv2.absdiff(cleaned, cv2.GaussianBlur(person(), (0, 0), 1)).max() <= 255 - SOLID_LEVEL


def test_many_equal_parts_are_a_flock() -> None:
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    for x in range(50, WIDTH_PX, 100):
        for y in range(50, HEIGHT_PX, 100):
            cv2.circle(mask, (x, y), 5, 255, -1)
    assert clean_parts(mask) is mask


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 3), (17, 23)])
def test_any_size(size: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    assert clean_parts(mask).shape == size


def test_a_large_map_is_cleaned_alike_and_costs_little() -> None:
    small = with_disc(600, 500, 3, 255)
    large = cv2.resize(small, (WIDTH_PX * 6, HEIGHT_PX * 6), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    before = large.copy()
    started = time.process_time()
    cleaned = clean_parts(large)
    assert time.process_time() - started < 2
    assert not cleaned[2800:3200, 3400:3800].any()
    assert np.array_equal(cleaned[:, :3000], before[:, :3000])
    assert np.array_equal(large, before)


def test_islands_are_judged_by_size_alone() -> None:
    mask = with_disc(350, 300, 8, 255)
    assert find_islands(mask, 0.01)[300, 350]
    assert not find_islands(mask, 0.001).any()
    assert not find_islands(np.zeros((5, 5), np.uint8), 0.5).any()
