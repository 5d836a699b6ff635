"""A mask tidied: smooth edges, specks and threads gone, parts and holes kept."""

import cv2
import numpy as np
import pytest

from cutgate.worker.cutout.mask.tidy import tidied
from cutgate.worker.cutout.raster.arrays import ByteMask


def ball(height_px: int = 400, width_px: int = 500) -> ByteMask:
    mask = np.zeros((height_px, width_px), np.uint8)
    cv2.circle(mask, (width_px // 2, height_px // 2), height_px // 4, 255, -1)
    return mask


def soft_pixels(mask: ByteMask) -> int:
    return int(np.count_nonzero((mask > 0) & (mask < 255)))


def outline_px(mask: ByteMask) -> float:
    contours, _ = cv2.findContours((mask >= 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return sum(cv2.arcLength(contour, closed=True) for contour in contours)


def test_a_frayed_edge_becomes_smooth() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 500), np.uint8)
    rim = cv2.morphologyEx(ball(), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    frayed = np.where(rim > 0, noise, ball())
    assert outline_px(tidied(frayed)) < 0.7 * outline_px(frayed)


def test_the_edge_is_narrow_but_not_jagged() -> None:
    tidy = tidied(cv2.GaussianBlur(ball(), (0, 0), 4).astype(np.uint8))
    around_px = 2 * np.pi * 100
    assert 0.5 * around_px < soft_pixels(tidy) < 3 * around_px
    assert np.count_nonzero(tidy >= 128) == pytest.approx(np.count_nonzero(ball()), rel=0.02)


@pytest.mark.parametrize("x", [380, 20])
def test_specks_go_near_and_far(x: int) -> None:
    mask = ball()
    cv2.circle(mask, (x, 200), 6, 160, -1)
    assert np.array_equal(tidied(mask), tidied(ball()))


def test_letters_are_no_specks() -> None:
    mask = ball()
    for left in range(40, 100, 20):
        mask[350:365, left : left + 8] = 255
    letters = (slice(345, 370), slice(30, 110))
    assert tidied(mask)[letters].sum() > 0.8 * mask[letters].sum()


def test_large_parts_and_holes_stay() -> None:
    mask = ball()
    cv2.circle(mask, (250, 200), 20, 0, -1)
    cv2.circle(mask, (60, 60), 40, 255, -1)
    tidy = tidied(mask)
    assert tidy[200, 250] == 0
    assert tidy[60, 60] == 255


def test_threads_are_opened_away() -> None:
    mask = ball()
    cv2.line(mask, (0, 0), (499, 399), 255, 1)
    assert not tidied(mask)[:80, :80].any()


def test_a_large_mask_is_smoothed_in_proportion() -> None:
    small, large = ball(1024, 1024), ball(4096, 4096)
    again = cv2.resize(tidied(large), (1024, 1024), interpolation=cv2.INTER_AREA)
    assert cv2.absdiff(again, tidied(small)).mean() < 0.5
    assert soft_pixels(tidied(large)) < 8 * soft_pixels(tidied(small))


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 3)])
def test_flat_masks_of_any_size_stay(size: tuple[int, int], level: int) -> None:
    mask = np.full(size, level, np.uint8)
    assert np.array_equal(tidied(mask), mask)
